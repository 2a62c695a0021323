/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "vmmobd-conf.h"

#include <stdlib.h>
#include <string.h>

#include "ovsdb-idl.h"
#include "smap.h"
#include "util.h"
#include "vmmob-problems.h"
#include "vmmobd-ports.h"
#include "vmmobd-settings.h"
#include "vswitch-idl.h"

/* How much of an unknown name is shown. */
#define MAX_SHOWN 64

static void get_unknown(const char *where, const char *column,
                        const struct smap *, bool (*is_known)(const char *),
                        const char *see, struct vmmob_problems *);
static void get_bridge_problems(const struct ovsrec_bridge *,
                                struct vmmob_problems *);

/* Makes 'conf' replicate what conf_get_problems() needs. */
void
conf_add_columns(struct ovsdb_idl *conf)
{
    const struct ovsdb_idl_column *columns[] = {
        &ovsrec_open_vswitch_col_other_config,
        &ovsrec_bridge_col_name,
        &ovsrec_bridge_col_ports,
        &ovsrec_bridge_col_other_config,
        &ovsrec_bridge_col_external_ids,
        &ovsrec_port_col_name,
        &ovsrec_port_col_interfaces,
        &ovsrec_port_col_external_ids,
        &ovsrec_interface_col_mac_in_use,
        &ovsrec_interface_col_other_config,
    };

    ovsdb_idl_add_table(conf, &ovsrec_table_bridge);
    ovsdb_idl_add_table(conf, &ovsrec_table_port);
    for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
        ovsdb_idl_add_column(conf, columns[i]);
        ovsdb_idl_omit_alert(conf, columns[i]);
    }
}

/* Adds to 'p' what is wrong in 'conf'. */
void
conf_get_problems(const struct ovsdb_idl *conf, struct vmmob_problems *p)
{
    const struct ovsrec_open_vswitch *cfg = ovsrec_open_vswitch_first(conf);
    const struct ovsrec_interface *iface;
    const struct ovsrec_bridge *br;
    const struct ovsrec_port *port;

    if (cfg) {
        get_unknown("Open_vSwitch .", "external_ids", &cfg->external_ids,
                    settings_is_known, "ovs-vmmobd(8)", p);
        get_unknown("Open_vSwitch .", "other_config", &cfg->other_config,
                    NULL, "ovs-vmmobd(8)", p);
    }
    OVSREC_BRIDGE_FOR_EACH (br, conf) {
        char *where = xasprintf("Bridge %s", br->name);

        get_unknown(where, "external_ids", &br->external_ids, NULL,
                    "vmmob(7)", p);
        free(where);
        get_bridge_problems(br, p);
    }
    OVSREC_PORT_FOR_EACH (port, conf) {
        char *where = xasprintf("Port %s", port->name);

        get_unknown(where, "external_ids", &port->external_ids, NULL,
                    "\"Interface Settings\" in vmmob(7)", p);
        free(where);
    }
    OVSREC_INTERFACE_FOR_EACH (iface, conf) {
        char *where = xasprintf("Interface %s", iface->name);

        get_unknown(where, "external_ids", &iface->external_ids,
                    ports_is_known, "\"Interface Settings\" in vmmob(7)", p);
        get_unknown(where, "other_config", &iface->other_config, NULL,
                    "\"Interface Settings\" in vmmob(7)", p);
        free(where);
    }
}

/* Adds to 'p' the settings of ours in 'map', 'column' of 'where', that have no
 * meaning there: those for which 'is_known' returns false, or all if that is
 * null.  'see' says which there are. */
static void
get_unknown(const char *where, const char *column, const struct smap *map,
            bool (*is_known)(const char *), const char *see,
            struct vmmob_problems *p)
{
    const struct smap_node *node;

    SMAP_FOR_EACH (node, map) {
        if (!strncmp(node->key, "vmmob-", 6)
            && !(is_known && is_known(node->key))) {
            char *text = xasprintf("%s: %s:%.*s is not a setting that there "
                                   "is, and is ignored", where, column,
                                   MAX_SHOWN, node->key);

            for (char *c = text; *c; c++) {
                if ((unsigned char) *c < 0x20 || *c == 0x7f) {
                    *c = '?';
                }
            }
            vmmob_problems_add(
                p, VMMOB_PROBLEM_UNKNOWN_SETTING, text,
                xasprintf("remove it with \"ovs-vsctl remove %s %s ...\", and "
                          "set the right one; see %s", where, column, see));
        }
    }
}

/* Returns the port of 'br' that is called 'name' or has an interface of that
 * name, or NULL. */
static const struct ovsrec_port *
find_port(const struct ovsrec_bridge *br, const char *name)
{
    for (size_t i = 0; i < br->n_ports; i++) {
        const struct ovsrec_port *port = br->ports[i];

        if (!strcmp(port->name, name)) {
            return port;
        }
        for (size_t j = 0; j < port->n_interfaces; j++) {
            if (!strcmp(port->interfaces[j]->name, name)) {
                return port;
            }
        }
    }
    return NULL;
}

static const char *
port_mac(const struct ovsrec_port *port)
{
    const struct ovsrec_interface *iface
        = port && port->n_interfaces ? port->interfaces[0] : NULL;

    return iface && iface->mac_in_use ? iface->mac_in_use : "";
}

/* Adds to 'p' what is wrong with how 'br' is put together, if it is configured
 * for VM mobility. */
static void
get_bridge_problems(const struct ovsrec_bridge *br, struct vmmob_problems *p)
{
    const char *name = smap_get(&br->other_config, "vmmob-uplink");
    const struct ovsrec_port *uplink = name ? find_port(br, name) : NULL;
    const char *mac = port_mac(find_port(br, br->name));

    if (!name) {
        return;
    }
    if (uplink && uplink->n_interfaces > 1) {
        vmmob_problems_add(
            p, VMMOB_PROBLEM_UPLINK_BOND,
            xasprintf("bridge %s: other_config:vmmob-uplink %s is %sbond of "
                      "Open vSwitch (port %s), and the uplink is one "
                      "interface", br->name, name,
                      strcmp(uplink->name, name) ? "a member of a " : "a ",
                      uplink->name),
            xasprintf("let Linux make the bond, and add that as an interface: "
                      "\"ovs-vsctl del-port %s -- add-port %s BOND -- set "
                      "Bridge %s other_config:vmmob-uplink=BOND\"",
                      uplink->name, br->name, br->name));
    }

    /* If the bridge has the MAC address of its uplink, that stays. */
    if (!mac[0] || smap_get(&br->other_config, "hwaddr")) {
        return;
    }
    for (size_t i = 0; i < br->n_ports; i++) {
        const struct ovsrec_port *port = br->ports[i];

        if (port != uplink && strcmp(port->name, br->name)
            && !strcmp(port_mac(port), mac)) {
            vmmob_problems_add(
                p, VMMOB_PROBLEM_BRIDGE_MAC,
                xasprintf("bridge %s has the MAC address of its port %s, so "
                          "that of all mobile addresses here changes when "
                          "this port goes", br->name, port->name),
                xasprintf("keep it with \"ovs-vsctl set Bridge %s "
                          "other_config:hwaddr=%s\", or set that of the "
                          "uplink", br->name, mac));
            break;
        }
    }
}
