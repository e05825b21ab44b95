#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# A device knocks at closed doors and holds an open transfer, while the kernel's table is flushed and deleted, gatewayd
# is killed, and the policy changes a hundred times; with a table that is owned, and with one that is not. Not one closed
# packet arrives, and the transfer goes on.
# shellcheck source=tests/lab/common.sh
. "$(dirname "$0")/common.sh"

RELOADS=${RELOADS:-100}
# What is asked for is 200 ms; here it is not judged as sharply, as the machine may be busy with other things.
STALL_MAX_MS=${STALL_MAX_MS:-1000}
HAMMER=$BUILD/tests/lab/hammer
KNOCK=7777
TICK=7780

# counted MACHINE: packets for the closed port that have arrived there.
counted() {
	in_ns "$1" nft list counter inet knocks closed | sed -n 's/.*packets \([0-9]*\) .*/\1/p'
}

counting() {
	in_ns "$1" nft -f - <<-TEXT
		table inet knocks
		delete table inet knocks
		table inet knocks {
			counter closed { }
			chain in {
				type filter hook prerouting priority -400; policy accept;
				meta l4proto { tcp, udp } th dport $KNOCK counter name closed
			}
		}
	TEXT
}

arrived() {
	[ "$(counted "$1")" != 0 ]
}

# gateway_with OWNER
gateway_with() {
	_victim=$(gateway_pid)
	stop gatewayd
	sed -i -e '/"netfilter"/d' -e "s|^{|{\n\t\"netfilter\": {\"owner\": $1},|" "$CONFIG"
	owner=$1
	wait_until 10 is_another "$_victim"
}

owner_is() {
	_kind=$([ "$1" = true ] && echo persist || echo plain)
	sluice status --json | jq ".ok and .owner == \"$_kind\" and .gate == \"closed\"" | grep -qx true
}

has_table() {
	in_ns gw nft list table inet sluice | grep -q class_
}

# One at a time: between two of them the transfer moves.
step_flush() {
	for _i in 1 2 3 4 5; do
		in_ns gw nft flush ruleset >/dev/null 2>&1
		wait_until 2 has_table || return 1
		sleep 0.3
		in_ns gw nft delete table inet sluice >/dev/null 2>&1
		wait_until 2 has_table || return 1
		sleep 0.3
	done
}

is_another() {
	[ "$(gateway_pid)" != "$1" ] && owner_is "$owner"
}

step_kill() {
	_victim=$(gateway_pid)
	kill -9 "$_victim"
	wait_until 10 is_another "$_victim"
}

step_reload() {
	_i=0
	while [ $_i -lt "$RELOADS" ]; do
		[ $((_i % 2)) = 0 ] && policy_edit "$NAS_OPEN" || policy_edit ''
		sluice reload >/dev/null || return 1
		_i=$((_i + 1))
	done
}

# field NAME FILE
field() {
	sed -n "s/.*$1=\([a-z0-9]*\).*/\1/p" "$2" | tail -n 1
}

knocks_begin() {
	counting home
	counting internet
	counting laptop
	start knock-lan laptop "$HAMMER" knock $KNOCK $NAS4 $NAS6
	start knock-out server "$HAMMER" knock $KNOCK $OTHER4 $OTHER6
	start knock-in internet "$HAMMER" knock $KNOCK $LAPTOP4 $LAPTOP6
}

knocks_end() {
	stop knock-lan
	stop knock-out
	stop knock-in
}

none_arrived() {
	for _machine in home internet laptop; do
		refuse "$1: nothing closed arrived ($_machine)" arrived $_machine
	done
}

# Doors are counted rightly: what is sent to them from beside them is.
door_is_seen() {
	counting "$1"
	in_ns "$2" timeout 1 "$HAMMER" knock $KNOCK "$3"
	arrived "$1"
}

# A way from outside to the devices, which the gateway has to refuse.
ip -n "$NS-internet" route add 100.64.0.0/10 via $GW_WAN4
ip -n "$NS-internet" -6 route add fd5a:51ce::/48 via $GW_WAN6
expect "knocks at the LAN are counted" door_is_seen home gw $NAS4
expect "knocks at the internet are counted" door_is_seen internet gw $OTHER4
start tick internet "$HAMMER" tick $TICK

for owner in true false; do
	[ $owner = true ] && held="owned" || held="not owned"
	expect "$held: the gateway is there" gateway_with $owner
	if [ $owner = true ] && ! owner_is true; then
		skip "$held: this kernel knows no owners of tables"
		continue
	fi
	expect "$held: the laptop has a way" wait_until 5 answers laptop www.example.org A $WEB4
	for order in "flush kill reload" "kill reload flush" "reload flush kill"; do
		knocks_begin
		rm -f "$LAB/log/hear"
		start hear laptop "$HAMMER" hear $WEB4 $TICK
		for step in $order; do
			expect "$held, $order: $step" "step_$step"
		done
		stop hear
		knocks_end
		none_arrived "$held, $order"
		worst=$(field worst_ms "$LAB/log/hear")
		expect "$held, $order: the transfer lived ($(cat "$LAB/log/hear"))" says 'ended=no' "$LAB/log/hear"
		expect "$held, $order: and stalled for ${worst:-?} ms at most" less "${worst:-99999}" "$STALL_MAX_MS"
		for each in lan out in; do
			refuse "$held: knock-$each knocked ($(field sent "$LAB/log/knock-$each"))" \
				test "$(field sent "$LAB/log/knock-$each")" -lt 100
		done
	done
	grep -h table.repaired "$LAB/log/supervisor" | sed -n 's/.*us=\([0-9]*\).*/\1/p' | sort -n >"$LAB/repairs"
	[ $owner = true ] || expect "$held: the table was put back: $(wc -l <"$LAB/repairs") times,$(
	) in $(tail -n 1 "$LAB/repairs") us at most" test -s "$LAB/repairs"

	# Nobody is there to put the table back: the gate holds.
	: >"$LAB/hold"
	knocks_begin
	kill -9 "$(gateway_pid)"
	wait_until 3 is_gone gatewayd
	in_ns gw nft flush ruleset
	expect "$held, no gatewayd: the table is gone" eval "! has_table"
	sleep 1
	refuse "$held, no gatewayd, no table: what was allowed waits" fetch laptop http://$WEB4/
	knocks_end
	none_arrived "$held, no gatewayd, no table"
	rm -f "$LAB/hold"
	expect "$held: gatewayd is back" wait_until 10 owner_is $owner
	expect "$held: what is allowed passes again" wait_until 5 fetch laptop http://$WEB4/
done
