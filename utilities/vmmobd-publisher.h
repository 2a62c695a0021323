/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOBD_PUBLISHER_H
#define VMMOBD_PUBLISHER_H 1

/* Writes what the switch authors into its site's database
 * =======================================================
 *
 * There is a set of wanted rows, those that the switch authors, and there is
 * the database.  The publisher keeps the names of rows in which the two may
 * differ, and makes the database right in these.  It need not remember how a
 * row came to differ, so no change can get lost: a transaction that fails just
 * puts the names back.
 *
 *   - A change goes out at once, also when earlier transactions have not been
 *     answered.  The IDL does not show what it has not got back from the
 *     server, though, so a row is in one transaction at a time.  Changes to it
 *     that come meanwhile are written together afterwards.
 *
 *   - If the server refuses a transaction, each row is tried alone, so that
 *     one does not keep others out of the database.
 *
 *   - Several hypervisors may share a database.  A row is removed only if the
 *     switch withdrew it or if its OFS has our system-id, and never if its OFS
 *     has another's system-id.
 *
 *   - An OFS that is another hypervisor's in the database, and was never ours
 *     there, is not written, nor are its VMNs: of two bridges with one
 *     datapath id, the first stays.  The row of a bridge that is the same in
 *     all else is ours: just the system-id is another one now.
 *
 *   - If someone else changes a row that the switch authors, the publisher
 *     puts it right, but at most once a second: it may be a hypervisor of an
 *     older version whose bridge has the same datapath id, and the two must
 *     not fight at full speed.
 *
 *   - If there are OFSs with our system-id that are not the switch's, even
 *     after what is from an earlier life was removed, then another hypervisor
 *     has the same system-id, and its rows are left alone. */

#include <stdbool.h>
#include <stddef.h>

#include "openvswitch/hmap.h"
#include "openvswitch/list.h"
#include "vmmob-stats.h"
#include "vmmobd-rowset.h"

struct sitedb;
struct vmmob_table;
struct vmmobrec_ofs;

struct publisher {
    const struct vmmob_table *wanted;   /* Not owned. */
    char *site;                 /* Goes into our rows in the OFS table. */
    char *system_id;            /* Goes into all our rows.  "" if there is
                                 * none. */

    struct hmap items;          /* Contains "struct publisher_item"s. */
    struct ovs_list queue;      /* The items that are to be looked at. */
    struct ovs_list flights;    /* Contains "struct publisher_flight"s. */
    size_t n_flights;
    bool reconcile;             /* Look at all rows? */
    bool reconciled;            /* Did so ever? */
    bool live;                  /* The database was up to date. */

    struct rowset held;         /* OFSs that are in the database as ours. */
    struct rowset written;      /* OFSs that were ever written there, even if
                                 * they are not wanted any more. */
    struct rowset barred;       /* OFSs that are wanted and not written, as
                                 * they are another hypervisor's there. */

    struct rowset repairs;      /* Rows that someone else changed. */
    long long int repair_time;  /* When to look at 'repairs', in ms. */

    size_t n_refused;           /* Items that the server has refused. */
    char *error;                /* Why it last refused one, NULL if 'n_refused'
                                 * is 0. */
    long long int retry_time;   /* When an item will be tried again, in ms;
                                 * LLONG_MAX if none. */
    unsigned long long int n_written;   /* Rows written. */
    struct vmmob_histogram commits;     /* How long that took. */
};

struct publisher *publisher_create(const struct vmmob_table *wanted);
void publisher_destroy(struct publisher *);
void publisher_set_identity(struct publisher *, const char *site,
                            const char *system_id);

void publisher_want(struct publisher *, const struct rowset *);
void publisher_reconcile(struct publisher *);
void publisher_note(struct publisher *, const struct sitedb *,
                    const struct rowset *changed);
void publisher_forget_db(struct publisher *);
const struct vmmobrec_ofs *publisher_find_clone(const struct publisher *,
                                                const struct sitedb *);

void publisher_run(struct publisher *, struct sitedb *);
void publisher_wait(const struct publisher *, const struct sitedb *);

#endif /* utilities/vmmobd-publisher.h */
