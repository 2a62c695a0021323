/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/packet.h"

#include "coverage.h"
#include "dp-packet.h"
#include "ofproto/ofproto-dpif.h"
#include "ofproto-vmmob/advert.h"
#include "ofproto-vmmob/bridge.h"
#include "ofproto-vmmob/frame.h"
#include "ofproto-vmmob/gateway.h"
#include "ofproto-vmmob/handover.h"
#include "ofproto-vmmob/module.h"
#include "ofproto-vmmob/output.h"
#include "ofproto-vmmob/pipeline-vmn.h"
#include "ofproto-vmmob/punt.h"
#include "ofproto-vmmob/router.h"
#include "ofproto-vmmob/rules.h"
#include "ofproto-vmmob/vm-port.h"
#include "ofproto-vmmob/vmmob.h"
#include "ofproto-vmmob/watch.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "util.h"
#include "vmmob-table.h"

VLOG_DEFINE_THIS_MODULE(vmmob_packet);

COVERAGE_DEFINE(vmmob_unknown_bridge);
COVERAGE_DEFINE(vmmob_unknown_port);
COVERAGE_DEFINE(vmmob_bad_frame);
COVERAGE_DEFINE(vmmob_forged);
COVERAGE_DEFINE(vmmob_heard_late);
COVERAGE_DEFINE(vmmob_unknown_vmn);
COVERAGE_DEFINE(vmmob_port_full);
COVERAGE_DEFINE(vmmob_frozen);
COVERAGE_DEFINE(vmmob_conflict);
COVERAGE_DEFINE(vmmob_vmn_full);
COVERAGE_DEFINE(vmmob_prohibited);
COVERAGE_DEFINE(vmmob_ttl_exceeded);
COVERAGE_DEFINE(vmmob_other_network);
COVERAGE_DEFINE(vmmob_unknown_moa);
COVERAGE_DEFINE(vmmob_unknown_icmp);
COVERAGE_DEFINE(vmmob_copy_error);
COVERAGE_DEFINE(vmmob_hold);
COVERAGE_DEFINE(vmmob_hold_full);
COVERAGE_DEFINE(vmmob_unresolved);
COVERAGE_DEFINE(vmmob_probe_unanswered);
COVERAGE_DEFINE(vmmob_pool_claim);
COVERAGE_DEFINE(vmmob_pool_defended);
COVERAGE_DEFINE(vmmob_copy_held);
COVERAGE_DEFINE(vmmob_copy_delivered);
COVERAGE_DEFINE(vmmob_copy_dropped);

/* How long a packet is held, in ms, and the probe of who wants an address: a
 * little longer than who sent it waits for objections (RFC 4862, 5.4 and RFC
 * 4861, 10: RETRANS_TIMER). */
#define HOLD_MS 1000
#define HOLD_PROBE_MS 1500

static bool process_uplink(struct vmmob *, struct vmmob_bridge *,
                           struct punted *, const struct frame *,
                           long long int now) OVS_REQUIRES(vmmob_mutex);
static bool process_vm(struct vmmob *, struct vmmob_bridge *, struct punted *,
                       const struct frame *, long long int turn)
    OVS_REQUIRES(vmmob_mutex);

/* Processes and eventually frees 'punted'.  This turn of the thread began at
 * 'turn', in us. */
void
vmmob_packet_process(struct vmmob *vmmob, struct punted *punted,
                     long long int turn)
{
    struct vmmob_bridge *b = vmmob_find_bridge_by_uuid(vmmob,
                                                       &punted->ofproto_uuid);
    long long int now = turn / 1000;
    struct frame frame;
    bool taken = false;

    if (!b) {
        COVERAGE_INC(vmmob_unknown_bridge);
        vmmob_punted_destroy(punted);
        return;
    }

    b->n_punted++;
    vmmob_frame_parse(punted->packet, &frame);
    if (frame.type == FRAME_BAD
        || (punted->in_port != b->uplink
            && !eth_addr_equals(frame.sha, frame.src))) {
        static struct vlog_rate_limit bad_rl = VLOG_RATE_LIMIT_INIT(1, 5);

        COVERAGE_INC(vmmob_bad_frame);
        b->n_bad++;
        VLOG_DBG_RL(&bad_rl, "bridge %s: ignoring a malformed or forged frame "
                    "from "ETH_ADDR_FMT" at port %"PRIu32, b->name,
                    ETH_ADDR_ARGS(frame.src), punted->in_port);
    } else if (punted->in_port == b->uplink) {
        taken = process_uplink(vmmob, b, punted, &frame, now);
    } else {
        taken = process_vm(vmmob, b, punted, &frame, turn);
    }
    if (!taken) {
        vmmob_punted_destroy(punted);
    }
}

