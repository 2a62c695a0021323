/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/rules.h"

#include "coverage.h"
#include "hash.h"
#include "ofproto/ofproto-provider.h"
#include "ofproto-vmmob/flow-index.h"
#include "ofproto-vmmob/handover.h"
#include "ofproto-vmmob/pipeline-network.h"
#include "ofproto-vmmob/pipeline-vmn.h"
#include "ofproto-vmmob/router.h"
#include "ofproto-vmmob/vmmob.h"
#include "openvswitch/match.h"
#include "openvswitch/meta-flow.h"
#include "openvswitch/ofp-actions.h"
#include "openvswitch/ofp-flow.h"
#include "openvswitch/ofpbuf.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "util.h"
#include "vmmob-hash.h"
#include "vmmob-prefix-set.h"

VLOG_DEFINE_THIS_MODULE(vmmob_rules);

COVERAGE_DEFINE(vmmob_flow_mod_failed);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 20);

/* Who wants a rule. */
enum owner_type {
    OWNER_BASE,
    OWNER_NETWORK,
    OWNER_POOL,
    OWNER_REFUSED,
    OWNER_VMN,
    OWNER_PORT,
    OWNER_ADMIT,
    OWNER_FORGED,
    OWNER_BLOCK,
};

struct owner {
    enum owner_type type;
    struct vmmob_prefix pool;   /* OWNER_POOL and OWNER_REFUSED. */
    struct vmmob_key vmn;       /* OWNER_VMN; OWNER_NETWORK: its 'tenant'. */
    ofp_port_t port;            /* OWNER_PORT, _ADMIT, _FORGED and _BLOCK. */
};

/* What an owner has installed. */
struct rule_set {
    struct hmap_node node;      /* In 'sets' of its struct rules. */
    struct owner owner;
    struct rule_list list;

    /* See vmmob_rules_collect_busy(). */
    bool copied_counted;
    unsigned long long int n_copied;
};

/* The pools of another OFS that are in 'pools' of its struct rules, first
 * those that are in 'refused', too. */
struct ofs_pools {
    struct hmap_node node;      /* In 'ofss' of its struct rules. */
    uint64_t ofs;
    struct vmmob_prefix *pools;
    size_t n, n_refused;
};

/* A place for a rule in the bridge.  Several owners may want a rule with the
 * same match.  Then that of the first owner by owner_compare() is in force,
 * and when it goes, that of the next, whatever the order of events. */
struct rule_slot {
    struct hmap_node node;      /* In 'slots' of its struct rules. */
    uint8_t table_id;
    int priority;
    struct minimatch match;
    struct ovs_list specs;      /* Contains "struct rule_spec"s, in order of
                                 * their owners. */
    struct ovs_list touched;    /* In 'touched' of its struct rules while
                                 * 'specs' may differ from what is installed;
                                 * otherwise empty. */
    bool installed;
    struct ofpbuf ofpacts;      /* Of the rule, if 'installed'. */
};

/* Most changes to make at once, as others that change flow tables must
 * wait. */
#define MAX_FLOW_MODS 512

struct rules {
    struct ofproto *ofproto;
    struct hmap sets;           /* Contains "struct rule_set"s. */
    struct hmap slots;          /* Contains "struct rule_slot"s. */
    size_t n_rules;             /* Those of them that are wanted. */
    struct ovs_list touched;    /* Those of them to look at. */
    struct vmmob_prefix_set pools;  /* Pools of other OFSs, of families for
                                     * which there are home subnets. */
    struct vmmob_prefix_set refused;    /* Those that no guest has addresses
                                         * of. */
    struct hmap ofss;           /* Contains "struct ofs_pools"s. */

    /* Changes not made yet. */
    struct ofputil_flow_mod *mods;
    size_t n_mods, allocated_mods;
    bool broad;                 /* One of these is about more than the
                                 * addresses in 'changed'. */

    /* How many rules in each table are for just one address of each kind.  As
     * long as there is none, datapath flows do not look at that address at
     * all. */
    size_t n_exact[3][PIPELINE_N_ADDRESSES];

    /* Addresses that rules which changed are about. */
    struct in6_addr *changed;
    size_t n_changed, allocated_changed;
};

