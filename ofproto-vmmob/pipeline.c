/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/pipeline.h"

#include <netinet/icmp6.h>

#include "dhcp.h"
#include "ofproto-vmmob/flow-index.h"
#include "ofproto-vmmob/handover.h"
#include "ofproto-vmmob/pipeline-action.h"
#include "ofproto-vmmob/router.h"
#include "ofproto-vmmob/settings.h"
#include "ofproto-vmmob/vmmob.h"
#include "openvswitch/match.h"
#include "openvswitch/ofp-actions.h"
#include "openvswitch/ofpbuf.h"
#include "packets.h"
#include "util.h"
#include "vmmob-binding.h"
#include "vmmob-table.h"

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

/* What hosts say of the groups that they are in (RFC 2710, RFC 3810). */
static const uint8_t mld_of_hosts[] = { MLD_REPORT, MLD_DONE, MLD2_REPORT };

/* Returns true if 'spec' is about packets for a MoA that came in by the
 * uplink. */
bool
vmmob_pipeline_is_arrival(const struct rule_spec *spec)
{
    return (spec->table_id == vmmob_pipeline_rows[RULE_MOA].table_id
            && spec->priority == vmmob_pipeline_rows[RULE_MOA].priority);
}

/* Returns true if 'spec' is about packets that a VMN here sends from a home
 * address. */
bool
vmmob_pipeline_is_departure(const struct rule_spec *spec)
{
    return (spec->table_id == vmmob_pipeline_rows[RULE_VMN].table_id
            && spec->priority == vmmob_pipeline_rows[RULE_VMN].priority);
}

/* Returns true if 'spec' drops packets whose next hop is not here. */
bool
vmmob_pipeline_is_stray(const struct rule_spec *spec)
{
    return (spec->table_id == vmmob_pipeline_rows[RULE_STRAY].table_id
            && spec->priority == vmmob_pipeline_rows[RULE_STRAY].priority);
}

static struct eth_addr
get_dl_dst(const struct miniflow *flow)
{
    return (struct eth_addr) {
        .be16 = {
            MINIFLOW_GET_BE16(flow, dl_dst.be16[0]),
            MINIFLOW_GET_BE16(flow, dl_dst.be16[1]),
            MINIFLOW_GET_BE16(flow, dl_dst.be16[2]),
        },
    };
}

/* Returns true if 'spec' is for just one address of the kind 'which', and
 * stores that, as vmmob_flow_index_find() wants it, in '*addr'.  The Ethernet
 * destination counts only where it is not the home gateway's, that is, where
 * it says more than the IP addresses. */
bool
vmmob_pipeline_is_exact(const struct rule_spec *spec,
                        enum pipeline_address which, struct in6_addr *addr)
{
    const struct miniflow *flow = spec->match.flow;
    const struct miniflow *mask = &spec->match.mask->masks;
    ovs_be16 dl_type = MINIFLOW_GET_BE16(flow, dl_type);

    if (dl_type != htons(ETH_TYPE_IP) && dl_type != htons(ETH_TYPE_IPV6)) {
        return false;
    } else if (which == PIPELINE_MAC) {
        const struct eth_addr mac = get_dl_dst(flow);

        *addr = vmmob_flow_index_mac(mac);
        return (eth_mask_is_exact(get_dl_dst(mask))
                && !eth_addr_equals(mac, vmmob_gateway_mac));
    } else if (dl_type == htons(ETH_TYPE_IP)) {
        bool src = which == PIPELINE_SOURCE;

        in6_addr_set_mapped_ipv4(addr, (src ? MINIFLOW_GET_BE32(flow, nw_src)
                                        : MINIFLOW_GET_BE32(flow, nw_dst)));
        return (src ? MINIFLOW_GET_BE32(mask, nw_src)
                : MINIFLOW_GET_BE32(mask, nw_dst)) == OVS_BE32_MAX;
    } else {
        ovs_u128 ip, ip_mask;

        if (which == PIPELINE_SOURCE) {
            ip = MINIFLOW_GET_U128(flow, ipv6_src);
            ip_mask = MINIFLOW_GET_U128(mask, ipv6_src);
        } else {
            ip = MINIFLOW_GET_U128(flow, ipv6_dst);
            ip_mask = MINIFLOW_GET_U128(mask, ipv6_dst);
        }
        memcpy(addr, &ip, sizeof *addr);
        return ovs_u128_equals(ip_mask, OVS_U128_MAX);
    }
}

