/* SPDX-License-Identifier: Apache-2.0 */

/* Simulates sites with hypervisors and databases, on which guests live and
 * move while everything breaks, and checks that all is right in the end.
 *
 * Usage: test-vmmob-sim [-v] SEED [N]
 *
 * Runs N schedules (default: 1), with the seeds from SEED on.  What happens in
 * a schedule follows from its seed alone.  If something is wrong, the seed,
 * what is wrong, and the last that happened are printed.  To see all:
 *
 *     tests/test-vmmob-sim -v SEED
 *
 * "test-vmmob-sim hostile" tries instead all orders of what a hostile peer can
 * say; see hostile_peer().  "test-vmmob-sim orders" tries all orders of news
 * about a VMN that is expected; see tests/vmmob-sim-orders.c.  With EVERY
 * after it, it skips most of the orders in which something is gone and back.
 *
 * What is real: all of ovs-vmmobd but its main() (utilities/vmmobd-*.c), with
 * Open vSwitch's IDL under it; of the switch, what it decides
 * (ofproto-vmmob/handover.c, pool.c, damping.c; lib/vmmob-*.c) and its side of
 * the connection to ovs-vmmobd (ofproto-vmmob/agent.c).  What is not real is
 * in tests/vmmob-sim*.c: packets, time, processes, connections, and the
 * database servers.
 *
 * What can happen:
 *
 *   - Switches, agents and database servers are killed and started again; a
 *     server may have lost its latest transactions, or everything.
 *     Connections are cut and heal; they break at once or when somebody has
 *     lost patience.  A transaction may have been done although nobody was
 *     told.  Processes stall, messages take time, servers refuse transactions
 *     or tell late.
 *
 *   - Guests are started and stopped.  They move, also back and forth, with
 *     the old place still heard for a moment.  They are expected before they
 *     move, or in vain.  They appear elsewhere without moving (a migration
 *     that fails).  They are cloned, MAC address and all.  They change their
 *     home address, also to that of another; take a second one, which they
 *     hardly use, and drop it; use very many for a moment.
 *
 *   - Guests in two networks have the same addresses.
 *
 *   - OFSs are added, removed, get another pool, get another id, also that of
 *     another hypervisor's OFS, are added late.
 *
 * What must hold at any time: see check_switch() and check_sighting().  What
 * must hold in the end, once all is healed and alive, no guest is there twice,
 * no two have one home address, and each has sent one packet: see quiet() and
 * check_all(). */

#include <config.h>
#undef NDEBUG
#include "vmmob-sim.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flow.h"
#include "hash.h"
#include "ofproto-vmmob/agent.h"
#include "ofproto-vmmob/handover-core.h"
#include "ofproto-vmmob/handover.h"
#include "ofproto-vmmob/pool.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "openvswitch/ofp-port.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/shash.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "svec.h"
#include "timeval.h"
#include "util.h"
#include "vmmob-compat.h"
#include "vmmob-hash.h"
#include "vmmob-msg.h"
#include "vmmob-table.h"
#include "utilities/vmmobd-agent.h"
#include "utilities/vmmobd-publisher.h"

#define MAX_SITES 4
#define MAX_HYPS 6
#define MAX_OFSS 2              /* At one hypervisor. */
#define MAX_GUESTS 5

/* The network of a tenant; that of all others is 0. */
#define TENANT 7

/* Longest of these that is used, in ms. */
#define MAX_REDIRECT 10000
#define MAX_QUARANTINE 30000
#define MAX_PREPARE 20000
#define MAX_WINDOW 15000
#define MAX_ADDRESS 10000

/* Home addresses, by number: in its network, each guest has one of its own;
 * some that any may have; second ones, in the order of the first; some that
 * any may use for a moment. */
#define FIRST_ALIAS (MAX_GUESTS + 3)
#define FIRST_PASSING (FIRST_ALIAS + MAX_GUESTS)
#define N_PASSING 20
#define N_HOAS (FIRST_PASSING + N_PASSING)

/* An OFS, as it is configured. */
struct ofs_conf {
    uint64_t id;
    uint64_t own[2];            /* Ids that no other OFS has, but for... */
    uint64_t wanted;            /* ...a moment: 'id' unless it must not get
                                 * that one, which another hypervisor has. */
    int number;                 /* Of all OFSs. */
    bool enabled;
    bool late;                  /* Configured some time after the start. */
    int pool;                   /* Which of its pools. */
    int redirect_ms;
    int quarantine_ms;
    int prepare_ms;
    int address_ms;
    int max_moves;
    int move_window_ms;
    bool been[MAX_GUESTS];      /* Which guests were heard or expected
                                 * there. */
};

/* What was last known of a guest at a switch: hashes of all that its rules
 * depend on, or 0 if it was not looked at yet. */
struct digest {
    uint32_t table;             /* What is in the table. */
    uint32_t ofss[MAX_OFSS];    /* What is in the OFSs, 0 for one that is not
                                 * there. */
    bool owner;                 /* Of all of its home addresses? */
};

/* A port for a guest, as the hypervisor says. */
struct seat {
    int guest;
    int ofs;
    ofp_port_t port;
    bool expects;               /* Said by "attached-mac"... */
    bool has;                   /* ...or as the only one that may be there. */
};
#define MAX_SEATS 8

struct hypervisor {
    int number;
    int site;

    /* The switch. */
    struct sim_proc sw;
    struct handover *handover;  /* NULL while it is dead. */
    struct agent *sw_agent;
    struct vmmob_table *authored;   /* As it told. */
    struct digest digests[MAX_GUESTS];
    struct ovs_list inbox;      /* Contains "struct packet"s. */
    struct ofs_conf ofss[MAX_OFSS];
    int n_ofss;
    unsigned int life;          /* How often it was started. */
    struct seat seats[MAX_SEATS];
    int n_seats;
    long long int used[MAX_GUESTS][N_HOAS];     /* When its rules last had a
                                                 * packet from there. */

    /* The agent. */
    struct sim_proc ag;
    struct agent *agent;        /* NULL while it is dead. */
    struct sim_db conf;
};

/* Where a guest is. */
struct place {
    int hyp;                    /* -1 if it is nowhere. */
    int ofs;
    ofp_port_t port;
};

struct guest {
    struct vmmob_key key;
    struct place place;
    struct place before;        /* Where it was before it moved here. */
    struct place clone;         /* Where another VM with this MAC is. */
    int own;                    /* The home address that it has at first. */
    int hoa;
    int alias;                  /* Another home address that it has, or -1. */

    struct place seen_place;    /* As they were when a switch last looked what
                                 * it uses... */
    int seen_hoa, seen_alias;
    long long int settled;      /* ...and since when they have been so. */

    struct place last;          /* Where its last packet came from. */
    bool known;                 /* Was ever in a database? */
};

enum guest_packet { RARP, ARP, DATA, ANNOUNCEMENT, ANSWER };

struct packet {
    struct ovs_list node;       /* In 'inbox' of its hypervisor. */
    enum guest_packet type;
    int guest;
    struct place place;
    int hoa;
    bool port_gone;             /* No packet: the port is gone. */
};

static int n_sites, n_hyps, n_guests;
static struct hypervisor hyps[MAX_HYPS];
static struct guest guests[MAX_GUESTS];
static struct sim_db dbs[MAX_SITES];
static struct sim_path paths[MAX_HYPS][MAX_SITES];
static unsigned int next_port;

/* Nothing happens that may make a VMN unknown once it is in a database:
 * databases do not lose transactions, OFSs are not removed, nothing is
 * released, and no two VMNs want one home address. */
static bool faithful;

/* Guests may use more home addresses than they can have, as every OFS forgets
 * those that are not used. */
static bool passing;

/* For the report of a failure. */
static uint64_t seed;
static int step;
static jmp_buf failed;
static char *failure;

bool sim_verbose;
static bool keep_trace;         /* Keep the last lines, print no line. */
#define TRACE_LINES 80
static char *trace[TRACE_LINES];
static size_t n_trace;

void
sim_trace__(const char *format, ...)
{
    struct ds s = DS_EMPTY_INITIALIZER;
    va_list args;

    ds_put_format(&s, "%6lld.%03lld %2d | ", (sim_now - 1000000) / 1000,
                  sim_now % 1000, step);
    va_start(args, format);
    ds_put_format_valist(&s, format, args);
    va_end(args);
    if (keep_trace) {
        char **line = &trace[n_trace++ % TRACE_LINES];

        free(*line);
        *line = ds_steal_cstr(&s);
    } else {
        puts(ds_cstr(&s));
        ds_destroy(&s);
    }
}

void
sim_fail(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    failure = xvasprintf(format, args);
    va_end(args);
    longjmp(failed, 1);
}

/* An assertion failed somewhere in what is tested. */
static void
crashed(int signum)
{
    static char s[100];

    snprintf(s, sizeof s, "\nseed %"PRIu64": step %d: signal %d\n", seed,
             step, signum);
    if (write(STDERR_FILENO, s, strlen(s)) < 0) {
        /* There is nobody to tell. */
    }
    signal(signum, SIG_DFL);
    raise(signum);
}

/* Names. */

static struct in6_addr
ipv4(uint32_t addr)
{
    return in6_addr_mapped_ipv4(htonl(addr));
}

/* Returns the address fd00:'a':'b'::'c'. */
static struct in6_addr
ipv6(uint8_t a, uint8_t b, uint8_t c)
{
    return (struct in6_addr) {
        .s6_addr = { 0xfd, 0, 0, a, 0, b, 0, 0, 0, 0, 0, 0, 0, 0, 0, c },
    };
}

/* Every second home address is an IPv6 one. */
static struct in6_addr
hoa_addr(int hoa)
{
    return (hoa % 2 ? ipv6(0x64, 0, 10 + hoa)
            : ipv4(0x0a640000 + 10 + hoa));
}

static const char *
place_name(const struct place *p)
{
    static char names[4][32];
    static int i;
    char *s = names[i++ % 4];

    if (p->hyp < 0) {
        return "nowhere";
    }
    snprintf(s, sizeof names[0], "sw%d ofs%d port %"PRIu32, p->hyp,
             hyps[p->hyp].ofss[p->ofs].number, p->port);
    return s;
}

static int
guest_by_key(const struct vmmob_key *key)
{
    for (int i = 0; i < n_guests; i++) {
        if (vmmob_key_equals(key, &guests[i].key)) {
            return i;
        }
    }
    sim_fail("a VMN that nobody has: "ETH_ADDR_FMT, ETH_ADDR_ARGS(key->mac));
}

/* Switches. */

static struct handover_ofs *
find_ofs(const struct hypervisor *hyp, int ofs)
{
    return (hyp->handover
            ? vmmob_handover_find_ofs(hyp->handover, hyp->ofss[ofs].id)
            : NULL);
}

/* Gives 's' the networks that there are, with the same home subnets. */
static void
put_networks(struct vmmob_settings *s)
{
    const struct vmmob_prefix homes[] = {
        { ipv4(0x0a640000), 96 + 24 }, { ipv6(0x64, 0, 0), 64 },
    };
    const struct in6_addr gateways[] = {
        ipv4(0x0a640001), ipv6(0x64, 0, 1),
    };
    struct network nets[2];

    vmmob_net_init(&nets[0], 0, "");
    vmmob_net_init(&nets[1], TENANT, "tenant");
    for (size_t i = 0; i < ARRAY_SIZE(nets); i++) {
        for (size_t j = 0; j < ARRAY_SIZE(homes); j++) {
            vmmob_net_add_subnet(&nets[i], &homes[j], &gateways[j]);
        }
    }
    vmmob_settings_put_networks(s, nets, ARRAY_SIZE(nets));
    for (size_t i = 0; i < ARRAY_SIZE(nets); i++) {
        vmmob_net_destroy(&nets[i]);
    }
}

