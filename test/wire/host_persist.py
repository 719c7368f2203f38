#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# limit: 120
"""`vmwire host bridge … --persist` (H2): what it writes is read by those it is for.

systemd-networkd runs in the test's namespaces, before and after; ifup and nmcli (unpacked under build/, see tools/packages)
read the files. The machine's own /etc and /run are covered by empty ones.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
VMWIRE = os.environ.get("VMWIRE", str(TOP / "build" / "vmwire"))
UNPACKED = Path(os.environ.get("VMWIRE_BUILD", str(TOP / "build"))) / "unpacked"
NETWORKD = "/lib/systemd/systemd-networkd"
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


def skip(name, why):
    global count
    count += 1
    print("ok %d - %s # SKIP %s" % (count, name, why), flush=True)


def sh(*command, ok=True, **kw):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **kw)
    if ok and done.returncode:
        raise RuntimeError("%s: %s" % (" ".join(command), done.stdout))
    return done.stdout


def host(*words):
    done = subprocess.run([VMWIRE, "host", *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


def wait_for(test, seconds):
    end = time.monotonic() + seconds
    while not test():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def inside():
    if len(sys.argv) > 1 and sys.argv[1] == "inside":
        return
    if subprocess.run(["unshare", "-n", "-m", "true"], stderr=subprocess.DEVNULL, check=False).returncode:
        print("ok 1 - host persist # SKIP needs the right to make network namespaces\n1..1")
        sys.exit(0)
    os.execvp("unshare", ["unshare", "-n", "-m", sys.executable, __file__, "inside"])


ECHO = """
import socket, sys
print("ready", flush=True)
sys.stdin.readline()
s = socket.create_server(("", 7))
print("listening", flush=True)
c = s.accept()[0]
while True:
    b = c.recv(4096)
    if not b:
        break
    c.sendall(b)
sys.stdin.readline()
"""


def set_up():
    """eth0 with its gateway 192.0.2.1 in a namespace of its own; /run and what persist writes to are empty."""
    for line in ("mount -t tmpfs tmpfs /run", "mkdir -p /run/systemd/netif /run/etc/nd /run/etc/network /run/root",
                 "chown -R systemd-network /run/systemd/netif", "mkdir -p /etc/systemd/network",
                 "mount --bind /run/etc/nd /etc/systemd/network",
                 # networkd waits for udev unless /sys is read-only, as in a container.
                 "mount -t sysfs -o ro sysfs /sys", "ip link set lo up"):
        sh(*line.split())
    gw = subprocess.Popen(["unshare", "-n", sys.executable, "-c", ECHO], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True)
    gw.stdout.readline()
    sh("ip", "link", "add", "eth0", "address", "02:00:00:00:00:02", "type", "veth", "peer", "name", "gw0", "netns",
       str(gw.pid))
    for line in ("addr add 192.0.2.1/24 dev gw0", "link set gw0 up"):
        sh("nsenter", "-n", "-t", str(gw.pid), "ip", *line.split())
    gw.stdin.write("\n")
    gw.stdin.flush()
    gw.stdout.readline()
    return gw


class Networkd:
    def __init__(self):
        self.log = "/run/networkd.log"
        out = open(self.log, "w")
        self.p = subprocess.Popen([NETWORKD], stdout=out, stderr=out, stdin=subprocess.DEVNULL, env={
            **os.environ, "SYSTEMD_LOG_LEVEL": "debug", "SYSTEMD_LOG_TARGET": "console"})

    def end(self):
        """Its complaints about files of ours."""
        self.p.send_signal(signal.SIGTERM)
        self.p.wait()
        text = open(self.log).read()
        return [line for line in text.splitlines() if "05-vmwire" in line and
                re.search(r"(?i)unknown|invalid|failed|ignor|cannot", line)]


OLD = """[Match]
Name=eth0

[Link]
RequiredForOnline=no

