/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOBD_AGENT_H
#define VMMOBD_AGENT_H 1

/* The sync agent, put together
 * ============================
 *
 * Data goes three ways, each in one direction and in one turn of the main
 * loop:
 *
 *   databases --> sitedb --> known --> switch_link --> switch
 *   switch --> switch_link --> publisher --> this site's database
 *   Open_vSwitch database --> ports --> switch_link --> switch
 *
 * And what the switch needs goes back to where that begins:
 *
 *   switch --> switch_link --> networks --> scope of each sitedb
 *
 * What goes from one part to the next are the names of the rows that changed
 * (vmmobd-rowset.h).
 *
 * The agent can get all of its state back from the switch and from the
 * databases.  It has one thread. */

#include <stdbool.h>
#include <stddef.h>

#include "vmmobd-cert.h"
#include "vmmobd-check.h"
#include "vmmobd-known.h"
#include "vmmobd-limits.h"
#include "vmmobd-listener.h"
#include "vmmobd-metrics.h"
#include "vmmobd-networks.h"
#include "vmmobd-ports.h"
#include "vmmobd-rowset.h"
#include "vmmobd-settings.h"

struct simap;

struct agent {
    struct ovsdb_idl *conf;     /* The hypervisor's Open_vSwitch database. */
    bool take_ssl;              /* Take keys and certificates from there? */
    char *cert_files[CERT_N_KINDS];     /* Certificates in use, or NULL. */
    unsigned int conf_seqno;    /* IDL's when the settings were last read. */
    bool configured;            /* Were they ever? */
    struct settings settings;   /* The settings in force. */
    struct ports ports;         /* What it says of the interfaces. */

    struct sitedb **dbs;        /* This site's database, then the peers', in
                                 * order of rank. */
    size_t n_dbs;               /* 0 if not 'configured', otherwise more. */
    struct own_ofss own_ofss;   /* What the peers must not claim. */
    bool own_ofss_dirty;        /* To be brought up to date? */
    struct known known;         /* The union of their rows. */
    struct rowset news;         /* What of it changed in this turn. */

    struct switch_link *link;
    struct networks networks;   /* Which networks the databases are read of. */
    struct publisher *publisher;
    struct listener listener;
    struct check check;
    struct metrics metrics;
};

struct agent *agent_create(const char *conf_remote, const char *switch_remote,
                           bool take_ssl,
                           const char *const cert_files[CERT_N_KINDS]);
void agent_destroy(struct agent *);
void agent_run(struct agent *);
void agent_wait(const struct agent *);
void agent_get_memory_usage(const struct agent *, struct simap *);

#endif /* utilities/vmmobd-agent.h */
