/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/settings.h"

#include "bitmap.h"
#include "ofproto-vmmob/damping.h"
#include "ofproto-vmmob/vmmob.h"
#include "openvswitch/dynamic-string.h"
#include "packets.h"
#include "util.h"

#define DAY_MS (24 * 60 * 60 * 1000)

/* Keys of other_config that say what networks there are begin so. */
#define NETWORK_PREFIX "vmmob-network-"

struct setting;

typedef char *parse_func(const struct setting *, const char *value,
                         struct vmmob_settings *);

static parse_func parse_uplink;
static parse_func parse_home;
static parse_func parse_home_gateway;
static parse_func parse_pools;
static parse_func parse_gateway;
static parse_func parse_gateway_mac;
static parse_func parse_time;
static parse_func parse_count;
static parse_func parse_routes;

static const struct setting *find_setting(const char *name);
static char *parse(const struct setting *, const struct smap *,
                   struct vmmob_settings *);
static char *parse_networks(const struct smap *, struct vmmob_settings *);
static long long int get_number(const struct setting *,
                                const struct vmmob_settings *);
static void set_number(const struct setting *, struct vmmob_settings *,
                       long long int);
static char *check(const struct vmmob_settings *);

/* A key of other_config. */
struct setting {
    const char *name;

    /* Parses 'value' into the settings.  Returns NULL or what is wrong, for
     * the caller to free. */
    parse_func *parse;

    bool required;              /* Must be set, and not be empty... */
    bool network_0;             /* ...unless there are other networks. */

    /* If it is a number: where it is in struct vmmob_settings, its value if
     * the key is not set, and its greatest value. */
    size_t offset;
    long long int default_;
    long long int max;
};

#define REQUIRED(NAME, PARSE) { NAME, PARSE, true, false, 0, 0, 0 }
#define NETWORK_0(NAME, PARSE) { NAME, PARSE, true, true, 0, 0, 0 }
#define OPTIONAL(NAME, PARSE) { NAME, PARSE, false, false, 0, 0, 0 }
/* In ms.  MEMBER is a long long int. */
#define TIME(NAME, MEMBER, DEFAULT, MAX) \
    { NAME, parse_time, false, false, \
      offsetof(struct vmmob_settings, MEMBER), DEFAULT, MAX }
/* MEMBER is a size_t. */
#define COUNT(NAME, MEMBER, DEFAULT, MAX) \
    { NAME, parse_count, false, false, \
      offsetof(struct vmmob_settings, MEMBER), DEFAULT, MAX }

/* All of them, in the order of vmmob(7). */
static const struct setting settings[] = {
    REQUIRED("vmmob-uplink", parse_uplink),
    NETWORK_0("vmmob-home", parse_home),
    NETWORK_0("vmmob-home-gateway", parse_home_gateway),
    REQUIRED("vmmob-pool", parse_pools),
    REQUIRED("vmmob-gateway", parse_gateway),
    OPTIONAL("vmmob-gateway-mac", parse_gateway_mac),
    OPTIONAL("vmmob-routes", parse_routes),
    COUNT("vmmob-policy-table", policy_table, 0, VMMOB_TABLE_SOURCE - 1),
    TIME("vmmob-redirect-time", redirect_ms, 10 * 1000, DAY_MS),
    TIME("vmmob-quarantine", quarantine_ms, 60 * 1000, DAY_MS),
    TIME("vmmob-prepare-time", prepare_ms, VMMOB_DEFAULT_PREPARE_MS, DAY_MS),
    /* Copies that are older than 5 s are of no use to any protocol. */
    TIME("vmmob-copy-time", copy_ms, 50, 5000),
    COUNT("vmmob-copy-rate", copy_rate, 2000, 1000000),
    TIME("vmmob-address-time", address_ms, 60 * 60 * 1000, DAY_MS),
    /* RFC 7432 section 15.1. */
    COUNT("vmmob-max-moves", max_moves, 5, DAMPING_MAX_MOVES),
    TIME("vmmob-move-window", move_window_ms, 180 * 1000, DAY_MS),
    /* Per port.  The rate is more than a VM needs: it announces a move by five
     * RARPs and a few ARPs, and asks for each correspondent once in a
     * while. */
    COUNT("vmmob-max-vmns", max_vmns, 64, 1000000),
    COUNT("vmmob-punt-rate", punt_rate, 200, 1000000),
    COUNT("vmmob-punt-burst", punt_burst, 200, 1000000),
    COUNT("vmmob-flood-rate", flood_rate, 5000, 100000000),
};

