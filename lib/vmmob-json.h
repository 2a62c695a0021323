/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_JSON_H
#define VMMOB_JSON_H 1

/* Members of JSON objects
 * =======================
 *
 * Puts values into objects, and takes them out of objects that somebody else
 * made.  There everything is checked, every type and every range, and errors
 * are printable whatever is in the object.
 *
 * Pure; not thread-safe. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"
#include "openvswitch/json.h"
#include "openvswitch/types.h"

struct svec;
struct vmmob_prefix;

/* A JSON object that is being decoded.  Only the first error is kept.  After
 * an error the vmmob_object_get_*() functions return harmless values, so that
 * the caller need check for it just once, in the end. */
struct vmmob_object {
    const struct json *json;
    char *error;                /* Owned.  NULL if there was no error. */
};

void vmmob_object_init(struct vmmob_object *, const struct json *);
void vmmob_object_fail(struct vmmob_object *, const char *format, ...)
    OVS_PRINTF_FORMAT(2, 3);
const char *vmmob_object_get_string(struct vmmob_object *, const char *name);
uint64_t vmmob_object_get_integer(struct vmmob_object *, const char *name,
                                  uint64_t max);
bool vmmob_object_get_boolean(struct vmmob_object *, const char *name);
bool vmmob_object_get_flag(struct vmmob_object *, const char *name);
struct eth_addr vmmob_object_get_mac(struct vmmob_object *, const char *name);
uint64_t vmmob_object_get_ofs_id(struct vmmob_object *, const char *name);
struct in6_addr vmmob_object_get_addr(struct vmmob_object *, const char *name);
struct vmmob_prefix vmmob_object_get_prefix(struct vmmob_object *,
                                            const char *name);
const struct json *vmmob_object_get_array(struct vmmob_object *,
                                          const char *name);
const struct json *vmmob_object_get_rows(struct vmmob_object *,
                                         const char *name);
void vmmob_object_get_prefixes(struct vmmob_object *, const char *name,
                               size_t max, struct vmmob_prefix **, size_t *n);

size_t vmmob_json_size(const struct json *array);
const char *vmmob_json_type_to_string(enum json_type);
char *vmmob_json_error(const char *format, ...) OVS_PRINTF_FORMAT(1, 2);

/* Putting. */
struct json *vmmob_ofs_id_to_json(uint64_t id);
struct json *vmmob_addr_to_json(const struct in6_addr *);
struct json *vmmob_prefix_to_json(const struct vmmob_prefix *);
void vmmob_json_put_integer(struct json *, const char *name, long long int);
void vmmob_json_put_mac(struct json *, const char *name, struct eth_addr);
void vmmob_json_put_words(struct json *, const char *name,
                          const struct svec *);
void vmmob_json_put_prefixes(struct json *, const char *name,
                             const struct vmmob_prefix *, size_t n);

#endif /* lib/vmmob-json.h */
