/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/nd.h"

#include <netinet/icmp6.h>
#include <netinet/ip6.h>
#include <string.h>

#include "csum.h"
#include "dp-packet.h"
#include "ofproto-vmmob/frame.h"
#include "ofproto-vmmob/router.h"
#include "packets.h"
#include "unaligned.h"
#include "util.h"
#include "vmmob-compat.h"

/* Length of a redirect without options. */
#define REDIRECT_LEN 40

/* What all the messages of a type have. */
struct kind {
    uint8_t icmp_type;
    enum frame_type type;
    size_t min_len;             /* Without options. */
    uint8_t hop_limit;
};

static const struct kind kinds[] = {
    { ND_ROUTER_SOLICIT, FRAME_ROUTER_SOLICIT, ICMP6_DATA_HEADER_LEN, 255 },
    { ND_ROUTER_ADVERT, FRAME_ROUTER_ADVERT, RA_MSG_LEN, 255 },
    { ND_NEIGHBOR_SOLICIT, FRAME_QUESTION, ND_MSG_LEN, 255 },
    { ND_NEIGHBOR_ADVERT, FRAME_ANSWER, ND_MSG_LEN, 255 },
    { ND_REDIRECT, FRAME_REDIRECT, REDIRECT_LEN, 255 },
    { MLD_QUERY, FRAME_MLD, MLD_HEADER_LEN + sizeof(struct in6_addr), 1 },
    { MLD_REPORT, FRAME_MLD, MLD_HEADER_LEN + sizeof(struct in6_addr), 1 },
    { MLD_DONE, FRAME_MLD, MLD_HEADER_LEN + sizeof(struct in6_addr), 1 },
    { MLD2_REPORT, FRAME_MLD, MLD_HEADER_LEN, 1 },
};

static const struct kind *find_kind(uint8_t icmp_type);
static bool parse_message(const struct kind *, const uint8_t *, size_t,
                          struct frame *);
static bool parse_options(const uint8_t *, size_t, uint8_t type,
                          struct eth_addr *);
static struct in6_addr get_addr(const uint8_t *);
static bool is_host(const struct in6_addr *);
static bool is_solicited_node(const struct in6_addr *);

/* If 'packet', an ICMPv6 message that begins at its transport header, is one
 * of neighbor discovery or of MLD, says in 'frame' what it says, or that it is
 * FRAME_BAD.  'frame' already has what is in the Ethernet and the IPv6 header.
 * 'fragment' is true if 'packet' is the first one of several fragments. */
void
vmmob_nd_parse(const struct dp_packet *packet, bool fragment,
               struct frame *frame)
{
    const struct ovs_16aligned_ip6_hdr *ip6 = dp_packet_l3(packet);
    const uint8_t *l4 = dp_packet_l4(packet);
    size_t size = dp_packet_l4_size(packet);
    const struct kind *kind = size ? find_kind(l4[0]) : NULL;

    if (!kind) {
        return;
    }
    if (fragment || size < kind->min_len || size > UINT16_MAX
        || ip6->ip6_hlim != kind->hop_limit
        || packet_csum_upperlayer6(ip6, l4, IPPROTO_ICMPV6, size)
        || !parse_message(kind, l4, size, frame)) {
        frame->type = FRAME_BAD;
    } else {
        frame->type = kind->type;
    }
}

/* Returns a neighbor solicitation for 'target', to all that may have it, or if
 * 'dst' is nonnull, to '*dst' only.  Its source is 'spa', or if that is not an
 * IPv6 address, the link-local address of 'src': never unspecified, because
 * then one who is just taking 'target' would give it up (RFC 4862, 5.4.3). */
struct dp_packet *
vmmob_nd_compose_solicit(const struct eth_addr src, const struct eth_addr *dst,
                         const struct in6_addr *spa,
                         const struct in6_addr *target)
{
    struct dp_packet *packet = dp_packet_new(0);
    struct in6_addr lla;

    if (!is_host(spa)) {
        in6_generate_lla(src, &lla);
        spa = &lla;
    }
    compose_nd_ns(packet, VMMOB_SINCE_4_0(true,) src,
                  VMMOB_SINCE_4_0(eth_addr_zero,) spa, target);
    if (dst) {
        struct eth_header *eth = dp_packet_eth(packet);

        eth->eth_dst = *dst;
        packet_set_ipv6(packet, spa, target, 0, 0, 255);
    }
    return packet;
}

