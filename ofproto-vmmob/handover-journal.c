/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/handover-journal.h"

#include "coverage.h"
#include "hash.h"
#include "ofproto-vmmob/handover.h"
#include "ofproto-vmmob/handover-core.h"
#include "packets.h"
#include "util.h"
#include "vmmob-hash.h"
#include "vmmob-msg.h"

COVERAGE_DEFINE(vmmob_hoa_probe);

static void touch_owners(struct handover *, const struct vmmob_vmn *);
static void touch_rivals(struct handover *, const struct vmmob_key *);
static bool has_rules(const struct handover *, const struct vmmob_key *);
static void add_announcement(struct handover *,
                             const struct handover_announcement *);

/* Notes that the rules of 'ofs', one of the OFSs of 'h', may have to change
 * for a reason that 'h' does not know. */
void
vmmob_handover_touch(struct handover *h, const struct handover_ofs *ofs)
{
    const struct handover_vmn *vmn;
    const struct key_node *kn;

    vmmob_handover_touch_ofs(h, ofs->id);
    HMAP_FOR_EACH (vmn, node, &ofs->vmns) {
        vmmob_handover_touch_vmn(h, &vmn->row.key, false);
    }
    HMAP_FOR_EACH (kn, node, &ofs->active) {
        vmmob_handover_touch_vmn(h, &kn->key, false);
    }
}

bool
vmmob_handover_has_effects(const struct handover *h)
{
    return (!hmap_is_empty(&h->dirty_vmns) || !hmap_is_empty(&h->dirty_ofss)
            || h->n_gone || h->n_announcements);
}

/* Moves from 'h' what is to be done into '*effects', which the caller must
 * eventually pass to vmmob_handover_effects_uninit(), and adds to 'update', an
 * initialized VMMOB_MSG_UPDATE, what the agent is to be told. */
void
vmmob_handover_take_effects(struct handover *h,
                            struct handover_effects *effects,
                            struct vmmob_msg *update)
{
    struct id_node *in;
    struct key_node *kn;

    memset(effects, 0, sizeof *effects);
    effects->vmns = xmalloc(hmap_count(&h->dirty_vmns)
                            * sizeof *effects->vmns);
    HMAP_FOR_EACH_POP (kn, node, &h->dirty_vmns) {
        effects->vmns[effects->n_vmns++] = kn->key;
        if (kn->publish) {
            struct handover_ofs *ofs;

            HMAP_FOR_EACH (ofs, node, &h->ofss) {
                const struct vmmob_vmn *row
                    = vmmob_table_find_row(h->table, &kn->key, ofs->id);

                if (row && !ofs->rival) {
                    vmmob_msg_put_vmn(update, row);
                }
            }
        }
        free(kn);
    }

    effects->ofss = xmalloc(hmap_count(&h->dirty_ofss)
                            * sizeof *effects->ofss);
    HMAP_FOR_EACH_POP (in, node, &h->dirty_ofss) {
        const struct handover_ofs *ofs = vmmob_handover_find_ofs(h, in->id);

        effects->ofss[effects->n_ofss++] = in->id;
        if (ofs && !ofs->rival) {
            vmmob_msg_put_ofs(update,
                              vmmob_table_find_ofs(h->table, in->id));
        } else if (!vmmob_table_find_ofs(h->table, in->id)) {
            vmmob_msg_del_ofs(update, in->id);
        }
        free(in);
    }

    for (size_t i = 0; i < h->n_gone; i++) {
        /* Unless it came back meanwhile. */
        if (!vmmob_table_find_row(h->table, &h->gone[i].key,
                                  h->gone[i].ofs)) {
            vmmob_msg_del_vmn(update, &h->gone[i].key, h->gone[i].ofs);
        }
    }
    h->n_gone = 0;

    effects->announcements = h->announcements;
    effects->n_announcements = h->n_announcements;
    h->announcements = NULL;
    h->n_announcements = h->allocated_announcements = 0;
}

/* Returns true if there are moves to take. */
bool
vmmob_handover_has_moves(const struct handover *h)
{
    return h->n_moves > 0;
}

/* Returns what happened since the last call, the oldest first, as an array of
 * '*n' that the caller must free(). */
struct handover_move *
vmmob_handover_take_moves(struct handover *h, size_t *n)
{
    struct handover_move *moves = h->moves;

    *n = h->n_moves;
    h->moves = NULL;
    h->n_moves = h->allocated_moves = 0;
    return moves;
}

void
vmmob_handover_effects_uninit(struct handover_effects *effects)
{
    free(effects->vmns);
    free(effects->ofss);
    free(effects->announcements);
}

/* Adds to 'update', an initialized VMMOB_MSG_UPDATE, every row that this
 * switch has written. */
