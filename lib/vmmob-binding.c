/* SPDX-License-Identifier: Apache-2.0 */

/* The two records of VM mobility, their order, their text forms, and what
 * makes one valid.  lib/vmmob-table.c keeps many of them and lib/vmmob-msg.c
 * carries them between processes. */

#include <config.h>

#include "vmmob-binding.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/dynamic-string.h"
#include "packets.h"
#include "util.h"
#include "vmmob-hash.h"

/* The longest name of a site, in bytes.  Names come from other sites. */
#define MAX_SITE_LEN 255

static struct vmmob_pair *lower_bound(const struct vmmob_vmn *,
                                      const struct in6_addr *hoa);
static size_t lower_bound_network(const struct vmmob_ofs *, uint32_t id);
static char *pairs_validate(const struct vmmob_vmn *);
static char *addr_error(const char *what, const struct in6_addr *,
                        const char *why);
static char *mac_validate(const char *what, struct eth_addr);
static bool has_control_characters(const char *);

/* Returns a hash of 'key' that starts from 'basis'.  It is another one in each
 * process, because peers choose keys. */
uint32_t
vmmob_key_hash(const struct vmmob_key *key, uint32_t basis)
{
    uint64_t words[] = { eth_addr_to_uint64(key->mac), key->tenant };

    return vmmob_hash_bytes(words, sizeof words, basis);
}

/* Compares 'a' to 'b', first by tenant, then by MAC address.  Returns a
 * negative value if 'a' is lower, a positive value if it is higher, 0 if they
 * are the same. */
int
vmmob_key_compare(const struct vmmob_key *a, const struct vmmob_key *b)
{
    if (a->tenant != b->tenant) {
        return a->tenant < b->tenant ? -1 : 1;
    }
    return eth_addr_compare_3way(a->mac, b->mac);
}

/* Returns true if 'a' and 'b' identify the same VMN. */
bool
vmmob_key_equals(const struct vmmob_key *a, const struct vmmob_key *b)
{
    return a->tenant == b->tenant && eth_addr_equals(a->mac, b->mac);
}

/* Returns the name of 'state', a static string. */
const char *
vmmob_state_to_string(enum vmmob_state state)
{
    switch (state) {
    case VMMOB_ACTIVE: return "active";
    case VMMOB_PREPARED: return "prepared";
    default: return "invalid";
    }
}

/* Stores into '*state' the state whose name is 's' and returns true.  Returns
 * false, without changing '*state', if there is none. */
bool
vmmob_state_from_string(const char *s, enum vmmob_state *state)
{
    if (!strcmp(s, "active")) {
        *state = VMMOB_ACTIVE;
    } else if (!strcmp(s, "prepared")) {
        *state = VMMOB_PREPARED;
    } else {
        return false;
    }
    return true;
}

/* Initializes 'vmn' as the record that 'ofs' writes for 'key': active, with
 * sequence number 0 and no addresses.  The caller must eventually destroy it
 * with vmmob_vmn_destroy(). */
void
vmmob_vmn_init(struct vmmob_vmn *vmn, const struct vmmob_key *key,
               uint64_t ofs)
{
    *vmn = (struct vmmob_vmn) {
        .key = *key,
        .ofs = ofs,
        .state = VMMOB_ACTIVE,
    };
}

/* Initializes 'dst' as a copy of 'src'.  The caller must eventually destroy it
 * with vmmob_vmn_destroy(). */
void
vmmob_vmn_clone(struct vmmob_vmn *dst, const struct vmmob_vmn *src)
{
    *dst = *src;
    dst->pairs = (src->n_pairs
                  ? xmemdup(src->pairs, src->n_pairs * sizeof *src->pairs)
                  : NULL);
}

/* Frees what 'vmn' owns, but not 'vmn' itself. */
void
vmmob_vmn_destroy(struct vmmob_vmn *vmn)
{
    if (vmn) {
        free(vmn->pairs);
    }
}

/* Returns true if 'a' and 'b' are the same in every member. */
bool
vmmob_vmn_equals(const struct vmmob_vmn *a, const struct vmmob_vmn *b)
{
    if (!vmmob_key_equals(&a->key, &b->key)
        || a->ofs != b->ofs
        || a->seqno != b->seqno
        || a->state != b->state
        || a->n_pairs != b->n_pairs) {
        return false;
    }
    for (size_t i = 0; i < a->n_pairs; i++) {
        if (!ipv6_addr_equals(&a->pairs[i].hoa, &b->pairs[i].hoa)
            || !ipv6_addr_equals(&a->pairs[i].moa, &b->pairs[i].moa)
            || a->pairs[i].claimed != b->pairs[i].claimed) {
            return false;
        }
    }
    return true;
}

