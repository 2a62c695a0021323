/* SPDX-License-Identifier: Apache-2.0 */

/* Messages between switch and agent, as lib/vmmob-msg.c takes them, and what
 * the switch makes of them.
 *
 * The input is a stream of JSON values.  Objects are messages, as they are on
 * the socket.  Arrays are what else happens at a switch that has two OFSs,
 * numbers 1 and 2; see handle_event(). */

#include <config.h>
#undef NDEBUG
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "jsonrpc.h"
#include "ofproto-vmmob/handover-core.h"
#include "ofproto-vmmob/handover.h"
#include "ofproto-vmmob/pool.h"
#include "ofproto-vmmob/settings.h"
#include "openvswitch/json.h"
#include "openvswitch/ofp-port.h"
#include "packets.h"
#include "smap.h"
#include "util.h"
#include "vmmob-compat.h"
#include "vmmob-msg.h"
#include "vmmob-table.h"

#define MAX_STEPS 32

/* Settings of the OFSs, two for each. */
static struct vmmob_settings settings[2][2];

static void
init_settings(void)
{
    static const struct {
        const char *home, *pool, *gateway;
    } values[2][2] = {
        { { "10.0.0.0/24", "192.0.2.8/30", "192.0.2.1/24" },
          { "10.0.0.0/30", "192.0.2.10/31", "192.0.2.1/24" } },
        { { "10.0.0.0/24", "198.51.100.8/29", "198.51.100.1/24" },
          { "10.0.0.0/24", "198.51.100.12/30 198.51.100.0/30",
            "198.51.100.1/24" } },
    };

    for (size_t i = 0; i < 2; i++) {
        for (size_t j = 0; j < 2; j++) {
            struct smap smap = SMAP_INITIALIZER(&smap);

            smap_add(&smap, "vmmob-uplink", "uplink");
            smap_add(&smap, "vmmob-home", values[i][j].home);
            smap_add(&smap, "vmmob-home-gateway", "10.0.0.1");
            smap_add(&smap, "vmmob-pool", values[i][j].pool);
            smap_add(&smap, "vmmob-gateway", values[i][j].gateway);
            fuzz_assert_ok(vmmob_settings_parse(&smap, &settings[i][j]));
            smap_destroy(&smap);
        }
    }
}

static char *
msg_to_string(const struct vmmob_msg *msg)
{
    struct json *json = jsonrpc_msg_to_json(vmmob_msg_encode(msg));
    char *s = json_to_string(json, JSSF_SORT);

    json_destroy(json);
    return s;
}

/* Returns true if 'json', which is freed, is a good message. */
static bool
decode(struct json *json, struct vmmob_msg *msg)
{
    struct jsonrpc_msg *rpc;
    char *error = jsonrpc_msg_from_json(json, &rpc);

    if (error) {
        free(error);
        return false;
    }
    error = vmmob_msg_decode(rpc, msg);
    jsonrpc_msg_destroy(rpc);
    if (error) {
        fuzz_assert_printable(error);
        free(error);
        ovs_assert(!vmmob_msg_n_rows(msg));
        vmmob_msg_uninit(msg);
        return false;
    }
    return true;
}

/* Aborts unless 'msg' has valid rows and is the same at the other end. */
static void
check_msg(const struct vmmob_msg *msg)
{
    struct vmmob_msg copy;
    char *s = msg_to_string(msg);
    char *s2;

    for (size_t i = 0; i < msg->n_vmns; i++) {
        fuzz_assert_ok(vmmob_vmn_validate(&msg->vmns[i]));
    }
    for (size_t i = 0; i < msg->n_ofss; i++) {
        fuzz_assert_ok(vmmob_ofs_validate(&msg->ofss[i]));
    }
    for (size_t i = 0; i < msg->n_ports; i++) {
        fuzz_assert_ok(vmmob_port_validate(&msg->ports[i]));
    }
    ovs_assert(decode(json_from_string(s), &copy));
    s2 = msg_to_string(&copy);
    if (strcmp(s, s2)) {
        ovs_fatal(0, "%s: at the other end %s", s, s2);
    }
    free(s);
    free(s2);
    vmmob_msg_uninit(&copy);
}

/* Puts the rows of 'msg' into 'table', and removes rows from it, as the agent
 * does. */
static void
apply_msg(struct vmmob_table *table, const struct vmmob_msg *msg)
{
    for (size_t i = 0; i < msg->n_del_vmns; i++) {
        vmmob_table_remove_vmn(table, &msg->del_vmns[i].key,
                               msg->del_vmns[i].ofs);
    }
    for (size_t i = 0; i < msg->n_del_ofss; i++) {
        vmmob_table_remove_ofs(table, msg->del_ofss[i]);
    }
    for (size_t i = 0; i < msg->n_ofss; i++) {
        vmmob_table_put_ofs(table, &msg->ofss[i]);
        ovs_assert(!vmmob_table_put_ofs(table, &msg->ofss[i]));
    }
    for (size_t i = 0; i < msg->n_vmns; i++) {
        const struct vmmob_vmn *vmn = &msg->vmns[i];

        vmmob_table_put_vmn(table, vmn);
        ovs_assert(!vmmob_table_put_vmn(table, vmn));
        ovs_assert(vmmob_vmn_equals(
                       vmmob_table_find_row(table, &vmn->key, vmn->ofs),
                       vmn));
        ovs_assert(vmmob_vmn_compare(
                       vmmob_table_find_binding(table, &vmn->key), vmn) >= 0);
    }
}

