/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/punt-kind.h"

/* The table of kinds.  vmmob(7) has it, too.  A router that was just started
 * asks for all MoAs at once.  Correspondents of all VMNs share the limits for
 * packets for VMNs and from unknown addresses.  All limits together are still
 * what one core can look at. */
const struct punt_kind_row vmmob_punt_kinds[PUNT_N_KINDS] = {
    [PUNT_VM] = { "vm", "packets from a VM port", 0, 0 },
    [PUNT_GATEWAY_ARP] = {
        "gateway_arp", "ARP from the gateway", 100, 100
    },
    [PUNT_POOL_ARP] = {
        "pool_arp", "ARP requests for the pool", 5000, 1024
    },
    [PUNT_POOL_CLAIM] = {
        "pool_claim", "ARP from the pool", 100, 100
    },
    [PUNT_UNREAD_ARP] = {
        "unread_arp", "ARP that cannot be read", 100, 100
    },
    [PUNT_ICMP] = {
        "icmp", "ICMP errors", 1000, 256
    },
    [PUNT_SOURCE] = {
        "source", "packets from unknown addresses", 5000, 1024
    },
    [PUNT_LOST] = {
        "lost", "packets for VMNs that are looked for", 5000, 1024
    },
    [PUNT_COPY] = {
        "copy", "packets for VMNs that are expected", 10000, 1024
    },
};
