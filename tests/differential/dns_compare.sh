#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Our resolver beside unbound over the same zones (dns_zones.sh), in a network namespace of its own: once recursing and
# validating from the same root and trust anchor, once as forwarders to the same resolver. Every difference is a failure.
# usage: dns_compare.sh BUILD
#   COMPARE_NAMES=20000   questions in each mode (2000); COMPARE_SEED=N others (1)
. "$(dirname "$0")/../unit/gatewayd/netns_common.sh"
. "$(dirname "$0")/dns_zones.sh"

for _need in nsd unbound ldns-signzone ldns-keygen; do
	command -v $_need >/dev/null || {
		echo "skip: no $_need (./dev deps)"
		exit 77
	}
done

PIDS=
NAMES=${COMPARE_NAMES:-2000}
SEED=${COMPARE_SEED:-1}

# shellcheck disable=SC2317,SC2329
clean_all() {
	# shellcheck disable=SC2086 # words
	[ -z "$PIDS" ] || kill -9 $PIDS 2>/dev/null
	clean
}
trap clean_all EXIT

# unbound_at NAME PORT MODULES CONFIGURATION: on 11.0.0.5.
unbound_at() {
	{
		cat <<-TEXT
			server:
			interface: 11.0.0.5
			port: $2
			module-config: "$3"
			access-control: 0.0.0.0/0 allow
			do-ip6: no
			do-daemonize: no
			use-syslog: no
			logfile: "$DIR/$1.log"
			chroot: ""
			username: ""
			directory: "$DIR"
			pidfile: ""
			do-not-query-localhost: no
			minimal-responses: yes
			edns-buffer-size: 1232
			max-udp-size: 1232
			num-threads: 1
			cache-max-negative-ttl: 3600
			remote-control:
			control-enable: no
		TEXT
		printf '%s\n' "$4"
	} >"$DIR/$1.conf"
	unbound -d -c "$DIR/$1.conf" >"$DIR/$1.out" 2>&1 &
	PIDS="$PIDS $!"
}

RECURSE="server:
	root-hints: \"$DIR/root.hints\"
	trust-anchor-file: \"$DIR/anchor.key\""

# gateway DNS-SETTINGS
gateway() {
	cat >"$DIR/gateway.hujson" <<-TEXT
		{
			"tunnel": {"interface": "lo", "existing": true, "addresses": ["127.0.0.1/8"]},
			"netfilter": {"mode": "off", "gate": false},
			"dns": {"port": 5300, "capture": false, $1,
				"rateLimit": {"queries": 0, "misses": 0, "errors": 0}},
			"policy": "policy.hujson", "devices": "devices.hujson",
			"state": "$DIR/state", "run": "$DIR/run",
			"users": {"dnsd": "64701", "recorder": "64702"},
		}
	TEXT
	up || die "the gateway does not come up"
}

answers() {
	dig +short +tries=1 +time=2 "@$1" -p "$2" host1.s1.alpha A | grep -q '^11\.1\.1\.1$'
}

# compare MODE PORT-OF-UNBOUND
compare() {
	until_ok 100 answers 127.0.0.1 5300 || die "ours does not resolve"
	until_ok 100 answers 11.0.0.5 "$2" || die "unbound does not resolve: $(cat "$DIR"/*.log)"
	"$BUILD/tests/differential/dns_compare" 127.0.0.1 5300 11.0.0.5 "$2" "$SEED" "$NAMES" "$1" "$SINCE" "$DIR"/zones/*.zone ||
		failed=1
}

SINCE=$(date +%s)
ip link set lo up
for _host in 1 2 3 4 5; do ip addr add 11.0.0.$_host/32 dev lo; done
echo '{"devices": [{"name": "host", "addresses": ["127.0.0.1"], "tags": ["tag:host"]}]}' >"$DIR/devices.hujson"
echo '{"tagOwners": {"tag:host": []}}' >"$DIR/policy.hujson"
zones_up
unbound_at recursive 5301 "validator iterator" "$RECURSE"
# Validating: unbound that does not has one cache for those who set CD and those who do not, and gives the ones the others'
# answers.
unbound_at forward 5302 "validator iterator" "server:
	trust-anchor-file: \"$DIR/anchor.key\"
forward-zone:
	name: \".\"
	forward-addr: 11.0.0.5@5301"

gateway "\"upstreams\": [\"recursive\"], \"rootHints\": \"$DIR/root.hints\", \"trustAnchor\": \"$DIR/anchor.key\""
compare recursive 5301
stop
gateway '"upstreams": ["11.0.0.5:5301"]'
compare forward 5302
stop
exit $failed
