/* SPDX-License-Identifier: Apache-2.0
 *
 * prober: send an ICMP echo request every INTERVAL microseconds, or a datagram
 * to a UDP echo server, and say, for each one, when it left and when its
 * answer came.  DESTINATION is of IPv4 or IPv6.
 *
 * usage: prober DESTINATION INTERVAL_US OUTPUT [UDP_PORT]
 *
 * - The schedule is absolute (clock_nanosleep with TIMER_ABSTIME), because
 *   "ping -i 0.01" drifts.  A slot that was missed is skipped, never made up
 *   for in a burst: the send times tell.
 * - Answers are time-stamped by the kernel, so that a busy CPU does not make
 *   them look late.
 * - It runs until SIGTERM or SIGINT, then waits DRAIN_MS for answers that are
 *   still under way, then writes OUTPUT: one line per probe, "SEQ SENT_NS
 *   ANSWERED_NS DUPLICATES", where 0 as ANSWERED_NS means never; and lines
 *   that begin with '#', of which the first is "# icmp-errors N". */

#include <errno.h>
#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "address.h"

#define DRAIN_MS 1000
#define MAX_PROBES (1 << 22)
#define NSEC 1000000000LL

struct probe {
    int64_t sent;               /* CLOCK_REALTIME in ns, 0 if not sent. */
    int64_t answered;           /* First answer, the same, 0 if none. */
    uint32_t duplicates;        /* Answers after the first. */
};

struct packet {
    struct icmphdr icmp;        /* An ICMPv6 echo header is the same.  With
                                 * UDP, just padding. */
    uint64_t seq;               /* The 16 bits of ICMP are too few. */
    uint8_t pad[40];            /* In all 56 bytes, as "ping" sends. */
} __attribute__((packed));

static struct probe *probes;
static int fd;
static struct sockaddr_storage destination;
static socklen_t destination_len;
static int64_t interval;        /* ns */
static uint16_t id;
static bool udp;
static bool ipv6;
static uint64_t n_probes;       /* Sender's, valid after it is joined. */
static uint64_t n_errors;       /* Receiver's, the same. */
static atomic_bool stop_sending;
static atomic_bool stop_receiving;

static void *sender(void *);
static void *receiver(void *);
static void handle_packet(const uint8_t *, size_t, int64_t now);
static bool is_error(uint8_t type);
static void handle_answer(uint64_t seq, int64_t now);
static uint16_t checksum(const void *, size_t);

static void
fatal(const char *what)
{
    fprintf(stderr, "prober: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

static int64_t
to_ns(const struct timespec *ts)
{
    return ts->tv_sec * NSEC + ts->tv_nsec;
}

static int64_t
now_ns(clockid_t clock)
{
    struct timespec ts;

    clock_gettime(clock, &ts);
    return to_ns(&ts);
}

int
main(int argc, char *argv[])
{
    struct timeval timeout = { .tv_usec = 100000 };
    struct sched_param priority = { .sched_priority = 10 };
    pthread_t sending, receiving;
    sigset_t signals;
    int on = 1, signo;
    FILE *output;

    if (argc < 4 || argc > 5
        || !(destination_len = parse_address(argv[1],
                                             argc == 5 ? atoi(argv[4]) : 0,
                                             &destination))
        || atoll(argv[2]) <= 0) {
        fprintf(stderr,
                "usage: prober DESTINATION INTERVAL_US OUTPUT [UDP_PORT]\n");
        return EXIT_FAILURE;
    }
    udp = argc == 5;
    ipv6 = destination.ss_family == AF_INET6;
    interval = atoll(argv[2]) * 1000;
    id = getpid();

    probes = calloc(MAX_PROBES, sizeof *probes);
    fd = socket(destination.ss_family,
                (udp ? SOCK_DGRAM : SOCK_RAW) | SOCK_CLOEXEC,
                udp ? 0 : ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
    if (!probes || fd < 0) {
        fatal("socket");
    }
    if (setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on)
        || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout,
                      sizeof timeout)) {
        fatal("setsockopt");
    }
    output = fopen(argv[3], "w");
    if (!output) {
        fatal(argv[3]);
    }

    /* Best effort: without it a busy machine adds some noise. */
    sched_setscheduler(0, SCHED_FIFO, &priority);

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    if (pthread_create(&receiving, NULL, receiver, NULL)
        || pthread_create(&sending, NULL, sender, NULL)) {
        fatal("pthread_create");
    }

    sigwait(&signals, &signo);
    atomic_store(&stop_sending, true);
    pthread_join(sending, NULL);
    usleep(DRAIN_MS * 1000);
    atomic_store(&stop_receiving, true);
    pthread_join(receiving, NULL);

    fprintf(output, "# icmp-errors %llu\n", (unsigned long long) n_errors);
    for (uint64_t i = 0; i < n_probes; i++) {
        const struct probe *p = &probes[i];

        fprintf(output, "%llu %lld %lld %u\n", (unsigned long long) i,
                (long long) p->sent, (long long) p->answered, p->duplicates);
    }
    if (fclose(output)) {
        fatal(argv[3]);
    }
    return EXIT_SUCCESS;
}

static void *
sender(void *arg)
{
    int64_t next = now_ns(CLOCK_MONOTONIC) + interval;

    for (; n_probes < MAX_PROBES && !atomic_load(&stop_sending); ) {
        struct timespec at = { next / NSEC, next % NSEC };
        struct probe *p = &probes[n_probes];
        struct packet packet;

        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);

        memset(&packet, 0, sizeof packet);
        packet.icmp.type = ipv6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO;
        packet.icmp.un.echo.id = htons(id);
        packet.icmp.un.echo.sequence = htons(n_probes);
        packet.seq = n_probes;
        if (!ipv6) {
            /* The kernel makes that of ICMPv6. */
            packet.icmp.checksum = checksum(&packet, sizeof packet);
        }
        p->sent = now_ns(CLOCK_REALTIME);

        /* A probe that could not leave counts as lost, as with "ping". */
        sendto(fd, &packet, sizeof packet, 0,
               (const struct sockaddr *) &destination, destination_len);
        n_probes++;

        do {
            next += interval;
        } while (next < now_ns(CLOCK_MONOTONIC));
    }
    return arg;
}

