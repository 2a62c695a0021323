# SPDX-License-Identifier: Apache-2.0
"""What is on a wire: captures, and a check of every packet in them."""

import collections
import contextlib
import ctypes
import errno
import ipaddress
import os
import select
import socket
import struct
import time

CLONE_NEWNET = 0x40000000
SOL_PACKET, PACKET_STATISTICS, PACKET_AUXDATA = 263, 6, 8
PACKET_OTHERHOST, PACKET_OUTGOING = 3, 4
TP_STATUS_CSUMNOTREADY = 1 << 3
ETH_P_ALL, ETH_P_IP, ETH_P_ARP, ETH_P_IPV6 = 3, 0x0800, 0x0806, 0x86dd
# The checksums of the first two cover the home addresses, on the network too
# where that is IPv4.  The others have none, or one that covers no addresses.
IPPROTO_DCCP, IPPROTO_UDPLITE, IPPROTO_SCTP, IPPROTO_ESP = 33, 136, 132, 50
# IPv6 extension headers that have a length.
EXTENSIONS = (socket.IPPROTO_HOPOPTS, socket.IPPROTO_DSTOPTS,
              socket.IPPROTO_ROUTING)
# ICMP messages that quote a packet, by family.
ICMP_ERRORS = {4: (3, 4, 5, 11, 12), 6: (1, 2, 3, 4)}
# Of the link itself: neighbor discovery, and MLD.
ND_TYPES, MLD_TYPES = (133, 134, 135, 136, 137), (130, 131, 132, 143)
ND_SOLICIT, ND_ADVERT = 135, 136
SO_RCVBUFFORCE, SO_TIMESTAMPNS = 33, 35
CAPTURE_BYTES = 64 << 20
NOBODY = ipaddress.ip_address("0.0.0.0"), ipaddress.ip_address("::")

_libc = ctypes.CDLL(None, use_errno=True)

# 'at' is in ns as of time.time_ns(), 'outgoing' is true if the frame left by
# the device.
Frame = collections.namedtuple("Frame", "data partial at outgoing")


@contextlib.contextmanager
def inside(ns):
    """Sockets that are made within this context belong to 'ns', for good."""
    with open("/proc/thread-self/ns/net") as home, \
            open("/var/run/netns/" + ns.name) as other:
        _setns(other)
        try:
            yield
        finally:
            _setns(home)


