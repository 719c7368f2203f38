#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# limit: 240
#
# Cards that come and go while another one carries traffic: device_add and device_del, ten times, and the guest sees
# each; then a card that pings is moved from the user-mode network to a hub and on to a TAP.
. "$(dirname "$0")/../lib.sh"
is_qemu && { skip "hot-plug" "the last part is vmwire's own"; finish; }

initrd plug <<'END'
. /vw/lib
dhcp
while [ ! -e /tmp/done ]; do
	wget -q -O - http://10.0.2.2:9003/in.bin | sha256sum | sed 's/^\([^ ]*\).*/vw: sum \1/'
done &
say ready
for i in 1 2 3 4 5 6 7 8 9 10; do
	until [ -e /sys/class/net/eth1 ]; do usleep 50000; done
	say seen "$i $(driver eth1) $(cat /sys/class/net/eth1/address)"
	[ $i != 3 ] || { dhcp eth1; say address "$(address eth1)"; }
	while [ -e /sys/class/net/eth1 ]; do usleep 50000; done
	say gone "$i"
done
say slots "$(ls /sys/bus/pci/devices | wc -l)"
touch /tmp/done
wait
say cycles-done
END
head -c 4000000 /dev/urandom >"$tmp/in.bin"
sum=$(sha256sum <"$tmp/in.bin" | cut -d' ' -f1)
host http busybox httpd -f -p 127.0.0.1:9003 -h "$tmp"

# mon COMMAND...: a line for the monitor; what it answers goes to $tmp/mon.log
mon() { echo "$*" >&"$monitor"; }

start plug -m 256 -netdev user,id=u0 -device virtio-net-pci,netdev=u0,id=fast \
	-netdev user,id=u1 -monitor "unix:$tmp/mon,server=on,wait=off"
await plug "vw: init" 60
mkfifo "$tmp/mon.in"
socat - "UNIX-CONNECT:$tmp/mon" <"$tmp/mon.in" >"$tmp/mon.log" 2>&1 &
pids[socat]=$!
exec {monitor}>"$tmp/mon.in"

check "the guest is up" await plug "vw: ready" 60
for i in 1 2 3 4 5 6 7 8 9 10; do
	mon "device_add virtio-net-pci,netdev=u1,id=nic1,mac=52:54:00:00:01:$((i + 10))"
	await plug "vw: seen $i " 20 || break
	[ $i != 3 ] || await plug "vw: address" 20
	mon device_del nic1
	await plug "vw: gone $i" 20 || break
done
check "the guest gets through all of them" await plug "vw: cycles-done" 20
is "ten cards are seen, with their driver" "$(said plug seen | grep -c virtio_net)" 10
is "each is the one that was plugged in" "$(said plug seen | sed 's/.*://' | tr '\n' ' ')" \
	"11 12 13 14 15 16 17 18 19 20 "
is "ten are gone again" "$(said plug gone | wc -l)" 10
is "one of them had an address" "$(said plug address)" 10.0.2.15
at_least "transfers by the other card" "$(said plug sum | wc -l)" 1
is "all arrive whole" "$(said plug sum | sort -u)" "$sum"
is "the monitor has nothing to complain of" "$(grep -i 'device_\(add\|del\):' "$tmp/mon.log")" ""
finish