/* Compares two records for the same key.  Returns a positive value if 'a' is
 * in force over 'b', a negative value if it is the other way, and 0 only if
 * they have the same state, sequence number and author.
 *
 *   - An active record beats a prepared one, whatever their sequence numbers:
 *     what is only expected does not yet move traffic.
 *
 *   - Then the higher sequence number wins, as in RFC 7432 section 7.7.
 *
 *   - On a tie, the higher OFS id wins. */
int
vmmob_vmn_compare(const struct vmmob_vmn *a, const struct vmmob_vmn *b)
{
    if (a->state != b->state) {
        return a->state == VMMOB_ACTIVE ? 1 : -1;
    } else if (a->seqno != b->seqno) {
        return a->seqno > b->seqno ? 1 : -1;
    } else if (a->ofs != b->ofs) {
        return a->ofs > b->ofs ? 1 : -1;
    } else {
        return 0;
    }
}

/* Returns the pair of 'vmn' whose home address is 'hoa', or NULL if there is
 * none.  It belongs to 'vmn' and is valid until the pairs of 'vmn' change. */
struct vmmob_pair *
vmmob_vmn_find_hoa(const struct vmmob_vmn *vmn, const struct in6_addr *hoa)
{
    struct vmmob_pair *pair = lower_bound(vmn, hoa);

    return (pair && pair < &vmn->pairs[vmn->n_pairs]
            && ipv6_addr_equals(&pair->hoa, hoa) ? pair : NULL);
}

/* Makes 'moa', which may be unspecified, the mobile address of 'hoa' in 'vmn',
 * adding 'hoa' to 'vmn' if it is not there yet.  Returns true if successful,
 * false, with 'vmn' unchanged, if 'hoa' would be one more than
 * VMMOB_MAX_PAIRS. */
bool
vmmob_vmn_set_pair(struct vmmob_vmn *vmn, const struct in6_addr *hoa,
                   const struct in6_addr *moa)
{
    struct vmmob_pair *pair = vmmob_vmn_find_hoa(vmn, hoa);

    if (!pair) {
        /* 'hoa' and 'moa' may point into the array that is to be moved. */
        struct vmmob_pair new_pair = { .hoa = *hoa, .moa = *moa };
        size_t ofs;

        if (vmn->n_pairs >= VMMOB_MAX_PAIRS) {
            return false;
        }

        ofs = vmn->n_pairs ? lower_bound(vmn, hoa) - vmn->pairs : 0;
        vmn->pairs = xrealloc(vmn->pairs,
                              (vmn->n_pairs + 1) * sizeof *vmn->pairs);
        pair = &vmn->pairs[ofs];
        memmove(pair + 1, pair, (vmn->n_pairs - ofs) * sizeof *pair);
        vmn->n_pairs++;
        *pair = new_pair;
    } else {
        pair->moa = *moa;
    }
    return true;
}

/* Removes 'hoa' and its mobile address from 'vmn'.  Returns true if it was
 * there. */
bool
vmmob_vmn_remove_hoa(struct vmmob_vmn *vmn, const struct in6_addr *hoa)
{
    struct vmmob_pair *pair = vmmob_vmn_find_hoa(vmn, hoa);
    size_t n_after;

    if (!pair) {
        return false;
    }

    vmn->n_pairs--;
    n_after = &vmn->pairs[vmn->n_pairs] - pair;
    memmove(pair, pair + 1, n_after * sizeof *pair);
    return true;
}

/* Checks that 'vmn' keeps to what "struct vmmob_vmn" promises and that its
 * addresses can be those of a host: the HoAs unicast, the MoAs unicast or
 * unspecified, of the family of their HoA, and none given to two HoAs.
 * Returns NULL if so, otherwise an error message that the caller must
 * free(). */
char *
vmmob_vmn_validate(const struct vmmob_vmn *vmn)
{
    char *error = mac_validate("MAC address", vmn->key.mac);

    if (error) {
        return error;
    } else if (!vmn->ofs) {
        return xstrdup("OFS id is zero");
    } else if (vmn->seqno > VMMOB_MAX_SEQNO) {
        return xasprintf("sequence number %"PRIu64" is too high", vmn->seqno);
    } else if (vmn->state != VMMOB_ACTIVE && vmn->state != VMMOB_PREPARED) {
        return xasprintf("state %d is invalid", (int) vmn->state);
    } else if (vmn->n_pairs > VMMOB_MAX_PAIRS) {
        return xasprintf("%"PRIuSIZE" home addresses are more than %d",
                         vmn->n_pairs, VMMOB_MAX_PAIRS);
    }
    return pairs_validate(vmn);
}

