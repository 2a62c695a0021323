/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_BINDING_H
#define VMMOB_BINDING_H 1

/* VM mobility bindings
 * ====================
 *
 * A binding says where a VMN (virtual mobile node, a VM that may migrate) is
 * now: which OFS (a bridge, known by its datapath id) it is attached to, and
 * which mobile address (MoA) stands there for each of its home addresses
 * (HoA).  The terms are those of the paper "Wide-area live migration with IP
 * mobility by OpenFlow"; "One author for each row" in Documentation/design.rst
 * has the reasons for the two records.
 *
 * A VMN record is written by one author only, the OFS named in it.  While a
 * VMN moves there are records of more than one OFS for it; vmmob_vmn_compare()
 * tells which of them is in force.
 *
 * This is pure data, used by ovs-vswitchd and by ovs-vmmobd alike: no sockets,
 * no clock, no locks.  Nothing here is thread-safe; a caller that shares a
 * record between threads must do its own locking. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "openvswitch/types.h"
#include "vmmob-addr.h"
#include "vmmob-network.h"

/* Identifies a VMN.  'mac' is the Ethernet address of the VM's primary
 * interface.  'tenant' is the id of its network. */
struct vmmob_key {
    uint32_t tenant;
    struct eth_addr mac;
};

uint32_t vmmob_key_hash(const struct vmmob_key *, uint32_t basis);
int vmmob_key_compare(const struct vmmob_key *, const struct vmmob_key *);
bool vmmob_key_equals(const struct vmmob_key *, const struct vmmob_key *);

/* An address of a VMN.  IPv4 addresses are IPv4-mapped. */
struct vmmob_pair {
    struct in6_addr hoa;        /* Home address; never unspecified. */
    struct in6_addr moa;        /* Mobile address; unset if the OFS had none
                                 * to give, or if it is just claimed. */

    /* Not shared between sites. */
    bool claimed;               /* Another VMN has 'hoa' and is asked whether
                                 * it still does: see handover-claim.h.  Others
                                 * just see a 'hoa' without 'moa'. */
};

/* Most {HoA, MoA} pairs that a VMN may have. */
#define VMMOB_MAX_PAIRS 16

enum vmmob_state {
    VMMOB_ACTIVE,               /* The VMN is here. */
    VMMOB_PREPARED,             /* The VMN is expected here. */
};

const char *vmmob_state_to_string(enum vmmob_state);
bool vmmob_state_from_string(const char *, enum vmmob_state *);

/* A row of the VMN table. */
struct vmmob_vmn {
    struct vmmob_key key;
    uint64_t ofs;               /* Datapath id of the OFS, the author. */
    uint64_t seqno;             /* Grows by at least 1 with each move; as in
                                 * RFC 7432 section 7.7.  At most
                                 * VMMOB_MAX_SEQNO. */
    enum vmmob_state state;
    size_t n_pairs;             /* At most VMMOB_MAX_PAIRS. */
    struct vmmob_pair *pairs;   /* Owned, in ascending order of 'hoa', no
                                 * 'hoa' twice. */
};

/* OVSDB's and JSON's integers are signed and 64 bits wide. */
#define VMMOB_MAX_SEQNO ((uint64_t) INT64_MAX)

/* How far a sequence number can be above zero, or above the next lower number
 * that another author has for the VMN.  With a move each second, a VMN needs
 * 136 years to get that far unseen.  A row with a higher number is not
 * believed, so that nobody can use up the numbers.  An author whose own number
 * is too high, because somebody who is gone drove it up, begins again.  So
 * which rows are believed follows from which rows there are. */
#define VMMOB_MAX_SEQNO_GAP (UINT64_C(1) << 32)

void vmmob_vmn_init(struct vmmob_vmn *, const struct vmmob_key *,
                    uint64_t ofs);
void vmmob_vmn_clone(struct vmmob_vmn *dst, const struct vmmob_vmn *src);
void vmmob_vmn_destroy(struct vmmob_vmn *);
bool vmmob_vmn_equals(const struct vmmob_vmn *, const struct vmmob_vmn *);
int vmmob_vmn_compare(const struct vmmob_vmn *, const struct vmmob_vmn *);
struct vmmob_pair *vmmob_vmn_find_hoa(const struct vmmob_vmn *,
                                      const struct in6_addr *hoa);
bool vmmob_vmn_set_pair(struct vmmob_vmn *, const struct in6_addr *hoa,
                        const struct in6_addr *moa);
bool vmmob_vmn_remove_hoa(struct vmmob_vmn *, const struct in6_addr *hoa);
char *vmmob_vmn_validate(const struct vmmob_vmn *);

/* Most pool prefixes that an OFS may have. */
#define VMMOB_MAX_POOLS 16

