/* SPDX-License-Identifier: Apache-2.0 */

/* IPv6 in ofproto-vmmob/frame.c, with nd.c and icmp6.c. */

#include <config.h>
#undef NDEBUG
#include "vmmob-test.h"

#include <netinet/icmp6.h>
#include <netinet/ip6.h>
#include <stdlib.h>
#include <string.h>

#include "command-line.h"
#include "csum.h"
#include "dp-packet.h"
#include "flow.h"
#include "ofproto-vmmob/frame.h"
#include "ofproto-vmmob/nd.h"
#include "ofproto-vmmob/router.h"
#include "openvswitch/dynamic-string.h"
#include "packets.h"
#include "random.h"
#include "util.h"

/* Where things are in a frame without extension headers. */
enum {
    IP6_OFS = ETH_HEADER_LEN,
    PLEN_OFS = IP6_OFS + 4,
    NEXT_OFS = IP6_OFS + 6,
    HLIM_OFS = IP6_OFS + 7,
    SRC_OFS = IP6_OFS + 8,
    DST_OFS = IP6_OFS + 24,
    L4_OFS = IP6_OFS + IPV6_HEADER_LEN,
    /* With the router alert of MLD. */
    MLD_OFS = L4_OFS + 8,
    TARGET_OFS = L4_OFS + 8,
    OPTION_OFS = L4_OFS + ND_MSG_LEN,
};

/* Frames that scapy made of what the RFCs say, from a VMN with MAC address
 * 52:54:00:00:00:0a, or from the router, and what they mean. */
