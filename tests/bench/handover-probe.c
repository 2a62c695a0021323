/* SPDX-License-Identifier: Apache-2.0 */

/* Moves simulated VMNs between two places, and measures how long packets take
 * to follow them.
 *
 *     handover-probe --cn NS:IF --a NS:IF[,NS:IF...] --b NS:IF[,NS:IF...]
 *                    [--moves N] [--batch N] [--interval US]
 *                    [--interval-cn US] [--pause US] [--timeout MS]
 *                    [--hurry] [--prompt PATH] [--tap NAME=NS:IF:KIND]...
 *                    [--ipv6]
 *
 * A VMN is nothing but frames that this program sends and receives at network
 * device IF in namespace NS, at one of the devices of its place, "a" or "b".
 * Every 'interval' the correspondent at "cn" sends a probe to each VMN, and
 * every 'interval-cn' each VMN one to the correspondent: UDP, from home
 * address to home address and from MAC to MAC, as inside one L2 network, by
 * IPv4, or with --ipv6 by that.  All start at "a".  A move:
 *
 *     - t0: the RARP of the VMN, as QEMU sends it, is written to a device of
 *       the new place, and after it a probe to the correspondent.
 *     - t1: the first probe from the correspondent arrives there;
 *       t1_direct: the first that was not redirected, as its TTL tells.
 *     - t2: the first probe of the VMN sent since t0 arrives at "cn".
 *
 * Where a VMN has no t1 or t2 yet, the RARP is repeated when QEMU repeats it.
 * With --batch N, the RARPs of N VMNs are sent at once.  A move that is not
 * over within 'timeout' is lost.  After each move there is a pause, of random
 * length within one interval so that moves and probes are not in step, and no
 * move starts before probes arrive at all VMNs and from all VMNs.
 *
 * With --hurry, a VMN that a probe has reached has no more of them until the
 * move is over, and the others more, at most one in HURRY_US: so few probes
 * tell well when the last VMN is reached, but not how many would be lost.
 *
 * With --prompt PATH, before each move it writes "a" or "b", for where the
 * VMNs are about to go, to the unix socket PATH, and the move does not begin
 * before it reads one byte there.
 *
 * A tap stamps for each move and VMN the first frame received at a device that
 * is, by KIND:
 *
 *     garp      a gratuitous ARP, or an unsolicited neighbor advertisement to
 *               all (which does not tell for which VMN it is, so the nth
 *               counts for VMN n)
 *     to-vmn    a probe to the VMN with another destination than the last
 *               one before t0
 *     to-cn     a probe of the VMN to the correspondent sent since t0
 *     tcp=ADDR  a TCP segment with data from ADDR, of IPv4 (for all VMNs the
 *               first)
 *
 * Writes one line of JSON for each move and VMN to stdout, times in us after
 * the VMN's own t0, null if it did not happen:
 *
 *     {"move": 0, "to": "b", "vmn": 0, "at": 1e9, "start": 0.0, ...}
 *
 * 'at' is the VMN's t0 in seconds of real time, 'start' the same in us after
 * that of the first VMN of the batch.
 * 'sent' are the probes to the VMN since those of the move before; 'lost' of
 * these those that arrived neither at the old place before t0 nor at the new
 * place; 'old' those that arrived at the old place after t0 (also lost, unless
 * they came to the new place as well); 'duplicates' is what arrived once more.
 * 'way_t1' and 'way_t2' are what the latest probe to and from the VMN took
 * from one end to the other, in us: once all is over, what the way takes.
 * Times of arrival are the kernel's. */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

#define NSEC 1000000000ll
#define MSEC 1000000ll
#define USEC 1000ll

#define MAX_PORTS 64            /* Of one place. */
#define MAX_TAPS 8
#define BATCH 32                /* Frames received at once. */
#define BUFFER_BYTES (16 << 20)
#define MAX_BEHIND 64           /* Probes sent at once to catch up. */

/* How long, in ns, we sleep at most; how long after the last VMN that is not
 * known yet sent an ARP request the first one sends another, and how long
 * after each other they do; and how long we wait until all are known. */
#define MAX_SLEEP (1 * MSEC)
#define MIN_SLEEP (300 * USEC)  /* With several VMNs, so as not to be all
                                 * that the machine does. */
#define MIN_SLEEP_MANY (2 * MSEC) /* With MANY or more, so that switches have
                                   * less work for each of their probes. */
#define MANY 100
#define ARP_INTERVAL (100 * MSEC)
#define ARP_SPACING (1 * MSEC)
#define SETTLE_TIMEOUT (30 * NSEC)

/* When QEMU announces a VM that was resumed. */
static const int64_t announcements[] = {
    0, 50 * MSEC, 200 * MSEC, 450 * MSEC, 800 * MSEC
};
/* See --hurry. */
#define HURRY_US 1000

#define N_ANNOUNCEMENTS (sizeof announcements / sizeof *announcements)

#define MAGIC 0x766d6d62        /* "vmmb" */
#define PORT_CN 7001
#define PORT_VMN 7002

/* Home addresses are these, which are in the format ::ffff:a.b.c.d if they are
 * of IPv4, with numbers added. */
static const struct in6_addr home4 = { { {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 100, 0, 0 } } };
static const struct in6_addr home6 = { { { 0xfd, 0, 0, 0x64 } } };
#define CN_HOA 2
#define VMN_HOA 0x100           /* For the first. */

struct payload {
    uint32_t magic;
    uint32_t vmn;
    uint64_t seq;
    uint64_t sent;              /* CLOCK_REALTIME, in ns. */
} __attribute__((packed));

struct arp {
    uint16_t hrd, pro;
    uint8_t hln, pln;
    uint16_t op;
    uint8_t sha[6];
    uint32_t spa;
    uint8_t tha[6];
    uint32_t tpa;
} __attribute__((packed));

