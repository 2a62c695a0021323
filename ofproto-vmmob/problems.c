/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/problems.h"

#include "netdev-provider.h"
#include "ofproto-vmmob/agent.h"
#include "ofproto-vmmob/bridge.h"
#include "ofproto-vmmob/bridge-gone.h"
#include "ofproto-vmmob/bridge-list.h"
#include "ofproto-vmmob/handover.h"
#include "ofproto-vmmob/module.h"
#include "ofproto-vmmob/pool.h"
#include "ofproto-vmmob/port-config.h"
#include "openvswitch/dynamic-string.h"
#include "packets.h"
#include "sset.h"
#include "timeval.h"
#include "util.h"
#include "vmmob-problems.h"

/* A pool is nearly exhausted if less than one in so many addresses is free. */
#define POOL_LOW 10

/* How long a claim to another's home address is a problem, in ms. */
#define CONFLICT_MS (10 * 60 * 1000)

/* How long a full port is a problem after it refused a VMN, in ms. */
#define PORT_FULL_MS (10 * 60 * 1000)

/* How long after its last answer the gateway is reported as silent, in ms. */
#define GATEWAY_SILENT_MS (35 * 1000)

/* Most home addresses claimed twice that are shown. */
#define MAX_CONTESTS 64

static void get_agent_problem(const struct vmmob *, struct vmmob_problems *);
static void get_stale_problem(const struct vmmob *, struct vmmob_problems *);
static void get_contest_problems(const struct vmmob *,
                                 struct vmmob_problems *);
static void get_gone_problems(const struct vmmob *, struct vmmob_problems *);
static void bridge_get_error(const struct vmmob_bridge *,
                             struct vmmob_problems *);
static void bridge_get_family_problem(const struct vmmob_bridge *,
                                      const struct handover_ofs *,
                                      enum vmmob_family,
                                      struct vmmob_problems *);
static void bridge_get_gateway_problem(const struct vmmob_bridge *,
                                       const struct handover_ofs *,
                                       const struct vmmob_gateway *,
                                       struct vmmob_problems *);
static void bridge_get_link_problem(const struct vmmob_bridge *,
                                    const struct handover_ofs *,
                                    struct vmmob_problems *);
static void bridge_get_pool_problem(const struct vmmob_bridge *,
                                    const struct handover_ofs *,
                                    struct vmmob_problems *);
static void bridge_get_claim_problems(const struct vmmob_bridge *,
                                      const struct handover_ofs *,
                                      struct vmmob_problems *);
static void bridge_get_vmn_problems(const struct vmmob *,
                                    const struct vmmob_bridge *,
                                    const struct handover_ofs *,
                                    struct vmmob_problems *);
static void bridge_get_port_problems(const struct vmmob *,
                                     const struct vmmob_bridge *,
                                     const struct handover_ofs *,
                                     struct vmmob_problems *);

/* Adds to 'p' what is wrong now. */
void
vmmob_find_problems(const struct vmmob *vmmob, struct vmmob_problems *p)
{
    const struct vmmob_bridge **bridges = vmmob_sort_bridges(vmmob);

    if (!hmap_is_empty(&vmmob->bridges)) {
        get_agent_problem(vmmob, p);
    }
    get_stale_problem(vmmob, p);
    get_contest_problems(vmmob, p);
    get_gone_problems(vmmob, p);

    for (size_t i = 0; i < hmap_count(&vmmob->bridges); i++) {
        const struct vmmob_bridge *b = bridges[i];

        if (b->error) {
            bridge_get_error(b, p);
        }
        if (b->enabled) {
            const struct handover_ofs *ofs = vmmob_handover_find_ofs(
                vmmob->handover, b->id);

            bridge_get_link_problem(b, ofs, p);
            for (enum vmmob_family f = 0; f < VMMOB_N_FAMILIES; f++) {
                bridge_get_family_problem(b, ofs, f, p);
                bridge_get_gateway_problem(b, ofs, &b->gateways[f], p);
            }
            bridge_get_pool_problem(b, ofs, p);
            bridge_get_claim_problems(b, ofs, p);
            bridge_get_vmn_problems(vmmob, b, ofs, p);
            bridge_get_port_problems(vmmob, b, ofs, p);
        }
    }
    free(bridges);
}

