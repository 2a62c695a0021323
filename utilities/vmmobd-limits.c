/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "vmmobd-limits.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/dynamic-string.h"
#include "packets.h"
#include "util.h"
#include "vmmob-binding.h"
#include "vmmob-table.h"

static void prefix_limit_destroy(struct prefix_limit *);
static void prefix_limit_clone(struct prefix_limit *,
                               const struct prefix_limit *);
static bool prefix_limit_equals(const struct prefix_limit *,
                                const struct prefix_limit *);
static bool prefix_limit_allows(const struct prefix_limit *,
                                const struct vmmob_prefix *);
static void network_limit_destroy(struct network_limit *);
static void network_limit_clone(struct network_limit *,
                                const struct network_limit *);
static bool network_limit_equals(const struct network_limit *,
                                 const struct network_limit *);
static struct vmmob_prefix host_prefix(const struct in6_addr *);

static void add_own(struct own_ofss *, const struct vmmob_table *);
static int compare_ids(const void *, const void *);
static void sort_ids(struct own_ofss *);

static char *addr_error(const char *before, const struct in6_addr *,
                        const char *after);
static char *prefix_error(const struct vmmob_prefix *, const char *after);

/* Limits. */

/* Initializes 'limits' to allow anything. */
void
limits_init(struct limits *limits)
{
    *limits = (struct limits) {
        .max_rows = { LIMITS_MAX_VMNS, LIMITS_MAX_OFSS },
    };
}

/* Frees what 'limits' owns, but not 'limits' itself. */
void
limits_destroy(struct limits *limits)
{
    if (limits) {
        prefix_limit_destroy(&limits->pools);
        prefix_limit_destroy(&limits->homes);
        network_limit_destroy(&limits->networks);
    }
}

void
limits_clone(struct limits *dst, const struct limits *src)
{
    prefix_limit_clone(&dst->pools, &src->pools);
    prefix_limit_clone(&dst->homes, &src->homes);
    network_limit_clone(&dst->networks, &src->networks);
    memcpy(dst->max_rows, src->max_rows, sizeof dst->max_rows);
}

bool
limits_equals(const struct limits *a, const struct limits *b)
{
    return (prefix_limit_equals(&a->pools, &b->pools)
            && prefix_limit_equals(&a->homes, &b->homes)
            && network_limit_equals(&a->networks, &b->networks)
            && !memcmp(a->max_rows, b->max_rows, sizeof a->max_rows));
}

/* Checks whether a peer with 'limits' may have 'ofs'. */
char *
limits_check_ofs(const struct limits *limits, const struct vmmob_ofs *ofs)
{
    for (size_t i = 0; i < ofs->n_pools; i++) {
        if (!prefix_limit_allows(&limits->pools, &ofs->pools[i])) {
            return prefix_error(&ofs->pools[i], "is not one that "
                                "vmmob-peer-pools allows this peer");
        }
    }
    return NULL;
}

/* Checks whether a peer with 'limits' may have 'vmn'. */
char *
limits_check_vmn(const struct limits *limits, const struct vmmob_vmn *vmn)
{
    if (!network_limit_allows(&limits->networks, vmn->key.tenant)) {
        return xasprintf("network %"PRIu32" is not one that "
                         "vmmob-peer-networks allows this peer",
                         vmn->key.tenant);
    }
    for (size_t i = 0; i < vmn->n_pairs; i++) {
        const struct in6_addr *hoa = &vmn->pairs[i].hoa;
        struct vmmob_prefix prefix = host_prefix(hoa);

        /* They are the same everywhere, and of no prefix. */
        if (!vmmob_addr_is_link_local(hoa)
            && !prefix_limit_allows(&limits->homes, &prefix)) {
            return addr_error("home address", hoa, "is not one that "
                              "vmmob-peer-homes allows this peer");
        }
    }
    return NULL;
}

/* Allows 'prefix' and what else was added, but nothing else. */
void
prefix_limit_add(struct prefix_limit *limit, const struct vmmob_prefix *prefix)
{
    limit->limited = true;
    limit->prefixes = xrealloc(limit->prefixes,
                               (limit->n + 1) * sizeof *limit->prefixes);
    limit->prefixes[limit->n++] = *prefix;
}

void
prefix_limit_allow_none(struct prefix_limit *limit)
{
    prefix_limit_destroy(limit);
    limit->limited = true;
}

static void
prefix_limit_destroy(struct prefix_limit *limit)
{
    free(limit->prefixes);
    limit->prefixes = NULL;
    limit->n = 0;
}

