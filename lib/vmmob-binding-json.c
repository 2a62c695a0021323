/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "vmmob-binding-json.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/json.h"
#include "packets.h"
#include "util.h"
#include "vmmob-binding.h"
#include "vmmob-compat.h"
#include "vmmob-json.h"

static void object_get_pairs(struct vmmob_object *, struct vmmob_vmn *);
static void object_get_networks(struct vmmob_object *, struct vmmob_ofs *);
static void object_get_macs(struct vmmob_object *, struct vmmob_port *);

/* Returns 'vmn', which must be valid, as a JSON object, which the caller
 * owns. */
struct json *
vmmob_vmn_to_json(const struct vmmob_vmn *vmn)
{
    struct json *object = json_object_create();
    struct json *pairs = json_array_create_empty();

    vmmob_json_put_key(object, &vmn->key, vmn->ofs);
    json_object_put(object, "seqno", json_integer_create(vmn->seqno));
    json_object_put_string(object, "state", vmmob_state_to_string(vmn->state));
    for (size_t i = 0; i < vmn->n_pairs; i++) {
        const struct vmmob_pair *pair = &vmn->pairs[i];

        json_array_add(pairs,
                       json_array_create_2(vmmob_addr_to_json(&pair->hoa),
                                           vmmob_addr_to_json(&pair->moa)));
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
    struct vmmob_object object;
    const char *state;

    vmmob_object_init(&object, json);
    *vmn = (struct vmmob_vmn) {
        .key.tenant = vmmob_object_get_integer(&object, "tenant", UINT32_MAX),
        .key.mac = vmmob_object_get_mac(&object, "mac"),
        .ofs = vmmob_object_get_ofs_id(&object, "ofs"),
        .seqno = vmmob_object_get_integer(&object, "seqno", VMMOB_MAX_SEQNO),
    };
    state = vmmob_object_get_string(&object, "state");
    if (!vmmob_state_from_string(state, &vmn->state)) {
        vmmob_object_fail(&object, "\"%.32s\" is not a state", state);
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

    json_object_put(object, "id", vmmob_ofs_id_to_json(ofs->id));
    json_object_put_string(object, "site", ofs->site);
    json_object_put(object, "uplink", vmmob_prefix_to_json(&ofs->uplink));
    vmmob_json_put_mac(object, "mac", ofs->mac);
    json_object_put(object, "gateway", vmmob_addr_to_json(&ofs->gateway));
    vmmob_json_put_mac(object, "gateway_mac", ofs->gateway_mac);
    vmmob_json_put_prefixes(object, "pools", ofs->pools, ofs->n_pools);
    json_object_put(object, "stale", json_boolean_create(ofs->stale));
    if (ofs->foreign) {
        json_object_put(object, "foreign", json_boolean_create(true));
    }
    if (ofs->n_networks) {
        struct json *networks = json_array_create_empty();

        for (size_t i = 0; i < ofs->n_networks; i++) {
            const struct vmmob_network *network = &ofs->networks[i];
            struct json *json = json_object_create();

            vmmob_json_put_integer(json, "id", network->id);
            vmmob_json_put_prefixes(json, "homes", network->homes,
                                    network->n_homes);
            json_array_add(networks, json);
        }
        json_object_put(object, "networks", networks);
    }
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
    struct vmmob_object object;

    vmmob_object_init(&object, json);
    *ofs = (struct vmmob_ofs) {
        .id = vmmob_object_get_ofs_id(&object, "id"),
        .site = xstrdup(vmmob_object_get_string(&object, "site")),
        .uplink = vmmob_object_get_prefix(&object, "uplink"),
        .mac = vmmob_object_get_mac(&object, "mac"),
        .gateway = vmmob_object_get_addr(&object, "gateway"),
        .gateway_mac = vmmob_object_get_mac(&object, "gateway_mac"),
        .stale = vmmob_object_get_boolean(&object, "stale"),
    };
    ofs->foreign = vmmob_object_get_flag(&object, "foreign");
    vmmob_object_get_prefixes(&object, "pools", VMMOB_MAX_POOLS, &ofs->pools,
                              &ofs->n_pools);
    object_get_networks(&object, ofs);

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
    vmmob_json_put_mac(object, "attached_mac", port->attached_mac);
    json_object_put(object, "any", json_boolean_create(port->any));
    for (size_t i = 0; i < port->n_macs; i++) {
        json_array_add(macs, json_string_create_nocopy(
                           xasprintf(ETH_ADDR_FMT,
                                     ETH_ADDR_ARGS(port->macs[i]))));
    }
    json_object_put(object, "macs", macs);
    if (port->limited) {
        vmmob_json_put_prefixes(object, "addresses", port->prefixes,
                                port->n_prefixes);
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
    struct vmmob_object object;

    vmmob_object_init(&object, json);
    *port = (struct vmmob_port) {
        .name = xstrdup(vmmob_object_get_string(&object, "name")),
        .iface_id = xstrdup(vmmob_object_get_string(&object, "iface_id")),
        .attached_mac = vmmob_object_get_mac(&object, "attached_mac"),
        .any = vmmob_object_get_boolean(&object, "any"),
    };
    object_get_macs(&object, port);
    if (!object.error && shash_find(json->object, "addresses")) {
        port->limited = true;
        vmmob_object_get_prefixes(&object, "addresses",
                                  VMMOB_MAX_PORT_PREFIXES, &port->prefixes,
                                  &port->n_prefixes);
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

/* Adds to 'object' the members that identify a row. */
void
vmmob_json_put_key(struct json *object, const struct vmmob_key *key,
                   uint64_t ofs)
{
    json_object_put(object, "tenant", json_integer_create(key->tenant));
    vmmob_json_put_mac(object, "mac", key->mac);
    json_object_put(object, "ofs", vmmob_ofs_id_to_json(ofs));
}

/* Sets the pairs of 'vmn', which must not have any yet, from 'object'. */
static void
object_get_pairs(struct vmmob_object *object, struct vmmob_vmn *vmn)
{
    const struct json *pairs = vmmob_object_get_array(object, "pairs");
    size_t n = vmmob_json_size(pairs);

    if (n > VMMOB_MAX_PAIRS) {
        vmmob_object_fail(object, "\"pairs\" has %"PRIuSIZE" elements, more "
                          "than %d", n, VMMOB_MAX_PAIRS);
    }
    for (size_t i = 0; !object->error && i < n; i++) {
        const struct json *pair = json_array_at(pairs, i);
        struct in6_addr hoa, moa;

        if (pair->type != JSON_ARRAY
            || json_array_size(pair) != 2
            || json_array_at(pair, 0)->type != JSON_STRING
            || json_array_at(pair, 1)->type != JSON_STRING) {
            vmmob_object_fail(object, "\"pairs\" has an element that is not "
                              "two strings");
            return;
        }

        const char *hoa_s = json_string(json_array_at(pair, 0));
        const char *moa_s = json_string(json_array_at(pair, 1));
        if (!vmmob_addr_from_string(hoa_s, &hoa)) {
            vmmob_object_fail(object, "\"pairs\" has \"%.64s\", not an IP "
                              "address", hoa_s);
        } else if (!vmmob_addr_from_optional_string(moa_s, &moa)) {
            vmmob_object_fail(object, "\"pairs\" has \"%.64s\", not an IP "
                              "address", moa_s);
        } else if (vmmob_vmn_find_hoa(vmn, &hoa)) {
            vmmob_object_fail(object, "\"pairs\" has \"%.64s\" twice", hoa_s);
        } else {
            vmmob_vmn_set_pair(vmn, &hoa, &moa);
        }
    }
}

/* Sets the networks of 'ofs', which must not have any yet, from 'object'.
 * There they may be in any order, as may their prefixes. */
static void
object_get_networks(struct vmmob_object *object, struct vmmob_ofs *ofs)
{
    const struct json *networks = vmmob_object_get_rows(object, "networks");
    size_t n = vmmob_json_size(networks);

    if (n > VMMOB_MAX_NETWORKS) {
        vmmob_object_fail(object, "\"networks\" has %"PRIuSIZE" elements, "
                          "more than %d", n, VMMOB_MAX_NETWORKS);
    }
    for (size_t i = 0; !object->error && i < n; i++) {
        struct vmmob_prefix *homes = NULL;
        struct vmmob_network network;
        struct vmmob_object member;
        size_t n_homes = 0;

        vmmob_object_init(&member, json_array_at(networks, i));
        vmmob_network_init(&network, vmmob_object_get_integer(&member, "id",
                                                              UINT32_MAX));
        vmmob_object_get_prefixes(&member, "homes", VMMOB_MAX_NETWORK_HOMES,
                                  &homes, &n_homes);
        for (size_t j = 0; j < n_homes; j++) {
            vmmob_network_add_home(&network, &homes[j]);
        }
        free(homes);
        if (!member.error && vmmob_ofs_find_network(ofs, network.id)) {
            vmmob_object_fail(&member, "\"id\" %"PRIu32" is there twice",
                              network.id);
        }
        if (member.error) {
            vmmob_object_fail(object, "networks[%"PRIuSIZE"]: %s", i,
                              member.error);
            free(member.error);
        } else {
            vmmob_ofs_put_network(ofs, &network);
        }
    }
}

/* Sets the MAC addresses of 'port', which must not have any yet, from
 * 'object'. */
static void
object_get_macs(struct vmmob_object *object, struct vmmob_port *port)
{
    const struct json *macs = vmmob_object_get_array(object, "macs");
    size_t n = vmmob_json_size(macs);

    if (n > VMMOB_MAX_PORT_MACS) {
        vmmob_object_fail(object, "\"macs\" has %"PRIuSIZE" elements, more "
                          "than %d", n, VMMOB_MAX_PORT_MACS);
    }
    for (size_t i = 0; !object->error && i < n; i++) {
        const struct json *json = json_array_at(macs, i);
        struct eth_addr mac;

        if (json->type != JSON_STRING) {
            vmmob_object_fail(object, "\"macs\" has an element that is not a "
                              "string");
        } else if (!vmmob_mac_from_string(json_string(json), &mac)) {
            vmmob_object_fail(object, "\"macs\" has \"%.32s\", not a MAC "
                              "address", json_string(json));
        } else if (vmmob_port_has_mac(port, mac)) {
            vmmob_object_fail(object, "\"macs\" has \"%.32s\" twice",
                              json_string(json));
        } else {
            vmmob_port_add_mac(port, mac);
        }
    }
}
