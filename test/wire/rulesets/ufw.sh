#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# A host with ufw enabled, `default deny (incoming), deny (routed)`, by iptables-nft: chains and their order as ufw has
# them, with one rule of the user's, that lets SSH in.
set -e
for tables in iptables ip6tables; do
	u=ufw
	[ $tables = iptables ] || u=ufw6
	for hook in input forward output; do
		for step in before after user; do
			case $step in
			user) $tables -N $u-user-$hook ;;
			*) $tables -N $u-$step-$hook ;;
			esac
		done
		$tables -N $u-before-logging-$hook
		$tables -N $u-reject-$hook
	done
	$tables -N $u-not-local
	$tables -N $u-skip-to-policy-input
	$tables -P INPUT DROP
	$tables -P FORWARD DROP
	for hook in input forward output; do
		up=$(echo $hook | tr a-z A-Z)
		$tables -A $up -j $u-before-logging-$hook
		$tables -A $up -j $u-before-$hook
		$tables -A $up -j $u-after-$hook
		$tables -A $up -j $u-reject-$hook
	done
	$tables -A $u-before-input -i lo -j ACCEPT
	$tables -A $u-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
	$tables -A $u-before-input -m conntrack --ctstate INVALID -j DROP
	$tables -A $u-before-input -p udp --sport 67 --dport 68 -j ACCEPT
	$tables -A $u-before-input -j $u-not-local
	$tables -A $u-before-input -j $u-user-input
	$tables -A $u-not-local -m addrtype --dst-type LOCAL -j RETURN
	$tables -A $u-not-local -m limit --limit 3/min --limit-burst 10 -j LOG --log-prefix "[UFW BLOCK] "
	$tables -A $u-user-input -p tcp --dport 22 -j ACCEPT
	$tables -A $u-after-input -p udp --dport 137 -j $u-skip-to-policy-input
	$tables -A $u-skip-to-policy-input -j DROP
	$tables -A $u-before-forward -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
	$tables -A $u-before-forward -j $u-user-forward
	$tables -A $u-before-output -o lo -j ACCEPT
	$tables -A $u-before-output -j $u-user-output
done
iptables -A ufw-before-input -d 224.0.0.251/32 -p udp --dport 5353 -j ACCEPT
