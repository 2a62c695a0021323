# SPDX-License-Identifier: Apache-2.0

"""Makes and reads Ethernet frames, as hex digits, for vmmob.at.

    arp request|reply MAC SPA TPA [dst=MAC] [sha=MAC] [tha=MAC] [hrd=N]
    rarp MAC [dst=MAC] [sha=MAC] [op=N]
    other MAC MAC
    tcp|udp|icmp|igmp MAC MAC SRC DST [ttl=N] [data=HEX] [frag=OFFSET,MORE]
                [sport=N] [dport=N]
    udplite|dccp MAC MAC SRC DST
    unreachable MAC MAC SRC DST about=FRAME [mtu=N] [quote=BYTES]
                [type=N]
                                    Print a frame whose checksums are right;
                                    vlan=VID[,VID]... gives it VLAN tags.
    ns MAC SRC TARGET [dst=ADDR] [eth_dst=MAC] [lla=MAC|none]
    na MAC SRC TARGET [dst=ADDR] [eth_dst=MAC] [lla=MAC|none] [flags=RSO]
    rs MAC SRC [lla=MAC|none]
    ra MAC SRC [lla=MAC|none] [lifetime=S]
    redirect MAC SRC TARGET dst=ADDR [eth_dst=MAC]
    mld MAC SRC GROUP [type=N]
                                    The same of IPv6; so are those above whose
                                    addresses are.  hops=N sets the hop limit,
                                    ext=1 puts a destination options header
                                    before what follows.
    lines FILE                      Print a frame for each line of FILE, which
                                    has what is above.
    show FILE                       Tell for each line of FILE what the frame
                                    says; "ok" means that all of its checksums
                                    are right.
    pcap FILE                       Print the frames in FILE, without one at its
                                    end that is still being written.
    serve FIFO                      Do any of these for each line of FIFO, after
                                    another FIFO that what is printed goes to.
"""

import ipaddress
import os
import signal
import socket
import struct
import sys
import threading

BROADCAST = "ff:ff:ff:ff:ff:ff"
PROTOS = {"icmp": 1, "igmp": 2, "tcp": 6, "udp": 17, "dccp": 33,
          "udplite": 136}
ICMPV6 = 58
ND = {"rs": 133, "ra": 134, "ns": 135, "na": 136, "redirect": 137}


def mac(s):
    return bytes.fromhex(s.replace(":", ""))


def mac_str(b):
    return ":".join("%02x" % octet for octet in b)


def ip_str(b):
    return socket.inet_ntoa(b)


