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

    if (which == PIPELINE_MAC) {
        const struct eth_addr mac = get_dl_dst(flow);

        *addr = vmmob_flow_index_mac(mac);
        return (eth_mask_is_exact(get_dl_dst(mask))
                && !eth_addr_equals(mac, vmmob_gateway_mac));
    } else if (dl_type != htons(ETH_TYPE_IP)
               && dl_type != htons(ETH_TYPE_IPV6)) {
        return false;
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
    vmmob_rule_add_forged(list, RULE_FORGED, &m);

    if (family == VMMOB_IPV4) {
        vmmob_match_type(&m, ETH_TYPE_ARP);
        vmmob_match_source(&m, prefix);
        vmmob_rule_add_forged(list, RULE_FORGED, &m);
    } else {
        vmmob_match_nd(&m, ND_NEIGHBOR_ADVERT, prefix);
        vmmob_rule_add_forged(list, RULE_FORGED, &m);
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
    vmmob_rule_add_forged(list, RULE_FORGED, &m);
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
    vmmob_rule_add_punt(list, rule, &m,
                        (rule == RULE_FORGED_UPLINK
                         ? PUNT_UNREAD_ARP : PUNT_VM));

    for (size_t i = 0; i < ARRAY_SIZE(tags); i++) {
        m = *in;
        match_set_dl_type(&m, htons(tags[i]));
        vmmob_rule_add_forged(list, rule, &m);
    }
}

/* What has a VLAN tag, for which 'tag' is a match, is no business of ours. */
static void
uplink_rules(ofp_port_t uplink, const struct match *tag,
             struct rule_list *list)
{
    struct match m;

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
        vmmob_rule_add_forged(list, RULE_FORGED, &m);
    }

    m = *tag;
    vmmob_rule_add(list, RULE_TAG_REST, &m);
    vmmob_match_reg(&m, REG_NETWORK, 0);
    vmmob_put_resubmit(vmmob_rule_add(list, RULE_TAG, &m), 0);
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
    vmmob_rule_add_punt(list, RULE_POOL_ARP, &m, PUNT_POOL_ARP);

    /* Who says that he has an address of it. */
    if (ipv4) {
        vmmob_match_type(&m, ETH_TYPE_ARP);
        vmmob_match_source(&m, pool);
    } else {
        vmmob_match_nd(&m, ND_NEIGHBOR_ADVERT, pool);
    }
    match_set_in_port(&m, uplink);
    vmmob_rule_add_punt_copy(list, RULE_GATEWAY_ARP, &m, PUNT_POOL_CLAIM,
                             0);

    vmmob_match_ip(&m, family);
    match_set_in_port(&m, uplink);
    vmmob_match_destination(&m, pool);
    vmmob_rule_add_punt_errors(list, RULE_POOL_ICMP, &m, family, PUNT_ICMP);
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
    vmmob_rule_add_punt(list, RULE_TO_POOL, &m, PUNT_VM);
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
        vmmob_rule_add_punt_copy(list, RULE_GATEWAY_ARP, &m,
                                 PUNT_GATEWAY_ARP, 0);

        vmmob_match_nd(&m, ND_NEIGHBOR_ADVERT, &vmmob_link_local);
    }
    match_set_in_port(&m, uplink);
    vmmob_rule_add_punt_copy(list, RULE_GATEWAY_ARP, &m,
                                 PUNT_GATEWAY_ARP, 0);

    if (family == VMMOB_IPV6) {
        struct vmmob_prefix own = { .plen = 128 };

        in6_generate_lla(self->mac, &own.addr);
        vmmob_match_nd(&m, ND_NEIGHBOR_SOLICIT, &own);
        match_set_in_port(&m, uplink);
        vmmob_rule_add_punt_copy(list, RULE_GATEWAY_ARP, &m,
                                 PUNT_GATEWAY_ARP, 0);
    }
}

/* What hosts say of who they are, where no home address is in it. */
static void
arp_rules(const struct vmmob_settings *s, struct rule_list *list)
{
    struct match ms[3 + ARRAY_SIZE(mld_of_hosts)];
    size_t n = 0;

    vmmob_match_type(&ms[n++], ETH_TYPE_ARP);
    vmmob_match_type(&ms[n++], ETH_TYPE_RARP);
    if (vmmob_settings_has_home(s, VMMOB_IPV4)) {
        /* Who has no address yet: RFC 2131, 4.1. */
        vmmob_match_ip(&ms[n], VMMOB_IPV4);
        match_set_nw_src(&ms[n], htonl(INADDR_ANY));
        match_set_nw_proto(&ms[n], IPPROTO_UDP);
        match_set_tp_src(&ms[n], htons(DHCP_CLIENT_PORT));
        match_set_tp_dst(&ms[n++], htons(DHCP_SERVER_PORT));
    }


    /* Who has no address yet (RFC 3590) is there as well. */
    for (size_t i = 0; i < ARRAY_SIZE(mld_of_hosts); i++) {
        struct match *m = &ms[n++];

        vmmob_match_ip(m, VMMOB_IPV6);
        match_set_ipv6_src(m, &in6addr_any);
        vmmob_match_icmp(m, VMMOB_IPV6, mld_of_hosts[i]);
    }
    for (size_t i = 0; i < n; i++) {
        vmmob_rule_add_punt_copy(list, RULE_ARP_REST, &ms[i], PUNT_VM,
                                 VMMOB_TABLE_DESTINATION);
        vmmob_match_reg(&ms[i], REG_NETWORK, 0);
        vmmob_rule_add_punt_copy(list, RULE_ARP, &ms[i], PUNT_VM, 0);
    }
}

