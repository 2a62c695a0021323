/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/show-rows.h"

#include <inttypes.h>
#include <stdlib.h>

#include "latch.h"
#include "ofproto-vmmob/bridge.h"
#include "ofproto-vmmob/handover.h"
#include "ofproto-vmmob/module.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "openvswitch/list.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/shash.h"
#include "ovs-rcu.h"
#include "ovs-thread.h"
#include "packets.h"
#include "seq.h"
#include "timeval.h"
#include "unixctl.h"
#include "util.h"
#include "vmmob-compat.h"
#include "vmmob-msg.h"
#include "vmmob-reply.h"

/* How many rows are copied before the module's thread is let in, and for how
 * long it is, in ns.  A mutex alone is not fair: a thread that unlocks it and
 * locks it again at once mostly gets it. */
#define SLICE 200
#define PAUSE (100 * 1000)

/* A home address is shown as unused after so long, in ms. */
#define UNUSED_MS (60 * 1000)

/* When a VMN here last used one of its home addresses. */
struct hoa_row {
    long long int unused_ms;    /* How long ago that was, 0 if not known. */
    bool asked;                 /* It is being asked for it. */
};

/* A row of the VMN table, and what this switch knows of it. */
struct vmn_row {
    struct vmmob_vmn vmn;
    struct hoa_row *hoas;       /* For each of its pairs, or NULL. */
    char *site;                 /* Of its OFS; "-" if not known. */
    const char *status;         /* How the VMN stands there, static. */
    ofp_port_t port;            /* Where it is attached, or OFPP_NONE. */
    bool frozen;                /* An OFS here does not let it move there. */
    uint64_t copy_to;           /* Where its packets are copied to, or 0... */
    long long int copied_ms;    /* ...and for how long that has been so. */
    size_t order;               /* Of those of one VMN, lower ones first. */
};

/* A row of the OFS table. */
struct ofs_row {
    struct vmmob_ofs ofs;
    const char *status;         /* Static. */
};

/* What somebody asked for. */
struct job {
    struct ovs_list node;       /* In 'waiting'. */
    struct unixctl_conn *conn;  /* Main thread only. */
    bool as_json;

    /* vmmob/ofs: which OFS, or 0 for all. */
    bool ofss;
    uint64_t id;

    /* vmmob/vmns. */
    struct vmmob_selection sel;

    char *reply;                /* Set by the thread. */
};

/* All of this belongs to the main thread.  It hands a job to the thread that
 * it starts, and gets it back when that thread has ended. */
static struct ovs_list waiting = OVS_LIST_INITIALIZER(&waiting);
static struct job *running;     /* NULL if there is no thread. */
static pthread_t thread;
static struct seq *ended;       /* Changes when a thread ends. */
static uint64_t ended_seqno;    /* Before the one that is running. */
static struct latch exit_latch; /* Set to have it end soon. */

static unixctl_cb_func show_vmns;
static unixctl_cb_func show_ofs;
static void job_push(const struct job *);
static void start(void);
static void finish(void);
static void *rows_main(void *job);

static char *write_vmns(const struct job *);
static bool copy_some_vmns(const struct job *, struct hmap_position *,
                           size_t *mask, struct vmn_row **, size_t *n,
                           size_t *allocated) OVS_EXCLUDED(vmmob_mutex);
static void copy_vmn(const struct vmmob *, const struct vmmob_vmn *,
                     struct vmn_row **, size_t *n, size_t *allocated)
    OVS_REQUIRES(vmmob_mutex);
static struct hoa_row *copy_hoas(const struct vmmob *,
                                 const struct handover_vmn *)
    OVS_REQUIRES(vmmob_mutex);
static void destroy_vmns(struct vmn_row *, size_t n);
static const char *row_status(const struct vmmob *, const struct vmmob_vmn *,
                              ofp_port_t *) OVS_REQUIRES(vmmob_mutex);
static bool is_frozen(const struct vmmob *, const struct vmmob_key *)
    OVS_REQUIRES(vmmob_mutex);
static int compare_vmn_rows(const void *, const void *);
static void vmn_to_text(const struct vmn_row *, struct ds *);
static struct json *vmn_to_json(const struct vmn_row *);

static char *write_ofss(const struct job *);
static struct ofs_row *copy_ofss(const struct job *, size_t *n)
    OVS_EXCLUDED(vmmob_mutex);
static void ofs_to_text(const struct ofs_row *, struct ds *);
static struct json *ofs_to_json(const struct ofs_row *);

