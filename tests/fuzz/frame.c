/* SPDX-License-Identifier: Apache-2.0 */

/* Frames from a VM or from the uplink, as ofproto-vmmob/frame.c and
 * lib/vmmob-csum.c take them.  The input is a frame. */

#include <config.h>
#undef NDEBUG
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "csum.h"
#include "dp-packet.h"
#include "flow.h"
#include "ofproto-vmmob/frame.h"
#include "packets.h"
#include "util.h"
#include "vmmob-csum.h"

static struct dp_packet *
clone_packet(const struct dp_packet *packet)
{
    return dp_packet_clone_with_headroom(packet, dp_packet_headroom(packet));
}

/* Aborts unless 'packet', which is freed, is an ARP as it says. */
static void
check_arp(struct dp_packet *packet, enum frame_type type,
          const struct eth_addr src, const struct in6_addr *ip_src,
          const struct in6_addr *ip_dst)
{
    struct frame frame;

    vmmob_frame_parse(packet, &frame);
    ovs_assert(frame.type == type);
    ovs_assert(eth_addr_equals(frame.src, src));
    ovs_assert(eth_addr_equals(frame.sha, src));
    ovs_assert(ipv6_addr_equals(&frame.ip_src, ip_src));
    ovs_assert(ipv6_addr_equals(&frame.ip_dst, ip_dst));
    dp_packet_delete(packet);
}

/* The module answers an ARP request for a MoA or for a HoA like this. */
static void
check_answer(const struct frame *frame)
{
    const struct eth_addr mac = ETH_ADDR_C(02,56,4d,4d,4f,42);

    check_arp(vmmob_frame_compose_answer(mac, &frame->ip_dst, frame->sha,
                                         &frame->ip_src),
              FRAME_ANSWER, mac, &frame->ip_dst, &frame->ip_src);
    check_arp(vmmob_frame_compose_question(mac, &frame->sha, &frame->ip_src,
                                           &frame->ip_dst),
              FRAME_QUESTION, mac, &frame->ip_src, &frame->ip_dst);
    check_arp(vmmob_frame_compose_announcement(mac, &frame->ip_dst),
              FRAME_QUESTION, mac, &frame->ip_dst, &frame->ip_dst);
}

/* Aborts unless the addresses of the packet inside 'packet', a
 * FRAME_ICMP_ERROR, can be replaced, and nothing else but checksums changes,
 * which stay as right or wrong as they were. */
static void
check_embedded(const struct dp_packet *packet)
{
    const struct in6_addr new_src = in6_addr_mapped_ipv4(htonl(0x0a000102));
    const struct in6_addr new_dst = in6_addr_mapped_ipv4(htonl(0xfffefdfc));
    struct dp_packet *copy = clone_packet(packet);
    uint8_t *before = dp_packet_data(packet);
    uint8_t *after = dp_packet_data(copy);
    struct in6_addr src, dst;
    bool found = vmmob_frame_get_embedded(packet, &src, &dst);

    vmmob_frame_set_embedded(copy, &new_src, &new_dst);
    ovs_assert(dp_packet_size(copy) == dp_packet_size(packet));
    if (found) {
        const uint8_t *l4 = dp_packet_l4(copy);
        size_t icmp_size = dp_packet_l4_size(copy);
        size_t icmp = l4 - after;
        size_t inner = icmp + ICMP_HEADER_LEN;
        struct in6_addr src2, dst2;

        ovs_assert(vmmob_frame_get_embedded(copy, &src2, &dst2));
        ovs_assert(ipv6_addr_equals(&src2, &new_src));
        ovs_assert(ipv6_addr_equals(&dst2, &new_dst));

        /* Zero is written in two ways in one's complement. */
        ovs_assert(csum(before + icmp, icmp_size) % 0xffff
                   == csum(after + icmp, icmp_size) % 0xffff);
        ovs_assert(csum(before + inner, IP_HEADER_LEN) % 0xffff
                   == csum(after + inner, IP_HEADER_LEN) % 0xffff);

        /* Likewise that of UDP and TCP, if it is there. */
        size_t l4_ofs = (before[inner] & 15) * 4;
        size_t csum_ofs = l4_ofs + (before[inner + 9] == IPPROTO_UDP ? 6 : 16);
        bool has_csum = (l4_ofs >= IP_HEADER_LEN
                         && (before[inner + 9] == IPPROTO_UDP
                             || before[inner + 9] == IPPROTO_TCP)
                         && !(before[inner + 6] & 0x1f) && !before[inner + 7]
                         && ICMP_HEADER_LEN + csum_ofs + 2 <= icmp_size
                         && (before[inner + 9] == IPPROTO_TCP
                             || before[inner + csum_ofs]
                             || before[inner + csum_ofs + 1]));
        if (has_csum) {
            uint32_t sums[2];

            for (int i = 0; i < 2; i++) {
                const uint8_t *p = (i ? after : before) + inner;

                sums[i] = csum_finish(csum_continue(
                    csum_continue(0, p + 12, 8), p + csum_ofs, 2));
            }
            ovs_assert(sums[0] % 0xffff == sums[1] % 0xffff);
        }

        vmmob_frame_set_embedded(copy, &src, &dst);
        if (has_csum) {
            memcpy(after + inner + csum_ofs, before + inner + csum_ofs, 2);
        }
        memcpy(after + icmp + 2, before + icmp + 2, 2);
        memcpy(after + inner + 10, before + inner + 10, 2);
    }
    ovs_assert(!memcmp(before, after, dp_packet_size(packet)));
    dp_packet_delete(copy);
}

