/* SPDX-License-Identifier: Apache-2.0 */

/* There is a node for each prefix that was added, and for each that is whole
 * because both its halves have nodes.  The nodes that are in no other one are
 * the cover.  They are sorted such that what is in a prefix follows it, the
 * IPv4 ones first: no IPv6 prefix has IPv4 addresses, although in the numbers
 * these are amid the IPv6 ones. */

#include <config.h>

#include "vmmob-prefix-set.h"

#include <string.h>

#include "packets.h"
#include "skiplist.h"
#include "util.h"

struct node {
    struct vmmob_prefix prefix;
    size_t n;                   /* How often it was added. */
    bool whole;                 /* Both its halves have nodes. */
    bool in_cover;
};

/* Greater than the length of any prefix, IPv4 or IPv6: behind all that begin
 * at the same address. */
#define BEHIND_IPV4_PLEN 129
#define BEHIND_IPV6_PLEN 130

static enum vmmob_family
get_family(const struct vmmob_prefix *prefix)
{
    return (prefix->plen == BEHIND_IPV6_PLEN ? VMMOB_IPV6
            : vmmob_prefix_family(prefix));
}

static int
compare_prefixes(const void *a_, const void *b_, const void *aux OVS_UNUSED)
{
    const struct vmmob_prefix *a = a_;
    const struct vmmob_prefix *b = b_;
    enum vmmob_family a_family = get_family(a);
    enum vmmob_family b_family = get_family(b);

    if (a_family != b_family) {
        return a_family < b_family ? -1 : 1;
    }

    int cmp = memcmp(&a->addr, &b->addr, sizeof a->addr);
    return cmp ? cmp : a->plen - b->plen;
}

/* Returns the prefix of 'plen' bits that 'addr' is in. */
static struct vmmob_prefix
prefix_of(const struct in6_addr *addr, uint8_t plen)
{
    struct in6_addr mask = ipv6_create_mask(plen);

    return (struct vmmob_prefix) {
        .addr = ipv6_addr_bitand(addr, &mask), .plen = plen,
    };
}

/* Returns the other half of the prefix of which 'prefix', which is not empty,
 * is one half. */
static struct vmmob_prefix
other_half(const struct vmmob_prefix *prefix)
{
    struct vmmob_prefix other = *prefix;

    other.addr.s6_addr[(prefix->plen - 1) / 8]
        ^= 0x80 >> (prefix->plen - 1) % 8;
    return other;
}

static bool
is_in(const struct vmmob_prefix *inner, const struct vmmob_prefix *outer)
{
    return (inner->plen >= outer->plen
            && vmmob_prefix_contains(outer, &inner->addr));
}

static struct node *
node_from_skiplist(struct skiplist_node *sn)
{
    return sn ? skiplist_get_data(sn) : NULL;
}

static struct node *
find(const struct vmmob_prefix_set *set, const struct vmmob_prefix *prefix)
{
    return (set->n_by_plen[prefix->plen]
            ? node_from_skiplist(skiplist_find(set->nodes, prefix)) : NULL);
}

/* Returns the first node in 'outer', or NULL. */
static struct node *
first_in(const struct vmmob_prefix_set *set, const struct vmmob_prefix *outer)
{
    struct node *node = node_from_skiplist(skiplist_forward_to(set->nodes,
                                                               outer));

    return node && is_in(&node->prefix, outer) ? node : NULL;
}

/* Returns the first node in 'outer' that follows what is in 'prefix', or
 * NULL. */
static struct node *
next_in(const struct vmmob_prefix_set *set, const struct vmmob_prefix *outer,
        const struct vmmob_prefix *prefix)
{
    struct in6_addr mask = ipv6_create_mask(prefix->plen);
    struct vmmob_prefix behind = {
        .addr = prefix->addr,
        .plen = (get_family(prefix) == VMMOB_IPV4
                 ? BEHIND_IPV4_PLEN : BEHIND_IPV6_PLEN),
    };

    for (size_t i = 0; i < sizeof mask.s6_addr; i++) {
        behind.addr.s6_addr[i] |= ~mask.s6_addr[i];
    }

    struct node *node = node_from_skiplist(skiplist_forward_to(set->nodes,
                                                               &behind));
    return node && is_in(&node->prefix, outer) ? node : NULL;
}

static struct node *
create_node(struct vmmob_prefix_set *set, const struct vmmob_prefix *prefix)
{
    struct node *node = xzalloc(sizeof *node);

    node->prefix = *prefix;
    skiplist_insert(set->nodes, node);
    set->n_by_plen[prefix->plen]++;
    return node;
}

static void
destroy_node(struct vmmob_prefix_set *set, struct node *node)
{
    skiplist_delete(set->nodes, node);
    set->n_by_plen[node->prefix.plen]--;
    free(node);
}

