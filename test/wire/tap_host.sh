#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# limit: 180
#
# A TAP and what is run for it on the host, on a real kernel, without a guest: scripts, helper, bridge, what is shown of it
# and what is left of it (M1, T1 to T8, H1, H3, H4, H7).

set -u
cd "$(dirname "$0")/../.." || exit 1
. test/tap.sh
build=${VMWIRE_BUILD:-$PWD/build}
vmwire=${VMWIRE:-$build/vmwire}
qemu_helper=/usr/lib/qemu/qemu-bridge-helper

# Everything happens in namespaces of our own; /etc is ours to write to.
if [ "${1:-}" != inside ]; then
	if ! unshare -n -m true 2>/dev/null || ! [ -w /dev/net/tun ]; then
		skip "TAPs" "needs the right to make network namespaces and TAPs"
		finish
	fi
	exec unshare -n -m "$0" inside
fi
dir=$(mktemp -d)
mount -t tmpfs -o mode=755 tmpfs "$dir"
mkdir "$dir/up" "$dir/work" "$dir/room"
chmod 777 "$dir/room"
if ! mount -t overlay overlay -o "lowerdir=/etc,upperdir=$dir/up,workdir=$dir/work" /etc; then
	skip "TAPs" "needs overlayfs"
	finish
fi
rm -rf /etc/qemu-ifup /etc/qemu-ifdown /etc/qemu /etc/vmwire
mount -t sysfs sysfs /sys
mknod -m 666 "$dir/tun" c 10 200
mount --bind "$dir/tun" /dev/net/tun
pid=
trap '[ -z "$pid" ] || kill -KILL $pid 2>/dev/null; umount /dev/net/tun /etc "$dir"; rmdir "$dir"' EXIT
room=$dir/room

script() {
	printf '#!/bin/sh\n%s\n' "$2" >"$1"
	chmod 755 "$1"
}

# run OPTION...: vmwire in the background, until its monitor is there. as=… before it: how.
as=()
run() {
	rm -f "$room/m"
	"${as[@]}" "$vmwire" -machine none -monitor "unix:$room/m,server=on,wait=off" "$@" \
		>"$room/out" 2>"$room/err" </dev/null &
	pid=$!
	local i
	for ((i = 0; i < 200; i++)); do
		# The monitor answers when everything is made.
		[ ! -S "$room/m" ] || [[ $(monitor info version) != *vmwire* ]] || return 0
		kill -0 $pid 2>/dev/null || break
		sleep 0.05
	done
	sed 's/^/# /' "$room/err"
	return 1
}
monitor() { echo "$*" | socat -t 2 - "UNIX-CONNECT:$room/m" 2>/dev/null | tr -d '\r'; }
end() {
	kill "-${1:-TERM}" $pid
	wait $pid 2>/dev/null
	status=$?
	pid=
}
# bad LINE OPTION...: exit status 1, exactly this line.
bad() {
	local want="vmwire: $1" err status
	shift
	timeout 20 "${as[@]}" "$vmwire" -machine none "$@" >"$room/out" 2>"$room/err" </dev/null
	status=$?
	err=$(cat "$room/err")
	if [ $status = 1 ] && [ "$err" = "$want" ]; then
		pass "$* is refused"
	else
		fail "$* is refused" "status: $status" "stderr: $err" "want: $want"
	fi
}
there() { [ -e "/sys/class/net/$1" ]; }
gone() {
	local i
	for ((i = 0; i < 40; i++)); do
		there "$1" || return 0
		sleep 0.05
	done
	return 1
}
port_of() { basename "$(readlink "/sys/class/net/$1/master")"; }

# --- T1, T3, T8: the interface ------------------------------------------------------------------
none=script=no,downscript=no
check "ifname= left out" run -net "tap,$none"
check "the kernel picks tap0" there tap0
like "info network: hub, name, scripts, header" "$(monitor info network)" \
	'hub 0.*tap\.0: index=0,type=tap,ifname=tap0,script=no,downscript=no,vnet_hdr=on,link=up'
end
is "SIGTERM ends it well" $status 0
check "and the TAP is gone" gone tap0
check "ifname= and vnet_hdr=off" run -netdev "tap,id=t0,ifname=lan7,vnet_hdr=off,$none"
like "the interface has no header" "$(ip -d link show lan7)" 'vnet_hdr off'
end KILL
check "after kill -9 the TAP is gone" gone lan7
check "vnet_hdr=on" run -netdev "tap,id=t0,ifname=lan7,vnet_hdr=on,$none"
like "the interface has one" "$(ip -d link show lan7)" 'vnet_hdr on'
like "one name, one program" "$("$vmwire" -machine none -netdev "tap,id=t0,ifname=lan7,$none" 2>&1)" \
	'ifname=lan7: in use by another program; choose another name'
