/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_BRIDGE_LIST_H
#define VMMOB_BRIDGE_LIST_H 1

/* The bridges and their VM ports, in the order in which they are shown. */

struct vmmob;
struct vmmob_bridge;
struct vmmob_vm_port;

const struct vmmob_bridge **vmmob_sort_bridges(const struct vmmob *);
const struct vmmob_vm_port **vmmob_sort_vm_ports(const struct vmmob_bridge *);

#endif /* ofproto-vmmob/bridge-list.h */
