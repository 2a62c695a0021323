/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/pool.h"

#include <string.h>

#include "jhash.h"
#include "ofproto-vmmob/expiry.h"
#include "openvswitch/hmap.h"
#include "openvswitch/list.h"
#include "packets.h"
#include "util.h"
#include "vmmob-hash.h"

/* Of the addresses of an IPv6 prefix that can stand for one HoA, this many
 * bits' worth are tried: more than will ever be needed. */
#define MAX_IPV6_BITS 48

/* An address that is not free. */
struct pool_addr {
    struct hmap_node node;      /* In 'addrs' of its pool, by 'addr'. */
    struct in6_addr addr;
    struct vmmob_key owner;     /* Who has it, or had it last. */
    struct vmmob_expiry resting;    /* In 'resting' of its pool, while in
                                     * quarantine; otherwise empty. */
};

struct pool {
    struct vmmob_prefix *prefixes;
    size_t n_prefixes;
    struct vmmob_prefix *uplinks;   /* Some addresses of each are not for
                                     * hosts. */
    struct in6_addr *gateways;      /* One for each of 'uplinks'. */
    size_t n_uplinks;

    struct hmap addrs;          /* Contains "struct pool_addr"s. */
    struct ovs_list resting;    /* Those in quarantine, until its end. */

    /* By family: those in 'addrs', and those of them in 'resting'. */
    size_t n_addrs[VMMOB_N_FAMILIES];
    size_t n_resting[VMMOB_N_FAMILIES];
};

static struct pool_addr *pool_find(const struct pool *,
                                   const struct in6_addr *);
static bool pool_is_for_hosts(const struct pool *, const struct in6_addr *);
static uint64_t prefix_size(const struct vmmob_prefix *);
static uint64_t prefix_n_moas(const struct vmmob_prefix *, enum vmmob_family);
static struct in6_addr prefix_nth_moa(const struct vmmob_prefix *, uint64_t n,
                                      const struct in6_addr *hoa);
static void pool_forget(struct pool *, struct pool_addr *);

/* Returns a new pool without any address. */
struct pool *
vmmob_pool_create(void)
{
    struct pool *pool = xzalloc(sizeof *pool);

    hmap_init(&pool->addrs);
    ovs_list_init(&pool->resting);
    return pool;
}

void
vmmob_pool_destroy(struct pool *pool)
{
    if (pool) {
        struct pool_addr *pa;

        HMAP_FOR_EACH_SAFE (pa, node, &pool->addrs) {
            pool_forget(pool, pa);
        }
        hmap_destroy(&pool->addrs);
        free(pool->prefixes);
        free(pool->uplinks);
        free(pool->gateways);
        free(pool);
    }
}

/* Makes the 'n_prefixes' 'prefixes', of either family, the addresses of
 * 'pool', without those of them that are not for hosts: in the 'n_uplinks' IP
 * networks 'uplinks', those that have a meaning of their own, and 'gateways'.
 * Addresses already taken stay taken, also when they are not in 'pool' any
 * more. */
void
vmmob_pool_configure(struct pool *pool, const struct vmmob_prefix *prefixes,
                     size_t n_prefixes, const struct vmmob_prefix *uplinks,
                     const struct in6_addr *gateways, size_t n_uplinks)
{
    free(pool->prefixes);
    free(pool->uplinks);
    free(pool->gateways);
    pool->prefixes = xmemdup(prefixes, n_prefixes * sizeof *prefixes);
    pool->n_prefixes = n_prefixes;
    pool->uplinks = xmemdup(uplinks, n_uplinks * sizeof *uplinks);
    pool->gateways = xmemdup(gateways, n_uplinks * sizeof *gateways);
    pool->n_uplinks = n_uplinks;
}

/* Returns true if 'addr' is an address that 'pool' may hand out. */
bool
vmmob_pool_contains(const struct pool *pool, const struct in6_addr *addr)
{
    return (vmmob_prefixes_contain(pool->prefixes, pool->n_prefixes, addr)
            && pool_is_for_hosts(pool, addr));
}

/* Takes for the VMN 'key' an address to stand for its 'hoa', of the same
 * family, and stores it in '*moa'.  Returns false if no address is free. */
