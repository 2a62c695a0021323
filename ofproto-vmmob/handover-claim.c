/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/handover-claim.h"

#include "coverage.h"
#include "flow.h"
#include "ofproto-vmmob/handover.h"
#include "ofproto-vmmob/handover-core.h"
#include "ofproto-vmmob/handover-journal.h"
#include "ofproto-vmmob/handover-unused.h"
#include "ofproto-vmmob/handover-vmn.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "util.h"
#include "vmmob-addr.h"
#include "vmmob-hash.h"

VLOG_DEFINE_THIS_MODULE(vmmob_handover_claim);

COVERAGE_DEFINE(vmmob_hoa_takeover);
COVERAGE_DEFINE(vmmob_hoa_defended);
COVERAGE_DEFINE(vmmob_hoa_silent);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(20, 20);

/* How long a claim waits for the owner's OFS, in ms. */
#define CLAIM_MS 5000

/* How long after a refused claim, in ms, a VMN can claim the address again: if
 * it announces that it has the address, and otherwise. */
#define CLAIM_AGAIN_SOON_MS 5000
#define CLAIM_AGAIN_MS (60 * 1000)

/* For how long, in ms, an owner that answered is not asked again, whoever else
 * claims the address, and after how long it is asked again while another
 * author's row lists the address. */
#define PROBE_REST_MS 1000
#define PROBE_AGAIN_MS (60 * 1000)

/* Most home addresses about which owners are asked because of other authors'
 * rows, and most claims, each at an OFS. */
#define MAX_PROBES 4096
#define MAX_CLAIMS 256

/* A question to a VMN of this OFS, whether it has a home address. */
struct probe {
    struct hmap_node node;      /* In 'probes' of its handover_ofs. */
    struct in6_addr hoa;
    struct vmmob_key key;
    int n_sent;                 /* How often it was asked. */
    struct vmmob_expiry due;    /* In 'probes_due' or 'probes_resting' of its
                                 * handover_ofs, until the next step. */
    bool rests;                 /* It has answered. */
    long long int heard;        /* If so: when. */
};

static struct probe *find_probe(const struct handover_ofs *,
                                const struct vmmob_key *,
                                const struct in6_addr *);
static bool can_start_probe(const struct handover *,
                            const struct handover_ofs *);
static void start_probe(struct handover_ofs *, const struct vmmob_key *,
                        const struct in6_addr *, long long int now);
static void plan_probe(struct ovs_list *, struct probe *, long long int at);
static void destroy_probe(struct handover_ofs *, struct probe *);
static void run_probe(struct handover *, struct handover_ofs *, struct probe *,
                      long long int now);
static void heard(struct handover_ofs *, const struct vmmob_key *,
                  const struct in6_addr *, long long int now);
static void hand_over(struct handover *, struct handover_ofs *,
                      struct handover_vmn *, const struct in6_addr *,
                      long long int now);
static const struct handover_claim *find_local_claim(const struct handover *,
                                                     const struct vmmob_key *,
                                                     const struct in6_addr *);
static struct handover_claim *find_claim(const struct handover_ofs *,
                                         const struct vmmob_key *,
                                         const struct in6_addr *);
static struct handover_claim *add_claim(struct handover_ofs *,
                                        const struct vmmob_key *, ofp_port_t,
                                        const struct in6_addr *,
                                        long long int now);
static void drop_claim(struct handover *, struct handover_ofs *,
                       struct handover_claim *, long long int now);
static void grant(struct handover *, struct handover_ofs *,
                  struct handover_vmn *, struct vmmob_pair *);
static struct handover_conflict *note_conflict(struct handover_ofs *,
                                               const struct vmmob_vmn *owner,
                                               const struct vmmob_key *,
                                               ofp_port_t,
                                               const struct in6_addr *,
                                               long long int now);

void
vmmob_handover_claims_init(struct handover_ofs *ofs)
{
    hmap_init(&ofs->probes);
    ovs_list_init(&ofs->probes_due);
    ovs_list_init(&ofs->probes_resting);
    ovs_list_init(&ofs->claims);
}

void
vmmob_handover_claims_destroy(struct handover_ofs *ofs)
{
    struct handover_claim *claim;
    struct probe *probe;

    HMAP_FOR_EACH_POP (probe, node, &ofs->probes) {
        free(probe);
    }
    hmap_destroy(&ofs->probes);
    LIST_FOR_EACH_POP (claim, node, &ofs->claims) {
        free(claim);
    }
}

