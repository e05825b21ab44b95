#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Promise 7 for names: a new deny on one name takes back what a grant on many had opened. The denied name's flow is cut and
# stays away; another name's of the same grant is opened again by the next question; other grants' flows go on.
# shellcheck source=tests/lab/common.sh
. "$(dirname "$0")/common.sh"

refusal=$BUILD/tests/lab/refusal
PORT=8444

# live NAME ADDRESS PORT: a flow that talks, in the background.
live() {
	start "$1" server "$refusal" tcp "$2" "$3" live
	wait_until 5 says '^up$' "$LAB/log/$1"
}

# reaches NAME TYPE ADDRESS: asks for it, and talks to what the answer says.
reaches() {
	answers server "$1" "$2" "$3" && [ "$(in_ns server "$refusal" tcp "$3" $PORT)" = answer ]
}

goes_on() {
	! lacks '^up$' "$LAB/log/$1" && lacks 'reset|silence|icmp' "$LAB/log/$1"
}

start many internet "$BUILD/tests/lab/many_flows" serve $PORT 7001
wait_until 5 listens internet 7001 || die "no server"
OTHER_GRANT="s|//nas |{\"src\": [\"tag:server\"], \"dst\": [\"dns:c7.plain.example.net\"], \"ip\": [\"tcp:7001\"]},\n//nas |"
expect "another grant on a name" apply "$OTHER_GRANT"
for family in A:198.18.0. AAAA:2001:db8:c::; do
	type=${family%%:*} net=${family#*:}
	last5=5 last6=6
	[ "$type" = A ] && last5=6 last6=7 # c5 is .6
	expect "$type: c5 is reached" reaches c5.dyn.example.net "$type" "$net$last5"
	expect "$type: c6 is reached" reaches c6.dyn.example.net "$type" "$net$last6"
	expect "$type: a flow to c5 is alive" live "c5-$type" "$net$last5" $PORT
done
expect "c7 of the other grant has its address" answers server c7.plain.example.net A 198.19.0.8
expect "a flow to it is alive" live c7 198.19.0.8 7001

expect "a deny on c5 alone" apply \
	"$OTHER_GRANT;s|//denies .*|\"denies\": [{\"src\": [\"tag:server\"], \"dst\": [\"dns:c5.dyn.example.net\"], \"ip\": [\"*\"], \"reject\": true}],|"
expect "the answer of the reload counts flows" says '[1-9][0-9]* flows cut' "$LAB/reload"
for family in A:198.18.0. AAAA:2001:db8:c::; do
	type=${family%%:*} net=${family#*:}
	last5=5 last6=6
	[ "$type" = A ] && last5=6 last6=7
	refuse "$type: c5 cannot be looked up" answers server c5.dyn.example.net "$type" "$net$last5"
	refuse "$type: nor its address be reached" test "$(in_ns server "$refusal" tcp "$net$last5" $PORT)" = answer
	expect "$type: c6 is reached after one question" reaches c6.dyn.example.net "$type" "$net$last6"
	expect "$type: the cut names both rules" \
		says 'flow.cut device=server .* port=8444 why="denied by a rule" rule=/denies/0 was=/grants/1' "$LAB/log/supervisor"
done
expect "the other grant's flow goes on" goes_on c7
expect "the same again cuts nothing" apply \
	"$OTHER_GRANT;s|//denies .*|\"denies\": [{\"src\": [\"tag:server\"], \"dst\": [\"dns:c5.dyn.example.net\"], \"ip\": [\"*\"], \"reject\": true}],|"
expect "says its answer" says ' 0 flows cut' "$LAB/reload"
