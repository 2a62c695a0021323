/* SPDX-License-Identifier: Apache-2.0 */

/* Each command gathers what it shows, then writes it as text for people or, if
 * its last argument is "json", as JSON for programs. */

#include <config.h>

#include "vmmobd-show.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "ovsdb-idl.h"
#include "packets.h"
#include "svec.h"
#include "timeval.h"
#include "unixctl.h"
#include "util.h"
#include "vmmob-compat.h"
#include "vmmob-msg.h"
#include "vmmob-problems.h"
#include "vmmob-reply.h"
#include "vmmob-table.h"
#include "vmmobd-agent.h"
#include "vmmobd-problems.h"
#include "vmmobd-publisher.h"
#include "vmmobd-sitedb.h"
#include "vmmobd-switch.h"

static unixctl_cb_func show;
static unixctl_cb_func show_peers;
static unixctl_cb_func show_vmns;
static unixctl_cb_func show_ofs;
static unixctl_cb_func show_metrics;
static unixctl_cb_func check_database;

static char *show_as_text(const struct agent *);
static struct json *show_as_json(const struct agent *);
static void put_words(struct ds *, const char *name, const struct svec *);
static struct json *networks_to_json(const struct vmmob_network_ids *);
static const char *switch_state(const struct switch_link *);

static void put_db(struct vmmob_text_table *, const struct sitedb *);
static struct json *db_to_json(const struct sitedb *);
static void put_db_errors(struct ds *, const struct sitedb *);
static char *msec_ago(long long int);

static const struct vmmob_vmn **find_vmns(const struct vmmob_table *,
                                          const char *, size_t *n,
                                          char **errorp);
static void put_vmn(struct vmmob_text_table *, bool networks,
                    const struct vmmob_table *, const struct vmmob_vmn *);
static struct json *vmn_to_json(const struct vmmob_table *,
                                const struct vmmob_vmn *);
static void put_ofs(struct vmmob_text_table *, const struct known *,
                    const struct vmmob_ofs *);
static struct json *ofs_to_json(const struct known *,
                                const struct vmmob_ofs *);

/* Registers the commands, which show 'agent'. */
void
show_init(struct agent *agent)
{
    void *aux = agent;

    unixctl_command_register("vmmob/show", "[json]", 0, 1, show, aux);
    unixctl_command_register("vmmob/peers", "[json]", 0, 1, show_peers, aux);
    unixctl_command_register("vmmob/vmns", "[[NETWORK/]MAC|HoA|MoA] [json]", 0,
                             2, show_vmns, aux);
    unixctl_command_register("vmmob/ofs", "[ID] [json]", 0, 2, show_ofs, aux);
    unixctl_command_register("vmmob/metrics", "[classic|openmetrics]", 0, 1,
                             show_metrics, aux);
    unixctl_command_register("vmmob/check", "", 0, 0, check_database, aux);
}

/* Commands. */

static void
check_database(struct unixctl_conn *conn, int argc OVS_UNUSED,
               const char *argv[] OVS_UNUSED, void *agent_)
{
    struct agent *agent = agent_;

    if (agent->configured) {
        check_answer(&agent->check, conn);
    } else {
        unixctl_command_reply_error(conn, "no database is configured yet");
    }
}

static void
show(struct unixctl_conn *conn, int argc, const char *argv[], void *agent_)
{
    const struct agent *agent = agent_;

    if (vmmob_wants_json(argc, argv)) {
        vmmob_reply_json(conn, show_as_json(agent), JSSF_SORT);
    } else if (argc > 1) {
        unixctl_command_reply_error(conn, "the only argument is \"json\"");
    } else {
        vmmob_reply_text(conn, show_as_text(agent));
    }
}

