/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/watch.h"

#include "ofproto-vmmob/bridge.h"
#include "ofproto-vmmob/handover.h"
#include "ofproto-vmmob/module.h"
#include "ofproto-vmmob/rules.h"
#include "packets.h"
#include "timeval.h"
#include "util.h"

/* Notes what has just happened to VMNs.  'seen' is what showed it, which came
 * in at 'start', in us, and was taken from the queue at 'queued'.  If 'seen'
 * is NULL, then others said so. */
void
vmmob_watch_note_moves(struct vmmob *vmmob, const char *seen,
                       long long int start, long long int queued)
{
    struct handover_move *moves;
    long long int now;
    size_t n_moves;

    if (!vmmob_handover_has_moves(vmmob->handover)) {
        return;
    }
    moves = vmmob_handover_take_moves(vmmob->handover, &n_moves);
    now = time_usec();
    for (size_t i = 0; i < n_moves; i++) {
        const struct handover_move *what = &moves[i];
        bool redirected = what->kind == HANDOVER_REDIRECTED;
        bool came = (what->kind == HANDOVER_APPEARED
                     || what->kind == HANDOVER_CAME);
        struct move *move = vmmob_moves_begin(&vmmob->moves, what,
                                              came ? seen : NULL, start);

        if (redirected) {
            const struct vmmob_bridge *b
                = vmmob_find_bridge_by_id(vmmob, what->ofs);
            unsigned long long int n
                = b ? vmmob_rules_count_arrived(b->rules, &what->key) : 0;

            move->n_redirected = n - MIN(n, what->n_before);
            move->duration = now / 1000 - what->since;
            continue;
        }
        if (came && queued >= 0) {
            move->phases[VMMOB_MOVE_QUEUED] = MAX(0, queued - start);
        }
        move->phases[VMMOB_MOVE_DECIDED] = now - start;
    }
    free(moves);
}

/* Notes that the moves that are under way have got to 'phase' now. */
void
vmmob_watch_note_phase(struct vmmob *vmmob, enum vmmob_move_phase phase)
{
    long long int now;

    if (!vmmob->moves.n) {
        return;
    }
    now = time_usec();
    for (size_t i = 0; i < vmmob->moves.n; i++) {
        struct move *move = &vmmob->moves.moves[i];
        enum handover_move_kind kind = move->what.kind;
        bool here = kind == HANDOVER_APPEARED || kind == HANDOVER_CAME;

        if (move->phases[phase] >= 0 || kind == HANDOVER_REDIRECTED
            || (phase == VMMOB_MOVE_COPIES && !move->n_copies)
            || ((phase == VMMOB_MOVE_PUBLISHED
                 || phase == VMMOB_MOVE_ANNOUNCED) && !here)) {
            continue;
        }
        if (phase == VMMOB_MOVE_ANNOUNCED) {
            const struct handover_ofs *ofs
                = vmmob_handover_find_ofs(vmmob->handover, move->what.ofs);
            const struct handover_vmn *vmn
                = ofs ? vmmob_handover_find_vmn(ofs, &move->what.key) : NULL;

            if (!vmn || !vmn->row.n_pairs
                || !ipv6_addr_is_set(&vmn->row.pairs[0].moa)) {
                continue;
            }
        }
        move->phases[phase] = now - move->start;
    }
}

/* Ends the moves that were under way, about which all is done. */
void
vmmob_watch_end_moves(struct vmmob *vmmob, long long int now)
{
    struct moves *moves = &vmmob->moves;

    if (!moves->n) {
        return;
    }
    vmmob_watch_note_phase(vmmob, VMMOB_MOVE_COPIES);
    for (size_t i = 0; i < moves->n; i++) {
        const struct handover_move *what = &moves->moves[i].what;
        const struct vmmob_bridge *b = (what->kind == HANDOVER_WENT
                                        ? vmmob_find_bridge_by_id(vmmob,
                                                                  what->ofs)
                                        : NULL);
        struct handover_vmn *vmn
            = b ? vmmob_handover_find_vmn(b->ofs, &what->key) : NULL;

        if (vmn && vmn->state == HANDOVER_LEFT) {
            vmn->n_before = vmmob_rules_count_arrived(b->rules, &what->key);
        }
    }
    vmmob_moves_end(moves, now);
}