/* Returns true if 'gw' has answered, and does so no more. */
bool
vmmob_gateway_is_silent(const struct vmmob_gateway *gw)
{
    return (gw->next_probe != LLONG_MAX
            && time_msec() - gw->heard > GATEWAY_SILENT_MS);
}

/* Adds to 'p' what is wrong with the agent, which nobody needs as long as
 * there is no bridge. */
static void
get_agent_problem(const struct vmmob *vmmob, struct vmmob_problems *p)
{
    switch (vmmob_agent_get_status(vmmob->agent)) {
    case AGENT_CANNOT_LISTEN:
        vmmob_problems_add(
            p, VMMOB_PROBLEM_AGENT,
            xstrdup("cannot listen for ovs-vmmobd, so nobody else hears of "
                    "VMs here"),
            xstrdup("see the log for the reason, and restart ovs-vswitchd "
                    "when it is gone"));
        break;

    case AGENT_SYNCHRONIZING:
        vmmob_problems_add(
            p, VMMOB_PROBLEM_AGENT,
            xstrdup("ovs-vmmobd has not told yet what is known"),
            xstrdup("if this lasts, see \"ovs-appctl -t ovs-vmmobd "
                    "vmmob/show\""));
        break;

    case AGENT_NOT_CONNECTED:
        vmmob_problems_add(
            p, VMMOB_PROBLEM_AGENT,
            xstrdup("ovs-vmmobd is not connected, so other hypervisors do not "
                    "hear of VMs here, nor this one of theirs"),
            xstrdup("start ovs-vmmobd; if it runs, see \"ovs-appctl -t "
                    "ovs-vmmobd vmmob/show\""));
        break;

    case AGENT_CONNECTED:
        break;

    default:
        OVS_NOT_REACHED();
    }
}