/* Returns true if 'frame' asks whether anybody has an address that its sender
 * would like to have (RFC 4862, 5.4; RFC 5227). */
static bool
is_probe(const struct frame *frame)
{
    return (frame->type == FRAME_QUESTION
            && !ipv6_addr_is_set(&frame->ip_src));
}

/* If 'punted' is a probe, to which nobody objected, asks its sender whether it
 * has the address now.  It may not say so by itself as long as it has nothing
 * to say. */
static void
ask_prober(struct vmmob *vmmob, const struct punted *punted)
    OVS_REQUIRES(vmmob_mutex)
{
    struct vmmob_bridge *b = vmmob_find_bridge_by_uuid(vmmob,
                                                       &punted->ofproto_uuid);
    struct frame frame;

    if (b && vmmob_vm_port_find(b, punted->in_port)) {
        vmmob_frame_parse(punted->packet, &frame);
        if (is_probe(&frame)
            && vmmob_handover_is_home(b->ofs, punted->network,
                                      &frame.ip_dst)) {
            const struct vmmob_key key = {
                .tenant = punted->network, .mac = frame.src,
            };

            COVERAGE_INC(vmmob_probe_unanswered);
            vmmob_ask_vmn(b, &key, &frame.ip_dst, punted->in_port);
        }
    }
}

/* Drops the packets that have been kept for too long. */
void
vmmob_packet_expire(struct vmmob *vmmob, long long int now)
{
    struct ovs_list gone = OVS_LIST_INITIALIZER(&gone);
    const struct punted *punted;

    vmmob_resolver_expire(&vmmob->resolver, now, &gone);
    COVERAGE_ADD(vmmob_unresolved, ovs_list_size(&gone));
    LIST_FOR_EACH (punted, node, &gone) {
        ask_prober(vmmob, punted);
    }
    vmmob_punted_destroy_all(&gone);

    vmmob_tail_run(&vmmob->copies, now, &gone);
    COVERAGE_ADD(vmmob_copy_dropped, ovs_list_size(&gone));
    vmmob_punted_destroy_all(&gone);
}

/* Keeps 'punted', which has 'frame', if there is room, until there are news
 * about 'addr' or 'other', which may be unspecified.  Returns true if it was
 * taken. */
static bool
hold(struct vmmob *vmmob, struct vmmob_bridge *b, struct punted *punted,
     const struct frame *frame, const struct in6_addr *addr,
     const struct in6_addr *other, long long int now)
    OVS_REQUIRES(vmmob_mutex)
{
    if (!punted->expires) {
        COVERAGE_INC(vmmob_hold);
        b->n_unresolved++;
        punted->expires = now + (is_probe(frame) ? HOLD_PROBE_MS : HOLD_MS);
    } else if (punted->expires <= now) {
        COVERAGE_INC(vmmob_unresolved);
        return false;
    }

    const struct fairq_key key = vmmob_punted_key(punted);
    struct resolver_wait *lost
        = vmmob_resolver_wait(&vmmob->resolver, &punted->wait, &key, addr,
                              other, punted->expires);
    if (lost) {
        struct punted *gone = CONTAINER_OF(lost, struct punted, wait);
        struct vmmob_bridge *owner
            = (gone == punted ? b
               : vmmob_find_bridge_by_uuid(vmmob, &gone->ofproto_uuid));

        COVERAGE_INC(vmmob_hold_full);
        if (owner) {
            owner->n_not_held[gone->kind]++;
        }
        if (gone == punted) {
            return false;
        }
        vmmob_punted_destroy(gone);
    }
    return true;
}

/* Keeps 'punted', which is for the VMN 'key' that is expected at 'b', until it
 * arrives, unless that takes too long. */
static void
hold_copy(struct vmmob *vmmob, struct vmmob_bridge *b, struct punted *punted,
          const struct frame *frame, const struct vmmob_key *key,
          long long int now)
    OVS_REQUIRES(vmmob_mutex)
{
    const struct vmmob_vmn *sender
        = vmmob_table_find_by_moa(b->table, &frame->ip_src);
    struct ovs_list gone = OVS_LIST_INITIALIZER(&gone);

    COVERAGE_INC(vmmob_copy_held);
    vmmob_tail_push(&vmmob->copies, b->id, key, &punted->tail,
                    dp_packet_size(punted->packet),
                    now + b->ofs->settings.copy_ms, &gone);
    COVERAGE_ADD(vmmob_copy_dropped, ovs_list_size(&gone));
    vmmob_punted_destroy_all(&gone);
    if (sender && sender->ofs != b->id
        && !vmmob_handover_is_active(b->ofs, &sender->key)) {
        /* The VMN will answer it. */
        const struct vmmob_key sender_key = sender->key;

        vmmob_handover_talk(b->handover, b->ofs, &sender_key);
    }
}

