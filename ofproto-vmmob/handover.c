/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/handover.h"

#include "hash.h"
#include "ofproto-vmmob/handover-ask.h"
#include "ofproto-vmmob/handover-claim.h"
#include "ofproto-vmmob/handover-copy.h"
#include "ofproto-vmmob/handover-core.h"
#include "ofproto-vmmob/handover-journal.h"
#include "ofproto-vmmob/handover-ofs.h"
#include "ofproto-vmmob/handover-seat.h"
#include "ofproto-vmmob/handover-unused.h"
#include "ofproto-vmmob/handover-use.h"
#include "ofproto-vmmob/handover-vmn.h"
#include "ofproto-vmmob/pool.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "util.h"
#include "vmmob-hash.h"
#include "vmmob-msg.h"

VLOG_DEFINE_THIS_MODULE(vmmob_handover);


static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(20, 20);

static void decide(struct handover *, long long int now);
static void update_seats(struct handover *, const struct vmmob_msg *);
static bool is_ofs_marked(const struct handover *, uint64_t id);
static void receive_vmn(struct handover *, const struct vmmob_vmn *,
                        long long int now);
static void receive_ofs(struct handover *, const struct vmmob_ofs *);
static void receive_site(struct handover *, const struct vmmob_ofs *);

struct handover *
vmmob_handover_create(void)
{
    struct handover *h = xzalloc(sizeof *h);

    h->table = vmmob_table_create();
    hmap_init(&h->ofss);
    vmmob_port_table_init(&h->ports);
    hmap_init(&h->contests);
    hmap_init(&h->undecided);
    hmap_init(&h->reserved);
    hmap_init(&h->dirty_vmns);
    hmap_init(&h->dirty_ofss);
    return h;
}

void
vmmob_handover_destroy(struct handover *h)
{
    if (h) {
        struct handover_effects effects;
        struct handover_ofs *ofs;
        struct vmmob_msg msg;
        struct hoa_node *hn;
        struct key_node *kn;
        struct id_node *in;

        HMAP_FOR_EACH_SAFE (ofs, node, &h->ofss) {
            vmmob_handover_remove(h, ofs->id, false, 0);
        }
        vmmob_msg_init(&msg, VMMOB_MSG_UPDATE);
        vmmob_handover_take_effects(h, &effects, &msg);
        vmmob_handover_effects_uninit(&effects);
        vmmob_msg_uninit(&msg);

        hmap_destroy(&h->ofss);
        vmmob_port_table_destroy(&h->ports);
        HMAP_FOR_EACH_POP (hn, node, &h->contests) {
            free(hn);
        }
        hmap_destroy(&h->contests);
        HMAP_FOR_EACH_POP (kn, node, &h->undecided) {
            free(kn);
        }
        hmap_destroy(&h->undecided);
        HMAP_FOR_EACH_POP (in, node, &h->reserved) {
            free(in);
        }
        hmap_destroy(&h->reserved);
        hmap_destroy(&h->dirty_vmns);
        hmap_destroy(&h->dirty_ofss);
        free(h->site);
        free(h->gone);
        free(h->announcements);
        free(h->moves);
        vmmob_table_destroy(h->table);
        free(h);
    }
}

/* Takes into account a packet from the VMN 'key' that came in by 'port' of
 * 'ofs'.  'hoa' is the home address that it says it has.  NULL means that it
 * says nothing of that, as a RARP, or that the address is not for a VMN (see
 * vmmob_handover_is_home()).  'how' is how it says so.
 *
 * This is the only event that makes a VMN move here, whatever the packet. */
