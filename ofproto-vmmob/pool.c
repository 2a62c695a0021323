/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/pool.h"

#include "jhash.h"
#include "ofproto-vmmob/expiry.h"
#include "openvswitch/hmap.h"
#include "openvswitch/list.h"
#include "packets.h"
#include "util.h"
#include "vmmob-hash.h"

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
    struct vmmob_prefix uplink; /* Its first and last address are not for
                                 * hosts. */
    struct in6_addr gateway;

    struct hmap addrs;          /* Contains "struct pool_addr"s. */
    struct ovs_list resting;    /* Those in quarantine, until its end. */
    size_t n_resting;
};

static struct pool_addr *pool_find(const struct pool *,
                                   const struct in6_addr *);
static bool pool_is_for_hosts(const struct pool *, const struct in6_addr *);
static uint64_t prefix_size(const struct vmmob_prefix *);
static struct in6_addr prefix_nth(const struct vmmob_prefix *, uint64_t n);
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
        free(pool);
    }
}

/* Makes the 'n_prefixes' 'prefixes' the addresses of 'pool', without those of
 * them that are not for hosts: the first and the last address of the IP
 * network 'uplink', and 'gateway'.  Addresses already taken stay taken, also
 * when they are not in 'pool' any more. */
void
vmmob_pool_configure(struct pool *pool, const struct vmmob_prefix *prefixes,
                     size_t n_prefixes, const struct vmmob_prefix *uplink,
                     const struct in6_addr *gateway)
{
    free(pool->prefixes);
    pool->prefixes = xmemdup(prefixes, n_prefixes * sizeof *prefixes);
    pool->n_prefixes = n_prefixes;
    pool->uplink = *uplink;
    pool->gateway = *gateway;
}

/* Returns true if 'addr' is an address that 'pool' may hand out. */
bool
vmmob_pool_contains(const struct pool *pool, const struct in6_addr *addr)
{
    for (size_t i = 0; i < pool->n_prefixes; i++) {
        if (vmmob_prefix_contains(&pool->prefixes[i], addr)) {
            return pool_is_for_hosts(pool, addr);
        }
    }
    return false;
}

/* Takes for the VMN 'key' an address to stand for its 'hoa' and stores it in
 * '*moa'.  Returns false if no address is free. */
bool
vmmob_pool_take(struct pool *pool, const struct vmmob_key *key,
                const struct in6_addr *hoa, struct in6_addr *moa)
{
    uint64_t size = vmmob_pool_size(pool);

    if (!size) {
        return false;
    }

    /* Unlike those in hash.h, this hash does not depend on how Open vSwitch
     * was built. */
    uint64_t start = jhash_bytes(hoa, sizeof *hoa,
                                 jhash_bytes(&key->mac, sizeof key->mac,
                                             key->tenant)) % size;
    /* Each address that is taken costs at most one more probe. */
    for (uint64_t i = 0; i < size; i++) {
        uint64_t n = (start + i) % size;
        size_t p = 0;

        while (n >= prefix_size(&pool->prefixes[p])) {
            n -= prefix_size(&pool->prefixes[p++]);
        }

        struct in6_addr addr = prefix_nth(&pool->prefixes[p], n);
        if (pool_is_for_hosts(pool, &addr)
            && vmmob_pool_take_this(pool, key, &addr)) {
            *moa = addr;
            return true;
        }
    }
    return false;
}

/* Takes the address 'moa' for the VMN 'key'.  Returns false if 'moa' is not in
 * 'pool', or taken, or in quarantine after another VMN. */
bool
vmmob_pool_take_this(struct pool *pool, const struct vmmob_key *key,
                     const struct in6_addr *moa)
{
    if (!vmmob_pool_contains(pool, moa)) {
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
        return true;
    } else if (!ovs_list_is_empty(&pa->resting.node)
               && vmmob_key_equals(&pa->owner, key)) {
        ovs_list_remove(&pa->resting.node);
        ovs_list_init(&pa->resting.node);
        pool->n_resting--;
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
        pool->n_resting++;
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

/* Returns the number of addresses in the prefixes of 'pool'. */
size_t
vmmob_pool_size(const struct pool *pool)
{
    uint64_t size = 0;

    for (size_t i = 0; i < pool->n_prefixes; i++) {
        size += prefix_size(&pool->prefixes[i]);
    }
    return MIN(size, SIZE_MAX);
}

size_t
vmmob_pool_n_taken(const struct pool *pool)
{
    return hmap_count(&pool->addrs) - pool->n_resting;
}

size_t
vmmob_pool_n_quarantined(const struct pool *pool)
{
    return pool->n_resting;
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

static bool
pool_is_for_hosts(const struct pool *pool, const struct in6_addr *addr)
{
    /* RFC 3021: a network of two addresses has no broadcast address. */
    if (pool->uplink.plen < 127) {
        struct in6_addr last = vmmob_prefix_last(&pool->uplink);

        if (ipv6_addr_equals(addr, &pool->uplink.addr)
            || ipv6_addr_equals(addr, &last)) {
            return false;
        }
    }
    return !ipv6_addr_equals(addr, &pool->gateway);
}

/* Number of addresses in 'prefix'; for the very large ones, as many as will
 * ever be needed. */
static uint64_t
prefix_size(const struct vmmob_prefix *prefix)
{
    int bits = 128 - prefix->plen;

    return UINT64_C(1) << MIN(bits, 32);
}

static struct in6_addr
prefix_nth(const struct vmmob_prefix *prefix, uint64_t n)
{
    struct in6_addr addr = prefix->addr;

    for (int i = 15; n; i--, n >>= 8) {
        addr.s6_addr[i] |= n & 0xff;
    }
    return addr;
}

static void
pool_forget(struct pool *pool, struct pool_addr *pa)
{
    if (!ovs_list_is_empty(&pa->resting.node)) {
        ovs_list_remove(&pa->resting.node);
        pool->n_resting--;
    }
    hmap_remove(&pool->addrs, &pa->node);
    free(pa);
}