static void update_pools(struct rules *, struct vmmob_prefix_set *,
                         enum owner_type,
                         void (*get_rules)(const struct vmmob_prefix *,
                                           struct rule_list *));
static struct rule_set *find_set(const struct rules *, const struct owner *);
static void forget_flow_mods(struct rules *);
static unsigned long long int count_packets(
    const struct rules *, const struct owner *,
    bool (*is_counted)(const struct rule_spec *));
static bool is_drop(const struct rule_spec *);
static bool get_stats(const struct rules *, const struct rule_spec *,
                      struct pkt_stats *, long long int *used);
static void update(struct rules *, const struct owner *,
                   struct rule_list *wanted);
static void count_exact(struct rules *, const struct rule_list *, int sign);
static void touch(struct rules *, const struct rule_spec *);
static void settle(struct rules *, struct rule_slot *);
static void slot_destroy(struct rules *, struct rule_slot *);
static void put_flow_mod(struct rules *, const struct rule_slot *,
                         const struct ofpbuf *ofpacts);
static void note_changed(struct rules *, const struct in6_addr *);

/* Returns an empty set of rules for 'ofproto', which must live on until
 * vmmob_rules_destroy(). */
struct rules *
vmmob_rules_create(struct ofproto *ofproto)
{
    struct rules *rules = xzalloc(sizeof *rules);

    rules->ofproto = ofproto;
    hmap_init(&rules->sets);
    hmap_init(&rules->slots);
    ovs_list_init(&rules->touched);
    vmmob_prefix_set_init(&rules->pools);
    vmmob_prefix_set_init(&rules->refused);
    hmap_init(&rules->ofss);
    return rules;
}

/* Destroys 'rules'.  If 'delete_flows' is true, then removes them from the
 * bridge; otherwise the bridge itself goes. */
void
vmmob_rules_destroy(struct rules *rules, bool delete_flows)
{
    if (rules) {
        struct rule_slot *slot;
        struct rule_set *set;

        HMAP_FOR_EACH_POP (set, node, &rules->sets) {
            vmmob_pipeline_list_destroy(&set->list);
            free(set);
        }
        HMAP_FOR_EACH_SAFE (slot, node, &rules->slots) {
            if (delete_flows && slot->installed) {
                put_flow_mod(rules, slot, NULL);
            }
            slot_destroy(rules, slot);
        }
        if (delete_flows) {
            vmmob_rules_commit(rules);
        }
        forget_flow_mods(rules);
        hmap_destroy(&rules->sets);
        hmap_destroy(&rules->slots);

        struct ofs_pools *op;
        HMAP_FOR_EACH_POP (op, node, &rules->ofss) {
            free(op->pools);
            free(op);
        }
        hmap_destroy(&rules->ofss);
        vmmob_prefix_set_destroy(&rules->pools);
        vmmob_prefix_set_destroy(&rules->refused);
        free(rules->mods);
        free(rules->changed);
        free(rules);
    }
}

/* Returns true if the changes that vmmob_rules_commit() is about to make
 * concern only packets from or to the addresses that
 * vmmob_rules_take_changed() gives. */
bool
vmmob_rules_are_narrow(const struct rules *rules)
{
    return !rules->broad;
}

/* Plans the change, if any, that makes the rule in 'slot' the one that is
 * wanted. */
static void
settle(struct rules *rules, struct rule_slot *slot)
{
    if (ovs_list_is_empty(&slot->specs)) {
        if (slot->installed) {
            put_flow_mod(rules, slot, NULL);
        }
        slot_destroy(rules, slot);
        return;
    }

    const struct rule_spec *spec = CONTAINER_OF(ovs_list_front(&slot->specs),
                                                struct rule_spec, node);
    if (!slot->installed || !ofpbuf_equal(&slot->ofpacts, &spec->ofpacts)) {
        put_flow_mod(rules, slot, &spec->ofpacts);
        ofpbuf_clear(&slot->ofpacts);
        ofpbuf_put(&slot->ofpacts, spec->ofpacts.data, spec->ofpacts.size);
        slot->installed = true;
    }
}

/* Makes the changes that the functions below have planned.  Returns true if
 * there were any. */
