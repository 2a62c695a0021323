/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "vmmobd-sitedb.h"

#include <limits.h>
#include <stdlib.h>

#include "coverage.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "ovsdb-idl.h"
#include "timeval.h"
#include "util.h"
#include "utilities/vmmob-idl.h"
#include "vmmob-table.h"
#include "vmmobd-record.h"

VLOG_DEFINE_THIS_MODULE(vmmobd_sitedb);

COVERAGE_DEFINE(vmmobd_bad_row);

static struct ovsdb_idl *create_idl(const char *remote, bool own);
static void update_live(struct sitedb *, struct rowset *changed);

static void process_changes(struct sitedb *, struct rowset *changed);
static bool lost_rows_unseen(const struct sitedb *);
static void drop_lost_rows(struct sitedb *, struct rowset *changed);
static void update_vmn(struct sitedb *, const struct vmmobrec_vmn *,
                       struct rowset *changed);
static void update_ofs(struct sitedb *, const struct vmmobrec_ofs *,
                       struct rowset *changed);

static struct sitedb_row *find_by_uuid(const struct sitedb *,
                                       const struct uuid *, bool is_ofs);
static struct sitedb_row *find_by_name(const struct sitedb *,
                                       const struct row_name *);
static struct sitedb_row *get_row(struct sitedb *, const struct uuid *,
                                  bool is_ofs);
static char *set_name(struct sitedb *, struct sitedb_row *,
                      const struct row_name *, struct rowset *changed);
static void clear_name(struct sitedb *, struct sitedb_row *,
                       struct rowset *changed);
static void set_error(struct sitedb *, struct sitedb_row *, char *error);
static void remove_from_table(struct sitedb *, struct sitedb_row *,
                              struct rowset *changed);
static void remove_row(struct sitedb *, struct sitedb_row *,
                       struct rowset *changed);
static char *to_printable(char *);

/* Creates and returns what is known of the database at 'remote': nothing yet.
 * 'own' if it is this site's, which is also to be written. */
struct sitedb *
sitedb_create(const char *remote, bool own)
{
    struct sitedb *db = xzalloc(sizeof *db);

    db->remote = xstrdup(remote);
    db->own = own;
    db->idl = create_idl(remote, own);
    db->table = vmmob_table_create();
    hmap_init(&db->rows_by_uuid);
    hmap_init(&db->rows_by_name);
    db->dead_since = time_msec();
    db->dead_seqno = db->idl_seqno = ovsdb_idl_get_seqno(db->idl);
    db->changed = LLONG_MIN;
    return db;
}

/* Destroys 'db' and adds the names of its rows to 'changed'.  No transaction
 * may be under way. */
void
sitedb_destroy(struct sitedb *db, struct rowset *changed)
{
    if (db) {
        struct sitedb_row *row;

        HMAP_FOR_EACH_SAFE (row, uuid_node, &db->rows_by_uuid) {
            remove_row(db, row, changed);
        }
        hmap_destroy(&db->rows_by_uuid);
        hmap_destroy(&db->rows_by_name);
        vmmob_table_destroy(db->table);
        ovsdb_idl_destroy(db->idl);
        free(db->remote);
        free(db);
    }
}

/* Reads what is new in 'db' and adds the names of the rows that changed to
 * 'changed', also if just 'stale' did. */
void
sitedb_run(struct sitedb *db, struct rowset *changed)
{
    unsigned int seqno;

    ovsdb_idl_run(db->idl);
    update_live(db, changed);

    seqno = ovsdb_idl_get_seqno(db->idl);
    if (seqno != db->idl_seqno) {
        db->idl_seqno = seqno;
        process_changes(db, changed);
    }
    ovsdb_idl_track_clear(db->idl);
}

void
sitedb_wait(const struct sitedb *db)
{
    ovsdb_idl_wait(db->idl);
    if (!db->live && !db->stale) {
        poll_timer_wait_until(db->dead_since + SITEDB_STALE_MSEC);
    }
}

/* Returns true if the contents of 'db' have been read, though they need not be
 * up to date. */
bool
sitedb_has_contents(const struct sitedb *db)
{
    return ovsdb_idl_has_ever_connected(db->idl);
}

/* Returns a static string for people. */
const char *
sitedb_state_to_string(const struct sitedb *db)
{
    return (db->live ? "connected"
            : ovsdb_idl_is_connected(db->idl) ? "reading"
            : sitedb_has_contents(db) && !db->stale ? "reconnecting"
            : sitedb_has_contents(db) ? "stale"
            : "connecting");
}

