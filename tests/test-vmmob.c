/* SPDX-License-Identifier: Apache-2.0 */

/* Tests of functions in lib/, ofproto-vmmob/ and utilities/vmmobd-limits.c
 * that need no daemon: records, the table, messages, queues, frames, rules,
 * settings, damping, limits and hashes.  tests/vmmob-lib.at runs them.
 *
 * Tests that take a SEED do the same each time for the same SEED.  If a case
 * fails, they print its seed.  With that seed, and 1 as the number of cases,
 * the test repeats just that case. */

#include <config.h>
#undef NDEBUG
#include "vmmob-binding.h"
#include "vmmob-csum.h"
#include "vmmob-hash.h"
#include "vmmob-msg.h"
#include "vmmob-prefix-set.h"
#include "vmmob-reply.h"
#include "vmmob-sync.h"
#include "vmmob-table.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "command-line.h"
#include "csum.h"
#include "dp-packet.h"
#include "flow.h"
#include "hash.h"
#include "jsonrpc.h"
#include "ofproto-vmmob/damping.h"
#include "ofproto-vmmob/fairq.h"
#include "ofproto-vmmob/flow-index.h"
#include "ofproto-vmmob/frame.h"
#include "ofproto-vmmob/moves.h"
#include "ofproto-vmmob/pipeline.h"
#include "ofproto-vmmob/pipeline-vmn.h"
#include "ofproto-vmmob/resolver.h"
#include "ofproto-vmmob/tail.h"
#include "ofproto-vmmob/handover-core.h"
#include "ofproto-vmmob/handover.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "openvswitch/vlog.h"
#include "ovstest.h"
#include "packets.h"
#include "random.h"
#include "smap.h"
#include "timeval.h"
#include "util.h"
#include "uuid.h"
#include "utilities/vmmobd-limits.h"
#include "utilities/vmmobd-rowset.h"
#include "vmmob-compat.h"
#include "vmmob-test.h"

/* Number of failures so far. */
static unsigned int n_failures;

/* The seed of the case that is being tested, or 0. */
static uint32_t case_seed;

/* Reports a failure. */
void
fail(const char *format, ...)
{
    va_list args;

    if (case_seed) {
        fprintf(stderr, "seed %"PRIu32": ", case_seed);
    }
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    putc('\n', stderr);
    n_failures++;
}

/* Fails unless 'actual' is 'expected', where a null pointer is "OK".  Frees
 * 'actual'. */
void
check_error(const char *what, char *actual, const char *expected)
{
    if (!nullable_string_is_equal(actual, expected)) {
        fail("%s: \"%s\" instead of \"%s\"", what, actual ? actual : "OK",
             expected ? expected : "OK");
    }
    free(actual);
}

/* Prepares the case 'i' of a test that was started with 'seed'. */
void
start_case(uint32_t seed, uint32_t i)
{
    case_seed = seed + i;
    if (!case_seed) {
        case_seed = 1;
    }
    random_set_seed(case_seed);

    /* Seeds that are near to each other start out similar. */
    for (int j = 0; j < 8; j++) {
        random_uint32();
    }
}

/* Parses the SEED and N of the command line. */
void
parse_seed(struct ovs_cmdl_context *ctx, uint32_t *seed, uint32_t *n)
{
    *seed = strtoul(ctx->argv[1], NULL, 10);
    *n = strtoul(ctx->argv[2], NULL, 10);
}

static struct in6_addr
addr(const char *s)
{
    struct in6_addr a;

    if (!vmmob_addr_from_string(s, &a)) {
        ovs_fatal(0, "%s: bad address", s);
    }
    return a;
}

static struct vmmob_prefix
prefix(const char *s)
{
    struct vmmob_prefix p;
    char *error = vmmob_prefix_parse(s, &p, NULL);

    if (error) {
        ovs_fatal(0, "%s", error);
    }
    return p;
}

/* Returns the key number 'n'.  They are in ascending order. */
static struct vmmob_key
key_nth(unsigned int n)
{
    struct vmmob_key key = {
        .tenant = n / 2,
        .mac = ETH_ADDR_C(52,54,00,00,00,00),
    };

    key.mac.ea[5] = n % 2;
    return key;
}

/* Parses 's', in which "'" stands for '"'. */
static struct json *
parse_json(const char *s)
{
    /* Only an array or an object can stand alone. */
    char *copy = xasprintf("[%s]", s);
    struct json *array, *json;

    for (char *p = copy; *p; p++) {
        if (*p == '\'') {
            *p = '"';
        }
    }
    array = json_from_string(copy);
    if (array->type != JSON_ARRAY) {
        ovs_fatal(0, "%s: %s", s, json_string(array));
    }
    json = json_clone(json_array_at(array, 0));
    json_destroy(array);
    free(copy);
    return json;
}

/* Returns a random number from 'min' to 'max'. */
static unsigned int
range(unsigned int min, unsigned int max)
{
    return min + random_range(max - min + 1);
}


/* Records. */

/* What one record has in the tests of the merge rule. */
struct contender {
    enum vmmob_state state;
    uint64_t seqno;
    uint64_t ofs;
};

/* Prints which of two records is in force, for each of a table of cases. */
static void
test_compare(struct ovs_cmdl_context *ctx OVS_UNUSED)
{
#define A VMMOB_ACTIVE
#define P VMMOB_PREPARED
    static const struct {
        struct contender a, b;
        int expected;
        const char *why;
    } cases[] = {
        { { A, 1, 1 }, { A, 1, 1 }, 0, "the same" },
        { { P, 1, 1 }, { P, 1, 1 }, 0, "the same, prepared" },

        { { A, 2, 1 }, { A, 1, 1 }, 1, "higher sequence number" },
        { { A, 2, 1 }, { A, 1, 2 }, 1, "sequence number before OFS" },
        { { A, 1, 2 }, { A, 1, 1 }, 1, "tie, higher OFS" },
        { { A, 10, 1 }, { A, 9, 1 }, 1, "not compared as text" },
        { { A, 1, 0 }, { A, 0, UINT64_MAX }, 1, "zero is the lowest" },
        { { A, VMMOB_MAX_SEQNO, 1 }, { A, 0, 2 }, 1, "does not wrap" },
        { { A, 1ULL << 32, 1 }, { A, 1, 2 }, 1, "all 64 bits of seqno" },
        { { A, 1, 1ULL << 63 }, { A, 1, 1 }, 1, "all 64 bits of OFS" },
        { { A, 1, 1ULL << 32 }, { A, 1, 2 }, 1, "OFS is no int" },

        { { A, 1, 1 }, { P, 1, 1 }, 1, "active" },
        { { A, 1, 1 }, { P, 2, 1 }, 1, "active before sequence number" },
        { { A, 1, 1 }, { P, 2, 2 }, 1, "active before anything" },
        { { A, 0, 1 }, { P, VMMOB_MAX_SEQNO, 2 }, 1, "active at zero" },
        { { P, 2, 1 }, { P, 1, 2 }, 1, "both prepared" },
        { { P, 1, 2 }, { P, 1, 1 }, 1, "both prepared, tie" },
    };
#undef A
#undef P

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct vmmob_key key = key_nth(0);
        struct vmmob_vmn a, b;
        int ab, ba;

        vmmob_vmn_init(&a, &key, cases[i].a.ofs);
        a.state = cases[i].a.state;
        a.seqno = cases[i].a.seqno;
        vmmob_vmn_init(&b, &key, cases[i].b.ofs);
        b.state = cases[i].b.state;
        b.seqno = cases[i].b.seqno;

        ab = vmmob_vmn_compare(&a, &b);
        ba = vmmob_vmn_compare(&b, &a);
        if ((ab > 0) - (ab < 0) != cases[i].expected
            || (ba > 0) - (ba < 0) != -cases[i].expected) {
            fail("%s: %d and %d instead of %d", cases[i].why, ab, ba,
                 cases[i].expected);
        }
        vmmob_vmn_destroy(&a);
        vmmob_vmn_destroy(&b);
    }
}

/* Fails unless the home addresses of 'vmn', as text, are 'expected'. */
static void
check_hoas(const struct vmmob_vmn *vmn, const char *expected)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    for (size_t i = 0; i < vmn->n_pairs; i++) {
        ds_put_cstr(&s, i ? " " : "");
        vmmob_addr_format(&vmn->pairs[i].hoa, &s);
        ds_put_char(&s, '>');
        vmmob_addr_format(&vmn->pairs[i].moa, &s);
    }
    if (strcmp(ds_cstr(&s), expected)) {
        fail("pairs are \"%s\" instead of \"%s\"", ds_cstr(&s), expected);
    }
    ds_destroy(&s);
}

/* Tests the pairs of a VMN: order, limits, aliasing. */
static void
test_pairs(struct ovs_cmdl_context *ctx OVS_UNUSED)
{
    struct in6_addr h1 = addr("10.0.0.1"), h2 = addr("10.0.0.2");
    struct in6_addr h3 = addr("fd00::1"), m1 = addr("192.0.2.1");
    struct vmmob_key key = key_nth(0);
    struct vmmob_vmn vmn, copy;

    vmmob_vmn_init(&vmn, &key, 1);
    ovs_assert(!vmmob_vmn_find_hoa(&vmn, &h1));
    ovs_assert(!vmmob_vmn_remove_hoa(&vmn, &h1));
    check_hoas(&vmn, "");

    ovs_assert(vmmob_vmn_set_pair(&vmn, &h3, &in6addr_any));
    ovs_assert(vmmob_vmn_set_pair(&vmn, &h2, &in6addr_any));
    ovs_assert(vmmob_vmn_set_pair(&vmn, &h1, &m1));
    check_hoas(&vmn, "10.0.0.1>192.0.2.1 10.0.0.2>:: fd00::1>::");
    ovs_assert(vmmob_vmn_find_hoa(&vmn, &h2) == &vmn.pairs[1]);
    ovs_assert(!vmmob_vmn_find_hoa(&vmn, &m1));

    /* Arguments that point into the record. */
    ovs_assert(vmmob_vmn_set_pair(&vmn, &vmn.pairs[0].moa,
                                  &vmn.pairs[0].hoa));
    check_hoas(&vmn, "10.0.0.1>192.0.2.1 10.0.0.2>:: 192.0.2.1>10.0.0.1 "
               "fd00::1>::");
    ovs_assert(vmmob_vmn_remove_hoa(&vmn, &vmn.pairs[2].hoa));
    ovs_assert(vmmob_vmn_set_pair(&vmn, &h1, &in6addr_any));
    check_hoas(&vmn, "10.0.0.1>:: 10.0.0.2>:: fd00::1>::");

    /* A copy is another record. */
    vmmob_vmn_clone(&copy, &vmn);
    ovs_assert(vmmob_vmn_equals(&copy, &vmn));
    vmmob_vmn_set_pair(&copy, &h1, &m1);
    ovs_assert(!vmmob_vmn_equals(&copy, &vmn));
    check_hoas(&vmn, "10.0.0.1>:: 10.0.0.2>:: fd00::1>::");
    vmmob_vmn_destroy(&copy);

    ovs_assert(vmmob_vmn_remove_hoa(&vmn, &h1));
    ovs_assert(vmmob_vmn_remove_hoa(&vmn, &h3));
    ovs_assert(vmmob_vmn_remove_hoa(&vmn, &h2));
    check_hoas(&vmn, "");

    /* As many as there may be, then one more. */
    for (int i = VMMOB_MAX_PAIRS; i > 0; i--) {
        struct in6_addr hoa = in6_addr_mapped_ipv4(htonl(0x0a000000 + i));

        ovs_assert(vmmob_vmn_set_pair(&vmn, &hoa, &in6addr_any));
    }
    ovs_assert(!vmmob_vmn_set_pair(&vmn, &h3, &m1));
    ovs_assert(vmmob_vmn_set_pair(&vmn, &h2, &m1));
    ovs_assert(vmn.n_pairs == VMMOB_MAX_PAIRS);
    check_error("full", vmmob_vmn_validate(&vmn), NULL);
    vmmob_vmn_destroy(&vmn);
    vmmob_vmn_destroy(NULL);
    vmmob_ofs_destroy(NULL);
}

/* Tests invalid records that cannot come from JSON or from the functions that
 * change a record.  "malformed" tests the others. */
static void
test_validate(struct ovs_cmdl_context *ctx OVS_UNUSED)
{
    struct vmmob_pair pairs[VMMOB_MAX_PAIRS + 1];
    struct vmmob_prefix pools[VMMOB_MAX_POOLS + 1];
    const struct vmmob_vmn good_vmn = {
        .key = key_nth(0),
        .ofs = 1,
        .n_pairs = 2,
        .pairs = pairs,
    };
    struct vmmob_ofs good_ofs = {
        .id = 1,
        .site = CONST_CAST(char *, ""),
        .uplink = prefix("192.0.2.0/24"),
        .mac = good_vmn.key.mac,
        .n_pools = 1,
        .pools = pools,
    };
    struct vmmob_vmn vmn;
    struct vmmob_ofs ofs;

    for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
        pairs[i] = (struct vmmob_pair) {
            .hoa = in6_addr_mapped_ipv4(htonl(0x0a000001 + i)),
        };
    }
    for (size_t i = 0; i < ARRAY_SIZE(pools); i++) {
        pools[i] = prefix("192.0.2.128/25");
    }

    check_error("good VMN", vmmob_vmn_validate(&good_vmn), NULL);
    vmn = good_vmn;
    vmn.ofs = 0;
    check_error("OFS", vmmob_vmn_validate(&vmn), "OFS id is zero");
    vmn = good_vmn;
    vmn.seqno = VMMOB_MAX_SEQNO;
    check_error("seqno", vmmob_vmn_validate(&vmn), NULL);
    vmn.seqno++;
    check_error("seqno", vmmob_vmn_validate(&vmn),
                "sequence number 9223372036854775808 is too high");
    vmn = good_vmn;
    vmn.state = 2;
    check_error("state", vmmob_vmn_validate(&vmn), "state 2 is invalid");
    vmn = good_vmn;
    vmn.n_pairs = ARRAY_SIZE(pairs);
    check_error("n_pairs", vmmob_vmn_validate(&vmn),
                "17 home addresses are more than 16");
    vmn = good_vmn;
    pairs[0].hoa = pairs[2].hoa;
    check_error("order", vmmob_vmn_validate(&vmn),
                "home address 10.0.0.2 is out of order");
    pairs[0].hoa = pairs[1].hoa;
    check_error("twice", vmmob_vmn_validate(&vmn),
                "home address 10.0.0.2 is out of order");

    check_error("good OFS", vmmob_ofs_validate(&good_ofs), NULL);
    ofs = good_ofs;
    ofs.id = 0;
    check_error("id", vmmob_ofs_validate(&ofs), "OFS id is zero");
    ofs = good_ofs;
    ofs.n_pools = VMMOB_MAX_POOLS + 1;
    check_error("n_pools", vmmob_ofs_validate(&ofs),
                "17 pools are more than 16");
    ofs = good_ofs;
    ofs.uplink.plen = 129;
    check_error("plen", vmmob_ofs_validate(&ofs),
                "uplink has prefix length 129");
    ofs = good_ofs;
    pools[0].plen = 96;
    check_error("host bits", vmmob_ofs_validate(&ofs),
                "pool 192.0.2.128/0 has host bits set");
    pools[0].plen = 95;
    check_error("host bits", vmmob_ofs_validate(&ofs),
                "pool 192.0.2.128/95 has host bits set");

    static struct vmmob_network networks[VMMOB_MAX_NETWORKS + 1];

    for (size_t i = 0; i < ARRAY_SIZE(networks); i++) {
        networks[i].id = i;
    }
    pools[0] = prefix("192.0.2.128/25");
    ofs = good_ofs;
    ofs.networks = networks;
    ofs.n_networks = VMMOB_MAX_NETWORKS;
    check_error("networks", vmmob_ofs_validate(&ofs), NULL);
    ofs.n_networks++;
    check_error("n_networks", vmmob_ofs_validate(&ofs),
                "4097 networks are more than 4096");
    ofs.n_networks = 2;
    networks[1].id = 0;
    check_error("twice", vmmob_ofs_validate(&ofs),
                "network 0 is there twice, or out of order");
    networks[1].id = 1;
    networks[1].n_homes = VMMOB_MAX_NETWORK_HOMES + 1;
    check_error("n_homes", vmmob_ofs_validate(&ofs),
                "network 1: 9 prefixes are more than 8");
    networks[1].n_homes = 2;
    networks[1].homes[0] = networks[1].homes[1] = prefix("10.0.0.0/24");
    check_error("homes", vmmob_ofs_validate(&ofs),
                "network 1: prefixes are out of order");

    vmmob_ofs_init(&ofs, 1);
    check_error("initial OFS", vmmob_ofs_validate(&ofs),
                "uplink ::/0 is not unicast");
    vmmob_ofs_destroy(&ofs);
}


/* Text forms. */

static void
test_text(struct ovs_cmdl_context *ctx OVS_UNUSED)
{
    static const struct {
        const char *s;
        const char *expected;   /* Canonical form, NULL if 's' is bad. */
    } addrs[] = {
        { "10.0.0.1", "10.0.0.1" },
        { "0.0.0.0", "0.0.0.0" },
        { "255.255.255.255", "255.255.255.255" },
        { "::ffff:10.0.0.1", "10.0.0.1" },
        { "::FFFF:a00:1", "10.0.0.1" },
        { "::", "::" },
        { "2001:DB8:0:0::1", "2001:db8::1" },
        { "", NULL },
        { " 10.0.0.1", NULL },
        { "10.0.0.1 ", NULL },
        { "10.0.0", NULL },
        { "10.0.0.256", NULL },
        { "10.0.0.1.1", NULL },
        { "10.0.0.1/32", NULL },
        { "fe80::1%eth0", NULL },
        { "[::1]", NULL },
        { ":::", NULL },
        { "1:2:3:4:5:6:7:8:9", NULL },
        { "localhost", NULL },
    };
    static const struct {
        const char *s;
        uint64_t expected;      /* 0 if 's' is bad. */
    } ids[] = {
        { "0000000000000001", 1 },
        { "00002320ABCDEF01", 0x2320abcdef01 },
        { "ffffffffffffffff", UINT64_MAX },
        { "0000000000000000", 0 },
        { "000000000000001", 0 },
        { "00000000000000001", 0 },
        { "0x00000000000001", 0 },
        { "00000000000000 1", 0 },
        { "-000000000000001", 0 },
        { "000000000000000g", 0 },
        { "", 0 },
    };
    static const struct {
        const char *s;
        const char *net;        /* Expected prefix, NULL if 's' is bad. */
        const char *addr;       /* Expected address. */
        const char *error;      /* Expected error, if host bits may be set. */
        bool host_bits;         /* Expect an error if not. */
    } prefixes[] = {
        { "10.0.0.1/24", "10.0.0.0/24", "10.0.0.1", NULL, true },
        { "10.0.0.0/24", "10.0.0.0/24", "10.0.0.0", NULL, false },
        { "10.0.0.1", "10.0.0.1/32", "10.0.0.1", NULL, false },
        { "10.0.0.1/32", "10.0.0.1/32", "10.0.0.1", NULL, false },
        { "10.0.0.1/31", "10.0.0.0/31", "10.0.0.1", NULL, true },
        { "0.0.0.0/0", "0.0.0.0/0", "0.0.0.0", NULL, false },
        { "10.0.0.1/0", "0.0.0.0/0", "10.0.0.1", NULL, true },
        { "10.0.0.0/08", "10.0.0.0/8", "10.0.0.0", NULL, false },
        { "::ffff:10.0.0.1/120", "10.0.0.0/24", "10.0.0.1", NULL, true },
        { "::/0", "::/0", "::", NULL, false },
        { "fd00::1/64", "fd00::/64", "fd00::1", NULL, true },
        { "fd00::1/128", "fd00::1/128", "fd00::1", NULL, false },
        { "fd00::1", "fd00::1/128", "fd00::1", NULL, false },
        { "fd00:0:0:8::/61", "fd00:0:0:8::/61", "fd00:0:0:8::", NULL, false },
        { "fd00:0:0:9::/61", "fd00:0:0:8::/61", "fd00:0:0:9::", NULL, true },
#define BAD(S, ERROR) { S, NULL, NULL, S ": " ERROR, false }
#define SLASH "/"
        BAD("", "invalid IP address or prefix"),
        BAD(SLASH, "invalid IP address or prefix"),
        BAD(SLASH "24", "invalid IP address or prefix"),
        BAD("10.0.0/24", "invalid IP address or prefix"),
        BAD("10.0.0.300/24", "invalid IP address or prefix"),
        BAD(" 10.0.0.0/24", "invalid IP address or prefix"),
        BAD("fd00::g/64", "invalid IP address or prefix"),
        BAD("10.0.0.0/", "prefix length is not from 0 to 32"),
        BAD("10.0.0.0/33", "prefix length is not from 0 to 32"),
        BAD("10.0.0.0/-1", "prefix length is not from 0 to 32"),
        BAD("10.0.0.0/+8", "prefix length is not from 0 to 32"),
        BAD("10.0.0.0/ 8", "prefix length is not from 0 to 32"),
        BAD("10.0.0.0/8 ", "prefix length is not from 0 to 32"),
        BAD("10.0.0.0/8/8", "prefix length is not from 0 to 32"),
        BAD("10.0.0.0/x", "prefix length is not from 0 to 32"),
        BAD("10.0.0.0/4294967304", "prefix length is not from 0 to 32"),
        BAD("10.0.0.0/255.0.0.0", "prefix length is not from 0 to 32"),
        BAD("fd00::/129", "prefix length is not from 0 to 128"),
        BAD("::ffff:10.0.0.0/95", "prefix length of an IPv4-mapped address "
            "is less than 96"),
#undef SLASH
#undef BAD
    };
    static const struct {
        const char *a, *b;
        bool contains;          /* Is the address of 'b' in 'a'? */
        bool overlaps;
    } pairs[] = {
        { "10.0.0.0/24", "10.0.0.255", true, true },
        { "10.0.0.0/24", "10.0.1.0", false, false },
        { "10.0.0.0/24", "10.0.0.0/16", true, true },
        { "10.0.1.0/24", "10.0.0.0/16", false, true },
        { "10.0.0.0/24", "10.0.1.0/24", false, false },
        { "10.0.0.4/30", "10.0.0.7/32", true, true },
        { "10.0.0.4/30", "10.0.0.8/32", false, false },
        { "0.0.0.0/0", "255.255.255.255", true, true },
        { "0.0.0.0/0", "::/0", false, false },
        { "::/0", "10.0.0.1", false, false },
        { "::/0", "fd00::1", true, true },
        { "fd00::/64", "fd00::ffff:ffff:ffff:ffff", true, true },
        { "fd00::/64", "fd00:0:0:1::", false, false },
        { "fd00::/63", "fd00:0:0:1::/64", true, true },
    };

    for (size_t i = 0; i < ARRAY_SIZE(addrs); i++) {
        struct in6_addr a = in6addr_loopback;
        bool ok = vmmob_addr_from_string(addrs[i].s, &a);
        struct ds s = DS_EMPTY_INITIALIZER;

        vmmob_addr_format(&a, &s);
        if (ok != (addrs[i].expected != NULL)
            || strcmp(ds_cstr(&s), ok ? addrs[i].expected : "::1")) {
            fail("address \"%s\": %s %s", addrs[i].s, ok ? "good" : "bad",
                 ds_cstr(&s));
        }
        ds_destroy(&s);
    }

    for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
        uint64_t id = 5;
        bool ok = vmmob_ofs_id_from_string(ids[i].s, &id);

        if (ok != (ids[i].expected != 0)
            || id != (ok ? ids[i].expected : 5)) {
            fail("OFS id \"%s\": %s "VMMOB_OFS_ID_FMT, ids[i].s,
                 ok ? "good" : "bad", id);
        }
    }

    for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
        const struct vmmob_prefix unset = { .addr = in6addr_any, .plen = 77 };
        struct vmmob_prefix p = unset;
        struct in6_addr a = in6addr_any;
        const char *s = prefixes[i].s;
        struct ds ds = DS_EMPTY_INITIALIZER;
        char *error;

        error = vmmob_prefix_parse(s, &p, &a);
        if (!error) {
            struct in6_addr expected = addr(prefixes[i].addr);

            vmmob_prefix_format(&p, &ds);
            if (!nullable_string_is_equal(ds_cstr(&ds), prefixes[i].net)
                || !ipv6_addr_equals(&a, &expected)) {
                fail("prefix \"%s\": wrong result %s", s, ds_cstr(&ds));
            }
        } else if (!vmmob_prefix_equals(&p, &unset) || ipv6_addr_is_set(&a)) {
            fail("prefix \"%s\": result in spite of error", s);
        }
        check_error(s, error, prefixes[i].error);

        p = unset;
        error = vmmob_prefix_parse(s, &p, NULL);
        if (prefixes[i].host_bits) {
            char *expected = xasprintf("%s: host bits are set", s);

            check_error(s, error, expected);
            free(expected);
            if (!vmmob_prefix_equals(&p, &unset)) {
                fail("prefix \"%s\": result in spite of error", s);
            }
        } else {
            check_error(s, error, prefixes[i].error);
        }
        ds_destroy(&ds);
    }

    for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
        struct vmmob_prefix a = prefix(pairs[i].a);
        struct vmmob_prefix b = prefix(pairs[i].b);

        if (vmmob_prefix_contains(&a, &b.addr) != pairs[i].contains) {
            fail("%s contains %s", pairs[i].a, pairs[i].b);
        }
        if (vmmob_prefix_overlaps(&a, &b) != pairs[i].overlaps
            || vmmob_prefix_overlaps(&b, &a) != pairs[i].overlaps) {
            fail("%s overlaps %s", pairs[i].a, pairs[i].b);
        }
        if (!vmmob_prefix_equals(&a, &a) || vmmob_prefix_equals(&a, &b)) {
            fail("%s equals %s", pairs[i].a, pairs[i].b);
        }
    }

    enum vmmob_state state = VMMOB_PREPARED;
    ovs_assert(vmmob_state_from_string("active", &state)
               && state == VMMOB_ACTIVE);
    ovs_assert(vmmob_state_from_string("prepared", &state)
               && state == VMMOB_PREPARED);
    ovs_assert(!vmmob_state_from_string("Active", &state));
    ovs_assert(!vmmob_state_from_string("", &state));
    ovs_assert(state == VMMOB_PREPARED);
    ovs_assert(!strcmp(vmmob_state_to_string(VMMOB_ACTIVE), "active"));
    ovs_assert(!strcmp(vmmob_state_to_string(VMMOB_PREPARED), "prepared"));
}