/* Initializes 'ofs' as a record of the OFS whose datapath id is 'id', with all
 * else unset.  (It is not valid until at least 'uplink' and 'mac' are set.)
 * The caller must eventually destroy it with vmmob_ofs_destroy(). */
void
vmmob_ofs_init(struct vmmob_ofs *ofs, uint64_t id)
{
    *ofs = (struct vmmob_ofs) { .id = id, .site = xstrdup("") };
}

/* Initializes 'dst' as a copy of 'src'.  The caller must eventually destroy it
 * with vmmob_ofs_destroy(). */
void
vmmob_ofs_clone(struct vmmob_ofs *dst, const struct vmmob_ofs *src)
{
    *dst = *src;
    dst->site = xstrdup(src->site);
    dst->pools = (src->n_pools
                  ? xmemdup(src->pools, src->n_pools * sizeof *src->pools)
                  : NULL);
    dst->networks = (src->n_networks
                     ? xmemdup(src->networks,
                               src->n_networks * sizeof *src->networks)
                     : NULL);
}

/* Frees what 'ofs' owns, but not 'ofs' itself. */
void
vmmob_ofs_destroy(struct vmmob_ofs *ofs)
{
    if (ofs) {
        free(ofs->site);
        free(ofs->pools);
        free(ofs->networks);
    }
}

/* Returns true if 'a' and 'b' are the same in every member, 'stale' and the
 * order of the pools included. */
bool
vmmob_ofs_equals(const struct vmmob_ofs *a, const struct vmmob_ofs *b)
{
    return (a->id == b->id
            && !strcmp(a->site, b->site)
            && vmmob_prefix_equals(&a->uplink, &b->uplink)
            && eth_addr_equals(a->mac, b->mac)
            && ipv6_addr_equals(&a->gateway, &b->gateway)
            && eth_addr_equals(a->gateway_mac, b->gateway_mac)
            && eth_addr_equals(a->ipv6_gateway_mac, b->ipv6_gateway_mac)
            && vmmob_ofs_same_pools(a, b)
            && vmmob_ofs_same_networks(a, b)
            && a->stale == b->stale
            && a->foreign == b->foreign);
}

/* Returns the MAC address of the gateway of 'ofs', which is one of ours, for
 * 'family', or all zeros if it is not known. */
struct eth_addr
vmmob_ofs_gateway_mac(const struct vmmob_ofs *ofs, enum vmmob_family family)
{
    return family == VMMOB_IPV4 ? ofs->gateway_mac : ofs->ipv6_gateway_mac;
}

/* Makes 'network' the one with its id at 'ofs'.  Its caller sees to it that
 * there are not too many. */
void
vmmob_ofs_put_network(struct vmmob_ofs *ofs,
                      const struct vmmob_network *network)
{
    size_t i = lower_bound_network(ofs, network->id);

    if (i >= ofs->n_networks || ofs->networks[i].id != network->id) {
        struct vmmob_network new_network = *network;

        ofs->networks = xrealloc(ofs->networks, (ofs->n_networks + 1)
                                                * sizeof *ofs->networks);
        memmove(&ofs->networks[i + 1], &ofs->networks[i],
                (ofs->n_networks - i) * sizeof *ofs->networks);
        ofs->networks[i] = new_network;
        ofs->n_networks++;
    } else {
        ofs->networks[i] = *network;
    }
}

/* Returns the network 'id' of 'ofs', or NULL if it does not have it.  It
 * belongs to 'ofs' and is valid until its networks change. */
const struct vmmob_network *
vmmob_ofs_find_network(const struct vmmob_ofs *ofs, uint32_t id)
{
    size_t i = lower_bound_network(ofs, id);

    return (i < ofs->n_networks && ofs->networks[i].id == id
            ? &ofs->networks[i] : NULL);
}

void
vmmob_ofs_clear_networks(struct vmmob_ofs *ofs)
{
    free(ofs->networks);
    ofs->networks = NULL;
    ofs->n_networks = 0;
}

bool
vmmob_ofs_same_networks(const struct vmmob_ofs *a, const struct vmmob_ofs *b)
{
    if (a->n_networks != b->n_networks) {
        return false;
    }
    for (size_t i = 0; i < a->n_networks; i++) {
        if (!vmmob_network_equals(&a->networks[i], &b->networks[i])) {
            return false;
        }
    }
    return true;
}

