/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/pipeline-vmn.h"

#include "ofproto-vmmob/handover.h"
#include "ofproto-vmmob/pipeline-action.h"
#include "ofproto-vmmob/pipeline-network.h"
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

/* Stores in '*mac' where packets to 'moa', at the OFS 'id', go next: to that
 * OFS itself if it is on the same IP network, otherwise to the gateway.
 * Returns false if that is not known yet. */
bool
vmmob_pipeline_get_next_hop(const struct rules_context *ctx,
                            const struct in6_addr *moa, uint64_t id,
                            struct eth_addr *mac)
{
    const struct vmmob_ofs *self = vmmob_table_find_ofs(ctx->table,
                                                        ctx->ofs->id);
    const struct vmmob_ofs *other = vmmob_table_find_ofs(ctx->table, id);
    enum vmmob_family family = vmmob_addr_family(moa);

    if (other && vmmob_prefix_equals(&other->uplink, &self->uplink)
        && vmmob_prefix_contains(&ctx->ofs->settings.ip[family].network,
                                 moa)) {
        *mac = other->mac;
    } else {
        *mac = vmmob_ofs_gateway_mac(self, family);
    }
    return !eth_addr_is_zero(*mac);
}

static bool
has_moa(const struct vmmob_pair *pair)
{
    return ipv6_addr_is_set(&pair->moa);
}

/* Returns true if there are to be rules for 'pair' of a VMN in 'network'. */
static bool
is_used(const struct rules_context *ctx, uint32_t network,
        const struct vmmob_pair *pair)
{
    return vmmob_handover_has_home(ctx->ofs, network,
                                   vmmob_addr_family(&pair->hoa));
}

/* Initializes 'match' to match IP of 'family' in 'network'. */
static void
match_ip(struct match *match, uint32_t network, enum vmmob_family family)
{
    vmmob_match_ip(match, family);
    vmmob_match_reg(match, REG_NETWORK, network);
}

/* Where a copy of what is for a VMN goes. */
struct copy_target {
    const struct vmmob_vmn *row;    /* NULL: nowhere. */
    struct in6_addr moa;
    struct eth_addr next_hop;
};

/* Returns where a copy goes of what is for 'hoa' of 'vmn', which is here: to
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

    if (there && has_moa(there)
        && vmmob_pipeline_get_next_hop(ctx, &there->moa, row->ofs,
                                       &target.next_hop)) {
        target.row = row;
        target.moa = there->moa;
    }
    return target;
}

/* Appends to 'ofpacts' what sends a copy to 'target', out by 'port'.  The
 * packet's source is the sender's MoA, which is in REG_MOA if 'from_vm' is
 * true. */
static void
put_copy(const struct rules_context *ctx, const struct copy_target *target,
         ofp_port_t port, bool from_vm, struct ofpbuf *ofpacts)
{
    const struct vmmob_ofs *self = vmmob_table_find_ofs(ctx->table,
                                                        ctx->ofs->id);
    size_t start = vmmob_put_clone(ofpacts);

    if (from_vm) {
        vmmob_put_set_source_to_moa(ofpacts, vmmob_addr_family(&target->moa));
    } else {
        vmmob_put_dec_ttl(ofpacts);
    }
    vmmob_put_set_destination(ofpacts, &target->moa);
    vmmob_put_set_eth_source(ofpacts, self->mac);
    vmmob_put_set_eth_destination(ofpacts, target->next_hop);
    vmmob_put_output(ofpacts, port);
    vmmob_end_clone(ofpacts, start);
}

/* Rules for a VMN of this OFS. */
static void
local_rules(const struct rules_context *ctx, const struct handover_vmn *vmn,
            struct rule_list *list)
{
    const struct vmmob_key *key = &vmn->row.key;
    const struct vmmob_vmn *binding
        = vmmob_table_find_binding(ctx->table, key);
    const struct vmmob_ofs *self = vmmob_table_find_ofs(ctx->table,
                                                        ctx->ofs->id);
    const struct network *net
        = vmmob_settings_find_network(&ctx->ofs->settings, key->tenant);
    uint8_t policy = (net ? vmmob_settings_get_policy(&ctx->ofs->settings, net)
                      : 0);
    struct match m;

