#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# limit: 120
"""QMP over the qtest accelerator: a session with every command, errors and their classes, broken input, events, several
clients, slow ones; -S, -no-shutdown, -no-reboot; the chardevs that a monitor may talk over. No KVM, no root."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import virtio_net as vn  # noqa: E402

TOP = Path(__file__).resolve().parent.parent.parent
VMWIRE = os.environ.get("VMWIRE", str(TOP / "build" / "vmwire"))
TMP = tempfile.TemporaryDirectory()
count = bad = 0


def check(name, good, *why):
    global count, bad
    count += 1
    bad += not good
    print("%sok %d - %s" % ("" if good else "not ", count, name), flush=True)
    if not good:
        for line in why:
            print("# " + repr(line)[:2000])


def dial(where, limit=10):
    """Connects to a path or a (host, port), as soon as somebody listens there."""
    end = time.monotonic() + limit
    while True:
        s = socket.socket(socket.AF_UNIX if isinstance(where, str) else socket.AF_INET)
        try:
            s.connect(where)
            s.settimeout(limit)
            return s
        except OSError:
            s.close()
            if time.monotonic() > end:
                raise
            time.sleep(0.02)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Qmp:
    """A JSON client: answers in order, events kept aside."""

    def __init__(self, where, negotiate=True):
        self.s = dial(where)
        self.text = b""
        self.events = []
        self.greeting = self.line()
        if negotiate:
            self.ok("qmp_capabilities")

    def line(self):
        while b"\n" not in self.text:
            part = self.s.recv(65536)
            if not part:
                raise EOFError
            self.text += part
        line, _, self.text = self.text.partition(b"\n")
        return json.loads(line)

    def answer(self):
        while True:
            o = self.line()
            if "event" not in o:
                return o
            self.events.append(o)

    def raw(self, text):
        self.s.sendall(text if isinstance(text, bytes) else text.encode())
        return self.answer()

    def __call__(self, command, **args):
        o = {"execute": command}
        if args:
            o["arguments"] = {k.replace("_", "-") if k == "command_line" else k: v for k, v in args.items()}
        return self.raw(json.dumps(o) + "\r\n")

    def ok(self, command, **args):
        return self(command, **args).get("return")

    def hmp(self, line):
        return self.ok("human-monitor-command", command_line=line)

    def event(self, name, limit=10):
        """The next event of this name; others are forgotten."""
        end = time.monotonic() + limit
        while time.monotonic() < end:
            while self.events:
                e = self.events.pop(0)
                if e["event"] == name:
                    return e
            try:
                self.s.settimeout(max(end - time.monotonic(), 0.01))
                o = self.line()
            except (TimeoutError, EOFError):
                return None
            finally:
                self.s.settimeout(10)
            if "event" in o:
                self.events.append(o)
        return None


class Vm:
    def __init__(self, *options, pc=True, qmp=True, **kw):
        self.path = os.path.join(TMP.name, "qmp")
        self.qtest = os.path.join(TMP.name, "q")
        base = ["-accel", "qtest", "-qtest", "unix:%s,server=on,wait=off" % self.qtest, "-m", "64", "-display", "none"]
        extra = ["-qmp", "unix:%s,server=on,wait=off" % self.path] if qmp else []
        kw.setdefault("stdin", subprocess.DEVNULL)
        self.p = subprocess.Popen([VMWIRE, *(base if pc else ["-machine", "none"]), *extra, *options],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kw)

    def end(self, want=0):
        try:
            out, err = self.p.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            self.p.kill()
            out, err = self.p.communicate()
        check("vmwire ends with %d" % want, self.p.returncode == want and b"Sanitizer" not in err, self.p.returncode, err)
        return out, err


class Card(vn.Modern):
    """With a control queue and its receive filters."""
    extra = (vn.F_CTRL_VQ, 18, 19, 23)

    def more_queues(self):
        self.ctrl = self.setup(2, vn.RINGS + 0x20000)

    def command(self, kind, cmd, data):
        at = vn.BUFS + vn.BUF * 50
        self.q.store(at, bytes([kind, cmd]) + data + b"\xff")
        self.ctrl.set(0, at, 2 + len(data), vn.NEXT, 1)
        self.ctrl.set(1, at + 2 + len(data), 1, vn.WRITE)
        self.ctrl.add(0)
        self.kick(2)
        vn.wait("the card's answer", self.ctrl.take)
        return self.q.load(at + 2 + len(data), 1) == b"\0"


def poweroff(t, wait=True):
    """As the guest's ACPI code: PM registers at 0x600, then S5."""
    for off, val in ((0x40, 0x601), (0x80, 1)):
        t("outl", 0xcf8, 0x80000b00 | off)
        t("outl", 0xcfc, val)
    if wait:
        t("outw", 0x604, 0x2000)
    else:
        t.out.write("outw 0x604 0x2000\n")
        t.out.flush()


