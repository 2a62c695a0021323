/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_SYNC_H
#define VMMOB_SYNC_H 1

/* The dialogue between ovs-vswitchd and ovs-vmmobd
 * ================================================
 *
 * How far one end is in it: what it has told the other end, and what it has
 * heard from there.  lib/vmmob-msg.h has the messages, vmmob-sync.c the table
 * of states and events.  Both ends use the same table.  They differ in the
 * events that happen to them:
 *
 *   - ovs-vmmobd speaks first, of the ports as soon as it knows them, of the
 *     rest when its databases are complete or patience is over.
 *   - ovs-vswitchd tells all when it is asked to, which means whenever "end"
 *     came in.
 *
 * It knows neither sockets nor the clock: the caller says what happened, and
 * then does what the table says. */

#include <stdbool.h>

struct jsonrpc_msg;
struct vmmob_msg;

/* What the other end was told on this connection. */
enum vmmob_told {
    VMMOB_TOLD_NOTHING,
    VMMOB_TOLD_PORTS,           /* All ports, no rows. */
    VMMOB_TOLD_PARTIAL,         /* Also the rows that were known then. */
    VMMOB_TOLD_ALL,             /* Also all rows. */
    VMMOB_N_TOLD
};

/* What the other end said on this connection. */
enum vmmob_heard {
    VMMOB_HEARD_NOTHING,
    VMMOB_HEARD_BEGIN,          /* Its first "begin", and no "end" since. */
    VMMOB_HEARD_ALL,            /* An "end", and no "begin" since. */
    VMMOB_HEARD_BEGIN_AGAIN,    /* A later "begin", and no "end" since. */
    VMMOB_N_HEARD
};

/* One end.  All may read it; only the functions below change it. */
struct vmmob_sync {
    enum vmmob_told told;
    enum vmmob_heard heard;
};

/* What can happen to one who tells. */
enum vmmob_sync_event {
    VMMOB_SYNC_PORTS_KNOWN,     /* Ports are known, perhaps changed.  (*) */
    VMMOB_SYNC_PORTS_CHANGED,   /* Ports are known, perhaps changed. */
    VMMOB_SYNC_PATIENCE_OVER,   /* Not all rows are known, but others cannot
                                 * wait any more.  (*) */
    VMMOB_SYNC_COMPLETE,        /* All rows are known.  (*) */
    VMMOB_SYNC_ROWS_CHANGED,    /* Rows perhaps changed. */
    VMMOB_SYNC_OVERFLOW,        /* Too much waits to be sent. */
    VMMOB_SYNC_ASKED,           /* The other end waits for all. */
    VMMOB_SYNC_N_EVENTS
};
/* (*) Only while nothing waits to be sent. */

/* What is then to be done. */
enum vmmob_sync_action {
    VMMOB_SYNC_NOTHING,         /* Stay. */
    VMMOB_SYNC_TELL_CHANGES,    /* Stay: send just what changed. */
    VMMOB_SYNC_TELL_PORTS,      /* To TOLD_PORTS: send all ports. */
    VMMOB_SYNC_TELL_PARTIAL,    /* To TOLD_PARTIAL: send "begin", all that is
                                 * known, as "partial", and "end". */
    VMMOB_SYNC_TELL_ALL,        /* To TOLD_ALL: send "begin", all, "end". */
    VMMOB_SYNC_GIVE_UP,         /* To TOLD_NOTHING: send nothing more until
                                 * all that waits is gone. */
};

void vmmob_sync_init(struct vmmob_sync *);
enum vmmob_sync_action vmmob_sync_tell(struct vmmob_sync *,
                                       enum vmmob_sync_event);
char *vmmob_sync_hear(struct vmmob_sync *, const struct jsonrpc_msg *,
                      struct vmmob_msg *);

bool vmmob_sync_has_told(const struct vmmob_sync *);
bool vmmob_sync_has_heard(const struct vmmob_sync *);

#endif /* lib/vmmob-sync.h */
