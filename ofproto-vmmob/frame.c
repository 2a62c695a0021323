/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/frame.h"

#include <netinet/icmp6.h>
#include <netinet/ip6.h>

#include "csum.h"
#include "dhcp.h"
#include "dp-packet.h"
#include "flow.h"
#include "ofproto-vmmob/icmp6.h"
#include "ofproto-vmmob/nd.h"
#include "packets.h"
#include "unaligned.h"

/* "Communication administratively prohibited" (RFC 1812, 5.2.7.1). */
#define ICMP4_PROHIBITED 13

/* Types and codes of ICMP errors. */
static const struct {
    uint8_t type, code;
} errors[][VMMOB_N_FAMILIES] = {
    [FRAME_ERROR_NO_ROUTE] = {
        { ICMP4_DST_UNREACH, 0 },
        { ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_NOROUTE },
    },
    [FRAME_ERROR_NO_HOST] = {
        { ICMP4_DST_UNREACH, 1 },
        { ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_ADDR },
    },
    [FRAME_ERROR_PROHIBITED] = {
        { ICMP4_DST_UNREACH, ICMP4_PROHIBITED },
        { ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_ADMIN },
    },
    [FRAME_ERROR_TOO_BIG] = {
        { ICMP4_DST_UNREACH, 4 },
        { ICMP6_PACKET_TOO_BIG, 0 },
    },
    [FRAME_ERROR_TIME_EXCEEDED] = {
        { ICMP4_TIME_EXCEEDED, 0 },
        { ICMP6_TIME_EXCEEDED, ICMP6_TIME_EXCEED_TRANSIT },
    },
};

static void parse_ipv4(const struct flow *, struct frame *);
static void parse_ipv6(const struct dp_packet *, const struct flow *,
                       struct frame *);
static void parse_arp(const struct flow *, struct frame *);
static void set_ipv4_addresses(const struct flow *, struct frame *);
static bool is_ipv6(const struct dp_packet *);
static struct dp_packet *compose_icmp_error(const struct dp_packet *,
                                            uint8_t type, uint8_t code,
                                            uint16_t mtu,
                                            const struct eth_addr src,
                                            const struct in6_addr *);
static struct ip_header *find_embedded(const struct dp_packet *);
static ovs_be16 *find_embedded_csum(const struct dp_packet *,
                                    const struct ip_header *);

/* Parses 'packet', an Ethernet frame, whose layers it finds, into
 * '*frame'. */
void
vmmob_frame_parse(struct dp_packet *packet, struct frame *frame)
{
    struct flow flow;

    flow_extract(packet, &flow);
    *frame = (struct frame) {
        .type = FRAME_BAD,
        .src = flow.dl_src,
        .sha = flow.dl_src,
        .multicast = eth_addr_is_multicast(flow.dl_dst),
        .ttl = flow.nw_ttl,
    };
    if (eth_addr_is_multicast(flow.dl_src)
        || eth_addr_is_zero(flow.dl_src)
        || flow.vlans[0].tci & htons(VLAN_CFI)) {
        return;
    }

    if (flow.dl_type == htons(ETH_TYPE_IP)) {
        parse_ipv4(&flow, frame);
    } else if (flow.dl_type == htons(ETH_TYPE_IPV6)) {
        parse_ipv6(packet, &flow, frame);
    } else if (flow.dl_type == htons(ETH_TYPE_ARP)) {
        parse_arp(&flow, frame);
    } else if (flow.dl_type == htons(ETH_TYPE_RARP)) {
        /* QEMU's announcement: "reverse request", op 3, for its own MAC. */
        if (eth_addr_equals(flow.arp_sha, flow.dl_src)
            && flow.nw_proto == ARP_OP_RARP) {
            frame->type = FRAME_RARP;
        }
    }
}

/* Returns a question for 'tpa', an ARP request or a neighbor solicitation, to
 * '*dst', or to everybody if 'dst' is NULL.  Unspecified, 'spa' makes it an
 * ARP probe (RFC 5227); what asks for an IPv6 address always has a source, if
 * need be a link-local one. */