[Network]
Address=192.0.2.2/24
Gateway=192.0.2.1
DNS=192.0.2.53
LLMNR=no
IPv6AcceptRA=no
"""


def configured(link, file):
    """networkd says that it has configured the link by this file."""
    index = sh("ip", "-o", "link", "show", link, ok=False).split(":")[0]
    try:
        text = open("/run/systemd/netif/links/" + index).read()
    except OSError:
        return False
    return "ADMIN_STATE=configured" in text and file in text


def networkd():
    if not os.access(NETWORKD, os.X_OK):
        skip("systemd-networkd", "is not there")
        return
    Path("/etc/systemd/network/50-eth0.network").write_text(OLD)
    nd = Networkd()
    if not wait_for(lambda: configured("eth0", "50-eth0.network"), 10):
        check("systemd-networkd runs eth0", False, open(nd.log).read()[-3000:])
        return
    c = socket.create_connection(("192.0.2.1", 7), timeout=5)
    beat = {"stop": False, "gap": 0.0, "n": 0}

    def pingpong():
        while not beat["stop"]:
            start = time.monotonic()
            c.sendall(b"x")
            c.recv(1)
            beat["gap"] = max(beat["gap"], time.monotonic() - start)
            beat["n"] += 1
            time.sleep(0.01)

    thread = threading.Thread(target=pingpong, daemon=True)
    thread.start()
    status, out, err = host("bridge", "add", "br0", "--uplink", "eth0", "--persist")
    check("bridge add --persist finds systemd-networkd", status == 0 and "05-vmwire-br0.netdev: new" in out and
          "+DNS=192.0.2.53" in out and "networkctl reload" in out, status, out, err)
    nd.end()
    nd = Networkd()
    check("networkd takes the bridge over as it is",
          wait_for(lambda: configured("br0", "05-vmwire-br0.network") and
                   configured("eth0", "05-vmwire-br0-uplink.network"), 10),
          sh("sh", "-c", "cat /run/systemd/netif/links/*"), open(nd.log).read()[-3000:])
    shown = sh("ip", "addr") + sh("ip", "route")
    check("addresses, routes and master are right", "master br0" in shown and "192.0.2.2/24 brd 192.0.2.255 scope global br0"
          in shown and "default via 192.0.2.1 dev br0" in shown and shown.count("192.0.2.2/24") == 1, shown)
    time.sleep(1)
    beat["stop"] = True
    thread.join(5)
    check("a connection lives through all of it: %d rounds, longest %.0f ms" % (beat["n"], beat["gap"] * 1000),
          not thread.is_alive() and beat["n"] > 50 and beat["gap"] < 1.5)
    # As after a restart of the host: nothing is there but the files.
    complaints = nd.end()
    sh("ip", "link", "del", "br0")
    sh("ip", "addr", "flush", "dev", "eth0")
    nd = Networkd()
    check("networkd makes it from nothing", wait_for(lambda: configured("br0", "05-vmwire-br0.network") and
                                                     "default via 192.0.2.1 dev br0" in sh("ip", "route"), 15),
          sh("ip", "addr"), open(nd.log).read()[-3000:])
    check("with the same MAC address", "02:00:00:00:00:02" in sh("ip", "link", "show", "br0"), sh("ip", "link"))
    complaints += nd.end()
    check("networkd has no complaint about the files", not complaints, "\n".join(complaints))
    status, out, err = host("bridge", "del", "br0", "--persist")
    check("bridge del --persist removes the files", status == 0 and
          os.listdir("/etc/systemd/network") == ["50-eth0.network"], out, err, os.listdir("/etc/systemd/network"))
    c.close()


def static_eth0():
    """eth0 as ifupdown or NetworkManager would have left it."""
    sh("ip", "link", "set", "eth0", "up")
    sh("ip", "addr", "replace", "192.0.2.2/24", "brd", "+", "dev", "eth0")
    sh("ip", "route", "replace", "default", "via", "192.0.2.1")


INTERFACES = """# The loopback network interface
auto lo
iface lo inet loopback

auto eth0
iface eth0 inet static
    # our own
    address 192.0.2.2/24
    gateway 192.0.2.1
    dns-nameservers 192.0.2.53