/* Adds to 'list' that who sends what 'match' matches lies. */
static void
add_forged(struct rule_list *list, enum pipeline_rule rule,
           const struct match *match)
{
    vmmob_put_refused(vmmob_rule_add(list, rule, match), REFUSED_FORGED);
}

/* Adds to 'list' that what 'match' matches is punted, and then goes on at
 * table 0 if 'go_on' is true. */
static void
add_punt(struct rule_list *list, enum pipeline_rule rule,
         const struct match *match, enum punt_kind kind, bool go_on)
{
    struct ofpbuf *a = vmmob_rule_add(list, rule, match);

    vmmob_put_punt(a, kind);
    if (go_on) {
        vmmob_put_resubmit(a, 0);
    }
}

/* Adds to 'list' rules against packets from VM ports with a source in
 * 'prefix', which nobody there can have. */
void
vmmob_pipeline_refuse(const struct vmmob_prefix *prefix,
                      struct rule_list *list)
{
    enum vmmob_family family = vmmob_prefix_family(prefix);
    struct match m;

    vmmob_match_ip(&m, family);
    vmmob_match_source(&m, prefix);
    add_forged(list, RULE_FORGED, &m);

    if (family == VMMOB_IPV4) {
        vmmob_match_type(&m, ETH_TYPE_ARP);
        vmmob_match_source(&m, prefix);
        add_forged(list, RULE_FORGED, &m);
    } else {
        vmmob_match_nd(&m, ND_NEIGHBOR_ADVERT, prefix);
        add_forged(list, RULE_FORGED, &m);
    }
}

/* A host that wants an address in 'prefix' does not take it if somebody behind
 * a VM port wants it, too (RFC 5227; RFC 4862, 5.4). */
static void
refuse_probes(const struct vmmob_prefix *prefix, struct rule_list *list)
{
    struct match m;

    if (vmmob_prefix_family(prefix) == VMMOB_IPV4) {
        vmmob_match_type(&m, ETH_TYPE_ARP);
        match_set_nw_src(&m, 0);
        vmmob_match_destination(&m, prefix);
    } else {
        vmmob_match_nd(&m, ND_NEIGHBOR_SOLICIT, prefix);
        match_set_ipv6_src(&m, &in6addr_any);
    }
    add_forged(list, RULE_FORGED, &m);
}

/* Hosts may read what Open vSwitch does not: an ARP with another hardware
 * type, which the module counts, and what follows more VLAN tags than it looks
 * at.  'in' is a match for where it comes from. */
static void
refuse_unread(const struct match *in, enum pipeline_rule rule,
              struct rule_list *list)
{
    static const uint16_t tags[] = {
        ETH_TYPE_VLAN_8021Q, ETH_TYPE_VLAN_8021AD,
    };
    struct match m = *in;

    match_set_dl_type(&m, htons(ETH_TYPE_ARP));
    match_set_nw_proto(&m, 0);
    match_set_nw_src(&m, 0);
    match_set_nw_dst(&m, 0);
    add_punt(list, rule, &m,
             rule == RULE_FORGED_UPLINK ? PUNT_UNREAD_ARP : PUNT_VM, false);

    for (size_t i = 0; i < ARRAY_SIZE(tags); i++) {
        m = *in;
        match_set_dl_type(&m, htons(tags[i]));
        add_forged(list, rule, &m);
    }
}

/* Nobody behind the uplink has a home address of 'family', and nobody there is
 * to hear of one. */
static void
uplink_home_rules(const struct vmmob_settings *s, enum vmmob_family family,
                  ofp_port_t uplink, struct rule_list *list)
{
    const uint16_t types[] = {
        family == VMMOB_IPV4 ? ETH_TYPE_IP : ETH_TYPE_IPV6, ETH_TYPE_ARP,
    };
    const struct vmmob_prefix *home = &s->ip[family].home;
    struct match m;

    for (size_t i = 0; i < (family == VMMOB_IPV4 ? 2 : 1); i++) {
        vmmob_match_type(&m, types[i]);
        match_set_in_port(&m, uplink);
        vmmob_match_source(&m, home);
        add_forged(list, RULE_FORGED_UPLINK, &m);

        vmmob_match_type(&m, types[i]);
        match_set_in_port(&m, uplink);
        vmmob_match_destination(&m, home);
        add_forged(list, RULE_FORGED_UPLINK, &m);
    }
    for (size_t i = 0; family == VMMOB_IPV6 && i < ARRAY_SIZE(nd_of_address);
         i++) {
        vmmob_match_nd(&m, nd_of_address[i], home);
        match_set_in_port(&m, uplink);
        add_forged(list, RULE_FORGED_UPLINK, &m);
    }
}

