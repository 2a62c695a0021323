/* SPDX-License-Identifier: Apache-2.0 */

/* Settings of a bridge, as ofproto-vmmob/settings.c takes them from
 * other_config, and the pool that they configure.  The input is what
 * fuzz_parse_smap() takes. */

#include <config.h>
#undef NDEBUG
#include "fuzz.h"

#include <stdlib.h>

#include "ofproto-vmmob/handover.h"
#include "ofproto-vmmob/pool.h"
#include "ofproto-vmmob/settings.h"
#include "openvswitch/dynamic-string.h"
#include "packets.h"
#include "smap.h"
#include "util.h"
#include "vmmob-msg.h"

/* Adds 'net' to 'smap' in the form that people write. */
static void
format_network(const struct network *net, struct smap *smap)
{
    struct ds home = DS_EMPTY_INITIALIZER;
    struct ds gateway = DS_EMPTY_INITIALIZER;
    struct ds routes = DS_EMPTY_INITIALIZER;

    for (size_t i = 0; i < net->n_subnets; i++) {
        if (i) {
            ds_put_char(&home, ',');
            ds_put_char(&gateway, ',');
        }
        vmmob_prefix_format(&net->subnets[i].prefix, &home);
        vmmob_addr_format(&net->subnets[i].gateway, &gateway);
    }
    for (size_t i = 0; i < net->n_routes; i++) {
        ds_put_format(&routes, "%s%s", i ? "," : "", net->routes[i]);
    }
    if (net->id) {
        struct ds value = DS_EMPTY_INITIALIZER;
        char *key = xasprintf("vmmob-network-%s", net->name);

        ds_put_format(&value, "home=%s id=%"PRIu32" gateway=%s outside=%s",
                      ds_cstr(&home), net->id, ds_cstr(&gateway),
                      net->isolated ? "no" : "yes");
        if (net->vlan) {
            ds_put_format(&value, " vlan=%d", net->vlan);
        }
        if (net->mtu) {
            ds_put_format(&value, " mtu=%d", net->mtu);
        }
        if (net->policy_table) {
            ds_put_format(&value, "  policy-table=%d", net->policy_table);
        }
        if (net->n_routes) {
            ds_put_format(&value, "\troutes=%s", ds_cstr(&routes));
        }
        smap_add(smap, key, ds_cstr(&value));
        ds_destroy(&value);
        free(key);
    } else if (net->n_subnets) {
        smap_add(smap, "vmmob-home", ds_cstr(&home));
        smap_add(smap, "vmmob-home-gateway", ds_cstr(&gateway));
    }
    if (!net->id && net->n_routes) {
        smap_add(smap, "vmmob-routes", ds_cstr(&routes));
    }
    ds_destroy(&home);
    ds_destroy(&gateway);
    ds_destroy(&routes);
}

