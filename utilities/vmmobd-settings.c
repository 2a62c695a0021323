/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "vmmobd-settings.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "dirs.h"
#include "openvswitch/uuid.h"
#include "ovsdb-session.h"
#include "packets.h"
#include "smap.h"
#include "socket-util.h"
#include "stream.h"
#include "util.h"
#include "vmmob-binding.h"

static void parse_db(struct settings *, const char *, const char *old);
static void parse_peers(struct settings *, const char *);
static char *parse_peer(const struct settings *, const char *word,
                        struct settings_peer *);
static void add_peer(struct settings *, struct settings_peer);
static void parse_limits(struct settings *, const char *key, const char *,
                         char *(*parse)(struct limits *, const char *));
static char *parse_pools(struct limits *, const char *);
static char *parse_homes(struct limits *, const char *);
static char *parse_networks(struct limits *, const char *);
static char *parse_max_vmns(struct limits *, const char *);
static char *parse_max_ofss(struct limits *, const char *);
static char *parse_prefixes(struct prefix_limit *, const char *);
static void peer_destroy(struct settings_peer *);
static struct settings_peer *find_peer(const struct settings *,
                                       const char *name);
static void parse_listen(struct settings *, const char *key, const char *,
                         bool tls_only, struct svec *targets);
static void parse_metrics_file(struct settings *, const char *);
static void parse_metrics_interval(struct settings *, const char *);
static char *check_database(const struct settings *, const char *);
static char *check_remote(const struct settings *, const char *, bool passive);
static char *check_inet(char *, bool passive);
static bool is_plain(const char *remote);
static bool is_loopback(const char *host);
static void warn_if_plain(struct settings *, const char *key,
                          const char *remote);
static void warn_if_any_plain(struct settings *, const char *key,
                              const char *database);
static const char *find_common_remote(const char *a, const char *b);
static void split_words(const char *, struct svec *);
static void add_problem(struct settings *, const char *key, const char *value,
                        char *problem);

/* Initializes 's' with nothing set. */
void
settings_init(struct settings *s)
{
    s->site = xstrdup("");
    s->system_id = xstrdup("");
    s->db = xasprintf("unix:%s/vmmob_db.sock", ovs_rundir());
    s->peers = NULL;
    s->n_peers = 0;
    svec_init(&s->listen);
    svec_init(&s->listen_hvs);
    s->listen_elsewhere = false;
    s->allow_plain_tcp = false;
    s->metrics_file = xstrdup("");
    s->metrics_interval = SETTINGS_METRICS_INTERVAL * 1000;
    svec_init(&s->identity_problems);
    svec_init(&s->problems);
    svec_init(&s->warnings);
}

/* Frees what 's' owns, but not 's' itself. */
void
settings_destroy(struct settings *s)
{
    if (s) {
        free(s->site);
        free(s->system_id);
        free(s->db);
        for (size_t i = 0; i < s->n_peers; i++) {
            peer_destroy(&s->peers[i]);
        }
        free(s->peers);
        svec_destroy(&s->listen);
        svec_destroy(&s->listen_hvs);
        free(s->metrics_file);
        svec_destroy(&s->identity_problems);
        svec_destroy(&s->problems);
        svec_destroy(&s->warnings);
    }
}

/* Initializes 's' from 'external_ids'.  'old', which may be null, is what was
 * in force until now: a slip of the pen in vmmob-db must not make this
 * hypervisor leave its site. */
