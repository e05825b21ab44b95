#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Countries, networks, address lists, schedules and explanations through the command, as a user types it.
# usage: additions.sh SLUICE FIXTURES
set -eu
sluice=$1
fixtures=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
failed=0

# expect WHAT TEXT: the last output ($work/out) holds TEXT.
expect() {
	grep -qF -- "$2" out || { echo "$1: no \"$2\" in:"; cat out; failed=1; }
}

cat >policy.hujson <<'P'
{
  "groups": {"group:family": ["ana@example.com"]},
  "tagOwners": {"tag:tv": []},
  "grants": [
    {"src": ["group:family"], "dst": ["autogroup:internet"], "ip": ["*"], "when": "daily 07:00-21:00 Europe/Paris"},
    {"src": ["tag:tv"], "dst": ["geo:DE"], "ip": ["tcp:443"]},
  ],
  "denies": [
    {"src": ["*"], "dst": ["asn:64501", "iplist:drop"], "ip": ["*"]},
    {"src": ["tag:tv"], "dst": ["dns:*.telemetry.example"], "ip": ["*"], "reject": true},
  ],
  "dns": {
    "lists": {"ads": {"file": "ads.txt"}},
    "iplists": {"drop": {"url": "https://lists.example/drop.txt"}},
    "filters": [
      {"src": ["*"], "block": ["ads", "||games.example^"], "when": "Mon-Fri 08:00-16:00 Europe/Paris"},
      {"src": ["*"], "block": ["ads"]},
    ],
  },
  "tests": [
    {"src": "tag:tv", "accept": ["198.51.100.8:443"], "deny": ["203.0.113.9:443", "192.0.2.66:443"]},
    {"src": "ana@example.com", "at": "2026-11-21T12:00:00Z", "accept": ["192.0.2.1:80", "dns:a.example:80"],
     "dns": {"pass": ["games.example"], "block": ["ads.example"]}},
    {"src": "ana@example.com", "at": "2026-11-20T09:00:00Z", "dns": {"block": ["games.example"]}},
    {"src": "ana@example.com", "at": "2026-11-21T20:30:00Z", "deny": ["192.0.2.1:80"]},
  ],
}
P
cat >devices.hujson <<'D'
{"users": ["ana@example.com"], "devices": [
  {"name": "laptop", "addresses": ["100.64.0.2"], "user": "ana@example.com"},
  {"name": "tv", "addresses": ["100.64.0.9"], "tags": ["tag:tv"]}]}
D
echo '0.0.0.0 ads.example' >ads.txt
mkdir -p state/lists
echo '192.0.2.64/26' >state/lists/drop.txt
cat >gateway.hujson <<G
{"tunnel": {"interface": "wg0", "addresses": ["100.64.0.1/10"]}, "state": "$work/state",
 "geo": {"country": "$fixtures/country.mmdb", "asn": "$fixtures/asn.mmdb"}}
G
files="--policy policy.hujson --devices devices.hujson"
world="--geo $fixtures/country.mmdb --asn $fixtures/asn.mmdb --iplist drop=state/lists/drop.txt"