end

# --- H1: the driver ------------------------------------------------------------------------------
chmod 600 "$dir/tun"
as=(setpriv --reuid 65534 --regid 65534 --clear-groups)
bad "-net tap: tap: /dev/net/tun: Permission denied; it must be readable and writable for you (chmod 0666 /dev/net/tun is \
safe: interfaces need CAP_NET_ADMIN)" -net "tap,$none"
chmod 666 "$dir/tun"
bad "-net tap: tap: a new interface: not permitted; run as root, or let root make it for you: ip tuntap add dev NAME mode \
tap user 65534" -net "tap,$none"
ip tuntap add dev mine mode tap user 65534
check "a TAP made for a user is his" run -net "tap,ifname=mine,$none"
end
as=()
check "it stays, as it was there before" there mine
mount -t tmpfs tmpfs /dev/net
bad "-net tap: tap: /dev/net/tun: No such file or directory; load the driver: modprobe tun" -net "tap,$none"
umount /dev/net

# --- T2: what excludes what ---------------------------------------------------------------------
given="the descriptor comes with its interface as it is"
for other in ifname=t script=no downscript=no vnet_hdr=on helper=/h queues=2 fds=3:4; do
	bad "-net tap: tap: fd= and ${other%%=*}= exclude each other: $given" -net "tap,fd=3,$other"
done
for other in ifname=t script=no downscript=no vnet_hdr=on helper=/h queues=2; do
	bad "-net tap: tap: fds= and ${other%%=*}= exclude each other: $given" -net "tap,fds=3:4,$other"
done
for other in ifname=t script=no downscript=no vnet_hdr=off queues=2; do
	bad "-net tap: tap: helper= and ${other%%=*}= exclude each other: the helper makes the interface and sets it up" \
		-net "tap,helper=/h,$other"
done

# --- T4: script= --------------------------------------------------------------------------------
bad "-net tap: tap: script= left out means /etc/qemu-ifup, and that is not there: give script=no and set the interface \
up yourself, or put vmwire's share/qemu-ifup there" -net tap
bad "-net tap: tap: script=$room/none: No such file or directory; give an executable that is there, or no" \
	-net "tap,script=$room/none"
script "$room/up" "echo \"\$# \$1 \$(cat /sys/class/net/\$1/type)\" >$room/ran; echo to-out; echo to-err >&2
for fd in 3 4 5 6 7 8 9 10 11 12 13 14 15; do [ ! -e /proc/\$\$/fd/\$fd ] || echo leaked \$fd >>$room/ran; done
ip link set \$1 up"
script "$room/fail" "exit 7"
script "$room/down" "echo down \$1 \$(cat /sys/class/net/\$1/type) >>$room/downs"
exec 13</dev/null
check "script= and downscript=" run -net "tap,ifname=tap5,script=$room/up,downscript=$room/down"
exec 13<&-
# dash opens the script itself as 10.
is "it has the interface as \$1 and no descriptor of ours" "$(grep -v 'leaked 10' "$room/ran")" "1 tap5 1"
is "its output is ours" "$(cat "$room/out") $(grep -c to-err "$room/err")" "to-out 1"
like "the interface is up" "$(ip -o link show tap5)" '[<,]UP[,>]'
like "info network shows both" "$(monitor info network)" \
	"ifname=tap5,script=$room/up,downscript=$room/down,vnet_hdr=on"
check "nothing has run downscript= yet" test ! -e "$room/downs"
end
is "downscript= runs at SIGTERM, the interface still there" "$(cat "$room/downs")" "down tap5 1"
bad "-net tap: tap: script=$room/fail tap6: it ended with exit status 7" \
	-net "tap,ifname=tap6,script=$room/fail,downscript=$room/down"
