/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_PACKET_H
#define VMMOB_PACKET_H 1

/* What becomes of a packet that was punted.  What it says of VMNs goes to
 * handover.h, and the packet is answered, sent on its way again, kept until
 * more is known, or dropped.
 *
 * Guarded by vmmob_mutex. */

#include "ovs-thread.h"

struct punted;
struct vmmob;

extern struct ovs_mutex vmmob_mutex;

void vmmob_packet_process(struct vmmob *, struct punted *, long long int turn)
    OVS_REQUIRES(vmmob_mutex);
void vmmob_packet_expire(struct vmmob *, long long int now)
    OVS_REQUIRES(vmmob_mutex);

#endif /* ofproto-vmmob/packet.h */
