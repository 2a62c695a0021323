/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/vm-port.h"

#include "bitmap.h"
#include "coverage.h"
#include "hash.h"
#include "netdev.h"
#include "ofproto/ofproto-dpif.h"
#include "ofproto-vmmob/bridge.h"
#include "ofproto-vmmob/handover.h"
#include "ofproto-vmmob/port-config.h"
#include "ofproto-vmmob/punt.h"
#include "ofproto-vmmob/rules.h"
#include "ofproto-vmmob/settings.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "sset.h"
#include "util.h"
#include "vmmob-addr.h"

VLOG_DEFINE_THIS_MODULE(vmmob_vm_port);

COVERAGE_DEFINE(vmmob_flood);
COVERAGE_DEFINE(vmmob_misplaced);
COVERAGE_DEFINE(vmmob_hoa_refused);

/* For what others can cause. */
static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 20);

/* ICMP errors that a port may cause, in thousandths for each ms and at once:
 * see VM_PORT_ERROR. */
#define ERROR_RATE (10 * VM_PORT_ERROR / 1000)
#define ERROR_BURST (20 * VM_PORT_ERROR)

/* How long a port stays blocked after its flood has ended, in ms. */
#define BLOCK_MS 3000

/* Returns the VM port of 'b' with the given 'number', or NULL. */
struct vmmob_vm_port *
vmmob_vm_port_find(const struct vmmob_bridge *b, ofp_port_t number)
{
    struct vmmob_vm_port *port;

    HMAP_FOR_EACH_WITH_HASH (port, node, hash_int(ofp_to_u16(number), 0),
                             &b->vm_ports) {
        if (port->number == number) {
            return port;
        }
    }
    return NULL;
}

static void
vm_port_destroy(struct vmmob_bridge *b, struct vmmob_vm_port *port,
                long long int now)
    OVS_REQUIRES(vmmob_mutex)
{
    vmmob_handover_port_gone(b->handover, b->ofs, port->number, now);
    b->past_forged += vmmob_count_forged(b, port);
    b->past_blocked += vmmob_count_blocked(b, port);
    b->past_refused += port->n_refused;
    vmmob_rules_update_port(b->rules, port->number, NULL);
    vmmob_rules_update_admission(b->rules, port->number, NULL);
    vmmob_rules_update_forged(b->rules, port->number, false);
    vmmob_rules_update_block(b->rules, port->number, false);
    hmap_remove(&b->vm_ports, &port->node);
    vmmob_port_networks_destroy(&port->networks);
    free(port->name);
    free(port);
}

/* Returns what is known of 'port' of 'b', or NULL. */
const struct vmmob_port *
vmmob_vm_port_row(const struct vmmob_bridge *b,
                  const struct vmmob_vm_port *port)
{
    return vmmob_handover_find_port_row(b->handover, port->name);
}

/* Returns true if a VMN with address 'mac' may be at 'port' of 'b'. */
bool
vmmob_vm_port_may_have(const struct vmmob_bridge *b,
                       const struct vmmob_vm_port *port,
                       const struct eth_addr mac)
{
    const struct vmmob_port *row = vmmob_vm_port_row(b, port);

    return !row || !row->n_macs || vmmob_port_has_mac(row, mac);
}

/* Returns true if a VMN at 'port' of 'b' may have the home address 'hoa'. */
bool
vmmob_vm_port_may_claim(const struct vmmob_bridge *b,
                        const struct vmmob_vm_port *port,
                        const struct in6_addr *hoa)
{
    const struct vmmob_port *row = vmmob_vm_port_row(b, port);

    return !row || vmmob_port_may_claim(row, hoa);
}

/* Counts and notes that the VMN 'key', at 'port' of 'b', says that it has
 * 'hoa', which it must not have. */
void
vmmob_vm_port_refuse_hoa(struct vmmob_bridge *b, struct vmmob_vm_port *port,
                         const struct vmmob_key *key,
                         const struct in6_addr *hoa, long long int now)
{
    char *s = vmmob_addr_to_string(hoa, "-");

    COVERAGE_INC(vmmob_hoa_refused);
    VLOG_WARN_RL(&rl, "bridge %s: port %s: "ETH_ADDR_FMT" must not have the "
                 "home address %s; see external_ids:vmmob-address of the "
                 "interface", b->name, port->name, ETH_ADDR_ARGS(key->mac), s);
    free(s);
    port->n_bad_hoa++;
    port->bad_hoa = (struct vm_port_hoa) { *key, *hoa, now };
}

