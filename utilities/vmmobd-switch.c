/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "vmmobd-switch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "coverage.h"
#include "jsonrpc.h"
#include "openvswitch/json.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "socket-util.h"
#include "stream.h"
#include "timeval.h"
#include "util.h"
#include "vmmob-msg.h"
#include "vmmob-stats.h"
#include "vmmob-table.h"
#include "vmmobd-known.h"
#include "vmmobd-ports.h"
#include "vmmobd-rowset.h"
#include "vmmobd-sitedb.h"

VLOG_DEFINE_THIS_MODULE(vmmobd_switch);

COVERAGE_DEFINE(vmmobd_switch_bad_message);
COVERAGE_DEFINE(vmmobd_switch_disconnect);
COVERAGE_DEFINE(vmmobd_switch_overflow);
COVERAGE_DEFINE(vmmobd_switch_retry);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 20);

/* Most messages to take in in one go, so that others have their turn. */
#define MAX_RECEIVE 50

static void run_connection(struct switch_link *);
static void connected(struct switch_link *);
static void disconnect(struct switch_link *, int error);

static bool receive(struct switch_link *, const struct jsonrpc_msg *,
                    struct rowset *authored_changed);
static void want(struct switch_link *, const struct vmmob_network_ids *);
static void want_all(struct switch_link *);
static void apply_update(struct switch_link *, const struct vmmob_msg *,
                         struct rowset *authored_changed);
static void sweep_authored(struct switch_link *,
                           struct rowset *authored_changed);

static void put_ofs(const struct switch_link *, const struct vmmob_ofs *,
                    struct vmmob_msg *);
static void tell_all(struct switch_link *, const struct known *,
                     const struct ports *, bool complete);
static void tell_have(struct switch_link *, const struct vmmob_network_ids *);
static void put_have(const struct switch_link *, struct vmmob_msg *);
static bool may_tell(const struct switch_link *, const struct known *,
                     uint64_t ofs);
static void put_all_ports(struct switch_link *, const struct ports *,
                          struct vmmob_msg *);
static void put_changed_ports(struct switch_link *, const struct ports *,
                              struct vmmob_msg *);
static void tell_rows(struct switch_link *, const struct vmmob_table *,
                      const struct known *, struct vmmob_msg *);
static void tell_changes(struct switch_link *, const struct vmmob_table *,
                         const struct rowset *);
static void send_if_full(struct switch_link *, struct vmmob_msg *);
static void send_rest(struct switch_link *, struct vmmob_msg *);
static void send_msg(struct switch_link *, const struct vmmob_msg *);
static void send_simple(struct switch_link *, enum vmmob_msg_type);

/* Creates and returns a connection to the switch at 'remote'. */
struct switch_link *
switch_link_create(const char *remote)
{
    struct switch_link *link = xzalloc(sizeof *link);

    link->remote = xstrdup(remote);
    link->backoff = SWITCH_MIN_BACKOFF;
    link->next_try = time_msec();
    link->authored = vmmob_table_create();
    return link;
}

void
switch_link_destroy(struct switch_link *link)
{
    if (link) {
        jsonrpc_close(link->rpc);
        stream_close(link->stream);
        vmmob_table_destroy(link->authored);
        vmmob_network_ids_destroy(&link->want);
        vmmob_network_ids_destroy(&link->have);
        switch_link_forget_stats(link);
        free(link->remote);
        free(link);
    }
}

/* Takes in what the switch says and adds the names of the rows in 'authored'
 * that changed to 'authored_changed'.  Returns true if the switch has just
 * said all: then only the rows in 'authored' are its own. */
bool
switch_link_run(struct switch_link *link, struct rowset *authored_changed)
{
    bool ended = false;

    run_connection(link);
    vmmob_set_max_message(VMMOB_MSG_MAX_SIZE);
    for (int i = 0; i < MAX_RECEIVE && link->rpc; i++) {
        struct jsonrpc_msg *msg;
        int error = jsonrpc_recv(link->rpc, &msg);

        if (error) {
            if (error != EAGAIN) {
                disconnect(link, error);
            }
            break;
        }
        if (receive(link, msg, authored_changed)) {
            ended = true;
        }
        jsonrpc_msg_destroy(msg);
    }
    vmmob_set_max_message(0);
    if (link->rpc && !link->asked && time_msec() >= link->ask_end) {
        want_all(link);
    }
    return ended;
}

