/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOBD_SWITCH_H
#define VMMOBD_SWITCH_H 1

/* The connection to ovs-vswitchd
 * ==============================
 *
 * Sends and receives the messages of lib/vmmob-msg.h.  Keeps what the switch
 * authors while it is disconnected: it may be restarting, and only its next
 * "end" says what is gone. */

#include <stdbool.h>
#include <stddef.h>

#include "vmmob-network.h"
#include "vmmob-sync.h"

struct known;
struct ports;
struct rowset;
struct vmmob_stats;
struct vmmob_table;

/* Time between attempts to connect, in ms.  While there is no switch, it is
 * the shorter one: a switch that was just started waits for us.  It grows for
 * a switch that hangs up before it has told anything. */
#define SWITCH_MIN_BACKOFF 100
#define SWITCH_MAX_BACKOFF 1000

/* Most bytes of changes to queue for a switch that does not read.  Beyond
 * that, it gets the whole state later. */
#define SWITCH_MAX_BACKLOG (4 * 1024 * 1024)

/* How long a switch that is connected may take to say what networks it needs,
 * in ms.  One that does not say so is of an older version and needs all. */
#define SWITCH_ASK_PATIENCE 100

/* How long to wait for the other sites' databases before the switch is told
 * what is known, and likewise when it needs more networks, in ms.  Shorter
 * than HANDOVER_WAIT_MS. */
#define SWITCH_PATIENCE 300

struct switch_link {
    char *remote;               /* As in stream_open(). */
    struct stream *stream;      /* While connecting, otherwise NULL. */
    struct jsonrpc *rpc;        /* While connected, otherwise NULL. */
    int backoff;                /* In ms, see above. */
    long long int next_try;     /* When to connect, in ms. */
    int last_error;             /* Why it is not connected, as in
                                 * ovs_retval_to_string(). */

    struct vmmob_sync sync;     /* What we told and heard. */

    /* What we tell. */
    long long int patience_end; /* When to tell what is not complete, in
                                 * ms. */
    struct vmmob_network_ids have;  /* What networks it was told that it was
                                     * told all of. */
    size_t backlog_limit;       /* More bytes than this in the queue are an
                                 * overflow. */

    /* What we hear. */
    struct vmmob_table *authored;   /* The rows that the switch authors. */
    bool ever_heard;            /* Got an "end" on any connection? */
    struct vmmob_network_ids want;  /* The networks that it needs. */
    bool asked;                 /* Did it say so on this connection, or did it
                                 * have the time to? */
    long long int ask_end;      /* Until when it has, in ms. */
    long long int want_since;   /* When 'want' last changed, in ms. */
    struct vmmob_stats *stats;  /* What it answered to the last question for
                                 * what it counts, or NULL. */
};

struct switch_link *switch_link_create(const char *remote);
void switch_link_destroy(struct switch_link *);
bool switch_link_run(struct switch_link *, struct rowset *authored_changed);
void switch_link_tell(struct switch_link *, const struct known *,
                      const struct rowset *known_changed,
                      const struct vmmob_network_ids *have,
                      const struct ports *, bool complete);
void switch_link_tell_ports(struct switch_link *, const struct ports *);
bool switch_link_ask_stats(struct switch_link *);
void switch_link_forget_stats(struct switch_link *);
void switch_link_wait(const struct switch_link *);

bool switch_link_is_connected(const struct switch_link *);

#endif /* utilities/vmmobd-switch.h */