/* Returns true if 'other_config' asks for VM mobility, rightly or not. */
bool
vmmob_settings_wanted(const struct smap *other_config)
{
    struct smap_node *node;

    SMAP_FOR_EACH (node, other_config) {
        if (!strncmp(node->key, "vmmob-", 6)) {
            return true;
        }
    }
    return false;
}

/* Parses 'other_config' into '*s'.  Returns NULL if successful; then the
 * caller must eventually call vmmob_settings_destroy().  Otherwise returns an
 * error message that the caller must free; then '*s' is empty. */
char *
vmmob_settings_parse(const struct smap *other_config,
                     struct vmmob_settings *s)
{
    struct smap_node *node;
    size_t n_networks = 1;
    bool network_0 = false;
    char *error = NULL;

    memset(s, 0, sizeof *s);
    SMAP_FOR_EACH (node, other_config) {
        const struct setting *setting = find_setting(node->key);

        if (!strncmp(node->key, NETWORK_PREFIX, strlen(NETWORK_PREFIX))) {
            n_networks++;
        } else if (setting) {
            network_0 |= setting->network_0;
        } else if (!strncmp(node->key, "vmmob-", 6)) {
            return xasprintf("other_config:%s is not a known setting",
                             node->key);
        }
    }
    network_0 |= n_networks == 1;
    for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
        if (settings[i].required && (network_0 || !settings[i].network_0)
            && !smap_get_def(other_config, settings[i].name, "")[0]) {
            return xasprintf("other_config:%s is not set", settings[i].name);
        }
    }
    if (n_networks > NETWORK_MAX) {
        return xasprintf("more than %d networks", NETWORK_MAX);
    }

    s->networks = xmalloc(n_networks * sizeof *s->networks);
    vmmob_net_init(&s->networks[s->n_networks++], 0, "");
    error = parse_networks(other_config, s);
    for (size_t i = 0; i < ARRAY_SIZE(settings) && !error; i++) {
        error = parse(&settings[i], other_config, s);
    }
    if (!error) {
        error = check(s);
    }
    if (error) {
        vmmob_settings_destroy(s);
    }
    return error;
}

void
vmmob_settings_destroy(struct vmmob_settings *s)
{
    for (size_t i = 0; i < s->n_networks; i++) {
        vmmob_net_destroy(&s->networks[i]);
    }
    free(s->networks);
    free(s->uplink);
    free(s->pools);
    memset(s, 0, sizeof *s);
}

void
vmmob_settings_clone(struct vmmob_settings *dst,
                     const struct vmmob_settings *src)
{
    *dst = *src;
    dst->uplink = nullable_xstrdup(src->uplink);
    dst->pools = (src->n_pools
                  ? xmemdup(src->pools, src->n_pools * sizeof *src->pools)
                  : NULL);
    vmmob_settings_put_networks(dst, src->networks, src->n_networks);
}

/* Makes copies of the 'n' 'networks', which must be in ascending order of id
 * and begin with network 0, those of 's', of which it has none that it
 * owns. */
void
vmmob_settings_put_networks(struct vmmob_settings *s,
                            const struct network networks[], size_t n)
{
    s->networks = xmalloc(n * sizeof *s->networks);
    s->n_networks = n;
    for (size_t i = 0; i < n; i++) {
        vmmob_net_clone(&s->networks[i], &networks[i]);
    }
}

