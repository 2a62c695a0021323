/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_VM_PORT_H
#define VMMOB_VM_PORT_H 1

/* VM ports
 * ========
 *
 * All ports of a bridge but its uplink and, unless it is said to be in a
 * network, its local port: who may be there, in which networks, and which of
 * them send too much.
 *
 * Guarded by vmmob_mutex.  Times are in ms. */

#include <netinet/in.h>
#include <stdbool.h>

#include "network.h"
#include "openvswitch/hmap.h"
#include "openvswitch/ofp-port.h"
#include "openvswitch/token-bucket.h"
#include "openvswitch/types.h"
#include "ovs-thread.h"
#include "punt-kind.h"
#include "vmmob-binding.h"

struct fairq_stats;
struct ofport;
struct sset;
struct vmmob_bridge;
struct vmmob_port;
struct vmmob_settings;

extern struct ovs_mutex vmmob_mutex;

/* A VM port of a bridge. */
struct vmmob_vm_port {
    struct hmap_node node;      /* In 'vm_ports' of its bridge, by 'number'. */
    ofp_port_t number;
    char *name;
    struct port_networks networks;
    bool marked;                /* While ports are looked for. */
    int mtu;                    /* 0 if it is not known. */
    bool advert_due;            /* Those there are to be told of their router
                                 * as soon as may be... */
    long long int advertised;   /* ...as all were last then, in ms. */
    bool policed;               /* There are rules for its MAC addresses. */
    struct token_bucket errors; /* ICMP errors that it may cause. */
    bool blocked;               /* Everything from there is dropped... */
    long long int blocked_until;    /* ...until then, in ms, or longer. */
    unsigned long long int n_excess;    /* What was too much, when that was
                                         * last counted. */

    /* Statistics, since the port is there. */
    unsigned long long int n_strange;   /* Frames with another sender that
                                         * reached the module, or were dropped
                                         * by rules that are gone. */
    unsigned long long int n_strange_reported;  /* How many were logged of
                                                 * these... */
    unsigned long long int n_forged_reported;   /* ...and of those with an
                                                 * address that nobody there
                                                 * can have. */
    unsigned long long int n_refused;   /* Frames of VMNs over the limit. */
    long long int refused;      /* When the last of these was, in ms. */
    unsigned long long int n_bad_hoa;   /* Frames with a home address that
                                         * VMs there must not have. */
    struct vm_port_hoa {
        struct vmmob_key key;   /* Of the VMN. */
        struct in6_addr hoa;
        long long int when;     /* In ms; 0 if never. */
    } bad_hoa,                  /* The last of these... */
      full_hoa,                 /* ...of those that a VMN could not have
                                 * because it has too many... */
      outside;                  /* ...and of IPv4 addresses that are not home
                                 * addresses. */
    struct eth_addr dhcp_mac;   /* Who asked last for an address by DHCP... */
    long long int dhcp_first;   /* ...and again and again, since then... */
    long long int dhcp_last;    /* ...until then, in ms; 0 if never. */
    unsigned long long int n_blocked;   /* Dropped while it was blocked
                                         * before. */
};

struct vmmob_vm_port *vmmob_vm_port_find(const struct vmmob_bridge *,
                                         ofp_port_t)
    OVS_REQUIRES(vmmob_mutex);
const struct vmmob_port *vmmob_vm_port_row(const struct vmmob_bridge *,
                                           const struct vmmob_vm_port *)
    OVS_REQUIRES(vmmob_mutex);
bool vmmob_vm_port_may_have(const struct vmmob_bridge *,
                            const struct vmmob_vm_port *,
                            const struct eth_addr)
    OVS_REQUIRES(vmmob_mutex);

bool vmmob_vm_port_may_claim(const struct vmmob_bridge *,
                             const struct vmmob_vm_port *,
                             const struct in6_addr *)
    OVS_REQUIRES(vmmob_mutex);
void vmmob_vm_port_refuse_hoa(struct vmmob_bridge *, struct vmmob_vm_port *,
                              const struct vmmob_key *,
                              const struct in6_addr *, long long int now)
    OVS_REQUIRES(vmmob_mutex);
void vmmob_vm_port_police_hoas(struct vmmob_bridge *,
                               const struct vmmob_vm_port *,
                               const struct vmmob_key *, long long int now)
    OVS_REQUIRES(vmmob_mutex);

void vmmob_vm_port_note_dhcp(struct vmmob_vm_port *, const struct eth_addr,
                             long long int now) OVS_REQUIRES(vmmob_mutex);

/* What says why nothing, or not all, is learned at a port counts for so long,
 * in ms. */
#define VM_PORT_NEWS_MS (10 * 60 * 1000)

/* Who asks by DHCP for longer than this, in ms, gets no answer. */
#define VM_PORT_DHCP_MS (10 * 1000)

char *vmmob_vm_port_why(const struct vmmob_bridge *,
                        const struct vmmob_vm_port *, long long int now)
    OVS_REQUIRES(vmmob_mutex);

/* Main thread only, to which the ports belong. */
int vmmob_port_get_mtu(const struct ofport *);

/* All of a bridge. */
void vmmob_vm_ports_find(struct vmmob_bridge *, const struct vmmob_settings *,
                         long long int now) OVS_REQUIRES(vmmob_mutex);
void vmmob_vm_ports_forget(struct vmmob_bridge *) OVS_REQUIRES(vmmob_mutex);
void vmmob_vm_ports_police(struct vmmob_bridge *, const struct sset *names,
                           long long int now) OVS_REQUIRES(vmmob_mutex);
void vmmob_vm_ports_note_gone(struct vmmob_bridge *, ofp_port_t,
                              long long int now)
    OVS_REQUIRES(vmmob_mutex);
void vmmob_vm_ports_report_forged(
    struct vmmob_bridge *) OVS_REQUIRES(vmmob_mutex);
void vmmob_vm_ports_block_floods(struct vmmob_bridge *, long long int now)
    OVS_REQUIRES(vmmob_mutex);

/* Floods are to be looked for this often. */
#define VM_PORT_COUNT_MS 1000

/* What one ICMP error takes from 'errors' of a port. */
#define VM_PORT_ERROR 1000

/* Statistics. */
unsigned long long int vmmob_count_forged(const struct vmmob_bridge *,
                                          const struct vmmob_vm_port *)
    OVS_REQUIRES(vmmob_mutex);
unsigned long long int vmmob_count_blocked(const struct vmmob_bridge *,
                                           const struct vmmob_vm_port *)
    OVS_REQUIRES(vmmob_mutex);
void vmmob_get_punt_stats(const struct vmmob_bridge *, ofp_port_t,
                          enum punt_kind, struct fairq_stats *)
    OVS_REQUIRES(vmmob_mutex);

#endif /* ofproto-vmmob/vm-port.h */
