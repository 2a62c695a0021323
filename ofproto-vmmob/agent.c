/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/agent.h"

#include <errno.h>

#include "coverage.h"
#include "dirs.h"
#include "jsonrpc.h"
#include "ofproto-vmmob/handover.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "stream.h"
#include "util.h"
#include "vmmob-msg.h"
#include "vmmob-sync.h"

VLOG_DEFINE_THIS_MODULE(vmmob_agent);

COVERAGE_DEFINE(vmmob_agent_bad_message);
COVERAGE_DEFINE(vmmob_agent_disconnect);
COVERAGE_DEFINE(vmmob_agent_listen_failed);
COVERAGE_DEFINE(vmmob_agent_overflow);
COVERAGE_DEFINE(vmmob_agent_replaced);
COVERAGE_DEFINE(vmmob_agent_resync);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 20);

/* Messages taken in one go, so that packets do not wait for long. */
#define MAX_BATCH 20

/* An agent that leaves more bytes than this unread is disconnected.  It gets
 * everything anew when it comes back. */
#define MAX_BACKLOG (64 * 1024 * 1024)

struct agent {
    char *name;                 /* What to listen on. */
    bool listens;               /* vmmob_agent_listen() was called. */
    struct pstream *listener;   /* NULL if that failed. */
    struct jsonrpc *rpc;        /* NULL while nobody is connected. */
    struct vmmob_sync sync;     /* Once it has told what is known, we tell what
                                 * we author, and then just changes. */
    bool wants_stats;           /* It asked for what we count. */

    struct vmmob_network_ids want;  /* Networks whose VMNs it should tell. */
    struct vmmob_network_ids have;  /* Those of which it has told all. */
    struct vmmob_network_ids coming;    /* Between "begin" and "end": what
                                         * 'have' will be. */
};

static void receive_have(struct agent *, const struct vmmob_msg *);
static void send_want(struct agent *);
static void send_update(struct agent *, const struct vmmob_msg *);
static void send_msg(struct agent *, const struct vmmob_msg *);
static void send_authored(struct agent *, const struct handover *);
static void send_simple(struct agent *, enum vmmob_msg_type);
static void disconnect(struct agent *);

/* Returns a new agent connection.  Nobody can connect before
 * vmmob_agent_listen(). */
struct agent *
vmmob_agent_create(void)
{
    struct agent *agent = xzalloc(sizeof *agent);

    agent->name = xasprintf("punix:%s/vmmob.sock", ovs_rundir());
    agent->want.all = true;
    return agent;
}

/* Starts to listen, unless that was done.  If it cannot listen, it logs that
 * and the switch works without agent. */
void
vmmob_agent_listen(struct agent *agent)
{
    int error;

    if (agent->listens) {
        return;
    }
    agent->listens = true;
    error = pstream_open(agent->name, &agent->listener, DSCP_DEFAULT);
    if (error) {
        COVERAGE_INC(vmmob_agent_listen_failed);
        VLOG_ERR("%s: cannot listen for ovs-vmmobd (%s)", agent->name,
                 ovs_strerror(error));
        agent->listener = NULL;
    }
}

/* Asks the agent to tell everything again, and tells it everything again. */
void
vmmob_agent_resync(struct agent *agent)
{
    if (agent->rpc) {
        COVERAGE_INC(vmmob_agent_resync);
        VLOG_INFO_RL(&rl, "disconnecting ovs-vmmobd, for it to tell "
                     "everything again");
        disconnect(agent);
    }
}

/* Asks the agent to tell the VMNs of the networks with the 'n' 'ids', which
 * may be in any order, and not to tell those of others.  Before the first
 * call, it is to tell those of all networks. */
void
vmmob_agent_set_networks(struct agent *agent, const uint32_t *ids, size_t n)
{
    struct vmmob_network_ids want;

    vmmob_network_ids_init(&want, ids, MIN(n, VMMOB_MSG_MAX_NETWORKS));
    if (vmmob_network_ids_equal(&want, &agent->want)) {
        vmmob_network_ids_destroy(&want);
        return;
    }
    vmmob_network_ids_destroy(&agent->want);
    agent->want = want;
    send_want(agent);
}

