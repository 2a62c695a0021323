/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/handover-vmn.h"

#include "coverage.h"
#include "flow.h"
#include "hash.h"
#include "ofproto-vmmob/handover.h"
#include "ofproto-vmmob/handover-ask.h"
#include "ofproto-vmmob/handover-copy.h"
#include "ofproto-vmmob/handover-core.h"
#include "ofproto-vmmob/handover-journal.h"
#include "ofproto-vmmob/handover-seat.h"
#include "ofproto-vmmob/handover-use.h"
#include "ofproto-vmmob/pool.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "util.h"
#include "vmmob-addr.h"

VLOG_DEFINE_THIS_MODULE(vmmob_handover_vmn);

COVERAGE_DEFINE(vmmob_pool_exhausted);
COVERAGE_DEFINE(vmmob_prepare_undone);

/* The state of a VMN at one OFS ("-": the OFS knows nothing of it):
 *
 *  event        | -         | ATTACHED  | DETACHED  | LEFT      | PREPARED
 *  -------------+-----------+-----------+-----------+-----------+-----------
 *  seen at a    | arrive    | note the  | note the  | arrive    | arrive
 *  port         | (*):      | port (*)  | port:     | (*):      | (*):
 *               | seqno + 1,|           | ATTACHED  | seqno + 1,| seqno + 1:
 *               | take MoAs:|           |           | MoAs again| ATTACHED
 *               | ATTACHED  |           |           | ATTACHED  |
 *  said to be   |           |           | note the  |           |
 *  at a port    |           |           | port:     |           |
 *               |           |           | ATTACHED  |           |
 *  expected at  | if it is  |           |           |           | port,
 *  a port       | elsewhere,|           |           |           | HoAs and
 *               | take MoAs:|           |           |           | seqno as
 *               | PREPARED  |           |           |           | they are
 *  not expected |           |           |           |           | give MoAs
 *  anywhere     |           |           |           |           | back: -
 *  not at its   |           | DETACHED  |           |           | give MoAs
 *  port, port   |           |           |           |           | back: -
 *  gone         |           |           |           |           |
 *  binding is   |           | redirect: | redirect: |           |
 *  elsewhere    |           | LEFT      | LEFT      |           |
 *  binding is   |           |           |           | redirect  |
 *  here again   |           |           |           | no more:  |
 *               |           |           |           | DETACHED  |
 *  its time is  |           |           |           | if it is  | give MoAs
 *  up           |           |           |           | expected: | back: -
 *               |           |           |           | PREPARED; |
 *               |           |           |           | otherwise |
 *               |           |           |           | give MoAs |
 *               |           |           |           | back: -   |
 *  release      |           | give MoAs | give MoAs | give MoAs | give MoAs
 *               |           | back: -   | back: -   | back: -   | back: -
 *  own row from | DETACHED, | keep the  | (same)    | (same)    | (same)
 *  earlier life | or        | higher    |           |           |
 *               | PREPARED  | seqno     |           |           |
 *               | if the row|           |           |           |
 *               | says so   |           |           |           |
 *
 * The rows "said to be at a port", "expected at a port" and "not expected" are
 * not about news but about facts that stay: see handover-seat.h.
 *
 * "seqno + 1" is one more than the highest that is known of the VMN, as with
 * MAC mobility in RFC 7432 section 7.7.  The row of a VMN is published in all
 * columns but the first, and withdrawn with the VMN.  While PREPARED, its row
 * says so: where the VMN will be, not that it is there.  Such a row is not in
 * force while there is one that is not PREPARED.  So nothing but a packet from
 * the VMN itself moves it, and it moves just as well if nobody expected it.
 *
 * (*) Nothing if it was elsewhere and is frozen; see damping.h. */

