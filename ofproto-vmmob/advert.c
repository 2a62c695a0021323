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
 * (MAX_INITIAL_RTR_ADVERT_INTERVAL, MAX_INITIAL_RTR_ADVERTISEMENTS). */
#define MAX_INTERVAL_MS (600 * 1000)
#define MIN_INTERVAL_MS (200 * 1000)
#define INITIAL_INTERVAL_MS (16 * 1000)
#define INITIAL_ADVERTS 3

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

/* Returns an advertisement for all VMs at 'b'. */
static struct dp_packet *
compose(const struct vmmob_bridge *b)
{
    const struct vmmob_settings *s = &b->ofs->settings;
    const struct vmmob_prefix *home = &s->ip[VMMOB_IPV6].home;
    const struct in6_addr lla = vmmob_gateway_lla();
    const struct vmmob_nd_prefix prefix = {
        .prefix = *home,
        .on_link = true,
        .autonomous = home->plen == SLAAC_PLEN,
        .valid = VALID_LIFETIME,
        .preferred = PREFERRED_LIFETIME,
    };
    const struct vmmob_nd_router router = {
        .lifetime = ROUTER_LIFETIME,
        .mtu = b->mtu >= MIN_MTU ? b->mtu : 0,
        .hop_limit = HOP_LIMIT,
        .prefixes = &prefix,
        .n_prefixes = 1,
    };

    COVERAGE_INC(vmmob_router_advert);
    return vmmob_nd_compose_router_advert(&router, vmmob_gateway_mac, &lla,
                                          NULL, NULL);
}

static bool
has_ipv6(const struct vmmob_bridge *b)
{
    return vmmob_settings_has_home(&b->ofs->settings, VMMOB_IPV6);
}

/* Plans to tell all VMs at 'b', as what there is to say may be new. */
void
vmmob_advert_start(struct vmmob_bridge *b, long long int now)
{
    b->next_advert = has_ipv6(b) ? now : LLONG_MAX;
    b->n_adverts = 0;
}

/* Answers a router solicitation that came in by 'port' of 'b'. */
void
vmmob_advert_answer(struct vmmob_bridge *b, ofp_port_t port)
{
    if (has_ipv6(b)) {
        /* To all nodes, as routers may answer (RFC 4861, 6.2.6): who asks has
         * perhaps no address yet.  Nobody else is at that port. */
        b->n_answered++;
        vmmob_output(b, compose(b), &port, 1);
    }
}

/* Tells all VMs at 'b', if that is due at 'now'. */
void
vmmob_advert_run(struct vmmob_bridge *b, long long int now)
{
    const struct vmmob_vm_port *port;
    ofp_port_t *ports;
    size_t n = 0;

    if (now < b->next_advert) {
        return;
    }
    b->next_advert = now + (++b->n_adverts < INITIAL_ADVERTS
                            ? INITIAL_INTERVAL_MS
                            : MIN_INTERVAL_MS
                              + random_range(MAX_INTERVAL_MS
                                             - MIN_INTERVAL_MS));
    ports = xmalloc(hmap_count(&b->vm_ports) * sizeof *ports);
    HMAP_FOR_EACH (port, node, &b->vm_ports) {
        ports[n++] = port->number;
    }
    if (n) {
        vmmob_output(b, compose(b), ports, n);
    }
    free(ports);
}