static void
show_peers(struct unixctl_conn *conn, int argc, const char *argv[],
           void *agent_)
{
    const struct agent *agent = agent_;

    if (vmmob_wants_json(argc, argv)) {
        struct json *array = json_array_create_empty();

        for (size_t i = 1; i < agent->n_dbs; i++) {
            json_array_add(array, db_to_json(agent->dbs[i]));
        }
        vmmob_reply_json(conn, array, JSSF_SORT);
    } else if (argc > 1) {
        unixctl_command_reply_error(conn, "the only argument is \"json\"");
    } else {
        struct vmmob_text_table table;
        struct ds s = DS_EMPTY_INITIALIZER;
        char *rows;

        vmmob_text_table_init(&table, "PEER STATE OFSS VMNS BAD CHANGED");
        for (size_t i = 1; i < agent->n_dbs; i++) {
            put_db(&table, agent->dbs[i]);
        }
        rows = vmmob_text_table_steal(&table);
        ds_put_cstr(&s, rows);
        free(rows);
        for (size_t i = 1; i < agent->n_dbs; i++) {
            put_db_errors(&s, agent->dbs[i]);
        }
        vmmob_reply_text(conn, ds_steal_cstr(&s));
    }
}

static void
show_vmns(struct unixctl_conn *conn, int argc, const char *argv[],
          void *agent_)
{
    const struct agent *agent = agent_;
    const struct vmmob_table *known = agent->known.table;
    bool as_json = vmmob_wants_json(argc, argv);
    const struct vmmob_vmn **vmns;
    char *error;
    size_t n;

    vmns = find_vmns(known, argc > 1 + as_json ? argv[1] : NULL, &n, &error);
    if (error) {
        unixctl_command_reply_error(conn, error);
        free(error);
        return;
    }

    if (as_json) {
        struct json *array = json_array_create_empty();

        for (size_t i = 0; i < n; i++) {
            json_array_add(array, vmn_to_json(known, vmns[i]));
        }
        vmmob_reply_json(conn, array, JSSF_SORT);
    } else {
        struct vmmob_text_table table;

        bool networks = false;

        for (size_t i = 0; i < n; i++) {
            networks = networks || vmns[i]->key.tenant;
        }
        vmmob_text_table_init(&table, (networks
                                       ? "NETWORK MAC HoA MoA OFS SITE SEQNO "
                                         "STATE"
                                       : "MAC HoA MoA OFS SITE SEQNO STATE"));
        for (size_t i = 0; i < n; i++) {
            put_vmn(&table, networks, known, vmns[i]);
        }
        vmmob_reply_text(conn, vmmob_text_table_steal(&table));
    }
    free(vmns);
}

static void
show_ofs(struct unixctl_conn *conn, int argc, const char *argv[],
         void *agent_)
{
    const struct agent *agent = agent_;
    const struct known *known = &agent->known;
    const struct vmmob_ofs **ofss;
    bool as_json = vmmob_wants_json(argc, argv);
    uint64_t id = 0;
    size_t n;

    if (argc > 1 + as_json && !vmmob_ofs_id_from_string(argv[1], &id)) {
        unixctl_command_reply_error(conn, "an OFS ID is 16 hex digits");
        return;
    }

    ofss = vmmob_sort_ofss(known->table);
    n = vmmob_table_n_ofss(known->table);
    if (as_json) {
        struct json *array = json_array_create_empty();

        for (size_t i = 0; i < n; i++) {
            if (!id || ofss[i]->id == id) {
                json_array_add(array, ofs_to_json(known, ofss[i]));
            }
        }
        vmmob_reply_json(conn, array, JSSF_SORT);
    } else {
        struct vmmob_text_table table;

        vmmob_text_table_init(&table, "OFS SITE UPLINK MAC GATEWAY "
                              "GATEWAY-MAC STATE DATABASE");
        for (size_t i = 0; i < n; i++) {
            if (!id || ofss[i]->id == id) {
                put_ofs(&table, known, ofss[i]);
            }
        }
        vmmob_reply_text(conn, vmmob_text_table_steal(&table));
    }
    free(ofss);
}

static void
show_metrics(struct unixctl_conn *conn, int argc, const char *argv[],
             void *agent_)
{
    struct agent *agent = agent_;
    const char *format = argc > 1 ? argv[1] : "openmetrics";
    bool classic = !strcmp(format, "classic");

    if (!classic && strcmp(format, "openmetrics")) {
        unixctl_command_reply_error(
            conn, "the format is \"classic\" or \"openmetrics\"");
    } else {
        metrics_answer(&agent->metrics, conn, classic);
    }
}

