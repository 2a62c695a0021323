/* SPDX-License-Identifier: Apache-2.0 */

/* ofproto-vmmob/port-config.c, ofproto-vmmob/port-map.c. */

#include <config.h>
#undef NDEBUG
#include "vmmob-test.h"

#include <stdlib.h>
#include <string.h>

#include "command-line.h"
#include "ofproto-vmmob/port-config.h"
#include "ofproto-vmmob/port-map.h"
#include "ofproto-vmmob/settings.h"
#include "openvswitch/dynamic-string.h"
#include "smap.h"
#include "util.h"

/* What is configured of a port, and where it is by that, as "VLAN:NETWORK" for
 * each network.  "red" is network 7, "blue" is network 8 with VLAN 20, "green"
 * is network 9 with VLAN 30. */
static const struct {
    const char *network;        /* external_ids:vmmob-network, or NULL. */
    const char *vlan_mode;      /* Or NULL. */
    int tag;                    /* Or 0. */
    int64_t trunks[2];          /* -1: none. */
    const char *expected;
} cases[] = {
    { NULL, NULL, 0, { -1, -1 }, "0:0" },
    { "default", NULL, 0, { -1, -1 }, "0:0" },
    { "red", NULL, 0, { -1, -1 }, "0:7" },
    { "blue", NULL, 0, { -1, -1 }, "0:8" },
    { "blu", NULL, 0, { -1, -1 }, "closed" },
    { "", NULL, 0, { -1, -1 }, "closed" },

    { NULL, NULL, 20, { -1, -1 }, "0:8" },
    { NULL, "access", 20, { -1, -1 }, "0:8" },
    { NULL, NULL, 40, { -1, -1 }, "plain" },
    { "red", NULL, 20, { -1, -1 }, "0:7" },
    { "red", NULL, 40, { -1, -1 }, "0:7" },
    { NULL, "dot1q-tunnel", 20, { -1, -1 }, "0:8" },

    { NULL, "trunk", 0, { -1, -1 }, "0:0 20:8 30:9" },
    { NULL, NULL, 0, { 20, -1 }, "0:0 20:8" },
    { NULL, NULL, 0, { 40, -1 }, "0:0" },
    { NULL, NULL, 0, { 0, 30 }, "0:0 30:9" },
    { "red", NULL, 0, { 20, 30 }, "0:7 20:8 30:9" },
    { "blue", NULL, 0, { 20, 30 }, "0:8 30:9" },
    /* A trunk port has no tag of its own: ovs-vswitchd.conf.db(5). */
    { NULL, "trunk", 20, { -1, -1 }, "0:0 20:8 30:9" },
    /* Nor is one with a tag a trunk, unless it says so. */
    { NULL, NULL, 20, { 30, -1 }, "0:8" },

    { NULL, "native-untagged", 20, { -1, -1 }, "0:8 30:9" },
    { NULL, "native-untagged", 20, { 20, -1 }, "0:8" },
    { NULL, "native-tagged", 20, { -1, -1 }, "20:8 30:9" },
    { NULL, "native-tagged", 20, { 30, -1 }, "20:8 30:9" },
    { NULL, "native-untagged", 40, { -1, -1 }, "plain" },
};

static char *
port_networks_to_string(const struct port_networks *pn)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    if (pn->kind != PORT_NETWORKS_VM) {
        return xstrdup(pn->kind == PORT_NETWORKS_PLAIN ? "plain" : "closed");
    }
    for (size_t i = 0; i < pn->n; i++) {
        ds_put_format(&s, "%s%d:%"PRIu32, i ? " " : "", pn->networks[i].vlan,
                      pn->networks[i].id);
    }
    return ds_steal_cstr(&s);
}

/* Adds to 'map' where frames may leave 'port', which is in 'pn'. */
static void
add_to_map(struct vmmob_port_map *map, uint16_t port,
           const struct port_networks *pn)
{
    for (size_t i = 0; i < pn->n; i++) {
        map->entries[map->n++] = (struct vmmob_port_map_entry) {
            .port = port, .vlan = pn->networks[i].vlan,
            .network = pn->networks[i].id,
        };
    }
}