/* Brings the switch of 'hyp' in line with 'conf'. */
static void
switch_configure(struct hypervisor *hyp, const struct ofs_conf *conf)
{
    uint32_t net = 0x0a000000 + ((1 + conf->number) << 16);
    struct vmmob_settings s;
    struct vmmob_ofs record;
    struct vmmob_prefix pools[2];

    if (!conf->enabled) {
        sim_trace("sw%d: removes ofs%d", hyp->number, conf->number);
        vmmob_handover_remove(hyp->handover, conf->id, true, sim_now);
        /* If it comes back while the switch stalls, it is a new one. */
        for (int i = 0; i < MAX_GUESTS; i++) {
            for (int j = 0; j < hyp->n_ofss; j++) {
                if (conf == &hyp->ofss[j]) {
                    hyp->digests[i].ofss[j] = 0;
                }
            }
        }
        sim_wake(&hyp->sw, sim_now);
        return;
    }

    pools[0] = (struct vmmob_prefix) {
        .addr = ipv4(net + 8 + 8 * conf->pool), .plen = 96 + 29,
    };
    pools[1] = (struct vmmob_prefix) {
        .addr = ipv6(1 + conf->number, 1 + conf->pool, 0), .plen = 96,
    };
    memset(&s, 0, sizeof s);
    s.uplink = xstrdup("eth1");
    s.ip[VMMOB_IPV4] = (struct vmmob_ip_settings) {
        .network = { ipv4(net), 96 + 24 },
        .gateway = ipv4(net + 1),
    };
    s.ip[VMMOB_IPV6] = (struct vmmob_ip_settings) {
        .network = { ipv6(1 + conf->number, 0, 0), 64 },
        .gateway = ipv6(1 + conf->number, 0, 1),
    };
    s.pools = xmemdup(pools, sizeof pools);
    s.n_pools = ARRAY_SIZE(pools);
    put_networks(&s);
    s.redirect_ms = conf->redirect_ms;
    s.quarantine_ms = conf->quarantine_ms;
    s.prepare_ms = conf->prepare_ms;
    s.address_ms = conf->address_ms;
    s.copy_ms = conf->prepare_ms ? 50 : 0;
    s.max_moves = conf->max_moves;
    s.move_window_ms = conf->move_window_ms;

    vmmob_ofs_init(&record, conf->id);
    vmmob_settings_fill_ofs(&s, &record);
    record.mac = (struct eth_addr) ETH_ADDR_C(02,00,00,00,00,01);
    if (!vmmob_handover_find_ofs(hyp->handover, conf->id)
        && vmmob_handover_find_foreign(hyp->handover, &record)) {
        /* Not before that is gone. */
    } else {
        sim_trace("sw%d: ofs%d is "VMMOB_OFS_ID_FMT", pool %d", hyp->number,
                  conf->number, conf->id, conf->pool);
        vmmob_handover_configure(hyp->handover, &record, &s, sim_now);
        sim_wake(&hyp->sw, sim_now);
    }
    vmmob_ofs_destroy(&record);
    vmmob_settings_destroy(&s);
}

/* Gives the OFS 'conf' of 'hyp' the id that it is to get.  That does not
 * change what it knows of its VMNs. */
static void
switch_rename(struct hypervisor *hyp, struct ofs_conf *conf)
{
    struct handover_ofs *ofs
        = (hyp->handover
           ? vmmob_handover_find_ofs(hyp->handover, conf->id) : NULL);
    struct {
        struct vmmob_vmn row;
        enum handover_state state;
    } old[MAX_GUESTS];
    const struct handover_vmn *vmn;
    uint64_t id = conf->id;
    size_t n = 0;

    conf->id = conf->wanted;
    sim_trace("sw%d: ofs%d gets id "VMMOB_OFS_ID_FMT, hyp->number,
              conf->number, conf->id);
    if (!ofs) {
        return;
    }
    HMAP_FOR_EACH (vmn, node, &ofs->vmns) {
        vmmob_vmn_clone(&old[n].row, &vmn->row);
        old[n++].state = vmn->state;
    }
    vmmob_handover_rename(hyp->handover, id, conf->id, sim_now);
    switch_configure(hyp, conf);
    for (size_t i = 0; i < n; i++) {
        vmn = vmmob_handover_find_vmn(ofs, &old[i].row.key);
        if (old[i].state != HANDOVER_LEFT
            && (!vmn || vmn->state != old[i].state)) {
            sim_fail("sw%d: ofs%d got another id and lost vm%d", hyp->number,
                     conf->number, guest_by_key(&old[i].row.key));
        }
        for (size_t j = 0; vmn && j < old[i].row.n_pairs; j++) {
            const struct vmmob_pair *pair = &old[i].row.pairs[j];
            const struct vmmob_pair *now = vmmob_vmn_find_hoa(&vmn->row,
                                                              &pair->hoa);

            if (!now || (ipv6_addr_is_set(&pair->moa)
                         && !ipv6_addr_equals(&pair->moa, &now->moa))) {
                sim_fail("sw%d: vm%d has other addresses", hyp->number,
                         guest_by_key(&old[i].row.key));
            }
        }
        vmmob_vmn_destroy(&old[i].row);
    }
}

/* Gives the OFS 'conf' of 'hyp' the id that it is to get, unless another one
 * has it. */
static void
switch_try_rename(struct hypervisor *hyp, struct ofs_conf *conf)
{
    const struct vmmob_ofs *row
        = (hyp->handover
           ? vmmob_table_find_ofs(hyp->handover->table, conf->id) : NULL);
    struct vmmob_ofs record;
    bool barred;

    for (int i = 0; i < hyp->n_ofss; i++) {
        if (hyp->ofss[i].id == conf->wanted) {
            return;
        }
    }
    if (row && vmmob_handover_find_ofs(hyp->handover, conf->id)) {
        vmmob_ofs_clone(&record, row);
        record.id = conf->wanted;
        barred = vmmob_handover_find_foreign(hyp->handover, &record);
        vmmob_ofs_destroy(&record);
        if (barred) {
            return;
        }
    }
    switch_rename(hyp, conf);
}

/* Lets the OFSs of 'hyp' give way to others that had their ids first, and come
 * back, as vmmob_bridge_configure(). */
static void
switch_settle_ids(struct hypervisor *hyp)
{
    for (int i = 0; i < hyp->n_ofss; i++) {
        struct ofs_conf *conf = &hyp->ofss[i];
        const struct handover_ofs *ofs = find_ofs(hyp, i);

        if (ofs && ofs->rival) {
            sim_trace("sw%d: ofs%d gives way", hyp->number, conf->number);
            vmmob_handover_remove(hyp->handover, conf->id, true, sim_now);
            vmmob_agent_resync(hyp->sw_agent);
        }
        if (conf->wanted != conf->id) {
            switch_try_rename(hyp, conf);
        }
        if (conf->enabled && !conf->late && !find_ofs(hyp, i)) {
            switch_configure(hyp, conf);
            if (find_ofs(hyp, i)) {
                vmmob_agent_resync(hyp->sw_agent);
            }
        }
    }
}

/* An OFS that is configured some time after its switch was started. */
struct late {
    struct hypervisor *hyp;
    unsigned int life;
    int ofs;
};

static void
configure_late(void *aux)
{
    struct late *late = aux;
    struct hypervisor *hyp = late->hyp;

    if (hyp->handover && hyp->life == late->life) {
        hyp->ofss[late->ofs].late = false;
        if (hyp->ofss[late->ofs].enabled) {
            switch_configure(hyp, &hyp->ofss[late->ofs]);
        }
    }
    free(late);
}

static void
switch_start(struct hypervisor *hyp)
{
    sim_trace("sw%d: starts", hyp->number);
    hyp->life++;
    hyp->handover = vmmob_handover_create();
    hyp->authored = vmmob_table_create();
    memset(hyp->digests, 0, sizeof hyp->digests);
    memset(hyp->used, 0, sizeof hyp->used);
    hyp->sw.alive = true;
    sim_current = &hyp->sw;
    hyp->sw_agent = vmmob_agent_create();
    vmmob_agent_listen(hyp->sw_agent);
    sim_current = NULL;
    for (int i = 0; i < hyp->n_ofss; i++) {
        struct ofs_conf *conf = &hyp->ofss[i];

        conf->late = !faithful && sim_chance(10);
        if (conf->late) {
            struct late *late = xmalloc(sizeof *late);

            *late = (struct late) { hyp, hyp->life, i };
            sim_at(sim_now + sim_random(3000), configure_late, late);
        } else if (conf->enabled) {
            switch_configure(hyp, conf);
        }
    }
    sim_wake(&hyp->sw, sim_now);
}

static void
switch_kill(struct hypervisor *hyp)
{
    struct packet *packet;

    sim_trace("sw%d: is killed", hyp->number);
    hyp->sw.alive = false;
    vmmob_agent_destroy(hyp->sw_agent);
    vmmob_handover_destroy(hyp->handover);
    vmmob_table_destroy(hyp->authored);
    hyp->handover = NULL;
    hyp->sw_agent = NULL;
    hyp->authored = NULL;
    LIST_FOR_EACH_POP (packet, node, &hyp->inbox) {
        free(packet);
    }
}

/* Returns what the rules for 'key' depend on. */
static struct digest
make_digest(const struct hypervisor *hyp, const struct vmmob_key *key)
{
    const struct vmmob_table *table = hyp->handover->table;
    const struct vmmob_entry *entry = vmmob_table_find(table, key);
    struct digest digest = { .table = 0, .owner = true };
    const struct vmmob_row *row;
    uint32_t hash = 0;

    if (entry) {
        const struct vmmob_vmn *binding = vmmob_entry_binding(entry);

        LIST_FOR_EACH (row, node, &entry->rows) {
            hash = hash_uint64_basis(row->vmn.ofs, hash);
            hash = hash_uint64_basis(row->vmn.seqno, hash);
            hash = hash_int(row->vmn.state, hash);
            for (size_t i = 0; i < row->vmn.n_pairs; i++) {
                const struct vmmob_pair *pair = &row->vmn.pairs[i];

                hash = hash_bytes(&pair->hoa, sizeof pair->hoa, hash);
                hash = hash_bytes(&pair->moa, sizeof pair->moa, hash);
                hash = hash_boolean(pair->claimed, hash);
            }
        }
        for (size_t i = 0; i < binding->n_pairs; i++) {
            digest.owner = digest.owner && vmmob_table_find_by_hoa(
                table, key->tenant, &binding->pairs[i].hoa) == binding;
        }
    }
    digest.table = hash | 1;
    for (int i = 0; i < hyp->n_ofss; i++) {
        const struct handover_ofs *ofs = find_ofs(hyp, i);

        if (ofs) {
            const struct handover_vmn *vmn = vmmob_handover_find_vmn(ofs, key);

            hash = hash_int(vmn ? vmn->state : -1, 0);
            hash = hash_int(vmn && vmn->state != HANDOVER_LEFT
                            ? (OVS_FORCE uint32_t) vmn->port : 0, hash);
            hash = hash_uint64_basis(vmn ? vmn->copy_to : 0, hash);
            hash = hash_boolean(vmmob_handover_is_active(ofs, key), hash);
            digest.ofss[i] = hash | 1;
        }
    }
    return digest;
}

/* Returns the number of VMN rows in 'table'. */
static size_t
count_rows(const struct vmmob_table *table)
{
    const struct vmmob_entry *entry;
    size_t n = 0;

    HMAP_FOR_EACH (entry, node, vmmob_table_entries(table)) {
        n += ovs_list_size(&entry->rows);
    }
    return n;
}

