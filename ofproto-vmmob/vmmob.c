/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/vmmob.h"

#include "coverage.h"
#include "dp-packet.h"
#include "flow.h"
#include "hash.h"
#include "latch.h"
#include "ofproto/ofproto-dpif.h"
#include "ofproto/ofproto-dpif-rid.h"
#include "ofproto/ofproto-dpif-upcall.h"
#include "ofproto/ofproto-provider.h"
#include "ofproto-vmmob/agent.h"
#include "ofproto-vmmob/bridge.h"
#include "ofproto-vmmob/fairq.h"
#include "ofproto-vmmob/flow-index.h"
#include "ofproto-vmmob/frame.h"
#include "ofproto-vmmob/moves.h"
#include "ofproto-vmmob/show.h"
#include "ofproto-vmmob/tail.h"
#include "openvswitch/match.h"
#include "openvswitch/meta-flow.h"
#include "openvswitch/ofp-actions.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "ovs-rcu.h"
#include "packets.h"
#include "seq.h"
#include "smap.h"
#include "timeval.h"
#include "util.h"
#include "uuid.h"
#include "vmmob-csum.h"
#include "vmmob-msg.h"

VLOG_DEFINE_THIS_MODULE(vmmob);

COVERAGE_DEFINE(vmmob_punt);
COVERAGE_DEFINE(vmmob_punt_limited);
COVERAGE_DEFINE(vmmob_punt_overflow);
COVERAGE_DEFINE(vmmob_punt_flushed);
COVERAGE_DEFINE(vmmob_unknown_bridge);
COVERAGE_DEFINE(vmmob_unknown_port);
COVERAGE_DEFINE(vmmob_bad_frame);
COVERAGE_DEFINE(vmmob_forged);
COVERAGE_DEFINE(vmmob_heard_late);
COVERAGE_DEFINE(vmmob_unknown_vmn);
COVERAGE_DEFINE(vmmob_port_full);
COVERAGE_DEFINE(vmmob_frozen);
COVERAGE_DEFINE(vmmob_conflict);
COVERAGE_DEFINE(vmmob_vmn_full);
COVERAGE_DEFINE(vmmob_unknown_moa);
COVERAGE_DEFINE(vmmob_unknown_icmp);
COVERAGE_DEFINE(vmmob_hold);
COVERAGE_DEFINE(vmmob_hold_full);
COVERAGE_DEFINE(vmmob_unresolved);
COVERAGE_DEFINE(vmmob_resume);
COVERAGE_DEFINE(vmmob_resume_limited);
COVERAGE_DEFINE(vmmob_copy_held);
COVERAGE_DEFINE(vmmob_copy_delivered);
COVERAGE_DEFINE(vmmob_copy_dropped);
COVERAGE_DEFINE(vmmob_copy_stopped);
COVERAGE_DEFINE(vmmob_flood);
COVERAGE_DEFINE(vmmob_misplaced);
COVERAGE_DEFINE(vmmob_ask);
COVERAGE_DEFINE(vmmob_gateway_retry);
COVERAGE_DEFINE(vmmob_refresh);
COVERAGE_DEFINE(vmmob_refresh_late);
COVERAGE_DEFINE(vmmob_refresh_overflow);
COVERAGE_DEFINE(vmmob_settings_rejected);

/* Most packets that wait for the module's thread, and most that it holds until
 * more is known. */
#define MAX_QUEUED 2048
#define MAX_HELD 256

/* Most events to process before other things have their turn: so long a packet
 * waits that has just come from a port without backlog. */
#define MAX_BATCH 64

/* What the module looks at from an uplink, in packets a second and at once.
 * Correspondents of all VMNs share it. */
#define UPLINK_RATE 10000
#define UPLINK_BURST (MAX_QUEUED / 2)

/* Likewise, from all ports that were added a moment ago. */
#define STRANGE_RATE 200
#define STRANGE_BURST 200

/* Lost VMNs are asked at most this many frames, but at least one of the VMNs,
 * every so many ms. */
#define ASK_FRAMES 200
#define ASK_MS 100

/* Forged frames are reported this often, in ms. */
#define REPORT_MS 5000

/* Floods are looked for this often, in ms, and a port stays blocked for so
 * long after its flood has ended. */
#define COUNT_MS 1000
#define BLOCK_MS 3000

/* How long a packet is held, in ms. */
#define HOLD_MS 1000

/* The gateway is asked for its MAC address this often, in ms, ... */
#define PROBE_SOON_MS 20        /* ...for so long after it was configured... */
#define PROBE_SOON_FOR_MS 2000  /* ...(a switch that was just started may not
                                 * hear the first answers)... */
#define PROBE_UNKNOWN_MS 1000   /* ...then while it is not known... */
#define PROBE_KNOWN_MS 10000    /* ...and when it is. */

/* The rules for a remote VMN go when they were not used for so long, in ms. */
#define IDLE_MS (10 * 60 * 1000)
#define SWEEP_MS (60 * 1000)

/* Most datapath flows that are translated anew at once, and of these, for one
 * address, those that have to do with other addresses, too; the revalidators
 * see to the rest. */
#define MAX_REFRESH 4096
#define MAX_REFRESH_VAGUE 64

/* This is done again so many ms after each other, for flows that were just
 * being installed, even if the thread that did had to wait. */
static const int refresh_again_ms[] = { 2, 100, 2000 };

/* With more addresses the first of these is left out, as it would come in the
 * middle of the moves of many VMNs.  What is out of date for a moment longer
 * is redirected. */
#define MAX_REFRESH_SOON 32

/* When all affected datapath flows have been refreshed at once, there is no
 * need for the revalidators to look at all the others, and with many flows
 * that takes them seconds, and they throw away what they take for hardly used.
 * They do so only this much later, in ms, once for all that changed until
 * then, for flows that were being installed for longer than anybody would
 * think. */
#define REVALIDATE_MS (60 * 1000)
#define REVALIDATE_SOON_MS 20   /* If there were too many to refresh. */

/* How often a packet may come back after it was sent on its way anew, and the
 * register that counts that. */
#define MAX_ATTEMPTS 4
#define ATTEMPTS_REG 2

/* A packet from vmmob_punt(), or the news that a port is gone. */
struct event {
    union {
        struct ovs_list node;   /* In 'queue', 'held' or 'resumed'. */
        struct tail_packet tail;    /* In 'copies'. */
    };
    struct uuid ofproto_uuid;
    ofp_port_t in_port;
    uint8_t table_id;           /* Which table punted it. */
    uint32_t attempts;          /* How often it was sent on its way anew. */
    struct dp_packet *packet;   /* NULL if 'in_port' is gone. */
    long long int received;     /* When it came in, in us. */
    long long int expires;      /* In 'held' only. */

    /* In 'resumed' only, see bridge_resume(). */
    struct vmmob_bridge *bridge;
    uint8_t resume_table;
    ofp_port_t resume_port;
};

/* What the handlers hand over. */
static struct ovs_mutex queue_mutex = OVS_MUTEX_INITIALIZER;
static struct fairq queue OVS_GUARDED_BY(queue_mutex);
static struct ovs_list news OVS_GUARDED_BY(queue_mutex)
    = OVS_LIST_INITIALIZER(&news);  /* Of ports that are gone. */
static struct seq *queue_seq;   /* Changes when one of these does. */

/* All the rest. */
struct ovs_mutex vmmob_mutex = OVS_MUTEX_INITIALIZER;
static struct vmmob *vmmob OVS_GUARDED_BY(vmmob_mutex);
static struct ovs_list held OVS_GUARDED_BY(vmmob_mutex)
    = OVS_LIST_INITIALIZER(&held);
static bool retry_held OVS_GUARDED_BY(vmmob_mutex);
static struct ovs_list resumed OVS_GUARDED_BY(vmmob_mutex)
    = OVS_LIST_INITIALIZER(&resumed);   /* Empty between two rounds. */
static struct tail copies OVS_GUARDED_BY(vmmob_mutex);
static struct moves moves OVS_GUARDED_BY(vmmob_mutex);

/* Addresses at a bridge whose datapath flows are to be refreshed again. */
struct refresh {
    struct ovs_list node;       /* In one of 'refreshes'. */
    struct uuid ofproto_uuid;
    long long int when;         /* In ms. */
    struct in6_addr *addrs;     /* Owned. */
    size_t n_addrs;
};
static struct ovs_list refreshes[] OVS_GUARDED_BY(vmmob_mutex) = {
    /* By how often it was done already, each ordered by 'when'. */
    OVS_LIST_INITIALIZER(&refreshes[0]),
    OVS_LIST_INITIALIZER(&refreshes[1]),
    OVS_LIST_INITIALIZER(&refreshes[2]),
};
BUILD_ASSERT_DECL(ARRAY_SIZE(refreshes) == ARRAY_SIZE(refresh_again_ms));

/* See vmmob_is_quiet(). */
DEFINE_STATIC_PER_THREAD_DATA(bool, quiet, false);

/* Main thread only. */
static bool running;
static pthread_t thread;
static struct latch exit_latch;

static void *vmmob_main(void *);
static void expire_held(long long int now) OVS_REQUIRES(vmmob_mutex);
static void start(void);
static void enqueue(struct event *);
static bool take_events(struct ovs_list *events);
static void event_destroy(struct event *);
static void destroy_events(struct ovs_list *events);

static struct vmmob_bridge *bridge_find(const char *name)
    OVS_REQUIRES(vmmob_mutex);
static void bridge_destroy(struct vmmob_bridge *, bool withdraw,
                           bool delete_flows) OVS_REQUIRES(vmmob_mutex);
static void bridge_reserve(struct vmmob_bridge *, uint64_t id)
    OVS_REQUIRES(vmmob_mutex);
static void bridge_disable(struct vmmob_bridge *, bool withdraw,
                           bool delete_flows) OVS_REQUIRES(vmmob_mutex);
static void bridge_configure(struct vmmob_bridge *, const struct smap *,
                             struct eth_addr mac) OVS_REQUIRES(vmmob_mutex);
static void bridge_update_ofs(struct vmmob_bridge *, long long int now)
    OVS_REQUIRES(vmmob_mutex);
static struct handover_ofs *bridge_ofs(const struct vmmob_bridge *)
    OVS_REQUIRES(vmmob_mutex);
static void bridge_forget_ports(struct vmmob_bridge *)
    OVS_REQUIRES(vmmob_mutex);
static void bridge_run(struct vmmob_bridge *, long long int now)
    OVS_REQUIRES(vmmob_mutex);
static void find_lost(long long int now) OVS_REQUIRES(vmmob_mutex);

static void note_moves(const char *seen, long long int start,
                       long long int queued) OVS_REQUIRES(vmmob_mutex);
static void note_phase(enum vmmob_move_phase) OVS_REQUIRES(vmmob_mutex);
static void end_moves(long long int now) OVS_REQUIRES(vmmob_mutex);
static void send_stats(void) OVS_REQUIRES(vmmob_mutex);

static void send_resumed(void) OVS_REQUIRES(vmmob_mutex);
static void commit_rules(bool refresh) OVS_REQUIRES(vmmob_mutex);
static void apply_effects(bool refresh) OVS_REQUIRES(vmmob_mutex);
static void apply(long long int now) OVS_REQUIRES(vmmob_mutex);
static long long int refresh_again(long long int now)
    OVS_REQUIRES(vmmob_mutex);
static void process_event(struct event *, long long int turn)
    OVS_REQUIRES(vmmob_mutex);