enum handover_sighting
vmmob_handover_sight(struct handover *h, struct handover_ofs *ofs,
                     const struct vmmob_key *key, ofp_port_t port,
                     const struct in6_addr *hoa, enum handover_evidence how,
                     long long int now)
{
    struct handover_vmn *vmn = vmmob_handover_find_vmn(ofs, key);
    bool claimed = false;

    if (vmmob_handover_vmn_is_move(h, ofs, vmn, key, port)
        && vmmob_damping_is_frozen(&ofs->damping, key)
        && !vmmob_handover_has_fresh_seat(ofs, key, port)) {
        return SIGHTED_FROZEN;
    }
    if (ofs->settings.max_vmns
        && (vmn || hoa || vmmob_table_find_binding(h->table, key))
        && !(vmn && vmn->state == HANDOVER_ATTACHED && vmn->port == port)
        && vmmob_handover_count_port(ofs, port) >= ofs->settings.max_vmns) {
        return SIGHTED_PORT_FULL;
    }
    if (vmn && vmn->port == port) {
        vmn->last_heard = now;
    }
    if (hoa) {
        switch (vmmob_handover_claim(h, ofs, key, port, hoa, how, now)) {
        case CLAIM_HAS:
            break;
        case CLAIM_NOTHING:
            hoa = NULL;
            break;
        case CLAIM_ASKED:
            claimed = true;
            break;
        case CLAIM_REFUSED:
        default:
            return SIGHTED_CONFLICT;
        }
        vmn = vmmob_handover_find_vmn(ofs, key);
    }

    enum action action = vmmob_handover_decide(SEEN, vmn);
    if (action == ARRIVE) {
        if (!vmmob_handover_vmn_arrive(h, ofs, vmn, key, hoa, claimed, port,
                                       now)) {
            return SIGHTED_NO_HOA;
        }
        return claimed ? SIGHTED_CONFLICT : SIGHTED_HERE;
    }
    if (action == ATTACH || vmn->port != port) {
        if (action == NOTE_PORT
            && !vmmob_handover_has_fresh_seat(ofs, key, port)) {
            vmmob_damping_note_move(&ofs->damping, key, now);
        }
        vmmob_handover_vmn_attach(h, ofs, vmn, port, now);
    }
    vmmob_handover_vmn_hear(h, ofs, vmn);
    if (hoa && !vmmob_vmn_find_hoa(&vmn->row, hoa)) {
        if (!vmmob_vmn_set_pair(&vmn->row, hoa, &in6addr_any)) {
            VLOG_WARN_RL(&rl, "VMN "ETH_ADDR_FMT": has %d home addresses "
                         "already, ignoring another one",
                         ETH_ADDR_ARGS(key->mac), VMMOB_MAX_PAIRS);
            vmmob_handover_crowd(ofs, vmn, now);
            return SIGHTED_FULL;
        }
        vmmob_vmn_find_hoa(&vmn->row, hoa)->claimed = claimed;
        vmmob_handover_vmn_take_moas(h, ofs, vmn);
        vmmob_handover_update_uses(vmn, now);
        vmmob_handover_vmn_publish(h, vmn);
    }
    return claimed ? SIGHTED_CONFLICT : SIGHTED_HERE;
}

/* Takes into account that the VMN 'key' is not at the port of 'ofs' where it
 * was.  It may be at another one that is for it. */
void
vmmob_handover_detach(struct handover *h, struct handover_ofs *ofs,
                      const struct vmmob_key *key, long long int now)
{
    struct handover_vmn *vmn = vmmob_handover_find_vmn(ofs, key);

    if (vmn) {
        vmmob_handover_vmn_not_at_port(h, ofs, vmn, now);
        vmmob_handover_vmn_reconsider(h, ofs, key, now);
    }
}

/* Notes that 'ofs' has the VM port 'port' with the given 'name', in
 * 'networks'.  By that name the agent says, sooner or later, which VMNs the
 * port is for.  VMNs there that are of other networks are not there any
 * more. */
void
vmmob_handover_port_there(struct handover *h, struct handover_ofs *ofs,
                          ofp_port_t port, const char *name,
                          const struct port_networks *networks,
                          long long int now)
{
    struct handover_vmn *vmn;

    if (!vmmob_handover_port_put(ofs, port, name, networks)) {
        return;
    }
    vmmob_handover_seats_update(h, ofs, name, &h->undecided);
    HMAP_FOR_EACH_SAFE (vmn, node, &ofs->vmns) {
        if (vmn->port == port) {
            vmmob_handover_touch_vmn(h, &vmn->row.key, false);
            if (vmn->state == HANDOVER_ATTACHED
                && !vmmob_port_networks_find(networks, vmn->row.key.tenant)) {
                vmmob_handover_vmn_not_at_port(h, ofs, vmn, now);
            }
        }
    }
    decide(h, now);
}

/* Takes 'hoa', which it must not have any more, from the VMN 'key' of
 * 'ofs'. */
void
vmmob_handover_disclaim(struct handover *h, struct handover_ofs *ofs,
                        const struct vmmob_key *key,
                        const struct in6_addr *hoa, long long int now)
{
    struct handover_vmn *vmn = vmmob_handover_find_vmn(ofs, key);

    if (vmn) {
        vmmob_handover_vmn_give_back_hoa(h, ofs, vmn, hoa, now);
    }
}

