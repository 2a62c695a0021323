/* SPDX-License-Identifier: Apache-2.0 */

/* Both address families: lib/vmmob-addr.c, lib/vmmob-prefix-set.c. */

#include <config.h>
#undef NDEBUG
#include "vmmob-test.h"

#include <stdlib.h>
#include <string.h>

#include "command-line.h"
#include "openvswitch/dynamic-string.h"
#include "packets.h"
#include "util.h"
#include "vmmob-addr.h"
#include "vmmob-prefix-set.h"

/* Fails unless the elements of list 's', at most 'max', are 'expected',
 * separated by spaces; where they are prefixes, each with its address. */
static void
check_list(const char *s, bool prefixes, size_t max, const char *expected,
           const char *error)
{
    struct vmmob_prefix p[4];
    struct in6_addr a[4];
    struct ds text = DS_EMPTY_INITIALIZER;
    size_t n = 77;

    check_error(s, (prefixes ? vmmob_prefix_parse_list(s, p, a, max, &n)
                    : vmmob_addr_parse_list(s, a, max, &n)), error);
    for (size_t i = 0; i < n && i < ARRAY_SIZE(p); i++) {
        if (i) {
            ds_put_char(&text, ' ');
        }
        if (prefixes) {
            vmmob_prefix_format(&p[i], &text);
            ds_put_char(&text, '=');
        }
        vmmob_addr_format(&a[i], &text);
    }
    if (strcmp(ds_cstr(&text), expected)) {
        fail("list \"%s\": %s", s, ds_cstr(&text));
    }
    ds_destroy(&text);
}

static struct vmmob_prefix
parse(const char *s)
{
    struct vmmob_prefix prefix;

    check_error(s, vmmob_prefix_parse(s, &prefix, NULL), NULL);
    return prefix;
}

/* A set that has IPv6 prefixes around the place that IPv4 addresses have in
 * the numbers. */
static void
check_set(void)
{
    static const char *const v6[] = {
        "::/0", "::/80", "::fffe:0:0/95", "::fffe:0:0/96",
    };
    static const char *const v4[] = {
        "0.0.0.0/0", "10.0.0.0/8", "255.255.255.255/32",
    };
    const struct vmmob_prefix last = parse("ffff::/16");
    const struct vmmob_prefix first = parse("::1/128");

    for (size_t i = 0; i < ARRAY_SIZE(v6); i++) {
        for (size_t j = 0; j < ARRAY_SIZE(v4); j++) {
            const struct vmmob_prefix six = parse(v6[i]);
            const struct vmmob_prefix four = parse(v4[j]);
            struct vmmob_prefix_set set;

            vmmob_prefix_set_init(&set);
            vmmob_prefix_set_add(&set, &six);
            if (vmmob_prefix_set_contains(&set, &four.addr)
                || vmmob_prefix_set_overlaps(&set, &four)) {
                fail("%s has addresses of %s", v6[i], v4[j]);
            }
            vmmob_prefix_set_add(&set, &four);
            vmmob_prefix_set_add(&set, &last);
            vmmob_prefix_set_add(&set, &first);
            if (!vmmob_prefix_set_covers(&set, &six)
                || !vmmob_prefix_set_covers(&set, &four)
                || !vmmob_prefix_set_contains(&set, &four.addr)
                || !vmmob_prefix_set_contains(&set, &six.addr)
                || !vmmob_prefix_set_contains(&set, &last.addr)) {
                fail("%s and %s cover each other", v6[i], v4[j]);
            }
            vmmob_prefix_set_remove(&set, &six);
            if (!vmmob_prefix_set_covers(&set, &four)
                || !vmmob_prefix_set_covers(&set, &first)
                || !vmmob_prefix_set_covers(&set, &last)
                || set.n_cover != 3) {
                fail("without %s, something is not covered", v6[i]);
            }
            vmmob_prefix_set_add(&set, &six);
            vmmob_prefix_set_remove(&set, &four);
            if (!vmmob_prefix_set_covers(&set, &six)
                || vmmob_prefix_set_contains(&set, &four.addr)) {
                fail("without %s, %s is something else", v4[j], v6[i]);
            }
            vmmob_prefix_set_remove(&set, &six);
            vmmob_prefix_set_remove(&set, &first);
            vmmob_prefix_set_remove(&set, &last);
            if (set.n_cover) {
                fail("%s and %s: %"PRIuSIZE" prefixes left", v6[i], v4[j],
                     set.n_cover);
            }
            vmmob_prefix_set_destroy(&set);
        }
    }
}

