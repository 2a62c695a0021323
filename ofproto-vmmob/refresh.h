/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_REFRESH_H
#define VMMOB_REFRESH_H 1

/* Datapath flows that follow the rules at once
 * ============================================
 *
 * When rules about an address change, the datapath flows that name it are
 * translated anew: at once, and again a moment later, because a packet that
 * was translated before the rules changed may install its flow only after
 * that.
 *
 * Guarded by vmmob_mutex; the module's thread only.  Times are in ms. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

#include "openvswitch/list.h"
#include "ovs-thread.h"

struct vmmob_bridge;
struct vmmob;

extern struct ovs_mutex vmmob_mutex;

/* How often flows are translated again. */
#define REFRESH_N_AGAIN 3

/* Addresses whose datapath flows are to be refreshed again, by how often that
 * was done already, each list ordered by when that is due. */
struct refreshes {
    struct ovs_list lists[REFRESH_N_AGAIN]; /* Contain "struct refresh"s. */
};

void vmmob_refreshes_init(struct refreshes *);
void vmmob_refreshes_destroy(struct refreshes *);

bool vmmob_refresh_bridge(struct refreshes *, struct vmmob_bridge *,
                          struct in6_addr *, size_t n, long long int now)
    OVS_REQUIRES(vmmob_mutex);
long long int vmmob_refresh_again(struct vmmob *, long long int now)
    OVS_REQUIRES(vmmob_mutex);

#endif /* ofproto-vmmob/refresh.h */
