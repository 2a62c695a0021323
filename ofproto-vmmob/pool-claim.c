/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/pool-claim.h"

#include <limits.h>

#include "packets.h"
#include "util.h"

/* Returns where 'addr' is or is to be in 'claims': in the place of the oldest
 * if there are too many. */
static struct pool_claim *
find(struct pool_claims *claims, const struct in6_addr *addr)
{
    struct pool_claim *oldest = &claims->claims[0];

    for (size_t i = 0; i < claims->n; i++) {
        struct pool_claim *claim = &claims->claims[i];

        if (ipv6_addr_equals(&claim->addr, addr)) {
            return claim;
        } else if (claim->when < oldest->when) {
            oldest = claim;
        }
    }
    if (claims->n < POOL_CLAIMS_MAX) {
        oldest = &claims->claims[claims->n++];
    }
    *oldest = (struct pool_claim) {
        .addr = *addr, .defended = LLONG_MIN / 2,
    };
    return oldest;
}

/* Notes that 'mac' says at 'now' that it has 'addr'.  Returns true if 'addr',
 * which is a VMN's mobile address if 'in_use' is true, is to be announced. */
bool
vmmob_pool_claims_note(struct pool_claims *claims, const struct in6_addr *addr,
                       const struct eth_addr mac, bool in_use,
                       long long int now)
{
    struct pool_claim *claim = find(claims, addr);

    claim->mac = mac;
    claim->when = now;
    if (!in_use || now - claim->defended < POOL_CLAIM_DEFEND_MS) {
        return false;
    }
    claim->defended = now;
    return true;
}
