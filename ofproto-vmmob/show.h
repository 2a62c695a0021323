/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_SHOW_H
#define VMMOB_SHOW_H 1

/* ovs-appctl vmmob/...; main thread only. */
void vmmob_show_init(void);

#endif /* ofproto-vmmob/show.h */
