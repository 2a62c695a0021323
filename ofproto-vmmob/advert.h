/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_ADVERT_H
#define VMMOB_ADVERT_H 1

/* Router advertisements
 * =====================
 *
 * What VMs are told of their IPv6 router (RFC 4861, 6.2), which is the same at
 * every bridge, so that a VM that moves needs not be told anew: whoever asks
 * is answered at once, all others are told from time to time.
 *
 * If the IPv6 home subnet changes or goes by configuration, VMs are told that
 * it is gone; but not when the switch or the bridge goes, which may come back.
 *
 * Each VM port is a link of its own: what goes to everybody goes to everybody
 * there.
 *
 * Guarded by vmmob_mutex.  Times are in ms. */

#include "openvswitch/types.h"
#include "ovs-thread.h"

struct in6_addr;
struct vmmob_bridge;
struct vmmob_settings;
struct vmmob_prefix;
struct vmmob_vm_port;

extern struct ovs_mutex vmmob_mutex;

void vmmob_advert_start(struct vmmob_bridge *,
                        const struct vmmob_settings *old, long long int now)
    OVS_REQUIRES(vmmob_mutex);
void vmmob_advert_end(struct vmmob_bridge *) OVS_REQUIRES(vmmob_mutex);
void vmmob_advert_answer(struct vmmob_bridge *, struct vmmob_vm_port *,
                         uint32_t network, const struct eth_addr mac,
                         const struct in6_addr *, long long int now)
    OVS_REQUIRES(vmmob_mutex);
void vmmob_advert_run(struct vmmob_bridge *, long long int now)
    OVS_REQUIRES(vmmob_mutex);
long long int vmmob_advert_next_event(const struct vmmob_bridge *)
    OVS_REQUIRES(vmmob_mutex);

#endif /* ofproto-vmmob/advert.h */
