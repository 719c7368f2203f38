#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# limit: 300
#
# `make run` on a terminal: the table, then a shell in a guest, which can be talked to and ended.
import os
import pty
import re
import select
import signal
import sys
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent


class Terminal:
    def __init__(self, *command):
        self.seen = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(TOP)
            os.environ["TERM"] = "vt100"
            signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup's children have it ignored
            os.execvp(command[0], command)

    def await_text(self, pattern, seconds):
        """Reads until the pattern shows; what came with it is gone through only once."""
        end = time.monotonic() + seconds
        while True:
            match = re.search(pattern, self.seen)
            if match:
                self.seen = self.seen[match.end():]
                return match
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                return None
            try:
                piece = os.read(self.fd, 65536)
            except OSError:  # the other end is closed
                return None
            self.seen += piece

    def type(self, text):
        os.write(self.fd, text.encode())

    def end(self, seconds):
        """Its exit status, or None where it does not end."""
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            self.await_text(rb"(?!)", 0.1)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
        return None


def wait_for(what, seconds):
    end = time.monotonic() + seconds
    while not what() and time.monotonic() < end:
        time.sleep(0.1)
    return what()


def status_of(pid, field):
    try:
        text = Path("/proc/%s/stat" % pid).read_text()
    except OSError:
        return None
    return text.rpartition(")")[2].split()[field]


def alive(pid):
    return status_of(pid, 0) not in (None, "Z")


def emulators(session):
    """The emulators that run in a session."""
    return [p.name for p in Path("/proc").iterdir() if p.name.isdigit()
            and status_of(p.name, 3) == str(session) and "qemu" in os.path.basename(
                (p / "cmdline").read_bytes().split(b"\0")[0].decode())]


def main():
    count = failed = 0

    def check(name, good):
        nonlocal count, failed
        count += 1
        failed += not good
        print("%sok %d - %s" % ("" if good else "not ", count, name), flush=True)
        if not good:
            for line in terminal.seen.decode(errors="replace").splitlines()[-20:]:
                print("# " + line)
            print("1..%d" % count)
            sys.exit(1)

    # A shell leads, as on a real terminal: when that closes, all of its job hears of it.
    terminal = Terminal("sh", "-c", "make run; exit $?")
    check("a row in green", terminal.await_text(rb"address by DHCP +\x1b\[32mok", 120))
    check("guest network: OK", terminal.await_text(rb"guest network: \x1b\[32mOK", 120))
    check("then a shell", terminal.await_text(rb"~ # ", 60))
    terminal.type("echo sum-$((40 + 2)) $(ping -c 1 10.0.2.2 | grep -o '1 packets received')\r")
    check("that runs in a guest with a network", terminal.await_text(rb"\nsum-42 1 packets received", 30))
    # Not before the guest's shell has given its terminal to the program.
    terminal.type("sleep 100\r")
    time.sleep(3)
    terminal.type("\x03echo back-$((1 + 1))\r")
    check("ctrl-C reaches the guest, and ends nothing else", terminal.await_text(rb"back-2", 30))
    terminal.type("exit\r")
    check("exit ends it, status 0", terminal.end(60) == 0)

    terminal = Terminal("sh", "-c", "lab/run -- /run/lab/busybox sleep 100; exit $?")
    check("a lab starts on another terminal", wait_for(lambda: emulators(terminal.pid), 60))
    pids = emulators(terminal.pid)
    os.close(terminal.fd)
    check("closing that ends it", wait_for(lambda: not any(alive(p) for p in pids), 20))
    print("1..%d" % count)
    return 0


if __name__ == "__main__":
    sys.exit(main())
