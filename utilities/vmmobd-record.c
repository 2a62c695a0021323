/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "vmmobd-record.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/dynamic-string.h"
#include "packets.h"
#include "smap.h"
#include "svec.h"
#include "util.h"
#include "utilities/vmmob-idl.h"

/* What an OFS is in the columns of its row. */
struct ofs_columns {
    char *uplink_prefix;
    char *uplink_mac;
    char *gateway;
    char *gateway_mac;
    struct svec pools;          /* In the order of the database. */
    int64_t *ids;               /* Of the networks, likewise... */
    struct svec homes;          /* ...and their homes. */
};

static char *ofs_id_parse(const char *, uint64_t *id);
static char *ofs_id_to_string(uint64_t id);
static char *mac_parse(const char *what, const char *, struct eth_addr *);
static char *mac_to_string(struct eth_addr);
static char *addr_parse(const char *what, const char *, struct in6_addr *);
static void ofs_columns_init(struct ofs_columns *, const struct vmmob_ofs *);
static void ofs_columns_destroy(struct ofs_columns *);
static char *networks_from_row(const struct vmmobrec_ofs *,
                               struct vmmob_ofs *);
static void pools_to_svec(const struct vmmob_ofs *, struct svec *);

/* Stores the name of 'row' into '*name'. */
char *
vmn_name_from_row(const struct vmmobrec_vmn *row, struct row_name *name)
{
    struct vmmob_key key;
    uint64_t ofs;
    char *error;

    if (row->tenant < 0 || row->tenant > UINT32_MAX) {
        return xasprintf("tenant %"PRId64" is invalid", row->tenant);
    }
    key.tenant = row->tenant;
    error = mac_parse("mac", row->mac, &key.mac);
    if (!error) {
        char *canonical = mac_to_string(key.mac);

        if (strcmp(canonical, row->mac)) {
            error = xasprintf("mac \"%s\" is not written as \"%s\"",
                              row->mac, canonical);
        }
        free(canonical);
    }
    if (!error) {
        error = ofs_id_parse(row->ofs, &ofs);
    }
    if (!error) {
        *name = row_name_of_vmn(&key, ofs);
    }
    return error;
}

/* Initializes '*vmn' from 'row'.  If successful, the caller must eventually
 * destroy it with vmmob_vmn_destroy(). */
char *
vmn_from_row(const struct vmmobrec_vmn *row, struct vmmob_vmn *vmn)
{
    struct row_name name;
    struct smap_node *node;
    char *error;

    error = vmn_name_from_row(row, &name);
    if (error) {
        return error;
    }
    vmmob_vmn_init(vmn, &name.key, name.ofs);

    if (row->sequence < 0) {
        error = xasprintf("sequence %"PRId64" is negative", row->sequence);
    } else if (!vmmob_state_from_string(row->state, &vmn->state)) {
        error = xasprintf("state \"%s\" is unknown", row->state);
    }
    vmn->seqno = row->sequence;

    SMAP_FOR_EACH (node, &row->addresses) {
        struct in6_addr hoa, moa;

        if (error) {
            break;
        }
        error = addr_parse("home address", node->key, &hoa);
        if (!error) {
            error = addr_parse("mobile address", node->value, &moa);
        }
        if (!error && vmmob_vmn_find_hoa(vmn, &hoa)) {
            error = xasprintf("home address %s is there twice", node->key);
        }
        if (!error && !vmmob_vmn_set_pair(vmn, &hoa, &moa)) {
            error = xasprintf("more than %d home addresses", VMMOB_MAX_PAIRS);
        }
    }
    if (!error) {
        error = vmmob_vmn_validate(vmn);
    }
    if (error) {
        vmmob_vmn_destroy(vmn);
    }
    return error;
}

/* Stores the name of 'row' into '*name'. */
char *
ofs_name_from_row(const struct vmmobrec_ofs *row, struct row_name *name)
{
    uint64_t id;
    char *error = ofs_id_parse(row->datapath_id, &id);

    if (!error) {
        *name = row_name_of_ofs(id);
    }
    return error;
}

/* Initializes '*ofs' from 'row'.  If successful, the caller must eventually
 * destroy it with vmmob_ofs_destroy(). */
