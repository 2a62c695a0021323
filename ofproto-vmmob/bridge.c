/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofproto-vmmob/bridge.h"

#include "coverage.h"
#include "netdev.h"
#include "ofproto/ofproto-dpif.h"
#include "ofproto-vmmob/advert.h"
#include "ofproto-vmmob/fairq.h"
#include "ofproto-vmmob/handover.h"
#include "ofproto-vmmob/output.h"
#include "ofproto-vmmob/port-config.h"
#include "ofproto-vmmob/port-map.h"
#include "ofproto-vmmob/settings.h"
#include "ofproto-vmmob/vmmob.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/vlog.h"
#include "seq.h"
#include "timeval.h"
#include "util.h"
#include "vmmob-table.h"

VLOG_DEFINE_THIS_MODULE(vmmob_bridge);

COVERAGE_DEFINE(vmmob_copy_stopped);
COVERAGE_DEFINE(vmmob_settings_rejected);
COVERAGE_DEFINE(vmmob_uplink_lost);

/* For what others can cause. */
static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 20);

/* If packets wait for a VMN already, more of them from the uplink make the
 * module ask all VM ports at most this often in a second, and at once. */
#define ASK_RATE 100

/* Forged frames are reported this often, in ms. */
#define REPORT_MS 5000

/* Rules for a remote VMN are removed when they were not used for so long, in
 * ms. */
#define IDLE_MS (10 * 60 * 1000)
#define SWEEP_MS (60 * 1000)

/* Most VMNs of which it is found out in one turn of the thread which home
 * addresses they use. */
#define MAX_LOOKS 128

static void bridge_disable(struct vmmob_bridge *, bool withdraw,
                           bool delete_flows) OVS_REQUIRES(vmmob_mutex);
static char *bridge_check_id(struct vmmob_bridge *, uint64_t id,
                             struct eth_addr mac,
                             const struct vmmob_settings *)
    OVS_REQUIRES(vmmob_mutex);
static void bridge_reserve(struct vmmob_bridge *, uint64_t id)
    OVS_REQUIRES(vmmob_mutex);
static void bridge_set_error(struct vmmob_bridge *, char *error)
    OVS_REQUIRES(vmmob_mutex);
static char *bridge_choose_settings(struct vmmob_bridge *,
                                    const struct smap *other_config,
                                    struct vmmob_settings *,
                                    ofp_port_t *uplink)
    OVS_REQUIRES(vmmob_mutex);
static char *bridge_find_uplink(const struct vmmob_bridge *,
                                const char *uplink_name, ofp_port_t *uplink)
    OVS_REQUIRES(vmmob_mutex);
static void bridge_update_networks(struct vmmob_bridge *,
                                   const struct vmmob_settings *old)
    OVS_REQUIRES(vmmob_mutex);
static void bridge_set_port_map(struct vmmob_bridge *,
                                struct vmmob_port_map *)
    OVS_REQUIRES(vmmob_mutex);
static void bridge_map_ports(struct vmmob_bridge *) OVS_REQUIRES(vmmob_mutex);
static void bridge_keep(struct vmmob_bridge *) OVS_REQUIRES(vmmob_mutex);
static char *bridge_check_tables(const struct vmmob_bridge *)
    OVS_REQUIRES(vmmob_mutex);
static void bridge_limit_copies(struct vmmob_bridge *)
    OVS_REQUIRES(vmmob_mutex);
static void bridge_look_at_uses(struct vmmob_bridge *, long long int now)
    OVS_REQUIRES(vmmob_mutex);

/* Returns a new bridge with the given 'name', for 'ofproto', on which VM
 * mobility is off yet. */
struct vmmob_bridge *
vmmob_bridge_create(const char *name, struct ofproto_dpif *ofproto,
                    struct handover *handover)
{
    struct vmmob_bridge *b = xzalloc(sizeof *b);

    b->name = xstrdup(name);
    b->ofproto = ofproto;
    b->handover = handover;
    b->table = vmmob_handover_get_table(handover);
    b->held_until = LLONG_MAX;
    hmap_init(&b->vm_ports);
    hmap_init(&b->port_configs);
    smap_init(&b->other_config);
    return b;
}

