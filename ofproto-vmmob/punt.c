/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/punt.h"

#include "coverage.h"
#include "dp-packet.h"
#include "flow.h"
#include "ofproto/ofproto-dpif-rid.h"
#include "ofproto-vmmob/frame.h"
#include "ofproto-vmmob/pipeline-rule.h"
#include "openvswitch/poll-loop.h"
#include "ovs-thread.h"
#include "seq.h"
#include "timeval.h"
#include "util.h"
#include "vmmob-compat.h"
#include "vmmob-csum.h"

COVERAGE_DEFINE(vmmob_punt);
COVERAGE_DEFINE(vmmob_punt_limited);
COVERAGE_DEFINE(vmmob_punt_overflow);
COVERAGE_DEFINE(vmmob_punt_flushed);

/* Most packets that wait for the module's thread. */
#define MAX_QUEUED 2048

/* Most packets to take at once before other things have their turn.  A packet
 * that has just come from a port without backlog waits for so many at most. */
#define MAX_BATCH 64

/* Packets a second, and at once, that the module looks at from all ports
 * together that were just added. */
#define STRANGE_RATE 200
#define STRANGE_BURST 200

static struct ovs_mutex mutex = OVS_MUTEX_INITIALIZER;
static struct fairq queue OVS_GUARDED_BY(mutex);
static struct ovs_list news OVS_GUARDED_BY(mutex)
    = OVS_LIST_INITIALIZER(&news);  /* "struct punt_port_gone"s. */
static struct seq *seq;         /* Changes when one of these does. */

/* Initializes the queue. */
void
vmmob_punt_init(void)
{
    seq = seq_create();
    ovs_mutex_lock(&mutex);
    vmmob_fairq_init(&queue, MAX_QUEUED, STRANGE_RATE, STRANGE_BURST);
    ovs_mutex_unlock(&mutex);
}

/* Frees 'punted', which must not be in any list, with its packet. */
void
vmmob_punted_destroy(struct punted *punted)
{
    BUILD_ASSERT_DECL(offsetof(struct punted, node)
                      == offsetof(struct punted, tail.node));
    BUILD_ASSERT_DECL(offsetof(struct punted, node)
                      == offsetof(struct punted, wait.expiry.node));
    dp_packet_delete(punted->packet);
    free(punted);
}

/* Frees all "struct punted"s in 'list'. */
void
vmmob_punted_destroy_all(struct ovs_list *list)
{
    struct punted *punted;

    LIST_FOR_EACH_POP (punted, node, list) {
        vmmob_punted_destroy(punted);
    }
}

/* Returns register number 'reg' of those that 'md' keeps: the array 'regs' of
 * a struct flow, although 'md' has it as wider integers. */
static uint32_t
frozen_reg(const struct frozen_metadata *md, size_t reg)
{
    uint32_t regs[FLOW_N_REGS];

    BUILD_ASSERT(sizeof regs == sizeof md->regs);
    memcpy(regs, md->regs, sizeof regs);
    return regs[reg];
}

static struct fairq_key
make_key(const struct uuid *ofproto, ofp_port_t port, enum punt_kind kind)
{
    return (struct fairq_key) {
        .bridge = *ofproto, .port = port, .kind = kind,
    };
}

/* Queues a copy of 'packet', which a rule of the bridge 'ofproto' punts as of
 * 'kind', if there is room.  'state' is the state of its translation. */
void
vmmob_punt_packet(const struct uuid *ofproto, const struct dp_packet *packet,
                  enum punt_kind kind, const struct frozen_state *state)
{
    const struct fairq_key key = make_key(ofproto, state->metadata.in_port,
                                          kind);
    struct punted *punted, *lost = NULL;
    struct ovs_list *item;
    uint32_t stage;

    COVERAGE_INC(vmmob_punt);

    /* Before anything is copied, as it must be cheap to refuse a packet. */
    ovs_mutex_lock(&mutex);
    bool admitted = vmmob_fairq_admit(&queue, &key);
    ovs_mutex_unlock(&mutex);
    if (!admitted) {
        COVERAGE_INC(vmmob_punt_limited);
        return;
    }

    punted = xzalloc(sizeof *punted);
    punted->ofproto_uuid = *ofproto;
    punted->in_port = state->metadata.in_port;
    punted->kind = kind;
    punted->table_id = state->table_id;
    punted->attempts = frozen_reg(&state->metadata, REG_ATTEMPTS);
    stage = frozen_reg(&state->metadata, REG_STAGE);
    punted->network = frozen_reg(&state->metadata, (stage == STAGE_ROUTED_OVER
                                                    ? REG_FROM : REG_NETWORK));
    punted->received = time_usec();
    punted->packet = dp_packet_clone_data(dp_packet_data(packet),
                                          dp_packet_size(packet));
    if (dp_packet_l4_checksum_partial(packet)) {
        /* The copy loses the mark that its checksum is partial. */
        vmmob_csum_complete(punted->packet);
    }
    if (stage == STAGE_ROUTED || stage == STAGE_ROUTED_OVER) {
        /* It is routed again when it goes on. */
        vmmob_frame_undo_ttl(punted->packet);
    }

