/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/settings.h"

#include "ofproto-vmmob/damping.h"
#include "openvswitch/dynamic-string.h"
#include "packets.h"
#include "util.h"

#define DEFAULT_REDIRECT_MS (10 * 1000)
#define DEFAULT_QUARANTINE_MS (60 * 1000)
#define DEFAULT_COPY_MS 50
#define DEFAULT_COPY_RATE 2000

/* Copies that are older than that are of no use to any protocol. */
#define MAX_COPY_MS 5000

/* Per port.  More than a VM needs: it announces a move by five RARPs and a few
 * ARPs, and asks for each correspondent once in a while. */
#define DEFAULT_MAX_VMNS 64
#define DEFAULT_PUNT_RATE 200
#define DEFAULT_PUNT_BURST 200
#define DEFAULT_FLOOD_RATE 5000

/* RFC 7432 section 15.1. */
#define DEFAULT_MAX_MOVES 5
#define DEFAULT_MOVE_WINDOW_MS (180 * 1000)

static char *parse_pools(const char *, struct vmmob_settings *);
static char *parse_ms(const struct smap *, const char *key,
                      long long int default_, long long int *);
static char *parse_count(const struct smap *, const char *key,
                         size_t default_, size_t max, size_t *);
static char *check(const struct vmmob_settings *);

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

/* Parses 'other_config' into '*s'.  Returns NULL and the caller must
 * eventually call vmmob_settings_destroy(), or an error message that the
 * caller must free and '*s' is empty. */
char *
vmmob_settings_parse(const struct smap *other_config,
                     struct vmmob_settings *s)
{
    static const char *const required[] = {
        "vmmob-uplink", "vmmob-home", "vmmob-home-gateway", "vmmob-pool",
        "vmmob-gateway",
    };
    static const char *const optional[] = {
        "vmmob-gateway-mac", "vmmob-redirect-time", "vmmob-quarantine",
        "vmmob-prepare-time", "vmmob-copy-time", "vmmob-copy-rate",
        "vmmob-max-moves", "vmmob-move-window", "vmmob-max-vmns",
        "vmmob-punt-rate", "vmmob-punt-burst",
        "vmmob-flood-rate",
    };
    struct smap_node *node;
    char *error = NULL;

