/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/port-map.h"

#include <stdlib.h>
#include <string.h>

#include "util.h"

static int
compare_entries(const void *a_, const void *b_)
{
    const struct vmmob_port_map_entry *a = a_;
    const struct vmmob_port_map_entry *b = b_;

    return a->port != b->port ? a->port - b->port : a->vlan - b->vlan;
}

/* Brings the entries of 'map' into the order in which
 * vmmob_port_map_allows() looks for them. */
void
vmmob_port_map_sort(struct vmmob_port_map *map)
{
    qsort(map->entries, map->n, sizeof map->entries[0], compare_entries);
}

/* Returns true if 'a' and 'b', which may be NULL, say the same. */
bool
vmmob_port_map_equals(const struct vmmob_port_map *a,
                      const struct vmmob_port_map *b)
{
    size_t n = a ? a->n : 0;

    if (n != (b ? b->n : 0)) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (compare_entries(&a->entries[i], &b->entries[i])
            || a->entries[i].network != b->entries[i].network) {
            return false;
        }
    }
    return true;
}

/* Returns the first entry of 'map' that is not before 'key'. */
static size_t
lower_bound(const struct vmmob_port_map *map,
            const struct vmmob_port_map_entry *key)
{
    size_t low = 0, high = map->n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (compare_entries(&map->entries[mid], key) < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

/* Returns true if a frame of 'network' may leave by 'port' with the VLAN tag
 * 'vlan'.  What is not in 'map' is in network 0, and what leaves such a port
 * is the user's business: it may be a mirror. */
bool
vmmob_port_map_allows(const struct vmmob_port_map *map, uint16_t port,
                      uint16_t vlan, uint32_t network)
{
    const struct vmmob_port_map_entry native = { .port = port };
    const struct vmmob_port_map_entry key = { .port = port, .vlan = vlan };
    size_t first = lower_bound(map, &native);
    size_t i = lower_bound(map, &key);

    if (first >= map->n || map->entries[first].port != port) {
        return true;
    } else if (i < map->n && !compare_entries(&map->entries[i], &key)) {
        return map->entries[i].network == network;
    }
    /* Another VLAN, at a trunk port. */
    return (!network && !map->entries[first].vlan
            && !map->entries[first].network);
}
