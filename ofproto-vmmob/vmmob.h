/* SPDX-License-Identifier: Apache-2.0 */

#ifndef OFPROTO_VMMOB_H
#define OFPROTO_VMMOB_H 1

/* VM mobility across IP networks
 * ==============================
 *
 * The module of ovs-vswitchd that lets a VM which is live-migrated to another
 * IP network keep its address and its connections.  vmmob(7) tells what it
 * does for an operator; this comment tells how it stands in the switch.
 *
 *
 * Files
 * -----
 *
 * From the bottom up; no file uses one that stands below it in this list:
 *
 *   - router.[ch]: the addresses of the router that VMNs see.
 *   - nd.[ch], icmp6.[ch], frame.[ch]: frames, read and written: neighbor
 *     discovery and MLD; ICMPv6 errors; ARP, RARP, ICMP errors, and what is
 *     common to both families.
 *   - punt-kind.[ch]: kinds of packets that are punted, and their limits.
 *   - fairq.[ch], tail.[ch], resolver.[ch]: packets that wait: for the thread,
 *     for a VMN that is expected, for an answer.
 *   - network.[ch]: networks of tenants.
 *   - settings.[ch], pool.[ch], pool-claim.[ch], damping.[ch],
 *     port-table.[ch]: other_config; mobile addresses; who else has them; what
 *     moves too often; whose a port is.
 *   - port-config.[ch], port-map.[ch]: in which networks a port is, by what is
 *     configured; the same for any thread.
 *   - handover-state.[ch], -seat.[ch], -journal.[ch], -copy.[ch], -ask.[ch],
 *     -use.[ch], -vmn.[ch], -unused.[ch], -claim.[ch], -ofs.[ch] and
 *     handover.[ch]: what is decided, without packets, flows or sockets:
 *     look-ups; which ports are for whom; what is to be done and told; copies;
 *     asking VMNs that may have come; when they used their home addresses; the
 *     state table of a VMN; home addresses that are not used any more; those
 *     that change hands; OFSs; events.
 *     Only these files include handover-core.h; the others have verbs.
 *   - moves.[ch]: what moves took, in the log and in figures.
 *   - flow-index.[ch]: which datapath flows name an address.
 *   - agent.[ch]: the connection to ovs-vmmobd.
 *   - pipeline-table.[ch], pipeline-rule.h, pipeline-action.[ch],
 *     pipeline.[ch], pipeline-network.[ch], pipeline-vmn.[ch]: which kinds of
 *     OpenFlow rules there are, table by table; what they are made of; which
 *     are wanted, which for one network, and which for one VMN.
 *   - rules.[ch]: what of that is installed, and what it counts.
 *   - punt.[ch]: the queue between the handlers and the module's thread.
 *   - refresh.[ch]: datapath flows that follow the rules at once.
 *   - module.[ch]: the state of the module.
 *   - vm-port.[ch]: who may be at a port, floods.
 *   - output.[ch]: what is sent: answers, announcements, questions, and
 *     packets that go on.
 *   - gateway.[ch]: the gateways of the uplink's network.
 *   - advert.[ch]: router advertisements.
 *   - watch.[ch]: tells moves.[ch] what was decided.
 *   - effects.[ch]: what was decided becomes rules, messages, announcements
 *     and datapath flows.
 *   - bridge.[ch]: a bridge's settings, its record, and what is due at it.
 *   - bridge-gone.[ch]: bridges that lost their settings by mistake.
 *   - packet.[ch]: what becomes of a packet that was punted.
 *   - bridge-list.[ch]: bridges and ports in the order in which the following
 *     have them.
 *   - problems.[ch], stats.[ch]: what is wrong; what is counted.
 *   - show-rows.[ch], show.[ch]: ovs-appctl vmmob/...: commands that can show
 *     very many rows, and the others.
 *   - vmmob.[ch]: the calls from Open vSwitch's own files, and the module's
 *     thread.
 *
 * Data goes one way: packet -> event -> binding -> flows, and packet -> event
 * -> binding -> peer.
 *
 *
 * Threads
 * -------
 *
 * The main thread configures bridges and answers ovs-appctl.  Any thread that
 * processes upcalls may call vmmob_punt(), which only appends a copy of the
 * packet to a bounded queue.  One thread of the module's own takes packets
 * from there and does everything else.
 *
 * 'vmmob_mutex' guards all the state but the queue and the index of datapath
 * flows, which have locks of their own.  Lock order: vmmob_mutex,
 * ofproto_mutex; vmmob_mutex, the mutex of a ukey.  Whoever holds vmmob_mutex
 * must not wait for RCU, because the module's thread does not quiesce while it
 * waits for the mutex.
 *
 * As long as somebody asks for very many rows there is another thread, see
 * show-rows.h.
 *
 * The thread is started when the first bridge is configured for VM mobility.
 * As long as none is, nothing is different from a switch without the module.
 *
 *
 * Flow tables
 * -----------
 *
 * Packets that enter a bridge by a VM port or by the uplink start at table 252
 * instead of 0; see pipeline.h.  The three tables are hidden from OpenFlow
 * controllers and read-only to them. */

