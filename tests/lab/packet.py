# SPDX-License-Identifier: Apache-2.0
"""Packets that are made by hand, so that it is known to the last bit what must
come of them.  Of either family, as their addresses are."""

import ipaddress
import socket
import struct

import wire

PORT = 5003             # Where they are for.
SOURCE_PORT = 4000

DCCP_REQUEST = 0
PING = {4: (socket.IPPROTO_ICMP, 8), 6: (socket.IPPROTO_ICMPV6, 128)}


def make(source, destination, proto, data, ttl=64, extensions=()):
    """Returns a packet from 'source' to 'destination' that has 'data', of
    which 'proto' says in what.  In front of that are IPv6 extension headers of
    the types 'extensions'."""
    pair = b"".join(ipaddress.ip_address(each).packed
                    for each in (source, destination))
    payload = _sum(_payload(proto, data), proto, pair)
    for header in reversed(extensions):
        # A routing header that has been used up, or padding.
        payload = (bytes([proto, 0, 4, 0, 0, 0, 0, 0])
                   if header == socket.IPPROTO_ROUTING
                   else bytes([proto, 0, 1, 4, 0, 0, 0, 0])) + payload
        proto = header
    return _ip(pair, proto, payload, ttl)


def fragments(packet, size=1448):
    """Returns 'packet' in fragments with 'size' bytes each, a multiple of 8:
    by default as many as the usual MTU allows with IPv6."""
    whole = wire.Packet(packet)
    ttl = packet[8 if whole.family == 4 else 7]
    made = []
    for at in range(0, len(whole.payload), size):
        part = whole.payload[at:at + size]
        more = at + size < len(whole.payload)
        if whole.family == 4:
            made.append(_ip(whole.addresses, whole.proto, part, ttl,
                            more << 13 | at >> 3))
        else:
            made.append(_ip(whole.addresses, socket.IPPROTO_FRAGMENT,
                            struct.pack("!BBHI", whole.proto, 0, at | more, 0)
                            + part, ttl))
    return made


def icmp6(source, destination, kind, body, ttl=255):
    """Returns an ICMPv6 message of 'kind', such as one of neighbor
    discovery."""
    pair = b"".join(ipaddress.ip_address(each).packed
                    for each in (source, destination))
    return _ip(pair, socket.IPPROTO_ICMPV6, _sum(
        struct.pack("!BBH", kind, 0, 0) + body, socket.IPPROTO_ICMPV6, pair),
        ttl)


def frame(mac, packet):
    """Returns 'packet', of IPv6 and to a group, as 'mac' sends it."""
    return (b"\x33\x33" + packet[36:40] + mac_bytes(mac) + b"\x86\xdd"
            + packet)


def mac_bytes(mac):
    return bytes.fromhex(mac.replace(":", ""))


def ping_proto(address):
    """Returns the protocol of pings to 'address'."""
    return PING[ipaddress.ip_address(address).version][0]


def with_ttl(packet, ttl):
    """Returns what routers have made of the TTL of 'packet'."""
    if packet[0] >> 4 == 6:
        return packet[:7] + bytes([ttl]) + packet[8:]
    return _ip(packet[12:20], packet[9], packet[20:], ttl)


def payload(packet):
    return wire.Packet(packet).payload


def send(ns, *packets):
    """Sends 'packets' from 'ns', by the routes that it has."""
    for each in packets:
        family = each[0] >> 4
        with wire.inside(ns), socket.socket(
                {4: socket.AF_INET, 6: socket.AF_INET6}[family],
                socket.SOCK_RAW, socket.IPPROTO_RAW) as sock:
            sock.sendto(each, (str(wire.Packet(each).destination), 0))


def _ip(pair, proto, payload, ttl, frag=0):
    if len(pair) == 32:
        return struct.pack("!IHBB", 6 << 28, len(payload), proto, ttl) + pair \
            + payload
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 7, frag, ttl,
                     proto, 0) + pair
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
    if proto == wire.IPPROTO_SCTP:
        # A chunk of data.
        return ports + struct.pack("!IIBBHIHHI", 1, 0, 0, 3, 16 + len(data), 1,
                                   0, 0, 0) + data + bytes(-len(data) % 4)
    if proto == wire.IPPROTO_ESP:
        return struct.pack("!II", 1, 1) + data
    if proto == socket.IPPROTO_TCP:
        return ports + struct.pack("!IIHHHH", 1, 0, 5 << 12 | 2, 1000, 0, 0)
    kind, = (kind for each, kind in PING.values() if each == proto)
    return struct.pack("!BBHHH", kind, 0, 0, 1, 1) + data


def _sum(payload, proto, pair):
    """Returns 'payload' with its checksum."""
    if proto == wire.IPPROTO_SCTP:
        return payload[:8] + wire.crc32c(payload) + payload[12:]
    if proto == wire.IPPROTO_ESP:
        return payload
    offset = {socket.IPPROTO_ICMP: 2, socket.IPPROTO_ICMPV6: 2,
              socket.IPPROTO_TCP: 16}.get(proto, 6)
    pseudo = (b"" if proto == socket.IPPROTO_ICMP
              else pair + struct.pack("!HH", proto, len(payload)))
    over = wire.checksum(pseudo + payload)
    if proto == socket.IPPROTO_UDP and over == b"\0\0":
        over = b"\xff\xff"
    return payload[:offset] + over + payload[offset + 2:]
