/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/resolver.h"

#include "packets.h"
#include "util.h"
#include "vmmob-hash.h"

static uint32_t
hash_addr(const struct in6_addr *addr)
{
    return vmmob_hash_bytes(addr, sizeof *addr, 0);
}

/* Initializes 'resolver', in which nothing waits, and at most 'max' packets
 * can wait, 'max_of_source' of each source. */
void
vmmob_resolver_init(struct resolver *resolver, size_t max,
                    size_t max_of_source)
{
    resolver->max = max;
    resolver->max_of_source = max_of_source;
    ovs_list_init(&resolver->waits);
    ovs_list_init(&resolver->ready);
    hmap_init(&resolver->addrs);
    hmap_init(&resolver->sources);
    resolver->n_waits = resolver->n = 0;
}

/* Frees what 'resolver' owns.  Nothing must wait in it any more. */
void
vmmob_resolver_destroy(struct resolver *resolver)
{
    ovs_assert(!resolver->n);
    hmap_destroy(&resolver->addrs);
    hmap_destroy(&resolver->sources);
}

static struct resolver_source *
find_source(const struct resolver *resolver, const struct fairq_key *key)
{
    struct resolver_source *source;

    HMAP_FOR_EACH_WITH_HASH (source, node, vmmob_fairq_key_hash(key),
                             &resolver->sources) {
        if (vmmob_fairq_key_equals(&source->key, key)) {
            return source;
        }
    }
    return NULL;
}

static struct resolver_source *
find_largest_source(const struct resolver *resolver)
{
    struct resolver_source *largest = NULL;
    struct resolver_source *source;

    HMAP_FOR_EACH (source, node, &resolver->sources) {
        if (!largest || source->n > largest->n) {
            largest = source;
        }
    }
    return largest;
}

/* Makes 'wait' the latest one from 'key'. */
static void
add_to_source(struct resolver *resolver, struct resolver_wait *wait,
              const struct fairq_key *key)
{
    struct resolver_source *source = find_source(resolver, key);

    if (!source) {
        source = xmalloc(sizeof *source);
        source->key = *key;
        ovs_list_init(&source->waits);
        source->n = 0;
        hmap_insert(&resolver->sources, &source->node,
                    vmmob_fairq_key_hash(key));
    }
    ovs_list_push_back(&source->waits, &wait->source_node);
    source->n++;
    wait->source = source;
}

static void
remove_from_source(struct resolver *resolver, struct resolver_wait *wait)
{
    struct resolver_source *source = wait->source;

    ovs_list_remove(&wait->source_node);
    if (!--source->n) {
        hmap_remove(&resolver->sources, &source->node);
        free(source);
    }
    wait->source = NULL;
}

static void
add_addr(struct resolver *resolver, struct resolver_wait *wait,
         struct resolver_addr *ra, const struct in6_addr *addr)
{
    ra->wait = wait;
    ra->addr = *addr;
    if (ipv6_addr_is_set(addr)) {
        hmap_insert(&resolver->addrs, &ra->node, hash_addr(addr));
    }
}

/* Takes 'wait' out of 'waits'. */
static void
remove_wait(struct resolver *resolver, struct resolver_wait *wait)
{
    for (size_t i = 0; i < ARRAY_SIZE(wait->addrs); i++) {
        if (ipv6_addr_is_set(&wait->addrs[i].addr)) {
            hmap_remove(&resolver->addrs, &wait->addrs[i].node);
        }
    }
    ovs_list_remove(&wait->expiry.node);
    remove_from_source(resolver, wait);
    resolver->n_waits--;
}

static void
make_ready(struct resolver *resolver, struct resolver_wait *wait)
{
    remove_wait(resolver, wait);
    wait->is_ready = true;
    ovs_list_push_back(&resolver->ready, &wait->expiry.node);
}

/* Makes 'wait', which is from 'key', wait in 'resolver' for news about 'addr'
 * or 'other', which may be unspecified, until 'expires' at the latest.
 * Returns NULL or, if there was no room, one that does not wait any more,
 * perhaps 'wait' itself. */
