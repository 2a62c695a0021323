/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/handover-ofs.h"

#include "coverage.h"
#include "hash.h"
#include "ofproto-vmmob/handover.h"
#include "ofproto-vmmob/handover-claim.h"
#include "ofproto-vmmob/handover-core.h"
#include "ofproto-vmmob/handover-journal.h"
#include "ofproto-vmmob/handover-seat.h"
#include "ofproto-vmmob/handover-use.h"
#include "ofproto-vmmob/handover-vmn.h"
#include "ofproto-vmmob/pool.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "util.h"
#include "vmmob-hash.h"
#include "vmmob-msg.h"

COVERAGE_DEFINE(vmmob_moa_lost);
COVERAGE_DEFINE(vmmob_ofs_foreign);
COVERAGE_DEFINE(vmmob_ofs_renamed);

static void configure_pool(struct handover_ofs *);
static void ofs_reconsider(struct handover *, struct handover_ofs *,
                           long long int now);
static void ofs_adopt(struct handover *, struct handover_ofs *,
                      long long int now);

/* Adds the OFS 'record', with 'settings', to 'h', or updates it.  Copies both,
 * except for the name of the site, which comes from the agent. */
void
vmmob_handover_configure(struct handover *h, const struct vmmob_ofs *record,
                         const struct vmmob_settings *settings,
                         long long int now)
{
    struct handover_ofs *ofs = vmmob_handover_find_ofs(h, record->id);
    bool created = false;
    bool changed = true;

    if (!ofs) {
        ofs = xzalloc(sizeof *ofs);
        hmap_insert(&h->ofss, &ofs->node, vmmob_hash_uint64(record->id, 0));
        ofs->id = record->id;
        vmmob_table_set_own(h->table, ofs->id, true);
        ofs->pool = vmmob_pool_create();
        hmap_init(&ofs->vmns);
        ovs_list_init(&ofs->needy);
        ovs_list_init(&ofs->left);
        ovs_list_init(&ofs->prepared);
        ovs_list_init(&ofs->copying);
        ovs_list_init(&ofs->copied);
        hmap_init(&ofs->copy_counts);
        hmap_init(&ofs->active);
        hmap_init(&ofs->port_counts);
        hmap_init(&ofs->ports);
        hmap_init(&ofs->port_names);
        hmap_init(&ofs->seats);
        ovs_list_init(&ofs->short_seats);
        ovs_list_init(&ofs->asking);
        vmmob_damping_init(&ofs->damping);
        vmmob_handover_claims_init(ofs);
        heap_init(&ofs->looks);
        /* If the agent was faster, then what this OFS wrote in an earlier life
         * is in the table. */
        ofs->restored = ofs->seek = h->synced && !h->receiving;
        ofs->wait_until = (ofs->restored ? LLONG_MIN
                           : now + HANDOVER_WAIT_MS);
        created = true;
        ofs->blind_until = (h->complete ? LLONG_MIN
                            : now + HANDOVER_BLIND_MS);
    } else {
        changed = !vmmob_settings_equals(&ofs->settings, settings);
        if (changed) {
            vmmob_settings_destroy(&ofs->settings);
        }
    }

    if (changed) {
        vmmob_settings_clone(&ofs->settings, settings);
        configure_pool(ofs);
        vmmob_damping_configure(&ofs->damping, settings->max_moves,
                                settings->move_window_ms);
        ofs_reconsider(h, ofs, now);
    }

    const struct vmmob_ofs *old = vmmob_table_find_ofs(h->table, ofs->id);
    struct vmmob_ofs self;

    vmmob_ofs_clone(&self, record);
    if (old || h->site) {
        free(self.site);
        self.site = xstrdup(old ? old->site : h->site);
    }
    if (vmmob_table_put_ofs(h->table, &self) || changed) {
        vmmob_handover_touch_vmns_of(h, ofs->id);
        vmmob_handover_touch(h, ofs);
    }
    vmmob_ofs_destroy(&self);
    if (created) {
        ofs_adopt(h, ofs, now);
    }
}

