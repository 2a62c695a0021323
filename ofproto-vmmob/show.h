/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_SHOW_H
#define VMMOB_SHOW_H 1

/* The commands of ovs-appctl, vmmob/..., except those of show-rows.h.  Main
 * thread only. */
void vmmob_show_init(void);

#endif /* ofproto-vmmob/show.h */
