/* SPDX-License-Identifier: Apache-2.0
 *
 * stream: hold one TCP connection to an echo server, send a byte stream over
 * it at an even pace, and check every byte that comes back.  DESTINATION is of
 * IPv4 or IPv6.
 *
 * usage: stream DESTINATION PORT INTERVAL_US CHUNK_BYTES OUTPUT
 *
 * - Byte i of the stream is a function of i alone, so a byte that is lost,
 *   doubled, reordered or changed on the way is seen.
 * - It prints "connected" once it is, and runs until SIGTERM or SIGINT, or
 *   until the connection fails.  Then it sends no more, waits up to DRAIN_MS
 *   for the rest of the echo, and writes OUTPUT: lines "NS BYTES", one for
 *   each time something came back (CLOCK_REALTIME), and then one line "#
 *   sent N received N mismatch-at N error E", where -1 and 0 mean none. */

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "address.h"

#define CONNECT_MS 10000
#define DRAIN_MS 5000
#define NSEC 1000000000LL

struct receipt {
    int64_t at;                 /* CLOCK_REALTIME, ns. */
    uint32_t n;                 /* Bytes. */
};

struct stream {
    int fd;
    uint64_t allowed;           /* Bytes that the pace allows so far. */
    uint64_t sent;              /* Bytes that the socket has taken. */
    uint64_t received;          /* Bytes that came back. */
    int64_t mismatch;           /* Offset of the first wrong byte, or -1. */
    int error;                  /* errno of the connection, 0 if none. */
    struct receipt *receipts;
    size_t n_receipts, allocated_receipts;
};

static void stream_connect(struct stream *, const struct sockaddr_storage *,
                           socklen_t);
static int stream_timer(int64_t interval);
static void stream_send(struct stream *);
static void stream_receive(struct stream *);

static void
fatal(const char *what)
{
    fprintf(stderr, "stream: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

static int64_t
now_ns(clockid_t clock)
{
    struct timespec ts;

    clock_gettime(clock, &ts);
    return ts.tv_sec * NSEC + ts.tv_nsec;
}

/* Returns byte 'i' of the stream (splitmix64 of the word's number). */
static uint8_t
stream_byte(uint64_t i)
{
    uint64_t z = (i / 8 + 1) * 0x9e3779b97f4a7c15ULL;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    z ^= z >> 31;
    return z >> (i % 8 * 8);
}

int
main(int argc, char *argv[])
{
    struct sockaddr_storage destination;
    socklen_t destination_len;
    struct stream s = { .mismatch = -1 };
    int64_t deadline = INT64_MAX;       /* Of draining, CLOCK_MONOTONIC. */
    bool draining = false;
    sigset_t signals;
    int timer_fd, signal_fd;
    FILE *output;

    if (argc != 6 || !(destination_len = parse_address(argv[1], atoi(argv[2]),
                                                       &destination))
        || atoll(argv[3]) <= 0 || atoll(argv[4]) <= 0) {
        fprintf(stderr, "usage: stream DESTINATION PORT INTERVAL_US "
                "CHUNK_BYTES OUTPUT\n");
        return EXIT_FAILURE;
    }
    output = fopen(argv[5], "w");
    if (!output) {
        fatal(argv[5]);
    }

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);

    stream_connect(&s, &destination, destination_len);
    puts("connected");
    fflush(stdout);
    timer_fd = stream_timer(atoll(argv[3]) * 1000);

    while (!s.error && (!draining || s.received < s.sent)) {
        struct pollfd fds[] = {
            { .fd = s.fd, .events = POLLIN },
            { .fd = draining ? -1 : timer_fd, .events = POLLIN },
            { .fd = draining ? -1 : signal_fd, .events = POLLIN },
        };
        uint64_t ticks;

        if (s.sent < s.allowed) {
            fds[0].events |= POLLOUT;
        }
        poll(fds, 3, draining ? 100 : -1);
        if (fds[2].revents) {
            draining = true;
            s.allowed = s.sent;
            deadline = now_ns(CLOCK_MONOTONIC) + DRAIN_MS * 1000000LL;
        } else if (fds[1].revents
                   && read(timer_fd, &ticks, sizeof ticks) == sizeof ticks) {
            s.allowed += ticks * atoll(argv[4]);
        }
        if (fds[0].revents & (POLLIN | POLLERR | POLLHUP)) {
            stream_receive(&s);
        }
        stream_send(&s);
        if (now_ns(CLOCK_MONOTONIC) > deadline) {
            s.error = ETIMEDOUT;
        }
    }

    for (size_t i = 0; i < s.n_receipts; i++) {
        fprintf(output, "%lld %u\n", (long long) s.receipts[i].at,
                s.receipts[i].n);
    }
    fprintf(output, "# sent %llu received %llu mismatch-at %lld error %d\n",
            (unsigned long long) s.sent, (unsigned long long) s.received,
            (long long) s.mismatch, s.error);
    if (fclose(output)) {
        fatal(argv[5]);
    }
    return s.error || s.mismatch >= 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static void
stream_connect(struct stream *s, const struct sockaddr_storage *destination,
               socklen_t destination_len)
{
    struct pollfd pfd = { .events = POLLOUT };
    socklen_t len = sizeof errno;
    int on = 1;

    s->fd = socket(destination->ss_family,
                   SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->fd < 0) {
        fatal("socket");
    }
    setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(s->fd, (const struct sockaddr *) destination, destination_len)
        && errno != EINPROGRESS) {
        fatal("connect");
    }
    pfd.fd = s->fd;
    if (poll(&pfd, 1, CONNECT_MS) != 1) {
        errno = ETIMEDOUT;
        fatal("connect");
    }
    if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &errno, &len) || errno) {
        fatal("connect");
    }
}

