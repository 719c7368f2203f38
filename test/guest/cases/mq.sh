#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# limit: 300
#
# virtio-net with two queue pairs (mq=on) on a TAP with two queues: four transfers at once in both directions, fewer
# pairs and more again while the card runs, the driver leaves in the midst of traffic and comes back. Then a card that
# the guest tells which flows go to which pair (rss=on, hash=on).
. "$(dirname "$0")/../lib.sh"

cat >"$tmp/functions" <<'END'
. /vw/lib
up() {
	until [ -e /sys/class/net/eth0 ]; do usleep 50000; done
	ip addr add 10.0.3.2/24 dev eth0
	ip link set eth0 up
}
# Four at once: each fetches the file and sends it back.
four() {
	for i in 1 2 3 4; do
		{
			wget -q -O /tmp/f$i http://10.0.3.1:9003/in.bin
			nc 10.0.3.1 9002 </tmp/f$i >/tmp/s$i
		} &
		jobs="$jobs $!"
	done
	wait $jobs
	jobs=
	say "$1-in" "$(sha256sum /tmp/f1 /tmp/f2 /tmp/f3 /tmp/f4 | cut -d' ' -f1 | sort | uniq -c | tr -s ' ')"
	say "$1-out" "$(sort /tmp/s1 /tmp/s2 /tmp/s3 /tmp/s4 | uniq -c | tr -s ' ')"
}
interrupts() {
	awk -v "what=$1" '$0 ~ what { for (i = 2; i <= NF && $i ~ /^[0-9]+$/; i++) n += $i } END { print n + 0 }' \
		/proc/interrupts
}
combined() { ethtool -l eth0 | sed -n 's/^Combined:[[:space:]]*//p' | tr '\n' ' '; }
END
{ cat "$tmp/functions" - <<'END'
up
say channels "$(combined)"
four two
say input0 "$(interrupts input.0)"
say input1 "$(interrupts input.1)"
say used
read -r go
ethtool -L eth0 combined 1 && say fewer "$(combined)"
four one
say one
read -r go
ethtool -L eth0 combined 2 && say more "$(combined)"
wget -q -O /dev/null http://10.0.3.1:9003/large.bin &
sleep 0.3
device=$(basename "$(readlink /sys/class/net/eth0/device)")
echo "$device" >/sys/bus/virtio/drivers/virtio_net/unbind
kill $! 2>/dev/null
echo "$device" >/sys/bus/virtio/drivers/virtio_net/bind
up
say again "$(combined)"
four back
END
} | initrd mq tools
{ cat "$tmp/functions" - <<'END'
# Receive queues that the table names, each once.
table() { ethtool -x eth0 | sed -n 's/^ *[0-9]*:  *//p' | tr -s ' ' '\n' | sort -u | tr '\n' ' '; }
counts() { a=$(interrupts input.0) b=$(interrupts input.1); }
up
say channels "$(combined)"
ethtool -K eth0 rxhash on
say hashing "$(ethtool -k eth0 | sed -n 's/^receive-hashing: //p')"
for start in 0 1; do
	ethtool -X eth0 start $start equal 1 && say "table$start" "$(table)"
	counts
	was_a=$a was_b=$b
	four "start$start"
	counts
	say "moved$start" $((a - was_a > b - was_b ? 0 : 1))
done
ethtool -X eth0 equal 2 && say table "$(table)"
counts
was_a=$a was_b=$b
# Flows enough that each queue gets some.
conns after 10.0.3.1 9000 60 >/dev/null
four both
counts
say moved $((a - was_a > 9)) $((b - was_b > 9))
END
} | initrd rss tools

head -c 2000000 /dev/urandom >"$tmp/in.bin"
head -c 60000000 /dev/zero >"$tmp/large.bin"
sum=$(sha256sum <"$tmp/in.bin" | cut -d' ' -f1)
ip link del vwmq 2>/dev/null
ip tuntap add dev vwmq mode tap multi_queue
ip addr add 10.0.3.1/24 dev vwmq
ip link set vwmq up
host sum socat TCP4-LISTEN:9002,bind=10.0.3.1,fork SYSTEM:'sha256sum | cut -c1-64'
host tcp "$kit/conns" serve 10.0.3.1 9000
host http busybox httpd -f -p 10.0.3.1:9003 -h "$tmp"

