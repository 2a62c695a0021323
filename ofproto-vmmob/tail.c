/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/tail.h"

#include <limits.h>

#include "util.h"
#include "vmmob-binding.h"
#include "vmmob-hash.h"

/* The packets for a VMN at an OFS. */
struct tail_queue {
    struct hmap_node node;      /* In 'queues' of the tail. */
    uint64_t ofs;
    struct vmmob_key key;
    struct ovs_list packets;    /* Oldest first, at least one. */
    size_t n_packets, n_bytes;
};

static struct tail_queue *find_queue(const struct tail *, uint64_t ofs,
                                     const struct vmmob_key *);
static uint32_t hash_queue(uint64_t ofs, const struct vmmob_key *);
static void remove_packet(struct tail *, struct tail_packet *,
                          struct ovs_list *to);
static struct tail_packet *first_of_all(const struct tail *);

void
vmmob_tail_init(struct tail *tail)
{
    hmap_init(&tail->queues);
    ovs_list_init(&tail->packets);
    tail->n_packets = tail->n_bytes = 0;
}

/* Frees what 'tail' owns.  It must be empty: see vmmob_tail_run(). */
void
vmmob_tail_destroy(struct tail *tail)
{
    ovs_assert(!tail->n_packets);
    hmap_destroy(&tail->queues);
}

/* Keeps 'packet' of 'size' bytes for the VMN 'key' at the OFS 'ofs' until
 * 'expires'.  Appends to 'gone' what has to go for that, perhaps 'packet'
 * itself. */
void
vmmob_tail_push(struct tail *tail, uint64_t ofs, const struct vmmob_key *key,
                struct tail_packet *packet, size_t size, long long int expires,
                struct ovs_list *gone)
{
    struct tail_queue *queue;

    if (size > TAIL_MAX_BYTES) {
        ovs_list_push_back(gone, &packet->node);
        return;
    }

    queue = find_queue(tail, ofs, key);
    while (queue && (queue->n_packets >= TAIL_MAX_PACKETS
                     || queue->n_bytes + size > TAIL_MAX_BYTES)) {
        remove_packet(tail, CONTAINER_OF(ovs_list_front(&queue->packets),
                                         struct tail_packet, node), gone);
        /* With the last packet its queue is gone. */
        queue = find_queue(tail, ofs, key);
    }
    while (tail->n_packets >= TAIL_MAX_ALL_PACKETS
           || tail->n_bytes + size > TAIL_MAX_ALL_BYTES) {
        remove_packet(tail, first_of_all(tail), gone);
    }

    queue = find_queue(tail, ofs, key);
    if (!queue) {
        queue = xzalloc(sizeof *queue);
        queue->ofs = ofs;
        queue->key = *key;
        ovs_list_init(&queue->packets);
        hmap_insert(&tail->queues, &queue->node, hash_queue(ofs, key));
    }
    packet->queue = queue;
    packet->size = size;
    packet->expires = expires;
    ovs_list_push_back(&queue->packets, &packet->node);
    ovs_list_push_back(&tail->packets, &packet->all_node);
    queue->n_packets++;
    queue->n_bytes += size;
    tail->n_packets++;
    tail->n_bytes += size;
}

/* Moves what is kept for the VMN 'key' at the OFS 'ofs' to 'packets', oldest
 * first, and what has expired of it to 'gone'. */
void
vmmob_tail_take(struct tail *tail, uint64_t ofs, const struct vmmob_key *key,
                long long int now, struct ovs_list *packets,
                struct ovs_list *gone)
{
    struct tail_queue *queue = find_queue(tail, ofs, key);
    size_t n = queue ? queue->n_packets : 0;

    while (n--) {
        struct tail_packet *packet = CONTAINER_OF(
            ovs_list_front(&queue->packets), struct tail_packet, node);

        /* With the last packet 'queue' is gone. */
        remove_packet(tail, packet, packet->expires > now ? packets : gone);
    }
}

/* Moves to 'gone' what has expired at 'now'.  With LLONG_MAX, that is all. */
void
vmmob_tail_run(struct tail *tail, long long int now, struct ovs_list *gone)
{
    /* All live about equally long, so they expire in order, or only a little
     * late. */
    while (tail->n_packets && first_of_all(tail)->expires <= now) {
        remove_packet(tail, first_of_all(tail), gone);
    }
}

/* Returns when vmmob_tail_run() has something to do next, or LLONG_MAX. */
long long int
vmmob_tail_next_event(const struct tail *tail)
{
    return tail->n_packets ? first_of_all(tail)->expires : LLONG_MAX;
}

static uint32_t
hash_queue(uint64_t ofs, const struct vmmob_key *key)
{
    return vmmob_hash_uint64(ofs, vmmob_key_hash(key, 0));
}

static struct tail_queue *
find_queue(const struct tail *tail, uint64_t ofs, const struct vmmob_key *key)
{
    struct tail_queue *queue;

    HMAP_FOR_EACH_WITH_HASH (queue, node, hash_queue(ofs, key),
                             &tail->queues) {
        if (queue->ofs == ofs && vmmob_key_equals(&queue->key, key)) {
            return queue;
        }
    }
    return NULL;
}

static struct tail_packet *
first_of_all(const struct tail *tail)
{
    return CONTAINER_OF(ovs_list_front(&tail->packets), struct tail_packet,
                        all_node);
}

/* Moves 'packet' from 'tail' to 'to'. */
static void
remove_packet(struct tail *tail, struct tail_packet *packet,
              struct ovs_list *to)
{
    struct tail_queue *queue = packet->queue;

    ovs_list_remove(&packet->node);
    ovs_list_remove(&packet->all_node);
    ovs_list_push_back(to, &packet->node);
    queue->n_packets--;
    queue->n_bytes -= packet->size;
    tail->n_packets--;
    tail->n_bytes -= packet->size;
    if (!queue->n_packets) {
        hmap_remove(&tail->queues, &queue->node);
        free(queue);
    }
}
