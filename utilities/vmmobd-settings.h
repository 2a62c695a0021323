/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOBD_SETTINGS_H
#define VMMOBD_SETTINGS_H 1

/* What ovs-vmmobd is told by external_ids in table Open_vSwitch.
 *
 * A value that is wrong is left out, with a word in 'problems' about it, and
 * the others are used. */

#include "svec.h"

struct smap;

struct settings {
    char *site;                 /* vmmob-site.  "" if unset. */
    char *system_id;            /* system-id.  "" if unset. */
    char *db;                   /* vmmob-db.  Remotes of this site's database,
                                 * as in ovsdb_idl_create().  Never NULL. */
    struct svec peers;          /* vmmob-peers.  Like 'db', those of the other
                                 * sites' databases, in the order given. */
    struct svec listen;         /* vmmob-listen.  Passive remotes for this
                                 * site's database. */
    struct svec problems;       /* Human-readable. */
};

void settings_init(struct settings *);
void settings_destroy(struct settings *);
void settings_parse(struct settings *, const struct smap *external_ids,
                    const struct settings *old);

#endif /* utilities/vmmobd-settings.h */
