/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/pipeline-action.h"

#include "ofproto-vmmob/router.h"
#include "ofproto-vmmob/vmmob.h"
#include "openvswitch/meta-flow.h"
#include "openvswitch/ofp-actions.h"
#include "openvswitch/ofpbuf.h"
#include "packets.h"
#include "util.h"

/* No port.  Packets from a guest that uses its own MAC address look their next
 * rule up as if they came from there, and so pass by the rules for their
 * port. */
#define PASS_PORT OFPP_NONE

/* Set in every multicast Ethernet address, the broadcast address included. */
static const struct eth_addr multicast_bit = ETH_ADDR_C(01,00,00,00,00,00);

/* Initializes 'match' to match frames of 'dl_type'. */
void
vmmob_match_type(struct match *match, uint16_t dl_type)
{
    match_init_catchall(match);
    match_set_dl_type(match, htons(dl_type));
}

/* Initializes 'match' to match IP of 'family'. */
void
vmmob_match_ip(struct match *match, enum vmmob_family family)
{
    vmmob_match_type(match, (family == VMMOB_IPV4
                             ? ETH_TYPE_IP : ETH_TYPE_IPV6));
}

static void
match_prefix(struct match *match, const struct vmmob_prefix *prefix,
             void (*set_ipv4)(struct match *, ovs_be32 ip, ovs_be32 mask),
             void (*set_ipv6)(struct match *, const struct in6_addr *ip,
                              const struct in6_addr *mask))
{
    if (vmmob_prefix_family(prefix) == VMMOB_IPV4) {
        set_ipv4(match, in6_addr_get_mapped_ipv4(&prefix->addr),
                 be32_prefix_mask(prefix->plen - 96));
    } else {
        struct in6_addr mask = ipv6_create_mask(prefix->plen);

        set_ipv6(match, &prefix->addr, &mask);
    }
}

/* Limits 'match', which matches the family of 'prefix', to sources in it. */
void
vmmob_match_source(struct match *match, const struct vmmob_prefix *prefix)
{
    match_prefix(match, prefix, match_set_nw_src_masked,
                 match_set_ipv6_src_masked);
}

/* Limits 'match', which matches the family of 'prefix', to destinations in
 * it. */
void
vmmob_match_destination(struct match *match, const struct vmmob_prefix *prefix)
{
    match_prefix(match, prefix, match_set_nw_dst_masked,
                 match_set_ipv6_dst_masked);
}

/* Limits 'match', which matches 'family', to ICMP of 'type'. */
void
vmmob_match_icmp(struct match *match, enum vmmob_family family, uint8_t type)
{
    match_set_nw_proto(match, (family == VMMOB_IPV4
                               ? IPPROTO_ICMP : IPPROTO_ICMPV6));
    match_set_icmp_type(match, type);
}

/* Initializes 'match' to match messages of 'type' of neighbor discovery (RFC
 * 4861) and, if 'target' is nonnull, only those about an address in it. */
void
vmmob_match_nd(struct match *match, uint8_t type,
               const struct vmmob_prefix *target)
{
    vmmob_match_ip(match, VMMOB_IPV6);
    vmmob_match_icmp(match, VMMOB_IPV6, type);
    match_set_icmp_code(match, 0);
    if (target) {
        struct in6_addr mask = ipv6_create_mask(target->plen);

        match_set_nd_target_masked(match, &target->addr, &mask);
    }
}

/* Limits 'match' to packets whose register 'reg' is 'value', which for REG_MOA
 * must be 0: no MoA. */
void
vmmob_match_reg(struct match *match, enum pipeline_reg reg, uint32_t value)
{
    if (reg == REG_MOA) {
        match_set_xxreg(match, REG_MOA_XXREG, OVS_U128_ZERO);
    } else {
        match_set_reg(match, reg, value);
    }
}

/* Limits 'match' to packets to a multicast or broadcast MAC address, or if
 * 'multicast' is false, to others. */
void
vmmob_match_multicast(struct match *match, bool multicast)
{
    match_set_dl_dst_masked(match, multicast ? multicast_bit : eth_addr_zero,
                            multicast_bit);
}

static void
put_set_ip(struct ofpbuf *ofpacts, enum mf_field_id ipv4,
           enum mf_field_id ipv6, const struct in6_addr *addr)
{
    if (vmmob_addr_family(addr) == VMMOB_IPV4) {
        ovs_be32 value = in6_addr_get_mapped_ipv4(addr);

        ofpact_put_set_field(ofpacts, mf_from_id(ipv4), &value, NULL);
    } else {
        ofpact_put_set_field(ofpacts, mf_from_id(ipv6), addr, NULL);
    }
}

/* Appends to 'ofpacts' what makes 'addr' the source. */
void
vmmob_put_set_source(struct ofpbuf *ofpacts, const struct in6_addr *addr)
{
    put_set_ip(ofpacts, MFF_IPV4_SRC, MFF_IPV6_SRC, addr);
}

