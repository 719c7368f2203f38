#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A virtio-net card behind the qtest accelerator, on the user-mode network.

A small driver, written from virtio 1.2, brings the card up by the legacy and by the modern
interface, the latter with split and with packed rings, with INTx and with MSI-X, gets an address
by DHCP, resolves and pings the gateway, sends a UDP frame that is cut into datagrams (USO), and
then breaks the rules: the card must ask for a reset and work again after it. Cards with two queue
pairs are on an echoing network of two queues. No KVM, no root.

usage: virtio_net.py [PATH-OF-VMWIRE]    prints TAP
"""
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time

VMWIRE = sys.argv[1] if len(sys.argv) > 1 else "build/vmwire"
MAC = bytes.fromhex("525400010203")
TIMEOUT = 20.0
RINGS, BUFS, BUF = 0x100000, 0x200000, 0x1000
F_CSUM, F_MAC, F_MRG, F_STATUS, F_CTRL_VQ = 0, 5, 15, 16, 17
F_MQ, F_HASH, F_RSS = 22, 57, 60
F_INDIRECT, F_EVENT, F_VERSION_1, F_PACKED, F_HOST_USO = 28, 29, 32, 34, 56
NEXT, WRITE, INDIRECT = 1, 2, 4
NEEDS_RESET = 64


class Qtest:
    """QEMU's qtest text protocol."""

    def __init__(self, path):
        end = time.monotonic() + TIMEOUT
        self.sock = socket.socket(socket.AF_UNIX)
        while True:
            try:
                self.sock.connect(path)
                break
            except (FileNotFoundError, ConnectionRefusedError):
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)
        # One file for each direction: a text file for both forgets what it has read ahead
        # (an interrupt behind an answer) when it is written to.
        self.file, self.out = self.sock.makefile("r"), self.sock.makefile("w")
        self.lines = {}  # interrupt lines by number

    def __call__(self, *words):
        text = " ".join(w if isinstance(w, str) else hex(w) for w in words)
        self.out.write(text + "\n")
        self.out.flush()
        while True:
            answer = self.file.readline().split()
            if not answer:
                raise RuntimeError("vmwire went away at: " + text)
            if answer[0] == "IRQ":
                self.lines[int(answer[2])] = answer[1] == "raise"
                continue
            if answer[0] != "OK":
                raise RuntimeError(text + ": " + " ".join(answer))
            return int(answer[1], 16) if len(answer) > 1 and answer[1][:2] == "0x" else 0

    def store(self, addr, data):
        self("write", addr, len(data), "0x" + data.hex())

    def load(self, addr, size):
        return self("read", addr, size).to_bytes(size, "big")

    def close(self):
        self.file.close()
        self.out.close()
        self.sock.close()


class Queue:
    """A split virtqueue in guest memory, legacy layout (2.7.2)."""

    def __init__(self, q, addr, size):
        self.q, self.size, self.desc = q, size, addr
        self.avail = addr + 16 * size
        self.used = (self.avail + 6 + 2 * size + 4095) & ~4095
        self.added = self.seen = 0
        q("memset", addr, self.used - addr + 6 + 8 * size, 0)

    def set(self, i, addr, length, flags=0, nxt=0):
        self.q.store(self.desc + 16 * i, struct.pack("<QIHH", addr, length, flags, nxt))

    def add(self, head):
        self.q("writew", self.avail + 4 + 2 * (self.added % self.size), head)
        self.added += 1
        self.q("writew", self.avail + 2, self.added & 0xffff)

    def take(self):
        """The next used element (head, length), or None."""
        if self.q("readw", self.used + 2) == self.seen & 0xffff:
            return None
        at = self.used + 4 + 8 * (self.seen % self.size)
        self.seen += 1
        return self.q("readl", at), self.q("readl", at + 4)


