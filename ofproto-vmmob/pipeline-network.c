/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/pipeline-network.h"

#include <netinet/icmp6.h>

#include "ofproto-vmmob/handover-seat.h"
#include "ofproto-vmmob/pipeline-action.h"
#include "ofproto-vmmob/router.h"
#include "ofproto-vmmob/settings.h"
#include "ofproto-vmmob/vmmob.h"
#include "openvswitch/match.h"
#include "openvswitch/ofp-actions.h"
#include "openvswitch/ofpbuf.h"
#include "packets.h"
#include "util.h"

/* Messages of neighbor discovery that hosts send (RFC 4861), and those that
 * only routers do. */
static const uint8_t nd_of_hosts[] = {
    ND_ROUTER_SOLICIT, ND_NEIGHBOR_SOLICIT, ND_NEIGHBOR_ADVERT,
};
static const uint8_t nd_of_routers[] = { ND_ROUTER_ADVERT, ND_REDIRECT };

/* Those which say who has an address. */
static const uint8_t nd_of_address[] = {
    ND_NEIGHBOR_SOLICIT, ND_NEIGHBOR_ADVERT,
};

/* Initializes 'match' to match IP of 'family' in 'net'. */
static void
match_ip(struct match *match, const struct network *net,
         enum vmmob_family family)
{
    vmmob_match_ip(match, family);
    vmmob_match_reg(match, REG_NETWORK, net->id);
}

/* Initializes 'match' to match ARP in 'net'. */
static void
match_arp(struct match *match, const struct network *net)
{
    vmmob_match_type(match, ETH_TYPE_ARP);
    vmmob_match_reg(match, REG_NETWORK, net->id);
}

/* Initializes 'match' to match messages of neighbor discovery in 'net', as
 * vmmob_match_nd() does. */
static void
match_nd(struct match *match, const struct network *net, uint8_t type,
         const struct vmmob_prefix *target)
{
    vmmob_match_nd(match, type, target);
    vmmob_match_reg(match, REG_NETWORK, net->id);
}

/* Nobody behind the uplink has a home address, and nobody there is to hear of
 * one.  'home' is where there are some. */
static void
uplink_rules(const struct vmmob_prefix *home, ofp_port_t uplink,
             struct rule_list *list)
{
    enum vmmob_family family = vmmob_prefix_family(home);
    const uint16_t types[] = {
        family == VMMOB_IPV4 ? ETH_TYPE_IP : ETH_TYPE_IPV6, ETH_TYPE_ARP,
    };
    struct match m;

    for (size_t i = 0; i < (family == VMMOB_IPV4 ? 2 : 1); i++) {
        vmmob_match_type(&m, types[i]);
        match_set_in_port(&m, uplink);
        vmmob_match_source(&m, home);
        vmmob_rule_add_forged(list, RULE_FORGED_UPLINK, &m);

        vmmob_match_type(&m, types[i]);
        match_set_in_port(&m, uplink);
        vmmob_match_destination(&m, home);
        vmmob_rule_add_forged(list, RULE_FORGED_UPLINK, &m);
    }
    for (size_t i = 0; family == VMMOB_IPV6 && i < ARRAY_SIZE(nd_of_address);
         i++) {
        vmmob_match_nd(&m, nd_of_address[i], home);
        match_set_in_port(&m, uplink);
        vmmob_rule_add_forged(list, RULE_FORGED_UPLINK, &m);
    }
}

/* Appends to 'ofpacts' what makes a ping of the home gateway 'addr', or a
 * fragment of one, the answer and sends it back.  Only a first fragment has a
 * type, and a checksum that changes with it; it is set if 'has_type' is
 * true.  In a network that is a VLAN, the port tells which tag it gets. */