/* Registers the commands. */
void
vmmob_show_rows_init(void)
{
    ended = seq_create();
    latch_init(&exit_latch);
    unixctl_command_register("vmmob/vmns",
                             "[[NETWORK/]MAC|HOA|MOA] [json]", 0, 2,
                             show_vmns, NULL);
    unixctl_command_register("vmmob/ofs", "[DATAPATH_ID] [json]", 0, 2,
                             show_ofs, NULL);
}

/* Ends the thread.  Who waits gets an error. */
void
vmmob_show_rows_exit(void)
{
    struct job *job;

    latch_set(&exit_latch);
    if (running) {
        finish();
    }
    LIST_FOR_EACH_POP (job, node, &waiting) {
        unixctl_command_reply_error(job->conn, "ovs-vswitchd is exiting");
        free(job);
    }
}

/* Answers if the thread has ended, and starts the next one. */
void
vmmob_show_rows_run(void)
{
    if (running && seq_read(ended) != ended_seqno) {
        finish();
    }
    if (!running && !ovs_list_is_empty(&waiting)) {
        start();
    }
}

void
vmmob_show_rows_wait(void)
{
    if (running) {
        seq_wait(ended, ended_seqno);
    } else if (!ovs_list_is_empty(&waiting)) {
        poll_immediate_wake();
    }
}

/* Initializes 'sel' from 's', which may be null.  Returns false and answers
 * with an error if it is neither a MAC nor an IP address. */
bool
vmmob_show_parse_selection(struct vmmob_selection *sel, const char *s,
                           struct unixctl_conn *conn)
{
    if (!vmmob_selection_parse(sel, s)) {
        char *error = xasprintf("%s: neither a MAC nor an IP address", s);

        unixctl_command_reply_error(conn, error);
        free(error);
        return false;
    }
    return true;
}

/* Commands. */

static void
show_vmns(struct unixctl_conn *conn, int argc, const char *argv[],
          void *aux OVS_UNUSED)
{
    bool as_json = vmmob_wants_json(argc, argv);
    struct job job = { .conn = conn, .as_json = as_json };

    if (vmmob_show_parse_selection(&job.sel, argc > 1 + as_json ? argv[1]
                                   : NULL, conn)) {
        job_push(&job);
    }
}

static void
show_ofs(struct unixctl_conn *conn, int argc, const char *argv[],
         void *aux OVS_UNUSED)
{
    bool as_json = vmmob_wants_json(argc, argv);
    struct job job = { .conn = conn, .as_json = as_json, .ofss = true };

    if (argc > 1 + as_json && !vmmob_ofs_id_from_string(argv[1], &job.id)) {
        unixctl_command_reply_error(conn, "not a datapath id of 16 "
                                    "hexadecimal digits");
    } else {
        job_push(&job);
    }
}

/* Queues a copy of 'job'. */
static void
job_push(const struct job *job)
{
    struct job *copy = xmemdup(job, sizeof *job);

    ovs_list_push_back(&waiting, &copy->node);
    vmmob_show_rows_run();
}

/* The thread. */

static void
start(void)
{
    running = CONTAINER_OF(ovs_list_pop_front(&waiting), struct job, node);
    ended_seqno = seq_read(ended);
    thread = ovs_thread_create("vmmob_show", rows_main, running);
}

static void
finish(void)
{
    xpthread_join(thread, NULL);
    vmmob_reply_text(running->conn, running->reply);
    free(running);
    running = NULL;
}

static void *
rows_main(void *job_)
{
    struct job *job = job_;

    job->reply = job->ofss ? write_ofss(job) : write_vmns(job);
    seq_change(ended);
    return NULL;
}

/* VMNs. */

static char *
write_vmns(const struct job *job)
{
    struct hmap_position pos = { 0, 0 };
    struct vmmob_json_array array;
    struct vmn_row *rows = NULL;
    size_t n = 0, allocated = 0;
    struct ds s = DS_EMPTY_INITIALIZER;
    size_t mask = 0;

    while (copy_some_vmns(job, &pos, &mask, &rows, &n, &allocated)
           && !latch_is_set(&exit_latch)) {
        xnanosleep(PAUSE);
    }
    if (n) {
        qsort(rows, n, sizeof *rows, compare_vmn_rows);
    }

    if (job->as_json) {
        vmmob_json_array_begin(&array, &s);
        for (size_t i = 0; i < n; i++) {
            vmmob_json_array_add(&array, vmn_to_json(&rows[i]));
            ovsrcu_quiesce();
        }
        vmmob_json_array_end(&array);
    } else {
        ds_put_format(&s, "%-17s  %-15s  %-15s  %-16s  %-8s  %5s  %-8s  %4s\n",
                      "MAC", "HoA", "MoA", "OFS", "Site", "Seqno", "State",
                      "Port");
        for (size_t i = 0; i < n; i++) {
            vmn_to_text(&rows[i], &s);
            ovsrcu_quiesce();
        }
    }
    destroy_vmns(rows, n);
    free(rows);
    return ds_steal_cstr(&s);
}

