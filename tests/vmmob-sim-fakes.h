/* SPDX-License-Identifier: Apache-2.0 */

/* Included before everything else (-include) in all that is compiled for
 * tests/test-vmmob-sim.  So whatever ovs-vmmobd, the switch's side of its
 * connection, and Open vSwitch's IDL call of the world outside comes from
 * tests/vmmob-sim-net.c and tests/vmmob-sim-db.c instead.  Open vSwitch's own
 * headers declare these functions under their new names, so that the compiler
 * compares the types. */

#ifndef VMMOB_SIM_FAKES_H
#define VMMOB_SIM_FAKES_H 1

/* Time. */
#define time_msec sim_time_msec
#define poll_timer_wait_at sim_poll_timer_wait_at
#define poll_timer_wait_until_at sim_poll_timer_wait_until_at
#define poll_immediate_wake_at sim_poll_immediate_wake_at

/* Chance. */
#define uuid_generate sim_uuid_generate

/* Connections between switch and agent. */
#define jsonrpc_stream_open sim_jsonrpc_stream_open
#define jsonrpc_open sim_jsonrpc_open
#define jsonrpc_close sim_jsonrpc_close
#define jsonrpc_run sim_jsonrpc_run
#define jsonrpc_wait sim_jsonrpc_wait
#define jsonrpc_get_status sim_jsonrpc_get_status
#define jsonrpc_get_backlog sim_jsonrpc_get_backlog
#define jsonrpc_send sim_jsonrpc_send
#define jsonrpc_recv sim_jsonrpc_recv
#define jsonrpc_recv_wait sim_jsonrpc_recv_wait
#define stream_close sim_stream_close
#define stream_connect sim_stream_connect
#define stream_run sim_stream_run
#define stream_run_wait sim_stream_run_wait
#define stream_connect_wait sim_stream_connect_wait
#define pstream_open sim_pstream_open
#define pstream_close sim_pstream_close
#define pstream_accept sim_pstream_accept
#define pstream_wait sim_pstream_wait

/* Connections to databases, below the IDL. */
#define ovsdb_cs_create sim_cs_create
#define ovsdb_cs_destroy sim_cs_destroy
#define ovsdb_cs_run sim_cs_run
#define ovsdb_cs_wait sim_cs_wait
#define ovsdb_cs_set_remote sim_cs_set_remote
#define ovsdb_cs_enable_reconnect sim_cs_enable_reconnect
#define ovsdb_cs_force_reconnect sim_cs_force_reconnect
#define ovsdb_cs_flag_inconsistency sim_cs_flag_inconsistency
#define ovsdb_cs_is_alive sim_cs_is_alive
#define ovsdb_cs_is_connected sim_cs_is_connected
#define ovsdb_cs_get_last_error sim_cs_get_last_error
#define ovsdb_cs_set_probe_interval sim_cs_set_probe_interval
#define ovsdb_cs_set_condition sim_cs_set_condition
#define ovsdb_cs_clear_condition sim_cs_clear_condition
#define ovsdb_cs_get_condition_seqno sim_cs_get_condition_seqno
#define ovsdb_cs_reset_last_id sim_cs_reset_last_id
#define ovsdb_cs_set_db_change_aware sim_cs_set_db_change_aware
#define ovsdb_cs_set_leader_only sim_cs_set_leader_only
#define ovsdb_cs_set_shuffle_remotes sim_cs_set_shuffle_remotes
#define ovsdb_cs_reset_min_index sim_cs_reset_min_index
#define ovsdb_cs_set_lock sim_cs_set_lock
#define ovsdb_cs_get_lock sim_cs_get_lock
#define ovsdb_cs_has_lock sim_cs_has_lock
#define ovsdb_cs_is_lock_contended sim_cs_is_lock_contended
#define ovsdb_cs_may_send_transaction sim_cs_may_send_transaction
#define ovsdb_cs_send_transaction sim_cs_send_transaction
#define ovsdb_cs_forget_transaction sim_cs_forget_transaction

#endif /* tests/vmmob-sim-fakes.h */
