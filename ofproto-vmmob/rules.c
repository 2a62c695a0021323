/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/rules.h"

#include "coverage.h"
#include "hash.h"
#include "ofproto/ofproto-provider.h"
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

/* The tables.  "Punt" is controller(id=VMMOB_CONTROLLER_ID), "user" is
 * resubmit(,0), "home" is the home subnet.
 *
 *  252: where packets start.
 *    250 port whose guest floods                 drop
 *    245 VLAN tag with ID 0                      without it, from the start
 *    240 uplink, IP or ARP from home, ARP for
 *          home, tag after tag                   forged
 *        uplink, ARP that cannot be read         punt
 *    230 uplink, VLAN tag                        user
 *    210 uplink, ARP request for the pool        punt
 *    205 uplink, ARP from the gateway            punt, user
 *    200 uplink, ICMP error to the pool          punt
 *        uplink, ICMP redirect, source quench
 *          to the pool                           drop
 *    195 uplink, IP to the MoA of a VMN, which is
 *          attached here                         (copy), rewrite destination,
 *                                                to 251
 *          detached or prepared                  punt
 *          not here any more                     redirect to its MoA there
 *    190 uplink, IP to the pool                  drop
 *    180 uplink                                  user
 *    170 IP multicast of a VMN here, from home,
 *          no VLAN tag                           user
 *    165 IP of a VMN here, from home, no VLAN
 *          tag                                   source MoA to reg0, to 253
 *    164 ARP, RARP of the guest at its port      what is below, see PASS_PORT
 *    163 other ARP, RARP at that port            drop
 *    162 MAC address of the guest at its port    what is below, see PASS_PORT
 *    161 anything else at that port              drop
 *    160 IP, ARP from the uplink's network or a
 *          pool, ARP probe for that network,
 *          from the MAC address of the bridge or
 *          the home gateway, tag after tag       forged
 *        ARP that cannot be read                 punt
 *    155 VLAN tag                                user
 *    150 ARP from or for home                    punt
 *    140 other ARP, RARP                         punt, user
 *    110 other IP multicast from home            punt, user
 *    100 other IP from home                      punt
 *      0                                         user
 *
 *  253: a packet of a VMN here, by destination.
 *    130 ping to the home gateway, or a
 *          fragment of one                       answer
 *    125 anything else to it                     drop
 *    121 HoA of a VMN here, from one without MoA output
 *    120 HoA of a VMN here                       (copy), output
 *    110 VMN without MoA                         drop
 *    100 HoA of a remote VMN                     rewrite both, to the uplink
 *     50 home                                    punt
 *     10 UDP-Lite, DCCP                          drop
 *      0                                         rewrite source, to the uplink
 *
 *  251: a packet for a VMN here, by source; the port is in reg1.
 *    120 forged (reg3), by port                  drop
 *    110 forged (reg3)                           drop
 *    100 MoA of a VMN here, or of a remote one   rewrite source, output
 *     50 pools of other OFSs, those that are next
 *          to each other as one              punt
 *     10 UDP-Lite, DCCP, once all of the other
 *          sites is known                        drop
 *      0                                         output, or while not all of
 *                                                the other sites is known,
 *                                                punt
 *
 * No datapath updates the checksum of UDP-Lite and DCCP, which covers
 * addresses, when it changes one.  Between VMNs, it is right again once both
 * are changed back; what goes to or comes from anybody else would have a wrong
 * one.
 *
 * "Forged" sets reg3 and goes on in 251, where such packets are counted for
 * each port.  A port that nothing is known of has no rules 164 to 161.  "Copy"
 * is to the MoA that a VMN has where it is expected, if both OFSs are to do
 * that; only then there is a rule 121.
 */

/* No port.  Packets from a guest that uses its own MAC address look their next
 * rule up as if they came from there, and so pass by rules 163 and 161. */
#define PASS_PORT OFPP_NONE

const struct eth_addr rules_gateway_mac = ETH_ADDR_C(02,56,4d,4d,4f,42);

/* Set in every multicast Ethernet address, the broadcast address included. */
static const struct eth_addr multicast_bit = ETH_ADDR_C(01,00,00,00,00,00);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 20);

/* A rule that an owner wants. */
struct rule_spec {
    uint8_t table_id;
    int priority;
    struct minimatch match;
    struct ofpbuf ofpacts;

    /* If it is in the list of a "struct rule_set". */
    const struct owner *owner;
    struct rule_slot *slot;     /* Which 'node' is in. */
    struct ovs_list node;       /* In 'specs' of 'slot'. */
};

struct rule_list {
    struct rule_spec *specs;
    size_t n, allocated;
    bool copies;                /* Some of these send copies. */
};

/* Who wants a rule. */
enum owner_type {
    OWNER_BASE,
    OWNER_POOL,
    OWNER_REFUSED,
    OWNER_VMN,
    OWNER_PORT,
    OWNER_FORGED,
    OWNER_BLOCK,
};

struct owner {
    enum owner_type type;
    struct vmmob_prefix pool;   /* OWNER_POOL and OWNER_REFUSED. */
    struct vmmob_key vmn;       /* OWNER_VMN. */
    ofp_port_t port;            /* OWNER_PORT, _FORGED and _BLOCK. */
};

/* What an owner has installed. */
struct rule_set {
    struct hmap_node node;      /* In 'sets' of its struct rules. */
    struct owner owner;
    struct rule_list list;

    /* See rules_collect_busy(). */
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
 * same match: then that of the first owner by owner_compare() is in force, and
 * when it goes, that of the next, whatever the order of events. */
struct rule_slot {
    struct hmap_node node;      /* In 'slots' of its struct rules. */
    uint8_t table_id;
    int priority;
    struct minimatch match;
    struct ovs_list specs;      /* Contains "struct rule_spec"s, in order of
                                 * their owners. */
    struct ovs_list touched;    /* In 'touched' of its struct rules while
                                 * 'specs' may not be what is installed;
                                 * otherwise empty. */
    bool installed;
    struct ofpbuf ofpacts;      /* Of the rule, if 'installed'. */
};

/* Most changes to make at once: others that change flow tables wait for
 * that. */
#define MAX_FLOW_MODS 512

struct rules {
    struct ofproto *ofproto;
    struct hmap sets;           /* Contains "struct rule_set"s. */
    struct hmap slots;          /* Contains "struct rule_slot"s. */
    size_t n_rules;             /* Those of them that are wanted. */
    struct ovs_list touched;    /* Those of them to look at. */
    struct vmmob_prefix_set pools;  /* IPv4 pools of other OFSs. */
    struct vmmob_prefix_set refused;    /* Those that no guest has addresses
                                         * of. */
    struct hmap ofss;           /* Contains "struct ofs_pools"s. */

