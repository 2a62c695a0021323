/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "vmmobd-ports.h"

#include <stdlib.h>
#include <string.h>

#include "coverage.h"
#include "openvswitch/vlog.h"
#include "ovsdb-idl.h"
#include "packets.h"
#include "smap.h"
#include "svec.h"
#include "util.h"
#include "vmmob-binding.h"
#include "vswitch-idl.h"

VLOG_DEFINE_THIS_MODULE(vmmobd_ports);

COVERAGE_DEFINE(vmmobd_bad_port);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(20, 20);

/* How much of a wrong value is shown. */
#define MAX_SHOWN 64

struct ports_port {
    struct vmmob_port row;
    struct svec problems;       /* Human-readable. */
};

static void put(struct ports *, const char *name, const struct smap *);
static void del(struct ports *, const char *name);
static struct ports_port *parse(const char *name, const struct smap *);
static void parse_by_hand(struct ports_port *, const char *value);
static void parse_addresses(struct ports_port *, const char *value);
static bool mac_from_word(const char *, struct eth_addr *);
static void add_problem(struct ports_port *, const char *key,
                        const char *value, const char *problem);
static void port_destroy(struct ports_port *);

void
ports_init(struct ports *ports)
{
    shash_init(&ports->ports);
    sset_init(&ports->changed);
    ports->loaded = false;
    ports->n_problems = 0;
}

/* Frees what 'ports' owns, but not 'ports' itself. */
void
ports_destroy(struct ports *ports)
{
    if (ports) {
        struct shash_node *node;

        SHASH_FOR_EACH (node, &ports->ports) {
            port_destroy(node->data);
        }
        shash_destroy(&ports->ports);
        sset_destroy(&ports->changed);
    }
}

/* Makes 'conf' replicate what ports_run() needs. */
void
ports_add_columns(struct ovsdb_idl *conf)
{
    ovsdb_idl_add_table(conf, &ovsrec_table_interface);
    ovsdb_idl_add_column(conf, &ovsrec_interface_col_name);
    ovsdb_idl_add_column(conf, &ovsrec_interface_col_external_ids);
    ovsdb_idl_track_add_column(conf, &ovsrec_interface_col_name);
    ovsdb_idl_track_add_column(conf, &ovsrec_interface_col_external_ids);
}

/* Takes in what changed in 'conf' since the last time.  The caller must
 * eventually call ovsdb_idl_track_clear(). */
void
ports_run(struct ports *ports, const struct ovsdb_idl *conf)
{
    const struct ovsrec_interface *iface;

    if (!ovsdb_idl_has_ever_connected(conf)) {
        return;
    }
    ports->loaded = true;

    /* First all that are gone: another row may have the name by now. */
    OVSREC_INTERFACE_FOR_EACH_TRACKED (iface, conf) {
        if (ovsrec_interface_is_deleted(iface)) {
            del(ports, iface->name);
        }
    }
    OVSREC_INTERFACE_FOR_EACH_TRACKED (iface, conf) {
        if (!ovsrec_interface_is_deleted(iface)) {
            put(ports, iface->name, &iface->external_ids);
        }
    }
}

/* Returns what is to be told of the port 'name', or NULL if that is
 * nothing. */
const struct vmmob_port *
ports_find(const struct ports *ports, const char *name)
{
    const struct ports_port *port = shash_find_data(&ports->ports, name);

    return port ? &port->row : NULL;
}

/* Returns the port of 'node', which is in the 'ports' of a struct ports. */
const struct vmmob_port *
ports_get(const struct shash_node *node)
{
    const struct ports_port *port = node->data;

    return &port->row;
}

/* Returns true if 'key' of external_ids is one of ours. */
bool
ports_is_known(const char *key)
{
    return !strcmp(key, "vmmob-mac") || !strcmp(key, "vmmob-address");
}

/* Adds to 'problems' what is wrong with settings. */
void
ports_get_problems(const struct ports *ports, struct svec *problems)
{
    const struct shash_node **nodes;

    if (!ports->n_problems) {
        return;
    }
    nodes = shash_sort(&ports->ports);
    for (size_t i = 0; i < shash_count(&ports->ports); i++) {
        const struct ports_port *port = nodes[i]->data;

        svec_append(problems, &port->problems);
    }
    free(nodes);
}

/* Takes in the 'external_ids' of the interface 'name'. */
static void
put(struct ports *ports, const char *name, const struct smap *external_ids)
{
    struct ports_port *old = shash_find_data(&ports->ports, name);
    struct ports_port *new = parse(name, external_ids);
    const char *problem;
    size_t i;

    if (!new) {
        del(ports, name);
        return;
    }
    SVEC_FOR_EACH (i, problem, &new->problems) {
        if (!old || !svec_contains_unsorted(&old->problems, problem)) {
            COVERAGE_INC(vmmobd_bad_port);
            VLOG_WARN_RL(&rl, "%s", problem);
        }
    }
    ports->n_problems += new->problems.n;
    if (old) {
        ports->n_problems -= old->problems.n;
    }
    if (!old || !vmmob_port_equals(&old->row, &new->row)) {
        sset_add(&ports->changed, name);
    }
    shash_replace(&ports->ports, name, new);
    port_destroy(old);
}