/* Copies go to an OFS that says that it expects the VMN, for a while. */
static void
check_copies(const struct hypervisor *hyp)
{
    for (int i = 0; i < hyp->n_ofss; i++) {
        const struct handover_ofs *ofs = find_ofs(hyp, i);

        for (int j = 0; ofs && j < n_guests; j++) {
            const struct handover_vmn *vmn
                = vmmob_handover_find_vmn(ofs, &guests[j].key);
            const struct vmmob_vmn *row
                = (vmn && vmn->copy_to
                   ? vmmob_table_find_row(hyp->handover->table,
                                          &guests[j].key, vmn->copy_to)
                   : NULL);

            if (vmn && vmn->copy_to
                && (!row || row->state != VMMOB_PREPARED
                    || vmn->state != HANDOVER_ATTACHED
                    || (sim_now > (vmn->copy_since
                                   + vmmob_handover_get_copy_ms(ofs))
                        && vmmob_handover_next_event(
                            hyp->handover) > sim_now))) {
                sim_fail("sw%d: vm%d is copied without reason", hyp->number,
                         j);
            }
        }
    }
}

/* What must hold at any time at one switch, when what was to be done,
 * 'effects', was taken:
 *
 *   - Each VMN whose rules may be other ones now is in 'effects'.
 *
 *   - What the agent was told is what the switch authors.
 *
 *   - No two VMNs have one MoA, and no MoA is taken that no VMN has.
 *
 *   - An OFS has no VMN that was never there nor expected there.
 *
 *   - A VMN is LEFT, or just expected, if its binding is elsewhere, and not
 *     LEFT if it is here. */
static void
check_switch(struct hypervisor *hyp, const struct handover_effects *effects)
{
    struct handover *h = hyp->handover;
    size_t n_rows = 0;

    for (int i = 0; i < n_guests; i++) {
        struct digest digest = make_digest(hyp, &guests[i].key);
        struct digest *old = &hyp->digests[i];
        bool touched = false;

        for (size_t j = 0; j < effects->n_vmns; j++) {
            touched |= vmmob_key_equals(&effects->vmns[j], &guests[i].key);
        }
        bool changed = (old->table && (digest.table != old->table
                                       || (old->owner && !digest.owner)));
        for (int j = 0; j < hyp->n_ofss; j++) {
            /* All rules are made anew for one that was not there. */
            changed |= (old->ofss[j] && digest.ofss[j]
                        && old->ofss[j] != digest.ofss[j]);
        }
        if (changed && !touched) {
            sim_fail("sw%d: vm%d changed, and that is no effect", hyp->number,
                     i);
        }
        *old = digest;
    }
    check_copies(hyp);

    for (int i = 0; i < hyp->n_ofss; i++) {
        const struct handover_ofs *ofs = find_ofs(hyp, i);
        struct in6_addr moas[MAX_GUESTS * VMMOB_MAX_PAIRS];
        const struct handover_vmn *vmn;
        size_t n = 0;

        if (!ofs) {
            continue;
        }
        if (ofs->rival) {
            continue;
        }
        HMAP_FOR_EACH (vmn, node, &ofs->vmns) {
            int g = guest_by_key(&vmn->row.key);
            const struct vmmob_vmn *row
                = vmmob_table_find_row(h->table, &vmn->row.key, ofs->id);
            const struct vmmob_vmn *told
                = vmmob_table_find_row(hyp->authored, &vmn->row.key, ofs->id);
            const struct vmmob_vmn *binding
                = vmmob_table_find_binding(h->table, &vmn->row.key);

            n_rows++;
            if (!hyp->ofss[i].been[g]) {
                sim_fail("sw%d: vm%d was never there", hyp->number, g);
            }
            if (!row || !vmmob_vmn_equals(row, &vmn->row)) {
                sim_fail("sw%d: vm%d is not in the table as it is", i, g);
            }
            if (!told || !vmmob_vmn_equals(told, &vmn->row)) {
                sim_fail("sw%d: vm%d is not as the agent was told", i, g);
            }
            if (binding->ofs == ofs->id && vmn->state == HANDOVER_LEFT) {
                sim_fail("sw%d: vm%d has left and is not elsewhere",
                         hyp->number, g);
            }
            if (binding->ofs != ofs->id && vmn->state != HANDOVER_LEFT
                && vmn->state != HANDOVER_PREPARED) {
                sim_fail("sw%d: vm%d is elsewhere and has not left",
                         hyp->number, g);
            }
            if ((vmn->state == HANDOVER_PREPARED)
                != (vmn->row.state == VMMOB_PREPARED)) {
                sim_fail("sw%d: vm%d is prepared and its row is not, or the "
                         "other way round", hyp->number, g);
            }
            for (size_t j = 0; j < vmn->row.n_pairs; j++) {
                const struct in6_addr *moa = &vmn->row.pairs[j].moa;

                if (!ipv6_addr_is_set(moa)) {
                    continue;
                }
                if (vmmob_addr_family(moa) == VMMOB_IPV6
                    && vmmob_addr_sum(moa)
                       != vmmob_addr_sum(&vmn->row.pairs[j].hoa)) {
                    sim_fail("sw%d: checksums change", hyp->number);
                }
                for (size_t k = 0; k < n; k++) {
                    if (ipv6_addr_equals(&moas[k], moa)) {
                        sim_fail("sw%d: one MoA for two VMNs", hyp->number);
                    }
                }
                moas[n++] = *moa;
            }
        }
        size_t n_taken = (vmmob_pool_n_taken(ofs->pool, VMMOB_IPV4)
                          + vmmob_pool_n_taken(ofs->pool, VMMOB_IPV6));
        if (n_taken != n) {
            sim_fail("sw%d: ofs%d has %"PRIuSIZE" MoAs, but %"PRIuSIZE" are "
                     "taken", hyp->number, hyp->ofss[i].number, n, n_taken);
        }
    }
    if (count_rows(hyp->authored) != n_rows) {
        sim_fail("sw%d: the agent was told of rows that are none",
                 hyp->number);
    }
}

static void send_packet_from(int g, const struct place *, enum guest_packet,
                             int hoa, int delay);

static bool
guest_has(const struct guest *guest, const struct in6_addr *addr)
{
    struct in6_addr hoa = hoa_addr(guest->hoa);
    struct in6_addr alias = hoa_addr(guest->alias);

    return (ipv6_addr_equals(&hoa, addr)
            || (guest->alias >= 0 && ipv6_addr_equals(&alias, addr)));
}

/* A guest of the switch of 'hyp' is asked whether it has a home address.  It
 * answers if it is there and has it. */
static void
guest_ask(const struct hypervisor *hyp, const struct handover_announcement *a)
{
    struct vmmob_key key = { .tenant = a->network, .mac = a->mac };
    int g = guest_by_key(&key);
    const struct guest *guest = &guests[g];

    sim_trace("sw%d: asks vm%d, port %"PRIu32, hyp->number, g, a->port);
    if (guest->place.hyp == hyp->number
        && hyp->ofss[guest->place.ofs].id == a->ofs
        && (a->port == OFPP_NONE || a->port == guest->place.port)
        && guest_has(guest, &a->addr)) {
        struct in6_addr hoa = hoa_addr(guest->hoa);

        send_packet_from(g, &guest->place, ANSWER,
                         ipv6_addr_equals(&hoa, &a->addr) ? guest->hoa
                         : guest->alias, sim_random(5));
    }
}

/* As vmmob_effects_apply() in ofproto-vmmob/effects.c. */
static void
switch_apply(struct hypervisor *hyp)
{
    struct handover_effects effects;
    struct vmmob_msg msg;

    vmmob_msg_init(&msg, VMMOB_MSG_UPDATE);
    vmmob_handover_take_effects(hyp->handover, &effects, &msg);
    for (size_t i = 0; i < msg.n_vmns; i++) {
        vmmob_table_put_vmn(hyp->authored, &msg.vmns[i]);
    }
    for (size_t i = 0; i < msg.n_del_vmns; i++) {
        vmmob_table_remove_vmn(hyp->authored, &msg.del_vmns[i].key,
                               msg.del_vmns[i].ofs);
    }
    check_switch(hyp, &effects);
    for (size_t i = 0; i < effects.n_announcements; i++) {
        if (effects.announcements[i].ask) {
            guest_ask(hyp, &effects.announcements[i]);
        }
    }
    vmmob_agent_send(hyp->sw_agent, &msg);
    vmmob_msg_uninit(&msg);
    vmmob_handover_effects_uninit(&effects);
}

/* Returns true if other VMNs at the switch of 'hyp' have all home addresses in
 * 'row'. */
static bool
has_hoas_of_others(const struct hypervisor *hyp, const struct vmmob_vmn *row)
{
    for (size_t i = 0; i < row->n_pairs; i++) {
        const struct vmmob_vmn *owner = vmmob_table_find_by_hoa(
            hyp->handover->table, row->key.tenant, &row->pairs[i].hoa);

        if (vmmob_key_equals(&owner->key, &row->key)
            || (ipv6_addr_is_set(&row->pairs[i].moa)
                && !vmmob_handover_find_ofs(hyp->handover, owner->ofs))) {
            return false;
        }
    }
    return true;
}

/* What must hold at any time at the OFS that has just seen 'packet': the VMN
 * is attached there, and nobody knows better.  If not, there is a reason. */
static void
check_sighting(const struct hypervisor *hyp, const struct handover_ofs *ofs,
               const struct packet *packet, enum handover_sighting sighting)
{
    const struct vmmob_table *table = hyp->handover->table;
    const struct vmmob_key *key = &guests[packet->guest].key;
    const struct handover_vmn *vmn = vmmob_handover_find_vmn(ofs, key);
    struct in6_addr hoa = hoa_addr(packet->hoa);
    const struct vmmob_vmn *row;

    switch (sighting) {
    case SIGHTED_HERE:
        row = vmmob_table_find_binding(table, key);
        if (!vmn || vmn->state != HANDOVER_ATTACHED
            || vmn->port != packet->place.port || row->ofs != ofs->id) {
            sim_fail("sw%d: vm%d was seen and is not attached", hyp->number,
                     packet->guest);
        }
        if (packet->type != RARP && !vmmob_vmn_find_hoa(row, &hoa)
            && row->n_pairs < VMMOB_MAX_PAIRS
            && (packet->type != ANSWER
                || vmmob_table_find_by_hoa(table, key->tenant,
                                           &hoa) == row)) {
            sim_fail("sw%d: vm%d has not the home address that it was seen "
                     "with", hyp->number, packet->guest);
        }
        break;
    case SIGHTED_NO_HOA:
        row = vmmob_table_find_binding(table, key);
        if ((packet->type != RARP && packet->type != ANSWER)
            || (row && !has_hoas_of_others(hyp, row))) {
            sim_fail("sw%d: vm%d has a home address", hyp->number,
                     packet->guest);
        }
        break;
    case SIGHTED_CONFLICT:
        row = vmmob_table_find_by_hoa(table, key->tenant, &hoa);
        if (!row || vmmob_key_equals(&row->key, key)) {
            sim_fail("sw%d: nobody else has the home address of vm%d",
                     hyp->number, packet->guest);
        }
        break;
    case SIGHTED_FROZEN:
        if (!ofs->settings.max_moves) {
            sim_fail("sw%d: vm%d is frozen", hyp->number, packet->guest);
        }
        break;
    case SIGHTED_PORT_FULL:
        /* The settings have no such limit. */
        sim_fail("sw%d: vm%d is refused at its port", hyp->number,
                 packet->guest);
        break;
    case SIGHTED_FULL:
        if (vmn && vmn->row.n_pairs >= VMMOB_MAX_PAIRS
            && !vmmob_vmn_find_hoa(&vmn->row, &hoa)) {
            break;
        }
        /* Fall through. */
    default:
        sim_fail("sw%d: vm%d has too many home addresses", hyp->number,
                 packet->guest);
    }
}

/* Tells the switch of 'hyp' about the ports that are for a guest, as the agent
 * would. */