/* Adds what was kept for the VMN 'key', which has arrived at 'b', to the
 * packets that are delivered when all moves of this turn are applied. */
static void
deliver_copies(struct vmmob *vmmob, const struct vmmob_bridge *b,
               const struct vmmob_key *key, long long int now)
    OVS_REQUIRES(vmmob_mutex)
{
    struct ovs_list packets = OVS_LIST_INITIALIZER(&packets);
    struct ovs_list gone = OVS_LIST_INITIALIZER(&gone);
    struct moves *moves = &vmmob->moves;
    struct punted *punted;

    vmmob_tail_take(&vmmob->copies, b->id, key, now, &packets, &gone);
    LIST_FOR_EACH_POP (punted, node, &packets) {
        COVERAGE_INC(vmmob_copy_delivered);
        punted->expires = now + HOLD_MS;
        vmmob_resolver_add_ready(&vmmob->resolver, &punted->wait,
                                 punted->expires);
        for (size_t i = moves->n; i > 0; i--) {
            struct move *move = &moves->moves[i - 1];

            if (move->what.kind == HANDOVER_CAME
                && vmmob_key_equals(&move->what.key, key)) {
                move->n_copies++;
                break;
            }
        }
    }
    COVERAGE_ADD(vmmob_copy_dropped, ovs_list_size(&gone));
    vmmob_punted_destroy_all(&gone);
}

/* Returns the port of the VMN in 'network' whose home address is 'hoa' at 'b',
 * or OFPP_NONE. */
static ofp_port_t
find_local_port(const struct vmmob_bridge *b, uint32_t network,
                const struct in6_addr *hoa)
    OVS_REQUIRES(vmmob_mutex)
{
    const struct vmmob_vmn *owner
        = vmmob_table_find_by_hoa(b->table, network, hoa);
    const struct handover_vmn *vmn
        = owner ? vmmob_handover_find_vmn(b->ofs, &owner->key) : NULL;

    return (vmn && vmn->state == HANDOVER_ATTACHED ? vmn->port : OFPP_NONE);
}

/* Returns true if VMNs at 'b' in the networks 'x' and 'y' may have packets for
 * each other. */
static bool
may_talk(const struct vmmob_bridge *b, uint32_t x, uint32_t y)
    OVS_REQUIRES(vmmob_mutex)
{
    const struct vmmob_settings *s = &b->ofs->settings;
    const struct network *from = vmmob_settings_find_network(s, x);
    const struct network *to = vmmob_settings_find_network(s, y);

    return from && to && (from == to || vmmob_net_routes_to(from, to));
}

/* Returns the network where 'dst' is, as seen from 'network' at 'b', which may
 * be that itself, or NULL if it is outside. */
static const struct network *
find_destination(const struct vmmob_bridge *b, uint32_t network,
                 const struct in6_addr *dst)
    OVS_REQUIRES(vmmob_mutex)
{
    const struct vmmob_settings *s = &b->ofs->settings;
    const struct network *net = vmmob_settings_find_network(s, network);

    if (!net || vmmob_net_is_on_link(net, dst)) {
        return net;
    }
    for (size_t i = 0; net->n_routes && i < s->n_networks; i++) {
        if (vmmob_net_routes_to(net, &s->networks[i])
            && vmmob_net_find_subnet(&s->networks[i], dst)) {
            return &s->networks[i];
        }
    }
    return NULL;
}

/* Returns the ICMP error 'punted', with 'addrs' as its source and its
 * destination and, if 'embedded' is true, those of the packet that it quotes,
 * from 'src' to 'dst'. */
static struct dp_packet *
make_icmp_error(const struct punted *punted, const struct in6_addr addrs[4],
                bool embedded, const struct eth_addr src,
                const struct eth_addr dst)
{
    struct dp_packet *packet = dp_packet_clone(punted->packet);
    struct eth_header *eth = dp_packet_eth(packet);

    if (embedded) {
        vmmob_frame_set_embedded(packet, &addrs[2], &addrs[3]);
    }
    vmmob_frame_set_addresses(packet, &addrs[0], &addrs[1]);
    eth->eth_src = src;
    eth->eth_dst = dst;
    return packet;
}

/* Delivers an ICMP error to one of our VMNs.  What it quotes gets the
 * addresses with which the VMN sent it. */
