/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "vmmob-msg.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "jsonrpc.h"
#include "openvswitch/json.h"
#include "util.h"
#include "vmmob-compat.h"
#include "vmmob-json.h"
#include "vmmob-stats.h"

static void put_networks(struct json *, const char *name,
                         const struct vmmob_network_ids *);
static char *decode_update(const struct json *, struct vmmob_msg *);
static struct vmmob_network_ids *object_get_networks(struct vmmob_object *,
                                                     const char *name);
static char *row_id_from_json(const struct json *, struct vmmob_row_id *);
static char *ofs_id_from_json(const struct json *, uint64_t *id);
static char *port_name_from_json(const struct json *, char **);

static const char *const method_names[] = {
    [VMMOB_MSG_BEGIN] = "begin",
    [VMMOB_MSG_UPDATE] = "update",
    [VMMOB_MSG_END] = "end",
};

/* Initializes 'msg' as a message of the given 'type' without any rows.  The
 * caller must eventually free what it owns with vmmob_msg_uninit(). */
void
vmmob_msg_init(struct vmmob_msg *msg, enum vmmob_msg_type type)
{
    *msg = (struct vmmob_msg) { .type = type };
}

/* Frees what 'msg' owns, but not 'msg' itself. */
void
vmmob_msg_uninit(struct vmmob_msg *msg)
{
    if (msg) {
        for (size_t i = 0; i < msg->n_vmns; i++) {
            vmmob_vmn_destroy(&msg->vmns[i]);
        }
        free(msg->vmns);
        for (size_t i = 0; i < msg->n_ofss; i++) {
            vmmob_ofs_destroy(&msg->ofss[i]);
        }
        free(msg->ofss);
        for (size_t i = 0; i < msg->n_ports; i++) {
            vmmob_port_destroy(&msg->ports[i]);
        }
        free(msg->ports);
        free(msg->del_vmns);
        free(msg->del_ofss);
        for (size_t i = 0; i < msg->n_del_ports; i++) {
            free(msg->del_ports[i]);
        }
        free(msg->del_ports);
        vmmob_network_ids_destroy(msg->want_networks);
        free(msg->want_networks);
        vmmob_network_ids_destroy(msg->have_networks);
        free(msg->have_networks);
        vmmob_stats_destroy(msg->stats);
        free(msg->stats);
    }
}

/* Returns true if 'msg' is an update that says nothing.  It need not be
 * sent. */
bool
vmmob_msg_is_empty(const struct vmmob_msg *msg)
{
    return (msg->type == VMMOB_MSG_UPDATE && !vmmob_msg_n_rows(msg)
            && !msg->want_networks && !msg->have_networks && !msg->partial
            && !msg->want_stats && !msg->stats);
}

/* Returns the number of rows in 'msg', those to put and those to remove. */
size_t
vmmob_msg_n_rows(const struct vmmob_msg *msg)
{
    return (msg->n_vmns + msg->n_ofss + msg->n_ports + msg->n_del_vmns
            + msg->n_del_ofss + msg->n_del_ports);
}

/* Splits 'msg', of type VMMOB_MSG_UPDATE, for sending.  '*at' must be 0 at
 * first.  Stores the next rows of 'msg', VMMOB_MSG_MAX_ROWS at most, in
 * 'piece', which borrows them: the caller does not free it.  Returns false if
 * there are no more. */
bool
vmmob_msg_next_piece(const struct vmmob_msg *msg, size_t *at,
                     struct vmmob_msg *piece)
{
    size_t skip = *at;
    size_t room = VMMOB_MSG_MAX_ROWS;

    if (skip ? skip >= vmmob_msg_n_rows(msg) : vmmob_msg_is_empty(msg)) {
        return false;
    }
    *at += VMMOB_MSG_MAX_ROWS;

    vmmob_msg_init(piece, VMMOB_MSG_UPDATE);
    if (!skip) {
        piece->want_networks = msg->want_networks;
        piece->have_networks = msg->have_networks;
        piece->partial = msg->partial;
        piece->want_stats = msg->want_stats;
        piece->stats = msg->stats;
    }
#define TAKE(MEMBER)                                                    \
    if (skip < msg->n_##MEMBER) {                                       \
        piece->MEMBER = msg->MEMBER + skip;                             \
        piece->n_##MEMBER = MIN(room, msg->n_##MEMBER - skip);          \
        room -= piece->n_##MEMBER;                                      \
        skip = 0;                                                       \
    } else {                                                            \
        skip -= msg->n_##MEMBER;                                        \
    }
    TAKE(ofss);
    TAKE(vmns);
    TAKE(del_vmns);
    TAKE(del_ofss);
    TAKE(ports);
    TAKE(del_ports);
#undef TAKE
    return true;
}

