/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_FRAME_H
#define VMMOB_FRAME_H 1

/* Frames that the module reads and writes itself: ARP (RFC 826), RARP (RFC
 * 903), and ICMP errors (RFC 792), which carry the header of the packet that
 * they are about.
 *
 * Pure; any thread. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "openvswitch/types.h"

struct dp_packet;
struct flow;

enum frame_type {
    FRAME_ARP_REQUEST,
    FRAME_ARP_REPLY,
    FRAME_RARP,
    FRAME_IP,
    FRAME_ICMP_ERROR,           /* FRAME_IP, too. */
    FRAME_BAD,                  /* None of these, or one that lies. */
};

struct frame {
    enum frame_type type;
    struct eth_addr src;        /* Ethernet source. */
    struct eth_addr sha;        /* Sender's hardware address in an ARP, by
                                 * which its IP address is reached; otherwise
                                 * 'src'. */
    struct in6_addr ip_src;     /* Sender's protocol address in an ARP;
                                 * unspecified in a RARP. */
    struct in6_addr ip_dst;     /* Target's protocol address in an ARP;
                                 * unspecified in a RARP. */
    bool multicast;             /* To a multicast or broadcast MAC address? */
};

void vmmob_frame_parse(const struct flow *, struct frame *);

struct dp_packet *vmmob_frame_compose_arp_request(const struct eth_addr src,
                                                  const struct eth_addr *dst,
                                                  const struct in6_addr *spa,
                                                  const struct in6_addr *tpa);
struct dp_packet *vmmob_frame_compose_arp_reply(const struct eth_addr sha,
                                                const struct in6_addr *spa,
                                                const struct eth_addr tha,
                                                const struct in6_addr *tpa);
struct dp_packet *vmmob_frame_compose_arp_announcement(
    const struct eth_addr src, const struct in6_addr *);

struct dp_packet *vmmob_frame_compose_icmp_error(const struct dp_packet *,
                                                 uint8_t type, uint8_t code,
                                                 const struct eth_addr src,
                                                 const struct in6_addr *);

bool vmmob_frame_get_embedded(const struct dp_packet *,
                              struct in6_addr *ip_src,
                              struct in6_addr *ip_dst);
void vmmob_frame_set_embedded(struct dp_packet *,
                              const struct in6_addr *ip_src,
                              const struct in6_addr *ip_dst);

#endif /* ofproto-vmmob/frame.h */
