/* SPDX-License-Identifier: Apache-2.0 */

/* The table is three things: the entries with their rows, sorted by
 * vmmob_vmn_compare() and indexed by OFS; the OFSs; and two indexes by
 * address, see vmmob-addr-index.h. */

#include <config.h>

#include "vmmob-table.h"

#include <stdlib.h>

#include "packets.h"
#include "util.h"
#include "vmmob-addr-index.h"
#include "vmmob-hash.h"

/* A row as the table keeps it. */
struct table_row {
    struct vmmob_row up;
    struct vmmob_entry *entry;  /* The entry that it is in. */
    bool own;                   /* See vmmob_table_set_own(). */

    /* Two for each of 'up.vmn.pairs': for its HoA, for its MoA. */
    struct claim *claims;
};

/* Says that 'row' lists an address. */
struct claim {
    struct vmmob_claim up;      /* In 'hoas' or 'moas' of the table, if the row
                                 * claims the address now. */
    struct table_row *row;
    uint64_t since;             /* Since which tick the VMN claims the HoA, or
                                 * the row lists the MoA. */
};

/* Since when a VMN claims its home addresses. */
struct hoa_claims {
    size_t n;
    struct in6_addr hoas[VMMOB_MAX_PAIRS];
    uint64_t since[VMMOB_MAX_PAIRS];
};

struct vmmob_table {
    struct hmap entries;        /* Contains "struct vmmob_entry"s. */
    struct hmap ofss;           /* Contains "struct vmmob_ofs_entry"s. */
    struct hindex rows_by_ofs;  /* Contains "struct vmmob_row"s, all. */
    struct vmmob_addr_index hoas;   /* Only of rows in force. */
    struct vmmob_addr_index moas;   /* Of all rows; the tenant is 0. */
    uint64_t now;               /* Counts ticks. */
    uint64_t *own;              /* Ids of own OFSs, which are few. */
    size_t n_own;
};

static struct vmmob_entry *find_entry(const struct vmmob_table *,
                                      const struct vmmob_key *);
static struct table_row *find_row(const struct vmmob_entry *, uint64_t ofs);
static struct vmmob_ofs_entry *find_ofs_entry(const struct vmmob_table *,
                                              uint64_t id);
static struct table_row *create_row(struct vmmob_table *, struct vmmob_entry *,
                                    const struct vmmob_vmn *);
static void copy_moa_claims(struct table_row *, const struct table_row *old);
static void remove_row(struct vmmob_table *, struct table_row *);
static void remove_ofs_entry(struct vmmob_table *, struct vmmob_ofs_entry *);
static bool row_is_in_force(const struct table_row *);
static struct table_row *row_cast(const struct vmmob_row *);

static void claim_entry(struct vmmob_table *, struct vmmob_entry *,
                        const struct hoa_claims *old);
static void unclaim_entry(struct vmmob_table *, struct vmmob_entry *,
                          struct hoa_claims *);
static vmmob_prefer_func prefer_for_hoa;
static vmmob_prefer_func prefer_for_moa;
static const struct vmmob_vmn *find_by_addr(const struct vmmob_addr_index *,
                                            uint32_t tenant,
                                            const struct in6_addr *);
static const struct claim *claim_cast(const struct vmmob_claim *);

/* Creates and returns an empty table, which the caller must eventually destroy
 * with vmmob_table_destroy(). */
struct vmmob_table *
vmmob_table_create(void)
{
    struct vmmob_table *table = xzalloc(sizeof *table);

    hmap_init(&table->entries);
    hmap_init(&table->ofss);
    hindex_init(&table->rows_by_ofs);
    vmmob_addr_index_init(&table->hoas, prefer_for_hoa);
    vmmob_addr_index_init(&table->moas, prefer_for_moa);
    return table;
}

