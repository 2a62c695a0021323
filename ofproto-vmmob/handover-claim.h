/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_HANDOVER_CLAIM_H
#define VMMOB_HANDOVER_CLAIM_H 1

/* Home addresses that change hands
 * ================================
 *
 * A VMN may begin to use a home address that another VMN has: a service
 * address fails over, a VM is made anew, or somebody made a mistake or lies.
 * Before anybody believes it, the owner is asked (RFC 5227):
 *
 *   - Only the OFS where the owner is asks it, HANDOVER_PROBES times.  It asks
 *     only if the answer matters: a VMN of the same switch claims the address,
 *     or another author's row lists it.  That author asks its VMN as well,
 *     which may have stopped using the address.
 *
 *   - If the owner answers, it keeps the address, and is asked again every now
 *     and then, as long as another author's row lists it.  If it does not, the
 *     OFS gives the address back, so that its row does not list it any more,
 *     and the claim comes into force everywhere.  An owner that is expected at
 *     another OFS is not silent, but being migrated.
 *
 *   - A claim is made by what a VMN sends of its own accord, not by an answer:
 *     hosts also answer for addresses of their other interfaces (Linux, unless
 *     arp_ignore is set) or for whomever they are a proxy.
 *
 *   - If the owner is at another switch, the claimant's OFS lists the address
 *     in its row, without mobile address, which is how the owner's OFS hears
 *     of it.  In its own table that counts for less than any other claim.  It
 *     becomes a home address like any other once nobody else has it, and is
 *     taken back if that takes too long.
 *
 * So everything follows from which rows there are and who answers, not from
 * the order of news.  An OFS of an older version gives nothing back, so claims
 * to what its VMNs have are refused.
 *
 * A probe refers to VMNs only by address and key, as they may come and go. */

#include "handover-state.h"

/* How often an owner is asked, and how long it has to answer each time, in
 * ms. */
#define HANDOVER_PROBES 3
#define HANDOVER_PROBE_MS 333

/* What becomes of a claim to a home address. */
enum claim_result {
    CLAIM_HAS,                  /* It has it, or may have it. */
    CLAIM_NOTHING,              /* That says nothing. */
    CLAIM_ASKED,                /* Its row is to list it as claimed. */
    CLAIM_REFUSED,              /* Another VMN has it. */
};

void vmmob_handover_claims_init(struct handover_ofs *);
void vmmob_handover_claims_destroy(struct handover_ofs *);
enum claim_result vmmob_handover_claim(struct handover *,
                                       struct handover_ofs *,
                                       const struct vmmob_key *, ofp_port_t,
                                       const struct in6_addr *,
                                       enum handover_evidence,
                                       long long int now);
void vmmob_handover_claim_again(struct handover_ofs *, struct handover_vmn *,
                                const struct in6_addr *, long long int now);
void vmmob_handover_run_probes(struct handover *, long long int now);
struct handover_claim *vmmob_handover_run_claims(struct handover *,
                                                 struct handover_ofs *,
                                                 long long int now);
long long int vmmob_handover_next_claim_event(const struct handover_ofs *);

#endif /* ofproto-vmmob/handover-claim.h */
