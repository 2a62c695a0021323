/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/handover-unused.h"

#include "coverage.h"
#include "ofproto-vmmob/handover.h"
#include "ofproto-vmmob/handover-claim.h"
#include "ofproto-vmmob/handover-core.h"
#include "ofproto-vmmob/handover-journal.h"
#include "ofproto-vmmob/handover-seat.h"
#include "ofproto-vmmob/handover-use.h"
#include "ofproto-vmmob/handover-vmn.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "util.h"
#include "vmmob-addr.h"

VLOG_DEFINE_THIS_MODULE(vmmob_handover_unused);

COVERAGE_DEFINE(vmmob_hoa_forgotten);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(20, 20);

/* A VMN that has too many addresses is asked for those that it did not use for
 * so long, in ms, and if none makes room, not again for so long. */
#define CROWDED_MS (60 * 1000)
#define CROWD_REST_MS 5000

/* When to try again if a VMN may be paused, in ms. */
#define LATER_MS (60 * 1000)

static bool may_ask(const struct handover *, const struct handover_ofs *,
                    const struct handover_vmn *);
static bool begin(const struct handover *, const struct handover_ofs *,
                  struct handover_vmn *, long long int now);
static void ask(struct handover *, const struct handover_ofs *,
                struct handover_vmn *);
static void end(struct handover *, struct handover_ofs *,
                struct handover_vmn *, long long int now);
static bool forget(struct handover *, struct handover_ofs *,
                   struct handover_vmn *, const struct hoa_use *,
                   long long int now);
static void stop_crowding(struct handover_vmn *, long long int rest);
static bool is_own(const struct handover_vmn *, const struct hoa_use *);
static bool is_silent(const struct handover_vmn *, const struct hoa_use *);
static bool is_named(const struct vmmob_port *, const struct in6_addr *);
static const struct hoa_use *find_last_use(const struct handover_vmn *);
static long long int get_last_heard(const struct handover_vmn *);
static long long int get_next_look(const struct handover_ofs *,
                                   const struct handover_vmn *,
                                   long long int now);

/* 'vmn', at 'ofs', has as many home addresses as it can have, and uses another
 * one. */
void
vmmob_handover_crowd(struct handover_ofs *ofs, struct handover_vmn *vmn,
                     long long int now)
{
    if (vmn->watched && !vmn->n_asks && now >= vmn->crowd_rest) {
        vmn->crowded = true;
        vmmob_handover_look_at(ofs, vmn, now);
    }
}

/* The turn of 'vmn', at 'ofs', has come; see vmmob_handover_next_look(). */
void
vmmob_handover_forget_unused(struct handover *h, struct handover_ofs *ofs,
                             struct handover_vmn *vmn, long long int now)
{
    if (vmn->state != HANDOVER_ATTACHED || vmn->row.n_pairs < 2
        || !ofs->settings.address_ms) {
        vmmob_handover_stop_watching(ofs, vmn);
        return;
    }

    vmmob_handover_update_uses(vmn, now);
    if (!may_ask(h, ofs, vmn)) {
        vmn->n_asks = 0;
        stop_crowding(vmn, now + CROWD_REST_MS);
        vmmob_handover_look_at(ofs, vmn,
                               now + MIN(LATER_MS, ofs->settings.address_ms));
    } else if (!vmn->n_asks && !begin(h, ofs, vmn, now)) {
        stop_crowding(vmn, now + CROWD_REST_MS);
        vmmob_handover_look_at(ofs, vmn, get_next_look(ofs, vmn, now));
    } else if (vmn->n_asks < HANDOVER_PROBES) {
        ask(h, ofs, vmn);
        vmmob_handover_look_at(ofs, vmn, now + HANDOVER_PROBE_MS);
    } else {
        end(h, ofs, vmn, now);
    }
}

/* Returns true unless nothing follows if 'vmn', at 'ofs', does not answer. */
static bool
may_ask(const struct handover *h, const struct handover_ofs *ofs,
        const struct handover_vmn *vmn)
{
    return (!h->receiving && !vmmob_handover_is_waiting(ofs)
            && !vmmob_handover_is_expected_elsewhere(h, ofs, &vmn->row.key));
}

/* Finds out for which home addresses 'vmn', at 'ofs', is to be asked.  Returns
 * false if there is none. */
static bool
begin(const struct handover *h, const struct handover_ofs *ofs,
      struct handover_vmn *vmn, long long int now)
{
    const struct handover_port *port = vmmob_handover_find_port(ofs,
                                                                vmn->port);
    const struct vmmob_port *row
        = port ? vmmob_port_table_find(&h->ports, port->name) : NULL;
    long long int limit = ofs->settings.address_ms;
    long long int max_idle = vmn->crowded ? MIN(limit, CROWDED_MS) : limit;
    const struct hoa_use *last = find_last_use(vmn);
    bool any = false;

    if (!last || (!vmn->crowded && now - last->used > limit)) {
        /* It uses nothing at all. */
        return false;
    }
    vmn->asked_since = now;
    for (size_t i = 0; i < vmn->n_uses; i++) {
        struct hoa_use *use = &vmn->uses[i];

        use->asked = (now - use->used >= max_idle && is_own(vmn, use)
                      && !is_named(row, &use->hoa));
        any |= use->asked;
    }
    return any;
}

/* Asks 'vmn', at 'ofs', for what it is to be asked for.  If it was not heard
 * since that began, then also for what it used last. */
