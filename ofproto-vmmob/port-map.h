/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_PORT_MAP_H
#define VMMOB_PORT_MAP_H 1

/* In which networks the ports of a bridge are, for any thread that translates
 * a packet: only those that are in others than network 0. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ovs-rcu.h"

/* Frames that leave by 'port' with the VLAN tag 'vlan', 0 if none, are those
 * of 'network'; UINT32_MAX if none may leave there. */
struct vmmob_port_map_entry {
    uint16_t port;
    uint16_t vlan;
    uint32_t network;
};

struct vmmob_port_map {
    size_t n;
    struct vmmob_port_map_entry entries[];
};

void vmmob_port_map_sort(struct vmmob_port_map *);
bool vmmob_port_map_equals(const struct vmmob_port_map *,
                           const struct vmmob_port_map *);
bool vmmob_port_map_allows(const struct vmmob_port_map *, uint16_t port,
                           uint16_t vlan, uint32_t network);

#endif /* ofproto-vmmob/port-map.h */
