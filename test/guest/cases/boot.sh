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
reboot -f
END
guest again 60 -m 256 -net none >/dev/null
is "-no-reboot: reboot ends vmwire with 0" "$?" 0
is "after one turn" "$(grep -c 'vw: turn' "$tmp/again.log")" 1

common=("${common[@]/-no-reboot/}")
common=($(printf '%s\n' "${common[@]}" | grep .))
start again -m 256 -net none
turns() { [ "$(grep -c 'vw: turn' "$tmp/again.log")" -ge 2 ]; }
for ((i = 0; i < 300; i++)); do
	turns && break
	nap 0.2
done
check "without it the guest starts again" turns
check "in the same process" kill -0 "${pids[again]}"
stop again
finish