static void
deliver_icmp_error(struct vmmob_bridge *b, struct punted *punted,
                   const struct frame *frame)
    OVS_REQUIRES(vmmob_mutex)
{
    const struct vmmob_table *table = b->table;
    const struct vmmob_vmn *dst
        = vmmob_table_find_by_moa(table, &frame->ip_dst);
    const struct handover_vmn *vmn
        = dst ? vmmob_handover_find_vmn(b->ofs, &dst->key) : NULL;

    if (!vmn || vmn->state != HANDOVER_ATTACHED) {
        COVERAGE_INC(vmmob_unknown_icmp);
        return;
    }

    struct in6_addr addrs[4];
    addrs[0] = frame->ip_src;
    addrs[1] = frame->ip_dst;
    bool embedded = vmmob_frame_get_embedded(punted->packet, &addrs[2],
                                             &addrs[3]);
    const struct vmmob_vmn *target
        = embedded ? vmmob_table_find_by_moa(table, &addrs[3]) : NULL;
    if (target && target->state == VMMOB_PREPARED) {
        /* About a copy, of which the sender knows nothing: its packet goes to
         * where the VMN is that it is for. */
        COVERAGE_INC(vmmob_copy_error);
        return;
    }
    for (size_t i = 0; i < (embedded ? 4 : 2); i++) {
        const struct vmmob_vmn *row
            = vmmob_table_find_by_moa(table, &addrs[i]);

        if (row && !may_talk(b, row->key.tenant, dst->key.tenant)) {
            COVERAGE_INC(vmmob_other_network);
            return;
        }
        for (size_t j = 0; row && j < row->n_pairs; j++) {
            if (ipv6_addr_equals(&row->pairs[j].moa, &addrs[i])) {
                addrs[i] = row->pairs[j].hoa;
                break;
            }
        }
    }

    vmmob_output_vms(b, make_icmp_error(punted, addrs, embedded,
                                        vmmob_gateway_mac, vmn->row.key.mac),
                     vmn->row.key.tenant, &vmn->port, 1);
}

/* Sends an ICMP error of one of our VMNs to the outside, with mobile addresses
 * in what it quotes, too: those which whoever is told has sent it to. */
static void
send_icmp_error(struct vmmob_bridge *b, const struct punted *punted,
                const struct frame *frame)
    OVS_REQUIRES(vmmob_mutex)
{
    const struct eth_addr gateway_mac = b->gateways[frame->family].mac;
    struct in6_addr addrs[4] = { frame->ip_src, frame->ip_dst };
    bool embedded = vmmob_frame_get_embedded(punted->packet, &addrs[2],
                                             &addrs[3]);

    for (size_t i = 0; i < (embedded ? 4 : 2); i++) {
        const struct vmmob_vmn *row
            = vmmob_table_find_by_hoa(b->table, punted->network, &addrs[i]);

        if (row) {
            addrs[i] = vmmob_vmn_find_hoa(row, &addrs[i])->moa;
            if (!ipv6_addr_is_set(&addrs[i])) {
                return;
            }
        }
    }
    if (!eth_addr_is_zero(gateway_mac)
        && !ipv6_addr_equals(&addrs[0], &frame->ip_src)) {
        vmmob_output_uplink(b, make_icmp_error(punted, addrs, embedded, b->mac,
                                               gateway_mac));
    }
}

/* Returns true if a packet from the uplink for 'moa' makes us ask the VM ports
 * of 'b'.  The first packet that waits for it does so always, the others only
 * at a limited rate, as anybody outside can send them. */
static bool
may_ask(struct vmmob *vmmob, struct vmmob_bridge *b,
        const struct in6_addr *moa)
    OVS_REQUIRES(vmmob_mutex)
{
    return (!vmmob_resolver_is_awaited(&vmmob->resolver, moa)
            || token_bucket_withdraw(&b->asks, 1000));
}

/* If 'frame', which came in by the uplink, says that another host has an
 * address of the pool, notes that and, if a VMN has it, tells everybody that
 * it is here.  'row' is that VMN, or NULL.  Returns true if so. */
static bool
defend(struct vmmob_bridge *b, const struct frame *frame,
       const struct vmmob_vmn *row, long long int now)
    OVS_REQUIRES(vmmob_mutex)
{
    static struct vlog_rate_limit claim_rl = VLOG_RATE_LIMIT_INIT(5, 5);
    bool in_use = row && vmmob_table_find_row(b->table, &row->key, b->id);
    char *s;

    if (!ipv6_addr_is_set(&frame->ip_src)
        || eth_addr_equals(frame->sha, b->mac)
        || !vmmob_settings_is_in_pool(&b->ofs->settings, &frame->ip_src)) {
        return false;
    }

    COVERAGE_INC(vmmob_pool_claim);
    s = vmmob_addr_to_string(&frame->ip_src, "-");
    VLOG_WARN_RL(&claim_rl, "bridge %s: "ETH_ADDR_FMT" on the uplink says "
                 "that it has %s, which is in vmmob-pool", b->name,
                 ETH_ADDR_ARGS(frame->sha), s);
    free(s);
    if (vmmob_pool_claims_note(&b->pool_claims, &frame->ip_src, frame->sha,
                               in_use, now)) {
        COVERAGE_INC(vmmob_pool_defended);
        vmmob_announce(b, &frame->ip_src, false);
    }
    return true;
}