/* Tells the pool of 'ofs' what is set. */
static void
configure_pool(struct handover_ofs *ofs)
{
    const struct vmmob_settings *s = &ofs->settings;
    struct vmmob_prefix uplinks[VMMOB_N_FAMILIES];
    struct in6_addr gateways[VMMOB_N_FAMILIES];
    size_t n = 0;

    for (enum vmmob_family f = 0; f < VMMOB_N_FAMILIES; f++) {
        if (vmmob_settings_has_uplink(s, f)) {
            uplinks[n] = s->ip[f].network;
            gateways[n++] = s->ip[f].gateway;
        }
    }
    vmmob_pool_configure(ofs->pool, s->pools, s->n_pools, uplinks, gateways,
                         n);
}

/* Removes the OFS with the given 'id' from 'h'.  If 'withdraw' is true,
 * withdraws its rows; otherwise they stay, to be found again after a
 * restart.  If another hypervisor's OFS has the same id, the agent must tell
 * everything again, as its rows are not known. */
void
vmmob_handover_remove(struct handover *h, uint64_t id, bool withdraw,
                      long long int now)
{
    struct handover_ofs *ofs = vmmob_handover_find_ofs(h, id);
    struct handover_vmn *vmn;
    struct key_node *kn;

    if (!ofs) {
        return;
    }

    vmmob_handover_ports_destroy(ofs);
    hmap_destroy(&ofs->ports);
    hmap_destroy(&ofs->port_names);
    vmmob_table_remove_ofs(h->table, id);
    HMAP_FOR_EACH_SAFE (vmn, node, &ofs->vmns) {
        const struct vmmob_key key = vmn->row.key;

        vmmob_handover_remove_row(h, &key, id);
        if (withdraw) {
            vmmob_handover_note_gone(h, &key, id);
        }
        vmmob_handover_vmn_destroy(ofs, vmn);
        vmmob_handover_vmn_settle(h, &key, now);
    }
    vmmob_table_set_own(h->table, id, false);
    if (withdraw) {
        vmmob_handover_touch_ofs(h, id);
    }
    if (ofs->rival) {
        vmmob_table_put_ofs(h->table, ofs->rival);
        vmmob_handover_touch_ofs(h, id);
        vmmob_ofs_destroy(ofs->rival);
        free(ofs->rival);
    }

    HMAP_FOR_EACH_POP (kn, node, &ofs->active) {
        free(kn);
    }
    hmap_destroy(&ofs->active);
    hmap_destroy(&ofs->port_counts);
    hmap_destroy(&ofs->seats);
    hmap_destroy(&ofs->copy_counts);
    vmmob_damping_destroy(&ofs->damping);
    vmmob_handover_claims_destroy(ofs);
    heap_destroy(&ofs->looks);
    hmap_destroy(&ofs->vmns);
    vmmob_pool_destroy(ofs->pool);
    vmmob_settings_destroy(&ofs->settings);
    hmap_remove(&h->ofss, &ofs->node);
    free(ofs);
}

/* Changes the id of the OFS 'id' of 'h' to 'new_id', which must not be that of
 * another OFS of 'h', nor of another hypervisor.  Its VMNs keep their HoAs,
 * MoAs, ports and states.  To others they move from one OFS to another: the
 * new rows are in force while the old ones are still there. */