/* Random records, from few values so that they collide. */

enum { N_KEYS = 4, N_OFSS = 3, N_ADDRS = 5 };

static struct in6_addr
hoa_nth(unsigned int n)
{
    return n % 4 == 3 ? addr("fd00::1")
           : in6_addr_mapped_ipv4(htonl(0x0a000001 + n));
}

/* Returns a mobile address for 'hoa', which may be unspecified, and which may
 * be the same for several 'hoa'. */
static struct in6_addr
random_moa(const struct in6_addr *hoa)
{
    unsigned int n = range(0, N_ADDRS);

    if (!n) {
        return in6addr_any;
    } else if (IN6_IS_ADDR_V4MAPPED(hoa)) {
        return in6_addr_mapped_ipv4(htonl(0xc0000200 + n));
    } else {
        struct in6_addr moa = addr("2001:db8::");

        moa.s6_addr[15] = n;
        return moa;
    }
}

/* Initializes 'vmn' at random.  It is valid.  If 'claims' is true, then it may
 * have just claimed some of its home addresses. */
static void
random_vmn(struct vmmob_vmn *vmn, const struct vmmob_key *key, uint64_t ofs,
           bool claims)
{
    unsigned int n = range(0, 3);

    vmmob_vmn_init(vmn, key, ofs);
    vmn->seqno = range(0, 2);
    vmn->state = range(0, 2) ? VMMOB_ACTIVE : VMMOB_PREPARED;
    for (unsigned int i = 0; i < n; i++) {
        struct in6_addr hoa = hoa_nth(range(0, N_ADDRS - 1));
        struct in6_addr moa = random_moa(&hoa);

        for (size_t j = 0; j < vmn->n_pairs; j++) {
            if (ipv6_addr_equals(&vmn->pairs[j].moa, &moa)) {
                moa = in6addr_any;
            }
        }
        vmmob_vmn_set_pair(vmn, &hoa, &moa);
        vmmob_vmn_find_hoa(vmn, &hoa)->claimed = claims && !range(0, 3);
    }
}

/* Initializes 'ofs' at random.  It is valid. */
static void
random_ofs(struct vmmob_ofs *ofs, uint64_t id)
{
    static const char *sites[] = { "", "paris", "S\303\243o \"Paulo\" \\" };
    static const char *pools[] = { "192.0.2.0/25", "2001:db8::/64",
                                   "198.51.100.1/32" };

    vmmob_ofs_init(ofs, id);
    free(ofs->site);
    ofs->site = xstrdup(sites[range(0, 2)]);
    ofs->uplink = prefix(pools[range(0, 2)]);
    ofs->mac = key_nth(range(0, N_KEYS - 1)).mac;
    if (range(0, 1)) {
        ofs->gateway = addr(range(0, 1) ? "192.0.2.1" : "fe80::1");
    }
    if (range(0, 1)) {
        ofs->gateway_mac = key_nth(range(0, N_KEYS - 1)).mac;
    }
    ofs->n_pools = range(0, 2);
    ofs->pools = xcalloc(ofs->n_pools, sizeof *ofs->pools);
    for (size_t i = 0; i < ofs->n_pools; i++) {
        ofs->pools[i] = prefix(pools[range(0, 2)]);
    }
    for (int i = range(0, 1) ? range(0, 3) : 0; i > 0; i--) {
        struct vmmob_network network;

        vmmob_network_init(&network, range(0, 3) ? range(0, 3) : UINT32_MAX);
        for (int j = range(0, 2); j > 0; j--) {
            struct vmmob_prefix home = prefix(pools[range(0, 2)]);

            vmmob_network_add_home(&network, &home);
        }
        vmmob_ofs_put_network(ofs, &network);
    }
    ofs->stale = range(0, 1);
    ofs->foreign = range(0, 1);
}


/* The table. */

/* A table without indexes, which looks at all rows instead. */
struct model {
    struct model_row {
        bool present;
        bool marked;
        struct vmmob_vmn vmn;
    } rows[N_KEYS][N_OFSS];
    struct model_ofs {
        bool present;
        bool marked;
        struct vmmob_ofs ofs;
    } ofss[N_OFSS];

    bool own[N_OFSS];           /* See vmmob_table_set_own(). */
    int now;                    /* Ticks. */
    bool ageless;               /* Everything is put at one time. */

    /* Since when a VMN claims a HoA, or a row lists a MoA; -1 if not. */
    int hoa_since[N_KEYS][N_ADDRS];
    int moa_since[N_KEYS][N_OFSS][2 * N_ADDRS];
};

static struct in6_addr
moa_nth(int i)
{
    struct in6_addr moa = addr(i < N_ADDRS ? "192.0.2.1" : "2001:db8::1");

    moa.s6_addr[15] += i % N_ADDRS;
    return moa;
}

static void
model_clear_row(struct model_row *row)
{
    if (row->present) {
        vmmob_vmn_destroy(&row->vmn);
        row->present = false;
    }
}

static void
model_clear_ofs(struct model_ofs *ofs)
{
    if (ofs->present) {
        vmmob_ofs_destroy(&ofs->ofs);
        ofs->present = false;
    }
}

static void
model_uninit(struct model *m)
{
    for (int k = 0; k < N_KEYS; k++) {
        for (int o = 0; o < N_OFSS; o++) {
            model_clear_row(&m->rows[k][o]);
        }
    }
    for (int o = 0; o < N_OFSS; o++) {
        model_clear_ofs(&m->ofss[o]);
    }
}

/* Returns true if 'a' is in force over 'b', which are rows for the same key or
 * for different ones.  Does not use vmmob_vmn_compare(). */
static bool
model_beats(const struct vmmob_vmn *a, const struct vmmob_vmn *b)
{
    if (a->state == VMMOB_PREPARED && b->state == VMMOB_ACTIVE) {
        return false;
    }
    if (a->state == VMMOB_ACTIVE && b->state == VMMOB_PREPARED) {
        return true;
    }
    return a->seqno > b->seqno || (a->seqno == b->seqno && a->ofs > b->ofs);
}

static const struct vmmob_vmn *
model_binding(const struct model *m, int k)
{
    const struct vmmob_vmn *best = NULL;

    for (int o = 0; o < N_OFSS; o++) {
        const struct model_row *row = &m->rows[k][o];

        if (row->present && (!best || model_beats(&row->vmn, best))) {
            best = &row->vmn;
        }
    }
    return best;
}

/* Notes since when rows claim their addresses.  Must be called after each
 * change. */
static void
model_note_ages(struct model *m)
{
    for (int k = 0; k < N_KEYS; k++) {
        const struct vmmob_vmn *binding = model_binding(m, k);

        for (int i = 0; i < N_ADDRS; i++) {
            struct in6_addr hoa = hoa_nth(i);
            int *since = &m->hoa_since[k][i];

            *since = (!binding || !vmmob_vmn_find_hoa(binding, &hoa) ? -1
                      : *since < 0 ? m->now : *since);
        }
        for (int o = 0; o < N_OFSS; o++) {
            const struct model_row *row = &m->rows[k][o];

            for (int i = 0; i < 2 * N_ADDRS; i++) {
                struct in6_addr moa = moa_nth(i);
                int *since = &m->moa_since[k][o][i];
                bool listed = false;

                for (size_t j = 0; row->present && j < row->vmn.n_pairs; j++) {
                    listed = listed || ipv6_addr_equals(
                        &row->vmn.pairs[j].moa, &moa);
                }
                *since = !listed ? -1 : *since < 0 ? m->now : *since;
            }
        }
    }
}

/* In ascending order of keys, because of which the first one is right.  That
 * of 'except', if not NULL, does not count. */
static const struct vmmob_vmn *
model_find_by_hoa(const struct model *m, uint32_t tenant, int i,
                  const struct vmmob_key *except)
{
    const struct vmmob_vmn *best = NULL;
    struct in6_addr hoa = hoa_nth(i);
    int best_rank = 0, best_since = 0;

    for (int k = 0; k < N_KEYS; k++) {
        const struct vmmob_vmn *vmn = model_binding(m, k);
        const struct vmmob_pair *pair
            = vmn ? vmmob_vmn_find_hoa(vmn, &hoa) : NULL;
        int since = m->ageless ? 0 : m->hoa_since[k][i];

        if (!pair || vmn->key.tenant != tenant
            || (except && vmmob_key_equals(&vmn->key, except))) {
            continue;
        }

        int rank = ((!pair->claimed && m->own[vmn->ofs - 1]
                     && vmn->state == VMMOB_ACTIVE ? 4 : 0)
                    + (pair->claimed ? 0 : 2)
                    + (ipv6_addr_is_set(&pair->moa) ? 1 : 0));
        if (!best || rank > best_rank
            || (rank == best_rank && since < best_since)) {
            best = vmn;
            best_rank = rank;
            best_since = since;
        }
    }
    return best;
}

static const struct vmmob_vmn *
model_find_by_moa(const struct model *m, int moa_i)
{
    struct in6_addr moa_ = moa_nth(moa_i);
    const struct in6_addr *moa = &moa_;

    for (int class = 3; class >= 0; class--) {
        bool own = class & 2;
        bool in_force = class & 1;
        const struct vmmob_vmn *best = NULL;
        int best_since = 0;

        for (int k = 0; k < N_KEYS; k++) {
            const struct vmmob_vmn *binding = model_binding(m, k);

            for (int o = 0; o < N_OFSS; o++) {
                const struct model_row *row = &m->rows[k][o];

                int since = m->ageless ? 0 : m->moa_since[k][o][moa_i];

                if (!row->present || m->own[o] != own
                    || (&row->vmn == binding) != in_force) {
                    continue;
                }
                for (size_t i = 0; i < row->vmn.n_pairs; i++) {
                    if (ipv6_addr_equals(&row->vmn.pairs[i].moa, moa)
                        && (!best || since < best_since
                            || (since == best_since
                                && model_beats(&row->vmn, best)))) {
                        best = &row->vmn;
                        best_since = since;
                    }
                }
            }
        }
        if (best) {
            return best;
        }
    }
    return NULL;
}

/* Fails unless 'actual', from the table, is 'expected', from the model. */
static void
check_same(const char *what, const struct vmmob_vmn *actual,
           const struct vmmob_vmn *expected)
{
    if (!actual != !expected
        || (actual && !vmmob_vmn_equals(actual, expected))) {
        fail("%s: found wrong VMN", what);
    }
}

/* Fails unless 'table' says what 'm' says. */
static void
check_table(const struct vmmob_table *table, const struct model *m)
{
    const struct vmmob_entry **entries = vmmob_sort_entries(table);
    const struct vmmob_ofs **ofss = vmmob_sort_ofss(table);
    size_t n_vmns = 0;
    size_t n_ofss = 0;

    for (int k = 0; k < N_KEYS; k++) {
        struct vmmob_key key = key_nth(k);
        const struct vmmob_entry *entry = vmmob_table_find(table, &key);
        const struct vmmob_vmn *binding = model_binding(m, k);

        check_same("binding", vmmob_table_find_binding(table, &key), binding);
        if (!entry != !binding) {
            fail("entry does not exist, or exists without need");
        }

        for (int o = 0; o < N_OFSS; o++) {
            const struct model_row *row = &m->rows[k][o];

            check_same("row", vmmob_table_find_row(table, &key, o + 1),
                       row->present ? &row->vmn : NULL);
        }

        if (entry) {
            const struct vmmob_vmn *prev = NULL;
            const struct vmmob_row *row;

            LIST_FOR_EACH (row, node, &entry->rows) {
                const struct model_row *model_row
                    = &m->rows[k][row->vmn.ofs - 1];

                if (prev && !model_beats(prev, &row->vmn)) {
                    fail("rows of VMN are out of order");
                }
                if (row->marked != model_row->marked) {
                    fail("wrong mark on row");
                }
                prev = &row->vmn;
            }
            n_vmns++;
        }
    }
    if (n_vmns != vmmob_table_n_vmns(table)
        || n_vmns != hmap_count(vmmob_table_entries(table))) {
        fail("wrong number of VMNs");
    }
    for (size_t i = 1; i < n_vmns; i++) {
        if (vmmob_key_compare(&entries[i - 1]->key, &entries[i]->key) >= 0) {
            fail("VMNs are out of order");
        }
    }

    for (int i = 0; i < N_ADDRS; i++) {
        struct in6_addr hoa = hoa_nth(i);

        for (int tenant = 0; tenant < 3; tenant++) {
            check_same("HoA", vmmob_table_find_by_hoa(table, tenant, &hoa),
                       model_find_by_hoa(m, tenant, i, NULL));
            for (int k = 0; k < N_KEYS; k++) {
                struct vmmob_key key = key_nth(k);

                if (key.tenant == tenant) {
                    check_same("rival",
                               vmmob_table_find_rival(table, &key, &hoa),
                               model_find_by_hoa(m, tenant, i, &key));
                }
            }
        }
    }
    for (int i = 0; i < 2 * N_ADDRS; i++) {
        struct in6_addr moa = moa_nth(i);

        check_same("MoA", vmmob_table_find_by_moa(table, &moa),
                   model_find_by_moa(m, i));
    }
    check_same("no MoA", vmmob_table_find_by_moa(table, &in6addr_any), NULL);

    for (int o = 0; o < N_OFSS; o++) {
        const struct vmmob_ofs *ofs = vmmob_table_find_ofs(table, o + 1);
        const struct model_ofs *mo = &m->ofss[o];

        if (!ofs != !mo->present
            || (ofs && !vmmob_ofs_equals(ofs, &mo->ofs))) {
            fail("found wrong OFS");
        } else if (ofs) {
            if (ofss[n_ofss] != ofs) {
                fail("OFSs are out of order");
            }
            if (CONTAINER_OF(ofs, struct vmmob_ofs_entry, ofs)->marked
                != mo->marked) {
                fail("wrong mark on OFS");
            }
            n_ofss++;
        }
    }
    if (n_ofss != vmmob_table_n_ofss(table)
        || n_ofss != hmap_count(vmmob_table_ofs_entries(table))) {
        fail("wrong number of OFSs");
    }

    free(entries);
    free(ofss);
}

/* Puts 'vmn' into 'table' and 'm', which takes ownership of it. */
static void
put_vmn(struct vmmob_table *table, struct model *m, int k,
        struct vmmob_vmn *vmn)
{
    struct model_row *row = &m->rows[k][vmn->ofs - 1];
    bool change = !row->present || !vmmob_vmn_equals(&row->vmn, vmn);

    model_clear_row(row);
    *row = (struct model_row) { .present = true, .vmn = *vmn };
    if (vmmob_table_put_vmn(table, vmn) != change) {
        fail("put of VMN: changed is not %d", change);
    }
}

/* Does one random change to 'table' and the same to 'm'. */
static void
random_change(struct vmmob_table *table, struct model *m)
{
    int k = range(0, N_KEYS - 1);
    int o = range(0, N_OFSS - 1);
    struct vmmob_key key = key_nth(k);
    struct model_row *row = &m->rows[k][o];
    struct model_ofs *mo = &m->ofss[o];
    struct vmmob_vmn vmn;
    struct vmmob_ofs ofs;
    bool change;

    if (range(0, 1)) {
        vmmob_table_tick(table);
        m->now++;
    }
    switch (range(0, 11)) {
    case 0: case 1: case 2: case 3: case 4:
        random_vmn(&vmn, &key, o + 1, true);
        put_vmn(table, m, k, &vmn);
        break;

    case 5:
        /* The same again, from the table's own memory. */
        if (row->present) {
            if (vmmob_table_put_vmn(table, vmmob_table_find_row(table, &key,
                                                                o + 1))) {
                fail("put of same VMN: changed");
            }
            row->marked = false;
        }
        break;

    case 6:
        /* Change just the sequence number, pairs in the table's memory. */
        if (row->present) {
            vmn = *vmmob_table_find_row(table, &key, o + 1);
            vmn.seqno++;
            row->vmn.seqno++;
            row->marked = false;
            if (!vmmob_table_put_vmn(table, &vmn)) {
                fail("put of newer VMN: did not change");
            }
        }
        break;

    case 7: case 8: case 9:
        if (vmmob_table_remove_vmn(table, &key, o + 1) != row->present) {
            fail("remove of VMN: changed is not %d", row->present);
        }
        model_clear_row(row);
        break;

    case 10:
        random_ofs(&ofs, o + 1);
        change = !mo->present || !vmmob_ofs_equals(&mo->ofs, &ofs);
        model_clear_ofs(mo);
        *mo = (struct model_ofs) { .present = true, .ofs = ofs };
        if (vmmob_table_put_ofs(table, &ofs) != change
            || vmmob_table_put_ofs(table, vmmob_table_find_ofs(table,
                                                               o + 1))) {
            fail("put of OFS: changed is wrong");
        }
        break;

    case 11:
        if (vmmob_table_remove_ofs(table, o + 1) != mo->present) {
            fail("remove of OFS: changed is not %d", mo->present);
        }
        model_clear_ofs(mo);
        break;

    default:
        OVS_NOT_REACHED();
    }
    model_note_ages(m);
}

/* Puts the rows of 'm' into a new table and checks it.  The order is random;
 * some rows are put more than once, some after an older one, some after others
 * that are removed later. */
static void
check_any_order(const struct model *m)
{
    struct vmmob_table *table = vmmob_table_create();
    int order[4 * N_KEYS * N_OFSS];
    bool done[N_KEYS][N_OFSS];
    struct model ageless = *m;

    ageless.ageless = true;
    for (int o = 0; o < N_OFSS; o++) {
        vmmob_table_set_own(table, o + 1, m->own[o]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
        size_t j = range(0, i);

        order[i] = order[j];
        order[j] = i % (N_KEYS * N_OFSS);
    }
    memset(done, 0, sizeof done);
    for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
        int k = order[i] / N_OFSS;
        int o = order[i] % N_OFSS;
        const struct model_row *row = &m->rows[k][o];
        struct vmmob_key key = key_nth(k);

        if (done[k][o] || range(0, 1)) {
            if (row->present) {
                vmmob_table_put_vmn(table, &row->vmn);
            } else {
                vmmob_table_remove_vmn(table, &key, o + 1);
            }
            done[k][o] = true;
        } else {
            struct vmmob_vmn vmn;

            random_vmn(&vmn, &key, o + 1, true);
            vmmob_table_put_vmn(table, &vmn);
            vmmob_vmn_destroy(&vmn);
        }
    }
    for (int k = 0; k < N_KEYS; k++) {
        for (int o = 0; o < N_OFSS; o++) {
            struct vmmob_key key = key_nth(k);

            if (m->rows[k][o].present) {
                vmmob_table_put_vmn(table, &m->rows[k][o].vmn);
            } else {
                vmmob_table_remove_vmn(table, &key, o + 1);
            }
        }
    }
    for (int o = N_OFSS - 1; o >= 0; o--) {
        if (m->ofss[o].present) {
            vmmob_table_put_ofs(table, &m->ofss[o].ofs);
        }
    }
    check_table(table, &ageless);
    vmmob_table_destroy(table);
}

static void
model_set_marks(struct model *m, bool marked)
{
    for (int k = 0; k < N_KEYS; k++) {
        for (int o = 0; o < N_OFSS; o++) {
            m->rows[k][o].marked = marked;
        }
    }
    for (int o = 0; o < N_OFSS; o++) {
        m->ofss[o].marked = marked;
    }
}