/* Destroys 'table' and all its rows. */
void
vmmob_table_destroy(struct vmmob_table *table)
{
    if (table) {
        struct vmmob_ofs_entry *ofs_entry;
        struct vmmob_entry *entry;

        HMAP_FOR_EACH_SAFE (entry, node, &table->entries) {
            struct vmmob_row *row;

            struct hoa_claims claims;

            unclaim_entry(table, entry, &claims);
            LIST_FOR_EACH_SAFE (row, node, &entry->rows) {
                remove_row(table, row_cast(row));
            }
            hmap_remove(&table->entries, &entry->node);
            free(entry);
        }
        hmap_destroy(&table->entries);

        HMAP_FOR_EACH_SAFE (ofs_entry, node, &table->ofss) {
            remove_ofs_entry(table, ofs_entry);
        }
        hmap_destroy(&table->ofss);
        hindex_destroy(&table->rows_by_ofs);

        vmmob_addr_index_destroy(&table->hoas);
        vmmob_addr_index_destroy(&table->moas);
        free(table->own);
        free(table);
    }
}

/* Adds a copy of 'vmn' to 'table'.  It takes the place of the row with the
 * same key and OFS, if there is one, whatever the sequence numbers: only its
 * author writes a row, so what the author said last is right.  'vmn' must be
 * valid by vmmob_vmn_validate().  The row is not marked any more.  Returns
 * true if 'table' changed. */
bool
vmmob_table_put_vmn(struct vmmob_table *table, const struct vmmob_vmn *vmn)
{
    struct vmmob_entry *entry = find_entry(table, &vmn->key);
    struct table_row *row = entry ? find_row(entry, vmn->ofs) : NULL;
    struct hoa_claims claims = { .n = 0 };
    struct table_row *new_row;

    if (row) {
        row->up.marked = false;
        if (vmmob_vmn_equals(&row->up.vmn, vmn)) {
            return false;
        }
    }

    if (entry) {
        unclaim_entry(table, entry, &claims);
    } else {
        entry = xmalloc(sizeof *entry);
        entry->key = vmn->key;
        ovs_list_init(&entry->rows);
        hmap_insert(&table->entries, &entry->node,
                    vmmob_key_hash(&entry->key, 0));
    }
    /* In this order because 'vmn' may share memory with 'row'. */
    new_row = create_row(table, entry, vmn);
    if (row) {
        copy_moa_claims(new_row, row);
        remove_row(table, row);
    }
    claim_entry(table, entry, &claims);
    return true;
}

/* Removes from 'table' the row with the given 'key' and 'ofs'.  Returns true
 * if 'table' changed, false if there was no such row. */
bool
vmmob_table_remove_vmn(struct vmmob_table *table, const struct vmmob_key *key,
                       uint64_t ofs)
{
    struct vmmob_entry *entry = find_entry(table, key);
    struct table_row *row = entry ? find_row(entry, ofs) : NULL;
    struct hoa_claims claims;

    if (!row) {
        return false;
    }

    unclaim_entry(table, entry, &claims);
    remove_row(table, row);
    if (ovs_list_is_empty(&entry->rows)) {
        hmap_remove(&table->entries, &entry->node);
        free(entry);
    } else {
        claim_entry(table, entry, &claims);
    }
    return true;
}

/* Adds a copy of 'ofs' to 'table', in place of the row with the same id if
 * there is one.  'ofs' must be valid by vmmob_ofs_validate() and must not
 * point into 'table'.  The row is not marked any more.  Returns true if
 * 'table' changed. */
bool
vmmob_table_put_ofs(struct vmmob_table *table, const struct vmmob_ofs *ofs)
{
    struct vmmob_ofs_entry *entry = find_ofs_entry(table, ofs->id);
    struct vmmob_ofs copy;

    if (entry) {
        entry->marked = false;
        if (vmmob_ofs_equals(&entry->ofs, ofs)) {
            return false;
        }
        vmmob_ofs_clone(&copy, ofs);
        vmmob_ofs_destroy(&entry->ofs);
    } else {
        vmmob_ofs_clone(&copy, ofs);
        entry = xzalloc(sizeof *entry);
        hmap_insert(&table->ofss, &entry->node,
                    vmmob_hash_uint64(ofs->id, 0));
    }
    entry->ofs = copy;
    return true;
}

/* Removes the OFS with the given 'id' from 'table', and nothing else: rows of
 * VMNs that it wrote are rows of their own.  Returns true if 'table' changed,
 * false if there was no such OFS. */