/* What has a VLAN tag, for which 'tag' is a match, is no business of ours. */
static void
uplink_rules(const struct vmmob_settings *s, ofp_port_t uplink,
             const struct match *tag, struct rule_list *list)
{
    struct match m;

    for (enum vmmob_family f = 0; f < VMMOB_N_FAMILIES; f++) {
        if (vmmob_settings_has_home(s, f)) {
            uplink_home_rules(s, f, uplink, list);
        }
    }

    match_init_catchall(&m);
    match_set_in_port(&m, uplink);
    refuse_unread(&m, RULE_FORGED_UPLINK, list);

    m = *tag;
    match_set_in_port(&m, uplink);
    vmmob_put_resubmit(vmmob_rule_add(list, RULE_UPLINK_TAG, &m), 0);
}

/* Who is behind a VM port is not in the network of the uplink and has no
 * address of the pools, and is neither the bridge 'self' nor the home gateway.
 * 'tag' is as for uplink_rules(). */
static void
vm_port_rules(const struct vmmob_settings *s, const struct vmmob_ofs *self,
              const struct match *tag, struct rule_list *list)
{
    const struct eth_addr macs[] = { self->mac, vmmob_gateway_mac };
    struct match m;

    for (enum vmmob_family f = 0; f < VMMOB_N_FAMILIES; f++) {
        if (vmmob_settings_has_uplink(s, f)) {
            /* The gateway is in there, and so are most pools. */
            vmmob_pipeline_refuse(&s->ip[f].network, list);
            refuse_probes(&s->ip[f].network, list);
        }
    }
    for (size_t i = 0; i < s->n_pools; i++) {
        enum vmmob_family f = vmmob_prefix_family(&s->pools[i]);

        if (!vmmob_prefix_contains(&s->ip[f].network, &s->pools[i].addr)) {
            vmmob_pipeline_refuse(&s->pools[i], list);
        }
    }

    match_init_catchall(&m);
    refuse_unread(&m, RULE_FORGED, list);

    /* Otherwise the switch would learn that packets for them go there. */
    for (size_t i = 0; i < ARRAY_SIZE(macs); i++) {
        match_init_catchall(&m);
        match_set_dl_src(&m, macs[i]);
        add_forged(list, RULE_FORGED, &m);
    }

    vmmob_put_resubmit(vmmob_rule_add(list, RULE_TAG, tag), 0);
}

/* Appends to 'ofpacts' what makes a ping of the home gateway 'addr', or a
 * fragment of one, the answer and sends it back.  Only a first fragment has a
 * type, and a checksum that changes with it; it is set if 'has_type' is
 * true. */
static void
put_echo_reply(const struct in6_addr *addr, bool has_type,
               struct ofpbuf *ofpacts)
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
    vmmob_put_output(ofpacts, OFPP_IN_PORT);
}

/* What is for the home gateway 'addr'. */
static void
home_gateway_rules(const struct in6_addr *addr, struct rule_list *list)
{
    const struct vmmob_prefix gateway = vmmob_prefix_of_host(addr);
    enum vmmob_family family = vmmob_addr_family(addr);
    struct match m;

    vmmob_match_ip(&m, family);
    vmmob_match_icmp(&m, family, (family == VMMOB_IPV4 ? ICMP4_ECHO_REQUEST
                                  : ICMP6_ECHO_REQUEST));
    vmmob_match_destination(&m, &gateway);
    put_echo_reply(addr, true, vmmob_rule_add(list, RULE_GATEWAY_PING, &m));

    /* No fragment matches a type.  They are of a ping: nothing else that is
     * ICMP is so large. */
    vmmob_match_ip(&m, family);
    match_set_nw_proto(&m, (family == VMMOB_IPV4
                            ? IPPROTO_ICMP : IPPROTO_ICMPV6));
    vmmob_match_destination(&m, &gateway);
    match_set_nw_frag_masked(&m, FLOW_NW_FRAG_ANY, FLOW_NW_FRAG_ANY);
    put_echo_reply(addr, true, vmmob_rule_add(list, RULE_GATEWAY_PING, &m));
    if (family == VMMOB_IPV6) {
        /* Of a later fragment, Open vSwitch does not look further. */
        match_set_nw_proto(&m, IPPROTO_FRAGMENT);
        match_set_nw_frag(&m, FLOW_NW_FRAG_ANY | FLOW_NW_FRAG_LATER);
        put_echo_reply(addr, false,
                       vmmob_rule_add(list, RULE_GATEWAY_PING, &m));
    }

    vmmob_match_ip(&m, family);
    vmmob_match_destination(&m, &gateway);
    vmmob_rule_add(list, RULE_GATEWAY, &m);
}

