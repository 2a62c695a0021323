/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_HANDOVER_VMN_H
#define VMMOB_HANDOVER_VMN_H 1

/* The state table of a VMN at an OFS, and what each of its actions does.
 * handover-vmn.c begins with the table. */

#include "handover-state.h"

enum event {
    SEEN,
    SAID_AT_PORT,
    EXPECTED,
    NOT_EXPECTED,
    NOT_AT_PORT,
    ELSEWHERE,
    HERE_AGAIN,
    EXPIRED,
    RELEASED,
    EARLIER_ROW,
    N_EVENTS
};

enum action {
    NOTHING,                    /* Stay. */
    ARRIVE,                     /* See vmmob_handover_vmn_arrive(). */
    NOTE_PORT,                  /* Stay, perhaps at another port. */
    ATTACH,                     /* To ATTACHED, it was here all the time. */
    DETACH,                     /* To DETACHED. */
    LEAVE,                      /* To LEFT. */
    PREPARE,                    /* To PREPARED, if it is elsewhere. */
    FOLLOW,                     /* Stay, with what is new of it. */
    FORGET,                     /* See vmmob_handover_vmn_forget(). */
    END_LEAVE,                  /* To PREPARED or "-". */
    TAKE_UP,                    /* To what the row says, with it. */
    MERGE                       /* Stay, with the row's seqno if higher, and
                                 * those of its addresses that are new. */
};

enum action vmmob_handover_decide(enum event, const struct handover_vmn *);
struct handover_vmn *vmmob_handover_vmn_create(struct handover_ofs *,
                                               const struct vmmob_key *);
void vmmob_handover_vmn_destroy(struct handover_ofs *, struct handover_vmn *);
void vmmob_handover_vmn_forget(struct handover *, struct handover_ofs *,
                               struct handover_vmn *, long long int now);
void vmmob_handover_vmn_undo_prepare(struct handover *, struct handover_ofs *,
                                     struct handover_vmn *, long long int now);
void vmmob_handover_vmn_set_state(struct handover_ofs *, struct handover_vmn *,
                                  enum handover_state, long long int now);
void vmmob_handover_vmn_not_at_port(struct handover *, struct handover_ofs *,
                                    struct handover_vmn *, long long int now);
void vmmob_handover_vmn_expire(struct handover *, struct handover_ofs *,
                               struct handover_vmn *, long long int now);
void vmmob_handover_vmn_publish(struct handover *, struct handover_vmn *);
void vmmob_handover_vmn_take_moas(struct handover *, struct handover_ofs *,
                                  struct handover_vmn *);
void vmmob_handover_vmn_reconsider(struct handover *, struct handover_ofs *,
                                   const struct vmmob_key *,
                                   long long int now);
void vmmob_handover_vmn_attach(struct handover *, struct handover_ofs *,
                               struct handover_vmn *, ofp_port_t,
                               long long int now);
void vmmob_handover_vmn_hear(struct handover *, struct handover_ofs *,
                             struct handover_vmn *);
bool vmmob_handover_vmn_arrive(struct handover *, struct handover_ofs *,
                               struct handover_vmn *, const struct vmmob_key *,
                               const struct in6_addr *, bool claimed,
                               ofp_port_t, long long int now);
bool vmmob_handover_vmn_is_move(const struct handover *,
                                const struct handover_ofs *,
                                const struct handover_vmn *,
                                const struct vmmob_key *, ofp_port_t);
void vmmob_handover_vmn_note_move(struct handover *, const struct vmmob_key *,
                                  uint64_t to, bool expected,
                                  long long int now);
void vmmob_handover_vmn_settle(struct handover *, const struct vmmob_key *,
                               long long int now);
void vmmob_handover_vmn_give_back_hoa(struct handover *, struct handover_ofs *,
                                      struct handover_vmn *,
                                      const struct in6_addr *,
                                      long long int now);

#endif /* ofproto-vmmob/handover-vmn.h */
