/* SPDX-License-Identifier: Apache-2.0 */

#ifndef OFPROTO_VMMOB_NETWORK_H
#define OFPROTO_VMMOB_NETWORK_H 1

/* Networks
 * ========
 *
 * A network is what a tenant's VMs are in: home subnets of either family, each
 * with the address of its gateway, which VMs see as their router.  Its id is
 * the same at all sites, as "tenant" of the keys of its VMNs; home addresses
 * of different networks have nothing to do with each other.  Network 0 is that
 * of vmmob-home, without a name.
 *
 * A port is in one network with the frames that have no VLAN tag, and if it is
 * a trunk, in others with those that have.
 *
 * Pure; not thread-safe. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmmob-addr.h"

struct ds;

/* Most networks of an OFS, and most home subnets and other networks to which
 * there are routes, of each. */
#define NETWORK_MAX 4096
#define NETWORK_MAX_SUBNETS 8
#define NETWORK_MAX_ROUTES 32

/* Longest name of a network, in bytes. */
#define NETWORK_MAX_NAME 63

/* What stands for network 0 where there are names. */
#define NETWORK_DEFAULT "default"

/* A home subnet. */
struct network_subnet {
    struct vmmob_prefix prefix;
    struct in6_addr gateway;    /* In 'prefix'. */
};

struct network {
    uint32_t id;
    char *name;                 /* Owned; "" for network 0. */
    uint16_t vlan;              /* Its VLAN at this bridge, 0 if none. */
    int mtu;                    /* Of its VMs, 0 if not set. */
    bool isolated;              /* Nothing goes to or comes from outside. */
    uint8_t policy_table;       /* The user's table that packets pass, 0 if
                                 * none. */
    size_t n_subnets;           /* At most NETWORK_MAX_SUBNETS. */
    struct network_subnet subnets[NETWORK_MAX_SUBNETS];
    size_t n_routes;            /* At most NETWORK_MAX_ROUTES. */
    char *routes[NETWORK_MAX_ROUTES];   /* Owned: names of networks. */
};

void vmmob_net_init(struct network *, uint32_t id, const char *name);
void vmmob_net_destroy(struct network *);
void vmmob_net_clone(struct network *, const struct network *);
bool vmmob_net_equals(const struct network *, const struct network *);
char *vmmob_net_parse(const char *name, const char *value,
                          struct network *);
char *vmmob_net_parse_routes(struct network *, const char *value);
char *vmmob_net_check(const struct network *);
void vmmob_net_add_subnet(struct network *, const struct vmmob_prefix *,
                              const struct in6_addr *gateway);

const struct network_subnet *vmmob_net_find_family(const struct network *,
                                                   enum vmmob_family);
bool vmmob_net_has_family(const struct network *, enum vmmob_family);
const struct network_subnet *vmmob_net_find_subnet(
    const struct network *, const struct in6_addr *);
bool vmmob_net_is_on_link(const struct network *, const struct in6_addr *);
bool vmmob_net_is_gateway(const struct network *, const struct in6_addr *);
bool vmmob_net_is_home(const struct network *, const struct in6_addr *);
struct in6_addr vmmob_net_gateway(const struct network *,
                                      const struct in6_addr *hoa);
struct in6_addr vmmob_net_router(const struct network *,
                                     const struct in6_addr *hoa);
bool vmmob_net_routes_to(const struct network *, const struct network *);

/* Link-local addresses, which are home addresses where there is IPv6. */
extern const struct vmmob_prefix vmmob_link_local;

/* Most prefixes of one family in which home addresses of a network are. */
#define NETWORK_MAX_PREFIXES (NETWORK_MAX_SUBNETS + 1)

size_t vmmob_net_get_prefixes(const struct network *, enum vmmob_family,
                                  struct vmmob_prefix[]);

/* What is at a port. */
enum port_networks_kind {
    PORT_NETWORKS_VM,           /* VMs, in 'networks'. */
    PORT_NETWORKS_PLAIN,        /* No VMs: as without VM mobility. */
    PORT_NETWORKS_CLOSED        /* Nothing, as it is not known in which network
                                 * it is. */
};

/* A network that a port is in. */
struct port_network {
    uint32_t id;
    uint16_t vlan;              /* With this VLAN tag; 0: with none. */
};

/* The networks that a port is in. */
struct port_networks {
    enum port_networks_kind kind;
    size_t n;
    struct port_network *networks;  /* Owned; in ascending order of 'vlan',
                                     * none twice, no 'id' twice. */
};

/* Those of a port of which nothing is configured: network 0. */
extern const struct port_networks vmmob_port_networks_default;

void vmmob_port_networks_init(struct port_networks *,
                              enum port_networks_kind);
void vmmob_port_networks_destroy(struct port_networks *);
void vmmob_port_networks_clone(struct port_networks *,
                               const struct port_networks *);
bool vmmob_port_networks_equals(const struct port_networks *,
                                const struct port_networks *);
void vmmob_port_networks_add(struct port_networks *, uint32_t id,
                             uint16_t vlan);
const struct port_network *vmmob_port_networks_find(
    const struct port_networks *, uint32_t id);
const struct port_network *vmmob_port_networks_find_vlan(
    const struct port_networks *, uint16_t vlan);
bool vmmob_port_networks_are_default(const struct port_networks *);

#endif /* ofproto-vmmob/network.h */
