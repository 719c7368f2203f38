#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# limit: 120
"""The monitor (H7) over a UNIX socket and on stdio, and every way that vmwire ends."""

import os
import pty
import re
import resource
import select
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
VMWIRE = os.environ.get("VMWIRE", str(TOP / "build" / "vmwire"))
TMP = tempfile.TemporaryDirectory()
PROMPT = b"(vmwire) "
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
    def __init__(self, *options, monitor=True, **kw):
        self.path = os.path.join(TMP.name, "mon")
        extra = ["-monitor", "unix:%s,server=on,wait=off" % self.path] if monitor else []
        kw.setdefault("stdin", subprocess.DEVNULL)
        kw.setdefault("stdout", subprocess.PIPE)
        self.p = subprocess.Popen([VMWIRE, *options, *extra], stderr=subprocess.PIPE, **kw)
        self.s = None

    def connect(self):
        end = time.monotonic() + 10
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
        self.s.settimeout(10)
        return self.read()

    def read(self):
        """Everything up to the next prompt or the end."""
        text = b""
        while not text.endswith(PROMPT):
            part = self.s.recv(65536)
            if not part:
                break
            text += part
        return text.decode()

    def cmd(self, line):
        self.s.sendall(line.encode() + b"\n")
        text = self.read().replace("\r\n", "\n")
        head, _, rest = text.partition("\n")
        return rest.removesuffix(PROMPT.decode()) if head == line else "no echo: " + text

    def end(self, timeout=10):
        try:
            out, err = self.p.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.p.kill()
            out, err = self.p.communicate()
            return None, out, err.decode()
        if self.s:
            self.s.close()
        return self.p.returncode, out, err.decode()


QTEST = ["-accel", "qtest", "-qtest", "unix:%s/q,server=on,wait=off" % TMP.name, "-display", "none"]


def networks_only():
    vm = Vm("-machine", "none", "-net", "dummy", "-net", "dummy,name=d2",
            "-netdev", "user,id=u0", "-netdev", "hubport,id=h0,hubid=3,netdev=u0")
    check("the monitor greets", "monitor - type 'help'" in vm.connect())
    text = vm.cmd("info network")
    check("info network shows the hub's members",
          re.search(r"hub 0\n \\ \S+: dummy\.0: index=0,type=dummy.*link=up\n.*\n"
                    r" \\ \S+: d2: index=0,type=dummy.*link=up\n", text), text)
    check("info network shows the hub port by its id",
          re.search(r"hub 3\n \\ h0: u0: index=0,type=user,.*10\.0\.2\.0.*link=up\n", text), text)
    check("info network counts frames", text.count("sent 0 frames, 0 bytes; received 0") == 3, text)
    check("set_link off", vm.cmd("set_link d2 off") == "")
    check("the link is down", re.search(r"d2: .*link=down", vm.cmd("info network")))
    vm.cmd("set_link d2 on")
    check("set_link on", re.search(r"d2: .*link=up", vm.cmd("info network")))
    check("set_link on what is not there", "info network shows the names" in vm.cmd("set_link x on"))
    check("set_link with a bad state", "neither on nor off" in vm.cmd("set_link d2 up"))
    check("set_link without a state", vm.cmd("set_link d2") == "usage: set_link name on|off\n")
    check("info usernet names the network", "u0:" in vm.cmd("info usernet"))
    check("help lists commands and info", all(w in vm.cmd("help") for w in
                                              ["quit", "system_powerdown", "info network"]))
    check("a slip is answered with the command", "did you mean info?" in vm.cmd("inf network"))
    check("an unknown info", "did you mean info network?" in vm.cmd("info netwrk"))
    check("no guest to reset", "has no guest" in vm.cmd("system_reset"))
    vm.s.sendall(b"inf\tver\x7f\x7f\x7fvers\t\n")
    check("Tab completes, backspace erases", "\r\n0." in vm.read())
    vm.s.sendall(b"\x1b[A\n")
    check("the arrow recalls the last line", "\r\n0." in vm.read())
    vm.s.close()
    check("a second client is served", "monitor - type" in vm.connect())
    vm.cmd("info status")
    vm.s.sendall(b"quit\r\n")
    check("no prompt after quit", PROMPT.decode() not in vm.read())
    status, _, err = vm.end()
    check("quit ends with 0", status == 0, status, err)
    check("the monitor's socket is gone", not os.path.exists(vm.path))


def a_guest():
    vm = Vm(*QTEST, "-name", "box", "-net", "nic,macaddr=52:54:00:01:02:03", "-net", "user")
    vm.connect()
    text = vm.cmd("info network")
    check("info network shows card, MAC and driver (H7)",
          re.search(r"hub 0\n \\ \S+: rtl8139\.0: index=0,type=nic,model=rtl8139,"
                    r"macaddr=52:54:00:01:02:03,driver=8139cp,link=up\n", text), text)
    check("info name", vm.cmd("info name") == "box\n")
    check("info status", vm.cmd("info status") == "VM status: running\n")
    vm.cmd("stop")
    check("stop", vm.cmd("info status") == "VM status: paused\n")
    vm.cmd("cont")
    check("cont", vm.cmd("info status") == "VM status: running\n")
    vm.s.sendall(b"q\n")
    status, _, err = vm.end()
    check("nothing is said about the default card (D2)", err == "", err)
    check("q ends with 0", status == 0, status)


