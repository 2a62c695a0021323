/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_RESOLVER_H
#define VMMOB_RESOLVER_H 1

/* Packets that wait for an answer
 * ===============================
 *
 * Each waits for news about one or two addresses, home or mobile ones: whose
 * they are, and how to get there.  It is tried again when there are such news,
 * and only then; or it expires.
 *
 * The number of packets is bounded, in all and from each source.  A source is
 * what has a queue of its own in fairq.h: a VM port, or a kind of packet from
 * an uplink.  If the whole is full, the source that has the most loses, so
 * that nobody can take the place of another.
 *
 * Not thread-safe; times are in ms. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ofproto-vmmob/expiry.h"
#include "ofproto-vmmob/fairq.h"
#include "openvswitch/hmap.h"
#include "openvswitch/list.h"

/* Most packets that wait, of all and of one source. */
#define RESOLVER_MAX 1024
#define RESOLVER_MAX_OF_SOURCE 256

/* A source of packets that wait. */
struct resolver_source {
    struct hmap_node node;      /* In 'sources' of the resolver. */
    struct fairq_key key;
    struct ovs_list waits;      /* "struct resolver_wait"s, the oldest first.
                                 * Never empty. */
    size_t n;                   /* In 'waits'. */
};

/* A packet that waits, embedded in what the user has of it. */
struct resolver_wait {
    struct vmmob_expiry expiry; /* In 'waits' or 'ready' of the resolver.  The
                                 * user may use it while it has the packet. */
    struct resolver_addr {
        struct hmap_node node;  /* In 'addrs' of the resolver. */
        struct in6_addr addr;   /* Unspecified: not used. */
        struct resolver_wait *wait;
    } addrs[2];
    struct resolver_source *source; /* NULL if in 'ready'. */
    struct ovs_list source_node;    /* In 'waits' of 'source'. */
    bool is_ready;              /* In 'ready'. */
};

struct resolver {
    struct ovs_list waits;      /* "struct resolver_wait"s, those which expire
                                 * first at the front. */
    struct ovs_list ready;      /* Those to try again now. */
    struct hmap addrs;          /* "struct resolver_addr"s of 'waits'. */
    struct hmap sources;        /* "struct resolver_source"s of 'waits'. */
    size_t max, max_of_source;  /* Most in 'waits'. */
    size_t n_waits;             /* In 'waits'. */
    size_t n;                   /* In 'waits' and 'ready'. */
};

void vmmob_resolver_init(struct resolver *, size_t max, size_t max_of_source);
void vmmob_resolver_destroy(struct resolver *);

struct resolver_wait *vmmob_resolver_wait(struct resolver *,
                                          struct resolver_wait *,
                                          const struct fairq_key *,
                                          const struct in6_addr *,
                                          const struct in6_addr *other,
                                          long long int expires);
void vmmob_resolver_add_ready(struct resolver *, struct resolver_wait *,
                              long long int expires);
bool vmmob_resolver_is_awaited(const struct resolver *,
                               const struct in6_addr *);
void vmmob_resolver_wake(struct resolver *, const struct in6_addr *);
void vmmob_resolver_wake_all(struct resolver *);
void vmmob_resolver_take_ready(struct resolver *, struct ovs_list *);
void vmmob_resolver_expire(struct resolver *, long long int now,
                           struct ovs_list *);
long long int vmmob_resolver_next_event(const struct resolver *);

#endif /* ofproto-vmmob/resolver.h */
