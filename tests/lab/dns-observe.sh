#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# What is seen of the resolver: counters and times, its cache and the emptying of it, what a device would be answered, and
# dnstap, which tells of those devices alone whose policy has them told.
# shellcheck source=tests/lab/common.sh
. "$(dirname "$0")/common.sh"

TAP=$LAB/run/tap.sock

dns() {
	sluice dns "$@"
}

# stat FILTER: a number of `sluice dns status`.
stat_of() {
	dns status --json | jq -r "$1"
}

# reader_up FILE: a reader of dnstap, which writes what it is told to FILE.
reader_up() {
	rm -f "$TAP"
	start reader gw fstrm_capture -t protobuf:dnstap.Dnstap -u "$TAP" -w "$1"
}

# told FILE: what was told, as text. The reader has ended.
told() {
	dnstap-ldns -r "$1" -y
}

tapped() {
	[ "$(stat_of .dnstap.connected)" = 2 ]
}

not_tapped() {
	[ "$(stat_of .dnstap.connected)" = 0 ]
}

# Two workers, and a reader of dnstap that is not there yet.
gateway_down
sed -i "s|\"workers\": 1|\"workers\": 2, \"dnstap\": \"$TAP\"|" "$CONFIG"
expect "queries of the server are told in full" policy_edit 's|"src": \["tag:server"\], "flows": "full"|&, "queries": "full"|'
gateway_up
expect "a reader that is away is said" sh -c "$BUILD/sluice --config $CONFIG dns status | grep -q '^NO DNSTAP: .*tap.sock'"
reader_up "$LAB/tap1"
expect "and found when it comes, by both workers" wait_until 10 tapped

# What is counted.
cached=$(stat_of .outcomes.cached) blocked=$(stat_of .outcomes.blocked)
resolved=$(stat_of .outcomes.resolved)
many() {
	for _try in 1 2 3 4 5 6; do
		answers laptop www.example.org A $WEB4 || return 1
	done
}
expect "a name is asked six times" many
expect "at most once of the upstream by each worker" test "$(stat_of .outcomes.resolved)" -le $((resolved + 2))
expect "the rest is cached" test "$(stat_of .outcomes.cached)" -ge $((cached + 4))
expect "a blocked name is asked" ask laptop ads.example.org
expect "and counted as that" test "$(stat_of .outcomes.blocked)" = $((blocked + 1))
expect "over TCP" in_ns laptop dig +tcp +tries=1 +time=2 @$GW_TUN4 www.example.org A
expect "that is counted" test "$(stat_of .transports.tcp)" -ge 1
adds_up() {
	[ "$(stat_of '[.transports[]] | add')" = "$(stat_of '.queries + .under_way')" ]
}
expect "every question has one outcome" adds_up
expect "types" test "$(stat_of .qtypes.A)" -ge 8
expect "times are in order" test "$(stat_of '.latencies_us[] | select(.count > 0) | .p50 <= .p99 and .p99 <= .max' | sort -u)" = true
expect "the upstream took its time" test "$(stat_of .latencies_us.upstream.count)" -ge 1
expect "all is told to people, too" sh -c "$BUILD/sluice --config $CONFIG dns status | grep -q ' came from the cache'"
expect "the status of the gateway has it in a line" sh -c "$BUILD/sluice --config $CONFIG status | grep -q '^dns: [0-9]* questions'"
expect "the split's upstream is listed" test "$(stat_of '[.upstreams[] | select(.suffix == "home.arpa") | .addr] | first')" = $HOME_DNS4

# The cache.
dns cache www.example.org A >"$LAB/cache"
expect "what is cached is shown" says '^www.example.org A  NOERROR, .* s left, route 0, worker' "$LAB/cache"
expect "with all of its members" sh -c "$BUILD/sluice --config $CONFIG dns cache www.example.org --json |
	jq -e '.entries[0] | .ttl_s > 0 and .rcode == 0 and .bytes > 100'"
expect "a name that nobody asked for is not" sh -c "$BUILD/sluice --config $CONFIG dns cache nobody.example.org | grep -q '^nothing is cached'"
expect "it is forgotten" sh -c "$BUILD/sluice --config $CONFIG dns flush WWW.example.org | grep -Eq '^[12] cached answers'"
expect "in all workers" sh -c "$BUILD/sluice --config $CONFIG dns cache www.example.org | grep -q '^nothing is cached'"
resolved=$(stat_of .outcomes.resolved)
expect "and asked for again" answers laptop www.example.org A $WEB4
expect "of the upstream" test "$(stat_of .outcomes.resolved)" = $((resolved + 1))
expect "another one below it" ask laptop nothing.example.org
expect "all below a name is forgotten" sh -c "$BUILD/sluice --config $CONFIG dns flush example.org --below --json | jq -e '.flushed >= 2'"
expect "a neighbour is asked for" answers server deb.example.net A $DEB4
expect "and kept" sh -c "$BUILD/sluice --config $CONFIG dns flush example.org --below && $BUILD/sluice --config $CONFIG dns cache deb.example.net | grep -q NOERROR"
expect "until all is forgotten" dns flush --all
expect "which leaves nothing" test "$(stat_of .cache.entries)" = 0
refuse "flush wants to know what" dns flush
refuse "a type that is none is refused" dns cache www.example.org NOTYPE

