/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_STATS_H
#define VMMOB_STATS_H 1

/* The switch's figures, for whom ovs-vmmobd tells them
 * =====================================================
 *
 * What ovs-vswitchd counts.  It sends these figures to ovs-vmmobd when that
 * asks (vmmob-msg.h), and ovs-vmmobd makes metrics of them.  The table of
 * names below is for both.  A figure that the other side does not know is left
 * out.
 *
 * Pure; not thread-safe. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "simap.h"

struct json;

/* The figures, as
 *
 *    VMMOB_STAT(WHICH, KEY, TYPE, FAMILY, LABELS, HELP)
 *
 * WHICH is an identifier, KEY the name in a message.  The others are about
 * the metric: figures of one FAMILY follow each other, and only the first of
 * them has a HELP. */
#define VMMOB_SWITCH_STATS                                                    \
    VMMOB_STAT(APPEARED, "appeared", "counter", "vmmob_appearances", "",      \
               "VMNs that appeared at a bridge here and were nowhere before.")\
    VMMOB_STAT(CAME, "came", "counter", "vmmob_moves",                        \
               "direction=\"here\"", "Moves of VMNs that this switch saw: "   \
               "here, away from here, and elsewhere.")                        \
    VMMOB_STAT(WENT, "went", "counter", "vmmob_moves",                        \
               "direction=\"away\"", NULL)                                    \
    VMMOB_STAT(PASSED, "passed", "counter", "vmmob_moves",                    \
               "direction=\"elsewhere\"", NULL)                               \
    VMMOB_STAT(REDIRECTED, "redirected", "counter",                           \
               "vmmob_redirected_packets", "",                                \
               "Packets that were redirected to where VMNs went, counted "    \
               "when redirection ended.")                                     \
    VMMOB_STAT(QUEUED, "queued", "gauge", "vmmob_waiting_packets",            \
               "for=\"module\"", "Packets that wait for the module, that are "\
               "held until it is known where they are to go, and copies "     \
               "that are kept for VMNs that are expected.")                   \
    VMMOB_STAT(HELD, "held", "gauge", "vmmob_waiting_packets",                \
               "for=\"news\"", NULL)                                          \
    VMMOB_STAT(KEPT, "kept", "gauge", "vmmob_waiting_packets",                \
               "for=\"arrival\"", NULL)
