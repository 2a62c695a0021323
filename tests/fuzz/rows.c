/* SPDX-License-Identifier: Apache-2.0 */

/* Rows of databases, as the IDL and utilities/vmmobd-record.c take them, and
 * what utilities/vmmobd-known.c makes of those of several sites.
 *
 * The input is a stream of JSON objects {"db": 0|1|2, "table": "VMN"|"OFS",
 * "row": ROW, "delete": true}, with ROW as in RFC 7047 section 5.1 and
 * "delete" only where the row goes. */

#include <config.h>
#undef NDEBUG
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "openvswitch/json.h"
#include "openvswitch/shash.h"
#include "ovsdb-data.h"
#include "ovsdb-error.h"
#include "ovsdb-idl-provider.h"
#include "ovsdb-idl.h"
#include "packets.h"
#include "util.h"
#include "utilities/vmmob-idl.h"
#include "utilities/vmmobd-known.h"
#include "utilities/vmmobd-record.h"
#include "utilities/vmmobd-rowset.h"
#include "utilities/vmmobd-sitedb.h"
#include "vmmob-table.h"

#define MAX_STEPS 32

/* Never connected; just to make rows in. */
static struct ovsdb_idl *idl;

/* A row that is not in a database. */
struct loose_row {
    const struct ovsdb_idl_table_class *class;
    struct ovsdb_datum *data;
    union {
        struct ovsdb_idl_row header;
        struct vmmobrec_vmn vmn;
        struct vmmobrec_ofs ofs;
    };
};

/* Initializes 'row' from 'json', as the IDL does with what a server sends: a
 * column that is missing or wrong has its default value. */
static void
row_init(struct loose_row *row, const char *table, const struct json *json)
{
    row->class = NULL;
    for (size_t i = 0; i < vmmobrec_idl_class.n_tables; i++) {
        if (!strcmp(vmmobrec_idl_class.tables[i].name, table)) {
            row->class = &vmmobrec_idl_class.tables[i];
        }
    }
    ovs_assert(row->class);
    row->class->row_init(&row->header);
    row->data = xmalloc(row->class->n_columns * sizeof *row->data);
    for (size_t i = 0; i < row->class->n_columns; i++) {
        const struct ovsdb_idl_column *column = &row->class->columns[i];
        const struct json *value
            = (json->type == JSON_OBJECT
               ? shash_find_data(json->object, column->name) : NULL);
        struct ovsdb_error *error = NULL;

        if (value) {
            error = ovsdb_datum_from_json(&row->data[i], &column->type, value,
                                          NULL);
        }
        if (!value || error) {
            ovsdb_datum_init_default(&row->data[i], &column->type);
            ovsdb_error_destroy(error);
        }
        column->parse(&row->header, &row->data[i]);
    }
}

static void
row_destroy(struct loose_row *row)
{
    for (size_t i = 0; i < row->class->n_columns; i++) {
        const struct ovsdb_idl_column *column = &row->class->columns[i];

        column->unparse(&row->header);
        ovsdb_datum_destroy(&row->data[i], &column->type);
    }
    free(row->data);
}

static void
name_assert_equal(const struct row_name *a, const struct row_name *b)
{
    ovs_assert(row_name_equals(a, b));
    ovs_assert(row_name_hash(a) == row_name_hash(b));
}

/* Aborts unless 'vmn' is the same after it was written to a database. */
static void
check_vmn(const struct vmmob_vmn *vmn)
{
    struct ovsdb_idl_txn *txn = ovsdb_idl_txn_create(idl);
    const struct vmmobrec_vmn *row = vmmobrec_vmn_insert(txn);
    struct row_name name = row_name_of_vmn(&vmn->key, vmn->ofs), name2;
    struct vmmob_vmn copy;

    fuzz_assert_ok(vmmob_vmn_validate(vmn));
    vmn_name_to_row(vmn, row);
    vmn_to_row(vmn, "system", row);
    fuzz_assert_ok(vmn_name_from_row(row, &name2));
    name_assert_equal(&name, &name2);
    fuzz_assert_ok(vmn_from_row(row, &copy));
    ovs_assert(vmmob_vmn_equals(vmn, &copy));
    ovs_assert(vmn_is_in_row(vmn, "system", row));
    ovs_assert(!vmn_is_in_row(vmn, "", row));
    vmmob_vmn_destroy(&copy);
    ovsdb_idl_txn_destroy(txn);
}

