/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/effects.h"

#include "ofproto/ofproto-dpif.h"
#include "ofproto-vmmob/agent.h"
#include "ofproto-vmmob/bridge.h"
#include "ofproto-vmmob/handover.h"
#include "ofproto-vmmob/module.h"
#include "ofproto-vmmob/output.h"
#include "ofproto-vmmob/refresh.h"
#include "ofproto-vmmob/rules.h"
#include "ofproto-vmmob/vmmob.h"
#include "ofproto-vmmob/watch.h"
#include "packets.h"
#include "seq.h"
#include "timeval.h"
#include "util.h"
#include "vmmob-msg.h"
#include "vmmob-table.h"

/* When all affected datapath flows have been refreshed at once, the
 * revalidators need not look at all the others.  With many flows that would
 * take them seconds, and they would throw away flows that seem hardly used.
 * So they look only this much later, in ms, once for all that changed until
 * then, in case a flow took that long to be installed. */
#define REVALIDATE_MS (60 * 1000)

/* See vmmob_is_quiet(). */
DEFINE_STATIC_PER_THREAD_DATA(bool, quiet, false);

static void commit_rules(struct vmmob *, bool refresh)
    OVS_REQUIRES(vmmob_mutex);
static void wake_resolver(struct vmmob *, const struct handover_effects *)
    OVS_REQUIRES(vmmob_mutex);

/* Carries out what was decided.  If 'refresh' is true, then the caller makes
 * the datapath follow at once; see vmmob_effects_apply_and_refresh(). */
void
vmmob_effects_apply(struct vmmob *vmmob, bool refresh)
{
    if (vmmob_handover_has_moves(vmmob->handover)) {
        /* An operator's command caused them. */
        vmmob_watch_note_moves(vmmob, NULL, time_usec(), -1);
    }
    if (!vmmob_handover_has_effects(vmmob->handover)) {
        commit_rules(vmmob, refresh);
        return;
    }

    struct handover_effects effects;
    struct vmmob_bridge *b;
    struct vmmob_msg msg;

    vmmob_msg_init(&msg, VMMOB_MSG_UPDATE);
    vmmob_handover_take_effects(vmmob->handover, &effects, &msg);
    HMAP_FOR_EACH (b, node, &vmmob->bridges) {
        if (!b->enabled) {
            continue;
        }

        const struct rules_context ctx = vmmob_bridge_rules_context(b);

        for (size_t i = 0; i < effects.n_ofss; i++) {
            if (effects.ofss[i] == b->id) {
                vmmob_rules_update_base(b->rules, &ctx);
            } else {
                vmmob_rules_update_ofs(b->rules, &ctx, effects.ofss[i]);
            }
        }
        vmmob_rules_update_vmns(b->rules, &ctx, effects.vmns, effects.n_vmns);
    }
    /* The others need a moment to act on the news, so the rules are there in
     * time. */
    commit_rules(vmmob, refresh);
    vmmob_watch_note_phase(vmmob, VMMOB_MOVE_RULES);
    if (vmmob_agent_send(vmmob->agent, &msg)) {
        vmmob_watch_note_phase(vmmob, VMMOB_MOVE_PUBLISHED);
    }
    HMAP_FOR_EACH (b, node, &vmmob->bridges) {
        for (size_t i = 0; b->enabled && i < effects.n_announcements; i++) {
            const struct handover_announcement *a = &effects.announcements[i];

            const struct vmmob_key key = {
                .tenant = a->network, .mac = a->mac,
            };

            if (a->ofs != b->id) {
                continue;
            } else if (a->ask) {
                vmmob_ask_vmn(b, &key, &a->addr, a->port);
            } else if (a->port == OFPP_NONE) {
                vmmob_announce(b, &a->addr, a->fresh);
            } else {
                vmmob_announce_leave(b, &a->addr, &key, a->port);
            }
        }
    }
    vmmob_watch_note_phase(vmmob, VMMOB_MOVE_ANNOUNCED);
    wake_resolver(vmmob, &effects);
    vmmob_msg_uninit(&msg);
    vmmob_handover_effects_uninit(&effects);
}

/* Carries out what was decided, and makes the datapath follow at once.  The
 * module's thread only. */
void
vmmob_effects_apply_and_refresh(struct vmmob *vmmob, long long int now)
{
    struct vmmob_bridge *b;
    bool complete = true;

    vmmob_effects_apply(vmmob, true);
    HMAP_FOR_EACH (b, node, &vmmob->bridges) {
        struct in6_addr *addrs;
        size_t n = b->enabled ? vmmob_rules_take_changed(b->rules, &addrs) : 0;

        if (n) {
            complete &= vmmob_refresh_bridge(&vmmob->refreshes, b, addrs, n,
                                             now);
        }
    }
    if (complete) {
        vmmob_watch_note_phase(vmmob, VMMOB_MOVE_FLOWS);
    }
}

/* Returns true if this thread is changing flow tables in a way that does not
 * need the revalidators to look at all datapath flows. */
bool
vmmob_is_quiet(void)
{
    return *quiet_get();
}

/* Makes the changes to the flow tables that are necessary. */
static void
commit_rules(struct vmmob *vmmob, bool refresh)
    OVS_REQUIRES(vmmob_mutex)
{
    struct vmmob_bridge *b;

    HMAP_FOR_EACH (b, node, &vmmob->bridges) {
        if (!b->enabled) {
            continue;
        }

        bool is_quiet = refresh && vmmob_rules_are_narrow(b->rules);

        *quiet_get() = is_quiet;
        if (vmmob_rules_commit(b->rules)) {
            if (is_quiet) {
                b->next_revalidation = MIN(b->next_revalidation,
                                           time_msec() + REVALIDATE_MS);
            } else {
                /* The main thread tells the revalidators. */
                seq_change(b->ofproto->ams_seq);
            }
        }
        *quiet_get() = false;
    }
}

static void
wake_addrs(struct resolver *resolver, const struct vmmob_vmn *row)
{
    for (size_t i = 0; i < row->n_pairs; i++) {
        vmmob_resolver_wake(resolver, &row->pairs[i].hoa);
        if (ipv6_addr_is_set(&row->pairs[i].moa)) {
            vmmob_resolver_wake(resolver, &row->pairs[i].moa);
        }
    }
}

/* Wakes up the packets that wait for what is in 'effects'. */
static void
wake_resolver(struct vmmob *vmmob, const struct handover_effects *effects)
{
    struct resolver *resolver = &vmmob->resolver;

    if (ovs_list_is_empty(&resolver->waits)) {
        return;
    }
    if (effects->n_ofss) {
        /* The next hop to anywhere, or whose addresses those of a pool are. */
        vmmob_resolver_wake_all(resolver);
        return;
    }
    for (size_t i = 0; i < effects->n_vmns; i++) {
        const struct vmmob_entry *entry
            = vmmob_table_find(vmmob->table, &effects->vmns[i]);
        const struct vmmob_row *row;

        if (!entry) {
            /* Its addresses, which are not known any more, may be those of
             * others now. */
            vmmob_resolver_wake_all(resolver);
            return;
        }
        LIST_FOR_EACH (row, node, &entry->rows) {
            wake_addrs(resolver, &row->vmn);
        }
    }
}