bool
vmmob_pool_take(struct pool *pool, const struct vmmob_key *key,
                const struct in6_addr *hoa, struct in6_addr *moa)
{
    enum vmmob_family family = vmmob_addr_family(hoa);
    uint64_t size = 0;

    for (size_t i = 0; i < pool->n_prefixes; i++) {
        size += prefix_n_moas(&pool->prefixes[i], family);
    }
    if (!size) {
        return false;
    }

    /* Unlike those in hash.h, this hash does not depend on how Open vSwitch
     * was built. */
    uint64_t start = jhash_bytes(hoa, sizeof *hoa,
                                 jhash_bytes(&key->mac, sizeof key->mac,
                                             key->tenant));
    if (family == VMMOB_IPV6) {
        start |= (uint64_t) jhash_bytes(hoa, sizeof *hoa, start) << 32;
    }
    start %= size;

    /* Each address that is not free costs at most one more turn. */
    for (uint64_t i = 0; i < size; i++) {
        uint64_t n = (start + i) % size;
        size_t p = 0;

        while (n >= prefix_n_moas(&pool->prefixes[p], family)) {
            n -= prefix_n_moas(&pool->prefixes[p++], family);
        }

        struct in6_addr addr = prefix_nth_moa(&pool->prefixes[p], n, hoa);
        if (pool_is_for_hosts(pool, &addr)
            && vmmob_pool_take_this(pool, key, hoa, &addr)) {
            *moa = addr;
            return true;
        }
    }
    return false;
}

/* Takes the address 'moa' for the VMN 'key' to stand for its 'hoa'.  Returns
 * false if 'moa' cannot stand for 'hoa', is not in 'pool', or taken, or in
 * quarantine after another VMN. */
bool
vmmob_pool_take_this(struct pool *pool, const struct vmmob_key *key,
                     const struct in6_addr *hoa, const struct in6_addr *moa)
{
    enum vmmob_family family = vmmob_addr_family(moa);

    if (vmmob_addr_family(hoa) != family
        || (family == VMMOB_IPV6
            && vmmob_addr_sum(hoa) != vmmob_addr_sum(moa))
        || !vmmob_pool_contains(pool, moa)) {
        return false;
    }

    struct pool_addr *pa = pool_find(pool, moa);
    if (!pa) {
        pa = xzalloc(sizeof *pa);
        pa->addr = *moa;
        pa->owner = *key;
        ovs_list_init(&pa->resting.node);
        hmap_insert(&pool->addrs, &pa->node,
                    vmmob_hash_bytes(moa, sizeof *moa, 0));
        pool->n_addrs[family]++;
        return true;
    } else if (!ovs_list_is_empty(&pa->resting.node)
               && vmmob_key_equals(&pa->owner, key)) {
        ovs_list_remove(&pa->resting.node);
        ovs_list_init(&pa->resting.node);
        pool->n_resting[family]--;
        return true;
    }
    return false;
}

/* Gives the address 'moa' back to 'pool', from which it was taken.  It is free
 * from 'until' on, in ms. */
void
vmmob_pool_give_back(struct pool *pool, const struct in6_addr *moa,
                     long long int until)
{
    struct pool_addr *pa = pool_find(pool, moa);

    if (pa && ovs_list_is_empty(&pa->resting.node)) {
        vmmob_expiry_insert(&pool->resting, &pa->resting, until);
        pool->n_resting[vmmob_addr_family(moa)]++;
    }
}

/* Frees what has been in quarantine until 'now', in ms.  Returns true if
 * something was freed. */
bool
vmmob_pool_run(struct pool *pool, long long int now)
{
    bool freed = false;
    struct pool_addr *pa;

    VMMOB_EXPIRY_FOR_EACH_DUE (pa, resting, &pool->resting, now) {
        pool_forget(pool, pa);
        freed = true;
    }
    return freed;
}

/* Returns the time, in ms, when vmmob_pool_run() has something to do, or
 * LLONG_MAX if nothing is in quarantine. */
long long int
vmmob_pool_next_event(const struct pool *pool)
{
    return vmmob_expiry_next(&pool->resting);
}

/* Returns the number of addresses of 'family' in the prefixes of 'pool', or
 * SIZE_MAX if it is greater. */
size_t
vmmob_pool_size(const struct pool *pool, enum vmmob_family family)
{
    uint64_t size = 0;

    for (size_t i = 0; i < pool->n_prefixes; i++) {
        if (vmmob_prefix_family(&pool->prefixes[i]) == family) {
            uint64_t more = prefix_size(&pool->prefixes[i]);

            size = more > UINT64_MAX - size ? UINT64_MAX : size + more;
        }
    }
    return MIN(size, SIZE_MAX);
}

size_t
vmmob_pool_n_taken(const struct pool *pool, enum vmmob_family family)
{
    return pool->n_addrs[family] - pool->n_resting[family];
}

size_t
vmmob_pool_n_quarantined(const struct pool *pool, enum vmmob_family family)
{
    return pool->n_resting[family];
}

