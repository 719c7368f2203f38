#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# limit: 300
#
# rtl8139, an RTL8139C+ (revision 0x20), with 8139cp: see card.sh; and what is in its EEPROM.
. "$(dirname "$0")/../card.sh"

model=rtl8139 driver=8139cp mtu=4096
offloads="rx tx sg tso gso gro rxvlan txvlan"
extra='say revision "$(cat /sys/class/net/eth0/device/revision)"
say macaddr "$(cat /sys/class/net/eth0/address)"'
card_test
is "revision" "$(said card revision)" 0x20
is "mac= is what the driver found in the EEPROM" "$(said card macaddr)" 52:54:00:aa:bb:cc
finish