/* Aborts unless the ICMP error that the module sends about 'packet', whose
 * frame is 'frame', is one to who sent that, and about it. */
static void
check_icmp_error(const struct dp_packet *packet, const struct frame *frame)
{
    const struct eth_addr mac = ETH_ADDR_C(02,56,4d,4d,4f,42);
    const struct in6_addr ip = in6_addr_mapped_ipv4(htonl(0x0a640001));
    struct dp_packet *error = vmmob_frame_compose_icmp_error(
        packet, ICMP4_DST_UNREACH, 13, mac, &ip);
    struct in6_addr src, dst;
    struct frame answer;

    if (!error) {
        return;
    }
    ovs_assert(frame->type == FRAME_IP && !frame->multicast);
    ovs_assert(dp_packet_size(error) <= ETH_HEADER_LEN + 576);

    vmmob_frame_parse(error, &answer);
    const struct eth_header *eth = dp_packet_eth(error);
    ovs_assert(answer.type == FRAME_ICMP_ERROR && !answer.multicast);
    ovs_assert(eth_addr_equals(answer.src, mac));
    ovs_assert(eth_addr_equals(eth->eth_dst, frame->src));
    ovs_assert(ipv6_addr_equals(&answer.ip_src, &ip));
    ovs_assert(ipv6_addr_equals(&answer.ip_dst, &frame->ip_src));
    ovs_assert(!csum(dp_packet_l3(error), IP_HEADER_LEN));
    ovs_assert(!csum(dp_packet_l4(error), dp_packet_l4_size(error)));

    if (vmmob_frame_get_embedded(error, &src, &dst)) {
        ovs_assert(ipv6_addr_equals(&src, &frame->ip_src));
        ovs_assert(ipv6_addr_equals(&dst, &frame->ip_dst));
    } else {
        /* Whatever is in there is quoted. */
        ovs_assert(IP_VER(*(const uint8_t *) dp_packet_l3(packet)) != 4);
    }
    ovs_assert(!memcmp((const uint8_t *) dp_packet_l4(error) + ICMP_HEADER_LEN,
                       dp_packet_l3(packet),
                       dp_packet_l4_size(error) - ICMP_HEADER_LEN));
    dp_packet_delete(error);
}

