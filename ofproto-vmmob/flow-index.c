/* SPDX-License-Identifier: Apache-2.0 */

/* A flow is filed under its two IP addresses, each of which its mask makes a
 * prefix, and under its Ethernet destination if the mask has all of that.  To
 * find the flows of an address, it is looked up once for each prefix length
 * that there is. */

#include <config.h>

#include "ofproto-vmmob/flow-index.h"

#include "flow.h"
#include "openvswitch/hmap.h"
#include "openvswitch/list.h"
#include "ovs-atomic.h"
#include "ovs-thread.h"
#include "packets.h"
#include "util.h"
#include "vmmob-hash.h"

/* That a flow matches a prefix. */
struct filing {
    struct ovs_list node;       /* In 'flows' of 'prefix'. */
    struct flow_index_entry *entry;
    struct indexed_prefix *prefix;  /* NULL if not in use. */
};

/* A datapath flow. */
struct flow_index_entry {
    const void *owner;
    struct flow_index_id id;
    struct filing src, dst, mac;
};

/* A prefix that flows match. */
struct indexed_prefix {
    struct hmap_node node;      /* In 'prefixes', by 'addr' and 'plen'. */
    struct in6_addr addr;       /* Host bits are zero. */
    uint8_t plen;               /* 1 to 128; for IPv4, 97 to 128. */
    struct ovs_list flows;      /* Contains "struct filing"s, at least one. */
};

static atomic_bool enabled = false;

static struct ovs_mutex mutex = OVS_MUTEX_INITIALIZER;
static struct hmap prefixes OVS_GUARDED_BY(mutex)
    = HMAP_INITIALIZER(&prefixes);
/* How many of 'prefixes' have which length. */
static size_t n_by_plen[129] OVS_GUARDED_BY(mutex);
static size_t n_entries OVS_GUARDED_BY(mutex);

static void file(struct filing *, struct flow_index_entry *,
                 const struct in6_addr *, uint8_t plen)
    OVS_REQUIRES(mutex);
static void unfile(struct filing *) OVS_REQUIRES(mutex);
static struct indexed_prefix *find_prefix(const struct in6_addr *,
                                          uint8_t plen, uint32_t hash)
    OVS_REQUIRES(mutex);
static uint32_t prefix_hash(const struct in6_addr *, uint8_t plen);
static uint8_t ipv4_plen(ovs_be32 mask);
static uint8_t ipv6_plen(const struct in6_addr *mask);

/* Sets whether vmmob_flow_index_add() adds anything. */
void
vmmob_flow_index_enable(bool enable)
{
    atomic_store_relaxed(&enabled, enable);
}

/* Returns the address by which flows for the Ethernet address 'mac' are found:
 * one of the discard prefix (RFC 6666), which no packet has. */
struct in6_addr
vmmob_flow_index_mac(const struct eth_addr mac)
{
    struct in6_addr addr = { .s6_addr = { 0x01 } };

    memcpy(&addr.s6_addr[sizeof addr.s6_addr - sizeof mac], &mac, sizeof mac);
    return addr;
}

/* Adds the flow 'ufid' and 'pmd_id' of the datapath 'owner', with the key
 * 'flow' and the mask 'wc' (NULL for an exact match).  Returns an entry that
 * the caller must eventually pass to vmmob_flow_index_remove(), or NULL if the
 * flow has no address to be found by. */
struct flow_index_entry *
vmmob_flow_index_add(const void *owner, const ovs_u128 *ufid,
                     unsigned int pmd_id, const struct flow *flow,
                     const struct flow_wildcards *wc)
{
    struct in6_addr src, dst;
    uint8_t src_plen, dst_plen;
    bool enable;

    atomic_read_relaxed(&enabled, &enable);
    if (!enable) {
        return NULL;
    }

    if (flow->dl_type == htons(ETH_TYPE_IP)) {
        in6_addr_set_mapped_ipv4(&src, flow->nw_src);
        in6_addr_set_mapped_ipv4(&dst, flow->nw_dst);
        src_plen = wc ? ipv4_plen(wc->masks.nw_src) : 128;
        dst_plen = wc ? ipv4_plen(wc->masks.nw_dst) : 128;
    } else if (flow->dl_type == htons(ETH_TYPE_IPV6)) {
        src = flow->ipv6_src;
        dst = flow->ipv6_dst;
        src_plen = wc ? ipv6_plen(&wc->masks.ipv6_src) : 128;
        dst_plen = wc ? ipv6_plen(&wc->masks.ipv6_dst) : 128;
    } else {
        src = dst = in6addr_any;
        src_plen = dst_plen = 0;
    }
    bool has_mac = !wc || eth_mask_is_exact(wc->masks.dl_dst);
    if (!src_plen && !dst_plen && !has_mac) {
        return NULL;
    }

    const struct in6_addr mac = vmmob_flow_index_mac(flow->dl_dst);

    struct flow_index_entry *entry = xzalloc(sizeof *entry);
    entry->owner = owner;
    entry->id.ufid = *ufid;
    entry->id.pmd_id = pmd_id;
    ovs_mutex_lock(&mutex);
    file(&entry->src, entry, &src, src_plen);
    file(&entry->dst, entry, &dst, dst_plen);
    file(&entry->mac, entry, &mac, has_mac ? 128 : 0);
    n_entries++;
    ovs_mutex_unlock(&mutex);
    return entry;
}