bool
vmmob_ofs_same_pools(const struct vmmob_ofs *a, const struct vmmob_ofs *b)
{
    if (a->n_pools != b->n_pools) {
        return false;
    }
    for (size_t i = 0; i < a->n_pools; i++) {
        if (!vmmob_prefix_equals(&a->pools[i], &b->pools[i])) {
            return false;
        }
    }
    return true;
}

/* Returns true if 'a' and 'b', which have the same id, are one bridge by all
 * else that another bridge would not have as well: MAC address, uplink and
 * pools, in whatever order. */
bool
vmmob_ofs_same_bridge(const struct vmmob_ofs *a, const struct vmmob_ofs *b)
{
    bool same = (eth_addr_equals(a->mac, b->mac)
                 && vmmob_prefix_equals(&a->uplink, &b->uplink)
                 && a->n_pools == b->n_pools);

    for (size_t i = 0; same && i < a->n_pools; i++) {
        size_t j = 0;

        while (j < b->n_pools
               && !vmmob_prefix_equals(&a->pools[i], &b->pools[j])) {
            j++;
        }
        same = j < b->n_pools;
    }
    return same;
}

/* Checks that 'ofs' keeps to what "struct vmmob_ofs" promises and that its
 * addresses are unicast.  The gateway and its MAC address may be unset.
 * Returns NULL if so, otherwise an error message that the caller must
 * free(). */
char *
vmmob_ofs_validate(const struct vmmob_ofs *ofs)
{
    char *error;

    if (!ofs->id) {
        return xstrdup("OFS id is zero");
    } else if (strlen(ofs->site) > MAX_SITE_LEN) {
        return xasprintf("name of site is longer than %d bytes", MAX_SITE_LEN);
    }
    if (has_control_characters(ofs->site)) {
        return xstrdup("name of site has control characters");
    }

    error = vmmob_prefix_validate("uplink", &ofs->uplink);
    if (!error) {
        error = mac_validate("MAC address", ofs->mac);
    }
    if (!error && ipv6_addr_is_set(&ofs->gateway)
        && !vmmob_addr_is_unicast(&ofs->gateway)) {
        error = addr_error("gateway", &ofs->gateway, "is not unicast");
    }
    if (!error && !eth_addr_is_zero(ofs->gateway_mac)) {
        error = mac_validate("MAC address of gateway", ofs->gateway_mac);
    }
    if (!error && ofs->n_pools > VMMOB_MAX_POOLS) {
        error = xasprintf("%"PRIuSIZE" pools are more than %d",
                          ofs->n_pools, VMMOB_MAX_POOLS);
    }
    for (size_t i = 0; !error && i < ofs->n_pools; i++) {
        error = vmmob_prefix_validate("pool", &ofs->pools[i]);
    }
    return error ? error : vmmob_networks_validate(ofs->networks,
                                                   ofs->n_networks);
}

/* Initializes 'port' as one of which only the 'name' is known. */
void
vmmob_port_init(struct vmmob_port *port, const char *name)
{
    *port = (struct vmmob_port) {
        .name = xstrdup(name),
        .iface_id = xstrdup(""),
    };
}

void
vmmob_port_clone(struct vmmob_port *dst, const struct vmmob_port *src)
{
    *dst = *src;
    dst->name = xstrdup(src->name);
    dst->iface_id = xstrdup(src->iface_id);
    dst->macs = (src->n_macs
                 ? xmemdup(src->macs, src->n_macs * sizeof *src->macs)
                 : NULL);
    dst->prefixes = (src->n_prefixes
                     ? xmemdup(src->prefixes,
                               src->n_prefixes * sizeof *src->prefixes)
                     : NULL);
}

/* Frees what 'port' owns, but not 'port' itself. */
void
vmmob_port_destroy(struct vmmob_port *port)
{
    if (port) {
        free(port->name);
        free(port->iface_id);
        free(port->macs);
        free(port->prefixes);
    }
}

bool
vmmob_port_equals(const struct vmmob_port *a, const struct vmmob_port *b)
{
    if (a->limited != b->limited || a->n_prefixes != b->n_prefixes) {
        return false;
    }
    for (size_t i = 0; i < a->n_prefixes; i++) {
        if (!vmmob_prefix_equals(&a->prefixes[i], &b->prefixes[i])) {
            return false;
        }
    }
    return (!strcmp(a->name, b->name)
            && !strcmp(a->iface_id, b->iface_id)
            && eth_addr_equals(a->attached_mac, b->attached_mac)
            && a->any == b->any
            && a->n_macs == b->n_macs
            && (!a->n_macs
                || !memcmp(a->macs, b->macs, a->n_macs * sizeof *a->macs)));
}

