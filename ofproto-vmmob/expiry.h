/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_EXPIRY_H
#define VMMOB_EXPIRY_H 1

/* What expires, in a list that is ordered by when
 * ===============================================
 *
 * All elements of a list usually live equally long, so a new one nearly always
 * goes to the end.
 *
 * Pure; not thread-safe.  Times are in ms. */

#include <limits.h>

#include "openvswitch/list.h"

struct vmmob_expiry {
    struct ovs_list node;       /* In a list of them, or by itself. */
    long long int at;           /* When it expires. */
};

/* Inserts 'expiry', which is in no list, into 'list', to expire at 'at'. */
static inline void
vmmob_expiry_insert(struct ovs_list *list, struct vmmob_expiry *expiry,
                    long long int at)
{
    struct ovs_list *before = list->prev;

    while (before != list
           && CONTAINER_OF(before, struct vmmob_expiry, node)->at > at) {
        before = before->prev;
    }
    expiry->at = at;
    ovs_list_insert(before->next, &expiry->node);
}

/* Returns when the first element of 'list' expires, or LLONG_MAX. */
static inline long long int
vmmob_expiry_next(const struct ovs_list *list)
{
    return (ovs_list_is_empty(list) ? LLONG_MAX
            : CONTAINER_OF(ovs_list_front(list), struct vmmob_expiry,
                           node)->at);
}

/* Makes VAR point to the structure whose member MEMBER it is, for each element
 * of LIST that has expired at NOW.  The statement must take it out of LIST. */
#define VMMOB_EXPIRY_FOR_EACH_DUE(VAR, MEMBER, LIST, NOW)               \
    while (!ovs_list_is_empty(LIST) && vmmob_expiry_next(LIST) <= (NOW) \
           && ((VAR) = OBJECT_CONTAINING(ovs_list_front(LIST), VAR,     \
                                         MEMBER.node)) != NULL)

#endif /* ofproto-vmmob/expiry.h */
