/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/pipeline.h"

#include "ofproto-vmmob/handover.h"
#include "ofproto-vmmob/settings.h"
#include "ofproto-vmmob/punt-kind.h"
#include "ofproto-vmmob/vmmob.h"
#include "openvswitch/match.h"
#include "openvswitch/meta-flow.h"
#include "openvswitch/ofp-actions.h"
#include "openvswitch/ofpbuf.h"
#include "packets.h"
#include "util.h"
#include "vmmob-binding.h"
#include "vmmob-table.h"

/* No port.  Packets from a guest that uses its own MAC address look up their
 * next rule as if they came from there, and so pass by rules 163 and 161. */
#define PASS_PORT OFPP_NONE

/* Set in every multicast Ethernet address, the broadcast address included. */
static const struct eth_addr multicast_bit = ETH_ADDR_C(01,00,00,00,00,00);

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
    const struct pipeline_row *rows = vmmob_pipeline_rows;

    return (spec->table_id == rows[RULE_VMN].table_id
            && (spec->priority == rows[RULE_VMN].priority
                || spec->priority == rows[RULE_VMN_MULTICAST].priority));
}

/* Returns true if 'spec' drops packets whose next hop is not here. */
bool
vmmob_pipeline_is_stray(const struct rule_spec *spec)
{
    return (spec->table_id == vmmob_pipeline_rows[RULE_STRAY].table_id
            && spec->priority == vmmob_pipeline_rows[RULE_STRAY].priority);
}

/* Stores in '*mac' the next hop of packets to 'moa', at the OFS 'id': that OFS
 * itself if it is on the same IP network, otherwise the gateway.  Returns
 * false if that is not known yet. */
bool
vmmob_pipeline_get_next_hop(const struct rules_context *ctx,
                            const struct in6_addr *moa, uint64_t id,
                            struct eth_addr *mac)
{
    const struct vmmob_ofs *self = vmmob_table_find_ofs(ctx->table,
                                                        ctx->ofs->id);
    const struct vmmob_ofs *other = vmmob_table_find_ofs(ctx->table, id);

    if (other && vmmob_prefix_equals(&other->uplink, &self->uplink)
        && vmmob_prefix_contains(&self->uplink, moa)) {
        *mac = other->mac;
    } else {
        *mac = self->gateway_mac;
    }
    return !eth_addr_is_zero(*mac);
}

static void
match_type(struct match *match, uint16_t dl_type)
{
    match_init_catchall(match);
    match_set_dl_type(match, htons(dl_type));
}

static void
match_source(struct match *match, const struct vmmob_prefix *prefix)
{
    match_set_nw_src_masked(match, in6_addr_get_mapped_ipv4(&prefix->addr),
                            be32_prefix_mask(prefix->plen - 96));
}

static void
match_destination(struct match *match, const struct vmmob_prefix *prefix)
{
    match_set_nw_dst_masked(match, in6_addr_get_mapped_ipv4(&prefix->addr),
                            be32_prefix_mask(prefix->plen - 96));
}

static struct vmmob_prefix
host(const struct in6_addr *addr)
{
    return (struct vmmob_prefix) { .addr = *addr, .plen = 128 };
}

static void
put_set_ip(struct ofpbuf *ofpacts, enum mf_field_id id,
           const struct in6_addr *addr)
{
    ovs_be32 value = in6_addr_get_mapped_ipv4(addr);

    ofpact_put_set_field(ofpacts, mf_from_id(id), &value, NULL);
}

static void
put_set_eth(struct ofpbuf *ofpacts, enum mf_field_id id,
            const struct eth_addr mac)
{
    ofpact_put_set_field(ofpacts, mf_from_id(id), &mac, NULL);
}

static void
put_load_reg(struct ofpbuf *ofpacts, enum pipeline_reg reg, ovs_be32 value)
{
    ofpact_put_set_field(ofpacts, mf_from_id(pipeline_reg_field(reg)), &value,
                         NULL);
}

static void
put_move(struct ofpbuf *ofpacts, enum mf_field_id src, enum mf_field_id dst)
{
    struct ofpact_reg_move *move = ofpact_put_REG_MOVE(ofpacts);

    move->src = (struct mf_subfield) {
        .field = mf_from_id(src), .n_bits = mf_from_id(src)->n_bits,
    };
    move->dst = (struct mf_subfield) {
        .field = mf_from_id(dst), .n_bits = mf_from_id(dst)->n_bits,
    };
}

