/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOBD_LISTENER_H
#define VMMOBD_LISTENER_H 1

/* What this site's database listens on
 * ====================================
 *
 * If its command line says so, ovsdb-server listens on the remotes in its own
 * table Connection.  The listener adds the configured ones there, and removes
 * those that it added and that are no longer configured.  It leaves alone what
 * others added.
 *
 *   - Remotes for other sites are read-only.  They have the role READER_ROLE,
 *     which may do nothing: without a role, ovsdb-server lets also those that
 *     are read-only "convert" a database, with all that is in it.
 *
 *   - Remotes for the other hypervisors of this site have the role
 *     LISTENER_ROLE, with which a hypervisor can write just the rows that have
 *     its name, as its certificate says it, in column system_id.  The listener
 *     also says in tables RBAC_Role and RBAC_Permission what that means.
 *
 *   - For TLS, ovsdb-server needs a key and certificates.  It can be told to
 *     find their names in table SSL, so the listener puts there those that the
 *     hypervisor's Open_vSwitch database names. */

#include <stdbool.h>

#include "svec.h"

struct ovsrec_ssl;
struct settings;
struct sitedb;

/* The role of hypervisors that share a database. */
#define LISTENER_ROLE "vmmob-hypervisor"

/* That of other sites, in no table. */
#define READER_ROLE "vmmob-reader"

/* The names of files for TLS.  All NULL if not to be set. */
struct listener_ssl {
    char *private_key;
    char *certificate;
    char *ca_cert;
};

struct listener {
    struct svec wanted;         /* Passive remotes for other sites. */
    struct svec wanted_hvs;     /* Likewise, for hypervisors of this site. */
    struct listener_ssl ssl;    /* For these. */
    char *system_id;            /* Marks our rows.  "" if there is none. */
    struct svec problems;       /* Human-readable. */
    struct svec old_problems;   /* Those before, which need not be logged. */

    struct ovsdb_idl_txn *txn;  /* Transaction under way, or NULL. */
    bool dirty;                 /* Look at the database? */
    unsigned int idl_seqno;     /* IDL's when that was last done. */
    long long int retry_time;   /* Not before this, in ms. */
    long long int silent_since; /* Since when the server has not listened on
                                 * all that is wanted, in ms; LLONG_MAX if it
                                 * does. */
};

void listener_init(struct listener *);
void listener_destroy(struct listener *);
void listener_set(struct listener *, const struct settings *,
                  const struct ovsrec_ssl *);
void listener_forget_db(struct listener *);
void listener_run(struct listener *, const struct sitedb *);
void listener_wait(const struct listener *, const struct sitedb *);
void listener_get_silent(const struct listener *, const struct sitedb *,
                         struct svec *);
bool listener_is_reachable(const struct sitedb *);

#endif /* utilities/vmmobd-listener.h */
