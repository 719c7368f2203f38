#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# limit: 420
#
# vhost (T9 to T11): the kernel works on a virtio card's rings. Transfers, the driver reloaded ten times under traffic,
# set_link, moves between a TAP with vhost and the user-mode network under load; guests without MSI-X, with and without
# vhostforce; a legacy driver with its short header; two queue pairs, and descriptors from the shell; two guests; a
# driver gone mad; a device that is not there; what is left behind.
. "$(dirname "$0")/../lib.sh"
is_qemu && { skip "vhost" "it asks vmwire's monitor"; finish; }

cat >"$tmp/functions" <<'END'
. /vw/lib
up() {
	until [ -e /sys/class/net/eth0 ]; do usleep 20000; done
	ip addr add "$vw_ip/24" dev eth0
	ip link set eth0 up
}
count() { read -r n <"/sys/class/net/eth0/statistics/$1" && echo "$n"; }
# both KEY MIB: from the host and to it
both() {
	say "$1-in" "$(bulk get 10.0.2.9 9003 "$2")"
	say "$1-out" "$(bulk put 10.0.2.9 9003 "$2")"
}
carrier() {
	until [ "$(cat /sys/class/net/eth0/carrier)" = "$1" ]; do usleep 20000; done
	say carrier "$1"
}
up
until ping -c 1 -W 1 10.0.2.9 >/dev/null; do :; done
END
{ cat "$tmp/functions" - <<'END'
both first 64
say ready
read -r go
for i in 1 2 3 4 5 6 7 8 9 10; do
	bulk get 10.0.2.9 9003 64 >/dev/null 2>&1 &
	get=$!
	bulk put 10.0.2.9 9003 64 >/dev/null 2>&1 &
	put=$!
	rx=$(($(count rx_bytes) + 150000)) tx=$(($(count tx_bytes) + 150000))
	until [ "$(count rx_bytes)" -gt $rx ] && [ "$(count tx_bytes)" -gt $tx ]; do usleep 20000; done
	rmmod virtio_net
	[ ! -e /sys/class/net/eth0 ] || break
	kill -9 $get $put
	wait
	insmod /modules/virtio_net.ko
	up
	say reloaded $i
done 2>/dev/null
both again 4
say ready-link
carrier 0
carrier 1
both linked 4

# Moves. A connection of each network that lives through all of them: lines that come back as they went.
ip route add default via 10.0.2.2
# talk HOST NAME
talk() {
	{
		i=0
		until [ -e /tmp/enough ]; do
			echo "line $((i += 1)) of this connection"
			usleep 20000
		done
	} | tee "/tmp/$2-sent" | nc -w 60 "$1" 9004 >"/tmp/$2-back"
}
say moves
read -r go	# we are on the user-mode network
talk 10.9.0.2 user & user=$!
until [ -s /tmp/user-back ]; do usleep 20000; done
say talks
read -r go	# and here on the TAP
until ping -c 1 -W 1 10.0.2.9 >/dev/null; do :; done
talk 10.0.2.9 tap & tap=$!
while [ ! -e /tmp/enough ]; do bulk get 10.0.2.9 9003 8; bulk put 10.0.2.9 9003 8; done >/tmp/load & load=$!
until [ -s /tmp/load ]; do usleep 20000; done
say loaded
read -r go
touch /tmp/enough
wait $tap $load
say enough	# now to the other network, where the other connection can end
wait $user
for name in user tap; do
	cmp -s /tmp/$name-sent /tmp/$name-back && say kept $name "$(wc -l </tmp/$name-back)"
done
say load "$(sort -u /tmp/load)"
END
} | initrd card tools
# What most of the others do.
{ cat "$tmp/functions" - <<'END'
say up
both first ${vw_mib:-8}
[ -z "$vw_pairs" ] || say channels "$(ethtool -l eth0 | sed -n 's/^Combined:[[:space:]]*//p' | tr '\n' ' ')"
say msix "$(grep -c virtio0-input /proc/interrupts)"
say done
read -r go
if [ "$vw_other" ]; then
	bulk serve "$vw_ip" 9003 &
	say serving
	read -r go
	say peer-in "$(bulk get "$vw_other" 9003 8)"
	say peer-out "$(bulk put "$vw_other" 9003 8)"
	say peer-done
	read -r go
fi
if [ "$vw_pairs" ]; then
	for n in 1 2; do
		ethtool -L eth0 combined $n
		both pairs$n 4
		say pairs $n
		read -r go
	done
	while [ -e /sys/class/net/eth0 ]; do usleep 20000; done
	say gone
	up
	until ping -c 1 -W 1 10.0.2.9 >/dev/null; do :; done
	both replaced 4
	say replaced
	read -r go
fi
END
} | initrd plain tools
{ cat "$tmp/functions" - <<'END'
both first 4
ip link set eth0 down
echo virtio0 >/sys/bus/virtio/drivers/virtio_net/unbind
pci=$(basename "$(readlink -f /sys/bus/virtio/devices/virtio0/..)")
echo "$pci" >/sys/bus/pci/drivers/virtio-pci/unbind
# Off by itself in a guest this small.
echo always >/sys/kernel/mm/transparent_hugepage/enabled
say mad "$(scramble "$pci" 5 ${vw_seed:-1} 2>&1 || echo "status $?")"
echo "$pci" >/sys/bus/pci/drivers/virtio-pci/bind
up
both after 4
END
} | initrd mad tools

