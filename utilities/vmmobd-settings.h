/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOBD_SETTINGS_H
#define VMMOBD_SETTINGS_H 1

/* The settings of ovs-vmmobd: external_ids in table Open_vSwitch.
 *
 * A value that is wrong is left out, with a word in 'problems' about it, and
 * the others are used. */

#include <stdbool.h>
#include <stddef.h>

#include "svec.h"
#include "vmmobd-limits.h"

struct smap;

/* vmmob-metrics-interval, in s: unless configured, and at most. */
#define SETTINGS_METRICS_INTERVAL 15
#define SETTINGS_MAX_METRICS_INTERVAL 3600

/* Another site's database. */
struct settings_peer {
    char *name;                 /* For people; that of no other peer. */
    char *remote;               /* As in ovsdb_idl_create(). */
    struct limits limits;       /* vmmob-peer-pools and so on. */
};

struct settings {
    char *site;                 /* vmmob-site.  "" if unset. */
    char *system_id;            /* system-id.  "" if unset. */
    char *db;                   /* vmmob-db.  Remotes of this site's database,
                                 * as in ovsdb_idl_create().  Never NULL. */
    struct settings_peer *peers;    /* vmmob-peers, in the order given. */
    size_t n_peers;
    struct svec listen;         /* vmmob-listen.  Passive remotes for this
                                 * site's database, for the other sites. */
    struct svec listen_hvs;     /* vmmob-listen-hypervisors.  Likewise, for
                                 * the hypervisors of this site. */
    bool listen_elsewhere;      /* vmmob-listen is "none": the server is told
                                 * to listen by other means, or need not. */
    bool allow_plain_tcp;       /* vmmob-allow-plain-tcp. */
    char *metrics_file;         /* vmmob-metrics-file.  "" if unset. */
    long long int metrics_interval; /* vmmob-metrics-interval, in ms. */
    struct svec identity_problems;  /* Of system-id, human-readable. */
    struct svec problems;       /* Of the others, likewise. */
    struct svec warnings;       /* Likewise: in force, and not advisable. */
};

void settings_init(struct settings *);
void settings_destroy(struct settings *);
void settings_parse(struct settings *, const struct smap *external_ids,
                    const struct settings *old);

bool settings_is_known(const char *key);
bool settings_want_tls(const struct settings *);
bool settings_db_is_here(const struct settings *);

#endif /* utilities/vmmobd-settings.h */
