/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "vmmob-reply.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "packets.h"
#include "unixctl.h"
#include "util.h"
#include "vmmob-binding.h"
#include "vmmob-table.h"

/* Returns true if the last of the 'argc' arguments in 'argv' is "json". */
bool
vmmob_wants_json(int argc, const char *argv[])
{
    return argc > 1 && !strcmp(argv[argc - 1], "json");
}

/* Answers with 's'.  Takes ownership of it. */
void
vmmob_reply_text(struct unixctl_conn *conn, char *s)
{
    unixctl_command_reply(conn, s);
    free(s);
}

/* Answers with 'json', written with 'flags', which are JSSF_*.  Takes
 * ownership of it. */
void
vmmob_reply_json(struct unixctl_conn *conn, struct json *json, int flags)
{
    char *s = json_to_string(json, flags);

    json_destroy(json);
    vmmob_reply_text(conn, s);
}

/* Selections. */

/* Initializes 'sel' from 's', a MAC address, a HoA or a MoA, or NULL for all
 * VMNs.  Before an address, or alone, there may be a network's id and "/".
 * Returns false if 's' is none of these. */
bool
vmmob_selection_parse(struct vmmob_selection *sel, const char *s)
{
    memset(sel, 0, sizeof *sel);
    if (!s) {
        return true;
    }

    size_t n = strspn(s, "0123456789");
    if (n && s[n] == '/') {
        char *network = xmemdup0(s, n);
        unsigned long long int id;

        sel->by_network = (str_to_ullong(network, 10, &id)
                           && id <= UINT32_MAX);
        free(network);
        if (!sel->by_network) {
            return false;
        }
        sel->network = id;
        s += n + 1;
        if (!s[0]) {
            return true;
        }
    }
    sel->by_mac = eth_addr_from_string(s, &sel->mac);
    sel->by_addr = !sel->by_mac && vmmob_addr_from_string(s, &sel->addr);
    return sel->by_mac || sel->by_addr;
}

/* Returns true if 'vmn' is one that 'sel' asks for. */
bool
vmmob_selection_has(const struct vmmob_selection *sel,
                    const struct vmmob_vmn *vmn)
{
    if (sel->by_network && sel->network != vmn->key.tenant) {
        return false;
    } else if (sel->by_mac) {
        return eth_addr_equals(sel->mac, vmn->key.mac);
    } else if (!sel->by_addr) {
        return true;
    }
    for (size_t i = 0; i < vmn->n_pairs; i++) {
        if (ipv6_addr_equals(&vmn->pairs[i].hoa, &sel->addr)
            || ipv6_addr_equals(&vmn->pairs[i].moa, &sel->addr)) {
            return true;
        }
    }
    return false;
}

/* Order. */

static int
compare_entries(const void *a_, const void *b_)
{
    const struct vmmob_entry *const *a = a_;
    const struct vmmob_entry *const *b = b_;

    return vmmob_key_compare(&(*a)->key, &(*b)->key);
}

static int
compare_ofss(const void *a_, const void *b_)
{
    const struct vmmob_ofs *const *a = a_;
    const struct vmmob_ofs *const *b = b_;

    return (*a)->id < (*b)->id ? -1 : (*a)->id > (*b)->id;
}

/* Returns an array of the vmmob_table_n_vmns() entries of 'table' in ascending
 * order of their keys. */
const struct vmmob_entry **
vmmob_sort_entries(const struct vmmob_table *table)
{
    size_t n = vmmob_table_n_vmns(table);
    const struct vmmob_entry **entries = xmalloc(n * sizeof *entries);
    const struct vmmob_entry *entry;
    size_t i = 0;

    HMAP_FOR_EACH (entry, node, vmmob_table_entries(table)) {
        entries[i++] = entry;
    }
    qsort(entries, n, sizeof *entries, compare_entries);
    return entries;
}

/* Returns an array of the vmmob_table_n_ofss() OFSs of 'table' in ascending
 * order of their ids. */
const struct vmmob_ofs **
vmmob_sort_ofss(const struct vmmob_table *table)
{
    size_t n = vmmob_table_n_ofss(table);
    const struct vmmob_ofs **ofss = xmalloc(n * sizeof *ofss);
    const struct vmmob_ofs_entry *entry;
    size_t i = 0;

    HMAP_FOR_EACH (entry, node, vmmob_table_ofs_entries(table)) {
        ofss[i++] = &entry->ofs;
    }
    qsort(ofss, n, sizeof *ofss, compare_ofss);
    return ofss;
}

/* Tables. */

/* Initializes 'table' with a heading.  'headings' are separated by single
 * spaces. */
void
vmmob_text_table_init(struct vmmob_text_table *table, const char *headings)
{
    char *copy = xstrdup(headings);
    char *save_ptr = NULL;

    svec_init(&table->cells);
    for (char *token = strtok_r(copy, " ", &save_ptr); token;
         token = strtok_r(NULL, " ", &save_ptr)) {
        svec_add(&table->cells, token);
    }
    table->n_columns = table->cells.n;
    free(copy);
}

/* Adds a cell. */
void
vmmob_text_table_put(struct vmmob_text_table *table, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    svec_add_nocopy(&table->cells, xvasprintf(format, args));
    va_end(args);
}

/* Adds a cell with 'addr', which may be null. */
void
vmmob_text_table_put_addr(struct vmmob_text_table *table,
                          const struct in6_addr *addr)
{
    svec_add_nocopy(&table->cells,
                    addr ? vmmob_addr_to_string(addr, "-") : xstrdup("-"));
}

/* Returns 'table' as a string that the caller must free(), and frees what
 * 'table' owns. */
char *
vmmob_text_table_steal(struct vmmob_text_table *table)
{
    size_t *widths = xcalloc(table->n_columns, sizeof *widths);
    struct ds s = DS_EMPTY_INITIALIZER;

    for (size_t i = 0; i < table->cells.n; i++) {
        size_t *width = &widths[i % table->n_columns];

        *width = MAX(*width, strlen(table->cells.names[i]));
    }
    for (size_t i = 0; i < table->cells.n; i++) {
        size_t column = i % table->n_columns;

        if (column + 1 < table->n_columns) {
            ds_put_format(&s, "%-*s  ", (int) widths[column],
                          table->cells.names[i]);
        } else {
            ds_put_format(&s, "%s\n", table->cells.names[i]);
        }
    }
    svec_destroy(&table->cells);
    free(widths);
    return ds_steal_cstr(&s);
}

/* JSON. */

/* Starts an array at the end of 's'. */
void
vmmob_json_array_begin(struct vmmob_json_array *array, struct ds *s)
{
    *array = (struct vmmob_json_array) { .s = s, .empty = true };
    ds_put_char(s, '[');
}

/* Adds 'json' to 'array'.  Takes ownership of it. */
void
vmmob_json_array_add(struct vmmob_json_array *array, struct json *json)
{
    char *text = json_to_string(json, JSSF_PRETTY | JSSF_SORT);
    char *save_ptr = NULL;
    bool first = true;

    json_destroy(json);
    ds_put_cstr(array->s, array->empty ? "\n  " : ",\n  ");
    for (char *line = strtok_r(text, "\n", &save_ptr); line;
         line = strtok_r(NULL, "\n", &save_ptr)) {
        ds_put_format(array->s, "%s%s", first ? "" : "\n  ", line);
        first = false;
    }
    free(text);
    array->empty = false;
}

/* Ends 'array'. */
void
vmmob_json_array_end(struct vmmob_json_array *array)
{
    ds_put_char(array->s, ']');
}
