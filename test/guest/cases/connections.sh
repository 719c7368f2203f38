#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# limit: 540
#
# Many connections leave nothing behind; a guest that stops reading slows its sender; kill -9 leaves nothing.
. "$(dirname "$0")/../lib.sh"

initrd many tools <<'END'
. /vw/lib
dhcp
step() { say ready "$1"; read -r go </dev/ttyS0; }
# A first round, so that what is allocated once is there.
conns after 10.0.2.2 9000 50 >/dev/null
conns at-once 10.0.2.2 9000 1000 >/dev/null
sleep 3
step before
say after "$(conns after 10.0.2.2 9000 10000)"
say at-once "$(conns at-once 10.0.2.2 9000 1000)"
sleep 3
step counted
# Accept, read nothing.
nc -l -p 7000 -e /bin/sleep 1000 &
nap 0.5
step slow
END

host echo "$kit/conns" serve 127.0.0.1 9000
mkfifo "$tmp/in"
# The guest waits at its console between the steps.
exec 7<>"$tmp/in"
(
	setpriv --pdeathsig KILL "$vmwire" "${common[@]}" -kernel "$kernel" -initrd "$tmp/many.cpio" \
		-append "$append" -m 256 -net nic,model=virtio -net user,hostfwd=tcp:127.0.0.1:8000-:7000 \
		<"$tmp/in" >"$tmp/many.log" 2>"$tmp/many.err" 7<&- &
	echo $! >"$tmp/pid"
	wait
) &
pids[many]=$!
until [ -s "$tmp/pid" ]; do nap 0.1; done
pid=$(cat "$tmp/pid")
pids[vm]=$pid

check "the guest is up" await many "vw: ready before" 180
files_before=$(files "$pid") memory_before=$(memory "$pid")
echo >&7
check "the connections end" await many "vw: ready counted" 240
is "10,000 connections one after another" "$(said many after)" 10000
is "1,000 connections at once" "$(said many at-once)" 1000
is "no descriptor is left" "$(files "$pid")" "$files_before"
memory_after=$(memory "$pid")
echo "# memory: $memory_before kB before, $memory_after kB after"
at_most "no memory is left, within 512 kB" $((memory_after - memory_before)) 512

echo >&7
check "the guest listens" await many "vw: ready slow" 60
memory_before=$(memory "$pid")
sent=$("$kit/conns" flood 127.0.0.1 8000 8)
memory_after=$(memory "$pid")
echo "# the sender got rid of $sent bytes; memory: $memory_before kB before, $memory_after kB after"
at_least "a guest that does not read gets something" "$sent" 1
# What may be on the way: the sockets' buffers of both kernels, no more.
at_most "its sender is slowed" "$sent" 33554432
at_most "memory does not grow, within 512 kB" $((memory_after - memory_before)) 512

is "it has no helper processes but the one of the sandbox" "$(pgrep -lP "$pid" | cut -d' ' -f2)" vmwire-run
kill -KILL "$pid"
nap 0.5
check "kill -9: it is gone" sh -c "! grep -q '^State:[[:space:]]*[RSD]' /proc/$pid/status 2>/dev/null"
check "and its port is free" sh -c '! busybox nc -w 1 127.0.0.1 8000 </dev/null 2>/dev/null'
finish
