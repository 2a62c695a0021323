/* SPDX-License-Identifier: Apache-2.0 */

/* All orders of news about a VMN that is expected at a switch.
 *
 * News come to a switch from several sides that know nothing of each other:
 * the database that has the settings, the datapath that has the ports, the
 * agent that says whose these are and what other sites say, the network.  So
 * they come in any order, and any of them can be taken back and said again.
 * Each order must end in the same state: nothing may be decided by what is
 * news and what is not.
 *
 * A scene has a beginning, and things that become true or false in it, as its
 * table says.  All orders of these are tried, alone, and with each of these
 * things gone and back once more; slowly or quickly.  After each order it is
 * quiet for some time.  Then all that the switch knows and says is compared
 * with what it was after the first order. */

#include <config.h>
#undef NDEBUG
#include "vmmob-sim.h"

#include <string.h>

#include "ofproto-vmmob/handover-core.h"
#include "ofproto-vmmob/handover.h"
#include "ofproto-vmmob/pool.h"
#include "flow.h"
#include "hash.h"
#include "openvswitch/dynamic-string.h"
#include "packets.h"
#include "svec.h"
#include "util.h"
#include "vmmob-hash.h"
#include "vmmob-msg.h"
#include "vmmob-table.h"

/* What can be true. */
enum fact {
    PORT,                       /* The VMN's port is there. */
    MAC,                        /* The agent knows that it is for the VMN. */
    PORT_2,                     /* Another port is there... */
    MAC_2,                      /* ...which is for it, too. */
    ROW,                        /* The VMN is at another site. */
    AGENT,                      /* The agent is there. */
    SETTINGS,                   /* The bridge has settings. */
    ROOM,                       /* Its pool has free addresses. */
    GATEWAY,                    /* Its gateway's MAC address is known. */
    UPLINK,                     /* Its uplink is there. */
    OLD_PORT,                   /* The port where it was is there. */
    RIVAL,                      /* Another VMN here has its home address. */
    PREPARES,                   /* The settings allow to prepare. */
    OTHER_ID,                   /* Its datapath id is another one. */
    LATER,                      /* Some time has passed. */
    N_FACTS
};

static const char *const fact_names[N_FACTS] = {
    "port", "its MAC", "port 2", "its MAC 2", "row", "agent", "settings",
    "room", "gateway", "uplink", "old port", "rival", "prepares",
    "other id", "later",
};

/* What happens in a scene to one fact: it becomes true for each '1' in
 * 'values' and false for each '0', in that order. */
struct strand {
    enum fact fact;
    const char *values;
};

#define MAX_STRANDS 9
#define MAX_NEWS 16

struct scene {
    const char *name;
    unsigned int begin;         /* What is true when it begins. */
    bool here;                  /* The VMN is at the old port then. */
    struct strand strands[MAX_STRANDS];
    unsigned int toggles;       /* What may be gone and back once more. */
    const char *end;            /* What the VMN is here in the end. */
    bool brief;                 /* All in less than the redirect time. */
};

#define F(FACT) (1u << (FACT))
#define ALL_SETTINGS (F(SETTINGS) | F(UPLINK) | F(GATEWAY) | F(ROOM) \
                      | F(PREPARES))

