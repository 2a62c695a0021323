/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "vmmobd-sitedb.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "coverage.h"
#include "jsonrpc.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "ovsdb-idl.h"
#include "smap.h"
#include "timeval.h"
#include "util.h"
#include "utilities/vmmob-idl.h"
#include "vmmob-hash.h"
#include "vmmob-table.h"
#include "vmmobd-record.h"

/* Rows of a table that a peer may send beyond twice its limit. */
#define SITEDB_SLACK 1000

/* Memory that a row takes in a message, as vmmob_set_max_message() counts,
 * with more addresses than a VMN usually has, and memory for all else. */
#define SITEDB_ROW_SIZE 4000
#define SITEDB_MIN_MESSAGE (4 * 1024 * 1024)

/* Rows of this site's own database that one message may have. */
#define SITEDB_MAX_OWN_ROWS 1000000

VLOG_DEFINE_THIS_MODULE(vmmobd_sitedb);

COVERAGE_DEFINE(vmmobd_bad_row);
COVERAGE_DEFINE(vmmobd_cut_off);
COVERAGE_DEFINE(vmmobd_db_disconnect);
COVERAGE_DEFINE(vmmobd_db_stale);

static void start_idl(struct sitedb *, const char *remote);
static void remove_all_rows(struct sitedb *, struct rowset *changed);
static size_t max_rows(const struct sitedb *, bool is_ofs);
static size_t max_size(const struct sitedb *);
static bool is_flood(const struct sitedb *);
static void cut_off(struct sitedb *, const char *why, struct rowset *changed);
static void update_live(struct sitedb *, struct rowset *changed);

static void process_changes(struct sitedb *, struct rowset *changed);
static bool lost_rows_unseen(const struct sitedb *);
static void drop_lost_rows(struct sitedb *, struct rowset *changed);
static bool admit_row(struct sitedb *, struct sitedb_row *, char *error,
                      struct rowset *changed);
static void update_vmn(struct sitedb *, const struct vmmobrec_vmn *,
                       struct rowset *changed);
static void update_ofs(struct sitedb *, const struct vmmobrec_ofs *,
                       struct rowset *changed);
static void recheck_row(struct sitedb *, struct sitedb_row *,
                        struct rowset *changed);
static void recheck_all(struct sitedb *, bool is_ofs, struct rowset *changed);
static void recheck_vmns_of(struct sitedb *, uint64_t ofs,
                            struct rowset *changed);
static char *check_room(const struct sitedb *, const struct sitedb_row *);
static void note_surplus(struct sitedb *, struct sitedb_row *);
static void admit_surplus(struct sitedb *, struct rowset *changed);
static void trim_surplus(struct sitedb *, bool is_ofs, struct rowset *changed);
static char *check_vmn(const struct sitedb *, const struct vmmobrec_vmn *,
                       const struct vmmob_vmn *);
static char *check_ofs(const struct sitedb *, const struct vmmob_ofs *);

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
static void set_size(struct sitedb *, struct sitedb_row *, size_t size);
static void set_error(struct sitedb *, struct sitedb_row *, char *error);
static void remove_from_table(struct sitedb *, struct sitedb_row *,
                              struct rowset *changed);
static void remove_row(struct sitedb *, struct sitedb_row *,
                       struct rowset *changed);
static char *to_printable(char *);

/* Creates and returns what is known of the database at 'remote', which is
 * nothing yet.  'own_ofss', which must stay as long as it, are the OFSs that
 * the database must not speak for; null for this site's database, which is
 * also to be written. */
struct sitedb *
sitedb_create(const char *remote, const struct own_ofss *own_ofss)
{
    struct sitedb *db = xzalloc(sizeof *db);

    db->name = xstrdup(remote);
    db->remote = xstrdup(remote);
    db->own = !own_ofss;
    db->own_ofss = own_ofss;
    db->created = time_msec();
    limits_init(&db->limits);
    scope_init(&db->scope);
    db->table = vmmob_table_create();
    for (int is_ofs = 0; is_ofs < 2; is_ofs++) {
        if (db->own) {
            db->limits.max_rows[is_ofs] = SIZE_MAX;
        }
        hmap_init(&db->rows_by_uuid[is_ofs]);
        ovs_list_init(&db->surplus[is_ofs]);
    }
    hmap_init(&db->rows_by_name);
    hindex_init(&db->vmns_by_ofs);
    db->rl = (struct vlog_rate_limit) VLOG_RATE_LIMIT_INIT(5, 5);
    db->state_rl = (struct vlog_rate_limit) VLOG_RATE_LIMIT_INIT(5, 20);
    db->changed = LLONG_MIN;
    start_idl(db, remote);
    return db;
}

