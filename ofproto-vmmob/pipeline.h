/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_PIPELINE_H
#define VMMOB_PIPELINE_H 1

/* Which rules are wanted
 * ======================
 *
 * A packet from a VM port or from the uplink starts in VMMOB_TABLE_ENTRY.  One
 * from a VMN goes on to VMMOB_TABLE_DESTINATION, one to a VMN to
 * VMMOB_TABLE_SOURCE.  'vmmob_pipeline_rows' is the table of all rules; the
 * functions here compute, from the state of lib/vmmob-table.h and handover.h
 * and without a switch, what rules are wanted for one thing at a time.  They
 * install nothing: see rules.h.
 *
 * Not thread-safe. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

/* All kinds of rules. */
enum pipeline_rule {
    RULE_FLOOD,
    RULE_PRIORITY_TAG,
    RULE_FORGED_UPLINK,
    RULE_UPLINK_TAG,
    RULE_POOL_ARP,
    RULE_GATEWAY_ARP,
    RULE_POOL_ICMP,
    RULE_MOA,
    RULE_POOL,
    RULE_UPLINK,
    RULE_VMN_MULTICAST,
    RULE_VMN,
    RULE_PORT_ARP,
    RULE_PORT_OTHER_ARP,
    RULE_PORT,
    RULE_PORT_OTHER,
    RULE_FORGED,
    RULE_TAG,
    RULE_HOME_ARP,
    RULE_ARP,
    RULE_HOME_MULTICAST,
    RULE_HOME,
    RULE_ENTRY_REST,
    RULE_GATEWAY_PING,
    RULE_GATEWAY,
    RULE_LOCAL_NO_COPY,
    RULE_LOCAL,
    RULE_NO_MOA,
    RULE_REMOTE,
    RULE_HOME_UNKNOWN,
    RULE_OUTSIDE_UNSUMMED,
    RULE_OUTSIDE,
    RULE_FORGED_BY_PORT,
    RULE_FORGED_REST,
    RULE_PEER,
    RULE_PEER_POOL,
    RULE_SOURCE_UNSUMMED,
    RULE_SOURCE_REST,
    PIPELINE_N_RULES
};

struct pipeline_row {
    uint8_t table_id;
    int priority;
    const char *text;           /* For people: what it matches, a tab, and what
                                 * becomes of that; more of both in further
                                 * lines. */
};

extern const struct pipeline_row vmmob_pipeline_rows[];

/* What the registers have, while a packet is in our tables. */
enum pipeline_reg {
    REG_MOA,                    /* MoA of the VMN that sent it, or 0. */
    REG_PORT,                   /* Port of the VMN that it is for. */
    REG_ATTEMPTS,               /* How often it was sent on its way anew. */
    REG_FORGED,                 /* Whether it is only to be counted. */
};

static inline enum mf_field_id
pipeline_reg_field(enum pipeline_reg reg)
{
    return (enum mf_field_id) (MFF_REG0 + (int) reg);
}

/* The address that a VMN at any OFS sees for its gateway.  Locally
 * administered, and the same everywhere, so that the VMN's ARP cache stays
 * right when it moves. */
extern const struct eth_addr vmmob_gateway_mac;

/* What the rules depend on besides the VMN table. */
struct rules_context {
    const struct handover *h;
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
bool vmmob_pipeline_get_next_hop(const struct rules_context *,
                                 const struct in6_addr *moa, uint64_t ofs,
                                 struct eth_addr *);

#endif /* ofproto-vmmob/pipeline.h */
