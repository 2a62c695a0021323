/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/show.h"

#include "ofproto-vmmob/agent.h"
#include "ofproto-vmmob/bridge.h"
#include "ofproto-vmmob/bridge-list.h"
#include "ofproto-vmmob/effects.h"
#include "ofproto-vmmob/fairq.h"
#include "ofproto-vmmob/handover.h"
#include "ofproto-vmmob/module.h"
#include "ofproto-vmmob/pool.h"
#include "ofproto-vmmob/problems.h"
#include "ofproto-vmmob/show-rows.h"
#include "ofproto-vmmob/stats.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "packets.h"
#include "timeval.h"
#include "unixctl.h"
#include "util.h"
#include "vmmob-compat.h"
#include "vmmob-msg.h"
#include "vmmob-problems.h"
#include "vmmob-reply.h"

/* What "vmmob/show" shows, taken with the mutex, written without. */

/* A VM port. */
struct port_shot {
    struct vmmob_port row;      /* What is known of it, maybe just its name. */
    ofp_port_t number;
    size_t n_vmns;
    struct fairq_stats punts;
    unsigned long long int n_forged, n_blocked, n_refused;
    bool blocked;
    char *why;                  /* Why there is no VMN; NULL if there is. */
};

/* A frozen VMN. */
struct frozen_shot {
    struct eth_addr mac;
    size_t n_moves;
    long long int remaining_ms;
};

/* A bridge.  Only the first three members are set unless it is enabled. */
struct bridge_shot {
    char *name;
    bool enabled;
    char *error;                /* NULL if none. */

    struct vmmob_ofs ofs;
    struct vmmob_settings settings;
    struct eth_addr mac;
    ofp_port_t uplink;
    unsigned long long int n_ignored[PUNT_N_KINDS];
    unsigned long long int n_uplink_forged;    /* Dropped by flows. */
    struct family_shot {
        struct in6_addr gateway;        /* Unset if not known. */
        struct eth_addr gateway_mac;    /* All zeros if not known. */
        const char *gateway_status;
        size_t pool_size, n_taken, n_quarantined;
        size_t n_needy;         /* VMNs that lack a MoA. */
    } families[VMMOB_N_FAMILIES];
    bool waiting;               /* Until ovs-vmmobd has told what is known. */
    struct vmmob_vmn_counts vmns;
    size_t n_active;
    size_t n_rules;
    unsigned long long int n_punted, n_answered, n_bad, n_unresolved;
    unsigned long long int n_stray;     /* Dropped by flows. */

    struct port_shot *ports;    /* By number. */
    size_t n_ports;
    struct handover_conflict conflicts[HANDOVER_MAX_CONFLICTS];
    size_t n_conflicts;
    struct frozen_shot *frozen;
    size_t n_frozen, allocated_frozen;
};

struct shot {
    bool running;               /* Otherwise there is nothing else. */
    enum agent_status agent;
    size_t n_vmns, n_ofss;      /* Known. */
    struct bridge_shot *bridges;    /* By name. */
    size_t n_bridges;
    struct vmmob_problems problems;
};

static unixctl_cb_func show;
static unixctl_cb_func release;

static void take_shot(struct shot *) OVS_EXCLUDED(vmmob_mutex);
static void take_bridge(struct bridge_shot *, const struct vmmob *,
                        const struct vmmob_bridge *)
    OVS_REQUIRES(vmmob_mutex);
static void take_ports(struct bridge_shot *, const struct vmmob *,
                       const struct vmmob_bridge *,
                       const struct handover_ofs *)
    OVS_REQUIRES(vmmob_mutex);
static const char *gateway_status(const struct vmmob_gateway *);
static void shot_destroy(struct shot *);

static char *shot_to_text(const struct shot *);
static void bridge_to_text(const struct bridge_shot *, struct ds *);
static void ports_to_text(const struct bridge_shot *, struct ds *);
static struct json *shot_to_json(const struct shot *);
static struct json *bridge_to_json(const struct bridge_shot *);
static struct json *ports_to_json(const struct bridge_shot *);

/* Registers the commands. */
void
vmmob_show_init(void)
{
    unixctl_command_register("vmmob/show", "[json]", 0, 1, show, NULL);
    unixctl_command_register("vmmob/release", "[NETWORK/]MAC|HOA|MOA", 1, 1,
                             release, NULL);
    vmmob_show_rows_init();
}