/* Sets 'smap' to 's' in the form that people write. */
static void
format_settings(const struct vmmob_settings *s, struct smap *smap)
{
    struct ds ds = DS_EMPTY_INITIALIZER;

    smap_add(smap, "vmmob-uplink", s->uplink);
    for (size_t i = 0; i < s->n_networks; i++) {
        format_network(&s->networks[i], smap);
    }
    for (size_t i = 0; i < s->n_pools; i++) {
        vmmob_prefix_format(&s->pools[i], &ds);
        ds_put_char(&ds, ' ');
    }
    smap_add(smap, "vmmob-pool", ds_cstr(&ds));
    ds_clear(&ds);
    for (enum vmmob_family f = 0; f < VMMOB_N_FAMILIES; f++) {
        if (vmmob_settings_has_uplink(s, f)) {
            vmmob_addr_format(&s->ip[f].gateway, &ds);
            ds_put_format(&ds, "/%d,", (s->ip[f].network.plen
                                        - (f == VMMOB_IPV4 ? 96 : 0)));
        }
    }
    smap_add(smap, "vmmob-gateway", ds_cstr(&ds));
    ds_destroy(&ds);
    if (!eth_addr_is_zero(s->gateway_mac)) {
        smap_add_format(smap, "vmmob-gateway-mac", ETH_ADDR_FMT,
                        ETH_ADDR_ARGS(s->gateway_mac));
    }
    smap_add_format(smap, "vmmob-redirect-time", "%lld", s->redirect_ms);
    smap_add_format(smap, "vmmob-quarantine", "%lld", s->quarantine_ms);
    smap_add_format(smap, "vmmob-prepare-time", "%lld", s->prepare_ms);
    smap_add_format(smap, "vmmob-copy-time", "%lld", s->copy_ms);
    smap_add_format(smap, "vmmob-copy-rate", "%"PRIuSIZE, s->copy_rate);
    smap_add_format(smap, "vmmob-address-time", "%lld", s->address_ms);
    smap_add_format(smap, "vmmob-policy-table", "%"PRIuSIZE, s->policy_table);
    smap_add_format(smap, "vmmob-max-moves", "%"PRIuSIZE, s->max_moves);
    smap_add_format(smap, "vmmob-max-vmns", "%"PRIuSIZE, s->max_vmns);
    smap_add_format(smap, "vmmob-punt-rate", "%"PRIuSIZE, s->punt_rate);
    smap_add_format(smap, "vmmob-punt-burst", "%"PRIuSIZE, s->punt_burst);
    smap_add_format(smap, "vmmob-flood-rate", "%"PRIuSIZE, s->flood_rate);
    smap_add_format(smap, "vmmob-move-window", "%lld", s->move_window_ms);
}

/* Returns the gateway's address in some home subnet of 'family' of 's', or an
 * unset one. */
static struct in6_addr
find_hoa(const struct vmmob_settings *s, enum vmmob_family family)
{
    for (size_t i = 0; i < s->n_networks; i++) {
        for (size_t j = 0; j < s->networks[i].n_subnets; j++) {
            const struct network_subnet *home = &s->networks[i].subnets[j];

            if (vmmob_prefix_family(&home->prefix) == family) {
                return home->gateway;
            }
        }
    }
    return in6addr_any;
}

static bool
is_home(const struct vmmob_settings *s, const struct in6_addr *addr)
{
    for (size_t i = 0; i < s->n_networks; i++) {
        if (vmmob_net_find_subnet(&s->networks[i], addr)) {
            return true;
        }
    }
    return false;
}

/* Aborts unless 'pool', with 's', hands out addresses of 'family' that it
 * may. */
static void
check_family_pool(const struct vmmob_settings *s, enum vmmob_family family,
                  struct pool *pool)
{
    const struct vmmob_ip_settings *ip = &s->ip[family];
    struct in6_addr hoa = find_hoa(s, family);
    struct in6_addr moas[3];
    size_t n = 0;

    while (n < ARRAY_SIZE(moas)) {
        struct vmmob_key key = { .mac = ETH_ADDR_C(02,00,00,00,00,01) };

        key.mac.ea[5] += n;
        if (!vmmob_pool_take(pool, &key, &hoa, &moas[n])) {
            break;
        }
        ovs_assert(vmmob_pool_contains(pool, &moas[n]));
        ovs_assert((family == VMMOB_IPV6
                    || vmmob_prefix_contains(&ip->network, &moas[n])));
        ovs_assert(!is_home(s, &moas[n]));
        for (size_t i = 0; i < n; i++) {
            ovs_assert(!ipv6_addr_equals(&moas[i], &moas[n]));
        }
        n++;
        ovs_assert(vmmob_pool_n_taken(pool, family) == n);
    }
    for (size_t i = 0; i < n; i++) {
        vmmob_pool_give_back(pool, &moas[i], s->quarantine_ms);
    }
    ovs_assert(vmmob_pool_n_quarantined(pool, family) == n);
    ovs_assert(vmmob_pool_run(pool, s->quarantine_ms) == (n > 0));
    ovs_assert(!vmmob_pool_n_taken(pool, family));
    ovs_assert(!vmmob_pool_n_quarantined(pool, family));
}