struct dp_packet *
vmmob_frame_compose_question(const struct eth_addr src,
                             const struct eth_addr *dst,
                             const struct in6_addr *spa,
                             const struct in6_addr *tpa)
{
    if (vmmob_addr_family(tpa) == VMMOB_IPV6) {
        return vmmob_nd_compose_solicit(src, dst, spa, tpa);
    }

    struct dp_packet *packet = dp_packet_new(0);

    compose_arp(packet, ARP_OP_REQUEST, src, dst ? *dst : eth_addr_zero, !dst,
                ipv6_addr_is_set(spa) ? in6_addr_get_mapped_ipv4(spa) : 0,
                in6_addr_get_mapped_ipv4(tpa));
    return packet;
}

/* Returns an answer, an ARP reply or a neighbor advertisement, that tells
 * 'tpa', which is at 'tha', that 'spa' is at 'sha'.  'tpa' is unspecified if
 * who asked has no address yet. */
struct dp_packet *
vmmob_frame_compose_answer(const struct eth_addr sha,
                           const struct in6_addr *spa,
                           const struct eth_addr tha,
                           const struct in6_addr *tpa)
{
    if (vmmob_addr_family(spa) == VMMOB_IPV6) {
        return vmmob_nd_compose_advert(sha, spa, &tha, tpa);
    }

    struct dp_packet *packet = dp_packet_new(0);

    compose_arp(packet, ARP_OP_REPLY, sha, tha, false,
                in6_addr_get_mapped_ipv4(spa),
                ipv6_addr_is_set(tpa) ? in6_addr_get_mapped_ipv4(tpa) : 0);
    return packet;
}

/* Returns an announcement to everybody (an ARP announcement, RFC 5227, or an
 * unsolicited neighbor advertisement) that 'addr' is at 'src'. */
struct dp_packet *
vmmob_frame_compose_announcement(const struct eth_addr src,
                                 const struct in6_addr *addr)
{
    return (vmmob_addr_family(addr) == VMMOB_IPV6
            ? vmmob_nd_compose_advert(src, addr, NULL, NULL)
            : vmmob_frame_compose_question(src, NULL, addr, addr));
}

/* Returns an ICMP error about 'packet', an IPv4 or IPv6 packet, to who sent
 * it, from 'src' and 'ip_src', which is of the same family.  'mtu' is for
 * FRAME_ERROR_TOO_BIG.  Returns NULL if there must be none: about another
 * error, a later fragment, or what was not from one host and for one (RFC
 * 1122, 3.2.2; RFC 4443, 2.4). */
struct dp_packet *
vmmob_frame_compose_icmp_error(const struct dp_packet *packet,
                               enum frame_error error, uint16_t mtu,
                               const struct eth_addr src,
                               const struct in6_addr *ip_src)
{
    enum vmmob_family family = is_ipv6(packet) ? VMMOB_IPV6 : VMMOB_IPV4;
    uint8_t type = errors[error][family].type;
    uint8_t code = errors[error][family].code;

    if (error != FRAME_ERROR_TOO_BIG) {
        mtu = 0;
    }
    return (family == VMMOB_IPV6
            ? vmmob_icmp6_compose_error(packet, type, code, mtu, src, ip_src)
            : compose_icmp_error(packet, type, code, mtu, src, ip_src));
}

/* Gets the addresses of the packet that 'packet', a FRAME_ICMP_ERROR, is
 * about.  Returns false if there is no IP header of the same family inside. */
bool
vmmob_frame_get_embedded(const struct dp_packet *packet,
                         struct in6_addr *ip_src, struct in6_addr *ip_dst)
{
    if (is_ipv6(packet)) {
        return vmmob_icmp6_get_embedded(packet, ip_src, ip_dst);
    }

    const struct ip_header *inner = find_embedded(packet);
    if (inner) {
        in6_addr_set_mapped_ipv4(ip_src, get_16aligned_be32(&inner->ip_src));
        in6_addr_set_mapped_ipv4(ip_dst, get_16aligned_be32(&inner->ip_dst));
    }
    return inner != NULL;
}

/* Sets those addresses.  The checksums of the packet inside become those of a
 * packet with these addresses: that of IP, and that of TCP or UDP as far as it
 * is quoted.  ICMP's own checksum stays right.  (In IPv6 they need not
 * change.) */