def csum(b):
    if len(b) % 2:
        b += b"\0"
    n = sum(struct.unpack("!%dH" % (len(b) // 2), b))
    while n >> 16:
        n = (n & 0xffff) + (n >> 16)
    return ~n & 0xffff


def pseudo(src, dst, proto, l4):
    if len(src) == 16:
        return src + dst + struct.pack("!II", len(l4), proto)
    return src + dst + struct.pack("!BBH", 0, proto, len(l4))


def addr(s):
    return ipaddress.ip_address(s).packed


def make_l4(proto, src, dst, data, sport, dport):
    if proto == "tcp":
        l4 = struct.pack("!HHIIBBHHH", sport, dport, 1, 1, 0x50, 0x10, 8192,
                         0, 0) + data
        at = 16
    elif proto == "udp":
        l4 = struct.pack("!HHHH", sport, dport, 8 + len(data), 0) + data
        at = 6
    elif proto == "udplite":
        l4 = struct.pack("!HHHH", 1000, 2000, 0, 0) + data
        at = 6
    elif proto == "dccp":
        l4 = struct.pack("!HHBBHBBHI", 1000, 2000, 4, 0, 0, 4, 0, 0, 1) + data
        at = 6
    elif proto == "icmp" and len(src) == 16:
        l4 = struct.pack("!BBHHH", 128, 0, 0, 1, 1) + data
        over = csum(pseudo(src, dst, ICMPV6, l4) + l4)
        return l4[:2] + struct.pack("!H", over) + l4[4:]
    elif proto == "icmp":
        l4 = struct.pack("!BBHHH", 8, 0, 0, 1, 1) + data
        at = 2
    else:
        l4 = struct.pack("!BBH4s", 0x16, 0, 0, dst) + data
        at = 2
    over = pseudo(src, dst, PROTOS[proto], l4) if at > 2 else b""
    return l4[:at] + struct.pack("!H", csum(over + l4)) + l4[at + 2:]


def make_ip(eth_src, eth_dst, src, dst, proto, l4, opts):
    offset, more = (int(x) for x in opts.get("frag", "0,0").split(","))
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(l4), 7,
                       more << 13 | offset // 8, int(opts.get("ttl", 64)),
                       proto, 0, src, dst)
    head = head[:10] + struct.pack("!H", csum(head)) + head[12:]
    return mac(eth_dst) + mac(eth_src) + b"\x08\x00" + head + l4


def make_ip6(eth_src, eth_dst, src, dst, proto, l4, opts):
    offset, more = (int(x) for x in opts.get("frag", "0,0").split(","))
    if opts.get("ext"):
        l4 = struct.pack("!BB6s", proto, 0, bytes([1, 4, 0, 0, 0, 0])) + l4
        proto = 60
    if offset or more:
        l4 = struct.pack("!BBHI", proto, 0, offset | more, 7) + l4
        proto = 44
    hops = int(opts.get("hops", opts.get("ttl", 64)))
    return (mac(eth_dst) + mac(eth_src) + b"\x86\xdd"
            + struct.pack("!IHBB", 6 << 28, len(l4), proto, hops) + src + dst
            + l4)


def make_icmp6(eth_src, eth_dst, src, dst, kind, code, body, opts):
    l4 = struct.pack("!BBH", kind, code, 0) + body
    over = csum(pseudo(src, dst, ICMPV6, l4) + l4)
    l4 = l4[:2] + struct.pack("!H", over) + l4[4:]
    return make_ip6(eth_src, eth_dst, src, dst, ICMPV6, l4, opts)


def make_nd(kind, args, opts):
    eth_src, src, *target = args
    opts.setdefault("hops", 255)
    src = addr(src)
    target = addr(target[0]) if target else b""
    groups = {"rs": addr("ff02::2"),
              "ns": addr("ff02::1:ff00:0")[:13] + target[13:]}
    dst = (addr(opts["dst"]) if "dst" in opts
           else groups.get(kind, addr("ff02::1")))
    eth_dst = opts.get("eth_dst", "33:33:" + mac_str(dst[12:]))
    body = bytes(4) + target
    if kind == "na":
        body = struct.pack("!I", int(opts.get("flags", 1)) << 29) + target
    elif kind == "ra":
        body = struct.pack("!BBHII", 64, 0,
                           int(opts.get("lifetime", 1800)), 0, 0)
    elif kind == "redirect":
        body = bytes(4) + target + addr("2001:db8::5")
    lla = opts.get("lla", eth_src if src != bytes(16) else "none")
    if lla != "none":
        body += struct.pack("!BB6s", 2 if kind in ("na", "redirect") else 1, 1,
                            mac(lla))
    return make_icmp6(eth_src, eth_dst, src, dst, ND[kind], 0, body, opts)


def make_mld(args, opts):
    eth_src, src, group = args
    kind = int(opts.get("type", 143))
    src, group = addr(src), addr(group)
    dst = {132: addr("ff02::2"), 143: addr("ff02::16")}.get(kind, group)
    body = (struct.pack("!HHBBH", 0, 1, 4, 0, 0) if kind == 143
            else bytes(4)) + group
    l4 = struct.pack("!BBH", kind, 0, 0) + body
    over = csum(pseudo(src, dst, ICMPV6, l4) + l4)
    l4 = l4[:2] + struct.pack("!H", over) + l4[4:]
    alert = struct.pack("!BB6s", ICMPV6, 0, bytes([5, 2, 0, 0, 1, 0]))
    opts.setdefault("hops", 1)
    return make_ip6(eth_src, "33:33:" + mac_str(dst[12:]), src, dst, 0,
                    alert + l4, opts)


def make(kind, args):
    opts = dict(arg.split("=", 1) for arg in args if "=" in arg)
    args = [arg for arg in args if "=" not in arg]
    frame = make_untagged(kind, args, opts)
    tags = b"".join(struct.pack("!HH", 0x8100, int(vid))
                    for vid in opts.get("vlan", "").split(",") if vid)
    return frame[:12] + tags + frame[12:]


def make_untagged(kind, args, opts):
    if kind == "arp":
        op, src, spa, tpa = args
        dst = opts.get("dst", BROADCAST)
        tha = opts.get("tha", dst if op == "reply" else "00:00:00:00:00:00")
        return (mac(dst) + mac(src) + b"\x08\x06"
                + struct.pack("!HHBBH", int(opts.get("hrd", 1)), 0x800, 6, 4,
                              {"request": 1, "reply": 2}.get(op) or int(op))
                + mac(opts.get("sha", src)) + socket.inet_aton(spa)
                + mac(tha) + socket.inet_aton(tpa))
    if kind == "rarp":
        src, = args
        sha = mac(opts.get("sha", src))
        return (mac(opts.get("dst", BROADCAST)) + mac(src) + b"\x80\x35"
                + struct.pack("!HHBBH", 1, 0x800, 6, 4,
                              int(opts.get("op", 3)))
                + sha + bytes(4) + sha + bytes(4)).ljust(60, b"\0")

    if kind == "other":
        eth_src, eth_dst = args
        return mac(eth_dst) + mac(eth_src) + b"\x12\x34" + bytes(46)

    if kind == "mld":
        return make_mld(args, opts)
    if kind in ND:
        return make_nd(kind, args, opts)

    eth_src, eth_dst, src, dst = args
    src, dst = addr(src), addr(dst)
    if len(src) == 16 and kind == "unreachable":
        quote = int(opts.get("quote", 999))
        about = bytes.fromhex(opts["about"])[14:14 + quote]
        return make_icmp6(eth_src, eth_dst, src, dst, int(opts.get("type", 1)),
                          0, struct.pack("!I", int(opts.get("mtu", 0)))
                          + about, opts)
    if kind == "unreachable":
        quote = int(opts.get("quote", 28))
        about = bytes.fromhex(opts["about"])[14:14 + quote]
        l4 = struct.pack("!BBHHH", int(opts.get("type", 3)), 4, 0, 0, int(opts.get("mtu", 1400)))
        l4 += about
        l4 = l4[:2] + struct.pack("!H", csum(l4)) + l4[4:]
        return make_ip(eth_src, eth_dst, src, dst, 1, l4, opts)

    data = bytes.fromhex(opts.get("data", "6f767321"))
    later = not opts.get("frag", "0,").startswith("0,")
    l4 = data if later else make_l4(
        kind, src, dst, data, int(opts.get("sport", 1000)),
        int(opts.get("dport", 2000)))
    if len(src) == 16:
        return make_ip6(eth_src, eth_dst, src, dst,
                        ICMPV6 if kind == "icmp" else PROTOS[kind], l4, opts)
    return make_ip(eth_src, eth_dst, src, dst, PROTOS[kind], l4, opts)


def show_ip(b):
    length, frag = struct.unpack("!2xH2xH", b[:8])
    ttl, proto = b[8], b[9]
    src, dst = b[12:16], b[16:20]
    l4 = b[20:length]
    ok = csum(b[:20]) == 0
    more, offset = frag >> 13 & 1, (frag & 0x1fff) * 8
    s = "%s > %s ttl %d" % (ip_str(src), ip_str(dst), ttl)
    if more or offset:
        s += " fragment %d,%d %s" % (offset, more, l4.hex())
    elif proto in (6, 17, 33, 136):
        ports = struct.unpack("!HH", l4[:4])
        name, = (name for name in PROTOS if PROTOS[name] == proto)
        s += " %s %d > %d" % (name, *ports)
        ok = ok and csum(pseudo(src, dst, proto, l4) + l4) == 0
    elif proto == 1:
        s += " icmp %d,%d" % (l4[0], l4[1])
        ok = ok and csum(l4) == 0
        if l4[0] in (3, 11, 12):
            inner = l4[8:28]
            ok = ok and csum(inner) == 0
            s += " about %s > %s" % (ip_str(inner[12:16]),
                                     ip_str(inner[16:20]))
            whole = l4[8:]
            if whole[9:10] in (b"\x06", b"\x11") and len(whole) == \
                    struct.unpack("!H", whole[2:4])[0]:
                ok = ok and csum(pseudo(whole[12:16], whole[16:20], whole[9],
                                        whole[20:]) + whole[20:]) == 0
                s += " whole"
    else:
        s += " proto %d" % proto
    return s + (" ok" if ok else " bad")


def show_nd(kind, l4):
    names = dict((ND[name], name) for name in ND)
    s = " " + names[kind]
    options = l4[24:]
    if kind == ND["na"]:
        s += " flags %d" % (l4[4] >> 5)
    if kind in (ND["rs"], ND["ra"]):
        options = l4[16:] if kind == ND["ra"] else l4[8:]
        if kind == ND["ra"]:
            s += " lifetime %d" % struct.unpack("!H", l4[6:8])
    else:
        s += " " + str(ipaddress.ip_address(l4[8:24]))
    while len(options) >= 8:
        what, size = options[0], options[1] * 8
        if what in (1, 2):
            s += " lla %s" % mac_str(options[2:8])
        elif what == 3:
            s += " prefix %s/%d flags %x%s" % (
                ipaddress.ip_address(options[16:32]), options[2],
                options[3] >> 6, "" if any(options[4:12]) else " gone")
        elif what == 5:
            s += " mtu %d" % struct.unpack("!I", options[4:8])
        else:
            s += " option %d" % what
        options = options[size:] if size else b""
    return s


def show_ip6(b):
    length, proto, hops = struct.unpack("!4xHBB", b[:8])
    src, dst = b[8:24], b[24:40]
    l4 = b[40:40 + length]
    ok = True
    s = "%s > %s hops %d" % (ipaddress.ip_address(src),
                             ipaddress.ip_address(dst), hops)
    while proto in (44, 60):
        if proto == 44:
            frag, = struct.unpack("!2xH4x", l4[:8])
            s += " fragment %d,%d" % (frag & ~7, frag & 1)
            if frag & ~7 or frag & 1:
                return s + " %s ok" % l4[8:].hex()
        else:
            s += " options"
        proto, l4 = l4[0], l4[8:]
    if proto in (6, 17):
        s += " %s %d > %d" % ("tcp" if proto == 6 else "udp",
                              *struct.unpack("!HH", l4[:4]))
        ok = csum(pseudo(src, dst, proto, l4) + l4) == 0
    elif proto == ICMPV6:
        ok = csum(pseudo(src, dst, proto, l4) + l4) == 0
        if l4[0] in ND.values():
            s += show_nd(l4[0], l4)
        else:
            s += " icmp %d,%d" % (l4[0], l4[1])
        if l4[0] in (1, 2, 3, 4):
            inner = l4[8:]
            s += " about %s > %s" % (ipaddress.ip_address(inner[8:24]),
                                     ipaddress.ip_address(inner[24:40]))
            if len(inner) == 40 + struct.unpack("!H", inner[4:6])[0]:
                ok = ok and csum(pseudo(inner[8:24], inner[24:40], inner[6],
                                        inner[40:]) + inner[40:]) == 0
                s += " whole"
    else:
        s += " proto %d" % proto
    return s + (" ok" if ok else " bad")


def show(line):
    b = bytes.fromhex(line)
    eth_type, = struct.unpack("!H", b[12:14])
    s = "%s > %s " % (mac_str(b[6:12]), mac_str(b[:6]))
    while eth_type == 0x8100:
        tci, eth_type = struct.unpack("!HH", b[14:18])
        b = b[:12] + b[16:]
        s += "vlan %d " % (tci & 0xfff)
    if eth_type == 0x800:
        return s + show_ip(b[14:])
    if eth_type == 0x86dd:
        return s + show_ip6(b[14:])
    if eth_type in (0x806, 0x8035) and len(b) >= 42:
        op, = struct.unpack("!H", b[20:22])
        return s + "%s %d %s %s > %s %s" % (
            "arp" if eth_type == 0x806 else "rarp", op, mac_str(b[22:28]),
            ip_str(b[28:32]), mac_str(b[32:38]), ip_str(b[38:42]))
    return s + "%04x" % eth_type


def pcap(path):
    with open(path, "rb") as f:
        data = f.read()
    at = 24
    while at + 16 <= len(data):
        size, = struct.unpack("=I", data[at + 8:at + 12])
        frame = data[at + 16:at + 16 + size]
        if len(frame) == size:
            yield frame.hex()
        at += 16 + size


def run(what, *args):
    if what == "show":
        with open(args[0]) as f:
            lines = [show(line.strip()) for line in f]
    elif what == "lines":
        with open(args[0]) as f:
            frames = [line.split() for line in f]
        lines = [make(frame[0], frame[1:]).hex() for frame in frames]
    elif what == "pcap":
        lines = pcap(args[0])
    else:
        lines = [make(what, args).hex()]
    return "".join(line + "\n" for line in lines)


def answer(fifo, *args):
    # Opened first, as somebody waits there.
    with open(fifo, "w") as f:
        f.write(run(*args))


def serve(fifo):
    # Open for writing, too, so that there is no end.
    with open(os.open(fifo, os.O_RDWR)) as requests:
        while True:
            # In case the test was killed.
            signal.alarm(600)
            line = requests.readline()
            threading.Thread(target=answer, args=line.split(),
                             daemon=True).start()


def main():
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
    sys.stdout.write(run(*sys.argv[1:]))


if __name__ == "__main__":
    main()