/* Notes that 'mac', at 'port', asks for an address by DHCP. */
void
vmmob_vm_port_note_dhcp(struct vmmob_vm_port *port, const struct eth_addr mac,
                        long long int now)
{
    if (!port->dhcp_last || !eth_addr_equals(port->dhcp_mac, mac)
        || now - port->dhcp_last > VM_PORT_NEWS_MS) {
        port->dhcp_mac = mac;
        port->dhcp_first = now;
    }
    port->dhcp_last = now;
}

/* Takes from the VMN 'key', if it is at 'port' of 'b', the home addresses that
 * VMNs there must not have. */
void
vmmob_vm_port_police_hoas(struct vmmob_bridge *b,
                          const struct vmmob_vm_port *port,
                          const struct vmmob_key *key, long long int now)
{
    const struct vmmob_port *row = vmmob_vm_port_row(b, port);
    const struct handover_vmn *vmn = vmmob_handover_find_vmn(b->ofs, key);
    struct in6_addr bad[VMMOB_MAX_PAIRS];
    size_t n = 0;

    if (!row || !row->limited || !vmn || vmn->state != HANDOVER_ATTACHED
        || vmn->port != port->number) {
        return;
    }
    for (size_t i = 0; i < vmn->row.n_pairs; i++) {
        if (!vmmob_port_may_claim(row, &vmn->row.pairs[i].hoa)) {
            bad[n++] = vmn->row.pairs[i].hoa;
        }
    }
    for (size_t i = 0; i < n; i++) {
        vmmob_handover_disclaim(b->handover, b->ofs, key, &bad[i], now);
    }
}

/* Returns true if what was noted at 'when' still counts at 'now'. */
static bool
is_news(long long int when, long long int now)
{
    return when && now - when < VM_PORT_NEWS_MS;
}

/* Returns why there is no VMN at 'port' of 'b', for the caller to free, or
 * NULL if there is one. */
char *
vmmob_vm_port_why(const struct vmmob_bridge *b,
                  const struct vmmob_vm_port *port, long long int now)
{
    unsigned long long int n_forged = vmmob_count_forged(b, port);
    const struct vm_port_hoa *hoa = (is_news(port->bad_hoa.when, now)
                                     ? &port->bad_hoa : &port->outside);
    char *addr, *why;

    if (vmmob_handover_count_port(b->ofs, port->number)) {
        return NULL;
    } else if (port->blocked) {
        return xstrdup("it is blocked, because it floods");
    } else if (is_news(hoa->when, now)) {
        addr = vmmob_addr_to_string(&hoa->hoa, "-");
        why = (hoa == &port->bad_hoa
               ? xasprintf("it claims %s, which "
                           "external_ids:vmmob-address does not have", addr)
               : xasprintf("it uses %s, which is not in vmmob-home", addr));
        free(addr);
        return why;
    } else if (is_news(port->dhcp_last, now)) {
        return xstrdup("it asks for an address by DHCP");
    }
    for (size_t i = 0; i < b->ofs->n_conflicts; i++) {
        const struct handover_conflict *c = &b->ofs->conflicts[i];

        if (c->port == port->number && is_news(c->when, now)) {
            addr = vmmob_addr_to_string(&c->hoa, "-");
            why = xasprintf("it claims %s, which is another VMN's", addr);
            free(addr);
            return why;
        }
    }
    return (n_forged
            ? xasprintf("%llu frames came from a MAC address that must not "
                        "be there or an IP address that nobody there can "
                        "have", n_forged)
            : xstrdup("it has not said which home address it has"));
}

/* Puts in force what is known of who may be at the VM ports of 'b' whose names
 * are in 'names'. */
