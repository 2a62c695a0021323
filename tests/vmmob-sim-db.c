/* SPDX-License-Identifier: Apache-2.0 */

/* Databases, and the clients' connections to them (lib/ovsdb-cs.h), on which
 * Open vSwitch's own IDL runs. */

#include <config.h>
#undef NDEBUG
#include "vmmob-sim.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "jsonrpc.h"
#include "openvswitch/json.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/shash.h"
#include "ovsdb-cs.h"
#include "util.h"
#include "uuid.h"
#include "vmmob-compat.h"

/* A set of rows. */
struct idset {
    struct hmap nodes;
};

struct idset_node {
    struct hmap_node node;
    struct uuid uuid;
};

/* A row as it was before a transaction. */
struct sim_undo {
    struct uuid uuid;
    const char *table;
    struct json *columns;       /* NULL if it was not there. */
};

/* A transaction in the history. */
struct sim_entry {
    struct uuid id;
    struct uuid before;         /* Id of the one before. */
    struct sim_undo *undos;
    size_t n_undos;
};

/* A client, seen from the server. */
struct sim_client {
    struct ovs_list node;       /* In 'clients' of its sim_db. */
    struct sim_conn *conn;
    bool monitors;
    struct idset known;         /* The rows that it was told. */
    struct idset changed;       /* Those to tell it of. */
    long long int slow_until;   /* It is not told anything before that. */
};

sim_path_func *sim_get_path;

static void db_run(struct sim_proc *);
static void client_run(struct sim_db *, struct sim_client *);
static void client_close(struct sim_client *);
static void client_flush(struct sim_db *, struct sim_client *);
static void entry_undo(struct sim_db *, struct sim_entry *);
static void entry_destroy(struct sim_entry *);

/* Sets. */

static void
idset_init(struct idset *set)
{
    hmap_init(&set->nodes);
}

static struct idset_node *
idset_find(const struct idset *set, const struct uuid *uuid)
{
    struct idset_node *node;

    HMAP_FOR_EACH_WITH_HASH (node, node, uuid_hash(uuid), &set->nodes) {
        if (uuid_equals(&node->uuid, uuid)) {
            return node;
        }
    }
    return NULL;
}

static bool
idset_add(struct idset *set, const struct uuid *uuid)
{
    struct idset_node *node;

    if (idset_find(set, uuid)) {
        return false;
    }
    node = xmalloc(sizeof *node);
    node->uuid = *uuid;
    hmap_insert(&set->nodes, &node->node, uuid_hash(uuid));
    return true;
}

static void
idset_remove(struct idset *set, const struct uuid *uuid)
{
    struct idset_node *node = idset_find(set, uuid);

    if (node) {
        hmap_remove(&set->nodes, &node->node);
        free(node);
    }
}

static void
idset_clear(struct idset *set)
{
    struct idset_node *node;

    HMAP_FOR_EACH_POP (node, node, &set->nodes) {
        free(node);
    }
}

static void
idset_destroy(struct idset *set)
{
    idset_clear(set);
    hmap_destroy(&set->nodes);
}

/* Rows. */

static struct sim_row *
row_find(const struct sim_db *db, const struct uuid *uuid)
{
    struct sim_row *row;

    HMAP_FOR_EACH_WITH_HASH (row, node, uuid_hash(uuid), &db->rows) {
        if (uuid_equals(&row->uuid, uuid)) {
            return row;
        }
    }
    return NULL;
}

/* Makes 'columns', which it takes, those of the row 'uuid', or removes the row
 * if 'columns' is NULL. */
static void
row_put(struct sim_db *db, const struct uuid *uuid, const char *table,
        struct json *columns)
{
    struct sim_row *row = row_find(db, uuid);

    if (row) {
        json_destroy(row->columns);
        row->columns = columns;
        if (!columns) {
            hmap_remove(&db->rows, &row->node);
            free(row);
        }
    } else if (columns) {
        row = xmalloc(sizeof *row);
        row->uuid = *uuid;
        row->table = table;
        row->columns = columns;
        hmap_insert(&db->rows, &row->node, uuid_hash(uuid));
    }
}

static const char *
table_name(const char *name)
{
    return (!strcmp(name, "VMN") ? "VMN"
            : !strcmp(name, "OFS") ? "OFS"
            : !strcmp(name, "Open_vSwitch") ? "Open_vSwitch"
            : (sim_fail("unexpected table %s", name), ""));
}

