#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# limit: 480
#
# Cards of each model that come and go while another one carries traffic: device_add and device_del, ten times, and the
# guest sees each, and the link of one. Then a card is moved under load from the user-mode network to a hub, to a TAP and
# back, and loses no connection. Another guest is asked for a card before its kernel has looked for any.
. "$(dirname "$0")/../lib.sh"
is_qemu && { skip "hot-plug" "the last part is vmwire's own"; finish; }

initrd plug tools <<'END'
. /vw/lib
for list in e1000 rtl8139; do
	while read -r module; do insmod "/modules/$module" 2>/dev/null; done <"/modules/$list"
done
dhcp
# carrier STATE: until eth1's link has it
carrier() {
	until [ "$(cat /sys/class/net/eth1/carrier)" = "$1" ]; do usleep 20000; done
	say carrier "$model $1"
}
while [ ! -e /tmp/done ]; do
	say sum-in "$(bulk get 10.0.2.2 9002 4)"
	say sum-out "$(bulk put 10.0.2.2 9002 4)"
	usleep 200000	# so that the other card's driver gets the processor, too
done &
say ready
say clock "start $(seconds)"
for model in virtio e1000 rtl8139; do
	for i in 1 2 3 4 5 6 7 8 9 10; do
		until [ -e /sys/class/net/eth1 ]; do usleep 50000; done
		say seen "$model $i $(driver eth1) $(cat /sys/class/net/eth1/address)"
		if [ $i = 3 ]; then
			dhcp eth1
			say address "$(address eth1)"
			carrier 1
			carrier 0
			carrier 1
			say linked "$model"
		fi
		while [ -e /sys/class/net/eth1 ]; do usleep 50000; done
		say gone "$model $i"
	done
	say clock "$model $(seconds)"
done
touch /tmp/done
wait
say cycles-done
say clock "cycles $(seconds)"

count() { read -r n <"/sys/class/net/eth0/statistics/$1" && echo "$n"; }
# flows: until another MB has gone each way
flows() {
	rx=$(($(count rx_bytes) + 1000000)) tx=$(($(count tx_bytes) + 1000000))
	until [ "$(count rx_bytes)" -gt $rx ] && [ "$(count tx_bytes)" -gt $tx ]; do usleep 20000; done
}
# To an address that all networks have.
ping -i 0.1 10.0.2.2 >/tmp/pings &
ping=$!
# These two begin on the user-mode network and end there.
bulk get 10.9.0.2 9002 32 >/tmp/user-in &
get=$!
bulk put 10.9.0.2 9002 32 >/tmp/user-out &
put=$!
flows
say clock "moves $(seconds)"
say flows user
# Only the bridge has this one.
until ping -c 1 -W 1 10.0.2.9 >/dev/null; do :; done
# These two begin on the hub and end on the TAP.
bulk get 10.0.2.9 9003 16 >/tmp/tap-in &
get2=$!
bulk put 10.0.2.9 9003 16 >/tmp/tap-out &
put2=$!
flows
say flows hub
wait $get2 $put2
kill -0 $get && kill -0 $put && say waiting both
say flows tap
say clock "hub and TAP $(seconds)"
wait $get $put
for f in user-in user-out tap-in tap-out; do say "$f" "$(cat /tmp/$f)"; done
kill -INT $ping
wait
say clock "end $(seconds)"
say pings "$(sed -n 's/^\([0-9]*\) packets transmitted, \([0-9]*\) .*/\1 \2/p' /tmp/pings)"
END
initrd early <<'END'
. /vw/lib
say up
while [ -e /sys/class/net/eth0 ]; do usleep 50000; done
say cards "$(cat /sys/class/net/eth*/address | tr '\n' ' ')"
END

# sum MIB: of a transfer
sum() { awk -v mib="$1" '$1 == 0 && $2 == mib { print $3 }' "$kit/sums"; }

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

# A bridge that looks like the user-mode network's gateway, with two TAPs: one for the card, one for the hub.
ip link add vwbr type bridge
ip link set vwbr address 52:55:0a:00:02:02
ip addr add 10.0.2.2/24 dev vwbr
ip addr add 10.0.2.9/24 dev vwbr
ip link set vwbr up
for tap in vwtap vwhub; do
	ip link del $tap 2>/dev/null
	ip tuntap add dev $tap mode tap
	ip link set $tap master vwbr up