static const struct scene scenes[] = {
    { "it is expected", F(ROOM) | F(PREPARES), false,
      { { PORT, "1" }, { MAC, "1" }, { ROW, "1" }, { AGENT, "1" },
        { SETTINGS, "1" }, { GATEWAY, "1" }, { UPLINK, "1" } },
      F(PORT) | F(MAC) | F(ROW) | F(AGENT) | F(SETTINGS) | F(GATEWAY)
      | F(UPLINK), "prepared 5", false },

    { "its pool is full", F(GATEWAY) | F(UPLINK), false,
      { { PORT, "1" }, { MAC, "1" }, { ROW, "1" }, { AGENT, "1" },
        { SETTINGS, "1" }, { ROOM, "1" }, { PREPARES, "1" } },
      F(ROOM) | F(PREPARES), "prepared 5", false },

    { "it comes back", ALL_SETTINGS | F(AGENT) | F(OLD_PORT), true,
      { { PORT, "1" }, { MAC, "1" }, { ROW, "1" }, { OLD_PORT, "0" },
        { LATER, "1" } },
      F(PORT) | F(MAC) | F(ROW) | F(AGENT) | F(SETTINGS) | F(PREPARES)
      | F(ROOM), "prepared 5", false },

    { "it was never away", ALL_SETTINGS | F(AGENT) | F(OLD_PORT), true,
      { { PORT, "1" }, { MAC, "1" }, { ROW, "10" }, { OLD_PORT, "0" },
        { LATER, "1" } },
      F(PORT) | F(MAC) | F(AGENT) | F(PREPARES), "attached 5", true },

    { "another has its home address",
      ALL_SETTINGS | F(AGENT) | F(OLD_PORT) | F(RIVAL), false,
      { { PORT, "1" }, { MAC, "1" }, { ROW, "1" }, { RIVAL, "0" } },
      F(PORT) | F(MAC) | F(ROW) | F(RIVAL) | F(AGENT) | F(SETTINGS)
      | F(OTHER_ID),
      "prepared 5", false },

    { "two ports are for it", ALL_SETTINGS | F(AGENT), false,
      { { PORT, "1" }, { MAC, "1" }, { PORT_2, "1" }, { MAC_2, "1" },
        { ROW, "1" } },
      F(PORT) | F(MAC) | F(PORT_2) | F(MAC_2) | F(ROW) | F(AGENT)
      | F(SETTINGS) | F(OTHER_ID), "prepared 5", false },

    { "one of two ports goes",
      ALL_SETTINGS | F(AGENT) | F(PORT_2) | F(MAC_2), false,
      { { PORT, "1" }, { MAC, "1" }, { PORT_2, "0" }, { ROW, "1" } },
      F(PORT) | F(MAC) | F(PORT_2) | F(ROW) | F(AGENT) | F(SETTINGS),
      "prepared 5", false },

    { "one port is for another",
      ALL_SETTINGS | F(AGENT) | F(PORT_2) | F(MAC_2), false,
      { { PORT, "1" }, { MAC, "1" }, { MAC_2, "0" }, { ROW, "1" } },
      F(PORT) | F(MAC) | F(MAC_2) | F(ROW) | F(AGENT) | F(SETTINGS),
      "prepared 5", false },
};

enum { OFS = 1, OTHER_OFS = 2, RENAMED_OFS = 3, N_VMNS = 2 };

static const struct vmmob_key keys[N_VMNS] = {
    { .mac = ETH_ADDR_C(52,54,00,00,00,11) },   /* The VMN. */
    { .mac = ETH_ADDR_C(52,54,00,00,00,99) },   /* Its rival. */
};

/* A switch, and what is true. */
struct world {
    const struct scene *scene;
    enum vmmob_family family;   /* The only one that is used. */
    int step_ms;                /* Between two news. */
    struct handover *h;
    bool facts[N_FACTS];
    struct vmmob_table *authored;   /* What the agent has heard of it. */
    uint32_t digests[N_VMNS];   /* What the rules were made of. */
    ofp_port_t asked;           /* Where the VMN was last asked. */
};

enum { HOME = 100, NETWORK = 1, OTHER_NETWORK = 9 };

/* Returns the address 10.'net'.0.'host' or fd00:'net'::'host'. */
static struct in6_addr
make_addr(const struct world *w, uint8_t net, uint8_t host)
{
    return (w->family == VMMOB_IPV4
            ? in6_addr_mapped_ipv4(htonl(0x0a000000 | net << 16 | host))
            : (struct in6_addr) {
                .s6_addr = { [0] = 0xfd, [3] = net, [15] = host },
            });
}

static struct vmmob_prefix
make_network(const struct world *w, uint8_t net)
{
    return (struct vmmob_prefix) {
        .addr = make_addr(w, net, 0),
        .plen = w->family == VMMOB_IPV4 ? 96 + 24 : 64,
    };
}

static struct in6_addr
make_hoa(const struct world *w)
{
    return make_addr(w, HOME, 0x11);
}

static struct handover_ofs *
find_ofs(const struct world *w)
{
    struct handover_ofs *ofs = vmmob_handover_find_ofs(w->h, OFS);

    return ofs ? ofs : vmmob_handover_find_ofs(w->h, RENAMED_OFS);
}

