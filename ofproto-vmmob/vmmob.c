/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/vmmob.h"

#include <netinet/icmp6.h>

#include "bitmap.h"
#include "coverage.h"
#include "flow.h"
#include "hash.h"
#include "latch.h"
#include "ofproto/ofproto-dpif.h"
#include "ofproto/ofproto-dpif-rid.h"
#include "ofproto-vmmob/advert.h"
#include "ofproto-vmmob/agent.h"
#include "ofproto-vmmob/bridge.h"
#include "ofproto-vmmob/bridge-gone.h"
#include "ofproto-vmmob/effects.h"
#include "ofproto-vmmob/flow-index.h"
#include "ofproto-vmmob/handover.h"
#include "ofproto-vmmob/module.h"
#include "ofproto-vmmob/output.h"
#include "ofproto-vmmob/packet.h"
#include "ofproto-vmmob/pipeline-rule.h"
#include "ofproto-vmmob/port-config.h"
#include "ofproto-vmmob/punt.h"
#include "ofproto-vmmob/punt-kind.h"
#include "ofproto-vmmob/settings.h"
#include "ofproto-vmmob/show.h"
#include "ofproto-vmmob/show-rows.h"
#include "ofproto-vmmob/stats.h"
#include "ofproto-vmmob/vm-port.h"
#include "ofproto-vmmob/watch.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "seq.h"
#include "smap.h"
#include "sset.h"
#include "timeval.h"
#include "util.h"
#include "vmmob-stats.h"
#include "vswitch-idl.h"

VLOG_DEFINE_THIS_MODULE(vmmob);

COVERAGE_DEFINE(vmmob_kept_network);

/* Main thread only. */
static bool running;
static pthread_t thread;
static struct latch exit_latch;
static long long int next_hold_end = LLONG_MAX; /* See end_holds(). */
static uint64_t configure_seqno;        /* Of 'configure_seq'. */

/* Changes when a bridge must be configured again, by the main thread. */
static struct seq *configure_seq;

static void start(void);
static void *vmmob_main(void *);
static void end_holds(void);
static void configure_again(void);
static void configure_bridge(struct vmmob *, struct vmmob_bridge *,
                             const struct smap *other_config,
                             struct eth_addr mac) OVS_REQUIRES(vmmob_mutex);
static void remove_bridge(struct vmmob *, struct vmmob_bridge *,
                          bool withdraw, bool delete_flows)
    OVS_REQUIRES(vmmob_mutex);
static void run_packets(struct vmmob *, struct ovs_list *packets,
                        long long int turn) OVS_REQUIRES(vmmob_mutex);
static void run_agent(struct vmmob *, long long int now)
    OVS_REQUIRES(vmmob_mutex);
static long long int vmmob_next_event(const struct vmmob *)
    OVS_REQUIRES(vmmob_mutex);
static void send_stats(struct vmmob *) OVS_REQUIRES(vmmob_mutex);

/* Initializes the module.  Does nothing else before a bridge is configured. */
void
vmmob_init(void)
{
    vmmob_punt_init();
    vmmob_show_init();
}

/* Stops the module.  What was published stays published, and the flows stay
 * until their tables are destroyed, so that a restarted switch finds
 * everything as it was. */
void
vmmob_exit(void)
{
    vmmob_show_rows_exit();
    if (!running) {
        return;
    }
    latch_set(&exit_latch);
    xpthread_join(thread, NULL);
    latch_destroy(&exit_latch);
    seq_destroy(configure_seq);
    running = false;

    ovs_mutex_lock(&vmmob_mutex);
    struct vmmob *vmmob = vmmob_get();
    struct vmmob_bridge *b;
    HMAP_FOR_EACH_SAFE (b, node, &vmmob->bridges) {
        remove_bridge(vmmob, b, false, false);
    }
    struct ovs_list ready = OVS_LIST_INITIALIZER(&ready);
    vmmob_resolver_take_ready(&vmmob->resolver, &ready);
    vmmob_punted_destroy_all(&ready);
    vmmob_packet_expire(vmmob, LLONG_MAX);
    vmmob_destroy();
    vmmob_flow_index_enable(false);
    ovs_mutex_unlock(&vmmob_mutex);

    /* Ports are still to be destroyed, so the queue stays. */
    vmmob_punt_flush();
}