    /* Changes not made yet. */
    struct ofputil_flow_mod *mods;
    size_t n_mods, allocated_mods;
    bool broad;                 /* One of these is about more than the
                                 * addresses in 'changed'. */

    /* How many rules there are for just one source, and just one destination,
     * in each table.  As long as there is none, datapath flows do not look at
     * that address at all. */
    size_t n_exact[3][2];

    /* Addresses that rules which changed are about. */
    struct in6_addr *changed;
    size_t n_changed, allocated_changed;
};

static void base_rules(const struct rules_context *, struct rule_list *);
static void pool_rules(const struct vmmob_prefix *, struct rule_list *);
static void refuse_source(const struct vmmob_prefix *, struct rule_list *);
static void vmn_rules(const struct rules_context *, const struct vmmob_key *,
                      struct rule_list *);

static void port_rules(ofp_port_t, const struct vmmob_port *,
                       struct rule_list *);

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
static struct ofpbuf *add(struct rule_list *, uint8_t table_id, int priority,
                          const struct match *);
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
static void note_changed(struct rules *, ovs_be32 addr);
static void rule_list_destroy(struct rule_list *);

/* Returns an empty set of rules for 'ofproto', which must live on until
 * rules_destroy(). */
struct rules *
rules_create(struct ofproto *ofproto)
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
rules_destroy(struct rules *rules, bool delete_flows)
{
    if (rules) {
        struct rule_slot *slot;
        struct rule_set *set;

        HMAP_FOR_EACH_POP (set, node, &rules->sets) {
            rule_list_destroy(&set->list);
            free(set);
        }
        HMAP_FOR_EACH_SAFE (slot, node, &rules->slots) {
            if (delete_flows && slot->installed) {
                put_flow_mod(rules, slot, NULL);
            }
            slot_destroy(rules, slot);
        }
        if (delete_flows) {
            rules_commit(rules);
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

/* Returns true if the changes that rules_commit() is about to make concern
 * just packets from or to the addresses that rules_take_changed() gives. */
bool
rules_are_narrow(const struct rules *rules)
{
    return !rules->broad;
}

/* Finds out what is to be done so that the rule in 'slot' is the one that is
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

/* Makes the changes that the functions below have found to be necessary.
 * Returns true if there were any. */
bool
rules_commit(struct rules *rules)
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

/* Has the revalidators look at all datapath flows, as after a change. */
void
rules_revalidate(struct rules *rules)
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
rules_update_base(struct rules *rules, const struct rules_context *ctx)
{
    struct owner owner = { .type = OWNER_BASE };
    struct rule_list wanted = { .n = 0 };

    base_rules(ctx, &wanted);
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
rules_update_ofs(struct rules *rules, const struct rules_context *ctx,
                 uint64_t id)
{
    const struct vmmob_ofs *other
        = id == ctx->ofs->id ? NULL : vmmob_table_find_ofs(ctx->h->table, id);
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

            if (!IN6_IS_ADDR_V4MAPPED(&pool->addr)) {
                continue;
            }
            new->pools[new->n++] = *pool;
            vmmob_prefix_set_add(&rules->pools, pool);

            /* Whatever others say, they do not cut our VMNs off.  There are
             * rules for the network of the uplink anyway. */
            if (!vmmob_prefix_overlaps(pool, &settings->home)
                && !(pool->plen >= settings->network.plen
                     && vmmob_prefix_contains(&settings->network,
                                              &pool->addr))) {
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
    update_pools(rules, &rules->pools, OWNER_POOL, pool_rules);
    update_pools(rules, &rules->refused, OWNER_REFUSED, refuse_source);
}

/* Returns true if 'addr' is in a pool of another OFS. */
bool
rules_is_in_pool(const struct rules *rules, const struct in6_addr *addr)
{
    return vmmob_prefix_set_contains(&rules->pools, addr);
}

/* Has the rules of 'type' be those that 'get_rules' gives for what is in
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
rules_update_vmns(struct rules *rules, const struct rules_context *ctx,
                  const struct vmmob_key *keys, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct owner owner = { .type = OWNER_VMN, .vmn = keys[i] };
        struct rule_list wanted = { .n = 0 };

        vmn_rules(ctx, &keys[i], &wanted);
        update(rules, &owner, &wanted);
    }
}

/* Installs the rules that let only those MAC addresses into 'port' that 'row'
 * lists, or removes them if it lists none.  'row' may be NULL. */
void
rules_update_port(struct rules *rules, ofp_port_t port,
                  const struct vmmob_port *row)
{
    struct owner owner = { .type = OWNER_PORT, .port = port };
    struct rule_list wanted = { .n = 0 };

    if (row && row->n_macs) {
        port_rules(port, row, &wanted);
    }
    update(rules, &owner, &wanted);
}

/* Returns the number of packets that those rules dropped at 'port'. */
unsigned long long int
rules_count_strange(const struct rules *rules, ofp_port_t port)
{
    const struct owner owner = { .type = OWNER_PORT, .port = port };

    return count_packets(rules, &owner, is_drop);
}

/* Has the packets from 'port' be counted whose addresses nobody there can
 * have, or not any longer.  They are dropped either way. */
void
rules_update_forged(struct rules *rules, ofp_port_t port, bool count)
{
    struct owner owner = { .type = OWNER_FORGED, .port = port };
    struct rule_list wanted = { .n = 0 };

    if (count) {
        struct match m;

        match_init_catchall(&m);
        match_set_in_port(&m, port);
        match_set_reg(&m, 3, 1);
        add(&wanted, VMMOB_TABLE_SOURCE, 120, &m);
    }
    update(rules, &owner, &wanted);
}

/* Returns the number of those packets. */
unsigned long long int
rules_count_forged(const struct rules *rules, ofp_port_t port)
{
    const struct owner owner = { .type = OWNER_FORGED, .port = port };

    return count_packets(rules, &owner, is_drop);
}

/* Has everything be dropped that comes in by 'port', or not any longer. */
void
rules_update_block(struct rules *rules, ofp_port_t port, bool block)
{
    struct owner owner = { .type = OWNER_BLOCK, .port = port };
    struct rule_list wanted = { .n = 0 };

    if (block) {
        struct match m;

        /* Matches nothing else, so that one datapath flow is enough whatever
         * comes. */
        match_init_catchall(&m);
        match_set_in_port(&m, port);
        add(&wanted, VMMOB_TABLE_ENTRY, 250, &m);
    }
    update(rules, &owner, &wanted);
}

/* Returns the number of packets that were dropped for that. */
unsigned long long int
rules_count_blocked(const struct rules *rules, ofp_port_t port)
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

/* Stores in '*idle' the '*n_idle' remote VMNs with rules in 'rules' none of
 * which had a packet since 'since', in ms.  The caller must free '*idle'. */
void
rules_collect_idle(struct rules *rules, const struct rules_context *ctx,
                   long long int since, struct vmmob_key **idle,
                   size_t *n_idle)
{
    struct rule_set *set;

    *idle = xmalloc(hmap_count(&rules->sets) * sizeof **idle);
    *n_idle = 0;
    HMAP_FOR_EACH (set, node, &rules->sets) {
        bool used = false;

        if (set->owner.type != OWNER_VMN || !set->list.n
            || !handover_is_active(ctx->ofs, &set->owner.vmn)
            || handover_find_vmn(ctx->ofs, &set->owner.vmn)) {
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

/* Stores in '*busy' the '*n_busy' VMNs that had more than 'max_packets'
 * packets of which copies were sent, since this was last called.  The caller
 * must free '*busy'. */
void
rules_collect_busy(struct rules *rules, unsigned long long int max_packets,
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

/* Whether 'spec' is about packets for a MoA that came in by the uplink. */
static bool
is_arrival(const struct rule_spec *spec)
{
    return spec->table_id == VMMOB_TABLE_ENTRY && spec->priority == 195;
}

/* Returns the number of packets for the MoAs of the VMN 'key' that came in by
 * the uplink, and were delivered or redirected. */
unsigned long long int
rules_count_arrived(const struct rules *rules, const struct vmmob_key *key)
{
    const struct owner owner = { .type = OWNER_VMN, .vmn = *key };

    return count_packets(rules, &owner, is_arrival);
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
rules_count(const struct rules *rules)
{
    return rules->n_rules;
}

static int
compare_addrs(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct in6_addr));
}

/* Stores in '*addrs' the home and mobile addresses whose rules changed since
 * the last call, and returns how many there are.  The caller must free
 * '*addrs'. */
size_t
rules_take_changed(struct rules *rules, struct in6_addr **addrs)
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

/* Stores in '*mac' where packets to 'moa', at the OFS 'id', go next: to that
 * OFS itself if it is on the same IP network, otherwise to the gateway.
 * Returns false if that is not known yet. */
bool
rules_get_next_hop(const struct rules_context *ctx,
                   const struct in6_addr *moa, uint64_t id,
                   struct eth_addr *mac)
{
    const struct vmmob_ofs *self = vmmob_table_find_ofs(ctx->h->table,
                                                        ctx->ofs->id);
    const struct vmmob_ofs *other = vmmob_table_find_ofs(ctx->h->table, id);

    if (other && vmmob_prefix_equals(&other->uplink, &self->uplink)
        && vmmob_prefix_contains(&self->uplink, moa)) {
        *mac = other->mac;
    } else {
        *mac = self->gateway_mac;
    }
    return !eth_addr_is_zero(*mac);
}

/* Matches and actions. */

static void
match_type(struct match *match, uint16_t dl_type)
{
    match_init_catchall(match);
    match_set_dl_type(match, htons(dl_type));
}

static void
match_source(struct match *match, const struct vmmob_prefix *prefix)
{
    match_set_nw_src_masked(match, in6_addr_get_mapped_ipv4(&prefix->addr),
                            be32_prefix_mask(prefix->plen - 96));
}

static void
match_destination(struct match *match, const struct vmmob_prefix *prefix)
{
    match_set_nw_dst_masked(match, in6_addr_get_mapped_ipv4(&prefix->addr),
                            be32_prefix_mask(prefix->plen - 96));
}

static struct vmmob_prefix
host(const struct in6_addr *addr)
{
    return (struct vmmob_prefix) { .addr = *addr, .plen = 128 };
}

static void
put_set_ip(struct ofpbuf *ofpacts, enum mf_field_id id,
           const struct in6_addr *addr)
{
    ovs_be32 value = in6_addr_get_mapped_ipv4(addr);

    ofpact_put_set_field(ofpacts, mf_from_id(id), &value, NULL);
}

static void
put_set_eth(struct ofpbuf *ofpacts, enum mf_field_id id,
            const struct eth_addr mac)
{
    ofpact_put_set_field(ofpacts, mf_from_id(id), &mac, NULL);
}

static void
put_load_reg(struct ofpbuf *ofpacts, enum mf_field_id id, ovs_be32 value)
{
    ofpact_put_set_field(ofpacts, mf_from_id(id), &value, NULL);
}

static void
put_move(struct ofpbuf *ofpacts, enum mf_field_id src, enum mf_field_id dst)
{
    struct ofpact_reg_move *move = ofpact_put_REG_MOVE(ofpacts);

    move->src = (struct mf_subfield) {
        .field = mf_from_id(src), .n_bits = mf_from_id(src)->n_bits,
    };
    move->dst = (struct mf_subfield) {
        .field = mf_from_id(dst), .n_bits = mf_from_id(dst)->n_bits,
    };
}

static void
put_resubmit(struct ofpbuf *ofpacts, uint8_t table_id)
{
    struct ofpact_resubmit *resubmit = ofpact_put_RESUBMIT(ofpacts);

    resubmit->in_port = OFPP_IN_PORT;
    resubmit->table_id = table_id;
}

static void
put_forged(struct ofpbuf *ofpacts)
{
    put_load_reg(ofpacts, MFF_REG3, htonl(1));
    put_resubmit(ofpacts, VMMOB_TABLE_SOURCE);
}

static void
put_output(struct ofpbuf *ofpacts, ofp_port_t port)
{
    struct ofpact_output *output = ofpact_put_OUTPUT(ofpacts);

    output->port = port;
    output->max_len = UINT16_MAX;
}

static void
put_output_reg1(struct ofpbuf *ofpacts)
{
    struct ofpact_output_reg *output = ofpact_put_OUTPUT_REG(ofpacts);

    output->max_len = UINT16_MAX;
    output->src = (struct mf_subfield) {
        .field = mf_from_id(MFF_REG1), .n_bits = 32,
    };
}

static void
put_punt(struct ofpbuf *ofpacts)
{
    struct ofpact_controller *controller = ofpact_put_CONTROLLER(ofpacts);

    controller->max_len = UINT16_MAX;
    controller->controller_id = VMMOB_CONTROLLER_ID;
    controller->reason = OFPR_ACTION;
    controller->meter_id = NX_CTLR_NO_METER;
    controller->provider_meter_id = UINT32_MAX;
    ofpact_finish_CONTROLLER(ofpacts, &controller);
}

/* Appends to 'ofpacts' what takes one off the TTL and ends there if nothing is
 * left of it.  Nobody hears of that: it says nothing of where the packet
 * should go. */
static void
put_dec_ttl(struct ofpbuf *ofpacts)
{
    struct ofpact_cnt_ids *ids = ofpact_put_DEC_TTL(ofpacts);

    ids->n_controllers = 0;
    ofpact_finish_DEC_TTL(ofpacts, &ids);
}

/* Adds a rule to 'list' and returns where its actions go. */
static struct ofpbuf *
add(struct rule_list *list, uint8_t table_id, int priority,
    const struct match *match)
{
    if (list->n >= list->allocated) {
        list->specs = x2nrealloc(list->specs, &list->allocated,
                                 sizeof *list->specs);
    }

    struct rule_spec *spec = &list->specs[list->n++];
    spec->table_id = table_id;
    spec->priority = priority;
    minimatch_init(&spec->match, match);
    /* Not empty, so that 'data' is not null where there is no action. */
    ofpbuf_init(&spec->ofpacts, 64);
    return &spec->ofpacts;
}

/* What is wanted. */

/* Priorities of rules against forged packets.  Those from VM ports say nothing
 * of the port: what the uplink sends meets others before. */
#define PRIORITY_FORGED_UPLINK 240
#define PRIORITY_FORGED 160

/* Nobody behind a VM port has an address in 'prefix'. */
static void
refuse_source(const struct vmmob_prefix *prefix, struct rule_list *list)
{
    static const uint16_t types[] = { ETH_TYPE_IP, ETH_TYPE_ARP };

    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        struct match m;

        match_type(&m, types[i]);
        match_source(&m, prefix);
        put_forged(add(list, VMMOB_TABLE_ENTRY, PRIORITY_FORGED, &m));
    }
}

/* Hosts may read what Open vSwitch does not: an ARP with another hardware
 * type, which the module counts, and what follows more VLAN tags than it looks
 * at.  'in' is a match for where it comes from. */
static void
refuse_unread(const struct match *in, int priority, struct rule_list *list)
{
    static const uint16_t tags[] = {
        ETH_TYPE_VLAN_8021Q, ETH_TYPE_VLAN_8021AD,
    };
    struct match m = *in;

    match_set_dl_type(&m, htons(ETH_TYPE_ARP));
    match_set_nw_proto(&m, 0);
    match_set_nw_src(&m, 0);
    match_set_nw_dst(&m, 0);
    put_punt(add(list, VMMOB_TABLE_ENTRY, priority, &m));

    for (size_t i = 0; i < ARRAY_SIZE(tags); i++) {
        m = *in;
        match_set_dl_type(&m, htons(tags[i]));
        put_forged(add(list, VMMOB_TABLE_ENTRY, priority, &m));
    }
}

/* Nobody behind the uplink has a home address, and nobody there is to hear of
 * one.  'tag' is a match for what has a VLAN tag; that is no business of
 * ours. */
static void
uplink_rules(const struct vmmob_settings *s, ofp_port_t uplink,
             const struct match *tag, struct rule_list *list)
{
    static const uint16_t types[] = { ETH_TYPE_IP, ETH_TYPE_ARP };
    struct match m;

    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        match_type(&m, types[i]);
        match_set_in_port(&m, uplink);
        match_source(&m, &s->home);
        put_forged(add(list, VMMOB_TABLE_ENTRY, PRIORITY_FORGED_UPLINK, &m));
    }
    match_type(&m, ETH_TYPE_ARP);
    match_set_in_port(&m, uplink);
    match_destination(&m, &s->home);
    put_forged(add(list, VMMOB_TABLE_ENTRY, PRIORITY_FORGED_UPLINK, &m));

    match_init_catchall(&m);
    match_set_in_port(&m, uplink);
    refuse_unread(&m, PRIORITY_FORGED_UPLINK, list);

    m = *tag;
    match_set_in_port(&m, uplink);
    put_resubmit(add(list, VMMOB_TABLE_ENTRY, 230, &m), 0);
}

/* Who is behind a VM port is not in the network of the uplink, and neither the
 * bridge 'self' nor the home gateway.  'tag' is as for uplink_rules(). */
static void
vm_port_rules(const struct vmmob_settings *s, const struct vmmob_ofs *self,
              const struct match *tag, struct rule_list *list)
{
    const struct eth_addr macs[] = { self->mac, rules_gateway_mac };
    struct match m;

    /* Our pools and the gateway are in there. */
    refuse_source(&s->network, list);

    /* A host that wants the address does not take it then (RFC 5227). */
    match_type(&m, ETH_TYPE_ARP);
    match_set_nw_src(&m, 0);
    match_destination(&m, &s->network);
    put_forged(add(list, VMMOB_TABLE_ENTRY, PRIORITY_FORGED, &m));

    match_init_catchall(&m);
    refuse_unread(&m, PRIORITY_FORGED, list);

    /* The switch would learn that what is for them goes there. */
    for (size_t i = 0; i < ARRAY_SIZE(macs); i++) {
        match_init_catchall(&m);
        match_set_dl_src(&m, macs[i]);
        put_forged(add(list, VMMOB_TABLE_ENTRY, PRIORITY_FORGED, &m));
    }

    put_resubmit(add(list, VMMOB_TABLE_ENTRY, 155, tag), 0);
}

/* Appends to 'ofpacts' what makes a ping of the home gateway, or a fragment of
 * one, the answer and sends it back.  Only a first fragment has a type, and a
 * checksum that changes with it. */
static void
put_echo_reply(const struct vmmob_settings *s, struct ofpbuf *ofpacts)
{
    const uint8_t echo_reply = ICMP4_ECHO_REPLY;

    put_move(ofpacts, MFF_IPV4_SRC, MFF_IPV4_DST);
    put_set_ip(ofpacts, MFF_IPV4_SRC, &s->home_gateway);
    put_move(ofpacts, MFF_ETH_SRC, MFF_ETH_DST);
    put_set_eth(ofpacts, MFF_ETH_SRC, rules_gateway_mac);
    ofpact_put_set_field(ofpacts, mf_from_id(MFF_ICMPV4_TYPE), &echo_reply,
                         NULL);
    put_output(ofpacts, OFPP_IN_PORT);
}

static void
base_rules(const struct rules_context *ctx, struct rule_list *list)
{
    const struct vmmob_settings *s = &ctx->ofs->settings;
    const struct vmmob_ofs *self = vmmob_table_find_ofs(ctx->h->table,
                                                        ctx->ofs->id);
    const struct vmmob_prefix gateway = host(&s->gateway);
    const struct vmmob_prefix home_gateway = host(&s->home_gateway);
    static const uint8_t stale_csum[] = { IPPROTO_UDPLITE, IPPROTO_DCCP };
    struct ofpbuf *a;
    struct match m;

    /* A tag with VLAN ID 0 is none. */
    match_init_catchall(&m);
    match_set_dl_tci_masked(&m, htons(VLAN_CFI),
                            htons(VLAN_CFI | VLAN_VID_MASK));
    a = add(list, VMMOB_TABLE_ENTRY, 245, &m);
    ofpact_put_STRIP_VLAN(a);
    put_resubmit(a, VMMOB_TABLE_ENTRY);

    match_init_catchall(&m);
    match_set_dl_tci_masked(&m, htons(VLAN_CFI), htons(VLAN_CFI));
    uplink_rules(s, ctx->uplink, &m, list);
    vm_port_rules(s, self, &m, list);

    match_init_catchall(&m);
    match_set_reg(&m, 3, 1);
    add(list, VMMOB_TABLE_SOURCE, 110, &m);

    for (size_t i = 0; i < s->n_pools; i++) {
        static const uint8_t icmp_errors[] = {
            ICMP4_DST_UNREACH, ICMP4_TIME_EXCEEDED, ICMP4_PARAM_PROB,
        };
        /* They quote packets, too.  A VMN's first hop is its home gateway and
         * not a router of the uplink's network, so it must not believe that
         * one's redirect (RFC 1122, 3.2.2.2), and nobody believes a source
         * quench (RFC 6633). */
        static const uint8_t icmp_useless[] = {
            ICMP4_SOURCEQUENCH, ICMP4_REDIRECT,
        };

        match_type(&m, ETH_TYPE_ARP);
        match_set_in_port(&m, ctx->uplink);
        match_set_nw_proto(&m, ARP_OP_REQUEST);
        match_destination(&m, &s->pools[i]);
        put_punt(add(list, VMMOB_TABLE_ENTRY, 210, &m));

        for (size_t j = 0; j < ARRAY_SIZE(icmp_errors); j++) {
            match_type(&m, ETH_TYPE_IP);
            match_set_in_port(&m, ctx->uplink);
            match_set_nw_proto(&m, IPPROTO_ICMP);
            match_set_icmp_type(&m, icmp_errors[j]);
            match_destination(&m, &s->pools[i]);
            put_punt(add(list, VMMOB_TABLE_ENTRY, 200, &m));
        }
        for (size_t j = 0; j < ARRAY_SIZE(icmp_useless); j++) {
            match_set_icmp_type(&m, icmp_useless[j]);
            add(list, VMMOB_TABLE_ENTRY, 200, &m);
        }

        match_type(&m, ETH_TYPE_IP);
        match_set_in_port(&m, ctx->uplink);
        match_destination(&m, &s->pools[i]);
        add(list, VMMOB_TABLE_ENTRY, 190, &m);
    }

    match_type(&m, ETH_TYPE_ARP);
    match_set_in_port(&m, ctx->uplink);
    match_source(&m, &gateway);
    a = add(list, VMMOB_TABLE_ENTRY, 205, &m);
    put_punt(a);
    put_resubmit(a, 0);

    match_init_catchall(&m);
    match_set_in_port(&m, ctx->uplink);
    put_resubmit(add(list, VMMOB_TABLE_ENTRY, 180, &m), 0);

    match_type(&m, ETH_TYPE_ARP);
    match_source(&m, &s->home);
    put_punt(add(list, VMMOB_TABLE_ENTRY, 150, &m));

    match_type(&m, ETH_TYPE_ARP);
    match_destination(&m, &s->home);
    put_punt(add(list, VMMOB_TABLE_ENTRY, 150, &m));

    match_type(&m, ETH_TYPE_ARP);
    a = add(list, VMMOB_TABLE_ENTRY, 140, &m);
    put_punt(a);
    put_resubmit(a, 0);

    match_type(&m, ETH_TYPE_RARP);
    a = add(list, VMMOB_TABLE_ENTRY, 140, &m);
    put_punt(a);
    put_resubmit(a, 0);

    match_type(&m, ETH_TYPE_IP);
    match_set_dl_dst_masked(&m, multicast_bit, multicast_bit);
    match_source(&m, &s->home);
    a = add(list, VMMOB_TABLE_ENTRY, 110, &m);
    put_punt(a);
    put_resubmit(a, 0);

    match_type(&m, ETH_TYPE_IP);
    match_source(&m, &s->home);
    put_punt(add(list, VMMOB_TABLE_ENTRY, 100, &m));

    match_init_catchall(&m);
    put_resubmit(add(list, VMMOB_TABLE_ENTRY, 0, &m), 0);

    match_type(&m, ETH_TYPE_IP);
    match_set_nw_proto(&m, IPPROTO_ICMP);
    match_destination(&m, &home_gateway);
    match_set_icmp_type(&m, ICMP4_ECHO_REQUEST);
    put_echo_reply(s, add(list, VMMOB_TABLE_DESTINATION, 130, &m));

    /* No fragment matches a type.  They are of a ping: nothing else that is
     * ICMP is so large. */
    match_type(&m, ETH_TYPE_IP);
    match_set_nw_proto(&m, IPPROTO_ICMP);
    match_destination(&m, &home_gateway);
    match_set_nw_frag_masked(&m, FLOW_NW_FRAG_ANY, FLOW_NW_FRAG_ANY);
    put_echo_reply(s, add(list, VMMOB_TABLE_DESTINATION, 130, &m));

    match_type(&m, ETH_TYPE_IP);
    match_destination(&m, &home_gateway);
    add(list, VMMOB_TABLE_DESTINATION, 125, &m);

    match_type(&m, ETH_TYPE_IP);
    match_set_reg(&m, 0, 0);
    add(list, VMMOB_TABLE_DESTINATION, 110, &m);

    match_type(&m, ETH_TYPE_IP);
    match_destination(&m, &s->home);
    put_punt(add(list, VMMOB_TABLE_DESTINATION, 50, &m));

    match_type(&m, ETH_TYPE_IP);
    a = add(list, VMMOB_TABLE_DESTINATION, 0, &m);
    if (!eth_addr_is_zero(self->gateway_mac)) {
        put_move(a, MFF_REG0, MFF_IPV4_SRC);
        put_set_eth(a, MFF_ETH_SRC, self->mac);
        put_set_eth(a, MFF_ETH_DST, self->gateway_mac);
        put_output(a, ctx->uplink);
    }

    for (size_t i = 0; i < ARRAY_SIZE(stale_csum); i++) {
        match_type(&m, ETH_TYPE_IP);
        match_set_nw_proto(&m, stale_csum[i]);
        add(list, VMMOB_TABLE_DESTINATION, 10, &m);
        if (!handover_is_blind(ctx->h, ctx->ofs)) {
            add(list, VMMOB_TABLE_SOURCE, 10, &m);
        }
    }

    match_type(&m, ETH_TYPE_IP);
    a = add(list, VMMOB_TABLE_SOURCE, 0, &m);
    if (handover_is_blind(ctx->h, ctx->ofs)) {
        put_punt(a);
    } else {
        put_output_reg1(a);
    }
}

/* Rules for 'pool', one of those that all pools of other OFSs make. */
static void
pool_rules(const struct vmmob_prefix *pool, struct rule_list *list)
{
    struct match m;

    match_type(&m, ETH_TYPE_IP);
    match_source(&m, pool);
    put_punt(add(list, VMMOB_TABLE_SOURCE, 50, &m));
}

static bool
is_ipv4_pair(const struct vmmob_pair *pair)
{
    return IN6_IS_ADDR_V4MAPPED(&pair->hoa);
}

static bool
has_ipv4_moa(const struct vmmob_pair *pair)
{
    return IN6_IS_ADDR_V4MAPPED(&pair->moa);
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
           ? vmmob_table_find_row(ctx->h->table, &vmn->row.key, vmn->copy_to)
           : NULL);
    const struct vmmob_pair *there = row ? vmmob_vmn_find_hoa(row, hoa) : NULL;
    struct copy_target target = { .row = NULL };

    if (there && has_ipv4_moa(there)
        && rules_get_next_hop(ctx, &there->moa, row->ofs, &target.next_hop)) {
        target.row = row;
        target.moa = there->moa;
    }
    return target;
}

/* Appends to 'ofpacts' what sends a copy to 'target', out by 'port'.  The
 * packet's source is the sender's MoA, which is in reg0 if 'from_vm' is
 * true. */
static void
put_copy(const struct rules_context *ctx, const struct copy_target *target,
         ofp_port_t port, bool from_vm, struct ofpbuf *ofpacts)
{
    const struct vmmob_ofs *self = vmmob_table_find_ofs(ctx->h->table,
                                                        ctx->ofs->id);
    size_t start = ofpacts->size;

    ofpact_put_CLONE(ofpacts);
    if (from_vm) {
        put_move(ofpacts, MFF_REG0, MFF_IPV4_SRC);
    } else {
        put_dec_ttl(ofpacts);
    }
    put_set_ip(ofpacts, MFF_IPV4_DST, &target->moa);
    put_set_eth(ofpacts, MFF_ETH_SRC, self->mac);
    put_set_eth(ofpacts, MFF_ETH_DST, target->next_hop);
    put_output(ofpacts, port);

    struct ofpact_nest *clone = ofpbuf_at_assert(ofpacts, start,
                                                 sizeof *clone);
    ofpacts->header = clone;
    ofpact_finish_CLONE(ofpacts, &clone);
}

/* Rules for a VMN of this OFS. */
static void
local_rules(const struct rules_context *ctx, const struct handover_vmn *vmn,
            struct rule_list *list)
{
    const struct vmmob_key *key = &vmn->row.key;
    const struct vmmob_vmn *binding
        = vmmob_table_find_binding(ctx->h->table, key);
    const struct vmmob_ofs *self = vmmob_table_find_ofs(ctx->h->table,
                                                        ctx->ofs->id);

    for (size_t i = 0; i < vmn->row.n_pairs; i++) {
        const struct vmmob_pair *pair = &vmn->row.pairs[i];
        const struct vmmob_prefix hoa = host(&pair->hoa);
        const struct vmmob_prefix moa = host(&pair->moa);
        struct copy_target copy = { .row = NULL };
        struct ofpbuf *a;
        struct match m;

        if (!is_ipv4_pair(pair)) {
            continue;
        }
        if (vmn->state == HANDOVER_ATTACHED) {
            copy = find_copy_target(ctx, vmn, &pair->hoa);
            list->copies |= copy.row != NULL;

            match_type(&m, ETH_TYPE_IP);
            match_set_in_port(&m, vmn->port);
            match_set_dl_tci_masked(&m, htons(0), htons(VLAN_CFI));
            match_set_dl_src(&m, key->mac);
            match_source(&m, &hoa);
            a = add(list, VMMOB_TABLE_ENTRY, 165, &m);
            put_load_reg(a, MFF_REG0, in6_addr_get_mapped_ipv4(&pair->moa));
            put_resubmit(a, VMMOB_TABLE_DESTINATION);

            match_set_dl_dst_masked(&m, multicast_bit, multicast_bit);
            put_resubmit(add(list, VMMOB_TABLE_ENTRY, 170, &m), 0);

            match_type(&m, ETH_TYPE_IP);
            match_destination(&m, &hoa);
            a = add(list, VMMOB_TABLE_DESTINATION, 120, &m);
            if (copy.row) {
                put_copy(ctx, &copy, ctx->uplink, true, a);
            }
            put_set_eth(a, MFF_ETH_DST, key->mac);
            put_output(a, vmn->port);
            if (copy.row) {
                match_set_reg(&m, 0, 0);
                a = add(list, VMMOB_TABLE_DESTINATION, 121, &m);
                put_set_eth(a, MFF_ETH_DST, key->mac);
                put_output(a, vmn->port);
            }
        }
        if (!has_ipv4_moa(pair)) {
            continue;
        }

        match_type(&m, ETH_TYPE_IP);
        match_set_in_port(&m, ctx->uplink);
        match_destination(&m, &moa);
        if (vmn->state == HANDOVER_ATTACHED) {
            a = add(list, VMMOB_TABLE_ENTRY, 195, &m);
            if (copy.row) {
                put_copy(ctx, &copy, OFPP_IN_PORT, false, a);
            }
            put_set_ip(a, MFF_IPV4_DST, &pair->hoa);
            put_set_eth(a, MFF_ETH_SRC, rules_gateway_mac);
            put_set_eth(a, MFF_ETH_DST, key->mac);
            put_load_reg(a, MFF_REG1,
                         htonl((OVS_FORCE uint32_t) vmn->port));
            put_resubmit(a, VMMOB_TABLE_SOURCE);
        } else if (vmn->state == HANDOVER_DETACHED
                   || vmn->state == HANDOVER_PREPARED) {
            put_punt(add(list, VMMOB_TABLE_ENTRY, 195, &m));
        } else if (binding && binding->ofs != ctx->ofs->id) {
            const struct vmmob_pair *there
                = vmmob_vmn_find_hoa(binding, &pair->hoa);
            struct eth_addr next_hop;

            if (there && has_ipv4_moa(there)
                && rules_get_next_hop(ctx, &there->moa, binding->ofs,
                                      &next_hop)) {
                a = add(list, VMMOB_TABLE_ENTRY, 195, &m);
                put_set_ip(a, MFF_IPV4_DST, &there->moa);
                put_set_eth(a, MFF_ETH_SRC, self->mac);
                put_set_eth(a, MFF_ETH_DST, next_hop);
                /* In case two OFSs both believe that it is at the other. */
                put_dec_ttl(a);
                put_output(a, OFPP_IN_PORT);
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
    const struct vmmob_ofs *self = vmmob_table_find_ofs(ctx->h->table,
                                                        ctx->ofs->id);
    struct ofpbuf *a;
    struct match m;

    for (size_t i = 0; i < binding->n_pairs; i++) {
        const struct vmmob_pair *pair = &binding->pairs[i];
        const struct vmmob_prefix hoa = host(&pair->hoa);
        struct eth_addr next_hop;

        /* Two VMNs may claim one HoA: two sites were not in touch. */
        if (is_ipv4_pair(pair) && has_ipv4_moa(pair)
            && vmmob_table_find_by_hoa(ctx->h->table, entry->key.tenant,
                                       &pair->hoa) == binding
            && rules_get_next_hop(ctx, &pair->moa, binding->ofs, &next_hop)) {
            match_type(&m, ETH_TYPE_IP);
            match_destination(&m, &hoa);
            a = add(list, VMMOB_TABLE_DESTINATION, 100, &m);
            put_move(a, MFF_REG0, MFF_IPV4_SRC);
            put_set_ip(a, MFF_IPV4_DST, &pair->moa);
            put_set_eth(a, MFF_ETH_SRC, self->mac);
            put_set_eth(a, MFF_ETH_DST, next_hop);
            put_output(a, ctx->uplink);
        }
    }
}

/* Rules for what a VMN has sent by way of the uplink: from where it is, and
 * before it moved, from where it was.  A VMN here may have sent to one that
 * moved here meanwhile, so that the packet was redirected back. */
static void
source_rules(const struct rules_context *ctx, const struct vmmob_entry *entry,
             struct rule_list *list)
{
    const struct vmmob_row *row;

    LIST_FOR_EACH (row, node, &entry->rows) {
        for (size_t i = 0; i < row->vmn.n_pairs; i++) {
            const struct vmmob_pair *pair = &row->vmn.pairs[i];
            const struct vmmob_prefix moa = host(&pair->moa);

            if (is_ipv4_pair(pair) && has_ipv4_moa(pair)
                && vmmob_table_find_by_moa(ctx->h->table, &pair->moa)
                   == &row->vmn) {
                struct ofpbuf *a;
                struct match m;

                match_type(&m, ETH_TYPE_IP);
                match_source(&m, &moa);
                a = add(list, VMMOB_TABLE_SOURCE, 100, &m);
                put_set_ip(a, MFF_IPV4_SRC, &pair->hoa);
                put_set_eth(a, MFF_ETH_SRC, entry->key.mac);
                put_output_reg1(a);
            }
        }
    }
}

static void
vmn_rules(const struct rules_context *ctx, const struct vmmob_key *key,
          struct rule_list *list)
{
    const struct handover_vmn *vmn = handover_find_vmn(ctx->ofs, key);
    const struct vmmob_entry *entry = vmmob_table_find(ctx->h->table, key);
    bool active = handover_is_active(ctx->ofs, key);

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

static void
put_pass(struct ofpbuf *ofpacts)
{
    struct ofpact_resubmit *resubmit = ofpact_put_RESUBMIT(ofpacts);

    resubmit->in_port = PASS_PORT;
    resubmit->table_id = VMMOB_TABLE_ENTRY;
}

/* Rules for 'port', whose guest may use just the MAC addresses of 'row'. */
static void
port_rules(ofp_port_t port, const struct vmmob_port *row,
           struct rule_list *list)
{
    static const uint16_t types[] = { ETH_TYPE_ARP, ETH_TYPE_RARP };
    struct match m;

    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        match_type(&m, types[i]);
        match_set_in_port(&m, port);
        add(list, VMMOB_TABLE_ENTRY, 163, &m);

        for (size_t j = 0; j < row->n_macs; j++) {
            match_set_dl_src(&m, row->macs[j]);
            match_set_arp_sha(&m, row->macs[j]);
            put_pass(add(list, VMMOB_TABLE_ENTRY, 164, &m));
        }
    }

    match_init_catchall(&m);
    match_set_in_port(&m, port);
    add(list, VMMOB_TABLE_ENTRY, 161, &m);
    for (size_t j = 0; j < row->n_macs; j++) {
        match_set_dl_src(&m, row->macs[j]);
        put_pass(add(list, VMMOB_TABLE_ENTRY, 162, &m));
    }
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
    case OWNER_VMN:
        return vmmob_key_hash(&owner->vmn, owner->type);
    case OWNER_PORT:
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

/* Returns a negative value if 'a' comes before 'b', so that of two rules with
 * the same match, that of 'a' is in force.  Of two VMNs with one home address,
 * that is the one by vmmob_table_find_by_hoa(). */
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

/* Makes 'spec' one of those that are wanted. */
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

/* 'spec' is not wanted any more. */
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
        slot_add(rules, spec);
        if (!other || !ofpbuf_equal(&other->ofpacts, &spec->ofpacts)) {
            touch(rules, spec);
        }
    }
    for (size_t i = 0; i < old.n; i++) {
        slot_remove(rules, &old.specs[i]);
        if (!find_spec(&set->list, &old.specs[i])) {
            touch(rules, &old.specs[i]);
        }
    }
    count_exact(rules, &set->list, 1);
    count_exact(rules, &old, -1);
    rule_list_destroy(&old);
    if (!set->list.n) {
        rule_list_destroy(&set->list);
        hmap_remove(&rules->sets, &set->node);
        free(set);
    }
}

enum { SOURCE, DESTINATION };

/* Returns true if 'spec' is for just one source or destination address, as
 * 'which' says. */
static bool
is_exact(const struct rule_spec *spec, int which)
{
    ovs_be32 mask = (which == SOURCE
                     ? MINIFLOW_GET_BE32(&spec->match.mask->masks, nw_src)
                     : MINIFLOW_GET_BE32(&spec->match.mask->masks, nw_dst));

    return (mask == OVS_BE32_MAX
            && MINIFLOW_GET_BE16(spec->match.flow, dl_type)
               == htons(ETH_TYPE_IP));
}

/* Adds to 'n_exact' the rules in 'list', or takes them off if 'sign' is -1. */
static void
count_exact(struct rules *rules, const struct rule_list *list, int sign)
{
    for (size_t i = 0; i < list->n; i++) {
        const struct rule_spec *spec = &list->specs[i];

        for (int which = SOURCE; which <= DESTINATION; which++) {
            if (is_exact(spec, which)) {
                rules->n_exact[spec->table_id - VMMOB_TABLE_SOURCE][which]
                    += sign;
            }
        }
    }
}

/* Has rules_commit() look at the slot of 'spec', which is wanted only now, or
 * not any more. */
static void
touch(struct rules *rules, const struct rule_spec *spec)
{
    bool narrow = false;

    for (int which = SOURCE; which <= DESTINATION; which++) {
        if (is_exact(spec, which)) {
            note_changed(rules,
                         which == SOURCE
                         ? MINIFLOW_GET_BE32(spec->match.flow, nw_src)
                         : MINIFLOW_GET_BE32(spec->match.flow, nw_dst));
            narrow |= rules->n_exact[spec->table_id
                                     - VMMOB_TABLE_SOURCE][which] > 0;
        }
    }
    rules->broad |= !narrow;
    if (ovs_list_is_empty(&spec->slot->touched)) {
        ovs_list_push_back(&rules->touched, &spec->slot->touched);
    }
}

/* Has rules_commit() install a rule in 'slot', with 'ofpacts', or delete it if
 * that is NULL. */
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
note_changed(struct rules *rules, ovs_be32 addr)
{
    struct in6_addr addr6;

    in6_addr_set_mapped_ipv4(&addr6, addr);
    if (rules->n_changed >= rules->allocated_changed) {
        rules->changed = x2nrealloc(rules->changed, &rules->allocated_changed,
                                    sizeof *rules->changed);
    }
    rules->changed[rules->n_changed++] = addr6;
}

static void
rule_list_destroy(struct rule_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        minimatch_destroy(&list->specs[i].match);
        ofpbuf_uninit(&list->specs[i].ofpacts);
    }
    free(list->specs);
    memset(list, 0, sizeof *list);
}
