#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# limit: 720
#
# What the guest sees of its machine and its card: processors, driver, interrupts (N4, N7, H6); the packed ring;
# the speed of its link.
. "$(dirname "$0")/../lib.sh"

initrd two tools <<'END'
. /vw/lib
say cpus "$(grep -c ^processor /proc/cpuinfo)"
say online "$(cat /sys/devices/system/cpu/online)"
ethtool -i eth0 | sed -n 's/^driver: /vw: driver /p'
dhcp
say address "$(address)"
say interrupts "$(grep -c virtio /proc/interrupts) lines: $(grep virtio /proc/interrupts | tr -s ' \n' ' ')"
say mac "$(cat /sys/class/net/eth0/address)"
say slot "$(basename "$(readlink -f /sys/class/net/eth0/device/..)")"
END
initrd packed tools <<'END'
. /vw/lib
dhcp
say features "$(cat /sys/class/net/eth0/device/features)"
say speed "$(cat /sys/class/net/eth0/speed /sys/class/net/eth0/duplex | tr '\n' ' ')"
wget -q -O /tmp/file http://10.0.2.2:9003/in.bin
say in-sum "$(sha256sum </tmp/file | cut -d' ' -f1)"
say out-heard "$(nc 10.0.2.2 9002 </tmp/file)"
END
cp "$tmp/packed.cpio" "$tmp/plain.cpio"
cp "$tmp/two.cpio" "$tmp/intx.cpio"
cp "$tmp/two.cpio" "$tmp/msix.cpio"

check "a guest with two processors ends well" \
	guest two 150 -m 256 -smp 2 -net nic,model=virtio -net user
is "two processors" "$(said two cpus)" 2
is "both are online" "$(said two online)" 0-1
is "ethtool -i eth0 says virtio_net" "$(said two driver)" virtio_net
is "the default is MSI-X, an interrupt for each of config, receive, send" \
	"$(said two interrupts | grep -o 'PCI-MSI' | wc -l)" 3
is "address by DHCP" "$(said two address)" 10.0.2.15

check "vectors=0 ends well" guest intx 150 -m 256 -net \
	nic,model=virtio,vectors=0,macaddr=52:54:00:aa:bb:cc,addr=7 -net user
like "vectors=0: an INTx line" "$(said intx interrupts)" "1 lines: .*IO-APIC.*fasteoi.*virtio"
is "vectors=0: the network works" "$(said intx address)" 10.0.2.15
is "macaddr= is the card's" "$(said intx mac)" 52:54:00:aa:bb:cc
is "addr= is the card's slot" "$(said intx slot)" 0000:00:07.0

check "vectors=3 ends well" guest msix 150 -m 256 -net nic,model=virtio,vectors=3 -net user
is "vectors=3: MSI-X" "$(said msix interrupts | grep -o 'PCI-MSI' | wc -l)" 3
is "vectors=3: the network works" "$(said msix address)" 10.0.2.15

# The packed ring: a transfer each way, with and without event index.
bytes=16777216
! is_qemu || bytes=500000
head -c $bytes /dev/urandom >"$tmp/in.bin"
sum=$(sha256sum <"$tmp/in.bin" | cut -d' ' -f1)
host sum socat TCP4-LISTEN:9002,bind=127.0.0.1,fork SYSTEM:'sha256sum | cut -c1-64'
host http busybox httpd -f -p 127.0.0.1:9003 -h "$tmp"

# packed NAME EVENT_IDX: the features are a line of digits, bit 0 first.
packed() {
	local what="packed=on,event_idx=$2" bit=0
	[ "$2" = off ] || bit=1
	check "$what ends well" guest "$1" 150 -m 256 -netdev user,id=n0 \
		-device "virtio-net-pci,netdev=n0,speed=2500,duplex=full,$what"
	is "$what: the driver uses RING_PACKED" "$(said "$1" features | cut -c35)" 1
	is "$what: EVENT_IDX is as it was asked for" "$(said "$1" features | cut -c30)" $bit
	like "$what: the link's speed and duplex mode" "$(said "$1" speed)" "^2500 full"
	is "$what: a transfer from the host arrives whole" "$(said "$1" in-sum)" "$sum"
	is "$what: a transfer to the host arrives whole" "$(said "$1" out-heard)" "$sum"
}
packed packed on
packed plain off
finish
