/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_PIPELINE_VMN_H
#define VMMOB_PIPELINE_VMN_H 1

/* Which rules are wanted for one VMN, and where its packets go next: see
 * pipeline.h.
 *
 * Not thread-safe. */

#include <stdbool.h>
#include <stdint.h>

#include "openvswitch/types.h"
#include "pipeline-rule.h"

struct in6_addr;
struct vmmob_key;

void vmmob_pipeline_vmn(const struct rules_context *, const struct vmmob_key *,
                        struct rule_list *);
bool vmmob_pipeline_get_next_hop(const struct rules_context *,
                                 const struct in6_addr *moa, uint64_t ofs,
                                 struct eth_addr *);

#endif /* ofproto-vmmob/pipeline-vmn.h */
