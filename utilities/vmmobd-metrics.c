/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "vmmobd-metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "coverage.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "ovsdb-idl.h"
#include "socket-util.h"
#include "timeval.h"
#include "unixctl.h"
#include "util.h"
#include "vmmob-compat.h"
#include "vmmob-problems.h"
#include "vmmob-stats.h"
#include "vmmob-table.h"
#include "vmmobd-agent.h"
#include "vmmobd-problems.h"
#include "vmmobd-publisher.h"
#include "vmmobd-sitedb.h"
#include "vmmobd-switch.h"

VLOG_DEFINE_THIS_MODULE(vmmobd_metrics);

COVERAGE_DEFINE(vmmobd_metrics_failed);
COVERAGE_DEFINE(vmmobd_metrics_unanswered);

static void finish(struct metrics *, const struct agent *);
static void write_file(struct metrics *, const struct ds *);
static int write_atomically(const char *file, const struct ds *);
static void set_error(struct metrics *, char *);

static void put_agent(const struct agent *, struct ds *);
static void put_certs(const struct agent *, struct ds *);
static void put_dbs(const struct agent *, struct ds *);
static void put_problems(const struct vmmob_problems *,
                         const struct vmmob_stats *, struct ds *);
static void put_switch(const struct vmmob_stats *, struct ds *);
static void put_phases(const struct vmmob_stats *, struct ds *);
static void put_counters(const struct vmmob_stats *agent,
                         const struct vmmob_stats *sw, struct ds *);
static void put_family(struct ds *, const char *name, const char *type,
                       const char *help);
static void put_sample(struct ds *, const char *name, const char *label,
                       const char *value, uint64_t);
static void put_label(struct ds *, const char *name, const char *value);
static void put_histogram(struct ds *, const char *name, const char *labels,
                          const struct vmmob_histogram *);

void
metrics_init(struct metrics *m)
{
    *m = (struct metrics) { .next_write = LLONG_MAX };
}

/* Frees what 'm' owns, but not 'm' itself.  Those that wait for an answer get
 * none. */
void
metrics_destroy(struct metrics *m)
{
    if (m) {
        free(m->file);
        free(m->error);
        free(m->conns);
    }
}

/* Puts the settings in force.  Removes a file that is not to be written any
 * more: its figures would be taken for current ones. */
void
metrics_set(struct metrics *m, const struct settings *s)
{
    const char *file = s->metrics_file[0] ? s->metrics_file : NULL;

    if (!nullable_string_is_equal(m->file, file)) {
        if (m->file) {
            unlink(m->file);
        }
        free(m->file);
        m->file = nullable_xstrdup(file);
        set_error(m, NULL);
        m->next_write = file ? time_msec() : LLONG_MAX;
    } else if (file && m->interval != s->metrics_interval) {
        m->next_write = time_msec();
    }
    m->interval = s->metrics_interval;
}

/* Replies to 'conn' with the text, in the older format if 'classic' is true,
 * as soon as the switch has answered. */
void
metrics_answer(struct metrics *m, struct unixctl_conn *conn, bool classic)
{
    if (m->n_conns >= m->allocated_conns) {
        m->conns = x2nrealloc(m->conns, &m->allocated_conns,
                              sizeof *m->conns);
    }
    m->conns[m->n_conns++] = (struct metrics_conn) { conn, classic };
}

void
metrics_run(struct metrics *m, const struct agent *agent)
{
    long long int now = time_msec();

    if (now >= m->next_write) {
        m->write = true;
        m->next_write = now + m->interval;
    }
    if (!m->write && !m->n_conns) {
        return;
    }

    if (!m->asked && switch_link_ask_stats(agent->link)) {
        m->asked = true;
        m->deadline = now + METRICS_PATIENCE;
    }
    if (m->asked && !agent->link->stats
        && switch_link_is_connected(agent->link)) {
        if (now < m->deadline) {
            return;
        }
        COVERAGE_INC(vmmobd_metrics_unanswered);
    }
    finish(m, agent);
}

void
metrics_wait(const struct metrics *m)
{
    if (m->next_write != LLONG_MAX) {
        poll_timer_wait_until(m->next_write);
    }
    if (m->asked) {
        poll_timer_wait_until(m->deadline);
    } else if (m->write || m->n_conns) {
        poll_immediate_wake();
    }
}

