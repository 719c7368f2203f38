#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# limit: 240
#
# romfile=: Linux finds the boot ROM of each card, reads it as it is in the file, and finds none where there is none;
# also of a card that comes later.
. "$(dirname "$0")/../lib.sh"
roms=/usr/lib/ipxe/qemu
[ -e $roms/pxe-virtio.rom ] || { skip "boot ROMs" "this machine has no iPXE (package ipxe-qemu)"; finish; }
is_qemu && { skip "boot ROMs" "QEMU's cards have theirs by themselves"; finish; }

initrd rom <<'END'
. /vw/lib
roms() {
	for d in /sys/bus/pci/devices/*; do
		[ -e "$d/rom" ] || continue
		echo 1 >"$d/rom"
		say "rom-${d##*/}" "$(cat "$d/vendor") $(sha256sum <"$d/rom" | cut -d' ' -f1)"
		echo 0 >"$d/rom"
	done
}
roms
say ready
until [ -e /sys/bus/pci/devices/0000:00:07.0/rom ]; do usleep 50000; done
say hot "$(echo 1 >/sys/bus/pci/devices/0000:00:07.0/rom; sha256sum </sys/bus/pci/devices/0000:00:07.0/rom)"
END

# sum NAME: of its file
sum() { sha256sum <"$roms/pxe-$1.rom" | cut -d' ' -f1; }

start rom -m 256 -monitor "unix:$tmp/monitor,server=on,wait=off" \
	-netdev user,id=n0 -netdev user,id=n1 -netdev user,id=n2 -netdev user,id=n3 \
	-device "virtio-net-pci,netdev=n0,disable-legacy=on,addr=3,romfile=$roms/pxe-virtio.rom" \
	-device "e1000,netdev=n1,addr=4,romfile=$roms/pxe-e1000.rom" \
	-device "rtl8139,netdev=n2,addr=5,romfile=$roms/pxe-rtl8139.rom" \
	-device "e1000,netdev=n3,addr=6,rombar=0,romfile=$roms/pxe-e1000.rom"
check "the guest has read its ROMs" await rom "vw: ready" 90
is "virtio-net: the file" "$(said rom rom-0000:00:03.0)" "0x1af4 $(sum virtio)"
is "e1000: the file" "$(said rom rom-0000:00:04.0)" "0x8086 $(sum e1000)"
is "rtl8139: the file" "$(said rom rom-0000:00:05.0)" "0x10ec $(sum rtl8139)"
is "rombar=0: none" "$(said rom rom-0000:00:06.0)" ""
{ echo "device_add e1000,addr=7,romfile=$roms/pxe-e1000.rom"; nap 2; } |
	socat -t 2 - "UNIX-CONNECT:$tmp/monitor" >/dev/null
check "the guest comes to its end" await rom "vw: status 0" 60
like "a card that comes: the file" "$(said rom hot)" "^$(sum e1000)"
is "nothing was said about the files" "$(cat "$tmp/rom.err")" ""
finish
