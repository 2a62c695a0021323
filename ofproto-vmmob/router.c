/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/router.h"

#include "packets.h"

const struct eth_addr vmmob_gateway_mac = ETH_ADDR_C(02,56,4d,4d,4f,42);

/* Returns the link-local address of the router, fe80::56:4dff:fe4d:4f42. */
struct in6_addr
vmmob_gateway_lla(void)
{
    struct in6_addr lla;

    in6_generate_lla(vmmob_gateway_mac, &lla);
    return lla;
}