/* Checks what leaves 'port', which is in 'pn', by 'map'. */
static void
check_map(const struct vmmob_port_map *map, uint16_t port,
          const struct port_networks *pn)
{
    static const uint32_t networks[] = { 0, 7, 8, 9 };
    const struct port_network *native = vmmob_port_networks_find_vlan(pn, 0);

    for (uint16_t vlan = 0; vlan <= 50; vlan += 10) {
        const struct port_network *in
            = vmmob_port_networks_find_vlan(pn, vlan);

        for (size_t i = 0; i < ARRAY_SIZE(networks); i++) {
            bool wanted = (in ? in->id == networks[i]
                           : !networks[i] && native && !native->id);

            if (vmmob_port_map_allows(map, port, vlan, networks[i])
                != wanted) {
                fail("port %d, VLAN %d, network %"PRIu32": %s", port, vlan,
                     networks[i], wanted ? "kept" : "let out");
            }
        }
    }
}

/* Checks in which networks ports are, and what may leave them. */
void
vmmob_test_port_networks(struct ovs_cmdl_context *ctx OVS_UNUSED)
{
    struct smap config = SMAP_INITIALIZER(&config);
    struct hmap configs = HMAP_INITIALIZER(&configs);
    struct vmmob_settings s;
    struct vmmob_port_map *map;
    char *error;

    smap_add(&config, "vmmob-uplink", "p1");
    smap_add(&config, "vmmob-pool", "192.0.2.128/25");
    smap_add(&config, "vmmob-gateway", "192.0.2.1/24");
    smap_add(&config, "vmmob-network-red",
             "id=7 home=10.0.0.0/24 gateway=10.0.0.1");
    smap_add(&config, "vmmob-network-blue",
             "id=8 vlan=20 home=10.0.0.0/24 gateway=10.0.0.1");
    smap_add(&config, "vmmob-network-green",
             "id=9 vlan=30 home=10.0.0.0/24 gateway=10.0.0.1");
    error = vmmob_settings_parse(&config, &s);
    ovs_assert(!error);
    map = xzalloc(sizeof *map
                  + 3 * ARRAY_SIZE(cases) * sizeof map->entries[0]);

    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
            struct port_config *pc = vmmob_port_config_add(&configs, "p");
            struct port_networks pn;
            size_t n = 0;

            while (n < ARRAY_SIZE(cases[i].trunks)
                   && cases[i].trunks[n] >= 0) {
                n++;
            }
            pc->network = nullable_xstrdup(cases[i].network);
            vmmob_port_config_set_vlans(pc, cases[i].vlan_mode, cases[i].tag,
                                        cases[i].trunks, n);
            ovs_assert(vmmob_port_configs_find(&configs, "p") == pc);
            vmmob_port_config_get_networks(pc, &s, &pn);

            if (!round) {
                char *actual = port_networks_to_string(&pn);

                if (strcmp(actual, cases[i].expected)) {
                    fail("case %"PRIuSIZE": %s instead of %s", i, actual,
                         cases[i].expected);
                }
                free(actual);
                add_to_map(map, 100 - i, &pn);
            } else if (pn.n) {
                check_map(map, 100 - i, &pn);
            }
            vmmob_port_networks_destroy(&pn);
            vmmob_port_configs_clear(&configs);
        }
        vmmob_port_map_sort(map);
    }
    /* Of others, it says nothing. */
    ovs_assert(vmmob_port_map_allows(map, 1, 20, 0)
               && vmmob_port_map_allows(map, 200, 0, 7));

    /* Where no network is a VLAN, a tag means nothing. */
    vmmob_settings_destroy(&s);
    smap_remove(&config, "vmmob-network-blue");
    smap_remove(&config, "vmmob-network-green");
    error = vmmob_settings_parse(&config, &s);
    ovs_assert(!error);

    struct port_config *pc = vmmob_port_config_add(&configs, "p");
    struct port_networks pn;

    vmmob_port_config_set_vlans(pc, NULL, 20, NULL, 0);
    vmmob_port_config_get_networks(pc, &s, &pn);
    ovs_assert(vmmob_port_networks_are_default(&pn));
    vmmob_port_networks_destroy(&pn);

    vmmob_port_configs_destroy(&configs);
    vmmob_settings_destroy(&s);
    smap_destroy(&config);
    free(map);
}