static void
put_echo_reply(const struct network *net, const struct in6_addr *addr,
               bool has_type, struct ofpbuf *ofpacts)
{
    bool ipv4 = vmmob_addr_family(addr) == VMMOB_IPV4;
    const uint8_t echo_reply = ipv4 ? ICMP4_ECHO_REPLY : ICMP6_ECHO_REPLY;

    vmmob_put_move(ofpacts, ipv4 ? MFF_IPV4_SRC : MFF_IPV6_SRC,
                   ipv4 ? MFF_IPV4_DST : MFF_IPV6_DST);
    vmmob_put_set_source(ofpacts, addr);
    vmmob_put_move(ofpacts, MFF_ETH_SRC, MFF_ETH_DST);
    vmmob_put_set_eth_source(ofpacts, vmmob_gateway_mac);
    if (has_type) {
        ofpact_put_set_field(ofpacts, mf_from_id(ipv4 ? MFF_ICMPV4_TYPE
                                                 : MFF_ICMPV6_TYPE),
                             &echo_reply, NULL);
    }
    if (net->vlan) {
        vmmob_put_move(ofpacts, MFF_IN_PORT_OXM, pipeline_reg_field(REG_PORT));
        /* No packet goes out where it has come in. */
        vmmob_put_no_in_port(ofpacts);
        vmmob_put_load_reg(ofpacts, REG_STAGE, STAGE_TO_VM);
        vmmob_put_resubmit(ofpacts, VMMOB_TABLE_SOURCE);
    } else {
        vmmob_put_output(ofpacts, OFPP_IN_PORT);
    }
}

/* What is for the home gateway 'addr' of 'net'. */
static void
home_gateway_rules(const struct network *net, const struct in6_addr *addr,
                   struct rule_list *list)
{
    const struct vmmob_prefix gateway = vmmob_prefix_of_host(addr);
    enum vmmob_family family = vmmob_addr_family(addr);
    struct match m;

    match_ip(&m, net, family);
    vmmob_match_icmp(&m, family, (family == VMMOB_IPV4 ? ICMP4_ECHO_REQUEST
                                  : ICMP6_ECHO_REQUEST));
    vmmob_match_destination(&m, &gateway);
    put_echo_reply(net, addr, true,
                   vmmob_rule_add(list, RULE_GATEWAY_PING, &m));

    /* No fragment matches a type.  They are of a ping: nothing else that is
     * ICMP is so large. */
    match_ip(&m, net, family);
    match_set_nw_proto(&m, (family == VMMOB_IPV4
                            ? IPPROTO_ICMP : IPPROTO_ICMPV6));
    vmmob_match_destination(&m, &gateway);
    match_set_nw_frag_masked(&m, FLOW_NW_FRAG_ANY, FLOW_NW_FRAG_ANY);
    put_echo_reply(net, addr, true,
                   vmmob_rule_add(list, RULE_GATEWAY_PING, &m));
    if (family == VMMOB_IPV6) {
        /* Of a later fragment, Open vSwitch does not look further. */
        match_set_nw_proto(&m, IPPROTO_FRAGMENT);
        match_set_nw_frag(&m, FLOW_NW_FRAG_ANY | FLOW_NW_FRAG_LATER);
        put_echo_reply(net, addr, false,
                       vmmob_rule_add(list, RULE_GATEWAY_PING, &m));
    }

    match_ip(&m, net, family);
    vmmob_match_destination(&m, &gateway);
    vmmob_rule_add(list, RULE_GATEWAY, &m);
}

/* What ARP hosts in 'net' say who they are by. */
static void
arp_rules(const struct network *net, const struct vmmob_prefix *home,
          struct rule_list *list)
{
    struct match m;

    match_arp(&m, net);
    vmmob_match_source(&m, home);
    vmmob_rule_add_punt(list, RULE_HOME_ARP, &m, PUNT_VM);

    match_arp(&m, net);
    vmmob_match_destination(&m, home);
    vmmob_rule_add_punt(list, RULE_HOME_ARP, &m, PUNT_VM);
}

/* The same in IPv6: neighbor discovery, which is IP, too, so it must not be
 * taken for what VMNs send.  'home' are the 'n' prefixes of home addresses. */
static void
nd_rules(const struct network *net, const struct vmmob_prefix home[], size_t n,
         struct rule_list *list)
{
    struct match m;

