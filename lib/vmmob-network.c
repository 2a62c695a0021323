/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "vmmob-network.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/dynamic-string.h"
#include "util.h"

static int compare_prefixes(const struct vmmob_prefix *,
                            const struct vmmob_prefix *);
static int compare_ids(const void *, const void *);
static size_t lower_bound(const struct vmmob_network_ids *, uint32_t id);

/* Initializes 'network' as one without homes. */
void
vmmob_network_init(struct vmmob_network *network, uint32_t id)
{
    *network = (struct vmmob_network) { .id = id };
}

/* Adds 'home' to 'network', unless it is there already.  Returns false if
 * there is no room. */
bool
vmmob_network_add_home(struct vmmob_network *network,
                       const struct vmmob_prefix *home)
{
    size_t i = 0;

    while (i < network->n_homes
           && compare_prefixes(&network->homes[i], home) < 0) {
        i++;
    }
    if (i < network->n_homes
        && vmmob_prefix_equals(&network->homes[i], home)) {
        return true;
    } else if (network->n_homes >= VMMOB_MAX_NETWORK_HOMES) {
        return false;
    }
    memmove(&network->homes[i + 1], &network->homes[i],
            (network->n_homes - i) * sizeof network->homes[0]);
    network->homes[i] = *home;
    network->n_homes++;
    return true;
}

/* Returns true if 'a' and 'b' are the same in every member. */
bool
vmmob_network_equals(const struct vmmob_network *a,
                     const struct vmmob_network *b)
{
    if (a->id != b->id || a->n_homes != b->n_homes) {
        return false;
    }
    for (size_t i = 0; i < a->n_homes; i++) {
        if (!vmmob_prefix_equals(&a->homes[i], &b->homes[i])) {
            return false;
        }
    }
    return true;
}

/* Adds the prefixes in 's', which are separated by spaces or commas, to
 * 'network'.  There may be none.  Returns NULL if successful, otherwise an
 * error message that the caller must free(). */
char *
vmmob_network_parse_homes(struct vmmob_network *network, const char *s)
{
    struct vmmob_prefix homes[VMMOB_MAX_NETWORK_HOMES];
    char *error;
    size_t n;

    if (!s[strspn(s, " ,")]) {
        return NULL;
    }
    error = vmmob_prefix_parse_list(s, homes, NULL, ARRAY_SIZE(homes), &n);
    for (size_t i = 0; !error && i < n; i++) {
        if (!vmmob_network_add_home(network, &homes[i])) {
            error = xasprintf("more than %d prefixes",
                              VMMOB_MAX_NETWORK_HOMES);
        }
    }
    return error;
}

/* Appends the homes of 'network' to 's', separated by spaces. */
void
vmmob_network_format_homes(const struct vmmob_network *network, struct ds *s)
{
    for (size_t i = 0; i < network->n_homes; i++) {
        if (i) {
            ds_put_char(s, ' ');
        }
        vmmob_prefix_format(&network->homes[i], s);
    }
}

/* Checks that the 'n' 'networks' of an OFS keep to what "struct vmmob_network"
 * promises, are in ascending order, and that hosts can have all addresses of
 * their homes.  Returns NULL if so, otherwise an error message that the caller
 * must free(). */
char *
vmmob_networks_validate(const struct vmmob_network *networks, size_t n)
{
    if (n > VMMOB_MAX_NETWORKS) {
        return xasprintf("%"PRIuSIZE" networks are more than %d", n,
                         VMMOB_MAX_NETWORKS);
    }
    for (size_t i = 0; i < n; i++) {
        const struct vmmob_network *network = &networks[i];

        if (i && networks[i - 1].id >= network->id) {
            return xasprintf("network %"PRIu32" is there twice, or out of "
                             "order", network->id);
        } else if (network->n_homes > VMMOB_MAX_NETWORK_HOMES) {
            return xasprintf("network %"PRIu32": %"PRIuSIZE" prefixes are "
                             "more than %d", network->id, network->n_homes,
                             VMMOB_MAX_NETWORK_HOMES);
        }
        for (size_t j = 0; j < network->n_homes; j++) {
            char *error = vmmob_prefix_validate("prefix", &network->homes[j]);

            if (!error && j && compare_prefixes(&network->homes[j - 1],
                                                &network->homes[j]) >= 0) {
                error = xstrdup("prefixes are out of order");
            }
            if (error) {
                char *s = xasprintf("network %"PRIu32": %s", network->id,
                                    error);

                free(error);
                return s;
            }
        }
    }
    return NULL;
}

/* Sets of ids. */

/* Initializes 'set' with the 'n' 'ids', which may be in any order, and some of
 * them there twice. */