/* Returns true if the agent has told all that it knows of network 'id', at
 * least once, and tells what changes.  Otherwise, there may be VMNs that were
 * not told, and those that were may not be there any more.  Stays as it was
 * while the agent is away. */
bool
vmmob_agent_has_network(const struct agent *agent, uint32_t id)
{
    return vmmob_network_ids_contain(&agent->have, id);
}

void
vmmob_agent_destroy(struct agent *agent)
{
    if (agent) {
        vmmob_network_ids_destroy(&agent->want);
        vmmob_network_ids_destroy(&agent->have);
        disconnect(agent);
        pstream_close(agent->listener);
        free(agent->name);
        free(agent);
    }
}

/* Accepts a connection and passes messages on to 'h'.  Returns true if there
 * were any. */
bool
vmmob_agent_run(struct agent *agent, struct handover *h, long long int now)
{
    bool received = false;
    struct stream *stream;

    if (agent->listener && !pstream_accept(agent->listener, &stream)) {
        if (agent->rpc) {
            COVERAGE_INC(vmmob_agent_replaced);
            VLOG_INFO_RL(&rl, "another agent connected, dropping the one "
                         "before");
        }
        disconnect(agent);
        agent->rpc = jsonrpc_open(stream);
        send_want(agent);
    }
    if (!agent->rpc) {
        return false;
    }

    jsonrpc_run(agent->rpc);
    vmmob_set_max_message(VMMOB_MSG_MAX_SIZE);
    for (int i = 0; i < MAX_BATCH; i++) {
        struct jsonrpc_msg *rpc_msg;
        struct vmmob_msg msg;
        char *error;

        if (jsonrpc_recv(agent->rpc, &rpc_msg)) {
            break;
        }
        error = vmmob_sync_hear(&agent->sync, rpc_msg, &msg);
        jsonrpc_msg_destroy(rpc_msg);
        if (error) {
            COVERAGE_INC(vmmob_agent_bad_message);
            VLOG_WARN_RL(&rl, "disconnecting ovs-vmmobd, which sent a bad "
                         "message (%s)", error);
            free(error);
            disconnect(agent);
            return received;
        }
        agent->wants_stats |= msg.want_stats;
        receive_have(agent, &msg);
        vmmob_handover_receive(h, &msg, now);
        received = true;
        if (msg.type == VMMOB_MSG_END
            && (vmmob_sync_tell(&agent->sync, VMMOB_SYNC_ASKED)
                == VMMOB_SYNC_TELL_ALL)) {
            send_authored(agent, h);
        }
        vmmob_msg_uninit(&msg);
    }

    int error = jsonrpc_get_status(agent->rpc);
    if (!error && jsonrpc_get_backlog(agent->rpc) > MAX_BACKLOG) {
        COVERAGE_INC(vmmob_agent_overflow);
        VLOG_WARN_RL(&rl, "disconnecting ovs-vmmobd, which does not read");
        error = ENOBUFS;
    } else if (error) {
        COVERAGE_INC(vmmob_agent_disconnect);
    }
    if (error) {
        disconnect(agent);
    }
    return received;
}

void
vmmob_agent_wait(struct agent *agent)
{
    if (agent->listener) {
        pstream_wait(agent->listener);
    }
    if (agent->rpc) {
        jsonrpc_wait(agent->rpc);
        jsonrpc_recv_wait(agent->rpc);
    }
}

/* Sends the rows in 'update', of type VMMOB_MSG_UPDATE, if the agent knows
 * what was before.  Returns true if it does. */
bool
vmmob_agent_send(struct agent *agent, const struct vmmob_msg *update)
{
    if (vmmob_sync_tell(&agent->sync, VMMOB_SYNC_ROWS_CHANGED)
        != VMMOB_SYNC_TELL_CHANGES) {
        return false;
    }
    send_update(agent, update);
    return true;
}

/* Returns true if the agent waits for vmmob_agent_send_stats(). */
bool
vmmob_agent_wants_stats(const struct agent *agent)
{
    return agent->rpc && agent->wants_stats;
}

