/* SPDX-License-Identifier: Apache-2.0 */

/* The switch's side of the connection to ovs-vmmobd as it is, under other
 * names: those of ovs-vmmobd's own are the same. */

#include <config.h>

#define agent_create sim_switch_agent_create
#define agent_destroy sim_switch_agent_destroy
#define agent_listen sim_switch_agent_listen
#define agent_resync sim_switch_agent_resync
#define agent_run sim_switch_agent_run
#define agent_wait sim_switch_agent_wait
#define agent_send sim_switch_agent_send
#define agent_get_status sim_switch_agent_get_status

#include "ofproto-vmmob/agent.c"