/* A neighbor solicitation or advertisement with a link-layer address. */
struct nd {
    uint8_t type, code;
    uint16_t check;
    uint32_t flags;
    struct in6_addr target;
    uint8_t opt_type, opt_len, lla[6];
} __attribute__((packed));

/* What is in an IP packet. */
union inside {
    struct {
        struct udphdr udp;
        struct payload payload;
    } __attribute__((packed));
    struct tcphdr tcp;
    struct nd nd;
};

struct frame {
    struct ethhdr eth;
    union {
        struct arp arp;
        struct {
            struct iphdr ip;
            union inside in4;
        } __attribute__((packed));
        struct {
            struct ip6_hdr ip6;
            union inside in6;
        } __attribute__((packed));
        uint8_t padding[46];
    };
} __attribute__((packed));

/* An IP packet, or the question or answer of a neighbor. */
struct packet {
    struct in6_addr src, dst;
    uint8_t proto;              /* Of 'inside'. */
    int ttl;
    const union inside *inside; /* In its frame, which is of the size that the
                                 * protocol needs. */
    size_t size;                /* Of that. */
};
struct neighbor {
    bool answer;
    struct in6_addr src, dst;   /* Who asks whom, who answers whom. */
    const uint8_t *sha;         /* Where 'src' is. */
};

enum kind { CN, PLACE, TAP };
enum tap_kind { TAP_GARP, TAP_TO_VMN, TAP_TO_CN, TAP_TCP };

/* A device where frames are sent and received. */
struct port {
    enum kind kind;
    int fd;
    int place;                  /* PLACE: 0 or 1. */
    struct tap *tap;            /* TAP. */
};

struct tap {
    struct port port;
    const char *name;
    enum tap_kind kind;
    uint32_t addr;              /* TAP_TCP, network byte order. */
    size_t n;                   /* TAP_GARP: how many came since t0. */
};

/* What became of a probe to a VMN. */
#define ARRIVED 1               /* Where the VMN was. */
#define LATE 2                  /* At the old place, after t0. */

struct vmn {
    uint8_t mac[6];
    struct in6_addr hoa;
    int place;
    bool answered;              /* Did an answer tell it where "cn" is? */
    int64_t t0;                 /* Of the move, or 0 before the first one. */
    int64_t t1, t1_direct, t2;  /* When, or 0. */
    size_t n_announced;
    int64_t last_tx;            /* When a probe was last sent to it. */
    int64_t last_rx[2];         /* When a probe last came to its place, and
                                 * from there to the correspondent, ... */
    int64_t way[2];             /* ...and how long that took. */
    uint64_t seq;               /* Of the next probe to it. */
    uint64_t evaluated;         /* Probes before that are in the results of
                                 * earlier moves. */
    uint64_t evaluate;          /* Probes before that are to be in those of
                                 * this move. */
    uint8_t *fate;              /* Of the latest 'n_fates' probes. */
    unsigned int duplicates;
    uint64_t vmn_seq;           /* Of its next probe... */
    uint64_t vmn_seq0;          /* ...and of the first one since t0. */
    int ttl;                    /* Of probes to it that take no detour. */
    struct in6_addr outer[MAX_TAPS];    /* TAP_TO_VMN: destination last seen,
                                         * ... */
    struct in6_addr outer0[MAX_TAPS];   /* ...and before t0. */
    int64_t tapped[MAX_TAPS];   /* When it was seen, or 0. */
};

/* Sends a probe for one VMN after the other, at even times. */
struct schedule {
    bool from_vmn;              /* To the correspondent? */
    int64_t interval;           /* For each VMN, in ns. */
    int64_t next;
    size_t vmn;
};

static const uint8_t cn_mac[6] = { 0x0a, 0xff, 0, 0, 0, 1 };
static const uint8_t broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

static int epoll_fd = -1;
static struct port cn = { .kind = CN };
static struct port ports[2][MAX_PORTS];
static size_t n_ports[2];
static struct tap taps[MAX_TAPS];
static size_t n_taps;

static bool ipv6;
static struct in6_addr cn_hoa;
static struct vmn *vmns;
static size_t n_vmns = 1;
static size_t n_moves = 100;
static int64_t n_fates;
static int64_t pause_time = 20 * MSEC;
static int64_t timeout = 5 * NSEC;
static bool hurry;
static int prompt_fd = -1;
static bool moving;             /* Between t0 and the end of a move? */

static struct schedule to_vmns = { .interval = 100 * USEC };
static struct schedule to_cn = { .interval = 1 * MSEC, .from_vmn = true };

static void parse_options(int argc, char *argv[]);
static void open_port(struct port *, char *where);
static void open_prompt(const char *path);
static void settle(size_t number);
static void prompt(void);
static void move(size_t number);
static bool moved(void);
static void run(int64_t until);
static void hurry_to_vmn(struct schedule *, int64_t now);
static void print_move(size_t number);