bool
vmmob_settings_equals(const struct vmmob_settings *a,
                      const struct vmmob_settings *b)
{
    if (!nullable_string_is_equal(a->uplink, b->uplink)
        || !eth_addr_equals(a->gateway_mac, b->gateway_mac)
        || !vmmob_settings_same_networks(a, b)
        || a->n_pools != b->n_pools) {
        return false;
    }
    for (enum vmmob_family f = 0; f < VMMOB_N_FAMILIES; f++) {
        if (!ipv6_addr_equals(&a->ip[f].gateway, &b->ip[f].gateway)) {
            return false;
        }
    }
    for (size_t i = 0; i < a->n_pools; i++) {
        if (!vmmob_prefix_equals(&a->pools[i], &b->pools[i])) {
            return false;
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
        if (get_number(&settings[i], a) != get_number(&settings[i], b)) {
            return false;
        }
    }
    return true;
}

/* Returns true if 'a' and 'b' are about the same networks of VMs and the same
 * networks of the uplink. */
bool
vmmob_settings_same_networks(const struct vmmob_settings *a,
                             const struct vmmob_settings *b)
{
    if (a->n_networks != b->n_networks) {
        return false;
    }
    for (size_t i = 0; i < a->n_networks; i++) {
        if (!vmmob_net_equals(&a->networks[i], &b->networks[i])) {
            return false;
        }
    }
    for (enum vmmob_family f = 0; f < VMMOB_N_FAMILIES; f++) {
        if (!vmmob_prefix_equals(&a->ip[f].network, &b->ip[f].network)) {
            return false;
        }
    }
    return true;
}

/* Returns true if 'a' and 'b' are about the same networks of VMs with the same
 * home subnets and MTUs, whatever else they say of them. */
bool
vmmob_settings_same_homes(const struct vmmob_settings *a,
                          const struct vmmob_settings *b)
{
    if (a->n_networks != b->n_networks) {
        return false;
    }
    for (size_t i = 0; i < a->n_networks; i++) {
        const struct network *x = &a->networks[i];
        const struct network *y = &b->networks[i];

        if (x->id != y->id || x->mtu != y->mtu
            || x->n_subnets != y->n_subnets) {
            return false;
        }
        for (size_t j = 0; j < x->n_subnets; j++) {
            if (!vmmob_prefix_equals(&x->subnets[j].prefix,
                                     &y->subnets[j].prefix)) {
                return false;
            }
        }
    }
    return true;
}

/* Returns the network 'id' of 's', or NULL if there is none. */
const struct network *
vmmob_settings_find_network(const struct vmmob_settings *s, uint32_t id)
{
    size_t low = 0, high = s->n_networks;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (s->networks[mid].id == id) {
            return &s->networks[mid];
        } else if (s->networks[mid].id < id) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return NULL;
}

/* Returns the network of 's' with the given 'name', or NULL if there is
 * none. */
const struct network *
vmmob_settings_find_network_by_name(const struct vmmob_settings *s,
                                    const char *name)
{
    for (size_t i = 0; i < s->n_networks; i++) {
        if (!strcmp(s->networks[i].name[0] ? s->networks[i].name
                    : NETWORK_DEFAULT, name)) {
            return &s->networks[i];
        }
    }
    return NULL;
}

/* Returns the network of 's' that is the VLAN 'vlan', or NULL if there is
 * none. */
const struct network *
vmmob_settings_find_network_by_vlan(const struct vmmob_settings *s,
                                    uint16_t vlan)
{
    for (size_t i = 0; i < s->n_networks; i++) {
        if (vlan && s->networks[i].vlan == vlan) {
            return &s->networks[i];
        }
    }
    return NULL;
}

/* Returns true if a network of 's' is a VLAN. */
bool
vmmob_settings_has_vlans(const struct vmmob_settings *s)
{
    for (size_t i = 0; i < s->n_networks; i++) {
        if (s->networks[i].vlan) {
            return true;
        }
    }
    return false;
}

/* Returns the user's table that packets of VMNs in 'net', of 's', pass, or 0
 * if there is none. */
uint8_t
vmmob_settings_get_policy(const struct vmmob_settings *s,
                          const struct network *net)
{
    return net->policy_table ? net->policy_table : s->policy_table;
}

/* Returns true if a network of 's' has a home subnet of 'family'. */
bool
vmmob_settings_has_home(const struct vmmob_settings *s,
                        enum vmmob_family family)
{
    for (size_t i = 0; i < s->n_networks; i++) {
        if (vmmob_net_has_family(&s->networks[i], family)) {
            return true;
        }
    }
    return false;
}

/* Returns true if 'prefix' overlaps a home subnet of 's'. */
bool
vmmob_settings_overlaps_home(const struct vmmob_settings *s,
                             const struct vmmob_prefix *prefix)
{
    for (size_t i = 0; i < s->n_networks; i++) {
        const struct network *net = &s->networks[i];

        for (size_t j = 0; j < net->n_subnets; j++) {
            if (vmmob_prefix_overlaps(prefix, &net->subnets[j].prefix)) {
                return true;
            }
        }
    }
    return false;
}

/* Returns true if 's' says how 'family' leaves by the uplink. */
bool
vmmob_settings_has_uplink(const struct vmmob_settings *s,
                          enum vmmob_family family)
{
    return ipv6_addr_is_set(&s->ip[family].network.addr);
}

/* Returns true if VMNs get mobile addresses of 'family' by 's'. */
bool
vmmob_settings_has_pool(const struct vmmob_settings *s,
                        enum vmmob_family family)
{
    for (size_t i = 0; i < s->n_pools; i++) {
        if (vmmob_prefix_family(&s->pools[i]) == family) {
            return true;
        }
    }
    return false;
}

/* Returns true if 'addr' is in a pool of 's'. */
bool
vmmob_settings_is_in_pool(const struct vmmob_settings *s,
                          const struct in6_addr *addr)
{
    return vmmob_prefixes_contain(s->pools, s->n_pools, addr);
}

/* Sets in 'ofs' what follows from 's': its pools, networks and gateway.  The
 * network tells whether it is on one link with another OFS, for both families,
 * so that of one family is enough. */
void
vmmob_settings_fill_ofs(const struct vmmob_settings *s, struct vmmob_ofs *ofs)
{
    const struct vmmob_ip_settings *ip
        = &s->ip[vmmob_settings_has_uplink(s, VMMOB_IPV4)
                 ? VMMOB_IPV4 : VMMOB_IPV6];

    ofs->uplink = ip->network;
    ofs->gateway = ip->gateway;
    free(ofs->pools);
    ofs->pools = xmemdup(s->pools, s->n_pools * sizeof *s->pools);
    ofs->n_pools = s->n_pools;
    vmmob_ofs_clear_networks(ofs);
    for (size_t i = 0; i < s->n_networks; i++) {
        const struct network *net = &s->networks[i];
        struct vmmob_network row;

        vmmob_network_init(&row, net->id);
        for (size_t j = 0; j < net->n_subnets; j++) {
            vmmob_network_add_home(&row, &net->subnets[j].prefix);
        }
        if (row.n_homes) {
            vmmob_ofs_put_network(ofs, &row);
        }
    }
}

/* Describes to 'ds', as vmmob(7) does, each setting: its name, "required" or,
 * if it is a number, its greatest value and the default. */
void
vmmob_settings_describe(struct ds *ds)
{
    for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
        const struct setting *setting = &settings[i];

        ds_put_cstr(ds, setting->name);
        if (setting->required) {
            ds_put_cstr(ds, " required");
        } else if (setting->max) {
            ds_put_format(ds, " max=%lld default=%lld", setting->max,
                          setting->default_);
        }
        ds_put_char(ds, '\n');
    }
}