/* Commands. */

static void
show(struct unixctl_conn *conn, int argc, const char *argv[],
     void *aux OVS_UNUSED)
{
    bool as_json = vmmob_wants_json(argc, argv);
    struct shot shot;

    if (argc - as_json > 1) {
        unixctl_command_reply_error(conn, "the only argument is \"json\"");
        return;
    }

    take_shot(&shot);
    if (as_json) {
        vmmob_reply_json(conn, shot_to_json(&shot), JSSF_PRETTY | JSSF_SORT);
    } else {
        vmmob_reply_text(conn, shot_to_text(&shot));
    }
    shot_destroy(&shot);
}

static void
release(struct unixctl_conn *conn, int argc OVS_UNUSED, const char *argv[],
        void *aux OVS_UNUSED)
{
    struct vmmob_selection sel;
    size_t n = 0;

    if (!vmmob_show_parse_selection(&sel, argv[1], conn)) {
        return;
    }

    ovs_mutex_lock(&vmmob_mutex);
    struct vmmob *vmmob = vmmob_get();
    if (vmmob) {
        struct handover *h = vmmob->handover;
        struct vmmob_key key = { .tenant = sel.network, .mac = sel.mac };
        const struct vmmob_vmn *vmn = NULL;

        if (sel.by_addr) {
            vmn = vmmob_table_find_by_hoa(vmmob->table, sel.network,
                                          &sel.addr);
            if (!vmn) {
                vmn = vmmob_table_find_by_moa(vmmob->table, &sel.addr);
            }
            if (vmn) {
                key = vmn->key;
            }
        }
        if (sel.by_mac || vmn) {
            n = vmmob_handover_release(h, &key, time_msec());
            vmmob_effects_apply(vmmob, false);
        }
    }
    ovs_mutex_unlock(&vmmob_mutex);

    if (n) {
        unixctl_command_reply(conn, NULL);
    } else {
        unixctl_command_reply_error(conn, "no such VMN at this switch");
    }
}

/* Taking. */

static void
take_shot(struct shot *shot)
{
    *shot = (struct shot) { .running = false };
    vmmob_problems_init(&shot->problems);

    ovs_mutex_lock(&vmmob_mutex);
    const struct vmmob *vmmob = vmmob_get();
    if (vmmob) {
        const struct vmmob_bridge **bridges = vmmob_sort_bridges(vmmob);

        shot->running = true;
        shot->agent = vmmob_agent_get_status(vmmob->agent);
        shot->n_vmns = vmmob_table_n_vmns(vmmob->table);
        shot->n_ofss = vmmob_table_n_ofss(vmmob->table);
        shot->n_bridges = hmap_count(&vmmob->bridges);
        shot->bridges = xcalloc(shot->n_bridges, sizeof *shot->bridges);
        for (size_t i = 0; i < shot->n_bridges; i++) {
            take_bridge(&shot->bridges[i], vmmob, bridges[i]);
        }
        free(bridges);
        vmmob_find_problems(vmmob, &shot->problems);
    }
    ovs_mutex_unlock(&vmmob_mutex);
}