void
vmmob_handover_rename(struct handover *h, uint64_t id, uint64_t new_id,
                      long long int now)
{
    struct handover_ofs *ofs = vmmob_handover_find_ofs(h, id);
    struct handover_vmn *vmn;
    struct vmmob_ofs self;

    COVERAGE_INC(vmmob_ofs_renamed);
    vmmob_table_set_own(h->table, new_id, true);
    hmap_remove(&h->ofss, &ofs->node);
    ofs->id = new_id;
    hmap_insert(&h->ofss, &ofs->node, vmmob_hash_uint64(new_id, 0));

    vmmob_ofs_clone(&self, vmmob_table_find_ofs(h->table, id));
    self.id = new_id;
    vmmob_table_put_ofs(h->table, &self);
    vmmob_ofs_destroy(&self);
    vmmob_handover_touch(h, ofs);

    HMAP_FOR_EACH_SAFE (vmn, node, &ofs->vmns) {
        const struct vmmob_key key = vmn->row.key;
        uint64_t seqno = vmmob_table_find_binding(h->table, &key)->seqno;
        bool lost_tie = false;

        if (vmn->state == HANDOVER_ATTACHED
            || vmn->state == HANDOVER_DETACHED) {
            vmn->row.seqno = MIN(seqno, VMMOB_MAX_SEQNO - 1) + 1;
        } else if (vmn->state == HANDOVER_LEFT && vmn->row.seqno == seqno) {
            /* With another id it might win. */
            lost_tie = seqno == 1;
            vmn->row.seqno -= !lost_tie;
        }
        vmn->row.ofs = new_id;
        if (!lost_tie) {
            vmmob_handover_vmn_publish(h, vmn);
        }
        vmmob_handover_remove_row(h, &key, id);
        vmmob_handover_note_gone(h, &key, id);
        if (lost_tie) {
            vmmob_handover_vmn_forget(h, ofs, vmn, now);
        }
    }
    vmmob_table_set_own(h->table, id, false);
    vmmob_table_remove_ofs(h->table, id);
    vmmob_handover_touch_ofs(h, id);

    ofs_adopt(h, ofs, now);
    HMAP_FOR_EACH_SAFE (vmn, node, &ofs->vmns) {
        const struct vmmob_key key = vmn->row.key;

        vmmob_handover_vmn_settle(h, &key, now);
    }
}

/* Returns the row of another hypervisor's OFS that has the id of 'record', so
 * that no bridge of ours may be that OFS, or NULL if there is none.  An id is
 * not enough to take the rows of an earlier life for one's own. */
const struct vmmob_ofs *
vmmob_handover_find_foreign(const struct handover *h,
                            const struct vmmob_ofs *record)
{
    const struct handover_ofs *ofs = vmmob_handover_find_ofs(h, record->id);
    const struct vmmob_ofs *row = (ofs ? ofs->rival
                                   : vmmob_table_find_ofs(h->table,
                                                          record->id));

    return (row && row->foreign && !vmmob_ofs_same_bridge(row, record)
            ? row : NULL);
}

/* Takes into account that 'row', an OFS of another hypervisor, has the id of
 * 'ofs'.  If 'ofs' has told anything, then it was first, as far as anybody
 * knows.  Otherwise it must not: the user is to remove it. */
void
vmmob_handover_ofs_give_way(struct handover *h, struct handover_ofs *ofs,
                            const struct vmmob_ofs *row)
{
    if (h->receiving && !ofs->restored && !ofs->rival) {
        COVERAGE_INC(vmmob_ofs_foreign);
        ofs->rival = xmalloc(sizeof *ofs->rival);
        vmmob_ofs_clone(ofs->rival, row);
    }
}

/* Notes whether 'id' is that of a bridge that is to be an OFS of 'h' but
 * cannot be one yet.  What it published in an earlier life stays, so that its
 * VMNs keep their MoAs. */
void
vmmob_handover_reserve(struct handover *h, uint64_t id, bool reserve)
{
    struct id_node *in = vmmob_id_set_find(&h->reserved, id);

    if (reserve && !in) {
        in = xmalloc(sizeof *in);
        in->id = id;
        hmap_insert(&h->reserved, &in->node, vmmob_hash_uint64(id, 0));
    } else if (!reserve && in) {
        hmap_remove(&h->reserved, &in->node);
        free(in);
    }
}