static bool
same_column(const struct sim_row *a, const struct sim_row *b, const char *name)
{
    const struct json *ja = shash_find_data(json_object(a->columns), name);
    const struct json *jb = shash_find_data(json_object(b->columns), name);

    return ja && jb ? json_equal(ja, jb) : ja == jb;
}

/* Returns true if the index of the table of 'row' does not allow it. */
static bool
row_is_double(const struct sim_db *db, const struct sim_row *row)
{
    const struct sim_row *other;

    HMAP_FOR_EACH (other, node, &db->rows) {
        if (other != row && other->table == row->table
            && (row->table[0] == 'V'
                ? (same_column(row, other, "tenant")
                   && same_column(row, other, "mac")
                   && same_column(row, other, "ofs"))
                : same_column(row, other, "datapath_id"))) {
            return true;
        }
    }
    return false;
}

/* Databases. */

void
sim_db_create(struct sim_db *db, const char *name)
{
    memset(db, 0, sizeof *db);
    sim_proc_init(&db->proc, name, db_run);
    db->proc.alive = true;
    hmap_init(&db->rows);
    ovs_list_init(&db->clients);
    uuid_generate(&db->last_id);
}

static void
db_forget_history(struct sim_db *db)
{
    for (size_t i = 0; i < db->n_history; i++) {
        entry_destroy(&db->history[i]);
    }
    db->n_history = 0;
}

static void
db_clear(struct sim_db *db)
{
    struct sim_row *row;

    HMAP_FOR_EACH_SAFE (row, node, &db->rows) {
        row_put(db, &row->uuid, row->table, NULL);
    }
}

void
sim_db_destroy(struct sim_db *db)
{
    sim_db_kill(db);
    db_forget_history(db);
    free(db->history);
    db_clear(db);
    hmap_destroy(&db->rows);
    sim_proc_destroy(&db->proc);
}

void
sim_db_kill(struct sim_db *db)
{
    struct sim_client *client;

    db->proc.alive = false;
    LIST_FOR_EACH_SAFE (client, node, &db->clients) {
        client_close(client);
    }
}

void
sim_db_restart(struct sim_db *db, enum sim_loss loss)
{
    switch (loss) {
    case SIM_LOSE_NOTHING:
        break;

    case SIM_LOSE_HISTORY:
        db_forget_history(db);
        break;

    case SIM_LOSE_LATEST:
        for (int n = sim_range(1, 4); n && db->n_history; n--) {
            struct sim_entry *entry = &db->history[--db->n_history];

            entry_undo(db, entry);
            db->last_id = entry->before;
            entry_destroy(entry);
        }
        break;

    case SIM_LOSE_ALL:
        db_forget_history(db);
        db_clear(db);
        uuid_generate(&db->last_id);
        break;
    }
    db->proc.alive = true;
    db->refuse_until = 0;
    sim_wake(&db->proc, sim_now);
}

/* Those who read from 'db' now are told nothing until 'until'. */
void
sim_db_slow_down(struct sim_db *db, long long int until)
{
    struct sim_client *client;

    LIST_FOR_EACH (client, node, &db->clients) {
        if (sim_chance(50)) {
            client->slow_until = until;
        }
    }
}

static void
db_run(struct sim_proc *proc)
{
    struct sim_db *db = CONTAINER_OF(proc, struct sim_db, proc);
    struct sim_client *client;

    LIST_FOR_EACH_SAFE (client, node, &db->clients) {
        client_run(db, client);
    }
    LIST_FOR_EACH (client, node, &db->clients) {
        sim_conn_wait(client->conn, 1);
        if (!hmap_is_empty(&client->changed.nodes)) {
            poll_timer_wait_until(client->slow_until);
        }
    }
}

/* Transactions. */

static void
undo_add(struct sim_db *db, struct sim_entry *entry, const struct uuid *uuid,
         const char *table)
{
    const struct sim_row *row = row_find(db, uuid);

    entry->undos = xrealloc(entry->undos,
                            (entry->n_undos + 1) * sizeof *entry->undos);
    entry->undos[entry->n_undos++] = (struct sim_undo) {
        .uuid = *uuid, .table = table,
        .columns = row ? json_clone(row->columns) : NULL,
    };
}