static void
switch_hear_seats(struct hypervisor *hyp)
{
    struct vmmob_msg msg;

    vmmob_msg_init(&msg, VMMOB_MSG_UPDATE);
    for (int i = 0; i < hyp->n_seats; i++) {
        const struct seat *seat = &hyp->seats[i];
        struct handover_ofs *ofs = find_ofs(hyp, seat->ofs);
        char *name = xasprintf("p%"PRIu32, seat->port);
        struct port_network network = {
            .id = guests[seat->guest].key.tenant,
        };
        const struct port_networks networks = {
            .kind = PORT_NETWORKS_VM, .n = 1, .networks = &network,
        };
        struct vmmob_port row;

        if (ofs) {
            hyp->ofss[seat->ofs].been[seat->guest] = true;
            vmmob_handover_port_there(hyp->handover, ofs, seat->port, name,
                                      &networks, sim_now);
        }
        vmmob_port_init(&row, name);
        if (seat->expects) {
            row.attached_mac = guests[seat->guest].key.mac;
        }
        if (seat->has) {
            vmmob_port_add_mac(&row, guests[seat->guest].key.mac);
        }
        vmmob_msg_put_port(&msg, &row);
        vmmob_port_destroy(&row);
        free(name);
    }
    if (hyp->n_seats) {
        vmmob_handover_receive(hyp->handover, &msg, sim_now);
    }
    vmmob_msg_uninit(&msg);
}

/* 'port' is for nobody any more. */
static void
switch_forget_seat(struct hypervisor *hyp, ofp_port_t port)
{
    for (int i = 0; i < hyp->n_seats; i++) {
        if (hyp->seats[i].port == port) {
            char *name = xasprintf("p%"PRIu32, port);
            struct vmmob_msg msg;

            hyp->seats[i] = hyp->seats[--hyp->n_seats];
            if (hyp->handover) {
                vmmob_msg_init(&msg, VMMOB_MSG_UPDATE);
                vmmob_msg_del_port(&msg, name);
                vmmob_handover_receive(hyp->handover, &msg, sim_now);
                vmmob_msg_uninit(&msg);
                sim_wake(&hyp->sw, sim_now);
            }
            free(name);
            return;
        }
    }
}

/* Takes 'packet' in, as vmmob_packet_process() in ofproto-vmmob/packet.c. */
static void
switch_process(struct hypervisor *hyp, const struct packet *packet)
{
    static const char *types[] = {
        "RARP", "ARP", "data", "announcement", "answer",
    };
    struct handover_ofs *ofs = find_ofs(hyp, packet->place.ofs);
    struct guest *guest = &guests[packet->guest];
    struct in6_addr hoa = hoa_addr(packet->hoa);
    const struct handover_vmn *vmn;
    enum handover_sighting sighting;

    if (!ofs) {
        return;
    }
    hyp->ofss[packet->place.ofs].been[packet->guest] = true;
    if (packet->port_gone) {
        sim_trace("sw%d: port %"PRIu32" is gone", hyp->number,
                  packet->place.port);
        vmmob_handover_port_gone(hyp->handover, ofs, packet->place.port,
                                 sim_now);
        switch_forget_seat(hyp, packet->place.port);
        return;
    }

    /* Packets for which there are rules, the module does not see. */
    vmn = vmmob_handover_find_vmn(ofs, &guest->key);
    if (packet->type == DATA && vmn && vmn->state == HANDOVER_ATTACHED
        && vmn->port == packet->place.port
        && vmmob_vmn_find_hoa(&vmn->row, &hoa)) {
        hyp->used[packet->guest][packet->hoa] = sim_now;
        sighting = SIGHTED_HERE;
    } else {
        sighting = vmmob_handover_sight(hyp->handover, ofs, &guest->key,
                                        packet->place.port,
                                        packet->type == RARP ? NULL : &hoa,
                                        packet->type == ANSWER
                                        ? HANDOVER_ANSWERED
                                        : packet->type == ANNOUNCEMENT
                                        ? HANDOVER_ANNOUNCED
                                        : HANDOVER_USED, sim_now);
        sim_trace("sw%d: %s from vm%d, hoa%d, at %s: %d", hyp->number,
                  types[packet->type], packet->guest, packet->hoa,
                  place_name(&packet->place), sighting);
    }
    check_sighting(hyp, ofs, packet, sighting);
    if (sighting == SIGHTED_HERE) {
        guest->last = packet->place;
    }
}

/* Fails if 'vmn', at OFS 'ofs' of 'hyp', whose row was 'old', was to have
 * answered for a home address that it has no more, or for all. */
static void
check_forgotten(const struct hypervisor *hyp, int ofs,
                const struct handover_vmn *vmn, const struct vmmob_vmn *old)
{
    int g = guest_by_key(&old->key);
    struct guest *guest = &guests[g];
    bool has_any = false;

    if (guest->seen_place.hyp != guest->place.hyp
        || guest->seen_place.port != guest->place.port
        || guest->seen_hoa != guest->hoa
        || guest->seen_alias != guest->alias) {
        guest->seen_place = guest->place;
        guest->seen_hoa = guest->hoa;
        guest->seen_alias = guest->alias;
        guest->settled = sim_now;
    }
    for (size_t i = 0; i < old->n_pairs; i++) {
        const struct in6_addr *hoa = &old->pairs[i].hoa;

        if (vmmob_vmn_find_hoa(&vmn->row, hoa)) {
            has_any |= !old->pairs[i].claimed;
            continue;
        }
        sim_trace("sw%d: vm%d has forgotten a home address", hyp->number, g);
        if (vmn->state != HANDOVER_ATTACHED
            || (guest->place.hyp == hyp->number && guest->place.ofs == ofs
                && guest->place.port == vmn->port
                && sim_now > guest->settled + 1500
                && guest_has(guest, hoa))) {
            sim_fail("sw%d: vm%d has lost a home address that it has",
                     hyp->number, g);
        }
    }
    if (!has_any && old->n_pairs > vmn->row.n_pairs) {
        sim_fail("sw%d: vm%d has lost its last home address", hyp->number, g);
    }
}

/* As bridge_look_at_uses() in ofproto-vmmob/bridge.c.  Returns when to look
 * next. */
static long long int
switch_look(struct hypervisor *hyp)
{
    long long int next = LLONG_MAX;

    for (int i = 0; i < hyp->n_ofss; i++) {
        struct handover_ofs *ofs = find_ofs(hyp, i);
        struct handover_vmn *vmn;

        while (ofs && (vmn = vmmob_handover_next_look(ofs, sim_now)) != NULL) {
            int g = guest_by_key(&vmn->row.key);
            struct vmmob_vmn old;

            for (int j = 0; j < N_HOAS; j++) {
                struct in6_addr hoa = hoa_addr(j);

                vmmob_handover_note_use(vmn, &hoa, hyp->used[g][j]);
            }
            vmmob_vmn_clone(&old, &vmn->row);
            vmmob_handover_forget_unused(hyp->handover, ofs, vmn, sim_now);
            check_forgotten(hyp, i, vmn, &old);
            vmmob_vmn_destroy(&old);
        }
        if (ofs) {
            next = MIN(next, vmmob_handover_next_look_event(ofs));
        }
    }
    return next;
}

static void
switch_run(struct sim_proc *proc)
{
    struct hypervisor *hyp = CONTAINER_OF(proc, struct hypervisor, sw);
    struct packet *packet;
    long long int next;

    LIST_FOR_EACH_POP (packet, node, &hyp->inbox) {
        switch_process(hyp, packet);
        free(packet);
        if (sim_chance(50)) {
            switch_apply(hyp);
        }
    }
    vmmob_agent_run(hyp->sw_agent, hyp->handover, sim_now);
    switch_settle_ids(hyp);
    switch_hear_seats(hyp);
    vmmob_handover_run(hyp->handover, sim_now);
    next = switch_look(hyp);
    switch_apply(hyp);

    vmmob_agent_wait(hyp->sw_agent);
    next = MIN(next, vmmob_handover_next_event(hyp->handover));
    if (next != LLONG_MAX) {
        poll_timer_wait_until(next);
    }
}

/* Agents. */

static void
agent_proc_run(struct sim_proc *proc)
{
    struct hypervisor *hyp = CONTAINER_OF(proc, struct hypervisor, ag);

    agent_run(hyp->agent);
    agent_wait(hyp->agent);
}

static void
agent_start(struct hypervisor *hyp)
{
    sim_trace("ag%d: starts", hyp->number);
    hyp->ag.alive = true;
    sim_current = &hyp->ag;
    hyp->agent = agent_create(hyp->conf.proc.name, hyp->sw.name, true, NULL);
    sim_current = NULL;
    sim_wake(&hyp->ag, sim_now);
}

static void
agent_kill(struct hypervisor *hyp)
{
    sim_trace("ag%d: is killed", hyp->number);
    hyp->ag.alive = false;
    sim_current = &hyp->ag;
    agent_destroy(hyp->agent);
    sim_current = NULL;
    hyp->agent = NULL;
}

/* Returns the external_ids of 'hyp', with the peers in an order of their
 * own. */
static struct json *
make_external_ids(const struct hypervisor *hyp)
{
    struct ds peers = DS_EMPTY_INITIALIZER;
    struct json *map = json_array_create_empty();
    int first = sim_random(n_sites);

    for (int i = 0; i < n_sites; i++) {
        int site = (first + i) % n_sites;

        if (site != hyp->site) {
            ds_put_format(&peers, "%s ", dbs[site].proc.name);
        }
    }

#define PUT(KEY, ...)                                                   \
    json_array_add(map, json_array_create_2(                            \
                       json_string_create(KEY),                         \
                       json_string_create_nocopy(xasprintf(__VA_ARGS__))))
    PUT("system-id", "hv%d", hyp->number);
    PUT("vmmob-site", "s%d", hyp->site);
    PUT("vmmob-db", "%s", dbs[hyp->site].proc.name);
    PUT("vmmob-peers", "%s", ds_cstr(&peers));
#undef PUT
    ds_destroy(&peers);
    return json_array_create_2(json_string_create("map"), map);
}

static struct sim_path *
get_path(const struct sim_proc *client, const struct sim_db *db)
{
    for (int i = 0; i < n_hyps; i++) {
        for (int j = 0; j < n_sites; j++) {
            if (client == &hyps[i].ag && db == &dbs[j]) {
                return &paths[i][j];
            }
        }
    }
    return NULL;
}

/* Databases. */

static void
db_kill(int site)
{
    sim_trace("db%d: is killed", site);
    sim_db_kill(&dbs[site]);
}

static void
db_start(int site)
{
    uint32_t chance = sim_random(100);
    enum sim_loss loss = (chance < 40 ? SIM_LOSE_NOTHING
                          : chance < 75 || faithful ? SIM_LOSE_HISTORY
                          : chance < 90 ? SIM_LOSE_LATEST
                          : SIM_LOSE_ALL);

    sim_trace("db%d: starts, loss %d", site, loss);
    dbs[site].answers_first = sim_chance(25);
    sim_db_restart(&dbs[site], loss);
}

/* Guests. */

static const struct place nowhere = { .hyp = -1 };

static struct place
random_place(void)
{
    int hyp = sim_random(n_hyps);

    return (struct place) {
        .hyp = hyp,
        .ofs = sim_random(hyps[hyp].n_ofss),
        .port = u16_to_ofp(++next_port),
    };
}

static void
deliver(void *aux)
{
    struct packet *packet = aux;
    struct hypervisor *hyp = &hyps[packet->place.hyp];

    if (hyp->handover) {
        ovs_list_push_back(&hyp->inbox, &packet->node);
        sim_wake(&hyp->sw, sim_now);
    } else {
        free(packet);
    }
}

