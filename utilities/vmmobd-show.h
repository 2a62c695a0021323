/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOBD_SHOW_H
#define VMMOBD_SHOW_H 1

/* The vmmob/... commands of ovs-vmmobd, for "ovs-appctl -t ovs-vmmobd". */

struct agent;

void show_init(struct agent *);

#endif /* utilities/vmmobd-show.h */