static void
entry_undo(struct sim_db *db, struct sim_entry *entry)
{
    while (entry->n_undos) {
        struct sim_undo *u = &entry->undos[--entry->n_undos];

        row_put(db, &u->uuid, u->table, u->columns);
    }
}

static void
entry_destroy(struct sim_entry *entry)
{
    for (size_t i = 0; i < entry->n_undos; i++) {
        json_destroy(entry->undos[i].columns);
    }
    free(entry->undos);
}

/* Ends the transaction 'entry', which it takes. */
static void
db_commit(struct sim_db *db, struct sim_entry *entry)
{
    struct sim_client *client;

    if (!entry->n_undos) {
        return;
    }
    uuid_generate(&entry->id);
    entry->before = db->last_id;
    db->last_id = entry->id;
    if (db->n_history >= db->allocated_history) {
        db->history = x2nrealloc(db->history, &db->allocated_history,
                                 sizeof *db->history);
    }
    db->history[db->n_history++] = *entry;
    db->n_txns++;

    LIST_FOR_EACH (client, node, &db->clients) {
        for (size_t i = 0; client->monitors && i < entry->n_undos; i++) {
            idset_add(&client->changed, &entry->undos[i].uuid);
        }
    }
}

static const struct json *
member(const struct json *json, const char *name)
{
    return shash_find_data(json_object(json), name);
}

/* Returns the columns 'old' with those in 'new' instead.  'old' may be
 * NULL. */
static struct json *
merge_columns(const struct json *old, const struct json *new)
{
    struct json *merged = json_object_create();
    const struct shash_node *node;

    if (old) {
        SHASH_FOR_EACH (node, json_object(old)) {
            json_object_put(merged, node->name, json_clone(node->data));
        }
    }
    SHASH_FOR_EACH (node, json_object(new)) {
        json_object_put(merged, node->name, json_clone(node->data));
    }
    return merged;
}

static struct json *
error_json(const char *error)
{
    struct json *json = json_object_create();

    json_object_put_string(json, "error", error);
    json_object_put_string(json, "details", "simulated");
    return json;
}

/* Does the operation 'op', noting in 'entry' what was before.  Returns its
 * result. */
static struct json *
execute_op(struct sim_db *db, const struct json *op, struct sim_entry *entry)
{
    const char *what = json_string(member(op, "op"));
    const char *table = table_name(json_string(member(op, "table")));
    struct json *result = json_object_create();
    struct uuid uuid;

    if (!strcmp(what, "insert")) {
        uuid_generate(&uuid);
        undo_add(db, entry, &uuid, table);
        row_put(db, &uuid, table, merge_columns(NULL, member(op, "row")));
        json_object_put(result, "uuid",
                        json_array_create_2(
                            json_string_create("uuid"),
                            json_string_create_nocopy(
                                xasprintf(UUID_FMT, UUID_ARGS(&uuid)))));
    } else {
        /* Always [["_uuid", "==", ["uuid", "..."]]]. */
        const struct json *where = json_array_at(member(op, "where"), 0);
        const char *s = json_string(json_array_at(json_array_at(where, 2), 1));
        const struct sim_row *row;

        ovs_assert(!strcmp(json_string(json_array_at(where, 0)), "_uuid"));
        ovs_assert(uuid_from_string(&uuid, s));
        row = row_find(db, &uuid);
        json_object_put(result, "count", json_integer_create(row != NULL));
        if (row && !strcmp(what, "delete")) {
            undo_add(db, entry, &uuid, table);
            row_put(db, &uuid, table, NULL);
        } else if (row && !strcmp(what, "update")) {
            undo_add(db, entry, &uuid, table);
            row_put(db, &uuid, table,
                    merge_columns(row->columns, member(op, "row")));
        } else if (row) {
            sim_fail("unexpected operation %s", what);
        }
    }
    return result;
}

