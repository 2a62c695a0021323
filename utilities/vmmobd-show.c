/* SPDX-License-Identifier: Apache-2.0 */

/* Each command gathers what it shows, then writes it as text for people or, if
 * its last argument is "json", as JSON for programs. */

#include <config.h>

#include "vmmobd-show.h"

#include <errno.h>
#include <glob.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dirs.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "ovsdb-idl.h"
#include "packets.h"
#include "svec.h"
#include "timeval.h"
#include "unixctl.h"
#include "util.h"
#include "vmmob-msg.h"
#include "vmmob-problems.h"
#include "vmmob-table.h"
#include "vmmobd-agent.h"
#include "vmmobd-publisher.h"
#include "vmmobd-sitedb.h"
#include "vmmobd-switch.h"
#include "utilities/vmmob-idl.h"
#include "vswitch-idl.h"

/* A table to be written with aligned columns. */
struct text_table {
    struct svec cells;          /* Row by row, the heading first. */
    size_t n_columns;
};

static unixctl_cb_func show;
static unixctl_cb_func show_peers;
static unixctl_cb_func show_vmns;
static unixctl_cb_func show_ofs;
static unixctl_cb_func show_metrics;

static char *show_as_text(const struct agent *);
static struct json *show_as_json(const struct agent *);
static void get_tls_problem(const struct agent *, struct vmmob_problems *);
static void get_database_problems(const struct agent *,
                                  struct vmmob_problems *);
static void get_damaged_problems(const struct agent *,
                                 struct vmmob_problems *);
static void get_peer_problems(const struct sitedb *, struct vmmob_problems *);
static void put_words(struct ds *, const char *name, const struct svec *);
static const char *switch_state(const struct switch_link *);

static void put_db(struct text_table *, const struct sitedb *);
static struct json *db_to_json(const struct sitedb *);
static void put_db_errors(struct ds *, const struct sitedb *);
static char *msec_ago(long long int);

static const struct vmmob_vmn **find_vmns(const struct vmmob_table *,
                                          const char *, size_t *n,
                                          char **errorp);
static void put_vmn(struct text_table *, const struct vmmob_table *,
                    const struct vmmob_vmn *);
static struct json *vmn_to_json(const struct vmmob_table *,
                                const struct vmmob_vmn *);
static void put_ofs(struct text_table *, const struct known *,
                    const struct vmmob_ofs *);
static struct json *ofs_to_json(const struct known *,
                                const struct vmmob_ofs *);

static void text_table_init(struct text_table *, const char *headings);
static void text_table_put(struct text_table *, char *);
static char *text_table_steal(struct text_table *);

static bool wants_json(int argc, const char *argv[]);
static void reply(struct unixctl_conn *, char *);
static void reply_json(struct unixctl_conn *, struct json *);
static char *addr_or_dash(const struct in6_addr *);
static struct json *svec_to_json(const struct svec *);
static void put_integer(struct json *, const char *name, long long int);

/* Registers the commands, which show 'agent'. */
void
show_init(struct agent *agent)
{
    void *aux = agent;

    unixctl_command_register("vmmob/show", "[json]", 0, 1, show, aux);
    unixctl_command_register("vmmob/peers", "[json]", 0, 1, show_peers, aux);
    unixctl_command_register("vmmob/vmns", "[MAC|HoA|MoA] [json]", 0, 2,
                             show_vmns, aux);
    unixctl_command_register("vmmob/ofs", "[ID] [json]", 0, 2, show_ofs, aux);
    unixctl_command_register("vmmob/metrics", "", 0, 0, show_metrics, aux);
}

/* Commands. */

static void
show(struct unixctl_conn *conn, int argc, const char *argv[], void *agent_)
{
    const struct agent *agent = agent_;

    if (wants_json(argc, argv)) {
        reply_json(conn, show_as_json(agent));
    } else if (argc > 1) {
        unixctl_command_reply_error(conn, "the only argument is \"json\"");
    } else {
        reply(conn, show_as_text(agent));
    }
}