void
settings_parse(struct settings *s, const struct smap *external_ids,
               const struct settings *old)
{
    const char *listen = smap_get_def(external_ids, "vmmob-listen", "");

    settings_init(s);

    free(s->site);
    s->site = xstrdup(smap_get_def(external_ids, "vmmob-site", ""));
    free(s->system_id);
    s->system_id = xstrdup(smap_get_def(external_ids, "system-id", ""));
    if (!s->system_id[0]) {
        svec_add(&s->identity_problems,
                 "external_ids:system-id is not set, so that what this "
                 "hypervisor wrote in an earlier life cannot be told from "
                 "what others wrote");
    }

    s->allow_plain_tcp = smap_get_bool(external_ids, "vmmob-allow-plain-tcp",
                                       false);
    parse_db(s, smap_get(external_ids, "vmmob-db"), old ? old->db : NULL);
    parse_peers(s, smap_get_def(external_ids, "vmmob-peers", ""));
    parse_limits(s, "vmmob-peer-pools",
                 smap_get_def(external_ids, "vmmob-peer-pools", ""),
                 parse_pools);
    parse_limits(s, "vmmob-peer-homes",
                 smap_get_def(external_ids, "vmmob-peer-homes", ""),
                 parse_homes);
    parse_limits(s, "vmmob-peer-networks",
                 smap_get_def(external_ids, "vmmob-peer-networks", ""),
                 parse_networks);
    parse_limits(s, "vmmob-peer-max-vmns",
                 smap_get_def(external_ids, "vmmob-peer-max-vmns", ""),
                 parse_max_vmns);
    parse_limits(s, "vmmob-peer-max-ofss",
                 smap_get_def(external_ids, "vmmob-peer-max-ofss", ""),
                 parse_max_ofss);
    s->listen_elsewhere = !strcmp(listen, "none");
    parse_listen(s, "vmmob-listen", s->listen_elsewhere ? "" : listen, false,
                 &s->listen);
    parse_listen(s, "vmmob-listen-hypervisors",
                 smap_get_def(external_ids, "vmmob-listen-hypervisors", ""),
                 true, &s->listen_hvs);
    parse_metrics_file(s, smap_get_def(external_ids, "vmmob-metrics-file",
                                       ""));
    parse_metrics_interval(s, smap_get(external_ids,
                                       "vmmob-metrics-interval"));
}

/* Returns true if 'key' of external_ids is one of ours. */
bool
settings_is_known(const char *key)
{
    static const char *const known[] = {
        "vmmob-allow-plain-tcp", "vmmob-db", "vmmob-listen",
        "vmmob-listen-hypervisors", "vmmob-metrics-file",
        "vmmob-metrics-interval", "vmmob-peer-homes", "vmmob-peer-max-ofss",
        "vmmob-peer-max-vmns", "vmmob-peer-networks", "vmmob-peer-pools",
        "vmmob-peers", "vmmob-site",
    };

    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        if (!strcmp(key, known[i])) {
            return true;
        }
    }
    return false;
}

/* Returns true if 'words', separated by commas, has one that is TLS. */
static bool
has_tls(const char *words)
{
    return !strncmp(words, "ssl:", 4) || strstr(words, ",ssl:");
}

/* Returns true if a key and a certificate are needed. */
bool
settings_want_tls(const struct settings *s)
{
    bool wanted = has_tls(s->db) || s->listen_hvs.n;

    for (size_t i = 0; i < s->n_peers; i++) {
        wanted = wanted || has_tls(s->peers[i].remote);
    }
    for (size_t i = 0; i < s->listen.n; i++) {
        wanted = wanted || !strncmp(s->listen.names[i], "pssl:", 5);
    }
    return wanted;
}

/* Returns true if this site's database is on this hypervisor. */
bool
settings_db_is_here(const struct settings *s)
{
    return !strncmp(s->db, "unix:", 5);
}

static void
parse_db(struct settings *s, const char *value, const char *old)
{
    char *problem;

    if (!value) {
        return;
    }
    problem = check_database(s, value);
    if (!problem) {
        free(s->db);
        s->db = xstrdup(value);
        warn_if_any_plain(s, "vmmob-db", value);
        return;
    }

    if (old) {
        /* The old one may be wrong now, if TCP is not allowed any more. */
        char *old_problem = check_database(s, old);

        if (!old_problem) {
            free(s->db);
            s->db = xstrdup(old);
            warn_if_any_plain(s, "vmmob-db", old);
        }
        free(old_problem);
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
        struct settings_peer peer;
        char *problem = parse_peer(s, word, &peer);

        if (problem) {
            add_problem(s, "vmmob-peers", word, problem);
        } else {
            warn_if_any_plain(s, "vmmob-peers", peer.remote);
            add_peer(s, peer);
        }
    }
    svec_destroy(&words);
}