/* Takes into account that 'port' of 'ofs' is gone, or is another one from now
 * on.  OFPP_NONE says that all ports of 'ofs' and what they are for are known:
 * a VMN that was expected in an earlier life and has no port now is not
 * expected any more. */
void
vmmob_handover_port_gone(struct handover *h, struct handover_ofs *ofs,
                         ofp_port_t port, long long int now)
{
    struct handover_vmn *vmn;

    if (port != OFPP_NONE) {
        vmmob_handover_port_remove(ofs, port, &h->undecided);
    }
    HMAP_FOR_EACH_SAFE (vmn, node, &ofs->vmns) {
        if (vmn->port != port) {
            continue;
        } else if (vmn->state == HANDOVER_LEFT) {
            /* So it has really left. */
            vmmob_damping_forgive(&ofs->damping, &vmn->row.key, vmn->since);
            vmn->port = OFPP_NONE;
            vmn->heard = false;
        } else if (vmn->state != HANDOVER_PREPARED || port == OFPP_NONE) {
            vmmob_handover_vmn_not_at_port(h, ofs, vmn, now);
        }
    }
    decide(h, now);
}

/* Takes into account that a VMN at 'ofs' and the VMN 'remote' have packets for
 * each other.  Returns true if 'remote' is not at 'ofs' and its rules must be
 * installed. */
bool
vmmob_handover_talk(struct handover *h, struct handover_ofs *ofs,
                    const struct vmmob_key *remote)
{
    const struct vmmob_vmn *binding
        = vmmob_table_find_binding(h->table, remote);

    if (!binding || binding->ofs == ofs->id) {
        return false;
    }
    if (vmmob_key_set_find(&ofs->active, remote)) {
        /* No rule took the packet all the same.  'remote' may be the owner of
         * its home address only since another claimant is gone. */
        vmmob_handover_touch_vmn(h, remote, false);
        return false;
    }
    vmmob_key_set_add(&ofs->active, remote);
    vmmob_handover_touch_vmn(h, remote, false);
    return true;
}

/* Stops copies for the VMN 'key' at 'ofs', which gets more packets than others
 * should get copies of. */
void
vmmob_handover_stop_copies(struct handover *h, struct handover_ofs *ofs,
                           const struct vmmob_key *key)
{
    struct handover_vmn *vmn = vmmob_handover_find_vmn(ofs, key);

    if (vmn && !vmn->no_copies) {
        vmn->no_copies = true;
        vmmob_handover_touch_vmn(h, key, false);
    }
}

/* Takes into account that VMNs at 'ofs' and the VMN 'remote' do not talk any
 * more. */
void
vmmob_handover_quiet(struct handover *h, struct handover_ofs *ofs,
                     const struct vmmob_key *remote)
{
    struct key_node *kn = vmmob_key_set_find(&ofs->active, remote);

    if (kn) {
        hmap_remove(&ofs->active, &kn->node);
        free(kn);
        vmmob_handover_touch_vmn(h, remote, false);
    }
}

/* Initializes 'names' and moves into it the names of the ports of which the
 * agent said something new.  Returns false if there are none. */
bool
vmmob_handover_take_ports(struct handover *h, struct sset *names)
{
    sset_init(names);
    sset_swap(names, &h->ports.changed);
    return !sset_is_empty(names);
}

/* Forgets the VMN 'key' at every OFS of this switch, until it is seen again,
 * and lets it move here again if it was frozen.  Returns the number of OFSs
 * for which that changed something. */
size_t
vmmob_handover_release(struct handover *h, const struct vmmob_key *key,
                       long long int now)
{
    struct handover_ofs *ofs;
    size_t n = 0;

    HMAP_FOR_EACH (ofs, node, &h->ofss) {
        struct handover_vmn *vmn = vmmob_handover_find_vmn(ofs, key);
        bool frozen = vmmob_damping_release(&ofs->damping, key);

        vmmob_handover_seats_use(ofs, key, OFPP_NONE);
        n += vmn || frozen;
        if (vmmob_handover_decide(RELEASED, vmn) == FORGET) {
            vmmob_handover_vmn_forget(h, ofs, vmn, now);
        }
    }
    return n;
}

