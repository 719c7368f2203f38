#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# limit: 300
#
# rtl8139 with cplus=off, an RTL8139C (revision 0x10), with 8139too, which leaves the other chip to 8139cp: see card.sh.
. "$(dirname "$0")/../card.sh"

model=rtl8139,cplus=off driver=8139too
offloads="gso gro" fixed="tx sg"
# Each packet is several exits in this mode.
mib=8 less=4
extra='say revision "$(cat /sys/class/net/eth0/device/revision)"'
card_test
is "revision" "$(said card revision)" 0x10
finish
