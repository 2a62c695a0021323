/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOBD_KNOWN_H
#define VMMOBD_KNOWN_H 1

/* What is known of all sites
 * ==========================
 *
 * The union of the rows of all databases.  The databases are ranked: this
 * site's own comes first, then the others as they are configured.
 *
 *   - An OFS belongs to the first database that has a row for it: the first in
 *     time, which keeps it as long as it has that row.  Of databases that are
 *     there when the agent starts, nobody can tell which was first.  So then,
 *     for KNOWN_ORDER_MSEC, the first in rank has it, in whatever order they
 *     were read.
 *
 *   - A VMN row counts only in the database that its OFS belongs to.  So no
 *     site can speak for an OFS that another one has.  (vmmobd-sitedb.h sees
 *     to it that it does not speak for one of this site.)
 *
 *   - A VMN row does not count if its sequence number is too far above all
 *     others for the VMN; see VMMOB_MAX_SEQNO_GAP.  This site's own rows count
 *     in any case. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "openvswitch/hmap.h"
#include "vmmobd-rowset.h"

struct sitedb;

struct known {
    struct vmmob_table *table;  /* The union, without the OFSs' networks, which
                                 * the switch need not know. */
    char *system_id;            /* Ours, "" if not known: all OFSs of others
                                 * are "foreign". */
    struct hmap owners;         /* Contains "struct known_owner"s. */
    struct rowset refused;      /* VMN rows whose sequence number cannot be
                                 * right. */
    struct rowset high;         /* For VMNs with a row whose number is above
                                 * VMMOB_MAX_SEQNO_GAP: the key, OFS 0. */
};

/* What database an OFS belongs to. */
struct known_owner {
    struct hmap_node node;      /* In 'owners' of "struct known", by 'ofs'. */
    uint64_t ofs;
    const struct sitedb *db;
    long long int since;        /* When 'db' got it, in ms. */
};

/* How long the rank of a database that was just added tells who owns what, in
 * ms. */
#define KNOWN_ORDER_MSEC 10000

void known_init(struct known *);
void known_destroy(struct known *);
bool known_set_system_id(struct known *, const char *);
void known_update(struct known *, struct sitedb **, size_t n,
                  struct rowset *changed);
const struct sitedb *known_find_owner(const struct known *, uint64_t ofs);

#endif /* utilities/vmmobd-known.h */
