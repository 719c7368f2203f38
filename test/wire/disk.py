#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
# limit: 240
"""Disks behind the qtest accelerator.

Small drivers, written from ATA/ATAPI-6, the bus master's specification and virtio 1.2, use IDE
disks and a CD by programmed transfers and by DMA, and a virtio disk by both of its interfaces;
then break the rules: PRD tables that end early, point nowhere or go on for ever, chains without
sense. Locks are tried against QEMU's own tools. What was flushed is in the image after kill -9.
No KVM, no root.

usage: disk.py [PATH-OF-VMWIRE]    prints TAP
"""
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import virtio_net as vn  # noqa: E402  its qtest client and queues
from virtio_net import NEXT, WRITE, Qtest, wait  # noqa: E402

VMWIRE = sys.argv[1] if len(sys.argv) > 1 else "build/vmwire"
ROUNDS = int(os.environ.get("ROUNDS", "20"))
BM, PRD, DATA = 0xc000, 0x80000, 0x100000
BSY, DRQ, ERR = 0x80, 0x08, 0x01
count = 0
failures = 0


def ok(name, good, note=""):
    global count, failures
    count += 1
    failures += not good
    print("%sok %d - %s" % ("" if good else "not ", count, name), flush=True)
    if not good and note != "":
        print("# " + str(note), flush=True)


def same(name, got, want):
    ok(name, got == want, "got %.300s, want %.300s" % (repr(got), repr(want)))


class Vm:
    def __init__(self, tmp, *args):
        self.path = tempfile.mktemp(dir=tmp)
        self.err = open(self.path + ".err", "w+")
        self.p = subprocess.Popen([VMWIRE, "-accel", "qtest", "-qtest", "unix:%s,server=on,wait=off" %
                                   self.path, "-net", "none", "-m", "64", "-monitor",
                                   "unix:%s.mon,server=on,wait=off" % self.path, *args],
                                  stderr=self.err, stdin=subprocess.DEVNULL)
        self.q = Qtest(self.path)

    def monitor(self, line):
        out = subprocess.run(["socat", "-t", "1", "-", "UNIX-CONNECT:%s.mon" % self.path],
                             input=line + "\n", capture_output=True, text=True, check=False).stdout
        return out.replace("\r", "").split("(vmwire) " + line + "\n")[-1].rsplit("(vmwire)", 1)[0]

    def end(self):
        self.q.close()
        self.p.wait(20)
        self.err.seek(0)
        return self.err.read()

    def kill(self):
        for child in subprocess.run(["pgrep", "-P", str(self.p.pid)], capture_output=True, text=True,
                                    check=False).stdout.split():
            os.kill(int(child), signal.SIGKILL)
        self.p.kill()
        self.p.wait()
        self.q.close()


