/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/pipeline-table.h"

#include "ofproto-vmmob/vmmob.h"
#include "util.h"

/* The table of rules.  vmmob(7) has the same, and explains its words. */
const struct pipeline_row vmmob_pipeline_rows[] = {
    [RULE_FLOOD] = {
        VMMOB_TABLE_ENTRY, 250,
        "port that floods\tdrop"
    },
    [RULE_CLOSED_PORT] = {
        VMMOB_TABLE_ENTRY, 249,
        "port whose network is not known\tdrop"
    },
    [RULE_PLAIN_PORT] = {
        VMMOB_TABLE_ENTRY, 248,
        "port of a VLAN that is no network\ttable 0"
    },
    [RULE_ADMIT] = {
        VMMOB_TABLE_ENTRY, 247,
        "port of another network, by VLAN tag\tnote it, begin again"
    },
    [RULE_PRIORITY_TAG] = {
        VMMOB_TABLE_ENTRY, 245,
        "VLAN tag with ID 0\tremove it, begin again"
    },
    [RULE_ADMIT_REST] = {
        VMMOB_TABLE_ENTRY, 244,
        "  anything else, unless untagged is network 0\tdrop"
    },
    [RULE_FORGED_UPLINK] = {
        VMMOB_TABLE_ENTRY, 240,
        "uplink, IP or ARP from or for the home\n"
        "  subnet, tag after tag\tcount in 251, drop\n"
        "uplink, ARP that cannot be read\tpunt"
    },
    [RULE_UPLINK_TAG] = {
        VMMOB_TABLE_ENTRY, 230,
        "uplink, VLAN tag\ttable 0"
    },
    [RULE_POOL_ARP] = {
        VMMOB_TABLE_ENTRY, 210,
        "uplink, ARP request for the pool\tpunt"
    },
    [RULE_GATEWAY_ARP] = {
        VMMOB_TABLE_ENTRY, 205,
        "uplink, ARP from the gateway or the pool,\n"
        "  neighbor solicitation for the bridge\tpunt, table 0"
    },
    [RULE_POOL_ICMP] = {
        VMMOB_TABLE_ENTRY, 200,
        "uplink, ICMP error to the pool\tpunt\n"
        "uplink, ICMP redirect or source quench to\n"
        "  the pool\tdrop"
    },
    [RULE_MOA] = {
        VMMOB_TABLE_ENTRY, 195,
        "uplink, IP to the MoA of a VMN that is\n"
        "  attached\trewrite to HoA, table 251\n"
        "  detached or prepared\tpunt\n"
        "  left\tredirect"
    },
    [RULE_POOL] = {
        VMMOB_TABLE_ENTRY, 190,
        "uplink, other IP to the pool\tdrop"
    },
    [RULE_UPLINK] = {
        VMMOB_TABLE_ENTRY, 180,
        "uplink, anything else\ttable 0"
    },
    [RULE_ND] = {
        VMMOB_TABLE_ENTRY, 175,
        "router advertisement or redirect of a VM,\n"
        "  no VLAN tag\tcount in 251, drop\n"
        "other neighbor discovery, no VLAN tag\twhat is below 165"
    },
    [RULE_VMN] = {
        VMMOB_TABLE_ENTRY, 165,
        "IP of a VMN here, no VLAN tag\tnote its MoA, table 253"
    },
    [RULE_PORT_ARP] = {
        VMMOB_TABLE_ENTRY, 164,
        "port whose MAC addresses are known,\n"
        "  one of them, ARP, RARP\twhat is below 161"
    },
    [RULE_PORT_OTHER_ARP] = {
        VMMOB_TABLE_ENTRY, 163,
        "  other ARP, RARP\tdrop"
    },
    [RULE_PORT] = {
        VMMOB_TABLE_ENTRY, 162,
        "  one of them\twhat is below 161"
    },
    [RULE_PORT_OTHER] = {
        VMMOB_TABLE_ENTRY, 161,
        "  anything else\tdrop"
    },
    /* Matches no port: what the uplink sends meets other rules before. */
    [RULE_FORGED] = {
        VMMOB_TABLE_ENTRY, 160,
        "IP, ARP from the uplink's network or from\n"
        "  another OFS's pool\tcount in 251, drop\n"
        "ARP probe for the uplink's network\tcount in 251, drop\n"
        "tag after tag\tcount in 251, drop\n"
        "MAC address of the bridge or of the\n"
        "  home gateway\tcount in 251, drop\n"
        "ARP that cannot be read\tpunt"
    },
    [RULE_TAG] = {
        VMMOB_TABLE_ENTRY, 155,
        "VLAN tag, network 0\ttable 0"
    },
    [RULE_TAG_REST] = {
        VMMOB_TABLE_ENTRY, 154,
        "VLAN tag\tdrop"
    },
    [RULE_HOME_ARP] = {
        VMMOB_TABLE_ENTRY, 150,
        "ARP from or for the home subnet\tpunt"
    },
    [RULE_ARP] = {
        VMMOB_TABLE_ENTRY, 140,
        "other ARP, RARP, network 0\tpunt, table 0\n"
        "DHCP from 0.0.0.0 to a server, network 0\tpunt, table 0\n"
        "MLD from ::, network 0\tpunt, table 0"
    },
    [RULE_ARP_REST] = {
        VMMOB_TABLE_ENTRY, 139,
        "other ARP, RARP\tpunt, table 253\n"
        "DHCP from 0.0.0.0 to a server\tpunt, table 253\n"
        "MLD from ::\tpunt, table 253"
    },
    [RULE_HOME_MULTICAST] = {
        VMMOB_TABLE_ENTRY, 110,
        "other IP multicast from the home subnet\tpunt, table 0\n"
        "  of another network\tpunt, table 253"
    },
    [RULE_HOME] = {
        VMMOB_TABLE_ENTRY, 100,
        "other IP from the home subnet\tpunt"
    },
    [RULE_FORWARDED] = {
        VMMOB_TABLE_ENTRY, 95,
        "other IP for the home subnet, no multicast\tnote it, table 253"
    },
    [RULE_ENTRY_REST] = {
        VMMOB_TABLE_ENTRY, 5,
        "anything else, network 0\ttable 0"
    },
    [RULE_NETWORK_REST] = {
        VMMOB_TABLE_ENTRY, 0,
        "anything else\ttable 253"
    },
    [RULE_MULTICAST] = {
        VMMOB_TABLE_DESTINATION, 144,
        "multicast MAC address, network 0\ttable 0"
    },
    [RULE_NETWORK_MULTICAST] = {
        VMMOB_TABLE_DESTINATION, 143,
        "multicast MAC address\tall ports of the network"
    },
    [RULE_VIA_LOCAL_COPY] = {
        VMMOB_TABLE_DESTINATION, 142,
        "HoA of a VMN here that is expected elsewhere,\n"
        "  by its MAC address, from a VMN\tgo on by IP address"
    },
    [RULE_VIA_LOCAL] = {
        VMMOB_TABLE_DESTINATION, 140,
        "MAC address of a VMN here\toutput"
    },
    [RULE_FORWARDED_REST] = {
        VMMOB_TABLE_DESTINATION, 139,
        "any, and it is not from a VMN\tcount in 251, drop"
    },
    [RULE_VIA_REMOTE] = {
        VMMOB_TABLE_DESTINATION, 138,
        "HoA of a VMN elsewhere, by its MAC address\tgo on by IP address"
    },
    [RULE_VIA_LOCAL_REST] = {
        VMMOB_TABLE_DESTINATION, 137,
        "MAC address of a VMN here, not IP, not network 0\toutput"
    },
    [RULE_VIA_REMOTE_REST] = {
        VMMOB_TABLE_DESTINATION, 136,
        "MAC address of a VMN elsewhere\tcount in 251, drop"
    },
    [RULE_GATEWAY_PING] = {
        VMMOB_TABLE_DESTINATION, 130,
        "ping to the home gateway, or a fragment of it\tanswer"
    },
    [RULE_GATEWAY] = {
        VMMOB_TABLE_DESTINATION, 125,
        "anything else to the home gateway\tdrop"
    },
    [RULE_ROUTED_LAST] = {
        VMMOB_TABLE_DESTINATION, 124,
        "from one home subnet to another, TTL 0 or 1\tpunt"
    },
    [RULE_ROUTED] = {
        VMMOB_TABLE_DESTINATION, 123,
        "from one home subnet to another\tdecrement TTL, table 253"
    },
    [RULE_LOCAL_NO_COPY] = {
        VMMOB_TABLE_DESTINATION, 121,
        "HoA of a VMN here that is expected elsewhere,\n"
        "  from a VMN without MoA\toutput"
    },
    [RULE_LOCAL] = {
        VMMOB_TABLE_DESTINATION, 120,
        "HoA of a VMN here\toutput"
    },
    [RULE_NOT_UNICAST] = {
        VMMOB_TABLE_DESTINATION, 118,
        "IP multicast, broadcast, loopback\tcount in 251, drop"
    },
    [RULE_NO_MOA] = {
        VMMOB_TABLE_DESTINATION, 110,
        "any, and the sender has no MoA\tdrop"
    },
    [RULE_REMOTE] = {
        VMMOB_TABLE_DESTINATION, 100,
        "HoA of a VMN elsewhere\trewrite both, to uplink"
    },
    [RULE_HOME_UNKNOWN] = {
        VMMOB_TABLE_DESTINATION, 50,
        "other address in the home subnet\tpunt"
    },
    /* Below all rules for the home subnet, whatever another OFS says is its
     * pool. */
    [RULE_TO_POOL] = {
        VMMOB_TABLE_DESTINATION, 40,
        "address of a pool\tpunt"
    },
    [RULE_ISOLATED] = {
        VMMOB_TABLE_DESTINATION, 25,
        "network that has no outside\tpunt"
    },
    [RULE_OUTSIDE_LOCAL] = {
        VMMOB_TABLE_DESTINATION, 20,
        "from a link-local address\tdrop"
    },
    [RULE_OUTSIDE_UNSUMMED] = {
        VMMOB_TABLE_DESTINATION, 10,
        "UDP-Lite, DCCP\tdrop"
    },
    [RULE_OUTSIDE_ICMP] = {
        VMMOB_TABLE_DESTINATION, 8,
        "MAC address of the home gateway, ICMP error\tpunt"
    },
    [RULE_OUTSIDE] = {
        VMMOB_TABLE_DESTINATION, 5,
        "  anything else\trewrite source, to uplink"
    },
    [RULE_NO_NEXT_HOP] = {
        VMMOB_TABLE_DESTINATION, 0,
        "anything else\tcount in 251, drop"
    },
    [RULE_DELIVER_TAGGED] = {
        VMMOB_TABLE_SOURCE, 132,
        "has passed the policy, for a VM at a trunk port\ttag, output"
    },
    [RULE_DELIVER] = {
        VMMOB_TABLE_SOURCE, 131,
        "has passed the policy, for a VM\toutput"
    },
    [RULE_POLICY_PASSED] = {
        VMMOB_TABLE_SOURCE, 130,
        "has passed the policy, from a VM\ttable 253"
    },
    [RULE_FORGED_BY_PORT] = {
        VMMOB_TABLE_SOURCE, 120,
        "forged, by port\tdrop"
    },
    [RULE_FORGED_REST] = {
        VMMOB_TABLE_SOURCE, 110,
        "forged\tdrop"
    },
    [RULE_STRAY] = {
        VMMOB_TABLE_SOURCE, 105,
        "for a next hop that is not here\tdrop"
    },
    [RULE_PEER_RESET] = {
        VMMOB_TABLE_SOURCE, 102,
        "TCP reset, MoA of a VMN that is expected there\tdrop"
    },
    [RULE_PEER] = {
        VMMOB_TABLE_SOURCE, 100,
        "MoA of a VMN elsewhere\trewrite source, output"
    },
    [RULE_PEER_POOL] = {
        VMMOB_TABLE_SOURCE, 50,
        "other address of another OFS's pool\tpunt"
    },
    [RULE_SOURCE_UNSUMMED] = {
        VMMOB_TABLE_SOURCE, 10,
        "UDP-Lite, DCCP\tdrop"
    },
    [RULE_SOURCE_BLIND] = {
        VMMOB_TABLE_SOURCE, 8,
        "anything else, while other sites are not known\tpunt"
    },
    [RULE_SOURCE_NETWORK] = {
        VMMOB_TABLE_SOURCE, 5,
        "anything else for a network that has no outside\tdrop\n"
        "  that has a policy or a VLAN\tpolicy, or deliver"
    },
    [RULE_SOURCE_REST] = {
        VMMOB_TABLE_SOURCE, 0,
        "anything else\toutput"
    },
};
BUILD_ASSERT_DECL(ARRAY_SIZE(vmmob_pipeline_rows) == PIPELINE_N_RULES);
