# SPDX-License-Identifier: BSD-2-Clause
"""A small VNC viewer for tests: the RFB protocol 3.8 (RFC 6143), raw encoding, keys, pointer, passwords, and reading the
text that is on the screen. Standard library only.

Pixels are kept as bytes R, G, B, 0. Text is read by comparing cells of 8x16 pixels with the glyphs of the VGA BIOS, or of
Linux's console: those of the vmlinux that $RFB_FONT names.

usage: rfb.py ADDRESS text                 prints the text on the screen
       rfb.py ADDRESS type TEXT            types TEXT; \\n is Return
       rfb.py ADDRESS await TEXT SECONDS   until the screen shows TEXT; prints the screen
ADDRESS: HOST:PORT or the path of a unix socket"""
import mmap
import os
import socket
import struct
import sys
import time

VGA_BIOS = "/usr/share/seabios/vgabios-stdvga.bin"
# The letter A as VGAs have it.
LETTER_A = bytes.fromhex("000010386cc6c6fec6c6c6c600000000")
RETURN, BACKSPACE, SHIFT, CTRL, ALT = 0xff0d, 0xff08, 0xffe1, 0xffe3, 0xffe9
DESKTOP_SIZE = -223

# --- DES, for passwords (FIPS 46-3): tables count bits from 1, the highest first ---

IP = [58, 50, 42, 34, 26, 18, 10, 2, 60, 52, 44, 36, 28, 20, 12, 4, 62, 54, 46, 38, 30, 22, 14, 6, 64, 56, 48, 40, 32, 24,
      16, 8, 57, 49, 41, 33, 25, 17, 9, 1, 59, 51, 43, 35, 27, 19, 11, 3, 61, 53, 45, 37, 29, 21, 13, 5, 63, 55, 47, 39,
      31, 23, 15, 7]
E = [32, 1, 2, 3, 4, 5, 4, 5, 6, 7, 8, 9, 8, 9, 10, 11, 12, 13, 12, 13, 14, 15, 16, 17, 16, 17, 18, 19, 20, 21, 20, 21,
     22, 23, 24, 25, 24, 25, 26, 27, 28, 29, 28, 29, 30, 31, 32, 1]
P = [16, 7, 20, 21, 29, 12, 28, 17, 1, 15, 23, 26, 5, 18, 31, 10, 2, 8, 24, 14, 32, 27, 3, 9, 19, 13, 30, 6, 22, 11, 4, 25]
PC1 = [57, 49, 41, 33, 25, 17, 9, 1, 58, 50, 42, 34, 26, 18, 10, 2, 59, 51, 43, 35, 27, 19, 11, 3, 60, 52, 44, 36, 63, 55,
       47, 39, 31, 23, 15, 7, 62, 54, 46, 38, 30, 22, 14, 6, 61, 53, 45, 37, 29, 21, 13, 5, 28, 20, 12, 4]
PC2 = [14, 17, 11, 24, 1, 5, 3, 28, 15, 6, 21, 10, 23, 19, 12, 4, 26, 8, 16, 7, 27, 20, 13, 2, 41, 52, 31, 37, 47, 55, 30,
       40, 51, 45, 33, 48, 44, 49, 39, 56, 34, 53, 46, 42, 50, 36, 29, 32]
SHIFTS = [1, 1, 2, 2, 2, 2, 2, 2, 1, 2, 2, 2, 2, 2, 2, 1]
SBOX = ["e4d12fb83a6c5907" "0f74e2d1a6cb9538" "41e8d62bfc973a50" "fc8249175b3ea06d",
        "f18e6b34972dc05a" "3d47f28ec01a69b5" "0e7ba4d158c6932f" "d8a13f42b67c05e9",
        "a09e63f51dc7b428" "d709346a285ecbf1" "d6498f30b12c5ae7" "1ad069874fe3b52c",
        "7de3069a1285bc4f" "d8b56f03472c1ae9" "a690cb7df13e5284" "3f06a1d8945bc72e",
        "2c417ab6853fd0e9" "eb2c47d150fa3986" "421bad78f9c5630e" "b8c71e2d6f09a453",
        "c1af92680d34e75b" "af427c9561de0b38" "9ef528c3704a1db6" "432c95fabe17608d",
        "4b2ef08d3c975a61" "d0b7491ae35c2f86" "14bdc37eaf680592" "6bd814a7950fe23c",
        "d2846fb1a93e50c7" "1fd8a374c56b0e92" "7b419ce206adf358" "21e74a8dfc90356b"]