check "the TAP of a failed start is gone" gone tap6
is "downscript= does not undo what was not done" "$(wc -l <"$room/downs")" 1
# In the sandbox no thread starts a program: the launcher does, also for a network that comes later.
script "$room/late" "echo \$1 by \$(cat /proc/\$PPID/comm) >>$room/late.log"
check "a network to come" run
monitor "netdev_add tap,id=late,ifname=tap8,script=$room/late,downscript=$room/late" >/dev/null
is "script= of a network that comes later is run by the launcher" "$(cat "$room/late.log")" "tap8 by vmwire-run"
monitor "netdev_del late" >/dev/null
is "and its downscript=" "$(wc -l <"$room/late.log")" 2
end
check "it ends with vmwire" sh -c "! pgrep --ns $$ --nslist net vmwire-run"
check "-sandbox on,spawn=deny" run -sandbox on,spawn=deny
like "runs no script any more" "$(monitor "netdev_add tap,id=late,ifname=tap8,script=$room/late")" \
	"script=$room/late tap8: not run: .*spawn=deny forbids it"
check "and leaves no TAP" gone tap8
end
check "-sandbox off" run -sandbox off
monitor "netdev_add tap,id=late,ifname=tap8,script=$room/late,downscript=no" >/dev/null
is "programs are vmwire's own children" "$(tail -n 1 "$room/late.log")" "tap8 by vmwire"
end
script "$room/hang" "echo hangs; exec sleep 1000"
"$vmwire" -machine none -net "tap,script=$room/hang,downscript=no" >"$room/out" 2>"$room/err" </dev/null &
pid=$!
for ((i = 0; i < 100; i++)); do grep -q hangs "$room/out" && break || sleep 0.05; done
sleep 0.2
begin=$SECONDS
end
at_most "SIGTERM ends a start that waits for its script" $((SECONDS - begin)) 3
is "as a signal does" $status 143
check "and nothing is left" gone tap0
cp "$room/up" /etc/qemu-ifup
check "the default is /etc/qemu-ifup; /etc/qemu-ifdown may be missing" run -net tap,ifname=tap3
is "it was run" "$(head -n 1 "$room/ran")" "1 tap3 1"
like "info network says so" "$(monitor info network)" "script=/etc/qemu-ifup,downscript=no"
end
rm "$room/downs"
cp "$room/down" /etc/qemu-ifdown
check "and the other's /etc/qemu-ifdown" run -net tap,ifname=tap3
monitor quit >/dev/null
wait $pid
pid=
is "it runs when the monitor says quit" "$(cat "$room/downs")" "down tap3 1"

# --- T5: other ends -----------------------------------------------------------------------------
rm "$room/downs"
"$vmwire" -machine none -net tap,ifname=tap3 -net "tap,script=$room/none" >/dev/null 2>&1 </dev/null
is "downscript= runs when the start fails later" "$(cat "$room/downs")" "down tap3 1"
rm "$room/downs"
check "one TAP" run -netdev "tap,id=t1,ifname=tap1,$none"
monitor netdev_add tap,id=t2,ifname=tap2 >/dev/null
is "netdev_add runs the script" "$(head -n 1 "$room/ran")" "1 tap2 1"
monitor netdev_del t2 >/dev/null
is "netdev_del the other" "$(cat "$room/downs")" "down tap2 1"
check "and the TAP is gone" gone tap2
check "the other one is there" there tap1
end
script "$room/downfail" "exit 9"
check "a downscript= that fails" run -net "tap,ifname=tap1,script=no,downscript=$room/downfail"
end
is "is told, the end is a good one" "$status $(grep -c "downscript=$room/downfail tap1: it ended with exit status 9" "$room/err")" \
	"0 1"

# --- H3: the pair that ships --------------------------------------------------------------------
cp share/qemu-ifup /etc/qemu-ifup
cp share/qemu-ifdown /etc/qemu-ifdown
like "no bridge: it says what to do" "$("$vmwire" -machine none -net tap 2>&1 </dev/null | tr '\n' ' ')" \
	'no bridge for tap0: ip link add br0 type bridge.*exit status 1'
ip link add br0 address 02:00:00:00:00:01 type bridge
ip link set br0 up mtu 1400
ip link add br1 type bridge
ip addr add 192.0.2.1/24 dev br0
check "the shipped pair" run -net tap,ifname=tap0
is "the first bridge" "$(port_of tap0)" br0
like "its MTU, an address that will not become the bridge's" "$(ip -o link show tap0)" ' mtu 1400 .*link/ether fe:'
end
VMWIRE_BR=br1 run -net tap,ifname=tap0
is "\$VMWIRE_BR's" "$(port_of tap0)" br1
end
ip link set br1 up
ip addr add 198.51.100.1/24 dev br1
ip route add default via 198.51.100.9
run -net tap,ifname=tap0
is "the default route's" "$(port_of tap0)" br1
end
# For a TAP that stays, as the other program of the pair finds it.
ip tuntap add dev stays mode tap
run -net tap,ifname=stays
is "a TAP that was there joins" "$(port_of stays)" br1
end
is "and leaves" "$(readlink /sys/class/net/stays/master)" ""