/* Destroys 'b', which must not be in any list.  If 'withdraw' is true,
 * withdraws what it published; if 'delete_flows' is true, deletes its rules.
 * Returns true if it published something in an earlier life only: then the
 * agent must tell and hear everything again. */
bool
vmmob_bridge_destroy(struct vmmob_bridge *b, bool withdraw, bool delete_flows)
{
    bool resync;

    bridge_disable(b, withdraw, delete_flows);
    resync = b->reserved && withdraw;
    bridge_reserve(b, 0);
    hmap_destroy(&b->vm_ports);
    vmmob_port_configs_destroy(&b->port_configs);
    smap_destroy(&b->other_config);
    free(b->error);
    free(b->name);
    free(b);
    return resync;
}

/* Configures 'b', whose MAC address is 'mac', with 'other_config'.  When the
 * rules are there, the caller must call vmmob_bridge_start().  Returns true if
 * the agent must tell and hear everything again. */
bool
vmmob_bridge_configure(struct vmmob_bridge *b, const struct smap *other_config,
                       struct eth_addr mac)
{
    uint64_t id = ofproto_get_datapath_id(&b->ofproto->up);
    struct vmmob_settings settings, old = { .n_networks = 0 };
    long long int now = time_msec();
    ofp_port_t uplink;
    bool gave_way = b->enabled && b->ofs->rival;
    char *error, *id_error;
    int mtu;

    if (gave_way) {
        bridge_disable(b, true, true);
    }
    if (other_config != &b->other_config) {
        smap_destroy(&b->other_config);
        smap_clone(&b->other_config, other_config);
    }
    b->config_mac = mac;
    error = bridge_choose_settings(b, other_config, &settings, &uplink);
    if (!error && !b->enabled) {
        b->error_kind = VMMOB_PROBLEM_TABLES;
        error = bridge_check_tables(b);
    }
    if (b->enabled && uplink == VMMOB_NO_UPLINK) {
        /* That changes the MAC address of many a bridge, and its datapath id
         * with it, until the uplink is back. */
        id = b->id;
        mac = b->mac;
        if (b->held_until == LLONG_MAX) {
            COVERAGE_INC(vmmob_uplink_lost);
            b->held_until = now + VMMOB_HOLD_MS;
        }
    } else {
        b->held_until = LLONG_MAX;
    }
    id_error = bridge_check_id(b, id, mac, error && !b->enabled
                               ? NULL : &settings);
    if (id_error) {
        if (!error) {
            b->error_kind = VMMOB_PROBLEM_DATAPATH_ID;
            error = id_error;
        } else {
            free(id_error);
        }
        id = b->enabled ? b->id : id;
    }
    bridge_set_error(b, error);
    bridge_reserve(b, b->enabled || !error || b->barred_id
                   || vmmob_handover_find_ofs(b->handover, id) ? 0 : id);
    if (error && !b->enabled) {
        vmmob_settings_destroy(&settings);
        return gave_way;
    }

    if (b->enabled && b->id != id) {
        VLOG_INFO("bridge %s: from now on OFS "VMMOB_OFS_ID_FMT", with all "
                  "VMNs of OFS "VMMOB_OFS_ID_FMT, b->name, id, b->id);
        vmmob_handover_rename(b->handover, b->id, id, now);
        b->id = id;
    }

    bool enable = !b->enabled;
    bool changed = (enable || b->uplink != uplink
                    || b->ofs->settings.policy_table != settings.policy_table
                    || !vmmob_settings_same_networks(&b->ofs->settings,
                                                     &settings));

