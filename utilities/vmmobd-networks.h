/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOBD_NETWORKS_H
#define VMMOBD_NETWORKS_H 1

/* Which networks are read
 * =======================
 *
 * Those that the switch wants.  One that it does not want any more is read for
 * a while longer, as a VM of it may come back, and each change costs servers a
 * look at all of their VMNs. */

#include <stddef.h>
#include <stdint.h>

#include "vmmob-network.h"

/* How long a network is read that is not wanted any more, in ms. */
#define NETWORKS_LINGER_MSEC 60000

struct networks {
    struct vmmob_network_ids read;  /* To be read. */
    struct leaving_network *leaving;    /* Those in 'read' that are not wanted,
                                         * the longest the first. */
    size_t n_leaving, allocated_leaving;
};

void networks_init(struct networks *);
void networks_destroy(struct networks *);
void networks_run(struct networks *, const struct vmmob_network_ids *want,
                  long long int now);
void networks_wait(const struct networks *);

#endif /* utilities/vmmobd-networks.h */
