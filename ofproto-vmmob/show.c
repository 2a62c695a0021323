/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/show.h"

#include "ofproto-vmmob/agent.h"
#include "ofproto-vmmob/bridge.h"
#include "ofproto-vmmob/effects.h"
#include "ofproto-vmmob/fairq.h"
#include "ofproto-vmmob/handover.h"
#include "ofproto-vmmob/module.h"
#include "flow.h"
#include "ofproto-vmmob/pool.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "packets.h"
#include "sset.h"
#include "timeval.h"
#include "unixctl.h"
#include "util.h"
#include "vmmob-msg.h"
#include "vmmob-problems.h"
#include "vmmob-stats.h"

/* A pool of which less than one in so many addresses is free is nearly
 * exhausted. */
#define POOL_LOW 10

/* How long a claim to another's home address is a problem, in ms. */
#define CONFLICT_MS (10 * 60 * 1000)

/* For so long, in ms, a VMN that was refused makes its full port a problem. */
#define PORT_FULL_MS (10 * 60 * 1000)

/* How long after its last answer the gateway is reported as silent, in ms. */
#define GATEWAY_SILENT_MS (35 * 1000)

static void
ds_put_addr(struct ds *s, const struct in6_addr *addr)
{
    if (ipv6_addr_is_set(addr)) {
        vmmob_addr_format(addr, s);
    } else {
        ds_put_char(s, '-');
    }
}

static char *
addr_to_string(const struct in6_addr *addr)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    ds_put_addr(&s, addr);
    return ds_steal_cstr(&s);
}

/* Returns true if the last of the 'argc' arguments in 'argv' is "json". */
static bool
wants_json(int argc, const char *argv[])
{
    return argc > 1 && !strcmp(argv[argc - 1], "json");
}

static void
reply_json(struct unixctl_conn *conn, struct json *json)
{
    char *s = json_to_string(json, JSSF_PRETTY | JSSF_SORT);

    unixctl_command_reply(conn, s);
    free(s);
    json_destroy(json);
}

/* What is asked for: a VMN by its MAC address, a HoA or a MoA, or all. */
struct selection {
    bool by_mac, by_addr;
    struct eth_addr mac;
    struct in6_addr addr;
};

/* Returns NULL or an error that the caller must free. */
static char *
parse_selection(int argc, const char *argv[], struct selection *sel)
{
    memset(sel, 0, sizeof *sel);
    if (argc > 1) {
        if (eth_addr_from_string(argv[1], &sel->mac)) {
            sel->by_mac = true;
        } else if (vmmob_addr_from_string(argv[1], &sel->addr)) {
            sel->by_addr = true;
        } else {
            return xasprintf("%s: neither a MAC nor an IP address", argv[1]);
        }
    }
    return NULL;
}

static bool
is_selected(const struct selection *sel, const struct vmmob_vmn *vmn)
{
    if (sel->by_mac) {
        return eth_addr_equals(sel->mac, vmn->key.mac);
    } else if (!sel->by_addr) {
        return true;
    }
    for (size_t i = 0; i < vmn->n_pairs; i++) {
        if (ipv6_addr_equals(&vmn->pairs[i].hoa, &sel->addr)
            || ipv6_addr_equals(&vmn->pairs[i].moa, &sel->addr)) {
            return true;
        }
    }
    return false;
}

/* Says how the VMN of 'row' stands at the OFS that wrote it, as far as this
 * switch knows, and stores in '*port' its port, or OFPP_NONE. */
static const char *
row_status(const struct vmmob *vmmob, const struct vmmob_vmn *row,
           ofp_port_t *port)
{
    const struct handover_ofs *ofs = handover_find_ofs(vmmob->handover,
                                                       row->ofs);

    *port = OFPP_NONE;
    if (ofs) {
        const struct handover_vmn *vmn = handover_find_vmn(ofs, &row->key);

        if (vmn) {
            if (vmn->state == HANDOVER_ATTACHED) {
                *port = vmn->port;
            }
            return handover_state_to_string(vmn->state);
        }
        return "unknown";
    }

    if (row->state == VMMOB_PREPARED) {
        return vmmob_state_to_string(row->state);
    }

    const struct vmmob_ofs *other = vmmob_table_find_ofs(
        vmmob->handover->table, row->ofs);
    return other && other->stale ? "stale" : "remote";
}

/* Returns true if an OFS of this switch does not let the VMN move there. */
static bool
is_frozen(const struct vmmob *vmmob, const struct vmmob_key *key)
{
    const struct handover_ofs *ofs;

    HMAP_FOR_EACH (ofs, node, &vmmob->handover->ofss) {
        if (damping_is_frozen(&ofs->damping, key)) {
            return true;
        }
    }
    return false;
}

/* Calls 'cb' for each row to be shown: the bindings, where VMNs are expected,
 * and what has left us. */
static void
for_each_row(const struct vmmob *vmmob, const struct selection *sel,
             void (*cb)(const struct vmmob *, const struct vmmob_vmn *,
                        void *aux), void *aux)
{
    const struct vmmob_table *table = vmmob->handover->table;
    const struct vmmob_entry **entries = vmmob_table_sort_entries(table);

    for (size_t i = 0; i < vmmob_table_n_vmns(table); i++) {
        const struct vmmob_vmn *binding = vmmob_entry_binding(entries[i]);
        const struct vmmob_row *row;

        LIST_FOR_EACH (row, node, &entries[i]->rows) {
            if ((&row->vmn == binding || row->vmn.state == VMMOB_PREPARED
                 || handover_find_ofs(vmmob->handover, row->vmn.ofs))
                && is_selected(sel, &row->vmn)) {
                cb(vmmob, &row->vmn, aux);
            }
        }
    }
    free(entries);
}