/* Removes from 'table' and from 'm' what is marked, as a user would. */
static void
sweep(struct vmmob_table *table, struct model *m)
{
    const struct hmap *ofs_entries = vmmob_table_ofs_entries(table);
    const struct hmap *entries = vmmob_table_entries(table);
    struct vmmob_ofs_entry *ofs_entry;
    struct vmmob_entry *entry;

    HMAP_FOR_EACH_SAFE (entry, node, entries) {
        struct vmmob_key key = entry->key;
        uint64_t gone[N_OFSS];
        size_t n_gone = 0;
        struct vmmob_row *row;

        LIST_FOR_EACH (row, node, &entry->rows) {
            if (row->marked) {
                gone[n_gone++] = row->vmn.ofs;
            }
        }
        for (size_t i = 0; i < n_gone; i++) {
            vmmob_table_remove_vmn(table, &key, gone[i]);
            for (int k = 0; k < N_KEYS; k++) {
                struct vmmob_key key_k = key_nth(k);

                if (vmmob_key_equals(&key_k, &key)) {
                    model_clear_row(&m->rows[k][gone[i] - 1]);
                    model_note_ages(m);
                }
            }
        }
    }
    HMAP_FOR_EACH_SAFE (ofs_entry, node, ofs_entries) {
        if (ofs_entry->marked) {
            vmmob_table_remove_ofs(table, ofs_entry->ofs.id);
        }
    }

    for (int k = 0; k < N_KEYS; k++) {
        for (int o = 0; o < N_OFSS; o++) {
            if (m->rows[k][o].marked) {
                model_clear_row(&m->rows[k][o]);
            }
        }
    }
    for (int o = 0; o < N_OFSS; o++) {
        if (m->ofss[o].marked) {
            model_clear_ofs(&m->ofss[o]);
        }
    }
}

/* Makes random changes to a table and to a model of it. */
static void
test_table(struct ovs_cmdl_context *ctx)
{
    uint32_t seed, n;

    parse_seed(ctx, &seed, &n);
    for (uint32_t i = 0; i < n && !n_failures; i++) {
        struct vmmob_table *table = vmmob_table_create();
        struct model m;
        int n_changes;

        start_case(seed, i);
        memset(&m, 0, sizeof m);
        for (int o = 0; o < N_OFSS; o++) {
            m.own[o] = !range(0, 2);
            vmmob_table_set_own(table, o + 1, m.own[o]);
        }
        model_note_ages(&m);
        n_changes = range(1, 40);
        for (int j = 0; j < n_changes; j++) {
            random_change(table, &m);
            check_table(table, &m);
        }
        check_any_order(&m);

        /* Replace what a source said by what it says now. */
        vmmob_table_mark(table);
        model_set_marks(&m, true);
        check_table(table, &m);
        for (int j = 0; j < n_changes; j++) {
            random_change(table, &m);
        }
        check_table(table, &m);
        sweep(table, &m);
        check_table(table, &m);

        vmmob_table_destroy(table);
        model_uninit(&m);
    }
    vmmob_table_destroy(NULL);
}


/* Messages. */

/* Returns a set of 'n' networks' ids, which the caller owns. */
static struct vmmob_network_ids *
make_ids(size_t n, uint32_t a, uint32_t b, uint32_t c)
{
    struct vmmob_network_ids *set = xmalloc(sizeof *set);
    const uint32_t ids[] = { a, b, c };

    vmmob_network_ids_init(set, ids, n);
    return set;
}

/* Prints the JSON forms to the letter: the other side may be of another
 * release. */
static void
test_encode(struct ovs_cmdl_context *ctx OVS_UNUSED)
{
    static const enum vmmob_msg_type types[] = {
        VMMOB_MSG_BEGIN, VMMOB_MSG_UPDATE, VMMOB_MSG_END,
    };
    struct vmmob_key key = {
        .tenant = UINT32_MAX,
        .mac = ETH_ADDR_C(0a,1b,2c,3d,4e,5f),
    };
    struct in6_addr h4 = addr("10.0.0.1"), m4 = addr("192.0.2.9");
    struct in6_addr h6 = addr("fd00::1");
    struct vmmob_prefix pools[] = {
        prefix("192.0.2.8/29"), prefix("2001:db8::/64"),
    };
    struct eth_addr other_mac = ETH_ADDR_C(02,00,00,00,00,01);
    struct vmmob_port port, any_port;
    struct vmmob_ofs ofs;
    struct vmmob_vmn vmn;

    vmmob_vmn_init(&vmn, &key, 0xabcdef);
    vmn.seqno = VMMOB_MAX_SEQNO;
    vmmob_vmn_set_pair(&vmn, &h6, &in6addr_any);
    vmmob_vmn_set_pair(&vmn, &h4, &m4);

    vmmob_port_init(&port, "tap0");
    free(port.iface_id);
    port.iface_id = xstrdup("vm-1");
    port.attached_mac = key.mac;
    vmmob_port_add_mac(&port, key.mac);
    vmmob_port_add_mac(&port, other_mac);
    for (int i = 0; i < 2; i++) {
        const struct vmmob_prefix home = prefix(i ? "10.0.0.1"
                                                : "10.0.0.64/28");

        ovs_assert(vmmob_port_add_prefix(&port, &home)
                   && vmmob_port_add_prefix(&port, &home));
    }
    vmmob_port_init(&any_port, "tap1");
    any_port.any = true;

    vmmob_ofs_init(&ofs, UINT64_MAX);
    free(ofs.site);
    ofs.site = xstrdup("paris");
    ofs.uplink = prefix("192.0.2.0/24");
    ofs.mac = key.mac;
    ofs.gateway = addr("192.0.2.1");
    ofs.n_pools = ARRAY_SIZE(pools);
    ofs.pools = xmemdup(pools, sizeof pools);
    for (uint32_t i = 0; i < 2; i++) {
        static const char *const homes[] = {
            "fd00:64::/64,10.100.0.0/24", "10.0.0.0/24",
        };
        struct vmmob_network network;

        vmmob_network_init(&network, i ? 0 : UINT32_MAX);
        check_error("homes", vmmob_network_parse_homes(&network, homes[i]),
                    NULL);
        vmmob_ofs_put_network(&ofs, &network);
    }

    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        struct vmmob_msg msg;
        struct json *json;
        char *s;

        vmmob_msg_init(&msg, types[i]);
        ovs_assert(vmmob_msg_is_empty(&msg) == (i == 1));
        if (types[i] == VMMOB_MSG_UPDATE) {
            vmmob_msg_put_vmn(&msg, &vmn);
            vmn.state = VMMOB_PREPARED;
            vmn.n_pairs = 0;
            vmmob_msg_put_vmn(&msg, &vmn);
            vmmob_msg_put_ofs(&msg, &ofs);
            ofs.gateway = in6addr_any;
            ofs.gateway_mac = key.mac;
            ofs.n_pools = 0;
            vmmob_ofs_clear_networks(&ofs);
            ofs.stale = true;
            vmmob_msg_put_ofs(&msg, &ofs);
            vmmob_msg_del_vmn(&msg, &key, 1);
            vmmob_msg_del_ofs(&msg, 1);
            vmmob_msg_put_port(&msg, &port);
            vmmob_msg_put_port(&msg, &any_port);
            vmmob_msg_del_port(&msg, "tap2");
            msg.want_networks = make_ids(3, 7, UINT32_MAX, 0);
            msg.have_networks = make_ids(0, 0, 0, 0);
            ovs_assert(!vmmob_msg_is_empty(&msg));
            ovs_assert(vmmob_msg_n_rows(&msg) == 9);
        }

        json = jsonrpc_msg_to_json(vmmob_msg_encode(&msg));
        s = json_to_string(json, JSSF_PRETTY | JSSF_SORT);
        puts(s);
        free(s);
        json_destroy(json);
        vmmob_msg_uninit(&msg);
    }
    vmmob_msg_uninit(NULL);
    vmmob_vmn_destroy(&vmn);
    vmmob_ofs_destroy(&ofs);
    vmmob_port_destroy(&port);
    vmmob_port_destroy(&any_port);
    vmmob_port_destroy(NULL);
}

/* Initializes 'port' at random. */
static void
random_port(struct vmmob_port *port)
{
    char name[16];

    snprintf(name, sizeof name, "tap%u", range(0, 20));
    vmmob_port_init(port, name);
    if (range(0, 1)) {
        free(port->iface_id);
        port->iface_id = xasprintf("id \303\251 %u", range(0, 20));
        port->attached_mac = key_nth(range(0, 5)).mac;
    }
    port->any = !range(0, 3);
    if (!port->any) {
        unsigned int n = range(0, 3) ? range(0, 3) : VMMOB_MAX_PORT_MACS;

        for (unsigned int i = 0; i < n; i++) {
            struct eth_addr mac = key_nth(0).mac;

            mac.ea[range(3, 5)] = range(0, 255);
            vmmob_port_add_mac(port, mac);
        }
    }
    port->limited = !range(0, 2);
    for (unsigned int i = port->limited ? range(0, 3) : 0; i > 0; i--) {
        const struct vmmob_prefix home = prefix(i % 2 ? "10.0.0.64/28"
                                                : "fd00::/64");

        vmmob_port_add_prefix(port, &home);
    }
}

/* Initializes 'msg' at random. */
static void
random_msg(struct vmmob_msg *msg)
{
    unsigned int n = range(0, 3);

    vmmob_msg_init(msg, range(0, 5) ? VMMOB_MSG_UPDATE
                   : range(0, 1) ? VMMOB_MSG_BEGIN : VMMOB_MSG_END);
    if (msg->type != VMMOB_MSG_UPDATE) {
        return;
    }
    if (range(0, 1)) {
        msg->want_networks = make_ids(range(0, 3), range(0, 2), range(0, 2),
                                      random_uint32());
    }
    if (range(0, 1)) {
        msg->have_networks = make_ids(range(0, 3), range(0, 2), range(0, 2),
                                      random_uint32());
    }
    for (unsigned int i = 0; i < n; i++) {
        struct vmmob_key key = key_nth(range(0, N_KEYS - 1));
        uint64_t id = range(0, 1) ? range(1, N_OFSS) : random_uint64() | 1;
        struct vmmob_vmn vmn;
        struct vmmob_ofs ofs;

        random_vmn(&vmn, &key, id, false);
        if (!range(0, 3)) {
            vmn.seqno = random_uint64() & VMMOB_MAX_SEQNO;
        }
        if (!range(0, 3)) {
            vmn.key.tenant = random_uint32();
        }
        vmmob_msg_put_vmn(msg, &vmn);
        vmmob_vmn_destroy(&vmn);

        random_ofs(&ofs, id);
        vmmob_msg_put_ofs(msg, &ofs);
        vmmob_ofs_destroy(&ofs);
        if (range(0, 1)) {
            vmmob_msg_del_vmn(msg, &key, id);
            vmmob_msg_del_ofs(msg, id);
        }
        if (range(0, 1)) {
            struct vmmob_port port;

            random_port(&port);
            vmmob_msg_put_port(msg, &port);
            vmmob_msg_del_port(msg, port.name);
            vmmob_port_destroy(&port);
        }
    }
}

static bool
ids_equal(const struct vmmob_network_ids *a, const struct vmmob_network_ids *b)
{
    return !a == !b && (!a || vmmob_network_ids_equal(a, b));
}

static bool
msg_equals(const struct vmmob_msg *a, const struct vmmob_msg *b)
{
    if (a->type != b->type
        || !ids_equal(a->want_networks, b->want_networks)
        || !ids_equal(a->have_networks, b->have_networks)
        || a->n_vmns != b->n_vmns
        || a->n_ofss != b->n_ofss
        || a->n_del_vmns != b->n_del_vmns
        || a->n_del_ofss != b->n_del_ofss
        || a->n_ports != b->n_ports
        || a->n_del_ports != b->n_del_ports) {
        return false;
    }
    for (size_t i = 0; i < a->n_ports; i++) {
        if (!vmmob_port_equals(&a->ports[i], &b->ports[i])) {
            return false;
        }
    }
    for (size_t i = 0; i < a->n_del_ports; i++) {
        if (strcmp(a->del_ports[i], b->del_ports[i])) {
            return false;
        }
    }
    for (size_t i = 0; i < a->n_vmns; i++) {
        if (!vmmob_vmn_equals(&a->vmns[i], &b->vmns[i])) {
            return false;
        }
    }
    for (size_t i = 0; i < a->n_ofss; i++) {
        if (!vmmob_ofs_equals(&a->ofss[i], &b->ofss[i])) {
            return false;
        }
    }
    for (size_t i = 0; i < a->n_del_vmns; i++) {
        if (!vmmob_key_equals(&a->del_vmns[i].key, &b->del_vmns[i].key)
            || a->del_vmns[i].ofs != b->del_vmns[i].ofs) {
            return false;
        }
    }
    for (size_t i = 0; i < a->n_del_ofss; i++) {
        if (a->del_ofss[i] != b->del_ofss[i]) {
            return false;
        }
    }
    return true;
}

/* Returns the text of 'msg' as it goes over a socket.  The caller must free()
 * it. */
static char *
msg_to_string(const struct vmmob_msg *msg)
{
    struct json *json = jsonrpc_msg_to_json(vmmob_msg_encode(msg));
    char *s = json_to_string(json, JSSF_SORT);

    json_destroy(json);
    return s;
}

/* Decodes 's', the inverse of msg_to_string().  It may be anything.  Returns
 * NULL if successful, otherwise an error message that the caller must
 * free(). */
static char *
msg_from_string(const char *s, struct vmmob_msg *msg)
{
    struct json *json = json_from_string(s);
    struct jsonrpc_msg *rpc;
    char *error;

    /* Takes ownership of 'json'. */
    vmmob_msg_init(msg, VMMOB_MSG_END);
    error = jsonrpc_msg_from_json(json, &rpc);
    if (!error) {
        memset(msg, 0xcc, sizeof *msg);
        error = vmmob_msg_decode(rpc, msg);
        jsonrpc_msg_destroy(rpc);
        if (error && (vmmob_msg_n_rows(msg) || msg->vmns || msg->ofss
                      || msg->want_networks || msg->have_networks
                      || msg->del_vmns || msg->del_ofss || msg->ports
                      || msg->del_ports)) {
            fail("rows in spite of error");
        }
    }
    return error;
}

/* Turns random messages into text and back. */
static void
test_codec(struct ovs_cmdl_context *ctx)
{
    uint32_t seed, n;

    parse_seed(ctx, &seed, &n);
    for (uint32_t i = 0; i < n && !n_failures; i++) {
        struct vmmob_msg a, b;
        char *s;

        start_case(seed, i);
        random_msg(&a);
        s = msg_to_string(&a);
        check_error(s, msg_from_string(s, &b), NULL);
        if (!msg_equals(&a, &b)) {
            fail("%s: decoded to something else", s);
        }
        free(s);
        vmmob_msg_uninit(&a);
        vmmob_msg_uninit(&b);
    }
}

static const char good_vmn_json[] =
    "{'tenant': 0, 'mac': '52:54:00:00:00:01', 'ofs': '0000000000000001', "
    "'seqno': 1, 'state': 'active', "
    "'pairs': [['10.0.0.1', '192.0.2.1']]}";

static const char good_ofs_json[] =
    "{'id': '0000000000000001', 'site': 'paris', 'uplink': '192.0.2.0/24', "
    "'mac': '52:54:00:00:00:01', 'gateway': '192.0.2.1', "
    "'gateway_mac': '52:54:00:00:00:02', 'pools': ['192.0.2.128/25'], "
    "'stale': false}";

static const char good_port_json[] =
    "{'name': 'tap0', 'iface_id': 'vm-1', "
    "'attached_mac': '52:54:00:00:00:01', 'any': false, "
    "'macs': ['52:54:00:00:00:01']}";

/* A change to one member of a good record. */
struct bad_member {
    const char *member;
    const char *value;          /* JSON with ' for ", NULL to remove it. */
    const char *error;          /* What is expected, NULL if good. */
};

static const struct bad_member bad_vmn_members[] = {
    /* Good. */
    { "ignored", "[{'a': null}]", NULL },
    { "tenant", "4294967295", NULL },
    { "seqno", "0", NULL },
    { "seqno", "9223372036854775807", NULL },
    { "seqno", "1.0", NULL },
    { "state", "'prepared'", NULL },
    { "mac", "'52:54:00:AB:cd:eF'", NULL },
    { "pairs", "[]", NULL },
    { "pairs", "[['10.0.0.1', '']]", NULL },
    { "pairs", "[['10.0.0.1', '::']]", NULL },
    { "pairs", "[['fd00::1', '2001:db8::1'], ['10.0.0.1', '10.0.0.1']]",
      NULL },
    { "pairs", "[['10.0.0.2', ''], ['10.0.0.1', '']]", NULL },

    { "tenant", NULL, "\"tenant\" is missing" },
    { "tenant", "null", "\"tenant\" is not integer but null" },
    { "tenant", "'0'", "\"tenant\" is not integer but string" },
    { "tenant", "0.5", "\"tenant\" is not integer but number" },
    { "tenant", "-1", "\"tenant\" is not from 0 to 4294967295" },
    { "tenant", "4294967296", "\"tenant\" is not from 0 to 4294967295" },

    { "mac", NULL, "\"mac\" is missing" },
    { "mac", "[]", "\"mac\" is not string but array" },
    { "mac", "''", "\"mac\" has \"\", not a MAC address" },
    { "mac", "'52:54:00:00:00'",
      "\"mac\" has \"52:54:00:00:00\", not a MAC address" },
    { "mac", "'52:54:00:00:00:1'",
      "\"mac\" has \"52:54:00:00:00:1\", not a MAC address" },
    { "mac", "'152:54:0:00:00:01'",
      "\"mac\" has \"152:54:0:00:00:01\", not a MAC address" },
    { "mac", "'52:54:00:00:00:01 '",
      "\"mac\" has \"52:54:00:00:00:01 \", not a MAC address" },
    { "mac", "'52-54-00-00-00-01'",
      "\"mac\" has \"52-54-00-00-00-01\", not a MAC address" },
    { "mac", "':::::::::::::::::'",
      "\"mac\" has \":::::::::::::::::\", not a MAC address" },
    { "mac", "'a\\nb\\u00e9'", "\"mac\" has \"a?b??\", not a MAC address" },
    { "mac", "'0123456789012345678901234567890123456789'",
      "\"mac\" has \"01234567890123456789012345678901\", "
      "not a MAC address" },
    { "mac", "'00:00:00:00:00:00'",
      "MAC address 00:00:00:00:00:00 is not unicast" },
    { "mac", "'01:00:5e:00:00:01'",
      "MAC address 01:00:5e:00:00:01 is not unicast" },
    { "mac", "'ff:ff:ff:ff:ff:ff'",
      "MAC address ff:ff:ff:ff:ff:ff is not unicast" },

    { "ofs", NULL, "\"ofs\" is missing" },
    { "ofs", "1", "\"ofs\" is not string but integer" },
    { "ofs", "'1'", "\"ofs\" has \"1\", not an OFS id" },
    { "ofs", "'0000000000000000'",
      "\"ofs\" has \"0000000000000000\", not an OFS id" },

    { "seqno", NULL, "\"seqno\" is missing" },
    { "seqno", "true", "\"seqno\" is not integer but boolean" },
    { "seqno", "-1", "\"seqno\" is not from 0 to 9223372036854775807" },
    { "seqno", "-9223372036854775808",
      "\"seqno\" is not from 0 to 9223372036854775807" },
    { "seqno", "9223372036854775808",
      "\"seqno\" is not integer but number" },
    { "seqno", "99999999999999999999",
      "\"seqno\" is not integer but number" },
    { "seqno", "1e300", "\"seqno\" is not integer but number" },

    { "state", NULL, "\"state\" is missing" },
    { "state", "0", "\"state\" is not string but integer" },
    { "state", "''", "\"\" is not a state" },
    { "state", "'ACTIVE'", "\"ACTIVE\" is not a state" },

    { "pairs", NULL, "\"pairs\" is missing" },
    { "pairs", "{}", "\"pairs\" is not array but object" },
    { "pairs", "[null]",
      "\"pairs\" has an element that is not two strings" },
    { "pairs", "['10.0.0.1']",
      "\"pairs\" has an element that is not two strings" },
    { "pairs", "[['10.0.0.1']]",
      "\"pairs\" has an element that is not two strings" },
    { "pairs", "[[]]", "\"pairs\" has an element that is not two strings" },
    { "pairs", "[['10.0.0.1', '', '']]",
      "\"pairs\" has an element that is not two strings" },
    { "pairs", "[['10.0.0.1', null]]",
      "\"pairs\" has an element that is not two strings" },
    { "pairs", "[[1, '']]",
      "\"pairs\" has an element that is not two strings" },
    { "pairs", "[['', '192.0.2.1']]",
      "\"pairs\" has \"\", not an IP address" },
    { "pairs", "[['10.0.0.1', '192.0.2.1/32']]",
      "\"pairs\" has \"192.0.2.1/32\", not an IP address" },
    { "pairs", "[['10.0.0.1', ''], ['10.0.0.1', '192.0.2.1']]",
      "\"pairs\" has \"10.0.0.1\" twice" },
    { "pairs", "[['10.0.0.1', ''], ['::ffff:10.0.0.1', '']]",
      "\"pairs\" has \"::ffff:10.0.0.1\" twice" },
    { "pairs", "[[], [], [], [], [], [], [], [], [], [], [], [], [], [], [],"
      " [], []]",
      "\"pairs\" has 17 elements, more than 16" },
#define BAD_HOA(S) \
    { "pairs", "[['" S "', '']]", "home address " S " is not unicast" }
    BAD_HOA("::"),
    BAD_HOA("::1"),
    BAD_HOA("ff02::1"),
    BAD_HOA("0.0.0.0"),
    BAD_HOA("127.0.0.1"),
    BAD_HOA("127.255.255.255"),
    BAD_HOA("224.0.0.0"),
    BAD_HOA("239.255.255.255"),
    BAD_HOA("255.255.255.255"),
#undef BAD_HOA
    { "pairs", "[['10.0.0.1', '0.0.0.0']]",
      "mobile address 0.0.0.0 is not unicast" },
    { "pairs", "[['10.0.0.1', '255.255.255.255']]",
      "mobile address 255.255.255.255 is not unicast" },
    { "pairs", "[['fd00::1', 'ff02::1']]",
      "mobile address ff02::1 is not unicast" },
    { "pairs", "[['10.0.0.1', '2001:db8::1']]",
      "home address 10.0.0.1 and mobile address 2001:db8::1 are of different "
      "families" },
    { "pairs", "[['fd00::1', '192.0.2.1']]",
      "home address fd00::1 and mobile address 192.0.2.1 are of different "
      "families" },
    { "pairs", "[['10.0.0.1', '192.0.2.1'], ['10.0.0.2', '192.0.2.1']]",
      "mobile address 192.0.2.1 is listed twice" },
};

#define S16 "0123456789abcdef"
#define S256 S16 S16 S16 S16 S16 S16 S16 S16 S16 S16 S16 S16 S16 S16 S16 S16