/* Returns true if 'mac' is one of those listed in 'port'. */
bool
vmmob_port_has_mac(const struct vmmob_port *port, const struct eth_addr mac)
{
    for (size_t i = 0; i < port->n_macs; i++) {
        if (eth_addr_equals(port->macs[i], mac)) {
            return true;
        }
    }
    return false;
}

/* Adds 'mac' to 'port', unless it is there already.  Returns false if there is
 * no room. */
bool
vmmob_port_add_mac(struct vmmob_port *port, const struct eth_addr mac)
{
    size_t i = 0;

    while (i < port->n_macs && eth_addr_compare_3way(port->macs[i], mac) < 0) {
        i++;
    }
    if (i < port->n_macs && eth_addr_equals(port->macs[i], mac)) {
        return true;
    } else if (port->n_macs >= VMMOB_MAX_PORT_MACS) {
        return false;
    }
    port->macs = xrealloc(port->macs,
                          (port->n_macs + 1) * sizeof *port->macs);
    memmove(&port->macs[i + 1], &port->macs[i],
            (port->n_macs - i) * sizeof *port->macs);
    port->macs[i] = mac;
    port->n_macs++;
    return true;
}

/* Returns true if VMs at 'port' may have the home address 'addr'. */
bool
vmmob_port_may_claim(const struct vmmob_port *port,
                     const struct in6_addr *addr)
{
    /* A VM cannot do without a link-local address, and nobody says which it
     * has. */
    return (!port->limited || vmmob_addr_is_link_local(addr)
            || vmmob_prefixes_contain(port->prefixes, port->n_prefixes, addr));
}

/* Limits home addresses at 'port' to those in 'prefix' and in the prefixes
 * added before.  Returns false if there is no room. */
bool
vmmob_port_add_prefix(struct vmmob_port *port,
                      const struct vmmob_prefix *prefix)
{
    port->limited = true;
    for (size_t i = 0; i < port->n_prefixes; i++) {
        if (vmmob_prefix_equals(&port->prefixes[i], prefix)) {
            return true;
        }
    }
    if (port->n_prefixes >= VMMOB_MAX_PORT_PREFIXES) {
        return false;
    }
    port->prefixes = xrealloc(port->prefixes, (port->n_prefixes + 1)
                                              * sizeof *port->prefixes);
    port->prefixes[port->n_prefixes++] = *prefix;
    return true;
}

/* Checks that 'port' keeps to what "struct vmmob_port" promises.  Returns NULL
 * if all is well, otherwise an error message that the caller must free(). */
char *
vmmob_port_validate(const struct vmmob_port *port)
{
    char *error = NULL;

    if (!port->name[0]) {
        return xstrdup("port has no name");
    } else if (strlen(port->name) > VMMOB_MAX_PORT_NAME) {
        return xasprintf("name of port is longer than %d bytes",
                         VMMOB_MAX_PORT_NAME);
    } else if (has_control_characters(port->name)) {
        return xstrdup("name of port has control characters");
    } else if (strlen(port->iface_id) > VMMOB_MAX_PORT_NAME) {
        return xasprintf("id of interface is longer than %d bytes",
                         VMMOB_MAX_PORT_NAME);
    } else if (has_control_characters(port->iface_id)) {
        return xstrdup("id of interface has control characters");
    } else if (port->any && port->n_macs) {
        return xstrdup("port has both any MAC address and some");
    } else if (port->n_macs > VMMOB_MAX_PORT_MACS) {
        return xasprintf("%"PRIuSIZE" MAC addresses are more than %d",
                         port->n_macs, VMMOB_MAX_PORT_MACS);
    } else if (port->n_prefixes > VMMOB_MAX_PORT_PREFIXES) {
        return xasprintf("%"PRIuSIZE" prefixes of home addresses are more "
                         "than %d", port->n_prefixes, VMMOB_MAX_PORT_PREFIXES);
    } else if (port->n_prefixes && !port->limited) {
        return xstrdup("port has prefixes and no limit");
    }
    if (!eth_addr_is_zero(port->attached_mac)) {
        error = mac_validate("attached MAC address", port->attached_mac);
    }
    for (size_t i = 0; !error && i < port->n_macs; i++) {
        error = mac_validate("MAC address", port->macs[i]);
        if (!error && i
            && eth_addr_compare_3way(port->macs[i - 1], port->macs[i]) >= 0) {
            error = xstrdup("MAC addresses are not in ascending order");
        }
    }
    return error;
}

