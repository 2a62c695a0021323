/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/settings.h"

#include "ofproto-vmmob/damping.h"
#include "openvswitch/dynamic-string.h"
#include "packets.h"
#include "util.h"

#define DAY_MS (24 * 60 * 60 * 1000)

const struct vmmob_prefix vmmob_link_local = {
    .addr = { .s6_addr = { 0xfe, 0x80 } }, .plen = 64,
};

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

static const struct setting *find_setting(const char *name);
static char *parse(const struct setting *, const struct smap *,
                   struct vmmob_settings *);
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

    bool required;              /* Must be set, and not be empty. */

    /* If it is a number: where it is in struct vmmob_settings, its value if
     * the key is not set, and its greatest value. */
    size_t offset;
    long long int default_;
    long long int max;
};

#define REQUIRED(NAME, PARSE) { NAME, PARSE, true, 0, 0, 0 }
#define OPTIONAL(NAME, PARSE) { NAME, PARSE, false, 0, 0, 0 }
/* In ms.  MEMBER is a long long int. */
#define TIME(NAME, MEMBER, DEFAULT, MAX) \
    { NAME, parse_time, false, offsetof(struct vmmob_settings, MEMBER), \
      DEFAULT, MAX }
/* MEMBER is a size_t. */
#define COUNT(NAME, MEMBER, DEFAULT, MAX) \
    { NAME, parse_count, false, offsetof(struct vmmob_settings, MEMBER), \
      DEFAULT, MAX }

/* All of them, in the order of vmmob(7). */
static const struct setting settings[] = {
    REQUIRED("vmmob-uplink", parse_uplink),
    REQUIRED("vmmob-home", parse_home),
    REQUIRED("vmmob-home-gateway", parse_home_gateway),
    REQUIRED("vmmob-pool", parse_pools),
    REQUIRED("vmmob-gateway", parse_gateway),
    OPTIONAL("vmmob-gateway-mac", parse_gateway_mac),
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
    char *error = NULL;

    memset(s, 0, sizeof *s);
    SMAP_FOR_EACH (node, other_config) {
        if (!strncmp(node->key, "vmmob-", 6) && !find_setting(node->key)) {
            return xasprintf("other_config:%s is not a known setting",
                             node->key);
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
        if (settings[i].required
            && !smap_get_def(other_config, settings[i].name, "")[0]) {
            return xasprintf("other_config:%s is not set", settings[i].name);
        }
    }

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
        if (!ipv6_addr_equals(&a->ip[f].home_gateway, &b->ip[f].home_gateway)
            || !ipv6_addr_equals(&a->ip[f].gateway, &b->ip[f].gateway)) {
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

/* Returns true if 'a' and 'b' are about the same home subnets and the same
 * networks of the uplink. */
bool
vmmob_settings_same_networks(const struct vmmob_settings *a,
                             const struct vmmob_settings *b)
{
    for (enum vmmob_family f = 0; f < VMMOB_N_FAMILIES; f++) {
        if (!vmmob_prefix_equals(&a->ip[f].home, &b->ip[f].home)
            || !vmmob_prefix_equals(&a->ip[f].network, &b->ip[f].network)) {
            return false;
        }
    }
    return true;
}

/* Returns true if 's' has a home subnet of 'family'. */
bool
vmmob_settings_has_home(const struct vmmob_settings *s,
                        enum vmmob_family family)
{
    return ipv6_addr_is_set(&s->ip[family].home.addr);
}

/* Stores in 'prefixes' those of 'family' in which home addresses are by 's',
 * and returns how many that are, up to VMMOB_MAX_HOMES. */
size_t
vmmob_settings_get_home(const struct vmmob_settings *s,
                        enum vmmob_family family,
                        struct vmmob_prefix prefixes[])
{
    size_t n = 0;

    if (vmmob_settings_has_home(s, family)) {
        prefixes[n++] = s->ip[family].home;
        if (family == VMMOB_IPV6) {
            prefixes[n++] = vmmob_link_local;
        }
    }
    return n;
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

/* Returns true if 'addr' is in the home subnet of 's', or link-local, which is
 * as good where there is IPv6. */
bool
vmmob_settings_is_on_link(const struct vmmob_settings *s,
                          const struct in6_addr *addr)
{
    const struct vmmob_prefix *home = &s->ip[vmmob_addr_family(addr)].home;

    return (ipv6_addr_is_set(&home->addr)
            && (vmmob_prefix_contains(home, addr)
                || vmmob_addr_is_link_local(addr)));
}

/* Sets in 'ofs' what follows from 's': its pools, network and gateway.  The
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
        s->ip[vmmob_prefix_family(&homes[i])].home = homes[i];
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
        s->ip[vmmob_addr_family(&gateways[i])].home_gateway = gateways[i];
        error = check_only(gateways, i);
    }
    return error;
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
    const char *name = vmmob_family_to_string(family);
    bool ipv4 = family == VMMOB_IPV4;
    int min_plen = ipv4 ? 96 + 8 : 16;

    if (!vmmob_settings_has_home(s, family)) {
        return (ipv6_addr_is_set(&ip->home_gateway)
                || vmmob_settings_has_uplink(s, family)
                || vmmob_settings_has_pool(s, family)
                ? xasprintf("there is no %s prefix in vmmob-home, but %s "
                            "addresses elsewhere", name, name)
                : NULL);
    }
    if (!ipv6_addr_is_set(&ip->home_gateway)) {
        return xasprintf("vmmob-home-gateway has no %s address, vmmob-home "
                         "has", name);
    }
    if (ip->home.plen < min_plen || ip->home.plen > 126
        || (vmmob_settings_has_uplink(s, family)
            && ip->network.plen < min_plen)) {
        return (ipv4
                ? xstrdup("vmmob-home and the network of vmmob-gateway must "
                          "have a prefix length from 8 to 30")
                : xstrdup("IPv6 prefixes in vmmob-home and vmmob-gateway must "
                          "have a prefix length from 16 to 126"));
    }
    /* Nobody would accept what this OFS then says of itself and its VMNs. */
    if (!vmmob_prefix_is_unicast(&ip->home)
        || vmmob_addr_is_link_local(&ip->home.addr)
        || (vmmob_settings_has_uplink(s, family)
            && (!vmmob_prefix_is_unicast(&ip->network)
                || vmmob_addr_is_link_local(&ip->network.addr)))) {
        return xstrdup("vmmob-home and the network of vmmob-gateway must "
                       "have only addresses that hosts can have");
    }
    if (!vmmob_prefix_contains(&ip->home, &ip->home_gateway)) {
        return xstrdup("vmmob-home-gateway is not in vmmob-home");
    }
    if (vmmob_settings_has_uplink(s, family)
        && vmmob_prefix_overlaps(&ip->home, &ip->network)) {
        return xstrdup("vmmob-home overlaps the network of vmmob-gateway");
    }
    return NULL;
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
            || vmmob_prefix_overlaps(pool, &ip->home)) {
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
    for (size_t i = 0; i < s->n_pools && !error; i++) {
        error = check_pool(s, &s->pools[i]);
    }
    return error;
}
