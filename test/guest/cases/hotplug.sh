#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# limit: 480
#
# Cards that come and go while another one carries traffic: device_add and device_del, ten times, and the guest sees
# each; then a card that pings is moved from the user-mode network to a hub, to a TAP and back. Another guest is asked
# for a card before its kernel has looked for any.
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
touch /tmp/done
wait
say cycles-done
# To an address that all networks have.
ping -c 240 -i 0.02 10.0.2.2 | {
	n=0
	while read -r line; do
		case $line in *seq=*) n=$((n + 1)) ;; *) continue ;; esac
		case $n in *0) say pings "$n," ;; esac
	done
	say pongs "$n"
}
END
initrd early <<'END'
. /vw/lib
say up
while [ -e /sys/class/net/eth0 ]; do usleep 50000; done
say cards "$(cat /sys/class/net/eth*/address | tr '\n' ' ')"
END
head -c 4000000 /dev/urandom >"$tmp/in.bin"
sum=$(sha256sum <"$tmp/in.bin" | cut -d' ' -f1)
host http busybox httpd -f -p 127.0.0.1:9003 -h "$tmp"

# mon COMMAND...: a line for the monitor; what it answers goes to $tmp/mon.log
mon() { echo "$*" >&"$monitor"; }

# connect GUEST: the monitor that mon speaks to
connect() {
	until [ -S "$tmp/$1.mon" ]; do nap 0.05; done
	mkfifo "$tmp/$1.in"
	socat - "UNIX-CONNECT:$tmp/$1.mon" <"$tmp/$1.in" >>"$tmp/mon.log" 2>&1 &
	pids[socat-$1]=$!
	exec {monitor}>"$tmp/$1.in"
}

# asked COMMAND...: what the monitor answers to it
asked() {
	local text end=$((SECONDS + 10))
	: >"$tmp/mon.log"
	mon "$@"
	mon info name
	while IFS= read -r -d '' text <"$tmp/mon.log"; [[ $text != *"info name"*"(vmwire)"* ]] && [ $SECONDS -lt $end ]; do
		nap 0.05
	done
	echo "$text" | tr -d '\r' | grep -vxF -- "$*" | grep -v '^(vmwire)\|^vmwire .* monitor'
}

# left CARD: until vmwire has taken it away, which is a moment after the guest's last sight of it
left() {
	local end=$((SECONDS + 10))
	while [[ $(asked info pci) == *"id $1"* ]]; do [ $SECONDS -lt $end ] || return 1; done
}

# A TAP that looks like the user-mode network's gateway.
ip tuntap add dev vwtap mode tap
ip link set vwtap address 52:55:0a:00:02:02
ip addr add 10.0.2.2/24 dev vwtap
ip link set vwtap up

start plug -m 256 -netdev user,id=u0 -device virtio-net-pci,netdev=u0,id=fast -netdev user,id=u1 -netdev user,id=u2 \
	-netdev hubport,id=h1,hubid=1,netdev=u2 -netdev hubport,id=h2,hubid=1 \
	-netdev tap,id=t0,ifname=vwtap,script=no,downscript=no \
	-monitor "unix:$tmp/plug.mon,server=on,wait=off"
connect plug

check "the guest is up" await plug "vw: ready" 150
complaints=
for i in 1 2 3 4 5 6 7 8 9 10; do
	complaints+=$(asked "device_add virtio-net-pci,netdev=u1,id=nic1,mac=52:54:00:00:01:$((i + 10))")
	await plug "vw: seen $i " 60 || break
	[ $i != 3 ] || await plug "vw: address" 60
	complaints+=$(asked device_del nic1)
	await plug "vw: gone $i" 60 && left nic1 || break
done
check "the guest gets through all of them" await plug "vw: cycles-done" 90
is "ten cards are seen, with their driver" "$(said plug seen | grep -c virtio_net)" 10
is "each is the one that was plugged in" "$(said plug seen | sed 's/.*://' | tr '\n' ' ')" \
	"11 12 13 14 15 16 17 18 19 20 "
is "ten are gone again" "$(said plug gone | wc -l)" 10
is "one of them had an address" "$(said plug address)" 10.0.2.15
at_least "transfers by the other card" "$(said plug sum | wc -l)" 1
is "all arrive whole" "$(said plug sum | sort -u)" "$sum"

at=0
for to in h2 t0 u0; do
	await plug "vw: pings $((at += 50))," 60
	complaints+=$(asked "netdev_replug fast $to")
done
check "the guest ends well" await plug "vw: status 0" 60
at_least "a card moves to a hub, to a TAP and back while it pings: replies to 240 requests" "$(said plug pongs)" 234
at_least "some of them by the TAP" "$(cat /sys/class/net/vwtap/statistics/rx_packets)" 30

start early -m 256 -netdev user,id=u0 -device virtio-net-pci,netdev=u0,id=old,mac=52:54:00:00:02:01 \
	-netdev user,id=u1 -monitor "unix:$tmp/early.mon,server=on,wait=off"
connect early
complaints+=$(asked device_del old)
like "a removal is pending before the guest has an operating system" "$(asked device_del old)" "pending: the guest was asked"
complaints+=$(asked "device_add virtio-net-pci,netdev=u1,id=new,mac=52:54:00:00:02:02")
check "the guest starts" await early "vw: up" 90
# Linux looks at events before it knows its slots: it may have missed that one.
end=$((SECONDS + 20))
until [ -z "$(asked device_del old | grep pending)" ] || [ $SECONDS -ge $end ]; do nap 0.5; done
check "a guest that was asked again gives the card up" await early "vw: status 0" 90
is "and has found the one that came" "$(said early cards)" "52:54:00:00:02:02 "
is "the monitor has nothing to complain of" "$complaints" ""
finish