/* vmmob/show. */

static char *
show_as_text(const struct agent *agent)
{
    const struct settings *settings = &agent->settings;
    const struct switch_link *link = agent->link;
    const struct publisher *p = agent->publisher;
    struct ds s = DS_EMPTY_INITIALIZER;
    struct vmmob_problems problems;
    char *networks;
    size_t i;

    vmmob_problems_init(&problems);
    problems_get(agent, &problems);
    if (!agent->configured) {
        int error = ovsdb_idl_get_last_error(agent->conf);

        ds_put_cstr(&s, "waiting for the settings in the Open_vSwitch "
                    "database");
        if (error) {
            ds_put_format(&s, " (%s)", ovs_retval_to_string(error));
        }
        ds_put_char(&s, '\n');
        vmmob_problems_to_text(&problems, &s);
        vmmob_problems_destroy(&problems);
        return ds_steal_cstr(&s);
    }

    ds_put_format(&s, "site: %s\n", settings->site);
    ds_put_format(&s, "system-id: %s\n", settings->system_id);
    put_words(&s, "listen", &settings->listen);
    if (settings->listen_hvs.n) {
        put_words(&s, "listen for hypervisors", &settings->listen_hvs);
    }

    ds_put_format(&s, "switch: %s\n", link->remote);
    ds_put_format(&s, "  state: %s\n", switch_state(link));
    ds_put_format(&s, "  authors: %"PRIuSIZE" OFSs, %"PRIuSIZE" VMNs\n",
                  vmmob_table_n_ofss(link->authored),
                  vmmob_table_n_vmns(link->authored));
    ds_put_format(&s, "  ports: %"PRIuSIZE" of which something is known\n",
                  shash_count(&agent->ports.ports));
    networks = vmmob_network_ids_to_string(&link->want);
    ds_put_format(&s, "  networks: %s\n", networks);
    free(networks);

    for (i = 0; i < agent->n_dbs; i++) {
        const struct sitedb *db = agent->dbs[i];

        ds_put_format(&s, "%s: %s\n", i ? "peer" : "database", db->name);
        if (strcmp(db->name, db->remote)) {
            ds_put_format(&s, "  remote: %s\n", db->remote);
        }
        ds_put_format(&s, "  state: %s\n", sitedb_state_to_string(db));
        ds_put_format(&s, "  has: %"PRIuSIZE" OFSs, %"PRIuSIZE" VMNs, "
                      "%"PRIuSIZE" bad rows\n",
                      vmmob_table_n_ofss(db->table),
                      vmmob_table_n_vmns(db->table), db->n_bad);
        if (!i) {
            ds_put_format(&s, "  rows to write: %"PRIuSIZE"\n",
                          hmap_count(&p->items));
            if (p->error) {
                ds_put_format(&s, "  refused: %s\n", p->error);
            }
        }
    }

    ds_put_format(&s, "known: %"PRIuSIZE" OFSs, %"PRIuSIZE" VMNs\n",
                  vmmob_table_n_ofss(agent->known.table),
                  vmmob_table_n_vmns(agent->known.table));

    vmmob_problems_to_text(&problems, &s);
    vmmob_problems_destroy(&problems);
    return ds_steal_cstr(&s);
}