bool
vmmob_rules_commit(struct rules *rules)
{
    enum ofperr errors[MAX_FLOW_MODS];
    struct rule_slot *slot;

    LIST_FOR_EACH_SAFE (slot, touched, &rules->touched) {
        ovs_list_remove(&slot->touched);
        ovs_list_init(&slot->touched);
        settle(rules, slot);
    }

    bool any = rules->n_mods > 0;

    for (size_t done = 0; done < rules->n_mods; done += MAX_FLOW_MODS) {
        const struct ofputil_flow_mod *mods = &rules->mods[done];
        size_t n = MIN(rules->n_mods - done, MAX_FLOW_MODS);

        ofproto_flow_mods(rules->ofproto, mods, n, errors);
        for (size_t i = 0; i < n; i++) {
            if (errors[i]) {
                COVERAGE_INC(vmmob_flow_mod_failed);
                VLOG_ERR_RL(&rl, "%s: flow modification failed in table %d "
                            "(%s)", rules->ofproto->name, mods[i].table_id,
                            ofperr_to_string(errors[i]));
            }
        }
    }
    forget_flow_mods(rules);
    return any;
}

/* Makes the revalidators look at all datapath flows, as after a change. */
void
vmmob_rules_revalidate(struct rules *rules)
{
    ofproto_flow_mods(rules->ofproto, NULL, 0, NULL);
}

static void
forget_flow_mods(struct rules *rules)
{
    for (size_t i = 0; i < rules->n_mods; i++) {
        minimatch_destroy(&rules->mods[i].match);
        free(CONST_CAST(struct ofpact *, rules->mods[i].ofpacts));
    }
    rules->n_mods = 0;
    rules->broad = false;
}

/* Installs the rules that do not depend on any VMN. */
void
vmmob_rules_update_base(struct rules *rules, const struct rules_context *ctx)
{
    struct owner owner = { .type = OWNER_BASE };
    struct rule_list wanted = { .n = 0 };

    vmmob_pipeline_base(ctx, &wanted);
    update(rules, &owner, &wanted);
}

/* Installs the rules for the network 'id', or removes them if there is none by
 * 'ctx'. */
void
vmmob_rules_update_network(struct rules *rules,
                           const struct rules_context *ctx, uint32_t id)
{
    struct owner owner = { .type = OWNER_NETWORK, .vmn.tenant = id };
    struct rule_list wanted = { .n = 0 };

    vmmob_pipeline_network(ctx, id, &wanted);
    update(rules, &owner, &wanted);
}

static struct ofs_pools *
find_ofs_pools(const struct rules *rules, uint64_t ofs)
{
    struct ofs_pools *op;

    HMAP_FOR_EACH_WITH_HASH (op, node, vmmob_hash_uint64(ofs, 0),
                             &rules->ofss) {
        if (op->ofs == ofs) {
            return op;
        }
    }
    return NULL;
}

/* Installs the rules for packets from the pools of the OFS 'id', which is
 * another one, or removes them. */
void
vmmob_rules_update_ofs(struct rules *rules, const struct rules_context *ctx,
                       uint64_t id)
{
    const struct vmmob_ofs *other
        = id == ctx->ofs->id ? NULL : vmmob_table_find_ofs(ctx->table, id);
    const struct vmmob_settings *settings = &ctx->ofs->settings;
    struct ofs_pools *old = find_ofs_pools(rules, id);
    struct ofs_pools *new;

    if (old) {
        hmap_remove(&rules->ofss, &old->node);
    }
    if (other) {
        new = xzalloc(sizeof *new);
        new->ofs = id;
        new->pools = xmalloc(other->n_pools * sizeof *new->pools);
        for (size_t i = 0; i < other->n_pools; i++) {
            const struct vmmob_prefix *pool = &other->pools[i];

            enum vmmob_family family = vmmob_prefix_family(pool);
            const struct vmmob_ip_settings *ip = &settings->ip[family];

            if (!vmmob_settings_has_home(settings, family)) {
                continue;
            }
            new->pools[new->n++] = *pool;
            vmmob_prefix_set_add(&rules->pools, pool);

            /* Others must not cut our VMNs off, whatever they say.  The
             * network of the uplink has rules anyway. */
            if (!vmmob_settings_overlaps_home(settings, pool)
                && !vmmob_prefix_overlaps(pool, &vmmob_link_local)
                && !(vmmob_settings_has_uplink(settings, family)
                     && pool->plen >= ip->network.plen
                     && vmmob_prefix_contains(&ip->network, &pool->addr))) {
                new->pools[new->n - 1] = new->pools[new->n_refused];
                new->pools[new->n_refused++] = *pool;
                vmmob_prefix_set_add(&rules->refused, pool);
            }
        }
        hmap_insert(&rules->ofss, &new->node, vmmob_hash_uint64(id, 0));
    }
    /* Last, so that for those that stay nothing changes. */
    for (size_t i = 0; old && i < old->n; i++) {
        vmmob_prefix_set_remove(&rules->pools, &old->pools[i]);
        if (i < old->n_refused) {
            vmmob_prefix_set_remove(&rules->refused, &old->pools[i]);
        }
    }
    if (old) {
        free(old->pools);
        free(old);
    }
    update_pools(rules, &rules->pools, OWNER_POOL, vmmob_pipeline_pool);
    update_pools(rules, &rules->refused, OWNER_REFUSED, vmmob_pipeline_refuse);
}

