/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_WATCH_H
#define VMMOB_WATCH_H 1

/* Hands to moves.h, for those who watch, which moves were decided and how many
 * packets the rules had. */

#include "ovs-thread.h"
#include "vmmob-stats.h"

struct vmmob;

extern struct ovs_mutex vmmob_mutex;

void vmmob_watch_note_moves(struct vmmob *, const char *seen,
                            long long int start,
                            long long int queued) OVS_REQUIRES(vmmob_mutex);
void vmmob_watch_note_phase(struct vmmob *, enum vmmob_move_phase)
    OVS_REQUIRES(vmmob_mutex);
void vmmob_watch_end_moves(struct vmmob *, long long int now)
    OVS_REQUIRES(vmmob_mutex);

#endif /* ofproto-vmmob/watch.h */