static void
show_peers(struct unixctl_conn *conn, int argc, const char *argv[],
           void *agent_)
{
    const struct agent *agent = agent_;

    if (wants_json(argc, argv)) {
        struct json *array = json_array_create_empty();

        for (size_t i = 1; i < agent->n_dbs; i++) {
            json_array_add(array, db_to_json(agent->dbs[i]));
        }
        reply_json(conn, array);
    } else if (argc > 1) {
        unixctl_command_reply_error(conn, "the only argument is \"json\"");
    } else {
        struct text_table table;
        struct ds s = DS_EMPTY_INITIALIZER;
        char *rows;

        text_table_init(&table, "PEER STATE OFSS VMNS BAD CHANGED");
        for (size_t i = 1; i < agent->n_dbs; i++) {
            put_db(&table, agent->dbs[i]);
        }
        rows = text_table_steal(&table);
        ds_put_cstr(&s, rows);
        free(rows);
        for (size_t i = 1; i < agent->n_dbs; i++) {
            put_db_errors(&s, agent->dbs[i]);
        }
        reply(conn, ds_steal_cstr(&s));
    }
}

static void
show_vmns(struct unixctl_conn *conn, int argc, const char *argv[],
          void *agent_)
{
    const struct agent *agent = agent_;
    const struct vmmob_table *known = agent->known.table;
    bool as_json = wants_json(argc, argv);
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
        reply_json(conn, array);
    } else {
        struct text_table table;

        text_table_init(&table, "MAC HoA MoA OFS SITE SEQNO STATE");
        for (size_t i = 0; i < n; i++) {
            put_vmn(&table, known, vmns[i]);
        }
        reply(conn, text_table_steal(&table));
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
    bool as_json = wants_json(argc, argv);
    uint64_t id = 0;
    size_t n;

    if (argc > 1 + as_json && !vmmob_ofs_id_from_string(argv[1], &id)) {
        unixctl_command_reply_error(conn, "an OFS ID is 16 hex digits");
        return;
    }

    ofss = vmmob_table_sort_ofss(known->table);
    n = vmmob_table_n_ofss(known->table);
    if (as_json) {
        struct json *array = json_array_create_empty();

        for (size_t i = 0; i < n; i++) {
            if (!id || ofss[i]->id == id) {
                json_array_add(array, ofs_to_json(known, ofss[i]));
            }
        }
        reply_json(conn, array);
    } else {
        struct text_table table;

        text_table_init(&table, "OFS SITE UPLINK MAC GATEWAY GATEWAY-MAC "
                        "STATE DATABASE");
        for (size_t i = 0; i < n; i++) {
            if (!id || ofss[i]->id == id) {
                put_ofs(&table, known, ofss[i]);
            }
        }
        reply(conn, text_table_steal(&table));
    }
    free(ofss);
}

static void
show_metrics(struct unixctl_conn *conn, int argc OVS_UNUSED,
             const char *argv[] OVS_UNUSED, void *agent_)
{
    struct agent *agent = agent_;

    metrics_answer(&agent->metrics, conn);
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
    size_t i;

    vmmob_problems_init(&problems);
    show_get_problems(agent, &problems);
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

    json_object_put(object, "configured",
                    json_boolean_create(agent->configured));
    json_object_put_string(object, "site", settings->site);
    json_object_put_string(object, "system_id", settings->system_id);
    json_object_put(object, "listen", svec_to_json(&settings->listen));
    json_object_put(object, "listen_hypervisors",
                    svec_to_json(&settings->listen_hvs));

    json_object_put_string(sw, "remote", link->remote);
    json_object_put_string(sw, "state", switch_state(link));
    put_integer(sw, "ofss", vmmob_table_n_ofss(link->authored));
    put_integer(sw, "vmns", vmmob_table_n_vmns(link->authored));
    put_integer(sw, "ports", shash_count(&agent->ports.ports));
    json_object_put(object, "switch", sw);

    for (size_t i = 0; i < agent->n_dbs; i++) {
        struct json *db = db_to_json(agent->dbs[i]);

        if (i) {
            json_array_add(peers, db);
        } else {
            put_integer(db, "rows_to_write", hmap_count(&p->items));
            put_integer(db, "rows_written", p->n_written);
            if (p->error) {
                json_object_put_string(db, "refused", p->error);
            }
            json_object_put(object, "database", db);
        }
    }
    json_object_put(object, "peers", peers);

    put_integer(object, "ofss", vmmob_table_n_ofss(agent->known.table));
    put_integer(object, "vmns", vmmob_table_n_vmns(agent->known.table));

    vmmob_problems_init(&problems);
    show_get_problems(agent, &problems);
    json_object_put(object, "problems", vmmob_problems_to_json(&problems));
    vmmob_problems_destroy(&problems);
    return object;
}