NET = ["-netdev", "user,id=n0", "-device", "virtio-net-pci,netdev=n0,id=c0,mac=52:54:00:01:02:03"]


def refused(name, o, cls, *words):
    e = o.get("error", {})
    check(name, e.get("class") == cls and all(w in e.get("desc", "") for w in words), o)


def negotiation():
    vm = Vm(*NET)
    q = Qmp(vm.path, negotiate=False)
    v = q.greeting.get("QMP", {}).get("version", {})
    check("the greeting has QEMU's shape", set(v) == {"qemu", "package"} and set(v["qemu"]) == {"major", "minor", "micro"} and
          q.greeting["QMP"]["capabilities"] == [], q.greeting)
    refused("no command before negotiation", q("query-status"), "CommandNotFound", "qmp_capabilities")
    refused("a capability that is not offered", q("qmp_capabilities", enable=["oob"]), "GenericError", "oob")
    check("negotiation", q.raw('{"execute": "qmp_capabilities", "arguments": {"enable": []}, "id": 7}') ==
          {"return": {}, "id": 7})
    refused("negotiation only once", q("qmp_capabilities"), "CommandNotFound", "over")
    check("an id comes back as it is", q.raw('{"execute":"query-name","id":{"a":[1,null,"x"]}}') ==
          {"return": {}, "id": {"a": [1, None, "x"]}})
    check("an id comes back with an error", q.raw('{"execute":"nonsense","id":"e"}').get("id") == "e")
    check("an id comes back when the rest is wrong", q.raw('{"exec":"x","id":3}').get("id") == 3)
    check("single quotes, as by hand", q.raw("{'execute':'query-name'}\n") == {"return": {}})
    check("a command in many pieces and lines",
          [q.s.sendall(c.encode()) or time.sleep(0.002) for c in '{ "execute"\n:\r\n"query-\\u006eame"']
          and q.raw("\n}") == {"return": {}})
    q.s.sendall(b'{"execute":"query-name","id":1}{"execute":"query-name","id":2} {"execute":"query-name","id":3}')
    check("several commands in one piece, in their order", [q.answer()["id"] for _ in range(3)] == [1, 2, 3])
    broken(q)
    q.s.close()
    q = Qmp(vm.path, negotiate=False)
    refused("the next client negotiates anew", q("query-status"), "CommandNotFound")
    q.ok("qmp_capabilities")
    check("quit is answered", q("quit") == {"return": {}})
    e = q.event("SHUTDOWN")
    check("and told", e and e["data"] == {"guest": False, "reason": "host-qmp-quit"}, e)
    check("with the time of day", e and abs(e["timestamp"]["seconds"] - time.time()) < 60 and
          0 <= e["timestamp"]["microseconds"] < 1000000, e)
    vm.end()