/* Initializes '*peer' from 'word', "[NAME=]REMOTE".  Returns NULL if
 * successful, otherwise an error message that the caller must free(). */
static char *
parse_peer(const struct settings *s, const char *word,
           struct settings_peer *peer)
{
    /* A remote begins with its method and a colon. */
    size_t name_len = strcspn(word, ":=");
    const char *remote = word[name_len] == '=' ? word + name_len + 1 : word;
    const char *common;
    char *problem;
    char *name;

    if (remote != word && !name_len) {
        return xstrdup("the name is empty");
    }
    problem = check_database(s, remote);
    if (problem) {
        return problem;
    }
    common = find_common_remote(remote, s->db);
    if (common) {
        return xasprintf("\"%s\" is this site's own database", common);
    }
    for (size_t i = 0; i < s->n_peers; i++) {
        common = find_common_remote(remote, s->peers[i].remote);
        if (common) {
            return xasprintf("\"%s\" is listed twice", common);
        }
    }
    name = remote == word ? xstrdup(word) : xmemdup0(word, name_len);
    if (find_peer(s, name)) {
        problem = xasprintf("name \"%s\" is used twice", name);
        free(name);
        return problem;
    }

    peer->name = name;
    peer->remote = xstrdup(remote);
    limits_init(&peer->limits);
    return NULL;
}

/* Adds 'peer', of which it takes ownership, to 's'. */
static void
add_peer(struct settings *s, struct settings_peer peer)
{
    s->peers = xrealloc(s->peers, (s->n_peers + 1) * sizeof *s->peers);
    s->peers[s->n_peers++] = peer;
}

static void
peer_destroy(struct settings_peer *peer)
{
    free(peer->name);
    free(peer->remote);
    limits_destroy(&peer->limits);
}

/* Sets limits of peers from 'value', words of the form "NAME=LIMIT", where
 * 'parse' parses LIMIT and returns NULL or an error message that the caller
 * must free(). */
static void
parse_limits(struct settings *s, const char *key, const char *value,
             char *(*parse)(struct limits *, const char *))
{
    struct svec words = SVEC_EMPTY_INITIALIZER;
    const char *word;
    size_t i;

    split_words(value, &words);
    SVEC_FOR_EACH (i, word, &words) {
        /* A peer without name has its remote as name, which may have an
         * "=". */
        const char *equals = strrchr(word, '=');
        struct settings_peer *peer;
        char *problem;

        if (!equals) {
            problem = xstrdup("this has no \"=\" after a peer's name");
        } else {
            char *name = xmemdup0(word, equals - word);

            peer = find_peer(s, name);
            problem = (peer
                       ? parse(&peer->limits, equals + 1)
                       : xasprintf("no peer is called \"%s\"", name));
            free(name);
        }
        if (problem) {
            add_problem(s, key, word, problem);
        }
    }
    svec_destroy(&words);
}

static char *
parse_pools(struct limits *limits, const char *s)
{
    return parse_prefixes(&limits->pools, s);
}

static char *
parse_homes(struct limits *limits, const char *s)
{
    return parse_prefixes(&limits->homes, s);
}

/* Parses "ID", or "ID-ID", and stores the two into '*first' and '*last'.
 * Returns true if successful. */
static bool
parse_range(char *s, uint32_t *first, uint32_t *last)
{
    char *dash = strchr(s, '-');
    unsigned long long int ids[2];

    if (dash) {
        *dash = '\0';
    }
    for (size_t i = 0; i < 2; i++) {
        const char *id = i && dash ? dash + 1 : s;

        if (!id[0] || strspn(id, "0123456789") != strlen(id)
            || !str_to_ullong(id, 10, &ids[i]) || ids[i] > UINT32_MAX) {
            return false;
        }
    }
    *first = ids[0];
    *last = ids[1];
    return *first <= *last;
}

/* Parses "ID[-ID][,ID[-ID]]..." into the networks of 'limits'.  A mistake must
 * not allow anything, so then nothing is allowed. */