static struct json *
show_as_json(const struct agent *agent)
{
    const struct settings *settings = &agent->settings;
    const struct switch_link *link = agent->link;
    const struct publisher *p = agent->publisher;
    struct json *object = json_object_create();
    struct json *peers = json_array_create_empty();
    struct json *sw = json_object_create();
    struct vmmob_problems problems;

    json_object_put_string(object, "version", VMMOB_VERSION);
    json_object_put(object, "configured",
                    json_boolean_create(agent->configured));
    json_object_put_string(object, "site", settings->site);
    json_object_put_string(object, "system_id", settings->system_id);
    vmmob_json_put_words(object, "listen", &settings->listen);
    vmmob_json_put_words(object, "listen_hypervisors", &settings->listen_hvs);

    json_object_put_string(sw, "remote", link->remote);
    json_object_put_string(sw, "state", switch_state(link));
    vmmob_json_put_integer(sw, "ofss", vmmob_table_n_ofss(link->authored));
    vmmob_json_put_integer(sw, "vmns", vmmob_table_n_vmns(link->authored));
    vmmob_json_put_integer(sw, "ports", shash_count(&agent->ports.ports));
    json_object_put(sw, "networks", networks_to_json(&link->want));
    json_object_put(object, "switch", sw);

    for (size_t i = 0; i < agent->n_dbs; i++) {
        struct json *db = db_to_json(agent->dbs[i]);

        if (i) {
            json_array_add(peers, db);
        } else {
            vmmob_json_put_integer(db, "rows_to_write", hmap_count(&p->items));
            vmmob_json_put_integer(db, "rows_written", p->n_written);
            if (p->error) {
                json_object_put_string(db, "refused", p->error);
            }
            json_object_put(object, "database", db);
        }
    }
    json_object_put(object, "peers", peers);

    vmmob_json_put_integer(object, "ofss",
                           vmmob_table_n_ofss(agent->known.table));
    vmmob_json_put_integer(object, "vmns",
                           vmmob_table_n_vmns(agent->known.table));

    vmmob_problems_init(&problems);
    problems_get(agent, &problems);
    json_object_put(object, "problems", vmmob_problems_to_json(&problems));
    vmmob_problems_destroy(&problems);
    return object;
}

/* vmmob/show, small things. */

static void
put_words(struct ds *s, const char *name, const struct svec *words)
{
    const char *word;
    size_t i;

    ds_put_format(s, "%s:", name);
    SVEC_FOR_EACH (i, word, words) {
        ds_put_format(s, " %s", word);
    }
    ds_put_char(s, '\n');
}

/* Returns null for all networks. */
static struct json *
networks_to_json(const struct vmmob_network_ids *networks)
{
    struct json *array;

    if (networks->all) {
        return json_null_create();
    }
    array = json_array_create_empty();
    for (size_t i = 0; i < networks->n; i++) {
        json_array_add(array, json_integer_create(networks->ids[i]));
    }
    return array;
}

static const char *
switch_state(const struct switch_link *link)
{
    return (!switch_link_is_connected(link) ? "connecting"
            : !vmmob_sync_has_told(&link->sync) ? "connected, not yet told"
            : !vmmob_sync_has_heard(&link->sync)
            ? "connected, told, not yet heard"
            : "connected");
}

/* vmmob/peers. */

static void
put_db(struct vmmob_text_table *table, const struct sitedb *db)
{
    char *changed = msec_ago(db->changed);

    vmmob_text_table_put(table, "%s", db->name);
    vmmob_text_table_put(table, "%s", sitedb_state_to_string(db));
    vmmob_text_table_put(table, "%"PRIuSIZE, vmmob_table_n_ofss(db->table));
    vmmob_text_table_put(table, "%"PRIuSIZE, vmmob_table_n_vmns(db->table));
    vmmob_text_table_put(table, "%"PRIuSIZE, db->n_bad);
    vmmob_text_table_put(table, "%s", changed);
    free(changed);
}

static struct json *
db_to_json(const struct sitedb *db)
{
    struct json *object = json_object_create();
    struct json *bad_rows = json_array_create_empty();
    const struct sitedb_row *row;

    json_object_put_string(object, "name", db->name);
    json_object_put_string(object, "remote", db->remote);
    json_object_put_string(object, "state", sitedb_state_to_string(db));
    json_object_put(object, "stale", json_boolean_create(db->stale));
    vmmob_json_put_integer(object, "ofss", vmmob_table_n_ofss(db->table));
    vmmob_json_put_integer(object, "vmns", vmmob_table_n_vmns(db->table));
    if (db->changed != LLONG_MIN) {
        vmmob_json_put_integer(object, "msec_since_change",
                               time_msec() - db->changed);
    }

    for (int is_ofs = 1; db->n_bad && is_ofs >= 0; is_ofs--) {
        HMAP_FOR_EACH (row, uuid_node, &db->rows_by_uuid[is_ofs]) {
            if (row->error) {
                struct json *bad = json_object_create();

                json_object_put_string(bad, "table",
                                       row->is_ofs ? "OFS" : "VMN");
                json_object_put_format(bad, "uuid", UUID_FMT,
                                       UUID_ARGS(&row->uuid));
                json_object_put_string(bad, "error", row->error);
                json_array_add(bad_rows, bad);
            }
        }
    }
    json_object_put(object, "bad_rows", bad_rows);
    return object;
}