/* Problems. */

/* Adds to 'p' what is wrong now. */
void
show_get_problems(const struct agent *agent, struct vmmob_problems *p)
{
    const struct settings *settings = &agent->settings;
    struct svec ports = SVEC_EMPTY_INITIALIZER;
    const char *s;
    size_t i;

    if (!ovsdb_idl_is_connected(agent->conf)) {
        vmmob_problems_add(
            p, VMMOB_PROBLEM_CONF,
            xasprintf("the Open_vSwitch database cannot be read%s",
                      agent->configured ? "; the last settings stay in force"
                      : ", so there are no settings"),
            xstrdup("start its ovsdb-server, or tell ovs-vmmobd on its "
                    "command line where that listens"));
    }
    SVEC_FOR_EACH (i, s, &settings->problems) {
        if (!strncmp(s, "external_ids:system-id ", 23)) {
            vmmob_problems_add(
                p, VMMOB_PROBLEM_SYSTEM_ID, xstrdup(s),
                xstrdup("set it with \"ovs-vsctl set Open_vSwitch . "
                        "external_ids:system-id=...\" to a name that no "
                        "other hypervisor has"));
        } else {
            vmmob_problems_add(
                p, VMMOB_PROBLEM_SETTING, xstrdup(s),
                xstrdup("put it right with \"ovs-vsctl set Open_vSwitch . "
                        "external_ids:...\"; see ovs-vmmobd(8)"));
        }
    }
    SVEC_FOR_EACH (i, s, &settings->warnings) {
        vmmob_problems_add(
            p, VMMOB_PROBLEM_PLAIN_TCP, xstrdup(s),
            xstrdup("use \"ssl:\" and \"pssl:\" instead, and remove "
                    "vmmob-allow-plain-tcp; see SECURITY in vmmob(7)"));
    }
    SVEC_FOR_EACH (i, s, &agent->listener.problems) {
        vmmob_problems_add(
            p, VMMOB_PROBLEM_LISTEN, xstrdup(s),
            xstrdup("correct external_ids:vmmob-listen or "
                    "vmmob-listen-hypervisors, or what else is in the "
                    "VM_Mobility database; see ovs-vmmobd(8)"));
    }
    ports_get_problems(&agent->ports, &ports);
    SVEC_FOR_EACH (i, s, &ports) {
        vmmob_problems_add(
            p, VMMOB_PROBLEM_PORT_SETTING, xstrdup(s),
            xstrdup("put it right with \"ovs-vsctl set Interface "
                    "...\"; see \"Interface Settings\" in vmmob(7)"));
    }
    svec_destroy(&ports);
    if (!agent->configured) {
        return;
    }

    if (agent->metrics.error) {
        vmmob_problems_add(
            p, VMMOB_PROBLEM_METRICS_FILE, xstrdup(agent->metrics.error),
            xstrdup("let the user that ovs-vmmobd runs as write in that "
                    "directory, or correct "
                    "external_ids:vmmob-metrics-file"));
    }
    get_tls_problem(agent, p);
    if (!switch_link_is_connected(agent->link)) {
        vmmob_problems_add(
            p, VMMOB_PROBLEM_SWITCH,
            xasprintf("the switch, at %s, is not connected (%s)",
                      agent->link->remote,
                      ovs_retval_to_string(agent->link->last_error)),
            xstrdup("start ovs-vswitchd, and configure a bridge for VM "
                    "mobility: only then it listens for ovs-vmmobd"));
    }
    get_database_problems(agent, p);
    for (i = 1; i < agent->n_dbs; i++) {
        get_peer_problems(agent->dbs[i], p);
    }
}