/* The table above. */
static const enum action actions[N_EVENTS][5] = {
    /*                 -        ATTACHED   DETACHED  LEFT       PREPARED */
    [SEEN] =         { ARRIVE,  NOTE_PORT, ATTACH,   ARRIVE,    ARRIVE    },
    [SAID_AT_PORT] = { NOTHING, NOTHING,   ATTACH,   NOTHING,   NOTHING   },
    [EXPECTED] =     { PREPARE, NOTHING,   NOTHING,  NOTHING,   FOLLOW    },
    [NOT_EXPECTED] = { NOTHING, NOTHING,   NOTHING,  NOTHING,   FORGET    },
    [NOT_AT_PORT] =  { NOTHING, DETACH,    NOTHING,  NOTHING,   FORGET    },
    [ELSEWHERE] =    { NOTHING, LEAVE,     LEAVE,    NOTHING,   NOTHING   },
    [HERE_AGAIN] =   { NOTHING, NOTHING,   NOTHING,  DETACH,    NOTHING   },
    [EXPIRED] =      { NOTHING, NOTHING,   NOTHING,  END_LEAVE, FORGET    },
    [RELEASED] =     { NOTHING, FORGET,    FORGET,   FORGET,    FORGET    },
    [EARLIER_ROW] =  { TAKE_UP, MERGE,     MERGE,    MERGE,     MERGE     },
};

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(20, 20);

static void note_undecided(struct handover *, const struct vmmob_key *);
static void vmn_count(struct handover_ofs *, struct handover_vmn *);
static void vmn_renumber(struct handover *, struct handover_vmn *);
static bool vmn_copy_hoas(const struct handover *, const struct handover_ofs *,
                          struct handover_vmn *, const struct vmmob_vmn *);
static bool vmn_prepare(struct handover *, struct handover_ofs *,
                        struct handover_vmn *, struct handover_seat *,
                        long long int now);
static void vmn_follow(struct handover *, struct handover_ofs *,
                       struct handover_vmn *, struct handover_seat *,
                       long long int now);

/* Returns what to do on 'event' about 'vmn', which is null if the OFS knows
 * nothing of it. */
enum action
vmmob_handover_decide(enum event event, const struct handover_vmn *vmn)
{
    BUILD_ASSERT_DECL(HANDOVER_ATTACHED == 0 && HANDOVER_DETACHED == 1
                      && HANDOVER_LEFT == 2 && HANDOVER_PREPARED == 3);
    return actions[event][vmn ? 1 + vmn->state : 0];
}

struct handover_vmn *
vmmob_handover_vmn_create(struct handover_ofs *ofs,
                          const struct vmmob_key *key)
{
    struct handover_vmn *vmn = xzalloc(sizeof *vmn);

    vmmob_vmn_init(&vmn->row, key, ofs->id);
    vmn->port = vmn->counted_port = OFPP_NONE;
    vmn->state = HANDOVER_DETACHED;
    ovs_list_init(&vmn->needy);
    ovs_list_init(&vmn->expiring.node);
    ovs_list_init(&vmn->copying);
    vmn->copy_since = LLONG_MIN;
    hmap_insert(&ofs->vmns, &vmn->node, vmmob_key_hash(key, 0));
    return vmn;
}

void
vmmob_handover_vmn_destroy(struct handover_ofs *ofs, struct handover_vmn *vmn)
{
    vmn->state = HANDOVER_DETACHED;
    vmn_count(ofs, vmn);
    vmmob_handover_vmn_end_copies(ofs, vmn);
    vmmob_handover_stop_watching(ofs, vmn);
    hmap_remove(&ofs->vmns, &vmn->node);
    ovs_list_remove(&vmn->needy);
    ovs_list_remove(&vmn->expiring.node);
    vmmob_vmn_destroy(&vmn->row);
    free(vmn);
}

/* Forgets 'vmn', gives its MoAs back and withdraws its row. */
void
vmmob_handover_vmn_forget(struct handover *h, struct handover_ofs *ofs,
                          struct handover_vmn *vmn, long long int now)
{
    const struct vmmob_key key = vmn->row.key;

    for (size_t i = 0; i < vmn->row.n_pairs; i++) {
        vmmob_pool_give_back(ofs->pool, &vmn->row.pairs[i].moa,
                             now + ofs->settings.quarantine_ms);
    }
    vmmob_handover_remove_row(h, &key, ofs->id);
    vmmob_handover_note_gone(h, &key, ofs->id);
    vmmob_handover_vmn_destroy(ofs, vmn);
    vmmob_handover_vmn_settle(h, &key, now);
}