/* Initializes the module.  Does nothing else before a bridge is configured. */
void
vmmob_init(void)
{
    queue_seq = seq_create();
    ovs_mutex_lock(&queue_mutex);
    fairq_init(&queue, MAX_QUEUED, STRANGE_RATE, STRANGE_BURST);
    ovs_mutex_unlock(&queue_mutex);
    show_init();
}

/* Stops the module.  What was published stays published, and what is in the
 * flow tables stays there until they are destroyed, so that a switch which is
 * restarted finds everything as it was. */
void
vmmob_exit(void)
{
    struct ovs_list *item;

    if (!running) {
        return;
    }
    latch_set(&exit_latch);
    xpthread_join(thread, NULL);
    latch_destroy(&exit_latch);
    running = false;

    ovs_mutex_lock(&vmmob_mutex);
    struct vmmob_bridge *b;
    HMAP_FOR_EACH_SAFE (b, node, &vmmob->bridges) {
        bridge_destroy(b, false, false);
    }
    hmap_destroy(&vmmob->bridges);
    agent_destroy(vmmob->agent);
    handover_destroy(vmmob->handover);
    free(vmmob);
    vmmob = NULL;
    destroy_events(&held);
    tail_run(&copies, LLONG_MAX, &held);
    destroy_events(&held);
    tail_destroy(&copies);
    moves_log(&moves, LLONG_MAX);
    moves_destroy(&moves);
    struct refresh *refresh;
    for (size_t i = 0; i < ARRAY_SIZE(refreshes); i++) {
        LIST_FOR_EACH_POP (refresh, node, &refreshes[i]) {
            free(refresh->addrs);
            free(refresh);
        }
    }
    flow_index_enable(false);
    ovs_mutex_unlock(&vmmob_mutex);

    /* Ports are still to be destroyed, so the queue stays. */
    ovs_mutex_lock(&queue_mutex);
    while ((item = fairq_pop(&queue)) != NULL) {
        ovs_list_push_back(&news, item);
    }
    destroy_events(&news);
    ovs_mutex_unlock(&queue_mutex);
}

/* Configures the bridge named 'bridge', whose MAC address is 'mac', with what
 * its 'other_config' and the 'external_ids' of the whole switch say.  To be
 * called whenever these, a port of the bridge, its MAC address or its datapath
 * id may have changed. */
void
vmmob_configure(const char *bridge, const struct smap *other_config,
                const struct smap *external_ids, struct eth_addr mac)
{
    bool wanted = vmmob_settings_wanted(other_config);

    if (!running) {
        if (!wanted) {
            return;
        }
        start();
    }

    ovs_mutex_lock(&vmmob_mutex);
    struct vmmob_bridge *b = bridge_find(bridge);
    handover_set_peers(vmmob->handover,
                       smap_get_def(external_ids, "vmmob-peers", "")[0]);
    if (wanted) {
        struct ofproto_dpif *ofproto = ofproto_dpif_lookup_by_name(bridge);

        if (b && b->ofproto != ofproto) {
            bridge_destroy(b, true, false);
            b = NULL;
        }
        if (!b && ofproto) {
            b = xzalloc(sizeof *b);
            b->name = xstrdup(bridge);
            b->ofproto = ofproto;
            hmap_init(&b->vm_ports);
            hmap_insert(&vmmob->bridges, &b->node, hash_string(bridge, 0));
        }
        if (b) {
            bridge_configure(b, other_config, mac);
        }
    } else if (b) {
        VLOG_INFO("bridge %s: VM mobility is off", b->name);
        bridge_destroy(b, true, true);
    }
    vmmob_apply();
    ovs_mutex_unlock(&vmmob_mutex);

    /* Have the thread look at its deadlines anew. */
    seq_change(queue_seq);
}

/* All bridges were configured.  Only now the agent may tell and hear: it takes
 * an OFS that it does not hear of for one that is gone. */
void
vmmob_configured(void)
{
    if (running) {
        ovs_mutex_lock(&vmmob_mutex);
        agent_listen(vmmob->agent);
        ovs_mutex_unlock(&vmmob_mutex);
        seq_change(queue_seq);
    }
}

/* 'ofproto' is about to be destroyed; 'del' is true if it is deleted for
 * good. */
void
vmmob_ofproto_destruct(struct ofproto_dpif *ofproto, bool del)
{
    if (!running) {
        return;
    }

    ovs_mutex_lock(&vmmob_mutex);
    struct vmmob_bridge *b = bridge_find(ofproto->up.name);
    if (b && b->ofproto == ofproto) {
        bridge_destroy(b, del, false);
        vmmob_apply();
    }
    ovs_mutex_unlock(&vmmob_mutex);
    seq_change(queue_seq);
}

/* 'port' of 'ofproto' is about to be destroyed. */
void
vmmob_port_destruct(struct ofproto_dpif *ofproto, ofp_port_t port)
{
    uint8_t table_id;

    atomic_read_relaxed(&ofproto->vmmob_table, &table_id);
    if (table_id) {
        struct event *event = xzalloc(sizeof *event);

        event->ofproto_uuid = ofproto->uuid;
        event->in_port = port;
        enqueue(event);
    }
}

/* Returns true if the change of the flow tables that this thread is making
 * does not ask for all datapath flows to be looked at. */
bool
vmmob_is_quiet(void)
{
    return *quiet_get();
}

/* Returns the table where a packet starts that came in by 'in_port' of
 * 'ofproto': 0 unless that is a VM port or the uplink of a bridge that is
 * configured for VM mobility. */
uint8_t
vmmob_first_table(const struct ofproto_dpif *ofproto, ofp_port_t in_port)
{
    uint8_t table_id;

    atomic_read_relaxed(&CONST_CAST(struct ofproto_dpif *,
                                    ofproto)->vmmob_table, &table_id);
    return ofp_to_u16(in_port) < ofp_to_u16(OFPP_MAX) ? table_id : 0;
}

/* Returns register number 'reg' of those that 'md' keeps.  They are the array
 * 'regs' of a struct flow, although 'md' has them as wider integers. */
static uint32_t
frozen_reg(const struct frozen_metadata *md, size_t reg)
{
    uint32_t regs[FLOW_N_REGS];

    BUILD_ASSERT(sizeof regs == sizeof md->regs);
    memcpy(regs, md->regs, sizeof regs);
    return regs[reg];
}

/* Takes 'packet', which a "controller" action with 'controller_id' hands to
 * userspace, if the action is one of the module's.  'state' is the state of
 * its translation.  Returns false if it is for a controller. */
bool
vmmob_punt(struct ofproto_dpif *ofproto, const struct dp_packet *packet,
           uint16_t controller_id, const struct frozen_state *state)
{
    if (controller_id != VMMOB_CONTROLLER_ID
        || state->table_id < VMMOB_TABLE_SOURCE
        || state->table_id > VMMOB_TABLE_DESTINATION
        || !(ofproto->up.tables[state->table_id].flags & OFTABLE_HIDDEN)) {
        return false;
    }
    COVERAGE_INC(vmmob_punt);

    /* Before anything is copied: it must be cheap to be refused. */
    ovs_mutex_lock(&queue_mutex);
    bool admitted = fairq_admit(&queue, &ofproto->uuid,
                                state->metadata.in_port);
    ovs_mutex_unlock(&queue_mutex);
    if (!admitted) {
        COVERAGE_INC(vmmob_punt_limited);
        return true;
    }

    struct event *event = xzalloc(sizeof *event);
    event->ofproto_uuid = ofproto->uuid;
    event->in_port = state->metadata.in_port;
    event->table_id = state->table_id;
    event->attempts = frozen_reg(&state->metadata, ATTEMPTS_REG);
    event->received = time_usec();
    event->packet = dp_packet_clone_data(dp_packet_data(packet),
                                         dp_packet_size(packet));
    if (dp_packet_l4_checksum_partial(packet)) {
        /* The copy loses the mark that its checksum is partial. */
        vmmob_csum_complete(event->packet);
    }
    enqueue(event);
    return true;
}

struct vmmob *
vmmob_get(void)
{
    return vmmob;
}

/* Starts the thread. */
static void
start(void)
{
    ovs_mutex_lock(&vmmob_mutex);
    vmmob = xzalloc(sizeof *vmmob);
    hmap_init(&vmmob->bridges);
    vmmob->handover = handover_create();
    vmmob->agent = agent_create();
    tail_init(&copies);
    moves_init(&moves);
    flow_index_enable(true);
    ovs_mutex_unlock(&vmmob_mutex);

    latch_init(&exit_latch);
    thread = ovs_thread_create("vmmob", vmmob_main, NULL);
    running = true;
}

/* The thread. */
static void *
vmmob_main(void *arg OVS_UNUSED)
{
    while (!latch_is_set(&exit_latch)) {
        struct ovs_list events = OVS_LIST_INITIALIZER(&events);
        uint64_t seqno = seq_read(queue_seq);
        long long int turn = time_usec();
        long long int now = turn / 1000;
        bool more = take_events(&events);
        struct event *event;

        ovs_mutex_lock(&vmmob_mutex);
        LIST_FOR_EACH_POP (event, node, &events) {
            process_event(event, turn);
        }
        /* All that moved as one, before anything else. */
        send_resumed();
        apply(now);

        turn = time_usec();
        if (agent_run(vmmob->agent, vmmob->handover, now)) {
            retry_held = true;
            note_moves(NULL, turn, -1);
        }
        handover_run(vmmob->handover, now);
        note_moves(NULL, turn, -1);
        find_lost(now);
        apply(now);

        if (retry_held) {
            struct ovs_list again = OVS_LIST_INITIALIZER(&again);

            retry_held = false;
            vmmob->n_held = 0;
            ovs_list_push_back_all(&again, &held);
            LIST_FOR_EACH_POP (event, node, &again) {
                process_event(event, turn);
            }
            send_resumed();
        }

        struct vmmob_bridge *b;
        HMAP_FOR_EACH (b, node, &vmmob->bridges) {
            if (b->enabled) {
                bridge_run(b, now);
            }
        }
        expire_held(now);
        apply(now);
        end_moves(now);
        if (!more) {
            moves_log(&moves, now);
            if (agent_wants_stats(vmmob->agent)) {
                send_stats();
            }
        }

        long long int next = MIN(handover_next_event(vmmob->handover),
                                 refresh_again(now));
        next = MIN(next, moves_next_event(&moves));
        next = MIN(next, tail_next_event(&copies));
        HMAP_FOR_EACH (b, node, &vmmob->bridges) {
            if (b->enabled) {
                next = MIN(next, MIN(b->next_probe, b->next_sweep));
                next = MIN(next, MIN(b->next_ask, b->next_report));
                next = MIN(next, MIN(b->next_count, b->next_revalidation));
            }
        }
        if (!ovs_list_is_empty(&held)) {
            next = MIN(next, CONTAINER_OF(ovs_list_front(&held), struct event,
                                          node)->expires);
        }
        agent_wait(vmmob->agent);
        if (retry_held) {
            poll_immediate_wake();
        }
        ovs_mutex_unlock(&vmmob_mutex);

        if (next != LLONG_MAX) {
            poll_timer_wait_until(next);
        }
        seq_wait(queue_seq, seqno);
        latch_wait(&exit_latch);
        poll_block();
        coverage_clear();
    }
    return NULL;
}

