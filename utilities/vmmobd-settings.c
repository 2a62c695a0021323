/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "vmmobd-settings.h"

#include <stdlib.h>
#include <string.h>

#include "dirs.h"
#include "openvswitch/uuid.h"
#include "ovsdb-session.h"
#include "smap.h"
#include "socket-util.h"
#include "stream.h"
#include "util.h"

static void parse_db(struct settings *, const char *, const char *old);
static void parse_peers(struct settings *, const char *);
static void parse_listen(struct settings *, const char *);
static char *check_database(const char *);
static char *check_remote(const char *, bool passive);
static char *check_inet(char *, bool passive);
static const char *find_common_remote(const char *a, const char *b);
static void split_words(const char *, struct svec *);
static void add_problem(struct settings *, const char *key, const char *value,
                        char *problem);

/* Initializes 's' as if nothing was set. */
void
settings_init(struct settings *s)
{
    s->site = xstrdup("");
    s->system_id = xstrdup("");
    s->db = xasprintf("unix:%s/vmmob_db.sock", ovs_rundir());
    svec_init(&s->peers);
    svec_init(&s->listen);
    svec_init(&s->problems);
}

/* Frees what 's' owns, but not 's' itself. */
void
settings_destroy(struct settings *s)
{
    if (s) {
        free(s->site);
        free(s->system_id);
        free(s->db);
        svec_destroy(&s->peers);
        svec_destroy(&s->listen);
        svec_destroy(&s->problems);
    }
}

/* Initializes 's' from 'external_ids'.  'old', which may be null, is what was
 * in force until now: a slip of the pen in vmmob-db must not make this
 * hypervisor leave its site. */
void
settings_parse(struct settings *s, const struct smap *external_ids,
               const struct settings *old)
{
    settings_init(s);

    free(s->site);
    s->site = xstrdup(smap_get_def(external_ids, "vmmob-site", ""));
    free(s->system_id);
    s->system_id = xstrdup(smap_get_def(external_ids, "system-id", ""));
    if (!s->system_id[0]) {
        add_problem(s, "system-id", NULL,
                    xstrdup("is not set, so that what this hypervisor wrote "
                            "in an earlier life cannot be told from what "
                            "others wrote"));
    }

    parse_db(s, smap_get(external_ids, "vmmob-db"), old ? old->db : NULL);
    parse_peers(s, smap_get_def(external_ids, "vmmob-peers", ""));
    parse_listen(s, smap_get_def(external_ids, "vmmob-listen", ""));
}

static void
parse_db(struct settings *s, const char *value, const char *old)
{
    char *problem;

    if (!value) {
        return;
    }
    problem = check_database(value);
    if (!problem) {
        free(s->db);
        s->db = xstrdup(value);
        return;
    }

    if (old) {
        free(s->db);
        s->db = xstrdup(old);
    }
    add_problem(s, "vmmob-db", value,
                xasprintf("%s (still using \"%s\")", problem, s->db));
    free(problem);
}

static void
parse_peers(struct settings *s, const char *value)
{
    struct svec words = SVEC_EMPTY_INITIALIZER;
    const char *word;
    size_t i;

    split_words(value, &words);
    SVEC_FOR_EACH (i, word, &words) {
        char *problem = check_database(word);
        const char *common;

        if (!problem) {
            common = find_common_remote(word, s->db);
            if (common) {
                problem = xasprintf("\"%s\" is this site's own database",
                                    common);
            }
        }
        for (size_t j = 0; j < s->peers.n && !problem; j++) {
            common = find_common_remote(word, s->peers.names[j]);
            if (common) {
                problem = xasprintf("\"%s\" is listed twice", common);
            }
        }

        if (problem) {
            add_problem(s, "vmmob-peers", word, problem);
        } else {
            svec_add(&s->peers, word);
        }
    }
    svec_destroy(&words);
}

static void
parse_listen(struct settings *s, const char *value)
{
    struct svec words = SVEC_EMPTY_INITIALIZER;
    const char *word;
    size_t i;

    split_words(value, &words);
    SVEC_FOR_EACH (i, word, &words) {
        char *problem = check_remote(word, true);

        if (!problem && svec_contains_unsorted(&s->listen, word)) {
            problem = xstrdup("it is listed twice");
        }
        if (problem) {
            add_problem(s, "vmmob-listen", word, problem);
        } else {
            svec_add(&s->listen, word);
        }
    }
    svec_destroy(&words);
}