static void
get_stale_problem(const struct vmmob *vmmob, struct vmmob_problems *p)
{
    struct sset sites = SSET_INITIALIZER(&sites);
    const struct vmmob_ofs_entry *oe;
    size_t n = 0;

    HMAP_FOR_EACH (oe, node, vmmob_table_ofs_entries(vmmob->table)) {
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

/* Adds to 'p' the home addresses that VMNs at several OFSs have. */
static void
get_contest_problems(const struct vmmob *vmmob, struct vmmob_problems *p)
{
    const struct vmmob_table *table = vmmob->table;
    struct vmmob_contest contests[MAX_CONTESTS];
    size_t n = vmmob_table_get_contests(table, contests, MAX_CONTESTS);

    for (size_t i = 0; i < MIN(n, MAX_CONTESTS); i++) {
        const struct vmmob_contest *c = &contests[i];
        const struct vmmob_ofs *ofs = vmmob_table_find_ofs(table,
                                                           c->claimant->ofs);
        const char *site = ofs && ofs->site[0] ? ofs->site : "-";
        char *hoa = vmmob_addr_to_string(&c->hoa, "-");

        vmmob_problems_add(
            p, VMMOB_PROBLEM_HOA_CONFLICT,
            xasprintf("home address %s of VMN "ETH_ADDR_FMT" (OFS "
                      VMMOB_OFS_ID_FMT") is claimed by "ETH_ADDR_FMT" (OFS "
                      VMMOB_OFS_ID_FMT", site %s) as well, which is ignored "
                      "here", hoa, ETH_ADDR_ARGS(c->owner->key.mac),
                      c->owner->ofs, ETH_ADDR_ARGS(c->claimant->key.mac),
                      c->claimant->ofs, site),
            xasprintf("give one of the two VMs another address, or use "
                      "\"vmmob/release\" where one of them is not any more; "
                      "if site %s has no such VM, limit what it may claim "
                      "with external_ids:vmmob-peer-homes", site));
        free(hoa);
    }
}

/* Adds to 'p' the bridges that lost all their settings. */
static void
get_gone_problems(const struct vmmob *vmmob, struct vmmob_problems *p)
{
    const struct shash_node **nodes = shash_sort(&vmmob->gone);

    for (size_t i = 0; i < shash_count(&vmmob->gone); i++) {
        const struct bridge_gone *gone = nodes[i]->data;

        vmmob_problems_add(
            p, VMMOB_PROBLEM_SETTINGS_GONE,
            xasprintf("bridge %s: all settings of VM mobility were taken away "
                      "while %"PRIuSIZE" VMNs were there, so nobody in other "
                      "networks reaches them", nodes[i]->name, gone->n_vmns),
            xstrdup("set them again; if something that configures the host's "
                    "network clears other_config, such as Proxmox's ifreload, "
                    "name them there as well (ovs_extra); if VM mobility is "
                    "to be off, this ends when the ports of those VMs go"));
    }
    free(nodes);
}

static void
bridge_get_error(const struct vmmob_bridge *b, struct vmmob_problems *p)
{
    char *state = (!b->enabled ? xstrdup("VM mobility is off")
                   : b->held_until == LLONG_MAX
                   ? xstrdup("the settings before stay in force")
                   : xasprintf("all that is known is kept for another %lld s, "
                               "and then VM mobility is off", DIV_ROUND_UP(
                                   MAX(0, b->held_until - time_msec()),
                                   1000)));
    char *hint = (b->error_kind == VMMOB_PROBLEM_UPLINK
                  ? xasprintf("add the interface to the bridge with "
                              "\"ovs-vsctl add-port %s ...\", or name "
                              "another one in other_config:vmmob-uplink (a "
                              "bond of Open vSwitch is none: let Linux make "
                              "it)", b->name)
                  : b->error_kind == VMMOB_PROBLEM_TABLES
                  ? xasprintf("have your controller use other tables, and "
                              "remove the flows with \"ovs-ofctl del-flows "
                              "%s table=...\"", b->name)
                  : b->error_kind == VMMOB_PROBLEM_DATAPATH_ID && b->barred_id
                  ? xasprintf("give this bridge another one with \"ovs-vsctl "
                              "set Bridge %s other_config:datapath-id=...\"; "
                              "if the other bridge is gone for good, remove "
                              "its rows, see \"One Datapath Id Twice\" in "
                              "vmmob(7)", b->name)
                  : b->error_kind == VMMOB_PROBLEM_DATAPATH_ID
                  ? xasprintf("give one of the two another one with "
                              "\"ovs-vsctl set Bridge %s "
                              "other_config:datapath-id=...\"", b->name)
                  : xasprintf("put the setting right with \"ovs-vsctl set "
                              "Bridge %s other_config:...\"; see vmmob(7)",
                              b->name));

    vmmob_problems_add(p, b->error_kind,
                       xasprintf("bridge %s: %s; %s", b->name, b->error,
                                 state),
                       hint);
    free(state);
}

/* Home addresses of 'family' get no mobile addresses. */
static void
bridge_get_family_problem(const struct vmmob_bridge *b,
                          const struct handover_ofs *ofs,
                          enum vmmob_family family, struct vmmob_problems *p)
{
    const struct vmmob_settings *s = &ofs->settings;
    const char *name = vmmob_family_to_string(family);

    if (vmmob_settings_has_home(s, family)
        && !vmmob_settings_has_pool(s, family)) {
        vmmob_problems_add(
            p, VMMOB_PROBLEM_NO_POOL,
            xasprintf("bridge %s: vmmob-home has an %s prefix, vmmob-pool has "
                      "none, so VMs reach each other by %s only while they "
                      "are both here", b->name, name, name),
            (vmmob_settings_has_uplink(s, family)
             ? xasprintf("add an %s prefix to other_config:vmmob-pool, or "
                         "take that of other_config:vmmob-home away", name)
             : xasprintf("if interface %s has an %s network, add its gateway "
                         "to other_config:vmmob-gateway and a prefix to "
                         "other_config:vmmob-pool; otherwise take the %s "
                         "prefix of other_config:vmmob-home away",
                         s->uplink, name, name)));
    }
}

static void
bridge_get_gateway_problem(const struct vmmob_bridge *b,
                           const struct handover_ofs *ofs,
                           const struct vmmob_gateway *gw,
                           struct vmmob_problems *p)
{
    char *addr = vmmob_addr_to_string(&gw->addr, "-");
    bool known = !eth_addr_is_zero(gw->mac);

    if (gw->used && !known && gw->by_advert) {
        vmmob_problems_add(
            p, VMMOB_PROBLEM_GATEWAY,
            xasprintf("bridge %s: no router advertises itself on the uplink "
                      "and answers neighbor solicitations, so nothing can be "
                      "sent to other networks by IPv6", b->name),
            xasprintf("let the router on interface %s send router "
                      "advertisements, or set its address in "
                      "other_config:vmmob-gateway", ofs->settings.uplink));
    } else if (gw->used && (!known || vmmob_gateway_is_silent(gw))) {
        vmmob_problems_add(
            p, VMMOB_PROBLEM_GATEWAY,
            xasprintf("bridge %s: the gateway %s does not answer %s%s",
                      b->name, addr, (gw->family == VMMOB_IPV4 ? "ARP"
                                      : "neighbor solicitations"),
                      known ? " any more; its last MAC address stays in use"
                      : ", so nothing can be sent to other networks"),
            xasprintf("look for the cause on interface %s and at the gateway, "
                      "correct other_config:vmmob-gateway, or, if it does not "
                      "answer ARP probes, set "
                      "other_config:vmmob-gateway-mac",
                      ofs->settings.uplink));
    }
    if (gw->used && vmmob_gateway_has_rival(gw, time_msec())) {
        vmmob_problems_add(
            p, VMMOB_PROBLEM_GATEWAY_CONFLICT,
            xasprintf("bridge %s: two hosts answer for the gateway %s, "
                      ETH_ADDR_FMT", which stays in use, and "ETH_ADDR_FMT,
                      b->name, addr, ETH_ADDR_ARGS(gw->mac),
                      ETH_ADDR_ARGS(gw->rival)),
            xasprintf("find out on interface %s which is not the gateway, or "
                      "set other_config:vmmob-gateway-mac to that of the one "
                      "that is", ofs->settings.uplink));
    }
    free(addr);
}

static bool
is_link_down(const char *name)
{
    struct netdev *netdev = netdev_from_name(name);
    bool down = netdev && !netdev_get_carrier(netdev);

    netdev_close(netdev);
    return down;
}

/* The gateway is found not to answer only half a minute later. */
static void
bridge_get_link_problem(const struct vmmob_bridge *b,
                        const struct handover_ofs *ofs,
                        struct vmmob_problems *p)
{
    const char *name = ofs->settings.uplink;

    if (b->uplink != VMMOB_NO_UPLINK && is_link_down(name)) {
        vmmob_problems_add(
            p, VMMOB_PROBLEM_UPLINK_DOWN,
            xasprintf("bridge %s: the link of the uplink, %s, is down, so "
                      "nothing gets to other networks", b->name, name),
            xasprintf("look at cable and switch, and at \"ip link show %s\"; "
                      "\"ip link set %s up\" if the host took it down",
                      name, name));
    }
}

/* Adds to 'p' the addresses of the pool that others have. */
static void
bridge_get_claim_problems(const struct vmmob_bridge *b,
                          const struct handover_ofs *ofs,
                          struct vmmob_problems *p)
{
    long long int now = time_msec();

    for (size_t i = 0; i < b->pool_claims.n; i++) {
        const struct pool_claim *claim = &b->pool_claims.claims[i];

        if (now - claim->when < CONFLICT_MS
            && vmmob_settings_is_in_pool(&ofs->settings, &claim->addr)) {
            char *addr = vmmob_addr_to_string(&claim->addr, "-");
            bool in_use = vmmob_table_find_by_moa(b->table, &claim->addr);

            vmmob_problems_add(
                p, VMMOB_PROBLEM_POOL_CONFLICT,
                xasprintf("bridge %s: host "ETH_ADDR_FMT" on the uplink has "
                          "%s, which is in the pool%s", b->name,
                          ETH_ADDR_ARGS(claim->mac), addr, in_use
                          ? ", as the mobile address of a VMN that is hard to "
                          "reach so" : ""),
                xasprintf("give that host another address (and see that no "
                          "DHCP server there hands out those of the pool), or "
                          "take %s out of other_config:vmmob-pool", addr));
            free(addr);
        }
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
    for (enum vmmob_family f = 0; f < VMMOB_N_FAMILIES; f++) {
        const char *name = vmmob_family_to_string(f);
        size_t size = vmmob_pool_size(ofs->pool, f);
        size_t quarantined = vmmob_pool_n_quarantined(ofs->pool, f);
        size_t used = vmmob_pool_n_taken(ofs->pool, f) + quarantined;
        size_t needy = vmmob_handover_count_needy(ofs, f);

        if (!vmmob_settings_has_pool(&ofs->settings, f)) {
            continue;
        } else if (needy && !vmmob_handover_is_waiting(ofs)) {
            vmmob_problems_add(
                p, VMMOB_PROBLEM_POOL_EXHAUSTED,
                xasprintf("bridge %s: the %s pool is exhausted: %"PRIuSIZE" "
                          "VMNs have no mobile address, so they reach only "
                          "VMNs at the same bridge by %s", b->name, name,
                          needy, name), xstrdup(hint));
        } else if (used > size
                   || size - used < DIV_ROUND_UP(size, POOL_LOW)) {
            vmmob_problems_add(
                p, VMMOB_PROBLEM_POOL_LOW,
                xasprintf("bridge %s: the %s pool is nearly exhausted: "
                          "%"PRIuSIZE" of %"PRIuSIZE" addresses are free, "
                          "%"PRIuSIZE" are in quarantine", b->name, name,
                          used > size ? 0 : size - used, size, quarantined),
                xstrdup(hint));
        }
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
            = vmmob_table_find_by_hoa(vmmob->table, 0, &c->hoa);

        if (owner && vmmob_key_equals(&owner->key, &c->owner)
            && now - c->when < CONFLICT_MS) {
            char *addr = vmmob_addr_to_string(&c->hoa, "-");

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
    LIST_FOR_EACH (r, expiry.node, &ofs->damping.by_expiry) {
        if (r->frozen) {
            vmmob_problems_add(
                p, VMMOB_PROBLEM_FROZEN,
                xasprintf("bridge %s: VMN "ETH_ADDR_FMT" moved %"PRIuSIZE" "
                          "times within %lld s, so it is not let move here "
                          "for another %lld s", b->name,
                          ETH_ADDR_ARGS(r->key.mac), r->n,
                          (r->times[r->n - 1] - r->times[0]) / 1000,
                          DIV_ROUND_UP(MAX(0, r->expiry.at - now), 1000)),
                xasprintf("see whether two VMs have this MAC address; if "
                          "not, use \"vmmob/release "ETH_ADDR_FMT"\", and "
                          "perhaps raise other_config:vmmob-max-moves",
                          ETH_ADDR_ARGS(r->key.mac)));
        }
    }
}

/* Returns true if the VMN 'key' does not have 'hoa' and can
 * have no other home address at 'b'. */
static bool
is_full(const struct vmmob_bridge *b, const struct vmmob_key *key,
        const struct in6_addr *hoa)
{
    const struct handover_vmn *vmn = vmmob_handover_find_vmn(b->ofs, key);

    return (vmn && vmn->row.n_pairs >= VMMOB_MAX_PAIRS
            && !vmmob_vmn_find_hoa(&vmn->row, hoa));
}

/* Adds to 'p' that 'port' of 'b' is in no network, if so. */
static void
port_get_network_problem(const struct vmmob_bridge *b,
                         const struct vmmob_vm_port *port,
                         struct vmmob_problems *p)
{
    const struct port_config *pc = vmmob_port_configs_find(&b->port_configs,
                                                           port->name);

    if (port->networks.kind == PORT_NETWORKS_CLOSED && pc && pc->network) {
        vmmob_problems_add(
            p, VMMOB_PROBLEM_PORT_NETWORK,
            xasprintf("bridge %s: port %s is to be in the network %s, which "
                      "is not there, so nothing goes in or out there",
                      b->name, port->name, pc->network),
            xasprintf("set other_config:vmmob-network-%s of the bridge, or "
                      "correct external_ids:vmmob-network of interface %s",
                      pc->network, port->name));
    }
}

/* Adds to 'p' the home addresses that VMNs at 'port' of 'b' have claimed in
 * vain.  'row', which may be NULL, is what is known of the port. */
static void
port_get_hoa_problems(const struct vmmob_bridge *b,
                      const struct vmmob_vm_port *port,
                      const struct vmmob_port *row, long long int now,
                      struct vmmob_problems *p)
{
    const struct vm_port_hoa *bad = &port->bad_hoa, *full = &port->full_hoa;

    if (bad->when && now < bad->when + CONFLICT_MS
        && row && !vmmob_port_may_claim(row, &bad->hoa)) {
        char *addr = vmmob_addr_to_string(&bad->hoa, "-");

        vmmob_problems_add(
            p, VMMOB_PROBLEM_HOA_REFUSED,
            xasprintf("bridge %s: "ETH_ADDR_FMT" at port %s claims the home "
                      "address %s, which it must not have; %llu packets with "
                      "such an address were dropped there", b->name,
                      ETH_ADDR_ARGS(bad->key.mac), port->name, addr,
                      port->n_bad_hoa),
            xasprintf("see what that VM does; if it is to have it, add it to "
                      "external_ids:vmmob-address of interface %s",
                      port->name));
        free(addr);
    }
    if (full->when && now < full->when + CONFLICT_MS
        && is_full(b, &full->key, &full->hoa)) {
        char *addr = vmmob_addr_to_string(&full->hoa, "-");

        vmmob_problems_add(
            p, VMMOB_PROBLEM_HOA_REFUSED,
            xasprintf("bridge %s: VMN "ETH_ADDR_FMT" at port %s has %d home "
                      "addresses and claims %s as well, which is ignored",
                      b->name, ETH_ADDR_ARGS(full->key.mac), port->name,
                      VMMOB_MAX_PAIRS, addr),
            xasprintf("see what that VM does; say which addresses it is to "
                      "have in external_ids:vmmob-address of interface %s, "
                      "or use \"vmmob/release "ETH_ADDR_FMT"\" to have those "
                      "forgotten that it does not use any more", port->name,
                      ETH_ADDR_ARGS(full->key.mac)));
        free(addr);
    }
}

/* Returns true if 'mac' is a VMN of 'ofs'. */
static bool
is_vmn(const struct handover_ofs *ofs, const struct vmmob_vm_port *port,
       const struct eth_addr mac)
{
    for (size_t i = 0; i < port->networks.n; i++) {
        const struct vmmob_key key = {
            .tenant = port->networks.networks[i].id, .mac = mac,
        };

        if (vmmob_handover_find_vmn(ofs, &key)) {
            return true;
        }
    }
    return false;
}

/* Adds to 'p' the VMs at 'port' of 'b' that have no home address. */
static void
port_get_outsider_problems(const struct vmmob_bridge *b,
                           const struct handover_ofs *ofs,
                           const struct vmmob_vm_port *port,
                           long long int now, struct vmmob_problems *p)
{
    const struct vm_port_hoa *outside = &port->outside;

    if (outside->when && now - outside->when < VM_PORT_NEWS_MS
        && !vmmob_handover_is_home(ofs, outside->key.tenant, &outside->hoa)
        && !vmmob_handover_find_vmn(ofs, &outside->key)) {
        char *addr = vmmob_addr_to_string(&outside->hoa, "-");

        vmmob_problems_add(
            p, VMMOB_PROBLEM_PORT_OUTSIDE,
            xasprintf("bridge %s: VM "ETH_ADDR_FMT" at port %s uses %s, which "
                      "is not in vmmob-home, and no address that is, so it is "
                      "not mobile", b->name, ETH_ADDR_ARGS(outside->key.mac),
                      port->name, addr),
            xstrdup("give it an address of other_config:vmmob-home; one in "
                    "169.254.0.0/16 is what a VM takes if no DHCP server "
                    "answers"));
        free(addr);
    }
    if (port->dhcp_last && now - port->dhcp_last < VM_PORT_NEWS_MS
        && port->dhcp_last - port->dhcp_first >= VM_PORT_DHCP_MS
        && !is_vmn(ofs, port, port->dhcp_mac)) {
        vmmob_problems_add(
            p, VMMOB_PROBLEM_PORT_DHCP,
            xasprintf("bridge %s: VM "ETH_ADDR_FMT" at port %s asks for an "
                      "address by DHCP, and uses none", b->name,
                      ETH_ADDR_ARGS(port->dhcp_mac), port->name),
            xstrdup("give it a fixed address of other_config:vmmob-home, or "
                    "have a VM at this bridge be its DHCP server: nothing "
                    "else answers it"));
    }
}

/* Appends 'name' to 'names', of which there are '*n', if that is not too
 * long. */
static void
add_name(struct ds *names, size_t *n, const char *name)
{
    if (*n < VMMOB_MAX_PROBLEMS_OF_KIND) {
        ds_put_format(names, "%s%s", *n ? ", " : "", name);
    } else if (*n == VMMOB_MAX_PROBLEMS_OF_KIND) {
        ds_put_cstr(names, ", ...");
    }
    *n += 1;
}

static void
bridge_get_port_problems(const struct vmmob *vmmob,
                         const struct vmmob_bridge *b,
                         const struct handover_ofs *ofs,
                         struct vmmob_problems *p)
{
    const struct vmmob_vm_port **ports = vmmob_sort_vm_ports(b);
    struct ds open = DS_EMPTY_INITIALIZER;
    struct ds large = DS_EMPTY_INITIALIZER;
    long long int now = time_msec();
    size_t n_open = 0, n_large = 0;

    for (size_t i = 0; i < hmap_count(&b->vm_ports); i++) {
        const struct vmmob_vm_port *port = ports[i];
        const struct vmmob_port *row
            = vmmob_handover_find_port_row(vmmob->handover, port->name);
        size_t n = vmmob_handover_count_port(ofs, port->number);

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
        port_get_hoa_problems(b, port, row, now, p);
        port_get_network_problem(b, port, p);
        port_get_outsider_problems(b, ofs, port, now, p);
        if (!row || (!row->any && !row->n_macs)) {
            add_name(&open, &n_open, port->name);
        }
        if (b->mtu && port->mtu > b->mtu) {
            add_name(&large, &n_large, port->name);
        }
    }
    free(ports);
    if (n_large) {
        vmmob_problems_add(
            p, VMMOB_PROBLEM_PORT_MTU,
            xasprintf("bridge %s: %"PRIuSIZE" VM ports (%s) have an MTU above "
                      "that of the uplink, %d, so what is larger is lost on "
                      "the way to other networks", b->name, n_large,
                      ds_cstr(&large), b->mtu),
            xasprintf("lower the MTU of those interfaces and of the VMs "
                      "there, or raise that of %s and of all on the way",
                      ofs->settings.uplink));
    }
    ds_destroy(&large);
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
