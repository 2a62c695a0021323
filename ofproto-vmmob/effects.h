/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_EFFECTS_H
#define VMMOB_EFFECTS_H 1

/* What was decided takes effect: rules, messages to the agent, announcements,
 * and then the datapath flows.  Nothing comes in here.
 *
 * Guarded by vmmob_mutex. */

#include <stdbool.h>

#include "ovs-thread.h"

struct vmmob;

extern struct ovs_mutex vmmob_mutex;

void vmmob_effects_apply(struct vmmob *,
                         bool refresh) OVS_REQUIRES(vmmob_mutex);
void vmmob_effects_apply_and_refresh(struct vmmob *, long long int now)
    OVS_REQUIRES(vmmob_mutex);

#endif /* ofproto-vmmob/effects.h */
