/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_PORT_CONFIG_H
#define VMMOB_PORT_CONFIG_H 1

/* In which networks a port is, by what is configured of it: the interface's
 * external_ids:vmmob-network, and the port's tag, trunks and vlan_mode.
 *
 * Pure; not thread-safe. */

#include <stdbool.h>
#include <stdint.h>

#include "openvswitch/hmap.h"

struct port_networks;
struct vmmob_settings;

/* How a port handles VLANs, as ovs-vswitchd.conf.db(5) says. */
enum port_config_mode {
    PORT_CONFIG_ANY,            /* Nothing is said: trunk of all VLANs to the
                                 * user's flows, but none to VMs. */
    PORT_CONFIG_ACCESS,
    PORT_CONFIG_TRUNK,
    PORT_CONFIG_NATIVE_UNTAGGED,
    PORT_CONFIG_NATIVE_TAGGED,
    PORT_CONFIG_TUNNEL
};

/* What is configured of an interface. */
struct port_config {
    struct hmap_node node;      /* In a set of these, by 'name'. */
    char *name;                 /* Of the interface, owned. */
    char *network;              /* Owned; NULL if not set. */
    enum port_config_mode mode;
    uint16_t tag;               /* 0 if none. */
    unsigned long *trunks;      /* Bitmap of VLANs, owned; NULL: all. */
};

void vmmob_port_configs_destroy(struct hmap *);
void vmmob_port_configs_clear(struct hmap *);
struct port_config *vmmob_port_config_add(struct hmap *, const char *name);
const struct port_config *vmmob_port_configs_find(const struct hmap *,
                                                  const char *name);
void vmmob_port_config_set_vlans(struct port_config *, const char *vlan_mode,
                                 int64_t tag, const int64_t *trunks,
                                 size_t n_trunks);
void vmmob_port_config_get_networks(const struct port_config *,
                                    const struct vmmob_settings *,
                                    struct port_networks *);

#endif /* ofproto-vmmob/port-config.h */