/* What the rules for 'key' depend on. */
static uint32_t
make_digest(const struct world *w, const struct vmmob_key *key)
{
    const struct vmmob_entry *entry = vmmob_table_find(w->h->table, key);
    const struct handover_ofs *ofs = find_ofs(w);
    const struct handover_vmn *vmn
        = ofs ? vmmob_handover_find_vmn(ofs, key) : NULL;
    struct ds s = DS_EMPTY_INITIALIZER;

    ds_put_format(&s, "%d", ofs ? vmmob_handover_is_active(ofs, key) : 0);
    if (vmn) {
        ds_put_format(&s, "%d %"PRIu32" %"PRIu64, vmn->state,
                      vmn->state == HANDOVER_LEFT ? OFPP_NONE : vmn->port,
                      vmn->copy_to);
    }
    if (entry) {
        const struct vmmob_row *row;

        LIST_FOR_EACH (row, node, &entry->rows) {
            ds_put_format(&s, " %"PRIu64" %"PRIu64" %d", row->vmn.ofs,
                          row->vmn.seqno, row->vmn.state);
            for (size_t i = 0; i < row->vmn.n_pairs; i++) {
                vmmob_addr_format(&row->vmn.pairs[i].hoa, &s);
                vmmob_addr_format(&row->vmn.pairs[i].moa, &s);
            }
        }
    }

    uint32_t digest = hash_string(ds_cstr(&s), 0);
    ds_destroy(&s);
    return digest;
}

/* As vmmob_effects_apply() in ofproto-vmmob/effects.c. */
static void
world_apply(struct world *w)
{
    struct handover_effects effects;
    struct vmmob_msg msg;

    vmmob_msg_init(&msg, VMMOB_MSG_UPDATE);
    vmmob_handover_take_effects(w->h, &effects, &msg);
    for (size_t i = 0; i < effects.n_vmns; i++) {
        for (size_t j = 0; j < N_VMNS; j++) {
            if (vmmob_key_equals(&effects.vmns[i], &keys[j])) {
                w->digests[j] = make_digest(w, &keys[j]);
            }
        }
    }
    for (size_t i = 0; i < effects.n_announcements; i++) {
        const struct handover_announcement *a = &effects.announcements[i];

        if (a->ask && eth_addr_equals(a->mac, keys[0].mac)) {
            w->asked = a->port;
        }
    }
    if (w->facts[AGENT]) {
        for (size_t i = 0; i < msg.n_vmns; i++) {
            vmmob_table_put_vmn(w->authored, &msg.vmns[i]);
        }
        for (size_t i = 0; i < msg.n_del_vmns; i++) {
            vmmob_table_remove_vmn(w->authored, &msg.del_vmns[i].key,
                                   msg.del_vmns[i].ofs);
        }
    }
    vmmob_msg_uninit(&msg);
    vmmob_handover_effects_uninit(&effects);
}

/* What the module's thread does in a turn, as in ofproto-vmmob/vmmob.c and
 * vmmob_bridge_find_lost(). */
static void
world_turn(struct world *w)
{
    struct handover_ofs *ofs = find_ofs(w);

    vmmob_handover_run(w->h, sim_now);
    if (ofs && ofs->seek) {
        ofs->seek = false;
        vmmob_handover_port_gone(w->h, ofs, OFPP_NONE, sim_now);
    }
    world_apply(w);
}

static void
world_run_until(struct world *w, long long int when)
{
    long long int next;

    while ((next = vmmob_handover_next_event(w->h)) <= when) {
        sim_now = MAX(sim_now, next);
        world_turn(w);
    }
    sim_now = when;
    world_turn(w);
}

/* What the agent knows. */

static void
put_port(struct vmmob_msg *msg, const char *name, bool known)
{
    struct vmmob_port row;

    if (known) {
        vmmob_port_init(&row, name);
        row.attached_mac = keys[0].mac;
        vmmob_port_add_mac(&row, keys[0].mac);
        vmmob_msg_put_port(msg, &row);
        vmmob_port_destroy(&row);
    } else {
        vmmob_msg_del_port(msg, name);
    }
}