#include <stdbool.h>
#include <stdint.h>

#include "ofproto-vmmob/flow-index.h"
#include "ofproto-vmmob/port-map.h"
#include "openvswitch/ofp-port.h"
#include "openvswitch/types.h"
#include "ovs-atomic.h"
#include "vmmob-compat.h"

struct dp_packet;
struct flow;
struct flow_wildcards;
struct frozen_state;
struct ofproto;
struct ofproto_dpif;
struct ovsrec_bridge;
struct smap;

/* The hidden tables. */
enum {
    VMMOB_TABLE_SOURCE = 251,   /* The source of a packet from the uplink. */
    VMMOB_TABLE_ENTRY = 252,    /* Where packets start. */
    VMMOB_TABLE_DESTINATION = 253,  /* The destination of one from a VM. */
};

/* What "controller(id=...)" has in a rule of those tables that punts a packet:
 * this plus the packet's kind (see punt-kind.h). */
#define VMMOB_CONTROLLER_ID 0xff4d

/* What any thread may know of a bridge. */
struct vmmob_ofproto {
    atomic_uint8_t table;       /* See vmmob_first_table(). */
    atomic_uint32_t uplink;     /* Its uplink, if 'table' is not 0... */
    atomic_uint64_t home;       /* ...its IPv4 home subnet: the address and, in
                                 * the low bits, the mask, both 0 if there is
                                 * none... */
    atomic_uint64_t ipv6_home[2];   /* ...and the IPv6 one: the address... */
    atomic_uint8_t ipv6_plen;       /* ...and the prefix length, 0 if there is
                                     * none. */
    atomic_bool local;          /* The local port is a VM port. */
    OVSRCU_TYPE(struct vmmob_port_map *) port_map;  /* NULL if all are in
                                                     * network 0. */
};

/* Main thread only. */
void vmmob_init(void);
void vmmob_exit(void);
void vmmob_configure(const struct ovsrec_bridge *,
                     const struct smap *external_ids, struct eth_addr mac);
void vmmob_configured(void);
void vmmob_run(void);
void vmmob_wait(void);
void vmmob_ofproto_destruct(struct ofproto_dpif *, bool del);
void vmmob_port_destruct(struct ofproto_dpif *, ofp_port_t);

/* Any thread. */
bool vmmob_is_quiet(void);
uint8_t vmmob_first_table(const struct ofproto_dpif *, ofp_port_t in_port);
bool vmmob_is_kept(const struct ofproto_dpif *, ofp_port_t out,
                   const struct flow *, const struct flow *in,
                   struct flow_wildcards *);
bool vmmob_punt(struct ofproto_dpif *, const struct dp_packet *,
                uint16_t controller_id, const struct frozen_state *);

#endif /* ofproto-vmmob/vmmob.h */