class Ide:
    """A drive: channel 0 or 1, unit 0 or 1."""

    def __init__(self, q, channel=0, unit=0):
        self.q, self.base, self.unit = q, 0x170 if channel else 0x1f0, unit
        self.ctl, self.bm, self.irq = self.base + 0x206, BM + 8 * channel, 14 + channel
        q("irq_intercept_in", "ioapic")
        q("outl", 0xcf8, 0x80000920)
        q("outl", 0xcfc, BM)
        q("outl", 0xcf8, 0x80000904)
        q("outw", 0xcfc, 5)

    def reg(self, n, val=None):
        if val is None:
            return self.q("inb", self.base + n)
        return self.q("outb", self.base + n, val)

    def status(self):
        return self.q("inb", self.ctl)

    def ready(self):
        wait("BSY", lambda: not self.status() & BSY)
        return self.status()

    def task(self, cmd, lba=0, n=1, lba48=False, feature=0):
        self.reg(6, 0xe0 | self.unit << 4 | (0 if lba48 else lba >> 24 & 15))
        if lba48:
            for reg, val in ((1, 0), (2, n >> 8), (3, lba >> 24), (4, lba >> 32), (5, lba >> 40)):
                self.reg(reg, val & 255)
        for reg, val in ((1, feature), (2, n), (3, lba), (4, lba >> 8), (5, lba >> 16)):
            self.reg(reg, val & 255)
        self.reg(7, cmd)

    def pull(self, size):
        return b"".join(struct.pack("<I", self.q("inl", self.base)) for _ in range(size // 4))

    def push(self, data):
        for i in range(0, len(data), 4):
            self.q("outl", self.base, struct.unpack_from("<I", data, i)[0])

    def identify(self, cmd=0xec):
        self.task(cmd)
        assert self.ready() & DRQ
        return self.pull(512)

    def prd(self, entries, last=True):
        raw = b"".join(struct.pack("<II", a, n & 0xffff | (1 << 31 if last and i == len(entries) - 1 else 0))
                       for i, (a, n) in enumerate(entries))
        self.q.store(PRD, raw)

    def dma(self, cmd, lba, n, entries, to_host, last=True, start=True, **k):
        """Returns the drive's and the bus master's status."""
        self.prd(entries, last)
        self.q("outl", self.bm + 4, PRD)
        self.q("outb", self.bm, 8 if to_host else 0)
        self.q("outb", self.bm + 2, 6)
        self.task(cmd, lba, n, **k)
        return self.go(to_host)

    def go(self, to_host):
        self.q("outb", self.bm, 9 if to_host else 1)
        status = self.ready()
        bm = self.q("inb", self.bm + 2)
        self.q("outb", self.bm, 0)
        self.reg(7)
        return status, bm

    # packets

    def packet(self, cdb, limit=0xfffe, dma=0):
        self.task(0xa0, limit << 8, 0, feature=dma)
        assert self.ready() & DRQ
        self.push(bytes(cdb).ljust(12, b"\0"))

    def answer(self, cdb, limit=0xfffe):
        self.packet(cdb, limit)
        out = b""
        while True:
            status = self.ready()
            if not status & DRQ:
                return None if status & ERR else out
            n = self.reg(4) | self.reg(5) << 8
            out += self.pull((n + 3) & ~3)[:n]

    def sense(self):
        s = self.answer([3, 0, 0, 0, 18])
        return s[2], s[12], s[13]


class Legacy(vn.Legacy):
    def negotiate(self):
        self.features = self.q("inl", self.IO)
        self.q("outl", self.IO + 4, self.features & ~(1 << 28))

    def up(self):
        self.status(0)
        self.status(3)
        self.negotiate()
        self.vq = self.setup(0, vn.RINGS)
        self.status(7)

    def request(self, kind, sector, data=b"", size=0, head=0):
        at = vn.BUFS
        self.q.store(at, struct.pack("<IIQ", kind, 0, sector) + data)
        self.q.store(at + 0x80000, b"\xaa" * (size + 1))
        # Header and data in one descriptor, cut in an odd place; answer and status in another.
        cut = 5
        self.vq.set(0, at, cut, NEXT, 1)
        self.vq.set(1, at + cut, 16 + len(data) - cut, NEXT, 2)
        self.vq.set(2, at + 0x80000, size + 1, WRITE)
        self.vq.add(head)
        self.kick(0)
        self.used = wait("the disk", self.vq.take)
        got = self.q.load(at + 0x80000, size + 1)
        return got[-1], got[:-1]


class Modern(Legacy, vn.Modern):
    kick = vn.Modern.kick
    setup = vn.Modern.setup
    status = vn.Modern.status
    isr = vn.Modern.isr

    def negotiate(self):
        self.extra = (2, 4, 6, 9, 11, 12, 13, 14, 29)
        vn.Modern.negotiate(self)

    def up(self):
        self.status(0)
        self.status(3)
        self.negotiate()
        self.vq = self.setup(0, vn.RINGS)
        self.status(self.status() | 4)


def image(path, size, pattern=True):
    with open(path, "wb") as f:
        f.truncate(size)
        if pattern:
            for i in range(0, size, 1 << 20):
                f.seek(i)
                f.write(struct.pack("<Q", i) * 256)
    return path


def read(path, off, size):
    with open(path, "rb") as f:
        f.seek(off)
        return f.read(size)


def test_ata(tmp):
    path = image(tmp + "/ata.img", 16 << 20)
    vm = Vm(tmp, "-drive", "file=%s,format=raw,serial=VW-77" % path)
    q, d = vm.q, Ide(vm.q)
    ident = d.identify()
    swap = bytes(ident[i ^ 1] for i in range(512))
    same("identify: serial, model, sectors", (swap[20:40].strip(), swap[54:94].strip(),
                                              struct.unpack_from("<I", ident, 120)[0]),
         (b"VW-77", b"vmwire harddisk", 32768))
    same("identify: checksum", sum(ident) & 255, 0)
    same("the second drive is not there", (Ide(q, 0, 1).reg(6, 0xf0), d.reg(7))[1], 0)
    d.reg(6, 0xe0)
    same("a channel without drives", q("inb", 0x177), 0xff)
    d.task(0x20, 2048, 4)
    got = b""
    for i in range(4):
        assert d.ready() & DRQ
        got += d.pull(512)
    same("PIO read of 4 sectors", got, read(path, 1 << 20, 2048))
    ok("interrupt 14 was raised", 14 in q.lines)
    d.task(0xc6, 0, 8)
    d.ready()
    data = os.urandom(10 * 512)
    d.task(0x39, 100, 10, lba48=True)
    assert d.ready() & DRQ
    d.push(data[:4096])
    assert d.ready() & DRQ
    d.push(data[4096:])
    same("multiple write of 10 sectors", (d.ready(), read(path, 51200, 5120) == data), (0x50, True))
    q.store(DATA, os.urandom(65536))
    entries = [(DATA, 2), (DATA + 2, 510 + 1024), (DATA + 0x600, 0x2000), (DATA + 0x2600, 0x200)]
    whole = q.load(DATA, 0x2800)
    same("DMA write from odd pieces", d.dma(0x35, 1000, 20, entries, False, lba48=True)[0], 0x50)
    same("it is in the image", read(path, 512000, 0x2800), whole)
    q("memset", DATA, 0x2800, 0)
    same("DMA read", (d.dma(0xc8, 1000, 20, [(DATA, 0x2800)], True), q.load(DATA, 0x2800) == whole),
         ((0x50, 4), True))
    same("a table longer than the transfer stays active",
         d.dma(0xc8, 0, 1, [(DATA, 512), (DATA, 512)], True), (0x50, 5))
    same("a table shorter than the transfer: no interrupt",
         d.dma(0xc8, 0, 9, [(DATA, 512)], True), (0x50, 0))
    for name, entry in (("at the end of memory", (0x4000000 - 256, 512)), ("in no memory", (0xf0000000, 512)),
                        ("beyond 4 GiB", (0xfffffffe, 0))):
        status, bm = d.dma(0xc8, 0, 1, [entry], True)
        same("an entry %s: error" % name, (status & ERR, bm & 3), (1, 2))
    q("outl", d.bm + 4, 0xfffffff0)
    q("outb", d.bm + 2, 6)
    d.task(0xc8, 0, 1)
    status, bm = d.go(True)
    same("a table in no memory: error", (status & ERR, bm & 3), (1, 2))
    # 8192 entries of 2 bytes without an end: the walk ends by itself.
    q("memset", PRD, 65536, 0)
    q.store(PRD, struct.pack("<II", DATA, 2) * 8192)
    q("outl", d.bm + 4, PRD)
    d.task(0x25, 0, 16384, lba48=True)
    same("an endless table ends", d.go(True)[0], 0x50)
    d.task(0x20, 32768, 1)
    same("beyond the end: IDNF", (d.ready() & ERR, d.reg(1)), (1, 0x10))
    d.task(0x25, (1 << 48) - 1, 65535, lba48=True)
    same("beyond the end of 48 bits", (d.ready() & ERR, d.reg(1)), (1, 0x10))
    d.task(0xff)
    same("no such command: ABRT", (d.ready() & ERR, d.reg(1)), (1, 4))
    d.task(0x27, lba48=True)
    d.ready()
    same("native max", d.reg(3) | d.reg(4) << 8, 32767)
    d.task(0xb0, 0xc24f00, 0, feature=0xda)
    same("SMART: healthy", (d.ready(), d.reg(4), d.reg(5)), (0x50, 0x4f, 0xc2))
    d.task(0xea)
    same("flush", d.ready(), 0x50)
    d.task(0x25, 0, 64, lba48=True)
    q("outb", d.ctl, 4)
    q("outb", d.ctl, 0)
    same("a reset in the middle: signature", (d.ready(), d.reg(1), d.reg(2), d.reg(4)), (0x50, 1, 1, 0))
    same("and it works", d.dma(0xc8, 1000, 20, [(DATA, 0x2800)], True), (0x50, 4))
    ok("info block", "ide0-hd0: %s (raw)" % path in vm.monitor("info block"))
    vm.end()


def test_forged(tmp):
    path = image(tmp + "/probed.img", 1 << 20, False)
    vm = Vm(tmp, "-hda", path)
    d = Ide(vm.q)
    vm.q.store(DATA, b"QFI\xfb\0\0\0\3".ljust(512, b"\0"))
    ok("probed raw: no signature into sector 0", d.dma(0xca, 0, 1, [(DATA, 512)], False)[0] & ERR)
    vm.q.store(DATA, b"harmless".ljust(512, b"\0"))
    same("anything else is", d.dma(0xca, 0, 1, [(DATA, 512)], False)[0], 0x50)
    ok("and the warning says so", "its format was not given" in vm.end())


def test_atapi(tmp):
    one, two = image(tmp + "/one.iso", 3 << 20), image(tmp + "/two.iso", 1 << 20)
    vm = Vm(tmp, "-cdrom", one)
    q, d = vm.q, Ide(vm.q, 1)
    d.reg(6, 0xa0)
    d.task(0xec)
    same("ATAPI signature", (d.ready() & ERR, d.reg(4), d.reg(5)), (1, 0x14, 0xeb))
    same("identify packet", struct.unpack_from("<H", d.identify(0xa1))[0], 0x85c0)
    same("inquiry", d.answer([0x12, 0, 0, 0, 36])[8:23], b"VMWIRE  DVD-ROM")
    same("test unit ready", d.answer([0]), b"")
    same("capacity", struct.unpack(">II", d.answer([0x25])), (1535, 2048))
    want = read(one, 512 * 2048, 4 * 2048)
    cdb = [0x28, 0, 0, 0, 2, 0, 0, 0, 4]
    same("READ(10), PIO, blocks of 2048", d.answer(cdb, 2048), want)
    same("READ(10), PIO, blocks of 1001", d.answer(cdb, 1001), want)
    same("READ(12), PIO, one block", d.answer([0xa8, 0, 0, 0, 2, 0, 0, 0, 0, 4]), want)
    same("READ CD", d.answer([0xbe, 0, 0, 0, 2, 0, 0, 0, 4, 0x10]), want)
    d.prd([(DATA, 8192)])
    q("outl", d.bm + 4, PRD)
    q("outb", d.bm + 2, 6)
    d.packet(cdb, dma=1)
    same("READ(10), DMA", (d.go(True), q.load(DATA, 8192) == want), ((0x50, 4), True))
    d.prd([(DATA, 4)])
    d.packet([0x25], dma=1)
    status, bm = d.go(True)
    same("an answer longer than the table", (status & ERR, bm & 1), (0, 0))
    toc = d.answer([0x43, 0, 0, 0, 0, 0, 0, 0, 64, 0])
    same("TOC: lead-out", (toc[:4], struct.unpack(">I", toc[16:20])[0]), (b"\0\x12\1\1", 1536))
    ok("configuration: CD-ROM", d.answer([0x46, 0, 0, 0, 0, 0, 0, 0, 64])[6:8] == b"\0\x08")
    ok("mode sense: capabilities", d.answer([0x5a, 0, 0x2a, 0, 0, 0, 0, 0, 64])[8] == 0x2a)
    same("beyond the end", (d.answer([0x28, 0, 0, 0, 6, 0, 0, 0, 1]), d.sense()), (None, (5, 0x21, 0)))
    same("far beyond the end", (d.answer([0xa8, 0] + [255] * 8), d.sense()), (None, (5, 0x21, 0)))
    same("no such packet", (d.answer([0xff]), d.sense()), (None, (5, 0x20, 0)))
    same("lock", d.answer([0x1e, 0, 0, 0, 1]), b"")
    ok("eject is refused", "is locked by the guest" in vm.monitor("eject ide1-cd0"))
    same("the guest is asked", d.answer([0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8])[4], 1)
    same("the guest cannot, locked", (d.answer([0x1b, 0, 0, 0, 2]), d.sense()), (None, (5, 0x53, 2)))
    d.answer([0x1e])
    same("eject", vm.monitor("eject ide1-cd0"), "")
    same("no medium", (d.answer([0]), d.sense()), (None, (2, 0x3a, 0)))
    same("change", vm.monitor("change ide1-cd0 " + two), "")
    same("attention, once", (d.answer([0]), d.sense(), d.answer([0])), (None, (6, 0x28, 0), b""))
    same("the new one's capacity", struct.unpack(">II", d.answer([0x25]))[0], 511)
    same("event: new medium", d.answer([0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8])[4:6], b"\2\2")
    ok("a file that is not there", "No such file" in vm.monitor("change ide1-cd0 /nonexistent"))
    same("the old one stays", struct.unpack(">II", d.answer([0x25]))[0], 511)
    same("the guest opens the tray", (d.answer([0x1b, 0, 0, 0, 2]), d.answer([0]), d.sense()),
         (b"", None, (2, 0x3a, 0)))
    ok("info block says so", "tray open" in vm.monitor("info block"))
    vm.end()


def test_virtio(tmp, kind, extra):
    path = image(tmp + "/virtio.img", 16 << 20)
    vm = Vm(tmp, "-drive", "file=%s,format=raw,if=none,id=d,serial=VW-88,discard=unmap" % path,
            "-device", "virtio-blk-pci,drive=d" + extra)
    q, name = vm.q, kind.__name__ + ": "
    c = kind(q)
    c.up()
    data = os.urandom(3 * 512)
    same(name + "write", c.request(1, 100, data)[0], 0)
    same(name + "it is in the image", read(path, 51200, 1536), data)
    same(name + "read", c.request(0, 100, size=1536), (0, data))
    same(name + "bytes written", c.used[1], 1537)
    same(name + "flush", c.request(4, 0)[0], 0)
    same(name + "serial number", c.request(8, 0, size=20), (0, b"VW-88".ljust(20, b"\0")))
    same(name + "beyond the end", c.request(0, 32768, size=512)[0], 1)
    same(name + "sector number that wraps", c.request(0, (1 << 63) + 1, size=512)[0], 1)
    same(name + "half a sector", c.request(0, 0, size=100)[0], 1)
    same(name + "unknown request", c.request(99, 0)[0], 2)
    same(name + "write zeroes", (c.request(13, 0, struct.pack("<QII", 100, 1, 0))[0], read(path, 51200, 512)),
         (0, bytes(512)))
    same(name + "discard", (c.request(11, 0, struct.pack("<QII", 101, 2, 0))[0], read(path, 51712, 1024)),
         (0, bytes(1024)))
    same(name + "discard with a flag that is none", c.request(11, 0, struct.pack("<QII", 0, 1, 1))[0], 2)
    same(name + "discard beyond the end", c.request(11, 0, struct.pack("<QII", 32767, 2, 0))[0], 1)
    same(name + "discard that wraps", c.request(11, 0, struct.pack("<QII", (1 << 64) - 1, 1, 0))[0], 1)
    for what, chain in (("no status", ((0, vn.BUFS, 16, 0, 0),)),
                        ("half a header", ((0, vn.BUFS, 8, NEXT, 1), (1, vn.BUFS, 1, WRITE, 0))),
                        ("in no memory", ((0, 0xf0000000, 16, NEXT, 1), (1, vn.BUFS, 1, WRITE, 0))),
                        ("a loop", ((0, vn.BUFS, 16, NEXT, 1), (1, vn.BUFS, 16, NEXT, 0)))):
        for i in chain:
            c.vq.set(*i)
        c.vq.add(0)
        c.kick(0)
        wait("NEEDS_RESET", lambda: c.status() & 64)
        c.up()
        same(name + "a bad chain (%s), and a reset" % what, c.request(0, 1, size=512)[0], 0)
    vm.end()


def refused(name, text, *args):
    p = subprocess.run([VMWIRE, "-accel", "qtest", "-qtest", "unix:/nonexistent/q", "-net", "none", *args],
                       capture_output=True, text=True, timeout=30, check=False)
    ok(name, p.returncode == 1 and text in p.stderr and p.stderr.count("\n") == 1, p.stderr)


def test_locks(tmp):
    path, q2 = image(tmp + "/lock.img", 1 << 20), tmp + "/lock.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", q2, "64M"], check=True)
    vm = Vm(tmp, "-drive", "file=%s,format=raw" % path, "-drive", "file=" + q2)
    for p, fmt in ((path, "raw"), (q2, "qcow2")):
        out = subprocess.run(["qemu-system-x86_64", "-accel", "tcg", "-display", "none", "-S", "-monitor", "stdio",
                              "-drive", "file=%s,format=%s" % (p, fmt)], input="quit\n", capture_output=True,
                             text=True, check=False)
        ok("%s: QEMU finds it locked" % fmt, out.returncode and "lock" in out.stderr, out.stderr)
        out = subprocess.run(["qemu-img", "info", "-U", "-f", fmt, p], capture_output=True, text=True,
                             check=False)
        ok("%s: qemu-img -U does not mind" % fmt, out.returncode == 0, out.stderr)
        refused("%s: a second vmwire" % fmt, "is in use by another program", "-drive",
                "format=%s,file=%s" % (fmt, p))
    child = subprocess.run(["pgrep", "-P", str(vm.p.pid)], capture_output=True, text=True, check=False).stdout
    vm.p.kill()
    vm.p.wait()
    vm.q.close()
    ok("qemu-nbd goes with vmwire", child and wait("its end", lambda: not os.path.exists(
        "/proc/%s" % child.strip())))
    ok("no lock is left", subprocess.run(["qemu-img", "info", path], capture_output=True,
                                         check=False).returncode == 0)
    with subprocess.Popen(["qemu-system-x86_64", "-accel", "tcg", "-display", "none", "-S", "-monitor", "stdio",
                           "-drive", "file=%s,format=raw" % path], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as p:
        p.stdout.read(4)
        time.sleep(0.3)
        refused("QEMU has it", "is in use by another program", "-drive", "format=raw,file=" + path)
        p.communicate(b"quit\n")
    vm = Vm(tmp, "-drive", "file=%s,format=raw,if=virtio,readonly=on" % path)
    p = subprocess.run(["qemu-img", "info", "-f", "raw", path], capture_output=True, check=False)
    ok("two readers are welcome", p.returncode == 0)
    refused("a reader and a writer are not", "is in use", "-drive", "format=raw,file=" + path)
    vm.end()


def test_formats(tmp):
    raw = image(tmp + "/f.raw", 4 << 20)
    for fmt in ("qcow2", "vmdk", "vdi", "vhdx", "qed", "qcow"):
        path = tmp + "/f." + fmt
        subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", fmt, raw, path], check=True)
        vm = Vm(tmp, "-hda", path)
        d = Ide(vm.q)
        status = d.dma(0xc8, 2048, 8, [(DATA, 4096)], True)
        same(fmt + ": found out and read", (status, vm.q.load(DATA, 4096)), ((0x50, 4), read(raw, 1 << 20, 4096)))
        vm.q.store(DATA, b"\x5a" * 4096)
        d.dma(0xca, 4000, 8, [(DATA, 4096)], False)
        vm.end()
        subprocess.run(["qemu-img", "convert", "-O", "raw", path, path + ".raw"], check=True)
        same(fmt + ": what was written is in it, without a flush", read(path + ".raw", 2048000, 4096),
             b"\x5a" * 4096)
    before = read(raw, 0, 4 << 20)
    vm = Vm(tmp, "-snapshot", "-drive", "format=raw,file=" + raw)
    d = Ide(vm.q)
    vm.q.store(DATA, b"\x5a" * 4096)
    d.dma(0xca, 0, 8, [(DATA, 4096)], False)
    d.dma(0xc8, 0, 8, [(DATA + 4096, 4096)], True)
    same("snapshot: the guest sees its writes", vm.q.load(DATA + 4096, 8), b"\x5a" * 8)
    vm.end()
    ok("snapshot: the image does not", read(raw, 0, 4 << 20) == before)
    short = tmp + "/short"
    with open(short, "wb") as f:
        f.write(b"x" * 700)
    vm = Vm(tmp, "-drive", "format=raw,file=" + short)
    d = Ide(vm.q)
    same("a file that ends inside of a sector", (d.dma(0xc8, 0, 2, [(DATA, 1024)], True)[0],
                                                 vm.q.load(DATA, 1024)), (0x50, b"x" * 700 + bytes(324)))
    vm.end()


def flushed(tmp, number):
    """Writes and flushes until it is killed at some moment; then all that was flushed must be there."""
    fmt, ide = ("raw", "qcow2")[number % 2], number // 2 % 2
    path = "%s/flush%d" % (tmp, number)
    subprocess.run(["qemu-img", "create", "-q", "-f", fmt, path, "64M"], check=True)
    vm = Vm(tmp, "-drive", "format=%s,file=%s,if=%s" % (fmt, path, "ide" if ide else "virtio"))
    c = Ide(vm.q) if ide else Legacy(vm.q)
    if not ide:
        c.up()
    end = time.monotonic() + 0.05 + 0.25 * number / ROUNDS
    done = 0
    while time.monotonic() < end or not done:
        data, at = struct.pack("<Q", done + 1) * 64, 200 * done
        if ide:
            vm.q.store(DATA, data)
            if c.dma(0xca, at, 1, [(DATA, 512)], False)[0] & ERR:
                break
            c.task(0xe7)
            good = not c.ready() & ERR
        else:
            good = c.request(1, at, data)[0] == 0 and c.request(4, 0)[0] == 0
        assert good
        done += 1
    vm.kill()
    subprocess.run(["qemu-img", "convert", "-f", fmt, "-O", "raw", path, path + ".out"], check=True)
    lost = [i for i in range(done) if read(path + ".out", 200 * 512 * i, 512) != struct.pack("<Q", i + 1) * 64]
    ok("killed in round %d (%s, %s): %d flushed" % (number, fmt, "IDE" if ide else "virtio", done), not lost,
       "lost: %s" % lost)
    os.unlink(path)
    os.unlink(path + ".out")


def main():
    tmp = tempfile.mkdtemp()
    try:
        test_ata(tmp)
        test_forged(tmp)
        test_atapi(tmp)
        test_virtio(tmp, Legacy, "")
        test_virtio(tmp, Modern, ",disable-legacy=on")
        if shutil.which("qemu-img"):
            test_locks(tmp)
            test_formats(tmp)
            for i in range(ROUNDS):
                flushed(tmp, i)
    finally:
        shutil.rmtree(tmp)
    print("1..%d" % count)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
