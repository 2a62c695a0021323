/* SPDX-License-Identifier: Apache-2.0 */

/* Neighbor discovery and MLD from a VM or from the uplink, as
 * ofproto-vmmob/nd.c takes them.  The input is a frame; its checksum is made
 * right. */

#include <config.h>
#undef NDEBUG
#include "fuzz.h"

#include <netinet/icmp6.h>
#include <netinet/ip6.h>
#include <stdlib.h>
#include <string.h>

#include "dp-packet.h"
#include "flow.h"
#include "ofproto-vmmob/frame.h"
#include "ofproto-vmmob/nd.h"
#include "ofproto-vmmob/router.h"
#include "packets.h"
#include "util.h"

/* Aborts unless 'packet', which is freed, has a right checksum and is what the
 * other arguments say. */
static void
check_composed(struct dp_packet *packet, enum frame_type type,
               const struct eth_addr sha, const struct in6_addr *ip_src,
               const struct in6_addr *ip_dst, bool multicast)
{
    struct frame frame;

    vmmob_frame_parse(packet, &frame);
    ovs_assert(frame.type == type);
    ovs_assert(frame.family == VMMOB_IPV6);
    ovs_assert(eth_addr_equals(frame.src, sha));
    ovs_assert(eth_addr_equals(frame.sha, sha));
    ovs_assert(ipv6_addr_equals(&frame.ip_src, ip_src));
    ovs_assert(ipv6_addr_equals(&frame.ip_dst, ip_dst));
    ovs_assert(frame.multicast == multicast);
    dp_packet_delete(packet);
}

/* The module answers a question, and asks one of its own, like this. */
static void
check_answers(const struct frame *frame)
{
    const struct eth_addr mac = ETH_ADDR_C(02,00,00,00,00,01);
    bool probe = !ipv6_addr_is_set(&frame->ip_src);
    struct in6_addr lla;

    in6_generate_lla(mac, &lla);
    check_composed(vmmob_frame_compose_answer(mac, &frame->ip_dst, frame->sha,
                                              &frame->ip_src),
                   FRAME_ANSWER, mac, &frame->ip_dst,
                   probe ? &frame->ip_dst : &frame->ip_src, probe);
    check_composed(vmmob_frame_compose_announcement(mac, &frame->ip_dst),
                   FRAME_ANSWER, mac, &frame->ip_dst, &frame->ip_dst, true);
    check_composed(vmmob_frame_compose_question(mac, NULL, &frame->ip_src,
                                                &frame->ip_dst),
                   FRAME_QUESTION, mac, probe ? &lla : &frame->ip_src,
                   &frame->ip_dst, true);
    check_composed(vmmob_frame_compose_question(mac, &frame->sha,
                                                &frame->ip_src,
                                                &frame->ip_dst),
                   FRAME_QUESTION, mac, probe ? &lla : &frame->ip_src,
                   &frame->ip_dst, false);
}

/* And a router solicitation like this. */
static void
check_router_advert(const struct frame *frame)
{
    const struct vmmob_nd_prefix prefixes[] = {
        { { frame->ip_src, 128 }, true, false, 1, UINT32_MAX },
        { { frame->ip_dst, 64 }, false, true, 0, 0 },
    };
    const struct vmmob_nd_router router = {
        .lifetime = frame->sha.be16[0],
        .mtu = frame->sha.be16[1],
        .prefixes = prefixes,
        .n_prefixes = frame->sha.ea[5] % 3,
    };
    const struct in6_addr lla = vmmob_gateway_lla();
    bool all = !ipv6_addr_is_set(&frame->ip_src);

    check_composed(vmmob_nd_compose_router_advert(&router, vmmob_gateway_mac,
                                                  &lla, &frame->sha,
                                                  &frame->ip_src),
                   FRAME_ROUTER_ADVERT, vmmob_gateway_mac, &lla,
                   all ? &in6addr_all_hosts : &frame->ip_src, all);
}

static bool
is_host(const struct in6_addr *addr)
{
    return (!IN6_IS_ADDR_V4MAPPED(addr) && !IN6_IS_ADDR_MULTICAST(addr)
            && !IN6_IS_ADDR_UNSPECIFIED(addr) && !IN6_IS_ADDR_LOOPBACK(addr));
}

