/* SPDX-License-Identifier: Apache-2.0 */

/* ovs-vmmobd, the sync agent, one per hypervisor: its command line and its
 * main loop.  vmmobd-agent.c puts its parts together. */

#include <config.h>

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#if HAVE_LIBCAPNG
#include <cap-ng.h>
#endif

#include "command-line.h"
#include "daemon.h"
#include "dirs.h"
#include "dns-resolve.h"
#include "fatal-signal.h"
#include "memory.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "ovs-thread.h"
#include "simap.h"
#include "stream-ssl.h"
#include "stream.h"
#include "unixctl.h"
#include "util.h"
#include "vmmob-compat.h"
#include "vmmob-hash.h"
#include "vmmobd-agent.h"
#include "vmmobd-show.h"

VLOG_DEFINE_THIS_MODULE(vmmobd);

struct options {
    char *unixctl_path;         /* NULL for the default. */
    char *conf_remote;          /* Owned. */
    char *switch_remote;        /* Owned. */
    const char *cert_files[CERT_N_KINDS];   /* NULL if not given. */
    bool user;                  /* --user was given? */
};

static unixctl_cb_func handle_exit;
static void parse_options(int argc, char *argv[], struct options *);
static void drop_capabilities(bool user);
OVS_NO_RETURN static void usage(void);

int
main(int argc, char *argv[])
{
    struct unixctl_server *unixctl;
    struct options options;
    struct agent *agent;
    bool exiting = false;

    vmmob_hash_everywhere = true;
    ovs_cmdl_proctitle_init(argc, argv);
    set_program_name(argv[0]);
    ovsthread_id_init();
    dns_resolve_init(true);
    parse_options(argc, argv, &options);
    fatal_ignore_sigpipe();

    daemon_become_new_user(false VMMOB_SINCE_3_2(, false));
    drop_capabilities(options.user);
    daemonize_start(false VMMOB_SINCE_3_2(, false));
    if (unixctl_server_create(options.unixctl_path, &unixctl)) {
        exit(EXIT_FAILURE);
    }
    unixctl_command_register("exit", "", 0, 0, handle_exit, &exiting);
    agent = agent_create(options.conf_remote, options.switch_remote,
                         !stream_ssl_is_configured(), options.cert_files);
    show_init(agent);
    daemonize_complete();

    VLOG_INFO("%s (vmmob %s, Open vSwitch %s)", program_name, VMMOB_VERSION,
              VERSION);
    while (!exiting) {
        memory_run();
        if (memory_should_report()) {
            struct simap usage = SIMAP_INITIALIZER(&usage);

            agent_get_memory_usage(agent, &usage);
            memory_report(&usage);
            simap_destroy(&usage);
        }
        agent_run(agent);
        unixctl_server_run(unixctl);

        memory_wait();
        agent_wait(agent);
        unixctl_server_wait(unixctl);
        if (exiting) {
            poll_immediate_wake();
        }
        poll_block();
    }

    unixctl_server_destroy(unixctl);
    agent_destroy(agent);
    free(options.conf_remote);
    free(options.switch_remote);
    dns_resolve_destroy();
    return 0;
}

static void
handle_exit(struct unixctl_conn *conn, int argc OVS_UNUSED,
            const char *argv[] OVS_UNUSED, void *exiting_)
{
    bool *exiting = exiting_;

    *exiting = true;
    unixctl_command_reply(conn, NULL);
}

/* Gives up the capabilities that we do not need.  After --user, these are the
 * two that Open vSwitch leaves its daemons: for locking memory, and for
 * listening on ports below 1024.  As root without --user, keeps only the one
 * that lets us reach the sockets and files of other daemons' users. */
static void
drop_capabilities(bool user)
{
#if HAVE_LIBCAPNG
    if (capng_get_caps_process()
        || capng_have_capabilities(CAPNG_SELECT_CAPS) == CAPNG_NONE) {
        return;
    }
    capng_clear(user ? CAPNG_SELECT_CAPS : CAPNG_SELECT_BOTH);
    if (!user) {
        capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED,
                     CAP_DAC_OVERRIDE);
    }
    if (capng_apply(user ? CAPNG_SELECT_CAPS : CAPNG_SELECT_BOTH)) {
        ovs_fatal(0, "cannot drop capabilities");
    }
