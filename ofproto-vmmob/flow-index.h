/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_FLOW_INDEX_H
#define VMMOB_FLOW_INDEX_H 1

/* Which datapath flows have to do with an address
 * ================================================
 *
 * After a move, a cached datapath flow (megaflow) that was translated by the
 * old OpenFlow rules stays in use until the revalidators come round to it.
 * The more flows there are, the longer that takes.  This index tells at once
 * which flows those are, however many others there are, so that just they are
 * translated anew.
 *
 * A flow is found by any IP address that its key and mask match, if its mask
 * has a bit of the source or the destination address at all.  So a flow may be
 * found that a rule for the address does not change, but none is missed that
 * such a rule has translated.  A flow for one Ethernet address is found by
 * that, too, IP or not: see vmmob_flow_index_mac().
 *
 * Empty, and without cost, until vmmob_flow_index_enable() is called.
 * Thread-safe; any thread. */

#include <stdbool.h>
#include <stddef.h>

#include "openvswitch/types.h"

struct flow;
struct flow_wildcards;
struct flow_index_entry;
struct in6_addr;
struct udpif;

/* Names a datapath flow, as in struct dpif_flow. */
struct flow_index_id {
    ovs_u128 ufid;
    unsigned int pmd_id;
};

void vmmob_flow_index_enable(bool);

struct in6_addr vmmob_flow_index_mac(const struct eth_addr);

struct flow_index_entry *vmmob_flow_index_add(const void *owner,
                                              const ovs_u128 *ufid,
                                              unsigned int pmd_id,
                                              const struct flow *,
                                              const struct flow_wildcards *);
void vmmob_flow_index_remove(struct flow_index_entry *);

size_t vmmob_flow_index_find(const void *owner, const struct in6_addr *,
                             struct flow_index_id *, size_t max,
                             size_t max_vague, bool *complete);
size_t vmmob_flow_index_count(void);

/* In Open vSwitch's ofproto/ofproto-dpif-upcall.c. */
bool udpif_refresh_flow(struct udpif *, const ovs_u128 *ufid,
                        unsigned int pmd_id);

#endif /* ofproto-vmmob/flow-index.h */
