/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_SHOW_H
#define VMMOB_SHOW_H 1

#include "ovs-thread.h"

struct vmmob;
struct vmmob_problems;
struct vmmob_stats;

extern struct ovs_mutex vmmob_mutex;

/* ovs-appctl vmmob/...; main thread only. */
void show_init(void);

/* Any thread. */
void show_get_stats(const struct vmmob *, struct vmmob_stats *)
    OVS_REQUIRES(vmmob_mutex);
void show_get_problems(const struct vmmob *, struct vmmob_problems *)
    OVS_REQUIRES(vmmob_mutex);

#endif /* ofproto-vmmob/show.h */