static const struct vector {
    const char *name;
    const char *meaning;
    const char *hex;
} vectors[] = {
    { "ns",
      "question 52:54:00:00:00:0a: fd00:64::a > fd00:64::b, to all",
      "3333ff00000b52540000000a86dd6000000000203afffd0000640000"
      "0000000000000000000aff0200000000000000000001ff00000b8700"
      "2c5700000000fd00006400000000000000000000000b010152540000"
      "000a" },
    { "ns-unicast",
      "question 52:54:00:00:00:0a: fd00:64::a > fd00:64::b",
      "52540000000b52540000000a86dd6000000000183afffd0000640000"
      "0000000000000000000afd00006400000000000000000000000b8700"
      "805e00000000fd00006400000000000000000000000b" },
    { "ns-other-sha",
      "question 52:54:00:00:00:0b: fd00:64::a > fd00:64::b, to all",
      "3333ff00000b52540000000a86dd6000000000203afffd0000640000"
      "0000000000000000000aff0200000000000000000001ff00000b8700"
      "2c5600000000fd00006400000000000000000000000b010152540000"
      "000b" },
    { "ns-dad",
      "question 52:54:00:00:00:0a: :: > fd00:64::b, to all",
      "3333ff00000b52540000000a86dd6000000000183aff000000000000"
      "00000000000000000000ff0200000000000000000001ff00000b8700"
      "7d2d00000000fd00006400000000000000000000000b" },
    { "ns-dad-nonce",
      "question 52:54:00:00:00:0a: :: > fd00:64::b, to all",
      "3333ff00000b52540000000a86dd6000000000203aff000000000000"
      "00000000000000000000ff0200000000000000000001ff00000b8700"
      "44f700000000fd00006400000000000000000000000b0e0161626364"
      "6566" },
    { "na",
      "answer 52:54:00:00:00:0a: fd00:64::a > fd00:64::b, solicited, override",
      "52540000000b52540000000a86dd6000000000203afffd0000640000"
      "0000000000000000000afd00006400000000000000000000000b8800"
      "caf760000000fd00006400000000000000000000000a020152540000"
      "000a" },
    { "na-bare",
      "answer 52:54:00:00:00:0a: fd00:64::a > fd00:64::b, from "
      "fe80::5054:ff:fe00:a, solicited, router",
      "52540000000b52540000000a86dd6000000000183afffe8000000000"
      "0000505400fffe00000afd00006400000000000000000000000b8800"
      "6eeec0000000fd00006400000000000000000000000a" },
    { "na-unsolicited",
      "answer 52:54:00:00:00:0a: fd00:64::a > fd00:64::a, to all, override",
      "33330000000152540000000a86dd6000000000203afffd0000640000"
      "0000000000000000000aff0200000000000000000000000000018800"
      "096420000000fd00006400000000000000000000000a020152540000"
      "000a" },
    { "na-gateway",
      "answer 02:56:4d:4d:4f:42: fd00:64::1 > fd00:64::a, "
      "solicited, override, router",
      "52540000000a02564d4d4f4286dd6000000000203afffd0000640000"
      "00000000000000000001fd00006400000000000000000000000a8800"
      "fe82e0000000fd000064000000000000000000000001020102564d4d"
      "4f42" },
    { "rs",
      "router solicit 52:54:00:00:00:0a: fe80::5054:ff:fe00:a > "
      "ff02::2, to all",
      "33330000000252540000000a86dd6000000000103afffe8000000000"
      "0000505400fffe00000aff0200000000000000000000000000028500"
      "da7100000000010152540000000a" },
    { "rs-no-source",
      "router solicit 52:54:00:00:00:0a: :: > ff02::2, to all",
      "33330000000252540000000a86dd6000000000083aff000000000000"
      "00000000000000000000ff0200000000000000000000000000028500"
      "7bb800000000" },
    { "ra",
      "router advert 02:56:4d:4d:4f:42: fe80::56:4dff:fe4d:4f42 > "
      "ff02::1, to all, router, lifetime 1800",
      "33330000000102564d4d4f4286dd6000000000403afffe8000000000"
      "000000564dfffe4d4f42ff0200000000000000000000000000018600"
      "2364400007080000000000000000010102564d4d4f42050100000000"
      "05dc030440c0000151800000384000000000fd000064000000000000"
      "000000000000" },
    { "redirect",
      "redirect 02:56:4d:4d:4f:42: fe80::56:4dff:fe4d:4f42 > fd00:64::a",
      "52540000000a02564d4d4f4286dd6000000000303afffe8000000000"
      "000000564dfffe4d4f42fd00006400000000000000000000000a8900"
      "8f7f00000000fd00006400000000000000000000000bfd0000640000"
      "0000000000000000000b020152540000000b" },
    { "mld-query",
      "MLD 52:54:00:00:00:0a: fe80::5054:ff:fe00:a > ff02::1, to all",
      "33330000000152540000000a86dd6000000000200001fe8000000000"
      "0000505400fffe00000aff0200000000000000000000000000013a00"
      "050200000100820009ba271000000000000000000000000000000000"
      "0000" },
    { "mld-report",
      "MLD 52:54:00:00:00:0a: fe80::5054:ff:fe00:a > ff02::c, to all",
      "33330000000c52540000000a86dd6000000000200001fe8000000000"
      "0000505400fffe00000aff02000000000000000000000000000c3a00"
      "050200000100830030b000000000ff02000000000000000000000000"
      "000c" },
    { "mld-done",
      "MLD 52:54:00:00:00:0a: fe80::5054:ff:fe00:a > ff02::2, to all",
      "33330000000252540000000a86dd6000000000200001fe8000000000"
      "0000505400fffe00000aff0200000000000000000000000000023a00"
      "05020000010084002fba00000000ff02000000000000000000000000"
      "000c" },
    { "mld2-report",
      "MLD 52:54:00:00:00:0a: fe80::5054:ff:fe00:a > ff02::16, to all",
      "33330000001652540000000a86dd6000000000240001fe8000000000"
      "0000505400fffe00000aff0200000000000000000000000000163a00"
      "0502000001008f0020a10000000104000000ff020000000000000000"
      "00000000000c" },
    { "mld2-no-source",
      "MLD 52:54:00:00:00:0a: :: > ff02::16, to all",
      "33330000001652540000000a86dd6000000000240001000000000000"
      "00000000000000000000ff0200000000000000000000000000163a00"
      "0502000001008f006f7f0000000104000000ff020000000000000000"
      "0001ff00000b" },
    { "unreachable",
      "ICMP error 52:54:00:00:00:0a: 2001:db8::1 > fd00:64::a",
      "52540000000b52540000000a86dd60000000003d3a4020010db80000"
      "00000000000000000001fd00006400000000000000000000000a0103"
      "626a0000000060000000000d1103fd00006400000000000000000000"
      "000afd00006400000000000000000000000b03e807d0000db56b6865"
      "6c6c6f" },
    { "too-big",
      "ICMP error 52:54:00:00:00:0a: 2001:db8::1 > fd00:64::a",
      "52540000000b52540000000a86dd60000000003d3a4020010db80000"
      "00000000000000000001fd00006400000000000000000000000a0200"
      "5bf50000057860000000000d1103fd00006400000000000000000000"
      "000afd00006400000000000000000000000b03e807d0000db56b6865"
      "6c6c6f" },
    { "time-exceeded",
      "ICMP error 52:54:00:00:00:0a: 2001:db8::1 > fd00:64::a",
      "52540000000b52540000000a86dd60000000003d3a4020010db80000"
      "00000000000000000001fd00006400000000000000000000000a0300"
      "606d0000000060000000000d1103fd00006400000000000000000000"
      "000afd00006400000000000000000000000b03e807d0000db56b6865"
      "6c6c6f" },
    { "parameter",
      "ICMP error 52:54:00:00:00:0a: 2001:db8::1 > fd00:64::a",
      "52540000000b52540000000a86dd60000000003d3a4020010db80000"
      "00000000000000000001fd00006400000000000000000000000a0401"
      "5f660000000660000000000d1103fd00006400000000000000000000"
      "000afd00006400000000000000000000000b03e807d0000db56b6865"
      "6c6c6f" },
    { "echo",
      "IP 52:54:00:00:00:0a: fd00:64::a > fd00:64::b",
      "52540000000b52540000000a86dd6000000000093a40fd0000640000"
      "0000000000000000000afd00006400000000000000000000000b8000"
      "0cda0001000278" },
    { "udp",
      "IP 52:54:00:00:00:0a: fd00:64::a > fd00:64::b",
      "52540000000b52540000000a86dd60000000000d1103fd0000640000"
      "0000000000000000000afd00006400000000000000000000000b03e8"
      "07d0000db56b68656c6c6f" },
    { "esp",
      "IP 52:54:00:00:00:0a: fd00:64::a > fd00:64::b",
      "52540000000b52540000000a86dd6000000000183240fd0000640000"
      "0000000000000000000afd00006400000000000000000000000b0000"
      "0102000000017a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a" },
    { "extensions",
      "IP 52:54:00:00:00:0a: fd00:64::a > fd00:64::b",
      "52540000000b52540000000a86dd60000000001a0040fd0000640000"
      "0000000000000000000afd00006400000000000000000000000b3c00"
      "010400000000110001040000000000010002000a9c8f6869" },
    { "first-fragment",
      "IP 52:54:00:00:00:0a: fd00:64::a > fd00:64::b",
      "52540000000b52540000000a86dd6000000000182c40fd0000640000"
      "0000000000000000000afd00006400000000000000000000000b1100"
      "00010000000700010002006400013031323334353637" },
    { "later-fragment",
      "IP 52:54:00:00:00:0a: fd00:64::a > fd00:64::b",
      "52540000000b52540000000a86dd6000000000102c40fd0000640000"
      "0000000000000000000afd00006400000000000000000000000b3a00"
      "0010000000070100000000000000" },
    { "ns-fragment",
      "bad",
      "3333ff00000b52540000000a86dd6000000000282cfffd0000640000"
      "0000000000000000000aff0200000000000000000001ff00000b3a00"
      "00010000000787002c5700000000fd00006400000000000000000000"
      "000b010152540000000a" },
    { "dhcp6",
      "IP 52:54:00:00:00:0a: fe80::5054:ff:fe00:a > ff02::1:2, to all",
      "33330001000252540000000a86dd60000000000c1101fe8000000000"
      "0000505400fffe00000aff0200000000000000000000000100020222"
      "0223000c4ae801616263" },
};