/* Appends what is wrong with the bad rows of 'db', or with a few of them if
 * there are many. */
static void
put_db_errors(struct ds *s, const struct sitedb *db)
{
    const struct sitedb_row *row;
    size_t n = 0;

    for (int is_ofs = 1; db->n_bad && is_ofs >= 0; is_ofs--) {
        HMAP_FOR_EACH (row, uuid_node, &db->rows_by_uuid[is_ofs]) {
            if (row->error) {
                if (++n > 10) {
                    ds_put_format(s, "%s: ...\n", db->name);
                    return;
                }
                ds_put_format(s, "%s: bad row "UUID_FMT" in table %s: %s\n",
                              db->name, UUID_ARGS(&row->uuid),
                              row->is_ofs ? "OFS" : "VMN", row->error);
            }
        }
    }
}

/* Returns how long ago 'msec' was, as a string that the caller must free(). */
static char *
msec_ago(long long int msec)
{
    long long int age = time_msec() - msec;

    return (msec == LLONG_MIN
            ? xstrdup("never")
            : xasprintf("%lld.%01llds", age / 1000, age % 1000 / 100));
}

/* vmmob/vmns. */

/* Returns the VMN that 'sel', which is by MAC address or address, asks for in
 * 'network', or NULL if there is none. */
static const struct vmmob_vmn *
find_vmn(const struct vmmob_table *known, const struct vmmob_selection *sel,
         uint32_t network)
{
    const struct vmmob_vmn *vmn;

    if (sel->by_mac) {
        struct vmmob_key key = { .tenant = network, .mac = sel->mac };

        return vmmob_table_find_binding(known, &key);
    }
    vmn = vmmob_table_find_by_hoa(known, network, &sel->addr);
    if (!vmn) {
        vmn = vmmob_table_find_by_moa(known, &sel->addr);
    }
    return vmn && vmn->key.tenant == network ? vmn : NULL;
}

/* Finds the VMNs that 'arg' asks for, all if it is null.  If successful,
 * returns an array that the caller must free() and stores the number of its
 * elements, possibly 0, into '*n'.  Otherwise, returns NULL and stores an
 * error message into '*errorp' that the caller must free(). */
static const struct vmmob_vmn **
find_vmns(const struct vmmob_table *known, const char *arg, size_t *n,
          char **errorp)
{
    struct vmmob_network_ids networks;
    const struct vmmob_entry **entries;
    const struct vmmob_vmn **vmns;
    struct vmmob_selection sel;
    size_t n_entries;

    *errorp = NULL;
    *n = 0;
    if (!vmmob_selection_parse(&sel, arg)) {
        *errorp = xasprintf("%s: not a MAC address nor an IP address", arg);
        return NULL;
    }

    /* In order of networks. */
    entries = vmmob_sort_entries(known);
    n_entries = vmmob_table_n_vmns(known);
    vmns = xmalloc(MAX(n_entries, 1) * sizeof *vmns);
    vmmob_network_ids_init(&networks, NULL, 0);
    for (size_t i = 0; i < n_entries; i++) {
        uint32_t network = entries[i]->key.tenant;
        const struct vmmob_vmn *vmn;

        if (sel.by_network && sel.network != network) {
            continue;
        } else if (!sel.by_mac && !sel.by_addr) {
            vmns[(*n)++] = vmmob_entry_binding(entries[i]);
        } else if (vmmob_network_ids_add(&networks, network)) {
            vmn = find_vmn(known, &sel, network);
            if (vmn) {
                vmns[(*n)++] = vmn;
            }
        }
    }
    vmmob_network_ids_destroy(&networks);
    free(entries);
    return vmns;
}

