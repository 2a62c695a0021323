# SPDX-License-Identifier: Apache-2.0
"""The paper's design: an OpenFlow 1.3 controller that moves VMNs between IP
networks, as an application for osken-manager.  It is what vmmob is measured
against, and no more than that needs: VMNs are known by ARP, and are not
forgotten.

It does what the paper says, and nothing twice: MoAs are reserved when a VMN is
first seen, one in each network; flow-mods are packed by hand into one write
for each OFS; nothing waits for an answer of a switch.  What need not come to
the controller does not: an OFS answers ARP for its MoAs by a flow.

$VMMOB_CONTROLLER names a JSON file that lists the OFSs: "dpid", "uplink" (the
port number), "mac" (of the bridge), "gateway_mac" and "pool" (first address
and number of addresses)."""

import gc
import ipaddress
import itertools
import json
import os
import socket
import struct

from os_ken.base import app_manager
from os_ken.controller import ofp_event
from os_ken.controller.handler import CONFIG_DISPATCHER, DEAD_DISPATCHER
from os_ken.controller.handler import MAIN_DISPATCHER, set_ev_cls
from os_ken.ofproto import ofproto_v1_3, ofproto_v1_3_parser

ETH_ARP, ETH_RARP = b"\x08\x06", b"\x80\x35"
ARP_REQUEST, ARP_REPLY = 1, 2

# Flow priorities.  Table 0 is the only one.
PAIR, RESPONDER, DETECTION = 100, 60, 50

# The home gateway: all VMNs have it, no VMN is it.
HOME_GATEWAY = ipaddress.ip_address("10.100.0.1").packed
VIRTUAL_MAC = bytes.fromhex("02564d4d4f42")

OXM_IN_PORT, OXM_ETH_DST, OXM_ETH_SRC = 0, 3, 4
OXM_ETH_TYPE, OXM_IPV4_SRC, OXM_IPV4_DST = 5, 11, 12

OFPT_PACKET_OUT, OFPT_FLOW_MOD = 13, 14
ADD, DELETE, DELETE_STRICT = 0, 3, 4
ANY = 0xffffffff
NO_BUFFER, OFPP_CONTROLLER = 0xffffffff, 0xfffffffd


class Ofs:
    """One row of the OFS table."""

    def __init__(self, row):
        self.uplink = row["uplink"]
        self.mac = bytes.fromhex(row["mac"].replace(":", ""))
        self.gateway_mac = bytes.fromhex(row["gateway_mac"].replace(":", ""))
        self.pool = ipaddress.ip_address(row["pool"][0])
        self.n_pool = row["pool"][1]
        self.datapath = None
        self.out = []           # Packed messages that are to be sent.

    def flush(self):
        if self.out and self.datapath:
            self.datapath.send(b"".join(self.out))
        self.out.clear()


class Vmn:
    """One row of the VMN table.  'moas' are by Ofs; 'correspondents' are Vmns,
    whose correspondent this one is as well."""

    def __init__(self, number, mac, hoa, moas):
        self.number = number    # As cookie of the flows at its OFS.
        self.mac = mac
        self.hoa = hoa
        self.moas = moas
        self.ofs = self.port = None
        self.correspondents = []