# What a device would be answered.
dns lookup ads.example.org --device laptop >"$LAB/lookup"
expect "a blocked name, with list and line" says '^blocked by list ads line 4: ' "$LAB/lookup"
dns lookup nas.home.arpa --device laptop >"$LAB/lookup"
expect "a split name, with its way" says '^belongs to the split home.arpa$' "$LAB/lookup"
expect "and its records" says "^nas\.home\.arpa\..*A.$NAS4\$" "$LAB/lookup"
expect "IPv6" sh -c "$BUILD/sluice --config $CONFIG dns lookup www.example.org AAAA --device laptop --json |
	jq -e '.rcode == \"NOERROR\" and (.answer[0] | endswith(\"$WEB6\"))'"
dns lookup www.example.org --device tv >"$LAB/lookup"
expect "one that is not active is refused" says '^REFUSED' "$LAB/lookup"
expect "and hears why" says '^reason 18: ' "$LAB/lookup"
expect "nobody is, too" sh -c "$BUILD/sluice --config $CONFIG dns lookup www.example.org --src 100.64.0.99 | grep -q '^REFUSED'"
refuse "a device that is none is an error" dns lookup www.example.org --device nobody
refuse "who asks must be said" dns lookup www.example.org
before=$(stat_of .queries)
expect "a look-up is no question of a device" test "$(dns lookup www.example.org --device laptop >/dev/null && stat_of .queries)" = "$before"
fetched() {
	fetch server http://c7.dyn.example.net:8443/ -4 --resolve c7.dyn.example.net:8443:198.18.0.8
}
expect "what the server may reach is looked up for it" dns lookup c7.dyn.example.net --device server
refuse "but not opened" fetched
expect "it is looked up to be opened" dns lookup c7.dyn.example.net --device server --open
expect "and is open" fetched
expect "as if the server had asked" sh -c "$BUILD/sluice --config $CONFIG dns status --json | jq -e '.events.held >= 1'"

# dnstap.
expect "the server asks for a blocked name" ask server tracker.example.org
expect "the laptop asks" ask laptop www.example.org
reader_has() {
	[ "$(stat_of .events.dnstap_frames)" -ge 4 ]
}
expect "the reader is told" wait_until 5 reader_has
stop reader
told "$LAB/tap1" >"$LAB/told"
expect "the server's question was" sh -c "grep -A5 CLIENT_QUERY $LAB/told | grep -q '$SERVER4'"
expect "and its answer" sh -c "grep -A5 CLIENT_RESPONSE $LAB/told | grep -q '$SERVER4'"
expect "with its names" says 'tracker\.example\.org\.' "$LAB/told"
expect "nothing of anybody else" lacks "query_address: *\"?(${LAPTOP4}|${LAPTOP6})|www\.example\.org" "$LAB/told"
expect "that the reader has gone is seen" wait_until 5 not_tapped

expect "blocked queries of the family are told" apply \
	's|{"src": \["tag:server"\], "flows": "full"}|{"src": ["group:family"], "queries": "blocked"}|'
reader_up "$LAB/tap2"
expect "the next reader is found" wait_until 10 tapped
frames=$(stat_of .events.dnstap_frames)
expect "the laptop asks for a blocked name" ask laptop ads.example.org
expect "and for another" answers laptop www.example.org A $WEB4
expect "the server, which is not told of any more, too" ask server tracker.example.org
one_more() {
	[ "$(stat_of .events.dnstap_frames)" = $((frames + 1)) ]
}
expect "one frame is written" wait_until 5 one_more
stop reader
told "$LAB/tap2" >"$LAB/told"
expect "the blocked one" says 'ads\.example\.org\.' "$LAB/told"
expect "no other" lacks "www\.example\.org|tracker\.example\.org|$SERVER4|CLIENT_QUERY" "$LAB/told"
expect "none was lost" test "$(stat_of .events.dnstap_dropped)" = 0

# An upstream goes.
stop home
asked=0
down() {
	asked=$((asked + 1))
	ask laptop gone$asked.home.arpa
	dns status >"$LAB/status"
	says "^UPSTREAM DOWN: udp $HOME_DNS4 port 53, for home.arpa: " "$LAB/status"
}
expect "an upstream that is down is said first" wait_until 30 down
expect "in the status of the gateway, too" sh -c "$BUILD/sluice --config $CONFIG status | grep -q '^dns: .*; UPSTREAM DOWN: '"
expect "and only that one" test "$(stat_of '[.upstreams[] | select(.state == "down")] | length')" = 1
dns lookup never.home.arpa --device laptop >"$LAB/lookup"
expect "a look-up of its names says why" says '^reason 2[23]: ' "$LAB/lookup"
start home home unbound -d -c "$LAB/etc/unbound-home.conf"
up() {
	asked=$((asked + 1))
	ask laptop back$asked.home.arpa
	[ "$(stat_of '[.upstreams[] | select(.suffix == "home.arpa") | .state] | first')" = up ]
}
expect "it is up again when it answers" wait_until 30 up

# dnsd dies.
pid=$(child_pid dnsd)
kill -9 "$pid"
again() {
	[ "$(child_pid dnsd)" != "$pid" ] && dns status
}
expect "dnsd is killed, and tells again" wait_until 10 again
expect "from its beginning" test "$(stat_of .age_s)" -le 10
kill -STOP "$(child_pid dnsd)"
refuse "one that hangs is said to" dns status
expect "and the status of the gateway comes all the same" sh -c "$BUILD/sluice --config $CONFIG status | grep -q '^NO DNS: '"
kill -CONT "$(child_pid dnsd)"
expect "and goes on" wait_until 10 dns status
