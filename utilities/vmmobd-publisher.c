/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "vmmobd-publisher.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "coverage.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "ovsdb-idl.h"
#include "packets.h"
#include "timeval.h"
#include "util.h"
#include "utilities/vmmob-idl.h"
#include "vmmob-table.h"
#include "vmmobd-record.h"
#include "vmmobd-sitedb.h"

VLOG_DEFINE_THIS_MODULE(vmmobd_publisher);

COVERAGE_DEFINE(vmmobd_publish);
COVERAGE_DEFINE(vmmobd_publish_barred);
COVERAGE_DEFINE(vmmobd_publish_refused);
COVERAGE_DEFINE(vmmobd_publish_repair);
COVERAGE_DEFINE(vmmobd_publish_retry);
COVERAGE_DEFINE(vmmobd_publish_takeover);

/* Most transactions to have under way.  If the server is slower than that, one
 * larger transaction is better than many small ones. */
#define MAX_FLIGHTS 8

/* Most rows in a transaction.  The server does nothing else meanwhile. */
#define MAX_ROWS 500

/* Time between repairs, and time until a row that the server has refused is
 * tried again, at first and at most, in ms. */
#define REPAIR_MSEC 1000
#define MIN_RETRY_MSEC 1000
#define MAX_RETRY_MSEC 60000

/* A row that is to be written or is being written. */
struct publisher_item {
    struct hmap_node node;      /* In 'items' of its publisher, by 'name'. */
    struct row_name name;

    bool queued;                /* In 'queue'? */
    struct ovs_list queue_node; /* In 'queue' of its publisher. */

    struct publisher_flight *flight;    /* Transaction that it is in, or
                                         * NULL. */
    struct ovs_list flight_node;        /* In 'items' of 'flight'. */

    long long int wanted_since; /* When it was first queued for what is to be
                                 * written, in us. */
    long long int flight_since; /* Likewise, for what is in 'flight'. */
    uint64_t moved;             /* If the flight is about a move, the VMN's
                                 * sequence number, otherwise 0. */

    bool alone;                 /* In a transaction of its own, because the
                                 * server has refused it? */
    int retry_msec;             /* Backoff, 0 before the first refusal. */
    long long int not_before;   /* When to try again, in ms. */
};

/* A transaction under way. */
struct publisher_flight {
    struct ovs_list node;       /* In 'flights' of its publisher. */
    struct ovsdb_idl_txn *txn;
    struct ovs_list items;      /* Contains "struct publisher_item"s. */
};

static bool is_ready(const struct sitedb *);
static void reconcile(struct publisher *, const struct sitedb *);
static void repair(struct publisher *, const struct sitedb *);

static bool launch(struct publisher *, const struct sitedb *);
static void land(struct publisher *, const struct sitedb *);
static void finish(struct publisher *, struct publisher_flight *,
                   enum ovsdb_idl_txn_status, const struct sitedb *);
static void refused(struct publisher *, struct publisher_item *);
static uint64_t get_move(const struct publisher *, const struct sitedb *,
                         const struct row_name *);
static void committed(struct publisher *, const struct publisher_item *);

static bool differs(const struct publisher *, const struct sitedb *,
                    const struct row_name *);
static bool write_row(struct publisher *, const struct sitedb *,
                      const struct row_name *, struct ovsdb_idl_txn *);
static bool write_vmn(struct publisher *, const struct sitedb *,
                      const struct row_name *, struct ovsdb_idl_txn *);
static bool write_ofs(struct publisher *, const struct sitedb *,
                      const struct row_name *, struct ovsdb_idl_txn *);
static struct vmmob_ofs *get_wanted_ofs(const struct publisher *,
                                        uint64_t id);
static void free_wanted_ofs(struct vmmob_ofs *);
static bool is_wanted(const struct publisher *, const struct row_name *);
static const char *vmn_system_id(const struct publisher *,
                                 const struct sitedb *);
static bool has_networks(const struct sitedb *);
static bool is_ours(const struct publisher *, const struct sitedb *,
                    uint64_t ofs);
static bool is_our_vmn(const struct publisher *, const struct sitedb *,
                       const struct row_name *);
