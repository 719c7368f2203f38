#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# limit: 240
#
# What lab/run promises: arguments, output, exit status, folders, the time limit, and that it leaves nothing behind.
cd "$(dirname "$0")/../.." || exit 1
. test/tap.sh
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

script='for a; do printf "<%s>" "$a"; done; echo; echo error >&2; pwd
ls /dev/kvm /dev/net/tun /dev/vhost-net
for m in kvm_amd tun vhost_net bridge nf_tables; do modprobe $m && echo module $m; done
ip -br link show lo | grep -c LOWER_UP
echo left >/tmp/left-by-the-lab; mkdir -p build/lab-test; echo back >build/lab-test/file
echo again >/dev/stdout; exit 37'
lab/run -- bash -c "$script" x 'two words' "it's" '' '"q" $HOME *' $'line\nbreak' >"$tmp/out" 2>"$tmp/err"
is "the exit status comes back" $? 37
is "arguments arrive as they are" "$(head -n 2 "$tmp/out")" \
	"<two words><it's><><\"q\" \$HOME *><line"$'\n'"break>"
is "standard error comes back apart" "$(cat "$tmp/err")" error
check "the folder is the same" grep -qx "$PWD" "$tmp/out"
check "KVM is there" grep -qx /dev/kvm "$tmp/out"
is "modules load" "$(grep -c '^module' "$tmp/out")" 5
check "the loopback is up" grep -qx 1 "$tmp/out"
check "/dev/stdout can be opened anew" grep -qx again "$tmp/out"
is "files in build come back" "$(cat build/lab-test/file)" back
check "files elsewhere do not" test ! -e /tmp/left-by-the-lab
rm -rf build/lab-test

is "a lot of output comes back whole" "$(lab/run -- head -c 20000000 /dev/zero | wc -c)" 20000000
is "standard input is passed on with -i" "$(echo 'from outside' | lab/run -i -- cat)" "from outside"

lab/run -t 2 -- sleep 60 2>"$tmp/err"
is "the time limit ends it with 124" $? 124
like "and says so" "$(cat "$tmp/err")" "time limit of 2 s"

lab/run -- sh -c 'echo ready; sleep 60' >"$tmp/out" 2>&1 &
pid=$!
for ((i = 0; i < 300; i++)); do
	grep -q ready "$tmp/out" && break
	sleep 0.1
done
qemu=$(pgrep -P $pid qemu)
kill -KILL $pid
sleep 0.5
check "the lab ran an emulator" test -n "$qemu"
check "kill -9 of lab/run ends it" sh -c "! grep -q '^State:[[:space:]]*[RSD]' /proc/$qemu/status 2>/dev/null"

lab/run -t 0 -- true 2>"$tmp/err"
is "a bad option is refused" "$?" 125
like "with what is wrong" "$(cat "$tmp/err")" "-t 0: wants a whole number"
finish
