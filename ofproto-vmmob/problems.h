/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_SWITCH_PROBLEMS_H
#define VMMOB_SWITCH_PROBLEMS_H 1

/* Finds what is wrong, as far as the switch can see, and says what to do about
 * it, for "vmmob/show" and for the metrics.  Guarded by vmmob_mutex. */

#include <stdbool.h>

struct vmmob;
struct vmmob_bridge;
struct vmmob_gateway;
struct vmmob_problems;

void vmmob_find_problems(const struct vmmob *, struct vmmob_problems *);
bool vmmob_gateway_is_silent(const struct vmmob_gateway *);

#endif /* ofproto-vmmob/problems.h */