static void
take_bridge(struct bridge_shot *shot, const struct vmmob *vmmob,
            const struct vmmob_bridge *b)
{
    const struct handover_ofs *ofs;
    const struct damping_record *r;

    shot->name = xstrdup(b->name);
    shot->enabled = b->enabled;
    shot->error = nullable_xstrdup(b->error);
    if (!b->enabled) {
        return;
    }

    ofs = vmmob_handover_find_ofs(vmmob->handover, b->id);
    vmmob_ofs_clone(&shot->ofs,
                    vmmob_table_find_ofs(vmmob->table, b->id));
    vmmob_settings_clone(&shot->settings, &ofs->settings);
    shot->mac = b->mac;
    shot->uplink = b->uplink;
    for (enum punt_kind kind = 0; kind < PUNT_N_KINDS; kind++) {
        shot->n_ignored[kind] = vmmob_bridge_count_ignored(b, kind);
    }
    shot->n_uplink_forged = vmmob_rules_count_forged(b->rules, b->uplink);
    for (enum vmmob_family f = 0; f < VMMOB_N_FAMILIES; f++) {
        shot->families[f] = (struct family_shot) {
            .gateway = b->gateways[f].addr,
            .gateway_mac = b->gateways[f].mac,
            .gateway_status = gateway_status(&b->gateways[f]),
            .pool_size = vmmob_pool_size(ofs->pool, f),
            .n_taken = vmmob_pool_n_taken(ofs->pool, f),
            .n_quarantined = vmmob_pool_n_quarantined(ofs->pool, f),
            .n_needy = vmmob_handover_count_needy(ofs, f),
        };
    }
    shot->waiting = vmmob_handover_is_waiting(ofs);
    shot->vmns = vmmob_count_vmns(ofs);
    shot->n_active = hmap_count(&ofs->active);
    shot->n_rules = vmmob_rules_count(b->rules);
    shot->n_punted = b->n_punted;
    shot->n_answered = b->n_answered;
    shot->n_bad = b->n_bad;
    shot->n_unresolved = b->n_unresolved;
    shot->n_stray = vmmob_rules_count_stray(b->rules);

    take_ports(shot, vmmob, b, ofs);
    BUILD_ASSERT_DECL(sizeof shot->conflicts == sizeof ofs->conflicts);
    memcpy(shot->conflicts, ofs->conflicts, sizeof shot->conflicts);
    shot->n_conflicts = ofs->n_conflicts;
    LIST_FOR_EACH (r, expiry.node, &ofs->damping.by_expiry) {
        if (r->frozen) {
            if (shot->n_frozen >= shot->allocated_frozen) {
                shot->frozen = x2nrealloc(shot->frozen,
                                          &shot->allocated_frozen,
                                          sizeof *shot->frozen);
            }
            shot->frozen[shot->n_frozen++] = (struct frozen_shot) {
                .mac = r->key.mac,
                .n_moves = r->n,
                .remaining_ms = MAX(0, r->expiry.at - time_msec()),
            };
        }
    }
}

static const char *
gateway_status(const struct vmmob_gateway *gw)
{
    return (eth_addr_is_zero(gw->mac) && gw->by_advert
            ? "no router advertised itself and answered; nothing can be sent "
              "to other networks"
            : eth_addr_is_zero(gw->mac)
            ? "does not answer; nothing can be sent to other networks"
            : gw->next_probe == LLONG_MAX ? "configured"
            : vmmob_gateway_is_silent(gw)
            ? "does not answer any more" : "learned");
}

static void
take_ports(struct bridge_shot *shot, const struct vmmob *vmmob,
           const struct vmmob_bridge *b, const struct handover_ofs *ofs)
{
    const struct vmmob_vm_port **ports = vmmob_sort_vm_ports(b);

    shot->n_ports = hmap_count(&b->vm_ports);
    shot->ports = xcalloc(shot->n_ports, sizeof *shot->ports);
    for (size_t i = 0; i < shot->n_ports; i++) {
        const struct vmmob_vm_port *port = ports[i];
        const struct vmmob_port *row
            = vmmob_handover_find_port_row(vmmob->handover, port->name);
        struct port_shot *p = &shot->ports[i];

        if (row) {
            vmmob_port_clone(&p->row, row);
        } else {
            vmmob_port_init(&p->row, port->name);
        }
        p->number = port->number;
        p->n_vmns = vmmob_handover_count_port(ofs, port->number);
        vmmob_get_punt_stats(b, port->number, PUNT_VM, &p->punts);
        p->n_forged = vmmob_count_forged(b, port);
        p->n_blocked = vmmob_count_blocked(b, port);
        p->n_refused = port->n_refused;
        p->blocked = port->blocked;
        p->why = vmmob_vm_port_why(b, port, time_msec());
    }
    free(ports);
}

static void
shot_destroy(struct shot *shot)
{
    for (size_t i = 0; i < shot->n_bridges; i++) {
        struct bridge_shot *b = &shot->bridges[i];

        free(b->name);
        free(b->error);
        for (size_t j = 0; j < b->n_ports; j++) {
            vmmob_port_destroy(&b->ports[j].row);
            free(b->ports[j].why);
        }
        free(b->ports);
        free(b->frozen);
        if (b->enabled) {
            vmmob_ofs_destroy(&b->ofs);
            vmmob_settings_destroy(&b->settings);
        }
    }
    free(shot->bridges);
    vmmob_problems_destroy(&shot->problems);
}

/* Text. */