void
vmmob_frame_set_embedded(struct dp_packet *packet,
                         const struct in6_addr *ip_src,
                         const struct in6_addr *ip_dst)
{
    if (is_ipv6(packet)) {
        vmmob_icmp6_set_embedded(packet, ip_src, ip_dst);
        return;
    }

    struct ip_header *inner = find_embedded(packet);
    struct icmp_header *icmp = dp_packet_l4(packet);
    ovs_be32 src = in6_addr_get_mapped_ipv4(ip_src);
    ovs_be32 dst = in6_addr_get_mapped_ipv4(ip_dst);
    ovs_be32 old_src, old_dst;
    ovs_be16 old_csum;

    if (!inner) {
        return;
    }

    old_src = get_16aligned_be32(&inner->ip_src);
    old_dst = get_16aligned_be32(&inner->ip_dst);
    old_csum = inner->ip_csum;

    inner->ip_csum = recalc_csum32(inner->ip_csum, old_src, src);
    inner->ip_csum = recalc_csum32(inner->ip_csum, old_dst, dst);
    put_16aligned_be32(&inner->ip_src, src);
    put_16aligned_be32(&inner->ip_dst, dst);

    ovs_be16 *l4_csum = find_embedded_csum(packet, inner);
    if (l4_csum) {
        ovs_be16 old_l4_csum = *l4_csum;

        *l4_csum = recalc_csum32(*l4_csum, old_src, src);
        *l4_csum = recalc_csum32(*l4_csum, old_dst, dst);
        if (!*l4_csum && inner->ip_proto == IPPROTO_UDP) {
            *l4_csum = OVS_BE16_MAX;
        }
        icmp->icmp_csum = recalc_csum16(icmp->icmp_csum, old_l4_csum,
                                        *l4_csum);
    }
    icmp->icmp_csum = recalc_csum16(icmp->icmp_csum, old_csum,
                                    inner->ip_csum);
    icmp->icmp_csum = recalc_csum32(icmp->icmp_csum, old_src, src);
    icmp->icmp_csum = recalc_csum32(icmp->icmp_csum, old_dst, dst);
}

/* Sets the addresses of 'packet', a FRAME_IP, without those that it may quote.
 * Its checksums stay right. */
void
vmmob_frame_set_addresses(struct dp_packet *packet,
                          const struct in6_addr *ip_src,
                          const struct in6_addr *ip_dst)
{
    if (is_ipv6(packet)) {
        const struct ovs_16aligned_ip6_hdr *ip6 = dp_packet_l3(packet);
        ovs_be32 tc_flow = get_16aligned_be32(&ip6->ip6_flow);

        packet_set_ipv6(packet, ip_src, ip_dst, ntohl(tc_flow) >> 20,
                        tc_flow & htonl(IPV6_LABEL_MASK), ip6->ip6_hlim);
    } else {
        const struct ip_header *ip = dp_packet_l3(packet);

        packet_set_ipv4(packet, in6_addr_get_mapped_ipv4(ip_src),
                        in6_addr_get_mapped_ipv4(ip_dst), ip->ip_tos,
                        ip->ip_ttl);
    }
}

static void
parse_ipv4(const struct flow *flow, struct frame *frame)
{
    frame->family = VMMOB_IPV4;
    frame->type = (is_icmpv4(flow, NULL)
                   && !(flow->nw_frag & FLOW_NW_FRAG_LATER)
                   && (flow->tp_src == htons(ICMP4_DST_UNREACH)
                       || flow->tp_src == htons(ICMP4_TIME_EXCEEDED)
                       || flow->tp_src == htons(ICMP4_PARAM_PROB))
                   ? FRAME_ICMP_ERROR : FRAME_IP);
    frame->dhcp = (flow->nw_proto == IPPROTO_UDP && !flow->nw_src
                   && !(flow->nw_frag & FLOW_NW_FRAG_LATER)
                   && flow->tp_src == htons(DHCP_CLIENT_PORT)
                   && flow->tp_dst == htons(DHCP_SERVER_PORT));
    set_ipv4_addresses(flow, frame);
}

static void
parse_ipv6(const struct dp_packet *packet, const struct flow *flow,
           struct frame *frame)
{
    frame->family = VMMOB_IPV6;
    if (vmmob_addr_family(&flow->ipv6_src) != VMMOB_IPV6
        || vmmob_addr_family(&flow->ipv6_dst) != VMMOB_IPV6
        || (ipv6_addr_is_set(&flow->ipv6_src)
            && !vmmob_addr_is_unicast(&flow->ipv6_src))) {
        /* No packet has an IPv4-mapped address (RFC 4942, 2.2), which would be
         * taken for the IPv4 address, and none is from a group. */
        return;
    }