    for (size_t i = 0; i < ARRAY_SIZE(nd_of_hosts); i++) {
        struct ofpbuf *a;

        match_nd(&m, net, nd_of_hosts[i], NULL);
        match_set_dl_tci_masked(&m, htons(0), htons(VLAN_CFI));
        vmmob_match_reg(&m, REG_ND, 0);
        a = vmmob_rule_add(list, RULE_ND, &m);
        vmmob_put_load_reg(a, REG_ND, 1);
        vmmob_put_resubmit(a, VMMOB_TABLE_ENTRY);
    }
    for (size_t i = 0; i < ARRAY_SIZE(nd_of_routers); i++) {
        match_nd(&m, net, nd_of_routers[i], NULL);
        match_set_dl_tci_masked(&m, htons(0), htons(VLAN_CFI));
        vmmob_rule_add_forged(list, RULE_ND, &m);
    }

    match_nd(&m, net, ND_ROUTER_SOLICIT, NULL);
    vmmob_match_reg(&m, REG_ND, 1);
    vmmob_rule_add_punt(list, RULE_HOME_ARP, &m, PUNT_VM);
    for (size_t i = 0; i < ARRAY_SIZE(nd_of_address); i++) {
        for (size_t j = 0; j < n; j++) {
            match_nd(&m, net, nd_of_address[i], &home[j]);
            vmmob_match_reg(&m, REG_ND, 1);
            vmmob_rule_add_punt(list, RULE_HOME_ARP, &m, PUNT_VM);
        }
    }
}

/* What is IP and from 'home', where home addresses are in 'net', but not from
 * a VMN that is known to be here, or for 'home' and for none that is known. */
static void
home_rules(const struct rules_context *ctx, const struct network *net,
           const struct vmmob_prefix *home, struct rule_list *list)
{
    uint8_t policy = vmmob_settings_get_policy(&ctx->ofs->settings, net);
    enum vmmob_family family = vmmob_prefix_family(home);
    struct ofpbuf *a;
    struct match m;

    match_ip(&m, net, family);
    vmmob_match_source(&m, home);
    vmmob_rule_add_punt(list, RULE_HOME, &m, PUNT_VM);

    vmmob_match_multicast(&m, true);
    vmmob_rule_add_punt_copy(list, RULE_HOME_MULTICAST, &m, PUNT_VM,
                             net->id ? VMMOB_TABLE_DESTINATION : 0);

    match_ip(&m, net, family);
    vmmob_match_multicast(&m, false);
    vmmob_match_destination(&m, home);
    a = vmmob_rule_add(list, RULE_FORWARDED, &m);
    vmmob_put_load_reg(a, REG_REFUSED, REFUSED_STRAY);
    if (policy) {
        vmmob_put_load_reg(a, REG_STAGE, STAGE_FROM_VM);
        vmmob_put_move(a, MFF_IN_PORT_OXM, pipeline_reg_field(REG_PORT));
    }
    vmmob_put_resubmit(a, policy ? policy : VMMOB_TABLE_DESTINATION);

    match_ip(&m, net, family);
    vmmob_match_destination(&m, home);
    vmmob_rule_add_punt(list, RULE_HOME_UNKNOWN, &m, PUNT_VM);
}

/* The first and the last address of 'home', which no host has (RFC 1812,
 * 5.3.5; RFC 4291, 2.6.1). */
static void
not_unicast_rules(const struct network *net, const struct vmmob_prefix *home,
                  struct rule_list *list)
{
    enum vmmob_family family = vmmob_prefix_family(home);
    struct vmmob_prefix prefix = vmmob_prefix_of_host(&home->addr);
    struct match m;

    match_ip(&m, net, family);
    vmmob_match_destination(&m, &prefix);
    vmmob_put_refused(vmmob_rule_add(list, RULE_NOT_UNICAST, &m),
                      REFUSED_STRAY);
    if (family == VMMOB_IPV4) {
        prefix.addr = vmmob_prefix_last(home);
        vmmob_match_destination(&m, &prefix);
        vmmob_put_refused(vmmob_rule_add(list, RULE_NOT_UNICAST, &m),
                          REFUSED_STRAY);
    }
}