static void
prefix_limit_clone(struct prefix_limit *dst, const struct prefix_limit *src)
{
    dst->limited = src->limited;
    dst->n = src->n;
    dst->prefixes = (src->n
                     ? xmemdup(src->prefixes, src->n * sizeof *src->prefixes)
                     : NULL);
}

static bool
prefix_limit_equals(const struct prefix_limit *a, const struct prefix_limit *b)
{
    if (a->limited != b->limited || a->n != b->n) {
        return false;
    }
    for (size_t i = 0; i < a->n; i++) {
        if (!vmmob_prefix_equals(&a->prefixes[i], &b->prefixes[i])) {
            return false;
        }
    }
    return true;
}

static bool
prefix_limit_allows(const struct prefix_limit *limit,
                    const struct vmmob_prefix *prefix)
{
    for (size_t i = 0; i < limit->n; i++) {
        const struct vmmob_prefix *allowed = &limit->prefixes[i];

        if (allowed->plen <= prefix->plen
            && vmmob_prefix_contains(allowed, &prefix->addr)) {
            return true;
        }
    }
    return !limit->limited;
}

/* Allows the networks from 'first' to 'last' and what else was added, but
 * nothing else. */
void
network_limit_add(struct network_limit *limit, uint32_t first, uint32_t last)
{
    limit->limited = true;
    limit->ranges = xrealloc(limit->ranges,
                             (limit->n + 1) * sizeof *limit->ranges);
    limit->ranges[limit->n++] = (struct network_range) { first, last };
}

void
network_limit_allow_none(struct network_limit *limit)
{
    network_limit_destroy(limit);
    limit->limited = true;
}

bool
network_limit_allows(const struct network_limit *limit, uint32_t id)
{
    for (size_t i = 0; i < limit->n; i++) {
        if (limit->ranges[i].first <= id && id <= limit->ranges[i].last) {
            return true;
        }
    }
    return !limit->limited;
}

static void
network_limit_destroy(struct network_limit *limit)
{
    free(limit->ranges);
    limit->ranges = NULL;
    limit->n = 0;
}

static void
network_limit_clone(struct network_limit *dst, const struct network_limit *src)
{
    *dst = *src;
    dst->ranges = (src->n
                   ? xmemdup(src->ranges, src->n * sizeof *src->ranges)
                   : NULL);
}

static bool
network_limit_equals(const struct network_limit *a,
                     const struct network_limit *b)
{
    return (a->limited == b->limited && a->n == b->n
            && (!a->n || !memcmp(a->ranges, b->ranges,
                                 a->n * sizeof *a->ranges)));
}

/* Returns the prefix that has just 'addr' in it. */
static struct vmmob_prefix
host_prefix(const struct in6_addr *addr)
{
    return (struct vmmob_prefix) { .addr = *addr, .plen = 128 };
}

/* A VMN and its OFS. */

/* Checks whether 'vmn' can be at 'ofs', the row of its OFS, which is null if
 * there is none that can be used.  The system ids are those in the two rows,
 * "" if unknown. */
char *
vmn_check_ofs(const struct vmmob_vmn *vmn, const char *system_id,
              const struct vmmob_ofs *ofs, const char *ofs_system_id)
{
    if (!ofs) {
        return xasprintf("OFS "VMMOB_OFS_ID_FMT" has no row that can be used",
                         vmn->ofs);
    }
    if (system_id[0] && ofs_system_id[0] && strcmp(system_id, ofs_system_id)) {
        return xasprintf("it was written by system \"%s\", but OFS "
                         VMMOB_OFS_ID_FMT" is of system \"%s\"",
                         system_id, ofs->id, ofs_system_id);
    }
    for (size_t i = 0; i < vmn->n_pairs; i++) {
        const struct in6_addr *hoa = &vmn->pairs[i].hoa;
        const struct in6_addr *moa = &vmn->pairs[i].moa;

        if (!ipv6_addr_is_set(moa)) {
            continue;
        } else if (!vmmob_prefixes_contain(ofs->pools, ofs->n_pools, moa)) {
            return addr_error("mobile address", moa,
                              "is not in a pool of its OFS");
        }
        /* Nobody would put the checksums right; see vmmob-csum.h. */
        if (vmmob_addr_family(hoa) == VMMOB_IPV6
            && vmmob_addr_sum(moa) != vmmob_addr_sum(hoa)) {
            return addr_error("mobile address", moa, "would change the "
                              "checksums of packets from its home address");
        }
    }
    return NULL;
}

