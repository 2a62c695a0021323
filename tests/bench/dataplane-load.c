/* SPDX-License-Identifier: Apache-2.0
 *
 * dataplane-load: as much traffic as there is room for, from a socket in one
 * network namespace to a socket in another.
 *
 * usage: dataplane-load udp|tcp FROM-NS TO-NS ADDRESS SIZE WINDOW SECONDS
 *
 * "udp" sends datagrams of SIZE bytes to ADDRESS, of IPv4 or IPv6, and at most
 * WINDOW of them are on their way at a time, so that queues do not overflow:
 * the rate is what goes through without loss, and not how fast a switch drops.
 * "tcp" sends on one connection; then SIZE is the size of each write and
 * WINDOW is ignored.
 *
 * Before the time starts, a tenth of it passes.  Prints one line: packets (of
 * TCP: 0), bytes of payload, nanoseconds, packets lost. */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "address.h"

#define NSEC 1000000000LL
#define BATCH 32
#define MAX_SIZE 65536
#define PORT 5010
#define LOST_MS 300             /* What is not there by then is lost. */

struct result {
    uint64_t packets, bytes, lost;
    int64_t start, end;
};

static struct sockaddr_storage address;
static socklen_t address_len;
static size_t size;
static char payload[MAX_SIZE];

static void run_udp(int from, int to, size_t window, int64_t length,
                    struct result *);
static void run_tcp(int from, int to, int64_t length, struct result *);

static void
fatal(const char *what)
{
    fprintf(stderr, "dataplane-load: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

static int64_t
now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * NSEC + ts.tv_nsec;
}

/* Returns a socket in the network namespace 'ns', as "ip netns" names it. */
static int
open_socket(const char *ns, int type)
{
    char name[256];
    int fd;

    snprintf(name, sizeof name, "/var/run/netns/%s", ns);
    fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET)) {
        fatal(name);
    }
    close(fd);
    fd = socket(address.ss_family, type | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        fatal("socket");
    }
    return fd;
}

int
main(int argc, char *argv[])
{
    struct result r = { .packets = 0 };
    int from, to, on = 1;
    int64_t length;
    bool tcp;

    if (argc != 8 || !(address_len = parse_address(argv[4], PORT, &address))
        || atoi(argv[5]) < 4 || atoi(argv[5]) > MAX_SIZE
        || atoi(argv[6]) <= 0 || atof(argv[7]) <= 0) {
        fprintf(stderr, "usage: dataplane-load udp|tcp FROM-NS TO-NS ADDRESS "
                "SIZE WINDOW SECONDS\n");
        return EXIT_FAILURE;
    }
    tcp = !strcmp(argv[1], "tcp");
    size = atoi(argv[5]);
    length = atof(argv[7]) * NSEC;

    to = open_socket(argv[3], tcp ? SOCK_STREAM : SOCK_DGRAM);
    setsockopt(to, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(to, (struct sockaddr *) &address, address_len)
        || (tcp && listen(to, 1))) {
        fatal("bind");
    }
    from = open_socket(argv[2], tcp ? SOCK_STREAM : SOCK_DGRAM);
    if (connect(from, (struct sockaddr *) &address, address_len)) {
        fatal("connect");
    }
    if (tcp) {
        to = accept(to, NULL, NULL);
        if (to < 0) {
            fatal("accept");
        }
        run_tcp(from, to, length, &r);
    } else {
        run_udp(from, to, atoi(argv[6]), length, &r);
    }
    printf("%llu %llu %lld %llu\n", (unsigned long long) r.packets,
           (unsigned long long) r.bytes, (long long) (r.end - r.start),
           (unsigned long long) r.lost);
    return EXIT_SUCCESS;
}

static void
run_udp(int from, int to, size_t window, int64_t length, struct result *r)
{
    static char buffers[BATCH][MAX_SIZE];
    struct mmsghdr out[BATCH] = { { .msg_len = 0 } }, in[BATCH];
    struct iovec out_iov = { payload, size }, in_iov[BATCH];
    int64_t begin = now_ns(), last = begin, now = begin;
    uint64_t sent = 0, received = 0;

    for (size_t i = 0; i < BATCH; i++) {
        out[i].msg_hdr.msg_iov = &out_iov;
        out[i].msg_hdr.msg_iovlen = 1;
    }
    while (!r->start || now < r->start + length) {
        struct pollfd pfd = { .fd = to, .events = POLLIN };
        int n;

        while (sent - received < window) {
            size_t room = window - (sent - received);

            n = sendmmsg(from, out, room < BATCH ? room : BATCH, 0);
            if (n < 0) {
                fatal("sendmmsg");
            }
            sent += n;
        }

        memset(in, 0, sizeof in);
        for (size_t i = 0; i < BATCH; i++) {
            in_iov[i] = (struct iovec) { buffers[i], MAX_SIZE };
            in[i].msg_hdr.msg_iov = &in_iov[i];
            in[i].msg_hdr.msg_iovlen = 1;
        }
        poll(&pfd, 1, LOST_MS / 4);
        n = recvmmsg(to, in, BATCH, MSG_DONTWAIT, NULL);
        now = now_ns();
        if (n > 0) {
            /* What was taken for lost may come after all. */
            received = received + n < sent ? received + n : sent;
            r->packets += n;
            for (int i = 0; i < n; i++) {
                r->bytes += in[i].msg_len;
            }
            last = now;
        } else if (now - last > LOST_MS * 1000000LL) {
            r->lost += sent - received;
            received = sent;
            last = now;
        }
        if (!r->start && now >= begin + length / 10) {
            *r = (struct result) { .start = now };
        }
    }
    r->end = now;
}

struct sender {
    int fd;
    volatile bool stop;
};

static void *
tcp_sender(void *sender_)
{
    struct sender *sender = sender_;

    while (!sender->stop) {
        if (send(sender->fd, payload, size, MSG_NOSIGNAL) < 0) {
            fatal("send");
        }
    }
    shutdown(sender->fd, SHUT_WR);
    return NULL;
}

static void
run_tcp(int from, int to, int64_t length, struct result *r)
{
    struct sender sender = { .fd = from, .stop = false };
    int64_t begin = now_ns();
    pthread_t thread;

    if (pthread_create(&thread, NULL, tcp_sender, &sender)) {
        fatal("pthread_create");
    }
    for (;;) {
        static char buffer[1 << 20];
        ssize_t n = recv(to, buffer, sizeof buffer, 0);
        int64_t now = now_ns();

        if (n < 0) {
            fatal("recv");
        } else if (!n) {
            break;
        } else if (sender.stop) {
            continue;
        }
        r->bytes += n;
        r->end = now;
        if (!r->start && now >= begin + length / 10) {
            *r = (struct result) { .start = now };
        } else if (r->start && now >= r->start + length) {
            sender.stop = true;
        }
    }
    pthread_join(thread, NULL);
}
