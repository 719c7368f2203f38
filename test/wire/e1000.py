#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Two e1000 cards behind the qtest accelerator, on one hub with the user-mode network.

A small driver, written from Intel's manual for the 8254x, first works as firmware does (legacy
descriptors, polling, interrupts masked), then as a system does: checksums and segmentation by
context descriptors, VLANs, filters, frames in several descriptors. What one card sends, the other
receives. Then the rules are broken: the card must work after the next reset. No KVM, no root.

usage: e1000.py [PATH-OF-VMWIRE]    prints TAP
"""
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import virtio_net as base
from virtio_net import Qtest, Tap, checksum, ipv4, mastering, wait

VMWIRE = base.VMWIRE
MACS = [base.MAC, bytes.fromhex("525400010204")]
IRQS = [10, 11]
CTRL, STATUS, EECD, EERD, MDIC, VET = 0, 8, 0x10, 0x14, 0x20, 0x38
ICR, ITR, ICS, IMS, IMC = 0xc0, 0xc4, 0xc8, 0xd0, 0xd8
RCTL, TCTL = 0x100, 0x400
RDBAL, RDBAH, RDLEN, RDH, RDT, RDTR, RADV = 0x2800, 0x2804, 0x2808, 0x2810, 0x2818, 0x2820, 0x282c
TDBAL, TDBAH, TDLEN, TDH, TDT, TIDV = 0x3800, 0x3804, 0x3808, 0x3810, 0x3818, 0x3820
RXCSUM, MTA, RAL, VFTA = 0x5000, 0x5200, 0x5400, 0x5600
RST, VME = 1 << 26, 1 << 30
EN, UPE, MPE, LPE, BAM, VFE, SECRC, BSEX = 2, 8, 16, 32, 1 << 15, 1 << 18, 1 << 26, 1 << 25
EOP, IFCS, IC, TSE, RS, DEXT, VLE = 1, 2, 4, 4, 8, 0x20, 0x40
TXDW, LSC, RXDMT0, RXT0 = 1, 4, 0x10, 0x80
RING = 64


class E1000:
    """The card in slot `slot`; n: which of ours."""

    def __init__(self, q, n, slot):
        self.q, self.n, self.slot, self.mac = q, n, slot, MACS[n]
        self.bar, self.io = 0xe0000000 + n * 0x20000, 0xc000 + n * 64
        self.rxring, self.txring = 0x100000 + n * 0x400000, 0x110000 + n * 0x400000
        self.rxbuf, self.txbuf = 0x200000 + n * 0x400000, 0x400000 + n * 0x400000
        self.config_set(0x10, self.bar, 4)
        self.config_set(0x14, self.io, 4)
        self.config_set(4, 7, 2)

    def config(self, off, size):
        self.q("outl", 0xcf8, 0x80000000 | self.slot << 11 | off & 0xfc)
        return self.q({1: "inb", 2: "inw", 4: "inl"}[size], 0xcfc + (off & 3))

    def config_set(self, off, val, size):
        self.q("outl", 0xcf8, 0x80000000 | self.slot << 11 | off & 0xfc)
        self.q({1: "outb", 2: "outw", 4: "outl"}[size], 0xcfc + (off & 3), val)

    def get(self, reg):
        return self.q("readl", self.bar + reg)

    def set(self, reg, val):
        self.q("writel", self.bar + reg, val)

    def up(self, rctl=BAM, bufsize=2048, ring=RING):
        """Reset, then both rings, as the manual has it (14.3 to 14.5). Interrupts stay masked."""
        self.set(CTRL, self.get(CTRL) | RST)
        assert not self.get(CTRL) & RST
        self.set(IMC, 0xffffffff)
        self.bufsize, self.ring = bufsize, ring
        self.q("memset", self.rxring, 16 * RING, 0)
        self.q("memset", self.txring, 16 * RING, 0)
        for i in range(ring):
            self.q("writeq", self.rxring + 16 * i, self.rxbuf + bufsize * i)
        for reg, at, size in ((RDBAL, self.rxring, ring), (TDBAL, self.txring, RING)):
            self.set(reg, at)
            self.set(reg + 4, 0)
            self.set(reg + 8, 16 * size)
            self.set(reg + 0x10, 0)
            self.set(reg + 0x18, 0)
        self.rx = self.tx = 0
        bits = {2048: 0, 1024: 1, 512: 2, 256: 3}[bufsize] << 16
        self.set(RCTL, EN | SECRC | bits | rctl)
        self.set(RDT, ring - 1)
        self.set(TCTL, EN | 8)

    # descriptors

    def put(self, first, second):
        self.q.store(self.txring + 16 * self.tx, struct.pack("<QQ", first, second))
        self.tx = (self.tx + 1) % RING

    def legacy(self, data, cmd=EOP | IFCS | RS, cso=0, css=0, vlan=0, at=0):
        self.q.store(self.txbuf + at, data)
        self.put(self.txbuf + at, len(data) | cso << 16 | cmd << 24 | css << 40 | vlan << 48)

    def context(self, ip, l4, hdr=0, mss=0, payload=0, tcp=True, ip4=True, tse=False):
        """ip, l4: (start, place, end) of the checksums."""
        cmd = DEXT | RS | tcp | ip4 << 1 | (TSE if tse else 0)
        self.put(ip[0] | ip[1] << 8 | ip[2] << 16 | l4[0] << 32 | l4[1] << 40 | l4[2] << 48,
                 payload | cmd << 24 | hdr << 40 | mss << 48)

    def data(self, data, cmd=EOP | IFCS | RS, popts=0, vlan=0, at=0):
        self.q.store(self.txbuf + at, data)
        self.put(self.txbuf + at,
                 len(data) | 1 << 20 | (cmd | DEXT) << 24 | popts << 40 | vlan << 48)

    def doorbell(self):
        """Returns what tells whether the last descriptor is done."""
        last = self.txring + 16 * ((self.tx - 1) % RING) + 12
        self.set(TDT, self.tx)
        return lambda: self.q("readb", last) & 1

    def go(self):
        wait("transmit", self.doorbell())

    def begin(self, frame):
        self.legacy(frame)
        return self.doorbell()

    def send(self, frame):
        self.legacy(frame)
        self.go()

    def poll(self):
        """A received frame with its last descriptor (status, errors, sum, special), or None."""
        frame, at = b"", self.rx
        while True:
            word = self.q("readq", self.rxring + 16 * at + 8)
            if not word >> 32 & 1:
                return None
            frame += self.q.load(self.rxbuf + self.bufsize * at, word & 0xffff)
            last, at = at, (at + 1) % self.ring
            if word >> 34 & 1 or word >> 33 & 1:
                break
        while self.rx != at:
            self.q("writeq", self.rxring + 16 * self.rx + 8, 0)
            self.rx = (self.rx + 1) % self.ring
        self.set(RDT, last)
        return frame, word >> 32 & 255, word >> 40 & 255, word >> 16 & 0xffff, word >> 48

    def receive(self):
        return wait("a frame", self.poll)[0]

    # small chips

    def eeprom(self, word):
        self.set(EERD, 1 | word << 8)
        value = wait("EERD", lambda: (lambda v: v if v & 16 else 0)(self.get(EERD)))
        return value >> 16

    def microwire(self, word):
        """Read by moving the pins (manual 5.3, 93C46)."""
        self.set(EECD, 0x40)
        assert self.get(EECD) & 0x80, "EECD.GNT"

        def bit(out):
            pins = 0x42 | out << 2
            for clock in (0, 1, 0):
                self.set(EECD, pins | clock)
            return self.get(EECD) >> 3 & 1
        self.set(EECD, 0x42)
        for i in reversed(range(9)):
            bit((6 << 6 | word) >> i & 1)
        value = 0
        for _ in range(16):
            value = value << 1 | bit(0)
        self.set(EECD, 0x40)
        self.set(EECD, 0)
        return value

    def phy(self, reg, val=None):
        self.set(MDIC, (0x04000000 | val if val is not None else 0x08000000) | 1 << 21 | reg << 16)
        done = self.get(MDIC)
        assert done >> 28 & 5 == 1, hex(done)
        return done & 0xffff


def ether(dst, src, kind, payload):
    return (dst + src + struct.pack(">H", kind) + payload).ljust(60, b"\0")


def pseudo4(src, dst, proto, length):
    return ~checksum(src + dst + struct.pack(">HH", proto, length)) & 0xffff


A4, B4 = bytes([10, 9, 0, 1]), bytes([10, 9, 0, 2])
A6, B6 = bytes(15) + b"\1", bytes(15) + b"\2"


def tcp(flags=0x10, csum=0):
    return struct.pack(">HHIIBBHHH", 1000, 2000, 100, 200, 0x50, flags, 8192, csum, 0)


def cards(vm, a, b, **keys):
    a.up()
    b.up(**keys)


# --- tests -----------------------------------------------------------------------------------

def identity(vm, a, b):
    for card in (a, b):
        assert card.config(0, 4) == 0x100e8086 and card.config(8, 4) == 0x02000003
        assert card.config(0x3d, 1) == 1, "pin A"
        card.config_set(0x10, 0xffffffff, 4)
        card.config_set(0x14, 0xffffffff, 4)
        assert card.config(0x10, 4) == 0xfffe0000 and card.config(0x14, 4) & 0xffff == 0xffc1
        card.config_set(0x10, card.bar, 4)
        card.config_set(0x14, card.io, 4)
        # The same registers by IOADDR and IODATA (13.2.2).
        card.q("outl", card.io, STATUS)
        assert card.q("inl", card.io + 4) == card.get(STATUS) and card.get(STATUS) & 0x83 == 0x83


def eeprom(vm, a, b):
    for card in (a, b):
        words = [card.eeprom(i) for i in range(64)]
        assert sum(words) & 0xffff == 0xbaba, hex(sum(words) & 0xffff)
        assert struct.pack("<3H", *words[:3]) == card.mac
        assert [card.microwire(i) for i in range(64)] == words
        card.up()
        assert card.get(RAL) == struct.unpack("<I", card.mac[:4])[0]
        assert card.get(RAL + 4) == 0x80000000 | struct.unpack("<H", card.mac[4:])[0]


def phy(vm, a, b):
    assert a.phy(2) == 0x141 and a.phy(3) == 0xc20
    a.phy(4, 0x5e1)
    assert a.phy(4) == 0x5e1
    a.phy(0, 0x8000)
    assert a.phy(0) == 0x1140 and a.phy(4) == 0xde1
    a.set(ICR, 0xffffffff)
    a.phy(0, 0x1340)
    assert a.phy(1) & 0x24 == 0x24 and a.phy(17) == 0xac00 and a.get(ICR) & LSC
    a.set(MDIC, 0x08000000 | 5 << 21)
    assert a.get(MDIC) & 0x40000000, "there is one PHY only"


def dhcp(vm, a, b):
    """As firmware: legacy descriptors, polling."""
    a.up()

    def find(kind):
        def match():
            got = a.poll()
            answer = got and base.dhcp_answer(got[0])
            return answer and answer[0] == kind and answer
        return wait("DHCP", match)
    a.send(base.dhcp(1))
    _, addr, options = find(2)
    a.send(base.dhcp(3, (50, addr), (54, options[54])))
    assert find(5)[1] == base.GUEST


def both_ways(vm, a, b):
    cards(vm, a, b)
    for i in range(150):
        frame = ether(b.mac, a.mac, 0x88b5, bytes([i]) * (46 + 9 * i))
        a.send(frame)
        assert b.receive() == frame, i
    # A frame of three descriptors; one padded to 60 bytes.
    frame = ether(b.mac, a.mac, 0x88b5, bytes(range(200)))
    a.legacy(frame[:14], IFCS)
    a.legacy(frame[14:100], IFCS, at=1000)
    a.legacy(frame[100:], at=2000)
    a.go()
    assert b.receive() == frame
    a.send(frame[:20])
    assert b.receive() == frame[:20].ljust(60, b"\0")


def crc_bytes(vm, a, b):
    cards(vm, a, b)
    b.set(RCTL, EN | BAM)
    a.send(ether(b.mac, a.mac, 0x88b5, bytes(50)))
    assert len(b.receive()) == 68, "no SECRC: four bytes more"


def several(vm, a, b):
    """1500 bytes in buffers of 256, and a large one."""
    cards(vm, a, b, bufsize=256)
    for size in (255, 256, 257, 1500):
        frame = ether(b.mac, a.mac, 0x88b5, bytes(i & 255 for i in range(size - 14)))
        a.send(frame)
        assert b.receive() == frame, size
    big = ether(b.mac, a.mac, 0x88b5, bytes(i * 7 & 255 for i in range(9000)))
    a.send(big)
    a.send(frame)
    assert b.receive() == frame, "LPE is off"
    b.set(RCTL, b.get(RCTL) | LPE)
    a.send(big)
    assert b.receive() == big


def full_ring(vm, a, b):
    cards(vm, a, b, ring=8)
    frames = [ether(b.mac, a.mac, 0x88b5, bytes([i]) * 100) for i in range(20)]
    for i, frame in enumerate(frames):
        a.legacy(frame, at=2048 * i)
    a.set(TDT, a.tx)
    wait("the ring to be full", lambda: b.get(RDH) == 7)
    assert a.get(TDH) <= 20
    for frame in frames:
        assert b.receive() == frame, "nothing is lost, nothing comes twice"
    wait("all is sent", lambda: a.get(TDH) == 20)
    # A receiver that is off takes and drops.
    b.set(RCTL, 0)
    for frame in frames:
        a.send(frame)


def legacy_sum(vm, a, b):
    cards(vm, a, b)
    udp = struct.pack(">HHHH", 7, 9, 8 + 100, pseudo4(A4, B4, 17, 108)) + bytes(range(100))
    frame = ether(b.mac, a.mac, 0x0800, ipv4(A4, B4, 17, udp))
    a.legacy(frame, EOP | IFCS | IC | RS, cso=40, css=34)
    a.go()
    got = b.receive()
    assert checksum(A4 + B4 + struct.pack(">HH", 17, 108) + got[34:142]) == 0
    assert got[:40] + got[42:] == frame[:40] + frame[42:]


def context_sum(vm, a, b):
    """IXSM and TXSM, the card filling in both; then what the receiver says of them."""
    cards(vm, a, b)
    b.set(RXCSUM, 0x300)
    seg = tcp(csum=pseudo4(A4, B4, 6, 20 + 333)) + bytes(i & 255 for i in range(333))
    ip = ipv4(A4, B4, 6, seg)
    ip = ip[:10] + b"\0\0" + ip[12:]
    frame = ether(b.mac, a.mac, 0x0800, ip)
    a.context((14, 24, 33), (34, 50, 0))
    a.data(frame[:34], IFCS, popts=3)
    a.data(frame[34:], at=500)
    a.go()
    got, status, errors, _, _ = wait("a frame", b.poll)
    assert checksum(got[14:34]) == 0, "IP header"
    assert checksum(A4 + B4 + struct.pack(">HH", 6, 353) + got[34:]) == 0, "TCP"
    assert status & 0x67 == 0x63 and not errors, (status, errors)
    # Wrong ones are told.
    a.send(got[:60] + b"\x55" + got[61:])
    _, status, errors, _, _ = wait("a frame", b.poll)
    assert status & 0x60 == 0x60 and errors == 0x20, (status, errors)
    a.send(got[:24] + b"\x55" + got[25:])
    assert wait("a frame", b.poll)[2] & 0x40


def large_send(vm, a, b, v6, vlan):
    cards(vm, a, b)
    b.set(RXCSUM, 0x700)
    if vlan:
        a.set(CTRL, a.get(CTRL) | VME)
    payload, mss = bytes(i * 13 & 255 for i in range(20000)), 1428 if v6 else 1448
    if v6:
        head = struct.pack(">IHBB", 6 << 28, 0, 6, 64) + A6 + B6
        sums = ((14, 0, 0), (54, 70, 0))
    else:
        head = ipv4(A4, B4, 6, b"")
        head = head[:2] + b"\0\0" + head[4:10] + b"\0\0" + head[12:]
        sums = ((14, 24, 33), (34, 50, 0))
    # The length is not in the sum that the driver leaves (3.5.4).
    seed = pseudo4(A6 if v6 else A4, B6 if v6 else B4, 6, 0)
    head = b.mac + a.mac + struct.pack(">H", 0x86dd if v6 else 0x0800) + head
    head += tcp(0x18, seed)
    a.context(*sums, hdr=len(head), mss=mss, payload=len(payload), ip4=not v6, tse=True)
    a.data(head, TSE, popts=3)
    for at in range(0, 20000, 8000):
        last = at + 8000 >= 20000
        a.data(payload[at:at + 8000], TSE | (EOP | IFCS | RS | VLE * vlan if last else 0),
               vlan=0x2123, at=1000 + at)
    a.go()
    out, seq = b"", 100
    while len(out) < len(payload):
        got, status, errors, _, _ = wait("a segment", b.poll)
        if vlan:
            assert got[12:16] == b"\x81\x00\x21\x23", got[:20].hex()
            got = got[:12] + got[16:]
        n = len(head)
        assert got[:12] == head[:12] and len(got) - n <= mss
        assert struct.unpack_from(">I", got, n - 16)[0] == seq, "sequence"
        assert status & 0x20 and not errors, "checksum"
        flags, last = got[n - 7], len(out) + len(got) - n == len(payload)
        assert flags == (0x18 if last else 0x10), "PSH on the last one only"
        out += got[n:]
        seq += len(got) - n
    assert out == payload
    assert a.get(0x40f8) == 1, "TSCTC"
    assert a.get(0x40d4) == (15 if v6 else 14), "TPT counts segments"


def vlans(vm, a, b):
    cards(vm, a, b)
    plain = ether(b.mac, a.mac, 0x88b5, bytes(80))
    tagged = plain[:12] + b"\x81\x00\x00\x05" + plain[12:]
    a.set(CTRL, a.get(CTRL) | VME)
    a.legacy(plain, EOP | IFCS | RS | VLE, vlan=5)
    a.go()
    assert b.receive() == tagged, "insertion"
    b.set(CTRL, b.get(CTRL) | VME)
    a.send(tagged)
    got, status, _, _, special = wait("a frame", b.poll)
    assert got == plain and status & 8 and special == 5, "stripping"
    b.set(RCTL, b.get(RCTL) | VFE)
    a.send(tagged)
    b.set(VFTA, 1 << 6)
    a.send(tagged)
    six = tagged[:15] + b"\x06" + tagged[16:]
    a.send(six)
    assert wait("a frame", b.poll)[4] == 6, "the filter lets VLAN 6 pass only"
    # CFIEN: only tags whose CFI is RCTL.CFI (0)
    b.set(RCTL, b.get(RCTL) | 1 << 19)
    a.send(six[:14] + b"\x10" + six[15:])
    a.send(six)
    assert wait("a frame", b.poll)[4] == 6


def filters(vm, a, b):
    cards(vm, a, b)

    def try_(dst, expect):
        frame = ether(dst, a.mac, 0x88b5, dst * 10)
        mark = ether(b.mac, a.mac, 0x88b5, b"mark" * 20)
        a.send(frame)
        a.send(mark)
        got = b.receive()
        assert (got == frame) == expect, dst.hex()
        if got == frame:
            assert b.receive() == mark
    other, group = bytes.fromhex("020000000001"), bytes.fromhex("01005e123456")
    try_(b"\xff" * 6, True)
    try_(other, False)
    try_(group, False)
    rctl = b.get(RCTL)
    b.set(RCTL, rctl & ~BAM)
    try_(b"\xff" * 6, False)
    b.set(RCTL, rctl | UPE)
    try_(other, True)
    b.set(RCTL, rctl | MPE)
    try_(group, True)
    b.set(RCTL, rctl)
    b.set(RAL + 8 * 15, struct.unpack("<I", other[:4])[0])
    b.set(RAL + 8 * 15 + 4, 0x80000000 | struct.unpack("<H", other[4:])[0])
    try_(other, True)
    word = struct.unpack("<H", group[4:])[0]
    for offset, shift in ((0, 4), (1, 3), (2, 2), (3, 0)):
        b.set(RCTL, rctl | offset << 12)
        bit = word >> shift & 0xfff
        b.set(MTA + 4 * (bit >> 5), 1 << (bit & 31))
        try_(group, True)
        b.set(MTA + 4 * (bit >> 5), 0)
        try_(group, False)


def interrupts(vm, a, b):
    cards(vm, a, b)
    line = lambda: vm.q("endianness") == 0 and vm.q.lines.get(IRQS[b.n], False)
    wait("a quiet line", lambda: not line())
    b.get(ICR)
    b.set(IMS, RXT0)
    a.send(ether(b.mac, a.mac, 0x88b5, bytes(80)))
    wait("the line", line)
    assert b.get(ICR) & RXT0 and not b.get(ICR)
    assert not line(), "reading lowers it"
    b.set(ICS, LSC)
    assert not line() and b.get(IMS) == RXT0
    b.set(IMS, LSC)
    wait("the line", line)
    b.set(IMC, 0xffffffff)
    assert not line() and b.get(ICR) == LSC
    # Throttled to one in 16 ms: the second comes, but later; a receive delay of 1 ms.
    b.set(ITR, 62500)
    b.set(RDTR, 1000)
    b.set(RADV, 2000)
    b.set(IMS, RXT0)
    for _ in range(3):
        a.send(ether(b.mac, a.mac, 0x88b5, bytes(80)))
        vm.q("clock_step", 100000000)
        wait("the line", line)
        assert b.get(ICR) & RXT0
    # A transmit that asks for a delay.
    a.set(TIDV, 500)
    a.set(ITR, 0)
    a.get(ICR)
    a.legacy(ether(b.mac, a.mac, 0x88b5, bytes(80)), EOP | IFCS | RS | 0x80)
    a.go()
    vm.q("clock_step", 100000000)
    wait("TXDW", lambda: a.get(ICR) & TXDW)


def statistics(vm, a, b):
    cards(vm, a, b)
    for size in (64, 65, 128, 256, 512, 1024, 1518):
        a.send(ether(b.mac, a.mac, 0x88b5, bytes(size - 18)))
    a.send(ether(b"\xff" * 6, a.mac, 0x88b5, bytes(46)))
    a.send(ether(b"\1" * 6, a.mac, 0x88b5, bytes(46)))
    for _ in range(8):
        b.receive()
    total = 64 + 65 + 128 + 256 + 512 + 1024 + 1518 + 64
    want = {0x405c: 2, 0x4060: 1, 0x4064: 1, 0x4068: 1, 0x406c: 1, 0x4070: 2, 0x4074: 8, 0x4078: 1,
            0x407c: 0, 0x4088: total, 0x408c: 0}
    for reg, value in want.items():
        assert b.get(reg) == value, (hex(reg), value)
        assert b.get(reg) == 0, "cleared by reading"
    want = {0x40d8: 3, 0x40ec: 2, 0x4080: 9, 0x40d4: 9, 0x40f0: 1, 0x40f4: 1, 0x4090: total + 64,
            0x40c8: total + 64}
    for reg, value in want.items():
        assert a.get(reg) == value, (hex(reg), value)


def link(vm, a, b):
    a.up()
    a.get(ICR)
    vm.order("set_link card0 off")
    wait("LSC", lambda: a.get(ICR) & LSC)
    assert not a.get(STATUS) & 2 and not a.phy(1) & 4 and not a.phy(17) & 0x400
    vm.order("set_link card0 on")
    wait("LSC", lambda: a.get(ICR) & LSC)
    assert a.get(STATUS) & 2
    a.phy(1)
    assert a.phy(1) & 4


def loopback(vm, a, b):
    a.up(rctl=BAM | 0x40)
    frame = ether(a.mac, a.mac, 0x88b5, bytes(90))
    a.send(frame)
    assert a.receive() == frame


def bus_master(vm, a, b):
    cards(vm, a, b)
    mastering(a)
    assert b.receive()[14:] == bytes(90)


def odd(vm, a, fn):
    """Something is wrong; after a reset the card works."""
    a.up()
    fn(a)
    a.set(TDT, a.tx)
    vm.q("endianness")
    b = vm.b
    cards(vm, a, b)
    frame = ether(b.mac, a.mac, 0x88b5, bytes(100))
    a.send(frame)
    assert b.receive() == frame


def good_after(card, *descs):
    """Bad descriptors, then a good one, which is sent."""
    for first, second in descs:
        card.put(first, second)
    card.send(ether(MACS[1], card.mac, 0x88b5, bytes(100)))


def rx_outside(card):
    for i in range(card.ring):
        card.q("writeq", card.rxring + 16 * i, 0xfffffffffffff000 if i % 2 else 0x7ffffff0)
    card.set(RCTL, EN | BAM | UPE | MPE)
    good_after(card)


RSEOP = (EOP | RS) << 24
ODD = {
    "buffers outside of memory": lambda c: good_after(
        c, (0xffffffffffffff00, 1000 | RSEOP), (0x3fffff0, 1000 | RSEOP)),
    "lengths of 0 and 65535": lambda c: good_after(
        c, (0x1000, 0 | RSEOP), (0x1000, 0xffff | RSEOP), (0x1000, 13 | RSEOP)),
    "a frame of a mebibyte": lambda c: good_after(
        c, *[(0x1000, 0xfffff | 1 << 20 | DEXT << 24)] * 4,
        (0x1000, 0xfffff | 1 << 20 | (DEXT | EOP | RS) << 24)),
    "a descriptor of no type": lambda c: good_after(
        c, (0x1000, 100 | 7 << 20 | (DEXT | EOP | RS) << 24)),
    "a tail beyond the ring": lambda c: (
        c.legacy(bytes(100)), c.set(TDT, 0xffff), c.set(RDT, 0xffff)),
    "a head beyond the ring": lambda c: (
        c.legacy(bytes(100)), c.set(TDH, 0xffff), c.set(RDH, 0xffff)),
    "TDLEN and RDLEN of 0": lambda c: (c.set(TDLEN, 0), c.set(RDLEN, 0), c.set(TDT, 5)),
    "rings outside of memory": lambda c: (
        c.set(TDBAH, 0xffffffff), c.set(RDBAH, 0x1234), c.set(TDT, 5), c.set(RDT, 3)),
    "segmentation: headers longer than the frame": lambda c: (
        c.context((14, 24, 33), (34, 50, 0), hdr=255, mss=1000, payload=10, tse=True),
        c.data(bytes(60), EOP | RS | TSE, 3), good_after(c)),
    "segmentation: size 0, headers 0": lambda c: (
        c.context((14, 24, 33), (34, 50, 0), hdr=54, mss=0, payload=10, tse=True),
        c.data(bytes(600), EOP | RS | TSE, 3),
        c.context((255, 255, 0), (255, 255, 0), hdr=0, mss=1, payload=10, tse=True),
        c.data(bytes(600), EOP | RS | TSE, 3), good_after(c)),
    "checksums beyond the frame": lambda c: (
        c.context((200, 255, 10), (250, 255, 65535)), c.data(bytes(60), EOP | RS, 3),
        c.legacy(bytes(60), EOP | RS | IC, cso=59, css=255), good_after(c)),
    "no end of packet": lambda c: (
        [c.legacy(bytes(20), RS) for _ in range(RING - 1)], c.set(TDT, c.tx)),
    "receive buffers outside of memory": rx_outside,
}


def garbage(vm, a, b):
    """Registers written while the card runs."""
    cards(vm, a, b)
    seed = 1
    for _ in range(600):
        seed = (seed * 1103515245 + 12345) & 0x7fffffff
        a.set((seed >> 6 & 0x1ffff) & ~3 if seed & 1 else
              (RDBAL, TDBAL, 0, 0x100, 0x400)[seed % 5] + (seed >> 8 & 0x1c), seed * 7 & 0xffffffff)
    odd(vm, a, lambda card: None)


class Machine:
    def __init__(self, folder, models=("e1000", "e1000"), user=True):
        path, self.monitor = os.path.join(folder, "qtest"), os.path.join(folder, "monitor")
        for old in (path, self.monitor):
            if os.path.exists(old):
                os.unlink(old)
        args = [VMWIRE, "-accel", "qtest", "-qtest", "unix:%s,server=on,wait=off" % path,
                "-m", "64", "-nographic", "-monitor", "unix:%s,server=on,wait=off" % self.monitor]
        for i, model in enumerate(models):
            args += ["-net", "nic,model=%s,name=card%d,macaddr=%s,addr=%d" %
                     (model, i, MACS[i].hex(":"), 3 + i)]
        if user:
            args += ["-net", "user"]
        self.vm = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        self.q = Qtest(path)
        self.q("outl", 0xcf8, 0x80000800 | 0x60)
        self.q("outl", 0xcfc, 0x0a0a0a0b)
        self.q("irq_intercept_in", "ioapic")
        self.a, self.b = E1000(self.q, 0, 3), E1000(self.q, 1, 4)

    def order(self, text):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(self.monitor)
            s.sendall(text.encode() + b"\n")
            s.settimeout(5)
            seen = b""
            while text.encode() not in seen or seen.count(b"(") < 2:
                seen += s.recv(4096)

    def close(self):
        self.q.close()
        self.vm.terminate()
        assert self.vm.wait(10) in (0, -15), self.vm.returncode


def relatives(folder):
    m = Machine(folder, ("e1000-82544gc", "e1000-82545em"))
    try:
        assert m.a.config(2, 2) == 0x1008 and m.b.config(2, 2) == 0x100f
        assert m.a.phy(3) == 0xc30 and m.b.phy(3) == 0xc20
        cards(m, m.a, m.b)
        frame = ether(m.b.mac, m.a.mac, 0x88b5, bytes(100))
        m.a.send(frame)
        assert m.b.receive() == frame
    finally:
        m.close()


TESTS = [
    ("identity, BARs, I/O window", identity), ("EEPROM, both ways", eeprom), ("PHY", phy),
    ("address by DHCP, as firmware does it", dhcp), ("frames of all sizes", both_ways),
    ("FCS bytes", crc_bytes), ("a frame in several descriptors, LPE", several),
    ("a full ring", full_ring), ("legacy checksum", legacy_sum),
    ("checksums by context, receive status", context_sum),
    ("segmentation, IPv4", lambda *v: large_send(*v, False, False)),
    ("segmentation, IPv6", lambda *v: large_send(*v, True, False)),
    ("segmentation with a VLAN tag", lambda *v: large_send(*v, False, True)),
    ("VLAN: insert, strip, filter", vlans), ("address filters", filters),
    ("interrupts, throttle, delays", interrupts), ("statistics", statistics),
    ("link down and up", link), ("loopback", loopback),
    ("waits for bus mastering", bus_master),
]


def main():
    folder = tempfile.mkdtemp(prefix="vmwire-e1000-")
    tap = Tap(len(TESTS) + len(ODD) + 3)
    try:
        m = Machine(folder)
        for name, fn in TESTS:
            tap.run(name, lambda fn=fn: fn(m, m.a, m.b))
        for name, fn in ODD.items():
            tap.run(name + ": works after a reset", lambda fn=fn: odd(m, m.a, fn))
        tap.run("garbage in the registers", lambda: garbage(m, m.a, m.b))
        tap.run("ends well", m.close)
        tap.run("82544GC and 82545EM", lambda: relatives(folder))
    finally:
        shutil.rmtree(folder)
    sys.exit(1 if tap.bad else 0)


if __name__ == "__main__":
    main()