static void
put_resubmit(struct ofpbuf *ofpacts, uint8_t table_id)
{
    struct ofpact_resubmit *resubmit = ofpact_put_RESUBMIT(ofpacts);

    resubmit->in_port = OFPP_IN_PORT;
    resubmit->table_id = table_id;
}

static void
put_refused(struct ofpbuf *ofpacts, enum pipeline_refused why)
{
    put_load_reg(ofpacts, REG_REFUSED, htonl(why));
    put_resubmit(ofpacts, VMMOB_TABLE_SOURCE);
}

static void
put_forged(struct ofpbuf *ofpacts)
{
    put_refused(ofpacts, REFUSED_FORGED);
}

static void
put_stray(struct ofpbuf *ofpacts)
{
    put_refused(ofpacts, REFUSED_STRAY);
}

/* Appends to 'ofpacts' what makes a packet of a VMN go on as if it was for the
 * MAC address of the home gateway, so that its IP address decides. */
static void
put_by_ip(struct ofpbuf *ofpacts)
{
    put_set_eth(ofpacts, MFF_ETH_DST, vmmob_gateway_mac);
    put_resubmit(ofpacts, VMMOB_TABLE_DESTINATION);
}

static void
put_output(struct ofpbuf *ofpacts, ofp_port_t port)
{
    struct ofpact_output *output = ofpact_put_OUTPUT(ofpacts);

    output->port = port;
    output->max_len = UINT16_MAX;
}

static void
put_output_reg1(struct ofpbuf *ofpacts)
{
    struct ofpact_output_reg *output = ofpact_put_OUTPUT_REG(ofpacts);

    output->max_len = UINT16_MAX;
    output->src = (struct mf_subfield) {
        .field = mf_from_id(pipeline_reg_field(REG_PORT)), .n_bits = 32,
    };
}

static void
put_punt(struct ofpbuf *ofpacts, enum punt_kind kind)
{
    struct ofpact_controller *controller = ofpact_put_CONTROLLER(ofpacts);

    controller->max_len = UINT16_MAX;
    controller->controller_id = VMMOB_CONTROLLER_ID + kind;
    controller->reason = OFPR_ACTION;
    controller->meter_id = NX_CTLR_NO_METER;
    controller->provider_meter_id = UINT32_MAX;
    ofpact_finish_CONTROLLER(ofpacts, &controller);
}

/* Appends to 'ofpacts' what takes one off the TTL, and drops the packet if
 * nothing is left of it.  Nobody gets an error for that: it would not be about
 * the way that the sender chose. */
static void
put_dec_ttl(struct ofpbuf *ofpacts)
{
    struct ofpact_cnt_ids *ids = ofpact_put_DEC_TTL(ofpacts);

    ids->n_controllers = 0;
    ofpact_finish_DEC_TTL(ofpacts, &ids);
}

/* Adds 'rule', which matches 'match', to 'list' and returns where its actions
 * go. */
static struct ofpbuf *
add(struct rule_list *list, enum pipeline_rule rule, const struct match *match)
{
    const struct pipeline_row *row = &vmmob_pipeline_rows[rule];

    if (!list->specs) {
        /* Enough for most VMNs. */
        list->allocated = 16;
        list->specs = xmalloc(list->allocated * sizeof *list->specs);
    } else if (list->n >= list->allocated) {
        list->specs = x2nrealloc(list->specs, &list->allocated,
                                 sizeof *list->specs);
    }

    struct rule_spec *spec = &list->specs[list->n++];
    spec->table_id = row->table_id;
    spec->priority = row->priority;
    minimatch_init(&spec->match, match);
    /* Not empty, so that 'data' is not null where there is no action. */
    ofpbuf_init(&spec->ofpacts, 64);
    return &spec->ofpacts;
}

/* Adds to 'list' rules against packets from VM ports with a source in
 * 'prefix', which nobody there can have. */
void
vmmob_pipeline_refuse(const struct vmmob_prefix *prefix,
                      struct rule_list *list)
{
    static const uint16_t types[] = { ETH_TYPE_IP, ETH_TYPE_ARP };

    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        struct match m;

        match_type(&m, types[i]);
        match_source(&m, prefix);
        put_forged(add(list, RULE_FORGED, &m));
    }
}

/* Adds to 'list' rules against frames that hosts may read and Open vSwitch
 * does not: ARP with another hardware type, which the module counts, and what
 * follows more VLAN tags than it looks at.  'in' matches where they come
 * from. */
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
    put_punt(add(list, rule, &m),
             rule == RULE_FORGED_UPLINK ? PUNT_UNREAD_ARP : PUNT_VM);

    for (size_t i = 0; i < ARRAY_SIZE(tags); i++) {
        m = *in;
        match_set_dl_type(&m, htons(tags[i]));
        put_forged(add(list, rule, &m));
    }
}

