#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Promise 7: a change of policy, or a quarantine, cuts exactly the flows that are no longer allowed.
# shellcheck source=tests/lab/common.sh
. "$(dirname "$0")/common.sh"

# download NAME ADDRESS: slow enough to be alive throughout, in the background.
download() {
	start "$1" laptop curl -sS -m 120 --limit-rate 300k -o "$LAB/$1" "http://$2/big"
	wait_until 3 test -s "$LAB/$1"
}

grows() {
	_size=$(stat -c %s "$LAB/$1")
	wait_until 3 grown "$1" "$_size"
}

grown() {
	[ "$(stat -c %s "$LAB/$1")" -gt "$2" ]
}

# No byte more for a whole second, after what was in flight has come.
stands() {
	_size=-1
	for _try in 1 2 3 4 5 6; do
		_was=$_size
		_size=$(stat -c %s "$LAB/$1")
		[ "$_was" = "$_size" ] && return 0
		wait_until 1 grown "$1" "$_size"
	done
	return 1
}

download web4 $WEB4
download web6 "[$WEB6]"
download other4 $OTHER4
download other6 "[$OTHER6]"
for flow in web4 web6 other4 other6; do
	expect "$flow flows" grows $flow
done

# looked_at: so many flows by the last reload.
looked_at() {
	sed -n 's/.*plan\.applied .* flows=\([0-9]*\) .*/\1/p' "$LAB/log/supervisor" | tail -n 1
}
expect "a reload that changes nothing" sluice reload
expect "looks at no flow" test "$(looked_at)" -eq 0

expect "a deny of the web server" apply "$WEB_DENIED;s|\"accept\": \\[\"198.51.100.10:443\"\\], ||"
expect "looks at all" test "$(looked_at)" -ge 4
for flow in web4 web6; do
	expect "$flow is cut" stands $flow
done
for flow in other4 other6; do
	expect "$flow flows on" grows $flow
done
refuse "and no new one starts" fetch laptop http://$WEB4/
expect "the deny is taken back" apply 's|"accept": \["198.51.100.10:443"\], ||'
expect "a new one starts" fetch laptop http://$WEB4/

expect "a quarantine" sluice quarantine laptop
for flow in other4 other6; do
	expect "$flow is cut" stands $flow
done
refuse "a quarantined device reaches nothing" fetch laptop http://$OTHER4/
refuse "and is not answered" answered_at laptop $LAPTOP4
expect "the server is not concerned" fetch server http://deb.example.net:443/
expect "its release" sluice quarantine --release laptop
expect "it reaches the internet again" fetch laptop http://$OTHER4/