/* Returns the setting with the given 'name', or NULL. */
static const struct setting *
find_setting(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
        if (!strcmp(settings[i].name, name)) {
            return &settings[i];
        }
    }
    return NULL;
}

/* Parses 'setting', or what it is by default, from 'other_config' into 's'.
 * Returns NULL or an error message, for the caller to free. */
static char *
parse(const struct setting *setting, const struct smap *other_config,
      struct vmmob_settings *s)
{
    const char *value = smap_get(other_config, setting->name);
    char *reason, *error;

    if (!value) {
        set_number(setting, s, setting->default_);
        return NULL;
    }
    reason = setting->parse(setting, value, s);
    error = (reason
             ? xasprintf("other_config:%s: %s", setting->name, reason)
             : NULL);
    free(reason);
    return error;
}

/* Returns the number that 'setting' is in 's', or 0 if it is none. */
static long long int
get_number(const struct setting *setting, const struct vmmob_settings *s)
{
    const void *p = (const char *) s + setting->offset;

    return (setting->parse == parse_time ? *(const long long int *) p
            : setting->parse == parse_count ? *(const size_t *) p
            : 0);
}

/* Sets the number that 'setting' is in 's', if it is one, to 'n'. */
static void
set_number(const struct setting *setting, struct vmmob_settings *s,
           long long int n)
{
    void *p = (char *) s + setting->offset;

    if (setting->parse == parse_time) {
        *(long long int *) p = n;
    } else if (setting->parse == parse_count) {
        *(size_t *) p = n;
    }
}