bool
vmmob_table_remove_ofs(struct vmmob_table *table, uint64_t id)
{
    struct vmmob_ofs_entry *entry = find_ofs_entry(table, id);

    if (!entry) {
        return false;
    }
    remove_ofs_entry(table, entry);
    return true;
}

/* Sets whether VMNs of 'ofs' keep their home addresses whatever others claim.
 * That counts for rows that are put afterwards. */
void
vmmob_table_set_own(struct vmmob_table *table, uint64_t ofs, bool own)
{
    size_t i = 0;

    while (i < table->n_own && table->own[i] != ofs) {
        i++;
    }
    if (own && i >= table->n_own) {
        table->own = xrealloc(table->own,
                              (table->n_own + 1) * sizeof *table->own);
        table->own[table->n_own++] = ofs;
    } else if (!own && i < table->n_own) {
        table->own[i] = table->own[--table->n_own];
    }
}

/* Makes rows that are put into 'table' from now on later than those that are
 * there.  All rows put between two calls count as put at one time. */
void
vmmob_table_tick(struct vmmob_table *table)
{
    table->now++;
}

/* Stores up to 'max' of the home addresses that several VMNs claim in
 * 'contests', in no particular order, and returns how many there are. */
size_t
vmmob_table_get_contests(const struct vmmob_table *table,
                         struct vmmob_contest *contests, size_t max)
{
    const struct vmmob_claimed_addr *ca;
    size_t n = 0;

    LIST_FOR_EACH (ca, contested, &table->hoas.contested) {
        if (n < max) {
            contests[n] = (struct vmmob_contest) {
                .hoa = ca->addr,
                .owner = &claim_cast(ca->heap[0])->row->up.vmn,
                .claimant = &claim_cast(ca->heap[1])->row->up.vmn,
            };
        }
        n++;
    }
    return n;
}

/* Returns the row in force of a VMN other than 'key', of the same tenant, that
 * claims 'hoa'.  Of several, returns the one that a look-up would return if
 * 'key' did not claim it.  Returns NULL if there is none. */
const struct vmmob_vmn *
vmmob_table_find_rival(const struct vmmob_table *table,
                       const struct vmmob_key *key,
                       const struct in6_addr *hoa)
{
    const struct vmmob_claimed_addr *ca
        = vmmob_addr_index_find(&table->hoas, key->tenant, hoa);
    const struct claim *rival = NULL;

    /* A VMN has one claim at most, so it is one of the first three. */
    for (size_t i = 0; ca && i < MIN(ca->n, 3); i++) {
        const struct claim *claim = claim_cast(ca->heap[i]);

        if (!vmmob_key_equals(&claim->row->entry->key, key)
            && (!rival || prefer_for_hoa(&claim->up, &rival->up) > 0)) {
            rival = claim;
        }
    }
    return rival ? &rival->row->up.vmn : NULL;
}

/* Returns all that 'table' knows of 'key', or NULL if that is nothing. */
const struct vmmob_entry *
vmmob_table_find(const struct vmmob_table *table, const struct vmmob_key *key)
{
    return find_entry(table, key);
}

/* Returns the row in force for 'key' in 'table', or NULL if there is no row
 * for it. */
const struct vmmob_vmn *
vmmob_table_find_binding(const struct vmmob_table *table,
                         const struct vmmob_key *key)
{
    const struct vmmob_entry *entry = find_entry(table, key);

    return entry ? vmmob_entry_binding(entry) : NULL;
}

/* Returns the row for 'key' that 'ofs' wrote, in force or not, or NULL if
 * there is none in 'table'. */
const struct vmmob_vmn *
vmmob_table_find_row(const struct vmmob_table *table,
                     const struct vmmob_key *key, uint64_t ofs)
{
    const struct vmmob_entry *entry = find_entry(table, key);
    const struct table_row *row = entry ? find_row(entry, ofs) : NULL;

    return row ? &row->up.vmn : NULL;
}

