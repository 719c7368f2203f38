#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# limit: 120
#
# vmwire as a process, without a guest (qtest): background, pid file, log, user, name, options from a file, signals.

top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/test/tap.sh"
vmwire=${VMWIRE:-$top/build/vmwire}
tmp=$(mktemp -d)
pid=
trap 'kill -KILL $pid 2>/dev/null; rm -rf "$tmp"' EXIT
chmod 755 "$tmp" # for -runas
cd "$tmp" || exit 1

# idle NAME ARG...: a machine nobody drives.
idle() { timeout 20 "$vmwire" -accel qtest -qtest unix:"$1",server=on,wait=off -net none -display none "${@:2}" </dev/null; }
# ended PID: it has, within five seconds.
ended() {
	for ((i = 0; i < 50; i++)); do
		kill -0 "$1" 2>/dev/null || return 0
		sleep 0.1
	done
	return 1
}
comm() { cat "/proc/$1/comm"; }
file() { readlink "/proc/$1/fd/$2"; }

# --- the background ------------------------------------------------------------------------------------------------------
idle q -daemonize -pidfile run.pid -name web,process=guest-web,debug-threads=on -D log -d process,cpu_reset \
	-monitor unix:mon,server=on,wait=off -msg timestamp=on,guest-name=on 2>err
is "-daemonize: the parent ends with 0 when the guest runs" "$? $(cat err | sed 's/^.*vmwire: process: .*background$//')" "0 "
pid=$(cat run.pid)
check "the pid file names the process" kill -0 "$pid"
is "-name process= is its name" "$(comm "$pid")" guest-web
is "it has left the terminal" "$(ps -o tty= -p "$pid" | tr -d ' ') $(file "$pid" 0) $(file "$pid" 1)" "? /dev/null /dev/null"
is "it leads no session, so no terminal becomes its own" "$([ "$(ps -o sid= -p "$pid")" -ne "$pid" ] && echo so)" so
is "-D: its log is the file" "$(file "$pid" 2)" "$tmp/log"
echo system_reset | socat - UNIX-CONNECT:mon >/dev/null
sleep 0.3
like "-d process, -msg: a line of the start, with time and name" "$(cat log)" \
	'20[0-9-]*T[0-9:.]*Z\ web\ vmwire:\ process:\ process\ '"$pid"':\ the\ guest\ runs'
like "-d cpu_reset: a line when the machine is reset" "$(cat log)" 'web\ vmwire:\ cpu_reset:\ the\ machine\ was\ reset'

idle q2 -pidfile run.pid 2>err
is "a second guest with the same pid file is refused" "$? $(cat err)" \
	"1 vmwire: -pidfile run.pid: process $pid holds it: end that guest first, or give another file"
idle q2 -daemonize -pidfile run.pid 2>err
is "in the background, too" "$? $(cat err)" \
	"1 vmwire: -pidfile run.pid: process $pid holds it: end that guest first, or give another file"
is "the first one's number stays in it" "$(cat run.pid)" "$pid"
kill -TERM "$pid"
check "SIGTERM ends it: nobody listens to the power button" ended "$pid"
is "nothing is left but the log" "$(ls)" $'err\nlog'
like "the log says why it ended" "$(tail -n 1 log)" 'ended\ by\ signal\ 15'
rm log

idle q -daemonize -pidfile run.pid
pid=$(cat run.pid)
kill -KILL "$pid"
check "a killed one ends" ended "$pid"
check "its pid file stays" test -e run.pid
idle q -daemonize -pidfile run.pid
is "and is taken over by the next start" "$? $([ "$(cat run.pid)" != "$pid" ] && echo new)" "0 new"
pid=$(cat run.pid)
is "without -D, -d the log goes nowhere" "$(file "$pid" 2)" /dev/null
mv run.pid moved.pid
echo other >run.pid
kill -TERM "$pid"
ended "$pid"
is "a file that somebody else put there stays" "$(cat run.pid)" other
rm -f run.pid moved.pid q

idle /nonexistent/q -daemonize -pidfile run.pid -monitor unix:mon,server=on,wait=off -D log 2>err
is "a failed start: the parent has its status and message" "$? $(wc -l <err) $(cut -d' ' -f1-3 err)" \
	"1 1 vmwire: -qtest unix:/nonexistent/q:"
is "and nothing is left but an empty log" "$(ls) $(cat log)" $'err\nlog '
rm log

# Its start waits for a client, and the parent with it: a signal to the parent ends both.
"$vmwire" -accel qtest -qtest unix:q,server=on,wait=off -net none -daemonize -pidfile run.pid \
	-monitor unix:mon,server=on 2>err &
parent=$!
for ((i = 0; i < 50; i++)); do
	[ -S mon ] && [ -s run.pid ] && break
	sleep 0.1
done
pid=$(cat run.pid)
check "-daemonize waits with its guest for a client" kill -0 $parent "$pid"
kill -TERM $parent
wait $parent
is "a signal to the parent ends the start, as a signal does" "$?" 143
check "and the process in the background" ended "$pid"
is "nothing is left" "$(ls)" err

