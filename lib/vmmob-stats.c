/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "vmmob-stats.h"

#include <stdlib.h>
#include <string.h>

#include "coverage.h"
#include "openvswitch/json.h"
#include "openvswitch/shash.h"
#include "util.h"
#include "vmmob-compat.h"
#include "vmmob-problems.h"

/* Most bridges and counters that are taken from a message. */
#define MAX_BRIDGES 1024
#define MAX_COUNTERS 1024
#define MAX_NAME 255

#define VMMOB_STAT(WHICH, KEY, TYPE, FAMILY, LABELS, HELP)  \
    [VMMOB_STAT_##WHICH] = { KEY, TYPE, FAMILY, LABELS, HELP },
const struct vmmob_stat vmmob_switch_stats[VMMOB_N_SWITCH_STATS] = {
    VMMOB_SWITCH_STATS
};
const struct vmmob_stat vmmob_bridge_stats[VMMOB_N_BRIDGE_STATS] = {
    VMMOB_BRIDGE_STATS
};
#undef VMMOB_STAT

const uint32_t vmmob_histogram_bounds[VMMOB_N_BUCKETS - 1] = {
    100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000,
    500000, 1000000, 2500000,
};

void
vmmob_histogram_add(struct vmmob_histogram *h, long long int us)
{
    size_t i = 0;

    us = MAX(us, 0);
    while (i < VMMOB_N_BUCKETS - 1 && us > vmmob_histogram_bounds[i]) {
        i++;
    }
    h->n[i]++;
    h->sum_us += us;
}

/* Returns a static string. */
const char *
vmmob_move_phase_to_string(enum vmmob_move_phase phase)
{
    static const char *const names[] = {
#define VMMOB_MOVE_PHASE(WHICH, NAME) [VMMOB_MOVE_##WHICH] = NAME,
        VMMOB_MOVE_PHASES
#undef VMMOB_MOVE_PHASE
    };

    ovs_assert(phase < ARRAY_SIZE(names));
    return names[phase];
}

/* Returns a static string. */
const char *
vmmob_direction_to_string(enum vmmob_direction direction)
{
    switch (direction) {
    case VMMOB_HERE:
        return "here";
    case VMMOB_AWAY:
        return "away";
    case VMMOB_ELSEWHERE:
        return "elsewhere";
    case VMMOB_N_DIRECTIONS:
    default:
        OVS_NOT_REACHED();
    }
}

/* Initializes 's' without any figures. */
void
vmmob_stats_init(struct vmmob_stats *s)
{
    memset(s, 0, sizeof *s);
    for (size_t i = 0; i < VMMOB_N_SWITCH_STATS; i++) {
        s->values[i] = VMMOB_STAT_NONE;
    }
    simap_init(&s->problems);
}

/* Frees what 's' owns, but not 's' itself. */
void
vmmob_stats_destroy(struct vmmob_stats *s)
{
    if (s) {
        for (size_t i = 0; i < s->n_bridges; i++) {
            free(s->bridges[i].name);
        }
        free(s->bridges);
        for (size_t i = 0; i < s->n_counters; i++) {
            free(s->counters[i].name);
        }
        free(s->counters);
        simap_destroy(&s->problems);
    }
}

/* Adds a bridge to 's' and returns it, without any figures. */
struct vmmob_bridge_figures *
vmmob_stats_add_bridge(struct vmmob_stats *s, const char *name)
{
    struct vmmob_bridge_figures *b;

    if (s->n_bridges >= s->allocated_bridges) {
        s->bridges = x2nrealloc(s->bridges, &s->allocated_bridges,
                                sizeof *s->bridges);
    }
    b = &s->bridges[s->n_bridges++];
    b->name = xstrdup(name);
    for (size_t i = 0; i < VMMOB_N_BRIDGE_STATS; i++) {
        b->values[i] = VMMOB_STAT_NONE;
    }
    return b;
}

void
vmmob_stats_add_counter(struct vmmob_stats *s, const char *name,
                        uint64_t total)
{
    if (s->n_counters >= s->allocated_counters) {
        s->counters = x2nrealloc(s->counters, &s->allocated_counters,
                                 sizeof *s->counters);
    }
    s->counters[s->n_counters++] = (struct vmmob_counter) {
        .name = xstrdup(name), .total = total,
    };
}

struct add_counter_aux {
    struct vmmob_stats *stats;
    const char *prefix;
};

static void
add_counter(const char *name, unsigned long long int total, void *aux_)
{
    const struct add_counter_aux *aux = aux_;

    if (!strncmp(name, aux->prefix, strlen(aux->prefix))) {
        vmmob_stats_add_counter(aux->stats, name, total);
    }
}

/* Adds to 's' those coverage counters of this process whose names begin with
 * 'prefix'.  What other threads have counted within the last second may be
 * missing. */
void
vmmob_stats_add_counters(struct vmmob_stats *s, const char *prefix)
{
    struct add_counter_aux aux = { .stats = s, .prefix = prefix };

    coverage_read_all(add_counter, &aux);
}

/* JSON. */

static struct json *
values_to_json(const struct vmmob_stat *stats, const uint64_t *values,
               size_t n)
{
    struct json *object = json_object_create();

    for (size_t i = 0; i < n; i++) {
        if (values[i] != VMMOB_STAT_NONE) {
            json_object_put(object, stats[i].key,
                            json_integer_create(MIN(values[i], LLONG_MAX)));
        }
    }
    return object;
}

/* Returns 's' as a JSON object, which the caller owns. */
struct json *
vmmob_stats_to_json(const struct vmmob_stats *s)
{
    struct json *object = json_object_create();
    struct json *bridges = json_object_create();
    struct json *counters = json_object_create();
    struct json *problems = json_object_create();
    struct json *phases = json_object_create();
    const struct simap_node *node;

    json_object_put(object, "values",
                    values_to_json(vmmob_switch_stats, s->values,
                                   VMMOB_N_SWITCH_STATS));
    for (size_t i = 0; i < s->n_bridges; i++) {
        json_object_put(bridges, s->bridges[i].name,
                        values_to_json(vmmob_bridge_stats,
                                       s->bridges[i].values,
                                       VMMOB_N_BRIDGE_STATS));
    }
    json_object_put(object, "bridges", bridges);
    for (size_t i = 0; i < s->n_counters; i++) {
        json_object_put(counters, s->counters[i].name,
                        json_integer_create(MIN(s->counters[i].total,
                                                LLONG_MAX)));
    }
    json_object_put(object, "counters", counters);
    SIMAP_FOR_EACH (node, &s->problems) {
        json_object_put(problems, node->name, json_integer_create(node->data));
    }
    json_object_put(object, "problems", problems);

    for (size_t i = 0; i < VMMOB_N_DIRECTIONS; i++) {
        struct json *direction = json_object_create();

        for (size_t j = 0; j < VMMOB_N_MOVE_PHASES; j++) {
            const struct vmmob_histogram *h = &s->phases[i][j];
            struct json *array = json_array_create_empty();

            json_array_add(array, json_integer_create(MIN(h->sum_us,
                                                          LLONG_MAX)));
            for (size_t k = 0; k < VMMOB_N_BUCKETS; k++) {
                json_array_add(array, json_integer_create(MIN(h->n[k],
                                                              LLONG_MAX)));
            }
            json_object_put(direction, vmmob_move_phase_to_string(j), array);
        }
        json_object_put(phases, vmmob_direction_to_string(i), direction);
    }
    json_object_put(object, "phases", phases);
    return object;
}

/* Returns the member 'name' of 'object' if that is an object, otherwise
 * NULL. */
static const struct json *
get_object(const struct json *object, const char *name)
{
    const struct json *member = shash_find_data(object->object, name);

    return member && member->type == JSON_OBJECT ? member : NULL;
}

static bool
get_integer(const struct json *json, uint64_t *value)
{
    if (!json || json->type != JSON_INTEGER || json->integer < 0) {
        return false;
    }
    *value = json->integer;
    return true;
}

static bool
values_from_json(const struct json *object, const struct vmmob_stat *stats,
                 uint64_t *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct json *member = shash_find_data(object->object,
                                                    stats[i].key);

        if (member && !get_integer(member, &values[i])) {
            return false;
        }
    }
    return true;
}

