#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# limit: 240
#
# -net nat with two real guests (M2, H7): addresses, each other's names, the outside, forwards. One of them may send
# under its own addresses only and has a network card with offloads, so that large frames go through all of it; the
# kernel carries them (vhost).
. "$(dirname "$0")/../lib.sh"

ip netns add net
ip link add out type veth peer name eth0 netns net
ip addr add 198.51.100.1/24 dev out
ip link set out up
ip -n net addr add 198.51.100.2/24 dev eth0
ip -n net link set eth0 up
ip route add default via 198.51.100.2
head -c 8388608 /dev/urandom >"$tmp/in.bin"
sum=$(sha256sum <"$tmp/in.bin" | cut -d' ' -f1)
host peer ip netns exec net socat TCP4-LISTEN:80,fork,reuseaddr SYSTEM:'echo $SOCAT_PEERADDR'
host http ip netns exec net busybox httpd -f -p 8080 -h "$tmp"

for name in alice bob; do
	initrd $name tools <<'END'
. /vw/lib
dhcp
say driver "$(driver)"
say lease "$(address) $(ip route | sed -n 's/^default via \([^ ]*\).*/\1/p') $(sed -n 's/^nameserver //p' /etc/resolv.conf)"
conns serve "$(address)" 7000 &
for i in 1 2 3 4 5 6 7 8 9 10; do
	other=$(nslookup -type=a "$vw_other" 192.168.122.1 2>/dev/null | sed -n '/^Name/,$s/^Address[^:]*: *//p')
	[ -z "$other" ] || ! ping -c 1 -W 1 "$other" >/dev/null || break
	sleep 1
done
say name "$other"
ping -c 2 -i 0.2 "$other" >/dev/null && say ping "$vw_other"
say seen "$(nc -w 5 198.51.100.2 80 </dev/null)"
wget -q -O - http://198.51.100.2:8080/in.bin | sha256sum | sed 's/^\([^ ]*\).*/vw: sum \1/'
say six "$(ip -6 addr show dev eth0 scope global | sed -n 's/.*inet6 \([0-9a-f:]*\).*/\1/p' | head -n 1)"
say serving
sleep 1000
END
done

base=$append
append="$base vw.other=bob"
start alice -m 192 -name alice -netdev nat,id=n0,antispoof=on,vhost=on,hostfwd=tcp::8000-:7000 \
	-device virtio-net-pci,netdev=n0,mac=52:54:00:00:0a:01 -monitor "unix:$tmp/mon,server=on,wait=off" -serial stdio
append="$base vw.other=alice.vmwire.internal"
start bob -m 192 -name bob -nic nat,model=e1000
check "both guests get to the end" eval 'await alice "vw: serving" 150 && await bob "vw: serving" 60'
is "the drivers of their cards" "$(said alice driver) $(said bob driver)" "virtio_net e1000"
like "DHCP: address, gateway, name server" "$(said alice lease)" '^192\.168\.122\.[0-9]+ 192\.168\.122\.1 192\.168\.122\.1$'
read -r alice _ <<<"$(said alice lease)"
read -r bob _ <<<"$(said bob lease)"
is "one resolves the other's name" "$(said alice name)" "$bob"
is "and the other one's with its domain" "$(said bob name)" "$alice"
is "they reach each other" "$(said alice ping) $(said bob ping)" "bob alice.vmwire.internal"
is "the outside sees the host" "$(said alice seen) $(said bob seen)" "198.51.100.1 198.51.100.1"
is "8 MiB from the outside arrive whole" "$(said alice sum) $(said bob sum)" "$sum $sum"
like "an address of IPv6 by router advertisement" "$(said alice six)" '^fd'
is "a forward from the host" "$("$kit/conns" after 127.0.0.1 8000 20)" 20
is "and from the outside" "$(ip netns exec net "$kit/conns" after 198.51.100.1 8000 20)" 20
like "info network says who is who" "$(echo info network | socat -t 2 - "UNIX-CONNECT:$tmp/mon")" \
	"net=192\.168\.122\.0/24,br=vmwire0.*guest alice\.vmwire\.internal $alice macaddr=52:54:00:00:0a:01.*0 spoofed"
like "the kernel carries its frames" "$(echo info network | socat -t 2 - "UNIX-CONNECT:$tmp/mon")" "vhost: queue 0 in the kernel"
stop alice
stop bob
for i in 1 2 3 4 5 6 7 8 9 10; do [ -z "$(ls /run/vmwire)" ] || nap 0.5; done
is "killed, they leave nothing behind" "$(ls /run/vmwire; ip -br link | grep -E '^(vmwire|tap)'; nft list tables)" ""
finish