/* Adds a VMN to 'table', in one line for each HoA, each with the network if
 * 'networks'. */
static void
put_vmn(struct vmmob_text_table *table, bool networks,
        const struct vmmob_table *known, const struct vmmob_vmn *vmn)
{
    const struct vmmob_ofs *ofs = vmmob_table_find_ofs(known, vmn->ofs);

    for (size_t i = 0; i < MAX(vmn->n_pairs, 1); i++) {
        const struct vmmob_pair *pair = vmn->n_pairs ? &vmn->pairs[i] : NULL;

        if (networks) {
            vmmob_text_table_put(table, "%"PRIu32, vmn->key.tenant);
        }
        vmmob_text_table_put(table, ETH_ADDR_FMT,
                             ETH_ADDR_ARGS(vmn->key.mac));
        vmmob_text_table_put_addr(table, pair ? &pair->hoa : NULL);
        vmmob_text_table_put_addr(table, pair ? &pair->moa : NULL);
        vmmob_text_table_put(table, VMMOB_OFS_ID_FMT, vmn->ofs);
        vmmob_text_table_put(table, "%s",
                             ofs && ofs->site[0] ? ofs->site : "-");
        vmmob_text_table_put(table, "%"PRIu64, vmn->seqno);
        vmmob_text_table_put(table, "%s%s", vmmob_state_to_string(vmn->state),
                             ofs && ofs->stale ? ",stale" : "");
    }
}

static struct json *
vmn_to_json(const struct vmmob_table *known, const struct vmmob_vmn *vmn)
{
    const struct vmmob_ofs *ofs = vmmob_table_find_ofs(known, vmn->ofs);
    struct json *object = vmmob_vmn_to_json(vmn);

    json_object_put_string(object, "site", ofs ? ofs->site : "");
    json_object_put(object, "stale", json_boolean_create(ofs && ofs->stale));
    return object;
}

/* vmmob/ofs. */

static void
put_ofs(struct vmmob_text_table *table, const struct known *known,
        const struct vmmob_ofs *ofs)
{
    const struct sitedb *db = known_find_owner(known, ofs->id);
    struct ds uplink = DS_EMPTY_INITIALIZER;

    vmmob_prefix_format(&ofs->uplink, &uplink);
    vmmob_text_table_put(table, VMMOB_OFS_ID_FMT, ofs->id);
    vmmob_text_table_put(table, "%s", ofs->site[0] ? ofs->site : "-");
    vmmob_text_table_put(table, "%s", ds_cstr(&uplink));
    vmmob_text_table_put(table, ETH_ADDR_FMT, ETH_ADDR_ARGS(ofs->mac));
    vmmob_text_table_put_addr(table, &ofs->gateway);
    if (eth_addr_is_zero(ofs->gateway_mac)) {
        vmmob_text_table_put(table, "-");
    } else {
        vmmob_text_table_put(table, ETH_ADDR_FMT,
                             ETH_ADDR_ARGS(ofs->gateway_mac));
    }
    vmmob_text_table_put(table, "%s", ofs->stale ? "stale" : "current");
    vmmob_text_table_put(table, "%s", db ? db->name : "-");
    ds_destroy(&uplink);
}

static struct json *
ofs_to_json(const struct known *known, const struct vmmob_ofs *ofs)
{
    const struct sitedb *db = known_find_owner(known, ofs->id);
    struct vmmob_ofs copy = *ofs;
    struct json *object;

    if (db) {
        const struct vmmob_ofs *row = vmmob_table_find_ofs(db->table, ofs->id);

        copy.networks = row->networks;
        copy.n_networks = row->n_networks;
    }
    object = vmmob_ofs_to_json(&copy);
    json_object_put_string(object, "database", db ? db->name : "");
    return object;
}
