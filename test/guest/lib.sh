# SPDX-License-Identifier: BSD-2-Clause
#
# For guest tests; they run in the lab and source this first. See README.md for a test's shape.
#
#	initrd NAME [tools] <<'END' ... END	an initramfs whose guest runs this script
#	guest NAME SECONDS ARG...		run a guest to its end
#	start NAME ARG...			run a guest in the background: ${pids[NAME]}
#	await NAME TEXT SECONDS			until its console shows TEXT
#	said NAME KEY				what it said: the rest of its lines "vw: KEY ..."
#	stop NAME				end it
#	host NAME COMMAND...			a program on the host's side; memory, files, ticks PID: what one uses
#	new_tap NAME ADDRESS			a TAP with that address
# The console of NAME is in $tmp/NAME.log. Card and network come from the ARGs.

. "${VMWIRE_TOP:=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}/test/tap.sh"
vmwire=${VMWIRE:-$VMWIRE_TOP/build/vmwire}
kernel=$VMWIRE_TOP/build/kernel/vmlinux
kit=$VMWIRE_TOP/build/guest
tmp=$(mktemp -d)
declare -A pids=()
as=() # how vmwire is run, options of setpriv: --reuid 65534 ...
trap 'exec 2>/dev/null; for p in "${pids[@]}"; do kill -KILL "$p" 2>/dev/null; done; rm -rf "$tmp"' EXIT

is_qemu() { [[ ${vmwire##*/} == qemu* ]]; }

# The same for every guest. QEMU stands in for vmwire where a test is tried out.
common=(-nographic -no-reboot)
! is_qemu || common+=(-accel kvm -cpu host -vga none -global virtio-net-pci.romfile=)
# What every kernel is told; quiet and fast.
append="console=ttyS0 quiet panic=-1 mitigations=off nopti tsc=reliable no_timer_check rodata=off"

# What the sandbox refuses is a call that somebody forgot.
eval "tap_$(declare -f finish)"
finish() {
	is_qemu || is "the sandbox refused nothing" "$(cat "$tmp"/*.err 2>/dev/null | grep 'may not call' | sort -u)" ""
	tap_finish
}

initrd() {
	mkdir -p "$tmp/$1.d"
	cat >"$tmp/$1.d/test.sh"
	(cd "$tmp/$1.d" && find . | cpio -o -H newc --quiet) >"$tmp/$1.extra"
	cat "$kit/kit.cpio" ${2:+"$kit/$2.cpio"} "$tmp/$1.extra" >"$tmp/$1.cpio"
}

# launch NAME ARG...: becomes vmwire.
launch() {
	local name=$1
	shift
	exec setpriv --pdeathsig KILL "${as[@]}" "$vmwire" "${common[@]}" -kernel "$kernel" -initrd "$tmp/$name.cpio" \
		-append "$append" "$@" </dev/null >"$tmp/$name.log" 2>"$tmp/$name.err"
}

start() {
	: >"$tmp/$1.log"
	(launch "$@") &
	pids[$1]=$!
}

guest() {
	local name=$1 seconds=$2 clock first status
	shift 2
	start "$name" "$@"
	setpriv --pdeathsig KILL sleep "$seconds" &
	clock=$!
	wait -n -p first "${pids[$name]}" $clock
	status=$?
	kill -KILL $clock 2>/dev/null
	wait $clock 2>/dev/null
	if [ "$first" = $clock ]; then
		echo "# guest $name: no end within $seconds s"
		show "$name"
		stop "$name"
		return 124
	fi
	unset "pids[$name]"
	[ $status = 0 ] && grep -q '^vw: status 0' "$tmp/$name.log" || show "$name"
	return $status
}

# nap SECONDS: sleeps without a process. The lab has one slow processor, and a new program costs a guest more of it than
# the guest's network does.
exec {never}<> <(:)
nap() { read -r -t "$1" -u "$never" || :; }

show() {
	tail -n 15 "$tmp/$1.log" | sed 's/^/# console: /'
	sed 's/^/# stderr: /' "$tmp/$1.err"
}

await() {
	local end=$((SECONDS + $3)) text
	while IFS= read -r -d '' text <"$tmp/$1.log"; [[ $text != *"$2"* ]]; do
		if [ $SECONDS -ge $end ] || ! kill -0 "${pids[$1]}" 2>/dev/null; then
			echo "# guest $1 did not show: $2"
			show "$1"
			return 1
		fi
		nap 0.2
	done
}

said() { tr -d '\r' <"$tmp/$1.log" | sed -n "s/^.*vw: $2 //p"; }

# host NAME COMMAND...: a program of the host's side, until the test ends.
host() {
	local name=$1
	shift
	setpriv --pdeathsig KILL "$@" </dev/null >"$tmp/host-$name.log" 2>&1 &
	pids[host-$name]=$!
}

# memory PID: resident set without what is shared (the guest's own memory), kB; files PID: open descriptors.
memory() { awk '/^RssAnon:/ { print $2 }' "/proc/$1/status"; }
files() { ls "/proc/$1/fd" | wc -l; }

# busy PID: processor time in ms, exactly: of its vCPU threads (the guest's instructions with them), of all its others.
busy() {
	local task vcpus=0 others=0 name time _
	for task in /proc/"$1"/task/*; do
		read -r name <"$task/comm"
		read -r time _ <"$task/schedstat"
		if [[ $name == cpu* ]]; then vcpus=$((vcpus + time)); else others=$((others + time)); fi
	done
	echo $((vcpus / 1000000)) $((others / 1000000))
}

# new_tap NAME ADDRESS: a TAP of the host's; one that a test before this has left goes.
new_tap() {
	ip link del "$1" 2>/dev/null
	ip tuntap add dev "$1" mode tap
	ip addr add "$2" dev "$1"
	ip link set "$1" up
}

stop() {
	kill -KILL "${pids[$1]}" 2>/dev/null
	wait "${pids[$1]}" 2>/dev/null
	unset "pids[$1]"
}