/* Forgets 'vmn', which is not expected any more. */
void
vmmob_handover_vmn_undo_prepare(struct handover *h, struct handover_ofs *ofs,
                                struct handover_vmn *vmn, long long int now)
{
    COVERAGE_INC(vmmob_prepare_undone);
    vmmob_handover_vmn_forget(h, ofs, vmn, now);
}

void
vmmob_handover_vmn_set_state(struct handover_ofs *ofs,
                             struct handover_vmn *vmn,
                             enum handover_state state, long long int now)
{
    ovs_list_remove(&vmn->expiring.node);
    ovs_list_init(&vmn->expiring.node);

    vmn->state = state;
    vmn->since = now;
    vmn->heard &= state != HANDOVER_DETACHED && state != HANDOVER_PREPARED;
    vmn->no_copies = false;
    vmn->row.state = (state == HANDOVER_PREPARED
                      ? VMMOB_PREPARED : VMMOB_ACTIVE);
    vmn_count(ofs, vmn);
    vmmob_handover_stop_watching(ofs, vmn);
    vmmob_handover_watch_uses(ofs, vmn);
    if (state == HANDOVER_DETACHED) {
        vmn->port = OFPP_NONE;
    } else if (state == HANDOVER_LEFT) {
        vmmob_expiry_insert(&ofs->left, &vmn->expiring,
                            now + ofs->settings.redirect_ms);
    } else if (state == HANDOVER_PREPARED) {
        vmmob_expiry_insert(&ofs->prepared, &vmn->expiring,
                            now + ofs->settings.prepare_ms);
    }
}

/* Notes that 'vmn' is not at the port where it was or was expected. */
void
vmmob_handover_vmn_not_at_port(struct handover *h, struct handover_ofs *ofs,
                               struct handover_vmn *vmn, long long int now)
{
    enum action action = vmmob_handover_decide(NOT_AT_PORT, vmn);

    if (action == DETACH) {
        vmmob_handover_vmn_set_state(ofs, vmn, HANDOVER_DETACHED, now);
        vmmob_handover_touch_vmn(h, &vmn->row.key, false);
        vmmob_handover_vmn_copy(h, ofs, vmn, now);
        note_undecided(h, &vmn->row.key);
    } else if (action == FORGET) {
        vmmob_handover_vmn_undo_prepare(h, ofs, vmn, now);
    }
}

/* Ends redirection to 'vmn', or preparation for it, whose time is over. */
void
vmmob_handover_vmn_expire(struct handover *h, struct handover_ofs *ofs,
                          struct handover_vmn *vmn, long long int now)
{
    enum action action = vmmob_handover_decide(EXPIRED, vmn);

    if (action == END_LEAVE) {
        const struct vmmob_vmn *binding
            = vmmob_table_find_binding(h->table, &vmn->row.key);
        struct handover_move *move = vmmob_handover_tell_move(
            h, HANDOVER_REDIRECTED, &vmn->row.key, ofs->id,
            binding ? binding->ofs : 0, vmn->row.seqno);

        move->since = vmn->since;
        move->n_before = vmn->n_before;
    }
    if (action == END_LEAVE) {
        struct handover_seat *seat = vmmob_handover_find_seat(ofs,
                                                              &vmn->row.key);

        if (seat && vmn_prepare(h, ofs, vmn, seat, now)) {
            return;
        }
    }
    if (action == FORGET) {
        vmmob_handover_seats_use(ofs, &vmn->row.key, OFPP_NONE);
        vmmob_handover_vmn_undo_prepare(h, ofs, vmn, now);
    } else if (action == END_LEAVE) {
        vmmob_handover_vmn_forget(h, ofs, vmn, now);
    }
}

void
vmmob_handover_vmn_publish(struct handover *h, struct handover_vmn *vmn)
{
    if (vmmob_handover_put_row(h, &vmn->row)) {
        vmmob_handover_touch_vmn(h, &vmn->row.key, true);
    }
}