/* Drops the packets that have been kept for too long. */
static void
expire_held(long long int now)
    OVS_REQUIRES(vmmob_mutex)
{
    struct ovs_list gone = OVS_LIST_INITIALIZER(&gone);
    struct event *event;

    LIST_FOR_EACH_SAFE (event, node, &held) {
        if (event->expires > now) {
            break;
        }
        COVERAGE_INC(vmmob_unresolved);
        ovs_list_remove(&event->node);
        event_destroy(event);
        vmmob->n_held--;
    }
    tail_run(&copies, now, &gone);
    COVERAGE_ADD(vmmob_copy_dropped, ovs_list_size(&gone));
    destroy_events(&gone);
}

/* Hands 'event' over to the thread, if there is room. */
static void
enqueue(struct event *event)
{
    struct ovs_list lost = OVS_LIST_INITIALIZER(&lost);

    ovs_mutex_lock(&queue_mutex);
    if (event->packet) {
        struct ovs_list *item = fairq_push(&queue, &event->ofproto_uuid,
                                           event->in_port, &event->node);

        if (item) {
            COVERAGE_INC(vmmob_punt_overflow);
            ovs_list_push_back(&lost, item);
        }
    } else {
        /* What came from there before must not be seen after this. */
        fairq_flush_port(&queue, &event->ofproto_uuid, event->in_port, &lost);
        COVERAGE_ADD(vmmob_punt_flushed, ovs_list_size(&lost));
        ovs_list_push_back(&news, &event->node);
    }
    ovs_mutex_unlock(&queue_mutex);

    destroy_events(&lost);
    seq_change(queue_seq);
}

/* Moves the next few events to 'events'.  Returns true if there are more. */
static bool
take_events(struct ovs_list *events)
{
    struct ovs_list *item;
    bool more;

    ovs_mutex_lock(&queue_mutex);
    ovs_list_push_back_all(events, &news);
    for (int i = 0; i < MAX_BATCH; i++) {
        item = fairq_pop(&queue);
        if (!item) {
            break;
        }
        ovs_list_push_back(events, item);
    }
    more = queue.n_items > 0;
    if (more) {
        poll_immediate_wake();
    }
    ovs_mutex_unlock(&queue_mutex);
    return more;
}

static void
event_destroy(struct event *event)
{
    BUILD_ASSERT_DECL(offsetof(struct event, node)
                      == offsetof(struct event, tail.node));
    dp_packet_delete(event->packet);
    free(event);
}

static void
destroy_events(struct ovs_list *events)
{
    struct event *event;

    LIST_FOR_EACH_POP (event, node, events) {
        event_destroy(event);
    }
}

/* Bridges. */

static struct vmmob_bridge *
bridge_find(const char *name)
{
    struct vmmob_bridge *b;

    HMAP_FOR_EACH_WITH_HASH (b, node, hash_string(name, 0),
                             &vmmob->bridges) {
        if (!strcmp(b->name, name)) {
            return b;
        }
    }
    return NULL;
}

static void
bridge_destroy(struct vmmob_bridge *b, bool withdraw, bool delete_flows)
{
    bridge_disable(b, withdraw, delete_flows);
    if (b->reserved && withdraw) {
        /* What it published is not to stay any longer. */
        agent_resync(vmmob->agent);
    }
    bridge_reserve(b, 0);
    hmap_remove(&vmmob->bridges, &b->node);
    hmap_destroy(&b->vm_ports);
    free(b->error);
    free(b->name);
    free(b);
}

/* Has what was published for the datapath id 'id' stay published, until 'b'
 * can be that OFS; if 'id' is 0, that is over. */
static void
bridge_reserve(struct vmmob_bridge *b, uint64_t id)
    OVS_REQUIRES(vmmob_mutex)
{
    if (b->reserved != id) {
        if (b->reserved) {
            handover_reserve(vmmob->handover, b->reserved, false);
        }
        if (id) {
            handover_reserve(vmmob->handover, id, true);
        }
        b->reserved = id;
    }
}

/* Stops VM mobility on 'b'. */
static void
bridge_disable(struct vmmob_bridge *b, bool withdraw, bool delete_flows)
{
    if (!b->enabled) {
        return;
    }

    if (withdraw || delete_flows) {
        atomic_store_relaxed(&b->ofproto->vmmob_table, 0);
        b->ofproto->backer->need_revalidate = REV_RECONFIGURE;
    }
    bridge_forget_ports(b);
    rules_destroy(b->rules, delete_flows);
    handover_remove(vmmob->handover, b->id, withdraw, time_msec());
    if (delete_flows) {
        ovs_mutex_lock(&ofproto_mutex);
        for (int i = VMMOB_TABLE_SOURCE; i <= VMMOB_TABLE_DESTINATION; i++) {
            b->ofproto->up.tables[i].flags = 0;
        }
        ovs_mutex_unlock(&ofproto_mutex);
    }
    free(b->lost);
    b->lost = NULL;
    b->n_lost = b->allocated_lost = 0;
    b->rules = NULL;
    b->enabled = false;
}

/* Reports 'error', which is freed unless it is news, about 'b'.  NULL means
 * that everything is all right. */
static void
bridge_set_error(struct vmmob_bridge *b, char *error)
{
    if (error && (!b->error || strcmp(b->error, error))) {
        COVERAGE_INC(vmmob_settings_rejected);
        VLOG_WARN("bridge %s: %s; %s", b->name, error,
                  b->enabled ? "the settings before stay in force"
                  : "VM mobility is off");
    }
    free(b->error);
    b->error = error;
}

/* Finds the port number of the uplink of 'b'.  Returns NULL or an error that
 * the caller must free. */
static char *
bridge_find_uplink(const struct vmmob_bridge *b, const char *uplink_name,
                   ofp_port_t *uplink)
{
    const struct ofport *ofport;

    HMAP_FOR_EACH (ofport, hmap_node, &b->ofproto->up.ports) {
        if (ofport->ofp_port != OFPP_LOCAL
            && !strcmp(netdev_get_name(ofport->netdev), uplink_name)) {
            *uplink = ofport->ofp_port;
            return NULL;
        }
    }
    return xasprintf("other_config:vmmob-uplink: no interface of the bridge "
                     "is named %s", uplink_name);
}

/* VM ports. */

static struct vmmob_vm_port *
vm_port_find(const struct vmmob_bridge *b, ofp_port_t number)
{
    struct vmmob_vm_port *port;

    HMAP_FOR_EACH_WITH_HASH (port, node, hash_int(ofp_to_u16(number), 0),
                             &b->vm_ports) {
        if (port->number == number) {
            return port;
        }
    }
    return NULL;
}

static void
vm_port_destroy(struct vmmob_bridge *b, struct vmmob_vm_port *port,
                long long int now)
    OVS_REQUIRES(vmmob_mutex)
{
    handover_port_gone(vmmob->handover, bridge_ofs(b), port->number, now);
    b->past_forged += vmmob_count_forged(b, port);
    b->past_blocked += vmmob_count_blocked(b, port);
    b->past_refused += port->n_refused;
    rules_update_port(b->rules, port->number, NULL);
    rules_update_block(b->rules, port->number, false);
    hmap_remove(&b->vm_ports, &port->node);
    free(port->name);
    free(port);
}

/* Returns what is known of 'port', or NULL. */
static const struct vmmob_port *
vm_port_row(const struct vmmob_vm_port *port)
    OVS_REQUIRES(vmmob_mutex)
{
    return port_table_find(&vmmob->handover->ports, port->name);
}

/* Returns true if a VMN with address 'mac' may be at 'port'. */
static bool
vm_port_may_have(const struct vmmob_vm_port *port, const struct eth_addr mac)
    OVS_REQUIRES(vmmob_mutex)
{
    const struct vmmob_port *row = vm_port_row(port);

    return !row || !row->n_macs || vmmob_port_has_mac(row, mac);
}

/* Returns the only VM port of 'b' that is said to be for the VMN with address
 * 'mac', or OFPP_NONE if there is none, or more than one: then only the VMN
 * itself can tell. */
static ofp_port_t
bridge_find_mac(const struct vmmob_bridge *b, const struct eth_addr mac)
    OVS_REQUIRES(vmmob_mutex)
{
    const struct vmmob_vm_port *port;
    ofp_port_t found = OFPP_NONE;

    HMAP_FOR_EACH (port, node, &b->vm_ports) {
        const struct vmmob_port *row = vm_port_row(port);

        if (row && (vmmob_port_has_mac(row, mac)
                    || (row->any
                        && eth_addr_equals(row->attached_mac, mac)))) {
            if (found != OFPP_NONE) {
                return OFPP_NONE;
            }
            found = port->number;
        }
    }
    return found;
}

/* Attaches 'vmn' to the VM port of 'b' that is said to be for it, if any. */
static void
bridge_reattach(struct vmmob_bridge *b, const struct handover_vmn *vmn,
                long long int now)
    OVS_REQUIRES(vmmob_mutex)
{
    ofp_port_t number = bridge_find_mac(b, vmn->row.key.mac);

    if (number != OFPP_NONE) {
        handover_attach(vmmob->handover, bridge_ofs(b), &vmn->row.key, number,
                        now);
    }
}

/* 'row', which may be NULL, is what is known of 'port' of 'b': the VMN for
 * which it was added is expected there.  If that is no news, then nothing
 * happens unless 'again' is true. */
static void
bridge_expect(struct vmmob_bridge *b, struct vmmob_vm_port *port,
              const struct vmmob_port *row, bool again, long long int now)
    OVS_REQUIRES(vmmob_mutex)
{
    struct eth_addr mac = row ? row->attached_mac : eth_addr_zero;
    bool is_news = !eth_addr_equals(mac, port->expected);
    struct handover *h = vmmob->handover;
    struct handover_ofs *ofs = bridge_ofs(b);
    struct vmmob_key key = { .tenant = 0 };

    if (is_news && !eth_addr_is_zero(port->expected)) {
        key.mac = port->expected;
        handover_unexpect(h, ofs, &key, port->number, now);
    }
    port->expected = mac;
    if ((is_news || again) && !eth_addr_is_zero(mac)) {
        key.mac = mac;
        handover_expect(h, ofs, &key, port->number, now);
    }
}

/* Puts in force what is known of the VM ports of 'b' whose names are in
 * 'names', or of all if that is NULL. */
static void
bridge_police(struct vmmob_bridge *b, const struct sset *names,
              long long int now)
    OVS_REQUIRES(vmmob_mutex)
{
    struct handover *h = vmmob->handover;
    struct handover_ofs *ofs = bridge_ofs(b);
    struct handover_vmn *vmn;
    struct vmmob_vm_port *port;
    bool any = false;

    HMAP_FOR_EACH (port, node, &b->vm_ports) {
        if (!names || sset_contains(names, port->name)) {
            const struct vmmob_port *row = vm_port_row(port);
            bool policed = row && row->n_macs;

            if (port->policed && !policed) {
                port->n_forged += rules_count_forged(b->rules, port->number);
            }
            rules_update_port(b->rules, port->number, row);
            port->policed = policed;
            bridge_expect(b, port, row, !names, now);
            any = true;
        }
    }
    if (!any) {
        return;
    }

    HMAP_FOR_EACH (vmn, node, &ofs->vmns) {
        const struct eth_addr mac = vmn->row.key.mac;

        if (vmn->state == HANDOVER_ATTACHED) {
            port = vm_port_find(b, vmn->port);
            if (port && !vm_port_may_have(port, mac)) {
                COVERAGE_INC(vmmob_misplaced);
                VLOG_WARN("bridge %s: VMN "ETH_ADDR_FMT" is at port %s, where "
                          "it must not be", b->name, ETH_ADDR_ARGS(mac),
                          port->name);
                handover_detach(h, ofs, &vmn->row.key, now);
            }
        }
        if (vmn->state == HANDOVER_DETACHED) {
            bridge_reattach(b, vmn, now);
        }
    }
}