def broken(q):
    for name, text, words in (
            ("no JSON at all", "@\n", ["JSON parse error"]),
            ("a bare word", "hello\n", ["JSON parse error", "hello"]),
            ("a number", "42\n", ["object"]),
            ("a list", "[1,2]", ["object"]),
            ("a string", '"query-name"', ["object"]),
            ("brackets that do not match", '{"a": [}]\n', ["JSON parse error"]),
            ("a bracket too many", "}\n", ["JSON parse error", "}"]),
            ("a string over the end of its line", '{"execute": "query-\n', ["control character"]),
            ("a key twice", '{"execute":"stop","execute":"cont"}', ["JSON parse error"]),
            ("text that is no UTF-8", b'{"execute":"\xff\xfe"}', ["JSON parse error"]),
            ("a member that is not known", '{"execute":"stop","foo":1}', ["foo"]),
            ("out-of-band execution, which was not offered", '{"exec-oob":"stop"}', ["exec-oob"]),
            ("no execute", '{"id":1}', ["execute is missing"]),
            ("execute that is no string", '{"execute":1}', ["execute must be a string"]),
            ("arguments that are no object", '{"execute":"stop","arguments":[]}', ["arguments must be"]),
            ("too many brackets", "[" * 101 + "]" * 101, ["brackets"]),
            ("a million brackets", "[" * 1000000 + "]" * 1000000, ["brackets"]),
            ("too much", '{"execute":"%s"}' % ("x" * 300000), ["256 KiB"])):
        refused(name, q.raw(text), "GenericError", *words)
    # What QEMU says about the rest of a line that went wrong: it may be answered again.
    q.s.sendall(b'\n\n{"execute":"query-name","id":"sync"}\n')
    seen = [q.answer()]
    while seen[-1].get("id") != "sync":
        seen.append(q.answer())
    check("and goes on after all of it", seen[-1] == {"return": {}, "id": "sync"} and len(seen) < 5, seen)


def commands():
    vm = Vm("-name", "box", "-smp", "2", *NET)
    q = Qmp(vm.path)
    names = [c["name"] for c in q.ok("query-commands")]
    check("query-commands", len(names) == len(set(names)) and {"query-status", "netdev_add", "quit"} <= set(names), names)
    check("query-version", q.ok("query-version") == q.greeting["QMP"]["version"])
    check("query-name", q.ok("query-name") == {"name": "box"})
    check("query-uuid", q.ok("query-uuid") == {"UUID": "00000000-0000-0000-0000-000000000000"})
    check("query-kvm", q.ok("query-kvm") == {"enabled": False, "present": os.path.exists("/dev/kvm")})
    check("query-status", q.ok("query-status") == {"running": True, "singlestep": False, "status": "running"})
    cpus = q.ok("query-cpus-fast")
    check("query-cpus-fast", [c["cpu-index"] for c in cpus] == [0, 1] and
          all(os.path.exists("/proc/%d/task/%d" % (vm.p.pid, c["thread-id"])) for c in cpus), cpus)
    chardevs = q.ok("query-chardev")
    check("query-chardev", chardevs == [{"frontend-open": True, "label": "compat_monitor0",
                                        "filename": "unix:%s,server=on" % vm.path}], chardevs)
    devices = q.ok("query-pci")[0]["devices"]
    card = [d for d in devices if d["qdev_id"] == "c0"]
    check("query-pci", len(card) == 1 and card[0]["id"]["vendor"] == 0x1af4 and card[0]["slot"] == 3 and
          card[0]["class_info"] == {"class": 0x200, "desc": "Ethernet controller"} and
          [r["bar"] for r in card[0]["regions"]] in ([0, 1, 4], [0, 1, 4, 6]), devices)
    check("query-rx-filter", q.ok("query-rx-filter", name="c0")[0]["main-mac"] == "52:54:00:01:02:03")
    refused("query-rx-filter of what is not there", q("query-rx-filter", name="x"), "GenericError", "x is no card")
    check("device-list-properties", {"mac", "netdev", "mq"} <=
          {p["name"] for p in q.ok("device-list-properties", typename="virtio-net-pci")})
    check("device-list-properties by another name", q.ok("device-list-properties", typename="virtio") ==
          q.ok("device-list-properties", typename="virtio-net-pci"))
    refused("device-list-properties of no device", q("device-list-properties", typename="x"), "DeviceNotFound", "x")
    check("qom-list-types", {"e1000", "rtl8139", "virtio-net-pci"} <= {t["name"] for t in q.ok("qom-list-types")})
    check("qom-list-types of something else", q.ok("qom-list-types", implements="cpu") == [])
    running(q)
    arguments(q)
    networks(q)
    check("human-monitor-command", q.hmp("info status") == "VM status: running\r\n")
    check("human-monitor-command: an unknown one", "did you mean info?" in q.hmp("inf"))
    for absent in ("query-events", "query-qmp-schema", "query-hotpluggable-cpus", "x-query-irq", ""):
        refused("%s is not there" % (absent or "an empty command"), q(absent), "CommandNotFound")
    refused("a slip is answered with the command", q("query-statis"), "CommandNotFound", "did you mean query-status?")
    vm.p.send_signal(signal.SIGTERM)
    e = q.event("SHUTDOWN")
    check("a signal is told", e and e["data"] == {"guest": False, "reason": "host-signal"}, e)
    vm.end()


