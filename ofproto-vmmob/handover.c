/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/handover.h"

#include "coverage.h"
#include "flow.h"
#include "hash.h"
#include "ofproto-vmmob/pool.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "util.h"
#include "vmmob-hash.h"
#include "vmmob-msg.h"

VLOG_DEFINE_THIS_MODULE(vmmob_handover);

COVERAGE_DEFINE(vmmob_copy_begun);
COVERAGE_DEFINE(vmmob_copy_expired);
COVERAGE_DEFINE(vmmob_copy_refused);
COVERAGE_DEFINE(vmmob_hoa_takeover);
COVERAGE_DEFINE(vmmob_moa_lost);
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
 *  expected at  | if it is  |           |           | note the  | note the
 *  a port       | elsewhere,|           |           | port      | port
 *               | take MoAs:|           |           |           |
 *               | PREPARED  |           |           |           |
 *  not expected |           |           |           | forget the| give MoAs
 *  there        |           |           |           | port      | back: -
 *  any more     |           |           |           |           |
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
 * "seqno + 1" is one more than the highest that is known of the VMN, as with
 * MAC mobility in RFC 7432 section 7.7.  The row of a VMN is published in all
 * columns but the first, and withdrawn with the VMN.  While PREPARED, its row
 * says so: then it is not in force while there is another that does not, and
 * it says where the VMN will be, not that it is there.  So nothing but a
 * packet from the VMN itself moves it, and it moves just as well if nobody
 * expected it.
 *
 * (*) Nothing if it was elsewhere and is frozen; see damping.h. */

enum event {
    SEEN,
    SAID_AT_PORT,
    EXPECTED,
    NOT_EXPECTED,
    NOT_AT_PORT,
    ELSEWHERE,
    HERE_AGAIN,
    EXPIRED,
    RELEASED,
    EARLIER_ROW,
    N_EVENTS
};

enum action {
    NOTHING,                    /* Stay. */
    ARRIVE,                     /* To ATTACHED, see vmn_arrive(). */
    NOTE_PORT,                  /* Stay, perhaps at another port. */
    ATTACH,                     /* To ATTACHED, it was here all the time. */
    DETACH,                     /* To DETACHED. */
    LEAVE,                      /* To LEFT. */
    PREPARE,                    /* To PREPARED, see vmn_prepare(). */
    FORGET,                     /* To "-", see vmn_forget(). */
    END_LEAVE,                  /* To PREPARED or "-". */
    TAKE_UP,                    /* To what the row says, with it. */
    MERGE                       /* Stay, with the row's seqno if higher, and
                                 * those of its addresses that are new. */
};

/* The table above. */
static const enum action actions[N_EVENTS][5] = {
    /*                 -        ATTACHED   DETACHED  LEFT       PREPARED */
    [SEEN] =         { ARRIVE,  NOTE_PORT, ATTACH,   ARRIVE,    ARRIVE    },
    [SAID_AT_PORT] = { NOTHING, NOTHING,   ATTACH,   NOTHING,   NOTHING   },
    [EXPECTED] =     { PREPARE, NOTHING,   NOTHING,  NOTE_PORT, NOTE_PORT },
    [NOT_EXPECTED] = { NOTHING, NOTHING,   NOTHING,  NOTE_PORT, FORGET    },
    [NOT_AT_PORT] =  { NOTHING, DETACH,    NOTHING,  NOTHING,   FORGET    },
    [ELSEWHERE] =    { NOTHING, LEAVE,     LEAVE,    NOTHING,   NOTHING   },
    [HERE_AGAIN] =   { NOTHING, NOTHING,   NOTHING,  DETACH,    NOTHING   },
    [EXPIRED] =      { NOTHING, NOTHING,   NOTHING,  END_LEAVE, FORGET    },
    [RELEASED] =     { NOTHING, FORGET,    FORGET,   FORGET,    FORGET    },
    [EARLIER_ROW] =  { TAKE_UP, MERGE,     MERGE,    MERGE,     MERGE     },
};

/* Returns what to do on 'event' about 'vmn', which is null if the OFS knows
 * nothing of it. */
static enum action
decide(enum event event, const struct handover_vmn *vmn)
{
    BUILD_ASSERT_DECL(HANDOVER_ATTACHED == 0 && HANDOVER_DETACHED == 1
                      && HANDOVER_LEFT == 2 && HANDOVER_PREPARED == 3);
    return actions[event][vmn ? 1 + vmn->state : 0];
}

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(20, 20);

/* The key of a VMN in a set. */
struct key_node {
    struct hmap_node node;
    struct vmmob_key key;
    bool publish;               /* In 'dirty_vmns': the rows of our OFSs for it
                                 * changed. */
};

/* How many VMNs have copies sent to an OFS. */
struct copy_count {
    struct hmap_node node;
    uint64_t ofs;
    size_t n;
};

/* How many VMNs are attached to a port. */
struct port_count {
    struct hmap_node node;
    ofp_port_t port;
    size_t n;
};

/* The id of an OFS in a set. */
struct id_node {
    struct hmap_node node;
    uint64_t id;
};

static struct key_node *key_set_find(const struct hmap *,
                                     const struct vmmob_key *);
static struct key_node *key_set_add(struct hmap *, const struct vmmob_key *);
static struct id_node *id_set_find(const struct hmap *, uint64_t id);
static void touch_vmn(struct handover *, const struct vmmob_key *,
                      bool publish);
static void note_gone(struct handover *, const struct vmmob_key *,
                      uint64_t ofs);
static void touch_ofs(struct handover *, uint64_t id);
static void touch_owners(struct handover *, const struct vmmob_vmn *);
static void touch_rivals(struct handover *, const struct vmmob_key *);
static void touch_vmns_of(struct handover *, uint64_t ofs);
static bool put_row(struct handover *, const struct vmmob_vmn *);
static bool remove_row(struct handover *, const struct vmmob_key *,
                       uint64_t ofs);
static void announce(struct handover *, const struct handover_ofs *,
                     const struct in6_addr *moa, bool fresh);

static struct handover_vmn *vmn_create(struct handover_ofs *,
                                       const struct vmmob_key *);
static void vmn_destroy(struct handover_ofs *, struct handover_vmn *);
static void vmn_forget(struct handover *, struct handover_ofs *,
                       struct handover_vmn *, long long int now);
static void vmn_set_state(struct handover_ofs *, struct handover_vmn *,
                          enum handover_state, long long int now);
static struct port_count *find_port_count(const struct handover_ofs *,
                                          ofp_port_t);
static void vmn_count(struct handover_ofs *, struct handover_vmn *);
static void insert_by_expiry(struct ovs_list *, struct handover_vmn *);
static long long int next_expiry(const struct ovs_list *);
static long long int next_copy_event(const struct handover_ofs *);
static void vmn_not_at_port(struct handover *, struct handover_ofs *,
                            struct handover_vmn *, long long int now);
static void vmn_expire(struct handover *, struct handover_ofs *,
                       struct handover_vmn *, long long int now);
static void vmn_publish(struct handover *, struct handover_vmn *);
static void vmn_renumber(struct handover *, struct handover_vmn *);
static void vmn_copy(struct handover *, struct handover_ofs *,
                     struct handover_vmn *, long long int now);
static void vmn_set_copy(struct handover *, struct handover_ofs *,
                         struct handover_vmn *, uint64_t to);
static void vmn_end_copies(struct handover_ofs *, struct handover_vmn *);
static void ofs_run_copies(struct handover *, struct handover_ofs *,
                           long long int now);
static void vmn_take_moas(struct handover *, struct handover_ofs *,
                          struct handover_vmn *);
static void vmn_give_back_hoa(struct handover *, struct handover_ofs *,
                              struct handover_vmn *,
                              const struct in6_addr *hoa, long long int now);
static void vmn_copy_hoas(const struct handover *,
                          const struct handover_ofs *, struct handover_vmn *,
                          const struct vmmob_vmn *);
static bool vmn_prepare(struct handover *, struct handover_ofs *,
                        struct handover_vmn *, const struct vmmob_key *,
                        ofp_port_t port, long long int now);
static bool vmn_arrive(struct handover *, struct handover_ofs *,
                       struct handover_vmn *, const struct vmmob_key *,
                       const struct in6_addr *hoa, ofp_port_t port,
                       long long int now);
static bool is_move(const struct handover *, const struct handover_ofs *,
                    const struct handover_vmn *, const struct vmmob_key *,
                    ofp_port_t port);
static void note_move(struct handover *, const struct vmmob_key *,
                      long long int now);
static struct handover_move *tell_move(struct handover *,
                                       enum handover_move_kind,
                                       const struct vmmob_key *, uint64_t ofs,
                                       uint64_t other, uint64_t seqno);
static void settle(struct handover *, const struct vmmob_key *,
                   long long int now);
static bool claim_hoa(struct handover *, struct handover_ofs *,
                      const struct vmmob_key *, ofp_port_t port,
                      const struct in6_addr *hoa, long long int now);
