/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_GATEWAY_H
#define VMMOB_GATEWAY_H 1

/* The gateway of the uplink's network.  Unless its MAC address is configured,
 * we ask for it, and again every now and then.
 *
 * Only an answer to such a question is believed.  What says something else
 * unasked, such as the announcement of a router that takes over, makes us ask
 * again.  If two answer the same question, the one that was in use stays, as
 * long as it answers.
 *
 * If not even its address is configured, as may be for IPv6, we solicit
 * routers.  The first one that advertises itself is asked, at its link-local
 * address, and is the gateway if it answers.  It stays that, whoever else
 * advertises, until it says that it is no router any more or does not answer
 * a few times: then we solicit again.
 *
 * Guarded by vmmob_mutex.  Times are in ms. */

#include <stdbool.h>

#include "openvswitch/token-bucket.h"
#include "openvswitch/types.h"
#include "ovs-thread.h"
#include "vmmob-addr.h"

struct vmmob_bridge;
struct vmmob_settings;

extern struct ovs_mutex vmmob_mutex;

/* For one family of addresses. */
struct vmmob_gateway {
    enum vmmob_family family;
    bool used;                  /* There is one.  Otherwise the other members
                                 * are not in use, but for 'mac', which is all
                                 * zeros, and 'next_probe', which is
                                 * LLONG_MAX. */
    bool by_advert;             /* 'addr' is learned from a router's
                                 * advertisement. */
    struct in6_addr addr;       /* Whom we ask; unset: to be learned. */
    unsigned int n_unanswered;  /* Questions to it since it last answered. */
    struct eth_addr mac;        /* All zeros: not known. */
    long long int heard;        /* When it last answered. */
    long long int next_probe;   /* When to ask for it, or LLONG_MAX if it is
                                 * configured. */
    long long int soon_until;   /* Until when to ask often. */
    struct token_bucket confirm;    /* Questions because of announcements. */

    /* The last question. */
    long long int asked;        /* When it was sent. */
    bool answered;              /* By anybody? */
    bool current_answered;      /* By who is in use now? */
    struct eth_addr before;     /* What 'mac' was then. */
    struct eth_addr other;      /* Somebody else who answered, or all zeros. */

    /* Who answered the same question as who is in use, and when that was last,
     * 0 if never. */
    struct eth_addr rival;
    long long int rival_seen;
};

void vmmob_gateways_configure(struct vmmob_bridge *,
                              const struct vmmob_settings *,
                              long long int now) OVS_REQUIRES(vmmob_mutex);
void vmmob_gateways_ask(struct vmmob_bridge *, long long int now)
    OVS_REQUIRES(vmmob_mutex);
bool vmmob_gateway_hear(struct vmmob_bridge *, struct vmmob_gateway *,
                        const struct eth_addr, bool reply, long long int now)
    OVS_REQUIRES(vmmob_mutex);
void vmmob_gateway_hear_router(struct vmmob_bridge *, const struct in6_addr *,
                               uint16_t lifetime, long long int now)
    OVS_REQUIRES(vmmob_mutex);
bool vmmob_gateway_has_rival(const struct vmmob_gateway *, long long int now);
bool vmmob_gateways_run(struct vmmob_bridge *, long long int now)
    OVS_REQUIRES(vmmob_mutex);
long long int vmmob_gateways_next_event(const struct vmmob_bridge *)
    OVS_REQUIRES(vmmob_mutex);

#endif /* ofproto-vmmob/gateway.h */
