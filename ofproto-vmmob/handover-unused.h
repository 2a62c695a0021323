/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_HANDOVER_UNUSED_H
#define VMMOB_HANDOVER_UNUSED_H 1

/* Home addresses that are not used any more
 * =========================================
 *
 * A VMN has used an address, and does not any more: a service address was
 * taken off it, a guest was configured anew.  Nobody says so.  So an address
 * that a VMN has not used for vmmob-address-time, while it used another, is
 * asked for by ARP, HANDOVER_PROBES times; if the VMN answers, it keeps it for
 * another such time, and if not, the OFS gives the address back:
 *
 *   - Not if the VMN was not heard since with any other address, for which it
 *     is asked as well: it may be paused.  Nor while it is not attached, or is
 *     expected at another OFS.
 *
 *   - Not its last address, nor one that external_ids:vmmob-address names.
 *
 * When a VMN that has all the addresses that it can have uses another one,
 * then those are asked for at once that it did not use in the last minute, and
 * the one that it did not use for longest makes room, of those for which it
 * does not answer.
 *
 * An address that a VMN uses again is a new one: anything that it sends from
 * there makes it its own again.  So only ARP is of interest, and whoever does
 * not answer loses just a mobile address. */

#include "handover-state.h"

void vmmob_handover_crowd(struct handover_ofs *, struct handover_vmn *,
                          long long int now);

#endif /* ofproto-vmmob/handover-unused.h */