/* Returns what becomes of the claim of the VMN 'key', seen at 'port' of 'ofs',
 * to have 'hoa'.  'how' is how it claims that. */
enum claim_result
vmmob_handover_claim(struct handover *h, struct handover_ofs *ofs,
                     const struct vmmob_key *key, ofp_port_t port,
                     const struct in6_addr *hoa, enum handover_evidence how,
                     long long int now)
{
    const struct vmmob_vmn *owner
        = vmmob_table_find_by_hoa(h->table, key->tenant, hoa);
    struct handover_vmn *vmn = vmmob_handover_find_vmn(ofs, key);
    struct vmmob_pair *pair = vmn ? vmmob_vmn_find_hoa(&vmn->row, hoa) : NULL;

    if (!owner || vmmob_key_equals(&owner->key, key)) {
        if (pair && pair->claimed) {
            grant(h, ofs, vmn, pair);
        } else if (pair) {
            heard(ofs, key, hoa, now);
            vmmob_handover_note_use(vmn, hoa, now);
        }
        return CLAIM_HAS;
    }

    struct handover_ofs *owners_ofs = vmmob_handover_find_ofs(h, owner->ofs);
    const struct vmmob_vmn *binding = vmmob_table_find_binding(h->table, key);
    const struct vmmob_pair *there = (binding && !owners_ofs
                                      ? vmmob_vmn_find_hoa(binding, hoa)
                                      : NULL);
    if (there && ipv6_addr_is_set(&there->moa)) {
        /* It has had it elsewhere, whoever else claims it. */
        return CLAIM_HAS;
    }
    if (how == HANDOVER_ANSWERED) {
        return CLAIM_NOTHING;
    }
    if (owners_ofs && !vmmob_handover_is_waiting(owners_ofs)) {
        struct handover_vmn *other = vmmob_handover_find_vmn(owners_ofs,
                                                             &owner->key);

        if (other && (other->state == HANDOVER_DETACHED
                      || other->state == HANDOVER_PREPARED)) {
            VLOG_INFO_RL(&rl, "VMN "ETH_ADDR_FMT": takes a home address over "
                         "from "ETH_ADDR_FMT", which is %s",
                         ETH_ADDR_ARGS(key->mac),
                         ETH_ADDR_ARGS(owner->key.mac),
                         vmmob_handover_state_to_string(other->state));
            hand_over(h, owners_ofs, other, hoa, now);
            return CLAIM_HAS;
        }
    }

    struct handover_conflict *c = note_conflict(ofs, owner, key, port, hoa,
                                                now);
    bool is_full = (!owners_ofs && vmn && !pair
                    && vmn->row.n_pairs >= VMMOB_MAX_PAIRS);
    if (is_full) {
        vmmob_handover_crowd(ofs, vmn, now);
    }
    if (c->asked + (how == HANDOVER_ANNOUNCED || owners_ofs
                    ? CLAIM_AGAIN_SOON_MS : CLAIM_AGAIN_MS) > now
        || vmmob_handover_is_waiting(ofs) || is_full
        || !add_claim(ofs, key, port, hoa, now)) {
        return CLAIM_REFUSED;
    }
    c->asked = now;
    if (owners_ofs) {
        start_probe(owners_ofs, &owner->key, hoa, now);
        return CLAIM_REFUSED;
    }
    return CLAIM_ASKED;
}

/* Finds out whether 'vmn' of 'ofs', which had 'hoa' without MoA in an earlier
 * life, only claimed it: that follows from what the others say. */
void
vmmob_handover_claim_again(struct handover_ofs *ofs, struct handover_vmn *vmn,
                           const struct in6_addr *hoa, long long int now)
{
    if (add_claim(ofs, &vmn->row.key, OFPP_NONE, hoa, now)) {
        vmmob_vmn_find_hoa(&vmn->row, hoa)->claimed = true;
    }
}

/* Asks those who have what others claim, and takes it from those who do not
 * answer. */