/* 'number' is not the port that it was.  The VMNs that were there may have
 * been attached to what is there now already, or to another port. */
static void
bridge_port_gone(struct vmmob_bridge *b, ofp_port_t number, long long int now)
    OVS_REQUIRES(vmmob_mutex)
{
    struct handover *h = vmmob->handover;
    struct handover_ofs *ofs = bridge_ofs(b);
    struct handover_vmn *vmn;

    HMAP_FOR_EACH (vmn, node, &ofs->vmns) {
        if (vmn->state == HANDOVER_ATTACHED && vmn->port == number) {
            handover_detach(h, ofs, &vmn->row.key, now);
            bridge_reattach(b, vmn, now);
        }
    }
}

/* Finds out which VM ports 'b' has. */
static void
bridge_find_ports(struct vmmob_bridge *b, const struct vmmob_settings *s,
                  long long int now)
    OVS_REQUIRES(vmmob_mutex)
{
    struct sset new = SSET_INITIALIZER(&new);
    const struct ofport *ofport;
    struct vmmob_vm_port *port;

    HMAP_FOR_EACH (port, node, &b->vm_ports) {
        port->marked = true;
    }
    HMAP_FOR_EACH (ofport, hmap_node, &b->ofproto->up.ports) {
        const char *name = netdev_get_name(ofport->netdev);

        if (ofport->ofp_port == OFPP_LOCAL || ofport->ofp_port == b->uplink) {
            continue;
        }

        port = vm_port_find(b, ofport->ofp_port);
        if (port && strcmp(port->name, name)) {
            vm_port_destroy(b, port, now);
            port = NULL;
        }
        if (!port) {
            port = xzalloc(sizeof *port);
            port->number = ofport->ofp_port;
            port->name = xstrdup(name);
            hmap_insert(&b->vm_ports, &port->node,
                        hash_int(ofp_to_u16(port->number), 0));
            sset_add(&new, name);
        }
        port->marked = false;
    }
    HMAP_FOR_EACH_SAFE (port, node, &b->vm_ports) {
        if (port->marked) {
            vm_port_destroy(b, port, now);
        }
    }

    ovs_mutex_lock(&queue_mutex);
    fairq_mark(&queue, &b->ofproto->uuid);
    fairq_configure(&queue, &b->ofproto->uuid, b->uplink, true,
                    s->punt_rate ? UPLINK_RATE : 0, UPLINK_BURST);
    HMAP_FOR_EACH (port, node, &b->vm_ports) {
        fairq_configure(&queue, &b->ofproto->uuid, port->number, false,
                        s->punt_rate, s->punt_burst);
    }
    fairq_sweep(&queue, &b->ofproto->uuid);
    ovs_mutex_unlock(&queue_mutex);

    bridge_police(b, &new, now);
    sset_destroy(&new);
}

/* 'b' has no VM ports any more. */
static void
bridge_forget_ports(struct vmmob_bridge *b)
{
    struct vmmob_vm_port *port;

    HMAP_FOR_EACH_POP (port, node, &b->vm_ports) {
        free(port->name);
        free(port);
    }
    ovs_mutex_lock(&queue_mutex);
    fairq_mark(&queue, &b->ofproto->uuid);
    fairq_sweep(&queue, &b->ofproto->uuid);
    ovs_mutex_unlock(&queue_mutex);
}

unsigned long long int
vmmob_count_forged(const struct vmmob_bridge *b,
                   const struct vmmob_vm_port *port)
{
    return port->n_forged + rules_count_forged(b->rules, port->number);
}

unsigned long long int
vmmob_count_blocked(const struct vmmob_bridge *b,
                    const struct vmmob_vm_port *port)
{
    return port->n_blocked + rules_count_blocked(b->rules, port->number);
}

void
vmmob_get_punt_stats(const struct vmmob_bridge *b, ofp_port_t port,
                     struct fairq_stats *stats)
{
    ovs_mutex_lock(&queue_mutex);
    fairq_get_stats(&queue, &b->ofproto->uuid, port, stats);
    ovs_mutex_unlock(&queue_mutex);
}

/* Returns an error, which the caller must free, if VM mobility cannot be
 * enabled on 'b', otherwise NULL. */
static char *
bridge_check_tables(const struct vmmob_bridge *b)
{
    for (int i = VMMOB_TABLE_SOURCE; i <= VMMOB_TABLE_DESTINATION; i++) {
        if (!classifier_is_empty(&b->ofproto->up.tables[i].cls)) {
            return xasprintf("OpenFlow table %d is in use; VM mobility needs "
                             "tables %d to %d for itself", i,
                             VMMOB_TABLE_SOURCE, VMMOB_TABLE_DESTINATION);
        }
    }
    return NULL;
}

static void
bridge_configure(struct vmmob_bridge *b, const struct smap *other_config,
                 struct eth_addr mac)
{
    uint64_t id = ofproto_get_datapath_id(&b->ofproto->up);
    struct vmmob_settings settings;
    long long int now = time_msec();
    ofp_port_t uplink = OFPP_NONE;
    char *error;

    error = vmmob_settings_parse(other_config, &settings);
    b->error_kind = VMMOB_PROBLEM_SETTINGS;
    if (!error) {
        b->error_kind = VMMOB_PROBLEM_UPLINK;
        error = bridge_find_uplink(b, settings.uplink, &uplink);
        if (error && b->enabled) {
            /* It cannot go on with a port that is not there. */
            bridge_disable(b, true, true);
        }
    }
    if (!error && !b->enabled) {
        b->error_kind = VMMOB_PROBLEM_TABLES;
        error = bridge_check_tables(b);
    }
    if (!error && handover_find_ofs(vmmob->handover, id)
        && !(b->enabled && b->id == id)) {
        b->error_kind = VMMOB_PROBLEM_DATAPATH_ID;
        error = xasprintf("datapath id "VMMOB_OFS_ID_FMT" is that of another "
                          "bridge, too", id);
    }
    bridge_set_error(b, error);
    bridge_reserve(b, b->enabled || !error || handover_find_ofs(
                       vmmob->handover, id) ? 0 : id);
    if (error) {
        vmmob_settings_destroy(&settings);
        return;
    }

    if (b->enabled && b->id != id) {
        /* Another OFS from now on. */
        bridge_disable(b, true, true);
    }

    bool enable = !b->enabled;
    bool renumbered = b->enabled && b->uplink != uplink;

    if (enable) {
        /* The agent is to tell what this OFS wrote in an earlier life. */
        agent_resync(vmmob->agent);

        b->enabled = true;
        b->id = id;
        b->rules = rules_create(&b->ofproto->up);
        b->gateway_mac = eth_addr_zero;
        b->next_sweep = now + SWEEP_MS;
        b->next_report = now + REPORT_MS;
        b->next_count = now + COUNT_MS;
        b->next_revalidation = LLONG_MAX;
        b->next_ask = LLONG_MAX;
        b->n_punted = b->n_answered = b->n_bad = b->n_unresolved = 0;
        b->past_forged = b->past_blocked = b->past_refused = 0;

        ovs_mutex_lock(&ofproto_mutex);
        for (int i = VMMOB_TABLE_SOURCE; i <= VMMOB_TABLE_DESTINATION; i++) {
            b->ofproto->up.tables[i].flags = OFTABLE_HIDDEN | OFTABLE_READONLY;
        }
        ovs_mutex_unlock(&ofproto_mutex);
    }

    const struct handover_ofs *ofs = bridge_ofs(b);
    if (!ofs
        || !ipv6_addr_equals(&ofs->settings.gateway, &settings.gateway)
        || !eth_addr_equals(ofs->settings.gateway_mac,
                            settings.gateway_mac)) {
        b->gateway_mac = settings.gateway_mac;
        b->next_probe = (eth_addr_is_zero(settings.gateway_mac)
                         ? now : LLONG_MAX);
        b->probe_soon_until = now + PROBE_SOON_FOR_MS;
    }
    b->mac = mac;
    b->uplink = uplink;
    if (enable || !vmmob_settings_equals(&ofs->settings, &settings)) {
        struct vmmob_ofs record;

        vmmob_ofs_init(&record, id);
        handover_configure(vmmob->handover, &record, &settings, now);
        vmmob_ofs_destroy(&record);
    }
    bridge_update_ofs(b, now);
    vmmob_settings_destroy(&settings);

    if (enable) {
        const struct rules_context ctx = {
            .h = vmmob->handover, .ofs = bridge_ofs(b), .uplink = b->uplink,
        };
        const struct vmmob_ofs_entry *oe;

        HMAP_FOR_EACH (oe, node,
                       vmmob_table_ofs_entries(vmmob->handover->table)) {
            rules_update_ofs(b->rules, &ctx, oe->ofs.id);
        }
    }
    if (enable || renumbered) {
        handover_touch(vmmob->handover, bridge_ofs(b));
    }
    bridge_find_ports(b, &bridge_ofs(b)->settings, now);
    if (enable) {
        vmmob_apply();
        atomic_store_relaxed(&b->ofproto->vmmob_table, VMMOB_TABLE_ENTRY);
        b->ofproto->backer->need_revalidate = REV_RECONFIGURE;
        VLOG_INFO("bridge %s: VM mobility is on, as OFS "VMMOB_OFS_ID_FMT,
                  b->name, b->id);
    }
}

static struct handover_ofs *
bridge_ofs(const struct vmmob_bridge *b)
{
    return handover_find_ofs(vmmob->handover, b->id);
}

/* Updates the OFS record of 'b'. */
static void
bridge_update_ofs(struct vmmob_bridge *b, long long int now)
{
    const struct vmmob_settings *s = &bridge_ofs(b)->settings;
    struct vmmob_ofs record;

    vmmob_ofs_init(&record, b->id);
    record.uplink = s->network;
    record.mac = b->mac;
    record.gateway = s->gateway;
    record.gateway_mac = b->gateway_mac;
    record.pools = xmemdup(s->pools, s->n_pools * sizeof *s->pools);
    record.n_pools = s->n_pools;
    handover_configure(vmmob->handover, &record, s, now);
    vmmob_ofs_destroy(&record);
}

/* Sends 'packet', which is freed, with 'ofpacts' through 'b', as if it came
 * from 'in_port'. */
static void
bridge_execute(struct vmmob_bridge *b, struct dp_packet *packet,
               ofp_port_t in_port, const struct ofpbuf *ofpacts)
    OVS_REQUIRES(vmmob_mutex)
{
    struct flow flow;

    flow_extract(packet, &flow);
    flow.in_port.ofp_port = in_port;
    ofproto_dpif_execute_actions(
        b->ofproto, ofproto_dpif_get_tables_version(b->ofproto), &flow, NULL,
        ofpacts->data, ofpacts->size, packet);
    dp_packet_delete(packet);
}