/* Returns true if 'addr' is in a pool of another OFS. */
bool
vmmob_rules_is_in_pool(const struct rules *rules, const struct in6_addr *addr)
{
    return vmmob_prefix_set_contains(&rules->pools, addr);
}

/* Sets the rules of 'type' to those that 'get_rules' gives for what is in
 * 'pools' now. */
static void
update_pools(struct rules *rules, struct vmmob_prefix_set *pools,
             enum owner_type type,
             void (*get_rules)(const struct vmmob_prefix *,
                               struct rule_list *))
{
    for (size_t i = 0; i < pools->n_changed; i++) {
        struct owner owner = { .type = type, .pool = pools->changed[i] };
        struct rule_list wanted = { .n = 0 };

        if (vmmob_prefix_set_covers(pools, &owner.pool)) {
            get_rules(&owner.pool, &wanted);
        }
        update(rules, &owner, &wanted);
    }
    pools->n_changed = 0;
}

/* Installs the rules for the 'n' VMNs 'keys', or removes them. */
void
vmmob_rules_update_vmns(struct rules *rules, const struct rules_context *ctx,
                        const struct vmmob_key *keys, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct owner owner = { .type = OWNER_VMN, .vmn = keys[i] };
        struct rule_list wanted = { .n = 0 };

        vmmob_pipeline_vmn(ctx, &keys[i], &wanted);
        update(rules, &owner, &wanted);
    }
}

/* Installs the rules that let only those MAC addresses into 'port' that 'row'
 * lists, or removes them if it lists none.  'row' may be NULL. */
void
vmmob_rules_update_port(struct rules *rules, ofp_port_t port,
                        const struct vmmob_port *row)
{
    struct owner owner = { .type = OWNER_PORT, .port = port };
    struct rule_list wanted = { .n = 0 };

    if (row && row->n_macs) {
        vmmob_pipeline_port(port, row, &wanted);
    }
    update(rules, &owner, &wanted);
}

/* Installs the rules that say in which of 'networks' frames are that come in
 * by 'port', or removes them if that is NULL. */
void
vmmob_rules_update_admission(struct rules *rules, ofp_port_t port,
                             const struct port_networks *networks)
{
    struct owner owner = { .type = OWNER_ADMIT, .port = port };
    struct rule_list wanted = { .n = 0 };

    if (networks) {
        vmmob_pipeline_admit(port, networks, &wanted);
    }
    update(rules, &owner, &wanted);
}

/* Returns the number of packets that the rules of vmmob_rules_update_port()
 * dropped at 'port'. */
unsigned long long int
vmmob_rules_count_strange(const struct rules *rules, ofp_port_t port)
{
    const struct owner owner = { .type = OWNER_PORT, .port = port };

    return count_packets(rules, &owner, is_drop);
}

/* Starts or stops counting packets from 'port' whose addresses nobody there
 * can have.  They are dropped either way. */
void
vmmob_rules_update_forged(struct rules *rules, ofp_port_t port, bool count)
{
    struct owner owner = { .type = OWNER_FORGED, .port = port };
    struct rule_list wanted = { .n = 0 };

    if (count) {
        vmmob_pipeline_forged(port, &wanted);
    }
    update(rules, &owner, &wanted);
}