def every_command():
    """Help lists them all; each is answered by its own help, and every info prints."""
    vm = Vm(*QTEST, "-netdev", "user,id=n0", "-device", "virtio-net-pci,netdev=n0,id=c0")
    vm.connect()
    names = [line[:24].split("  ")[0].strip() for line in vm.cmd("help").splitlines()]
    commands = {re.match(r"info (?!what)\w+|\w+", n).group(0) for n in names}
    check("help lists the commands", {"stop", "set_link", "hostfwd_add", "info cpus", "info usernet"} <= commands and
          len(commands) == len(names), names)
    for c in sorted(commands - {"info"}):
        check("help %s" % c, vm.cmd("help " + c).startswith(c + " "), vm.cmd("help " + c))
        if c.startswith("info "):
            text = vm.cmd(c)
            check("%s prints" % c, (text or c == "info name") and "unknown" not in text, text)
    for line, want in [("stop", ""), ("cont", ""), ("c", ""), ("system_powerdown", ""), ("system_reset", ""),
                       ("netdev_add user,id=n1", ""), ("device_add e1000,id=c1,netdev=n1", ""), ("netdev_add user,id=n2", ""),
                       ("netdev_replug c1 n2", ""), ("hostfwd_add n0 tcp:127.0.0.1:0-:22", ""), ("announce_self", ""),
                       ("set_link c1 off", ""), ("netdev_del n1", ""), ("device_del c1", ""), ("system_reset", ""),
                       ("netdev_del n2", ""), ("? quit", "quit  -- end vmwire at once\n")]:
        text = vm.cmd(line)
        check(line, text == want, text)
    vm.s.sendall(b"quit\n")
    check("quit", vm.end()[0] == 0)

