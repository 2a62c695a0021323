/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_BINDING_JSON_H
#define VMMOB_BINDING_JSON_H 1

/* The records of vmmob-binding.h as JSON, for messages (vmmob-msg.h has the
 * form) and for "vmmob/... json".  What is decoded without an error is valid
 * by vmmob_vmn_validate(), vmmob_ofs_validate() or vmmob_port_validate().
 *
 * Pure; not thread-safe. */

#include "vmmob-binding.h"

struct json;

struct json *vmmob_vmn_to_json(const struct vmmob_vmn *);
char *vmmob_vmn_from_json(const struct json *, struct vmmob_vmn *);
struct json *vmmob_ofs_to_json(const struct vmmob_ofs *);
char *vmmob_ofs_from_json(const struct json *, struct vmmob_ofs *);
struct json *vmmob_port_to_json(const struct vmmob_port *);
char *vmmob_port_from_json(const struct json *, struct vmmob_port *);

void vmmob_json_put_key(struct json *, const struct vmmob_key *, uint64_t ofs);

#endif /* lib/vmmob-binding-json.h */
