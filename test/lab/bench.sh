#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# limit: 600
# alone
#
# vmwire beside QEMU, a shorter `make bench`: start to init at most QEMU's (ELF kernel), user network at least 5 times out, twice in.
cd "$(dirname "$0")/../.." || exit 1
. test/tap.sh

report() { "$@" 2>&1 | sed 's/^/# /'; return "${PIPESTATUS[0]}"; }
check "start to init, median of five pairs" report test/perf/run -n 5 elf
check "user network, median of three pairs" report test/perf/run -n 3 user
finish
