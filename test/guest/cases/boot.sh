#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# limit: 420
#
# A guest's life: the kernel as Debian packs it, power-off, reboot, memory size, the kernel's command line.
. "$(dirname "$0")/../lib.sh"

initrd life <<'END'
. /vw/lib
say memory "$(awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo)"
say quoted "$(grep -o 'vw.quoted=[^ ]*' /proc/cmdline)"
say clock "$(date -u +%s)"
say dmi "$(grep -c . /proc/ioports)"
END
append+=" vw.quoted=a,b=c"
kernel=$VMWIRE_TOP/build/kernel/vmlinuz
check "Debian's kernel as it is packed starts, power-off ends vmwire with 0" \
	guest life 90 -m 300 -net none
kernel=$VMWIRE_TOP/build/kernel/vmlinux
at_least "-m 300 is what the guest has" "$(said life memory)" 220
at_most "and no more" "$(said life memory)" 300
is "the kernel's command line is whole" "$(said life quoted)" vw.quoted=a,b=c
now=$(date -u +%s)
at_most "the clock is the host's" $((now - $(said life clock))) 60
at_least "and not ahead" $((now - $(said life clock))) -5

initrd again <<'END'
. /vw/lib
say turn
# Until there is an e1000.
grep -q 8086100e /proc/bus/pci/devices || reboot -f
END
guest again 60 -m 256 -net none >/dev/null
is "-no-reboot: reboot ends vmwire with 0" "$?" 0
is "after one turn" "$(grep -c 'vw: turn' "$tmp/again.log")" 1

common=("${common[@]/-no-reboot/}")
common=($(printf '%s\n' "${common[@]}" | grep .))
start again -m 256 -net none -S -no-shutdown -qmp "unix:$tmp/again.qmp,server=on,wait=off"
until [ -S "$tmp/again.qmp" ]; do nap 0.05; done
mkfifo "$tmp/again.in"
socat - "UNIX-CONNECT:$tmp/again.qmp" <"$tmp/again.in" >"$tmp/qmp.log" 2>&1 &
pids[socat]=$!
exec {qmp}>"$tmp/again.in"

# qmp COMMAND [ARGUMENTS]: sends it
qmp() { echo "{\"execute\": \"$1\"${2:+, \"arguments\": $2}}" >&"$qmp"; }
# told TEXT SECONDS: until QMP says it
told() {
	local end=$((SECONDS + $2)) text
	while IFS= read -r -d '' text <"$tmp/qmp.log"; [[ $text != *"$1"* ]]; do
		[ $SECONDS -lt $end ] || return 1
		nap 0.2
	done
}

qmp qmp_capabilities
qmp query-status
check "-S: the guest waits" told '"status": "prelaunch"' 10
nap 1
is "and its CPUs have done nothing" "$(cat "$tmp/again.log")" ""
qmp query-cpus-fast
told '"cpu-index": 0' 10
tid=$(sed -n 's/.*"thread-id": \([0-9]*\), "props".*/\1/p' "$tmp/qmp.log")
is "query-cpus-fast names the CPU's thread" "$(cat "/proc/${pids[again]}/task/$tid/comm")" cpu0
qmp human-monitor-command '{"command-line": "info registers"}'
check "info registers: where the kernel begins, in 64-bit mode" told '\r\nRIP=0000000001000000 RFL=00000002' 10
qmp cont
check "cont starts it: RESUME" told '"event": "RESUME"' 10
check "without -no-reboot the guest starts again: RESET" \
	told '"event": "RESET", "data": {"guest": true, "reason": "guest-reset"}' 60
check "in the same process" kill -0 "${pids[again]}"
qmp device_add '{"driver": "e1000", "id": "c0"}'
check "power-off, with -no-shutdown: SHUTDOWN" \
	told '"event": "SHUTDOWN", "data": {"guest": true, "reason": "guest-shutdown"}' 90
check "and STOP" told '"event": "STOP"' 10
at_least "after two turns" "$(grep -c 'vw: turn' "$tmp/again.log")" 2
qmp query-status
check "the guest stays" told '"running": false, "singlestep": false, "status": "shutdown"' 10
qmp quit
wait "${pids[again]}"
is "quit ends vmwire with 0" "$?" 0
unset "pids[again]"
finish
