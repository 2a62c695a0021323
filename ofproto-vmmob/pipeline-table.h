/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_PIPELINE_TABLE_H
#define VMMOB_PIPELINE_TABLE_H 1

/* The table of all kinds of rules: where each stands, and what it is for.
 * vmmob(7) has the same table, and a test compares them. */

#include <stdint.h>

/* All kinds of rules. */
enum pipeline_rule {
    RULE_FLOOD,
    RULE_CLOSED_PORT,
    RULE_PLAIN_PORT,
    RULE_ADMIT,
    RULE_PRIORITY_TAG,
    RULE_ADMIT_REST,
    RULE_FORGED_UPLINK,
    RULE_UPLINK_TAG,
    RULE_POOL_ARP,
    RULE_GATEWAY_ARP,
    RULE_POOL_ICMP,
    RULE_MOA,
    RULE_POOL,
    RULE_UPLINK,
    RULE_ND,
    RULE_VMN,
    RULE_PORT_ARP,
    RULE_PORT_OTHER_ARP,
    RULE_PORT,
    RULE_PORT_OTHER,
    RULE_FORGED,
    RULE_TAG,
    RULE_TAG_REST,
    RULE_HOME_ARP,
    RULE_ARP,
    RULE_ARP_REST,
    RULE_HOME_MULTICAST,
    RULE_HOME,
    RULE_FORWARDED,
    RULE_ENTRY_REST,
    RULE_NETWORK_REST,
    RULE_MULTICAST,
    RULE_NETWORK_MULTICAST,
    RULE_VIA_LOCAL_COPY,
    RULE_VIA_LOCAL,
    RULE_FORWARDED_REST,
    RULE_VIA_REMOTE,
    RULE_VIA_LOCAL_REST,
    RULE_VIA_REMOTE_REST,
    RULE_GATEWAY_PING,
    RULE_GATEWAY,
    RULE_ROUTED_LAST,
    RULE_ROUTED,
    RULE_LOCAL_NO_COPY,
    RULE_LOCAL,
    RULE_NOT_UNICAST,
    RULE_NO_MOA,
    RULE_REMOTE,
    RULE_HOME_UNKNOWN,
    RULE_TO_POOL,
    RULE_ISOLATED,
    RULE_OUTSIDE_LOCAL,
    RULE_OUTSIDE_UNSUMMED,
    RULE_OUTSIDE_ICMP,
    RULE_OUTSIDE,
    RULE_NO_NEXT_HOP,
    RULE_DELIVER_TAGGED,
    RULE_DELIVER,
    RULE_POLICY_PASSED,
    RULE_FORGED_BY_PORT,
    RULE_FORGED_REST,
    RULE_STRAY,
    RULE_PEER_RESET,
    RULE_PEER,
    RULE_PEER_POOL,
    RULE_SOURCE_UNSUMMED,
    RULE_SOURCE_BLIND,
    RULE_SOURCE_NETWORK,
    RULE_SOURCE_REST,
    PIPELINE_N_RULES
};

struct pipeline_row {
    uint8_t table_id;
    int priority;
    const char *text;           /* For people: what it matches, a tab, and what
                                 * becomes of that.  More of both in further
                                 * lines. */
};

extern const struct pipeline_row vmmob_pipeline_rows[];

#endif /* ofproto-vmmob/pipeline-table.h */
