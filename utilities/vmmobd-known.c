/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "vmmobd-known.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "coverage.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "timeval.h"
#include "util.h"
#include "vmmob-hash.h"
#include "vmmob-table.h"
#include "vmmobd-sitedb.h"

VLOG_DEFINE_THIS_MODULE(vmmobd_known);

COVERAGE_DEFINE(vmmobd_bad_seqno);

static void update_owners(struct known *, struct sitedb **, size_t n,
                          struct rowset *changed);
static bool update_owner(struct known *, struct sitedb **, size_t n,
                         uint64_t ofs);
static bool is_late(const struct sitedb *, const struct known_owner *);
static void add_rivals(struct known *, struct sitedb **, size_t n,
                       struct rowset *changed);
static uint64_t get_max_seqno(const struct known *, struct sitedb **, size_t n,
                              const struct vmmob_key *);
static bool update_vmn(struct known *, struct sitedb **, size_t n,
                       const struct row_name *);
static bool update_ofs(struct known *, uint64_t id);
static struct known_owner *find_owner(const struct known *, uint64_t ofs);

void
known_init(struct known *known)
{
    known->table = vmmob_table_create();
    known->system_id = xstrdup("");
    hmap_init(&known->owners);
    rowset_init(&known->refused);
    rowset_init(&known->high);
}

/* Frees what 'known' owns, but not 'known' itself. */
void
known_destroy(struct known *known)
{
    if (known) {
        struct known_owner *owner;

        HMAP_FOR_EACH_POP (owner, node, &known->owners) {
            free(owner);
        }
        hmap_destroy(&known->owners);
        rowset_destroy(&known->refused);
        rowset_destroy(&known->high);
        vmmob_table_destroy(known->table);
        free(known->system_id);
    }
}

/* Sets by which OFSs in this site's own database are this hypervisor's.
 * Returns true if that is news: then known_update() must look at all of
 * them. */
bool
known_set_system_id(struct known *known, const char *system_id)
{
    if (!strcmp(system_id, known->system_id)) {
        return false;
    }
    free(known->system_id);
    known->system_id = xstrdup(system_id);
    return true;
}

/* Brings 'known' up to date.  'changed' names the rows that changed in any of
 * the 'n' databases in 'dbs', which are in order of their ranks.  On return,
 * it names the rows of the union that did.
 *
 * If a database was removed, or the order is another one, then 'changed' must
 * have all the rows that this may concern.  A database that was removed must
 * not be freed before its OFSs were in 'changed' once. */
void
known_update(struct known *known, struct sitedb **dbs, size_t n,
             struct rowset *changed)
{
    struct rowset_node *node;

    update_owners(known, dbs, n, changed);
    add_rivals(known, dbs, n, changed);
    HMAP_FOR_EACH_SAFE (node, node, &changed->nodes) {
        if (node->name.is_ofs
            ? !update_ofs(known, node->name.ofs)
            : !update_vmn(known, dbs, n, &node->name)) {
            rowset_remove(changed, node);
        }
    }
}

/* Returns the database that 'ofs' belongs to, or NULL if there is none. */
const struct sitedb *
known_find_owner(const struct known *known, uint64_t ofs)
{
    const struct known_owner *owner = find_owner(known, ofs);

    return owner ? owner->db : NULL;
}

/* Brings the owners of the OFSs in 'changed' up to date, and adds to 'changed'
 * the VMN rows that this concerns. */
static void
update_owners(struct known *known, struct sitedb **dbs, size_t n,
              struct rowset *changed)
{
    struct rowset vmns = ROWSET_INITIALIZER(&vmns);
    const struct rowset_node *node;

    ROWSET_FOR_EACH (node, changed) {
        if (node->name.is_ofs && update_owner(known, dbs, n, node->name.ofs)) {
            for (size_t i = 0; i < n; i++) {
                sitedb_add_vmns_of(dbs[i], node->name.ofs, &vmns);
            }
        }
    }
    ROWSET_FOR_EACH (node, &vmns) {
        rowset_add(changed, &node->name);
    }
    rowset_destroy(&vmns);
}