/* Says whether there are other sites, of which the agent will tell. */
void
vmmob_handover_set_peers(struct handover *h, bool has_peers)
{
    if (has_peers != h->has_peers) {
        struct handover_ofs *ofs;

        h->has_peers = has_peers;
        HMAP_FOR_EACH (ofs, node, &h->ofss) {
            vmmob_handover_touch_ofs(h, ofs->id);
        }
    }
}

/* Gives MoAs to the VMNs of 'ofs' that have none yet. */
void
vmmob_handover_ofs_fill(struct handover *h, struct handover_ofs *ofs)
{
    size_t n = ovs_list_size(&ofs->needy);

    while (n--) {
        struct handover_vmn *vmn = CONTAINER_OF(
            ovs_list_front(&ofs->needy), struct handover_vmn, needy);

        vmmob_handover_vmn_take_moas(h, ofs, vmn);
        vmmob_handover_vmn_publish(h, vmn);
    }
}

/* Lets 'ofs' hand out MoAs: the agent has told it what is known, or took too
 * long. */
void
vmmob_handover_ofs_stop_waiting(struct handover *h, struct handover_ofs *ofs,
                                long long int now)
{
    struct handover_vmn *vmn;

    if (!vmmob_handover_is_waiting(ofs)) {
        return;
    }
    ofs->wait_until = LLONG_MIN;
    vmmob_handover_reconsider_seats(h, ofs);

    /* VMNs that were seen here meanwhile are here, whatever was known
     * before. */
    HMAP_FOR_EACH (vmn, node, &ofs->vmns) {
        if (vmn->early) {
            vmn->early = false;
            if (vmn->state == HANDOVER_LEFT && vmn->port != OFPP_NONE) {
                vmmob_handover_vmn_arrive(h, ofs, vmn, &vmn->row.key, NULL,
                                          false, vmn->port, now);
            }
        }
    }
    vmmob_handover_ofs_fill(h, ofs);
}

/* Takes unknown senders at 'ofs' for what they are from now on: the agent has
 * told all that is known, or took too long. */
void
vmmob_handover_ofs_stop_being_blind(struct handover *h,
                                    struct handover_ofs *ofs)
{
    if (ofs->blind_until != LLONG_MIN) {
        ofs->blind_until = LLONG_MIN;
        vmmob_handover_touch_ofs(h, ofs->id);
    }
}

/* Restores 'row' of an earlier life of 'ofs'. */
void
vmmob_handover_ofs_restore(struct handover *h, struct handover_ofs *ofs,
                           const struct vmmob_vmn *row, long long int now)
{
    struct handover_vmn *vmn = vmmob_handover_find_vmn(ofs, &row->key);

    if (vmmob_handover_decide(EARLIER_ROW, vmn) == TAKE_UP) {
        vmn = vmmob_handover_vmn_create(ofs, &row->key);
        vmmob_handover_vmn_set_state(ofs, vmn,
                                     (row->state == VMMOB_PREPARED
                                      ? HANDOVER_PREPARED
                                      : HANDOVER_DETACHED), now);
    }
    vmn->row.seqno = MAX(vmn->row.seqno, row->seqno);
    for (size_t i = 0; i < row->n_pairs; i++) {
        const struct vmmob_pair *pair = &row->pairs[i];
        const struct vmmob_pair *known
            = vmmob_vmn_find_hoa(&vmn->row, &pair->hoa);

        if (!vmmob_handover_is_home(ofs, row->key.tenant, &pair->hoa)
            || (known && ipv6_addr_is_set(&known->moa))) {
            continue;
        }

        if (!vmmob_vmn_set_pair(&vmn->row, &pair->hoa, &in6addr_any)) {
            /* Meanwhile, the VMN was seen here with as many others as it can
             * have. */
            continue;
        }
        if (ipv6_addr_is_set(&pair->moa)
            && vmmob_pool_take_this(ofs->pool, &row->key, &pair->hoa,
                                    &pair->moa)) {
            vmmob_vmn_set_pair(&vmn->row, &pair->hoa, &pair->moa);
            continue;
        }
        if (ipv6_addr_is_set(&pair->moa)) {
            COVERAGE_INC(vmmob_moa_lost);
        } else if (!known) {
            vmmob_handover_claim_again(ofs, vmn, &pair->hoa, now);
        }
        if (ovs_list_is_empty(&vmn->needy)) {
            ovs_list_push_back(&ofs->needy, &vmn->needy);
        }
    }
    if (!vmn->row.n_pairs) {
        /* With today's settings this is no VMN any more. */
        vmmob_handover_vmn_forget(h, ofs, vmn, now);
        return;
    }
    /* It may be here, with one home address so far. */
    vmmob_handover_watch_uses(ofs, vmn);
    vmmob_handover_vmn_publish(h, vmn);
    vmmob_handover_vmn_settle(h, &row->key, now);
}