static void
fatal(const char *what)
{
    fprintf(stderr, "handover-probe: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

/* The clock of the kernel's time stamps. */
static int64_t
now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return ts.tv_sec * NSEC + ts.tv_nsec;
}

/* Returns the home address with number 'n'. */
static struct in6_addr
make_hoa(uint32_t n)
{
    struct in6_addr hoa = ipv6 ? home6 : home4;

    hoa.s6_addr32[3] = htonl(ntohl(hoa.s6_addr32[3]) + n);
    return hoa;
}

/* Returns the number of home address 'hoa', or a large one. */
static uint32_t
hoa_number(const struct in6_addr *hoa)
{
    const struct in6_addr *home = ipv6 ? &home6 : &home4;

    return (memcmp(hoa, home, 12) ? UINT32_MAX
            : ntohl(hoa->s6_addr32[3]) - ntohl(home->s6_addr32[3]));
}

int
main(int argc, char *argv[])
{
    struct sched_param priority = { .sched_priority = 10 };

    parse_options(argc, argv);

    /* As many as are sent in twice the longest move. */
    n_fates = 1024;
    while (n_fates < 2 * (timeout + NSEC) / to_vmns.interval) {
        n_fates *= 2;
    }
    cn_hoa = make_hoa(CN_HOA);
    vmns = calloc(n_vmns, sizeof *vmns);
    for (size_t i = 0; vmns && i < n_vmns; i++) {
        struct vmn *vmn = &vmns[i];
        uint32_t n = htonl(i + 1);

        vmn->mac[0] = 0x0a;
        memcpy(vmn->mac + 2, &n, sizeof n);
        vmn->hoa = make_hoa(VMN_HOA + i);
        vmn->fate = calloc(n_fates, 1);
        if (!vmn->fate) {
            fatal("calloc");
        }
    }

    /* Best effort: without it a busy machine adds some noise. */
    sched_setscheduler(0, SCHED_FIFO, &priority);

    to_vmns.next = now_ns();
    to_cn.next = to_vmns.next;
    for (size_t i = 0; i < n_moves; i++) {
        settle(i);
        if (i == 0) {
            /* EVPN's first frames are flooded, and so arrive before it knows
             * where the VMNs are. */
            int64_t end = now_ns() + pause_time;

            while (now_ns() < end) {
                run(end);
            }
        }
        if (prompt_fd >= 0) {
            prompt();
        }
        move(i);
        print_move(i);
    }
    return EXIT_SUCCESS;
}

static void
usage(void)
{
    fprintf(stderr, "usage: handover-probe --cn NS:IF --a NS:IF[,NS:IF...] "
            "--b NS:IF[,NS:IF...] [--moves N] [--batch N] [--interval US] "
            "[--interval-cn US] [--pause US] [--timeout MS] [--hurry] "
            "[--prompt PATH] [--tap NAME=NS:IF:KIND]... [--ipv6]\n");
    exit(EXIT_FAILURE);
}

static void
parse_tap(char *s)
{
    struct tap *tap = &taps[n_taps++];
    char *where = strchr(s, '=');
    char *kind = where ? strchr(where, ':') : NULL;

    kind = kind ? strchr(kind + 1, ':') : NULL;
    if (!kind || n_taps > MAX_TAPS) {
        usage();
    }
    *where++ = *kind++ = '\0';
    tap->name = s;
    if (!strcmp(kind, "garp")) {
        tap->kind = TAP_GARP;
    } else if (!strcmp(kind, "to-vmn")) {
        tap->kind = TAP_TO_VMN;
    } else if (!strcmp(kind, "to-cn")) {
        tap->kind = TAP_TO_CN;
    } else if (!strncmp(kind, "tcp=", 4)) {
        tap->kind = TAP_TCP;
        if (inet_pton(AF_INET, kind + 4, &tap->addr) != 1) {
            usage();
        }
    } else {
        usage();
    }
    tap->port.kind = TAP;
    tap->port.tap = tap;
    open_port(&tap->port, where);
}

static void
parse_options(int argc, char *argv[])
{
    enum { OPT_CN = 1, OPT_A, OPT_B, OPT_MOVES, OPT_BATCH, OPT_INTERVAL,
           OPT_INTERVAL_CN, OPT_PAUSE, OPT_TIMEOUT, OPT_HURRY,
           OPT_PROMPT, OPT_TAP, OPT_IPV6 };
    static const struct option options[] = {
        { "cn", required_argument, NULL, OPT_CN },
        { "a", required_argument, NULL, OPT_A },
        { "b", required_argument, NULL, OPT_B },
        { "moves", required_argument, NULL, OPT_MOVES },
        { "batch", required_argument, NULL, OPT_BATCH },
        { "interval", required_argument, NULL, OPT_INTERVAL },
        { "interval-cn", required_argument, NULL, OPT_INTERVAL_CN },
        { "pause", required_argument, NULL, OPT_PAUSE },
        { "timeout", required_argument, NULL, OPT_TIMEOUT },
        { "hurry", no_argument, NULL, OPT_HURRY },
        { "prompt", required_argument, NULL, OPT_PROMPT },
        { "tap", required_argument, NULL, OPT_TAP },
        { "ipv6", no_argument, NULL, OPT_IPV6 },
        { NULL, 0, NULL, 0 },
    };
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case OPT_CN:
            open_port(&cn, optarg);
            break;

        case OPT_A:
        case OPT_B: {
            int place = option == OPT_B;

            for (char *where = strtok(optarg, ","); where;
                 where = strtok(NULL, ",")) {
                struct port *port = &ports[place][n_ports[place]++];

                if (n_ports[place] > MAX_PORTS) {
                    usage();
                }
                port->kind = PLACE;
                port->place = place;
                open_port(port, where);
            }
            break;
        }

        case OPT_MOVES:
            n_moves = strtoull(optarg, NULL, 10);
            break;

        case OPT_BATCH:
            n_vmns = strtoull(optarg, NULL, 10);
            break;

        case OPT_INTERVAL:
            to_vmns.interval = strtoll(optarg, NULL, 10) * USEC;
            break;

        case OPT_INTERVAL_CN:
            to_cn.interval = strtoll(optarg, NULL, 10) * USEC;
            break;

        case OPT_PAUSE:
            pause_time = strtoll(optarg, NULL, 10) * USEC;
            break;

        case OPT_TIMEOUT:
            timeout = strtoll(optarg, NULL, 10) * MSEC;
            break;

        case OPT_HURRY:
            hurry = true;
            break;

        case OPT_PROMPT:
            open_prompt(optarg);
            break;

        case OPT_TAP:
            parse_tap(optarg);
            break;

        case OPT_IPV6:
            ipv6 = true;
            break;

        default:
            usage();
        }
    }
    if (optind < argc || !cn.fd || !n_ports[0] || n_ports[0] != n_ports[1]
        || !n_vmns || n_vmns > 50000 || to_vmns.interval <= 0
        || to_cn.interval <= 0 || pause_time < 0 || timeout <= 0) {
        usage();
    }
}

