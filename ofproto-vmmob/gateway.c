/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/gateway.h"

#include "coverage.h"
#include "ofproto-vmmob/bridge.h"
#include "ofproto-vmmob/frame.h"
#include "ofproto-vmmob/handover.h"
#include "ofproto-vmmob/nd.h"
#include "ofproto-vmmob/output.h"
#include "openvswitch/vlog.h"
#include "packets.h"

VLOG_DEFINE_THIS_MODULE(vmmob_gateway);

COVERAGE_DEFINE(vmmob_gateway_retry);
COVERAGE_DEFINE(vmmob_gateway_confirm);
COVERAGE_DEFINE(vmmob_gateway_conflict);
COVERAGE_DEFINE(vmmob_gateway_solicit);

/* For what others can cause. */
static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 20);

/* The gateway is asked for its MAC address this often, in ms, ... */
#define PROBE_SOON_MS 20        /* ...for so long after it was configured... */
#define PROBE_SOON_FOR_MS 2000  /* ...(a switch that was just started may not
                                 * hear the first answers)... */
#define PROBE_UNKNOWN_MS 1000   /* ...then while it is not known... */
#define PROBE_KNOWN_MS 10000    /* ...and when it is. */

/* A router that does not answer so many questions is not the one that we look
 * for, or not any more. */
#define MAX_UNANSWERED 3

/* What comes for so long after a question, in ms, is an answer. */
#define ANSWER_MS 1000

/* Questions a second because of what was not asked for, and how long to wait
 * if there were more, in ms. */
#define CONFIRM_RATE 10
#define CONFIRM_MS 100

/* For so long, in ms, after two hosts answered for the gateway, that is held
 * to be so. */
#define RIVAL_MS (60 * 1000)

/* Puts 'settings' in force at 'b', which still has its settings before, if
 * any. */
void
vmmob_gateways_configure(struct vmmob_bridge *b,
                         const struct vmmob_settings *settings,
                         long long int now)
{
    const struct vmmob_settings *old = b->ofs ? &b->ofs->settings : NULL;

    for (enum vmmob_family f = 0; f < VMMOB_N_FAMILIES; f++) {
        struct vmmob_gateway *gw = &b->gateways[f];

        if (old
            && ipv6_addr_equals(&old->ip[f].gateway, &settings->ip[f].gateway)
            && eth_addr_equals(old->gateway_mac, settings->gateway_mac)) {
            continue;
        }
        gw->family = f;
        gw->used = vmmob_settings_has_uplink(settings, f);
        gw->addr = settings->ip[f].gateway;
        gw->by_advert = gw->used && !ipv6_addr_is_set(&gw->addr);
        gw->n_unanswered = 0;
        gw->mac = gw->used ? settings->gateway_mac : eth_addr_zero;
        gw->next_probe = (gw->used && eth_addr_is_zero(settings->gateway_mac)
                          ? now : LLONG_MAX);
        gw->soon_until = now + PROBE_SOON_FOR_MS;
        gw->asked = LLONG_MIN / 2;
        gw->answered = gw->current_answered = false;
        gw->before = gw->other = eth_addr_zero;
        gw->rival_seen = 0;
        token_bucket_init(&gw->confirm, CONFIRM_RATE, CONFIRM_RATE);
    }
}

/* Plans to ask for the gateways of 'b', which has another uplink, or has its
 * uplink again, as soon as possible.  That also shows the network where 'b'
 * is. */
void
vmmob_gateways_ask(struct vmmob_bridge *b, long long int now)
{
    for (enum vmmob_family f = 0; f < VMMOB_N_FAMILIES; f++) {
        struct vmmob_gateway *gw = &b->gateways[f];

        if (gw->next_probe != LLONG_MAX) {
            gw->heard = now;
            if (gw->by_advert) {
                gw->addr = in6addr_any;
            }
            /* The datapath may not know the port yet. */
            gw->next_probe = now + PROBE_SOON_MS;
            gw->soon_until = now + PROBE_SOON_FOR_MS;
        }
    }
}

