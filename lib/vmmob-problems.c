/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "vmmob-problems.h"

#include <stdlib.h>

#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "util.h"

/* Returns the name of 'kind', a static string. */
const char *
vmmob_problem_kind_to_string(enum vmmob_problem_kind kind)
{
    static const char *const names[] = {
#define VMMOB_PROBLEM(KIND, NAME) [VMMOB_PROBLEM_##KIND] = NAME,
        VMMOB_SWITCH_PROBLEMS
        VMMOB_AGENT_PROBLEMS
#undef VMMOB_PROBLEM
    };

    ovs_assert(kind < ARRAY_SIZE(names));
    return names[kind];
}

void
vmmob_problems_init(struct vmmob_problems *p)
{
    *p = (struct vmmob_problems) { .n = 0 };
}

/* Frees what 'p' owns, but not 'p' itself. */
void
vmmob_problems_destroy(struct vmmob_problems *p)
{
    if (p) {
        for (size_t i = 0; i < p->n; i++) {
            free(p->problems[i].text);
            free(p->problems[i].hint);
        }
        free(p->problems);
    }
}

/* Adds a problem to 'p'.  'text' says what is wrong, 'hint' what to do.  Takes
 * ownership of both. */
void
vmmob_problems_add(struct vmmob_problems *p, enum vmmob_problem_kind kind,
                   char *text, char *hint)
{
    if (p->n >= p->allocated) {
        p->problems = x2nrealloc(p->problems, &p->allocated,
                                 sizeof *p->problems);
    }
    p->problems[p->n++] = (struct vmmob_problem) {
        .kind = kind, .text = text, .hint = hint,
    };
    p->n_by_kind[kind]++;
}

/* Appends the problems to 's', for people: a few of each kind. */
void
vmmob_problems_to_text(const struct vmmob_problems *p, struct ds *s)
{
    size_t told[VMMOB_N_PROBLEMS] = { 0 };

    ds_put_cstr(s, p->n ? "problems:\n" : "problems: none\n");
    for (size_t i = 0; i < p->n; i++) {
        const struct vmmob_problem *problem = &p->problems[i];
        size_t n = ++told[problem->kind];

        if (n <= VMMOB_MAX_PROBLEMS_OF_KIND) {
            ds_put_format(s, "  %s\n    do: %s\n", problem->text,
                          problem->hint);
        } else if (n == p->n_by_kind[problem->kind]) {
            ds_put_format(s, "  ...and %"PRIuSIZE" more of the kind \"%s\"\n"
                          "    do: see \"vmmob/show json\"\n",
                          n - VMMOB_MAX_PROBLEMS_OF_KIND,
                          vmmob_problem_kind_to_string(problem->kind));
        }
    }
}

/* Returns all problems as a JSON array, for programs.  The caller owns it. */
struct json *
vmmob_problems_to_json(const struct vmmob_problems *p)
{
    struct json *array = json_array_create_empty();

    for (size_t i = 0; i < p->n; i++) {
        const struct vmmob_problem *problem = &p->problems[i];
        struct json *object = json_object_create();

        json_object_put_string(object, "kind", vmmob_problem_kind_to_string(
                                   problem->kind));
        json_object_put_string(object, "problem", problem->text);
        json_object_put_string(object, "do", problem->hint);
        json_array_add(array, object);
    }
    return array;
}