static struct in6_addr
addr(const char *s)
{
    struct in6_addr a;

    ovs_assert(vmmob_addr_from_string(s, &a));
    return a;
}

/* Returns the frame called 'name'. */
static struct dp_packet *
get_vector(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        if (!strcmp(vectors[i].name, name)) {
            struct dp_packet *packet = dp_packet_new(0);

            ovs_assert(!*dp_packet_put_hex(packet, vectors[i].hex, NULL));
            return packet;
        }
    }
    ovs_fatal(0, "no vector %s", name);
}

static char *
format_frame(const struct frame *f)
{
    static const char *const types[] = {
        [FRAME_QUESTION] = "question",
        [FRAME_ANSWER] = "answer",
        [FRAME_RARP] = "RARP",
        [FRAME_ROUTER_SOLICIT] = "router solicit",
        [FRAME_ROUTER_ADVERT] = "router advert",
        [FRAME_REDIRECT] = "redirect",
        [FRAME_MLD] = "MLD",
        [FRAME_IP] = "IP",
        [FRAME_ICMP_ERROR] = "ICMP error",
        [FRAME_BAD] = "bad",
    };
    struct ds s = DS_EMPTY_INITIALIZER;

    ds_put_cstr(&s, types[f->type]);
    if (f->type == FRAME_BAD) {
        return ds_steal_cstr(&s);
    }
    ds_put_format(&s, " "ETH_ADDR_FMT": ", ETH_ADDR_ARGS(f->sha));
    vmmob_addr_format(&f->ip_src, &s);
    ds_put_cstr(&s, " > ");
    vmmob_addr_format(&f->ip_dst, &s);
    if (!ipv6_addr_equals(&f->ip_from, &f->ip_src)) {
        ds_put_cstr(&s, ", from ");
        vmmob_addr_format(&f->ip_from, &s);
    }
    ds_put_cstr(&s, f->multicast ? ", to all" : "");
    ds_put_cstr(&s, f->solicited ? ", solicited" : "");
    ds_put_cstr(&s, f->override ? ", override" : "");
    ds_put_cstr(&s, f->router ? ", router" : "");
    if (f->router_lifetime) {
        ds_put_format(&s, ", lifetime %"PRIu16, f->router_lifetime);
    }
    return ds_steal_cstr(&s);
}

/* Fails unless 'packet', which is freed, means 'meaning'. */
static void
check_meaning(const char *name, struct dp_packet *packet, const char *meaning)
{
    struct frame frame;

    vmmob_frame_parse(packet, &frame);
    char *s = format_frame(&frame);
    if (strcmp(s, meaning)) {
        fail("%s: %s instead of %s", name, s, meaning);
    }
    if (frame.family != VMMOB_IPV6 && frame.type != FRAME_BAD) {
        fail("%s: not IPv6", name);
    }
    free(s);
    dp_packet_delete(packet);
}

/* Puts the checksum into the ICMPv6 message at 'ofs' of 'packet'. */
static void
fix_csum(struct dp_packet *packet, size_t ofs)
{
    const struct ovs_16aligned_ip6_hdr *ip6
        = dp_packet_at_assert(packet, IP6_OFS, sizeof *ip6);
    size_t size = IP6_OFS + IPV6_HEADER_LEN + ntohs(ip6->ip6_plen) - ofs;
    struct icmp6_header *icmp = dp_packet_at(packet, ofs, size);

    if (icmp && size >= sizeof *icmp) {
        icmp->icmp6_cksum = 0;
        icmp->icmp6_cksum = packet_csum_upperlayer6(ip6, icmp, IPPROTO_ICMPV6,
                                                    size);
    }
}

/* What must not be believed, or still must: vectors, with one change and, but
 * for the last ones, with a right checksum. */