    if (enable) {
        b->enabled = true;
        b->id = id;
        b->rules = vmmob_rules_create(&b->ofproto->up);
        b->next_sweep = now + SWEEP_MS;
        b->next_report = now + REPORT_MS;
        b->next_count = now + VM_PORT_COUNT_MS;
        b->next_revalidation = LLONG_MAX;
        b->next_ask = LLONG_MAX;
        b->next_port_advert = LLONG_MAX;
        b->n_old_homes = 0;
        b->pool_claims.n = 0;
        b->n_punted = b->n_answered = b->n_bad = b->n_unresolved = 0;
        token_bucket_init(&b->asks, ASK_RATE, ASK_RATE * 1000);
        memset(b->n_not_held, 0, sizeof b->n_not_held);
        memset(b->past_limited, 0, sizeof b->past_limited);
        memset(b->n_ignored_reported, 0, sizeof b->n_ignored_reported);
        b->past_forged = b->past_blocked = b->past_refused = 0;
        b->n_forged_reported = b->n_stray_reported = 0;

        ovs_mutex_lock(&ofproto_mutex);
        for (int i = VMMOB_TABLE_SOURCE; i <= VMMOB_TABLE_DESTINATION; i++) {
            b->ofproto->up.tables[i].flags = OFTABLE_HIDDEN | OFTABLE_READONLY;
        }
        ovs_mutex_unlock(&ofproto_mutex);
    }

    if (!enable && b->uplink != uplink) {
        b->past_forged += vmmob_rules_count_forged(b->rules, b->uplink);
        b->n_forged_reported = 0;
        vmmob_rules_update_forged(b->rules, b->uplink, false);
        for (enum punt_kind kind = PUNT_VM + 1; kind < PUNT_N_KINDS; kind++) {
            b->past_limited[kind] = (vmmob_bridge_count_ignored(b, kind)
                                     - b->n_not_held[kind]);
        }
        vmmob_gateways_ask(b, now);
    }

    vmmob_gateways_configure(b, &settings, now);
    if (!enable && !eth_addr_equals(b->mac, mac)) {
        vmmob_handover_announce_all(b->handover, b->ofs);
    }
    if (!enable) {
        vmmob_settings_clone(&old, &b->ofs->settings);
    }
    mtu = b->mtu;
    b->mac = mac;
    b->uplink = uplink;
    b->mtu = vmmob_port_get_mtu(ofproto_get_port(&b->ofproto->up, uplink));
    if (enable || !vmmob_settings_equals(&b->ofs->settings, &settings)) {
        struct vmmob_ofs record;

        vmmob_ofs_init(&record, id);
        vmmob_handover_configure(b->handover, &record, &settings, now);
        vmmob_ofs_destroy(&record);
        b->ofs = vmmob_handover_find_ofs(b->handover, id);
    }
    vmmob_bridge_update_ofs(b, now);
    vmmob_settings_destroy(&settings);

    if (changed) {
        const struct rules_context ctx = vmmob_bridge_rules_context(b);
        const struct vmmob_ofs_entry *oe;

        /* Before the rules are used; see vmmob_is_kept(). */
        atomic_store_relaxed(&b->ofproto->vmmob.uplink, ofp_to_u16(uplink));
        bridge_keep(b);
        b->ofproto->backer->need_revalidate = REV_RECONFIGURE;

        HMAP_FOR_EACH (oe, node, vmmob_table_ofs_entries(b->table)) {
            vmmob_rules_update_ofs(b->rules, &ctx, oe->ofs.id);
        }
        bridge_update_networks(b, &old);
        vmmob_handover_touch(b->handover, b->ofs);
    }
    if (enable || b->mtu != mtu
        || !vmmob_settings_same_homes(&old, &b->ofs->settings)) {
        vmmob_advert_start(b, enable ? NULL : &old, now);
    }
    vmmob_settings_destroy(&old);
    vmmob_vm_ports_find(b, &b->ofs->settings, now);
    bridge_map_ports(b);
    /* Only now, as its number may have been that of a VM port. */
    vmmob_rules_update_forged(b->rules, b->uplink, true);
    /* What this OFS wrote in an earlier life is to be told. */
    return enable;
}

/* Sends packets through the rules of 'b', which are there now, if VM mobility
 * is on. */
void
vmmob_bridge_start(struct vmmob_bridge *b)
{
    uint8_t table_id;

    atomic_read_relaxed(&b->ofproto->vmmob.table, &table_id);
    if (b->enabled && !table_id) {
        atomic_store_relaxed(&b->ofproto->vmmob.table, VMMOB_TABLE_ENTRY);
        b->ofproto->backer->need_revalidate = REV_RECONFIGURE;
        VLOG_INFO("bridge %s: VM mobility is on, as OFS "VMMOB_OFS_ID_FMT,
                  b->name, b->id);
    }
}

