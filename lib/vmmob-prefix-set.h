/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_PREFIX_SET_H
#define VMMOB_PREFIX_SET_H 1

/* A set of addresses, as few prefixes
 * ===================================
 *
 * Prefixes are added and removed, each as often as one likes.  The set has the
 * addresses that are in any of them.  Its *cover* is the fewest prefixes that
 * have just these addresses: none is in another, and no two make a whole one.
 * So one rule is enough for many pools that are the same or next to each
 * other.
 *
 * A change costs O(log n), and as much for each prefix that it brings into the
 * cover or takes out of it.
 *
 * Pure data, like lib/vmmob-binding.h; not thread-safe. */

#include <stdbool.h>
#include <stddef.h>
#include "vmmob-binding.h"

struct skiplist;

struct vmmob_prefix_set {
    struct skiplist *nodes;     /* See vmmob-prefix-set.c. */
    size_t n_by_plen[129];      /* Nodes, by the length of their prefix. */
    size_t n_cover;             /* Prefixes in the cover. */

    /* Prefixes that came into the cover or went out of it, perhaps both.  The
     * user resets 'n_changed' to 0. */
    struct vmmob_prefix *changed;
    size_t n_changed, allocated_changed;
};

void vmmob_prefix_set_init(struct vmmob_prefix_set *);
void vmmob_prefix_set_destroy(struct vmmob_prefix_set *);
void vmmob_prefix_set_add(struct vmmob_prefix_set *,
                          const struct vmmob_prefix *);
void vmmob_prefix_set_remove(struct vmmob_prefix_set *,
                             const struct vmmob_prefix *);

bool vmmob_prefix_set_contains(const struct vmmob_prefix_set *,
                               const struct in6_addr *);
bool vmmob_prefix_set_overlaps(const struct vmmob_prefix_set *,
                               const struct vmmob_prefix *);
bool vmmob_prefix_set_covers(const struct vmmob_prefix_set *,
                             const struct vmmob_prefix *);

#endif /* lib/vmmob-prefix-set.h */