static const struct bad_member bad_ofs_members[] = {
    /* Good. */
    { "ignored", "1e100", NULL },
    { "site", "''", NULL },
    { "site", "'S\\u00e3o Paulo'", NULL },
    { "gateway", "''", NULL },
    { "gateway", "'fe80::1'", NULL },
    { "gateway_mac", "'00:00:00:00:00:00'", NULL },
    { "stale", "true", NULL },
    { "pools", "[]", NULL },
    { "pools", "['2001:db8::/64', '192.0.2.1']", NULL },
    { "networks", "[]", NULL },
    { "networks", "[{'id': 4294967295, 'homes': []}, {'id': 0, 'homes': "
      "['fd00::/64', '10.0.0.0/24', '10.0.0.0/24']}]", NULL },
    { "networks", "[{'id': 7, 'homes': [], 'name': 'blue'}]", NULL },

    { "id", NULL, "\"id\" is missing" },
    { "id", "1", "\"id\" is not string but integer" },
    { "id", "'000000000000000x'",
      "\"id\" has \"000000000000000x\", not an OFS id" },
    { "site", NULL, "\"site\" is missing" },
    { "site", "null", "\"site\" is not string but null" },
    { "site", "'a\\tb'", "name of site has control characters" },
    { "site", "'\\u001b[2J'", "name of site has control characters" },
    { "site", "'" S256 "'", "name of site is longer than 255 bytes" },
    { "uplink", NULL, "\"uplink\" is missing" },
    { "uplink", "false", "\"uplink\" is not string but boolean" },
    { "uplink", "''", "\"uplink\" has : invalid IP address or prefix" },
    { "uplink", "'192.0.2.1/24'",
      "\"uplink\" has 192.0.2.1/24: host bits are set" },
    { "uplink", "'192.0.2.0/33'",
      "\"uplink\" has 192.0.2.0/33: prefix length is not from 0 to 32" },
    { "uplink", "'0.0.0.0/0'", "uplink 0.0.0.0/0 is not unicast" },
    { "uplink", "'::/0'", "uplink ::/0 is not unicast" },
    { "mac", NULL, "\"mac\" is missing" },
    { "mac", "'00:00:00:00:00:00'",
      "MAC address 00:00:00:00:00:00 is not unicast" },
    { "gateway", NULL, "\"gateway\" is missing" },
    { "gateway", "'192.0.2'",
      "\"gateway\" has \"192.0.2\", not an IP address" },
    { "gateway", "'224.0.0.1'", "gateway 224.0.0.1 is not unicast" },
    { "gateway_mac", NULL, "\"gateway_mac\" is missing" },
    { "gateway_mac", "''", "\"gateway_mac\" has \"\", not a MAC address" },
    { "gateway_mac", "'33:33:00:00:00:01'",
      "MAC address of gateway 33:33:00:00:00:01 is not unicast" },
    { "pools", NULL, "\"pools\" is missing" },
    { "pools", "'192.0.2.128/25'", "\"pools\" is not array but string" },
    { "pools", "[1]", "\"pools\" has an element that is not a string" },
    { "pools", "['192.0.2.0/24', '']",
      "\"pools\" has : invalid IP address or prefix" },
    { "pools", "['192.0.2.128/24']",
      "\"pools\" has 192.0.2.128/24: host bits are set" },
    { "pools", "['fd00::/129']",
      "\"pools\" has fd00::/129: prefix length is not from 0 to 128" },
    { "pools", "['224.0.0.0/8']", "pool 224.0.0.0/8 is not unicast" },
    { "pools", "['240.0.0.0/4']", "pool 240.0.0.0/4 is not unicast" },
    { "pools", "['126.0.0.0/7']", "pool 126.0.0.0/7 is not unicast" },
    { "pools", "['ff00::/16']", "pool ff00::/16 is not unicast" },
    { "pools", "['8000::/1']", "pool 8000::/1 is not unicast" },
    { "pools", "['','','','','','','','','','','','','','','','','']",
      "\"pools\" has 17 elements, more than 16" },
    { "networks", "{}", "\"networks\" is not array but object" },
    { "networks", "[7]", "networks[0]: not object but integer" },
    { "networks", "[{'homes': []}]", "networks[0]: \"id\" is missing" },
    { "networks", "[{'id': 7}]", "networks[0]: \"homes\" is missing" },
    { "networks", "[{'id': -1, 'homes': []}]",
      "networks[0]: \"id\" is not from 0 to 4294967295" },
    { "networks", "[{'id': 4294967296, 'homes': []}]",
      "networks[0]: \"id\" is not from 0 to 4294967295" },
    { "networks", "[{'id': 7, 'homes': []}, {'id': 7, 'homes': []}]",
      "networks[1]: \"id\" 7 is there twice" },
    { "networks", "[{'id': 7, 'homes': ['10.0.0.1/24']}]",
      "networks[0]: \"homes\" has 10.0.0.1/24: host bits are set" },
    { "networks", "[{'id': 7, 'homes': ['224.0.0.0/24']}]",
      "network 7: prefix 224.0.0.0/24 is not unicast" },
    { "networks", "[{'id': 7, 'homes': ['','','','','','','','','']}]",
      "networks[0]: \"homes\" has 9 elements, more than 8" },
    { "stale", NULL, "\"stale\" is missing" },
    { "stale", "0", "\"stale\" is not boolean but integer" },
    { "stale", "null", "\"stale\" is not boolean but null" },
};

#define M8 "'','','','','','','','',"
#define M64 M8 M8 M8 M8 M8 M8 M8 M8

static const struct bad_member bad_port_members[] = {
    /* Good. */
    { "ignored", "{}", NULL },
    { "name", "'caf\\u00e9'", NULL },
    { "iface_id", "''", NULL },
    { "attached_mac", "'00:00:00:00:00:00'", NULL },
    { "macs", "[]", NULL },
    { "macs", "['52:54:00:00:00:02', '52:54:00:00:00:01']", NULL },
    { "addresses", "[]", NULL },
    { "addresses", "['10.0.0.7', '10.0.0.64/28', 'fd00::/64', '0.0.0.0/0']",
      NULL },
    { "addresses", "['10.0.0.7', '10.0.0.7']", NULL },

    { "name", NULL, "\"name\" is missing" },
    { "name", "0", "\"name\" is not string but integer" },
    { "name", "''", "port has no name" },
    { "name", "'a\\nb'", "name of port has control characters" },
    { "name", "'" S256 "'", "name of port is longer than 255 bytes" },
    { "iface_id", NULL, "\"iface_id\" is missing" },
    { "iface_id", "null", "\"iface_id\" is not string but null" },
    { "iface_id", "'\\u007f'", "id of interface has control characters" },
    { "iface_id", "'" S256 "'", "id of interface is longer than 255 bytes" },
    { "attached_mac", NULL, "\"attached_mac\" is missing" },
    { "attached_mac", "''", "\"attached_mac\" has \"\", not a MAC address" },
    { "attached_mac", "'01:00:5e:00:00:01'",
      "attached MAC address 01:00:5e:00:00:01 is not unicast" },
    { "any", NULL, "\"any\" is missing" },
    { "any", "1", "\"any\" is not boolean but integer" },
    { "any", "true", "port has both any MAC address and some" },
    { "macs", NULL, "\"macs\" is missing" },
    { "macs", "'52:54:00:00:00:01'", "\"macs\" is not array but string" },
    { "macs", "[1]", "\"macs\" has an element that is not a string" },
    { "macs", "['']", "\"macs\" has \"\", not a MAC address" },
    { "macs", "['00:00:00:00:00:00']",
      "MAC address 00:00:00:00:00:00 is not unicast" },
    { "macs", "['ff:ff:ff:ff:ff:ff']",
      "MAC address ff:ff:ff:ff:ff:ff is not unicast" },
    { "macs", "['52:54:00:00:00:0a', '52:54:00:00:00:0A']",
      "\"macs\" has \"52:54:00:00:00:0A\" twice" },
    { "macs", "[" M64 "'']", "\"macs\" has 65 elements, more than 64" },
    { "addresses", "null", "\"addresses\" is not array but null" },
    { "addresses", "'10.0.0.7'", "\"addresses\" is not array but string" },
    { "addresses", "{}", "\"addresses\" is not array but object" },
    { "addresses", "[['10.0.0.7']]",
      "\"addresses\" has an element that is not a string" },
    { "addresses", "['10.0.0.7', '']",
      "\"addresses\" has : invalid IP address or prefix" },
    { "addresses", "['any']",
      "\"addresses\" has any: invalid IP address or prefix" },
    { "addresses", "['10.0.0.7/28']",
      "\"addresses\" has 10.0.0.7/28: host bits are set" },
    { "addresses", "['10.0.0.0/33']",
      "\"addresses\" has 10.0.0.0/33: prefix length is not from 0 to 32" },
    { "addresses", "[" M64 "'']",
      "\"addresses\" has 65 elements, more than 64" },
};

/* Messages that are bad apart from the records in them. */
static const struct {
    const char *text;           /* JSON with ' for ". */
    const char *error;          /* What is expected, NULL if good. */
} bad_msgs[] = {
#define NOTIFY(METHOD, PARAMS) \
    "{'id': null, 'method': '" METHOD "', 'params': " PARAMS "}"
#define ROW_ID "{'tenant': 0, 'mac': '52:54:00:00:00:01', " \
               "'ofs': '0000000000000001'}"
    { NOTIFY("begin", "[]"), NULL },
    { NOTIFY("end", "[]"), NULL },
    { NOTIFY("update", "[{}]"), NULL },
    { NOTIFY("update", "[{'vmns': [], 'more': 1}]"), NULL },
    { NOTIFY("update", "[{'del_vmns': [" ROW_ID ", " ROW_ID "]}]"), NULL },

    { "{'id': 0, 'method': 'begin', 'params': []}",
      "unexpected JSON-RPC request" },
    { "{'id': 0, 'result': {}, 'error': null}",
      "unexpected JSON-RPC reply" },
    { "{'id': 0, 'result': null, 'error': {}}",
      "unexpected JSON-RPC error" },
    { NOTIFY("Begin", "[]"), "unknown method \"Begin\"" },
    { NOTIFY("", "[]"), "unknown method \"\"" },
    { NOTIFY("be\\ngin", "[]"), "unknown method \"be?gin\"" },
    { NOTIFY("begin", "[{}]"),
      "\"begin\" does not have exactly 0 parameters" },
    { NOTIFY("end", "[null]"),
      "\"end\" does not have exactly 0 parameters" },
    { NOTIFY("update", "[]"),
      "\"update\" does not have exactly 1 parameters" },
    { NOTIFY("update", "[{}, {}]"),
      "\"update\" does not have exactly 1 parameters" },
    { NOTIFY("update", "[[]]"), "not object but array" },
    { NOTIFY("update", "[null]"), "not object but null" },
    { NOTIFY("update", "[{'vmns': {}}]"), "\"vmns\" is not array but object" },
    { NOTIFY("update", "[{'ofss': null}]"),
      "\"ofss\" is not array but null" },
    { NOTIFY("update", "[{'vmns': [1]}]"), "vmns[0]: not object but integer" },
    { NOTIFY("update", "[{'vmns': [{}]}]"), "vmns[0]: \"tenant\" is missing" },
    { NOTIFY("update", "[{'ofss': [[]]}]"), "ofss[0]: not object but array" },
    { NOTIFY("update", "[{'ofss': [{}]}]"), "ofss[0]: \"id\" is missing" },
    { NOTIFY("update", "[{'del_vmns': ['x']}]"),
      "del_vmns[0]: not object but string" },
    { NOTIFY("update", "[{'del_vmns': [" ROW_ID ", {'tenant': 0}]}]"),
      "del_vmns[1]: \"mac\" is missing" },
    { NOTIFY("update", "[{'del_vmns': [{'tenant': -1}]}]"),
      "del_vmns[0]: \"tenant\" is not from 0 to 4294967295" },
    { NOTIFY("update", "[{'del_ofss': [1]}]"),
      "del_ofss[0]: not string but integer" },
    { NOTIFY("update", "[{'del_ofss': ['0000000000000001', '\\u0007']}]"),
      "del_ofss[1]: \"?\" is not an OFS id" },
    { NOTIFY("update", "[{'del_vmns': [" ROW_ID "], 'del_ofss': ['']}]"),
      "del_ofss[0]: \"\" is not an OFS id" },
    { NOTIFY("update", "[{'del_ports': ['tap0', 'tap0']}]"), NULL },
    { NOTIFY("update", "[{'want_networks': [7, 0, 7, 4294967295]}]"), NULL },
    { NOTIFY("update", "[{'have_networks': []}]"), NULL },
    { NOTIFY("update", "[{'want_networks': null}]"),
      "\"want_networks\" is not array but null" },
    { NOTIFY("update", "[{'want_networks': [0], 'have_networks': [-1]}]"),
      "\"have_networks\" has an element that is not from 0 to 4294967295" },
    { NOTIFY("update", "[{'want_networks': [0, 4294967296]}]"),
      "\"want_networks\" has an element that is not from 0 to 4294967295" },
    { NOTIFY("update", "[{'want_networks': ['0']}]"),
      "\"want_networks\" has an element that is not from 0 to 4294967295" },
    { NOTIFY("update", "[{'ports': {}}]"),
      "\"ports\" is not array but object" },
    { NOTIFY("update", "[{'ports': [{}]}]"), "ports[0]: \"name\" is missing" },
    { NOTIFY("update", "[{'del_ports': 'tap0'}]"),
      "\"del_ports\" is not array but string" },
    { NOTIFY("update", "[{'del_ports': ['tap0', {}]}]"),
      "del_ports[1]: not string but object" },
    { NOTIFY("update", "[{'del_ports': ['']}]"),
      "del_ports[0]: name of port is not 1 to 255 bytes long" },
    { NOTIFY("update", "[{'del_ports': ['" S256 "']}]"),
      "del_ports[0]: name of port is not 1 to 255 bytes long" },
#undef ROW_ID
#undef NOTIFY
};

/* Returns 'good' with the change 'bad'. */
static struct json *
make_bad_record(const char *good, const struct bad_member *bad)
{
    struct json *json = parse_json(good);

    if (bad->value) {
        json_object_put(json, bad->member, parse_json(bad->value));
    } else {
        json_destroy(shash_find_and_delete(json->object, bad->member));
    }
    return json;
}

/* Tests a table of malformed messages and records, and prints the errors. */
static void
test_malformed(struct ovs_cmdl_context *ctx OVS_UNUSED)
{
    for (size_t i = 0; i < ARRAY_SIZE(bad_vmn_members); i++) {
        const struct bad_member *bad = &bad_vmn_members[i];
        struct json *json = make_bad_record(good_vmn_json, bad);
        struct vmmob_vmn vmn;
        char *error, *s;

        memset(&vmn, 0xcc, sizeof vmn);
        error = vmmob_vmn_from_json(json, &vmn);
        s = json_to_string(json, JSSF_SORT);
        if (!error) {
            check_error(s, vmmob_vmn_validate(&vmn), NULL);
            vmmob_vmn_destroy(&vmn);
        } else if (!is_all_zeros(&vmn, sizeof vmn)) {
            fail("%s: not zeroed", s);
        }
        check_error(s, error, bad->error);
        free(s);
        json_destroy(json);
    }

    for (size_t i = 0; i < ARRAY_SIZE(bad_ofs_members); i++) {
        const struct bad_member *bad = &bad_ofs_members[i];
        struct json *json = make_bad_record(good_ofs_json, bad);
        struct vmmob_ofs ofs;
        char *error, *s;

        memset(&ofs, 0xcc, sizeof ofs);
        error = vmmob_ofs_from_json(json, &ofs);
        s = json_to_string(json, JSSF_SORT);
        if (!error) {
            check_error(s, vmmob_ofs_validate(&ofs), NULL);
            vmmob_ofs_destroy(&ofs);
        } else if (!is_all_zeros(&ofs, sizeof ofs)) {
            fail("%s: not zeroed", s);
        }
        check_error(s, error, bad->error);
        free(s);
        json_destroy(json);
    }

    for (size_t i = 0; i < ARRAY_SIZE(bad_port_members); i++) {
        const struct bad_member *bad = &bad_port_members[i];
        struct json *json = make_bad_record(good_port_json, bad);
        struct vmmob_port port;
        char *error, *s;

        memset(&port, 0xcc, sizeof port);
        error = vmmob_port_from_json(json, &port);
        s = json_to_string(json, JSSF_SORT);
        if (!error) {
            check_error(s, vmmob_port_validate(&port), NULL);
            vmmob_port_destroy(&port);
        } else if (!is_all_zeros(&port, sizeof port)) {
            fail("%s: not zeroed", s);
        }
        check_error(s, error, bad->error);
        free(s);
        json_destroy(json);
    }

    for (size_t i = 0; i < ARRAY_SIZE(bad_msgs); i++) {
        struct json *json = parse_json(bad_msgs[i].text);
        char *s = json_to_string(json, JSSF_SORT);
        struct vmmob_msg msg;

        check_error(s, msg_from_string(s, &msg), bad_msgs[i].error);
        vmmob_msg_uninit(&msg);
        free(s);
        json_destroy(json);
    }
}

/* Damages 's', which has 'size' bytes, in place, at random. */
static void
garble_text(char *s, size_t size)
{
    static const char bytes[] = "\"\\[]{}:,0123456789-.eE/ \1\177\377";
    size_t len = strlen(s);
    unsigned int n = range(1, 4);

    for (unsigned int i = 0; i < n && len; i++) {
        size_t ofs = range(0, len - 1);
        size_t run = range(1, MIN(len - ofs, 20));

        switch (range(0, 5)) {
        case 0:
            s[ofs] ^= 1 << range(0, 7);
            break;

        case 1: case 2:
            s[ofs] = bytes[range(0, sizeof bytes - 2)];
            break;

        case 3:
            memmove(&s[ofs], &s[ofs + run], len - ofs - run + 1);
            break;

        case 4:
            if (len + run < size) {
                memmove(&s[ofs + run], &s[ofs], len - ofs + 1);
            }
            break;

        case 5:
            if (!range(0, 9)) {
                s[ofs] = '\0';
            }
            break;

        default:
            OVS_NOT_REACHED();
        }
        len = strlen(s);
    }
}

/* Returns something that some decoder may not expect. */
static struct json *
random_json(void)
{
    static const char *strings[] = {
        "", "::", "0.0.0.0", "10.0.0.1", "192.0.2.1", "ff02::1", "fd00::1",
        "255.255.255.255", "10.0.0.0/8", "::/0", "fd00::/129", "10.0.0.0/99",
        "0000000000000000", "ffffffffffffffff", "00:00:00:00:00:00",
        "ff:ff:ff:ff:ff:ff", "52:54:00:00:00:01", "active", "prepared",
        "\b\n", "\303\251", S256,
    };
    static const long long int integers[] = {
        0, 1, -1, INT32_MAX, UINT32_MAX, UINT32_MAX + 1LL, INT64_MAX,
        INT64_MIN,
    };

    switch (range(0, 8)) {
    case 0: return json_null_create();
    case 1: return json_boolean_create(range(0, 1));
    case 2: return json_object_create();
    case 3: return json_array_create_empty();
    case 4: return json_array_create_1(random_json());
    case 5: return json_real_create(1e300);
    case 6: return json_integer_create(
        integers[range(0, ARRAY_SIZE(integers) - 1)]);
    default: return json_string_create(
        strings[range(0, ARRAY_SIZE(strings) - 1)]);
    }
}

/* Returns 'json', which it destroys, with about one in 'odds' of the values in
 * it changed, removed or repeated. */
static struct json *
garble_json(struct json *json, unsigned int odds)
{
    if (!range(0, odds - 1)) {
        json_destroy(json);
        return random_json();
    }

    if (json->type == JSON_ARRAY) {
        struct json *copy = json_array_create_empty();

        for (size_t i = 0; i < json_array_size(json); i++) {
            unsigned int n = (range(0, odds - 1) ? 1
                              : range(0, 3) ? range(0, 2) : range(15, 18));

            for (unsigned int j = 0; j < n; j++) {
                json_array_add(copy, garble_json(
                                   json_deep_clone(json_array_at(json, i)),
                                   odds));
            }
        }
        json_destroy(json);
        return copy;
    } else if (json->type == JSON_OBJECT) {
        struct json *copy = json_object_create();
        struct shash_node *node;

        SHASH_FOR_EACH (node, json->object) {
            if (range(0, 2 * odds - 1)) {
                json_object_put(copy, node->name,
                                garble_json(json_deep_clone(node->data),
                                            odds));
            }
        }
        json_destroy(json);
        return copy;
    } else {
        return json;
    }
}

/* Decodes 's' and, if that works, checks what comes out.  Returns true if it
 * works. */
static bool
check_garbled(const char *s)
{
    struct vmmob_msg a, b;
    char *error = msg_from_string(s, &a);
    bool ok = !error;

    free(error);
    if (ok) {
        struct vmmob_table *table = vmmob_table_create();
        char *text;

        for (size_t i = 0; i < a.n_vmns; i++) {
            check_error(s, vmmob_vmn_validate(&a.vmns[i]), NULL);
            vmmob_table_put_vmn(table, &a.vmns[i]);
        }
        for (size_t i = 0; i < a.n_ofss; i++) {
            check_error(s, vmmob_ofs_validate(&a.ofss[i]), NULL);
            vmmob_table_put_ofs(table, &a.ofss[i]);
        }
        vmmob_table_destroy(table);
        for (size_t i = 0; i < a.n_ports; i++) {
            check_error(s, vmmob_port_validate(&a.ports[i]), NULL);
        }

        text = msg_to_string(&a);
        check_error(text, msg_from_string(text, &b), NULL);
        if (!msg_equals(&a, &b)) {
            fail("%s: decoded, encoded, decoded to something else", s);
        }
        free(text);
        vmmob_msg_uninit(&b);
    }
    vmmob_msg_uninit(&a);
    return ok;
}

/* Tests messages that were damaged on the way, as text or as JSON. */
static void
test_garbled(struct ovs_cmdl_context *ctx)
{
    uint32_t seed, n;
    uint32_t n_good = 0;
    uint32_t n_bad = 0;

    parse_seed(ctx, &seed, &n);
    for (uint32_t i = 0; i < n && !n_failures; i++) {
        struct vmmob_msg msg;
        size_t size;
        char *s;

        start_case(seed, i);
        random_msg(&msg);
        s = msg_to_string(&msg);
        vmmob_msg_uninit(&msg);

        if (range(0, 1)) {
            size = strlen(s) + 100;
            s = xrealloc(s, size);
            garble_text(s, size);
        } else {
            struct json *json = json_from_string(s);
            struct json *params
                = shash_find_and_delete(json->object, "params");

            json_object_put(json, "params",
                            garble_json(params, range(5, 200)));
            free(s);
            s = json_to_string(json, 0);
            json_destroy(json);
        }
        if (check_garbled(s)) {
            n_good++;
        } else {
            n_bad++;
        }
        free(s);
    }

    /* Otherwise this would not test much. */
    if (n >= 1000 && (n_good < n / 20 || n_bad < n / 20)) {
        fail("%"PRIu32" messages good, %"PRIu32" bad", n_good, n_bad);
    }
}


/* The queue that ports share. */

