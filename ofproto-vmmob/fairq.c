/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/fairq.h"

#include <limits.h>

#include "flow.h"
#include "hash.h"
#include "util.h"
#include "uuid.h"

static struct fairq_port *find(const struct fairq *, const struct fairq_key *);
static struct fairq_port *find_or_strange(const struct fairq *,
                                          const struct fairq_key *);
static void port_init(struct fairq_port *);
static void set_limit(struct fairq_port *, unsigned int rate,
                      unsigned int burst);
static struct fairq_port *find_longest(const struct fairq *);
static struct ovs_list *take(struct fairq *, struct fairq_port *,
                             struct ovs_list *item);
static void move_items(struct fairq *, struct fairq_port *,
                       struct ovs_list *items);

bool
vmmob_fairq_key_equals(const struct fairq_key *a, const struct fairq_key *b)
{
    return (a->port == b->port && a->kind == b->kind
            && uuid_equals(&a->bridge, &b->bridge));
}

uint32_t
vmmob_fairq_key_hash(const struct fairq_key *key)
{
    return hash_2words(ofp_to_u16(key->port),
                       hash_int(key->kind, uuid_hash(&key->bridge)));
}

/* Initializes 'q' as an empty queue for at most 'max_items'.  Ports that are
 * not configured share one queue, with a token bucket as given. */
void
vmmob_fairq_init(struct fairq *q, size_t max_items, unsigned int strange_rate,
                 unsigned int strange_burst)
{
    hmap_init(&q->ports);
    port_init(&q->strange);
    set_limit(&q->strange, strange_rate, strange_burst);
    ovs_list_init(&q->active[0]);
    ovs_list_init(&q->active[1]);
    q->turn = 0;
    q->n_items = 0;
    q->max_items = max_items;
}

/* Frees what 'q', which must be empty, owns. */
void
vmmob_fairq_destroy(struct fairq *q)
{
    struct fairq_port *p;

    HMAP_FOR_EACH_POP (p, node, &q->ports) {
        free(p);
    }
    hmap_destroy(&q->ports);
}

/* Gives 'key' a queue of its own, for which a token bucket admits 'rate' items
 * a second and 'burst' at once, or as many as there are if 'rate' is 0. */
void
vmmob_fairq_configure(struct fairq *q, const struct fairq_key *key,
                      bool uplink, unsigned int rate, unsigned int burst)
{
    struct fairq_port *p = find(q, key);

    if (p && p->uplink != uplink) {
        struct ovs_list items = OVS_LIST_INITIALIZER(&items);

        move_items(q, p, &items);
        p->uplink = uplink;
        while (!ovs_list_is_empty(&items)) {
            vmmob_fairq_push(q, key, ovs_list_pop_front(&items));
        }
    } else if (!p) {
        p = xzalloc(sizeof *p);
        port_init(p);
        p->key = *key;
        p->uplink = uplink;
        hmap_insert(&q->ports, &p->node, vmmob_fairq_key_hash(key));
    }
    p->marked = false;
    set_limit(p, rate, burst);
}

/* Marks the ports of 'bridge'.  The mark goes if the port is configured
 * again. */
void
vmmob_fairq_mark(struct fairq *q, const struct uuid *bridge)
{
    struct fairq_port *p;

    HMAP_FOR_EACH (p, node, &q->ports) {
        if (uuid_equals(&p->key.bridge, bridge)) {
            p->marked = true;
        }
    }
}

/* Removes the ports of 'bridge' that have a mark.  What is in their queues
 * goes to the queue of the ports that are not configured. */
void
vmmob_fairq_sweep(struct fairq *q, const struct uuid *bridge)
{
    struct fairq_port *p;

    HMAP_FOR_EACH_SAFE (p, node, &q->ports) {
        if (p->marked && uuid_equals(&p->key.bridge, bridge)) {
            struct ovs_list items = OVS_LIST_INITIALIZER(&items);

            move_items(q, p, &items);
            hmap_remove(&q->ports, &p->node);
            while (!ovs_list_is_empty(&items)) {
                vmmob_fairq_push(q, &p->key, ovs_list_pop_front(&items));
            }
            free(p);
        }
    }
}

void
vmmob_fairq_get_stats(const struct fairq *q, const struct fairq_key *key,
                      struct fairq_stats *stats)
{
    const struct fairq_port *p = find(q, key);

    *stats = p ? p->stats : (struct fairq_stats) { .n_admitted = 0 };
}

/* Returns true if 'key' may push an item now.  Call this just once for each
 * item. */