#define VMMOB_BRIDGE_STATS                                                    \
    VMMOB_STAT(ENABLED, "enabled", "gauge", "vmmob_bridge_enabled", "",       \
               "1 if VM mobility is in operation at a bridge.")               \
    VMMOB_STAT(ATTACHED, "attached", "gauge", "vmmob_vmns",                   \
               "state=\"attached\"", "VMNs of a bridge, by state.")           \
    VMMOB_STAT(DETACHED, "detached", "gauge", "vmmob_vmns",                   \
               "state=\"detached\"", NULL)                                    \
    VMMOB_STAT(LEFT, "left", "gauge", "vmmob_vmns", "state=\"left\"", NULL)   \
    VMMOB_STAT(PREPARED, "prepared", "gauge", "vmmob_vmns",                   \
               "state=\"prepared\"", NULL)                                    \
    VMMOB_STAT(WITHOUT_MOA, "without_moa", "gauge",                           \
               "vmmob_vmns_without_moa", "family=\"ipv4\"",                   \
               "VMNs of a bridge that lack a mobile address, by IP family.")  \
    VMMOB_STAT(WITHOUT_MOA_IPV6, "without_moa_ipv6", "gauge",                 \
               "vmmob_vmns_without_moa", "family=\"ipv6\"", NULL)             \
    VMMOB_STAT(FROZEN, "frozen", "gauge", "vmmob_vmns_frozen", "",            \
               "VMNs that a bridge does not let move there.")                 \
    VMMOB_STAT(ACTIVE, "active", "gauge", "vmmob_remote_vmns", "",            \
               "VMNs elsewhere that VMNs of a bridge talk to.")               \
    VMMOB_STAT(CONFLICTS, "conflicts", "gauge", "vmmob_hoa_conflicts", "",    \
               "Home addresses that were claimed by a second VM.")            \
    VMMOB_STAT(POOL_TAKEN, "pool_taken", "gauge",                             \
               "vmmob_pool_addresses",                                        \
               "state=\"taken\",family=\"ipv4\"",                             \
               "Addresses in a bridge's pools, by state and IP family.")      \
    VMMOB_STAT(POOL_QUARANTINED, "pool_quarantined", "gauge",                 \
               "vmmob_pool_addresses",                                        \
               "state=\"quarantine\",family=\"ipv4\"",                        \
               NULL)                                                          \
    VMMOB_STAT(POOL_FREE, "pool_free", "gauge",                               \
               "vmmob_pool_addresses",                                        \
               "state=\"free\",family=\"ipv4\"",                              \
               NULL)                                                          \
    VMMOB_STAT(POOL_TAKEN_IPV6, "pool_taken_ipv6", "gauge",                   \
               "vmmob_pool_addresses",                                        \
               "state=\"taken\",family=\"ipv6\"",                             \
               NULL)                                                          \
    VMMOB_STAT(POOL_QUARANTINED_IPV6, "pool_quarantined_ipv6", "gauge",       \
               "vmmob_pool_addresses",                                        \
               "state=\"quarantine\",family=\"ipv6\"",                        \
               NULL)                                                          \
    VMMOB_STAT(POOL_FREE_IPV6, "pool_free_ipv6", "gauge",                     \
               "vmmob_pool_addresses",                                        \
               "state=\"free\",family=\"ipv6\"",                              \
               NULL)                                                          \
    VMMOB_STAT(GATEWAY, "gateway", "gauge", "vmmob_gateway_known",            \
               "family=\"ipv4\"", "1 if the MAC address of a bridge's "       \
               "gateway is known, by IP family.")                             \
    VMMOB_STAT(GATEWAY_IPV6, "gateway_ipv6", "gauge", "vmmob_gateway_known",  \
               "family=\"ipv6\"", NULL)                                       \
    VMMOB_STAT(RULES, "rules", "gauge", "vmmob_rules", "",                    \
               "OpenFlow flows in tables 251 to 253 of a bridge.")            \
    VMMOB_STAT(PORTS, "ports", "gauge", "vmmob_ports", "",                    \
               "VM ports of a bridge.")                                       \
    VMMOB_STAT(OPEN_PORTS, "open_ports", "gauge", "vmmob_ports_open", "",     \
               "VM ports of which it is not known whose they are.")           \
    VMMOB_STAT(BLOCKED_PORTS, "blocked_ports", "gauge",                       \
               "vmmob_ports_blocked", "",                                     \
               "VM ports that are blocked because of a flood.")               \
    VMMOB_STAT(PUNTED, "punted", "counter", "vmmob_packets",                  \
               "what=\"looked_at\"", "Packets at a bridge that the module "   \
               "looked at; that it ignored as malformed, or as from more "    \
               "VMNs than a port may have; that were for nobody known; and "  \
               "that flows dropped as forged, as part of a flood, or as for " \
               "a next hop that is not here.")                                \
    VMMOB_STAT(BAD, "bad", "counter", "vmmob_packets", "what=\"malformed\"",  \
               NULL)                                                          \
    VMMOB_STAT(REFUSED, "refused", "counter", "vmmob_packets",                \
               "what=\"port_full\"", NULL)                                    \
    VMMOB_STAT(UNRESOLVED, "unresolved", "counter", "vmmob_packets",          \
               "what=\"for_unknown\"", NULL)                                  \
    VMMOB_STAT(FORGED, "forged", "counter", "vmmob_packets",                  \
               "what=\"forged\"", NULL)                                       \
    VMMOB_STAT(BLOCKED, "blocked", "counter", "vmmob_packets",                \
               "what=\"flood\"", NULL)                                        \
    VMMOB_STAT(STRAY, "stray", "counter", "vmmob_packets",                    \
               "what=\"no_next_hop\"", NULL)                                  \
    VMMOB_STAT(ANSWERED, "answered", "counter", "vmmob_arp_replies", "",      \
               "ARP requests, and neighbor and router solicitations, that "   \
               "the module answered at a bridge.")                            \
    VMMOB_STAT(IGNORED_VM, "ignored_vm", "counter",                           \
               "vmmob_ignored_packets", "kind=\"vm\"",                        \
               "Packets that the module did not look at, or that did not "    \
               "wait for news, because there were too many of their kind.")   \
    VMMOB_STAT(IGNORED_GATEWAY_ARP, "ignored_gateway_arp", "counter",         \
               "vmmob_ignored_packets", "kind=\"gateway_arp\"", NULL)         \
    VMMOB_STAT(IGNORED_POOL_ARP, "ignored_pool_arp", "counter",               \
               "vmmob_ignored_packets", "kind=\"pool_arp\"", NULL)            \
    VMMOB_STAT(IGNORED_POOL_CLAIM, "ignored_pool_claim", "counter",           \
               "vmmob_ignored_packets", "kind=\"pool_claim\"", NULL)          \
    VMMOB_STAT(IGNORED_UNREAD_ARP, "ignored_unread_arp", "counter",           \
               "vmmob_ignored_packets", "kind=\"unread_arp\"", NULL)          \
    VMMOB_STAT(IGNORED_ICMP, "ignored_icmp", "counter",                       \
               "vmmob_ignored_packets", "kind=\"icmp\"", NULL)                \
    VMMOB_STAT(IGNORED_SOURCE, "ignored_source", "counter",                   \
               "vmmob_ignored_packets", "kind=\"source\"", NULL)              \
    VMMOB_STAT(IGNORED_LOST, "ignored_lost", "counter",                       \
               "vmmob_ignored_packets", "kind=\"lost\"", NULL)                \
    VMMOB_STAT(IGNORED_COPY, "ignored_copy", "counter",                       \
               "vmmob_ignored_packets", "kind=\"copy\"", NULL)