#define N_FAIRQ_UPLINK 3        /* Kinds of what the uplink sends... */
#define N_FAIRQ_PORTS 11        /* ...and VM ports.  The last one is not
                                 * configured. */

struct fairq_item {
    struct ovs_list node;
    unsigned int port;
    unsigned int serial;        /* Ascending for each port. */
};

/* Checks a queue against what it promises, in N cases of random traffic. */
static void
test_fairq(struct ovs_cmdl_context *ctx)
{
    uint32_t seed, n;

    parse_seed(ctx, &seed, &n);
    for (uint32_t i = 0; i < n && !n_failures; i++) {
        unsigned int n_queued[N_FAIRQ_PORTS] = { 0 };
        unsigned int oldest[N_FAIRQ_PORTS] = { 0 };
        unsigned int waits[N_FAIRQ_PORTS] = { 0 };
        unsigned int serial = 0;
        unsigned int total = 0;
        struct fairq_item *item;
        struct ovs_list *node;
        struct fairq_key keys[N_FAIRQ_PORTS];
        struct fairq q;

        start_case(seed, i);
        const unsigned int max = range(1, 40);
        const unsigned int flooder = range(0, N_FAIRQ_PORTS - 1);

        memset(keys, 0, sizeof keys);
        uuid_generate(&keys[0].bridge);
        for (unsigned int j = 0; j < N_FAIRQ_PORTS; j++) {
            /* Those before N_FAIRQ_UPLINK are kinds of port 0. */
            keys[j].bridge = keys[0].bridge;
            keys[j].port = u16_to_ofp(j < N_FAIRQ_UPLINK ? 0 : j);
            keys[j].kind = j < N_FAIRQ_UPLINK ? 1 + j : 0;
        }
        vmmob_fairq_init(&q, max, 0, 0);
        for (unsigned int j = 0; j < N_FAIRQ_PORTS - 1; j++) {
            vmmob_fairq_configure(&q, &keys[j], j < N_FAIRQ_UPLINK, 0, 0);
        }

        for (int step = 0; step < 200 && !n_failures; step++) {
            if (range(0, 4)) {
                unsigned int port = (range(0, 3) ? flooder
                                     : range(0, N_FAIRQ_PORTS - 1));
                unsigned int longest = 0;

                for (unsigned int j = 0; j < N_FAIRQ_PORTS; j++) {
                    longest = MAX(longest, n_queued[j]);
                }
                item = xzalloc(sizeof *item);
                item->port = port;
                item->serial = ++serial;
                if (!n_queued[port]) {
                    waits[port] = 0;
                }
                n_queued[port]++;
                total++;
                node = vmmob_fairq_push(&q, &keys[port], &item->node);
                if ((node != NULL) != (total > max)) {
                    fail("%u items, room for %u, item lost: %d",
                         total, max, node != NULL);
                }
                if (node) {
                    /* Nobody loses who has less than others. */
                    item = CONTAINER_OF(node, struct fairq_item, node);
                    if (n_queued[item->port] < longest
                        && n_queued[item->port] < n_queued[port]) {
                        fail("port %u with %u items loses one, port %u "
                             "has %u", item->port, n_queued[item->port],
                             port, n_queued[port]);
                    }
                    n_queued[item->port]--;
                    total--;
                    free(item);
                }
            } else if (!range(0, 20)) {
                /* A port is gone. */
                struct ovs_list items = OVS_LIST_INITIALIZER(&items);
                unsigned int port = range(0, N_FAIRQ_PORTS - 2);
                unsigned int n_gone = 0;

                vmmob_fairq_flush_port(&q, &keys[port].bridge,
                                       keys[port].port, &items);
                for (unsigned int j = 0; j < N_FAIRQ_PORTS - 1; j++) {
                    if (keys[j].port == keys[port].port) {
                        n_gone += n_queued[j];
                        n_queued[j] = 0;
                    }
                }
                if (ovs_list_size(&items) != n_gone) {
                    fail("not all items are flushed, or too many");
                }
                LIST_FOR_EACH_POP (item, node, &items) {
                    free(item);
                }
                total -= n_gone;
            } else {
                node = vmmob_fairq_pop(&q);
                if (!node != !total) {
                    fail("%u items, one popped: %d", total, node != NULL);
                }
                if (!node) {
                    continue;
                }
                item = CONTAINER_OF(node, struct fairq_item, node);
                if (item->serial <= oldest[item->port]) {
                    fail("port %u: out of order", item->port);
                }
                oldest[item->port] = item->serial;
                n_queued[item->port]--;
                total--;
                for (unsigned int j = 0; j < N_FAIRQ_PORTS; j++) {
                    waits[j] = j == item->port ? 0 : waits[j] + 1;
                    /* The uplink, port 0, has every second turn. */
                    if (n_queued[j]
                        && waits[j] > (j < N_FAIRQ_UPLINK ? 2 * N_FAIRQ_UPLINK
                                       : 2 * N_FAIRQ_PORTS)) {
                        fail("port %u waits for %u turns", j, waits[j]);
                    }
                }
                free(item);
            }
        }
        while ((node = vmmob_fairq_pop(&q)) != NULL) {
            item = CONTAINER_OF(node, struct fairq_item, node);
            free(item);
            total--;
        }
        if (total) {
            fail("%u items are missing", total);
        }
        vmmob_fairq_destroy(&q);
    }
}


/* Size. */

static void
print_time(const char *what, long long int start_us, size_t n)
{
    long long int us = time_usec() - start_us;

    printf("%-28s %8lld us, %7.3f us each\n", what, us, (double) us / n);
}

static void
numbered_vmn(struct vmmob_vmn *vmn, uint32_t i, uint64_t ofs, bool same_addrs)
{
    uint32_t n = same_addrs ? 0 : i;
    struct in6_addr hoa = in6_addr_mapped_ipv4(htonl(0x0a000001 + n));
    struct in6_addr moa = in6_addr_mapped_ipv4(htonl(0x0b000001 + n));
    struct vmmob_key key;

    key.tenant = 0;
    eth_addr_from_uint64(0x020000000000ULL | i, &key.mac);
    vmmob_vmn_init(vmn, &key, ofs);
    vmn->seqno = ofs;
    vmmob_vmn_set_pair(vmn, &hoa, &moa);
}

/* Fills a table with 'n' VMNs, moves them all, and empties it.  If
 * 'same_addrs' is true, all have the same addresses. */
static void
benchmark(uint32_t n, bool same_addrs)
{
    struct vmmob_table *table = vmmob_table_create();
    struct in6_addr hoa = addr("10.0.0.1");
    struct in6_addr moa = addr("11.0.0.1");
    const struct vmmob_entry **entries;
    struct vmmob_vmn vmn;
    long long int start;

    printf("%"PRIu32" VMNs, %s:\n", n,
           same_addrs ? "all with the same addresses"
           : "each with its own addresses");
    for (uint64_t ofs = 1; ofs <= 2; ofs++) {
        start = time_usec();
        for (uint32_t i = 0; i < n; i++) {
            numbered_vmn(&vmn, i, ofs, same_addrs);
            ovs_assert(vmmob_table_put_vmn(table, &vmn));
            vmmob_vmn_destroy(&vmn);
        }
        print_time(ofs == 1 ? "put" : "put second row", start, n);
    }
    ovs_assert(vmmob_table_n_vmns(table) == n);

    start = time_usec();
    for (uint32_t i = 0; i < n; i++) {
        const struct vmmob_vmn *found;

        if (!same_addrs) {
            in6_addr_set_mapped_ipv4(&hoa, htonl(0x0a000001 + i));
            in6_addr_set_mapped_ipv4(&moa, htonl(0x0b000001 + i));
        }
        found = vmmob_table_find_by_hoa(table, 0, &hoa);
        ovs_assert(found && found->ofs == 2);
        ovs_assert(vmmob_table_find_by_moa(table, &moa) == found);
    }
    print_time("look up by HoA and by MoA", start, n);

    start = time_usec();
    entries = vmmob_sort_entries(table);
    free(entries);
    print_time("sort", start, n);

    start = time_usec();
    for (uint32_t i = 0; i < n; i++) {
        numbered_vmn(&vmn, i, 2, same_addrs);
        ovs_assert(vmmob_table_remove_vmn(table, &vmn.key, 2));
        vmmob_vmn_destroy(&vmn);
    }
    print_time("remove second row", start, n);

    start = time_usec();
    vmmob_table_destroy(table);
    print_time("destroy", start, n);
}

static void
test_benchmark(struct ovs_cmdl_context *ctx)
{
    uint32_t n = strtoul(ctx->argv[1], NULL, 10);
    long long int start;
    struct vmmob_msg a, b;
    size_t n_bytes = 0;

    benchmark(n, false);
    benchmark(n, true);

    printf("Messages with %d VMNs:\n", VMMOB_MSG_MAX_ROWS);
    start = time_usec();
    for (uint32_t i = 0; i < n; i += VMMOB_MSG_MAX_ROWS) {
        char *s;

        vmmob_msg_init(&a, VMMOB_MSG_UPDATE);
        for (uint32_t j = i; j < n && j < i + VMMOB_MSG_MAX_ROWS; j++) {
            struct vmmob_vmn vmn;

            numbered_vmn(&vmn, j, 1, false);
            vmmob_msg_put_vmn(&a, &vmn);
            vmmob_vmn_destroy(&vmn);
        }
        s = msg_to_string(&a);
        n_bytes += strlen(s);
        check_error("benchmark", msg_from_string(s, &b), NULL);
        ovs_assert(msg_equals(&a, &b));
        free(s);
        vmmob_msg_uninit(&a);
        vmmob_msg_uninit(&b);
    }
    print_time("to text and back", start, n);
    printf("%"PRIuSIZE" bytes per VMN\n", n_bytes / MAX(n, 1));
}

static void
put_random(struct dp_packet *packet, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        *(uint8_t *) dp_packet_put_uninit(packet, 1) = random_uint32();
    }
}

/* Returns a random frame whose TCP or UDP checksum is partial.  Stores where
 * that is in '*ofs', where the segment is in '*l4_ofs', and the sum of the
 * pseudo-header in '*pseudo'. */
static struct dp_packet *
random_partial(size_t *ofs, size_t *l4_ofs, uint32_t *pseudo)
{
    static const uint8_t extensions[] = { IPPROTO_HOPOPTS, IPPROTO_DSTOPTS };
    struct dp_packet *packet = dp_packet_new(0);
    bool ipv4 = random_range(2);
    uint8_t proto = random_range(2) ? IPPROTO_TCP : IPPROTO_UDP;
    size_t size = (proto == IPPROTO_TCP ? TCP_HEADER_LEN : UDP_HEADER_LEN)
                  + random_range(random_range(2) ? 100 : 1461);
    size_t n_more = random_range(3);    /* IP options, or extensions. */

    put_random(packet, 2 * ETH_ADDR_LEN);
    for (int i = random_range(3); i > 0; i--) {
        ovs_be16 tag[2] = { htons(ETH_TYPE_VLAN), htons(random_range(4096)) };
        dp_packet_put(packet, tag, sizeof tag);
    }
    ovs_be16 type = htons(ipv4 ? ETH_TYPE_IP : ETH_TYPE_IPV6);
    dp_packet_put(packet, &type, sizeof type);

    size_t ip_ofs = dp_packet_size(packet);
    if (ipv4) {
        put_random(packet, IP_HEADER_LEN + n_more * 4);
        struct ip_header *ip = dp_packet_at_assert(packet, ip_ofs, sizeof *ip);
        ip->ip_ihl_ver = IP_IHL_VER(5 + n_more, 4);
        ip->ip_tot_len = htons(IP_HEADER_LEN + n_more * 4 + size);
        ip->ip_frag_off &= htons(IP_DONT_FRAGMENT);
        ip->ip_proto = proto;
        *pseudo = csum_continue(0, &ip->ip_src, 8);
    } else {
        put_random(packet, IPV6_HEADER_LEN + n_more * 16);
        uint8_t *ip6 = dp_packet_at_assert(packet, ip_ofs, IPV6_HEADER_LEN);
        uint8_t *next = ip6 + 6;

        ip6[0] = 0x60;
        ovs_be16 plen = htons(n_more * 16 + size);
        memcpy(ip6 + 4, &plen, sizeof plen);
        for (size_t i = 0; i < n_more; i++) {
            *next = extensions[random_range(2)];
            next = ip6 + IPV6_HEADER_LEN + i * 16;
            next[1] = 1;
        }
        *next = proto;
        *pseudo = csum_continue(0, ip6 + 8, 32);
    }
    *pseudo = csum_add32(csum_add16(*pseudo, htons(proto)), htonl(size));

    *l4_ofs = dp_packet_size(packet);
    *ofs = *l4_ofs + (proto == IPPROTO_TCP ? 16 : 6);
    put_random(packet, size);
    ovs_be16 partial = ~csum_finish(*pseudo);
    memcpy(dp_packet_at_assert(packet, *ofs, 2), &partial, 2);
    return packet;
}

/* Completes the checksums of N random frames, and then of garbled ones. */
static void
test_csum(struct ovs_cmdl_context *ctx)
{
    uint32_t seed = atoi(ctx->argv[1]);
    uint32_t n = atoi(ctx->argv[2]);

    for (uint32_t i = 0; i < n; i++) {
        size_t ofs, l4_ofs, size;
        uint32_t pseudo;

        start_case(seed, i);
        struct dp_packet *packet = random_partial(&ofs, &l4_ofs, &pseudo);
        struct dp_packet *old = dp_packet_clone(packet);
        size = dp_packet_size(packet);
        put_random(packet, random_range(3));        /* Padding. */
        if (!vmmob_csum_complete(packet)) {
            fail("not completed");
        }
        char *data = dp_packet_data(packet);
        if (csum_finish(csum_continue(pseudo, data + l4_ofs, size - l4_ofs))) {
            fail("wrong checksum");
        }
        memcpy(data + ofs, (char *) dp_packet_data(old) + ofs, 2);
        if (memcmp(data, dp_packet_data(old), size)) {
            fail("something else was changed");
        }
        dp_packet_delete(packet);

        /* Not even a whole frame: in memory of its own, so that looking
         * beyond its end is noticed where memory is checked. */
        size_t cut = random_range(size);
        void *copy = xmemdup(dp_packet_data(old), cut);
        struct dp_packet garbled;
        dp_packet_use_const(&garbled, copy, cut);
        if (vmmob_csum_complete(&garbled)) {
            fail("completed %"PRIuSIZE" of %"PRIuSIZE" bytes", cut, size);
        }
        free(copy);

        /* A few random bytes in the headers. */
        copy = xmemdup(dp_packet_data(old), size);
        dp_packet_use_const(&garbled, copy, size);
        for (int j = random_range(4); j >= 0; j--) {
            ((uint8_t *) copy)[random_range(ofs)] = random_uint32();
        }
        void *before = xmemdup(copy, size);
        if (!vmmob_csum_complete(&garbled) && memcmp(copy, before, size)) {
            fail("changed what was left alone");
        }
        free(before);
        free(copy);
        dp_packet_delete(old);
    }
}

/* The checksums in a packet that an ICMP error quotes are what its sender
 * would have made of it with the new addresses, of whatever protocol it is,
 * and however little of it is quoted. */

/* What test_embedded() quotes. */
struct quoted {
    uint8_t proto;
    size_t n_options;           /* Of IP, in units of 4 bytes. */
    uint16_t frag;              /* As in IP's header. */
    bool zero;                  /* No checksum, or of UDP none of 0. */
    size_t size;                /* Of the IP packet as it was sent. */
};

static const struct {
    uint8_t proto;
    size_t header_len;
    size_t csum_ofs;
    bool follows;               /* The checksum follows the addresses. */
} quoted_protos[] = {
    { IPPROTO_TCP, TCP_HEADER_LEN, 16, true },
    { IPPROTO_UDP, UDP_HEADER_LEN, 6, true },
    { IPPROTO_UDPLITE, 8, 6, false },
    { IPPROTO_DCCP, 16, 6, false },
    { IPPROTO_ICMP, ICMP_HEADER_LEN, 2, false },
    { IPPROTO_SCTP, SCTP_HEADER_LEN, 8, false },
};

/* Puts the checksums into the packet of 'q' in 'data', whose addresses have
 * been set. */
static void
finish_quoted(const struct quoted *q, size_t proto, uint8_t *data)
{
    size_t l4_ofs = IP_HEADER_LEN + 4 * q->n_options;
    uint8_t *l4_csum = data + l4_ofs + quoted_protos[proto].csum_ofs;
    ovs_be16 sum;

    memset(data + 10, 0, 2);
    sum = csum(data, l4_ofs);
    memcpy(data + 10, &sum, 2);
    if (quoted_protos[proto].follows && !(q->frag & IP_FRAG_OFF_MASK)
        && !q->zero) {
        size_t l4_len = q->size - l4_ofs;
        uint32_t pseudo = csum_continue(0, data + 12, 8);

        pseudo = csum_add16(pseudo, htons(q->proto));
        pseudo = csum_add16(pseudo, htons(l4_len));
        memset(l4_csum, 0, 2);
        sum = csum_finish(csum_continue(pseudo, data + l4_ofs, l4_len));
        if (!sum && q->proto == IPPROTO_UDP) {
            sum = OVS_BE16_MAX;
        }
        memcpy(l4_csum, &sum, 2);
    }
}

/* Returns an ICMP error that quotes 'cut' bytes of 'data'. */
static struct dp_packet *
compose_error(const uint8_t *data, size_t cut)
{
    struct dp_packet *packet = dp_packet_new(0);
    size_t size = IP_HEADER_LEN + ICMP_HEADER_LEN + cut;
    struct ip_header *ip = eth_compose(packet, eth_addr_zero, eth_addr_zero,
                                       ETH_TYPE_IP, size);

    memset(ip, 0, size);
    ip->ip_ihl_ver = IP_IHL_VER(5, 4);
    ip->ip_tot_len = htons(size);
    ip->ip_proto = IPPROTO_ICMP;
    ip->ip_csum = csum(ip, IP_HEADER_LEN);

    struct icmp_header *icmp = (struct icmp_header *) (ip + 1);
    icmp->icmp_type = ICMP4_TIME_EXCEEDED;
    memcpy(icmp + 1, data, cut);
    icmp->icmp_csum = csum(icmp, ICMP_HEADER_LEN + cut);

    struct flow flow;
    flow_extract(packet, &flow);
    return packet;
}

static void
check_quoted(const struct quoted *q, size_t proto)
{
    const ovs_be32 addrs[] = { random_uint32(), random_uint32() };
    struct in6_addr src = in6_addr_mapped_ipv4(addrs[0]);
    struct in6_addr dst = in6_addr_mapped_ipv4(addrs[1]);
    uint8_t data[128], expected[128];

    random_bytes(data, sizeof data);
    data[0] = IP_IHL_VER(5 + q->n_options, 4);
    data[2] = q->size >> 8;
    data[3] = q->size;
    data[6] = q->frag >> 8;
    data[7] = q->frag;
    data[9] = q->proto;
    if (q->zero) {
        memset(data + IP_HEADER_LEN + 4 * q->n_options
               + quoted_protos[proto].csum_ofs, 0, 2);
    }
    finish_quoted(q, proto, data);
    memcpy(expected, data, sizeof data);
    memcpy(expected + 12, addrs, sizeof addrs);
    finish_quoted(q, proto, expected);

    for (size_t cut = 0; cut <= q->size; cut++) {
        struct dp_packet *packet = compose_error(data, cut);
        const struct icmp_header *icmp = dp_packet_l4(packet);
        /* Half a checksum stays: it depends on the other half. */
        size_t n = cut - (cut == (IP_HEADER_LEN + 4 * q->n_options
                                  + quoted_protos[proto].csum_ofs + 1));

        vmmob_frame_set_embedded(packet, &src, &dst);
        if (memcmp(icmp + 1, n < IP_HEADER_LEN ? data : expected, n)
            || memcmp((const uint8_t *) (icmp + 1) + n, data + n, cut - n)) {
            fail("protocol %d, %"PRIuSIZE" bytes quoted: not what was sent",
                 q->proto, cut);
        }
        if (csum(icmp, ICMP_HEADER_LEN + cut)) {
            fail("protocol %d, %"PRIuSIZE" bytes quoted: wrong ICMP checksum",
                 q->proto, cut);
        }
        dp_packet_delete(packet);
    }
}

static void
test_embedded(struct ovs_cmdl_context *ctx)
{
    static const uint16_t frags[] = { 0, IP_DONT_FRAGMENT, IP_MORE_FRAGMENTS,
                                      IP_MORE_FRAGMENTS | 185, 1 };
    uint32_t seed = atoi(ctx->argv[1]);
    uint32_t n = atoi(ctx->argv[2]);

    for (uint32_t i = 0; i < n; i++) {
        start_case(seed, i);
        for (size_t j = 0; j < ARRAY_SIZE(quoted_protos); j++) {
            for (size_t k = 0; k < ARRAY_SIZE(frags); k++) {
                struct quoted q = {
                    .proto = quoted_protos[j].proto,
                    .n_options = random_range(11),
                    .frag = frags[k],
                    .zero = (quoted_protos[j].proto == IPPROTO_UDP
                             && !random_range(4)),
                };

                q.size = (IP_HEADER_LEN + 4 * q.n_options
                          + quoted_protos[j].header_len + random_range(24));
                check_quoted(&q, j);
            }
        }
    }
}

/* What an OFS makes of what others write: the same, in whatever order their
 * messages come, and how often. */

/* What an author writes, one after the other. */
struct history {
    struct vmmob_msg msgs[8];
    size_t n;
    size_t n_sent;
};

static struct handover *
create_handover(void)
{
    struct vmmob_settings settings;
    struct handover *h = vmmob_handover_create();
    struct vmmob_ofs ofs;
    struct smap smap;
    struct vmmob_msg msg;

    smap_init(&smap);
    smap_add(&smap, "vmmob-uplink", "eth0");
    smap_add(&smap, "vmmob-home", "10.0.0.0/24");
    smap_add(&smap, "vmmob-home-gateway", "10.0.0.254");
    smap_add(&smap, "vmmob-pool", "192.0.2.128/25");
    smap_add(&smap, "vmmob-gateway", "192.0.2.1/24");
    smap_add(&smap, "vmmob-max-moves", "0");
    check_error("settings", vmmob_settings_parse(&smap, &settings), NULL);
    smap_destroy(&smap);

    vmmob_ofs_init(&ofs, 3);
    vmmob_settings_fill_ofs(&settings, &ofs);
    ofs.mac = (struct eth_addr) ETH_ADDR_C(02,00,00,00,00,03);
    vmmob_handover_configure(h, &ofs, &settings, 0);
    vmmob_ofs_destroy(&ofs);
    vmmob_settings_destroy(&settings);

    vmmob_msg_init(&msg, VMMOB_MSG_BEGIN);
    vmmob_handover_receive(h, &msg, 0);
    vmmob_msg_init(&msg, VMMOB_MSG_END);
    vmmob_handover_receive(h, &msg, 0);
    return h;
}

