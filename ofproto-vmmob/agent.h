/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_AGENT_H
#define VMMOB_AGENT_H 1

/* The connection of the switch to ovs-vmmobd, as lib/vmmob-msg.h has it.  The
 * switch listens on a Unix domain socket; the latest connection is the one
 * that counts.  Guarded by vmmob_mutex, like all but the queue. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct agent;
struct handover;
struct vmmob_msg;
struct vmmob_stats;

enum agent_status {
    AGENT_CANNOT_LISTEN,
    AGENT_NOT_CONNECTED,
    AGENT_SYNCHRONIZING,        /* It has not told yet what is known. */
    AGENT_CONNECTED,
};

const char *vmmob_agent_status_to_string(enum agent_status);

struct agent *vmmob_agent_create(void);
void vmmob_agent_destroy(struct agent *);

void vmmob_agent_listen(struct agent *);
void vmmob_agent_resync(struct agent *);
void vmmob_agent_set_networks(struct agent *, const uint32_t *ids, size_t n);
bool vmmob_agent_has_network(const struct agent *, uint32_t id);

bool vmmob_agent_run(struct agent *, struct handover *, long long int now);
void vmmob_agent_wait(struct agent *);

bool vmmob_agent_send(struct agent *, const struct vmmob_msg *update);
bool vmmob_agent_wants_stats(const struct agent *);
void vmmob_agent_send_stats(struct agent *, struct vmmob_stats *);
enum agent_status vmmob_agent_get_status(const struct agent *);

#endif /* ofproto-vmmob/agent.h */