static void
check_frame(struct dp_packet *packet, struct frame *frame)
{
    const uint8_t *data = dp_packet_data(packet);

    vmmob_frame_parse(packet, frame);
    if (frame->type == FRAME_BAD) {
        return;
    }

    /* What the module relies on. */
    ovs_assert(dp_packet_size(packet) >= ETH_HEADER_LEN);
    ovs_assert(!memcmp(&frame->src, data + ETH_ADDR_LEN, ETH_ADDR_LEN));
    ovs_assert(!eth_addr_is_multicast(frame->src));
    ovs_assert(!eth_addr_is_zero(frame->src));
    ovs_assert(!eth_addr_is_multicast(frame->sha));
    ovs_assert(!eth_addr_is_zero(frame->sha));
    ovs_assert(frame->multicast == (data[0] & 1));
    if (frame->family == VMMOB_IPV6) {
        /* nd.c and icmp6.c look at these. */
        return;
    }
    ovs_assert(!ipv6_addr_is_set(&frame->ip_src)
               || IN6_IS_ADDR_V4MAPPED(&frame->ip_src));
    ovs_assert(!ipv6_addr_is_set(&frame->ip_dst)
               || IN6_IS_ADDR_V4MAPPED(&frame->ip_dst));
    ovs_assert(ipv6_addr_equals(&frame->ip_src, &frame->ip_from));

    switch (frame->type) {
    case FRAME_QUESTION:
    case FRAME_ANSWER:
        ovs_assert(dp_packet_size(packet)
                   >= ETH_HEADER_LEN + ARP_ETH_HEADER_LEN);
        ovs_assert(!memcmp(&frame->sha, (char *) dp_packet_l3(packet) + 8,
                           ETH_ADDR_LEN));
        if (ipv6_addr_is_set(&frame->ip_dst)) {
            check_answer(frame);
        }
        break;
    case FRAME_RARP:
        ovs_assert(eth_addr_equals(frame->sha, frame->src));
        ovs_assert(!ipv6_addr_is_set(&frame->ip_src));
        ovs_assert(!ipv6_addr_is_set(&frame->ip_dst));
        break;
    case FRAME_ICMP_ERROR:
        check_embedded(packet);
        /* Fall through. */
    case FRAME_IP:
        /* Without addresses, its IP header may be malformed. */
        if (frame->type == FRAME_ICMP_ERROR
            || ipv6_addr_is_set(&frame->ip_src)
            || ipv6_addr_is_set(&frame->ip_dst)) {
            ovs_assert(dp_packet_l3(packet));
            ovs_assert(dp_packet_l3_size(packet) >= IP_HEADER_LEN);
            if (IN6_IS_ADDR_V4MAPPED(&frame->ip_src)) {
                check_icmp_error(packet, frame);
            }
        }
        break;
    case FRAME_ROUTER_SOLICIT:
    case FRAME_ROUTER_ADVERT:
    case FRAME_REDIRECT:
    case FRAME_MLD:
    case FRAME_BAD:
    default:
        OVS_NOT_REACHED();
    }
}

/* Aborts unless completing the checksum of 'packet' changes that at most, and
 * makes it right. */
static void
check_csum(const struct dp_packet *packet)
{
    struct dp_packet *copy = clone_packet(packet);
    const uint8_t *before = dp_packet_data(packet);
    const uint8_t *after = dp_packet_data(copy);
    size_t size = dp_packet_size(packet);
    bool changed = vmmob_csum_complete(copy);
    size_t first = 0, last = size;
    struct flow flow;

    ovs_assert(dp_packet_size(copy) == size);
    while (first < size && before[first] == after[first]) {
        first++;
    }
    while (last > first && before[last - 1] == after[last - 1]) {
        last--;
    }
    ovs_assert(last - first <= 2);
    ovs_assert(changed || first == last);

    flow_extract(copy, &flow);
    if (changed && flow.dl_type == htons(ETH_TYPE_IP)
        && dp_packet_l4(copy)) {
        uint32_t sum = packet_csum_pseudoheader(dp_packet_l3(copy));

        ovs_assert(!csum_finish(csum_continue(sum, dp_packet_l4(copy),
                                              dp_packet_l4_size(copy))));
    }
    dp_packet_delete(copy);
}

void
fuzz_frame(const uint8_t *data, size_t size)
{
    struct frame frames[2];

    /* So that the IP header is aligned to 2 bytes, as it mostly is, and to
     * 4. */
    for (size_t i = 0; i < ARRAY_SIZE(frames); i++) {
        struct dp_packet *packet
            = dp_packet_clone_data_with_headroom(data, size, 2 + 2 * i);

        check_csum(packet);
        memset(&frames[i], 0, sizeof frames[i]);
        check_frame(packet, &frames[i]);
        dp_packet_delete(packet);
    }
    ovs_assert(frames[0].type == frames[1].type);
}
