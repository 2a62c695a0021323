/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/output.h"

#include "coverage.h"
#include "dp-packet.h"
#include "flow.h"
#include "ofproto/ofproto-dpif.h"
#include "ofproto-vmmob/bridge.h"
#include "ofproto-vmmob/frame.h"
#include "ofproto-vmmob/handover.h"
#include "ofproto-vmmob/pipeline-action.h"
#include "ofproto-vmmob/punt.h"
#include "ofproto-vmmob/router.h"
#include "ofproto-vmmob/rules.h"
#include "ofproto-vmmob/vm-port.h"
#include "ofproto-vmmob/vmmob.h"
#include "openvswitch/ofp-actions.h"
#include "openvswitch/ofpbuf.h"
#include "packets.h"
#include "util.h"

COVERAGE_DEFINE(vmmob_ask);
COVERAGE_DEFINE(vmmob_resume);
COVERAGE_DEFINE(vmmob_resume_limited);

/* Every so many ms, lost VMNs are asked with at most this many frames, but at
 * least one VMN is asked. */
#define ASK_FRAMES 200
#define ASK_MS 100

/* How often a packet may come back after it was sent on its way anew. */
#define MAX_ATTEMPTS 4

/* Sends 'packet', which is freed, with 'ofpacts' through 'b', as if it came
 * from 'in_port'. */
static void
execute(struct vmmob_bridge *b, struct dp_packet *packet, ofp_port_t in_port,
        const struct ofpbuf *ofpacts)
    OVS_REQUIRES(vmmob_mutex)
{
    struct flow flow;

    flow_extract(packet, &flow);
    flow.in_port.ofp_port = in_port;
    ofproto_dpif_execute_actions(
        b->ofproto, ofproto_dpif_get_tables_version(b->ofproto), &flow, NULL,
        ofpacts->data, ofpacts->size, packet);
    dp_packet_delete(packet);
}

/* Sends 'packet', which is freed, out by the uplink of 'b'. */
void
vmmob_output_uplink(struct vmmob_bridge *b, struct dp_packet *packet)
{
    uint64_t stub[256 / 8];
    struct ofpbuf ofpacts = OFPBUF_STUB_INITIALIZER(stub);

    if (b->uplink != VMMOB_NO_UPLINK) {
        vmmob_put_output(&ofpacts, b->uplink);
    }
    execute(b, packet, OFPP_NONE, &ofpacts);
    ofpbuf_uninit(&ofpacts);
}

/* Sends 'packet', which is freed, to VMs in 'network' at those of the
 * 'n_ports' 'ports' of 'b' that are in it, with the VLAN tag that it has
 * there. */
void
vmmob_output_vms(struct vmmob_bridge *b, struct dp_packet *packet,
                 uint32_t network, const ofp_port_t *ports, size_t n_ports)
{
    uint64_t stub[256 / 8];
    struct ofpbuf ofpacts = OFPBUF_STUB_INITIALIZER(stub);

    if (network) {
        /* See vmmob_is_kept(). */
        vmmob_put_load_reg(&ofpacts, REG_NETWORK, network);
    }
    for (size_t i = 0; i < n_ports; i++) {
        const struct vmmob_vm_port *port = vmmob_vm_port_find(b, ports[i]);
        const struct port_network *pn
            = port ? vmmob_port_networks_find(&port->networks, network) : NULL;

        if (pn && pn->vlan) {
            vmmob_put_tag(&ofpacts, pn->vlan);
            vmmob_put_output(&ofpacts, port->number);
            ofpact_put_STRIP_VLAN(&ofpacts);
        } else if (pn) {
            vmmob_put_output(&ofpacts, port->number);
        }
    }
    execute(b, packet, OFPP_NONE, &ofpacts);
    ofpbuf_uninit(&ofpacts);
}

/* Announces on the uplink that 'moa' is at 'b', to all that have an entry for
 * it in their ARP cache.  If 'fresh' is true, tells the gateway although it
 * has no entry: it makes one from a request for its own address (RFC 826). */
void
vmmob_announce(struct vmmob_bridge *b, const struct in6_addr *moa, bool fresh)
{
    enum vmmob_family family = vmmob_addr_family(moa);
    const struct vmmob_gateway *gw = &b->gateways[family];
    const struct eth_addr *mac = eth_addr_is_zero(gw->mac) ? NULL : &gw->mac;

    vmmob_output_uplink(b, vmmob_frame_compose_announcement(b->mac, moa));
    if (fresh && ipv6_addr_is_set(&gw->addr)) {
        vmmob_output_uplink(b, vmmob_frame_compose_question(b->mac, mac, moa,
                                                            &gw->addr));
    }
}

/* If another switch may be behind 'port' of 'b', tells it that the VMN 'key',
 * which was there and has the home address 'hoa', is now to be found at 'b'.
 * Otherwise that switch would not let packets for the VMN come to 'b', for as
 * long as it remembers. */
void
vmmob_announce_leave(struct vmmob_bridge *b, const struct in6_addr *hoa,
                     const struct vmmob_key *key, ofp_port_t port)
{
    const struct vmmob_vm_port *vm_port = vmmob_vm_port_find(b, port);
    const struct vmmob_port *row = vm_port ? vmmob_vm_port_row(b, vm_port)
                                           : NULL;

    /* A port with one MAC address has one VM, which is gone. */
    if (vm_port && (!row || row->n_macs != 1)) {
        vmmob_output_vms(b, vmmob_frame_compose_announcement(key->mac, hoa),
                         key->tenant, &port, 1);
    }
}

