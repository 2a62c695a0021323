/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "vmmobd-check.h"

#include <string.h>

#include "coverage.h"
#include "openvswitch/poll-loop.h"
#include "ovsdb-idl.h"
#include "timeval.h"
#include "unixctl.h"
#include "util.h"
#include "utilities/vmmob-idl.h"
#include "vmmob-table.h"
#include "vmmobd-sitedb.h"

COVERAGE_DEFINE(vmmobd_check);
COVERAGE_DEFINE(vmmobd_check_failed);

/* The key in external_ids. */
#define CHECK_KEY "vmmob-checked"

static void start(struct check *, const struct sitedb *,
                  const struct vmmob_table *wanted);
static void reply(struct check *, const char *error);

/* Frees what 'check' owns, but not 'check' itself.  Nobody is answered: the
 * connections must be gone. */
void
check_destroy(struct check *check)
{
    if (check->txn) {
        ovsdb_idl_txn_destroy(check->txn);
    }
    free(check->conns);
}

/* Answers 'conn', later, whether the database stores what is written. */
void
check_answer(struct check *check, struct unixctl_conn *conn)
{
    if (check->n_conns >= check->allocated_conns) {
        check->conns = x2nrealloc(check->conns, &check->allocated_conns,
                                  sizeof *check->conns);
    }
    check->conns[check->n_conns++] = conn;
}

/* Makes 'check' ready for another database. */
void
check_forget_db(struct check *check)
{
    if (check->txn) {
        ovsdb_idl_txn_destroy(check->txn);
        check->txn = NULL;
    }
}

/* Does what is to be done about 'db'.  'wanted' is what the switch authors. */
void
check_run(struct check *check, const struct sitedb *db,
          const struct vmmob_table *wanted)
{
    if (check->n_conns && !check->txn) {
        start(check, db, wanted);
    }
    if (check->txn) {
        enum ovsdb_idl_txn_status status = ovsdb_idl_txn_commit(check->txn);
        char *error = NULL;

        if (status == TXN_INCOMPLETE) {
            return;
        } else if (status == TXN_ERROR) {
            const char *s = ovsdb_idl_txn_get_error(check->txn);

            if (!strstr(s, "permission error")) {
                error = xstrdup(s);
            }
        } else if (status != TXN_SUCCESS && status != TXN_UNCHANGED) {
            error = xstrdup("it was not reached");
        }
        check_forget_db(check);
        reply(check, error);
        free(error);
    }
}

void
check_wait(const struct check *check)
{
    if (check->txn) {
        ovsdb_idl_txn_wait(check->txn);
    } else if (check->n_conns) {
        poll_immediate_wake();
    }
}

/* Writes to 'db', or answers at once if that is not possible. */
static void
start(struct check *check, const struct sitedb *db,
      const struct vmmob_table *wanted)
{
    const struct vmmobrec_ofs *row = NULL;
    const struct vmmob_ofs_entry *oe;

    COVERAGE_INC(vmmobd_check);
    if (!db->live) {
        reply(check, "it is not connected");
        return;
    }
    HMAP_FOR_EACH (oe, node, vmmob_table_ofs_entries(wanted)) {
        const struct row_name name = row_name_of_ofs(oe->ofs.id);

        row = sitedb_find_ofs(db, &name);
        if (row) {
            break;
        }
    }
    if (!row) {
        reply(check, "there is no row of a bridge of this switch in it");
        return;
    }

    char *value = xasprintf("%lld", time_wall_msec());

    check->txn = ovsdb_idl_txn_create(db->idl);
    vmmobrec_ofs_update_external_ids_setkey(row, CHECK_KEY, value);
    free(value);
}

/* Answers all that wait.  'error' is NULL if all is well. */
static void
reply(struct check *check, const char *error)
{
    if (error) {
        COVERAGE_INC(vmmobd_check_failed);
    }
    for (size_t i = 0; i < check->n_conns; i++) {
        if (error) {
            unixctl_command_reply_error(check->conns[i], error);
        } else {
            unixctl_command_reply(check->conns[i], NULL);
        }
    }
    check->n_conns = 0;
}
