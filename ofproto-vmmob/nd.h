/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_ND_H
#define VMMOB_ND_H 1

/* Neighbor discovery and MLD, that is, those ICMPv6 messages that are about
 * the link itself: of frame.[ch], the part that is for IPv6 only.
 *
 * What a guest or a router may not say is refused as RFC 4861, sections 6.1,
 * 7.1 and 8.1, and RFC 3810, section 6.2, ask for, and also what others might
 * understand in another way: a fragment (RFC 6980), or two link-layer
 * addresses.
 *
 * Pure; any thread. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "openvswitch/types.h"
#include "vmmob-addr.h"

struct dp_packet;
struct frame;

void vmmob_nd_parse(const struct dp_packet *, bool fragment, struct frame *);

struct dp_packet *vmmob_nd_compose_solicit(const struct eth_addr src,
                                           const struct eth_addr *dst,
                                           const struct in6_addr *spa,
                                           const struct in6_addr *target);
struct dp_packet *vmmob_nd_compose_advert(const struct eth_addr src,
                                          const struct in6_addr *target,
                                          const struct eth_addr *dst,
                                          const struct in6_addr *ip_dst);

struct dp_packet *vmmob_nd_compose_router_solicit(const struct eth_addr src);

/* A prefix in a router advertisement. */
struct vmmob_nd_prefix {
    struct vmmob_prefix prefix;
    bool on_link;               /* Hosts reach each other directly. */
    bool autonomous;            /* Hosts may make themselves addresses. */
    uint32_t valid;             /* For how long, in s; UINT32_MAX: for ever. */
    uint32_t preferred;         /* Likewise; at most 'valid'. */
};

/* What a router advertisement says. */
struct vmmob_nd_router {
    uint16_t lifetime;          /* As default router, in s; 0: is none. */
    uint32_t mtu;               /* 0: does not say. */
    uint8_t hop_limit;          /* 0: does not say. */
    const struct vmmob_nd_prefix *prefixes;
    size_t n_prefixes;
};

struct dp_packet *vmmob_nd_compose_router_advert(
    const struct vmmob_nd_router *, const struct eth_addr src,
    const struct in6_addr *ip_src, const struct eth_addr *dst,
    const struct in6_addr *ip_dst);

#endif /* ofproto-vmmob/nd.h */
