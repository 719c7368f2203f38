#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# limit: 120
#
# The user-mode network against a real kernel as guest: a network namespace behind a TAP (usertap),
# the sockets in another namespace that plays the host. Rows M3, D1.

set -u
cd "$(dirname "$0")/../.." || exit 1
. test/tap.sh
usertap=${VMWIRE_TOP:-$PWD}/build/test/wire/usertap

# Everything happens in namespaces of our own.
if [ "${1:-}" != inside ]; then
	if ! unshare -n true 2>/dev/null; then
		skip "user network" "needs the right to make network namespaces"
		finish
	fi
	exec unshare -n -m "$0" inside
fi

dir=$(mktemp -d)
pids=()
cleanup() {
	for p in "${pids[@]}"; do kill "$p" 2>/dev/null; done
	wait 2>/dev/null
	rm -rf "$dir"
}
trap cleanup EXIT

bg() {
	"$@" &
	pids+=($!)
}

# until COMMAND... succeeds, 5 s at most
await() {
	local i
	for ((i = 0; i < 100; i++)); do
		"$@" >/dev/null 2>&1 && return 0
		sleep 0.05
	done
	return 1
}

ip link set lo up
# An "outside" host that is not the gateway.
ip addr add 198.51.100.7/32 dev lo
unshare -n sleep 1000 &
guest=$!
pids+=("$guest")
await test "$(readlink /proc/$guest/ns/net)" != "$(readlink /proc/self/ns/net)" || true
sleep 0.1
quietly() { "$@" >/dev/null; }
quietly() { "$@" >/dev/null; }
g() { nsenter -t "$guest" -n "$@"; }

info() {
	: >"$dir/out"
	kill -USR1 "$tap"
	await grep -q '^end$' "$dir/out"
	cat "$dir/out"
}

bg dnsmasq --keep-in-foreground --no-resolv --no-hosts --listen-address=127.0.0.1 --bind-interfaces \
	--port=5354 --pid-file= --user=root --host-record=www.example.test,192.0.2.80 \
	--txt-record=long.example.test,"$(printf 'x%.0s' {1..240})","$(printf 'y%.0s' {1..240})" 2>/dev/null

"$usertap" "/proc/$guest/ns/net" eth0 \
	dns-host=127.0.0.1:5354,hostname=guest,domainname=example.test,hostfwd=udp:127.0.0.1:7001-:7002,hostfwd=tcp:127.0.0.1:7003-:7004 \
	>>"$dir/out" 2>"$dir/err" &
tap=$!
pids+=("$tap")
await grep -q ready "$dir/out" || { fail "usertap starts" "$(cat "$dir/err")"; finish; }
pass "usertap starts"
g ip link set lo up
g ip link set eth0 up

# --- DHCP
cat >"$dir/udhcpc" <<'S'
#!/bin/sh
[ "$1" = bound ] || exit 0
ip addr add "$ip/$mask" dev "$interface"
ip route add default via "$router"
env | grep -E '^(ip|mask|router|dns|domain|hostname|lease|serverid)=' >"$OUT"
S
chmod +x "$dir/udhcpc"
OUT=$dir/lease g busybox udhcpc -i eth0 -q -n -f -t 5 -T 1 -s "$dir/udhcpc" >/dev/null 2>"$dir/udhcpc.log"
lease=$(sort "$dir/lease" 2>/dev/null | tr '\n' ' ')
is "DHCP gives the whole lease" "$lease" \
	"dns=10.0.2.3 domain=example.test hostname=guest ip=10.0.2.15 lease=86400 mask=24 router=10.0.2.2 serverid=10.0.2.2 "

# --- ICMP
check "ping of the gateway" quietly g busybox ping -c 2 -W 2 10.0.2.2
check "ping of the name server" quietly g busybox ping -c 1 -W 2 10.0.2.3
check "ping of another host" quietly g busybox ping -c 2 -W 2 198.51.100.7
check "ping with 1472 bytes" quietly g busybox ping -c 1 -W 2 -s 1472 198.51.100.7

# --- DNS
if [ -n "$(command -v dnsmasq)" ]; then
	like "a name is resolved" "$(g busybox nslookup www.example.test 10.0.2.3 2>&1)" 192\.0\.2\.80
else
	skip "a name is resolved" "needs dnsmasq"
fi

# --- UDP
cat >"$dir/udp.py" <<'S'
import socket, sys
mode = sys.argv[1]
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
if mode == "echo":
    s.bind((sys.argv[2], int(sys.argv[3])))
    while True:
        d, a = s.recvfrom(65536)
        s.sendto(b"echo:" + d, a)