/* Takes MoAs for those HoAs of 'vmn' that have none, and announces them.  The
 * caller must publish the row. */
void
vmmob_handover_vmn_take_moas(struct handover *h, struct handover_ofs *ofs,
                             struct handover_vmn *vmn)
{
    bool needy[VMMOB_N_FAMILIES] = { false, false };

    for (size_t i = 0; i < vmn->row.n_pairs; i++) {
        struct vmmob_pair *pair = &vmn->row.pairs[i];
        enum vmmob_family family = vmmob_addr_family(&pair->hoa);

        if (ipv6_addr_is_set(&pair->moa) || pair->claimed
            || !vmmob_settings_has_pool(&ofs->settings, family)) {
            continue;
        }
        if (!vmmob_handover_is_waiting(ofs)
            && vmmob_pool_take(ofs->pool, &vmn->row.key, &pair->hoa,
                               &pair->moa)) {
            vmmob_handover_announce(h, ofs, &pair->moa, true);
        } else {
            needy[family] = true;
        }
    }

    for (enum vmmob_family f = 0; f < VMMOB_N_FAMILIES; f++) {
        if (needy[f] && !vmmob_handover_is_waiting(ofs)) {
            const char *name = vmmob_family_to_string(f);

            COVERAGE_INC(vmmob_pool_exhausted);
            VLOG_WARN_RL(&rl, "VMN "ETH_ADDR_FMT": no %s mobile address is "
                         "free, so it reaches only local VMNs by %s; enlarge "
                         "vmmob-pool or use vmmob/release",
                         ETH_ADDR_ARGS(vmn->row.key.mac), name, name);
        }
    }
    ovs_list_remove(&vmn->needy);
    ovs_list_init(&vmn->needy);
    if (needy[VMMOB_IPV4] || needy[VMMOB_IPV6]) {
        ovs_list_push_back(&ofs->needy, &vmn->needy);
    }
    vmmob_handover_watch_uses(ofs, vmn);
}

/* Makes the VMN 'key' attached to 'port' of 'ofs', where it was not before.
 * 'vmn' is what 'ofs' knows of it from an earlier stay, or NULL.  'hoa' is a
 * home address that it says it has, or NULL; if 'claimed' is true, another VMN
 * has it.  Returns false if the VMN has no home address that is one at
 * 'ofs'. */
bool
vmmob_handover_vmn_arrive(struct handover *h, struct handover_ofs *ofs,
                          struct handover_vmn *vmn,
                          const struct vmmob_key *key,
                          const struct in6_addr *hoa, bool claimed,
                          ofp_port_t port, long long int now)
{
    const struct vmmob_vmn *binding = vmmob_table_find_binding(h->table, key);
    bool created = !vmn;

    if (!vmn) {
        vmn = vmmob_handover_vmn_create(ofs, key);
    }

    if (binding) {
        vmn_copy_hoas(h, ofs, vmn, binding);
    }
    if (hoa && !vmmob_vmn_find_hoa(&vmn->row, hoa)) {
        vmmob_vmn_set_pair(&vmn->row, hoa, &in6addr_any);
    }
    if (hoa && claimed) {
        struct vmmob_pair *pair = vmmob_vmn_find_hoa(&vmn->row, hoa);

        if (pair) {
            /* An earlier stay does not matter. */
            vmmob_pool_give_back(ofs->pool, &pair->moa,
                                 now + ofs->settings.quarantine_ms);
            pair->moa = in6addr_any;
            pair->claimed = true;
        }
    }
    if (!vmn->row.n_pairs) {
        if (created) {
            vmmob_handover_vmn_destroy(ofs, vmn);
        }
        return false;
    }

    /* At the highest number, the OFS id decides. */
    vmn->row.seqno = (binding
                      ? MIN(binding->seqno, VMMOB_MAX_SEQNO - 1) + 1
                      : MAX(1, vmn->row.seqno));
    vmn->early = vmmob_handover_is_waiting(ofs);
    vmn->port = port;
    vmn->heard = false;

    bool announced = vmmob_handover_has_fresh_seat(ofs, key, port);
    bool expected = vmn->state == HANDOVER_PREPARED;
    vmmob_handover_vmn_end_copies(ofs, vmn);
    vmmob_handover_vmn_set_state(ofs, vmn, HANDOVER_ATTACHED, now);
    vmmob_handover_vmn_hear(h, ofs, vmn);
    /* The MoAs of an earlier stay are to be announced again. */
    for (size_t i = 0; i < vmn->row.n_pairs; i++) {
        if (ipv6_addr_is_set(&vmn->row.pairs[i].moa)) {
            vmmob_handover_announce(h, ofs, &vmn->row.pairs[i].moa, false);
        }
    }
    vmmob_handover_vmn_take_moas(h, ofs, vmn);

    bool moved = binding && binding->ofs != ofs->id;
    uint64_t from = binding ? binding->ofs : 0;

    vmmob_handover_put_row(h, &vmn->row);
    vmmob_handover_touch_vmn(h, key, true);
    if (moved) {
        vmmob_handover_vmn_note_move(h, key, ofs->id, announced, now);
    }

    struct handover_move *move = vmmob_handover_tell_move(
        h, moved ? HANDOVER_CAME : HANDOVER_APPEARED, key, ofs->id,
        moved ? from : 0, vmn->row.seqno);
    move->port = port;
    move->expected = expected;
    vmmob_handover_vmn_settle(h, key, now);
    return true;
}

