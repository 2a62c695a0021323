/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_NETWORK_H
#define VMMOB_NETWORK_H 1

/* Networks
 * ========
 *
 * A network is what the VMs of one tenant are in.  Its id is the 'tenant' of
 * their VMNs.  An OFS tells which networks it has and which home prefixes each
 * of them has there, so that others can see whether they mean the same.
 *
 * Also sets of ids, which say what VMNs someone needs to know of.
 *
 * Pure data, like lib/vmmob-binding.h; not thread-safe. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmmob-addr.h"

struct ds;

/* Most networks that an OFS may have. */
#define VMMOB_MAX_NETWORKS 4096

/* Most home prefixes that a network may have. */
#define VMMOB_MAX_NETWORK_HOMES 8

/* A network at an OFS. */
struct vmmob_network {
    uint32_t id;                /* 0 for the one that has no other id. */
    size_t n_homes;             /* At most VMMOB_MAX_NETWORK_HOMES. */
    struct vmmob_prefix homes[VMMOB_MAX_NETWORK_HOMES]; /* In ascending order,
                                                         * none twice. */
};

void vmmob_network_init(struct vmmob_network *, uint32_t id);
bool vmmob_network_add_home(struct vmmob_network *,
                            const struct vmmob_prefix *);
bool vmmob_network_equals(const struct vmmob_network *,
                          const struct vmmob_network *);
char *vmmob_network_parse_homes(struct vmmob_network *, const char *);
void vmmob_network_format_homes(const struct vmmob_network *, struct ds *);
char *vmmob_networks_validate(const struct vmmob_network *, size_t n);

/* A set of networks' ids.  Arrays of ids elsewhere may be in any order. */
struct vmmob_network_ids {
    bool all;                   /* All ids there are.  Then 'n' is 0. */
    uint32_t *ids;              /* Owned, in ascending order, none twice. */
    size_t n;
};

#define VMMOB_NETWORK_IDS_ALL { .all = true }

void vmmob_network_ids_init(struct vmmob_network_ids *, const uint32_t *ids,
                            size_t n);
void vmmob_network_ids_clone(struct vmmob_network_ids *dst,
                             const struct vmmob_network_ids *src);
void vmmob_network_ids_destroy(struct vmmob_network_ids *);
bool vmmob_network_ids_equal(const struct vmmob_network_ids *,
                             const struct vmmob_network_ids *);
bool vmmob_network_ids_contain(const struct vmmob_network_ids *, uint32_t id);
bool vmmob_network_ids_contain_all(const struct vmmob_network_ids *super,
                                   const struct vmmob_network_ids *sub);
bool vmmob_network_ids_add(struct vmmob_network_ids *, uint32_t id);
bool vmmob_network_ids_remove(struct vmmob_network_ids *, uint32_t id);
void vmmob_network_ids_intersect(struct vmmob_network_ids *,
                                 const struct vmmob_network_ids *);
char *vmmob_network_ids_to_string(const struct vmmob_network_ids *);

#endif /* lib/vmmob-network.h */