class Controller(app_manager.OSKenApp):
    OFP_VERSIONS = [ofproto_v1_3.OFP_VERSION]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        with open(os.environ["VMMOB_CONTROLLER"]) as config:
            self.ofss = {row["dpid"]: Ofs(row) for row in json.load(config)}
        self.vmns = {}          # By MAC.
        self.by_hoa = {}
        self.numbers = itertools.count(1)
        # Collections of what is allocated once and for all take long.
        gc.collect()
        gc.freeze()
        gc.disable()

    @set_ev_cls(ofp_event.EventOFPSwitchFeatures, CONFIG_DISPATCHER)
    def on_features(self, ev):
        datapath = ev.msg.datapath
        ofs = self.ofss.get(datapath.id)
        if ofs is None:
            datapath.close()
            return
        datapath.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ofs.datapath = datapath
        self._install_static(ofs, datapath)

    @set_ev_cls(ofp_event.EventOFPStateChange, DEAD_DISPATCHER)
    def on_dead(self, ev):
        ofs = self.ofss.get(ev.datapath.id)
        if ofs and ofs.datapath is ev.datapath:
            ofs.datapath = None

    @set_ev_cls(ofp_event.EventOFPPacketIn, MAIN_DISPATCHER)
    def on_packet_in(self, ev):
        msg = ev.msg
        ofs = self.ofss[msg.datapath.id]
        self.handle_frame(ofs, msg.match["in_port"], msg.data)
        for ofs in self.ofss.values():
            ofs.flush()

    def handle_frame(self, ofs, port, frame):
        mac, kind = frame[6:12], frame[12:14]
        if port == ofs.uplink or len(frame) < 42:
            return
        vmn = self.vmns.get(mac)
        if kind == ETH_RARP:
            # Which brings no address: a VMN that is not known stays so.
            if vmn:
                self.attach(vmn, ofs, port)
            return
        if kind != ETH_ARP:
            return
        op, = struct.unpack_from("!H", frame, 20)
        hoa, target = frame[28:32], frame[38:42]
        if hoa == bytes(4):
            return
        if vmn is None:
            vmn = self.add_vmn(mac, hoa)
            if vmn is None:
                return
        self.attach(vmn, ofs, port)
        if op == ARP_REQUEST and target != vmn.hoa:
            self.answer(vmn, target)

    def add_vmn(self, mac, hoa):
        number = next(self.numbers)
        if hoa in self.by_hoa or any(number >= ofs.n_pool
                                     for ofs in self.ofss.values()):
            self.logger.error("no room for another VMN, or its address is "
                              "another's")
            return None
        vmn = Vmn(number, mac, hoa,
                  {ofs: (ofs.pool + number).packed
                   for ofs in self.ofss.values()})
        self.vmns[mac] = vmn
        self.by_hoa[hoa] = vmn
        return vmn

    def attach(self, vmn, ofs, port):
        """'vmn' is now at 'port' of 'ofs'."""
        if vmn.ofs is ofs and vmn.port == port:
            return
        old, vmn.ofs, vmn.port = vmn.ofs, ofs, port
        if not vmn.correspondents:
            return
        # The new flows first.  Where they replace others no packet is lost.
        for cn in vmn.correspondents:
            self.install_pair(vmn, cn)
        if old is not ofs:
            old.out.append(delete_by_cookie(vmn.number))
            for cn in vmn.correspondents:
                if cn.ofs is not old:
                    cn.ofs.out.append(delete_incoming(cn, vmn, old))

    def answer(self, vmn, target):
        """Answers the ARP request of 'vmn' for 'target'."""
        if target == HOME_GATEWAY:
            mac = VIRTUAL_MAC
        else:
            cn = self.by_hoa.get(target)
            if cn is None:
                return
            if cn not in vmn.correspondents:
                vmn.correspondents.append(cn)
                cn.correspondents.append(vmn)
                self.install_pair(vmn, cn)
            mac = cn.mac
        vmn.ofs.out.append(packet_out(
            vmn.port, vmn.mac + mac + ETH_ARP
            + struct.pack("!HHBBH", 1, 0x800, 6, 4, ARP_REPLY)
            + mac + target + vmn.mac + vmn.hoa + bytes(18)))

    @staticmethod
    def install_pair(vmn, cn):
        """Writes the flows for packets between them at both OFSs."""
        for a, b in (vmn, cn), (cn, vmn):
            if a.ofs is b.ofs:
                a.ofs.out.append(flow_mod(
                    ADD, a.number, match_ip(a.hoa, b.hoa), output(b.port)))
            else:
                a.ofs.out.append(outgoing(a, b))
                a.ofs.out.append(incoming(a, b))

    @staticmethod
    def _install_static(ofs, datapath):
        """The flows that do not depend on VMNs."""
        p = ofproto_v1_3_parser
        datapath.send_msg(p.OFPFlowMod(
            datapath, command=ofproto_v1_3.OFPFC_DELETE,
            out_port=ofproto_v1_3.OFPP_ANY, out_group=ofproto_v1_3.OFPG_ANY))

        def add(priority, match, actions):
            datapath.send_msg(p.OFPFlowMod(
                datapath, priority=priority, match=p.OFPMatch(**match),
                instructions=[p.OFPInstructionActions(
                    ofproto_v1_3.OFPIT_APPLY_ACTIONS, actions)]))

        mac = ":".join("%02x" % byte for byte in ofs.mac)
        prefix = ipaddress.ip_network("%s/%d" % (
            ofs.pool, 32 - (ofs.n_pool - 1).bit_length()))
        add(RESPONDER, {"in_port": ofs.uplink, "eth_type": 0x806, "arp_op": 1,
                        "arp_tpa": (str(prefix.network_address),
                                    str(prefix.netmask))},
            [p.NXActionRegMove("eth_src", "eth_dst", 48),
             p.OFPActionSetField(eth_src=mac),
             p.OFPActionSetField(arp_op=2),
             p.NXActionRegMove("arp_sha", "arp_tha", 48),
             p.OFPActionSetField(arp_sha=mac),
             p.NXActionRegMove("arp_tpa", "reg0", 32),
             p.NXActionRegMove("arp_spa", "arp_tpa", 32),
             p.NXActionRegMove("reg0", "arp_spa", 32),
             p.OFPActionOutput(ofproto_v1_3.OFPP_IN_PORT)])
        to_controller = [p.OFPActionOutput(ofproto_v1_3.OFPP_CONTROLLER,
                                           ofproto_v1_3.OFPCML_NO_BUFFER)]
        for eth_type in 0x806, 0x8035:
            add(DETECTION, {"eth_type": eth_type}, to_controller)
            add(DETECTION + 1, {"in_port": ofs.uplink, "eth_type": eth_type},
                [])