/* Executes the "transact" request 'request'.  Returns the reply. */
static struct jsonrpc_msg *
execute(struct sim_db *db, const struct jsonrpc_msg *request)
{
    const struct json *ops = request->params;
    struct sim_entry entry = { .n_undos = 0 };
    struct json *results = json_array_create_empty();
    bool doubled = false;

    if (db->refuse_until > sim_now) {
        sim_trace("%s: refuses a transaction", db->proc.name);
        json_array_add(results, error_json("I/O error"));
        return jsonrpc_create_reply(results, request->id);
    }

    /* The first one is the name of the database. */
    for (size_t i = 1; i < json_array_size(ops); i++) {
        json_array_add(results, execute_op(db, json_array_at(ops, i),
                                           &entry));
    }
    for (size_t i = 0; i < entry.n_undos; i++) {
        const struct sim_row *row = row_find(db, &entry.undos[i].uuid);

        doubled = doubled || (row && row_is_double(db, row));
    }
    if (sim_verbose) {
        char *s = json_to_string(request->params, JSSF_SORT);

        sim_trace("%s: transaction%s %s", db->proc.name,
                  doubled ? " refused:" : "", s);
        free(s);
    }
    if (doubled) {
        entry_undo(db, &entry);
        entry_destroy(&entry);
        json_array_add(results, error_json("constraint violation"));
    } else {
        db_commit(db, &entry);
    }
    return jsonrpc_create_reply(results, request->id);
}

/* What the administrator does. */

void
sim_db_insert(struct sim_db *db, const char *table, struct json *columns)
{
    struct sim_entry entry = { .n_undos = 0 };
    struct uuid uuid;

    uuid_generate(&uuid);
    undo_add(db, &entry, &uuid, table_name(table));
    row_put(db, &uuid, table_name(table), columns);
    db_commit(db, &entry);
    sim_wake(&db->proc, sim_now);
}

/* Sets 'column' in every row of 'table'. */
void
sim_db_update(struct sim_db *db, const char *table, const char *column,
              struct json *value)
{
    struct sim_entry entry = { .n_undos = 0 };
    struct json *new = json_object_create();
    struct sim_row *row;

    json_object_put(new, column, value);
    HMAP_FOR_EACH (row, node, &db->rows) {
        if (row->table == table_name(table)) {
            undo_add(db, &entry, &row->uuid, row->table);
            row_put(db, &row->uuid, row->table,
                    merge_columns(row->columns, new));
        }
    }
    json_destroy(new);
    db_commit(db, &entry);
    sim_wake(&db->proc, sim_now);
}

/* Clients, seen from the server. */

static void
client_close(struct sim_client *client)
{
    ovs_list_remove(&client->node);
    sim_conn_close(client->conn, 1);
    idset_destroy(&client->known);
    idset_destroy(&client->changed);
    free(client);
}

/* Returns the changes in 'client->changed' as <table-updates>, or NULL if
 * there is none. */
static struct json *
client_compose(struct sim_db *db, struct sim_client *client)
{
    struct json *updates = json_object_create();
    struct idset_node *in;

    HMAP_FOR_EACH_POP (in, node, &client->changed.nodes) {
        const struct sim_row *row = row_find(db, &in->uuid);
        bool known = idset_find(&client->known, &in->uuid) != NULL;
        struct json *table, *update;

        if (row || known) {
            /* Which table it was in, the client knows better: the uuid of a
             * row is in one table only. */
            const char *name = row ? row->table : NULL;

            for (size_t i = db->n_history; !name && i > 0; i--) {
                const struct sim_entry *entry = &db->history[i - 1];

                for (size_t j = 0; j < entry->n_undos; j++) {
                    if (uuid_equals(&entry->undos[j].uuid, &in->uuid)) {
                        name = entry->undos[j].table;
                    }
                }
            }
            ovs_assert(name);

            table = shash_find_data(json_object(updates), name);
            if (!table) {
                table = json_object_create();
                json_object_put(updates, name, table);
            }
            update = json_object_create();
            if (known) {
                json_object_put(update, "old", json_object_create());
            }
            if (row) {
                json_object_put(update, "new", json_clone(row->columns));
                idset_add(&client->known, &in->uuid);
            } else {
                idset_remove(&client->known, &in->uuid);
            }
            json_object_put_nocopy(table, xasprintf(UUID_FMT,
                                                    UUID_ARGS(&in->uuid)),
                                   update);
        }
        free(in);
    }
    if (shash_is_empty(json_object(updates))) {
        json_destroy(updates);
        return NULL;
    }
    return updates;
}