/* Checks 's', one remote or several separated by commas, which may include a
 * "cid:".  Returns NULL if it can be right, otherwise an error message that
 * the caller must free(). */
static char *
check_database(const char *s)
{
    struct svec remotes = SVEC_EMPTY_INITIALIZER;
    struct uuid cid;
    const char *remote;
    char *problem = NULL;
    size_t i;

    ovsdb_session_parse_remote(s, &remotes, &cid);
    if (svec_is_empty(&remotes)) {
        problem = xstrdup("no remote is given");
    }
    SVEC_FOR_EACH (i, remote, &remotes) {
        problem = check_remote(remote, false);
        if (problem) {
            break;
        }
    }
    svec_destroy(&remotes);
    return problem;
}

static char *
check_remote(const char *remote, bool passive)
{
    const char *colon = strchr(remote, ':');
    char *problem = NULL;
    char *args;

    if (!colon || (passive
                   ? pstream_verify_name(remote)
                   : stream_verify_name(remote))) {
        return xasprintf("\"%s\" is not %s connection method that is known "
                         "here", remote, passive ? "a passive" : "an active");
    }

    args = xstrdup(colon + 1);
    if (!strncmp(remote, "tcp:", 4) || !strncmp(remote, "ssl:", 4)
        || !strncmp(remote, "ptcp:", 5) || !strncmp(remote, "pssl:", 5)) {
        problem = check_inet(args, passive);
    } else if (!args[0]) {
        problem = xasprintf("\"%s\" lacks a file name", remote);
    }
    free(args);

    if (problem) {
        char *new_problem = xasprintf("\"%s\": %s", remote, problem);

        free(problem);
        problem = new_problem;
    }
    return problem;
}

/* Checks 's', "HOST[:PORT]", or "[PORT][:HOST]" if 'passive'.  Modifies
 * it. */
static char *
check_inet(char *s, bool passive)
{
    char *host, *port;
    int port_number;

    if (passive) {
        inet_parse_port_host_tokens(s, &port, &host);
    } else {
        inet_parse_host_port_tokens(s, &host, &port);
        if (!host || !host[0]) {
            return xstrdup("no host is given");
        }
    }
    if (port && port[0]
        && (!str_to_int(port, 10, &port_number)
            || port_number < !passive || port_number > UINT16_MAX)) {
        return xasprintf("\"%s\" is not a port number", port);
    }
    return NULL;
}

/* Returns a remote, part of 'b', that is part of 'a' as well, or NULL if there
 * is none. */
static const char *
find_common_remote(const char *a, const char *b)
{
    struct svec a_remotes = SVEC_EMPTY_INITIALIZER;
    struct svec b_remotes = SVEC_EMPTY_INITIALIZER;
    const char *common = NULL;
    struct uuid cid;

    ovsdb_session_parse_remote(a, &a_remotes, &cid);
    ovsdb_session_parse_remote(b, &b_remotes, &cid);
    for (size_t i = 0; i < b_remotes.n && !common; i++) {
        if (svec_contains_unsorted(&a_remotes, b_remotes.names[i])) {
            common = strstr(b, b_remotes.names[i]);
        }
    }
    svec_destroy(&a_remotes);
    svec_destroy(&b_remotes);
    return common;
}

/* Adds the words of 's', which are separated by white space, to 'words'. */
static void
split_words(const char *s, struct svec *words)
{
    static const char white[] = " \t\r\n";

    for (s += strspn(s, white); *s; s += strspn(s, white)) {
        size_t len = strcspn(s, white);

        svec_add_nocopy(words, xmemdup0(s, len));
        s += len;
    }
}

/* Takes ownership of 'problem'.  'value' may be null. */
static void
add_problem(struct settings *s, const char *key, const char *value,
            char *problem)
{
    svec_add_nocopy(&s->problems,
                    value ? xasprintf("external_ids:%s \"%s\": %s",
                                      key, value, problem)
                    : xasprintf("external_ids:%s %s", key, problem));
    free(problem);
}
