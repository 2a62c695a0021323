/* SPDX-License-Identifier: Apache-2.0
 *
 * guest-echo: the one program of the guest, a TCP and UDP echo server, of IPv4
 * and IPv6.
 *
 * usage: guest-echo PORT
 *
 * Static and single-threaded, for a guest whose other contents are busybox
 * and a kernel.  It stops reading from a connection whose echo the peer does
 * not take, so a connection holds at most one buffer. */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_CONNECTIONS 64

struct connection {
    size_t n, ofs;              /* Bytes 'ofs' to 'n' are still to echo. */
    uint8_t data[16384];
};

static int
open_socket(int type, int port)
{
    struct sockaddr_in6 sin6 = {
        .sin6_family = AF_INET6,
        .sin6_port = htons(port),
    };
    int fd = socket(AF_INET6, type, 0);
    int on = 1, off = 0;

    if (fd < 0
        || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on)
        || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off)
        || bind(fd, (const struct sockaddr *) &sin6, sizeof sin6)
        || (type == SOCK_STREAM && listen(fd, 16))) {
        perror("guest-echo");
        exit(EXIT_FAILURE);
    }
    return fd;
}

static void
echo_datagram(int fd)
{
    static uint8_t data[65536];
    struct sockaddr_in6 from;
    socklen_t len = sizeof from;
    ssize_t n = recvfrom(fd, data, sizeof data, 0,
                         (struct sockaddr *) &from, &len);

    if (n >= 0) {
        sendto(fd, data, n, 0, (const struct sockaddr *) &from, len);
    }
}

/* Returns 0, or -1 if the connection is at its end. */
static int
echo_stream(int fd, struct connection *c)
{
    ssize_t retval;

    if (!c->n) {
        retval = recv(fd, c->data, sizeof c->data, MSG_DONTWAIT);
        if (retval <= 0) {
            return retval < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
        }
        c->n = retval;
        c->ofs = 0;
    }

    retval = send(fd, c->data + c->ofs, c->n - c->ofs,
                  MSG_DONTWAIT | MSG_NOSIGNAL);
    if (retval < 0) {
        return errno == EAGAIN || errno == EINTR ? 0 : -1;
    }
    c->ofs += retval;
    if (c->ofs == c->n) {
        c->n = 0;
    }
    return 0;
}

int
main(int argc, char *argv[])
{
    static struct connection connections[MAX_CONNECTIONS];
    struct pollfd fds[2 + MAX_CONNECTIONS];
    int port = argc == 2 ? atoi(argv[1]) : 0;
    size_t n = 2;

    if (!port) {
        fprintf(stderr, "usage: guest-echo PORT\n");
        return EXIT_FAILURE;
    }

    signal(SIGPIPE, SIG_IGN);
    fds[0].fd = open_socket(SOCK_STREAM, port);
    fds[1].fd = open_socket(SOCK_DGRAM, port);
    puts("guest-echo: ready");
    fflush(stdout);
    for (;;) {
        for (size_t i = 0; i < n; i++) {
            fds[i].events = i >= 2 && connections[i - 2].n ? POLLOUT : POLLIN;
            fds[i].revents = 0;
        }
        if (n == 2 + MAX_CONNECTIONS) {
            fds[0].events = 0;
        }
        if (poll(fds, n, -1) < 0) {
            continue;
        }

        for (size_t i = 2; i < n; ) {
            if (fds[i].revents && echo_stream(fds[i].fd,
                                              &connections[i - 2])) {
                close(fds[i].fd);
                n--;
                fds[i] = fds[n];
                connections[i - 2] = connections[n - 2];
            } else {
                i++;
            }
        }
        if (fds[1].revents) {
            echo_datagram(fds[1].fd);
        }
        if (fds[0].revents) {
            int fd = accept(fds[0].fd, NULL, NULL);
            int on = 1;

            if (fd >= 0) {
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
                connections[n - 2].n = 0;
                fds[n].fd = fd;
                fds[n].revents = 0;
                n++;
            }
        }
    }
}
