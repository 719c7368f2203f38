#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# limit: 120
"""`vmwire host bridge` on a real kernel (H2, H4): a host and its gateway are two network namespaces.

A TCP connection of the host lives on while a bridge comes and goes; when the gateway does not answer by the bridge, or the
command is killed at any moment, addresses, routes and links are as they were. Nothing of the machine's is touched.
"""

import fcntl
import os
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
VMWIRE = os.environ.get("VMWIRE", str(TOP / "build" / "vmwire"))
count = bad = 0


def check(name, good, *why):
    global count, bad
    count += 1
    bad += not good
    print("%sok %d - %s" % ("" if good else "not ", count, name), flush=True)
    if not good:
        for block in why:
            for line in str(block).splitlines():
                print("# " + line)


def finish():
    print("1..%d" % count)
    sys.exit(1 if bad else 0)


def inside():
    """This program again, in namespaces of its own."""
    if len(sys.argv) > 1 and sys.argv[1] == "inside":
        return
    if subprocess.run(["unshare", "-n", "-m", "true"], stderr=subprocess.DEVNULL, check=False).returncode:
        print("ok 1 - host bridge # SKIP needs the right to make network namespaces\n1..1")
        sys.exit(0)
    os.execvp("unshare", ["unshare", "-n", "-m", sys.executable, __file__, "inside"])


def sh(*command, ok=True, **kw):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **kw)
    if ok and done.returncode:
        raise RuntimeError("%s: %s" % (" ".join(command), done.stdout))
    return done.stdout


