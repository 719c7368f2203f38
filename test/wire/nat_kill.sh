#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# limit: 120
#
# -net nat when its processes die (M2): 50 times one of them is killed, each kind in turn, and the network is whole again
# by itself or with the next start; then nothing of it is left, and nothing has grown.

set -u
cd "$(dirname "$0")/../.." || exit 1
. test/tap.sh
vmwire=${VMWIRE:-$PWD/build/vmwire}
. test/wire/nat-lib.sh

# up NAME: a guest's process, without a guest
up() {
	ports=$((ports + 1))
	"$vmwire" -machine none -name "$1" -net nat,hostfwd="tcp::$((8000 + ports))-192.168.122.9:80" 2>>"$dir/err" &
	pids[$1]=$!
}
ports=0
down() {
	kill "-$2" "${pids[$1]}" && wait "${pids[$1]}" 2>/dev/null
	unset "pids[$1]"
}

# whole N: N guests on the bridge, one holder, one dnsmasq that listens, all tables
whole() {
	[ "$(ip -br link show master vmwire0 2>/dev/null | grep -c '^tap.*UP\|^tap.*UNKNOWN')" = "$1" ] &&
		[ "$(pids_of vmwire-nat | wc -l) $(pids_of dnsmasq | wc -l)" = "1 1" ] &&
		[ "$(nft list tables | grep -c vmwire-)" = $((1 + 2 * $1)) ] &&
		ss -Hlun 'sport = :53' | grep -q 192.168.122.1: &&
		ss -Hlxn | grep -q /run/vmwire/
}

bad=
stale=
up a
await whole 1
up b
await whole 2
check "two guests, one network" whole 2
for ((round = 0; round < 50; round++)); do
	case $((round % 5)) in
	0) kill -KILL $(pids_of dnsmasq) ;;
	1) kill -KILL $(pids_of vmwire-nat) ;;
	2) kill -KILL $(pids_of vmwire-nat) $(pids_of dnsmasq) ;;
	3) # a guest, and its successor at once
		down a KILL
		up a
		;;
	4) # everything; a start finds a bridge, files, switches, and no process
		kill -KILL "${pids[a]}" "${pids[b]}" $(helpers)
		wait "${pids[a]}" "${pids[b]}" 2>/dev/null
		await sh -c '! ip -br link | grep -q ^tap'
		up a
		await whole 1 || stale="$stale round $round: alone;"
		up b
		;;
	esac
	await whole 2 || bad="$bad round $round;"
done
is "whole again after each of 50 kills" "$bad" ""
is "and after all at once, with the next start alone" "$stale" ""
kill -KILL $(pids_of vmwire-nat)
await whole 2
down a TERM
await whole 1
check "the guest that is left has its network" whole 1
down b TERM
gone "after the last guest's end nothing is left"
up a
await whole 1
kill -KILL "${pids[a]}" $(helpers)
wait "${pids[a]}" 2>/dev/null
unset "pids[a]"
"$vmwire" -machine none -net nat,br=other 2>>"$dir/err" &
pids[c]=$!
await sh -c 'ip -br link show master other | grep -q tap'
is "what a network left behind is cleared by the start of another" "$(ip -br link | grep -c vmwire0; ls /run/vmwire | grep -c vmwire0)" "0
0"
down c TERM
gone "and that one's end leaves nothing"
is "only what died is complained of" "$(grep -vE 'no nics|dnsmasq was ended by signal 9|ended by signal 15' "$dir/err" | sort | uniq -c)" ""
finish