/* Tells the switch everything in 'known' and in 'ports' if that is due,
 * otherwise those rows of 'known' that 'known_changed' names.
 *
 * 'have' are the networks in 'link->want' of which all is there.
 *
 * 'complete' says whether all databases have been read.  If not, the switch is
 * told after a moment all the same, and everything again later. */
void
switch_link_tell(struct switch_link *link, const struct known *known,
                 const struct rowset *known_changed,
                 const struct vmmob_network_ids *have,
                 const struct ports *ports, bool complete)
{
    enum vmmob_sync_event event;
    size_t backlog;

    if (!link->rpc || !link->asked) {
        return;
    }

    /* Telling everything may have taken more than changes may, so the limit
     * goes down as that drains. */
    backlog = jsonrpc_get_backlog(link->rpc);
    link->backlog_limit = MIN(link->backlog_limit,
                              backlog + SWITCH_MAX_BACKLOG);
    event = (backlog > link->backlog_limit ? VMMOB_SYNC_OVERFLOW
             : backlog ? VMMOB_SYNC_ROWS_CHANGED
             : complete ? VMMOB_SYNC_COMPLETE
             : time_msec() >= link->patience_end ? VMMOB_SYNC_PATIENCE_OVER
             : VMMOB_SYNC_ROWS_CHANGED);

    switch (vmmob_sync_tell(&link->sync, event)) {
    case VMMOB_SYNC_TELL_PARTIAL:
    case VMMOB_SYNC_TELL_ALL:
        vmmob_network_ids_destroy(&link->have);
        vmmob_network_ids_clone(&link->have, have);
        tell_all(link, known, ports, complete);
        link->backlog_limit = (jsonrpc_get_backlog(link->rpc)
                               + SWITCH_MAX_BACKLOG);
        break;
    case VMMOB_SYNC_TELL_CHANGES:
        tell_changes(link, known->table, known_changed);
        tell_have(link, have);
        break;
    case VMMOB_SYNC_GIVE_UP:
        VLOG_WARN_RL(&rl, "%s: switch does not read, will tell it everything "
                     "when it does", link->remote);
        COVERAGE_INC(vmmobd_switch_overflow);
        break;
    case VMMOB_SYNC_NOTHING:
        break;
    case VMMOB_SYNC_TELL_PORTS:
    default:
        OVS_NOT_REACHED();
    }
}

/* Tells the switch of those of 'ports' that changed, or of all if it does not
 * have them yet.  This need not wait for the site's database: what a VM may
 * send does not depend on it. */
void
switch_link_tell_ports(struct switch_link *link, const struct ports *ports)
{
    struct vmmob_msg msg;

    if (!link->rpc || !ports->loaded) {
        return;
    }

    vmmob_msg_init(&msg, VMMOB_MSG_UPDATE);
    switch (vmmob_sync_tell(&link->sync, (jsonrpc_get_backlog(link->rpc)
                                          ? VMMOB_SYNC_PORTS_CHANGED
                                          : VMMOB_SYNC_PORTS_KNOWN))) {
    case VMMOB_SYNC_TELL_PORTS:
        put_all_ports(link, ports, &msg);
        break;
    case VMMOB_SYNC_TELL_CHANGES:
        put_changed_ports(link, ports, &msg);
        break;
    case VMMOB_SYNC_NOTHING:
        break;
    case VMMOB_SYNC_TELL_PARTIAL:
    case VMMOB_SYNC_TELL_ALL:
    case VMMOB_SYNC_GIVE_UP:
    default:
        OVS_NOT_REACHED();
    }
    send_rest(link, &msg);
}

/* Asks the switch for what it counts.  The answer will be in 'link->stats', if
 * it knows the question.  Returns false if it is not connected. */
