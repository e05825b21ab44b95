#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# BENCH: iplist [N]   an address list of N prefixes from its file into the kernel by the real gateway (100000)
#
# The gateway runs in a network namespace of its own, with a policy that denies the list; then the list comes into its
# file, and a reload is asked for; then one line more, and another. Not a test: it measures, and judges nothing.
export SLUICE_N="${SLUICE_N:-${1:-100000}}"
TOP=$(cd "$(dirname "$0")/.." && pwd)
[ "${2:-}" = inside ] || set -- "${SLUICE_BUILD:-$TOP/build}"
# shellcheck source=tests/unit/gatewayd/netns_common.sh
. "$TOP/tests/unit/gatewayd/netns_common.sh"
# shellcheck source=bench/unheard.sh
. "$TOP/bench/unheard.sh"

cat >"$DIR/gateway.hujson" <<TEXT
{
	"tunnel": {"interface": "tun-test", "existing": true, "addresses": ["100.64.0.1/10"]},
	"policy": "policy.hujson", "devices": "devices.hujson", "state": "$DIR/state", "run": "$DIR/run",
	"users": {"dnsd": "64701", "recorder": "64702"},
}
TEXT
cat >"$DIR/policy.hujson" <<'TEXT'
{
	"grants": [{"src": ["*"], "dst": ["autogroup:internet"], "ip": ["*"]}],
	"denies": [{"src": ["*"], "dst": ["iplist:drop"], "ip": ["*"]}],
	"dns": {"iplists": {"drop": {"file": "drop.txt"}}},
}
TEXT
cat >"$DIR/devices.hujson" <<'TEXT'
{"users": ["a@example.com"], "devices": [{"name": "a", "user": "a@example.com", "addresses": ["100.64.0.7"]}]}
TEXT

peak_mb() {
	awk '/^VmHWM/ { printf "%d", $2 / 1024 }' "/proc/$GATEWAY/status"
}

now_mb() {
	awk '/^VmRSS/ { printf "%d", $2 / 1024 }' "/proc/$GATEWAY/status"
}

cpu_ms() {
	awk -v hz="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); print ($12 + $13) * 1000 / hz }' "/proc/$GATEWAY/stat"
}

# measured WHAT: a reload.
measured() {
	_from=$(date +%s%N) _cpu=$(cpu_ms)
	sluice reload >"$DIR/said" 2>&1 || { cat "$DIR/said"; die "reload"; }
	printf '| %s | %d | %d | %s | %s |\n' "$1" $((($(date +%s%N) - _from) / 1000000)) $(($(cpu_ms) - _cpu)) \
		"$(now_mb)" "$(peak_mb)"
}

tunnel_up
echo 192.0.2.0/24 >"$DIR/drop.txt"
up || die "the gateway does not come up"
echo "$SLUICE_N prefixes; $(uname -r)"
echo
echo "| reload | ms | gatewayd's CPU ms | gatewayd's MB | peak MB |"
echo "|:--|--:|--:|--:|--:|"
measured "one prefix"
awk -v n="$SLUICE_N" 'BEGIN {
	for (i = 0; i < n; i++) { a = 16777216 + i * 512; printf "%d.%d.%d.0/24\n", a / 16777216, a / 65536 % 256, a / 256 % 256 }
}' >"$DIR/new" && mv "$DIR/new" "$DIR/drop.txt"
unheard
measured "all of them"
measured "nothing has changed"
echo 224.0.0.0/24 >>"$DIR/drop.txt"
sed -i 1d "$DIR/drop.txt"
measured "one for another"
stop
