#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# limit: 120
#
# The accelerator's own tests on real KVM: two processors by INIT/SIPI, irqfd, ioeventfd, pause under load, resets.
. "$(dirname "$0")/../../tap.sh"
top=$(cd "$(dirname "$0")/../../.." && pwd)

check "the probe finds KVM usable" "$top/build/vmwire" -accel kvm,probe=on
check "accel/kvm passes and is not skipped" "$top/build/test/unit-accel-kvm"
finish