class PackedQueue:
    """A packed virtqueue (2.8). Descriptors are kept here; a chain goes to the ring when it is added."""

    def __init__(self, q, addr, size):
        # Any size will do, so it is none that the split layout could have.
        self.q, self.size, self.desc = q, size - 3, addr
        self.avail = addr + 16 * size
        self.used = self.avail + 4
        self.at = self.seen = 0  # lap * size + place
        self.table, self.count = {}, {}
        q("memset", addr, 16 * size + 8, 0)

    def set(self, i, addr, length, flags=0, nxt=0):
        self.table[i] = addr, length, flags, nxt

    def wrap(self, at):
        return at // self.size % 2 == 0

    def add(self, head):
        first, i, chain = self.at, head, []
        while len(chain) < self.size:
            addr, length, flags, nxt = self.table[i]
            bits = 0x80 if self.wrap(self.at) else 0x8000
            chain.append((self.at, struct.pack("<QIHH", addr, length, head, flags | bits)))
            self.at += 1
            if not flags & NEXT:
                break
            i = nxt
        for at, desc in reversed(chain):  # the first one last
            self.q.store(self.desc + 16 * (at % self.size), desc)
        self.count[head] = self.at - first

    def take(self):
        at = self.desc + 16 * (self.seen % self.size)
        length, head, flags = struct.unpack("<IHH", self.q.load(at + 8, 8))
        if flags & 0x8080 != (0x8080 if self.wrap(self.seen) else 0):
            return None
        self.seen += self.count[head]
        return head, length


def wait(what, fn):
    end = time.monotonic() + TIMEOUT
    while time.monotonic() < end:
        got = fn()
        if got:
            return got
        time.sleep(0.005)
    raise RuntimeError("timed out: " + what)


class Card:
    """The PCI side, with BARs of our own choice; subclasses know the registers."""

    IO, MSIX, MEM = 0xc000, 0xe0000000, 0xe0010000
    features = 0

    def __init__(self, q):
        self.q = q
        for self.slot in range(1, 32):
            if self.config(0, 2) == 0x1af4:
                break
        else:
            raise RuntimeError("no virtio device on the bus")
        for bar, base in ((0, self.IO), (1, self.MSIX), (4, self.MEM), (5, 0)):
            self.config_set(0x10 + 4 * bar, base, 4)
        self.config_set(4, 7, 2)
        # PIIX3: PCI interrupts A-D end in IRQ 10, as firmware would have it.
        slot, self.slot = self.slot, 1
        self.config_set(0x60, 0x0a0a0a0a, 4)
        self.slot = slot
        self.caps, at = [], self.config(0x34, 1)
        while at and len(self.caps) < 48:
            self.caps.append((self.config(at, 1), at))
            at = self.config(at + 1, 1)
        self.msix = dict(self.caps).get(0x11)
        if self.msix:
            # On, but every vector masked: what is raised can be read from the pending bits.
            self.config_set(self.msix + 2, 0xc000, 2)

    def config(self, off, size):
        self.q("outl", 0xcf8, 0x80000000 | self.slot << 11 | off & 0xfc)
        return self.q({1: "inb", 2: "inw", 4: "inl"}[size], 0xcfc + (off & 3))

    def config_set(self, off, val, size):
        self.q("outl", 0xcf8, 0x80000000 | self.slot << 11 | off & 0xfc)
        self.q({1: "outb", 2: "outw", 4: "outl"}[size], 0xcfc + (off & 3), val)

    def vectors(self):
        return (self.config(self.msix + 2, 2) & 0x7ff) + 1 if self.msix else 0

    def pending(self):
        pba = self.config(self.msix + 8, 4)
        return self.q("readq", self.MSIX + (pba & ~7))

    def up(self):
        """Resets the card and starts it; posts all receive buffers."""
        self.status(0)
        assert self.status() == 0
        self.status(1)
        self.status(3)
        self.negotiate()
        self.hdr = 12 if self.features & (1 << F_MRG | 1 << F_VERSION_1) else 10
        if self.features >> F_HASH & 1:
            self.hdr = 20
        self.rx, self.tx = (self.setup(i, RINGS + 0x10000 * i) for i in range(2))
        self.more_queues()
        self.status(self.status() | 4)
        for i in range(32):
            self.rx.set(i, BUFS + BUF * i, BUF, WRITE)
            self.rx.add(i)
        self.kick(0)

    def more_queues(self):
        pass

    def begin(self, frame, header=b""):
        """Returns what tells whether it was sent."""
        self.q.store(BUFS + BUF * 40, header.ljust(self.hdr, b"\0") + frame)
        self.tx.set(0, BUFS + BUF * 40, self.hdr, NEXT, 1)
        self.tx.set(1, BUFS + BUF * 40 + self.hdr, len(frame))
        self.tx.add(0)
        self.kick(1)
        return self.tx.take

    def send(self, frame, header=b""):
        wait("transmit", self.begin(frame, header))

    def receive(self):
        head, length = wait("a frame", self.rx.take)
        data = self.q.load(BUFS + BUF * head, length)
        if self.hdr == 12:
            assert struct.unpack_from("<H", data, 10)[0] == 1, "num_buffers"
        self.rx.add(head)
        self.kick(0)
        return data[self.hdr:]


