/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/advert.h"

#include "coverage.h"
#include "ofproto-vmmob/bridge.h"
#include "ofproto-vmmob/handover.h"
#include "ofproto-vmmob/nd.h"
#include "ofproto-vmmob/output.h"
#include "ofproto-vmmob/router.h"
#include "packets.h"
#include "random.h"
#include "util.h"

COVERAGE_DEFINE(vmmob_router_advert);

/* How often everybody is told (RFC 4861, 6.2.1: MaxRtrAdvInterval and
 * MinRtrAdvInterval), and how often at first and for how many times
 * (MAX_INITIAL_RTR_ADVERT_INTERVAL, MAX_INITIAL_RTR_ADVERTISEMENTS).  So many
 * tell of what is no longer, too (MAX_FINAL_RTR_ADVERTISEMENTS). */
#define MAX_INTERVAL_MS (600 * 1000)
#define MIN_INTERVAL_MS (200 * 1000)
#define INITIAL_INTERVAL_MS (16 * 1000)
#define INITIAL_ADVERTS 3

/* Everybody at a port is told at most this often (MIN_DELAY_BETWEEN_RAS). */
#define MIN_DELAY_MS 3000

/* For how long what is said holds, in s: that there is a router
 * (AdvDefaultLifetime), and the addresses that hosts make from the prefix
 * (AdvValidLifetime, AdvPreferredLifetime). */
#define ROUTER_LIFETIME 1800
#define VALID_LIFETIME 2592000
#define PREFERRED_LIFETIME 604800

/* Of packets that a VM sends itself. */
#define HOP_LIMIT 64

/* A host makes itself addresses in a prefix of this length only (RFC 4862,
 * 5.5.3; RFC 2464, 4). */
#define SLAAC_PLEN 64

/* The least that IPv6 asks of a link (RFC 8200, 5). */
#define MIN_MTU 1280

static bool
has_ipv6(const struct vmmob_bridge *b)
{
    return vmmob_settings_has_home(&b->ofs->settings, VMMOB_IPV6);
}

/* Returns true if VMs in 'network' at 'b' have a router, or had one. */
static bool
has_news(const struct vmmob_bridge *b, uint32_t network)
{
    const struct network *net
        = vmmob_settings_find_network(&b->ofs->settings, network);

    for (size_t i = 0; i < b->n_old_homes; i++) {
        if (b->old_homes[i].network == network) {
            return true;
        }
    }
    return net && vmmob_net_has_family(net, VMMOB_IPV6);
}

/* Returns what there is to say of 'home', which is a home subnet of 'b', or
 * was one: then hosts shall forget it. */
static struct vmmob_nd_prefix
describe(const struct vmmob_prefix *home, bool gone)
{
    return (struct vmmob_nd_prefix) {
        .prefix = *home,
        .on_link = true,
        .autonomous = home->plen == SLAAC_PLEN,
        .valid = gone ? 0 : VALID_LIFETIME,
        .preferred = gone ? 0 : PREFERRED_LIFETIME,
    };
}

/* Returns the MTU that VMs in 'net', which may be NULL, at 'port' of 'b' are
 * told: that of the uplink, unless the network's or the port's own is less.
 * 0: none is known, or it is so small that hosts would not believe it. */
static int
get_mtu(const struct vmmob_bridge *b, const struct network *net,
        const struct vmmob_vm_port *port)
{
    const int mtus[] = { b->mtu, port->mtu, net ? net->mtu : 0 };
    int mtu = 0;

    for (size_t i = 0; i < ARRAY_SIZE(mtus); i++) {
        if (mtus[i] && (!mtu || mtus[i] < mtu)) {
            mtu = mtus[i];
        }
    }
    return mtu >= MIN_MTU ? mtu : 0;
}

/* Sends an advertisement to VMs in 'network' at 'port' of 'b': to the host
 * 'ip_dst' at 'dst', or if these are null, to everybody.  If 'last' is true,
 * it says that there is no router any more, and no home subnet. */
