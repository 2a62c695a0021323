# SPDX-License-Identifier: Apache-2.0

"""The switch's side of lib/vmmob-msg.h, for tests of ovs-vmmobd.

Listens on the Unix domain socket given.  Keeps what the agent tells, and says
what it is told to say:

    known           What the agent told, one line for each row.
    foreign         Which OFSs it told are another hypervisor's.
    author JSON     Author just these rows, an object as in an "update", and
                    tell the agent so, with "begin" and "end", but not before
                    it has told what it knows.  Before that, the agent is not
                    answered.
    update JSON     Send an "update", and author what it says.
    update @FILE    Likewise.
    raw STRING      Send STRING as it is.
    stats JSON      Answer so when the agent asks for figures.  Before that,
                    it gets no answer, as from an older switch.
    networks JSON   Need to know the networks with these ids, an array, and say
                    so now and whenever the agent connects.  Before that, as
                    an older switch, nothing is said.
    have            What networks the agent says that it told all of.
    pause, resume   Stop and start to read from the agent.
    count           How many connections, "end"s and "update"s there were.
"""

import argparse
import json

import ovs.daemon
import ovs.jsonrpc
import ovs.poller
import ovs.stream
import ovs.unixctl
import ovs.unixctl.server
import ovs.util
import ovs.vlog

vlog = ovs.vlog.Vlog("vmmob-switch")


class Rows(object):
    """The rows of one side, by what names them."""

    def __init__(self):
        self.ofss = {}
        self.vmns = {}
        self.ports = {}
        self.have = None            # Networks; None if not said.

    @staticmethod
    def vmn_name(vmn):
        return vmn["tenant"], vmn["mac"], vmn["ofs"]

    @staticmethod
    def vmn_text(vmn):
        network = "%d/" % vmn["tenant"] if vmn["tenant"] else ""
        return network + vmn["mac"]

    def apply(self, update):
        self.have = update.get("have_networks", self.have)
        for ofs_id in update.get("del_ofss", []):
            self.ofss.pop(ofs_id, None)
        for vmn in update.get("del_vmns", []):
            self.vmns.pop(self.vmn_name(vmn), None)
        for name in update.get("del_ports", []):
            self.ports.pop(name, None)
        for ofs in update.get("ofss", []):
            self.ofss[ofs["id"]] = ofs
        for vmn in update.get("vmns", []):
            self.vmns[self.vmn_name(vmn)] = vmn
        for port in update.get("ports", []):
            self.ports[port["name"]] = port

    def as_update(self):
        return {"ofss": list(self.ofss.values()),
                "vmns": list(self.vmns.values())}

    def lines(self):
        lines = ["ofs %s %s%s" % (ofs["id"], ofs["site"] or "-",
                                  " stale" if ofs["stale"] else "")
                 for ofs in self.ofss.values()]
        lines += [" ".join(["vmn", self.vmn_text(vmn), vmn["ofs"],
                            str(vmn["seqno"]), vmn["state"]]
                           + ["%s=%s" % (hoa, moa)
                              for hoa, moa in vmn["pairs"]])
                  for vmn in self.vmns.values()]
        lines += [" ".join(["port", port["name"], port["iface_id"] or "-",
                            port["attached_mac"]]
                           + (["any"] if port["any"] else port["macs"]))
                  for port in self.ports.values()]
        return "".join(line + "\n" for line in sorted(lines))


