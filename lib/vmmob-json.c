/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "vmmob-json.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

#include "openvswitch/json.h"
#include "packets.h"
#include "svec.h"
#include "util.h"
#include "vmmob-binding.h"
#include "vmmob-compat.h"

static char *make_error(const char *format, va_list) OVS_PRINTF_FORMAT(1, 0);


/* Taking. */

/* Starts to decode 'json'. */
void
vmmob_object_init(struct vmmob_object *object, const struct json *json)
{
    object->json = json;
    object->error = NULL;
    if (json->type != JSON_OBJECT) {
        vmmob_object_fail(object, "not object but %s",
                          vmmob_json_type_to_string(json->type));
    }
}

/* Records an error, unless there was one already. */
void
vmmob_object_fail(struct vmmob_object *object, const char *format, ...)
{
    if (!object->error) {
        va_list args;

        va_start(args, format);
        object->error = make_error(format, args);
        va_end(args);
    }
}

/* Returns the member 'name' of 'object', or NULL if there is none.  It is an
 * error if there is none, or if it is not of the given 'type'. */
static const struct json *
object_get(struct vmmob_object *object, const char *name, enum json_type type)
{
    const struct json *member;

    if (object->error) {
        return NULL;
    }

    member = shash_find_data(object->json->object, name);
    if (!member) {
        vmmob_object_fail(object, "\"%s\" is missing", name);
    } else if (member->type != type) {
        vmmob_object_fail(object, "\"%s\" is not %s but %s", name,
                          vmmob_json_type_to_string(type),
                          vmmob_json_type_to_string(member->type));
        member = NULL;
    }
    return member;
}

/* Returns the string 'name' of 'object', or an empty one on error.  It is not
 * for the caller to free(). */
const char *
vmmob_object_get_string(struct vmmob_object *object, const char *name)
{
    const struct json *member = object_get(object, name, JSON_STRING);

    return member ? json_string(member) : "";
}

/* Returns the integer 'name' of 'object', which must be from 0 to 'max', or 0
 * on error. */
uint64_t
vmmob_object_get_integer(struct vmmob_object *object, const char *name,
                         uint64_t max)
{
    const struct json *member = object_get(object, name, JSON_INTEGER);

    if (!member) {
        return 0;
    } else if (member->integer < 0 || member->integer > max) {
        vmmob_object_fail(object, "\"%s\" is not from 0 to %"PRIu64, name,
                          max);
        return 0;
    }
    return member->integer;
}

bool
vmmob_object_get_boolean(struct vmmob_object *object, const char *name)
{
    const struct json *member;

    if (object->error) {
        return false;
    }
    member = shash_find_data(object->json->object, name);
    if (member && member->type == JSON_FALSE) {
        return false;
    }
    return object_get(object, name, JSON_TRUE) != NULL;
}

/* Returns the boolean 'name' of 'object', or false if there is none or on
 * error. */
bool
vmmob_object_get_flag(struct vmmob_object *object, const char *name)
{
    return (!object->error && shash_find(object->json->object, name)
            && vmmob_object_get_boolean(object, name));
}

/* Returns the array 'name' of 'object', or NULL on error. */
const struct json *
vmmob_object_get_array(struct vmmob_object *object, const char *name)
{
    return object_get(object, name, JSON_ARRAY);
}

/* Returns the array 'name' of 'object', or NULL if there is none. */
const struct json *
vmmob_object_get_rows(struct vmmob_object *object, const char *name)
{
    return (object->error || shash_find(object->json->object, name)
            ? vmmob_object_get_array(object, name)
            : NULL);
}

struct eth_addr
vmmob_object_get_mac(struct vmmob_object *object, const char *name)
{
    const char *s = vmmob_object_get_string(object, name);
    struct eth_addr mac = eth_addr_zero;

    if (!vmmob_mac_from_string(s, &mac)) {
        vmmob_object_fail(object, "\"%s\" has \"%.32s\", not a MAC address",
                          name, s);
    }
    return mac;
}

uint64_t
vmmob_object_get_ofs_id(struct vmmob_object *object, const char *name)
{
    const char *s = vmmob_object_get_string(object, name);
    uint64_t id = 0;

    if (!vmmob_ofs_id_from_string(s, &id)) {
        vmmob_object_fail(object, "\"%s\" has \"%.32s\", not an OFS id", name,
                          s);
    }
    return id;
}

struct in6_addr
vmmob_object_get_addr(struct vmmob_object *object, const char *name)
{
    const char *s = vmmob_object_get_string(object, name);
    struct in6_addr addr = in6addr_any;

    if (!vmmob_addr_from_optional_string(s, &addr)) {
        vmmob_object_fail(object, "\"%s\" has \"%.64s\", not an IP address",
                          name, s);
    }
    return addr;
}

