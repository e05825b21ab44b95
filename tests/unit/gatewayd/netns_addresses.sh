#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck disable=SC2317 # functions are run by check()
# Countries, networks and address lists in the running gateway: in the kernel's maps, refreshed by a reload, kept where a
# file is damaged or missing, also over a start. netns_addresses.sh BUILD FIXTURES
FIXTURES=$2
[ "$2" != inside ] || FIXTURES=$SLUICE_FIXTURES
export SLUICE_FIXTURES="$FIXTURES"
. "$(dirname "$0")/netns_common.sh"

has() {
	nft list map inet sluice "$1" | grep -q -- "$2"
}

has_not() {
	! has "$1" "$2"
}

reload_says() {
	! sluice reload >"$DIR/said" 2>&1 && { cat "$DIR/said"; grep -q -- "$1" "$DIR/said"; }
}

status_says() {
	sluice status | grep -q -- "$1"
}

log_says() {
	grep -q -- "$1" "$DIR/log"
}

# Both databases may be written while nobody reads them.
good_databases() {
	cp "$FIXTURES/country.mmdb" "$FIXTURES/asn.mmdb" "$DIR/"
	chmod 644 "$DIR/country.mmdb" "$DIR/asn.mmdb"
}

cat >"$DIR/gateway.hujson" <<TEXT
{
	"tunnel": {"interface": "tun-test", "existing": true, "addresses": ["100.64.0.1/10", "fd5a:51ce::1/48"]},
	"policy": "policy.hujson", "devices": "devices.hujson", "state": "$DIR/state", "run": "$DIR/run",
	"users": {"dnsd": "64701", "recorder": "64702"},
	"geo": {"country": "$DIR/country.mmdb", "asn": "$DIR/asn.mmdb"}, "refresh": 1,
}
TEXT
cat >"$DIR/policy.hujson" <<'TEXT'
{
	"grants": [{"src": ["a@example.com"], "dst": ["geo:DE", "10.9.0.0/16"], "ip": ["tcp:443"]}],
	"denies": [{"src": ["*"], "dst": ["asn:64501", "iplist:drop"], "ip": ["*"]}],
	"dns": {"iplists": {"drop": {"file": "drop.txt"}}},
	"tests": [{"src": "a@example.com", "accept": ["198.51.100.8:443"], "deny": ["203.0.113.9:443", "192.0.2.66:443"]}],
}
TEXT
cat >"$DIR/devices.hujson" <<'TEXT'
{"users": ["a@example.com"], "devices": [{"name": "a", "user": "a@example.com", "addresses": ["100.64.0.7"]}]}
TEXT
printf '192.0.2.64/26\n2001:db8:dead::/48\n# a comment\nno address\n' >"$DIR/drop.txt"
good_databases
tunnel_up

# Only the compiler misses what was not read.
only_checked() {
	"$BUILD/sluice-gatewayd" --check --config "$DIR/gateway.hujson" >"$DIR/said" 2>&1 || { cat "$DIR/said"; return 1; }
	grep -q 'P0911.*geo:DE' "$DIR/said"
}
check "--check compiles" only_checked

check "the gateway starts with countries, networks and a list" up
check "a country's addresses are in the kernel" has widenet4 198.51.100.0/24
check "its IPv6, too" has widenet6 2001:db8:a::/48
check "a network's are" has widenet4 203.0.113.0/24
check "a list's are" has widenet4 192.0.2.64/26
check "a line of it that is no address is said" status_says "iplist drop: 1 lines refused, the first is 4"
echo 192.0.2.128/25 >"$DIR/drop.txt"
check "a reload reads a list that has changed" sluice reload
check "what came is there" has widenet4 192.0.2.128/25
check "what went is gone" has_not widenet4 192.0.2.64/26
check "a reload of the same files works" sluice reload
echo 192.0.2.32/27 >"$DIR/drop.txt"
check "a list that changes comes into force by itself" until_ok 80 has widenet4 192.0.2.32/27
echo '{"grants": [{"src": ["nobody-there"' >"$DIR/policy.edited"
mv "$DIR/policy.hujson" "$DIR/policy.good"
mv "$DIR/policy.edited" "$DIR/policy.hujson"
echo 192.0.2.128/25 >"$DIR/drop.txt"
check "also while the policy file is being edited" until_ok 80 has widenet4 192.0.2.128/25
check "what went with the list is gone" has_not widenet4 192.0.2.32/27
mv "$DIR/policy.good" "$DIR/policy.hujson"
echo '<html>' >"$DIR/drop.txt"
check "a list that is refused is said" until_ok 80 status_says "iplist drop: line 1"
check "and the addresses of before stay" has widenet4 192.0.2.128/25
echo 192.0.2.128/25 >"$DIR/drop.txt"
is_well() {
	sluice status --json | grep -q '"last_reload":{"ok":true'
}
check "until it is well again" until_ok 80 is_well
head -c 700 "$FIXTURES/country.mmdb" >"$DIR/country.mmdb"
check "a damaged database is refused" reload_says "country.mmdb"
check "and what was compiled before stays" has widenet4 198.51.100.0/24
rm "$DIR/asn.mmdb"
check "a missing database is refused by name" reload_says "network database $DIR/asn.mmdb: No such file"
good_databases
echo '<html>' >"$DIR/drop.txt"
check "a list that has become a page is refused" reload_says "iplist drop: line 1"
sed -i 's/geo:DE/geo:NL/' "$DIR/policy.hujson"
echo 192.0.2.128/25 >"$DIR/drop.txt"
check "a country without an address in the database fails the policy's test" reload_says P0801
sed -i 's/geo:NL/geo:DE/' "$DIR/policy.hujson"
check "good files again" sluice reload
rm "$DIR/country.mmdb"
check "the gateway stops" stop
check "a start without the database works by what was in force" up
check "with the addresses of then" has widenet4 198.51.100.0/24
check "which it says" log_says "start.applied"
check "a reload says what is missing" reload_says "country database"
good_databases
check "a reload of good files works" sluice reload
check "they are the same" has widenet4 198.51.100.0/24
echo '{"grants": [{"src": ["*"], "dst": ["10.9.0.0/16"], "ip": ["*"]}]}' >"$DIR/policy.hujson"
check "a policy that asks for none of them" sluice reload
check "has none of them" has_not widenet4 198.51.100.0/24
check "and none is kept for it" [ ! -e "$DIR/state/applied/prefixes" ]
check "it stops" stop
finish
