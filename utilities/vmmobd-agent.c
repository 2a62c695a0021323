/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "vmmobd-agent.h"

#include <stdlib.h>
#include <string.h>

#include "coverage.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "ovsdb-idl.h"
#include "simap.h"
#include "stream-ssl.h"
#include "timeval.h"
#include "util.h"
#include "vmmob-hash.h"
#include "vmmob-reply.h"
#include "vmmob-table.h"
#include "vmmobd-conf.h"
#include "vmmobd-publisher.h"
#include "vmmobd-sitedb.h"
#include "vmmobd-switch.h"
#include "vswitch-idl.h"

VLOG_DEFINE_THIS_MODULE(vmmobd_agent);

COVERAGE_DEFINE(vmmobd_bad_setting);
COVERAGE_DEFINE(vmmobd_weak_setting);

static void run_conf(struct agent *);
static void run_ssl(const struct agent *);
static void set_cert_files(struct agent *, const struct ovsrec_ssl *);
static size_t log_news(const struct svec *, const struct svec *old);
static void configure_dbs(struct agent *, bool all_changed);
static struct sitedb *take_db(struct agent *, const char *remote, bool own);
static const struct settings_peer *peer_of_db(const struct agent *, size_t i);
static void run_dbs(struct agent *);
static void run_own_ofss(struct agent *, struct rowset *changed);
static void run_networks(struct agent *);
static void run_own_scope(struct agent *);
static bool has_ofs(const struct rowset *);
static bool is_complete(const struct agent *, const struct sitedb *);
static void get_have(const struct agent *, struct vmmob_network_ids *);
static void run_switch(struct agent *);
static void update_known(struct agent *, struct rowset *changed);

/* Creates and returns an agent that takes its settings from the Open_vSwitch
 * database at 'conf_remote' and serves the switch at 'switch_remote'.  If
 * 'take_ssl' is true, it also takes the keys and certificates for TLS that
 * this database names; otherwise those in 'cert_files' are in use. */
struct agent *
agent_create(const char *conf_remote, const char *switch_remote, bool take_ssl,
             const char *const cert_files[CERT_N_KINDS])
{
    struct agent *a = xzalloc(sizeof *a);

    a->conf = ovsdb_idl_create(conf_remote, &ovsrec_idl_class, false, true);
    ovsdb_idl_add_table(a->conf, &ovsrec_table_open_vswitch);
    ovsdb_idl_add_column(a->conf, &ovsrec_open_vswitch_col_external_ids);
    ovsdb_idl_add_column(a->conf, &ovsrec_open_vswitch_col_ssl);
    ovsdb_idl_add_table(a->conf, &ovsrec_table_ssl);
    ovsdb_idl_add_column(a->conf, &ovsrec_ssl_col_private_key);
    ovsdb_idl_add_column(a->conf, &ovsrec_ssl_col_certificate);
    ovsdb_idl_add_column(a->conf, &ovsrec_ssl_col_ca_cert);
    ovsdb_idl_add_column(a->conf, &ovsrec_ssl_col_bootstrap_ca_cert);
    ports_add_columns(a->conf);
    conf_add_columns(a->conf);
    a->conf_seqno = ovsdb_idl_get_seqno(a->conf);
    a->take_ssl = take_ssl;
    for (size_t i = 0; i < CERT_N_KINDS && !take_ssl; i++) {
        a->cert_files[i] = nullable_xstrdup(cert_files[i]);
    }
    settings_init(&a->settings);
    ports_init(&a->ports);
    own_ofss_init(&a->own_ofss);

    known_init(&a->known);
    rowset_init(&a->news);
    a->link = switch_link_create(switch_remote);
    networks_init(&a->networks);
    a->publisher = publisher_create(a->link->authored);
    listener_init(&a->listener);
    metrics_init(&a->metrics);
    return a;
}

