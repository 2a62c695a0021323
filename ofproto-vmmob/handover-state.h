/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_HANDOVER_STATE_H
#define VMMOB_HANDOVER_STATE_H 1

/* What a switch knows of its OFSs and of the VMNs there, and look-ups in it,
 * for all to read.  Only handover.h and its files change it, but for what is
 * "for the user". */

#include "damping.h"
#include "expiry.h"
#include "heap.h"
#include "openvswitch/hmap.h"
#include "openvswitch/list.h"
#include "openvswitch/ofp-port.h"
#include "settings.h"
#include "vmmob-binding.h"
#include "vmmob-table.h"

struct handover;
struct pool;
struct vmmob_msg;

/* How long an OFS that was just configured waits for the agent to tell what is
 * known, before it hands out its first MoA. */
#define HANDOVER_WAIT_MS 1000

/* How long an OFS that was just configured takes unknown senders for possible
 * VMNs of other sites, if the agent does not tell all that is known before. */
#define HANDOVER_BLIND_MS (30 * 1000)

/* The state of a VMN at an OFS.  See handover-vmn.c for the state table. */
enum handover_state {
    HANDOVER_ATTACHED,          /* Here, at a known port. */
    HANDOVER_DETACHED,          /* Here as far as anybody knows, but at no
                                 * port: it is gone, or was not seen since the
                                 * switch was started. */
    HANDOVER_LEFT,              /* Now elsewhere; packets that arrive here are
                                 * redirected for a while. */
    HANDOVER_PREPARED,          /* Not here yet, but a port is said to be for
                                 * it: it has its MoAs. */
};

const char *vmmob_handover_state_to_string(enum handover_state);

/* When a VMN last used a home address: see handover-use.h. */
struct hoa_use {
    struct in6_addr hoa;
    long long int used;         /* In ms. */
    bool asked;                 /* It is asked for it, if 'n_asks'. */
};

/* A VMN at an OFS. */
struct handover_vmn {
    struct hmap_node node;      /* In 'vmns' of its handover_ofs. */
    struct vmmob_vmn row;       /* What this OFS says of the VMN: also in the
                                 * table. */
    enum handover_state state;
    long long int since;        /* When 'state' was entered. */
    ofp_port_t port;            /* Where it is, was before it left, or is
                                 * expected.  OFPP_NONE while
                                 * HANDOVER_DETACHED, once the port that it
                                 * left is gone, and until it is known where it
                                 * is expected. */
    bool heard;                 /* At 'port', since it is or was there. */
    ofp_port_t counted_port;    /* 'port' while HANDOVER_ATTACHED, otherwise
                                 * OFPP_NONE: see 'port_counts'. */
    bool no_copies;             /* It gets too many packets to send copies to
                                 * where it is expected.  For the user. */
    uint64_t copy_to;           /* The OFS where it is expected and that gets a
                                 * copy of each packet for it, 0 if none. */
    long long int copy_since;   /* When copies were first to be sent, in ms;
                                 * LLONG_MIN if not, or if that is over. */
    struct ovs_list copying;    /* In 'copying' or 'copied' of its
                                 * handover_ofs, or empty. */
    bool early;                 /* Seen before the agent told what is known. */
    unsigned long long int n_before;    /* HANDOVER_LEFT only, for the user:
                                         * packets that came for it before it
                                         * left. */
    struct ovs_list needy;      /* In 'needy' of its handover_ofs while a HoA
                                 * has no MoA; otherwise empty. */
    struct vmmob_expiry expiring;   /* In 'left' or 'prepared' of its
                                     * handover_ofs while in that state, until
                                     * the end of redirection or preparation;
                                     * otherwise empty. */

    /* For handover-use.c and handover-unused.c. */
    bool watched;               /* Uses of its home addresses are noted. */
    struct heap_node look;      /* If so: in 'looks' of its handover_ofs. */
    struct hoa_use *uses;       /* Its home addresses, and perhaps others. */
    size_t n_uses;
    long long int last_heard;   /* When it last said anything that is not for a
                                 * rule, in ms. */
    int n_asks;                 /* How often it was asked for those that it
                                 * does not use... */
    long long int asked_since;  /* ...since then, in ms. */
    bool crowded;               /* It uses more than it can have... */
    long long int crowd_rest;   /* ...which is of no interest before that. */
};

/* Most VMNs at an OFS whose packets are copied to one other OFS at a time. */
#define HANDOVER_MAX_COPIES 256

/* What happened to a VMN, for those who watch. */
enum handover_move_kind {
    HANDOVER_APPEARED,          /* It is at an OFS of ours, and was nowhere
                                 * else. */
    HANDOVER_CAME,              /* Likewise, from another OFS. */
    HANDOVER_WENT,              /* From an OFS of ours to another one. */
    HANDOVER_PASSED,            /* From one OFS to another, neither ours. */
    HANDOVER_REDIRECTED,        /* Redirection, after HANDOVER_WENT, is
                                 * over. */
};
#define HANDOVER_N_MOVE_KINDS (HANDOVER_REDIRECTED + 1)

struct handover_move {
    enum handover_move_kind kind;
    struct vmmob_key key;
    uint64_t ofs;               /* Where it is now; for WENT and REDIRECTED,
                                 * our OFS. */
    uint64_t other;             /* Where it was, 0 for APPEARED; for WENT and
                                 * REDIRECTED, where it is now. */
    uint64_t seqno;
    ofp_port_t port;            /* APPEARED and CAME only. */
    bool expected;              /* Likewise: it was HANDOVER_PREPARED. */
    bool active;                /* PASSED only: VMNs here talk to it. */
    long long int since;        /* REDIRECTED only: when it left, in ms... */
    unsigned long long int n_before;    /* ...and how many packets had come
                                         * for it before that. */
};

