/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_BRIDGE_H
#define VMMOB_BRIDGE_H 1

/* A bridge that is, or is to be, an OFS
 * =====================================
 *
 * Its settings, its record as an OFS, and what is due at it.
 *
 * Guarded by vmmob_mutex.  Times are in ms. */

#include <stdbool.h>
#include <stdint.h>

#include "gateway.h"
#include "openvswitch/hmap.h"
#include "openvswitch/ofp-port.h"
#include "openvswitch/token-bucket.h"
#include "ovs-thread.h"
#include "pool-claim.h"
#include "punt-kind.h"
#include "rules.h"
#include "smap.h"
#include "vm-port.h"
#include "vmmob-problems.h"

struct agent;
struct handover;
struct handover_ofs;
struct ofproto_dpif;

extern struct ovs_mutex vmmob_mutex;

/* How long an OFS goes on without its uplink before it is withdrawn, in ms. */
#define VMMOB_HOLD_MS (60 * 1000)

/* Stands for the port number of an uplink that is not there.  No port has this
 * number, so no rule takes another port for the uplink, which could happen
 * with the old number.  What is sent there is dropped. */
#define VMMOB_NO_UPLINK OFPP_MAX

/* Most home subnets of before that VMs are told to forget. */
#define VMMOB_MAX_OLD_HOMES 16

/* A bridge that is configured for VM mobility, even if wrongly. */
struct vmmob_bridge {
    struct hmap_node node;      /* In 'bridges', by 'name'. */
    char *name;
    struct ofproto_dpif *ofproto;
    char *error;                /* What is wrong with its settings, or NULL. */
    enum vmmob_problem_kind error_kind;     /* If so, what kind of problem. */
    bool enabled;               /* Whether the members below are in use, with
                                 * the last settings that were right. */
    long long int held_until;   /* While the uplink is not there: until when
                                 * all goes on without it; otherwise
                                 * LLONG_MAX. */

    /* As it was last configured. */
    struct smap other_config;
    struct eth_addr config_mac;
    struct hmap port_configs;   /* Contains "struct port_config"s. */
    uint64_t barred_id;         /* The datapath id that it has by that and may
                                 * not use, as it is that of another
                                 * hypervisor's OFS; 0 if all is well. */

    uint64_t reserved;          /* While not enabled: the datapath id whose
                                 * published rows stay, or 0. */

    struct handover *handover;
    const struct vmmob_table *table;    /* That of 'handover'. */
    struct handover_ofs *ofs;   /* What it is in 'handover'; NULL while not
                                 * enabled. */
    uint64_t id;                /* Datapath id. */
    struct eth_addr mac;        /* Its MAC address. */
    ofp_port_t uplink;          /* VMMOB_NO_UPLINK while it is not there. */
    int mtu;                    /* Of the uplink; 0 if it is not known. */
    struct hmap vm_ports;       /* Contains "struct vmmob_vm_port"s. */
    struct rules *rules;

    struct token_bucket asks;   /* Limits what may_ask() in packet.c allows. */

    /* VMNs that are to be asked where they are. */
    struct vmmob_key *lost;
    size_t n_lost, allocated_lost;
    long long int next_ask;     /* When to ask some of them, in ms. */

    struct pool_claims pool_claims;
    struct vmmob_gateway gateways[VMMOB_N_FAMILIES];
    long long int next_advert;  /* When to tell VMs of their router, in ms, or
                                 * LLONG_MAX. */
    unsigned int n_adverts;     /* How often that was done. */
    long long int next_port_advert; /* When to tell those at a VM port, in ms,
                                     * or LLONG_MAX. */
    struct {
        uint32_t network;
        struct vmmob_prefix prefix;
    } old_homes[VMMOB_MAX_OLD_HOMES];   /* IPv6 home subnets of before, which
                                         * VMs shall forget. */
    size_t n_old_homes;
    long long int next_sweep;   /* When to look for idle rules, in ms. */
    long long int next_report;  /* When to log forged frames, in ms. */
    long long int next_count;   /* When to look for floods, in ms. */
    long long int next_revalidation;    /* When to make the revalidators look
                                         * at all datapath flows, in ms, or
                                         * LLONG_MAX. */

    /* Statistics, since the bridge was enabled. */
    unsigned long long int n_punted;    /* Packets looked at. */
    unsigned long long int n_answered;  /* ARP requests answered. */
    unsigned long long int n_bad;       /* Malformed or forged frames. */
    unsigned long long int n_unresolved;    /* Packets for nobody known. */
    unsigned long long int n_not_held[PUNT_N_KINDS];    /* Those of them for
                                                         * which there was no
                                                         * room to wait. */
    unsigned long long int n_ignored_reported[PUNT_N_KINDS];
                                /* How many ignored packets have been
                                 * logged. */

    /* Statistics of ports that are gone, since then. */
    unsigned long long int past_forged, past_blocked, past_refused;
    unsigned long long int past_limited[PUNT_N_KINDS];

    unsigned long long int n_forged_reported;   /* How many frames from the
                                                 * uplink were logged as
                                                 * forged... */
    unsigned long long int n_stray_reported;    /* ...and how many from VMs,
                                                 * for a next hop that is not
                                                 * here. */
};

/* Returns what the rules of 'b', which must be enabled, depend on. */
static inline struct rules_context
vmmob_bridge_rules_context(const struct vmmob_bridge *b)
{
    return (struct rules_context) {
        .h = b->handover, .table = b->table, .ofs = b->ofs,
        .uplink = b->uplink,
    };
}

struct vmmob_bridge *vmmob_bridge_create(const char *name,
                                         struct ofproto_dpif *,
                                         struct handover *)
    OVS_REQUIRES(vmmob_mutex);
bool vmmob_bridge_destroy(struct vmmob_bridge *, bool withdraw,
                          bool delete_flows) OVS_REQUIRES(vmmob_mutex);
bool vmmob_bridge_configure(struct vmmob_bridge *, const struct smap *,
                            struct eth_addr mac) OVS_REQUIRES(vmmob_mutex);
void vmmob_bridge_start(struct vmmob_bridge *) OVS_REQUIRES(vmmob_mutex);
bool vmmob_bridge_must_configure(const struct vmmob_bridge *)
    OVS_REQUIRES(vmmob_mutex);
bool vmmob_bridge_end_hold(struct vmmob_bridge *, long long int now)
    OVS_REQUIRES(vmmob_mutex);
void vmmob_bridge_update_ofs(struct vmmob_bridge *, long long int now)
    OVS_REQUIRES(vmmob_mutex);
void vmmob_bridge_find_lost(struct vmmob_bridge *, long long int now)
    OVS_REQUIRES(vmmob_mutex);
void vmmob_bridge_run(struct vmmob_bridge *, long long int now)
    OVS_REQUIRES(vmmob_mutex);
long long int vmmob_bridge_next_event(const struct vmmob_bridge *)
    OVS_REQUIRES(vmmob_mutex);
unsigned long long int vmmob_bridge_count_ignored(const struct vmmob_bridge *,
                                                  enum punt_kind)
    OVS_REQUIRES(vmmob_mutex);

#endif /* ofproto-vmmob/bridge.h */
