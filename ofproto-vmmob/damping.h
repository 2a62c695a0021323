/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_DAMPING_H
#define VMMOB_DAMPING_H 1

/* Damping of MAC moves
 * ====================
 *
 * Two VMs with the same MAC address would make it move to and fro for ever.
 * So an OFS counts the moves of each VMN, as in RFC 7432 section 15.1.  After
 * so many within a certain time, the VMN is frozen: the OFS does not claim it
 * any more.  It may move again once it has not moved for that time, or when
 * the operator says so.
 *
 * Moves that a hypervisor announced do not count: a move to a port that was
 * added for the VMN, or from a port that is removed afterwards.  A port counts
 * as added for a VMN only until the VMN was heard there.  So two VMs with one
 * MAC address are damped although both have such a port.
 *
 * Only VMNs that moved in that time take memory.
 *
 * Pure data; times are in ms and given by the caller; not thread-safe. */

#include "openvswitch/hmap.h"
#include "ofproto-vmmob/expiry.h"
#include "openvswitch/list.h"
#include "vmmob-binding.h"

/* Most moves that can be counted. */
#define DAMPING_MAX_MOVES 100

struct damping {
    struct hmap records;        /* Contains "struct damping_record"s. */
    struct ovs_list by_expiry;  /* The same. */
    size_t max_moves;           /* 0 to DAMPING_MAX_MOVES; 0: no damping. */
    long long int window;       /* In ms. */
};

/* What is remembered of a VMN. */
struct damping_record {
    struct hmap_node node;      /* In 'records', by 'key'. */
    struct vmmob_expiry expiry; /* In 'by_expiry': 'window' after the last
                                 * move. */
    struct vmmob_key key;
    bool frozen;
    size_t n;                   /* Number of 'times', the oldest first. */
    long long int times[];      /* Room for 'max_moves'. */
};

void vmmob_damping_init(struct damping *);
void vmmob_damping_destroy(struct damping *);
void vmmob_damping_configure(struct damping *, size_t max_moves,
                             long long int window);

bool vmmob_damping_note_move(struct damping *, const struct vmmob_key *,
                             long long int now);
void vmmob_damping_forgive(struct damping *, const struct vmmob_key *,
                           long long int when);
bool vmmob_damping_is_frozen(const struct damping *, const struct vmmob_key *);
bool vmmob_damping_release(struct damping *, const struct vmmob_key *);

void vmmob_damping_run(struct damping *, long long int now);
long long int vmmob_damping_next_event(const struct damping *);

#endif /* ofproto-vmmob/damping.h */
