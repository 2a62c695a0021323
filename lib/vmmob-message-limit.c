/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "vmmob-message-limit.h"

#include <stdlib.h>
#include <string.h>

#include "coverage.h"
#include "openvswitch/vlog.h"
#include "ovs-thread.h"
#include "util.h"
#include "vmmob-hash.h"

VLOG_DEFINE_THIS_MODULE(vmmob_message_limit);

COVERAGE_DEFINE(vmmob_message_too_large);

/* See vmmob_set_max_message(). */
DEFINE_STATIC_PER_THREAD_DATA(size_t, max_message, 0);

/* The limit for clients of ovsdb-server. */
static size_t server_max;

/* Limits what this thread receives from now on to messages that take about 'n'
 * bytes of memory.  If 'n' is 0, as at first, there is no limit.  A connection
 * on which more comes breaks with error EMSGSIZE. */
void
vmmob_set_max_message(size_t n)
{
    *max_message_get() = n;
}

/* Adds to '*taken' how much memory the next 'n' bytes of a message, at 'p',
 * take when they are parsed.  If that is too much, counts and logs it, for the
 * connection 'name', and returns true.
 *
 * A byte counts as four, because buffers grow by doubling and are then copied.
 * A byte that begins another value counts as 64 more. */
bool
vmmob_message_is_too_large(const char *name, size_t *taken, const void *p_,
                           size_t n)
{
    static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 5);
    size_t max = *max_message_get();
    const char *p = p_;

    *taken += 4 * n;
    for (size_t i = 0; i < n; i++) {
        if (p[i] == ',' || p[i] == ':' || p[i] == '[' || p[i] == '{') {
            *taken += 64;
        }
    }
    if (!max || *taken <= max) {
        return false;
    }
    COVERAGE_INC(vmmob_message_too_large);
    VLOG_WARN_RL(&rl, "%s: message takes more than %"PRIuSIZE" bytes of "
                 "memory, disconnecting", name, max);
    return true;
}

/* Makes ovsdb-server limit messages, and use hashes that nobody can foresee,
 * if its environment says so.  Must be called before there is a hash table. */
void
vmmob_message_limit_init(void)
{
    const char *s = getenv("VMMOB_MAX_MESSAGE");
    unsigned long long int max;

    if (!s) {
        return;
    }
    if (!str_to_ullong(s, 10, &max) || max > SIZE_MAX / 16) {
        ovs_fatal(0, "VMMOB_MAX_MESSAGE: \"%s\" is not a number of bytes", s);
    }
    server_max = max;
    vmmob_hash_everywhere = true;
}

/* Limits what ovsdb-server receives next, from clients of 'remote', or from
 * the other servers of its cluster if 'remote' is NULL. */
void
vmmob_limit_remote(const char *remote)
{
    /* The other servers of a cluster send all of the database.  Whoever has
     * access to a local socket may restore one. */
    vmmob_set_max_message(!remote ? 16 * server_max
                          : !strncmp(remote, "punix:", 6) ? 0
                          : server_max);
}
