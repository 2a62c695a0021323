/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_ICMP6_H
#define VMMOB_ICMP6_H 1

/* ICMPv6 errors (RFC 4443): of frame.[ch], the part that is for IPv6 only.
 *
 * Pure; any thread. */

#include <stdbool.h>
#include <stdint.h>

#include "openvswitch/types.h"

struct dp_packet;
struct in6_addr;

bool vmmob_icmp6_is_error(const struct dp_packet *);
struct dp_packet *vmmob_icmp6_compose_error(const struct dp_packet *,
                                            uint8_t type, uint8_t code,
                                            uint32_t mtu,
                                            const struct eth_addr src,
                                            const struct in6_addr *);
bool vmmob_icmp6_get_embedded(const struct dp_packet *,
                              struct in6_addr *ip_src,
                              struct in6_addr *ip_dst);
void vmmob_icmp6_set_embedded(struct dp_packet *,
                              const struct in6_addr *ip_src,
                              const struct in6_addr *ip_dst);

#endif /* ofproto-vmmob/icmp6.h */
