/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/refresh.h"

#include "coverage.h"
#include "ofproto/ofproto-dpif.h"
#include "ofproto-vmmob/bridge.h"
#include "ofproto-vmmob/flow-index.h"
#include "ofproto-vmmob/module.h"
#include "ovs-rcu.h"
#include "timeval.h"
#include "util.h"
#include "uuid.h"

COVERAGE_DEFINE(vmmob_refresh);
COVERAGE_DEFINE(vmmob_refresh_late);
COVERAGE_DEFINE(vmmob_refresh_overflow);

/* Most datapath flows that are translated anew at once, and for one address,
 * most of those that have to do with other addresses, too.  The revalidators
 * see to the rest. */
#define MAX_REFRESH 4096
#define MAX_REFRESH_VAGUE 64

/* The pauses, in ms, before this is done again, for flows that were just being
 * installed, even if the thread that did that had to wait. */
static const int refresh_again_ms[REFRESH_N_AGAIN] = { 2, 100, 2000 };

/* With more addresses the first of these is left out: it would come in the
 * middle of the moves of many VMNs.  Packets of flows that are out of date for
 * a moment longer are redirected. */
#define MAX_REFRESH_SOON 32

/* If there were too many to refresh, the revalidators look at all of them so
 * much later, in ms. */
#define REVALIDATE_SOON_MS 20

/* Addresses at a bridge. */
struct refresh {
    struct ovs_list node;       /* In a list of struct refreshes. */
    struct uuid ofproto_uuid;
    long long int when;         /* In ms. */
    struct in6_addr *addrs;     /* Owned. */
    size_t n_addrs;
};

static void
refresh_destroy(struct refresh *refresh)
{
    free(refresh->addrs);
    free(refresh);
}

/* Initializes 'refreshes', in which nothing is due. */
void
vmmob_refreshes_init(struct refreshes *refreshes)
{
    for (size_t i = 0; i < REFRESH_N_AGAIN; i++) {
        ovs_list_init(&refreshes->lists[i]);
    }
}

/* Frees what 'refreshes' owns. */
void
vmmob_refreshes_destroy(struct refreshes *refreshes)
{
    struct refresh *refresh;

    for (size_t i = 0; i < REFRESH_N_AGAIN; i++) {
        LIST_FOR_EACH_POP (refresh, node, &refreshes->lists[i]) {
            refresh_destroy(refresh);
        }
    }
}

static int
compare_flow_ids(const void *a_, const void *b_)
{
    const struct flow_index_id *a = a_;
    const struct flow_index_id *b = b_;
    int cmp = memcmp(&a->ufid, &b->ufid, sizeof a->ufid);

    return (cmp ? cmp
            : a->pmd_id != b->pmd_id ? (a->pmd_id < b->pmd_id ? -1 : 1)
            : 0);
}

/* Translates anew the datapath flows at 'b' that involve 'addrs', and adds to
 * '*n_changed' how many changed.  Returns false if there are too many: then
 * the revalidators soon look at all. */
static bool
refresh_flows(struct vmmob_bridge *b, const struct in6_addr *addrs,
              size_t n_addrs, size_t *n_changed)
    OVS_REQUIRES(vmmob_mutex)
{
    /* Most are found twice, by IP address and by MAC address.  Static, because
     * to take so much at once has malloc() tidy up all that is free. */
    static struct flow_index_id ids[2 * MAX_REFRESH]
        OVS_GUARDED_BY(vmmob_mutex);
    const size_t max = ARRAY_SIZE(ids);
    struct udpif *udpif = b->ofproto->backer->udpif;
    bool complete = true;
    size_t n_ids = 0;

    for (size_t i = 0; i < n_addrs; i++) {
        bool all;

        n_ids += vmmob_flow_index_find(udpif, &addrs[i], &ids[n_ids],
                                       max - n_ids, MAX_REFRESH_VAGUE,
                                       &all);
        complete = complete && all;
    }

    /* Flows that do not look at all bits of an address have to do with many
     * of them. */
    qsort(ids, n_ids, sizeof *ids, compare_flow_ids);
    for (size_t i = 0; i < n_ids; i++) {
        if (!i || compare_flow_ids(&ids[i - 1], &ids[i])) {
            *n_changed += udpif_refresh_flow(udpif, &ids[i].ufid,
                                             ids[i].pmd_id);
        }
        /* Others that change a flow table or a port wait for us. */
        if (i % 32 == 31) {
            ovsrcu_quiesce();
        }
    }

    if (!complete) {
        COVERAGE_INC(vmmob_refresh_overflow);
        b->next_revalidation = MIN(b->next_revalidation,
                                   time_msec() + REVALIDATE_SOON_MS);
    }
    return complete;
}

/* Translates anew the datapath flows at 'b' that involve the 'n' addresses
 * 'addrs', and notes in 'refreshes' to do so once more.  Takes ownership of
 * 'addrs'.  Returns false if there are too many: then the revalidators soon
 * look at all. */
bool
vmmob_refresh_bridge(struct refreshes *refreshes, struct vmmob_bridge *b,
                     struct in6_addr *addrs, size_t n, long long int now)
{
    size_t again = n > MAX_REFRESH_SOON ? 1 : 0;
    struct refresh *refresh;
    size_t n_changed = 0;
    bool complete = refresh_flows(b, addrs, n, &n_changed);

    COVERAGE_ADD(vmmob_refresh, n_changed);
    if (!complete) {
        free(addrs);
        return false;
    }
    refresh = xmalloc(sizeof *refresh);
    refresh->ofproto_uuid = b->ofproto->uuid;
    refresh->when = now + refresh_again_ms[again];
    refresh->addrs = addrs;
    refresh->n_addrs = n;
    ovs_list_push_back(&refreshes->lists[again], &refresh->node);
    return true;
}

/* Refreshes what is due in list number 'i' of 'vmmob', and moves it to the
 * next list, if there is one.  Returns when to call this again, in ms, or
 * LLONG_MAX. */
static long long int
run_refreshes(struct vmmob *vmmob, size_t i, long long int now)
    OVS_REQUIRES(vmmob_mutex)
{
    struct ovs_list *lists = vmmob->refreshes.lists;
    struct refresh *refresh;

    LIST_FOR_EACH_SAFE (refresh, node, &lists[i]) {
        struct vmmob_bridge *b;

        if (refresh->when > now) {
            return refresh->when;
        }
        HMAP_FOR_EACH (b, node, &vmmob->bridges) {
            if (b->enabled
                && uuid_equals(&b->ofproto->uuid, &refresh->ofproto_uuid)) {
                size_t n_changed = 0;

                refresh_flows(b, refresh->addrs, refresh->n_addrs,
                              &n_changed);
                COVERAGE_ADD(vmmob_refresh_late, n_changed);
            }
        }
        ovs_list_remove(&refresh->node);
        if (i + 1 < REFRESH_N_AGAIN) {
            refresh->when = now + refresh_again_ms[i + 1];
            ovs_list_push_back(&lists[i + 1], &refresh->node);
        } else {
            refresh_destroy(refresh);
        }
    }
    return LLONG_MAX;
}

/* Takes further looks at the datapath flows that were refreshed a moment ago.
 * Returns when to call this again, in ms, or LLONG_MAX. */
long long int
vmmob_refresh_again(struct vmmob *vmmob, long long int now)
{
    long long int next = LLONG_MAX;

    for (size_t i = 0; i < REFRESH_N_AGAIN; i++) {
        next = MIN(next, run_refreshes(vmmob, i, now));
    }
    return next;
}