    frame->type = FRAME_IP;
    frame->ip_src = frame->ip_from = flow->ipv6_src;
    frame->ip_dst = flow->ipv6_dst;
    if (is_icmpv6(flow, NULL)) {
        if (vmmob_icmp6_is_error(packet)) {
            frame->type = FRAME_ICMP_ERROR;
        } else {
            vmmob_nd_parse(packet, flow->nw_frag & FLOW_NW_FRAG_ANY, frame);
        }
    }
}

static void
parse_arp(const struct flow *flow, struct frame *frame)
{
    frame->family = VMMOB_IPV4;

    /* That is not the frame's sender if it is virtual, as with VRRP (RFC 5798,
     * 8.1.2), proxied or forged.  No host has the address of a group (RFC
     * 1812, 3.3.2). */
    frame->sha = flow->arp_sha;
    if (eth_addr_is_multicast(flow->arp_sha)
        || eth_addr_is_zero(flow->arp_sha)) {
        return;
    } else if (flow->nw_proto == ARP_OP_REQUEST) {
        frame->type = FRAME_QUESTION;
    } else if (flow->nw_proto == ARP_OP_REPLY) {
        frame->type = FRAME_ANSWER;
        frame->solicited = !frame->multicast && flow->nw_src != flow->nw_dst;
        frame->override = true;
    } else {
        return;
    }
    set_ipv4_addresses(flow, frame);
}

/* Sets the addresses in 'frame' to those of 'flow', IPv4 or ARP. */
static void
set_ipv4_addresses(const struct flow *flow, struct frame *frame)
{
    if (flow->nw_src) {
        in6_addr_set_mapped_ipv4(&frame->ip_src, flow->nw_src);
        frame->ip_from = frame->ip_src;
    }
    if (flow->nw_dst) {
        in6_addr_set_mapped_ipv4(&frame->ip_dst, flow->nw_dst);
    }
}

/* Returns true if 'packet' is an IPv6 packet, in an Ethernet frame or one with
 * LLC and SNAP headers: the type is what is before the packet. */
static bool
is_ipv6(const struct dp_packet *packet)
{
    const ovs_be16 *l3 = dp_packet_l3(packet);

    return l3 && get_unaligned_be16(l3 - 1) == htons(ETH_TYPE_IPV6);
}

/* vmmob_frame_compose_icmp_error() for IPv4. */
static struct dp_packet *
compose_icmp_error(const struct dp_packet *packet, uint8_t type, uint8_t code,
                   uint16_t mtu, const struct eth_addr src,
                   const struct in6_addr *ip_src)
{
    static const uint8_t icmp_errors[] = {
        ICMP4_DST_UNREACH, ICMP4_SOURCEQUENCH, ICMP4_REDIRECT,
        ICMP4_TIME_EXCEEDED, ICMP4_PARAM_PROB,
    };
    /* "SHOULD contain as much of the original datagram as possible without the
     * length of the ICMP datagram exceeding 576 bytes" (RFC 1812, 4.3.2.3). */
    const size_t max = 576 - IP_HEADER_LEN - ICMP_HEADER_LEN;
    const struct eth_header *eth = dp_packet_eth(packet);
    const struct ip_header *ip = dp_packet_l3(packet);
    const struct icmp_header *icmp = dp_packet_l4(packet);

    if (!ip || !icmp) {
        return NULL;
    }

    ovs_be32 to = get_16aligned_be32(&ip->ip_src);
    ovs_be32 dst = get_16aligned_be32(&ip->ip_dst);
    if (ip->ip_frag_off & htons(IP_FRAG_OFF_MASK)
        || eth_addr_is_multicast(eth->eth_dst) || !to || !dst
        || ip_is_multicast(to) || to == OVS_BE32_MAX
        || ip_is_multicast(dst) || dst == OVS_BE32_MAX) {
        return NULL;
    }
    if (ip->ip_proto == IPPROTO_ICMP) {
        if (dp_packet_l4_size(packet) < sizeof icmp->icmp_type) {
            return NULL;
        }
        for (size_t i = 0; i < ARRAY_SIZE(icmp_errors); i++) {
            if (icmp->icmp_type == icmp_errors[i]) {
                return NULL;
            }
        }
    }

    size_t quote = MIN(MIN(ntohs(ip->ip_tot_len), dp_packet_l3_size(packet)),
                       max);
    size_t l4_size = ICMP_HEADER_LEN + quote;
    struct dp_packet *error = dp_packet_new(ETH_HEADER_LEN + IP_HEADER_LEN
                                            + l4_size);
    struct ip_header *eh = eth_compose(error, eth->eth_src, src, ETH_TYPE_IP,
                                       IP_HEADER_LEN + l4_size);
    struct icmp_header *ei = (struct icmp_header *) (eh + 1);

    eh->ip_ihl_ver = IP_IHL_VER(5, 4);
    eh->ip_tot_len = htons(IP_HEADER_LEN + l4_size);
    eh->ip_ttl = 64;
    eh->ip_proto = IPPROTO_ICMP;
    put_16aligned_be32(&eh->ip_src, in6_addr_get_mapped_ipv4(ip_src));
    put_16aligned_be32(&eh->ip_dst, to);
    eh->ip_csum = csum(eh, IP_HEADER_LEN);
    ei->icmp_type = type;
    ei->icmp_code = code;
    ei->icmp_fields.frag.mtu = htons(mtu);
    memcpy(ei + 1, ip, quote);
    ei->icmp_csum = csum(ei, l4_size);
    return error;
}