/* Appends to '*rows' the rows of some more VMNs that are to be shown: the
 * bindings, where VMNs are expected, and those that have left us.  Returns
 * false if these were the last ones.
 *
 * '*pos' is where to go on, at first all zeros.  VMNs may come and go between
 * two calls, so all VMNs of one bucket of the table's hash map are copied in
 * one go.  '*mask' is the hash map's: if that has changed, all begins anew. */
static bool
copy_some_vmns(const struct job *job, struct hmap_position *pos, size_t *mask,
               struct vmn_row **rows, size_t *n, size_t *allocated)
{
    size_t n_seen = 0;
    bool more = false;

    ovs_mutex_lock(&vmmob_mutex);
    const struct vmmob *vmmob = vmmob_get();
    if (vmmob) {
        const struct vmmob_table *table = vmmob->table;
        const struct hmap *entries = vmmob_table_entries(table);
        const struct hmap_node *node;

        if (entries->mask != *mask) {
            destroy_vmns(*rows, *n);
            *n = 0;
            *pos = (struct hmap_position) { 0, 0 };
            *mask = entries->mask;
        }
        while (!more && (node = hmap_at_position(entries, pos)) != NULL) {
            const struct vmmob_entry *entry
                = CONTAINER_OF(node, struct vmmob_entry, node);
            const struct vmmob_vmn *binding = vmmob_entry_binding(entry);
            const struct vmmob_row *row;

            LIST_FOR_EACH (row, node, &entry->rows) {
                if ((&row->vmn == binding || row->vmn.state == VMMOB_PREPARED
                     || vmmob_handover_find_ofs(vmmob->handover, row->vmn.ofs))
                    && vmmob_selection_has(&job->sel, &row->vmn)) {
                    copy_vmn(vmmob, &row->vmn, rows, n, allocated);
                }
            }
            more = ++n_seen >= SLICE && !pos->offset;
        }
    }
    ovs_mutex_unlock(&vmmob_mutex);
    return more;
}

/* Appends a row to '*rows'. */
static void
copy_vmn(const struct vmmob *vmmob, const struct vmmob_vmn *vmn,
         struct vmn_row **rows, size_t *n, size_t *allocated)
{
    const struct vmmob_ofs *ofs = vmmob_table_find_ofs(vmmob->table, vmn->ofs);
    struct vmn_row *row;

    if (*n >= *allocated) {
        *rows = x2nrealloc(*rows, allocated, sizeof **rows);
    }
    row = *rows + *n;
    vmmob_vmn_clone(&row->vmn, vmn);
    row->site = xstrdup(ofs && ofs->site[0] ? ofs->site : "-");
    row->status = row_status(vmmob, vmn, &row->port);
    row->frozen = is_frozen(vmmob, &vmn->key);

    const struct handover_ofs *here = vmmob_handover_find_ofs(vmmob->handover,
                                                              vmn->ofs);
    const struct handover_vmn *known
        = here ? vmmob_handover_find_vmn(here, &vmn->key) : NULL;
    row->copy_to = known ? known->copy_to : 0;
    row->copied_ms = row->copy_to ? time_msec() - known->copy_since : 0;
    row->hoas = known && known->n_uses ? copy_hoas(vmmob, known) : NULL;
    row->order = (*n)++;
}

/* Returns what is known of the home addresses of 'vmn', for the caller to
 * free. */
static struct hoa_row *
copy_hoas(const struct vmmob *vmmob, const struct handover_vmn *vmn)
{
    struct hoa_row *hoas = xcalloc(vmn->row.n_pairs, sizeof *hoas);
    long long int now = time_msec();
    const struct vmmob_bridge *b;

    HMAP_FOR_EACH (b, node, &vmmob->bridges) {
        for (size_t i = 0; b->enabled && b->id == vmn->row.ofs
             && i < vmn->row.n_pairs; i++) {
            const struct in6_addr *hoa = &vmn->row.pairs[i].hoa;
            long long int used;

            if (vmmob_handover_get_use(vmn, hoa, &used, &hoas[i].asked)) {
                used = MAX(used, vmmob_rules_get_used(b->rules, &vmn->row.key,
                                                      hoa));
                hoas[i].unused_ms = MAX(0, now - used);
            }
        }
    }
    return hoas;
}