bool
switch_link_ask_stats(struct switch_link *link)
{
    struct vmmob_msg msg;

    switch_link_forget_stats(link);
    if (!link->rpc) {
        return false;
    }
    vmmob_msg_init(&msg, VMMOB_MSG_UPDATE);
    msg.want_stats = true;
    send_msg(link, &msg);
    vmmob_msg_uninit(&msg);
    return true;
}

/* Forgets what the switch answered, if it did. */
void
switch_link_forget_stats(struct switch_link *link)
{
    vmmob_stats_destroy(link->stats);
    free(link->stats);
    link->stats = NULL;
}

void
switch_link_wait(const struct switch_link *link)
{
    if (link->rpc) {
        jsonrpc_wait(link->rpc);
        jsonrpc_recv_wait(link->rpc);
        if (!link->asked) {
            poll_timer_wait_until(link->ask_end);
        } else if (!vmmob_sync_has_told(&link->sync)
                   && time_msec() < link->patience_end) {
            poll_timer_wait_until(link->patience_end);
        } else if (!vmmob_network_ids_equal(&link->want, &link->have)
                   && time_msec() < link->want_since + SWITCH_PATIENCE) {
            poll_timer_wait_until(link->want_since + SWITCH_PATIENCE);
        }
    } else if (link->stream) {
        stream_run_wait(link->stream);
        stream_connect_wait(link->stream);
    } else {
        poll_timer_wait_until(link->next_try);
    }
}

bool
switch_link_is_connected(const struct switch_link *link)
{
    return link->rpc != NULL;
}

/* Connecting.
 *
 * "struct jsonrpc_session" would do this as well, but it waits for at least a
 * second after a disconnection. */

static void
run_connection(struct switch_link *link)
{
    if (link->rpc) {
        int error;

        jsonrpc_run(link->rpc);
        error = jsonrpc_get_status(link->rpc);
        if (error) {
            disconnect(link, error);
        }
    }

    if (!link->rpc && !link->stream && time_msec() >= link->next_try) {
        int error = jsonrpc_stream_open(link->remote, &link->stream, 0);

        if (error) {
            link->stream = NULL;
            disconnect(link, error);
        }
    }
    if (link->stream) {
        int error;

        stream_run(link->stream);
        error = stream_connect(link->stream);
        if (!error) {
            connected(link);
        } else if (error != EAGAIN) {
            disconnect(link, error);
        }
    }
}

static void
connected(struct switch_link *link)
{
    VLOG_INFO_RL(&rl, "%s: connected to switch", link->remote);
    link->rpc = jsonrpc_open(link->stream);
    link->stream = NULL;
    link->last_error = 0;
    vmmob_sync_init(&link->sync);
    link->ask_end = time_msec() + SWITCH_ASK_PATIENCE;
    link->asked = false;
}

/* Ends what there is of a connection because of 'error'. */
static void
disconnect(struct switch_link *link, int error)
{
    if (link->rpc) {
        COVERAGE_INC(vmmobd_switch_disconnect);
        VLOG_INFO_RL(&rl, "%s: switch disconnected (%s)", link->remote,
                     ovs_retval_to_string(error));
        link->backoff = (vmmob_sync_has_heard(&link->sync)
                         ? SWITCH_MIN_BACKOFF
                         : MIN(2 * link->backoff, SWITCH_MAX_BACKOFF));
    } else {
        link->backoff = SWITCH_MIN_BACKOFF;
        COVERAGE_INC(vmmobd_switch_retry);
        if (error != link->last_error) {
            VLOG_INFO_RL(&rl, "%s: cannot connect to switch (%s), will keep "
                         "trying", link->remote, ovs_retval_to_string(error));
        }
    }
    link->last_error = error;

    jsonrpc_close(link->rpc);
    link->rpc = NULL;
    stream_close(link->stream);
    link->stream = NULL;
    vmmob_sync_init(&link->sync);

    link->next_try = time_msec() + link->backoff;
}

/* Hearing. */

/* Returns true if 'rpc_msg' was the "end". */
static bool
receive(struct switch_link *link, const struct jsonrpc_msg *rpc_msg,
        struct rowset *authored_changed)
{
    struct vmmob_msg msg;
    char *error;
    bool ended = false;