static void
check_changed(void)
{
    static const struct {
        const char *what;
        const char *vector;
        size_t ofs;             /* SIZE_MAX: 'bytes' follow the frame. */
        const char *bytes;      /* In hexadecimal. */
        bool ok;
    } changes[] = {
#define ALL(NAME)                                                       \
        { "hop limit", NAME, HLIM_OFS, "fe", false },                   \
        { "code", NAME, L4_OFS + 1, "01", false },                      \
        { "reserved", NAME, L4_OFS + 7, "01", true },                   \
        { "group as source", NAME, SRC_OFS, "ff02", false },            \
        { "IPv4-mapped source", NAME, SRC_OFS,                          \
          "00000000000000000000ffff0a640001", false },                  \
        { "option of length 0", NAME, SIZE_MAX, "0e00000000000000",     \
          false },                                                      \
        { "option beyond the end", NAME, SIZE_MAX, "0e02000000000000",  \
          false },                                                      \
        { "rest of an option", NAME, SIZE_MAX, "0e010000", false },     \
        { "one byte more", NAME, SIZE_MAX, "0e", false },               \
        { "unknown option", NAME, SIZE_MAX, "fe01000000000000", true }
        ALL("ns"),
        ALL("ns-unicast"),
        ALL("ns-dad"),
        ALL("na"),
        ALL("na-unsolicited"),
        ALL("rs"),
        ALL("rs-no-source"),
        ALL("ra"),
        ALL("redirect"),
#undef ALL
        { "group as target", "ns", TARGET_OFS, "ff02", false },
        { "target ::", "ns", TARGET_OFS,
          "00000000000000000000000000000000", false },
        { "target ::1", "ns", TARGET_OFS,
          "00000000000000000000000000000001", false },
        { "IPv4-mapped target", "ns", TARGET_OFS,
          "00000000000000000000ffff0a640001", false },
        { "IPv4-mapped destination", "ns-unicast", DST_OFS,
          "00000000000000000000ffff0a640001", false },
        { "group as MAC address", "ns", OPTION_OFS + 2, "01", false },
        { "MAC address 0", "ns", OPTION_OFS + 2, "000000000000", false },
        { "two MAC addresses", "ns", SIZE_MAX, "010152540000000b", false },
        { "the same twice", "ns", SIZE_MAX, "010152540000000a", true },
        { "other option", "ns", SIZE_MAX, "020152540000000b", true },
        { "long MAC address", "ns", SIZE_MAX,
          "01020000000000000000000000000000", true },
        { "DAD with MAC address", "ns-dad", SIZE_MAX, "010152540000000a",
          false },
        { "DAD to all nodes", "ns-dad", DST_OFS + 11, "0000000001", false },
        { "DAD to one host", "ns-dad", DST_OFS, "fd00", false },
        { "DAD to another group", "ns-dad", DST_OFS + 13, "010203", true },
        { "no source", "na", SRC_OFS,
          "00000000000000000000000000000000", false },
        { "group as target", "na", TARGET_OFS, "ff02", false },
        { "IPv4-mapped target", "na", TARGET_OFS,
          "00000000000000000000ffff0a640001", false },
        { "solicited, to a group", "na-unsolicited", L4_OFS + 4, "60", false },
        { "solicited, to another group", "na", DST_OFS, "ff0e", false },
        { "group as MAC address", "na", OPTION_OFS + 2, "01", false },
        { "two MAC addresses", "na", SIZE_MAX, "020152540000000b", false },
        { "MAC address without source", "rs-no-source", SIZE_MAX,
          "010152540000000a", false },
        { "global source", "ra", SRC_OFS, "fd00", false },
        { "no source", "ra", SRC_OFS, "00000000000000000000000000000000",
          false },
        { "global source", "redirect", SRC_OFS, "fd00", false },
        { "group as target", "redirect", TARGET_OFS, "ff02", false },
        { "another target", "redirect", TARGET_OFS, "fd01", false },
        { "link-local target", "redirect", TARGET_OFS, "fe80", true },
        { "group as destination", "redirect", TARGET_OFS + 16, "ff02",
          false },
    };
    static const struct {
        const char *what;
        const char *vector;
        size_t ofs;
        const char *bytes;
        bool ok;
    } mld_changes[] = {
        { "hop limit", "mld-report", HLIM_OFS, "02", false },
        { "hop limit 255", "mld2-report", HLIM_OFS, "ff", false },
        { "global source", "mld-report", SRC_OFS, "fd00", false },
        { "global source", "mld2-report", SRC_OFS, "fd00", false },
        { "IPv4-mapped source", "mld2-report", SRC_OFS,
          "00000000000000000000ffff0a640001", false },
        { "code", "mld-done", MLD_OFS + 1, "01", true },
        { "more", "mld2-report", SIZE_MAX, "00000000", true },
        { "hop limit", "mld-query", HLIM_OFS, "40", false },
    };

    for (size_t i = 0; i < ARRAY_SIZE(changes) + ARRAY_SIZE(mld_changes);
         i++) {
        bool mld = i >= ARRAY_SIZE(changes);
        size_t j = mld ? i - ARRAY_SIZE(changes) : i;
        const char *vector = (mld ? mld_changes[j].vector
                              : changes[j].vector);
        const char *what = mld ? mld_changes[j].what : changes[j].what;
        const char *hex = mld ? mld_changes[j].bytes : changes[j].bytes;
        size_t ofs = mld ? mld_changes[j].ofs : changes[j].ofs;
        bool ok = mld ? mld_changes[j].ok : changes[j].ok;
        struct dp_packet *packet = get_vector(vector);
        struct dp_packet *bytes = dp_packet_new(0);
        struct frame frame;

        dp_packet_put_hex(bytes, hex, NULL);
        size_t n = dp_packet_size(bytes);
        if (ofs == SIZE_MAX) {
            ofs = dp_packet_size(packet);
            dp_packet_put_uninit(packet, n);

            ovs_be16 plen = htons(dp_packet_size(packet) - L4_OFS);
            memcpy(dp_packet_at_assert(packet, PLEN_OFS, 2), &plen, 2);
        }
        memcpy(dp_packet_at_assert(packet, ofs, n), dp_packet_data(bytes), n);
        fix_csum(packet, mld ? MLD_OFS : L4_OFS);
        vmmob_frame_parse(packet, &frame);
        if ((frame.type != FRAME_BAD) != ok || frame.type == FRAME_IP) {
            char *s = format_frame(&frame);

            fail("%s, %s: %s", vector, what, s);
            free(s);
        }
        dp_packet_delete(bytes);
        dp_packet_delete(packet);
    }
}

