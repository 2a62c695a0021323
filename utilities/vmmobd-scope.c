/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "vmmobd-scope.h"

#include <stdlib.h>
#include <string.h>

#include "coverage.h"
#include "openvswitch/poll-loop.h"
#include "ovsdb-idl.h"
#include "timeval.h"
#include "util.h"
#include "utilities/vmmob-idl.h"
#include "vmmob-binding.h"

COVERAGE_DEFINE(vmmobd_scope);
COVERAGE_DEFINE(vmmobd_scope_ignored);

/* Time between looks at what the IDL waits for, in ms. */
#define RETRY_MSEC 500

static struct ovsdb_idl *create_idl(bool own);
static void apply(struct scope *, struct ovsdb_idl *);
static void take_as_read(struct scope *);

/* Initializes 's' to read nothing. */
void
scope_init(struct scope *s)
{
    *s = (struct scope) { .system_id = xstrdup("") };
}

/* Frees what 's' owns, but not 's' itself. */
void
scope_destroy(struct scope *s)
{
    if (s) {
        vmmob_network_ids_destroy(&s->networks);
        vmmob_network_ids_destroy(&s->read);
        free(s->ofss);
        free(s->system_id);
    }
}

/* Reads the VMNs of 'networks', and not those of others. */
void
scope_set_networks(struct scope *s, const struct vmmob_network_ids *networks)
{
    if (!vmmob_network_ids_equal(networks, &s->networks)) {
        vmmob_network_ids_destroy(&s->networks);
        vmmob_network_ids_clone(&s->networks, networks);
        vmmob_network_ids_intersect(&s->read, networks);
        s->changed = true;
    }
}

/* Also reads the VMNs of the 'n' 'ofss', and those of the system 'system_id',
 * unless that is "". */
void
scope_set_own(struct scope *s, const uint64_t *ofss, size_t n,
              const char *system_id)
{
    if (n == s->n_ofss && (!n || !memcmp(ofss, s->ofss, n * sizeof *ofss))
        && !strcmp(system_id, s->system_id)) {
        return;
    }
    free(s->ofss);
    s->ofss = n ? xmemdup(ofss, n * sizeof *ofss) : NULL;
    s->n_ofss = n;
    free(s->system_id);
    s->system_id = xstrdup(system_id);
    s->own_read = false;
    s->changed = true;
}

/* Begins anew: nothing has been read.  Returns an IDL that is not connected,
 * which the caller owns.  'own' is true for this site's database, which is
 * also to be written. */
struct ovsdb_idl *
scope_start(struct scope *s, bool own)
{
    struct ovsdb_idl *idl = create_idl(own);

    vmmob_network_ids_destroy(&s->read);
    s->read = (struct vmmob_network_ids) { .n = 0 };
    s->own_read = s->live = s->by_system = false;
    apply(s, idl);
    return idl;
}

/* Tells the server of 'idl' what is to be read, and finds out what has been.
 * 'live' says whether it is connected and 'idl' up to date with what it was
 * told last. */
void
scope_run(struct scope *s, struct ovsdb_idl *idl, bool live)
{
    bool began = live && !s->live;

    s->live = live;
    if (s->changed || began
        || (live && s->pending && time_msec() >= s->retry_time)) {
        /* If it was told already, this just finds out whether it has answered:
         * a new connection may have begun with what is wanted now. */
        apply(s, idl);
    }
    if (live && s->pending
        && ovsdb_idl_get_condition_seqno(idl) >= s->seqno) {
        take_as_read(s);
    } else if (live && s->pending && time_msec() >= s->give_up_time) {
        COVERAGE_INC(vmmobd_scope_ignored);
        take_as_read(s);
    }
}

void
scope_wait(const struct scope *s)
{
    if (s->changed) {
        poll_immediate_wake();
    } else if (s->live && s->pending) {
        poll_timer_wait_until(MIN(s->retry_time, s->give_up_time));
    }
}