static char *
parse_networks(struct limits *limits, const char *s)
{
    char *copy = xstrdup(s);
    char *next = copy;
    char *problem = NULL;
    char *token;

    while ((token = strsep(&next, ",")) != NULL) {
        uint32_t first, last;

        if (!parse_range(token, &first, &last)) {
            problem = xasprintf("\"%s\" has what is not a network's id, from "
                                "0 to %"PRIu32", nor two with \"-\" between; "
                                "until this is right, the peer may have none",
                                s, UINT32_MAX);
            network_limit_allow_none(&limits->networks);
            break;
        }
        network_limit_add(&limits->networks, first, last);
    }
    free(copy);
    return problem;
}

static char *
parse_max(struct limits *limits, bool is_ofs, const char *s)
{
    int max;

    if (!str_to_int(s, 10, &max) || max < 0) {
        limits->max_rows[is_ofs] = 0;
        return xasprintf("\"%s\" is not a number of %s; until this is "
                         "right, the peer may have none", s,
                         is_ofs ? "OFSs" : "VMNs");
    }
    limits->max_rows[is_ofs] = max;
    return NULL;
}

static char *
parse_max_vmns(struct limits *limits, const char *s)
{
    return parse_max(limits, false, s);
}

static char *
parse_max_ofss(struct limits *limits, const char *s)
{
    return parse_max(limits, true, s);
}

/* Parses "PREFIX[,PREFIX]..." into 'limit'.  A mistake must not allow
 * anything, so then nothing is allowed. */
static char *
parse_prefixes(struct prefix_limit *limit, const char *s)
{
    char *copy = xstrdup(s);
    char *next = copy;
    char *problem = NULL;
    char *token;

    while ((token = strsep(&next, ",")) != NULL) {
        struct vmmob_prefix prefix;
        char *error = vmmob_prefix_parse(token, &prefix, NULL);

        if (error) {
            problem = xasprintf("%s; until this is right, the peer may have "
                                "none", error);
            free(error);
            prefix_limit_allow_none(limit);
            break;
        }
        prefix_limit_add(limit, &prefix);
    }
    free(copy);
    return problem;
}

static struct settings_peer *
find_peer(const struct settings *s, const char *name)
{
    for (size_t i = 0; i < s->n_peers; i++) {
        if (!strcmp(s->peers[i].name, name)) {
            return &s->peers[i];
        }
    }
    return NULL;
}

/* Adds the remotes in 'value', that of 'key', to 'targets', one of the two
 * lists in 's'. */
static void
parse_listen(struct settings *s, const char *key, const char *value,
             bool tls_only, struct svec *targets)
{
    struct svec words = SVEC_EMPTY_INITIALIZER;
    const char *word;
    size_t i;

    split_words(value, &words);
    SVEC_FOR_EACH (i, word, &words) {
        char *problem = check_remote(s, word, true);

        if (!problem && tls_only && strncmp(word, "pssl:", 5)) {
            problem = xstrdup("this must be \"pssl:\", as hypervisors are "
                              "told apart by their certificates");
        }
        if (!problem && (svec_contains_unsorted(&s->listen, word)
                         || svec_contains_unsorted(&s->listen_hvs, word))) {
            problem = xstrdup("it is listed twice");
        }
        if (problem) {
            add_problem(s, key, word, problem);
        } else {
            warn_if_plain(s, key, word);
            svec_add(targets, word);
        }
    }
    svec_destroy(&words);
}

/* Whoever may set this must not be able to make us overwrite any file. */
static void
parse_metrics_file(struct settings *s, const char *value)
{
    static const char suffix[] = ".prom";
    size_t len = strlen(value);
    const char *problem = NULL;

    if (!len) {
        return;
    }
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char) value[i] < 0x20 || value[i] == 0x7f) {
            problem = "this has a control character";
        }
    }
    if (value[0] != '/') {
        problem = "this must be an absolute file name";
    } else if (len <= strlen(suffix)
               || strcmp(value + len - strlen(suffix), suffix)) {
        problem = "this must end in \".prom\", as node_exporter reads no "
                  "other files";
    }
    if (problem) {
        add_problem(s, "vmmob-metrics-file", value, xstrdup(problem));
    } else {
        free(s->metrics_file);
        s->metrics_file = xstrdup(value);
    }
}