void
agent_destroy(struct agent *a)
{
    if (a) {
        publisher_destroy(a->publisher);
        listener_destroy(&a->listener);
        check_destroy(&a->check);
        metrics_destroy(&a->metrics);
        switch_link_destroy(a->link);
        networks_destroy(&a->networks);
        for (size_t i = 0; i < a->n_dbs; i++) {
            sitedb_destroy(a->dbs[i], &a->news);
        }
        free(a->dbs);
        rowset_destroy(&a->news);
        own_ofss_destroy(&a->own_ofss);
        known_destroy(&a->known);
        settings_destroy(&a->settings);
        for (size_t i = 0; i < CERT_N_KINDS; i++) {
            free(a->cert_files[i]);
        }
        ports_destroy(&a->ports);
        ovsdb_idl_destroy(a->conf);
        free(a);
    }
}

void
agent_run(struct agent *a)
{
    run_conf(a);
    run_ssl(a);
    if (a->configured) {
        run_dbs(a);
        run_switch(a);
        publisher_run(a->publisher, a->dbs[0]);
        listener_run(&a->listener, a->dbs[0]);
        check_run(&a->check, a->dbs[0], a->publisher->wanted);
    }
    metrics_run(&a->metrics, a);
}

void
agent_wait(const struct agent *a)
{
    ovsdb_idl_wait(a->conf);
    metrics_wait(&a->metrics);
    if (a->configured) {
        for (size_t i = 0; i < a->n_dbs; i++) {
            sitedb_wait(a->dbs[i]);
        }
        switch_link_wait(a->link);
        networks_wait(&a->networks);
        publisher_wait(a->publisher, a->dbs[0]);
        listener_wait(&a->listener, a->dbs[0]);
        check_wait(&a->check);
        if (a->own_ofss_dirty) {
            poll_immediate_wake();
        }
    }
}

/* Adds to 'usage' what takes most of the memory. */
void
agent_get_memory_usage(const struct agent *a, struct simap *usage)
{
    for (size_t i = 0; i < a->n_dbs; i++) {
        ovsdb_idl_get_memory_usage(a->dbs[i]->idl, usage);
    }
    simap_increase(usage, "ofss", vmmob_table_n_ofss(a->known.table));
    simap_increase(usage, "vmns", vmmob_table_n_vmns(a->known.table));
    simap_increase(usage, "databases", a->n_dbs);
}

/* Reads the settings and puts them in force.  If the database cannot be
 * reached or is empty, they stay as they are. */
static void
run_conf(struct agent *a)
{
    const struct ovsrec_open_vswitch *cfg;
    struct settings old;
    unsigned int seqno;

    ovsdb_idl_run(a->conf);
    seqno = ovsdb_idl_get_seqno(a->conf);
    if (seqno == a->conf_seqno) {
        return;
    }
    a->conf_seqno = seqno;
    ports_run(&a->ports, a->conf);
    ovsdb_idl_track_clear(a->conf);
    cfg = ovsrec_open_vswitch_first(a->conf);
    if (!cfg) {
        return;
    }

    old = a->settings;
    settings_parse(&a->settings, &cfg->external_ids,
                   a->configured ? &old : NULL);
    COVERAGE_ADD(vmmobd_bad_setting,
                 log_news(&a->settings.identity_problems,
                          &old.identity_problems));
    COVERAGE_ADD(vmmobd_bad_setting,
                 log_news(&a->settings.problems, &old.problems));
    COVERAGE_ADD(vmmobd_weak_setting,
                 log_news(&a->settings.warnings, &old.warnings));
    settings_destroy(&old);

    a->configured = true;
    a->own_ofss_dirty = true;
    configure_dbs(a, known_set_system_id(&a->known, a->settings.system_id));
    publisher_set_identity(a->publisher, a->settings.site,
                           a->settings.system_id);
    listener_set(&a->listener, &a->settings, cfg->ssl);
    if (a->take_ssl) {
        set_cert_files(a, cfg->ssl);
    }
    metrics_set(&a->metrics, &a->settings);
}

/* Puts in force the keys and certificates that the database names, also when
 * their files have changed. */
