/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_BRIDGE_GONE_H
#define VMMOB_BRIDGE_GONE_H 1

/* Bridges that lost all their settings while VMNs were there
 * ==========================================================
 *
 * Something that configures the host's network anew may clear other_config of
 * a bridge.  To the switch, that is the same as VM mobility turned off on
 * purpose.  So it is obeyed, and remembered, until VM mobility is on again or
 * the ports of those VMNs are gone.
 *
 * Guarded by vmmob_mutex. */

#include <stdbool.h>
#include <stddef.h>

#include "openvswitch/shash.h"
#include "sset.h"

struct ofproto_dpif;
struct vmmob_bridge;

struct bridge_gone {
    size_t n_vmns;              /* That were attached. */
    struct sset ports;          /* Where they were. */
};

/* Main thread only, to which the ports belong.  The shash contains "struct
 * bridge_gone"s, by the name of the bridge. */
void vmmob_bridge_gone_note(struct shash *, const struct vmmob_bridge *);
void vmmob_bridge_gone_check(struct shash *, const char *bridge,
                             const struct ofproto_dpif *, bool wanted);
void vmmob_bridge_gone_destroy(struct shash *);

#endif /* ofproto-vmmob/bridge-gone.h */
