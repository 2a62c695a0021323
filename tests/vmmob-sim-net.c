/* SPDX-License-Identifier: Apache-2.0 */

/* Clock, chance, processes and connections. */

#include <config.h>
#undef NDEBUG
#include "vmmob-sim.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "jsonrpc.h"
#include "openvswitch/json.h"
#include "openvswitch/poll-loop.h"
#include "stream.h"
#include "timeval.h"
#include "util.h"
#include "uuid.h"

/* Something that is to happen. */
struct sim_event {
    struct ovs_list node;       /* In 'events', ordered by 'when'. */
    long long int when;
    void (*cb)(void *aux);
    void *aux;
};

/* Most times that processes may run without time going on. */
#define MAX_RUNS_PER_MS 5000

long long int sim_now;
struct sim_proc *sim_current;
static uint64_t sim_state;
static struct ovs_list events = OVS_LIST_INITIALIZER(&events);
static struct ovs_list procs = OVS_LIST_INITIALIZER(&procs);
static struct ovs_list conns = OVS_LIST_INITIALIZER(&conns);

void
sim_start(uint64_t seed)
{
    sim_now = 1000000;
    sim_state = seed * UINT64_C(0x9e3779b97f4a7c15) + 12345;
    sim_current = NULL;
}

/* Forgets what is still to happen. */
void
sim_finish(void)
{
    struct sim_event *event;

    LIST_FOR_EACH_POP (event, node, &events) {
        free(event->aux);
        free(event);
    }
    ovs_assert(ovs_list_is_empty(&procs));
    ovs_assert(ovs_list_is_empty(&conns));
}

/* Chance: splitmix64. */

