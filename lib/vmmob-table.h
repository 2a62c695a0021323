/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_TABLE_H
#define VMMOB_TABLE_H 1

/* The VMN table and the OFS table
 * ===============================
 *
 * Holds the rows of all authors and merges them.  What is known of a VMN is
 * the union of the rows for its key.  The one in force (its "binding") is the
 * greatest by vmmob_vmn_compare().  So the outcome depends only on which rows
 * there are, not on the order in which they came.  There are no tombstones: a
 * row is there or it is not ("One author for each row" in
 * Documentation/design.rst).
 *
 * Pure data, like lib/vmmob-binding.h; not thread-safe. */

#include "hindex.h"
#include "openvswitch/hmap.h"
#include "openvswitch/list.h"
#include "vmmob-binding.h"

struct vmmob_table;

/* The rows of one VMN, in the table.  Read-only to the users of the table. */
struct vmmob_entry {
    struct hmap_node node;      /* In the table, by 'key'. */
    struct vmmob_key key;
    struct ovs_list rows;       /* "struct vmmob_row"s, at least one, the one
                                 * in force first. */
};

struct vmmob_row {
    struct ovs_list node;       /* In 'rows' of its vmmob_entry. */
    struct hindex_node ofs_node;    /* In the table, by 'vmn.ofs'. */
    struct vmmob_vmn vmn;
    bool marked;                /* See vmmob_table_mark(). */
};

/* An OFS in the table. */
struct vmmob_ofs_entry {
    struct hmap_node node;      /* In the table, by 'ofs.id'. */
    struct vmmob_ofs ofs;
    bool marked;                /* See vmmob_table_mark(). */
};

struct vmmob_table *vmmob_table_create(void);
void vmmob_table_destroy(struct vmmob_table *);

/* Changes.  All return true if the table is different now.  'vmn' and 'ofs'
 * are copied and must be valid. */
bool vmmob_table_put_vmn(struct vmmob_table *, const struct vmmob_vmn *);
bool vmmob_table_remove_vmn(struct vmmob_table *, const struct vmmob_key *,
                            uint64_t ofs);
bool vmmob_table_put_ofs(struct vmmob_table *, const struct vmmob_ofs *);
bool vmmob_table_remove_ofs(struct vmmob_table *, uint64_t id);

/* Which of several VMNs gets an address: see vmmob_table_find_by_hoa().  None
 * of these changes which rows there are. */
void vmmob_table_set_own(struct vmmob_table *, uint64_t ofs, bool own);
void vmmob_table_tick(struct vmmob_table *);

/* A home address that several VMNs claim. */
struct vmmob_contest {
    struct in6_addr hoa;
    const struct vmmob_vmn *owner;      /* The row that a look-up returns. */
    const struct vmmob_vmn *claimant;   /* One of the others. */
};
const struct vmmob_vmn *vmmob_table_find_rival(const struct vmmob_table *,
                                               const struct vmmob_key *,
                                               const struct in6_addr *hoa);
size_t vmmob_table_get_contests(const struct vmmob_table *,
                                struct vmmob_contest *, size_t max);

/* Look-ups.  The pointers returned are valid until the table's next change. */
const struct vmmob_entry *vmmob_table_find(const struct vmmob_table *,
                                           const struct vmmob_key *);
const struct vmmob_vmn *vmmob_table_find_binding(const struct vmmob_table *,
                                                 const struct vmmob_key *);
const struct vmmob_vmn *vmmob_table_find_row(const struct vmmob_table *,
                                             const struct vmmob_key *,
                                             uint64_t ofs);
const struct vmmob_vmn *vmmob_table_find_by_hoa(const struct vmmob_table *,
                                                uint32_t tenant,
                                                const struct in6_addr *hoa);
const struct vmmob_vmn *vmmob_table_find_by_moa(const struct vmmob_table *,
                                                const struct in6_addr *moa);
const struct vmmob_ofs *vmmob_table_find_ofs(const struct vmmob_table *,
                                             uint64_t id);

/* For replacing what one source said by what it says now: mark everything,
 * put the new rows (vmmob_table_put_*() clear the mark, also where nothing
 * changes), then look at what is still marked. */
void vmmob_table_mark(struct vmmob_table *);

size_t vmmob_table_n_vmns(const struct vmmob_table *);
size_t vmmob_table_n_ofss(const struct vmmob_table *);

/* For iteration, in no particular order. */
const struct hmap *vmmob_table_entries(const struct vmmob_table *);
const struct hmap *vmmob_table_ofs_entries(const struct vmmob_table *);
const struct hindex *vmmob_table_rows_by_ofs(const struct vmmob_table *);

static inline const struct vmmob_vmn *
vmmob_entry_binding(const struct vmmob_entry *entry)
{
    return &CONTAINER_OF(ovs_list_front(&entry->rows), struct vmmob_row,
                         node)->vmn;
}

#endif /* lib/vmmob-table.h */