class Legacy(Card):
    """Registers in I/O BAR 0 (4.1.4.8)."""

    def status(self, val=None):
        if val is None:
            return self.q("inb", self.IO + 18)
        return self.q("outb", self.IO + 18, val)

    def negotiate(self):
        offer = self.q("inl", self.IO)
        self.offer, self.features = offer, offer & (1 << F_MAC | 1 << F_STATUS)
        self.q("outl", self.IO + 4, self.features)

    def setup(self, i, addr):
        self.q("outw", self.IO + 14, i)
        queue = Queue(self.q, addr, self.q("inw", self.IO + 12))
        self.q("outl", self.IO + 8, addr >> 12)
        if self.msix:
            self.q("outw", self.IO + 22, i)
            assert self.q("inw", self.IO + 22) == i
        return queue

    def kick(self, i):
        self.q("outw", self.IO + 16, i)

    def isr(self):
        return self.q("inb", self.IO + 19)

    def mac(self):
        base = self.IO + (24 if self.msix else 20)
        return bytes(self.q("inb", base + i) for i in range(6))


class Modern(Card):
    """Registers in memory BAR 4, found by the capabilities (4.1.4)."""

    ring, extra = Queue, ()

    def __init__(self, q):
        super().__init__(q)
        self.at = {}
        for kind, cap in self.caps:
            if kind == 9:
                self.at[self.config(cap + 3, 1)] = self.MEM + self.config(cap + 8, 4)
                if self.config(cap + 3, 1) == 2:
                    self.step = self.config(cap + 16, 4)
        self.common = self.at[1]

    def status(self, val=None):
        if val is None:
            return self.q("readb", self.common + 20)
        return self.q("writeb", self.common + 20, val)

    def negotiate(self):
        self.offer = 0
        for i in range(2):
            self.q("writel", self.common, i)
            self.offer |= self.q("readl", self.common + 4) << 32 * i
        want = (F_CSUM, F_HOST_USO, F_MAC, F_MRG, F_STATUS, F_INDIRECT, F_VERSION_1, *self.extra)
        self.features = self.offer & sum(1 << b for b in want)
        for i in range(2):
            self.q("writel", self.common + 8, i)
            self.q("writel", self.common + 12, self.features >> 32 * i & 0xffffffff)
        self.status(11)
        assert self.status() == 11, "FEATURES_OK"

    def setup(self, i, addr):
        self.q("writew", self.common + 22, i)
        queue = self.ring(self.q, addr, self.q("readw", self.common + 24))
        self.q("writew", self.common + 24, queue.size)
        self.q("writeq", self.common + 32, queue.desc)
        self.q("writeq", self.common + 40, queue.avail)
        self.q("writeq", self.common + 48, queue.used)
        if self.msix:
            self.q("writew", self.common + 26, i)
            assert self.q("readw", self.common + 26) == i
        self.notify_off = getattr(self, "notify_off", {})
        self.notify_off[i] = self.q("readw", self.common + 30)
        self.q("writew", self.common + 28, 1)
        return queue

    def kick(self, i):
        self.q("writew", self.at[2] + self.notify_off[i] * self.step, i)

    def isr(self):
        return self.q("readb", self.at[3])

    def mac(self):
        return bytes(self.q("readb", self.at[4] + i) for i in range(6))