/* A row of the OFS table: what the others need to know of an OFS. */
struct vmmob_ofs {
    uint64_t id;                /* Datapath id. */
    char *site;                 /* Name of its site, owned; "" if unnamed. */
    struct vmmob_prefix uplink; /* The IP network that the uplink is on. */
    struct eth_addr mac;        /* The MAC address that the site sees. */
    struct in6_addr gateway;    /* Next hop out of 'uplink'. */
    struct eth_addr gateway_mac;    /* All zeros if not known yet. */
    size_t n_pools;             /* At most VMMOB_MAX_POOLS. */
    struct vmmob_prefix *pools; /* Owned.  Where its MoAs come from. */
    size_t n_networks;          /* At most VMMOB_MAX_NETWORKS. */
    struct vmmob_network *networks; /* Owned, in ascending order of id, none
                                     * twice.  The networks that it has.  None
                                     * at an OFS of an older version. */

    /* Not shared between sites. */
    struct eth_addr ipv6_gateway_mac;   /* As 'gateway_mac', of the IPv6
                                         * gateway of an OFS of ours. */
    bool stale;                 /* The database that this row is from cannot
                                 * be reached: last known state. */
    bool foreign;               /* Of another hypervisor, by what the agent
                                 * knows. */
};

void vmmob_ofs_init(struct vmmob_ofs *, uint64_t id);
void vmmob_ofs_clone(struct vmmob_ofs *dst, const struct vmmob_ofs *src);
void vmmob_ofs_destroy(struct vmmob_ofs *);
bool vmmob_ofs_equals(const struct vmmob_ofs *, const struct vmmob_ofs *);
void vmmob_ofs_put_network(struct vmmob_ofs *, const struct vmmob_network *);
const struct vmmob_network *vmmob_ofs_find_network(const struct vmmob_ofs *,
                                                   uint32_t id);
void vmmob_ofs_clear_networks(struct vmmob_ofs *);
bool vmmob_ofs_same_networks(const struct vmmob_ofs *,
                             const struct vmmob_ofs *);
bool vmmob_ofs_same_pools(const struct vmmob_ofs *, const struct vmmob_ofs *);
bool vmmob_ofs_same_bridge(const struct vmmob_ofs *, const struct vmmob_ofs *);
struct eth_addr vmmob_ofs_gateway_mac(const struct vmmob_ofs *,
                                      enum vmmob_family);
char *vmmob_ofs_validate(const struct vmmob_ofs *);

/* A port of a switch: what the hypervisor says of it, before any packet.  Not
 * shared between sites. */
struct vmmob_port {
    char *name;                 /* Of its interface, owned; never "". */
    char *iface_id;             /* Whose interface it is, owned; "" if not
                                 * known. */
    struct eth_addr attached_mac;   /* Of the VM that is or will be there; all
                                     * zeros if not known. */
    bool any;                   /* Every MAC address is all right there. */
    size_t n_macs;              /* At most VMMOB_MAX_PORT_MACS. */
    struct eth_addr *macs;      /* Owned, in ascending order, none twice.  The
                                 * only ones that are all right there.  If
                                 * there are none, that is not known. */
    bool limited;               /* VMs there may have only home addresses in
                                 * 'prefixes'... */
    size_t n_prefixes;          /* ...at most VMMOB_MAX_PORT_PREFIXES, 0 unless
                                 * 'limited'. */
    struct vmmob_prefix *prefixes;  /* Owned. */
};

/* Most MAC addresses that a port may have. */
#define VMMOB_MAX_PORT_MACS 64

/* Most prefixes of home addresses that a port may have. */
#define VMMOB_MAX_PORT_PREFIXES 64

/* The longest name of a port, and the longest 'iface_id', in bytes. */
#define VMMOB_MAX_PORT_NAME 255

void vmmob_port_init(struct vmmob_port *, const char *name);
void vmmob_port_clone(struct vmmob_port *dst, const struct vmmob_port *src);
void vmmob_port_destroy(struct vmmob_port *);
bool vmmob_port_equals(const struct vmmob_port *, const struct vmmob_port *);
bool vmmob_port_has_mac(const struct vmmob_port *, const struct eth_addr);
bool vmmob_port_add_mac(struct vmmob_port *, const struct eth_addr);
bool vmmob_port_may_claim(const struct vmmob_port *, const struct in6_addr *);
bool vmmob_port_add_prefix(struct vmmob_port *, const struct vmmob_prefix *);
char *vmmob_port_validate(const struct vmmob_port *);

/* A datapath id as text: 16 hexadecimal digits, as Open vSwitch writes it. */
#define VMMOB_OFS_ID_FMT "%016"PRIx64
bool vmmob_ofs_id_from_string(const char *, uint64_t *id);

#endif /* lib/vmmob-binding.h */
