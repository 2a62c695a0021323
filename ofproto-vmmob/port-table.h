/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_PORT_TABLE_H
#define VMMOB_PORT_TABLE_H 1

/* Keeps what the agent says of this switch's ports, by their names: see struct
 * vmmob_port.  It does not know whether a port is there, nor its number.
 *
 * Pure; not thread-safe. */

#include <stdbool.h>

#include "openvswitch/shash.h"
#include "sset.h"

struct vmmob_msg;
struct vmmob_port;

struct port_table {
    struct shash ports;         /* Contains "struct port_entry"s. */
    struct sset changed;        /* Names; for the user to take. */
};

void vmmob_port_table_init(struct port_table *);
void vmmob_port_table_destroy(struct port_table *);

void vmmob_port_table_mark(struct port_table *);
void vmmob_port_table_update(struct port_table *, const struct vmmob_msg *);
void vmmob_port_table_sweep(struct port_table *);

const struct vmmob_port *vmmob_port_table_find(const struct port_table *,
                                               const char *name);

#endif /* ofproto-vmmob/port-table.h */
