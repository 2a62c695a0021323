/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_HANDOVER_ASK_H
#define VMMOB_HANDOVER_ASK_H 1

/* Asking VMNs that may have come
 * ==============================
 *
 * A VMN may say nothing after it has moved.  So, as long as it seems to be
 * elsewhere, it is asked at a seat
 *
 *   - if it is prepared for there: as often as HANDOVER_ASK_* say, until it
 *     answers or is expected no more;
 *
 *   - if another VMN has been heard at that port, a few times: all VMNs of a
 *     VM move together.
 *
 * While the VM is not there yet, its port keeps a question for it, or drops
 * it.  Nobody else hears it.  An answer is a packet from the VMN like any
 * other. */

#include "handover-seat.h"

/* In ms: the time to the next question doubles each time. */
#define HANDOVER_ASK_FIRST_MS 1000
#define HANDOVER_ASK_MOST_MS 10000

/* How often a VMN is asked that is not prepared for. */
#define HANDOVER_ASK_OTHERS 6

void vmmob_handover_ask_seats(struct handover *, struct handover_ofs *,
                              const struct vmmob_key *, long long int now);
void vmmob_handover_ask_others(struct handover *, const struct handover_ofs *,
                               const struct vmmob_key *, ofp_port_t);
void vmmob_handover_run_asks(struct handover *, struct handover_ofs *,
                             long long int now);

#endif /* ofproto-vmmob/handover-ask.h */
