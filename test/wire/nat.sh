#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# limit: 120
#
# -net nat (M2, H5) on a real kernel, without a guest under KVM: each guest is a network namespace behind a second TAP
# on the hub of a vmwire under qtest, with the MAC of the card that sits there, so that the network gives it what it
# would give that card's guest. "net" is the outside.

set -u
cd "$(dirname "$0")/../.." || exit 1
. test/tap.sh
vmwire=${VMWIRE:-$PWD/build/vmwire}

. test/wire/nat-lib.sh

# --- two guests on one network
serve net TCP4-LISTEN:80,fork,reuseaddr SYSTEM:'echo $SOCAT_PEERADDR'
serve net TCP6-LISTEN:80,fork,reuseaddr,ipv6only=1 SYSTEM:'echo $SOCAT_PEERADDR'
guest a 52:54:00:00:0a:01 nat,hostfwd=tcp::2222-:22,hostfwd=udp:127.0.0.1:5353-:53
guest b 52:54:00:00:0a:02 nat
dhcp a && dhcp b
is "DHCP gives the address that info network shows" "$(address a)" "$(given a)"
is "and another to the other guest" "$([ "$(address a)" != "$(address b)" ] && given b)" "$(address b)"
like "in the first free network" "$(address a) $(address b)" '^192\.168\.122\.[0-9]+ 192\.168\.122\.[0-9]+$'
is "a resolves b's name" "$(resolve a b)" "$(address b)"
is "b resolves a's name with its domain" "$(resolve b a.vmwire.internal)" "$(address a)"
check "a reaches b" quietly in_ns a busybox ping -c 1 -W 2 "$(address b)"
check "the host reaches a" quietly busybox ping -c 1 -W 2 "$(address a)"
check "a reaches the host" quietly in_ns a busybox ping -c 1 -W 2 192.168.122.1
is "the outside sees the host's address" "$(in_ns a fetch 198.51.100.2 80)" 198.51.100.1
is "in IPv6, too" "$(await_six a; in_ns a fetch 2001:db8::2 80)" "[2001:0db8:0000:0000:0000:0000:0000:0001]"
refused "the outside does not reach a by its address" ip netns exec net fetch "$(address a)" 22
is "one more table for the network, and two for each guest" "$(nft list tables | grep -c vmwire-)" 5

# --- forwards
serve a TCP4-LISTEN:22,fork,reuseaddr SYSTEM:'echo a22 $SOCAT_PEERADDR'
serve a UDP4-RECVFROM:53,fork SYSTEM:'read x; echo a53'
sleep 0.3
is "hostfwd from the outside keeps the client's address" "$(ip netns exec net fetch 198.51.100.1 2222)" "a22 198.51.100.2"
is "hostfwd from the host, by 127.0.0.1" "$(fetch 127.0.0.1 2222)" "a22 192.168.122.1"
like "hostfwd from the host, by its own address" "$(fetch 198.51.100.1 2222)" '^a22 '
like "hostfwd from the other guest, by the host's address" "$(in_ns b fetch 198.51.100.1 2222)" '^a22 '
answers() { echo x | socat -t 1 - UDP4:127.0.0.1:5353 2>/dev/null | grep -q '^a53$'; }
check "hostfwd of UDP" await answers
like "the host's port is taken" "$(socat -u OPEN:/dev/null TCP4-LISTEN:2222 2>&1)" 'in use'
like "info network shows it" "$(info a)" 'hostfwd tcp 0\.0\.0\.0:2222 -> 192\.168\.122\.[0-9]+:22'
serve host TCP4-LISTEN:7777,bind=127.0.0.1,fork SYSTEM:'echo secret'
sleep 0.2
in_ns b ip route add 127.7.0.0/16 via 192.168.122.1
in_ns b sysctl -qw net.ipv4.conf.all.route_localnet=1
refused "no guest reaches the host's loopback through route_localnet" in_ns b fetch 127.7.0.1 7777
monitor a 'hostfwd_remove tcp::2222' >/dev/null
refused "hostfwd_remove" fetch 127.0.0.1 2222
monitor a 'hostfwd_add tcp::2223-:22' >/dev/null
is "hostfwd_add" "$(fetch 127.0.0.1 2223)" "a22 192.168.122.1"

