/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_MESSAGE_LIMIT_H
#define VMMOB_MESSAGE_LIMIT_H 1

/* A limit on the memory that a message takes
 * ==========================================
 *
 * A JSON-RPC message may be as long as its sender wants, and the receiver
 * keeps all of it.  So lib/jsonrpc.c asks here before it keeps more, and
 * breaks a connection on which too much comes.
 *
 * A limit holds for the thread that sets it, and for the connections that the
 * thread runs from then on.  There is none at first. */

#include <stdbool.h>
#include <stddef.h>

void vmmob_set_max_message(size_t n);

bool vmmob_message_is_too_large(const char *name, size_t *taken,
                                const void *, size_t n);

/* ovsdb-server, for which the environment variable VMMOB_MAX_MESSAGE is. */
void vmmob_message_limit_init(void);
void vmmob_limit_remote(const char *remote);

#endif /* vmmob-message-limit.h */