static char *
shot_to_text(const struct shot *shot)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    if (!shot->running) {
        return xstrdup("no bridge is configured for VM mobility\n");
    }
    ds_put_format(&s, "agent: %s\nknown: %"PRIuSIZE" VMNs, %"PRIuSIZE
                  " OFSs\n", vmmob_agent_status_to_string(shot->agent),
                  shot->n_vmns, shot->n_ofss);
    for (size_t i = 0; i < shot->n_bridges; i++) {
        bridge_to_text(&shot->bridges[i], &s);
    }
    vmmob_problems_to_text(&shot->problems, &s);
    return ds_steal_cstr(&s);
}

static void
subnet_to_text(const struct network_subnet *home, struct ds *s)
{
    vmmob_prefix_format(&home->prefix, s);
    ds_put_cstr(s, ", gateway ");
    vmmob_addr_format(&home->gateway, s);
}

/* Appends to 's' what 'b' knows of the networks of tenants. */
static void
networks_to_text(const struct bridge_shot *b, struct ds *s)
{
    for (size_t i = 1; i < b->settings.n_networks; i++) {
        const struct network *net = &b->settings.networks[i];

        ds_put_format(s, "  network %s: id %"PRIu32, net->name, net->id);
        if (net->vlan) {
            ds_put_format(s, ", VLAN %d", net->vlan);
        }
        for (size_t j = 0; j < net->n_subnets; j++) {
            ds_put_cstr(s, ", home ");
            subnet_to_text(&net->subnets[j], s);
        }
        if (net->isolated) {
            ds_put_cstr(s, ", no outside");
        }
        ds_put_char(s, '\n');
    }
}

/* Appends to 's' what 'b' knows of 'family', if anything. */
static void
family_to_text(const struct bridge_shot *b, enum vmmob_family family,
               struct ds *s)
{
    const struct network_subnet *home
        = vmmob_net_find_family(&b->settings.networks[0], family);
    const struct family_shot *shot = &b->families[family];
    const struct eth_addr mac = shot->gateway_mac;

    if (vmmob_settings_has_uplink(&b->settings, family)) {
        char *gateway = vmmob_addr_to_string(&shot->gateway, "-");

        ds_put_format(s, "  gateway: %s", gateway);
        free(gateway);
        if (!eth_addr_is_zero(mac)) {
            ds_put_format(s, " at "ETH_ADDR_FMT, ETH_ADDR_ARGS(mac));
        }
        ds_put_format(s, " (%s)\n", shot->gateway_status);
    }
    if (home) {
        ds_put_cstr(s, "  home: ");
        subnet_to_text(home, s);
        ds_put_char(s, '\n');
    }
    if (vmmob_settings_has_pool(&b->settings, family)) {
        ds_put_cstr(s, "  pool:");
        for (size_t i = 0; i < b->settings.n_pools; i++) {
            const struct vmmob_prefix *pool = &b->settings.pools[i];

            if (vmmob_prefix_family(pool) == family) {
                ds_put_char(s, ' ');
                vmmob_prefix_format(pool, s);
            }
        }
        ds_put_format(s, ": %"PRIuSIZE" taken, %"PRIuSIZE" in quarantine, of "
                      "%"PRIuSIZE"\n", shot->n_taken, shot->n_quarantined,
                      shot->pool_size);
    }
}

static void
bridge_to_text(const struct bridge_shot *b, struct ds *s)
{
    const struct vmmob_settings *settings = &b->settings;
    const char *separator = "";

    ds_put_format(s, "bridge %s: %s\n", b->name, b->enabled ? "on" : "off");
    if (!b->enabled) {
        return;
    }

    ds_put_format(s, "  OFS: "VMMOB_OFS_ID_FMT", MAC "ETH_ADDR_FMT
                  ", site %s\n", b->ofs.id, ETH_ADDR_ARGS(b->mac),
                  b->ofs.site[0] ? b->ofs.site : "-");
    ds_put_format(s, "  uplink: %s (", settings->uplink);
    if (b->uplink != VMMOB_NO_UPLINK) {
        ds_put_format(s, "port %"PRIu32"), network ", b->uplink);
    } else {
        ds_put_cstr(s, "not there), network ");
    }
    for (enum vmmob_family f = 0; f < VMMOB_N_FAMILIES; f++) {
        if (vmmob_settings_has_uplink(settings, f)) {
            ds_put_cstr(s, separator);
            vmmob_prefix_format(&settings->ip[f].network, s);
            separator = ", ";
        }
    }
    ds_put_char(s, '\n');
    for (enum vmmob_family f = 0; f < VMMOB_N_FAMILIES; f++) {
        family_to_text(b, f, s);
    }
    networks_to_text(b, s);
    ds_put_format(s, "  VMNs: %"PRIuSIZE" attached, %"PRIuSIZE" detached, "
                  "%"PRIuSIZE" left, %"PRIuSIZE" prepared; %"PRIuSIZE
                  " remote ones active\n",
                  b->vmns.by_state[HANDOVER_ATTACHED],
                  b->vmns.by_state[HANDOVER_DETACHED],
                  b->vmns.by_state[HANDOVER_LEFT],
                  b->vmns.by_state[HANDOVER_PREPARED], b->n_active);
    if (b->waiting) {
        ds_put_cstr(s, "  waiting for ovs-vmmobd to tell what is known\n");
    }
    ds_put_format(s, "  rules: %"PRIuSIZE"\n"
                  "  packets: %llu looked at, %llu ARP requests answered, "
                  "%llu malformed or forged, %llu for unknown VMNs, "
                  "%llu for a next hop that is not here\n",
                  b->n_rules, b->n_punted, b->n_answered, b->n_bad,
                  b->n_unresolved, b->n_stray);
    ports_to_text(b, s);
}