static void
tell(struct vmmob_bridge *b, const struct vmmob_vm_port *port,
     uint32_t network, bool last, const struct eth_addr *dst,
     const struct in6_addr *ip_dst)
    OVS_REQUIRES(vmmob_mutex)
{
    const struct network *net
        = vmmob_settings_find_network(&b->ofs->settings, network);
    const struct in6_addr lla = vmmob_gateway_lla();
    struct vmmob_nd_prefix prefixes[NETWORK_MAX_SUBNETS + VMMOB_MAX_OLD_HOMES];
    struct vmmob_nd_router router = {
        .mtu = get_mtu(b, net, port),
        .hop_limit = HOP_LIMIT,
        .prefixes = prefixes,
    };

    for (size_t i = 0; net && i < net->n_subnets; i++) {
        if (vmmob_prefix_family(&net->subnets[i].prefix) == VMMOB_IPV6) {
            prefixes[router.n_prefixes++]
                = describe(&net->subnets[i].prefix, last);
            router.lifetime = last ? 0 : ROUTER_LIFETIME;
        }
    }
    for (size_t i = 0; i < b->n_old_homes; i++) {
        if (b->old_homes[i].network == network) {
            prefixes[router.n_prefixes++]
                = describe(&b->old_homes[i].prefix, true);
        }
    }

    COVERAGE_INC(vmmob_router_advert);
    vmmob_output_vms(b, vmmob_nd_compose_router_advert(
        &router, vmmob_gateway_mac, &lla, dst, ip_dst), network, &port->number,
        1);
}

/* Sends an advertisement to all VMs at 'port' of 'b', in each network in which
 * there is something to say. */
static void
tell_all(struct vmmob_bridge *b, const struct vmmob_vm_port *port, bool last)
    OVS_REQUIRES(vmmob_mutex)
{
    for (size_t i = 0; i < port->networks.n; i++) {
        uint32_t network = port->networks.networks[i].id;

        if (has_news(b, network)) {
            tell(b, port, network, last, NULL, NULL);
        }
    }
}

/* Plans to tell everybody at 'port' of 'b', now or as soon as may be. */
static void
tell_soon(struct vmmob_bridge *b, struct vmmob_vm_port *port,
          long long int now)
    OVS_REQUIRES(vmmob_mutex)
{
    port->advert_due = true;
    b->next_port_advert = MIN(b->next_port_advert,
                              MAX(now, port->advertised + MIN_DELAY_MS));
}

/* Notes that 'home' is a home subnet of 'network' at 'b' no more. */
static void
add_old_home(struct vmmob_bridge *b, uint32_t network,
             const struct vmmob_prefix *home)
    OVS_REQUIRES(vmmob_mutex)
{
    if (b->n_old_homes == VMMOB_MAX_OLD_HOMES) {
        memmove(b->old_homes, b->old_homes + 1,
                --b->n_old_homes * sizeof *b->old_homes);
    }
    b->old_homes[b->n_old_homes].network = network;
    b->old_homes[b->n_old_homes++].prefix = *home;
}

/* Notes that 'home' is not an old home subnet of 'network' at 'b'. */
static void
remove_old_home(struct vmmob_bridge *b, uint32_t network,
                const struct vmmob_prefix *home)
    OVS_REQUIRES(vmmob_mutex)
{
    size_t n = 0;

    for (size_t i = 0; i < b->n_old_homes; i++) {
        if (b->old_homes[i].network != network
            || !vmmob_prefix_equals(&b->old_homes[i].prefix, home)) {
            b->old_homes[n++] = b->old_homes[i];
        }
    }
    b->n_old_homes = n;
}

static bool
has_subnet(const struct vmmob_settings *s, uint32_t network,
           const struct vmmob_prefix *home)
{
    const struct network *net = vmmob_settings_find_network(s, network);

    for (size_t i = 0; net && i < net->n_subnets; i++) {
        if (vmmob_prefix_equals(&net->subnets[i].prefix, home)) {
            return true;
        }
    }
    return false;
}

/* Calls 'cb' for each IPv6 home subnet of 'a' that 'b' does not have, or if
 * 'b' is NULL, for each. */