class Packed(Modern):
    """The same with packed rings."""

    ring, extra = PackedQueue, (F_PACKED,)

    def negotiate(self):
        super().negotiate()
        assert self.features >> F_PACKED & 1


class Multi(Modern):
    """Two queue pairs (5.1.2). Queue i has its buffers at BUFS + BUF * 64 * i."""

    extra = (F_CTRL_VQ, F_MQ)

    def more_queues(self):
        self.ctrl = 4 if F_MQ in self.extra else 2
        self.more = [self.setup(i, RINGS + 0x10000 * i) for i in range(2, self.ctrl + 1)]
        self.queue = [self.rx, self.tx, *self.more]

    def post(self, i, n):
        at = BUFS + BUF * (64 * i + n)
        self.queue[i].set(n, at, BUF, WRITE)
        self.queue[i].add(n)
        self.kick(i)

    def send_by(self, i, frame):
        at = BUFS + BUF * (64 * i + 1)
        self.q.store(at, bytes(self.hdr) + frame)
        self.queue[i].set(0, at, self.hdr + len(frame))
        self.queue[i].add(0)
        self.kick(i)

    def receive_by(self, i):
        head, length = wait("a frame", self.queue[i].take)
        return self.q.load(BUFS + BUF * (64 * i + head), length)[12:]

    def command(self, kind, cmd, data):
        at, queue = BUFS + BUF * 64 * 5, self.queue[self.ctrl]
        self.q.store(at, bytes([kind, cmd]) + data)
        self.q.store(at + 512, b"\xaa")
        queue.set(0, at, 2 + len(data), NEXT, 1)
        queue.set(1, at + 512, 1, WRITE)
        queue.add(0)
        self.kick(self.ctrl)
        wait("acknowledgement", queue.take)
        return self.q.load(at + 512, 1)[0]

    def pairs(self, n):
        return self.command(4, 0, struct.pack("<H", n))


class MultiPacked(Multi):
    ring, extra = PackedQueue, (F_CTRL_VQ, F_MQ, F_PACKED)


class MultiRss(Multi):
    """With hashes: who gets which frame is said by the driver (5.1.6.5.7)."""

    extra = (F_CTRL_VQ, F_MQ, F_HASH, F_RSS)
    key = bytes(i * 37 + 11 & 255 for i in range(40))

    def rss(self, types=0x3f, mask=127, other=0, table=None, tx=2, key=None, cut=None):
        table = table if table is not None else [i % 2 for i in range(128)]
        key = self.key if key is None else key
        data = struct.pack("<IHH%dHHB" % len(table), types, mask, other, *table, tx, len(key)) + key
        return self.command(4, 1, data[:cut])

    def toeplitz(self, data):
        bits, key = int.from_bytes(data, "big"), int.from_bytes(self.key, "big")
        value, n = 0, 8 * len(data)
        for i in range(n):
            if bits >> (n - 1 - i) & 1:
                value ^= key >> (320 - 32 - i) & 0xffffffff
        return value


# --- frames ----------------------------------------------------------------------------------

def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(">%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ether(dst, kind, payload):
    return (dst + MAC + struct.pack(">H", kind) + payload).ljust(60, b"\0")


def ipv4(src, dst, proto, payload):
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 1, 0, 64, proto, 0, src, dst)
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + payload


def dhcp(kind, *options):
    body = struct.pack(">BBBBIHH16x", 1, 1, 6, 0, 0x1234, 0, 0x8000) + MAC.ljust(16, b"\0")
    body += bytes(192) + b"\x63\x82\x53\x63" + bytes([53, 1, kind])
    for code, data in options:
        body += bytes([code, len(data)]) + data
    body += b"\xff"
    udp = struct.pack(">HHHH", 68, 67, 8 + len(body), 0) + body
    return ether(b"\xff" * 6, 0x0800, ipv4(bytes(4), b"\xff" * 4, 17, udp))


