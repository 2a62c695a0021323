/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_CSUM_H
#define VMMOB_CSUM_H 1

/* Partial checksums
 * =================
 *
 * Whoever leaves a TCP or UDP checksum to the network device puts only the sum
 * of the pseudo-header in its place.  Code that changes the checksum later
 * takes it for whole, so it must be completed first. */

#include <stdbool.h>

struct dp_packet;

bool vmmob_csum_complete(struct dp_packet *);

#endif /* vmmob-csum.h */