/* What no packet with the MAC address of one host is for (RFC 1812, 5.3.7; RFC
 * 4291, 2.7 and 2.5). */
static void
not_unicast_rules(enum vmmob_family family, struct rule_list *list)
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
    struct match m;

    vmmob_match_ip(&m, family);
    for (size_t i = 0; i < n; i++) {
        struct vmmob_prefix prefix;
        char *error = vmmob_prefix_parse(texts[i], &prefix, NULL);

        ovs_assert(!error);
        vmmob_match_destination(&m, &prefix);
        vmmob_put_refused(vmmob_rule_add(list, RULE_NOT_UNICAST, &m),
                          REFUSED_STRAY);
    }
}

/* What is IP of 'family', and for none of the home subnets. */
static void
outside_rules(const struct rules_context *ctx, enum vmmob_family family,
              struct rule_list *list)
{
    const struct vmmob_ofs *self = vmmob_table_find_ofs(ctx->table,
                                                        ctx->ofs->id);
    const struct eth_addr gateway_mac = vmmob_ofs_gateway_mac(self, family);
    struct ofpbuf *a;
    struct match m;

    not_unicast_rules(family, list);
    if (family == VMMOB_IPV6) {
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
    vmmob_rule_add_punt_errors(list, RULE_OUTSIDE_ICMP, &m, family, PUNT_VM);
    a = vmmob_rule_add(list, RULE_OUTSIDE, &m);
    if (!eth_addr_is_zero(gateway_mac)) {
        vmmob_put_set_source_to_moa(a, family);
        vmmob_put_set_eth_source(a, self->mac);
        vmmob_put_set_eth_destination(a, gateway_mac);
        vmmob_put_output(a, ctx->uplink);
    }

    vmmob_match_ip(&m, family);
    if (vmmob_handover_is_blind(ctx->h, ctx->ofs)) {
        vmmob_rule_add_punt(list, RULE_SOURCE_BLIND, &m, PUNT_SOURCE);
    }
    vmmob_put_output_reg(vmmob_rule_add(list, RULE_SOURCE_REST, &m), REG_PORT);
}

/* What has passed the user's policy. */
static void
policy_rules(struct rule_list *list)
{
    struct ofpbuf *a;
    struct match m;

    match_init_catchall(&m);
    vmmob_match_reg(&m, REG_STAGE, STAGE_TO_VM);
    vmmob_put_output_reg(vmmob_rule_add(list, RULE_DELIVER, &m), REG_PORT);

    match_init_catchall(&m);
    vmmob_match_reg(&m, REG_STAGE, STAGE_FROM_VM);
    a = vmmob_rule_add(list, RULE_POLICY_PASSED, &m);
    vmmob_put_load_reg(a, REG_STAGE, STAGE_START);
    vmmob_put_resubmit(a, VMMOB_TABLE_DESTINATION);
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
    uplink_rules(ctx->uplink, &m, list);
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
    vmmob_match_reg(&m, REG_NETWORK, 0);
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
    for (enum vmmob_family f = 0; f < VMMOB_N_FAMILIES; f++) {
        if (vmmob_settings_has_uplink(s, f)) {
            gateway_rules(s, self, f, ctx->uplink, list);
        }
        if (vmmob_settings_has_home(s, f)) {
            outside_rules(ctx, f, list);
        }
    }
    unsummed_rules(ctx, list);

    policy_rules(list);

    match_init_catchall(&m);
    vmmob_put_resubmit(vmmob_rule_add(list, RULE_NETWORK_REST, &m),
                       VMMOB_TABLE_DESTINATION);
    vmmob_match_reg(&m, REG_NETWORK, 0);
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
    vmmob_rule_add_punt(list, RULE_PEER_POOL, &m, PUNT_SOURCE);

    vmmob_match_ip(&m, family);
    vmmob_match_destination(&m, pool);
    vmmob_rule_add_punt(list, RULE_TO_POOL, &m, PUNT_VM);
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
