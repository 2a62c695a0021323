/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/network.h"

#include <errno.h>

#include "ofproto-vmmob/router.h"
#include "ofproto-vmmob/vmmob.h"
#include "packets.h"
#include "util.h"

const struct vmmob_prefix vmmob_link_local = {
    .addr = { .s6_addr = { 0xfe, 0x80 } }, .plen = 64,
};

/* The least that IPv4 and IPv6 ask of a link (RFC 791, 3.2; RFC 8200, 5). */
#define MIN_MTU_IPV4 68
#define MIN_MTU_IPV6 1280

void
vmmob_net_init(struct network *net, uint32_t id, const char *name)
{
    memset(net, 0, sizeof *net);
    net->id = id;
    net->name = xstrdup(name);
}

void
vmmob_net_destroy(struct network *net)
{
    for (size_t i = 0; i < net->n_routes; i++) {
        free(net->routes[i]);
    }
    free(net->name);
    memset(net, 0, sizeof *net);
}

void
vmmob_net_clone(struct network *dst, const struct network *src)
{
    *dst = *src;
    dst->name = xstrdup(src->name);
    for (size_t i = 0; i < src->n_routes; i++) {
        dst->routes[i] = xstrdup(src->routes[i]);
    }
}

/* Returns true if 'a' and 'b' have the same home subnets and gateways. */
static bool
same_subnets(const struct network *a, const struct network *b)
{
    if (a->n_subnets != b->n_subnets) {
        return false;
    }
    for (size_t i = 0; i < a->n_subnets; i++) {
        if (!vmmob_prefix_equals(&a->subnets[i].prefix, &b->subnets[i].prefix)
            || !ipv6_addr_equals(&a->subnets[i].gateway,
                                 &b->subnets[i].gateway)) {
            return false;
        }
    }
    return true;
}

bool
vmmob_net_equals(const struct network *a, const struct network *b)
{
    if (a->id != b->id || strcmp(a->name, b->name) || a->vlan != b->vlan
        || a->mtu != b->mtu || a->isolated != b->isolated
        || a->policy_table != b->policy_table || a->n_routes != b->n_routes
        || !same_subnets(a, b)) {
        return false;
    }
    for (size_t i = 0; i < a->n_routes; i++) {
        if (strcmp(a->routes[i], b->routes[i])) {
            return false;
        }
    }
    return true;
}

/* Adds to 'net' the home subnet 'prefix' with the given 'gateway'. */
void
vmmob_net_add_subnet(struct network *net,
                         const struct vmmob_prefix *prefix,
                         const struct in6_addr *gateway)
{
    net->subnets[net->n_subnets++] = (struct network_subnet) {
        *prefix, *gateway,
    };
}

static char *
parse_homes(const char *homes, const char *gateways, struct network *net)
{
    struct vmmob_prefix prefixes[NETWORK_MAX_SUBNETS];
    struct in6_addr addrs[NETWORK_MAX_SUBNETS];
    size_t n_addrs = 0;
    size_t n = 0;
    char *error = vmmob_prefix_parse_list(homes, prefixes, NULL,
                                          NETWORK_MAX_SUBNETS, &n);

    if (!error) {
        error = vmmob_addr_parse_list(gateways, addrs, NETWORK_MAX_SUBNETS,
                                      &n_addrs);
    }
    if (error) {
        return error;
    }
    for (size_t i = 0; i < n; i++) {
        struct in6_addr gateway = in6addr_any;

        for (size_t j = 0; j < n_addrs; j++) {
            if (vmmob_prefix_contains(&prefixes[i], &addrs[j])) {
                if (ipv6_addr_is_set(&gateway)) {
                    return xasprintf("gateway: more than one in one home "
                                     "prefix");
                }
                gateway = addrs[j];
            }
        }
        if (!ipv6_addr_is_set(&gateway)) {
            char *s = vmmob_prefix_to_string(&prefixes[i]);

            error = xasprintf("gateway: none in %s", s);
            free(s);
            return error;
        }
        vmmob_net_add_subnet(net, &prefixes[i], &gateway);
    }
    return (n_addrs > n
            ? xstrdup("gateway: one is in no home prefix") : NULL);
}

static char *
parse_number(const char *key, const char *value, unsigned int min,
             unsigned int max, unsigned int *n)
{
    return (str_to_uint(value, 10, n) && *n >= min && *n <= max
            ? NULL
            : xasprintf("%s=%s: not a number from %u to %u", key, value, min,
                        max));
}