static bool may_write(const struct publisher *, const struct sitedb *,
                      uint64_t ofs);

static struct publisher_item *find_item(const struct publisher *,
                                        const struct row_name *);
static void enqueue(struct publisher *, const struct row_name *);
static void enqueue_item(struct publisher *, struct publisher_item *);
static void free_item(struct publisher *, struct publisher_item *);
static void add_all_wanted(const struct publisher *, struct rowset *);

/* Creates and returns a publisher of 'wanted', which must stay as long as the
 * publisher. */
struct publisher *
publisher_create(const struct vmmob_table *wanted)
{
    struct publisher *p = xzalloc(sizeof *p);

    p->wanted = wanted;
    p->site = xstrdup("");
    p->system_id = xstrdup("");
    hmap_init(&p->items);
    ovs_list_init(&p->queue);
    ovs_list_init(&p->flights);
    rowset_init(&p->held);
    rowset_init(&p->written);
    rowset_init(&p->barred);
    rowset_init(&p->repairs);
    p->repair_time = LLONG_MIN;
    p->retry_time = LLONG_MAX;
    return p;
}

/* Destroys 'p'.  The database must still be there, if transactions are under
 * way. */
void
publisher_destroy(struct publisher *p)
{
    if (p) {
        publisher_forget_db(p);
        hmap_destroy(&p->items);
        rowset_destroy(&p->held);
        rowset_destroy(&p->written);
        rowset_destroy(&p->barred);
        rowset_destroy(&p->repairs);
        free(p->site);
        free(p->system_id);
        free(p);
    }
}

/* Sets what goes into our rows along with what the switch says. */
void
publisher_set_identity(struct publisher *p, const char *site,
                       const char *system_id)
{
    struct rowset all = ROWSET_INITIALIZER(&all);

    if (!strcmp(site, p->site) && !strcmp(system_id, p->system_id)) {
        return;
    }
    free(p->site);
    p->site = xstrdup(site);
    free(p->system_id);
    p->system_id = xstrdup(system_id);

    add_all_wanted(p, &all);
    publisher_want(p, &all);
    rowset_destroy(&all);
}

/* Tells 'p' that the wanted rows changed that 'set' names. */
void
publisher_want(struct publisher *p, const struct rowset *set)
{
    const struct rowset_node *node;

    /* If it takes several transactions, then a VMN that gets another OFS has a
     * row at each moment, and each row of a VMN has one of its OFS. */
    static const struct {
        bool wanted, is_ofs;
    } order[] = { { true, true }, { true, false },
                  { false, false }, { false, true } };

    for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
        ROWSET_FOR_EACH (node, set) {
            if (node->name.is_ofs == order[i].is_ofs
                && is_wanted(p, &node->name) == order[i].wanted) {
                enqueue(p, &node->name);
            }
        }
    }
}

/* Tells 'p' that this hypervisor must have no other rows in the database than
 * the wanted ones. */
void
publisher_reconcile(struct publisher *p)
{
    p->reconcile = true;
}

/* Tells 'p' that the rows of 'db' changed that 'changed' names. */
void
publisher_note(struct publisher *p, const struct sitedb *db,
               const struct rowset *changed)
{
    const struct rowset_node *node;

    ROWSET_FOR_EACH (node, changed) {
        const struct row_name *name = &node->name;

        if (rowset_contains(&p->barred, name)
            && may_write(p, db, name->ofs)) {
            rowset_remove(&p->barred, rowset_find(&p->barred, name));
            p->reconcile = true;
        }
        /* Our own changes come by here as well, before the answer that ends
         * the transaction.  finish() will see to those. */
        if ((vmmob_table_find_ofs(p->wanted, name->ofs)
             || (name->is_ofs && rowset_contains(&p->written, name))
             || is_our_vmn(p, db, name))
            && !find_item(p, name) && differs(p, db, name)) {
            rowset_add(&p->repairs, name);
        }
    }
}

/* Makes 'p' ready for another database, in which nothing is known to be right
 * or wrong. */