/* Opens the port at 'where', which is "NS:IF". */
static void
open_port(struct port *port, char *where)
{
    int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    struct sockaddr_ll sll = { .sll_family = AF_PACKET,
                               .sll_protocol = htons(ETH_P_ALL) };
    int on = 1, bytes = BUFFER_BYTES;
    char *device = strchr(where, ':');
    char path[256];
    int ns;

    if (!device) {
        usage();
    }
    *device++ = '\0';
    snprintf(path, sizeof path, "/run/netns/%s", where);
    ns = open(path, O_RDONLY | O_CLOEXEC);
    if (home < 0 || ns < 0 || setns(ns, CLONE_NEWNET)) {
        fatal(where);
    }
    sll.sll_ifindex = if_nametoindex(device);
    port->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (!sll.sll_ifindex || port->fd < 0) {
        fatal(device);
    }
    if (setsockopt(port->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on,
                   sizeof on)
        || setsockopt(port->fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on)
        || setsockopt(port->fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes,
                      sizeof bytes)
        || bind(port->fd, (struct sockaddr *) &sll, sizeof sll)) {
        fatal(device);
    }
    if (epoll_fd < 0) {
        epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    }
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, port->fd,
                  &(struct epoll_event) { .events = EPOLLIN,
                                          .data.ptr = port })) {
        fatal("epoll");
    }
    if (setns(home, CLONE_NEWNET)) {
        fatal("setns");
    }
    close(ns);
    close(home);
}

static void
open_prompt(const char *path)
{
    struct sockaddr_un sun = { .sun_family = AF_UNIX };

    snprintf(sun.sun_path, sizeof sun.sun_path, "%s", path);
    prompt_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (prompt_fd < 0
        || connect(prompt_fd, (struct sockaddr *) &sun, sizeof sun)) {
        fatal(path);
    }
}

/* Frames. */

static void
send_frame(struct port *port, const struct frame *f, size_t size)
{
    /* A frame that could not leave is lost, as any other. */
    while (send(port->fd, f, size, 0) < 0 && errno == EINTR) {
        continue;
    }
}

static struct port *
vmn_port(const struct vmn *vmn)
{
    return &ports[vmn->place][(vmn - vmns) % n_ports[vmn->place]];
}

static uint32_t
sum16(const void *data_, size_t n, uint32_t sum)
{
    const uint8_t *data = data_;

    for (size_t i = 0; i + 1 < n; i += 2) {
        sum += data[i] << 8 | data[i + 1];
    }
    return sum;
}

static uint16_t
finish_sum(uint32_t sum)
{
    while (sum >> 16) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return htons(~sum);
}

/* Starts 'f', from 'src' to 'dst': fills in all but what is inside the IP
 * packet, of protocol 'proto' and 'size' bytes.  Returns that. */
static union inside *
start_frame(struct frame *f, const uint8_t eth_dst[6],
            const uint8_t eth_src[6], const struct in6_addr *src,
            const struct in6_addr *dst, uint8_t proto, size_t size)
{
    memset(f, 0, sizeof *f);
    memcpy(f->eth.h_dest, eth_dst, ETH_ALEN);
    memcpy(f->eth.h_source, eth_src, ETH_ALEN);
    if (ipv6) {
        f->eth.h_proto = htons(ETH_P_IPV6);
        f->ip6.ip6_flow = htonl(6 << 28);
        f->ip6.ip6_plen = htons(size);
        f->ip6.ip6_nxt = proto;
        f->ip6.ip6_hlim = proto == IPPROTO_ICMPV6 ? 255 : 64;
        f->ip6.ip6_src = *src;
        f->ip6.ip6_dst = *dst;
        return &f->in6;
    }
    f->eth.h_proto = htons(ETH_P_IP);
    f->ip.version = 4;
    f->ip.ihl = 5;
    f->ip.tot_len = htons(sizeof f->ip + size);
    f->ip.ttl = 64;
    f->ip.protocol = proto;
    f->ip.saddr = src->s6_addr32[3];
    f->ip.daddr = dst->s6_addr32[3];
    f->ip.check = finish_sum(sum16(&f->ip, sizeof f->ip, 0));
    return &f->in4;
}

/* Returns the checksum of 'size' bytes inside 'f', of protocol 'proto'. */
static uint16_t
inside_sum(const struct frame *f, uint8_t proto, size_t size)
{
    uint32_t sum = proto + size;

    return finish_sum(ipv6
                      ? sum16(&f->in6, size, sum16(&f->ip6.ip6_src, 32, sum))
                      : sum16(&f->in4, size, sum16(&f->ip.saddr, 8, sum)));
}

/* Sends 'f', which has 'size' bytes inside. */
static void
send_packet(struct port *port, const struct frame *f, size_t size)
{
    send_frame(port, f, sizeof f->eth + (ipv6 ? sizeof f->ip6 : sizeof f->ip)
               + size);
}

/* Sends nothing before the receiver is known, as a host would not: many VMNs
 * that talk to strangers are a flood. */
static void
send_probe(struct vmn *vmn, bool from_vmn)
{
    struct frame f;
    union inside *in;
    const size_t size = sizeof in->udp + sizeof in->payload;

    if (from_vmn ? !vmn->answered : !vmn->last_rx[1]) {
        return;
    }

    in = start_frame(&f, from_vmn ? cn_mac : vmn->mac,
                     from_vmn ? vmn->mac : cn_mac,
                     from_vmn ? &vmn->hoa : &cn_hoa,
                     from_vmn ? &cn_hoa : &vmn->hoa, IPPROTO_UDP, size);
    in->udp.source = htons(from_vmn ? PORT_VMN : PORT_CN);
    in->udp.dest = htons(from_vmn ? PORT_CN : PORT_VMN);
    in->udp.len = htons(size);
    in->payload.magic = htonl(MAGIC);
    in->payload.vmn = htonl(vmn - vmns);
    in->payload.seq = from_vmn ? vmn->vmn_seq++ : vmn->seq++;
    in->payload.sent = now_ns();
    in->udp.check = inside_sum(&f, IPPROTO_UDP, size);
    if (!from_vmn) {
        vmn->fate[in->payload.seq % n_fates] = 0;
        vmn->last_tx = in->payload.sent;
    }
    send_packet(from_vmn ? vmn_port(vmn) : &cn, &f, size);
}