void
vmmob_vm_ports_police(struct vmmob_bridge *b, const struct sset *names,
                      long long int now)
{
    struct handover_vmn *vmn;
    struct vmmob_vm_port *port;
    bool any = false;

    HMAP_FOR_EACH (port, node, &b->vm_ports) {
        if (sset_contains(names, port->name)) {
            const struct vmmob_port *row = vmmob_vm_port_row(b, port);
            bool policed = row && row->n_macs;

            if (port->policed && !policed) {
                port->n_strange += vmmob_rules_count_strange(b->rules,
                                                             port->number);
            }
            vmmob_rules_update_port(b->rules, port->number, row);
            port->policed = policed;
            any = true;
        }
    }
    if (!any) {
        return;
    }

    HMAP_FOR_EACH_SAFE (vmn, node, &b->ofs->vmns) {
        const struct vmmob_key key = vmn->row.key;
        const struct eth_addr mac = key.mac;

        if (vmn->state == HANDOVER_ATTACHED) {
            port = vmmob_vm_port_find(b, vmn->port);
            if (port && !vmmob_vm_port_may_have(b, port, mac)) {
                COVERAGE_INC(vmmob_misplaced);
                VLOG_WARN_RL(&rl, "bridge %s: VMN "ETH_ADDR_FMT" is at port "
                             "%s, where it must not be", b->name,
                             ETH_ADDR_ARGS(mac), port->name);
                vmmob_handover_detach(b->handover, b->ofs, &vmn->row.key, now);
            }
        }
        port = vmmob_vm_port_find(b, vmn->port);
        if (port) {
            vmmob_vm_port_police_hoas(b, port, &key, now);
        }
    }
}

/* Takes into account that 'number' is not the port of 'b' any more that it
 * was.  The VMNs that were there may already be attached to the port that now
 * has the number, or to another one. */
void
vmmob_vm_ports_note_gone(struct vmmob_bridge *b, ofp_port_t number,
                         long long int now)
{
    struct handover_vmn *vmn;

    HMAP_FOR_EACH (vmn, node, &b->ofs->vmns) {
        if (vmn->state == HANDOVER_ATTACHED && vmn->port == number) {
            vmmob_handover_detach(b->handover, b->ofs, &vmn->row.key, now);
        }
    }
}

/* Limits the packets that come from the ports of 'b' as 's' says. */
static void
configure_punt(const struct vmmob_bridge *b, const struct vmmob_settings *s)
    OVS_REQUIRES(vmmob_mutex)
{
    struct punt_port *ports = xmalloc((hmap_count(&b->vm_ports) + PUNT_N_KINDS)
                                      * sizeof *ports);
    const struct vmmob_vm_port *port;
    size_t n = 0;

    for (enum punt_kind kind = PUNT_VM + 1; kind < PUNT_N_KINDS; kind++) {
        const struct punt_kind_row *row = &vmmob_punt_kinds[kind];

        ports[n++] = (struct punt_port) {
            .number = b->uplink, .kind = kind,
            .rate = s->punt_rate ? row->rate : 0, .burst = row->burst,
        };
    }
    HMAP_FOR_EACH (port, node, &b->vm_ports) {
        ports[n++] = (struct punt_port) {
            .number = port->number, .kind = PUNT_VM, .rate = s->punt_rate,
            .burst = s->punt_burst,
        };
    }
    vmmob_punt_configure(&b->ofproto->uuid, ports, n);
    free(ports);
}

/* Returns the MTU of 'ofport', or 0 if it is not known.  'ofport' may be
 * NULL. */
int
vmmob_port_get_mtu(const struct ofport *ofport)
{
    int mtu;

    return ofport && !netdev_get_mtu(ofport->netdev, &mtu) ? mtu : 0;
}

/* Marks in 'changed' the networks, of 's', that one of 'x' and 'y' is in and
 * the other is not, or in another way. */
static void
mark_networks(const struct vmmob_settings *s, const struct port_networks *x,
              const struct port_networks *y, unsigned long *changed)
{
    for (size_t i = 0; i < x->n; i++) {
        const struct port_network *p = &x->networks[i];
        const struct port_network *q = vmmob_port_networks_find(y, p->id);
        const struct network *net = vmmob_settings_find_network(s, p->id);

        if (net && (!q || q->vlan != p->vlan)) {
            bitmap_set1(changed, net - s->networks);
        }
    }
}

/* Puts in force that 'port' of 'b' is in 'networks', of 's', which it takes,
 * and marks in 'changed' the networks that it has come to or left. */
