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
 *   - vmmob.[ch]: the calls from Open vSwitch's own files, the module's
 *     thread, and what becomes of each packet.
 *   - handover.[ch]: what is decided, without packets, flows or sockets.
 *   - pool.[ch], settings.[ch]: mobile addresses; other_config.
 *   - damping.[ch]: what moves too often.
 *   - moves.[ch]: what moves took, in the log and in figures.
 *   - port-table.[ch], fairq.[ch]: whose a port is; the queue between the
 *     handlers and the module's thread.
 *   - rules.[ch]: OpenFlow rules for what was decided.
 *   - flow-index.[ch]: which datapath flows have to follow them at once.
 *   - frame.[ch]: ARP, RARP and ICMP frames, read and written.
 *   - agent.[ch]: the connection to ovs-vmmobd.
 *   - show.[ch]: ovs-appctl vmmob/...
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
 * The thread is started when the first bridge is configured for VM mobility.
 * As long as none is, nothing is different from a switch without the module.
 *
 *
 * Flow tables
 * -----------
 *
 * Packets that enter a bridge by a VM port or by the uplink start at table 252
 * instead of 0; see rules.c.  The three tables are hidden from OpenFlow
 * controllers and read-only to them. */

#include <stdbool.h>
#include <stdint.h>

#include "openvswitch/ofp-port.h"
#include "openvswitch/types.h"

struct dp_packet;
struct frozen_state;
struct ofproto;
struct ofproto_dpif;
struct smap;

/* The hidden tables. */
enum {
    VMMOB_TABLE_SOURCE = 251,   /* The source of a packet from the uplink. */
    VMMOB_TABLE_ENTRY = 252,    /* Where packets start. */
    VMMOB_TABLE_DESTINATION = 253,  /* The destination of one from a VM. */
};

/* "controller(id=...)" in a rule of those tables: to be punted. */
#define VMMOB_CONTROLLER_ID 0xff4d

/* Main thread only. */
void vmmob_init(void);
void vmmob_exit(void);
void vmmob_configure(const char *bridge, const struct smap *other_config,
                     const struct smap *external_ids, struct eth_addr mac);
void vmmob_configured(void);
void vmmob_ofproto_destruct(struct ofproto_dpif *, bool del);
void vmmob_port_destruct(struct ofproto_dpif *, ofp_port_t);

/* Any thread. */
bool vmmob_is_quiet(void);
uint8_t vmmob_first_table(const struct ofproto_dpif *, ofp_port_t in_port);
bool vmmob_punt(struct ofproto_dpif *, const struct dp_packet *,
                uint16_t controller_id, const struct frozen_state *);

#endif /* ofproto-vmmob/vmmob.h */