static struct ovsdb_idl *
create_idl(bool own)
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
        /* See vmmobd-check.h. */
        ovsdb_idl_add_column(idl, &vmmobrec_ofs_col_external_ids);
        ovsdb_idl_omit_alert(idl, &vmmobrec_ofs_col_external_ids);

        ovsdb_idl_add_column(idl, &vmmobrec_vm_mobility_col_connections);
        ovsdb_idl_add_column(idl, &vmmobrec_vm_mobility_col_ssl);
        ovsdb_idl_add_column(idl, &vmmobrec_connection_col_target);
        ovsdb_idl_add_column(idl, &vmmobrec_connection_col_read_only);
        ovsdb_idl_add_column(idl, &vmmobrec_connection_col_role);
        ovsdb_idl_add_column(idl, &vmmobrec_connection_col_external_ids);
        ovsdb_idl_add_column(idl, &vmmobrec_connection_col_status);
        ovsdb_idl_add_column(idl, &vmmobrec_ssl_col_private_key);
        ovsdb_idl_add_column(idl, &vmmobrec_ssl_col_certificate);
        ovsdb_idl_add_column(idl, &vmmobrec_ssl_col_ca_cert);
        ovsdb_idl_add_column(idl, &vmmobrec_ssl_col_external_ids);
        ovsdb_idl_add_column(idl, &vmmobrec_rbac_role_col_name);
        ovsdb_idl_add_column(idl, &vmmobrec_rbac_role_col_permissions);
        ovsdb_idl_add_column(idl, &vmmobrec_rbac_permission_col_table);
        ovsdb_idl_add_column(idl, &vmmobrec_rbac_permission_col_authorization);
        ovsdb_idl_add_column(idl, &vmmobrec_rbac_permission_col_insert_delete);
        ovsdb_idl_add_column(idl, &vmmobrec_rbac_permission_col_update);

        /* Only one author writes a row, so there are no half-changed rows to
         * be afraid of. */
        ovsdb_idl_set_write_changed_only_all(idl, true);
    }

    /* Any server of a cluster will do, and a relay as well.  Transactions
     * find their way to the leader. */
    ovsdb_idl_set_leader_only(idl, false);
    return idl;
}

static void
apply(struct scope *s, struct ovsdb_idl *idl)
{
    struct ovsdb_idl_condition cond;
    long long int now = time_msec();
    bool by_system;

    /* Older databases do not have the column.  Nobody knows whether there is
     * one before it has been read once, and a server refuses conditions with
     * columns that are not there. */
    by_system = (s->system_id[0] && ovsdb_idl_has_ever_connected(idl)
                 && vmmobrec_server_has_vmn_table_col_system_id(idl));

    ovsdb_idl_condition_init(&cond);
    if (s->networks.all) {
        ovsdb_idl_condition_add_clause_true(&cond);
    }
    for (size_t i = 0; i < s->networks.n; i++) {
        vmmobrec_vmn_add_clause_tenant(&cond, OVSDB_F_EQ, s->networks.ids[i]);
    }
    for (size_t i = 0; i < s->n_ofss; i++) {
        char *id = xasprintf(VMMOB_OFS_ID_FMT, s->ofss[i]);

        vmmobrec_vmn_add_clause_ofs(&cond, OVSDB_F_EQ, id);
        free(id);
    }
    if (by_system) {
        vmmobrec_vmn_add_clause_system_id(&cond, OVSDB_F_EQ, s->system_id);
    }
    s->seqno = vmmobrec_vmn_set_condition(idl, &cond);
    ovsdb_idl_condition_destroy(&cond);

    if (s->changed || by_system != s->by_system || !s->pending) {
        COVERAGE_INC(vmmobd_scope);
        s->give_up_time = now + SCOPE_PATIENCE;
    }
    s->pending = true;
    s->changed = false;
    s->by_system = by_system;
    s->retry_time = now + RETRY_MSEC;
}

/* Notes that all has been read that the server was told. */
static void
take_as_read(struct scope *s)
{
    s->pending = false;
    s->own_read = true;
    vmmob_network_ids_destroy(&s->read);
    vmmob_network_ids_clone(&s->read, &s->networks);
}