    for (enum vmmob_family family = 0; family < VMMOB_N_FAMILIES; family++) {
        if (vmn->state == HANDOVER_ATTACHED
            && vmmob_handover_has_home(ctx->ofs, key->tenant, family)) {
            match_ip(&m, key->tenant, family);
            match_set_dl_dst(&m, key->mac);
            vmmob_put_deliver(ctx, vmmob_rule_add(list, RULE_VIA_LOCAL, &m),
                              key->tenant, vmn->port);
        }
    }
    if (vmn->state == HANDOVER_ATTACHED && key->tenant) {
        match_init_catchall(&m);
        vmmob_match_reg(&m, REG_NETWORK, key->tenant);
        match_set_dl_dst(&m, key->mac);
        vmmob_put_deliver(ctx, vmmob_rule_add(list, RULE_VIA_LOCAL_REST, &m),
                          key->tenant, vmn->port);
    }
    for (size_t i = 0; i < vmn->row.n_pairs; i++) {
        const struct vmmob_pair *pair = &vmn->row.pairs[i];
        const struct vmmob_prefix hoa = vmmob_prefix_of_host(&pair->hoa);
        const struct vmmob_prefix moa = vmmob_prefix_of_host(&pair->moa);
        enum vmmob_family family = vmmob_addr_family(&pair->hoa);
        struct copy_target copy = { .row = NULL };
        struct ofpbuf *a;

        if (!is_used(ctx, key->tenant, pair) || pair->claimed) {
            continue;
        }
        if (vmn->state == HANDOVER_ATTACHED) {
            copy = find_copy_target(ctx, vmn, &pair->hoa);
            list->copies |= copy.row != NULL;

            match_ip(&m, key->tenant, family);
            match_set_in_port(&m, vmn->port);
            match_set_dl_tci_masked(&m, htons(0), htons(VLAN_CFI));
            match_set_dl_src(&m, key->mac);
            vmmob_match_source(&m, &hoa);
            if (family == VMMOB_IPV6) {
                vmmob_match_reg(&m, REG_ND, 0);
            }
            a = vmmob_rule_add(list, RULE_VMN, &m);
            vmmob_put_load_moa(a, &pair->moa);
            if (policy) {
                vmmob_put_load_reg(a, REG_STAGE, STAGE_FROM_VM);
                vmmob_put_load_reg(a, REG_PORT,
                                   (OVS_FORCE uint32_t) vmn->port);
            }
            vmmob_put_resubmit(a, policy ? policy : VMMOB_TABLE_DESTINATION);

            match_ip(&m, key->tenant, family);
            vmmob_match_destination(&m, &hoa);
            a = vmmob_rule_add(list, RULE_LOCAL, &m);
            if (copy.row) {
                put_copy(ctx, &copy, ctx->uplink, true, a);
            }
            vmmob_put_set_eth_destination(a, key->mac);
            vmmob_put_deliver(ctx, a, key->tenant, vmn->port);
            if (copy.row) {
                vmmob_match_reg(&m, REG_MOA, 0);
                a = vmmob_rule_add(list, RULE_LOCAL_NO_COPY, &m);
                vmmob_put_set_eth_destination(a, key->mac);
                vmmob_put_deliver(ctx, a, key->tenant, vmn->port);

                match_ip(&m, key->tenant, family);
                match_set_dl_dst(&m, key->mac);
                vmmob_match_destination(&m, &hoa);
                vmmob_match_reg(&m, REG_REFUSED, 0);
                vmmob_put_by_ip(vmmob_rule_add(list, RULE_VIA_LOCAL_COPY, &m));
            }
        }
        if (!has_moa(pair)) {
            continue;
        }

        vmmob_match_ip(&m, family);
        match_set_in_port(&m, ctx->uplink);
        vmmob_match_destination(&m, &moa);
        if (vmn->state == HANDOVER_ATTACHED) {
            a = vmmob_rule_add(list, RULE_MOA, &m);
            if (copy.row) {
                put_copy(ctx, &copy, OFPP_IN_PORT, false, a);
            }
            vmmob_put_set_destination(a, &pair->hoa);
            vmmob_put_set_eth_source(a, vmmob_gateway_mac);
            vmmob_put_set_eth_destination(a, key->mac);
            vmmob_put_load_reg(a, REG_PORT, (OVS_FORCE uint32_t) vmn->port);
            if (key->tenant) {
                vmmob_put_load_reg(a, REG_NETWORK, key->tenant);
            }
            vmmob_put_resubmit(a, VMMOB_TABLE_SOURCE);
        } else if (vmn->state == HANDOVER_DETACHED
                   || vmn->state == HANDOVER_PREPARED) {
            vmmob_put_punt(vmmob_rule_add(list, RULE_MOA, &m),
                     vmn->state == HANDOVER_PREPARED ? PUNT_COPY : PUNT_LOST);
        } else if (binding && binding->ofs != ctx->ofs->id) {
            const struct vmmob_pair *there
                = vmmob_vmn_find_hoa(binding, &pair->hoa);
            struct eth_addr next_hop;

            if (there && has_moa(there)
                && vmmob_pipeline_get_next_hop(ctx, &there->moa, binding->ofs,
                                               &next_hop)) {
                a = vmmob_rule_add(list, RULE_MOA, &m);
                vmmob_put_set_destination(a, &there->moa);
                vmmob_put_set_eth_source(a, self->mac);
                vmmob_put_set_eth_destination(a, next_hop);
                /* In case two OFSs both believe that it is at the other. */
                vmmob_put_dec_ttl(a);
                vmmob_put_output(a, OFPP_IN_PORT);
            }
        }
    }
}

