/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "vmmob-addr-index.h"

#include <stdlib.h>

#include "packets.h"
#include "util.h"
#include "vmmob-hash.h"

static uint32_t
hash_addr(uint32_t tenant, const struct in6_addr *addr)
{
    return vmmob_hash_bytes(addr, sizeof *addr, tenant);
}

/* Returns 'addr' of 'tenant' in 'index', with its claims, or NULL if nobody
 * claims it. */
struct vmmob_claimed_addr *
vmmob_addr_index_find(const struct vmmob_addr_index *index, uint32_t tenant,
                      const struct in6_addr *addr)
{
    struct vmmob_claimed_addr *ca;

    HMAP_FOR_EACH_WITH_HASH (ca, node, hash_addr(tenant, addr),
                             &index->addrs) {
        if (ca->tenant == tenant && ipv6_addr_equals(&ca->addr, addr)) {
            return ca;
        }
    }
    return NULL;
}

/* Initializes 'index' as an empty index, in which 'prefer' says which of two
 * claims is to be found. */
void
vmmob_addr_index_init(struct vmmob_addr_index *index,
                      vmmob_prefer_func *prefer)
{
    hmap_init(&index->addrs);
    ovs_list_init(&index->contested);
    index->prefer = prefer;
}

/* Frees 'index', which must be empty. */
void
vmmob_addr_index_destroy(struct vmmob_addr_index *index)
{
    ovs_assert(hmap_is_empty(&index->addrs));
    hmap_destroy(&index->addrs);
}

static bool
heap_precedes(const struct vmmob_addr_index *index,
              const struct vmmob_claim *a, const struct vmmob_claim *b)
{
    return index->prefer(a, b) > 0;
}

static void
heap_set(struct vmmob_claimed_addr *ca, size_t ofs, struct vmmob_claim *claim)
{
    ca->heap[ofs] = claim;
    claim->ofs = ofs;
}

/* Puts 'claim' into the heap of 'ca', in position 'ofs', overwriting its
 * content, or above or below that where it belongs. */
static void
heap_sift(const struct vmmob_addr_index *index, struct vmmob_claimed_addr *ca,
          size_t ofs, struct vmmob_claim *claim)
{
    while (ofs && heap_precedes(index, claim, ca->heap[(ofs - 1) / 2])) {
        heap_set(ca, ofs, ca->heap[(ofs - 1) / 2]);
        ofs = (ofs - 1) / 2;
    }
    for (;;) {
        size_t child = 2 * ofs + 1;

        if (child + 1 < ca->n
            && heap_precedes(index, ca->heap[child + 1], ca->heap[child])) {
            child++;
        }
        if (child >= ca->n
            || !heap_precedes(index, ca->heap[child], claim)) {
            break;
        }
        heap_set(ca, ofs, ca->heap[child]);
        ofs = child;
    }
    heap_set(ca, ofs, claim);
}

/* Makes 'claim', which must not be in any index, one for 'addr'. */
void
vmmob_addr_index_add(struct vmmob_addr_index *index, uint32_t tenant,
                     const struct in6_addr *addr, struct vmmob_claim *claim)
{
    struct vmmob_claimed_addr *ca = vmmob_addr_index_find(index, tenant, addr);

    if (!ca) {
        ca = xzalloc(sizeof *ca);
        ca->tenant = tenant;
        ca->addr = *addr;
        ovs_list_init(&ca->contested);
        hmap_insert(&index->addrs, &ca->node, hash_addr(tenant, addr));
    }
    if (ca->n >= ca->allocated) {
        ca->heap = x2nrealloc(ca->heap, &ca->allocated, sizeof *ca->heap);
    }
    claim->addr = ca;
    ca->n++;
    if (ca->n == 2) {
        ovs_list_push_back(&index->contested, &ca->contested);
    }
    heap_sift(index, ca, ca->n - 1, claim);
}

/* Removes 'claim' from 'index', if it is there. */
void
vmmob_addr_index_remove(struct vmmob_addr_index *index,
                        struct vmmob_claim *claim)
{
    struct vmmob_claimed_addr *ca = claim->addr;
    struct vmmob_claim *last;

    if (!ca) {
        return;
    }

    claim->addr = NULL;
    last = ca->heap[--ca->n];
    if (last != claim) {
        heap_sift(index, ca, claim->ofs, last);
    }
    if (ca->n == 1) {
        ovs_list_remove(&ca->contested);
        ovs_list_init(&ca->contested);
    }
    if (!ca->n) {
        hmap_remove(&index->addrs, &ca->node);
        free(ca->heap);
        free(ca);
    }
}