def running(q):
    check("stop", q.ok("stop") == {} and q.event("STOP"))
    check("paused", q.ok("query-status")["status"] == "paused")
    check("stop again is nothing new", q.ok("stop") == {} and not q.events)
    check("system_reset", q.ok("system_reset") == {})
    e = q.event("RESET")
    check("RESET", e and e["data"] == {"guest": False, "reason": "host-qmp-system-reset"}, e)
    check("reset while paused: prelaunch", q.ok("query-status") ==
          {"running": False, "singlestep": False, "status": "prelaunch"})
    check("cont", q.ok("cont") == {} and q.event("RESUME"))
    check("cont again is nothing new", q.ok("cont") == {} and not q.events)
    check("system_powerdown", q.ok("system_powerdown") == {} and q.event("POWERDOWN"))


def arguments(q):
    refused("an argument is missing", q("set_link", name="c0"), "GenericError", "set_link: up is missing")
    refused("an argument of the wrong type", q("set_link", name="c0", up="on"), "GenericError", "up must be a boolean")
    refused("an argument too many", q("set_link", name="c0", up=True, now=1), "GenericError", "now", "name, up")
    refused("arguments where there are none", q("stop", x=1), "GenericError", "no arguments")
    refused("set_link on what is not there", q("set_link", name="c1", up=True), "DeviceNotFound", "c1")
    check("set_link", q.ok("set_link", name="c0", up=False) == {})
    check("the link is down", {p["name"]: p["link"] for p in q.ok("query-network")["ports"]} == {"c0": False, "n0": False})
    check("set_link up", q.ok("set_link", name="c0", up=True) == {})


def networks(q):
    check("netdev_add", q.ok("netdev_add", type="user", id="n1", net="10.9.0.0/24", restrict=True,
                             hostfwd=[{"str": "tcp:127.0.0.1:0-:22"}, {"str": "udp:127.0.0.1:0-:53"}]) == {})
    port = [p for p in q.ok("query-network")["ports"] if p["name"] == "n1"][0]
    check("its options arrived", "10.9.0.0" in port["info"] and "restrict=on" in port["info"] and
          not port["connected"] and sum("127.0.0.1" in line for line in port["details"]) == 2, port)
    refused("netdev_add without id", q("netdev_add", type="user"), "GenericError", "id is missing")
    refused("netdev_add, the id taken", q("netdev_add", type="user", id="n1"), "GenericError", "used twice")
    refused("netdev_add of no kind", q("netdev_add", type="usr", id="n2"), "GenericError", "did you mean")
    refused("netdev_add of a kind to come", q("netdev_add", type="vde", id="n2"), "GenericError", "not implemented")
    refused("netdev_add with a bad option", q("netdev_add", type="user", id="n2", nett="x"), "GenericError", "nett")
    refused("netdev_add with an object", q("netdev_add", type="user", id="n2", net={"a": 1}), "GenericError", "net")
    refused("a comma smuggles no option in", q("netdev_add", type="user", id="n2", net="10.0.9.0/24,restrict=on"),
            "GenericError", "10.0.9.0/24,restrict=on")
    refused("nor does the name of one", q("netdev_add", **{"type": "user", "id": "n2", "a,b": "c"}), "GenericError")
    refused("nor the kind", q("netdev_add", type="user,id=n9", id="n2"), "GenericError")
    for args in ({"type": "help", "id": "n2"}, {"type": "user", "id": "n2", "help": True},
                 {"type": "user", "id": "n2", "net": "a,help,b"}):
        refused("help is for people", q("netdev_add", **args), "GenericError")
    check("and none of these made a network", "n2" not in [p["name"] for p in q.ok("query-network")["ports"]])
    check("device_add", q.ok("device_add", driver="e1000", id="c1", netdev="n1", mac="52:54:00:11:22:33") == {})
    card = [p for p in q.ok("query-network")["ports"] if p["name"] == "c1"][0]
    check("the card is there", card["macaddr"] == "52:54:00:11:22:33" and card["peer"] == "n1" and
          card["model"] == "e1000" and len(card["stats"]) == 1, card)
    refused("device_add of no card", q("device_add", driver="e100"), "GenericError", "did you mean")
    refused("device_add without a driver", q("device_add", id="c2"), "GenericError", "driver is missing")
    refused("device_add, its netdev in use", q("device_add", driver="e1000", netdev="n1"), "GenericError", "c1")
    refused("netdev_del of one in use", q("netdev_del", id="n1"), "GenericError", "in use by c1")
    refused("netdev_del of none", q("netdev_del", id="nx"), "DeviceNotFound", "nx")
    refused("device_del of none", q("device_del", id="cx"), "DeviceNotFound", "cx")
    refused("device_del of a netdev", q("device_del", id="n1"), "GenericError", "netdev")
    check("device_del", q.ok("device_del", id="c1") == {})
    refused("device_del again", q("device_del", id="c1"), "GenericError", "pending")
    q.ok("system_reset")
    e = q.event("DEVICE_DELETED")
    check("the reset removes it: DEVICE_DELETED", e and e["data"] ==
          {"device": "c1", "path": "/machine/peripheral/c1"}, e)
    check("netdev_del", q.ok("netdev_del", id="n1") == {})
    refused("query-rx-filter of a card that has none", q("query-rx-filter", name="n0"), "GenericError")
    times = {"initial": 10, "max": 20, "rounds": 3, "step": 5}
    check("announce-self", q.ok("announce-self", **times) == {})
    check("announce-self of one card", q.ok("announce-self", interfaces=["c0"], **times) == {})
    refused("announce-self of none", q("announce-self", interfaces=["x"], **times), "DeviceNotFound", "x")
    refused("announce-self: out of range", q("announce-self", **{**times, "rounds": 0}), "GenericError", "rounds=0")
    check("hostfwd_add by way of the other monitor", q.hmp("hostfwd_add tcp:127.0.0.1:0-:80") == "")