/* Returns the number of those packets. */
unsigned long long int
vmmob_rules_count_forged(const struct rules *rules, ofp_port_t port)
{
    const struct owner owner = { .type = OWNER_FORGED, .port = port };

    return count_packets(rules, &owner, is_drop);
}

/* Returns the number of packets dropped because their next hop was not here.
 */
unsigned long long int
vmmob_rules_count_stray(const struct rules *rules)
{
    const struct owner owner = { .type = OWNER_BASE };

    return count_packets(rules, &owner, vmmob_pipeline_is_stray);
}

/* Starts or stops dropping all that comes in by 'port'. */
void
vmmob_rules_update_block(struct rules *rules, ofp_port_t port, bool block)
{
    struct owner owner = { .type = OWNER_BLOCK, .port = port };
    struct rule_list wanted = { .n = 0 };

    if (block) {
        vmmob_pipeline_block(port, &wanted);
    }
    update(rules, &owner, &wanted);
}

/* Returns the number of packets dropped by that. */
unsigned long long int
vmmob_rules_count_blocked(const struct rules *rules, ofp_port_t port)
{
    const struct owner owner = { .type = OWNER_BLOCK, .port = port };

    return count_packets(rules, &owner, is_drop);
}

static bool
is_drop(const struct rule_spec *spec)
{
    return !spec->ofpacts.size;
}

/* Returns the number of packets that met those rules of 'owner' for which
 * 'is_counted' holds. */
static unsigned long long int
count_packets(const struct rules *rules, const struct owner *owner,
              bool (*is_counted)(const struct rule_spec *))
{
    const struct rule_set *set = find_set(rules, owner);
    unsigned long long int n = 0;

    for (size_t i = 0; set && i < set->list.n; i++) {
        const struct rule_spec *spec = &set->list.specs[i];
        struct pkt_stats stats;
        long long int used;

        if (is_counted(spec) && get_stats(rules, spec, &stats, &used)) {
            n += stats.n_packets;
        }
    }
    return n;
}

/* Stores in '*idle' the '*n_idle' remote VMNs none of whose rules in 'rules'
 * had a packet since 'since', in ms.  The caller must free '*idle'. */
void
vmmob_rules_collect_idle(struct rules *rules, const struct rules_context *ctx,
                         long long int since, struct vmmob_key **idle,
                         size_t *n_idle)
{
    struct rule_set *set;

    *idle = xmalloc(hmap_count(&rules->sets) * sizeof **idle);
    *n_idle = 0;
    HMAP_FOR_EACH (set, node, &rules->sets) {
        bool used = false;

        if (set->owner.type != OWNER_VMN || !set->list.n
            || !vmmob_handover_is_active(ctx->ofs, &set->owner.vmn)
            || vmmob_handover_find_vmn(ctx->ofs, &set->owner.vmn)) {
            continue;
        }
        for (size_t i = 0; i < set->list.n && !used; i++) {
            const struct rule_spec *spec = &set->list.specs[i];
            struct pkt_stats stats;
            long long int last;

            used = get_stats(rules, spec, &stats, &last) && last >= since;
        }
        if (!used) {
            (*idle)[(*n_idle)++] = set->owner.vmn;
        }
    }
}

/* Stores in '*busy' the '*n_busy' VMNs for which more than 'max_packets'
 * packets were copied since the last call.  The caller must free '*busy'. */
void
vmmob_rules_collect_busy(struct rules *rules,
                         unsigned long long int max_packets,
                         struct vmmob_key **busy, size_t *n_busy)
{
    struct rule_set *set;
    size_t allocated = 0;

    *busy = NULL;
    *n_busy = 0;
    HMAP_FOR_EACH (set, node, &rules->sets) {
        unsigned long long int n = 0;

        if (!set->list.copies) {
            set->copied_counted = false;
            continue;
        }
        for (size_t i = 0; i < set->list.n; i++) {
            const struct rule_spec *spec = &set->list.specs[i];
            struct pkt_stats stats;
            long long int used;

            if (spec->ofpacts.size
                && ((struct ofpact *) spec->ofpacts.data)->type == OFPACT_CLONE
                && get_stats(rules, spec, &stats, &used)) {
                n += stats.n_packets;
            }
        }
        if (set->copied_counted && n > set->n_copied + max_packets) {
            if (*n_busy >= allocated) {
                *busy = x2nrealloc(*busy, &allocated, sizeof **busy);
            }
            (*busy)[(*n_busy)++] = set->owner.vmn;
        }
        set->copied_counted = true;
        set->n_copied = n;
    }
}