/* Adds to 'msg', an update, that there is a row 'vmn'. */
void
vmmob_msg_put_vmn(struct vmmob_msg *msg, const struct vmmob_vmn *vmn)
{
    if (msg->n_vmns >= msg->allocated_vmns) {
        msg->vmns = x2nrealloc(msg->vmns, &msg->allocated_vmns,
                               sizeof *msg->vmns);
    }
    vmmob_vmn_clone(&msg->vmns[msg->n_vmns++], vmn);
}

/* Adds to 'msg', an update, that there is a row 'ofs'. */
void
vmmob_msg_put_ofs(struct vmmob_msg *msg, const struct vmmob_ofs *ofs)
{
    if (msg->n_ofss >= msg->allocated_ofss) {
        msg->ofss = x2nrealloc(msg->ofss, &msg->allocated_ofss,
                               sizeof *msg->ofss);
    }
    vmmob_ofs_clone(&msg->ofss[msg->n_ofss++], ofs);
}

/* Adds to 'msg', an update, that the row for 'key' that 'ofs' wrote is
 * gone. */
void
vmmob_msg_del_vmn(struct vmmob_msg *msg, const struct vmmob_key *key,
                  uint64_t ofs)
{
    if (msg->n_del_vmns >= msg->allocated_del_vmns) {
        msg->del_vmns = x2nrealloc(msg->del_vmns, &msg->allocated_del_vmns,
                                   sizeof *msg->del_vmns);
    }
    msg->del_vmns[msg->n_del_vmns++] = (struct vmmob_row_id) {
        .key = *key,
        .ofs = ofs,
    };
}

/* Adds to 'msg', an update, that the OFS with the given 'id' is gone. */
void
vmmob_msg_del_ofs(struct vmmob_msg *msg, uint64_t id)
{
    if (msg->n_del_ofss >= msg->allocated_del_ofss) {
        msg->del_ofss = x2nrealloc(msg->del_ofss, &msg->allocated_del_ofss,
                                   sizeof *msg->del_ofss);
    }
    msg->del_ofss[msg->n_del_ofss++] = id;
}

/* Adds to 'msg', an update, that there is a row 'port'. */
void
vmmob_msg_put_port(struct vmmob_msg *msg, const struct vmmob_port *port)
{
    if (msg->n_ports >= msg->allocated_ports) {
        msg->ports = x2nrealloc(msg->ports, &msg->allocated_ports,
                                sizeof *msg->ports);
    }
    vmmob_port_clone(&msg->ports[msg->n_ports++], port);
}

/* Adds to 'msg', an update, that there is no row for the port 'name' any
 * more. */
void
vmmob_msg_del_port(struct vmmob_msg *msg, const char *name)
{
    if (msg->n_del_ports >= msg->allocated_del_ports) {
        msg->del_ports = x2nrealloc(msg->del_ports, &msg->allocated_del_ports,
                                    sizeof *msg->del_ports);
    }
    msg->del_ports[msg->n_del_ports++] = xstrdup(name);
}

/* Returns 'msg' as a JSON-RPC notification, which the caller owns (and
 * normally passes to jsonrpc_send()).  Its rows must be valid. */