static void
send_packet_from(int g, const struct place *place, enum guest_packet type,
                 int hoa, int delay)
{
    if (place->hyp >= 0) {
        struct packet *packet = xmalloc(sizeof *packet);

        *packet = (struct packet) {
            .type = type, .guest = g, .place = *place, .hoa = hoa,
        };
        sim_at(sim_now + delay, deliver, packet);
    }
}

static void
send_packet(int g, const struct place *place, enum guest_packet type,
            int delay)
{
    send_packet_from(g, place, type, guests[g].hoa, delay);
}

static void
delete_port(const struct place *place, int delay)
{
    if (place->hyp >= 0) {
        struct packet *packet = xmalloc(sizeof *packet);

        *packet = (struct packet) { .place = *place, .port_gone = true };
        sim_at(sim_now + delay, deliver, packet);
    }
}

/* QEMU announces a guest that has just moved. */
struct announcement {
    int guest;
    struct place place;
};

static void
announce(void *aux)
{
    struct announcement *a = aux;

    if (guests[a->guest].place.port == a->place.port) {
        send_packet(a->guest, &a->place, RARP, 0);
    }
    free(a);
}

static void
guest_move(int g, struct place to)
{
    static const int times[] = { 0, 50, 200, 450, 800 };
    struct guest *guest = &guests[g];
    struct place from = guest->place;

    sim_trace("vm%d: moves from %s to %s", g, place_name(&from),
              place_name(&to));
    guest->before = from;
    guest->place = to;
    if (sim_chance(30)) {
        /* What it sent before is still under way. */
        send_packet(g, &from, sim_random(3), sim_random(30));
    }
    if (sim_chance(50)) {
        delete_port(&from, sim_range(30, 3000));
    }
    if (sim_chance(70)) {
        for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
            struct announcement *a = xmalloc(sizeof *a);

            *a = (struct announcement) { g, to };
            sim_at(sim_now + times[i], announce, a);
        }
    }
    if (sim_chance(70)) {
        send_packet(g, &to, sim_range(ARP, DATA), sim_random(20));
    }
}

/* The port 'p' is said to be for guest 'g', which may not be there yet. */
static void
guest_expect(int g, struct place p, bool expects, bool has)
{
    struct hypervisor *hyp = &hyps[p.hyp];

    switch_forget_seat(hyp, p.port);
    if (hyp->n_seats >= MAX_SEATS) {
        switch_forget_seat(hyp, hyp->seats[0].port);
    }
    sim_trace("vm%d: expected at %s, %d%d", g, place_name(&p), expects, has);
    hyp->seats[hyp->n_seats++] = (struct seat) { g, p.ofs, p.port, expects,
                                                 has };
    sim_wake(&hyp->sw, sim_now);
}

static void
guest_unexpect(int g, struct place p)
{
    sim_trace("vm%d: not expected at %s any more", g, place_name(&p));
    switch_forget_seat(&hyps[p.hyp], p.port);
}

static void
guest_action(int g)
{
    struct guest *guest = &guests[g];
    struct place to = random_place();

    if (guest->place.hyp < 0) {
        sim_trace("vm%d: starts at %s", g, place_name(&to));
        guest->place = to;
        send_packet(g, &to, ARP, sim_random(5));
        return;
    }

    switch (sim_random(21)) {
    case 0: case 1: case 2: case 3:
        guest_move(g, to);
        break;
    case 4: case 5:
        /* Back to where it was, by another port. */
        if (guest->before.hyp >= 0) {
            to.hyp = guest->before.hyp;
            to.ofs = guest->before.ofs;
        }
        guest_move(g, to);
        break;
    case 6: {
        /* Between two places, quickly. */
        struct place a = guest->place;

        for (int i = sim_range(2, 8); i > 0; i--) {
            guest_move(g, i % 2 ? a : to);
            sim_run_until(sim_now + sim_random(30));
        }
        break;
    }
    case 7:
        /* Announced, but it does not come. */
        sim_trace("vm%d: announced at %s", g, place_name(&to));
        send_packet(g, &to, RARP, 0);
        send_packet(g, &guest->place, sim_random(3), sim_random(50));
        break;
    case 8:
        if (guest->clone.hyp < 0) {
            sim_trace("vm%d: cloned at %s", g, place_name(&to));
            guest->clone = to;
        } else {
            sim_trace("vm%d: clone is off", g);
            guest->clone = nowhere;
        }
        break;
    case 9:
        sim_trace("vm%d: stops", g);
        if (sim_chance(70)) {
            delete_port(&guest->place, 0);
        }
        guest->place = nowhere;
        break;
    case 10:
        /* Another port of the same OFS. */
        to.hyp = guest->place.hyp;
        to.ofs = guest->place.ofs;
        guest_move(g, to);
        break;
    case 11:
        guest->hoa = (sim_chance(50) || faithful ? guest->own
                      : sim_chance(50) ? sim_random(n_guests)
                      : MAX_GUESTS + sim_random(3));
        sim_trace("vm%d: has hoa%d now", g, guest->hoa);
        send_packet(g, &guest->place, sim_chance(50) ? ARP : ANNOUNCEMENT,
                    0);
        break;
    case 12:
        /* A port that comes and goes while the guest stays. */
        delete_port(&guest->place, 0);
        guest->place.port = to.port;
        send_packet(g, &guest->place, sim_random(3), sim_random(500));
        break;
    case 14: case 15:
        guest_expect(g, to, true, sim_chance(70));
        sim_run_until(sim_now + sim_random(sim_chance(50) ? 50 : 5000));
        guest_move(g, to);
        break;
    case 16:
        /* A migration that fails, with or without anybody noticing. */
        guest_expect(g, to, true, sim_chance(70));
        sim_run_until(sim_now + sim_random(sim_chance(50) ? 50 : 5000));
        if (sim_chance(40)) {
            delete_port(&to, 0);
        } else if (sim_chance(70)) {
            guest_unexpect(g, to);
        }
        break;
    case 17: case 18:
        guest->alias = (guest->alias >= 0 && sim_chance(30)
                        ? -1 : FIRST_ALIAS + guest->own);
        sim_trace("vm%d: has hoa%d as well now", g, guest->alias);
        /* Fall through. */
    case 19:
        if (guest->alias >= 0) {
            send_packet_from(g, &guest->place, sim_range(ARP, ANNOUNCEMENT),
                             guest->alias, 0);
        }
        break;
    case 20:
        if (passing) {
            int n = sim_random(N_PASSING);

            sim_trace("vm%d: has %d other home addresses in passing", g, n);
            for (int i = 0; i < n; i++) {
                send_packet_from(g, &guest->place, sim_range(ARP, DATA),
                                 FIRST_PASSING + i, sim_random(10));
            }
        }
        break;
    case 13:
        if (hyps[to.hyp].handover && !faithful) {
            sim_trace("sw%d: releases vm%d", to.hyp, g);
            vmmob_handover_release(hyps[to.hyp].handover, &guest->key,
                                   sim_now);
            sim_wake(&hyps[to.hyp].sw, sim_now);
        }
        break;
    }
}

static const char *
column(const struct sim_row *row, const char *name)
{
    const struct json *json = shash_find_data(json_object(row->columns), name);

    return json ? json_string(json) : "";
}

/* Returns true if the OFS that has written 'vmn' has a row in 'db'.  Without
 * that, nobody believes it. */
static bool
has_ofs(const struct sim_db *db, const struct sim_row *vmn)
{
    const struct sim_row *row;

    HMAP_FOR_EACH (row, node, &db->rows) {
        if (!strcmp(row->table, "OFS")
            && !strcmp(column(row, "datapath_id"), column(vmn, "ofs"))) {
            return true;
        }
    }
    return false;
}

/* Notes which guests are in a database. */
static void
guests_note(void)
{
    for (int i = 0; i < n_sites; i++) {
        const struct sim_row *row;

        HMAP_FOR_EACH (row, node, &dbs[i].rows) {
            if (!strcmp(row->table, "VMN") && has_ofs(&dbs[i], row)) {
                const struct json *json = shash_find_data(
                    json_object(row->columns), "tenant");
                uint32_t tenant = json ? json_integer(json) : 0;

                for (int g = 0; g < n_guests; g++) {
                    char *mac = xasprintf(ETH_ADDR_FMT,
                                          ETH_ADDR_ARGS(guests[g].key.mac));

                    guests[g].known |= (tenant == guests[g].key.tenant
                                        && !strcmp(column(row, "mac"), mac));
                    free(mac);
                }
            }
        }
    }
}

/* All guests that are there may send something. */
static void
guests_send(void)
{
    for (int g = 0; g < n_guests; g++) {
        if (sim_chance(30)) {
            send_packet(g, &guests[g].place, sim_random(3), sim_random(5));
        }
        if (sim_chance(50)) {
            send_packet(g, &guests[g].clone, sim_random(3), sim_random(5));
        }
    }
}

/* What the agent says of a port may be said before or after the guest is
 * there, also if it is not. */
static void
ports_say(void)
{
    int g = sim_random(n_guests);
    struct place p = sim_chance(70) ? guests[g].place : random_place();

    if (p.hyp >= 0 && sim_chance(70)) {
        guest_expect(g, p, sim_chance(50), true);
    } else if (p.hyp >= 0 && hyps[p.hyp].handover
               && find_ofs(&hyps[p.hyp], p.ofs)) {
        struct hypervisor *hyp = &hyps[p.hyp];

        if (sim_chance(50)) {
            guest_unexpect(g, p);
        } else {
            sim_trace("sw%d: vm%d is said not to be at its port", p.hyp, g);
            vmmob_handover_detach(hyp->handover, find_ofs(hyp, p.ofs),
                                  &guests[g].key, sim_now);
        }
        sim_wake(&hyp->sw, sim_now);
    }
}

/* VMNs at an OFS begin to talk to one elsewhere, or have not talked to it for
 * some time. */
static void
guests_talk(void)
{
    struct hypervisor *hyp = &hyps[sim_random(n_hyps)];
    struct handover_ofs *ofs = find_ofs(hyp, sim_random(hyp->n_ofss));
    const struct vmmob_key *key = &guests[sim_random(n_guests)].key;

    if (ofs) {
        if (sim_chance(70)) {
            vmmob_handover_talk(hyp->handover, ofs, key);
        } else {
            vmmob_handover_quiet(hyp->handover, ofs, key);
        }
        sim_wake(&hyp->sw, sim_now);
    }
}

/* Faults. */

