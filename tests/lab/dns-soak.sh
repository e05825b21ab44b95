#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Mixed load on the resolver while everything around it changes: policies that alternate, dnsd killed, upstreams that are
# silent, slow, failing or truncating, malformed messages, and slow TCP clients. No answer may be wrong, no name of the split
# suffix may reach the public upstream (its own log proves it), nobody stays without an answer, memory stays flat.
#
# Alone: MINUTES=30 (or SOAK_S=40 seconds), RATE=800 questions a second (of 16 devices), RELOAD_S, KILL_S (0: never), FAULT_S,
# SLOW=500 clients, WORKERS=1 of dnsd.
# The logs of the upstreams and of what was wrong stay in KEEP=DIRECTORY. What is asked and what is right: soak/names.h.

LAB_UP=soak_up
TUN4=100.64.0.1 TUN6=fd5a:51ce::1
PUBLIC=203.0.113.53 SPLIT=10.8.0.53
STUBS=16 SLOW_DEVICES=125
TLS_NAME=dns.lab.example

SOAK_S=${SOAK_S:-$((${MINUTES:-30} * 60))}
RATE=${RATE:-800} SLOW=${SLOW:-500} WORKERS=${WORKERS:-1}
if [ "$SOAK_S" -ge 300 ]; then
	RELOAD_S=${RELOAD_S:-10} KILL_S=${KILL_S:-60} FAULT_S=${FAULT_S:-15}
else
	RELOAD_S=${RELOAD_S:-4} KILL_S=${KILL_S:-10} FAULT_S=${FAULT_S:-5}
fi

# shellcheck disable=SC2317,SC2329 # run by common.sh
soak_network() {
	for _each in gw dev up; do
		make_ns "$_each"
	done
	cable gw tun0 dev eth0
	address gw tun0 $TUN4/10 $TUN6/48
	for _i in $(seq $STUBS); do
		address dev eth0 "100.64.1.$_i/10" "$(printf 'fd5a:51ce::1:%x/48' "$_i")"
	done
	ip -n "$NS-dev" route add local 100.64.2.0/24 dev lo
	cable gw wan0 up eth0
	address gw wan0 192.0.2.2/30
	address up eth0 192.0.2.1/30
	address up lo $PUBLIC/32 $SPLIT/32
	ip -n "$NS-gw" route add default via 192.0.2.1
	in_ns gw sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
}

devices() {
	awk -v stubs=$STUBS -v slow=$SLOW_DEVICES 'BEGIN {
		print "{\"devices\": ["
		for (i = 1; i <= stubs; i++)
			printf "{\"name\": \"stub%d\", \"tags\": [\"tag:%s\"], \"addresses\": [\"100.64.1.%d\", \"fd5a:51ce::1:%x\"]},\n",
				i, i % 2 ? "plain" : "first", i, i
		for (i = 1; i <= slow; i++)
			printf "{\"name\": \"slow%d\", \"tags\": [\"tag:plain\"], \"addresses\": [\"100.64.2.%d\"]},\n", i, i
		print "]}"
	}'
}

# policy a|b: in a the moved zone is split and names of flip pass, in b not; records change.
policy() {
	_moved='' _flip=', "flip"' _net=192.168.8
	[ "$1" = b ] || _moved="\"moved.example.com\": [\"$SPLIT\"]," _flip='' _net=192.168.7
	cat <<-TEXT
		{
			"tagOwners": {"tag:plain": [], "tag:first": []},
			"grants": [
				{"src": ["tag:plain"], "dst": ["autogroup:internet"], "ip": ["*"]},
				{"src": ["tag:first"], "dst": ["dns:*.example.org", "dns:*.corp.example.com"], "ip": ["tcp:443"]},
			],
			"dns": {
				"upstreams": ["$PUBLIC"],
				"split": {$_moved "corp.example.com": ["$SPLIT"]},
				"records": {$(awk -v net=$_net 'BEGIN { for (i = 0; i < 16; i++) printf "\"r%d.home.arpa\": [\"%s.%d\"], ", i, net, i }')},
				"lists": {"ads": {"file": "ads.txt"}, "flip": {"file": "flip.txt"}},
				"filters": [
					{"src": ["tag:first"], "block": ["ads"$_flip], "resolveFirst": true},
					{"src": ["tag:plain"], "block": ["ads"$_flip]},
				],
			},
		}
	TEXT
}