sum() { awk -v mib="$1" '$1 == 0 && $2 == mib { print $3 }' "$kit/sums"; }
# both GUEST KEY MIB WHAT
both() {
	is "$4: $3 MiB from the host" "$(said "$1" "$2-in")" "$(sum "$3")"
	is "$4: $3 MiB to the host" "$(said "$1" "$2-out")" "$(sum "$3")"
}
# connect GUEST: its monitor, for as long as it is there
declare -A monitors=()
connect() {
	until [ -S "$tmp/$1.mon" ]; do nap 0.05; done
	mkfifo "$tmp/$1.ask"
	socat - "UNIX-CONNECT:$tmp/$1.mon" <"$tmp/$1.ask" >>"$tmp/$1.said" 2>/dev/null &
	pids[socat-$1]=$!
	exec {monitors[$1]}>"$tmp/$1.ask"
}
# monitor GUEST COMMAND...: what the monitor answers to it
monitor() {
	local text end=$((SECONDS + 10))
	: >"$tmp/$1.said"
	printf '%s\ninfo name\n' "${*:2}" >&"${monitors[$1]}"
	while IFS= read -r -d '' text <"$tmp/$1.said"; [[ $text != *"info name"*"(vmwire)"* ]] && [ $SECONDS -lt $end ]; do
		nap 0.05
	done
	tr -d '\r' <<<"$text" | grep -vxF -- "${*:2}" | grep -v '^(vmwire)\|^vmwire .* monitor'
}
# state GUEST: what info network says of the queues
state() { monitor "$1" info network | sed -n 's/^ *vhost: //p' | tr '\n' ';'; }
kernel_has="queue 0 in the kernel, not counted here;"
# run NAME ADDRESS ARG...: a guest whose console we write to by go NAME
run() {
	local name=$1 ip=$2
	shift 2
	[ -e "$tmp/$name.cpio" ] || cp "$tmp/plain.cpio" "$tmp/$name.cpio"
	mkfifo "$tmp/$name.in"
	exec {in[$name]}<>"$tmp/$name.in"
	: >"$tmp/$name.log"
	(exec setpriv --pdeathsig KILL "$vmwire" "${common[@]}" -kernel "$kernel" -initrd "$tmp/$name.cpio" \
		-append "$append vw.ip=$ip $more" -m 192 -monitor "unix:$tmp/$name.mon,server=on,wait=off" -serial stdio "$@" \
		<"$tmp/$name.in" >"$tmp/$name.log" 2>"$tmp/$name.err") &
	pids[$name]=$!
	connect $name
}
declare -A in=()
go() { echo go >&"${in[$1]}"; }

modprobe -d "$VMWIRE_TOP/build/kernel" vhost_net
ip link add vwvbr type bridge
ip addr add 10.0.2.9/24 dev vwvbr
ip link set vwvbr up
for tap in vwv0 vwv1 vwv2 vwv3; do
	ip link del $tap 2>/dev/null
	case $tap in vwv3) ip tuntap add dev $tap mode tap multi_queue ;; *) ip tuntap add dev $tap mode tap ;; esac
	ip link set $tap master vwvbr up
done
# A host that only the user-mode network leads to.
ip netns add vwfar
ip link add vwvfar type veth peer name far0 netns vwfar
ip addr add 10.9.0.1/24 dev vwvfar
ip link set vwvfar up
ip -n vwfar addr add 10.9.0.2/24 dev far0
ip -n vwfar link set far0 up
host far ip netns exec vwfar socat TCP4-LISTEN:9004,bind=10.9.0.2,fork PIPE
host near socat TCP4-LISTEN:9004,bind=10.0.2.9,fork PIPE
host bulk "$kit/bulk" serve 10.0.2.9 9003
tap=script=no,downscript=no,vhost=on