static void
configure(struct handover *h, uint64_t id, size_t variant, long long int now)
{
    const struct vmmob_settings *s = &settings[id - 1][variant];
    struct vmmob_ofs record;

    vmmob_ofs_init(&record, id);
    vmmob_settings_fill_ofs(s, &record);
    eth_addr_from_uint64(0x020000000000 + id, &record.mac);
    vmmob_handover_configure(h, &record, s, now);
    vmmob_ofs_destroy(&record);
}

static long long int
get_integer(const struct json *array, size_t i)
{
    return (i < json_array_size(array)
            && json_array_at(array, i)->type == JSON_INTEGER
            ? json_integer(json_array_at(array, i)) : 0);
}

static const char *
get_string(const struct json *array, size_t i)
{
    return (i < json_array_size(array)
            && json_array_at(array, i)->type == JSON_STRING
            ? json_string(json_array_at(array, i)) : "");
}

/* Says that 'ofs' has the VM port 'number', and that it is for the VMN 'mac',
 * or for nobody if 'mac' is NULL. */
static void
say_port(struct handover *h, struct handover_ofs *ofs, uint16_t number,
         const struct eth_addr *mac, long long int now)
{
    char *name = xasprintf("p%"PRIu16, number);
    struct vmmob_port row;
    struct vmmob_msg msg;

    vmmob_handover_port_there(h, ofs, OFP_PORT_C(number), name,
                              &vmmob_port_networks_default, now);
    vmmob_msg_init(&msg, VMMOB_MSG_UPDATE);
    if (mac) {
        vmmob_port_init(&row, name);
        row.attached_mac = *mac;
        row.any = true;
        vmmob_msg_put_port(&msg, &row);
        vmmob_port_destroy(&row);
    } else {
        vmmob_msg_del_port(&msg, name);
    }
    vmmob_handover_receive(h, &msg, now);
    vmmob_msg_uninit(&msg);
    free(name);
}

/* Something happens:
 *
 *   ["sight", OFS, MAC, PORT, HOA]     ["run", MS]
 *   ["gone", OFS, PORT]                ["release", "", MAC]
 *   ["talk", OFS, MAC]                 ["configure", OFS, 0|1]
 *   ["quiet", OFS, MAC]                ["remove", OFS, 0|1]
 *   ["expect", OFS, MAC, PORT]         ["unexpect", OFS, MAC, PORT] */
static void
handle_event(struct handover *h, const struct json *array,
             long long int *now)
{
    const char *event = get_string(array, 0);
    uint64_t id = get_integer(array, 1);
    struct handover_ofs *ofs = vmmob_handover_find_ofs(h, id);
    struct vmmob_key key = { .tenant = 0 };
    bool has_key = (eth_addr_from_string(get_string(array, 2), &key.mac)
                    && !eth_addr_is_zero(key.mac)
                    && !eth_addr_is_multicast(key.mac));

    if (!strcmp(event, "run")) {
        long long int ms = get_integer(array, 1);

        *now += MAX(0, MIN(ms, 1000000));
    } else if (!strcmp(event, "configure") && (id == 1 || id == 2)) {
        configure(h, id, get_integer(array, 2) & 1, *now);
    } else if (!strcmp(event, "remove") && ofs) {
        vmmob_handover_remove(h, id, get_integer(array, 2) & 1, *now);
    } else if (!strcmp(event, "release") && has_key) {
        vmmob_handover_release(h, &key, *now);
    } else if (!strcmp(event, "gone") && ofs) {
        vmmob_handover_port_gone(h, ofs, OFP_PORT_C(get_integer(array, 2) & 7),
                                 *now);
    } else if (!strcmp(event, "expect") && ofs && has_key) {
        say_port(h, ofs, get_integer(array, 3) & 7, &key.mac, *now);
    } else if (!strcmp(event, "unexpect") && ofs && has_key) {
        say_port(h, ofs, get_integer(array, 3) & 7, NULL, *now);
    } else if (!strcmp(event, "talk") && ofs && has_key) {
        vmmob_handover_talk(h, ofs, &key);
    } else if (!strcmp(event, "quiet") && ofs && has_key) {
        vmmob_handover_quiet(h, ofs, &key);
    } else if (!strcmp(event, "sight") && ofs && has_key) {
        ofp_port_t port = OFP_PORT_C(get_integer(array, 3) & 7);
        struct in6_addr hoa;
        bool has_hoa = (vmmob_addr_from_string(get_string(array, 4), &hoa)
                        && vmmob_handover_is_home(ofs, 0, &hoa));
        enum handover_sighting result
            = vmmob_handover_sight(h, ofs, &key, port, has_hoa ? &hoa : NULL,
                                   HANDOVER_ANNOUNCED, *now);
        const struct handover_vmn *vmn = vmmob_handover_find_vmn(ofs, &key);

        if (result == SIGHTED_HERE) {
            /* There is no higher number to claim it with than the highest. */
            ovs_assert(vmn && vmn->port == port
                       && (vmn->state == HANDOVER_ATTACHED
                           || vmn->row.seqno == VMMOB_MAX_SEQNO));
            ovs_assert(!has_hoa || vmmob_vmn_find_hoa(&vmn->row, &hoa));
        } else if (result != SIGHTED_FROZEN) {
            ovs_assert(has_hoa == (result != SIGHTED_NO_HOA));
        }
    }
}