/* Returns the row in force that lists 'hoa' as a home address of a VMN of
 * 'tenant', or NULL if there is none in 'table'.
 *
 * If several VMNs claim 'hoa', the first of these decides that tells them
 * apart: it is at an own OFS and does not only claim it (see struct
 * vmmob_pair); it has a mobile address for it; it has claimed it for longest,
 * wherever it was meanwhile; it has the lowest key. */
const struct vmmob_vmn *
vmmob_table_find_by_hoa(const struct vmmob_table *table, uint32_t tenant,
                        const struct in6_addr *hoa)
{
    return find_by_addr(&table->hoas, tenant, hoa);
}

/* Returns the row that lists 'moa' as a mobile address, or NULL if there is
 * none in 'table' or if 'moa' is unspecified.  Rows that are not in force
 * count as well, because packets from the address that a VMN had before it
 * moved may still be under way.
 *
 * If several rows list 'moa', the first of these decides that tells them
 * apart: it is of an own OFS; it is in force; it has listed it for longest; it
 * is the greatest by vmmob_vmn_compare(); it has the lowest key. */
const struct vmmob_vmn *
vmmob_table_find_by_moa(const struct vmmob_table *table,
                        const struct in6_addr *moa)
{
    return find_by_addr(&table->moas, 0, moa);
}

/* Returns the OFS with the given 'id', or NULL if it is not in 'table'. */
const struct vmmob_ofs *
vmmob_table_find_ofs(const struct vmmob_table *table, uint64_t id)
{
    const struct vmmob_ofs_entry *entry = find_ofs_entry(table, id);

    return entry ? &entry->ofs : NULL;
}

/* Marks every row and every OFS in 'table'. */
void
vmmob_table_mark(struct vmmob_table *table)
{
    struct vmmob_ofs_entry *ofs_entry;
    struct vmmob_entry *entry;

    HMAP_FOR_EACH (entry, node, &table->entries) {
        struct vmmob_row *row;

        LIST_FOR_EACH (row, node, &entry->rows) {
            row->marked = true;
        }
    }
    HMAP_FOR_EACH (ofs_entry, node, &table->ofss) {
        ofs_entry->marked = true;
    }
}

/* Returns the number of VMNs in 'table'.  (There may be more rows.) */
size_t
vmmob_table_n_vmns(const struct vmmob_table *table)
{
    return hmap_count(&table->entries);
}

/* Returns the number of OFSs in 'table'. */
size_t
vmmob_table_n_ofss(const struct vmmob_table *table)
{
    return hmap_count(&table->ofss);
}

/* Returns the "struct vmmob_entry"s of 'table', for use with
 * HMAP_FOR_EACH. */
const struct hmap *
vmmob_table_entries(const struct vmmob_table *table)
{
    return &table->entries;
}

/* Returns the "struct vmmob_ofs_entry"s of 'table', for use with
 * HMAP_FOR_EACH. */
const struct hmap *
vmmob_table_ofs_entries(const struct vmmob_table *table)
{
    return &table->ofss;
}

/* Returns the "struct vmmob_row"s of 'table', by vmmob_hash_uint64() of the
 * OFS that wrote them, for use with HINDEX_FOR_EACH_WITH_HASH. */
const struct hindex *
vmmob_table_rows_by_ofs(const struct vmmob_table *table)
{
    return &table->rows_by_ofs;
}

/* Entries and rows. */

static struct vmmob_entry *
find_entry(const struct vmmob_table *table, const struct vmmob_key *key)
{
    struct vmmob_entry *entry;

    HMAP_FOR_EACH_WITH_HASH (entry, node, vmmob_key_hash(key, 0),
                             &table->entries) {
        if (vmmob_key_equals(&entry->key, key)) {
            return entry;
        }
    }
    return NULL;
}

static struct table_row *
find_row(const struct vmmob_entry *entry, uint64_t ofs)
{
    struct vmmob_row *row;

    LIST_FOR_EACH (row, node, &entry->rows) {
        if (row->vmn.ofs == ofs) {
            return row_cast(row);
        }
    }
    return NULL;
}