static void
run_ssl(const struct agent *a)
{
    const struct ovsrec_open_vswitch *cfg = ovsrec_open_vswitch_first(a->conf);

    if (a->take_ssl && cfg && cfg->ssl) {
        const struct ovsrec_ssl *ssl = cfg->ssl;

        stream_ssl_set_key_and_cert(ssl->private_key, ssl->certificate);
        stream_ssl_set_ca_cert_file(ssl->ca_cert, ssl->bootstrap_ca_cert);
    }
}

/* Notes where the certificates are that 'ssl' names, which may be NULL. */
static void
set_cert_files(struct agent *a, const struct ovsrec_ssl *ssl)
{
    const char *files[CERT_N_KINDS] = {
        [CERT_OWN] = ssl ? ssl->certificate : NULL,
        [CERT_CA] = ssl ? ssl->ca_cert : NULL,
    };

    for (size_t i = 0; i < CERT_N_KINDS; i++) {
        free(a->cert_files[i]);
        a->cert_files[i] = nullable_xstrdup(files[i]);
    }
}

/* Logs the 'words' that are not in 'old'.  Returns how many there are. */
static size_t
log_news(const struct svec *words, const struct svec *old)
{
    const char *word;
    size_t n = 0;
    size_t i;

    SVEC_FOR_EACH (i, word, words) {
        if (!svec_contains_unsorted(old, word)) {
            VLOG_WARN("%s", word);
            n++;
        }
    }
    return n;
}

/* Makes 'a->dbs' the databases that the settings say.  If 'all_changed', looks
 * again at what they have, even if they are the same. */
static void
configure_dbs(struct agent *a, bool all_changed)
{
    size_t n = 1 + a->settings.n_peers;
    struct sitedb **dbs = xmalloc(n * sizeof *dbs);
    struct rowset changed = ROWSET_INITIALIZER(&changed);
    bool same;

    /* Keep those that are still wanted. */
    same = n == a->n_dbs && !all_changed;
    for (size_t i = 0; i < n; i++) {
        const struct sitedb *old = i < a->n_dbs ? a->dbs[i] : NULL;
        const char *remote = (i ? peer_of_db(a, i)->remote
                              : a->settings.db);

        dbs[i] = take_db(a, remote, !i);
        same = same && dbs[i] && dbs[i] == old;
    }
    for (size_t i = 0; i < a->n_dbs; i++) {
        if (a->dbs[i]) {
            VLOG_INFO("%s: not used any more", a->dbs[i]->name);
            if (a->dbs[i]->own) {
                publisher_forget_db(a->publisher);
                listener_forget_db(&a->listener);
                check_forget_db(&a->check);
            }
            sitedb_destroy(a->dbs[i], &changed);
        }
    }
    free(a->dbs);
    a->dbs = xmalloc(n * sizeof *a->dbs);
    a->n_dbs = 0;
    for (size_t i = 0; i < n; i++) {
        if (dbs[i]) {
            a->dbs[a->n_dbs++] = dbs[i];
            if (!same) {
                sitedb_add_all(dbs[i], &changed);
            }
            if (i) {
                const struct settings_peer *peer = peer_of_db(a, i);

                sitedb_configure(dbs[i], peer->name, &peer->limits, &changed);
            }
        }
    }
    update_known(a, &changed);

    /* Add the others, of which nothing is known yet. */
    for (size_t i = 0; i < n; i++) {
        if (!dbs[i]) {
            if (i) {
                const struct settings_peer *peer = peer_of_db(a, i);

                dbs[i] = sitedb_create(peer->remote, &a->own_ofss);
                sitedb_configure(dbs[i], peer->name, &peer->limits, &changed);
            } else {
                dbs[i] = sitedb_create(a->settings.db, NULL);
                a->own_ofss_dirty = true;
                if (a->link->ever_heard) {
                    publisher_reconcile(a->publisher);
                }
            }
        }
    }
    rowset_destroy(&changed);
    free(a->dbs);
    a->dbs = dbs;
    a->n_dbs = n;
}