/* Removes and frees 'entry', which may be NULL. */
void
vmmob_flow_index_remove(struct flow_index_entry *entry)
{
    if (entry) {
        ovs_mutex_lock(&mutex);
        unfile(&entry->src);
        unfile(&entry->dst);
        unfile(&entry->mac);
        n_entries--;
        ovs_mutex_unlock(&mutex);
        free(entry);
    }
}

/* Stores in 'ids' at most 'max' flows of the datapath 'owner' that have to do
 * with 'addr', perhaps one of them twice.  First come those that have to do
 * with no other address, then at most 'max_vague' of those that do not look at
 * all bits of it; of each, the latest first.  Returns how many it stored, and
 * stores in '*complete' whether these are all. */
size_t
vmmob_flow_index_find(const void *owner, const struct in6_addr *addr,
                      struct flow_index_id *ids, size_t max, size_t max_vague,
                      bool *complete)
{
    size_t n_vague = 0;
    size_t n = 0;

    *complete = false;
    ovs_mutex_lock(&mutex);
    for (int plen = 128; plen > 0; plen--) {
        struct indexed_prefix *prefix;
        struct in6_addr mask, masked;
        struct filing *filing;

        if (!n_by_plen[plen]) {
            continue;
        }
        mask = ipv6_create_mask(plen);
        masked = ipv6_addr_bitand(addr, &mask);
        prefix = find_prefix(&masked, plen, prefix_hash(&masked, plen));
        if (prefix) {
            LIST_FOR_EACH (filing, node, &prefix->flows) {
                if (filing->entry->owner != owner) {
                    continue;
                }
                if (n >= max || (plen < 128 && n_vague >= max_vague)) {
                    goto out;
                }
                ids[n++] = filing->entry->id;
                n_vague += plen < 128;
            }
        }
    }
    *complete = true;
out:
    ovs_mutex_unlock(&mutex);
    return n;
}

/* Returns the number of flows that can be found. */
size_t
vmmob_flow_index_count(void)
{
    size_t n;

    ovs_mutex_lock(&mutex);
    n = n_entries;
    ovs_mutex_unlock(&mutex);
    return n;
}

static void
file(struct filing *filing, struct flow_index_entry *entry,
     const struct in6_addr *addr, uint8_t plen)
{
    struct indexed_prefix *prefix;
    struct in6_addr mask, masked;
    uint32_t hash;

    filing->entry = entry;
    if (!plen) {
        return;
    }

    mask = ipv6_create_mask(plen);
    masked = ipv6_addr_bitand(addr, &mask);
    hash = prefix_hash(&masked, plen);
    prefix = find_prefix(&masked, plen, hash);
    if (!prefix) {
        prefix = xmalloc(sizeof *prefix);
        prefix->addr = masked;
        prefix->plen = plen;
        ovs_list_init(&prefix->flows);
        hmap_insert(&prefixes, &prefix->node, hash);
        n_by_plen[plen]++;
    }
    filing->prefix = prefix;
    ovs_list_push_front(&prefix->flows, &filing->node);
}

static void
unfile(struct filing *filing)
{
    struct indexed_prefix *prefix = filing->prefix;

    if (prefix) {
        ovs_list_remove(&filing->node);
        if (ovs_list_is_empty(&prefix->flows)) {
            n_by_plen[prefix->plen]--;
            hmap_remove(&prefixes, &prefix->node);
            free(prefix);
        }
    }
}

static struct indexed_prefix *
find_prefix(const struct in6_addr *addr, uint8_t plen, uint32_t hash)
{
    struct indexed_prefix *prefix;

    HMAP_FOR_EACH_WITH_HASH (prefix, node, hash, &prefixes) {
        if (prefix->plen == plen && ipv6_addr_equals(&prefix->addr, addr)) {
            return prefix;
        }
    }
    return NULL;
}

static uint32_t
prefix_hash(const struct in6_addr *addr, uint8_t plen)
{
    return vmmob_hash_bytes(addr, sizeof *addr, plen);
}

/* Returns the number of leading bits that 'mask' has, as for an IPv4-mapped
 * address; 0 if there are none. */
static uint8_t
ipv4_plen(ovs_be32 mask)
{
    uint32_t zeros = ~ntohl(mask);
    int n = zeros ? clz32(zeros) : 32;

    return n ? 96 + n : 0;
}

static uint8_t
ipv6_plen(const struct in6_addr *mask)
{
    int n = 0;

    for (size_t i = 0; i < sizeof mask->s6_addr; i++) {
        uint8_t zeros = ~mask->s6_addr[i];

        if (zeros) {
            return n + clz32(zeros) - 24;
        }
        n += 8;
    }
    return n;
}