/* What no packet with the MAC address of one host is for (RFC 1812, 5.3.7; RFC
 * 4291, 2.7 and 2.5). */
static void
not_unicast_rules(const struct vmmob_settings *s, enum vmmob_family family,
                  struct rule_list *list)
{
    static const char *ipv4[] = {
        "0.0.0.0/8",            /* "This network". */
        "127.0.0.0/8",          /* Loopback. */
        "224.0.0.0/4",          /* Multicast. */
        "255.255.255.255",      /* Broadcast. */
    };
    static const char *ipv6[] = { "::", "::1", "ff00::/8" };
    const char **texts = family == VMMOB_IPV4 ? ipv4 : ipv6;
    size_t n = family == VMMOB_IPV4 ? ARRAY_SIZE(ipv4) : ARRAY_SIZE(ipv6);
    const struct vmmob_prefix *home = &s->ip[family].home;
    struct vmmob_prefix prefix = vmmob_prefix_of_host(&home->addr);
    struct match m;

    vmmob_match_ip(&m, family);
    vmmob_match_destination(&m, &prefix);
    vmmob_put_refused(vmmob_rule_add(list, RULE_NOT_UNICAST, &m),
                      REFUSED_STRAY);
    if (family == VMMOB_IPV4) {
        prefix.addr = vmmob_prefix_last(home);
        vmmob_match_destination(&m, &prefix);
        vmmob_put_refused(vmmob_rule_add(list, RULE_NOT_UNICAST, &m),
                          REFUSED_STRAY);
    }
    for (size_t i = 0; i < n; i++) {
        char *error = vmmob_prefix_parse(texts[i], &prefix, NULL);

        ovs_assert(!error);
        vmmob_match_destination(&m, &prefix);
        vmmob_put_refused(vmmob_rule_add(list, RULE_NOT_UNICAST, &m),
                          REFUSED_STRAY);
    }
}

/* Adds to 'list' that those are punted of what 'match', which is of 'family',
 * matches that are ICMP errors. */
static void
add_punt_errors(struct rule_list *list, enum pipeline_rule rule,
                const struct match *match, enum vmmob_family family,
                enum punt_kind kind)
{
    static const uint8_t ipv4[] = {
        ICMP4_DST_UNREACH, ICMP4_TIME_EXCEEDED, ICMP4_PARAM_PROB,
    };
    static const uint8_t ipv6[] = {
        ICMP6_DST_UNREACH, ICMP6_PACKET_TOO_BIG, ICMP6_TIME_EXCEEDED,
        ICMP6_PARAM_PROB,
    };
    const uint8_t *types = family == VMMOB_IPV4 ? ipv4 : ipv6;
    size_t n = family == VMMOB_IPV4 ? ARRAY_SIZE(ipv4) : ARRAY_SIZE(ipv6);
    struct match m = *match;

    for (size_t i = 0; i < n; i++) {
        vmmob_match_icmp(&m, family, types[i]);
        add_punt(list, rule, &m, kind, false);
    }
}

/* What comes in by 'uplink' for 'pool', which is ours, and what VMNs send
 * there. */
static void
pool_rules(const struct vmmob_prefix *pool, ofp_port_t uplink,
           struct rule_list *list)
{
    /* They quote packets, too.  A VMN's first hop is its home gateway and not
     * a router of the uplink's network, so it must not believe that one's
     * redirect (RFC 1122, 3.2.2.2; RFC 4861, 8.1), and nobody believes a
     * source quench (RFC 6633). */
    static const uint8_t ipv4_useless[] = {
        ICMP4_SOURCEQUENCH, ICMP4_REDIRECT,
    };
    static const uint8_t ipv6_useless[] = { ND_REDIRECT };
    enum vmmob_family family = vmmob_prefix_family(pool);
    bool ipv4 = family == VMMOB_IPV4;
    const uint8_t *useless = ipv4 ? ipv4_useless : ipv6_useless;
    size_t n_useless = ipv4 ? sizeof ipv4_useless : sizeof ipv6_useless;
    struct match m;

