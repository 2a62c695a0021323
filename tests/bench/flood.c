/* SPDX-License-Identifier: Apache-2.0 */

/* A hostile guest: sends what a switch has to look at, as fast as it can.
 *
 *     flood DEVICE KIND[,KIND...] SECONDS
 *
 * KIND is "rarp" (each from another MAC address), "arp" (each from another MAC
 * address, which claims another home address in 10.100.128.0/17) or "ip"
 * (likewise, UDP to yet another one).  Prints how many frames it sent. */

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH 64
#define LENGTH 60

static uint64_t
next_random(void)
{
    static uint64_t x = 88172645463325252ull;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return x;
}

static void
put_mac(uint8_t *p, uint64_t r)
{
    p[0] = 0x06;
    for (int i = 1; i < 6; i++) {
        p[i] = r >> (8 * i);
    }
}

static void
put_hoa(uint8_t *p, uint64_t r)
{
    p[0] = 10;
    p[1] = 100;
    p[2] = 128 | (r & 0x7f);
    p[3] = 1 + (r >> 8) % 254;
}

static void
fill(uint8_t *p, const char *kind)
{
    uint64_t r = next_random();
    uint8_t mac[6];

    memset(p, 0, LENGTH);
    put_mac(mac, r);
    memset(p, 0xff, 6);
    memcpy(p + 6, mac, 6);
    if (!strcmp(kind, "ip")) {
        static const uint8_t gateway[] = { 0x02, 0x56, 0x4d, 0x4d, 0x4f,
                                           0x42 };
        uint32_t sum = 0;

        memcpy(p, gateway, 6);
        p[12] = 0x08;
        p[14] = 0x45;
        p[17] = LENGTH - 14;
        p[22] = 64;
        p[23] = 17;
        put_hoa(p + 26, r >> 16);
        put_hoa(p + 30, r >> 32);
        for (int i = 14; i < 34; i += 2) {
            sum += p[i] << 8 | p[i + 1];
        }
        sum = (sum & 0xffff) + (sum >> 16);
        sum = (sum & 0xffff) + (sum >> 16);
        p[24] = ~sum >> 8;
        p[25] = ~sum;
        p[35] = p[37] = 9;
        p[39] = LENGTH - 34;
        return;
    }

    const int rarp = !strcmp(kind, "rarp");
    p[12] = rarp ? 0x80 : 0x08;
    p[13] = rarp ? 0x35 : 0x06;
    p[15] = 1;
    p[16] = 0x08;
    p[18] = 6;
    p[19] = 4;
    p[21] = rarp ? 3 : 1;
    memcpy(p + 22, mac, 6);
    if (rarp) {
        memcpy(p + 32, mac, 6);
    } else {
        put_hoa(p + 28, r >> 16);
        put_hoa(p + 38, r >> 32);
    }
}

int
main(int argc, char *argv[])
{
    static uint8_t frames[BATCH][LENGTH];
    struct mmsghdr msgs[BATCH];
    struct iovec iovs[BATCH];
    const char *kinds[8];
    int n_kinds = 0;
    long long sent = 0;
    struct timespec now, end;

    if (argc != 4) {
        fprintf(stderr, "usage: flood DEVICE KIND[,KIND...] SECONDS\n");
        return 1;
    }
    for (char *kind = strtok(argv[2], ","); kind && n_kinds < 8;
         kind = strtok(NULL, ",")) {
        kinds[n_kinds++] = kind;
    }

    int fd = socket(AF_PACKET, SOCK_RAW, 0);
    struct sockaddr_ll sll = {
        .sll_family = AF_PACKET, .sll_ifindex = if_nametoindex(argv[1]),
    };
    int one = 1;
    if (fd < 0 || bind(fd, (struct sockaddr *) &sll, sizeof sll)
        || setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one,
                      sizeof one)) {
        perror(argv[1]);
        return 1;
    }

    memset(msgs, 0, sizeof msgs);
    for (int i = 0; i < BATCH; i++) {
        iovs[i].iov_base = frames[i];
        iovs[i].iov_len = LENGTH;
        msgs[i].msg_hdr.msg_iov = &iovs[i];
        msgs[i].msg_hdr.msg_iovlen = 1;
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += atoi(argv[3]);
    do {
        for (int i = 0; i < BATCH; i++) {
            fill(frames[i], kinds[(sent + i) % n_kinds]);
        }
        int n = sendmmsg(fd, msgs, BATCH, 0);

        if (n > 0) {
            sent += n;
        } else if (errno != ENOBUFS && errno != EAGAIN) {
            perror("sendmmsg");
            return 1;
        }
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (now.tv_sec < end.tv_sec
             || (now.tv_sec == end.tv_sec && now.tv_nsec < end.tv_nsec));
    printf("%lld\n", sent);
    return 0;
}