/* Asks at the VM ports of 'b' in 'network', except at 'except', who has 'hoa',
 * on behalf of the VMN 'sha' and 'spa'.  That finds a VMN that did not say
 * anything yet, and one whose port is not known. */
void
vmmob_ask(struct vmmob_bridge *b, uint32_t network,
          const struct in6_addr *hoa, const struct eth_addr sha,
          const struct in6_addr *spa, ofp_port_t except)
{
    ofp_port_t *ports = xmalloc(hmap_count(&b->vm_ports) * sizeof *ports);
    const struct vmmob_vm_port *port;
    size_t n = 0;

    HMAP_FOR_EACH (port, node, &b->vm_ports) {
        if (port->number != except
            && vmmob_port_networks_find(&port->networks, network)) {
            ports[n++] = port->number;
        }
    }
    if (n) {
        COVERAGE_INC(vmmob_ask);
        vmmob_output_vms(b, vmmob_frame_compose_question(sha, NULL, spa, hoa),
                         network, ports, n);
    }
    free(ports);
}

/* Asks the VMN 'key' whether it has 'hoa', at 'port' of 'b', or if that is
 * OFPP_NONE, wherever it may be.  Returns the number of frames sent. */
size_t
vmmob_ask_vmn(struct vmmob_bridge *b, const struct vmmob_key *key,
              const struct in6_addr *hoa, ofp_port_t port)
{
    ofp_port_t *ports = xmalloc((hmap_count(&b->vm_ports) + 1)
                                * sizeof *ports);
    const struct vmmob_vm_port *vm_port;
    size_t n = 0;

    if (port != OFPP_NONE) {
        ports[n++] = port;
    } else {
        HMAP_FOR_EACH (vm_port, node, &b->vm_ports) {
            if (vmmob_port_networks_find(&vm_port->networks, key->tenant)
                && vmmob_vm_port_may_have(b, vm_port, key->mac)) {
                ports[n++] = vm_port->number;
            }
        }
    }
    if (n) {
        const struct in6_addr gateway
            = vmmob_handover_home_gateway(b->ofs, key->tenant, hoa);

        COVERAGE_INC(vmmob_ask);
        vmmob_output_vms(b, vmmob_frame_compose_question(
            vmmob_gateway_mac, &key->mac, &gateway, hoa), key->tenant, ports,
            n);
    }
    free(ports);
    return n;
}

/* Asks the next few of the lost VMNs of 'b' where they are. */
void
vmmob_ask_lost(struct vmmob_bridge *b, long long int now)
{
    const struct handover_ofs *ofs = b->ofs;
    size_t n_frames = 0;

    while (b->n_lost && n_frames < ASK_FRAMES) {
        const struct vmmob_key *key = &b->lost[--b->n_lost];
        const struct handover_vmn *vmn = vmmob_handover_find_vmn(ofs, key);

        if (!vmn || vmn->state != HANDOVER_DETACHED) {
            continue;
        }
        for (size_t i = 0; i < vmn->row.n_pairs; i++) {
            n_frames += vmmob_ask_vmn(b, key, &vmn->row.pairs[i].hoa,
                                      OFPP_NONE);
        }
    }
    b->next_ask = b->n_lost ? now + ASK_MS : LLONG_MAX;
}

/* Adds 'punted' to 'resumed', for vmmob_output_resumed() to send it on its way
 * again, from 'table_id' on, once there are rules for it.  If that is
 * VMMOB_TABLE_SOURCE, the packet goes to 'port'.  Returns false if 'punted'
 * still is the caller's. */
bool
vmmob_resume(struct ovs_list *resumed, struct vmmob_bridge *b,
             struct punted *punted, uint8_t table_id, ofp_port_t port)
{
    if (punted->attempts >= MAX_ATTEMPTS) {
        COVERAGE_INC(vmmob_resume_limited);
        b->n_unresolved++;
        return false;
    }
    punted->bridge = b;
    punted->resume_table = table_id;
    punted->resume_port = port;
    ovs_list_push_back(resumed, &punted->node);
    return true;
}

/* Sends the packets of 'resumed'.  The rules for them must be there: so rules
 * are committed once for all packets, and not for each. */
void
vmmob_output_resumed(struct ovs_list *resumed)
{
    struct punted *punted;

    LIST_FOR_EACH_POP (punted, node, resumed) {
        uint64_t stub[256 / 8];
        struct ofpbuf ofpacts = OFPBUF_STUB_INITIALIZER(stub);

        COVERAGE_INC(vmmob_resume);
        vmmob_put_load_reg(&ofpacts, REG_PORT,
                           (OVS_FORCE uint32_t) punted->resume_port);
        vmmob_put_load_reg(&ofpacts, REG_ATTEMPTS, punted->attempts + 1);
        if (punted->in_port != punted->bridge->uplink
            || punted->resume_table == VMMOB_TABLE_SOURCE) {
            vmmob_put_load_reg(&ofpacts, REG_NETWORK, punted->network);
        }
        vmmob_put_resubmit(&ofpacts, punted->resume_table);

        execute(punted->bridge, punted->packet, punted->in_port, &ofpacts);
        punted->packet = NULL;
        ofpbuf_uninit(&ofpacts);
        vmmob_punted_destroy(punted);
    }
}
