/* SPDX-License-Identifier: Apache-2.0 */

/* The two records of VM mobility, their order, their text forms, and what
 * makes one valid.  lib/vmmob-table.c keeps many of them and lib/vmmob-msg.c
 * carries them between processes. */

#include <config.h>

#include "vmmob-binding.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "openvswitch/dynamic-string.h"
#include "packets.h"
#include "util.h"

/* The longest name of a site, in bytes.  Names come from other sites. */
#define MAX_SITE_LEN 255

static struct vmmob_pair *lower_bound(const struct vmmob_vmn *,
                                      const struct in6_addr *hoa);
static char *pairs_validate(const struct vmmob_vmn *);
static char *mac_validate(const char *what, struct eth_addr);
static bool has_control_characters(const char *);
static char *prefix_validate(const char *what, const struct vmmob_prefix *);

static bool addr_is_unicast(const struct in6_addr *);
static bool prefix_is_ipv4(const struct vmmob_prefix *);
static bool parse_plen(const char *, int *plen);
static char *addr_to_string(const struct in6_addr *);
static int addr_compare(const struct in6_addr *, const struct in6_addr *);

/* Returns a hash of 'key' that starts from 'basis'. */
uint32_t
vmmob_key_hash(const struct vmmob_key *key, uint32_t basis)
{
    return hash_uint64_basis(eth_addr_to_uint64(key->mac),
                             hash_int(key->tenant, basis));
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
            || !ipv6_addr_equals(&a->pairs[i].moa, &b->pairs[i].moa)) {
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

/* Parses 's', an IPv4 or IPv6 address that may be followed by "/" and a prefix
 * length (if not, it is that of a single host), and stores the prefix into
 * '*prefix', with host bits cleared.
 *
 * If 'addr' is nonnull, stores the address into '*addr', with its host bits.
 * If 'addr' is null, then it is an error if any of them is set.
 *
 * Returns NULL if successful, otherwise an error message that the caller must
 * free(), with '*prefix' and '*addr' unchanged. */
char *
vmmob_prefix_parse(const char *s, struct vmmob_prefix *prefix,
                   struct in6_addr *addr)
{
    size_t addr_len = strcspn(s, "/");
    char *addr_s = xmemdup0(s, addr_len);
    bool is_ipv4 = !strchr(addr_s, ':');
    struct vmmob_prefix new_prefix;
    struct in6_addr full_addr;
    struct in6_addr mask;
    int plen = 128;
    bool ok;

    ok = vmmob_addr_from_string(addr_s, &full_addr);
    free(addr_s);
    if (!ok) {
        return xasprintf("%s: invalid IP address or prefix", s);
    }

    if (s[addr_len]) {
        int max_plen = is_ipv4 ? 32 : 128;

        if (!parse_plen(&s[addr_len + 1], &plen) || plen > max_plen) {
            return xasprintf("%s: prefix length is not from 0 to %d",
                             s, max_plen);
        }
        plen += 128 - max_plen;
    }
    if (IN6_IS_ADDR_V4MAPPED(&full_addr) && plen < 96) {
        return xasprintf("%s: prefix length of an IPv4-mapped address is less "
                         "than 96", s);
    }

    mask = ipv6_create_mask(plen);
    new_prefix.addr = ipv6_addr_bitand(&full_addr, &mask);
    new_prefix.plen = plen;
    if (!addr && !ipv6_addr_equals(&new_prefix.addr, &full_addr)) {
        return xasprintf("%s: host bits are set", s);
    }

    *prefix = new_prefix;
    if (addr) {
        *addr = full_addr;
    }
    return NULL;
}

/* Appends 'prefix' to 's', always with its prefix length.
 * vmmob_prefix_parse() understands it. */
void
vmmob_prefix_format(const struct vmmob_prefix *prefix, struct ds *s)
{
    vmmob_addr_format(&prefix->addr, s);
    ds_put_format(s, "/%d",
                  prefix_is_ipv4(prefix) ? prefix->plen - 96 : prefix->plen);
}

/* Returns true if 'a' and 'b' are the same prefix. */
bool
vmmob_prefix_equals(const struct vmmob_prefix *a,
                    const struct vmmob_prefix *b)
{
    return a->plen == b->plen && ipv6_addr_equals(&a->addr, &b->addr);
}

/* Returns true if 'addr' is in 'prefix'.  No IPv6 prefix contains an IPv4
 * address, not even "::/0". */
bool
vmmob_prefix_contains(const struct vmmob_prefix *prefix,
                      const struct in6_addr *addr)
{
    struct vmmob_prefix host = { .addr = *addr, .plen = 128 };

    return vmmob_prefix_overlaps(prefix, &host);
}

/* Returns true if any address is in both 'a' and 'b'. */
bool
vmmob_prefix_overlaps(const struct vmmob_prefix *a,
                      const struct vmmob_prefix *b)
{
    struct in6_addr mask = ipv6_create_mask(MIN(a->plen, b->plen));
    struct in6_addr difference = ipv6_addr_bitxor(&a->addr, &b->addr);

    difference = ipv6_addr_bitand(&difference, &mask);
    return (prefix_is_ipv4(a) == prefix_is_ipv4(b)
            && !ipv6_addr_is_set(&difference));
}

/* Returns true if hosts can have all the addresses of 'prefix'. */
bool
vmmob_prefix_is_unicast(const struct vmmob_prefix *prefix)
{
#define IPV4(A, B) \
    { .s6_addr = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, A, B, B, B } }
    /* RFC 6890. */
    static const struct vmmob_prefix specials[] = {
        { IN6ADDR_ANY_INIT, 128 },          /* Unspecified. */
        { IN6ADDR_LOOPBACK_INIT, 128 },     /* Loopback. */
        { { .s6_addr = { 0xff } }, 8 },     /* Multicast. */
        { IPV4(0, 0), 96 + 8 },             /* "This network". */
        { IPV4(127, 0), 96 + 8 },           /* Loopback. */
        { IPV4(224, 0), 96 + 4 },           /* Multicast. */
        { IPV4(255, 255), 128 },            /* Limited broadcast. */
    };
#undef IPV4

    for (size_t i = 0; i < ARRAY_SIZE(specials); i++) {
        if (vmmob_prefix_overlaps(prefix, &specials[i])) {
            return false;
        }
    }
    return true;
}