/* Returns the peer whose database is number 'i', which is not 0. */
static const struct settings_peer *
peer_of_db(const struct agent *a, size_t i)
{
    return &a->settings.peers[i - 1];
}

/* Returns the database with the given 'remote' and takes it out of 'a->dbs',
 * or returns NULL if it is not there. */
static struct sitedb *
take_db(struct agent *a, const char *remote, bool own)
{
    for (size_t i = 0; i < a->n_dbs; i++) {
        struct sitedb *db = a->dbs[i];

        if (db && db->own == own && !strcmp(db->remote, remote)) {
            a->dbs[i] = NULL;
            return db;
        }
    }
    return NULL;
}

static void
run_dbs(struct agent *a)
{
    struct rowset changed = ROWSET_INITIALIZER(&changed);

    run_networks(a);
    for (size_t i = 0; i < a->n_dbs; i++) {
        sitedb_run(a->dbs[i], &changed);
        if (!i) {
            publisher_note(a->publisher, a->dbs[0], &changed);
            a->own_ofss_dirty = a->own_ofss_dirty || has_ofs(&changed);
            run_own_ofss(a, &changed);
        }
    }
    update_known(a, &changed);
    rowset_destroy(&changed);
}

/* Brings up to date what the peers must not claim, and adds the names of their
 * rows that this concerns to 'changed'. */
static void
run_own_ofss(struct agent *a, struct rowset *changed)
{
    if (!a->own_ofss_dirty) {
        return;
    }
    a->own_ofss_dirty = false;
    run_own_scope(a);
    if (own_ofss_set(&a->own_ofss, a->dbs[0]->table, a->link->authored)) {
        for (size_t i = 1; i < a->n_dbs; i++) {
            sitedb_recheck_ofss(a->dbs[i], changed);
        }
    }
}

/* Lets the databases be read of what the switch needs. */
static void
run_networks(struct agent *a)
{
    networks_run(&a->networks, &a->link->want, time_msec());
    for (size_t i = 0; i < a->n_dbs; i++) {
        scope_set_networks(&a->dbs[i]->scope, &a->networks.read);
    }
}

/* Reads all VMN rows of this hypervisor, whatever their networks: the
 * publisher must know them, and so must a switch that has just started. */
static void
run_own_scope(struct agent *a)
{
    struct sitedb *db = a->dbs[0];
    const char *system_id = a->settings.system_id;
    uint64_t *ids = xmalloc((vmmob_table_n_ofss(db->table)
                             + vmmob_table_n_ofss(a->link->authored))
                            * sizeof *ids);
    const struct vmmob_ofs **ofss;
    size_t n = 0;

    /* In the same order each time. */
    ofss = vmmob_sort_ofss(a->link->authored);
    for (size_t i = 0; i < vmmob_table_n_ofss(a->link->authored); i++) {
        ids[n++] = ofss[i]->id;
    }
    free(ofss);
    ofss = vmmob_sort_ofss(db->table);
    for (size_t i = 0; system_id[0] && i < vmmob_table_n_ofss(db->table);
         i++) {
        if (sitedb_is_of(db, ofss[i]->id, system_id)
            && !vmmob_table_find_ofs(a->link->authored, ofss[i]->id)) {
            ids[n++] = ofss[i]->id;
        }
    }
    free(ofss);
    scope_set_own(&db->scope, ids, n, system_id);
    free(ids);
}

static bool
has_ofs(const struct rowset *set)
{
    const struct rowset_node *node;

    ROWSET_FOR_EACH (node, set) {
        if (node->name.is_ofs) {
            return true;
        }
    }
    return false;
}

/* Plans to tell the switch, which has just said all, which of its rows that
 * 'changed' names are gone.  We told it its rows of an earlier life, also
 * those that are in no database, so nobody else would tell it of these. */