def out_of_descriptors():
    """A client that comes when there is no descriptor for it waits, and costs nothing."""
    vm = Vm("-machine", "none", "-net", "user")
    while not os.path.exists(vm.path):
        time.sleep(0.02)
    time.sleep(0.2)
    used = len(os.listdir("/proc/%d/fd" % vm.p.pid))
    soft, hard = resource.prlimit(vm.p.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(vm.p.pid, resource.RLIMIT_NOFILE, (used, hard))
    vm.s = socket.socket(socket.AF_UNIX)
    vm.s.connect(vm.path)

    def busy():
        return int(Path("/proc/%d/schedstat" % vm.p.pid).read_text().split()[0]) / 1e6

    before = busy()
    time.sleep(0.5)
    check("no descriptor for a client: at most 50 ms of processor in 500", busy() - before < 50, busy() - before)
    resource.prlimit(vm.p.pid, resource.RLIMIT_NOFILE, (soft, hard))
    vm.s.settimeout(10)
    check("it is served when there is one", vm.read().endswith(PROMPT.decode()))
    vm.s.sendall(b"quit\n")
    check("and vmwire ends well", vm.end()[0] == 0)


def default_network():
    macs = []
    for name in ["one", "one", "two"]:
        vm = Vm(*QTEST, "-name", name)
        vm.connect()
        text = vm.cmd("info network")
        macs += re.findall(r"macaddr=([0-9a-f:]+)", text)
        vm.cmd("stop")
        vm.s.sendall(b"quit\n")
        vm.end()
    check("no network option: a card and the user-mode network (D1)",
          re.search(r"type=nic,.*\n.*\n \\ \S+: user\.0: index=0,type=user", text), text)
    check("the same guest, the same MAC (D5)", len(macs) == 3 and macs[0] == macs[1], macs)
    check("another guest, another MAC (D5)", len(macs) == 3 and macs[0] != macs[2], macs)
    check("a local address", macs[0].startswith("52:54:00:"), macs)


def direct():
    vm = Vm(*QTEST, "-netdev", "user,id=n0", "-device", "virtio-net-pci,netdev=n0,id=card")
    vm.connect()
    text = vm.cmd("info network")
    check("a -netdev is shown below its card",
          re.search(r"^card: index=0,type=nic,.*\n.*\n \\ n0: index=0,type=user", text), text)
    vm.p.send_signal(signal.SIGTERM)
    status, _, err = vm.end()
    check("SIGTERM ends with 0", status == 0 and "ended by signal 15" in err, status, err)
    vm = Vm(*QTEST, "-netdev", "user,id=n0", "-device", "virtio-net-pci")
    vm.connect()
    vm.p.send_signal(signal.SIGINT)
    status, _, err = vm.end()
    check("a netdev and a card without peer are warned of",
          "warning: netdev n0 has no peer\n" in err and
          "warning: nic virtio-net-pci.0 has no peer\n" in err, err)
    check("SIGINT ends with 0", status == 0, status)


def on_stdio():
    p = subprocess.run([VMWIRE, "-machine", "none", "-monitor", "stdio"], input=b"info version\nquit\n",
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=10, check=False)
    check("the monitor on a pipe", p.returncode == 0 and b"\r\n0." in p.stdout, p.stdout, p.stderr)
    p = subprocess.run([VMWIRE, "-machine", "none", "-monitor", "stdio"], input=b"quit\ninfo version\n",
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=10, check=False)
    check("nothing is executed behind quit", p.returncode == 0 and b"\r\n0." not in p.stdout, p.stdout)
    p = subprocess.Popen([VMWIRE, *QTEST, "-net", "none", "-nographic"], stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    time.sleep(1)
    check("the end of stdin does not end the guest", p.poll() is None, p.poll())
    p.send_signal(signal.SIGHUP)
    p.communicate(timeout=10)
    check("SIGHUP ends with 0", p.returncode == 0, p.returncode)


def ended_while_waiting():
    """Without a client there is no loop yet that reads signals."""
    path = os.path.join(TMP.name, "wait")
    for what in ["-qtest", "-monitor"]:
        spec = "unix:%s,server=on" % path
        options = ["-accel", "qtest", "-qtest", spec] if what == "-qtest" else \
            ["-machine", "none", "-net", "none", "-monitor", spec]
        p = subprocess.Popen([VMWIRE, *options], stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        end = time.monotonic() + 10
        while not os.path.exists(path) and time.monotonic() < end:
            time.sleep(0.02)
        time.sleep(0.1)
        p.send_signal(signal.SIGTERM)
        try:
            err = p.communicate(timeout=5)[1]
        except subprocess.TimeoutExpired:
            p.kill()
            err = p.communicate()[1] + b"timeout"
        check("%s ends while it waits for a client" % what,
              p.returncode in (1, -signal.SIGTERM) and not os.path.exists(path), p.returncode, err)


def closed_stdio():
    p = subprocess.run(["sh", "-c", 'exec "$0" -machine none -net none -monitor stdio <&-', VMWIRE],
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=10, check=False,
                       preexec_fn=lambda: signal.alarm(2))
    check("closed standard input is no input", p.returncode == -signal.SIGALRM and not p.stderr,
          p.returncode, p.stderr)
    p = subprocess.run(["sh", "-c", 'exec "$0" -machine none -net none -monitor stdio >&- 2>&-', VMWIRE],
                       input=b"help\nquit\n", timeout=10, check=False)
    check("closed standard output does no harm", p.returncode == 0, p.returncode)


def read_tty(fd, want, limit=10):
    text = b""
    end = time.monotonic() + limit
    while want not in text and time.monotonic() < end:
        if select.select([fd], [], [], 0.1)[0]:
            try:
                text += os.read(fd, 4096)
            except OSError:
                break
    return text


def tty_child(path, options):
    """A new session with the pseudo terminal as its own; becomes vmwire."""
    os.setsid()
    fd = os.open(path, os.O_RDWR)
    for n in (0, 1, 2):
        os.dup2(fd, n)
    os.execv(VMWIRE, [VMWIRE, *options])


def on_a_terminal():
    for how in ["Ctrl-A x", "SIGTERM", "SIGQUIT"]:
        master, slave = pty.openpty()
        before = termios.tcgetattr(slave)
        pid = os.fork()
        if not pid:
            try:
                tty_child(os.ttyname(slave), [*QTEST, "-net", "none", "-nographic"])
            finally:
                os._exit(127)
        end = time.monotonic() + 10
        while termios.tcgetattr(slave)[3] & termios.ICANON and time.monotonic() < end:
            time.sleep(0.02)
        check("the terminal is raw", not termios.tcgetattr(slave)[3] & (termios.ICANON | termios.ISIG))
        os.write(master, b"\x01c")
        check("Ctrl-A c shows the monitor", PROMPT in read_tty(master, PROMPT))
        os.write(master, b"info status\r")
        check("the monitor answers", b"VM status: running" in read_tty(master, b"running"))
        os.write(master, b"inf\tker\x7f\x7f\x7fch\t\x1b[Hhelp \r")
        check("and completes", b"info chardev  -- " in read_tty(master, b"lead"))
        if how.startswith("SIG"):
            os.kill(pid, getattr(signal, how))
        else:
            os.write(master, b"\x01x")
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        check("%s ends with 0" % how, status == 0, status)
        check("the terminal is as before after %s" % how, termios.tcgetattr(slave) == before)
        os.close(slave)
        os.close(master)


for test in [networks_only, a_guest, every_command, out_of_descriptors, default_network, direct, on_stdio, ended_while_waiting, closed_stdio,
             on_a_terminal]:
    try:
        test()
    except Exception as e:  # pylint: disable=broad-except
        check("%s runs to its end" % test.__name__, False, e)
print("1..%d" % count)
sys.exit(bad > 0)