/* Makes 'mac' the MAC address of 'gw' of 'b'. */
static void
use(struct vmmob_bridge *b, struct vmmob_gateway *gw,
    const struct eth_addr mac, long long int now)
    OVS_REQUIRES(vmmob_mutex)
{
    VLOG_INFO_RL(&rl, "bridge %s: the gateway's MAC address is "ETH_ADDR_FMT
                 " for %s", b->name, ETH_ADDR_ARGS(mac),
                 vmmob_family_to_string(gw->family));
    gw->mac = mac;
    gw->heard = now;
    gw->current_answered = true;
    gw->next_probe = now + PROBE_KNOWN_MS;
}

/* Notes that 'rival' answers for 'gw' of 'b', as does the one that is in
 * use. */
static void
note_rival(struct vmmob_bridge *b, struct vmmob_gateway *gw,
           const struct eth_addr rival, long long int now)
    OVS_REQUIRES(vmmob_mutex)
{
    COVERAGE_INC(vmmob_gateway_conflict);
    if (!vmmob_gateway_has_rival(gw, now)
        || !eth_addr_equals(gw->rival, rival)) {
        VLOG_WARN_RL(&rl, "bridge %s: two hosts answer for the gateway of %s, "
                     ETH_ADDR_FMT", which stays in use, and "ETH_ADDR_FMT,
                     b->name, vmmob_family_to_string(gw->family),
                     ETH_ADDR_ARGS(gw->mac), ETH_ADDR_ARGS(rival));
    }
    gw->rival = rival;
    gw->rival_seen = now;
}

/* Takes into account an ARP or an NA that came in by the uplink of 'b' and
 * says that 'gw' is at 'mac'.  It is an answer, to us, if 'reply' is true.
 * Returns true if that changed the gateway's MAC address: then the caller must
 * tell others. */
bool
vmmob_gateway_hear(struct vmmob_bridge *b, struct vmmob_gateway *gw,
                   const struct eth_addr mac, bool reply, long long int now)
{
    if (gw->next_probe == LLONG_MAX || eth_addr_equals(mac, b->mac)) {
        /* Configured, or said of us. */
        return false;
    }
    if (!reply || now > gw->asked + ANSWER_MS) {
        /* We did not ask, so we do now, unless an answer is about to come. */
        if (!eth_addr_equals(mac, gw->mac)
            && (gw->answered || now > gw->asked + ANSWER_MS)) {
            COVERAGE_INC(vmmob_gateway_confirm);
            gw->next_probe = MIN(gw->next_probe,
                                 token_bucket_withdraw(&gw->confirm, 1)
                                 ? now : now + CONFIRM_MS);
        }
        return false;
    }

    gw->answered = true;
    gw->n_unanswered = 0;
    if (eth_addr_equals(mac, gw->mac)) {
        gw->heard = now;
        gw->current_answered = true;
        if (!eth_addr_is_zero(gw->other)) {
            note_rival(b, gw, gw->other, now);
        }
        return false;
    } else if (eth_addr_is_zero(gw->mac)) {
        use(b, gw, mac, now);
        return true;
    } else if (eth_addr_equals(mac, gw->before)) {
        /* It still answers, just not as fast as the other one. */
        gw->other = gw->mac;
        use(b, gw, mac, now);
        note_rival(b, gw, gw->other, now);
        return true;
    } else if (gw->current_answered) {
        gw->other = mac;
        note_rival(b, gw, mac, now);
        return false;
    } else if (vmmob_gateway_has_rival(gw, now)) {
        /* Only if the current one does not answer. */
        gw->other = mac;
        gw->next_probe = MIN(gw->next_probe, gw->asked + ANSWER_MS);
        return false;
    }
    use(b, gw, mac, now);
    return true;
}

/* Takes into account a router advertisement of 'addr', which is link-local,
 * that came in by the uplink of 'b'.  'lifetime' is 0 if that is no router any
 * more. */