/* Returns a neighbor advertisement that 'target' is at 'src', and that all who
 * know another place should forget that.  It is an answer to 'ip_dst' at
 * 'dst'; if 'ip_dst' is null or unspecified, it is to everybody, also as an
 * answer to one who would take 'target'.  It says that 'src' is a router if
 * that is the one of the VMNs: otherwise they would no longer use it. */
struct dp_packet *
vmmob_nd_compose_advert(const struct eth_addr src,
                        const struct in6_addr *target,
                        const struct eth_addr *dst,
                        const struct in6_addr *ip_dst)
{
    struct dp_packet *packet = dp_packet_new(0);
    bool solicited = ip_dst && ipv6_addr_is_set(ip_dst);
    struct eth_addr to;

    if (solicited) {
        to = *dst;
    } else {
        ip_dst = &in6addr_all_hosts;
        ipv6_multicast_to_ethernet(&to, ip_dst);
    }
    compose_nd_na(packet, src, to, target, ip_dst,
                  htonl(ND_RSO_OVERRIDE
                        | (solicited ? ND_RSO_SOLICITED : 0)
                        | (eth_addr_equals(src, vmmob_gateway_mac)
                           ? ND_RSO_ROUTER : 0)));
    return packet;
}

/* Returns a router solicitation of the link-local address of 'src'. */
struct dp_packet *
vmmob_nd_compose_router_solicit(const struct eth_addr src)
{
    const size_t size = ICMP6_DATA_HEADER_LEN + ND_LLA_OPT_LEN;
    struct dp_packet *packet = dp_packet_new(0);
    struct in6_addr lla;
    struct eth_addr to;
    uint8_t *rs;

    in6_generate_lla(src, &lla);
    ipv6_multicast_to_ethernet(&to, &in6addr_all_routers);
    eth_compose(packet, to, src, ETH_TYPE_IPV6, IPV6_HEADER_LEN);
    rs = compose_ipv6(packet, IPPROTO_ICMPV6, &lla, &in6addr_all_routers,
                      0, 0, 255, size);
    memset(rs, 0, size);
    rs[0] = ND_ROUTER_SOLICIT;
    rs[ICMP6_DATA_HEADER_LEN] = ND_OPT_SOURCE_LINKADDR;
    rs[ICMP6_DATA_HEADER_LEN + 1] = ND_LLA_OPT_LEN / 8;
    memcpy(rs + ICMP6_DATA_HEADER_LEN + 2, &src, sizeof src);

    ovs_be16 csum = packet_csum_upperlayer6(dp_packet_l3(packet), rs,
                                            IPPROTO_ICMPV6, size);
    memcpy(rs + 2, &csum, sizeof csum);
    return packet;
}

/* Returns a router advertisement of the router 'ip_src', which must be
 * link-local, at 'src', to 'ip_dst' at 'dst', or if these are null, to
 * everybody. */
struct dp_packet *
vmmob_nd_compose_router_advert(const struct vmmob_nd_router *router,
                               const struct eth_addr src,
                               const struct in6_addr *ip_src,
                               const struct eth_addr *dst,
                               const struct in6_addr *ip_dst)
{
    struct dp_packet *packet = dp_packet_new(0);
    struct eth_addr to;

    if (ip_dst && ipv6_addr_is_set(ip_dst)) {
        to = *dst;
    } else {
        ip_dst = &in6addr_all_hosts;
        ipv6_multicast_to_ethernet(&to, ip_dst);
    }
    compose_nd_ra(packet, src, to, ip_src, ip_dst, router->hop_limit, 0,
                  htons(router->lifetime), 0, 0, router->mtu);
    for (size_t i = 0; i < router->n_prefixes; i++) {
        const struct vmmob_nd_prefix *p = &router->prefixes[i];
        ovs_be128 addr;

        memcpy(&addr, &p->prefix.addr, sizeof addr);
        packet_put_ra_prefix_opt(packet, p->prefix.plen,
                                 (p->on_link ? ND_OPT_PI_FLAG_ONLINK : 0)
                                 | (p->autonomous ? ND_OPT_PI_FLAG_AUTO : 0),
                                 htonl(p->valid), htonl(p->preferred), addr);
    }
    return packet;
}

static const struct kind *
find_kind(uint8_t icmp_type)
{
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        if (kinds[i].icmp_type == icmp_type) {
            return &kinds[i];
        }
    }
    return NULL;
}

/* Parses the 'size' bytes 'l4', a message of 'kind' that is long enough for
 * one, into 'frame'.  Returns false if it is not valid. */