class Switch(object):
    def __init__(self, path):
        error, self.pstream = ovs.stream.PassiveStream.open("punix:" + path)
        if error:
            ovs.util.ovs_fatal(error, "%s: could not listen" % path, vlog)
        self.rpc = None
        self.known = Rows()         # What the agent told.
        self.coming = None          # Likewise, between "begin" and "end".
        self.authored = None        # None if not told yet.
        self.told = False           # The agent has told what it knows.
        self.paused = False
        self.stats = None
        self.networks = None
        self.n_connections = self.n_ends = self.n_updates = 0

    def run(self):
        error, stream = self.pstream.accept()
        if not error:
            if self.rpc:
                self.rpc.close()
            self.rpc = ovs.jsonrpc.Connection(stream)
            self.coming = None
            self.n_connections += 1
            self.told = False
            self.send_networks()
        if self.rpc:
            self.rpc.run()
            while self.rpc and not self.paused:
                error, msg = self.rpc.recv()
                if not msg:
                    break
                self.receive(msg)
            if self.rpc and self.rpc.get_status():
                self.rpc.close()
                self.rpc = None

    def wait(self, poller):
        self.pstream.wait(poller)
        if self.rpc:
            self.rpc.wait(poller)
            if not self.paused:
                self.rpc.recv_wait(poller)

    def receive(self, msg):
        if msg.method == "begin":
            self.coming = Rows()
        elif msg.method == "update":
            self.n_updates += 1
            (self.known if self.coming is None else self.coming).apply(
                msg.params[0])
            if msg.params[0].get("want_stats") and self.stats is not None:
                self.send("update", [{"stats": self.stats}])
        elif msg.method == "end":
            self.n_ends += 1
            self.known = self.coming
            self.coming = None
            self.told = True
            self.send_all()

    def send(self, method, params):
        if self.rpc:
            self.rpc.send(ovs.jsonrpc.Message.create_notify(method, params))

    def send_networks(self):
        if self.networks is not None:
            self.send("update", [{"want_networks": self.networks}])

    def send_all(self):
        if self.authored and self.told:
            self.send("begin", [])
            self.send("update", [self.authored.as_update()])
            self.send("end", [])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--unixctl")
    parser.add_argument("socket")
    ovs.daemon.add_args(parser)
    ovs.vlog.add_args(parser)
    args = parser.parse_args()
    ovs.daemon.handle_args(args)
    ovs.vlog.handle_args(args)

    ovs.daemon.daemonize_start()
    error, server = ovs.unixctl.server.UnixctlServer.create(args.unixctl)
    if error:
        ovs.util.ovs_fatal(error, "could not create unixctl server", vlog)
    switch = Switch(args.socket)
    exiting = []

    def command(name, usage, n_args, function):
        def callback(conn, argv, unused_aux):
            conn.reply(function(*argv))
        ovs.unixctl.command_register(name, usage, n_args, n_args, callback,
                                     None)

    def author(rows):
        switch.authored = Rows()
        switch.authored.apply(json.loads(rows))
        switch.send_all()

    def update(rows):
        if rows.startswith("@"):
            with open(rows[1:]) as f:
                rows = f.read()
        rows = json.loads(rows)
        switch.authored.apply(rows)
        switch.send("update", [rows])

    def raw(string):
        if switch.rpc:
            switch.rpc.stream.send(string.encode())

    def stats(answer):
        switch.stats = json.loads(answer)

    def networks(ids):
        switch.networks = json.loads(ids)
        switch.send_networks()

    def have():
        ids = switch.known.have
        return ("all" if ids is None else " ".join(map(str, ids))) + "\n"

    def pause(paused):
        switch.paused = paused

    command("exit", "", 0, lambda: exiting.append(True))
    command("known", "", 0, lambda: switch.known.lines())
    command("foreign", "", 0, lambda: "".join(
        ofs["id"] + "\n" for ofs in switch.known.ofss.values()
        if ofs.get("foreign")))
    command("author", "JSON", 1, author)
    command("update", "JSON", 1, update)
    command("raw", "STRING", 1, raw)
    command("stats", "JSON", 1, stats)
    command("networks", "JSON", 1, networks)
    command("have", "", 0, have)
    command("pause", "", 0, lambda: pause(True))
    command("resume", "", 0, lambda: pause(False))
    command("count", "", 0, lambda: "%d connections, %d ends, %d updates\n"
            % (switch.n_connections, switch.n_ends, switch.n_updates))
    ovs.daemon.daemonize_complete()

    while not exiting:
        server.run()
        switch.run()
        poller = ovs.poller.Poller()
        server.wait(poller)
        switch.wait(poller)
        poller.block()
    server.run()
    server.close()


if __name__ == "__main__":
    main()
