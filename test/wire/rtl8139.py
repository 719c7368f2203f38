#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""An rtl8139 behind the qtest accelerator, on the user-mode network.

A small driver, written from the RTL8139C+ datasheet, uses the card as firmware does (C mode,
polling, interrupts masked) and as operating systems do (C+ mode): MAC from the EEPROM, DHCP, ARP,
ping, a TCP connection with checksum offload and large send, VLAN tags and checksums in loopback,
the link, and descriptors that no driver writes. No KVM, no root.

usage: rtl8139.py [PATH-OF-VMWIRE]    prints TAP
"""
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading

from virtio_net import (GATEWAY, GUEST, MAC, Qtest, Tap, TIMEOUT, VMWIRE, ether, find, get_lease,
                        ipv4, mastering, ping, resolve, wait)

IO, MEM = 0xc000, 0xe0000000
TXR, HIR, RXR, RXBUF, BUFS = 0x100000, 0x101000, 0x102000, 0x110000, 0x200000
OWN, EOR, FS, LS, LGSEN = 1 << 31, 1 << 30, 1 << 29, 1 << 28, 1 << 27
IPCS, UDPCS, TCPCS = 1 << 18, 1 << 17, 1 << 16
NRX = 16


class Card:
    def __init__(self, q):
        self.q = q
        for self.slot in range(1, 32):
            if self.config(0, 4) == 0x813910ec:
                break
        else:
            raise RuntimeError("no rtl8139 on the bus")
        self.config_set(0x10, IO, 4)
        self.config_set(0x14, MEM, 4)
        self.config_set(4, 7, 2)

    def config_at(self, off):
        self.q("outl", 0xcf8, 0x80000000 | self.slot << 11 | off & 0xfc)
        return 0xcfc + (off & 3)

    def config(self, off, size):
        return self.q({2: "inw", 4: "inl"}[size], self.config_at(off))

    def config_set(self, off, val, size):
        self.q({2: "outw", 4: "outl"}[size], self.config_at(off), val)

    def get(self, reg, size=1):
        """C mode drivers of old use the ports."""
        return self.q({1: "inb", 2: "inw", 4: "inl"}[size], IO + reg)

    def set(self, reg, val, size=1):
        self.q({1: "outb", 2: "outw", 4: "outl"}[size], IO + reg, val)

    def reset(self):
        self.set(0x37, 0x10)
        wait("the end of the reset", lambda: not self.get(0x37) & 0x10)

    def eeprom(self, addr):
        word = 0
        self.set(0x50, 0x80)
        for i in range(10, -1, -1):
            pins = 0x88 | ((6 << 6 | addr) >> i & 1) << 1
            self.set(0x50, pins)
            self.set(0x50, pins | 4)
        for _ in range(16):
            self.set(0x50, 0x88)
            self.set(0x50, 0x8c)
            word = word << 1 | self.get(0x50) & 1
        self.set(0x50, 0)
        return word


class Slots(Card):
    """C mode, 8 KiB ring, interrupts masked, as firmware has it."""

    def up(self):
        self.reset()
        self.set(0x30, RXBUF, 4)
        self.set(0x37, 0x0c)
        self.set(0x44, 0x0a, 4)
        self.next = self.at = 0

    def begin(self, frame):
        """Returns what tells whether it was sent."""
        frame, tsd = frame.ljust(60, b"\0"), 0x10 + 4 * self.next
        self.q.store(BUFS + 0x1000 * self.next, frame)
        self.set(0x20 + 4 * self.next, BUFS + 0x1000 * self.next, 4)
        self.set(tsd, len(frame), 4)
        self.next = (self.next + 1) % 4
        return lambda: self.get(tsd, 4) & 0xa000 == 0xa000

    def send(self, frame):
        wait("TOK", self.begin(frame))

    def receive(self):
        wait("a packet", lambda: not self.get(0x37) & 1)
        head = self.q.load(RXBUF + self.at, 4)
        status, size = struct.unpack("<HH", head)
        assert status & 1 and 64 <= size <= 1518, (status, size)
        first = min(size, 8192 - self.at - 4)
        frame = self.q.load(RXBUF + self.at + 4, first) if first else b""
        if size > first:
            frame += self.q.load(RXBUF, size - first)
        self.at = (self.at + size + 4 + 3) & ~3 & 8191
        self.set(0x38, self.at - 16 & 0xffff, 2)
        return frame[:-4]


class Rings(Card):
    """C+ mode, by memory."""

    def get(self, reg, size=1):
        return self.q({1: "readb", 2: "readw", 4: "readl"}[size], MEM + reg)

    def set(self, reg, val, size=1):
        self.q({1: "writeb", 2: "writew", 4: "writel"}[size], MEM + reg, val)

    def desc(self, ring, i, cmd, tag, addr):
        self.q.store(ring + 16 * i, struct.pack("<IIQ", cmd, tag, addr))

    def status(self, ring, i):
        return struct.unpack("<II", self.q.load(ring + 16 * i, 8))

    def post(self, i):
        self.desc(RXR, i, OWN | 1536 | (EOR if i == NRX - 1 else 0), 0, BUFS + 0x800 * i)

    def up(self, cpcr=0):
        self.reset()
        self.q("memset", TXR, 0x3000, 0)
        self.set(0xe0, 3 | cpcr, 2)
        for reg, val in ((0x28, HIR), (0x2c, 0), (0x20, TXR), (0x24, 0), (0xe4, RXR), (0xe8, 0)):
            self.set(reg, val, 4)
        for i in range(NRX):
            self.post(i)
        self.set(0x37, 0x0c)
        self.set(0x44, 0x0a, 4)
        self.next = self.at = 0

    def queue(self, frame, cmd=0, tag=0):
        """In two pieces."""
        at = BUFS + 0x100000 + 0x10000 * (self.next % 8)
        self.q.store(at, frame)
        for part, flag in ((frame[:20], FS), (frame[20:], LS)):
            end = EOR if self.next == 63 else 0
            self.desc(TXR, self.next, OWN | flag | end | cmd | len(part), tag, at)
            last, at, self.next = self.next, at + len(part), (self.next + 1) % 64
        return last

    def begin(self, frame, cmd=0, tag=0):
        """Returns what tells whether it was sent."""
        last = self.queue(frame.ljust(60, b"\0"), cmd, tag)
        self.set(0xd9, 0x40)

        def sent():
            status = self.status(TXR, last)[0]
            assert not status & 1 << 23 or status & OWN, "the card could not send"
            return not status & OWN
        return sent

    def send(self, frame, cmd=0, tag=0):
        wait("the descriptor", self.begin(frame, cmd, tag))

    def take(self):
        """(frame, status, tag)"""
        wait("a frame", lambda: not self.status(RXR, self.at)[0] & OWN)
        status, tag = self.status(RXR, self.at)
        assert status & (FS | LS) == FS | LS, hex(status)
        frame = self.q.load(BUFS + 0x800 * self.at, (status & 0x1fff) - 4)
        self.post(self.at)
        self.at = (self.at + 1) % NRX
        self.set(0x3e, 0xffff, 2)
        return frame, status, tag

    def receive(self):
        return self.take()[0]


def identity(card):
    assert card.eeprom(0) == 0x8129, hex(card.eeprom(0))
    assert struct.pack("<HHH", *[card.eeprom(7 + i) for i in range(3)]) == MAC
    assert struct.pack("<I", card.get(0, 4)) == MAC[:4] and card.config(8, 4) == 0x02000020


def loopback(card):
    card.up()
    card.set(0x40, 0x60000, 4)
    frame = ether(b"\xff" * 6, 0x88b5, bytes(range(100)))
    card.send(frame)
    assert card.receive() == frame
    card.up()


def offloads_in_loopback(card):
    """A tag goes in and comes off; a checksum is made and then found right."""
    card.up(0x60)
    card.set(0x40, 0x60000, 4)
    udp = struct.pack(">HHHH", 1, 2, 8 + 100, 0) + bytes(range(100))
    plain = ether(b"\xff" * 6, 0x0800, ipv4(GUEST, GATEWAY, 17, udp))
    card.send(plain, IPCS | UDPCS, 1 << 17 | 0x2301)
    frame, status, tag = card.take()
    assert tag == 1 << 16 | 0x2301, hex(tag)
    assert status >> 16 & 3 == 2 and not status & 0xe000, hex(status)
    assert len(frame) == len(plain) and frame[42:] == plain[42:] and frame[40:42] != b"\0\0"
    # One that is wrong is found wrong.
    card.send(frame[:60] + b"\x55" + frame[61:])
    assert card.take()[1] & 0x4000
    card.up()


def transfer(card, gateway):
    """TCP to a server on this host: checksum offload, then 4000 bytes in one large send."""
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(TIMEOUT)
    got = []

    def serve():
        peer, _ = server.accept()
        peer.settimeout(TIMEOUT)
        data = b""
        while len(data) < 4000:
            more = peer.recv(4000)
            if not more:
                break
            data += more
        got.append(data)
        peer.close()
    thread = threading.Thread(target=serve)
    thread.start()
    port = server.getsockname()[1]

    def segment(seq, ack, flags, data=b"", cmd=0):
        tcp = struct.pack(">HHIIBBHHH", 4000, port, seq, ack, 0x50, flags, 65535, 0, 0) + data
        frame = ether(gateway, 0x0800, ipv4(GUEST, GATEWAY, 6, tcp))
        # Without padding: it would be data of a large send.
        last = card.queue(frame, cmd)
        card.set(0xd9, 0x40)
        wait("the descriptor", lambda: not card.status(TXR, last)[0] & OWN)

    def answer(frame):
        return frame[23] == 6 and frame[12:14] == b"\x08\x00" and frame[47] & 0x12 == 0x12 and frame
    segment(1000, 0, 0x02, b"", IPCS | TCPCS)
    frame = find(card, "SYN, ACK", answer)
    ack = struct.unpack(">I", frame[38:42])[0] + 1
    segment(1001, ack, 0x10, b"", IPCS | TCPCS)
    data = bytes(i * 7 & 0xff for i in range(4000))
    segment(1001, ack, 0x18, data, LGSEN | 1000 << 16)
    thread.join(TIMEOUT)
    server.close()
    assert got == [data], "the server got %d bytes" % len(got[0] if got else b"")


def link(card, monitor):
    s = socket.socket(socket.AF_UNIX)
    s.connect(monitor)
    card.set(0x3e, 0xffff, 2)
    assert not card.get(0x58) & 4 and card.get(0x64, 2) & 0x24 == 0x24
    s.sendall(b"set_link card off\n")
    wait("the link to go", lambda: card.get(0x3e, 2) & 0x20)
    assert card.get(0x58) & 4 and not card.get(0x64, 2) & 0x24
    card.set(0x3e, 0xffff, 2)
    s.sendall(b"set_link card on\n")
    wait("the link to come", lambda: card.get(0x3e, 2) & 0x20)
    assert not card.get(0x58) & 4
    s.close()


def hostile_slots(card):
    for addr, size in ((0xffffffff, 60), (0xf0000000, 0x1fff), (BUFS, 0), (BUFS, 13),
                       (64 << 20, 60), ((64 << 20) - 10, 0x1fff)):
        card.set(0x20 + 4 * card.next, addr, 4)
        card.set(0x10 + 4 * card.next, size, 4)
        wait("TABT", lambda: card.get(0x10 + 4 * card.next, 4) & 0x40002000 == 0x40002000)
        card.next = (card.next + 1) % 4
    for rbstart in (0xffffffff, 0xf0000000, (64 << 20) - 100):
        card.set(0x30, rbstart, 4)
        for capr in (0xffff, 3, 0x8000):
            card.set(0x38, capr, 2)
    card.up()


def hostile_rings(card):
    bad = 1 << 64
    rings = {
        "addresses outside of memory": [(OWN | FS | LS | n, bad - 8) for n in (60, 0x1fff, 0xffff)],
        "sizes of nothing": [(OWN | FS | LS, BUFS), (OWN | FS, BUFS), (OWN, BUFS), (OWN | LS, BUFS)],
        "no end": [(OWN | FS | 0xffff, BUFS)] + [(OWN | 0xffff, BUFS)] * 63,
        "all beginnings": [(OWN | FS | 100, BUFS)] * 64,
        "large sends of nothing": [(OWN | FS | LS | LGSEN | 0x7ff << 16 | n, BUFS) for n in
                                   (0, 14, 60, 0xffff)],
    }
    for ring in rings.values():
        card.up()
        for i, (cmd, addr) in enumerate(ring):
            card.desc(TXR, i, cmd, 1 << 17, addr)
            card.desc(RXR, i % NRX, cmd & ~0x1fff, 0, addr)
        card.set(0xd9, 0xc0)
        card.q("endianness")
    for base in (0xffffffff, 0xf0000000, 64 << 20, (64 << 20) - 16):
        for reg in (0x20, 0x28, 0xe4):
            card.set(reg, base, 4)
            card.set(reg + 4, 0xffffffff, 4)
            card.set(0xd9, 0xc0)
            card.set(reg + 4, 0, 4)
            card.set(0xd9, 0xc0)
    card.up()


def garbage(card):
    """Registers written while the card runs: it may stop, it must not fall."""
    seed = 1
    for _ in range(400):
        seed = (seed * 1103515245 + 12345) & 0x7fffffff
        card.set(seed >> 8 & 0xfc, seed >> 4, 4)
    card.set(0x50, 0x40)  # the MAC address again, from the EEPROM …
    card.up()


def one_card(tap, folder, kind, model):
    path, monitor = os.path.join(folder, kind.__name__), os.path.join(folder, kind.__name__ + ".m")
    name, state = kind.__name__.lower() + ": ", {}
    vm = subprocess.Popen([
        VMWIRE, "-accel", "qtest", "-qtest", "unix:%s,server=on,wait=off" % path, "-m", "64",
        "-nographic", "-monitor", "unix:%s,server=on,wait=off" % monitor, "-netdev", "user,id=n0",
        "-device", "%s,netdev=n0,mac=52:54:00:01:02:03,id=card" % model],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    q = Qtest(path)
    card = kind(q)
    tap.run(name + "identity, MAC in the EEPROM", lambda: identity(card))
    tap.run(name + "driver starts", card.up)
    tap.run(name + "address by DHCP", lambda: get_lease(card))
    tap.run(name + "gateway found by ARP", lambda: state.update(gw=resolve(card)))
    tap.run(name + "ping of the gateway, once round the ring and more",
            lambda: [ping(card, state["gw"], seq) for seq in range(70)])
    tap.run(name + "loopback", lambda: loopback(card))
    tap.run(name + "the link goes and comes", lambda: link(card, monitor))
    tap.run(name + "waits for bus mastering", lambda: mastering(card))
    if kind is Rings:
        tap.run(name + "VLAN tag and checksum in loopback", lambda: offloads_in_loopback(card))
        tap.run(name + "TCP with checksum offload and large send",
                lambda: transfer(card, state["gw"]))
        tap.run(name + "hostile descriptors", lambda: hostile_rings(card))
    else:
        tap.run(name + "hostile slots and buffers", lambda: hostile_slots(card))
    tap.run(name + "works after that", lambda: ping(card, state["gw"], 100))
    tap.run(name + "garbage in the registers", lambda: garbage(card))
    tap.run(name + "works after that, too", lambda: ping(card, state["gw"], 101))
    q.close()

    def ends():
        assert vm.wait(TIMEOUT) == 0, vm.returncode
    tap.run(name + "vmwire ends with its client", ends)
    if vm.poll() is None:
        vm.kill()
        vm.wait()


def main():
    folder = tempfile.mkdtemp(prefix="vmwire-wire-")
    tap = Tap(13 + 15)
    try:
        one_card(tap, folder, Slots, "rtl8139")
        one_card(tap, folder, Rings, "rtl8139")
    finally:
        shutil.rmtree(folder)
    return 1 if tap.bad else 0


if __name__ == "__main__":
    sys.exit(main())