# --- T6, M1: the helper -------------------------------------------------------------------------
cp "$build/src/helper/vmwire-helper" "$dir/helper"
setcap cap_net_admin+ep "$dir/helper"
# Somebody without rights.
as=(setpriv --reuid 65534 --regid 65534 --clear-groups)
check "as nobody, a TAP cannot be made" test "$("${as[@]}" ip tuntap add dev x mode tap 2>&1 >/dev/null)"
it="vmwire-helper: "
bad "-netdev bridge: helper=$dir/helper (br=br0): it ended with exit status 1; it said: ${it}/etc/qemu/bridge.conf: No such \
file or directory; its administrator allows a bridge with the line \"allow br0\" there" -netdev "bridge,id=b,helper=$dir/helper"
mkdir -p /etc/qemu /etc/vmwire
echo "allow br1" >/etc/qemu/bridge.conf
check "rules of QEMU's count" run -netdev "bridge,id=b,br=br1,helper=$dir/helper"
end
echo "allow br0" >/etc/vmwire/bridge.conf
check "our own come first" run -netdev "bridge,id=b,helper=$dir/helper"
tap=$(ls /sys/class/net/br0/brif)
like "a TAP is in the bridge" "$tap" '^tap[0-9]+$'
like "up, with the bridge's MTU, an address that will not become the bridge's" "$(ip -o link show "$tap")" \
	'[<,]UP[,>].* mtu 1400 .*link/ether fe:'
is "the bridge's address is what it was" "$(cat /sys/class/net/br0/address)" 02:00:00:00:00:01
like "info network: helper and bridge" "$(monitor info network)" \
	"b: index=0,type=tap,ifname=$tap,helper=$dir/helper,br=br0,vnet_hdr=on"
end KILL
check "after kill -9 it is gone" gone "$tap"
is "and the bridge has no port" "$(ls /sys/class/net/br0/brif)" ""
bad "-netdev bridge: helper=$dir/helper (br=br1): it ended with exit status 1; it said: ${it}bridge br1 is not allowed to you \
by /etc/vmwire/bridge.conf; the line \"allow br1\" there would" -netdev "bridge,id=b,br=br1,helper=$dir/helper"
echo "allow all" >/etc/vmwire/bridge.conf
echo "include /etc/vmwire/some.conf" >>/etc/vmwire/bridge.conf
echo "deny br1" >/etc/vmwire/some.conf
chown 0:1234 /etc/vmwire/some.conf
chmod 640 /etc/vmwire/some.conf
check "rules that the user may not read do not count" run -netdev "bridge,id=b,br=br1,helper=$dir/helper"
end
as=("${as[@]/--clear-groups/--groups=1234}")
bad "-netdev bridge: helper=$dir/helper (br=br1): it ended with exit status 1; it said: ${it}bridge br1 is denied to you by \
/etc/vmwire/bridge.conf" -netdev "bridge,id=b,br=br1,helper=$dir/helper"
bad "-net bridge: helper=$dir/helper (br=stays): it ended with exit status 1; it said: ${it}bridge stays: Operation not \
supported; it is not a bridge" -net "bridge,br=stays,helper=$dir/helper"
bad "-net tap: helper=$dir/helper (br=nobr): it ended with exit status 1; it said: ${it}bridge nobr: No such device; brctl \
show lists the bridges that there are" -net "tap,br=nobr,helper=$dir/helper"
bad "-nic bridge: br=a/b: allowed: 1 to 15 characters without a slash" -nic "bridge,br=a/b" -machine pc -accel qtest \
	-qtest "unix:$room/q,server=on,wait=off"
chmod 646 /etc/vmwire/bridge.conf
like "rules that anybody can write are none" "$("${as[@]}" "$vmwire" -machine none -net "bridge,helper=$dir/helper" 2>&1)" \
	'others than root can write it: chmod go-w'