static void ofs_fill(struct handover *, struct handover_ofs *);
static void ofs_stop_waiting(struct handover *, struct handover_ofs *,
                             long long int now);
static void ofs_stop_being_blind(struct handover *, struct handover_ofs *);
static bool is_ofs_marked(const struct handover *, uint64_t id);
static void ofs_reconsider(struct handover *, struct handover_ofs *,
                           long long int now);
static void ofs_adopt(struct handover *, struct handover_ofs *,
                      long long int now);
static void restore(struct handover *, struct handover_ofs *,
                    const struct vmmob_vmn *, long long int now);
static void receive_vmn(struct handover *, const struct vmmob_vmn *,
                        long long int now);
static void receive_ofs(struct handover *, const struct vmmob_ofs *);
static void receive_site(struct handover *, const struct vmmob_ofs *);

const char *
handover_state_to_string(enum handover_state state)
{
    switch (state) {
    case HANDOVER_ATTACHED:
        return "attached";
    case HANDOVER_DETACHED:
        return "detached";
    case HANDOVER_LEFT:
        return "left";
    case HANDOVER_PREPARED:
        return "prepared";
    default:
        OVS_NOT_REACHED();
    }
}

struct handover *
handover_create(void)
{
    struct handover *h = xzalloc(sizeof *h);

    h->table = vmmob_table_create();
    hmap_init(&h->ofss);
    port_table_init(&h->ports);
    hmap_init(&h->reserved);
    hmap_init(&h->dirty_vmns);
    hmap_init(&h->dirty_ofss);
    return h;
}

