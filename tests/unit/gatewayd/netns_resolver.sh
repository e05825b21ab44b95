#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The smallest gateway, a resolver for the programs of its own host (docs/resolver.md): no tunnel of ours, nothing of
# netfilter, ports above 1024. netns_resolver.sh BUILD
. "$(dirname "$0")/netns_common.sh"

ask() {
	_got=$(dig +short +tries=1 +time=2 -p 5300 "$@")
	[ "$_got" = 192.168.1.20 ] || { echo "$_got"; return 1; }
}

cat >"$DIR/gateway.hujson" <<TEXT
{
	"tunnel": {"interface": "lo", "existing": true, "addresses": ["127.0.0.1/8"]},
	"netfilter": {"mode": "off", "gate": false},
	"dns": {"port": 5300, "capture": false, "listen": ["127.0.0.2", "::1"]},
	"policy": "policy.hujson", "devices": "devices.hujson", "state": "$DIR/state", "run": "$DIR/run",
	"users": {"dnsd": "64701", "recorder": "64702"},
}
TEXT
# A rule on the name: what is learned for a device must not hold up the gateway's own programs.
cat >"$DIR/policy.hujson" <<TEXT
{
	"tagOwners": {"tag:gateway": []},
	"grants": [{"src": ["tag:gateway"], "dst": ["dns:nas.home.arpa"], "ip": ["*"]}],
	"dns": {"records": {"nas.home.arpa": ["192.168.1.20"]},
		"filters": [{"src": ["tag:gateway"], "block": ["ads.example"]}]},
}
TEXT
cat >"$DIR/devices.hujson" <<TEXT
{"devices": [{"name": "gateway", "addresses": ["127.0.0.1", "127.0.0.2", "::1"], "tags": ["tag:gateway"]}]}
TEXT

ip link set lo up
up || die "the gateway starts"
check "over UDP" ask @127.0.0.1 nas.home.arpa
check "over UDP and IPv6" ask @::1 nas.home.arpa
check "over TCP, from another loopback address" ask +tcp -b 127.0.0.1 @127.0.0.2 nas.home.arpa
check "by its own view" sh -c "dig -p 5300 @127.0.0.1 ads.example | grep -q 'EDE: 15'"
check "refused from an address that is nobody's" \
	sh -c "dig -p 5300 -b 127.0.0.3 @127.0.0.1 nas.home.arpa | grep -q 'status: REFUSED'"
check "no table is made" sh -c '[ -z "$(nft list ruleset)" ]'
check "the gateway stops" stop
finish
