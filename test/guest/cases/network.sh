#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# limit: 480
#
# The user-mode network, both ways, as a guest uses it (M3): DHCP, ping, names, UDP, TCP with a half-close, hostfwd.
. "$(dirname "$0")/../lib.sh"

initrd net tools <<'END'
. /vw/lib
dhcp
say lease "$(address) $(ip route | sed -n 's/^default via \([^ ]*\).*/\1/p') $(sed -n 's/^nameserver //p' /etc/resolv.conf)"
ping -c 3 -i 0.2 10.0.2.2 >/dev/null && say ping gateway
ping -c 3 -i 0.2 -s 1400 10.0.2.2 >/dev/null && say ping-large gateway
ping -c 2 -i 0.2 127.8.9.1 >/dev/null 2>&1
say name "$(nslookup -type=a one.vmwire.test 10.0.2.3 2>/dev/null | sed -n '/^Name/,$s/^Address[^:]*: *//p')"
say udp "$(conns udp 10.0.2.2 9001 200)"
say tcp "$(conns after 10.0.2.2 9000 50)"
# A transfer out; the end of it is told by a half-close, the sum comes back on the same connection.
head -c "$vw_bytes" /dev/urandom >/tmp/out
say out-sum "$(sha256sum </tmp/out | cut -d' ' -f1)"
say out-heard "$(nc 10.0.2.2 9002 </tmp/out)"
wget -q -O - http://10.0.2.2:9003/in.bin | sha256sum | sed 's/^\([^ ]*\).*/vw: in-sum \1/'
say refused "$(nc -w 5 10.0.2.2 9 </dev/null 2>&1 | sed 's/.*: //')"
conns serve 10.0.2.15 7000 &
conns udp-serve 10.0.2.15 7001 &
nc -l -p 7002 >/tmp/in </dev/ttyS0 &	# an end of its own input would end the peer
sleep 0.3
say serving
wait $!
sha256sum </tmp/in | sed 's/^\([^ ]*\).*/vw: fwd-sum \1/'
END

# QEMU's user network moves a tenth of that in a minute here.
if is_qemu; then bytes=500000; else bytes=8388608; fi
append+=" vw.bytes=$bytes"
head -c $bytes /dev/urandom >"$tmp/in.bin"
sum=$(sha256sum <"$tmp/in.bin" | cut -d' ' -f1)
host tcp "$kit/conns" serve 127.0.0.1 9000
host udp "$kit/conns" udp-serve 127.0.0.1 9001
host sum socat TCP4-LISTEN:9002,bind=127.0.0.1,fork SYSTEM:'sha256sum | cut -c1-64'
host http busybox httpd -f -p 127.0.0.1:9003 -h "$tmp"
user=user,hostfwd=tcp:127.0.0.1:8000-:7000,hostfwd=udp:127.0.0.1:8001-:7001,hostfwd=tcp:127.0.0.1:8002-10.0.2.15:7002
if ! is_qemu; then
	host dns dnsmasq -k -C /dev/null -p 9053 -a 127.0.0.1 -z -R -h --user=root -x "$tmp/dns.pid" \
		-A /one.vmwire.test/192.0.2.7
	user+=,dns-host=127.0.0.1:9053
fi

start net -m 256 -net nic,model=virtio -net "$user"
check "the guest gets to the end of its outgoing part" await net "vw: serving" 240
is "DHCP: address, gateway, name server" "$(said net lease)" "10.0.2.15 10.0.2.2 10.0.2.3"
is "the gateway answers ping" "$(said net ping)" gateway
is "the gateway answers large pings" "$(said net ping-large)" gateway
if is_qemu; then skip "a name is resolved" "QEMU has no dns-host="; else
	is "a name is resolved" "$(said net name)" 192.0.2.7
fi
is "UDP to the host" "$(said net udp)" 200
is "TCP to the host, connection after connection" "$(said net tcp)" 50
check "a transfer by TCP to the host" test -n "$(said net out-sum)"
is "arrive whole, and a half-close goes through" "$(said net out-heard)" "$(said net out-sum)"
is "a transfer by TCP from the host arrive whole" "$(said net in-sum)" "$sum"
like "a closed port on the host refuses at once" "$(said net refused)" "[Rr]efused"
is "TCP from the host by hostfwd" "$("$kit/conns" after 127.0.0.1 8000 50)" 50
is "TCP from the host, many at once" "$("$kit/conns" at-once 127.0.0.1 8000 50)" 50
is "UDP from the host by hostfwd" "$("$kit/conns" udp 127.0.0.1 8001 200)" 200
busybox nc 127.0.0.1 8002 <"$tmp/in.bin" >/dev/null
check "the last transfer ends" await net "vw: status 0" 120
is "a transfer by hostfwd arrive whole" "$(said net fwd-sum)" "$sum"
finish
