/* SPDX-License-Identifier: Apache-2.0 */

/* lib/vmmob-network.c, utilities/vmmobd-networks.c. */

#include <config.h>
#undef NDEBUG
#include "vmmob-test.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "command-line.h"
#include "openvswitch/dynamic-string.h"
#include "random.h"
#include "util.h"
#include "utilities/vmmobd-networks.h"
#include "vmmob-binding.h"
#include "vmmob-network.h"

/* Ids of the model: 0 to 29, and the two greatest. */
#define N_IDS 32

static uint32_t
nth_id(int i)
{
    return i < N_IDS - 2 ? i : UINT32_MAX - (N_IDS - 1 - i);
}

/* Initializes 'set' with the ids in 'map', in any order, or with all. */
static void
make_set(struct vmmob_network_ids *set, uint32_t map, bool all)
{
    uint32_t ids[2 * N_IDS];
    size_t n = 0;

    if (all) {
        *set = (struct vmmob_network_ids) VMMOB_NETWORK_IDS_ALL;
        return;
    }
    for (int i = 0; i < N_IDS; i++) {
        for (int j = random_range(2); map >> i & 1 && j >= 0; j--) {
            ids[n++] = nth_id(i);
        }
    }
    for (size_t i = n; i > 1; i--) {
        size_t j = random_range(i);
        uint32_t id = ids[j];

        ids[j] = ids[i - 1];
        ids[i - 1] = id;
    }
    vmmob_network_ids_init(set, ids, n);
}

static void
check_set(const struct vmmob_network_ids *set, uint32_t map, bool all)
{
    struct vmmob_network_ids other;
    uint32_t there = 0;

    if (set->all != all || (all && set->n)) {
        fail("all is %d, n is %"PRIuSIZE, set->all, set->n);
    }
    for (int i = 0; i < N_IDS; i++) {
        there |= vmmob_network_ids_contain(set, nth_id(i)) ? 1u << i : 0;
    }
    if (there != (all ? UINT32_MAX : map)
        || vmmob_network_ids_contain(set, 1000) != all) {
        fail("set is %08"PRIx32", not %08"PRIx32, there, map);
    }
    make_set(&other, map, all);
    if (!vmmob_network_ids_equal(set, &other)) {
        fail("%08"PRIx32" does not equal itself", map);
    }
    vmmob_network_ids_destroy(&other);
}

static void
random_sets(void)
{
    uint32_t a = random_uint32() & random_uint32();
    uint32_t b = random_range(2) ? a | random_uint32() : random_uint32();
    bool a_all = !random_range(5), b_all = !random_range(5);
    struct vmmob_network_ids set_a, set_b, copy;
    int i = random_range(N_IDS);
    size_t n_words = 1;
    char *s;

    make_set(&set_a, a, a_all);
    make_set(&set_b, b, b_all);
    check_set(&set_a, a, a_all);
    if (vmmob_network_ids_equal(&set_a, &set_b)
        != (a_all == b_all && (a_all || a == b))) {
        fail("equal");
    }
    if (vmmob_network_ids_contain_all(&set_b, &set_a)
        != (b_all || (!a_all && !(a & ~b)))) {
        fail("contain_all");
    }

    vmmob_network_ids_clone(&copy, &set_a);
    vmmob_network_ids_intersect(&copy, &set_b);
    check_set(&copy, (a_all ? UINT32_MAX : a) & (b_all ? UINT32_MAX : b),
              a_all && b_all);
    vmmob_network_ids_destroy(&copy);

    if (vmmob_network_ids_add(&set_a, nth_id(i))
        != !(a_all || a >> i & 1)) {
        fail("add");
    }
    check_set(&set_a, a | 1u << i, a_all);
    if (!a_all) {
        i = random_range(N_IDS);
        a |= 1u << i;
        vmmob_network_ids_add(&set_a, nth_id(i));
        if (!vmmob_network_ids_remove(&set_a, nth_id(i))
            || vmmob_network_ids_remove(&set_a, nth_id(i))) {
            fail("remove");
        }
        if (vmmob_network_ids_contain(&set_a, nth_id(i))) {
            fail("removed, and still there");
        }
    }
    s = vmmob_network_ids_to_string(&set_a);
    for (const char *p = s; *p; p++) {
        n_words += *p == ' ';
    }
    if (!s[0] || n_words != MAX(set_a.n, 1)) {
        fail("text \"%s\"", s);
    }
    free(s);
    vmmob_network_ids_destroy(&set_a);
    vmmob_network_ids_destroy(&set_b);
}