static bool
parse_message(const struct kind *kind, const uint8_t *l4, size_t size,
              struct frame *frame)
{
    const struct in6_addr src = frame->ip_src;
    const struct in6_addr dst = frame->ip_dst;
    bool has_source = ipv6_addr_is_set(&src);
    uint8_t option = (kind->type == FRAME_ANSWER
                      || kind->type == FRAME_REDIRECT
                      ? ND_OPT_TARGET_LINKADDR : ND_OPT_SOURCE_LINKADDR);
    struct eth_addr lla = eth_addr_zero;

    if (kind->type == FRAME_MLD) {
        return !has_source || vmmob_addr_is_link_local(&src);
    }

    if (l4[1] || !parse_options(l4 + kind->min_len, size - kind->min_len,
                                option, &lla)) {
        return false;
    }
    if (!eth_addr_is_zero(lla) && kind->type != FRAME_REDIRECT) {
        frame->sha = lla;
    }

    const struct in6_addr target = (kind->min_len >= ND_MSG_LEN
                                    ? get_addr(l4 + 8) : in6addr_any);
    switch (kind->type) {
    case FRAME_QUESTION:
        if (!is_host(&target)
            || (!has_source
                && (!is_solicited_node(&dst) || !eth_addr_is_zero(lla)))) {
            return false;
        }
        frame->ip_dst = target;
        return true;

    case FRAME_ANSWER:
        frame->router = l4[4] & ND_RSO_ROUTER >> 24;
        frame->solicited = l4[4] & ND_RSO_SOLICITED >> 24;
        frame->override = l4[4] & ND_RSO_OVERRIDE >> 24;
        if (!is_host(&target) || !has_source
            || (ipv6_addr_is_multicast(&dst) && frame->solicited)) {
            return false;
        }
        frame->ip_src = target;
        if (!frame->solicited) {
            frame->ip_dst = target;
        }
        return true;

    case FRAME_ROUTER_SOLICIT:
        return has_source || eth_addr_is_zero(lla);

    case FRAME_ROUTER_ADVERT:
        frame->router = true;
        frame->router_lifetime = l4[6] << 8 | l4[7];
        return vmmob_addr_is_link_local(&src);

    case FRAME_REDIRECT: {
        const struct in6_addr what = get_addr(l4 + 24);

        return (vmmob_addr_is_link_local(&src) && is_host(&what)
                && (vmmob_addr_is_link_local(&target)
                    || ipv6_addr_equals(&target, &what)));
    }

    case FRAME_RARP:
    case FRAME_MLD:
    case FRAME_IP:
    case FRAME_ICMP_ERROR:
    case FRAME_BAD:
    default:
        OVS_NOT_REACHED();
    }
}

/* Parses the 'size' bytes 'p', options.  Stores into '*lla' the link-layer
 * address in the one of 'type', if there is one.  Returns false if they are
 * malformed. */
static bool
parse_options(const uint8_t *p, size_t size, uint8_t type,
              struct eth_addr *lla)
{
    while (size) {
        size_t len = size >= 2 ? p[1] * 8 : 0;

        if (!len || len > size) {
            return false;
        }
        if (p[0] == type && len == ND_LLA_OPT_LEN) {
            struct eth_addr mac;

            memcpy(&mac, p + 2, sizeof mac);
            if (eth_addr_is_multicast(mac) || eth_addr_is_zero(mac)
                || (!eth_addr_is_zero(*lla) && !eth_addr_equals(*lla, mac))) {
                return false;
            }
            *lla = mac;
        }
        p += len;
        size -= len;
    }
    return true;
}

static struct in6_addr
get_addr(const uint8_t *p)
{
    struct in6_addr addr;

    memcpy(&addr, p, sizeof addr);
    return addr;
}

/* Returns true if 'addr' is an IPv6 address that a host can have.  IPv4-mapped
 * addresses are in no packet. */
static bool
is_host(const struct in6_addr *addr)
{
    return (vmmob_addr_family(addr) == VMMOB_IPV6
            && vmmob_addr_is_unicast(addr));
}

/* Returns true if 'addr' is in ff02::1:ff00:0/104 (RFC 4291, 2.7.1). */
static bool
is_solicited_node(const struct in6_addr *addr)
{
    static const uint8_t prefix[] = {
        0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01, 0xff,
    };

    return !memcmp(addr->s6_addr, prefix, sizeof prefix);
}
