/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_TAIL_H
#define VMMOB_TAIL_H 1

/* Keeps the latest packets for VMNs that are expected, and delivers them when
 * the VMNs arrive.  So what was sent to a paused VM is late instead of lost
 * ("A move" in Documentation/design.rst).
 *
 * It is bounded: a packet goes when it is too old, when its VMN has enough
 * newer ones, or when it is the oldest of all and there is no room.  The
 * packets are the user's; those that go are handed back to the user.
 *
 * Pure; not thread-safe.  Times are in ms. */

#include <stddef.h>
#include <stdint.h>

#include "openvswitch/hmap.h"
#include "openvswitch/list.h"

struct vmmob_key;

/* Most packets, and bytes, for one VMN and for all. */
#define TAIL_MAX_PACKETS 512
#define TAIL_MAX_BYTES (1024 * 1024)
#define TAIL_MAX_ALL_PACKETS 16384
#define TAIL_MAX_ALL_BYTES (64 * 1024 * 1024)

/* A packet, embedded in what the user has of it. */
struct tail_packet {
    struct ovs_list node;       /* Of its VMN's packets.  The user may use it
                                 * while it has the packet. */
    struct ovs_list all_node;   /* In 'packets' of the tail. */
    struct tail_queue *queue;
    size_t size;                /* In bytes. */
    long long int expires;
};

struct tail {
    struct hmap queues;         /* Contains "struct tail_queue"s. */
    struct ovs_list packets;    /* Of all VMNs, oldest first. */
    size_t n_packets, n_bytes;
};

void vmmob_tail_init(struct tail *);
void vmmob_tail_destroy(struct tail *);

void vmmob_tail_push(struct tail *, uint64_t ofs, const struct vmmob_key *,
                     struct tail_packet *, size_t size, long long int expires,
                     struct ovs_list *gone);
void vmmob_tail_take(struct tail *, uint64_t ofs, const struct vmmob_key *,
                     long long int now, struct ovs_list *packets,
                     struct ovs_list *gone);
void vmmob_tail_run(struct tail *, long long int now, struct ovs_list *gone);
long long int vmmob_tail_next_event(const struct tail *);

#endif /* ofproto-vmmob/tail.h */