static void
note_withdrawn(struct agent *a, const struct rowset *changed)
{
    const struct rowset_node *node;

    ROWSET_FOR_EACH (node, changed) {
        const struct row_name *name = &node->name;

        if (!name->is_ofs
            && !vmmob_table_find_row(a->link->authored, &name->key, name->ofs)
            && !vmmob_table_find_row(a->known.table, &name->key, name->ofs)) {
            rowset_add(&a->news, name);
        }
    }
}

/* Plans to tell the switch again of OFSs that 'changed' names and that it does
 * not author any more, with their VMNs: they may be another hypervisor's. */
static void
note_given_up(struct agent *a, const struct rowset *changed)
{
    const struct rowset_node *node;

    ROWSET_FOR_EACH (node, changed) {
        uint64_t ofs = node->name.ofs;
        const struct vmmob_row *row;

        if (!node->name.is_ofs
            || vmmob_table_find_ofs(a->link->authored, ofs)) {
            continue;
        }
        rowset_add(&a->news, &node->name);
        HINDEX_FOR_EACH_WITH_HASH (row, ofs_node, vmmob_hash_uint64(ofs, 0),
                                   vmmob_table_rows_by_ofs(a->known.table)) {
            if (row->vmn.ofs == ofs) {
                struct row_name name = row_name_of_vmn(&row->vmn.key, ofs);

                rowset_add(&a->news, &name);
            }
        }
    }
}

/* Returns true if all that the switch needs of 'db' has been read, or all that
 * can be as long as it is gone. */
static bool
is_complete(const struct agent *a, const struct sitedb *db)
{
    return (db->live ? sitedb_has_read(db, &a->link->want)
            : sitedb_has_contents(db));
}

/* Initializes 'have' as the networks, of those that the switch needs, of which
 * all that can be read has been read. */
static void
get_have(const struct agent *a, struct vmmob_network_ids *have)
{
    vmmob_network_ids_clone(have, &a->link->want);
    if (time_msec() < a->link->want_since + SWITCH_PATIENCE) {
        for (size_t i = 0; i < a->n_dbs; i++) {
            if (a->dbs[i]->live) {
                vmmob_network_ids_intersect(have, &a->dbs[i]->scope.read);
            }
        }
    }
}

static void
run_switch(struct agent *a)
{
    struct rowset changed = ROWSET_INITIALIZER(&changed);

    if (switch_link_run(a->link, &changed)) {
        publisher_reconcile(a->publisher);
        note_withdrawn(a, &changed);
    }
    publisher_want(a->publisher, &changed);
    if (has_ofs(&changed)) {
        /* Before the publisher writes any of them. */
        run_own_scope(a);
        a->own_ofss_dirty = true;
    }
    note_given_up(a, &changed);
    rowset_destroy(&changed);
    run_networks(a);

    switch_link_tell_ports(a->link, &a->ports);
    sset_clear(&a->ports.changed);

    /* A switch that has just started must be told what it wrote in an earlier
     * life, so tell it nothing before that is known. */
    if (vmmob_sync_has_told(&a->link->sync)
        || is_complete(a, a->dbs[0])) {
        struct vmmob_network_ids have;
        bool complete = true;

        for (size_t i = 0; i < a->n_dbs; i++) {
            complete = complete && is_complete(a, a->dbs[i]);
        }
        get_have(a, &have);
        switch_link_tell(a->link, &a->known, &a->news, &have, &a->ports,
                         complete);
        vmmob_network_ids_destroy(&have);
    }
    rowset_clear(&a->news);
}

/* Brings 'a->known' up to date for the rows of databases that 'changed' names,
 * and adds what changed in it to 'a->news'. */
static void
update_known(struct agent *a, struct rowset *changed)
{
    const struct rowset_node *node;

    if (rowset_is_empty(changed)) {
        return;
    }
    known_update(&a->known, a->dbs, a->n_dbs, changed);
    ROWSET_FOR_EACH (node, changed) {
        rowset_add(&a->news, &node->name);
    }
}
