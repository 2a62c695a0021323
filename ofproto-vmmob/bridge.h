/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_BRIDGE_H
#define VMMOB_BRIDGE_H 1

/* The module's state, for the files of the module that need all of it:
 * vmmob.c, which owns it, and show.c, which shows it. */

#include "handover.h"
#include "openvswitch/ofp-port.h"
#include "ovs-thread.h"
#include "rules.h"
#include "settings.h"
#include "vmmob-problems.h"

struct agent;
struct fairq_stats;
struct ofproto_dpif;

/* A VM port of a bridge. */
struct vmmob_vm_port {
    struct hmap_node node;      /* In 'vm_ports' of its bridge, by 'number'. */
    ofp_port_t number;
    char *name;
    bool marked;                /* While ports are looked for. */
    bool policed;               /* There are rules for its MAC addresses. */
    struct eth_addr expected;   /* The VMN for which it was added, all zeros if
                                 * that is not known. */
    bool blocked;               /* Everything from there is dropped... */
    long long int blocked_until;    /* ...until then, in ms, or longer. */
    unsigned long long int n_excess;    /* What was too much, when that was
                                         * last counted. */

    /* Statistics, since the port is there. */
    unsigned long long int n_forged;    /* Frames with another sender that
                                         * reached the module, or were dropped
                                         * by rules that are gone. */
    unsigned long long int n_reported;  /* How many forged ones were logged. */
    unsigned long long int n_refused;   /* Frames of VMNs over the limit. */
    long long int refused;      /* When the last of these was, in ms. */
    unsigned long long int n_blocked;   /* Dropped while it was blocked
                                         * before. */
};

/* A bridge that is configured for VM mobility, rightly or not. */
struct vmmob_bridge {
    struct hmap_node node;      /* In 'bridges', by 'name'. */
    char *name;
    struct ofproto_dpif *ofproto;
    char *error;                /* What is wrong with its settings, or NULL. */
    enum vmmob_problem_kind error_kind;     /* If so, what kind of problem. */
    bool enabled;               /* Whether the members below are in use, with
                                 * the last settings that were right. */

    uint64_t reserved;          /* While not enabled: the datapath id for which
                                 * what was published is to stay, or 0. */

    uint64_t id;                /* Datapath id. */
    struct eth_addr mac;        /* Its MAC address. */
    ofp_port_t uplink;
    struct hmap vm_ports;       /* Contains "struct vmmob_vm_port"s. */
    struct rules *rules;

    /* VMNs that are to be asked where they are. */
    struct vmmob_key *lost;
    size_t n_lost, allocated_lost;
    long long int next_ask;     /* When to ask some of them, in ms. */

    /* The gateway of the uplink's network. */
    struct eth_addr gateway_mac;    /* All zeros: not known. */
    long long int gateway_heard;    /* When it last answered, in ms. */
    long long int next_probe;   /* When to ask for it, in ms, or LLONG_MAX. */
    long long int probe_soon_until; /* Until when to ask often, in ms. */
    long long int next_sweep;   /* When to look for idle rules, in ms. */
    long long int next_report;  /* When to log forged frames, in ms. */
    long long int next_count;   /* When to look for floods, in ms. */
    long long int next_revalidation;    /* When to have all datapath flows be
                                         * looked at, in ms, or LLONG_MAX. */

    /* Statistics, since the bridge was enabled. */
    unsigned long long int n_punted;    /* Packets looked at. */
    unsigned long long int n_answered;  /* ARP requests answered. */
    unsigned long long int n_bad;       /* Frames that say nothing or lie. */
    unsigned long long int n_unresolved;    /* Packets for nobody known. */

    /* Statistics of ports that are gone, since then. */
    unsigned long long int past_forged, past_blocked, past_refused;
};

struct vmmob {
    struct hmap bridges;        /* Contains "struct vmmob_bridge"s. */
    struct handover *handover;
    struct agent *agent;
    size_t n_held;              /* Packets that wait to be understood. */
};

extern struct ovs_mutex vmmob_mutex;

/* Returns the module's state, or NULL if no bridge was configured yet. */
struct vmmob *vmmob_get(void) OVS_REQUIRES(vmmob_mutex);

/* About a port of 'bridge'. */
unsigned long long int vmmob_count_forged(const struct vmmob_bridge *,
                                          const struct vmmob_vm_port *)
    OVS_REQUIRES(vmmob_mutex);
unsigned long long int vmmob_count_blocked(const struct vmmob_bridge *,
                                           const struct vmmob_vm_port *)
    OVS_REQUIRES(vmmob_mutex);
void vmmob_get_punt_stats(const struct vmmob_bridge *, ofp_port_t,
                          struct fairq_stats *)
    OVS_REQUIRES(vmmob_mutex);

/* Does what is to be done because of what was decided. */
void vmmob_apply(void) OVS_REQUIRES(vmmob_mutex);

#endif /* ofproto-vmmob/bridge.h */
