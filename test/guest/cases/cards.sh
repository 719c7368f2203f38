#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# limit: 420
#
# What the guest sees of its machine and its card: processors, driver, interrupts (N4, N7, H6).
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
finish
