/* SPDX-License-Identifier: Apache-2.0 */

/* The messages of lib/vmmob-msg.h, from and to JSON.
 *
 * What is decoded comes, in the end, from other sites, so nothing is taken for
 * granted: every type, every range, and by vmmob_vmn_validate() and
 * vmmob_ofs_validate() what the records promise.  What is decoded can go into
 * a table as it is. */

#include <config.h>

#include "vmmob-msg.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "jsonrpc.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "packets.h"
#include "util.h"
#include "vmmob-compat.h"
#include "vmmob-stats.h"

/* A JSON object that is being decoded.  Only the first error is kept.  After
 * an error the object_get_*() functions return harmless values, so that the
 * caller need check for it just once, in the end. */
struct object {
    const struct json *json;
    char *error;                /* Owned.  NULL if there was no error. */
};

static void object_init(struct object *, const struct json *);
static void object_fail(struct object *, const char *format, ...)
    OVS_PRINTF_FORMAT(2, 3);
static const char *object_get_string(struct object *, const char *name);
static uint64_t object_get_integer(struct object *, const char *name,
                                   uint64_t max);
static bool object_get_boolean(struct object *, const char *name);
static const struct json *object_get_array(struct object *, const char *name);
static const struct json *object_get_rows(struct object *, const char *name);
static size_t array_size(const struct json *);
static struct eth_addr object_get_mac(struct object *, const char *name);
static uint64_t object_get_ofs_id(struct object *, const char *name);
static struct in6_addr object_get_addr(struct object *, const char *name);
static struct vmmob_prefix object_get_prefix(struct object *,
                                             const char *name);
static void object_get_pairs(struct object *, struct vmmob_vmn *);
static void object_get_prefixes(struct object *, const char *name, size_t max,
                                struct vmmob_prefix **, size_t *n);
static void object_get_macs(struct object *, struct vmmob_port *);

static char *decode_update(const struct json *, struct vmmob_msg *);
static char *row_id_from_json(const struct json *, struct vmmob_row_id *);
static char *ofs_id_from_json(const struct json *, uint64_t *id);
static char *port_name_from_json(const struct json *, char **);

static const char *type_to_string(enum json_type);
static char *make_error(const char *format, va_list) OVS_PRINTF_FORMAT(1, 0);
static char *format_error(const char *format, ...) OVS_PRINTF_FORMAT(1, 2);

static void put_prefixes(struct json *, const char *name,
                         const struct vmmob_prefix *, size_t n);
static void put_key(struct json *, const struct vmmob_key *, uint64_t ofs);
static void put_mac(struct json *, const char *name, struct eth_addr);
static struct json *ofs_id_to_json(uint64_t id);
static struct json *addr_to_json(const struct in6_addr *);
static struct json *prefix_to_json(const struct vmmob_prefix *);

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
            && !msg->partial && !msg->want_stats && !msg->stats);
}

/* Returns the number of rows in 'msg', those to put and those to remove. */
size_t
vmmob_msg_n_rows(const struct vmmob_msg *msg)
{
    return (msg->n_vmns + msg->n_ofss + msg->n_ports + msg->n_del_vmns
            + msg->n_del_ofss + msg->n_del_ports);
}

/* Splits 'msg', of type VMMOB_MSG_UPDATE, for sending.  '*at' must be 0 at
 * first.  Stores what is next of 'msg', of at most VMMOB_MSG_MAX_ROWS rows, in
 * 'piece', which borrows it: the caller does not free it.  Returns false if
 * there is nothing more. */
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

/* Adds to 'msg', an update, that nothing is said of the port 'name' any
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

                put_key(object, &id->key, id->ofs);
                json_array_add(del_vmns, object);
            }
            json_object_put(update, "del_vmns", del_vmns);
        }
        if (msg->n_del_ofss) {
            struct json *del_ofss = json_array_create_empty();

            for (size_t i = 0; i < msg->n_del_ofss; i++) {
                json_array_add(del_ofss, ofs_id_to_json(msg->del_ofss[i]));
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
        return format_error("unknown method \"%.32s\"", rpc->method);
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

/* Returns 'vmn', which must be valid, as a JSON object, which the caller
 * owns. */
struct json *
vmmob_vmn_to_json(const struct vmmob_vmn *vmn)
{
    struct json *object = json_object_create();
    struct json *pairs = json_array_create_empty();

    put_key(object, &vmn->key, vmn->ofs);
    json_object_put(object, "seqno", json_integer_create(vmn->seqno));
    json_object_put_string(object, "state", vmmob_state_to_string(vmn->state));
    for (size_t i = 0; i < vmn->n_pairs; i++) {
        const struct vmmob_pair *pair = &vmn->pairs[i];

        json_array_add(pairs, json_array_create_2(addr_to_json(&pair->hoa),
                                                  addr_to_json(&pair->moa)));
    }
    json_object_put(object, "pairs", pairs);
    return object;
}