/* Adds to 'list' rules against home addresses on the uplink: nobody there has
 * one, and nobody there is to hear of one.  'tag' matches frames with a VLAN
 * tag, which do not concern us. */
static void
uplink_rules(const struct vmmob_settings *s, ofp_port_t uplink,
             const struct match *tag, struct rule_list *list)
{
    static const uint16_t types[] = { ETH_TYPE_IP, ETH_TYPE_ARP };
    struct match m;

    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        match_type(&m, types[i]);
        match_set_in_port(&m, uplink);
        match_source(&m, &s->home);
        put_forged(add(list, RULE_FORGED_UPLINK, &m));

        match_type(&m, types[i]);
        match_set_in_port(&m, uplink);
        match_destination(&m, &s->home);
        put_forged(add(list, RULE_FORGED_UPLINK, &m));
    }

    match_init_catchall(&m);
    match_set_in_port(&m, uplink);
    refuse_unread(&m, RULE_FORGED_UPLINK, list);

    m = *tag;
    match_set_in_port(&m, uplink);
    put_resubmit(add(list, RULE_UPLINK_TAG, &m), 0);
}

/* Adds to 'list' rules against packets from VM ports that pretend to be from
 * the network of the uplink, from the bridge 'self', or from the home gateway.
 * 'tag' is as for uplink_rules(). */
static void
vm_port_rules(const struct vmmob_settings *s, const struct vmmob_ofs *self,
              const struct match *tag, struct rule_list *list)
{
    const struct eth_addr macs[] = { self->mac, vmmob_gateway_mac };
    struct match m;

    /* Our pools and the gateway are in there. */
    vmmob_pipeline_refuse(&s->network, list);

    /* Then a host that wants the address does not take it (RFC 5227). */
    match_type(&m, ETH_TYPE_ARP);
    match_set_nw_src(&m, 0);
    match_destination(&m, &s->network);
    put_forged(add(list, RULE_FORGED, &m));

    match_init_catchall(&m);
    refuse_unread(&m, RULE_FORGED, list);

    /* Otherwise the switch would learn that packets for them go there. */
    for (size_t i = 0; i < ARRAY_SIZE(macs); i++) {
        match_init_catchall(&m);
        match_set_dl_src(&m, macs[i]);
        put_forged(add(list, RULE_FORGED, &m));
    }

    put_resubmit(add(list, RULE_TAG, tag), 0);
}

/* Appends to 'ofpacts' what turns a ping of the home gateway, or a fragment of
 * one, into the answer and sends it back.  Only a first fragment has a type,
 * and a checksum that changes with it. */
static void
put_echo_reply(const struct vmmob_settings *s, struct ofpbuf *ofpacts)
{
    const uint8_t echo_reply = ICMP4_ECHO_REPLY;

    put_move(ofpacts, MFF_IPV4_SRC, MFF_IPV4_DST);
    put_set_ip(ofpacts, MFF_IPV4_SRC, &s->home_gateway);
    put_move(ofpacts, MFF_ETH_SRC, MFF_ETH_DST);
    put_set_eth(ofpacts, MFF_ETH_SRC, vmmob_gateway_mac);
    ofpact_put_set_field(ofpacts, mf_from_id(MFF_ICMPV4_TYPE), &echo_reply,
                         NULL);
    put_output(ofpacts, OFPP_IN_PORT);
}

/* Adds to 'list' rules against packets for addresses that no packet with the
 * MAC address of one host is for (RFC 1812, 5.3.7). */
static void
not_unicast_rules(const struct vmmob_settings *s, struct rule_list *list)
{
    struct vmmob_prefix prefixes[] = {
        host(&s->home.addr),
        host(&s->home.addr),
        { .plen = 96 + 8 },     /* 0.0.0.0/8: "this network". */
        { .plen = 96 + 8 },     /* 127.0.0.0/8: loopback. */
        { .plen = 96 + 4 },     /* 224.0.0.0/4: multicast. */
        { .plen = 128 },        /* 255.255.255.255: broadcast. */
    };

    prefixes[1].addr = vmmob_prefix_last(&s->home);
    in6_addr_set_mapped_ipv4(&prefixes[2].addr, htonl(0x00000000));
    in6_addr_set_mapped_ipv4(&prefixes[3].addr, htonl(0x7f000000));
    in6_addr_set_mapped_ipv4(&prefixes[4].addr, htonl(0xe0000000));
    in6_addr_set_mapped_ipv4(&prefixes[5].addr, htonl(0xffffffff));
    for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
        struct match m;

        match_type(&m, ETH_TYPE_IP);
        match_destination(&m, &prefixes[i]);
        put_stray(add(list, RULE_NOT_UNICAST, &m));
    }
}