/* Adds to 'net' the routes to the networks in 'value', names with a comma
 * between them.  Returns what is wrong, for the caller to free, or NULL. */
char *
vmmob_net_parse_routes(struct network *net, const char *value)
{
    char *copy = xstrdup(value);
    char *save_ptr = NULL;
    char *error = NULL;

    for (char *name = strtok_r(copy, ",", &save_ptr); name && !error;
         name = strtok_r(NULL, ",", &save_ptr)) {
        if (net->n_routes < NETWORK_MAX_ROUTES) {
            net->routes[net->n_routes++] = xstrdup(name);
        } else {
            error = xasprintf("more than %d routes", NETWORK_MAX_ROUTES);
        }
    }
    free(copy);
    return error;
}

/* Parses one "KEY=VALUE" of a network. */
static char *
parse_member(const char *key, char *value, struct network *net,
             const char **home, const char **gateway)
{
    unsigned int n = 0;
    char *error = NULL;

    if (!strcmp(key, "id")) {
        error = parse_number(key, value, 1, UINT32_MAX, &n);
        net->id = n;
    } else if (!strcmp(key, "vlan")) {
        error = parse_number(key, value, 1, 4094, &n);
        net->vlan = n;
    } else if (!strcmp(key, "mtu")) {
        error = parse_number(key, value, MIN_MTU_IPV4, UINT16_MAX, &n);
        net->mtu = n;
    } else if (!strcmp(key, "policy-table")) {
        error = parse_number(key, value, 1, VMMOB_TABLE_SOURCE - 1, &n);
        net->policy_table = n;
    } else if (!strcmp(key, "outside")) {
        net->isolated = !strcmp(value, "no");
        if (strcmp(value, "yes") && strcmp(value, "no")) {
            error = xasprintf("outside=%s: neither yes nor no", value);
        }
    } else if (!strcmp(key, "routes")) {
        error = vmmob_net_parse_routes(net, value);
    } else if (!strcmp(key, "home")) {
        *home = value;
    } else if (!strcmp(key, "gateway")) {
        *gateway = value;
    } else {
        error = xasprintf("%s: not known; known are id, vlan, home, gateway, "
                          "mtu, outside, routes, policy-table", key);
    }
    return error;
}

/* Parses 'value', as vmmob(7) describes it, into '*net', named 'name'.
 * Returns NULL if successful; then the caller must eventually call
 * vmmob_net_destroy().  Otherwise returns what is wrong, for the caller to
 * free, and '*net' is empty. */
char *
vmmob_net_parse(const char *name, const char *value, struct network *net)
{
    char *copy = xstrdup(value);
    const char *home = NULL;
    const char *gateway = NULL;
    char *save_ptr = NULL;
    char *error = NULL;

    vmmob_net_init(net, 0, name);
    if (!name[0] || strlen(name) > NETWORK_MAX_NAME
        || name[strcspn(name, ", \t\n=")]
        || !strcmp(name, NETWORK_DEFAULT)) {
        error = xasprintf("\"%s\" is no name for a network", name);
    }
    for (char *s = strtok_r(copy, " \t\n", &save_ptr); s && !error;
         s = strtok_r(NULL, " \t\n", &save_ptr)) {
        char *eq = strchr(s, '=');

        if (!eq || !eq[1]) {
            error = xasprintf("%s: not of the form KEY=VALUE", s);
            break;
        }
        *eq = '\0';
        error = parse_member(s, eq + 1, net, &home, &gateway);
    }
    if (!error && !net->id) {
        error = xstrdup("id is not set");
    }
    if (!error && (!home || !gateway)) {
        error = xasprintf("%s is not set", home ? "gateway" : "home");
    }
    if (!error) {
        error = parse_homes(home, gateway, net);
    }
    if (!error) {
        error = vmmob_net_check(net);
    }
    free(copy);
    if (error) {
        vmmob_net_destroy(net);
    }
    return error;
}