static int
stream_timer(int64_t interval)
{
    int64_t first = now_ns(CLOCK_MONOTONIC) + interval;
    struct itimerspec spec = {
        .it_interval = { interval / NSEC, interval % NSEC },
        .it_value = { first / NSEC, first % NSEC },
    };
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);

    if (fd < 0 || timerfd_settime(fd, TFD_TIMER_ABSTIME, &spec, NULL)) {
        fatal("timerfd");
    }
    return fd;
}

static void
stream_send(struct stream *s)
{
    while (!s->error && s->sent < s->allowed) {
        uint64_t n = s->allowed - s->sent;
        uint8_t data[4096];
        ssize_t retval;

        n = n < sizeof data ? n : sizeof data;
        for (uint64_t i = 0; i < n; i++) {
            data[i] = stream_byte(s->sent + i);
        }
        retval = send(s->fd, data, n, MSG_NOSIGNAL);
        if (retval < 0) {
            if (errno != EAGAIN && errno != EINTR) {
                s->error = errno;
            }
            break;
        }
        s->sent += retval;
    }
}

static void
stream_receive(struct stream *s)
{
    uint8_t data[65536];
    ssize_t n = recv(s->fd, data, sizeof data, 0);

    if (n <= 0) {
        if (!n) {
            s->error = ECONNRESET;
        } else if (errno != EAGAIN && errno != EINTR) {
            s->error = errno;
        }
        return;
    }

    for (ssize_t i = 0; i < n && s->mismatch < 0; i++) {
        if (data[i] != stream_byte(s->received + i)) {
            s->mismatch = s->received + i;
        }
    }
    s->received += n;

    if (s->n_receipts == s->allocated_receipts) {
        s->allocated_receipts = s->allocated_receipts * 2 + 1024;
        s->receipts = realloc(s->receipts, (s->allocated_receipts
                                            * sizeof *s->receipts));
        if (!s->receipts) {
            fatal("realloc");
        }
    }
    s->receipts[s->n_receipts].at = now_ns(CLOCK_REALTIME);
    s->receipts[s->n_receipts++].n = n;
}
