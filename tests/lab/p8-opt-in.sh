#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Promise 8: where logging is off the kernel does not even send the event; what is recorded has name, rule, country and AS,
# and a change of it is noticed.
# shellcheck source=tests/lab/common.sh
. "$(dirname "$0")/common.sh"

EVENTS=$LAB/log/events
start events gw conntrack -E
wait_until 3 hears_conntrack events
recorded() {
	sluice flows --json >"$LAB/flows" && says 'deb\.example\.net' "$LAB/flows"
}
both() {
	fetch laptop http://www.example.org/ -4 && fetch laptop http://www.example.org/ -6 &&
		fetch server http://deb.example.net:443/ -4 && fetch server http://deb.example.net:443/ -6
}

expect "both devices fetch over both families" both
expect "the server's flow is recorded" wait_until 20 recorded
with() {
	jq -es "map(select(.device == \"server\" and .name == \"deb.example.net\" and $1)) | length > 0" "$LAB/flows"
}
expect "with rule" with '.rule == "/grants/0"'
expect "with country" with '.country == "DE"'
expect "with AS" with '.asn == 64500'
recorded6() {
	recorded && says "$DEB6" "$LAB/flows"
}
expect "and its IPv6 flow" wait_until 20 recorded6
expect "nothing of the laptop is" lacks "\"laptop\"|$LAPTOP4|$LAPTOP6" "$LAB/flows"
expect "the kernel sent events for the server" says "src=$SERVER4 " "$EVENTS"
expect "over IPv6, too" says "src=$SERVER6 " "$EVENTS"
expect "and none for the laptop" lacks "src=$LAPTOP4 |src=$LAPTOP6 " "$EVENTS"
expect "the journal is whole" sluice flows --verify

expect "with logging off for all" apply '/"src": \["tag:server"\], "flows"/d'
flow_is_over() {
	! in_ns gw conntrack -L 2>/dev/null | grep -q "src=$SERVER4 dst=$DEB4 "
}
expect "the last flow is over" wait_until 10 flow_is_over
before=$(wc -l <"$EVENTS")
count=$(sluice flows --json | wc -l)
expect "the server fetches" fetch server http://deb.example.net:443/
expect "and that flow is over" wait_until 10 flow_is_over
expect "and no event for it was sent" sh -c "! tail -n +$((before + 1)) $EVENTS | grep NEW | grep -q 'src=$SERVER4 '"
expect "nor is it recorded" test "$count" = "$(sluice flows --json | wc -l)"
stop events

journal=$(find "$LAB/state" -type f -size +200c -path '*journal*' | head -n 1)
expect "there is a journal" test -n "$journal"
if [ -n "$journal" ]; then
	# One bit, in the middle.
	at=$(($(stat -c %s "$journal") / 2))
	byte=$(od -An -tu1 -j $at -N 1 "$journal")
	printf '%b' "\\0$(printf %o $((byte ^ 1)))" | dd of="$journal" bs=1 seek=$at conv=notrunc 2>/dev/null
	refuse "one bit changed is noticed" sluice flows --verify
fi
