/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_PIPELINE_H
#define VMMOB_PIPELINE_H 1

/* Which rules are wanted
 * ======================
 *
 * A packet from a VM port or from the uplink starts in VMMOB_TABLE_ENTRY.  One
 * from a VMN goes on to VMMOB_TABLE_DESTINATION, one to a VMN to
 * VMMOB_TABLE_SOURCE.  pipeline-table.h has the table of all kinds of rules;
 * the functions here compute, from the state of lib/vmmob-table.h and
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
#include <stddef.h>
#include <stdint.h>

#include "ofproto-vmmob/pipeline-table.h"
#include "ofproto-vmmob/router.h"
#include "openvswitch/list.h"
#include "openvswitch/match.h"
#include "openvswitch/meta-flow.h"
#include "openvswitch/ofp-port.h"
#include "openvswitch/ofpbuf.h"
#include "openvswitch/types.h"

struct handover;
struct handover_ofs;
struct in6_addr;
struct owner;
struct rule_slot;
struct vmmob_key;
struct vmmob_port;
struct vmmob_prefix;

/* What the registers have, while a packet is in our tables. */
enum pipeline_reg {
    REG_MOA,                    /* MoA of the VMN that sent it, or 0. */
    REG_PORT,                   /* Port of the VMN that it is for. */
    REG_ATTEMPTS,               /* How often it was sent on its way anew. */
    REG_REFUSED,                /* One of "enum pipeline_refused" if it is only
                                 * to be counted, otherwise 0. */
};

/* Why a packet goes nowhere. */
enum pipeline_refused {
    REFUSED_FORGED = 1,         /* Nobody there has that address. */
    REFUSED_STRAY               /* Its next hop is not here. */
};

static inline enum mf_field_id
pipeline_reg_field(enum pipeline_reg reg)
{
    return (enum mf_field_id) (MFF_REG0 + (int) reg);
}

/* What the rules depend on besides the VMN table. */
struct rules_context {
    const struct handover *h;
    const struct vmmob_table *table;    /* That of 'h'. */
    const struct handover_ofs *ofs;
    ofp_port_t uplink;
};

/* A rule that an owner wants. */
struct rule_spec {
    uint8_t table_id;
    int priority;
    struct minimatch match;
    struct ofpbuf ofpacts;

    /* If it is in the list of a "struct rule_set". */
    const struct owner *owner;
    struct rule_slot *slot;     /* Which 'node' is in. */
    struct ovs_list node;       /* In 'specs' of 'slot'. */
    bool unpaired;              /* The list of the set before, or after, has
                                 * none in its place. */
};

struct rule_list {
    struct rule_spec *specs;
    size_t n, allocated;
    bool copies;                /* Some of these send copies. */
};

void vmmob_pipeline_list_destroy(struct rule_list *);

void vmmob_pipeline_base(const struct rules_context *, struct rule_list *);
void vmmob_pipeline_pool(const struct vmmob_prefix *, struct rule_list *);
void vmmob_pipeline_refuse(const struct vmmob_prefix *, struct rule_list *);
void vmmob_pipeline_vmn(const struct rules_context *, const struct vmmob_key *,
                        struct rule_list *);
void vmmob_pipeline_port(ofp_port_t, const struct vmmob_port *,
                         struct rule_list *);
void vmmob_pipeline_forged(ofp_port_t, struct rule_list *);
void vmmob_pipeline_block(ofp_port_t, struct rule_list *);

bool vmmob_pipeline_is_arrival(const struct rule_spec *);
bool vmmob_pipeline_is_departure(const struct rule_spec *);
bool vmmob_pipeline_is_stray(const struct rule_spec *);
bool vmmob_pipeline_get_next_hop(const struct rules_context *,
                                 const struct in6_addr *moa, uint64_t ofs,
                                 struct eth_addr *);

#endif /* ofproto-vmmob/pipeline.h */
