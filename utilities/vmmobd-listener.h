/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOBD_LISTENER_H
#define VMMOBD_LISTENER_H 1

/* What this site's database listens on for the other sites
 * ========================================================
 *
 * ovsdb-server listens on the remotes in its own table Connection, when it is
 * told so on its command line.  The listener sees to it that the configured
 * ones are there, read-only, and removes those that it once added and that are
 * no longer configured.  It leaves alone what others added. */

#include <stdbool.h>

#include "svec.h"

struct sitedb;

struct listener {
    struct svec wanted;         /* Passive remotes. */
    char *system_id;            /* Marks our rows.  "" if there is none. */
    struct svec problems;       /* Human-readable. */
    struct svec old_problems;   /* Those before, which need not be logged. */

    struct ovsdb_idl_txn *txn;  /* Transaction under way, or NULL. */
    bool dirty;                 /* Look at the database? */
    unsigned int idl_seqno;     /* IDL's when that was last done. */
    long long int retry_time;   /* Not before this, in ms. */
};

void listener_init(struct listener *);
void listener_destroy(struct listener *);
void listener_set(struct listener *, const struct svec *wanted,
                  const char *system_id);
void listener_forget_db(struct listener *);
void listener_run(struct listener *, const struct sitedb *);
void listener_wait(const struct listener *, const struct sitedb *);

#endif /* utilities/vmmobd-listener.h */
