/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_PIPELINE_RULE_H
#define VMMOB_PIPELINE_RULE_H 1

/* Rules, what they depend on, and what the registers have: see pipeline.h. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "openvswitch/list.h"
#include "openvswitch/match.h"
#include "openvswitch/meta-flow.h"
#include "openvswitch/ofp-port.h"
#include "openvswitch/ofpbuf.h"
#include "pipeline-table.h"

struct handover;
struct handover_ofs;
struct owner;
struct rule_slot;
struct vmmob_table;

/* What the registers have, while a packet is in our tables.  The others are
 * the user's, in whose table packets are on their way. */
enum pipeline_reg {
    REG_FROM = 5,               /* The network of the VMN that sent it, if it
                                 * was routed to another. */
    REG_ND,                     /* 1 if it is neighbor discovery, which is not
                                 * to be taken for other IPv6, otherwise 0. */
    REG_REFUSED,                /* One of "enum pipeline_refused" if it is only
                                 * to be counted, or delivered by MAC address,
                                 * otherwise 0. */
    REG_NETWORK,                /* The network that it is in. */
    REG_STAGE,                  /* One of "enum pipeline_stage". */
    REG_PORT,                   /* Port of the VMN that it is for, or at
                                 * STAGE_FROM_VM, that it is from. */
    REG_ATTEMPTS,               /* How often it was sent on its way anew. */
    REG_MOA,                    /* This register and the three that follow:
                                 * MoA of the VMN that sent it, or 0. */
};

/* How far a packet is. */
enum pipeline_stage {
    STAGE_START,
    STAGE_FROM_VM,              /* At the user's policy, from a VM. */
    STAGE_TO_VM,                /* At the user's policy, for a VM. */
    STAGE_ROUTED,               /* Its TTL was decremented. */
    STAGE_ROUTED_OVER           /* Likewise, and it went to another network. */
};

/* REG_MOA and those that follow, as a register of 128 bits. */
#define REG_MOA_XXREG (REG_MOA / 4)

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

#endif /* ofproto-vmmob/pipeline-rule.h */