# --- a card, its driver, its link, its moves
more=
run card 10.0.2.15 -netdev "tap,id=t0,ifname=vwv0,$tap" -netdev user,id=u0 -device virtio-net-pci,netdev=t0,id=card
check "a guest with vhost=on" await card "vw: ready" 120
both card first 64 "vhost"
is "the kernel has the rings" "$(state card)" "$kernel_has"
like "info network: vhost=on" "$(monitor card info network)" "ifname=vwv0,.*vnet_hdr=on,vhost=on"
sent=$(monitor card info netstats | awk '$1 == "card" { print $3 + $5 }')
at_most "frames that passed vmwire itself" "$sent" 100
at_least "MiB that the interface counted" \
	"$(monitor card info network | sed -n 's/^ *interface vwv0 in all:.* \([0-9]*\) bytes to the guest.*/\1/p' | awk '{ print $1 / 1048576 }')" 64
like "and the kernel's thread is there" "$(ps ax)" "\[vhost-${pids[card]}\]"
go card
check "the driver comes and goes" await card "vw: ready-link" 150
is "ten times under traffic" "$(said card reloaded | wc -l)" 10
both card again 4 "after that"
is "the kernel has the rings after that" "$(state card)" "$kernel_has"
monitor card set_link card off >/dev/null
await card "vw: carrier 0" 30
is "link down: the rings are back" "$(state card)" "queue 0 in user space: link down;"
monitor card set_link card on >/dev/null
check "link up again" await card "vw: moves" 60
both card linked 4 "after that"
is "the kernel has the rings after that" "$(state card)" "$kernel_has"
complaints=$(monitor card netdev_replug card u0)
go card
await card "vw: talks" 30
complaints+=$(monitor card netdev_replug card t0)
go card
await card "vw: loaded" 60
for i in 1 2 3 4 5; do
	complaints+=$(monitor card netdev_replug card u0)
	complaints+=$(monitor card netdev_replug card t0)
	states+=$(state card)
done
is "after each of five ways to the user-mode network and back the kernel has the rings" "$states" \
	"$kernel_has$kernel_has$kernel_has$kernel_has$kernel_has"
complaints+=$(monitor card netdev_replug card u0)
nap 1
complaints+=$(monitor card netdev_replug card t0)
nap 1
go card
await card "vw: enough" 90
# The connection of the other network is to end, too.
complaints+=$(monitor card netdev_replug card u0)
check "the guest ends well" await card "vw: status 0" 120
is "the monitor has nothing to complain of" "$complaints" ""
is "connections that outlived the moves, whole" "$(said card kept | cut -d' ' -f1 | tr '\n' ' ')" "user tap "
said card kept | sed 's/^/# lines: /'
is "transfers meanwhile" "$(said card load)" "$(sum 8)"
is "standard error" "$(grep -v "netdev u0 has no peer" "$tmp/card.err")" ""

# --- two guests without MSI-X, the second one forced, and by the legacy interface with its header of 10 bytes
more="vw.other=10.0.2.17" run line 10.0.2.16 -netdev "tap,id=t0,ifname=vwv0,$tap" \
	-device virtio-net-pci,netdev=t0,vectors=0
more="vw.other=10.0.2.16" run forced 10.0.2.17 -netdev "tap,id=t0,ifname=vwv1,$tap,vhostforce=on" \
	-device virtio-net-pci,netdev=t0,vectors=0,disable-modern=on,mrg_rxbuf=off
for name in line forced; do check "guest $name" await $name "vw: done" 90; done
both line first 8 "vectors=0"
both forced first 8 "vectors=0, vhostforce=on"
is "vectors=0: the rings stay here" "$(state line)" "queue 0 in user space: the guest does not use MSI-X: vhostforce=on;"
is "and with vhostforce=on the kernel has them" "$(state forced)" "$kernel_has"
is "no vector is used" "$(said line msix) $(said forced msix)" "0 0"
for name in line forced; do go $name; await $name "vw: serving" 30; done
for name in line forced; do
	go $name
	check "guest $name talks to the other one" await $name "vw: peer-done" 60
	is "from there" "$(said $name peer-in)" "$(sum 8)"
	is "to there" "$(said $name peer-out)" "$(sum 8)"
