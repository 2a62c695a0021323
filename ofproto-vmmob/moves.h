/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_MOVES_H
#define VMMOB_MOVES_H 1

/* What moves took, for those who watch
 * ====================================
 *
 * Logs a line for each move, with its phases, keeps the same in histograms,
 * and counts moves.  While there is a move, that costs a few looks at the
 * clock; the lines are written when nothing else is to be done.  Of very many
 * moves at once, most are just counted, in one line for all.
 *
 * Pure but for the log and its rate limit; not thread-safe. */

#include <stdbool.h>
#include <stddef.h>

#include "handover.h"
#include "openvswitch/token-bucket.h"
#include "vmmob-stats.h"

/* Lines that are logged at once, and in a second. */
#define MOVES_LOG_BURST 500
#define MOVES_LOG_RATE 50

/* How long after the first move without a line of its own the line for all of
 * these is written, in ms. */
#define MOVES_SUMMARY_MS 5000

/* A move. */
struct move {
    struct handover_move what;
    const char *seen;           /* What showed it, static; NULL if others
                                 * said so. */
    long long int start;        /* When that came in, in us. */
    long long int phases[VMMOB_N_MOVE_PHASES];  /* In us after that; -1 if
                                                 * there was no such phase. */
    size_t n_copies;            /* Kept packets that are delivered. */
    unsigned long long int n_redirected;    /* HANDOVER_REDIRECTED only. */
    long long int duration;     /* Likewise, in ms. */
};

struct moves {
    struct move *moves;         /* Those of which not all was done yet. */
    size_t n, allocated;
    struct move *done;          /* To be logged. */
    size_t n_done, allocated_done;

    /* Totals. */
    unsigned long long int n_by_kind[HANDOVER_N_MOVE_KINDS];
    unsigned long long int n_redirected;
    struct vmmob_histogram phases[VMMOB_N_DIRECTIONS][VMMOB_N_MOVE_PHASES];

    /* Moves that get no line of their own. */
    struct token_bucket bucket;
    unsigned long long int n_unlogged[HANDOVER_N_MOVE_KINDS];
    long long int slowest;      /* Longest time until one of these had its
                                 * rules, in us. */
    long long int next_summary; /* In ms, or LLONG_MAX. */
};

void vmmob_moves_init(struct moves *);
void vmmob_moves_destroy(struct moves *);

struct move *vmmob_moves_begin(struct moves *, const struct handover_move *,
                               const char *seen, long long int start);
void vmmob_moves_end(struct moves *, long long int now);
void vmmob_moves_log(struct moves *, long long int now);
long long int vmmob_moves_next_event(const struct moves *);

#endif /* ofproto-vmmob/moves.h */
