/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_REPLY_H
#define VMMOB_REPLY_H 1

/* What the commands have in common
 * ================================
 *
 * "vmmob/..."  of ovs-vswitchd and of ovs-vmmobd (lib/unixctl.h): which VMNs
 * are asked for, in which order they are shown, and answers as text for people
 * or, if the last argument is "json", as JSON for programs.
 *
 * Pure, except for those that answer; not thread-safe. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"
#include "openvswitch/types.h"
#include "svec.h"
#include "vmmob-json.h"

struct ds;
struct json;
struct unixctl_conn;
struct vmmob_entry;
struct vmmob_ofs;
struct vmmob_table;
struct vmmob_vmn;

bool vmmob_wants_json(int argc, const char *argv[]);
void vmmob_reply_text(struct unixctl_conn *, char *);
void vmmob_reply_json(struct unixctl_conn *, struct json *, int flags);

/* What is asked for: a VMN by its MAC address, by a HoA or MoA, or all; in
 * some network, or in any. */
struct vmmob_selection {
    bool by_network;            /* Otherwise: any. */
    uint32_t network;           /* If 'by_network', otherwise 0. */
    bool by_mac, by_addr;       /* Neither: all. */
    struct eth_addr mac;        /* If 'by_mac'. */
    struct in6_addr addr;       /* If 'by_addr'. */
};

bool vmmob_selection_parse(struct vmmob_selection *, const char *);
bool vmmob_selection_has(const struct vmmob_selection *,
                         const struct vmmob_vmn *);

/* The rows of a table, sorted by key and by id.  The caller must free the
 * array, not what it points to. */
const struct vmmob_entry **vmmob_sort_entries(const struct vmmob_table *);
const struct vmmob_ofs **vmmob_sort_ofss(const struct vmmob_table *);

/* A table of text, with columns as wide as what is in them. */
struct vmmob_text_table {
    struct svec cells;          /* Row by row, the heading first. */
    size_t n_columns;
};

void vmmob_text_table_init(struct vmmob_text_table *, const char *headings);
void vmmob_text_table_put(struct vmmob_text_table *, const char *format, ...)
    OVS_PRINTF_FORMAT(2, 3);
void vmmob_text_table_put_addr(struct vmmob_text_table *,
                               const struct in6_addr *);
char *vmmob_text_table_steal(struct vmmob_text_table *);

/* An array of JSON that is written piece by piece, so that there is never more
 * than one element of it as a tree.  The text is what json_to_string() with
 * JSSF_PRETTY | JSSF_SORT gives. */
struct vmmob_json_array {
    struct ds *s;               /* Where to append it. */
    bool empty;                 /* Has no elements yet. */
};

void vmmob_json_array_begin(struct vmmob_json_array *, struct ds *);
void vmmob_json_array_add(struct vmmob_json_array *, struct json *);
void vmmob_json_array_end(struct vmmob_json_array *);

#endif /* lib/vmmob-reply.h */