static struct in6_addr
nth_home(unsigned int n)
{
    struct in6_addr a;

    in6_addr_set_mapped_ipv4(&a, htonl(0x0a000001 + n));
    return a;
}

/* Makes the OFS of 'h' see the VMNs that are in 'here'. */
static void
sight_some(struct handover *h, unsigned int here)
{
    struct handover_ofs *ofs = vmmob_handover_find_ofs(h, 3);

    for (unsigned int i = 0; i < N_KEYS; i++) {
        struct vmmob_key key = key_nth(i);
        struct in6_addr hoa = nth_home(i);

        if (here & (1u << i)) {
            vmmob_handover_sight(h, ofs, &key, OFP_PORT_C(2), &hoa,
                                 HANDOVER_USED, 0);
        }
    }
}

static void
random_history(struct history *history, uint64_t author)
{
    history->n = range(1, ARRAY_SIZE(history->msgs));
    history->n_sent = 0;
    for (size_t i = 0; i < history->n; i++) {
        struct vmmob_msg *msg = &history->msgs[i];

        vmmob_msg_init(msg, VMMOB_MSG_UPDATE);
        for (unsigned int k = 0; k < N_KEYS; k++) {
            struct vmmob_key key = key_nth(k);

            switch (range(0, 5)) {
            case 0:
                vmmob_msg_del_vmn(msg, &key, author);
                break;
            case 1:
            case 2: {
                struct in6_addr hoa = nth_home(k);
                struct vmmob_vmn vmn;

                vmmob_vmn_init(&vmn, &key, author);
                vmn.seqno = range(0, 4);
                vmn.state = range(0, 3) ? VMMOB_ACTIVE : VMMOB_PREPARED;
                vmmob_vmn_set_pair(&vmn, &hoa, &in6addr_any);
                vmmob_msg_put_vmn(msg, &vmn);
                vmmob_vmn_destroy(&vmn);
                break;
            }
            }
        }
    }
}

/* Makes 'h' receive all of the 'n' 'histories', each in its order but mixed at
 * random, and some parts again. */
static void
receive_histories(struct handover *h, struct history *histories, size_t n)
{
    size_t left = 0;

    for (size_t i = 0; i < n; i++) {
        histories[i].n_sent = 0;
        left += histories[i].n;
    }
    while (left) {
        struct history *history = &histories[range(0, n - 1)];

        if (history->n_sent < history->n) {
            const struct vmmob_msg *msg = &history->msgs[history->n_sent++];

            do {
                vmmob_handover_receive(h, msg, 0);
            } while (!range(0, 3));
            left--;
        }
    }
}

/* Tells 'h' all that there is in the end, from 'begin' to 'end'. */
static void
receive_snapshot(struct handover *h, const struct handover *other)
{
    const struct vmmob_entry *entry;
    struct vmmob_msg msg;

    vmmob_msg_init(&msg, VMMOB_MSG_BEGIN);
    vmmob_handover_receive(h, &msg, 0);
    vmmob_msg_init(&msg, VMMOB_MSG_UPDATE);
    HMAP_FOR_EACH (entry, node, vmmob_table_entries(other->table)) {
        const struct vmmob_row *row;

        LIST_FOR_EACH (row, node, &entry->rows) {
            if (row->vmn.ofs != 3) {
                vmmob_msg_put_vmn(&msg, &row->vmn);
            }
        }
    }
    vmmob_handover_receive(h, &msg, 0);
    vmmob_msg_uninit(&msg);
    vmmob_msg_init(&msg, VMMOB_MSG_END);
    vmmob_handover_receive(h, &msg, 0);
}

/* Adds to 's' all that 'h' knows of VMNs. */
static void
describe_handover(const struct handover *h, struct ds *s)
{
    const struct vmmob_entry **entries = vmmob_sort_entries(h->table);

    for (size_t i = 0; i < vmmob_table_n_vmns(h->table); i++) {
        const struct handover_vmn *vmn = vmmob_handover_find_vmn(
            vmmob_handover_find_ofs(h, 3), &entries[i]->key);
        const struct vmmob_row *row;

        LIST_FOR_EACH (row, node, &entries[i]->rows) {
            struct json *json = vmmob_vmn_to_json(&row->vmn);

            json_to_ds(json, JSSF_SORT, s);
            json_destroy(json);
        }
        if (vmn) {
            /* The port of one that left tells just where it was. */
            ds_put_format(s, " %s %"PRIu32,
                          vmmob_handover_state_to_string(vmn->state),
                          vmn->state == HANDOVER_LEFT ? 0 : vmn->port);
        }
        ds_put_char(s, '\n');
    }
    free(entries);
}

static void
random_handover(void)
{
    unsigned int here = range(0, (1u << N_KEYS) - 1);
    struct ds a = DS_EMPTY_INITIALIZER;
    struct ds b = DS_EMPTY_INITIALIZER;
    struct history histories[3];
    struct handover *h[2];

    for (size_t i = 0; i < ARRAY_SIZE(histories); i++) {
        /* Some have a higher, some a lower id than the OFS here. */
        random_history(&histories[i], i + 2 + (i > 0));
    }
    for (size_t i = 0; i < ARRAY_SIZE(h); i++) {
        h[i] = create_handover();
        sight_some(h[i], here);
        receive_histories(h[i], histories, ARRAY_SIZE(histories));
    }
    describe_handover(h[0], &a);
    describe_handover(h[1], &b);
    if (strcmp(ds_cstr(&a), ds_cstr(&b))) {
        fail("in one order:\n%s\nin another:\n%s", ds_cstr(&a), ds_cstr(&b));
    }

    /* To say all once more changes nothing. */
    receive_snapshot(h[1], h[0]);
    ds_clear(&b);
    describe_handover(h[1], &b);
    if (strcmp(ds_cstr(&a), ds_cstr(&b))) {
        fail("before:\n%s\nafter a snapshot:\n%s", ds_cstr(&a), ds_cstr(&b));
    }

    for (size_t i = 0; i < ARRAY_SIZE(h); i++) {
        vmmob_handover_destroy(h[i]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(histories); i++) {
        for (size_t j = 0; j < histories[i].n; j++) {
            vmmob_msg_uninit(&histories[i].msgs[j]);
        }
    }
    ds_destroy(&a);
    ds_destroy(&b);
}

static void
test_handover(struct ovs_cmdl_context *ctx)
{
    uint32_t seed, n;

    vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_OFF);
    parse_seed(ctx, &seed, &n);
    for (uint32_t i = 0; i < n && !n_failures; i++) {
        start_case(seed, i);
        random_handover();
    }
}

/* Work for a row. */

/* The OFS number 'n' of another site, at the version 'version' of its row. */
static struct vmmob_ofs
nth_ofs(uint32_t n)
{
    struct vmmob_prefix pool = { .plen = 128 };
    struct vmmob_ofs ofs;

    vmmob_ofs_init(&ofs, 1000 + n);
    eth_addr_from_uint64(UINT64_C(0x020000000000) + n, &ofs.mac);
    in6_addr_set_mapped_ipv4(&ofs.uplink.addr, htonl(0xc6336400));
    ofs.uplink.plen = 96 + 24;
    in6_addr_set_mapped_ipv4(&ofs.gateway, htonl(0xc6336401));
    in6_addr_set_mapped_ipv4(&pool.addr, htonl(0x0b000001 + n));
    ofs.pools = xmemdup(&pool, sizeof pool);
    ofs.n_pools = 1;
    return ofs;
}

/* Makes 'h' receive 'ofs', which is freed, and checks how many VMNs and OFSs
 * this concerns. */
static void
check_ofs_work(const char *what, struct handover *h, struct vmmob_ofs ofs,
               size_t n_vmns, size_t n_ofss)
{
    struct handover_effects effects;
    struct vmmob_msg msg, update;

    vmmob_msg_init(&msg, VMMOB_MSG_UPDATE);
    vmmob_msg_put_ofs(&msg, &ofs);
    vmmob_handover_receive(h, &msg, 0);
    vmmob_msg_uninit(&msg);
    vmmob_ofs_destroy(&ofs);

    vmmob_msg_init(&update, VMMOB_MSG_UPDATE);
    vmmob_handover_take_effects(h, &effects, &update);
    if (effects.n_vmns != n_vmns || effects.n_ofss != n_ofss) {
        fail("%s: concerns %"PRIuSIZE" VMNs and %"PRIuSIZE" OFSs, not "
             "%"PRIuSIZE" and %"PRIuSIZE, what, effects.n_vmns,
             effects.n_ofss, n_vmns, n_ofss);
    }
    vmmob_handover_effects_uninit(&effects);
    vmmob_msg_uninit(&update);
}

/* Checks, with N OFSs of other sites and two VMNs at each, that a change in
 * the row of one OFS concerns only those of its VMNs that have rules here. */
static void
test_handover_work(struct ovs_cmdl_context *ctx)
{
    uint32_t n = strtoul(ctx->argv[1], NULL, 10);
    struct handover *h = create_handover();
    struct handover_ofs *self = vmmob_handover_find_ofs(h, 3);
    struct handover_effects effects;
    struct vmmob_msg msg, update;
    struct vmmob_ofs ofs;

    vmmob_msg_init(&msg, VMMOB_MSG_UPDATE);
    for (uint32_t i = 0; i < n; i++) {
        ofs = nth_ofs(i);
        vmmob_msg_put_ofs(&msg, &ofs);
        vmmob_ofs_destroy(&ofs);
        for (uint32_t j = 0; j < 2; j++) {
            struct vmmob_vmn vmn;

            numbered_vmn(&vmn, 100 + 2 * i + j, 1000 + i, false);
            vmmob_msg_put_vmn(&msg, &vmn);
            vmmob_vmn_destroy(&vmn);
        }
    }
    vmmob_handover_receive(h, &msg, 0);

    /* Here are 10 VMNs.  They talk to the first VMN of each OFS. */
    for (uint32_t i = 0; i < 10; i++) {
        struct in6_addr hoa = nth_home(i);
        struct vmmob_key key = { .tenant = 0 };

        eth_addr_from_uint64(UINT64_C(0x0a0000000000) + i, &key.mac);
        vmmob_handover_sight(h, self, &key, OFP_PORT_C(2), &hoa,
                             HANDOVER_USED, 0);
    }
    for (uint32_t i = 0; i < n; i++) {
        vmmob_handover_talk(h, self, &msg.vmns[2 * i].key);
    }
    vmmob_msg_uninit(&msg);
    vmmob_msg_init(&update, VMMOB_MSG_UPDATE);
    vmmob_handover_take_effects(h, &effects, &update);
    vmmob_handover_effects_uninit(&effects);
    vmmob_msg_uninit(&update);

    /* No rule depends on these. */
    check_ofs_work("nothing", h, nth_ofs(7), 0, 0);
    ofs = nth_ofs(7);
    free(ofs.site);
    ofs.site = xstrdup("lyon");
    check_ofs_work("site", h, ofs, 0, 0);
    ofs = nth_ofs(7);
    ofs.stale = true;
    check_ofs_work("stale", h, ofs, 0, 0);
    ofs = nth_ofs(7);
    ofs.gateway_mac = ofs.mac;
    check_ofs_work("its gateway", h, ofs, 0, 0);

    ofs = nth_ofs(7);
    ofs.mac = (struct eth_addr) ETH_ADDR_C(02,00,00,00,07,07);
    check_ofs_work("MAC address", h, ofs, 1, 0);
    ofs = nth_ofs(7);
    ofs.pools[0].plen = 127;
    ofs.pools[0].addr.s6_addr[15] &= 0xfe;
    check_ofs_work("MAC address and pool", h, ofs, 1, 1);
    check_ofs_work("pool", h, nth_ofs(7), 0, 1);
    check_ofs_work("new", h, nth_ofs(n), 0, 1);

    vmmob_msg_init(&msg, VMMOB_MSG_UPDATE);
    vmmob_msg_del_ofs(&msg, 1007);
    vmmob_handover_receive(h, &msg, 0);
    vmmob_msg_uninit(&msg);
    check_ofs_work("removed, and new again", h, nth_ofs(7), 1, 1);

    vmmob_handover_destroy(h);
}

/* Damping of MAC moves, against a list of all moves. */

static void
random_damping(void)
{
    enum { N_VMNS = 3, N_STEPS = 200 };
    size_t max_moves = range(0, 6);
    long long int window = range(1, 50);
    long long int moves[N_VMNS][N_STEPS];
    long long int released[N_VMNS] = { 0 };
    bool frozen[N_VMNS] = { false };
    size_t n[N_VMNS] = { 0 };
    long long int now = 1;
    struct damping d;

    vmmob_damping_init(&d);
    vmmob_damping_configure(&d, max_moves, window);
    for (int i = 0; i < N_STEPS && !n_failures; i++) {
        unsigned int k = range(0, N_VMNS - 1);
        struct vmmob_key key = key_nth(k);

        now += range(0, range(0, 3) ? 5 : 60);
        vmmob_damping_run(&d, now);
        for (int j = 0; j < N_VMNS; j++) {
            if (n[j] && moves[j][n[j] - 1] + window <= now) {
                frozen[j] = false;
            }
        }

        if (!range(0, 19)) {
            if (vmmob_damping_release(&d, &key) != frozen[k]) {
                fail("step %d: release says otherwise", i);
            }
            frozen[k] = false;
            released[k] = now;
            n[k] = 0;
        } else if (max_moves) {
            size_t recent = 0;
            bool was = frozen[k];

            moves[k][n[k]++] = now;
            for (size_t j = 0; j < n[k]; j++) {
                recent += (moves[k][j] > now - window
                           && moves[k][j] >= released[k]);
            }
            frozen[k] |= recent >= max_moves;
            if (vmmob_damping_note_move(&d, &key,
                                        now) != (frozen[k] && !was)) {
                fail("step %d: freezing says otherwise", i);
            }
        } else if (vmmob_damping_note_move(&d, &key, now)) {
            fail("step %d: frozen without damping", i);
        }

        long long int next = LLONG_MAX;
        for (int j = 0; j < N_VMNS; j++) {
            struct vmmob_key other = key_nth(j);

            if (vmmob_damping_is_frozen(&d, &other) != frozen[j]) {
                fail("step %d: VMN %d is %sfrozen", i, j,
                     frozen[j] ? "not " : "");
            }
            if (n[j] && moves[j][n[j] - 1] + window > now) {
                next = MIN(next, moves[j][n[j] - 1] + window);
            }
        }
        if (vmmob_damping_next_event(&d) != next) {
            fail("step %d: next event at %lld instead of %lld", i,
                 vmmob_damping_next_event(&d), next);
        }
    }
    vmmob_damping_run(&d, now + window);
    if (!hmap_is_empty(&d.records)) {
        fail("something is remembered for ever");
    }
    vmmob_damping_destroy(&d);
}

static void
test_damping(struct ovs_cmdl_context *ctx)
{
    uint32_t seed, n;

    parse_seed(ctx, &seed, &n);
    for (uint32_t i = 0; i < n && !n_failures; i++) {
        start_case(seed, i);
        random_damping();
    }
}

/* The index of datapath flows, against a search through all of them. */

struct indexed_flow {
    struct flow_index_entry *entry;
    const void *owner;
    struct flow flow;
    struct flow_wildcards wc;
    bool exact;                 /* Added without mask. */
};

/* Few, so that many have common prefixes. */
static ovs_be32
random_ipv4(void)
{
    return htonl(0x0a640000 | (range(0, 1) << range(0, 31))
                 | (range(0, 1) << range(0, 31)));
}

static struct eth_addr
random_mac(void)
{
    struct eth_addr mac = ETH_ADDR_C(0a,00,00,00,00,00);

    mac.ea[range(0, 1) ? 5 : 2] = range(0, 2);
    return mac;
}

static struct eth_addr
random_mac_mask(void)
{
    struct eth_addr mask = eth_addr_exact;

    if (range(0, 1)) {
        memset(&mask, 0, sizeof mask);
        mask.ea[range(0, 5)] = random_uint32();
    }
    return mask;
}

static ovs_be32
random_ipv4_mask(void)
{
    return (range(0, 9)
            ? be32_prefix_mask(range(0, 3) ? 32 : range(0, 32))
            : htonl(random_uint32()));
}

/* Returns true if the first bits of 'mask', as far as they are ones, make 'a'
 * equal to 'b', and there are such bits. */
static bool
have_common_prefix(ovs_be32 a, ovs_be32 b, ovs_be32 mask)
{
    int n = 0;

    while (n < 32 && ntohl(mask) & (UINT32_C(1) << (31 - n))) {
        n++;
    }
    return n && !((a ^ b) & be32_prefix_mask(n));
}

/* Returns true if the mask of 'f' lets its flow be found at all. */
static bool
can_be_found(const struct indexed_flow *f)
{
    return ((f->flow.dl_type == htons(ETH_TYPE_IP)
             && (f->wc.masks.nw_src & htonl(1u << 31)
                 || f->wc.masks.nw_dst & htonl(1u << 31)))
            || eth_addr_equals(f->wc.masks.dl_dst, eth_addr_exact));
}

/* Looks for what has to do with an address: a MAC address or an IP address. */
static void
check_found(const struct indexed_flow *flows, size_t n, const void *owner)
{
    enum { MAX = 200 };
    struct flow_index_id ids[MAX];
    bool found[MAX] = { false };
    ovs_be32 ip = random_ipv4();
    struct eth_addr mac = random_mac();
    bool by_mac = !range(0, 2);
    struct in6_addr ip6;
    size_t n_ids, n_exact, n_vague, max;
    bool complete;

    if (by_mac) {
        ip6 = vmmob_flow_index_mac(mac);
    } else {
        in6_addr_set_mapped_ipv4(&ip6, ip);
    }
    n_ids = vmmob_flow_index_find(owner, &ip6, ids, MAX, MAX, &complete);
    if (!complete) {
        fail("not all were found");
    }
    for (size_t i = 0; i < n_ids; i++) {
        size_t j = ids[i].ufid.u32[0];

        if (j >= n || ids[i].pmd_id != j + 1 || !flows[j].entry
            || flows[j].owner != owner) {
            fail("found a flow that is not there");
            return;
        }
        found[j] = true;
    }
    for (size_t i = 0; i < n; i++) {
        const struct indexed_flow *f = &flows[i];
        bool has_mac = (eth_addr_equals(f->wc.masks.dl_dst, eth_addr_exact)
                        && eth_addr_equals(f->flow.dl_dst, mac));
        bool has_ip = (f->flow.dl_type == htons(ETH_TYPE_IP)
                       && (have_common_prefix(f->flow.nw_src, ip,
                                              f->wc.masks.nw_src)
                           || have_common_prefix(f->flow.nw_dst, ip,
                                                 f->wc.masks.nw_dst)));
        bool wanted = (f->entry && f->owner == owner
                       && (by_mac ? has_mac : has_ip));

        if (wanted != found[i]) {
            fail(IP_FMT", "ETH_ADDR_FMT": flow %"PRIuSIZE" %s found",
                 IP_ARGS(ip), ETH_ADDR_ARGS(mac), i,
                 wanted ? "is not" : "should not be");
        }
    }

    max = range(0, 3);
    if (vmmob_flow_index_find(owner, &ip6, ids, max, MAX, &complete)
        != MIN(max, n_ids) || complete != (max >= n_ids)) {
        fail("not as many found as there is room for");
    }

    n_exact = vmmob_flow_index_find(owner, &ip6, ids, MAX, 0, &complete);
    for (size_t i = 0; i < n_exact; i++) {
        const struct indexed_flow *f = &flows[ids[i].ufid.u32[0]];

        if (!by_mac
            && !(f->wc.masks.nw_src == OVS_BE32_MAX && f->flow.nw_src == ip)
            && !(f->wc.masks.nw_dst == OVS_BE32_MAX
                 && f->flow.nw_dst == ip)) {
            fail("found a flow that has to do with other addresses");
        }
    }
    n_vague = vmmob_flow_index_find(owner, &ip6, ids, MAX, max,
                                    &complete) - n_exact;
    if (n_vague != MIN(max, n_ids - n_exact)) {
        fail("not as many found as there may be that have to do with other "
             "addresses");
    }
}

static void
random_flow_index(void)
{
    enum { N = 100 };
    static const int owners[2];
    struct indexed_flow *flows = xcalloc(N, sizeof *flows);
    size_t n_indexed = 0;

    for (size_t i = 0; i < N && !n_failures; i++) {
        struct indexed_flow *f = &flows[i];
        ovs_u128 ufid = { .u32 = { i } };

        f->owner = &owners[range(0, 1)];
        f->flow.dl_type = htons(range(0, 9) ? ETH_TYPE_IP : ETH_TYPE_ARP);
        f->flow.nw_src = random_ipv4();
        f->flow.nw_dst = random_ipv4();
        f->flow.dl_dst = random_mac();
        f->exact = !range(0, 9);
        f->wc.masks.dl_dst = f->exact ? eth_addr_exact : random_mac_mask();
        f->wc.masks.nw_src = f->exact ? OVS_BE32_MAX : random_ipv4_mask();
        f->wc.masks.nw_dst = f->exact ? OVS_BE32_MAX : random_ipv4_mask();
        f->entry = vmmob_flow_index_add(f->owner, &ufid, i + 1, &f->flow,
                                        f->exact ? NULL : &f->wc);
        n_indexed += f->entry != NULL;
        if ((f->entry != NULL) != can_be_found(f)) {
            fail("flow %"PRIuSIZE" %s indexed", i,
                 f->entry ? "should not be" : "is not");
        }

        size_t gone = range(0, N - 1);
        if (!range(0, 2) && flows[gone].entry) {
            vmmob_flow_index_remove(flows[gone].entry);
            flows[gone].entry = NULL;
            n_indexed--;
        }
        check_found(flows, i + 1, &owners[range(0, 1)]);
        if (vmmob_flow_index_count() != n_indexed) {
            fail("%"PRIuSIZE" flows instead of %"PRIuSIZE,
                 vmmob_flow_index_count(), n_indexed);
        }
    }
    for (size_t i = 0; i < N; i++) {
        vmmob_flow_index_remove(flows[i].entry);
    }
    free(flows);
}