/* Decodes 'json' into '*vmn', which need not be initialized.  The pairs may
 * be in any order in 'json'.
 *
 * Returns NULL if successful; then '*vmn' is valid and the caller must
 * eventually destroy it with vmmob_vmn_destroy().  Otherwise, returns an error
 * message that the caller must free(); then '*vmn' is zeroed and owns
 * nothing. */
char *
vmmob_vmn_from_json(const struct json *json, struct vmmob_vmn *vmn)
{
    struct object object;
    const char *state;

    object_init(&object, json);
    *vmn = (struct vmmob_vmn) {
        .key.tenant = object_get_integer(&object, "tenant", UINT32_MAX),
        .key.mac = object_get_mac(&object, "mac"),
        .ofs = object_get_ofs_id(&object, "ofs"),
        .seqno = object_get_integer(&object, "seqno", VMMOB_MAX_SEQNO),
    };
    state = object_get_string(&object, "state");
    if (!vmmob_state_from_string(state, &vmn->state)) {
        object_fail(&object, "\"%.32s\" is not a state", state);
    }
    object_get_pairs(&object, vmn);

    if (!object.error) {
        object.error = vmmob_vmn_validate(vmn);
    }
    if (object.error) {
        vmmob_vmn_destroy(vmn);
        memset(vmn, 0, sizeof *vmn);
    }
    return object.error;
}

/* Returns 'ofs', which must be valid, as a JSON object, which the caller
 * owns. */
struct json *
vmmob_ofs_to_json(const struct vmmob_ofs *ofs)
{
    struct json *object = json_object_create();

    json_object_put(object, "id", ofs_id_to_json(ofs->id));
    json_object_put_string(object, "site", ofs->site);
    json_object_put(object, "uplink", prefix_to_json(&ofs->uplink));
    put_mac(object, "mac", ofs->mac);
    json_object_put(object, "gateway", addr_to_json(&ofs->gateway));
    put_mac(object, "gateway_mac", ofs->gateway_mac);
    put_prefixes(object, "pools", ofs->pools, ofs->n_pools);
    json_object_put(object, "stale", json_boolean_create(ofs->stale));
    return object;
}

/* Decodes 'json' into '*ofs', which need not be initialized.
 *
 * Returns NULL if successful; then '*ofs' is valid and the caller must
 * eventually destroy it with vmmob_ofs_destroy().  Otherwise, returns an error
 * message that the caller must free(); then '*ofs' is zeroed and owns
 * nothing. */
char *
vmmob_ofs_from_json(const struct json *json, struct vmmob_ofs *ofs)
{
    struct object object;

    object_init(&object, json);
    *ofs = (struct vmmob_ofs) {
        .id = object_get_ofs_id(&object, "id"),
        .site = xstrdup(object_get_string(&object, "site")),
        .uplink = object_get_prefix(&object, "uplink"),
        .mac = object_get_mac(&object, "mac"),
        .gateway = object_get_addr(&object, "gateway"),
        .gateway_mac = object_get_mac(&object, "gateway_mac"),
        .stale = object_get_boolean(&object, "stale"),
    };
    object_get_prefixes(&object, "pools", VMMOB_MAX_POOLS, &ofs->pools,
                        &ofs->n_pools);

    if (!object.error) {
        object.error = vmmob_ofs_validate(ofs);
    }
    if (object.error) {
        vmmob_ofs_destroy(ofs);
        memset(ofs, 0, sizeof *ofs);
    }
    return object.error;
}

/* Returns 'port', which must be valid, as a JSON object, which the caller
 * owns. */
struct json *
vmmob_port_to_json(const struct vmmob_port *port)
{
    struct json *object = json_object_create();
    struct json *macs = json_array_create_empty();

    json_object_put_string(object, "name", port->name);
    json_object_put_string(object, "iface_id", port->iface_id);
    put_mac(object, "attached_mac", port->attached_mac);
    json_object_put(object, "any", json_boolean_create(port->any));
    for (size_t i = 0; i < port->n_macs; i++) {
        json_array_add(macs, json_string_create_nocopy(
                           xasprintf(ETH_ADDR_FMT,
                                     ETH_ADDR_ARGS(port->macs[i]))));
    }
    json_object_put(object, "macs", macs);
    if (port->limited) {
        put_prefixes(object, "addresses", port->prefixes, port->n_prefixes);
    }
    return object;
}