/* Returns true if 'b' must be configured again, as it was last: it has turned
 * out that its datapath id is that of another hypervisor's OFS, or that is not
 * so any more. */
bool
vmmob_bridge_must_configure(const struct vmmob_bridge *b)
{
    const struct vmmob_ofs *row
        = b->barred_id ? vmmob_table_find_ofs(b->table, b->barred_id) : NULL;

    return ((b->enabled && b->ofs->rival)
            || (b->barred_id && !(row && row->foreign)));
}

/* Stops VM mobility on 'b' if it has been without uplink for too long at
 * 'now'.  Returns true if so.  Main thread only. */
bool
vmmob_bridge_end_hold(struct vmmob_bridge *b, long long int now)
{
    char *error;

    if (!b->enabled || now < b->held_until) {
        return false;
    }
    error = b->error;
    b->error = NULL;
    bridge_disable(b, true, true);
    bridge_set_error(b, error);
    return true;
}

/* Updates the OFS record of 'b'. */
void
vmmob_bridge_update_ofs(struct vmmob_bridge *b, long long int now)
{
    const struct vmmob_settings *s = &b->ofs->settings;
    struct vmmob_ofs record;

    vmmob_ofs_init(&record, b->id);
    vmmob_settings_fill_ofs(s, &record);
    record.mac = b->mac;
    record.gateway_mac
        = b->gateways[vmmob_addr_family(&record.gateway)].mac;
    record.ipv6_gateway_mac = b->gateways[VMMOB_IPV6].mac;
    vmmob_handover_configure(b->handover, &record, s, now);
    vmmob_ofs_destroy(&record);
}

/* Plans to ask the VMNs of an earlier life that are at no port which is said
 * to be theirs.  Does nothing until the agent has told what is known. */
void
vmmob_bridge_find_lost(struct vmmob_bridge *b, long long int now)
{
    const struct handover_vmn *vmn;

    if (!b->ofs->seek) {
        return;
    }
    b->ofs->seek = false;
    /* Those that were expected in an earlier life, and are no more. */
    vmmob_handover_port_gone(b->handover, b->ofs, OFPP_NONE, now);
    HMAP_FOR_EACH (vmn, node, &b->ofs->vmns) {
        if (vmn->state == HANDOVER_DETACHED) {
            if (b->n_lost >= b->allocated_lost) {
                b->lost = x2nrealloc(b->lost, &b->allocated_lost,
                                     sizeof *b->lost);
            }
            b->lost[b->n_lost++] = vmn->row.key;
        }
    }
    b->next_ask = b->n_lost ? now : LLONG_MAX;
}

/* Logs how many forged frames the uplink of 'b' has sent. */
static void
report_forged(struct vmmob_bridge *b)
    OVS_REQUIRES(vmmob_mutex)
{
    static struct vlog_rate_limit forged_rl = VLOG_RATE_LIMIT_INIT(5, 20);
    unsigned long long int n = vmmob_rules_count_forged(b->rules, b->uplink);

    if (n > b->n_forged_reported) {
        VLOG_WARN_RL(&forged_rl, "bridge %s: dropped %llu frames from the "
                     "uplink from or for a home address, or with tag after "
                     "tag: nobody there has a home address", b->name,
                     n - b->n_forged_reported);
        b->n_forged_reported = n;
    }
}

/* Logs how many packets VMs at 'b' have sent to a next hop that is not
 * there. */
static void
report_stray(struct vmmob_bridge *b)
    OVS_REQUIRES(vmmob_mutex)
{
    static struct vlog_rate_limit stray_rl = VLOG_RATE_LIMIT_INIT(5, 20);
    unsigned long long int n = vmmob_rules_count_stray(b->rules);

    if (n > b->n_stray_reported) {
        VLOG_INFO_RL(&stray_rl, "bridge %s: dropped %llu packets of VMs for a "
                     "MAC address that is not here and not the home "
                     "gateway's: a VM is a next hop only at its own bridge",
                     b->name, n - b->n_stray_reported);
        b->n_stray_reported = n;
    }
}

/* Returns how many packets of 'kind' were ignored at 'b' because there were
 * too many.  For VM ports, counts only those that could not wait. */