def dhcp_answer(frame):
    """(message type, address, options) of a DHCP frame to us, else None."""
    if frame[12:14] != b"\x08\x00" or frame[23] != 17 or frame[36:38] != b"\0\x44":
        return None
    body, options = frame[42:], {}
    at = 240
    while at < len(body) and body[at] != 255:
        if body[at]:
            options[body[at]] = body[at + 2:at + 2 + body[at + 1]]
            at += 1 + body[at + 1]
        at += 1
    return options[53][0], body[16:20], options


def find(card, what, match):
    """The first frame that match() likes; others are skipped."""
    end = time.monotonic() + TIMEOUT
    while time.monotonic() < end:
        got = match(card.receive())
        if got:
            return got
    raise RuntimeError("no " + what)


GATEWAY = bytes([10, 0, 2, 2])
GUEST = bytes([10, 0, 2, 15])


def get_lease(card):
    card.send(dhcp(1))
    kind, addr, options = find(card, "DHCP offer", dhcp_answer)
    assert kind == 2 and addr == GUEST, (kind, addr)
    card.send(dhcp(3, (50, addr), (54, options[54])))
    kind, addr, options = find(card, "DHCP acknowledgement", dhcp_answer)
    assert kind == 5 and addr == GUEST, (kind, addr)
    assert options[3] == GATEWAY and options[6] == bytes([10, 0, 2, 3])


def resolve(card):
    card.send(ether(b"\xff" * 6, 0x0806, struct.pack(
        ">HHBBH6s4s6s4s", 1, 0x0800, 6, 4, 1, MAC, GUEST, bytes(6), GATEWAY)))
    return find(card, "ARP answer", lambda f: f[12:14] == b"\x08\x06" and
                f[20:22] == b"\0\x02" and f[28:32] == GATEWAY and f[22:28])


def ping(card, gateway, seq):
    echo = struct.pack(">BBHHH", 8, 0, 0, 77, seq) + bytes(range(200))
    echo = echo[:2] + struct.pack(">H", checksum(echo)) + echo[4:]
    card.send(ether(gateway, 0x0800, ipv4(GUEST, GATEWAY, 1, echo)))
    answer = find(card, "echo reply", lambda f: f[12:14] == b"\x08\x00" and f[23] == 1 and f)
    assert answer[34] == 0 and answer[38:42] == echo[4:8] and answer[42:242] == echo[8:]
    assert checksum(answer[34:242]) == 0 and checksum(answer[14:34]) == 0


def mastering(card):
    """Without bus mastering (bit 2 of the command register) a frame stays where it is."""
    card.config_set(4, 3, 2)
    sent = card.begin(ether(b"\xff" * 6, 0x88b5, bytes(90)))
    time.sleep(0.1)
    assert not sent(), "sent without bus mastering"
    card.config_set(4, 7, 2)
    wait("transmit", sent)


def uso(card, gateway):
    """One frame (5.1.6.2, UDP_L4); the host gets a datagram for each gso_size bytes of it."""
    data, size = bytes(i * 7 & 255 for i in range(3100)), 1000
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as host:
        host.bind(("127.0.0.1", 0))
        host.settimeout(TIMEOUT)
        # The checksum field holds the sum of the pseudo header.
        length = 8 + len(data)
        pseudo = ~checksum(GUEST + GATEWAY + struct.pack(">HH", 17, length)) & 0xffff
        udp = struct.pack(">HHHH", 4000, host.getsockname()[1], length, pseudo) + data
        card.send(ether(gateway, 0x0800, ipv4(GUEST, GATEWAY, 17, udp)),
                  struct.pack("<BBHHHH", 1, 5, 42, size, 34, 6))
        for at in range(0, len(data), size):
            got = host.recv(4096)
            assert got == data[at:at + size], (at, len(got))


