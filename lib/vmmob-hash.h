/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_HASH_H
#define VMMOB_HASH_H 1

/* Hashes of what strangers choose
 * ===============================
 *
 * Who chooses MAC addresses, datapath ids, UUIDs or names can choose them such
 * that all have one hash, and then a hash table is a list.  Those of Open
 * vSwitch's hash.h do not become better by a basis that nobody knows: there
 * are keys that collide whatever the basis is ("test-vmmob hash" has some).
 * So tables of what came from a peer, a guest or the network use these, which
 * are SipHash-1-3 with a key that each process takes at random, as in Python,
 * Ruby and Rust: a move of a VMN takes more than a hundred of them.
 *
 * J.-P. Aumasson, D. J. Bernstein: "SipHash: a fast short-input PRF",
 * INDOCRYPT 2012.
 *
 * Open vSwitch's own tables of names (shash, smap, sset, simap, members of
 * JSON objects) and UUIDs (the IDL, ovsdb-server) use them only in a program
 * that sets 'vmmob_hash_everywhere' before it makes a table: the agent, which
 * reads what strangers wrote, and ovsdb-server if it limits messages.  Other
 * programs keep the order in which they show things.
 *
 * All functions may be called by any thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of one process. */
struct vmmob_hash_key {
    uint64_t k[2];
};

uint64_t vmmob_siphash(const struct vmmob_hash_key *, const void *, size_t n);

uint32_t vmmob_hash_bytes(const void *, size_t n, uint32_t basis);
uint32_t vmmob_hash_uint64(uint64_t, uint32_t basis);

extern bool vmmob_hash_everywhere;

/* For tests that must do the same each time. */
void vmmob_hash_set_key(const struct vmmob_hash_key *);

#endif /* lib/vmmob-hash.h */