/* Returns true if the VMN 'key', seen at 'port' of 'ofs', was elsewhere
 * before.  'vmn' is what 'ofs' knows of it, or NULL. */
bool
vmmob_handover_vmn_is_move(const struct handover *h,
                           const struct handover_ofs *ofs,
                           const struct handover_vmn *vmn,
                           const struct vmmob_key *key, ofp_port_t port)
{
    if (vmn && (vmn->state == HANDOVER_ATTACHED
                || vmn->state == HANDOVER_DETACHED)) {
        return vmn->state == HANDOVER_ATTACHED && vmn->port != port;
    }

    const struct vmmob_vmn *binding
        = vmmob_table_find_binding(h->table, key);
    return binding && binding->ofs != ofs->id;
}

/* Notes that the VMN 'key' moved from one OFS to another one, 'to', where it
 * was expected if 'expected' is true. */
void
vmmob_handover_vmn_note_move(struct handover *h, const struct vmmob_key *key,
                             uint64_t to, bool expected, long long int now)
{
    struct handover_ofs *ofs;

    HMAP_FOR_EACH (ofs, node, &h->ofss) {
        const struct handover_vmn *vmn = vmmob_handover_find_vmn(ofs, key);
        /* If its port stays, then it may be there after all, whatever others
         * say: see vmmob_handover_port_gone(). */
        bool leaves = (vmn && vmn->state == HANDOVER_ATTACHED
                       && ofs->id != to);

        /* While it waits, it may not see events in their order. */
        if (!vmmob_handover_is_waiting(ofs) && (!expected || leaves)) {
            vmmob_damping_note_move(&ofs->damping, key, now);
        }
    }
}

/* Decides what follows from changed rows of the VMN 'key'.  If its binding is
 * no longer at the OFS of ours where it was, then it has left.  If its binding
 * is at an OFS that it had left, then whoever claimed it does so no more. */
