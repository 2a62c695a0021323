/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_HANDOVER_CORE_H
#define VMMOB_HANDOVER_CORE_H 1

/* What the files of handover.h, and only they and tests, know of a switch:
 * what it has besides its OFSs, and sets of keys, addresses and ids.  The
 * functions are in handover-state.c. */

#include "handover-state.h"
#include "port-table.h"

struct handover {
    struct vmmob_table *table;  /* Rows of all authors, ours among them. */
    struct hmap ofss;           /* Contains "struct handover_ofs"s. */
    char *site;                 /* Name of our site, NULL if not known yet. */
    struct port_table ports;    /* What the agent says of ports. */
    struct hmap undecided;      /* Keys of VMNs with seats of ours, of which
                                 * something changed. */
    bool synced;                /* The agent told what is known. */
    bool receiving;             /* Between "begin" and "end". */
    struct hmap contests;       /* "struct hoa_node"s: home addresses at an OFS
                                 * of ours that others may claim.
                                 * handover-claim.c looks at them. */
    struct hmap reserved;       /* Ids of bridges that will be OFSs. */
    bool partial;               /* The agent does not tell all that is known:
                                 * what it leaves out is not gone. */
    bool complete;              /* The agent has told all of all sites at least
                                 * once. */
    bool has_peers;             /* There are other sites. */

    /* Effects not taken yet. */
    struct hmap dirty_vmns;     /* Keys of VMNs. */
    struct hmap dirty_ofss;     /* Ids of OFSs. */
    struct vmmob_row_id *gone;  /* Own rows that were withdrawn. */
    size_t n_gone, allocated_gone;
    struct handover_announcement *announcements;
    size_t n_announcements, allocated_announcements;

    /* What happened, the oldest first, until the user takes it. */
    struct handover_move *moves;
    size_t n_moves, allocated_moves;
};

/* Most moves that are kept if the user takes none. */
#define HANDOVER_MAX_MOVES 65536

/* The key of a VMN in a set. */
struct key_node {
    struct hmap_node node;
    struct vmmob_key key;
    bool publish;               /* In 'dirty_vmns': the rows of our OFSs for it
                                 * changed. */
};

/* A home address in a set. */
struct hoa_node {
    struct hmap_node node;
    uint32_t network;
    struct in6_addr hoa;
};

/* How many VMNs have copies sent to an OFS. */
struct copy_count {
    struct hmap_node node;
    uint64_t ofs;
    size_t n;
};

/* How many VMNs are attached to a port. */
struct port_count {
    struct hmap_node node;
    ofp_port_t port;
    size_t n;
};

/* The id of an OFS in a set. */
struct id_node {
    struct hmap_node node;
    uint64_t id;
};

struct key_node *vmmob_key_set_find(const struct hmap *,
                                    const struct vmmob_key *);
struct key_node *vmmob_key_set_add(struct hmap *, const struct vmmob_key *);
struct id_node *vmmob_id_set_find(const struct hmap *, uint64_t id);
struct port_count *vmmob_handover_find_port_count(const struct handover_ofs *,
                                                  ofp_port_t);

#endif /* ofproto-vmmob/handover-core.h */