/* Destroys 'db' and adds the names of its rows to 'changed'.  No transaction
 * may be under way. */
void
sitedb_destroy(struct sitedb *db, struct rowset *changed)
{
    if (db) {
        remove_all_rows(db, changed);
        hmap_destroy(&db->rows_by_uuid[false]);
        hmap_destroy(&db->rows_by_uuid[true]);
        hmap_destroy(&db->rows_by_name);
        hindex_destroy(&db->vmns_by_ofs);
        vmmob_table_destroy(db->table);
        ovsdb_idl_destroy(db->idl);
        scope_destroy(&db->scope);
        limits_destroy(&db->limits);
        free(db->name);
        free(db->remote);
        free(db);
    }
}

/* Sets the name of 'db' and what it may claim.  Adds the names of the rows
 * that this concerns to 'changed'. */
void
sitedb_configure(struct sitedb *db, const char *name,
                 const struct limits *limits, struct rowset *changed)
{
    if (strcmp(name, db->name)) {
        free(db->name);
        db->name = xstrdup(name);
    }
    if (limits_equals(limits, &db->limits)) {
        return;
    }
    limits_destroy(&db->limits);
    limits_clone(&db->limits, limits);
    if (db->cut_until != LLONG_MIN) {
        db->cut_until = time_msec();
    }

    recheck_all(db, true, changed);
    trim_surplus(db, true, changed);
    recheck_all(db, false, changed);
    trim_surplus(db, false, changed);
    admit_surplus(db, changed);
}

/* Checks the OFSs of 'db' again, after those of this site changed, and the
 * VMNs of OFSs that can be used only now, or not any more.  Adds the names of
 * the rows that this concerns to 'changed'. */
void
sitedb_recheck_ofss(struct sitedb *db, struct rowset *changed)
{
    recheck_all(db, true, changed);
    admit_surplus(db, changed);
}

/* Reads what is new in 'db' and adds the names of the rows that changed to
 * 'changed', also if just 'stale' did. */
void
sitedb_run(struct sitedb *db, struct rowset *changed)
{
    unsigned int seqno;

    if (db->cut_until != LLONG_MIN && time_msec() >= db->cut_until) {
        db->cut_until = LLONG_MIN;
        ovsdb_idl_set_remote(db->idl, db->remote, true);
    }
    /* Before that connects, so that it begins with what is to be read. */
    scope_run(&db->scope, db->idl, db->live);
    vmmob_set_max_message(max_size(db));
    ovsdb_idl_run(db->idl);
    vmmob_set_max_message(0);
    update_live(db, changed);
    scope_run(&db->scope, db->idl, db->live);

    seqno = ovsdb_idl_get_seqno(db->idl);
    if (seqno != db->idl_seqno) {
        db->idl_seqno = seqno;
        process_changes(db, changed);
    }
    ovsdb_idl_track_clear(db->idl);
    if (is_flood(db)) {
        char *why = xasprintf("%"PRIuSIZE" OFSs and %"PRIuSIZE" VMNs, with "
                              "%"PRIuSIZE" bytes, are",
                              hmap_count(&db->rows_by_uuid[true]),
                              hmap_count(&db->rows_by_uuid[false]),
                              db->size);
        cut_off(db, why, changed);
        free(why);
    } else if (!db->own && db->cut_until == LLONG_MIN
               && ovsdb_idl_get_last_error(db->idl) == EMSGSIZE) {
        cut_off(db, "a message is", changed);
    }
}

void
sitedb_wait(const struct sitedb *db)
{
    ovsdb_idl_wait(db->idl);
    scope_wait(&db->scope);
    if (!db->live && !db->stale) {
        poll_timer_wait_until(db->dead_since + SITEDB_STALE_MSEC);
    }
    if (db->cut_until != LLONG_MIN) {
        poll_timer_wait_until(db->cut_until);
    }
}

