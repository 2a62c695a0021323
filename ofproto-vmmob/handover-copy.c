/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/handover-copy.h"

#include "coverage.h"
#include "hash.h"
#include "ofproto-vmmob/handover.h"
#include "ofproto-vmmob/handover-core.h"
#include "ofproto-vmmob/handover-journal.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "util.h"
#include "vmmob-hash.h"
#include "vmmob-table.h"

VLOG_DEFINE_THIS_MODULE(vmmob_handover_copy);

COVERAGE_DEFINE(vmmob_copy_begun);
COVERAGE_DEFINE(vmmob_copy_expired);
COVERAGE_DEFINE(vmmob_copy_refused);

static struct copy_count *find_copy_count(const struct handover_ofs *,
                                          uint64_t to);
static void vmn_count_copy(struct handover_ofs *, struct handover_vmn *,
                           uint64_t to);
static void vmn_set_copy(struct handover *, struct handover_ofs *,
                         struct handover_vmn *, uint64_t to);
static uint64_t find_copy_target(const struct handover *,
                                 const struct handover_ofs *,
                                 const struct handover_vmn *);
static const char *get_site(const struct handover *, uint64_t ofs);
static struct handover_vmn *first_copy(const struct ovs_list *);

/* Returns for how long, in ms, packets for a VMN at 'ofs' are copied to where
 * it is expected.  After that there is a pause of the same length. */
long long int
vmmob_handover_get_copy_ms(const struct handover_ofs *ofs)
{
    /* This OFS may not prepare for any VMN itself. */
    return (ofs->settings.prepare_ms ? ofs->settings.prepare_ms
            : VMMOB_DEFAULT_PREPARE_MS);
}

/* Ends the copies of what is for 'vmn', and the pause after them. */
void
vmmob_handover_vmn_end_copies(struct handover_ofs *ofs,
                              struct handover_vmn *vmn)
{
    vmn_count_copy(ofs, vmn, 0);
    ovs_list_remove(&vmn->copying);
    ovs_list_init(&vmn->copying);
    vmn->copy_since = LLONG_MIN;
}

/* Decides whether copies of what is for 'vmn', at 'ofs', are sent to where it
 * is expected.  Others say where that is, whoever they are and as often as
 * they like.  So copies are limited: they are sent for some time after others
 * first say so, and then not again before a pause is over and nobody says so
 * any more.  They are sent for a limited number of VMNs at a time. */
void
vmmob_handover_vmn_copy(struct handover *h, struct handover_ofs *ofs,
                        struct handover_vmn *vmn, long long int now)
{
    static struct vlog_rate_limit copy_rl = VLOG_RATE_LIMIT_INIT(20, 20);
    long long int copy_ms = vmmob_handover_get_copy_ms(ofs);
    uint64_t to = find_copy_target(h, ofs, vmn);

    if (!to && vmn->copy_since != LLONG_MIN
        && now >= vmn->copy_since + 2 * copy_ms) {
        vmmob_handover_vmn_end_copies(ofs, vmn);
    }
    if (to && to != vmn->copy_to) {
        const struct copy_count *cc = find_copy_count(ofs, to);

        if (vmn->copy_since != LLONG_MIN && now >= vmn->copy_since + copy_ms) {
            to = 0;
        } else if (cc && cc->n >= HANDOVER_MAX_COPIES) {
            COVERAGE_INC(vmmob_copy_refused);
            VLOG_WARN_RL(&copy_rl, "VMN "ETH_ADDR_FMT": expected at OFS "
                         VMMOB_OFS_ID_FMT" (site %s), as are %d others, so "
                         "its packets are not copied to there",
                         ETH_ADDR_ARGS(vmn->row.key.mac), to, get_site(h, to),
                         HANDOVER_MAX_COPIES);
            ofs->copies_wait = true;
            to = 0;
        } else {
            if (vmn->copy_since == LLONG_MIN) {
                vmn->copy_since = now;
                ovs_list_push_back(&ofs->copying, &vmn->copying);
            }
            COVERAGE_INC(vmmob_copy_begun);
            VLOG_INFO_RL(&copy_rl, "VMN "ETH_ADDR_FMT": expected at OFS "
                         VMMOB_OFS_ID_FMT" (site %s), so its packets are "
                         "copied to there, for at most %lld s",
                         ETH_ADDR_ARGS(vmn->row.key.mac), to, get_site(h, to),
                         (vmn->copy_since + copy_ms - now) / 1000);
        }
    } else if (to && now >= vmn->copy_since + copy_ms) {
        COVERAGE_INC(vmmob_copy_expired);
        VLOG_INFO_RL(&copy_rl, "VMN "ETH_ADDR_FMT": still expected at OFS "
                     VMMOB_OFS_ID_FMT" (site %s) after %lld s, so its packets "
                     "are not copied to there any more",
                     ETH_ADDR_ARGS(vmn->row.key.mac), to, get_site(h, to),
                     copy_ms / 1000);
        to = 0;
    }
    vmn_set_copy(h, ofs, vmn, to);
}

