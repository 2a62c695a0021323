/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/stats.h"

#include "ofproto-vmmob/bridge.h"
#include "ofproto-vmmob/bridge-list.h"
#include "ofproto-vmmob/fairq.h"
#include "ofproto-vmmob/handover.h"
#include "ofproto-vmmob/module.h"
#include "ofproto-vmmob/pool.h"
#include "ofproto-vmmob/problems.h"
#include "ofproto-vmmob/punt.h"
#include "packets.h"
#include "simap.h"
#include "util.h"
#include "vmmob-problems.h"
#include "vmmob-stats.h"

static void bridge_get_stats(const struct vmmob *, const struct vmmob_bridge *,
                             uint64_t *values) OVS_REQUIRES(vmmob_mutex);

/* Puts what is counted into 's'. */
void
vmmob_get_stats(const struct vmmob *vmmob, struct vmmob_stats *s)
{
    const struct vmmob_bridge **bridges = vmmob_sort_bridges(vmmob);
    const struct moves *moves = &vmmob->moves;
    struct vmmob_problems problems;

    s->values[VMMOB_STAT_APPEARED] = moves->n_by_kind[HANDOVER_APPEARED];
    s->values[VMMOB_STAT_CAME] = moves->n_by_kind[HANDOVER_CAME];
    s->values[VMMOB_STAT_WENT] = moves->n_by_kind[HANDOVER_WENT];
    s->values[VMMOB_STAT_PASSED] = moves->n_by_kind[HANDOVER_PASSED];
    s->values[VMMOB_STAT_REDIRECTED] = moves->n_redirected;
    BUILD_ASSERT_DECL(sizeof s->phases == sizeof moves->phases);
    memcpy(s->phases, moves->phases, sizeof s->phases);
    s->values[VMMOB_STAT_QUEUED] = vmmob_punt_n_queued();
    s->values[VMMOB_STAT_HELD] = vmmob->resolver.n;
    s->values[VMMOB_STAT_KEPT] = vmmob->copies.n_packets;

    for (size_t i = 0; i < hmap_count(&vmmob->bridges); i++) {
        bridge_get_stats(vmmob, bridges[i],
                         vmmob_stats_add_bridge(s, bridges[i]->name)->values);
    }
    free(bridges);

    vmmob_problems_init(&problems);
    vmmob_find_problems(vmmob, &problems);
    for (size_t i = 0; i < VMMOB_N_SWITCH_PROBLEMS; i++) {
        simap_put(&s->problems, vmmob_problem_kind_to_string(i),
                  problems.n_by_kind[i]);
    }
    vmmob_problems_destroy(&problems);
    vmmob_stats_add_counters(s, "vmmob_");
}

/* Counts the VMNs of 'ofs'. */
struct vmmob_vmn_counts
vmmob_count_vmns(const struct handover_ofs *ofs)
{
    const struct handover_vmn *vmn;
    struct vmmob_vmn_counts counts;

    memset(&counts, 0, sizeof counts);
    HMAP_FOR_EACH (vmn, node, &ofs->vmns) {
        counts.by_state[vmn->state]++;
        counts.needy += !ovs_list_is_empty(&vmn->needy);
    }
    return counts;
}