static void
parse_metrics_interval(struct settings *s, const char *value)
{
    int interval;

    if (!value) {
        return;
    }
    if (!str_to_int(value, 10, &interval)
        || interval < 1 || interval > SETTINGS_MAX_METRICS_INTERVAL) {
        add_problem(s, "vmmob-metrics-interval", value,
                    xasprintf("not a number of seconds from 1 to %d (using "
                              "%d)", SETTINGS_MAX_METRICS_INTERVAL,
                              SETTINGS_METRICS_INTERVAL));
    } else {
        s->metrics_interval = interval * 1000LL;
    }
}

/* Checks 's', one remote or several separated by commas, which may include a
 * "cid:".  Returns NULL if it is well-formed and allowed, otherwise an error
 * message that the caller must free(). */
static char *
check_database(const struct settings *settings, const char *s)
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
        problem = check_remote(settings, remote, false);
        if (problem) {
            break;
        }
    }
    svec_destroy(&remotes);
    return problem;
}

/* Checks 'remote'.  Returns NULL if it is well-formed and allowed, otherwise
 * an error message that the caller must free(). */
static char *
check_remote(const struct settings *s, const char *remote, bool passive)
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
        if (!problem && !s->allow_plain_tcp && is_plain(remote)) {
            problem = xstrdup("TCP is neither encrypted nor authenticated; "
                              "use TLS, or set vmmob-allow-plain-tcp=true");
        }
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

/* Returns true if 'remote', which is well-formed, is TCP without TLS to or at
 * an address other than loopback. */
static bool
is_plain(const char *remote)
{
    bool passive = !strncmp(remote, "ptcp:", 5);
    char *args, *host, *port;
    bool plain;

    if (!passive && strncmp(remote, "tcp:", 4)) {
        return false;
    }
    args = xstrdup(strchr(remote, ':') + 1);
    if (passive) {
        inet_parse_port_host_tokens(args, &port, &host);
    } else {
        inet_parse_host_port_tokens(args, &host, &port);
    }
    plain = !host || !is_loopback(host);
    free(args);
    return plain;
}

static bool
is_loopback(const char *host)
{
    struct in6_addr ip6;
    ovs_be32 ip4;

    if (ip_parse(host, &ip4)) {
        return ntohl(ip4) >> 24 == 127;
    }
    if (ipv6_parse(host, &ip6)) {
        return IN6_IS_ADDR_LOOPBACK(&ip6);
    }
    return !strcmp(host, "localhost");
}

/* Adds a warning to 's' if 'remote', a single well-formed one, is TCP without
 * TLS. */
static void
warn_if_plain(struct settings *s, const char *key, const char *remote)
{
    if (is_plain(remote)) {
        svec_add_nocopy(&s->warnings, xasprintf(
                            "external_ids:%s \"%s\": TCP is neither "
                            "encrypted nor authenticated, so whoever is "
                            "on the way can redirect VMs' traffic",
                            key, remote));
    }
}

/* Adds warnings to 's' about 'database', one remote or several separated by
 * commas, all well-formed. */
static void
warn_if_any_plain(struct settings *s, const char *key, const char *database)
{
    struct svec remotes = SVEC_EMPTY_INITIALIZER;
    struct uuid cid;
    const char *remote;
    size_t i;

    ovsdb_session_parse_remote(database, &remotes, &cid);
    SVEC_FOR_EACH (i, remote, &remotes) {
        warn_if_plain(s, key, remote);
    }
    svec_destroy(&remotes);
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

/* Adds 'problem', of which it takes ownership, about 'key' to 's'. */
static void
add_problem(struct settings *s, const char *key, const char *value,
            char *problem)
{
    svec_add_nocopy(&s->problems, xasprintf("external_ids:%s \"%s\": %s",
                                            key, value, problem));
    free(problem);
}