/* Returns what is wrong with 'net', for the caller to free, or NULL. */
char *
vmmob_net_check(const struct network *net)
{
    for (size_t i = 0; i < net->n_subnets; i++) {
        const struct network_subnet *s = &net->subnets[i];
        enum vmmob_family family = vmmob_prefix_family(&s->prefix);
        int min_plen = family == VMMOB_IPV4 ? 96 + 8 : 16;

        if (s->prefix.plen < min_plen || s->prefix.plen > 126) {
            return xstrdup(family == VMMOB_IPV4
                           ? "IPv4 home prefixes must have a prefix length "
                             "from 8 to 30"
                           : "IPv6 home prefixes must have a prefix length "
                             "from 16 to 126");
        }
        /* Nobody would accept what this OFS then says of its VMNs. */
        if (!vmmob_prefix_is_unicast(&s->prefix)
            || vmmob_addr_is_link_local(&s->prefix.addr)) {
            return xstrdup("home prefixes must have only addresses that hosts "
                           "can have");
        }
        if (!vmmob_prefix_contains(&s->prefix, &s->gateway)) {
            return xstrdup("the home gateway is not in the home prefix");
        }
        for (size_t j = 0; j < i; j++) {
            if (vmmob_prefix_overlaps(&s->prefix, &net->subnets[j].prefix)) {
                return xstrdup("home prefixes overlap");
            }
        }
    }
    if (net->mtu && net->mtu < MIN_MTU_IPV6
        && vmmob_net_has_family(net, VMMOB_IPV6)) {
        return xasprintf("mtu=%d is less than the %d that IPv6 needs",
                         net->mtu, MIN_MTU_IPV6);
    }
    return NULL;
}

/* Returns the first home subnet of 'net' that is of 'family', or NULL. */
const struct network_subnet *
vmmob_net_find_family(const struct network *net, enum vmmob_family family)
{
    for (size_t i = 0; i < net->n_subnets; i++) {
        if (vmmob_prefix_family(&net->subnets[i].prefix) == family) {
            return &net->subnets[i];
        }
    }
    return NULL;
}

/* Returns true if 'net' has a home subnet of 'family'. */
bool
vmmob_net_has_family(const struct network *net, enum vmmob_family family)
{
    return vmmob_net_find_family(net, family) != NULL;
}

/* Returns the home subnet of 'net' that 'addr' is in, or NULL. */
const struct network_subnet *
vmmob_net_find_subnet(const struct network *net,
                          const struct in6_addr *addr)
{
    for (size_t i = 0; i < net->n_subnets; i++) {
        if (vmmob_prefix_contains(&net->subnets[i].prefix, addr)) {
            return &net->subnets[i];
        }
    }
    return NULL;
}

/* Returns true if 'addr' is in a home subnet of 'net', or link-local, which is
 * as good where there is IPv6. */
bool
vmmob_net_is_on_link(const struct network *net,
                         const struct in6_addr *addr)
{
    return (vmmob_net_find_subnet(net, addr)
            || (vmmob_addr_is_link_local(addr)
                && vmmob_net_has_family(net, VMMOB_IPV6)));
}

/* Returns true if 'addr' is an address of the router that VMs in 'net' see. */
bool
vmmob_net_is_gateway(const struct network *net,
                         const struct in6_addr *addr)
{
    const struct network_subnet *s = vmmob_net_find_subnet(net, addr);
    struct in6_addr lla = vmmob_gateway_lla();

    return ((s && ipv6_addr_equals(&s->gateway, addr))
            || (ipv6_addr_equals(&lla, addr)
                && vmmob_net_has_family(net, VMMOB_IPV6)));
}

/* Returns true if 'addr' can be the home address of a VMN in 'net': if it is
 * in a home subnet or link-local, is neither a gateway's address nor the first
 * one of the subnet, nor, if it is IPv4, the last one. */
bool
vmmob_net_is_home(const struct network *net, const struct in6_addr *addr)
{
    const struct network_subnet *s = vmmob_net_find_subnet(net, addr);

    if (vmmob_net_is_gateway(net, addr)) {
        return false;
    } else if (s) {
        struct in6_addr last = vmmob_prefix_last(&s->prefix);

        return (!ipv6_addr_equals(addr, &s->prefix.addr)
                && (vmmob_addr_family(addr) == VMMOB_IPV6
                    || !ipv6_addr_equals(addr, &last)));
    }
    return (vmmob_net_is_on_link(net, addr)
            && !ipv6_addr_equals(addr, &vmmob_link_local.addr));
}

/* Returns the address of the gateway that a VMN in 'net' with 'hoa' has, or if
 * there is none of the family, an unset one. */
struct in6_addr
vmmob_net_gateway(const struct network *net, const struct in6_addr *hoa)
{
    const struct network_subnet *s = vmmob_net_find_subnet(net, hoa);

    if (!s) {
        s = vmmob_net_find_family(net, vmmob_addr_family(hoa));
    }
    return s ? s->gateway : in6addr_any;
}

/* Returns the address from which the router in 'net' speaks to a VMN with
 * 'hoa' as its neighbor: of the same family, and link-local if it is IPv6 (RFC
 * 4861, 4.2). */