void
vmmob_handover_run_probes(struct handover *h, long long int now)
{
    struct handover_ofs *ofs;
    struct hoa_node *hn;

    HMAP_FOR_EACH_SAFE (hn, node, &h->contests) {
        const struct vmmob_vmn *owner
            = vmmob_table_find_by_hoa(h->table, hn->network, &hn->hoa);
        const struct vmmob_vmn *rival
            = (owner
               ? vmmob_table_find_rival(h->table, &owner->key, &hn->hoa)
               : NULL);
        struct handover_ofs *owners_ofs
            = rival ? vmmob_handover_find_ofs(h, owner->ofs) : NULL;
        struct handover_ofs *rivals_ofs
            = rival ? vmmob_handover_find_ofs(h, rival->ofs) : NULL;

        if (!can_start_probe(h, owners_ofs)
            || !can_start_probe(h, rivals_ofs)) {
            /* Later. */
            continue;
        }
        if (owners_ofs) {
            start_probe(owners_ofs, &owner->key, &hn->hoa, now);
        }
        if (rivals_ofs) {
            start_probe(rivals_ofs, &rival->key, &hn->hoa, now);
        }
        hmap_remove(&h->contests, &hn->node);
        free(hn);
    }

    HMAP_FOR_EACH (ofs, node, &h->ofss) {
        struct probe *probe;

        VMMOB_EXPIRY_FOR_EACH_DUE (probe, due, &ofs->probes_resting, now) {
            run_probe(h, ofs, probe, now);
        }
        VMMOB_EXPIRY_FOR_EACH_DUE (probe, due, &ofs->probes_due, now) {
            run_probe(h, ofs, probe, now);
        }
    }
}

/* Takes and returns the next claim at 'ofs' that nobody contests any more, if
 * the VMN's row does not have the home address.  The caller must report the
 * VMN as seen with it, and free the claim.  Returns NULL if there is none;
 * then all claims were looked at. */
struct handover_claim *
vmmob_handover_run_claims(struct handover *h, struct handover_ofs *ofs,
                          long long int now)
{
    struct handover_claim *claim;

    if (vmmob_handover_is_waiting(ofs) || h->receiving) {
        return NULL;
    }
    LIST_FOR_EACH_SAFE (claim, node, &ofs->claims) {
        const struct vmmob_vmn *owner = vmmob_table_find_by_hoa(
            h->table, claim->key.tenant, &claim->hoa);
        struct handover_vmn *vmn = vmmob_handover_find_vmn(ofs, &claim->key);
        struct vmmob_pair *pair
            = vmn ? vmmob_vmn_find_hoa(&vmn->row, &claim->hoa) : NULL;
        bool is_free = !owner || vmmob_key_equals(&owner->key, &claim->key);

        if (pair && !pair->claimed) {
            drop_claim(h, ofs, claim, now);
        } else if (pair && (vmn->state != HANDOVER_ATTACHED
                            && vmn->state != HANDOVER_DETACHED)) {
            drop_claim(h, ofs, claim, now);
        } else if (pair && is_free) {
            grant(h, ofs, vmn, pair);
            drop_claim(h, ofs, claim, now);
        } else if (is_free && (!vmn || (vmn->state == HANDOVER_ATTACHED
                                        && vmn->port == claim->port))) {
            ovs_list_remove(&claim->node);
            ofs->n_claims--;
            return claim;
        } else if (is_free || claim->until <= now) {
            drop_claim(h, ofs, claim, now);
        }
    }
    return NULL;
}

/* Returns the time, in ms, when something is due at 'ofs', or LLONG_MAX. */
long long int
vmmob_handover_next_claim_event(const struct handover_ofs *ofs)
{
    const struct handover_claim *claim;
    long long int next = MIN(vmmob_expiry_next(&ofs->probes_due),
                             vmmob_expiry_next(&ofs->probes_resting));

    LIST_FOR_EACH (claim, node, &ofs->claims) {
        next = MIN(next, claim->until);
    }
    return next;
}


/* Probes. */

static struct probe *
find_probe(const struct handover_ofs *ofs, const struct vmmob_key *key,
           const struct in6_addr *hoa)
{
    struct probe *probe;

    HMAP_FOR_EACH_WITH_HASH (probe, node,
                             vmmob_hash_bytes(hoa, sizeof *hoa, 0),
                             &ofs->probes) {
        if (ipv6_addr_equals(&probe->hoa, hoa)
            && vmmob_key_equals(&probe->key, key)) {
            return probe;
        }
    }
    return NULL;
}

/* Returns false if a VMN of 'ofs', which may be NULL, can be asked only
 * later. */
static bool
can_start_probe(const struct handover *h, const struct handover_ofs *ofs)
{
    return !ofs || !(vmmob_handover_is_waiting(ofs) || h->receiving
                     || hmap_count(&ofs->probes) >= MAX_PROBES);
}