/* Appends to 'ofpacts' what makes 'addr' the destination. */
void
vmmob_put_set_destination(struct ofpbuf *ofpacts, const struct in6_addr *addr)
{
    put_set_ip(ofpacts, MFF_IPV4_DST, MFF_IPV6_DST, addr);
}

/* Appends to 'ofpacts' what copies the lowest 'n_bits' of 'src' to 'dst'. */
static void
put_move_bits(struct ofpbuf *ofpacts, enum mf_field_id src,
              enum mf_field_id dst, unsigned int n_bits)
{
    struct ofpact_reg_move *move = ofpact_put_REG_MOVE(ofpacts);

    move->src = (struct mf_subfield) {
        .field = mf_from_id(src), .n_bits = n_bits,
    };
    move->dst = (struct mf_subfield) {
        .field = mf_from_id(dst), .n_bits = n_bits,
    };
}

/* Appends to 'ofpacts' what copies the field 'src' to 'dst'. */
void
vmmob_put_move(struct ofpbuf *ofpacts, enum mf_field_id src,
               enum mf_field_id dst)
{
    put_move_bits(ofpacts, src, dst, mf_from_id(dst)->n_bits);
}

/* Appends to 'ofpacts' what makes the sender's MoA, of 'family', the
 * source. */
void
vmmob_put_set_source_to_moa(struct ofpbuf *ofpacts, enum vmmob_family family)
{
    enum mf_field_id dst = (family == VMMOB_IPV4
                            ? MFF_IPV4_SRC : MFF_IPV6_SRC);

    put_move_bits(ofpacts, (enum mf_field_id) (MFF_XXREG0 + REG_MOA_XXREG),
                  dst, mf_from_id(dst)->n_bits);
}

/* Appends to 'ofpacts' what makes 'mac' the Ethernet source. */
void
vmmob_put_set_eth_source(struct ofpbuf *ofpacts, const struct eth_addr mac)
{
    ofpact_put_set_field(ofpacts, mf_from_id(MFF_ETH_SRC), &mac, NULL);
}

/* Appends to 'ofpacts' what makes 'mac' the Ethernet destination. */
void
vmmob_put_set_eth_destination(struct ofpbuf *ofpacts,
                              const struct eth_addr mac)
{
    ofpact_put_set_field(ofpacts, mf_from_id(MFF_ETH_DST), &mac, NULL);
}

/* Appends to 'ofpacts' what makes 'moa', which may be unset, the sender's
 * MoA. */
void
vmmob_put_load_moa(struct ofpbuf *ofpacts, const struct in6_addr *moa)
{
    ofpact_put_set_field(ofpacts, mf_from_id((enum mf_field_id)
                                             (MFF_XXREG0 + REG_MOA_XXREG)),
                         moa, NULL);
}

/* Appends to 'ofpacts' what makes the register 'reg' 'value'. */
void
vmmob_put_load_reg(struct ofpbuf *ofpacts, enum pipeline_reg reg,
                   uint32_t value)
{
    ovs_be32 be = htonl(value);

    ofpact_put_set_field(ofpacts, mf_from_id(pipeline_reg_field(reg)), &be,
                         NULL);
}

/* Appends to 'ofpacts' what takes one off the TTL and ends there if nothing is
 * left of it.  Nobody hears of that: it says nothing of where the packet
 * should go. */
void
vmmob_put_dec_ttl(struct ofpbuf *ofpacts)
{
    struct ofpact_cnt_ids *ids = ofpact_put_DEC_TTL(ofpacts);

    ids->n_controllers = 0;
    ofpact_finish_DEC_TTL(ofpacts, &ids);
}

/* Appends to 'ofpacts' what makes the packet one that came in by no port: so
 * it can go out by any. */
void
vmmob_put_no_in_port(struct ofpbuf *ofpacts)
{
    ovs_be16 none = htons(ofp_to_u16(OFPP_NONE));

    ofpact_put_set_field(ofpacts, mf_from_id(MFF_IN_PORT), &none, NULL);
}

static void
put_resubmit_from(struct ofpbuf *ofpacts, uint8_t table_id, ofp_port_t in_port)
{
    struct ofpact_resubmit *resubmit = ofpact_put_RESUBMIT(ofpacts);

    resubmit->in_port = in_port;
    resubmit->table_id = table_id;
}

/* Appends to 'ofpacts' what sends the packet on to 'table_id'. */
void
vmmob_put_resubmit(struct ofpbuf *ofpacts, uint8_t table_id)
{
    put_resubmit_from(ofpacts, table_id, OFPP_IN_PORT);
}

/* Appends to 'ofpacts' what sends the packet past the rules for its port. */
void
vmmob_put_pass(struct ofpbuf *ofpacts)
{
    put_resubmit_from(ofpacts, VMMOB_TABLE_ENTRY, PASS_PORT);
}

