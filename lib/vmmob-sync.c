/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "vmmob-sync.h"

#include "util.h"
#include "vmmob-msg.h"

/* What the other end was told:
 *
 *  event        | NOTHING       | PORTS         | PARTIAL       | ALL
 *  -------------+---------------+---------------+---------------+-------------
 *  ports known  | tell all      | tell changes  | tell changes  | tell changes
 *  (*)          | ports: PORTS  |               |               |
 *  ports changed|               | tell changes  | tell changes  | tell changes
 *  patience over| tell what is  | tell what is  | tell changes  | tell changes
 *  (*)          | known: PARTIAL| known: PARTIAL|               |
 *  complete (*) | tell all: ALL | tell all: ALL | tell all: ALL | tell changes
 *  rows changed |               |               | tell changes  | tell changes
 *  overflow     |               |               | give up:      | give up:
 *               |               |               | NOTHING       | NOTHING
 *  asked        | tell all: ALL | tell all: ALL | tell all: ALL | tell all
 *
 * What it said:
 *
 *  event        | NOTHING       | BEGIN         | ALL           | BEGIN AGAIN
 *  -------------+---------------+---------------+---------------+-------------
 *  "begin"      | BEGIN         |               | BEGIN AGAIN   |
 *  "update"     |               |               |               |
 *  "end"        | refuse        | ALL           | refuse        | ALL
 *
 * On a new connection, both are NOTHING.  An end that hangs up or refuses a
 * message begins anew on the next connection.
 *
 * (*) Only while nothing waits to be sent: all that is known may be much, and
 * an end that does not read must not be told it again and again. */

/* The first table above. */
static const enum vmmob_sync_action
actions[VMMOB_SYNC_N_EVENTS][VMMOB_N_TOLD] = {
#define NOTHING      VMMOB_SYNC_NOTHING
#define TELL_CHANGES VMMOB_SYNC_TELL_CHANGES
#define TELL_PORTS   VMMOB_SYNC_TELL_PORTS
#define TELL_PARTIAL VMMOB_SYNC_TELL_PARTIAL
#define TELL_ALL     VMMOB_SYNC_TELL_ALL
#define GIVE_UP      VMMOB_SYNC_GIVE_UP
    [VMMOB_SYNC_PORTS_KNOWN] =
        { TELL_PORTS,   TELL_CHANGES, TELL_CHANGES, TELL_CHANGES },
    [VMMOB_SYNC_PORTS_CHANGED] =
        { NOTHING,      TELL_CHANGES, TELL_CHANGES, TELL_CHANGES },
    [VMMOB_SYNC_PATIENCE_OVER] =
        { TELL_PARTIAL, TELL_PARTIAL, TELL_CHANGES, TELL_CHANGES },
    [VMMOB_SYNC_COMPLETE] =
        { TELL_ALL,     TELL_ALL,     TELL_ALL,     TELL_CHANGES },
    [VMMOB_SYNC_ROWS_CHANGED] =
        { NOTHING,      NOTHING,      TELL_CHANGES, TELL_CHANGES },
    [VMMOB_SYNC_OVERFLOW] =
        { NOTHING,      NOTHING,      GIVE_UP,      GIVE_UP      },
    [VMMOB_SYNC_ASKED] =
        { TELL_ALL,     TELL_ALL,     TELL_ALL,     TELL_ALL     },
};

/* The second table above. */
#define REFUSE VMMOB_N_HEARD
static const enum vmmob_heard next_heard[][VMMOB_N_HEARD] = {
    [VMMOB_MSG_BEGIN] = {
        [VMMOB_HEARD_NOTHING] =     VMMOB_HEARD_BEGIN,
        [VMMOB_HEARD_BEGIN] =       VMMOB_HEARD_BEGIN,
        [VMMOB_HEARD_ALL] =         VMMOB_HEARD_BEGIN_AGAIN,
        [VMMOB_HEARD_BEGIN_AGAIN] = VMMOB_HEARD_BEGIN_AGAIN,
    },
    [VMMOB_MSG_UPDATE] = {
        [VMMOB_HEARD_NOTHING] =     VMMOB_HEARD_NOTHING,
        [VMMOB_HEARD_BEGIN] =       VMMOB_HEARD_BEGIN,
        [VMMOB_HEARD_ALL] =         VMMOB_HEARD_ALL,
        [VMMOB_HEARD_BEGIN_AGAIN] = VMMOB_HEARD_BEGIN_AGAIN,
    },
    [VMMOB_MSG_END] = {
        [VMMOB_HEARD_NOTHING] =     REFUSE,
        [VMMOB_HEARD_BEGIN] =       VMMOB_HEARD_ALL,
        [VMMOB_HEARD_ALL] =         REFUSE,
        [VMMOB_HEARD_BEGIN_AGAIN] = VMMOB_HEARD_ALL,
    },
};

/* Resets 'sync', as for a new connection, or for none. */
void
vmmob_sync_init(struct vmmob_sync *sync)
{
    *sync = (struct vmmob_sync) { VMMOB_TOLD_NOTHING, VMMOB_HEARD_NOTHING };
}

/* Returns what the caller must do now that 'event' happened.  From then on,
 * 'sync' takes it for done. */
enum vmmob_sync_action
vmmob_sync_tell(struct vmmob_sync *sync, enum vmmob_sync_event event)
{
    enum vmmob_sync_action action = actions[event][sync->told];

    switch (action) {
    case NOTHING:
    case TELL_CHANGES:
        break;
    case TELL_PORTS:
        sync->told = VMMOB_TOLD_PORTS;
        break;
    case TELL_PARTIAL:
        sync->told = VMMOB_TOLD_PARTIAL;
        break;
    case TELL_ALL:
        sync->told = VMMOB_TOLD_ALL;
        break;
    case GIVE_UP:
        sync->told = VMMOB_TOLD_NOTHING;
        break;
    default:
        OVS_NOT_REACHED();
    }
    return action;
}

/* Decodes 'rpc_msg', which the other end said, into 'msg'.  Returns NULL if
 * successful.  Otherwise returns an error, which the caller must free; then
 * the caller must hang up, and there is nothing in 'msg'. */
char *
vmmob_sync_hear(struct vmmob_sync *sync, const struct jsonrpc_msg *rpc_msg,
                struct vmmob_msg *msg)
{
    char *error = vmmob_msg_decode(rpc_msg, msg);
    enum vmmob_heard next;

    if (error) {
        return error;
    }
    next = next_heard[msg->type][sync->heard];
    if (next == REFUSE) {
        return xstrdup("\"end\" without \"begin\"");
    }
    sync->heard = next;
    return NULL;
}

/* Returns true if the other end was told rows: then it need only be told
 * changes. */
bool
vmmob_sync_has_told(const struct vmmob_sync *sync)
{
    return sync->told >= VMMOB_TOLD_PARTIAL;
}

/* Returns true if the other end has said all, at least once. */
bool
vmmob_sync_has_heard(const struct vmmob_sync *sync)
{
    return sync->heard >= VMMOB_HEARD_ALL;
}