elif mode == "ask":
    s.settimeout(3)
    s.connect((sys.argv[2], int(sys.argv[3])))
    for size in map(int, sys.argv[4:]):
        m = bytes(i * 7 & 255 for i in range(size))
        s.send(m)
        d = s.recv(65536)
        if d != b"echo:" + m:
            sys.exit("size %d: %d bytes, wrong" % (size, len(d)))
elif mode == "flood":
    s.settimeout(1)
    s.connect((sys.argv[2], int(sys.argv[3])))
    got = 0
    for r in range(int(sys.argv[4])):
        for i in range(50):
            s.send(b"%06d" % i)
        try:
            for i in range(50):
                s.recv(100)
                got += 1
        except TimeoutError:
            pass
    print(got)
elif mode == "refused":
    s.settimeout(3)
    s.connect((sys.argv[2], int(sys.argv[3])))
    try:
        s.send(b"x")
        s.recv(10)
        s.send(b"x")
    except ConnectionRefusedError:
        sys.exit(0)
    sys.exit("no refusal")
S
bg python3 "$dir/udp.py" echo 127.0.0.1 7000
bg python3 "$dir/udp.py" echo 198.51.100.7 7000
bg nsenter -t "$guest" -n python3 "$dir/udp.py" echo 0.0.0.0 7002
await sh -c 'ss -Hlun | grep -q 127.0.0.1:7000'
sleep 0.3
check "UDP echo of the host by the gateway" g python3 "$dir/udp.py" ask 10.0.2.2 7000 1 100 1400
check "UDP echo of another host" g python3 "$dir/udp.py" ask 198.51.100.7 7000 1 100 1400
check "a datagram larger than the MTU reaches the guest whole" \
	g python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(3)
s.connect(("10.0.2.2", 7000)); m = b"q" * 1472; s.send(m)
assert s.recv(65536) == b"echo:" + m'
check "an ICMP port unreachable says that nobody listens" g python3 "$dir/udp.py" refused 10.0.2.2 7999
check "hostfwd of UDP" python3 "$dir/udp.py" ask 127.0.0.1 7001 1 100 1400
at_least "UDP in bulk: of 5000 echoed in bursts of 50" "$(g python3 "$dir/udp.py" flood 10.0.2.2 7000 100)" 4900

# --- what the guest must not reach
check "127.0.0.1 of the host is not reachable as such" \
	g python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(3)
s.connect(("10.0.2.77", 7000))
try: s.send(b"x"); s.recv(10)
except OSError: raise SystemExit(0)
raise SystemExit(1)'

# --- re-plug: flows and forwards go on
kill -USR2 "$tap"
await grep -q replugged "$dir/out"
check "UDP after a re-plug away and back" g python3 "$dir/udp.py" ask 10.0.2.2 7000 1 100
check "hostfwd after a re-plug" python3 "$dir/udp.py" ask 127.0.0.1 7001 1 100

# --- information
text=$(info)
like "info shows flows" "$text" 'udp\[open\] +10\.0\.2\.15:[0-9]+ +10\.0\.2\.2:7000'
like "info shows forwards with hits" "$text" 'hostfwd udp 127\.0\.0\.1:7001 +-> 10\.0\.2\.15:7002 +[1-9][0-9]* hits'
like "info shows the lease" "$text" 'lease 10\.0\.2\.15'
if [ -n "${VERBOSE:-}" ]; then sed 's/^/# /' <<<"$text"; fi

# --- idle: no wake-ups worth the name
ticks() { awk '{print $14 + $15}' "/proc/$tap/stat"; }
switches() { awk '/^voluntary/ {n += $2} END {print n}' /proc/"$tap"/task/*/status; }
before=$(switches)
sleep 2
at_most "wake-ups in two idle seconds" $(($(switches) - before)) 10
at_most "resident set, KiB" "$(awk '/VmRSS/ {print $2}' "/proc/$tap/status")" 16384

# --- end
fds=$(ls "/proc/$tap/fd" | wc -l)
kill "$tap"
check "ends cleanly" wait "$tap"
is "nothing on stderr" "$(cat "$dir/err")" ""

# --- errors in options
err() { "$usertap" "/proc/$guest/ns/net" eth1 "$1" 2>&1 | tail -1; }
like "hostfwd without a dash" "$(err hostfwd=tcp::80)" "no '-'"
like "hostfwd with a wrong port" "$(err hostfwd=tcp::70000-:1)" "1 to 65535"
like "hostfwd with a wrong protocol" "$(err hostfwd=sctp::70-:1)" "neither tcp nor udp"
like "host outside net" "$(err net=10.1.0.0/24,host=10.0.2.2)" "host=10.0.2.2 is not"
like "tftp is said to be missing" "$(err tftp=/tmp)" "not there yet"
finish