# Both ways of naming the data; without it check warns and eval refuses.
# shellcheck disable=SC2086 # words on purpose
{
$sluice check $files $world >out 2>&1 || { echo "check:"; cat out; failed=1; }
[ ! -s out ] || { echo "check says:"; cat out; failed=1; }
$sluice check $files --gateway gateway.hujson >out 2>&1 || { echo "check --gateway:"; cat out; failed=1; }
$sluice check $files >out 2>&1 || { echo "check without data:"; cat out; failed=1; }
expect "check without data" "warning P0911: geo:DE"
expect "check without data" "warning P0804"
if echo '{}' | $sluice eval $files >out 2>&1; then echo "eval without data"; failed=1; fi
expect "eval without data" "error P0910: iplist:drop"

packets='{"src":"100.64.0.9","dst":"198.51.100.8","proto":"tcp","port":443}
{"src":"100.64.0.9","dst":"203.0.113.9","proto":"tcp","port":443}
{"src":"100.64.0.9","dst":"192.0.2.1","proto":"tcp","port":443}
{"src":"100.64.0.9","dst":"198.51.100.8","proto":"tcp","port":443,"name":"x.telemetry.example"}
{"src":"100.64.0.2","dst":"192.0.2.1","proto":"tcp","port":80}'
echo "$packets" | $sluice eval $files $world --at 2026-11-21T12:00:00Z | cut -d'"' -f4 | tr '\n' ' ' >out
expect "eval by day" "accept drop drop reject accept "
echo "$packets" | $sluice eval $files $world --at 2026-11-21T20:30:00+00:00 | cut -d'"' -f4 | tr '\n' ' ' >out
expect "eval by night" "accept drop drop reject drop "
if $sluice eval $files $world --at noon </dev/null >out 2>&1; then echo "--at noon"; failed=1; fi
expect "--at noon" "a point in time"

echo '{"src":"100.64.0.2","name":"games.example","type":"A"}' | $sluice dns-eval $files --at 2026-11-20T09:00:00Z >out
expect "dns-eval on Friday" '"verdict":"block"'
echo '{"src":"100.64.0.2","name":"games.example","type":"A"}' | $sluice dns-eval $files --at 2026-11-21T09:00:00Z >out
expect "dns-eval on Saturday" '"verdict":"pass"'

$sluice explain $files $world --at 2026-11-21T20:30:00Z laptop 192.0.2.1 80 >out 2>&1 && { echo "explain"; failed=1; }
expect "explain" "class "
expect "explain" "/grants/0 does not match at policy.hujson:5:5: source yes (group:family), destination yes"
expect "explain" "but not at this time"
expect "explain" "/dns/filters/0: not at this time"
expect "explain" "2 others are not about this device"
$sluice explain $files $world --at 2026-11-20T12:00:00Z laptop games.example >out 2>&1 && { echo "explain name"; failed=1; }
expect "explain name" "name     block: filter line"
expect "explain name" "packet   accept"
$sluice explain $files $world --json tv x.telemetry.example >out 2>&1 && { echo "explain --json"; failed=1; }
expect "explain --json" '"name_rule":"/denies/1"'
expect "explain --json" '"packet":{"verdict":"reject"'
expect "explain --json" '{"rule":"/grants/0","at":"policy.hujson:5:5","matches":false,"source":false}'
$sluice explain $files $world tv 198.51.100.8 >out 2>&1 || { echo "explain allowed"; cat out; failed=1; }
expect "explain allowed" "rule     /grants/1 matches"

# Ways out: known to the gateway's settings, and told by explain: names choose before addresses.
cat >ways.hujson <<'P'
{"tagOwners": {"tag:tv": []}, "grants": [
  {"src": ["tag:tv"], "dst": ["autogroup:internet"], "ip": ["*"]},
  {"src": ["tag:tv"], "dst": ["dns:a.example"], "ip": ["tcp:443"], "egress": "vpn"},
  {"src": ["ana@example.com"], "dst": ["192.0.2.0/24"], "ip": ["*"], "egress": "lab"}]}
P
sed 's|"state"|"egress": {"vpn": {"interface": "wg9"}, "lab": {"table": 51}}, &|' gateway.hujson >ways-gateway.hujson
ways="--policy ways.hujson --devices devices.hujson"
$sluice check $ways >out 2>&1 || { echo "check of ways without a gateway"; cat out; failed=1; }
$sluice check $ways --gateway ways-gateway.hujson >out 2>&1 || { echo "check of ways"; cat out; failed=1; }
if $sluice check $ways --gateway gateway.hujson >out 2>&1; then echo "check of ways that are not"; failed=1; fi
expect "check of ways that are not" 'ways.hujson:3:78: error P1209: the gateway has no egress "vpn"'
$sluice explain $ways tv a.example 443 >out 2>&1 || { echo "explain a way"; cat out; failed=1; }
expect "explain a way" "egress   vpn"
$sluice explain $ways --json tv a.example 443 >out
expect "explain a way" '"egress":"vpn"}'
$sluice explain $ways tv 192.0.2.1 443 >out
grep -q egress out && { echo "explain no way"; cat out; failed=1; }
$sluice explain $ways laptop 192.0.2.1 443 >out
expect "explain a way by address" "egress   lab"
$sluice compile $ways --gateway ways-gateway.hujson --format nft >out
expect "compile ways" '"wg9",'
expect "compile ways" "chain bound_1 {"
}
exit $failed
