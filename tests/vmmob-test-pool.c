/* SPDX-License-Identifier: Apache-2.0 */

/* ofproto-vmmob/pool.c, compared with a simple model, and what its IPv6
 * addresses are for: that no checksum changes. */

#include <config.h>
#undef NDEBUG
#include "vmmob-test.h"

#include <stdlib.h>
#include <string.h>

#include "command-line.h"
#include "csum.h"
#include "ofproto-vmmob/pool.h"
#include "packets.h"
#include "random.h"
#include "util.h"

enum { N_KEYS = 4, N_HOAS = 4, MAX_HELD = 1024 };

static const char *const uplink_names[] = { "192.0.2.0/24", "2001:db8::/64" };
static const char *const gateway_names[] = { "192.0.2.254",
                                             "2001:db8::5:fffe" };

/* Small ones, so that they become full; one that begins with the IP network,
 * two that end with what looks like anycast addresses; a large one. */
static const char *const pool_names[][3] = {
    { "192.0.2.0/29", "2001:db8::4:0/110" },
    { "2001:db8::/110", "192.0.2.248/29", "2001:db8::8000:0/111" },
    { "2001:db8::ffff:ffff:ffff:0/112", "2001:db8:0:1::/110" },
    { "2001:db8:0:2:fdff:ffff:fffe:0/111", "192.0.2.8/32" },
    { "2001:db8:0:3::/64", "2001:db8::100:0/104" },
};

/* An address that somebody has, or had last. */
struct held {
    struct in6_addr moa;
    struct vmmob_key key;
    long long int until;        /* LLONG_MAX if not in quarantine. */
};

struct model {
    struct vmmob_prefix prefixes[3], uplinks[2];
    struct in6_addr gateways[2];
    size_t n_prefixes;
    struct held held[MAX_HELD];
    size_t n_held;
};

static struct vmmob_prefix
parse(const char *s)
{
    struct vmmob_prefix prefix;

    check_error(s, vmmob_prefix_parse(s, &prefix, NULL), NULL);
    return prefix;
}

static void
configure(struct model *model, size_t i, struct pool *pool)
{
    model->n_prefixes = 0;
    for (size_t j = 0; j < 3 && pool_names[i][j]; j++) {
        model->prefixes[model->n_prefixes++] = parse(pool_names[i][j]);
    }
    for (size_t j = 0; j < ARRAY_SIZE(uplink_names); j++) {
        model->uplinks[j] = parse(uplink_names[j]);
        model->gateways[j] = parse(gateway_names[j]).addr;
    }
    vmmob_pool_configure(pool, model->prefixes, model->n_prefixes,
                         model->uplinks, model->gateways,
                         ARRAY_SIZE(model->uplinks));
}

/* Few keys and HoAs, so that they meet again; those of a family of which many
 * have the same sum. */
static struct vmmob_key
random_key(void)
{
    struct vmmob_key key = { .mac = ETH_ADDR_C(02,00,00,00,00,00) };

    key.mac.ea[5] = random_range(N_KEYS);
    return key;
}

static struct in6_addr
random_hoa(void)
{
    static const char *const names[] = {
        "10.100.0.%u", "fd00:64::%x", "fd00:64::%x:ffff", "fe80::%x:0:1",
    };
    char *s = xasprintf(names[random_range(ARRAY_SIZE(names))],
                        1 + random_range(N_HOAS));
    struct in6_addr hoa = parse(s).addr;

    free(s);
    return hoa;
}

static struct held *
find(struct model *model, const struct in6_addr *moa)
{
    for (size_t i = 0; i < model->n_held; i++) {
        if (ipv6_addr_equals(&model->held[i].moa, moa)) {
            return &model->held[i];
        }
    }
    return NULL;
}