/* Returns the number of packets for the MoAs of the VMN 'key' that came in by
 * the uplink, and were delivered or redirected. */
unsigned long long int
vmmob_rules_count_arrived(const struct rules *rules,
                          const struct vmmob_key *key)
{
    const struct owner owner = { .type = OWNER_VMN, .vmn = *key };

    return count_packets(rules, &owner, vmmob_pipeline_is_arrival);
}

/* Returns when the VMN 'key', which is here, last sent a packet from 'hoa' for
 * which there was a rule, or that rule was made, in ms, or LLONG_MIN. */
long long int
vmmob_rules_get_used(const struct rules *rules, const struct vmmob_key *key,
                     const struct in6_addr *hoa)
{
    const struct owner owner = { .type = OWNER_VMN, .vmn = *key };
    const struct rule_set *set = find_set(rules, &owner);
    long long int last = LLONG_MIN;

    for (size_t i = 0; set && i < set->list.n; i++) {
        const struct rule_spec *spec = &set->list.specs[i];
        struct pkt_stats stats;
        struct in6_addr addr;
        long long int used;

        if (vmmob_pipeline_is_departure(spec)
            && vmmob_pipeline_is_exact(spec, PIPELINE_SOURCE, &addr)
            && ipv6_addr_equals(&addr, hoa)
            && get_stats(rules, spec, &stats, &used)) {
            last = MAX(last, used);
        }
    }
    return last;
}

static bool
get_stats(const struct rules *rules, const struct rule_spec *spec,
          struct pkt_stats *stats, long long int *used)
{
    struct match match;
    struct rule *rule;

    minimatch_expand(&spec->match, &match);
    rule = rule_from_cls_rule(classifier_find_match_exactly(
        &rules->ofproto->tables[spec->table_id].cls, &match,
        spec->priority, OVS_VERSION_MAX));
    if (rule) {
        rules->ofproto->ofproto_class->rule_get_stats(rule, stats, used);
    }
    return rule != NULL;
}

/* Returns the number of rules installed, or about to be. */
size_t
vmmob_rules_count(const struct rules *rules)
{
    return rules->n_rules;
}

static int
compare_addrs(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct in6_addr));
}

/* Stores in '*addrs' the addresses whose rules changed since the last call:
 * home and mobile addresses, and MAC addresses as vmmob_flow_index_mac()
 * returns them.  Returns how many there are.  The caller must free
 * '*addrs'. */
size_t
vmmob_rules_take_changed(struct rules *rules, struct in6_addr **addrs)
{
    size_t n = 0;

    *addrs = NULL;
    if (!rules->n_changed) {
        return 0;
    }

    /* Several rules are about the same address. */
    qsort(rules->changed, rules->n_changed, sizeof *rules->changed,
          compare_addrs);
    for (size_t i = 0; i < rules->n_changed; i++) {
        if (!n || compare_addrs(&rules->changed[n - 1], &rules->changed[i])) {
            rules->changed[n++] = rules->changed[i];
        }
    }

    *addrs = rules->changed;
    rules->changed = NULL;
    rules->n_changed = rules->allocated_changed = 0;
    return n;
}

/* Reconciliation. */

static uint32_t
owner_hash(const struct owner *owner)
{
    switch (owner->type) {
    case OWNER_POOL:
    case OWNER_REFUSED:
        return vmmob_hash_bytes(&owner->pool.addr, sizeof owner->pool.addr,
                                owner->pool.plen ^ owner->type << 8);
    case OWNER_NETWORK:
    case OWNER_VMN:
        return vmmob_key_hash(&owner->vmn, owner->type);
    case OWNER_PORT:
    case OWNER_ADMIT:
    case OWNER_FORGED:
    case OWNER_BLOCK:
        return hash_int(ofp_to_u16(owner->port), owner->type);
    case OWNER_BASE:
    default:
        return owner->type;
    }
}

