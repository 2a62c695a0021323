# SPDX-License-Identifier: Apache-2.0
"""IPv4 packets that are made by hand, so that it is known to the last bit what
must come of them."""

import socket
import struct

import wire

PORT = 5003             # Where they are for.
SOURCE_PORT = 4000

DCCP_REQUEST = 0


def make(source, destination, proto, data, ttl=64):
    """Returns a packet from 'source' to 'destination' that has 'data', of
    which 'proto' says in what."""
    pair = socket.inet_aton(source) + socket.inet_aton(destination)
    payload = _sum(_payload(proto, data), proto, pair)
    return _ip(pair, proto, payload, ttl)


def with_ttl(packet, ttl):
    """Returns what routers have made of the TTL of 'packet'."""
    return _ip(packet[12:20], packet[9], packet[20:], ttl)


def payload(packet):
    return packet[(packet[0] & 15) * 4:struct.unpack_from("!H", packet, 2)[0]]


def _ip(pair, proto, payload, ttl):
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 7, 0, ttl, proto,
                     0) + pair
    return ip[:10] + wire.checksum(ip) + ip[12:] + payload


def _payload(proto, data):
    """Returns the header and 'data', without checksum."""
    ports = struct.pack("!HH", SOURCE_PORT, PORT)
    if proto == socket.IPPROTO_UDP:
        return ports + struct.pack("!HH", 8 + len(data), 0) + data
    if proto == wire.IPPROTO_UDPLITE:
        # Covered by the checksum as a whole.
        return ports + struct.pack("!HH", 0, 0) + data
    if proto == wire.IPPROTO_DCCP:
        return ports + struct.pack("!BBHBBHII", 5, 0, 0, DCCP_REQUEST << 1 | 1,
                                   0, 0, 1, 0) + data
    if proto == socket.IPPROTO_TCP:
        return ports + struct.pack("!IIHHHH", 1, 0, 5 << 12 | 2, 1000, 0, 0)
    # A ping.
    return struct.pack("!BBHHH", 8, 0, 0, 1, 1) + data


def _sum(payload, proto, pair):
    """Returns 'payload' with its checksum."""
    offset = {socket.IPPROTO_ICMP: 2, socket.IPPROTO_TCP: 16}.get(proto, 6)
    pseudo = (b"" if proto == socket.IPPROTO_ICMP
              else pair + struct.pack("!HH", proto, len(payload)))
    return (payload[:offset] + wire.checksum(pseudo + payload)
            + payload[offset + 2:])