/* Returns true if the owner of 'ofs' is another one than before. */
static bool
update_owner(struct known *known, struct sitedb **dbs, size_t n, uint64_t ofs)
{
    struct known_owner *owner = find_owner(known, ofs);
    const struct sitedb *db = NULL;
    const struct sitedb *other = NULL;

    for (size_t i = 0; i < n; i++) {
        if (!vmmob_table_find_ofs(dbs[i]->table, ofs)) {
            continue;
        } else if (!db) {
            db = dbs[i];
        } else if (owner && owner->db == dbs[i]
                   && !(db->own || is_late(db, owner))) {
            other = db;
            db = dbs[i];
        } else {
            other = other ? other : dbs[i];
        }
    }
    if (other) {
        static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 5);

        VLOG_WARN_RL(&rl, "OFS "VMMOB_OFS_ID_FMT" is in database %s and in "
                     "%s, using only what the first says of it; make sure "
                     "that no two bridges have one datapath id", ofs,
                     db->name, other->name);
    }
    if (db == (owner ? owner->db : NULL)) {
        return false;
    }

    if (!db) {
        hmap_remove(&known->owners, &owner->node);
        free(owner);
        return true;
    }
    if (!owner) {
        owner = xmalloc(sizeof *owner);
        owner->ofs = ofs;
        hmap_insert(&known->owners, &owner->node, vmmob_hash_uint64(ofs, 0));
    }
    owner->db = db;
    owner->since = time_msec();
    return true;
}

/* Returns true if 'db' goes before 'owner', although 'owner' was faster: soon
 * after we began to read 'db', if nobody had the OFS before that. */
static bool
is_late(const struct sitedb *db, const struct known_owner *owner)
{
    return (owner->since >= db->created
            && time_msec() - db->created < KNOWN_ORDER_MSEC);
}

/* Returns the row of the VMN that 'name' names, from the database that its OFS
 * belongs to, or NULL if there is none. */
static const struct vmmob_vmn *
find_row(const struct known *known, const struct row_name *name)
{
    const struct sitedb *owner = known_find_owner(known, name->ofs);

    return (owner
            ? vmmob_table_find_row(owner->table, &name->key, name->ofs)
            : NULL);
}

/* Adds to 'changed' the other rows of the VMNs in it, if it depends on all of
 * a VMN's rows which are believed. */
static void
add_rivals(struct known *known, struct sitedb **dbs, size_t n,
           struct rowset *changed)
{
    struct rowset rivals = ROWSET_INITIALIZER(&rivals);
    const struct rowset_node *node;

    ROWSET_FOR_EACH (node, changed) {
        const struct vmmob_key *key = &node->name.key;
        struct row_name mark = row_name_of_vmn(key, 0);
        const struct vmmob_vmn *vmn;
        bool high = false;

        if (node->name.is_ofs) {
            continue;
        }
        vmn = find_row(known, &node->name);
        if (!(vmn && vmn->seqno > VMMOB_MAX_SEQNO_GAP)
            && !rowset_contains(&known->high, &mark)) {
            continue;
        }
        for (size_t i = 0; i < n; i++) {
            const struct vmmob_entry *entry = vmmob_table_find(dbs[i]->table,
                                                               key);
            const struct vmmob_row *row;

            if (!entry) {
                continue;
            }
            LIST_FOR_EACH (row, node, &entry->rows) {
                struct row_name name = row_name_of_vmn(key, row->vmn.ofs);

                rowset_add(&rivals, &name);
                high = high || row->vmn.seqno > VMMOB_MAX_SEQNO_GAP;
            }
        }
        if (high) {
            rowset_add(&known->high, &mark);
        } else {
            rowset_remove(&known->high, rowset_find(&known->high, &mark));
        }
    }
    ROWSET_FOR_EACH (node, &rivals) {
        rowset_add(changed, &node->name);
    }
    rowset_destroy(&rivals);
}

static int
compare_seqnos(const void *a_, const void *b_)
{
    const uint64_t *a = a_;
    const uint64_t *b = b_;

    return *a < *b ? -1 : *a > *b;
}

