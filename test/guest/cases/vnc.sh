#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# limit: 90
#
# The guest's screen by VNC (V3): Linux's console on the frame buffer that the machine leaves it, a command typed by a
# viewer's keys and its answer read from the screen's pixels; a picture by the monitor is the same; the mouse is found.
. "$(dirname "$0")/../lib.sh"
is_qemu && { skip "the screen" "QEMU starts its guests without a frame buffer here"; finish; }
export RFB_FONT=$kernel
# viewer FILE WORD...: the viewer of the tests; what it prints goes to FILE
viewer() { python3 "$VMWIRE_TOP/test/rfb.py" "$tmp/vnc" "${@:2}" >"$tmp/$1"; }

initrd vnc <<'END'
. /vw/lib
say bus "$(cat /sys/bus/serio/devices/*/description | sort | tr '\n' ' ')"
say fb "$(cat /sys/class/graphics/fb0/name /sys/class/graphics/fb0/virtual_size | tr '\n' ' ')"
export PS1='> '
setsid -c sh </dev/tty1 >/dev/tty1 2>&1
END

append="console=tty1 $append"
start vnc -m 128 -net none -vnc "unix:$tmp/vnc" -monitor "unix:$tmp/monitor,server=on,wait=off" -serial stdio
check "the shell's prompt is on the screen" viewer first await "> " 60
like "the kernel has found the frame buffer" "$(said vnc fb)" "VESA VGA 1024,768"
like "and the keyboard controller's two ports" "$(said vnc bus)" "i8042 AUX port i8042 KBD port"
check "keys" viewer typed type 'echo "<$((6*7))|`uname -s`>" _A{~}\n'
check "the command's answer is on the screen" viewer second await "<42|Linux> _A{~}" 20
{ echo "screendump $tmp/dump.ppm"; nap 1; } | socat -t 1 - "UNIX-CONNECT:$tmp/monitor" >/dev/null
is "a picture by the monitor" "$(head -n 3 "$tmp/dump.ppm" | head -c 16 | tr '\n' ' ')" "P6 1024 768 255 "
check "the guest ends by what is typed" viewer typed type 'exit\n'
check "the guest comes to its end" await vnc "vw: status 0" 20
echo "# $SECONDS s"
[ $tap_bad = 0 ] || { show vnc; sed 's/^/# screen: /' "$tmp/first" "$tmp/second"; }
finish
