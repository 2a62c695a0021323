/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOBD_CHECK_H
#define VMMOBD_CHECK_H 1

/* Whether this site's database stores what is written
 * ====================================================
 *
 * A database whose disk is full answers as ever until something is written to
 * it.  At a hypervisor where nothing else happens, that is when a VM comes.
 * So whoever is about to send a VM there asks before.  Then we write something
 * that changes nothing, into 'external_ids' of the row of an OFS of this
 * switch, and answer what the server answers.
 *
 * If role-based access control does not allow that, the answer is not known.
 * That is no error. */

#include <stddef.h>

struct sitedb;
struct unixctl_conn;
struct vmmob_table;

struct check {
    struct unixctl_conn **conns;    /* Who waits for an answer. */
    size_t n_conns, allocated_conns;
    struct ovsdb_idl_txn *txn;  /* NULL if none is under way. */
};

void check_destroy(struct check *);
void check_answer(struct check *, struct unixctl_conn *);
void check_forget_db(struct check *);
void check_run(struct check *, const struct sitedb *,
               const struct vmmob_table *wanted);
void check_wait(const struct check *);

#endif /* utilities/vmmobd-check.h */