/* Returns the highest sequence number that a peer's row for the VMN 'key' can
 * have; see VMMOB_MAX_SEQNO_GAP. */
static uint64_t
get_max_seqno(const struct known *known, struct sitedb **dbs, size_t n,
              const struct vmmob_key *key)
{
    uint64_t max = VMMOB_MAX_SEQNO_GAP;
    size_t n_seqnos = 0, allocated = 0;
    uint64_t *seqnos = NULL;

    for (size_t i = 0; i < n; i++) {
        const struct vmmob_entry *entry = vmmob_table_find(dbs[i]->table, key);
        const struct vmmob_row *row;

        if (!entry) {
            continue;
        }
        LIST_FOR_EACH (row, node, &entry->rows) {
            if (known_find_owner(known, row->vmn.ofs) != dbs[i]) {
                continue;
            }
            if (dbs[i]->own) {
                max = MAX(max, row->vmn.seqno + VMMOB_MAX_SEQNO_GAP);
                continue;
            }
            if (n_seqnos >= allocated) {
                seqnos = x2nrealloc(seqnos, &allocated, sizeof *seqnos);
            }
            seqnos[n_seqnos++] = row->vmn.seqno;
        }
    }
    if (n_seqnos) {
        qsort(seqnos, n_seqnos, sizeof *seqnos, compare_seqnos);
    }
    for (size_t i = 0; i < n_seqnos && seqnos[i] <= max; i++) {
        max = MAX(max, seqnos[i] + VMMOB_MAX_SEQNO_GAP);
    }
    free(seqnos);
    return max;
}

/* Returns true if the row in the union changed. */
static bool
update_vmn(struct known *known, struct sitedb **dbs, size_t n,
           const struct row_name *name)
{
    const struct sitedb *owner = known_find_owner(known, name->ofs);
    const struct vmmob_vmn *vmn = find_row(known, name);
    struct rowset_node *refused = rowset_find(&known->refused, name);

    if (vmn && !owner->own && vmn->seqno > VMMOB_MAX_SEQNO_GAP
        && vmn->seqno > get_max_seqno(known, dbs, n, &name->key)) {
        if (!refused) {
            static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 5);

            COVERAGE_INC(vmmobd_bad_seqno);
            VLOG_WARN_RL(&rl, "%s: VMN "ETH_ADDR_FMT" at OFS "VMMOB_OFS_ID_FMT
                         ": ignoring sequence number %"PRIu64", which is far "
                         "above all others", owner->name,
                         ETH_ADDR_ARGS(name->key.mac), name->ofs, vmn->seqno);
            rowset_add(&known->refused, name);
        }
        vmn = NULL;
    } else if (refused) {
        rowset_remove(&known->refused, refused);
    }

    return (vmn
            ? vmmob_table_put_vmn(known->table, vmn)
            : vmmob_table_remove_vmn(known->table, &name->key, name->ofs));
}

/* Returns true if the row in the union changed. */
static bool
update_ofs(struct known *known, uint64_t id)
{
    const struct sitedb *owner = known_find_owner(known, id);
    struct vmmob_ofs ofs;
    bool changed;

    if (!owner) {
        return vmmob_table_remove_ofs(known->table, id);
    }
    vmmob_ofs_clone(&ofs, vmmob_table_find_ofs(owner->table, id));
    vmmob_ofs_clear_networks(&ofs);
    ofs.stale = owner->stale;
    ofs.foreign = (!owner->own
                   || (known->system_id[0]
                       && sitedb_is_of_other(owner, id, known->system_id)));
    changed = vmmob_table_put_ofs(known->table, &ofs);
    vmmob_ofs_destroy(&ofs);
    return changed;
}

static struct known_owner *
find_owner(const struct known *known, uint64_t ofs)
{
    struct known_owner *owner;

    HMAP_FOR_EACH_WITH_HASH (owner, node, vmmob_hash_uint64(ofs, 0),
                             &known->owners) {
        if (owner->ofs == ofs) {
            return owner;
        }
    }
    return NULL;
}
