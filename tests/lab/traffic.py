# SPDX-License-Identifier: Apache-2.0
"""Traffic between all of a set of VMs, all the time: every one pings every
other, and holds a TCP connection to it on which numbered messages are
echoed, by each IP family.  And a watch on all packets."""

import collections
import errno
import ipaddress
import selectors
import socket
import struct
import threading
import time

import packet
import switch
import topology
import wire

PORT = 5002
PING_INTERVAL = 0.1     # Seconds.
ECHO_INTERVAL = 0.1
MAX_OUTSTANDING = 20    # Messages.
MESSAGE = struct.Struct("!Q120x")

SOL_RAW, ICMP_FILTER, ICMP6_FILTER = 255, 1, 1
AF = {4: socket.AF_INET, 6: socket.AF_INET6}
ECHO_REPLY = {4: 0, 6: 129}
_PING = struct.Struct("!HHd")


class Traffic(threading.Thread):
    """The traffic of 'vms', which have 'ns', 'addresses' and 'name', from
    start() to finish().

    pings: when each last had an answer, by (from, to, family), in
    time.monotonic().
    echoes: likewise, when a message last came back.
    problems: what must not happen, such as a connection that broke.
    n_sent, n_answered, n_echoed: pings and messages, by family."""

    def __init__(self, vms):
        super().__init__(daemon=True)
        self.pings = {}
        self.echoes = {}
        self.problems = []
        self.n_sent = collections.Counter()
        self.n_answered = collections.Counter()
        self.n_echoed = collections.Counter()
        self._vms = vms
        self._selector = selectors.DefaultSelector()
        self._icmp = {}
        self._streams = []
        self._sockets = []
        self._stopping = False
        self._seq = 0
        for vm in vms:
            for address in vm.addresses:
                self._open_ping(vm, topology.family_of(address))
                self._open_server(vm, address)

    def connect(self):
        """Opens the TCP connections, which all must succeed."""
        for i, a in enumerate(self._vms):
            for b in self._vms[i + 1:]:
                for address in b.addresses:
                    family = topology.family_of(address)
                    with wire.inside(a.ns):
                        sock = socket.socket(AF[family], socket.SOCK_STREAM)
                    sock.settimeout(20)
                    sock.connect((address, PORT))
                    stream = _Stream(self, sock, (a.name, b.name, family))
                    self._streams.append(stream)
                    self._register(sock, stream.receive)

    def silent_since(self, what, t):
        """Returns those of 'what' (pings or echoes) that had no answer to
        something sent after 't', in time.monotonic()."""
        return sorted(pair for pair, at in dict(what).items() if at < t)

    def run(self):
        next_ping = next_echo = time.monotonic()
        while not self._stopping:
            now = time.monotonic()
            if now >= next_ping:
                next_ping = max(next_ping + PING_INTERVAL, now)
                self._ping_all(now)
            if now >= next_echo:
                next_echo = max(next_echo + ECHO_INTERVAL, now)
                for stream in self._streams:
                    stream.send()
            timeout = max(0, min(next_ping, next_echo) - time.monotonic())
            for key, _ in self._selector.select(timeout):
                key.data()

    def finish(self):
        self._stopping = True
        if self.is_alive():
            self.join()
        for sock in self._sockets:
            sock.close()
        self._selector.close()

    def _register(self, sock, function):
        sock.setblocking(False)
        if sock.type == socket.SOCK_STREAM:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sockets.append(sock)
        self._selector.register(sock, selectors.EVENT_READ, function)

    def _open_ping(self, vm, family):
        with wire.inside(vm.ns):
            sock = socket.socket(AF[family], socket.SOCK_RAW,
                                 packet.PING[family][0])
        # All but one type are kept back.
        level, option, n = {
            4: (SOL_RAW, ICMP_FILTER, 1),
            6: (socket.IPPROTO_ICMPV6, ICMP6_FILTER, 8)}[family]
        blocked = [0xffffffff] * n
        blocked[ECHO_REPLY[family] // 32] &= ~(1 << ECHO_REPLY[family] % 32)
        sock.setsockopt(level, option, struct.pack("%dI" % n, *blocked))
        self._icmp[vm, family] = sock
        names = {address: other.name for other in self._vms
                 for address in other.addresses}
        for other in self._vms:
            if other is not vm:
                self.pings[vm.name, other.name, family] = 0
        self._register(sock, lambda: self._receive_ping(sock, vm, family,
                                                        names))

    def _ping_all(self, now):
        self._seq = (self._seq + 1) & 0xffff
        rest = _PING.pack(4711, self._seq, now)
        for (vm, family), sock in self._icmp.items():
            request = struct.pack("!BBH", packet.PING[family][1], 0, 0) + rest
            # Of ICMPv6, the socket makes the checksum.
            request = request[:2] + wire.checksum(request) + request[4:]
            for other in self._vms:
                for address in other.addresses:
                    if other is vm or topology.family_of(address) != family:
                        continue
                    try:
                        sock.sendto(request, (address, 0))
                        self.n_sent[family] += 1
                    except OSError:
                        # As its neighbour was not resolved.
                        pass

    def _receive_ping(self, sock, vm, family, names):
        while True:
            try:
                data, (address, *_) = sock.recvfrom(2048)
            except OSError:
                return
            # Of IPv6, it is without the header.
            icmp = packet.payload(data) if family == 4 else data
            if address not in names or len(icmp) < 4 + _PING.size:
                self.problems.append("%s has a ping answered by %s"
                                     % (vm.name, address))
                continue
            _, _, sent = _PING.unpack_from(icmp, 4)
            key = vm.name, names[address], family
            self.pings[key] = max(self.pings[key], sent)
            self.n_answered[family] += 1

    def _open_server(self, vm, address):
        with wire.inside(vm.ns):
            sock = socket.socket(AF[topology.family_of(address)],
                                 socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address, PORT))
        sock.listen(len(self._vms))
        self._register(sock, lambda: self._accept(sock))

    def _accept(self, listener):
        try:
            sock, _ = listener.accept()
        except OSError:
            return
        self._register(sock, lambda: self._echo(sock))

    def _echo(self, sock):
        try:
            data = sock.recv(1 << 16)
            if data:
                # What is outstanding always fits into the buffer.
                sock.sendall(data)
                return
            self.problems.append("a connection was closed")
        except OSError as e:
            if e.errno == errno.EAGAIN:
                return
            self.problems.append("a server's connection broke: %s"
                                 % e.strerror)
        self._selector.unregister(sock)