# --- tests -----------------------------------------------------------------------------------

class Tap:
    def __init__(self, count):
        self.n = self.bad = 0
        print("1..%d" % count)

    def run(self, name, fn):
        self.n += 1
        try:
            fn()
            print("ok %d - %s" % (self.n, name), flush=True)
        except Exception as why:  # each test stands for itself
            self.bad += 1
            print("not ok %d - %s" % (self.n, name))
            print("# %s: %s" % (type(why).__name__, why), flush=True)


def check_bus(card, vectors):
    assert card.config(0, 4) == 0x10001af4
    assert card.vectors() == vectors, card.vectors()
    assert card.mac() == MAC


def check_interrupts(card, gateway):
    """Sends and receives once; the interrupts arrive where they should."""
    if card.msix:
        ping(card, gateway, 2)
        wait("both vectors", lambda: card.pending() & 3 == 3)
        assert card.isr() == 0
        return
    # Only changes are told, and what came before may still be raised by its loop.
    card.q("irq_intercept_in", "ioapic")
    card.isr()
    ping(card, gateway, 2)
    # Changes of the line come in front of the next command's answer.
    wait("interrupt line", lambda: card.q("endianness") == 0 and card.q.lines.get(10))
    assert card.isr() & 1
    card.q("endianness")
    assert not card.q.lines[10], "the line stays up"


MALFORMED = {
    "a head out of range": lambda c: (c.tx.add(0xffff)),
    "a loop of descriptors": lambda c: (
        c.tx.set(0, BUFS, 20, NEXT, 1), c.tx.set(1, BUFS, 20, NEXT, 0), c.tx.add(0)),
    "a buffer outside of memory": lambda c: (
        c.tx.set(0, 0xffffffffffffff00, 1000), c.tx.add(0)),
    "a chain shorter than its header": lambda c: (c.tx.set(0, BUFS, 4), c.tx.add(0)),
    "an indirect table of an odd length": lambda c: (
        c.tx.set(0, BUFS, 17, INDIRECT), c.tx.add(0)),
    "readable behind writable": lambda c: (
        c.tx.set(0, BUFS, 64, NEXT | WRITE, 1), c.tx.set(1, BUFS, 64), c.tx.add(0)),
}


# A packed ring has no heads that could be out of range.
SPLIT_ONLY = ("a head out of range",)


def malformed(card, gateway, act):
    act(card)
    card.kick(1)
    wait("NEEDS_RESET", lambda: card.status() & NEEDS_RESET)
    card.up()
    assert not card.status() & NEEDS_RESET
    ping(card, gateway, 3)


def garbage(card):
    """Registers written while the card runs: it may stop, it must not fall."""
    seed = 1
    for _ in range(400):
        seed = (seed * 1103515245 + 12345) & 0x7fffffff
        off, val = seed >> 8 & 0x3e, seed >> 16
        if isinstance(card, Modern):
            card.q("writew", card.common + off, val & 0xffff)
        else:
            card.q("outw", card.IO + off % 24, val & 0xffff)
    card.up()