#define VMMOB_STAT(WHICH, KEY, TYPE, FAMILY, LABELS, HELP) \
    VMMOB_STAT_##WHICH,
enum vmmob_switch_stat { VMMOB_SWITCH_STATS VMMOB_N_SWITCH_STATS };
enum vmmob_bridge_stat { VMMOB_BRIDGE_STATS VMMOB_N_BRIDGE_STATS };
#undef VMMOB_STAT

/* What is known of a figure. */
struct vmmob_stat {
    const char *key;
    const char *type;           /* As in OpenMetrics. */
    const char *family;
    const char *labels;         /* "" if none. */
    const char *help;           /* NULL if it is of the family of the one
                                 * before. */
};
extern const struct vmmob_stat vmmob_switch_stats[VMMOB_N_SWITCH_STATS];
extern const struct vmmob_stat vmmob_bridge_stats[VMMOB_N_BRIDGE_STATS];

/* A figure that is not known. */
#define VMMOB_STAT_NONE UINT64_MAX

/* Times, in buckets.  The upper bounds of all but the last are in us. */
extern const uint32_t vmmob_histogram_bounds[];
#define VMMOB_N_BUCKETS 15
struct vmmob_histogram {
    uint64_t n[VMMOB_N_BUCKETS];    /* Not cumulative. */
    uint64_t sum_us;
};

void vmmob_histogram_add(struct vmmob_histogram *, long long int us);

/* The phases of a move, as times since its beginning: since the first packet
 * of the VMN came in, or the agent told of the move.  vmmob(7) describes
 * them. */
#define VMMOB_MOVE_PHASES                       \
    VMMOB_MOVE_PHASE(QUEUED, "queued")          \
    VMMOB_MOVE_PHASE(DECIDED, "decided")        \
    VMMOB_MOVE_PHASE(RULES, "rules")            \
    VMMOB_MOVE_PHASE(PUBLISHED, "published")    \
    VMMOB_MOVE_PHASE(ANNOUNCED, "announced")    \
    VMMOB_MOVE_PHASE(FLOWS, "flows")            \
    VMMOB_MOVE_PHASE(COPIES, "copies")
enum vmmob_move_phase {
#define VMMOB_MOVE_PHASE(WHICH, NAME) VMMOB_MOVE_##WHICH,
    VMMOB_MOVE_PHASES
    VMMOB_N_MOVE_PHASES
#undef VMMOB_MOVE_PHASE
};

/* Where a VMN moved, as one switch sees it. */
enum vmmob_direction {
    VMMOB_HERE,
    VMMOB_AWAY,
    VMMOB_ELSEWHERE,
    VMMOB_N_DIRECTIONS
};

const char *vmmob_move_phase_to_string(enum vmmob_move_phase);
const char *vmmob_direction_to_string(enum vmmob_direction);

/* The figures of a bridge. */
struct vmmob_bridge_figures {
    char *name;
    uint64_t values[VMMOB_N_BRIDGE_STATS];
};

struct vmmob_stats {
    uint64_t values[VMMOB_N_SWITCH_STATS];
    struct vmmob_histogram phases[VMMOB_N_DIRECTIONS][VMMOB_N_MOVE_PHASES];
    struct vmmob_bridge_figures *bridges;   /* Owned. */
    size_t n_bridges, allocated_bridges;
    struct vmmob_counter *counters; /* Coverage counters, owned. */
    size_t n_counters, allocated_counters;
    struct simap problems;      /* How many there are, by kind. */
};

/* A coverage counter. */
struct vmmob_counter {
    char *name;
    uint64_t total;
};

void vmmob_stats_init(struct vmmob_stats *);
void vmmob_stats_destroy(struct vmmob_stats *);
struct vmmob_bridge_figures *vmmob_stats_add_bridge(struct vmmob_stats *,
                                                    const char *name);
void vmmob_stats_add_counter(struct vmmob_stats *, const char *name,
                             uint64_t total);
void vmmob_stats_add_counters(struct vmmob_stats *, const char *prefix);

struct json *vmmob_stats_to_json(const struct vmmob_stats *);
char *vmmob_stats_from_json(const struct json *, struct vmmob_stats *);

#endif /* lib/vmmob-stats.h */
