/* SPDX-License-Identifier: Apache-2.0 */

/* IPv6 packets from a VM or from the uplink: those that are ICMPv6 errors, and
 * the errors that ofproto-vmmob/icmp6.c makes about the others.  The input is
 * a frame. */

#include <config.h>
#undef NDEBUG
#include "fuzz.h"

#include <netinet/ip6.h>
#include <stdlib.h>
#include <string.h>

#include "csum.h"
#include "dp-packet.h"
#include "ofproto-vmmob/frame.h"
#include "ofproto-vmmob/router.h"
#include "packets.h"
#include "util.h"

static struct dp_packet *
clone_packet(const struct dp_packet *packet)
{
    return dp_packet_clone_with_headroom(packet, dp_packet_headroom(packet));
}

/* Returns what is wrong with the checksum of the ICMPv6 message 'packet': one
 * that is right stays so, and one that is wrong stays as wrong. */
static uint16_t
csum_error(const struct dp_packet *packet)
{
    /* Zero is written in two ways in one's complement. */
    return packet_csum_upperlayer6(dp_packet_l3(packet), dp_packet_l4(packet),
                                   IPPROTO_ICMPV6,
                                   dp_packet_l4_size(packet)) % 0xffff;
}

/* Aborts unless the addresses in 'packet', a FRAME_ICMP_ERROR, and those of
 * the packet inside can be replaced, and nothing else but the checksum
 * changes, which stays as right or wrong as it was. */
static void
check_translation(const struct dp_packet *packet)
{
    const struct in6_addr new_src = vmmob_gateway_lla();
    const struct in6_addr new_dst = {
        .s6_addr = { 0x20, 1, 0xd, 0xb8, 0xff, 0xff, 0xff, 0xff },
    };
    struct dp_packet *copy = clone_packet(packet);
    uint8_t *before = dp_packet_data(packet);
    uint8_t *after = dp_packet_data(copy);
    size_t l3 = (const uint8_t *) dp_packet_l3(packet) - before;
    size_t l4 = (const uint8_t *) dp_packet_l4(packet) - before;
    size_t inner = l4 + ICMP6_DATA_HEADER_LEN;
    struct in6_addr src, dst;
    bool found = vmmob_frame_get_embedded(packet, &src, &dst);

    if (found) {
        struct in6_addr src2, dst2;

        ovs_assert(!IN6_IS_ADDR_V4MAPPED(&src) && !IN6_IS_ADDR_V4MAPPED(&dst));
        ovs_assert(!memcmp(before + inner + 8, &src, 16));
        ovs_assert(!memcmp(before + inner + 24, &dst, 16));
        vmmob_frame_set_embedded(copy, &new_src, &new_dst);
        ovs_assert(csum_error(copy) == csum_error(packet));
        ovs_assert(vmmob_frame_get_embedded(copy, &src2, &dst2));
        ovs_assert(ipv6_addr_equals(&src2, &new_src));
        ovs_assert(ipv6_addr_equals(&dst2, &new_dst));
        memcpy(after + inner + 8, before + inner + 8, 32);
        memcpy(after + l4 + 2, before + l4 + 2, 2);
        ovs_assert(!memcmp(before, after, dp_packet_size(packet)));
    }

    vmmob_frame_set_addresses(copy, &new_src, &new_dst);
    ovs_assert(dp_packet_size(copy) == dp_packet_size(packet));
    memcpy(after + l3 + 8, before + l3 + 8, 32);
    memcpy(after + l4 + 2, before + l4 + 2, 2);
    ovs_assert(!memcmp(before, after, dp_packet_size(packet)));
    dp_packet_delete(copy);
}

/* Aborts unless what is sent about 'packet', which is what 'frame' says, is an
 * error as RFC 4443 wants it, and there is none where there must not be. */
static void
check_error(const struct dp_packet *packet, const struct frame *frame,
            enum frame_error type)
{
    const struct in6_addr router = vmmob_gateway_lla();
    struct dp_packet *error = vmmob_frame_compose_icmp_error(
        packet, type, 1400, vmmob_gateway_mac, &router);

    if (!error) {
        return;
    }
    ovs_assert(frame->type != FRAME_ICMP_ERROR
               && frame->type != FRAME_REDIRECT);
    ovs_assert(vmmob_addr_is_unicast(&frame->ip_from));
    ovs_assert(type == FRAME_ERROR_TOO_BIG || !frame->multicast);

    const struct ovs_16aligned_ip6_hdr *ip6 = dp_packet_l3(packet);
    struct in6_addr src, dst;
    struct frame parsed;
    const char *l4;

    vmmob_frame_parse(error, &parsed);
    l4 = dp_packet_l4(error);
    ovs_assert(parsed.type == FRAME_ICMP_ERROR);
    ovs_assert(!csum_error(error));
    ovs_assert(ipv6_addr_equals(&parsed.ip_dst, &frame->ip_from));
    ovs_assert(ipv6_addr_equals(&parsed.ip_src, &router));
    ovs_assert(dp_packet_l3_size(error) <= 1280);
    ovs_assert(dp_packet_l3_size(error) == 1280
               || (dp_packet_l4_size(error) - ICMP6_DATA_HEADER_LEN
                   == IPV6_HEADER_LEN + ntohs(ip6->ip6_plen)));
    ovs_assert(!memcmp(l4 + ICMP6_DATA_HEADER_LEN, ip6,
                       dp_packet_l4_size(error) - ICMP6_DATA_HEADER_LEN));
    ovs_assert(!vmmob_frame_get_embedded(error, &src, &dst)
               || !memcmp(&src, &frame->ip_from, sizeof src));
    dp_packet_delete(error);
}

void
fuzz_icmp6(const uint8_t *data, size_t size)
{
    struct frame frames[2];

    /* So that the IP header is aligned to 2 bytes, as it mostly is, and to
     * 4. */
    for (size_t i = 0; i < ARRAY_SIZE(frames); i++) {
        struct dp_packet *packet
            = dp_packet_clone_data_with_headroom(data, size, 2 + 2 * i);
        struct frame *frame = &frames[i];

        memset(frame, 0, sizeof *frame);
        vmmob_frame_parse(packet, frame);
        if (frame->type != FRAME_BAD && frame->family == VMMOB_IPV6) {
            ovs_assert(!IN6_IS_ADDR_V4MAPPED(&frame->ip_src));
            ovs_assert(!IN6_IS_ADDR_V4MAPPED(&frame->ip_dst));
            if (frame->type == FRAME_ICMP_ERROR) {
                check_translation(packet);
            }
            for (int error = FRAME_ERROR_NO_ROUTE;
                 error <= FRAME_ERROR_TIME_EXCEEDED; error++) {
                check_error(packet, frame, error);
            }
        }
        dp_packet_delete(packet);
    }
    ovs_assert(frames[0].type == frames[1].type);
}