void
vmmob_network_ids_init(struct vmmob_network_ids *set, const uint32_t *ids,
                       size_t n)
{
    *set = (struct vmmob_network_ids) {
        .ids = n ? xmemdup(ids, n * sizeof *ids) : NULL,
    };
    if (n) {
        qsort(set->ids, n, sizeof *set->ids, compare_ids);
    }
    for (size_t i = 0; i < n; i++) {
        if (!set->n || set->ids[i] != set->ids[set->n - 1]) {
            set->ids[set->n++] = set->ids[i];
        }
    }
}

void
vmmob_network_ids_clone(struct vmmob_network_ids *dst,
                        const struct vmmob_network_ids *src)
{
    *dst = *src;
    dst->ids = src->n ? xmemdup(src->ids, src->n * sizeof *src->ids) : NULL;
}

/* Frees what 'set' owns, but not 'set' itself. */
void
vmmob_network_ids_destroy(struct vmmob_network_ids *set)
{
    if (set) {
        free(set->ids);
    }
}

bool
vmmob_network_ids_equal(const struct vmmob_network_ids *a,
                        const struct vmmob_network_ids *b)
{
    return (a->all == b->all && a->n == b->n
            && (!a->n || !memcmp(a->ids, b->ids, a->n * sizeof *a->ids)));
}

bool
vmmob_network_ids_contain(const struct vmmob_network_ids *set, uint32_t id)
{
    size_t i = lower_bound(set, id);

    return set->all || (i < set->n && set->ids[i] == id);
}

/* Returns true if all ids in 'sub' are in 'super'. */
bool
vmmob_network_ids_contain_all(const struct vmmob_network_ids *super,
                              const struct vmmob_network_ids *sub)
{
    if (super->all || sub->all) {
        return super->all;
    }
    for (size_t i = 0; i < sub->n; i++) {
        if (!vmmob_network_ids_contain(super, sub->ids[i])) {
            return false;
        }
    }
    return true;
}

/* Adds 'id' to 'set'.  Returns true if it was not there. */
bool
vmmob_network_ids_add(struct vmmob_network_ids *set, uint32_t id)
{
    size_t i = lower_bound(set, id);

    if (vmmob_network_ids_contain(set, id)) {
        return false;
    }
    set->ids = xrealloc(set->ids, (set->n + 1) * sizeof *set->ids);
    memmove(&set->ids[i + 1], &set->ids[i],
            (set->n - i) * sizeof *set->ids);
    set->ids[i] = id;
    set->n++;
    return true;
}

/* Removes 'id' from 'set', which must not have all ids.  Returns true if it
 * was there. */
bool
vmmob_network_ids_remove(struct vmmob_network_ids *set, uint32_t id)
{
    size_t i = lower_bound(set, id);

    ovs_assert(!set->all);
    if (!vmmob_network_ids_contain(set, id)) {
        return false;
    }
    set->n--;
    memmove(&set->ids[i], &set->ids[i + 1],
            (set->n - i) * sizeof *set->ids);
    return true;
}

/* Removes all ids from 'set' that are not in 'other'. */
void
vmmob_network_ids_intersect(struct vmmob_network_ids *set,
                            const struct vmmob_network_ids *other)
{
    size_t n = 0;

    if (other->all) {
        return;
    } else if (set->all) {
        vmmob_network_ids_clone(set, other);
        return;
    }
    for (size_t i = 0; i < set->n; i++) {
        if (vmmob_network_ids_contain(other, set->ids[i])) {
            set->ids[n++] = set->ids[i];
        }
    }
    set->n = n;
}

/* Returns 'set' as text for people, which the caller must free(): "all",
 * "none", or the ids. */
char *
vmmob_network_ids_to_string(const struct vmmob_network_ids *set)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    if (set->all) {
        ds_put_cstr(&s, "all");
    } else if (!set->n) {
        ds_put_cstr(&s, "none");
    }
    for (size_t i = 0; i < set->n; i++) {
        ds_put_format(&s, "%s%"PRIu32, i ? " " : "", set->ids[i]);
    }
    return ds_steal_cstr(&s);
}

static int
compare_prefixes(const struct vmmob_prefix *a, const struct vmmob_prefix *b)
{
    int cmp = vmmob_addr_compare(&a->addr, &b->addr);

    return cmp ? cmp : a->plen < b->plen ? -1 : a->plen > b->plen;
}

static int
compare_ids(const void *a_, const void *b_)
{
    const uint32_t *a = a_;
    const uint32_t *b = b_;

    return *a < *b ? -1 : *a > *b;
}

/* Returns the index of the first id in 'set' that is not less than 'id', or
 * the number of ids if all are less. */
static size_t
lower_bound(const struct vmmob_network_ids *set, uint32_t id)
{
    size_t low = 0;
    size_t high = set->n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (set->ids[mid] < id) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}