static void
put_row(const struct world *w, struct vmmob_msg *msg)
{
    struct in6_addr hoa = make_hoa(w);
    struct in6_addr moa = make_addr(w, OTHER_NETWORK, 0xb1);
    struct vmmob_vmn vmn;
    struct vmmob_ofs ofs;

    if (w->facts[ROW]) {
        vmmob_ofs_init(&ofs, OTHER_OFS);
        ofs.uplink = make_network(w, OTHER_NETWORK);
        ofs.mac = (struct eth_addr) ETH_ADDR_C(02,00,00,00,00,02);
        vmmob_msg_put_ofs(msg, &ofs);
        vmmob_ofs_destroy(&ofs);

        vmmob_vmn_init(&vmn, &keys[0], OTHER_OFS);
        vmn.seqno = 2;
        vmmob_vmn_set_pair(&vmn, &hoa, &moa);
        vmmob_msg_put_vmn(msg, &vmn);
        vmmob_vmn_destroy(&vmn);
    } else {
        vmmob_msg_del_vmn(msg, &keys[0], OTHER_OFS);
        vmmob_msg_del_ofs(msg, OTHER_OFS);
    }
}

/* The agent tells everything, and hears everything. */
static void
world_sync(struct world *w)
{
    const struct vmmob_entry *entry;
    struct vmmob_msg msg;

    if (!w->facts[AGENT]) {
        return;
    }
    for (int type = VMMOB_MSG_BEGIN; type <= VMMOB_MSG_END; type++) {
        vmmob_msg_init(&msg, type);
        if (type == VMMOB_MSG_UPDATE) {
            if (w->facts[MAC]) {
                put_port(&msg, "p5", true);
            }
            if (w->facts[MAC_2]) {
                put_port(&msg, "p6", true);
            }
            if (w->facts[ROW]) {
                put_row(w, &msg);
            }
            HMAP_FOR_EACH (entry, node, vmmob_table_entries(w->authored)) {
                const struct vmmob_row *row;

                LIST_FOR_EACH (row, node, &entry->rows) {
                    vmmob_msg_put_vmn(&msg, &row->vmn);
                }
            }
        }
        vmmob_handover_receive(w->h, &msg, sim_now);
        vmmob_msg_uninit(&msg);
    }
    world_apply(w);

    vmmob_table_destroy(w->authored);
    w->authored = vmmob_table_create();
    vmmob_msg_init(&msg, VMMOB_MSG_UPDATE);
    vmmob_handover_get_authored(w->h, &msg);
    for (size_t i = 0; i < msg.n_vmns; i++) {
        vmmob_table_put_vmn(w->authored, &msg.vmns[i]);
    }
    vmmob_msg_uninit(&msg);
}

static void
world_tell(struct world *w, enum fact fact)
{
    struct vmmob_msg msg;

    if (!w->facts[AGENT]) {
        return;
    }
    vmmob_msg_init(&msg, VMMOB_MSG_UPDATE);
    if (fact == ROW) {
        put_row(w, &msg);
    } else {
        put_port(&msg, fact == MAC ? "p5" : "p6", w->facts[fact]);
    }
    vmmob_handover_receive(w->h, &msg, sim_now);
    vmmob_msg_uninit(&msg);
}

/* What the bridge is. */

static void
set_port(struct world *w, enum fact fact)
{
    static const struct {
        enum fact fact;
        uint16_t number;
        const char *name;
    } ports[] = {
        { PORT, 5, "p5" }, { PORT_2, 6, "p6" }, { OLD_PORT, 9, "p9" },
    };
    struct handover_ofs *ofs = find_ofs(w);

    for (size_t i = 0; ofs && i < ARRAY_SIZE(ports); i++) {
        if (ports[i].fact == fact && w->facts[fact]) {
            vmmob_handover_port_there(w->h, ofs, u16_to_ofp(ports[i].number),
                                      ports[i].name,
                                      &vmmob_port_networks_default, sim_now);
        } else if (ports[i].fact == fact) {
            vmmob_handover_port_gone(w->h, ofs, u16_to_ofp(ports[i].number),
                                     sim_now);
        }
    }
}

static void
see(struct world *w, const struct vmmob_key *key)
{
    struct in6_addr hoa = make_hoa(w);

    if (find_ofs(w)) {
        vmmob_handover_sight(w->h, find_ofs(w), key, u16_to_ofp(9), &hoa,
                             HANDOVER_ANNOUNCED, sim_now);
    }
}

