#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# limit: 480
#
# A driver gone mad cannot harm vmwire: random registers and descriptors, under the address sanitizer; afterwards a good
# driver gets the card to work again. SCRAMBLE=60 makes it 60 s for each card; SEED=N repeats a run.
. "$(dirname "$0")/../lib.sh"

[ ! -x "$VMWIRE_TOP/build/asan/vmwire" ] || vmwire=$VMWIRE_TOP/build/asan/vmwire
export ASAN_OPTIONS=abort_on_error=1:detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
seconds=${SCRAMBLE:-5} seed=${SEED:-$(date +%s)}
echo "# $vmwire, $seconds s each, SEED=$seed"

initrd mad tools <<END
. /vw/lib
card=\$(basename "\$(readlink -f /sys/class/net/eth0/device)")
# A virtio card's driver is bound to a device on the card.
case \$card in virtio*) card=\$(basename "\$(readlink -f /sys/class/net/eth0/device/..)") ;; esac
driver=\$(readlink -f "/sys/bus/pci/devices/\$card/driver")
dhcp
say before "\$(address)"
ip link set eth0 down
# Off by itself in a guest this small.
echo always >/sys/kernel/mm/transparent_hugepage/enabled
echo "\$card" >"\$driver/unbind"
say mad "\$(scramble "\$card" $seconds $seed 2>&1 || echo "status \$?")"
echo "\$card" >"\$driver/bind"
sleep 1
dhcp
say after "\$(address)"
END

models=$("$vmwire" -net nic,model=? 2>&1)
for model in virtio e1000 rtl8139; do
	grep -qw "$model" <<<"$models" || continue
	cp "$tmp/mad.cpio" "$tmp/$model.cpio"
	check "$model: the guest ends well" guest "$model" $((120 + seconds * 2)) -m 256 -net nic,model=$model -net user
	is "$model: an address before" "$(said "$model" before)" 10.0.2.15
	like "$model: it was mad" "$(said "$model" mad)" "^[0-9]+ registers written, [0-9]+ read"
	is "$model: an address afterwards" "$(said "$model" after)" 10.0.2.15
	check "$model: no complaint of a sanitizer" bash -c "! grep -E 'Sanitizer|runtime error' '$tmp/$model.err'"
	said "$model" mad | sed 's/^/# /'
done
finish