/* Likewise 'ofs', but for the order of its pools. */
static void
check_ofs(const struct vmmob_ofs *ofs)
{
    struct ovsdb_idl_txn *txn = ovsdb_idl_txn_create(idl);
    const struct vmmobrec_ofs *row = vmmobrec_ofs_insert(txn);
    struct row_name name = row_name_of_ofs(ofs->id), name2;
    struct vmmob_ofs copy;

    fuzz_assert_ok(vmmob_ofs_validate(ofs));
    ofs_name_to_row(ofs, row);
    ofs_to_row(ofs, "system", true, row);
    fuzz_assert_ok(ofs_name_from_row(row, &name2));
    name_assert_equal(&name, &name2);
    ovs_assert(ofs_is_in_row(ofs, "system", true, row));
    fuzz_assert_ok(ofs_from_row(row, &copy));
    ovs_assert(ofs_is_in_row(&copy, "system", true, row));
    ovs_assert(copy.id == ofs->id);
    ovs_assert(!strcmp(copy.site, ofs->site));
    ovs_assert(vmmob_prefix_equals(&copy.uplink, &ofs->uplink));
    ovs_assert(eth_addr_equals(copy.mac, ofs->mac));
    ovs_assert(ipv6_addr_equals(&copy.gateway, &ofs->gateway));
    ovs_assert(eth_addr_equals(copy.gateway_mac, ofs->gateway_mac));
    ovs_assert(vmmob_ofs_same_networks(&copy, ofs));
    vmmob_ofs_destroy(&copy);
    ovsdb_idl_txn_destroy(txn);
}

/* Does to 'table' what 'row' says, unless it is bad, as
 * utilities/vmmobd-sitedb.c does. */
static void
take_vmn(const struct loose_row *row, bool delete, struct vmmob_table *table,
         struct rowset *changed)
{
    struct row_name name;
    struct vmmob_vmn vmn;
    char *error = vmn_name_from_row(&row->vmn, &name);

    if (error) {
        free(error);
        error = vmn_from_row(&row->vmn, &vmn);
        ovs_assert(error);
        free(error);
        return;
    }

    rowset_add(changed, &name);
    error = vmn_from_row(&row->vmn, &vmn);
    if (!error) {
        ovs_assert(vmn_is_in_row(&vmn, row->vmn.system_id, &row->vmn));
        check_vmn(&vmn);
    }
    if (error || delete) {
        vmmob_table_remove_vmn(table, &name.key, name.ofs);
    } else {
        vmmob_table_put_vmn(table, &vmn);
    }
    if (error) {
        free(error);
    } else {
        vmmob_vmn_destroy(&vmn);
    }
}

static void
take_ofs(const struct loose_row *row, bool delete, struct vmmob_table *table,
         struct rowset *changed)
{
    struct row_name name;
    struct vmmob_ofs ofs;
    char *error = ofs_name_from_row(&row->ofs, &name);

    if (error) {
        free(error);
        error = ofs_from_row(&row->ofs, &ofs);
        ovs_assert(error);
        free(error);
        return;
    }

    rowset_add(changed, &name);
    error = ofs_from_row(&row->ofs, &ofs);
    if (!error) {
        check_ofs(&ofs);
    }
    if (error || delete) {
        vmmob_table_remove_ofs(table, name.ofs);
    } else {
        vmmob_table_put_ofs(table, &ofs);
    }
    if (error) {
        free(error);
    } else {
        vmmob_ofs_destroy(&ofs);
    }
}

/* Adds to 'changed' the names of the VMN rows of the OFSs that are in there,
 * as "struct sitedb" sees to with an index. */
static void
add_vmns_of_ofss(struct sitedb **dbs, size_t n, struct rowset *changed)
{
    struct rowset vmns = ROWSET_INITIALIZER(&vmns);
    const struct rowset_node *node;

    for (size_t i = 0; i < n; i++) {
        const struct vmmob_entry *entry;

        HMAP_FOR_EACH (entry, node, vmmob_table_entries(dbs[i]->table)) {
            const struct vmmob_row *row;

            LIST_FOR_EACH (row, node, &entry->rows) {
                struct row_name ofs = row_name_of_ofs(row->vmn.ofs);
                struct row_name vmn = row_name_of_vmn(&entry->key,
                                                      row->vmn.ofs);

                if (rowset_contains(changed, &ofs)) {
                    rowset_add(&vmns, &vmn);
                }
            }
        }
    }
    ROWSET_FOR_EACH (node, &vmns) {
        rowset_add(changed, &node->name);
    }
    rowset_destroy(&vmns);
}