void
vmmob_pipeline_base(const struct rules_context *ctx, struct rule_list *list)
{
    const struct vmmob_settings *s = &ctx->ofs->settings;
    const struct vmmob_ofs *self = vmmob_table_find_ofs(ctx->table,
                                                        ctx->ofs->id);
    const struct vmmob_prefix gateway = host(&s->gateway);
    const struct vmmob_prefix home_gateway = host(&s->home_gateway);
    static const uint8_t stale_csum[] = { IPPROTO_UDPLITE, IPPROTO_DCCP };
    struct ofpbuf *a;
    struct match m;

    /* A tag with VLAN ID 0 is none. */
    match_init_catchall(&m);
    match_set_dl_tci_masked(&m, htons(VLAN_CFI),
                            htons(VLAN_CFI | VLAN_VID_MASK));
    a = add(list, RULE_PRIORITY_TAG, &m);
    ofpact_put_STRIP_VLAN(a);
    put_resubmit(a, VMMOB_TABLE_ENTRY);

    match_init_catchall(&m);
    match_set_dl_tci_masked(&m, htons(VLAN_CFI), htons(VLAN_CFI));
    uplink_rules(s, ctx->uplink, &m, list);
    vm_port_rules(s, self, &m, list);

    match_init_catchall(&m);
    match_set_reg(&m, REG_REFUSED, REFUSED_FORGED);
    add(list, RULE_FORGED_REST, &m);

    match_init_catchall(&m);
    match_set_reg(&m, REG_REFUSED, REFUSED_STRAY);
    add(list, RULE_STRAY, &m);

    for (size_t i = 0; i < s->n_pools; i++) {
        static const uint8_t icmp_errors[] = {
            ICMP4_DST_UNREACH, ICMP4_TIME_EXCEEDED, ICMP4_PARAM_PROB,
        };
        /* These quote packets, too.  A VMN's first hop is its home gateway, so
         * it must not believe a redirect from a router of the uplink's network
         * (RFC 1122, 3.2.2.2).  Nobody believes a source quench (RFC 6633). */
        static const uint8_t icmp_useless[] = {
            ICMP4_SOURCEQUENCH, ICMP4_REDIRECT,
        };

        match_type(&m, ETH_TYPE_ARP);
        match_set_in_port(&m, ctx->uplink);
        match_set_nw_proto(&m, ARP_OP_REQUEST);
        match_destination(&m, &s->pools[i]);
        put_punt(add(list, RULE_POOL_ARP, &m), PUNT_POOL_ARP);

        for (size_t j = 0; j < ARRAY_SIZE(icmp_errors); j++) {
            match_type(&m, ETH_TYPE_IP);
            match_set_in_port(&m, ctx->uplink);
            match_set_nw_proto(&m, IPPROTO_ICMP);
            match_set_icmp_type(&m, icmp_errors[j]);
            match_destination(&m, &s->pools[i]);
            put_punt(add(list, RULE_POOL_ICMP, &m), PUNT_ICMP);
        }
        for (size_t j = 0; j < ARRAY_SIZE(icmp_useless); j++) {
            match_set_icmp_type(&m, icmp_useless[j]);
            add(list, RULE_POOL_ICMP, &m);
        }

        match_type(&m, ETH_TYPE_IP);
        match_set_in_port(&m, ctx->uplink);
        match_destination(&m, &s->pools[i]);
        add(list, RULE_POOL, &m);

        match_type(&m, ETH_TYPE_IP);
        match_destination(&m, &s->pools[i]);
        put_punt(add(list, RULE_TO_POOL, &m), PUNT_VM);
    }

    match_type(&m, ETH_TYPE_ARP);
    match_set_in_port(&m, ctx->uplink);
    match_source(&m, &gateway);
    a = add(list, RULE_GATEWAY_ARP, &m);
    put_punt(a, PUNT_GATEWAY_ARP);
    put_resubmit(a, 0);

    match_init_catchall(&m);
    match_set_in_port(&m, ctx->uplink);
    put_resubmit(add(list, RULE_UPLINK, &m), 0);

    match_type(&m, ETH_TYPE_ARP);
    match_source(&m, &s->home);
    put_punt(add(list, RULE_HOME_ARP, &m), PUNT_VM);

    match_type(&m, ETH_TYPE_ARP);
    match_destination(&m, &s->home);
    put_punt(add(list, RULE_HOME_ARP, &m), PUNT_VM);

    match_type(&m, ETH_TYPE_ARP);
    a = add(list, RULE_ARP, &m);
    put_punt(a, PUNT_VM);
    put_resubmit(a, 0);

    match_type(&m, ETH_TYPE_RARP);
    a = add(list, RULE_ARP, &m);
    put_punt(a, PUNT_VM);
    put_resubmit(a, 0);

    match_type(&m, ETH_TYPE_IP);
    match_set_dl_dst_masked(&m, multicast_bit, multicast_bit);
    match_source(&m, &s->home);
    a = add(list, RULE_HOME_MULTICAST, &m);
    put_punt(a, PUNT_VM);
    put_resubmit(a, 0);

    match_type(&m, ETH_TYPE_IP);
    match_source(&m, &s->home);
    put_punt(add(list, RULE_HOME, &m), PUNT_VM);

    match_type(&m, ETH_TYPE_IP);
    match_set_dl_dst_masked(&m, eth_addr_zero, multicast_bit);
    match_destination(&m, &s->home);
    put_stray(add(list, RULE_FORWARDED_REST, &m));

    match_init_catchall(&m);
    put_resubmit(add(list, RULE_ENTRY_REST, &m), 0);

    not_unicast_rules(s, list);

    match_type(&m, ETH_TYPE_IP);
    match_set_nw_proto(&m, IPPROTO_ICMP);
    match_destination(&m, &home_gateway);
    match_set_icmp_type(&m, ICMP4_ECHO_REQUEST);
    put_echo_reply(s, add(list, RULE_GATEWAY_PING, &m));

    /* No fragment matches a type.  These are of a ping, as no other ICMP
     * packet is so large. */
    match_type(&m, ETH_TYPE_IP);
    match_set_nw_proto(&m, IPPROTO_ICMP);
    match_destination(&m, &home_gateway);
    match_set_nw_frag_masked(&m, FLOW_NW_FRAG_ANY, FLOW_NW_FRAG_ANY);
    put_echo_reply(s, add(list, RULE_GATEWAY_PING, &m));

    match_type(&m, ETH_TYPE_IP);
    match_destination(&m, &home_gateway);
    add(list, RULE_GATEWAY, &m);

    match_type(&m, ETH_TYPE_IP);
    match_set_reg(&m, REG_MOA, 0);
    add(list, RULE_NO_MOA, &m);

    match_type(&m, ETH_TYPE_IP);
    match_destination(&m, &s->home);
    put_punt(add(list, RULE_HOME_UNKNOWN, &m), PUNT_VM);

    match_type(&m, ETH_TYPE_IP);
    put_stray(add(list, RULE_NO_NEXT_HOP, &m));

    match_set_dl_dst(&m, vmmob_gateway_mac);
    a = add(list, RULE_OUTSIDE, &m);
    if (!eth_addr_is_zero(self->gateway_mac)) {
        put_move(a, pipeline_reg_field(REG_MOA), MFF_IPV4_SRC);
        put_set_eth(a, MFF_ETH_SRC, self->mac);
        put_set_eth(a, MFF_ETH_DST, self->gateway_mac);
        put_output(a, ctx->uplink);
    }

    for (size_t i = 0; i < ARRAY_SIZE(stale_csum); i++) {
        match_type(&m, ETH_TYPE_IP);
        match_set_nw_proto(&m, stale_csum[i]);
        add(list, RULE_OUTSIDE_UNSUMMED, &m);
        if (!vmmob_handover_is_blind(ctx->h, ctx->ofs)) {
            add(list, RULE_SOURCE_UNSUMMED, &m);
        }
    }

    match_type(&m, ETH_TYPE_IP);
    a = add(list, RULE_SOURCE_REST, &m);
    if (vmmob_handover_is_blind(ctx->h, ctx->ofs)) {
        put_punt(a, PUNT_SOURCE);
    } else {
        put_output_reg1(a);
    }
}

