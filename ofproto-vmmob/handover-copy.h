/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_HANDOVER_COPY_H
#define VMMOB_HANDOVER_COPY_H 1

/* Copies of packets for a VMN, sent to where it is expected: to which OFS, how
 * long, and for how many VMNs. */

#include "handover-state.h"

void vmmob_handover_vmn_end_copies(struct handover_ofs *,
                                   struct handover_vmn *);
void vmmob_handover_vmn_copy(struct handover *, struct handover_ofs *,
                             struct handover_vmn *, long long int now);
void vmmob_handover_ofs_run_copies(struct handover *, struct handover_ofs *,
                                   long long int now);
long long int vmmob_handover_next_copy_event(const struct handover_ofs *);

#endif /* ofproto-vmmob/handover-copy.h */