void
handover_destroy(struct handover *h)
{
    if (h) {
        struct handover_effects effects;
        struct handover_ofs *ofs;
        struct vmmob_msg msg;
        struct id_node *in;

        HMAP_FOR_EACH_SAFE (ofs, node, &h->ofss) {
            handover_remove(h, ofs->id, false, 0);
        }
        vmmob_msg_init(&msg, VMMOB_MSG_UPDATE);
        handover_take_effects(h, &effects, &msg);
        handover_effects_uninit(&effects);
        vmmob_msg_uninit(&msg);

        hmap_destroy(&h->ofss);
        port_table_destroy(&h->ports);
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

/* Makes 'record' one of the OFSs of 'h', or updates it.  'settings' are its
 * settings; both are copied, but for the name of the site, which comes from
 * the agent. */
void
handover_configure(struct handover *h, const struct vmmob_ofs *record,
                   const struct vmmob_settings *settings, long long int now)
{
    struct handover_ofs *ofs = handover_find_ofs(h, record->id);
    bool created = false;
    bool changed = true;

    if (!ofs) {
        ofs = xzalloc(sizeof *ofs);
        hmap_insert(&h->ofss, &ofs->node, vmmob_hash_uint64(record->id, 0));
        ofs->id = record->id;
        vmmob_table_set_own(h->table, ofs->id, true);
        ofs->pool = pool_create();
        hmap_init(&ofs->vmns);
        ovs_list_init(&ofs->needy);
        ovs_list_init(&ofs->left);
        ovs_list_init(&ofs->prepared);
        ovs_list_init(&ofs->copying);
        ovs_list_init(&ofs->copied);
        hmap_init(&ofs->copy_counts);
        hmap_init(&ofs->active);
        hmap_init(&ofs->port_counts);
        damping_init(&ofs->damping);
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
        pool_configure(ofs->pool, settings->pools, settings->n_pools,
                       &settings->network, &settings->gateway);
        damping_configure(&ofs->damping, settings->max_moves,
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
        touch_vmns_of(h, ofs->id);
        handover_touch(h, ofs);
    }
    vmmob_ofs_destroy(&self);
    if (created) {
        ofs_adopt(h, ofs, now);
    }
}

/* Notes that the rules of 'ofs', one of the OFSs of 'h', may have to change
 * although nothing did that 'h' knows of. */
void
handover_touch(struct handover *h, const struct handover_ofs *ofs)
{
    const struct handover_vmn *vmn;
    const struct key_node *kn;

    touch_ofs(h, ofs->id);
    HMAP_FOR_EACH (vmn, node, &ofs->vmns) {
        touch_vmn(h, &vmn->row.key, false);
    }
    HMAP_FOR_EACH (kn, node, &ofs->active) {
        touch_vmn(h, &kn->key, false);
    }
}

/* Removes the OFS with the given 'id' from 'h'.  If 'withdraw' is true, then
 * nobody is to know of it any more; otherwise it is to be found again when the
 * switch is restarted. */
void
handover_remove(struct handover *h, uint64_t id, bool withdraw,
                long long int now)
{
    struct handover_ofs *ofs = handover_find_ofs(h, id);
    struct handover_vmn *vmn;
    struct key_node *kn;

    if (!ofs) {
        return;
    }

    vmmob_table_remove_ofs(h->table, id);
    HMAP_FOR_EACH_SAFE (vmn, node, &ofs->vmns) {
        const struct vmmob_key key = vmn->row.key;

        remove_row(h, &key, id);
        if (withdraw) {
            note_gone(h, &key, id);
        }
        vmn_destroy(ofs, vmn);
        settle(h, &key, now);
    }
    vmmob_table_set_own(h->table, id, false);
    if (withdraw) {
        touch_ofs(h, id);
    }

    HMAP_FOR_EACH_POP (kn, node, &ofs->active) {
        free(kn);
    }
    hmap_destroy(&ofs->active);
    hmap_destroy(&ofs->port_counts);
    hmap_destroy(&ofs->copy_counts);
    damping_destroy(&ofs->damping);
    hmap_destroy(&ofs->vmns);
    pool_destroy(ofs->pool);
    vmmob_settings_destroy(&ofs->settings);
    hmap_remove(&h->ofss, &ofs->node);
    free(ofs);
}

/* Notes whether 'id' is that of a bridge which is to be an OFS of 'h', but
 * cannot be one yet.  What it wrote in an earlier life is to stay published,
 * so that its VMNs keep their MoAs. */
void
handover_reserve(struct handover *h, uint64_t id, bool reserve)
{
    struct id_node *in = id_set_find(&h->reserved, id);

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
handover_set_peers(struct handover *h, bool has_peers)
{
    if (has_peers != h->has_peers) {
        struct handover_ofs *ofs;

        h->has_peers = has_peers;
        HMAP_FOR_EACH (ofs, node, &h->ofss) {
            touch_ofs(h, ofs->id);
        }
    }
}

struct handover_ofs *
handover_find_ofs(const struct handover *h, uint64_t id)
{
    struct handover_ofs *ofs;

    HMAP_FOR_EACH_WITH_HASH (ofs, node, vmmob_hash_uint64(id, 0), &h->ofss) {
        if (ofs->id == id) {
            return ofs;
        }
    }
    return NULL;
}

/* A packet from the VMN 'key' came in by 'port' of 'ofs'.  'hoa' is the home
 * address that it says it has, or NULL if the packet says nothing of that (as
 * a RARP does) or if the address is not for a VMN (see handover_is_home()).
 *
 * This is the only event that makes a VMN move here, whatever the packet. */
enum handover_sighting
handover_sight(struct handover *h, struct handover_ofs *ofs,
               const struct vmmob_key *key, ofp_port_t port,
               const struct in6_addr *hoa, long long int now)
{
    struct handover_vmn *vmn = handover_find_vmn(ofs, key);

    if (is_move(h, ofs, vmn, key, port)
        && damping_is_frozen(&ofs->damping, key)) {
        return SIGHTED_FROZEN;
    }
    if (ofs->settings.max_vmns
        && (vmn || hoa || vmmob_table_find_binding(h->table, key))
        && !(vmn && vmn->state == HANDOVER_ATTACHED && vmn->port == port)
        && handover_count_port(ofs, port) >= ofs->settings.max_vmns) {
        return SIGHTED_PORT_FULL;
    }
    if (hoa && !claim_hoa(h, ofs, key, port, hoa, now)) {
        return SIGHTED_CONFLICT;
    }

    enum action action = decide(SEEN, vmn);
    if (action == ARRIVE) {
        return (vmn_arrive(h, ofs, vmn, key, hoa, port, now)
                ? SIGHTED_HERE : SIGHTED_NO_HOA);
    }
    if (action == ATTACH || vmn->port != port) {
        if (action == NOTE_PORT) {
            damping_note_move(&ofs->damping, key, now);
        }
        vmn->port = port;
        vmn_set_state(ofs, vmn, HANDOVER_ATTACHED, now);
        touch_vmn(h, key, false);
        vmn_copy(h, ofs, vmn, now);
    }
    if (hoa && !vmmob_vmn_find_hoa(&vmn->row, hoa)) {
        if (!vmmob_vmn_set_pair(&vmn->row, hoa, &in6addr_any)) {
            VLOG_WARN_RL(&rl, "VMN "ETH_ADDR_FMT": has %d home addresses "
                         "already, ignoring another one",
                         ETH_ADDR_ARGS(key->mac), VMMOB_MAX_PAIRS);
            return SIGHTED_FULL;
        }
        vmn_take_moas(h, ofs, vmn);
        vmn_publish(h, vmn);
    }
    return SIGHTED_HERE;
}

/* The VMN 'key' is at 'port' of 'ofs', as somebody says who must know.  That
 * tells where to send what is for it, if it is here, but not that it is: so
 * nothing changes unless it is detached. */
void
handover_attach(struct handover *h, struct handover_ofs *ofs,
                const struct vmmob_key *key, ofp_port_t port,
                long long int now)
{
    struct handover_vmn *vmn = handover_find_vmn(ofs, key);

    if (decide(SAID_AT_PORT, vmn) == ATTACH) {
        vmn->port = port;
        vmn_set_state(ofs, vmn, HANDOVER_ATTACHED, now);
        touch_vmn(h, key, false);
        vmn_copy(h, ofs, vmn, now);
    }
}

/* The VMN 'key' is not at the port of 'ofs' where it was. */
void
handover_detach(struct handover *h, struct handover_ofs *ofs,
                const struct vmmob_key *key, long long int now)
{
    struct handover_vmn *vmn = handover_find_vmn(ofs, key);

    if (vmn) {
        vmn_not_at_port(h, ofs, vmn, now);
    }
}

/* 'port' of 'ofs' is gone, or is another one from now on. */
void
handover_port_gone(struct handover *h, struct handover_ofs *ofs,
                   ofp_port_t port, long long int now)
{
    struct handover_vmn *vmn;

    HMAP_FOR_EACH_SAFE (vmn, node, &ofs->vmns) {
        if (vmn->expected == port) {
            vmn->expected = OFPP_NONE;
        }
        if (vmn->port == port) {
            vmn_not_at_port(h, ofs, vmn, now);
        }
    }
}

/* 'port' of 'ofs' was added for the VMN 'key', as the hypervisor does for a
 * migration, before the VM runs there.  Has 'ofs' prepare for it, unless it is
 * here or nobody knows it yet. */
void
handover_expect(struct handover *h, struct handover_ofs *ofs,
                const struct vmmob_key *key, ofp_port_t port,
                long long int now)
{
    struct handover_vmn *vmn = handover_find_vmn(ofs, key);
    enum action action = decide(EXPECTED, vmn);

    if (action == PREPARE) {
        vmn_prepare(h, ofs, NULL, key, port, now);
    } else if (action == NOTE_PORT && vmn->state == HANDOVER_LEFT) {
        vmn->expected = port;
    } else if (action == NOTE_PORT && vmn->port != port) {
        vmn->port = port;
        touch_vmn(h, key, false);
    }
}

/* 'port' of 'ofs' is not for the VMN 'key' any more: a migration has failed,
 * or somebody has thought better of it. */
void
handover_unexpect(struct handover *h, struct handover_ofs *ofs,
                  const struct vmmob_key *key, ofp_port_t port,
                  long long int now)
{
    struct handover_vmn *vmn = handover_find_vmn(ofs, key);
    enum action action = decide(NOT_EXPECTED, vmn);

    if (action == FORGET && vmn->port == port) {
        COVERAGE_INC(vmmob_prepare_undone);
        vmn_forget(h, ofs, vmn, now);
    } else if (action == NOTE_PORT && vmn->expected == port) {
        vmn->expected = OFPP_NONE;
    }
}

/* A VMN at 'ofs' and the VMN 'remote' have packets for each other.  Returns
 * true if 'remote' is not at 'ofs' and its rules are to be installed because
 * of that. */
bool
handover_talk(struct handover *h, struct handover_ofs *ofs,
              const struct vmmob_key *remote)
{
    const struct vmmob_vmn *binding
        = vmmob_table_find_binding(h->table, remote);

    if (!binding || binding->ofs == ofs->id) {
        return false;
    }
    if (key_set_find(&ofs->active, remote)) {
        /* No rule took the packet all the same.  'remote' may be the owner of
         * its home address only since another claimant is gone. */
        touch_vmn(h, remote, false);
        return false;
    }
    key_set_add(&ofs->active, remote);
    touch_vmn(h, remote, false);
    return true;
}

/* The VMN 'key', which is at 'ofs', gets more packets than those where it is
 * expected should have a copy of. */
void
handover_stop_copies(struct handover *h, struct handover_ofs *ofs,
                     const struct vmmob_key *key)
{
    struct handover_vmn *vmn = handover_find_vmn(ofs, key);

    if (vmn && !vmn->no_copies) {
        vmn->no_copies = true;
        touch_vmn(h, key, false);
    }
}

/* No packets go between VMNs at 'ofs' and the VMN 'remote' any more. */
void
handover_quiet(struct handover *h, struct handover_ofs *ofs,
               const struct vmmob_key *remote)
{
    struct key_node *kn = key_set_find(&ofs->active, remote);

    if (kn) {
        hmap_remove(&ofs->active, &kn->node);
        free(kn);
        touch_vmn(h, remote, false);
    }
}

/* Forgets the VMN 'key' at every OFS of this switch, until it is seen again,
 * and lets it move here again if it was frozen.  Returns the number of OFSs
 * for which that changed something. */
size_t
handover_release(struct handover *h, const struct vmmob_key *key,
                 long long int now)
{
    struct handover_ofs *ofs;
    size_t n = 0;

    HMAP_FOR_EACH (ofs, node, &h->ofss) {
        struct handover_vmn *vmn = handover_find_vmn(ofs, key);
        bool frozen = damping_release(&ofs->damping, key);

        n += vmn || frozen;
        if (decide(RELEASED, vmn) == FORGET) {
            vmn_forget(h, ofs, vmn, now);
        }
    }
    return n;
}

/* Takes 'msg' from the agent into account. */
void
handover_receive(struct handover *h, const struct vmmob_msg *msg,
                 long long int now)
{
    struct handover_ofs *ofs;

    if (!h->receiving) {
        /* Nobody can tell the order of what is told all at once. */
        vmmob_table_tick(h->table);
    }
    switch (msg->type) {
    case VMMOB_MSG_BEGIN:
        vmmob_table_mark(h->table);
        port_table_mark(&h->ports);
        h->receiving = true;
        h->partial = false;
        break;

    case VMMOB_MSG_UPDATE:
        port_table_update(&h->ports, msg);
        h->partial |= msg->partial;
        for (size_t i = 0; i < msg->n_ofss; i++) {
            const struct vmmob_ofs *row = &msg->ofss[i];

            if (handover_find_ofs(h, row->id)) {
                receive_site(h, row);
            } else {
                receive_ofs(h, row);
            }
        }
        for (size_t i = 0; i < msg->n_vmns; i++) {
            const struct vmmob_vmn *row = &msg->vmns[i];

            ofs = handover_find_ofs(h, row->ofs);
            if (!ofs) {
                receive_vmn(h, row, now);
            } else if (h->receiving && !ofs->restored) {
                restore(h, ofs, row, now);
            }
        }
        for (size_t i = 0; i < msg->n_del_vmns; i++) {
            const struct vmmob_row_id *id = &msg->del_vmns[i];

            if (!handover_find_ofs(h, id->ofs)
                && remove_row(h, &id->key, id->ofs)) {
                settle(h, &id->key, now);
            }
        }
        for (size_t i = 0; i < msg->n_del_ofss; i++) {
            if (!handover_find_ofs(h, msg->del_ofss[i])
                && vmmob_table_remove_ofs(h->table, msg->del_ofss[i])) {
                touch_ofs(h, msg->del_ofss[i]);
                touch_vmns_of(h, msg->del_ofss[i]);
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

        /* Remove what the others do not say any more.  But keep what is known
         * of an OFS, and from it, while its site's database was not read. */
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
        handover_receive(h, &gone, now);
        vmmob_msg_uninit(&gone);
        port_table_sweep(&h->ports);

        HMAP_FOR_EACH (ofs, node, &h->ofss) {
            ofs->seek |= !ofs->restored;
            ofs->restored = true;
            ofs_stop_waiting(h, ofs, now);
            /* If it did not wait that long, then others may have the MoAs of
             * those that were restored. */
            ofs_fill(h, ofs);
            if (h->complete) {
                ofs_stop_being_blind(h, ofs);
            }
        }
        break;
    }
    }
}

/* Does what is due at 'now'. */
void
handover_run(struct handover *h, long long int now)
{
    struct handover_ofs *ofs;

    HMAP_FOR_EACH (ofs, node, &h->ofss) {
        struct handover_vmn *vmn;

        if (handover_is_waiting(ofs) && now >= ofs->wait_until) {
            ofs_stop_waiting(h, ofs, now);
        }
        if (now >= ofs->blind_until) {
            ofs_stop_being_blind(h, ofs);
        }
        LIST_FOR_EACH_SAFE (vmn, expiring, &ofs->left) {
            if (vmn->expires > now) {
                break;
            }
            vmn_expire(h, ofs, vmn, now);
        }
        LIST_FOR_EACH_SAFE (vmn, expiring, &ofs->prepared) {
            if (vmn->expires > now) {
                break;
            }
            vmn_expire(h, ofs, vmn, now);
        }
        ofs_run_copies(h, ofs, now);
        damping_run(&ofs->damping, now);
        if (pool_run(ofs->pool, now)) {
            ofs_fill(h, ofs);
        }
    }
}

/* Returns the time, in ms, when handover_run() has something to do next, or
 * LLONG_MAX. */
long long int
handover_next_event(const struct handover *h)
{
    long long int next = LLONG_MAX;
    struct handover_ofs *ofs;

    HMAP_FOR_EACH (ofs, node, &h->ofss) {
        if (handover_is_waiting(ofs)) {
            next = MIN(next, ofs->wait_until);
        }
        if (ofs->blind_until != LLONG_MIN) {
            next = MIN(next, ofs->blind_until);
        }
        next = MIN(next, next_expiry(&ofs->left));
        next = MIN(next, next_expiry(&ofs->prepared));
        next = MIN(next, next_copy_event(ofs));
        next = MIN(next, pool_next_event(ofs->pool));
        next = MIN(next, damping_next_event(&ofs->damping));
    }
    return next;
}

struct handover_vmn *
handover_find_vmn(const struct handover_ofs *ofs, const struct vmmob_key *key)
{
    struct handover_vmn *vmn;

    HMAP_FOR_EACH_WITH_HASH (vmn, node, vmmob_key_hash(key, 0), &ofs->vmns) {
        if (vmmob_key_equals(&vmn->row.key, key)) {
            return vmn;
        }
    }
    return NULL;
}

/* Returns true if rules for the remote VMN 'key' are wanted at 'ofs'. */
bool
handover_is_active(const struct handover_ofs *ofs, const struct vmmob_key *key)
{
    return key_set_find(&ofs->active, key) != NULL;
}

/* Returns true if 'addr' can be the home address of a VMN at 'ofs': if it is
 * in the home subnet, is neither its gateway's address nor its first or its
 * last one. */
bool
handover_is_home(const struct handover_ofs *ofs, const struct in6_addr *addr)
{
    const struct vmmob_prefix *home = &ofs->settings.home;
    struct in6_addr last = vmmob_prefix_last(home);

    return (vmmob_prefix_contains(home, addr)
            && !ipv6_addr_equals(addr, &ofs->settings.home_gateway)
            && !ipv6_addr_equals(addr, &home->addr)
            && !ipv6_addr_equals(addr, &last));
}

/* Returns true if 'ofs' does not hand out MoAs yet. */
bool
handover_is_waiting(const struct handover_ofs *ofs)
{
    return ofs->wait_until != LLONG_MIN;
}

/* Returns the number of VMNs that are attached to 'port' of 'ofs'. */
size_t
handover_count_port(const struct handover_ofs *ofs, ofp_port_t port)
{
    const struct port_count *pc = find_port_count(ofs, port);

    return pc ? pc->n : 0;
}

/* Returns true if there may be VMNs and OFSs at other sites of which 'h' does
 * not know yet, so that a packet from an unknown sender is perhaps not to be
 * delivered as it is. */
bool
handover_is_blind(const struct handover *h, const struct handover_ofs *ofs)
{
    return h->has_peers && ofs->blind_until != LLONG_MIN;
}

/* Returns how long at most, in ms, the packets for a VMN at 'ofs' are copied
 * to where it is expected.  After that there is a pause that takes as long. */
long long int
handover_get_copy_ms(const struct handover_ofs *ofs)
{
    /* It may be that it prepares for none itself. */
    return (ofs->settings.prepare_ms ? ofs->settings.prepare_ms
            : VMMOB_DEFAULT_PREPARE_MS);
}

bool
handover_has_effects(const struct handover *h)
{
    return (!hmap_is_empty(&h->dirty_vmns) || !hmap_is_empty(&h->dirty_ofss)
            || h->n_gone || h->n_announcements);
}

/* Takes from 'h' what is to be done, into '*effects', which the caller must
 * eventually pass to handover_effects_uninit(), and into 'update', an
 * initialized VMMOB_MSG_UPDATE for the agent. */
void
handover_take_effects(struct handover *h, struct handover_effects *effects,
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

                if (row) {
                    vmmob_msg_put_vmn(update, row);
                }
            }
        }
        free(kn);
    }

    effects->ofss = xmalloc(hmap_count(&h->dirty_ofss)
                            * sizeof *effects->ofss);
    HMAP_FOR_EACH_POP (in, node, &h->dirty_ofss) {
        effects->ofss[effects->n_ofss++] = in->id;
        if (handover_find_ofs(h, in->id)) {
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

void
handover_effects_uninit(struct handover_effects *effects)
{
    free(effects->vmns);
    free(effects->ofss);
    free(effects->announcements);
}

/* Adds to 'update', an initialized VMMOB_MSG_UPDATE, every row of which this
 * switch is the author. */
void
handover_get_authored(const struct handover *h, struct vmmob_msg *update)
{
    struct handover_ofs *ofs;

    HMAP_FOR_EACH (ofs, node, &h->ofss) {
        struct handover_vmn *vmn;

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

        if (!ofs_row || handover_find_ofs(h, in->id)) {
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

/* Sets of keys and of ids. */

static struct key_node *
key_set_find(const struct hmap *set, const struct vmmob_key *key)
{
    struct key_node *kn;

    HMAP_FOR_EACH_WITH_HASH (kn, node, vmmob_key_hash(key, 0), set) {
        if (vmmob_key_equals(&kn->key, key)) {
            return kn;
        }
    }
    return NULL;
}

static struct key_node *
key_set_add(struct hmap *set, const struct vmmob_key *key)
{
    struct key_node *kn = key_set_find(set, key);

    if (!kn) {
        kn = xzalloc(sizeof *kn);
        kn->key = *key;
        hmap_insert(set, &kn->node, vmmob_key_hash(key, 0));
    }
    return kn;
}

/* Notes that the rules for the VMN 'key' may have to change and, if 'publish'
 * is true, that a row of ours for it changed. */
static void
touch_vmn(struct handover *h, const struct vmmob_key *key, bool publish)
{
    key_set_add(&h->dirty_vmns, key)->publish |= publish;
}

/* Notes that our OFS 'ofs' has no row for 'key' any more. */
static void
note_gone(struct handover *h, const struct vmmob_key *key, uint64_t ofs)
{
    if (h->n_gone >= h->allocated_gone) {
        h->gone = x2nrealloc(h->gone, &h->allocated_gone, sizeof *h->gone);
    }
    h->gone[h->n_gone++] = (struct vmmob_row_id) { .key = *key, .ofs = ofs };
}

static struct id_node *
id_set_find(const struct hmap *set, uint64_t id)
{
    struct id_node *in;

    HMAP_FOR_EACH_WITH_HASH (in, node, vmmob_hash_uint64(id, 0), set) {
        if (in->id == id) {
            return in;
        }
    }
    return NULL;
}

static void
touch_ofs(struct handover *h, uint64_t id)
{
    struct id_node *in = id_set_find(&h->dirty_ofss, id);

    if (in) {
        return;
    }
    in = xmalloc(sizeof *in);
    in->id = id;
    hmap_insert(&h->dirty_ofss, &in->node, vmmob_hash_uint64(id, 0));
}

/* Notes that the rules may have to change for other VMNs that have had the
 * home addresses in 'row' so far. */
static void
touch_owners(struct handover *h, const struct vmmob_vmn *row)
{
    for (size_t i = 0; i < row->n_pairs; i++) {
        const struct vmmob_vmn *owner = vmmob_table_find_by_hoa(
            h->table, row->key.tenant, &row->pairs[i].hoa);

        if (owner && !vmmob_key_equals(&owner->key, &row->key)) {
            touch_vmn(h, &owner->key, false);
        }
    }
}

/* A row for the VMN 'key' is about to change, after which any of its rows may
 * be the one in force. */
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

/* Puts 'row' into the table.  Returns true if that changed something. */
static bool
put_row(struct handover *h, const struct vmmob_vmn *row)
{
    touch_rivals(h, &row->key);
    touch_owners(h, row);
    return vmmob_table_put_vmn(h->table, row);
}

/* Removes the row for 'key' that 'ofs' wrote from the table.  Returns true if
 * it was there. */
static bool
remove_row(struct handover *h, const struct vmmob_key *key, uint64_t ofs)
{
    touch_rivals(h, key);
    return vmmob_table_remove_vmn(h->table, key, ofs);
}

/* Returns true if an OFS of ours has, or may have, rules for the VMN 'key'. */
static bool
has_rules(const struct handover *h, const struct vmmob_key *key)
{
    const struct handover_ofs *ofs;

    HMAP_FOR_EACH (ofs, node, &h->ofss) {
        if (handover_find_vmn(ofs, key) || handover_is_active(ofs, key)) {
            return true;
        }
    }
    return false;
}

/* Notes that the rules may have to change for the VMNs that are, were or are
 * expected at the OFS 'id': the way there is another one. */
static void
touch_vmns_of(struct handover *h, uint64_t id)
{
    const struct vmmob_row *row;

    HINDEX_FOR_EACH_WITH_HASH (row, ofs_node, vmmob_hash_uint64(id, 0),
                               vmmob_table_rows_by_ofs(h->table)) {
        if (row->vmn.ofs == id && has_rules(h, &row->vmn.key)) {
            touch_vmn(h, &row->vmn.key, false);
        }
    }
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

static void
announce(struct handover *h, const struct handover_ofs *ofs,
         const struct in6_addr *moa, bool fresh)
{
    const struct handover_announcement a = {
        .ofs = ofs->id, .addr = *moa, .fresh = fresh, .port = OFPP_NONE,
    };

    add_announcement(h, &a);
}

/* 'vmn' is about to leave the port of 'ofs' where it is. */
static void
announce_leave(struct handover *h, const struct handover_ofs *ofs,
               const struct handover_vmn *vmn)
{
    for (size_t i = 0; vmn->port != OFPP_NONE && i < vmn->row.n_pairs; i++) {
        const struct handover_announcement a = {
            .ofs = ofs->id, .addr = vmn->row.pairs[i].hoa,
            .port = vmn->port, .mac = vmn->row.key.mac,
        };

        add_announcement(h, &a);
    }
}

/* VMNs. */

static struct handover_vmn *
vmn_create(struct handover_ofs *ofs, const struct vmmob_key *key)
{
    struct handover_vmn *vmn = xzalloc(sizeof *vmn);

    vmmob_vmn_init(&vmn->row, key, ofs->id);
    vmn->port = vmn->counted_port = vmn->expected = OFPP_NONE;
    vmn->state = HANDOVER_DETACHED;
    ovs_list_init(&vmn->needy);
    ovs_list_init(&vmn->expiring);
    ovs_list_init(&vmn->copying);
    vmn->copy_since = LLONG_MIN;
    hmap_insert(&ofs->vmns, &vmn->node, vmmob_key_hash(key, 0));
    return vmn;
}

static void
vmn_destroy(struct handover_ofs *ofs, struct handover_vmn *vmn)
{
    vmn->state = HANDOVER_DETACHED;
    vmn_count(ofs, vmn);
    vmn_end_copies(ofs, vmn);
    hmap_remove(&ofs->vmns, &vmn->node);
    ovs_list_remove(&vmn->needy);
    ovs_list_remove(&vmn->expiring);
    vmmob_vmn_destroy(&vmn->row);
    free(vmn);
}

/* Forgets 'vmn', gives its MoAs back and withdraws its row. */
static void
vmn_forget(struct handover *h, struct handover_ofs *ofs,
           struct handover_vmn *vmn, long long int now)
{
    const struct vmmob_key key = vmn->row.key;

    for (size_t i = 0; i < vmn->row.n_pairs; i++) {
        pool_give_back(ofs->pool, &vmn->row.pairs[i].moa,
                       now + ofs->settings.quarantine_ms);
    }
    remove_row(h, &key, ofs->id);
    note_gone(h, &key, ofs->id);
    vmn_destroy(ofs, vmn);
    settle(h, &key, now);
}

static void
vmn_set_state(struct handover_ofs *ofs, struct handover_vmn *vmn,
              enum handover_state state, long long int now)
{
    ovs_list_remove(&vmn->expiring);
    ovs_list_init(&vmn->expiring);

    vmn->state = state;
    vmn->since = now;
    vmn->expected = OFPP_NONE;
    vmn->no_copies = false;
    vmn->row.state = (state == HANDOVER_PREPARED
                      ? VMMOB_PREPARED : VMMOB_ACTIVE);
    vmn_count(ofs, vmn);
    if (state == HANDOVER_DETACHED) {
        vmn->port = OFPP_NONE;
    } else if (state == HANDOVER_LEFT) {
        vmn->expires = now + ofs->settings.redirect_ms;
        insert_by_expiry(&ofs->left, vmn);
    } else if (state == HANDOVER_PREPARED) {
        vmn->expires = now + ofs->settings.prepare_ms;
        insert_by_expiry(&ofs->prepared, vmn);
    }
}

/* Inserts 'vmn' into 'list', which is ordered by 'expires'. */
static void
insert_by_expiry(struct ovs_list *list, struct handover_vmn *vmn)
{
    struct ovs_list *before = list->prev;

    /* Nearly always the last one, as it takes equally long for all. */
    while (before != list
           && CONTAINER_OF(before, struct handover_vmn,
                           expiring)->expires > vmn->expires) {
        before = before->prev;
    }
    ovs_list_insert(before->next, &vmn->expiring);
}

/* Returns when the first VMN in 'list', which is ordered by 'expires',
 * expires, or LLONG_MAX. */
static long long int
next_expiry(const struct ovs_list *list)
{
    return (ovs_list_is_empty(list) ? LLONG_MAX
            : CONTAINER_OF(ovs_list_front(list), struct handover_vmn,
                           expiring)->expires);
}

/* 'vmn' is not at the port where it is or is expected. */
static void
vmn_not_at_port(struct handover *h, struct handover_ofs *ofs,
                struct handover_vmn *vmn, long long int now)
{
    enum action action = decide(NOT_AT_PORT, vmn);

    if (action == DETACH) {
        vmn_set_state(ofs, vmn, HANDOVER_DETACHED, now);
        touch_vmn(h, &vmn->row.key, false);
        vmn_copy(h, ofs, vmn, now);
    } else if (action == FORGET) {
        COVERAGE_INC(vmmob_prepare_undone);
        vmn_forget(h, ofs, vmn, now);
    }
}

/* Redirection to 'vmn', or preparation for it, has taken its time. */
static void
vmn_expire(struct handover *h, struct handover_ofs *ofs,
           struct handover_vmn *vmn, long long int now)
{
    enum action action = decide(EXPIRED, vmn);

    if (action == END_LEAVE) {
        const struct vmmob_vmn *binding
            = vmmob_table_find_binding(h->table, &vmn->row.key);
        struct handover_move *move = tell_move(
            h, HANDOVER_REDIRECTED, &vmn->row.key, ofs->id,
            binding ? binding->ofs : 0, vmn->row.seqno);

        move->since = vmn->since;
        move->n_before = vmn->n_before;
    }
    if (action == END_LEAVE && vmn->expected != OFPP_NONE
        && vmn_prepare(h, ofs, vmn, &vmn->row.key, vmn->expected, now)) {
        return;
    }
    if (action == FORGET) {
        COVERAGE_INC(vmmob_prepare_undone);
    }
    if (action == END_LEAVE || action == FORGET) {
        vmn_forget(h, ofs, vmn, now);
    }
}

static struct port_count *
find_port_count(const struct handover_ofs *ofs, ofp_port_t port)
{
    struct port_count *pc;

    HMAP_FOR_EACH_WITH_HASH (pc, node, hash_int(ofp_to_u16(port), 0),
                             &ofs->port_counts) {
        if (pc->port == port) {
            return pc;
        }
    }
    return NULL;
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
        pc = find_port_count(ofs, vmn->counted_port);
        if (!--pc->n) {
            hmap_remove(&ofs->port_counts, &pc->node);
            free(pc);
        }
    }
    if (port != OFPP_NONE) {
        pc = find_port_count(ofs, port);
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

static void
vmn_publish(struct handover *h, struct handover_vmn *vmn)
{
    if (put_row(h, &vmn->row)) {
        touch_vmn(h, &vmn->row.key, true);
    }
}

/* 'vmn' is here.  If its sequence number is so high that others would not
 * believe it, because somebody who has no row any more drove it up, begins
 * again. */
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
        vmn_publish(h, vmn);
    }
}

/* Copies. */

static struct copy_count *
find_copy_count(const struct handover_ofs *ofs, uint64_t to)
{
    struct copy_count *cc;

    HMAP_FOR_EACH_WITH_HASH (cc, node, vmmob_hash_uint64(to, 0), &ofs->copy_counts) {
        if (cc->ofs == to) {
            return cc;
        }
    }
    return NULL;
}

/* Has copies of what is for 'vmn' be sent to the OFS 'to', or none if 0. */
static void
vmn_count_copy(struct handover_ofs *ofs, struct handover_vmn *vmn,
               uint64_t to)
{
    struct copy_count *cc;

    if (vmn->copy_to) {
        cc = find_copy_count(ofs, vmn->copy_to);
        if (!--cc->n) {
            hmap_remove(&ofs->copy_counts, &cc->node);
            free(cc);
        }
        ofs->copies_freed = true;
    }
    if (to) {
        cc = find_copy_count(ofs, to);
        if (!cc) {
            cc = xzalloc(sizeof *cc);
            cc->ofs = to;
            hmap_insert(&ofs->copy_counts, &cc->node, vmmob_hash_uint64(to, 0));
        }
        cc->n++;
    }
    vmn->copy_to = to;
}

static void
vmn_set_copy(struct handover *h, struct handover_ofs *ofs,
             struct handover_vmn *vmn, uint64_t to)
{
    if (vmn->copy_to != to) {
        vmn_count_copy(ofs, vmn, to);
        touch_vmn(h, &vmn->row.key, false);
    }
}

/* There are no copies of what is for 'vmn', and there may be again. */
static void
vmn_end_copies(struct handover_ofs *ofs, struct handover_vmn *vmn)
{
    vmn_count_copy(ofs, vmn, 0);
    ovs_list_remove(&vmn->copying);
    ovs_list_init(&vmn->copying);
    vmn->copy_since = LLONG_MIN;
}

/* Returns the OFS to which what is for 'vmn', at 'ofs', is to be copied if
 * there is time for it, or 0: of several, the one that gets copies already. */
static uint64_t
find_copy_target(const struct handover *h, const struct handover_ofs *ofs,
                 const struct handover_vmn *vmn)
{
    const struct vmmob_entry *entry = vmmob_table_find(h->table,
                                                       &vmn->row.key);
    const struct vmmob_row *row;
    uint64_t to = 0;

    if (!entry || vmn->state != HANDOVER_ATTACHED || !ofs->settings.copy_ms) {
        return 0;
    }
    LIST_FOR_EACH (row, node, &entry->rows) {
        if (row->vmn.state == VMMOB_PREPARED && row->vmn.ofs != ofs->id) {
            if (row->vmn.ofs == vmn->copy_to) {
                return row->vmn.ofs;
            }
            to = to ? to : row->vmn.ofs;
        }
    }
    return to;
}

static const char *
get_site(const struct handover *h, uint64_t ofs)
{
    const struct vmmob_ofs *row = vmmob_table_find_ofs(h->table, ofs);

    return row && row->site[0] ? row->site : "-";
}

/* Decides whether copies of what is for 'vmn', at 'ofs', are sent to where it
 * is expected, which others say, whoever they are and as often as they like.
 * So there are copies for a limited time from when they first say so, and then
 * none until a pause is over and nobody says so; and they are made for a
 * limited number of VMNs. */
static void
vmn_copy(struct handover *h, struct handover_ofs *ofs,
         struct handover_vmn *vmn, long long int now)
{
    static struct vlog_rate_limit copy_rl = VLOG_RATE_LIMIT_INIT(20, 20);
    long long int copy_ms = handover_get_copy_ms(ofs);
    uint64_t to = find_copy_target(h, ofs, vmn);

    if (!to && vmn->copy_since != LLONG_MIN
        && now >= vmn->copy_since + 2 * copy_ms) {
        vmn_end_copies(ofs, vmn);
    }
    if (to && to != vmn->copy_to) {
        const struct copy_count *cc = find_copy_count(ofs, to);

        if (vmn->copy_since != LLONG_MIN && now >= vmn->copy_since + copy_ms) {
            to = 0;
        } else if (cc && cc->n >= HANDOVER_MAX_COPIES) {
            COVERAGE_INC(vmmob_copy_refused);
            VLOG_WARN_RL(&copy_rl, "VMN "ETH_ADDR_FMT": expected at OFS "
                         VMMOB_OFS_ID_FMT" (site %s), as are %d others, so "
                         "its packets are not copied to there",
                         ETH_ADDR_ARGS(vmn->row.key.mac), to, get_site(h, to),
                         HANDOVER_MAX_COPIES);
            ofs->copies_wait = true;
            to = 0;
        } else {
            if (vmn->copy_since == LLONG_MIN) {
                vmn->copy_since = now;
                ovs_list_push_back(&ofs->copying, &vmn->copying);
            }
            COVERAGE_INC(vmmob_copy_begun);
            VLOG_INFO_RL(&copy_rl, "VMN "ETH_ADDR_FMT": expected at OFS "
                         VMMOB_OFS_ID_FMT" (site %s), so its packets are "
                         "copied to there, for at most %lld s",
                         ETH_ADDR_ARGS(vmn->row.key.mac), to, get_site(h, to),
                         (vmn->copy_since + copy_ms - now) / 1000);
        }
    } else if (to && now >= vmn->copy_since + copy_ms) {
        COVERAGE_INC(vmmob_copy_expired);
        VLOG_INFO_RL(&copy_rl, "VMN "ETH_ADDR_FMT": still expected at OFS "
                     VMMOB_OFS_ID_FMT" (site %s) after %lld s, so its packets "
                     "are not copied to there any more",
                     ETH_ADDR_ARGS(vmn->row.key.mac), to, get_site(h, to),
                     copy_ms / 1000);
        to = 0;
    }
    vmn_set_copy(h, ofs, vmn, to);
}

static struct handover_vmn *
first_copy(const struct ovs_list *list)
{
    return (ovs_list_is_empty(list) ? NULL
            : CONTAINER_OF(ovs_list_front(list), struct handover_vmn,
                           copying));
}

/* Ends the copies, and the pauses after them, that have taken their time, and
 * begins those for which there is room only now. */
static void
ofs_run_copies(struct handover *h, struct handover_ofs *ofs,
               long long int now)
{
    long long int copy_ms = handover_get_copy_ms(ofs);
    struct handover_vmn *vmn;

    while ((vmn = first_copy(&ofs->copying))
           && now >= vmn->copy_since + copy_ms) {
        ovs_list_remove(&vmn->copying);
        ovs_list_push_back(&ofs->copied, &vmn->copying);
        vmn_copy(h, ofs, vmn, now);
    }
    while ((vmn = first_copy(&ofs->copied))
           && now >= vmn->copy_since + 2 * copy_ms) {
        ovs_list_remove(&vmn->copying);
        ovs_list_init(&vmn->copying);
        vmn_copy(h, ofs, vmn, now);
    }
    if (ofs->copies_wait && ofs->copies_freed) {
        ofs->copies_wait = false;
        HMAP_FOR_EACH (vmn, node, &ofs->vmns) {
            vmn_copy(h, ofs, vmn, now);
        }
    }
    ofs->copies_freed = false;
}

/* Returns when ofs_run_copies() has something to do, or LLONG_MAX. */
static long long int
next_copy_event(const struct handover_ofs *ofs)
{
    long long int copy_ms = handover_get_copy_ms(ofs);
    const struct handover_vmn *copying = first_copy(&ofs->copying);
    const struct handover_vmn *copied = first_copy(&ofs->copied);

    if (ofs->copies_wait && ofs->copies_freed) {
        return 0;
    }
    return MIN(copying ? copying->copy_since + copy_ms : LLONG_MAX,
               copied ? copied->copy_since + 2 * copy_ms : LLONG_MAX);
}

/* Takes MoAs for those HoAs of 'vmn' that have none, and announces them.  The
 * caller must publish the row. */
static void
vmn_take_moas(struct handover *h, struct handover_ofs *ofs,
              struct handover_vmn *vmn)
{
    bool needy = false;

    for (size_t i = 0; i < vmn->row.n_pairs; i++) {
        struct vmmob_pair *pair = &vmn->row.pairs[i];

        if (ipv6_addr_is_set(&pair->moa)) {
            continue;
        }
        if (!handover_is_waiting(ofs)
            && pool_take(ofs->pool, &vmn->row.key, &pair->hoa, &pair->moa)) {
            announce(h, ofs, &pair->moa, true);
        } else {
            needy = true;
        }
    }

    if (needy && !handover_is_waiting(ofs)) {
        COVERAGE_INC(vmmob_pool_exhausted);
        VLOG_WARN_RL(&rl, "VMN "ETH_ADDR_FMT": no mobile address is free, so "
                     "it reaches only local VMNs; enlarge vmmob-pool or use "
                     "vmmob/release", ETH_ADDR_ARGS(vmn->row.key.mac));
    }
    ovs_list_remove(&vmn->needy);
    ovs_list_init(&vmn->needy);
    if (needy) {
        ovs_list_push_back(&ofs->needy, &vmn->needy);
    }
}

/* Takes 'hoa' from 'vmn', which is forgotten with its last one. */
static void
vmn_give_back_hoa(struct handover *h, struct handover_ofs *ofs,
                  struct handover_vmn *vmn, const struct in6_addr *hoa,
                  long long int now)
{
    struct vmmob_pair *pair = vmmob_vmn_find_hoa(&vmn->row, hoa);

    if (pair && vmn->row.n_pairs > 1) {
        pool_give_back(ofs->pool, &pair->moa,
                       now + ofs->settings.quarantine_ms);
        vmmob_vmn_remove_hoa(&vmn->row, hoa);
        vmn_publish(h, vmn);
    } else if (pair) {
        vmn_forget(h, ofs, vmn, now);
    }
}

/* The home addresses in 'row' go with the VMN to 'ofs', but for those that
 * another VMN has here. */
static void
vmn_copy_hoas(const struct handover *h, const struct handover_ofs *ofs,
              struct handover_vmn *vmn, const struct vmmob_vmn *row)
{
    for (size_t i = 0; i < row->n_pairs; i++) {
        const struct in6_addr *hoa = &row->pairs[i].hoa;
        const struct vmmob_vmn *owner
            = vmmob_table_find_by_hoa(h->table, row->key.tenant, hoa);

        if (owner && !vmmob_key_equals(&owner->key, &row->key)
            && handover_find_ofs(h, owner->ofs)) {
            continue;
        }
        if (handover_is_home(ofs, hoa)
            && !vmmob_vmn_find_hoa(&vmn->row, hoa)) {
            vmmob_vmn_set_pair(&vmn->row, hoa, &in6addr_any);
        }
    }
}

/* Prepares 'ofs' for the VMN 'key', which will come to 'port', if it is
 * elsewhere now.  'vmn' is what 'ofs' knows of it from an earlier stay, or
 * NULL.  Returns true if successful. */
static bool
vmn_prepare(struct handover *h, struct handover_ofs *ofs,
            struct handover_vmn *vmn, const struct vmmob_key *key,
            ofp_port_t port, long long int now)
{
    const struct vmmob_vmn *binding = vmmob_table_find_binding(h->table, key);

    if (!ofs->settings.prepare_ms || handover_is_waiting(ofs)
        || !binding || binding->ofs == ofs->id
        || binding->state != VMMOB_ACTIVE) {
        return false;
    }

    bool created = !vmn;
    if (created) {
        vmn = vmn_create(ofs, key);
    }
    vmn_copy_hoas(h, ofs, vmn, binding);
    if (!vmn->row.n_pairs) {
        if (created) {
            vmn_destroy(ofs, vmn);
        }
        return false;
    }
    VLOG_INFO_RL(&rl, "VMN "ETH_ADDR_FMT": expected here (OFS "
                 VMMOB_OFS_ID_FMT", port %"PRIu32"), now at OFS "
                 VMMOB_OFS_ID_FMT, ETH_ADDR_ARGS(key->mac), ofs->id, port,
                 binding->ofs);
    vmn->row.seqno = binding->seqno;
    vmn->port = port;
    vmn_set_state(ofs, vmn, HANDOVER_PREPARED, now);
    vmn_take_moas(h, ofs, vmn);
    vmn_publish(h, vmn);
    settle(h, key, now);
    return true;
}

/* The VMN 'key' is now at 'port' of 'ofs', where it was not before.  'vmn' is
 * what 'ofs' knows of it from an earlier stay, or NULL; 'hoa' is a home
 * address that it says it has, or NULL.  Returns false if it has no home
 * address that is one at 'ofs'. */
static bool
vmn_arrive(struct handover *h, struct handover_ofs *ofs,
           struct handover_vmn *vmn, const struct vmmob_key *key,
           const struct in6_addr *hoa, ofp_port_t port, long long int now)
{
    const struct vmmob_vmn *binding = vmmob_table_find_binding(h->table, key);
    bool created = !vmn;

    if (!vmn) {
        vmn = vmn_create(ofs, key);
    }

    if (binding) {
        vmn_copy_hoas(h, ofs, vmn, binding);
    }
    if (hoa && !vmmob_vmn_find_hoa(&vmn->row, hoa)) {
        vmmob_vmn_set_pair(&vmn->row, hoa, &in6addr_any);
    }
    if (!vmn->row.n_pairs) {
        if (created) {
            vmn_destroy(ofs, vmn);
        }
        return false;
    }

    /* At the highest number, the OFS id decides. */
    vmn->row.seqno = (binding
                      ? MIN(binding->seqno, VMMOB_MAX_SEQNO - 1) + 1
                      : MAX(1, vmn->row.seqno));
    vmn->early = handover_is_waiting(ofs);
    vmn->port = port;

    bool expected = vmn->state == HANDOVER_PREPARED;
    vmn_end_copies(ofs, vmn);
    vmn_set_state(ofs, vmn, HANDOVER_ATTACHED, now);
    /* The MoAs of an earlier stay are to be announced again. */
    for (size_t i = 0; i < vmn->row.n_pairs; i++) {
        if (ipv6_addr_is_set(&vmn->row.pairs[i].moa)) {
            announce(h, ofs, &vmn->row.pairs[i].moa, false);
        }
    }
    vmn_take_moas(h, ofs, vmn);

    bool moved = binding && binding->ofs != ofs->id;
    uint64_t from = binding ? binding->ofs : 0;

    put_row(h, &vmn->row);
    touch_vmn(h, key, true);
    if (moved) {
        note_move(h, key, now);
    }

    struct handover_move *move = tell_move(
        h, moved ? HANDOVER_CAME : HANDOVER_APPEARED, key, ofs->id,
        moved ? from : 0, vmn->row.seqno);
    move->port = port;
    move->expected = expected;
    settle(h, key, now);
    return true;
}

/* Returns true if the VMN 'key', seen at 'port' of 'ofs', was elsewhere
 * before.  'vmn' is what 'ofs' knows of it, or NULL. */
static bool
is_move(const struct handover *h, const struct handover_ofs *ofs,
        const struct handover_vmn *vmn, const struct vmmob_key *key,
        ofp_port_t port)
{
    if (vmn && (vmn->state == HANDOVER_ATTACHED
                || vmn->state == HANDOVER_DETACHED)) {
        return vmn->state == HANDOVER_ATTACHED && vmn->port != port;
    }

    const struct vmmob_vmn *binding
        = vmmob_table_find_binding(h->table, key);
    return binding && binding->ofs != ofs->id;
}

/* The VMN 'key' moved from one OFS to another. */
static void
note_move(struct handover *h, const struct vmmob_key *key, long long int now)
{
    struct handover_ofs *ofs;

    HMAP_FOR_EACH (ofs, node, &h->ofss) {
        /* While it waits, what it sees need not be the order of events. */
        if (!handover_is_waiting(ofs)) {
            damping_note_move(&ofs->damping, key, now);
        }
    }
}

/* Notes for the user what happened to the VMN 'key', and returns that, for the
 * caller to add to. */
static struct handover_move *
tell_move(struct handover *h, enum handover_move_kind kind,
          const struct vmmob_key *key, uint64_t ofs, uint64_t other,
          uint64_t seqno)
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

/* The rows for the VMN 'key' changed: if its binding is not at an OFS of ours
 * where it was, it has left that one; if it is at one that it had left, then
 * whoever claimed it does so no more. */
static void
settle(struct handover *h, const struct vmmob_key *key, long long int now)
{
    const struct vmmob_vmn *binding = vmmob_table_find_binding(h->table, key);
    struct handover_vmn *here = NULL;
    struct handover_ofs *ofs;

    touch_vmn(h, key, false);
    if (!binding) {
        return;
    }
    HMAP_FOR_EACH (ofs, node, &h->ofss) {
        struct handover_vmn *vmn = handover_find_vmn(ofs, key);

        enum action action = decide(binding->ofs == ofs->id
                                    ? HERE_AGAIN : ELSEWHERE, vmn);

        if (action == LEAVE) {
            tell_move(h, HANDOVER_WENT, key, ofs->id, binding->ofs,
                      binding->seqno);
            announce_leave(h, ofs, vmn);
            vmn_set_state(ofs, vmn, HANDOVER_LEFT, now);
            /* Whom it talked to here will most likely go on. */
            key_set_add(&ofs->active, key);
        } else if (action == DETACH) {
            /* Perhaps it was here all the time. */
            VLOG_INFO_RL(&rl, "VMN "ETH_ADDR_FMT": nobody else claims it any "
                         "more, so it is back at OFS "VMMOB_OFS_ID_FMT,
                         ETH_ADDR_ARGS(key->mac), ofs->id);
            vmn_set_state(ofs, vmn, HANDOVER_DETACHED, now);
        }
        if (vmn) {
            vmn_copy(h, ofs, vmn, now);
            here = binding->ofs == ofs->id ? vmn : here;
        }
    }
    if (here) {
        vmn_renumber(h, here);
    }
}

/* Returns true if the VMN 'key', seen at 'port' of 'ofs', may have 'hoa'.  The
 * first one who has it keeps it, unless it is detached at an OFS of ours. */
static bool
claim_hoa(struct handover *h, struct handover_ofs *ofs,
          const struct vmmob_key *key, ofp_port_t port,
          const struct in6_addr *hoa, long long int now)
{
    const struct vmmob_vmn *owner
        = vmmob_table_find_by_hoa(h->table, key->tenant, hoa);

    if (!owner || vmmob_key_equals(&owner->key, key)) {
        return true;
    }

    struct handover_ofs *owners_ofs = handover_find_ofs(h, owner->ofs);
    const struct vmmob_vmn *binding = vmmob_table_find_binding(h->table, key);
    if (!owners_ofs && binding && vmmob_vmn_find_hoa(binding, hoa)) {
        /* It has had it elsewhere, whoever else claims it. */
        return true;
    }
    if (owners_ofs && !handover_is_waiting(owners_ofs)) {
        struct handover_vmn *vmn = handover_find_vmn(owners_ofs, &owner->key);

        if (vmn && (vmn->state == HANDOVER_DETACHED
                    || vmn->state == HANDOVER_PREPARED)) {
            COVERAGE_INC(vmmob_hoa_takeover);
            VLOG_INFO_RL(&rl, "VMN "ETH_ADDR_FMT": takes a home address over "
                         "from "ETH_ADDR_FMT", which is %s",
                         ETH_ADDR_ARGS(key->mac),
                         ETH_ADDR_ARGS(owner->key.mac),
                         handover_state_to_string(vmn->state));
            vmn_give_back_hoa(h, owners_ofs, vmn, hoa, now);
            return true;
        }
    }

    struct handover_conflict *c = NULL;
    for (size_t i = 0; i < ofs->n_conflicts; i++) {
        if (ipv6_addr_equals(&ofs->conflicts[i].hoa, hoa)
            && vmmob_key_equals(&ofs->conflicts[i].claimant, key)) {
            c = &ofs->conflicts[i];
        }
    }
    if (!c) {
        char *s = vmmob_addr_to_string(hoa, "::");

        VLOG_WARN_RL(&rl, "home address %s: claimed by "ETH_ADDR_FMT" (port "
                     "%"PRIu32"), but it belongs to "ETH_ADDR_FMT"; ignoring "
                     "the claim until vmmob/release", s,
                     ETH_ADDR_ARGS(key->mac), port,
                     ETH_ADDR_ARGS(owner->key.mac));
        free(s);

        if (ofs->n_conflicts >= HANDOVER_MAX_CONFLICTS) {
            memmove(&ofs->conflicts[0], &ofs->conflicts[1],
                    --ofs->n_conflicts * sizeof ofs->conflicts[0]);
        }
        c = &ofs->conflicts[ofs->n_conflicts++];
    }
    *c = (struct handover_conflict) {
        .hoa = *hoa, .claimant = *key, .owner = owner->key, .port = port,
        .when = now,
    };
    return false;
}

/* OFSs. */

/* Gives MoAs to the VMNs of 'ofs' that have none yet. */
static void
ofs_fill(struct handover *h, struct handover_ofs *ofs)
{
    size_t n = ovs_list_size(&ofs->needy);

    while (n--) {
        struct handover_vmn *vmn = CONTAINER_OF(
            ovs_list_front(&ofs->needy), struct handover_vmn, needy);

        vmn_take_moas(h, ofs, vmn);
        vmn_publish(h, vmn);
    }
}

/* The agent told 'ofs' what is known, or it took too long for that. */
static void
ofs_stop_waiting(struct handover *h, struct handover_ofs *ofs,
                 long long int now)
{
    struct handover_vmn *vmn;

    if (!handover_is_waiting(ofs)) {
        return;
    }
    ofs->wait_until = LLONG_MIN;

    /* Who was seen here meanwhile is here, whatever was known before. */
    HMAP_FOR_EACH (vmn, node, &ofs->vmns) {
        if (vmn->early) {
            vmn->early = false;
            if (vmn->state == HANDOVER_LEFT) {
                vmn_arrive(h, ofs, vmn, &vmn->row.key, NULL, vmn->port, now);
            }
        }
    }
    ofs_fill(h, ofs);
}

/* The agent told all that is known, or it took too long for that. */
static void
ofs_stop_being_blind(struct handover *h, struct handover_ofs *ofs)
{
    if (ofs->blind_until != LLONG_MIN) {
        ofs->blind_until = LLONG_MIN;
        touch_ofs(h, ofs->id);
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

/* The settings of 'ofs' changed: takes from its VMNs the addresses that are
 * none any more, and gives them others. */
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

            if (!handover_is_home(ofs, &pair->hoa)) {
                pool_give_back(ofs->pool, &pair->moa,
                               now + ofs->settings.quarantine_ms);
                vmmob_vmn_remove_hoa(&vmn->row, &pair->hoa);
                changed = true;
                continue;
            }
            if (ipv6_addr_is_set(&pair->moa)
                && !pool_contains(ofs->pool, &pair->moa)) {
                pool_give_back(ofs->pool, &pair->moa, now);
                pair->moa = in6addr_any;
                changed = true;
            }
            i++;
        }
        if (!vmn->row.n_pairs) {
            vmn_forget(h, ofs, vmn, now);
        } else if (changed) {
            if (vmn->state != HANDOVER_LEFT) {
                vmn_take_moas(h, ofs, vmn);
            }
            vmn_publish(h, vmn);
        }
    }
    pool_run(ofs->pool, now);
    ofs_fill(h, ofs);
}

/* Takes up the rows of an earlier life of 'ofs' that the agent sent before
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
        remove_row(h, &rows.vmns[i].key, ofs->id);
        restore(h, ofs, &rows.vmns[i], now);
    }
    if (!handover_is_waiting(ofs)) {
        ofs_fill(h, ofs);
    }
    vmmob_msg_uninit(&rows);
}

/* Takes 'row' of an earlier life of 'ofs' up again. */
static void
restore(struct handover *h, struct handover_ofs *ofs,
        const struct vmmob_vmn *row, long long int now)
{
    struct handover_vmn *vmn = handover_find_vmn(ofs, &row->key);

    if (decide(EARLIER_ROW, vmn) == TAKE_UP) {
        vmn = vmn_create(ofs, &row->key);
        vmn_set_state(ofs, vmn, (row->state == VMMOB_PREPARED
                                 ? HANDOVER_PREPARED : HANDOVER_DETACHED),
                      now);
    }
    vmn->row.seqno = MAX(vmn->row.seqno, row->seqno);
    for (size_t i = 0; i < row->n_pairs; i++) {
        const struct vmmob_pair *pair = &row->pairs[i];
        const struct vmmob_pair *known
            = vmmob_vmn_find_hoa(&vmn->row, &pair->hoa);

        if (!handover_is_home(ofs, &pair->hoa)
            || (known && ipv6_addr_is_set(&known->moa))) {
            continue;
        }

        if (!vmmob_vmn_set_pair(&vmn->row, &pair->hoa, &in6addr_any)) {
            /* It has been seen here with as many others meanwhile. */
            continue;
        }
        if (ipv6_addr_is_set(&pair->moa)
            && pool_take_this(ofs->pool, &row->key, &pair->moa)) {
            vmmob_vmn_set_pair(&vmn->row, &pair->hoa, &pair->moa);
            continue;
        }
        if (ipv6_addr_is_set(&pair->moa)) {
            COVERAGE_INC(vmmob_moa_lost);
        }
        if (ovs_list_is_empty(&vmn->needy)) {
            ovs_list_push_back(&ofs->needy, &vmn->needy);
        }
    }
    if (!vmn->row.n_pairs) {
        /* Not a VMN with the settings of today. */
        vmn_forget(h, ofs, vmn, now);
        return;
    }
    vmn_publish(h, vmn);
    settle(h, &row->key, now);
}

/* The agent sent 'row' of an OFS that is not ours. */
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
            struct handover_vmn *vmn = handover_find_vmn(ofs, &row->key);

            if (vmn) {
                vmn->no_copies = false;
            }
        }
    }

    uint64_t from = (old && old->state == VMMOB_ACTIVE ? old->ofs : row->ofs);

    if (put_row(h, row)) {
        if (from != row->ofs
            && vmmob_table_find_binding(h->table, &row->key)->ofs
               == row->ofs) {
            note_move(h, &row->key, now);
            if (!handover_find_ofs(h, from)) {
                struct handover_ofs *ofs;
                struct handover_move *move = tell_move(
                    h, HANDOVER_PASSED, &row->key, row->ofs, from,
                    row->seqno);

                HMAP_FOR_EACH (ofs, node, &h->ofss) {
                    move->active |= handover_is_active(ofs, &row->key);
                }
            }
        }
        settle(h, &row->key, now);
    }
}

/* The agent sent 'row' for an OFS that is not ours.  Of what is in it, only
 * its pools matter to the rules for it, and only what rules_get_next_hop()
 * looks at to those for its VMNs. */
static void
receive_ofs(struct handover *h, const struct vmmob_ofs *row)
{
    const struct vmmob_ofs *old = vmmob_table_find_ofs(h->table, row->id);
    bool pools = !old || !vmmob_ofs_same_pools(old, row);
    bool way = (!old || !eth_addr_equals(old->mac, row->mac)
                || !vmmob_prefix_equals(&old->uplink, &row->uplink));

    vmmob_table_put_ofs(h->table, row);
    if (pools) {
        touch_ofs(h, row->id);
    }
    if (way) {
        touch_vmns_of(h, row->id);
    }
}

/* The agent, which knows the name of the site, sent 'row' for an OFS of ours:
 * all else in it we know better. */
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