tls_listen() {
	printf '{"address": "%s", "tls": {"certificate": "%s/server.pem", "key": "%s/server.key"}}' "$1" "$TLS" "$TLS"
}

configure_soak() {
	TLS=$LAB/etc/tls
	mkdir -p "$LAB/etc" "$LAB/state" "$LAB/run"
	certificate "$TLS" $TLS_NAME $TUN4 >"$LAB/log/openssl" 2>&1 || die "no certificate: see $LAB/log/openssl"
	echo '||ads.example.net^' >"$LAB/etc/ads.txt"
	echo '||flip.example.org^' >"$LAB/etc/flip.txt"
	devices >"$LAB/etc/devices.hujson"
	policy a >"$LAB/etc/policy.a"
	policy b >"$LAB/etc/policy.b"
	cp "$LAB/etc/policy.a" "$LAB/etc/policy.hujson"
	cat >"$CONFIG" <<-TEXT
		{
			"tunnel": {"interface": "tun0", "existing": true, "addresses": ["$TUN4/10", "$TUN6/48"]},
			"dns": {"port": 53, "workers": $WORKERS, "listen": [$(tls_listen $TUN4), $(tls_listen $TUN6)]},
			"policy": "policy.hujson", "devices": "devices.hujson",
			"state": "$LAB/state", "run": "$LAB/run",
			"users": {"dnsd": "64701", "recorder": "64702"},
		}
	TEXT
}

dns_answers() {
	[ "$(in_ns dev dig +short +tries=1 +time=1 "@$TUN4" -b 100.64.1.1 r1.home.arpa A | cut -d . -f 1-2)" = 192.168 ]
}

# shellcheck disable=SC2317,SC2329 # run by common.sh
soak_up() {
	lab_clean
	find "$LAB" -mindepth 1 -maxdepth 1 ! -name owner -exec rm -rf {} +
	mkdir -p "$LAB/pid" "$LAB/log" "$LAB/etc" /run/wireguard
	soak_network
	configure_soak
	printf 'a-' >"$LAB/board"
	started=$(awk '{ printf "%d", $1 * 1000 }' /proc/uptime)
	start public up "$BUILD/tests/lab/soak_upstream" public $PUBLIC "$started" "$FAULT_S" "$LAB/log/public.asked"
	start split up "$BUILD/tests/lab/soak_upstream" split $SPLIT "$started" "$FAULT_S" "$LAB/log/split.asked"
	gateway_up
	wait_until 10 dns_answers || die "no DNS through the gateway: see $LAB/log"
}

# shellcheck source=tests/lab/common.sh
. "$(dirname "$0")/common.sh"

elapsed_s() {
	awk -v s="$started" '{ printf "%d", $1 - s / 1000 }' /proc/uptime
}

# board POLICY KILL: written in place, for the clients have it mapped.
board() {
	printf '%s%s' "$1" "$2" 1<>"$LAB/board"
}

rss_kb() {
	awk '$1 == "VmRSS:" { print $2 }' "/proc/$1/status" 2>/dev/null
}

# One line: seconds, then gatewayd's and dnsd's memory. Before each kill: all samples of dnsd are of the same age.
sample() {
	echo "$(elapsed_s) $(rss_kb "$(gateway_pid)") $(rss_kb "$(child_pid dnsd)")" >>"$LAB/rss"
}

policy_now=a kill_now='-' n_reloads=0 n_kills=0 n_refused=0

# The clients see that a change is under way before it is, and that it is over after it was.
reload() {
	_next=$([ $policy_now = a ] && echo b || echo a)
	policy_now='?'
	board '?' $kill_now
	sleep 0.05
	cp "$LAB/etc/policy.$_next" "$LAB/etc/policy.new"
	mv "$LAB/etc/policy.new" "$LAB/etc/policy.hujson"
	if sluice reload >"$LAB/reload" 2>&1; then
		n_reloads=$((n_reloads + 1))
	else
		n_refused=$((n_refused + 1))
		sed 's/^/#   reload: /' "$LAB/reload"
	fi
	sleep 0.05
	policy_now=$_next
	board $policy_now $kill_now
}

is_new_child() {
	_now=$(child_pid dnsd)
	[ -n "$_now" ] && [ "$_now" != null ] && [ "$_now" != "$1" ]
}