    if (ipv4) {
        vmmob_match_type(&m, ETH_TYPE_ARP);
        match_set_nw_proto(&m, ARP_OP_REQUEST);
        vmmob_match_destination(&m, pool);
    } else {
        vmmob_match_nd(&m, ND_NEIGHBOR_SOLICIT, pool);
    }
    match_set_in_port(&m, uplink);
    add_punt(list, RULE_POOL_ARP, &m, PUNT_POOL_ARP, false);

    /* Who says that he has an address of it. */
    if (ipv4) {
        vmmob_match_type(&m, ETH_TYPE_ARP);
        vmmob_match_source(&m, pool);
    } else {
        vmmob_match_nd(&m, ND_NEIGHBOR_ADVERT, pool);
    }
    match_set_in_port(&m, uplink);
    add_punt(list, RULE_GATEWAY_ARP, &m, PUNT_POOL_CLAIM, true);

    vmmob_match_ip(&m, family);
    match_set_in_port(&m, uplink);
    vmmob_match_destination(&m, pool);
    add_punt_errors(list, RULE_POOL_ICMP, &m, family, PUNT_ICMP);
    for (size_t i = 0; i < n_useless; i++) {
        vmmob_match_icmp(&m, family, useless[i]);
        vmmob_rule_add(list, RULE_POOL_ICMP, &m);
    }

    vmmob_match_ip(&m, family);
    match_set_in_port(&m, uplink);
    vmmob_match_destination(&m, pool);
    vmmob_rule_add(list, RULE_POOL, &m);

    vmmob_match_ip(&m, family);
    vmmob_match_destination(&m, pool);
    add_punt(list, RULE_TO_POOL, &m, PUNT_VM, false);
}

/* What tells where the gateway of 'family' is.  By IPv6, it may also ask where
 * 'self' is, which asks it from the link-local address of its MAC address.
 * The hypervisor may have that address as well. */
static void
gateway_rules(const struct vmmob_settings *s, const struct vmmob_ofs *self,
              enum vmmob_family family, ofp_port_t uplink,
              struct rule_list *list)
{
    const struct vmmob_prefix gateway
        = vmmob_prefix_of_host(&s->ip[family].gateway);
    struct match m;

    if (family == VMMOB_IPV4) {
        vmmob_match_type(&m, ETH_TYPE_ARP);
        vmmob_match_source(&m, &gateway);
    } else if (ipv6_addr_is_set(&gateway.addr)) {
        vmmob_match_nd(&m, ND_NEIGHBOR_ADVERT, &gateway);
    } else {
        /* To be learned: any router. */
        vmmob_match_nd(&m, ND_ROUTER_ADVERT, NULL);
        match_set_in_port(&m, uplink);
        add_punt(list, RULE_GATEWAY_ARP, &m, PUNT_GATEWAY_ARP, true);

        vmmob_match_nd(&m, ND_NEIGHBOR_ADVERT, &vmmob_link_local);
    }
    match_set_in_port(&m, uplink);
    add_punt(list, RULE_GATEWAY_ARP, &m, PUNT_GATEWAY_ARP, true);

    if (family == VMMOB_IPV6) {
        struct vmmob_prefix own = { .plen = 128 };

        in6_generate_lla(self->mac, &own.addr);
        vmmob_match_nd(&m, ND_NEIGHBOR_SOLICIT, &own);
        match_set_in_port(&m, uplink);
        add_punt(list, RULE_GATEWAY_ARP, &m, PUNT_GATEWAY_ARP, true);
    }
}