/* What goes by way of the home gateway from 'from', in 'net', to 'to', in
 * 'dst', which may be the same.  A packet whose TTL ends here is punted, for
 * an ICMP error (RFC 1812, 5.3.1; RFC 8200, 3). */
static void
route_rules(const struct network *net, const struct vmmob_prefix *from,
            const struct network *dst, const struct vmmob_prefix *to,
            struct rule_list *list)
{
    struct ofpbuf *a;
    struct match m;

    match_ip(&m, net, vmmob_prefix_family(from));
    vmmob_match_source(&m, from);
    vmmob_match_destination(&m, to);
    match_set_dl_dst(&m, vmmob_gateway_mac);
    vmmob_match_reg(&m, REG_STAGE, STAGE_START);
    a = vmmob_rule_add(list, RULE_ROUTED, &m);
    vmmob_put_dec_ttl(a);
    if (dst->id == net->id) {
        vmmob_put_load_reg(a, REG_STAGE, STAGE_ROUTED);
    } else {
        vmmob_put_load_reg(a, REG_STAGE, STAGE_ROUTED_OVER);
        vmmob_put_load_reg(a, REG_FROM, net->id);
        vmmob_put_load_reg(a, REG_NETWORK, dst->id);
    }
    vmmob_put_resubmit(a, VMMOB_TABLE_DESTINATION);

    for (uint8_t ttl = 0; ttl < 2; ttl++) {
        match_set_nw_ttl(&m, ttl);
        vmmob_rule_add_punt(list, RULE_ROUTED_LAST, &m, PUNT_VM);
    }
}

/* What goes from 'net' to 'dst', by routes. */
static void
routes_rules(const struct network *net, const struct network *dst,
             struct rule_list *list)
{
    for (size_t i = 0; i < net->n_subnets; i++) {
        for (size_t j = 0; j < dst->n_subnets; j++) {
            const struct vmmob_prefix *from = &net->subnets[i].prefix;
            const struct vmmob_prefix *to = &dst->subnets[j].prefix;

            if ((net != dst || i != j)
                && vmmob_prefix_family(from) == vmmob_prefix_family(to)) {
                route_rules(net, from, dst, to, list);
            }
        }
    }
}

static int
compare_ports(const void *a_, const void *b_)
{
    const struct handover_port *const *a = a_;
    const struct handover_port *const *b = b_;

    return ofp_to_u16((*a)->number) - ofp_to_u16((*b)->number);
}

/* Returns the '*n' ports of 'ofs' that are in 'net', in ascending order, as an
 * array that the caller must free. */
static const struct handover_port **
get_ports(const struct handover_ofs *ofs, const struct network *net, size_t *n)
{
    const struct handover_port **ports
        = xmalloc(hmap_count(&ofs->ports) * sizeof *ports);
    const struct handover_port *port;

    *n = 0;
    HMAP_FOR_EACH (port, node, &ofs->ports) {
        if (vmmob_port_networks_find(&port->networks, net->id)) {
            ports[(*n)++] = port;
        }
    }
    qsort(ports, *n, sizeof *ports, compare_ports);
    return ports;
}

/* Appends to 'ofpacts' a clone of the packet that the user's table 'policy'
 * sees as for a VM at 'port'. */
static void
put_policy_clone(struct ofpbuf *ofpacts, uint8_t policy, ofp_port_t port)
{
    size_t start = vmmob_put_clone(ofpacts);

    vmmob_put_load_reg(ofpacts, REG_STAGE, STAGE_TO_VM);
    vmmob_put_load_reg(ofpacts, REG_PORT, (OVS_FORCE uint32_t) port);
    vmmob_put_resubmit(ofpacts, policy);
    vmmob_end_clone(ofpacts, start);
}