struct jsonrpc_msg *
vmmob_msg_encode(const struct vmmob_msg *msg)
{
    struct json *params = json_array_create_empty();

    if (msg->type == VMMOB_MSG_UPDATE) {
        struct json *update = json_object_create();

        if (msg->n_vmns) {
            struct json *vmns = json_array_create_empty();

            for (size_t i = 0; i < msg->n_vmns; i++) {
                json_array_add(vmns, vmmob_vmn_to_json(&msg->vmns[i]));
            }
            json_object_put(update, "vmns", vmns);
        }
        if (msg->n_ofss) {
            struct json *ofss = json_array_create_empty();

            for (size_t i = 0; i < msg->n_ofss; i++) {
                json_array_add(ofss, vmmob_ofs_to_json(&msg->ofss[i]));
            }
            json_object_put(update, "ofss", ofss);
        }
        if (msg->n_del_vmns) {
            struct json *del_vmns = json_array_create_empty();

            for (size_t i = 0; i < msg->n_del_vmns; i++) {
                const struct vmmob_row_id *id = &msg->del_vmns[i];
                struct json *object = json_object_create();

                vmmob_json_put_key(object, &id->key, id->ofs);
                json_array_add(del_vmns, object);
            }
            json_object_put(update, "del_vmns", del_vmns);
        }
        if (msg->n_del_ofss) {
            struct json *del_ofss = json_array_create_empty();

            for (size_t i = 0; i < msg->n_del_ofss; i++) {
                json_array_add(del_ofss,
                               vmmob_ofs_id_to_json(msg->del_ofss[i]));
            }
            json_object_put(update, "del_ofss", del_ofss);
        }
        if (msg->n_ports) {
            struct json *ports = json_array_create_empty();

            for (size_t i = 0; i < msg->n_ports; i++) {
                json_array_add(ports, vmmob_port_to_json(&msg->ports[i]));
            }
            json_object_put(update, "ports", ports);
        }
        if (msg->n_del_ports) {
            struct json *del_ports = json_array_create_empty();

            for (size_t i = 0; i < msg->n_del_ports; i++) {
                json_array_add(del_ports,
                               json_string_create(msg->del_ports[i]));
            }
            json_object_put(update, "del_ports", del_ports);
        }
        put_networks(update, "want_networks", msg->want_networks);
        put_networks(update, "have_networks", msg->have_networks);
        if (msg->partial) {
            json_object_put(update, "partial", json_boolean_create(true));
        }
        if (msg->want_stats) {
            json_object_put(update, "want_stats", json_boolean_create(true));
        }
        if (msg->stats) {
            json_object_put(update, "stats", vmmob_stats_to_json(msg->stats));
        }
        json_array_add(params, update);
    }
    return jsonrpc_create_notify(method_names[msg->type], params);
}

/* Sets the member 'name' of 'update' to 'set', unless that is null. */
static void
put_networks(struct json *update, const char *name,
             const struct vmmob_network_ids *set)
{
    if (set) {
        struct json *ids = json_array_create_empty();

        ovs_assert(!set->all);
        for (size_t i = 0; i < set->n; i++) {
            json_array_add(ids, json_integer_create(set->ids[i]));
        }
        json_object_put(update, name, ids);
    }
}

/* Decodes 'rpc' into '*msg', which need not be initialized.  The rows in it
 * are valid.
 *
 * Returns NULL if successful; then the caller must eventually free what '*msg'
 * owns with vmmob_msg_uninit().  Otherwise, returns an error message that the
 * caller must free(); then '*msg' is a message without rows, which it does no
 * harm to pass to vmmob_msg_uninit().  One bad row makes the message bad. */
char *
vmmob_msg_decode(const struct jsonrpc_msg *rpc, struct vmmob_msg *msg)
{
    size_t n_params;
    char *error;
    size_t type;

    vmmob_msg_init(msg, VMMOB_MSG_END);
    if (rpc->type != JSONRPC_NOTIFY) {
        return xasprintf("unexpected JSON-RPC %s",
                         jsonrpc_msg_type_to_string(rpc->type));
    }
    for (type = 0; type < ARRAY_SIZE(method_names); type++) {
        if (!strcmp(rpc->method, method_names[type])) {
            break;
        }
    }
    if (type >= ARRAY_SIZE(method_names)) {
        return vmmob_json_error("unknown method \"%.32s\"", rpc->method);
    }

    n_params = type == VMMOB_MSG_UPDATE;
    if (!rpc->params || rpc->params->type != JSON_ARRAY
        || json_array_size(rpc->params) != n_params) {
        return xasprintf("\"%s\" does not have exactly %"PRIuSIZE" parameters",
                         method_names[type], n_params);
    }
    msg->type = type;
    if (type != VMMOB_MSG_UPDATE) {
        return NULL;
    }

    error = decode_update(json_array_at(rpc->params, 0), msg);
    if (error) {
        vmmob_msg_uninit(msg);
        vmmob_msg_init(msg, VMMOB_MSG_END);
    }
    return error;
}

/* Decoding. */

/* Decodes 'json', the parameter of an "update", into 'msg', which must not
 * have rows yet.  Returns NULL if successful, otherwise an error message that
 * the caller must free(); then 'msg' has the rows that came before the
 * error. */
