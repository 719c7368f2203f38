#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# limit: 120
#
# -net nat beside other firewalls (H5): the rule that drops a guest's packets is named with a remedy that helps, and with
# firewall=adjust it works, and nothing of ours stays in their chains.

set -u
cd "$(dirname "$0")/../.." || exit 1
. test/tap.sh
vmwire=${VMWIRE:-$PWD/build/vmwire}
. test/wire/nat-lib.sh
serve net TCP4-LISTEN:80,fork,reuseaddr SYSTEM:'echo $SOCAT_PEERADDR'
if ! command -v iptables-nft >/dev/null; then
	skip "other firewalls" "needs iptables"
	finish
fi

rules() { nft list ruleset 2>/dev/null | sed 's/packets [0-9]* bytes [0-9]*//'; }
load() { case $1 in *.sh) "test/wire/rulesets/$1" 2>/dev/null ;; *) nft -f "test/wire/rulesets/$1" ;; esac; }

# one FILE WANTED-WORDS ALLOWS-DHCP REMEDY: the report, what happens without help, the remedy, and firewall=adjust
one() {
	local name=${1%.*} before
	nft flush ruleset
	load "$1"
	before=$(rules)
	guest a 52:54:00:00:0e:01 nat
	like "$name: the rule is named" "$(cat "$dir/a.err")" "$2"
	like "$name: and a remedy" "$(cat "$dir/a.err")" "$3"
	like "$name: it really drops" "$(dhcp a && in_ns a fetch 198.51.100.2 80 || echo dropped)" dropped
	stop a
	await nothing_left
	guest a 52:54:00:00:0e:01 nat,firewall=adjust,hostfwd=tcp::2222-:22
	serve a TCP4-LISTEN:22,fork,reuseaddr SYSTEM:'echo a22'
	is "$name: firewall=adjust complains of nothing" "$(cat "$dir/a.err")" ""
	check "$name: and guests reach the outside" dhcp a
	is "$name: by the host's address" "$(in_ns a fetch 198.51.100.2 80)" 198.51.100.1
	is "$name: forwards work" "$(ip netns exec net fetch 198.51.100.1 2222)" a22
	refused "$name: and no more than that" ip netns exec net fetch "$(address a)" 22
	[[ $1 != *.sh ]] || check "$name: iptables still reads its table" quietly iptables -S
	stop a
	await nothing_left
	is "$name: nothing of ours stays in its rules" "$(rules)" "$before"
}

one docker.sh 'to the outside are dropped by the host.s firewall of Docker: table ip filter, chain FORWARD, policy drop' \
	'iptables -I DOCKER-USER -i vmwire0 -j ACCEPT; iptables -I DOCKER-USER -o vmwire0 -j ACCEPT; or give firewall=adjust'
one firewalld.nft 'firewall of firewalld: table inet firewalld, chain filter_FWD_public, rule with handle [0-9]+ \(reject\)' \
	'firewall-cmd --zone=trusted --add-interface=vmwire0'
one ufw.sh 'DHCP\) (are|may be) dropped by the host.s firewall of ufw: table ip filter, chain INPUT, policy drop' \
	'ufw route allow in on vmwire0; ufw route allow out on vmwire0'
one plain.nft 'table inet filter, chain checks, rule with handle [0-9]+ \(drop\)' \
	'nft insert rule inet filter forward iifname vmwire0 accept'

# --- the remedies as printed
nft flush ruleset
load docker.sh
guest a 52:54:00:00:0e:01 nat
sed -n 's/.*through: \(iptables.*\); or give.*/\1/p' "$dir/a.err" | sh
check "docker: what is printed helps" dhcp a
is "docker: indeed" "$(in_ns a fetch 198.51.100.2 80)" 198.51.100.1
stop a
nft flush ruleset
load plain.nft
guest a 52:54:00:00:0e:01 nat
sed -n 's/.*through: \(nft.*\); or give.*/\1/p' "$dir/a.err" | sh
check "plain: what is printed helps" dhcp a
is "plain: indeed" "$(in_ns a fetch 198.51.100.2 80)" 198.51.100.1
stop a
nft flush ruleset

# --- a firewall that comes while the network is there
guest a 52:54:00:00:0e:01 nat
guest b 52:54:00:00:0e:02 nat
load docker.sh
await grep -q 'of Docker' "$dir/b.err"
like "a firewall that comes later is noticed" "$(cat "$dir/b.err")" 'of Docker: table ip filter, chain FORWARD'
stop a
stop b
nft flush ruleset
guest a 52:54:00:00:0e:01 nat,firewall=adjust
dhcp a
load docker.sh
await sh -c 'nft list chain ip filter DOCKER-USER | grep -q vmwire:'
is "and adjusted" "$(in_ns a fetch 198.51.100.2 80)" 198.51.100.1
kill -KILL "${pids[a]}" $(helpers)
wait "${pids[a]}" 2>/dev/null
unset "pids[a]"
ip netns del a
"$vmwire" -machine none -net nat 2>"$dir/c.err" &
pids[c]=$!
await grep -q Docker "$dir/c.err"
is "rules that a killed network has left go with the next start" "$(nft list ruleset | grep -c vmwire:)" 0
kill "${pids[c]}"
wait "${pids[c]}"
unset "pids[c]"
# Docker has a masquerade of its own by now.
await sh -c '[ ! -e /run/vmwire/vmwire0* ]'
is "forwarding stays on for somebody else who needs it" "$(helpers; cat /proc/sys/net/ipv4/ip_forward)" 1
finish