unsigned long long int
vmmob_bridge_count_ignored(const struct vmmob_bridge *b, enum punt_kind kind)
{
    unsigned long long int n = b->n_not_held[kind];

    if (kind != PUNT_VM) {
        struct fairq_stats stats;

        vmmob_get_punt_stats(b, b->uplink, kind, &stats);
        n += b->past_limited[kind] + stats.n_limited + stats.n_overflow;
    }
    return n;
}

/* Logs of which kinds there were too many packets at 'b'. */
static void
report_ignored(struct vmmob_bridge *b)
    OVS_REQUIRES(vmmob_mutex)
{
    static struct vlog_rate_limit ignored_rl = VLOG_RATE_LIMIT_INIT(5, 20);
    struct ds s = DS_EMPTY_INITIALIZER;

    for (enum punt_kind kind = 0; kind < PUNT_N_KINDS; kind++) {
        unsigned long long int n = vmmob_bridge_count_ignored(b, kind);

        if (n > b->n_ignored_reported[kind]) {
            ds_put_format(&s, "%s%llu %s", s.length ? ", " : "",
                          n - b->n_ignored_reported[kind],
                          vmmob_punt_kinds[kind].text);
        }
        b->n_ignored_reported[kind] = n;
    }
    if (s.length) {
        VLOG_WARN_RL(&ignored_rl, "bridge %s: ignored because there were too "
                     "many: %s; those of other kinds and ports are not "
                     "concerned", b->name, ds_cstr(&s));
    }
    ds_destroy(&s);
}

/* Does what is due at 'b', which must be enabled, at 'now'. */
void
vmmob_bridge_run(struct vmmob_bridge *b, long long int now)
{
    if (vmmob_gateways_run(b, now)) {
        vmmob_bridge_update_ofs(b, now);
    }
    vmmob_advert_run(b, now);
    if (now >= b->next_ask) {
        vmmob_ask_lost(b, now);
    }
    bridge_look_at_uses(b, now);
    if (now >= b->next_revalidation) {
        b->next_revalidation = LLONG_MAX;
        vmmob_rules_revalidate(b->rules);
        seq_change(b->ofproto->ams_seq);
    }
    if (now >= b->next_count) {
        vmmob_vm_ports_block_floods(b, now);
        bridge_limit_copies(b);
        b->next_count = now + VM_PORT_COUNT_MS;
    }
    if (now >= b->next_report) {
        vmmob_vm_ports_report_forged(b);
        report_forged(b);
        report_stray(b);
        report_ignored(b);
        b->next_report = now + REPORT_MS;
    }
    if (now >= b->next_sweep) {
        const struct rules_context ctx = vmmob_bridge_rules_context(b);
        struct vmmob_key *idle;
        size_t n_idle;

        vmmob_rules_collect_idle(b->rules, &ctx, now - IDLE_MS, &idle,
                                 &n_idle);
        for (size_t i = 0; i < n_idle; i++) {
            vmmob_handover_quiet(b->handover, b->ofs, &idle[i]);
        }
        free(idle);
        b->next_sweep = now + SWEEP_MS;
    }
}

/* Returns when to call vmmob_bridge_run() for 'b', which must be enabled. */
long long int
vmmob_bridge_next_event(const struct vmmob_bridge *b)
{
    long long int next = MIN(vmmob_gateways_next_event(b), b->next_sweep);

    next = MIN(next, vmmob_handover_next_look_event(b->ofs));
    next = MIN(next, MIN(b->next_ask, b->next_report));
    next = MIN(next, vmmob_advert_next_event(b));
    return MIN(next, MIN(b->next_count, b->next_revalidation));
}