static void
send_arp(struct port *port, uint16_t protocol, uint16_t op,
         const uint8_t dst[6], const uint8_t sha[6], uint32_t spa,
         const uint8_t tha[6], uint32_t tpa)
{
    struct frame f;

    memset(&f, 0, sizeof f);
    memcpy(f.eth.h_dest, dst, ETH_ALEN);
    memcpy(f.eth.h_source, sha, ETH_ALEN);
    f.eth.h_proto = htons(protocol);
    f.arp.hrd = htons(1);
    f.arp.pro = htons(ETH_P_IP);
    f.arp.hln = 6;
    f.arp.pln = 4;
    f.arp.op = htons(op);
    memcpy(f.arp.sha, sha, sizeof f.arp.sha);
    f.arp.spa = spa;
    if (tha) {
        memcpy(f.arp.tha, tha, sizeof f.arp.tha);
    }
    f.arp.tpa = tpa;
    send_frame(port, &f, sizeof f.eth + sizeof f.padding);
}

static void
send_rarp(struct vmn *vmn)
{
    send_arp(vmn_port(vmn), ETH_P_RARP, 3, broadcast, vmn->mac, 0, vmn->mac,
             0);
}

/* Sends a neighbor solicitation (RFC 4861) or, if 'answer', an advertisement
 * from 'src', which is at 'sha', for or to 'dst'. */
static void
send_nd(struct port *port, bool answer, const uint8_t eth_dst[6],
        const uint8_t sha[6], const struct in6_addr *src,
        const struct in6_addr *dst)
{
    struct in6_addr group = { { { 0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
                                  0xff } } };
    struct frame f;
    union inside *in;

    memcpy(&group.s6_addr[13], &dst->s6_addr[13], 3);
    in = start_frame(&f, eth_dst, sha, src, answer ? dst : &group,
                     IPPROTO_ICMPV6, sizeof in->nd);
    in->nd.type = answer ? ND_NEIGHBOR_ADVERT : ND_NEIGHBOR_SOLICIT;
    in->nd.flags = answer ? ND_NA_FLAG_SOLICITED | ND_NA_FLAG_OVERRIDE : 0;
    in->nd.target = answer ? *src : *dst;
    in->nd.opt_type = (answer ? ND_OPT_TARGET_LINKADDR
                       : ND_OPT_SOURCE_LINKADDR);
    in->nd.opt_len = 1;
    memcpy(in->nd.lla, sha, sizeof in->nd.lla);
    in->nd.check = inside_sum(&f, IPPROTO_ICMPV6, sizeof in->nd);
    send_packet(port, &f, sizeof in->nd);
}

/* Asks, on behalf of 'src' at 'sha', where 'dst' is. */
static void
ask(struct port *port, const uint8_t sha[6], const struct in6_addr *src,
    const struct in6_addr *dst)
{
    if (ipv6) {
        uint8_t group[6] = { 0x33, 0x33, 0xff };

        memcpy(&group[3], &dst->s6_addr[13], 3);
        send_nd(port, false, group, sha, src, dst);
    } else {
        send_arp(port, ETH_P_ARP, 1, broadcast, sha, src->s6_addr32[3], NULL,
                 dst->s6_addr32[3]);
    }
}

/* Answers 'question' on behalf of who was asked, who is at 'sha'. */
static void
answer(struct port *port, const struct neighbor *question,
       const uint8_t sha[6])
{
    if (ipv6) {
        send_nd(port, true, question->sha, sha, &question->dst,
                &question->src);
    } else {
        send_arp(port, ETH_P_ARP, 2, question->sha, sha,
                 question->dst.s6_addr32[3], question->sha,
                 question->src.s6_addr32[3]);
    }
}

/* Receiving. */

static struct in6_addr
mapped(uint32_t addr)
{
    struct in6_addr mapped_addr = home4;

    mapped_addr.s6_addr32[3] = addr;
    return mapped_addr;
}

/* Returns false if 'f', of 'size' bytes, is no IP packet. */
static bool
parse_ip(const struct frame *f, size_t size, struct packet *p)
{
    size_t header;

    if (f->eth.h_proto == htons(ETH_P_IPV6)) {
        p->src = f->ip6.ip6_src;
        p->dst = f->ip6.ip6_dst;
        p->proto = f->ip6.ip6_nxt;
        p->ttl = f->ip6.ip6_hlim;
        p->inside = &f->in6;
        header = sizeof f->eth + sizeof f->ip6;
    } else if (f->eth.h_proto == htons(ETH_P_IP) && f->ip.ihl == 5) {
        p->src = mapped(f->ip.saddr);
        p->dst = mapped(f->ip.daddr);
        p->proto = f->ip.protocol;
        p->ttl = f->ip.ttl;
        p->inside = &f->in4;
        header = sizeof f->eth + sizeof f->ip;
    } else {
        return false;
    }
    p->size = size > header ? size - header : 0;
    return true;
}

/* Returns false if 'p' is no probe. */
static bool
is_probe(const struct packet *p)
{
    return (p->proto == IPPROTO_UDP
            && p->size >= sizeof p->inside->udp + sizeof p->inside->payload
            && p->inside->payload.magic == htonl(MAGIC)
            && ntohl(p->inside->payload.vmn) < n_vmns);
}

/* Returns false if 'f', of 'size' bytes, is neither ARP nor a neighbor
 * solicitation or advertisement. */
