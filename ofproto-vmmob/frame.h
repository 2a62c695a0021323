/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_FRAME_H
#define VMMOB_FRAME_H 1

/* Frames that the module reads and writes itself: ARP (RFC 826), RARP (RFC
 * 903), neighbor discovery (RFC 4861), MLD (RFC 2710, RFC 3810), and ICMP
 * errors (RFC 792, RFC 4443), which carry the header of the packet that they
 * are about.
 *
 * ARP and neighbor discovery are two forms of one thing, a question and an
 * answer, and are not told apart here:
 *
 *                 ARP                       Neighbor discovery
 *     'type'      request      reply        solicitation  advertisement
 *     'ip_src'    sender       sender       source        target
 *     'ip_dst'    target       target       target        destination, or if
 *                                                         unsolicited, target
 *     'sha'       sender hardware address   link-layer address option, or
 *                                           source MAC if there is none
 *
 * So whoever sends one of them says that it has 'ip_src' and is reached there
 * by 'sha'; 'ip_src' is unspecified if it wants to know whether somebody else
 * has 'ip_dst' before it takes that (RFC 5227, RFC 4862); and the two are the
 * same if it tells everybody.
 *
 * Pure; any thread. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "openvswitch/types.h"
#include "vmmob-addr.h"

struct dp_packet;

enum frame_type {
    FRAME_QUESTION,             /* Who has 'ip_dst'? */
    FRAME_ANSWER,               /* 'ip_src' is at 'sha'. */
    FRAME_RARP,
    FRAME_ROUTER_SOLICIT,       /* RFC 4861. */
    FRAME_ROUTER_ADVERT,        /* RFC 4861. */
    FRAME_REDIRECT,             /* RFC 4861. */
    FRAME_MLD,                  /* Query, report, or done. */
    FRAME_IP,                   /* None of those above and below. */
    FRAME_ICMP_ERROR,           /* FRAME_IP, too. */
    FRAME_BAD,                  /* None of these, or malformed. */
};

struct frame {
    enum frame_type type;
    enum vmmob_family family;   /* Of RARP, IPv4. */
    struct eth_addr src;        /* Ethernet source. */
    struct eth_addr sha;        /* By which 'ip_src' is reached: see above; in
                                 * router solicitations and advertisements as
                                 * in neighbor solicitations; otherwise
                                 * 'src'. */
    struct in6_addr ip_src;     /* See above; otherwise the source;
                                 * unspecified in a RARP. */
    struct in6_addr ip_dst;     /* See above; otherwise the destination;
                                 * unspecified in a RARP. */
    struct in6_addr ip_from;    /* Source in the IP header: another address of
                                 * the sender in some neighbor advertisements,
                                 * otherwise 'ip_src'. */
    uint8_t ttl;                /* Or hop limit, of IP. */
    bool multicast;             /* To a multicast or broadcast MAC address? */
    bool solicited;             /* A FRAME_ANSWER that says that it answers a
                                 * question of its destination. */
    bool override;              /* A FRAME_ANSWER that is to replace what was
                                 * known: all of ARP, some of IPv6. */
    bool dhcp;                  /* A FRAME_IP of who wants an address by
                                 * DHCP. */
    bool router;                /* An IPv6 FRAME_ANSWER of a router, or a
                                 * FRAME_ROUTER_ADVERT. */
    uint16_t router_lifetime;   /* In a FRAME_ROUTER_ADVERT, in s. */
};

void vmmob_frame_parse(struct dp_packet *, struct frame *);

struct dp_packet *vmmob_frame_compose_question(const struct eth_addr src,
                                               const struct eth_addr *dst,
                                               const struct in6_addr *spa,
                                               const struct in6_addr *tpa);
struct dp_packet *vmmob_frame_compose_answer(const struct eth_addr sha,
                                             const struct in6_addr *spa,
                                             const struct eth_addr tha,
                                             const struct in6_addr *tpa);
struct dp_packet *vmmob_frame_compose_announcement(const struct eth_addr src,
                                                   const struct in6_addr *);

/* What an ICMP error says. */
enum frame_error {
    FRAME_ERROR_NO_ROUTE,       /* To the destination's network. */
    FRAME_ERROR_NO_HOST,        /* Nobody has that address. */
    FRAME_ERROR_PROHIBITED,     /* By the administrator. */
    FRAME_ERROR_TOO_BIG,        /* For the MTU. */
    FRAME_ERROR_TIME_EXCEEDED,  /* TTL or hop limit. */
};

struct dp_packet *vmmob_frame_compose_icmp_error(const struct dp_packet *,
                                                 enum frame_error,
                                                 uint16_t mtu,
                                                 const struct eth_addr src,
                                                 const struct in6_addr *);

bool vmmob_frame_get_embedded(const struct dp_packet *,
                              struct in6_addr *ip_src,
                              struct in6_addr *ip_dst);
void vmmob_frame_set_embedded(struct dp_packet *,
                              const struct in6_addr *ip_src,
                              const struct in6_addr *ip_dst);
void vmmob_frame_undo_ttl(struct dp_packet *);
void vmmob_frame_set_addresses(struct dp_packet *,
                               const struct in6_addr *ip_src,
                               const struct in6_addr *ip_dst);

#endif /* ofproto-vmmob/frame.h */