static uint64_t
sim_random64(void)
{
    uint64_t z = sim_state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint32_t
sim_random(uint32_t n)
{
    return n ? (sim_random64() >> 32) % n : 0;
}

uint32_t
sim_range(uint32_t min, uint32_t max)
{
    return min + sim_random(max - min + 1);
}

bool
sim_chance(uint32_t percent)
{
    return sim_random(100) < percent;
}

void
sim_uuid_generate(struct uuid *uuid)
{
    for (size_t i = 0; i < ARRAY_SIZE(uuid->parts); i++) {
        uuid->parts[i] = sim_random64();
    }
}

/* Clock. */

long long int
sim_time_msec(void)
{
    return sim_now;
}

void
sim_poll_timer_wait_until_at(long long int when,
                             const char *where OVS_UNUSED)
{
    sim_wake(sim_current, MAX(when, sim_now));
}

void
sim_poll_timer_wait_at(long long int msec, const char *where)
{
    sim_poll_timer_wait_until_at(sim_now + MAX(msec, 0), where);
}

void
sim_poll_immediate_wake_at(const char *where)
{
    sim_poll_timer_wait_until_at(sim_now, where);
}

void
sim_at(long long int when, void (*cb)(void *aux), void *aux)
{
    struct sim_event *event = xmalloc(sizeof *event);
    struct ovs_list *before = events.prev;

    event->when = MAX(when, sim_now);
    event->cb = cb;
    event->aux = aux;
    while (before != &events
           && CONTAINER_OF(before, struct sim_event, node)->when
              > event->when) {
        before = before->prev;
    }
    ovs_list_insert(before->next, &event->node);
}

static long long int
proc_next(const struct sim_proc *proc)
{
    return (proc->alive && proc->wake != LLONG_MAX
            ? MAX(proc->wake, proc->stalled)
            : LLONG_MAX);
}

void
sim_run_until(long long int when)
{
    int n_runs = 0;

    for (;;) {
        struct sim_event *event = NULL;
        struct sim_proc *proc, *next = NULL;
        long long int earliest = when;
        uint32_t n = 0;

        if (!ovs_list_is_empty(&events)) {
            event = CONTAINER_OF(ovs_list_front(&events), struct sim_event,
                                 node);
            if (event->when > when) {
                event = NULL;
            } else {
                earliest = event->when;
                n = 1;
            }
        }
        /* Of those that are due at the same time, any may be first. */
        LIST_FOR_EACH (proc, node, &procs) {
            long long int t = proc_next(proc);

            if (t < earliest || (t == earliest && t != LLONG_MAX && !n)) {
                earliest = t;
                next = proc;
                n = 1;
            } else if (t == earliest && !sim_random(++n)) {
                next = proc;
            }
        }
        if (!event && !next) {
            sim_now = MAX(sim_now, when);
            return;
        }

        if (earliest > sim_now) {
            sim_now = earliest;
            n_runs = 0;
        } else if (++n_runs > MAX_RUNS_PER_MS) {
            sim_fail("%s runs without end",
                     next ? next->name : "something");
        }
        if (next) {
            next->wake = LLONG_MAX;
            sim_current = next;
            next->run(next);
            sim_current = NULL;
        } else {
            ovs_list_remove(&event->node);
            event->cb(event->aux);
            free(event);
        }
    }
}

/* Processes. */

void
sim_proc_init(struct sim_proc *proc, const char *name,
              void (*run)(struct sim_proc *))
{
    *proc = (struct sim_proc) {
        .name = xstrdup(name), .run = run, .wake = LLONG_MAX,
    };
    ovs_list_push_back(&procs, &proc->node);
}

void
sim_proc_destroy(struct sim_proc *proc)
{
    ovs_list_remove(&proc->node);
    free(proc->name);
}

struct sim_proc *
sim_proc_find(const char *name)
{
    struct sim_proc *proc;

    LIST_FOR_EACH (proc, node, &procs) {
        if (!strcmp(proc->name, name)) {
            return proc;
        }
    }
    return NULL;
}

void
sim_wake(struct sim_proc *proc, long long int when)
{
    proc->wake = MIN(proc->wake, when);
}

void
sim_wake_all(void)
{
    struct sim_proc *proc;

    LIST_FOR_EACH (proc, node, &procs) {
        sim_wake(proc, sim_now);
    }
}

/* Messages and connections. */

struct sim_msg *
sim_msg_create(enum sim_msg_type type)
{
    struct sim_msg *msg = xzalloc(sizeof *msg);

    msg->type = type;
    return msg;
}

void
sim_msg_destroy(struct sim_msg *msg)
{
    if (msg) {
        jsonrpc_msg_destroy(msg->rpc);
        json_destroy(msg->json);
        free(msg);
    }
}

struct sim_conn *
sim_conn_open(struct sim_proc *from, struct sim_proc *to,
              struct sim_path *path)
{
    struct sim_conn *conn = xzalloc(sizeof *conn);

    conn->procs[0] = from;
    conn->procs[1] = to;
    conn->path = path;
    ovs_list_init(&conn->queues[0]);
    ovs_list_init(&conn->queues[1]);
    ovs_list_push_back(&conns, &conn->node);
    return conn;
}

static void
conn_cut_queue(struct sim_conn *conn, int side, size_t n)
{
    struct sim_msg *msg;

    LIST_FOR_EACH_SAFE (msg, node, &conn->queues[side]) {
        if (n) {
            msg->arrival = MIN(msg->arrival, sim_now);
            n--;
        } else {
            ovs_list_remove(&msg->node);
            sim_msg_destroy(msg);
        }
    }
}

/* Ends 'conn'.  Of what is under way, any number of messages, the first ones,
 * still arrive. */
void
sim_conn_break(struct sim_conn *conn)
{
    if (conn->broken) {
        return;
    }
    conn->broken = true;
    for (int side = 0; side < 2; side++) {
        if (!conn->closed[side]) {
            size_t n = ovs_list_size(&conn->queues[side]);

            conn_cut_queue(conn, side, sim_random(n + 1));
            sim_wake(conn->procs[side], sim_now);
        }
    }
}

void
sim_conn_close(struct sim_conn *conn, int side)
{
    conn_cut_queue(conn, side, 0);
    conn->closed[side] = true;
    sim_conn_break(conn);
    if (conn->closed[!side]) {
        ovs_list_remove(&conn->node);
        free(conn);
    }
}

void
sim_conn_send(struct sim_conn *conn, int from, struct sim_msg *msg)
{
    int to = !from;

    if (conn->broken) {
        sim_msg_destroy(msg);
        return;
    }
    msg->arrival = sim_now + sim_random(1 + (conn->path ? conn->path->delay
                                             : 2));
    msg->arrival = MAX(msg->arrival, conn->last[to]);
    conn->last[to] = msg->arrival;
    ovs_list_push_back(&conn->queues[to], &msg->node);
    sim_wake(conn->procs[to], msg->arrival);
}

static struct sim_msg *
conn_next(const struct sim_conn *conn, int side)
{
    return (ovs_list_is_empty(&conn->queues[side])
            || (conn->path && conn->path->cut && !conn->broken)
            ? NULL
            : CONTAINER_OF(ovs_list_front(&conn->queues[side]),
                           struct sim_msg, node));
}

/* Returns the next message that has arrived at 'side', or NULL. */
struct sim_msg *
sim_conn_recv(struct sim_conn *conn, int side)
{
    struct sim_msg *msg = conn_next(conn, side);

    if (!msg || msg->arrival > sim_now) {
        return NULL;
    }
    ovs_list_remove(&msg->node);
    return msg;
}

/* Returns true if nothing will arrive at 'side' any more. */
bool
sim_conn_eof(const struct sim_conn *conn, int side)
{
    return conn->broken && ovs_list_is_empty(&conn->queues[side]);
}

void
sim_conn_wait(const struct sim_conn *conn, int side)
{
    const struct sim_msg *msg = conn_next(conn, side);

    if (sim_conn_eof(conn, side)) {
        poll_immediate_wake();
    } else if (msg) {
        poll_timer_wait_until(msg->arrival);
    }
}

/* One of the connections over a path may have been given up. */
struct patience {
    struct sim_path *path;
};

static void
lose_patience(void *aux)
{
    struct patience *p = aux;
    struct sim_conn *conn;

    if (p->path->cut) {
        LIST_FOR_EACH (conn, node, &conns) {
            if (conn->path == p->path) {
                sim_conn_break(conn);
            }
        }
    }
    free(p);
}

/* From now on nothing gets through 'path'.  Some time after that its
 * connections break, unless it is healed before. */
void
sim_path_cut(struct sim_path *path)
{
    struct patience *p = xmalloc(sizeof *p);

    path->cut = true;
    p->path = path;
    sim_at(sim_now + sim_random(sim_chance(50) ? 10 : 8000), lose_patience, p);
}

void
sim_path_heal(struct sim_path *path)
{
    path->cut = false;
    sim_wake_all();
}

/* lib/stream.h and lib/jsonrpc.h. */

struct stream {
    struct sim_conn *conn;
    int side;
};

struct pstream {
    struct ovs_list backlog;    /* Contains "struct pending"s. */
    struct sim_proc *proc;
};

struct pending {
    struct ovs_list node;
    struct stream *stream;
};

struct jsonrpc {
    struct sim_conn *conn;
    int side;
    int status;
};

static struct stream *
stream_create(struct sim_conn *conn, int side)
{
    struct stream *stream = xmalloc(sizeof *stream);

    stream->conn = conn;
    stream->side = side;
    return stream;
}

int
sim_jsonrpc_stream_open(const char *name, struct stream **streamp,
                        uint8_t dscp OVS_UNUSED)
{
    struct sim_proc *proc = sim_proc_find(name);
    struct pending *pending;
    struct sim_conn *conn;

    *streamp = NULL;
    if (!proc || !proc->alive || !proc->listener) {
        return ECONNREFUSED;
    }
    conn = sim_conn_open(sim_current, proc, NULL);
    *streamp = stream_create(conn, 0);

    pending = xmalloc(sizeof *pending);
    pending->stream = stream_create(conn, 1);
    ovs_list_push_back(&proc->listener->backlog, &pending->node);
    sim_wake(proc, sim_now);
    return 0;
}

void
sim_stream_close(struct stream *stream)
{
    if (stream) {
        sim_conn_close(stream->conn, stream->side);
        free(stream);
    }
}

int
sim_stream_connect(struct stream *stream OVS_UNUSED)
{
    return 0;
}

void
sim_stream_run(struct stream *stream OVS_UNUSED)
{
}

void
sim_stream_run_wait(struct stream *stream OVS_UNUSED)
{
}

void
sim_stream_connect_wait(struct stream *stream OVS_UNUSED)
{
    poll_immediate_wake();
}

int
sim_pstream_open(const char *name OVS_UNUSED, struct pstream **pstreamp,
                 uint8_t dscp OVS_UNUSED)
{
    struct pstream *pstream = xmalloc(sizeof *pstream);

    ovs_list_init(&pstream->backlog);
    pstream->proc = sim_current;
    sim_current->listener = pstream;
    *pstreamp = pstream;
    return 0;
}

void
sim_pstream_close(struct pstream *pstream)
{
    struct pending *pending;

    LIST_FOR_EACH_POP (pending, node, &pstream->backlog) {
        stream_close(pending->stream);
        free(pending);
    }
    pstream->proc->listener = NULL;
    free(pstream);
}

int
sim_pstream_accept(struct pstream *pstream, struct stream **streamp)
{
    struct pending *pending;

    *streamp = NULL;
    if (ovs_list_is_empty(&pstream->backlog)) {
        return EAGAIN;
    }
    pending = CONTAINER_OF(ovs_list_pop_front(&pstream->backlog),
                           struct pending, node);
    *streamp = pending->stream;
    free(pending);
    return 0;
}

void
sim_pstream_wait(struct pstream *pstream)
{
    if (!ovs_list_is_empty(&pstream->backlog)) {
        poll_immediate_wake();
    }
}

struct jsonrpc *
sim_jsonrpc_open(struct stream *stream)
{
    struct jsonrpc *rpc = xmalloc(sizeof *rpc);

    rpc->conn = stream->conn;
    rpc->side = stream->side;
    rpc->status = 0;
    free(stream);
    return rpc;
}

void
sim_jsonrpc_close(struct jsonrpc *rpc)
{
    if (rpc) {
        sim_conn_close(rpc->conn, rpc->side);
        free(rpc);
    }
}

void
sim_jsonrpc_run(struct jsonrpc *rpc OVS_UNUSED)
{
}

void
sim_jsonrpc_wait(struct jsonrpc *rpc OVS_UNUSED)
{
}

int
sim_jsonrpc_get_status(const struct jsonrpc *rpc)
{
    return rpc->status;
}

/* Bytes that the other side has not read.  What waits for long counts for
 * much, so that it takes few messages to have too many. */
size_t
sim_jsonrpc_get_backlog(const struct jsonrpc *rpc)
{
    const struct sim_proc *peer = rpc->conn->procs[!rpc->side];
    size_t n = ovs_list_size(&rpc->conn->queues[!rpc->side]);

    return peer->stalled > sim_now + 500 && n > 4 ? (n - 4) * 2000000 : 0;
}

int
sim_jsonrpc_send(struct jsonrpc *rpc, struct jsonrpc_msg *rpc_msg)
{
    struct sim_msg *msg = sim_msg_create(SIM_RPC);

    if (!sim_random(16)) {
        /* To text and back. */
        struct json *json = jsonrpc_msg_to_json(rpc_msg);
        char *s = json_to_string(json, 0);
        char *error;

        json_destroy(json);
        error = jsonrpc_msg_from_json(json_from_string(s), &rpc_msg);
        if (error) {
            sim_fail("bad message: %s", error);
        }
        free(s);
    }
    msg->rpc = rpc_msg;
    sim_conn_send(rpc->conn, rpc->side, msg);
    return rpc->status;
}

int
sim_jsonrpc_recv(struct jsonrpc *rpc, struct jsonrpc_msg **rpc_msg)
{
    struct sim_msg *msg = sim_conn_recv(rpc->conn, rpc->side);

    *rpc_msg = NULL;
    if (!msg) {
        if (sim_conn_eof(rpc->conn, rpc->side)) {
            rpc->status = EOF;
        }
        return rpc->status ? rpc->status : EAGAIN;
    }
    *rpc_msg = msg->rpc;
    msg->rpc = NULL;
    sim_msg_destroy(msg);
    return 0;
}

void
sim_jsonrpc_recv_wait(struct jsonrpc *rpc)
{
    sim_conn_wait(rpc->conn, rpc->side);
}