/* Processes a packet that came in by the uplink.  Returns true if 'punted' was
 * taken. */
static bool
process_uplink(struct vmmob *vmmob, struct vmmob_bridge *b,
               struct punted *punted, const struct frame *frame,
               long long int now)
    OVS_REQUIRES(vmmob_mutex)
{
    const struct vmmob_table *table = b->table;
    struct handover_ofs *ofs = b->ofs;
    const struct vmmob_vmn *row;
    struct in6_addr lla;

    switch (frame->type) {
    case FRAME_QUESTION:
    case FRAME_ANSWER:
        if (ipv6_addr_is_set(&frame->ip_src)
            && ipv6_addr_equals(&frame->ip_src,
                                &b->gateways[frame->family].addr)
            && vmmob_gateway_hear(b, &b->gateways[frame->family], frame->sha,
                                  frame->solicited, now)) {
            vmmob_bridge_update_ofs(b, now);
        }
        row = vmmob_table_find_by_moa(table, &frame->ip_src);
        if (defend(b, frame, row, now)) {
            return false;
        }
        row = vmmob_table_find_by_moa(table, &frame->ip_dst);
        in6_generate_lla(b->mac, &lla);
        if (frame->type == FRAME_QUESTION
            && (row ? vmmob_table_find_row(table, &row->key, b->id) != NULL
                : ipv6_addr_equals(&frame->ip_dst, &lla))
            && !eth_addr_equals(frame->sha, b->mac)) {
            b->n_answered++;
            vmmob_output_uplink(b, vmmob_frame_compose_answer(
                b->mac, &frame->ip_dst, frame->sha, &frame->ip_src));
        }
        return false;

    case FRAME_ICMP_ERROR:
        if (punted->table_id == VMMOB_TABLE_ENTRY) {
            deliver_icmp_error(b, punted, frame);
            return false;
        }
        /* Fall through. */
    case FRAME_IP:
        if (punted->table_id == VMMOB_TABLE_SOURCE) {
            /* The source is a MoA of another OFS, or may be. */
            ofp_port_t port = find_local_port(b, punted->network,
                                              &frame->ip_dst);

            row = vmmob_table_find_by_moa(table, &frame->ip_src);
            if (row && !may_talk(b, row->key.tenant, punted->network)) {
                COVERAGE_INC(vmmob_other_network);
                return false;
            }
            if (row && row->ofs != b->id && port != OFPP_NONE) {
                vmmob_handover_talk(b->handover, ofs, &row->key);
                return vmmob_resume(&vmmob->resumed, b, punted,
                                    VMMOB_TABLE_SOURCE, port);
            }
            if (!row && port != OFPP_NONE
                && !vmmob_handover_is_blind(b->handover, ofs)
                && !vmmob_rules_is_in_pool(b->rules, &frame->ip_src)) {
                /* It was held until all was known. */
                return vmmob_resume(&vmmob->resumed, b, punted,
                                    VMMOB_TABLE_SOURCE, port);
            }
        } else {
            /* For a VMN of ours whose port is not known: ask for it, for the
             * first of the packets only. */
            row = vmmob_table_find_by_moa(table, &frame->ip_dst);
            if (!row) {
                COVERAGE_INC(vmmob_unknown_moa);
                return false;
            }

            const struct handover_vmn *vmn = vmmob_handover_find_vmn(
                ofs, &row->key);
            if (vmn && vmn->state == HANDOVER_PREPARED
                && ofs->settings.copy_ms) {
                hold_copy(vmmob, b, punted, frame, &row->key, now);
                return true;
            }
            if (vmn && (vmn->state == HANDOVER_ATTACHED
                        || vmn->state == HANDOVER_LEFT)) {
                /* Here after all, or elsewhere: it is redirected. */
                return vmmob_resume(&vmmob->resumed, b, punted,
                                    VMMOB_TABLE_ENTRY, OFPP_NONE);
            } else if (!vmn || vmn->state != HANDOVER_DETACHED) {
                COVERAGE_INC(vmmob_unknown_moa);
                return false;
            }
            if (!punted->expires && may_ask(vmmob, b, &frame->ip_dst)) {
                for (size_t i = 0; i < row->n_pairs; i++) {
                    if (ipv6_addr_equals(&row->pairs[i].moa,
                                         &frame->ip_dst)) {
                        const struct in6_addr gateway
                            = vmmob_handover_home_gateway(
                                ofs, row->key.tenant, &row->pairs[i].hoa);

                        vmmob_ask(b, row->key.tenant, &row->pairs[i].hoa,
                                  vmmob_gateway_mac, &gateway, OFPP_NONE);
                    }
                }
            }
        }
        return hold(vmmob, b, punted, frame, &frame->ip_dst,
                    punted->table_id == VMMOB_TABLE_SOURCE ? &frame->ip_src
                    : &in6addr_any, now);

    case FRAME_ROUTER_ADVERT:
        vmmob_gateway_hear_router(b, &frame->ip_src, frame->router_lifetime,
                                  now);
        return false;

    case FRAME_RARP:
    case FRAME_ROUTER_SOLICIT:
    case FRAME_REDIRECT:
    case FRAME_MLD:
    case FRAME_BAD:
    default:
        return false;
    }
}