/* This site's OFSs. */

void
own_ofss_init(struct own_ofss *own)
{
    *own = (struct own_ofss) { .ids = NULL };
    vmmob_prefix_set_init(&own->addrs);
}

/* Frees what 'own' owns, but not 'own' itself. */
void
own_ofss_destroy(struct own_ofss *own)
{
    if (own) {
        free(own->ids);
        free(own->pools);
        vmmob_prefix_set_destroy(&own->addrs);
    }
}

/* Makes 'own' the OFSs in tables 'a' and 'b'.  Returns true if something is
 * different now. */
bool
own_ofss_set(struct own_ofss *own, const struct vmmob_table *a,
             const struct vmmob_table *b)
{
    size_t max_ids = vmmob_table_n_ofss(a) + vmmob_table_n_ofss(b);
    uint64_t *old_ids = own->ids;
    size_t n_old_ids = own->n_ids;
    struct vmmob_prefix *old_pools = own->pools;
    size_t n_old_pools = own->n_pools;
    bool changed;

    own->ids = xmalloc(max_ids * sizeof *own->ids);
    own->pools = xmalloc(max_ids * VMMOB_MAX_POOLS * sizeof *own->pools);
    own->n_ids = own->n_pools = 0;
    add_own(own, a);
    add_own(own, b);
    sort_ids(own);

    /* In this order nothing changes in between that is the same in the end. */
    for (size_t i = 0; i < own->n_pools; i++) {
        vmmob_prefix_set_add(&own->addrs, &own->pools[i]);
    }
    for (size_t i = 0; i < n_old_pools; i++) {
        vmmob_prefix_set_remove(&own->addrs, &old_pools[i]);
    }

    changed = (own->addrs.n_changed || own->n_ids != n_old_ids
               || (n_old_ids && memcmp(own->ids, old_ids,
                                       n_old_ids * sizeof *old_ids)));
    own->addrs.n_changed = 0;
    free(old_ids);
    free(old_pools);
    return changed;
}

/* Checks whether another site may have 'ofs'. */
char *
own_ofss_check(const struct own_ofss *own, const struct vmmob_ofs *ofs)
{
    if (own->n_ids && bsearch(&ofs->id, own->ids, own->n_ids, sizeof *own->ids,
                              compare_ids)) {
        return xasprintf("OFS "VMMOB_OFS_ID_FMT" is one of this site",
                         ofs->id);
    }
    for (size_t i = 0; i < ofs->n_pools; i++) {
        if (vmmob_prefix_set_overlaps(&own->addrs, &ofs->pools[i])) {
            return prefix_error(&ofs->pools[i],
                                "has addresses of a pool of this site");
        }
    }
    return NULL;
}

/* Adds the OFSs in 'table' to the arrays of 'own'. */
static void
add_own(struct own_ofss *own, const struct vmmob_table *table)
{
    const struct vmmob_ofs_entry *entry;

    HMAP_FOR_EACH (entry, node, vmmob_table_ofs_entries(table)) {
        const struct vmmob_ofs *ofs = &entry->ofs;

        own->ids[own->n_ids++] = ofs->id;
        for (size_t i = 0; i < ofs->n_pools; i++) {
            own->pools[own->n_pools++] = ofs->pools[i];
        }
    }
}

static int
compare_ids(const void *a_, const void *b_)
{
    const uint64_t *a = a_;
    const uint64_t *b = b_;

    return *a < *b ? -1 : *a > *b;
}

/* Sorts the ids of 'own', and removes those that are there twice. */
static void
sort_ids(struct own_ofss *own)
{
    size_t n = 0;

    if (own->n_ids) {
        qsort(own->ids, own->n_ids, sizeof *own->ids, compare_ids);
    }
    for (size_t i = 0; i < own->n_ids; i++) {
        if (!n || own->ids[i] != own->ids[n - 1]) {
            own->ids[n++] = own->ids[i];
        }
    }
    own->n_ids = n;
}

/* Messages. */

static char *
addr_error(const char *before, const struct in6_addr *addr, const char *after)
{
    char *s = vmmob_addr_to_string(addr, "::");
    char *error = xasprintf("%s %s %s", before, s, after);

    free(s);
    return error;
}

static char *
prefix_error(const struct vmmob_prefix *pool, const char *after)
{
    char *s = vmmob_prefix_to_string(pool);
    char *error = xasprintf("pool %s %s", s, after);

    free(s);
    return error;
}