static void
ports_to_text(const struct bridge_shot *b, struct ds *s)
{
    for (size_t i = 0; i < b->n_ports; i++) {
        const struct port_shot *port = &b->ports[i];
        const struct vmmob_port *row = &port->row;

        ds_put_format(s, "  port %s (%"PRIu32"): MAC", row->name,
                      port->number);
        if (row->any) {
            ds_put_cstr(s, " any");
        } else if (!row->n_macs) {
            ds_put_cstr(s, " not known");
        } else {
            for (size_t j = 0; j < row->n_macs; j++) {
                ds_put_format(s, " "ETH_ADDR_FMT,
                              ETH_ADDR_ARGS(row->macs[j]));
            }
        }
        ds_put_format(s, "; %"PRIuSIZE" VMNs; ignored: %llu forged, %llu over "
                      "the rate, %llu over the number of VMNs", port->n_vmns,
                      port->n_forged,
                      port->punts.n_limited + port->punts.n_overflow,
                      port->n_refused);
        if (port->n_blocked || port->blocked) {
            ds_put_format(s, ", %llu in floods%s", port->n_blocked,
                          port->blocked ? "; blocked" : "");
        }
        ds_put_char(s, '\n');
        if (port->why) {
            ds_put_format(s, "    no VMN: %s\n", port->why);
        }
    }

    unsigned long long int n_ignored = 0;
    struct ds kinds = DS_EMPTY_INITIALIZER;
    for (enum punt_kind kind = PUNT_VM + 1; kind < PUNT_N_KINDS; kind++) {
        if (b->n_ignored[kind]) {
            ds_put_format(&kinds, "%s%llu %s", n_ignored ? ", " : " (",
                          b->n_ignored[kind], vmmob_punt_kinds[kind].text);
            n_ignored += b->n_ignored[kind];
        }
    }
    if (n_ignored || b->n_uplink_forged) {
        ds_put_format(s, "  uplink: ignored: %llu over the rate%s%s, %llu "
                      "forged\n", n_ignored, ds_cstr(&kinds),
                      n_ignored ? ")" : "", b->n_uplink_forged);
    }
    ds_destroy(&kinds);
    if (b->n_ignored[PUNT_VM]) {
        ds_put_format(s, "  ports: ignored: %llu for which there was no room "
                      "to wait\n", b->n_ignored[PUNT_VM]);
    }
}

/* JSON. */

static struct json *
shot_to_json(const struct shot *shot)
{
    struct json *bridges = json_array_create_empty();
    struct json *json = json_object_create();

    json_object_put_string(json, "version", VMMOB_VERSION);
    if (shot->running) {
        json_object_put_string(json, "agent",
                               vmmob_agent_status_to_string(shot->agent));
        vmmob_json_put_integer(json, "n_vmns", shot->n_vmns);
        vmmob_json_put_integer(json, "n_ofss", shot->n_ofss);
        for (size_t i = 0; i < shot->n_bridges; i++) {
            json_array_add(bridges, bridge_to_json(&shot->bridges[i]));
        }
        json_object_put(json, "problems",
                        vmmob_problems_to_json(&shot->problems));
    }
    json_object_put(json, "bridges", bridges);
    return json;
}

