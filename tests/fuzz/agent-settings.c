/* SPDX-License-Identifier: Apache-2.0 */

/* Settings of ovs-vmmobd, as utilities/vmmobd-settings.c takes them from
 * external_ids.  The input is what fuzz_parse_smap() takes. */

#include <config.h>
#undef NDEBUG
#include "fuzz.h"

#include <string.h>

#include "ovsdb-session.h"
#include "openvswitch/uuid.h"
#include "smap.h"
#include "stream.h"
#include "util.h"
#include "utilities/vmmobd-settings.h"

/* Aborts unless each remote in 'database' is one to connect to. */
static void
check_database(const char *database)
{
    struct svec remotes = SVEC_EMPTY_INITIALIZER;
    struct uuid cid;
    const char *remote;
    size_t i;

    ovsdb_session_parse_remote(database, &remotes, &cid);
    ovs_assert(!svec_is_empty(&remotes));
    SVEC_FOR_EACH (i, remote, &remotes) {
        ovs_assert(!stream_verify_name(remote));
    }
    svec_destroy(&remotes);
}

static void
check_settings(const struct settings *s)
{
    const char *word;
    size_t i;

    ovs_assert(s->site && s->system_id);
    check_database(s->db);
    for (i = 0; i < s->n_peers; i++) {
        const struct settings_peer *peer = &s->peers[i];

        ovs_assert(peer->name[0]);
        check_database(peer->remote);
        ovs_assert(strcmp(peer->remote, s->db));
        for (size_t j = 0; j < i; j++) {
            ovs_assert(strcmp(peer->name, s->peers[j].name));
            ovs_assert(strcmp(peer->remote, s->peers[j].remote));
        }
    }
    if (s->metrics_file[0]) {
        ovs_assert(s->metrics_file[0] == '/'
                   && strlen(s->metrics_file) > strlen(".prom"));
    }
    ovs_assert(s->metrics_interval >= 1000
               && s->metrics_interval <= SETTINGS_MAX_METRICS_INTERVAL * 1000);
    SVEC_FOR_EACH (i, word, &s->listen) {
        ovs_assert(!pstream_verify_name(word));
    }
    SVEC_FOR_EACH (i, word, &s->listen_hvs) {
        ovs_assert(!strncmp(word, "pssl:", 5));
        ovs_assert(!svec_contains_unsorted(&s->listen, word));
    }
    ovs_assert(s->allow_plain_tcp || svec_is_empty(&s->warnings));
    SVEC_FOR_EACH (i, word, &s->problems) {
        ovs_assert(word[0]);
    }
}

static bool
same_peers(const struct settings *a, const struct settings *b)
{
    if (a->n_peers != b->n_peers) {
        return false;
    }
    for (size_t i = 0; i < a->n_peers; i++) {
        if (strcmp(a->peers[i].name, b->peers[i].name)
            || strcmp(a->peers[i].remote, b->peers[i].remote)
            || !limits_equals(&a->peers[i].limits, &b->peers[i].limits)) {
            return false;
        }
    }
    return true;
}

void
fuzz_agent_settings(const uint8_t *data, size_t size)
{
    struct settings first, second;
    struct smap external_ids;

    fuzz_parse_smap(data, size, &external_ids);
    settings_parse(&first, &external_ids, NULL);
    check_settings(&first);

    /* What was in force does not matter where it is the same. */
    settings_parse(&second, &external_ids, &first);
    check_settings(&second);
    ovs_assert(!strcmp(first.site, second.site));
    ovs_assert(!strcmp(first.system_id, second.system_id));
    ovs_assert(!strcmp(first.db, second.db));
    ovs_assert(same_peers(&first, &second));
    ovs_assert(svec_equal(&first.listen, &second.listen));
    ovs_assert(svec_equal(&first.listen_hvs, &second.listen_hvs));
    ovs_assert(svec_equal(&first.identity_problems,
                          &second.identity_problems));
    ovs_assert(svec_equal(&first.problems, &second.problems));
    ovs_assert(svec_equal(&first.warnings, &second.warnings));

    settings_destroy(&second);
    settings_destroy(&first);
    smap_destroy(&external_ids);
}
