/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_GATEWAY_H
#define VMMOB_GATEWAY_H 1

/* The gateway of the uplink's network: its MAC address is asked for, and again
 * every now and then, unless it is configured.
 *
 * Guarded by vmmob_mutex.  Times are in ms. */

#include <stdbool.h>

#include "openvswitch/types.h"
#include "ovs-thread.h"

struct vmmob_bridge;
struct vmmob_settings;

extern struct ovs_mutex vmmob_mutex;

struct vmmob_gateway {
    struct eth_addr mac;        /* All zeros: not known. */
    long long int heard;        /* When it last answered. */
    long long int next_probe;   /* When to ask for it, or LLONG_MAX if it is
                                 * configured. */
    long long int soon_until;   /* Until when to ask often. */
};

void vmmob_gateway_configure(struct vmmob_bridge *,
                             const struct vmmob_settings *,
                             long long int now) OVS_REQUIRES(vmmob_mutex);
void vmmob_gateway_ask(struct vmmob_bridge *, long long int now)
    OVS_REQUIRES(vmmob_mutex);
bool vmmob_gateway_learn(struct vmmob_bridge *, const struct eth_addr,
                         long long int now) OVS_REQUIRES(vmmob_mutex);
void vmmob_gateway_run(struct vmmob_bridge *, long long int now)
    OVS_REQUIRES(vmmob_mutex);

#endif /* ofproto-vmmob/gateway.h */
