#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A virtio-net card behind the qtest accelerator whose rings the kernel's vhost works on (T9, T11).

The driver of virtio_net.py, over a TAP in a network namespace of its own: the kernel on the other
side answers ARP and ping. With messages and with the interrupt line; what breaks the rules is found
by the kernel, and the card must ask for a reset. Needs root and /dev/vhost-net, skips without; the
guest test vhost.sh runs it in the lab.

usage: vhost.py [PATH-OF-VMWIRE]    prints TAP
"""
import os
import shutil
import socket
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
import virtio_net as wire  # noqa: E402

KERNEL = "vhost: queue 0 in the kernel"
# Of this the kernel says nothing: it keeps trying.
SILENT = "a chain shorter than its header"


def monitor(path, command):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        s.sendall(command.encode() + b"\n")
        s.settimeout(wire.TIMEOUT)
        text = b""
        while text.count(b"(vmwire)") < 2:
            got = s.recv(65536)
            if not got:
                break
            text += got
    return text.decode()


def start(folder, name, vectors):
    return subprocess.Popen([
        wire.VMWIRE, "-accel", "qtest", "-qtest", "unix:%s/%s,server=on,wait=off" % (folder, name),
        "-m", "64", "-display", "none", "-monitor", "unix:%s/%s.mon,server=on,wait=off" % (folder, name),
        "-netdev", "tap,id=n0,ifname=vh0,script=no,downscript=no,vhostforce=on",
        "-device", "virtio-net-pci,netdev=n0,mac=52:54:00:01:02:03,vectors=%d" % vectors],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def one_card(tap, folder, kind, vectors):
    name = "%s%d" % (kind.__name__.lower(), vectors)
    text, state = "%s, vectors=%d: " % (kind.__name__.lower(), vectors), {}
    vm = start(folder, name, vectors)
    q = wire.Qtest(os.path.join(folder, name))
    card = kind(q)

    def in_kernel():
        wire.wait("the kernel", lambda: KERNEL in monitor("%s/%s.mon" % (folder, name), "info network"))

    def traffic():
        state["gw"] = wire.resolve(card)
        for seq in range(20):
            wire.ping(card, state["gw"], seq)

    def bad(act):
        wire.malformed(card, state["gw"], act)
        in_kernel()

    def silent():
        wire.MALFORMED[SILENT](card)
        card.kick(1)
        card.up()
        wire.ping(card, state["gw"], 6)
        in_kernel()

    def link():
        for up in ("off", "on") * 2:
            monitor("%s/%s.mon" % (folder, name), "set_link n0 " + up)
        wire.ping(card, state["gw"], 5)
        in_kernel()

    def survives():
        wire.garbage(card)
        wire.ping(card, state["gw"], 4)
        in_kernel()

    def ends():
        assert vm.wait(wire.TIMEOUT) == 0, vm.returncode

    tap.run(text + "driver starts", card.up)
    tap.run(text + "the kernel has the rings", in_kernel)
    tap.run(text + "pings", traffic)
    tap.run(text + "interrupts", lambda: wire.check_interrupts(card, state["gw"]))
    tap.run(text + SILENT + ", then a reset", silent)
    for what, act in wire.MALFORMED.items():
        if what == SILENT:
            continue
        tap.run(text + what + " needs a reset, which helps", lambda act=act: bad(act))
    tap.run(text + "the link goes and comes", link)
    tap.run(text + "garbage in the registers, then a reset", survives)
    q.close()
    tap.run(text + "vmwire ends with its client", ends)
    if vm.poll() is None:
        vm.kill()
        vm.wait()


def main():
    try:
        os.close(os.open("/dev/vhost-net", os.O_RDWR))
    except OSError as why:
        print("1..0 # SKIP /dev/vhost-net: %s" % why.strerror)
        return 77
    if os.environ.get("VH_INSIDE") is None:
        os.environ["VH_INSIDE"] = "1"
        os.execvp("unshare", ["unshare", "-n", sys.executable, *sys.argv])
    for command in ("ip tuntap add dev vh0 mode tap", "ip addr add 10.0.2.2/24 dev vh0",
                    "ip link set vh0 up",
                    # Our driver answers no ARP.
                    "ip neigh add 10.0.2.15 lladdr 52:54:00:01:02:03 dev vh0 nud permanent"):
        subprocess.run(command.split(), check=True)
    folder = tempfile.mkdtemp(prefix="vmwire-vhost-")
    cards = [(wire.Legacy, 0), (wire.Modern, 3)]
    tap = wire.Tap(len(cards) * (7 + len(wire.MALFORMED)))
    try:
        for kind, vectors in cards:
            one_card(tap, folder, kind, vectors)
    finally:
        shutil.rmtree(folder)
    return 1 if tap.bad else 0


if __name__ == "__main__":
    sys.exit(main())