/* Returns true if 'words', separated by commas, has one that is TLS. */
static bool
has_tls(const char *words)
{
    return !strncmp(words, "ssl:", 4) || strstr(words, ",ssl:");
}

static void
get_tls_problem(const struct agent *agent, struct vmmob_problems *p)
{
    const struct settings *settings = &agent->settings;
    const struct ovsrec_open_vswitch *cfg
        = ovsrec_open_vswitch_first(agent->conf);
    bool wanted = has_tls(settings->db) || settings->listen_hvs.n;

    for (size_t i = 0; i < settings->n_peers; i++) {
        wanted = wanted || has_tls(settings->peers[i].remote);
    }
    for (size_t i = 0; i < settings->listen.n; i++) {
        wanted = wanted || !strncmp(settings->listen.names[i], "pssl:", 5);
    }
    if (!wanted || !agent->take_ssl || !cfg) {
        return;
    }

    if (!cfg->ssl) {
        vmmob_problems_add(
            p, VMMOB_PROBLEM_TLS,
            xstrdup("TLS is to be used, but there is no key and no "
                    "certificate for it"),
            xstrdup("name them with \"ovs-vsctl set-ssl KEY CERTIFICATE "
                    "CA-CERTIFICATE\"; ovs-pki(8) makes them"));
    } else {
        const char *files[] = { cfg->ssl->private_key, cfg->ssl->certificate,
                                cfg->ssl->ca_cert };

        for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
            if (access(files[i], R_OK)
                && !(errno == ENOENT && i == 2
                     && cfg->ssl->bootstrap_ca_cert)) {
                vmmob_problems_add(
                    p, VMMOB_PROBLEM_TLS,
                    xasprintf("TLS: %s cannot be read (%s)", files[i],
                              ovs_strerror(errno)),
                    xstrdup("put it there, readable for the user that "
                            "ovs-vmmobd runs as, or name another one with "
                            "\"ovs-vsctl set-ssl\""));
            }
        }
    }
}

/* This site's database. */
static void
get_database_problems(const struct agent *agent, struct vmmob_problems *p)
{
    const struct sitedb *db = agent->dbs[0];
    const struct publisher *publisher = agent->publisher;

    if (!db->live) {
        vmmob_problems_add(
            p, VMMOB_PROBLEM_DATABASE,
            xasprintf("this site's database, %s, cannot be reached, so other "
                      "hypervisors do not hear of VMs here", db->name),
            xstrdup("start it, with \"vmmob-ctl start\" if it is on this "
                    "hypervisor, or correct external_ids:vmmob-db"));
    } else if (!vmmobrec_server_has_vmn_table_col_system_id(db->idl)
               || !vmmobrec_server_has_ssl_table(db->idl)
               || !vmmobrec_server_has_rbac_role_table(db->idl)) {
        vmmob_problems_add(
            p, VMMOB_PROBLEM_DATABASE_OLD,
            xasprintf("this site's database, %s, was made by an older "
                      "version", db->name),
            xstrdup("convert it: restart it with \"vmmob-ctl restart\", or "
                    "use \"ovsdb-client convert\" if it is a cluster"));
    }
    if (publisher->error) {
        vmmob_problems_add(
            p, VMMOB_PROBLEM_DATABASE_REFUSES,
            xasprintf("this site's database, %s, refuses to be written (%s); "
                      "%"PRIuSIZE" rows wait", db->name, publisher->error,
                      hmap_count(&publisher->items)),
            xstrdup("let this hypervisor write there: by a Unix socket, or "
                    "where external_ids:vmmob-listen-hypervisors says, with a "
                    "certificate whose common name is its system-id"));
    }
    if (db->n_bad) {
        vmmob_problems_add(
            p, VMMOB_PROBLEM_BAD_ROWS,
            xasprintf("%"PRIuSIZE" rows of this site's database are bad, and "
                      "ignored", db->n_bad),
            xstrdup("see \"vmmob/show json\" for the reasons, and put right "
                    "the settings of the hypervisor that wrote them"));
    }
    get_damaged_problems(agent, p);
}