static void
fault_action(void)
{
    struct hypervisor *hyp = &hyps[sim_random(n_hyps)];
    struct ofs_conf *conf = &hyp->ofss[sim_random(hyp->n_ofss)];
    int site = sim_random(n_sites);

    switch (sim_random(14)) {
    case 0:
        if (hyp->handover) {
            switch_kill(hyp);
        } else {
            switch_start(hyp);
        }
        break;
    case 1:
        if (hyp->agent) {
            agent_kill(hyp);
        } else {
            agent_start(hyp);
        }
        break;
    case 2:
        if (dbs[site].proc.alive) {
            db_kill(site);
        } else {
            db_start(site);
        }
        break;
    case 3:
        /* The whole hypervisor. */
        if (hyp->handover) {
            switch_kill(hyp);
        }
        if (hyp->agent) {
            agent_kill(hyp);
        }
        if (sim_chance(30) && dbs[hyp->site].proc.alive) {
            db_kill(hyp->site);
        }
        break;
    case 4: {
        struct sim_path *path = &paths[hyp->number][site];

        sim_trace("ag%d to db%d: %s", hyp->number, site,
                  path->cut ? "heals" : "cut");
        if (path->cut) {
            sim_path_heal(path);
        } else {
            sim_path_cut(path);
        }
        break;
    }
    case 5: {
        /* A site and all others, both ways. */
        bool cut = sim_chance(60);

        sim_trace("site %d: %s", site, cut ? "cut off" : "back");
        for (int i = 0; i < n_hyps; i++) {
            for (int j = 0; j < n_sites; j++) {
                if ((hyps[i].site == site) != (j == site)) {
                    if (cut) {
                        sim_path_cut(&paths[i][j]);
                    } else {
                        sim_path_heal(&paths[i][j]);
                    }
                }
            }
        }
        break;
    }
    case 6: {
        struct sim_proc *proc = (sim_chance(33) ? &hyp->sw
                                 : sim_chance(50) ? &hyp->ag
                                 : &dbs[site].proc);

        proc->stalled = sim_now + sim_random(sim_chance(70) ? 300 : 6000);
        sim_trace("%s: stalls until %lld", proc->name,
                  proc->stalled - 1000000);
        break;
    }
    case 7:
        sim_trace("db%d: will refuse", site);
        dbs[site].refuse_until = sim_now + sim_random(3000);
        break;
    case 8:
        sim_trace("db%d: tells late", site);
        sim_db_slow_down(&dbs[site], sim_now + sim_random(5000));
        break;
    case 9:
        conf->pool = sim_random(3);
        if (sim_chance(30) && !faithful) {
            conf->enabled = !conf->enabled;
        }
        if (hyp->handover && !conf->late) {
            switch_configure(hyp, conf);
        }
        break;
    case 10:
        sim_db_update(&hyp->conf, "Open_vSwitch", "external_ids",
                      make_external_ids(hyp));
        break;
    case 11: {
        /* The slowest and the fastest network. */
        int delay = sim_chance(50) ? 2 : sim_chance(80) ? 100 : 2000;

        for (int j = 0; j < n_sites; j++) {
            paths[hyp->number][j].delay = delay;
        }
        break;
    }
    case 12:
        /* What an OFS that has another id after it was started published
         * before is not known to be its. */
        if (!faithful) {
            conf->wanted = conf->own[conf->wanted == conf->own[0]];
            switch_try_rename(hyp, conf);
        }
        break;
    case 13: {
        const struct hypervisor *other = &hyps[sim_random(n_hyps)];

        if (!faithful && other != hyp) {
            conf->wanted = other->ofss[sim_random(other->n_ofss)].id;
            sim_trace("sw%d: ofs%d is to get id "VMMOB_OFS_ID_FMT" of another",
                      hyp->number, conf->number, conf->wanted);
            switch_try_rename(hyp, conf);
        }
        break;
    }
    }
}

/* The world. */

static void
world_create(void)
{
    int n_ofss = 0, ids[MAX_HYPS * MAX_OFSS * 2];

    faithful = sim_chance(40);
    passing = sim_chance(20);
    n_sites = sim_range(2, MAX_SITES);
    n_hyps = 0;
    next_port = 0;
    sim_get_path = get_path;

    for (int i = 0; i < n_sites; i++) {
        char name[32];

        snprintf(name, sizeof name, "unix:db%d", i);
        sim_db_create(&dbs[i], name);
        dbs[i].answers_first = sim_chance(25);
    }

    /* Which OFS has the higher id must not follow from anything else. */
    for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
        size_t j = sim_random(i + 1);

        ids[i] = ids[j];
        ids[j] = i + 1;
    }
    for (int i = 0; i < n_sites; i++) {
        for (int j = sim_range(1, 2); j > 0 && n_hyps < MAX_HYPS; j--) {
            struct hypervisor *hyp = &hyps[n_hyps];
            struct json *columns = json_object_create();
            char name[32];

            memset(hyp, 0, sizeof *hyp);
            hyp->number = n_hyps++;
            hyp->site = i;
            ovs_list_init(&hyp->inbox);
            snprintf(name, sizeof name, "unix:sw%d", hyp->number);
            sim_proc_init(&hyp->sw, name, switch_run);
            snprintf(name, sizeof name, "ag%d", hyp->number);
            sim_proc_init(&hyp->ag, name, agent_proc_run);
            snprintf(name, sizeof name, "unix:conf%d", hyp->number);
            sim_db_create(&hyp->conf, name);
            json_object_put(columns, "external_ids", make_external_ids(hyp));
            sim_db_insert(&hyp->conf, "Open_vSwitch", columns);

            hyp->n_ofss = sim_chance(70) ? 1 : 2;
            for (int k = 0; k < hyp->n_ofss; k++) {
                hyp->ofss[k] = (struct ofs_conf) {
                    .id = ids[2 * n_ofss],
                    .wanted = ids[2 * n_ofss],
                    .own = { ids[2 * n_ofss], ids[2 * n_ofss + 1] },
                    .number = n_ofss,
                    .enabled = true,
                    .redirect_ms = (sim_chance(10) ? 0
                                    : sim_range(500, MAX_REDIRECT)),
                    .quarantine_ms = (sim_chance(20) ? 0
                                      : sim_random(MAX_QUARANTINE)),
                    .prepare_ms = (sim_chance(20) ? 0
                                   : sim_range(500, MAX_PREPARE)),
                    .address_ms = (!passing && sim_chance(20) ? 0
                                   : sim_range(1500, MAX_ADDRESS)),
                    .max_moves = (sim_chance(50) ? 0 : sim_range(1, 6)),
                    .move_window_ms = sim_random(MAX_WINDOW),
                };
                n_ofss++;
            }
        }
    }
    for (int i = 0; i < n_hyps; i++) {
        for (int j = 0; j < n_sites; j++) {
            paths[i][j] = (struct sim_path) {
                .delay = sim_chance(50) ? 3 : 60,
            };
        }
        if (sim_chance(90)) {
            switch_start(&hyps[i]);
        }
        if (sim_chance(90)) {
            agent_start(&hyps[i]);
        }
    }

    n_guests = sim_range(1, MAX_GUESTS);

    /* In two networks, each two guests have all addresses in common. */
    int per_address = sim_chance(50) ? 2 : 1;
    for (int i = 0; i < n_guests; i++) {
        guests[i] = (struct guest) {
            .key.mac = ETH_ADDR_C(52,54,00,00,00,00),
            .place = nowhere, .before = nowhere, .clone = nowhere,
            .own = i / per_address, .hoa = i / per_address, .alias = -1,
        };
        guests[i].key.mac.ea[4] = sim_random(256);
        guests[i].key.mac.ea[5] = i;
        if (i % per_address) {
            guests[i].key = guests[i - 1].key;
            guests[i].key.tenant = TENANT;
        }
    }
}

static void
world_destroy(void)
{
    for (int i = 0; i < n_hyps; i++) {
        struct hypervisor *hyp = &hyps[i];

        if (hyp->handover) {
            switch_kill(hyp);
        }
        if (hyp->agent) {
            agent_kill(hyp);
        }
        sim_proc_destroy(&hyp->sw);
        sim_proc_destroy(&hyp->ag);
        sim_db_destroy(&hyp->conf);
    }
    for (int i = 0; i < n_sites; i++) {
        sim_db_destroy(&dbs[i]);
    }
}

/* The end. */

/* Adds to 'set' the rows of all databases, as text. */
static void
add_db_rows(struct svec *set)
{
    for (int i = 0; i < n_sites; i++) {
        const struct sim_row *row;

        HMAP_FOR_EACH (row, node, &dbs[i].rows) {
            if (!strcmp(row->table, "VMN")) {
                const struct json *seqno = shash_find_data(
                    json_object(row->columns), "sequence");
                const struct json *addrs = shash_find_data(
                    json_object(row->columns), "addresses");
                const struct json *map
                    = addrs ? json_array_at(addrs, 1) : NULL;
                struct svec pairs = SVEC_EMPTY_INITIALIZER;
                int64_t n = seqno ? json_integer(seqno) : 0;
                char *s;

                for (size_t j = 0; map && j < json_array_size(map); j++) {
                    const struct json *pair = json_array_at(map, j);

                    svec_add_nocopy(&pairs, xasprintf(
                                        "%s=%s",
                                        json_string(json_array_at(pair, 0)),
                                        json_string(json_array_at(pair, 1))));
                }
                svec_sort(&pairs);
                s = svec_join(&pairs, ",", "");
                svec_add_nocopy(set, xasprintf(
                                    "vmn %s %s %"PRId64" %s",
                                    column(row, "mac"), column(row, "ofs"),
                                    n, s));
                free(s);
                svec_destroy(&pairs);
            } else {
                svec_add_nocopy(set, xasprintf(
                                    "ofs %s %s", column(row, "datapath_id"),
                                    column(row, "site")));
            }
        }
    }
}

/* Adds to 'set' the rows of 'table', as text. */
static void
add_table_rows(struct svec *set, const struct vmmob_table *table)
{
    const struct vmmob_ofs_entry *oe;
    const struct vmmob_entry *entry;

    HMAP_FOR_EACH (entry, node, vmmob_table_entries(table)) {
        const struct vmmob_row *row;

        LIST_FOR_EACH (row, node, &entry->rows) {
            struct svec pairs = SVEC_EMPTY_INITIALIZER;
            char *joined;

            for (size_t i = 0; i < row->vmn.n_pairs; i++) {
                const struct vmmob_pair *pair = &row->vmn.pairs[i];
                struct ds s = DS_EMPTY_INITIALIZER;

                vmmob_addr_format(&pair->hoa, &s);
                ds_put_char(&s, '=');
                if (ipv6_addr_is_set(&pair->moa)) {
                    vmmob_addr_format(&pair->moa, &s);
                }
                svec_add_nocopy(&pairs, ds_steal_cstr(&s));
            }
            svec_sort(&pairs);
            joined = svec_join(&pairs, ",", "");
            svec_add_nocopy(set, xasprintf(
                                "vmn "ETH_ADDR_FMT" "VMMOB_OFS_ID_FMT
                                " %"PRIu64" %s",
                                ETH_ADDR_ARGS(entry->key.mac), row->vmn.ofs,
                                row->vmn.seqno, joined));
            free(joined);
            svec_destroy(&pairs);
        }
    }
    HMAP_FOR_EACH (oe, node, vmmob_table_ofs_entries(table)) {
        svec_add_nocopy(set, xasprintf("ofs "VMMOB_OFS_ID_FMT" %s%s",
                                       oe->ofs.id, oe->ofs.site,
                                       oe->ofs.stale ? " stale" : ""));
    }
}

static void
check_view(const char *who, int number, const struct vmmob_table *table,
           const struct svec *truth)
{
    struct svec view = SVEC_EMPTY_INITIALIZER;

    add_table_rows(&view, table);
    svec_sort(&view);
    if (!svec_equal(&view, truth)) {
        char *a = svec_join(&view, "; ", "");
        char *b = svec_join(truth, "; ", "");

        sim_fail("%s%d has\n    %s\nbut the databases have\n    %s", who,
                 number, a, b);
    }
    svec_destroy(&view);
}

/* What must hold in the end:
 *
 *   - Every switch and every agent knows just what is in the databases.  No
 *     row is written any more.
 *
 *   - There is one row for each VMN, at most.  A VMN that is there is where
 *     its last packet came from, at the port that it came by, and has its home
 *     address at every switch, whoever has had it before.  A VMN that is
 *     gone may still have a row, where it was last: nobody can tell that it
 *     does not come back.
 *
 *   - A VMN that is there has no home address that it does not have, unless
 *     its OFS forgets none.
 *
 *   - No MoA is in quarantine, none is taken by a VMN that is not there, and
 *     no VMN is without unless there are none left.  Nothing is left to be
 *     done. */