/* Sends 'packet', which is freed, out by the 'n_ports' 'ports' of 'b'. */
static void
bridge_output(struct vmmob_bridge *b, struct dp_packet *packet,
              const ofp_port_t *ports, size_t n_ports)
    OVS_REQUIRES(vmmob_mutex)
{
    uint64_t stub[256 / 8];
    struct ofpbuf ofpacts = OFPBUF_STUB_INITIALIZER(stub);

    for (size_t i = 0; i < n_ports; i++) {
        struct ofpact_output *output = ofpact_put_OUTPUT(&ofpacts);

        output->port = ports[i];
        output->max_len = UINT16_MAX;
    }
    bridge_execute(b, packet, OFPP_NONE, &ofpacts);
    ofpbuf_uninit(&ofpacts);
}

/* Announces on the uplink that 'moa' is at 'b': to all that have an entry for
 * it in their ARP cache, and if 'fresh' is true, to the gateway although it
 * has none, as that one takes it from a request for its own address (RFC
 * 826). */
static void
bridge_announce(struct vmmob_bridge *b, const struct in6_addr *moa, bool fresh)
    OVS_REQUIRES(vmmob_mutex)
{
    const struct eth_addr *mac = (eth_addr_is_zero(b->gateway_mac)
                                  ? NULL : &b->gateway_mac);

    bridge_output(b, frame_compose_arp_announcement(b->mac, moa), &b->uplink,
                  1);
    if (fresh) {
        bridge_output(b, frame_compose_arp_request(
                          b->mac, mac, moa, &bridge_ofs(b)->settings.gateway),
                      &b->uplink, 1);
    }
}

/* If another switch may be behind 'port' of 'b', tells it that the VMN 'mac',
 * which was there and has the home address 'hoa', is now to be found at 'b'.
 * Otherwise it would keep from 'b' what is for the VMN, for as long as it
 * remembers. */
static void
bridge_announce_leave(struct vmmob_bridge *b, const struct in6_addr *hoa,
                      const struct eth_addr mac, ofp_port_t port)
    OVS_REQUIRES(vmmob_mutex)
{
    const struct vmmob_vm_port *vm_port = vm_port_find(b, port);
    const struct vmmob_port *row = vm_port ? vm_port_row(vm_port) : NULL;

    /* A port with one MAC address has one VM, which is gone. */
    if (vm_port && (!row || row->n_macs != 1)) {
        bridge_output(b, frame_compose_arp_announcement(mac, hoa), &port, 1);
    }
}

/* Has send_resumed() send the packet of 'event' on its way again, from
 * 'table_id' on, as there will be rules for it then.  'port' is where it goes
 * if the table is VMMOB_TABLE_SOURCE.  Returns true if 'event' was taken. */
static bool
bridge_resume(struct vmmob_bridge *b, struct event *event, uint8_t table_id,
              ofp_port_t port)
    OVS_REQUIRES(vmmob_mutex)
{
    if (event->attempts >= MAX_ATTEMPTS) {
        COVERAGE_INC(vmmob_resume_limited);
        b->n_unresolved++;
        return false;
    }
    event->bridge = b;
    event->resume_table = table_id;
    event->resume_port = port;
    ovs_list_push_back(&resumed, &event->node);
    return true;
}

/* Sends what is in 'resumed'.  The rules must be there first: so they are made
 * once for all these packets, and not for each. */
static void
send_resumed(void)
{
    struct event *event;

    if (ovs_list_is_empty(&resumed)) {
        return;
    }
    apply_effects(true);
    LIST_FOR_EACH_POP (event, node, &resumed) {
        uint64_t stub[256 / 8];
        struct ofpbuf ofpacts = OFPBUF_STUB_INITIALIZER(stub);
        ovs_be32 attempts = htonl(event->attempts + 1);
        ovs_be32 out = htonl((OVS_FORCE uint32_t) event->resume_port);
        struct ofpact_resubmit *resubmit;

        COVERAGE_INC(vmmob_resume);
        ofpact_put_set_field(&ofpacts, mf_from_id(MFF_REG1), &out, NULL);
        ofpact_put_set_field(&ofpacts, mf_from_id(MFF_REG0 + ATTEMPTS_REG),
                             &attempts, NULL);
        resubmit = ofpact_put_RESUBMIT(&ofpacts);
        resubmit->in_port = OFPP_IN_PORT;
        resubmit->table_id = event->resume_table;

        bridge_execute(event->bridge, event->packet, event->in_port,
                       &ofpacts);
        event->packet = NULL;
        ofpbuf_uninit(&ofpacts);
        event_destroy(event);
    }
}

/* Asks at the VM ports of 'b', but for 'except', who has 'hoa'.  A VMN that
 * did not say anything yet is found that way, on behalf of the VMN 'sha' and
 * 'spa', and so is one whose port is not known. */
static void
bridge_ask(struct vmmob_bridge *b, const struct in6_addr *hoa,
           const struct eth_addr sha, const struct in6_addr *spa,
           ofp_port_t except)
    OVS_REQUIRES(vmmob_mutex)
{
    ofp_port_t *ports = xmalloc(hmap_count(&b->vm_ports) * sizeof *ports);
    const struct vmmob_vm_port *port;
    size_t n = 0;

    HMAP_FOR_EACH (port, node, &b->vm_ports) {
        if (port->number != except) {
            ports[n++] = port->number;
        }
    }
    if (n) {
        COVERAGE_INC(vmmob_ask);
        bridge_output(b, frame_compose_arp_request(sha, NULL, spa, hoa),
                      ports, n);
    }
    free(ports);
}

/* Asks the next few of the lost VMNs of 'b' where they are. */
static void
bridge_ask_lost(struct vmmob_bridge *b, long long int now)
    OVS_REQUIRES(vmmob_mutex)
{
    const struct handover_ofs *ofs = bridge_ofs(b);
    ofp_port_t *ports = xmalloc(hmap_count(&b->vm_ports) * sizeof *ports);
    size_t n_frames = 0;

    while (b->n_lost && n_frames < ASK_FRAMES) {
        const struct vmmob_key *key = &b->lost[--b->n_lost];
        const struct handover_vmn *vmn = handover_find_vmn(ofs, key);
        const struct vmmob_vm_port *port;
        size_t n = 0;

        if (!vmn || vmn->state != HANDOVER_DETACHED) {
            continue;
        }
        HMAP_FOR_EACH (port, node, &b->vm_ports) {
            if (vm_port_may_have(port, key->mac)) {
                ports[n++] = port->number;
            }
        }
        for (size_t i = 0; n && i < vmn->row.n_pairs; i++) {
            COVERAGE_INC(vmmob_ask);
            bridge_output(b, frame_compose_arp_request(
                              rules_gateway_mac, &key->mac,
                              &ofs->settings.home_gateway,
                              &vmn->row.pairs[i].hoa),
                          ports, n);
            n_frames += n;
        }
    }
    free(ports);
    b->next_ask = b->n_lost ? now + ASK_MS : LLONG_MAX;
}

/* Logs which VM ports of 'b' send forged frames. */
static void
bridge_report_forged(struct vmmob_bridge *b)
    OVS_REQUIRES(vmmob_mutex)
{
    static struct vlog_rate_limit forged_rl = VLOG_RATE_LIMIT_INIT(5, 20);
    struct vmmob_vm_port *port;

    HMAP_FOR_EACH (port, node, &b->vm_ports) {
        unsigned long long int n = vmmob_count_forged(b, port);

        if (n > port->n_reported) {
            VLOG_WARN_RL(&forged_rl, "bridge %s: dropped %llu frames at port "
                         "%s, where the MAC address of the sender must not "
                         "be (see external_ids:attached-mac and vmmob-mac of "
                         "the interface)", b->name, n - port->n_reported,
                         port->name);
            port->n_reported = n;
        }
    }
}

/* Blocks those VM ports of 'b' that send so much which is too much that it
 * costs others, and lets those through again that have stopped.
 *
 * What is too much is refused at little cost, but on the userspace datapath it
 * takes the time of the thread that forwards for all: above all because each
 * new sender needs a datapath flow of its own. */
static void
bridge_block_floods(struct vmmob_bridge *b, long long int now)
    OVS_REQUIRES(vmmob_mutex)
{
    static struct vlog_rate_limit flood_rl = VLOG_RATE_LIMIT_INIT(5, 20);
    size_t rate = bridge_ofs(b)->settings.flood_rate;
    struct vmmob_vm_port *port;

    HMAP_FOR_EACH (port, node, &b->vm_ports) {
        struct fairq_stats stats;

        vmmob_get_punt_stats(b, port->number, &stats);
        unsigned long long int n = (stats.n_limited + stats.n_overflow
                                    + vmmob_count_forged(b, port)
                                    + vmmob_count_blocked(b, port));
        bool floods = rate && n - port->n_excess > rate * COUNT_MS / 1000;

        port->n_excess = n;
        if (floods) {
            port->blocked_until = now + BLOCK_MS;
        }
        if (floods && !port->blocked) {
            COVERAGE_INC(vmmob_flood);
            VLOG_WARN_RL(&flood_rl, "bridge %s: blocking port %s, which "
                         "floods; see vmmob-flood-rate", b->name, port->name);
            rules_update_block(b->rules, port->number, true);
            port->blocked = true;
        } else if (port->blocked && (!rate || now >= port->blocked_until)) {
            VLOG_INFO("bridge %s: port %s does not flood any more", b->name,
                      port->name);
            port->n_blocked = vmmob_count_blocked(b, port);
            rules_update_block(b->rules, port->number, false);
            port->blocked = false;
        }
    }
}

/* Has no copies be sent of the packets of VMNs at 'b' that have too many: each
 * costs the network a packet and the other switch a look. */
static void
bridge_limit_copies(struct vmmob_bridge *b)
    OVS_REQUIRES(vmmob_mutex)
{
    struct handover_ofs *ofs = bridge_ofs(b);
    size_t rate = ofs->settings.copy_rate;
    struct vmmob_key *busy;
    size_t n_busy;

    if (!ofs->settings.copy_ms || !rate) {
        return;
    }
    rules_collect_busy(b->rules, rate * COUNT_MS / 1000, &busy, &n_busy);
    for (size_t i = 0; i < n_busy; i++) {
        COVERAGE_INC(vmmob_copy_stopped);
        VLOG_INFO("bridge %s: VMN "ETH_ADDR_FMT" has more than %"PRIuSIZE" "
                  "packets a second, so there are no copies of them; see "
                  "vmmob-copy-rate", b->name, ETH_ADDR_ARGS(busy[i].mac),
                  rate);
        handover_stop_copies(vmmob->handover, ofs, &busy[i]);
    }
    free(busy);
}

/* After the agent told what is known: attaches the VMNs of an earlier life to
 * the ports that are said to be theirs, and has the others be asked. */
static void
find_lost(long long int now)
    OVS_REQUIRES(vmmob_mutex)
{
    struct vmmob_bridge *b;

    HMAP_FOR_EACH (b, node, &vmmob->bridges) {
        struct handover_ofs *ofs = b->enabled ? bridge_ofs(b) : NULL;
        struct handover_vmn *vmn;

        if (!ofs || !ofs->seek) {
            continue;
        }
        ofs->seek = false;
        bridge_police(b, NULL, now);
        /* Those that were expected in an earlier life, and are no more. */
        handover_port_gone(vmmob->handover, ofs, OFPP_NONE, now);
        HMAP_FOR_EACH (vmn, node, &ofs->vmns) {
            if (vmn->state == HANDOVER_DETACHED) {
                if (b->n_lost >= b->allocated_lost) {
                    b->lost = x2nrealloc(b->lost, &b->allocated_lost,
                                         sizeof *b->lost);
                }
                b->lost[b->n_lost++] = vmn->row.key;
            }
        }
        b->next_ask = b->n_lost ? now : LLONG_MAX;
    }
}