# kill_dnsd [reload]: by SIGKILL, if wanted in the middle of a reload.
kill_dnsd() {
	sample
	_old=$(child_pid dnsd)
	kill_now=k
	board "$policy_now" k
	sleep 0.05
	kill -9 "$_old"
	n_kills=$((n_kills + 1))
	[ -z "${1:-}" ] || reload
	wait_until 10 is_new_child "$_old" && wait_until 10 dns_answers || not_ok "dnsd is back after kill $n_kills"
	kill_now='-'
	board "$policy_now" '-'
}

run_soak() {
	next_reload=$RELOAD_S next_kill=$((KILL_S - 1))
	while [ "$(elapsed_s)" -lt "$SOAK_S" ] && pid_of client >/dev/null; do
		now=$(elapsed_s)
		if [ "$KILL_S" != 0 ] && [ "$now" -ge "$next_kill" ]; then
			next_kill=$((next_kill + KILL_S))
			# Every second one meets a reload.
			kill_dnsd "$([ $((n_kills % 2)) = 0 ] || echo reload)"
		elif [ "$now" -ge "$next_reload" ]; then
			next_reload=$((next_reload + RELOAD_S))
			reload
		else
			[ "$KILL_S" != 0 ] || [ $((now % 10)) != 0 ] || sample
			sleep 0.25
		fi
	done
	wait_until 30 is_gone client
}

# value LINE KEY: of the client's report.
value() {
	sed -n "s/^$1.* $2=\([0-9]*\).*/\1/p" "$LAB/log/client"
}

all_used() {
	for _over in udp tcp tls; do
		[ "$(value "over=$_over" first)" -gt 0 ] || return 1
	done
}

# few N OF: below 0.01 %.
few() {
	[ "$1" = 0 ] || [ $(($1 * 10000)) -lt "$2" ]
}

# flat COLUMN NAME: memory at the end beside that at minute 5 (a short run: after a quarter), by the samples nearest to these
# times. A tenth and 4 MB are the allocator's.
flat() {
	_early=$([ "$SOAK_S" -ge 1200 ] && echo 300 || echo $((SOAK_S / 4)))
	# shellcheck disable=SC2046 # two numbers
	set -- "$2" $(awk -v column="$1" -v early="$_early" '$column > 0 {
		if (from == "" || $1 <= early + 5) from = $column
		to = $column
	} END { print from + 0, to + 0 }' "$LAB/rss")
	echo "# $1: RSS $2 kB after $_early s, $3 kB at the end"
	expect "memory of $1 is flat" [ "$2" -gt 0 -a "$3" -le $(($2 * 11 / 10 + 4096)) ]
}

start client dev "$BUILD/tests/lab/soak_client" -s "$started" -t "$SOAK_S" -f "$FAULT_S" -b "$LAB/board" -r "$RATE" \
	-w "$LAB/log/wrong" -4 $TUN4 -6 $TUN6 -d 100.64.1.1 -D fd5a:51ce::1:1 -k $STUBS \
	-c "$TLS/ca.pem" -n $TLS_NAME -l 100.64.2.1 -L $SLOW_DEVICES -S "$SLOW"
run_soak
stop public
stop split

sed 's/^/# /' "$LAB/log/client"
echo "# $n_reloads reloads, $n_kills kills, upstreams failing every $FAULT_S s, $SOAK_S s"
[ ! -s "$LAB/log/wrong" ] || head -n 20 "$LAB/log/wrong" | sed 's/^/#   /'
[ -z "${KEEP:-}" ] || { mkdir -p "$KEEP" && cp "$LAB"/log/* "$LAB/rss" "$KEEP/"; }

sent=$(value over=all sent)
expect "all transports were used" all_used
expect "no reload was refused" [ $n_refused = 0 -a $n_reloads -ge $((SOAK_S / RELOAD_S / 2)) ]
expect "no answer was wrong" [ "$(value over=all wrong)" = 0 ]
expect "no malformed message was answered as if it were none" [ "$(value malformed= wrong)" = 0 ]
expect "the split upstream was asked" says 'corp\.example\.com' "$LAB/log/split.asked"
expect "the public upstream has seen no name of the split suffix" lacks '[ .]corp\.example\.com ' "$LAB/log/public.asked"
expect "nor one that is a record" lacks '[ .]home\.arpa ' "$LAB/log/public.asked"
expect "outside of kills less than 0.01 % of $sent questions stayed unanswered" few "$(value over=all unanswered)" "$sent"
expect "with upstreams that work less than 0.01 % failed" few "$(value over=all failed)" "$sent"
flat 2 gatewayd
flat 3 dnsd
