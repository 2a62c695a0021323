/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_COMPAT_H
#define VMMOB_COMPAT_H 1

/* Functions of later releases of Open vSwitch that our files use, for building
 * with an earlier one.  build-aux/ovs-patch makes vmmob-release.h, which has
 * the number of the release, times 100: 301 is Open vSwitch 3.1.  It also has
 * our own version, VMMOB_VERSION. */

#include "dp-packet.h"
#include "openvswitch/json.h"
#include "vmmob-release.h"

/* Expands to its arguments, which are parameters that there are since that
 * release. */
#if VMMOB_OVS_RELEASE >= 302
#define VMMOB_SINCE_3_2(...) __VA_ARGS__
#else
#define VMMOB_SINCE_3_2(...)
#endif

#if VMMOB_OVS_RELEASE >= 304
#define VMMOB_SINCE_3_4(...) __VA_ARGS__
#else
#define VMMOB_SINCE_3_4(...)
#endif

#if VMMOB_OVS_RELEASE >= 400
#define VMMOB_SINCE_4_0(...) __VA_ARGS__
#else
#define VMMOB_SINCE_4_0(...)
#endif

#if VMMOB_OVS_RELEASE < 306
/* Returns the number of elements of array 'json'. */
static inline size_t
json_array_size(const struct json *json)
{
    return json->array.n;
}

/* Returns element 'index' of array 'json', or NULL if there is none. */
static inline const struct json *
json_array_at(const struct json *json, size_t index)
{
    return index < json->array.n ? json->array.elems[index] : NULL;
}

/* Returns true if packet 'p' has a partial L4 checksum. */
static inline bool
dp_packet_l4_checksum_partial(const struct dp_packet *p)
{
    return dp_packet_hwol_tx_l4_checksum(p);
}
#endif

#endif /* vmmob-compat.h */
