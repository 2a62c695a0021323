/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_TEST_H
#define VMMOB_TEST_H 1

/* What the files of "ovstest test-vmmob" have in common.  test-vmmob.c, which
 * has the command line, says what SEED and N are. */

#include <stdint.h>

#include "openvswitch/compiler.h"

struct ovs_cmdl_context;

void fail(const char *format, ...) OVS_PRINTF_FORMAT(1, 2);
void check_error(const char *what, char *actual, const char *expected);
void start_case(uint32_t seed, uint32_t i);
void parse_seed(struct ovs_cmdl_context *, uint32_t *seed, uint32_t *n);

/* vmmob-test-addr.c */
void vmmob_test_families(struct ovs_cmdl_context *);

/* vmmob-test-frame.c */
void vmmob_test_frames(struct ovs_cmdl_context *);
void vmmob_test_icmp6(struct ovs_cmdl_context *);

/* vmmob-test-network.c */
void vmmob_test_network(struct ovs_cmdl_context *);
void vmmob_test_linger(struct ovs_cmdl_context *);

/* vmmob-test-pool.c */
void vmmob_test_pool(struct ovs_cmdl_context *);

/* vmmob-test-port.c */
void vmmob_test_port_networks(struct ovs_cmdl_context *);

#endif /* vmmob-test.h */
