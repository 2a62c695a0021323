/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_POOL_CLAIM_H
#define VMMOB_POOL_CLAIM_H 1

/* Hosts on the uplink that have an address of the pool
 * ====================================================
 *
 * The pool is for this bridge only.  Whoever else says by ARP or neighbor
 * discovery that he has an address of it takes packets away from the VMN that
 * has it as its mobile address, or will.  A mobile address that is in use is
 * defended as RFC 5227 (2.4, (c)) says: by an announcement, at most once in
 * DEFEND_INTERVAL, for ever.
 *
 * Pure; not thread-safe.  Times are in ms. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

#include "openvswitch/types.h"

/* RFC 5227, 1.1. */
#define POOL_CLAIM_DEFEND_MS (10 * 1000)

#define POOL_CLAIMS_MAX 16

struct pool_claim {
    struct in6_addr addr;
    struct eth_addr mac;        /* Who claims it. */
    long long int when;         /* Last. */
    long long int defended;     /* Last; LLONG_MIN / 2 if never. */
};

/* The latest ones, of different addresses. */
struct pool_claims {
    struct pool_claim claims[POOL_CLAIMS_MAX];
    size_t n;
};

bool vmmob_pool_claims_note(struct pool_claims *, const struct in6_addr *,
                            const struct eth_addr, bool in_use,
                            long long int now);

#endif /* ofproto-vmmob/pool-claim.h */
