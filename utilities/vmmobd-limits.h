/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOBD_LIMITS_H
#define VMMOBD_LIMITS_H 1

/* What a site may claim
 * =====================
 *
 * A row that another site sends can be well-formed and still say what it has
 * no right to say.  Three things are checked, each by a function that looks
 * only at its arguments:
 *
 *   - A VMN row must fit the row of its OFS, in the same database: the OFS
 *     hands out addresses of its own pools only.
 *
 *   - An OFS of another site must not be one of ours, nor have an address that
 *     one of ours may hand out.
 *
 *   - A peer may be limited by configuration to some pools, to some home
 *     addresses, and to some networks.
 *
 * All functions that check return NULL if all is well, otherwise an error
 * message that the caller must free(). */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmmob-prefix-set.h"

struct vmmob_ofs;
struct vmmob_table;
struct vmmob_vmn;

/* Prefixes that are allowed. */
struct prefix_limit {
    bool limited;               /* Otherwise all are. */
    struct vmmob_prefix *prefixes;  /* Owned. */
    size_t n;                   /* If 0 and 'limited', then none is. */
};

/* Networks that are allowed. */
struct network_limit {
    bool limited;               /* Otherwise all are. */
    struct network_range {
        uint32_t first, last;   /* Ids of networks. */
    } *ranges;                  /* Owned. */
    size_t n;                   /* If 0 and 'limited', then none is. */
};

/* How many VMNs and how many OFSs a peer may have, unless configured: those of
 * a large site, whose hypervisors have 20 VMs each. */
#define LIMITS_MAX_VMNS 100000
#define LIMITS_MAX_OFSS 5000

/* The limits of one peer. */
struct limits {
    struct prefix_limit pools;  /* What its OFSs' pools must be in. */
    struct prefix_limit homes;  /* What its VMNs' HoAs must be in. */
    struct network_limit networks;  /* What networks its VMNs must be in. */
    size_t max_rows[2];         /* Most rows to use, by 'is_ofs': of its VMN
                                 * table, of its OFS table. */
};

void limits_init(struct limits *);
void limits_destroy(struct limits *);
void limits_clone(struct limits *, const struct limits *);
bool limits_equals(const struct limits *, const struct limits *);
char *limits_check_ofs(const struct limits *, const struct vmmob_ofs *);
char *limits_check_vmn(const struct limits *, const struct vmmob_vmn *);

void prefix_limit_add(struct prefix_limit *, const struct vmmob_prefix *);
void prefix_limit_allow_none(struct prefix_limit *);
void network_limit_add(struct network_limit *, uint32_t first, uint32_t last);
void network_limit_allow_none(struct network_limit *);
bool network_limit_allows(const struct network_limit *, uint32_t id);

char *vmn_check_ofs(const struct vmmob_vmn *, const char *system_id,
                    const struct vmmob_ofs *, const char *ofs_system_id);

/* The OFSs of this site and the addresses that they may hand out. */
struct own_ofss {
    uint64_t *ids;              /* In ascending order, none twice. */
    size_t n_ids;
    struct vmmob_prefix *pools; /* All their pools. */
    size_t n_pools;
    struct vmmob_prefix_set addrs;  /* The addresses in 'pools'. */
};

void own_ofss_init(struct own_ofss *);
void own_ofss_destroy(struct own_ofss *);
bool own_ofss_set(struct own_ofss *, const struct vmmob_table *,
                  const struct vmmob_table *);
char *own_ofss_check(const struct own_ofss *, const struct vmmob_ofs *);

#endif /* utilities/vmmobd-limits.h */
