/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_RULES_H
#define VMMOB_RULES_H 1

/* The OpenFlow rules of one OFS
 * =============================
 *
 * pipeline.h says what is wanted, for one owner at a time: the OFS itself,
 * pools of other OFSs, a port, or a VMN.  The functions here compare that with
 * what the owner has, and vmmob_rules_commit() installs just the difference.
 * There are O(local + active remote) rules, and as many as it takes to name
 * the pools of other OFSs; never one for each pair of VMNs.
 *
 * Several owners may want the same rule.  It stays until none does, and the
 * actions are always those of the same one of them.
 *
 * Guarded by vmmob_mutex, like all but the queue. */

#include "handover.h"
#include "openvswitch/hmap.h"
#include "openvswitch/ofp-port.h"
#include "pipeline.h"
#include "vmmob-binding.h"

struct ofproto;
struct rules;
struct vmmob_port;

struct rules *vmmob_rules_create(struct ofproto *);
void vmmob_rules_destroy(struct rules *, bool delete_flows);
bool vmmob_rules_are_narrow(const struct rules *);
bool vmmob_rules_commit(struct rules *);
void vmmob_rules_revalidate(struct rules *);

void vmmob_rules_update_base(struct rules *, const struct rules_context *);
void vmmob_rules_update_network(struct rules *, const struct rules_context *,
                                uint32_t id);
void vmmob_rules_update_ofs(struct rules *, const struct rules_context *,
                            uint64_t id);
bool vmmob_rules_is_in_pool(const struct rules *, const struct in6_addr *);
void vmmob_rules_update_vmns(struct rules *, const struct rules_context *,
                             const struct vmmob_key *, size_t n);
void vmmob_rules_update_port(struct rules *, ofp_port_t,
                             const struct vmmob_port *);
void vmmob_rules_update_admission(struct rules *, ofp_port_t,
                                  const struct port_networks *);
unsigned long long int vmmob_rules_count_strange(const struct rules *,
                                                 ofp_port_t);
void vmmob_rules_update_forged(struct rules *, ofp_port_t, bool count);
unsigned long long int vmmob_rules_count_forged(const struct rules *,
                                                ofp_port_t);
unsigned long long int vmmob_rules_count_stray(const struct rules *);
void vmmob_rules_update_block(struct rules *, ofp_port_t, bool block);
unsigned long long int vmmob_rules_count_blocked(const struct rules *,
                                                 ofp_port_t);
void vmmob_rules_collect_idle(struct rules *, const struct rules_context *,
                              long long int since, struct vmmob_key **idle,
                              size_t *n_idle);
void vmmob_rules_collect_busy(struct rules *,
                              unsigned long long int max_packets,
                              struct vmmob_key **busy, size_t *n_busy);
unsigned long long int vmmob_rules_count_arrived(const struct rules *,
                                                 const struct vmmob_key *);
long long int vmmob_rules_get_used(const struct rules *,
                                   const struct vmmob_key *,
                                   const struct in6_addr *hoa);
size_t vmmob_rules_count(const struct rules *);
size_t vmmob_rules_take_changed(struct rules *, struct in6_addr **addrs);

#endif /* ofproto-vmmob/rules.h */