void
publisher_forget_db(struct publisher *p)
{
    struct publisher_flight *flight;
    struct publisher_item *item;

    LIST_FOR_EACH_POP (flight, node, &p->flights) {
        ovsdb_idl_txn_destroy(flight->txn);
        free(flight);
    }
    p->n_flights = 0;
    HMAP_FOR_EACH_SAFE (item, node, &p->items) {
        hmap_remove(&p->items, &item->node);
        free(item);
    }
    ovs_list_init(&p->queue);
    rowset_clear(&p->held);
    rowset_clear(&p->written);
    rowset_clear(&p->barred);
    rowset_clear(&p->repairs);
    p->n_refused = 0;
    free(p->error);
    p->error = NULL;
    p->retry_time = LLONG_MAX;
}

/* Returns a row of 'db' that another hypervisor with our system-id has
 * written, or NULL if there is none. */
const struct vmmobrec_ofs *
publisher_find_clone(const struct publisher *p, const struct sitedb *db)
{
    const struct vmmob_ofs_entry *entry;

    if (!p->reconciled || p->reconcile || !p->system_id[0]) {
        return NULL;
    }
    HMAP_FOR_EACH (entry, node, vmmob_table_ofs_entries(db->table)) {
        struct row_name name = row_name_of_ofs(entry->ofs.id);
        const struct vmmobrec_ofs *row = sitedb_find_ofs(db, &name);

        if (row && !strcmp(row->system_id, p->system_id)
            && !is_wanted(p, &name) && !rowset_contains(&p->written, &name)
            && !find_item(p, &name)) {
            return row;
        }
    }
    return NULL;
}

/* Does what is to be done in 'db'. */
void
publisher_run(struct publisher *p, struct sitedb *db)
{
    land(p, db);
    if (db->live && !p->live && p->reconciled) {
        /* A server that was gone may have lost what it has stored last. */
        p->reconcile = true;
    }
    p->live = db->live;
    if (!is_ready(db)) {
        return;
    }
    if (p->reconcile) {
        reconcile(p, db);
    }
    if (!rowset_is_empty(&p->repairs) && time_msec() >= p->repair_time) {
        repair(p, db);
    }
    if (time_msec() >= p->retry_time) {
        p->retry_time = LLONG_MAX;
    }
    while (launch(p, db)) {
        continue;
    }
}

void
publisher_wait(const struct publisher *p, const struct sitedb *db)
{
    const struct publisher_flight *flight;

    LIST_FOR_EACH (flight, node, &p->flights) {
        ovsdb_idl_txn_wait(flight->txn);
    }
    if (is_ready(db)) {
        if (!rowset_is_empty(&p->repairs)) {
            poll_timer_wait_until(p->repair_time);
        }
        if (p->retry_time != LLONG_MAX) {
            poll_timer_wait_until(p->retry_time);
        }
    }
}

/* Returns true if it is known what 'db' has of our rows: otherwise, a row that
 * is there would be inserted once more. */
static bool
is_ready(const struct sitedb *db)
{
    return db->live && db->scope.own_read;
}

/* Queues all rows in which 'db' may differ from what is wanted. */
static void
reconcile(struct publisher *p, const struct sitedb *db)
{
    struct rowset all = ROWSET_INITIALIZER(&all);
    const struct sitedb_row *row;

    p->reconcile = false;
    p->reconciled = true;
    add_all_wanted(p, &all);
    HMAP_FOR_EACH (row, name_node, &db->rows_by_name) {
        if (is_ours(p, db, row->name.ofs)
            || is_our_vmn(p, db, &row->name)) {
            rowset_add(&all, &row->name);
        }
    }
    publisher_want(p, &all);
    rowset_destroy(&all);
}

/* Queues the rows that someone else changed. */
static void
repair(struct publisher *p, const struct sitedb *db)
{
    const struct rowset_node *node;
    size_t n = 0;

    ROWSET_FOR_EACH (node, &p->repairs) {
        if (differs(p, db, &node->name)) {
            enqueue(p, &node->name);
            n++;
        }
    }
    rowset_clear(&p->repairs);
    p->repair_time = time_msec() + REPAIR_MSEC;
    if (n) {
        static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 5);

        COVERAGE_INC(vmmobd_publish_repair);
        VLOG_WARN_RL(&rl, "%s: %"PRIuSIZE" rows of this hypervisor are not "
                     "as it wrote them, putting them right", db->remote, n);
    }
}