done
kill -KILL ${pids[forced]}
wait ${pids[forced]} 2>/dev/null
is "kill -9 leaves no thread of the kernel's" "$(ps ax | grep -c "[v]host-${pids[forced]}")" 0
is "and nothing on the TAP" "$(cat /sys/class/net/vwv1/carrier)" 0
unset "pids[forced]"
stop line

# --- two queue pairs, descriptors from the shell
exec 7<>/dev/vhost-net 8<>/dev/vhost-net
more="vw.pairs=2" run mq 10.0.2.18 -smp 2 -netdev "tap,id=t0,ifname=vwv3,script=no,downscript=no,queues=2,vhostfds=7:8" \
	-device virtio-net-pci,netdev=t0,mq=on,id=pairs
exec 7>&- 8>&-
check "a guest with two queue pairs, vhostfds=" await mq "vw: done" 90
is "ethtool -l: two of two" "$(said mq channels)" "2 2 "
both mq first 8 "two pairs"
is "the kernel has both" "$(state mq)" "queues 0 to 1 in the kernel, not counted here;"
go mq
check "one pair" await mq "vw: pairs 1" 60
both mq pairs1 4 "one pair"
is "the kernel has one" "$(state mq)" "$kernel_has""queue 1 in user space: the guest does not use it;"
go mq
check "two pairs again" await mq "vw: pairs 2" 60
both mq pairs2 4 "two pairs again"
is "the kernel has both again" "$(state mq)" "queues 0 to 1 in the kernel, not counted here;"
complaints=$(monitor mq device_del pairs)
go mq
check "the card is unplugged" await mq "vw: gone" 60
is "the kernel has none" "$(state mq)" "queues 0 to 1 in user space: no virtio card is alone with it;"
complaints+=$(monitor mq device_add virtio-net-pci,netdev=t0,mq=on)
check "another one comes" await mq "vw: replaced" 60
both mq replaced 4 "the other card"
is "the kernel has both again" "$(state mq)" "queues 0 to 1 in the kernel, not counted here;"
is "the monitor has nothing to complain of" "$complaints" ""
go mq
check "the guest ends well" await mq "vw: status 0" 60

# --- a driver gone mad
more= run mad 10.0.2.19 -netdev "tap,id=t0,ifname=vwv2,$tap,vhostforce=on" -device virtio-net-pci,netdev=t0
check "a driver that writes anything anywhere" await mad "vw: status 0" 120
like "it was mad" "$(said mad mad)" "^[0-9]+ registers written, [0-9]+ read"
both mad first 4 "before"
both mad after 4 "after it"
sed 's/^/# stderr: /' "$tmp/mad.err"

# --- without the device
refused() {
	"$vmwire" -machine none "$@" >"$tmp/out" 2>&1 </dev/null 5>&-
	echo "$? $(cat "$tmp/out")"
}
fallback() {
	timeout 2 "$vmwire" -machine none "$@" >"$tmp/out" 2>&1 </dev/null
	grep -v 'no peer\|ended by' "$tmp/out"
}
like "vhostfd= that is not open" "$(refused -netdev "tap,id=t0,ifname=vwv0,script=no,downscript=no,vhostfd=55")" \
	"^1 vmwire: -netdev tap: tap: vhostfd=55: not open; it must be an open descriptor of /dev/vhost-net"
like "vhostfd= of something else" \
	"$(refused -netdev "tap,id=t0,ifname=vwv0,script=no,downscript=no,vhostfd=9" 9</dev/null)" "^1 .*vhostfd=9: not one of vhost-net"
mv /dev/vhost-net /dev/vhost-away
is "without the device: one line, and on it goes" "$(fallback -netdev "tap,id=t0,ifname=vwv0,$tap")" \
	"vmwire: warning: tap: vhost=on: /dev/vhost-net: No such file or directory; load the driver: modprobe vhost_net; going on without vhost"
like "with vhostforce=on it does not" "$(refused -netdev "tap,id=t0,ifname=vwv0,$tap,vhostforce=on")" \
	"^1 vmwire: -netdev tap: vhostforce=on: tap: vhost=on: /dev/vhost-net: No such file.*modprobe vhost_net$"
mv /dev/vhost-away /dev/vhost-net

# --- a driver that breaks the rules one by one, without a guest
"$VMWIRE_TOP/test/wire/vhost.py" "$vmwire" >"$tmp/wire" 2>&1
is "test/wire/vhost.py" "$(grep -v '^ok\|^1\.\.\|stopped, its driver must reset' "$tmp/wire")" ""
at_least "tests in it" "$(grep -c '^ok' "$tmp/wire")" 26
finish