/* Like vmmob_pool_contains(), by the letter. */
static bool
is_usable(const struct model *model, const struct in6_addr *addr)
{
    bool in = false;

    for (size_t i = 0; i < model->n_prefixes; i++) {
        in |= vmmob_prefix_contains(&model->prefixes[i], addr);
    }
    if (IN6_IS_ADDR_V4MAPPED(addr)) {
        ovs_be32 ip = in6_addr_get_mapped_ipv4(addr);

        return (in && ip != htonl(0xc0000200) && ip != htonl(0xc00002ff)
                && ip != htonl(0xc00002fe));
    }

    static const char *const reserved[] = {
        "2001:db8::", "2001:db8::4:0", "2001:db8::5:fffe",
        "2001:db8::8000:0", "2001:db8::ffff:ffff:ffff:0", "2001:db8:0:1::",
        "2001:db8:0:2:fdff:ffff:fffe:0", "2001:db8:0:3::",
        "2001:db8::100:0",
    };
    static const char *const anycast[] = {
        "2001:db8::ffff:ffff:ffff:ff80/121", "2001:db8::7:ff80/121",
        "2001:db8::3:ff80/121", "2001:db8::8001:ff80/121",
        "2001:db8:0:1::3:ff80/121",
        "2001:db8:0:2:fdff:ffff:ffff:ff80/121",
        "2001:db8:0:3:ffff:ffff:ffff:ff80/121",
        "2001:db8:0:3:fdff:ffff:ffff:ff80/121",
        "2001:db8::1ff:ff80/121",
    };
    bool special = false;

    /* An address that is reserved in one pool is not in another one's. */
    for (size_t i = 0; i < ARRAY_SIZE(reserved); i++) {
        struct in6_addr a = parse(reserved[i]).addr;

        if (ipv6_addr_equals(addr, &a)) {
            for (size_t j = 0; j < model->n_prefixes; j++) {
                special |= ipv6_addr_equals(&model->prefixes[j].addr, &a);
            }
            special |= i == 0 || i == 2;
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(anycast); i++) {
        struct vmmob_prefix p = parse(anycast[i]);
        struct in6_addr last = vmmob_prefix_last(&p);

        if (vmmob_prefix_contains(&p, addr)) {
            special |= addr->s6_addr[8] >= 0xfd;
            for (size_t j = 0; j < model->n_prefixes; j++) {
                struct in6_addr end = vmmob_prefix_last(&model->prefixes[j]);

                special |= ipv6_addr_equals(&end, &last);
            }
        }
    }
    return in && !special;
}

/* Sum of the address as checksums have it; not of zero. */
static ovs_be16
sum(const struct in6_addr *addr)
{
    return csum(addr, sizeof *addr);
}

/* Returns true if 'moa' may be given to 'key' for 'hoa'. */
static bool
is_free(struct model *model, const struct vmmob_key *key,
        const struct in6_addr *hoa, const struct in6_addr *moa)
{
    const struct held *held = find(model, moa);

    return (is_usable(model, moa)
            && IN6_IS_ADDR_V4MAPPED(hoa) == IN6_IS_ADDR_V4MAPPED(moa)
            && (IN6_IS_ADDR_V4MAPPED(hoa) || sum(hoa) == sum(moa))
            && (!held || (held->until != LLONG_MAX
                          && vmmob_key_equals(&held->key, key))));
}

/* Returns the number of addresses that 'model' could give to 'key' for
 * 'hoa', looking at all of its pools, unless one of them is large. */
static size_t
count_free(struct model *model, const struct vmmob_key *key,
           const struct in6_addr *hoa)
{
    size_t n = 0;

    for (size_t i = 0; i < model->n_prefixes; i++) {
        const struct vmmob_prefix *p = &model->prefixes[i];

        if (vmmob_addr_family(hoa) != vmmob_prefix_family(p)) {
            continue;
        }
        if (p->plen < 104) {
            return SIZE_MAX;
        }
        /* Of those that differ just in the last 16 bits, one is right: find
         * it without arithmetics, at most once for each 'hoa'. */
        uint32_t j = 0;
        while (j < 1u << (128 - p->plen)) {
            struct in6_addr a = p->addr;

            a.s6_addr[13] |= j >> 16;
            a.s6_addr[14] |= j >> 8;
            a.s6_addr[15] |= j;
            if (vmmob_addr_family(hoa) == VMMOB_IPV4) {
                n += is_free(model, key, hoa, &a);
                j++;
            } else if (sum(hoa) == sum(&a)) {
                n += is_free(model, key, hoa, &a);
                j = (j | 0xffff) + 1;
            } else {
                j++;
            }
        }
    }
    return n;
}

static void
check_counts(const struct model *model, const struct pool *pool)
{
    size_t n_taken[VMMOB_N_FAMILIES] = { 0, 0 };
    size_t n_resting[VMMOB_N_FAMILIES] = { 0, 0 };
    long long int next = LLONG_MAX;

    for (size_t i = 0; i < model->n_held; i++) {
        const struct held *held = &model->held[i];
        enum vmmob_family family = vmmob_addr_family(&held->moa);

        n_taken[family] += held->until == LLONG_MAX;
        n_resting[family] += held->until != LLONG_MAX;
        next = MIN(next, held->until);
    }
    for (int i = 0; i < VMMOB_N_FAMILIES; i++) {
        if (vmmob_pool_n_taken(pool, i) != n_taken[i]
            || vmmob_pool_n_quarantined(pool, i) != n_resting[i]) {
            fail("%s: %"PRIuSIZE" taken and %"PRIuSIZE" in quarantine",
                 vmmob_family_to_string(i), vmmob_pool_n_taken(pool, i),
                 vmmob_pool_n_quarantined(pool, i));
        }
    }
    if (vmmob_pool_next_event(pool) != next) {
        fail("next event at %lld", vmmob_pool_next_event(pool));
    }
}

/* Checks that 'moa' is what 'key' and 'hoa' get from 'pool': the one that a
 * new pool gives, or if that is not free, another one that is. */
static void
check_take(struct model *model, struct pool *pool)
{
    const struct vmmob_key key = random_key();
    const struct in6_addr hoa = random_hoa();
    struct pool *empty = vmmob_pool_create();
    struct in6_addr first, moa = in6addr_any;
    bool ok = vmmob_pool_take(pool, &key, &hoa, &moa);

    vmmob_pool_configure(empty, model->prefixes, model->n_prefixes,
                         model->uplinks, model->gateways,
                         ARRAY_SIZE(model->uplinks));
    if (!ok) {
        if (count_free(model, &key, &hoa)) {
            fail("nothing is free, but %"PRIuSIZE" addresses are",
                 count_free(model, &key, &hoa));
        }
    } else if (!is_free(model, &key, &hoa, &moa)) {
        fail("not free");
    } else if (!vmmob_pool_take(empty, &key, &hoa, &first)
               || (!ipv6_addr_equals(&first, &moa)
                   && is_free(model, &key, &hoa, &first))) {
        fail("not the first one that is free");
    } else {
        struct held *held = find(model, &moa);

        if (!held) {
            ovs_assert(model->n_held < MAX_HELD);
            held = &model->held[model->n_held++];
        }
        *held = (struct held) { moa, key, LLONG_MAX };
    }
    vmmob_pool_destroy(empty);
}

static void
check_take_this(struct model *model, struct pool *pool)
{
    const struct vmmob_key key = random_key();
    const struct in6_addr hoa = random_hoa();
    struct in6_addr moa = hoa;

    if (model->n_held && random_range(2)) {
        moa = model->held[random_range(model->n_held)].moa;
    } else {
        moa = model->prefixes[random_range(model->n_prefixes)].addr;
        moa.s6_addr[15] |= random_range(8);
        if (vmmob_addr_family(&moa) == VMMOB_IPV6 && random_range(4)) {
            /* Such that it fits, or nearly. */
            uint16_t last = (vmmob_addr_sum(&hoa) + 0xffff
                             - vmmob_addr_sum(&moa) + moa.s6_addr[15]
                             + (random_range(4) ? 0 : 1)) % 0xffff;

            moa.s6_addr[14] = last >> 8;
            moa.s6_addr[15] = last;
        }
    }

    bool expected = is_free(model, &key, &hoa, &moa);
    if (vmmob_pool_take_this(pool, &key, &hoa, &moa) != expected) {
        fail("%s", expected ? "refused" : "took what is not free");
    } else if (expected) {
        struct held *held = find(model, &moa);

        if (!held) {
            held = &model->held[model->n_held++];
        }
        *held = (struct held) { moa, key, LLONG_MAX };
    }
}

static void
compare_with_model(void)
{
    struct pool *pool = vmmob_pool_create();
    struct model *model = xzalloc(sizeof *model);
    long long int now = 0;
    struct in6_addr moa;
    bool freed = false;

    configure(model, random_range(ARRAY_SIZE(pool_names)), pool);
    for (int steps = random_range(40); steps > 0; steps--) {
        switch (random_range(8)) {
        case 0: case 1: case 2: case 3:
            check_take(model, pool);
            break;
        case 4:
            check_take_this(model, pool);
            break;
        case 5:
            if (model->n_held) {
                struct held *held
                    = &model->held[random_range(model->n_held)];
                long long int until = now + random_range(20);

                moa = held->moa;
                vmmob_pool_give_back(pool, &moa, until);
                if (held->until == LLONG_MAX) {
                    held->until = until;
                }
            }
            break;
        case 6:
            now += random_range(10);
            freed = false;
            for (size_t i = model->n_held; i-- > 0;) {
                if (model->held[i].until <= now) {
                    model->held[i] = model->held[--model->n_held];
                    freed = true;
                }
            }
            if (vmmob_pool_run(pool, now) != freed) {
                fail("%s", freed ? "nothing freed" : "something freed");
            }
            break;
        case 7:
            if (!random_range(10)) {
                configure(model, random_range(ARRAY_SIZE(pool_names)), pool);
            }
            break;
        }
        check_counts(model, pool);
    }
    free(model);
    vmmob_pool_destroy(pool);
}

/* Returns the checksum of a packet of 'proto' from 'src' to 'dst'. */
static ovs_be16
transport_csum(const struct in6_addr *src, const struct in6_addr *dst,
               uint8_t proto, const uint8_t *payload, size_t size)
{
    uint32_t partial = csum_continue(0, src, sizeof *src);

    partial = csum_continue(partial, dst, sizeof *dst);
    partial = csum_add32(partial, htonl(size));
    partial = csum_add16(partial, htons(proto));
    return csum_finish(csum_continue(partial, payload, size));
}

/* Whatever a packet has, and whatever its addresses: its checksum is the same
 * with a MoA from a pool of any length. */
static void
compare_checksums(void)
{
    static const uint8_t protos[] = {
        IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMPV6, IPPROTO_DCCP,
    };
    struct pool *pool = vmmob_pool_create();
    struct vmmob_prefix prefix = { .plen = random_range(113) };
    struct in6_addr hoa, peer, moa, mask = ipv6_create_mask(prefix.plen);
    const struct vmmob_key key = random_key();
    uint8_t payload[101];
    size_t size = random_range(sizeof payload);

    random_bytes(&hoa, sizeof hoa);
    random_bytes(&peer, sizeof peer);
    random_bytes(&prefix.addr, sizeof prefix.addr);
    random_bytes(payload, sizeof payload);
    hoa.s6_addr[0] = prefix.addr.s6_addr[0] = 0x20;
    prefix.addr = ipv6_addr_bitand(&prefix.addr, &mask);
    if (!random_range(4)) {
        /* Where zero is written in two ways. */
        memset(&hoa.s6_addr[2], random_range(2) ? 0xff : 0, 14);
        memset(payload, random_range(2) ? 0xff : 0, size);
    }
    if (!random_range(4)) {
        /* The last 16 bits would be 0xffff, or 0. */
        uint16_t last = vmmob_addr_sum(&hoa);

        prefix.plen = 112;
        memset(&prefix.addr, 0, sizeof prefix.addr);
        prefix.addr.s6_addr[0] = last >> 8;
        prefix.addr.s6_addr[1] = last;
    }
    vmmob_pool_configure(pool, &prefix, 1, NULL, NULL, 0);
    if (!vmmob_pool_take(pool, &key, &hoa, &moa)) {
        if (prefix.plen < 111) {
            fail("no address");
        }
    } else {
        if (moa.s6_addr[14] == 0xff && moa.s6_addr[15] == 0xff) {
            fail("last 16 bits are 0xffff");
        }
        for (size_t i = 0; i < ARRAY_SIZE(protos); i++) {
            if (transport_csum(&hoa, &peer, protos[i], payload, size)
                != transport_csum(&moa, &peer, protos[i], payload, size)
                || (transport_csum(&peer, &hoa, protos[i], payload, size)
                    != transport_csum(&peer, &moa, protos[i], payload,
                                      size))) {
                fail("checksum of protocol %d differs", protos[i]);
            }
        }
    }
    vmmob_pool_destroy(pool);
}

static void
check_size(const char *name, const char *other, size_t ipv4, uint64_t ipv6)
{
    const struct vmmob_prefix prefixes[] = { parse(name), parse(other) };
    struct pool *pool = vmmob_pool_create();

    vmmob_pool_configure(pool, prefixes, 2, NULL, NULL, 0);
    if (vmmob_pool_size(pool, VMMOB_IPV4) != ipv4
        || vmmob_pool_size(pool, VMMOB_IPV6) != MIN(ipv6, SIZE_MAX)) {
        fail("%s, %s: sizes %"PRIuSIZE", %"PRIuSIZE, name, other,
             vmmob_pool_size(pool, VMMOB_IPV4),
             vmmob_pool_size(pool, VMMOB_IPV6));
    }
    vmmob_pool_destroy(pool);
}

/* A family without a prefix has no addresses; nor has an IPv6 prefix that does
 * not leave the last 16 bits free. */
static void
check_none(const char *name, const char *hoa_name)
{
    const struct vmmob_prefix prefix = parse(name);
    const struct in6_addr hoa = parse(hoa_name).addr;
    const struct vmmob_key key = random_key();
    struct pool *pool = vmmob_pool_create();
    struct in6_addr moa;

    vmmob_pool_configure(pool, &prefix, 1, NULL, NULL, 0);
    if (vmmob_pool_take(pool, &key, &hoa, &moa)) {
        fail("%s has an address for %s", name, hoa_name);
    }
    vmmob_pool_destroy(pool);
}

/* Which addresses are for hosts.  A HoA for which only one that is not can
 * stand gets none. */
static void
check_reserved(void)
{
    static const struct {
        size_t pool;            /* Index in 'pool_names'. */
        const char *addr;
        bool usable;
    } addrs[] = {
        { 0, "192.0.2.0", false },
        { 0, "192.0.2.1", true },
        { 0, "192.0.2.7", true },
        { 0, "192.0.2.8", false },
        { 0, "2001:db8::4:0", false },
        { 0, "2001:db8::4:1", true },
        { 0, "2001:db8::5:fffe", false },
        { 0, "2001:db8::7:ff7f", true },
        { 0, "2001:db8::7:ff80", false },
        { 0, "2001:db8::7:ffff", false },
        { 0, "2001:db8::8:1", false },
        { 1, "2001:db8::", false },
        { 1, "2001:db8::1", true },
        { 1, "192.0.2.250", true },
        { 1, "192.0.2.254", false },
        { 1, "192.0.2.255", false },
        { 2, "2001:db8::ffff:ffff:ffff:ff7f", true },
        { 2, "2001:db8::ffff:ffff:ffff:ff80", false },
        { 2, "2001:db8::ffff:ffff:ffff:ffff", false },
        { 3, "2001:db8:0:2:fdff:ffff:fffe:ff80", true },
        { 3, "2001:db8:0:2:fdff:ffff:ffff:ff7f", true },
        { 3, "2001:db8:0:2:fdff:ffff:ffff:ff80", false },
        { 4, "2001:db8:0:3::", false },
        { 4, "2001:db8:0:3::1", true },
        { 4, "2001:db8:0:3:fdff:ffff:ffff:ff7f", true },
        { 4, "2001:db8:0:3:fdff:ffff:ffff:fff0", false },
    };
    const struct vmmob_key key = random_key();
    struct model *model = xzalloc(sizeof *model);
    struct pool *pool = vmmob_pool_create();

    for (size_t i = 0; i < ARRAY_SIZE(addrs); i++) {
        struct in6_addr moa = parse(addrs[i].addr).addr;

        configure(model, addrs[i].pool, pool);
        if (vmmob_pool_contains(pool, &moa) != addrs[i].usable
            || is_usable(model, &moa) != addrs[i].usable) {
            fail("%s is%s for hosts", addrs[i].addr,
                 addrs[i].usable ? " not" : "");
        }
        if (vmmob_addr_family(&moa) == VMMOB_IPV6) {
            const struct vmmob_prefix prefix = {
                .addr = ipv6_addr_bitand(&moa, &(struct in6_addr) {
                    .s6_addr = { 255, 255, 255, 255, 255, 255, 255, 255, 255,
                                 255, 255, 255, 255, 255 } }),
                .plen = 112,
            };
            struct in6_addr hoa = moa, found;

            hoa.s6_addr[0] = moa.s6_addr[2];
            hoa.s6_addr[1] = moa.s6_addr[3];
            hoa.s6_addr[2] = moa.s6_addr[0];
            hoa.s6_addr[3] = moa.s6_addr[1];
            vmmob_pool_configure(pool, &prefix, 1, model->uplinks,
                                 model->gateways, 2);
            bool usable = vmmob_pool_contains(pool, &moa);
            if (vmmob_pool_take(pool, &key, &hoa, &found) != usable
                || (usable && !ipv6_addr_equals(&found, &moa))) {
                fail("%s was%s taken", addrs[i].addr, usable ? " not" : "");
            }
        }
    }
    free(model);
    vmmob_pool_destroy(pool);
}

void
vmmob_test_pool(struct ovs_cmdl_context *ctx)
{
    uint32_t seed, n;

    parse_seed(ctx, &seed, &n);
    check_size("10.0.0.0/24", "fd00::/96", 256, UINT64_C(1) << 32);
    check_size("10.0.0.1", "10.0.1.0/24", 257, 0);
    check_size("fd00::/64", "10.0.0.0/32", 1, UINT64_MAX);
    check_size("fd00::/65", "fd01::/65", 0, UINT64_MAX);
    check_size("fd00::/66", "fd01::/66", 0, UINT64_C(1) << 63);
    check_size("fd00::/112", "fd01::/128", 0, 65537);
    check_none("10.0.0.0/8", "fd00::1");
    check_none("fd00::/64", "10.0.0.1");
    check_none("fd00::/113", "fd00::1");
    check_none("fd00::/128", "fd00::");
    check_reserved();
    for (uint32_t i = 0; i < n; i++) {
        start_case(seed, i);
        compare_with_model();
        compare_checksums();
    }
}