static void
vmn_to_text(const struct vmmob *vmmob, const struct vmmob_vmn *row, void *s_)
{
    const struct vmmob_ofs *ofs = vmmob_table_find_ofs(vmmob->handover->table,
                                                       row->ofs);
    struct ds *s = s_;
    ofp_port_t port;
    const char *status = row_status(vmmob, row, &port);

    for (size_t i = 0; i < row->n_pairs; i++) {
        char *hoa = addr_to_string(&row->pairs[i].hoa);
        char *moa = addr_to_string(&row->pairs[i].moa);

        ds_put_format(s, ETH_ADDR_FMT"  %-15s  %-15s  "VMMOB_OFS_ID_FMT
                      "  %-8s  %5"PRIu64"  %-8s  ",
                      ETH_ADDR_ARGS(row->key.mac), hoa, moa, row->ofs,
                      ofs && ofs->site[0] ? ofs->site : "-", row->seqno,
                      status);
        if (port != OFPP_NONE) {
            ds_put_format(s, "%4"PRIu32, port);
        } else {
            ds_put_cstr(s, "   -");
        }
        ds_put_cstr(s, is_frozen(vmmob, &row->key) ? "  frozen\n" : "\n");
        free(hoa);
        free(moa);
    }
}

static void
vmn_to_json(const struct vmmob *vmmob, const struct vmmob_vmn *row,
            void *array)
{
    struct json *json = vmmob_vmn_to_json(row);
    ofp_port_t port;

    json_object_put_string(json, "status", row_status(vmmob, row, &port));
    if (is_frozen(vmmob, &row->key)) {
        json_object_put(json, "frozen", json_boolean_create(true));
    }
    if (port != OFPP_NONE) {
        json_object_put(json, "port",
                        json_integer_create((OVS_FORCE uint32_t) port));
    }
    json_array_add(array, json);
}

static void
show_vmns(struct unixctl_conn *conn, int argc, const char *argv[],
          void *aux OVS_UNUSED)
{
    bool as_json = wants_json(argc, argv);
    struct selection sel;
    char *error = parse_selection(argc - as_json, argv, &sel);

    if (error) {
        unixctl_command_reply_error(conn, error);
        free(error);
        return;
    }

    struct json *array = json_array_create_empty();
    struct ds s = DS_EMPTY_INITIALIZER;
    ds_put_format(&s, "%-17s  %-15s  %-15s  %-16s  %-8s  %5s  %-8s  %4s\n",
                  "MAC", "HoA", "MoA", "OFS", "Site", "Seqno", "State",
                  "Port");
    ovs_mutex_lock(&vmmob_mutex);
    const struct vmmob *vmmob = vmmob_get();
    if (vmmob) {
        if (as_json) {
            for_each_row(vmmob, &sel, vmn_to_json, array);
        } else {
            for_each_row(vmmob, &sel, vmn_to_text, &s);
        }
    }
    ovs_mutex_unlock(&vmmob_mutex);

    if (as_json) {
        reply_json(conn, array);
    } else {
        unixctl_command_reply(conn, ds_cstr(&s));
        json_destroy(array);
    }
    ds_destroy(&s);
}

static void
ofs_to_text(const struct vmmob_ofs *ofs, const char *status, struct ds *s)
{
    ds_put_format(s, VMMOB_OFS_ID_FMT"  %-8s  %-6s  "ETH_ADDR_FMT"  ", ofs->id,
                  ofs->site[0] ? ofs->site : "-", status,
                  ETH_ADDR_ARGS(ofs->mac));
    vmmob_prefix_format(&ofs->uplink, s);
    ds_put_cstr(s, "  gateway ");
    ds_put_addr(s, &ofs->gateway);
    if (!eth_addr_is_zero(ofs->gateway_mac)) {
        ds_put_format(s, " at "ETH_ADDR_FMT, ETH_ADDR_ARGS(ofs->gateway_mac));
    }
    ds_put_cstr(s, "  pool");
    for (size_t i = 0; i < ofs->n_pools; i++) {
        ds_put_char(s, ' ');
        vmmob_prefix_format(&ofs->pools[i], s);
    }
    ds_put_char(s, '\n');
}

static void
show_ofs(struct unixctl_conn *conn, int argc, const char *argv[],
         void *aux OVS_UNUSED)
{
    bool as_json = wants_json(argc, argv);
    uint64_t id = 0;

    argc -= as_json;
    if (argc > 1 && !vmmob_ofs_id_from_string(argv[1], &id)) {
        unixctl_command_reply_error(conn, "not a datapath id of 16 "
                                    "hexadecimal digits");
        return;
    }

    struct json *array = json_array_create_empty();
    struct ds s = DS_EMPTY_INITIALIZER;
    ovs_mutex_lock(&vmmob_mutex);
    const struct vmmob *vmmob = vmmob_get();
    if (vmmob) {
        const struct vmmob_table *table = vmmob->handover->table;
        const struct vmmob_ofs **ofss = vmmob_table_sort_ofss(table);

        for (size_t i = 0; i < vmmob_table_n_ofss(table); i++) {
            const char *status
                = (handover_find_ofs(vmmob->handover, ofss[i]->id) ? "here"
                   : ofss[i]->stale ? "stale" : "remote");

            if (argc > 1 && ofss[i]->id != id) {
                continue;
            }
            if (as_json) {
                struct json *json = vmmob_ofs_to_json(ofss[i]);

                json_object_put_string(json, "status", status);
                json_array_add(array, json);
            } else {
                ofs_to_text(ofss[i], status, &s);
            }
        }
        free(ofss);
    }
    ovs_mutex_unlock(&vmmob_mutex);

    if (as_json) {
        reply_json(conn, array);
    } else {
        unixctl_command_reply(conn, ds_cstr(&s));
        json_destroy(array);
    }
    ds_destroy(&s);
}