void
vmmob_handover_get_authored(const struct handover *h, struct vmmob_msg *update)
{
    struct handover_ofs *ofs;

    HMAP_FOR_EACH (ofs, node, &h->ofss) {
        struct handover_vmn *vmn;

        if (ofs->rival) {
            continue;
        }
        vmmob_msg_put_ofs(update, vmmob_table_find_ofs(h->table, ofs->id));
        HMAP_FOR_EACH (vmn, node, &ofs->vmns) {
            vmmob_msg_put_vmn(update, &vmn->row);
        }
    }

    const struct id_node *in;
    HMAP_FOR_EACH (in, node, &h->reserved) {
        const struct vmmob_ofs *ofs_row = vmmob_table_find_ofs(h->table,
                                                               in->id);
        const struct vmmob_row *row;

        if (!ofs_row || ofs_row->foreign
            || vmmob_handover_find_ofs(h, in->id)) {
            continue;
        }
        vmmob_msg_put_ofs(update, ofs_row);
        HINDEX_FOR_EACH_WITH_HASH (row, ofs_node, vmmob_hash_uint64(in->id, 0),
                                   vmmob_table_rows_by_ofs(h->table)) {
            if (row->vmn.ofs == in->id) {
                vmmob_msg_put_vmn(update, &row->vmn);
            }
        }
    }
}

/* Notes that the rules for the VMN 'key' may have to change and, if 'publish'
 * is true, that a row of ours for it changed. */
void
vmmob_handover_touch_vmn(struct handover *h, const struct vmmob_key *key,
                         bool publish)
{
    vmmob_key_set_add(&h->dirty_vmns, key)->publish |= publish;
}

/* Notes that our OFS 'ofs' has no row for 'key' any more. */
void
vmmob_handover_note_gone(struct handover *h, const struct vmmob_key *key,
                         uint64_t ofs)
{
    if (h->n_gone >= h->allocated_gone) {
        h->gone = x2nrealloc(h->gone, &h->allocated_gone, sizeof *h->gone);
    }
    h->gone[h->n_gone++] = (struct vmmob_row_id) { .key = *key, .ofs = ofs };
}

void
vmmob_handover_touch_ofs(struct handover *h, uint64_t id)
{
    struct id_node *in = vmmob_id_set_find(&h->dirty_ofss, id);

    if (in) {
        return;
    }
    in = xmalloc(sizeof *in);
    in->id = id;
    hmap_insert(&h->dirty_ofss, &in->node, vmmob_hash_uint64(id, 0));
}

/* Puts 'row' into the table.  Returns true if that changed something. */
bool
vmmob_handover_put_row(struct handover *h, const struct vmmob_vmn *row)
{
    touch_rivals(h, &row->key);
    touch_owners(h, row);
    return vmmob_table_put_vmn(h->table, row);
}

/* Removes the row for 'key' that 'ofs' wrote from the table.  Returns true if
 * it was there. */
bool
vmmob_handover_remove_row(struct handover *h, const struct vmmob_key *key,
                          uint64_t ofs)
{
    touch_rivals(h, key);
    return vmmob_table_remove_vmn(h->table, key, ofs);
}

/* Notes that the rules may have to change for the VMNs that are, were or are
 * expected at the OFS 'id', because the way there has changed. */
void
vmmob_handover_touch_vmns_of(struct handover *h, uint64_t id)
{
    const struct vmmob_row *row;

    HINDEX_FOR_EACH_WITH_HASH (row, ofs_node, vmmob_hash_uint64(id, 0),
                               vmmob_table_rows_by_ofs(h->table)) {
        if (row->vmn.ofs == id && has_rules(h, &row->vmn.key)) {
            vmmob_handover_touch_vmn(h, &row->vmn.key, false);
        }
    }
}

void
vmmob_handover_announce(struct handover *h, const struct handover_ofs *ofs,
                        const struct in6_addr *moa, bool fresh)
{
    const struct handover_announcement a = {
        .ofs = ofs->id, .addr = *moa, .fresh = fresh, .port = OFPP_NONE,
    };

    add_announcement(h, &a);
}

/* Plans to announce all MoAs of 'ofs': others must learn anew where they
 * are. */
void
vmmob_handover_announce_all(struct handover *h, const struct handover_ofs *ofs)
{
    const struct handover_vmn *vmn;

    HMAP_FOR_EACH (vmn, node, &ofs->vmns) {
        for (size_t i = 0; i < vmn->row.n_pairs; i++) {
            const struct in6_addr *moa = &vmn->row.pairs[i].moa;

            if (ipv6_addr_is_set(moa)) {
                vmmob_handover_announce(h, ofs, moa, false);
            }
        }
    }
}

/* Plans to ask 'vmn' of 'ofs', which is attached or detached, whether it has
 * 'hoa'. */
void
vmmob_handover_ask(struct handover *h, const struct handover_ofs *ofs,
                   const struct handover_vmn *vmn, const struct in6_addr *hoa)
{
    COVERAGE_INC(vmmob_hoa_probe);
    vmmob_handover_ask_at(h, ofs, &vmn->row.key, vmn->port, hoa);
}