def filter_news():
    """NIC_RX_FILTER_CHANGED: once, until the filter was asked for."""
    vm = Vm(*NET, "-monitor", "none")
    q = Qmp(vm.path)
    card = Card(vn.Qtest(vm.qtest))
    card.up()
    check("the guest asks for all frames", card.command(0, 0, b"\1"))
    e = q.event("NIC_RX_FILTER_CHANGED")
    check("NIC_RX_FILTER_CHANGED", e and e["data"] == {"name": "c0", "path": "/machine/peripheral/c0/virtio-backend"}, e)
    card.command(0, 0, b"\0")
    check("told once", not q.event("NIC_RX_FILTER_CHANGED", 0.3))
    card.command(1, 0, bytes.fromhex("01000000" "525400aaaaaa" "01000000" "01005e000001"))
    card.command(2, 0, b"\5\0")
    f = q.ok("query-rx-filter")[0]
    check("query-rx-filter says what the driver set", not f["promiscuous"] and f["unicast-table"] == ["52:54:00:aa:aa:aa"]
          and f["multicast-table"] == ["01:00:5e:00:00:01"] and f["vlan-table"] == [5] and f["vlan"] == "normal", f)
    card.command(0, 1, b"\0")
    check("told again after the query", q.event("NIC_RX_FILTER_CHANGED"))
    check("and multicast is filtered now", q.ok("query-rx-filter")[0]["multicast"] == "normal")
    card.q.close()
    check("the qtest client's end ends vmwire", q.event("SHUTDOWN"))
    vm.end()


