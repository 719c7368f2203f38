#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Firmware's surroundings behind the qtest accelerator: the ROM and the RAM under it as the host bridge shows them, and
fw_cfg by ports and by DMA, with descriptors that are no good. No KVM, no root.

usage: firmware.py [PATH-OF-VMWIRE]    prints TAP
"""
import os
import struct
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
import virtio_net as wire  # noqa: E402

BIOS = "/usr/share/seabios/bios-256k.bin"
RAM = 64 << 20
DESC, TO = 0x3000, 0x4000
ERROR, READ, SKIP, SELECT, WRITE = 1, 2, 4, 8, 16


class Machine:
    def __init__(self, folder, *options):
        path = os.path.join(folder, "q")
        self.vm = subprocess.Popen(
            [wire.VMWIRE, "-accel", "qtest", "-qtest", "unix:%s,server=on,wait=off" % path, "-m", "64", "-nographic",
             *options], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        self.q = wire.Qtest(path)

    def end(self):
        self.q.close()
        assert self.vm.wait(wire.TIMEOUT) == 0, self.vm.returncode

    def config(self, devfn, reg, value=None):
        self.q("outl", 0xcf8, 0x80000000 | devfn << 8 | reg & ~3)
        if value is None:
            return self.q("inb", 0xcfc + (reg & 3))
        return self.q("outb", 0xcfc + (reg & 3), value)

    def select(self, key):
        self.q("outw", 0x510, key)

    def bytes(self, n):
        return bytes(self.q("inb", 0x511) for _ in range(n))

    def dma(self, control, length, to):
        """The control word after a transfer."""
        self.q.store(DESC, struct.pack(">IIQ", control, length, to))
        self.start(DESC)
        return struct.unpack(">I", self.q.load(DESC, 4))[0]

    def start(self, desc):
        self.q("outl", 0x514, int.from_bytes(struct.pack(">I", desc >> 32), "little"))
        self.q("outl", 0x518, int.from_bytes(struct.pack(">I", desc & 0xffffffff), "little"))

    def directory(self):
        """{name: (key, size)}"""
        assert self.dma(0x19 << 16 | SELECT | READ, 4, TO) == 0
        n = struct.unpack(">I", self.q.load(TO, 4))[0]
        assert self.dma(READ, 64 * n, TO) == 0
        files = {}
        for i in range(n):
            size, key, _, name = struct.unpack(">IHH56s", self.q.load(TO + 64 * i, 64))
            files[name.rstrip(b"\0").decode()] = key, size
        return files

    def file(self, name):
        key, size = self.directory()[name]
        assert self.dma(key << 16 | SELECT | READ, size, TO) == 0
        return self.q.load(TO, size)


def the_rom(m):
    image = open(BIOS, "rb").read()
    for at, size in ((0x100000000 - len(image), 64), (0xfffffff0, 16), (0xe0000, 64), (0xffff0, 16)):
        want = image[at - 0x100000000:][:size] if at > 1 << 20 else image[at - 0x100000:][:size]
        assert m.q.load(at, size) == want, hex(at)
    assert m.q.load(0xd0000, 8) == b"\xff" * 8
    m.q("writel", 0xffff0, 0)
    m.q("writel", 0xfffffff0, 0)
    assert m.q.load(0xfffffff0, 16) == m.q.load(0xffff0, 16) == image[-16:]


def shadowing(m):
    rom = m.q.load(0xf0000, 16)
    m.config(0, 0x59, 0x20)  # reads from the ROM, writes into RAM
    m.q.store(0xf0000, b"shadow of a rom!")
    assert m.q.load(0xf0000, 16) == rom
    m.config(0, 0x59, 0x10)  # RAM, read-only
    m.q.store(0xf0000, b"x" * 16)
    assert m.q.load(0xf0000, 16) == b"shadow of a rom!"
    m.config(0, 0x59, 0x30)
    m.q("writeb", 0xf0000, 0x53)
    assert m.q.load(0xf0000, 16) == b"Shadow of a rom!"
    m.q("outb", 0xcf9, 2)
    m.q("outb", 0xcf9, 6)  # a reset shows the ROM again
    wire.wait("the reset", lambda: m.q.load(0xf0000, 16) == rom)
    assert m.config(0, 0x59) == 0
    m.config(0, 0x59, 0x30)
    assert m.q.load(0xf0000, 16) == b"Shadow of a rom!"


def ports(m):
    m.select(0)
    assert m.bytes(5) == b"QEMU\0"
    m.select(1)
    assert m.bytes(4) == b"\3\0\0\0"
    assert m.q("inl", 0x514).to_bytes(4, "little") + m.q("inl", 0x518).to_bytes(4, "little") == b"QEMU CFG"
    m.select(5)
    assert m.bytes(2) == b"\2\0"
    for key in (0x3ff, 0x7fff, 0x8000, 0xffff):
        m.select(key)
        assert m.bytes(2) == b"\0\0"


def files(m):
    names = m.directory()
    for want in ("etc/e820", "bootorder", "etc/acpi/tables", "etc/acpi/rsdp", "etc/table-loader"):
        assert want in names, names
    e820 = m.file("etc/e820")
    assert (0, RAM, 1) in [struct.unpack_from("<QQI", e820, i) for i in range(0, len(e820), 20)]
    assert m.file("bootorder") == b"/pci@i0cf8/ethernet@4/ethernet-phy@0\n/pci@i0cf8/ethernet@3/ethernet-phy@0\0"
    assert m.file("etc/acpi/rsdp")[:8] == b"RSD PTR "
    assert len(m.file("etc/table-loader")) % 128 == 0
    assert m.file("etc/smbios/smbios-anchor")[:4] == b"_SM_"
    assert b"nr7\0" in m.file("etc/smbios/smbios-tables")
    assert m.file("opt/text") == b"hello, world"
    assert m.file("opt/file") == m.file("genroms/firmware.py") == open(__file__, "rb").read()


def bad_descriptors(m):
    for length, to in ((1, RAM), (RAM, 1), (0xffffffff, 0), (2, RAM - 1), (8, 2 ** 64 - 4), (1, 0xffff0000)):
        assert m.dma(SELECT | READ, length, to) == ERROR, (length, hex(to))
    assert m.q("readb", RAM - 1) == 0
    assert m.dma(SELECT | WRITE, 4, TO) == ERROR
    assert m.dma(SELECT | SKIP, 0xffffffff, 2 ** 64 - 1) == 0
    for desc in (RAM - 8, RAM, 0xfffffff0, 2 ** 64 - 1, 2 ** 64 - 16, 2 ** 63):
        m.start(desc)
    assert m.dma(SELECT | READ, 4, TO) == 0
    assert m.q.load(TO, 4) == b"QEMU"
    assert m.dma(0, 4, TO) == 0


def letters(m):
    m.q("outb", 0x70, 0x3d)
    assert m.q("inb", 0x71) == 0x43  # network after CD
    m.q("outb", 0xcf9, 2)
    m.q("outb", 0xcf9, 6)
    wire.wait("the second boot", lambda: m.q("outb", 0x70, 0x3d) == 0 and m.q("inb", 0x71) == 0x12)


def own_roms(m):
    """Cards have their model's boot ROM: 128 KiB hold it; romfile= alone takes it away."""
    for slot, want in ((3, 0xfffe0001), (4, 0xfffe0001), (5, 0)):
        m.q("outl", 0xcf8, 0x80000000 | slot << 11 | 0x30)
        m.q("outl", 0xcfc, 0xffffffff)
        assert m.q("inl", 0xcfc) == want, slot
    # A ROM names the card that has it, also where one file serves several models.
    m.q("outl", 0xcfc, 0)
    m.q("outl", 0xcf8, 0x80000000 | 4 << 11 | 0x30)
    m.q("outl", 0xcfc, 0xe0000001)
    m.q("outl", 0xcf8, 0x80000000 | 4 << 11 | 0x04)
    m.q("outl", 0xcfc, 2)
    image = m.q.load(0xe0000000, m.q("readb", 0xe0000002) * 512)
    at = struct.unpack_from("<H", image, 0x18)[0]
    assert image[at:at + 8] == b"PCIR\x86\x80\x08\x10", image[at:at + 8]
    assert sum(image) & 255 == 0