void
vmmob_gateway_hear_router(struct vmmob_bridge *b, const struct in6_addr *addr,
                          uint16_t lifetime, long long int now)
{
    struct vmmob_gateway *gw = &b->gateways[VMMOB_IPV6];

    if (!gw->by_advert || gw->next_probe == LLONG_MAX
        || (lifetime ? ipv6_addr_is_set(&gw->addr)
            : !ipv6_addr_equals(&gw->addr, addr))) {
        return;
    }
    gw->addr = lifetime ? *addr : in6addr_any;
    gw->n_unanswered = 0;
    gw->next_probe = (token_bucket_withdraw(&gw->confirm, 1)
                      ? now : now + CONFIRM_MS);
}

/* Returns true if two hosts answer for the gateway 'gw'. */
bool
vmmob_gateway_has_rival(const struct vmmob_gateway *gw, long long int now)
{
    return gw->rival_seen && now - gw->rival_seen < RIVAL_MS;
}

/* Asks for 'gw' of 'b', if that is due at 'now'.  Returns true if that
 * changed its MAC address. */
static bool
gateway_run(struct vmmob_bridge *b, struct vmmob_gateway *gw,
            long long int now)
    OVS_REQUIRES(vmmob_mutex)
{
    bool changed = false;

    if (now < gw->next_probe) {
        return false;
    }
    if (b->uplink == VMMOB_NO_UPLINK) {
        gw->heard = now;
        gw->next_probe = now + PROBE_UNKNOWN_MS;
        return false;
    }
    if (!gw->current_answered && !eth_addr_is_zero(gw->other)) {
        if (now < gw->asked + ANSWER_MS) {
            gw->next_probe = gw->asked + ANSWER_MS;
            return false;
        }
        use(b, gw, gw->other, now);
        changed = true;
    }

    bool known = !eth_addr_is_zero(gw->mac);

    if (gw->by_advert && gw->n_unanswered >= MAX_UNANSWERED) {
        gw->addr = in6addr_any;
        gw->n_unanswered = 0;
    }
    if (!ipv6_addr_is_set(&gw->addr)) {
        COVERAGE_INC(vmmob_gateway_solicit);
        vmmob_output_uplink(b, vmmob_nd_compose_router_solicit(b->mac));
        gw->next_probe = now + (now < gw->soon_until ? PROBE_UNKNOWN_MS
                                : PROBE_KNOWN_MS);
        return changed;
    }
    if (!known) {
        COVERAGE_INC(vmmob_gateway_retry);
    }
    vmmob_output_uplink(b, vmmob_frame_compose_question(
        b->mac, NULL, &in6addr_any, &gw->addr));
    gw->asked = now;
    gw->n_unanswered++;
    gw->answered = gw->current_answered = false;
    gw->before = gw->mac;
    gw->other = eth_addr_zero;
    gw->next_probe = now + (known ? PROBE_KNOWN_MS
                            : now < gw->soon_until && !gw->by_advert
                            ? PROBE_SOON_MS
                            : PROBE_UNKNOWN_MS);
    return changed;
}

/* Asks for the gateways of 'b', if that is due at 'now'.  Returns true if
 * that changed the MAC address of one: then the caller must tell others. */
bool
vmmob_gateways_run(struct vmmob_bridge *b, long long int now)
{
    bool changed = false;

    for (enum vmmob_family f = 0; f < VMMOB_N_FAMILIES; f++) {
        changed |= gateway_run(b, &b->gateways[f], now);
    }
    return changed;
}

/* Returns when to call vmmob_gateways_run() for 'b', in ms. */
long long int
vmmob_gateways_next_event(const struct vmmob_bridge *b)
{
    long long int next = LLONG_MAX;

    for (enum vmmob_family f = 0; f < VMMOB_N_FAMILIES; f++) {
        next = MIN(next, b->gateways[f].next_probe);
    }
    return next;
}
