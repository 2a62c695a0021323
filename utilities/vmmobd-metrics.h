/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOBD_METRICS_H
#define VMMOBD_METRICS_H 1

/* Figures for monitoring systems
 * ==============================
 *
 * Makes text of what is known here and what the switch counts, in the
 * OpenMetrics format, version 1.0.0, or in Prometheus' own, older one, version
 * 0.0.4, in which a counter's "_total" is part of the family's name.  The text
 * goes two ways:
 *
 *   - into a file, every so often, in the older format, for the textfile
 *     collector of Prometheus' node_exporter, which reads no other (or for any
 *     other program that reads files), and
 *
 *   - to whoever asks for it with "vmmob/metrics", in OpenMetrics unless that
 *     is "vmmob/metrics classic".
 *
 * Operators run node_exporter on hypervisors anyway, with its own port, TLS
 * and authentication.  An HTTP server in a daemon that decides where VMs'
 * traffic goes would be one more thing to attack, and to think of in
 * firewalls.  For the same reason only the name of the file can be configured,
 * and that must end in ".prom".
 *
 * The switch is asked only when the text is made.  If it does not answer soon,
 * because its version does not know the question, its figures are left out.
 *
 * How many lines there are depends on the number of bridges and of peers, not
 * on the number of VMs. */

#include <stdbool.h>
#include <stddef.h>

struct agent;
struct ds;
struct settings;
struct unixctl_conn;
struct vmmob_stats;

/* How long to wait for the switch, in ms. */
#define METRICS_PATIENCE 1000

struct metrics {
    char *file;                 /* NULL if none. */
    long long int interval;     /* In ms. */
    long long int next_write;   /* When to write it, in ms. */
    bool write;                 /* It is to be written now. */
    char *error;                /* Why it could not be written the last time,
                                 * NULL if it could. */

    struct metrics_conn {
        struct unixctl_conn *conn;  /* Who waits for an answer. */
        bool classic;           /* In the older format. */
    } *conns;
    size_t n_conns, allocated_conns;

    bool asked;                 /* The switch was asked. */
    long long int deadline;     /* If so, when to go on without it, in ms. */
};

void metrics_init(struct metrics *);
void metrics_destroy(struct metrics *);
void metrics_set(struct metrics *, const struct settings *);
void metrics_answer(struct metrics *, struct unixctl_conn *, bool classic);
void metrics_run(struct metrics *, const struct agent *);
void metrics_wait(const struct metrics *);

void metrics_to_classic(const struct ds *, struct ds *);
void metrics_to_text(const struct agent *, const struct vmmob_stats *,
                     struct ds *);

#endif /* utilities/vmmobd-metrics.h */