/* A byte less, or any bit of the message or of its addresses other, and it is
 * bad. */
static void
check_garbled(const char *vector)
{
    struct dp_packet *original = get_vector(vector);
    size_t size = dp_packet_size(original);
    struct frame frame;

    for (size_t cut = ETH_HEADER_LEN; cut < size; cut++) {
        for (int fix = 0; fix < 2; fix++) {
            struct dp_packet *packet = get_vector(vector);

            dp_packet_set_size(packet, cut);
            if (fix && cut >= L4_OFS) {
                ovs_be16 plen = htons(cut - L4_OFS);

                memcpy(dp_packet_at_assert(packet, PLEN_OFS, 2), &plen, 2);
                fix_csum(packet, L4_OFS);
            }
            vmmob_frame_parse(packet, &frame);
            /* What has no message is just an IP packet; one without its last
             * option may be right. */
            bool is_ip = !fix || cut <= L4_OFS;
            bool whole = !is_ip && (cut - L4_OFS) % 8 == 0;
            if (is_ip ? frame.type != FRAME_IP
                : whole ? frame.type == FRAME_IP
                : frame.type != FRAME_BAD) {
                fail("%s, %"PRIuSIZE" bytes: not bad", vector, cut);
            }
            dp_packet_delete(packet);
        }
    }
    for (size_t bit = SRC_OFS * 8; bit < size * 8; bit++) {
        if (bit / 8 == L4_OFS) {
            continue;               /* Another type. */
        }

        struct dp_packet *packet = get_vector(vector);
        uint8_t *data = dp_packet_data(packet);

        data[bit / 8] ^= 1 << bit % 8;
        vmmob_frame_parse(packet, &frame);
        if (frame.type != FRAME_BAD) {
            fail("%s, bit %"PRIuSIZE": not bad", vector, bit);
        }
        dp_packet_delete(packet);
    }
    dp_packet_delete(original);
}

/* Fails unless 'packet', which is freed, is the vector 'name', but for the
 * Ethernet padding. */
static void
check_composed(const char *name, struct dp_packet *packet)
{
    struct dp_packet *vector = get_vector(name);

    if (dp_packet_size(packet) != dp_packet_size(vector)
        || memcmp(dp_packet_data(packet), dp_packet_data(vector),
                  dp_packet_size(vector))) {
        fail("%s is composed in another way", name);
    }
    dp_packet_delete(vector);
    dp_packet_delete(packet);
}

static void
check_compose(void)
{
    const struct eth_addr a = ETH_ADDR_C(52,54,00,00,00,0a);
    const struct eth_addr b = ETH_ADDR_C(52,54,00,00,00,0b);
    const struct in6_addr ga = addr("fd00:64::a");
    const struct in6_addr gb = addr("fd00:64::b");
    const struct in6_addr router = addr("fd00:64::1");
    const struct in6_addr ipv4 = addr("10.100.0.1");
    const struct in6_addr lla = vmmob_gateway_lla();
    const struct vmmob_nd_prefix prefix = {
        .prefix = { .addr = addr("fd00:64::"), .plen = 64 },
        .on_link = true,
        .autonomous = true,
        .valid = 86400,
        .preferred = 14400,
    };
    const struct vmmob_nd_router ra = {
        .lifetime = 1800,
        .mtu = 1500,
        .hop_limit = 64,
        .prefixes = &prefix,
        .n_prefixes = 1,
    };
    const struct vmmob_nd_router no_ra = { .lifetime = 0 };

    check_composed("ns", vmmob_frame_compose_question(a, NULL, &ga, &gb));
    check_composed("na", vmmob_frame_compose_answer(a, &ga, b, &gb));
    check_composed("na-unsolicited", vmmob_frame_compose_announcement(a, &ga));
    check_composed("na-unsolicited",
                   vmmob_frame_compose_answer(a, &ga, b, &in6addr_any));
    check_composed("na-gateway",
                   vmmob_frame_compose_answer(vmmob_gateway_mac, &router, a,
                                              &ga));
    check_composed("ra", vmmob_nd_compose_router_advert(
        &ra, vmmob_gateway_mac, &lla, NULL, NULL));

    check_meaning("to one host",
                  vmmob_frame_compose_question(a, &b, &ga, &gb),
                  "question 52:54:00:00:00:0a: fd00:64::a > fd00:64::b");
    check_meaning("without source",
                  vmmob_frame_compose_question(a, NULL, &in6addr_any, &gb),
                  "question 52:54:00:00:00:0a: fe80::5054:ff:fe00:a > "
                  "fd00:64::b, to all");
    check_meaning("without source of the family",
                  vmmob_frame_compose_question(a, &b, &ipv4, &gb),
                  "question 52:54:00:00:00:0a: fe80::5054:ff:fe00:a > "
                  "fd00:64::b");
    check_meaning("no router any more",
                  vmmob_nd_compose_router_advert(&no_ra, vmmob_gateway_mac,
                                                 &lla, &a, &ga),
                  "router advert 02:56:4d:4d:4f:42: fe80::56:4dff:fe4d:4f42 > "
                  "fd00:64::a, router");
    check_meaning("to one without source",
                  vmmob_nd_compose_router_advert(&ra, vmmob_gateway_mac, &lla,
                                                 &a, &in6addr_any),
                  "router advert 02:56:4d:4d:4f:42: fe80::56:4dff:fe4d:4f42 > "
                  "ff02::1, to all, router, lifetime 1800");

    char *s = vmmob_addr_to_string(&lla, "");
    if (strcmp(s, "fe80::56:4dff:fe4d:4f42")) {
        fail("link-local address of the router is %s", s);
    }
    free(s);
}

