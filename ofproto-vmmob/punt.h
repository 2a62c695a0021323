/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_PUNT_H
#define VMMOB_PUNT_H 1

/* What the handlers hand to the module's thread
 * =============================================
 *
 * Packets that the rules punt, in a bounded queue that is fair among ports and
 * kinds (fairq.h), and the news that a port is gone.
 *
 * Any thread may call the functions here; the queue has a lock of its own. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fairq.h"
#include "openvswitch/list.h"
#include "openvswitch/ofp-port.h"
#include "openvswitch/uuid.h"
#include "punt-kind.h"
#include "resolver.h"
#include "tail.h"

struct dp_packet;
struct frozen_state;
struct vmmob_bridge;

/* A packet that was punted. */
struct punted {
    union {
        struct ovs_list node;   /* In the queue, or in 'resumed' of struct
                                 * vmmob. */
        struct tail_packet tail;    /* In 'copies' of struct vmmob. */
        struct resolver_wait wait;  /* In 'resolver' of struct vmmob. */
    };
    struct uuid ofproto_uuid;
    ofp_port_t in_port;
    enum punt_kind kind;
    uint8_t table_id;           /* Which table punted it. */
    uint32_t network;           /* That of the VMN that has sent it or, if it
                                 * came in by the uplink, of the one it is
                                 * for. */
    uint32_t attempts;          /* How often it was sent on its way anew. */
    struct dp_packet *packet;   /* Owned. */
    long long int received;     /* When it came in, in us. */
    long long int expires;      /* Once it waited: until when, in ms. */

    /* In 'resumed' only, see vmmob_resume(). */
    struct vmmob_bridge *bridge;
    uint8_t resume_table;
    ofp_port_t resume_port;
};

void vmmob_punted_destroy(struct punted *);
void vmmob_punted_destroy_all(struct ovs_list *);

/* The news that a port is gone, or is another one with its number. */
struct punt_port_gone {
    struct ovs_list node;       /* In a list of these. */
    struct uuid ofproto_uuid;
    ofp_port_t in_port;
};

/* How packets of a kind from a port are limited. */
struct punt_port {
    ofp_port_t number;
    enum punt_kind kind;
    unsigned int rate, burst;   /* Packets a second, 0 for no limit, and at
                                 * once. */
};

void vmmob_punt_init(void);
void vmmob_punt_packet(const struct uuid *ofproto, const struct dp_packet *,
                       enum punt_kind, const struct frozen_state *);
void vmmob_punt_port_gone(const struct uuid *ofproto, ofp_port_t);
bool vmmob_punt_take(struct ovs_list *packets, struct ovs_list *gone);
void vmmob_punt_flush(void);

void vmmob_punt_configure(const struct uuid *ofproto, const struct punt_port *,
                          size_t n);
void vmmob_punt_get_stats(const struct uuid *ofproto, ofp_port_t,
                          enum punt_kind, struct fairq_stats *);
struct fairq_key vmmob_punted_key(const struct punted *);
size_t vmmob_punt_n_queued(void);

uint64_t vmmob_punt_seqno(void);
void vmmob_punt_wait(uint64_t seqno);
void vmmob_punt_wake(void);

#endif /* ofproto-vmmob/punt.h */