/* Decodes 'json' into '*port', which need not be initialized.  The MAC
 * addresses may be in any order in 'json'.
 *
 * Returns NULL if successful; then '*port' is valid and the caller must
 * eventually destroy it with vmmob_port_destroy().  Otherwise, returns an
 * error message that the caller must free(); then '*port' is zeroed and owns
 * nothing. */
char *
vmmob_port_from_json(const struct json *json, struct vmmob_port *port)
{
    struct object object;

    object_init(&object, json);
    *port = (struct vmmob_port) {
        .name = xstrdup(object_get_string(&object, "name")),
        .iface_id = xstrdup(object_get_string(&object, "iface_id")),
        .attached_mac = object_get_mac(&object, "attached_mac"),
        .any = object_get_boolean(&object, "any"),
    };
    object_get_macs(&object, port);
    if (!object.error && shash_find(json->object, "addresses")) {
        port->limited = true;
        object_get_prefixes(&object, "addresses", VMMOB_MAX_PORT_PREFIXES,
                            &port->prefixes, &port->n_prefixes);
    }

    if (!object.error) {
        object.error = vmmob_port_validate(port);
    }
    if (object.error) {
        vmmob_port_destroy(port);
        memset(port, 0, sizeof *port);
    }
    return object.error;
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
    struct object object;

    object_init(&object, json);
    vmns = object_get_rows(&object, "vmns");
    ofss = object_get_rows(&object, "ofss");
    del_vmns = object_get_rows(&object, "del_vmns");
    del_ofss = object_get_rows(&object, "del_ofss");
    ports = object_get_rows(&object, "ports");
    del_ports = object_get_rows(&object, "del_ports");
    msg->partial = (!object.error && shash_find(json->object, "partial")
                    && object_get_boolean(&object, "partial"));
    msg->want_stats = (!object.error && shash_find(json->object, "want_stats")
                       && object_get_boolean(&object, "want_stats"));
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
        msg->allocated_##NAME = array_size(NAME);                           \
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

static char *
row_id_from_json(const struct json *json, struct vmmob_row_id *id)
{
    struct object object;

    object_init(&object, json);
    *id = (struct vmmob_row_id) {
        .key.tenant = object_get_integer(&object, "tenant", UINT32_MAX),
        .key.mac = object_get_mac(&object, "mac"),
        .ofs = object_get_ofs_id(&object, "ofs"),
    };
    return object.error;
}

static char *
ofs_id_from_json(const struct json *json, uint64_t *id)
{
    if (json->type != JSON_STRING) {
        return format_error("not string but %s", type_to_string(json->type));
    } else if (!vmmob_ofs_id_from_string(json_string(json), id)) {
        return format_error("\"%.32s\" is not an OFS id",
                            json_string(json));
    }
    return NULL;
}

static char *
port_name_from_json(const struct json *json, char **name)
{
    if (json->type != JSON_STRING) {
        return format_error("not string but %s", type_to_string(json->type));
    } else if (!json_string(json)[0]
               || strlen(json_string(json)) > VMMOB_MAX_PORT_NAME) {
        return xasprintf("name of port is not 1 to %d bytes long",
                         VMMOB_MAX_PORT_NAME);
    }
    *name = xstrdup(json_string(json));
    return NULL;
}

/* Like json_type_to_string(), but tells integers from other numbers and does
 * not tell true from false. */
static const char *
type_to_string(enum json_type type)
{
    return (type == JSON_INTEGER ? "integer"
            : type == JSON_TRUE || type == JSON_FALSE ? "boolean"
            : json_type_to_string(type));
}

/* Like xvasprintf(), but replaces what is not printable ASCII by "?".  Error
 * messages quote what another site sent, and they end up in logs. */
static char *
make_error(const char *format, va_list args)
{
    char *error = xvasprintf(format, args);

    for (char *p = error; *p; p++) {
        if (*p < 0x20 || *p > 0x7e) {
            *p = '?';
        }
    }
    return error;
}

/* Like make_error(), but for a variable number of arguments. */
static char *
format_error(const char *format, ...)
{
    va_list args;
    char *error;

    va_start(args, format);
    error = make_error(format, args);
    va_end(args);
    return error;
}

/* Starts to decode 'json'. */
static void
object_init(struct object *object, const struct json *json)
{
    object->json = json;
    object->error = NULL;
    if (json->type != JSON_OBJECT) {
        object_fail(object, "not object but %s",
                    type_to_string(json->type));
    }
}

/* Records an error, unless there was one already. */
static void
object_fail(struct object *object, const char *format, ...)
{
    if (!object->error) {
        va_list args;

        va_start(args, format);
        object->error = make_error(format, args);
        va_end(args);
    }
}

/* Returns the member 'name' of 'object', or NULL if there is none.  It is an
 * error if there is none, or if it is not of the given 'type'. */
static const struct json *
object_get(struct object *object, const char *name, enum json_type type)
{
    const struct json *member;

    if (object->error) {
        return NULL;
    }

    member = shash_find_data(object->json->object, name);
    if (!member) {
        object_fail(object, "\"%s\" is missing", name);
    } else if (member->type != type) {
        object_fail(object, "\"%s\" is not %s but %s", name,
                    type_to_string(type), type_to_string(member->type));
        member = NULL;
    }
    return member;
}

/* Returns the string 'name' of 'object', or an empty one on error.  It is not
 * for the caller to free(). */
static const char *
object_get_string(struct object *object, const char *name)
{
    const struct json *member = object_get(object, name, JSON_STRING);

    return member ? json_string(member) : "";
}

/* Returns the integer 'name' of 'object', which must be from 0 to 'max', or 0
 * on error. */
static uint64_t
object_get_integer(struct object *object, const char *name, uint64_t max)
{
    const struct json *member = object_get(object, name, JSON_INTEGER);

    if (!member) {
        return 0;
    } else if (member->integer < 0 || member->integer > max) {
        object_fail(object, "\"%s\" is not from 0 to %"PRIu64, name, max);
        return 0;
    }
    return member->integer;
}

static bool
object_get_boolean(struct object *object, const char *name)
{
    const struct json *member;

    if (object->error) {
        return false;
    }
    member = shash_find_data(object->json->object, name);
    if (member && member->type == JSON_FALSE) {
        return false;
    }
    return object_get(object, name, JSON_TRUE) != NULL;
}

/* Returns the array 'name' of 'object', or NULL on error. */
static const struct json *
object_get_array(struct object *object, const char *name)
{
    return object_get(object, name, JSON_ARRAY);
}

/* Returns the array 'name' of 'object', or NULL if there is none. */
static const struct json *
object_get_rows(struct object *object, const char *name)
{
    return (object->error || shash_find(object->json->object, name)
            ? object_get_array(object, name)
            : NULL);
}

/* Returns the number of elements of 'array', which may be NULL. */
static size_t
array_size(const struct json *array)
{
    return array ? json_array_size(array) : 0;
}

static struct eth_addr
object_get_mac(struct object *object, const char *name)
{
    const char *s = object_get_string(object, name);
    struct eth_addr mac = eth_addr_zero;

    if (!vmmob_mac_from_string(s, &mac)) {
        object_fail(object, "\"%s\" has \"%.32s\", not a MAC address",
                    name, s);
    }
    return mac;
}

static uint64_t
object_get_ofs_id(struct object *object, const char *name)
{
    const char *s = object_get_string(object, name);
    uint64_t id = 0;

    if (!vmmob_ofs_id_from_string(s, &id)) {
        object_fail(object, "\"%s\" has \"%.32s\", not an OFS id", name, s);
    }
    return id;
}

static struct in6_addr
object_get_addr(struct object *object, const char *name)
{
    const char *s = object_get_string(object, name);
    struct in6_addr addr = in6addr_any;

    if (!vmmob_addr_from_optional_string(s, &addr)) {
        object_fail(object, "\"%s\" has \"%.64s\", not an IP address",
                    name, s);
    }
    return addr;
}

static struct vmmob_prefix
object_get_prefix(struct object *object, const char *name)
{
    const char *s = object_get_string(object, name);
    struct vmmob_prefix prefix = { .plen = 0 };

    if (!object->error) {
        char *error = vmmob_prefix_parse(s, &prefix, NULL);

        if (error) {
            object_fail(object, "\"%s\" has %.128s", name, error);
            free(error);
        }
    }
    return prefix;
}

/* Sets the pairs of 'vmn', which must not have any yet, from 'object'. */
static void
object_get_pairs(struct object *object, struct vmmob_vmn *vmn)
{
    const struct json *pairs = object_get_array(object, "pairs");
    size_t n = array_size(pairs);

    if (n > VMMOB_MAX_PAIRS) {
        object_fail(object, "\"pairs\" has %"PRIuSIZE" elements, more than %d",
                    n, VMMOB_MAX_PAIRS);
    }
    for (size_t i = 0; !object->error && i < n; i++) {
        const struct json *pair = json_array_at(pairs, i);
        struct in6_addr hoa, moa;

        if (pair->type != JSON_ARRAY
            || json_array_size(pair) != 2
            || json_array_at(pair, 0)->type != JSON_STRING
            || json_array_at(pair, 1)->type != JSON_STRING) {
            object_fail(object, "\"pairs\" has an element that is not two "
                        "strings");
            return;
        }

        const char *hoa_s = json_string(json_array_at(pair, 0));
        const char *moa_s = json_string(json_array_at(pair, 1));
        if (!vmmob_addr_from_string(hoa_s, &hoa)) {
            object_fail(object, "\"pairs\" has \"%.64s\", not an IP address",
                        hoa_s);
        } else if (!vmmob_addr_from_optional_string(moa_s, &moa)) {
            object_fail(object, "\"pairs\" has \"%.64s\", not an IP address",
                        moa_s);
        } else if (vmmob_vmn_find_hoa(vmn, &hoa)) {
            object_fail(object, "\"pairs\" has \"%.64s\" twice", hoa_s);
        } else {
            vmmob_vmn_set_pair(vmn, &hoa, &moa);
        }
    }
}

/* Sets '*prefixes' and '*n', so far NULL and 0, to the member 'name' of
 * 'object', which has 'max' of them at most. */
static void
object_get_prefixes(struct object *object, const char *name, size_t max,
                    struct vmmob_prefix **prefixes, size_t *n)
{
    const struct json *array = object_get_array(object, name);
    size_t size = array_size(array);

    if (size > max) {
        object_fail(object, "\"%s\" has %"PRIuSIZE" elements, more than "
                    "%"PRIuSIZE, name, size, max);
    }
    *prefixes = object->error || !size ? NULL : xcalloc(size,
                                                        sizeof **prefixes);
    for (size_t i = 0; !object->error && i < size; i++) {
        const struct json *json = json_array_at(array, i);

        if (json->type != JSON_STRING) {
            object_fail(object, "\"%s\" has an element that is not a string",
                        name);
        } else {
            char *error = vmmob_prefix_parse(json_string(json),
                                             &(*prefixes)[i], NULL);

            if (error) {
                object_fail(object, "\"%s\" has %.128s", name, error);
                free(error);
            }
        }
        *n += !object->error;
    }
}

/* Sets the MAC addresses of 'port', which must not have any yet, from
 * 'object'. */
static void
object_get_macs(struct object *object, struct vmmob_port *port)
{
    const struct json *macs = object_get_array(object, "macs");
    size_t n = array_size(macs);

    if (n > VMMOB_MAX_PORT_MACS) {
        object_fail(object, "\"macs\" has %"PRIuSIZE" elements, more than %d",
                    n, VMMOB_MAX_PORT_MACS);
    }
    for (size_t i = 0; !object->error && i < n; i++) {
        const struct json *json = json_array_at(macs, i);
        struct eth_addr mac;

        if (json->type != JSON_STRING) {
            object_fail(object, "\"macs\" has an element that is not a "
                        "string");
        } else if (!vmmob_mac_from_string(json_string(json), &mac)) {
            object_fail(object, "\"macs\" has \"%.32s\", not a MAC address",
                        json_string(json));
        } else if (vmmob_port_has_mac(port, mac)) {
            object_fail(object, "\"macs\" has \"%.32s\" twice",
                        json_string(json));
        } else {
            vmmob_port_add_mac(port, mac);
        }
    }
}


/* Encoding. */

static void
put_prefixes(struct json *object, const char *name,
             const struct vmmob_prefix *prefixes, size_t n)
{
    struct json *array = json_array_create_empty();

    for (size_t i = 0; i < n; i++) {
        json_array_add(array, prefix_to_json(&prefixes[i]));
    }
    json_object_put(object, name, array);
}

/* Adds to 'object' the members that identify a row. */
static void
put_key(struct json *object, const struct vmmob_key *key, uint64_t ofs)
{
    json_object_put(object, "tenant", json_integer_create(key->tenant));
    put_mac(object, "mac", key->mac);
    json_object_put(object, "ofs", ofs_id_to_json(ofs));
}

static void
put_mac(struct json *object, const char *name, struct eth_addr mac)
{
    json_object_put_format(object, name, ETH_ADDR_FMT, ETH_ADDR_ARGS(mac));
}

static struct json *
ofs_id_to_json(uint64_t id)
{
    return json_string_create_nocopy(xasprintf(VMMOB_OFS_ID_FMT, id));
}

static struct json *
addr_to_json(const struct in6_addr *addr)
{
    return json_string_create_nocopy(vmmob_addr_to_string(addr, ""));
}

static struct json *
prefix_to_json(const struct vmmob_prefix *prefix)
{
    return json_string_create_nocopy(vmmob_prefix_to_string(prefix));
}
