/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_HANDOVER_H
#define VMMOB_HANDOVER_H 1

/* Handover
 * ========
 *
 * What a switch decides when a VMN appears, moves or leaves: detection and
 * migration in the paper "Wide-area live migration with IP mobility by
 * OpenFlow".  Documentation/design.rst has what the paper leaves open.
 *
 * This is the core of the module.  It knows neither packets nor OpenFlow nor
 * sockets nor the clock.  The caller tells it what was seen, what other
 * authors say and what time it is.  It collects what has to be done about
 * that, for the caller to take with vmmob_handover_take_effects().  So the
 * very same code runs in ovs-vswitchd and in tests, with any number of
 * switches in one process.
 *
 * A switch has any number of OFSs (bridges); they share one merged VMN table.
 *
 * Not thread-safe; in ovs-vswitchd it is guarded by the module's mutex.  Times
 * are in ms, as time_msec() gives them. */

#include "handover-state.h"

struct sset;

struct handover *vmmob_handover_create(void);
void vmmob_handover_destroy(struct handover *);

void vmmob_handover_configure(struct handover *, const struct vmmob_ofs *,
                              const struct vmmob_settings *,
                              long long int now);
void vmmob_handover_touch(struct handover *, const struct handover_ofs *);
void vmmob_handover_announce_all(struct handover *,
                                 const struct handover_ofs *);
void vmmob_handover_remove(struct handover *, uint64_t id, bool withdraw,
                           long long int now);
void vmmob_handover_rename(struct handover *, uint64_t id, uint64_t new_id,
                           long long int now);
const struct vmmob_ofs *vmmob_handover_find_foreign(const struct handover *,
                                                    const struct vmmob_ofs *);
void vmmob_handover_reserve(struct handover *, uint64_t id, bool reserve);
void vmmob_handover_set_peers(struct handover *, bool has_peers);

/* Result of vmmob_handover_sight(). */
enum handover_sighting {
    SIGHTED_HERE,               /* The VMN is attached here. */
    SIGHTED_NO_HOA,             /* Nothing is known of it, and there is no
                                 * home address to begin with. */
    SIGHTED_CONFLICT,           /* Another VMN has the home address. */
    SIGHTED_FULL,               /* It has too many home addresses. */
    SIGHTED_PORT_FULL,          /* The port has too many VMNs. */
    SIGHTED_FROZEN,             /* It moved too often to move here now. */
};

/* Events. */
enum handover_sighting vmmob_handover_sight(struct handover *,
                                            struct handover_ofs *,
                                            const struct vmmob_key *,
                                            ofp_port_t port,
                                            const struct in6_addr *hoa,
                                            enum handover_evidence,
                                            long long int now);
void vmmob_handover_detach(struct handover *, struct handover_ofs *,
                           const struct vmmob_key *, long long int now);
void vmmob_handover_port_there(struct handover *, struct handover_ofs *,
                               ofp_port_t port, const char *name,
                               const struct port_networks *,
                               long long int now);
void vmmob_handover_disclaim(struct handover *, struct handover_ofs *,
                             const struct vmmob_key *, const struct in6_addr *,
                             long long int now);
void vmmob_handover_port_gone(struct handover *, struct handover_ofs *,
                              ofp_port_t port, long long int now);
bool vmmob_handover_talk(struct handover *, struct handover_ofs *,
                         const struct vmmob_key *remote);
void vmmob_handover_stop_copies(struct handover *, struct handover_ofs *,
                                const struct vmmob_key *);
void vmmob_handover_quiet(struct handover *, struct handover_ofs *,
                          const struct vmmob_key *remote);
size_t vmmob_handover_release(struct handover *, const struct vmmob_key *,
                              long long int now);
void vmmob_handover_receive(struct handover *, const struct vmmob_msg *,
                            long long int now);
bool vmmob_handover_take_ports(struct handover *, struct sset *);
void vmmob_handover_run(struct handover *, long long int now);
long long int vmmob_handover_next_event(const struct handover *);

/* Which home addresses VMNs use, as far as the rules for them tell: see
 * handover-use.h.  The user calls these in this order. */
struct handover_vmn *vmmob_handover_next_look(const struct handover_ofs *,
                                              long long int now);
void vmmob_handover_note_use(struct handover_vmn *, const struct in6_addr *,
                             long long int when);
void vmmob_handover_forget_unused(struct handover *, struct handover_ofs *,
                                  struct handover_vmn *, long long int now);
long long int vmmob_handover_next_look_event(const struct handover_ofs *);
bool vmmob_handover_get_use(const struct handover_vmn *,
                            const struct in6_addr *, long long int *used,
                            bool *asked);

/* Look-ups.  See handover-state.h for more. */
long long int vmmob_handover_get_copy_ms(const struct handover_ofs *);

/* What has to be done about what happened. */
struct handover_announcement {
    uint64_t ofs;               /* On the uplink of this OFS, announce... */
    struct in6_addr addr;       /* ...that it has this address... */
    bool fresh;                 /* ...which nobody there knows yet. */

    /* Or at this port of 'ofs', if not OFPP_NONE, that this VMN, of this
     * network, which has 'addr', is not behind it any more. */
    ofp_port_t port;
    uint32_t network;
    struct eth_addr mac;

    /* Or ask this VMN, at 'port', or wherever it may be if that is OFPP_NONE,
     * whether it has 'addr'. */
    bool ask;
};

struct handover_effects {
    struct vmmob_key *vmns;     /* Their rules may have to change. */
    size_t n_vmns;
    uint64_t *ofss;             /* Likewise the rules for these OFSs. */
    size_t n_ofss;
    struct handover_announcement *announcements;
    size_t n_announcements;
};

bool vmmob_handover_has_effects(const struct handover *);
void vmmob_handover_take_effects(struct handover *, struct handover_effects *,
                                 struct vmmob_msg *update);
void vmmob_handover_effects_uninit(struct handover_effects *);
bool vmmob_handover_has_moves(const struct handover *);
struct handover_move *vmmob_handover_take_moves(struct handover *, size_t *);
void vmmob_handover_get_authored(const struct handover *,
                                 struct vmmob_msg *update);

#endif /* ofproto-vmmob/handover.h */
