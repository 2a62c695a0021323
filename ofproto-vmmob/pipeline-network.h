/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_PIPELINE_NETWORK_H
#define VMMOB_PIPELINE_NETWORK_H 1

/* Which rules are wanted for a network, and for the networks of a port: see
 * pipeline.h.
 *
 * Frames of network 0 have no mark, so that they go on to the user's flows in
 * table 0 as without VM mobility.  Those of another network are marked as they
 * come in, without the VLAN tag by which the port says that, and never get
 * there: what is for all in the network goes to its ports, and nowhere else.
 *
 * Not thread-safe. */

#include "openvswitch/ofp-port.h"
#include "pipeline-rule.h"

struct network;
struct ofpbuf;
struct port_networks;

void vmmob_pipeline_network(const struct rules_context *, uint32_t id,
                            struct rule_list *);
void vmmob_pipeline_admit(ofp_port_t, const struct port_networks *,
                          struct rule_list *);

void vmmob_put_deliver(const struct rules_context *, struct ofpbuf *,
                       uint32_t network, ofp_port_t);
void vmmob_put_deliver_reg(const struct rules_context *, struct ofpbuf *,
                           uint32_t network);

#endif /* ofproto-vmmob/pipeline-network.h */
