/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "vmmobd-networks.h"

#include <stdlib.h>
#include <string.h>

#include "openvswitch/poll-loop.h"
#include "util.h"

struct leaving_network {
    uint32_t id;
    long long int until;        /* When it is not read any more, in ms. */
};

static void keep_wanted(struct networks *, const struct vmmob_network_ids *);
static void add_leaving(struct networks *, const struct vmmob_network_ids *,
                        long long int until);

/* Initializes 'n' to read no network. */
void
networks_init(struct networks *n)
{
    *n = (struct networks) { .n_leaving = 0 };
}

/* Frees what 'n' owns, but not 'n' itself. */
void
networks_destroy(struct networks *n)
{
    if (n) {
        vmmob_network_ids_destroy(&n->read);
        free(n->leaving);
    }
}

/* Brings 'n->read' up to date, now that 'want' is wanted. */
void
networks_run(struct networks *n, const struct vmmob_network_ids *want,
             long long int now)
{
    size_t n_due = 0;

    if (want->all || n->read.all) {
        /* There is no telling which of all would be left. */
        if (!vmmob_network_ids_equal(want, &n->read)) {
            vmmob_network_ids_destroy(&n->read);
            vmmob_network_ids_clone(&n->read, want);
        }
        n->n_leaving = 0;
        return;
    }

    keep_wanted(n, want);
    if (n->read.n != want->n + n->n_leaving) {
        add_leaving(n, want, now + NETWORKS_LINGER_MSEC);
    }
    while (n_due < n->n_leaving && now >= n->leaving[n_due].until) {
        vmmob_network_ids_remove(&n->read, n->leaving[n_due].id);
        n_due++;
    }
    if (n_due) {
        n->n_leaving -= n_due;
        memmove(n->leaving, n->leaving + n_due,
                n->n_leaving * sizeof *n->leaving);
    }
}

void
networks_wait(const struct networks *n)
{
    if (n->n_leaving) {
        poll_timer_wait_until(n->leaving[0].until);
    }
}

/* Reads all of 'want', and takes it out of those that leave. */
static void
keep_wanted(struct networks *n, const struct vmmob_network_ids *want)
{
    size_t n_left = 0;

    for (size_t i = 0; i < n->n_leaving; i++) {
        if (!vmmob_network_ids_contain(want, n->leaving[i].id)) {
            n->leaving[n_left++] = n->leaving[i];
        }
    }
    n->n_leaving = n_left;
    for (size_t i = 0; i < want->n; i++) {
        vmmob_network_ids_add(&n->read, want->ids[i]);
    }
}

/* Lets those leave that are not in 'want' and do not yet. */
static void
add_leaving(struct networks *n, const struct vmmob_network_ids *want,
            long long int until)
{
    struct vmmob_network_ids stay;

    vmmob_network_ids_clone(&stay, want);
    for (size_t i = 0; i < n->n_leaving; i++) {
        vmmob_network_ids_add(&stay, n->leaving[i].id);
    }
    for (size_t i = 0; i < n->read.n; i++) {
        if (vmmob_network_ids_contain(&stay, n->read.ids[i])) {
            continue;
        }
        if (n->n_leaving >= n->allocated_leaving) {
            n->leaving = x2nrealloc(n->leaving, &n->allocated_leaving,
                                    sizeof *n->leaving);
        }
        n->leaving[n->n_leaving++] = (struct leaving_network) {
            .id = n->read.ids[i], .until = until,
        };
    }
    vmmob_network_ids_destroy(&stay);
}