/* What hosts say of who they are, but for IP. */
static void
arp_rules(const struct vmmob_settings *s, struct rule_list *list)
{
    const struct vmmob_prefix *home = &s->ip[VMMOB_IPV4].home;
    struct match m;

    if (vmmob_settings_has_home(s, VMMOB_IPV4)) {
        vmmob_match_type(&m, ETH_TYPE_ARP);
        vmmob_match_source(&m, home);
        add_punt(list, RULE_HOME_ARP, &m, PUNT_VM, false);

        vmmob_match_type(&m, ETH_TYPE_ARP);
        vmmob_match_destination(&m, home);
        add_punt(list, RULE_HOME_ARP, &m, PUNT_VM, false);

        /* Who has no address yet: RFC 2131, 4.1. */
        vmmob_match_ip(&m, VMMOB_IPV4);
        match_set_nw_src(&m, htonl(INADDR_ANY));
        match_set_nw_proto(&m, IPPROTO_UDP);
        match_set_tp_src(&m, htons(DHCP_CLIENT_PORT));
        match_set_tp_dst(&m, htons(DHCP_SERVER_PORT));
        add_punt(list, RULE_ARP, &m, PUNT_VM, true);
    }

    vmmob_match_type(&m, ETH_TYPE_ARP);
    add_punt(list, RULE_ARP, &m, PUNT_VM, true);

    vmmob_match_type(&m, ETH_TYPE_RARP);
    add_punt(list, RULE_ARP, &m, PUNT_VM, true);
}

/* The same in IPv6: neighbor discovery, which is IP, too, so it must not be
 * taken for what VMNs send. */
static void
nd_rules(const struct vmmob_settings *s, struct rule_list *list)
{
    struct vmmob_prefix home[VMMOB_MAX_HOMES];
    size_t n = vmmob_settings_get_home(s, VMMOB_IPV6, home);
    struct match m;

    for (size_t i = 0; i < ARRAY_SIZE(nd_of_hosts); i++) {
        struct ofpbuf *a;

        vmmob_match_nd(&m, nd_of_hosts[i], NULL);
        match_set_dl_tci_masked(&m, htons(0), htons(VLAN_CFI));
        vmmob_match_reg(&m, REG_ND, 0);
        a = vmmob_rule_add(list, RULE_ND, &m);
        vmmob_put_load_reg(a, REG_ND, 1);
        vmmob_put_resubmit(a, VMMOB_TABLE_ENTRY);
    }
    for (size_t i = 0; i < ARRAY_SIZE(nd_of_routers); i++) {
        vmmob_match_nd(&m, nd_of_routers[i], NULL);
        match_set_dl_tci_masked(&m, htons(0), htons(VLAN_CFI));
        add_forged(list, RULE_ND, &m);
    }

    vmmob_match_nd(&m, ND_ROUTER_SOLICIT, NULL);
    vmmob_match_reg(&m, REG_ND, 1);
    add_punt(list, RULE_HOME_ARP, &m, PUNT_VM, false);
    for (size_t i = 0; i < ARRAY_SIZE(nd_of_address); i++) {
        for (size_t j = 0; j < n; j++) {
            vmmob_match_nd(&m, nd_of_address[i], &home[j]);
            vmmob_match_reg(&m, REG_ND, 1);
            add_punt(list, RULE_HOME_ARP, &m, PUNT_VM, false);
        }
    }

    /* Who has no address yet (RFC 3590) is there as well. */
    for (size_t i = 0; i < ARRAY_SIZE(mld_of_hosts); i++) {
        vmmob_match_ip(&m, VMMOB_IPV6);
        match_set_ipv6_src(&m, &in6addr_any);
        vmmob_match_icmp(&m, VMMOB_IPV6, mld_of_hosts[i]);
        add_punt(list, RULE_ARP, &m, PUNT_VM, true);
    }
}

/* What is IP of 'family' and not from a VMN that is known to be here, or for
 * none that is known. */
static void
home_rules(const struct rules_context *ctx, enum vmmob_family family,
           struct rule_list *list)
{
    const struct vmmob_settings *s = &ctx->ofs->settings;
    const struct vmmob_ofs *self = vmmob_table_find_ofs(ctx->table,
                                                        ctx->ofs->id);
    const struct eth_addr gateway_mac = vmmob_ofs_gateway_mac(self, family);
    struct vmmob_prefix home[VMMOB_MAX_HOMES];
    size_t n = vmmob_settings_get_home(s, family, home);
    struct ofpbuf *a;
    struct match m;

    for (size_t i = 0; i < n; i++) {
        vmmob_match_ip(&m, family);
        vmmob_match_source(&m, &home[i]);
        add_punt(list, RULE_HOME, &m, PUNT_VM, false);

        vmmob_match_multicast(&m, true);
        add_punt(list, RULE_HOME_MULTICAST, &m, PUNT_VM, true);

        vmmob_match_ip(&m, family);
        vmmob_match_multicast(&m, false);
        vmmob_match_destination(&m, &home[i]);
        a = vmmob_rule_add(list, RULE_FORWARDED, &m);
        vmmob_put_load_reg(a, REG_REFUSED, REFUSED_STRAY);
        vmmob_put_resubmit(a, VMMOB_TABLE_DESTINATION);

        vmmob_match_ip(&m, family);
        vmmob_match_destination(&m, &home[i]);
        add_punt(list, RULE_HOME_UNKNOWN, &m, PUNT_VM, false);
    }

