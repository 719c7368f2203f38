#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# limit: 240
#
# An idle guest costs next to nothing: under 1 % of a processor with all that the guest's kernel does for itself, and
# vmwire's own threads under 0.1 %. Its memory is in huge pages.
. "$(dirname "$0")/../lib.sh"

initrd idle <<'END'
. /vw/lib
dhcp
say idle "$(address)"
sleep 100
END
start idle -m 256 -net nic,model=virtio -net user
check "the guest is up" await idle "vw: idle 10.0.2.15" 150
sleep 4
# Of three times 10 s the quietest: what else this machine does can only add.
least=1000000
for i in 1 2 3; do
	read -r vcpus others < <(busy "${pids[idle]}")
	sleep 10
	read -r vcpus_after others_after < <(busy "${pids[idle]}")
	vcpus=$((vcpus_after - vcpus)) others=$((others_after - others))
	echo "# in 10 s: vCPU threads $vcpus ms, all other threads $others ms"
	((vcpus + others >= least)) || least=$((vcpus + others)) own=$others
done
at_most "10 s with an idle guest take at most 100 ms of a processor" $least 100
at_most "of these vmwire's own threads at most 10 ms" "$own" 10
rss=0 huge=0
read -r rss huge < <(awk '/guest-ram/ { on = 1 } on && /^Rss:/ { r = $2 } on && /^ShmemPmdMapped:/ { print r, $2; exit }' \
	"/proc/${pids[idle]}/smaps")
echo "# guest memory in use: $rss KiB, of it in huge pages: $huge KiB"
at_least "at least 95 % of the guest's memory is in huge pages" $((huge * 100 / (rss + 1))) 95
finish