static struct vmmob_ofs_entry *
find_ofs_entry(const struct vmmob_table *table, uint64_t id)
{
    struct vmmob_ofs_entry *entry;

    HMAP_FOR_EACH_WITH_HASH (entry, node, vmmob_hash_uint64(id, 0),
                             &table->ofss) {
        if (entry->ofs.id == id) {
            return entry;
        }
    }
    return NULL;
}

/* Adds a copy of 'vmn' to 'entry', in its place by vmmob_vmn_compare().
 * The new row has no claims yet. */
static struct table_row *
create_row(struct vmmob_table *table, struct vmmob_entry *entry,
           const struct vmmob_vmn *vmn)
{
    struct table_row *row = xzalloc(sizeof *row);
    struct ovs_list *before;

    vmmob_vmn_clone(&row->up.vmn, vmn);
    row->entry = entry;
    row->claims = xcalloc(2 * vmn->n_pairs, sizeof *row->claims);
    for (size_t i = 0; i < 2 * vmn->n_pairs; i++) {
        row->claims[i].row = row;
        row->claims[i].since = table->now;
    }
    for (size_t i = 0; i < table->n_own; i++) {
        row->own = row->own || table->own[i] == vmn->ofs;
    }

    for (before = entry->rows.next; before != &entry->rows;
         before = before->next) {
        const struct vmmob_row *next
            = CONTAINER_OF(before, struct vmmob_row, node);

        if (vmmob_vmn_compare(&row->up.vmn, &next->vmn) > 0) {
            break;
        }
    }
    ovs_list_insert(before, &row->up.node);
    hindex_insert(&table->rows_by_ofs, &row->up.ofs_node,
                  vmmob_hash_uint64(vmn->ofs, 0));
    return row;
}

/* Makes 'row', which is to replace 'old', list its MoAs for as long as 'old'
 * did. */
static void
copy_moa_claims(struct table_row *row, const struct table_row *old)
{
    for (size_t i = 0; i < row->up.vmn.n_pairs; i++) {
        for (size_t j = 0; j < old->up.vmn.n_pairs; j++) {
            if (ipv6_addr_equals(&row->up.vmn.pairs[i].moa,
                                 &old->up.vmn.pairs[j].moa)) {
                row->claims[2 * i + 1].since = old->claims[2 * j + 1].since;
            }
        }
    }
}

/* Removes 'row', which must not have claims, from its entry and frees it. */
static void
remove_row(struct vmmob_table *table, struct table_row *row)
{
    hindex_remove(&table->rows_by_ofs, &row->up.ofs_node);
    ovs_list_remove(&row->up.node);
    vmmob_vmn_destroy(&row->up.vmn);
    free(row->claims);
    free(row);
}

static void
remove_ofs_entry(struct vmmob_table *table, struct vmmob_ofs_entry *entry)
{
    hmap_remove(&table->ofss, &entry->node);
    vmmob_ofs_destroy(&entry->ofs);
    free(entry);
}

static bool
row_is_in_force(const struct table_row *row)
{
    return ovs_list_front(&row->entry->rows) == &row->up.node;
}

static struct table_row *
row_cast(const struct vmmob_row *row)
{
    return CONTAINER_OF(row, struct table_row, up);
}


/* Claims. */

/* Makes the rows of 'entry' claim their addresses.  Whenever the rows change,
 * unclaim_entry() must be called before and this again after: the indexes
 * depend on which row is in force.  'old' says since when the VMN claims the
 * home addresses that it claimed before. */
static void
claim_entry(struct vmmob_table *table, struct vmmob_entry *entry,
            const struct hoa_claims *old)
{
    struct vmmob_row *row_;

    LIST_FOR_EACH (row_, node, &entry->rows) {
        struct table_row *row = row_cast(row_);

        for (size_t i = 0; i < row->up.vmn.n_pairs; i++) {
            const struct vmmob_pair *pair = &row->up.vmn.pairs[i];

            if (row_is_in_force(row)) {
                row->claims[2 * i].since = table->now;
                for (size_t j = 0; j < old->n; j++) {
                    if (ipv6_addr_equals(&pair->hoa, &old->hoas[j])) {
                        row->claims[2 * i].since = old->since[j];
                    }
                }
                vmmob_addr_index_add(&table->hoas, entry->key.tenant,
                                     &pair->hoa, &row->claims[2 * i].up);
            }
            if (ipv6_addr_is_set(&pair->moa)) {
                vmmob_addr_index_add(&table->moas, 0, &pair->moa,
                                     &row->claims[2 * i + 1].up);
            }
        }
    }
}