# --- somebody else's hands
nft flush ruleset
is "nft flush ruleset does not cut the guests off" "$(in_ns a fetch 198.51.100.2 80)" 198.51.100.1
is "nor forwards" "$(fetch 127.0.0.1 2223)" "a22 192.168.122.1"

# --- a network and a card that come and go
monitor a 'netdev_add nat,id=h0,br=hot0,hostfwd=tcp::2230-:22' >/dev/null
like "netdev_add: a forward waits for a card" "$(info a)" 'hostfwd tcp 0\.0\.0\.0:2230 -> \(no card yet\)'
monitor a 'device_add e1000,id=c1,netdev=h0,mac=52:54:00:00:0a:11' >/dev/null
like "device_add: a card gets address and name" "$(info a)" 'guest a\.vmwire\.internal 192\.168\.123\.[0-9]+ macaddr=52:54:00:00:0a:11'
like "and the forward goes there" "$(info a)" '0\.0\.0\.0:2230 -> 192\.168\.123\.[0-9]+:22'
monitor a 'device_del c1' >/dev/null
monitor a 'system_reset' >/dev/null
monitor a 'netdev_del h0' >/dev/null
await sh -c '! ls /run/vmwire | grep -q hot0'
is "netdev_del takes the network down, as its last guest" "$(ip -br link | grep -c hot0; ls /run/vmwire | grep -c hot0)" "0
0"

# --- options that do not fit
like "another net= than the network has" "$(fails nat,net=10.5.0.0/24)" 'net=10\.5\.0\.0/24: vmwire0 is there already, with net=192\.168\.122\.0/24'
like "another mode" "$(fails nat,isolated=on)" 'isolated=on: vmwire0 is there already'
like "net= that clashes with a route" "$(fails nat,br=other,net=198.51.0.0/16)" 'net=198\.51\.0\.0/16 overlaps with the (route|address) 198\.51\.100\.0/24 dev out'
like "br= that is somebody else's" "$(ip link add br7 type bridge; fails nat,br=br7)" 'br=br7: .* not made'
like "isolated and routed" "$(fails nat,br=other,isolated=on,routed=on)" 'exclude each other'
like "a port that is in use" "$(fails nat,br=other,hostfwd=tcp:127.0.0.1:7777-:1)" 'port 7777 is in use'
like "an address outside" "$(fails nat,br=other,hostfwd=tcp::78-10.9.9.9:1)" 'not one of the network 192\.168\.123\.0/24'
like "no host port" "$(fails nat,br=other,hostfwd=tcp::0-:1)" "host's port is missing"
like "a bad rate" "$(fails nat,rate=fast)" 'rate=fast .*bits a second'
like "without the right to" "$(setpriv --reuid 65534 --clear-groups --inh-caps -all "$vmwire" -machine none -net nat 2>&1)" 'CAP_NET_ADMIN'
mkdir "$dir/empty"
mount --bind /dev/null "$(readlink -f "$(command -v dnsmasq)")"
like "dnsmasq that cannot be run" "$(fails nat,br=other)" 'dnsmasq'
umount "$(readlink -f "$(command -v dnsmasq)")"
is "nothing is left of those" "$(ls /run/vmwire | grep -c other; ip -br link | grep -c other)" "0
0"

# --- the end
stop a
check "the other guest's network stays" quietly in_ns b busybox ping -c 1 -W 2 192.168.122.1
refused "a's forward is gone" fetch 127.0.0.1 2223
await sh -c "[ -z \"\$(ip netns exec b busybox nslookup -type=a a 192.168.122.1 | sed '1,/^$/d' | grep Address)\" ]"
is "its name, too, although its lease was not over" "$(resolve b a)" ""
stop b
gone "the last guest takes the network down"
finish
