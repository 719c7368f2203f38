#!/bin/bash
. "$(dirname "$0")/../lib.sh"
initrd d tools <<'END'
. /vw/lib
dhcp
for n in 20000 200000 1000000; do
say start $n $(seconds)
wget -q -O - http://10.0.2.2:9003/in$n.bin | sha256sum
say end $n $(seconds)
grep eth0 /proc/interrupts
cat /proc/net/dev | grep eth0
done
END
for n in 20000 200000 1000000; do head -c $n /dev/urandom >"$tmp/in$n.bin"; done
host http busybox httpd -f -p 127.0.0.1:9003 -h "$tmp"
(sleep 40; for i in 1 2 3; do sleep 1; echo "info network" | socat -t 1 - "UNIX-CONNECT:$tmp/m"; done; cat $tmp/d.log; top -H -b -n 1 | head -20) &
guest d 60 -m 256 -netdev user,id=u -device "rtl8139,netdev=u,cplus=off"  -monitor "unix:$tmp/m,server=on,wait=off"
cat $tmp/d.log