static void
set_networks(struct vmmob_bridge *b, struct vmmob_vm_port *port,
             struct port_networks *networks, const struct vmmob_settings *s,
             unsigned long *changed, long long int now)
    OVS_REQUIRES(vmmob_mutex)
{
    if (vmmob_port_networks_equals(&port->networks, networks)) {
        vmmob_port_networks_destroy(networks);
        return;
    }
    mark_networks(s, &port->networks, networks, changed);
    mark_networks(s, networks, &port->networks, changed);
    vmmob_port_networks_destroy(&port->networks);
    port->networks = *networks;
    vmmob_rules_update_admission(b->rules, port->number, &port->networks);
    vmmob_handover_port_there(b->handover, b->ofs, port->number, port->name,
                              &port->networks, now);
    if (vmmob_settings_has_home(s, VMMOB_IPV6)) {
        port->advert_due = true;
        b->next_port_advert = now;
    }
}

/* Returns true if 'ofport' of 'b', of which 'pc' is configured, can be a VM
 * port. */
static bool
is_vm_port(const struct vmmob_bridge *b, const struct ofport *ofport,
           const struct port_config *pc)
{
    return (ofport->ofp_port == OFPP_LOCAL ? pc && pc->network
            : ofport->ofp_port != b->uplink);
}

/* Finds out which VM ports 'b' has, and in which networks of 's' they are. */
void
vmmob_vm_ports_find(struct vmmob_bridge *b, const struct vmmob_settings *s,
                    long long int now)
{
    unsigned long *changed = bitmap_allocate(s->n_networks);
    struct sset new = SSET_INITIALIZER(&new);
    const struct ofport *ofport;
    struct vmmob_vm_port *port;

    HMAP_FOR_EACH (port, node, &b->vm_ports) {
        port->marked = true;
    }
    HMAP_FOR_EACH (ofport, hmap_node, &b->ofproto->up.ports) {
        const char *name = netdev_get_name(ofport->netdev);
        const struct port_config *pc
            = vmmob_port_configs_find(&b->port_configs, name);
        struct port_networks networks;

        if (!is_vm_port(b, ofport, pc)) {
            continue;
        }

        port = vmmob_vm_port_find(b, ofport->ofp_port);
        if (port && strcmp(port->name, name)) {
            const struct port_networks none = { .n = 0 };

            mark_networks(s, &port->networks, &none, changed);
            vm_port_destroy(b, port, now);
            port = NULL;
        }
        if (!port) {
            port = xzalloc(sizeof *port);
            port->number = ofport->ofp_port;
            port->mtu = vmmob_port_get_mtu(ofport);
            port->advertised = LLONG_MIN / 2;
            token_bucket_init(&port->errors, ERROR_RATE, ERROR_BURST);
            port->name = xstrdup(name);
            hmap_insert(&b->vm_ports, &port->node,
                        hash_int(ofp_to_u16(port->number), 0));
            vmmob_rules_update_forged(b->rules, port->number, true);
            sset_add(&new, name);
        }
        port->marked = false;
        vmmob_port_config_get_networks(pc, s, &networks);
        set_networks(b, port, &networks, s, changed, now);

        int mtu = vmmob_port_get_mtu(ofport);
        if (port->mtu != mtu) {
            port->mtu = mtu;
            if (vmmob_settings_has_home(s, VMMOB_IPV6)) {
                port->advert_due = true;
                b->next_port_advert = now;
            }
        }
    }
    HMAP_FOR_EACH_SAFE (port, node, &b->vm_ports) {
        if (port->marked) {
            const struct port_networks none = { .n = 0 };

            mark_networks(s, &port->networks, &none, changed);
            vm_port_destroy(b, port, now);
        }
    }
    for (size_t i = 0; i < s->n_networks; i++) {
        if (bitmap_is_set(changed, i)) {
            const struct rules_context ctx = vmmob_bridge_rules_context(b);

            vmmob_rules_update_network(b->rules, &ctx, s->networks[i].id);
        }
    }
    bitmap_free(changed);

    configure_punt(b, s);
    vmmob_vm_ports_police(b, &new, now);
    sset_destroy(&new);
}

/* Forgets all VM ports of 'b'. */
void
vmmob_vm_ports_forget(struct vmmob_bridge *b)
{
    struct vmmob_vm_port *port;

    HMAP_FOR_EACH_POP (port, node, &b->vm_ports) {
        vmmob_port_networks_destroy(&port->networks);
        free(port->name);
        free(port);
    }
    vmmob_punt_configure(&b->ofproto->uuid, NULL, 0);
}