class _Stream:
    """One TCP connection, seen from its client: (from, to, family)."""

    def __init__(self, traffic, sock, key):
        self.traffic = traffic
        self.sock = sock
        self.key = key
        self.sent = []          # When each message was sent that is out.
        self.n_sent = self.n_received = 0
        self.received = b""
        self.broken = False
        traffic.echoes[key] = 0

    def send(self):
        if self.broken or len(self.sent) >= MAX_OUTSTANDING:
            return
        try:
            self.sock.sendall(MESSAGE.pack(self.n_sent))
        except OSError as e:
            self._break(e.strerror)
            return
        self.n_sent += 1
        self.sent.append(time.monotonic())

    def receive(self):
        try:
            data = self.sock.recv(1 << 16)
        except OSError as e:
            if e.errno != errno.EAGAIN:
                self._break(e.strerror)
            return
        if not data:
            self._break("closed by the other side")
            return
        self.received += data
        while len(self.received) >= MESSAGE.size:
            message = self.received[:MESSAGE.size]
            self.received = self.received[MESSAGE.size:]
            if message != MESSAGE.pack(self.n_received) or not self.sent:
                self._break("message %d came back changed" % self.n_received)
                return
            self.n_received += 1
            self.traffic.n_echoed[self.key[2]] += 1
            self.traffic.echoes[self.key] = self.sent.pop(0)

    def _break(self, why):
        if not self.broken:
            self.broken = True
            self.traffic.problems.append(
                "connection of %s to %s by IPv%d: %s" % (*self.key, why))
            self.traffic._selector.unregister(self.sock)


class Watch(threading.Thread):
    """Checks every packet, all the time: those that hypervisors put on the
    network, and those that VMs are sent."""

    def __init__(self, lab, vms):
        super().__init__(daemon=True)
        pools, others = [], set()
        for site in lab.sites:
            for family in lab.families:
                pools.append(site.pool_of(family))
                others.add(site.network_of(family)[1])
                if lab.netem:
                    others.add(ipaddress.ip_address(site.core_of(family)))
            # The router and the bridge, to each other.
            others.update(map(topology.link_local,
                              (site.router_mac, site.uplink_mac)))
            if lab.on_bridge:
                others.add(site.network[2])
        self._captures = []
        self._verdicts = []
        self._stopping = threading.Event()
        self.lost = 0
        self._add([wire.Capture(lab.routers[hv.name],
                                "%s-%s" % (hv.name, switch.UPLINK))
                   for hv in lab.hypervisors.values()],
                  lambda address: (address in others
                                   or any(address in p for p in pools)))
        self._add([wire.Capture(vm.ns, "eth0", True) for vm in vms],
                  # What is broadcast in the network comes as well.
                  lambda address: not any(address in p for p in pools))
        lab.on_close(self.finish)

    def _add(self, captures, is_allowed):
        known = {}              # Asking once for each pair is enough.

        def allowed(*pair):
            if pair not in known:
                known[pair] = all(map(is_allowed, pair))
            return known[pair]

        self._captures.append(captures)
        self._verdicts.append(wire.Verdict(allowed))

    @property
    def verified(self):
        return sum(verdict.verified for verdict in self._verdicts)

    @property
    def wrong(self):
        return [text for verdict in self._verdicts for text in verdict.wrong]

    def run(self):
        while not self._stopping.wait(0.2):
            self._take()

    def finish(self):
        if not self._stopping.is_set():
            self._stopping.set()
            if self.is_alive():
                self.join()
            self._take()
            for captures in self._captures:
                for capture in captures:
                    capture.close()

    def _take(self):
        for captures, verdict in zip(self._captures, self._verdicts):
            for capture in captures:
                frames, drops = capture.take()
                self.lost += drops
                verdict.check(frames)