void
vmmob_handover_vmn_settle(struct handover *h, const struct vmmob_key *key,
                          long long int now)
{
    const struct vmmob_vmn *binding = vmmob_table_find_binding(h->table, key);
    struct handover_vmn *here = NULL;
    struct handover_ofs *ofs;

    vmmob_handover_touch_vmn(h, key, false);
    note_undecided(h, key);
    if (!binding) {
        return;
    }
    HMAP_FOR_EACH (ofs, node, &h->ofss) {
        struct handover_vmn *vmn = vmmob_handover_find_vmn(ofs, key);

        enum action action = vmmob_handover_decide(
            binding->ofs == ofs->id ? HERE_AGAIN : ELSEWHERE, vmn);

        if (action == LEAVE) {
            vmmob_handover_tell_move(h, HANDOVER_WENT, key, ofs->id,
                                     binding->ofs, binding->seqno);
            vmmob_handover_announce_leave(h, ofs, vmn);
            vmmob_handover_vmn_set_state(ofs, vmn, HANDOVER_LEFT, now);
            /* Those that it talked to here will most likely go on. */
            vmmob_key_set_add(&ofs->active, key);
        } else if (action == DETACH) {
            /* Perhaps it was here all the time. */
            VLOG_INFO_RL(&rl, "VMN "ETH_ADDR_FMT": nobody else claims it any "
                         "more, so it is back at OFS "VMMOB_OFS_ID_FMT,
                         ETH_ADDR_ARGS(key->mac), ofs->id);
            vmmob_handover_vmn_set_state(ofs, vmn, HANDOVER_DETACHED, now);
        }
        if (vmn) {
            vmmob_handover_vmn_copy(h, ofs, vmn, now);
            here = binding->ofs == ofs->id ? vmn : here;
        }
    }
    if (here) {
        vmn_renumber(h, here);
    }
}

/* Decides what follows from the seats that the VMN 'key' has at 'ofs', or does
 * not have any more. */
void
vmmob_handover_vmn_reconsider(struct handover *h, struct handover_ofs *ofs,
                              const struct vmmob_key *key, long long int now)
{
    struct handover_vmn *vmn = vmmob_handover_find_vmn(ofs, key);
    struct handover_seat *seat = vmmob_handover_find_seat(ofs, key);
    ofp_port_t port = vmmob_handover_find_only_seat(ofs, key);
    bool expected = seat && ofs->settings.prepare_ms;

    if (port != OFPP_NONE
        && vmmob_handover_decide(SAID_AT_PORT, vmn) == ATTACH) {
        vmmob_handover_vmn_attach(h, ofs, vmn, port, now);
    }

    enum action action = vmmob_handover_decide(expected ? EXPECTED
                                               : NOT_EXPECTED, vmn);
    if (action == PREPARE) {
        vmn_prepare(h, ofs, NULL, seat, now);
    } else if (action == FOLLOW) {
        vmn_follow(h, ofs, vmn, seat, now);
    } else if (action == FORGET && (vmn->port != OFPP_NONE || seat)) {
        vmmob_handover_vmn_undo_prepare(h, ofs, vmn, now);
    }
    vmmob_handover_ask_seats(h, ofs, key, now);
}

/* Attaches 'vmn' to 'port', on the word of somebody who must know. */
void
vmmob_handover_vmn_attach(struct handover *h, struct handover_ofs *ofs,
                          struct handover_vmn *vmn, ofp_port_t port,
                          long long int now)
{
    vmn->port = port;
    vmn->heard = false;
    vmmob_handover_vmn_set_state(ofs, vmn, HANDOVER_ATTACHED, now);
    vmmob_handover_touch_vmn(h, &vmn->row.key, false);
    vmmob_handover_vmn_copy(h, ofs, vmn, now);
}

/* Notes that 'vmn' was heard at its port. */
void
vmmob_handover_vmn_hear(struct handover *h, struct handover_ofs *ofs,
                        struct handover_vmn *vmn)
{
    if (!vmn->heard) {
        vmn->heard = true;
        vmmob_handover_ask_others(h, ofs, &vmn->row.key, vmn->port);
        vmmob_handover_seats_use(ofs, &vmn->row.key, vmn->port);
    }
}

/* Notes that something changed of the VMN 'key': if an OFS of ours has seats
 * for it, then decide() must find out what follows. */
static void
note_undecided(struct handover *h, const struct vmmob_key *key)
{
    struct handover_ofs *ofs;

    HMAP_FOR_EACH (ofs, node, &h->ofss) {
        if (vmmob_handover_has_seat(ofs, key)) {
            vmmob_key_set_add(&h->undecided, key);
        }
    }
}

