#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# limit: 240
"""Cards and networks that come and go: the monitor's commands, and the ACPI side of it (the event, the ports, config
space, eject) as an operating system uses it, over the qtest accelerator, with frames under way. No KVM, no root."""

import os
import re
import socket
import struct
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
PROMPT = b"(vmwire) "
UP, DOWN, EJECT, SLOTS = 0xae00, 0xae04, 0xae08, 0xae0c
GPE_STS, GPE_EN = 0x60c, 0x60e
count = bad = 0


def check(name, good, *why):
    global count, bad
    count += 1
    bad += not good
    print("%sok %d - %s" % ("" if good else "not ", count, name), flush=True)
    if not good:
        for line in why:
            print("# " + repr(line))


class Vm:
    def __init__(self, *options, pc=True):
        self.path = os.path.join(TMP.name, "mon")
        qpath = os.path.join(TMP.name, "q")
        qtest = ["-accel", "qtest", "-qtest", "unix:%s,server=on,wait=off" % qpath, "-m", "64", "-display", "none"]
        self.p = subprocess.Popen([VMWIRE, *(qtest if pc else ["-machine", "none"]), *options,
                                   "-monitor", "unix:%s,server=on,wait=off" % self.path],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.q = vn.Qtest(qpath) if pc else None
        end = time.monotonic() + 20
        while True:
            self.s = socket.socket(socket.AF_UNIX)
            try:
                self.s.connect(self.path)
                break
            except OSError:
                self.s.close()
                if time.monotonic() > end or self.p.poll() is not None:
                    raise
                time.sleep(0.02)
        self.s.settimeout(20)
        self.read()

    def read(self):
        text = b""
        while not text.endswith(PROMPT):
            part = self.s.recv(65536)
            if not part:
                break
            text += part
        return text.decode()

    def cmd(self, line):
        self.s.sendall(line.encode() + b"\n")
        return self.read().replace("\r\n", "\n").partition("\n")[2].removesuffix(PROMPT.decode())

    def says(self, name, line, *parts):
        """The answer has all parts and is a line (or, without parts, nothing)."""
        text = self.cmd(line)
        check(name, all(p in text for p in parts) and text.count("\n") == (1 if parts else 0), line, text)

    def gone(self, card, seconds=20):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if not re.search(r"(^|: )%s: " % card, self.cmd("info network"), re.M):
                return True
            time.sleep(0.005)
        return False

    def config(self, slot, off, fn=0):
        self.q("outl", 0xcf8, 0x80000000 | slot << 11 | fn << 8 | off)
        return self.q("inl", 0xcfc)

    def acpi_on(self):
        """What firmware does: ACPI registers at 0x600, ACPI mode; then the event is enabled."""
        for off, val in ((0x40, 0x601), (0x80, 1)):
            self.q("outl", 0xcf8, 0x80000b00 | off)
            self.q("outl", 0xcfc, val)
        self.q("outb", 0xb2, 0xf1)
        self.q("outw", GPE_EN, 2)

    def end(self):
        self.s.sendall(b"quit\n")
        try:
            _, err = self.p.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            self.p.kill()
            _, err = self.p.communicate()
        self.s.close()
        if self.q:
            self.q.close()
        check("vmwire ends well", self.p.returncode == 0 and b"Sanitizer" not in err, self.p.returncode, err)


class Second(vn.Modern):
    """A card in a slot behind the first one's, with addresses and memory of its own."""
    IO, MSIX, MEM = 0xd000, 0xe1000000, 0xe1010000

    def config(self, off, size):
        return super().config(off, size) if self.slot > 3 else 0xffff


class First(vn.Modern):
    pass


def use(card):
    """The driver's constants, for the card that is to be driven."""
    vn.RINGS, vn.BUFS = (0x1000000, 0x2000000) if isinstance(card, Second) else (0x100000, 0x200000)
    vn.MAC = bytes.fromhex("525400010204" if isinstance(card, Second) else "525400010203")
    return card


def alive(vm, card, slot, seq):
    use(card)
    vn.ping(card, vn.resolve(card), seq)
    return vm.config(slot, 0) == 0x10001af4


def flood(card, n=60):
    """n frames that are all answered, nothing waited for."""
    use(card)
    arp = vn.ether(b"\xff" * 6, 0x0806, struct.pack(
        ">HHBBH6s4s6s4s", 1, 0x0800, 6, 4, 1, vn.MAC, vn.GUEST, bytes(6), vn.GATEWAY))
    card.q.store(vn.BUFS + vn.BUF * 40, bytes(card.hdr) + arp)
    for i in range(n):
        card.tx.set(2 * i, vn.BUFS + vn.BUF * 40, card.hdr + len(arp))
        card.tx.add(2 * i)
    card.kick(1)


FIRST = ["-netdev", "user,id=n0", "-device", "virtio-net-pci,netdev=n0,id=first,mac=52:54:00:01:02:03,vectors=3"]
ADD = "device_add virtio-net-pci,netdev=n1,id=second,mac=52:54:00:01:02:04,vectors=3"


def errors():
    vm = Vm(*FIRST, "-netdev", "user,id=n1", "-net", "user,name=vlan0")
    text = vm.cmd("device_add help")
    check("device_add help lists the cards", "virtio-net-pci" in text and "guest driver" in text, text)
    check("device_add CARD,help shows its options", "netdev=name" in vm.cmd("device_add virtio-net-pci,help"))
    check("netdev_add help lists the kinds", "tap " in vm.cmd("netdev_add help"))
    vm.says("an unknown card", "device_add virtio-net-pcy,netdev=n1", "device_add virtio-net-pcy is not known",
            "did you mean virtio-net-pci")
    vm.says("an unknown option", "device_add virtio-net-pci,netdv=n1", "device_add virtio-net-pci", "netdv", "netdev")
    vm.says("an id in use", "device_add virtio-net-pci,netdev=n1,id=first", "the name first is used twice")
    vm.says("a slot in use", "device_add virtio-net-pci,netdev=n1,id=x,addr=3",
            "slot 3", "is taken by virtio-net-pci first", "free: 4-31")
    vm.says("a function", "device_add virtio-net-pci,netdev=n1,id=x,addr=5.1", "addr=5.1", "as a whole")
    vm.says("the chipset's slot", "device_add virtio-net-pci,netdev=n1,id=x,addr=1", "slot 1", "is taken by")
    vm.says("a netdev that is not there", "device_add virtio-net-pci,netdev=n2", "netdev=n2 is not there")
    vm.says("a netdev in use", "device_add virtio-net-pci,netdev=n0", "netdev=n0 is joined to first already")
    vm.says("a MAC address in use", "device_add virtio-net-pci,netdev=n1,mac=52:54:00:01:02:03,id=x",
            "address of two cards (first and x)")
    vm.says("removal of what is not there", "device_del frist", "there is no card frist", "did you mean first?")
    vm.says("removal of a netdev as a card", "device_del n1", "n1 is a netdev")
    vm.says("removal of a card as a netdev", "netdev_del first", "first is a card")
    vm.says("removal of a netdev in use", "netdev_del n0", "n0 is in use by first: device_del first first")
    vm.says("removal of a -net", "netdev_del vlan0", "vlan0 is of -net user")
    vm.says("a netdev without id", "netdev_add user", "id= is missing")
    vm.says("an unknown kind of netdev", "netdev_add usr,id=x", "netdev_add usr is not known", "did you mean")
    vm.says("a netdev's id in use", "netdev_add user,id=n1", "the name n1 is used twice")
    vm.says("a netdev that cannot be", "netdev_add user,id=x,host=1.2.3.4,net=10.0.0.0/24", "host=1.2.3.4")
    vm.says("re-plug of no card", "netdev_replug n0 n1", "n0 is a netdev")
    vm.says("re-plug to no netdev", "netdev_replug first n9", "there is no netdev n9")
    vm.says("re-plug to a netdev in use", "netdev_replug first n0", "n0 is in use by first")
    text = vm.cmd("info network")
    check("nothing is left of what failed", sorted(re.findall(r"(\w+): index", text)) ==
          ["first", "n0", "n1", "vlan0"], text)
    for i in range(28):
        vm.says("slot %d is filled" % (i + 4), "device_add virtio-net-pci,id=c%d" % i)
    vm.says("no slot is left", "device_add virtio-net-pci", "no free PCI slot")
    text = vm.cmd("info pci")
    check("info pci shows them", len(re.findall(r"virtio-net-pci, id ", text)) == 29, text)
    vm.end()
    vm = Vm(pc=False)
    vm.says("no guest, no card", "device_add virtio-net-pci", "-machine none has no guest")
    vm.says("no guest, no card to remove", "device_del x", "there is no card x")
    vm.end()


def one_card():
    vm = Vm(*FIRST, "-netdev", "user,id=n1")
    q = vm.q
    vm.acpi_on()
    q("irq_intercept_in", "ioapic")
    check("slots 2 to 31 are for hot-plug", q("inl", SLOTS) == 0xfffffffc)
    check("nothing is new", q("inl", UP) == 0 and q("inl", DOWN) == 0 and not q("inw", GPE_STS) & 2)
    first = use(First(q))
    first.up()
    vm.says("device_add", ADD)
    check("the SCI is raised", q("inw", GPE_STS) & 2 and q.lines.get(9), q.lines)
    q("outw", GPE_STS, 2)
    check("the event stands until its cause is read", q("inw", GPE_STS) & 2)
    check("slot 4 is new, told once", [q("inl", UP), q("inl", UP)] == [1 << 4, 0])
    q("outw", GPE_STS, 2)
    check("then it can be cleared", not q("inw", GPE_STS) & 2 and not q.lines[9], q.lines)
    check("the card has no addresses yet", vm.config(4, 0) == 0x10001af4 and vm.config(4, 0x20) & ~15 == 0)
    second = use(Second(q))
    check("it is found where it should be", second.slot == 4 and second.mac() == vn.MAC, second.slot)
    second.up()
    vn.get_lease(second)
    check("it works", alive(vm, second, 4, 1))
    text = vm.cmd("info network")
    check("info network shows it", re.search(r"^second: index=0,type=nic,.*02:04.*\n.*\n \\ n1: index", text, re.M), text)
    check("device_del", vm.cmd("device_del second") == "")
    check("the guest is asked, once", [q("inl", DOWN), q("inl", DOWN)] == [1 << 4, 0] and q.lines[9])
    vm.says("again: pending", "device_del second", "the removal of second is pending")
    check("it works until it is ejected", alive(vm, second, 4, 2))
    q("clock_step", 6 * 10**9)
    check("after a while the guest may be asked again",
          vm.cmd("device_del second") == "" and q("inl", DOWN) == 1 << 4)
    vm.says("its netdev is in use", "netdev_del n1", "n1 is in use by second")
    for slots in (3, 1 << 9):
        q("outl", EJECT, slots)
    check("ejecting other slots does nothing", vm.config(0, 0) == 0x12378086 and alive(vm, second, 4, 3))
    q("outl", EJECT, 1 << 4)
    check("ejected: out of sight at once", vm.config(4, 0) == 0xffffffff and
          q("readl", second.common + 20) == 0xffffffff)
    check("and gone", vm.gone("second"))
    text = vm.cmd("info network")
    check("its netdev stays", re.search(r"^n1: index", text, re.M), text)
    vm.says("a second removal", "device_del second", "there is no card second")
    check("the other card works", alive(vm, first, 3, 4))
    vm.says("netdev_del", "netdev_del n1")
    vm.says("netdev_add", "netdev_add user,id=n1,net=10.0.2.0/24")
    vm.says("the same again", ADD)
    check("a pulled card: eject without having been asked", q("inl", UP) == 1 << 4)
    q("outb", EJECT, 1 << 4)
    check("it goes, too", vm.gone("second") and not q("inw", GPE_STS) & 4)
    vm.says("a card that the guest has not looked at", ADD)
    vm.cmd("device_del second")
    vm.cmd("system_reset")
    check("is gone after a reset", vm.gone("second") and vm.config(4, 0) == 0xffffffff)
    vm.acpi_on()
    check("and nothing is pending", q("inl", UP) == 0 and q("inl", DOWN) == 0 and not q("inw", GPE_STS) & 2)
    vm.says("a card plugged in before a reset", ADD)
    vm.cmd("system_reset")
    check("stays", vm.config(4, 0) == 0x10001af4)
    vm.end()


def under_load():
    vm = Vm(*FIRST, "-netdev", "user,id=n1", "-netdev", "hubport,id=h1,hubid=1,netdev=n1",
            "-netdev", "hubport,id=h2,hubid=1", "-netdev", "hubport,id=h3,hubid=1")
    q = vm.q
    first = use(First(q))
    first.up()
    where, fds = ["n2", "h2"], 0
    vm.cmd("netdev_add user,id=n2")
    for i in range(30):
        vm.cmd(ADD.replace("netdev=n1", "netdev=" + where[i % 2]))
        second = use(Second(q))
        second.up()
        flood(second)
        if i % 3 == 0:
            vm.cmd("device_del second")
        if i % 4 == 1:
            vm.cmd("netdev_replug second " + ("h3" if i % 8 == 1 else "n0"))  # n0 is in use: an error
        flood(first, 20)
        q("outl", EJECT, 1 << 4)
        if not vm.gone("second"):
            break
        if i % 6 == 5:
            vm.cmd("netdev_del n2")
            vm.cmd("netdev_add user,id=n2")
        use(first).up()
        if i == 3:
            fds = len(os.listdir("/proc/%d/fd" % vm.p.pid))
            threads = len(os.listdir("/proc/%d/task" % vm.p.pid))
    check("thirty cards come and go with frames under way", i == 29, i)
    check("no descriptor is left behind", len(os.listdir("/proc/%d/fd" % vm.p.pid)) == fds, fds)
    check("nor a thread", len(os.listdir("/proc/%d/task" % vm.p.pid)) == threads, threads)
    check("the other card works", alive(vm, first, 3, 9))
    vm.end()


def replug():
    vm = Vm(*FIRST, "-netdev", "user,id=n1", "-netdev", "user,id=n2", "-netdev", "hubport,id=h1,hubid=1,netdev=n2",
            "-netdev", "hubport,id=h2,hubid=1", "-netdev", "hubport,id=h3,hubid=2")
    first = use(First(vm.q))
    first.up()
    check("before", alive(vm, first, 3, 1))
    for i, (to, what) in enumerate([("n1", "a netdev"), ("h2", "a hub"), ("n0", "a netdev from a hub"),
                                    ("h2", "the hub again"), ("h3", "an empty hub"), ("n1", "and back")]):
        flood(first, 20)
        vm.says("netdev_replug to " + what, "netdev_replug first " + to)
        if to != "h3":
            first.up()
            check("the card works there", alive(vm, first, 3, 10 + i))
    text = vm.cmd("info network")
    check("info network has it right", re.search(r"^first: .*\n.*\n \\ n1: ", text, re.M) and
          re.search(r"^n0: index", text, re.M) and "hub 1\n \\ h1: n2:" in text and "h2" not in text, text)
    vm.says("a netdev that was left may go", "netdev_del n0")
    vm.says("a hub port that plugs a netdev in may go", "netdev_del h1")
    vm.says("a hub port may come with a netdev", "netdev_add hubport,id=h4,hubid=1,netdev=n2")
    check("and is shown", "hub 1\n \\ h4: n2:" in vm.cmd("info network"))
    vm.says("which is in use then", "netdev_del n2", "n2 is in use by h4: netdev_del h4 first")
    vm.says("and may go again", "netdev_del h4")
    vm.says("then its netdev", "netdev_del n2")
    vm.says("announce_self", "announce_self")
    vm.end()


def set_config(vm, slot, off, val):
    vm.q("outl", 0xcf8, 0x80000000 | slot << 11 | off)
    vm.q("outl", 0xcfc, val)


def roms():
    """romfile=: of a card that was there from the start, and of cards that come."""
    path = os.path.join(TMP.name, "card.rom")
    image = bytearray(os.urandom(3000))
    image[:2] = b"\x55\xaa"
    struct.pack_into("<H4sHH", image, 0x18, 0x1a, b"PCIR", 0x8086, 0x100e)
    Path(path).write_bytes(image)
    vm = Vm("-netdev", "user,id=n0", "-device", "e1000,netdev=n0,id=first,romfile=" + path)
    vm.acpi_on()
    for slot, device, size in ((4, "e1000,id=hot,", 0x1000), (3, None, 0x1000)):
        if device:
            vm.says("device_add with a ROM", "device_add %sromfile=%s" % (device, path))
        set_config(vm, slot, 0x30, 0xffffffff)
        check("slot %d: size and enable bit" % slot, vm.config(slot, 0x30) == 0xffffffff & ~(size - 1) | 1,
              hex(vm.config(slot, 0x30)))
        set_config(vm, slot, 0x30, 0xe2000001)
        set_config(vm, slot, 4, 2)
        check("slot %d: the guest reads the file" % slot, vm.q.load(0xe2000000, len(image)) == image)
        vm.q("writel", 0xe2000000, 0x12345678)
        check("slot %d: it cannot write" % slot, vm.q.load(0xe2000000, 4) == image[:4])
        set_config(vm, slot, 0x30, 0xe2000000)
        check("slot %d: off" % slot, vm.q.load(0xe2000000, 4) == b"\xff" * 4)
    check("info pci has it", "ROM: memory, not mapped" in vm.cmd("info pci"))
    for n, what in enumerate(("rombar=0,romfile=" + path, "romfile=", "rombar=0,romfile=/nowhere/x")):
        vm.says("no ROM: " + what.replace(TMP.name, ""), "device_add rtl8139,%s" % what)
        set_config(vm, 5 + n, 0x30, 0xffffffff)
        check("and none is there", vm.config(5 + n, 0) == 0x813910ec and vm.config(5 + n, 0x30) == 0)
    vm.says("a file that is not there", "device_add virtio-net-pci,romfile=/nowhere/x", "romfile=/nowhere/x", "No such")
    vm.says("a folder", "device_add virtio-net-pci,romfile=" + TMP.name, "it is no file")
    check("nothing is left of it", vm.config(8, 0) == 0xffffffff)
    vm.end()


def announcements():
    """A card that moves tells the new wire, if its guest cannot: RARP requests, seen by a card that is there."""
    macs = ["52:54:00:01:02:%02x" % i for i in (16, 17, 18)]
    cards = ["e1000", "rtl8139", "virtio-net-pci"]
    options = ["-netdev", "hubport,id=h0,hubid=1", "-device", "virtio-net-pci,netdev=h0,id=ear,vectors=3"]
    for i, (card, mac) in enumerate(zip(cards, macs)):
        options += ["-netdev", "user,id=n%d" % i, "-netdev", "hubport,id=to%d,hubid=1" % i,
                    "-device", "%s,netdev=n%d,id=c%d,mac=%s" % (card, i, i, mac)]
    vm = Vm(*options)
    ear = First(vm.q)
    ear.up()

    def heard():
        """Source addresses of the requests in 2 s, with time for the loop to see each tenth of them."""
        for _ in range(20):
            vm.q("clock_step", 10**8)
            time.sleep(0.01)
        got, end = [], time.monotonic() + 0.3
        while time.monotonic() < end:
            used = ear.rx.take()
            if not used:
                time.sleep(0.01)
                continue
            f = vm.q.load(vn.BUFS + vn.BUF * used[0], used[1])[ear.hdr:]
            ear.rx.add(used[0])
            ear.kick(0)
            if f[:6] == b"\xff" * 6 and f[12:22] == bytes.fromhex("80350001080006040003") and f[6:12] == f[22:28]:
                got.append(f[6:12].hex(":"))
        return got

    check("nobody speaks by himself", not heard())
    for i, card in enumerate(cards):
        vm.says("%s moves" % card, "netdev_replug c%d to%d" % (i, i))
        got = heard()
        check("%s tells the new wire five times" % card, got == [macs[i]] * 5, got)
    vm.says("announce_self", "announce_self")
    got = heard()
    check("and again when all are asked", sorted(got) == sorted(macs * 5), got)
    vm.says("announce_self", "announce_self")
    vm.says("a card goes while it speaks", "netdev_replug c0 n0")
    check("the others go on", len(heard()) >= 10)
    vm.end()


def tcp_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def answers(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def forwards():
    vm = Vm("-netdev", "user,id=n0", "-device", "virtio-net-pci,netdev=n0", "-netdev", "user,id=n1")
    port, other = tcp_port(), tcp_port()
    vm.says("hostfwd_add", "hostfwd_add tcp:127.0.0.1:%d-:80" % port)
    check("the port is open", answers(port))
    vm.says("the port is taken", "hostfwd_add n1 tcp:127.0.0.1:%d-:80" % port, "port %d is in use" % port)
    vm.says("hostfwd_add with a name", "hostfwd_add n1 tcp:127.0.0.1:%d-:80" % other)
    vm.says("it is the other network's", "hostfwd_remove tcp:127.0.0.1:%d" % other, "there is no such rule")
    vm.says("hostfwd_remove with a name", "hostfwd_remove n1 tcp:127.0.0.1:%d" % other)
    vm.says("hostfwd_remove", "hostfwd_remove tcp:127.0.0.1:%d" % port)
    check("the port is closed", not answers(port))
    vm.says("a wrong rule", "hostfwd_add tcp:80", "allowed is tcp|udp:")
    vm.says("a wrong name", "hostfwd_add nx tcp::80-:80", "nx is no user-mode network")
    vm.end()


for test in [errors, one_card, under_load, replug, roms, announcements, forwards]:
    try:
        test()
    except Exception as e:  # pylint: disable=broad-except
        check("%s runs to its end" % test.__name__, False, type(e).__name__, e)
print("1..%d" % count)
sys.exit(bad > 0)