void
vmmob_test_frames(struct ovs_cmdl_context *ctx OVS_UNUSED)
{
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        check_meaning(vectors[i].name, get_vector(vectors[i].name),
                      vectors[i].meaning);

        /* With padding, as from a device with a shortest length. */
        struct dp_packet *packet = get_vector(vectors[i].name);
        dp_packet_put_zeros(packet, 9);
        check_meaning(vectors[i].name, packet, vectors[i].meaning);

        /* Tagged frames are not for us. */
        packet = get_vector(vectors[i].name);
        eth_push_vlan(packet, htons(ETH_TYPE_VLAN_8021Q), htons(5));
        check_meaning(vectors[i].name, packet, "bad");
    }
    check_changed();
    check_garbled("ns");
    check_garbled("ns-dad");
    check_garbled("na");
    check_garbled("rs");
    check_garbled("ra");
    check_garbled("redirect");
    check_compose();
}

/* ICMPv6 errors. */

static void
put_random(struct dp_packet *packet, size_t n)
{
    random_bytes(dp_packet_put_uninit(packet, n), n);
}

/* Returns a packet from 'src' to 'dst' with random extension headers, protocol
 * and size. */
static struct dp_packet *
random_packet(const struct in6_addr *src, const struct in6_addr *dst)
{
    static const uint8_t extensions[] = {
        IPPROTO_HOPOPTS, IPPROTO_DSTOPTS, IPPROTO_ROUTING, IPPROTO_AH,
        IPPROTO_FRAGMENT,
    };
    static const uint8_t protos[] = {
        IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ESP, IPPROTO_SCTP, IPPROTO_NONE,
    };
    struct dp_packet *packet = dp_packet_new(0);
    const struct eth_addr mac = ETH_ADDR_C(52,54,00,00,00,0a);
    size_t n = random_range(3);
    uint8_t next = protos[random_range(ARRAY_SIZE(protos))];

    eth_compose(packet, mac, mac, ETH_TYPE_IPV6, 0);
    put_random(packet, IPV6_HEADER_LEN);
    for (size_t i = 0; i < n; i++) {
        size_t len = 16;
        uint8_t type = extensions[random_range(ARRAY_SIZE(extensions))];
        uint8_t ext[16] = { next, 1 };

        if (type == IPPROTO_AH) {
            ext[1] = 2;
        } else if (type == IPPROTO_FRAGMENT) {
            len = 8;
            ext[1] = 0;
            ext[3] = 1;             /* The first of several. */
        }
        next = type;
        dp_packet_put(packet, ext, len);
        /* The one before is to follow this one. */
        char *p = dp_packet_at_assert(packet, L4_OFS, 0);
        memmove(p + len, p, dp_packet_size(packet) - L4_OFS - len);
        memcpy(p, ext, len);
    }
    put_random(packet, random_range(random_range(2) ? 100 : 3000));

    uint8_t *ip6 = dp_packet_at_assert(packet, IP6_OFS, IPV6_HEADER_LEN);
    ovs_be16 plen = htons(dp_packet_size(packet) - L4_OFS);
    ip6[0] = 0x60 | (ip6[0] & 0xf);
    memcpy(ip6 + 4, &plen, sizeof plen);
    ip6[6] = next;
    memcpy(ip6 + 8, src, sizeof *src);
    memcpy(ip6 + 24, dst, sizeof *dst);
    return packet;
}

/* Fails unless 'error' is an error with 'type', 'code' and 'mtu' about
 * 'packet'. */
