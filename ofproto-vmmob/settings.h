/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_SETTINGS_H
#define VMMOB_SETTINGS_H 1

/* The settings of one OFS, from other_config of its Bridge.  vmmob(7) says
 * what each is for.  Pure; not thread-safe. */

#include "network.h"
#include "openvswitch/ofp-port.h"
#include "smap.h"
#include "vmmob-binding.h"

/* How long a VMN is expected, unless configured, in ms. */
#define VMMOB_DEFAULT_PREPARE_MS (10 * 60 * 1000)

/* What is set for a family of addresses. */
struct vmmob_ip_settings {
    struct vmmob_prefix network;    /* IP network of the uplink; 'addr' is
                                     * unset if there is none. */
    struct in6_addr gateway;    /* In 'network'; unset if it is to be learned
                                 * from a router's advertisement (IPv6). */
};

struct vmmob_settings {
    char *uplink;               /* Name of the uplink's interface. */
    struct vmmob_ip_settings ip[VMMOB_N_FAMILIES];
    struct network *networks;   /* In ascending order of id.  The first one is
                                 * network 0, perhaps without home subnet. */
    size_t n_networks;          /* 1 to NETWORK_MAX. */
    struct vmmob_prefix *pools; /* IPv4: in 'network'. */
    size_t n_pools;
    struct eth_addr gateway_mac;    /* Of all gateways; all zeros: to be
                                     * learned. */
    long long int redirect_ms;  /* How long packets are redirected. */
    long long int quarantine_ms;    /* How long a MoA rests after that. */
    long long int prepare_ms;   /* How long a VMN is expected; 0: never. */
    long long int copy_ms;      /* How old copies of packets for a VMN may be
                                 * when it arrives; 0: no copies. */
    long long int address_ms;   /* How long a VMN does not use a home address
                                 * before it is asked for it; 0: for ever. */
    size_t copy_rate;           /* Packets a second for a VMN above which there
                                 * are no copies; 0: never. */
    size_t policy_table;        /* Of networks that have none of their own; 0:
                                 * none. */
    size_t max_vmns;            /* At a port; 0: any number. */
    size_t punt_rate;           /* Packets a second from a port that the
                                 * module looks at; 0: any number. */
    size_t punt_burst;          /* Likewise, at once. */
    size_t flood_rate;          /* Packets a second above that, or forged, for
                                 * which a port is blocked; 0: never. */
    size_t max_moves;           /* A VMN that moves so often... */
    long long int move_window_ms;   /* ...in so long is frozen; 0: never. */
};

bool vmmob_settings_wanted(const struct smap *other_config);
char *vmmob_settings_parse(const struct smap *other_config,
                           struct vmmob_settings *);
void vmmob_settings_destroy(struct vmmob_settings *);
void vmmob_settings_clone(struct vmmob_settings *,
                          const struct vmmob_settings *);
void vmmob_settings_put_networks(struct vmmob_settings *,
                                 const struct network[], size_t n);
const struct network *vmmob_settings_find_network(
    const struct vmmob_settings *, uint32_t id);
const struct network *vmmob_settings_find_network_by_name(
    const struct vmmob_settings *, const char *name);
const struct network *vmmob_settings_find_network_by_vlan(
    const struct vmmob_settings *, uint16_t vlan);
uint8_t vmmob_settings_get_policy(const struct vmmob_settings *,
                                  const struct network *);
bool vmmob_settings_has_home(const struct vmmob_settings *,
                             enum vmmob_family);
bool vmmob_settings_overlaps_home(const struct vmmob_settings *,
                                  const struct vmmob_prefix *);
bool vmmob_settings_has_vlans(const struct vmmob_settings *);
bool vmmob_settings_has_uplink(const struct vmmob_settings *,
                               enum vmmob_family);
bool vmmob_settings_has_pool(const struct vmmob_settings *,
                             enum vmmob_family);
bool vmmob_settings_is_in_pool(const struct vmmob_settings *,
                               const struct in6_addr *);
bool vmmob_settings_same_networks(const struct vmmob_settings *,
                                  const struct vmmob_settings *);
bool vmmob_settings_same_homes(const struct vmmob_settings *,
                               const struct vmmob_settings *);
bool vmmob_settings_equals(const struct vmmob_settings *,
                           const struct vmmob_settings *);

void vmmob_settings_fill_ofs(const struct vmmob_settings *,
                             struct vmmob_ofs *);

struct ds;
void vmmob_settings_describe(struct ds *);

#endif /* ofproto-vmmob/settings.h */