static void
check_all(void)
{
    struct svec truth = SVEC_EMPTY_INITIALIZER;

    add_db_rows(&truth);
    svec_sort(&truth);
    for (int i = 0; i < n_hyps; i++) {
        struct hypervisor *hyp = &hyps[i];
        const struct publisher *p = hyp->agent->publisher;

        check_view("ag", i, hyp->agent->known.table, &truth);
        check_view("sw", i, hyp->handover->table, &truth);
        if (!hmap_is_empty(&p->items) || p->n_flights
            || !rowset_is_empty(&p->repairs)) {
            sim_fail("ag%d has something left to publish", i);
        }
        if (vmmob_handover_next_event(hyp->handover) != LLONG_MAX) {
            sim_fail("sw%d has something left to do", i);
        }
        for (int j = 0; j < hyp->n_ofss; j++) {
            const struct handover_ofs *ofs = find_ofs(hyp, j);

            if (!ofs) {
                const struct vmmob_ofs *row = vmmob_table_find_ofs(
                    hyp->handover->table, hyp->ofss[j].id);

                sim_fail("sw%d: no ofs%d, id "VMMOB_OFS_ID_FMT", %s%s", i,
                         hyp->ofss[j].number, hyp->ofss[j].id,
                         !row ? "which nobody has" : row->site,
                         row && row->foreign ? ", foreign" : "");
            }
            if (vmmob_pool_n_quarantined(ofs->pool, VMMOB_IPV4)
                || vmmob_pool_n_quarantined(ofs->pool, VMMOB_IPV6)) {
                sim_fail("sw%d: MoAs in quarantine", i);
            }
            if (!ovs_list_is_empty(&ofs->needy)
                && vmmob_pool_n_taken(ofs->pool, VMMOB_IPV4) < 8) {
                sim_fail("sw%d: a VMN without MoA", i);
            }
            if (!ovs_list_is_empty(&ofs->left)) {
                sim_fail("sw%d: a VMN that left long ago", i);
            }
            if (!ovs_list_is_empty(&ofs->prepared)) {
                sim_fail("sw%d: a VMN that was expected long ago", i);
            }
        }
    }
    svec_destroy(&truth);

    for (int g = 0; g < n_guests; g++) {
        const struct guest *guest = &guests[g];
        const struct vmmob_entry *entry
            = vmmob_table_find(hyps[0].handover->table, &guest->key);
        const struct handover_vmn *vmn;
        const struct hypervisor *hyp;

        if (entry && ovs_list_size(&entry->rows) > 1) {
            sim_fail("vm%d: more than one row, those of OFSs "VMMOB_OFS_ID_FMT
                     " and "VMMOB_OFS_ID_FMT, g,
                     vmmob_entry_binding(entry)->ofs,
                     CONTAINER_OF(ovs_list_back(&entry->rows),
                                  struct vmmob_row, node)->vmn.ofs);
        }
        if (guest->place.hyp < 0) {
            continue;
        }
        if (!entry) {
            sim_fail("vm%d: not known", g);
        }
        if (guest->last.port != guest->place.port) {
            sim_fail("vm%d: was not seen at %s, last at %s", g,
                     place_name(&guest->place), place_name(&guest->last));
        }
        hyp = &hyps[guest->last.hyp];
        if (vmmob_entry_binding(entry)->ofs
            != hyp->ofss[guest->last.ofs].id) {
            sim_fail("vm%d: is bound to "VMMOB_OFS_ID_FMT", but was last seen "
                     "at %s", g, vmmob_entry_binding(entry)->ofs,
                     place_name(&guest->last));
        }
        vmn = vmmob_handover_find_vmn(find_ofs(hyp, guest->last.ofs),
                                      &guest->key);
        if (!vmn || vmn->state != HANDOVER_ATTACHED
            || vmn->port != guest->last.port) {
            sim_fail("vm%d: not attached where it was last seen, %s", g,
                     place_name(&guest->last));
        }

        for (size_t i = 0; i < vmn->row.n_pairs; i++) {
            if (hyp->ofss[guest->last.ofs].address_ms
                && !guest_has(guest, &vmn->row.pairs[i].hoa)) {
                sim_fail("vm%d: still has a home address that it does not "
                         "use", g);
            }
        }

        struct in6_addr hoa = hoa_addr(guest->own);
        for (int i = 0; i < n_hyps; i++) {
            const struct vmmob_vmn *owner = vmmob_table_find_by_hoa(
                hyps[i].handover->table, guest->key.tenant, &hoa);

            if (!owner || !vmmob_key_equals(&owner->key, &guest->key)) {
                sim_fail("vm%d: sw%d has its home address elsewhere", g, i);
            }
        }
    }
}

static unsigned long long int
count_txns(void)
{
    unsigned long long int n = 0;

    for (int i = 0; i < n_sites; i++) {
        n += dbs[i].n_txns;
    }
    return n;
}

/* Everything gets well and quiet. */
static void
quiet(void)
{
    unsigned long long int n_txns;

    sim_trace("-- quiet");
    for (int i = 0; i < n_sites; i++) {
        dbs[i].refuse_until = dbs[i].proc.stalled = 0;
        if (!dbs[i].proc.alive) {
            db_start(i);
        }
    }
    for (int i = 0; i < n_hyps; i++) {
        struct hypervisor *hyp = &hyps[i];

        hyp->sw.stalled = hyp->ag.stalled = 0;
        while (hyp->n_seats) {
            switch_forget_seat(hyp, hyp->seats[0].port);
        }
        for (int j = 0; j < hyp->n_ofss; j++) {
            struct ofs_conf *conf = &hyp->ofss[j];

            if (!conf->enabled) {
                conf->enabled = true;
                if (hyp->handover && !conf->late) {
                    switch_configure(hyp, conf);
                }
            }
            if (conf->wanted != conf->own[0]) {
                conf->wanted = conf->own[1];
            }
        }
        if (!hyp->handover) {
            switch_start(hyp);
        }
        if (!hyp->agent) {
            agent_start(hyp);
        }
        sim_wake(&hyp->sw, sim_now);
        for (int j = 0; j < n_sites; j++) {
            paths[i][j].delay = MIN(paths[i][j].delay, 60);
            sim_path_heal(&paths[i][j]);
        }
    }
    for (int g = 0; g < n_guests; g++) {
        guests[g].clone = nowhere;
    }
    sim_run_until(sim_now + MAX_WINDOW + MAX_REDIRECT + MAX_PREPARE + 10000);
    for (int g = 0; g < n_guests; g++) {
        if (faithful && guests[g].known
            && !vmmob_table_find(hyps[0].handover->table, &guests[g].key)) {
            sim_fail("vm%d: forgotten", g);
        }
    }

    /* No two guests have one home address any more, and they say so. */
    for (int g = 0; g < n_guests; g++) {
        guests[g].hoa = guests[g].own;
    }
    /* One that has too many is asked for all of them before there is room. */
    for (int i = 0; i < (faithful ? 0 : passing ? 4 : 3); i++) {
        for (int g = 0; g < n_guests; g++) {
            send_packet(g, &guests[g].place, ANNOUNCEMENT, 0);
        }
        sim_run_until(sim_now + (i ? 7000 : 65000));
    }

    sim_trace("-- last packets");
    for (int g = 0; g < n_guests; g++) {
        send_packet(g, &guests[g].place, sim_range(ARP, DATA), 0);
    }
    /* What is forgotten may make room for those that have no MoA. */
    sim_run_until(sim_now + MAX_REDIRECT + MAX_ADDRESS + MAX_QUARANTINE
                  + 3000);
    n_txns = count_txns();
    sim_run_until(sim_now + MAX_QUARANTINE + MAX_WINDOW + 2000);
    if (count_txns() != n_txns) {
        sim_fail("databases are still written");
    }
    check_all();
}

static void
run_schedule(void)
{
    /* The order of what is in a table is by seed, too. */
    const struct vmmob_hash_key key = { { seed, 0 } };
    int n_steps, faults;

    step = 0;
    vmmob_hash_set_key(&key);
    vmmob_hash_everywhere = true;
    sim_start(seed);
    world_create();
    n_steps = sim_range(5, 40);
    faults = sim_chance(20) ? 0 : sim_range(5, 50);
    for (step = 1; step <= n_steps; step++) {
        uint32_t chance = sim_random(100);

        if (sim_chance(faults)) {
            fault_action();
        } else {
            guest_action(sim_random(n_guests));
        }
        guests_send();
        guests_talk();
        if (sim_chance(10)) {
            ports_say();
        }
        guests_note();
        sim_run_until(sim_now + sim_random(chance < 60 ? 30
                                           : chance < 80 ? 1000
                                           : chance < 95 ? 5000
                                           : 20000));
    }
    quiet();
    world_destroy();
    sim_finish();
}

/* Returns true if the schedule of 'seed' went well. */
static bool
try_schedule(void)
{
    if (setjmp(failed)) {
        return false;
    }
    run_schedule();
    return true;
}

/* A hostile peer. */

enum { HOSTILE_OFS = 0x66, HOSTILE_EVENTS = 6 };

/* Home addresses 0 and 1 are one of each family. */
static enum vmmob_family hostile_family;

static struct handover *
hostile_switch(int number)
{
    struct handover *h = vmmob_handover_create();
    struct hypervisor hyp = { .number = number, .handover = h };
    struct ofs_conf conf = {
        .id = number + 1, .number = number, .enabled = true, .pool = number,
        .redirect_ms = 1000, .prepare_ms = 5000, .max_moves = 0,
    };
    struct vmmob_msg msg;

    switch_configure(&hyp, &conf);
    for (int type = VMMOB_MSG_BEGIN; type <= VMMOB_MSG_END; type++) {
        vmmob_msg_init(&msg, type);
        vmmob_handover_receive(h, &msg, sim_now);
        vmmob_msg_uninit(&msg);
    }
    return h;
}

/* Tells both switches of 'n' what the others changed. */
static void
hostile_exchange(struct handover *const h[2])
{
    for (int i = 0; i < 2; i++) {
        struct handover_effects effects;
        struct vmmob_msg update;

        vmmob_msg_init(&update, VMMOB_MSG_UPDATE);
        vmmob_handover_take_effects(h[i], &effects, &update);
        vmmob_handover_effects_uninit(&effects);
        vmmob_handover_receive(h[!i], &update, sim_now);
        vmmob_msg_uninit(&update);
    }
}

static void
hostile_row(struct handover *const h[2], const struct vmmob_key *key,
            enum vmmob_state state, uint64_t seqno, bool put)
{
    struct in6_addr hoa = hoa_addr(hostile_family);
    struct in6_addr moa = (hostile_family == VMMOB_IPV4
                           ? ipv4(0x0b000001 + key->mac.ea[5])
                           : ipv6(0xb0, 0, 1 + key->mac.ea[5]));
    struct vmmob_vmn vmn;
    struct vmmob_msg msg;

    vmmob_vmn_init(&vmn, key, HOSTILE_OFS);
    vmn.state = state;
    vmn.seqno = seqno;
    vmmob_vmn_set_pair(&vmn, &hoa, &moa);
    for (int i = 0; i < 2; i++) {
        vmmob_msg_init(&msg, VMMOB_MSG_UPDATE);
        if (put) {
            vmmob_msg_put_vmn(&msg, &vmn);
        } else {
            vmmob_msg_del_vmn(&msg, key, HOSTILE_OFS);
        }
        vmmob_handover_receive(h[i], &msg, sim_now);
        vmmob_msg_uninit(&msg);
    }
    vmmob_vmn_destroy(&vmn);
}

static void
hostile_see(struct handover *const h[2], int i, const struct vmmob_key *key)
{
    struct handover_ofs *ofs = vmmob_handover_find_ofs(h[i], i + 1);
    struct in6_addr hoa = hoa_addr(hostile_family);

    vmmob_handover_sight(h[i], ofs, key, u16_to_ofp(2), &hoa,
                         HANDOVER_ANNOUNCED, sim_now);
    hostile_exchange(h);
}

/* Fails unless both switches have the VMN 'key' at that of 'i', with its home
 * address. */
