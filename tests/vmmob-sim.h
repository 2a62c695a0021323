/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_SIM_H
#define VMMOB_SIM_H 1

/* The simulated machine room of tests/test-vmmob-sim: clock, chance,
 * processes, connections, databases.  Everything that happens follows from the
 * seed alone. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "openvswitch/compiler.h"
#include "openvswitch/hmap.h"
#include "openvswitch/list.h"
#include "openvswitch/uuid.h"

struct json;
struct jsonrpc_msg;
struct ovsdb_cs;

/* Clock and chance.  Times are in ms. */
extern long long int sim_now;

void sim_start(uint64_t seed);
void sim_finish(void);
uint32_t sim_random(uint32_t n);        /* 0 to n - 1. */
uint32_t sim_range(uint32_t min, uint32_t max);
bool sim_chance(uint32_t percent);

/* What is told of a run, with the time, if 'sim_verbose'. */
extern bool sim_verbose;
void sim_trace__(const char *, ...) OVS_PRINTF_FORMAT(1, 2);
#define sim_trace(...) (sim_verbose ? sim_trace__(__VA_ARGS__) : (void) 0)

/* Reports that something is not as it must be; does not return. */
OVS_NO_RETURN void sim_fail(const char *, ...) OVS_PRINTF_FORMAT(1, 2);

/* Something that is to happen later. */
void sim_at(long long int when, void (*)(void *aux), void *aux);

/* Lets the simulation run until 'when'. */
void sim_run_until(long long int when);

/* A process: runs when it is woken, until it waits again. */
struct sim_proc {
    struct ovs_list node;
    char *name;
    void (*run)(struct sim_proc *);
    bool alive;
    long long int wake;         /* When to run next. */
    long long int stalled;      /* Not before that, though. */
    struct pstream *listener;   /* What it listens on, or NULL. */
};

extern struct sim_proc *sim_current;    /* The one that is running. */

void sim_proc_init(struct sim_proc *, const char *name,
                   void (*run)(struct sim_proc *));
void sim_proc_destroy(struct sim_proc *);
struct sim_proc *sim_proc_find(const char *name);
void sim_wake(struct sim_proc *, long long int when);
void sim_wake_all(void);

/* What a connection goes over. */
struct sim_path {
    bool cut;                   /* Nothing gets through. */
    int delay;                  /* Most ms that a message takes. */
};

/* A message under way. */
struct sim_msg {
    struct ovs_list node;
    long long int arrival;
    enum sim_msg_type {
        SIM_RPC,                /* 'rpc'. */
        SIM_MONITOR,            /* 'id' if 'flag': the last that is known. */
        SIM_TRANSACT,           /* 'rpc'. */
        SIM_CONTENTS,           /* 'json', all if 'flag', up to 'id'. */
        SIM_UPDATE,             /* 'json', up to 'id'. */
        SIM_REPLY,              /* 'rpc'. */
    } type;
    struct jsonrpc_msg *rpc;
    struct json *json;
    struct uuid id;
    bool flag;
};

struct sim_msg *sim_msg_create(enum sim_msg_type);
void sim_msg_destroy(struct sim_msg *);

/* A connection from process 0 to process 1. */
struct sim_conn {
    struct ovs_list node;
    struct sim_proc *procs[2];
    struct sim_path *path;      /* NULL if it cannot be cut. */
    struct ovs_list queues[2];  /* Messages to either side, in order. */
    long long int last[2];      /* When the last of them arrives. */
    bool broken;                /* Nothing more gets in. */
    bool closed[2];             /* By either side? */
};

struct sim_conn *sim_conn_open(struct sim_proc *from, struct sim_proc *to,
                               struct sim_path *);
void sim_conn_close(struct sim_conn *, int side);
void sim_conn_break(struct sim_conn *);
void sim_conn_send(struct sim_conn *, int from, struct sim_msg *);
struct sim_msg *sim_conn_recv(struct sim_conn *, int side);
bool sim_conn_eof(const struct sim_conn *, int side);
void sim_conn_wait(const struct sim_conn *, int side);

void sim_path_cut(struct sim_path *);
void sim_path_heal(struct sim_path *);

/* A database and its server, whose name is what clients call it. */
struct sim_db {
    struct sim_proc proc;
    struct hmap rows;           /* Contains "struct sim_row"s. */
    struct uuid last_id;        /* Of the last transaction. */
    struct sim_entry *history;  /* Oldest first. */
    size_t n_history, allocated_history;
    struct ovs_list clients;    /* Contains "struct sim_client"s. */

    long long int refuse_until; /* Takes no transactions until then. */
    bool answers_first;         /* Before it tells what changed? */
    unsigned long long int n_txns;  /* That changed something. */
};

struct sim_row {
    struct hmap_node node;      /* In 'rows' of its sim_db, by 'uuid'. */
    struct uuid uuid;
    const char *table;
    struct json *columns;       /* Those that were ever set. */
};

enum sim_loss {
    SIM_LOSE_NOTHING,           /* Can tell what changed. */
    SIM_LOSE_HISTORY,           /* Can just tell everything. */
    SIM_LOSE_LATEST,            /* The last transactions are undone. */
    SIM_LOSE_ALL,               /* Comes back empty. */
};

/* The clients of a database go over these. */
typedef struct sim_path *sim_path_func(const struct sim_proc *client,
                                       const struct sim_db *);
extern sim_path_func *sim_get_path;

void sim_db_create(struct sim_db *, const char *name);
void sim_db_destroy(struct sim_db *);
void sim_db_kill(struct sim_db *);
void sim_db_restart(struct sim_db *, enum sim_loss);
void sim_db_slow_down(struct sim_db *, long long int until);
void sim_db_insert(struct sim_db *, const char *table, struct json *columns);
void sim_db_update(struct sim_db *, const char *table, const char *column,
                   struct json *);

/* Tries all orders of news; true if all went well. */
bool sim_orders(size_t every);

#endif /* tests/vmmob-sim.h */