/* Aborts unless 'frame' may be what the message at 'l4' of 'packet' says. */
static void
check_message(const struct dp_packet *packet, const struct frame *frame)
{
    const struct ovs_16aligned_ip6_hdr *ip6 = dp_packet_l3(packet);
    const uint8_t *l4 = dp_packet_l4(packet);
    size_t size = dp_packet_l4_size(packet);
    bool mld = frame->type == FRAME_MLD;
    size_t min_len = (mld || frame->type == FRAME_ROUTER_SOLICIT ? 8
                      : frame->type == FRAME_ROUTER_ADVERT ? 16
                      : frame->type == FRAME_REDIRECT ? 40 : 24);
    const uint8_t *lla = NULL;

    ovs_assert(size >= min_len);
    ovs_assert(ip6->ip6_hlim == (mld ? 1 : 255));
    ovs_assert(!ipv6_addr_is_set(&frame->ip_from)
               || is_host(&frame->ip_from));
    ovs_assert(!memcmp(&frame->ip_from, &ip6->ip6_src, 16));
    ovs_assert(!packet_csum_upperlayer6(ip6, l4, IPPROTO_ICMPV6, size));
    if (mld) {
        ovs_assert(!ipv6_addr_is_set(&frame->ip_from)
                   || IN6_IS_ADDR_LINKLOCAL(&frame->ip_from));
        return;
    }

    ovs_assert(!l4[1]);
    for (size_t ofs = min_len; ofs < size; ofs += l4[ofs + 1] * 8) {
        ovs_assert(l4[ofs + 1] && ofs + l4[ofs + 1] * 8 <= size);
        if (l4[ofs] == (frame->type == FRAME_ANSWER ? 2 : 1)
            && l4[ofs + 1] == 1) {
            lla = &l4[ofs + 2];
        }
    }
    ovs_assert(!memcmp(&frame->sha, (lla && frame->type != FRAME_REDIRECT
                                     ? lla : frame->src.ea),
                       ETH_ADDR_LEN));
    ovs_assert(ipv6_addr_is_set(&frame->ip_from)
               || ((frame->type == FRAME_QUESTION
                    || frame->type == FRAME_ROUTER_SOLICIT) && !lla));
    switch (frame->type) {
    case FRAME_QUESTION:
        ovs_assert(l4[0] == ND_NEIGHBOR_SOLICIT);
        ovs_assert(is_host(&frame->ip_dst));
        ovs_assert(!memcmp(&frame->ip_dst, l4 + 8, 16));
        ovs_assert(ipv6_addr_equals(&frame->ip_src, &frame->ip_from));
        check_answers(frame);
        break;
    case FRAME_ANSWER:
        ovs_assert(l4[0] == ND_NEIGHBOR_ADVERT);
        ovs_assert(is_host(&frame->ip_src));
        ovs_assert(!memcmp(&frame->ip_src, l4 + 8, 16));
        ovs_assert(!memcmp(&frame->ip_dst,
                           (frame->solicited ? (const void *) &ip6->ip6_dst
                            : l4 + 8), 16));
        ovs_assert(!frame->solicited
                   || !IN6_IS_ADDR_MULTICAST(&frame->ip_dst));
        break;
    case FRAME_ROUTER_SOLICIT:
        ovs_assert(l4[0] == ND_ROUTER_SOLICIT);
        check_router_advert(frame);
        break;
    case FRAME_ROUTER_ADVERT:
        ovs_assert(l4[0] == ND_ROUTER_ADVERT);
        ovs_assert(IN6_IS_ADDR_LINKLOCAL(&frame->ip_src));
        break;
    case FRAME_REDIRECT:
        ovs_assert(l4[0] == ND_REDIRECT);
        ovs_assert(IN6_IS_ADDR_LINKLOCAL(&frame->ip_src));
        break;
    case FRAME_RARP:
    case FRAME_MLD:
    case FRAME_IP:
    case FRAME_ICMP_ERROR:
    case FRAME_BAD:
    default:
        OVS_NOT_REACHED();
    }
}

static void
fuzz(const uint8_t *data, size_t size, bool mld)
{
    struct frame frames[2];

    /* So that the IP header is aligned to 2 bytes, as it mostly is, and to
     * 4. */
    for (size_t i = 0; i < ARRAY_SIZE(frames); i++) {
        struct dp_packet *packet
            = dp_packet_clone_data_with_headroom(data, size, 2 + 2 * i);
        struct frame *frame = &frames[i];
        struct flow flow;

        flow_extract(packet, &flow);
        if (is_icmpv6(&flow, NULL)
            && dp_packet_l4_size(packet) >= ICMP6_HEADER_LEN) {
            struct icmp6_header *icmp = dp_packet_l4(packet);

            icmp->icmp6_cksum = 0;
            icmp->icmp6_cksum = packet_csum_upperlayer6(
                dp_packet_l3(packet), icmp, IPPROTO_ICMPV6,
                dp_packet_l4_size(packet));
        }
        memset(frame, 0, sizeof *frame);
        vmmob_frame_parse(packet, frame);
        if (frame->type != FRAME_BAD && frame->family == VMMOB_IPV6
            && frame->type != FRAME_IP && frame->type != FRAME_ICMP_ERROR
            && (frame->type == FRAME_MLD) == mld) {
            check_message(packet, frame);
        }
        dp_packet_delete(packet);
    }
    ovs_assert(frames[0].type == frames[1].type);
    ovs_assert(eth_addr_equals(frames[0].sha, frames[1].sha));
}

void
fuzz_nd(const uint8_t *data, size_t size)
{
    fuzz(data, size, false);
}

void
fuzz_mld(const uint8_t *data, size_t size)
{
    fuzz(data, size, true);
}