static bool
parse_neighbor(const struct frame *f, size_t size, struct neighbor *n)
{
    struct packet p;

    if (f->eth.h_proto == htons(ETH_P_ARP)) {
        n->answer = f->arp.op == htons(2);
        n->src = mapped(f->arp.spa);
        n->dst = mapped(f->arp.tpa);
        n->sha = f->arp.sha;
        return true;
    }
    if (!ipv6 || !parse_ip(f, size, &p) || p.proto != IPPROTO_ICMPV6
        || p.size < sizeof p.inside->nd
        || (p.inside->nd.type != ND_NEIGHBOR_SOLICIT
            && p.inside->nd.type != ND_NEIGHBOR_ADVERT)) {
        return false;
    }
    n->answer = p.inside->nd.type == ND_NEIGHBOR_ADVERT;
    n->src = n->answer ? p.inside->nd.target : p.src;
    n->dst = n->answer ? p.dst : p.inside->nd.target;
    n->sha = p.inside->nd.lla;
    return true;
}

static bool
addr_equals(const struct in6_addr *a, const struct in6_addr *b)
{
    return !memcmp(a, b, sizeof *a);
}

static void
handle_neighbor(struct port *port, const struct neighbor *neighbor)
{
    uint32_t n = hoa_number(&neighbor->dst) - VMN_HOA;

    if (neighbor->answer) {
        if (port->kind == PLACE && n < n_vmns
            && addr_equals(&neighbor->src, &cn_hoa)) {
            vmns[n].answered = true;
        }
    } else if (port->kind == CN && addr_equals(&neighbor->dst, &cn_hoa)) {
        answer(port, neighbor, cn_mac);
    } else if (port->kind == PLACE && n < n_vmns
               && vmn_port(&vmns[n]) == port
               && memcmp(neighbor->sha, vmns[n].mac, ETH_ALEN)) {
        answer(port, neighbor, vmns[n].mac);
    }
}

/* A probe 'p' to 'vmn' arrived at 'port'. */
static void
handle_probe_to_vmn(struct vmn *vmn, const struct port *port,
                    const struct packet *p, int64_t now)
{
    const struct payload *payload = &p->inside->payload;
    uint8_t *fate = &vmn->fate[payload->seq % n_fates];
    bool here = vmn_port(vmn) == port;

    if (payload->seq >= vmn->seq
        || vmn->seq - payload->seq > (uint64_t) n_fates) {
        return;
    }
    if (here) {
        vmn->last_rx[0] = now;
        vmn->way[0] = now - (int64_t) payload->sent;
        if (vmn->t0 && now >= vmn->t0) {
            if (!vmn->t1) {
                vmn->t1 = now;
            }
            if (!vmn->t1_direct && p->ttl >= vmn->ttl) {
                vmn->t1_direct = now;
            }
        }
        if (p->ttl > vmn->ttl) {
            vmn->ttl = p->ttl;
        }
    }
    if (here || (vmn->t0 && now < vmn->t0)) {
        vmn->duplicates += *fate & ARRIVED;
        *fate |= ARRIVED;
    } else {
        *fate |= LATE;
    }
}

static void
handle_probe(struct port *port, const struct frame *f, const struct packet *p,
             int64_t now)
{
    const union inside *in = p->inside;
    struct vmn *vmn = &vmns[ntohl(in->payload.vmn)];

    if (port->kind == PLACE && in->udp.dest == htons(PORT_VMN)
        && addr_equals(&p->src, &cn_hoa) && addr_equals(&p->dst, &vmn->hoa)
        && !memcmp(f->eth.h_dest, vmn->mac, ETH_ALEN)) {
        handle_probe_to_vmn(vmn, port, p, now);
    } else if (port->kind == CN && in->udp.dest == htons(PORT_CN)
               && addr_equals(&p->src, &vmn->hoa)
               && addr_equals(&p->dst, &cn_hoa)
               && !memcmp(f->eth.h_dest, cn_mac, ETH_ALEN)) {
        vmn->last_rx[1] = now;
        vmn->way[1] = now - (int64_t) in->payload.sent;
        if (!vmn->t2 && vmn->t0 && in->payload.seq >= vmn->vmn_seq0) {
            vmn->t2 = now;
        }
    }
}

/* Returns true if 'f', of 'size' bytes, announces its sender's address. */
static bool
is_announcement(const struct frame *f, size_t size)
{
    struct neighbor n;

    return (parse_neighbor(f, size, &n)
            && n.src.s6_addr32[3]
            && (addr_equals(&n.src, &n.dst)
                || (n.answer && IN6_IS_ADDR_MULTICAST(&n.dst))));
}

static void
handle_tapped(struct tap *tap, const struct frame *f, size_t size,
              int64_t now)
{
    struct packet p;
    bool ip = parse_ip(f, size, &p);
    bool probe = ip && is_probe(&p);
    size_t i = tap - taps;
    struct vmn *vmn = (probe ? &vmns[ntohl(p.inside->payload.vmn)] : NULL);

    switch (tap->kind) {
    case TAP_GARP:
        if (is_announcement(f, size) && tap->n < n_vmns
            && vmns[tap->n].t0 && now >= vmns[tap->n].t0) {
            vmns[tap->n++].tapped[i] = now;
        }
        break;

    case TAP_TO_VMN:
        if (probe && p.inside->udp.dest == htons(PORT_VMN)) {
            vmn->outer[i] = p.dst;
            if (vmn->t0 && now >= vmn->t0) {
                if (!vmn->tapped[i]
                    && !addr_equals(&p.dst, &vmn->outer0[i])) {
                    vmn->tapped[i] = now;
                }
            } else {
                vmn->outer0[i] = p.dst;
            }
        }
        break;

    case TAP_TO_CN:
        if (probe && p.inside->udp.dest == htons(PORT_CN) && !vmn->tapped[i]
            && vmn->t0 && p.inside->payload.seq >= vmn->vmn_seq0) {
            vmn->tapped[i] = now;
        }
        break;

    case TAP_TCP:
        if (f->eth.h_proto == htons(ETH_P_IP) && ip && p.proto == IPPROTO_TCP
            && f->ip.saddr == tap->addr
            && (ntohs(f->ip.tot_len)
                > sizeof f->ip + p.inside->tcp.doff * 4)) {
            for (vmn = vmns; vmn < vmns + n_vmns; vmn++) {
                if (!vmn->tapped[i] && vmn->t0 && now >= vmn->t0) {
                    vmn->tapped[i] = now;
                }
            }
        }
        break;
    }
}