/* vmmob-ctl sets aside what it finds damaged. */
static void
get_damaged_problems(const struct agent *agent, struct vmmob_problems *p)
{
    char *pattern;
    glob_t files;

    if (strncmp(agent->settings.db, "unix:", 5)) {
        return;
    }
    pattern = xasprintf("%s/vmmob.db.damaged-*", ovs_dbdir());
    if (!glob(pattern, 0, NULL, &files)) {
        for (size_t i = 0; i < files.gl_pathc; i++) {
            vmmob_problems_add(
                p, VMMOB_PROBLEM_DATABASE_DAMAGED,
                xasprintf("vmmob-ctl found this site's database damaged and "
                          "set it aside as %s", files.gl_pathv[i]),
                xstrdup("look for the cause, such as a full disk; then "
                        "remove that file: ovs-vmmobd has written anew what "
                        "its switch knows"));
        }
        globfree(&files);
    }
    free(pattern);
}

/* Another site's database. */
static void
get_peer_problems(const struct sitedb *db, struct vmmob_problems *p)
{
    if (db->cut_until != LLONG_MIN) {
        vmmob_problems_add(
            p, VMMOB_PROBLEM_PEER_CUT_OFF,
            xasprintf("peer %s has far more rows than it may have, and is not "
                      "read for a while", db->name),
            xstrdup("see what is wrong there; if that many are right, raise "
                    "external_ids:vmmob-peer-max-vmns"));
    } else if (!db->live) {
        int error = ovsdb_idl_get_last_error(db->idl);

        vmmob_problems_add(
            p, VMMOB_PROBLEM_PEER,
            xasprintf("peer %s: %s%s%s%s%s", db->name,
                      ovsdb_idl_is_connected(db->idl) ? "being read"
                      : "cannot be reached",
                      error ? " (" : "",
                      error ? ovs_retval_to_string(error) : "",
                      error ? ")" : "",
                      sitedb_has_contents(db)
                      ? "; what it last said is still used"
                      : "; nothing is known of VMs there"),
            xasprintf("see whether its ovsdb-server runs and listens at %s, "
                      "whether the way there is free, and, with TLS, "
                      "whether both trust the same CA", db->remote));
    }
    if (db->n_bad) {
        vmmob_problems_add(
            p, VMMOB_PROBLEM_BAD_ROWS,
            xasprintf("%"PRIuSIZE" rows of peer %s are bad, and ignored",
                      db->n_bad, db->name),
            xstrdup("see vmmob/peers for the reasons: put the settings right "
                    "there, or here what the peer may claim "
                    "(external_ids:vmmob-peer-pools, vmmob-peer-homes, "
                    "vmmob-peer-max-vmns)"));
    }
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

static const char *
switch_state(const struct switch_link *link)
{
    return (!switch_link_is_connected(link) ? "connecting"
            : !link->told ? "connected, not yet told"
            : !link->heard ? "connected, told, not yet heard"
            : "connected");
}

/* vmmob/peers. */

static void
put_db(struct text_table *table, const struct sitedb *db)
{
    text_table_put(table, xstrdup(db->name));
    text_table_put(table, xstrdup(sitedb_state_to_string(db)));
    text_table_put(table, xasprintf("%"PRIuSIZE,
                                    vmmob_table_n_ofss(db->table)));
    text_table_put(table, xasprintf("%"PRIuSIZE,
                                    vmmob_table_n_vmns(db->table)));
    text_table_put(table, xasprintf("%"PRIuSIZE, db->n_bad));
    text_table_put(table, msec_ago(db->changed));
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
    put_integer(object, "ofss", vmmob_table_n_ofss(db->table));
    put_integer(object, "vmns", vmmob_table_n_vmns(db->table));
    if (db->changed != LLONG_MIN) {
        put_integer(object, "msec_since_change", time_msec() - db->changed);
    }

    if (db->n_bad) {
        HMAP_FOR_EACH (row, uuid_node, &db->rows_by_uuid) {
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

/* Appends what is wrong with the bad rows of 'db', of a few of them if there
 * are many. */
static void
put_db_errors(struct ds *s, const struct sitedb *db)
{
    const struct sitedb_row *row;
    size_t n = 0;

    if (!db->n_bad) {
        return;
    }
    HMAP_FOR_EACH (row, uuid_node, &db->rows_by_uuid) {
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

/* Finds the VMN that has the MAC address, HoA or MoA 'arg', or all if 'arg' is
 * null.  If successful, returns an array that the caller must free() and
 * stores the number of its elements, possibly 0, into '*n'.  Otherwise,
 * returns NULL and stores an error message into '*errorp' that the caller must
 * free(). */
static const struct vmmob_vmn **
find_vmns(const struct vmmob_table *known, const char *arg, size_t *n,
          char **errorp)
{
    const struct vmmob_vmn **vmns;
    const struct vmmob_vmn *vmn;
    struct vmmob_key key = { .tenant = 0 };
    struct in6_addr addr;

    *errorp = NULL;
    if (!arg) {
        const struct vmmob_entry **entries = vmmob_table_sort_entries(known);

        *n = vmmob_table_n_vmns(known);
        vmns = xmalloc(*n * sizeof *vmns);
        for (size_t i = 0; i < *n; i++) {
            vmns[i] = vmmob_entry_binding(entries[i]);
        }
        free(entries);
        return vmns;
    }

    if (eth_addr_from_string(arg, &key.mac)) {
        vmn = vmmob_table_find_binding(known, &key);
    } else if (vmmob_addr_from_string(arg, &addr)) {
        vmn = vmmob_table_find_by_hoa(known, 0, &addr);
        if (!vmn) {
            vmn = vmmob_table_find_by_moa(known, &addr);
        }
    } else {
        *n = 0;
        *errorp = xasprintf("%s: not a MAC address nor an IP address", arg);
        return NULL;
    }
    *n = vmn != NULL;
    return xmemdup(&vmn, sizeof vmn);
}

/* A VMN takes one line for each HoA. */
static void
put_vmn(struct text_table *table, const struct vmmob_table *known,
        const struct vmmob_vmn *vmn)
{
    const struct vmmob_ofs *ofs = vmmob_table_find_ofs(known, vmn->ofs);

    for (size_t i = 0; i < MAX(vmn->n_pairs, 1); i++) {
        const struct vmmob_pair *pair = vmn->n_pairs ? &vmn->pairs[i] : NULL;

        text_table_put(table, xasprintf(ETH_ADDR_FMT,
                                        ETH_ADDR_ARGS(vmn->key.mac)));
        text_table_put(table, addr_or_dash(pair ? &pair->hoa : NULL));
        text_table_put(table, addr_or_dash(pair ? &pair->moa : NULL));
        text_table_put(table, xasprintf(VMMOB_OFS_ID_FMT, vmn->ofs));
        text_table_put(table, xstrdup(ofs && ofs->site[0] ? ofs->site : "-"));
        text_table_put(table, xasprintf("%"PRIu64, vmn->seqno));
        text_table_put(table, xasprintf("%s%s",
                                        vmmob_state_to_string(vmn->state),
                                        ofs && ofs->stale ? ",stale" : ""));
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
put_ofs(struct text_table *table, const struct known *known,
        const struct vmmob_ofs *ofs)
{
    const struct sitedb *db = known_find_owner(known, ofs->id);
    struct ds uplink = DS_EMPTY_INITIALIZER;

    vmmob_prefix_format(&ofs->uplink, &uplink);
    text_table_put(table, xasprintf(VMMOB_OFS_ID_FMT, ofs->id));
    text_table_put(table, xstrdup(ofs->site[0] ? ofs->site : "-"));
    text_table_put(table, ds_steal_cstr(&uplink));
    text_table_put(table, xasprintf(ETH_ADDR_FMT, ETH_ADDR_ARGS(ofs->mac)));
    text_table_put(table, addr_or_dash(&ofs->gateway));
    text_table_put(table, eth_addr_is_zero(ofs->gateway_mac)
                   ? xstrdup("-")
                   : xasprintf(ETH_ADDR_FMT, ETH_ADDR_ARGS(ofs->gateway_mac)));
    text_table_put(table, xstrdup(ofs->stale ? "stale" : "current"));
    text_table_put(table, xstrdup(db ? db->name : "-"));
}

static struct json *
ofs_to_json(const struct known *known, const struct vmmob_ofs *ofs)
{
    const struct sitedb *db = known_find_owner(known, ofs->id);
    struct json *object = vmmob_ofs_to_json(ofs);

    json_object_put_string(object, "database", db ? db->name : "");
    return object;
}

/* Tables. */

/* Initializes 'table' with a heading.  'headings' are separated by single
 * spaces. */
static void
text_table_init(struct text_table *table, const char *headings)
{
    char *copy = xstrdup(headings);
    char *save_ptr = NULL;

    svec_init(&table->cells);
    for (char *token = strtok_r(copy, " ", &save_ptr); token;
         token = strtok_r(NULL, " ", &save_ptr)) {
        svec_add(&table->cells, token);
    }
    table->n_columns = table->cells.n;
    free(copy);
}

/* Adds a cell.  Takes ownership of 'text'. */
static void
text_table_put(struct text_table *table, char *text)
{
    svec_add_nocopy(&table->cells, text);
}

/* Returns 'table' as a string that the caller must free(), and frees what
 * 'table' owns. */
static char *
text_table_steal(struct text_table *table)
{
    size_t *widths = xcalloc(table->n_columns, sizeof *widths);
    struct ds s = DS_EMPTY_INITIALIZER;

    for (size_t i = 0; i < table->cells.n; i++) {
        size_t *width = &widths[i % table->n_columns];

        *width = MAX(*width, strlen(table->cells.names[i]));
    }
    for (size_t i = 0; i < table->cells.n; i++) {
        size_t column = i % table->n_columns;

        if (column + 1 < table->n_columns) {
            ds_put_format(&s, "%-*s  ", (int) widths[column],
                          table->cells.names[i]);
        } else {
            ds_put_format(&s, "%s\n", table->cells.names[i]);
        }
    }
    svec_destroy(&table->cells);
    free(widths);
    return ds_steal_cstr(&s);
}

/* Small things. */

/* Returns true if the last argument is "json". */
static bool
wants_json(int argc, const char *argv[])
{
    return argc > 1 && !strcmp(argv[argc - 1], "json");
}

/* Takes ownership of 's'. */
static void
reply(struct unixctl_conn *conn, char *s)
{
    unixctl_command_reply(conn, s);
    free(s);
}

/* Takes ownership of 'json'. */
static void
reply_json(struct unixctl_conn *conn, struct json *json)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    json_to_ds(json, JSSF_SORT, &s);
    ds_put_char(&s, '\n');
    json_destroy(json);
    reply(conn, ds_steal_cstr(&s));
}

/* Returns a string that the caller must free().  'addr' may be null. */
static char *
addr_or_dash(const struct in6_addr *addr)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    if (addr && ipv6_addr_is_set(addr)) {
        vmmob_addr_format(addr, &s);
    } else {
        ds_put_char(&s, '-');
    }
    return ds_steal_cstr(&s);
}

static struct json *
svec_to_json(const struct svec *svec)
{
    struct json *array = json_array_create_empty();
    const char *s;
    size_t i;

    SVEC_FOR_EACH (i, s, svec) {
        json_array_add(array, json_string_create(s));
    }
    return array;
}

static void
put_integer(struct json *object, const char *name, long long int value)
{
    json_object_put(object, name, json_integer_create(value));
}