/* Makes the text, and writes it to the file and to those that wait for it. */
static void
finish(struct metrics *m, const struct agent *agent)
{
    struct ds s = DS_EMPTY_INITIALIZER;
    struct ds classic = DS_EMPTY_INITIALIZER;

    metrics_to_text(agent, agent->link->stats, &s);
    metrics_to_classic(&s, &classic);
    switch_link_forget_stats(agent->link);
    m->asked = false;

    for (size_t i = 0; i < m->n_conns; i++) {
        unixctl_command_reply(m->conns[i].conn,
                              ds_cstr(m->conns[i].classic ? &classic : &s));
    }
    m->n_conns = 0;
    if (m->write) {
        m->write = false;
        if (m->file) {
            write_file(m, &classic);
        }
    }
    ds_destroy(&classic);
    ds_destroy(&s);
}

static void
write_file(struct metrics *m, const struct ds *s)
{
    int error = write_atomically(m->file, s);

    if (error) {
        COVERAGE_INC(vmmobd_metrics_failed);
    }
    set_error(m, error ? xasprintf("%s: cannot be written (%s)", m->file,
                                   ovs_strerror(error)) : NULL);
}

/* Writes 's' to 'file'.  Whoever reads 'file' sees either what was in it
 * before or all of 's'.  Returns 0 or a positive errno value. */
static int
write_atomically(const char *file, const struct ds *s)
{
    char *tmp = xasprintf("%s.tmp", file);
    size_t written;
    int error;
    int fd;

    /* There may be a link of somebody else's. */
    unlink(tmp);
    fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0) {
        error = errno;
        free(tmp);
        return error;
    }
    error = write_fully(fd, s->string, s->length, &written);
    if (!error && fchmod(fd, 0644)) {
        error = errno;
    }
    if (close(fd) && !error) {
        error = errno;
    }
    if (!error && rename(tmp, file)) {
        error = errno;
    }
    if (error) {
        unlink(tmp);
    }
    free(tmp);
    return error;
}

/* Notes 'error', of which it takes ownership, and logs it if it is news. */
static void
set_error(struct metrics *m, char *error)
{
    if (error && !nullable_string_is_equal(error, m->error)) {
        VLOG_WARN("%s", error);
    }
    free(m->error);
    m->error = error;
}

/* The text. */

/* Appends to 's' what is known of 'agent', and of its switch unless
 * 'stats' is null. */
void
metrics_to_text(const struct agent *agent, const struct vmmob_stats *stats,
                struct ds *s)
{
    struct vmmob_problems problems;
    struct vmmob_stats own;

    put_family(s, "vmmob_build_info", "gauge",
               "1, with the versions of vmmob and of the Open vSwitch that "
               "it was built with.");
    ds_put_cstr(s, "vmmob_build_info{");
    put_label(s, "version", VMMOB_VERSION);
    ds_put_char(s, ',');
    put_label(s, "openvswitch", VERSION);
    ds_put_cstr(s, "} 1\n");
    put_family(s, "vmmob_metrics_timestamp_seconds", "gauge",
               "When this was written.");
    ds_put_format(s, "vmmob_metrics_timestamp_seconds %lld.%03lld\n",
                  time_wall_msec() / 1000, time_wall_msec() % 1000);

    put_agent(agent, s);
    if (agent->n_dbs) {
        put_dbs(agent, s);
    }
    put_family(s, "vmmob_switch_answered", "gauge",
               "1 if ovs-vswitchd told the figures that are its own.");
    put_sample(s, "vmmob_switch_answered", NULL, NULL, stats != NULL);

    vmmob_problems_init(&problems);
    problems_get(agent, &problems);
    put_problems(&problems, stats, s);
    vmmob_problems_destroy(&problems);
    if (stats) {
        put_switch(stats, s);
        put_phases(stats, s);
    }
    vmmob_stats_init(&own);
    vmmob_stats_add_counters(&own, "vmmobd_");
    put_counters(&own, stats, s);
    vmmob_stats_destroy(&own);
    ds_put_cstr(s, "# EOF\n");
}