static void
handle_frame(struct port *port, const struct frame *f, size_t size,
             int64_t now)
{
    struct neighbor neighbor;
    struct packet p;

    if (port->kind == TAP) {
        handle_tapped(port->tap, f, size, now);
    } else if (parse_neighbor(f, size, &neighbor)) {
        handle_neighbor(port, &neighbor);
    } else if (parse_ip(f, size, &p) && is_probe(&p)) {
        handle_probe(port, f, &p, now);
    }
}

/* Handles all that has arrived at 'port'. */
static void
receive(struct port *port)
{
    static struct frame frames[BATCH];
    static uint8_t control[BATCH][CMSG_SPACE(sizeof(struct timespec))];
    struct mmsghdr msgs[BATCH];
    struct iovec iov[BATCH];
    int n;

    do {
        for (int i = 0; i < BATCH; i++) {
            memset(&frames[i], 0, sizeof frames[i]);
            iov[i] = (struct iovec) { &frames[i], sizeof frames[i] };
            msgs[i].msg_hdr = (struct msghdr) {
                .msg_iov = &iov[i],
                .msg_iovlen = 1,
                .msg_control = control[i],
                .msg_controllen = sizeof control[i],
            };
        }
        n = recvmmsg(port->fd, msgs, BATCH, MSG_DONTWAIT, NULL);
        for (int i = 0; i < n; i++) {
            struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msgs[i].msg_hdr);
            struct timespec ts;

            if (cmsg && cmsg->cmsg_level == SOL_SOCKET
                && cmsg->cmsg_type == SO_TIMESTAMPNS) {
                memcpy(&ts, CMSG_DATA(cmsg), sizeof ts);
                handle_frame(port, &frames[i], msgs[i].msg_len,
                             ts.tv_sec * NSEC + ts.tv_nsec);
            }
        }
    } while (n == BATCH);
}

static void
receive_all(void)
{
    struct epoll_event events[2 * MAX_PORTS + MAX_TAPS + 1];
    int n = epoll_wait(epoll_fd, events, sizeof events / sizeof *events, 0);

    for (int i = 0; i < n; i++) {
        receive(events[i].data.ptr);
    }
}

/* Moves. */

/* Sends what is due by 's'. */
static void
schedule_run(struct schedule *s)
{
    int64_t step = s->interval / n_vmns;
    int64_t now = now_ns();

    if (s->next + MAX_BEHIND * step < now) {
        /* This machine was not fast enough. */
        s->next = now;
    }
    for (; s->next <= now; s->next += step) {
        if (hurry && moving && !s->from_vmn) {
            hurry_to_vmn(s, now);
        } else {
            send_probe(&vmns[s->vmn], s->from_vmn);
            s->vmn = (s->vmn + 1) % n_vmns;
        }
    }
}

/* Sends a probe to the next VMN that was not reached yet. */
static void
hurry_to_vmn(struct schedule *s, int64_t now)
{
    for (size_t i = 0; i < n_vmns; i++) {
        struct vmn *vmn = &vmns[s->vmn];

        s->vmn = (s->vmn + 1) % n_vmns;
        if (!vmn->t1 && now - vmn->last_tx >= HURRY_US * USEC) {
            send_probe(vmn, false);
            return;
        }
    }
}

/* Sends and receives what is due, and sleeps until 'until' or until there is
 * more to send. */
static void
run(int64_t until)
{
    struct timespec at;
    int64_t next;

    schedule_run(&to_vmns);
    schedule_run(&to_cn);
    receive_all();

    /* Stamped by the kernel, what arrives can wait. */
    next = to_vmns.next < to_cn.next ? to_vmns.next : to_cn.next;
    if (next > now_ns() + MAX_SLEEP) {
        next = now_ns() + MAX_SLEEP;
    }
    if (n_vmns > 1) {
        int64_t soon = now_ns() + (n_vmns < MANY ? MIN_SLEEP
                                   : MIN_SLEEP_MANY);

        next = next < soon ? soon : next;
    }
    if (next > until) {
        next = until;
    }
    at = (struct timespec) { next / NSEC, next % NSEC };
    clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &at, NULL);
}

static bool
vmn_is_settled(const struct vmn *vmn, int64_t since)
{
    return vmn->last_rx[0] >= since && vmn->last_rx[1] >= since;
}

/* Waits until all VMNs are known to be where they are, before move
 * 'number'. */
