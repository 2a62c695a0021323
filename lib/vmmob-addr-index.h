/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_ADDR_INDEX_H
#define VMMOB_ADDR_INDEX_H 1

/* An index by address
 * ===================
 *
 * Maps from an address to its claims, that is, to the rows that list it.
 * Normally there is one claim, but nothing keeps other sites from giving an
 * address to many VMNs, by mistake or not.  So the claims of an address are a
 * binary heap, with the preferred claim on top: a look-up is O(1) and a change
 * O(log n), whatever the other sites say.
 *
 * Pure data, like lib/vmmob-binding.h; not thread-safe. */

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

#include "openvswitch/hmap.h"
#include "openvswitch/list.h"

/* A claim to an address, embedded in what the user has of it.  All zeros while
 * it is in no index. */
struct vmmob_claim {
    struct vmmob_claimed_addr *addr;    /* NULL if it is in no index. */
    size_t ofs;                 /* Position in 'addr->heap'. */
};

/* An address in an index.  Read-only to the users of the index. */
struct vmmob_claimed_addr {
    struct hmap_node node;      /* In the index, by 'tenant' and 'addr'. */
    uint32_t tenant;
    struct in6_addr addr;
    struct vmmob_claim **heap;  /* The preferred one first. */
    size_t n, allocated;        /* 'n' is never 0. */
    struct ovs_list contested;  /* In 'contested' of its index if there is more
                                 * than one claim; otherwise empty. */
};

/* Compares two claims.  Returns a positive value if 'a' is preferred, a
 * negative value if 'b' is. */
typedef int vmmob_prefer_func(const struct vmmob_claim *a,
                              const struct vmmob_claim *b);

struct vmmob_addr_index {
    struct hmap addrs;          /* Contains "struct vmmob_claimed_addr"s. */
    struct ovs_list contested;  /* Those of them with several claims. */
    vmmob_prefer_func *prefer;
};

void vmmob_addr_index_init(struct vmmob_addr_index *, vmmob_prefer_func *);
void vmmob_addr_index_destroy(struct vmmob_addr_index *);
struct vmmob_claimed_addr *vmmob_addr_index_find(
    const struct vmmob_addr_index *, uint32_t tenant, const struct in6_addr *);
void vmmob_addr_index_add(struct vmmob_addr_index *, uint32_t tenant,
                          const struct in6_addr *, struct vmmob_claim *);
void vmmob_addr_index_remove(struct vmmob_addr_index *, struct vmmob_claim *);

#endif /* lib/vmmob-addr-index.h */