static bool
owner_equals(const struct owner *a, const struct owner *b)
{
    return (a->type == b->type && a->port == b->port
            && vmmob_prefix_equals(&a->pool, &b->pool)
            && vmmob_key_equals(&a->vmn, &b->vmn));
}

/* Returns a negative value if 'a' comes before 'b': then of two rules with the
 * same match, that of 'a' is in force.  Of two VMNs with one home address, the
 * one that vmmob_table_find_by_hoa() returns comes first. */
static int
owner_compare(const struct owner *a, const struct owner *b)
{
    if (a->type != b->type) {
        return a->type < b->type ? -1 : 1;
    }

    int cmp = vmmob_key_compare(&a->vmn, &b->vmn);
    if (!cmp) {
        cmp = ofp_to_u16(a->port) - ofp_to_u16(b->port);
    }
    if (!cmp) {
        cmp = memcmp(&a->pool.addr, &b->pool.addr, sizeof a->pool.addr);
    }
    return cmp ? cmp : a->pool.plen - b->pool.plen;
}

static struct rule_set *
find_set(const struct rules *rules, const struct owner *owner)
{
    struct rule_set *set;

    HMAP_FOR_EACH_WITH_HASH (set, node, owner_hash(owner), &rules->sets) {
        if (owner_equals(&set->owner, owner)) {
            return set;
        }
    }
    return NULL;
}

/* Returns the rule in 'list' that would take the place of 'spec'. */
static const struct rule_spec *
find_spec(const struct rule_list *list, const struct rule_spec *spec)
{
    for (size_t i = 0; i < list->n; i++) {
        const struct rule_spec *other = &list->specs[i];

        if (other->table_id == spec->table_id
            && other->priority == spec->priority
            && minimatch_equal(&other->match, &spec->match)) {
            return other;
        }
    }
    return NULL;
}

/* Makes 'spec' wanted. */
static void
slot_add(struct rules *rules, struct rule_spec *spec)
{
    uint32_t hash = minimatch_hash(&spec->match,
                                   (spec->table_id << 16) + spec->priority);
    struct rule_slot *slot, *found = NULL;
    struct rule_spec *next;

    HMAP_FOR_EACH_WITH_HASH (slot, node, hash, &rules->slots) {
        if (slot->table_id == spec->table_id
            && slot->priority == spec->priority
            && minimatch_equal(&slot->match, &spec->match)) {
            found = slot;
            break;
        }
    }
    if (!found) {
        found = xzalloc(sizeof *found);
        found->table_id = spec->table_id;
        found->priority = spec->priority;
        minimatch_clone(&found->match, &spec->match);
        ovs_list_init(&found->specs);
        ovs_list_init(&found->touched);
        /* Not empty, as in add(). */
        ofpbuf_init(&found->ofpacts, 64);
        hmap_insert(&rules->slots, &found->node, hash);
    }
    rules->n_rules += ovs_list_is_empty(&found->specs);

    struct ovs_list *before = &found->specs;
    LIST_FOR_EACH (next, node, &found->specs) {
        if (owner_compare(spec->owner, next->owner) < 0) {
            before = &next->node;
            break;
        }
    }
    ovs_list_insert(before, &spec->node);
    spec->slot = found;
}

/* Makes 'spec' not wanted any more. */
static void
slot_remove(struct rules *rules, struct rule_spec *spec)
{
    ovs_list_remove(&spec->node);
    rules->n_rules -= ovs_list_is_empty(&spec->slot->specs);
}

static void
slot_destroy(struct rules *rules, struct rule_slot *slot)
{
    hmap_remove(&rules->slots, &slot->node);
    ovs_list_remove(&slot->touched);
    minimatch_destroy(&slot->match);
    ofpbuf_uninit(&slot->ofpacts);
    free(slot);
}

/* Makes 'wanted', whose contents it takes, the rules that 'owner' wants. */
static void
update(struct rules *rules, const struct owner *owner,
       struct rule_list *wanted)
{
    struct rule_set *set = find_set(rules, owner);
    struct rule_list old;

    if (!set) {
        if (!wanted->n) {
            return;
        }
        set = xzalloc(sizeof *set);
        set->owner = *owner;
        hmap_insert(&rules->sets, &set->node, owner_hash(owner));
    }
    old = set->list;
    set->list = *wanted;
    memset(wanted, 0, sizeof *wanted);