/* How many VMNs of an OFS are in which state. */
struct counts {
    size_t by_state[HANDOVER_PREPARED + 1];
    size_t needy;
};

static struct counts
count_vmns(const struct handover_ofs *ofs)
{
    const struct handover_vmn *vmn;
    struct counts counts;

    memset(&counts, 0, sizeof counts);
    HMAP_FOR_EACH (vmn, node, &ofs->vmns) {
        counts.by_state[vmn->state]++;
        counts.needy += !ovs_list_is_empty(&vmn->needy);
    }
    return counts;
}

static bool
gateway_is_silent(const struct vmmob_bridge *b)
{
    return (b->gateway.next_probe != LLONG_MAX
            && time_msec() - b->gateway.heard > GATEWAY_SILENT_MS);
}

static const char *
gateway_status(const struct vmmob_bridge *b)
{
    return (eth_addr_is_zero(b->gateway.mac)
            ? "does not answer; nothing can be sent to other networks"
            : b->gateway.next_probe == LLONG_MAX ? "configured"
            : gateway_is_silent(b)
            ? "does not answer any more" : "learned");
}

static int
compare_vm_ports(const void *a_, const void *b_)
{
    const struct vmmob_vm_port *const *ap = a_;
    const struct vmmob_vm_port *const *bp = b_;
    uint32_t a = ofp_to_u16((*ap)->number);
    uint32_t b = ofp_to_u16((*bp)->number);

    return a < b ? -1 : a > b;
}

/* Returns the VM ports of 'b', by number, as an array that the caller must
 * free(). */
static const struct vmmob_vm_port **
sort_vm_ports(const struct vmmob_bridge *b)
{
    const struct vmmob_vm_port **ports
        = xmalloc(hmap_count(&b->vm_ports) * sizeof *ports);
    const struct vmmob_vm_port *port;
    size_t n = 0;

    HMAP_FOR_EACH (port, node, &b->vm_ports) {
        ports[n++] = port;
    }
    qsort(ports, n, sizeof *ports, compare_vm_ports);
    return ports;
}

static void
ports_to_text(const struct vmmob *vmmob, const struct vmmob_bridge *b,
              const struct handover_ofs *ofs, struct ds *s)
    OVS_REQUIRES(vmmob_mutex)
{
    const struct vmmob_vm_port **ports = sort_vm_ports(b);
    struct fairq_stats stats;

    for (size_t i = 0; i < hmap_count(&b->vm_ports); i++) {
        const struct vmmob_vm_port *port = ports[i];
        const struct vmmob_port *row = port_table_find(&vmmob->handover->ports,
                                                       port->name);

        vmmob_get_punt_stats(b, port->number, &stats);
        ds_put_format(s, "  port %s (%"PRIu32"): MAC", port->name,
                      port->number);
        if (!row || (!row->any && !row->n_macs)) {
            ds_put_cstr(s, " not known");
        } else if (row->any) {
            ds_put_cstr(s, " any");
        } else {
            for (size_t j = 0; j < row->n_macs; j++) {
                ds_put_format(s, " "ETH_ADDR_FMT,
                              ETH_ADDR_ARGS(row->macs[j]));
            }
        }
        ds_put_format(s, "; %"PRIuSIZE" VMNs; ignored: %llu forged, %llu over "
                      "the rate, %llu over the number of VMNs",
                      handover_count_port(ofs, port->number),
                      vmmob_count_forged(b, port),
                      stats.n_limited + stats.n_overflow, port->n_refused);
        if (vmmob_count_blocked(b, port) || port->blocked) {
            ds_put_format(s, ", %llu in floods%s",
                          vmmob_count_blocked(b, port),
                          port->blocked ? "; blocked" : "");
        }
        ds_put_char(s, '\n');
    }
    free(ports);
    vmmob_get_punt_stats(b, b->uplink, &stats);
    if (stats.n_limited + stats.n_overflow) {
        ds_put_format(s, "  uplink: ignored: %llu over the rate\n",
                      stats.n_limited + stats.n_overflow);
    }
}

static struct json *
ports_to_json(const struct vmmob *vmmob, const struct vmmob_bridge *b,
              const struct handover_ofs *ofs)
    OVS_REQUIRES(vmmob_mutex)
{
    const struct vmmob_vm_port **ports = sort_vm_ports(b);
    struct json *array = json_array_create_empty();

    for (size_t i = 0; i < hmap_count(&b->vm_ports); i++) {
        const struct vmmob_vm_port *port = ports[i];
        const struct vmmob_port *row = port_table_find(&vmmob->handover->ports,
                                                       port->name);
        struct vmmob_port none = { .name = port->name,
                                   .iface_id = CONST_CAST(char *, "") };
        struct json *json = vmmob_port_to_json(row ? row : &none);
        struct fairq_stats stats;

        vmmob_get_punt_stats(b, port->number, &stats);
        json_object_put(json, "port", json_integer_create(
                            (OVS_FORCE uint32_t) port->number));
        json_object_put(json, "vmns", json_integer_create(
                            handover_count_port(ofs, port->number)));
        json_object_put(json, "punted",
                        json_integer_create(stats.n_admitted));
        json_object_put(json, "limited",
                        json_integer_create(stats.n_limited));
        json_object_put(json, "overflow",
                        json_integer_create(stats.n_overflow));
        json_object_put(json, "forged", json_integer_create(
                            vmmob_count_forged(b, port)));
        json_object_put(json, "blocked",
                        json_boolean_create(port->blocked));
        json_object_put(json, "n_blocked", json_integer_create(
                            vmmob_count_blocked(b, port)));
        json_object_put(json, "refused",
                        json_integer_create(port->n_refused));
        json_array_add(array, json);
    }
    free(ports);
    return array;
}

