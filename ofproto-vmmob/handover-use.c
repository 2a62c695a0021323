/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/handover-use.h"

#include "ofproto-vmmob/handover.h"
#include "packets.h"
#include "util.h"

static struct hoa_use *find_use(const struct handover_vmn *,
                                const struct in6_addr *hoa);
static uint64_t get_priority(long long int when);

/* Returns a VMN of 'ofs' whose turn has come at 'now': then the caller must
 * tell by vmmob_handover_note_use() what the rules know of its home addresses,
 * and call vmmob_handover_forget_unused().  Returns NULL if there is none. */
struct handover_vmn *
vmmob_handover_next_look(const struct handover_ofs *ofs, long long int now)
{
    return (vmmob_handover_next_look_event(ofs) <= now
            ? CONTAINER_OF(heap_max(&ofs->looks), struct handover_vmn, look)
            : NULL);
}

/* Returns the time, in ms, when there is one, or LLONG_MAX. */
long long int
vmmob_handover_next_look_event(const struct handover_ofs *ofs)
{
    return (heap_is_empty(&ofs->looks) ? LLONG_MAX
            : LLONG_MAX - (long long int) heap_max(&ofs->looks)->priority);
}

/* 'vmn' used 'hoa' at 'when', in ms. */
void
vmmob_handover_note_use(struct handover_vmn *vmn, const struct in6_addr *hoa,
                        long long int when)
{
    struct hoa_use *use = find_use(vmn, hoa);

    if (use) {
        use->used = MAX(use->used, when);
    }
}

/* Stores in '*used' when 'vmn' last used 'hoa', as it was noted, in ms, and in
 * '*asked' whether it is being asked for that.  Returns false if that is not
 * known. */
bool
vmmob_handover_get_use(const struct handover_vmn *vmn,
                       const struct in6_addr *hoa, long long int *used,
                       bool *asked)
{
    const struct hoa_use *use = find_use(vmn, hoa);

    if (use) {
        *used = use->used;
        *asked = vmn->n_asks && use->asked && use->used < vmn->asked_since;
    }
    return use != NULL;
}

/* Something changed of 'vmn' at 'ofs': begins to note uses if there is reason
 * to. */
void
vmmob_handover_watch_uses(struct handover_ofs *ofs, struct handover_vmn *vmn)
{
    if (!vmn->watched && vmn->state == HANDOVER_ATTACHED
        && vmn->row.n_pairs > 1 && ofs->settings.address_ms) {
        vmn->watched = true;
        heap_insert(&ofs->looks, &vmn->look, get_priority(0));
    }
}

/* Stops noting uses of 'vmn' at 'ofs', and forgets what was noted. */
void
vmmob_handover_stop_watching(struct handover_ofs *ofs,
                             struct handover_vmn *vmn)
{
    if (vmn->watched) {
        heap_remove(&ofs->looks, &vmn->look);
        vmn->watched = false;
    }
    free(vmn->uses);
    vmn->uses = NULL;
    vmn->n_uses = 0;
    vmn->crowded = false;
    vmn->crowd_rest = 0;
}

/* Makes 'uses' of 'vmn', if they are noted, those of its home addresses, in
 * the same order.  It has just used those that are new. */
void
vmmob_handover_update_uses(struct handover_vmn *vmn, long long int now)
{
    struct hoa_use *uses;

    if (!vmn->watched) {
        return;
    }
    uses = xcalloc(vmn->row.n_pairs, sizeof *uses);
    for (size_t i = 0; i < vmn->row.n_pairs; i++) {
        const struct in6_addr *hoa = &vmn->row.pairs[i].hoa;
        const struct hoa_use *old = find_use(vmn, hoa);

        if (old) {
            uses[i] = *old;
        } else {
            uses[i].hoa = *hoa;
            uses[i].used = now;
        }
    }
    free(vmn->uses);
    vmn->uses = uses;
    vmn->n_uses = vmn->row.n_pairs;
}

/* The turn of 'vmn' at 'ofs', whose uses are noted, comes at 'when', in ms. */
void
vmmob_handover_look_at(struct handover_ofs *ofs, struct handover_vmn *vmn,
                       long long int when)
{
    heap_change(&ofs->looks, &vmn->look, get_priority(when));
}

static struct hoa_use *
find_use(const struct handover_vmn *vmn, const struct in6_addr *hoa)
{
    for (size_t i = 0; i < vmn->n_uses; i++) {
        if (ipv6_addr_equals(&vmn->uses[i].hoa, hoa)) {
            return &vmn->uses[i];
        }
    }
    return NULL;
}

/* The earliest has the highest priority. */
static uint64_t
get_priority(long long int when)
{
    return LLONG_MAX - when;
}