static void
destroy_vmns(struct vmn_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        vmmob_vmn_destroy(&rows[i].vmn);
        free(rows[i].hoas);
        free(rows[i].site);
    }
}

/* Returns how the VMN of 'row' stands at the OFS that wrote it, as far as this
 * switch knows, and stores in '*port' its port, or OFPP_NONE. */
static const char *
row_status(const struct vmmob *vmmob, const struct vmmob_vmn *row,
           ofp_port_t *port)
{
    const struct handover_ofs *ofs = vmmob_handover_find_ofs(vmmob->handover,
                                                             row->ofs);

    *port = OFPP_NONE;
    if (ofs) {
        const struct handover_vmn *vmn = vmmob_handover_find_vmn(ofs,
                                                                 &row->key);

        if (vmn) {
            if (vmn->state == HANDOVER_ATTACHED) {
                *port = vmn->port;
            }
            return vmmob_handover_state_to_string(vmn->state);
        }
        return "unknown";
    }

    if (row->state == VMMOB_PREPARED) {
        return vmmob_state_to_string(row->state);
    }

    const struct vmmob_ofs *other = vmmob_table_find_ofs(vmmob->table,
                                                         row->ofs);
    return other && other->stale ? "stale" : "remote";
}

/* Returns true if an OFS of this switch does not let the VMN move there. */
static bool
is_frozen(const struct vmmob *vmmob, const struct vmmob_key *key)
{
    const struct vmmob_bridge *b;

    HMAP_FOR_EACH (b, node, &vmmob->bridges) {
        if (b->ofs && vmmob_damping_is_frozen(&b->ofs->damping, key)) {
            return true;
        }
    }
    return false;
}

static int
compare_vmn_rows(const void *a_, const void *b_)
{
    const struct vmn_row *a = a_;
    const struct vmn_row *b = b_;
    int cmp = vmmob_key_compare(&a->vmn.key, &b->vmn.key);

    return cmp ? cmp : a->order < b->order ? -1 : a->order > b->order;
}

/* Appends a VMN to 's', in one line for each HoA. */
static void
vmn_to_text(const struct vmn_row *row, struct ds *s)
{
    const struct vmmob_vmn *vmn = &row->vmn;

    for (size_t i = 0; i < vmn->n_pairs; i++) {
        char *hoa = vmmob_addr_to_string(&vmn->pairs[i].hoa, "-");
        char *moa = vmmob_addr_to_string(&vmn->pairs[i].moa, "-");

        ds_put_format(s, ETH_ADDR_FMT"  %-15s  %-15s  "VMMOB_OFS_ID_FMT
                      "  %-8s  %5"PRIu64"  %-8s  ",
                      ETH_ADDR_ARGS(vmn->key.mac), hoa, moa, vmn->ofs,
                      row->site, vmn->seqno, row->status);
        if (row->port != OFPP_NONE) {
            ds_put_format(s, "%4"PRIu32, row->port);
        } else {
            ds_put_cstr(s, "   -");
        }
        ds_put_cstr(s, row->frozen ? "  frozen" : "");
        ds_put_cstr(s, vmn->pairs[i].claimed ? "  claimed" : "");
        if (row->hoas && row->hoas[i].unused_ms >= UNUSED_MS) {
            ds_put_format(s, "  unused for %lld s",
                          row->hoas[i].unused_ms / 1000);
        }
        ds_put_cstr(s, row->hoas && row->hoas[i].asked ? "  asked" : "");
        if (row->copy_to) {
            ds_put_format(s, "  copied to "VMMOB_OFS_ID_FMT" for %lld s",
                          row->copy_to, row->copied_ms / 1000);
        }
        ds_put_char(s, '\n');
        free(hoa);
        free(moa);
    }
}

/* Puts 'member', an array or object, which it takes, into 'json'. */
static void
put_unless_empty(struct json *json, const char *name, struct json *member)
{
    if (member->type == JSON_ARRAY ? json_array_size(member)
        : !shash_is_empty(json_object(member))) {
        json_object_put(json, name, member);
    } else {
        json_destroy(member);
    }
}

