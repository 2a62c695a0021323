/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "vmmobd-problems.h"

#include <errno.h>
#include <glob.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "dirs.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/shash.h"
#include "ovsdb-idl.h"
#include "svec.h"
#include "timeval.h"
#include "util.h"
#include "utilities/vmmob-idl.h"
#include "vmmob-problems.h"
#include "vmmob-reply.h"
#include "vmmob-table.h"
#include "vmmobd-agent.h"
#include "vmmobd-conf.h"
#include "vmmobd-publisher.h"
#include "vmmobd-sitedb.h"
#include "vmmobd-switch.h"
#include "vswitch-idl.h"

/* How long before a certificate ends that is a problem, in s. */
#define CERT_WARN_S (30 * 24 * 60 * 60)

/* As in xastrftime_msec(). */
#define TIME_FORMAT "%Y-%m-%d %H:%M:%S UTC"

static void get_tls_problem(const struct agent *, struct vmmob_problems *);
static void get_cert_problems(const struct agent *, struct vmmob_problems *);
static void get_listen_problems(const struct agent *,
                                struct vmmob_problems *);
static void get_database_problems(const struct agent *,
                                  struct vmmob_problems *);
static void get_damaged_problems(const struct agent *,
                                 struct vmmob_problems *);
static void get_peer_problems(const struct sitedb *, struct vmmob_problems *);
static void get_ofs_problems(const struct agent *, const struct sitedb *,
                             struct vmmob_problems *);
static void get_own_ofs_problems(const struct agent *,
                                 struct vmmob_problems *);
static void get_seqno_problems(const struct agent *, const struct sitedb *,
                               struct vmmob_problems *);
static void get_network_problems(const struct agent *,
                                 struct vmmob_problems *);

/* Adds to 'p' what is wrong now. */
void
problems_get(const struct agent *agent, struct vmmob_problems *p)
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
    SVEC_FOR_EACH (i, s, &settings->identity_problems) {
        vmmob_problems_add(
            p, VMMOB_PROBLEM_SYSTEM_ID, xstrdup(s),
            xstrdup("set it with \"ovs-vsctl set Open_vSwitch . "
                    "external_ids:system-id=...\" to a name that no "
                    "other hypervisor has"));
    }
    SVEC_FOR_EACH (i, s, &settings->problems) {
        vmmob_problems_add(
            p, VMMOB_PROBLEM_SETTING, xstrdup(s),
            xstrdup("put it right with \"ovs-vsctl set Open_vSwitch . "
                    "external_ids:...\"; see ovs-vmmobd(8)"));
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
    conf_get_problems(agent->conf, p);
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
    get_cert_problems(agent, p);
    if (!switch_link_is_connected(agent->link)) {
        vmmob_problems_add(
            p, VMMOB_PROBLEM_SWITCH,
            xasprintf("the switch, at %s, is not connected (%s)",
                      agent->link->remote,
                      ovs_retval_to_string(agent->link->last_error)),
            xstrdup("start ovs-vswitchd, and configure a bridge for VM "
                    "mobility: only then it listens for ovs-vmmobd"));
    }
    get_listen_problems(agent, p);
    get_database_problems(agent, p);
    get_own_ofs_problems(agent, p);
    for (i = 1; i < agent->n_dbs; i++) {
        get_peer_problems(agent->dbs[i], p);
        get_ofs_problems(agent, agent->dbs[i], p);
        get_seqno_problems(agent, agent->dbs[i], p);
    }
    get_network_problems(agent, p);
}

/* Adds to 'p' what other hypervisors of this site have that they must not
 * have, as it is this one's. */
static void
get_own_ofs_problems(const struct agent *agent, struct vmmob_problems *p)
{
    const struct sitedb *db = agent->dbs[0];
    const struct vmmobrec_ofs *row;
    const struct rowset_node *node;

    ROWSET_FOR_EACH (node, &agent->publisher->barred) {
        row = sitedb_find_ofs(db, &node->name);
        if (row) {
            vmmob_problems_add(
                p, VMMOB_PROBLEM_OFS_CONFLICT,
                xasprintf("OFS "VMMOB_OFS_ID_FMT" is in this site's database "
                          "as that of system \"%s\", so others do not hear "
                          "of VMs at this one", node->name.ofs,
                          row->system_id),
                xstrdup("give one of the two bridges another "
                        "other_config:datapath-id; if the other one is gone "
                        "for good, remove its rows, see \"One Datapath Id "
                        "Twice\" in vmmob(7)"));
        }
    }
    row = publisher_find_clone(agent->publisher, db);
    if (row) {
        vmmob_problems_add(
            p, VMMOB_PROBLEM_SYSTEM_ID,
            xasprintf("another hypervisor has the system-id \"%s\", too: it "
                      "writes OFS %s into this site's database",
                      row->system_id, row->datapath_id),
            xstrdup("set one of the two with \"ovs-vsctl set Open_vSwitch . "
                    "external_ids:system-id=...\" to a name that no "
                    "other hypervisor has"));
    }
}