/* Sends a transaction with rows from the queue.  Returns true if there may be
 * more to send. */
static bool
launch(struct publisher *p, const struct sitedb *db)
{
    long long int now = time_msec();
    struct publisher_flight *flight;
    enum ovsdb_idl_txn_status status;
    struct publisher_item *item;
    bool more = false;
    size_t n = 0;

    if (p->n_flights >= MAX_FLIGHTS || ovs_list_is_empty(&p->queue)) {
        return false;
    }

    flight = xmalloc(sizeof *flight);
    flight->txn = ovsdb_idl_txn_create(db->idl);
    ovs_list_init(&flight->items);
    LIST_FOR_EACH_SAFE (item, queue_node, &p->queue) {
        if (item->flight) {
            continue;
        } else if (now < item->not_before) {
            p->retry_time = MIN(p->retry_time, item->not_before);
            continue;
        } else if (n && (item->alone || n >= MAX_ROWS)) {
            more = true;
            break;
        }

        ovs_list_remove(&item->queue_node);
        item->queued = false;
        item->flight_since = item->wanted_since;
        item->wanted_since = LLONG_MAX;
        item->moved = get_move(p, db, &item->name);
        if (write_row(p, db, &item->name, flight->txn)) {
            n++;
            item->flight = flight;
            ovs_list_push_back(&flight->items, &item->flight_node);
            if (item->alone) {
                more = true;
                break;
            }
        } else {
            free_item(p, item);
        }
    }

    /* Also if there is nothing to write: that ends the transaction. */
    COVERAGE_ADD(vmmobd_publish, n);
    p->n_written += n;
    status = ovsdb_idl_txn_commit(flight->txn);
    ovs_list_push_back(&p->flights, &flight->node);
    p->n_flights++;
    if (status != TXN_INCOMPLETE) {
        finish(p, flight, status, db);
        return more && status != TXN_TRY_AGAIN;
    }
    return more;
}

/* Takes care of the transactions that have ended. */
static void
land(struct publisher *p, const struct sitedb *db)
{
    struct publisher_flight *flight;

    LIST_FOR_EACH_SAFE (flight, node, &p->flights) {
        enum ovsdb_idl_txn_status status = ovsdb_idl_txn_commit(flight->txn);

        if (status != TXN_INCOMPLETE) {
            finish(p, flight, status, db);
        }
    }
}

/* Destroys 'flight', which has ended with 'status'. */
static void
finish(struct publisher *p, struct publisher_flight *flight,
       enum ovsdb_idl_txn_status status, const struct sitedb *db)
{
    bool error = status == TXN_ERROR;
    bool ok = status == TXN_SUCCESS || status == TXN_UNCHANGED;
    struct publisher_item *item;

    if (error) {
        static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 5);
        const char *s = ovsdb_idl_txn_get_error(flight->txn);

        free(p->error);
        p->error = xstrdup(s);
        COVERAGE_INC(vmmobd_publish_refused);
        VLOG_WARN_RL(&rl, "%s: database refuses to be written (%s), will keep "
                     "trying", db->remote, s);
    }

    LIST_FOR_EACH_POP (item, flight_node, &flight->items) {
        item->flight = NULL;
        if (ok) {
            committed(p, item);
        } else {
            item->wanted_since = item->flight_since;
        }
        if (error) {
            refused(p, item);
        } else if (!ok) {
            COVERAGE_INC(vmmobd_publish_retry);
            enqueue_item(p, item);
        } else if (!item->queued) {
            struct row_name name = item->name;

            free_item(p, item);
            if (differs(p, db, &name)) {
                /* Someone else was faster, or the server answers before it
                 * tells what changed. */
                rowset_add(&p->repairs, &name);
            }
        }
    }
    ovs_list_remove(&flight->node);
    p->n_flights--;
    ovsdb_idl_txn_destroy(flight->txn);
    free(flight);
}

/* If the VMN whose row is called 'name' has moved since it was written into
 * 'db', returns the new sequence number, otherwise 0. */
