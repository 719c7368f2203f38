#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# limit: 420
#
# What a newcomer does: make run, and a guest by lab/run with a command line of his own.
cd "$(dirname "$0")/../.." || exit 1
. test/tap.sh
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

make run </dev/null >"$tmp/out" 2>"$tmp/err"
is "make run exits 0" $? 0
sed 's/^/# /' "$tmp/out" "$tmp/err"
is "its last line" "$(tail -n 1 "$tmp/out")" "guest network: OK"
for row in "driver *ok *virtio_net" "address by DHCP *ok *10.0.2.15" "ping of the gateway *ok" \
	"a name resolved *ok" "64 MiB by HTTP *ok" "its SHA-256 *ok" "connection from the host *ok"; do
	check "it shows: ${row%% \**}" grep -q "^$row" "$tmp/out"
done
check "no colours outside a terminal" sh -c "! grep -q $'\e' '$tmp/out'"

lab/run -- "${VMWIRE:-build/vmwire}" -m 256 -smp 2 -kernel build/kernel/vmlinux -initrd build/guest/kit.cpio \
	-append "console=ttyS0 quiet vw.run=findings" -net nic,model=virtio -net user -nographic -no-reboot \
	$([[ ${VMWIRE:-} != *qemu* ]] || echo -accel kvm -cpu host) >"$tmp/out" 2>"$tmp/err"
is "a guest by lab/run exits 0" $? 0
check "its console comes back" grep -q "vw: driver ok virtio_net" "$tmp/out"
finish
