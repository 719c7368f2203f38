#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# limit: 600
#
# rtl8139 with both of Linux' drivers: 8139cp for the RTL8139C+ (revision 0x20), 8139too, which leaves that chip to
# the other, for the RTL8139C (cplus=off). Address by DHCP, transfers both ways, offloads on and off, link (N4, H6).
. "$(dirname "$0")/../lib.sh"

script() {
	cat <<'END'
. /vw/lib
ethtool -i eth0 | sed -n 's/^driver: /vw: driver /p'
say revision "$(cat /sys/class/net/eth0/device/revision)"
dhcp
say address "$(address)"
say mac "$(cat /sys/class/net/eth0/address)"
ping -c 2 -i 0.2 -s 1400 10.0.2.2 >/dev/null && say ping gateway
say "in-sum" "$(wget -q -O /tmp/in http://10.0.2.2:9003/in.bin; sha256sum </tmp/in | cut -d' ' -f1)"
say "out-sum" "$(nc 10.0.2.2 9002 </tmp/in)"
if [ "$vw_flip" ]; then
	ethtool -K eth0 $(echo "$vw_flip" | tr ,= '  ') >/dev/null 2>&1 || say flip failed
	say "in-sum2" "$(wget -q -O - http://10.0.2.2:9003/in.bin | sha256sum | cut -d' ' -f1)"
	say "out-sum2" "$(nc 10.0.2.2 9002 </tmp/in)"
fi
errors=0
for f in rx_errors tx_errors rx_dropped rx_crc_errors rx_length_errors; do
	errors=$((errors + $(cat /sys/class/net/eth0/statistics/$f)))
done
say errors $errors
say carrier "$(cat /sys/class/net/eth0/carrier)"
say ready
for state in 0 1; do
	i=0
	until [ "$(cat /sys/class/net/eth0/carrier)" = $state ] || [ $((i += 1)) = 100 ]; do sleep 0.1; done
	say "carrier-$state" "$(cat /sys/class/net/eth0/carrier)"
done
END
}

host sum socat TCP4-LISTEN:9002,bind=127.0.0.1,fork SYSTEM:'sha256sum | cut -c1-64'
host http busybox httpd -f -p 127.0.0.1:9003 -h "$tmp"

# card NAME DRIVER REVISION MIB OPTIONS [FLIP]
card() {
	local name=$1 all=$append monitor=$tmp/$1.monitor mib=$4 sum
	head -c $((mib << 20)) /dev/urandom >"$tmp/in.bin"
	sum=$(sha256sum <"$tmp/in.bin" | cut -d' ' -f1)
	script | initrd "$name" tools
	[ -z "${6:-}" ] || append+=" vw.flip=$6"
	start "$name" -m 256 -netdev user,id=u -device "rtl8139,id=card,netdev=u,mac=52:54:00:aa:bb:cc${5:+,$5}" \
		-monitor "unix:$monitor,server=on,wait=off"
	append=$all
	check "$name: the guest gets through its transfers" await "$name" "vw: ready" 300
	is "$name: ethtool -i eth0" "$(said "$name" driver)" "$2"
	is "$name: revision" "$(said "$name" revision)" "$3"
	is "$name: address by DHCP" "$(said "$name" address)" 10.0.2.15
	is "$name: macaddr= is what the driver found in the EEPROM" "$(said "$name" mac)" 52:54:00:aa:bb:cc
	is "$name: the gateway answers large pings" "$(said "$name" ping)" gateway
	is "$name: $mib MiB in" "$(said "$name" in-sum)" "$sum"
	is "$name: $mib MiB out" "$(said "$name" out-sum)" "$sum"
	if [ -n "${6:-}" ]; then
		is "$name, $6: $mib MiB in" "$(said "$name" in-sum2)" "$sum"
		is "$name, $6: $mib MiB out" "$(said "$name" out-sum2)" "$sum"
		is "$name: ethtool -K was taken" "$(said "$name" flip)" ""
	fi
	is "$name: the driver counts no errors" "$(said "$name" errors)" 0
	is "$name: the link is up" "$(said "$name" carrier)" 1
	echo "set_link card off" | socat - "UNIX-CONNECT:$monitor" >/dev/null
	check "$name: the guest sees the link go" await "$name" "vw: carrier-0 0" 60
	echo "set_link card on" | socat - "UNIX-CONNECT:$monitor" >/dev/null
	check "$name: the guest sees it come" await "$name" "vw: carrier-1 1" 60
	stop "$name"
}

card cplus 8139cp 0x20 16 "" tx=on,sg=on,tso=on,rx=off
# Each packet is several exits in this mode.
card c 8139too 0x10 2 cplus=off
finish