/* Initializes 'ofs' as a record of the OFS whose datapath id is 'id', all else
 * unset.  (It is not valid before at least 'uplink' and 'mac' are set.)  The
 * caller must eventually destroy it with vmmob_ofs_destroy(). */
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
}

/* Frees what 'ofs' owns, but not 'ofs' itself. */
void
vmmob_ofs_destroy(struct vmmob_ofs *ofs)
{
    if (ofs) {
        free(ofs->site);
        free(ofs->pools);
    }
}

/* Returns true if 'a' and 'b' are the same in every member, 'stale' and the
 * order of the pools included. */
bool
vmmob_ofs_equals(const struct vmmob_ofs *a, const struct vmmob_ofs *b)
{
    if (a->id != b->id
        || strcmp(a->site, b->site)
        || !vmmob_prefix_equals(&a->uplink, &b->uplink)
        || !eth_addr_equals(a->mac, b->mac)
        || !ipv6_addr_equals(&a->gateway, &b->gateway)
        || !eth_addr_equals(a->gateway_mac, b->gateway_mac)
        || a->n_pools != b->n_pools
        || a->stale != b->stale) {
        return false;
    }
    for (size_t i = 0; i < a->n_pools; i++) {
        if (!vmmob_prefix_equals(&a->pools[i], &b->pools[i])) {
            return false;
        }
    }
    return true;
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

    error = prefix_validate("uplink", &ofs->uplink);
    if (!error) {
        error = mac_validate("MAC address", ofs->mac);
    }
    if (!error && ipv6_addr_is_set(&ofs->gateway)
        && !addr_is_unicast(&ofs->gateway)) {
        char *s = addr_to_string(&ofs->gateway);

        error = xasprintf("gateway %s is not unicast", s);
        free(s);
    }
    if (!error && !eth_addr_is_zero(ofs->gateway_mac)) {
        error = mac_validate("MAC address of gateway", ofs->gateway_mac);
    }
    if (!error && ofs->n_pools > VMMOB_MAX_POOLS) {
        error = xasprintf("%"PRIuSIZE" pools are more than %d",
                          ofs->n_pools, VMMOB_MAX_POOLS);
    }
    for (size_t i = 0; !error && i < ofs->n_pools; i++) {
        error = prefix_validate("pool", &ofs->pools[i]);
    }
    return error;
}

/* Initializes 'port' as one of which nothing is known but its 'name'. */
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
}

/* Frees what 'port' owns, but not 'port' itself. */
void
vmmob_port_destroy(struct vmmob_port *port)
{
    if (port) {
        free(port->name);
        free(port->iface_id);
        free(port->macs);
    }
}