/* Sends 'stats', which the agent asked for.  The caller keeps it. */
void
vmmob_agent_send_stats(struct agent *agent, struct vmmob_stats *stats)
{
    struct vmmob_msg msg = { .type = VMMOB_MSG_UPDATE, .stats = stats };

    agent->wants_stats = false;
    send_msg(agent, &msg);
}

enum agent_status
vmmob_agent_get_status(const struct agent *agent)
{
    return (agent->listens && !agent->listener ? AGENT_CANNOT_LISTEN
            : !agent->rpc ? AGENT_NOT_CONNECTED
            : !vmmob_sync_has_told(&agent->sync) ? AGENT_SYNCHRONIZING
            : AGENT_CONNECTED);
}

/* Returns the name of 'status', a static string. */
const char *
vmmob_agent_status_to_string(enum agent_status status)
{
    switch (status) {
    case AGENT_CANNOT_LISTEN: return "cannot listen";
    case AGENT_NOT_CONNECTED: return "not connected";
    case AGENT_SYNCHRONIZING: return "synchronizing";
    case AGENT_CONNECTED: return "connected";
    default: OVS_NOT_REACHED();
    }
}

/* Takes note of what 'msg' from the agent says of networks. */
static void
receive_have(struct agent *agent, const struct vmmob_msg *msg)
{
    bool coming = (agent->sync.heard == VMMOB_HEARD_BEGIN
                   || agent->sync.heard == VMMOB_HEARD_BEGIN_AGAIN);
    struct vmmob_network_ids *have = coming ? &agent->coming : &agent->have;

    switch (msg->type) {
    case VMMOB_MSG_BEGIN:
        /* An agent of an older version tells all and does not say so. */
        vmmob_network_ids_destroy(have);
        *have = (struct vmmob_network_ids) VMMOB_NETWORK_IDS_ALL;
        break;

    case VMMOB_MSG_UPDATE:
        if (msg->have_networks) {
            vmmob_network_ids_destroy(have);
            vmmob_network_ids_clone(have, msg->have_networks);
        }
        break;

    case VMMOB_MSG_END:
        vmmob_network_ids_destroy(have);
        *have = agent->coming;
        agent->coming = (struct vmmob_network_ids) { .n = 0 };
        break;
    }
}

/* Tells the agent what networks we need to know, unless that is all. */
static void
send_want(struct agent *agent)
{
    if (!agent->want.all) {
        struct vmmob_msg msg = { .type = VMMOB_MSG_UPDATE,
                                 .want_networks = &agent->want };

        send_msg(agent, &msg);
    }
}

/* Sends the rows in 'update', of type VMMOB_MSG_UPDATE. */
static void
send_update(struct agent *agent, const struct vmmob_msg *update)
{
    struct vmmob_msg piece;
    size_t at = 0;

    while (vmmob_msg_next_piece(update, &at, &piece)) {
        send_msg(agent, &piece);
    }
}

static void
send_msg(struct agent *agent, const struct vmmob_msg *msg)
{
    if (agent->rpc) {
        /* An error shows in jsonrpc_get_status(). */
        jsonrpc_send(agent->rpc, vmmob_msg_encode(msg));
    }
}

/* Tells the agent every row that this switch authors. */
static void
send_authored(struct agent *agent, const struct handover *h)
{
    struct vmmob_msg update;

    send_simple(agent, VMMOB_MSG_BEGIN);
    vmmob_msg_init(&update, VMMOB_MSG_UPDATE);
    vmmob_handover_get_authored(h, &update);
    send_update(agent, &update);
    vmmob_msg_uninit(&update);
    send_simple(agent, VMMOB_MSG_END);
}

static void
send_simple(struct agent *agent, enum vmmob_msg_type type)
{
    send_msg(agent, &(struct vmmob_msg) { .type = type });
}

static void
disconnect(struct agent *agent)
{
    jsonrpc_close(agent->rpc);
    agent->rpc = NULL;
    agent->wants_stats = false;
    vmmob_network_ids_destroy(&agent->coming);
    agent->coming = (struct vmmob_network_ids) { .n = 0 };
    vmmob_sync_init(&agent->sync);
}
