/* SPDX-License-Identifier: Apache-2.0
 *
 * Addresses of either family, for programs that may be static and therefore
 * do without getaddrinfo(). */

#ifndef LAB_ADDRESS_H
#define LAB_ADDRESS_H 1

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

/* Sets 'address' to the IPv4 or IPv6 address 'text' with 'port', and returns
 * its size, or 0 if 'text' is no such address. */
static inline socklen_t
parse_address(const char *text, uint16_t port,
              struct sockaddr_storage *address)
{
    struct sockaddr_in *sin = (struct sockaddr_in *) address;
    struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *) address;

    memset(address, 0, sizeof *address);
    if (inet_pton(AF_INET, text, &sin->sin_addr) == 1) {
        sin->sin_family = AF_INET;
        sin->sin_port = htons(port);
        return sizeof *sin;
    } else if (inet_pton(AF_INET6, text, &sin6->sin6_addr) == 1) {
        sin6->sin6_family = AF_INET6;
        sin6->sin6_port = htons(port);
        return sizeof *sin6;
    }
    return 0;
}

#endif
