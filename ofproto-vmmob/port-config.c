/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/port-config.h"

#include "bitmap.h"
#include "hash.h"
#include "ofproto-vmmob/settings.h"
#include "util.h"

#define N_VLANS 4096

/* Adds to 'configs' the interface 'name', of which nothing is configured yet,
 * and returns it. */
struct port_config *
vmmob_port_config_add(struct hmap *configs, const char *name)
{
    struct port_config *pc = xzalloc(sizeof *pc);

    pc->name = xstrdup(name);
    hmap_insert(configs, &pc->node, hash_string(name, 0));
    return pc;
}

/* Returns what is configured of the interface 'name', or NULL if it is not in
 * 'configs'. */
const struct port_config *
vmmob_port_configs_find(const struct hmap *configs, const char *name)
{
    const struct port_config *pc;

    HMAP_FOR_EACH_WITH_HASH (pc, node, hash_string(name, 0), configs) {
        if (!strcmp(pc->name, name)) {
            return pc;
        }
    }
    return NULL;
}

/* Removes all from 'configs'. */
void
vmmob_port_configs_clear(struct hmap *configs)
{
    struct port_config *pc;

    HMAP_FOR_EACH_POP (pc, node, configs) {
        bitmap_free(pc->trunks);
        free(pc->network);
        free(pc->name);
        free(pc);
    }
}

void
vmmob_port_configs_destroy(struct hmap *configs)
{
    vmmob_port_configs_clear(configs);
    hmap_destroy(configs);
}

/* Notes in 'pc' what the Port says in its columns 'vlan_mode', which may be
 * NULL, 'tag', 0 if it is empty, and 'trunks'. */
void
vmmob_port_config_set_vlans(struct port_config *pc, const char *vlan_mode,
                            int64_t tag, const int64_t *trunks,
                            size_t n_trunks)
{
    pc->tag = tag > 0 && tag < N_VLANS ? tag : 0;
    pc->mode = (!vlan_mode
                ? (pc->tag ? PORT_CONFIG_ACCESS
                   : n_trunks ? PORT_CONFIG_TRUNK : PORT_CONFIG_ANY)
                : !strcmp(vlan_mode, "access") ? PORT_CONFIG_ACCESS
                : !strcmp(vlan_mode, "trunk") ? PORT_CONFIG_TRUNK
                : !strcmp(vlan_mode, "native-tagged")
                ? PORT_CONFIG_NATIVE_TAGGED
                : !strcmp(vlan_mode, "native-untagged")
                ? PORT_CONFIG_NATIVE_UNTAGGED
                : PORT_CONFIG_TUNNEL);
    if (n_trunks) {
        pc->trunks = bitmap_allocate(N_VLANS);
        for (size_t i = 0; i < n_trunks; i++) {
            if (trunks[i] >= 0 && trunks[i] < N_VLANS) {
                bitmap_set1(pc->trunks, trunks[i]);
            }
        }
    }
}

static bool
is_trunk_for(const struct port_config *pc, uint16_t vlan)
{
    return ((pc->mode == PORT_CONFIG_TRUNK
             || pc->mode == PORT_CONFIG_NATIVE_TAGGED
             || pc->mode == PORT_CONFIG_NATIVE_UNTAGGED)
            && (!pc->trunks || bitmap_is_set(pc->trunks, vlan)));
}

/* Initializes '*pn' as what the port of 'pc', which is NULL if nothing is
 * configured of it, is in, by 's'.
 *
 * A port whose VLAN is not that of a network is no VM port where there are
 * networks that are VLANs: to take it for one of network 0 would join the
 * two. */
void
vmmob_port_config_get_networks(const struct port_config *pc,
                               const struct vmmob_settings *s,
                               struct port_networks *pn)
{
    const struct network *native = &s->networks[0];
    bool tagged = false;

    if (pc && pc->network) {
        native = vmmob_settings_find_network_by_name(s, pc->network);
        if (!native) {
            vmmob_port_networks_init(pn, PORT_NETWORKS_CLOSED);
            return;
        }
    } else if (pc && pc->tag && pc->mode != PORT_CONFIG_TRUNK) {
        const struct network *net
            = vmmob_settings_find_network_by_vlan(s, pc->tag);

        if (!net && vmmob_settings_has_vlans(s)) {
            vmmob_port_networks_init(pn, PORT_NETWORKS_PLAIN);
            return;
        }
        native = net ? net : native;
        tagged = net && pc->mode == PORT_CONFIG_NATIVE_TAGGED;
    }

    vmmob_port_networks_init(pn, PORT_NETWORKS_VM);
    vmmob_port_networks_add(pn, native->id, tagged ? pc->tag : 0);
    for (size_t i = 1; pc && i < s->n_networks; i++) {
        const struct network *net = &s->networks[i];

        if (net->vlan && net != native && is_trunk_for(pc, net->vlan)) {
            vmmob_port_networks_add(pn, net->id, net->vlan);
        }
    }
}