static void
client_flush(struct sim_db *db, struct sim_client *client)
{
    if (!hmap_is_empty(&client->changed.nodes)) {
        struct sim_msg *msg = sim_msg_create(SIM_UPDATE);

        msg->id = db->last_id;
        msg->json = client_compose(db, client);
        if (msg->json) {
            sim_conn_send(client->conn, 1, msg);
        } else {
            sim_msg_destroy(msg);
        }
    }
}

/* 'client' wants to know what is in 'db' and, if 'last' is nonnull, it knows
 * what was after that transaction. */
static void
client_monitor(struct sim_db *db, struct sim_client *client,
               const struct uuid *last)
{
    struct sim_msg *msg = sim_msg_create(SIM_CONTENTS);
    const struct sim_row *row;
    bool found = last && uuid_equals(last, &db->last_id);
    size_t i;

    client->monitors = true;
    for (i = db->n_history; last && !found && i > 0; i--) {
        found = uuid_equals(last, &db->history[i - 1].before);
    }
    if (!found) {
        msg->flag = true;
        HMAP_FOR_EACH (row, node, &db->rows) {
            idset_add(&client->changed, &row->uuid);
        }
    } else {
        HMAP_FOR_EACH (row, node, &db->rows) {
            idset_add(&client->known, &row->uuid);
        }
        if (!uuid_equals(last, &db->last_id)) {
            /* The earliest change to a row tells whether it was there. */
            for (size_t j = db->n_history; j > i; j--) {
                const struct sim_entry *entry = &db->history[j - 1];

                for (size_t k = entry->n_undos; k > 0; k--) {
                    const struct sim_undo *u = &entry->undos[k - 1];

                    idset_add(&client->changed, &u->uuid);
                    if (u->columns) {
                        idset_add(&client->known, &u->uuid);
                    } else {
                        idset_remove(&client->known, &u->uuid);
                    }
                }
            }
        }
    }
    msg->id = db->last_id;
    msg->json = client_compose(db, client);
    if (!msg->json) {
        msg->json = json_object_create();
    }
    sim_conn_send(client->conn, 1, msg);
}

/* May free 'client'. */
static void
client_run(struct sim_db *db, struct sim_client *client)
{
    struct sim_msg *msg;

    while ((msg = sim_conn_recv(client->conn, 1)) != NULL) {
        if (msg->type == SIM_MONITOR) {
            client_monitor(db, client, msg->flag ? &msg->id : NULL);
        } else {
            struct sim_msg *reply = sim_msg_create(SIM_REPLY);
            struct sim_client *c;

            reply->rpc = execute(db, msg->rpc);
            if (db->answers_first && sim_chance(50)) {
                sim_conn_send(client->conn, 1, reply);
                reply = NULL;
                client->slow_until = MAX(client->slow_until,
                                         sim_now + sim_random(20));
            }
            LIST_FOR_EACH (c, node, &db->clients) {
                if (c->slow_until > sim_now && (c != client || !reply)) {
                    sim_wake(&db->proc, c->slow_until);
                } else {
                    client_flush(db, c);
                }
            }
            if (reply) {
                sim_conn_send(client->conn, 1, reply);
            }
        }
        sim_msg_destroy(msg);
    }
    if (sim_conn_eof(client->conn, 1)) {
        client_close(client);
    } else if (client->slow_until <= sim_now) {
        client_flush(db, client);
    }
}

static struct sim_client *
client_create(struct sim_db *db, struct sim_conn *conn)
{
    struct sim_client *client = xzalloc(sizeof *client);

    client->conn = conn;
    idset_init(&client->known);
    idset_init(&client->changed);
    ovs_list_push_back(&db->clients, &client->node);
    return client;
}

/* Clients, seen from themselves: lib/ovsdb-cs.h. */

struct ovsdb_cs {
    const struct ovsdb_cs_ops *ops;
    void *ops_aux;
    struct sim_proc *proc;
    struct sim_db *db;          /* NULL before it is told the remote. */
    struct sim_conn *conn;      /* NULL while disconnected. */
    bool monitoring;
    bool has_last;
    struct uuid last_id;
    long long int next_try;
    unsigned int next_request;
};

struct ovsdb_cs *
sim_cs_create(const char *database OVS_UNUSED, int max_version OVS_UNUSED,
              const struct ovsdb_cs_ops *ops, void *ops_aux)
{
    struct ovsdb_cs *cs = xzalloc(sizeof *cs);

    cs->ops = ops;
    cs->ops_aux = ops_aux;
    cs->proc = sim_current;
    return cs;
}