    for (size_t i = 0; i < set->list.n; i++) {
        struct rule_spec *spec = &set->list.specs[i];
        const struct rule_spec *other = find_spec(&old, spec);

        spec->owner = &set->owner;
        spec->unpaired = !other;
        slot_add(rules, spec);
        if (!other || !ofpbuf_equal(&other->ofpacts, &spec->ofpacts)) {
            touch(rules, spec);
        }
    }
    for (size_t i = 0; i < old.n; i++) {
        struct rule_spec *spec = &old.specs[i];

        slot_remove(rules, spec);
        spec->unpaired = !find_spec(&set->list, spec);
        if (spec->unpaired) {
            touch(rules, spec);
        }
    }
    count_exact(rules, &set->list, 1);
    count_exact(rules, &old, -1);
    vmmob_pipeline_list_destroy(&old);
    if (!set->list.n) {
        vmmob_pipeline_list_destroy(&set->list);
        hmap_remove(&rules->sets, &set->node);
        free(set);
    }
}


/* Adds to 'n_exact' the rules in 'list' that are unpaired, or takes them off
 * if 'sign' is -1. */
static void
count_exact(struct rules *rules, const struct rule_list *list, int sign)
{
    for (size_t i = 0; i < list->n; i++) {
        const struct rule_spec *spec = &list->specs[i];

        for (int which = 0; spec->unpaired && which < PIPELINE_N_ADDRESSES;
             which++) {
            struct in6_addr addr;

            if (vmmob_pipeline_is_exact(spec, which, &addr)) {
                rules->n_exact[spec->table_id - VMMOB_TABLE_SOURCE][which]
                    += sign;
            }
        }
    }
}

/* Tells vmmob_rules_commit() to look at the slot of 'spec', which is wanted
 * only now, or not any more. */
static void
touch(struct rules *rules, const struct rule_spec *spec)
{
    bool narrow = false;

    for (int which = 0; which < PIPELINE_N_ADDRESSES; which++) {
        struct in6_addr addr;

        if (vmmob_pipeline_is_exact(spec, which, &addr)) {
            note_changed(rules, &addr);
            narrow |= rules->n_exact[spec->table_id
                                     - VMMOB_TABLE_SOURCE][which] > 0;
        }
    }
    rules->broad |= !narrow;
    if (ovs_list_is_empty(&spec->slot->touched)) {
        ovs_list_push_back(&rules->touched, &spec->slot->touched);
    }
}

/* Tells vmmob_rules_commit() to install a rule with 'ofpacts' in 'slot', or to
 * delete it if that is NULL. */
static void
put_flow_mod(struct rules *rules, const struct rule_slot *slot,
             const struct ofpbuf *ofpacts)
{
    if (rules->n_mods >= rules->allocated_mods) {
        rules->mods = x2nrealloc(rules->mods, &rules->allocated_mods,
                                 sizeof *rules->mods);
    }

    struct ofputil_flow_mod *fm = &rules->mods[rules->n_mods++];
    *fm = (struct ofputil_flow_mod) {
        .priority = slot->priority,
        .table_id = slot->table_id,
        .command = ofpacts ? OFPFC_ADD : OFPFC_DELETE_STRICT,
        .buffer_id = UINT32_MAX,
        .out_port = OFPP_ANY,
        .out_group = OFPG_ANY,
        .flags = OFPUTIL_FF_HIDDEN_FIELDS | OFPUTIL_FF_NO_READONLY,
        .ofpacts = ofpacts ? xmemdup(ofpacts->data, ofpacts->size) : NULL,
        .ofpacts_len = ofpacts ? ofpacts->size : 0,
    };
    minimatch_clone(&fm->match, &slot->match);
}

static void
note_changed(struct rules *rules, const struct in6_addr *addr)
{
    if (!rules->changed) {
        /* Enough for most moves of a VMN. */
        rules->allocated_changed = 32;
        rules->changed = xmalloc(rules->allocated_changed
                                 * sizeof *rules->changed);
    } else if (rules->n_changed >= rules->allocated_changed) {
        rules->changed = x2nrealloc(rules->changed, &rules->allocated_changed,
                                    sizeof *rules->changed);
    }
    rules->changed[rules->n_changed++] = *addr;
}