    not_unicast_rules(s, family, list);
    home_gateway_rules(&s->ip[family].home_gateway, list);
    if (family == VMMOB_IPV6) {
        const struct in6_addr lla = vmmob_gateway_lla();

        home_gateway_rules(&lla, list);

        /* No router passes that on (RFC 4291, 2.5.6). */
        vmmob_match_ip(&m, family);
        vmmob_match_source(&m, &vmmob_link_local);
        vmmob_rule_add(list, RULE_OUTSIDE_LOCAL, &m);
    }

    vmmob_match_ip(&m, family);
    vmmob_match_reg(&m, REG_MOA, 0);
    vmmob_rule_add(list, RULE_NO_MOA, &m);

    vmmob_match_ip(&m, family);
    vmmob_put_refused(vmmob_rule_add(list, RULE_NO_NEXT_HOP, &m),
                      REFUSED_STRAY);

    match_set_dl_dst(&m, vmmob_gateway_mac);
    /* What they quote, no rule changes. */
    add_punt_errors(list, RULE_OUTSIDE_ICMP, &m, family, PUNT_VM);
    a = vmmob_rule_add(list, RULE_OUTSIDE, &m);
    if (!eth_addr_is_zero(gateway_mac)) {
        vmmob_put_set_source_to_moa(a, family);
        vmmob_put_set_eth_source(a, self->mac);
        vmmob_put_set_eth_destination(a, gateway_mac);
        vmmob_put_output(a, ctx->uplink);
    }

    vmmob_match_ip(&m, family);
    a = vmmob_rule_add(list, RULE_SOURCE_REST, &m);
    if (vmmob_handover_is_blind(ctx->h, ctx->ofs)) {
        vmmob_put_punt(a, PUNT_SOURCE);
    } else {
        vmmob_put_output_reg(a, REG_PORT);
    }
}

/* Protocols over IPv4 whose checksum depends on the addresses, and which Open
 * vSwitch does not know.  IPv6 has no such: see pool.h. */
static void
unsummed_rules(const struct rules_context *ctx, struct rule_list *list)
{
    static const uint8_t stale_csum[] = { IPPROTO_UDPLITE, IPPROTO_DCCP };

    for (size_t i = 0; i < ARRAY_SIZE(stale_csum); i++) {
        struct match m;

        vmmob_match_ip(&m, VMMOB_IPV4);
        match_set_nw_proto(&m, stale_csum[i]);
        vmmob_rule_add(list, RULE_OUTSIDE_UNSUMMED, &m);
        if (!vmmob_handover_is_blind(ctx->h, ctx->ofs)) {
            vmmob_rule_add(list, RULE_SOURCE_UNSUMMED, &m);
        }
    }
}

