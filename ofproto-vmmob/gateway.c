/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/gateway.h"

#include "coverage.h"
#include "ofproto-vmmob/bridge.h"
#include "ofproto-vmmob/frame.h"
#include "ofproto-vmmob/handover.h"
#include "ofproto-vmmob/output.h"
#include "openvswitch/vlog.h"
#include "packets.h"

VLOG_DEFINE_THIS_MODULE(vmmob_gateway);

COVERAGE_DEFINE(vmmob_gateway_retry);

/* For what others can cause. */
static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 20);

/* The gateway is asked for its MAC address this often, in ms, ... */
#define PROBE_SOON_MS 20        /* ...for so long after it was configured... */
#define PROBE_SOON_FOR_MS 2000  /* ...(a switch that was just started may not
                                 * hear the first answers)... */
#define PROBE_UNKNOWN_MS 1000   /* ...then while it is not known... */
#define PROBE_KNOWN_MS 10000    /* ...and when it is. */

/* Puts 'settings' in force at 'b', whose settings are still those before, if
 * it has any. */
void
vmmob_gateway_configure(struct vmmob_bridge *b,
                        const struct vmmob_settings *settings,
                        long long int now)
{
    const struct handover_ofs *ofs = b->ofs;
    struct vmmob_gateway *gw = &b->gateway;

    if (!ofs
        || !ipv6_addr_equals(&ofs->settings.gateway, &settings->gateway)
        || !eth_addr_equals(ofs->settings.gateway_mac,
                            settings->gateway_mac)) {
        gw->mac = settings->gateway_mac;
        gw->next_probe = (eth_addr_is_zero(settings->gateway_mac)
                          ? now : LLONG_MAX);
        gw->soon_until = now + PROBE_SOON_FOR_MS;
    }
}

/* 'b' has another uplink, or has its uplink again: has its gateway be asked
 * for as soon as possible, which also shows the network where 'b' is. */
void
vmmob_gateway_ask(struct vmmob_bridge *b, long long int now)
{
    struct vmmob_gateway *gw = &b->gateway;

    if (gw->next_probe != LLONG_MAX) {
        gw->heard = gw->next_probe = now;
        gw->soon_until = now + PROBE_SOON_FOR_MS;
    }
}

/* The gateway of the network at the uplink of 'b' says that its address is
 * 'mac'.  Returns true if that is news, which the caller must tell. */
bool
vmmob_gateway_learn(struct vmmob_bridge *b, const struct eth_addr mac,
                    long long int now)
{
    struct vmmob_gateway *gw = &b->gateway;

    if (gw->next_probe == LLONG_MAX || eth_addr_equals(mac, b->mac)) {
        /* Configured, or said of us. */
        return false;
    }
    gw->heard = now;
    if (eth_addr_equals(gw->mac, mac)) {
        return false;
    }
    VLOG_INFO_RL(&rl, "bridge %s: the gateway's MAC address is "ETH_ADDR_FMT,
                 b->name, ETH_ADDR_ARGS(mac));
    gw->mac = mac;
    gw->next_probe = now + PROBE_KNOWN_MS;
    return true;
}

/* Asks for the gateway, if that is due at 'now'. */
void
vmmob_gateway_run(struct vmmob_bridge *b, long long int now)
{
    struct vmmob_gateway *gw = &b->gateway;
    bool known = !eth_addr_is_zero(gw->mac);

    if (now < gw->next_probe) {
        return;
    }
    if (b->uplink == VMMOB_NO_UPLINK) {
        gw->heard = now;
        gw->next_probe = now + PROBE_UNKNOWN_MS;
        return;
    }
    if (!known) {
        COVERAGE_INC(vmmob_gateway_retry);
    }
    vmmob_output(b, vmmob_frame_compose_arp_request(b->mac, NULL, &in6addr_any,
                                                    &b->ofs->settings.gateway),
                 &b->uplink, 1);
    gw->next_probe = now + (known ? PROBE_KNOWN_MS
                            : now < gw->soon_until ? PROBE_SOON_MS
                            : PROBE_UNKNOWN_MS);
}