    ovs_mutex_lock(&mutex);
    item = vmmob_fairq_push(&queue, &key, &punted->node);
    ovs_mutex_unlock(&mutex);
    if (item) {
        COVERAGE_INC(vmmob_punt_overflow);
        lost = CONTAINER_OF(item, struct punted, node);
        vmmob_punted_destroy(lost);
    }
    seq_change(seq);
}

/* Notes that 'port' of the bridge 'ofproto' is gone. */
void
vmmob_punt_port_gone(const struct uuid *ofproto, ofp_port_t port)
{
    struct ovs_list lost = OVS_LIST_INITIALIZER(&lost);
    struct punt_port_gone *gone = xmalloc(sizeof *gone);

    gone->ofproto_uuid = *ofproto;
    gone->in_port = port;

    ovs_mutex_lock(&mutex);
    /* What came from there before must not be seen after this. */
    vmmob_fairq_flush_port(&queue, ofproto, port, &lost);
    COVERAGE_ADD(vmmob_punt_flushed, ovs_list_size(&lost));
    ovs_list_push_back(&news, &gone->node);
    ovs_mutex_unlock(&mutex);

    vmmob_punted_destroy_all(&lost);
    seq_change(seq);
}

/* Moves the next few packets to 'packets', as "struct punted"s, and all ports
 * that are gone to 'gone', as "struct punt_port_gone"s.  The caller must look
 * at 'gone' first, and free both.  Returns true if there are more. */
bool
vmmob_punt_take(struct ovs_list *packets, struct ovs_list *gone)
{
    struct ovs_list *item;
    bool more;

    ovs_mutex_lock(&mutex);
    ovs_list_push_back_all(gone, &news);
    for (int i = 0; i < MAX_BATCH; i++) {
        item = vmmob_fairq_pop(&queue);
        if (!item) {
            break;
        }
        ovs_list_push_back(packets, item);
    }
    more = queue.n_items > 0;
    if (more) {
        poll_immediate_wake();
    }
    ovs_mutex_unlock(&mutex);
    return more;
}

/* Empties the queue.  Ports may be destroyed later, so the queue itself
 * stays. */
void
vmmob_punt_flush(void)
{
    struct ovs_list lost = OVS_LIST_INITIALIZER(&lost);
    struct punt_port_gone *gone;
    struct ovs_list *item;

    ovs_mutex_lock(&mutex);
    while ((item = vmmob_fairq_pop(&queue)) != NULL) {
        ovs_list_push_back(&lost, item);
    }
    LIST_FOR_EACH_POP (gone, node, &news) {
        free(gone);
    }
    ovs_mutex_unlock(&mutex);
    vmmob_punted_destroy_all(&lost);
}

/* Makes the 'n' 'ports' those of the bridge 'ofproto' from which packets are
 * expected.  Others, which may be configured in a moment, share a small part
 * of the queue. */
void
vmmob_punt_configure(const struct uuid *ofproto, const struct punt_port *ports,
                     size_t n)
{
    ovs_mutex_lock(&mutex);
    vmmob_fairq_mark(&queue, ofproto);
    for (size_t i = 0; i < n; i++) {
        const struct fairq_key key = make_key(ofproto, ports[i].number,
                                              ports[i].kind);

        vmmob_fairq_configure(&queue, &key, ports[i].kind != PUNT_VM,
                              ports[i].rate, ports[i].burst);
    }
    vmmob_fairq_sweep(&queue, ofproto);
    ovs_mutex_unlock(&mutex);
}

/* Stores in 'stats' what was punted as of 'kind' at 'port' of the bridge
 * 'ofproto'. */
void
vmmob_punt_get_stats(const struct uuid *ofproto, ofp_port_t port,
                     enum punt_kind kind, struct fairq_stats *stats)
{
    const struct fairq_key key = make_key(ofproto, port, kind);

    ovs_mutex_lock(&mutex);
    vmmob_fairq_get_stats(&queue, &key, stats);
    ovs_mutex_unlock(&mutex);
}

/* Returns the source of 'punted'. */
struct fairq_key
vmmob_punted_key(const struct punted *punted)
{
    return make_key(&punted->ofproto_uuid, punted->in_port, punted->kind);
}

/* Returns the number of packets in the queue. */
size_t
vmmob_punt_n_queued(void)
{
    size_t n;

    ovs_mutex_lock(&mutex);
    n = queue.n_items;
    ovs_mutex_unlock(&mutex);
    return n;
}

/* Returns a number for vmmob_punt_wait(). */
uint64_t
vmmob_punt_seqno(void)
{
    return seq_read(seq);
}

/* Makes poll_block() wake up if something was handed over since
 * vmmob_punt_seqno() returned 'seqno'. */
void
vmmob_punt_wait(uint64_t seqno)
{
    seq_wait(seq, seqno);
}

/* Wakes up the module's thread, to look at its deadlines again. */
void
vmmob_punt_wake(void)
{
    seq_change(seq);
}