# --- signals and the power button ---------------------------------------------------------------------------------------
# listening: a machine whose guest has switched the power button's interrupt on (82371AB at 1.3, ACPI 4.8.3).
listening() {
	idle q -pidfile run.pid 2>err &
	vm=$!
	for ((i = 0; i < 50; i++)); do
		[ -S q ] && [ -s run.pid ] && break
		sleep 0.1
	done
	pid=$(cat run.pid)
	mkfifo orders
	socat - UNIX-CONNECT:q <orders >answers 2>/dev/null &
	exec {orders}>orders
	rm orders
	say 'outl 0xcf8 0x80000b40' 'outl 0xcfc 0x601' 'outl 0xcf8 0x80000b80' 'outb 0xcfc 1' 'outw 0x604 1' 'outw 0x602 0x100'
}
say() {
	printf '%s\n' "$@" >&$orders
	sleep 0.3
}
listening
kill -TERM "$pid"
sleep 0.5
check "SIGTERM: a guest that listens to the power button may shut down" kill -0 "$pid"
like "the log says so" "$(cat err)" 'signal\ 15\ \(Terminated\):\ the\ guest\ shuts\ down;\ it\ is\ switched\ off\ in\ 30\ s'
say 'inw 0x600'
like "its button is pressed" "$(tail -n 1 answers)" '0x0*[0-9]1[0-9][0-9]$'
say 'outw 0x604 0x2001'
wait $vm
is "when it switches itself off vmwire ends with 0" "$? $(ls)" $'0 answers\nerr'
exec {orders}>&-
for signal in HUP INT; do
	listening
	kill -$signal "$pid"
	sleep 0.3
	check "SIG$signal asks, too" kill -0 "$pid"
	kill -$signal "$pid"
	wait $vm
	is "a second SIG$signal ends it" "$? $(grep -c 'ended by signal' err) $(ls)" $'0 1 answers\nerr'
	exec {orders}>&-
done
listening
kill -QUIT "$pid"
wait $vm
is "SIGQUIT ends it at once" "$? $(cat err)" "0 vmwire: ended by signal 3 (Quit)"
exec {orders}>&-
listening
kill -TERM "$pid"
sleep 0.3
say 'clock_step 29900000000'
check "within 30 s it is waited for" kill -0 "$pid"
say 'clock_step 200000000'
wait $vm
like "then it is switched off" "$? $(tail -n 1 err)" '^0\ vmwire:\ the\ guest\ has\ not\ shut\ down\ within\ 30\ s'
exec {orders}>&-
rm -f answers

# --- the user ------------------------------------------------------------------------------------------------------------
if [ "$(id -u)" = 0 ]; then
	mkdir -m 777 open
	idle q -daemonize -pidfile open/run.pid -runas 65534:65533
	is "-runas UID:GID starts" "$?" 0
	pid=$(cat open/run.pid)
	is "all threads have that user, and no other" \
		"$(cat /proc/"$pid"/task/*/status | awk '/^[UG]id:/ { print $2, $3, $4, $5 }' | sort -u | paste -sd'|')" \
		"65533 65533 65533 65533|65534 65534 65534 65534"
	is "no group of root's" "$(awk '/^Groups:/ { print NF }' "/proc/$pid/status")" 1
	is "no capability" "$(awk '/^Cap(Prm|Eff):/ { print $2 }' "/proc/$pid/status" | sort -u)" 0000000000000000
	kill -TERM "$pid"
	check "it ends" ended "$pid"
	is "its pid file is gone" "$(ls open)" ""
	idle q -daemonize -pidfile open/run.pid -runas nobody
	pid=$(cat open/run.pid)
	is "-runas NAME has the name's user" "$(ps -o user= -p "$pid")" nobody
	kill -TERM "$pid"
	ended "$pid"
	setpriv --reuid 65534 --regid 65534 --clear-groups "$vmwire" -machine none -net user -runas root 2>err
	is "-runas without root's rights is refused" "$? $(cat err)" \
		"1 vmwire: -runas root: Operation not permitted; only root may become another user"
	rm -rf open q
else
	skip "-runas" "needs root"
fi

# --- options from a file -------------------------------------------------------------------------------------------------
cat >guest.cfg <<'END'
# What QEMU's -writeconfig wrote, and people write by hand.
[machine]
  type = "pc"
  accel = "qtest"
[memory]
  size = "64"
[smp-opts]
  cpus = "2"
[name]
  guest = "a,b"

[netdev "n0"]
  type = "user"
  net = "10.7.0.0/24"
[netdev "h0"]
  type = hubport
  hubid = 3
[device "net0"]
  driver = "virtio-net-pci"
  netdev = "n0"
  mac = "52:54:00:01:02:03"
[device]
  driver = "e1000"
  netdev = "h0"
END
"$vmwire" -readconfig guest.cfg -qtest unix:q,server=on,wait=off -pidfile run.pid -monitor unix:mon,server=on,wait=off 2>err &
pid=$!
for ((i = 0; i < 50; i++)); do
	[ -S mon ] && break
	sleep 0.1
done
info=$( (echo info network; echo info name; sleep 0.5) | socat - UNIX-CONNECT:mon)
like "-readconfig: a card with its id= and address" "$info" 'net0:\ index=0,type=nic,model=virtio-net-pci,macaddr=52:54:00:01:02:03'
like "on its network" "$info" 'n0:\ index=0,type=user,net=10.7.0.0'
like "a hub and a card without an id" "$info" 'hub\ 3'
like "a value with a comma" "$info" 'a,b'
kill -TERM $pid
wait $pid
is "ends with 0 on a signal" "$?" 0
"$vmwire" -readconfig <(echo '[device]'; echo 'driver = help') >out 2>err
like "a pipe is no regular file" "$? $(cat err)" '1\ vmwire:\ -readconfig\ /dev/fd/[0-9]*:\ is\ no\ regular\ file'
printf '[device]\ndriver = help\n' >help.cfg
"$vmwire" -readconfig help.cfg >out 2>err
like "help in a file is help" "$? $(cat err) $(cat out)" 'Cards'
finish