/* Adds to 'list' the rules for 'pool', one of those that together are all
 * pools of other OFSs. */
void
vmmob_pipeline_pool(const struct vmmob_prefix *pool, struct rule_list *list)
{
    struct match m;

    match_type(&m, ETH_TYPE_IP);
    match_source(&m, pool);
    put_punt(add(list, RULE_PEER_POOL, &m), PUNT_SOURCE);

    match_type(&m, ETH_TYPE_IP);
    match_destination(&m, pool);
    put_punt(add(list, RULE_TO_POOL, &m), PUNT_VM);
}

static bool
is_ipv4_pair(const struct vmmob_pair *pair)
{
    return IN6_IS_ADDR_V4MAPPED(&pair->hoa);
}

static bool
has_ipv4_moa(const struct vmmob_pair *pair)
{
    return IN6_IS_ADDR_V4MAPPED(&pair->moa);
}

/* Where a copy of what is for a VMN goes. */
struct copy_target {
    const struct vmmob_vmn *row;    /* NULL: nowhere. */
    struct in6_addr moa;
    struct eth_addr next_hop;
};

/* Returns where copies of packets for 'hoa' of 'vmn', which is here, go: to
 * the OFS where it is expected. */
static struct copy_target
find_copy_target(const struct rules_context *ctx,
                 const struct handover_vmn *vmn, const struct in6_addr *hoa)
{
    const struct vmmob_vmn *row
        = (vmn->copy_to && !vmn->no_copies
           ? vmmob_table_find_row(ctx->table, &vmn->row.key, vmn->copy_to)
           : NULL);
    const struct vmmob_pair *there = row ? vmmob_vmn_find_hoa(row, hoa) : NULL;
    struct copy_target target = { .row = NULL };

    if (there && has_ipv4_moa(there)
        && vmmob_pipeline_get_next_hop(ctx, &there->moa, row->ofs,
                                       &target.next_hop)) {
        target.row = row;
        target.moa = there->moa;
    }
    return target;
}