/* Replaces 'configs' by what 'cfg' says of the ports. */
static void
read_port_configs(const struct ovsrec_bridge *cfg, struct hmap *configs)
{
    vmmob_port_configs_clear(configs);
    for (size_t i = 0; i < cfg->n_ports; i++) {
        const struct ovsrec_port *port = cfg->ports[i];

        for (size_t j = 0; j < port->n_interfaces; j++) {
            const struct ovsrec_interface *iface = port->interfaces[j];
            struct port_config *pc = vmmob_port_config_add(configs,
                                                           iface->name);

            pc->network = nullable_xstrdup(smap_get(&iface->external_ids,
                                                    "vmmob-network"));
            vmmob_port_config_set_vlans(pc, port->vlan_mode,
                                        port->n_tag ? *port->tag : 0,
                                        port->trunks, port->n_trunks);
        }
    }
}

/* Marks in 'used' the networks, by their place in 's', in which VM ports of
 * 'b' are, and VMNs that are, or were, there. */
static void
mark_used(const struct vmmob_bridge *b, const struct vmmob_settings *s,
          unsigned long *used)
    OVS_REQUIRES(vmmob_mutex)
{
    const struct vmmob_vm_port *port;
    const struct handover_vmn *vmn;
    const struct network *net;

    HMAP_FOR_EACH (port, node, &b->vm_ports) {
        for (size_t i = 0; i < port->networks.n; i++) {
            uint32_t id = port->networks.networks[i].id;

            net = vmmob_settings_find_network(s, id);
            if (net) {
                bitmap_set1(used, net - s->networks);
            }
        }
    }
    HMAP_FOR_EACH (vmn, node, &b->ofs->vmns) {
        net = vmmob_settings_find_network(s, vmn->row.key.tenant);
        if (net) {
            bitmap_set1(used, net - s->networks);
        }
    }
}

/* Adds to 'set' the ids of the networks of 's' that are in 'used', and of
 * those to which they have routes. */
static void
add_networks(const struct vmmob_settings *s, const unsigned long *used,
             struct vmmob_network_ids *set)
{
    size_t i;

    BITMAP_FOR_EACH_1 (i, s->n_networks, used) {
        const struct network *net = &s->networks[i];

        vmmob_network_ids_add(set, net->id);
        for (size_t j = 0; j < net->n_routes; j++) {
            const struct network *to
                = vmmob_settings_find_network_by_name(s, net->routes[j]);

            if (to && vmmob_net_routes_to(net, to)) {
                vmmob_network_ids_add(set, to->id);
            }
        }
    }
}

/* Tells the agent in which networks all VMNs must be known: those that are
 * used, and those to which these have routes. */
static void
tell_networks(struct vmmob *vmmob)
    OVS_REQUIRES(vmmob_mutex)
{
    const struct vmmob_bridge *b;
    struct vmmob_network_ids set;

    vmmob_network_ids_init(&set, NULL, 0);
    HMAP_FOR_EACH (b, node, &vmmob->bridges) {
        if (b->enabled) {
            const struct vmmob_settings *s = &b->ofs->settings;
            unsigned long *used = bitmap_allocate(s->n_networks);

            mark_used(b, s, used);
            add_networks(s, used, &set);
            bitmap_free(used);
        }
    }
    vmmob_agent_set_networks(vmmob->agent, set.ids, set.n);
    vmmob_network_ids_destroy(&set);
}

/* Configures the bridge 'cfg', whose MAC address is 'mac', with the
 * 'external_ids' of the whole switch.  Must be called whenever these, the
 * bridge, a port of it, its MAC address or its datapath id may have
 * changed. */
void
vmmob_configure(const struct ovsrec_bridge *cfg,
                const struct smap *external_ids, struct eth_addr mac)
{
    const struct smap *other_config = &cfg->other_config;
    bool wanted = vmmob_settings_wanted(other_config);
    const char *bridge = cfg->name;

    if (!running) {
        if (!wanted) {
            return;
        }
        start();
    }

    ovs_mutex_lock(&vmmob_mutex);
    struct vmmob *vmmob = vmmob_get();
    struct vmmob_bridge *b = vmmob_find_bridge(vmmob, bridge);
    vmmob_handover_set_peers(vmmob->handover,
                             smap_get_def(external_ids, "vmmob-peers", "")[0]);
    struct ofproto_dpif *ofproto = ofproto_dpif_lookup_by_name(bridge);
    vmmob_bridge_gone_check(&vmmob->gone, bridge, ofproto, wanted);
    if (wanted) {
        if (b && b->ofproto != ofproto) {
            remove_bridge(vmmob, b, true, false);
            b = NULL;
        }
        if (!b && ofproto) {
            b = vmmob_bridge_create(bridge, ofproto, vmmob->handover);
            hmap_insert(&vmmob->bridges, &b->node, hash_string(bridge, 0));
        }
    } else if (b) {
        VLOG_INFO("bridge %s: VM mobility is off", b->name);
        vmmob_bridge_gone_note(&vmmob->gone, b);
        vmmob_advert_end(b);
        remove_bridge(vmmob, b, true, true);
        b = NULL;
    }
    if (b) {
        read_port_configs(cfg, &b->port_configs);
        configure_bridge(vmmob, b, other_config, mac);
    } else {
        vmmob_effects_apply(vmmob, false);
    }
    tell_networks(vmmob);
    ovs_mutex_unlock(&vmmob_mutex);

    vmmob_punt_wake();
}

