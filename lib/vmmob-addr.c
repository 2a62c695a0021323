/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "vmmob-addr.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/dynamic-string.h"
#include "packets.h"
#include "util.h"

/* What is between the elements of a list. */
#define SEPARATORS ", "

static bool parse_plen(const char *, int *plen);

/* Calls 'parse' for each word of the list 's', of which there must be at least
 * one and at most 'max', with its number, from 0 on, and 'dst', until it
 * returns an error.  Stores the number of words in '*n', or 0 if there is an
 * error, which it returns.  'one' and 'many' name the words. */
static char *
parse_list(const char *s, const char *one, const char *many, size_t max,
           char *(*parse)(const char *, size_t i, void *dst), void *dst,
           size_t *n)
{
    char *copy = xstrdup(s);
    char *save_ptr = NULL;
    char *error = NULL;
    size_t i = 0;

    for (char *word = strtok_r(copy, SEPARATORS, &save_ptr); word && !error;
         word = strtok_r(NULL, SEPARATORS, &save_ptr)) {
        error = (i < max ? parse(word, i, dst)
                 : xasprintf("more than %"PRIuSIZE" %s", max,
                             max == 1 ? one : many));
        i++;
    }
    free(copy);
    if (!i) {
        error = xasprintf("no %s", one);
    }
    *n = error ? 0 : i;
    return error;
}

/* Returns the name of 'family'. */
const char *
vmmob_family_to_string(enum vmmob_family family)
{
    return family == VMMOB_IPV4 ? "IPv4" : "IPv6";
}

/* Addresses. */

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

/* Like vmmob_addr_from_string(), but takes an empty string for an unset
 * address. */
bool
vmmob_addr_from_optional_string(const char *s, struct in6_addr *addr)
{
    if (!*s) {
        *addr = in6addr_any;
        return true;
    }
    return vmmob_addr_from_string(s, addr);
}

/* Appends 'addr' to 's', an IPv4-mapped address in the form of IPv4.
 * vmmob_addr_from_string() understands it. */
void
vmmob_addr_format(const struct in6_addr *addr, struct ds *s)
{
    ipv6_format_mapped(addr, s);
}

/* Returns 'addr', or 'unset' if it is unset, as a string that the caller must
 * free(). */
char *
vmmob_addr_to_string(const struct in6_addr *addr, const char *unset)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    if (!ipv6_addr_is_set(addr)) {
        return xstrdup(unset);
    }
    vmmob_addr_format(addr, &s);
    return ds_steal_cstr(&s);
}

static char *
parse_addr(const char *s, size_t i, void *addrs_)
{
    struct in6_addr *addrs = addrs_;

    return (vmmob_addr_from_string(s, &addrs[i])
            ? NULL : xasprintf("%s: not an IP address", s));
}

/* Parses 's', a list of addresses, at least one and at most 'max', that are
 * separated by commas or spaces, into 'addrs'.  Stores their number in '*n'.
 *
 * Returns NULL if successful, otherwise an error message that the caller must
 * free(), with '*n' 0. */
char *
vmmob_addr_parse_list(const char *s, struct in6_addr *addrs, size_t max,
                      size_t *n)
{
    return parse_list(s, "address", "addresses", max, parse_addr, addrs, n);
}

/* Compares 'a' to 'b' as memcmp() does. */
int
vmmob_addr_compare(const struct in6_addr *a, const struct in6_addr *b)
{
    return memcmp(a, b, sizeof *a);
}

/* Returns the family of 'addr'; of one that is unset, VMMOB_IPV6. */
enum vmmob_family
vmmob_addr_family(const struct in6_addr *addr)
{
    return IN6_IS_ADDR_V4MAPPED(addr) ? VMMOB_IPV4 : VMMOB_IPV6;
}

/* Returns true if a host can have the address 'addr', false if it is
 * unspecified, loopback, multicast, or the limited broadcast address. */
bool
vmmob_addr_is_unicast(const struct in6_addr *addr)
{
    struct vmmob_prefix host = vmmob_prefix_of_host(addr);

    return vmmob_prefix_is_unicast(&host);
}

/* Returns true if 'addr' is in fe80::/10, and so means nothing beyond its link
 * (RFC 4291, 2.5.6). */
bool
vmmob_addr_is_link_local(const struct in6_addr *addr)
{
    return IN6_IS_ADDR_LINKLOCAL(addr);
}

/* Returns what 'addr', an IPv6 address, adds to a checksum: the one's
 * complement sum of its 16-bit words, where 0xffff, which is the same there,
 * is 0.  Where one of two addresses that have the same sum stands for the
 * other, all checksums stay as they are (RFC 6296, 2.6). */
