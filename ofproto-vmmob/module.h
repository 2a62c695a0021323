/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_MODULE_H
#define VMMOB_MODULE_H 1

/* The state of the module
 * =======================
 *
 * Everything but the queue of punted packets (punt.h) and the index of
 * datapath flows (flow-index.h), which have locks of their own. */

#include "moves.h"
#include "openvswitch/hmap.h"
#include "openvswitch/list.h"
#include "openvswitch/ofp-port.h"
#include "openvswitch/shash.h"
#include "ovs-thread.h"
#include "refresh.h"
#include "resolver.h"
#include "tail.h"

struct agent;
struct handover;
struct uuid;
struct vmmob_bridge;

struct vmmob {
    struct hmap bridges;        /* Contains "struct vmmob_bridge"s. */
    struct shash gone;          /* See bridge-gone.h. */
    struct handover *handover;
    const struct vmmob_table *table;    /* That of 'handover'. */
    struct agent *agent;
    struct resolver resolver;   /* Packets that wait until more is known. */
    struct ovs_list resumed;    /* "struct punted"s that are sent on their way
                                 * again; empty between two turns of the
                                 * thread. */
    struct tail copies;         /* For VMNs that are expected. */
    struct moves moves;
    struct refreshes refreshes;
};

/* Guards all of it. */
extern struct ovs_mutex vmmob_mutex;

struct vmmob *vmmob_get(void) OVS_REQUIRES(vmmob_mutex);
struct vmmob *vmmob_create(void) OVS_REQUIRES(vmmob_mutex);
void vmmob_destroy(void) OVS_REQUIRES(vmmob_mutex);

struct vmmob_bridge *vmmob_find_bridge(const struct vmmob *, const char *name)
    OVS_REQUIRES(vmmob_mutex);
struct vmmob_bridge *vmmob_find_bridge_by_id(const struct vmmob *,
                                             uint64_t id)
    OVS_REQUIRES(vmmob_mutex);
struct vmmob_bridge *vmmob_find_bridge_by_uuid(const struct vmmob *,
                                               const struct uuid *ofproto)
    OVS_REQUIRES(vmmob_mutex);

#endif /* ofproto-vmmob/module.h */