/* Does what is due on 'b' at 'now'. */
static void
bridge_run(struct vmmob_bridge *b, long long int now)
{
    const struct handover_ofs *ofs = bridge_ofs(b);

    if (now >= b->next_probe) {
        if (eth_addr_is_zero(b->gateway_mac)) {
            COVERAGE_INC(vmmob_gateway_retry);
        }
        bridge_output(b, frame_compose_arp_request(b->mac, NULL,
                                                   &in6addr_any,
                                                   &ofs->settings.gateway),
                      &b->uplink, 1);
        b->next_probe = now + (!eth_addr_is_zero(b->gateway_mac)
                               ? PROBE_KNOWN_MS
                               : now < b->probe_soon_until
                               ? PROBE_SOON_MS : PROBE_UNKNOWN_MS);
    }
    if (now >= b->next_ask) {
        bridge_ask_lost(b, now);
    }
    if (now >= b->next_revalidation) {
        b->next_revalidation = LLONG_MAX;
        rules_revalidate(b->rules);
        seq_change(b->ofproto->ams_seq);
    }
    if (now >= b->next_count) {
        bridge_block_floods(b, now);
        bridge_limit_copies(b);
        b->next_count = now + COUNT_MS;
    }
    if (now >= b->next_report) {
        bridge_report_forged(b);
        b->next_report = now + REPORT_MS;
    }
    if (now >= b->next_sweep) {
        const struct rules_context ctx = {
            .h = vmmob->handover, .ofs = ofs, .uplink = b->uplink,
        };
        struct vmmob_key *idle;
        size_t n_idle;

        rules_collect_idle(b->rules, &ctx, now - IDLE_MS, &idle, &n_idle);
        for (size_t i = 0; i < n_idle; i++) {
            handover_quiet(vmmob->handover, bridge_ofs(b), &idle[i]);
        }
        free(idle);
        b->next_sweep = now + SWEEP_MS;
    }
}

/* Moves, for those who watch. */

static struct vmmob_bridge *
bridge_find_by_id(uint64_t id)
    OVS_REQUIRES(vmmob_mutex)
{
    struct vmmob_bridge *b;

    HMAP_FOR_EACH (b, node, &vmmob->bridges) {
        if (b->enabled && b->id == id) {
            return b;
        }
    }
    return NULL;
}

/* Takes what has just happened to VMNs, because of what was 'seen' of them and
 * came in at 'start', in us, and was taken from the queue at 'queued'; if
 * 'seen' is NULL, then others said so. */
static void
note_moves(const char *seen, long long int start, long long int queued)
{
    struct handover *h = vmmob->handover;
    long long int now;

    if (!h->n_moves) {
        return;
    }
    now = time_usec();
    for (size_t i = 0; i < h->n_moves; i++) {
        const struct handover_move *what = &h->moves[i];
        bool redirected = what->kind == HANDOVER_REDIRECTED;
        bool came = (what->kind == HANDOVER_APPEARED
                     || what->kind == HANDOVER_CAME);
        struct move *move = moves_begin(&moves, what, came ? seen : NULL,
                                        start);

        if (redirected) {
            const struct vmmob_bridge *b = bridge_find_by_id(what->ofs);
            unsigned long long int n
                = b ? rules_count_arrived(b->rules, &what->key) : 0;

            move->n_redirected = n - MIN(n, what->n_before);
            move->duration = now / 1000 - what->since;
            continue;
        }
        if (came && queued >= 0) {
            move->phases[VMMOB_MOVE_QUEUED] = MAX(0, queued - start);
        }
        move->phases[VMMOB_MOVE_DECIDED] = now - start;
    }
    h->n_moves = 0;
}

/* The moves that are under way have got to 'phase' now. */
static void
note_phase(enum vmmob_move_phase phase)
{
    long long int now;

    if (!moves.n) {
        return;
    }
    now = time_usec();
    for (size_t i = 0; i < moves.n; i++) {
        struct move *move = &moves.moves[i];
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
                = handover_find_ofs(vmmob->handover, move->what.ofs);
            const struct handover_vmn *vmn
                = ofs ? handover_find_vmn(ofs, &move->what.key) : NULL;

            if (!vmn || !vmn->row.n_pairs
                || !ipv6_addr_is_set(&vmn->row.pairs[0].moa)) {
                continue;
            }
        }
        move->phases[phase] = now - move->start;
    }
}

/* All is done about the moves that were under way. */
static void
end_moves(long long int now)
{
    if (!moves.n) {
        return;
    }
    note_phase(VMMOB_MOVE_COPIES);
    for (size_t i = 0; i < moves.n; i++) {
        const struct handover_move *what = &moves.moves[i].what;
        const struct vmmob_bridge *b = (what->kind == HANDOVER_WENT
                                        ? bridge_find_by_id(what->ofs) : NULL);
        struct handover_vmn *vmn
            = b ? handover_find_vmn(bridge_ofs(b), &what->key) : NULL;

        if (vmn && vmn->state == HANDOVER_LEFT) {
            vmn->n_before = rules_count_arrived(b->rules, &what->key);
        }
    }
    moves_end(&moves, now);
}

/* Tells the agent what is counted here. */
static void
send_stats(void)
{
    struct vmmob_stats stats;

    vmmob_stats_init(&stats);
    show_get_stats(vmmob, &stats);
    stats.values[VMMOB_STAT_APPEARED] = moves.n_by_kind[HANDOVER_APPEARED];
    stats.values[VMMOB_STAT_CAME] = moves.n_by_kind[HANDOVER_CAME];
    stats.values[VMMOB_STAT_WENT] = moves.n_by_kind[HANDOVER_WENT];
    stats.values[VMMOB_STAT_PASSED] = moves.n_by_kind[HANDOVER_PASSED];
    stats.values[VMMOB_STAT_REDIRECTED] = moves.n_redirected;
    BUILD_ASSERT_DECL(sizeof stats.phases == sizeof moves.phases);
    memcpy(stats.phases, moves.phases, sizeof stats.phases);
    ovs_mutex_lock(&queue_mutex);
    stats.values[VMMOB_STAT_QUEUED] = queue.n_items;
    ovs_mutex_unlock(&queue_mutex);
    stats.values[VMMOB_STAT_HELD] = vmmob->n_held;
    stats.values[VMMOB_STAT_KEPT] = copies.n_packets;
    agent_send_stats(vmmob->agent, &stats);
    vmmob_stats_destroy(&stats);
}

/* Effects. */

void
vmmob_apply(void)
{
    apply_effects(false);
}

/* Likewise.  If 'refresh' is true, then the caller has the datapath follow at
 * once; see apply(). */
static void
apply_effects(bool refresh)
{
    struct sset *ports = &vmmob->handover->ports.changed;

    if (!sset_is_empty(ports)) {
        struct vmmob_bridge *b;

        HMAP_FOR_EACH (b, node, &vmmob->bridges) {
            if (b->enabled) {
                bridge_police(b, ports, time_msec());
            }
        }
        sset_clear(ports);
    }
    if (vmmob->handover->n_moves) {
        /* What an operator had done. */
        note_moves(NULL, time_usec(), -1);
    }
    if (!handover_has_effects(vmmob->handover)) {
        commit_rules(refresh);
        return;
    }

    struct handover_effects effects;
    struct vmmob_bridge *b;
    struct vmmob_msg msg;

    vmmob_msg_init(&msg, VMMOB_MSG_UPDATE);
    handover_take_effects(vmmob->handover, &effects, &msg);
    HMAP_FOR_EACH (b, node, &vmmob->bridges) {
        if (!b->enabled) {
            continue;
        }

        const struct rules_context ctx = {
            .h = vmmob->handover, .ofs = bridge_ofs(b), .uplink = b->uplink,
        };

        for (size_t i = 0; i < effects.n_ofss; i++) {
            if (effects.ofss[i] == b->id) {
                rules_update_base(b->rules, &ctx);
            } else {
                rules_update_ofs(b->rules, &ctx, effects.ofss[i]);
            }
        }
        rules_update_vmns(b->rules, &ctx, effects.vmns, effects.n_vmns);
    }
    /* What the others do because of the news takes a moment, so the rules are
     * there in time. */
    commit_rules(refresh);
    note_phase(VMMOB_MOVE_RULES);
    if (agent_send(vmmob->agent, &msg)) {
        note_phase(VMMOB_MOVE_PUBLISHED);
    }
    HMAP_FOR_EACH (b, node, &vmmob->bridges) {
        for (size_t i = 0; b->enabled && i < effects.n_announcements; i++) {
            const struct handover_announcement *a = &effects.announcements[i];

            if (a->ofs != b->id) {
                continue;
            } else if (a->port == OFPP_NONE) {
                bridge_announce(b, &a->addr, a->fresh);
            } else {
                bridge_announce_leave(b, &a->addr, a->mac, a->port);
            }
        }
    }
    note_phase(VMMOB_MOVE_ANNOUNCED);
    vmmob_msg_uninit(&msg);
    handover_effects_uninit(&effects);
    retry_held = true;
}

/* Makes the changes to the flow tables that have been found necessary. */
static void
commit_rules(bool refresh)
    OVS_REQUIRES(vmmob_mutex)
{
    struct vmmob_bridge *b;

    HMAP_FOR_EACH (b, node, &vmmob->bridges) {
        if (!b->enabled) {
            continue;
        }

        bool is_quiet = refresh && rules_are_narrow(b->rules);

        *quiet_get() = is_quiet;
        if (rules_commit(b->rules)) {
            if (is_quiet) {
                b->next_revalidation = MIN(b->next_revalidation,
                                           time_msec() + REVALIDATE_MS);
            } else {
                /* The main thread tells the revalidators. */
                seq_change(b->ofproto->ams_seq);
            }
        }
        *quiet_get() = false;
    }
}

static int
compare_flow_ids(const void *a_, const void *b_)
{
    const struct flow_index_id *a = a_;
    const struct flow_index_id *b = b_;
    int cmp = memcmp(&a->ufid, &b->ufid, sizeof a->ufid);

    return (cmp ? cmp
            : a->pmd_id != b->pmd_id ? (a->pmd_id < b->pmd_id ? -1 : 1)
            : 0);
}

/* Has the datapath flows at 'b' that have to do with 'addrs' follow the rules
 * of now, and adds to '*n_changed' how many were changed.  Returns false if
 * there are too many: then the revalidators soon look at all. */
static bool
refresh_flows(struct vmmob_bridge *b, const struct in6_addr *addrs,
              size_t n_addrs, size_t *n_changed)
    OVS_REQUIRES(vmmob_mutex)
{
    struct udpif *udpif = b->ofproto->backer->udpif;
    struct flow_index_id *ids = xmalloc(MAX_REFRESH * sizeof *ids);
    bool complete = true;
    size_t n_ids = 0;

    for (size_t i = 0; i < n_addrs; i++) {
        bool all;

        n_ids += flow_index_find(udpif, &addrs[i], &ids[n_ids],
                                 MAX_REFRESH - n_ids, MAX_REFRESH_VAGUE,
                                 &all);
        complete = complete && all;
    }

    /* Flows that do not look at all bits of an address have to do with many
     * of them. */
    qsort(ids, n_ids, sizeof *ids, compare_flow_ids);
    for (size_t i = 0; i < n_ids; i++) {
        if (!i || compare_flow_ids(&ids[i - 1], &ids[i])) {
            *n_changed += udpif_refresh_flow(udpif, &ids[i].ufid,
                                             ids[i].pmd_id);
        }
        /* Whoever changes a flow table or a port waits for us. */
        if (i % 32 == 31) {
            ovsrcu_quiesce();
        }
    }
    free(ids);

    if (!complete) {
        COVERAGE_INC(vmmob_refresh_overflow);
        b->next_revalidation = MIN(b->next_revalidation,
                                   time_msec() + REVALIDATE_SOON_MS);
    }
    return complete;
}