/* Appends to 'ofpacts' what sends a copy to 'target', out by 'port'.  The
 * packet's source is the sender's MoA, which is in reg0 if 'from_vm' is
 * true. */
static void
put_copy(const struct rules_context *ctx, const struct copy_target *target,
         ofp_port_t port, bool from_vm, struct ofpbuf *ofpacts)
{
    const struct vmmob_ofs *self = vmmob_table_find_ofs(ctx->table,
                                                        ctx->ofs->id);
    size_t start = ofpacts->size;

    ofpact_put_CLONE(ofpacts);
    if (from_vm) {
        put_move(ofpacts, pipeline_reg_field(REG_MOA), MFF_IPV4_SRC);
    } else {
        put_dec_ttl(ofpacts);
    }
    put_set_ip(ofpacts, MFF_IPV4_DST, &target->moa);
    put_set_eth(ofpacts, MFF_ETH_SRC, self->mac);
    put_set_eth(ofpacts, MFF_ETH_DST, target->next_hop);
    put_output(ofpacts, port);

    struct ofpact_nest *clone = ofpbuf_at_assert(ofpacts, start,
                                                 sizeof *clone);
    ofpacts->header = clone;
    ofpact_finish_CLONE(ofpacts, &clone);
}

/* Adds to 'list' the rules for 'vmn' of this OFS. */
static void
local_rules(const struct rules_context *ctx, const struct handover_vmn *vmn,
            struct rule_list *list)
{
    const struct vmmob_key *key = &vmn->row.key;
    const struct vmmob_vmn *binding
        = vmmob_table_find_binding(ctx->table, key);
    const struct vmmob_ofs *self = vmmob_table_find_ofs(ctx->table,
                                                        ctx->ofs->id);