/* Appends what is known here, except for the databases. */
static void
put_agent(const struct agent *agent, struct ds *s)
{
    put_family(s, "vmmob_conf_connected", "gauge",
               "1 if ovs-vmmobd is connected to the Open_vSwitch database.");
    put_sample(s, "vmmob_conf_connected", NULL, NULL,
               ovsdb_idl_is_connected(agent->conf));
    put_family(s, "vmmob_switch_connected", "gauge",
               "1 if ovs-vmmobd is connected to ovs-vswitchd.");
    put_sample(s, "vmmob_switch_connected", NULL, NULL,
               switch_link_is_connected(agent->link));
    put_certs(agent, s);
    put_family(s, "vmmob_known_vmns", "gauge", "VMNs that are known.");
    put_sample(s, "vmmob_known_vmns", NULL, NULL,
               vmmob_table_n_vmns(agent->known.table));
    put_family(s, "vmmob_known_ofss", "gauge",
               "OFSs, that is, bridges, that are known.");
    put_sample(s, "vmmob_known_ofss", NULL, NULL,
               vmmob_table_n_ofss(agent->known.table));
}

/* Appends when the certificates end. */
static void
put_certs(const struct agent *agent, struct ds *s)
{
    static const char *const names[] = {
        [CERT_OWN] = "own", [CERT_CA] = "ca",
    };
    struct cert certs[CERT_N_KINDS];

    certs_read(agent->cert_files, certs);
    put_family(s, "vmmob_certificate_not_after_seconds", "gauge",
               "When a certificate for TLS ends, in seconds since 1970.");
    for (size_t i = 0; i < CERT_N_KINDS; i++) {
        if (certs[i].there) {
            put_sample(s, "vmmob_certificate_not_after_seconds",
                       "certificate", names[i], MAX(0, certs[i].not_after));
        }
    }
}

enum db_figure { DB_OFSS, DB_VMNS, DB_BAD_ROWS, DB_AGE };

/* Appends a family with a figure of each database. */
static void
put_db_family(const struct agent *agent, const char *name, const char *help,
              enum db_figure figure, struct ds *s)
{
    put_family(s, name, "gauge", help);
    for (size_t i = 0; i < agent->n_dbs; i++) {
        const struct sitedb *db = agent->dbs[i];

        if (figure != DB_AGE) {
            put_sample(s, name, "database", i ? db->name : "own",
                       figure == DB_OFSS ? vmmob_table_n_ofss(db->table)
                       : figure == DB_VMNS ? vmmob_table_n_vmns(db->table)
                       : db->n_bad);
        } else if (db->changed != LLONG_MIN) {
            long long int age = time_msec() - db->changed;

            ds_put_format(s, "%s{", name);
            put_label(s, "database", i ? db->name : "own");
            ds_put_format(s, "} %lld.%03lld\n", age / 1000, age % 1000);
        }
    }
}

/* Appends what is known of the databases.  This site's is called "own". */
static void
put_dbs(const struct agent *agent, struct ds *s)
{
    const struct publisher *p = agent->publisher;

    put_family(s, "vmmob_database_state", "gauge",
               "1 for the state that a database is in: this site's (own), "
               "or a peer's.");
    for (size_t i = 0; i < agent->n_dbs; i++) {
        const struct sitedb *db = agent->dbs[i];

        for (int state = 0; state < SITEDB_N_STATES; state++) {
            ds_put_cstr(s, "vmmob_database_state{");
            put_label(s, "database", i ? db->name : "own");
            ds_put_format(s, ",state=\"%s\"} %d\n",
                          sitedb_state_to_word(state),
                          sitedb_get_state(db) == state);
        }
    }
    put_db_family(agent, "vmmob_database_ofss",
                  "OFSs in a database that are used.", DB_OFSS, s);
    put_db_family(agent, "vmmob_database_vmns",
                  "VMNs in a database that are used.", DB_VMNS, s);
    put_db_family(agent, "vmmob_database_bad_rows",
                  "Rows in a database that are not used.", DB_BAD_ROWS, s);
    put_db_family(agent, "vmmob_database_age_seconds",
                  "How long ago a row last changed.", DB_AGE, s);

    put_family(s, "vmmob_database_pending_rows", "gauge",
               "Rows that are still to be written into this site's "
               "database.");
    put_sample(s, "vmmob_database_pending_rows", NULL, NULL,
               hmap_count(&p->items));
    put_family(s, "vmmob_database_written_rows", "counter",
               "Rows that were sent to be written there.");
    put_sample(s, "vmmob_database_written_rows_total", NULL, NULL,
               p->n_written);
    put_family(s, "vmmob_database_refuses", "gauge",
               "1 if this site's database refused the last transaction.");
    put_sample(s, "vmmob_database_refuses", NULL, NULL, p->error != NULL);
    put_family(s, "vmmob_database_commit_seconds", "histogram",
               "How long it took until a row that the switch had told of was "
               "in this site's database.");
    put_histogram(s, "vmmob_database_commit_seconds", "", &p->commits);
}

