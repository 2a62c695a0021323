/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOBD_ROWSET_H
#define VMMOBD_ROWSET_H 1

/* Sets of row names
 * =================
 *
 * A row's name is unique among the rows of all databases: a VMN row's is its
 * VMN and its author, an OFS row's is its datapath id.  One part of ovs-vmmobd
 * tells the next what changed by a set of names.  Each part looks up what it
 * needs to know of a row when it comes to it.  So it does not matter how often
 * a row changed meanwhile. */

#include <stdbool.h>
#include <stdint.h>

#include "openvswitch/hmap.h"
#include "vmmob-binding.h"

struct row_name {
    bool is_ofs;                /* A row of the OFS table? */
    uint64_t ofs;               /* The OFS itself, or the VMN row's author. */
    struct vmmob_key key;       /* VMN row only, otherwise all zeros. */
};

struct row_name row_name_of_vmn(const struct vmmob_key *, uint64_t ofs);
struct row_name row_name_of_ofs(uint64_t id);
uint32_t row_name_hash(const struct row_name *);
bool row_name_equals(const struct row_name *, const struct row_name *);

struct rowset {
    struct hmap nodes;          /* Contains "struct rowset_node"s. */
};

struct rowset_node {
    struct hmap_node node;      /* In 'nodes' of its rowset, by 'name'. */
    struct row_name name;
};

#define ROWSET_INITIALIZER(SET) { HMAP_INITIALIZER(&(SET)->nodes) }

void rowset_init(struct rowset *);
void rowset_destroy(struct rowset *);
void rowset_clear(struct rowset *);
bool rowset_is_empty(const struct rowset *);
bool rowset_contains(const struct rowset *, const struct row_name *);
struct rowset_node *rowset_find(const struct rowset *,
                                const struct row_name *);
bool rowset_add(struct rowset *, const struct row_name *);
void rowset_remove(struct rowset *, struct rowset_node *);

#define ROWSET_FOR_EACH(NODE, SET) HMAP_FOR_EACH (NODE, node, &(SET)->nodes)

#endif /* utilities/vmmobd-rowset.h */
