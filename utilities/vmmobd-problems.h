/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOBD_PROBLEMS_H
#define VMMOBD_PROBLEMS_H 1

/* Finds what is wrong, as far as ovs-vmmobd can see, and says what to do about
 * it, for "vmmob/show" and for the metrics. */

struct agent;
struct vmmob_problems;

void problems_get(const struct agent *, struct vmmob_problems *);

#endif /* utilities/vmmobd-problems.h */
