/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOBD_KNOWN_H
#define VMMOBD_KNOWN_H 1

/* What is known of all sites
 * ==========================
 *
 * The union of the rows of all databases.  The databases are ranked: this
 * site's own comes first, then the others as they are configured.
 *
 *   - An OFS belongs to the first database that has a row for it.
 *
 *   - A VMN row counts only in the database that its OFS belongs to.  So no
 *     site can speak for an OFS of a site that ranks before it.  (That it does
 *     not speak for one of this site is seen to in vmmobd-sitedb.h.) */

#include <stddef.h>
#include <stdint.h>

#include "openvswitch/hmap.h"

struct rowset;
struct sitedb;

struct known {
    struct vmmob_table *table;  /* The union. */
    struct hmap owners;         /* Contains "struct known_owner"s. */
};

/* What database an OFS belongs to. */
struct known_owner {
    struct hmap_node node;      /* In 'owners' of "struct known", by 'ofs'. */
    uint64_t ofs;
    const struct sitedb *db;
};

void known_init(struct known *);
void known_destroy(struct known *);
void known_update(struct known *, struct sitedb **, size_t n,
                  struct rowset *changed);
const struct sitedb *known_find_owner(const struct known *, uint64_t ofs);

#endif /* utilities/vmmobd-known.h */