static void
bridge_get_stats(const struct vmmob *vmmob, const struct vmmob_bridge *b,
                 uint64_t *v)
    OVS_REQUIRES(vmmob_mutex)
{
    v[VMMOB_STAT_ENABLED] = b->enabled;
    if (!b->enabled) {
        return;
    }

    const struct handover_ofs *ofs = vmmob_handover_find_ofs(vmmob->handover,
                                                             b->id);
    struct vmmob_vmn_counts counts = vmmob_count_vmns(ofs);
    const struct vmmob_vm_port *port;
    const struct damping_record *r;

    v[VMMOB_STAT_ATTACHED] = counts.by_state[HANDOVER_ATTACHED];
    v[VMMOB_STAT_DETACHED] = counts.by_state[HANDOVER_DETACHED];
    v[VMMOB_STAT_LEFT] = counts.by_state[HANDOVER_LEFT];
    v[VMMOB_STAT_PREPARED] = counts.by_state[HANDOVER_PREPARED];
    v[VMMOB_STAT_FROZEN] = 0;
    LIST_FOR_EACH (r, expiry.node, &ofs->damping.by_expiry) {
        v[VMMOB_STAT_FROZEN] += r->frozen;
    }
    v[VMMOB_STAT_ACTIVE] = hmap_count(&ofs->active);
    v[VMMOB_STAT_CONFLICTS] = ofs->n_conflicts;

    BUILD_ASSERT(VMMOB_STAT_WITHOUT_MOA_IPV6 - VMMOB_STAT_WITHOUT_MOA == 1);
    BUILD_ASSERT(VMMOB_STAT_GATEWAY_IPV6 - VMMOB_STAT_GATEWAY == 1);
    BUILD_ASSERT(VMMOB_STAT_POOL_FREE_IPV6 - VMMOB_STAT_POOL_TAKEN
                 == 3 * VMMOB_N_FAMILIES - 1);
    for (enum vmmob_family f = 0; f < VMMOB_N_FAMILIES; f++) {
        size_t taken = vmmob_pool_n_taken(ofs->pool, f);
        size_t quarantined = vmmob_pool_n_quarantined(ofs->pool, f);
        size_t size = vmmob_pool_size(ofs->pool, f);

        if (vmmob_settings_has_pool(&ofs->settings, f)) {
            uint64_t *pool = &v[VMMOB_STAT_POOL_TAKEN + 3 * f];

            pool[0] = taken;
            pool[1] = quarantined;
            pool[2] = size - MIN(size, taken + quarantined);
            v[VMMOB_STAT_WITHOUT_MOA + f] = vmmob_handover_count_needy(ofs, f);
        }
        if (b->gateways[f].used) {
            v[VMMOB_STAT_GATEWAY + f] = !eth_addr_is_zero(b->gateways[f].mac);
        }
    }
    v[VMMOB_STAT_RULES] = vmmob_rules_count(b->rules);

    v[VMMOB_STAT_PUNTED] = b->n_punted;
    v[VMMOB_STAT_BAD] = b->n_bad;
    v[VMMOB_STAT_ANSWERED] = b->n_answered;
    v[VMMOB_STAT_UNRESOLVED] = b->n_unresolved;
    v[VMMOB_STAT_STRAY] = vmmob_rules_count_stray(b->rules);
    BUILD_ASSERT(VMMOB_STAT_IGNORED_COPY - VMMOB_STAT_IGNORED_VM
                 == PUNT_COPY - PUNT_VM);
    for (enum punt_kind kind = 0; kind < PUNT_N_KINDS; kind++) {
        v[VMMOB_STAT_IGNORED_VM + kind] = vmmob_bridge_count_ignored(b, kind);
    }
    v[VMMOB_STAT_FORGED] = (b->past_forged
                            + vmmob_rules_count_forged(b->rules, b->uplink));
    v[VMMOB_STAT_BLOCKED] = b->past_blocked;
    v[VMMOB_STAT_REFUSED] = b->past_refused;
    v[VMMOB_STAT_PORTS] = hmap_count(&b->vm_ports);
    v[VMMOB_STAT_OPEN_PORTS] = v[VMMOB_STAT_BLOCKED_PORTS] = 0;
    HMAP_FOR_EACH (port, node, &b->vm_ports) {
        const struct vmmob_port *row
            = vmmob_handover_find_port_row(vmmob->handover, port->name);
        struct fairq_stats punts;

        v[VMMOB_STAT_FORGED] += vmmob_count_forged(b, port);
        v[VMMOB_STAT_BLOCKED] += vmmob_count_blocked(b, port);
        v[VMMOB_STAT_REFUSED] += port->n_refused;
        vmmob_get_punt_stats(b, port->number, PUNT_VM, &punts);
        v[VMMOB_STAT_IGNORED_VM] += punts.n_limited + punts.n_overflow;
        v[VMMOB_STAT_OPEN_PORTS] += !row || (!row->any && !row->n_macs);
        v[VMMOB_STAT_BLOCKED_PORTS] += port->blocked;
    }
}