/* Aborts unless a pool with 's' hands out addresses that it may. */
static void
check_pool(const struct vmmob_settings *s)
{
    struct vmmob_prefix networks[VMMOB_N_FAMILIES];
    struct in6_addr gateways[VMMOB_N_FAMILIES];
    struct pool *pool = vmmob_pool_create();
    size_t n_networks = 0;

    for (enum vmmob_family f = 0; f < VMMOB_N_FAMILIES; f++) {
        if (vmmob_settings_has_uplink(s, f)) {
            networks[n_networks] = s->ip[f].network;
            gateways[n_networks++] = s->ip[f].gateway;
        }
    }
    vmmob_pool_configure(pool, s->pools, s->n_pools, networks, gateways,
                         n_networks);
    for (size_t i = 0; i < n_networks; i++) {
        ovs_assert(!vmmob_pool_contains(pool, &gateways[i]));
    }
    for (enum vmmob_family f = 0; f < VMMOB_N_FAMILIES; f++) {
        ovs_assert(!vmmob_pool_size(pool, f)
                   == !vmmob_settings_has_pool(s, f));
        if (vmmob_settings_has_home(s, f)) {
            check_family_pool(s, f, pool);
        }
    }
    vmmob_pool_destroy(pool);
}

/* Aborts unless others accept what a switch with 's' says of itself and of a
 * VMN with any address that it takes for one of a VMN's. */
static void
check_records(const struct vmmob_settings *s)
{
    const struct network *net = &s->networks[s->n_networks - 1];
    const struct vmmob_key key = {
        .tenant = net->id, .mac = ETH_ADDR_C(02,00,00,00,00,01),
    };
    struct handover *h = vmmob_handover_create();
    struct handover_effects effects;
    struct vmmob_ofs record;
    struct vmmob_msg update;
    struct in6_addr hoa = net->subnets[0].prefix.addr;

    vmmob_ofs_init(&record, 1);
    vmmob_settings_fill_ofs(s, &record);
    record.mac = key.mac;
    record.gateway_mac = s->gateway_mac;
    fuzz_assert_ok(vmmob_ofs_validate(&record));
    vmmob_handover_configure(h, &record, s, 0);
    vmmob_handover_run(h, HANDOVER_WAIT_MS);
    vmmob_ofs_destroy(&record);

    hoa.s6_addr[15] ^= 2;
    if (vmmob_handover_is_home(vmmob_handover_find_ofs(h, 1), net->id, &hoa)) {
        ovs_assert(vmmob_handover_sight(h, vmmob_handover_find_ofs(h, 1), &key,
                                        1, &hoa, HANDOVER_USED,
                                        HANDOVER_WAIT_MS) == SIGHTED_HERE);
    }
    vmmob_msg_init(&update, VMMOB_MSG_UPDATE);
    vmmob_handover_take_effects(h, &effects, &update);
    for (size_t i = 0; i < update.n_vmns; i++) {
        fuzz_assert_ok(vmmob_vmn_validate(&update.vmns[i]));
    }
    vmmob_msg_uninit(&update);
    vmmob_handover_effects_uninit(&effects);
    vmmob_handover_destroy(h);
}

void
fuzz_settings(const uint8_t *data, size_t size)
{
    struct vmmob_settings s, copy;
    struct smap other_config;
    char *error;

    fuzz_parse_smap(data, size, &other_config);
    error = vmmob_settings_parse(&other_config, &s);
    if (error) {
        ovs_assert(error[0]);
        free(error);
        ovs_assert(is_all_zeros(&s, sizeof s));
    } else {
        ovs_assert(vmmob_settings_wanted(&other_config));
        vmmob_settings_clone(&copy, &s);
        ovs_assert(vmmob_settings_equals(&copy, &s));
        vmmob_settings_destroy(&copy);

        smap_clear(&other_config);
        format_settings(&s, &other_config);
        fuzz_assert_ok(vmmob_settings_parse(&other_config, &copy));
        ovs_assert(vmmob_settings_equals(&copy, &s));
        vmmob_settings_destroy(&copy);

        check_pool(&s);
        check_records(&s);
    }
    vmmob_settings_destroy(&s);
    smap_destroy(&other_config);
}