    if (vmn->state == HANDOVER_ATTACHED) {
        struct match m;

        match_type(&m, ETH_TYPE_IP);
        match_set_dl_dst(&m, key->mac);
        put_output(add(list, RULE_VIA_LOCAL, &m), vmn->port);

        match_destination(&m, &ctx->ofs->settings.home);
        put_output(add(list, RULE_FORWARDED, &m), vmn->port);
    }
    for (size_t i = 0; i < vmn->row.n_pairs; i++) {
        const struct vmmob_pair *pair = &vmn->row.pairs[i];
        const struct vmmob_prefix hoa = host(&pair->hoa);
        const struct vmmob_prefix moa = host(&pair->moa);
        struct copy_target copy = { .row = NULL };
        struct ofpbuf *a;
        struct match m;

        if (!is_ipv4_pair(pair) || pair->claimed) {
            continue;
        }
        if (vmn->state == HANDOVER_ATTACHED) {
            copy = find_copy_target(ctx, vmn, &pair->hoa);
            list->copies |= copy.row != NULL;

            match_type(&m, ETH_TYPE_IP);
            match_set_in_port(&m, vmn->port);
            match_set_dl_tci_masked(&m, htons(0), htons(VLAN_CFI));
            match_set_dl_src(&m, key->mac);
            match_source(&m, &hoa);
            a = add(list, RULE_VMN, &m);
            put_load_reg(a, REG_MOA, in6_addr_get_mapped_ipv4(&pair->moa));
            put_resubmit(a, VMMOB_TABLE_DESTINATION);

            match_set_dl_dst_masked(&m, multicast_bit, multicast_bit);
            put_resubmit(add(list, RULE_VMN_MULTICAST, &m), 0);

            match_type(&m, ETH_TYPE_IP);
            match_destination(&m, &hoa);
            a = add(list, RULE_LOCAL, &m);
            if (copy.row) {
                put_copy(ctx, &copy, ctx->uplink, true, a);
            }
            put_set_eth(a, MFF_ETH_DST, key->mac);
            put_output(a, vmn->port);
            if (copy.row) {
                match_set_reg(&m, REG_MOA, 0);
                a = add(list, RULE_LOCAL_NO_COPY, &m);
                put_set_eth(a, MFF_ETH_DST, key->mac);
                put_output(a, vmn->port);

                match_type(&m, ETH_TYPE_IP);
                match_set_dl_dst(&m, key->mac);
                match_destination(&m, &hoa);
                put_by_ip(add(list, RULE_VIA_LOCAL_COPY, &m));
            }
        }
        if (!has_ipv4_moa(pair)) {
            continue;
        }

        match_type(&m, ETH_TYPE_IP);
        match_set_in_port(&m, ctx->uplink);
        match_destination(&m, &moa);
        if (vmn->state == HANDOVER_ATTACHED) {
            a = add(list, RULE_MOA, &m);
            if (copy.row) {
                put_copy(ctx, &copy, OFPP_IN_PORT, false, a);
            }
            put_set_ip(a, MFF_IPV4_DST, &pair->hoa);
            put_set_eth(a, MFF_ETH_SRC, vmmob_gateway_mac);
            put_set_eth(a, MFF_ETH_DST, key->mac);
            put_load_reg(a, REG_PORT,
                         htonl((OVS_FORCE uint32_t) vmn->port));
            put_resubmit(a, VMMOB_TABLE_SOURCE);
        } else if (vmn->state == HANDOVER_DETACHED
                   || vmn->state == HANDOVER_PREPARED) {
            put_punt(add(list, RULE_MOA, &m),
                     vmn->state == HANDOVER_PREPARED ? PUNT_COPY : PUNT_LOST);
        } else if (binding && binding->ofs != ctx->ofs->id) {
            const struct vmmob_pair *there
                = vmmob_vmn_find_hoa(binding, &pair->hoa);
            struct eth_addr next_hop;

            if (there && has_ipv4_moa(there)
                && vmmob_pipeline_get_next_hop(ctx, &there->moa, binding->ofs,
                                               &next_hop)) {
                a = add(list, RULE_MOA, &m);
                put_set_ip(a, MFF_IPV4_DST, &there->moa);
                put_set_eth(a, MFF_ETH_SRC, self->mac);
                put_set_eth(a, MFF_ETH_DST, next_hop);
                /* In case two OFSs both believe that it is at the other. */
                put_dec_ttl(a);
                put_output(a, OFPP_IN_PORT);
            }
        }
    }
}

/* Adds to 'list' the rules for the VMN 'entry', at another OFS. */
static void
remote_rules(const struct rules_context *ctx, const struct vmmob_entry *entry,
             struct rule_list *list)
{
    const struct vmmob_vmn *binding = vmmob_entry_binding(entry);
    const struct vmmob_ofs *self = vmmob_table_find_ofs(ctx->table,
                                                        ctx->ofs->id);
    struct ofpbuf *a;
    struct match m;

    match_type(&m, ETH_TYPE_IP);
    match_set_dl_dst(&m, entry->key.mac);
    put_stray(add(list, RULE_VIA_REMOTE_REST, &m));

