/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_PROBLEMS_H
#define VMMOB_PROBLEMS_H 1

/* What is wrong, in words
 * =======================
 *
 * The last part of "vmmob/show" of ovs-vswitchd and of ovs-vmmobd: each
 * problem that there is now, with what to do about it.  Each is of a kind that
 * has a name, for programs and for the metrics.
 *
 * Pure; not thread-safe. */

#include <stdbool.h>
#include <stddef.h>

struct ds;
struct json;

/* Kinds of problems.  vmmob(7) and ovs-vmmobd(8) have their names and what
 * each means. */
#define VMMOB_SWITCH_PROBLEMS                               \
    VMMOB_PROBLEM(AGENT, "agent")                           \
    VMMOB_PROBLEM(STALE, "stale")                           \
    VMMOB_PROBLEM(SETTINGS, "settings")                     \
    VMMOB_PROBLEM(SETTINGS_GONE, "settings-gone")           \
    VMMOB_PROBLEM(UPLINK, "uplink")                         \
    VMMOB_PROBLEM(UPLINK_DOWN, "uplink-down")               \
    VMMOB_PROBLEM(TABLES, "tables")                         \
    VMMOB_PROBLEM(DATAPATH_ID, "datapath-id")               \
    VMMOB_PROBLEM(GATEWAY, "gateway")                       \
    VMMOB_PROBLEM(GATEWAY_CONFLICT, "gateway-conflict")     \
    VMMOB_PROBLEM(NO_POOL, "no-pool")                       \
    VMMOB_PROBLEM(POOL_EXHAUSTED, "pool-exhausted")         \
    VMMOB_PROBLEM(POOL_LOW, "pool-low")                     \
    VMMOB_PROBLEM(POOL_CONFLICT, "pool-conflict")           \
    VMMOB_PROBLEM(HOA_CONFLICT, "hoa-conflict")             \
    VMMOB_PROBLEM(HOA_REFUSED, "hoa-refused")               \
    VMMOB_PROBLEM(FROZEN, "frozen")                         \
    VMMOB_PROBLEM(PORT_BLOCKED, "port-blocked")             \
    VMMOB_PROBLEM(PORT_FULL, "port-full")                   \
    VMMOB_PROBLEM(PORT_MAC, "port-mac")                     \
    VMMOB_PROBLEM(PORT_MTU, "port-mtu")                     \
    VMMOB_PROBLEM(PORT_OUTSIDE, "port-outside")             \
    VMMOB_PROBLEM(PORT_DHCP, "port-dhcp")                   \
    VMMOB_PROBLEM(PORT_NETWORK, "port-network")
#define VMMOB_AGENT_PROBLEMS                                \
    VMMOB_PROBLEM(CONF, "conf")                             \
    VMMOB_PROBLEM(SYSTEM_ID, "system-id")                   \
    VMMOB_PROBLEM(SETTING, "setting")                       \
    VMMOB_PROBLEM(PLAIN_TCP, "plain-tcp")                   \
    VMMOB_PROBLEM(TLS, "tls")                               \
    VMMOB_PROBLEM(CERTIFICATE_ENDS, "certificate-ends")     \
    VMMOB_PROBLEM(CERTIFICATE_EXPIRED, "certificate-expired") \
    VMMOB_PROBLEM(LISTEN, "listen")                         \
    VMMOB_PROBLEM(NO_LISTEN, "no-listen")                   \
    VMMOB_PROBLEM(UNKNOWN_SETTING, "unknown-setting")       \
    VMMOB_PROBLEM(UPLINK_BOND, "uplink-bond")               \
    VMMOB_PROBLEM(BRIDGE_MAC, "bridge-mac")                 \
    VMMOB_PROBLEM(PORT_SETTING, "port-setting")             \
    VMMOB_PROBLEM(METRICS_FILE, "metrics-file")             \
    VMMOB_PROBLEM(SWITCH, "switch")                         \
    VMMOB_PROBLEM(DATABASE, "database")                     \
    VMMOB_PROBLEM(DATABASE_REFUSES, "database-refuses")     \
    VMMOB_PROBLEM(DATABASE_OLD, "database-old")             \
    VMMOB_PROBLEM(DATABASE_DAMAGED, "database-damaged")     \
    VMMOB_PROBLEM(PEER, "peer")                             \
    VMMOB_PROBLEM(PEER_CUT_OFF, "peer-cut-off")             \
    VMMOB_PROBLEM(BAD_ROWS, "bad-rows")                     \
    VMMOB_PROBLEM(OFS_CONFLICT, "ofs-conflict")             \
    VMMOB_PROBLEM(NETWORK_DIFFERS, "network-differs")

enum vmmob_problem_kind {
#define VMMOB_PROBLEM(KIND, NAME) VMMOB_PROBLEM_##KIND,
    VMMOB_SWITCH_PROBLEMS
    VMMOB_N_SWITCH_PROBLEMS,
    VMMOB_LAST_SWITCH_PROBLEM = VMMOB_N_SWITCH_PROBLEMS - 1,
    VMMOB_AGENT_PROBLEMS
    VMMOB_N_PROBLEMS
#undef VMMOB_PROBLEM
};

const char *vmmob_problem_kind_to_string(enum vmmob_problem_kind);

struct vmmob_problem {
    enum vmmob_problem_kind kind;
    char *text;                 /* What is wrong. */
    char *hint;                 /* What to do. */
};

struct vmmob_problems {
    struct vmmob_problem *problems; /* Owned. */
    size_t n, allocated;
    size_t n_by_kind[VMMOB_N_PROBLEMS];
};

/* Most problems of one kind that are shown one by one. */
#define VMMOB_MAX_PROBLEMS_OF_KIND 10

void vmmob_problems_init(struct vmmob_problems *);
void vmmob_problems_destroy(struct vmmob_problems *);
void vmmob_problems_add(struct vmmob_problems *, enum vmmob_problem_kind,
                        char *text, char *hint);
void vmmob_problems_to_text(const struct vmmob_problems *, struct ds *);
struct json *vmmob_problems_to_json(const struct vmmob_problems *);

#endif /* lib/vmmob-problems.h */