/* What is for all ports of 'net', or for one where it is tagged. */
static void
port_rules(const struct rules_context *ctx, const struct network *net,
           struct rule_list *list)
{
    uint8_t policy = vmmob_settings_get_policy(&ctx->ofs->settings, net);
    const struct handover_port **ports;
    struct ofpbuf actions;
    struct ofpbuf *all;
    struct match m;
    size_t n;

    ports = get_ports(ctx->ofs, net, &n);
    ofpbuf_init(&actions, 64);
    for (size_t i = 0; i < n; i++) {
        ofp_port_t number = ports[i]->number;
        uint16_t vlan = vmmob_port_networks_find(&ports[i]->networks,
                                                 net->id)->vlan;

        if (policy) {
            put_policy_clone(&actions, policy, number);
        } else if (vlan) {
            vmmob_put_tag(&actions, vlan);
            vmmob_put_output(&actions, number);
            ofpact_put_STRIP_VLAN(&actions);
        } else {
            vmmob_put_output(&actions, number);
        }
        if (vlan) {
            struct ofpbuf *a;

            match_init_catchall(&m);
            vmmob_match_reg(&m, REG_STAGE, STAGE_TO_VM);
            vmmob_match_reg(&m, REG_NETWORK, net->id);
            vmmob_match_reg(&m, REG_PORT, (OVS_FORCE uint32_t) number);
            a = vmmob_rule_add(list, RULE_DELIVER_TAGGED, &m);
            vmmob_put_tag(a, vlan);
            vmmob_put_output(a, number);
        }
    }
    if (net->id) {
        match_init_catchall(&m);
        vmmob_match_reg(&m, REG_NETWORK, net->id);
        vmmob_match_multicast(&m, true);
        all = vmmob_rule_add(list, RULE_NETWORK_MULTICAST, &m);
        ofpbuf_put(all, actions.data, actions.size);
    }
    ofpbuf_uninit(&actions);
    free(ports);
}

/* What comes from outside for a VMN in 'net', and what goes there. */
static void
outside_rules(const struct rules_context *ctx, const struct network *net,
              enum vmmob_family family, struct rule_list *list)
{
    struct match m;

    if (net->isolated) {
        match_ip(&m, net, family);
        vmmob_rule_add_punt(list, RULE_ISOLATED, &m, PUNT_VM);
        vmmob_rule_add(list, RULE_SOURCE_NETWORK, &m);
    } else if (net->vlan
               || vmmob_settings_get_policy(&ctx->ofs->settings, net)) {
        match_ip(&m, net, family);
        vmmob_put_deliver_reg(ctx, vmmob_rule_add(list, RULE_SOURCE_NETWORK,
                                                  &m), net->id);
    }
}

/* Adds to 'list' the rules for the network 'id' that do not depend on any
 * VMN. */
void
vmmob_pipeline_network(const struct rules_context *ctx, uint32_t id,
                       struct rule_list *list)
{
    const struct vmmob_settings *s = &ctx->ofs->settings;
    const struct network *net = vmmob_settings_find_network(s, id);

    if (!net) {
        return;
    }
    for (enum vmmob_family f = 0; f < VMMOB_N_FAMILIES; f++) {
        struct vmmob_prefix home[NETWORK_MAX_PREFIXES];
        size_t n = vmmob_net_get_prefixes(net, f, home);

        if (!n) {
            continue;
        }
        if (f == VMMOB_IPV6) {
            const struct in6_addr lla = vmmob_gateway_lla();

            nd_rules(net, home, n, list);
            home_gateway_rules(net, &lla, list);
        }
        for (size_t i = 0; i < n; i++) {
            home_rules(ctx, net, &home[i], list);
        }
        outside_rules(ctx, net, f, list);
    }
    for (size_t i = 0; i < net->n_subnets; i++) {
        const struct vmmob_prefix *home = &net->subnets[i].prefix;

        uplink_rules(home, ctx->uplink, list);
        if (vmmob_prefix_family(home) == VMMOB_IPV4) {
            arp_rules(net, home, list);
        }
        not_unicast_rules(net, home, list);
        home_gateway_rules(net, &net->subnets[i].gateway, list);
    }
    for (size_t i = 0; i < s->n_networks; i++) {
        if (net == &s->networks[i]
            || vmmob_net_routes_to(net, &s->networks[i])) {
            routes_rules(net, &s->networks[i], list);
        }
    }
    port_rules(ctx, net, list);
}

