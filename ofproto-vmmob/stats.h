/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_SWITCH_STATS_H
#define VMMOB_SWITCH_STATS_H 1

/* Gathers what the switch counts, as lib/vmmob-stats.h names it. */

#include <stddef.h>

#include "ofproto-vmmob/handover.h"
#include "ovs-thread.h"

struct vmmob;
struct vmmob_stats;

extern struct ovs_mutex vmmob_mutex;

void vmmob_get_stats(const struct vmmob *, struct vmmob_stats *)
    OVS_REQUIRES(vmmob_mutex);

/* How many VMNs of an OFS are in which state. */
struct vmmob_vmn_counts {
    size_t by_state[HANDOVER_PREPARED + 1];
    size_t needy;               /* Those that lack a MoA. */
};

struct vmmob_vmn_counts vmmob_count_vmns(const struct handover_ofs *);

#endif /* ofproto-vmmob/stats.h */