def host(*words, **kw):
    """(exit status, stdout, stderr) of vmwire host WORDS."""
    done = subprocess.run([VMWIRE, "host", *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=60, check=False, **kw)
    return done.returncode, done.stdout, done.stderr


class Gateway:
    """The other end of eth0: 192.0.2.1 and fd00::1, an echo server on port 7."""

    def __init__(self):
        self.p = subprocess.Popen(["unshare", "-n", sys.executable, "-c", ECHO], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True)
        self.p.stdout.readline()
        pid = str(self.p.pid)
        self.ns = ["nsenter", "-n", "-t", pid]
        sh("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "gw0", "netns", pid)
        for line in ("link set lo up", "addr add 192.0.2.1/24 dev gw0", "addr add fd00::1/64 dev gw0 nodad",
                     "addr add 203.0.113.1/32 dev lo", "link set gw0 up"):
            self.ip(line)
        self.p.stdin.write("go\n")
        self.p.stdin.flush()
        self.p.stdout.readline()

    def ip(self, line):
        return sh(*self.ns, "ip", *line.split())

    def silent(self, yes):
        """It answers neither ARP nor ND any more."""
        self.ip("link set gw0 arp %s" % ("off" if yes else "on"))
        if not yes:
            self.ip("addr replace fd00::1/64 dev gw0 nodad")


ECHO = """
import socket, sys, threading
print("ready", flush=True)
sys.stdin.readline()
s = socket.create_server(("", 7), family=socket.AF_INET6, dualstack_ipv6=True)
print("listening", flush=True)
def serve(c):
    while True:
        b = c.recv(4096)
        if not b:
            return
        c.sendall(b)
while True:
    threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
"""


class PingPong(threading.Thread):
    """A connection in which a byte goes to and fro every few ms; what it met is told in the end."""

    def __init__(self, where):
        super().__init__(daemon=True)
        self.s = socket.create_connection((where, 7), timeout=10)
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stop, self.gap, self.rounds, self.error = False, 0.0, 0, None
        self.start()

    def run(self):
        while not self.stop:
            start = time.monotonic()
            try:
                self.s.sendall(b"x")
                if self.s.recv(1) != b"x":
                    raise OSError("closed")
            except OSError as e:
                self.error = e
                return
            self.gap = max(self.gap, time.monotonic() - start)
            self.rounds += 1
            time.sleep(0.002)

    def end(self):
        self.stop = True
        self.join()
        self.s.close()
        return "rounds %d, longest %.0f ms, error %s" % (self.rounds, self.gap * 1000, self.error)


ROUTES = """
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asked, gap, lost, end = 0, 0.0, None, [False]
import signal
signal.signal(signal.SIGTERM, lambda *a: end.__setitem__(0, True))
print("asking", flush=True)
while not end[0]:
    asked += 1
    try:
        s.connect(("203.0.113.9", 9))
        lost = None
    except OSError:
        now = time.monotonic()
        lost = lost or now
        gap = max(gap, now - lost, 0.0001)
print(asked, gap)
"""


class Routes:
    """Asks without a pause whether there is a route to the outside; longest time without one."""

    def __init__(self):
        self.p = subprocess.Popen([sys.executable, "-c", ROUTES], stdout=subprocess.PIPE, text=True)
        self.p.stdout.readline()

    def end(self):
        self.p.terminate()
        asked, gap = self.p.communicate()[0].split()
        self.asked, self.gap = int(asked), float(gap)


def state(link="eth0"):
    """What `ip` shows; seconds that run are left out."""
    text = "\n".join((sh("ip", "addr", "show", "dev", link), sh("ip", "-d", "link", "show", link),
                      sh("ip", "-4", "route", "show", "table", "all"), sh("ip", "-6", "route", "show", "table", "all"),
                      sh("ip", "link"), sh("ip", "rule")))
    text = re.sub(r"\d+sec", "Nsec", text)
    return re.sub(r"(expires|gc_timer|hello_timer) +\S+", r"\1 N", text)


def links():
    return set(re.findall(r"^\d+: ([^:@]+)", sh("ip", "link"), re.M))


def wait_for(test, seconds):
    end = time.monotonic() + seconds
    while not test():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def set_up():
    sh("mount", "-t", "tmpfs", "tmpfs", "/run")
    sh("ip", "link", "set", "lo", "up")
    gw = Gateway()
    for line in ("link set eth0 up", "addr add 192.0.2.2/24 brd + dev eth0", "addr add 192.0.2.3/24 dev eth0",
                 "addr add 198.51.100.2/32 dev eth0 label eth0:home valid_lft 7200 preferred_lft 3600",
                 "-6 addr add fd00::2/64 dev eth0", "-6 addr add fd00::3/64 dev eth0 noprefixroute",
                 "route add default via 192.0.2.1 metric 100 src 192.0.2.2 mtu 1400",
                 "route add default via 192.0.2.1 dev eth0 table 100",
                 "route add 198.18.0.0/15 via 172.16.0.1 dev eth0 onlink proto dhcp",
                 "-6 route add default via fd00::1 metric 50",
                 "rule add from 192.0.2.3 lookup 100"):
        sh("ip", *line.split())
    wait_for(lambda: "tentative" not in sh("ip", "addr"), 5)
    return gw


def survives(gw):
    """The bridge comes and goes, the connections stay."""
    before = state()
    for stp in ("off", "on"):
        tcp = [PingPong("203.0.113.1"), PingPong("192.0.2.1"), PingPong("fd00::1")]
        time.sleep(0.3)
        status, out, err = host("bridge", "add", "br0", "--uplink", "eth0", "--stp", stp)
        check("bridge add, STP %s" % stp, status == 0 and "gateway 192.0.2.1 answers by br0" in out and not err,
              status, out, err)
        time.sleep(0.5)
        eth0, br0 = sh("ip", "addr", "show", "eth0"), sh("ip", "addr", "show", "br0")
        check("the bridge has the addresses, the uplink none", "inet" not in eth0 and br0.count("inet") == 6, eth0, br0)
        left = [r for family in "46" for r in sh("ip", "-" + family, "route", "show", "table", "all").splitlines()
                if "dev eth0" in r and "table local" not in r]
        check("no route leaves by the uplink", not left, left)
        check("STP is %s" % stp, "stp_state %d" % (stp == "on") in sh("ip", "-d", "link", "show", "br0"))
        listed = host("list")[1]
        check("host list shows it", re.search(r"(?m)^br0: up.*192\.0\.2\.2/24", listed) and
              re.search(r"(?m)^  eth0 +veth, up", listed), listed)
        status, out, err = host("bridge", "del", "br0")
        check("bridge del", status == 0 and "bridge br0 is gone" in out, status, out, err)
        check("as it was before", state() == before, before, state())
        time.sleep(0.3)
        for c, name in zip(tcp, ("beyond the gateway", "to the gateway", "IPv6")):
            said = c.end()
            check("a connection %s lives on: %s" % (name, said), not c.error and c.gap < 1 and c.rounds > 100, said)


def always_a_route(gw):
    before = state()
    routes = Routes()
    for words in (("add", "br0", "--uplink", "eth0"), ("del", "br0")):
        status, out, err = host("bridge", *words)
        check("bridge %s beside somebody who asks for routes" % words[0], status == 0, out, err)
    routes.end()
    check("at no moment without a route (asked %d times)" % routes.asked, not routes.gap and routes.asked > 1000,
          "%.4f s" % routes.gap)
    check("as it was before, again", state() == before, before, state())


def no_gateway(gw):
    """It answered before, so it is known, and does not any more."""
    before = state()
    socket.create_connection(("192.0.2.1", 7)).close()
    gw.silent(True)
    for line in ("neigh replace 192.0.2.1 lladdr 02:00:00:00:00:01 dev eth0 nud stale",
                 "neigh del fd00::1 dev eth0"):
        sh("ip", *line.split(), ok=False)
    p = subprocess.Popen([VMWIRE, "host", "bridge", "add", "br0", "--uplink", "eth0", "--timeout", "2"],
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: "br0" in links(), 20)
    start = time.monotonic()
    wait_for(lambda: "br0" not in links(), 20)
    seconds = time.monotonic() - start
    out, err = p.communicate()
    check("a gateway that does not answer by the bridge is said",
          p.returncode == 1 and not out and
          err == "vmwire: gateway 192.0.2.1 did not answer by br0 within 2 s: everything was put back\n", out, err)
    check("all is back after %.1f s" % seconds, seconds < 10 and state() == before, before, state())
    # Now eth0 has no neighbour that answered: nothing is begun.
    sh("ip", "neigh", "flush", "dev", "eth0")
    status, out, err = host("bridge", "add", "br0", "--uplink", "eth0")
    check("a gateway that is silent from the start: nothing is done",
          status == 1 and "nothing was changed" in err and state() == before, status, err)


def killed_while_it_waits(gw, signum, name):
    before = state()
    sh("ip", *"neigh replace 192.0.2.1 lladdr 02:00:00:00:00:01 dev eth0 nud stale".split())
    p = subprocess.Popen([VMWIRE, "host", "bridge", "add", "br0", "--uplink", "eth0"], stdin=subprocess.DEVNULL,
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    there = wait_for(lambda: "br0" in links() and "inet" not in sh("ip", "addr", "show", "eth0"), 5)
    os.killpg(p.pid, signum)
    p.wait()
    start = time.monotonic()
    back = wait_for(lambda: "br0" not in links(), 10)
    time.sleep(0.05)
    check("%s while it waits: all is back after %.2f s" % (name, time.monotonic() - start),
          there and back and state() == before, there, before, state())


def killed_anywhere(gw, seed):
    """kill -9 at a random moment of add: either nothing or everything has happened."""
    chance = random.Random(seed)
    before = state()
    undone = done = 0
    for _ in range(16):
        socket.create_connection(("192.0.2.1", 7)).close()
        p = subprocess.Popen([VMWIRE, "host", "bridge", "add", "br0", "--uplink", "eth0"], stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(chance.uniform(0, 0.03))
        p.kill()
        p.wait()
        # The guard is done when nobody of that name is left.
        wait_for(lambda: subprocess.run(["pgrep", "-x", "vmwire-guard"], stdout=subprocess.DEVNULL,
                                        check=False).returncode != 0, 10)
        if "br0" in links():
            done += 1
            status, out, err = host("bridge", "del", "br0")
            if status:
                check("del after a kill", False, out, err)
        else:
            undone += 1
        if state() != before:
            check("kill -9 anywhere leaves all or nothing", False, before, state())
            return
    check("kill -9 anywhere leaves all or nothing (%d undone, %d done)" % (undone, done), undone > 0)


def tap(name):
    fd = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(fd, 0x400454ca, struct.pack("16sH22x", name.encode(), 0x1002))
    return fd


def guests(gw):
    """A guest's TAP on the bridge: shown, and in the way of del."""
    if not os.access("/dev/net/tun", os.W_OK):
        return
    before = state()
    host("bridge", "add", "br0", "--uplink", "eth0")
    fd = tap("tap0")
    sh("ip", "link", "set", "tap0", "master", "br0", "up")
    listed = host("list")[1]
    who = open("/proc/self/comm").read().strip()
    check("host list names who holds a TAP", re.search(r"(?m)^  tap0 +TAP, .*%s %d" % (who, os.getpid()), listed), listed)
    status, out, err = host("bridge", "del", "br0")
    check("del is refused with a guest on it", status == 1 and "tap0 (%s %d)" % (who, os.getpid()) in err and
          "--force" in err, err)
    status, out, err = host("bridge", "del", "br0", "--force")
    os.close(fd)
    check("del --force", status == 0 and wait_for(lambda: state() == before, 2), out, err, before, state())


DHCLIENT = Path(os.environ.get("VMWIRE_BUILD", str(TOP / "build"))) / "unpacked/isc-dhcp-client"


def clients():
    """Command lines of the dhclients of this namespace."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = open("/proc/%s/cmdline" % pid, "rb").read().decode().split("\0")
            same = os.readlink("/proc/%s/ns/net" % pid) == os.readlink("/proc/self/ns/net")
        except OSError:
            continue
        if same and words[0].endswith("dhclient"):
            found.append((int(pid), words))
    return found


def leased(gw):
    """An address that DHCP gave: the lease, and who renews it, go along."""
    tool = shutil.which("dhclient") or str(DHCLIENT / "sbin/dhclient")
    script = "/sbin/dhclient-script" if os.path.exists("/sbin/dhclient-script") else str(DHCLIENT / "sbin/dhclient-script")
    if not os.path.exists(tool) or not shutil.which("dnsmasq"):
        return
    with tempfile.TemporaryDirectory() as tmp:
        server = subprocess.Popen(
            [*gw.ns, "dnsmasq", "--keep-in-foreground", "--port=0", "--interface=gw0", "--bind-interfaces", "--user=root",
             "--dhcp-range=192.0.2.100,192.0.2.199,120", "--dhcp-authoritative", "--no-ping", "--pid-file=",
             "--dhcp-leasefile=" + tmp + "/leases", "--log-facility=" + tmp + "/log", "--log-dhcp", "--conf-file=/dev/null"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        # Debian's script writes /etc/resolv.conf; this namespace has its own.
        Path(tmp + "/empty").write_text("")
        sh("mount", "--bind", tmp + "/empty", "/etc/resolv.conf", ok=False)
        try:
            sh("ip", "route", "del", "default", "via", "192.0.2.1", "metric", "100")
            sh(tool, "-4", "-sf", script, "-cf", "/dev/null", "-pf", tmp + "/pid", "-lf", tmp + "/eth0.leases", "eth0")
            before = sh("ip", "-4", "addr", "show", "eth0")
            leased_addr = re.search(r"inet (192\.0\.2\.1\d\d)/24 .*dynamic", before)
            check("dhclient has a lease", leased_addr and clients(), before)
            status, out, err = host("bridge", "add", "br0", "--uplink", "eth0")
            check("bridge add takes dhclient along", status == 0 and "dhclient holds the lease on br0 now" in out, out, err)
            wait_for(lambda: open(tmp + "/log").read().count("DHCPACK") >= 2, 5)
            log = open(tmp + "/log").read()
            check("it asks for the same address and gets it", log.count("DHCPACK(gw0) " + leased_addr.group(1)) >= 2, log)
            time.sleep(0.3)
            shown = sh("ip", "-4", "addr")
            check("the address is on the bridge, once", shown.count(leased_addr.group(1) + "/") == 1 and
                  "br0" in re.search(re.escape(leased_addr.group(1)) + r"/.*", shown).group(0), shown)
            mine = clients()
            check("one dhclient, for the bridge", len(mine) == 1 and mine[0][1][-2] == "br0", mine)
            status, out, err = host("bridge", "del", "br0")
            check("bridge del takes it back", status == 0 and "dhclient holds the lease on eth0 now" in out and
                  leased_addr.group(1) in sh("ip", "-4", "addr", "show", "eth0"), out, err)
        finally:
            for pid, _ in clients():
                os.kill(pid, signal.SIGKILL)
            server.kill()
            server.wait()
            sh("umount", "/etc/resolv.conf", ok=False)


def refusals(gw):
    before = state()
    for words, want in (
            (("brige", "add"), "host brige add is not known: did you mean vmwire host bridge add?"),
            (("bridge", "ad", "br0"), "host bridge ad is not known: did you mean vmwire host bridge add?"),
            (("chek",), "host chek is not known: did you mean vmwire host check?"),
            (("xyzzy",), "host xyzzy is not known: allowed are check, bridge add, bridge del, list"),
            (("bridge", "add", "br0"), "--uplink LINK"),
            (("bridge", "add", "--uplink", "eth0"), "a name is missing"),
            (("bridge", "add", "br0", "--uplik", "eth0"), "did you mean --uplink"),
            (("bridge", "add", "br0", "--uplink"), "--uplink is not complete"),
            (("bridge", "add", "br0", "br1", "--uplink", "eth0"), "br1 is a word too many"),
            (("bridge", "add", "br0", "--uplink", "eth7"), "eth7: there is no such interface"),
            (("bridge", "add", "br0", "--uplink", "lo"), "lo carries no Ethernet"),
            (("bridge", "add", "eth0", "--uplink", "eth0"), "is no bridge: take another name"),
            (("bridge", "add", "br0", "--uplink", "eth0", "--stp", "maybe"), "allowed are on, off"),
            (("bridge", "add", "br0", "--uplink", "eth0", "--timeout", "0"), "allowed are 1 to 120"),
            (("bridge", "add", "a-very-long-name-x", "--uplink", "eth0"), "1 to 15 characters"),
            (("bridge", "add", "br0", "--uplink", "eth0", "--persist"), "--persist=networkd, ifupdown or nm"),
            (("bridge", "add", "br0", "--uplink", "eth0", "--persist=x"), "allowed are networkd, ifupdown, nm"),
            (("bridge", "del", "eth0"), "eth0 is no bridge"),
            (("bridge", "del", "br9"), "br9: there is no such interface")):
        status, out, err = host(*words)
        check("host %s: %s" % (" ".join(words), want), status == 1 and want in err and not out and
              err.count("\n") == 1, status, out, err)
    for words in ((), ("--help",), ("bridge",), ("check", "--help"), ("bridge", "add", "--help")):
        status, out, err = host(*words)
        check("host %s prints help" % " ".join(words), status == 0 and "vmwire host" in out and not err, out, err)
    status, out, err = host("bridge", "add", "br0", "--uplink", "eth0", "--dry-run")
    check("--dry-run shows the plan", status == 0 and "ip link set eth0 master br0" in out and
          "ip link del br0" in out, out, err)
    nobody = host("bridge", "add", "br0", "--uplink", "eth0", preexec_fn=lambda: os.setuid(65534))
    check("not root: says so", nobody[0] == 1 and "takes root" in nobody[2], nobody)
    check("all that changed nothing", state() == before, before, state())
    status, out, err = host("check")
    check("host check shows what it found", status in (0, 1) and len(out.splitlines()) >= 10 and
          re.search(r"(?m)^bridge +hint .*--uplink eth0$", out) and "\033" not in out, out, err)


def firewall():
    """A rule that drops what is forwarded is named (H5)."""
    if not shutil.which("nft") or subprocess.run(["nft", "list", "ruleset"], stdout=subprocess.DEVNULL,
                                                 stderr=subprocess.DEVNULL, check=False).returncode:
        return
    rules = "table ip filter { chain DOCKER { }; chain FORWARD { type filter hook forward priority 0; policy drop; }; }"
    if subprocess.run(["nft", "-f", "-"], input=rules, text=True, stderr=subprocess.DEVNULL, check=False).returncode:
        return
    out = host("check")[1]
    sh("nft", "flush", "ruleset")
    check("host check names the chain that drops", re.search(
        r"(?m)^firewall +hint +docker drops .*chain ip filter FORWARD has policy drop", out), out)


def main():
    inside()
    gw = set_up()
    try:
        refusals(gw)
        firewall()
        survives(gw)
        always_a_route(gw)
        guests(gw)
        killed_anywhere(gw, 7)
        no_gateway(gw)
        killed_while_it_waits(gw, signal.SIGKILL, "kill -9")
        killed_while_it_waits(gw, signal.SIGINT, "Ctrl-C")
        gw.silent(False)
        leased(gw)
    finally:
        gw.p.kill()
    finish()


main()