/* Rules for a VMN of another OFS. */
static void
remote_rules(const struct rules_context *ctx, const struct vmmob_entry *entry,
             struct rule_list *list)
{
    const struct vmmob_vmn *binding = vmmob_entry_binding(entry);
    const struct vmmob_ofs *self = vmmob_table_find_ofs(ctx->table,
                                                        ctx->ofs->id);
    struct ofpbuf *a;
    struct match m;

    for (enum vmmob_family family = 0; family < VMMOB_N_FAMILIES; family++) {
        if (vmmob_handover_has_home(ctx->ofs, entry->key.tenant, family)) {
            match_ip(&m, entry->key.tenant, family);
            match_set_dl_dst(&m, entry->key.mac);
            vmmob_put_refused(vmmob_rule_add(list, RULE_VIA_REMOTE_REST, &m),
                              REFUSED_STRAY);
        }
    }

    for (size_t i = 0; i < binding->n_pairs; i++) {
        const struct vmmob_pair *pair = &binding->pairs[i];
        const struct vmmob_prefix hoa = vmmob_prefix_of_host(&pair->hoa);
        enum vmmob_family family = vmmob_addr_family(&pair->hoa);
        struct eth_addr next_hop;

        if (!is_used(ctx, entry->key.tenant, pair)) {
            continue;
        }
        match_ip(&m, entry->key.tenant, family);
        match_set_dl_dst(&m, entry->key.mac);
        vmmob_match_destination(&m, &hoa);
        vmmob_put_by_ip(vmmob_rule_add(list, RULE_VIA_REMOTE, &m));

        /* Two VMNs may claim one HoA: two sites were not in touch. */
        if (has_moa(pair)
            && vmmob_table_find_by_hoa(ctx->table, entry->key.tenant,
                                       &pair->hoa) == binding
            && vmmob_pipeline_get_next_hop(ctx, &pair->moa, binding->ofs,
                                           &next_hop)) {
            match_ip(&m, entry->key.tenant, family);
            vmmob_match_destination(&m, &hoa);
            a = vmmob_rule_add(list, RULE_REMOTE, &m);
            vmmob_put_set_source_to_moa(a, family);
            vmmob_put_set_destination(a, &pair->moa);
            vmmob_put_set_eth_source(a, self->mac);
            vmmob_put_set_eth_destination(a, next_hop);
            vmmob_put_output(a, ctx->uplink);
        }
    }
}

/* Rules for packets to VMNs in 'network' that the VMN of 'row' has sent from
 * the mobile address of 'pair', by way of the uplink. */
static void
source_pair_rules(const struct rules_context *ctx,
                  const struct vmmob_vmn *row, const struct vmmob_pair *pair,
                  uint32_t network, struct rule_list *list)
{
    const struct vmmob_prefix moa = vmmob_prefix_of_host(&pair->moa);
    struct ofpbuf *a;
    struct match m;

    match_ip(&m, network, vmmob_addr_family(&pair->moa));
    vmmob_match_source(&m, &moa);
    if (row->state == VMMOB_PREPARED) {
        /* Who is not there resets nothing: a firewall did, that has seen a
         * copy.  If it has just come there, it does so once more.  Else, it
         * may have sent that. */
        struct match rst = m;

        match_set_nw_proto(&rst, IPPROTO_TCP);
        match_set_tcp_flags_masked(&rst, htons(TCP_RST), htons(TCP_RST));
        vmmob_rule_add(list, RULE_PEER_RESET, &rst);
    }
    a = vmmob_rule_add(list, RULE_PEER, &m);
    vmmob_put_set_source(a, &pair->hoa);
    vmmob_put_set_eth_source(a, (network == row->key.tenant ? row->key.mac
                                 : vmmob_gateway_mac));
    vmmob_put_deliver_reg(ctx, a, network);
}

/* Rules for what a VMN has sent by way of the uplink: from where it is, and
 * before it moved, from where it was.  A VMN here may have sent to one that
 * moved here meanwhile, so that the packet was redirected back. */
static void
source_rules(const struct rules_context *ctx, const struct vmmob_entry *entry,
             struct rule_list *list)
{
    const struct vmmob_settings *s = &ctx->ofs->settings;
    const struct network *net
        = vmmob_settings_find_network(s, entry->key.tenant);
    const struct vmmob_row *row;

    LIST_FOR_EACH (row, node, &entry->rows) {
        for (size_t i = 0; i < row->vmn.n_pairs; i++) {
            const struct vmmob_pair *pair = &row->vmn.pairs[i];

            if (!is_used(ctx, entry->key.tenant, pair) || !has_moa(pair)
                || vmmob_table_find_by_moa(ctx->table, &pair->moa)
                   != &row->vmn) {
                continue;
            }
            source_pair_rules(ctx, &row->vmn, pair, entry->key.tenant, list);
            for (size_t j = 0; net->n_routes && j < s->n_networks; j++) {
                if (vmmob_net_routes_to(net, &s->networks[j])) {
                    source_pair_rules(ctx, &row->vmn, pair,
                                      s->networks[j].id, list);
                }
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

