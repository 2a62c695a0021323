/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/handover-seat.h"

#include "flow.h"
#include "hash.h"
#include "ofproto-vmmob/handover-core.h"
#include "packets.h"
#include "util.h"
#include "vmmob-hash.h"

static void seats_update(struct handover *, struct handover_ofs *,
                         struct handover_port *, struct hmap *keys);
static void put_seats(struct handover_ofs *, struct handover_port *,
                      const struct eth_addr, bool expects, bool has,
                      struct hmap *keys);
static void put_seat(struct handover_ofs *, struct handover_port *,
                     const struct vmmob_key *, bool expects, bool has,
                     struct hmap *keys);
static void seat_destroy(struct handover_ofs *, struct handover_seat *);
static void port_destroy(struct handover_ofs *, struct handover_port *);

/* Returns the VM port of 'ofs' with the given 'number', or NULL. */
struct handover_port *
vmmob_handover_find_port(const struct handover_ofs *ofs, ofp_port_t number)
{
    struct handover_port *port;

    HMAP_FOR_EACH_WITH_HASH (port, node, hash_int(ofp_to_u16(number), 0),
                             &ofs->ports) {
        if (port->number == number) {
            return port;
        }
    }
    return NULL;
}

/* Notes that 'ofs' has a VM port 'number' with the given 'name', in
 * 'networks'.  Returns false if that was known. */
bool
vmmob_handover_port_put(struct handover_ofs *ofs, ofp_port_t number,
                        const char *name, const struct port_networks *networks)
{
    struct handover_port *port = vmmob_handover_find_port(ofs, number);

    if (port) {
        if (vmmob_port_networks_equals(&port->networks, networks)) {
            return false;
        }
        vmmob_port_networks_destroy(&port->networks);
        vmmob_port_networks_clone(&port->networks, networks);
        return true;
    }
    port = xzalloc(sizeof *port);
    port->number = number;
    port->name = xstrdup(name);
    vmmob_port_networks_clone(&port->networks, networks);
    ovs_list_init(&port->seats);
    hmap_insert(&ofs->ports, &port->node, hash_int(ofp_to_u16(number), 0));
    hmap_insert(&ofs->port_names, &port->name_node,
                vmmob_hash_bytes(name, strlen(name), 0));
    return true;
}

/* Notes that the VM port 'number' of 'ofs' is gone, and adds to 'keys' the
 * VMNs that it was for. */
void
vmmob_handover_port_remove(struct handover_ofs *ofs, ofp_port_t number,
                           struct hmap *keys)
{
    struct handover_port *port = vmmob_handover_find_port(ofs, number);
    const struct handover_seat *seat;

    if (port) {
        LIST_FOR_EACH (seat, list_node, &port->seats) {
            vmmob_key_set_add(keys, &seat->key);
        }
        port_destroy(ofs, port);
    }
}

/* Forgets all VM ports of 'ofs'. */
void
vmmob_handover_ports_destroy(struct handover_ofs *ofs)
{
    struct handover_port *port;

    HMAP_FOR_EACH_SAFE (port, node, &ofs->ports) {
        port_destroy(ofs, port);
    }
}

/* Takes into account what is known of the VM port 'name', if 'ofs' has one, or
 * of all its VM ports if that is NULL.  Adds to 'keys' the VMNs for which that
 * changed something. */
void
vmmob_handover_seats_update(struct handover *h, struct handover_ofs *ofs,
                            const char *name, struct hmap *keys)
{
    struct handover_port *port;

    if (name) {
        /* While ports are renumbered, there can be two. */
        HMAP_FOR_EACH_WITH_HASH (port, name_node,
                                 vmmob_hash_bytes(name, strlen(name), 0),
                                 &ofs->port_names) {
            if (!strcmp(port->name, name)) {
                seats_update(h, ofs, port, keys);
            }
        }
    } else {
        HMAP_FOR_EACH (port, node, &ofs->ports) {
            seats_update(h, ofs, port, keys);
        }
    }
}

/* Marks as used the seats of the VMN 'key' at 'port' of 'ofs', or at all its
 * ports if 'port' is OFPP_NONE. */
void
vmmob_handover_seats_use(struct handover_ofs *ofs, const struct vmmob_key *key,
                         ofp_port_t port)
{
    struct handover_seat *seat;

    HMAP_FOR_EACH_WITH_HASH (seat, node, vmmob_key_hash(key, 0),
                             &ofs->seats) {
        if (vmmob_key_equals(&seat->key, key)
            && (port == OFPP_NONE || seat->port == port)) {
            seat->used = true;
        }
    }
}

/* Notes that it must be decided anew what follows from all seats of 'ofs'. */
void
vmmob_handover_reconsider_seats(struct handover *h,
                                const struct handover_ofs *ofs)
{
    const struct handover_seat *seat;

    HMAP_FOR_EACH (seat, node, &ofs->seats) {
        vmmob_key_set_add(&h->undecided, &seat->key);
    }
}

bool
vmmob_handover_has_seat(const struct handover_ofs *ofs,
                        const struct vmmob_key *key)
{
    const struct handover_seat *seat;

    HMAP_FOR_EACH_WITH_HASH (seat, node, vmmob_key_hash(key, 0),
                             &ofs->seats) {
        if (vmmob_key_equals(&seat->key, key)) {
            return true;
        }
    }
    return false;
}

/* Returns true if 'port' of 'ofs' was added for the VMN 'key' and the VMN was
 * not heard there yet. */
