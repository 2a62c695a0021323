/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOBD_PORTS_H
#define VMMOBD_PORTS_H 1

/* What the Open_vSwitch database says of interfaces
 * =================================================
 *
 * ovs-vswitchd does not read the external_ids of its interfaces.  The agent
 * does, and tells it about those that have any of
 *
 *   - attached-mac, the MAC address of the VM that is there or will be:
 *     libvirt sets it when it makes the interface, before a VM that comes runs
 *     here;
 *   - iface-id, what libvirt calls the interface;
 *   - vmmob-mac, set by hand: MAC addresses separated by white space, which
 *     take the place of attached-mac, or "any";
 *   - vmmob-address: the home addresses, or prefixes of them, that VMs there
 *     may have, separated by white space or commas.
 *
 * A wrong word in vmmob-address or vmmob-mac is left out.  If that leaves
 * nothing of vmmob-address, no home address is allowed.  If it leaves nothing
 * of vmmob-mac, that counts as not set.  So a slip of the pen never lets a VM
 * use more addresses than libvirt says. */

#include <stdbool.h>

#include "openvswitch/shash.h"
#include "sset.h"

struct ovsdb_idl;
struct svec;

/* An interface. */
struct ports_port;

struct ports {
    struct shash ports;         /* Contains "struct ports_port"s, by name. */
    struct sset changed;        /* Names of those that changed. */
    bool loaded;                /* Was the database ever read? */
    size_t n_problems;          /* Of all ports. */
};

void ports_init(struct ports *);
void ports_destroy(struct ports *);

void ports_add_columns(struct ovsdb_idl *conf);
void ports_run(struct ports *, const struct ovsdb_idl *conf);

const struct vmmob_port *ports_find(const struct ports *, const char *name);
const struct vmmob_port *ports_get(const struct shash_node *);
bool ports_is_known(const char *key);
void ports_get_problems(const struct ports *, struct svec *);

#define PORTS_FOR_EACH(NODE, PORTS) SHASH_FOR_EACH (NODE, &(PORTS)->ports)

#endif /* utilities/vmmobd-ports.h */