/* Brings the count of the port of 'vmn' up to date. */
static void
vmn_count(struct handover_ofs *ofs, struct handover_vmn *vmn)
{
    ofp_port_t port = (vmn->state == HANDOVER_ATTACHED
                       ? vmn->port : OFPP_NONE);
    struct port_count *pc;

    if (port == vmn->counted_port) {
        return;
    }
    if (vmn->counted_port != OFPP_NONE) {
        pc = vmmob_handover_find_port_count(ofs, vmn->counted_port);
        if (!--pc->n) {
            hmap_remove(&ofs->port_counts, &pc->node);
            free(pc);
        }
    }
    if (port != OFPP_NONE) {
        pc = vmmob_handover_find_port_count(ofs, port);
        if (!pc) {
            pc = xzalloc(sizeof *pc);
            pc->port = port;
            hmap_insert(&ofs->port_counts, &pc->node,
                        hash_int(ofp_to_u16(port), 0));
        }
        pc->n++;
    }
    vmn->counted_port = port;
}

/* Lowers the sequence number of 'vmn', which is here, if it is so high that
 * others would not believe it: somebody who has no row any more drove it
 * up. */
static void
vmn_renumber(struct handover *h, struct handover_vmn *vmn)
{
    const struct vmmob_entry *entry = vmmob_table_find(h->table,
                                                       &vmn->row.key);
    const struct vmmob_row *row;
    uint64_t max = 0;

    LIST_FOR_EACH (row, node, &entry->rows) {
        if (row->vmn.ofs != vmn->row.ofs) {
            max = MAX(max, row->vmn.seqno);
        }
    }
    if (vmn->row.seqno > max + VMMOB_MAX_SEQNO_GAP) {
        vmn->row.seqno = max + 1;
        vmmob_handover_vmn_publish(h, vmn);
    }
}

/* Takes 'hoa' from 'vmn'.  With its last home address, forgets 'vmn'. */
void
vmmob_handover_vmn_give_back_hoa(struct handover *h, struct handover_ofs *ofs,
                                 struct handover_vmn *vmn,
                                 const struct in6_addr *hoa, long long int now)
{
    struct vmmob_pair *pair = vmmob_vmn_find_hoa(&vmn->row, hoa);

    if (pair && vmn->row.n_pairs > 1) {
        vmmob_pool_give_back(ofs->pool, &pair->moa,
                             now + ofs->settings.quarantine_ms);
        vmmob_vmn_remove_hoa(&vmn->row, hoa);
        vmmob_handover_vmn_publish(h, vmn);
        note_undecided(h, &vmn->row.key);
    } else if (pair) {
        vmmob_handover_vmn_forget(h, ofs, vmn, now);
    }
}

/* Copies the home addresses in 'row' to the VMN at 'ofs'.  Leaves out those
 * that another VMN has here, and those that the VMN only claimed: it can claim
 * them here.  Returns false if another VMN has any of them. */
static bool
vmn_copy_hoas(const struct handover *h, const struct handover_ofs *ofs,
              struct handover_vmn *vmn, const struct vmmob_vmn *row)
{
    bool all = true;

    for (size_t i = 0; i < row->n_pairs; i++) {
        const struct in6_addr *hoa = &row->pairs[i].hoa;
        const struct vmmob_vmn *owner
            = vmmob_table_find_by_hoa(h->table, row->key.tenant, hoa);

        if (!vmmob_handover_is_home(ofs, row->key.tenant, hoa)) {
            continue;
        }

        bool is_taken = owner && !vmmob_key_equals(&owner->key, &row->key);
        if (is_taken && vmmob_handover_find_ofs(h, owner->ofs)) {
            all = false;
        } else if ((!is_taken || ipv6_addr_is_set(&row->pairs[i].moa))
                   && !vmmob_vmn_find_hoa(&vmn->row, hoa)) {
            vmmob_vmn_set_pair(&vmn->row, hoa, &in6addr_any);
        }
    }
    return all;
}

/* Returns the row of the VMN 'key' that says what 'ofs' prepares for, or NULL
 * if the VMN is not elsewhere. */
static const struct vmmob_vmn *
find_elsewhere(const struct handover *h, const struct handover_ofs *ofs,
               const struct vmmob_key *key)
{
    const struct vmmob_vmn *binding = vmmob_table_find_binding(h->table, key);

    return (binding && binding->ofs != ofs->id
            && binding->state == VMMOB_ACTIVE ? binding : NULL);
}