/* Aborts unless the switch keeps to its own rules. */
static void
check_handover(const struct handover *h)
{
    struct handover_ofs *ofs;

    HMAP_FOR_EACH (ofs, node, &h->ofss) {
        const struct handover_vmn *vmn;
        size_t n_moas = 0;

        HMAP_FOR_EACH (vmn, node, &ofs->vmns) {
            const struct vmmob_vmn *row
                = vmmob_table_find_row(h->table, &vmn->row.key, ofs->id);

            ovs_assert(row && vmmob_vmn_equals(row, &vmn->row));
            fuzz_assert_ok(vmmob_vmn_validate(row));
            ovs_assert((row->state == VMMOB_PREPARED)
                       == (vmn->state == HANDOVER_PREPARED));
            ovs_assert(row->n_pairs);
            for (size_t i = 0; i < row->n_pairs; i++) {
                ovs_assert(vmmob_handover_is_home(ofs, row->key.tenant,
                                                  &row->pairs[i].hoa));
                if (ipv6_addr_is_set(&row->pairs[i].moa)) {
                    ovs_assert(vmmob_pool_contains(ofs->pool,
                                                   &row->pairs[i].moa));
                    n_moas++;
                }
            }
        }
        /* Each MoA is for one VMN, and none is lost. */
        ovs_assert(vmmob_pool_n_taken(ofs->pool, VMMOB_IPV4) == n_moas);
    }
}

/* Takes what the switch wants done and what it has to say.  'authored' is what
 * the agent knows of that. */
static void
take_effects(struct handover *h, struct vmmob_table *authored)
{
    struct handover_effects effects;
    struct vmmob_msg update;

    vmmob_msg_init(&update, VMMOB_MSG_UPDATE);
    vmmob_handover_take_effects(h, &effects, &update);
    ovs_assert(!vmmob_handover_has_effects(h));
    vmmob_handover_effects_uninit(&effects);
    check_msg(&update);
    apply_msg(authored, &update);
    vmmob_msg_uninit(&update);
}

/* Aborts unless the agent, told only what changed, knows all that the switch
 * says when it is asked. */
static void
check_authored(const struct handover *h, const struct vmmob_table *authored)
{
    struct vmmob_msg msg;

    vmmob_msg_init(&msg, VMMOB_MSG_UPDATE);
    vmmob_handover_get_authored(h, &msg);
    for (size_t i = 0; i < msg.n_vmns; i++) {
        const struct vmmob_vmn *row
            = vmmob_table_find_row(authored, &msg.vmns[i].key,
                                   msg.vmns[i].ofs);

        ovs_assert(row && vmmob_vmn_equals(row, &msg.vmns[i]));
    }
    for (size_t i = 0; i < msg.n_ofss; i++) {
        ovs_assert(vmmob_table_find_ofs(authored, msg.ofss[i].id));
    }
    vmmob_msg_uninit(&msg);
}

void
fuzz_msg(const uint8_t *data, size_t size)
{
    struct handover *h = vmmob_handover_create();
    struct vmmob_table *told = vmmob_table_create();
    struct vmmob_table *authored = vmmob_table_create();
    long long int now = 1;

    if (!settings[0][0].uplink) {
        init_settings();
    }
    configure(h, 1, 0, now);
    configure(h, 2, 0, now);
    for (int i = 0; i < MAX_STEPS; i++) {
        struct json *json = fuzz_next_json(&data, &size);

        if (!json) {
            break;
        } else if (json->type == JSON_ARRAY) {
            handle_event(h, json, &now);
            json_destroy(json);
        } else {
            struct vmmob_msg msg;

            /* A bad one ends the connection. */
            if (!decode(json, &msg)) {
                break;
            }
            check_msg(&msg);
            apply_msg(told, &msg);
            vmmob_handover_receive(h, &msg, now);
            vmmob_msg_uninit(&msg);
        }
        vmmob_handover_run(h, now);
        ovs_assert(vmmob_handover_next_event(h) > now);
        check_handover(h);
        take_effects(h, authored);
        check_authored(h, authored);
    }
    vmmob_table_destroy(told);
    vmmob_table_destroy(authored);
    vmmob_handover_destroy(h);
}
