#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Promise 3: the address is in the kernel's set before the answer leaves. CYCLES times: look up a name that nobody has asked
# for before, connect at once; no SYN may be lost. CYCLES=1000 gives the figure for the record.
CYCLES=${CYCLES:-100}
DYN_NAMES=$((3 * CYCLES + 10))
# shellcheck source=tests/lab/common.sh
. "$(dirname "$0")/common.sh"

cycle=$BUILD/tests/lab/barrier_cycle
start answering internet "$cycle" serve 8444
wait_until 3 listens internet 8444

# lost FILE: the figure behind "lost"
lost() {
	sed -n 's/.* lost=\([0-9]*\) failed=0 .*/\1/p' "$1"
}

expect "the server reaches a name at the first SYN" fetch server http://deb.example.net:443/
expect "and over IPv6" fetch server http://deb.example.net:443/ -6

in_ns server "$cycle" $GW_TUN4 c%d.dyn.example.net A 8444 1 "$CYCLES" >"$LAB/v4"
expect "$CYCLES of $CYCLES first SYNs over IPv4 ($(cat "$LAB/v4"))" test "$(lost "$LAB/v4")" = 0
in_ns server "$cycle" $GW_TUN4 c%d.dyn.example.net AAAA 8444 $((CYCLES + 1)) "$CYCLES" >"$LAB/v6"
expect "$CYCLES of $CYCLES first SYNs over IPv6 ($(cat "$LAB/v6"))" test "$(lost "$LAB/v6")" = 0

# What learning adds to an answer that is cached: the same names, asked by the laptop, which has no rule with names, and by
# the server. Told, not judged: tests are not timed.
look_up() {
	in_ns "$1" "$cycle" $GW_TUN4 c%d.dyn.example.net A 0 $((2 * CYCLES + 1)) "$CYCLES"
}
look_up laptop >/dev/null
echo "# cached, not learned: $(look_up laptop)"
echo "# cached, learned:     $(look_up server)"

refuse "an address whose name was not looked up stays closed" fetch server http://198.18.200.200:8443/
spare=$((3 * CYCLES + 5))
spare_address=198.18.$((spare / 250)).$((spare % 250 + 1))
expect "another device is given an address" answers laptop c$spare.dyn.example.net A $spare_address
refuse "which does not open it to the server" fetch server http://$spare_address:8443/
expect "asking does" answers server c$spare.dyn.example.net A $spare_address
expect "as one sees" fetch server http://$spare_address:8443/
refuse "a learned address is not open on another port" fetch server http://198.18.0.2:443/
