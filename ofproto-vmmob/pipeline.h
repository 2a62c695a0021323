/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_PIPELINE_H
#define VMMOB_PIPELINE_H 1

/* Which rules are wanted
 * ======================
 *
 * A packet from a VM port or from the uplink starts in VMMOB_TABLE_ENTRY.  One
 * from a VMN, or one that a VM forwards to a VMN, goes on to
 * VMMOB_TABLE_DESTINATION, one by the uplink to a VMN to VMMOB_TABLE_SOURCE.
 * pipeline-table.h has the table of all kinds of rules; the functions here and
 * in pipeline-vmn.h compute, from the state of lib/vmmob-table.h and
 * handover.h and without a switch, what rules are wanted for one thing at a
 * time.  They install nothing: see rules.h.
 *
 * As in any L2 network, a packet of a VMN goes first by its destination MAC
 * address.  That of a VMN here means that VMN, whatever the IP address, as for
 * a router or a firewall that is a VM.  That of the home gateway is the only
 * one that leaves the home subnet.  That of a VMN elsewhere means that VMN,
 * and goes only with an IP address of that VMN: no other could be told there
 * without a tunnel.
 *
 * Not thread-safe. */

#include <stdbool.h>

#include "openvswitch/ofp-port.h"
#include "pipeline-rule.h"

struct in6_addr;
struct vmmob_port;
struct vmmob_prefix;

void vmmob_pipeline_list_destroy(struct rule_list *);

void vmmob_pipeline_base(const struct rules_context *, struct rule_list *);
void vmmob_pipeline_pool(const struct vmmob_prefix *, struct rule_list *);
void vmmob_pipeline_refuse(const struct vmmob_prefix *, struct rule_list *);
void vmmob_pipeline_port(ofp_port_t, const struct vmmob_port *,
                         struct rule_list *);
void vmmob_pipeline_forged(ofp_port_t, struct rule_list *);
void vmmob_pipeline_block(ofp_port_t, struct rule_list *);

bool vmmob_pipeline_is_arrival(const struct rule_spec *);
bool vmmob_pipeline_is_departure(const struct rule_spec *);
bool vmmob_pipeline_is_stray(const struct rule_spec *);

/* Addresses that a rule may be about. */
enum pipeline_address {
    PIPELINE_SOURCE,
    PIPELINE_DESTINATION,
    PIPELINE_MAC,               /* Ethernet destination. */
    PIPELINE_N_ADDRESSES
};

bool vmmob_pipeline_is_exact(const struct rule_spec *, enum pipeline_address,
                             struct in6_addr *);

#endif /* ofproto-vmmob/pipeline.h */
