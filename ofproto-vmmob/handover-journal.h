/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_HANDOVER_JOURNAL_H
#define VMMOB_HANDOVER_JOURNAL_H 1

/* Collects what is to be done and told because of decisions, until the caller
 * of handover.h takes it with vmmob_handover_take_effects().  All changes to
 * the table are made here, so that none is forgotten. */

#include "handover-state.h"

void vmmob_handover_touch_vmn(struct handover *, const struct vmmob_key *,
                              bool publish);
void vmmob_handover_note_gone(struct handover *, const struct vmmob_key *,
                              uint64_t ofs);
void vmmob_handover_touch_ofs(struct handover *, uint64_t id);
bool vmmob_handover_put_row(struct handover *, const struct vmmob_vmn *);
bool vmmob_handover_remove_row(struct handover *, const struct vmmob_key *,
                               uint64_t ofs);
void vmmob_handover_touch_vmns_of(struct handover *, uint64_t id);
void vmmob_handover_announce(struct handover *, const struct handover_ofs *,
                             const struct in6_addr *, bool fresh);
void vmmob_handover_ask_at(struct handover *, const struct handover_ofs *,
                           const struct vmmob_key *, ofp_port_t,
                           const struct in6_addr *hoa);
void vmmob_handover_ask(struct handover *, const struct handover_ofs *,
                        const struct handover_vmn *, const struct in6_addr *);
void vmmob_handover_announce_leave(struct handover *,
                                   const struct handover_ofs *,
                                   const struct handover_vmn *);
struct handover_move *vmmob_handover_tell_move(struct handover *,
                                               enum handover_move_kind,
                                               const struct vmmob_key *,
                                               uint64_t ofs, uint64_t other,
                                               uint64_t seqno);

#endif /* ofproto-vmmob/handover-journal.h */