char *
ofs_from_row(const struct vmmobrec_ofs *row, struct vmmob_ofs *ofs)
{
    struct row_name name;
    char *error;

    error = ofs_name_from_row(row, &name);
    if (error) {
        return error;
    }
    vmmob_ofs_init(ofs, name.ofs);
    free(ofs->site);
    ofs->site = xstrdup(row->site);

    error = vmmob_prefix_parse(row->uplink_prefix, &ofs->uplink, NULL);
    if (!error) {
        error = mac_parse("uplink_mac", row->uplink_mac, &ofs->mac);
    }
    if (!error) {
        error = addr_parse("gateway", row->gateway, &ofs->gateway);
    }
    if (!error && row->gateway_mac[0]) {
        error = mac_parse("gateway_mac", row->gateway_mac, &ofs->gateway_mac);
    }
    if (!error && row->n_pools > VMMOB_MAX_POOLS) {
        error = xasprintf("more than %d pools", VMMOB_MAX_POOLS);
    }
    if (!error && row->n_pools) {
        ofs->pools = xcalloc(row->n_pools, sizeof *ofs->pools);
        for (size_t i = 0; i < row->n_pools && !error; i++) {
            error = vmmob_prefix_parse(row->pools[i], &ofs->pools[i], NULL);
        }
        ofs->n_pools = row->n_pools;
    }
    if (!error) {
        error = networks_from_row(row, ofs);
    }
    if (!error) {
        error = vmmob_ofs_validate(ofs);
    }
    if (error) {
        vmmob_ofs_destroy(ofs);
    }
    return error;
}

/* Sets the columns of 'row' that name it. */
void
vmn_name_to_row(const struct vmmob_vmn *vmn, const struct vmmobrec_vmn *row)
{
    char *mac = mac_to_string(vmn->key.mac);
    char *ofs = ofs_id_to_string(vmn->ofs);

    vmmobrec_vmn_set_tenant(row, vmn->key.tenant);
    vmmobrec_vmn_set_mac(row, mac);
    vmmobrec_vmn_set_ofs(row, ofs);
    free(mac);
    free(ofs);
}

/* Sets the other columns of 'row'. */
void
vmn_to_row(const struct vmmob_vmn *vmn, const char *system_id,
           const struct vmmobrec_vmn *row)
{
    struct smap addresses = SMAP_INITIALIZER(&addresses);

    for (size_t i = 0; i < vmn->n_pairs; i++) {
        smap_add_nocopy(&addresses,
                        vmmob_addr_to_string(&vmn->pairs[i].hoa, ""),
                        vmmob_addr_to_string(&vmn->pairs[i].moa, ""));
    }
    if (system_id) {
        vmmobrec_vmn_set_system_id(row, system_id);
    }
    vmmobrec_vmn_set_addresses(row, &addresses);
    vmmobrec_vmn_set_sequence(row, vmn->seqno);
    vmmobrec_vmn_set_state(row, vmmob_state_to_string(vmn->state));
    smap_destroy(&addresses);
}

/* Sets the columns of 'row' that name it. */
void
ofs_name_to_row(const struct vmmob_ofs *ofs, const struct vmmobrec_ofs *row)
{
    char *id = ofs_id_to_string(ofs->id);

    vmmobrec_ofs_set_datapath_id(row, id);
    free(id);
}

/* Sets the other columns of 'row'. */
void
ofs_to_row(const struct vmmob_ofs *ofs, const char *system_id,
           bool has_networks, const struct vmmobrec_ofs *row)
{
    struct ofs_columns c;

    ofs_columns_init(&c, ofs);
    vmmobrec_ofs_set_system_id(row, system_id);
    vmmobrec_ofs_set_site(row, ofs->site);
    vmmobrec_ofs_set_uplink_prefix(row, c.uplink_prefix);
    vmmobrec_ofs_set_uplink_mac(row, c.uplink_mac);
    vmmobrec_ofs_set_gateway(row, c.gateway);
    vmmobrec_ofs_set_gateway_mac(row, c.gateway_mac);
    vmmobrec_ofs_set_pools(row, (const char **) c.pools.names, c.pools.n);
    if (has_networks) {
        vmmobrec_ofs_set_networks(row, c.ids, (const char **) c.homes.names,
                                  c.homes.n);
    }
    ofs_columns_destroy(&c);
}

/* Returns true if 'row' says what 'vmn' and 'system_id' say. */
bool
vmn_is_in_row(const struct vmmob_vmn *vmn, const char *system_id,
              const struct vmmobrec_vmn *row)
{
    struct vmmob_vmn vmn2;
    char *error = vmn_from_row(row, &vmn2);
    bool equals;

    if (error) {
        free(error);
        return false;
    }
    equals = (vmmob_vmn_equals(vmn, &vmn2)
              && (!system_id || !strcmp(system_id, row->system_id)));
    vmmob_vmn_destroy(&vmn2);
    return equals;
}

/* Returns true if 'row' says what 'ofs' and 'system_id' say.  The database
 * does not keep the order of the pools. */