/* Takes into account 'msg', which came from the agent. */
void
vmmob_handover_receive(struct handover *h, const struct vmmob_msg *msg,
                       long long int now)
{
    struct handover_ofs *ofs;

    if (!h->receiving) {
        /* What is told all at once has no order. */
        vmmob_table_tick(h->table);
    }
    switch (msg->type) {
    case VMMOB_MSG_BEGIN:
        vmmob_table_mark(h->table);
        vmmob_port_table_mark(&h->ports);
        h->receiving = true;
        h->partial = false;
        break;

    case VMMOB_MSG_UPDATE:
        vmmob_port_table_update(&h->ports, msg);
        update_seats(h, msg);
        h->partial |= msg->partial;
        for (size_t i = 0; i < msg->n_ofss; i++) {
            const struct vmmob_ofs *row = &msg->ofss[i];

            ofs = vmmob_handover_find_ofs(h, row->id);
            if (ofs && row->foreign
                && !vmmob_ofs_same_bridge(row, vmmob_table_find_ofs(
                                              h->table, ofs->id))) {
                vmmob_handover_ofs_give_way(h, ofs, row);
            } else if (ofs) {
                receive_site(h, row);
            } else {
                receive_ofs(h, row);
            }
        }
        for (size_t i = 0; i < msg->n_vmns; i++) {
            const struct vmmob_vmn *row = &msg->vmns[i];

            ofs = vmmob_handover_find_ofs(h, row->ofs);
            if (!ofs) {
                receive_vmn(h, row, now);
            } else if (h->receiving && !ofs->restored && !ofs->rival) {
                vmmob_handover_ofs_restore(h, ofs, row, now);
            }
        }
        for (size_t i = 0; i < msg->n_del_vmns; i++) {
            const struct vmmob_row_id *id = &msg->del_vmns[i];

            if (!vmmob_handover_find_ofs(h, id->ofs)
                && vmmob_handover_remove_row(h, &id->key, id->ofs)) {
                vmmob_handover_vmn_settle(h, &id->key, now);
            }
        }
        for (size_t i = 0; i < msg->n_del_ofss; i++) {
            if (!vmmob_handover_find_ofs(h, msg->del_ofss[i])
                && vmmob_table_remove_ofs(h->table, msg->del_ofss[i])) {
                vmmob_handover_touch_ofs(h, msg->del_ofss[i]);
                vmmob_handover_touch_vmns_of(h, msg->del_ofss[i]);
            }
        }
        break;

    case VMMOB_MSG_END: {
        if (!h->receiving) {
            break;
        }
        h->receiving = false;
        h->synced = true;
        h->complete |= !h->partial;

        /* Remove what the others do not say any more.  But keep an OFS, and
         * its rows, while its site's database has not been read. */
        struct vmmob_msg gone;
        const struct vmmob_ofs_entry *oe;
        const struct vmmob_entry *entry;

        vmmob_msg_init(&gone, VMMOB_MSG_UPDATE);
        HMAP_FOR_EACH (entry, node, vmmob_table_entries(h->table)) {
            const struct vmmob_row *row;

            LIST_FOR_EACH (row, node, &entry->rows) {
                if (row->marked && !(h->partial
                                     && is_ofs_marked(h, row->vmn.ofs))) {
                    vmmob_msg_del_vmn(&gone, &entry->key, row->vmn.ofs);
                }
            }
        }
        HMAP_FOR_EACH (oe, node, vmmob_table_ofs_entries(h->table)) {
            if (oe->marked && !h->partial) {
                vmmob_msg_del_ofs(&gone, oe->ofs.id);
            } else if (oe->marked) {
                struct vmmob_ofs stale;

                vmmob_ofs_clone(&stale, &oe->ofs);
                stale.stale = true;
                vmmob_msg_put_ofs(&gone, &stale);
                vmmob_ofs_destroy(&stale);
            }
        }
        vmmob_handover_receive(h, &gone, now);
        vmmob_msg_uninit(&gone);
        vmmob_port_table_sweep(&h->ports);

        HMAP_FOR_EACH (ofs, node, &h->ofss) {
            vmmob_handover_seats_update(h, ofs, NULL, &h->undecided);
            ofs->seek |= !ofs->restored;
            ofs->restored = true;
            vmmob_handover_ofs_stop_waiting(h, ofs, now);
            /* If it did not wait that long, then others may have the MoAs of
             * those that were restored. */
            vmmob_handover_ofs_fill(h, ofs);
            if (h->complete) {
                vmmob_handover_ofs_stop_being_blind(h, ofs);
            }
        }
        break;
    }
    }
    decide(h, now);
}

