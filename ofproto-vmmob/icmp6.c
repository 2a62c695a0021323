/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/icmp6.h"

#include <netinet/icmp6.h>
#include <netinet/ip6.h>
#include <string.h>

#include "csum.h"
#include "dp-packet.h"
#include "flow.h"
#include "packets.h"
#include "util.h"
#include "vmmob-addr.h"
#include "vmmob-compat.h"

/* "The minimum IPv6 MTU" (RFC 8200, 5). */
#define MIN_MTU 1280

static struct ovs_16aligned_ip6_hdr *find_embedded(const struct dp_packet *);
static bool may_complain(const struct dp_packet *, uint8_t type);
static struct in6_addr get_addr(const union ovs_16aligned_in6_addr *);

/* Returns true if 'packet', an ICMPv6 message, is an error that quotes a
 * packet.  Those that nobody knows (RFC 4443, 2.1) may be anything. */
bool
vmmob_icmp6_is_error(const struct dp_packet *packet)
{
    const uint8_t *l4 = dp_packet_l4(packet);

    return (dp_packet_l4_size(packet) >= ICMP6_DATA_HEADER_LEN
            && l4[0] >= ICMP6_DST_UNREACH && l4[0] <= ICMP6_PARAM_PROB);
}

/* Returns an ICMPv6 error of that 'type' and 'code' about 'packet', an IPv6
 * packet, to who sent it, from 'src' and 'ip_src'.  'mtu' is for an
 * ICMP6_PACKET_TOO_BIG, otherwise 0.  Returns NULL if there must be none (RFC
 * 4443, 2.4). */
struct dp_packet *
vmmob_icmp6_compose_error(const struct dp_packet *packet, uint8_t type,
                          uint8_t code, uint32_t mtu,
                          const struct eth_addr src,
                          const struct in6_addr *ip_src)
{
    /* "As much of invoking packet as possible without the ICMPv6 packet
     * exceeding the minimum IPv6 MTU" (RFC 4443, 3). */
    const size_t max = MIN_MTU - IPV6_HEADER_LEN - ICMP6_DATA_HEADER_LEN;
    const struct eth_header *eth = dp_packet_eth(packet);
    const struct ovs_16aligned_ip6_hdr *ip6 = dp_packet_l3(packet);

    if (!may_complain(packet, type)) {
        return NULL;
    }

    struct in6_addr to = get_addr(&ip6->ip6_src);
    size_t quote = MIN(MIN(IPV6_HEADER_LEN + ntohs(ip6->ip6_plen),
                           dp_packet_l3_size(packet)), max);
    size_t l4_size = ICMP6_DATA_HEADER_LEN + quote;
    struct dp_packet *error = dp_packet_new(0);

    eth_compose(error, eth->eth_src, src, ETH_TYPE_IPV6, IPV6_HEADER_LEN);
    struct icmp6_data_header *icmp
        = compose_ipv6(error, IPPROTO_ICMPV6, ip_src, &to, 0, 0, 64, l4_size);
    icmp->icmp6_base.icmp6_type = type;
    icmp->icmp6_base.icmp6_code = code;
    icmp->icmp6_base.icmp6_cksum = 0;
    put_16aligned_be32(icmp->icmp6_data.be32, htonl(mtu));
    memcpy(icmp + 1, ip6, quote);
    icmp->icmp6_base.icmp6_cksum
        = packet_csum_upperlayer6(dp_packet_l3(error), icmp, IPPROTO_ICMPV6,
                                  l4_size);
    return error;
}

/* Gets the addresses of the packet that 'packet', for which
 * vmmob_icmp6_is_error() is true, is about.  Returns false if there is no IPv6
 * header inside. */
bool
vmmob_icmp6_get_embedded(const struct dp_packet *packet,
                         struct in6_addr *ip_src, struct in6_addr *ip_dst)
{
    const struct ovs_16aligned_ip6_hdr *inner = find_embedded(packet);

    if (!inner) {
        return false;
    }