/* Returns true if the contents of 'db' have been read, though they need not be
 * up to date. */
bool
sitedb_has_contents(const struct sitedb *db)
{
    return ovsdb_idl_has_ever_connected(db->idl);
}

/* Returns true if all VMNs of 'networks' in 'db' have been read, and all of
 * this hypervisor. */
bool
sitedb_has_read(const struct sitedb *db,
                const struct vmmob_network_ids *networks)
{
    return (sitedb_has_contents(db) && db->scope.own_read
            && vmmob_network_ids_contain_all(&db->scope.read, networks));
}

enum sitedb_state
sitedb_get_state(const struct sitedb *db)
{
    return (db->cut_until != LLONG_MIN ? SITEDB_CUT_OFF
            : db->live ? SITEDB_CONNECTED
            : ovsdb_idl_is_connected(db->idl) ? SITEDB_READING
            : sitedb_has_contents(db) && !db->stale ? SITEDB_RECONNECTING
            : sitedb_has_contents(db) ? SITEDB_STALE
            : SITEDB_CONNECTING);
}

/* Returns a static string, a single word. */
const char *
sitedb_state_to_word(enum sitedb_state state)
{
    switch (state) {
    case SITEDB_CONNECTING:
        return "connecting";
    case SITEDB_READING:
        return "reading";
    case SITEDB_CONNECTED:
        return "connected";
    case SITEDB_RECONNECTING:
        return "reconnecting";
    case SITEDB_STALE:
        return "stale";
    case SITEDB_CUT_OFF:
        return "cut_off";
    case SITEDB_N_STATES:
    default:
        OVS_NOT_REACHED();
    }
}