static void
cs_disconnect(struct ovsdb_cs *cs)
{
    if (cs->conn) {
        sim_conn_close(cs->conn, 0);
        cs->conn = NULL;
    }
    cs->monitoring = false;
    cs->next_try = sim_now + sim_random(sim_chance(50) ? 20 : 1500);
}

void
sim_cs_destroy(struct ovsdb_cs *cs)
{
    if (cs) {
        cs_disconnect(cs);
        free(cs);
    }
}

void
sim_cs_set_remote(struct ovsdb_cs *cs, const char *remote, bool retry)
{
    struct sim_proc *proc = sim_proc_find(remote);

    ovs_assert(retry && proc);
    cs->db = CONTAINER_OF(proc, struct sim_db, proc);
}

static struct ovsdb_cs_event *
add_event(struct ovs_list *events, enum ovsdb_cs_event_type type)
{
    struct ovsdb_cs_event *event = xzalloc(sizeof *event);

    event->type = type;
    ovs_list_push_back(events, &event->list_node);
    return event;
}

/* Adds to 'schema' the names of the columns of 'table'. */
static void
add_table(struct json *schema, const char *table, const char *columns)
{
    struct json *members = json_object_create();
    struct json *json = json_object_create();
    char *copy = xstrdup(columns);
    char *save_ptr = NULL;

    for (char *s = strtok_r(copy, " ", &save_ptr); s;
         s = strtok_r(NULL, " ", &save_ptr)) {
        json_object_put(members, s, json_object_create());
    }
    free(copy);
    json_object_put(json, "columns", members);
    json_object_put(schema, table, json);
}

/* Tells the IDL which columns there are in the databases. */
static void
cs_tell_schema(struct ovsdb_cs *cs)
{
    struct json *schema = json_object_create();
    struct json *tables = json_object_create();

    add_table(tables, "Open_vSwitch", "external_ids");
    add_table(tables, "VM_Mobility", "connections external_ids");
    add_table(tables, "Connection", "target read_only external_ids");
    add_table(tables, "OFS", "datapath_id system_id site uplink_prefix "
              "uplink_mac gateway gateway_mac pools networks");
    add_table(tables, "VMN", "tenant mac ofs sequence state addresses "
              "system_id");
    json_object_put(schema, "tables", tables);
    json_destroy(cs->ops->compose_monitor_requests(schema, cs->ops_aux));
    json_destroy(schema);
}

void
sim_cs_run(struct ovsdb_cs *cs, struct ovs_list *events)
{
    struct ovsdb_cs_event *event;
    struct sim_msg *msg;

    ovs_list_init(events);
    if (!cs->conn && sim_now >= cs->next_try) {
        struct sim_path *path = sim_get_path(cs->proc, cs->db);

        if (!cs->db->proc.alive || (path && path->cut)) {
            cs->next_try = sim_now + sim_range(50, 2000);
            return;
        }
        cs->conn = sim_conn_open(cs->proc, &cs->db->proc, path);
        client_create(cs->db, cs->conn);
        add_event(events, OVSDB_CS_EVENT_TYPE_RECONNECT);

        msg = sim_msg_create(SIM_MONITOR);
        msg->flag = cs->has_last;
        msg->id = cs->last_id;
        sim_conn_send(cs->conn, 0, msg);
    }

    for (int i = 0; cs->conn && i < 50; i++) {
        msg = sim_conn_recv(cs->conn, 0);
        if (!msg) {
            break;
        }
        switch (msg->type) {
        case SIM_CONTENTS:
            if (!cs->has_last) {
                cs_tell_schema(cs);
            }
            /* Fall through. */
        case SIM_UPDATE:
            cs->has_last = true;
            cs->last_id = msg->id;
            event = add_event(events, OVSDB_CS_EVENT_TYPE_UPDATE);
            event->update = (struct ovsdb_cs_update_event) {
                .clear = msg->flag,
                .monitor_reply = msg->type == SIM_CONTENTS,
                .table_updates = msg->json,
                .version = 1,
            };
            msg->json = NULL;
            cs->monitoring = true;
            break;

        case SIM_REPLY:
            event = add_event(events, OVSDB_CS_EVENT_TYPE_TXN_REPLY);
            event->txn_reply = msg->rpc;
            msg->rpc = NULL;
            break;

        case SIM_RPC:
        case SIM_MONITOR:
        case SIM_TRANSACT:
        default:
            OVS_NOT_REACHED();
        }
        sim_msg_destroy(msg);
    }
    if (cs->conn && sim_conn_eof(cs->conn, 0)) {
        add_event(events, OVSDB_CS_EVENT_TYPE_RECONNECT);
        cs_disconnect(cs);
    }
}