bool
vmmob_handover_has_fresh_seat(const struct handover_ofs *ofs,
                              const struct vmmob_key *key, ofp_port_t port)
{
    const struct handover_seat *seat;

    HMAP_FOR_EACH_WITH_HASH (seat, node, vmmob_key_hash(key, 0),
                             &ofs->seats) {
        if (seat->port == port && seat->expects && !seat->used
            && vmmob_key_equals(&seat->key, key)) {
            return true;
        }
    }
    return false;
}

/* Returns the only port of 'ofs' where the VMN 'key' can be, if it is here, or
 * OFPP_NONE if there is none, or several: then only the VMN itself can
 * tell. */
ofp_port_t
vmmob_handover_find_only_seat(const struct handover_ofs *ofs,
                              const struct vmmob_key *key)
{
    const struct handover_seat *seat;
    ofp_port_t found = OFPP_NONE;

    HMAP_FOR_EACH_WITH_HASH (seat, node, vmmob_key_hash(key, 0),
                             &ofs->seats) {
        if (seat->has && vmmob_key_equals(&seat->key, key)) {
            if (found != OFPP_NONE) {
                return OFPP_NONE;
            }
            found = seat->port;
        }
    }
    return found;
}

/* Returns the seat where the VMN 'key' is expected at 'ofs', or NULL.  Of
 * several, returns that with the lowest port number. */
struct handover_seat *
vmmob_handover_find_seat(const struct handover_ofs *ofs,
                         const struct vmmob_key *key)
{
    struct handover_seat *seat, *found = NULL;

    HMAP_FOR_EACH_WITH_HASH (seat, node, vmmob_key_hash(key, 0),
                             &ofs->seats) {
        if (seat->expects && !seat->used
            && vmmob_key_equals(&seat->key, key)
            && (!found || (ofp_to_u16(seat->port)
                           < ofp_to_u16(found->port)))) {
            found = seat;
        }
    }
    return found;
}

static void
seats_update(struct handover *h, struct handover_ofs *ofs,
             struct handover_port *port, struct hmap *keys)
{
    const struct vmmob_port *row = vmmob_port_table_find(&h->ports,
                                                         port->name);
    struct handover_seat *seat;

    LIST_FOR_EACH (seat, list_node, &port->seats) {
        seat->marked = true;
    }
    if (row) {
        const struct eth_addr mac = row->attached_mac;

        for (size_t i = 0; i < row->n_macs; i++) {
            put_seats(ofs, port, row->macs[i],
                      eth_addr_equals(row->macs[i], mac), true, keys);
        }
        if (!eth_addr_is_zero(mac) && !vmmob_port_has_mac(row, mac)) {
            put_seats(ofs, port, mac, true, row->any, keys);
        }
    }
    LIST_FOR_EACH_SAFE (seat, list_node, &port->seats) {
        if (seat->marked) {
            vmmob_key_set_add(keys, &seat->key);
            seat_destroy(ofs, seat);
        }
    }
}

/* Notes that 'port' of 'ofs' is for the VM with the given 'mac', which is a
 * VMN in each of the networks of the port. */
static void
put_seats(struct handover_ofs *ofs, struct handover_port *port,
          const struct eth_addr mac, bool expects, bool has, struct hmap *keys)
{
    for (size_t i = 0; i < port->networks.n; i++) {
        const struct vmmob_key key = {
            .tenant = port->networks.networks[i].id, .mac = mac,
        };

        put_seat(ofs, port, &key, expects, has, keys);
    }
}

/* Notes that 'port' of 'ofs' is for the VMN 'key'. */
static void
put_seat(struct handover_ofs *ofs, struct handover_port *port,
         const struct vmmob_key *key, bool expects, bool has,
         struct hmap *keys)
{
    const struct handover_vmn *vmn = vmmob_handover_find_vmn(ofs, key);
    struct handover_seat *seat;

    /* The news may be late.  Who has left is expected back. */
    bool used = (vmn && vmn->state == HANDOVER_ATTACHED && vmn->heard
                 && vmn->port == port->number);

    LIST_FOR_EACH (seat, list_node, &port->seats) {
        if (vmmob_key_equals(&seat->key, key)) {
            seat->marked = false;
            if (seat->expects != expects || seat->has != has) {
                seat->used = seat->expects == expects ? seat->used : used;
                seat->expects = expects;
                seat->has = has;
                vmmob_key_set_add(keys, key);
            }
            return;
        }
    }
    seat = xmalloc(sizeof *seat);
    *seat = (struct handover_seat) {
        .key = *key, .port = port->number, .expects = expects, .has = has,
        .used = used, .asked = LLONG_MIN / 2,
    };
    ovs_list_init(&seat->asking.node);
    ovs_list_init(&seat->short_node);
    hmap_insert(&ofs->seats, &seat->node, vmmob_key_hash(key, 0));
    ovs_list_push_back(&port->seats, &seat->list_node);
    vmmob_key_set_add(keys, key);
}

static void
seat_destroy(struct handover_ofs *ofs, struct handover_seat *seat)
{
    hmap_remove(&ofs->seats, &seat->node);
    ovs_list_remove(&seat->list_node);
    ovs_list_remove(&seat->asking.node);
    ovs_list_remove(&seat->short_node);
    free(seat);
}

static void
port_destroy(struct handover_ofs *ofs, struct handover_port *port)
{
    struct handover_seat *seat;

    LIST_FOR_EACH_SAFE (seat, list_node, &port->seats) {
        seat_destroy(ofs, seat);
    }
    hmap_remove(&ofs->ports, &port->node);
    hmap_remove(&ofs->port_names, &port->name_node);
    vmmob_port_networks_destroy(&port->networks);
    free(port->name);
    free(port);
}
