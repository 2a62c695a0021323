/* SPDX-License-Identifier: Apache-2.0 */

/* "ovstest test-vmmob-fuzz TARGET FILE|DIR..." gives the files, and those in
 * the directories, to a fuzz target.  So "make check" needs no libFuzzer. */

#include <config.h>
#undef NDEBUG
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "command-line.h"
#include "tests/ovstest.h"
#include "svec.h"
#include "util.h"

static void
replay_file(fuzz_func *func, const char *name)
{
    FILE *stream = fopen(name, "rb");
    struct stat s;
    uint8_t *data;

    if (!stream || fstat(fileno(stream), &s)) {
        ovs_fatal(errno, "%s", name);
    }
    printf("%s\n", name);
    fflush(stdout);

    /* In memory of just its size, so that looking beyond its end is noticed
     * where memory is checked. */
    data = xmalloc(s.st_size);
    if (fread(data, 1, s.st_size, stream) != s.st_size) {
        ovs_fatal(errno, "%s", name);
    }
    fclose(stream);
    func(data, s.st_size);
    free(data);
}

/* Returns the number of files. */
static size_t
replay(fuzz_func *func, const char *name)
{
    struct svec names = SVEC_EMPTY_INITIALIZER;
    DIR *dir = opendir(name);
    struct dirent *entry;
    const char *file;
    size_t i;

    if (!dir && errno == ENOTDIR) {
        replay_file(func, name);
        return 1;
    } else if (!dir) {
        ovs_fatal(errno, "%s", name);
    }
    while ((entry = readdir(dir))) {
        if (entry->d_name[0] != '.') {
            svec_add_nocopy(&names, xasprintf("%s/%s", name, entry->d_name));
        }
    }
    closedir(dir);
    svec_sort(&names);
    SVEC_FOR_EACH (i, file, &names) {
        replay_file(func, file);
    }
    i = names.n;
    svec_destroy(&names);
    return i;
}

static void
test_vmmob_fuzz_main(int argc, char *argv[])
{
    static const struct {
        const char *name;
        fuzz_func *func;
    } targets[] = {
        { "agent-settings", fuzz_agent_settings },
        { "frame", fuzz_frame },
        { "icmp6", fuzz_icmp6 },
        { "mld", fuzz_mld },
        { "msg", fuzz_msg },
        { "nd", fuzz_nd },
        { "rows", fuzz_rows },
        { "settings", fuzz_settings },
    };

    set_program_name(argv[0]);
    if (argc < 3) {
        ovs_fatal(0, "usage: %s TARGET FILE|DIR...", argv[0]);
    }
    fuzz_init();
    for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
        if (!strcmp(argv[1], targets[i].name)) {
            for (int j = 2; j < argc; j++) {
                if (!replay(targets[i].func, argv[j])) {
                    ovs_fatal(0, "%s: no files", argv[j]);
                }
            }
            return;
        }
    }
    ovs_fatal(0, "%s: unknown target", argv[1]);
}

OVSTEST_REGISTER("test-vmmob-fuzz", test_vmmob_fuzz_main);
