#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# limit: 300
#
# Guests as nodes of a LAN (M1, T3 to T6, H2 to H4): a bridge of the host's with a veth whose other end is in a network
# namespace, "the LAN", with a real DHCP server and a peer. By TAP and script as the document types it, by the helper for a
# user without rights, by macvtap without a bridge; the helpers of vmwire and QEMU serve either.
. "$(dirname "$0")/../lib.sh"

initrd node <<'END'
. /vw/lib
# A bridge with STP learns before it forwards: the first requests may be lost.
dhcp || dhcp
say address "$(address)"
for to in $(echo "$vw_ping" | tr , ' '); do
	ping -c 2 -i 0.2 -W 5 "$to" >/dev/null && say reached "$to"
done
# udhcpc's script has taken all addresses away; this one's last byte is that of the other's.
local=fe80::$(printf %x "$(address | cut -d. -f4)")
ip -6 addr add "$local/64" dev eth0 && say local "$local"
say serving
# Until somebody comes.
echo "guest of $(address)" | nc -l -p 7000
END

for name in tap helper other qemu macvtap; do ln -s node.cpio "$tmp/$name.cpio"; done

lan() { ip netns exec lan "$@"; }
reach() { "${@:2}" busybox ping -c 2 -i 0.2 -W 5 "$1" >/dev/null; }
ports() { brctl show br0 | awk '{ print $NF }' | grep -c "^tap"; }
# ports_left N: soon.
ports_left() {
	local i
	for ((i = 0; i < 30; i++)); do
		[ "$(ports)" != "$1" ] || return 0
		nap 0.1
	done
	return 1
}

# The LAN, and a second one that no bridge is for.
ip netns add lan
for i in 0 1; do
	ip link add up$i type veth peer name lan$i netns lan
	ip link set up$i up
	lan ip link set lan$i up
done
lan ip link set lo up
lan ip addr add 192.0.2.1/24 dev lan0
lan ip addr add 198.51.100.1/24 dev lan1
host dhcp ip netns exec lan dnsmasq -k -C /dev/null -p 0 --user=root -l "$tmp/leases" -x "$tmp/dhcp.pid" \
	--dhcp-range=192.0.2.100,192.0.2.150,255.255.255.0 --dhcp-range=198.51.100.100,198.51.100.150,255.255.255.0

# The host's side, as typed (a forward delay of 15 s, twice, would be long).
brctl addbr br0
brctl setfd br0 2
brctl addif br0 up0
brctl stp br0 on
ip addr add 192.0.2.2/24 dev br0
ip link set br0 up
mac=$(cat /sys/class/net/br0/address)
cp "$VMWIRE_TOP/share/qemu-ifup" /etc/qemu-ifup
mkdir -p /usr/local/libexec /etc/vmwire /etc/qemu
cp "$VMWIRE_TOP/build/src/helper/vmwire-helper" /usr/local/libexec/vmwire-helper
setcap cap_net_admin+ep /usr/local/libexec/vmwire-helper
cp /usr/lib/qemu/qemu-bridge-helper /usr/local/libexec/
setcap cap_net_admin+ep /usr/local/libexec/qemu-bridge-helper
echo "allow br0" >/etc/vmwire/bridge.conf
echo "allow br0" >/etc/qemu/bridge.conf
chmod 666 /dev/kvm
chmod 755 "$tmp"
plain=$append

# 1. A TAP and a script.
append="$plain vw.ping=192.0.2.1,192.0.2.2"
start tap -net nic -net tap,ifname=tap0,script=/etc/qemu-ifup,downscript=no
check "a guest on a TAP in br0 gets to its service" await tap "vw: serving" 60
first=$(said tap address)
like "its address is from the LAN's DHCP server" "$first" '^192\.0\.2\.1[0-4][0-9]$'
is "it reaches the peer in the LAN and the host" "$(said tap reached | tr '\n' ' ')" "192.0.2.1 192.0.2.2 "
check "the peer reaches it" reach "$first" lan
check "the host reaches it" reach "$first"
like "brctl show lists tap0" "$(brctl show br0)" 'tap0'
check "and /sys" test -d /sys/devices/virtual/net/tap0
is "the bridge's address is what it was" "$(cat /sys/class/net/br0/address)" "$mac"

# 2. Somebody without rights, by the helper, beside it.
as=(--reuid 65534 --regid 65534 --clear-groups)
append="$plain vw.ping=192.0.2.1,192.0.2.2,$first"
start helper -netdev bridge,id=b0,br=br0 -device virtio-net-pci,netdev=b0
check "a guest of nobody's on br0" await helper "vw: serving" 60
second=$(said helper address)
is "reaches peer, host and the other guest" "$(said helper reached | tr '\n' ' ')" "192.0.2.1 192.0.2.2 $first "
check "the peer reaches it" reach "$second" lan
is "the bridge has two guests" "$(ports)" 2
refusal=$(setpriv "${as[@]}" "$vmwire" -machine none -netdev bridge,id=b0,br=br1 2>&1)
is "br1 is refused" "$?" 1
like "with the rule that would allow it" "$refusal" 'bridge br1 is not allowed to you by /etc/vmwire/bridge.conf; the line "allow br1"'

# 3. Ends.
is "TCP from the LAN; the guest ends" "$(lan busybox nc -w 20 "$first" 7000)" "guest of $first"
wait "${pids[tap]}"
is "well" $? 0
unset 'pids[tap]'
check "its TAP has left the bridge" ports_left 1
check "and the host" test ! -e /sys/devices/virtual/net/tap0
stop helper
check "after kill -9 the other one has left, too" ports_left 0

# 4. vmwire by QEMU's helper, QEMU by vmwire's.
append="$plain vw.ping=192.0.2.1"
start other -net nic,model=e1000 -net bridge,br=br0,helper=/usr/local/libexec/qemu-bridge-helper
check "a guest by QEMU's helper" await other "vw: serving" 60
is "reaches the peer" "$(said other reached)" 192.0.2.1
stop other
kept=("${common[@]}" "$vmwire")
common=(-nographic -no-reboot -accel kvm -cpu host -vga none -global virtio-net-pci.romfile=)
vmwire=qemu-system-x86_64
start qemu -m 128 -netdev bridge,id=b0,br=br0,helper=/usr/local/libexec/vmwire-helper -device virtio-net-pci,netdev=b0
check "QEMU's guest by our helper" await qemu "vw: serving" 90
is "reaches the peer" "$(said qemu reached)" 192.0.2.1
stop qemu
vmwire=${kept[-1]}
unset 'kept[-1]'
common=("${kept[@]}")
as=()

# 5. Without a bridge.
append="$plain vw.ping=198.51.100.1"
start macvtap -net nic,model=virtio,macaddr=52:54:00:00:00:4d -net macvtap,link=up1
check "a guest on a macvtap" await macvtap "vw: serving" 60
like "its address is from the LAN's DHCP server" "$(said macvtap address)" '^198\.51\.100\.1[0-4][0-9]$'
is "it reaches the peer" "$(said macvtap reached)" 198.51.100.1
check "the peer reaches it" reach "$(said macvtap address)" lan
check "and over IPv6, whose neighbours are found by group" reach "$(said macvtap local)%lan1" lan
like "the link has the card's address" "$(ip -o link show vmwtap0)" 52:54:00:00:00:4d
stop macvtap
gone() { for _ in {1..50}; do [ -e /sys/class/net/vmwtap0 ] || return 0; nap 0.1; done; return 1; }
check "after kill -9 the link goes" gone
finish