    for (size_t i = 0; i < binding->n_pairs; i++) {
        const struct vmmob_pair *pair = &binding->pairs[i];
        const struct vmmob_prefix hoa = host(&pair->hoa);
        struct eth_addr next_hop;

        if (is_ipv4_pair(pair)) {
            match_type(&m, ETH_TYPE_IP);
            match_set_dl_dst(&m, entry->key.mac);
            match_destination(&m, &hoa);
            put_by_ip(add(list, RULE_VIA_REMOTE, &m));
        }

        /* Two VMNs may claim one HoA, if two sites were not in touch. */
        if (is_ipv4_pair(pair) && has_ipv4_moa(pair)
            && vmmob_table_find_by_hoa(ctx->table, entry->key.tenant,
                                       &pair->hoa) == binding
            && vmmob_pipeline_get_next_hop(ctx, &pair->moa, binding->ofs,
                                           &next_hop)) {
            match_type(&m, ETH_TYPE_IP);
            match_destination(&m, &hoa);
            a = add(list, RULE_REMOTE, &m);
            put_move(a, pipeline_reg_field(REG_MOA), MFF_IPV4_SRC);
            put_set_ip(a, MFF_IPV4_DST, &pair->moa);
            put_set_eth(a, MFF_ETH_SRC, self->mac);
            put_set_eth(a, MFF_ETH_DST, next_hop);
            put_output(a, ctx->uplink);
        }
    }
}

/* Adds to 'list' the rules for packets that came in by the uplink from the VMN
 * 'entry': from where it is and, before it moved, from where it was.  A packet
 * from a VMN here may be redirected back here, if its destination moved here
 * meanwhile. */
static void
source_rules(const struct rules_context *ctx, const struct vmmob_entry *entry,
             struct rule_list *list)
{
    const struct vmmob_row *row;

    LIST_FOR_EACH (row, node, &entry->rows) {
        for (size_t i = 0; i < row->vmn.n_pairs; i++) {
            const struct vmmob_pair *pair = &row->vmn.pairs[i];
            const struct vmmob_prefix moa = host(&pair->moa);

            if (is_ipv4_pair(pair) && has_ipv4_moa(pair)
                && vmmob_table_find_by_moa(ctx->table, &pair->moa)
                   == &row->vmn) {
                struct ofpbuf *a;
                struct match m;

                match_type(&m, ETH_TYPE_IP);
                match_source(&m, &moa);
                if (row->vmn.state == VMMOB_PREPARED) {
                    /* A VMN that is only expected there sends no reset: this
                     * is from a firewall that has seen a copy.  If the VMN has
                     * just arrived, it will send another one. */
                    struct match rst = m;

                    match_set_nw_proto(&rst, IPPROTO_TCP);
                    match_set_tcp_flags_masked(&rst, htons(TCP_RST),
                                               htons(TCP_RST));
                    add(list, RULE_PEER_RESET, &rst);
                }
                a = add(list, RULE_PEER, &m);
                put_set_ip(a, MFF_IPV4_SRC, &pair->hoa);
                put_set_eth(a, MFF_ETH_SRC, entry->key.mac);
                put_output_reg1(a);
            }
        }
    }
}

void
vmmob_pipeline_vmn(const struct rules_context *ctx,
                   const struct vmmob_key *key, struct rule_list *list)
{
    const struct handover_vmn *vmn = vmmob_handover_find_vmn(ctx->ofs, key);
    const struct vmmob_entry *entry = vmmob_table_find(ctx->table, key);
    bool active = vmmob_handover_is_active(ctx->ofs, key);

    if (vmn) {
        local_rules(ctx, vmn, list);
    }
    if (entry && vmmob_entry_binding(entry)->ofs != ctx->ofs->id && active) {
        remote_rules(ctx, entry, list);
    }
    if (entry && (vmn || active)) {
        source_rules(ctx, entry, list);
    }
}

static void
put_pass(struct ofpbuf *ofpacts)
{
    struct ofpact_resubmit *resubmit = ofpact_put_RESUBMIT(ofpacts);

    resubmit->in_port = PASS_PORT;
    resubmit->table_id = VMMOB_TABLE_ENTRY;
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
        match_type(&m, types[i]);
        match_set_in_port(&m, port);
        add(list, RULE_PORT_OTHER_ARP, &m);

        for (size_t j = 0; j < row->n_macs; j++) {
            match_set_dl_src(&m, row->macs[j]);
            match_set_arp_sha(&m, row->macs[j]);
            put_pass(add(list, RULE_PORT_ARP, &m));
        }
    }

    match_init_catchall(&m);
    match_set_in_port(&m, port);
    add(list, RULE_PORT_OTHER, &m);
    for (size_t j = 0; j < row->n_macs; j++) {
        match_set_dl_src(&m, row->macs[j]);
        put_pass(add(list, RULE_PORT, &m));
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
    match_set_reg(&m, REG_REFUSED, REFUSED_FORGED);
    add(list, RULE_FORGED_BY_PORT, &m);
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
    add(list, RULE_FLOOD, &m);
}
