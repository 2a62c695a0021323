/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/bridge-gone.h"

#include <stdlib.h>

#include "netdev.h"
#include "ofproto/ofproto-dpif.h"
#include "ofproto-vmmob/bridge.h"
#include "ofproto-vmmob/handover.h"
#include "util.h"

static void
gone_destroy(struct bridge_gone *gone)
{
    sset_destroy(&gone->ports);
    free(gone);
}

static void
forget(struct shash *all, const char *bridge)
{
    struct bridge_gone *gone = shash_find_and_delete(all, bridge);

    if (gone) {
        gone_destroy(gone);
    }
}

/* Notes in 'all' the VMNs that are attached to 'b', whose settings are
 * gone. */
void
vmmob_bridge_gone_note(struct shash *all, const struct vmmob_bridge *b)
{
    struct bridge_gone *gone;
    const struct vmmob_vm_port *port;

    forget(all, b->name);
    if (!b->enabled) {
        return;
    }
    gone = xzalloc(sizeof *gone);
    sset_init(&gone->ports);
    HMAP_FOR_EACH (port, node, &b->vm_ports) {
        size_t n = vmmob_handover_count_port(b->ofs, port->number);

        if (n) {
            gone->n_vmns += n;
            sset_add(&gone->ports, port->name);
        }
    }
    if (gone->n_vmns) {
        shash_add(all, b->name, gone);
    } else {
        gone_destroy(gone);
    }
}

/* Forgets what is in 'all' about 'bridge', which is 'ofproto', or null if it
 * is not there, and has settings if 'wanted' is true, if that is past. */
void
vmmob_bridge_gone_check(struct shash *all, const char *bridge,
                        const struct ofproto_dpif *ofproto, bool wanted)
{
    const struct bridge_gone *gone = shash_find_data(all, bridge);
    const struct ofport *port;

    if (!gone) {
        return;
    }
    if (!wanted && ofproto) {
        HMAP_FOR_EACH (port, hmap_node, &ofproto->up.ports) {
            if (sset_contains(&gone->ports, netdev_get_name(port->netdev))) {
                return;
            }
        }
    }
    forget(all, bridge);
}

void
vmmob_bridge_gone_destroy(struct shash *all)
{
    struct shash_node *node;

    SHASH_FOR_EACH (node, all) {
        gone_destroy(node->data);
    }
    shash_destroy(all);
}