#endif
}

static void
parse_options(int argc, char *argv[], struct options *options)
{
    enum {
        OPT_SWITCH = UCHAR_MAX + 1,
        OPT_UNIXCTL,
        OPT_PEER_CA_CERT,
        OPT_BOOTSTRAP_CA_CERT,
        DAEMON_OPTION_ENUMS,
        VLOG_OPTION_ENUMS,
        SSL_OPTION_ENUMS,
    };
    static const struct option long_options[] = {
        {"switch",      required_argument, NULL, OPT_SWITCH},
        {"unixctl",     required_argument, NULL, OPT_UNIXCTL},
        {"help",        no_argument, NULL, 'h'},
        {"version",     no_argument, NULL, 'V'},
        DAEMON_LONG_OPTIONS,
        VLOG_LONG_OPTIONS,
        STREAM_SSL_LONG_OPTIONS,
        {"peer-ca-cert", required_argument, NULL, OPT_PEER_CA_CERT},
        {"bootstrap-ca-cert", required_argument, NULL, OPT_BOOTSTRAP_CA_CERT},
        {NULL, 0, NULL, 0},
    };
    char *short_options = ovs_cmdl_long_options_to_short_options(long_options);

    *options = (struct options) { .unixctl_path = NULL };
    for (;;) {
        int c = getopt_long(argc, argv, short_options, long_options, NULL);

        if (c == -1) {
            break;
        }

        options->user |= c == OPT_USER_GROUP;
        if (c == 'c') {
            options->cert_files[CERT_OWN] = optarg;
        } else if (c == 'C') {
            options->cert_files[CERT_CA] = optarg;
        }
        switch (c) {
        case OPT_SWITCH:
            free(options->switch_remote);
            options->switch_remote = xstrdup(optarg);
            break;

        case OPT_UNIXCTL:
            options->unixctl_path = optarg;
            break;

        case 'h':
            usage();

        case 'V':
            ovs_print_version(0, 0);
            printf("vmmob %s\n", VMMOB_VERSION);
            exit(EXIT_SUCCESS);

        DAEMON_OPTION_HANDLERS
        VLOG_OPTION_HANDLERS
        STREAM_SSL_OPTION_HANDLERS

        case OPT_PEER_CA_CERT:
            stream_ssl_set_peer_ca_cert_file(optarg);
            break;

        case OPT_BOOTSTRAP_CA_CERT:
            stream_ssl_set_ca_cert_file(optarg, true);
            break;

        case '?':
            exit(EXIT_FAILURE);

        default:
            OVS_NOT_REACHED();
        }
    }
    free(short_options);

    argc -= optind;
    argv += optind;
    if (argc > 1) {
        ovs_fatal(0, "at most one non-option argument is accepted; "
                  "use --help for usage");
    }
    options->conf_remote = (argc
                            ? xstrdup(argv[0])
                            : xasprintf("unix:%s/db.sock", ovs_rundir()));
    if (!options->switch_remote) {
        options->switch_remote = xasprintf("unix:%s/vmmob.sock",
                                           ovs_rundir());
    } else if (stream_verify_name(options->switch_remote)) {
        ovs_fatal(0, "--switch: \"%s\" is not a connection method",
                  options->switch_remote);
    }
}

static void
usage(void)
{
    printf("%s: Open vSwitch VM mobility agent\n"
           "usage: %s [OPTIONS] [DATABASE]\n"
           "where DATABASE is a socket on which the ovsdb-server of this\n"
           "      hypervisor's Open vSwitch is listening\n"
           "      (default: \"unix:%s/db.sock\").\n",
           program_name, program_name, ovs_rundir());
    stream_usage("DATABASE", true, false, true);
    daemon_usage();
    vlog_usage();
    printf("\nOther options:\n"
           "  --switch=REMOTE         where ovs-vswitchd listens for us\n"
           "                          (default: \"unix:%s/vmmob.sock\")\n"
           "  --unixctl=SOCKET        override default control socket name\n"
           "  -h, --help              display this help message\n"
           "  -V, --version           display version information\n",
           ovs_rundir());
    exit(EXIT_SUCCESS);
}