bool
vmmob_fairq_admit(struct fairq *q, const struct fairq_key *key)
{
    struct fairq_port *p = find_or_strange(q, key);

    /* 1000 tokens an item, as a rate is by the second and time in ms. */
    if (p->rate && !token_bucket_withdraw(&p->bucket, 1000)) {
        p->stats.n_limited++;
        return false;
    }
    p->stats.n_admitted++;
    return true;
}

/* Appends 'item' to the queue of 'key'.  Returns NULL or, if 'q' is full, an
 * item that had to go, perhaps 'item' itself. */
struct ovs_list *
vmmob_fairq_push(struct fairq *q, const struct fairq_key *key,
                 struct ovs_list *item)
{
    struct fairq_port *p = find_or_strange(q, key);
    struct ovs_list *lost = NULL;

    if (q->n_items >= q->max_items) {
        struct fairq_port *longest = find_longest(q);

        if (!longest || longest->n_items <= p->n_items + 1) {
            p->stats.n_overflow++;
            return item;
        }
        longest->stats.n_overflow++;
        lost = take(q, longest, ovs_list_back(&longest->items));
    }
    if (!p->n_items) {
        ovs_list_push_back(&q->active[p->uplink], &p->active);
    }
    ovs_list_push_back(&p->items, item);
    p->n_items++;
    q->n_items++;
    return lost;
}

/* Takes the next item from 'q'.  Returns NULL if it is empty. */
struct ovs_list *
vmmob_fairq_pop(struct fairq *q)
{
    struct fairq_port *p;

    if (!q->n_items) {
        return NULL;
    }
    if (ovs_list_is_empty(&q->active[q->turn])) {
        q->turn = !q->turn;
    }
    p = CONTAINER_OF(ovs_list_front(&q->active[q->turn]), struct fairq_port,
                     active);
    q->turn = !q->turn;

    /* To the end of the line. */
    ovs_list_remove(&p->active);
    ovs_list_push_back(&q->active[p->uplink], &p->active);
    return take(q, p, ovs_list_front(&p->items));
}

/* Moves what 'port' of 'bridge' has in 'q', of whatever kind, to the end of
 * 'items'. */
void
vmmob_fairq_flush_port(struct fairq *q, const struct uuid *bridge,
                       ofp_port_t port, struct ovs_list *items)
{
    struct fairq_port *p;

    HMAP_FOR_EACH (p, node, &q->ports) {
        if (p->key.port == port && uuid_equals(&p->key.bridge, bridge)) {
            move_items(q, p, items);
        }
    }
}

static struct fairq_port *
find(const struct fairq *q, const struct fairq_key *key)
{
    struct fairq_port *p;

    HMAP_FOR_EACH_WITH_HASH (p, node, vmmob_fairq_key_hash(key), &q->ports) {
        if (vmmob_fairq_key_equals(&p->key, key)) {
            return p;
        }
    }
    return NULL;
}

static struct fairq_port *
find_or_strange(const struct fairq *q, const struct fairq_key *key)
{
    struct fairq_port *p = find(q, key);

    return p ? p : CONST_CAST(struct fairq_port *, &q->strange);
}

static void
port_init(struct fairq_port *p)
{
    memset(p, 0, sizeof *p);
    ovs_list_init(&p->active);
    ovs_list_init(&p->items);
}

static void
set_limit(struct fairq_port *p, unsigned int rate, unsigned int burst)
{
    if (rate && (rate != p->rate || burst != p->burst)) {
        /* A bucket that is new is full. */
        token_bucket_init(&p->bucket, rate, MIN(burst, UINT_MAX / 1000)
                                            * 1000);
    }
    p->rate = rate;
    p->burst = burst;
}

static struct fairq_port *
find_longest(const struct fairq *q)
{
    struct fairq_port *longest = NULL;
    struct fairq_port *p;

    for (size_t i = 0; i < ARRAY_SIZE(q->active); i++) {
        LIST_FOR_EACH (p, active, &q->active[i]) {
            if (!longest || p->n_items > longest->n_items) {
                longest = p;
            }
        }
    }
    return longest;
}

/* Takes 'item' out of the queue of 'p' and returns it. */
static struct ovs_list *
take(struct fairq *q, struct fairq_port *p, struct ovs_list *item)
{
    ovs_list_remove(item);
    q->n_items--;
    if (!--p->n_items) {
        ovs_list_remove(&p->active);
        ovs_list_init(&p->active);
    }
    return item;
}

/* Moves all items of 'p' to the end of 'items'. */
static void
move_items(struct fairq *q, struct fairq_port *p, struct ovs_list *items)
{
    while (p->n_items) {
        ovs_list_push_back(items, take(q, p, ovs_list_front(&p->items)));
    }
}