/* As vmmob_bridge_configure() in ofproto-vmmob/bridge.c. */
static void
world_configure(struct world *w)
{
    uint64_t id = w->facts[OTHER_ID] ? RENAMED_OFS : OFS;
    struct handover_ofs *ofs = find_ofs(w);
    /* If all goes slowly, then the uplink is gone for too long. */
    bool wanted = (w->facts[SETTINGS]
                   && (w->facts[UPLINK] || (ofs && w->step_ms < 1000)));
    bool created = wanted && !ofs;
    const struct vmmob_prefix home = make_network(w, HOME);
    const struct in6_addr home_gateway = make_addr(w, HOME, 1);
    struct vmmob_settings s;
    struct vmmob_prefix pool;
    struct vmmob_ofs record;
    struct network net;

    vmmob_handover_reserve(w->h, id, w->facts[SETTINGS] && !wanted);
    if (!wanted) {
        if (ofs) {
            vmmob_handover_remove(w->h, ofs->id, true, sim_now);
        }
        return;
    }
    if (ofs && ofs->id != id) {
        vmmob_handover_rename(w->h, ofs->id, id, sim_now);
    }

    /* The first address of a network is none for hosts. */
    pool = (struct vmmob_prefix) { make_addr(w, NETWORK, 0), 128 };
    if (w->facts[ROOM]) {
        pool.addr.s6_addr[15] |= w->family == VMMOB_IPV4 ? 0x80 : 0;
        pool.plen = w->family == VMMOB_IPV4 ? 96 + 28 : 96;
    }
    memset(&s, 0, sizeof s);
    s.uplink = xstrdup("p1");
    s.ip[w->family] = (struct vmmob_ip_settings) {
        .network = make_network(w, NETWORK),
        .gateway = make_addr(w, NETWORK, 1),
    };
    s.pools = xmemdup(&pool, sizeof pool);
    s.n_pools = 1;
    vmmob_net_init(&net, 0, "");
    vmmob_net_add_subnet(&net, &home, &home_gateway);
    vmmob_settings_put_networks(&s, &net, 1);
    vmmob_net_destroy(&net);
    s.redirect_ms = w->scene->brief ? 20 * 1000 : 2000;
    s.quarantine_ms = 3000;
    s.prepare_ms = w->facts[PREPARES] ? 600 * 1000 : 0;
    s.copy_ms = 50;
    s.max_moves = 5;
    s.move_window_ms = 180 * 1000;

    vmmob_ofs_init(&record, id);
    vmmob_settings_fill_ofs(&s, &record);
    record.mac = (struct eth_addr) ETH_ADDR_C(02,00,00,00,00,01);
    if (w->facts[GATEWAY]) {
        *(w->family == VMMOB_IPV4 ? &record.gateway_mac
          : &record.ipv6_gateway_mac)
            = (struct eth_addr) ETH_ADDR_C(02,00,00,00,00,fe);
    }
    vmmob_handover_configure(w->h, &record, &s, sim_now);
    vmmob_ofs_destroy(&record);
    vmmob_settings_destroy(&s);

    if (created) {
        set_port(w, PORT);
        set_port(w, PORT_2);
        set_port(w, OLD_PORT);
        /* It disconnects the agent, which comes back at once. */
        world_apply(w);
        world_sync(w);
        if (w->facts[RIVAL]) {
            see(w, &keys[1]);
        }
    }
}

static void
world_set(struct world *w, enum fact fact, bool value)
{
    w->facts[fact] = value;
    switch (fact) {
    case PORT:
    case PORT_2:
    case OLD_PORT:
        set_port(w, fact);
        break;
    case MAC:
    case MAC_2:
    case ROW:
        world_tell(w, fact);
        break;
    case AGENT:
        world_sync(w);
        break;
    case SETTINGS:
    case ROOM:
    case GATEWAY:
    case UPLINK:
    case PREPARES:
    case OTHER_ID:
        world_configure(w);
        break;
    case RIVAL:
        if (value) {
            see(w, &keys[1]);
        } else {
            vmmob_handover_release(w->h, &keys[1], sim_now);
        }
        break;
    case LATER:
        world_run_until(w, sim_now + 2500);
        break;
    case N_FACTS:
    default:
        OVS_NOT_REACHED();
    }
    world_turn(w);
}

/* Returns all that the switch knows and says, as text that the caller must
 * free. */
