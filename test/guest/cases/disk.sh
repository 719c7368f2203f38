#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# limit: 240
#
# Disks with Linux' own drivers: IDE (ata_piix, PIO and DMA), a CD, virtio, raw and qcow2; and what a guest was told
# is on disk is there after kill -9 of vmwire (and of its qemu-nbd). ROUNDS=20 makes more rounds of that (4).
. "$(dirname "$0")/../lib.sh"
is_qemu && { skip "disks" "the drives' names are vmwire's"; finish; }

mkdir "$tmp/cd"
head -c 3000000 /dev/urandom >"$tmp/cd/data"
sum() { sha256sum | cut -d' ' -f1; }
xorriso -as mkisofs -quiet -o "$tmp/cd.iso" "$tmp/cd" 2>/dev/null

initrd disk disk <<'END'
. /vw/lib
for i in $(seq 50); do [ -e /dev/sdb ] && [ -e /dev/sr0 ] && [ -e /dev/vdb ] && break; usleep 100000; done
say disks $(cd /sys/block; for d in sd? vd?; do echo $d:$(cat $d/size):$(cat $d/queue/write_cache | tr ' ' -); done)
say ide-mode $(cat /sys/class/ata_device/dev1.0/xfer_mode /sys/class/ata_device/dev2.0/xfer_mode)
say serial $(cat /sys/block/vda/serial)
for d in sda vda vdb; do
	dd if=/dev/urandom of=/tmp/x bs=64k count=24 2>/dev/null
	dd if=/tmp/x of=/dev/$d bs=64k seek=3 conv=fsync 2>/dev/null
	echo 3 >/proc/sys/vm/drop_caches
	[ "$(sha256sum </tmp/x)" = "$(dd if=/dev/$d bs=64k skip=3 count=24 2>/dev/null | sha256sum)" ] && say same $d
	say sum-$d $(sha256sum </tmp/x | cut -d' ' -f1)
done
dd if=/tmp/x of=/dev/sdb bs=4k count=1 conv=fsync 2>/dev/null && say wrote-snapshot
mkdir /cd; mount -t iso9660 -o ro /dev/sr0 /cd && say cd $(sha256sum </cd/data | cut -d' ' -f1)
umount /cd
say errors $(dmesg | grep -ciE 'i/o error|exception|failed command|timeout')
END
truncate -s 64M "$tmp/ide.raw" "$tmp/snap.raw" "$tmp/v.raw"
qemu-img create -q -f qcow2 "$tmp/v.qcow2" 64M
check "a guest with disks" guest disk 100 -net none -m 256 \
	-drive "file=$tmp/ide.raw,format=raw" -drive "file=$tmp/snap.raw,format=raw,snapshot=on" -cdrom "$tmp/cd.iso" \
	-drive "file=$tmp/v.raw,format=raw,if=virtio,cache=writethrough" \
	-drive "file=$tmp/v.qcow2,if=none,id=q" -device virtio-blk-pci,drive=q,num-queues=2,serial=vw-one
like "sizes and caches" "$(said disk disks)" "^sda:131072:write-back sdb:131072:write-back vda:131072:write-back vdb:131072:write-through"
is "IDE by DMA" "$(said disk ide-mode)" "XFER_MW_DMA_2 XFER_MW_DMA_2"
is "serial number" "$(said disk serial)" "vw-one"
is "read back what was written" "$(said disk same | tr '\n' ' ')" "sda vda vdb "
part() { dd if="$1" bs=64k skip=3 count=24 2>/dev/null | sum; }
is "IDE: it is in the image" "$(part "$tmp/ide.raw")" "$(said disk sum-sda)"
is "virtio: it is in the image" "$(part "$tmp/v.raw")" "$(said disk sum-vdb)"
qemu-img convert -O raw "$tmp/v.qcow2" "$tmp/v2.raw"
is "qcow2: it is in the image" "$(part "$tmp/v2.raw")" "$(said disk sum-vda)"
is "snapshot: the guest wrote" "$(said disk wrote-snapshot; grep -c 'vw: wrote-snapshot' "$tmp/disk.log")" "1"
is "snapshot: the image did not change" "$(tr -d '\0' <"$tmp/snap.raw" | wc -c)" "0"
is "CD: the file" "$(said disk cd)" "$(sum <"$tmp/cd/data")"
is "no error in the guest's log" "$(said disk errors)" "0"

# Flushes. A guest writes records and says which ones were flushed; vmwire is killed at any moment.
initrd flush disk <<'END'
. /vw/lib
for i in $(seq 50); do [ -b /dev/sda ] || [ -b /dev/vda ] && break; usleep 100000; done
[ -b /dev/sda ] && disk=/dev/sda || disk=/dev/vda
records write $disk 30
END

# killed ROUND: vmwire and its child, in the middle of it; then the image has what was acknowledged.
killed() {
	local format=raw iface=ide image=$tmp/flush.$1 pid acked
	(($1 % 2)) && format=qcow2
	(($1 / 2 % 2)) && iface=virtio
	qemu-img create -q -f $format "$image" 64M
	start flush -net none -drive "file=$image,format=$format,if=$iface${CACHE:+,cache=$CACHE}"
	pid=${pids[flush]}
	await flush "ack $((5 + RANDOM % 60))" 40 || { stop flush; return 1; }
	# The child first: it would write its caches out when vmwire goes.
	pkill -KILL -P "$pid"
	stop flush
	acked=$(tr -d '\r' <"$tmp/flush.log" | sed -n '$d; s/^ack //p' | tail -n 1)
	[ $format = raw ] || { qemu-img convert -O raw "$image" "$image.raw" && image=$image.raw; } || return 1
	echo "# round $1: $iface, $format, $acked acknowledged"
	"$kit/records" check "$image" "$acked" | sed 's/^/# /'
	[ "${PIPESTATUS[0]}" = 0 ]
}
for ((round = 0; round < ${ROUNDS:-4}; round++)); do
	check "killed in round $round: what was flushed is there" killed $round
done
finish