def pick(bits, table):
    return [bits[i - 1] for i in table]


def des(key, block):
    bits = lambda data: [b >> i & 1 for b in data for i in range(7, -1, -1)]  # noqa: E731
    inverse = sorted(range(64), key=lambda i: IP[i])
    state, k = pick(bits(block), IP), pick(bits(key), PC1)
    left, right, c, d = state[:32], state[32:], k[:28], k[28:]
    for n in SHIFTS:
        c, d = c[n:] + c[:n], d[n:] + d[:n]
        x = [a ^ b for a, b in zip(pick(right, E), pick(c + d, PC2))]
        out = []
        for box in range(8):
            b = x[6 * box:6 * box + 6]
            at = (b[0] << 1 | b[5]) * 16 + (b[1] << 3 | b[2] << 2 | b[3] << 1 | b[4])
            v = int(SBOX[box][at], 16)
            out += [v >> i & 1 for i in (3, 2, 1, 0)]
        left, right = right, [a ^ b for a, b in zip(left, pick(out, P))]
    both = right + left
    out = [both[i] for i in inverse]
    return bytes(sum(out[8 * i + j] << (7 - j) for j in range(8)) for i in range(8))


def answer(challenge, password):
    """RFB's use of DES: each byte of the key with its bits turned round."""
    key = bytes(int("{:08b}".format(b)[::-1], 2) for b in password.encode()[:8].ljust(8, b"\0"))
    return des(key, challenge[:8]) + des(key, challenge[8:])


# --- the viewer ---

class Refused(Exception):
    pass


