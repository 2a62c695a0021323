/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_ROUTER_H
#define VMMOB_ROUTER_H 1

/* The router that a VMN at any OFS sees: the same everywhere, so that the
 * VMN's ARP cache, neighbor cache and default route stay right when it
 * moves.
 *
 * Pure; any thread. */

#include <netinet/in.h>

#include "openvswitch/types.h"

/* Locally administered. */
extern const struct eth_addr vmmob_gateway_mac;

struct in6_addr vmmob_gateway_lla(void);

#endif /* ofproto-vmmob/router.h */