/* Does what has become due at 'now'. */
void
vmmob_handover_run(struct handover *h, long long int now)
{
    struct handover_ofs *ofs;

    HMAP_FOR_EACH (ofs, node, &h->ofss) {
        struct handover_vmn *vmn;

        if (vmmob_handover_is_waiting(ofs) && now >= ofs->wait_until) {
            vmmob_handover_ofs_stop_waiting(h, ofs, now);
        }
        if (now >= ofs->blind_until) {
            vmmob_handover_ofs_stop_being_blind(h, ofs);
        }
        VMMOB_EXPIRY_FOR_EACH_DUE (vmn, expiring, &ofs->left, now) {
            vmmob_handover_vmn_expire(h, ofs, vmn, now);
        }
        VMMOB_EXPIRY_FOR_EACH_DUE (vmn, expiring, &ofs->prepared, now) {
            vmmob_handover_vmn_expire(h, ofs, vmn, now);
        }
        vmmob_handover_ofs_run_copies(h, ofs, now);
        vmmob_damping_run(&ofs->damping, now);
        if (vmmob_pool_run(ofs->pool, now)) {
            vmmob_handover_ofs_fill(h, ofs);
        }

        /* Another VMN may have given back a home address of one that is
         * expected. */
        struct handover_seat *seat;
        LIST_FOR_EACH_POP (seat, short_node, &ofs->short_seats) {
            ovs_list_init(&seat->short_node);
            vmmob_key_set_add(&h->undecided, &seat->key);
        }
    }

    vmmob_handover_run_probes(h, now);
    HMAP_FOR_EACH (ofs, node, &h->ofss) {
        struct handover_claim *claim;

        while ((claim = vmmob_handover_run_claims(h, ofs, now)) != NULL) {
            vmmob_handover_sight(h, ofs, &claim->key, claim->port,
                                 &claim->hoa, HANDOVER_USED, now);
            free(claim);
        }
    }
    decide(h, now);
    HMAP_FOR_EACH (ofs, node, &h->ofss) {
        vmmob_handover_run_asks(h, ofs, now);
    }
}

/* Returns the time, in ms, when vmmob_handover_run() has something to do next,
 * or LLONG_MAX. */
long long int
vmmob_handover_next_event(const struct handover *h)
{
    long long int next = hmap_is_empty(&h->undecided) ? LLONG_MAX : 0;
    struct handover_ofs *ofs;

    HMAP_FOR_EACH (ofs, node, &h->ofss) {
        if (vmmob_handover_is_waiting(ofs)) {
            next = MIN(next, ofs->wait_until);
        }
        if (ofs->blind_until != LLONG_MIN) {
            next = MIN(next, ofs->blind_until);
        }
        next = MIN(next, vmmob_expiry_next(&ofs->left));
        next = MIN(next, vmmob_expiry_next(&ofs->prepared));
        next = MIN(next, vmmob_handover_next_copy_event(ofs));
        next = MIN(next, vmmob_pool_next_event(ofs->pool));
        next = MIN(next, vmmob_expiry_next(&ofs->asking));
        next = MIN(next, vmmob_damping_next_event(&ofs->damping));
        next = MIN(next, vmmob_handover_next_claim_event(ofs));
    }
    return next;
}

/* Decides anew about the VMNs in 'undecided', of which something changed. */
static void
decide(struct handover *h, long long int now)
{
    struct hmap keys = HMAP_INITIALIZER(&keys);
    struct key_node *kn;

    /* Deciding changes things, too, but those are decided already. */
    for (int i = 0; i < 2 && !hmap_is_empty(&h->undecided); i++) {
        hmap_swap(&keys, &h->undecided);
        HMAP_FOR_EACH_POP (kn, node, &keys) {
            struct handover_ofs *ofs;

            HMAP_FOR_EACH (ofs, node, &h->ofss) {
                vmmob_handover_vmn_reconsider(h, ofs, &kn->key, now);
            }
            free(kn);
        }
    }
    hmap_destroy(&keys);
}

/* Takes into account what 'msg' says of ports. */
static void
update_seats(struct handover *h, const struct vmmob_msg *msg)
{
    struct handover_ofs *ofs;

    HMAP_FOR_EACH (ofs, node, &h->ofss) {
        for (size_t i = 0; i < msg->n_ports; i++) {
            vmmob_handover_seats_update(h, ofs, msg->ports[i].name,
                                        &h->undecided);
        }
        for (size_t i = 0; i < msg->n_del_ports; i++) {
            vmmob_handover_seats_update(h, ofs, msg->del_ports[i],
                                        &h->undecided);
        }
    }
}