/* Lets the agent connect, now that all bridges are configured: it takes an OFS
 * that it does not hear of for one that is gone. */
void
vmmob_configured(void)
{
    if (running) {
        ovs_mutex_lock(&vmmob_mutex);
        vmmob_agent_listen(vmmob_get()->agent);
        ovs_mutex_unlock(&vmmob_mutex);
        vmmob_punt_wake();
    }
}

/* Does what the main thread has to do.  Called in each turn of the main
 * loop. */
void
vmmob_run(void)
{
    vmmob_show_rows_run();
    if (running && time_msec() >= next_hold_end) {
        end_holds();
    }
    if (running && seq_read(configure_seq) != configure_seqno) {
        configure_again();
    }
}

void
vmmob_wait(void)
{
    vmmob_show_rows_wait();
    if (running) {
        seq_wait(configure_seq, configure_seqno);
    }
    if (next_hold_end != LLONG_MAX) {
        poll_timer_wait_until(next_hold_end);
    }
}

/* Takes into account that 'ofproto' is about to be destroyed.  'del' is true
 * if it is deleted for good. */
void
vmmob_ofproto_destruct(struct ofproto_dpif *ofproto, bool del)
{
    if (!running) {
        return;
    }

    ovs_mutex_lock(&vmmob_mutex);
    struct vmmob *vmmob = vmmob_get();
    struct vmmob_bridge *b = vmmob_find_bridge(vmmob, ofproto->up.name);
    vmmob_bridge_gone_check(&vmmob->gone, ofproto->up.name, NULL, false);
    if (b && b->ofproto == ofproto) {
        remove_bridge(vmmob, b, del, false);
        vmmob_effects_apply(vmmob, false);
    }
    ovs_mutex_unlock(&vmmob_mutex);
    vmmob_punt_wake();
}

/* Takes into account that 'port' of 'ofproto' is about to be destroyed. */
void
vmmob_port_destruct(struct ofproto_dpif *ofproto, ofp_port_t port)
{
    uint8_t table_id;

    atomic_read_relaxed(&ofproto->vmmob.table, &table_id);
    if (table_id) {
        vmmob_punt_port_gone(&ofproto->uuid, port);
    }
}

/* Returns the table where a packet starts that came in by 'in_port' of
 * 'ofproto': 0 unless that is a VM port or the uplink of a bridge that is
 * configured for VM mobility. */
uint8_t
vmmob_first_table(const struct ofproto_dpif *ofproto, ofp_port_t in_port)
{
    struct vmmob_ofproto *vo = CONST_CAST(struct vmmob_ofproto *,
                                          &ofproto->vmmob);
    uint8_t table_id;
    bool local = false;

    atomic_read_relaxed(&vo->table, &table_id);
    if (in_port == OFPP_LOCAL) {
        atomic_read_relaxed(&vo->local, &local);
    }
    return (local || ofp_to_u16(in_port) < ofp_to_u16(OFPP_MAX)
            ? table_id : 0);
}

/* Returns true if the IPv4 home subnet of 'vo' is in 'flow'. */
static bool
has_ipv4_home(struct vmmob_ofproto *vo, const struct flow *flow,
              struct flow_wildcards *wc)
{
    uint64_t home;

    atomic_read_relaxed(&vo->home, &home);
    ovs_be32 addr = htonl(home >> 32);
    ovs_be32 mask = htonl(home & UINT32_MAX);
    wc->masks.nw_src |= mask;
    wc->masks.nw_dst |= mask;
    return (mask && ((flow->nw_src & mask) == addr
                     || (flow->nw_dst & mask) == addr));
}