static void *
receiver(void *arg)
{
    while (!atomic_load(&stop_receiving)) {
        uint8_t data[2048];
        char control[CMSG_SPACE(sizeof(struct timespec))];
        struct iovec iov = { data, sizeof data };
        struct msghdr msg = {
            .msg_iov = &iov,
            .msg_iovlen = 1,
            .msg_control = control,
            .msg_controllen = sizeof control,
        };
        ssize_t n = recvmsg(fd, &msg, 0);

        if (n > 0) {
            struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
            int64_t now = now_ns(CLOCK_REALTIME);

            if (cmsg && cmsg->cmsg_level == SOL_SOCKET
                && cmsg->cmsg_type == SO_TIMESTAMPNS) {
                struct timespec ts;

                memcpy(&ts, CMSG_DATA(cmsg), sizeof ts);
                now = to_ns(&ts);
            }
            handle_packet(data, n, now);
        }
    }
    return arg;
}

static void
handle_packet(const uint8_t *data, size_t n, int64_t now)
{
    struct packet packet;
    size_t header;

    if (udp) {
        if (n >= sizeof packet) {
            memcpy(&packet, data, sizeof packet);
            handle_answer(packet.seq, now);
        }
        return;
    }

    /* What comes from a raw socket of IPv6 begins with the ICMPv6 header. */
    header = ipv6 ? 0 : (data[0] & 0xf) * 4;
    if (n < header + sizeof packet.icmp) {
        return;
    }
    memcpy(&packet.icmp, data + header, sizeof packet.icmp);
    if (packet.icmp.type == (ipv6 ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY)) {
        if (n >= header + sizeof packet) {
            memcpy(&packet, data + header, sizeof packet);
            if (packet.icmp.un.echo.id == htons(id)) {
                handle_answer(packet.seq, now);
            }
        }
    } else if (is_error(packet.icmp.type)) {
        n_errors++;
    }
}

static bool
is_error(uint8_t type)
{
    return ipv6 ? !(type & ICMP6_INFOMSG_MASK) || type == ND_REDIRECT
        : (type == ICMP_DEST_UNREACH || type == ICMP_TIME_EXCEEDED
           || type == ICMP_REDIRECT);
}

static void
handle_answer(uint64_t seq, int64_t now)
{
    if (seq < MAX_PROBES && probes[seq].sent) {
        struct probe *p = &probes[seq];

        if (p->answered) {
            p->duplicates++;
        } else {
            p->answered = now;
        }
    }
}

static uint16_t
checksum(const void *data_, size_t n)
{
    const uint8_t *data = data_;
    uint32_t sum = 0;

    for (size_t i = 0; i + 1 < n; i += 2) {
        sum += data[i] << 8 | data[i + 1];
    }
    while (sum >> 16) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return htons(~sum);
}
