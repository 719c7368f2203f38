#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# limit: 120
#
# The command line as a user meets it: exit status, one line on stderr, what is allowed named in
# it (D1 to D5, N1 to N7, V4); lists and help exit 0; the reference page is up to date.

top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/test/tap.sh"
vmwire=${VMWIRE:-$top/build/vmwire}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# bad LINE OPTION...: exit status 1, nothing on stdout, exactly this line on stderr.
bad() {
	local want="vmwire: $1" out err status
	shift
	out=$(timeout 10 "$vmwire" "$@" 2>"$tmp/err" </dev/null)
	status=$?
	err=$(cat "$tmp/err")
	if [ $status = 1 ] && [ -z "$out" ] && [ "$err" = "$want" ]; then
		pass "$* is refused"
	else
		fail "$* is refused" "status: $status" "stdout: $out" "stderr: $err" "want: $want"
	fi
}

# good REGEX OPTION...: exit status 0, a match on stdout, nothing on stderr.
good() {
	local want=$1 out status
	shift
	out=$(timeout 10 "$vmwire" "$@" 2>"$tmp/err" </dev/null)
	status=$?
	if [ $status = 0 ] && [[ $out =~ $want ]] && [ ! -s "$tmp/err" ]; then
		pass "$* exits 0"
	else
		fail "$* exits 0" "status: $status" "stdout: $out" "stderr: $(cat "$tmp/err")" \
			"want: $want"
	fi
}

models="virtio-net-pci, virtio, virtio-net, rtl8139, e1000, e1000-82540em, e1000-82544gc, e1000-82545em"
good 'virtio-net-pci .*guest driver virtio_net' -net 'nic,model=?'
good 'virtio-net-pci ' -net nic,model=help
good 'virtio-net-pci ' -device help
good 'mrg_rxbuf=on.off ' -device virtio-net-pci,help
good 'hostfwd=' -net user,help
good 'hostfwd=' -netdev user,help
good 'tap ' -netdev help
good 'kvm .*qtest ' -accel help
good 'none' -machine help
good '-netdev kind' -h
good '-netdev kind' --help
good 'vmwire 0' -version

bad "-net nic: model=foo is not known: allowed are $models" -net nic,model=foo
bad "-net nic: foo=1 is not an option: allowed are vlan, macaddr, model, name, addr, vectors, \
netdev" -net nic,foo=1
bad "-net usr is not known: did you mean -net user? Allowed: nic, user, tap, bridge, macvtap, nat, dummy, none" -net usr
bad "-net nic: macaddr=zz is not a MAC address: give six hexadecimal bytes, e.g. \
macaddr=52:54:00:12:34:56" -net nic,macaddr=zz
bad "-m 1x is not a size: give a number of MiB, or a number with an optional suffix k, M, G or T, \
e.g. -m 512M" -m 1x
# Slips of the pen, each answered with the option as it should be (V4): what was typed | what is wrong | what is right.
while IFS='|' read -r typed why right; do
	[ -n "$typed" ] || continue
	# The words as a shell parts them.
	bad "$typed: $why; write: $right" $typed
done <<'END'
-net vlan=0,macaddr=fe:54:00:86:0d:04,model=rtl8139 ,name=eth0,addr=0x0|a blank splits it in two, its kind (nic) is missing, PCI slot 0 is the host bridge's (addr= may be 0x2 to 0x1f)|-net nic,vlan=0,macaddr=fe:54:00:86:0d:04,model=rtl8139,name=eth0
-net tap ifname=vnet0,script=/etc/qemu-ifup|a blank splits it in two|-net tap,ifname=vnet0,script=/etc/qemu-ifup
-net vlan=0,macaddr=fe:54:00:86:0d:04|its kind (nic) is missing|-net nic,vlan=0,macaddr=fe:54:00:86:0d:04
-net nic,model=rtl8139 ,name=eth0|a blank splits it in two|-net nic,model=rtl8139,name=eth0
-net nic,model=rtl8139, name=eth0|a blank splits it in two|-net nic,model=rtl8139,name=eth0
-net nic,addr=0x0,name=eth0|PCI slot 0 is the host bridge's (addr= may be 0x2 to 0x1f)|-net nic,name=eth0
-net ifname=vnet0,script=no|its kind (tap) is missing|-net tap,ifname=vnet0,script=no
-net tap,ifname=vnet0 script=no|a blank splits it in two|-net tap,ifname=vnet0,script=no
-net tap ifname=vnet0 script=no downscript=no|a blank splits it in two|-net tap,ifname=vnet0,script=no,downscript=no
-net tap,scirpt=no|scirpt= is not an option|-net tap,script=no
-net tap,ifnam=vnet0,script=no|ifnam= is not an option|-net tap,ifname=vnet0,script=no
-net tap,script|script needs a value|-net tap,script=file
-net tap,ifname,script=no|ifname needs a value|-net tap,ifname=name,script=no
-net tap,downscrpt=no|downscrpt= is not an option|-net tap,downscript=no
-net tap ifnam=vnet0,scirpt=no|a blank splits it in two, ifnam= is not an option|-net tap,ifname=vnet0,script=no
-net nic,macadr=fe:54:00:86:0d:04|macadr= is not an option|-net nic,macaddr=fe:54:00:86:0d:04
-netdev tap,id=n0,vnet-hdr=on|vnet-hdr= is not an option|-netdev tap,id=n0,vnet_hdr=on
-netdev macvtap,id=n0,lnik=eth0|lnik= is not an option|-netdev macvtap,id=n0,link=eth0
-nic bridge,br=br0,modle=virtio|modle= is not an option|-nic bridge,br=br0,model=virtio
END
bad "-fda is not implemented yet: -h lists what is" -fda disk.img
mkfifo "$tmp/fifo"
bad "-kernel: $tmp/fifo is not a regular file" -net none -kernel "$tmp/fifo"
rm "$tmp/fifo"
letters="is not possible: allowed are a (floppy), c (disk), d (CD), n (network), each once, at most three"
for order in x cdna cc; do
	bad "-boot: order=$order $letters" -boot $order