# The flows of a pair.

def outgoing(a, b):
    """At the OFS of 'a', from it to 'b', who is elsewhere."""
    return flow_mod(
        ADD, a.number, match_ip(a.hoa, b.hoa),
        set_field(OXM_ETH_SRC, a.ofs.mac)
        + set_field(OXM_ETH_DST, a.ofs.gateway_mac)
        + set_field(OXM_IPV4_SRC, a.moas[a.ofs])
        + set_field(OXM_IPV4_DST, b.moas[b.ofs]) + output(a.ofs.uplink))


def incoming(a, b):
    """Likewise, from 'b' to 'a'."""
    return flow_mod(
        ADD, a.number, match_ip(b.moas[b.ofs], a.moas[a.ofs]),
        set_field(OXM_ETH_SRC, b.mac) + set_field(OXM_ETH_DST, a.mac)
        + set_field(OXM_IPV4_SRC, b.hoa) + set_field(OXM_IPV4_DST, a.hoa)
        + output(a.port))


def delete_incoming(a, b, old):
    """Likewise, that of the time when 'b' was at 'old'."""
    return flow_mod(DELETE_STRICT, 0,
                    match_ip(b.moas[old], a.moas[a.ofs]), b"")


def delete_by_cookie(cookie):
    return flow_mod(DELETE, cookie, match(b""), b"", cookie_mask=2 ** 64 - 1)


# OpenFlow messages, packed.

def oxm(field, value):
    return struct.pack("!HBB", 0x8000, field << 1, len(value)) + value


def pad8(data):
    return data + bytes(-len(data) % 8)


def match(oxms):
    return pad8(struct.pack("!HH", 1, 4 + len(oxms)) + oxms)


def match_ip(src, dst):
    return match(oxm(OXM_ETH_TYPE, b"\x08\0") + oxm(OXM_IPV4_SRC, src)
                 + oxm(OXM_IPV4_DST, dst))


def set_field(field, value):
    data = pad8(bytes(4) + oxm(field, value))
    return struct.pack("!HH", 25, len(data)) + data[4:]


def output(port):
    return struct.pack("!HHIH6x", 0, 16, port, 0xffff)


def flow_mod(command, cookie, match_, actions, cookie_mask=0):
    instructions = struct.pack("!HH4x", 4, 8 + len(actions)) + actions
    body = struct.pack("!QQBBHHHIIIHxx", cookie, cookie_mask, 0, command, 0,
                       0, PAIR, NO_BUFFER, ANY, ANY, 0)
    return message(OFPT_FLOW_MOD, body + match_
                   + (instructions if actions else b""))


def packet_out(port, frame):
    actions = output(port)
    return message(OFPT_PACKET_OUT, struct.pack(
        "!IIH6x", NO_BUFFER, OFPP_CONTROLLER, len(actions)) + actions + frame)


def message(kind, body):
    return struct.pack("!BBHI", 4, kind, 8 + len(body), 0) + body