void
vmmob_test_families(struct ovs_cmdl_context *ctx OVS_UNUSED)
{
    static const struct {
        const char *s;
        enum vmmob_family family;
        bool link_local;
        uint16_t sum;
    } addrs[] = {
        { "10.0.0.1", VMMOB_IPV4, false, 0 },
        { "169.254.0.1", VMMOB_IPV4, false, 0 },
        { "::fffe:10.0.0.1", VMMOB_IPV6, false, 0x0a00 },
        { "::1:ffff:10.0.0.1", VMMOB_IPV6, false, 0x0a02 },
        { "fe80::1", VMMOB_IPV6, true, 0xfe81 },
        { "febf:ffff::1", VMMOB_IPV6, true, 0xfec0 },
        { "fec0::1", VMMOB_IPV6, false, 0xfec1 },
        { "fe7f::1", VMMOB_IPV6, false, 0xfe80 },
        { "ff02::1", VMMOB_IPV6, false, 0xff03 },
        /* Zero is written in two ways. */
        { "fd00::2ff", VMMOB_IPV6, false, 0 },
        { "fd00::2fe:ffff:1", VMMOB_IPV6, false, 0 },
        { "fd00::", VMMOB_IPV6, false, 0xfd00 },
        { "fd00::ffff", VMMOB_IPV6, false, 0xfd00 },
    };

    for (size_t i = 0; i < ARRAY_SIZE(addrs); i++) {
        struct vmmob_prefix p = parse(addrs[i].s);

        if (vmmob_addr_family(&p.addr) != addrs[i].family
            || vmmob_prefix_family(&p) != addrs[i].family) {
            fail("%s is %s", addrs[i].s,
                 vmmob_family_to_string(vmmob_addr_family(&p.addr)));
        }
        if (vmmob_addr_is_link_local(&p.addr) != addrs[i].link_local) {
            fail("%s: wrong about link-local", addrs[i].s);
        }
        if (addrs[i].family == VMMOB_IPV6
            && vmmob_addr_sum(&p.addr) != addrs[i].sum) {
            fail("%s: sum is %#x", addrs[i].s, vmmob_addr_sum(&p.addr));
        }
    }
    ovs_assert(!strcmp(vmmob_family_to_string(VMMOB_IPV4), "IPv4"));
    ovs_assert(!strcmp(vmmob_family_to_string(VMMOB_IPV6), "IPv6"));

    check_list("10.0.0.1,fd00::1", false, 4, "10.0.0.1 fd00::1", NULL);
    check_list(" fd00::1 , 10.0.0.1,", false, 2, "fd00::1 10.0.0.1", NULL);
    check_list("10.0.0.1", false, 1, "10.0.0.1", NULL);
    check_list("10.0.0.1 fd00::1", false, 1, "", "more than 1 address");
    check_list("fd00::1 fd00::2 fd00::3", false, 2, "",
               "more than 2 addresses");
    check_list("fd00::1,x", false, 4, "", "x: not an IP address");
    check_list("fd00::1/64", false, 4, "", "fd00::1/64: not an IP address");
    check_list("", false, 4, "", "no address");
    check_list(", ,", false, 4, "", "no address");

    check_list("10.0.0.1/24,fd00::1/64", true, 4,
               "10.0.0.0/24=10.0.0.1 fd00::/64=fd00::1", NULL);
    check_list("fd00::1", true, 1, "fd00::1/128=fd00::1", NULL);
    check_list("fd00::/64,fd01::/64", true, 1, "", "more than 1 prefix");
    check_list("fd00::/64,fd01::/64,fd02::/64", true, 2, "",
               "more than 2 prefixes");
    check_list("fd00::/64,10.0.0.0/33", true, 4, "",
               "10.0.0.0/33: prefix length is not from 0 to 32");
    check_list(" ", true, 4, "", "no prefix");

    check_set();
}