static void
bridge_to_text(const struct vmmob *vmmob, const struct vmmob_bridge *b,
               struct ds *s)
    OVS_REQUIRES(vmmob_mutex)
{
    ds_put_format(s, "bridge %s: %s\n", b->name, b->enabled ? "on" : "off");
    if (!b->enabled) {
        return;
    }

    const struct handover_ofs *ofs = handover_find_ofs(vmmob->handover, b->id);
    const struct vmmob_ofs *record = vmmob_table_find_ofs(
        vmmob->handover->table, b->id);
    const struct vmmob_settings *settings = &ofs->settings;
    struct counts counts = count_vmns(ofs);

    ds_put_format(s, "  OFS: "VMMOB_OFS_ID_FMT", MAC "ETH_ADDR_FMT
                  ", site %s\n", b->id, ETH_ADDR_ARGS(b->mac),
                  record->site[0] ? record->site : "-");
    ds_put_format(s, "  uplink: %s (port %"PRIu32"), network ",
                  settings->uplink, b->uplink);
    vmmob_prefix_format(&settings->network, s);
    ds_put_cstr(s, "\n  gateway: ");
    ds_put_addr(s, &settings->gateway);
    if (!eth_addr_is_zero(b->gateway.mac)) {
        ds_put_format(s, " at "ETH_ADDR_FMT, ETH_ADDR_ARGS(b->gateway.mac));
    }
    ds_put_format(s, " (%s)\n  home: ", gateway_status(b));
    vmmob_prefix_format(&settings->home, s);
    ds_put_cstr(s, ", gateway ");
    ds_put_addr(s, &settings->home_gateway);
    ds_put_cstr(s, "\n  pool:");
    for (size_t i = 0; i < settings->n_pools; i++) {
        ds_put_char(s, ' ');
        vmmob_prefix_format(&settings->pools[i], s);
    }
    ds_put_format(s, ": %"PRIuSIZE" taken, %"PRIuSIZE" in quarantine, of "
                  "%"PRIuSIZE"\n", pool_n_taken(ofs->pool),
                  pool_n_quarantined(ofs->pool), pool_size(ofs->pool));
    ds_put_format(s, "  VMNs: %"PRIuSIZE" attached, %"PRIuSIZE" detached, "
                  "%"PRIuSIZE" left, %"PRIuSIZE" prepared; %"PRIuSIZE
                  " remote ones active\n",
                  counts.by_state[HANDOVER_ATTACHED],
                  counts.by_state[HANDOVER_DETACHED],
                  counts.by_state[HANDOVER_LEFT],
                  counts.by_state[HANDOVER_PREPARED],
                  hmap_count(&ofs->active));
    if (handover_is_waiting(ofs)) {
        ds_put_cstr(s, "  waiting for ovs-vmmobd to tell what is known\n");
    }
    ds_put_format(s, "  rules: %"PRIuSIZE"\n"
                  "  packets: %llu looked at, %llu ARP requests answered, "
                  "%llu malformed or forged, %llu for unknown VMNs\n",
                  rules_count(b->rules), b->n_punted, b->n_answered, b->n_bad,
                  b->n_unresolved);
    ports_to_text(vmmob, b, ofs, s);
}

static struct json *
bridge_to_json(const struct vmmob *vmmob, const struct vmmob_bridge *b)
    OVS_REQUIRES(vmmob_mutex)
{
    struct json *json = json_object_create();

    json_object_put_string(json, "name", b->name);
    json_object_put(json, "enabled", json_boolean_create(b->enabled));
    if (b->error) {
        json_object_put_string(json, "error", b->error);
    }
    if (!b->enabled) {
        return json;
    }

    const struct handover_ofs *ofs = handover_find_ofs(vmmob->handover, b->id);
    struct counts counts = count_vmns(ofs);
    struct json *home = json_object_create();
    struct json *pool = json_object_create();
    struct json *vmns = json_object_create();
    struct json *packets = json_object_create();
    struct json *conflicts = json_array_create_empty();
    struct ds s = DS_EMPTY_INITIALIZER;

    json_object_put(json, "ofs",
                    vmmob_ofs_to_json(vmmob_table_find_ofs(
                        vmmob->handover->table, b->id)));
    json_object_put_string(json, "uplink", ofs->settings.uplink);
    json_object_put(json, "uplink_port", json_integer_create(
                        (OVS_FORCE uint32_t) b->uplink));
    json_object_put_string(json, "gateway_status", gateway_status(b));
    json_object_put(json, "waiting",
                    json_boolean_create(handover_is_waiting(ofs)));

    vmmob_prefix_format(&ofs->settings.home, &s);
    json_object_put_string(home, "prefix", ds_cstr(&s));
    ds_clear(&s);
    ds_put_addr(&s, &ofs->settings.home_gateway);
    json_object_put_string(home, "gateway", ds_cstr(&s));
    json_object_put(json, "home", home);

    json_object_put(pool, "size", json_integer_create(pool_size(ofs->pool)));
    json_object_put(pool, "taken",
                    json_integer_create(pool_n_taken(ofs->pool)));
    json_object_put(pool, "quarantined",
                    json_integer_create(pool_n_quarantined(ofs->pool)));
    json_object_put(json, "pool", pool);

    for (size_t i = 0; i < ARRAY_SIZE(counts.by_state); i++) {
        json_object_put(vmns, handover_state_to_string(i),
                        json_integer_create(counts.by_state[i]));
    }
    json_object_put(vmns, "without_moa", json_integer_create(counts.needy));
    json_object_put(vmns, "active_remote",
                    json_integer_create(hmap_count(&ofs->active)));
    json_object_put(json, "vmns", vmns);
    json_object_put(json, "rules",
                    json_integer_create(rules_count(b->rules)));

    json_object_put(packets, "punted", json_integer_create(b->n_punted));
    json_object_put(packets, "answered", json_integer_create(b->n_answered));
    json_object_put(packets, "bad", json_integer_create(b->n_bad));
    json_object_put(packets, "unresolved",
                    json_integer_create(b->n_unresolved));
    json_object_put(json, "packets", packets);
    json_object_put(json, "ports", ports_to_json(vmmob, b, ofs));

    for (size_t i = 0; i < ofs->n_conflicts; i++) {
        const struct handover_conflict *c = &ofs->conflicts[i];
        struct json *conflict = json_object_create();

        ds_clear(&s);
        ds_put_addr(&s, &c->hoa);
        json_object_put_string(conflict, "hoa", ds_cstr(&s));
        json_object_put_format(conflict, "owner", ETH_ADDR_FMT,
                               ETH_ADDR_ARGS(c->owner.mac));
        json_object_put_format(conflict, "claimant", ETH_ADDR_FMT,
                               ETH_ADDR_ARGS(c->claimant.mac));
        json_object_put(conflict, "port", json_integer_create(
                            (OVS_FORCE uint32_t) c->port));
        json_array_add(conflicts, conflict);
    }
    json_object_put(json, "conflicts", conflicts);

    struct json *frozen = json_array_create_empty();
    const struct damping_record *r;
    LIST_FOR_EACH (r, list_node, &ofs->damping.by_expiry) {
        if (r->frozen) {
            struct json *vmn = json_object_create();

            json_object_put_format(vmn, "mac", ETH_ADDR_FMT,
                                   ETH_ADDR_ARGS(r->key.mac));
            json_object_put(vmn, "moves", json_integer_create(r->n));
            json_object_put(vmn, "remaining_ms", json_integer_create(
                                MAX(0, r->expires - time_msec())));
            json_array_add(frozen, vmn);
        }
    }
    json_object_put(json, "frozen", frozen);
    ds_destroy(&s);
    return json;
}

