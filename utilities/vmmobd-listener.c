/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "vmmobd-listener.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "ovsdb-idl.h"
#include "smap.h"
#include "timeval.h"
#include "util.h"
#include "utilities/vmmob-idl.h"
#include "vmmobd-sitedb.h"

VLOG_DEFINE_THIS_MODULE(vmmobd_listener);

/* The key in external_ids of a Connection that says who added it. */
#define OWNER_KEY "vmmob-system-id"

#define RETRY_MSEC 1000

static bool finish(struct listener *, const struct sitedb *);
static void reconcile(struct listener *, const struct sitedb *);
static void add_connections(struct listener *, struct ovsdb_idl_txn *,
                            const struct vmmobrec_vm_mobility *,
                            const struct svec *targets);
static bool is_ours(const struct listener *,
                    const struct vmmobrec_connection *);
static void add_problem(struct listener *, const struct sitedb *, char *);

void
listener_init(struct listener *l)
{
    *l = (struct listener) {
        .wanted = SVEC_EMPTY_INITIALIZER,
        .system_id = xstrdup(""),
        .problems = SVEC_EMPTY_INITIALIZER,
        .old_problems = SVEC_EMPTY_INITIALIZER,
        .retry_time = LLONG_MIN,
    };
}

/* Frees what 'l' owns, but not 'l' itself.  The database must still be there,
 * if a transaction is under way. */
void
listener_destroy(struct listener *l)
{
    if (l) {
        listener_forget_db(l);
        svec_destroy(&l->wanted);
        svec_destroy(&l->problems);
        svec_destroy(&l->old_problems);
        free(l->system_id);
    }
}

/* Makes 'wanted' what the database is to listen on. */
void
listener_set(struct listener *l, const struct svec *wanted,
             const char *system_id)
{
    if (!svec_equal(wanted, &l->wanted) || strcmp(system_id, l->system_id)) {
        svec_destroy(&l->wanted);
        svec_clone(&l->wanted, wanted);
        free(l->system_id);
        l->system_id = xstrdup(system_id);
        l->dirty = true;
    }
}

/* Makes 'l' ready for another database. */
void
listener_forget_db(struct listener *l)
{
    if (l->txn) {
        ovsdb_idl_txn_destroy(l->txn);
        l->txn = NULL;
    }
    l->dirty = true;
    l->retry_time = LLONG_MIN;
}

void
listener_run(struct listener *l, const struct sitedb *db)
{
    unsigned int seqno = MAX(vmmobrec_vm_mobility_get_seqno(db->idl),
                             vmmobrec_connection_get_seqno(db->idl));

    if (l->txn && !finish(l, db)) {
        return;
    }
    if (db->live
        && (l->dirty || seqno != l->idl_seqno)
        && time_msec() >= l->retry_time) {
        l->dirty = false;
        l->idl_seqno = seqno;
        reconcile(l, db);
    }
}

void
listener_wait(const struct listener *l, const struct sitedb *db)
{
    if (l->txn) {
        ovsdb_idl_txn_wait(l->txn);
    } else if (db->live && l->dirty) {
        poll_timer_wait_until(l->retry_time);
    }
}

/* Returns true if the transaction has ended. */
static bool
finish(struct listener *l, const struct sitedb *db)
{
    enum ovsdb_idl_txn_status status = ovsdb_idl_txn_commit(l->txn);

    if (status == TXN_INCOMPLETE) {
        return false;
    }
    if (status == TXN_ERROR) {
        add_problem(l, db, xasprintf("cannot set what the database listens "
                                     "on: %s",
                                     ovsdb_idl_txn_get_error(l->txn)));
    }
    if (status != TXN_SUCCESS && status != TXN_UNCHANGED) {
        l->dirty = true;
        l->retry_time = time_msec() + RETRY_MSEC;
    }
    ovsdb_idl_txn_destroy(l->txn);
    l->txn = NULL;
    return true;
}

static void
reconcile(struct listener *l, const struct sitedb *db)
{
    const struct vmmobrec_vm_mobility *root
        = vmmobrec_vm_mobility_first(db->idl);
    struct svec missing;
    bool change;

    svec_swap(&l->problems, &l->old_problems);
    svec_clear(&l->problems);
    svec_clone(&missing, &l->wanted);
    l->txn = ovsdb_idl_txn_create(db->idl);
    change = false;
    for (size_t i = 0; root && i < root->n_connections; i++) {
        const struct vmmobrec_connection *c = root->connections[i];

        if (svec_contains_unsorted(&l->wanted, c->target)) {
            size_t j;

            for (j = 0; j < missing.n; j++) {
                if (!strcmp(missing.names[j], c->target)) {
                    free(missing.names[j]);
                    missing.names[j] = missing.names[--missing.n];
                    break;
                }
            }

            if (!c->read_only) {
                if (is_ours(l, c)) {
                    vmmobrec_connection_set_read_only(c, true);
                    change = true;
                } else {
                    add_problem(l, db, xasprintf(
                                    "external_ids:vmmob-listen \"%s\": the "
                                    "database listens on that already, and "
                                    "it is not read-only", c->target));
                }
            }
        } else if (is_ours(l, c)) {
            vmmobrec_vm_mobility_update_connections_delvalue(root, c);
            change = true;
        }
    }
    if (!svec_is_empty(&missing)) {
        add_connections(l, l->txn, root, &missing);
        change = true;
    }
    svec_destroy(&missing);

    if (change) {
        finish(l, db);
    } else {
        ovsdb_idl_txn_destroy(l->txn);
        l->txn = NULL;
    }
}

/* 'root' is null if there is none yet. */
static void
add_connections(struct listener *l, struct ovsdb_idl_txn *txn,
                const struct vmmobrec_vm_mobility *root,
                const struct svec *targets)
{
    struct vmmobrec_connection **connections
        = xmalloc(targets->n * sizeof *connections);

    for (size_t i = 0; i < targets->n; i++) {
        const struct smap ids = SMAP_CONST1(&ids, OWNER_KEY, l->system_id);

        connections[i] = vmmobrec_connection_insert(txn);
        vmmobrec_connection_set_target(connections[i], targets->names[i]);
        vmmobrec_connection_set_read_only(connections[i], true);
        vmmobrec_connection_set_external_ids(connections[i], &ids);
        if (root) {
            vmmobrec_vm_mobility_update_connections_addvalue(root,
                                                             connections[i]);
        }
    }
    if (!root) {
        vmmobrec_vm_mobility_set_connections(vmmobrec_vm_mobility_insert(txn),
                                             connections, targets->n);
    }
    free(connections);
}

static bool
is_ours(const struct listener *l, const struct vmmobrec_connection *c)
{
    return (l->system_id[0]
            && !strcmp(smap_get_def(&c->external_ids, OWNER_KEY, ""),
                       l->system_id));
}

/* Takes ownership of 'problem'. */
static void
add_problem(struct listener *l, const struct sitedb *db, char *problem)
{
    static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 5);

    if (!svec_contains_unsorted(&l->old_problems, problem)
        && !svec_contains_unsorted(&l->problems, problem)) {
        VLOG_WARN_RL(&rl, "%s: %s", db->remote, problem);
    }
    svec_add_nocopy(&l->problems, problem);
}