/* Returns a static string for people. */
const char *
sitedb_state_to_string(const struct sitedb *db)
{
    enum sitedb_state state = sitedb_get_state(db);

    return (state == SITEDB_CUT_OFF ? "cut off, too much"
            : sitedb_state_to_word(state));
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

/* Returns true if 'ofs' is in 'db' as that of system 'system_id'. */
bool
sitedb_is_of(const struct sitedb *db, uint64_t ofs, const char *system_id)
{
    const struct row_name name = row_name_of_ofs(ofs);
    const struct vmmobrec_ofs *row = sitedb_find_ofs(db, &name);

    return row && !strcmp(row->system_id, system_id);
}

/* Returns true if 'ofs' is in 'db' as that of another system than
 * 'system_id'. */
bool
sitedb_is_of_other(const struct sitedb *db, uint64_t ofs,
                   const char *system_id)
{
    const struct row_name name = row_name_of_ofs(ofs);
    const struct vmmobrec_ofs *row = sitedb_find_ofs(db, &name);

    return row && row->system_id[0] && strcmp(row->system_id, system_id);
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

/* Adds the names of the VMN rows of 'ofs' to 'set'. */
void
sitedb_add_vmns_of(const struct sitedb *db, uint64_t ofs, struct rowset *set)
{
    const struct sitedb_row *row;

    HINDEX_FOR_EACH_WITH_HASH (row, ofs_node, vmmob_hash_uint64(ofs, 0),
                               &db->vmns_by_ofs) {
        if (row->name.ofs == ofs) {
            rowset_add(set, &row->name);
        }
    }
}

/* Begins to read the database at 'remote', or none if it is null. */
static void
start_idl(struct sitedb *db, const char *remote)
{
    db->idl = scope_start(&db->scope, db->own);
    if (remote) {
        ovsdb_idl_set_remote(db->idl, remote, true);
    }
    db->live = false;
    db->dead_since = time_msec();
    db->dead_seqno = db->idl_seqno = ovsdb_idl_get_seqno(db->idl);
    db->cut_until = LLONG_MIN;
}

static void
remove_all_rows(struct sitedb *db, struct rowset *changed)
{
    struct sitedb_row *row;

    /* VMNs first, or they would be bad for the lack of their OFS. */
    for (int is_ofs = 0; is_ofs < 2; is_ofs++) {
        HMAP_FOR_EACH_SAFE (row, uuid_node, &db->rows_by_uuid[is_ofs]) {
            remove_row(db, row, changed);
        }
    }
}

/* Returns how many rows of a table 'db' may have at most. */
static size_t
max_rows(const struct sitedb *db, bool is_ofs)
{
    return (db->own ? SITEDB_MAX_OWN_ROWS
            : 2 * db->limits.max_rows[is_ofs] + SITEDB_SLACK);
}

/* Returns how much memory these rows may take at most. */
static size_t
max_size(const struct sitedb *db)
{
    return (SITEDB_MIN_MESSAGE
            + (max_rows(db, false) + max_rows(db, true)) * SITEDB_ROW_SIZE);
}

static bool
is_flood(const struct sitedb *db)
{
    for (int is_ofs = 0; is_ofs < 2; is_ofs++) {
        if (!db->own && (hmap_count(&db->rows_by_uuid[is_ofs])
                         > max_rows(db, is_ofs))) {
            return true;
        }
    }
    return !db->own && db->size > max_size(db);
}

/* Forgets 'db' and does not connect to it for a while. */
static void
cut_off(struct sitedb *db, const char *why, struct rowset *changed)
{
    COVERAGE_INC(vmmobd_cut_off);
    VLOG_WARN_RL(&db->state_rl, "%s: %s far more than the limits of %"PRIuSIZE
                 " and %"PRIuSIZE" need, not reading this database for %d s",
                 db->name, why, db->limits.max_rows[true],
                 db->limits.max_rows[false], SITEDB_CUT_MSEC / 1000);
    remove_all_rows(db, changed);
    ovsdb_idl_destroy(db->idl);
    start_idl(db, NULL);
    db->cut_until = time_msec() + SITEDB_CUT_MSEC;
}

/* Finds out whether 'db' is up to date.  The IDL says whether there is a
 * connection, but then the rows are not yet up to date.  They are once the
 * server has told the contents, which changes the IDL's sequence number even
 * if the contents did not change. */
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
            VLOG_INFO_RL(&db->state_rl, "%s: up to date", db->name);
        } else {
            COVERAGE_INC(vmmobd_db_disconnect);
            db->dead_since = time_msec();
            db->dead_seqno = ovsdb_idl_get_seqno(db->idl);
        }
    }

    stale = !live && time_msec() >= db->dead_since + SITEDB_STALE_MSEC;
    if (stale != db->stale) {
        const struct vmmob_ofs_entry *entry;

        db->stale = stale;
        if (stale && sitedb_has_contents(db)) {
            COVERAGE_INC(vmmobd_db_stale);
            VLOG_WARN_RL(&db->state_rl, "%s: not connected, keeping what it "
                         "last said", db->name);
        }
        HMAP_FOR_EACH (entry, node, vmmob_table_ofs_entries(db->table)) {
            struct row_name name = row_name_of_ofs(entry->ofs.id);

            rowset_add(changed, &name);
        }
    }
}

/* Applies what the IDL has tracked since the last run.
 *
 * A server that cannot tell just what changed, as one that was restarted,
 * sends everything anew.  Then the IDL forgets what it has tracked: all rows
 * that are there now are new, and nothing is said of those that are gone.  We
 * notice that by counting. */
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

    VMMOBREC_OFS_FOR_EACH_TRACKED (ofs, db->idl) {
        if (!vmmobrec_ofs_is_deleted(ofs)) {
            update_ofs(db, ofs, changed);
        }
    }
    VMMOBREC_VMN_FOR_EACH_TRACKED (vmn, db->idl) {
        if (!vmmobrec_vmn_is_deleted(vmn)) {
            update_vmn(db, vmn, changed);
        }
    }
    admit_surplus(db, changed);
}

/* Returns true if there are rows here that are not in the IDL.  All those that
 * are in the IDL must be here. */
static bool
lost_rows_unseen(const struct sitedb *db)
{
    const struct vmmobrec_vmn *vmn = vmmobrec_vmn_first(db->idl);
    const struct vmmobrec_ofs *ofs = vmmobrec_ofs_first(db->idl);

    return ((hmap_count(&db->rows_by_uuid[false])
             != (vmn ? hmap_count(&vmn->header_.table->rows) : 0))
            || (hmap_count(&db->rows_by_uuid[true])
                != (ofs ? hmap_count(&ofs->header_.table->rows) : 0)));
}