    if (rpc_msg->type == JSONRPC_REQUEST && !strcmp(rpc_msg->method, "echo")) {
        jsonrpc_send(link->rpc,
                     jsonrpc_create_reply(json_clone(rpc_msg->params),
                                          rpc_msg->id));
        return false;
    }

    error = vmmob_sync_hear(&link->sync, rpc_msg, &msg);
    if (error) {
        static struct vlog_rate_limit bad_rl = VLOG_RATE_LIMIT_INIT(5, 5);

        COVERAGE_INC(vmmobd_switch_bad_message);
        VLOG_WARN_RL(&bad_rl, "%s: bad message from switch, disconnecting: %s",
                     link->remote, error);
        free(error);
        disconnect(link, EPROTO);
        return false;
    }

    switch (msg.type) {
    case VMMOB_MSG_BEGIN:
        vmmob_table_mark(link->authored);
        break;

    case VMMOB_MSG_UPDATE:
        apply_update(link, &msg, authored_changed);
        if (msg.stats) {
            switch_link_forget_stats(link);
            link->stats = msg.stats;
            msg.stats = NULL;
        }
        if (msg.want_networks) {
            want(link, msg.want_networks);
        }
        break;

    case VMMOB_MSG_END:
        sweep_authored(link, authored_changed);
        link->ever_heard = ended = true;
        break;

    default:
        OVS_NOT_REACHED();
    }
    vmmob_msg_uninit(&msg);
    return ended;
}

/* Notes that the switch needs 'networks'. */
static void
want(struct switch_link *link, const struct vmmob_network_ids *networks)
{
    if (!link->asked) {
        link->asked = true;
        link->patience_end = time_msec() + SWITCH_PATIENCE;
    }
    if (!vmmob_network_ids_equal(networks, &link->want)) {
        vmmob_network_ids_destroy(&link->want);
        vmmob_network_ids_clone(&link->want, networks);
        link->want_since = time_msec();
    }
}

/* Notes that the switch, of an older version, does not say what it needs. */
static void
want_all(struct switch_link *link)
{
    const struct vmmob_network_ids all = VMMOB_NETWORK_IDS_ALL;

    want(link, &all);
}

static void
apply_update(struct switch_link *link, const struct vmmob_msg *msg,
             struct rowset *authored_changed)
{
    for (size_t i = 0; i < msg->n_del_vmns; i++) {
        const struct vmmob_row_id *id = &msg->del_vmns[i];

        if (vmmob_table_remove_vmn(link->authored, &id->key, id->ofs)) {
            struct row_name name = row_name_of_vmn(&id->key, id->ofs);

            rowset_add(authored_changed, &name);
        }
    }
    for (size_t i = 0; i < msg->n_del_ofss; i++) {
        if (vmmob_table_remove_ofs(link->authored, msg->del_ofss[i])) {
            struct row_name name = row_name_of_ofs(msg->del_ofss[i]);

            rowset_add(authored_changed, &name);
        }
    }
    for (size_t i = 0; i < msg->n_ofss; i++) {
        if (vmmob_table_put_ofs(link->authored, &msg->ofss[i])) {
            struct row_name name = row_name_of_ofs(msg->ofss[i].id);

            rowset_add(authored_changed, &name);
        }
    }
    for (size_t i = 0; i < msg->n_vmns; i++) {
        const struct vmmob_vmn *vmn = &msg->vmns[i];

        if (vmmob_table_put_vmn(link->authored, vmn)) {
            struct row_name name = row_name_of_vmn(&vmn->key, vmn->ofs);

            rowset_add(authored_changed, &name);
        }
    }
}

