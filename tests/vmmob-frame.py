# SPDX-License-Identifier: Apache-2.0

"""Makes and reads Ethernet frames, as hex digits, for vmmob.at.

    arp request|reply MAC SPA TPA [dst=MAC] [sha=MAC] [tha=MAC] [hrd=N]
    rarp MAC [dst=MAC] [sha=MAC] [op=N]
    other MAC MAC
    tcp|udp|icmp|igmp MAC MAC SRC DST [ttl=N] [data=HEX] [frag=OFFSET,MORE]
    udplite|dccp MAC MAC SRC DST
    unreachable MAC MAC SRC DST about=FRAME [mtu=N] [quote=BYTES]
                [type=N]
                                    Print a frame whose checksums are right;
                                    vlan=VID[,VID]... gives it VLAN tags.
    show                            Tell for each line of standard input what
                                    the frame says; "ok" means that all of its
                                    checksums are right.
"""

import socket
import struct
import sys

BROADCAST = "ff:ff:ff:ff:ff:ff"
PROTOS = {"icmp": 1, "igmp": 2, "tcp": 6, "udp": 17, "dccp": 33,
          "udplite": 136}


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
    return src + dst + struct.pack("!BBH", 0, proto, len(l4))


def make_l4(proto, src, dst, data):
    if proto == "tcp":
        l4 = struct.pack("!HHIIBBHHH", 1000, 2000, 1, 1, 0x50, 0x10, 8192,
                         0, 0) + data
        at = 16
    elif proto == "udp":
        l4 = struct.pack("!HHHH", 1000, 2000, 8 + len(data), 0) + data
        at = 6
    elif proto == "udplite":
        l4 = struct.pack("!HHHH", 1000, 2000, 0, 0) + data
        at = 6
    elif proto == "dccp":
        l4 = struct.pack("!HHBBHBBHI", 1000, 2000, 4, 0, 0, 4, 0, 0, 1) + data
        at = 6
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

    eth_src, eth_dst, src, dst = args
    src, dst = socket.inet_aton(src), socket.inet_aton(dst)
    if kind == "unreachable":
        quote = int(opts.get("quote", 28))
        about = bytes.fromhex(opts["about"])[14:14 + quote]
        l4 = struct.pack("!BBHHH", int(opts.get("type", 3)), 4, 0, 0, int(opts.get("mtu", 1400)))
        l4 += about
        l4 = l4[:2] + struct.pack("!H", csum(l4)) + l4[4:]
        return make_ip(eth_src, eth_dst, src, dst, 1, l4, opts)

    data = bytes.fromhex(opts.get("data", "6f767321"))
    later = not opts.get("frag", "0,").startswith("0,")
    l4 = data if later else make_l4(kind, src, dst, data)
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
    if eth_type in (0x806, 0x8035) and len(b) >= 42:
        op, = struct.unpack("!H", b[20:22])
        return s + "%s %d %s %s > %s %s" % (
            "arp" if eth_type == 0x806 else "rarp", op, mac_str(b[22:28]),
            ip_str(b[28:32]), mac_str(b[32:38]), ip_str(b[38:42]))
    return s + "%04x" % eth_type


def main():
    if sys.argv[1] == "show":
        for line in sys.stdin:
            print(show(line.strip()))
    else:
        print(make(sys.argv[1], sys.argv[2:]).hex())


if __name__ == "__main__":
    main()