/* Returns the row of 'db' that is called 'name', whether it is otherwise good
 * or bad, or NULL if there is none. */
const struct vmmobrec_vmn *
sitedb_find_vmn(const struct sitedb *db, const struct row_name *name)
{
    const struct sitedb_row *row = find_by_name(db, name);

    return row ? vmmobrec_vmn_get_for_uuid(db->idl, &row->uuid) : NULL;
}

/* Returns the row of 'db' that is called 'name', whether it is otherwise good
 * or bad, or NULL if there is none. */
const struct vmmobrec_ofs *
sitedb_find_ofs(const struct sitedb *db, const struct row_name *name)
{
    const struct sitedb_row *row = find_by_name(db, name);

    return row ? vmmobrec_ofs_get_for_uuid(db->idl, &row->uuid) : NULL;
}

/* Adds the names of all the rows of 'db' to 'set'. */
void
sitedb_add_all(const struct sitedb *db, struct rowset *set)
{
    const struct sitedb_row *row;

    HMAP_FOR_EACH (row, name_node, &db->rows_by_name) {
        rowset_add(set, &row->name);
    }
}

static struct ovsdb_idl *
create_idl(const char *remote, bool own)
{
    struct ovsdb_idl *idl = ovsdb_idl_create_unconnected(&vmmobrec_idl_class,
                                                         false);

    for (size_t i = 0; i < VMMOBREC_VMN_N_COLUMNS; i++) {
        ovsdb_idl_track_add_column(idl, &vmmobrec_vmn_columns[i]);
    }
    for (size_t i = 0; i < VMMOBREC_OFS_N_COLUMNS; i++) {
        if (&vmmobrec_ofs_columns[i] != &vmmobrec_ofs_col_external_ids) {
            ovsdb_idl_track_add_column(idl, &vmmobrec_ofs_columns[i]);
        }
    }
    if (own) {
        ovsdb_idl_add_column(idl, &vmmobrec_vm_mobility_col_connections);
        ovsdb_idl_add_column(idl, &vmmobrec_connection_col_target);
        ovsdb_idl_add_column(idl, &vmmobrec_connection_col_read_only);
        ovsdb_idl_add_column(idl, &vmmobrec_connection_col_external_ids);

        /* Only one author writes a row, so there are no half-changed rows to
         * be afraid of. */
        ovsdb_idl_set_write_changed_only_all(idl, true);
    }

    /* Any server of a cluster will do, and a relay as well.  Transactions
     * find their way to the leader. */
    ovsdb_idl_set_leader_only(idl, false);
    ovsdb_idl_set_remote(idl, remote, true);
    return idl;
}

/* The IDL says whether there is a connection, but then the rows are not yet up
 * to date.  They are once the server has told the contents, which changes the
 * IDL's sequence number even if the contents did not change. */
static void
update_live(struct sitedb *db, struct rowset *changed)
{
    bool connected = ovsdb_idl_is_connected(db->idl);
    bool live = connected && (db->live
                              || (ovsdb_idl_get_seqno(db->idl)
                                  != db->dead_seqno));
    bool stale;

    if (live != db->live) {
        db->live = live;
        if (live) {
            VLOG_INFO("%s: up to date", db->remote);
        } else {
            db->dead_since = time_msec();
            db->dead_seqno = ovsdb_idl_get_seqno(db->idl);
        }
    }

    stale = !live && time_msec() >= db->dead_since + SITEDB_STALE_MSEC;
    if (stale != db->stale) {
        const struct vmmob_ofs_entry *entry;

        db->stale = stale;
        if (stale && sitedb_has_contents(db)) {
            VLOG_WARN("%s: not connected, keeping what it last said",
                      db->remote);
        }
        HMAP_FOR_EACH (entry, node, vmmob_table_ofs_entries(db->table)) {
            struct row_name name = row_name_of_ofs(entry->ofs.id);

            rowset_add(changed, &name);
        }
    }
}

/* Applies what the IDL has tracked since the last run.
 *
 * The IDL forgets what it has tracked when a server cannot tell just what
 * changed and sends everything anew, as one that was restarted does: then the
 * rows that are there now are all new, and of those that are not, nothing is
 * said.  So the two are counted. */
