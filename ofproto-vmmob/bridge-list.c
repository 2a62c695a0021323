/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/bridge-list.h"

#include <stdlib.h>
#include <string.h>

#include "flow.h"
#include "ofproto-vmmob/bridge.h"
#include "ofproto-vmmob/module.h"
#include "util.h"

static int compare_bridges(const void *, const void *);
static int compare_vm_ports(const void *, const void *);

/* Returns the bridges of 'vmmob' by name, as an array that the caller must
 * free(). */
const struct vmmob_bridge **
vmmob_sort_bridges(const struct vmmob *vmmob)
{
    const struct vmmob_bridge **sorted
        = xmalloc(hmap_count(&vmmob->bridges) * sizeof *sorted);
    const struct vmmob_bridge *b;
    size_t n = 0;

    HMAP_FOR_EACH (b, node, &vmmob->bridges) {
        sorted[n++] = b;
    }
    qsort(sorted, n, sizeof *sorted, compare_bridges);
    return sorted;
}

/* Returns the VM ports of 'b', by number, as an array that the caller must
 * free(). */
const struct vmmob_vm_port **
vmmob_sort_vm_ports(const struct vmmob_bridge *b)
{
    const struct vmmob_vm_port **ports
        = xmalloc(hmap_count(&b->vm_ports) * sizeof *ports);
    const struct vmmob_vm_port *port;
    size_t n = 0;

    HMAP_FOR_EACH (port, node, &b->vm_ports) {
        ports[n++] = port;
    }
    qsort(ports, n, sizeof *ports, compare_vm_ports);
    return ports;
}

static int
compare_bridges(const void *a_, const void *b_)
{
    const struct vmmob_bridge *const *a = a_;
    const struct vmmob_bridge *const *b = b_;

    return strcmp((*a)->name, (*b)->name);
}

static int
compare_vm_ports(const void *a_, const void *b_)
{
    const struct vmmob_vm_port *const *ap = a_;
    const struct vmmob_vm_port *const *bp = b_;
    uint32_t a = ofp_to_u16((*ap)->number);
    uint32_t b = ofp_to_u16((*bp)->number);

    return a < b ? -1 : a > b;
}