/* Returns true if 'prefix' is in 'flow'. */
static bool
has_prefix(const struct vmmob_prefix *prefix, const struct flow *flow,
           struct flow_wildcards *wc)
{
    struct in6_addr mask = ipv6_create_mask(prefix->plen);

    for (size_t i = 0; i < sizeof mask; i++) {
        wc->masks.ipv6_src.s6_addr[i] |= mask.s6_addr[i];
        wc->masks.ipv6_dst.s6_addr[i] |= mask.s6_addr[i];
    }
    return (vmmob_prefix_contains(prefix, &flow->ipv6_src)
            || vmmob_prefix_contains(prefix, &flow->ipv6_dst));
}

/* Returns true if 'flow' is a message of neighbor discovery. */
static bool
is_nd_message(const struct flow *flow, struct flow_wildcards *wc)
{
    if (!is_icmpv6(flow, wc)) {
        return false;
    }
    WC_MASK_FIELD(wc, tp_src);
    return (ntohs(flow->tp_src) >= ND_ROUTER_SOLICIT
            && ntohs(flow->tp_src) <= ND_REDIRECT);
}

/* Returns true if 'flow', a packet that came in as 'in', must not leave
 * 'ofproto' by 'out', whatever flows say, if that is a bridge that is
 * configured for VM mobility:
 *
 *   - there is a home address in it, and 'out' is the uplink;
 *
 *   - it is neighbor discovery between the uplink and a VM port, where there
 *     are IPv6 home addresses: these are two links;
 *
 *   - 'out' is a port of another network.
 *
 * This is above all for packets that table 0 floods.  Frames to which a guest
 * gave a VLAN tag do not concern us as long as they have one: without it they
 * are of the uplink's own network.  (After ct(), a tag that flows have pushed
 * is in 'in', too.)  Unwildcards in 'wc' what this depends on. */
bool
vmmob_is_kept(const struct ofproto_dpif *ofproto, ofp_port_t out,
              const struct flow *flow, const struct flow *in,
              struct flow_wildcards *wc)
{
    struct vmmob_ofproto *vo = CONST_CAST(struct vmmob_ofproto *,
                                          &ofproto->vmmob);
    /* 'in' may have the number that the port has in the datapath. */
    uint32_t uplink, in_port = ofp_to_u16(flow->in_port.ofp_port);
    /* Otherwise it is from the hypervisor itself, or from us. */
    bool from_port = in_port < ofp_to_u16(OFPP_MAX);
    bool ipv4 = (flow->dl_type == htons(ETH_TYPE_IP)
                 || flow->dl_type == htons(ETH_TYPE_ARP));
    const struct vmmob_port_map *map
        = ovsrcu_get(struct vmmob_port_map *, &vo->port_map);
    struct vmmob_prefix home;
    uint8_t table_id;

    if (map) {
        WC_MASK_FIELD(wc, vlans[0].tci);
        if (!vmmob_port_map_allows(map, ofp_to_u16(out),
                                   vlan_tci_to_vid(flow->vlans[0].tci),
                                   flow->regs[REG_NETWORK])) {
            COVERAGE_INC(vmmob_kept_network);
            return true;
        }
    }
    atomic_read_relaxed(&vo->table, &table_id);
    atomic_read_relaxed(&vo->uplink, &uplink);
    atomic_read_relaxed(&vo->ipv6_plen, &home.plen);
    if (!table_id
        || (!ipv4 && (flow->dl_type != htons(ETH_TYPE_IPV6) || !home.plen))
        || (ofp_to_u16(out) != uplink && (ipv4 || in_port != uplink))
        || out == OFPP_LOCAL) {
        return false;
    }

    WC_MASK_FIELD(wc, vlans[0].tci);
    if (in->vlans[0].tci & htons(VLAN_VID_MASK)
        && flow->vlans[0].tci & htons(VLAN_VID_MASK)) {
        return false;
    } else if (ipv4) {
        return has_ipv4_home(vo, flow, wc);
    } else if (from_port && is_nd_message(flow, wc)) {
        return true;
    } else if (ofp_to_u16(out) != uplink) {
        return false;
    }

    for (size_t i = 0; i < 2; i++) {
        uint64_t half;

        atomic_read_relaxed(&vo->ipv6_home[i], &half);
        half = (OVS_FORCE uint64_t) htonll(half);
        memcpy(&home.addr.s6_addr[i * 8], &half, sizeof half);
    }
    return (has_prefix(&home, flow, wc)
            || (from_port
                && has_prefix(&vmmob_link_local, flow, wc)));
}

