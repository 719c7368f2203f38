#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# limit: 120
#
# -net nat (M2): isolated and routed networks, and what one guest may not do: antispoof=, port-isolation=, rate=.

set -u
cd "$(dirname "$0")/../.." || exit 1
. test/tap.sh
vmwire=${VMWIRE:-$PWD/build/vmwire}
. test/wire/nat-lib.sh
serve net TCP4-LISTEN:80,fork,reuseaddr SYSTEM:'echo $SOCAT_PEERADDR'
sees() { quietly in_ns "$1" busybox ping -c 1 -W 1 "$2"; }

# --- isolated
guest a 52:54:00:00:0b:01 nat,isolated=on
guest b 52:54:00:00:0b:02 nat
is "isolated: the host does not forward for it" "$(cat /proc/sys/net/ipv4/ip_forward)" 0
dhcp a && dhcp b
is "DHCP gives no router" "$(ip -n a route show default)" ""
check "guests reach each other" sees a "$(address b)"
check "and the host" sees a 192.168.122.1
is "names of guests resolve" "$(resolve b a)" "$(address a)"
ip -n a route add default via 192.168.122.1
sysctl -qw net.ipv4.ip_forward=1
refused "not the outside, even where the host forwards" in_ns a fetch 198.51.100.2 80
refused "nor the outside them" ip netns exec net busybox ping -c 1 -W 1 "$(address a)"
sysctl -qw net.ipv4.ip_forward=0
stop a
stop b
gone "nothing is left of it"

# --- routed
guest a 52:54:00:00:0b:01 nat,routed=on,net=10.77.0.0/24
dhcp a
like "routed: an address of net=" "$(address a)" '^10\.77\.0\.'
is "the outside sees the guest's own address" "$(in_ns a fetch 198.51.100.2 80)" "$(address a)"
check "and reaches it" quietly ip netns exec net busybox ping -c 1 -W 1 "$(address a)"
stop a
gone "nothing is left of it, either"

# --- antispoof
guest a 52:54:00:00:0c:01 nat,antispoof=on
guest b 52:54:00:00:0c:02 nat
dhcp a && dhcp b
check "antispoof: DHCP and what it gave work" sees a "$(address b)"
check "IPv6, too" sh -c "ip netns exec a busybox ping -6 -c 1 -W 2 $(await_six a; await_six b; six b) >/dev/null"
ip -n a addr add 192.168.122.99/24 dev ina
spoofs() { in_ns a busybox ping -c 1 -W 1 -I 192.168.122.99 192.168.122.1; }
refused "an address that was not given does not get through" spoofs
in_ns b busybox arping -q -c 1 -w 1 -I inb 192.168.122.99 >/dev/null
is "nor does its ARP" "$(ip -n b neigh show 192.168.122.99 | grep -c lladdr)" 0
ip -n a link set ina address 52:54:00:00:0c:77
ip -n a addr del 192.168.122.99/24 dev ina
refused "nor another MAC" sees a "$(address b)"
ip -n a link set ina address 52:54:00:00:0c:01
check "the right ones still do" await sees a "$(address b)"
in_ns a socat -u OPEN:/dev/zero,readbytes=10 "UDP4-SENDTO:$(address b):68,sourceport=67" 2>/dev/null
like "what was dropped is counted" "$(info a)" 'dropped .*[1-9][0-9]* spoofed'
ip -n b addr add 192.168.122.99/24 dev inb
check "a guest without it may" quietly in_ns b busybox ping -q -c 1 -W 1 -I 192.168.122.99 192.168.122.1
stop a
stop b

# --- port isolation, a rate
guest a 52:54:00:00:0d:01 nat,port-isolation=on,rate=20M
guest b 52:54:00:00:0d:02 nat,port-isolation=on
guest c 52:54:00:00:0d:03 nat
dhcp a && dhcp b && dhcp c
refused "port-isolation: not from one to another" sees a "$(address b)"
ip -n a route add "$(address b)" via 192.168.122.1
refused "nor by way of the host" sees a "$(address b)"
check "to others, yes" sees a "$(address c)"
check "and to the host" sees a 192.168.122.1
# megabits a second in the third of three seconds of TCP
speed() { iperf3 -c "$1" -t 3 -O 1 -J ${2:+"$2"} 2>/dev/null | python3 -c 'import json,sys; print(round(json.load(sys.stdin)["end"]["sum_received"]["bits_per_second"] / 1e6, 1))'; }
in_ns a iperf3 -s -D -I "$dir/iperf.pid" >/dev/null
await sh -c 'ip netns exec a ss -Hlt sport = :5201 | grep -q .'
to=$(speed "$(address a)")
from=$(speed "$(address a)" -R)
at_most "rate: to the guest, Mbit/s" "$to" 22
at_least "and not much less" "$to" 12
at_most "from the guest, Mbit/s" "$from" 24
at_least "and not much less" "$from" 8
echo "# rate=20M: $to Mbit/s to the guest, $from from it"
kill "$(tr -d '\0' <"$dir/iperf.pid")"
stop a
stop b
stop c
gone "nothing is left of all that"
finish