    memset(s, 0, sizeof *s);
    SMAP_FOR_EACH (node, other_config) {
        bool known = strncmp(node->key, "vmmob-", 6) != 0;

        for (size_t i = 0; i < ARRAY_SIZE(required); i++) {
            known |= !strcmp(node->key, required[i]);
        }
        for (size_t i = 0; i < ARRAY_SIZE(optional); i++) {
            known |= !strcmp(node->key, optional[i]);
        }
        if (!known) {
            return xasprintf("other_config:%s is not a known setting",
                             node->key);
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(required); i++) {
        if (!smap_get_def(other_config, required[i], "")[0]) {
            return xasprintf("other_config:%s is not set", required[i]);
        }
    }

    s->uplink = xstrdup(smap_get(other_config, "vmmob-uplink"));

    const char *key = "vmmob-home";
    error = vmmob_prefix_parse(smap_get(other_config, key), &s->home, NULL);

    if (!error) {
        key = "vmmob-home-gateway";
        if (!vmmob_addr_from_string(smap_get(other_config, key),
                                    &s->home_gateway)) {
            error = xasprintf("%s: not an IP address",
                              smap_get(other_config, key));
        }
    }
    if (!error) {
        key = "vmmob-gateway";
        error = vmmob_prefix_parse(smap_get(other_config, key), &s->network,
                                   &s->gateway);
        if (!error && s->network.plen == 128) {
            error = xasprintf("%s: prefix length of the uplink's network "
                              "missing", smap_get(other_config, key));
        }
    }
    if (!error) {
        key = "vmmob-pool";
        error = parse_pools(smap_get(other_config, key), s);
    }
    if (!error && smap_get(other_config, "vmmob-gateway-mac")) {
        key = "vmmob-gateway-mac";
        if (!eth_addr_from_string(smap_get(other_config, key),
                                  &s->gateway_mac)
            || eth_addr_is_zero(s->gateway_mac)
            || eth_addr_is_multicast(s->gateway_mac)) {
            error = xasprintf("%s: not a unicast Ethernet address",
                              smap_get(other_config, key));
        }
    }
    if (!error) {
        key = "vmmob-redirect-time";
        error = parse_ms(other_config, key, DEFAULT_REDIRECT_MS,
                         &s->redirect_ms);
    }
    if (!error) {
        key = "vmmob-quarantine";
        error = parse_ms(other_config, key, DEFAULT_QUARANTINE_MS,
                         &s->quarantine_ms);
    }
    if (!error) {
        key = "vmmob-prepare-time";
        error = parse_ms(other_config, key, VMMOB_DEFAULT_PREPARE_MS,
                         &s->prepare_ms);
    }
    if (!error) {
        key = "vmmob-copy-time";
        error = parse_ms(other_config, key, DEFAULT_COPY_MS, &s->copy_ms);
        if (!error && s->copy_ms > MAX_COPY_MS) {
            error = xasprintf("%lld: above %d", s->copy_ms, MAX_COPY_MS);
        }
    }
    if (!error) {
        key = "vmmob-copy-rate";
        error = parse_count(other_config, key, DEFAULT_COPY_RATE, 1000000,
                            &s->copy_rate);
    }
    if (!error) {
        key = "vmmob-max-moves";
        error = parse_count(other_config, key, DEFAULT_MAX_MOVES,
                            DAMPING_MAX_MOVES, &s->max_moves);
    }
    if (!error) {
        key = "vmmob-move-window";
        error = parse_ms(other_config, key, DEFAULT_MOVE_WINDOW_MS,
                         &s->move_window_ms);
    }
    if (!error) {
        key = "vmmob-max-vmns";
        error = parse_count(other_config, key, DEFAULT_MAX_VMNS, 1000000,
                            &s->max_vmns);
    }
    if (!error) {
        key = "vmmob-punt-rate";
        error = parse_count(other_config, key, DEFAULT_PUNT_RATE, 1000000,
                            &s->punt_rate);
    }
    if (!error) {
        key = "vmmob-punt-burst";
        error = parse_count(other_config, key, DEFAULT_PUNT_BURST, 1000000,
                            &s->punt_burst);
        if (!error && !s->punt_burst) {
            error = xstrdup("0: nothing would ever be looked at");
        }
    }
    if (!error) {
        key = "vmmob-flood-rate";
        error = parse_count(other_config, key, DEFAULT_FLOOD_RATE, 100000000,
                            &s->flood_rate);
    }
    if (error) {
        char *reason = error;
        error = xasprintf("other_config:%s: %s", key, reason);
        free(reason);
    } else {
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
        || !vmmob_prefix_equals(&a->home, &b->home)
        || !ipv6_addr_equals(&a->home_gateway, &b->home_gateway)
        || !vmmob_prefix_equals(&a->network, &b->network)
        || !ipv6_addr_equals(&a->gateway, &b->gateway)
        || !eth_addr_equals(a->gateway_mac, b->gateway_mac)
        || a->redirect_ms != b->redirect_ms
        || a->quarantine_ms != b->quarantine_ms
        || a->prepare_ms != b->prepare_ms
        || a->copy_ms != b->copy_ms
        || a->copy_rate != b->copy_rate
        || a->max_vmns != b->max_vmns
        || a->punt_rate != b->punt_rate
        || a->punt_burst != b->punt_burst
        || a->flood_rate != b->flood_rate
        || a->max_moves != b->max_moves
        || a->move_window_ms != b->move_window_ms
        || a->n_pools != b->n_pools) {
        return false;
    }
    for (size_t i = 0; i < a->n_pools; i++) {
        if (!vmmob_prefix_equals(&a->pools[i], &b->pools[i])) {
            return false;
        }
    }
    return true;
}

static char *
parse_pools(const char *value, struct vmmob_settings *s)
{
    char *copy = xstrdup(value);
    char *save_ptr = NULL;
    char *error = NULL;

    s->pools = xmalloc(VMMOB_MAX_POOLS * sizeof *s->pools);
    for (char *token = strtok_r(copy, ", ", &save_ptr); token && !error;
         token = strtok_r(NULL, ", ", &save_ptr)) {
        if (s->n_pools >= VMMOB_MAX_POOLS) {
            error = xasprintf("more than %d prefixes", VMMOB_MAX_POOLS);
        } else {
            error = vmmob_prefix_parse(token, &s->pools[s->n_pools], NULL);
            s->n_pools += !error;
        }
    }
    free(copy);
    if (!error && !s->n_pools) {
        error = xstrdup("no prefix");
    }
    return error;
}

static char *
parse_ms(const struct smap *other_config, const char *key,
         long long int default_, long long int *ms)
{
    const char *value = smap_get(other_config, key);

    if (!value) {
        *ms = default_;
        return NULL;
    }
    if (!str_to_llong(value, 10, ms) || *ms < 0 || *ms > 24 * 3600 * 1000) {
        return xasprintf("%s: not a time in ms between 0 and one day", value);
    }
    return NULL;
}

static char *
parse_count(const struct smap *other_config, const char *key,
            size_t default_, size_t max, size_t *n)
{
    const char *value = smap_get(other_config, key);
    unsigned int u;

    if (!value) {
        *n = default_;
        return NULL;
    }
    if (!str_to_uint(value, 10, &u) || u > max) {
        return xasprintf("%s: not a number from 0 to %"PRIuSIZE, value, max);
    }
    *n = u;
    return NULL;
}

/* Returns what is wrong with 's' as a whole, or NULL. */
static char *
check(const struct vmmob_settings *s)
{
    if (!IN6_IS_ADDR_V4MAPPED(&s->home.addr) || s->home.plen < 96
        || !IN6_IS_ADDR_V4MAPPED(&s->network.addr) || s->network.plen < 96) {
        return xstrdup("only IPv4 is supported yet");
    }
    if (s->home.plen < 96 + 8 || s->home.plen > 126
        || s->network.plen < 96 + 8) {
        return xstrdup("vmmob-home and the network of vmmob-gateway must "
                       "have a prefix length from 8 to 30");
    }
    /* Nobody would accept what this OFS then says of itself and its VMNs. */
    if (!vmmob_prefix_is_unicast(&s->home)
        || !vmmob_prefix_is_unicast(&s->network)) {
        return xstrdup("vmmob-home and the network of vmmob-gateway must "
                       "have only addresses that hosts can have");
    }
    if (!vmmob_prefix_contains(&s->home, &s->home_gateway)) {
        return xstrdup("vmmob-home-gateway is not in vmmob-home");
    }
    if (vmmob_prefix_overlaps(&s->home, &s->network)) {
        return xstrdup("vmmob-home overlaps the network of vmmob-gateway");
    }
    for (size_t i = 0; i < s->n_pools; i++) {
        const struct vmmob_prefix *pool = &s->pools[i];

        if (!vmmob_prefix_contains(&s->network, &pool->addr)
            || pool->plen < s->network.plen) {
            return xstrdup("vmmob-pool is not in the network of "
                           "vmmob-gateway");
        }
        for (size_t j = 0; j < i; j++) {
            if (vmmob_prefix_overlaps(pool, &s->pools[j])) {
                return xstrdup("prefixes in vmmob-pool overlap");
            }
        }
    }
    return NULL;
}