done
# A host that only the user-mode network leads to: the bridge forwards nothing, and does not say so. So a connection to
# it waits while the card is elsewhere.
ip netns add far
ip link add vwfar type veth peer name far0 netns far
ip addr add 10.9.0.1/24 dev vwfar
ip link set vwfar up
ip -n far addr add 10.9.0.2/24 dev far0
ip -n far link set far0 up
echo 0 >/proc/sys/net/ipv4/ip_forward
host far ip netns exec far "$kit/bulk" serve 10.9.0.2 9002
host bulk "$kit/bulk" serve 127.0.0.1 9002
host bulk-bridge "$kit/bulk" serve 10.0.2.9 9003

tap=script=no,downscript=no
start plug -m 256 -netdev user,id=u0 -device virtio-net-pci,netdev=u0,id=fast -netdev user,id=u1 \
	-netdev "tap,id=t0,ifname=vwtap,$tap" -netdev "tap,id=t1,ifname=vwhub,$tap" \
	-netdev hubport,id=h1,hubid=1,netdev=t1 -netdev hubport,id=h2,hubid=1 \
	-monitor "unix:$tmp/plug.mon,server=on,wait=off"
connect plug

check "the guest is up" await plug "vw: ready" 150
complaints=
n=10
for model in virtio-net-pci e1000 rtl8139; do
	name=${model%%-*}
	for i in 1 2 3 4 5 6 7 8 9 10; do
		((++n))
		complaints+=$(asked "device_add $model,netdev=u1,id=nic1,mac=52:54:00:00:01:$n")
		await plug "vw: seen $name $i " 60 || break 2
		if [ $i = 3 ]; then
			await plug "vw: carrier $name 1" 60
			complaints+=$(asked set_link nic1 off)
			await plug "vw: carrier $name 0" 60
			complaints+=$(asked set_link nic1 on)
			await plug "vw: linked $name" 60
		fi
		complaints+=$(asked device_del nic1)
		await plug "vw: gone $name $i" 60 && left nic1 || break 2
	done
done
check "the guest gets through all of them" await plug "vw: cycles-done" 90
for driver in virtio_net e1000 8139cp; do
	is "ten cards with the driver $driver are seen" "$(said plug seen | grep -c " $driver ")" 10
done
is "each is the one that was plugged in" "$(said plug seen | sed 's/.*://' | tr '\n' ' ')" "$(seq -s ' ' 11 40) "
is "thirty are gone again" "$(said plug gone | wc -l)" 30
is "one of each model had an address" "$(said plug address | tr '\n' ' ')" "10.0.2.15 10.0.2.16 10.0.2.17 "
is "and set_link is seen" "$(said plug carrier | tr '\n' ' ')" \
	"virtio 1 virtio 0 virtio 1 e1000 1 e1000 0 e1000 1 rtl8139 1 rtl8139 0 rtl8139 1 "
at_least "transfers by the other card" "$(said plug sum-in | wc -l)" 3
is "all arrive whole" "$(said plug sum-in | sort -u)" "$(sum 4)"
is "in both directions" "$(said plug sum-out | sort -u)" "$(sum 4)"

for move in user:h2 hub:t0 tap:u0; do
	await plug "vw: flows ${move%:*}" 90
	complaints+=$(asked "netdev_replug fast ${move#*:}")
done
check "the guest ends well" await plug "vw: status 0" 120
for key in user-in user-out; do
	is "$key: a connection outlives the card's way to hub and TAP and back" "$(said plug $key)" "$(sum 32)"
done
is "both were not over before" "$(said plug waiting)" both
for key in tap-in tap-out; do
	is "$key: a connection moves from hub to TAP under load" "$(said plug $key)" "$(sum 16)"
done
read -r sent heard < <(said plug pings)
at_least "pings all the while" "$sent" 20
at_most "pings lost in three moves" $((sent - heard)) 6
at_least "MB by the hub" $(($(cat /sys/class/net/vwhub/statistics/rx_bytes) / 1000000)) 1
at_least "MB by the TAP" $(($(cat /sys/class/net/vwtap/statistics/rx_bytes) / 1000000)) 1

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
said plug clock | sed 's/^/# guest clock: /'
is "the monitor has nothing to complain of" "$complaints" ""
finish