/* Processes 'frame', of 'punted', an ARP request from a VMN.  Returns true if
 * 'punted' was taken. */
static bool
process_arp_request(struct vmmob *vmmob, struct vmmob_bridge *b,
                    struct punted *punted, const struct frame *frame,
                    long long int now)
    OVS_REQUIRES(vmmob_mutex)
{
    struct handover_ofs *ofs = b->ofs;
    struct eth_addr mac;

    if (ipv6_addr_equals(&frame->ip_src, &frame->ip_dst)) {
        /* Gratuitous. */
        return false;
    } else if (vmmob_handover_is_home_gateway(ofs, punted->network,
                                              &frame->ip_dst)) {
        mac = vmmob_gateway_mac;
    } else if (!vmmob_handover_is_home(ofs, punted->network,
                                       &frame->ip_dst)) {
        return false;
    } else {
        const struct vmmob_vmn *owner = vmmob_table_find_by_hoa(
            b->table, punted->network, &frame->ip_dst);

        if (!owner) {
            /* This may be a VMN here that did not say anything yet, or one
             * elsewhere of which we will hear in a moment. */
            if (!punted->expires) {
                vmmob_ask(b, punted->network, &frame->ip_dst, frame->src,
                          &frame->ip_src, punted->in_port);
            }
            return hold(vmmob, b, punted, frame, &frame->ip_dst, &in6addr_any,
                        now);
        }
        mac = owner->key.mac;
        if (eth_addr_equals(mac, frame->src)) {
            /* It probes for its own address. */
            return false;
        } else if (find_local_port(b, punted->network, &frame->ip_dst)
                   == punted->in_port) {
            /* Behind the same port, on another switch, where it hears this
             * itself.  From an answer of ours, that switch would learn that it
             * is here. */
            return false;
        }

        struct vmmob_key key = owner->key;
        vmmob_handover_talk(b->handover, ofs, &key);
    }
    b->n_answered++;
    vmmob_output_vms(b, vmmob_frame_compose_answer(mac, &frame->ip_dst,
                                                   frame->src, &frame->ip_src),
                     punted->network, &punted->in_port, 1);
    return false;
}

/* Returns the name of what 'frame' is, for people. */
static const char *
frame_to_string(const struct frame *frame)
{
    return (frame->type == FRAME_RARP ? "RARP"
            : frame->type == FRAME_QUESTION || frame->type == FRAME_ANSWER
            ? (frame->family == VMMOB_IPV6 ? "neighbor discovery"
               : ipv6_addr_equals(&frame->ip_src, &frame->ip_dst)
               ? "gratuitous ARP" : "ARP")
            : frame->type == FRAME_ROUTER_SOLICIT ? "router solicitation"
            : frame->type == FRAME_MLD ? "MLD"
            : "IP");
}

/* Returns in which way 'frame' says that its sender has its source address. */
static enum handover_evidence
get_evidence(const struct frame *frame)
{
    return ((frame->type == FRAME_QUESTION
             || frame->type == FRAME_ANSWER)
            && ipv6_addr_equals(&frame->ip_src, &frame->ip_dst)
            ? HANDOVER_ANNOUNCED
            : frame->type == FRAME_ANSWER ? HANDOVER_ANSWERED
            : HANDOVER_USED);
}

/* Sends the ICMP error 'error' about 'punted', as its router, to the VMN at
 * 'port' that sent it. */
static void
send_error(struct vmmob_bridge *b, struct vmmob_vm_port *port,
           const struct punted *punted, const struct frame *frame,
           enum frame_error error)
    OVS_REQUIRES(vmmob_mutex)
{
    const struct network *net
        = vmmob_settings_find_network(&b->ofs->settings, punted->network);

    if (net && token_bucket_withdraw(&port->errors, VM_PORT_ERROR)) {
        const struct in6_addr gateway = vmmob_net_gateway(net,
                                                              &frame->ip_src);
        struct dp_packet *packet = vmmob_frame_compose_icmp_error(
            punted->packet, error, 0, vmmob_gateway_mac, &gateway);

        if (packet) {
            vmmob_output_vms(b, packet, punted->network, &port->number, 1);
        }
    }
}

/* Asks for the destination of 'punted', in 'to', on behalf of its sender or,
 * if that is not in the same home subnet, of the router. */