bool
vmmob_port_equals(const struct vmmob_port *a, const struct vmmob_port *b)
{
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

/* Checks what the comments in vmmob-binding.h promise of 'port'.  Returns NULL
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

/* Parses 's' as an IPv4 or IPv6 address and stores it into '*addr', an IPv4
 * address as IPv4-mapped.  Returns true if successful, otherwise returns false
 * and leaves '*addr' unchanged.  An empty string is not an address. */
bool
vmmob_addr_from_string(const char *s, struct in6_addr *addr)
{
    struct in6_addr ipv6;
    ovs_be32 ipv4;

    if (ip_parse(s, &ipv4)) {
        in6_addr_set_mapped_ipv4(addr, ipv4);
    } else if (ipv6_parse(s, &ipv6)) {
        *addr = ipv6;
    } else {
        return false;
    }
    return true;
}

/* Appends 'addr' to 's', an IPv4-mapped address in the form of IPv4.
 * vmmob_addr_from_string() understands it. */
void
vmmob_addr_format(const struct in6_addr *addr, struct ds *s)
{
    ipv6_format_mapped(addr, s);
}

/* Like eth_addr_from_string(), but insists on two digits for each byte, so
 * that none of them can overflow. */
bool
vmmob_mac_from_string(const char *s, struct eth_addr *mac)
{
    return (strlen(s) == ETH_ADDR_STRLEN
            && strspn(s, "0123456789abcdefABCDEF:") == ETH_ADDR_STRLEN
            && s[2] == ':' && s[5] == ':' && s[8] == ':'
            && s[11] == ':' && s[14] == ':'
            && eth_addr_from_string(s, mac));
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
           && addr_compare(&pair->hoa, hoa) < 0) {
        pair++;
    }
    return pair;
}

/* Returns NULL if the pairs of 'vmn' are valid, otherwise an error message
 * that the caller must free(). */
static char *
pairs_validate(const struct vmmob_vmn *vmn)
{
    char *error = NULL;

    for (size_t i = 0; !error && i < vmn->n_pairs; i++) {
        const struct vmmob_pair *pair = &vmn->pairs[i];
        char *hoa = addr_to_string(&pair->hoa);
        char *moa = addr_to_string(&pair->moa);

        if (!addr_is_unicast(&pair->hoa)) {
            error = xasprintf("home address %s is not unicast", hoa);
        } else if (i && addr_compare(&vmn->pairs[i - 1].hoa,
                                     &pair->hoa) >= 0) {
            error = xasprintf("home address %s is out of order", hoa);
        } else if (!ipv6_addr_is_set(&pair->moa)) {
            /* OK.  The OFS had none to give. */
        } else if (!addr_is_unicast(&pair->moa)) {
            error = xasprintf("mobile address %s is not unicast", moa);
        } else if (!IN6_IS_ADDR_V4MAPPED(&pair->hoa)
                   != !IN6_IS_ADDR_V4MAPPED(&pair->moa)) {
            error = xasprintf("home address %s and mobile address %s are of "
                              "different families", hoa, moa);
        } else {
            for (size_t j = 0; j < i; j++) {
                if (ipv6_addr_equals(&vmn->pairs[j].moa, &pair->moa)) {
                    error = xasprintf("mobile address %s is listed twice",
                                      moa);
                    break;
                }
            }
        }
        free(hoa);
        free(moa);
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

/* Returns true if 's' has what must not get on terminals and into logs. */
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

/* Returns NULL if 'prefix' is well-formed and hosts can have its addresses,
 * otherwise an error message that starts with 'what' and that the caller must
 * free(). */
static char *
prefix_validate(const char *what, const struct vmmob_prefix *prefix)
{
    struct in6_addr mask, net;
    char *error = NULL;
    struct ds s;

    if (prefix->plen > 128) {
        return xasprintf("%s has prefix length %d", what, prefix->plen);
    }

    ds_init(&s);
    vmmob_prefix_format(prefix, &s);
    mask = ipv6_create_mask(prefix->plen);
    net = ipv6_addr_bitand(&prefix->addr, &mask);
    if (!ipv6_addr_equals(&net, &prefix->addr)) {
        error = xasprintf("%s %s has host bits set", what, ds_cstr(&s));
    } else if (!vmmob_prefix_is_unicast(prefix)) {
        error = xasprintf("%s %s is not unicast", what, ds_cstr(&s));
    }
    ds_destroy(&s);
    return error;
}

/* Returns true if a host can have the address 'addr', false if it is
 * unspecified, loopback, multicast, or the limited broadcast address. */
static bool
addr_is_unicast(const struct in6_addr *addr)
{
    struct vmmob_prefix host = { .addr = *addr, .plen = 128 };

    return vmmob_prefix_is_unicast(&host);
}

static bool
prefix_is_ipv4(const struct vmmob_prefix *prefix)
{
    return prefix->plen >= 96 && IN6_IS_ADDR_V4MAPPED(&prefix->addr);
}

/* Parses 's', which must be one to three decimal digits and nothing else. */
static bool
parse_plen(const char *s, int *plen)
{
    size_t len = strlen(s);

    if (len < 1 || len > 3 || strspn(s, "0123456789") != len) {
        return false;
    }
    *plen = atoi(s);
    return true;
}

/* Returns 'addr' as a string that the caller must free(). */
static char *
addr_to_string(const struct in6_addr *addr)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    vmmob_addr_format(addr, &s);
    return ds_steal_cstr(&s);
}

static int
addr_compare(const struct in6_addr *a, const struct in6_addr *b)
{
    return memcmp(a, b, sizeof *a);
}
