# SPDX-License-Identifier: BSD-2-Clause
#
# One test for every card and driver (N4, H6): source this, set what differs, call card_test, then finish.
#
#	model		what -device says; its first word is the model, the rest its options
#	driver		the guest's, also its module's name
#	offloads	what ethtool -K can switch, by its short names: on for one half of the transfers, off for the other
#	fixed		what ethtool -k shows as on in both halves
#	mtu		the largest that the chip and its driver can; empty for 1500
#	mib, less	MiB of a transfer with the offloads and of one without; MIB=64 in the environment is for all
#	extra		a script of the guest's, once it has an address
#
# The guest has two cards of the kind: eth0 on the user-mode network, for all that is a matter of TCP, and eth1 on a TAP,
# for what that network does not have: VLANs, groups, foreign addresses.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# A card with a table of hashes lets through what falls on the same bit as a group that the guest is in: that of all
# hosts, and by IPv6 two more, one of them made from the card's address, which is therefore not left to chance.
group=01:00:5e:01:02:03
mib=64 less=8 offloads= fixed= mtu= extra=

card_script() {
	cat <<'END'
. /vw/lib
count() { read -r n <"/sys/class/net/$1/statistics/$2" && echo "$n"; }
# What of the offloads is on, by the names that -K has for them.
shown() {
	ethtool -k eth0 | sed -n 's/^\([^	 ]*\): on.*/ \1/p' | tr -d '\n' | sed 's/rx-checksumming/rx/
		s/tx-checksumming/tx/; s/scatter-gather/sg/; s/tcp-segmentation-offload/tso/; s/rx-vlan-offload/rxvlan/
		s/tx-vlan-offload/txvlan/; s/generic-segmentation-offload/gso/; s/generic-receive-offload/gro/'
}
# switch CARD on|off NAME...
switch() {
	card=$1 state=$2 words=
	shift 2
	for f; do words="$words $f $state"; done
	[ -z "$words" ] || ethtool -K "$card" $words >/dev/null 2>&1
}
# transfers KEY MIB [CONNECTIONS [ADDRESS]]
transfers() {
	say "$1-in" "$(bulk get "${4:-10.0.2.2}" 9002 "$2" $3)"
	say clock "$1-in $(seconds)"
	say "$1-out" "$(bulk put "${4:-10.0.2.2}" 9002 "$2" $3)"
	say clock "$1-out $(seconds)"
}
errors() {
	n=0
	for f in rx_errors tx_errors rx_dropped tx_dropped rx_crc_errors rx_length_errors rx_fifo_errors; do
		n=$((n + $(count eth0 $f)))
	done
	say "errors-$1" $n
	[ $n = 0 ] || say which $(cd /sys/class/net/eth0/statistics && grep . *err* *drop* | grep -v ':0$') \
		$(ethtool -S eth0 | grep -v ': 0$' | tr -d ' ')
}
carrier() {
	i=0
	until [ "$(cat /sys/class/net/eth0/carrier)" = "$1" ] || [ $((i += 1)) = 1000 ]; do usleep 20000; done
	say "carrier-$1" "$(cat /sys/class/net/eth0/carrier)"
}
first_ping() { say "first-ping-$1" "$(ping -c 1 -W 5 "$2" | sed -n 's/^.* time=\([0-9.]*\) ms.*/\1/p')"; }
offloads=$(echo "$vw_offloads" | tr , ' ')

say driver "$(ethtool -i eth0 | sed -n 's/^driver: //p')"
dhcp
say address "$(address)"
first_ping user 10.0.2.2
[ ! -f /extra.sh ] || . /extra.sh

switch eth0 on $offloads
say shown-on "$(shown)"
say clock "start $(seconds)"
transfers on "$vw_mib"
transfers together "$vw_share" 8
if [ "$vw_mtu" ]; then
	ip link set eth0 mtu "$vw_mtu"
	say large "$(ping -c 3 -i 0.1 -s $((vw_mtu - 100)) 10.0.2.2 | sed -n 's/^.*, \([0-9]*\)% packet loss/\1/p')"
	transfers large "$vw_less"
	ip link set eth0 mtu 1500
fi
switch eth0 off $offloads
say shown-off "$(shown)"
transfers off "$vw_less"
switch eth0 on $offloads
errors before

say ready-link
carrier 0
carrier 1
say clock "link $(seconds)"

# The TAP.
while read -r module; do insmod "/modules/$module"; done </modules/vlan
ip addr add 10.100.1.2/24 dev eth1
ip link set eth1 up
first_ping tap 10.100.1.1
say mac "$(cat /sys/class/net/eth1/address)"
frames hear eth1 before
frames hear eth1 joined "$vw_group"
ip link set eth1 promisc on
frames hear eth1 promiscuous
ip link set eth1 promisc off
ifconfig eth1 allmulti
frames hear eth1 all-groups
ifconfig eth1 -allmulti
frames hear eth1 after
ip link add link eth1 name eth1.100 type vlan id 100
ip addr add 10.100.0.2/24 dev eth1.100
ip link set eth1.100 up
switch eth1 on $offloads
first_ping tap 10.100.0.1
say vlan-ping "$(ping -c 3 -i 0.1 -s 1472 10.100.0.1 | sed -n 's/^.*, \([0-9]*\)% packet loss/\1/p')"
transfers vlan "$vw_vlan" 1 10.100.0.1
switch eth1 off rxvlan txvlan
say vlan-plain "$(ethtool -k eth1 | grep -c '^[rt]x-vlan-offload: off')"
transfers vlan-plain "$vw_vlan" 1 10.100.0.1
say vlan-heard "$(count eth1.100 rx_bytes)"

# Unloaded while both directions flow; without the second card, whose probing would be half of the time.
echo 1 >/sys/class/net/eth1/device/remove
for i in 1 2 3 4 5 6 7 8 9 10; do
	bulk get 10.0.2.2 9002 64 >/dev/null 2>&1 &
	get=$!
	bulk put 10.0.2.2 9002 64 >/dev/null 2>&1 &
	put=$!
	rx=$(($(count eth0 rx_bytes) + 150000)) tx=$(($(count eth0 tx_bytes) + 150000)) n=0
	until [ "$(count eth0 rx_bytes)" -gt $rx ] && [ "$(count eth0 tx_bytes)" -gt $tx ]; do
		[ $((n += 1)) -lt 500 ] || break 2
		usleep 20000
	done
	rmmod "$vw_driver"
	[ ! -e /sys/class/net/eth0 ] || break
	kill -9 $get $put
	wait
	insmod "/modules/$vw_driver.ko"
	ip addr add 10.0.2.15/24 dev eth0
	ip link set eth0 up
	say reloaded $i
	say clock "reload $(seconds)"
done 2>/dev/null
ip addr flush dev eth0
dhcp
say again "$(address)"
first_ping user 10.0.2.2
transfers again "$vw_vlan"
errors after
END
}