/* Takes from the VMNs of 'ofs' the addresses that are not allowed by its new
 * settings, and gives them others. */
static void
ofs_reconsider(struct handover *h, struct handover_ofs *ofs,
               long long int now)
{
    struct handover_vmn *vmn;

    HMAP_FOR_EACH_SAFE (vmn, node, &ofs->vmns) {
        bool changed = false;
        size_t i = 0;

        while (i < vmn->row.n_pairs) {
            struct vmmob_pair *pair = &vmn->row.pairs[i];

            if (!vmmob_handover_is_home(ofs, vmn->row.key.tenant,
                                        &pair->hoa)) {
                vmmob_pool_give_back(ofs->pool, &pair->moa,
                                     now + ofs->settings.quarantine_ms);
                vmmob_vmn_remove_hoa(&vmn->row, &pair->hoa);
                changed = true;
                continue;
            }
            if (ipv6_addr_is_set(&pair->moa)
                && !vmmob_pool_contains(ofs->pool, &pair->moa)) {
                vmmob_pool_give_back(ofs->pool, &pair->moa, now);
                pair->moa = in6addr_any;
                changed = true;
            }
            /* There was perhaps no pool of its family. */
            changed |= !ipv6_addr_is_set(&pair->moa) && !pair->claimed;
            i++;
        }
        if (!vmn->row.n_pairs) {
            vmmob_handover_vmn_forget(h, ofs, vmn, now);
        } else if (changed) {
            if (vmn->state != HANDOVER_LEFT) {
                vmmob_handover_vmn_take_moas(h, ofs, vmn);
            }
            vmmob_handover_vmn_publish(h, vmn);
        }
    }
    HMAP_FOR_EACH (vmn, node, &ofs->vmns) {
        vmmob_handover_stop_watching(ofs, vmn);
        vmmob_handover_watch_uses(ofs, vmn);
    }
    vmmob_pool_run(ofs->pool, now);
    vmmob_handover_ofs_fill(h, ofs);
    vmmob_handover_reconsider_seats(h, ofs);
}

/* Restores the rows of an earlier life of 'ofs' that the agent sent before
 * 'ofs' was configured. */
static void
ofs_adopt(struct handover *h, struct handover_ofs *ofs, long long int now)
{
    const struct vmmob_row *row;
    struct vmmob_msg rows;

    vmmob_msg_init(&rows, VMMOB_MSG_UPDATE);
    HINDEX_FOR_EACH_WITH_HASH (row, ofs_node, vmmob_hash_uint64(ofs->id, 0),
                               vmmob_table_rows_by_ofs(h->table)) {
        if (row->vmn.ofs == ofs->id) {
            vmmob_msg_put_vmn(&rows, &row->vmn);
        }
    }
    for (size_t i = 0; i < rows.n_vmns; i++) {
        vmmob_handover_remove_row(h, &rows.vmns[i].key, ofs->id);
        vmmob_handover_ofs_restore(h, ofs, &rows.vmns[i], now);
    }
    if (!vmmob_handover_is_waiting(ofs)) {
        vmmob_handover_ofs_fill(h, ofs);
    }
    vmmob_msg_uninit(&rows);
}