static void
hostile_check(struct handover *const h[2], int i, const struct vmmob_key *key,
              const char *when)
{
    struct in6_addr hoa = hoa_addr(hostile_family);

    for (int j = 0; j < 2; j++) {
        const struct vmmob_vmn *binding
            = vmmob_table_find_binding(h[j]->table, key);
        const struct vmmob_vmn *owner
            = vmmob_table_find_by_hoa(h[j]->table, 0, &hoa);

        if (!binding || binding->ofs != i + 1 || owner != binding) {
            ovs_fatal(0, "hostile peer, order %d: %s: switch %d has the VMN "
                      "or its home address elsewhere", step, when, j);
        }
    }
}

/* Tries each order of what a hostile peer can say of a VMN at switch 0, and of
 * its home address.  In all of them, the VMN must keep its address while it is
 * there, and copies must end.  When the peer has withdrawn what it said of the
 * VMN, both switches must know where it is after its next packet, and it must
 * be able to move.  Nothing stands between the peer and the switches here, as
 * if their agents were of an older version.  Then the same with IPv6. */
static void
hostile_peer(void)
{
    const struct vmmob_key vm = {
        .mac = ETH_ADDR_C(0a,00,00,00,00,20),
    };
    const struct vmmob_key thief = {
        .mac = ETH_ADDR_C(02,00,00,00,00,01),
    };

    for (step = 0; step < 720 * VMMOB_N_FAMILIES; step++) {
        int order[HOSTILE_EVENTS] = { 0, 1, 2, 3, 4, 5 };
        struct handover *h[2];

        hostile_family = step / 720;
        for (int i = HOSTILE_EVENTS - 1, n = step % 720; i > 0; i--) {
            int j = n % (i + 1);
            int event = order[i];

            n /= i + 1;
            order[i] = order[j];
            order[j] = event;
        }

        sim_now = 1000000;
        h[0] = hostile_switch(0);
        h[1] = hostile_switch(1);
        hostile_exchange(h);
        hostile_see(h, 0, &vm);
        hostile_check(h, 0, &vm, "before");
        for (int i = 0; i < HOSTILE_EVENTS; i++) {
            sim_now += 100;
            switch (order[i]) {
            case 0:
                hostile_row(h, &thief, VMMOB_ACTIVE, 7, true);
                break;
            case 1:
                hostile_row(h, &vm, VMMOB_PREPARED, 1, true);
                break;
            case 2:
                hostile_row(h, &vm, VMMOB_ACTIVE, VMMOB_MAX_SEQNO, true);
                hostile_exchange(h);
                break;
            case 3:
                hostile_row(h, &vm, VMMOB_ACTIVE, 0, false);
                hostile_exchange(h);
                break;
            case 4:
                hostile_row(h, &thief, VMMOB_ACTIVE, 0, false);
                hostile_row(h, &thief, VMMOB_ACTIVE, VMMOB_MAX_SEQNO, true);
                break;
            default:
                hostile_see(h, 0, &vm);
                break;
            }
        }

        /* It expects it for ever. */
        for (int i = 0; i < 40; i++) {
            const struct handover_vmn *vmn;

            hostile_row(h, &vm, VMMOB_PREPARED, 1, true);
            sim_now += 250;
            vmmob_handover_run(h[0], sim_now);
            vmmob_handover_run(h[1], sim_now);
            hostile_exchange(h);
            hostile_see(h, 0, &vm);
            if (i % 3 == 2) {
                hostile_row(h, &vm, VMMOB_PREPARED, 1, false);
            }
            vmn = vmmob_handover_find_vmn(vmmob_handover_find_ofs(h[0], 1),
                                          &vm);
            if (vmn->copy_to && sim_now > vmn->copy_since + 5000) {
                ovs_fatal(0, "hostile peer, order %d: copies without end",
                          step);
            }
        }
        hostile_row(h, &vm, VMMOB_ACTIVE, 0, false);
        hostile_exchange(h);
        hostile_see(h, 0, &vm);
        hostile_check(h, 0, &vm, "after withdrawal");
        hostile_see(h, 1, &vm);
        hostile_check(h, 1, &vm, "after a move");
        vmmob_handover_run(h[0], sim_now += 2000);
        hostile_exchange(h);
        hostile_see(h, 0, &vm);
        hostile_check(h, 0, &vm, "after the move back");
        vmmob_handover_destroy(h[0]);
        vmmob_handover_destroy(h[1]);
    }
}

/* A port for the VMN 'key' is added to switch 'i' or, if 'there' is false,
 * removed. */
static void
damped_port(struct handover *const h[2], int i, const struct vmmob_key *key,
            uint16_t number, bool there)
{
    struct handover_ofs *ofs = vmmob_handover_find_ofs(h[i], i + 1);
    char *name = xasprintf("p%"PRIu16, number);
    struct vmmob_port row;
    struct vmmob_msg msg;

    if (there) {
        vmmob_handover_port_there(h[i], ofs, u16_to_ofp(number), name,
                                  &vmmob_port_networks_default, sim_now);
        vmmob_port_init(&row, name);
        row.attached_mac = key->mac;
        vmmob_port_add_mac(&row, key->mac);
        vmmob_msg_init(&msg, VMMOB_MSG_UPDATE);
        vmmob_msg_put_port(&msg, &row);
        vmmob_handover_receive(h[i], &msg, sim_now);
        vmmob_msg_uninit(&msg);
        vmmob_port_destroy(&row);
    } else {
        vmmob_handover_port_gone(h[i], ofs, u16_to_ofp(number), sim_now);
    }
    hostile_exchange(h);
    free(name);
}

static enum handover_sighting
damped_see(struct handover *const h[2], int i, const struct vmmob_key *key,
           uint16_t port)
{
    struct handover_ofs *ofs = vmmob_handover_find_ofs(h[i], i + 1);
    struct in6_addr hoa = hoa_addr(0);
    enum handover_sighting sighting
        = vmmob_handover_sight(h[i], ofs, key, u16_to_ofp(port), &hoa,
                               HANDOVER_USED, sim_now);

    hostile_exchange(h);
    sim_now += 100;
    vmmob_handover_run(h[0], sim_now);
    vmmob_handover_run(h[1], sim_now);
    hostile_exchange(h);
    return sighting;
}

/* Checks who may move often: a VM that is migrated again and again, each time
 * to a port that is added for it, while the old one goes.  Not so a VM that is
 * at two places, each with a port for it, nor one that another site says again
 * and again to have expected and to have.  An OFS that gets other ids moves
 * nothing. */
static void
damped_moves(void)
{
    const struct vmmob_key vm = { .mac = ETH_ADDR_C(0a,00,00,00,00,20) };

    for (int trial = 0; trial < 4; trial++) {
        struct handover *h[2];
        int n_moves = 0;

        sim_now = 1000000;
        for (int i = 0; i < 2; i++) {
            struct handover_ofs *ofs;
            struct vmmob_settings s;

            h[i] = hostile_switch(i);
            ofs = vmmob_handover_find_ofs(h[i], i + 1);
            vmmob_settings_clone(&s, &ofs->settings);
            s.max_moves = 5;
            s.move_window_ms = 180 * 1000;
            vmmob_handover_configure(
                h[i], vmmob_table_find_ofs(h[i]->table, i + 1), &s, sim_now);
            vmmob_settings_destroy(&s);
        }
        hostile_exchange(h);
        damped_port(h, 0, &vm, 10, true);
        damped_see(h, 0, &vm, 10);
        if (trial == 1) {
            damped_port(h, 1, &vm, 11, true);
        }
        if (trial == 3) {
            damped_see(h, 1, &vm, 11);
            for (uint64_t id = 2; n_moves < 10; n_moves++, id ^= 0x20) {
                vmmob_handover_rename(h[1], id, id ^ 0x20, sim_now);
                hostile_exchange(h);
            }
            if (vmmob_table_find_binding(h[0]->table, &vm)->seqno < n_moves
                || damped_see(h, 0, &vm, 10) != SIGHTED_HERE) {
                ovs_fatal(0, "damping: frozen by other ids of an OFS");
            }
        }
        while (trial < 3 && n_moves < 30) {
            int to = (n_moves + 1) % 2;

            if (trial == 0) {
                damped_port(h, to, &vm, 11 + n_moves, true);
                if (damped_see(h, to, &vm, 11 + n_moves) != SIGHTED_HERE) {
                    break;
                }
                damped_port(h, !to, &vm, 10 + n_moves, false);
            } else if (trial == 1) {
                if (damped_see(h, to, &vm, 10 + to) != SIGHTED_HERE) {
                    break;
                }
            } else {
                const struct vmmob_vmn *row
                    = vmmob_table_find_binding(h[0]->table, &vm);

                hostile_row(h, &vm, VMMOB_ACTIVE, 0, false);
                hostile_row(h, &vm, VMMOB_PREPARED, 1, true);
                row = vmmob_table_find_binding(h[0]->table, &vm);
                hostile_row(h, &vm, VMMOB_ACTIVE, row->seqno + 1, true);
                hostile_exchange(h);
                if (damped_see(h, 0, &vm, 10) != SIGHTED_HERE) {
                    break;
                }
            }
            n_moves++;
        }
        if (trial == 0 ? n_moves < 30 : trial < 3 && n_moves > 6) {
            ovs_fatal(0, "damping, trial %d: %d moves", trial, n_moves);
        }
        vmmob_handover_destroy(h[0]);
        vmmob_handover_destroy(h[1]);
    }
}

int
main(int argc, char *argv[])
{
    uint64_t first;
    unsigned long long int n;

    set_program_name(argv[0]);
    if (argc > 1 && (!strcmp(argv[1], "-v") || !strcmp(argv[1], "-t"))) {
        sim_verbose = true;
        keep_trace = argv[1][1] == 't';
        argc--;
        argv++;
    }
    if (argc < 2 || argc > 3) {
        ovs_fatal(0, "usage: %s damping|hostile|orders [EVERY]|[-v] SEED [N]",
                  program_name);
    }
    if (!strcmp(argv[1], "hostile")) {
        vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_OFF);
        hostile_peer();
        return EXIT_SUCCESS;
    }
    if (!strcmp(argv[1], "damping")) {
        vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_OFF);
        damped_moves();
        return EXIT_SUCCESS;
    }
    if (!strcmp(argv[1], "orders")) {
        vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_OFF);
        return (sim_orders(argc > 2 ? MAX(1, atoi(argv[2])) : 1)
                ? EXIT_SUCCESS : EXIT_FAILURE);
    }
    first = strtoull(argv[1], NULL, 10);
    n = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;

    vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_OFF);
    if (sim_verbose && !keep_trace) {
        vlog_set_pattern(VLF_CONSOLE, "                | %c: %m");
        vlog_set_levels(NULL, VLF_CONSOLE, VLL_INFO);
        setvbuf(stdout, NULL, _IONBF, 0);
        dup2(STDOUT_FILENO, STDERR_FILENO);
    }
    signal(SIGABRT, crashed);
    signal(SIGSEGV, crashed);

    for (seed = first; seed < first + n; seed++) {
        if (!try_schedule()) {
            for (size_t i = n_trace - MIN(n_trace, TRACE_LINES); i < n_trace;
                 i++) {
                fprintf(stderr, "%s\n", trace[i % TRACE_LINES]);
            }
            fprintf(stderr, "seed %"PRIu64": step %d: %s\n", seed, step,
                    failure);
            if (!sim_verbose) {
                /* Once more, for what led to it. */
                char *s = xasprintf("%"PRIu64, seed);

                const char *self = "/proc/self/exe";

                execl(self, argv[0], "-t", s, NULL);
                ovs_fatal(errno, "cannot repeat it");
            }
            return EXIT_FAILURE;
        }
    }
    if (keep_trace) {
        ovs_fatal(0, "seed %s: went well this time", argv[1]);
    }
    return 0;
}