static void
process_changes(struct sitedb *db, struct rowset *changed)
{
    const struct vmmobrec_vmn *vmn;
    const struct vmmobrec_ofs *ofs;

    /* Removals first, as the name of a row that was removed may be that of a
     * new row. */
    VMMOBREC_VMN_FOR_EACH_TRACKED (vmn, db->idl) {
        if (vmmobrec_vmn_is_deleted(vmn)) {
            remove_row(db, find_by_uuid(db, &vmn->header_.uuid, false),
                       changed);
        }
    }
    VMMOBREC_OFS_FOR_EACH_TRACKED (ofs, db->idl) {
        if (vmmobrec_ofs_is_deleted(ofs)) {
            remove_row(db, find_by_uuid(db, &ofs->header_.uuid, true),
                       changed);
        }
    }

    VMMOBREC_VMN_FOR_EACH_TRACKED (vmn, db->idl) {
        if (!vmmobrec_vmn_is_deleted(vmn)) {
            get_row(db, &vmn->header_.uuid, false);
        }
    }
    VMMOBREC_OFS_FOR_EACH_TRACKED (ofs, db->idl) {
        if (!vmmobrec_ofs_is_deleted(ofs)) {
            get_row(db, &ofs->header_.uuid, true);
        }
    }
    if (lost_rows_unseen(db)) {
        drop_lost_rows(db, changed);
    }

    VMMOBREC_VMN_FOR_EACH_TRACKED (vmn, db->idl) {
        if (!vmmobrec_vmn_is_deleted(vmn)) {
            update_vmn(db, vmn, changed);
        }
    }
    VMMOBREC_OFS_FOR_EACH_TRACKED (ofs, db->idl) {
        if (!vmmobrec_ofs_is_deleted(ofs)) {
            update_ofs(db, ofs, changed);
        }
    }
}

/* Returns true if there are rows here that are not in the IDL.  All those that
 * are in the IDL must be here. */
static bool
lost_rows_unseen(const struct sitedb *db)
{
    const struct vmmobrec_vmn *vmn = vmmobrec_vmn_first(db->idl);
    const struct vmmobrec_ofs *ofs = vmmobrec_ofs_first(db->idl);

    return (db->n_rows[0] != (vmn ? hmap_count(&vmn->header_.table->rows) : 0)
            || (db->n_rows[1]
                != (ofs ? hmap_count(&ofs->header_.table->rows) : 0)));
}

static void
drop_lost_rows(struct sitedb *db, struct rowset *changed)
{
    struct sitedb_row *row;

    HMAP_FOR_EACH_SAFE (row, uuid_node, &db->rows_by_uuid) {
        if (row->is_ofs
            ? !vmmobrec_ofs_get_for_uuid(db->idl, &row->uuid)
            : !vmmobrec_vmn_get_for_uuid(db->idl, &row->uuid)) {
            remove_row(db, row, changed);
        }
    }
}

static void
update_vmn(struct sitedb *db, const struct vmmobrec_vmn *idl_row,
           struct rowset *changed)
{
    struct sitedb_row *row = get_row(db, &idl_row->header_.uuid, false);
    struct row_name name;
    struct vmmob_vmn vmn;
    char *error;

    error = vmn_name_from_row(idl_row, &name);
    error = error ? error : set_name(db, row, &name, changed);
    error = error ? error : vmn_from_row(idl_row, &vmn);
    set_error(db, row, error);
    if (row->error) {
        remove_from_table(db, row, changed);
        return;
    }

    /* The system_id is not in the table, but the publisher looks at it. */
    rowset_add(changed, &name);
    if (vmmob_table_put_vmn(db->table, &vmn)) {
        db->changed = time_msec();
    }
    vmmob_vmn_destroy(&vmn);
}

static void
update_ofs(struct sitedb *db, const struct vmmobrec_ofs *idl_row,
           struct rowset *changed)
{
    struct sitedb_row *row = get_row(db, &idl_row->header_.uuid, true);
    struct row_name name;
    struct vmmob_ofs ofs;
    char *error;

    error = ofs_name_from_row(idl_row, &name);
    error = error ? error : set_name(db, row, &name, changed);
    error = error ? error : ofs_from_row(idl_row, &ofs);
    set_error(db, row, error);
    if (row->error) {
        remove_from_table(db, row, changed);
        return;
    }

    rowset_add(changed, &name);     /* As above. */
    if (vmmob_table_put_ofs(db->table, &ofs)) {
        db->changed = time_msec();
    }
    vmmob_ofs_destroy(&ofs);
}