static void
check_error_about(struct dp_packet *error, const struct dp_packet *packet,
                  uint8_t type, uint8_t code, uint16_t mtu)
{
    const struct ovs_16aligned_ip6_hdr *ip6
        = dp_packet_at_assert(packet, IP6_OFS, sizeof *ip6);
    const struct in6_addr gateway = addr("fd00:64::1");
    struct in6_addr src, dst;
    struct frame frame;
    const uint8_t *l4;

    vmmob_frame_parse(error, &frame);
    l4 = dp_packet_l4(error);
    if (frame.type != FRAME_ICMP_ERROR
        || !ipv6_addr_equals(&frame.ip_src, &gateway)
        || memcmp(&frame.ip_dst, &ip6->ip6_src, sizeof frame.ip_dst)
        || !eth_addr_equals(frame.src, vmmob_gateway_mac)) {
        fail("not an ICMP error to the sender");
        return;
    }

    size_t size = dp_packet_l3_size(error);
    size_t quoted = size - IPV6_HEADER_LEN - ICMP6_DATA_HEADER_LEN;
    size_t expected = MIN(dp_packet_size(packet) - IP6_OFS,
                          1280 - IPV6_HEADER_LEN - ICMP6_DATA_HEADER_LEN);
    if (dp_packet_size(error) != ETH_HEADER_LEN + size || quoted != expected
        || memcmp(l4 + ICMP6_DATA_HEADER_LEN, ip6, quoted)) {
        fail("%"PRIuSIZE" bytes quoted of %"PRIuSIZE, quoted, expected);
    }
    ovs_be32 expected_mtu = htonl(mtu);
    if (l4[0] != type || l4[1] != code
        || memcmp(l4 + 4, &expected_mtu, sizeof expected_mtu)) {
        fail("type %d, code %d, MTU %d", l4[0], l4[1], mtu);
    }
    if (packet_csum_upperlayer6(dp_packet_l3(error), l4, IPPROTO_ICMPV6,
                                dp_packet_l4_size(error))) {
        fail("wrong checksum in an error");
    }
    if (!vmmob_frame_get_embedded(error, &src, &dst)
        || memcmp(&src, &ip6->ip6_src, sizeof src)
        || memcmp(&dst, &ip6->ip6_dst, sizeof dst)) {
        fail("wrong addresses in an error");
    }
}

static const struct {
    enum frame_error error;
    uint8_t type, code;
} error_types[] = {
    { FRAME_ERROR_NO_ROUTE, 1, 0 },
    { FRAME_ERROR_PROHIBITED, 1, 1 },
    { FRAME_ERROR_NO_HOST, 1, 3 },
    { FRAME_ERROR_TOO_BIG, 2, 0 },
    { FRAME_ERROR_TIME_EXCEEDED, 3, 0 },
};

static struct dp_packet *
compose_error(struct dp_packet *packet, enum frame_error error, uint16_t mtu)
{
    const struct in6_addr gateway = addr("fd00:64::1");
    struct frame frame;

    vmmob_frame_parse(packet, &frame);
    return vmmob_frame_compose_icmp_error(packet, error, mtu,
                                          vmmob_gateway_mac, &gateway);
}

/* Random unicast address, of those that guests have. */
static struct in6_addr
random_addr(void)
{
    struct in6_addr a;

    random_bytes(&a, sizeof a);
    a.s6_addr[0] = 0xfd;
    return a;
}

/* Returns an address with another prefix than 'a', and the same sum. */
static struct in6_addr
random_neutral(const struct in6_addr *a)
{
    struct in6_addr b = random_addr();

    b.s6_addr[14] = b.s6_addr[15] = 0;
    uint32_t last = (vmmob_addr_sum(a) + 0xffff - vmmob_addr_sum(&b)) % 0xffff;
    b.s6_addr[14] = last >> 8;
    b.s6_addr[15] = last;
    return b;
}

/* However much of a packet is quoted: its addresses can be replaced, nothing
 * else changes, and the checksum of the error stays right. */
static void
check_translation(struct dp_packet *error)
{
    struct frame frame;
    struct in6_addr src, dst;
    size_t size = dp_packet_size(error);
    size_t n_quoted = size - L4_OFS - ICMP6_DATA_HEADER_LEN;
    size_t cut = random_range(2) ? n_quoted : random_range(n_quoted + 1);

    dp_packet_set_size(error, L4_OFS + ICMP6_DATA_HEADER_LEN + cut);
    ovs_be16 plen = htons(ICMP6_DATA_HEADER_LEN + cut);
    memcpy(dp_packet_at_assert(error, PLEN_OFS, 2), &plen, 2);
    fix_csum(error, L4_OFS);
    vmmob_frame_parse(error, &frame);
    if (frame.type != FRAME_ICMP_ERROR) {
        fail("%"PRIuSIZE" bytes quoted: not an error", cut);
        return;
    }
    bool found = vmmob_frame_get_embedded(error, &src, &dst);
    if (found != (cut >= IPV6_HEADER_LEN)) {
        fail("%"PRIuSIZE" bytes quoted: embedded addresses", cut);
        return;
    }

    struct dp_packet *copy = dp_packet_clone(error);
    uint8_t *before = dp_packet_data(error);
    uint8_t *after = dp_packet_data(copy);
    size_t inner = L4_OFS + ICMP6_DATA_HEADER_LEN;
    /* Not neutral: the checksum of the error is right all the same. */
    bool neutral = !found || random_range(4);
    const struct in6_addr new[] = {
        !found || neutral ? random_neutral(&frame.ip_dst) : random_addr(),
        !found || neutral ? random_neutral(&frame.ip_src) : random_addr(),
        found && neutral ? random_neutral(&src) : random_addr(),
        found && neutral ? random_neutral(&dst) : random_addr(),
    };

    vmmob_frame_set_embedded(copy, &new[2], &new[3]);
    vmmob_frame_set_addresses(copy, &new[1], &new[0]);
    if (packet_csum_upperlayer6(dp_packet_l3(copy), after + L4_OFS,
                                IPPROTO_ICMPV6, ntohs(plen))) {
        fail("wrong checksum after translation");
    }
    if (neutral && memcmp(before + L4_OFS + 2, after + L4_OFS + 2, 2)) {
        fail("other checksum after translation");
    }
    if (memcmp(after + SRC_OFS, &new[1], 16)
        || memcmp(after + DST_OFS, &new[0], 16)
        || (found && (memcmp(after + inner + 8, &new[2], 16)
                      || memcmp(after + inner + 24, &new[3], 16)))) {
        fail("addresses were not replaced");
    }
    memcpy(after + SRC_OFS, before + SRC_OFS, 32);
    memcpy(after + L4_OFS + 2, before + L4_OFS + 2, 2);
    if (found) {
        memcpy(after + inner + 8, before + inner + 8, 32);
    }
    if (dp_packet_size(copy) != dp_packet_size(error)
        || memcmp(before, after, dp_packet_size(error))) {
        fail("something else was replaced");
    }
    dp_packet_delete(copy);
}