/* Begins to ask the VMN 'key' of 'ofs' whether it has 'hoa'. */
static void
start_probe(struct handover_ofs *ofs, const struct vmmob_key *key,
            const struct in6_addr *hoa, long long int now)
{
    struct probe *probe = find_probe(ofs, key, hoa);

    if (probe) {
        if (probe->rests && probe->due.at > probe->heard + PROBE_REST_MS) {
            plan_probe(&ofs->probes_due, probe, probe->heard + PROBE_REST_MS);
        }
        return;
    }
    probe = xzalloc(sizeof *probe);
    probe->hoa = *hoa;
    probe->key = *key;
    ovs_list_init(&probe->due.node);
    hmap_insert(&ofs->probes, &probe->node,
                vmmob_hash_bytes(hoa, sizeof *hoa, 0));
    plan_probe(&ofs->probes_due, probe, now);
}

/* Moves 'probe' to 'list' of its handover_ofs, to go on at 'at'. */
static void
plan_probe(struct ovs_list *list, struct probe *probe, long long int at)
{
    ovs_list_remove(&probe->due.node);
    vmmob_expiry_insert(list, &probe->due, at);
}

static void
destroy_probe(struct handover_ofs *ofs, struct probe *probe)
{
    hmap_remove(&ofs->probes, &probe->node);
    ovs_list_remove(&probe->due.node);
    free(probe);
}

/* Takes the next step of 'probe', of 'ofs'. */
static void
run_probe(struct handover *h, struct handover_ofs *ofs, struct probe *probe,
          long long int now)
{
    struct handover_vmn *vmn = vmmob_handover_find_vmn(ofs, &probe->key);
    const struct vmmob_pair *pair
        = vmn ? vmmob_vmn_find_hoa(&vmn->row, &probe->hoa) : NULL;
    const struct vmmob_vmn *binding
        = vmmob_table_find_binding(h->table, &probe->key);

    if (!pair || pair->claimed || binding->ofs != ofs->id
        || (vmn->state != HANDOVER_ATTACHED
            && vmn->state != HANDOVER_DETACHED)
        || (!find_local_claim(h, &probe->key, &probe->hoa)
            && !vmmob_table_find_rival(h->table, &probe->key, &probe->hoa))) {
        /* Nobody else claims it any more. */
        destroy_probe(ofs, probe);
        return;
    }
    if (probe->rests || (probe->n_sent >= HANDOVER_PROBES
                         && vmmob_handover_is_expected_elsewhere(
                             h, ofs, &probe->key))) {
        probe->rests = false;
        probe->n_sent = 0;
    }
    if (probe->n_sent < HANDOVER_PROBES) {
        vmmob_handover_ask(h, ofs, vmn, &probe->hoa);
        probe->n_sent++;
        plan_probe(&ofs->probes_due, probe, now + HANDOVER_PROBE_MS);
        return;
    }

    const struct vmmob_vmn *rival
        = vmmob_table_find_rival(h->table, &probe->key, &probe->hoa);
    const struct handover_claim *claim
        = find_local_claim(h, &probe->key, &probe->hoa);
    char *s = vmmob_addr_to_string(&probe->hoa, "-");

    COVERAGE_INC(vmmob_hoa_silent);
    VLOG_INFO_RL(&rl, "home address %s: VMN "ETH_ADDR_FMT" does not answer "
                 "for it any more, so it is for "ETH_ADDR_FMT", which claims "
                 "it", s, ETH_ADDR_ARGS(probe->key.mac),
                 ETH_ADDR_ARGS(claim ? claim->key.mac : rival->key.mac));
    free(s);

    const struct in6_addr hoa = probe->hoa;
    destroy_probe(ofs, probe);
    hand_over(h, ofs, vmn, &hoa, now);
}

/* Notes that the VMN 'key', at 'ofs', has just said that it has 'hoa'. */
static void
heard(struct handover_ofs *ofs, const struct vmmob_key *key,
      const struct in6_addr *hoa, long long int now)
{
    struct probe *probe = (hmap_is_empty(&ofs->probes)
                           ? NULL : find_probe(ofs, key, hoa));

    if (probe && !probe->rests && probe->n_sent) {
        COVERAGE_INC(vmmob_hoa_defended);
        probe->rests = true;
        probe->heard = now;
        plan_probe(&ofs->probes_resting, probe, now + PROBE_AGAIN_MS);
        /* Claims to it at this switch need not wait any longer. */
        for (size_t i = 0; i < ofs->n_conflicts; i++) {
            struct handover_claim *claim
                = find_claim(ofs, &ofs->conflicts[i].claimant, hoa);

            if (claim) {
                claim->until = now;
            }
        }
    }
}