static void
for_each_home(struct vmmob_bridge *bridge, const struct vmmob_settings *a,
              const struct vmmob_settings *b,
              void (*cb)(struct vmmob_bridge *, uint32_t network,
                         const struct vmmob_prefix *))
{
    for (size_t i = 0; i < a->n_networks; i++) {
        const struct network *net = &a->networks[i];

        for (size_t j = 0; j < net->n_subnets; j++) {
            const struct vmmob_prefix *home = &net->subnets[j].prefix;

            if (vmmob_prefix_family(home) == VMMOB_IPV6
                && (!b || !has_subnet(b, net->id, home))) {
                cb(bridge, net->id, home);
            }
        }
    }
}

/* Plans to tell all VMs at 'b', as what there is to say may be new.  'old' are
 * the settings before, or NULL if there were none: hosts are told that a home
 * subnet is gone if it is not there any more, and that there is no router any
 * more if there is none now (RFC 4861, 6.2.5). */
void
vmmob_advert_start(struct vmmob_bridge *b, const struct vmmob_settings *old,
                   long long int now)
{
    const struct vmmob_settings *s = &b->ofs->settings;

    if (old) {
        for_each_home(b, old, s, remove_old_home);
        for_each_home(b, old, s, add_old_home);
    }
    for_each_home(b, s, NULL, remove_old_home);
    b->next_advert = has_ipv6(b) || b->n_old_homes ? now : LLONG_MAX;
    b->n_adverts = 0;
}

/* Tells all VMs at 'b', for which VM mobility is about to be turned off, that
 * their router is no more. */
void
vmmob_advert_end(struct vmmob_bridge *b)
{
    if (b->enabled && has_ipv6(b)) {
        const struct vmmob_vm_port *port;

        HMAP_FOR_EACH (port, node, &b->vm_ports) {
            tell_all(b, port, true);
        }
    }
}

/* Answers a router solicitation of the VM 'mac', which came in by 'port' of
 * 'b', in 'network': at once, if it has an address, which is 'ip_src'.
 * Otherwise everybody at the port is told (RFC 4861, 6.2.6). */
void
vmmob_advert_answer(struct vmmob_bridge *b, struct vmmob_vm_port *port,
                    uint32_t network, const struct eth_addr mac,
                    const struct in6_addr *ip_src, long long int now)
{
    if (!has_news(b, network)) {
        return;
    }
    b->n_answered++;
    if (ipv6_addr_is_set(ip_src)) {
        tell(b, port, network, false, &mac, ip_src);
    } else {
        tell_soon(b, port, now);
    }
}

/* Tells VMs at 'b' what is due at 'now'. */
void
vmmob_advert_run(struct vmmob_bridge *b, long long int now)
{
    struct vmmob_vm_port *port;

    if (now >= b->next_advert) {
        if (b->n_adverts++ >= INITIAL_ADVERTS) {
            b->n_old_homes = 0;
        }
        b->next_advert = (b->n_adverts < INITIAL_ADVERTS
                          ? now + INITIAL_INTERVAL_MS
                          : has_ipv6(b)
                          ? now + MIN_INTERVAL_MS
                            + random_range(MAX_INTERVAL_MS - MIN_INTERVAL_MS)
                          : LLONG_MAX);
        HMAP_FOR_EACH (port, node, &b->vm_ports) {
            tell_soon(b, port, now);
        }
    }

    if (now >= b->next_port_advert) {
        b->next_port_advert = LLONG_MAX;
        HMAP_FOR_EACH (port, node, &b->vm_ports) {
            if (!port->advert_due) {
                continue;
            } else if (now < port->advertised + MIN_DELAY_MS) {
                tell_soon(b, port, now);
            } else {
                tell_all(b, port, false);
                port->advertised = now;
                port->advert_due = false;
            }
        }
    }
}

/* Returns when to call vmmob_advert_run() for 'b', in ms. */
long long int
vmmob_advert_next_event(const struct vmmob_bridge *b)
{
    return MIN(b->next_advert, b->next_port_advert);
}