static char *
parse_uplink(const struct setting *setting OVS_UNUSED, const char *value,
             struct vmmob_settings *s)
{
    s->uplink = xstrdup(value);
    return NULL;
}

/* Returns what is wrong with 'addrs[i]' after those before it, as there may be
 * one of each family, or NULL. */
static char *
check_only(const struct in6_addr addrs[], size_t i)
{
    for (size_t j = 0; j < i; j++) {
        enum vmmob_family family = vmmob_addr_family(&addrs[i]);

        if (vmmob_addr_family(&addrs[j]) == family) {
            return xasprintf("more than one of %s",
                             vmmob_family_to_string(family));
        }
    }
    return NULL;
}

static char *
parse_home(const struct setting *setting OVS_UNUSED, const char *value,
           struct vmmob_settings *s)
{
    struct vmmob_prefix homes[VMMOB_N_FAMILIES];
    struct in6_addr addrs[VMMOB_N_FAMILIES];
    size_t n;
    char *error = vmmob_prefix_parse_list(value, homes, NULL,
                                          VMMOB_N_FAMILIES, &n);

    for (size_t i = 0; !error && i < n; i++) {
        addrs[i] = homes[i].addr;
        vmmob_net_add_subnet(&s->networks[0], &homes[i], &in6addr_any);
        error = check_only(addrs, i);
    }
    return error;
}

static char *
parse_home_gateway(const struct setting *setting OVS_UNUSED,
                   const char *value, struct vmmob_settings *s)
{
    struct in6_addr gateways[VMMOB_N_FAMILIES];
    size_t n;
    char *error = vmmob_addr_parse_list(value, gateways, VMMOB_N_FAMILIES, &n);

    for (size_t i = 0; !error && i < n; i++) {
        enum vmmob_family family = vmmob_addr_family(&gateways[i]);
        const struct network_subnet *home
            = vmmob_net_find_family(&s->networks[0], family);

        if (!home) {
            return xasprintf("there is no %s prefix in vmmob-home",
                             vmmob_family_to_string(family));
        }
        s->networks[0].subnets[home - s->networks[0].subnets].gateway
            = gateways[i];
        error = check_only(gateways, i);
    }
    return error;
}

static char *
parse_routes(const struct setting *setting OVS_UNUSED, const char *value,
             struct vmmob_settings *s)
{
    return vmmob_net_parse_routes(&s->networks[0], value);
}

static int
compare_networks(const void *a_, const void *b_)
{
    const struct network *a = a_;
    const struct network *b = b_;

    return a->id < b->id ? -1 : a->id > b->id;
}

/* Parses what 'other_config' says of networks into 's'. */
static char *
parse_networks(const struct smap *other_config, struct vmmob_settings *s)
{
    struct smap_node *node;

    SMAP_FOR_EACH (node, other_config) {
        if (!strncmp(node->key, NETWORK_PREFIX, strlen(NETWORK_PREFIX))) {
            struct network *net = &s->networks[s->n_networks];
            char *reason = vmmob_net_parse(
                node->key + strlen(NETWORK_PREFIX), node->value, net);

            if (reason) {
                char *error = xasprintf("other_config:%s: %s", node->key,
                                        reason);

                free(reason);
                return error;
            }
            s->n_networks++;
        }
    }
    qsort(s->networks, s->n_networks, sizeof *s->networks, compare_networks);
    return NULL;
}

static char *
parse_pools(const struct setting *setting OVS_UNUSED, const char *value,
            struct vmmob_settings *s)
{
    s->pools = xmalloc(VMMOB_MAX_POOLS * sizeof *s->pools);
    return vmmob_prefix_parse_list(value, s->pools, NULL, VMMOB_MAX_POOLS,
                                   &s->n_pools);
}

static char *
parse_gateway(const struct setting *setting OVS_UNUSED, const char *value,
              struct vmmob_settings *s)
{
    struct vmmob_prefix networks[VMMOB_N_FAMILIES];
    struct in6_addr gateways[VMMOB_N_FAMILIES];
    size_t n;
    char *error = vmmob_prefix_parse_list(value, networks, gateways,
                                          VMMOB_N_FAMILIES, &n);