/* Plans to ask the VMN 'key' at 'port' of 'ofs' whether it has 'hoa'. */
void
vmmob_handover_ask_at(struct handover *h, const struct handover_ofs *ofs,
                      const struct vmmob_key *key, ofp_port_t port,
                      const struct in6_addr *hoa)
{
    const struct handover_announcement a = {
        .ofs = ofs->id, .addr = *hoa, .ask = true, .port = port,
        .network = key->tenant, .mac = key->mac,
    };

    add_announcement(h, &a);
}

/* Plans to announce that 'vmn' leaves the port of 'ofs' where it is. */
void
vmmob_handover_announce_leave(struct handover *h,
                              const struct handover_ofs *ofs,
                              const struct handover_vmn *vmn)
{
    for (size_t i = 0; vmn->port != OFPP_NONE && i < vmn->row.n_pairs; i++) {
        if (vmn->row.pairs[i].claimed) {
            continue;
        }

        const struct handover_announcement a = {
            .ofs = ofs->id, .addr = vmn->row.pairs[i].hoa,
            .port = vmn->port, .network = vmn->row.key.tenant,
            .mac = vmn->row.key.mac,
        };

        add_announcement(h, &a);
    }
}

/* Notes for the user what happened to the VMN 'key'.  Returns the note, for
 * the caller to complete. */
struct handover_move *
vmmob_handover_tell_move(struct handover *h, enum handover_move_kind kind,
                         const struct vmmob_key *key, uint64_t ofs,
                         uint64_t other, uint64_t seqno)
{
    struct handover_move *move;

    if (h->n_moves >= HANDOVER_MAX_MOVES) {
        /* Nobody wants to know. */
        h->n_moves = 0;
    }
    if (h->n_moves >= h->allocated_moves) {
        h->moves = x2nrealloc(h->moves, &h->allocated_moves,
                              sizeof *h->moves);
    }
    move = &h->moves[h->n_moves++];
    *move = (struct handover_move) {
        .kind = kind, .key = *key, .ofs = ofs, .other = other, .seqno = seqno,
        .port = OFPP_NONE,
    };
    return move;
}

/* Notes that two VMNs in 'network' claim 'hoa', one of them at an OFS of
 * ours. */
static void
note_contest(struct handover *h, uint32_t network, const struct in6_addr *hoa)
{
    uint32_t hash = vmmob_hash_bytes(hoa, sizeof *hoa, network);
    struct hoa_node *hn;

    HMAP_FOR_EACH_WITH_HASH (hn, node, hash, &h->contests) {
        if (hn->network == network && ipv6_addr_equals(&hn->hoa, hoa)) {
            return;
        }
    }
    hn = xmalloc(sizeof *hn);
    hn->network = network;
    hn->hoa = *hoa;
    hmap_insert(&h->contests, &hn->node, hash);
}

/* Notes that the rules may have to change for other VMNs that have had the
 * home addresses in 'row' so far. */
static void
touch_owners(struct handover *h, const struct vmmob_vmn *row)
{
    for (size_t i = 0; i < row->n_pairs; i++) {
        const struct vmmob_vmn *owner = vmmob_table_find_by_hoa(
            h->table, row->key.tenant, &row->pairs[i].hoa);

        if (!owner) {
            continue;
        }

        bool is_owner = vmmob_key_equals(&owner->key, &row->key);

        if (!is_owner) {
            vmmob_handover_touch_vmn(h, &owner->key, false);
        }
        if ((vmmob_handover_find_ofs(h, owner->ofs)
             || vmmob_handover_find_ofs(h, row->ofs))
            && (!is_owner
                || vmmob_table_find_rival(h->table, &owner->key,
                                          &row->pairs[i].hoa))) {
            note_contest(h, row->key.tenant, &row->pairs[i].hoa);
        }
    }
}

/* Notes that the rules may have to change for VMNs that have home addresses of
 * the VMN 'key', of which a row is about to change: after that, any of its
 * rows may be in force. */
static void
touch_rivals(struct handover *h, const struct vmmob_key *key)
{
    const struct vmmob_entry *entry = vmmob_table_find(h->table, key);

    if (entry) {
        const struct vmmob_row *row;

        LIST_FOR_EACH (row, node, &entry->rows) {
            touch_owners(h, &row->vmn);
        }
    }
}

/* Returns true if an OFS of ours has, or may have, rules for the VMN 'key'. */
static bool
has_rules(const struct handover *h, const struct vmmob_key *key)
{
    const struct handover_ofs *ofs;

    HMAP_FOR_EACH (ofs, node, &h->ofss) {
        if (vmmob_handover_find_vmn(ofs,
                                    key) || vmmob_handover_is_active(ofs,
                                                                     key)) {
            return true;
        }
    }
    return false;
}

static void
add_announcement(struct handover *h, const struct handover_announcement *a)
{
    if (h->n_announcements >= h->allocated_announcements) {
        h->announcements = x2nrealloc(h->announcements,
                                      &h->allocated_announcements,
                                      sizeof *h->announcements);
    }
    h->announcements[h->n_announcements++] = *a;
}