    struct in6_addr src = get_addr(&inner->ip6_src);
    struct in6_addr dst = get_addr(&inner->ip6_dst);
    if (vmmob_addr_family(&src) != VMMOB_IPV6
        || vmmob_addr_family(&dst) != VMMOB_IPV6) {
        /* They would be taken for IPv4 addresses. */
        return false;
    }
    *ip_src = src;
    *ip_dst = dst;
    return true;
}

/* Sets those addresses.  No checksum in the packet inside changes if each has
 * the same sum as the one that it replaces, as a HoA and a MoA have (see
 * pool.h).  That of 'packet' stays right in any case. */
void
vmmob_icmp6_set_embedded(struct dp_packet *packet,
                         const struct in6_addr *ip_src,
                         const struct in6_addr *ip_dst)
{
    struct ovs_16aligned_ip6_hdr *inner = find_embedded(packet);
    struct icmp6_header *icmp = dp_packet_l4(packet);

    if (inner) {
        icmp->icmp6_cksum = recalc_csum128(icmp->icmp6_cksum,
                                           inner->ip6_src.be32, ip_src);
        icmp->icmp6_cksum = recalc_csum128(icmp->icmp6_cksum,
                                           inner->ip6_dst.be32, ip_dst);
        memcpy(&inner->ip6_src, ip_src, sizeof *ip_src);
        memcpy(&inner->ip6_dst, ip_dst, sizeof *ip_dst);
    }
}

static struct ovs_16aligned_ip6_hdr *
find_embedded(const struct dp_packet *packet)
{
    const char *l4 = dp_packet_l4(packet);

    if (!l4 || dp_packet_l4_size(packet) < (ICMP6_DATA_HEADER_LEN
                                            + IPV6_HEADER_LEN)) {
        return NULL;
    }

    struct ovs_16aligned_ip6_hdr *inner = ALIGNED_CAST(
        struct ovs_16aligned_ip6_hdr *,
        CONST_CAST(char *, l4) + ICMP6_DATA_HEADER_LEN);
    return inner->ip6_vfc >> 4 == 6 ? inner : NULL;
}

/* Returns true if an ICMPv6 error of that 'type' may be about 'packet': not
 * about another error, nor a redirect, nor what is not from one host, nor,
 * unless it is too big, what is not for one host.  Nor about a later fragment,
 * or what has headers that are not understood, which may be any of these. */
static bool
may_complain(const struct dp_packet *packet, uint8_t type)
{
    const struct eth_header *eth = dp_packet_eth(packet);
    const struct ovs_16aligned_ip6_hdr *ip6 = dp_packet_l3(packet);
    const uint8_t *l4 = dp_packet_l4(packet);

    if (!ip6 || !l4) {
        return false;
    }

    struct in6_addr src = get_addr(&ip6->ip6_src);
    struct in6_addr dst = get_addr(&ip6->ip6_dst);
    if (!vmmob_addr_is_unicast(&src) || vmmob_addr_family(&src) != VMMOB_IPV6
        || vmmob_addr_family(&dst) != VMMOB_IPV6
        || !ipv6_addr_is_set(&dst)
        || (type != ICMP6_PACKET_TOO_BIG
            && (eth_addr_is_multicast(eth->eth_dst)
                || ipv6_addr_is_multicast(&dst)))) {
        return false;
    }

    const void *data = ip6 + 1;
    size_t size = dp_packet_l3_size(packet) - sizeof *ip6;
    const struct ovs_16aligned_ip6_frag *frag_hdr;
    uint8_t proto = ip6->ip6_nxt;
    uint8_t frag = 0;
    VMMOB_SINCE_3_2(const struct ip6_rt_hdr *rt_hdr;)

    return (parse_ipv6_ext_hdrs(&data, &size, &proto, &frag,
                                &frag_hdr VMMOB_SINCE_3_2(, &rt_hdr))
            && !(frag & FLOW_NW_FRAG_LATER)
            && (proto != IPPROTO_ICMPV6
                || (dp_packet_l4_size(packet) && l4[0] & ICMP6_INFOMSG_MASK
                    && l4[0] != ND_REDIRECT)));
}

static struct in6_addr
get_addr(const union ovs_16aligned_in6_addr *p)
{
    struct in6_addr addr;

    memcpy(&addr, p, sizeof addr);
    return addr;
}
