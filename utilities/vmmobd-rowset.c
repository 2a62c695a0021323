/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "vmmobd-rowset.h"

#include <stdlib.h>

#include "util.h"
#include "vmmob-hash.h"


/* Returns the name of the row for 'key' that 'ofs' wrote. */
struct row_name
row_name_of_vmn(const struct vmmob_key *key, uint64_t ofs)
{
    return (struct row_name) { .is_ofs = false, .ofs = ofs, .key = *key };
}

/* Returns the name of the row of the OFS with datapath id 'id'. */
struct row_name
row_name_of_ofs(uint64_t id)
{
    return (struct row_name) { .is_ofs = true, .ofs = id };
}

uint32_t
row_name_hash(const struct row_name *name)
{
    return vmmob_key_hash(&name->key, vmmob_hash_uint64(name->ofs,
                                                        name->is_ofs));
}

bool
row_name_equals(const struct row_name *a, const struct row_name *b)
{
    return (a->is_ofs == b->is_ofs
            && a->ofs == b->ofs
            && vmmob_key_equals(&a->key, &b->key));
}

void
rowset_init(struct rowset *set)
{
    hmap_init(&set->nodes);
}

/* Frees what 'set' owns, but not 'set' itself. */
void
rowset_destroy(struct rowset *set)
{
    if (set) {
        rowset_clear(set);
        hmap_destroy(&set->nodes);
    }
}

void
rowset_clear(struct rowset *set)
{
    struct rowset_node *node;

    HMAP_FOR_EACH_SAFE (node, node, &set->nodes) {
        rowset_remove(set, node);
    }
}

bool
rowset_is_empty(const struct rowset *set)
{
    return hmap_is_empty(&set->nodes);
}

bool
rowset_contains(const struct rowset *set, const struct row_name *name)
{
    return rowset_find(set, name) != NULL;
}

/* Adds 'name' to 'set'.  Returns true if it was not there. */
bool
rowset_add(struct rowset *set, const struct row_name *name)
{
    struct rowset_node *node;

    if (rowset_find(set, name)) {
        return false;
    }
    node = xmalloc(sizeof *node);
    node->name = *name;
    hmap_insert(&set->nodes, &node->node, row_name_hash(name));
    return true;
}

/* Removes 'node', which must be in 'set', and frees it. */
void
rowset_remove(struct rowset *set, struct rowset_node *node)
{
    if (node) {
        hmap_remove(&set->nodes, &node->node);
        free(node);
    }
}

/* Returns the node of 'name' in 'set', or NULL if it is not there. */
struct rowset_node *
rowset_find(const struct rowset *set, const struct row_name *name)
{
    struct rowset_node *node;

    HMAP_FOR_EACH_WITH_HASH (node, node, row_name_hash(name), &set->nodes) {
        if (row_name_equals(&node->name, name)) {
            return node;
        }
    }
    return NULL;
}