static char *
decode_update(const struct json *json, struct vmmob_msg *msg)
{
    const struct json *vmns, *ofss, *del_vmns, *del_ofss, *ports, *del_ports;
    struct vmmob_object object;

    vmmob_object_init(&object, json);
    vmns = vmmob_object_get_rows(&object, "vmns");
    ofss = vmmob_object_get_rows(&object, "ofss");
    del_vmns = vmmob_object_get_rows(&object, "del_vmns");
    del_ofss = vmmob_object_get_rows(&object, "del_ofss");
    ports = vmmob_object_get_rows(&object, "ports");
    del_ports = vmmob_object_get_rows(&object, "del_ports");
    msg->want_networks = object_get_networks(&object, "want_networks");
    msg->have_networks = object_get_networks(&object, "have_networks");
    msg->partial = vmmob_object_get_flag(&object, "partial");
    msg->want_stats = vmmob_object_get_flag(&object, "want_stats");
    if (object.error) {
        return object.error;
    }

    const struct json *stats = shash_find_data(json->object, "stats");
    if (stats) {
        msg->stats = xmalloc(sizeof *msg->stats);

        char *error = vmmob_stats_from_json(stats, msg->stats);
        if (error) {
            free(msg->stats);
            msg->stats = NULL;
            return error;
        }
    }

#define DECODE_ROWS(NAME, FROM_JSON)                                        \
    do {                                                                    \
        msg->allocated_##NAME = vmmob_json_size(NAME);                      \
        msg->NAME = xcalloc(msg->allocated_##NAME, sizeof *msg->NAME);      \
        for (size_t i = 0; i < msg->allocated_##NAME; i++) {                \
            char *error = FROM_JSON(json_array_at(NAME, i), &msg->NAME[i]); \
                                                                            \
            if (error) {                                                    \
                char *new_error = xasprintf("%s[%"PRIuSIZE"]: %s",          \
                                            #NAME, i, error);               \
                free(error);                                                \
                return new_error;                                           \
            }                                                               \
            msg->n_##NAME++;                                                \
        }                                                                   \
    } while (0)

    DECODE_ROWS(vmns, vmmob_vmn_from_json);
    DECODE_ROWS(ofss, vmmob_ofs_from_json);
    DECODE_ROWS(del_vmns, row_id_from_json);
    DECODE_ROWS(del_ofss, ofs_id_from_json);
    DECODE_ROWS(ports, vmmob_port_from_json);
    DECODE_ROWS(del_ports, port_name_from_json);
#undef DECODE_ROWS

    return NULL;
}

/* Returns the member 'name' of 'object', ids of networks in any order, which
 * the caller owns, or NULL if there is none or on error. */
static struct vmmob_network_ids *
object_get_networks(struct vmmob_object *object, const char *name)
{
    const struct json *array = vmmob_object_get_rows(object, name);
    size_t n = vmmob_json_size(array);
    struct vmmob_network_ids *set;
    uint32_t *ids;

    if (n > VMMOB_MSG_MAX_NETWORKS) {
        vmmob_object_fail(object, "\"%s\" has %"PRIuSIZE" elements, more "
                          "than %d", name, n, VMMOB_MSG_MAX_NETWORKS);
    }
    if (!array || object->error) {
        return NULL;
    }
    ids = xmalloc(n * sizeof *ids);
    for (size_t i = 0; i < n; i++) {
        const struct json *json = json_array_at(array, i);

        if (json->type != JSON_INTEGER
            || json->integer < 0 || json->integer > UINT32_MAX) {
            vmmob_object_fail(object, "\"%s\" has an element that is not from "
                              "0 to %"PRIu32, name, UINT32_MAX);
            free(ids);
            return NULL;
        }
        ids[i] = json->integer;
    }
    set = xmalloc(sizeof *set);
    vmmob_network_ids_init(set, ids, n);
    free(ids);
    return set;
}

static char *
row_id_from_json(const struct json *json, struct vmmob_row_id *id)
{
    struct vmmob_object object;

    vmmob_object_init(&object, json);
    *id = (struct vmmob_row_id) {
        .key.tenant = vmmob_object_get_integer(&object, "tenant", UINT32_MAX),
        .key.mac = vmmob_object_get_mac(&object, "mac"),
        .ofs = vmmob_object_get_ofs_id(&object, "ofs"),
    };
    return object.error;
}

static char *
ofs_id_from_json(const struct json *json, uint64_t *id)
{
    if (json->type != JSON_STRING) {
        return vmmob_json_error("not string but %s",
                                vmmob_json_type_to_string(json->type));
    } else if (!vmmob_ofs_id_from_string(json_string(json), id)) {
        return vmmob_json_error("\"%.32s\" is not an OFS id",
                                json_string(json));
    }
    return NULL;
}

static char *
port_name_from_json(const struct json *json, char **name)
{
    if (json->type != JSON_STRING) {
        return vmmob_json_error("not string but %s",
                                vmmob_json_type_to_string(json->type));
    } else if (!json_string(json)[0]
               || strlen(json_string(json)) > VMMOB_MAX_PORT_NAME) {
        return xasprintf("name of port is not 1 to %d bytes long",
                         VMMOB_MAX_PORT_NAME);
    }
    *name = xstrdup(json_string(json));
    return NULL;
}
