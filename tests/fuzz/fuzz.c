/* SPDX-License-Identifier: Apache-2.0 */

/* What the fuzz targets share. */

#include <config.h>
#undef NDEBUG
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "openvswitch/json.h"
#include "openvswitch/vlog.h"
#include "smap.h"
#include "util.h"

/* Prepares for the targets.  Must be called once, before any of them. */
void
fuzz_init(void)
{
    /* What is refused is logged, which is not what is tested here. */
    vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_OFF);
}

/* Aborts if 'error' is an error message, that is, not null. */
void
fuzz_assert_ok(char *error)
{
    if (error) {
        ovs_fatal(0, "unexpected error: %s", error);
    }
}

/* Aborts if 's' has anything but printable ASCII. */
void
fuzz_assert_printable(const char *s)
{
    for (; *s; s++) {
        ovs_assert(*s >= 0x20 && *s <= 0x7e);
    }
}

/* Returns the JSON object or array that '*data', of '*size' bytes, starts
 * with, as a stream of JSON-RPC does, and advances beyond it.  Returns NULL if
 * there is none. */
struct json *
fuzz_next_json(const uint8_t **data, size_t *size)
{
    struct json_parser *parser;
    struct json *json;
    size_t n;

    if (!*size) {
        return NULL;
    }
    parser = json_parser_create(0);
    n = json_parser_feed(parser, (const char *) *data, *size);
    *data += n;
    *size -= n;
    if (!json_parser_is_done(parser)) {
        json_parser_abort(parser);
        return NULL;
    }
    json = json_parser_finish(parser);
    if (json->type != JSON_OBJECT && json->type != JSON_ARRAY) {
        json_destroy(json);
        return NULL;
    }
    return json;
}

/* Initializes 'smap' from lines "KEY=VALUE".  A carriage return stands for a
 * new-line in VALUE. */
void
fuzz_parse_smap(const uint8_t *data, size_t size, struct smap *smap)
{
    char *text = xmemdup0((const char *) data, size);
    char *save_ptr = NULL;

    smap_init(smap);
    for (char *line = strtok_r(text, "\n", &save_ptr); line;
         line = strtok_r(NULL, "\n", &save_ptr)) {
        char *value = strchr(line, '=');

        if (value) {
            *value++ = '\0';
            for (char *p = value; *p; p++) {
                *p = *p == '\r' ? '\n' : *p;
            }
            smap_replace(smap, line, value);
        }
    }
    free(text);
}