done
bad "-boot: once=e $letters" -boot once=e,menu=on
bad "-boot: reboot-timeout=-2 is not possible: allowed are -1 to 65535 (milliseconds)" -boot reboot-timeout=-2
bad "-boot: splash-time=x is not possible: allowed are 0 to 65535 (milliseconds)" -boot splash-time=x
good 'once=letters' -boot help
bad "-bios /nowhere: No such file or directory; give a path, or a name in /usr/share/seabios" -bios /nowhere -net none
truncate -s 65537 "$tmp/odd"
bad "-bios $tmp/odd: it is no firmware image: allowed are files of a multiple of 64 KiB, at most 16 MiB" \
	-bios "$tmp/odd" -net none
rm "$tmp/odd"
bad "-bios bios.bin: a kernel given by -kernel starts without firmware: leave one of the two out" \
	-bios bios.bin -kernel vmlinuz
bad "-bios: -machine none has no guest: leave one of the two out" -bios bios.bin -machine none
bad "-option-rom /nowhere: No such file or directory" -option-rom /nowhere \
	-accel qtest -qtest unix:"$tmp/q",server=on,wait=off
good 'release=' -smbios help
good 'string=' -fw_cfg help
bad "-boot: -machine none has no guest: leave one of the two out" -boot n -machine none
bad "-uuid 12: allowed are 32 hexadecimal digits in groups of 8-4-4-4-12, e.g. \
6a2e3c1c-8f4b-4c1e-9d5a-0123456789ab" -uuid 12
bad "-device virtio-net-pci: bootindex=1 is given twice: each device has a number of its own" \
	-accel qtest -qtest unix:"$tmp/q",server=on,wait=off -netdev user,id=a -netdev user,id=b \
	-device virtio-net-pci,netdev=a,bootindex=1 -device virtio-net-pci,netdev=b,bootindex=1
bad "-qtest foo: unknown kind of socket; allowed: unix:PATH[,server=on|off][,wait=on|off] or fd:N" \
	-accel qtest -qtest foo -net none
bad "-net nic: PCI slot 4 for virtio-net-pci is taken by virtio-net-pci virtio-net-pci.0; free: 3, 5-31" \
	-accel qtest -qtest unix:"$tmp/q",server=on,wait=off \
	-net nic,model=virtio,addr=4 -net nic,model=virtio,addr=4
is "a refused start leaves no socket behind" "$(ls "$tmp" | grep -v err)" ""

# The probe: 0, or 1 with the reason and a remedy in one line.
timeout 10 "$vmwire" -accel kvm,probe=on 2>"$tmp/err" </dev/null
status=$?
if [ $status = 0 ]; then
	is "the KVM probe succeeds silently" "$(cat "$tmp/err")" ""
else
	like "the KVM probe fails in one line" "$status $(wc -l <"$tmp/err") $(cat "$tmp/err")" \
		'^1 1 vmwire: .*(kvm|KVM).*[;:] '
fi
timeout 10 "$vmwire" -accel kvm,device="$tmp/none",probe=on 2>"$tmp/err" </dev/null
like "the probe names a device that is not there" "$? $(cat "$tmp/err")" "^1 vmwire: .*$tmp/none"

"$vmwire" -help-markdown >"$tmp/options.md"
check "docs/reference/options.md is up to date (docs/reference/make)" \
	cmp "$tmp/options.md" "$top/docs/reference/options.md"
finish