static int
compare_bridges(const void *a_, const void *b_)
{
    const struct vmmob_bridge *const *a = a_;
    const struct vmmob_bridge *const *b = b_;

    return strcmp((*a)->name, (*b)->name);
}

/* Returns the bridges of 'vmmob' by name, as an array that the caller must
 * free(). */
static const struct vmmob_bridge **
sort_bridges(const struct vmmob *vmmob)
{
    const struct vmmob_bridge **sorted
        = xmalloc(hmap_count(&vmmob->bridges) * sizeof *sorted);
    const struct vmmob_bridge *b;
    size_t n = 0;

    HMAP_FOR_EACH (b, node, &vmmob->bridges) {
        sorted[n++] = b;
    }
    qsort(sorted, n, sizeof *sorted, compare_bridges);
    return sorted;
}

/* Problems. */

static void
bridge_get_error(const struct vmmob_bridge *b, struct vmmob_problems *p)
{
    char *hint = (b->error_kind == VMMOB_PROBLEM_UPLINK
                  ? xasprintf("add the interface to the bridge with "
                              "\"ovs-vsctl add-port %s ...\", or name "
                              "another one in other_config:vmmob-uplink",
                              b->name)
                  : b->error_kind == VMMOB_PROBLEM_TABLES
                  ? xasprintf("have your controller use other tables, and "
                              "remove the flows with \"ovs-ofctl del-flows "
                              "%s table=...\"", b->name)
                  : b->error_kind == VMMOB_PROBLEM_DATAPATH_ID
                  ? xasprintf("give one of the two another one with "
                              "\"ovs-vsctl set Bridge %s "
                              "other_config:datapath-id=...\"", b->name)
                  : xasprintf("put the setting right with \"ovs-vsctl set "
                              "Bridge %s other_config:...\"; see vmmob(7)",
                              b->name));

    vmmob_problems_add(p, b->error_kind,
                       xasprintf("bridge %s: %s%s", b->name, b->error,
                                 b->enabled
                                 ? "; the settings before stay in force"
                                 : "; VM mobility is off"),
                       hint);
}

static void
bridge_get_gateway_problem(const struct vmmob_bridge *b,
                           const struct handover_ofs *ofs,
                           struct vmmob_problems *p)
{
    bool known = !eth_addr_is_zero(b->gateway.mac);

    if (!known || gateway_is_silent(b)) {
        char *addr = addr_to_string(&ofs->settings.gateway);

        vmmob_problems_add(
            p, VMMOB_PROBLEM_GATEWAY,
            xasprintf("bridge %s: the gateway %s does not answer ARP%s",
                      b->name, addr,
                      known ? " any more; its last MAC address stays in use"
                      : ", so nothing can be sent to other networks"),
            xasprintf("look for the cause on interface %s and at the gateway, "
                      "correct other_config:vmmob-gateway, or, if it does not "
                      "answer ARP probes, set "
                      "other_config:vmmob-gateway-mac",
                      ofs->settings.uplink));
        free(addr);
    }
}

static void
bridge_get_pool_problem(const struct vmmob_bridge *b,
                        const struct handover_ofs *ofs,
                        struct vmmob_problems *p)
{
    static const char hint[] = "enlarge other_config:vmmob-pool, shorten "
        "vmmob-quarantine, or use vmmob/release for VMs that are gone for "
        "good";
    size_t size = pool_size(ofs->pool);
    size_t quarantined = pool_n_quarantined(ofs->pool);
    size_t used = pool_n_taken(ofs->pool) + quarantined;
    size_t needy = count_vmns(ofs).needy;

