/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/handover-ask.h"

#include "coverage.h"
#include "ofproto-vmmob/handover-core.h"
#include "ofproto-vmmob/handover-journal.h"
#include "util.h"

COVERAGE_DEFINE(vmmob_seat_asked);

/* Returns true if another VMN than 'key' that the port is for was heard at
 * 'port' of 'ofs'. */
static bool
is_another_heard(const struct handover_ofs *ofs, const struct vmmob_key *key,
                 ofp_port_t number)
{
    const struct handover_port *port = vmmob_handover_find_port(ofs, number);
    const struct handover_seat *seat;

    LIST_FOR_EACH (seat, list_node, &port->seats) {
        const struct handover_vmn *vmn
            = (vmmob_key_equals(&seat->key, key)
               ? NULL : vmmob_handover_find_vmn(ofs, &seat->key));

        if (vmn && vmn->state == HANDOVER_ATTACHED && vmn->port == number
            && vmn->heard) {
            return true;
        }
    }
    return false;
}

/* Returns the row whose addresses the VMN of 'seat', at 'ofs', is to be asked
 * for there, or NULL. */
static const struct vmmob_vmn *
find_row_to_ask(const struct handover *h, const struct handover_ofs *ofs,
                const struct handover_seat *seat)
{
    const struct handover_vmn *vmn = vmmob_handover_find_vmn(ofs, &seat->key);
    const struct vmmob_vmn *binding
        = vmmob_table_find_binding(h->table, &seat->key);

    if (vmn && vmn->state == HANDOVER_PREPARED) {
        return vmn->port == seat->port ? &vmn->row : NULL;
    }
    return (binding && binding->ofs != ofs->id && seat->has
            && is_another_heard(ofs, &seat->key, seat->port)
            ? binding : NULL);
}

/* Plans to ask the VMN of 'seat' as soon as possible. */
static void
ask_soon(struct handover_ofs *ofs, struct handover_seat *seat,
         long long int now)
{
    ovs_list_remove(&seat->asking.node);
    seat->n_asks = 0;
    vmmob_expiry_insert(&ofs->asking, &seat->asking,
                        MAX(now, seat->asked + HANDOVER_ASK_FIRST_MS));
}

/* Plans to ask the VMN 'key' at its seats at 'ofs', if it may have come there.
 * Called when something changed of the VMN or of its seats. */
void
vmmob_handover_ask_seats(struct handover *h, struct handover_ofs *ofs,
                         const struct vmmob_key *key, long long int now)
{
    const struct vmmob_vmn *binding = vmmob_table_find_binding(h->table, key);
    bool is_lost = !binding || binding->state != VMMOB_ACTIVE;
    struct handover_seat *seat;

    HMAP_FOR_EACH_WITH_HASH (seat, node, vmmob_key_hash(key, 0),
                             &ofs->seats) {
        if (vmmob_key_equals(&seat->key, key)
            && (ovs_list_is_empty(&seat->asking.node) || is_lost)
            && find_row_to_ask(h, ofs, seat)) {
            ask_soon(ofs, seat, now);
        }
    }
}

/* Plans to ask the other VMNs that 'port' of 'ofs' is for, which may have come
 * with the VMN 'key', which was heard there. */
void
vmmob_handover_ask_others(struct handover *h, const struct handover_ofs *ofs,
                          const struct vmmob_key *key, ofp_port_t number)
{
    const struct handover_port *port = vmmob_handover_find_port(ofs, number);
    const struct handover_seat *seat;

    if (port) {
        LIST_FOR_EACH (seat, list_node, &port->seats) {
            if (!vmmob_key_equals(&seat->key, key)) {
                vmmob_key_set_add(&h->undecided, &seat->key);
            }
        }
    }
}

/* Asks the VMNs at 'ofs' whose time has come. */
void
vmmob_handover_run_asks(struct handover *h, struct handover_ofs *ofs,
                        long long int now)
{
    struct handover_seat *seat;

    VMMOB_EXPIRY_FOR_EACH_DUE (seat, asking, &ofs->asking, now) {
        const struct vmmob_vmn *row = find_row_to_ask(h, ofs, seat);
        bool prepared = row && row->ofs == ofs->id;

        ovs_list_remove(&seat->asking.node);
        ovs_list_init(&seat->asking.node);
        if (!row || (!prepared && seat->n_asks >= HANDOVER_ASK_OTHERS)) {
            continue;
        }
        for (size_t i = 0; i < row->n_pairs; i++) {
            if (vmmob_handover_is_home(ofs, row->key.tenant,
                                       &row->pairs[i].hoa)) {
                COVERAGE_INC(vmmob_seat_asked);
                vmmob_handover_ask_at(h, ofs, &seat->key, seat->port,
                                      &row->pairs[i].hoa);
            }
        }
        seat->asked = now;
        vmmob_expiry_insert(&ofs->asking, &seat->asking,
                            now + MIN(HANDOVER_ASK_FIRST_MS << seat->n_asks,
                                      HANDOVER_ASK_MOST_MS));
        seat->n_asks = MIN(seat->n_asks + 1, 10);
    }
}