/* Aborts unless all that is known is from some database, and what is known of
 * an OFS of this site is from this site's database, dbs[0]. */
static void
check_known(const struct known *known, struct sitedb **dbs, size_t n)
{
    const struct vmmob_ofs_entry *ofs_entry;
    const struct vmmob_entry *entry;

    HMAP_FOR_EACH (entry, node, vmmob_table_entries(known->table)) {
        const struct vmmob_row *row;

        LIST_FOR_EACH (row, node, &entry->rows) {
            bool own = vmmob_table_find_ofs(dbs[0]->table, row->vmn.ofs);
            bool found = false;

            for (size_t i = 0; i < (own ? 1 : n); i++) {
                const struct vmmob_vmn *vmn = vmmob_table_find_row(
                    dbs[i]->table, &entry->key, row->vmn.ofs);

                found |= vmn && vmmob_vmn_equals(vmn, &row->vmn);
            }
            ovs_assert(found);
        }
    }
    HMAP_FOR_EACH (ofs_entry, node, vmmob_table_ofs_entries(known->table)) {
        const struct vmmob_ofs *own = vmmob_table_find_ofs(dbs[0]->table,
                                                           ofs_entry->ofs.id);
        struct vmmob_ofs told = ofs_entry->ofs;
        bool found = false;

        /* No row here says which hypervisor it is of. */
        ovs_assert(told.foreign == !own);
        told.foreign = false;
        for (size_t i = 0; i < (own ? 1 : n); i++) {
            const struct vmmob_ofs *ofs = vmmob_table_find_ofs(
                dbs[i]->table, ofs_entry->ofs.id);

            if (ofs) {
                struct vmmob_ofs copy;

                vmmob_ofs_clone(&copy, ofs);
                vmmob_ofs_clear_networks(&copy);
                found |= vmmob_ofs_equals(&copy, &told);
                vmmob_ofs_destroy(&copy);
            }
        }
        ovs_assert(found);
    }
}

void
fuzz_rows(const uint8_t *data, size_t size)
{
    struct rowset changed = ROWSET_INITIALIZER(&changed);
    struct sitedb sitedbs[3];
    struct sitedb *dbs[ARRAY_SIZE(sitedbs)];
    struct known known;

    if (!idl) {
        idl = ovsdb_idl_create_unconnected(&vmmobrec_idl_class, true);
    }
    for (size_t i = 0; i < ARRAY_SIZE(sitedbs); i++) {
        sitedbs[i] = (struct sitedb) {
            .name = CONST_CAST(char *, "lyon"),
            .remote = CONST_CAST(char *, "tcp:192.0.2.1:6650"),
            .own = !i,
            .table = vmmob_table_create(),
        };
        hmap_init(&sitedbs[i].rows_by_name);
        hindex_init(&sitedbs[i].vmns_by_ofs);
        dbs[i] = &sitedbs[i];
    }
    known_init(&known);

    for (int i = 0; i < MAX_STEPS; i++) {
        struct json *json = fuzz_next_json(&data, &size);
        const struct json *db, *table, *value;

        if (!json) {
            break;
        }
        if (json->type == JSON_OBJECT
            && (db = shash_find_data(json->object, "db"))
            && db->type == JSON_INTEGER
            && db->integer >= 0 && db->integer < ARRAY_SIZE(dbs)
            && (table = shash_find_data(json->object, "table"))
            && table->type == JSON_STRING
            && (!strcmp(json_string(table), "VMN")
                || !strcmp(json_string(table), "OFS"))
            && (value = shash_find_data(json->object, "row"))) {
            bool delete = shash_find_data(json->object, "delete");
            struct loose_row row;

            row_init(&row, json_string(table), value);
            (json_string(table)[0] == 'V' ? take_vmn : take_ofs)(
                &row, delete, dbs[db->integer]->table, &changed);
            row_destroy(&row);
            add_vmns_of_ofss(dbs, ARRAY_SIZE(dbs), &changed);
            known_update(&known, dbs, ARRAY_SIZE(dbs), &changed);
            rowset_clear(&changed);
            check_known(&known, dbs, ARRAY_SIZE(dbs));
        }
        json_destroy(json);
    }

    known_destroy(&known);
    for (size_t i = 0; i < ARRAY_SIZE(sitedbs); i++) {
        hindex_destroy(&sitedbs[i].vmns_by_ofs);
        hmap_destroy(&sitedbs[i].rows_by_name);
        vmmob_table_destroy(sitedbs[i].table);
    }
    rowset_destroy(&changed);
}
