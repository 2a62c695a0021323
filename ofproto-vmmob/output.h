/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_OUTPUT_H
#define VMMOB_OUTPUT_H 1

/* Packets that the module sends: its own, and those that it sends on their
 * way again.
 *
 * Guarded by vmmob_mutex.  Packets are freed. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "openvswitch/ofp-port.h"
#include "openvswitch/types.h"
#include "ovs-thread.h"

struct dp_packet;
struct in6_addr;
struct ovs_list;
struct punted;
struct vmmob_bridge;
struct vmmob_key;

extern struct ovs_mutex vmmob_mutex;

void vmmob_output_uplink(struct vmmob_bridge *, struct dp_packet *)
    OVS_REQUIRES(vmmob_mutex);
void vmmob_output_vms(struct vmmob_bridge *, struct dp_packet *,
                      uint32_t network, const ofp_port_t *, size_t n)
    OVS_REQUIRES(vmmob_mutex);
void vmmob_announce(struct vmmob_bridge *, const struct in6_addr *moa,
                    bool fresh) OVS_REQUIRES(vmmob_mutex);
void vmmob_announce_leave(struct vmmob_bridge *, const struct in6_addr *hoa,
                          const struct vmmob_key *, ofp_port_t)
    OVS_REQUIRES(vmmob_mutex);
void vmmob_ask(struct vmmob_bridge *, uint32_t network,
               const struct in6_addr *hoa,
               const struct eth_addr sha, const struct in6_addr *spa,
               ofp_port_t except) OVS_REQUIRES(vmmob_mutex);
size_t vmmob_ask_vmn(struct vmmob_bridge *, const struct vmmob_key *,
                     const struct in6_addr *hoa, ofp_port_t)
    OVS_REQUIRES(vmmob_mutex);
void vmmob_ask_lost(struct vmmob_bridge *, long long int now)
    OVS_REQUIRES(vmmob_mutex);

bool vmmob_resume(struct ovs_list *resumed, struct vmmob_bridge *,
                  struct punted *, uint8_t table_id, ofp_port_t)
    OVS_REQUIRES(vmmob_mutex);
void vmmob_output_resumed(struct ovs_list *resumed)
    OVS_REQUIRES(vmmob_mutex);

#endif /* ofproto-vmmob/output.h */