/* Ends the copies, and the pauses after them, whose time is over, and begins
 * those for which there was no room before. */
void
vmmob_handover_ofs_run_copies(struct handover *h, struct handover_ofs *ofs,
                              long long int now)
{
    long long int copy_ms = vmmob_handover_get_copy_ms(ofs);
    struct handover_vmn *vmn;

    while ((vmn = first_copy(&ofs->copying))
           && now >= vmn->copy_since + copy_ms) {
        ovs_list_remove(&vmn->copying);
        ovs_list_push_back(&ofs->copied, &vmn->copying);
        vmmob_handover_vmn_copy(h, ofs, vmn, now);
    }
    while ((vmn = first_copy(&ofs->copied))
           && now >= vmn->copy_since + 2 * copy_ms) {
        ovs_list_remove(&vmn->copying);
        ovs_list_init(&vmn->copying);
        vmmob_handover_vmn_copy(h, ofs, vmn, now);
    }
    if (ofs->copies_wait && ofs->copies_freed) {
        ofs->copies_wait = false;
        HMAP_FOR_EACH (vmn, node, &ofs->vmns) {
            vmmob_handover_vmn_copy(h, ofs, vmn, now);
        }
    }
    ofs->copies_freed = false;
}

/* Returns when vmmob_handover_ofs_run_copies() has something to do, or
 * LLONG_MAX. */
long long int
vmmob_handover_next_copy_event(const struct handover_ofs *ofs)
{
    long long int copy_ms = vmmob_handover_get_copy_ms(ofs);
    const struct handover_vmn *copying = first_copy(&ofs->copying);
    const struct handover_vmn *copied = first_copy(&ofs->copied);

    if (ofs->copies_wait && ofs->copies_freed) {
        return 0;
    }
    return MIN(copying ? copying->copy_since + copy_ms : LLONG_MAX,
               copied ? copied->copy_since + 2 * copy_ms : LLONG_MAX);
}

static struct copy_count *
find_copy_count(const struct handover_ofs *ofs, uint64_t to)
{
    struct copy_count *cc;

    HMAP_FOR_EACH_WITH_HASH (cc, node, vmmob_hash_uint64(to, 0),
                             &ofs->copy_counts) {
        if (cc->ofs == to) {
            return cc;
        }
    }
    return NULL;
}

/* Starts to send copies of what is for 'vmn' to the OFS 'to', or stops if 'to'
 * is 0. */
static void
vmn_count_copy(struct handover_ofs *ofs, struct handover_vmn *vmn,
               uint64_t to)
{
    struct copy_count *cc;

    if (vmn->copy_to) {
        cc = find_copy_count(ofs, vmn->copy_to);
        if (!--cc->n) {
            hmap_remove(&ofs->copy_counts, &cc->node);
            free(cc);
        }
        ofs->copies_freed = true;
    }
    if (to) {
        cc = find_copy_count(ofs, to);
        if (!cc) {
            cc = xzalloc(sizeof *cc);
            cc->ofs = to;
            hmap_insert(&ofs->copy_counts, &cc->node,
                        vmmob_hash_uint64(to, 0));
        }
        cc->n++;
    }
    vmn->copy_to = to;
}

static void
vmn_set_copy(struct handover *h, struct handover_ofs *ofs,
             struct handover_vmn *vmn, uint64_t to)
{
    if (vmn->copy_to != to) {
        vmn_count_copy(ofs, vmn, to);
        vmmob_handover_touch_vmn(h, &vmn->row.key, false);
    }
}

/* Returns the OFS that should get copies of what is for 'vmn', at 'ofs', if
 * the time for that is not over, or 0.  Of several, returns the one that gets
 * copies already. */
static uint64_t
find_copy_target(const struct handover *h, const struct handover_ofs *ofs,
                 const struct handover_vmn *vmn)
{
    const struct vmmob_entry *entry = vmmob_table_find(h->table,
                                                       &vmn->row.key);
    const struct vmmob_row *row;
    uint64_t to = 0;

    if (!entry || vmn->state != HANDOVER_ATTACHED || !ofs->settings.copy_ms) {
        return 0;
    }
    LIST_FOR_EACH (row, node, &entry->rows) {
        if (row->vmn.state == VMMOB_PREPARED && row->vmn.ofs != ofs->id) {
            if (row->vmn.ofs == vmn->copy_to) {
                return row->vmn.ofs;
            }
            to = to ? to : row->vmn.ofs;
        }
    }
    return to;
}

static const char *
get_site(const struct handover *h, uint64_t ofs)
{
    const struct vmmob_ofs *row = vmmob_table_find_ofs(h->table, ofs);

    return row && row->site[0] ? row->site : "-";
}

static struct handover_vmn *
first_copy(const struct ovs_list *list)
{
    return (ovs_list_is_empty(list) ? NULL
            : CONTAINER_OF(ovs_list_front(list), struct handover_vmn,
                           copying));
}