/* Compares a tail with a plain array, over a random sequence of calls. */
static void
random_tail(void)
{
    enum { N = 3000 };
    struct model {
        struct tail_packet packet;
        int queue;
        size_t size;
        long long int expires;
        enum { WAITING, TAKEN, GONE } state;
    } *models = xzalloc(N * sizeof *models);
    struct vmmob_key keys[3];
    long long int now = 0;
    struct tail tail;
    int n = 0;

    memset(keys, 0, sizeof keys);
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        keys[i].mac.ea[5] = i + 1;
    }
    vmmob_tail_init(&tail);
    /* Big ones, so that a VMN has too many bytes; or small ones, so that it
     * has too many packets. */
    size_t max_size = range(0, 1) ? 60 : 65536;
    while (n < N) {
        struct ovs_list gone = OVS_LIST_INITIALIZER(&gone);
        struct ovs_list taken = OVS_LIST_INITIALIZER(&taken);
        struct model *m, *last = NULL;
        int queue = range(0, 5);
        uint64_t ofs = queue / 3;
        const struct vmmob_key *key = &keys[queue % 3];
        unsigned int what = range(0, 999);

        if (what < 990) {
            m = &models[n++];
            m->queue = queue;
            m->size = range(1, max_size);
            m->expires = now + 100;
            vmmob_tail_push(&tail, ofs, key, &m->packet, m->size, m->expires,
                            &gone);
        } else if (what < 995) {
            vmmob_tail_take(&tail, ofs, key, now, &taken, &gone);
            for (int i = 0; i < n; i++) {
                if (models[i].queue == queue && models[i].state == GONE) {
                    models[i].state = TAKEN;
                }
            }
        } else {
            now += range(0, 60);
            vmmob_tail_run(&tail, now, &gone);
        }

        LIST_FOR_EACH (m, packet.node, &taken) {
            if (m->state != WAITING || m->queue != queue || m->expires <= now
                || (last && m < last)) {
                fail("took the wrong packet");
            }
            m->state = TAKEN;
            last = m;
        }
        LIST_FOR_EACH (m, packet.node, &gone) {
            if (m->state != WAITING) {
                fail("a packet is gone that was not there");
            }
            m->state = GONE;
        }

        /* What waits of each VMN are its latest packets, as many as may
         * be. */
        size_t n_packets = 0, n_bytes = 0;
        for (int q = 0; q < 6; q++) {
            size_t packets = 0, bytes = 0;
            bool older = false;

            for (int i = n - 1; i >= 0; i--) {
                m = &models[i];
                if (m->queue != q || m->state == TAKEN) {
                    continue;
                } else if (m->state == GONE) {
                    if (!older && m->expires > now
                        && packets < TAIL_MAX_PACKETS
                        && bytes + m->size <= TAIL_MAX_BYTES) {
                        fail("a packet is gone for which there was room");
                    }
                    older = true;
                } else if (older) {
                    fail("an older packet is there and a later one gone");
                } else {
                    packets++;
                    bytes += m->size;
                }
            }
            if (packets > TAIL_MAX_PACKETS || bytes > TAIL_MAX_BYTES) {
                fail("%"PRIuSIZE" packets, %"PRIuSIZE" bytes of a VMN",
                     packets, bytes);
            }
            n_packets += packets;
            n_bytes += bytes;
        }
        if (tail.n_packets != n_packets || tail.n_bytes != n_bytes) {
            fail("%"PRIuSIZE" packets are there, not %"PRIuSIZE, n_packets,
                 tail.n_packets);
        }
        if (n_packets && vmmob_tail_next_event(&tail) <= now - 100) {
            fail("something is overdue");
        }
        if (n_failures) {
            break;
        }
    }

    struct ovs_list gone = OVS_LIST_INITIALIZER(&gone);
    vmmob_tail_run(&tail, LLONG_MAX, &gone);
    if (vmmob_tail_next_event(&tail) != LLONG_MAX) {
        fail("something is left");
    }
    vmmob_tail_destroy(&tail);
    free(models);
}

static void
test_tail(struct ovs_cmdl_context *ctx)
{
    uint32_t seed, n;

    parse_seed(ctx, &seed, &n);
    for (uint32_t i = 0; i < n && !n_failures; i++) {
        start_case(seed, i);
        random_tail();
    }

    /* All VMNs together. */
    struct tail_packet *packets = xmalloc(2 * TAIL_MAX_ALL_PACKETS
                                          * sizeof *packets);
    struct ovs_list gone = OVS_LIST_INITIALIZER(&gone);
    struct tail tail;

    vmmob_tail_init(&tail);
    for (size_t i = 0; i < 2 * TAIL_MAX_ALL_PACKETS; i++) {
        struct vmmob_key key = { .tenant = i / 2 };

        vmmob_tail_push(&tail, 1, &key, &packets[i], 1, 10, &gone);
    }
    if (tail.n_packets != TAIL_MAX_ALL_PACKETS
        || ovs_list_size(&gone) != TAIL_MAX_ALL_PACKETS
        || ovs_list_front(&gone) != &packets[0].node) {
        fail("not the oldest of all are gone");
    }
    for (size_t i = 0; i < 2 * TAIL_MAX_ALL_BYTES / TAIL_MAX_BYTES; i++) {
        struct vmmob_key key = { .tenant = UINT32_MAX - i };

        vmmob_tail_push(&tail, 1, &key, &packets[i], TAIL_MAX_BYTES, 10,
                        &gone);
    }
    if (tail.n_bytes != TAIL_MAX_ALL_BYTES) {
        fail("%"PRIuSIZE" bytes", tail.n_bytes);
    }
    vmmob_tail_run(&tail, 10, &gone);
    vmmob_tail_destroy(&tail);
    free(packets);
}

/* Compares a resolver with a plain array, over a random sequence of calls. */
static void
random_resolver(void)
{
    enum { N = 2000, N_HOSTS = 8, N_SOURCES = 5 };
    struct model {
        struct resolver_wait wait;
        int addrs[2];           /* 0 for none. */
        int source;
        enum { NEW, WAITING, READY, TAKEN, EXPIRED, LOST } state;
    } *models = xzalloc(N * sizeof *models);
    struct in6_addr addrs[N_HOSTS];
    struct fairq_key sources[N_SOURCES];
    struct resolver resolver;
    size_t max = range(1, 100), max_of_source = range(1, 40);
    int flooder = range(0, N_SOURCES - 1);
    long long int now = 0;
    size_t n_in = 0;
    int n = 0;

    memset(addrs, 0, sizeof addrs);
    for (size_t i = 1; i < N_HOSTS; i++) {
        addrs[i].s6_addr[15] = i;
    }
    memset(sources, 0, sizeof sources);
    for (int i = 0; i < N_SOURCES; i++) {
        sources[i].port = u16_to_ofp(i / 2);
        sources[i].kind = i % 2;
    }
    vmmob_resolver_init(&resolver, max, max_of_source);
    while (n < N && !n_failures) {
        struct ovs_list taken = OVS_LIST_INITIALIZER(&taken);
        struct ovs_list expired = OVS_LIST_INITIALIZER(&expired);
        unsigned int what = range(0, 99);
        struct model *m, *last = NULL;
        int woken = 0;

        if (what < 80) {
            m = &models[n++];
            m->addrs[0] = range(1, N_HOSTS - 1);
            m->addrs[1] = range(0, N_HOSTS - 1);
            if (range(0, 19)) {
                size_t n_of[N_SOURCES] = { 0 }, n_waits = 0, largest = 0;

                m->source = (range(0, 3) ? flooder
                             : range(0, N_SOURCES - 1));
                for (int i = 0; i < n; i++) {
                    n_of[models[i].source] += models[i].state == WAITING;
                    n_waits += models[i].state == WAITING;
                }
                for (int i = 0; i < N_SOURCES; i++) {
                    largest = MAX(largest, n_of[i]);
                }

                struct resolver_wait *wait
                    = vmmob_resolver_wait(&resolver, &m->wait,
                                          &sources[m->source],
                                          &addrs[m->addrs[0]],
                                          &addrs[m->addrs[1]],
                                          now + range(90, 110));
                struct model *lost
                    = wait ? CONTAINER_OF(wait, struct model, wait) : NULL;

                /* One loses if there is no room, and if it is not the new one,
                 * its source has the most, and more than the new one's. */
                if (!lost != (n_of[m->source] < max_of_source
                              && n_waits < max)) {
                    fail("%"PRIuSIZE" wait, one was lost: %d", n_waits,
                         lost != NULL);
                } else if (lost == m && n_of[m->source] < max_of_source
                           && n_of[m->source] + 1 < largest) {
                    fail("one was lost whose source has less than others");
                } else if (lost && lost != m
                           && (lost->state != WAITING
                               || n_of[lost->source] != largest
                               || largest <= n_of[m->source] + 1)) {
                    fail("the wrong one was lost");
                }
                m->state = WAITING;
                n_in++;
                if (lost) {
                    lost->state = LOST;
                    n_in--;
                }
            } else {
                vmmob_resolver_add_ready(&resolver, &m->wait, now + 100);
                m->state = READY;
                n_in++;
            }
        } else if (what < 88) {
            woken = range(1, N_HOSTS - 1);
            vmmob_resolver_wake(&resolver, &addrs[woken]);
        } else if (what < 89) {
            woken = -1;
            vmmob_resolver_wake_all(&resolver);
        } else if (what < 95) {
            vmmob_resolver_take_ready(&resolver, &taken);
        } else {
            now += range(0, 60);
            vmmob_resolver_expire(&resolver, now, &expired);
        }

        for (int i = 0; i < n; i++) {
            m = &models[i];
            if (woken && m->state == WAITING
                && (woken < 0 || m->addrs[0] == woken
                    || m->addrs[1] == woken)) {
                m->state = READY;
            }
            if (m->state == WAITING && m->wait.is_ready) {
                fail("one is ready that nobody woke");
            } else if (m->state == READY && !m->wait.is_ready) {
                fail("one is not ready that was woken");
            }
        }
        LIST_FOR_EACH (m, wait.expiry.node, &taken) {
            if (m->state != READY) {
                fail("took one that is not ready");
            }
            m->state = TAKEN;
            n_in--;
        }
        LIST_FOR_EACH (m, wait.expiry.node, &expired) {
            if (m->state != WAITING || m->wait.expiry.at > now
                || (last && last->wait.expiry.at > m->wait.expiry.at)) {
                fail("the wrong one expired");
            }
            m->state = EXPIRED;
            last = m;
            n_in--;
        }

        long long int next = LLONG_MAX;
        for (int i = 0; i < n; i++) {
            m = &models[i];
            if (m->state == READY) {
                next = LLONG_MIN;
            } else if (m->state == WAITING) {
                next = MIN(next, m->wait.expiry.at);
            }
        }
        if (vmmob_resolver_next_event(
            &resolver) != next || resolver.n != n_in) {
            fail("%"PRIuSIZE" wait, not %"PRIuSIZE", or the time is wrong",
                 resolver.n, n_in);
        }
    }

    struct ovs_list gone = OVS_LIST_INITIALIZER(&gone);
    vmmob_resolver_expire(&resolver, LLONG_MAX, &gone);
    vmmob_resolver_take_ready(&resolver, &gone);
    if (ovs_list_size(&gone) != n_in) {
        fail("some are left");
    }
    vmmob_resolver_destroy(&resolver);
    free(models);
}

/* Prints the table of rules as vmmob(7) has it. */
static void
test_pipeline(struct ovs_cmdl_context *ctx OVS_UNUSED)
{
    const struct pipeline_row *last = NULL;

    for (size_t i = 0; i < PIPELINE_N_RULES; i++) {
        const struct pipeline_row *row = &vmmob_pipeline_rows[i];

        printf("%d\t", row->priority);
        for (const char *p = row->text; *p; p++) {
            fputs(*p == '\n' ? "\n\t" : (char[]) { *p, 0 }, stdout);
        }
        putchar('\n');
        if (last && row->table_id == last->table_id
            && row->priority >= last->priority) {
            fail("rule %"PRIuSIZE" is out of order", i);
        }
        last = row;
    }
}

/* Prints the settings of a bridge as the module describes them. */
static void
test_settings(struct ovs_cmdl_context *ctx OVS_UNUSED)
{
    struct ds ds = DS_EMPTY_INITIALIZER;

    vmmob_settings_describe(&ds);
    fputs(ds_cstr(&ds), stdout);
    ds_destroy(&ds);
}

static void
test_resolver(struct ovs_cmdl_context *ctx)
{
    uint32_t seed, n;

    parse_seed(ctx, &seed, &n);
    for (uint32_t i = 0; i < n && !n_failures; i++) {
        start_case(seed, i);
        random_resolver();
    }
}

static void
test_flow_index(struct ovs_cmdl_context *ctx)
{
    static const struct in6_addr a = IN6ADDR_LOOPBACK_INIT;
    struct flow flow = { .dl_type = htons(ETH_TYPE_IPV6), .ipv6_src = a };
    struct flow_index_entry *entry;
    bool complete;
    struct flow_index_id id;
    ovs_u128 ufid = { .u32 = { 1 } };
    uint32_t seed, n;

    if (vmmob_flow_index_add(NULL, &ufid, 0, &flow, NULL)) {
        fail("indexed while off");
    }
    vmmob_flow_index_enable(true);
    entry = vmmob_flow_index_add(NULL, &ufid, 0, &flow, NULL);
    if (vmmob_flow_index_find(NULL, &a, &id, 1, 0, &complete) != 1) {
        fail("IPv6 flow is not found");
    }
    vmmob_flow_index_remove(entry);

    parse_seed(ctx, &seed, &n);
    for (uint32_t i = 0; i < n && !n_failures; i++) {
        start_case(seed, i);
        random_flow_index();
    }
    if (vmmob_flow_index_count()) {
        fail("%"PRIuSIZE" flows left", vmmob_flow_index_count());
    }
}

/* Sets of prefixes. */

/* All prefixes that the test has, in 10.0.0.0/27. */
#define N_PREFIX_ADDRS 32

/* Returns the number of the fewest prefixes that have just the addresses in
 * 'map' that are in 'prefix'.  Sets '*whole' if that is 'prefix' itself. */
static size_t
count_cover(uint32_t map, uint32_t first, uint32_t n, bool *whole)
{
    bool halves[2];
    size_t n_cover;

    if (n == 1) {
        *whole = map >> first & 1;
        return *whole;
    }
    n_cover = (count_cover(map, first, n / 2, &halves[0])
               + count_cover(map, first + n / 2, n / 2, &halves[1]));
    *whole = halves[0] && halves[1];
    return *whole ? 1 : n_cover;
}

static struct vmmob_prefix
test_prefix(uint32_t first, uint8_t plen)
{
    struct vmmob_prefix prefix = { .plen = 96 + plen };

    in6_addr_set_mapped_ipv4(&prefix.addr, htonl(0x0a000000 + first));
    return prefix;
}

/* Adds prefixes to a set and removes them, and compares with a map of the
 * addresses. */
static void
random_prefix_set(void)
{
    struct vmmob_prefix_set set;
    struct vmmob_prefix added[12];
    size_t n_added = 0;
    bool cover[33][N_PREFIX_ADDRS];

    memset(cover, 0, sizeof cover);
    vmmob_prefix_set_init(&set);
    for (uint32_t steps = range(1, 40); steps > 0; steps--) {
        uint32_t map = 0;
        size_t n_cover = 0;
        bool whole;

        if (n_added < ARRAY_SIZE(added) && range(0, 2)) {
            uint8_t plen = range(27, 32);
            uint32_t first = range(0, (1u << (plen - 27)) - 1) << (32 - plen);

            added[n_added] = test_prefix(first, plen);
            vmmob_prefix_set_add(&set, &added[n_added++]);
        } else if (n_added) {
            size_t i = range(0, n_added - 1);

            vmmob_prefix_set_remove(&set, &added[i]);
            added[i] = added[--n_added];
        }

        for (size_t i = 0; i < set.n_changed; i++) {
            const struct vmmob_prefix *p = &set.changed[i];

            cover[p->plen - 96][p->addr.s6_addr[15]]
                = vmmob_prefix_set_covers(&set, p);
        }
        set.n_changed = 0;
        for (uint32_t a = 0; a < N_PREFIX_ADDRS; a++) {
            const struct vmmob_prefix host = test_prefix(a, 32);
            bool in = false;

            for (size_t i = 0; i < n_added; i++) {
                in |= vmmob_prefix_contains(&added[i], &host.addr);
            }
            map |= (uint32_t) in << a;
            if (vmmob_prefix_set_contains(&set, &host.addr) != in
                || vmmob_prefix_set_overlaps(&set, &host) != in) {
                fail("10.0.0.%"PRIu32" is%s in", a, in ? "" : " not");
            }
        }
        for (uint8_t plen = 27; plen <= 32; plen++) {
            for (uint32_t a = 0; a < N_PREFIX_ADDRS; a += 1u << (32 - plen)) {
                const struct vmmob_prefix p = test_prefix(a, plen);
                uint32_t mask = (UINT64_C(1) << (1u << (32 - plen))) - 1;

                if (cover[plen][a]) {
                    n_cover++;
                    if ((map >> a & mask) != mask) {
                        fail("10.0.0.%"PRIu32"/%d covers too much", a, plen);
                    }
                }
                if (cover[plen][a] != vmmob_prefix_set_covers(&set, &p)) {
                    fail("10.0.0.%"PRIu32"/%d changed silently", a, plen);
                }
                if (vmmob_prefix_set_overlaps(&set, &p)
                    != !!(map >> a & mask)) {
                    fail("10.0.0.%"PRIu32"/%d: wrong about overlap", a, plen);
                }
            }
        }
        if (n_cover != count_cover(map, 0, N_PREFIX_ADDRS, &whole)
            || n_cover != set.n_cover) {
            fail("%"PRIuSIZE" prefixes for map %08"PRIx32, n_cover, map);
        }
    }
    while (n_added) {
        vmmob_prefix_set_remove(&set, &added[--n_added]);
    }
    if (set.n_cover) {
        fail("%"PRIuSIZE" prefixes are left", set.n_cover);
    }
    vmmob_prefix_set_destroy(&set);
}

static void
test_prefix_set(struct ovs_cmdl_context *ctx)
{
    uint32_t seed, n;

    parse_seed(ctx, &seed, &n);
    for (uint32_t i = 0; i < n && !n_failures; i++) {
        start_case(seed, i);
        random_prefix_set();
    }
}

/* Limits. */

/* Makes 'ofs' one with random pools in 10.0.0.0/24 or, now and then, IPv6. */
static void
random_pools(struct vmmob_ofs *ofs)
{
    ofs->n_pools = range(0, 3);
    ofs->pools = xcalloc(3, sizeof *ofs->pools);
    for (size_t i = 0; i < ofs->n_pools; i++) {
        bool v6 = !range(0, 5);
        int host_bits = range(0, 5);
        uint32_t addr = range(0, 255) >> host_bits << host_bits;
        char *text = (v6
                      ? xasprintf("2001:db8::%x/%d", addr, 128 - host_bits)
                      : xasprintf("10.0.0.%"PRIu32"/%d", addr,
                                  32 - host_bits));
        char *error = vmmob_prefix_parse(text, &ofs->pools[i], NULL);

        if (error) {
            fail("%s: %s", text, error);
            free(error);
        }
        free(text);
    }
}

/* The ids and the addresses of some OFSs. */
struct owned {
    bool ids[13];
    bool addrs[2][256];         /* IPv4, IPv6: by the last byte. */
};

/* Adds the OFSs in 'table', made by random_pools(), to 'owned'. */
static void
note_owned(const struct vmmob_table *table, struct owned *owned)
{
    const struct vmmob_ofs_entry *entry;

    HMAP_FOR_EACH (entry, node, vmmob_table_ofs_entries(table)) {
        const struct vmmob_ofs *ofs = &entry->ofs;

        owned->ids[ofs->id] = true;
        for (size_t i = 0; i < ofs->n_pools; i++) {
            const struct vmmob_prefix *pool = &ofs->pools[i];
            bool v6 = !IN6_IS_ADDR_V4MAPPED(&pool->addr);

            for (int j = 0; j < 1 << (128 - pool->plen); j++) {
                owned->addrs[v6][pool->addr.s6_addr[15] + j] = true;
            }
        }
    }
}

/* Compares what own_ofss_set(), own_ofss_check() and limits_check_ofs() say
 * with what looking at each address and each pair of pools says. */
static void
random_limits(void)
{
    struct vmmob_table *tables[] = { vmmob_table_create(),
                                     vmmob_table_create() };
    struct owned one = { .ids = { false } }, both;
    struct own_ofss own;
    struct limits limits;
    struct vmmob_ofs ofs, other;
    bool is_own = false, overlaps = false, allowed = true;
    char *error;

    vmmob_ofs_init(&other, range(1, 12));
    random_pools(&other);
    limits_init(&limits);
    for (uint32_t n = range(0, 6); n > 0; n--) {
        vmmob_ofs_init(&ofs, range(1, 12));
        random_pools(&ofs);
        if (!vmmob_table_find_ofs(tables[n % 2], ofs.id)) {
            vmmob_table_put_ofs(tables[n % 2], &ofs);
            is_own |= ofs.id == other.id;
            for (size_t i = 0; i < ofs.n_pools; i++) {
                for (size_t j = 0; j < other.n_pools; j++) {
                    overlaps |= vmmob_prefix_overlaps(&ofs.pools[i],
                                                      &other.pools[j]);
                }
                prefix_limit_add(&limits.pools, &ofs.pools[i]);
            }
        }
        vmmob_ofs_destroy(&ofs);
    }

    own_ofss_init(&own);
    own_ofss_set(&own, tables[0], tables[1]);
    if (own_ofss_set(&own, tables[1], tables[0])) {
        fail("the same is different");
    }
    note_owned(tables[1], &one);
    both = one;
    note_owned(tables[0], &both);
    bool differs = memcmp(&one, &both, sizeof one);
    if (own_ofss_set(&own, tables[1], tables[1]) != differs
        || own_ofss_set(&own, tables[0], tables[1]) != differs) {
        fail("different: %d", differs);
    }
    error = own_ofss_check(&own, &other);
    if (!error != (!is_own && !overlaps)) {
        fail("own %d, overlaps %d: %s", is_own, overlaps, error);
    }
    free(error);

    for (size_t j = 0; j < other.n_pools; j++) {
        bool within = !limits.pools.limited;

        for (size_t i = 0; i < limits.pools.n; i++) {
            within |= (limits.pools.prefixes[i].plen <= other.pools[j].plen
                       && vmmob_prefix_overlaps(&limits.pools.prefixes[i],
                                                &other.pools[j]));
        }
        allowed &= within;
    }
    error = limits_check_ofs(&limits, &other);
    if (!error != allowed) {
        fail("allowed %d: %s", allowed, error);
    }
    free(error);

    limits_destroy(&limits);
    vmmob_ofs_destroy(&other);
    own_ofss_destroy(&own);
    vmmob_table_destroy(tables[0]);
    vmmob_table_destroy(tables[1]);
}

static void
test_limits(struct ovs_cmdl_context *ctx)
{
    uint32_t seed, n;

    parse_seed(ctx, &seed, &n);
    for (uint32_t i = 0; i < n && !n_failures; i++) {
        start_case(seed, i);
        random_limits();
    }
}

/* Makes N moves at once.  Each must have its line in the log as long as there
 * may be so many, and the others one line together. */