    if (needy && !handover_is_waiting(ofs)) {
        vmmob_problems_add(
            p, VMMOB_PROBLEM_POOL_EXHAUSTED,
            xasprintf("bridge %s: the pool is exhausted: %"PRIuSIZE" VMNs "
                      "have no mobile address, so they reach only VMNs at "
                      "the same bridge", b->name, needy), xstrdup(hint));
    } else if (used > size || size - used < DIV_ROUND_UP(size, POOL_LOW)) {
        vmmob_problems_add(
            p, VMMOB_PROBLEM_POOL_LOW,
            xasprintf("bridge %s: the pool is nearly exhausted: %"PRIuSIZE" "
                      "of %"PRIuSIZE" addresses are free, %"PRIuSIZE" are in "
                      "quarantine", b->name, used > size ? 0 : size - used,
                      size, quarantined), xstrdup(hint));
    }
}

static void
bridge_get_vmn_problems(const struct vmmob *vmmob,
                        const struct vmmob_bridge *b,
                        const struct handover_ofs *ofs,
                        struct vmmob_problems *p)
{
    long long int now = time_msec();
    const struct damping_record *r;

    for (size_t i = 0; i < ofs->n_conflicts; i++) {
        const struct handover_conflict *c = &ofs->conflicts[i];
        const struct vmmob_vmn *owner
            = vmmob_table_find_by_hoa(vmmob->handover->table, 0, &c->hoa);

        if (owner && vmmob_key_equals(&owner->key, &c->owner)
            && now - c->when < CONFLICT_MS) {
            char *addr = addr_to_string(&c->hoa);

            vmmob_problems_add(
                p, VMMOB_PROBLEM_HOA_CONFLICT,
                xasprintf("bridge %s: home address %s of VMN "ETH_ADDR_FMT" "
                          "is claimed by "ETH_ADDR_FMT" at port %"PRIu32
                          " as well, which is ignored", b->name, addr,
                          ETH_ADDR_ARGS(c->owner.mac),
                          ETH_ADDR_ARGS(c->claimant.mac), c->port),
                xasprintf("give one of the two VMs another address, or, if "
                          "the second one is right, use \"vmmob/release "
                          ETH_ADDR_FMT"\" where the first one is",
                          ETH_ADDR_ARGS(c->owner.mac)));
            free(addr);
        }
    }
    LIST_FOR_EACH (r, list_node, &ofs->damping.by_expiry) {
        if (r->frozen) {
            vmmob_problems_add(
                p, VMMOB_PROBLEM_FROZEN,
                xasprintf("bridge %s: VMN "ETH_ADDR_FMT" moved %"PRIuSIZE" "
                          "times within %lld s, so it is not let move here "
                          "for another %lld s", b->name,
                          ETH_ADDR_ARGS(r->key.mac), r->n,
                          (r->times[r->n - 1] - r->times[0]) / 1000,
                          DIV_ROUND_UP(MAX(0, r->expires - now), 1000)),
                xasprintf("see whether two VMs have this MAC address; if "
                          "not, use \"vmmob/release "ETH_ADDR_FMT"\", and "
                          "perhaps raise other_config:vmmob-max-moves",
                          ETH_ADDR_ARGS(r->key.mac)));
        }
    }
}

static void
bridge_get_port_problems(const struct vmmob *vmmob,
                         const struct vmmob_bridge *b,
                         const struct handover_ofs *ofs,
                         struct vmmob_problems *p)
{
    const struct vmmob_vm_port **ports = sort_vm_ports(b);
    struct ds open = DS_EMPTY_INITIALIZER;
    long long int now = time_msec();
    size_t n_open = 0;

    for (size_t i = 0; i < hmap_count(&b->vm_ports); i++) {
        const struct vmmob_vm_port *port = ports[i];
        const struct vmmob_port *row = port_table_find(&vmmob->handover->ports,
                                                       port->name);
        size_t n = handover_count_port(ofs, port->number);

        if (port->blocked) {
            vmmob_problems_add(
                p, VMMOB_PROBLEM_PORT_BLOCKED,
                xasprintf("bridge %s: port %s is blocked, because it floods",
                          b->name, port->name),
                xstrdup("see what that VM sends; if it is to, raise "
                        "other_config:vmmob-flood-rate"));
        }
        if (ofs->settings.max_vmns && n >= ofs->settings.max_vmns
            && port->n_refused && now < port->refused + PORT_FULL_MS) {
            vmmob_problems_add(
                p, VMMOB_PROBLEM_PORT_FULL,
                xasprintf("bridge %s: port %s has %"PRIuSIZE" VMNs, and no "
                          "more are taken there", b->name, port->name, n),
                xstrdup("raise other_config:vmmob-max-vmns, or use "
                        "vmmob/release for those that are gone"));
        }
        if ((!row || (!row->any && !row->n_macs))
            && n_open++ < VMMOB_MAX_PROBLEMS_OF_KIND) {
            ds_put_format(&open, "%s%s", n_open > 1 ? ", " : "", port->name);
        }
    }
    free(ports);
    if (n_open > VMMOB_MAX_PROBLEMS_OF_KIND) {
        ds_put_cstr(&open, ", ...");
    }
    if (n_open) {
        vmmob_problems_add(
            p, VMMOB_PROBLEM_PORT_MAC,
            xasprintf("bridge %s: of %"PRIuSIZE" VM ports (%s) it is not "
                      "known whose they are, so a VM there can pretend to be "
                      "another", b->name, n_open, ds_cstr(&open)),
            xstrdup("set external_ids:attached-mac or vmmob-mac of the "
                    "interfaces, as libvirt does; vmmob-mac=any where every "
                    "MAC address is all right"));
    }
    ds_destroy(&open);
}