static void
drop_lost_rows(struct sitedb *db, struct rowset *changed)
{
    struct sitedb_row *row;

    HMAP_FOR_EACH_SAFE (row, uuid_node, &db->rows_by_uuid[false]) {
        if (!vmmobrec_vmn_get_for_uuid(db->idl, &row->uuid)) {
            remove_row(db, row, changed);
        }
    }
    HMAP_FOR_EACH_SAFE (row, uuid_node, &db->rows_by_uuid[true]) {
        if (!vmmobrec_ofs_get_for_uuid(db->idl, &row->uuid)) {
            remove_row(db, row, changed);
        }
    }
}

/* Returns true if 'row' may be in the table: 'error', of which this takes
 * ownership, is NULL, and there is room.  Otherwise takes 'row' out. */
static bool
admit_row(struct sitedb *db, struct sitedb_row *row, char *error,
          struct rowset *changed)
{
    bool is_right = !error;

    set_error(db, row, error ? error : check_room(db, row));
    if (!row->error) {
        return true;
    }
    remove_from_table(db, row, changed);
    if (is_right) {
        note_surplus(db, row);
    }
    return false;
}

static void
update_vmn(struct sitedb *db, const struct vmmobrec_vmn *idl_row,
           struct rowset *changed)
{
    struct sitedb_row *row = get_row(db, &idl_row->header_.uuid, false);
    const struct smap_node *address;
    struct row_name name;
    struct vmmob_vmn vmn;
    size_t size;
    char *error;
    bool is_vmn;

    size = (strlen(idl_row->mac) + strlen(idl_row->ofs)
            + strlen(idl_row->system_id) + strlen(idl_row->state));
    SMAP_FOR_EACH (address, &idl_row->addresses) {
        size += strlen(address->key) + strlen(address->value);
    }
    set_size(db, row, size);

    error = vmn_name_from_row(idl_row, &name);
    error = error ? error : set_name(db, row, &name, changed);
    error = error ? error : vmn_from_row(idl_row, &vmn);
    is_vmn = !error;
    error = error ? error : check_vmn(db, idl_row, &vmn);
    if (!admit_row(db, row, error, changed)) {
        if (is_vmn) {
            vmmob_vmn_destroy(&vmn);
        }
        return;
    }

    /* The system_id is not in the table, but the publisher looks at it. */
    rowset_add(changed, &name);
    if (vmmob_table_put_vmn(db->table, &vmn)) {
        db->changed = time_msec();
    }
    if (!row->used) {
        row->used = true;
        db->n_used[false]++;
    }
    vmmob_vmn_destroy(&vmn);
}

static void
update_ofs(struct sitedb *db, const struct vmmobrec_ofs *idl_row,
           struct rowset *changed)
{
    struct sitedb_row *row = get_row(db, &idl_row->header_.uuid, true);
    const struct vmmob_ofs *old;
    struct row_name name;
    struct vmmob_ofs ofs;
    bool concerns_vmns;
    size_t size;
    char *error;
    bool is_ofs;

    size = (strlen(idl_row->datapath_id) + strlen(idl_row->system_id)
            + strlen(idl_row->site) + strlen(idl_row->uplink_prefix)
            + strlen(idl_row->uplink_mac) + strlen(idl_row->gateway)
            + strlen(idl_row->gateway_mac));
    for (size_t i = 0; i < idl_row->n_pools; i++) {
        size += strlen(idl_row->pools[i]);
    }
    for (size_t i = 0; i < idl_row->n_networks; i++) {
        size += (sizeof idl_row->key_networks[i]
                 + strlen(idl_row->value_networks[i])
                 + sizeof(struct vmmob_network));
    }
    set_size(db, row, size);

    error = ofs_name_from_row(idl_row, &name);
    error = error ? error : set_name(db, row, &name, changed);
    error = error ? error : ofs_from_row(idl_row, &ofs);
    is_ofs = !error;
    error = error ? error : check_ofs(db, &ofs);
    if (!admit_row(db, row, error, changed)) {
        if (is_ofs) {
            vmmob_ofs_destroy(&ofs);
        }
        return;
    }

