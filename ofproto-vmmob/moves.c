/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/moves.h"

#include "openvswitch/dynamic-string.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(vmmob_moves);

/* Tokens for a line; rates are by the ms. */
#define LINE_TOKENS 1000

void
vmmob_moves_init(struct moves *m)
{
    memset(m, 0, sizeof *m);
    token_bucket_init(&m->bucket, MOVES_LOG_RATE,
                      MOVES_LOG_BURST * LINE_TOKENS);
    m->next_summary = LLONG_MAX;
}

/* Frees what 'm' owns, but not 'm' itself. */
void
vmmob_moves_destroy(struct moves *m)
{
    if (m) {
        free(m->moves);
        free(m->done);
    }
}

/* Notes that 'what' was decided.  'seen', a static string, is what showed it,
 * or NULL if others said so.  That came in at 'start', in us.
 *
 * Returns the new move, which the caller may complete until vmmob_moves_end().
 * The next call of this function invalidates the pointer. */
struct move *
vmmob_moves_begin(struct moves *m, const struct handover_move *what,
                  const char *seen, long long int start)
{
    struct move *move;

    if (m->n >= m->allocated) {
        m->moves = x2nrealloc(m->moves, &m->allocated, sizeof *m->moves);
    }
    move = &m->moves[m->n++];
    *move = (struct move) { .what = *what, .seen = seen, .start = start };
    for (size_t i = 0; i < VMMOB_N_MOVE_PHASES; i++) {
        move->phases[i] = -1;
    }
    return move;
}

static enum vmmob_direction
move_direction(const struct move *move)
{
    return (move->what.kind == HANDOVER_WENT ? VMMOB_AWAY
            : move->what.kind == HANDOVER_PASSED ? VMMOB_ELSEWHERE
            : VMMOB_HERE);
}

/* Counts the moves that have begun, about which all is done now, and plans to
 * log them. */
void
vmmob_moves_end(struct moves *m, long long int now)
{
    for (size_t i = 0; i < m->n; i++) {
        const struct move *move = &m->moves[i];
        enum handover_move_kind kind = move->what.kind;

        m->n_by_kind[kind]++;
        m->n_redirected += move->n_redirected;
        if (kind != HANDOVER_APPEARED && kind != HANDOVER_REDIRECTED) {
            struct vmmob_histogram *phases = m->phases[move_direction(move)];

            for (size_t j = 0; j < VMMOB_N_MOVE_PHASES; j++) {
                if (move->phases[j] >= 0) {
                    vmmob_histogram_add(&phases[j], move->phases[j]);
                }
            }
        }
        if (kind == HANDOVER_PASSED && !move->what.active
            && !VLOG_IS_DBG_ENABLED()) {
            /* It does not concern anybody here. */
            continue;
        }
        if (m->n_done >= MOVES_LOG_BURST
            || !token_bucket_withdraw(&m->bucket, LINE_TOKENS)) {
            if (m->next_summary == LLONG_MAX) {
                m->next_summary = now + MOVES_SUMMARY_MS;
            }
            m->n_unlogged[kind]++;
            m->slowest = MAX(m->slowest, move->phases[VMMOB_MOVE_RULES]);
            continue;
        }
        if (m->n_done >= m->allocated_done) {
            m->done = x2nrealloc(m->done, &m->allocated_done,
                                 sizeof *m->done);
        }
        m->done[m->n_done++] = *move;
    }
    m->n = 0;
}

static void
put_phases(const struct move *move, struct ds *s)
{
    const char *separator = "; ms: ";

    for (size_t i = 0; i < VMMOB_N_MOVE_PHASES; i++) {
        if (move->phases[i] >= 0) {
            ds_put_format(s, "%s%s %lld.%03lld", separator,
                          vmmob_move_phase_to_string(i),
                          move->phases[i] / 1000, move->phases[i] % 1000);
            separator = ", ";
        }
    }
    if (move->n_copies) {
        ds_put_format(s, " (%"PRIuSIZE")", move->n_copies);
    }
}

static void
log_move(const struct move *move)
{
    const struct handover_move *what = &move->what;
    struct ds s = DS_EMPTY_INITIALIZER;

    ds_put_format(&s, "VMN "ETH_ADDR_FMT": ", ETH_ADDR_ARGS(what->key.mac));
    switch (what->kind) {
    case HANDOVER_APPEARED:
    case HANDOVER_CAME:
        ds_put_format(&s, "%s here (OFS "VMMOB_OFS_ID_FMT", port %"PRIu32")",
                      what->kind == HANDOVER_CAME ? "moved" : "is", what->ofs,
                      what->port);
        if (what->kind == HANDOVER_CAME) {
            ds_put_format(&s, " from OFS "VMMOB_OFS_ID_FMT, what->other);
        }
        break;
    case HANDOVER_WENT:
        ds_put_format(&s, "left OFS "VMMOB_OFS_ID_FMT" for OFS "
                      VMMOB_OFS_ID_FMT, what->ofs, what->other);
        break;
    case HANDOVER_PASSED:
        ds_put_format(&s, "moved from OFS "VMMOB_OFS_ID_FMT" to OFS "
                      VMMOB_OFS_ID_FMT, what->other, what->ofs);
        break;
    case HANDOVER_REDIRECTED:
        ds_put_format(&s, "redirection from OFS "VMMOB_OFS_ID_FMT" to OFS "
                      VMMOB_OFS_ID_FMT" is over, %llu packets in %lld.%01lld "
                      "s", what->ofs, what->other, move->n_redirected,
                      move->duration / 1000, move->duration % 1000 / 100);
        break;
    default:
        OVS_NOT_REACHED();
    }
    if (what->kind != HANDOVER_REDIRECTED) {
        ds_put_format(&s, ", sequence number %"PRIu64, what->seqno);
        if (move->seen) {
            ds_put_format(&s, "; %s%s", move->seen,
                          what->expected ? ", expected" : "");
        }
        put_phases(move, &s);
    }
    VLOG(what->kind == HANDOVER_PASSED && !what->active ? VLL_DBG : VLL_INFO,
         "%s", ds_cstr(&s));
    ds_destroy(&s);
}

/* Logs the moves that are due at 'now', in ms. */
void
vmmob_moves_log(struct moves *m, long long int now)
{
    for (size_t i = 0; i < m->n_done; i++) {
        log_move(&m->done[i]);
    }
    m->n_done = 0;

    if (now >= m->next_summary) {
        VLOG_INFO("of the moves in the last %lld s, these are not in the log "
                  "one by one: %llu VMNs appeared here, %llu moved here, "
                  "%llu left, %llu moved elsewhere, for %llu redirection is "
                  "over; at most %lld.%03lld ms until there were rules",
                  (now - m->next_summary + MOVES_SUMMARY_MS) / 1000,
                  m->n_unlogged[HANDOVER_APPEARED],
                  m->n_unlogged[HANDOVER_CAME], m->n_unlogged[HANDOVER_WENT],
                  m->n_unlogged[HANDOVER_PASSED],
                  m->n_unlogged[HANDOVER_REDIRECTED],
                  m->slowest / 1000, m->slowest % 1000);
        memset(m->n_unlogged, 0, sizeof m->n_unlogged);
        m->slowest = 0;
        m->next_summary = LLONG_MAX;
    }
}

/* Returns when vmmob_moves_log() has something to do, in ms, or LLONG_MAX. */
long long int
vmmob_moves_next_event(const struct moves *m)
{
    return m->n_done ? LLONG_MIN : m->next_summary;
}
