/* SPDX-License-Identifier: Apache-2.0
 *
 * delay: hold every frame for a while on its way between two interfaces, as a
 * long wire does.
 *
 * usage: delay IF0 IF1 DELAY_US OUTPUT
 *
 * For kernels without netem.  Each direction is a queue of its own, in which
 * no frame overtakes another:
 *
 * - A frame leaves DELAY_US after it arrived by the kernel's time stamp, so
 *   that waiting for a CPU does not add up.  Between frames the program sleeps
 *   (timerfd, absolute times).
 * - What is left to devices (checksum, segmentation) is handed on with
 *   PACKET_VNET_HDR.  A VLAN tag, which the kernel takes out of the frame, is
 *   put back.
 * - A frame that finds LIMIT bytes waiting is dropped and counted.  On SIGTERM
 *   or SIGINT the counters go to OUTPUT, a line "FRAMES DROPPED" for each
 *   direction, and what is still waiting is lost. */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define LIMIT (64 << 20)        /* Bytes waiting in one direction. */
#define BATCH 64                /* Frames read before others are sent. */
#define NSEC 1000000000LL
#define MAX_FRAME (1 << 17)

#define MACS_LEN 12
#define TAG_LEN 4

struct frame {
    struct frame *next;
    int64_t due;                /* CLOCK_MONOTONIC, in ns. */
    struct virtio_net_hdr vnet;
    size_t len;
    uint8_t data[];
};

struct direction {
    int from, to;               /* Sockets. */
    int to_ifindex;
    struct frame *head;
    struct frame **tail;
    size_t waiting;             /* Bytes. */
    unsigned long long n_frames, n_dropped;
};

static int64_t delay;           /* ns */

static void
fatal(const char *what)
{
    fprintf(stderr, "delay: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

static int64_t
now_ns(clockid_t clock)
{
    struct timespec ts;

    clock_gettime(clock, &ts);
    return ts.tv_sec * NSEC + ts.tv_nsec;
}

static int
open_socket(const char *interface, int *ifindex)
{
    struct sockaddr_ll sll = {
        .sll_family = AF_PACKET,
        .sll_protocol = htons(ETH_P_ALL),
    };
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int size = LIMIT;
    int on = 1;

    *ifindex = sll.sll_ifindex = if_nametoindex(interface);
    if (fd < 0 || !sll.sll_ifindex
        || setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof on)
        || setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof on)
        || setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on)
        || setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on)
        || setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on)
        || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size)
        || setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size)
        || bind(fd, (const struct sockaddr *) &sll, sizeof sll)) {
        fatal(interface);
    }
    return fd;
}

/* Reads the ancillary data of 'msg': when the frame came (CLOCK_REALTIME, 0 if
 * not known) and its VLAN tag, if it has one. */
static int64_t
parse_control(struct msghdr *msg, uint8_t tag[TAG_LEN], size_t *tag_len)
{
    struct cmsghdr *cmsg;
    int64_t came = 0;

    *tag_len = 0;
    for (cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
        if (cmsg->cmsg_level == SOL_PACKET
            && cmsg->cmsg_type == PACKET_AUXDATA) {
            struct tpacket_auxdata aux;

            memcpy(&aux, CMSG_DATA(cmsg), sizeof aux);
            if (aux.tp_status & TP_STATUS_VLAN_VALID) {
                uint16_t tpid = htons(aux.tp_status
                                      & TP_STATUS_VLAN_TPID_VALID
                                      ? aux.tp_vlan_tpid : ETH_P_8021Q);
                uint16_t tci = htons(aux.tp_vlan_tci);

                memcpy(tag, &tpid, sizeof tpid);
                memcpy(tag + sizeof tpid, &tci, sizeof tci);
                *tag_len = TAG_LEN;
            }
        } else if (cmsg->cmsg_level == SOL_SOCKET
                   && cmsg->cmsg_type == SO_TIMESTAMPNS) {
            struct timespec ts;

            memcpy(&ts, CMSG_DATA(cmsg), sizeof ts);
            came = ts.tv_sec * NSEC + ts.tv_nsec;
        }
    }
    return came;
}

/* Takes one frame in.  Returns 0 if there was none. */
static int
receive(struct direction *d)
{
    static uint8_t buffer[MAX_FRAME];
    struct virtio_net_hdr vnet;
    struct iovec iov[] = {
        { &vnet, sizeof vnet },
        { buffer, sizeof buffer },
    };
    char control[256];
    struct msghdr msg = {
        .msg_iov = iov,
        .msg_iovlen = 2,
        .msg_control = control,
        .msg_controllen = sizeof control,
    };
    ssize_t n = recvmsg(d->from, &msg, MSG_TRUNC);
    uint8_t tag[TAG_LEN];
    struct frame *frame;
    size_t tag_len;
    int64_t came;

    if (n < 0) {
        if (errno == EAGAIN || errno == EINTR) {
            return 0;
        } else if (errno != ENETDOWN) {
            d->n_dropped++;     /* Such as a kind of GSO without a name. */
        }
        return 1;
    }
    n -= sizeof vnet;
    if (n < ETH_HLEN || n > MAX_FRAME
        || d->waiting + n + sizeof *frame > LIMIT) {
        d->n_dropped++;
        return 1;
    }

    came = parse_control(&msg, tag, &tag_len);
    frame = malloc(sizeof *frame + n + tag_len);
    if (!frame) {
        fatal("malloc");
    }
    frame->next = NULL;
    frame->due = now_ns(CLOCK_MONOTONIC) + delay;
    if (came) {
        frame->due -= now_ns(CLOCK_REALTIME) - came;
    }
    frame->len = n + tag_len;
    memcpy(frame->data, buffer, MACS_LEN);
    memcpy(frame->data + MACS_LEN, tag, tag_len);
    memcpy(frame->data + MACS_LEN + tag_len, buffer + MACS_LEN, n - MACS_LEN);
    if (tag_len && vnet.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
        vnet.csum_start += tag_len;
    }
    if (tag_len && vnet.gso_type != VIRTIO_NET_HDR_GSO_NONE) {
        vnet.hdr_len += tag_len;
    }
    frame->vnet = vnet;

    *d->tail = frame;
    d->tail = &frame->next;
    d->waiting += frame->len + sizeof *frame;
    return 1;
}

