#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# limit: 240
#
# An idle guest costs next to nothing: vmwire's own threads use under 0.1 % of a processor.
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
read -r vcpus others < <(busy "${pids[idle]}")
sleep 20
read -r vcpus_after others_after < <(busy "${pids[idle]}")
vcpus=$((vcpus_after - vcpus)) others=$((others_after - others))
echo "# in 20 s: vCPU threads $vcpus ms, all other threads $others ms"
at_most "20 s beside an idle guest take vmwire's threads at most 20 ms" "$others" 20
# The guest's kernel wakes some 6 times a second for timers of its own, and on this emulated host each costs 2 ms.
at_most "with the vCPU's at most 400 ms" $((vcpus + others)) 400
finish
