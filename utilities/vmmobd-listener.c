/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "vmmobd-listener.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "coverage.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "ovsdb-idl.h"
#include "smap.h"
#include "timeval.h"
#include "util.h"
#include "utilities/vmmob-idl.h"
#include "vmmobd-settings.h"
#include "vmmobd-sitedb.h"
#include "vswitch-idl.h"

VLOG_DEFINE_THIS_MODULE(vmmobd_listener);

COVERAGE_DEFINE(vmmobd_listen_problem);
COVERAGE_DEFINE(vmmobd_listen_retry);

/* The key in external_ids of a Connection that says who added it. */
#define OWNER_KEY "vmmob-system-id"

#define RETRY_MSEC 1000

/* How long ovsdb-server may take to tell that it listens, in ms: it does so
 * every 2.5 s. */
#define PATIENCE_MSEC 5000

/* What LISTENER_ROLE may do with rows that have its name.  The columns do not
 * include system_id, so that nobody can give a row to another. */
static const struct listener_permission {
    const char *table;
    const char *update[7];      /* Columns. */
    size_t n_update;
} permissions[] = {
    { "OFS", { "gateway", "gateway_mac", "networks", "pools", "site",
               "uplink_mac", "uplink_prefix" }, 7 },
    { "VMN", { "addresses", "sequence", "state" }, 3 },
};

static bool set_words(struct svec *, const struct svec *);
static bool set_string(char **, const char *);

static bool find_silent(const struct listener *, const struct sitedb *,
                        struct svec *);
static bool finish(struct listener *, const struct sitedb *);
static void reconcile(struct listener *, const struct sitedb *);
static bool reconcile_connections(struct listener *, const struct sitedb *,
                                  const struct vmmobrec_vm_mobility *);
static bool reconcile_ssl(struct listener *, const struct sitedb *,
                          const struct vmmobrec_vm_mobility *);
static bool reconcile_role(struct listener *, const struct sitedb *);
static const struct vmmobrec_rbac_permission *find_permission(
    const struct sitedb *, const char *table);
static void set_permission(const struct vmmobrec_rbac_permission *,
                           const struct listener_permission *);
static bool permission_is_right(const struct vmmobrec_rbac_permission *,
                                const struct listener_permission *);
static void add_connection(struct listener *,
                           const struct vmmobrec_vm_mobility *,
                           const char *target, bool for_hvs);
static bool is_ours(const struct listener *, const struct smap *external_ids);
static void add_problem(struct listener *, const struct sitedb *, char *);

void
listener_init(struct listener *l)
{
    *l = (struct listener) {
        .wanted = SVEC_EMPTY_INITIALIZER,
        .wanted_hvs = SVEC_EMPTY_INITIALIZER,
        .system_id = xstrdup(""),
        .problems = SVEC_EMPTY_INITIALIZER,
        .old_problems = SVEC_EMPTY_INITIALIZER,
        .retry_time = LLONG_MIN,
        .silent_since = LLONG_MAX,
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
        svec_destroy(&l->wanted_hvs);
        free(l->ssl.private_key);
        free(l->ssl.certificate);
        free(l->ssl.ca_cert);
        svec_destroy(&l->problems);
        svec_destroy(&l->old_problems);
        free(l->system_id);
    }
}

/* Makes the database listen on what 's' says, with the key and the
 * certificates of 'ssl', which is null if none are configured. */
void
listener_set(struct listener *l, const struct settings *s,
             const struct ovsrec_ssl *ssl)
{
    bool changed = false;

    /* Names of files mean nothing on another host. */
    if (strncmp(s->db, "unix:", 5)) {
        ssl = NULL;
    }
    changed |= set_words(&l->wanted, &s->listen);
    changed |= set_words(&l->wanted_hvs, &s->listen_hvs);
    changed |= set_string(&l->system_id, s->system_id);
    changed |= set_string(&l->ssl.private_key, ssl ? ssl->private_key : NULL);
    changed |= set_string(&l->ssl.certificate, ssl ? ssl->certificate : NULL);
    changed |= set_string(&l->ssl.ca_cert, ssl ? ssl->ca_cert : NULL);
    if (changed) {
        l->dirty = true;
    }
}