def start(path, vectors, more, net="user"):
    return subprocess.Popen([
        VMWIRE, "-accel", "qtest", "-qtest", "unix:%s,server=on,wait=off" % path, "-m", "64",
        "-nographic", "-netdev", net + ",id=n0", "-device",
        "virtio-net-pci,netdev=n0,mac=52:54:00:01:02:03,vectors=%d%s" % (vectors, more)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def one_card(tap, folder, kind, vectors):
    path = os.path.join(folder, "%s%d" % (kind.__name__, vectors))
    name = "%s, vectors=%d: " % (kind.__name__.lower(), vectors)
    vm, state = start(path, vectors, ",packed=on" * (kind is Packed)), {}
    q = Qtest(path)
    card = kind(q)
    tap.run(name + "identity, MAC and vectors", lambda: check_bus(card, vectors))
    tap.run(name + "driver starts", card.up)
    tap.run(name + "address by DHCP", lambda: get_lease(card))
    tap.run(name + "gateway found by ARP", lambda: state.update(gw=resolve(card)))
    tap.run(name + "ping of the gateway", lambda: ping(card, state["gw"], 1))
    tap.run(name + "interrupts", lambda: check_interrupts(card, state["gw"]))
    tap.run(name + "waits for bus mastering", lambda: mastering(card))
    if kind is not Legacy:
        assert card.features >> F_HOST_USO & 1
        tap.run(name + "UDP segmentation", lambda: uso(card, state["gw"]))
    for what, act in MALFORMED.items():
        if kind is Packed and what in SPLIT_ONLY:
            continue
        tap.run(name + what + " needs a reset, which helps",
                lambda act=act: malformed(card, state["gw"], act))

    def survives():
        garbage(card)
        ping(card, state["gw"], 4)
    tap.run(name + "garbage in the registers, then a reset", survives)
    q.close()

    def ends():
        assert vm.wait(TIMEOUT) == 0, vm.returncode
    tap.run(name + "vmwire ends with its client", ends)
    if vm.poll() is None:
        vm.kill()
        vm.wait()


def check_multi(card):
    assert card.features >> F_MQ & 1
    assert card.q("readw", card.at[4] + 8) == 2, "max_virtqueue_pairs"
    assert card.q("readw", card.common + 18) == 5, "num_queues"


def check_pairs(card):
    for n in (0, 3, 0x8000, 0xffff):
        assert card.pairs(n) == 1, n
    assert card.command(4, 0, b"\1") == 1
    assert card.command(4, 1, bytes(64)) == 1, "RSS_CONFIG"
    for n in (2, 1, 2):
        assert card.pairs(n) == 0, n


PEER = bytes.fromhex("020000000009")


def echoed(card, pair, n):
    card.post(2 * pair, n)
    card.send_by(2 * pair + 1, ether(PEER, 0x88b5, bytes([pair, n]) * 40))
    wait("transmit", card.queue[2 * pair + 1].take)
    frame = card.receive_by(2 * pair)
    assert frame[:12] == MAC + PEER and frame[14:] == bytes([pair, n]) * 40


def second_pair(card):
    card.up()
    # Not in use yet: the frame stays where it is, and goes when the pair comes into use.
    card.send_by(3, ether(PEER, 0x88b5, b"early"))
    for _ in range(20):
        card.status()
    assert card.queue[3].take() is None
    assert card.pairs(2) == 0
    wait("transmit", card.queue[3].take)
    for n in range(2, 20):
        echoed(card, 1, n)
        echoed(card, 0, n + 32)


def resets(card):
    for n in range(40):
        if n % 2:
            assert card.pairs(2) == 0
        for i in (1, 3):
            card.send_by(i, ether(PEER, 0x88b5, bytes(200)))
        card.up()
    assert card.pairs(2) == 0
    echoed(card, 1, 1)


def without_mq(card):
    card.extra = tuple(b for b in card.extra if b != F_MQ)
    card.up()
    assert card.command(0, 0, b"\1") == 1, "CTRL_RX is not negotiated"
    assert card.pairs(1) == 1
    echoed(card, 0, 40)
    card.extra += (F_MQ,)
    second_pair(card)


def check_rss(card):
    base = card.at[4]
    assert card.features >> F_RSS & card.features >> F_HASH & 1
    assert card.q("readb", base + 17) == 40 and card.q("readw", base + 18) == 128
    assert card.q("readl", base + 20) == 0x3f
    for bad in ({"types": 0x40}, {"mask": 126}, {"mask": 255, "table": [0] * 256},
                {"mask": 0xffff}, {"other": 2}, {"table": [2] * 128}, {"tx": 0}, {"tx": 3},
                {"key": bytes(41)}, {"cut": 4}, {"cut": 7}, {"cut": 100}, {"cut": -1}):
        assert card.rss(**bad) == 1, bad
    assert card.rss() == 0
    assert card.command(4, 2, struct.pack("<I8xB", 0x3f, 40) + card.key[:39]) == 1
    assert card.command(4, 2, struct.pack("<I8xB", 0x100, 40) + card.key) == 1
    assert card.command(4, 2, struct.pack("<I8xB", 0x3f, 40) + card.key) == 0


def flows(card):
    """Echoes have addresses swapped and ports as they were; each comes where its hash says."""
    card.up()
    assert card.rss() == 0
    seen = [0, 0]
    for i in range(48):
        for pair in (0, 1):
            if i % 8 == 0:
                for n in range(10):
                    card.post(2 * pair, 2 + (i // 8 * 10 + n) % 30)
        src, dst = bytes([10, 0, 0, 1]), bytes([10, 0, 1, i])
        proto, ports = (6, 17)[i % 2], struct.pack(">HH", 1000 + i, 80)
        frame = ether(PEER, 0x0800, ipv4(src, dst, proto, ports.ljust(20, b"\0")))
        value = card.toeplitz(dst + src + ports)
        to, by = value & 1, i // 2 % 2
        card.send_by(2 * by + 1, frame)
        wait("transmit", card.queue[2 * by + 1].take)
        head, length = wait("frame", card.queue[2 * to].take)
        got = card.q.load(BUFS + BUF * (64 * 2 * to + head), length)
        assert struct.unpack_from("<IH", got, 12) == (value, 2 + i % 2), i
        assert got[20 + 26:20 + 34] == dst + src
        seen[to] += 1
    assert min(seen) > 5, seen


def steered(tap, folder):
    path, name = os.path.join(folder, "rss"), "rss=on: "
    vm = start(path, 6, ",mq=on,rss=on,hash=on", "dummy,echo=on,queues=2")
    q = Qtest(path)
    card = MultiRss(q)
    tap.run(name + "driver starts", card.up)
    tap.run(name + "RSS_CONFIG and HASH_CONFIG, legal and not", lambda: check_rss(card))
    tap.run(name + "frames come where their hash says, with it", lambda: flows(card))
    q.close()

    def ends():
        assert vm.wait(TIMEOUT) == 0, vm.returncode
    tap.run(name + "vmwire ends with its client", ends)
    if vm.poll() is None:
        vm.kill()
        vm.wait()


def two_pairs(tap, folder, kind):
    path = os.path.join(folder, kind.__name__)
    name = "two pairs, %s ring: " % ("packed" if kind is MultiPacked else "split")
    vm = start(path, 6, ",mq=on" + ",packed=on" * (kind is MultiPacked),
               "dummy,echo=on,queues=2")
    q = Qtest(path)
    card = kind(q)
    tap.run(name + "driver starts", card.up)
    tap.run(name + "configuration", lambda: check_multi(card))
    tap.run(name + "VQ_PAIRS_SET, legal and not", lambda: check_pairs(card))
    tap.run(name + "frames go and come by the second pair", lambda: second_pair(card))
    tap.run(name + "resets in traffic", lambda: resets(card))
    tap.run(name + "without MQ the control queue is number 2", lambda: without_mq(card))
    q.close()

    def ends():
        assert vm.wait(TIMEOUT) == 0, vm.returncode
    tap.run(name + "vmwire ends with its client", ends)
    if vm.poll() is None:
        vm.kill()
        vm.wait()


def main():
    folder = tempfile.mkdtemp(prefix="vmwire-wire-")
    cards = [(kind, vectors) for kind in (Legacy, Modern, Packed) for vectors in (0, 3)]
    tap = Tap(len(cards) * (9 + len(MALFORMED)) - 2 * len(SPLIT_ONLY) + 4 + 2 * 7 + 4)
    try:
        for kind, vectors in cards:
            one_card(tap, folder, kind, vectors)
        for kind in (Multi, MultiPacked):
            two_pairs(tap, folder, kind)
        steered(tap, folder)
    finally:
        shutil.rmtree(folder)
    return 1 if tap.bad else 0


if __name__ == "__main__":
    sys.exit(main())
