# SPDX-License-Identifier: BSD-2-Clause
#
# For the tests of -net nat, in network and mount namespaces of their own, which play the host. The namespace "net" is the
# outside, 198.51.100.2 behind the host's link "out".
#	guest NAME MAC NET...	a vmwire with a card of that MAC and `-net NET`; its guest is the namespace NAME
#	dhcp NAME		the namespace gets an address as a guest does; address NAME: which; name_server NAME
#	given NAME		the address that `info network` says the card was given
#	resolve NAME WHAT	the address that WHAT has for the guest
#	in_ns NAME COMMAND...	in the namespace
#	serve NAME|host ADDRESS...	a socat in the background
#	fetch HOST PORT		what a TCP server says (also behind in_ns)
#	monitor NAME COMMAND	its answer; info NAME: that of info network
#	fails NET...		the error of a vmwire that shall not start
#	stop NAME; gone TEXT	its end; nothing of the network is left

if [ "${1:-}" != inside ]; then
	for need in dnsmasq nft busybox socat; do
		command -v $need >/dev/null || { skip "NAT network" "needs $need"; finish; }
	done
	if ! unshare -n -m true 2>/dev/null; then
		skip "NAT network" "needs the right to make network namespaces"
		finish
	fi
	exec unshare -n -m "$0" inside
fi

mount -t tmpfs tmpfs /run
mkdir /run/netns
dir=$(mktemp -d)
declare -A pids=()
trap 'exec 2>/dev/null; kill -KILL "${pids[@]}"; ip -all netns delete; rm -rf "$dir"' EXIT
export LEASES=$dir PATH=$dir/bin:$PATH

# until COMMAND... succeeds, 10 s at most
await() {
	local end=$((SECONDS + 10))
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.05
	done
}
quietly() { "$@" >/dev/null 2>&1; }
# refused NAME COMMAND...: passes when it fails
refused() {
	local name=$1
	shift
	if quietly "$@"; then fail "$name" "went through: $*"; else pass "$name"; fi
}
in_ns() { ip netns exec "$@"; }
# serve NAME|host SOCAT-ADDRESS...: in the background, until the test ends
serve() {
	local ns=(ip netns exec "$1")
	[ "$1" != host ] || ns=()
	shift
	"${ns[@]}" socat "$@" 2>/dev/null &
	pids[serve$!]=$!
}

ip link set lo up
ip netns add net
ip link add out type veth peer name eth0 netns net
ip addr add 198.51.100.1/24 dev out
ip addr add 2001:db8::1/64 dev out nodad
ip link set out up
ip -n net addr add 198.51.100.2/24 dev eth0
ip -n net addr add 2001:db8::2/64 dev eth0 nodad
ip -n net link set eth0 up
ip -n net link set lo up
# As if it were the guests' neighbour: only the host's rules keep it out.
ip -n net route add default via 198.51.100.1
ip route add default via 198.51.100.2
ip -6 route add default via 2001:db8::2
sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0

mkdir "$dir/bin"
cat >"$dir/bin/fetch" <<'S'
#!/bin/sh
case $1 in *:*) to="[$1]:$2" ;; *) to=$1:$2 ;; esac
out=$(socat -T 3 -u "TCP:$to,connect-timeout=2" - 2>/dev/null </dev/null) && [ -n "$out" ] && echo "$out"
S
cat >"$dir/bin/lease" <<'S'
#!/bin/sh
case $1 in
bound | renew)
	ip addr flush dev "$interface" scope global
	ip addr add "$ip/$mask" dev "$interface"
	for r in $router; do ip route replace default via "$r"; done
	echo "$dns" >"$LEASES/$(ip netns identify $$).dns"
	;;
esac
S
chmod 755 "$dir/bin/"*

# guest NAME MAC NET...: the second TAP of its hub is the namespace's card.
guest() {
	local name=$1 mac=$2 net args=()
	shift 2
	for net; do args+=(-net "$net"); done
	ip netns add "$name"
	ip tuntap add "in$name" mode tap
	"$vmwire" -name "$name" -accel qtest -display none -qtest "unix:$dir/$name.qtest,server=on,wait=off" \
		-monitor "unix:$dir/$name.mon,server=on,wait=off" -net "nic,macaddr=$mac" "${args[@]}" \
		-net "tap,ifname=in$name,script=no,downscript=no" 2>"$dir/$name.err" &
	pids[$name]=$!
	await test -S "$dir/$name.mon" && await sh -c "[ -n \"\$(echo info name | socat -t 1 - UNIX-CONNECT:$dir/$name.mon)\" ]" ||
		sed 's/^/# /' "$dir/$name.err"
	ip link set "in$name" address "$mac" netns "$name"
	ip -n "$name" link set lo up
	ip -n "$name" link set "in$name" up
}

dhcp() { in_ns "$1" busybox udhcpc -i "in$1" -n -q -f -t 10 -T 1 -s "$dir/bin/lease" >"$dir/$1.dhcp" 2>&1; }
address() { ip -n "$1" -4 -o addr show dev "in$1" | sed -n 's/.*inet \([0-9.]*\).*/\1/p'; }
name_server() { cat "$dir/$1.dns" 2>/dev/null; }
resolve() {
	in_ns "$1" busybox nslookup -type=a "$2" "$(name_server "$1")" 2>/dev/null |
		sed -n '/^Name/,$s/^Address[^:]*: *//p'
}
# an address of IPv6 that a router's advertisement gave
six() { ip -n "$1" -6 -o addr show dev "in$1" scope global -tentative | sed -n 's/.*inet6 \([0-9a-f:]*\).*/\1/p' | head -1; }
await_six() { await sh -c "ip -n $1 -6 -o addr show dev in$1 scope global -tentative | grep -q inet6"; }

monitor() { echo "$2" | socat -t 1 - "UNIX-CONNECT:$dir/$1.mon" | sed '1d;s/^(vmwire) //'; }
info() { monitor "$1" "info network"; }
given() { info "$1" | sed -n 's/.*guest [^ ]* \([0-9.]*\) macaddr=.*/\1/p'; }

fails() {
	local net args=()
	for net; do args+=(-net "$net"); done
	timeout 10 "$vmwire" -machine none "${args[@]}" 2>&1 </dev/null
}

stop() {
	kill "${pids[$1]}"
	wait "${pids[$1]}"
	unset "pids[$1]"
	ip netns del "$1"
}

# Processes of ours of that name here: vmwire-nat (the holder), dnsmasq. One that only waits for its parent has gone.
pids_of() { pgrep --ns $$ --nslist net -r DRS -x "$1"; }
helpers() { pids_of vmwire-nat; pids_of dnsmasq; }
left() {
	helpers
	ip -br link | grep -oE '^(vmwire|tap)[0-9]+'
	nft list tables | grep vmwire
	nft list ruleset | grep vmwire:
	ls /run/vmwire
}
forwarding() {
	[ "$(cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding | tr -d '\n')" = 00 ] || echo forwarding
}
nothing_left() { [ -z "$(left)" ]; }
gone() {
	await nothing_left
	is "$1" "$(left; forwarding)" ""
}