def main():
    tap = wire.Tap(8)
    with tempfile.TemporaryDirectory() as folder:
        m = Machine(folder, "-smp", "2", "-boot", "once=dn", "-smbios", "type=1,serial=nr7", "-fw_cfg",
                    "opt/text,string=hello,, world", "-fw_cfg", "name=opt/file,file=" + __file__, "-option-rom",
                    __file__,
                    "-netdev", "user,id=a", "-netdev",
                    "user,id=b", "-netdev", "user,id=c", "-device", "virtio-net-pci,netdev=a,bootindex=7",
                    "-device", "e1000-82544gc,netdev=b,bootindex=2", "-device", "rtl8139,netdev=c,romfile=")
        for text, act in (("the ROM is where CPUs start and below 1 MiB", the_rom),
                          ("cards have their boot ROM", own_roms),
                          ("-boot once= counts for one boot", letters),
                          ("a segment's RAM is written behind its ROM, protected, and hidden by a reset", shadowing),
                          ("fw_cfg by its ports", ports), ("fw_cfg's files", files),
                          ("DMA to nowhere, from nowhere", bad_descriptors)):
            tap.run(text, lambda act=act: act(m))
        tap.run("vmwire ends with its client", m.end)
        if m.vm.poll() is None:
            m.vm.kill()
    return 1 if tap.bad else 0


if __name__ == "__main__":
    sys.exit(main())