/* Makes '*dst' like 'src'.  Returns true if it was not before. */
static bool
set_words(struct svec *dst, const struct svec *src)
{
    if (svec_equal(dst, src)) {
        return false;
    }
    svec_destroy(dst);
    svec_clone(dst, src);
    return true;
}

/* Makes '*dst' a copy of 'src'.  Returns true if it was not before. */
static bool
set_string(char **dst, const char *src)
{
    if (nullable_string_is_equal(*dst, src)) {
        return false;
    }
    free(*dst);
    *dst = nullable_xstrdup(src);
    return true;
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
    l->silent_since = LLONG_MAX;
}

void
listener_run(struct listener *l, const struct sitedb *db)
{
    unsigned int seqno = vmmobrec_vm_mobility_get_seqno(db->idl);

    seqno = MAX(seqno, vmmobrec_connection_get_seqno(db->idl));
    seqno = MAX(seqno, vmmobrec_ssl_get_seqno(db->idl));
    seqno = MAX(seqno, vmmobrec_rbac_role_get_seqno(db->idl));
    seqno = MAX(seqno, vmmobrec_rbac_permission_get_seqno(db->idl));

    if (l->txn && !finish(l, db)) {
        return;
    }
    if (db->live
        && (l->dirty || seqno != l->idl_seqno)
        && time_msec() >= l->retry_time) {
        l->dirty = false;
        l->idl_seqno = seqno;
        reconcile(l, db);
        if (!find_silent(l, db, NULL)) {
            l->silent_since = LLONG_MAX;
        } else if (l->silent_since == LLONG_MAX) {
            l->silent_since = time_msec();
        }
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

/* Returns true if ovsdb-server says that it listens on 'c' by TCP or TLS. */
static bool
listens(const struct vmmobrec_connection *c)
{
    return smap_get(&c->status, "bound_port") != NULL;
}

/* Adds to 'silent', unless that is null, the addresses of TCP and TLS that the
 * database 'db' is to listen on, as its contents say, and does not.  Returns
 * true if there are any. */
static bool
find_silent(const struct listener *l, const struct sitedb *db,
            struct svec *silent)
{
    const struct vmmobrec_connection *c;
    bool any = false;

    if (!db->live) {
        return false;
    }
    VMMOBREC_CONNECTION_FOR_EACH (c, db->idl) {
        if (strncmp(c->target, "punix:", 6) && !listens(c)
            && (svec_contains_unsorted(&l->wanted, c->target)
                || svec_contains_unsorted(&l->wanted_hvs, c->target))) {
            any = true;
            if (silent) {
                svec_add(silent, c->target);
            }
        }
    }
    return any;
}

/* Adds to 'silent' the configured addresses on which the server of 'db' does
 * not listen, although it had time to begin. */
void
listener_get_silent(const struct listener *l, const struct sitedb *db,
                    struct svec *silent)
{
    if (l->silent_since != LLONG_MAX
        && time_msec() - l->silent_since >= PATIENCE_MSEC) {
        find_silent(l, db, silent);
        svec_sort(silent);
    }
}

/* Returns true if the server of 'db' listens by TCP or TLS on anything that is
 * in its contents, whoever put it there. */
bool
listener_is_reachable(const struct sitedb *db)
{
    const struct vmmobrec_connection *c;

    VMMOBREC_CONNECTION_FOR_EACH (c, db->idl) {
        if (listens(c)) {
            return true;
        }
    }
    return false;
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
        COVERAGE_INC(vmmobd_listen_retry);
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
    bool change = false;

    svec_swap(&l->problems, &l->old_problems);
    svec_clear(&l->problems);
    l->txn = ovsdb_idl_txn_create(db->idl);
    if (!root && (l->wanted.n || l->wanted_hvs.n)) {
        root = vmmobrec_vm_mobility_insert(l->txn);
    }
    if (root) {
        /* Connections last, so that nobody gets in before the role is
         * there. */
        change |= reconcile_role(l, db);
        change |= reconcile_ssl(l, db, root);
        change |= reconcile_connections(l, db, root);
    }

    if (change) {
        finish(l, db);
    } else {
        ovsdb_idl_txn_destroy(l->txn);
        l->txn = NULL;
    }
}

/* Returns true if there is something to change. */
static bool
reconcile_connections(struct listener *l, const struct sitedb *db,
                      const struct vmmobrec_vm_mobility *root)
{
    struct svec missing = SVEC_EMPTY_INITIALIZER;
    struct svec missing_hvs = SVEC_EMPTY_INITIALIZER;
    bool change = false;

    svec_clone(&missing, &l->wanted);
    svec_clone(&missing_hvs, &l->wanted_hvs);
    for (size_t i = 0; i < root->n_connections; i++) {
        const struct vmmobrec_connection *c = root->connections[i];
        bool ours = is_ours(l, &c->external_ids);
        bool for_hvs = svec_contains_unsorted(&l->wanted_hvs, c->target);
        const char *role = for_hvs ? LISTENER_ROLE : READER_ROLE;

        if (!for_hvs && !svec_contains_unsorted(&l->wanted, c->target)) {
            if (ours) {
                vmmobrec_vm_mobility_update_connections_delvalue(root, c);
                change = true;
            }
            continue;
        }

        struct svec *words = for_hvs ? &missing_hvs : &missing;
        for (size_t j = 0; j < words->n; j++) {
            if (!strcmp(words->names[j], c->target)) {
                free(words->names[j]);
                words->names[j] = words->names[--words->n];
                break;
            }
        }
        if (c->read_only != !for_hvs || strcmp(c->role, role)) {
            if (ours) {
                /* ovsdb-server does not look at these again as long as it
                 * listens there.  So this one goes, and when it is gone, it is
                 * missing. */
                vmmobrec_vm_mobility_update_connections_delvalue(root, c);
                change = true;
            } else if (for_hvs || !c->read_only) {
                add_problem(l, db, xasprintf(
                                "external_ids:%s \"%s\": the database "
                                "listens on that already, and %s",
                                (for_hvs ? "vmmob-listen-hypervisors"
                                 : "vmmob-listen"), c->target,
                                (for_hvs ? "not with role "LISTENER_ROLE
                                 : "it is not read-only")));
            }
        }
    }
    for (size_t i = 0; i < missing.n; i++) {
        add_connection(l, root, missing.names[i], false);
        change = true;
    }
    for (size_t i = 0; i < missing_hvs.n; i++) {
        add_connection(l, root, missing_hvs.names[i], true);
        change = true;
    }
    svec_destroy(&missing);
    svec_destroy(&missing_hvs);
    return change;
}

static void
add_connection(struct listener *l, const struct vmmobrec_vm_mobility *root,
               const char *target, bool for_hvs)
{
    const struct smap ids = SMAP_CONST1(&ids, OWNER_KEY, l->system_id);
    const struct vmmobrec_connection *c = vmmobrec_connection_insert(l->txn);

    vmmobrec_connection_set_target(c, target);
    vmmobrec_connection_set_read_only(c, !for_hvs);
    vmmobrec_connection_set_role(c, for_hvs ? LISTENER_ROLE : READER_ROLE);
    vmmobrec_connection_set_external_ids(c, &ids);
    vmmobrec_vm_mobility_update_connections_addvalue(root, c);
}

/* Returns true if there is something to change. */
static bool
reconcile_ssl(struct listener *l, const struct sitedb *db,
              const struct vmmobrec_vm_mobility *root)
{
    const struct vmmobrec_ssl *ssl = root->ssl;
    const struct smap ids = SMAP_CONST1(&ids, OWNER_KEY, l->system_id);

    if (ssl && !is_ours(l, &ssl->external_ids)) {
        return false;
    }
    if (!l->ssl.private_key) {
        if (ssl) {
            vmmobrec_vm_mobility_set_ssl(root, NULL);
        }
        return ssl != NULL;
    }
    if (!vmmobrec_server_has_ssl_table(db->idl)) {
        add_problem(l, db, xstrdup("database has no table SSL, see ovsdb-tool "
                                   "convert"));
        return false;
    }
    if (ssl && !strcmp(ssl->private_key, l->ssl.private_key)
        && !strcmp(ssl->certificate, l->ssl.certificate)
        && !strcmp(ssl->ca_cert, l->ssl.ca_cert)) {
        return false;
    }
    if (!ssl) {
        ssl = vmmobrec_ssl_insert(l->txn);
        vmmobrec_ssl_set_external_ids(ssl, &ids);
        vmmobrec_vm_mobility_set_ssl(root, ssl);
    }
    vmmobrec_ssl_set_private_key(ssl, l->ssl.private_key);
    vmmobrec_ssl_set_certificate(ssl, l->ssl.certificate);
    vmmobrec_ssl_set_ca_cert(ssl, l->ssl.ca_cert);
    return true;
}

/* Returns true if there is something to change. */
static bool
reconcile_role(struct listener *l, const struct sitedb *db)
{
    const char *tables[ARRAY_SIZE(permissions)];
    struct vmmobrec_rbac_permission *rows[ARRAY_SIZE(permissions)];
    const struct vmmobrec_rbac_role *role;
    bool change = false;

    if (svec_is_empty(&l->wanted_hvs)) {
        return false;
    }
    if (!vmmobrec_server_has_rbac_role_table(db->idl)) {
        add_problem(l, db, xstrdup("database has no table RBAC_Role, see "
                                   "ovsdb-tool convert"));
        return false;
    }

    VMMOBREC_RBAC_ROLE_FOR_EACH (role, db->idl) {
        if (!strcmp(role->name, LISTENER_ROLE)) {
            break;
        }
    }
    if (role && role->n_permissions != ARRAY_SIZE(permissions)) {
        change = true;
    }
    for (size_t i = 0; i < ARRAY_SIZE(permissions); i++) {
        const struct listener_permission *p = &permissions[i];
        const struct vmmobrec_rbac_permission *row = find_permission(db,
                                                                     p->table);

        if (!row || !permission_is_right(row, p)) {
            if (!row) {
                row = vmmobrec_rbac_permission_insert(l->txn);
            }
            set_permission(row, p);
            change = true;
        }
        if (!role || i >= role->n_permissions
            || strcmp(role->key_permissions[i], p->table)
            || role->value_permissions[i] != row) {
            change = true;
        }
        tables[i] = p->table;
        rows[i] = CONST_CAST(struct vmmobrec_rbac_permission *, row);
    }
    if (change) {
        if (!role) {
            role = vmmobrec_rbac_role_insert(l->txn);
            vmmobrec_rbac_role_set_name(role, LISTENER_ROLE);
        }
        vmmobrec_rbac_role_set_permissions(role, tables, rows,
                                           ARRAY_SIZE(permissions));
    }
    return change;
}

static const struct vmmobrec_rbac_permission *
find_permission(const struct sitedb *db, const char *table)
{
    const struct vmmobrec_rbac_permission *row;

    VMMOBREC_RBAC_PERMISSION_FOR_EACH (row, db->idl) {
        if (!strcmp(row->table, table)) {
            return row;
        }
    }
    return NULL;
}

static void
set_permission(const struct vmmobrec_rbac_permission *row,
               const struct listener_permission *p)
{
    const char *authorization = "system_id";

    vmmobrec_rbac_permission_set_table(row, p->table);
    vmmobrec_rbac_permission_set_authorization(row, &authorization, 1);
    vmmobrec_rbac_permission_set_insert_delete(row, true);
    vmmobrec_rbac_permission_set_update(
        row, CONST_CAST(const char **, p->update), p->n_update);
}

static bool
permission_is_right(const struct vmmobrec_rbac_permission *row,
                    const struct listener_permission *p)
{
    if (row->n_authorization != 1
        || strcmp(row->authorization[0], "system_id")
        || !row->insert_delete
        || row->n_update != p->n_update) {
        return false;
    }
    for (size_t i = 0; i < p->n_update; i++) {
        /* Both are sorted. */
        if (strcmp(row->update[i], p->update[i])) {
            return false;
        }
    }
    return true;
}

/* Returns true if a row with 'external_ids' was added by us. */
static bool
is_ours(const struct listener *l, const struct smap *external_ids)
{
    return (l->system_id[0]
            && !strcmp(smap_get_def(external_ids, OWNER_KEY, ""),
                       l->system_id));
}

/* Takes ownership of 'problem'. */
static void
add_problem(struct listener *l, const struct sitedb *db, char *problem)
{
    static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 5);

    if (!svec_contains_unsorted(&l->old_problems, problem)
        && !svec_contains_unsorted(&l->problems, problem)) {
        COVERAGE_INC(vmmobd_listen_problem);
        VLOG_WARN_RL(&rl, "%s: %s", db->name, problem);
    }
    svec_add_nocopy(&l->problems, problem);
}