    for (size_t i = 0; !error && i < n; i++) {
        struct vmmob_ip_settings *ip
            = &s->ip[vmmob_prefix_family(&networks[i])];

        ip->network = networks[i];
        ip->gateway = (vmmob_prefix_family(&networks[i]) == VMMOB_IPV6
                       && ipv6_addr_equals(&gateways[i], &networks[i].addr)
                       ? in6addr_any : gateways[i]);
        error = (networks[i].plen == 128
                 ? xasprintf("%s: prefix length of the uplink's network "
                             "missing", value)
                 : check_only(gateways, i));
    }
    return error;
}

static char *
parse_gateway_mac(const struct setting *setting OVS_UNUSED, const char *value,
                  struct vmmob_settings *s)
{
    if (!eth_addr_from_string(value, &s->gateway_mac)
        || eth_addr_is_zero(s->gateway_mac)
        || eth_addr_is_multicast(s->gateway_mac)) {
        return xasprintf("%s: not a unicast Ethernet address", value);
    }
    return NULL;
}

static char *
parse_time(const struct setting *setting, const char *value,
           struct vmmob_settings *s)
{
    long long int ms;

    if (!str_to_llong(value, 10, &ms) || ms < 0 || ms > DAY_MS) {
        return xasprintf("%s: not a time in ms between 0 and one day", value);
    }
    if (ms > setting->max) {
        return xasprintf("%s: above %lld", value, setting->max);
    }
    set_number(setting, s, ms);
    return NULL;
}

static char *
parse_count(const struct setting *setting, const char *value,
            struct vmmob_settings *s)
{
    unsigned int n;

    if (!str_to_uint(value, 10, &n) || n > setting->max) {
        return xasprintf("%s: not a number from 0 to %lld", value,
                         setting->max);
    }
    set_number(setting, s, n);
    return NULL;
}

/* Returns what is wrong with what 's' says of 'family', or NULL. */
static char *
check_family(const struct vmmob_settings *s, enum vmmob_family family)
{
    const struct vmmob_ip_settings *ip = &s->ip[family];
    const struct network_subnet *home
        = vmmob_net_find_family(&s->networks[0], family);
    const char *name = vmmob_family_to_string(family);
    bool ipv4 = family == VMMOB_IPV4;
    int min_plen = ipv4 ? 96 + 8 : 16;

    if (!vmmob_settings_has_home(s, family)) {
        return (vmmob_settings_has_uplink(s, family)
                || vmmob_settings_has_pool(s, family)
                ? xasprintf("there is no %s prefix in vmmob-home, but %s "
                            "addresses elsewhere", name, name)
                : NULL);
    }
    if (home && !ipv6_addr_is_set(&home->gateway)) {
        return xasprintf("vmmob-home-gateway has no %s address, vmmob-home "
                         "has", name);
    }
    if ((home && (home->prefix.plen < min_plen || home->prefix.plen > 126))
        || (vmmob_settings_has_uplink(s, family)
            && ip->network.plen < min_plen)) {
        return (ipv4
                ? xstrdup("vmmob-home and the network of vmmob-gateway must "
                          "have a prefix length from 8 to 30")
                : xstrdup("IPv6 prefixes in vmmob-home and vmmob-gateway must "
                          "have a prefix length from 16 to 126"));
    }
    /* Nobody would accept what this OFS then says of itself and its VMNs. */
    if ((home && (!vmmob_prefix_is_unicast(&home->prefix)
                  || vmmob_addr_is_link_local(&home->prefix.addr)))
        || (vmmob_settings_has_uplink(s, family)
            && (!vmmob_prefix_is_unicast(&ip->network)
                || vmmob_addr_is_link_local(&ip->network.addr)))) {
        return xstrdup("vmmob-home and the network of vmmob-gateway must "
                       "have only addresses that hosts can have");
    }
    if (home && !vmmob_prefix_contains(&home->prefix, &home->gateway)) {
        return xstrdup("vmmob-home-gateway is not in vmmob-home");
    }
    if (vmmob_settings_has_uplink(s, family)
        && vmmob_settings_overlaps_home(s, &ip->network)) {
        return (home && vmmob_prefix_overlaps(&home->prefix, &ip->network)
                ? xstrdup("vmmob-home overlaps the network of vmmob-gateway")
                : xstrdup("a home prefix of a vmmob-network overlaps the "
                          "network of vmmob-gateway"));
    }
    return NULL;
}