/* Removes what was in no "update" since "begin". */
static void
sweep_authored(struct switch_link *link, struct rowset *authored_changed)
{
    struct rowset gone = ROWSET_INITIALIZER(&gone);
    const struct vmmob_ofs_entry *ofs_entry;
    const struct vmmob_entry *entry;
    const struct rowset_node *node;

    HMAP_FOR_EACH (entry, node, vmmob_table_entries(link->authored)) {
        const struct vmmob_row *row;

        LIST_FOR_EACH (row, node, &entry->rows) {
            if (row->marked) {
                struct row_name name = row_name_of_vmn(&entry->key,
                                                       row->vmn.ofs);

                rowset_add(&gone, &name);
            }
        }
    }
    HMAP_FOR_EACH (ofs_entry, node, vmmob_table_ofs_entries(link->authored)) {
        if (ofs_entry->marked) {
            struct row_name name = row_name_of_ofs(ofs_entry->ofs.id);

            rowset_add(&gone, &name);
        }
    }

    ROWSET_FOR_EACH (node, &gone) {
        if (node->name.is_ofs) {
            vmmob_table_remove_ofs(link->authored, node->name.ofs);
        } else {
            vmmob_table_remove_vmn(link->authored, &node->name.key,
                                   node->name.ofs);
        }
        rowset_add(authored_changed, &node->name);
    }
    rowset_destroy(&gone);
}

/* Telling. */

/* Adds 'ofs' to 'msg'.  One that the switch has authored is no stranger to it,
 * whatever the database says. */
static void
put_ofs(const struct switch_link *link, const struct vmmob_ofs *ofs,
        struct vmmob_msg *msg)
{
    struct vmmob_ofs copy;

    vmmob_ofs_clone(&copy, ofs);
    copy.foreign = (copy.foreign
                    && !vmmob_table_find_ofs(link->authored, ofs->id));
    vmmob_msg_put_ofs(msg, &copy);
    vmmob_ofs_destroy(&copy);
}

static void
tell_all(struct switch_link *link, const struct known *known,
         const struct ports *ports, bool complete)
{
    const struct vmmob_ofs_entry *ofs_entry;
    struct vmmob_msg msg;

    send_simple(link, VMMOB_MSG_BEGIN);
    vmmob_msg_init(&msg, VMMOB_MSG_UPDATE);
    msg.partial = !complete;
    put_have(link, &msg);
    HMAP_FOR_EACH (ofs_entry, node, vmmob_table_ofs_entries(known->table)) {
        if (may_tell(link, known, ofs_entry->ofs.id)) {
            put_ofs(link, &ofs_entry->ofs, &msg);
            send_if_full(link, &msg);
        }
    }
    tell_rows(link, known->table, known, &msg);
    /* What the switch wrote in an earlier life may not be in the database, or
     * not be known here to be. */
    tell_rows(link, link->authored, NULL, &msg);
    put_all_ports(link, ports, &msg);
    send_rest(link, &msg);
    send_simple(link, VMMOB_MSG_END);
}

/* Adds 'link->have' to 'msg', unless that is all. */
static void
put_have(const struct switch_link *link, struct vmmob_msg *msg)
{
    if (!link->have.all) {
        msg->have_networks = xmalloc(sizeof *msg->have_networks);
        vmmob_network_ids_clone(msg->have_networks, &link->have);
    }
}

/* Tells the switch that it was told all of the networks in 'have', if that is
 * news. */
static void
tell_have(struct switch_link *link, const struct vmmob_network_ids *have)
{
    struct vmmob_msg msg;

    if (!vmmob_network_ids_equal(have, &link->have)) {
        vmmob_network_ids_destroy(&link->have);
        vmmob_network_ids_clone(&link->have, have);
        vmmob_msg_init(&msg, VMMOB_MSG_UPDATE);
        put_have(link, &msg);
        send_rest(link, &msg);
    }
}

/* Returns false if the switch must not be told 'ofs' in a whole state, because
 * it would take VMNs of it for gone that are just being read. */
static bool
may_tell(const struct switch_link *link, const struct known *known,
         uint64_t ofs)
{
    const struct sitedb *db = known_find_owner(known, ofs);

    return !(db && db->live && !sitedb_has_read(db, &link->want));
}

/* Adds the VMN rows of 'table' to 'msg'.  If 'known' is not null, 'table' is
 * that of 'known': leaves out those of OFSs that the switch authors, or must
 * not be told. */