static void
set_in_cover(struct vmmob_prefix_set *set, struct node *node, bool in_cover)
{
    if (node->in_cover == in_cover) {
        return;
    }
    node->in_cover = in_cover;
    if (in_cover) {
        set->n_cover++;
    } else {
        set->n_cover--;
    }
    if (set->n_changed >= set->allocated_changed) {
        set->changed = x2nrealloc(set->changed, &set->allocated_changed,
                                  sizeof *set->changed);
    }
    set->changed[set->n_changed++] = node->prefix;
}

/* Returns true if 'addr' is in a node with a shorter prefix than 'plen' of
 * 'family'. */
static bool
is_in_node(const struct vmmob_prefix_set *set, enum vmmob_family family,
           const struct in6_addr *addr, uint8_t plen)
{
    for (int i = family == VMMOB_IPV4 ? 96 : 0; i < plen; i++) {
        if (set->n_by_plen[i]) {
            struct vmmob_prefix prefix = prefix_of(addr, i);

            if (find(set, &prefix)) {
                return true;
            }
        }
    }
    return false;
}

/* Initializes 'set' as an empty set. */
void
vmmob_prefix_set_init(struct vmmob_prefix_set *set)
{
    memset(set, 0, sizeof *set);
    set->nodes = skiplist_create(compare_prefixes, NULL);
}

/* Frees what 'set' owns, but not 'set' itself. */
void
vmmob_prefix_set_destroy(struct vmmob_prefix_set *set)
{
    skiplist_destroy(set->nodes, free);
    free(set->changed);
}

/* Adds 'prefix' to 'set', once more. */
void
vmmob_prefix_set_add(struct vmmob_prefix_set *set,
                     const struct vmmob_prefix *prefix)
{
    struct node *node = find(set, prefix);

    if (node) {
        node->n++;
        return;
    }
    node = create_node(set, prefix);
    node->n = 1;
    for (int half = 0; half < 2 && prefix->plen < 128; half++) {
        struct vmmob_prefix outer = {
            .addr = prefix->addr, .plen = prefix->plen + 1,
        };
        struct node *inner;

        if (half) {
            outer = other_half(&outer);
        }
        if (get_family(&outer) != get_family(prefix)) {
            continue;
        }
        inner = first_in(set, &outer);
        while (inner) {
            set_in_cover(set, inner, false);
            inner = next_in(set, &outer, &inner->prefix);
        }
    }

    /* It may make others whole. */
    while (node->prefix.plen) {
        struct vmmob_prefix half = other_half(&node->prefix);
        struct vmmob_prefix up = prefix_of(&node->prefix.addr,
                                           node->prefix.plen - 1);
        struct node *other = find(set, &half);
        struct node *parent;

        if (!other || get_family(&half) != get_family(prefix)) {
            break;
        }
        set_in_cover(set, other, false);
        parent = find(set, &up);
        if (parent) {
            parent->whole = true;
            return;
        }
        node = create_node(set, &up);
        node->whole = true;
    }
    if (!is_in_node(set, get_family(&node->prefix), &node->prefix.addr,
                    node->prefix.plen)) {
        set_in_cover(set, node, true);
    }
}

/* Removes 'prefix' from 'set', where it must be, once. */
void
vmmob_prefix_set_remove(struct vmmob_prefix_set *set,
                        const struct vmmob_prefix *prefix)
{
    struct node *node = find(set, prefix);
    struct vmmob_prefix top;

    if (--node->n || node->whole) {
        return;
    }
    for (;;) {
        struct vmmob_prefix up;
        struct node *parent;

        top = node->prefix;
        set_in_cover(set, node, false);
        destroy_node(set, node);
        if (!top.plen) {
            break;
        }

        up = prefix_of(&top.addr, top.plen - 1);
        parent = find(set, &up);
        if (!parent || get_family(&up) != get_family(prefix)) {
            break;
        }
        parent->whole = false;
        if (parent->n) {
            return;
        }
        node = parent;
    }
    if (is_in_node(set, get_family(&top), &top.addr, top.plen)) {
        return;
    }
    node = first_in(set, &top);
    while (node) {
        set_in_cover(set, node, true);
        node = next_in(set, &top, &node->prefix);
    }
}

/* Returns true if 'addr' is in 'set'. */
bool
vmmob_prefix_set_contains(const struct vmmob_prefix_set *set,
                          const struct in6_addr *addr)
{
    return is_in_node(set, vmmob_addr_family(addr), addr, 129);
}

/* Returns true if there is an address that is both in 'prefix' and in
 * 'set'. */
bool
vmmob_prefix_set_overlaps(const struct vmmob_prefix_set *set,
                          const struct vmmob_prefix *prefix)
{
    return (is_in_node(set, get_family(prefix), &prefix->addr, prefix->plen)
            || first_in(set, prefix));
}

/* Returns true if 'prefix' is one of the cover of 'set'. */
bool
vmmob_prefix_set_covers(const struct vmmob_prefix_set *set,
                        const struct vmmob_prefix *prefix)
{
    const struct node *node = find(set, prefix);

    return node && node->in_cover;
}