static uint64_t
get_move(const struct publisher *p, const struct sitedb *db,
         const struct row_name *name)
{
    const struct vmmob_vmn *vmn = (name->is_ofs ? NULL
                                   : vmmob_table_find_row(p->wanted,
                                                          &name->key,
                                                          name->ofs));
    const struct vmmobrec_vmn *row = vmn ? sitedb_find_vmn(db, name) : NULL;

    return (vmn && vmn->state == VMMOB_ACTIVE
            && !(row && row->sequence == vmn->seqno
                 && !strcmp(row->state, vmmob_state_to_string(vmn->state)))
            ? vmn->seqno : 0);
}

/* Notes that what 'item' was in a transaction for is in the database now. */
static void
committed(struct publisher *p, const struct publisher_item *item)
{
    static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(50 * 60, 500);
    long long int us = MAX(0, time_usec() - item->flight_since);

    if (item->name.is_ofs && is_wanted(p, &item->name)) {
        rowset_add(&p->held, &item->name);
    }
    vmmob_histogram_add(&p->commits, us);
    if (item->moved) {
        VLOG_INFO_RL(&rl, "VMN "ETH_ADDR_FMT": at OFS "VMMOB_OFS_ID_FMT" with "
                     "sequence number %"PRIu64"; ms: committed %lld.%03lld",
                     ETH_ADDR_ARGS(item->name.key.mac), item->name.ofs,
                     item->moved, us / 1000, us % 1000);
    }
}

/* Queues 'item', which was in a transaction that the server has refused. */
static void
refused(struct publisher *p, struct publisher_item *item)
{
    if (item->alone) {
        item->retry_msec = (item->retry_msec
                            ? MIN(2 * item->retry_msec, MAX_RETRY_MSEC)
                            : MIN_RETRY_MSEC);
        item->not_before = time_msec() + item->retry_msec;
    }
    p->n_refused += !item->alone;
    item->alone = true;
    enqueue_item(p, item);
}

/* Rows. */

/* Returns true if the switch authors the row called 'name'. */
static bool
is_wanted(const struct publisher *p, const struct row_name *name)
{
    return (name->is_ofs
            ? vmmob_table_find_ofs(p->wanted, name->ofs) != NULL
            : vmmob_table_find_row(p->wanted, &name->key, name->ofs) != NULL);
}

/* Returns true if a row that the switch authors is not in 'db' as it should
 * be. */
static bool
differs(const struct publisher *p, const struct sitedb *db,
        const struct row_name *name)
{
    if (is_wanted(p, name) && !may_write(p, db, name->ofs)) {
        return false;
    } else if (name->is_ofs) {
        const struct vmmobrec_ofs *row = sitedb_find_ofs(db, name);
        struct vmmob_ofs *ofs = get_wanted_ofs(p, name->ofs);
        bool differs = (ofs
                        ? !(row && ofs_is_in_row(ofs, p->system_id,
                                                 has_networks(db), row))
                        : row && !sitedb_is_of_other(db, name->ofs,
                                                     p->system_id));

        free_wanted_ofs(ofs);
        return differs;
    } else {
        const struct vmmobrec_vmn *row = sitedb_find_vmn(db, name);
        const struct vmmob_vmn *vmn = vmmob_table_find_row(p->wanted,
                                                           &name->key,
                                                           name->ofs);

        /* A row of one of our OFSs that the switch does not author must be
         * removed. */
        return (vmn
                ? !(row && vmn_is_in_row(vmn, vmn_system_id(p, db), row))
                : row != NULL);
    }
}

/* Adds to 'txn' what makes the row called 'name' in 'db' right.  Returns false
 * if it is right already. */
static bool
write_row(struct publisher *p, const struct sitedb *db,
          const struct row_name *name, struct ovsdb_idl_txn *txn)
{
    return (name->is_ofs
            ? write_ofs(p, db, name, txn)
            : write_vmn(p, db, name, txn));
}

