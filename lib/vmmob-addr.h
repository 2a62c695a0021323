/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_ADDR_H
#define VMMOB_ADDR_H 1

/* Addresses and prefixes
 * ======================
 *
 * An address is an IPv6 one; IPv4 addresses are IPv4-mapped.  An unset address
 * is all zeros, "::" (see ipv6_addr_is_set()), which nobody has.  The text
 * forms are the same in messages, in the database and for people, except for
 * an unset address: that is "" for programs and "-" for people.
 *
 * Pure. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "openvswitch/types.h"

struct ds;

/* Address families.  All addresses that are not IPv4-mapped are IPv6 ones,
 * and no IPv6 prefix has IPv4 addresses, not even "::/0". */
enum vmmob_family {
    VMMOB_IPV4,
    VMMOB_IPV6,
    VMMOB_N_FAMILIES
};

const char *vmmob_family_to_string(enum vmmob_family);

bool vmmob_addr_from_string(const char *, struct in6_addr *);
bool vmmob_addr_from_optional_string(const char *, struct in6_addr *);
void vmmob_addr_format(const struct in6_addr *, struct ds *);
char *vmmob_addr_to_string(const struct in6_addr *, const char *unset);
char *vmmob_addr_parse_list(const char *, struct in6_addr *addrs, size_t max,
                            size_t *n);
int vmmob_addr_compare(const struct in6_addr *, const struct in6_addr *);
enum vmmob_family vmmob_addr_family(const struct in6_addr *);
bool vmmob_addr_is_unicast(const struct in6_addr *);
bool vmmob_addr_is_link_local(const struct in6_addr *);
uint16_t vmmob_addr_sum(const struct in6_addr *);

bool vmmob_mac_from_string(const char *, struct eth_addr *);

/* An IP prefix. */
struct vmmob_prefix {
    struct in6_addr addr;       /* Host bits are zero. */
    uint8_t plen;               /* 0 to 128; for IPv4, 96 to 128. */
};

char *vmmob_prefix_parse(const char *, struct vmmob_prefix *,
                         struct in6_addr *addr);
char *vmmob_prefix_parse_list(const char *, struct vmmob_prefix *prefixes,
                              struct in6_addr *addrs, size_t max, size_t *n);
void vmmob_prefix_format(const struct vmmob_prefix *, struct ds *);
char *vmmob_prefix_to_string(const struct vmmob_prefix *);
struct vmmob_prefix vmmob_prefix_of_host(const struct in6_addr *);
enum vmmob_family vmmob_prefix_family(const struct vmmob_prefix *);
struct in6_addr vmmob_prefix_last(const struct vmmob_prefix *);
bool vmmob_prefix_equals(const struct vmmob_prefix *,
                         const struct vmmob_prefix *);
bool vmmob_prefix_contains(const struct vmmob_prefix *,
                           const struct in6_addr *);
bool vmmob_prefixes_contain(const struct vmmob_prefix *, size_t n,
                            const struct in6_addr *);
bool vmmob_prefix_overlaps(const struct vmmob_prefix *,
                           const struct vmmob_prefix *);
bool vmmob_prefix_is_unicast(const struct vmmob_prefix *);
char *vmmob_prefix_validate(const char *what, const struct vmmob_prefix *);

#endif /* lib/vmmob-addr.h */
