/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOBD_SCOPE_H
#define VMMOBD_SCOPE_H 1

/* What of a database is read
 * ==========================
 *
 * A site may have very many VMNs, of networks that this hypervisor has no VM
 * of.  So of table VMN we read just the rows of some networks, by a condition
 * that the database's server applies ("tenant" equals this or that), and of
 * this site's database those that this hypervisor wrote.  Table OFS is read
 * as a whole.
 *
 * What is to be read changes while it is read.  Until the server says that it
 * has sent all, rows that are not there mean nothing.
 *
 * Functions that change what is to be read have no effect before the next
 * scope_run(). */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmmob-network.h"

struct ovsdb_idl;

/* How long a server may take to answer, in ms.  One that does not is taken for
 * one that knows no conditions, and always sends all rows. */
#define SCOPE_PATIENCE 3000

struct scope {
    /* What is to be read. */
    struct vmmob_network_ids networks;  /* VMNs of these networks... */
    uint64_t *ofss;             /* ...and of these OFSs, in any order... */
    size_t n_ofss;
    char *system_id;            /* ...and of this system.  "" if of none. */

    bool changed;               /* Since the server was told? */
    bool by_system;             /* Was the server told of 'system_id'? */
    bool live;                  /* In the last run. */
    bool pending;               /* The server has not sent all of that. */
    unsigned int seqno;         /* IDL's when it has. */
    long long int retry_time;   /* When to look again at that, in ms... */
    long long int give_up_time; /* ...and until when. */

    /* What has been read. */
    struct vmmob_network_ids read;  /* All VMNs of these networks... */
    bool own_read;              /* ...and of all OFSs and of the system. */
};

void scope_init(struct scope *);
void scope_destroy(struct scope *);
void scope_set_networks(struct scope *, const struct vmmob_network_ids *);
void scope_set_own(struct scope *, const uint64_t *ofss, size_t n,
                   const char *system_id);

struct ovsdb_idl *scope_start(struct scope *, bool own);
void scope_run(struct scope *, struct ovsdb_idl *, bool live);
void scope_wait(const struct scope *);

#endif /* utilities/vmmobd-scope.h */