static struct json *
vmn_to_json(const struct vmn_row *row)
{
    struct json *json = vmmob_vmn_to_json(&row->vmn);
    struct json *claimed = json_array_create_empty();
    struct json *asked = json_array_create_empty();
    struct json *unused = json_object_create();

    for (size_t i = 0; i < row->vmn.n_pairs; i++) {
        char *hoa = vmmob_addr_to_string(&row->vmn.pairs[i].hoa, "-");

        if (row->vmn.pairs[i].claimed) {
            json_array_add(claimed, json_string_create(hoa));
        }
        if (row->hoas && row->hoas[i].asked) {
            json_array_add(asked, json_string_create(hoa));
        }
        if (row->hoas) {
            vmmob_json_put_integer(unused, hoa, row->hoas[i].unused_ms);
        }
        free(hoa);
    }
    put_unless_empty(json, "claimed", claimed);
    put_unless_empty(json, "asked", asked);
    put_unless_empty(json, "unused_ms", unused);
    json_object_put_string(json, "status", row->status);
    if (row->frozen) {
        json_object_put(json, "frozen", json_boolean_create(true));
    }
    if (row->copy_to) {
        json_object_put_format(json, "copied_to", VMMOB_OFS_ID_FMT,
                               row->copy_to);
        vmmob_json_put_integer(json, "copied_ms", row->copied_ms);
    }
    if (row->port != OFPP_NONE) {
        vmmob_json_put_integer(json, "port", (OVS_FORCE uint32_t) row->port);
    }
    return json;
}

/* OFSs. */

static char *
write_ofss(const struct job *job)
{
    struct vmmob_json_array array;
    struct ds s = DS_EMPTY_INITIALIZER;
    size_t n;
    struct ofs_row *rows = copy_ofss(job, &n);

    if (job->as_json) {
        vmmob_json_array_begin(&array, &s);
    }
    for (size_t i = 0; i < n; i++) {
        if (job->as_json) {
            vmmob_json_array_add(&array, ofs_to_json(&rows[i]));
        } else {
            ofs_to_text(&rows[i], &s);
        }
        vmmob_ofs_destroy(&rows[i].ofs);
        ovsrcu_quiesce();
    }
    if (job->as_json) {
        vmmob_json_array_end(&array);
    }
    free(rows);
    return ds_steal_cstr(&s);
}

/* Returns the OFSs that are to be shown, by id, as an array that the caller
 * must free, and stores their number into '*n'.  There are few enough of them
 * to copy them in one go. */
static struct ofs_row *
copy_ofss(const struct job *job, size_t *n)
{
    struct ofs_row *rows = NULL;

    *n = 0;
    ovs_mutex_lock(&vmmob_mutex);
    const struct vmmob *vmmob = vmmob_get();
    if (vmmob) {
        const struct vmmob_table *table = vmmob->table;
        const struct vmmob_ofs **ofss = vmmob_sort_ofss(table);

        rows = xmalloc(vmmob_table_n_ofss(table) * sizeof *rows);
        for (size_t i = 0; i < vmmob_table_n_ofss(table); i++) {
            if (!job->id || ofss[i]->id == job->id) {
                struct ofs_row *row = &rows[(*n)++];

                vmmob_ofs_clone(&row->ofs, ofss[i]);
                row->status
                    = (vmmob_handover_find_ofs(vmmob->handover, ofss[i]->id)
                       ? "here" : ofss[i]->stale ? "stale" : "remote");
            }
        }
        free(ofss);
    }
    ovs_mutex_unlock(&vmmob_mutex);
    return rows;
}

static void
ofs_to_text(const struct ofs_row *row, struct ds *s)
{
    const struct vmmob_ofs *ofs = &row->ofs;
    char *gateway = vmmob_addr_to_string(&ofs->gateway, "-");

    ds_put_format(s, VMMOB_OFS_ID_FMT"  %-8s  %-6s  "ETH_ADDR_FMT"  ", ofs->id,
                  ofs->site[0] ? ofs->site : "-", row->status,
                  ETH_ADDR_ARGS(ofs->mac));
    vmmob_prefix_format(&ofs->uplink, s);
    ds_put_format(s, "  gateway %s", gateway);
    if (!eth_addr_is_zero(ofs->gateway_mac)) {
        ds_put_format(s, " at "ETH_ADDR_FMT, ETH_ADDR_ARGS(ofs->gateway_mac));
    }
    ds_put_cstr(s, "  pool");
    for (size_t i = 0; i < ofs->n_pools; i++) {
        ds_put_char(s, ' ');
        vmmob_prefix_format(&ofs->pools[i], s);
    }
    ds_put_char(s, '\n');
    free(gateway);
}

static struct json *
ofs_to_json(const struct ofs_row *row)
{
    struct json *json = vmmob_ofs_to_json(&row->ofs);

    json_object_put_string(json, "status", row->status);
    return json;
}
