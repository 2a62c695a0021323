/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_PUNT_KIND_H
#define VMMOB_PUNT_KIND_H 1

/* Kinds of packets that the rules punt
 * ====================================
 *
 * What VM ports send is of one kind, and each of them has limits of its own.
 * What the uplink sends is from anybody.  So there, each kind has limits of
 * its own, and who sends much of one kind does not take the place of another.
 *
 * Pure. */

/* The rule says which kind a packet is of, by its controller id. */
enum punt_kind {
    PUNT_VM,                    /* Whatever a VM port sends. */
    PUNT_GATEWAY_ARP,           /* ARP from the gateway. */
    PUNT_POOL_ARP,              /* ARP requests for the pool. */
    PUNT_POOL_CLAIM,            /* ARP from the pool. */
    PUNT_UNREAD_ARP,            /* ARP that cannot be read. */
    PUNT_ICMP,                  /* ICMP errors to the pool. */
    PUNT_SOURCE,                /* From an unknown address. */
    PUNT_LOST,                  /* For a VMN that is looked for. */
    PUNT_COPY,                  /* For a VMN that is expected. */
};
#define PUNT_N_KINDS (PUNT_COPY + 1)

/* What is known of a kind. */
struct punt_kind_row {
    const char *name;           /* In JSON. */
    const char *text;           /* For people. */
    unsigned int rate, burst;   /* Packets of an uplink to look at, in a second
                                 * and at once.  0 for PUNT_VM: see
                                 * settings.h. */
};

extern const struct punt_kind_row vmmob_punt_kinds[PUNT_N_KINDS];

#endif /* ofproto-vmmob/punt-kind.h */