/* A home address that was refused to a second claimant. */
struct handover_conflict {
    struct in6_addr hoa;
    struct vmmob_key claimant;
    struct vmmob_key owner;
    ofp_port_t port;            /* Where the claimant was seen. */
    long long int when;
    long long int asked;        /* When the owner was last to be asked because
                                 * of that. */
};
#define HANDOVER_MAX_CONFLICTS 16

/* How a VMN says that it has a home address. */
enum handover_evidence {
    HANDOVER_ANSWERED,          /* It answers when it is asked. */
    HANDOVER_USED,              /* It sends from it. */
    HANDOVER_ANNOUNCED,         /* It tells everybody. */
};

/* A home address that a VMN claims, whose owner is asked; see
 * handover-claim.h. */
struct handover_claim {
    struct ovs_list node;       /* In 'claims' of the handover_ofs where the
                                 * claimant is. */
    struct vmmob_key key;       /* The claimant. */
    struct in6_addr hoa;
    ofp_port_t port;            /* Where the claimant was seen. */
    long long int until;        /* When it is refused. */
};

/* One of this switch's OFSs. */
struct handover_ofs {
    struct hmap_node node;      /* In 'ofss' of its handover. */
    uint64_t id;                /* Datapath id. */
    struct vmmob_ofs *rival;    /* NULL, or the row of the OFS of another
                                 * hypervisor that had 'id' first: then the
                                 * agent is told nothing of this one. */
    struct vmmob_settings settings;
    struct pool *pool;
    struct hmap vmns;           /* Contains "struct handover_vmn"s. */
    struct ovs_list needy;      /* VMNs that have a HoA without MoA. */
    struct ovs_list left;       /* VMNs that left, by 'expiring'. */
    struct ovs_list prepared;   /* Likewise, VMNs that are prepared. */
    struct ovs_list copying;    /* VMNs for which the time for copies is not
                                 * over, ordered by 'copy_since'. */
    struct ovs_list copied;     /* Likewise, the pause after it. */
    struct hmap copy_counts;    /* VMNs with copies, by 'copy_to'. */
    bool copies_wait;           /* There were too many for one OFS... */
    bool copies_freed;          /* ...and now there are fewer. */
    struct hmap active;         /* Remote VMNs that a local one talks to. */
    struct hmap port_counts;    /* Attached VMNs, by port. */

    /* VM ports, and which VMNs they are for: see handover-seat.h. */
    struct hmap ports;          /* "struct handover_port"s, by 'number'... */
    struct hmap port_names;     /* ...and by 'name'. */
    struct hmap seats;          /* "struct handover_seat"s, by 'key'. */
    struct ovs_list short_seats;    /* Those where home addresses are short. */
    struct ovs_list asking;     /* Those where VMNs are asked, by when. */

    struct damping damping;     /* Moves of VMNs, as seen from here. */
    long long int wait_until;   /* No MoA before that, or LLONG_MIN. */
    bool restored;              /* The agent told what is known. */
    bool seek;                  /* It has just done so: find out whether the
                                 * detached VMNs are here.  The user resets
                                 * it. */
    long long int blind_until;  /* Not all is known before that, or
                                 * LLONG_MIN. */

    struct hmap probes;         /* See handover-claim.c. */
    struct ovs_list probes_due; /* Those that wait for an answer. */
    struct ovs_list probes_resting; /* Those that have had one. */
    struct ovs_list claims;     /* Contains "struct handover_claim"s. */
    size_t n_claims;
    struct heap looks;          /* VMNs of which it is to be found out which
                                 * home addresses they use, by when. */

    /* The latest conflicts, oldest first. */
    struct handover_conflict conflicts[HANDOVER_MAX_CONFLICTS];
    size_t n_conflicts;
};

/* Look-ups. */
const struct vmmob_table *vmmob_handover_get_table(const struct handover *);
struct handover_ofs *vmmob_handover_find_ofs(const struct handover *,
                                             uint64_t id);
struct handover_vmn *vmmob_handover_find_vmn(const struct handover_ofs *,
                                             const struct vmmob_key *);
bool vmmob_handover_is_active(const struct handover_ofs *,
                              const struct vmmob_key *);
struct in6_addr vmmob_handover_home_gateway(const struct handover_ofs *,
                                            uint32_t network,
                                            const struct in6_addr *hoa);
bool vmmob_handover_is_home_gateway(const struct handover_ofs *,
                                    uint32_t network, const struct in6_addr *);
bool vmmob_handover_is_home(const struct handover_ofs *, uint32_t network,
                            const struct in6_addr *);
bool vmmob_handover_has_home(const struct handover_ofs *, uint32_t network,
                             enum vmmob_family);
bool vmmob_handover_is_waiting(const struct handover_ofs *);
size_t vmmob_handover_count_needy(const struct handover_ofs *,
                                  enum vmmob_family);
bool vmmob_handover_is_expected_elsewhere(const struct handover *,
                                          const struct handover_ofs *,
                                          const struct vmmob_key *);
size_t vmmob_handover_count_port(const struct handover_ofs *, ofp_port_t);
bool vmmob_handover_is_blind(const struct handover *,
                             const struct handover_ofs *);
const struct vmmob_port *vmmob_handover_find_port_row(const struct handover *,
                                                      const char *name);

#endif /* ofproto-vmmob/handover-state.h */
