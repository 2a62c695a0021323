/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOBD_SHOW_H
#define VMMOBD_SHOW_H 1

/* The vmmob/... commands of ovs-vmmobd, for "ovs-appctl -t ovs-vmmobd". */

struct agent;
struct vmmob_problems;

void show_init(struct agent *);
void show_get_problems(const struct agent *, struct vmmob_problems *);

#endif /* utilities/vmmobd-show.h */