/* Takes 'packet', which a "controller" action with 'controller_id' hands to
 * userspace, if the action is one of the module's.  'state' is the state of
 * its translation.  Returns false if it is for a controller. */
bool
vmmob_punt(struct ofproto_dpif *ofproto, const struct dp_packet *packet,
           uint16_t controller_id, const struct frozen_state *state)
{
    int kind = controller_id - VMMOB_CONTROLLER_ID;

    if (kind < 0 || kind >= PUNT_N_KINDS
        || state->table_id < VMMOB_TABLE_SOURCE
        || state->table_id > VMMOB_TABLE_DESTINATION
        || !(ofproto->up.tables[state->table_id].flags & OFTABLE_HIDDEN)) {
        return false;
    }
    vmmob_punt_packet(&ofproto->uuid, packet, kind, state);
    return true;
}

/* Starts the thread. */
static void
start(void)
{
    ovs_mutex_lock(&vmmob_mutex);
    vmmob_create();
    vmmob_flow_index_enable(true);
    ovs_mutex_unlock(&vmmob_mutex);

    latch_init(&exit_latch);
    configure_seq = seq_create();
    configure_seqno = seq_read(configure_seq);
    thread = ovs_thread_create("vmmob", vmmob_main, NULL);
    running = true;
}

/* Withdraws the bridges that were without uplink for too long.  The main
 * thread does that, as the datapath belongs to it. */
static void
end_holds(void)
{
    long long int now = time_msec();
    struct vmmob_bridge *b;

    next_hold_end = LLONG_MAX;
    ovs_mutex_lock(&vmmob_mutex);
    struct vmmob *vmmob = vmmob_get();
    HMAP_FOR_EACH (b, node, &vmmob->bridges) {
        if (!vmmob_bridge_end_hold(b, now)) {
            next_hold_end = MIN(next_hold_end, b->held_until);
        }
    }
    vmmob_effects_apply(vmmob, false);
    ovs_mutex_unlock(&vmmob_mutex);
    vmmob_punt_wake();
}

/* Configures 'b' with 'other_config' and 'mac', and does what follows. */
static void
configure_bridge(struct vmmob *vmmob, struct vmmob_bridge *b,
                 const struct smap *other_config, struct eth_addr mac)
{
    if (vmmob_bridge_configure(b, other_config, mac)) {
        vmmob_agent_resync(vmmob->agent);
    }
    vmmob_effects_apply(vmmob, false);
    vmmob_bridge_start(b);
    next_hold_end = MIN(next_hold_end, b->held_until);
}

/* Configures those bridges again for which that is due.  The main thread does
 * that, as the datapath belongs to it. */
static void
configure_again(void)
{
    struct vmmob_bridge *b;

    configure_seqno = seq_read(configure_seq);
    ovs_mutex_lock(&vmmob_mutex);
    struct vmmob *vmmob = vmmob_get();
    HMAP_FOR_EACH (b, node, &vmmob->bridges) {
        if (vmmob_bridge_must_configure(b)) {
            configure_bridge(vmmob, b, &b->other_config, b->config_mac);
        }
    }
    ovs_mutex_unlock(&vmmob_mutex);
    vmmob_punt_wake();
}

/* Runs the module's thread.  Each time around the loop is a turn. */
static void *
vmmob_main(void *arg OVS_UNUSED)
{
    while (!latch_is_set(&exit_latch)) {
        struct ovs_list packets = OVS_LIST_INITIALIZER(&packets);
        struct ovs_list gone = OVS_LIST_INITIALIZER(&gone);
        uint64_t seqno = vmmob_punt_seqno();
        long long int turn = time_usec();
        long long int now = turn / 1000;
        bool more = vmmob_punt_take(&packets, &gone);
        struct punt_port_gone *port;
        long long int next;

        ovs_mutex_lock(&vmmob_mutex);
        struct vmmob *vmmob = vmmob_get();
        struct vmmob_bridge *b;

        LIST_FOR_EACH_POP (port, node, &gone) {
            b = vmmob_find_bridge_by_uuid(vmmob, &port->ofproto_uuid);
            if (b) {
                vmmob_vm_ports_note_gone(b, port->in_port, now);
            }
            free(port);
        }
        /* Move all VMNs together, before anything else. */
        run_packets(vmmob, &packets, turn);
        vmmob_effects_apply_and_refresh(vmmob, now);

        run_agent(vmmob, now);
        vmmob_effects_apply_and_refresh(vmmob, now);

        vmmob_resolver_take_ready(&vmmob->resolver, &packets);
        run_packets(vmmob, &packets, turn);

        HMAP_FOR_EACH (b, node, &vmmob->bridges) {
            if (b->enabled) {
                vmmob_bridge_run(b, now);
            }
        }
        vmmob_packet_expire(vmmob, now);
        vmmob_effects_apply_and_refresh(vmmob, now);
        vmmob_watch_end_moves(vmmob, now);
        if (!more) {
            vmmob_moves_log(&vmmob->moves, now);
            if (vmmob_agent_wants_stats(vmmob->agent)) {
                send_stats(vmmob);
            }
        }

        next = MIN(vmmob_refresh_again(vmmob, now), vmmob_next_event(vmmob));
        vmmob_agent_wait(vmmob->agent);
        ovs_mutex_unlock(&vmmob_mutex);

        if (next != LLONG_MAX) {
            poll_timer_wait_until(next);
        }
        vmmob_punt_wait(seqno);
        latch_wait(&exit_latch);
        poll_block();
        coverage_clear();
    }
    return NULL;
}

