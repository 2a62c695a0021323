/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_HANDOVER_SEAT_H
#define VMMOB_HANDOVER_SEAT_H 1

/* Seats
 * =====
 *
 * A seat is a VM port of an OFS that, as the agent says, is for a VMN, whether
 * the VMN is there, elsewhere or nowhere.  That an OFS has a seat for a VMN is
 * a fact that stays.  What follows from it is decided anew whenever anything
 * changes that matters to it, by vmmob_handover_vmn_reconsider().  So it does
 * not matter what is known first.
 *
 * A seat is used up once the VMN was heard there, or did not come in time.
 * Then the VMN is not expected there any more, until another port takes its
 * place or the agent says anew that it is for the VMN. */

#include "handover-state.h"

/* A VM port. */
struct handover_port {
    struct hmap_node node;      /* In 'ports' of its handover_ofs. */
    struct hmap_node name_node; /* In 'port_names' of its handover_ofs. */
    ofp_port_t number;
    char *name;
    struct port_networks networks;  /* Those of the VMNs there. */
    struct ovs_list seats;      /* Contains "struct handover_seat"s. */
};

struct handover_seat {
    struct hmap_node node;      /* In 'seats' of its handover_ofs. */
    struct ovs_list list_node;  /* In 'seats' of its handover_port. */
    struct vmmob_key key;
    ofp_port_t port;
    bool expects;               /* The port was added for the VMN. */
    bool has;                   /* The VMN is there, if it is here. */
    bool used;                  /* See above. */
    bool marked;                /* While seats are looked for. */
    struct vmmob_expiry asking; /* In 'asking' of its handover_ofs until its
                                 * VMN is to be asked next, or by itself. */
    long long int asked;        /* When that was last done, in ms. */
    int n_asks;                 /* How often, since there was reason to. */
    struct ovs_list short_node; /* In 'short_seats' of its handover_ofs while
                                 * another VMN has a home address of the one
                                 * that is expected; otherwise empty. */
};

bool vmmob_handover_port_put(struct handover_ofs *, ofp_port_t,
                             const char *name, const struct port_networks *);
void vmmob_handover_port_remove(struct handover_ofs *, ofp_port_t,
                                struct hmap *keys);
struct handover_port *vmmob_handover_find_port(const struct handover_ofs *,
                                               ofp_port_t);
void vmmob_handover_ports_destroy(struct handover_ofs *);

void vmmob_handover_seats_update(struct handover *, struct handover_ofs *,
                                 const char *name, struct hmap *keys);
void vmmob_handover_seats_use(struct handover_ofs *, const struct vmmob_key *,
                              ofp_port_t);

void vmmob_handover_reconsider_seats(struct handover *,
                                     const struct handover_ofs *);

bool vmmob_handover_has_seat(const struct handover_ofs *,
                             const struct vmmob_key *);
bool vmmob_handover_has_fresh_seat(const struct handover_ofs *,
                                   const struct vmmob_key *, ofp_port_t);
ofp_port_t vmmob_handover_find_only_seat(const struct handover_ofs *,
                                         const struct vmmob_key *);
struct handover_seat *vmmob_handover_find_seat(const struct handover_ofs *,
                                               const struct vmmob_key *);

#endif /* ofproto-vmmob/handover-seat.h */