static void
ask_for_destination(struct vmmob_bridge *b, const struct network *to,
                    const struct punted *punted, const struct frame *frame)
    OVS_REQUIRES(vmmob_mutex)
{
    if (to->id == punted->network
        && (vmmob_net_find_subnet(to, &frame->ip_src)
            == vmmob_net_find_subnet(to, &frame->ip_dst))) {
        vmmob_ask(b, to->id, &frame->ip_dst, frame->src, &frame->ip_src,
                  punted->in_port);
    } else {
        const struct in6_addr router = vmmob_net_router(to,
                                                            &frame->ip_dst);

        vmmob_ask(b, to->id, &frame->ip_dst, vmmob_gateway_mac, &router,
                  OFPP_NONE);
    }
}

/* Processes 'punted', IP that a VMN here has sent by way of 'port' and for
 * which no rule knows the way.  Returns true if it was taken. */
static bool
process_unresolved(struct vmmob *vmmob, struct vmmob_bridge *b,
                   struct vmmob_vm_port *port, struct punted *punted,
                   const struct frame *frame, long long int now)
    OVS_REQUIRES(vmmob_mutex)
{
    const struct vmmob_settings *s = &b->ofs->settings;
    const struct network *from = vmmob_settings_find_network(s,
                                                             punted->network);
    const struct network *to = find_destination(b, punted->network,
                                                &frame->ip_dst);
    const struct vmmob_vmn *owner;

    if (!from) {
        return false;
    } else if (!to) {
        if (frame->type != FRAME_ICMP_ERROR || from->isolated
            || vmmob_settings_is_in_pool(s, &frame->ip_dst)
            || vmmob_rules_is_in_pool(b->rules, &frame->ip_dst)) {
            /* It is a mobile address, or may become one, which only those
             * outside use: a VMN would get answers from another address than
             * it has sent to.  Or VMNs in its network do not talk to those
             * outside. */
            COVERAGE_INC(vmmob_prohibited);
            send_error(b, port, punted, frame, FRAME_ERROR_PROHIBITED);
        } else {
            send_icmp_error(b, punted, frame);
        }
        return false;
    } else if (frame->ttl <= 1
               && (from != to
                   || (vmmob_net_find_subnet(to, &frame->ip_src)
                       != vmmob_net_find_subnet(to, &frame->ip_dst)))) {
        COVERAGE_INC(vmmob_ttl_exceeded);
        send_error(b, port, punted, frame, FRAME_ERROR_TIME_EXCEEDED);
        return false;
    }

    owner = vmmob_table_find_by_hoa(b->table, to->id, &frame->ip_dst);
    if (!owner) {
        if (!punted->expires) {
            ask_for_destination(b, to, punted, frame);
        }
        return hold(vmmob, b, punted, frame, &frame->ip_dst, &in6addr_any,
                    now);
    } else if (find_local_port(b, to->id, &frame->ip_dst) == OFPP_NONE) {
        const struct rules_context ctx = vmmob_bridge_rules_context(b);
        struct vmmob_pair *pair = vmmob_vmn_find_hoa(owner, &frame->ip_dst);
        struct eth_addr next_hop;

        if (owner->ofs == b->id) {
            /* Here, but detached. */
            if (!punted->expires) {
                ask_for_destination(b, to, punted, frame);
            }
            return hold(vmmob, b, punted, frame, &frame->ip_dst, &in6addr_any,
                        now);
        } else if (!ipv6_addr_is_set(&pair->moa)
                   || !vmmob_pipeline_get_next_hop(&ctx, &pair->moa,
                                                   owner->ofs, &next_hop)) {
            return hold(vmmob, b, punted, frame, &frame->ip_dst, &in6addr_any,
                        now);
        }

        struct vmmob_key remote = owner->key;
        vmmob_handover_talk(b->handover, b->ofs, &remote);
    }
    return vmmob_resume(&vmmob->resumed, b, punted, VMMOB_TABLE_ENTRY,
                        OFPP_NONE);
}

/* Processes a packet that came in by a VM port.  Returns true if 'punted' was
 * taken. */