/* Removes 'b' from 'vmmob'; see vmmob_bridge_destroy(). */
static void
remove_bridge(struct vmmob *vmmob, struct vmmob_bridge *b, bool withdraw,
              bool delete_flows)
{
    hmap_remove(&vmmob->bridges, &b->node);
    if (vmmob_bridge_destroy(b, withdraw, delete_flows)) {
        vmmob_agent_resync(vmmob->agent);
    }
}

/* Processes the "struct punted"s in 'packets', and sends those on their way
 * that can go now, together with what waited for VMNs that have just come. */
static void
run_packets(struct vmmob *vmmob, struct ovs_list *packets, long long int turn)
{
    struct punted *punted;

    LIST_FOR_EACH_POP (punted, node, packets) {
        vmmob_packet_process(vmmob, punted, turn);
    }
    vmmob_resolver_take_ready(&vmmob->resolver, packets);
    LIST_FOR_EACH_POP (punted, node, packets) {
        vmmob_packet_process(vmmob, punted, turn);
    }
    if (!ovs_list_is_empty(&vmmob->resumed)) {
        vmmob_effects_apply(vmmob, true);
        vmmob_output_resumed(&vmmob->resumed);
    }
}

/* Takes into account what the agent says, and does what is due. */
static void
run_agent(struct vmmob *vmmob, long long int now)
{
    struct handover *h = vmmob->handover;
    long long int start_us = time_usec();
    struct vmmob_bridge *b;
    struct sset ports;

    if (vmmob_agent_run(vmmob->agent, h, now)) {
        vmmob_watch_note_moves(vmmob, NULL, start_us, -1);
    }
    if (vmmob_handover_take_ports(h, &ports)) {
        HMAP_FOR_EACH (b, node, &vmmob->bridges) {
            if (b->enabled) {
                vmmob_vm_ports_police(b, &ports, now);
            }
        }
        /* A packet that waits may be from somebody who must not be there. */
        vmmob_resolver_wake_all(&vmmob->resolver);
    }
    sset_destroy(&ports);

    vmmob_handover_run(h, now);
    vmmob_watch_note_moves(vmmob, NULL, start_us, -1);
    HMAP_FOR_EACH (b, node, &vmmob->bridges) {
        if (b->enabled) {
            vmmob_bridge_find_lost(b, now);
        }
        if (vmmob_bridge_must_configure(b)) {
            seq_change(configure_seq);
        }
    }
}

/* Returns when the thread has something to do next, in ms, or LLONG_MAX. */
static long long int
vmmob_next_event(const struct vmmob *vmmob)
{
    long long int next = vmmob_handover_next_event(vmmob->handover);
    const struct vmmob_bridge *b;

    next = MIN(next, vmmob_moves_next_event(&vmmob->moves));
    next = MIN(next, vmmob_tail_next_event(&vmmob->copies));
    next = MIN(next, vmmob_resolver_next_event(&vmmob->resolver));
    HMAP_FOR_EACH (b, node, &vmmob->bridges) {
        if (b->enabled) {
            next = MIN(next, vmmob_bridge_next_event(b));
        }
    }
    return next;
}

/* Tells the agent what is counted here. */
static void
send_stats(struct vmmob *vmmob)
{
    struct vmmob_stats stats;

    vmmob_stats_init(&stats);
    vmmob_get_stats(vmmob, &stats);
    vmmob_agent_send_stats(vmmob->agent, &stats);
    vmmob_stats_destroy(&stats);
}
