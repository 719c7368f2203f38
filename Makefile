# SPDX-License-Identifier: BSD-2-Clause
#
# make		build/vmwire
# make run	a guest with a network: what it finds, and on a terminal a shell in it
# make test	all tests
# make bench	vmwire beside QEMU
# make clean	remove what was built; `make distclean` also what was downloaded
#
# Each does its own set-up (tools/setup: packages by apt, Debian's kernel under build/).

SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
.DEFAULT_GOAL := all
.PHONY: all kit run test bench clean distclean
MAKEFLAGS += --no-print-directory

all:
	@tools/setup build
	@test -e build/build.ninja || meson setup build >build/meson-setup.log || \
		{ cat build/meson-setup.log; exit 1; }
	@ninja -C build $(if $(V),-v) | sed -u -e '/no work to do/d' -e '/Entering directory/d'

kit:
	@test/guest/kit/build

run: all kit
	@share/demo/run

test:
	@tools/setup test
	@test/run $(SUITES)

bench: all kit
	@test/perf/run

clean:
	@test ! -e build/build.ninja || ninja -C build -t clean
	@rm -rf build/asan build/fuzz build/guest build/lab build/demo

distclean:
	@rm -rf build