struct in6_addr
vmmob_net_router(const struct network *net, const struct in6_addr *hoa)
{
    return (vmmob_addr_family(hoa) == VMMOB_IPV6
            ? vmmob_gateway_lla() : vmmob_net_gateway(net, hoa));
}

static bool
names_route(const struct network *from, const struct network *to)
{
    const char *name = to->name[0] ? to->name : NETWORK_DEFAULT;

    for (size_t i = 0; i < from->n_routes; i++) {
        if (!strcmp(from->routes[i], name)) {
            return true;
        }
    }
    return false;
}

/* Returns true if 'a' and 'b' are two networks between which there is a route,
 * as both of them say. */
bool
vmmob_net_routes_to(const struct network *a, const struct network *b)
{
    return a->id != b->id && names_route(a, b) && names_route(b, a);
}

/* Stores in 'prefixes' those of 'family' in which home addresses of 'net' are,
 * and returns how many that are, up to NETWORK_MAX_PREFIXES. */
size_t
vmmob_net_get_prefixes(const struct network *net, enum vmmob_family family,
                           struct vmmob_prefix prefixes[])
{
    size_t n = 0;

    for (size_t i = 0; i < net->n_subnets; i++) {
        if (vmmob_prefix_family(&net->subnets[i].prefix) == family) {
            prefixes[n++] = net->subnets[i].prefix;
        }
    }
    if (n && family == VMMOB_IPV6) {
        prefixes[n++] = vmmob_link_local;
    }
    return n;
}


/* The networks of a port. */

static struct port_network network_0 = { .id = 0, .vlan = 0 };

const struct port_networks vmmob_port_networks_default = {
    .kind = PORT_NETWORKS_VM, .n = 1, .networks = &network_0,
};

/* Initializes 'pn' as that of a port of 'kind' that is in no network yet. */
void
vmmob_port_networks_init(struct port_networks *pn,
                         enum port_networks_kind kind)
{
    *pn = (struct port_networks) { .kind = kind };
}

void
vmmob_port_networks_destroy(struct port_networks *pn)
{
    free(pn->networks);
    memset(pn, 0, sizeof *pn);
}

void
vmmob_port_networks_clone(struct port_networks *dst,
                          const struct port_networks *src)
{
    *dst = *src;
    dst->networks = (src->n
                     ? xmemdup(src->networks, src->n * sizeof *src->networks)
                     : NULL);
}

bool
vmmob_port_networks_equals(const struct port_networks *a,
                           const struct port_networks *b)
{
    if (a->kind != b->kind || a->n != b->n) {
        return false;
    }
    for (size_t i = 0; i < a->n; i++) {
        if (a->networks[i].id != b->networks[i].id
            || a->networks[i].vlan != b->networks[i].vlan) {
            return false;
        }
    }
    return true;
}

/* Adds to 'pn' that frames with the VLAN tag 'vlan', or with none if that is
 * 0, are in the network 'id', unless that network or that VLAN are in it. */
void
vmmob_port_networks_add(struct port_networks *pn, uint32_t id, uint16_t vlan)
{
    size_t i;

    if (vmmob_port_networks_find(pn, id)
        || vmmob_port_networks_find_vlan(pn, vlan)) {
        return;
    }
    pn->networks = xrealloc(pn->networks,
                            (pn->n + 1) * sizeof *pn->networks);
    for (i = pn->n++; i > 0 && pn->networks[i - 1].vlan > vlan; i--) {
        pn->networks[i] = pn->networks[i - 1];
    }
    pn->networks[i] = (struct port_network) { .id = id, .vlan = vlan };
}

/* Returns how the port of 'pn' is in the network 'id', or NULL if it is
 * not. */
const struct port_network *
vmmob_port_networks_find(const struct port_networks *pn, uint32_t id)
{
    for (size_t i = 0; i < pn->n; i++) {
        if (pn->networks[i].id == id) {
            return &pn->networks[i];
        }
    }
    return NULL;
}

/* Returns the network of frames with the VLAN tag 'vlan' at the port of 'pn',
 * or NULL if there is none. */
const struct port_network *
vmmob_port_networks_find_vlan(const struct port_networks *pn, uint16_t vlan)
{
    for (size_t i = 0; i < pn->n; i++) {
        if (pn->networks[i].vlan == vlan) {
            return &pn->networks[i];
        }
    }
    return NULL;
}

/* Returns true if the port of 'pn' is one of network 0 and no other. */
bool
vmmob_port_networks_are_default(const struct port_networks *pn)
{
    return vmmob_port_networks_equals(pn, &vmmob_port_networks_default);
}