static void
get_stale_problem(const struct vmmob *vmmob, struct vmmob_problems *p)
{
    struct sset sites = SSET_INITIALIZER(&sites);
    const struct vmmob_ofs_entry *oe;
    size_t n = 0;

    HMAP_FOR_EACH (oe, node, vmmob_table_ofs_entries(vmmob->handover->table)) {
        if (oe->ofs.stale) {
            sset_add(&sites, oe->ofs.site[0] ? oe->ofs.site : "-");
            n++;
        }
    }
    if (n) {
        char *names = sset_join(&sites, ", ", "");

        vmmob_problems_add(
            p, VMMOB_PROBLEM_STALE,
            xasprintf("what is known of %"PRIuSIZE" OFSs of other "
                      "hypervisors (site %s) may be out of date", n, names),
            xstrdup("see \"ovs-appctl -t ovs-vmmobd vmmob/show\""));
        free(names);
    }
    sset_destroy(&sites);
}

/* Adds to 'p' what is wrong now. */
void
show_get_problems(const struct vmmob *vmmob, struct vmmob_problems *p)
{
    const struct vmmob_bridge **bridges = sort_bridges(vmmob);
    const char *status = agent_get_status(vmmob->agent);

    if (hmap_is_empty(&vmmob->bridges)) {
        /* Nobody needs the agent. */
    } else if (!strcmp(status, "cannot listen")) {
        vmmob_problems_add(
            p, VMMOB_PROBLEM_AGENT,
            xstrdup("cannot listen for ovs-vmmobd, so nobody else hears of "
                    "VMs here"),
            xstrdup("see the log for the reason, and restart ovs-vswitchd "
                    "when it is gone"));
    } else if (!strcmp(status, "synchronizing")) {
        vmmob_problems_add(
            p, VMMOB_PROBLEM_AGENT,
            xstrdup("ovs-vmmobd has not told yet what is known"),
            xstrdup("if this lasts, see \"ovs-appctl -t ovs-vmmobd "
                    "vmmob/show\""));
    } else if (strcmp(status, "connected")) {
        vmmob_problems_add(
            p, VMMOB_PROBLEM_AGENT,
            xstrdup("ovs-vmmobd is not connected, so other hypervisors do not "
                    "hear of VMs here, nor this one of theirs"),
            xstrdup("start ovs-vmmobd; if it runs, see \"ovs-appctl -t "
                    "ovs-vmmobd vmmob/show\""));
    }
    get_stale_problem(vmmob, p);

    for (size_t i = 0; i < hmap_count(&vmmob->bridges); i++) {
        const struct vmmob_bridge *b = bridges[i];

        if (b->error) {
            bridge_get_error(b, p);
        }
        if (b->enabled) {
            const struct handover_ofs *ofs = handover_find_ofs(vmmob->handover,
                                                               b->id);

            bridge_get_gateway_problem(b, ofs, p);
            bridge_get_pool_problem(b, ofs, p);
            bridge_get_vmn_problems(vmmob, b, ofs, p);
            bridge_get_port_problems(vmmob, b, ofs, p);
        }
    }
    free(bridges);
}

/* Figures. */

static void
bridge_get_stats(const struct vmmob *vmmob, const struct vmmob_bridge *b,
                 uint64_t *v)
    OVS_REQUIRES(vmmob_mutex)
{
    v[VMMOB_STAT_ENABLED] = b->enabled;
    if (!b->enabled) {
        return;
    }

    const struct handover_ofs *ofs = handover_find_ofs(vmmob->handover, b->id);
    struct counts counts = count_vmns(ofs);
    const struct vmmob_vm_port *port;
    const struct damping_record *r;

    v[VMMOB_STAT_ATTACHED] = counts.by_state[HANDOVER_ATTACHED];
    v[VMMOB_STAT_DETACHED] = counts.by_state[HANDOVER_DETACHED];
    v[VMMOB_STAT_LEFT] = counts.by_state[HANDOVER_LEFT];
    v[VMMOB_STAT_PREPARED] = counts.by_state[HANDOVER_PREPARED];
    v[VMMOB_STAT_WITHOUT_MOA] = counts.needy;
    v[VMMOB_STAT_FROZEN] = 0;
    LIST_FOR_EACH (r, list_node, &ofs->damping.by_expiry) {
        v[VMMOB_STAT_FROZEN] += r->frozen;
    }
    v[VMMOB_STAT_ACTIVE] = hmap_count(&ofs->active);
    v[VMMOB_STAT_CONFLICTS] = ofs->n_conflicts;

    size_t taken = pool_n_taken(ofs->pool);
    size_t quarantined = pool_n_quarantined(ofs->pool);
    size_t size = pool_size(ofs->pool);
    v[VMMOB_STAT_POOL_TAKEN] = taken;
    v[VMMOB_STAT_POOL_QUARANTINED] = quarantined;
    v[VMMOB_STAT_POOL_FREE] = size - MIN(size, taken + quarantined);
    v[VMMOB_STAT_GATEWAY] = !eth_addr_is_zero(b->gateway.mac);
    v[VMMOB_STAT_RULES] = rules_count(b->rules);

    v[VMMOB_STAT_PUNTED] = b->n_punted;
    v[VMMOB_STAT_BAD] = b->n_bad;
    v[VMMOB_STAT_ANSWERED] = b->n_answered;
    v[VMMOB_STAT_UNRESOLVED] = b->n_unresolved;
    v[VMMOB_STAT_FORGED] = b->past_forged;
    v[VMMOB_STAT_BLOCKED] = b->past_blocked;
    v[VMMOB_STAT_REFUSED] = b->past_refused;
    v[VMMOB_STAT_PORTS] = hmap_count(&b->vm_ports);
    v[VMMOB_STAT_OPEN_PORTS] = v[VMMOB_STAT_BLOCKED_PORTS] = 0;
    HMAP_FOR_EACH (port, node, &b->vm_ports) {
        const struct vmmob_port *row = port_table_find(&vmmob->handover->ports,
                                                       port->name);

        v[VMMOB_STAT_FORGED] += vmmob_count_forged(b, port);
        v[VMMOB_STAT_BLOCKED] += vmmob_count_blocked(b, port);
        v[VMMOB_STAT_REFUSED] += port->n_refused;
        v[VMMOB_STAT_OPEN_PORTS] += !row || (!row->any && !row->n_macs);
        v[VMMOB_STAT_BLOCKED_PORTS] += port->blocked;
    }
}