/* What there must be no error about. */
static void
check_no_error(void)
{
    static const struct {
        const char *what;
        const char *vector;
        size_t ofs;
        const char *bytes;
        bool too_big_only;
    } packets[] = {
        { "a group", "udp", DST_OFS, "ff0e", true },
        { "a group's MAC address", "udp", 0, "3333", true },
        { "from a group", "udp", SRC_OFS, "ff0e", false },
        { "from nobody", "udp", SRC_OFS, "00000000000000000000000000000000",
          false },
        { "from ::1", "udp", SRC_OFS, "00000000000000000000000000000001",
          false },
        { "IPv4-mapped", "udp", SRC_OFS, "00000000000000000000ffff0a640001",
          false },
        { "to nobody", "udp", DST_OFS, "00000000000000000000000000000000",
          false },
        { "an error", "unreachable", 0, "", false },
        { "an error", "too-big", 0, "", false },
        { "an error", "time-exceeded", 0, "", false },
        { "an error", "parameter", 0, "", false },
        { "an unknown error", "parameter", L4_OFS, "7f", false },
        { "a redirect", "redirect", 0, "", false },
        { "a later fragment", "later-fragment", 0, "", false },
        { "an extension header that is cut", "extensions", L4_OFS + 1, "ff",
          false },
    };

    for (size_t i = 0; i < ARRAY_SIZE(packets); i++) {
        for (size_t j = 0; j < ARRAY_SIZE(error_types); j++) {
            struct dp_packet *packet = get_vector(packets[i].vector);
            struct dp_packet *bytes = dp_packet_new(0);

            dp_packet_put_hex(bytes, packets[i].bytes, NULL);
            if (dp_packet_size(bytes)) {
                memcpy(dp_packet_at_assert(packet, packets[i].ofs,
                                           dp_packet_size(bytes)),
                       dp_packet_data(bytes), dp_packet_size(bytes));
            }

            struct dp_packet *error = compose_error(
                packet, error_types[j].error, 1400);
            bool expected = (packets[i].too_big_only
                             && error_types[j].error == FRAME_ERROR_TOO_BIG);
            if (!!error != expected) {
                fail("%s: %s error of type %d", packets[i].what,
                     error ? "an" : "no", error_types[j].type);
            }
            dp_packet_delete(error);
            dp_packet_delete(bytes);
            dp_packet_delete(packet);
        }
    }

    /* What is in an error must be IPv6. */
    static const struct {
        size_t ofs;
        const char *bytes;
    } inners[] = {
        { 0, "45" },
        { 8, "00000000000000000000ffff0a640001" },
        { 24, "00000000000000000000ffff0a640001" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(inners); i++) {
        struct dp_packet *packet = get_vector("too-big");
        struct dp_packet *bytes = dp_packet_new(0);
        struct in6_addr src, dst;
        struct frame frame;

        dp_packet_put_hex(bytes, inners[i].bytes, NULL);
        memcpy(dp_packet_at_assert(packet, (L4_OFS + ICMP6_DATA_HEADER_LEN
                                            + inners[i].ofs),
                                   dp_packet_size(bytes)),
               dp_packet_data(bytes), dp_packet_size(bytes));
        vmmob_frame_parse(packet, &frame);
        ovs_assert(frame.type == FRAME_ICMP_ERROR);
        if (vmmob_frame_get_embedded(packet, &src, &dst)) {
            fail("%s in an ICMPv6 error", inners[i].bytes);
        }
        dp_packet_delete(bytes);
        dp_packet_delete(packet);
    }
}

void
vmmob_test_icmp6(struct ovs_cmdl_context *ctx)
{
    static const char *const others[] = {
        "echo", "udp", "esp", "extensions", "first-fragment", "ns",
    };
    uint32_t seed, n;

    parse_seed(ctx, &seed, &n);
    check_no_error();
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        struct dp_packet *packet = get_vector(others[i]);
        struct dp_packet *error = compose_error(packet, FRAME_ERROR_TOO_BIG,
                                                1400);

        if (!error) {
            fail("no error about %s", others[i]);
        } else {
            check_error_about(error, packet, 2, 0, 1400);
        }
        dp_packet_delete(error);
        dp_packet_delete(packet);
    }
    for (uint32_t i = 0; i < n; i++) {
        start_case(seed, i);

        const struct in6_addr src = random_addr();
        const struct in6_addr dst = random_addr();
        struct dp_packet *packet = random_packet(&src, &dst);
        size_t j = random_range(ARRAY_SIZE(error_types));
        uint16_t mtu = random_uint16();
        struct dp_packet *error
            = compose_error(packet, error_types[j].error, mtu);

        if (!error) {
            fail("no error");
        } else {
            check_error_about(
                error, packet, error_types[j].type, error_types[j].code,
                error_types[j].error == FRAME_ERROR_TOO_BIG ? mtu : 0);
            check_translation(error);
        }
        dp_packet_delete(error);
        dp_packet_delete(packet);
    }
}
