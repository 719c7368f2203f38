#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# limit: 300
#
# e1000 with Linux' own driver: see card.sh; and what its PHY tells.
. "$(dirname "$0")/../card.sh"

model=e1000 driver=e1000 mtu=9000
offloads="rx tx sg tso gso gro rxvlan txvlan"
extra='say speed "$(ethtool eth0 | sed -n "s/^.*\(Speed\|Duplex\): //p" | tr "\n" " ")"
say selftest "$(ethtool -t eth0 online 2>&1 | sed -n "s/^The test result is //p")"'
card_test
is "the link's speed" "$(said card speed | tr -s ' ')" "1000Mb/s Full "
is "the driver's self-test" "$(said card selftest)" PASS
finish
