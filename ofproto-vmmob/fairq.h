/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_FAIRQ_H
#define VMMOB_FAIRQ_H 1

/* A bounded queue that ports share fairly
 * =======================================
 *
 * Holds what ports hand to the module's thread.  Each port has a queue of its
 * own; an uplink has one for each kind of packet.  They are served in turn, so
 * that the backlog of one queue does not delay another one.  Those of uplinks
 * get every second turn: what comes from there is for many.  If the whole is
 * full, then the longest queue loses.
 *
 * Each queue also has a token bucket, which refuses packets before they are
 * copied.
 *
 * Pure but for time_msec(); not thread-safe. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "openvswitch/hmap.h"
#include "openvswitch/list.h"
#include "openvswitch/ofp-port.h"
#include "openvswitch/token-bucket.h"
#include "openvswitch/uuid.h"

struct fairq_stats {
    unsigned long long int n_admitted;
    unsigned long long int n_limited;   /* Refused by the token bucket. */
    unsigned long long int n_overflow;  /* Lost because the whole is full. */
};

/* Whose queue it is. */
struct fairq_key {
    struct uuid bridge;
    ofp_port_t port;
    int kind;                   /* Of what comes from there. */
};

bool vmmob_fairq_key_equals(const struct fairq_key *,
                            const struct fairq_key *);
uint32_t vmmob_fairq_key_hash(const struct fairq_key *);

/* A queue. */
struct fairq_port {
    struct hmap_node node;      /* In 'ports' of its fairq, by 'key'. */
    struct fairq_key key;
    bool marked;                /* See vmmob_fairq_mark(). */

    unsigned int rate, burst;   /* Of 'bucket'; no limit if 'rate' is 0. */
    struct token_bucket bucket;
    struct fairq_stats stats;

    bool uplink;
    struct ovs_list active;     /* In 'active' of its fairq if 'items' is not
                                 * empty, otherwise empty. */
    struct ovs_list items;
    size_t n_items;
};

struct fairq {
    struct hmap ports;          /* Contains "struct fairq_port"s. */
    struct fairq_port strange;  /* For all that are not configured. */
    struct ovs_list active[2];  /* Those with items, in the order in which they
                                 * are served: VM ports, uplinks. */
    int turn;                   /* Index in 'active' of who comes next. */
    size_t n_items, max_items;
};

void vmmob_fairq_init(struct fairq *, size_t max_items,
                      unsigned int strange_rate, unsigned int strange_burst);
void vmmob_fairq_destroy(struct fairq *);

void vmmob_fairq_configure(struct fairq *, const struct fairq_key *,
                           bool uplink, unsigned int rate, unsigned int burst);
void vmmob_fairq_mark(struct fairq *, const struct uuid *bridge);
void vmmob_fairq_sweep(struct fairq *, const struct uuid *bridge);
void vmmob_fairq_get_stats(const struct fairq *, const struct fairq_key *,
                           struct fairq_stats *);

bool vmmob_fairq_admit(struct fairq *, const struct fairq_key *);
struct ovs_list *vmmob_fairq_push(struct fairq *, const struct fairq_key *,
                                  struct ovs_list *item);
struct ovs_list *vmmob_fairq_pop(struct fairq *);
void vmmob_fairq_flush_port(struct fairq *, const struct uuid *bridge,
                            ofp_port_t, struct ovs_list *items);

#endif /* ofproto-vmmob/fairq.h */