static struct json *
subnet_to_json(const struct network_subnet *subnet)
{
    struct json *home = json_object_create();

    json_object_put(home, "prefix", json_string_create_nocopy(
                        vmmob_prefix_to_string(&subnet->prefix)));
    json_object_put(home, "gateway", json_string_create_nocopy(
                        vmmob_addr_to_string(&subnet->gateway, "-")));
    return home;
}

/* Puts into 'json' the home subnet of network 0 of 'family', if there is
 * one. */
static void
put_home(struct json *json, const struct bridge_shot *b,
         enum vmmob_family family)
{
    const struct network_subnet *home
        = vmmob_net_find_family(&b->settings.networks[0], family);

    if (home) {
        json_object_put(json, "home", subnet_to_json(home));
    }
}

static struct json *
network_to_json(const struct network *net)
{
    struct json *json = json_object_create();
    struct json *homes = json_array_create_empty();
    struct json *routes = json_array_create_empty();

    vmmob_json_put_integer(json, "id", net->id);
    json_object_put_string(json, "name", net->name);
    vmmob_json_put_integer(json, "vlan", net->vlan);
    vmmob_json_put_integer(json, "mtu", net->mtu);
    json_object_put(json, "outside", json_boolean_create(!net->isolated));
    for (size_t i = 0; i < net->n_subnets; i++) {
        json_array_add(homes, subnet_to_json(&net->subnets[i]));
    }
    for (size_t i = 0; i < net->n_routes; i++) {
        json_array_add(routes, json_string_create(net->routes[i]));
    }
    json_object_put(json, "homes", homes);
    json_object_put(json, "routes", routes);
    return json;
}

static struct json *
pool_to_json(const struct family_shot *shot)
{
    struct json *pool = json_object_create();

    vmmob_json_put_integer(pool, "size", shot->pool_size);
    vmmob_json_put_integer(pool, "taken", shot->n_taken);
    vmmob_json_put_integer(pool, "quarantined", shot->n_quarantined);
    return pool;
}

/* Returns what 'b' knows of 'family', of which it has a home subnet. */
static struct json *
family_to_json(const struct bridge_shot *b, enum vmmob_family family)
{
    const struct vmmob_ip_settings *ip = &b->settings.ip[family];
    struct json *json = json_object_create();

    put_home(json, b, family);
    if (vmmob_settings_has_pool(&b->settings, family)) {
        json_object_put(json, "pool", pool_to_json(&b->families[family]));
        vmmob_json_put_integer(json, "vmns_without_moa",
                               b->families[family].n_needy);
    }
    if (vmmob_settings_has_uplink(&b->settings, family)) {
        json_object_put(json, "network", json_string_create_nocopy(
                            vmmob_prefix_to_string(&ip->network)));
        json_object_put(json, "gateway", json_string_create_nocopy(
                            vmmob_addr_to_string(
                                &b->families[family].gateway, "-")));
        vmmob_json_put_mac(json, "gateway_mac",
                           b->families[family].gateway_mac);
        json_object_put_string(json, "gateway_status",
                               b->families[family].gateway_status);
    }
    return json;
}