/* Appends to 'ofpacts' what sends a packet of a VMN on as if it was for the
 * MAC address of the home gateway, so that its IP address decides. */
void
vmmob_put_by_ip(struct ofpbuf *ofpacts)
{
    vmmob_put_set_eth_destination(ofpacts, vmmob_gateway_mac);
    vmmob_put_resubmit(ofpacts, VMMOB_TABLE_DESTINATION);
}

/* Appends to 'ofpacts' what counts the packet, for 'why', and drops it. */
void
vmmob_put_refused(struct ofpbuf *ofpacts, enum pipeline_refused why)
{
    vmmob_put_load_reg(ofpacts, REG_REFUSED, why);
    vmmob_put_resubmit(ofpacts, VMMOB_TABLE_SOURCE);
}

/* Appends to 'ofpacts' that what follows until vmmob_end_clone() is done to a
 * clone of the packet.  Returns what to give to that. */
size_t
vmmob_put_clone(struct ofpbuf *ofpacts)
{
    size_t start = ofpacts->size;

    ofpact_put_CLONE(ofpacts);
    return start;
}

void
vmmob_end_clone(struct ofpbuf *ofpacts, size_t start)
{
    struct ofpact_nest *clone = ofpbuf_at_assert(ofpacts, start,
                                                 sizeof *clone);

    ofpacts->header = clone;
    ofpact_finish_CLONE(ofpacts, &clone);
}

/* Appends to 'ofpacts' what gives the packet the VLAN tag 'vlan'. */
void
vmmob_put_tag(struct ofpbuf *ofpacts, uint16_t vlan)
{
    ofpact_put_PUSH_VLAN(ofpacts)->ethertype = htons(ETH_TYPE_VLAN_8021Q);
    ofpact_put_SET_VLAN_VID(ofpacts)->vlan_vid = vlan;
}

/* Appends to 'ofpacts' what sends the packet out by 'port'. */
void
vmmob_put_output(struct ofpbuf *ofpacts, ofp_port_t port)
{
    struct ofpact_output *output = ofpact_put_OUTPUT(ofpacts);

    output->port = port;
    output->max_len = UINT16_MAX;
}

/* Appends to 'ofpacts' what sends the packet out by the port in 'reg'. */
void
vmmob_put_output_reg(struct ofpbuf *ofpacts, enum pipeline_reg reg)
{
    struct ofpact_output_reg *output = ofpact_put_OUTPUT_REG(ofpacts);

    output->max_len = UINT16_MAX;
    output->src = (struct mf_subfield) {
        .field = mf_from_id(pipeline_reg_field(reg)), .n_bits = 32,
    };
}

/* Appends to 'ofpacts' what punts the packet, as one of 'kind'. */
void
vmmob_put_punt(struct ofpbuf *ofpacts, enum punt_kind kind)
{
    struct ofpact_controller *controller = ofpact_put_CONTROLLER(ofpacts);

    controller->max_len = UINT16_MAX;
    controller->controller_id = VMMOB_CONTROLLER_ID + kind;
    controller->reason = OFPR_ACTION;
    controller->meter_id = NX_CTLR_NO_METER;
    controller->provider_meter_id = UINT32_MAX;
    ofpact_finish_CONTROLLER(ofpacts, &controller);
}

/* Adds 'rule', which matches 'match', to 'list' and returns where its actions
 * go. */
struct ofpbuf *
vmmob_rule_add(struct rule_list *list, enum pipeline_rule rule,
               const struct match *match)
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

/* Adds to 'list' that who sends what 'match' matches lies. */
void
vmmob_rule_add_forged(struct rule_list *list, enum pipeline_rule rule,
                      const struct match *match)
{
    vmmob_put_refused(vmmob_rule_add(list, rule, match), REFUSED_FORGED);
}

/* Adds to 'list' that what 'match' matches is punted, as of 'kind'. */
void
vmmob_rule_add_punt(struct rule_list *list, enum pipeline_rule rule,
                    const struct match *match, enum punt_kind kind)
{
    vmmob_put_punt(vmmob_rule_add(list, rule, match), kind);
}

/* Likewise, and that it then goes on at 'table_id'. */
void
vmmob_rule_add_punt_copy(struct rule_list *list, enum pipeline_rule rule,
                         const struct match *match, enum punt_kind kind,
                         uint8_t table_id)
{
    struct ofpbuf *a = vmmob_rule_add(list, rule, match);

    vmmob_put_punt(a, kind);
    vmmob_put_resubmit(a, table_id);
}

/* Adds to 'list' that those are punted of what 'match', which is of 'family',
 * matches that are ICMP errors. */
void
vmmob_rule_add_punt_errors(struct rule_list *list, enum pipeline_rule rule,
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
        vmmob_rule_add_punt(list, rule, &m, kind);
    }
}