def power():
    """-S, -no-shutdown and the guest's own power-off and reset."""
    vm = Vm("-S", "-no-shutdown", "-net", "none")
    q = Qmp(vm.path)
    check("-S: prelaunch", q.ok("query-status") == {"running": False, "singlestep": False, "status": "prelaunch"})
    check("the other monitor says so", q.hmp("info status") == "VM status: paused (prelaunch)\r\n")
    check("cont starts it", q.ok("cont") == {} and q.event("RESUME") and q.ok("query-status")["running"])
    t = vn.Qtest(vm.qtest)
    t("outb", 0xcf9, 2)
    t("outb", 0xcf9, 6)
    e = q.event("RESET")
    check("the guest's reset", e and e["data"] == {"guest": True, "reason": "guest-reset"}, e)
    check("goes on running", q.ok("query-status")["status"] == "running")
    poweroff(t)
    e = q.event("SHUTDOWN")
    check("the guest's power-off", e and e["data"] == {"guest": True, "reason": "guest-shutdown"}, e)
    check("halts it", q.event("STOP") and q.ok("query-status")["status"] == "shutdown")
    refused("cont cannot wake it", q("cont"), "GenericError", "system_reset")
    check("system_reset does", q.ok("system_reset") == {} and q.event("RESET") and
          q.ok("query-status")["status"] == "prelaunch" and q.ok("cont") == {} and q.event("RESUME"))
    q.ok("quit")
    check("quit ends it all the same", q.event("SHUTDOWN"))
    vm.end()
    for options, status in ((["-no-reboot"], None), (["-action", "reboot=shutdown,shutdown=pause"], "shutdown")):
        vm = Vm("-net", "none", *options)
        q = Qmp(vm.path)
        t = vn.Qtest(vm.qtest)
        t("outb", 0xcf9, 2)
        t.out.write("outb 0xcf9 0x6\n")
        t.out.flush()
        e = q.event("SHUTDOWN")
        check("%s: a reset is the end" % " ".join(options), e and e["data"] ==
              {"guest": True, "reason": "guest-reset"}, e)
        if status:
            check("which keeps the guest", q.ok("query-status")["status"] == status)
            q.ok("quit")
        vm.end()
    vm = Vm("-net", "none")
    q = Qmp(vm.path)
    poweroff(vn.Qtest(vm.qtest), wait=False)
    check("without -no-shutdown power-off is the end", q.event("SHUTDOWN"))
    vm.end()


def several():
    paths = [os.path.join(TMP.name, "m%d" % i) for i in range(2)]
    port, telnet = free_port(), free_port()
    vm = Vm("-net", "none", "-qmp", "tcp:127.0.0.1:%d,server,nowait" % port,
            "-chardev", "socket,id=m0,path=%s,server=on,wait=off" % paths[0], "-mon", "chardev=m0,mode=control,pretty=on",
            "-chardev", "socket,id=m1,path=%s,server=on,wait=off" % paths[1], "-mon", "m1",
            "-monitor", "telnet:127.0.0.1:%d,server=on,wait=off" % telnet)
    a, b = Qmp(vm.path), Qmp(("127.0.0.1", port))
    c = dial(paths[0])
    text = b""
    while text.count(b"\n") < 10:
        text += c.recv(4096)
    check("-mon pretty=on is laid out in lines", json.loads(text)["QMP"]["capabilities"] == [] and text.count(b"\n") > 10, text)
    labels = {o["label"]: o["filename"] for o in a.ok("query-chardev")}
    check("query-chardev names them all", labels.keys() == {"compat_monitor0", "compat_monitor1", "m0", "m1", "compat_monitor4"}
          and labels["m0"] == "unix:%s,server=on" % paths[0] and labels["m1"].startswith("disconnected:")
          and labels["compat_monitor1"] == "tcp:127.0.0.1:%d,server=on" % port, labels)
    a.ok("stop")
    check("events go to all that negotiated", a.event("STOP") and b.event("STOP"))
    c.settimeout(0.3)
    try:
        check("and to nobody else", False, c.recv(100))
    except TimeoutError:
        check("and to nobody else", True)
    h = dial(paths[1])
    text = b""
    while not text.endswith(b"(vmwire) "):
        text += h.recv(4096)
    check("a monitor for people by -mon", b"monitor - type 'help'" in text, text)
    on_telnet(telnet)
    slow(a, vm)
    b.ok("quit")
    check("the end is told to all", b.event("SHUTDOWN") and a.event("SHUTDOWN"))
    vm.end()


def on_telnet(port):
    s = dial(("127.0.0.1", port))
    text = b""
    while not text.endswith(b"(vmwire) "):
        text += s.recv(4096)
    check("telnet: the options, then the prompt", text.startswith(bytes.fromhex("fffb01fffb03")) and b"monitor - type" in text, text)
    # A client that agrees, an option with its own data, a return with its NUL, and 255 as a byte of the line.
    s.sendall(bytes.fromhex("fffd01fffd03fffa1f00500018fff0") + b"info st\xff\xff\x7fatus\r\0")
    text = b""
    while not text.endswith(b"(vmwire) "):
        text += s.recv(4096)
    check("telnet: its own bytes are no input", b"\r\nVM status: paused\r\n" in text, text)
    check("telnet: 255 comes back twice", b"\xff\xff" in text, text)
    s.close()