    rowset_add(changed, &name);     /* As above. */
    old = row->used ? vmmob_table_find_ofs(db->table, name.ofs) : NULL;
    concerns_vmns = (!old || !vmmob_ofs_same_pools(old, &ofs)
                     || vmmobrec_ofs_is_updated(
                         idl_row, VMMOBREC_OFS_COL_SYSTEM_ID));
    if (vmmob_table_put_ofs(db->table, &ofs)) {
        db->changed = time_msec();
    }
    if (!row->used) {
        row->used = true;
        db->n_used[true]++;
    }
    if (concerns_vmns) {
        recheck_vmns_of(db, name.ofs, changed);
    }
    vmmob_ofs_destroy(&ofs);
}

/* Checks 'row' again, although it did not change. */
static void
recheck_row(struct sitedb *db, struct sitedb_row *row, struct rowset *changed)
{
    const struct vmmobrec_vmn *vmn;
    const struct vmmobrec_ofs *ofs;

    if (row->is_ofs) {
        ofs = vmmobrec_ofs_get_for_uuid(db->idl, &row->uuid);
        if (ofs) {
            update_ofs(db, ofs, changed);
        }
    } else {
        vmn = vmmobrec_vmn_get_for_uuid(db->idl, &row->uuid);
        if (vmn) {
            update_vmn(db, vmn, changed);
        }
    }
}

/* Checks all rows of a table again. */
static void
recheck_all(struct sitedb *db, bool is_ofs, struct rowset *changed)
{
    struct sitedb_row *row;

    HMAP_FOR_EACH (row, uuid_node, &db->rows_by_uuid[is_ofs]) {
        recheck_row(db, row, changed);
    }
}

/* Checks the VMN rows of 'ofs' again, after its row changed. */
static void
recheck_vmns_of(struct sitedb *db, uint64_t ofs, struct rowset *changed)
{
    struct sitedb_row *row;

    HINDEX_FOR_EACH_WITH_HASH_SAFE (row, ofs_node, vmmob_hash_uint64(ofs, 0),
                                    &db->vmns_by_ofs) {
        if (row->name.ofs == ofs) {
            recheck_row(db, row, changed);
        }
    }
}

/* Returns NULL if there is room for 'row', or it has it already, otherwise an
 * error message that the caller must free(). */
static char *
check_room(const struct sitedb *db, const struct sitedb_row *row)
{
    size_t max = db->limits.max_rows[row->is_ofs];

    return (row->used || db->n_used[row->is_ofs] < max ? NULL
            : xasprintf("the peer has more than %"PRIuSIZE" %s", max,
                        row->is_ofs ? "OFSs" : "VMNs"));
}

/* Notes that 'row' is bad just because there is no room for it. */
static void
note_surplus(struct sitedb *db, struct sitedb_row *row)
{
    row->is_surplus = true;
    ovs_list_push_back(&db->surplus[row->is_ofs], &row->surplus_node);
}

/* Admits rows for which there was no room before. */
static void
admit_surplus(struct sitedb *db, struct rowset *changed)
{
    /* OFSs first, because a VMN needs its OFS. */
    for (int is_ofs = 1; is_ofs >= 0; is_ofs--) {
        while (!ovs_list_is_empty(&db->surplus[is_ofs])
               && db->n_used[is_ofs] < db->limits.max_rows[is_ofs]) {
            struct sitedb_row *row = CONTAINER_OF(
                ovs_list_front(&db->surplus[is_ofs]), struct sitedb_row,
                surplus_node);

            set_error(db, row, NULL);
            recheck_row(db, row, changed);
        }
    }
}

/* Takes out the rows of a table that are above the limit, after that has
 * changed. */
static void
trim_surplus(struct sitedb *db, bool is_ofs, struct rowset *changed)
{
    struct sitedb_row *row;

    HMAP_FOR_EACH (row, uuid_node, &db->rows_by_uuid[is_ofs]) {
        if (db->n_used[is_ofs] <= db->limits.max_rows[is_ofs]) {
            break;
        }
        if (row->used) {
            remove_from_table(db, row, changed);
            set_error(db, row, check_room(db, row));
            note_surplus(db, row);
        }
    }
}

/* Returns NULL if 'vmn', which is in 'idl_row', may be used, otherwise an
 * error message that the caller must free(). */
