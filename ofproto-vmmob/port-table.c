/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/port-table.h"

#include "util.h"
#include "vmmob-binding.h"
#include "vmmob-msg.h"

struct port_entry {
    struct vmmob_port row;
    bool marked;                /* Not told since "begin". */
};

static void entry_destroy(struct port_entry *);

void
vmmob_port_table_init(struct port_table *t)
{
    shash_init(&t->ports);
    sset_init(&t->changed);
}

/* Frees what 't' owns, but not 't' itself. */
void
vmmob_port_table_destroy(struct port_table *t)
{
    struct shash_node *node;

    SHASH_FOR_EACH (node, &t->ports) {
        entry_destroy(node->data);
    }
    shash_destroy(&t->ports);
    sset_destroy(&t->changed);
}

/* Marks all that is known: the whole state follows. */
void
vmmob_port_table_mark(struct port_table *t)
{
    struct shash_node *node;

    SHASH_FOR_EACH (node, &t->ports) {
        struct port_entry *entry = node->data;

        entry->marked = true;
    }
}

/* Takes in what 'update' says of ports. */
void
vmmob_port_table_update(struct port_table *t, const struct vmmob_msg *update)
{
    for (size_t i = 0; i < update->n_del_ports; i++) {
        const char *name = update->del_ports[i];
        struct port_entry *entry = shash_find_and_delete(&t->ports, name);

        if (entry) {
            sset_add(&t->changed, name);
            entry_destroy(entry);
        }
    }
    for (size_t i = 0; i < update->n_ports; i++) {
        const struct vmmob_port *row = &update->ports[i];
        struct port_entry *entry = shash_find_data(&t->ports, row->name);

        if (entry && vmmob_port_equals(&entry->row, row)) {
            entry->marked = false;
            continue;
        }
        if (entry) {
            vmmob_port_destroy(&entry->row);
        } else {
            entry = xmalloc(sizeof *entry);
            shash_add(&t->ports, row->name, entry);
        }
        vmmob_port_clone(&entry->row, row);
        entry->marked = false;
        sset_add(&t->changed, row->name);
    }
}

/* Removes what still has a mark. */
void
vmmob_port_table_sweep(struct port_table *t)
{
    struct shash_node *node;

    SHASH_FOR_EACH_SAFE (node, &t->ports) {
        struct port_entry *entry = node->data;

        if (entry->marked) {
            sset_add(&t->changed, node->name);
            entry_destroy(entry);
            shash_delete(&t->ports, node);
        }
    }
}

/* Returns what is known of the port 'name', or NULL. */
const struct vmmob_port *
vmmob_port_table_find(const struct port_table *t, const char *name)
{
    const struct port_entry *entry = shash_find_data(&t->ports, name);

    return entry ? &entry->row : NULL;
}

static void
entry_destroy(struct port_entry *entry)
{
    vmmob_port_destroy(&entry->row);
    free(entry);
}