/* Adds to 'list' the rules that say in which network a frame is that comes in
 * by 'port', which is in 'pn'. */
void
vmmob_pipeline_admit(ofp_port_t port, const struct port_networks *pn,
                     struct rule_list *list)
{
    struct ofpbuf *a;
    struct match m;

    match_init_catchall(&m);
    match_set_in_port(&m, port);
    if (pn->kind == PORT_NETWORKS_CLOSED) {
        vmmob_rule_add(list, RULE_CLOSED_PORT, &m);
        return;
    } else if (pn->kind == PORT_NETWORKS_PLAIN) {
        vmmob_put_resubmit(vmmob_rule_add(list, RULE_PLAIN_PORT, &m), 0);
        return;
    }
    for (size_t i = 0; i < pn->n; i++) {
        const struct port_network *p = &pn->networks[i];

        if (!p->id && !p->vlan) {
            continue;
        }
        match_init_catchall(&m);
        match_set_in_port(&m, port);
        vmmob_match_reg(&m, REG_NETWORK, 0);
        if (p->vlan) {
            match_set_dl_vlan(&m, htons(p->vlan), 0);
        } else {
            match_set_dl_tci(&m, htons(0));
        }
        a = vmmob_rule_add(list, RULE_ADMIT, &m);
        if (p->vlan) {
            ofpact_put_STRIP_VLAN(a);
        }
        vmmob_put_load_reg(a, REG_NETWORK, p->id);
        vmmob_put_resubmit(a, VMMOB_TABLE_ENTRY);
    }

    const struct port_network *native = vmmob_port_networks_find_vlan(pn, 0);
    if (!native || native->id) {
        match_init_catchall(&m);
        match_set_in_port(&m, port);
        vmmob_match_reg(&m, REG_NETWORK, 0);
        vmmob_rule_add(list, RULE_ADMIT_REST, &m);
    }
}

/* Appends to 'ofpacts' what delivers the packet, which is in 'network', to a
 * VM at 'port': by way of the user's policy, if there is one. */
void
vmmob_put_deliver(const struct rules_context *ctx, struct ofpbuf *ofpacts,
                  uint32_t network, ofp_port_t port)
{
    const struct vmmob_settings *s = &ctx->ofs->settings;
    const struct network *net = vmmob_settings_find_network(s, network);
    const struct handover_port *hp = vmmob_handover_find_port(ctx->ofs, port);
    const struct port_network *pn
        = hp ? vmmob_port_networks_find(&hp->networks, network) : NULL;
    uint8_t policy = net ? vmmob_settings_get_policy(s, net) : 0;

    if (policy) {
        vmmob_put_load_reg(ofpacts, REG_STAGE, STAGE_TO_VM);
        vmmob_put_load_reg(ofpacts, REG_PORT, (OVS_FORCE uint32_t) port);
        vmmob_put_resubmit(ofpacts, policy);
        return;
    }
    if (pn && pn->vlan) {
        vmmob_put_tag(ofpacts, pn->vlan);
    }
    vmmob_put_output(ofpacts, port);
}

/* Likewise, to a VM at the port in REG_PORT. */
void
vmmob_put_deliver_reg(const struct rules_context *ctx, struct ofpbuf *ofpacts,
                      uint32_t network)
{
    const struct vmmob_settings *s = &ctx->ofs->settings;
    const struct network *net = vmmob_settings_find_network(s, network);
    uint8_t policy = net ? vmmob_settings_get_policy(s, net) : 0;

    if (policy || (net && net->vlan)) {
        vmmob_put_load_reg(ofpacts, REG_STAGE, STAGE_TO_VM);
        vmmob_put_resubmit(ofpacts, policy ? policy : VMMOB_TABLE_SOURCE);
    } else {
        vmmob_put_output_reg(ofpacts, REG_PORT);
    }
}