static char *
check_vmn(const struct sitedb *db, const struct vmmobrec_vmn *idl_row,
          const struct vmmob_vmn *vmn)
{
    const struct vmmob_ofs *ofs = vmmob_table_find_ofs(db->table, vmn->ofs);
    struct row_name name = row_name_of_ofs(vmn->ofs);
    const struct vmmobrec_ofs *ofs_row = sitedb_find_ofs(db, &name);
    char *error = vmn_check_ofs(vmn, idl_row->system_id, ofs,
                                ofs_row ? ofs_row->system_id : "");

    return error ? error : limits_check_vmn(&db->limits, vmn);
}

/* Returns NULL if 'ofs' may be used, otherwise an error message that the
 * caller must free(). */
static char *
check_ofs(const struct sitedb *db, const struct vmmob_ofs *ofs)
{
    char *error = db->own ? NULL : own_ofss_check(db->own_ofss, ofs);

    return error ? error : limits_check_ofs(&db->limits, ofs);
}

static struct sitedb_row *
find_by_uuid(const struct sitedb *db, const struct uuid *uuid, bool is_ofs)
{
    struct sitedb_row *row;

    HMAP_FOR_EACH_WITH_HASH (row, uuid_node, uuid_hash(uuid),
                             &db->rows_by_uuid[is_ofs]) {
        if (uuid_equals(&row->uuid, uuid)) {
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
        hmap_insert(&db->rows_by_uuid[is_ofs], &row->uuid_node,
                    uuid_hash(uuid));
    }
    return row;
}

/* Makes 'name' the name of 'row'.  Returns NULL if successful, otherwise an
 * error message that the caller must free().
 *
 * A proper server never changes the name of a row, nor gives it to another
 * row. */
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
    if (!row->is_ofs) {
        hindex_insert(&db->vmns_by_ofs, &row->ofs_node,
                      vmmob_hash_uint64(name->ofs, 0));
    }
    return NULL;
}

static void
clear_name(struct sitedb *db, struct sitedb_row *row, struct rowset *changed)
{
    if (row->named) {
        remove_from_table(db, row, changed);
        hmap_remove(&db->rows_by_name, &row->name_node);
        if (!row->is_ofs) {
            hindex_remove(&db->vmns_by_ofs, &row->ofs_node);
        }
        row->named = false;
    }
}

static void
set_size(struct sitedb *db, struct sitedb_row *row, size_t size)
{
    db->size += size - row->size;
    row->size = size;
}

/* Makes 'error', which may be null, the error of 'row'.  Takes ownership of
 * 'error'. */
static void
set_error(struct sitedb *db, struct sitedb_row *row, char *error)
{
    char *old_error = row->error;

    db->n_bad += !!error - !!row->error;
    row->error = error ? to_printable(error) : NULL;
    if (row->is_surplus) {
        row->is_surplus = false;
        ovs_list_remove(&row->surplus_node);
    }
    if (error && !(old_error && !strcmp(old_error, error))) {
        COVERAGE_INC(vmmobd_bad_row);
        VLOG_WARN_RL(&db->rl, "%s: table %s: ignoring row "UUID_FMT": %s",
                     db->name, row->is_ofs ? "OFS" : "VMN",
                     UUID_ARGS(&row->uuid), row->error);
    }
    free(old_error);
}

static void
remove_from_table(struct sitedb *db, struct sitedb_row *row,
                  struct rowset *changed)
{
    if (row->named) {
        /* Also if it was bad before: the publisher wants to know. */
        rowset_add(changed, &row->name);
    }
    if (!row->used) {
        return;
    }
    row->used = false;
    db->changed = time_msec();
    db->n_used[row->is_ofs]--;
    if (row->is_ofs) {
        vmmob_table_remove_ofs(db->table, row->name.ofs);
        recheck_vmns_of(db, row->name.ofs, changed);
    } else {
        vmmob_table_remove_vmn(db->table, &row->name.key, row->name.ofs);
    }
}

/* Removes 'row', which may be null. */
static void
remove_row(struct sitedb *db, struct sitedb_row *row, struct rowset *changed)
{
    if (row) {
        clear_name(db, row, changed);
        set_error(db, row, NULL);
        hmap_remove(&db->rows_by_uuid[row->is_ofs], &row->uuid_node);
        db->size -= row->size;
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
