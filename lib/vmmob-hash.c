/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "vmmob-hash.h"

#include "compiler.h"
#include "entropy.h"
#include "ovs-thread.h"
#include "util.h"

/* What is between two blocks of input.  All that works on it is inline, so
 * that it stays in registers: a move takes many hashes of a few bytes. */
struct sip {
    uint64_t v0, v1, v2, v3;
};

bool vmmob_hash_everywhere;

static struct vmmob_hash_key process_key;
static struct ovsthread_once once = OVSTHREAD_ONCE_INITIALIZER;

static const struct vmmob_hash_key *get_key(void);
static inline void sip_init(struct sip *, const struct vmmob_hash_key *);
static inline void sip_block(struct sip *, uint64_t);
static inline uint64_t sip_finish(struct sip *, const void *, size_t n,
                                  size_t n_before);
static inline uint64_t load(const uint8_t *, size_t n);
static inline uint64_t load_word(const uint8_t *);
static inline void sip_round(struct sip *);
static inline uint64_t rotate(uint64_t, int n);

/* Returns SipHash-1-3 of the 'n' bytes at 'data', with the given 'key'. */
uint64_t
vmmob_siphash(const struct vmmob_hash_key *key, const void *data, size_t n)
{
    struct sip s;

    sip_init(&s, key);
    return sip_finish(&s, data, n, 0);
}

/* Returns a hash of the 'n' bytes at 'data' that starts from 'basis'. */
uint32_t
vmmob_hash_bytes(const void *data, size_t n, uint32_t basis)
{
    struct sip s;

    sip_init(&s, get_key());
    if (!basis) {
        return sip_finish(&s, data, n, 0);
    }
    sip_block(&s, basis);
    return sip_finish(&s, data, n, sizeof(uint64_t));
}

/* Returns a hash of 'x' that starts from 'basis'. */
uint32_t
vmmob_hash_uint64(uint64_t x, uint32_t basis)
{
    return vmmob_hash_bytes(&x, sizeof x, basis);
}

/* Makes all hashes of this process depend on just 'key'.  Must be called
 * before there is a table, or while all are empty. */
void
vmmob_hash_set_key(const struct vmmob_hash_key *key)
{
    get_key();
    process_key = *key;
}

static const struct vmmob_hash_key *
get_key(void)
{
    if (ovsthread_once_start(&once)) {
        get_entropy_or_die(&process_key, sizeof process_key);
        ovsthread_once_done(&once);
    }
    return &process_key;
}

static inline void ALWAYS_INLINE
sip_init(struct sip *s, const struct vmmob_hash_key *key)
{
    s->v0 = key->k[0] ^ UINT64_C(0x736f6d6570736575);
    s->v1 = key->k[1] ^ UINT64_C(0x646f72616e646f6d);
    s->v2 = key->k[0] ^ UINT64_C(0x6c7967656e657261);
    s->v3 = key->k[1] ^ UINT64_C(0x7465646279746573);
}

static inline void ALWAYS_INLINE
sip_block(struct sip *s, uint64_t m)
{
    s->v3 ^= m;
    sip_round(s);
    s->v0 ^= m;
}

/* Takes the last 'n' bytes, at 'data', after 'n_before' others in whole
 * blocks, and returns the hash. */
static inline uint64_t ALWAYS_INLINE
sip_finish(struct sip *s, const void *data, size_t n, size_t n_before)
{
    const uint8_t *p = data;
    uint64_t length = n_before + n;

    for (; n >= 8; n -= 8, p += 8) {
        sip_block(s, load_word(p));
    }
    sip_block(s, load(p, n) | length << 56);

    s->v2 ^= 0xff;
    for (int i = 0; i < 3; i++) {
        sip_round(s);
    }
    return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

/* Returns the 'n' bytes at 'p', the first of them the lowest. */
static inline uint64_t
load(const uint8_t *p, size_t n)
{
    uint64_t x = 0;

    for (size_t i = 0; i < n; i++) {
        x |= (uint64_t) p[i] << (8 * i);
    }
    return x;
}

/* Like load(), of eight bytes, which compilers know how to do at once. */
static inline uint64_t
load_word(const uint8_t *p)
{
    return ((uint64_t) p[0] | (uint64_t) p[1] << 8 | (uint64_t) p[2] << 16
            | (uint64_t) p[3] << 24 | (uint64_t) p[4] << 32
            | (uint64_t) p[5] << 40 | (uint64_t) p[6] << 48
            | (uint64_t) p[7] << 56);
}

static inline void ALWAYS_INLINE
sip_round(struct sip *s)
{
    s->v0 += s->v1;
    s->v1 = rotate(s->v1, 13) ^ s->v0;
    s->v0 = rotate(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = rotate(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = rotate(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = rotate(s->v1, 17) ^ s->v2;
    s->v2 = rotate(s->v2, 32);
}

static inline uint64_t
rotate(uint64_t x, int n)
{
    return x << n | x >> (64 - n);
}