static void
put_problems(const struct vmmob_problems *own, const struct vmmob_stats *stats,
             struct ds *s)
{
    put_family(s, "vmmob_problems", "gauge",
               "What vmmob/show says is wrong, by kind.");
    for (size_t i = VMMOB_N_SWITCH_PROBLEMS; i < VMMOB_N_PROBLEMS; i++) {
        ds_put_format(s, "vmmob_problems{daemon=\"ovs-vmmobd\",kind=\"%s\"} "
                      "%"PRIuSIZE"\n", vmmob_problem_kind_to_string(i),
                      own->n_by_kind[i]);
    }
    for (size_t i = 0; stats && i < VMMOB_N_SWITCH_PROBLEMS; i++) {
        const char *kind = vmmob_problem_kind_to_string(i);

        if (simap_contains(&stats->problems, kind)) {
            ds_put_format(s, "vmmob_problems{daemon=\"ovs-vswitchd\","
                          "kind=\"%s\"} %u\n", kind,
                          simap_get(&stats->problems, kind));
        }
    }
}

/* What the switch told. */

/* Appends a sample of 'stat', of the bridge 'bridge' unless that is null. */
static void
put_stat(const struct vmmob_stat *stat, const char *bridge, uint64_t value,
         struct ds *s)
{
    if (value == VMMOB_STAT_NONE) {
        return;
    }
    ds_put_format(s, "%s%s", stat->family,
                  !strcmp(stat->type, "counter") ? "_total" : "");
    if (bridge || stat->labels[0]) {
        ds_put_char(s, '{');
        if (bridge) {
            put_label(s, "bridge", bridge);
        }
        ds_put_format(s, "%s%s}", bridge && stat->labels[0] ? "," : "",
                      stat->labels);
    }
    ds_put_format(s, " %"PRIu64"\n", value);
}

static void
put_switch(const struct vmmob_stats *stats, struct ds *s)
{
    for (size_t i = 0; i < VMMOB_N_SWITCH_STATS; i++) {
        const struct vmmob_stat *stat = &vmmob_switch_stats[i];

        if (stat->help) {
            put_family(s, stat->family, stat->type, stat->help);
        }
        put_stat(stat, NULL, stats->values[i], s);
    }

    /* All that is of one family, then the next one. */
    for (size_t i = 0, n; i < VMMOB_N_BRIDGE_STATS; i += n) {
        const struct vmmob_stat *stat = &vmmob_bridge_stats[i];

        n = 1;
        while (i + n < VMMOB_N_BRIDGE_STATS && !stat[n].help) {
            n++;
        }
        put_family(s, stat->family, stat->type, stat->help);
        for (size_t j = 0; j < stats->n_bridges; j++) {
            const struct vmmob_bridge_figures *b = &stats->bridges[j];

            for (size_t k = 0; k < n; k++) {
                put_stat(&stat[k], b->name, b->values[i + k], s);
            }
        }
    }
}

static void
put_phases(const struct vmmob_stats *stats, struct ds *s)
{
    put_family(s, "vmmob_move_phase_seconds", "histogram",
               "How long after the beginning of a move each of its phases was "
               "over; vmmob(7) describes them.");
    for (size_t i = 0; i < VMMOB_N_DIRECTIONS; i++) {
        for (size_t j = 0; j < VMMOB_N_MOVE_PHASES; j++) {
            if (i != VMMOB_HERE && j != VMMOB_MOVE_DECIDED
                && j != VMMOB_MOVE_RULES && j != VMMOB_MOVE_FLOWS) {
                /* There is no such phase. */
                continue;
            }

            char *labels = xasprintf("direction=\"%s\",phase=\"%s\"",
                                     vmmob_direction_to_string(i),
                                     vmmob_move_phase_to_string(j));

            put_histogram(s, "vmmob_move_phase_seconds", labels,
                          &stats->phases[i][j]);
            free(labels);
        }
    }
}

/* Appends the coverage counters of both. */
static void
put_counters(const struct vmmob_stats *agent, const struct vmmob_stats *sw,
             struct ds *s)
{
    put_family(s, "vmmob_events", "counter",
               "Coverage counters of ovs-vswitchd and ovs-vmmobd; vmmob(7) "
               "and ovs-vmmobd(8) describe them.");
    for (size_t i = 0; i < agent->n_counters; i++) {
        put_sample(s, "vmmob_events_total", "counter",
                   agent->counters[i].name, agent->counters[i].total);
    }
    for (size_t i = 0; sw && i < sw->n_counters; i++) {
        put_sample(s, "vmmob_events_total", "counter", sw->counters[i].name,
                   sw->counters[i].total);
    }
}