struct vmmob_prefix
vmmob_object_get_prefix(struct vmmob_object *object, const char *name)
{
    const char *s = vmmob_object_get_string(object, name);
    struct vmmob_prefix prefix = { .plen = 0 };

    if (!object->error) {
        char *error = vmmob_prefix_parse(s, &prefix, NULL);

        if (error) {
            vmmob_object_fail(object, "\"%s\" has %.128s", name, error);
            free(error);
        }
    }
    return prefix;
}

/* Sets '*prefixes' and '*n', so far NULL and 0, to the member 'name' of
 * 'object', which has 'max' of them at most. */
void
vmmob_object_get_prefixes(struct vmmob_object *object, const char *name,
                          size_t max, struct vmmob_prefix **prefixes,
                          size_t *n)
{
    const struct json *array = vmmob_object_get_array(object, name);
    size_t size = vmmob_json_size(array);

    if (size > max) {
        vmmob_object_fail(object, "\"%s\" has %"PRIuSIZE" elements, more "
                          "than %"PRIuSIZE, name, size, max);
    }
    *prefixes = object->error || !size ? NULL : xcalloc(size,
                                                        sizeof **prefixes);
    for (size_t i = 0; !object->error && i < size; i++) {
        const struct json *json = json_array_at(array, i);

        if (json->type != JSON_STRING) {
            vmmob_object_fail(object, "\"%s\" has an element that is not a "
                              "string", name);
        } else {
            char *error = vmmob_prefix_parse(json_string(json),
                                             &(*prefixes)[i], NULL);

            if (error) {
                vmmob_object_fail(object, "\"%s\" has %.128s", name, error);
                free(error);
            }
        }
        *n += !object->error;
    }
}

/* Returns the number of elements of 'array', which may be NULL. */
size_t
vmmob_json_size(const struct json *array)
{
    return array ? json_array_size(array) : 0;
}

/* Like json_type_to_string(), but tells integers from other numbers and does
 * not tell true from false. */
const char *
vmmob_json_type_to_string(enum json_type type)
{
    return (type == JSON_INTEGER ? "integer"
            : type == JSON_TRUE || type == JSON_FALSE ? "boolean"
            : json_type_to_string(type));
}

/* Like xvasprintf(), but replaces what is not printable ASCII by "?".  Error
 * messages quote what another site sent, and they end up in logs. */
static char *
make_error(const char *format, va_list args)
{
    char *error = xvasprintf(format, args);

    for (char *p = error; *p; p++) {
        if (*p < 0x20 || *p > 0x7e) {
            *p = '?';
        }
    }
    return error;
}

/* Like make_error(), but for a variable number of arguments. */
char *
vmmob_json_error(const char *format, ...)
{
    va_list args;
    char *error;

    va_start(args, format);
    error = make_error(format, args);
    va_end(args);
    return error;
}


/* Putting. */

/* Sets the member 'name' of 'object' to 'value'. */
void
vmmob_json_put_integer(struct json *object, const char *name,
                       long long int value)
{
    json_object_put(object, name, json_integer_create(value));
}

/* Sets the member 'name' of 'object' to 'mac', as a string. */
void
vmmob_json_put_mac(struct json *object, const char *name, struct eth_addr mac)
{
    json_object_put_format(object, name, ETH_ADDR_FMT, ETH_ADDR_ARGS(mac));
}

/* Sets the member 'name' of 'object' to an array of the strings in 'words'. */
void
vmmob_json_put_words(struct json *object, const char *name,
                     const struct svec *words)
{
    struct json *array = json_array_create_empty();
    const char *word;
    size_t i;

    SVEC_FOR_EACH (i, word, words) {
        json_array_add(array, json_string_create(word));
    }
    json_object_put(object, name, array);
}

/* Sets the member 'name' of 'object' to an array of the 'n' 'prefixes'. */
void
vmmob_json_put_prefixes(struct json *object, const char *name,
                        const struct vmmob_prefix *prefixes, size_t n)
{
    struct json *array = json_array_create_empty();

    for (size_t i = 0; i < n; i++) {
        json_array_add(array, vmmob_prefix_to_json(&prefixes[i]));
    }
    json_object_put(object, name, array);
}

struct json *
vmmob_ofs_id_to_json(uint64_t id)
{
    return json_string_create_nocopy(xasprintf(VMMOB_OFS_ID_FMT, id));
}

struct json *
vmmob_addr_to_json(const struct in6_addr *addr)
{
    return json_string_create_nocopy(vmmob_addr_to_string(addr, ""));
}

struct json *
vmmob_prefix_to_json(const struct vmmob_prefix *prefix)
{
    return json_string_create_nocopy(vmmob_prefix_to_string(prefix));
}