class Capture:
    """The frames that come in at 'device' in 'ns', or only those that are
    addressed to it, and also those that leave by it if 'outgoing' says so.
    They wait in the kernel until taken.

    Where openvswitch's kernel module is, all namespaces track connections, so
    IPv6 routers reassemble packets, and their fragments have another
    identification then, also in what was captured before, as it is the same
    memory.  Hence it is 0 if 'no_ident' is true."""

    def __init__(self, ns, device, addressed=False, outgoing=False,
                 no_ident=False):
        self.no_ident = no_ident
        self.unwanted = [] if outgoing else [PACKET_OUTGOING]
        if addressed:
            self.unwanted += [PACKET_OTHERHOST]
        with inside(ns):
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE,
                                   CAPTURE_BYTES)
            self.socket.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
            self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            self.socket.bind((device, ETH_P_ALL))

    def take(self):
        """Returns what came since the last time, and how many frames more
        the kernel had to leave out."""
        frames = []
        while select.select([self.socket], [], [], 0)[0]:
            try:
                data, control, _, address = self.socket.recvmsg(1 << 17, 256)
            except OSError as e:
                if e.errno == errno.ENETDOWN:   # What was seen is still here.
                    continue
                raise
            if self.no_ident:
                data = _without_ident(data)
            if address[2] not in self.unwanted:
                frames.append(Frame(data, _is_partial(control), _time(control),
                                    address[2] == PACKET_OUTGOING))
        _, drops = struct.unpack(
            "II", self.socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
        return frames, drops

    def close(self):
        self.socket.close()


class Packet:
    """An IP packet of either family, or as much of it as there is."""

    def __init__(self, data):
        """'data' begins with the IP header."""
        self.family = data[0] >> 4
        if self.family == 4:
            self.header_len = (data[0] & 15) * 4
            self.total_len, frag = struct.unpack_from("!H2xH", data, 2)
            self.offset, self.more = (frag & 0x1fff) * 8, bool(frag & 0x2000)
            self.ident = data[4:6]
            self.proto = data[9]
            self.addresses = data[12:20]
        else:
            self.header_len = 40
            self.total_len = 40 + struct.unpack_from("!H", data, 4)[0]
            self.offset, self.more = 0, False
            self.ident_at = None
            self.proto = data[6]
            self.addresses = data[8:40]
            self._skip_extensions(data)
        half = len(self.addresses) // 2
        self.source, self.destination = (
            ipaddress.ip_address(each) for each in
            (self.addresses[:half], self.addresses[half:]))
        self.data = data[:self.total_len]
        self.payload = self.data[self.header_len:]
        self.is_fragment = bool(self.offset or self.more)

    def _skip_extensions(self, data):
        while len(data) >= self.header_len + 8:
            proto, length = data[self.header_len:self.header_len + 2]
            if self.proto == socket.IPPROTO_FRAGMENT:
                frag, self.ident = struct.unpack_from("!2xH4s", data,
                                                      self.header_len)
                self.offset, self.more = frag & ~7, bool(frag & 1)
                self.ident_at = self.header_len + 4
                length = 0
            elif self.proto not in EXTENSIONS:
                break
            self.header_len += (length + 1) * 8
            self.proto = proto
            if self.offset:
                break

    @property
    def icmp_type(self):
        """Of an ICMP message, otherwise None."""
        proto = {4: socket.IPPROTO_ICMP, 6: socket.IPPROTO_ICMPV6}[self.family]
        return (self.payload[0] if self.proto == proto and self.payload
                and not self.offset else None)

    @property
    def is_error(self):
        return self.icmp_type in ICMP_ERRORS[self.family]

    @property
    def is_of_link(self):
        """Neighbor discovery or MLD?"""
        return self.family == 6 and self.icmp_type in ND_TYPES + MLD_TYPES

    def pseudo(self, payload):
        """The pseudo-header of 'payload'."""
        if self.family == 4:
            rest = struct.pack("!HH", self.proto, len(payload))
        else:
            rest = struct.pack("!II", len(payload), self.proto)
        return self.addresses + rest

    def canonical(self):
        """Returns what must be the same of the packet wherever it is seen: all
        but the addresses and the TTL or hop limit, also of what an ICMP error
        quotes; and of IPv4, but the checksums that cover these.  Those of IPv6
        never change."""
        data = bytearray(self.data)
        at = self.header_len
        if self.family == 4:
            data[8:9] = b"\0"
            data[10:20] = bytes(10)
            sum_at = {socket.IPPROTO_TCP: 16, socket.IPPROTO_UDP: 6}.get(
                self.proto, 2 if self.is_error else None)
            if sum_at is not None and not self.offset:
                sum_at += at
                data[sum_at:sum_at + 2] = bytes(len(data[sum_at:sum_at + 2]))
        else:
            data[7:40] = bytes(33)
        if self.is_error:
            data[at + 8:] = Packet(bytes(data[at + 8:])).canonical()
        return bytes(data)


def packet_of(frame):
    """Returns the Packet in 'frame', or None."""
    ethertype, = struct.unpack_from("!H", frame.data, 12)
    return (Packet(frame.data[14:]) if ethertype in (ETH_P_IP, ETH_P_IPV6)
            else None)


def family_of(frame):
    """Returns 4 for IPv4 and ARP, 6 for IPv6, otherwise None."""
    ethertype, = struct.unpack_from("!H", frame.data, 12)
    return {ETH_P_IP: 4, ETH_P_ARP: 4, ETH_P_IPV6: 6}.get(ethertype)


def difference(frames, others, lossy=False):
    """Returns what is wrong, in words, if 'frames' and 'others' do not have
    the same packets, in any order, of those that are not about the link
    itself; otherwise None.  If 'lossy' is true, some of 'frames' may be missing
    in 'others'.  For what is the same see Packet.canonical()."""
    seen, missing = (collections.Counter(
        packet.canonical() for packet in map(packet_of, each)
        if packet and not packet.is_of_link) for each in (frames, others))
    seen, missing = seen - missing, missing - seen
    if lossy:
        seen.clear()
    if not seen and not missing:
        return None
    return "%d only here%s, %d only there%s" % (
        seen.total(), "".join(" (%s)" % data.hex() for data in list(seen)[:1]),
        missing.total(),
        "".join(" (%s)" % data.hex() for data in list(missing)[:1]))


class Verdict:
    """Checks frames.  'allowed' says of a pair of addresses of one family
    whether it may be there, 'zero_udp' whether a UDP datagram may have no
    checksum."""

    def __init__(self, allowed, zero_udp=False):
        self.allowed = allowed
        self.zero_udp = zero_udp
        self.verified = 0       # IP packets found right, but for the link's.
        self.partial = 0        # Whose checksum is left to the device.
        self.wrong = []         # What is wrong, one for each packet.
        self._datagrams = {}    # Fragments by what they belong to.

    def check(self, frames):
        for frame in frames:
            self._check_frame(frame)
        for parts in self._datagrams.values():
            self.wrong += ["fragments of a datagram are missing"] * len(parts)
        self._datagrams.clear()

    def _check_frame(self, frame):
        ethertype, = struct.unpack_from("!H", frame.data, 12)
        if ethertype == ETH_P_ARP:
            self._check_pair("ARP", *(ipaddress.ip_address(
                frame.data[i:i + 4]) for i in (28, 38)))
        elif ethertype in (ETH_P_IP, ETH_P_IPV6):
            if frame.partial:
                self.partial += 1
                return
            error = self._check_ip(Packet(frame.data[14:]))
            if error:
                self.wrong.append(error)

    def _check_pair(self, what, source, target):
        # A probe asks in nobody's name.
        if source in NOBODY:
            source = target
        if not self.allowed(source, target):
            self.wrong.append("%s of %s for %s" % (what, source, target))

    def _check_ip(self, packet):
        if len(packet.data) < packet.total_len:
            return "a truncated packet"
        if packet.family == 4 and not _is_right(
                packet.data[:packet.header_len]):
            return "a wrong IP checksum"
        if packet.is_of_link:
            self._check_link(packet)
            return self._check_l4(packet, packet.payload)
        if not self.allowed(packet.source, packet.destination):
            return "%s to %s" % (packet.source, packet.destination)
        if not packet.is_fragment:
            error = self._check_l4(packet, packet.payload)
            self.verified += not error
            return error

        key = packet.proto, packet.addresses, packet.ident
        parts = self._datagrams.setdefault(key, {})
        parts[packet.offset] = packet
        whole = b""
        for offset, part in sorted(parts.items()):
            if offset != len(whole):
                return None
            whole += part.payload
        if part.more:
            return None
        del self._datagrams[key]
        error = self._check_l4(packet, whole)
        if error:
            self.wrong += [error] * (len(parts) - 1)
        else:
            self.verified += len(parts)
        return error

    def _check_link(self, packet):
        """As of ARP, the addresses count that it is about."""
        target = packet.destination
        if packet.icmp_type in (ND_SOLICIT, ND_ADVERT):
            target = ipaddress.ip_address(packet.payload[8:24])
        elif target.is_multicast:
            target = packet.source
        self._check_pair("neighbor discovery or MLD", packet.source, target)

    def _check_l4(self, packet, payload):
        """Returns what is wrong with 'payload', whose IP header starts
        'packet'."""
        proto = packet.proto
        pseudo = packet.pseudo(payload)
        if proto == socket.IPPROTO_ICMP and packet.family == 4:
            return None if _is_right(payload) else "a wrong ICMP checksum"
        if proto == socket.IPPROTO_ICMPV6 and packet.family == 6:
            return (None if _is_right(pseudo + payload)
                    else "a wrong ICMPv6 checksum")
        if proto == socket.IPPROTO_TCP:
            return (None if _is_right(pseudo + payload)
                    else "a wrong TCP checksum")
        if proto == socket.IPPROTO_UDP:
            if struct.unpack_from("!H", payload, 4)[0] != len(payload):
                return "a wrong UDP length"
            if payload[6:8] == b"\0\0":
                return None if self.zero_udp else "no UDP checksum"
            return (None if _is_right(pseudo + payload)
                    else "a wrong UDP checksum")
        if proto == IPPROTO_SCTP:
            return (None if payload[8:12] == crc32c(
                payload[:8] + bytes(4) + payload[12:])
                else "a wrong SCTP checksum")
        if proto in (IPPROTO_DCCP, IPPROTO_UDPLITE):
            return (None if packet.family == 4 or _is_right(pseudo + payload)
                    else "a wrong checksum of IP protocol %d" % proto)
        return None if proto == IPPROTO_ESP else "IP protocol %d" % proto


def checksum(data):
    """Returns the checksum of 'data', in which its place is 0."""
    if len(data) % 2:
        data += b"\0"
    return struct.pack("!H", 0xffff - int.from_bytes(data, "big") % 0xffff)


def crc32c(data):
    """Returns SCTP's checksum of 'data', in which its place is 0 (RFC 9260,
    appendix A)."""
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return struct.pack("<I", crc ^ 0xffffffff)


def _is_right(data):
    """Returns true if the 16-bit words of 'data', with the checksum among
    them, have the ones' complement sum 0xffff."""
    if len(data) % 2:
        data += b"\0"
    return any(data) and int.from_bytes(data, "big") % 0xffff == 0


def _without_ident(data):
    """Returns the frame 'data' with 0 as the identification of an IPv6
    fragment."""
    if data[12:14] == b"\x86\xdd":
        packet = Packet(data[14:])
        if packet.ident_at:
            at = 14 + packet.ident_at
            data = data[:at] + bytes(4) + data[at + 4:]
    return data


def _is_partial(control):
    for level, kind, data in control:
        if level == SOL_PACKET and kind == PACKET_AUXDATA:
            return bool(struct.unpack_from("I", data)[0]
                        & TP_STATUS_CSUMNOTREADY)
    return False


def _time(control):
    for level, kind, data in control:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
            seconds, ns = struct.unpack_from("ll", data)
            return seconds * 10**9 + ns
    return time.time_ns()


def _setns(ns):
    if _libc.setns(ns.fileno(), CLONE_NEWNET):
        error = ctypes.get_errno()
        raise OSError(error, "setns: " + os.strerror(error))