/* Takes 'hoa' from 'vmn' of 'ofs', for another VMN that claims it. */
static void
hand_over(struct handover *h, struct handover_ofs *ofs,
          struct handover_vmn *vmn, const struct in6_addr *hoa,
          long long int now)
{
    COVERAGE_INC(vmmob_hoa_takeover);
    vmmob_handover_vmn_give_back_hoa(h, ofs, vmn, hoa, now);
}


/* Claims. */

/* Returns a claim of another VMN of the network of 'key' to 'hoa' at any of
 * our OFSs, or NULL. */
static const struct handover_claim *
find_local_claim(const struct handover *h, const struct vmmob_key *key,
                 const struct in6_addr *hoa)
{
    const struct handover_ofs *ofs;

    HMAP_FOR_EACH (ofs, node, &h->ofss) {
        const struct handover_claim *claim;

        LIST_FOR_EACH (claim, node, &ofs->claims) {
            if (ipv6_addr_equals(&claim->hoa, hoa)
                && claim->key.tenant == key->tenant
                && !vmmob_key_equals(&claim->key, key)) {
                return claim;
            }
        }
    }
    return NULL;
}

static struct handover_claim *
find_claim(const struct handover_ofs *ofs, const struct vmmob_key *key,
           const struct in6_addr *hoa)
{
    struct handover_claim *claim;

    LIST_FOR_EACH (claim, node, &ofs->claims) {
        if (ipv6_addr_equals(&claim->hoa, hoa)
            && vmmob_key_equals(&claim->key, key)) {
            return claim;
        }
    }
    return NULL;
}

/* Notes that the VMN 'key', seen at 'port' of 'ofs', claims 'hoa', and returns
 * that, or NULL if there are too many. */
static struct handover_claim *
add_claim(struct handover_ofs *ofs, const struct vmmob_key *key,
          ofp_port_t port, const struct in6_addr *hoa, long long int now)
{
    struct handover_claim *claim = find_claim(ofs, key, hoa);

    if (!claim) {
        if (ofs->n_claims >= MAX_CLAIMS) {
            return NULL;
        }
        claim = xzalloc(sizeof *claim);
        claim->key = *key;
        claim->hoa = *hoa;
        ovs_list_push_back(&ofs->claims, &claim->node);
        ofs->n_claims++;
    }
    claim->port = port;
    claim->until = now + CLAIM_MS;
    return claim;
}

/* Frees 'claim', of 'ofs'.  If the VMN has the address only as claimed, takes
 * it away. */
static void
drop_claim(struct handover *h, struct handover_ofs *ofs,
           struct handover_claim *claim, long long int now)
{
    struct handover_vmn *vmn = vmmob_handover_find_vmn(ofs, &claim->key);
    const struct vmmob_pair *pair
        = vmn ? vmmob_vmn_find_hoa(&vmn->row, &claim->hoa) : NULL;

    if (pair && pair->claimed) {
        vmmob_handover_vmn_give_back_hoa(h, ofs, vmn, &claim->hoa, now);
    }
    ovs_list_remove(&claim->node);
    ofs->n_claims--;
    free(claim);
}

/* Makes 'pair' of 'vmn', at 'ofs', more than a claim. */
static void
grant(struct handover *h, struct handover_ofs *ofs, struct handover_vmn *vmn,
      struct vmmob_pair *pair)
{
    pair->claimed = false;
    vmmob_handover_vmn_take_moas(h, ofs, vmn);
    vmmob_handover_vmn_publish(h, vmn);
}

/* Notes that the VMN 'key', at 'port' of 'ofs', claims 'hoa', which 'owner'
 * has. */
static struct handover_conflict *
note_conflict(struct handover_ofs *ofs, const struct vmmob_vmn *owner,
              const struct vmmob_key *key, ofp_port_t port,
              const struct in6_addr *hoa, long long int now)
{
    struct handover_conflict *c = NULL;
    long long int asked = LLONG_MIN / 2;

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
                     "the claim as long as that one answers for it", s,
                     ETH_ADDR_ARGS(key->mac), port,
                     ETH_ADDR_ARGS(owner->key.mac));
        free(s);

        if (ofs->n_conflicts >= HANDOVER_MAX_CONFLICTS) {
            memmove(&ofs->conflicts[0], &ofs->conflicts[1],
                    --ofs->n_conflicts * sizeof ofs->conflicts[0]);
        }
        c = &ofs->conflicts[ofs->n_conflicts++];
    } else if (vmmob_key_equals(&c->owner, &owner->key)) {
        asked = c->asked;
    }
    *c = (struct handover_conflict) {
        .hoa = *hoa, .claimant = *key, .owner = owner->key, .port = port,
        .when = now, .asked = asked,
    };
    return c;
}