/* Appends to 'classic' what 'text', in OpenMetrics, says, in the format that
 * Prometheus had before: "_total" is in the name of a family of counters, and
 * there are no units and no mark of the end. */
void
metrics_to_classic(const struct ds *text, struct ds *classic)
{
    static const char counter[] = " counter";
    char *copy = xstrdup(ds_cstr_ro(text));
    char *next = copy;
    bool is_counter = false;
    char *line;

    /* Nothing is after the last new-line. */
    while ((line = strsep(&next, "\n")) && next) {
        bool type = !strncmp(line, "# TYPE ", 7);
        bool help = !strncmp(line, "# HELP ", 7);

        if (!strncmp(line, "# UNIT ", 7) || !strcmp(line, "# EOF")) {
            continue;
        } else if (type) {
            size_t len = strlen(line), end = strlen(counter);

            is_counter = len > end && !strcmp(line + len - end, counter);
        }
        if ((type || help) && is_counter) {
            size_t name = 7 + strcspn(line + 7, " ");

            ds_put_format(classic, "%.*s_total%s\n", (int) name, line,
                          line + name);
        } else {
            ds_put_format(classic, "%s\n", line);
        }
    }
    free(copy);
}

/* OpenMetrics. */

static void
put_family(struct ds *s, const char *name, const char *type, const char *help)
{
    static const char seconds[] = "_seconds";
    size_t len = strlen(name);

    ds_put_format(s, "# TYPE %s %s\n", name, type);
    if (len > strlen(seconds)
        && !strcmp(name + len - strlen(seconds), seconds)) {
        ds_put_format(s, "# UNIT %s seconds\n", name);
    }
    ds_put_format(s, "# HELP %s %s\n", name, help);
}

/* Appends a sample.  'label' may be null: then there is none. */
static void
put_sample(struct ds *s, const char *name, const char *label,
           const char *label_value, uint64_t value)
{
    ds_put_cstr(s, name);
    if (label) {
        ds_put_char(s, '{');
        put_label(s, label, label_value);
        ds_put_char(s, '}');
    }
    ds_put_format(s, " %"PRIu64"\n", value);
}

static void
put_label(struct ds *s, const char *name, const char *value)
{
    ds_put_format(s, "%s=\"", name);
    for (const char *p = value; *p; p++) {
        if (*p == '\\' || *p == '"') {
            ds_put_char(s, '\\');
            ds_put_char(s, *p);
        } else if (*p == '\n') {
            ds_put_cstr(s, "\\n");
        } else {
            ds_put_char(s, *p);
        }
    }
    ds_put_char(s, '"');
}

/* Appends a histogram.  'labels' are other labels, "" if none. */
static void
put_histogram(struct ds *s, const char *name, const char *labels,
              const struct vmmob_histogram *h)
{
    const char *comma = labels[0] ? "," : "";
    uint64_t n = 0;

    for (size_t i = 0; i < VMMOB_N_BUCKETS; i++) {
        n += h->n[i];
        ds_put_format(s, "%s_bucket{%s%sle=\"", name, labels, comma);
        if (i < VMMOB_N_BUCKETS - 1) {
            uint32_t us = vmmob_histogram_bounds[i];
            char *bound = xasprintf("%u.%06u", us / 1000000, us % 1000000);
            size_t len = strlen(bound);

            /* In its canonical form. */
            while (bound[len - 1] == '0' && bound[len - 2] != '.') {
                bound[--len] = '\0';
            }
            ds_put_cstr(s, bound);
            free(bound);
        } else {
            ds_put_cstr(s, "+Inf");
        }
        ds_put_format(s, "\"} %"PRIu64"\n", n);
    }

    const char *open = labels[0] ? "{" : "";
    const char *close = labels[0] ? "}" : "";
    ds_put_format(s, "%s_sum%s%s%s %"PRIu64".%06"PRIu64"\n", name, open,
                  labels, close, h->sum_us / 1000000, h->sum_us % 1000000);
    ds_put_format(s, "%s_count%s%s%s %"PRIu64"\n", name, open, labels, close,
                  n);
}
