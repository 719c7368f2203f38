# SPDX-License-Identifier: BSD-2-Clause
#
# TAP for shell tests: source it, call these, end with `finish`.

tap_n=0
tap_bad=0

# pass NAME, fail NAME [WHY...], skip NAME WHY
pass() { echo "ok $((++tap_n)) - $1"; }
fail() {
	echo "not ok $((++tap_n)) - $1"
	tap_bad=$((tap_bad + 1))
	shift
	[ $# = 0 ] || printf '# %s\n' "$@"
}
skip() { echo "ok $((++tap_n)) - $1 # SKIP $2"; }

# check NAME COMMAND...: passes when the command succeeds.
check() {
	local name=$1
	shift
	if "$@"; then pass "$name"; else fail "$name" "status $?: $*"; fi
}

# is NAME GOT WANTED; like NAME GOT REGEX
is() { if [ "$2" = "$3" ]; then pass "$1"; else fail "$1" "got: $2" "want: $3"; fi; }
like() { if [[ $2 =~ $3 ]]; then pass "$1"; else fail "$1" "got: $2" "want a match of: $3"; fi; }

# at_most NAME GOT LIMIT; at_least NAME GOT LIMIT: numbers, with or without a fraction
at_most() {
	if awk -v a="$2" -v b="$3" 'BEGIN { exit !(a != "" && a + 0 <= b + 0) }'; then
		pass "$1"
	else
		fail "$1" "got: $2" "want at most: $3"
	fi
}
at_least() {
	if awk -v a="$2" -v b="$3" 'BEGIN { exit !(a != "" && a + 0 >= b + 0) }'; then
		pass "$1"
	else
		fail "$1" "got: $2" "want at least: $3"
	fi
}

finish() {
	echo "1..$tap_n"
	[ $tap_bad = 0 ]
	exit
}