/* Gives 'vmn', which is expected at 'seat', the home addresses and the
 * sequence number of 'row', by which it is elsewhere.  Returns true if that
 * changed something. */
static bool
vmn_take_over(struct handover *h, struct handover_ofs *ofs,
              struct handover_vmn *vmn, struct handover_seat *seat,
              const struct vmmob_vmn *row, long long int now)
{
    size_t n = vmn->row.n_pairs;
    bool changed = vmn->row.seqno != row->seqno;

    for (size_t i = 0; i < vmn->row.n_pairs;) {
        const struct vmmob_pair pair = vmn->row.pairs[i];

        if (vmmob_vmn_find_hoa(row, &pair.hoa)) {
            i++;
        } else {
            vmmob_pool_give_back(ofs->pool, &pair.moa,
                                 now + ofs->settings.quarantine_ms);
            vmmob_vmn_remove_hoa(&vmn->row, &pair.hoa);
            changed = true;
            n--;
        }
    }
    vmn->row.seqno = row->seqno;

    bool all = vmn_copy_hoas(h, ofs, vmn, row);

    ovs_list_remove(&seat->short_node);
    ovs_list_init(&seat->short_node);
    if (!all) {
        ovs_list_push_back(&ofs->short_seats, &seat->short_node);
    }
    return changed || vmn->row.n_pairs != n;
}

/* Prepares 'ofs' for the VMN that is expected at 'seat', if it is elsewhere
 * now.  'vmn' is what 'ofs' knows of it from an earlier stay, or NULL.
 * Returns true if successful. */
static bool
vmn_prepare(struct handover *h, struct handover_ofs *ofs,
            struct handover_vmn *vmn, struct handover_seat *seat,
            long long int now)
{
    const struct vmmob_vmn *row = find_elsewhere(h, ofs, &seat->key);

    if (!ofs->settings.prepare_ms || vmmob_handover_is_waiting(ofs) || !row) {
        return false;
    }

    bool created = !vmn;
    if (created) {
        vmn = vmmob_handover_vmn_create(ofs, &seat->key);
    }
    vmn_take_over(h, ofs, vmn, seat, row, now);
    if (!vmn->row.n_pairs) {
        if (created) {
            vmmob_handover_vmn_destroy(ofs, vmn);
        }
        return false;
    }
    VLOG_INFO_RL(&rl, "VMN "ETH_ADDR_FMT": expected here (OFS "
                 VMMOB_OFS_ID_FMT", port %"PRIu32"), now at OFS "
                 VMMOB_OFS_ID_FMT, ETH_ADDR_ARGS(seat->key.mac), ofs->id,
                 seat->port, row->ofs);
    vmn->port = seat->port;
    vmmob_handover_vmn_set_state(ofs, vmn, HANDOVER_PREPARED, now);
    vmmob_handover_vmn_take_moas(h, ofs, vmn);
    vmmob_handover_vmn_publish(h, vmn);
    vmmob_handover_vmn_settle(h, &seat->key, now);
    return true;
}

/* Takes over what changed of 'vmn', which is expected at 'seat', since it was
 * prepared for. */
static void
vmn_follow(struct handover *h, struct handover_ofs *ofs,
           struct handover_vmn *vmn, struct handover_seat *seat,
           long long int now)
{
    const struct vmmob_vmn *row = find_elsewhere(h, ofs, &seat->key);

    if (vmn->port != seat->port) {
        vmn->port = seat->port;
        vmmob_handover_touch_vmn(h, &seat->key, false);
    }
    if (row && vmn_take_over(h, ofs, vmn, seat, row, now)) {
        if (vmn->row.n_pairs) {
            vmmob_handover_vmn_take_moas(h, ofs, vmn);
            vmmob_handover_vmn_publish(h, vmn);
            vmmob_handover_vmn_settle(h, &seat->key, now);
        } else {
            vmmob_handover_vmn_undo_prepare(h, ofs, vmn, now);
        }
    }
}
