/* SPDX-License-Identifier: Apache-2.0 */

#ifndef FUZZ_H
#define FUZZ_H 1

/* Fuzz targets: see README.rst.
 *
 * Each decodes 'size' bytes of 'data' as somebody who is not to be trusted
 * might have sent them, and aborts if what comes of it breaks a promise. */

#include <stddef.h>
#include <stdint.h>

struct smap;

typedef void fuzz_func(const uint8_t *data, size_t size);

fuzz_func fuzz_agent_settings;
fuzz_func fuzz_frame;
fuzz_func fuzz_icmp6;
fuzz_func fuzz_mld;
fuzz_func fuzz_msg;
fuzz_func fuzz_nd;
fuzz_func fuzz_rows;
fuzz_func fuzz_settings;

void fuzz_init(void);
void fuzz_assert_ok(char *error);
void fuzz_assert_printable(const char *);
struct json *fuzz_next_json(const uint8_t **data, size_t *size);
void fuzz_parse_smap(const uint8_t *data, size_t size, struct smap *);

#endif /* tests/fuzz/fuzz.h */