"""


def program(package, path):
    own = shutil.which(os.path.basename(path))
    if own:
        return own
    return str(UNPACKED / package / path) if (UNPACKED / package / path).exists() else None


def ifupdown():
    root = Path("/run/root/ifupdown")
    (root / "etc/network").mkdir(parents=True)
    (root / "run/network").mkdir(parents=True)
    old = root / "etc/network/interfaces"
    old.write_text(INTERFACES)
    (root / "run/network/ifstate").write_text("lo=lo\neth0=eth0\n")
    static_eth0()
    status, out, err = host("bridge", "add", "br0", "--uplink", "eth0", "--persist", "--root", str(root))
    new = root / "etc/network/interfaces.d/vmwire-br0"
    check("bridge add --persist finds ifupdown", status == 0 and new.exists(), status, out, err)
    check("the old stanza is a comment, and there is a copy", "#vmwire-br0# iface eth0 inet static" in old.read_text() and
          (root / "etc/network/interfaces.vmwire-br0.bak").read_text() == INTERFACES, old.read_text())
    ifup = program("ifupdown", "sbin/ifup")
    if ifup:
        state = root / "state"
        state.mkdir()
        # Both files as one, as `source` would have it; the path of the source line is the machine's.
        both = root / "both"
        both.write_text(re.sub(r"(?m)^source .*\n", "", old.read_text()) + new.read_text())
        done = subprocess.run([ifup, "--no-act", "--verbose", "--state-dir", str(state), "-i", str(both), "-a"],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        check("ifup reads it", done.returncode == 0 and re.search(r"ip addr add 192.0.2.2/\S+ .*dev br0", done.stdout) and
              "default via 192.0.2.1  dev br0" in done.stdout and
              not re.search(r"ip addr add 192.0.2.2/\S+ .*dev eth0", done.stdout), done.stdout, both.read_text())
    else:
        skip("ifup reads it", "ifupdown could not be had")
    status, out, err = host("bridge", "del", "br0", "--persist", "--root", str(root))
    text = old.read_text()
    check("bridge del --persist brings the old file back", status == 0 and not new.exists() and
          text.replace("\nsource /etc/network/interfaces.d/*\n", "") == INTERFACES, out, err, text)


def networkmanager():
    root = Path("/run/root/nm")
    run = root / "run/NetworkManager/devices"
    run.mkdir(parents=True)
    keys = root / "etc/NetworkManager/system-connections"
    keys.mkdir(parents=True)
    static_eth0()
    index = sh("ip", "-o", "link", "show", "eth0").split(":")[0]
    (run / index).write_text("[device]\nmanaged=true\nconnection-uuid=8d6d1b7e-6a0c-4a3f-9f5b-0c5a4e0d1f11\n")
    (keys / "Wired.nmconnection").write_text(
        "[connection]\nid=Wired\nuuid=8d6d1b7e-6a0c-4a3f-9f5b-0c5a4e0d1f11\ntype=ethernet\n\n"
        "[ipv4]\naddress1=192.0.2.2/24,192.0.2.1\ndns=192.0.2.53;\nmethod=manual\n\n[ipv6]\nmethod=ignore\n")
    status, out, err = host("bridge", "add", "br0", "--uplink", "eth0", "--persist", "--root", str(root))
    new = keys / "vmwire-br0.nmconnection"
    check("bridge add --persist finds NetworkManager", status == 0 and new.exists(), status, out, err)
    check("keyfiles are root's alone", (new.stat().st_mode & 0o777) == 0o600)
    check("name servers come along", "dns=192.0.2.53;" in new.read_text(), new.read_text())
    nmcli = program("network-manager", "usr/bin/nmcli")
    lib = str(UNPACKED / "libnm0/usr/lib/x86_64-linux-gnu")
    env = {**os.environ, "LD_LIBRARY_PATH": lib}
    if nmcli and not subprocess.run([nmcli, "--version"], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                    check=False).returncode:
        for name, want in (("vmwire-br0", "address1=192.0.2.2/24,192.0.2.1"), ("vmwire-br0-uplink", "master=br0")):
            done = subprocess.run([nmcli, "--offline", "connection", "modify", "connection.zone", ""], env=env,
                                  input=(keys / (name + ".nmconnection")).read_text(), stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, check=False)
            check("nmcli reads %s" % name, done.returncode == 0 and want in done.stdout, done.stdout)
    else:
        skip("nmcli reads it", "NetworkManager could not be had")
    status, out, err = host("bridge", "del", "br0", "--persist", "--root", str(root))
    check("bridge del --persist leaves the old profile alone", status == 0 and
          os.listdir(keys) == ["Wired.nmconnection"], out, err, os.listdir(keys))


def foreign():
    """A file of that name that is not vmwire's is kept."""
    root = Path("/run/root/foreign")
    (root / "etc/systemd/network").mkdir(parents=True)
    file = root / "etc/systemd/network/05-vmwire-br0.netdev"
    file.write_text("[NetDev]\nName=mine\n")
    before = sh("find", str(root), "-type", "f")
    static_eth0()
    status, out, err = host("bridge", "add", "br0", "--uplink", "eth0", "--persist=networkd", "--root", str(root),
                            "--dry-run")
    check("--dry-run shows files and writes none", status == 0 and "-Name=mine" in out and "+Name=br0" in out and
          sh("find", str(root), "-type", "f") == before and file.read_text() == "[NetDev]\nName=mine\n", out, err)
    status, out, err = host("bridge", "add", "br0", "--uplink", "eth0", "--persist=networkd", "--root", str(root))
    copy = Path(str(file) + ".vmwire-br0.bak")
    check("a foreign file is copied first", status == 0 and copy.exists() and
          copy.read_text() == "[NetDev]\nName=mine\n" and "Name=br0" in file.read_text(), out, err)
    text = (root / "etc/systemd/network/05-vmwire-br0.network").read_text()
    check("without an old file, what the link has is written", "Address=192.0.2.2/24\n" in text and
          "Gateway=192.0.2.1\n" in text, text)
    host("bridge", "del", "br0", "--persist", "--root", str(root))


def main():
    inside()
    gw = set_up()
    try:
        networkd()
        ifupdown()
        networkmanager()
        foreign()
    finally:
        gw.kill()
    print("1..%d" % count)
    sys.exit(1 if bad else 0)


main()