static bool
process_vm(struct vmmob *vmmob, struct vmmob_bridge *b,
           struct punted *punted, const struct frame *frame,
           long long int turn)
    OVS_REQUIRES(vmmob_mutex)
{
    long long int now = turn / 1000;
    struct handover_ofs *ofs = b->ofs;
    const struct vmmob_key key = {
        .tenant = punted->network, .mac = frame->src,
    };
    bool has_hoa = vmmob_handover_is_home(ofs, key.tenant, &frame->ip_src);
    struct vmmob_vm_port *port = vmmob_vm_port_find(b, punted->in_port);

    if (!port) {
        /* Gone, or so new that its rules are not there yet, so it is not known
         * who may be there. */
        COVERAGE_INC(vmmob_unknown_port);
        return false;
    } else if (!vmmob_port_networks_find(&port->networks, key.tenant)
               || !vmmob_vm_port_may_have(b, port, frame->src)) {
        /* The frame was on its way when the rules came. */
        COVERAGE_INC(vmmob_forged);
        port->n_strange++;
        return false;
    }

    if (frame->dhcp) {
        vmmob_vm_port_note_dhcp(port, frame->src, now);
        return false;
    } else if (!has_hoa && frame->family == VMMOB_IPV4
               && ipv6_addr_is_set(&frame->ip_src)
               && vmmob_handover_has_home(ofs, key.tenant, VMMOB_IPV4)) {
        port->outside = (struct vm_port_hoa) { key, frame->ip_src, now };
    }
    if (has_hoa && !vmmob_vm_port_may_claim(b, port, &frame->ip_src)) {
        vmmob_vm_port_refuse_hoa(b, port, &key, &frame->ip_src, now);
        return false;
    }

    /* What it sent just before it left and is heard only now does not bring it
     * back. */
    const struct handover_vmn *vmn = vmmob_handover_find_vmn(ofs, &key);
    if (vmn && vmn->state == HANDOVER_LEFT
        && punted->received / 1000 <= vmn->since) {
        COVERAGE_INC(vmmob_heard_late);
        return false;
    }

    /* What gets no further than table 253 is from a VMN known to be here. */
    static struct vlog_rate_limit full_rl = VLOG_RATE_LIMIT_INIT(5, 20);
    if (punted->table_id == VMMOB_TABLE_ENTRY) {
        enum handover_sighting sighting
            = vmmob_handover_sight(b->handover, ofs, &key, punted->in_port,
                                   has_hoa ? &frame->ip_src : NULL,
                                   get_evidence(frame), now);

        vmmob_watch_note_moves(vmmob, frame_to_string(frame), punted->received,
                               turn);
        switch (sighting) {
        case SIGHTED_HERE:
            vmmob_vm_port_police_hoas(b, port, &key, now);
            deliver_copies(vmmob, b, &key, now);
            break;
        case SIGHTED_NO_HOA:
            COVERAGE_INC(vmmob_unknown_vmn);
            break;
        case SIGHTED_PORT_FULL:
            COVERAGE_INC(vmmob_port_full);
            port->n_refused++;
            port->refused = now;
            VLOG_WARN_RL(&full_rl, "bridge %s: port %s has %"PRIuSIZE" VMNs "
                         "already, ignoring "ETH_ADDR_FMT"; raise "
                         "vmmob-max-vmns, or use vmmob/release for VMNs that "
                         "are not there any more", b->name, port->name,
                         vmmob_handover_count_port(ofs, port->number),
                         ETH_ADDR_ARGS(key.mac));
            return false;
        case SIGHTED_FROZEN:
            COVERAGE_INC(vmmob_frozen);
            return false;
        case SIGHTED_FULL:
            COVERAGE_INC(vmmob_vmn_full);
            port->full_hoa = (struct vm_port_hoa) { key, frame->ip_src, now };
            return false;
        case SIGHTED_CONFLICT:
        default:
            COVERAGE_INC(vmmob_conflict);
            return false;
        }
    }

    switch (frame->type) {
    case FRAME_QUESTION:
        return process_arp_request(vmmob, b, punted, frame, now);

    case FRAME_ANSWER: {
        /* To a VMN here, on whose behalf we asked. */
        ofp_port_t out = find_local_port(b, key.tenant, &frame->ip_dst);
        const struct vmmob_vmn *owner = vmmob_table_find_by_hoa(
            b->table, key.tenant, &frame->ip_src);

        if (out != OFPP_NONE && out != punted->in_port
            && (!owner || vmmob_key_equals(&owner->key, &key))) {
            vmmob_output_vms(b, dp_packet_clone(punted->packet), key.tenant,
                             &out, 1);
        }
        return false;
    }

    case FRAME_IP:
    case FRAME_ICMP_ERROR:
        if (frame->multicast || !has_hoa) {
            return false;
        } else if (punted->table_id == VMMOB_TABLE_ENTRY) {
            return vmmob_resume(&vmmob->resumed, b, punted, VMMOB_TABLE_ENTRY,
                                OFPP_NONE);
        }
        return process_unresolved(vmmob, b, port, punted, frame, now);

    case FRAME_ROUTER_SOLICIT:
        vmmob_advert_answer(b, port, key.tenant, frame->src, &frame->ip_src,
                            now);
        return false;

    case FRAME_RARP:
    case FRAME_ROUTER_ADVERT:
    case FRAME_REDIRECT:
    case FRAME_MLD:
    case FRAME_BAD:
    default:
        return false;
    }
}
