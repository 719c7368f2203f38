#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# limit: 600
#
# The e1000 card with Linux' own driver (N4, H6): address, offloads, transfers both ways with the offloads of the card
# and without, large frames, link down and up, the driver unloaded and loaded under traffic; and the card's relatives.
. "$(dirname "$0")/../lib.sh"

initrd card tools <<'END'
. /vw/lib
transfers() {
	say "$1-out" "$(nc 10.0.2.2 9002 </tmp/out)"
	wget -q -O - http://10.0.2.2:9003/in.bin | sha256sum | sed "s/^\([^ ]*\).*/vw: $1-in \1/"
}
features() {
	ethtool -k eth0 | grep -c '^\(rx-checksumming\|tx-checksumming\|scatter-gather\|tcp-segmentation-offload\): '"$1"
}
ethtool -i eth0 | sed -n 's/^driver: /vw: driver /p'
dhcp
say address "$(address)"
say speed "$(ethtool eth0 | sed -n 's/^.*\(Speed\|Duplex\): //p' | tr '\n' ' ')"
say selftest "$(ethtool -t eth0 online 2>&1 | sed -n 's/^The test result is //p')"
ethtool -K eth0 rx on >/dev/null 2>&1	# Linux leaves that off with this card
say on "$(features on)"
say clock start "$(seconds)"
head -c "$vw_bytes" /dev/urandom >/tmp/out
say out-sum "$(sha256sum </tmp/out | cut -d' ' -f1)"
transfers with
say clock with "$(seconds)"
ethtool -K eth0 tso off gso off gro off sg off tx off rx off >/dev/null 2>&1
say off "$(features off)"
transfers without
say clock without "$(seconds)"
ethtool -K eth0 rx on tx on sg on tso on gso on gro on >/dev/null 2>&1
say link "$(cat /sys/class/net/eth0/carrier)"
say ready
for i in $(seq 400); do
	[ "$(cat /sys/class/net/eth0/carrier)" = 0 ] && break
	sleep 0.05
done
say link "$(cat /sys/class/net/eth0/carrier)"
for i in $(seq 400); do
	[ "$(cat /sys/class/net/eth0/carrier)" = 1 ] && break
	sleep 0.05
done
say link "$(cat /sys/class/net/eth0/carrier)"
for i in 1 2 3; do
	ping -i 0.01 -s 1400 10.0.2.2 >/dev/null 2>&1 &
	nc 10.0.2.2 9002 </dev/zero >/dev/null 2>&1 &
	sleep 0.5
	rmmod e1000
	insmod /modules/e1000.ko || insmod /modules/e1000.ko.xz
	kill %1 %2 2>/dev/null
	wait 2>/dev/null
	dhcp
done
ip link set eth0 mtu 9000
say jumbo "$(ping -c 3 -i 0.2 -s 8900 10.0.2.2 | sed -n 's/^.*, \([0-9]*\)% packet loss/\1/p')"
say clock again "$(seconds)"
transfers again
say clock end "$(seconds)"
say drops "$(ethtool -S eth0 | awk '/errors:|_crc|tx_timeout/ { n += $2 } END { print n + 0 }')"
END

bytes=16777216
append+=" vw.bytes=$bytes"
head -c $bytes /dev/urandom >"$tmp/in.bin"
sum=$(sha256sum <"$tmp/in.bin" | cut -d' ' -f1)
host sum socat TCP4-LISTEN:9002,bind=127.0.0.1,fork SYSTEM:'sha256sum | cut -c1-64'
host http busybox httpd -f -p 127.0.0.1:9003 -h "$tmp"
start card -m 256 -net nic,model=e1000,name=card -net user,mtu=9000 -monitor "unix:$tmp/monitor,server=on,wait=off"
order() { { printf '%s\n' "$1"; nap 2; } | socat -t 2 - "UNIX-CONNECT:$tmp/monitor" >/dev/null; }

check "the guest has done its transfers" await card "vw: ready" 300
order "set_link card off"
await card "vw: link 0" 60
order "set_link card on"
check "the guest comes to its end" await card "vw: status 0" 240
is "ethtool -i eth0 says e1000" "$(said card driver)" e1000
is "address by DHCP" "$(said card address)" 10.0.2.15
is "the link's speed" "$(said card speed | tr -s ' ')" "1000Mb/s Full "
is "the driver's self-test" "$(said card selftest)" PASS
is "ethtool -k shows the offloads" "$(said card on)" 4
out=$(said card out-sum)
is "16 MiB to the host with offloads" "$(said card with-out)" "$out"
is "16 MiB from the host with offloads" "$(said card with-in)" "$sum"
is "the offloads can be switched off" "$(said card off)" 4
is "16 MiB to the host without offloads" "$(said card without-out)" "$out"
is "16 MiB from the host without offloads" "$(said card without-in)" "$sum"
is "the link is seen to go down and come back" "$(said card link | tr '\n' ' ')" "1 0 1 "
is "frames of 9000 bytes pass" "$(said card jumbo)" 0
is "after rmmod and insmod under traffic: to the host" "$(said card again-out)" "$out"
is "after rmmod and insmod under traffic: from the host" "$(said card again-in)" "$sum"
is "no errors counted" "$(said card drops)" 0
said card clock | sed 's/^/# guest clock: /'
finish