static void
ask(struct handover *h, const struct handover_ofs *ofs,
    struct handover_vmn *vmn)
{
    bool was_heard = get_last_heard(vmn) >= vmn->asked_since;
    const struct hoa_use *last = find_last_use(vmn);

    for (size_t i = 0; i < vmn->n_uses; i++) {
        const struct hoa_use *use = &vmn->uses[i];

        if (is_silent(vmn, use) || (use == last && !was_heard)) {
            vmmob_handover_ask(h, ofs, vmn, &use->hoa);
        }
    }
    vmn->n_asks++;
}

/* 'vmn', at 'ofs', has had enough time to answer: takes from it what it did
 * not answer for. */
static void
end(struct handover *h, struct handover_ofs *ofs, struct handover_vmn *vmn,
    long long int now)
{
    long long int limit = ofs->settings.address_ms;
    const struct hoa_use *longest = NULL;
    size_t n = 0;

    if (get_last_heard(vmn) >= vmn->asked_since) {
        for (size_t i = 0; i < vmn->n_uses; i++) {
            const struct hoa_use *use = &vmn->uses[i];

            if (!is_silent(vmn, use)) {
                continue;
            } else if (now - use->used >= limit) {
                n += forget(h, ofs, vmn, use, now);
            } else if (!longest || use->used < longest->used) {
                longest = use;
            }
        }
        if (!n && longest) {
            n += forget(h, ofs, vmn, longest, now);
        }
        vmmob_handover_look_at(ofs, vmn, get_next_look(ofs, vmn, now));
    } else {
        /* It may be paused. */
        vmmob_handover_look_at(ofs, vmn, now + MIN(LATER_MS, limit));
    }
    vmn->n_asks = 0;
    stop_crowding(vmn, n ? now : now + CROWD_REST_MS);
}

/* Takes from 'vmn', at 'ofs', what 'use' is of, unless it has nothing else.
 * Returns true if successful. */
static bool
forget(struct handover *h, struct handover_ofs *ofs, struct handover_vmn *vmn,
       const struct hoa_use *use, long long int now)
{
    size_t n = 0;

    for (size_t i = 0; i < vmn->row.n_pairs; i++) {
        n += !vmn->row.pairs[i].claimed;
    }
    if (n < 2) {
        return false;
    }

    char *s = vmmob_addr_to_string(&use->hoa, "-");

    COVERAGE_INC(vmmob_hoa_forgotten);
    VLOG_INFO_RL(&rl, "home address %s: VMN "ETH_ADDR_FMT" has not used it "
                 "for %lld s and does not answer for it, so it has it no "
                 "more", s, ETH_ADDR_ARGS(vmn->row.key.mac),
                 (now - use->used) / 1000);
    free(s);
    vmmob_handover_vmn_give_back_hoa(h, ofs, vmn, &use->hoa, now);
    return true;
}

/* 'vmn' has room, or is not to be asked before 'rest' to make some. */
static void
stop_crowding(struct handover_vmn *vmn, long long int rest)
{
    if (vmn->crowded) {
        vmn->crowded = false;
        vmn->crowd_rest = rest;
    }
}

/* Returns true if what 'use' is of is a home address of 'vmn', and not just
 * claimed. */
static bool
is_own(const struct handover_vmn *vmn, const struct hoa_use *use)
{
    const struct vmmob_pair *pair = vmmob_vmn_find_hoa(&vmn->row, &use->hoa);

    return pair && !pair->claimed;
}

/* Returns true if 'vmn' is asked for what 'use' is of and did not use it
 * since. */
static bool
is_silent(const struct handover_vmn *vmn, const struct hoa_use *use)
{
    return use->asked && use->used < vmn->asked_since;
}

/* Returns true if 'row', which may be NULL, names 'hoa' itself as what VMs
 * at the port may have, and not just a prefix that it is in. */
static bool
is_named(const struct vmmob_port *row, const struct in6_addr *hoa)
{
    for (size_t i = 0; row && i < row->n_prefixes; i++) {
        if (row->prefixes[i].plen == 128
            && ipv6_addr_equals(&row->prefixes[i].addr, hoa)) {
            return true;
        }
    }
    return false;
}

/* Returns the use of that home address of 'vmn' which it used last, or
 * NULL. */
static const struct hoa_use *
find_last_use(const struct handover_vmn *vmn)
{
    const struct hoa_use *last = NULL;

    for (size_t i = 0; i < vmn->n_uses; i++) {
        const struct hoa_use *use = &vmn->uses[i];

        if (is_own(vmn, use) && (!last || use->used > last->used)) {
            last = use;
        }
    }
    return last;
}

/* Returns when 'vmn' was last heard, whatever it said, in ms. */
static long long int
get_last_heard(const struct handover_vmn *vmn)
{
    const struct hoa_use *last = find_last_use(vmn);

    return last ? MAX(last->used, vmn->last_heard) : vmn->last_heard;
}

/* Returns when it may next be to be found out whether 'vmn', at 'ofs', uses
 * all of its home addresses. */
static long long int
get_next_look(const struct handover_ofs *ofs, const struct handover_vmn *vmn,
              long long int now)
{
    long long int limit = ofs->settings.address_ms;
    long long int next = now + limit;

    for (size_t i = 0; i < vmn->n_uses; i++) {
        long long int due = vmn->uses[i].used + limit;

        if (due > now) {
            next = MIN(next, due);
        }
    }
    return next;
}