static void
test_moves(struct ovs_cmdl_context *ctx)
{
    struct handover_move what = {
        .kind = HANDOVER_CAME, .ofs = 2, .other = 1, .seqno = 7,
        .port = OFP_PORT_C(3),
    };
    int n = atoi(ctx->argv[1]);
    struct moves moves;

    vmmob_moves_init(&moves);
    ovs_assert(vmmob_moves_next_event(&moves) == LLONG_MAX);
    for (int i = 0; i < n; i++) {
        struct move *move;

        eth_addr_from_uint64(0x0a0000000000 + i, &what.key.mac);
        move = vmmob_moves_begin(&moves, &what, "RARP", 1000);
        move->phases[VMMOB_MOVE_DECIDED] = i;
        move->phases[VMMOB_MOVE_RULES] = 1000 + i;
    }
    ovs_assert(moves.n == n);
    vmmob_moves_end(&moves, 5000);
    ovs_assert(!moves.n && vmmob_moves_next_event(&moves) == LLONG_MIN);
    vmmob_moves_log(&moves, 5000);
    ovs_assert(vmmob_moves_next_event(&moves)
               == (n > MOVES_LOG_BURST ? 5000 + MOVES_SUMMARY_MS
                   : LLONG_MAX));
    vmmob_moves_log(&moves, 5000 + MOVES_SUMMARY_MS);
    ovs_assert(vmmob_moves_next_event(&moves) == LLONG_MAX);

    /* All of them count. */
    uint64_t n_rules = 0;
    for (size_t i = 0; i < VMMOB_N_BUCKETS; i++) {
        n_rules += moves.phases[VMMOB_HERE][VMMOB_MOVE_RULES].n[i];
    }
    ovs_assert(n_rules == n && moves.n_by_kind[HANDOVER_CAME] == n);
    ovs_assert(moves.phases[VMMOB_HERE][VMMOB_MOVE_RULES].sum_us
               == 1000ULL * n + (n - 1ULL) * n / 2);
    vmmob_moves_destroy(&moves);
}

/* Checks that arrays written piece by piece are the same as in one piece. */
static void
test_reply(struct ovs_cmdl_context *ctx OVS_UNUSED)
{
    for (size_t n = 0; n < 4; n++) {
        struct json *whole = json_array_create_empty();
        struct ds s = DS_EMPTY_INITIALIZER;
        struct vmmob_json_array array;
        char *expected;

        vmmob_json_array_begin(&array, &s);
        for (size_t i = 0; i < n; i++) {
            struct json *element = json_object_create();
            struct json *inner = json_array_create_empty();

            for (size_t j = 0; j < i; j++) {
                json_array_add(inner, json_string_create("two\nlines, \"]\""));
            }
            json_object_put(element, "inner", inner);
            json_object_put(element, "empty", json_object_create());
            vmmob_json_put_integer(element, "i", i);
            json_array_add(whole, json_deep_clone(element));
            vmmob_json_array_add(&array, element);
        }
        vmmob_json_array_end(&array);
        expected = json_to_string(whole, JSSF_PRETTY | JSSF_SORT);
        ovs_assert(!strcmp(ds_cstr(&s), expected));
        free(expected);
        json_destroy(whole);
        ds_destroy(&s);
    }
}

/* Hashes. */

#define N_COLLIDING 30000

/* More nodes than this in one bucket of a table of N_COLLIDING do not happen
 * by chance. */
#define MAX_CHAIN 20

/* Fails if too many of the nodes of 'hmap' are in one bucket. */
static void
check_chains(const char *what, const struct hmap *hmap)
{
    size_t longest = 0;

    ovs_assert(hmap_count(hmap) >= N_COLLIDING);
    for (size_t i = 0; i <= hmap->mask; i++) {
        size_t n = 0;

        for (const struct hmap_node *node = hmap->buckets[i]; node;
             node = node->next) {
            n++;
        }
        longest = MAX(longest, n);
    }
    if (longest > MAX_CHAIN) {
        fail("%s: %"PRIuSIZE" of %"PRIuSIZE" in one bucket", what, longest,
             hmap_count(hmap));
    }
}

/* The first half of mhash_add__(), and back. */
static uint32_t
mhash_mix(uint32_t data)
{
    return hash_rot(data * 0xcc9e2d51, 15) * 0x1b873593;
}

static uint32_t
mhash_unmix(uint32_t mixed)
{
    return hash_rot(mixed * 0x56ed309b, 17) * 0xdee13bb1;
}

/* Returns the MAC address number 'i' of many that have the same hash, if it is
 * hash_uint64_basis() of the address with 'basis', and hash_add() is
 * mhash_add(). */
static struct eth_addr
colliding_mac(uint32_t i, uint32_t basis)
{
    /* The state after the lower half of the address such that the upper half
     * leads to the same state always. */
    uint32_t high = (i << 1 & 0xfe00) | (i & 0xff);
    uint32_t state = 0x12345678 ^ mhash_mix(high);
    uint32_t low = (state - 0xe6546b64) * 0xcccccccd;
    struct eth_addr mac;

    low = mhash_unmix(basis ^ hash_rot(low, 19));
    eth_addr_from_uint64((uint64_t) high << 32 | low, &mac);
    return mac;
}

/* Returns true if the bytes of 'x' can stand in a JSON string as they are. */
static bool
is_plain(uint32_t x)
{
    for (int i = 0; i < 4; i++, x >>= 8) {
        uint8_t c = x;

        if (c < 0x20 || c == '"' || c == '\\') {
            return false;
        }
    }
    return true;
}

/* Puts 'bits' into 's', as text of 8 bytes for each.  If hash_add() is
 * mhash_add(), all such texts have one hash, whatever the basis is: the second
 * half of 8 bytes undoes the difference that the first half makes. */
static void
colliding_name(uint32_t bits, char s[8 * 15 + 1])
{
    static uint32_t halves[2][2];

    /* Differences that are left of one bit are moved by the rotation and the
     * multiplication to the highest bit, and there they stay. */
    for (uint32_t j = 0; j < 2 && !halves[j][0]; j++) {
        uint32_t difference = j ? 1u << 31 : 1 << 18;
        uint32_t x = 0, y;

        do {
            x = x * 1664525 + 1013904223;
            y = mhash_unmix(mhash_mix(x) ^ difference);
        } while (!is_plain(x) || !is_plain(y));
        halves[j][0] = x;
        halves[j][1] = y;
    }
    for (int j = 0; j < 15; j++) {
        memcpy(s + 8 * j, &halves[0][bits >> j & 1], 4);
        memcpy(s + 8 * j + 4, &halves[1][bits >> j & 1], 4);
    }
    s[8 * 15] = '\0';
}

/* Tests the hash functions for what strangers choose: known vectors, and
 * tables full of keys that have one hash by hash.h. */
static void
test_hash(struct ovs_cmdl_context *ctx OVS_UNUSED)
{
    /* The first is in the tests of Rust's library.  All are what a program
     * gives that agrees with hash() of Python 3.11, which is SipHash-1-3 with
     * the key 0 if PYTHONHASHSEED is 0.  The input of n bytes is 0, 1, ...
     * n - 1, the key likewise. */
    static const struct {
        size_t n;
        uint64_t hash;
    } vectors[] = {
        { 0, UINT64_C(0xabac0158050fc4dc) },
        { 8, UINT64_C(0x369095118d299a8e) },
        { 15, UINT64_C(0xd320d86d2a519956) },
    };
    const struct vmmob_hash_key key = {
        { UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908) }
    };
    uint8_t input[15];

    for (size_t i = 0; i < sizeof input; i++) {
        input[i] = i;
    }
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        uint64_t hash = vmmob_siphash(&key, input, vectors[i].n);

        if (hash != vectors[i].hash) {
            fail("SipHash of %"PRIuSIZE" bytes: %016"PRIx64, vectors[i].n,
                 hash);
        }
    }

    /* They do collide, and for names no basis helps, so that the rest of this
     * test shows something.  (Open vSwitch has other functions for CPUs with
     * an instruction for CRC-32, which is linear.) */
#if !(defined(__SSE4_2__) && defined(__x86_64__)) \
    && !(defined(__ARM_FEATURE_CRC32) && defined(__aarch64__))
    for (uint32_t i = 0; i < N_COLLIDING; i++) {
        char a[8 * 15 + 1], b[8 * 15 + 1];

        uint64_t mac_a = eth_addr_to_uint64(colliding_mac(0, 7));
        uint64_t mac_b = eth_addr_to_uint64(colliding_mac(i, 7));

        ovs_assert(hash_uint64_basis(mac_a, 7) == hash_uint64_basis(mac_b, 7));
        colliding_name(0, a);
        colliding_name(i, b);
        ovs_assert(hash_string(a, i * i) == hash_string(b, i * i));
    }
#endif

    /* What peers choose: keys, ids, names of rows, and, for these, what
     * vmmob_key_hash() once was. */
    struct vmmob_table *table = vmmob_table_create();
    for (uint32_t i = 0; i < N_COLLIDING; i++) {
        struct vmmob_ofs ofs;
        struct vmmob_vmn vmn;

        vmmob_ofs_init(&ofs, eth_addr_to_uint64(colliding_mac(i, 0)));
        numbered_vmn(&vmn, i, 1, false);
        vmn.key.tenant = 0;
        vmn.key.mac = colliding_mac(i, hash_int(0, 0));
        vmmob_table_put_vmn(table, &vmn);
        vmmob_vmn_destroy(&vmn);
        vmmob_table_put_ofs(table, &ofs);
        vmmob_ofs_destroy(&ofs);
    }
    check_chains("VMNs", vmmob_table_entries(table));
    check_chains("OFSs", vmmob_table_ofs_entries(table));
    vmmob_table_destroy(table);

    struct rowset set = ROWSET_INITIALIZER(&set);
    for (uint32_t i = 0; i < N_COLLIDING; i++) {
        uint32_t basis = hash_int(0, hash_uint64_basis(1, false));
        struct vmmob_key vmn = { .mac = colliding_mac(i, basis) };
        struct row_name name = row_name_of_vmn(&vmn, 1);

        rowset_add(&set, &name);
    }
    check_chains("names of rows", &set.nodes);
    rowset_destroy(&set);

    /* What Open vSwitch keeps of them: members of objects, UUIDs. */
    vmmob_hash_everywhere = true;
    struct ds text = DS_EMPTY_INITIALIZER;
    for (uint32_t i = 0; i < N_COLLIDING; i++) {
        char name[8 * 15 + 1];

        colliding_name(i, name);
        ds_put_format(&text, "%s\"%s\":0", i ? "," : "{", name);
    }
    ds_put_char(&text, '}');
    struct json *json = json_from_string(ds_cstr(&text));
    ovs_assert(json->type == JSON_OBJECT);
    check_chains("members", &json->object->map);
    json_destroy(json);
    ds_destroy(&text);

    struct hmap uuids = HMAP_INITIALIZER(&uuids);
    struct hmap_node *nodes = xmalloc(N_COLLIDING * sizeof *nodes);
    for (uint32_t i = 0; i < N_COLLIDING; i++) {
        struct uuid uuid = { .parts = { 0x11111111, i } };

        hmap_insert(&uuids, &nodes[i], uuid_hash(&uuid));
    }
    check_chains("UUIDs", &uuids);
    hmap_destroy(&uuids);
    free(nodes);
}

/* The dialogue between switch and agent. */

static const char *const told_names[VMMOB_N_TOLD] = {
    [VMMOB_TOLD_NOTHING] = "NOTHING",
    [VMMOB_TOLD_PORTS] = "PORTS",
    [VMMOB_TOLD_PARTIAL] = "PARTIAL",
    [VMMOB_TOLD_ALL] = "ALL",
};

static const char *const heard_names[VMMOB_N_HEARD] = {
    [VMMOB_HEARD_NOTHING] = "NOTHING",
    [VMMOB_HEARD_BEGIN] = "BEGIN",
    [VMMOB_HEARD_ALL] = "ALL",
    [VMMOB_HEARD_BEGIN_AGAIN] = "BEGIN AGAIN",
};

/* Makes each event happen in each state of an end that was 'told'.  Prints
 * what is to be done, and what the end was told then. */
static void
check_telling(enum vmmob_told told)
{
    static const char *const event_names[VMMOB_SYNC_N_EVENTS] = {
        [VMMOB_SYNC_PORTS_KNOWN] = "ports known",
        [VMMOB_SYNC_PORTS_CHANGED] = "ports changed",
        [VMMOB_SYNC_PATIENCE_OVER] = "patience over",
        [VMMOB_SYNC_COMPLETE] = "complete",
        [VMMOB_SYNC_ROWS_CHANGED] = "rows changed",
        [VMMOB_SYNC_OVERFLOW] = "overflow",
        [VMMOB_SYNC_ASKED] = "asked",
    };
    static const char *const action_names[] = {
        [VMMOB_SYNC_NOTHING] = "nothing",
        [VMMOB_SYNC_TELL_CHANGES] = "tell changes",
        [VMMOB_SYNC_TELL_PORTS] = "tell all ports",
        [VMMOB_SYNC_TELL_PARTIAL] = "tell what is known",
        [VMMOB_SYNC_TELL_ALL] = "tell all",
        [VMMOB_SYNC_GIVE_UP] = "give up",
    };

    for (int event = 0; event < VMMOB_SYNC_N_EVENTS; event++) {
        struct vmmob_sync first = { .told = told };
        enum vmmob_sync_action action = vmmob_sync_tell(&first, event);

        printf("told %s, %s: %s: %s\n", told_names[told], event_names[event],
               action_names[action], told_names[first.told]);
        ovs_assert(vmmob_sync_has_told(&first)
                   == (first.told == VMMOB_TOLD_PARTIAL
                       || first.told == VMMOB_TOLD_ALL));

        /* Whatever was heard. */
        for (int heard = 0; heard < VMMOB_N_HEARD; heard++) {
            struct vmmob_sync sync = { .told = told, .heard = heard };

            ovs_assert(vmmob_sync_tell(&sync, event) == action);
            ovs_assert(sync.told == first.told && sync.heard == heard);
        }
    }
}

/* Makes each message come in, in each state of an end that 'heard'.  Prints
 * the error, if there is one, and what the end has heard then. */
static void
check_hearing(enum vmmob_heard heard)
{
    static const enum vmmob_msg_type types[] = {
        VMMOB_MSG_BEGIN, VMMOB_MSG_UPDATE, VMMOB_MSG_END,
    };

    for (size_t i = 0; i <= ARRAY_SIZE(types); i++) {
        struct vmmob_msg msg = { .type = VMMOB_MSG_END };
        struct jsonrpc_msg *rpc_msg;

        if (i < ARRAY_SIZE(types)) {
            msg.type = types[i];
            rpc_msg = vmmob_msg_encode(&msg);
        } else {
            rpc_msg = jsonrpc_create_notify("nonesuch",
                                            json_array_create_empty());
        }
        for (int told = 0; told < VMMOB_N_TOLD; told++) {
            struct vmmob_sync sync = { .told = told, .heard = heard };
            char *error = vmmob_sync_hear(&sync, rpc_msg, &msg);

            if (!told) {
                printf("heard %s, \"%s\": %s: %s\n", heard_names[heard],
                       rpc_msg->method, error ? error : "OK",
                       heard_names[sync.heard]);
            }
            ovs_assert(sync.told == told);
            ovs_assert(!error || sync.heard == heard);
            ovs_assert(error || msg.type == types[i]);
            ovs_assert(vmmob_sync_has_heard(&sync)
                       == (sync.heard == VMMOB_HEARD_ALL
                           || sync.heard == VMMOB_HEARD_BEGIN_AGAIN));
            free(error);
            vmmob_msg_uninit(&msg);
        }
        jsonrpc_msg_destroy(rpc_msg);
    }
}

static void
test_sync(struct ovs_cmdl_context *ctx OVS_UNUSED)
{
    for (int told = 0; told < VMMOB_N_TOLD; told++) {
        check_telling(told);
    }
    for (int heard = 0; heard < VMMOB_N_HEARD; heard++) {
        check_hearing(heard);
    }

    struct vmmob_sync sync = { VMMOB_TOLD_ALL, VMMOB_HEARD_ALL };

    vmmob_sync_init(&sync);
    ovs_assert(sync.told == VMMOB_TOLD_NOTHING);
    ovs_assert(sync.heard == VMMOB_HEARD_NOTHING);
}

/* Fails unless the pieces of 'msg' are what it has, each row once and in
 * order, in as few as can be. */
static void
check_pieces(const struct vmmob_msg *msg)
{
    size_t n_rows = vmmob_msg_n_rows(msg);
    struct vmmob_msg sum = { .type = VMMOB_MSG_UPDATE };
    struct vmmob_msg piece;
    size_t n_pieces = 0;
    size_t at = 0;

    while (vmmob_msg_next_piece(msg, &at, &piece)) {
        size_t n = vmmob_msg_n_rows(&piece);

        ovs_assert(piece.type == VMMOB_MSG_UPDATE);
        ovs_assert(n <= VMMOB_MSG_MAX_ROWS);
        ovs_assert(piece.partial == (msg->partial && !n_pieces));
        ovs_assert(piece.want_stats == (msg->want_stats && !n_pieces));
        ovs_assert(piece.want_networks == (n_pieces ? NULL
                                           : msg->want_networks));
        ovs_assert(piece.have_networks == (n_pieces ? NULL
                                           : msg->have_networks));
        ovs_assert(piece.stats == (n_pieces ? NULL : msg->stats));
        n_pieces++;

#define CHECK_MEMBER(MEMBER)                                            \
        ovs_assert(!piece.n_##MEMBER                                    \
                   || piece.MEMBER == msg->MEMBER + sum.n_##MEMBER);    \
        sum.n_##MEMBER += piece.n_##MEMBER;
        CHECK_MEMBER(ofss);
        CHECK_MEMBER(vmns);
        CHECK_MEMBER(del_vmns);
        CHECK_MEMBER(del_ofss);
        CHECK_MEMBER(ports);
        CHECK_MEMBER(del_ports);
#undef CHECK_MEMBER
    }
    ovs_assert(sum.n_ofss == msg->n_ofss && sum.n_vmns == msg->n_vmns
               && sum.n_del_vmns == msg->n_del_vmns
               && sum.n_del_ofss == msg->n_del_ofss
               && sum.n_ports == msg->n_ports
               && sum.n_del_ports == msg->n_del_ports);
    ovs_assert(n_pieces == (n_rows
                            ? DIV_ROUND_UP(n_rows, VMMOB_MSG_MAX_ROWS)
                            : !vmmob_msg_is_empty(msg)));
}

static void
test_pieces(struct ovs_cmdl_context *ctx)
{
    static const size_t sizes[] = {
        0, 1, VMMOB_MSG_MAX_ROWS - 1, VMMOB_MSG_MAX_ROWS,
        VMMOB_MSG_MAX_ROWS + 1, 3 * VMMOB_MSG_MAX_ROWS,
    };
    /* No row is looked at. */
    enum { MAX_SIZE = 3 * VMMOB_MSG_MAX_ROWS };
    struct vmmob_msg msg = {
        .type = VMMOB_MSG_UPDATE,
        .vmns = xcalloc(MAX_SIZE, sizeof *msg.vmns),
        .ofss = xcalloc(MAX_SIZE, sizeof *msg.ofss),
        .del_vmns = xcalloc(MAX_SIZE, sizeof *msg.del_vmns),
        .del_ofss = xcalloc(MAX_SIZE, sizeof *msg.del_ofss),
        .ports = xcalloc(MAX_SIZE, sizeof *msg.ports),
        .del_ports = xcalloc(MAX_SIZE, sizeof *msg.del_ports),
    };
    uint32_t seed, n;

    parse_seed(ctx, &seed, &n);
    check_pieces(&msg);
    for (uint32_t i = 0; i < n; i++) {
        size_t *counts[] = { &msg.n_vmns, &msg.n_ofss, &msg.n_del_vmns,
                             &msg.n_del_ofss, &msg.n_ports,
                             &msg.n_del_ports };

        start_case(seed, i);
        for (size_t j = 0; j < ARRAY_SIZE(counts); j++) {
            *counts[j] = (range(0, 1) ? 0
                          : range(0, 1) ? sizes[range(0, 5)]
                          : range(0, MAX_SIZE));
        }
        msg.partial = range(0, 1);
        msg.want_stats = range(0, 1);
        check_pieces(&msg);
    }
    free(msg.vmns);
    free(msg.ofss);
    free(msg.del_vmns);
    free(msg.del_ofss);
    free(msg.ports);
    free(msg.del_ports);
}

static const struct ovs_cmdl_command commands[] = {
    { "compare", NULL, 0, 0, test_compare, OVS_RO },
    { "pairs", NULL, 0, 0, test_pairs, OVS_RO },
    { "validate", NULL, 0, 0, test_validate, OVS_RO },
    { "text", NULL, 0, 0, test_text, OVS_RO },
    { "table", "SEED N", 2, 2, test_table, OVS_RO },
    { "csum", "SEED N", 2, 2, test_csum, OVS_RO },
    { "embedded", "SEED N", 2, 2, test_embedded, OVS_RO },
    { "encode", NULL, 0, 0, test_encode, OVS_RO },
    { "codec", "SEED N", 2, 2, test_codec, OVS_RO },
    { "malformed", NULL, 0, 0, test_malformed, OVS_RO },
    { "garbled", "SEED N", 2, 2, test_garbled, OVS_RO },
    { "fairq", "SEED N", 2, 2, test_fairq, OVS_RO },
    { "benchmark", "N", 1, 1, test_benchmark, OVS_RO },
    { "damping", "SEED N", 2, 2, test_damping, OVS_RO },
    { "handover", "SEED N", 2, 2, test_handover, OVS_RO },
    { "handover-work", "N", 1, 1, test_handover_work, OVS_RO },
    { "limits", "SEED N", 2, 2, test_limits, OVS_RO },
    { "families", NULL, 0, 0, vmmob_test_families, OVS_RO },
    { "network", "SEED N", 2, 2, vmmob_test_network, OVS_RO },
    { "linger", "SEED N", 2, 2, vmmob_test_linger, OVS_RO },
    { "port-networks", NULL, 0, 0, vmmob_test_port_networks, OVS_RO },
    { "prefix-set", "SEED N", 2, 2, test_prefix_set, OVS_RO },
    { "pool", "SEED N", 2, 2, vmmob_test_pool, OVS_RO },
    { "frames", NULL, 0, 0, vmmob_test_frames, OVS_RO },
    { "icmp6", "SEED N", 2, 2, vmmob_test_icmp6, OVS_RO },
    { "flow-index", "SEED N", 2, 2, test_flow_index, OVS_RO },
    { "tail", "SEED N", 2, 2, test_tail, OVS_RO },
    { "pipeline", "", 0, 0, test_pipeline, OVS_RO },
    { "settings", "", 0, 0, test_settings, OVS_RO },
    { "resolver", "SEED N", 2, 2, test_resolver, OVS_RO },
    { "moves", "N", 1, 1, test_moves, OVS_RO },
    { "reply", NULL, 0, 0, test_reply, OVS_RO },
    { "sync", NULL, 0, 0, test_sync, OVS_RO },
    { "pieces", "SEED N", 2, 2, test_pieces, OVS_RO },
    { "hash", NULL, 0, 0, test_hash, OVS_RO },
    { NULL, NULL, 0, 0, NULL, OVS_RO },
};

static void
test_vmmob_main(int argc, char *argv[])
{
    struct ovs_cmdl_context ctx = {
        .argc = argc - 1,
        .argv = argv + 1,
    };

    set_program_name(argv[0]);
    ovs_cmdl_run_command(&ctx, commands);
    if (n_failures) {
        exit(EXIT_FAILURE);
    }
}

OVSTEST_REGISTER("test-vmmob", test_vmmob_main);