/* Returns what is wrong with the networks of 's' together, or NULL. */
static char *
check_networks(const struct vmmob_settings *s)
{
    unsigned long *vlans = bitmap_allocate(4096);
    char *error = NULL;

    for (size_t i = 0; i < s->n_networks && !error; i++) {
        const struct network *net = &s->networks[i];

        if (i && net->id == s->networks[i - 1].id) {
            error = xasprintf("vmmob-network-%s and vmmob-network-%s have one "
                              "id, %"PRIu32, s->networks[i - 1].name,
                              net->name, net->id);
        } else if (net->vlan && bitmap_is_set(vlans, net->vlan)) {
            error = xasprintf("vmmob-network-%s has the VLAN %d of another "
                              "network", net->name, net->vlan);
        }
        bitmap_set1(vlans, net->vlan);
        for (size_t j = 0; j < net->n_routes && !error; j++) {
            const struct network *to
                = vmmob_settings_find_network_by_name(s, net->routes[j]);

            /* One that is not there is nowhere to go. */
            for (size_t k = 0; to && k < to->n_subnets && !error; k++) {
                for (size_t l = 0; l < net->n_subnets; l++) {
                    if (to != net
                        && vmmob_prefix_overlaps(&to->subnets[k].prefix,
                                                 &net->subnets[l].prefix)) {
                        error = xasprintf(
                            "there is to be a route between the networks %s "
                            "and %s, whose home prefixes overlap",
                            net->name[0] ? net->name : NETWORK_DEFAULT,
                            net->routes[j]);
                        break;
                    }
                }
            }
        }
    }
    bitmap_free(vlans);
    return error;
}

/* Returns what is wrong with the prefix 'pool' of 's', or NULL. */
static char *
check_pool(const struct vmmob_settings *s, const struct vmmob_prefix *pool)
{
    enum vmmob_family family = vmmob_prefix_family(pool);
    const struct vmmob_ip_settings *ip = &s->ip[family];

    if (!vmmob_settings_has_uplink(s, family)) {
        return xasprintf("vmmob-pool has an %s prefix, vmmob-gateway has no "
                         "%s address", vmmob_family_to_string(family),
                         vmmob_family_to_string(family));
    }
    if (family == VMMOB_IPV4
        && (!vmmob_prefix_contains(&ip->network, &pool->addr)
            || pool->plen < ip->network.plen)) {
        return xstrdup("vmmob-pool is not in the network of vmmob-gateway");
    }
    if (family == VMMOB_IPV6) {
        /* Mobile addresses have 16 bits for the sum, and a hash. */
        if (pool->plen > 96) {
            return xstrdup("an IPv6 prefix in vmmob-pool must have a prefix "
                           "length of at most 96");
        }
        if (!vmmob_prefix_is_unicast(pool)
            || vmmob_addr_is_link_local(&pool->addr)
            || vmmob_settings_overlaps_home(s, pool)) {
            return xstrdup("vmmob-pool must have only addresses that hosts "
                           "can have, and none of vmmob-home");
        }
    }
    for (const struct vmmob_prefix *p = s->pools; p < pool; p++) {
        if (vmmob_prefix_overlaps(pool, p)) {
            return xstrdup("prefixes in vmmob-pool overlap");
        }
    }
    return NULL;
}

/* Returns what is wrong with 's' as a whole, or NULL. */
static char *
check(const struct vmmob_settings *s)
{
    char *error = NULL;

    if (!s->punt_burst) {
        return xstrdup("other_config:vmmob-punt-burst: 0: nothing would ever "
                       "be looked at");
    }
    for (enum vmmob_family f = 0; f < VMMOB_N_FAMILIES && !error; f++) {
        error = check_family(s, f);
    }
    if (!error) {
        error = check_networks(s);
    }
    for (size_t i = 0; i < s->n_pools && !error; i++) {
        error = check_pool(s, &s->pools[i]);
    }
    return error;
}
