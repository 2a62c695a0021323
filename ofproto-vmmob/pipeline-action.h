/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_PIPELINE_ACTION_H
#define VMMOB_PIPELINE_ACTION_H 1

/* What the rules of pipeline.h are made of: matches and actions, of either
 * family of addresses.
 *
 * For the files of pipeline.h only.  Not thread-safe. */

#include <stdint.h>

#include "openvswitch/types.h"
#include "pipeline-rule.h"
#include "punt-kind.h"
#include "vmmob-addr.h"

void vmmob_match_type(struct match *, uint16_t dl_type);
void vmmob_match_ip(struct match *, enum vmmob_family);
void vmmob_match_source(struct match *, const struct vmmob_prefix *);
void vmmob_match_destination(struct match *, const struct vmmob_prefix *);
void vmmob_match_icmp(struct match *, enum vmmob_family, uint8_t type);
void vmmob_match_nd(struct match *, uint8_t type,
                    const struct vmmob_prefix *target);
void vmmob_match_reg(struct match *, enum pipeline_reg, uint32_t value);
void vmmob_match_multicast(struct match *, bool multicast);

void vmmob_put_set_source(struct ofpbuf *, const struct in6_addr *);
void vmmob_put_set_destination(struct ofpbuf *, const struct in6_addr *);
void vmmob_put_set_source_to_moa(struct ofpbuf *, enum vmmob_family);
void vmmob_put_move(struct ofpbuf *, enum mf_field_id src,
                    enum mf_field_id dst);
void vmmob_put_set_eth_source(struct ofpbuf *, const struct eth_addr);
void vmmob_put_set_eth_destination(struct ofpbuf *, const struct eth_addr);
void vmmob_put_load_moa(struct ofpbuf *, const struct in6_addr *);
void vmmob_put_load_reg(struct ofpbuf *, enum pipeline_reg, uint32_t value);
void vmmob_put_dec_ttl(struct ofpbuf *);
void vmmob_put_no_in_port(struct ofpbuf *);

void vmmob_put_resubmit(struct ofpbuf *, uint8_t table_id);
void vmmob_put_pass(struct ofpbuf *);
void vmmob_put_by_ip(struct ofpbuf *);
void vmmob_put_refused(struct ofpbuf *, enum pipeline_refused);
size_t vmmob_put_clone(struct ofpbuf *);
void vmmob_end_clone(struct ofpbuf *, size_t start);
void vmmob_put_tag(struct ofpbuf *, uint16_t vlan);
void vmmob_put_output(struct ofpbuf *, ofp_port_t);
void vmmob_put_output_reg(struct ofpbuf *, enum pipeline_reg);
void vmmob_put_punt(struct ofpbuf *, enum punt_kind);

struct ofpbuf *vmmob_rule_add(struct rule_list *, enum pipeline_rule,
                              const struct match *);
void vmmob_rule_add_forged(struct rule_list *, enum pipeline_rule,
                           const struct match *);
void vmmob_rule_add_punt(struct rule_list *, enum pipeline_rule,
                         const struct match *, enum punt_kind);
void vmmob_rule_add_punt_copy(struct rule_list *, enum pipeline_rule,
                              const struct match *, enum punt_kind,
                              uint8_t table_id);
void vmmob_rule_add_punt_errors(struct rule_list *, enum pipeline_rule,
                                const struct match *, enum vmmob_family,
                                enum punt_kind);

#endif /* ofproto-vmmob/pipeline-action.h */