static struct json *
bridge_to_json(const struct bridge_shot *b)
{
    const struct vmmob_settings *settings = &b->settings;
    struct json *json = json_object_create();
    enum vmmob_family family;

    json_object_put_string(json, "name", b->name);
    json_object_put(json, "enabled", json_boolean_create(b->enabled));
    if (b->error) {
        json_object_put_string(json, "error", b->error);
    }
    if (!b->enabled) {
        return json;
    }

    struct json *families = json_object_create();
    struct json *vmns = json_object_create();
    struct json *packets = json_object_create();
    struct json *conflicts = json_array_create_empty();
    struct json *frozen = json_array_create_empty();
    struct json *networks = json_array_create_empty();

    json_object_put(json, "ofs", vmmob_ofs_to_json(&b->ofs));
    json_object_put_string(json, "uplink", settings->uplink);
    if (b->uplink != VMMOB_NO_UPLINK) {
        vmmob_json_put_integer(json, "uplink_port",
                               (OVS_FORCE uint32_t) b->uplink);
    }
    vmmob_json_put_integer(json, "uplink_forged", b->n_uplink_forged);

    struct json *ignored = json_object_create();
    for (enum punt_kind kind = 0; kind < PUNT_N_KINDS; kind++) {
        vmmob_json_put_integer(ignored, vmmob_punt_kinds[kind].name,
                               b->n_ignored[kind]);
    }
    json_object_put(json, "ignored", ignored);
    family = (vmmob_settings_has_home(settings, VMMOB_IPV4)
              ? VMMOB_IPV4 : VMMOB_IPV6);
    json_object_put_string(json, "gateway_status",
                           b->families[family].gateway_status);
    json_object_put(json, "waiting", json_boolean_create(b->waiting));

    /* From when there was one family only. */
    put_home(json, b, family);
    for (enum vmmob_family f = 0; f < VMMOB_N_FAMILIES; f++) {
        if (vmmob_settings_has_home(settings, f)) {
            json_object_put(families, vmmob_family_to_string(f),
                            family_to_json(b, f));
        }
    }
    json_object_put(json, "families", families);
    for (size_t i = 0; i < settings->n_networks; i++) {
        json_array_add(networks, network_to_json(&settings->networks[i]));
    }
    json_object_put(json, "networks", networks);

    json_object_put(json, "pool", pool_to_json(&b->families[family]));

    for (size_t i = 0; i < ARRAY_SIZE(b->vmns.by_state); i++) {
        vmmob_json_put_integer(vmns, vmmob_handover_state_to_string(i),
                               b->vmns.by_state[i]);
    }
    vmmob_json_put_integer(vmns, "without_moa", b->vmns.needy);
    vmmob_json_put_integer(vmns, "active_remote", b->n_active);
    json_object_put(json, "vmns", vmns);
    vmmob_json_put_integer(json, "rules", b->n_rules);

    vmmob_json_put_integer(packets, "punted", b->n_punted);
    vmmob_json_put_integer(packets, "answered", b->n_answered);
    vmmob_json_put_integer(packets, "bad", b->n_bad);
    vmmob_json_put_integer(packets, "unresolved", b->n_unresolved);
    vmmob_json_put_integer(packets, "no_next_hop", b->n_stray);
    json_object_put(json, "packets", packets);
    json_object_put(json, "ports", ports_to_json(b));

    for (size_t i = 0; i < b->n_conflicts; i++) {
        const struct handover_conflict *c = &b->conflicts[i];
        struct json *conflict = json_object_create();

        json_object_put(conflict, "hoa", json_string_create_nocopy(
                            vmmob_addr_to_string(&c->hoa, "-")));
        vmmob_json_put_mac(conflict, "owner", c->owner.mac);
        vmmob_json_put_mac(conflict, "claimant", c->claimant.mac);
        vmmob_json_put_integer(conflict, "port",
                               (OVS_FORCE uint32_t) c->port);
        json_array_add(conflicts, conflict);
    }
    json_object_put(json, "conflicts", conflicts);

    for (size_t i = 0; i < b->n_frozen; i++) {
        struct json *vmn = json_object_create();

        vmmob_json_put_mac(vmn, "mac", b->frozen[i].mac);
        vmmob_json_put_integer(vmn, "moves", b->frozen[i].n_moves);
        vmmob_json_put_integer(vmn, "remaining_ms", b->frozen[i].remaining_ms);
        json_array_add(frozen, vmn);
    }
    json_object_put(json, "frozen", frozen);
    return json;
}

static struct json *
ports_to_json(const struct bridge_shot *b)
{
    struct json *array = json_array_create_empty();

    for (size_t i = 0; i < b->n_ports; i++) {
        const struct port_shot *port = &b->ports[i];
        struct json *json = vmmob_port_to_json(&port->row);

        vmmob_json_put_integer(json, "port",
                               (OVS_FORCE uint32_t) port->number);
        vmmob_json_put_integer(json, "vmns", port->n_vmns);
        vmmob_json_put_integer(json, "punted", port->punts.n_admitted);
        vmmob_json_put_integer(json, "limited", port->punts.n_limited);
        vmmob_json_put_integer(json, "overflow", port->punts.n_overflow);
        vmmob_json_put_integer(json, "forged", port->n_forged);
        json_object_put(json, "blocked", json_boolean_create(port->blocked));
        vmmob_json_put_integer(json, "n_blocked", port->n_blocked);
        vmmob_json_put_integer(json, "refused", port->n_refused);
        if (port->why) {
            json_object_put_string(json, "no_vmn_because", port->why);
        }
        json_array_add(array, json);
    }
    return array;
}