static char *
world_describe(const struct world *w)
{
    const struct vmmob_table *tables[] = { w->h->table, w->authored };
    struct handover_ofs *ofs = find_ofs(w);
    struct svec lines = SVEC_EMPTY_INITIALIZER;
    const struct handover_vmn *vmn;
    char *s;

    for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
        const struct vmmob_ofs_entry *oe;
        const struct vmmob_entry *entry;

        HMAP_FOR_EACH (entry, node, vmmob_table_entries(tables[i])) {
            const struct vmmob_row *row;

            LIST_FOR_EACH (row, node, &entry->rows) {
                struct ds line = DS_EMPTY_INITIALIZER;

                ds_put_format(&line, "%s "ETH_ADDR_FMT" ofs %"PRIu64
                              " seqno %"PRIu64" %s", i ? "says" : "knows",
                              ETH_ADDR_ARGS(entry->key.mac), row->vmn.ofs,
                              row->vmn.seqno,
                              vmmob_state_to_string(row->vmn.state));
                for (size_t j = 0; j < row->vmn.n_pairs; j++) {
                    ds_put_char(&line, ' ');
                    vmmob_addr_format(&row->vmn.pairs[j].hoa, &line);
                    ds_put_char(&line, '=');
                    vmmob_addr_format(&row->vmn.pairs[j].moa, &line);
                }
                svec_add_nocopy(&lines, ds_steal_cstr(&line));
            }
        }
        HMAP_FOR_EACH (oe, node, vmmob_table_ofs_entries(tables[i])) {
            const struct eth_addr mac = vmmob_ofs_gateway_mac(&oe->ofs,
                                                              w->family);

            svec_add_nocopy(&lines, xasprintf(
                                "knows ofs %"PRIu64" "ETH_ADDR_FMT, oe->ofs.id,
                                ETH_ADDR_ARGS(mac)));
        }
    }
    if (ofs) {
        HMAP_FOR_EACH (vmn, node, &ofs->vmns) {
            svec_add_nocopy(&lines, xasprintf(
                                "has "ETH_ADDR_FMT" %s %"PRIu32,
                                ETH_ADDR_ARGS(vmn->row.key.mac),
                                vmmob_handover_state_to_string(vmn->state),
                                vmn->port));
        }
        svec_add_nocopy(&lines, xasprintf("asks at %"PRIu32, w->asked));
        svec_add_nocopy(&lines, xasprintf(
                            "pool %"PRIuSIZE" %"PRIuSIZE,
                            vmmob_pool_n_taken(ofs->pool, w->family),
                            vmmob_pool_n_quarantined(ofs->pool, w->family)));
    }
    for (size_t i = 0; i < N_VMNS; i++) {
        if (w->digests[i]
            && w->digests[i] != make_digest(w, &keys[i])) {
            svec_add_nocopy(&lines, xasprintf(
                                "no effect for "ETH_ADDR_FMT,
                                ETH_ADDR_ARGS(keys[i].mac)));
        }
    }
    svec_sort(&lines);
    s = svec_join(&lines, "\n    ", "");
    svec_destroy(&lines);
    return s;
}

/* An order of news. */
struct news {
    enum fact fact;
    bool value;
};

struct order {
    struct news news[MAX_NEWS];
    size_t n;
};

/* Plays 'order' in 'scene', with so many ms between news, with addresses of
 * 'family'.  Returns what world_describe() does. */
static char *
play(const struct scene *scene, enum vmmob_family family,
     const struct order *order, int step_ms)
{
    struct world w = {
        .scene = scene, .family = family, .step_ms = step_ms,
        .h = vmmob_handover_create(), .authored = vmmob_table_create(),
        .asked = OFPP_NONE,
    };
    char *end;

    sim_now = 1000000;
    for (int i = 0; i < N_FACTS; i++) {
        w.facts[i] = scene->begin & F(i);
    }
    vmmob_handover_set_peers(w.h, true);
    world_sync(&w);
    world_configure(&w);
    if (scene->here) {
        see(&w, &keys[0]);
    }
    world_turn(&w);

    for (size_t i = 0; i < order->n; i++) {
        world_run_until(&w, sim_now + step_ms);
        world_set(&w, order->news[i].fact, order->news[i].value);
    }
    world_run_until(&w, sim_now + 15 * 1000);
    w.asked = OFPP_NONE;
    world_run_until(&w, sim_now + 15 * 1000);
    end = world_describe(&w);
    vmmob_table_destroy(w.authored);
    vmmob_handover_destroy(w.h);
    return end;
}

/* Says what went wrong. */
static void
complain(const struct scene *scene, const struct order *order, int step_ms,
         const char *is, const char *should)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    for (size_t i = 0; i < order->n; i++) {
        ds_put_format(&s, ", %s%s", order->news[i].value ? "" : "no ",
                      fact_names[order->news[i].fact]);
    }
    fprintf(stderr, "%s: each %d ms%s: ends with\n    %s\n"
            "and not with\n    %s\n", scene->name, step_ms, ds_cstr(&s), is,
            should);
    ds_destroy(&s);
}