net=(-netdev "tap,id=t0,ifname=vwmq,script=no,downscript=no,queues=2" -device "virtio-net-pci,netdev=t0,mq=on,id=card")
monitor() { echo "$*" | socat -t 1 - "UNIX-CONNECT:$tmp/monitor" | tr -d '\r'; }
mkfifo "$tmp/console"
exec {console}<>"$tmp/console"

# The console's input: the guest waits for a line from us.
: >"$tmp/mq.log"
(exec setpriv --pdeathsig KILL "$vmwire" "${common[@]}" -kernel "$kernel" -initrd "$tmp/mq.cpio" -append "$append" \
	-m 256 -smp 2 "${net[@]}" -monitor "unix:$tmp/monitor,server=on,wait=off" \
	-serial stdio <"$tmp/console" >"$tmp/mq.log" 2>"$tmp/mq.err") &
pids[mq]=$!

four() {
	is "$2: four transfers in" "$(said mq "$1-in")" " 4 $sum"
	is "$2: and out" "$(said mq "$1-out")" " 4 $sum"
}

check "the guest gets through four transfers at once" await mq "vw: used" 150
is "ethtool -l: two of two" "$(said mq channels)" "2 2 "
four two "two pairs"
at_least "interrupts of the first receive queue" "$(said mq input0)" 10
at_least "interrupts of the second receive queue" "$(said mq input1)" 10
if ! is_qemu; then
	info=$(monitor info network)
	like "info network: the card's pairs" "$info" "queues=2,active=2"
	like "info network: the TAP's queues" "$info" "queues=2,attached=2"
	stats=$(monitor info netstats | awk '$2 == 1 && $3 > 10 && $5 > 10 { print $1 }' | tr '\n' ' ')
	is "both ends sent and received by the second queue" "$stats" "t0 card "
fi
echo go >&"$console"
check "the guest goes on with one pair" await mq "vw: one" 90
is "ethtool -L: one of two" "$(said mq fewer)" "2 1 "
four one "one pair"
if ! is_qemu; then
	info=$(monitor info network)
	like "info network: one pair is active" "$info" "queues=2,active=1"
	like "info network: a queue of the TAP is detached" "$info" "queues=2,attached=1"
fi
echo go >&"$console"
check "the guest ends well" await mq "vw: status 0" 120
is "ethtool -L: two again" "$(said mq more)" "2 2 "
is "a driver that left in the midst of traffic comes back" "$(said mq again)" "2 2 "
four back "after that"

stop mq 2>/dev/null
check "a guest with rss=on ends well" guest rss 150 -m 256 -smp 2 "${net[@]},rss=on,hash=on"
is "rss=on: two channels" "$(said rss channels)" "2 2 "
is "hash=on: the driver uses it" "$(said rss hashing)" on
is "ethtool -X: all to the first queue" "$(said rss table0)" "0 "
is "and there most goes" "$(said rss moved0)" 0
is "ethtool -X: all to the second queue" "$(said rss table1)" "1 "
is "and there most goes" "$(said rss moved1)" 1
is "ethtool -X: to both" "$(said rss table)" "0 1 "
is "and there it goes" "$(said rss moved)" "1 1"
for part in start0 start1 both; do
	is "rss=on, $part: four transfers in" "$(said rss $part-in)" " 4 $sum"
	is "rss=on, $part: and out" "$(said rss $part-out)" " 4 $sum"
done

ip tuntap add dev vwone mode tap
"$vmwire" -machine none -netdev tap,id=t1,ifname=vwone,script=no,downscript=no,queues=2 >"$tmp/one.log" 2>&1 </dev/null
is "a TAP that was not made for it is refused" "$?" 1
like "with the command that makes one" "$(cat "$tmp/one.log")" "ip tuntap add vwone mode tap multi_queue"
finish