/* Does what is to be done because of what was decided, and has the datapath
 * follow at once.  The module's thread only. */
static void
apply(long long int now)
{
    struct vmmob_bridge *b;
    bool all_complete = true;

    apply_effects(true);
    HMAP_FOR_EACH (b, node, &vmmob->bridges) {
        struct in6_addr *addrs;
        size_t n_addrs = (b->enabled
                          ? rules_take_changed(b->rules, &addrs) : 0);

        if (n_addrs) {
            size_t again = n_addrs > MAX_REFRESH_SOON ? 1 : 0;
            struct refresh *refresh;
            size_t n_changed = 0;
            bool complete = refresh_flows(b, addrs, n_addrs, &n_changed);

            COVERAGE_ADD(vmmob_refresh, n_changed);
            all_complete = all_complete && complete;
            if (!complete) {
                free(addrs);
                continue;
            }
            refresh = xmalloc(sizeof *refresh);
            refresh->ofproto_uuid = b->ofproto->uuid;
            refresh->when = now + refresh_again_ms[again];
            refresh->addrs = addrs;
            refresh->n_addrs = n_addrs;
            ovs_list_push_back(&refreshes[again], &refresh->node);
        }
    }
    if (all_complete) {
        note_phase(VMMOB_MOVE_FLOWS);
    }
}

/* Does what is due in 'refreshes[i]'.  Afterwards, what was done goes to the
 * next list, if there is one.  Returns when to call this again, in ms, or
 * LLONG_MAX. */
static long long int
run_refreshes(size_t i, long long int now)
    OVS_REQUIRES(vmmob_mutex)
{
    struct refresh *refresh;

    LIST_FOR_EACH_SAFE (refresh, node, &refreshes[i]) {
        struct vmmob_bridge *b;

        if (refresh->when > now) {
            return refresh->when;
        }
        HMAP_FOR_EACH (b, node, &vmmob->bridges) {
            if (b->enabled
                && uuid_equals(&b->ofproto->uuid, &refresh->ofproto_uuid)) {
                size_t n_changed = 0;

                refresh_flows(b, refresh->addrs, refresh->n_addrs,
                              &n_changed);
                COVERAGE_ADD(vmmob_refresh_late, n_changed);
            }
        }
        ovs_list_remove(&refresh->node);
        if (i + 1 < ARRAY_SIZE(refreshes)) {
            refresh->when = now + refresh_again_ms[i + 1];
            ovs_list_push_back(&refreshes[i + 1], &refresh->node);
        } else {
            free(refresh->addrs);
            free(refresh);
        }
    }
    return LLONG_MAX;
}

/* Takes further looks at the datapath flows that were refreshed a moment ago:
 * a packet which was translated before the rules changed may have installed
 * its flow only after that.  Returns when to call this again, in ms, or
 * LLONG_MAX. */
static long long int
refresh_again(long long int now)
{
    long long int next = LLONG_MAX;

    for (size_t i = 0; i < ARRAY_SIZE(refreshes); i++) {
        next = MIN(next, run_refreshes(i, now));
    }
    return next;
}

/* Packets. */

/* Keeps 'event' until more is known, if there is room.  Returns true if it was
 * taken. */
static bool
hold(struct vmmob_bridge *b, struct event *event, long long int now)
    OVS_REQUIRES(vmmob_mutex)
{
    b->n_unresolved++;
    if (vmmob->n_held >= MAX_HELD) {
        COVERAGE_INC(vmmob_hold_full);
        return false;
    }
    if (!event->expires) {
        COVERAGE_INC(vmmob_hold);
        event->expires = now + HOLD_MS;
    } else if (event->expires <= now) {
        COVERAGE_INC(vmmob_unresolved);
        return false;
    }
    ovs_list_push_back(&held, &event->node);
    vmmob->n_held++;
    return true;
}

/* Keeps 'event', which is for the VMN 'key' that is expected at 'b', until it
 * arrives, unless that takes too long. */
static void
hold_copy(struct vmmob_bridge *b, struct event *event,
          const struct frame *frame, const struct vmmob_key *key,
          long long int now)
    OVS_REQUIRES(vmmob_mutex)
{
    const struct vmmob_vmn *sender
        = vmmob_table_find_by_moa(vmmob->handover->table, &frame->ip_src);
    struct handover_ofs *ofs = bridge_ofs(b);
    struct ovs_list gone = OVS_LIST_INITIALIZER(&gone);

    COVERAGE_INC(vmmob_copy_held);
    tail_push(&copies, b->id, key, &event->tail,
              dp_packet_size(event->packet), now + ofs->settings.copy_ms,
              &gone);
    COVERAGE_ADD(vmmob_copy_dropped, ovs_list_size(&gone));
    destroy_events(&gone);
    if (sender && sender->ofs != b->id
        && !handover_is_active(ofs, &sender->key)) {
        /* It will have an answer. */
        const struct vmmob_key sender_key = sender->key;

        handover_talk(vmmob->handover, ofs, &sender_key);
    }
}

/* Has what was kept for the VMN 'key', which has arrived at 'b', be delivered,
 * after all that moved in this round was applied. */
static void
deliver_copies(struct vmmob_bridge *b, const struct vmmob_key *key,
               long long int now)
    OVS_REQUIRES(vmmob_mutex)
{
    struct ovs_list events = OVS_LIST_INITIALIZER(&events);
    struct ovs_list gone = OVS_LIST_INITIALIZER(&gone);
    struct event *event;

    tail_take(&copies, b->id, key, now, &events, &gone);
    LIST_FOR_EACH_POP (event, node, &events) {
        COVERAGE_INC(vmmob_copy_delivered);
        event->expires = now + HOLD_MS;
        ovs_list_push_back(&held, &event->node);
        vmmob->n_held++;
        retry_held = true;
        for (size_t i = moves.n; i > 0; i--) {
            struct move *move = &moves.moves[i - 1];

            if (move->what.kind == HANDOVER_CAME
                && vmmob_key_equals(&move->what.key, key)) {
                move->n_copies++;
                break;
            }
        }
    }
    COVERAGE_ADD(vmmob_copy_dropped, ovs_list_size(&gone));
    destroy_events(&gone);
}

static void
learn_gateway(struct vmmob_bridge *b, const struct eth_addr mac,
              long long int now)
    OVS_REQUIRES(vmmob_mutex)
{
    if (b->next_probe == LLONG_MAX) {
        /* Configured. */
        return;
    }
    b->gateway_heard = now;
    if (!eth_addr_equals(b->gateway_mac, mac)) {
        VLOG_INFO("bridge %s: the gateway's MAC address is "ETH_ADDR_FMT,
                  b->name, ETH_ADDR_ARGS(mac));
        b->gateway_mac = mac;
        b->next_probe = now + PROBE_KNOWN_MS;
        bridge_update_ofs(b, now);
    }
}

/* Returns the port of the VMN whose home address is 'hoa' at 'b', or
 * OFPP_NONE. */
static ofp_port_t
find_local_port(const struct vmmob_bridge *b, const struct in6_addr *hoa)
    OVS_REQUIRES(vmmob_mutex)
{
    const struct vmmob_vmn *owner
        = vmmob_table_find_by_hoa(vmmob->handover->table, 0, hoa);
    const struct handover_vmn *vmn
        = owner ? handover_find_vmn(bridge_ofs(b), &owner->key) : NULL;

    return (vmn && vmn->state == HANDOVER_ATTACHED ? vmn->port : OFPP_NONE);
}

/* An ICMP error for one of our VMNs: what it says of the packet that it is
 * about must be what the VMN knows of it. */
static void
deliver_icmp_error(struct vmmob_bridge *b, struct event *event,
                   const struct frame *frame)
    OVS_REQUIRES(vmmob_mutex)
{
    const struct vmmob_table *table = vmmob->handover->table;
    const struct vmmob_vmn *dst
        = vmmob_table_find_by_moa(table, &frame->ip_dst);
    const struct handover_vmn *vmn
        = dst ? handover_find_vmn(bridge_ofs(b), &dst->key) : NULL;

    if (!vmn || vmn->state != HANDOVER_ATTACHED) {
        COVERAGE_INC(vmmob_unknown_icmp);
        return;
    }

    struct in6_addr addrs[4];
    addrs[0] = frame->ip_src;
    addrs[1] = frame->ip_dst;
    bool embedded = frame_get_embedded(event->packet, &addrs[2], &addrs[3]);
    for (size_t i = 0; i < (embedded ? 4 : 2); i++) {
        const struct vmmob_vmn *row
            = vmmob_table_find_by_moa(table, &addrs[i]);

        for (size_t j = 0; row && j < row->n_pairs; j++) {
            if (ipv6_addr_equals(&row->pairs[j].moa, &addrs[i])) {
                addrs[i] = row->pairs[j].hoa;
                break;
            }
        }
    }

    struct dp_packet *packet = dp_packet_clone(event->packet);
    struct ip_header *ip = dp_packet_l3(packet);
    struct eth_header *eth = dp_packet_eth(packet);

    if (embedded) {
        frame_set_embedded(packet, &addrs[2], &addrs[3]);
    }
    packet_set_ipv4(packet, in6_addr_get_mapped_ipv4(&addrs[0]),
                    in6_addr_get_mapped_ipv4(&addrs[1]), ip->ip_tos,
                    ip->ip_ttl);
    eth->eth_src = rules_gateway_mac;
    eth->eth_dst = vmn->row.key.mac;
    bridge_output(b, packet, &vmn->port, 1);
}