static struct ip_header *
find_embedded(const struct dp_packet *packet)
{
    const char *l4 = dp_packet_l4(packet);

    if (!l4 || dp_packet_l4_size(packet) < ICMP_HEADER_LEN + IP_HEADER_LEN) {
        return NULL;
    }

    struct ip_header *inner = ALIGNED_CAST(
        struct ip_header *, CONST_CAST(char *, l4) + ICMP_HEADER_LEN);
    return IP_VER(inner->ip_ihl_ver) == 4 ? inner : NULL;
}

/* Returns the checksum in 'inner', inside 'packet', that covers the addresses
 * of 'inner' and that the datapath updates when it changes one.  (It does not
 * update those of UDP-Lite and DCCP.)  Returns NULL if there is none: the
 * packet is a later fragment, that part is not quoted, or it is UDP without a
 * checksum. */
static ovs_be16 *
find_embedded_csum(const struct dp_packet *packet,
                   const struct ip_header *inner)
{
    const char *l4 = (const char *) inner + IP_IHL(inner->ip_ihl_ver) * 4;
    const char *end = ((const char *) dp_packet_l4(packet)
                       + dp_packet_l4_size(packet));
    size_t ofs;

    if (IP_IHL(inner->ip_ihl_ver) < 5
        || inner->ip_frag_off & htons(IP_FRAG_OFF_MASK)) {
        return NULL;
    } else if (inner->ip_proto == IPPROTO_TCP) {
        ofs = offsetof(struct tcp_header, tcp_csum);
    } else if (inner->ip_proto == IPPROTO_UDP) {
        ofs = offsetof(struct udp_header, udp_csum);
    } else {
        return NULL;
    }
    if (end - l4 < (ptrdiff_t) (ofs + sizeof(ovs_be16))) {
        return NULL;
    }

    ovs_be16 *csum = ALIGNED_CAST(ovs_be16 *, CONST_CAST(char *, l4) + ofs);
    return *csum || inner->ip_proto == IPPROTO_TCP ? csum : NULL;
}

/* Adds one to the TTL or hop limit of 'packet', which has no VLAN tag, if it
 * is IP: that is, undoes what a router did. */
void
vmmob_frame_undo_ttl(struct dp_packet *packet)
{
    struct eth_header *eth = dp_packet_data(packet);
    size_t size = dp_packet_size(packet);

    if (size < ETH_HEADER_LEN) {
        return;
    }
    if (eth->eth_type == htons(ETH_TYPE_IP)
        && size >= ETH_HEADER_LEN + IP_HEADER_LEN) {
        struct ip_header *ip = ALIGNED_CAST(struct ip_header *, eth + 1);
        uint8_t ttl = ip->ip_ttl + 1;

        ip->ip_csum = recalc_csum16(ip->ip_csum, htons(ip->ip_ttl << 8),
                                    htons(ttl << 8));
        ip->ip_ttl = ttl;
    } else if (eth->eth_type == htons(ETH_TYPE_IPV6)
               && size >= ETH_HEADER_LEN + IPV6_HEADER_LEN) {
        struct ovs_16aligned_ip6_hdr *ip
            = ALIGNED_CAST(struct ovs_16aligned_ip6_hdr *, eth + 1);

        ip->ip6_hlim++;
    }
}
