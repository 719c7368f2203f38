#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# limit: 240
#
# Guests without -kernel: SeaBIOS on the serial port, iPXE out of each card's boot ROM in the order of bootindex=, files
# by HTTP and by TFTP, Linux booted from the network with the tables that firmware was given; -boot; U-Boot.
. "$(dirname "$0")/../lib.sh"
# The serial port is what is read here; text on a screen as well costs an exit for each cell that scrolls.
common+=(-vga none)

launch() {
	local name=$1
	shift
	[ -p "$tmp/$name.in" ] || ln -s /dev/null "$tmp/$name.in"
	# Appending: what was read is taken out of the log meanwhile.
	exec setpriv --pdeathsig KILL "$vmwire" "${common[@]}" "$@" <"$tmp/$name.in" >>"$tmp/$name.log" 2>"$tmp/$name.err"
}

# boot NAME ARG...: starts a guest that can be typed to.
boot() {
	mkfifo "$tmp/$1.in"
	exec {keys}<>"$tmp/$1.in"
	start "$@"
}

# type TEXT: firmware's keyboard buffer is short, and what is too much is lost.
type() {
	local text=$1$'\r'
	while [ -n "$text" ]; do
		printf %s "${text:0:12}" >&"$keys"
		text=${text:12}
		nap 0.3
	done
}

initrd life <<'END'
. /vw/lib
say cpus "$(nproc)"
say acpi "$(ls /sys/bus/acpi/devices | grep -c QEMU0002)"
say serial "$(cat /sys/class/dmi/id/product_serial)"
say uuid "$(cat /sys/class/dmi/id/product_uuid)"
say bios "$(cat /sys/class/dmi/id/bios_vendor)"
say driver "$(basename "$(readlink /sys/class/net/eth0/device/driver)")"
END
mkdir "$tmp/www"
cp "$VMWIRE_TOP/build/kernel/vmlinuz" "$tmp/www"
cp "$tmp/life.cpio" "$tmp/www/life.cpio"
cat >"$tmp/www/boot.ipxe" <<END
#!ipxe
kernel http://10.9.0.1:8000/vmlinuz $append
initrd http://10.9.0.1:8000/life.cpio
boot
END
new_tap fw0 10.9.0.1/24
# A router and no word of a proxy: iPXE does not wait for either.
ip addr add fd00:9::1/64 dev fw0 nodad
host http busybox httpd -f -p 8000 -h "$tmp/www"
host dhcp dnsmasq -k -C /dev/null -p 0 -i fw0 --bind-interfaces --dhcp-leasefile="$tmp/leases" -u root \
	--enable-ra --dhcp-range=fd00:9::,ra-only --dhcp-option-force=encap:175,176,1b \
	--dhcp-range=10.9.0.10,10.9.0.20 --dhcp-boot=boot.ipxe --enable-tftp --tftp-root="$tmp/www"

# fetch DRIVER: in the shell of the card's iPXE; then the next device has its turn.
fetch() {
	await net "Press Ctrl-B for the iPXE command line" 20 || return
	: >"$tmp/net.log"
	printf '\002' >&"$keys"
	await net "iPXE>" 20 || return
	type "set net0/ip 10.0.2.15"
	type "set net0/gateway 10.0.2.2"
	type "ifopen net0"
	type ifstat
	type "imgfetch http://10.0.2.2:8000/life.cpio && imgstat"
	await net "life.cpio : " 30 && grep -aq "using $1 on" "$tmp/net.log" || return
	: >"$tmp/net.log"
	type exit
}

boot net -m 512 -smp 2 -netdev tap,id=a,ifname=fw0,script=no,downscript=no -netdev user,id=b -netdev user,id=c \
	-smbios type=1,serial=nr7 -uuid 00112233-4455-6677-8899-aabbccddeeff \
	-device virtio-net-pci,netdev=a -device e1000,netdev=b,bootindex=1 -device rtl8139,netdev=c,bootindex=2
check "SeaBIOS is seen on the serial port" await net "SeaBIOS (version" 20
check "e1000, which comes first by its bootindex, fetches a file by HTTP" fetch 82540em
check "then rtl8139 does" fetch rtl8139
check "virtio gets an address and a script by TFTP" await net "boot.ipxe : " 60
check "what the script says boots: a kernel by HTTP" await net "vw: status 0" 60
is "both CPUs are there" "$(said net cpus)" 2
is "the tables that firmware was given are read" "$(said net acpi)" 1
is "-smbios is" "$(said net serial)" nr7
is "-uuid is" "$(said net uuid)" 00112233-4455-6677-8899-aabbccddeeff
is "the BIOS is SeaBIOS" "$(said net bios)" SeaBIOS
is "the card that firmware used has its driver" "$(said net driver)" virtio_net
stop net

start none -m 32 -net none -boot strict=on,reboot-timeout=500
check "no device at all: said" await none "No bootable device" 20
check "and started again when reboot-timeout= says, which -no-reboot makes the end" wait "${pids[none]}"

boot uboot -m 256 -net none -bios /usr/lib/u-boot/qemu-x86/u-boot.rom
check "U-Boot says who it is" await uboot "U-Boot 20" 30
check "and counts down" await uboot "Hit any key" 30
printf ' ' >&"$keys"
check "to its prompt" await uboot "=>" 30
finish