static struct pool_addr *
pool_find(const struct pool *pool, const struct in6_addr *addr)
{
    struct pool_addr *pa;

    HMAP_FOR_EACH_WITH_HASH (pa, node, vmmob_hash_bytes(addr, sizeof *addr, 0),
                             &pool->addrs) {
        if (ipv6_addr_equals(&pa->addr, addr)) {
            return pa;
        }
    }
    return NULL;
}

/* Returns true if 'addr' is not for a host because of its place in the
 * 'subnet' of its family. */
static bool
is_reserved(const struct vmmob_prefix *subnet, const struct in6_addr *addr)
{
    struct in6_addr last = vmmob_prefix_last(subnet);

    /* RFC 3021: a network of two addresses has no broadcast address.  RFC
     * 6164: it has no anycast addresses. */
    if (subnet->plen >= 127) {
        return false;
    }
    if (vmmob_prefix_family(subnet) == VMMOB_IPV6) {
        /* RFC 2526: the last 128 are anycast. */
        struct in6_addr anycast = *addr;

        anycast.s6_addr[15] |= 0x7f;
        if (ipv6_addr_equals(&anycast, &last)) {
            return true;
        }
    } else if (ipv6_addr_equals(addr, &last)) {
        return true;
    }
    /* The network itself; in IPv6, any router (RFC 4291, 2.6.1). */
    return ipv6_addr_equals(addr, &subnet->addr);
}

static bool
pool_is_for_hosts(const struct pool *pool, const struct in6_addr *addr)
{
    enum vmmob_family family = vmmob_addr_family(addr);

    for (size_t i = 0; i < pool->n_uplinks; i++) {
        if (ipv6_addr_equals(addr, &pool->gateways[i])
            || (vmmob_prefix_family(&pool->uplinks[i]) == family
                && is_reserved(&pool->uplinks[i], addr))) {
            return false;
        }
    }
    if (family == VMMOB_IPV6) {
        /* RFC 2526, if interface identifiers are in EUI-64 format. */
        static const uint8_t anycast[] = {
            0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        };

        if (!memcmp(&addr->s6_addr[8], anycast, sizeof anycast)
            && addr->s6_addr[15] & 0x80) {
            return false;
        }
        /* A prefix that is routed to the pool may be a subnet. */
        for (size_t i = 0; i < pool->n_prefixes; i++) {
            if (vmmob_prefix_family(&pool->prefixes[i]) == family
                && is_reserved(&pool->prefixes[i], addr)) {
                return false;
            }
        }
    }
    return true;
}

/* Number of addresses in 'prefix'; for the very large ones, as many as will
 * ever be needed. */
static uint64_t
prefix_size(const struct vmmob_prefix *prefix)
{
    int bits = 128 - prefix->plen;

    return (vmmob_prefix_family(prefix) == VMMOB_IPV4
            ? UINT64_C(1) << MIN(bits, 32)
            : bits < 64 ? UINT64_C(1) << bits : UINT64_MAX);
}

/* Number of addresses in 'prefix' that can stand for one HoA of 'family'.
 * Those of IPv6 leave checksums as they are (RFC 6296, 3), and so their last
 * 16 bits follow from the others. */
static uint64_t
prefix_n_moas(const struct vmmob_prefix *prefix, enum vmmob_family family)
{
    return (vmmob_prefix_family(prefix) != family ? 0
            : family == VMMOB_IPV4 ? prefix_size(prefix)
            : prefix->plen > 112 ? 0
            : UINT64_C(1) << MIN(112 - prefix->plen, MAX_IPV6_BITS));
}

/* The one with number 'n' of those that can stand for 'hoa', which is of the
 * family of 'prefix'. */
static struct in6_addr
prefix_nth_moa(const struct vmmob_prefix *prefix, uint64_t n,
               const struct in6_addr *hoa)
{
    bool is_ipv6 = vmmob_addr_family(hoa) == VMMOB_IPV6;
    struct in6_addr addr = prefix->addr;

    for (int i = is_ipv6 ? 13 : 15; n; i--, n >>= 8) {
        addr.s6_addr[i] |= n & 0xff;
    }
    if (is_ipv6) {
        uint32_t last = (vmmob_addr_sum(hoa) + 0xffff
                         - vmmob_addr_sum(&addr)) % 0xffff;

        addr.s6_addr[14] = last >> 8;
        addr.s6_addr[15] = last;
    }
    return addr;
}

static void
pool_forget(struct pool *pool, struct pool_addr *pa)
{
    enum vmmob_family family = vmmob_addr_family(&pa->addr);

    if (!ovs_list_is_empty(&pa->resting.node)) {
        ovs_list_remove(&pa->resting.node);
        pool->n_resting[family]--;
    }
    pool->n_addrs[family]--;
    hmap_remove(&pool->addrs, &pa->node);
    free(pa);
}