# sums MIB [CONNECTIONS]: what a transfer must give
sums() {
	local i line= sum
	for ((i = 0; i < ${2:-1}; i++)); do
		sum=$(awk -v stream=$i -v mib="$1" '$1 == stream && $2 == mib { print $3 }' "$kit/sums")
		line+=${line:+ }${sum:-no sum}
	done
	echo "$line"
}

# both KEY WHAT MIB [CONNECTIONS]
both() {
	local sum
	sum=$(sums "$3" "${4:-1}")
	is "$3 MiB from the host, $2: SHA-256" "$(said card "$1-in")" "$sum"
	is "$3 MiB to the host, $2: SHA-256" "$(said card "$1-out")" "$sum"
}

# The five frames of a round; its last one always comes through.
send_frames() {
	await card "vw: hears $1" 60 || return
	local mac
	mac=$(said card mac)
	"$kit/frames" send vwtap "own=$mac" broadcast=ff:ff:ff:ff:ff:ff "group=$group" other-group=01:00:5e:0a:0b:0c \
		foreign=52:54:00:99:99:99 "end=$mac"
}

# least KEY: of the times there, so that a moment in which the machine did something else does not count
least() { said card "$1" | sort -n | head -n 1; }

order() { { printf '%s\n' "$1"; nap 2; } | socat -t 2 - "UNIX-CONNECT:$tmp/monitor" >"$tmp/answer"; }

# sorted WORD...: they, in order
sorted() { tr ' ' '\n' <<<"$*" | sed '/^$/d' | sort | tr '\n' ' '; }
# known: of what ethtool -k shows the part that this test is about
known() { sorted "$1" | tr ' ' '\n' | grep -x 'rx\|tx\|sg\|tso\|gso\|gro\|rxvlan\|txvlan' | tr '\n' ' '; }

