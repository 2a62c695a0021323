/* SPDX-License-Identifier: Apache-2.0
 *
 * lwip-guest: a guest without a kernel.  It is lwIP, which has a stack of IPv6
 * of its own, behind the tap that $PRECONFIGURED_TAPIF names.
 *
 * usage: lwip-guest MAC ADDRESS PORT BYTES
 *
 * It makes itself addresses as routers say, and prints a line whenever the
 * state of one changes, such as "preferred fd00::1".  On SIGUSR1 it sends
 * BYTES bytes to the TCP echo server at ADDRESS and PORT, and prints "echoed"
 * if all of them came back as they were.  It runs until it is killed. */

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lwip/api.h"
#include "lwip/netif.h"
#include "lwip/tcpip.h"
#include "netif/tapif.h"

#define POLL_NS 50000000
#define CHUNK 400               /* Debian's tapif_input() writes beyond its
                                 * buffers if a frame has more than 592 bytes,
                                 * so less is to come back at a time. */
#define TIMEOUT_MS 10000

static struct netif netif;

static void
start(void *mac_)
{
    const u8_t *mac = mac_;

    netif_add_noaddr(&netif, NULL, tapif_init, tcpip_input);
    memcpy(netif.hwaddr, mac, sizeof netif.hwaddr);
    netif_create_ip6_linklocal_address(&netif, 1);
    netif.ip6_autoconfig_enabled = 1;
    netif_set_default(&netif);
    netif_set_up(&netif);
    netif_set_link_up(&netif);
}

static const char *
state_to_string(u8_t state)
{
    return (ip6_addr_istentative(state) ? "tentative"
            : ip6_addr_isduplicated(state) ? "duplicate"
            : ip6_addr_ispreferred(state) ? "preferred"
            : ip6_addr_isvalid(state) ? "deprecated"
            : NULL);
}

/* Prints what has changed of the addresses. */
static void
show_addresses(void)
{
    static const char *shown[LWIP_IPV6_NUM_ADDRESSES];

    LOCK_TCPIP_CORE();
    for (int i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++) {
        const char *now = state_to_string(netif_ip6_addr_state(&netif, i));

        if (now && now != shown[i]) {
            printf("%s %s\n", now, ip6addr_ntoa(netif_ip6_addr(&netif, i)));
        }
        shown[i] = now;
    }
    UNLOCK_TCPIP_CORE();
}

/* Receives as many bytes as were sent last, and returns true if they are
 * 'data'. */
static bool
receive(struct netconn *conn, const u8_t *data, size_t n)
{
    u8_t received[CHUNK];

    while (n) {
        struct netbuf *buf;
        u16_t len;

        if (netconn_recv(conn, &buf) != ERR_OK) {
            return false;
        }
        len = netbuf_len(buf);
        if (len > n || netbuf_copy(buf, received, len) != len
            || memcmp(received, data, len)) {
            netbuf_delete(buf);
            return false;
        }
        netbuf_delete(buf);
        data += len;
        n -= len;
    }
    return true;
}

/* Returns true if 'n' bytes come back from the echo server. */
static bool
echo(const ip_addr_t *address, u16_t port, size_t n)
{
    struct netconn *conn = netconn_new(NETCONN_TCP_IPV6);
    u8_t data[CHUNK];
    bool ok;

    netconn_set_recvtimeout(conn, TIMEOUT_MS);
    ok = netconn_connect(conn, address, port) == ERR_OK;
    for (size_t sent = 0; ok && sent < n; sent += CHUNK) {
        for (size_t i = 0; i < CHUNK; i++) {
            data[i] = rand();
        }
        ok = (netconn_write(conn, data, CHUNK, NETCONN_COPY) == ERR_OK
              && receive(conn, data, CHUNK));
    }
    netconn_close(conn);
    netconn_delete(conn);
    return ok;
}

int
main(int argc, char *argv[])
{
    struct timespec interval = { .tv_nsec = POLL_NS };
    ip_addr_t address;
    sigset_t signals;
    u8_t mac[6];

    if (argc != 5 || !ipaddr_aton(argv[2], &address)
        || sscanf(argv[1], "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &mac[0], &mac[1],
                  &mac[2], &mac[3], &mac[4], &mac[5]) != 6) {
        fprintf(stderr, "usage: lwip-guest MAC ADDRESS PORT BYTES\n");
        return EXIT_FAILURE;
    }

    setvbuf(stdout, NULL, _IOLBF, 0);
    sigemptyset(&signals);
    sigaddset(&signals, SIGUSR1);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    tcpip_init(start, mac);
    for (;;) {
        if (sigtimedwait(&signals, NULL, &interval) == SIGUSR1) {
            puts(echo(&address, atoi(argv[3]), atoi(argv[4]))
                 ? "echoed" : "not echoed");
        }
        show_addresses();
    }
}