static bool
histogram_from_json(const struct json *json, struct vmmob_histogram *h)
{
    uint64_t sum = 0;

    if (!json || json->type != JSON_ARRAY
        || json_array_size(json) != 1 + VMMOB_N_BUCKETS
        || !get_integer(json_array_at(json, 0), &h->sum_us)) {
        return false;
    }
    for (size_t i = 0; i < VMMOB_N_BUCKETS; i++) {
        if (!get_integer(json_array_at(json, 1 + i), &h->n[i])
            || h->n[i] > LLONG_MAX - sum) {
            return false;
        }
        sum += h->n[i];
    }
    return true;
}

/* Returns true if 'name' is well-formed as that of a coverage counter. */
static bool
is_counter_name(const char *name)
{
    return (name[0] && strlen(name) <= MAX_NAME
            && name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")]
               == '\0');
}

static char *
decode(const struct json *json, struct vmmob_stats *s)
{
    const struct json *bridges = get_object(json, "bridges");
    const struct json *counters = get_object(json, "counters");
    const struct json *problems = get_object(json, "problems");
    const struct json *phases = get_object(json, "phases");
    const struct json *values = get_object(json, "values");

    if (!values || !values_from_json(values, vmmob_switch_stats, s->values,
                                     VMMOB_N_SWITCH_STATS)) {
        return xstrdup("\"values\" of \"stats\" is bad");
    }

    if (!bridges || shash_count(bridges->object) > MAX_BRIDGES) {
        return xstrdup("\"bridges\" of \"stats\" is bad");
    }
    const struct shash_node **nodes = shash_sort(bridges->object);
    for (size_t i = 0; i < shash_count(bridges->object); i++) {
        const struct json *bridge = nodes[i]->data;

        if (bridge->type != JSON_OBJECT || strlen(nodes[i]->name) > MAX_NAME
            || !values_from_json(
                bridge, vmmob_bridge_stats,
                vmmob_stats_add_bridge(s, nodes[i]->name)->values,
                VMMOB_N_BRIDGE_STATS)) {
            free(nodes);
            return xstrdup("\"bridges\" of \"stats\" is bad");
        }
    }
    free(nodes);

    if (!counters || shash_count(counters->object) > MAX_COUNTERS) {
        return xstrdup("\"counters\" of \"stats\" is bad");
    }
    nodes = shash_sort(counters->object);
    for (size_t i = 0; i < shash_count(counters->object); i++) {
        uint64_t total;

        if (!is_counter_name(nodes[i]->name)
            || !get_integer(nodes[i]->data, &total)) {
            free(nodes);
            return xstrdup("\"counters\" of \"stats\" is bad");
        }
        vmmob_stats_add_counter(s, nodes[i]->name, total);
    }
    free(nodes);

    if (!problems) {
        return xstrdup("\"problems\" of \"stats\" is bad");
    }
    for (size_t i = 0; i < VMMOB_N_SWITCH_PROBLEMS; i++) {
        const char *kind = vmmob_problem_kind_to_string(i);
        const struct json *member = shash_find_data(problems->object, kind);
        uint64_t n;

        if (member && (!get_integer(member, &n) || n > UINT_MAX)) {
            return xstrdup("\"problems\" of \"stats\" is bad");
        } else if (member) {
            simap_put(&s->problems, kind, n);
        }
    }

    for (size_t i = 0; phases && i < VMMOB_N_DIRECTIONS; i++) {
        const struct json *direction = get_object(
            phases, vmmob_direction_to_string(i));

        for (size_t j = 0; direction && j < VMMOB_N_MOVE_PHASES; j++) {
            const struct json *member = shash_find_data(
                direction->object, vmmob_move_phase_to_string(j));

            if (member && !histogram_from_json(member, &s->phases[i][j])) {
                return xstrdup("\"phases\" of \"stats\" is bad");
            }
        }
    }
    return NULL;
}

/* Decodes 'json' into '*s', which need not be initialized.  Leaves out figures
 * that are not known here.
 *
 * Returns NULL if successful; then the caller must eventually destroy '*s'
 * with vmmob_stats_destroy().  Otherwise, returns an error message that the
 * caller must free(); then '*s' owns nothing. */
char *
vmmob_stats_from_json(const struct json *json, struct vmmob_stats *s)
{
    char *error;

    vmmob_stats_init(s);
    error = (json->type == JSON_OBJECT ? decode(json, s)
             : xstrdup("\"stats\" is not an object"));
    if (error) {
        vmmob_stats_destroy(s);
        memset(s, 0, sizeof *s);
    }
    return error;
}