/* Returns how many frames came in by 'port' of 'b' from a MAC address that
 * must not be there. */
static unsigned long long int
count_strange(const struct vmmob_bridge *b, const struct vmmob_vm_port *port)
{
    return port->n_strange + vmmob_rules_count_strange(b->rules, port->number);
}

unsigned long long int
vmmob_count_forged(const struct vmmob_bridge *b,
                   const struct vmmob_vm_port *port)
{
    return (count_strange(b, port)
            + vmmob_rules_count_forged(b->rules, port->number));
}

unsigned long long int
vmmob_count_blocked(const struct vmmob_bridge *b,
                    const struct vmmob_vm_port *port)
{
    return port->n_blocked + vmmob_rules_count_blocked(b->rules, port->number);
}

void
vmmob_get_punt_stats(const struct vmmob_bridge *b, ofp_port_t port,
                     enum punt_kind kind, struct fairq_stats *stats)
{
    vmmob_punt_get_stats(&b->ofproto->uuid, port, kind, stats);
}

/* Logs which VM ports of 'b' send forged frames. */
void
vmmob_vm_ports_report_forged(struct vmmob_bridge *b)
{
    static struct vlog_rate_limit forged_rl = VLOG_RATE_LIMIT_INIT(5, 20);
    struct vmmob_vm_port *port;

    HMAP_FOR_EACH (port, node, &b->vm_ports) {
        unsigned long long int n = count_strange(b, port);

        if (n > port->n_strange_reported) {
            VLOG_WARN_RL(&forged_rl, "bridge %s: dropped %llu frames at port "
                         "%s, where the MAC address of the sender must not "
                         "be (see external_ids:attached-mac and vmmob-mac of "
                         "the interface)", b->name,
                         n - port->n_strange_reported, port->name);
            port->n_strange_reported = n;
        }

        n = vmmob_rules_count_forged(b->rules, port->number);
        if (n > port->n_forged_reported) {
            VLOG_WARN_RL(&forged_rl, "bridge %s: dropped %llu frames at port "
                         "%s with the sender's address that of somebody in "
                         "the uplink's network or at another site, or not to "
                         "be found", b->name, n - port->n_forged_reported,
                         port->name);
            port->n_forged_reported = n;
        }
    }
}

/* Blocks those VM ports of 'b' that send so much more than they may that it
 * costs others, and unblocks those that have stopped.
 *
 * To refuse what is too much costs little.  But on the userspace datapath it
 * takes the time of the thread that forwards for all, above all because each
 * new sender needs a datapath flow of its own. */
void
vmmob_vm_ports_block_floods(struct vmmob_bridge *b, long long int now)
{
    static struct vlog_rate_limit flood_rl = VLOG_RATE_LIMIT_INIT(5, 20);
    size_t rate = b->ofs->settings.flood_rate;
    struct vmmob_vm_port *port;

    HMAP_FOR_EACH (port, node, &b->vm_ports) {
        struct fairq_stats stats;

        vmmob_get_punt_stats(b, port->number, PUNT_VM, &stats);
        unsigned long long int n = (stats.n_limited + stats.n_overflow
                                    + vmmob_count_forged(b, port)
                                    + vmmob_count_blocked(b, port));
        bool floods = (rate && n - port->n_excess
                               > rate * VM_PORT_COUNT_MS / 1000);

        port->n_excess = n;
        if (floods) {
            port->blocked_until = now + BLOCK_MS;
        }
        if (floods && !port->blocked) {
            COVERAGE_INC(vmmob_flood);
            VLOG_WARN_RL(&flood_rl, "bridge %s: blocking port %s, which "
                         "floods; see vmmob-flood-rate", b->name, port->name);
            vmmob_rules_update_block(b->rules, port->number, true);
            port->blocked = true;
        } else if (port->blocked && (!rate || now >= port->blocked_until)) {
            VLOG_INFO_RL(&flood_rl, "bridge %s: port %s does not flood any "
                         "more", b->name, port->name);
            port->n_blocked = vmmob_count_blocked(b, port);
            vmmob_rules_update_block(b->rules, port->number, false);
            port->blocked = false;
        }
    }
}