void
vmmob_pipeline_base(const struct rules_context *ctx, struct rule_list *list)
{
    const struct vmmob_settings *s = &ctx->ofs->settings;
    const struct vmmob_ofs *self = vmmob_table_find_ofs(ctx->table,
                                                        ctx->ofs->id);
    struct ofpbuf *a;
    struct match m;

    /* A tag with VLAN ID 0 is none. */
    match_init_catchall(&m);
    match_set_dl_tci_masked(&m, htons(VLAN_CFI),
                            htons(VLAN_CFI | VLAN_VID_MASK));
    a = vmmob_rule_add(list, RULE_PRIORITY_TAG, &m);
    ofpact_put_STRIP_VLAN(a);
    vmmob_put_resubmit(a, VMMOB_TABLE_ENTRY);

    match_init_catchall(&m);
    match_set_dl_tci_masked(&m, htons(VLAN_CFI), htons(VLAN_CFI));
    uplink_rules(s, ctx->uplink, &m, list);
    vm_port_rules(s, self, &m, list);

    match_init_catchall(&m);
    vmmob_match_reg(&m, REG_REFUSED, REFUSED_FORGED);
    vmmob_rule_add(list, RULE_FORGED_REST, &m);

    match_init_catchall(&m);
    vmmob_match_reg(&m, REG_REFUSED, REFUSED_STRAY);
    vmmob_put_resubmit(vmmob_rule_add(list, RULE_FORWARDED_REST, &m),
                       VMMOB_TABLE_SOURCE);
    vmmob_rule_add(list, RULE_STRAY, &m);

    /* The user's flows find all registers as they are without us. */
    match_init_catchall(&m);
    vmmob_match_multicast(&m, true);
    a = vmmob_rule_add(list, RULE_MULTICAST, &m);
    vmmob_put_load_moa(a, &in6addr_any);
    vmmob_put_resubmit(a, 0);

    for (size_t i = 0; i < s->n_pools; i++) {
        pool_rules(&s->pools[i], ctx->uplink, list);
    }

    match_init_catchall(&m);
    match_set_in_port(&m, ctx->uplink);
    vmmob_put_resubmit(vmmob_rule_add(list, RULE_UPLINK, &m), 0);

    arp_rules(s, list);
    if (vmmob_settings_has_home(s, VMMOB_IPV6)) {
        nd_rules(s, list);
    }
    for (enum vmmob_family f = 0; f < VMMOB_N_FAMILIES; f++) {
        if (vmmob_settings_has_uplink(s, f)) {
            gateway_rules(s, self, f, ctx->uplink, list);
        }
        if (vmmob_settings_has_home(s, f)) {
            home_rules(ctx, f, list);
        }
    }
    unsummed_rules(ctx, list);

    match_init_catchall(&m);
    vmmob_put_resubmit(vmmob_rule_add(list, RULE_ENTRY_REST, &m), 0);
}

/* Adds to 'list' the rules for 'pool', one of those that together are all
 * pools of other OFSs. */
void
vmmob_pipeline_pool(const struct vmmob_prefix *pool, struct rule_list *list)
{
    enum vmmob_family family = vmmob_prefix_family(pool);
    struct match m;

    vmmob_match_ip(&m, family);
    vmmob_match_source(&m, pool);
    add_punt(list, RULE_PEER_POOL, &m, PUNT_SOURCE, false);

    vmmob_match_ip(&m, family);
    vmmob_match_destination(&m, pool);
    add_punt(list, RULE_TO_POOL, &m, PUNT_VM, false);
}

/* Adds to 'list' the rules for 'port', whose guest may use just the MAC
 * addresses of 'row'. */
void
vmmob_pipeline_port(ofp_port_t port, const struct vmmob_port *row,
                    struct rule_list *list)
{
    static const uint16_t types[] = { ETH_TYPE_ARP, ETH_TYPE_RARP };
    struct match m;

    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        vmmob_match_type(&m, types[i]);
        match_set_in_port(&m, port);
        vmmob_rule_add(list, RULE_PORT_OTHER_ARP, &m);

        for (size_t j = 0; j < row->n_macs; j++) {
            match_set_dl_src(&m, row->macs[j]);
            match_set_arp_sha(&m, row->macs[j]);
            vmmob_put_pass(vmmob_rule_add(list, RULE_PORT_ARP, &m));
        }
    }

    match_init_catchall(&m);
    match_set_in_port(&m, port);
    vmmob_rule_add(list, RULE_PORT_OTHER, &m);
    for (size_t j = 0; j < row->n_macs; j++) {
        match_set_dl_src(&m, row->macs[j]);
        vmmob_put_pass(vmmob_rule_add(list, RULE_PORT, &m));
    }
}

void
vmmob_pipeline_list_destroy(struct rule_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        minimatch_destroy(&list->specs[i].match);
        ofpbuf_uninit(&list->specs[i].ofpacts);
    }
    free(list->specs);
    memset(list, 0, sizeof *list);
}

/* Adds to 'list' the rule that counts what is forged at 'port'. */
void
vmmob_pipeline_forged(ofp_port_t port, struct rule_list *list)
{
    struct match m;

    match_init_catchall(&m);
    match_set_in_port(&m, port);
    vmmob_match_reg(&m, REG_REFUSED, REFUSED_FORGED);
    vmmob_rule_add(list, RULE_FORGED_BY_PORT, &m);
}

/* Adds to 'list' the rule that drops everything from 'port'. */
void
vmmob_pipeline_block(ofp_port_t port, struct rule_list *list)
{
    struct match m;

    /* Matches nothing else, so that one datapath flow is enough whatever
     * comes. */
    match_init_catchall(&m);
    match_set_in_port(&m, port);
    vmmob_rule_add(list, RULE_FLOOD, &m);
}
