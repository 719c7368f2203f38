#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# limit: 240
#
# Command lines that are wrong, or ask for what vmwire does not have: exit status 1, exactly one line on stderr that
# names the option, nothing on stdout, and nothing left behind: no file, socket, interface or process.
# The table: the words | what the line must hold (a part of it), empty: the first option's name.

top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/test/tap.sh"
vmwire=${VMWIRE:-$top/build/vmwire}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir "$tmp/here"
cd "$tmp/here" || exit 1

shopt -s nullglob dotglob
state() {
	local all=(* /sys/class/net/* /run/vmwire/*)
	state=${all[*]}
}
# left: processes of vmwire that have our folder.
left() {
	local p
	for p in $(pgrep -f "^$vmwire "); do
		[ "$(readlink "/proc/$p/cwd" 2>/dev/null)" = "$tmp/here" ] && echo "$p"
	done
	:
}

# refused TEXT WORDS...
refused() {
	local want=$1 out err status
	shift
	out=$("$vmwire" "$@" 2>"$tmp/err" </dev/null)
	status=$?
	err=$(<"$tmp/err")
	state
	if [ $status = 1 ] && [ -z "$out" ] && [[ $err != *$'\n'* ]] && [[ $err == "vmwire: "*"$want"* ]] &&
		[ "$state" = "$before" ]; then
		pass "$* is refused"
	else
		fail "$* is refused" "status: $status" "stdout: $out" "stderr: $err" "want: $want" \
			"before: $before" "after: $state"
	fi
}

state
before=$state
while IFS='|' read -r words want; do
	[ -n "$words" ] && [[ $words != \#* ]] || continue
	set -f
	set -- $words
	set +f
	refused "${want:-$1}" "$@"
done <<'END'
-audio driver=pa|-audio is not there: there is no sound card; leave it out
-audiodev pa,id=a0|-audiodev is not there: there is no sound card; leave it out
-soundhw hda|-soundhw is not there: there is no sound card; leave it out
-usb|-usb is not there: there is no USB; leave it out
-usbdevice tablet|-usbdevice is not there: there is no USB; leave it out
-spice port=5900|-spice is not there: there is no SPICE; leave it out
-sdl|-sdl is not there: there is no window on this screen; leave it out
-curses|-curses is not there: there is no window on this screen; leave it out
-full-screen|-full-screen is not there: there is no window on this screen; leave it out
-no-quit|-no-quit is not there: there is no window on this screen; leave it out
-icount shift=7|-icount is not there: it belongs to QEMU's emulator, and vmwire runs guests by KVM alone; leave it out
-plugin file=x.so|-plugin is not there: it belongs to QEMU's emulator, and vmwire runs guests by KVM alone; leave it out
-singlestep|-singlestep is not there: it belongs to QEMU's emulator, and vmwire runs guests by KVM alone; leave it out
-dfilter 0x1000..0x2000|-dfilter is not there: it belongs to QEMU's emulator, and vmwire runs guests by KVM alone; leave it out
-no-kvm|-no-kvm is not there: vmwire runs guests by KVM alone; leave it out
-no-kvm-irqchip|-no-kvm-irqchip is not there: KVM and its interrupt controller are always in use; leave it out
-gdb tcp::1234|-gdb is not there: there is no debugger's stub; leave it out
-s|-s is not there: there is no debugger's stub; leave it out
-trace enable=*|-trace is not there: there are no trace events; -d help lists what the log can hold
-compat deprecated-input=reject|-compat is not there: there are no deprecated options to be strict about; leave it out
-seed 1|-seed is not there: it belongs to QEMU's emulator, and vmwire runs guests by KVM alone; leave it out
-incoming tcp:0:4444|-incoming is not there: a guest does not move between hosts; shut it down and start it there
-only-migratable|-only-migratable is not there: a guest does not move between hosts; shut it down and start it there
-preconfig|-preconfig is not there: options are given on the command line or with -readconfig; leave it out
-loadvm snap1|-loadvm is not there: a guest's state is not saved; shut it down and start it again
-balloon virtio|-balloon is not there: memory is given once, with -m; leave it out
-virtfs local,path=/srv,mount_tag=m,security_model=none|-virtfs is not there: folders are not shared; use the network, e.g. sshfs or NFS from the host
-fsdev local,id=f,path=/srv,security_model=none|-fsdev is not there: folders are not shared; use the network, e.g. sshfs or NFS from the host
-tpmdev passthrough,id=t|-tpmdev is not there: there is no TPM; leave it out
-watchdog i6300esb|-watchdog is not there: there is no watchdog; leave it out
-watchdog-action reset|-watchdog-action is not there: there is no watchdog; leave it out
-pflash OVMF.fd|-pflash is not there: there is no flash memory; leave it out
-parallel none|-parallel is not there: there is no parallel port; use -serial
-mtdblock x|-mtdblock is not there: it belongs to other machines than the PC; leave it out
-sd x|-sd is not there: it belongs to other machines than the PC; leave it out
-iscsi user=x|-iscsi is not there: iSCSI disks are the host's: log in with iscsiadm and give the block device
-numa node|-numa is not there: memory is of one node; leave it out
-mem-path /dev/hugepages|-mem-path is not there: the guest's memory is one memfd of ordinary pages, made huge as it is used; leave it out
-mem-prealloc|-mem-prealloc is not there: the guest's memory is one memfd of ordinary pages, made huge as it is used; leave it out
-overcommit mem-lock=on|-overcommit is not there: memory is not locked and CPUs are the host's to share; leave it out
-no-acpi|-no-acpi is not there: ACPI is always on: power-off and hot-plug need it; leave it out
-acpitable file=x|-acpitable is not there: no tables are added to those that vmwire makes; leave it out
-xen-domid 1|-xen-domid is not there: there is no Xen here; leave it out
-localtime|-localtime is not there: give -rtc base=localtime
-startdate now|-startdate is not there: give -rtc base=DATE, e.g. -rtc base=2026-01-31T12:00:00
-rtc-td-hack|-rtc-td-hack is not there: give -rtc driftfix=slew
-redir tcp:5555::23|-redir is not there: it is a sub-option now: give -net user,hostfwd=tcp::PORT-:PORT
-tftp /srv|-tftp is not there: it is a sub-option now: -net user,help lists those that are there
-bootp x|-bootp is not there: it is a sub-option now: -net user,help lists those that are there
-smb /srv|-smb is not there: it is a sub-option now: -net user,help lists those that are there
-chroot /var/empty|-chroot is not there: the sandbox hides the host's files (-sandbox on); leave it out, -runas drops root
-run-with user=nobody|-run-with is not there: give -runas USER for its user=; the rest is not there
-async-teardown|-async-teardown is not there: memory goes with the process; leave it out
-writeconfig x.cfg|-writeconfig is not there: QEMU dropped it: write the file by hand, -readconfig reads it
-nodefconfig|-nodefconfig is not there: it is called -no-user-config now
-add-fd fd=3,set=1|-add-fd is not there: descriptors are given where they are used, e.g. -net tap,fd=N
-set drive.0.file=x|-set is not there: give the property with the -device itself, or with -global
-prom-env x=y|-prom-env is not there: it belongs to other machines than the PC; leave it out
-dtb x.dtb|-dtb is not there: it belongs to other machines than the PC; leave it out
-portrait|-portrait is not there: there is no window on this screen; leave it out
-rotate 90|-rotate is not there: there is no window on this screen; leave it out
-alt-grab|-alt-grab is not there: there is no window on this screen; leave it out
-win2k-hack|-win2k-hack is not there: it belongs to QEMU's emulator, and vmwire runs guests by KVM alone; leave it out
-enable-sync-profile|-enable-sync-profile is not there: there is no lock profile; leave it out
-dump-vmstate x|-dump-vmstate is not there: a guest does not move between hosts; shut it down and start it there
-dry-run|-dry-run is not an option: -h lists all
-netdve user,id=n0|-netdve is not an option: did you mean -netdev? -h lists all
-daemonise|-daemonise is not an option: did you mean -daemonize? -h lists all
-pidfile|-pidfile needs a value: -h lists the options
-pidfile /nonexistent/dir/x.pid -machine none -net user|-pidfile /nonexistent/dir/x.pid: cannot be written: No such file or directory; give a file that may be made
-pidfile . -machine none -net user|-pidfile .: cannot be written: Is a directory; give a file that may be made
-pidfile /dev/null -machine none -net user|-pidfile /dev/null: is there and is no regular file: give another path
-runas nosuchuser|-runas nosuchuser: there is no such user: give a name of /etc/passwd, or UID:GID
-runas 1000|-runas 1000: there is no such user: give a name of /etc/passwd, or UID:GID
-runas 1000:|-runas 1000: is not a user: give a name, or UID:GID, e.g. 65534:65534
-runas 1000:x|-runas 1000:x is not a user: give a name, or UID:GID, e.g. 65534:65534
-D|-D needs a value: -h lists the options
-D /nonexistent/dir/log -machine none -net user|-D /nonexistent/dir/log: cannot be written: No such file or directory; give a file that may be made
-D . -machine none -net user|-D .: cannot be written: Is a directory; give a file that may be made
-d nosuch|-d nosuch: nosuch is not an item: allowed are guest_errors, cpu_reset, process, sandbox
-d cpu_resett|-d cpu_resett: cpu_resett is not an item: did you mean cpu_reset? allowed are guest_errors, cpu_reset, process, sandbox
-d guest_errors,in_asm|-d guest_errors,in_asm: in_asm is not an item: allowed are guest_errors, cpu_reset, process, sandbox
-msg timestamp=maybe|-msg: timestamp=maybe is neither on nor off: give timestamp=on or timestamp=off
-msg tiemstamp=on|-msg: tiemstamp=on is not an option: did you mean timestamp=on? Allowed: timestamp, guest-name
-msg timestamp=on,foo=1|-msg: foo=1 is not an option: allowed are timestamp, guest-name
-name x,process=abcdefghijklmnopq|-name: process=abcdefghijklmnopq: give 1 to 15 bytes
-name x,process=|-name: process=: give 1 to 15 bytes
-name x,debug-threads=off|-name: debug-threads=off is not there: threads always have names; leave it out
-name x,foo=1|-name: foo=1 is not an option: allowed are guest, process, debug-threads
-readconfig|-readconfig needs a value: -h lists the options
-readconfig nosuch.cfg|-readconfig nosuch.cfg: cannot be read: No such file or directory; give a file of options
-readconfig .|-readconfig .: is no regular file: give a file of options
-readconfig /dev/null|-readconfig /dev/null: is no regular file: give a file of options
-m 0|
-m 1G,maxmem=4G|
-smp 0|
-smp 300|
-cpu|
-machine q35|
-machine pcc|
-machine isapc|
-machine pc,usb=on|
-machine pc,foo=1|
-accel tcg|
-accel xen|
-accel kvm,thread=multi|
-enable-kvm -accel tcg|-accel tcg
-kernel nosuch -net none|
-initrd x|
-append x|
-kernel|
-serial tcp::4444|
-serial foo|
-serial stdio -monitor stdio -kernel x|
-monitor vc|
-vga qxl|
-display gtk|
-display none,foo|
-netdev user|
-netdev id=n0|
-netdev socket,id=n0,listen=:1234|
-netdev vde,id=n0|
-netdev l2tpv3,id=n0|
-netdev user,id=n0 -netdev user,id=n0 -machine none|
-net nic,model=ne2k_pci|
-net nic,model=pcnet|
-net nic,vlan=256|
-net user,vlan=x|
-net user,tftp=/srv|-net user: tftp: a TFTP server is not there yet; leave it out
-net user,smb=/srv|-net user: smb: an SMB server is not there yet; leave it out
-net user,ipv6-net=fd00::/64|-net user: ipv6-net: IPv6 is not there yet; leave it out
-net dump,file=x|-net dump is not known: did you mean -net dummy,file=x? Allowed: nic, user, tap, bridge, macvtap, nat, dummy, none
-nic user,model=e1000e|
-device virtio-blk-pci|
-device virtio-scsi-pci|
-device usb-tablet|-device usb-tablet is not there: there is no USB; leave it out
-device intel-hda|-device intel-hda is not there: there is no sound card; leave it out
-device virtio-balloon-pci|-device virtio-balloon-pci is not there: memory is given once, with -m; leave it out
-device vfio-pci,host=01:00.0|-device vfio-pci is not there: PCI devices of the host are not assigned yet; leave it out
-device e1000,mac=00|
disk.img|
-kernel vmlinuz disk.img|disk.img belongs to no option, and there is no disk image of that name; -h lists the options
-daemonize -kernel x -nographic|-nographic: -daemonize leaves the terminal
-daemonize -kernel x -serial stdio|-serial stdio: -daemonize leaves the terminal
-daemonize -kernel x -monitor stdio|-monitor stdio: -daemonize leaves the terminal
-daemonize -kernel nosuch -net none -pidfile pid -serial unix:s,server=on,wait=off|-kernel nosuch: No such file or directory
-pidfile pid -kernel nosuch -net none -D log.d/x|-D log.d/x: cannot be written
-device usb-tablet|-device usb-tablet is not there: there is no USB; leave it out
-device piix3-usb-uhci|-device piix3-usb-uhci is not there: there is no USB; leave it out
-device intel-hda|-device intel-hda is not there: there is no sound card; leave it out
-device hda-duplex|-device hda-duplex is not there: there is no sound card; leave it out
-device virtio-balloon-pci|-device virtio-balloon-pci is not there: memory is given once, with -m; leave it out
-device virtio-serial-pci|-device virtio-serial-pci is not there: there are no virtio ports
-device vhost-vsock-pci,guest-cid=3|-device vhost-vsock-pci is not there: guest and host talk by the network
-device tpm-tis|-device tpm-tis is not there: there is no TPM
-device pcie-root-port|-device pcie-root-port is not there: there is one PCI bus
-device intel-iommu|-device intel-iommu is not there: there is no IOMMU
# V4 (networking.md): more of them, word by word, in cmdline.sh
-net vlan=0,macaddr=fe:54:00:86:0d:04,model=rtl8139 ,name=eth0,addr=0x0|write: -net nic,vlan=0,macaddr=fe:54:00:86:0d:04,model=rtl8139,name=eth0
-net tap ifname=vnet0,script=/etc/qemu-ifup|write: -net tap,ifname=vnet0,script=/etc/qemu-ifup
END

# refused_file TEXT <<FILE: the same with -readconfig.
refused_file() {
	cat >"$tmp/file.cfg"
	refused "$1" -readconfig "$tmp/file.cfg" -machine none
}
refused_file 'file.cfg:3: -netdev usr is not known: did you mean -netdev user,id=n0?' <<'END'
# a network

[netdev "n0"]
  type = "usr"
END
refused_file 'file.cfg:2: "type user" is neither [section]' <<'END'
[netdev "n0"]
type user
END
refused_file 'file.cfg:1: "[netdev "n0""' <<'END'
[netdev "n0"
END
refused_file 'file.cfg:1: type= stands in no section' <<'END'
type = "user"
END
refused_file 'file.cfg:2: ""user" is neither' <<'END'
[netdev "n0"]
type = "user
END
refused_file 'file.cfg:2: -audiodev is not there: there is no sound card' <<'END'

[audiodev "a"]
driver = "none"
END
refused_file 'file.cfg:1: section [name] is empty' <<'END'
[name]
[netdev "n0"]
type = "user"
END
refused_file 'file.cfg:1: a file cannot read another' <<'END'
[readconfig]
file = "x"
END
refused_file 'file.cfg:1: -daemonize takes no value' <<'END'
[daemonize]
file = "x"
END
refused_file 'file.cfg:1: -netdev user: foo=1 is not an option' <<'END'
[netdev "n0"]
type = "user"
foo = 1
END
refused_file 'the section is longer than' <<END
[name]
guest = "$(head -c 5000 /dev/zero | tr '\0' x)"
END
head -c 2000000 /dev/zero | tr '\0' '\n' | refused_file 'is no text of at most 1 MiB'
head -c 20 /dev/zero | refused_file 'is no text of at most 1 MiB'
is "no process is left" "$(left)" ""
finish