static void
settle(size_t number)
{
    int64_t start = now_ns();
    int64_t next_arp = start;
    size_t asking = 0;

    if (vmns[0].last_rx[0]) {
        /* After a move, probes do without, or are to have some time. */
        next_arp += ARP_INTERVAL + 2 * to_vmns.interval + 2 * to_cn.interval;
    }
    for (;;) {
        int64_t now = now_ns();
        size_t n = 0, n_rx[2] = { 0, 0 };

        for (struct vmn *vmn = vmns; vmn < vmns + n_vmns; vmn++) {
            n += vmn_is_settled(vmn, start);
            n_rx[0] += vmn->last_rx[0] >= start;
            n_rx[1] += vmn->last_rx[1] >= start;
        }
        if (n == n_vmns) {
            return;
        }
        if (now - start > SETTLE_TIMEOUT) {
            fprintf(stderr, "handover-probe: move %zu: only %zu of %zu VMNs "
                    "are reached, and only %zu reach the correspondent\n",
                    number, n_rx[0], n_vmns, n_rx[1]);
            exit(EXIT_FAILURE);
        }
        if (now >= next_arp) {
            struct vmn *vmn = &vmns[asking];

            /* One after the other, so as not to be a flood. */
            if (!asking) {
                ask(&cn, cn_mac, &cn_hoa, &vmn->hoa);
            }
            if (!vmn_is_settled(vmn, start)) {
                ask(vmn_port(vmn), vmn->mac, &vmn->hoa, &cn_hoa);
            }
            asking = (asking + 1) % n_vmns;
            next_arp = now + (asking ? ARP_SPACING : ARP_INTERVAL);
        }
        run(now + MAX_SLEEP);
    }
}

/* Says where the VMNs are about to go, and goes on with probes until they
 * may. */
static void
prompt(void)
{
    char c = vmns[0].place ? 'a' : 'b';
    int64_t end;
    ssize_t n;

    if (send(prompt_fd, &c, 1, MSG_NOSIGNAL) != 1) {
        fatal("prompt");
    }
    while ((n = recv(prompt_fd, &c, 1, MSG_DONTWAIT)) < 0
           && (errno == EAGAIN || errno == EINTR)) {
        run(now_ns() + MAX_SLEEP);
    }
    if (n != 1) {
        fprintf(stderr, "handover-probe: no answer to the prompt\n");
        exit(EXIT_FAILURE);
    }

    /* Not in step with the probes. */
    end = now_ns() + drand48() * to_vmns.interval;
    while (now_ns() < end) {
        run(end);
    }
}

/* Moves all VMNs. */
static void
move(size_t number)
{
    size_t n_announced = 1;
    int64_t start, end;

    receive_all();
    for (struct vmn *vmn = vmns; vmn < vmns + n_vmns; vmn++) {
        memset(vmn->tapped, 0, sizeof vmn->tapped);
        memcpy(vmn->outer0, vmn->outer, sizeof vmn->outer0);
        vmn->t1 = vmn->t1_direct = vmn->t2 = 0;
        vmn->duplicates = 0;
        vmn->n_announced = 1;
    }
    for (size_t i = 0; i < n_taps; i++) {
        taps[i].n = 0;
    }

    start = now_ns();
    moving = true;
    for (struct vmn *vmn = vmns; vmn < vmns + n_vmns; vmn++) {
        if (number == 0) {
            /* Not what was sent before they were all known. */
            vmn->evaluated = vmn->seq;
        }
        vmn->place = !vmn->place;
        vmn->vmn_seq0 = vmn->vmn_seq;
        vmn->t0 = now_ns();
        send_rarp(vmn);
        send_probe(vmn, true);
    }
    while (!moved() && now_ns() < start + timeout) {
        if (n_announced < N_ANNOUNCEMENTS
            && now_ns() >= start + announcements[n_announced]) {
            n_announced++;
            for (struct vmn *vmn = vmns; vmn < vmns + n_vmns; vmn++) {
                if (!vmn->t1 || !vmn->t2) {
                    vmn->n_announced++;
                    send_rarp(vmn);
                }
            }
        }
        run(INT64_MAX);
    }

    moving = false;

    /* What was sent in the first half of the pause has time to arrive. */
    end = now_ns() + pause_time / 2 + drand48() * to_vmns.interval;
    while (now_ns() < end) {
        run(end);
    }
    for (struct vmn *vmn = vmns; vmn < vmns + n_vmns; vmn++) {
        vmn->evaluate = vmn->seq;
    }
    end = now_ns() + pause_time / 2;
    while (now_ns() < end) {
        run(end);
    }
    receive_all();
}

static bool
moved(void)
{
    for (const struct vmn *vmn = vmns; vmn < vmns + n_vmns; vmn++) {
        if (!vmn->t1 || !vmn->t2) {
            return false;
        }
    }
    return true;
}

/* Results. */

static void
print_time(const char *name, int64_t t, int64_t t0)
{
    if (t) {
        printf(", \"%s\": %.1f", name, (t - t0) / 1e3);
    } else {
        printf(", \"%s\": null", name);
    }
}

static void
print_move(size_t number)
{
    for (size_t i = 0; i < n_vmns; i++) {
        struct vmn *vmn = &vmns[i];
        unsigned int lost = 0, old = 0;

        for (uint64_t seq = vmn->evaluated; seq < vmn->evaluate; seq++) {
            uint8_t fate = vmn->fate[seq % n_fates];

            lost += !(fate & ARRIVED);
            old += (fate & LATE) != 0;
        }
        printf("{\"move\": %zu, \"to\": \"%c\", \"vmn\": %zu", number,
               "ab"[vmn->place], i);
        printf(", \"at\": %lld.%09lld", (long long) (vmn->t0 / NSEC),
               (long long) (vmn->t0 % NSEC));
        printf(", \"start\": %.1f", (vmn->t0 - vmns[0].t0) / 1e3);
        print_time("t1", vmn->t1, vmn->t0);
        print_time("t1_direct", vmn->t1_direct, vmn->t0);
        print_time("t2", vmn->t2, vmn->t0);
        print_time("way_t1", vmn->way[0], 0);
        print_time("way_t2", vmn->way[1], 0);
        printf(", \"sent\": %llu, \"lost\": %u, \"old\": %u, "
               "\"duplicates\": %u, \"announced\": %zu",
               (unsigned long long) (vmn->evaluate - vmn->evaluated), lost,
               old, vmn->duplicates, vmn->n_announced);
        for (size_t j = 0; j < n_taps; j++) {
            print_time(taps[j].name, vmn->tapped[j], vmn->t0);
        }
        printf("}\n");
        vmn->evaluated = vmn->evaluate;
    }
    fflush(stdout);
}