static bool
write_vmn(struct publisher *p, const struct sitedb *db,
          const struct row_name *name, struct ovsdb_idl_txn *txn)
{
    const struct vmmobrec_vmn *row = sitedb_find_vmn(db, name);
    const struct vmmob_vmn *vmn = vmmob_table_find_row(p->wanted, &name->key,
                                                       name->ofs);

    if (!vmn) {
        if (!row || sitedb_is_of_other(db, name->ofs, p->system_id)) {
            return false;
        }
        vmmobrec_vmn_delete(row);
        return true;
    }

    if (!may_write(p, db, name->ofs)
        || (row && vmn_is_in_row(vmn, vmn_system_id(p, db), row))) {
        return false;
    }
    if (!row) {
        row = vmmobrec_vmn_insert(txn);
        vmn_name_to_row(vmn, row);
    }
    vmn_to_row(vmn, vmn_system_id(p, db), row);
    return true;
}

static bool
write_ofs(struct publisher *p, const struct sitedb *db,
          const struct row_name *name, struct ovsdb_idl_txn *txn)
{
    const struct vmmobrec_ofs *row = sitedb_find_ofs(db, name);
    struct vmmob_ofs *ofs = get_wanted_ofs(p, name->ofs);
    bool write = false;

    if (!ofs) {
        rowset_remove(&p->held, rowset_find(&p->held, name));
        rowset_remove(&p->barred, rowset_find(&p->barred, name));
        if (row && !sitedb_is_of_other(db, name->ofs, p->system_id)) {
            vmmobrec_ofs_delete(row);
            write = true;
        }
    } else if (!may_write(p, db, name->ofs)) {
        static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 5);

        if (rowset_add(&p->barred, name)) {
            COVERAGE_INC(vmmobd_publish_barred);
            VLOG_WARN_RL(&rl, "%s: OFS "VMMOB_OFS_ID_FMT" is that of system "
                         "\"%s\", not writing it nor its VMNs; make sure that "
                         "no two bridges have one datapath id", db->remote,
                         ofs->id, row->system_id);
        }
    } else if (!row || !ofs_is_in_row(ofs, p->system_id, has_networks(db),
                                      row)) {
        if (!row) {
            row = vmmobrec_ofs_insert(txn);
            ofs_name_to_row(ofs, row);
        } else if (sitedb_is_of_other(db, name->ofs, p->system_id)) {
            static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 5);

            COVERAGE_INC(vmmobd_publish_takeover);
            VLOG_WARN_RL(&rl, "%s: OFS "VMMOB_OFS_ID_FMT" was that of system "
                         "\"%s\", taking it over; make sure that no other "
                         "bridge has this datapath id",
                         db->remote, ofs->id, row->system_id);
        }
        ofs_to_row(ofs, p->system_id, has_networks(db), row);
        rowset_add(&p->written, name);
        write = true;
    } else {
        rowset_add(&p->held, name);
        rowset_add(&p->written, name);
    }
    free_wanted_ofs(ofs);
    return write;
}

/* Returns the OFS as it should be in the database, or NULL if it should not
 * be there.  The caller must free it with free_wanted_ofs(). */
static struct vmmob_ofs *
get_wanted_ofs(const struct publisher *p, uint64_t id)
{
    const struct vmmob_ofs *ofs = vmmob_table_find_ofs(p->wanted, id);
    struct vmmob_ofs *copy;

    if (!ofs) {
        return NULL;
    }
    copy = xmalloc(sizeof *copy);
    vmmob_ofs_clone(copy, ofs);
    if (p->site[0]) {
        free(copy->site);
        copy->site = xstrdup(p->site);
    }
    return copy;
}

static void
free_wanted_ofs(struct vmmob_ofs *ofs)
{
    vmmob_ofs_destroy(ofs);
    free(ofs);
}

/* Returns what goes into column "system_id" of the VMN table, or NULL if 'db'
 * was made before there was that column. */
static const char *
vmn_system_id(const struct publisher *p, const struct sitedb *db)
{
    return (vmmobrec_server_has_vmn_table_col_system_id(db->idl)
            ? p->system_id
            : NULL);
}

/* Returns false if 'db' was made before there was column "networks" of the OFS
 * table. */
static bool
has_networks(const struct sitedb *db)
{
    return vmmobrec_server_has_ofs_table_col_networks(db->idl);
}

