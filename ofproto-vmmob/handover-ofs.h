/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_HANDOVER_OFS_H
#define VMMOB_HANDOVER_OFS_H 1

/* The OFSs of a switch: how they are configured, started, renamed and removed,
 * and how their VMNs get addresses of their pools. */

#include "handover-state.h"

void vmmob_handover_ofs_fill(struct handover *, struct handover_ofs *);
void vmmob_handover_ofs_stop_waiting(struct handover *, struct handover_ofs *,
                                     long long int now);
void vmmob_handover_ofs_stop_being_blind(struct handover *,
                                         struct handover_ofs *);
void vmmob_handover_ofs_restore(struct handover *, struct handover_ofs *,
                                const struct vmmob_vmn *, long long int now);
void vmmob_handover_ofs_give_way(struct handover *, struct handover_ofs *,
                                 const struct vmmob_ofs *);

#endif /* ofproto-vmmob/handover-ofs.h */
