/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_POOL_H
#define VMMOB_POOL_H 1

/* The pool of mobile addresses of one OFS
 * =======================================
 *
 * Which address a VMN gets does not depend on history: the search in the pool
 * starts from a hash of the VMN and its home address.  So a VMN gets its old
 * MoA back even if everything that was known of it is lost.
 *
 * A MoA is of the family of its HoA.  Those of IPv6 are such that no checksum
 * changes where one stands for the other (RFC 6296, section 3), also in what
 * is fragmented, encrypted or quoted by an ICMP error.  So the last 16 bits of
 * a MoA follow from the others, and an IPv6 prefix must leave these free; for
 * VMNs that have the same need, it should leave 32.
 *
 * A returned address rests in quarantine before anybody else gets it, because
 * correspondents may still send to it; the VMN that returned it may have it
 * back at once.
 *
 * Pure data; times are in ms and given by the caller; not thread-safe. */

#include "vmmob-binding.h"

struct pool;

struct pool *vmmob_pool_create(void);
void vmmob_pool_destroy(struct pool *);

void vmmob_pool_configure(struct pool *, const struct vmmob_prefix *prefixes,
                          size_t n_prefixes,
                          const struct vmmob_prefix *uplinks,
                          const struct in6_addr *gateways, size_t n_uplinks);
bool vmmob_pool_contains(const struct pool *, const struct in6_addr *);

bool vmmob_pool_take(struct pool *, const struct vmmob_key *,
                     const struct in6_addr *hoa, struct in6_addr *moa);
bool vmmob_pool_take_this(struct pool *, const struct vmmob_key *,
                          const struct in6_addr *hoa,
                          const struct in6_addr *moa);
void vmmob_pool_give_back(struct pool *, const struct in6_addr *moa,
                          long long int until);
bool vmmob_pool_run(struct pool *, long long int now);
long long int vmmob_pool_next_event(const struct pool *);

size_t vmmob_pool_size(const struct pool *, enum vmmob_family);
size_t vmmob_pool_n_taken(const struct pool *, enum vmmob_family);
size_t vmmob_pool_n_quarantined(const struct pool *, enum vmmob_family);

#endif /* ofproto-vmmob/pool.h */