static struct sitedb_row *
find_by_uuid(const struct sitedb *db, const struct uuid *uuid, bool is_ofs)
{
    struct sitedb_row *row;

    HMAP_FOR_EACH_WITH_HASH (row, uuid_node, uuid_hash(uuid),
                             &db->rows_by_uuid) {
        if (row->is_ofs == is_ofs && uuid_equals(&row->uuid, uuid)) {
            return row;
        }
    }
    return NULL;
}

static struct sitedb_row *
find_by_name(const struct sitedb *db, const struct row_name *name)
{
    struct sitedb_row *row;

    HMAP_FOR_EACH_WITH_HASH (row, name_node, row_name_hash(name),
                             &db->rows_by_name) {
        if (row_name_equals(&row->name, name)) {
            return row;
        }
    }
    return NULL;
}

/* Returns the row with the given 'uuid', adding it if it is not there. */
static struct sitedb_row *
get_row(struct sitedb *db, const struct uuid *uuid, bool is_ofs)
{
    struct sitedb_row *row = find_by_uuid(db, uuid, is_ofs);

    if (!row) {
        row = xzalloc(sizeof *row);
        row->uuid = *uuid;
        row->is_ofs = is_ofs;
        hmap_insert(&db->rows_by_uuid, &row->uuid_node, uuid_hash(uuid));
        db->n_rows[is_ofs]++;
    }
    return row;
}

/* Makes 'name' the name of 'row'.  Returns NULL if successful, otherwise an
 * error message that the caller must free().
 *
 * A proper server sees to it that a row does not change its name and that no
 * other row has the same. */
static char *
set_name(struct sitedb *db, struct sitedb_row *row,
         const struct row_name *name, struct rowset *changed)
{
    const struct sitedb_row *other = find_by_name(db, name);

    if (other == row) {
        return NULL;
    }
    clear_name(db, row, changed);
    if (other) {
        return xasprintf("row "UUID_FMT" is about the same",
                         UUID_ARGS(&other->uuid));
    }
    row->named = true;
    row->name = *name;
    hmap_insert(&db->rows_by_name, &row->name_node, row_name_hash(name));
    return NULL;
}

static void
clear_name(struct sitedb *db, struct sitedb_row *row, struct rowset *changed)
{
    if (row->named) {
        remove_from_table(db, row, changed);
        hmap_remove(&db->rows_by_name, &row->name_node);
        row->named = false;
    }
}

/* Makes 'error', which may be null, the error of 'row'.  Takes ownership of
 * 'error'. */
static void
set_error(struct sitedb *db, struct sitedb_row *row, char *error)
{
    static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 5);

    db->n_bad += !!error - !!row->error;
    free(row->error);
    row->error = error ? to_printable(error) : NULL;
    if (error) {
        COVERAGE_INC(vmmobd_bad_row);
        VLOG_WARN_RL(&rl, "%s: table %s: ignoring row "UUID_FMT": %s",
                     db->remote, row->is_ofs ? "OFS" : "VMN",
                     UUID_ARGS(&row->uuid), row->error);
    }
}

static void
remove_from_table(struct sitedb *db, struct sitedb_row *row,
                  struct rowset *changed)
{
    if (row->named
        && (row->is_ofs
            ? vmmob_table_remove_ofs(db->table, row->name.ofs)
            : vmmob_table_remove_vmn(db->table, &row->name.key,
                                     row->name.ofs))) {
        db->changed = time_msec();
    }
    if (row->named) {
        /* Also if it was bad before: the publisher wants to know. */
        rowset_add(changed, &row->name);
    }
}

/* 'row' may be null. */
static void
remove_row(struct sitedb *db, struct sitedb_row *row, struct rowset *changed)
{
    if (row) {
        clear_name(db, row, changed);
        set_error(db, row, NULL);
        hmap_remove(&db->rows_by_uuid, &row->uuid_node);
        db->n_rows[row->is_ofs]--;
        free(row);
    }
}

/* Makes 's' fit for logs and terminals: what it quotes came from another
 * site. */
static char *
to_printable(char *s)
{
    for (char *p = s; *p; p++) {
        if (p - s > 250) {
            *p = '\0';
            break;
        }
        if (*p < 0x20 || *p > 0x7e) {
            *p = '?';
        }
    }
    return s;
}