/* A packet that came in by the uplink.  Returns true if 'event' was taken. */
static bool
process_uplink(struct vmmob_bridge *b, struct event *event,
               const struct frame *frame, long long int now)
    OVS_REQUIRES(vmmob_mutex)
{
    const struct vmmob_table *table = vmmob->handover->table;
    struct handover_ofs *ofs = bridge_ofs(b);
    const struct vmmob_vmn *row;

    switch (frame->type) {
    case FRAME_ARP_REQUEST:
    case FRAME_ARP_REPLY:
        if (ipv6_addr_equals(&frame->ip_src, &ofs->settings.gateway)) {
            learn_gateway(b, frame->src, now);
        }
        row = vmmob_table_find_by_moa(table, &frame->ip_dst);
        if (frame->type == FRAME_ARP_REQUEST && row
            && vmmob_table_find_row(table, &row->key, b->id)
            && !eth_addr_equals(frame->src, b->mac)) {
            b->n_answered++;
            bridge_output(b, frame_compose_arp_reply(b->mac, &frame->ip_dst,
                                                     frame->src,
                                                     &frame->ip_src),
                          &b->uplink, 1);
        }
        return false;

    case FRAME_ICMP_ERROR:
        if (event->table_id == VMMOB_TABLE_ENTRY) {
            deliver_icmp_error(b, event, frame);
            return false;
        }
        /* Fall through. */
    case FRAME_IP:
        if (event->table_id == VMMOB_TABLE_SOURCE) {
            /* The source is a MoA of another OFS, or may be. */
            ofp_port_t port = find_local_port(b, &frame->ip_dst);

            row = vmmob_table_find_by_moa(table, &frame->ip_src);
            if (row && row->ofs != b->id && port != OFPP_NONE) {
                handover_talk(vmmob->handover, ofs, &row->key);
                return bridge_resume(b, event, VMMOB_TABLE_SOURCE, port);
            }
            if (!row && port != OFPP_NONE
                && !handover_is_blind(vmmob->handover, ofs)
                && !rules_is_in_pool(b->rules, &frame->ip_src)) {
                /* It was held until all was known. */
                return bridge_resume(b, event, VMMOB_TABLE_SOURCE, port);
            }
        } else {
            /* For a VMN of ours whose port is not known: ask for it, for the
             * first of the packets only. */
            row = vmmob_table_find_by_moa(table, &frame->ip_dst);
            if (!row) {
                COVERAGE_INC(vmmob_unknown_moa);
                return false;
            }

            const struct handover_vmn *vmn = handover_find_vmn(ofs,
                                                               &row->key);
            if (vmn && vmn->state == HANDOVER_PREPARED
                && ofs->settings.copy_ms) {
                hold_copy(b, event, frame, &row->key, now);
                return true;
            }
            if (vmn && (vmn->state == HANDOVER_ATTACHED
                        || vmn->state == HANDOVER_LEFT)) {
                /* Here after all, or elsewhere: it is redirected. */
                return bridge_resume(b, event, VMMOB_TABLE_ENTRY, OFPP_NONE);
            } else if (!vmn || vmn->state != HANDOVER_DETACHED) {
                COVERAGE_INC(vmmob_unknown_moa);
                return false;
            }
            if (!event->expires) {
                for (size_t i = 0; i < row->n_pairs; i++) {
                    if (ipv6_addr_equals(&row->pairs[i].moa,
                                         &frame->ip_dst)) {
                        bridge_ask(b, &row->pairs[i].hoa,
                                   rules_gateway_mac,
                                   &ofs->settings.home_gateway, OFPP_NONE);
                    }
                }
            }
        }
        return hold(b, event, now);

    case FRAME_RARP:
    case FRAME_BAD:
    default:
        return false;
    }
}

/* A VMN at 'event''s port, whose frame is 'frame', asks by ARP.  Returns true
 * if 'event' was taken. */
static bool
process_arp_request(struct vmmob_bridge *b, struct event *event,
                    const struct frame *frame, long long int now)
    OVS_REQUIRES(vmmob_mutex)
{
    struct handover_ofs *ofs = bridge_ofs(b);
    struct eth_addr mac;

    if (ipv6_addr_equals(&frame->ip_src, &frame->ip_dst)) {
        /* Gratuitous. */
        return false;
    } else if (ipv6_addr_equals(&frame->ip_dst,
                                &ofs->settings.home_gateway)) {
        mac = rules_gateway_mac;
    } else if (!handover_is_home(ofs, &frame->ip_dst)) {
        return false;
    } else {
        const struct vmmob_vmn *owner = vmmob_table_find_by_hoa(
            vmmob->handover->table, 0, &frame->ip_dst);

        if (!owner) {
            /* Perhaps a VMN here that did not say anything yet, or one
             * elsewhere of which we will hear in a moment. */
            if (!event->expires) {
                bridge_ask(b, &frame->ip_dst, frame->src, &frame->ip_src,
                           event->in_port);
            }
            return hold(b, event, now);
        }
        mac = owner->key.mac;
        if (eth_addr_equals(mac, frame->src)) {
            /* It probes for its own address. */
            return false;
        } else if (find_local_port(b, &frame->ip_dst) == event->in_port) {
            /* Behind the same port, that is, of another switch, where it hears
             * this itself.  That switch must not learn from an answer that it
             * is here. */
            return false;
        }

        struct vmmob_key key = owner->key;
        handover_talk(vmmob->handover, ofs, &key);
    }
    b->n_answered++;
    bridge_output(b, frame_compose_arp_reply(mac, &frame->ip_dst, frame->src,
                                             &frame->ip_src),
                  &event->in_port, 1);
    return false;
}

/* Returns the name of what 'frame' is, for people. */
static const char *
frame_to_string(const struct frame *frame)
{
    return (frame->type == FRAME_RARP ? "RARP"
            : frame->type == FRAME_ARP_REQUEST
            || frame->type == FRAME_ARP_REPLY
            ? (ipv6_addr_equals(&frame->ip_src, &frame->ip_dst)
               ? "gratuitous ARP" : "ARP")
            : "IP");
}

/* A packet that came in by a VM port.  Returns true if 'event' was taken. */
static bool
process_vm(struct vmmob_bridge *b, struct event *event,
           const struct frame *frame, long long int turn)
    OVS_REQUIRES(vmmob_mutex)
{
    long long int now = turn / 1000;
    struct handover_ofs *ofs = bridge_ofs(b);
    const struct vmmob_key key = { .tenant = 0, .mac = frame->src };
    bool has_hoa = handover_is_home(ofs, &frame->ip_src);
    struct vmmob_vm_port *port = vm_port_find(b, event->in_port);

    if (!port) {
        /* Gone, or so new that its rules are not there yet: who may be there
         * is not known. */
        COVERAGE_INC(vmmob_unknown_port);
        return false;
    } else if (!vm_port_may_have(port, frame->src)) {
        /* It was on its way when the rules came. */
        COVERAGE_INC(vmmob_forged);
        port->n_forged++;
        return false;
    }

    /* What it sent just before it left, and is heard only now, does not make
     * it come back. */
    const struct handover_vmn *vmn = handover_find_vmn(ofs, &key);
    if (vmn && vmn->state == HANDOVER_LEFT
        && event->received / 1000 <= vmn->since) {
        COVERAGE_INC(vmmob_heard_late);
        return false;
    }

    /* What gets no further than table 253 is from a VMN known to be here. */
    static struct vlog_rate_limit full_rl = VLOG_RATE_LIMIT_INIT(5, 20);
    if (event->table_id == VMMOB_TABLE_ENTRY) {
        enum handover_sighting sighting
            = handover_sight(vmmob->handover, ofs, &key, event->in_port,
                             has_hoa ? &frame->ip_src : NULL, now);

        note_moves(frame_to_string(frame), event->received, turn);
        switch (sighting) {
        case SIGHTED_HERE:
            deliver_copies(b, &key, now);
            break;
        case SIGHTED_NO_HOA:
            COVERAGE_INC(vmmob_unknown_vmn);
            break;
        case SIGHTED_PORT_FULL:
            COVERAGE_INC(vmmob_port_full);
            port->n_refused++;
            port->refused = now;
            VLOG_WARN_RL(&full_rl, "bridge %s: port %s has %"PRIuSIZE" VMNs "
                         "already, ignoring "ETH_ADDR_FMT"; raise "
                         "vmmob-max-vmns, or use vmmob/release for VMNs that "
                         "are not there any more", b->name, port->name,
                         handover_count_port(ofs, port->number),
                         ETH_ADDR_ARGS(key.mac));
            return false;
        case SIGHTED_FROZEN:
            COVERAGE_INC(vmmob_frozen);
            return false;
        case SIGHTED_FULL:
            COVERAGE_INC(vmmob_vmn_full);
            return false;
        case SIGHTED_CONFLICT:
        default:
            COVERAGE_INC(vmmob_conflict);
            return false;
        }
    }

    switch (frame->type) {
    case FRAME_ARP_REQUEST:
        return process_arp_request(b, event, frame, now);

    case FRAME_ARP_REPLY: {
        /* To a VMN here, on whose behalf we asked. */
        ofp_port_t out = find_local_port(b, &frame->ip_dst);

        if (out != OFPP_NONE && out != event->in_port) {
            bridge_output(b, dp_packet_clone(event->packet), &out, 1);
        }
        return false;
    }

    case FRAME_IP:
    case FRAME_ICMP_ERROR:
        if (frame->multicast || !has_hoa) {
            return false;
        } else if (event->table_id == VMMOB_TABLE_ENTRY) {
            return bridge_resume(b, event, VMMOB_TABLE_ENTRY, OFPP_NONE);
        } else {
            const struct vmmob_vmn *owner = vmmob_table_find_by_hoa(
                vmmob->handover->table, 0, &frame->ip_dst);

            if (owner && find_local_port(b, &frame->ip_dst) == OFPP_NONE) {
                const struct rules_context ctx = {
                    .h = vmmob->handover, .ofs = ofs, .uplink = b->uplink,
                };
                struct vmmob_pair *pair = vmmob_vmn_find_hoa(owner,
                                                             &frame->ip_dst);
                struct eth_addr next_hop;

                if (owner->ofs == b->id) {
                    /* Here, but detached. */
                    if (!event->expires) {
                        bridge_ask(b, &frame->ip_dst, frame->src,
                                   &frame->ip_src, event->in_port);
                    }
                    return hold(b, event, now);
                } else if (!ipv6_addr_is_set(&pair->moa)
                           || !rules_get_next_hop(&ctx, &pair->moa,
                                                  owner->ofs, &next_hop)) {
                    return hold(b, event, now);
                }

                struct vmmob_key remote = owner->key;
                handover_talk(vmmob->handover, ofs, &remote);
            } else if (!owner) {
                if (!event->expires) {
                    bridge_ask(b, &frame->ip_dst, frame->src, &frame->ip_src,
                               event->in_port);
                }
                return hold(b, event, now);
            }
            return bridge_resume(b, event, VMMOB_TABLE_ENTRY, OFPP_NONE);
        }

    case FRAME_RARP:
    case FRAME_BAD:
    default:
        return false;
    }
}

/* Processes and eventually frees 'event'.  This turn of the thread began at
 * 'turn', in us. */
static void
process_event(struct event *event, long long int turn)
{
    long long int now = turn / 1000;
    struct vmmob_bridge *b, *found = NULL;
    struct frame frame;
    struct flow flow;
    bool taken = false;

    HMAP_FOR_EACH (b, node, &vmmob->bridges) {
        if (b->enabled && uuid_equals(&b->ofproto->uuid,
                                      &event->ofproto_uuid)) {
            found = b;
        }
    }
    if (!found) {
        COVERAGE_INC(vmmob_unknown_bridge);
        goto out;
    }

    if (!event->packet) {
        bridge_port_gone(found, event->in_port, now);
        goto out;
    }

    found->n_punted++;
    flow_extract(event->packet, &flow);
    frame_parse(&flow, &frame);
    if (frame.type == FRAME_BAD) {
        static struct vlog_rate_limit bad_rl = VLOG_RATE_LIMIT_INIT(1, 5);

        COVERAGE_INC(vmmob_bad_frame);
        found->n_bad++;
        VLOG_DBG_RL(&bad_rl, "bridge %s: ignoring a malformed or forged frame "
                    "from "ETH_ADDR_FMT" at port %"PRIu32, found->name,
                    ETH_ADDR_ARGS(flow.dl_src), event->in_port);
    } else if (event->in_port == found->uplink) {
        taken = process_uplink(found, event, &frame, now);
    } else {
        taken = process_vm(found, event, &frame, turn);
    }

out:
    if (!taken) {
        event_destroy(event);
    }
}