/* Stops VM mobility on 'b'. */
static void
bridge_disable(struct vmmob_bridge *b, bool withdraw, bool delete_flows)
    OVS_REQUIRES(vmmob_mutex)
{
    if (!b->enabled) {
        return;
    }

    if (withdraw || delete_flows) {
        atomic_store_relaxed(&b->ofproto->vmmob.table, 0);
        b->ofproto->backer->need_revalidate = REV_RECONFIGURE;
    }
    vmmob_vm_ports_forget(b);
    bridge_set_port_map(b, NULL);
    atomic_store_relaxed(&b->ofproto->vmmob.local, false);
    vmmob_rules_destroy(b->rules, delete_flows);
    vmmob_handover_remove(b->handover, b->id, withdraw, time_msec());
    b->ofs = NULL;
    if (delete_flows) {
        ovs_mutex_lock(&ofproto_mutex);
        for (int i = VMMOB_TABLE_SOURCE; i <= VMMOB_TABLE_DESTINATION; i++) {
            b->ofproto->up.tables[i].flags = 0;
        }
        ovs_mutex_unlock(&ofproto_mutex);
    }
    free(b->lost);
    b->lost = NULL;
    b->n_lost = b->allocated_lost = 0;
    b->rules = NULL;
    b->held_until = LLONG_MAX;
    b->enabled = false;
}

/* Returns an error, which the caller must free, if 'b', with 'mac' and
 * 'settings', which are null if they are wrong, cannot be the OFS 'id',
 * otherwise NULL. */
static char *
bridge_check_id(struct vmmob_bridge *b, uint64_t id, struct eth_addr mac,
                const struct vmmob_settings *settings)
{
    const struct vmmob_ofs *foreign;
    struct vmmob_ofs record;

    b->barred_id = 0;
    if (b->enabled && b->id == id) {
        return NULL;
    } else if (vmmob_handover_find_ofs(b->handover, id)) {
        return xasprintf("datapath id "VMMOB_OFS_ID_FMT" is that of another "
                         "bridge, too", id);
    } else if (!settings) {
        return NULL;
    }

    vmmob_ofs_init(&record, id);
    vmmob_settings_fill_ofs(settings, &record);
    record.mac = mac;
    foreign = vmmob_handover_find_foreign(b->handover, &record);
    vmmob_ofs_destroy(&record);
    if (!foreign) {
        return NULL;
    }
    b->barred_id = id;
    return xasprintf("datapath id "VMMOB_OFS_ID_FMT" is that of a bridge of "
                     "another hypervisor (site %s), too", id,
                     foreign->site[0] ? foreign->site : "-");
}

/* Keeps what was published for the datapath id 'id' until 'b' can be that OFS.
 * With 'id' 0, keeps nothing. */
static void
bridge_reserve(struct vmmob_bridge *b, uint64_t id)
    OVS_REQUIRES(vmmob_mutex)
{
    if (b->reserved != id) {
        if (b->reserved) {
            vmmob_handover_reserve(b->handover, b->reserved, false);
        }
        if (id) {
            vmmob_handover_reserve(b->handover, id, true);
        }
        b->reserved = id;
    }
}

/* Reports 'error' about 'b', which now owns it.  NULL means that all is
 * well. */
static void
bridge_set_error(struct vmmob_bridge *b, char *error)
{
    if (error && (!b->error || strcmp(b->error, error))) {
        COVERAGE_INC(vmmob_settings_rejected);
        VLOG_WARN("bridge %s: %s; %s", b->name, error,
                  !b->enabled ? "VM mobility is off"
                  : b->held_until == LLONG_MAX
                  ? "the settings before stay in force"
                  : "all that is known is kept for a while");
    }
    free(b->error);
    b->error = error;
}

/* Stores in '*settings', which the caller must destroy, the settings that are
 * to be in force at 'b'.  These are what 'other_config' says or, if that is
 * wrong and 'b' is enabled, those before.  Stores the port number of their
 * uplink in '*uplink', or VMMOB_NO_UPLINK if it is not there.  Returns NULL,
 * or what is wrong, which the caller must free. */
static char *
bridge_choose_settings(struct vmmob_bridge *b, const struct smap *other_config,
                       struct vmmob_settings *settings, ofp_port_t *uplink)
{
    const struct vmmob_settings *old = b->enabled ? &b->ofs->settings : NULL;
    char *error = vmmob_settings_parse(other_config, settings);
    char *uplink_error;

    *uplink = VMMOB_NO_UPLINK;
    b->error_kind = VMMOB_PROBLEM_SETTINGS;
    if (error) {
        if (!old) {
            return error;
        }
        vmmob_settings_clone(settings, old);
    }

