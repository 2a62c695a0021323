/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOBD_SITEDB_H
#define VMMOBD_SITEDB_H 1

/* A site's VM_Mobility database, as it is known here
 * ==================================================
 *
 * Keeps the rows that can be used, in a table of its own, and reports the
 * names of those that change.  What is in the database came from another site.
 * So a row that is not valid, or claims what the site may not claim
 * (vmmobd-limits.h), is counted, logged, and not used.  It is checked again
 * when its OFS's row, the limits or this site's OFSs change.
 *
 * A peer may have a limited number of VMNs and of OFSs.  The rest is surplus,
 * and used as soon as there is room.  A peer that sends far more is cut off
 * for a while, so that the memory it takes stays bounded.
 *
 * When the connection breaks, the rows stay as they were last known.  If that
 * lasts for more than a moment they are stale. */

#include <stdbool.h>
#include <stddef.h>

#include "hindex.h"
#include "openvswitch/hmap.h"
#include "openvswitch/list.h"
#include "openvswitch/uuid.h"
#include "openvswitch/vlog.h"
#include "vmmobd-limits.h"
#include "vmmobd-rowset.h"
#include "vmmobd-scope.h"

struct vmmobrec_ofs;
struct vmmobrec_vmn;

/* How long a connection may be broken before the rows are stale, in ms. */
#define SITEDB_STALE_MSEC 1000

/* How long a peer stays cut off, in ms. */
#define SITEDB_CUT_MSEC 60000

enum sitedb_state {
    SITEDB_CONNECTING,          /* Not reached yet. */
    SITEDB_READING,             /* Reached, not up to date. */
    SITEDB_CONNECTED,
    SITEDB_RECONNECTING,        /* The connection has just broken. */
    SITEDB_STALE,
    SITEDB_CUT_OFF,
    SITEDB_N_STATES
};

struct sitedb {
    char *name;                 /* For people. */
    char *remote;               /* As in ovsdb_idl_create(). */
    bool own;                   /* This site's, which we write? */
    struct limits limits;       /* What it may claim. */
    const struct own_ofss *own_ofss;    /* What it may not.  Not owned.  NULL
                                         * if 'own'. */
    struct ovsdb_idl *idl;
    struct scope scope;         /* Which VMNs are read. */
    long long int created;      /* When we began to read it, in ms. */

    struct vmmob_table *table;  /* The rows that can be used. */

    /* "struct sitedb_row"s.  Arrays are by 'is_ofs': of the VMN table, of the
     * OFS table. */
    struct hmap rows_by_uuid[2];    /* All. */
    struct hmap rows_by_name;   /* Those that have a name. */
    size_t size;                /* Bytes of text in all of them. */
    size_t n_bad;               /* Those that are not in 'table'. */
    struct hindex vmns_by_ofs;  /* VMN rows that have a name, by its 'ofs'. */
    size_t n_used[2];           /* Rows in 'table'. */
    struct ovs_list surplus[2]; /* Rows that are bad just because there are
                                 * more than 'limits.max_rows'. */
    struct vlog_rate_limit rl;  /* For what is wrong with its rows, so that
                                 * one does not drown what others do. */
    struct vlog_rate_limit state_rl;    /* Likewise for the connection. */

    bool live;                  /* Connected, and up to date? */
    bool stale;                 /* Not 'live' for more than a moment? */
    long long int dead_since;   /* When 'live' became false, in ms. */
    unsigned int dead_seqno;    /* IDL's then. */
    long long int changed;      /* When a row last changed, in ms; LLONG_MIN if
                                 * never. */
    unsigned int idl_seqno;     /* IDL's in the last run. */
    long long int cut_until;    /* Cut off until then, in ms; LLONG_MIN if
                                 * not. */
};

/* A row of the database. */
struct sitedb_row {
    struct hmap_node uuid_node; /* In 'rows_by_uuid[is_ofs]'. */
    struct hmap_node name_node; /* In 'rows_by_name', if 'named'. */
    struct uuid uuid;
    bool is_ofs;                /* In the OFS table?  Otherwise, in VMN. */
    bool named;                 /* Does 'name' say anything? */
    struct row_name name;
    struct hindex_node ofs_node;    /* In 'vmns_by_ofs', if a VMN row that is
                                     * 'named'. */
    bool used;                  /* In 'table'? */
    bool is_surplus;            /* In 'surplus'? */
    struct ovs_list surplus_node;
    char *error;                /* Why it cannot be used, NULL if it can. */
    size_t size;                /* Bytes of text in it. */
};

struct sitedb *sitedb_create(const char *remote, const struct own_ofss *);
void sitedb_destroy(struct sitedb *, struct rowset *changed);
void sitedb_configure(struct sitedb *, const char *name, const struct limits *,
                      struct rowset *changed);
void sitedb_recheck_ofss(struct sitedb *, struct rowset *changed);
void sitedb_run(struct sitedb *, struct rowset *changed);
void sitedb_wait(const struct sitedb *);

bool sitedb_has_contents(const struct sitedb *);
bool sitedb_has_read(const struct sitedb *, const struct vmmob_network_ids *);
enum sitedb_state sitedb_get_state(const struct sitedb *);
const char *sitedb_state_to_word(enum sitedb_state);
const char *sitedb_state_to_string(const struct sitedb *);
const struct vmmobrec_vmn *sitedb_find_vmn(const struct sitedb *,
                                           const struct row_name *);
const struct vmmobrec_ofs *sitedb_find_ofs(const struct sitedb *,
                                           const struct row_name *);
bool sitedb_is_of(const struct sitedb *, uint64_t ofs,
                  const char *system_id);
bool sitedb_is_of_other(const struct sitedb *, uint64_t ofs,
                        const char *system_id);
void sitedb_add_all(const struct sitedb *, struct rowset *);
void sitedb_add_vmns_of(const struct sitedb *, uint64_t ofs, struct rowset *);

#endif /* utilities/vmmobd-sitedb.h */
