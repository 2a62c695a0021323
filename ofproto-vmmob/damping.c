/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/damping.h"

#include "coverage.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(vmmob_damping);

COVERAGE_DEFINE(vmmob_damped);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(20, 20);

static struct damping_record *
find(const struct damping *d, const struct vmmob_key *key)
{
    struct damping_record *r;

    HMAP_FOR_EACH_WITH_HASH (r, node, vmmob_key_hash(key, 0), &d->records) {
        if (vmmob_key_equals(&r->key, key)) {
            return r;
        }
    }
    return NULL;
}

static void
record_destroy(struct damping *d, struct damping_record *r)
{
    hmap_remove(&d->records, &r->node);
    ovs_list_remove(&r->expiry.node);
    free(r);
}

/* Initializes 'd', without damping until vmmob_damping_configure() is
 * called. */
void
vmmob_damping_init(struct damping *d)
{
    hmap_init(&d->records);
    ovs_list_init(&d->by_expiry);
    d->max_moves = 0;
    d->window = 0;
}

void
vmmob_damping_destroy(struct damping *d)
{
    vmmob_damping_configure(d, 0, 0);
    hmap_destroy(&d->records);
}

/* Makes 'd' freeze a VMN that moves 'max_moves' times within 'window' ms.  If
 * these change, 'd' forgets all that it counted. */
void
vmmob_damping_configure(struct damping *d, size_t max_moves,
                        long long int window)
{
    struct damping_record *r;

    ovs_assert(max_moves <= DAMPING_MAX_MOVES);
    if (max_moves != d->max_moves || window != d->window) {
        LIST_FOR_EACH_SAFE (r, expiry.node, &d->by_expiry) {
            record_destroy(d, r);
        }
        d->max_moves = max_moves;
        d->window = window;
    }
}

/* Counts a move of the VMN 'key'.  Returns true if it is frozen from now
 * on. */
bool
vmmob_damping_note_move(struct damping *d, const struct vmmob_key *key,
                        long long int now)
{
    struct damping_record *r = find(d, key);
    size_t n_old = 0;

    if (!d->max_moves) {
        return false;
    }

    if (!r) {
        r = xzalloc(sizeof *r + d->max_moves * sizeof *r->times);
        r->key = *key;
        hmap_insert(&d->records, &r->node, vmmob_key_hash(key, 0));
    } else {
        ovs_list_remove(&r->expiry.node);
    }

    /* Forget what is too old, and the oldest if there are enough. */
    while (n_old < r->n && (r->times[n_old] <= now - d->window
                            || r->n - n_old >= d->max_moves)) {
        n_old++;
    }
    r->n -= n_old;
    memmove(r->times, r->times + n_old, r->n * sizeof *r->times);
    r->times[r->n++] = now;

    vmmob_expiry_insert(&d->by_expiry, &r->expiry, now + d->window);

    if (r->frozen || r->n < d->max_moves) {
        return false;
    }
    r->frozen = true;
    COVERAGE_INC(vmmob_damped);
    VLOG_WARN_RL(&rl, "VMN "ETH_ADDR_FMT": moved %"PRIuSIZE" times within "
                 "%lld ms, so it is frozen where it is; is its MAC address "
                 "used twice?  It may move again when it has not moved for "
                 "that time, or after vmmob/release",
                 ETH_ADDR_ARGS(key->mac), r->n, d->window);
    return true;
}

/* Takes back the move of the VMN 'key' at the time 'when', which turned out to
 * be none that counts. */
void
vmmob_damping_forgive(struct damping *d, const struct vmmob_key *key,
                      long long int when)
{
    struct damping_record *r = find(d, key);

    for (size_t i = r ? r->n : 0; i > 0; i--) {
        if (r->times[i - 1] == when) {
            r->n--;
            memmove(&r->times[i - 1], &r->times[i],
                    (r->n - (i - 1)) * sizeof *r->times);
            r->frozen = false;
            if (!r->n) {
                record_destroy(d, r);
            }
            return;
        }
    }
}

bool
vmmob_damping_is_frozen(const struct damping *d, const struct vmmob_key *key)
{
    const struct damping_record *r = find(d, key);

    return r && r->frozen;
}

/* Lets the VMN 'key' move again, as if it had never moved.  Returns true if it
 * was frozen. */
bool
vmmob_damping_release(struct damping *d, const struct vmmob_key *key)
{
    struct damping_record *r = find(d, key);
    bool frozen = r && r->frozen;

    if (r) {
        record_destroy(d, r);
    }
    return frozen;
}

/* Forgets what is over at 'now'. */
void
vmmob_damping_run(struct damping *d, long long int now)
{
    struct damping_record *r;

    VMMOB_EXPIRY_FOR_EACH_DUE (r, expiry, &d->by_expiry, now) {
        if (r->frozen) {
            VLOG_INFO_RL(&rl, "VMN "ETH_ADDR_FMT": may move again",
                         ETH_ADDR_ARGS(r->key.mac));
        }
        record_destroy(d, r);
    }
}

/* Returns the time, in ms, when vmmob_damping_run() has something to do next,
 * or LLONG_MAX. */
long long int
vmmob_damping_next_event(const struct damping *d)
{
    return vmmob_expiry_next(&d->by_expiry);
}