/* Undoes claim_entry().  Must be called before the rows change.  Stores in
 * 'claims' what claim_entry() needs to do it again. */
static void
unclaim_entry(struct vmmob_table *table, struct vmmob_entry *entry,
              struct hoa_claims *claims)
{
    struct vmmob_row *row_;

    claims->n = 0;
    LIST_FOR_EACH (row_, node, &entry->rows) {
        struct table_row *row = row_cast(row_);

        for (size_t i = 0; i < row->up.vmn.n_pairs; i++) {
            if (row_is_in_force(row)) {
                claims->hoas[claims->n] = row->up.vmn.pairs[i].hoa;
                claims->since[claims->n++] = row->claims[2 * i].since;
            }
            vmmob_addr_index_remove(&table->hoas, &row->claims[2 * i].up);
            vmmob_addr_index_remove(&table->moas, &row->claims[2 * i + 1].up);
        }
    }
}

/* Returns true if the VMN of 'row' is at an own OFS, and not just expected
 * there. */
static bool
is_own(const struct table_row *row)
{
    return row->own && row->up.vmn.state == VMMOB_ACTIVE;
}

/* Returns a positive value if 'a' is older, a negative value if 'b' is. */
static int
compare_age(const struct claim *a, const struct claim *b)
{
    return (a->since < b->since) - (a->since > b->since);
}

static int
compare_keys(const struct claim *a, const struct claim *b)
{
    return vmmob_key_compare(&b->row->entry->key, &a->row->entry->key);
}

/* Returns the pair that the claim 'c' to a HoA is from. */
static const struct vmmob_pair *
claim_get_pair(const struct claim *c)
{
    return &c->row->up.vmn.pairs[(c - c->row->claims) / 2];
}

/* See vmmob_table_find_by_hoa(). */
static int
prefer_for_hoa(const struct vmmob_claim *a_, const struct vmmob_claim *b_)
{
    const struct claim *a = claim_cast(a_);
    const struct claim *b = claim_cast(b_);
    const struct vmmob_pair *pa = claim_get_pair(a);
    const struct vmmob_pair *pb = claim_get_pair(b);
    int cmp = ((is_own(a->row) && !pa->claimed)
               - (is_own(b->row) && !pb->claimed));

    if (!cmp) {
        cmp = pb->claimed - pa->claimed;
    }
    if (!cmp) {
        cmp = ipv6_addr_is_set(&pa->moa) - ipv6_addr_is_set(&pb->moa);
    }
    if (!cmp) {
        cmp = compare_age(a, b);
    }
    return cmp ? cmp : compare_keys(a, b);
}

/* See vmmob_table_find_by_moa(). */
static int
prefer_for_moa(const struct vmmob_claim *a_, const struct vmmob_claim *b_)
{
    const struct claim *a = claim_cast(a_);
    const struct claim *b = claim_cast(b_);
    int cmp = a->row->own - b->row->own;

    if (!cmp) {
        cmp = row_is_in_force(a->row) - row_is_in_force(b->row);
    }
    if (!cmp) {
        cmp = compare_age(a, b);
    }
    if (!cmp) {
        cmp = vmmob_vmn_compare(&a->row->up.vmn, &b->row->up.vmn);
    }
    return cmp ? cmp : compare_keys(a, b);
}

/* Returns the row with the preferred claim to 'addr', or NULL. */
static const struct vmmob_vmn *
find_by_addr(const struct vmmob_addr_index *index, uint32_t tenant,
             const struct in6_addr *addr)
{
    const struct vmmob_claimed_addr *ca = vmmob_addr_index_find(index, tenant,
                                                                addr);

    return ca ? &claim_cast(ca->heap[0])->row->up.vmn : NULL;
}

static const struct claim *
claim_cast(const struct vmmob_claim *claim)
{
    return CONTAINER_OF(claim, struct claim, up);
}
