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
ETH_P_ALL, ETH_P_IP, ETH_P_ARP = 3, 0x0800, 0x0806
# Their checksums cover the home addresses, on the network too.
IPPROTO_DCCP, IPPROTO_UDPLITE = 33, 136
SO_RCVBUFFORCE, SO_TIMESTAMPNS = 33, 35
CAPTURE_BYTES = 64 << 20
NOBODY = ipaddress.ip_address("0.0.0.0")

_libc = ctypes.CDLL(None, use_errno=True)

# 'at' is in ns as of time.time_ns(), 'outgoing' is true if the frame left by
# the device.
Frame = collections.namedtuple("Frame", "data partial at outgoing")


@contextlib.contextmanager
def inside(ns):
    """Sockets that are made within this context belong to 'ns', for good."""
    with open("/proc/self/ns/net") as home, \
            open("/var/run/netns/" + ns.name) as other:
        _setns(other)
        try:
            yield
        finally:
            _setns(home)


class Capture:
    """The frames that come in at 'device' in 'ns', or only those that are
    addressed to it, and also those that leave by it if 'outgoing' says so.
    They wait in the kernel until taken."""

    def __init__(self, ns, device, addressed=False, outgoing=False):
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
            if address[2] not in self.unwanted:
                frames.append(Frame(data, _is_partial(control), _time(control),
                                    address[2] == PACKET_OUTGOING))
        _, drops = struct.unpack(
            "II", self.socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
        return frames, drops

    def close(self):
        self.socket.close()


class Verdict:
    """Checks frames.  'allowed' says of a pair of IPv4 addresses whether it
    may be there, 'zero_udp' whether a UDP datagram may have no checksum."""

    def __init__(self, allowed, zero_udp=False):
        self.allowed = allowed
        self.zero_udp = zero_udp
        self.verified = 0       # IP packets found right.
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
        packet = frame.data[14:]
        if ethertype == ETH_P_ARP:
            pair = [ipaddress.ip_address(packet[i:i + 4]) for i in (14, 24)]
            # A probe asks in nobody's name.
            if pair[0] == NOBODY:
                pair[0] = pair[1]
            if not self.allowed(*pair):
                self.wrong.append("ARP of %s for %s" % tuple(pair))
        elif ethertype == ETH_P_IP:
            if frame.partial:
                self.partial += 1
                return
            error = self._check_ip(packet)
            if error:
                self.wrong.append(error)

    def _check_ip(self, packet):
        header_len = (packet[0] & 15) * 4
        total_len, ident, frag = struct.unpack_from("!HHH", packet, 2)
        source, destination = (ipaddress.ip_address(packet[i:i + 4])
                               for i in (12, 16))
        if len(packet) < total_len:
            return "a truncated packet"
        if not _is_right(packet[:header_len]):
            return "a wrong IP checksum"
        if not self.allowed(source, destination):
            return "%s to %s" % (source, destination)
        payload = packet[header_len:total_len]
        if not frag & 0x3fff:
            error = self._check_l4(packet, payload)
            self.verified += not error
            return error

        key = packet[9:10] + packet[12:20] + packet[4:6]
        parts = self._datagrams.setdefault(key, {})
        parts[(frag & 0x1fff) * 8] = (packet, payload, not frag & 0x2000)
        whole = b""
        for offset, (_, payload, last) in sorted(parts.items()):
            if offset != len(whole):
                return None
            whole += payload
        if not last:
            return None
        del self._datagrams[key]
        error = self._check_l4(packet, whole)
        if error:
            self.wrong += [error] * (len(parts) - 1)
        else:
            self.verified += len(parts)
        return error

    def _check_l4(self, packet, payload):
        """Returns what is wrong with 'payload', whose IP header starts
        'packet'."""
        proto = packet[9]
        pseudo = packet[12:20] + struct.pack("!HH", proto, len(payload))
        if proto == socket.IPPROTO_ICMP:
            return None if _is_right(payload) else "a wrong ICMP checksum"
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
        return (None if proto in (IPPROTO_DCCP, IPPROTO_UDPLITE)
                else "IP protocol %d" % proto)


def checksum(data):
    """Returns the checksum of 'data', in which its place is 0."""
    if len(data) % 2:
        data += b"\0"
    return struct.pack("!H", 0xffff - int.from_bytes(data, "big") % 0xffff)


def _is_right(data):
    """Returns true if the 16-bit words of 'data', with the checksum among
    them, have the ones' complement sum 0xffff."""
    if len(data) % 2:
        data += b"\0"
    return any(data) and int.from_bytes(data, "big") % 0xffff == 0


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
