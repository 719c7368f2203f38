#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# limit: 120
"""The guest's screen, keyboard and mouse by VNC (V3), over the qtest accelerator: what is written to registers and video
memory is what viewers see, what they type and point at is what the keyboard controller hands out. No KVM, no root."""

import os
import re
import socket
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent)]
import rfb  # noqa: E402
import virtio_net as vn  # noqa: E402

TOP = Path(__file__).resolve().parent.parent.parent
VMWIRE = os.environ.get("VMWIRE", str(TOP / "build" / "vmwire"))
TMP = tempfile.TemporaryDirectory()
PROMPT = b"(vmwire) "
MODE3 = bytes.fromhex("5f4f50825581bf1f004f0d0e000000009c8e8f281f96b9a3ff")
count = bad = 0


def check(name, good, *why):
    global count, bad
    count += 1
    bad += not good
    print("%sok %d - %s" % ("" if good else "not ", count, name), flush=True)
    if not good:
        for line in why:
            print("# " + repr(line)[:2000])


class Vm:
    """A machine without a CPU, its monitor and its viewers."""

    def __init__(self, *options, vnc="unix:%s"):
        self.dir = tempfile.mkdtemp(dir=TMP.name)
        self.vnc = os.path.join(self.dir, "vnc")
        mon, qtest = os.path.join(self.dir, "mon"), os.path.join(self.dir, "q")
        display = ["-vnc", vnc % self.vnc if "%s" in vnc else vnc] if vnc else []
        self.p = subprocess.Popen([VMWIRE, "-accel", "qtest", "-qtest", "unix:%s,server=on,wait=off" % qtest, "-m", "64",
                                   "-net", "none", "-monitor", "unix:%s,server=on,wait=off" % mon, *display, *options],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.q = vn.Qtest(qtest)
        self.s = socket.socket(socket.AF_UNIX)
        self.s.settimeout(20)
        self.s.connect(mon)
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

    def view(self, password=None):
        v = rfb.Viewer(self.vnc, password)
        v.update()
        return v

    def out(self, port, index, val):
        self.q("outw", port, val << 8 | index)

    def attr(self, index, val):
        self.q("inb", 0x3da)
        for byte in (index, val, 0x20):
            self.q("outb", 0x3c0, byte)

    def palette(self):
        self.q("outb", 0x3c8, 0)
        for i in range(16):
            low = 0x2a if i < 8 else 0x3f
            for bit in (4, 2, 1):
                self.q("outb", 0x3c9, low if i & bit else 0x15 if i & 8 else 0)

    def text_mode(self):
        """Mode 3 of 80 x 25 with the VGA BIOS's glyphs, as that sets it; cells of 8 pixels."""
        self.q("outb", 0x3c2, 0x67)
        for index, val in ((1, 1), (2, 4), (3, 0), (4, 6)):
            self.out(0x3c4, index, val)
        for index, val in ((0, 0), (1, 0), (3, 0), (4, 0), (5, 0), (6, 4), (7, 15), (8, 255)):
            self.out(0x3ce, index, val)
        self.q.store(0xa0000, b"".join(g.ljust(32, b"\0") for g in rfb.font()))
        self.out(0x3c4, 2, 3)
        self.out(0x3c4, 4, 2)
        self.out(0x3ce, 5, 0x10)
        self.out(0x3ce, 6, 0x0e)
        self.out(0x3d4, 0x11, 0)
        for i, val in enumerate(MODE3):
            self.out(0x3d4, i, val)
        self.out(0x3d4, 0x0a, 0x20)
        for i in range(16):
            self.attr(i, i)
        self.attr(0x10, 0x0c)
        self.attr(0x12, 15)
        self.palette()
        self.q.store(0xb8000, b" \x07" * 2000)

    def say(self, row, text, color=7):
        self.q.store(0xb8000 + 160 * row, b"".join(bytes([ord(c), color]) for c in text))

    def vbe(self, **regs):
        for name, val in regs.items():
            self.q("outw", 0x1ce, ["id", "x", "y", "bpp", "on", "bank", "vx", "vy", "left", "top"].index(name))
            self.q("outw", 0x1cf, val)

    def ps2(self):
        """Bytes that wait in the keyboard controller: (of the keyboard, of the mouse)."""
        got = bytearray(), bytearray()
        while (status := self.q("inb", 0x64)) & 1:
            got[status >> 5 & 1].append(self.q("inb", 0x60))
        return got[0].hex(), got[1].hex()

    def ps2_until(self, want, seconds=10):
        kbd = aux = ""
        end = time.monotonic() + seconds
        while (kbd, aux) != want and time.monotonic() < end:
            k, a = self.ps2()
            kbd, aux = kbd + k, aux + a
        return kbd, aux

    def aux(self, *commands):
        for c in commands:
            self.q("outb", 0x64, 0xd4)
            self.q("outb", 0x60, c)
            self.ps2()

    def sleeps(self):
        """How often the server's thread has gone to sleep."""
        for task in Path("/proc/%d/task" % self.p.pid).iterdir():
            if (task / "comm").read_text() == "vnc\n":
                return int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", (task / "status").read_text(), re.M)[1])
        return None

    def end(self):
        begin = time.monotonic()
        self.s.sendall(b"quit\n")
        try:
            _, err = self.p.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            self.p.kill()
            _, err = self.p.communicate()
        self.s.close()
        self.q.close()
        took = time.monotonic() - begin
        check("vmwire ends well, and soon", self.p.returncode == 0 and b"Sanitizer" not in err and took < 4,
              self.p.returncode, err, took)
        return err.decode()


LETTERS = rfb.glyphs()


def shows(row, text):
    return lambda v: v.h >= 400 and v.w == 640 and v.text(LETTERS)[row] == text


def test_text():
    vm = Vm()
    v = vm.view()
    check("before anybody sets a mode the screen is black", (v.w, v.h) == (720, 400) and not any(v.pix), v.w, v.h)
    vm.text_mode()
    vm.say(0, "Hello, world")
    vm.say(24, "the last line", 0x1e)
    check("text is seen", v.until(shows(0, "Hello, world")) and v.until(shows(24, "the last line")), v.text(LETTERS))
    check("in its colours", v.color(0, 399) == (0, 0, 0xaa) and (0xff, 0xff, 0x55) in
          {v.color(x, y) for x in range(8) for y in range(384, 400)})
    v.update(1)
    v.rects, v.bytes = [], 0
    vm.say(12, "x")
    check("what changes is seen", v.until(shows(12, "x")))
    check("and it alone is sent", v.rects == [(0, 192, 8, 16)], v.rects)
    dump = os.path.join(vm.dir, "a.ppm")
    answer = vm.cmd("screendump " + dump)
    data = Path(dump).read_bytes()
    same = bytes(b for i, b in enumerate(v.pix) if i % 4 != 3)
    check("screendump: the same picture", not answer and data == b"P6\n640 400\n255\n" + same, answer, data[:40])
    vm.cmd("screendump -f png " + dump)
    data = Path(dump).read_bytes()
    check("screendump -f png", data[:8] == b"\x89PNG\r\n\x1a\n" and struct.unpack(">II", data[16:24]) == (640, 400) and
          len(b"".join(zlib.decompress(p) for p in [idat(data)])) == 400 * (1 + 3 * 640), data[:40])
    for line, want in (("screendump /nowhere/x", "screendump: /nowhere/x: No such file or directory\n"),
                       ("screendump x -f gif", "screendump: -f gif: allowed are ppm and png\n")):
        check(line, vm.cmd(line) == want, vm.cmd(line))
    v.close()
    return vm


def idat(png):
    at, out = 8, b""
    while at < len(png):
        n, kind = struct.unpack(">I4s", png[at:at + 8])
        out += png[at + 8:at + 8 + n] if kind == b"IDAT" else b""
        at += 12 + n
    return out


def test_graphics(vm):
    v = vm.view()
    vm.vbe(x=800, y=600, bpp=32, on=0xc1)  # the text stays in memory
    check("another mode: the viewer is told the size", v.until(lambda v: (v.w, v.h) == (800, 600)), v.w, v.h)
    vm.q("outl", 0xcf8, 0x80001010)
    vm.q("outl", 0xcfc, 0xe0000000)
    vm.q("outl", 0xcf8, 0x80001004)
    vm.q("outl", 0xcfc, 3)
    vm.q.store(0xe0000000 + 4 * (800 * 300 + 400), bytes((0x33, 0x22, 0x11, 0)) * 8)
    check("pixels of the frame buffer are seen", v.until(lambda v: v.color(403, 300) == (0x11, 0x22, 0x33)),
          v.color(403, 300))
    check("info pci shows the card and its ROM", all(t in vm.cmd("info pci") for t in
                                                     ("slot 02.0: 1234:1111 VGA", "memory at 0xe0000000", "ROM:")))
    vm.vbe(on=0)
    check("back to text", v.until(shows(0, "Hello, world")))
    v.close()


def test_input(vm):
    v = vm.view()
    vm.q("outb", 0x64, 0x60)
    vm.q("outb", 0x60, 0x47)
    v.type("a!")
    want = "1e9e" + "2a02aa82"
    got = vm.ps2_until((want, ""))
    check("keys", got == (want, ""), got)
    v.tap(rfb.CTRL, ord("c"))
    got = vm.ps2_until(("1d2eae9d", ""))
    check("keys together", got == ("1d2eae9d", ""), got)
    v.key(rfb.SHIFT, True)
    vm.ps2_until(("2a", ""))
    v.close()
    got = vm.ps2_until(("aa", ""))
    check("a viewer that goes lets go of its keys", got == ("aa", ""), got)
    v = vm.view()
    check("info mice", "does not listen" in vm.cmd("info mice"), vm.cmd("info mice"))
    vm.aux(0xf3, 200, 0xf3, 100, 0xf3, 80, 0xf4)
    check("info mice, of a guest that has a driver", "in use" in vm.cmd("info mice"))
    v.pointer(100, 100)
    v.pointer(110, 95)
    got = vm.ps2_until(("", "080a0500"))
    check("the pointer moves", got == ("", "080a0500"), got)
    v.pointer(110, 95, 1)
    v.pointer(110, 95, 0)
    got = vm.ps2_until(("", "09000000" + "08000000"))
    check("a click", got == ("", "0900000008000000"), got)
    v.pointer(110, 95, 16)
    got = vm.ps2_until(("", "08000001"))
    check("the wheel", got == ("", "08000001"), got)
    v.cut("a clipboard \xe9")
    v.tap(ord("b"))
    check("a clipboard does no harm", vm.ps2_until(("30b0", "")) == ("30b0", ""))
    vm.cmd("sendkey ctrl-alt-delete 1")
    vm.q("clock_step", 2000000)
    got = vm.ps2_until(("1d38e053" + "e0d3b89d", ""))
    check("sendkey", got == ("1d38e053e0d3b89d", ""), got)
    check("sendkey: what is no key", "foo is not a key" in vm.cmd("sendkey ctrl-foo"), vm.cmd("sendkey ctrl-foo"))
    v.close()


def test_viewers(vm):
    end = time.monotonic() + 10
    while "no viewer" not in vm.cmd("info vnc") and time.monotonic() < end:
        time.sleep(0.02)
    before = vm.sleeps()
    time.sleep(0.5)
    check("without a viewer the thread sleeps", before is not None and vm.sleeps() == before, before, vm.sleeps())
    a, b = vm.view(), vm.view()
    info = vm.cmd("info vnc")
    check("info vnc", "server unix:" in info and "viewer 1: local" in info and "viewer 2: local" in info, info)
    vm.say(3, "for both")
    check("two viewers see the same", a.until(shows(3, "for both")) and b.until(shows(3, "for both")))
    # One asks for all, again and again, and takes nothing.
    b.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    b.s.setblocking(False)
    try:
        while True:
            b.s.send(struct.pack(">BBHHHH", 3, 0, 0, 0, b.w, b.h))
    except BlockingIOError:
        pass
    begin = time.monotonic()
    vm.say(4, "the guest goes on")
    took = time.monotonic() - begin
    check("a viewer that takes nothing does not hold the guest up", took < 2, took)
    check("and the other one not for ever", a.until(shows(4, "the guest goes on"), 30))
    for _ in range(20):
        c = vm.view()
        c.close()
    junk = socket.socket(socket.AF_UNIX)
    junk.connect(vm.vnc)
    junk.sendall(b"GET / HTTP/1.0\r\n\r\n" + os.urandom(4000))
    junk.close()
    vm.say(5, "still there")
    check("viewers that come and go, and one that talks nonsense", a.until(shows(5, "still there"), 30))
    a.ask()
    return vm.end(), b


def test_password():
    vm = Vm(vnc="unix:%s,password=on")

    def enters(password):
        try:
            vm.view(password).close()
            return True
        except (rfb.Refused, EOFError, ConnectionError):
            return False
    check("before a password is set nobody gets in", not enters("") and not enters("secret"))
    check("change vnc password", vm.cmd("change vnc password secret") == "" and enters("secret"))
    check("a wrong one, none, one that is too short", not enters("Secret") and not enters("") and not enters("secre"))
    check("set_password", vm.cmd("set_password vnc longer-than-8") == "" and enters("longer-t") and
          not enters("secret"))
    check("expire_password vnc now", vm.cmd("expire_password vnc now") == "" and not enters("longer-t"))
    check("expire_password vnc +100", vm.cmd("expire_password vnc +100") == "" and enters("longer-t"))
    check("expire_password vnc rubbish", "rubbish" in vm.cmd("expire_password vnc rubbish"))
    check("info vnc says it", "password: on" in vm.cmd("info vnc"))
    vm.end()


def fails(name, text, *options):
    p = subprocess.run([VMWIRE, "-accel", "qtest", "-qtest", "unix:%s/none,server=on,wait=off" % TMP.name, *options],
                       stdin=subprocess.DEVNULL, capture_output=True, timeout=20)
    err = p.stderr.decode()
    check(name, p.returncode == 1 and err.count("\n") == 1 and text in err, p.returncode, err)


def test_ports():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        n = taken.getsockname()[1] - 5900
        fails("a port that is taken", "port %d: Address already in use; give another display" % (n + 5900),
              "-vnc", "127.0.0.1:%d" % n)
        vm = Vm(vnc="127.0.0.1:%d,to=%d" % (n, n + 50))
        check("change vnc password without password=on", "password=on" in vm.cmd("change vnc password x"))
        at = re.search(r"server (127\.0\.0\.1:\d+)", vm.cmd("info vnc"))
        check("to=: the next free one", at and at[1] != "127.0.0.1:%d" % (n + 5900), at)
        v = rfb.Viewer(at[1])
        check("a viewer by TCP", v.update() and "viewer 1: 127.0.0.1" in vm.cmd("info vnc"), vm.cmd("info vnc"))
        v.close()
        err = vm.end()
        check("where it is, is said", "VNC server running on " + at[1] in err, err)
    vm = Vm(vnc=None)
    at = re.search(r"server (\S+:\d+),", vm.cmd("info vnc"))
    check("who asks for nothing gets a server on the loopback", at and at[1].split(":5")[0] in ("127.0.0.1", "[::1]"), at)
    check("a viewer there", at and rfb.Viewer(at[1]).update())
    vm.end()
    vm = Vm("-display", "none", vnc=None)
    check("-display none", "no VNC server" in vm.cmd("info vnc") and "no VNC server" in vm.cmd("change vnc password x"))
    vm.end()
    vm = Vm("-vga", "none", vnc=None)
    check("-vga none", "1234:1111" not in vm.cmd("info pci") and "-vga none" in vm.cmd("screendump x"))
    vm.end()


def test_options():
    fails("-vnc without a display", "-vnc localhost", "-vnc", "localhost")
    fails("-vnc: what is not there", "tls-creds", "-vnc", ":1,tls-creds=x")
    fails("-vnc and -vga none", "-vga none has no screen", "-vnc", ":1", "-vga", "none")
    fails("-vga", "-vga cirrus is not implemented yet: allowed are std and none", "-vga", "cirrus")
    fails("-vga, a slip of the pen", "did you mean std", "-vga", "sdt")
    fails("-display", "-display gtk is not implemented yet: allowed are none, vnc", "-display", "gtk")
    fails("-k", "allowed are en-us, en-gb, de, fr", "-k", "xx")
    fails("two servers", "a second VNC server", "-vnc", "unix:/nowhere/x", "-vnc", ":2")
    fails("a path that cannot be", "-vnc unix:/nowhere/x: No such file", "-vnc", "unix:/nowhere/x")
    fails("two display adapters", "VGA", "-device", "VGA,vgamem_mb=32")
    vm = Vm("-k", "de", "-device", "VGA")
    v = vm.view()
    v.type("z")
    check("-k de", vm.ps2_until(("35f035", "")) == ("35f035", ""))
    v.close()
    vm.end()


def main():
    vm = test_text()
    test_graphics(vm)
    test_input(vm)
    _, stalled = test_viewers(vm)
    stalled.close()
    test_password()
    test_ports()
    test_options()
    print("1..%d" % count)
    return bad != 0


if __name__ == "__main__":
    sys.exit(main())
