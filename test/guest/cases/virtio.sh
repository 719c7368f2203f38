#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# limit: 300
#
# virtio with Linux' own driver: see card.sh. What the driver makes of rings and interrupts is in cards.sh.
. "$(dirname "$0")/../card.sh"

model=virtio-net-pci driver=virtio_net mtu=9000
offloads="tx sg tso gso gro" fixed="rx"
card_test
finish