/* Returns true unless the agent has told about the OFS with the given 'id'
 * since "begin". */
static bool
is_ofs_marked(const struct handover *h, uint64_t id)
{
    const struct vmmob_ofs_entry *oe;

    HMAP_FOR_EACH_WITH_HASH (oe, node, vmmob_hash_uint64(id, 0),
                             vmmob_table_ofs_entries(h->table)) {
        if (oe->ofs.id == id) {
            return oe->marked;
        }
    }
    return true;
}

/* Returns true if a VMN whose row was 'old' and is 'row' has stayed where it
 * is: a MoA belongs to one place, which has another id now. */
static bool
is_renamed(const struct vmmob_vmn *old, const struct vmmob_vmn *row)
{
    for (size_t i = 0; i < row->n_pairs; i++) {
        const struct vmmob_pair *pair = vmmob_vmn_find_hoa(old,
                                                           &row->pairs[i].hoa);

        if (pair && ipv6_addr_is_set(&pair->moa)
            && ipv6_addr_equals(&pair->moa, &row->pairs[i].moa)) {
            return true;
        }
    }
    return false;
}

/* Takes into account 'row', which an OFS that is not ours has written. */
static void
receive_vmn(struct handover *h, const struct vmmob_vmn *row,
            long long int now)
{
    const struct vmmob_vmn *old = vmmob_table_find_binding(h->table,
                                                           &row->key);
    if (row->state == VMMOB_PREPARED
        && !vmmob_table_find_row(h->table, &row->key, row->ofs)) {
        /* Another try. */
        struct handover_ofs *ofs;

        HMAP_FOR_EACH (ofs, node, &h->ofss) {
            struct handover_vmn *vmn = vmmob_handover_find_vmn(ofs, &row->key);

            if (vmn) {
                vmn->no_copies = false;
            }
        }
    }

    const struct vmmob_vmn *before
        = vmmob_table_find_row(h->table, &row->key, row->ofs);
    bool expected = before && before->state == VMMOB_PREPARED;
    uint64_t from = (old && old->state == VMMOB_ACTIVE ? old->ofs : row->ofs);
    bool renamed = old && is_renamed(old, row);

    if (vmmob_handover_put_row(h, row)) {
        if (from != row->ofs
            && vmmob_table_find_binding(h->table, &row->key)->ofs
               == row->ofs) {
            if (!renamed) {
                vmmob_handover_vmn_note_move(h, &row->key, row->ofs, expected,
                                             now);
            }
            if (!vmmob_handover_find_ofs(h, from)) {
                struct handover_ofs *ofs;
                struct handover_move *move = vmmob_handover_tell_move(
                    h, HANDOVER_PASSED, &row->key, row->ofs, from, row->seqno);

                HMAP_FOR_EACH (ofs, node, &h->ofss) {
                    move->active |= vmmob_handover_is_active(ofs, &row->key);
                }
            }
        }
        vmmob_handover_vmn_settle(h, &row->key, now);
    }
}

/* Takes into account 'row' of an OFS that is not ours.  Only its pools matter
 * to the rules for it, and only what vmmob_pipeline_get_next_hop() looks at to
 * the rules for its VMNs. */
static void
receive_ofs(struct handover *h, const struct vmmob_ofs *row)
{
    const struct vmmob_ofs *old = vmmob_table_find_ofs(h->table, row->id);
    bool pools = !old || !vmmob_ofs_same_pools(old, row);
    bool way = (!old || !eth_addr_equals(old->mac, row->mac)
                || !vmmob_prefix_equals(&old->uplink, &row->uplink));

    vmmob_table_put_ofs(h->table, row);
    if (pools) {
        vmmob_handover_touch_ofs(h, row->id);
    }
    if (way) {
        vmmob_handover_touch_vmns_of(h, row->id);
    }
}

/* Takes from 'row', of an OFS of ours, the name of the site, which the agent
 * knows.  All else in it we know better. */
static void
receive_site(struct handover *h, const struct vmmob_ofs *row)
{
    struct vmmob_ofs self;

    vmmob_ofs_clone(&self, vmmob_table_find_ofs(h->table, row->id));
    free(self.site);
    self.site = xstrdup(row->site);
    free(h->site);
    h->site = xstrdup(row->site);
    vmmob_table_put_ofs(h->table, &self);
    vmmob_ofs_destroy(&self);
}