static void
tell_rows(struct switch_link *link, const struct vmmob_table *table,
          const struct known *known, struct vmmob_msg *msg)
{
    const struct vmmob_entry *entry;

    HMAP_FOR_EACH (entry, node, vmmob_table_entries(table)) {
        const struct vmmob_row *row;

        LIST_FOR_EACH (row, node, &entry->rows) {
            uint64_t ofs = row->vmn.ofs;

            if (!known || (!vmmob_table_find_ofs(link->authored, ofs)
                           && may_tell(link, known, ofs))) {
                vmmob_msg_put_vmn(msg, &row->vmn);
                send_if_full(link, msg);
            }
        }
    }
}

/* Adds all of 'ports' to 'msg', which is sent when it is full. */
static void
put_all_ports(struct switch_link *link, const struct ports *ports,
              struct vmmob_msg *msg)
{
    const struct shash_node *node;

    PORTS_FOR_EACH (node, ports) {
        vmmob_msg_put_port(msg, ports_get(node));
        send_if_full(link, msg);
    }
}

/* Adds those of 'ports' that changed to 'msg', likewise. */
static void
put_changed_ports(struct switch_link *link, const struct ports *ports,
                  struct vmmob_msg *msg)
{
    const char *name;

    SSET_FOR_EACH (name, &ports->changed) {
        const struct vmmob_port *port = ports_find(ports, name);

        if (port) {
            vmmob_msg_put_port(msg, port);
        } else {
            vmmob_msg_del_port(msg, name);
        }
        send_if_full(link, msg);
    }
}

static void
tell_changes(struct switch_link *link, const struct vmmob_table *known,
             const struct rowset *known_changed)
{
    const struct rowset_node *node;
    struct vmmob_msg msg;

    vmmob_msg_init(&msg, VMMOB_MSG_UPDATE);
    ROWSET_FOR_EACH (node, known_changed) {
        const struct row_name *name = &node->name;

        /* The switch need not be told what it has just told us, except for the
         * name of its site, which it cannot know. */
        if (!name->is_ofs && link->sync.heard != VMMOB_HEARD_NOTHING
            && vmmob_table_find_ofs(link->authored, name->ofs)) {
            continue;
        }

        if (name->is_ofs) {
            const struct vmmob_ofs *ofs = vmmob_table_find_ofs(known,
                                                               name->ofs);

            if (ofs) {
                put_ofs(link, ofs, &msg);
            } else {
                vmmob_msg_del_ofs(&msg, name->ofs);
            }
        } else {
            const struct vmmob_vmn *vmn = vmmob_table_find_row(known,
                                                               &name->key,
                                                               name->ofs);

            if (vmn) {
                vmmob_msg_put_vmn(&msg, vmn);
            } else {
                vmmob_msg_del_vmn(&msg, &name->key, name->ofs);
            }
        }
        send_if_full(link, &msg);
    }
    send_rest(link, &msg);
}

/* Sends 'msg' and starts it anew if it should not grow further. */
static void
send_if_full(struct switch_link *link, struct vmmob_msg *msg)
{
    if (vmmob_msg_n_rows(msg) >= VMMOB_MSG_MAX_ROWS) {
        send_rest(link, msg);
        vmmob_msg_init(msg, VMMOB_MSG_UPDATE);
    }
}

/* Sends 'msg' unless it is empty, and frees what it owns. */
static void
send_rest(struct switch_link *link, struct vmmob_msg *msg)
{
    struct vmmob_msg piece;
    size_t at = 0;

    while (vmmob_msg_next_piece(msg, &at, &piece)) {
        send_msg(link, &piece);
    }
    vmmob_msg_uninit(msg);
}

static void
send_msg(struct switch_link *link, const struct vmmob_msg *msg)
{
    /* An error shows up in jsonrpc_get_status() the next time. */
    jsonrpc_send(link->rpc, vmmob_msg_encode(msg));
}

static void
send_simple(struct switch_link *link, enum vmmob_msg_type type)
{
    send_msg(link, &(struct vmmob_msg) { .type = type });
}