/* Puts networks into an OFS. */
static void
random_networks(void)
{
    struct vmmob_network networks[N_IDS];
    struct vmmob_ofs ofs, copy;
    uint32_t map = 0;

    vmmob_ofs_init(&ofs, 1);
    for (int steps = random_range(20); steps >= 0; steps--) {
        int i = random_range(N_IDS);
        struct vmmob_network *network = &networks[i];

        vmmob_network_init(network, nth_id(i));
        for (int j = random_range(4); j > 0; j--) {
            char *text = xasprintf("10.%"PRIu32".0.0/16, fd00::/%"PRIu32,
                                   random_range(3), 64 + random_range(2));

            check_error(text, vmmob_network_parse_homes(network, text), NULL);
            free(text);
        }
        vmmob_ofs_put_network(&ofs, network);
        map |= 1u << i;
    }
    check_error("networks", vmmob_networks_validate(ofs.networks,
                                                    ofs.n_networks), NULL);
    for (int i = 0; i < N_IDS; i++) {
        const struct vmmob_network *network
            = vmmob_ofs_find_network(&ofs, nth_id(i));

        if (!network != !(map >> i & 1)
            || (network && !vmmob_network_equals(network, &networks[i]))) {
            fail("network %"PRIu32, nth_id(i));
        }
    }
    vmmob_ofs_clone(&copy, &ofs);
    if (!vmmob_ofs_equals(&copy, &ofs)) {
        fail("copy differs");
    }
    copy.networks[random_range(copy.n_networks)].homes[0].plen ^= 1;
    if (vmmob_ofs_same_networks(&copy, &ofs)) {
        struct vmmob_network none;

        /* That network had no homes. */
        vmmob_network_init(&none, 1000);
        vmmob_ofs_put_network(&copy, &none);
    }
    if (vmmob_ofs_equals(&copy, &ofs)) {
        fail("the same networks");
    }
    vmmob_ofs_destroy(&copy);
    vmmob_ofs_destroy(&ofs);
}

/* Fails unless homes 's' are written as 'expected'. */
static void
check_homes(const char *s, const char *expected, const char *error)
{
    struct ds text = DS_EMPTY_INITIALIZER;
    struct vmmob_network network;

    vmmob_network_init(&network, 7);
    check_error(s, vmmob_network_parse_homes(&network, s), error);
    vmmob_network_format_homes(&network, &text);
    if (!error && strcmp(ds_cstr(&text), expected)) {
        fail("\"%s\" is written as \"%s\"", s, ds_cstr(&text));
    }
    ds_destroy(&text);
}

void
vmmob_test_network(struct ovs_cmdl_context *ctx)
{
    uint32_t seed, n;

    check_homes("", "", NULL);
    check_homes(" , ", "", NULL);
    check_homes("fd00::/64, 10.0.0.0/24", "10.0.0.0/24 fd00::/64", NULL);
    check_homes("10.0.0.0/24 10.0.0.0/8 10.0.0.0/24",
                "10.0.0.0/8 10.0.0.0/24", NULL);
    check_homes("10.0.0.1/24", "", "10.0.0.1/24: host bits are set");
    check_homes("10.0.0.0/24 x", "", "x: invalid IP address or prefix");
    check_homes("10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5 10.0.0.6 "
                "10.0.0.7 10.0.0.8 10.0.0.9", "", "more than 8 prefixes");

    parse_seed(ctx, &seed, &n);
    for (uint32_t i = 0; i < n; i++) {
        start_case(seed, i);
        random_sets();
        random_networks();
    }
}

/* Wants networks, at random, and compares what is read with a model: what was
 * wanted at most NETWORKS_LINGER_MSEC ago. */
static void
random_linger(void)
{
    long long int released[N_IDS];
    struct networks networks;
    long long int now = 1;
    bool was_all = false;
    uint32_t read = 0;

    for (int i = 0; i < N_IDS; i++) {
        released[i] = LLONG_MAX;
    }
    networks_init(&networks);
    for (int steps = random_range(40); steps >= 0; steps--) {
        uint32_t map = random_uint32() & random_uint32() & random_uint32();
        struct vmmob_network_ids want;
        bool all = !random_range(10);

        now += random_range(2) ? 1 : random_range(NETWORKS_LINGER_MSEC + 2);
        make_set(&want, map, all);
        networks_run(&networks, &want, now);
        vmmob_network_ids_destroy(&want);

        for (int i = 0; i < N_IDS; i++) {
            uint32_t bit = 1u << i;

            if (map & bit || all || was_all) {
                read = map & bit ? read | bit : read & ~bit;
                released[i] = LLONG_MAX;
            } else if (read & bit) {
                released[i] = MIN(released[i], now);
                if (now >= released[i] + NETWORKS_LINGER_MSEC) {
                    read &= ~bit;
                    released[i] = LLONG_MAX;
                }
            }
        }
        check_set(&networks.read, read, all);
        was_all = all;
    }
    networks_destroy(&networks);
}

void
vmmob_test_linger(struct ovs_cmdl_context *ctx)
{
    uint32_t seed, n;

    parse_seed(ctx, &seed, &n);
    for (uint32_t i = 0; i < n; i++) {
        start_case(seed, i);
        random_linger();
    }
    networks_destroy(NULL);
}
