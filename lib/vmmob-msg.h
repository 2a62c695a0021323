/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_MSG_H
#define VMMOB_MSG_H 1

/* Messages between ovs-vswitchd and ovs-vmmobd
 * ============================================
 *
 * JSON-RPC notifications (lib/jsonrpc.h) over a Unix domain socket on which
 * ovs-vswitchd listens.  Both directions use the same three:
 *
 *   - "begin" []           The whole state follows, in "update"s.
 *   - "update" [{...}]     Rows to put, rows to remove.
 *   - "end" []             What was not in an "update" since "begin" is gone,
 *                          unless that was "partial".
 *
 * After "end", "update" carries just what changes.
 *
 * When they are connected, ovs-vmmobd speaks first, as soon as it has read its
 * own site's database: it sends every row of every site (those that this
 * switch wrote in an earlier life included) between "begin" and "end".
 * ovs-vswitchd answers, also between "begin" and "end", with the rows that it
 * authors.  A process that was restarted is told everything again, so it does
 * not matter which starts last.  vmmob-sync.h keeps track of how far an end is
 * in this.
 *
 * The object in an "update" has these optional members:
 *
 *   "vmns": array of {"tenant": 0, "mac": "aa:..", "ofs": "16 hex digits",
 *                     "seqno": 1, "state": "active",
 *                     "pairs": [["HoA", "MoA"], ...]}   ("" for no MoA)
 *   "ofss": array of {"id": "..", "site": "..", "uplink": "PREFIX/LEN",
 *                     "mac": "..", "gateway": "..", "gateway_mac": "..",
 *                     "pools": ["PREFIX/LEN", ...], "stale": false,
 *                     "foreign": false,
 *                     "networks": [{"id": 7, "homes": ["PREFIX/LEN", ...]},
 *                                  ...]}
 *                        ("" for no gateway; "foreign" only if it is true,
 *                        "networks" only if there are some)
 *   "del_vmns": array of {"tenant": 0, "mac": "aa:..", "ofs": ".."}
 *   "del_ofss": array of "id"
 *   "ports": array of {"name": "tap0", "iface_id": "..",
 *                      "attached_mac": "..", "any": false,
 *                      "macs": ["aa:..", ...],
 *                      "addresses": ["PREFIX/LEN", ...]}
 *                                 ("" and 00:00:00:00:00:00 if not known;
 *                                 no "addresses" if they are not limited)
 *   "del_ports": array of "name"
 *
 *   "want_networks": [0, 7]      (default: no change, at first all)
 *   "have_networks": [0, 7]      (default: no change, in a whole state all)
 *   "partial": true              (default: false)
 *   "want_stats": true           (default: false)
 *   "stats": {...}               (see vmmob-stats.h)
 *
 * "partial", between "begin" and "end", says that ovs-vmmobd has not read all
 * sites' databases yet.  Then an OFS that it does not tell is not gone, nor
 * are the rows of that OFS.  Once it has read all, it begins anew.
 *
 * Only ovs-vmmobd tells which OFSs are "foreign": those of other hypervisors.
 * What these wrote, no OFS of this switch takes for its own, even if it has
 * the same datapath id.
 *
 * Only ovs-vswitchd tells which "networks" an OFS has and what home prefixes
 * each has there.  ovs-vmmobd compares those of all sites.
 *
 * Only ovs-vmmobd tells ports: what the Open_vSwitch database says of this
 * hypervisor's interfaces.  It tells them even before "begin", if it does not
 * know yet what is in its site's database.
 *
 * With "want_networks" ovs-vswitchd says of which networks it needs to know
 * the VMNs: those that it has VMs of.  It says so as soon as ovs-vmmobd
 * connects, before it is told anything, and whenever that changes.  With
 * "have_networks" ovs-vmmobd answers of which of them it has told all VMNs
 * that are known.  It may tell VMNs of others, too, and always those that this
 * switch wrote.  That a VMN of a network which it does not have is not told,
 * or not told any more, does not mean that there is none.  An older
 * ovs-vswitchd does not say what it needs, and is told all; an older
 * ovs-vmmobd tells all.
 *
 * With "want_stats", in an "update" of its own at any time, ovs-vmmobd asks
 * for what ovs-vswitchd counts.  ovs-vswitchd answers with "stats" in an
 * "update".  An older ovs-vswitchd does not answer.
 *
 * Unknown members are ignored, so that either side may be the newer one. */

#include "vmmob-binding-json.h"

struct jsonrpc_msg;
struct vmmob_stats;

enum vmmob_msg_type {
    VMMOB_MSG_BEGIN,
    VMMOB_MSG_UPDATE,
    VMMOB_MSG_END,
};

/* The name of a row in a "del_vmns". */
struct vmmob_row_id {
    struct vmmob_key key;
    uint64_t ofs;
};

struct vmmob_msg {
    enum vmmob_msg_type type;

    /* VMMOB_MSG_UPDATE only.  All owned. */
    struct vmmob_vmn *vmns;
    size_t n_vmns, allocated_vmns;
    struct vmmob_ofs *ofss;
    size_t n_ofss, allocated_ofss;
    struct vmmob_row_id *del_vmns;
    size_t n_del_vmns, allocated_del_vmns;
    uint64_t *del_ofss;
    size_t n_del_ofss, allocated_del_ofss;
    struct vmmob_port *ports;
    size_t n_ports, allocated_ports;
    char **del_ports;
    size_t n_del_ports, allocated_del_ports;
    struct vmmob_network_ids *want_networks;    /* NULL if none are named. */
    struct vmmob_network_ids *have_networks;    /* Likewise. */
    bool partial;
    bool want_stats;
    struct vmmob_stats *stats;  /* NULL if none. */
};

void vmmob_msg_init(struct vmmob_msg *, enum vmmob_msg_type);
void vmmob_msg_uninit(struct vmmob_msg *);
bool vmmob_msg_is_empty(const struct vmmob_msg *);
size_t vmmob_msg_n_rows(const struct vmmob_msg *);

/* Most networks that "want_networks" and "have_networks" may name. */
#define VMMOB_MSG_MAX_NETWORKS 65536

/* Add to a VMMOB_MSG_UPDATE.  The argument is copied. */
void vmmob_msg_put_vmn(struct vmmob_msg *, const struct vmmob_vmn *);
void vmmob_msg_put_ofs(struct vmmob_msg *, const struct vmmob_ofs *);
void vmmob_msg_del_vmn(struct vmmob_msg *, const struct vmmob_key *,
                       uint64_t ofs);
void vmmob_msg_del_ofs(struct vmmob_msg *, uint64_t id);
void vmmob_msg_put_port(struct vmmob_msg *, const struct vmmob_port *);
void vmmob_msg_del_port(struct vmmob_msg *, const char *name);

/* A sender should split an update of more rows than this. */
#define VMMOB_MSG_MAX_ROWS 500
bool vmmob_msg_next_piece(const struct vmmob_msg *, size_t *at,
                          struct vmmob_msg *piece);

/* What a receiver passes to vmmob_set_max_message(): ten times what so many
 * rows take, all with as many addresses as they can have. */
#define VMMOB_MSG_MAX_SIZE (64 * 1024 * 1024)

struct jsonrpc_msg *vmmob_msg_encode(const struct vmmob_msg *);
char *vmmob_msg_decode(const struct jsonrpc_msg *, struct vmmob_msg *);

#endif /* lib/vmmob-msg.h */