chmod 644 /etc/vmwire/bridge.conf
check "-net tap,helper=" run -net "tap,helper=$dir/helper"
is "br0 is the default" "$(ls /sys/class/net/br0/brif | wc -l)" 1
end
check "a command for the shell" run -net "tap,br=br0,helper=exec $dir/helper"
is "gets the words of the protocol" "$(ls /sys/class/net/br0/brif | wc -l)" 1
end
check "one that names its bridge" run -net "tap,br=nobr,helper=$dir/helper --br=br0"
is "is not told another" "$(ls /sys/class/net/br0/brif | wc -l)" 1
end
bad "-net tap: helper=/bin/true: it ended well but sent no TAP; a helper sends one by descriptor 3" -net tap,helper=/bin/true
like "a helper that is not there" "$("$vmwire" -machine none -net tap,helper=/nowhere 2>&1)" \
	'helper=/nowhere \(br=br0\): it cannot be run: No such file'

# What its caller may do to it.
like "arguments: just those of the protocol" "$("$dir/helper" --use-vnet --br=br0 --fd=1 --config=/etc/passwd 2>&1)" \
	'unknown argument; allowed'
like "a descriptor that is no socket" "$("$dir/helper" --br=br0 --fd=1 2>&1)" 'fd=1: it is not a Unix socket'
like "names that no interface has" "$("$dir/helper" '--br=br0/../br1' --fd=1 2>&1)" 'unknown argument'
chmod u+s "$dir/helper"
setcap -r "$dir/helper"
check "set-user-ID root does as well" run -netdev "bridge,id=b,helper=$dir/helper"
end
chmod u-s "$dir/helper"
like "without a right it says how to get it" "$("${as[@]}" "$dir/helper" --br=br0 --fd=1 2>&1)" 'setcap cap_net_admin[+]ep'

as=()

# --- macvtap ------------------------------------------------------------------------------------
ip link add up0 type veth peer name up1
ip link set up0 up
ip link set up1 up
if ip link add link up0 name probe type macvtap 2>/dev/null; then
	ip link del probe
	check "macvtap" run -netdev macvtap,id=m,link=up0,mode=private,macaddr=52:54:00:00:00:77
	like "the link: mode, address, groups, up" "$(ip -d -o link show vmwtap0)" \
		'vmwtap0@up0: <[^>]*ALLMULTI,UP.*52:54:00:00:00:77.* mode private'
	like "info network" "$(monitor info network)" 'm: index=0,type=tap,ifname=vmwtap0,link=up0,mode=private,vnet_hdr=on'
	monitor netdev_add macvtap,id=n,link=up0,mode=private >/dev/null
	check "another one" there vmwtap1
	monitor netdev_del n >/dev/null
	check "netdev_del deletes it" gone vmwtap1
	end
	is "SIGTERM" $status 0
	check "deletes the link" gone vmwtap0
	check "again" run -netdev macvtap,id=m,link=up0
	index=$(cat /sys/class/net/vmwtap0/ifindex)
	guard=$(pgrep -f "vmwire-guard vmwtap0 $index")
	check "a guard waits" test -n "$guard"
	end KILL
	check "after kill -9 the link goes" gone vmwtap0
	bad "-netdev macvtap: macvtap: link=nolink: nolink: there is no such interface: ip link lists them" \
		-netdev macvtap,id=m,link=nolink
	bad "-netdev macvtap: macvtap: link= is missing: give the host's interface, e.g. link=eth0" -netdev macvtap,id=m
	bad "-netdev macvtap: mode=bride is not known: did you mean mode=bridge? Allowed: bridge, vepa, private, passthru" \
		-netdev macvtap,id=m,link=up0,mode=bride
	ip link set up0 master br0
	like "a port of a bridge has none" "$("$vmwire" -machine none -netdev macvtap,id=m,link=up0 2>&1)" \
		"link=up0,mode=bridge: it may be a bridge's port"
	ip link set up0 nomaster
	check "failed starts leave nothing" test "$(ip -o link show type macvtap | wc -l)" = 0
else
	skip "macvtap" "this kernel has none"
fi

as=(setpriv --reuid 65534 --regid 65534 --clear-groups)
if [ -x $qemu_helper ]; then
	cp $qemu_helper "$dir/qemu-helper"
	setcap cap_net_admin+ep "$dir/qemu-helper"
	echo "allow br0" >/etc/qemu/bridge.conf
	check "QEMU's helper" run -netdev "bridge,id=b,helper=$dir/qemu-helper"
	is "puts a TAP into the bridge" "$(ls /sys/class/net/br0/brif | wc -l)" 1
	end
	like "and its refusal is in our line" \
		"$("${as[@]}" "$vmwire" -machine none -net "bridge,br=br1,helper=$dir/qemu-helper" 2>&1)" \
		'helper=.*qemu-helper .br=br1.: it ended with exit status 1; it said: .*denied'
else
	skip "QEMU's helper" "not there"
fi
finish