/* Adds to 'p' what is wrong with keys and certificates. */
static void
get_tls_problem(const struct agent *agent, struct vmmob_problems *p)
{
    const struct ovsrec_open_vswitch *cfg
        = ovsrec_open_vswitch_first(agent->conf);

    if (!agent->take_ssl || !cfg || !settings_want_tls(&agent->settings)) {
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

/* Adds to 'p' which certificates cannot be used, or not for long. */
static void
get_cert_problems(const struct agent *agent, struct vmmob_problems *p)
{
    static const char *const names[] = {
        [CERT_OWN] = "this hypervisor's certificate",
        [CERT_CA] = "the CA's certificate",
    };
    static const char *const hints[] = {
        [CERT_OWN] = "put a new one into its file, which is taken at once; "
                     "ovs-pki(8) makes it; see \"New certificates\" in "
                     "operate.rst",
        [CERT_CA] = "first add the certificate of its successor to that file "
                    "everywhere, then give out certificates of the "
                    "successor; see \"New certificates\" in operate.rst",
    };
    struct cert certs[CERT_N_KINDS];
    long long int now = time_wall();

    if (!settings_want_tls(&agent->settings)) {
        return;
    }
    certs_read(agent->cert_files, certs);
    for (size_t i = 0; i < CERT_N_KINDS; i++) {
        const struct cert *c = &certs[i];
        char *from, *to;

        if (c->bad) {
            vmmob_problems_add(
                p, VMMOB_PROBLEM_TLS,
                xasprintf("TLS: there is no certificate in the file of %s",
                          names[i]),
                xstrdup("put one there, in PEM format; ovs-pki(8) makes it"));
        }
        if (!c->there) {
            continue;
        }

        from = xastrftime_msec(TIME_FORMAT, c->not_before * 1000, true);
        to = xastrftime_msec(TIME_FORMAT, c->not_after * 1000, true);
        if (now > c->not_after) {
            vmmob_problems_add(
                p, VMMOB_PROBLEM_CERTIFICATE_EXPIRED,
                xasprintf("%s expired at %s, so there are no new connections "
                          "by TLS", names[i], to),
                xstrdup(hints[i]));
        } else if (now < c->not_before) {
            vmmob_problems_add(
                p, VMMOB_PROBLEM_TLS,
                xasprintf("TLS: %s does not begin before %s", names[i], from),
                xstrdup("set this hypervisor's clock, if that is wrong; "
                        "otherwise put another certificate there"));
        } else if (c->not_after - now < CERT_WARN_S) {
            vmmob_problems_add(
                p, VMMOB_PROBLEM_CERTIFICATE_ENDS,
                xasprintf("%s ends in %lld days, at %s", names[i],
                          DIV_ROUND_UP(c->not_after - now, 24 * 60 * 60),
                          to),
                xstrdup(hints[i]));
        }
        free(from);
        free(to);
    }
}

/* Adds to 'p' that other sites cannot read this site's database. */
static void
get_listen_problems(const struct agent *agent, struct vmmob_problems *p)
{
    const struct settings *settings = &agent->settings;
    struct svec silent = SVEC_EMPTY_INITIALIZER;
    const char *s;
    size_t i;

    listener_get_silent(&agent->listener, agent->dbs[0], &silent);
    SVEC_FOR_EACH (i, s, &silent) {
        vmmob_problems_add(
            p, VMMOB_PROBLEM_LISTEN,
            xasprintf("this site's database does not listen on \"%s\"", s),
            xstrdup("see whether this hypervisor has that address and nobody "
                    "else has that port; the log of the database's "
                    "ovsdb-server says why it cannot"));
    }
    svec_destroy(&silent);

    if (settings_db_is_here(settings) && !settings->listen.n
        && !settings->listen_elsewhere && agent->dbs[0]->live
        && !listener_is_reachable(agent->dbs[0])) {
        for (i = 0; i < settings->n_peers; i++) {
            if (strncmp(settings->peers[i].remote, "unix:", 5)) {
                vmmob_problems_add(
                    p, VMMOB_PROBLEM_NO_LISTEN,
                    xasprintf("there are peers (such as %s), and this site's "
                              "database listens for none, so they do not hear "
                              "of VMs here", settings->peers[i].name),
                    xstrdup("set external_ids:vmmob-listen; to \"none\" if "
                            "its ovsdb-server is told by other means to "
                            "listen, or need not"));
                break;
            }
        }
    }
}

/* Adds to 'p' what is wrong with this site's database. */
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
               || !vmmobrec_server_has_rbac_role_table(db->idl)
               || !vmmobrec_server_has_ofs_table_col_networks(db->idl)) {
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

/* Adds to 'p' the damaged files that vmmob-ctl has set aside. */
static void
get_damaged_problems(const struct agent *agent, struct vmmob_problems *p)
{
    char *pattern;
    glob_t files;

    if (!settings_db_is_here(&agent->settings)) {
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

/* Adds to 'p' what is wrong with another site's database. */
static void
get_peer_problems(const struct sitedb *db, struct vmmob_problems *p)
{
    if (db->cut_until != LLONG_MIN) {
        vmmob_problems_add(
            p, VMMOB_PROBLEM_PEER_CUT_OFF,
            xasprintf("peer %s sends far more than it may, and is not read "
                      "for a while", db->name),
            xstrdup("see what is wrong there; if it has that many VMNs or "
                    "OFSs, raise external_ids:vmmob-peer-max-vmns or "
                    "vmmob-peer-max-ofss"));
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
                    "vmmob-peer-networks, vmmob-peer-max-vmns, "
                    "vmmob-peer-max-ofss)"));
    }
}

/* Adds to 'p' the OFSs in the database of a peer that another database has. */
static void
get_ofs_problems(const struct agent *agent, const struct sitedb *db,
                 struct vmmob_problems *p)
{
    const struct own_ofss *own = &agent->own_ofss;
    const struct vmmob_ofs_entry *entry;

    for (size_t i = 0; i < own->n_ids; i++) {
        struct row_name name = row_name_of_ofs(own->ids[i]);

        if (sitedb_find_ofs(db, &name)) {
            vmmob_problems_add(
                p, VMMOB_PROBLEM_OFS_CONFLICT,
                xasprintf("OFS "VMMOB_OFS_ID_FMT" of this site is in the "
                          "database of peer %s as well, which is ignored",
                          name.ofs, db->name),
                xstrdup("give one of the two bridges another "
                        "other_config:datapath-id; if there is no such bridge "
                        "at the peer, do not trust it any more: take it out "
                        "of external_ids:vmmob-peers"));
        }
    }
    HMAP_FOR_EACH (entry, node, vmmob_table_ofs_entries(db->table)) {
        const struct sitedb *owner = known_find_owner(&agent->known,
                                                      entry->ofs.id);

        if (owner && owner != db && !owner->own) {
            vmmob_problems_add(
                p, VMMOB_PROBLEM_OFS_CONFLICT,
                xasprintf("OFS "VMMOB_OFS_ID_FMT" is in the databases of "
                          "peers %s and %s; only what %s says of it is used",
                          entry->ofs.id, owner->name, db->name, owner->name),
                xstrdup("find out whose it is, and have the other one give "
                        "its bridge another other_config:datapath-id, or take "
                        "it out of external_ids:vmmob-peers"));
        }
    }
}

/* Adds to 'p' the sequence numbers of a peer that cannot be right. */
static void
get_seqno_problems(const struct agent *agent, const struct sitedb *db,
                   struct vmmob_problems *p)
{
    const struct rowset_node *node;
    size_t n = 0;

    ROWSET_FOR_EACH (node, &agent->known.refused) {
        n += known_find_owner(&agent->known, node->name.ofs) == db;
    }
    if (n) {
        vmmob_problems_add(
            p, VMMOB_PROBLEM_BAD_ROWS,
            xasprintf("%"PRIuSIZE" rows of peer %s are ignored because their "
                      "sequence numbers are far above all others of their "
                      "VMNs", n, db->name),
            xstrdup("find out who wrote them there; if that was a switch, "
                    "\"vmmob/release\" there withdraws them"));
    }
}

/* Networks. */

/* Homes that a network has elsewhere and does not have here. */
struct difference {
    struct vmmob_network here;
    struct vmmob_network there;
    uint64_t ofs;               /* The first OFS that has them... */
    const char *site;           /* ...its site, not owned... */
    size_t n_more;              /* ...and how many more do. */
};

/* Returns what to call this site. */
static const char *
site_name(const struct agent *agent)
{
    return agent->settings.site[0] ? agent->settings.site : "here";
}

/* Compares 'here', which has the networks of this switch, with 'there', an OFS
 * in 'db'.  Adds the differences to 'differences'. */
static void
compare_networks(const struct agent *agent, const struct vmmob_ofs *here,
                 const struct vmmob_ofs *there, const struct sitedb *db,
                 struct shash *differences)
{
    for (size_t i = 0, j = 0; i < here->n_networks && j < there->n_networks;) {
        const struct vmmob_network *a = &here->networks[i];
        const struct vmmob_network *b = &there->networks[j];

        if (a->id == b->id && !vmmob_network_equals(a, b)
            && network_limit_allows(&db->limits.networks, a->id)) {
            struct ds key = DS_EMPTY_INITIALIZER;
            struct difference *d;

            ds_put_format(&key, "%010"PRIu32" ", b->id);
            vmmob_network_format_homes(b, &key);
            d = shash_find_data(differences, ds_cstr(&key));
            if (d) {
                d->n_more++;
            } else {
                d = xmalloc(sizeof *d);
                *d = (struct difference) {
                    .here = *a, .there = *b, .ofs = there->id,
                    .site = (there->site[0] ? there->site
                             : db->own ? site_name(agent) : db->name),
                };
                shash_add(differences, ds_cstr(&key), d);
            }
            ds_destroy(&key);
        }
        i += a->id <= b->id;
        j += a->id >= b->id;
    }
}

/* Returns the homes of 'network', as a string that the caller must free(). */
static char *
homes_to_string(const struct vmmob_network *network)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    vmmob_network_format_homes(network, &s);
    return network->n_homes ? ds_steal_cstr(&s) : xstrdup("no prefix");
}

static void
add_difference(const struct agent *agent, const struct difference *d,
               struct vmmob_problems *p)
{
    char *here = homes_to_string(&d->here);
    char *there = homes_to_string(&d->there);
    char *more = (d->n_more
                  ? xasprintf(" (and at %"PRIuSIZE" more)", d->n_more)
                  : xstrdup(""));

    vmmob_problems_add(
        p, VMMOB_PROBLEM_NETWORK_DIFFERS,
        xasprintf("network %"PRIu32" has %s here, and %s at OFS "
                  VMMOB_OFS_ID_FMT" of site %s%s, so VMs that move there may "
                  "not be reached", d->here.id, here, there, d->ofs, d->site,
                  more),
        xasprintf("if it is one network, give it the same home prefixes at "
                  "site %s, which has %s, and at site %s, which has %s; "
                  "otherwise give one of the two another id",
                  site_name(agent), here, d->site, there));
    free(here);
    free(there);
    free(more);
}

/* Adds to 'p' the networks of this switch that have other homes elsewhere. */
static void
get_network_problems(const struct agent *agent, struct vmmob_problems *p)
{
    const struct vmmob_table *authored = agent->link->authored;
    const struct vmmob_ofs **own = vmmob_sort_ofss(authored);
    struct shash differences = SHASH_INITIALIZER(&differences);
    const struct shash_node **sorted;
    struct vmmob_ofs here;

    /* The first of our bridges that has a network says what it is here. */
    vmmob_ofs_init(&here, 0);
    for (size_t i = 0; i < vmmob_table_n_ofss(authored); i++) {
        compare_networks(agent, &here, own[i], agent->dbs[0], &differences);
        for (size_t j = 0; j < own[i]->n_networks; j++) {
            if (!vmmob_ofs_find_network(&here, own[i]->networks[j].id)) {
                vmmob_ofs_put_network(&here, &own[i]->networks[j]);
            }
        }
    }
    free(own);

    for (size_t i = 0; i < agent->n_dbs; i++) {
        const struct sitedb *db = agent->dbs[i];
        const struct vmmob_ofs **ofss = vmmob_sort_ofss(db->table);

        for (size_t j = 0; j < vmmob_table_n_ofss(db->table); j++) {
            if (known_find_owner(&agent->known, ofss[j]->id) == db
                && !vmmob_table_find_ofs(authored, ofss[j]->id)) {
                compare_networks(agent, &here, ofss[j], db, &differences);
            }
        }
        free(ofss);
    }

    sorted = shash_sort(&differences);
    for (size_t i = 0; i < shash_count(&differences); i++) {
        add_difference(agent, sorted[i]->data, p);
    }
    free(sorted);
    shash_destroy_free_data(&differences);
    vmmob_ofs_destroy(&here);
}