void
sim_cs_wait(struct ovsdb_cs *cs)
{
    if (cs->conn) {
        sim_conn_wait(cs->conn, 0);
    } else {
        poll_timer_wait_until(cs->next_try);
    }
}

bool
sim_cs_is_connected(const struct ovsdb_cs *cs)
{
    return cs->conn != NULL;
}

bool
sim_cs_is_alive(const struct ovsdb_cs *cs OVS_UNUSED)
{
    return true;
}

bool
sim_cs_may_send_transaction(const struct ovsdb_cs *cs)
{
    return cs->conn && cs->monitoring;
}

struct json *
sim_cs_send_transaction(struct ovsdb_cs *cs, struct json *ops)
{
    struct sim_msg *msg = sim_msg_create(SIM_TRANSACT);
    struct json *id;

    msg->rpc = jsonrpc_create_request("transact", ops, NULL);
    json_destroy(msg->rpc->id);
    msg->rpc->id = json_integer_create(cs->next_request++);
    id = json_clone(msg->rpc->id);
    sim_conn_send(cs->conn, 0, msg);
    return id;
}

bool
sim_cs_forget_transaction(struct ovsdb_cs *cs OVS_UNUSED,
                          const struct json *id OVS_UNUSED)
{
    return true;
}

void
sim_cs_flag_inconsistency(struct ovsdb_cs *cs OVS_UNUSED)
{
    sim_fail("a database and what a client knows of it do not match");
}

/* What does not matter here. */

void
sim_cs_enable_reconnect(struct ovsdb_cs *cs OVS_UNUSED)
{
}

void
sim_cs_force_reconnect(struct ovsdb_cs *cs OVS_UNUSED)
{
}

int
sim_cs_get_last_error(const struct ovsdb_cs *cs OVS_UNUSED)
{
    return 0;
}

void
sim_cs_set_probe_interval(const struct ovsdb_cs *cs OVS_UNUSED,
                          int msec OVS_UNUSED)
{
}

unsigned int
sim_cs_set_condition(struct ovsdb_cs *cs OVS_UNUSED,
                     const char *table OVS_UNUSED,
                     const struct json *condition OVS_UNUSED)
{
    return 0;
}

/* Not in all releases' lib/ovsdb-cs.h. */
void sim_cs_clear_condition(struct ovsdb_cs *, const char *table);
void sim_cs_reset_last_id(struct ovsdb_cs *);

void
sim_cs_clear_condition(struct ovsdb_cs *cs OVS_UNUSED,
                       const char *table OVS_UNUSED)
{
}

void
sim_cs_reset_last_id(struct ovsdb_cs *cs)
{
    cs->has_last = false;
}

unsigned int
sim_cs_get_condition_seqno(const struct ovsdb_cs *cs OVS_UNUSED)
{
    return 0;
}

void
sim_cs_set_db_change_aware(struct ovsdb_cs *cs OVS_UNUSED,
                           bool aware OVS_UNUSED)
{
}

void
sim_cs_set_leader_only(struct ovsdb_cs *cs OVS_UNUSED,
                       bool leader_only OVS_UNUSED)
{
}

void
sim_cs_set_shuffle_remotes(struct ovsdb_cs *cs OVS_UNUSED,
                           bool shuffle OVS_UNUSED)
{
}

void
sim_cs_reset_min_index(struct ovsdb_cs *cs OVS_UNUSED)
{
}

void
sim_cs_set_lock(struct ovsdb_cs *cs OVS_UNUSED, const char *name OVS_UNUSED)
{
}

const char *
sim_cs_get_lock(const struct ovsdb_cs *cs OVS_UNUSED)
{
    return NULL;
}

bool
sim_cs_has_lock(const struct ovsdb_cs *cs OVS_UNUSED)
{
    return false;
}

bool
sim_cs_is_lock_contended(const struct ovsdb_cs *cs OVS_UNUSED)
{
    return false;
}
