/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_HANDOVER_USE_H
#define VMMOB_HANDOVER_USE_H 1

/* When VMNs last used their home addresses
 * ========================================
 *
 * This is noted for VMNs that are attached and have more than one.  What they
 * say so that the module sees it is noted as it comes.  Packets for which
 * there are rules it does not see: so whoever knows what the rules count must
 * tell that, for each VMN when its turn has come; see
 * vmmob_handover_next_look() in handover.h.
 *
 * That a VMN comes, or comes to another port, is a use of all of them. */

#include "handover-state.h"

void vmmob_handover_watch_uses(struct handover_ofs *, struct handover_vmn *);
void vmmob_handover_stop_watching(struct handover_ofs *,
                                  struct handover_vmn *);
void vmmob_handover_update_uses(struct handover_vmn *, long long int now);
void vmmob_handover_look_at(struct handover_ofs *, struct handover_vmn *,
                            long long int when);

#endif /* ofproto-vmmob/handover-use.h */