card_start() {
	local mtu_option=
	[ -z "$mtu" ] || is_qemu || mtu_option=,mtu=$mtu
	mkdir -p "$tmp/card.d"
	[ -z "$extra" ] || echo "$extra" >"$tmp/card.d/extra.sh"
	card_script | initrd card tools
	append+=" vw.driver=$driver vw.offloads=${offloads// /,} vw.mib=$mib vw.less=$less vw.share=$share vw.vlan=$vlan"
	append+=" vw.group=$group${mtu:+ vw.mtu=$mtu}"
	new_tap vwtap 10.100.1.1/24
	modprobe -d "$VMWIRE_TOP/build/kernel" 8021q
	ip link add link vwtap name vwtap.100 type vlan id 100
	ip addr add 10.100.0.1/24 dev vwtap.100
	ip link set vwtap.100 up
	host bulk "$kit/bulk" serve 127.0.0.1 9002
	host bulk-vlan "$kit/bulk" serve 10.100.0.1 9002
	start card -m 256 -netdev "user,id=u$mtu_option" -device "$model,netdev=u,id=card,mac=52:54:00:aa:bb:cc" \
		-netdev tap,id=t,ifname=vwtap,script=no,downscript=no -device "$model,netdev=t,id=other,mac=52:54:00:aa:bb:cd" \
		-monitor "unix:$tmp/monitor,server=on,wait=off"
}

card_test() {
	local share vlan=4
	[ -z "${MIB:-}" ] || mib=$MIB less=$MIB
	share=$(((mib + 31) / 32))
	[ -z "${MIB:-}" ] || share=$(((mib + 7) / 8))
	[ $vlan -le "$less" ] || vlan=$less
	card_start

	check "the guest gets through its transfers" await card "vw: ready-link" 600
	: >"$tmp/answer"
	[ "$(said card errors-before)" = 0 ] || order "info network"
	sed 's/^/# /' "$tmp/answer"
	order "set_link card off"
	await card "vw: carrier-0" 60
	order "set_link card on"
	for round in before joined promiscuous all-groups after; do send_frames $round; done
	check "the guest comes to its end" await card "vw: status 0" 300

	is "ethtool -i eth0 names the driver" "$(said card driver)" "$driver"
	is "address by DHCP" "$(said card address)" 10.0.2.15
	at_most "ms until the first ping is answered, user-mode network" "$(least first-ping-user)" 100
	at_most "ms until the first ping is answered, TAP" "$(least first-ping-tap)" 100
	is "ethtool -k shows the offloads" "$(known "$(said card shown-on)")" "$(sorted "$offloads $fixed")"
	is "ethtool -K switches them off" "$(known "$(said card shown-off)")" "$(sorted "$fixed")"
	both on "with offloads" "$mib"
	both together "8 connections at once" $share 8
	if [ "$mtu" ]; then
		is "large pings pass with an MTU of $mtu: % lost" "$(said card large)" 0
		both large "MTU $mtu" "$less"
	fi
	both off "without offloads" "$less"
	is "the driver counts no errors" "$(said card errors-before)" 0
	is "the guest sees the link go" "$(said card carrier-0)" 0
	is "the guest sees the link come" "$(said card carrier-1)" 1
	is "frames for another address and for a group that it did not join are kept from the guest" \
		"$(said card "heard before")" "own broadcast"
	is "a group that it joined comes through, another one does not" "$(said card "heard joined")" "own broadcast group"
	is "promiscuous: all comes through" "$(said card "heard promiscuous")" "own broadcast group other-group foreign"
	is "all groups, but no foreign address" "$(said card "heard all-groups")" "own broadcast group other-group"
	is "and the filter is back afterwards" "$(said card "heard after")" "own broadcast"
	is "VLAN 100: pings of full size: % lost" "$(said card vlan-ping)" 0
	both vlan "VLAN 100" $vlan
	is "rxvlan and txvlan are off" "$(said card vlan-plain)" 2
	both vlan-plain "VLAN 100, tags put on by the guest" $vlan
	at_least "all of that came to the guest with the tag" "$(said card vlan-heard)" $((vlan << 21))
	at_least "all of that came to the host with the tag" "$(cat /sys/class/net/vwtap.100/statistics/rx_bytes)" $((vlan << 21))
	is "the driver is unloaded and loaded ten times under traffic" "$(said card reloaded | wc -l)" 10
	is "address by DHCP after that" "$(said card again)" 10.0.2.15
	both again "after that" $vlan
	is "the driver counts no errors after that" "$(said card errors-after)" 0
	said card which | sed 's/^/# /'
	card_times
}

# How long the parts took on the guest's clock.
card_times() {
	echo "# first pings, ms:" $(said card first-ping-user) "by the TAP:" $(said card first-ping-tap)
	said card clock | awk '
		NR > 1 { t[$1] += $2 - last; if (!n[$1]++) order[++k] = $1 }
		{ last = $2 }
		END { for (i = 1; i <= k; i++) printf "# seconds for %s: %.2f\n", order[i], t[order[i]] }'
}
