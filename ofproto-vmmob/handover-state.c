/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/handover-state.h"

#include "flow.h"
#include "hash.h"
#include "ofproto-vmmob/handover-core.h"
#include "packets.h"
#include "util.h"
#include "vmmob-hash.h"

const char *
vmmob_handover_state_to_string(enum handover_state state)
{
    switch (state) {
    case HANDOVER_ATTACHED:
        return "attached";
    case HANDOVER_DETACHED:
        return "detached";
    case HANDOVER_LEFT:
        return "left";
    case HANDOVER_PREPARED:
        return "prepared";
    default:
        OVS_NOT_REACHED();
    }
}

/* Returns the rows of all authors, ours among them. */
const struct vmmob_table *
vmmob_handover_get_table(const struct handover *h)
{
    return h->table;
}

struct handover_ofs *
vmmob_handover_find_ofs(const struct handover *h, uint64_t id)
{
    struct handover_ofs *ofs;

    HMAP_FOR_EACH_WITH_HASH (ofs, node, vmmob_hash_uint64(id, 0), &h->ofss) {
        if (ofs->id == id) {
            return ofs;
        }
    }
    return NULL;
}

struct handover_vmn *
vmmob_handover_find_vmn(const struct handover_ofs *ofs,
                        const struct vmmob_key *key)
{
    struct handover_vmn *vmn;

    HMAP_FOR_EACH_WITH_HASH (vmn, node, vmmob_key_hash(key, 0), &ofs->vmns) {
        if (vmmob_key_equals(&vmn->row.key, key)) {
            return vmn;
        }
    }
    return NULL;
}

/* Returns true if rules for the remote VMN 'key' are wanted at 'ofs'. */
bool
vmmob_handover_is_active(const struct handover_ofs *ofs,
                         const struct vmmob_key *key)
{
    return vmmob_key_set_find(&ofs->active, key) != NULL;
}

/* Returns true if 'addr' can be the home address of a VMN in 'network' at
 * 'ofs'; see vmmob_net_is_home(). */
bool
vmmob_handover_is_home(const struct handover_ofs *ofs, uint32_t network,
                       const struct in6_addr *addr)
{
    const struct network *net = vmmob_settings_find_network(&ofs->settings,
                                                            network);

    return net && vmmob_net_is_home(net, addr);
}

/* Returns the address of the router that a VMN in 'network' at 'ofs' with
 * 'hoa' sees; see vmmob_net_router(). */
struct in6_addr
vmmob_handover_home_gateway(const struct handover_ofs *ofs, uint32_t network,
                            const struct in6_addr *hoa)
{
    const struct network *net = vmmob_settings_find_network(&ofs->settings,
                                                            network);

    return net ? vmmob_net_router(net, hoa) : in6addr_any;
}

/* Returns true if 'addr' is an address of the router that VMNs in 'network' at
 * 'ofs' see. */
bool
vmmob_handover_is_home_gateway(const struct handover_ofs *ofs,
                               uint32_t network, const struct in6_addr *addr)
{
    const struct network *net = vmmob_settings_find_network(&ofs->settings,
                                                            network);

    return net && vmmob_net_is_gateway(net, addr);
}

/* Returns true if 'network' has a home subnet of 'family' at 'ofs'. */
bool
vmmob_handover_has_home(const struct handover_ofs *ofs, uint32_t network,
                        enum vmmob_family family)
{
    const struct network *net = vmmob_settings_find_network(&ofs->settings,
                                                            network);

    return net && vmmob_net_has_family(net, family);
}

/* Returns true if 'ofs' does not hand out MoAs yet. */
bool
vmmob_handover_is_waiting(const struct handover_ofs *ofs)
{
    return ofs->wait_until != LLONG_MIN;
}

/* Returns the number of VMNs of 'ofs' with a home address of 'family' for
 * which no mobile address is free. */
size_t
vmmob_handover_count_needy(const struct handover_ofs *ofs,
                           enum vmmob_family family)
{
    const struct handover_vmn *vmn;
    size_t n = 0;

    LIST_FOR_EACH (vmn, needy, &ofs->needy) {
        for (size_t i = 0; i < vmn->row.n_pairs; i++) {
            const struct vmmob_pair *pair = &vmn->row.pairs[i];

            if (vmmob_addr_family(&pair->hoa) == family && !pair->claimed
                && !ipv6_addr_is_set(&pair->moa)) {
                n++;
                break;
            }
        }
    }
    return n;
}

/* Returns true if the VMN 'key', which is at 'ofs', is expected at another
 * OFS: then it may be paused. */
bool
vmmob_handover_is_expected_elsewhere(const struct handover *h,
                                     const struct handover_ofs *ofs,
                                     const struct vmmob_key *key)
{
    const struct vmmob_entry *entry = vmmob_table_find(h->table, key);
    const struct vmmob_row *row;

    LIST_FOR_EACH (row, node, &entry->rows) {
        if (row->vmn.state == VMMOB_PREPARED && row->vmn.ofs != ofs->id) {
            return true;
        }
    }
    return false;
}

/* Returns the number of VMNs that are attached to 'port' of 'ofs'. */
size_t
vmmob_handover_count_port(const struct handover_ofs *ofs, ofp_port_t port)
{
    const struct port_count *pc = vmmob_handover_find_port_count(ofs, port);

    return pc ? pc->n : 0;
}

/* Returns true if there may be VMNs and OFSs at other sites that 'h' does not
 * know yet.  Then a packet from an unknown sender may be a VMN's. */
bool
vmmob_handover_is_blind(const struct handover *h,
                        const struct handover_ofs *ofs)
{
    return h->has_peers && ofs->blind_until != LLONG_MIN;
}

/* Returns what the agent says of the port 'name', or NULL if nothing. */
const struct vmmob_port *
vmmob_handover_find_port_row(const struct handover *h, const char *name)
{
    return vmmob_port_table_find(&h->ports, name);
}

struct key_node *
vmmob_key_set_find(const struct hmap *set, const struct vmmob_key *key)
{
    struct key_node *kn;

    HMAP_FOR_EACH_WITH_HASH (kn, node, vmmob_key_hash(key, 0), set) {
        if (vmmob_key_equals(&kn->key, key)) {
            return kn;
        }
    }
    return NULL;
}

struct key_node *
vmmob_key_set_add(struct hmap *set, const struct vmmob_key *key)
{
    struct key_node *kn = vmmob_key_set_find(set, key);

    if (!kn) {
        kn = xzalloc(sizeof *kn);
        kn->key = *key;
        hmap_insert(set, &kn->node, vmmob_key_hash(key, 0));
    }
    return kn;
}

struct id_node *
vmmob_id_set_find(const struct hmap *set, uint64_t id)
{
    struct id_node *in;

    HMAP_FOR_EACH_WITH_HASH (in, node, vmmob_hash_uint64(id, 0), set) {
        if (in->id == id) {
            return in;
        }
    }
    return NULL;
}

struct port_count *
vmmob_handover_find_port_count(const struct handover_ofs *ofs, ofp_port_t port)
{
    struct port_count *pc;

    HMAP_FOR_EACH_WITH_HASH (pc, node, hash_int(ofp_to_u16(port), 0),
                             &ofs->port_counts) {
        if (pc->port == port) {
            return pc;
        }
    }
    return NULL;
}