/* Parses 's', exactly 16 hexadecimal digits and not all of them zeros, as a
 * datapath id.  Stores it into '*id' and returns true if successful, otherwise
 * returns false and leaves '*id' unchanged. */
bool
vmmob_ofs_id_from_string(const char *s, uint64_t *id)
{
    uint64_t value;
    bool ok;

    if (strlen(s) != 16) {
        return false;
    }
    value = hexits_value(s, 16, &ok);
    if (!ok || !value) {
        return false;
    }
    *id = value;
    return true;
}

/* Returns the first pair of 'vmn' whose home address is not less than 'hoa',
 * the end of the array if all are less, or NULL if 'vmn' has no pairs. */
static struct vmmob_pair *
lower_bound(const struct vmmob_vmn *vmn, const struct in6_addr *hoa)
{
    struct vmmob_pair *pair = vmn->pairs;

    if (!vmn->n_pairs) {
        return NULL;
    }
    /* There are few, so a binary search would not be faster. */
    while (pair < &vmn->pairs[vmn->n_pairs]
           && vmmob_addr_compare(&pair->hoa, hoa) < 0) {
        pair++;
    }
    return pair;
}

/* Returns the index of the first network of 'ofs' whose id is not less than
 * 'id', or the number of networks if all are less. */
static size_t
lower_bound_network(const struct vmmob_ofs *ofs, uint32_t id)
{
    size_t low = 0;
    size_t high = ofs->n_networks;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (ofs->networks[mid].id < id) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

static char *
addr_error(const char *what, const struct in6_addr *addr, const char *why)
{
    char *s = vmmob_addr_to_string(addr, "::");
    char *error = xasprintf("%s %s %s", what, s, why);

    free(s);
    return error;
}

/* Returns NULL if the pairs of 'vmn' are valid, otherwise an error message
 * that the caller must free(). */
static char *
pairs_validate(const struct vmmob_vmn *vmn)
{
    char *error = NULL;

    for (size_t i = 0; !error && i < vmn->n_pairs; i++) {
        const struct vmmob_pair *pair = &vmn->pairs[i];

        if (!vmmob_addr_is_unicast(&pair->hoa)) {
            error = addr_error("home address", &pair->hoa, "is not unicast");
        } else if (i && vmmob_addr_compare(&vmn->pairs[i - 1].hoa,
                                           &pair->hoa) >= 0) {
            error = addr_error("home address", &pair->hoa, "is out of order");
        } else if (!ipv6_addr_is_set(&pair->moa)) {
            /* OK.  The OFS had none to give. */
        } else if (!vmmob_addr_is_unicast(&pair->moa)) {
            error = addr_error("mobile address", &pair->moa, "is not unicast");
        } else if (!IN6_IS_ADDR_V4MAPPED(&pair->hoa)
                   != !IN6_IS_ADDR_V4MAPPED(&pair->moa)) {
            char *hoa = vmmob_addr_to_string(&pair->hoa, "::");
            char *moa = vmmob_addr_to_string(&pair->moa, "::");

            error = xasprintf("home address %s and mobile address %s are of "
                              "different families", hoa, moa);
            free(hoa);
            free(moa);
        } else {
            for (size_t j = 0; j < i; j++) {
                if (ipv6_addr_equals(&vmn->pairs[j].moa, &pair->moa)) {
                    error = addr_error("mobile address", &pair->moa,
                                       "is listed twice");
                    break;
                }
            }
        }
    }
    return error;
}

/* Returns NULL if 'mac' can be the address of a host, otherwise an error
 * message that starts with 'what' and that the caller must free(). */
static char *
mac_validate(const char *what, struct eth_addr mac)
{
    if (eth_addr_is_zero(mac) || eth_addr_is_multicast(mac)) {
        return xasprintf("%s "ETH_ADDR_FMT" is not unicast",
                         what, ETH_ADDR_ARGS(mac));
    }
    return NULL;
}

/* Returns true if 's' has characters that must not get on terminals and into
 * logs. */
static bool
has_control_characters(const char *s)
{
    for (; *s; s++) {
        if ((unsigned char) *s < 0x20 || *s == 0x7f) {
            return true;
        }
    }
    return false;
}