uint16_t
vmmob_addr_sum(const struct in6_addr *addr)
{
    uint32_t sum = 0;

    for (size_t i = 0; i < sizeof addr->s6_addr; i += 2) {
        sum += addr->s6_addr[i] << 8 | addr->s6_addr[i + 1];
    }
    return sum % 0xffff;
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

/* Prefixes. */

/* Returns the prefix that 'addr' alone is in. */
struct vmmob_prefix
vmmob_prefix_of_host(const struct in6_addr *addr)
{
    return (struct vmmob_prefix) { .addr = *addr, .plen = 128 };
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

struct prefixes {
    struct vmmob_prefix *prefixes;
    struct in6_addr *addrs;
};

static char *
parse_prefix(const char *s, size_t i, void *dst_)
{
    struct prefixes *dst = dst_;

    return vmmob_prefix_parse(s, &dst->prefixes[i],
                              dst->addrs ? &dst->addrs[i] : NULL);
}

/* Parses 's', a list of prefixes, at least one and at most 'max', that are
 * separated by commas or spaces, into 'prefixes'.  Stores their number in
 * '*n'.  If 'addrs' is nonnull, stores the addresses into it, with their host
 * bits, as vmmob_prefix_parse() does.
 *
 * Returns NULL if successful, otherwise an error message that the caller must
 * free(), with '*n' 0. */
char *
vmmob_prefix_parse_list(const char *s, struct vmmob_prefix *prefixes,
                        struct in6_addr *addrs, size_t max, size_t *n)
{
    struct prefixes dst = { prefixes, addrs };

    return parse_list(s, "prefix", "prefixes", max, parse_prefix, &dst, n);
}

/* Appends 'prefix' to 's', always with its prefix length.
 * vmmob_prefix_parse() understands it. */
void
vmmob_prefix_format(const struct vmmob_prefix *prefix, struct ds *s)
{
    vmmob_addr_format(&prefix->addr, s);
    ds_put_format(s, "/%d",
                  vmmob_prefix_family(prefix) == VMMOB_IPV4
                  ? prefix->plen - 96 : prefix->plen);
}

/* Returns 'prefix' as a string that the caller must free(). */
char *
vmmob_prefix_to_string(const struct vmmob_prefix *prefix)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    vmmob_prefix_format(prefix, &s);
    return ds_steal_cstr(&s);
}

/* Returns the family of the addresses of 'prefix'. */
enum vmmob_family
vmmob_prefix_family(const struct vmmob_prefix *prefix)
{
    return (prefix->plen >= 96 ? vmmob_addr_family(&prefix->addr)
            : VMMOB_IPV6);
}

/* Returns the last address in 'prefix'.  (The first is 'prefix->addr'.) */
struct in6_addr
vmmob_prefix_last(const struct vmmob_prefix *prefix)
{
    struct in6_addr mask = ipv6_create_mask(prefix->plen);
    struct in6_addr last = prefix->addr;

    for (size_t i = 0; i < sizeof last.s6_addr; i++) {
        last.s6_addr[i] |= ~mask.s6_addr[i];
    }
    return last;
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
    struct vmmob_prefix host = vmmob_prefix_of_host(addr);

    return vmmob_prefix_overlaps(prefix, &host);
}

/* Returns true if 'addr' is in one of the 'n' 'prefixes'. */
bool
vmmob_prefixes_contain(const struct vmmob_prefix *prefixes, size_t n,
                       const struct in6_addr *addr)
{
    for (size_t i = 0; i < n; i++) {
        if (vmmob_prefix_contains(&prefixes[i], addr)) {
            return true;
        }
    }
    return false;
}

/* Returns true if any address is in both 'a' and 'b'. */
bool
vmmob_prefix_overlaps(const struct vmmob_prefix *a,
                      const struct vmmob_prefix *b)
{
    struct in6_addr mask = ipv6_create_mask(MIN(a->plen, b->plen));
    struct in6_addr difference = ipv6_addr_bitxor(&a->addr, &b->addr);

    difference = ipv6_addr_bitand(&difference, &mask);
    return (vmmob_prefix_family(a) == vmmob_prefix_family(b)
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

/* Returns NULL if 'prefix' is well-formed and hosts can have its addresses,
 * otherwise an error message that starts with 'what' and that the caller must
 * free(). */
char *
vmmob_prefix_validate(const char *what, const struct vmmob_prefix *prefix)
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