/* Puts what is counted into 's', but for moves and waiting packets. */
void
show_get_stats(const struct vmmob *vmmob, struct vmmob_stats *s)
{
    const struct vmmob_bridge **bridges = sort_bridges(vmmob);
    struct vmmob_problems problems;

    for (size_t i = 0; i < hmap_count(&vmmob->bridges); i++) {
        bridge_get_stats(vmmob, bridges[i],
                         vmmob_stats_add_bridge(s, bridges[i]->name)->values);
    }
    free(bridges);

    vmmob_problems_init(&problems);
    show_get_problems(vmmob, &problems);
    for (size_t i = 0; i < VMMOB_N_SWITCH_PROBLEMS; i++) {
        simap_put(&s->problems, vmmob_problem_kind_to_string(i),
                  problems.n_by_kind[i]);
    }
    vmmob_problems_destroy(&problems);
    vmmob_stats_add_counters(s, "vmmob_");
}

static void
show(struct unixctl_conn *conn, int argc, const char *argv[],
     void *aux OVS_UNUSED)
{
    bool as_json = wants_json(argc, argv);
    struct json *bridges = json_array_create_empty();
    struct json *json = json_object_create();
    struct ds s = DS_EMPTY_INITIALIZER;

    if (argc - as_json > 1) {
        unixctl_command_reply_error(conn, "the only argument is \"json\"");
        json_destroy(bridges);
        json_destroy(json);
        return;
    }

    ovs_mutex_lock(&vmmob_mutex);
    const struct vmmob *vmmob = vmmob_get();
    if (!vmmob) {
        ds_put_cstr(&s, "no bridge is configured for VM mobility\n");
    } else {
        const struct vmmob_bridge **sorted = sort_bridges(vmmob);
        struct vmmob_problems problems;

        ds_put_format(&s, "agent: %s\nknown: %"PRIuSIZE" VMNs, %"PRIuSIZE
                      " OFSs\n", agent_get_status(vmmob->agent),
                      vmmob_table_n_vmns(vmmob->handover->table),
                      vmmob_table_n_ofss(vmmob->handover->table));
        json_object_put_string(json, "agent", agent_get_status(vmmob->agent));
        json_object_put(json, "n_vmns", json_integer_create(
                            vmmob_table_n_vmns(vmmob->handover->table)));
        json_object_put(json, "n_ofss", json_integer_create(
                            vmmob_table_n_ofss(vmmob->handover->table)));

        for (size_t i = 0; i < hmap_count(&vmmob->bridges); i++) {
            bridge_to_text(vmmob, sorted[i], &s);
            json_array_add(bridges, bridge_to_json(vmmob, sorted[i]));
        }
        free(sorted);

        vmmob_problems_init(&problems);
        show_get_problems(vmmob, &problems);
        vmmob_problems_to_text(&problems, &s);
        json_object_put(json, "problems", vmmob_problems_to_json(&problems));
        vmmob_problems_destroy(&problems);
    }
    ovs_mutex_unlock(&vmmob_mutex);

    json_object_put(json, "bridges", bridges);
    if (as_json) {
        reply_json(conn, json);
    } else {
        unixctl_command_reply(conn, ds_cstr(&s));
        json_destroy(json);
    }
    ds_destroy(&s);
}

static void
release(struct unixctl_conn *conn, int argc, const char *argv[],
        void *aux OVS_UNUSED)
{
    struct selection sel;
    char *error = parse_selection(argc, argv, &sel);

    if (error) {
        unixctl_command_reply_error(conn, error);
        free(error);
        return;
    }

    size_t n = 0;
    ovs_mutex_lock(&vmmob_mutex);
    struct vmmob *vmmob = vmmob_get();
    if (vmmob) {
        struct handover *h = vmmob->handover;
        struct vmmob_key key = { .tenant = 0, .mac = sel.mac };
        const struct vmmob_vmn *vmn = NULL;

        if (sel.by_addr) {
            vmn = vmmob_table_find_by_hoa(h->table, 0, &sel.addr);
            if (!vmn) {
                vmn = vmmob_table_find_by_moa(h->table, &sel.addr);
            }
            if (vmn) {
                key = vmn->key;
            }
        }
        if (sel.by_mac || vmn) {
            n = handover_release(h, &key, time_msec());
            effects_apply(vmmob, false);
        }
    }
    ovs_mutex_unlock(&vmmob_mutex);

    if (n) {
        unixctl_command_reply(conn, NULL);
    } else {
        unixctl_command_reply_error(conn, "no such VMN at this switch");
    }
}

/* Registers the commands. */
void
show_init(void)
{
    unixctl_command_register("vmmob/show", "[json]", 0, 1, show, NULL);
    unixctl_command_register("vmmob/vmns", "[MAC|HOA|MOA] [json]", 0, 2,
                             show_vmns, NULL);
    unixctl_command_register("vmmob/ofs", "[DATAPATH_ID] [json]", 0, 2,
                             show_ofs, NULL);
    unixctl_command_register("vmmob/release", "MAC|HOA|MOA", 1, 1, release,
                             NULL);
}
