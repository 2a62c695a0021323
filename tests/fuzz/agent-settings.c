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
    SVEC_FOR_EACH (i, word, &s->peers) {
        check_database(word);
        ovs_assert(strcmp(word, s->db));
        for (size_t j = 0; j < i; j++) {
            ovs_assert(strcmp(word, s->peers.names[j]));
        }
    }
    SVEC_FOR_EACH (i, word, &s->listen) {
        ovs_assert(!pstream_verify_name(word));
    }
    SVEC_FOR_EACH (i, word, &s->problems) {
        ovs_assert(word[0]);
    }
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
    ovs_assert(svec_equal(&first.peers, &second.peers));
    ovs_assert(svec_equal(&first.listen, &second.listen));
    ovs_assert(svec_equal(&first.problems, &second.problems));

    settings_destroy(&second);
    settings_destroy(&first);
    smap_destroy(&external_ids);
}