bool
ofs_is_in_row(const struct vmmob_ofs *ofs, const char *system_id,
              bool has_networks, const struct vmmobrec_ofs *row)
{
    struct ofs_columns c;
    bool equals;

    ofs_columns_init(&c, ofs);
    equals = (!strcmp(system_id, row->system_id)
              && !strcmp(ofs->site, row->site)
              && !strcmp(c.uplink_prefix, row->uplink_prefix)
              && !strcmp(c.uplink_mac, row->uplink_mac)
              && !strcmp(c.gateway, row->gateway)
              && !strcmp(c.gateway_mac, row->gateway_mac)
              && c.pools.n == row->n_pools);
    for (size_t i = 0; equals && i < c.pools.n; i++) {
        equals = !strcmp(c.pools.names[i], row->pools[i]);
    }
    if (has_networks) {
        equals = equals && c.homes.n == row->n_networks;
        for (size_t i = 0; equals && i < c.homes.n; i++) {
            equals = (c.ids[i] == row->key_networks[i]
                      && !strcmp(c.homes.names[i], row->value_networks[i]));
        }
    }
    ofs_columns_destroy(&c);
    return equals;
}

static void
ofs_columns_init(struct ofs_columns *c, const struct vmmob_ofs *ofs)
{
    c->uplink_prefix = vmmob_prefix_to_string(&ofs->uplink);
    c->uplink_mac = mac_to_string(ofs->mac);
    c->gateway = vmmob_addr_to_string(&ofs->gateway, "");
    c->gateway_mac = mac_to_string(ofs->gateway_mac);
    pools_to_svec(ofs, &c->pools);

    c->ids = xmalloc(ofs->n_networks * sizeof *c->ids);
    svec_init(&c->homes);
    for (size_t i = 0; i < ofs->n_networks; i++) {
        struct ds homes = DS_EMPTY_INITIALIZER;

        c->ids[i] = ofs->networks[i].id;
        vmmob_network_format_homes(&ofs->networks[i], &homes);
        svec_add_nocopy(&c->homes, ds_steal_cstr(&homes));
    }
}

static void
ofs_columns_destroy(struct ofs_columns *c)
{
    free(c->uplink_prefix);
    free(c->uplink_mac);
    free(c->gateway);
    free(c->gateway_mac);
    svec_destroy(&c->pools);
    free(c->ids);
    svec_destroy(&c->homes);
}

static char *
ofs_id_parse(const char *s, uint64_t *id)
{
    char *canonical;
    char *error = NULL;

    if (!vmmob_ofs_id_from_string(s, id)) {
        return xasprintf("\"%s\" is not a datapath id", s);
    }
    canonical = ofs_id_to_string(*id);
    if (strcmp(canonical, s)) {
        error = xasprintf("datapath id \"%s\" is not written as \"%s\"",
                          s, canonical);
    }
    free(canonical);
    return error;
}

static char *
ofs_id_to_string(uint64_t id)
{
    return xasprintf(VMMOB_OFS_ID_FMT, id);
}

static char *
mac_parse(const char *what, const char *s, struct eth_addr *mac)
{
    return (eth_addr_from_string(s, mac)
            ? NULL
            : xasprintf("%s \"%s\" is not a MAC address", what, s));
}

/* Returns 'mac' as a string that the caller must free(), empty if it is all
 * zeros. */
static char *
mac_to_string(struct eth_addr mac)
{
    return (eth_addr_is_zero(mac)
            ? xstrdup("")
            : xasprintf(ETH_ADDR_FMT, ETH_ADDR_ARGS(mac)));
}

/* Parses 's' into '*addr'.  An empty 's' is an unset address. */
static char *
addr_parse(const char *what, const char *s, struct in6_addr *addr)
{
    return (vmmob_addr_from_optional_string(s, addr)
            ? NULL
            : xasprintf("%s \"%s\" is not an IP address", what, s));
}

/* Sets the networks of 'ofs', which has none yet, from 'row'. */
static char *
networks_from_row(const struct vmmobrec_ofs *row, struct vmmob_ofs *ofs)
{
    for (size_t i = 0; i < row->n_networks; i++) {
        int64_t id = row->key_networks[i];
        struct vmmob_network network;
        char *error, *text;

        if (id < 0 || id > UINT32_MAX) {
            return xasprintf("network %"PRId64" is invalid", id);
        }
        vmmob_network_init(&network, id);
        error = vmmob_network_parse_homes(&network, row->value_networks[i]);
        if (error) {
            text = xasprintf("network %"PRId64" has %s", id, error);
            free(error);
            return text;
        }
        vmmob_ofs_put_network(ofs, &network);
    }
    return NULL;
}

/* Initializes 'pools' with the text of the pools of 'ofs', in the order in
 * which a database has them. */
static void
pools_to_svec(const struct vmmob_ofs *ofs, struct svec *pools)
{
    svec_init(pools);
    for (size_t i = 0; i < ofs->n_pools; i++) {
        svec_add_nocopy(pools, vmmob_prefix_to_string(&ofs->pools[i]));
    }
    svec_sort_unique(pools);
}