static void
del(struct ports *ports, const char *name)
{
    struct ports_port *old = shash_find_and_delete(&ports->ports, name);

    if (old) {
        ports->n_problems -= old->problems.n;
        port_destroy(old);
        sset_add(&ports->changed, name);
    }
}

/* Returns what 'external_ids' say of the interface 'name', or NULL if they say
 * nothing. */
static struct ports_port *
parse(const char *name, const struct smap *external_ids)
{
    const char *by_hand = smap_get(external_ids, "vmmob-mac");
    const char *attached = smap_get(external_ids, "attached-mac");
    const char *iface_id = smap_get(external_ids, "iface-id");
    const char *addresses = smap_get(external_ids, "vmmob-address");
    struct ports_port *port;
    char *error;

    if (!by_hand && !attached && !iface_id && !addresses) {
        return NULL;
    }

    port = xzalloc(sizeof *port);
    svec_init(&port->problems);
    vmmob_port_init(&port->row, name);
    error = vmmob_port_validate(&port->row);
    if (error) {
        /* The name itself. */
        COVERAGE_INC(vmmobd_bad_port);
        VLOG_WARN_RL(&rl, "ignoring an interface (%s)", error);
        free(error);
        port_destroy(port);
        return NULL;
    }

    if (iface_id) {
        struct vmmob_port *row = &port->row;

        free(row->iface_id);
        row->iface_id = xstrdup(iface_id);
        error = vmmob_port_validate(row);
        if (error) {
            add_problem(port, "iface-id", iface_id, error);
            free(error);
            free(row->iface_id);
            row->iface_id = xstrdup("");
        }
    }
    if (attached && !mac_from_word(attached, &port->row.attached_mac)) {
        add_problem(port, "attached-mac", attached,
                    "not a unicast MAC address");
    }
    if (by_hand) {
        parse_by_hand(port, by_hand);
    }
    if (addresses) {
        parse_addresses(port, addresses);
    }
    if (!port->row.any && !port->row.n_macs
        && !eth_addr_is_zero(port->row.attached_mac)) {
        vmmob_port_add_mac(&port->row, port->row.attached_mac);
    }
    return port;
}

/* Parses 'value' of vmmob-mac. */
static void
parse_by_hand(struct ports_port *port, const char *value)
{
    static const char white[] = " \t\r\n";
    char *copy = xstrdup(value);
    char *save_ptr = NULL;
    bool first = true;

    for (char *word = strtok_r(copy, white, &save_ptr); word;
         word = strtok_r(NULL, white, &save_ptr)) {
        struct eth_addr mac;

        if (mac_from_word(word, &mac)) {
            if (!vmmob_port_add_mac(&port->row, mac)) {
                char *problem = xasprintf("more than %d MAC addresses",
                                          VMMOB_MAX_PORT_MACS);
                add_problem(port, "vmmob-mac", word, problem);
                free(problem);
                break;
            }
        } else if (first && !strcmp(word, "any")
                   && !save_ptr[strspn(save_ptr, white)]) {
            port->row.any = true;
        } else {
            add_problem(port, "vmmob-mac", word,
                        !strcmp(word, "any")
                        ? "this must be the only word"
                        : "not a unicast MAC address");
        }
        first = false;
    }
    if (first) {
        add_problem(port, "vmmob-mac", value, "is empty");
    }
    free(copy);
}

/* Parses 'value' of vmmob-address. */
static void
parse_addresses(struct ports_port *port, const char *value)
{
    static const char separators[] = ", \t\r\n";
    char *copy = xstrdup(value);
    char *save_ptr = NULL;
    bool empty = true;

    port->row.limited = true;
    for (char *word = strtok_r(copy, separators, &save_ptr); word;
         word = strtok_r(NULL, separators, &save_ptr)) {
        struct vmmob_prefix prefix;
        char *problem = vmmob_prefix_parse(word, &prefix, NULL);

        empty = false;
        if (problem) {
            add_problem(port, "vmmob-address", word, "neither an IP address "
                        "nor a prefix, without host bits");
        } else if (!vmmob_port_add_prefix(&port->row, &prefix)) {
            problem = xasprintf("more than %d addresses and prefixes",
                                VMMOB_MAX_PORT_PREFIXES);
            add_problem(port, "vmmob-address", word, problem);
            free(problem);
            break;
        }
        free(problem);
    }
    if (empty) {
        add_problem(port, "vmmob-address", value, "is empty");
    }
    free(copy);
}

static bool
mac_from_word(const char *s, struct eth_addr *mac)
{
    if (!vmmob_mac_from_string(s, mac)
        || eth_addr_is_zero(*mac) || eth_addr_is_multicast(*mac)) {
        *mac = eth_addr_zero;
        return false;
    }
    return true;
}

static void
add_problem(struct ports_port *port, const char *key, const char *value,
            const char *problem)
{
    char *s = xasprintf("interface %s: external_ids:%s \"%.*s\": %s",
                        port->row.name, key, MAX_SHOWN, value, problem);

    for (char *p = s; *p; p++) {
        if ((unsigned char) *p < 0x20 || *p == 0x7f) {
            *p = '?';
        }
    }
    svec_add_nocopy(&port->problems, s);
}

static void
port_destroy(struct ports_port *port)
{
    if (port) {
        vmmob_port_destroy(&port->row);
        svec_destroy(&port->problems);
        free(port);
    }
}