    uplink_error = bridge_find_uplink(b, settings->uplink, uplink);
    if (!uplink_error) {
        return error;
    }
    free(error);
    b->error_kind = VMMOB_PROBLEM_UPLINK;
    if (old && strcmp(settings->uplink, old->uplink)) {
        error = bridge_find_uplink(b, old->uplink, uplink);
        if (!error) {
            vmmob_settings_destroy(settings);
            vmmob_settings_clone(settings, old);
        }
        free(error);
    }
    return uplink_error;
}

/* Updates the rules for the networks of 'b', which had the settings 'old'
 * before. */
static void
bridge_update_networks(struct vmmob_bridge *b,
                       const struct vmmob_settings *old)
{
    const struct rules_context ctx = vmmob_bridge_rules_context(b);
    const struct vmmob_settings *s = &b->ofs->settings;

    for (size_t i = 0; i < old->n_networks; i++) {
        if (!vmmob_settings_find_network(s, old->networks[i].id)) {
            vmmob_rules_update_network(b->rules, &ctx, old->networks[i].id);
        }
    }
    for (size_t i = 0; i < s->n_networks; i++) {
        vmmob_rules_update_network(b->rules, &ctx, s->networks[i].id);
    }
}

/* Makes 'map', which it takes, and which may be NULL, that of 'b'. */
static void
bridge_set_port_map(struct vmmob_bridge *b, struct vmmob_port_map *map)
{
    struct vmmob_ofproto *vo = &b->ofproto->vmmob;
    struct vmmob_port_map *old = ovsrcu_get_protected(struct vmmob_port_map *,
                                                      &vo->port_map);

    if (map) {
        vmmob_port_map_sort(map);
    }
    if (vmmob_port_map_equals(map, old)) {
        free(map);
        return;
    }
    ovsrcu_set(&vo->port_map, map);
    if (old) {
        ovsrcu_postpone(free, old);
    }
    b->ofproto->backer->need_revalidate = REV_RECONFIGURE;
}

/* Tells vmmob_is_kept() in which networks the ports of 'b' are. */
static void
bridge_map_ports(struct vmmob_bridge *b)
    OVS_REQUIRES(vmmob_mutex)
{
    const struct vmmob_vm_port *port;
    struct vmmob_port_map *map = NULL;
    size_t n = 0;

    HMAP_FOR_EACH (port, node, &b->vm_ports) {
        if (!vmmob_port_networks_are_default(&port->networks)) {
            n += MAX(port->networks.n, 1);
        }
    }
    if (n) {
        map = xmalloc(sizeof *map + n * sizeof map->entries[0]);
        map->n = 0;
        HMAP_FOR_EACH (port, node, &b->vm_ports) {
            if (vmmob_port_networks_are_default(&port->networks)
                || port->networks.kind == PORT_NETWORKS_PLAIN) {
                continue;
            }
            for (size_t i = 0; i < port->networks.n; i++) {
                map->entries[map->n++] = (struct vmmob_port_map_entry) {
                    .port = ofp_to_u16(port->number),
                    .vlan = port->networks.networks[i].vlan,
                    .network = port->networks.networks[i].id,
                };
            }
            if (!port->networks.n) {
                map->entries[map->n++] = (struct vmmob_port_map_entry) {
                    .port = ofp_to_u16(port->number), .network = UINT32_MAX,
                };
            }
        }
    }
    bridge_set_port_map(b, map);
    atomic_store_relaxed(&b->ofproto->vmmob.local,
                         vmmob_vm_port_find(b, OFPP_LOCAL) != NULL);
}

/* Finds the port number of the uplink of 'b'.  Returns NULL or an error that
 * the caller must free. */
static char *
bridge_find_uplink(const struct vmmob_bridge *b, const char *uplink_name,
                   ofp_port_t *uplink)
{
    const struct ofport *ofport;

    HMAP_FOR_EACH (ofport, hmap_node, &b->ofproto->up.ports) {
        if (ofport->ofp_port != OFPP_LOCAL
            && !strcmp(netdev_get_name(ofport->netdev), uplink_name)) {
            *uplink = ofport->ofp_port;
            return NULL;
        }
    }
    return xasprintf("other_config:vmmob-uplink: no interface of the bridge "
                     "is named %s", uplink_name);
}