/* What is tried of a scene. */
struct trial {
    const struct scene *scene;
    enum vmmob_family family;
    struct strand strands[MAX_STRANDS + 1];
    size_t n_strands;
    char *should;               /* How the first order ended. */
    bool toggled;               /* Something is gone and back once more. */
    size_t every;               /* Only each of so many is tried then. */
    size_t n_toggled, n, n_wrong;
};

/* Tries all orders that begin with 'order'.  Of each strand of 't', as many
 * news as 'at' says are in it. */
static void
try_orders(struct trial *t, struct order *order, size_t *at)
{
    static const int steps[] = { 10, 1100 };
    bool complete = true;

    for (size_t i = 0; i < t->n_strands; i++) {
        const struct strand *strand = &t->strands[i];

        if (strand->values[at[i]]) {
            complete = false;
            order->news[order->n++] = (struct news) {
                strand->fact, strand->values[at[i]++] == '1',
            };
            try_orders(t, order, at);
            at[i]--;
            order->n--;
        }
    }
    size_t first = 0, last = 1;

    if (complete && t->toggled) {
        /* These are so many that each is tried slowly or quickly, in turn. */
        size_t n = t->n_toggled++;

        if (n % t->every) {
            return;
        }
        first = last = n / t->every % 2;
    }

    for (size_t i = first; complete && i <= last; i++) {
        char *is = play(t->scene, t->family, order, steps[i]);

        t->n++;
        if (!t->should) {
            char *has = xasprintf("has "ETH_ADDR_FMT" %s\n",
                                  ETH_ADDR_ARGS(keys[0].mac), t->scene->end);

            t->should = xstrdup(is);
            if (!strstr(is, has)) {
                t->n_wrong++;
                complain(t->scene, order, steps[i], is, has);
            }
            free(has);
        } else if (strcmp(is, t->should) && !t->n_wrong++) {
            complain(t->scene, order, steps[i], is, t->should);
        }
        free(is);
    }
}

/* Plays 'scene' in all orders with addresses of 'family', but only each of
 * 'every' of those in which something is gone and back.  Returns true if all
 * went well. */
static bool
play_orders(const struct scene *scene, enum vmmob_family family, size_t every)
{
    struct trial t = { .scene = scene, .family = family, .every = every };
    size_t n_single = 0;

    for (int toggle = -1; toggle < N_FACTS; toggle++) {
        size_t at[MAX_STRANDS + 1] = { 0 };
        struct order order = { .n = 0 };
        bool found = toggle < 0;

        if (toggle >= 0 && !(scene->toggles & F(toggle))) {
            continue;
        }
        t.toggled = toggle >= 0;
        t.n_strands = 0;
        for (size_t j = 0; j < MAX_STRANDS && scene->strands[j].values; j++) {
            struct strand *strand = &t.strands[t.n_strands++];

            *strand = scene->strands[j];
            if (strand->fact == toggle) {
                strand->values = strand->values[0] == '1' ? "101" : "010";
                found = true;
            }
        }
        if (!found) {
            t.strands[t.n_strands++] = (struct strand) {
                toggle, scene->begin & F(toggle) ? "01" : "10",
            };
        }
        try_orders(&t, &order, at);
        if (toggle < 0) {
            n_single = t.n;
        }
    }
    printf("%s, %s: %"PRIuSIZE" orders, %"PRIuSIZE" more with something gone "
           "and back: %"PRIuSIZE" end otherwise\n", scene->name,
           vmmob_family_to_string(family), n_single, t.n - n_single,
           t.n_wrong);
    free(t.should);
    return !t.n_wrong;
}

/* Plays all scenes in all orders, but only each of 'every' of those in which
 * something is gone and back; with IPv6 alone, fewer of these.  Returns true
 * if all went well. */
bool
sim_orders(size_t every)
{
    bool ok = true;

    for (size_t i = 0; i < ARRAY_SIZE(scenes); i++) {
        ok &= play_orders(&scenes[i], VMMOB_IPV4, every);
        ok &= play_orders(&scenes[i], VMMOB_IPV6, every * 5);
    }
    return ok;
}