struct resolver_wait *
vmmob_resolver_wait(struct resolver *resolver, struct resolver_wait *wait,
                    const struct fairq_key *key, const struct in6_addr *addr,
                    const struct in6_addr *other, long long int expires)
{
    const struct resolver_source *source = find_source(resolver, key);
    size_t n_of_source = source ? source->n : 0;
    struct resolver_wait *lost = NULL;

    if (n_of_source >= resolver->max_of_source) {
        return wait;
    }
    if (resolver->n_waits >= resolver->max) {
        const struct resolver_source *largest = find_largest_source(resolver);

        if (largest->n <= n_of_source + 1) {
            return wait;
        }
        lost = CONTAINER_OF(ovs_list_back(&largest->waits),
                            struct resolver_wait, source_node);
        remove_wait(resolver, lost);
        resolver->n--;
    }
    add_to_source(resolver, wait, key);
    resolver->n_waits++;
    wait->is_ready = false;
    add_addr(resolver, wait, &wait->addrs[0], addr);
    add_addr(resolver, wait, &wait->addrs[1], other);
    vmmob_expiry_insert(&resolver->waits, &wait->expiry, expires);
    resolver->n++;
    return lost;
}

/* Adds 'wait' to those that are to be tried again as soon as possible, even if
 * 'resolver' is full. */
void
vmmob_resolver_add_ready(struct resolver *resolver,
                         struct resolver_wait *wait, long long int expires)
{
    wait->expiry.at = expires;
    wait->source = NULL;
    wait->is_ready = true;
    ovs_list_push_back(&resolver->ready, &wait->expiry.node);
    resolver->n++;
}

/* Returns one that waits for news about 'addr', or NULL. */
static struct resolver_wait *
find_wait(const struct resolver *resolver, const struct in6_addr *addr)
{
    const struct resolver_addr *ra;

    HMAP_FOR_EACH_WITH_HASH (ra, node, hash_addr(addr), &resolver->addrs) {
        if (ipv6_addr_equals(&ra->addr, addr)) {
            return ra->wait;
        }
    }
    return NULL;
}

/* Returns true if one waits for news about 'addr'. */
bool
vmmob_resolver_is_awaited(const struct resolver *resolver,
                          const struct in6_addr *addr)
{
    return find_wait(resolver, addr) != NULL;
}

/* Wakes up those that wait for news about 'addr'. */
void
vmmob_resolver_wake(struct resolver *resolver, const struct in6_addr *addr)
{
    struct resolver_wait *wait;

    while ((wait = find_wait(resolver, addr)) != NULL) {
        make_ready(resolver, wait);
    }
}

/* Wakes up all, because of news that may be about any address. */
void
vmmob_resolver_wake_all(struct resolver *resolver)
{
    struct resolver_wait *wait;

    LIST_FOR_EACH_SAFE (wait, expiry.node, &resolver->waits) {
        make_ready(resolver, wait);
    }
}

/* Moves to the end of 'list' the "struct resolver_wait"s that are to be tried
 * again. */
void
vmmob_resolver_take_ready(struct resolver *resolver, struct ovs_list *list)
{
    resolver->n -= ovs_list_size(&resolver->ready);
    ovs_list_push_back_all(list, &resolver->ready);
}

/* Moves to the end of 'list' the "struct resolver_wait"s that have waited in
 * vain until 'now'. */
void
vmmob_resolver_expire(struct resolver *resolver, long long int now,
                      struct ovs_list *list)
{
    struct resolver_wait *wait;

    VMMOB_EXPIRY_FOR_EACH_DUE (wait, expiry, &resolver->waits, now) {
        remove_wait(resolver, wait);
        ovs_list_push_back(list, &wait->expiry.node);
        resolver->n--;
    }
}

/* Returns when to call vmmob_resolver_expire(), or LLONG_MIN if some are ready
 * to be tried again, or LLONG_MAX. */
long long int
vmmob_resolver_next_event(const struct resolver *resolver)
{
    return (!ovs_list_is_empty(&resolver->ready) ? LLONG_MIN
            : vmmob_expiry_next(&resolver->waits));
}