/* Sends what is due.  Returns when the next frame is, or 0. */
static int64_t
send_due(struct direction *d)
{
    while (d->head && d->head->due <= now_ns(CLOCK_MONOTONIC)) {
        struct frame *frame = d->head;
        struct sockaddr_ll sll = {
            .sll_family = AF_PACKET,
            .sll_ifindex = d->to_ifindex,
            .sll_halen = ETH_ALEN,
        };
        struct iovec iov[] = {
            { &frame->vnet, sizeof frame->vnet },
            { frame->data, frame->len },
        };
        struct msghdr msg = {
            .msg_name = &sll,
            .msg_namelen = sizeof sll,
            .msg_iov = iov,
            .msg_iovlen = 2,
        };

        memcpy(&sll.sll_protocol, frame->data + MACS_LEN,
               sizeof sll.sll_protocol);
        if (sendmsg(d->to, &msg, 0) < 0) {
            d->n_dropped++;
        } else {
            d->n_frames++;
        }
        d->head = frame->next;
        if (!d->head) {
            d->tail = &d->head;
        }
        d->waiting -= frame->len + sizeof *frame;
        free(frame);
    }
    return d->head ? d->head->due : 0;
}

static void
init_direction(struct direction *d, int from, int to, int to_ifindex)
{
    *d = (struct direction) {
        .from = from,
        .to = to,
        .to_ifindex = to_ifindex,
        .tail = &d->head,
    };
}

static void
write_counters(const char *name, const struct direction directions[2])
{
    FILE *output = fopen(name, "w");

    if (!output) {
        fatal(name);
    }
    for (int i = 0; i < 2; i++) {
        const struct direction *d = &directions[i];
        struct tpacket_stats stats = { 0, 0 };
        socklen_t len = sizeof stats;

        /* What did not fit into the socket's buffer. */
        getsockopt(d->from, SOL_PACKET, PACKET_STATISTICS, &stats, &len);
        fprintf(output, "%llu %llu\n", d->n_frames,
                d->n_dropped + stats.tp_drops);
    }
    if (fclose(output)) {
        fatal(name);
    }
}

int
main(int argc, char *argv[])
{
    struct sched_param priority = { .sched_priority = 10 };
    struct direction directions[2];
    int ifindexes[2], sockets[2];
    struct pollfd fds[4];
    sigset_t signals;
    int timer;

    if (argc != 5 || atoll(argv[3]) <= 0) {
        fprintf(stderr, "usage: delay IF0 IF1 DELAY_US OUTPUT\n");
        return EXIT_FAILURE;
    }
    delay = atoll(argv[3]) * 1000;

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    fds[2].fd = timer;
    fds[3].fd = signalfd(-1, &signals, SFD_CLOEXEC);
    if (timer < 0 || fds[3].fd < 0) {
        fatal("timerfd");
    }
    for (int i = 0; i < 2; i++) {
        sockets[i] = open_socket(argv[1 + i], &ifindexes[i]);
        fds[i].fd = sockets[i];
    }
    for (int i = 0; i < 2; i++) {
        init_direction(&directions[i], sockets[i], sockets[!i],
                       ifindexes[!i]);
    }
    for (int i = 0; i < 4; i++) {
        fds[i].events = POLLIN;
    }

    /* Best effort: without it a busy machine adds some noise. */
    sched_setscheduler(0, SCHED_FIFO, &priority);

    for (;;) {
        struct itimerspec at = { .it_value = { 0, 0 } };
        int64_t next = 0;
        uint64_t expired;

        if (poll(fds, 4, -1) < 0) {
            continue;
        }
        if (fds[3].revents) {
            break;
        }
        if (fds[2].revents && read(timer, &expired, sizeof expired) < 0
            && errno != EAGAIN) {
            fatal("timerfd");
        }
        for (int i = 0; i < 2; i++) {
            struct direction *d = &directions[i];
            int64_t due;

            for (int j = 0; j < BATCH && receive(d); j++) {
                continue;
            }
            due = send_due(d);
            if (due && (!next || due < next)) {
                next = due;
            }
        }
        at.it_value.tv_sec = next / NSEC;
        at.it_value.tv_nsec = next % NSEC;
        timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL);
    }
    write_counters(argv[4], directions);
    return EXIT_SUCCESS;
}