class Viewer:
    def __init__(self, address, password=None, shared=True, timeout=20):
        if ":" in address and not address.startswith("/"):
            host, port = address.rsplit(":", 1)
            self.s = socket.create_connection((host.strip("[]"), int(port)), timeout)
        else:
            self.s = socket.socket(socket.AF_UNIX)
            self.s.settimeout(timeout)
            self.s.connect(address)
        self.s.settimeout(timeout)
        self.updates = self.bytes = 0
        self.rects = []
        try:
            self.begin(password, shared)
        except Exception:
            self.s.close()
            raise

    def begin(self, password, shared):
        assert self.take(12) == b"RFB 003.008\n"
        self.s.sendall(b"RFB 003.008\n")
        n = self.take(1)[0]
        if not n:
            raise Refused(self.reason())
        self.kinds = self.take(n)
        kind = 2 if 2 in self.kinds else 1
        self.s.sendall(bytes([kind]))
        if kind == 2:
            self.s.sendall(answer(self.take(16), password or ""))
        if struct.unpack(">I", self.take(4))[0]:
            raise Refused(self.reason())
        self.s.sendall(bytes([shared]))
        self.w, self.h = struct.unpack(">HH", self.take(4))
        self.take(16)
        self.name = self.take(struct.unpack(">I", self.take(4))[0]).decode()
        self.pix = bytearray(4 * self.w * self.h)
        # 32 bits, little-endian, R in the lowest byte.
        self.s.sendall(struct.pack(">B3xBBBBHHHBBB3x", 0, 32, 24, 0, 1, 255, 255, 255, 0, 8, 16))
        self.s.sendall(struct.pack(">BxHii", 2, 2, 0, DESKTOP_SIZE))
        self.full = True
        self.asked = False

    def take(self, n):
        out = bytearray()
        while len(out) < n:
            part = self.s.recv(min(n - len(out), 1 << 20))
            if not part:
                raise EOFError("the server closed the connection")
            out += part
        self.bytes = getattr(self, "bytes", 0) + n
        return bytes(out)

    def reason(self):
        return self.take(struct.unpack(">I", self.take(4))[0]).decode()

    def ask(self):
        if not self.asked:
            self.s.sendall(struct.pack(">BBHHHH", 3, not self.full, 0, 0, self.w, self.h))
        self.full, self.asked = False, True

    def rect(self):
        x, y, w, h, encoding = struct.unpack(">HHHHi", self.take(12))
        if encoding == DESKTOP_SIZE:
            self.w, self.h = w, h
            self.pix = bytearray(4 * w * h)
            self.full = True
            return
        assert encoding == 0, encoding
        data = self.take(4 * w * h)
        self.rects.append((x, y, w, h))
        for line in range(h):
            at = 4 * ((y + line) * self.w + x)
            self.pix[at:at + 4 * w] = data[4 * w * line:4 * w * (line + 1)]

    def message(self):
        kind = self.take(1)[0]
        if kind == 0:
            for _ in range(struct.unpack(">xH", self.take(3))[0]):
                self.rect()
            self.updates += 1
            self.asked = False
            return True
        if kind == 3:
            self.take(struct.unpack(">3xI", self.take(7))[0])
        elif kind == 1:
            self.take(6 * struct.unpack(">xHH", self.take(5))[1])
        elif kind != 2:
            raise RuntimeError("message %d" % kind)
        return False

    def update(self, seconds=None):
        """The next update; False when none comes within so many seconds."""
        self.ask()
        self.s.settimeout(seconds or 20)
        try:
            while not self.message():
                pass
            return True
        except (socket.timeout, TimeoutError):
            return False
        finally:
            self.s.settimeout(20)

    def until(self, test, seconds=20):
        """Takes updates until test(self) holds."""
        end = time.monotonic() + seconds
        while True:
            if not self.full and test(self):
                return True
            left = end - time.monotonic()
            if left <= 0:
                return False
            self.update(min(left, 1))

    def key(self, sym, down):
        self.s.sendall(struct.pack(">BBxxI", 4, down, sym))

    def tap(self, *syms):
        for sym in syms:
            self.key(sym, True)
        for sym in reversed(syms):
            self.key(sym, False)

    def type(self, text, pause=0.0):
        for ch in text:
            self.tap(RETURN if ch == "\n" else ord(ch))
            time.sleep(pause)

    def pointer(self, x, y, buttons=0):
        self.s.sendall(struct.pack(">BBHH", 5, buttons, x, y))

    def cut(self, text):
        data = text.encode("latin-1")
        self.s.sendall(struct.pack(">B3xI", 6, len(data)) + data)

    def color(self, x, y):
        at = 4 * (y * self.w + x)
        return tuple(self.pix[at:at + 3])

    def text(self, glyphs, width=8, height=16):
        """Lines of text; what is no character is '?'."""
        lines = []
        for row in range(self.h // height):
            line = ""
            for col in range(self.w // width):
                line += self.cell(glyphs, col * width, row * height, height)
            lines.append(line.rstrip())
        return lines

    def cell(self, glyphs, x, y, height):
        first = None
        bits = bytearray()
        for line in range(height):
            at = 4 * ((y + line) * self.w + x)
            row = self.pix[at:at + 32]
            px = [bytes(row[4 * i:4 * i + 3]) for i in range(8)]
            first = first or px[0]
            bits.append(sum((px[i] != first) << (7 - i) for i in range(8)))
        return glyphs.get(bytes(bits)) or glyphs.get(bytes(b ^ 0xff for b in bits)) or "?"

    def close(self):
        self.s.close()


def font(path=VGA_BIOS):
    """256 glyphs of 16 bytes: the VGA BIOS's, or those of Linux's console in a vmlinux."""
    with open(path, "rb") as f, mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as data:
        at = data.find(LETTER_A) - 16 * ord("A")
        return [data[at + 16 * i:at + 16 * i + 16] for i in range(256)]


def glyphs(path=VGA_BIOS):
    """Glyph -> character, for Viewer.text()."""
    out = {g: chr(i) for i, g in enumerate(font(path)) if 32 <= i < 127}
    out[bytes(16)] = " "
    return out


def main(argv):
    viewer = Viewer(argv[1])
    letters = glyphs(os.environ.get("RFB_FONT", VGA_BIOS))
    if argv[2] == "type":
        viewer.type(argv[3].replace("\\n", "\n"), 0.02)
        return 0
    if argv[2] == "await":
        found = viewer.until(lambda v: any(argv[3] in line for line in v.text(letters)), float(argv[4]))
    else:
        found = viewer.update()
    print("\n".join(viewer.text(letters)))
    return not found


if __name__ == "__main__":
    sys.exit(main(sys.argv))