/* Returns true if 'ofs' is certainly one of this hypervisor's. */
static bool
is_ours(const struct publisher *p, const struct sitedb *db, uint64_t ofs)
{
    struct row_name name = row_name_of_ofs(ofs);
    const struct vmmobrec_ofs *row;

    if (vmmob_table_find_ofs(p->wanted, ofs)) {
        return true;
    }
    row = sitedb_find_ofs(db, &name);
    return row && p->system_id[0] && !strcmp(row->system_id, p->system_id);
}

/* Returns true if 'name' is that of a VMN row in 'db' which this hypervisor
 * wrote, even if its OFS is gone.  A server that answers before it tells what
 * changed may show such a row only after it should have been removed. */
static bool
is_our_vmn(const struct publisher *p, const struct sitedb *db,
           const struct row_name *name)
{
    const struct vmmobrec_vmn *row
        = name->is_ofs ? NULL : sitedb_find_vmn(db, name);

    const struct row_name ofs = row_name_of_ofs(name->ofs);

    return (row && p->reconciled && p->system_id[0]
            && vmn_system_id(p, db)
            && !strcmp(row->system_id, p->system_id)
            && (is_wanted(p, &ofs) || rowset_contains(&p->written, &ofs)
                || !sitedb_find_ofs(db, &ofs)));
}

/* Returns true unless 'ofs', which the switch authors, is another
 * hypervisor's in 'db' and was not ours there before. */
static bool
may_write(const struct publisher *p, const struct sitedb *db, uint64_t ofs)
{
    struct row_name name = row_name_of_ofs(ofs);
    const struct vmmob_ofs *wanted = vmmob_table_find_ofs(p->wanted, ofs);
    const struct vmmob_ofs *there = vmmob_table_find_ofs(db->table, ofs);

    return (!sitedb_is_of_other(db, ofs, p->system_id)
            || rowset_contains(&p->held, &name)
            || (wanted && there && vmmob_ofs_same_bridge(wanted, there)));
}

/* Items. */

static struct publisher_item *
find_item(const struct publisher *p, const struct row_name *name)
{
    struct publisher_item *item;

    HMAP_FOR_EACH_WITH_HASH (item, node, row_name_hash(name), &p->items) {
        if (row_name_equals(&item->name, name)) {
            return item;
        }
    }
    return NULL;
}

static void
enqueue(struct publisher *p, const struct row_name *name)
{
    struct publisher_item *item = find_item(p, name);

    if (!item) {
        item = xzalloc(sizeof *item);
        item->name = *name;
        item->wanted_since = LLONG_MAX;
        hmap_insert(&p->items, &item->node, row_name_hash(name));
    }
    item->wanted_since = MIN(item->wanted_since, time_usec());
    enqueue_item(p, item);
}

static void
enqueue_item(struct publisher *p, struct publisher_item *item)
{
    if (item->queued) {
        return;
    }
    item->queued = true;
    if (item->name.is_ofs
        && vmmob_table_find_ofs(p->wanted, item->name.ofs)) {
        /* VMNs of an OFS that is not known are not used. */
        ovs_list_push_front(&p->queue, &item->queue_node);
    } else {
        ovs_list_push_back(&p->queue, &item->queue_node);
    }
}

/* Removes and frees 'item', which must not be queued nor in a transaction. */
static void
free_item(struct publisher *p, struct publisher_item *item)
{
    p->n_refused -= item->alone;
    if (!p->n_refused) {
        free(p->error);
        p->error = NULL;
    }
    hmap_remove(&p->items, &item->node);
    free(item);
}

static void
add_all_wanted(const struct publisher *p, struct rowset *set)
{
    const struct vmmob_ofs_entry *ofs_entry;
    const struct vmmob_entry *entry;

    HMAP_FOR_EACH (ofs_entry, node, vmmob_table_ofs_entries(p->wanted)) {
        struct row_name name = row_name_of_ofs(ofs_entry->ofs.id);

        rowset_add(set, &name);
    }
    HMAP_FOR_EACH (entry, node, vmmob_table_entries(p->wanted)) {
        const struct vmmob_row *row;

        LIST_FOR_EACH (row, node, &entry->rows) {
            struct row_name name = row_name_of_vmn(&entry->key, row->vmn.ofs);

            rowset_add(set, &name);
        }
    }
}