def slow(q, vm):
    """A client that does not read is not read from, and gets every answer whole when it does."""
    n, line = 2500, b'{"execute":"human-monitor-command","arguments":{"command-line":"help"}}\n'

    def rss():
        return int(re.search(r"VmRSS:\s+(\d+)", Path("/proc/%d/status" % vm.p.pid).read_text()).group(1))

    before = rss()
    q.s.setblocking(False)
    sent = 0
    end = time.monotonic() + 1
    data = line * n
    while sent < len(data) and time.monotonic() < end:
        try:
            sent += q.s.send(data[sent:])
        except BlockingIOError:
            time.sleep(0.01)
    time.sleep(0.7)  # what it would do, it has done
    check("an unread client: memory stays", sent > 100000 and rss() - before < 6000, sent, before, rss())
    q.s.setblocking(True)
    q.s.settimeout(10)
    got = 0
    while got < n:
        got += len(q.answer()["return"]) > 1000
        if sent < len(data):
            sent += q.s.send(data[sent:sent + 1000])
    check("every answer arrived whole", got == n)


def on_stdio():
    p = subprocess.run([VMWIRE, "-machine", "none", "-net", "user", "-qmp", "stdio"], stdout=subprocess.PIPE,
                       input=b"{'execute':'qmp_capabilities'}\n{'execute':'query-status'}\n{'execute':'stop'}\n"
                             b"{'execute':'system_reset'}{'execute':'device_add','arguments':{'driver':'e1000'}}\n"
                             b"{'execute':'quit'}{'execute':'query-name'}\n", stderr=subprocess.PIPE, timeout=10, check=False)
    o = [json.loads(line) for line in p.stdout.decode().splitlines()]
    check("QMP on a pipe", p.returncode == 0 and len(o) == 8 and o[1] == {"return": {}} and o[2]["return"]["running"]
          and o[-1]["event"] == "SHUTDOWN", p.stdout, p.stderr)
    for i, name in ((3, "stop"), (4, "system_reset"), (5, "device_add")):
        refused("%s without a guest" % name, o[i], "GenericError", "has no guest")


def options():
    def says(name, words, *args):
        p = subprocess.run([VMWIRE, "-machine", "none", *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, timeout=10, check=False)
        err = p.stderr.decode()
        check(name, p.returncode == 1 and err.count("\n") == 1 and all(w in err for w in words), p.returncode, err)
    says("a chardev that is not there", ["chardev m is not there"], "-mon", "chardev=m")
    says("a chardev used twice", ["in use already"], "-chardev", "null,id=m", "-mon", "m", "-mon", "m")
    says("-mon without chardev", ["chardev= is missing"], "-mon", "mode=control")
    says("pretty for people", ["pretty=on is for mode=control"], "-chardev", "null,id=m", "-mon", "m,pretty=on")
    says("one terminal, two monitors", ["want the same terminal"], "-qmp", "stdio", "-monitor", "stdio")
    says("a socket without a place", ["path= is missing"], "-chardev", "socket,id=m", "-mon", "m")
    says("a TCP address without a port", ["HOST:PORT"], "-qmp", "tcp:localhost,server=on")
    says("nobody there", ["cannot connect to 127.0.0.1:1"], "-qmp", "tcp:127.0.0.1:1")
    says("a kind of chardev to come", ["spicevmc", "allowed are"], "-chardev", "spicevmc,id=m")
    says("-S without a guest", ["-S: -machine none has no guest"], "-S")
    says("mux is said by name", ["mux", "mon:stdio"], "-chardev", "stdio,id=m,mux=on", "-mon", "m")


for test in [negotiation, commands, filter_news, power, several, on_stdio, options]:
    try:
        test()
    except Exception as e:  # pylint: disable=broad-except
        check("%s runs to its end" % test.__name__, False, e)
print("1..%d" % count)
sys.exit(bad > 0)
