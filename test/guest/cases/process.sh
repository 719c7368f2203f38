#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# limit: 180
#
# A guest in the background, as another user, with its network from a file, in the sandbox; SIGTERM lets it shut down.
. "$(dirname "$0")/../lib.sh"
if is_qemu; then
	skip "the process" "QEMU's is another"
	finish
fi

mkdir -p "$tmp/web.d/modules"
cp "$VMWIRE_TOP"/build/kernel/lib/modules/*/kernel/drivers/acpi/button.ko "$tmp/web.d/modules/"
initrd web <<'END'
. /vw/lib
insmod /modules/button.ko
dhcp
ping -c 2 -i 0.2 10.0.2.2 >/dev/null && say ping gateway
cd /sys/devices/system/cpu
say cpus $(for c in cpu[0-9]; do echo "$(cat $c/topology/physical_package_id)/$(cat $c/topology/thread_siblings_list)"; done)
say ready
while grep -q '^ *0 ' /sys/firmware/acpi/interrupts/ff_pwr_btn; do sleep 0.2; done
say pressed
END
cat >"$tmp/net.cfg" <<'END'
[netdev "n0"]
  type = "user"
[device "card0"]
  driver = "virtio-net-pci"
  netdev = "n0"
END
chmod 755 "$tmp"
mkdir -m 777 "$tmp/run"
"$vmwire" -daemonize -pidfile "$tmp/run/pid" -runas 65534:65534 -name web,process=vm-web -D "$tmp/web.err" -d process,sandbox \
	-readconfig "$tmp/net.cfg" -m 256 -smp 4,sockets=2,cores=2 -kernel "$kernel" -initrd "$tmp/web.cpio" -append "$append" \
	-serial file:"$tmp/web.log" -monitor unix:"$tmp/run/mon",server=on,wait=off 2>"$tmp/start.err"
is "-daemonize returns 0 when the guest runs" $? 0
pid=$(cat "$tmp/run/pid")
pids[web]=$pid
is "-pidfile has the process" "$(cat "/proc/$pid/comm")" vm-web
check "the guest gets to its end" await web "vw: ready" 90
is "its network is the file's" "$(said web ping)" gateway
is "-smp: the guest sees two sockets of two cores" "$(said web cpus)" "0/0 0/1 1/2 1/3"
status() { sed -n "s/^$1:[[:space:]]*//p" /proc/"$pid"/task/*/status | sort -u; }
is "-runas: every thread is the user" "$(status Uid | tr '\t' ' ')" "65534 65534 65534 65534"
is "without a capability" "$(status CapEff)" 0000000000000000
is "every thread is in the sandbox" "$(status Seccomp) $(status NoNewPrivs)" "2 1"
# Of its own kind on top of the one that all have.
for name in cpu0 cpu3 gather n0/0; do
	for task in /proc/"$pid"/task/*; do
		[ "$(cat "$task/comm")" != "$name" ] ||
			is "thread $name has a filter of its own" "$(sed -n 's/^Seccomp_filters:[[:space:]]*//p' "$task/status")" 2
	done
done
info=$( (echo info sandbox; nap 0.5) | socat - UNIX-CONNECT:"$tmp/run/mon")
like "info sandbox tells it" "$info" 'sandbox:\ on;\ files:\ (Landlock|by).*cpu0\ +2\ filters'
echo "# $(grep -o 'files: .*' <<<"$info")"
kill -TERM "$pid"
for ((i = 0; i < 150; i++)); do
	kill -0 "$pid" 2>/dev/null || break
	nap 0.2
done
check "SIGTERM ends it" test $i -lt 150
unset "pids[web]"
check "after the guest has seen its power button, and shut down" grep -q "vw: pressed" "$tmp/web.log"
like "the log tells" "$(cat "$tmp/web.err")" 'signal\ 15\ \(Terminated\):\ the\ guest\ shuts\ down'
is "nothing is left behind" "$(ls "$tmp/run"; pgrep vmwire-run)" ""
finish