/* Tells vmmob_is_kept() of the home subnets of 'b' in network 0.  What is in
 * another one does not get there. */
static void
bridge_keep(struct vmmob_bridge *b)
    OVS_REQUIRES(vmmob_mutex)
{
    const struct vmmob_settings *s = &b->ofs->settings;
    const struct network_subnet *ipv4
        = vmmob_net_find_family(&s->networks[0], VMMOB_IPV4);
    const struct network_subnet *ipv6
        = vmmob_net_find_family(&s->networks[0], VMMOB_IPV6);
    const struct in6_addr ipv6_addr = ipv6 ? ipv6->prefix.addr : in6addr_any;
    struct vmmob_ofproto *vo = &b->ofproto->vmmob;
    uint64_t home = 0;

    if (ipv4) {
        ovs_be32 addr = in6_addr_get_mapped_ipv4(&ipv4->prefix.addr);

        home = ((uint64_t) ntohl(addr) << 32
                | ntohl(be32_prefix_mask(ipv4->prefix.plen - 96)));
    }
    atomic_store_relaxed(&vo->home, home);
    for (size_t i = 0; i < 2; i++) {
        ovs_be64 half;

        memcpy(&half, &ipv6_addr.s6_addr[i * 8], sizeof half);
        atomic_store_relaxed(&vo->ipv6_home[i], ntohll(half));
    }
    atomic_store_relaxed(&vo->ipv6_plen, ipv6 ? ipv6->prefix.plen : 0);
}

/* Returns an error, which the caller must free, if VM mobility cannot be
 * enabled on 'b', otherwise NULL. */
static char *
bridge_check_tables(const struct vmmob_bridge *b)
{
    for (int i = VMMOB_TABLE_SOURCE; i <= VMMOB_TABLE_DESTINATION; i++) {
        /* The classifier has deleted rules for a moment, too. */
        if (b->ofproto->up.tables[i].n_flows) {
            return xasprintf("OpenFlow table %d is in use; VM mobility needs "
                             "tables %d to %d for itself", i,
                             VMMOB_TABLE_SOURCE, VMMOB_TABLE_DESTINATION);
        }
    }
    return NULL;
}

/* Stops sending copies for VMNs at 'b' that get too many packets: each copy
 * costs the network a packet, and the other switch the time to look at it. */
static void
bridge_limit_copies(struct vmmob_bridge *b)
    OVS_REQUIRES(vmmob_mutex)
{
    struct handover_ofs *ofs = b->ofs;
    size_t rate = ofs->settings.copy_rate;
    struct vmmob_key *busy;
    size_t n_busy;

    if (!ofs->settings.copy_ms || !rate) {
        return;
    }
    vmmob_rules_collect_busy(b->rules, rate * VM_PORT_COUNT_MS / 1000, &busy,
                             &n_busy);
    for (size_t i = 0; i < n_busy; i++) {
        COVERAGE_INC(vmmob_copy_stopped);
        VLOG_INFO_RL(&rl, "bridge %s: VMN "ETH_ADDR_FMT" has more than "
                     "%"PRIuSIZE" packets a second, so there are no copies of "
                     "them; see vmmob-copy-rate", b->name,
                     ETH_ADDR_ARGS(busy[i].mac), rate);
        vmmob_handover_stop_copies(b->handover, ofs, &busy[i]);
    }
    free(busy);
}

/* Tells which home addresses VMNs of 'b' use, of those whose turn has come. */
static void
bridge_look_at_uses(struct vmmob_bridge *b, long long int now)
{
    struct handover_vmn *vmn;

    for (int i = 0; i < MAX_LOOKS
         && (vmn = vmmob_handover_next_look(b->ofs, now)) != NULL; i++) {
        for (size_t j = 0; j < vmn->row.n_pairs; j++) {
            const struct in6_addr *hoa = &vmn->row.pairs[j].hoa;

            vmmob_handover_note_use(vmn, hoa, vmmob_rules_get_used(
                                        b->rules, &vmn->row.key, hoa));
        }
        vmmob_handover_forget_unused(b->handover, b->ofs, vmn, now);
    }
}
