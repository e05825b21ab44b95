#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck disable=SC2317,SC2329,SC2013 # functions are run by check(); numbers are words
# `sluice quarantine`, at two in the morning: with a policy file that is half written, a device file full of comments,
# without a gateway, and while the kernel's answers get lost; then a device whose time is up. Live flows are entries that
# the conntrack tool makes. netns_quarantine.sh BUILD
. "$(dirname "$0")/netns_common.sh"

# flow DEVICE-ADDRESS SERVER-ADDRESS: alive, as far as the kernel knows.
flow() {
	conntrack -I -s "$1" -d "$2" -p tcp --sport 40000 --dport 443 --reply-port-src 443 --reply-port-dst 40000 -t 300 \
		--state ESTABLISHED
}

# alive ADDRESS
alive() {
	case $1 in
	*:*) conntrack -L -f ipv6 -s "$1" 2>/dev/null | grep -q ESTABLISHED ;;
	*) conntrack -L -s "$1" 2>/dev/null | grep -q ESTABLISHED ;;
	esac
}

cut() {
	! alive "$1"
}

# says FILE TEXT
says() {
	grep -qF -- "$2" "$DIR/$1" || { cat "$DIR/$1"; false; }
}

# quarantine STATUS ARGUMENT...: what it says is in $DIR/said.
quarantine() {
	_wanted=$1
	shift
	sluice quarantine "$@" >"$DIR/said" 2>&1
	_status=$?
	cat "$DIR/said"
	[ $_status = "$_wanted" ]
}

same() {
	cmp "$DIR/$1" "$DIR/$2"
}

asks_dns() {
	nft list set inet sluice "$1" | grep -qF "$2"
}

asks_no_dns() {
	! asks_dns "$@"
}

is_link_of_mode() {
	[ -L "$DIR/devices.hujson" ] && [ "$(stat -c %a:%u "$DIR/real.hujson")" = "$1" ]
}

# The list compiler, a child of the launcher, which is gatewayd's only child, is there and stands still.
listc_stopped() {
	_launcher=$(cat "/proc/$GATEWAY/task/$GATEWAY/children")
	for _pid in $(cat "/proc/${_launcher% }/task/${_launcher% }/children"); do
		tr '\0' ' ' <"/proc/$_pid/cmdline" | grep -q 'listc' && kill -STOP "$_pid" && return 0
	done
	return 1
}

# later_than_said FILE: the reload of that answer came after what was said.
later_than_said() {
	[ "$(jq .generation "$DIR/$1")" -gt "$(jq .generation "$DIR/said")" ]
}

# logged PATTERN
logged() {
	grep -Eq "$1" "$DIR/log"
}

cat >"$DIR/gateway.hujson" <<TEXT
{
	"tunnel": {"interface": "tun-test", "existing": true, "addresses": ["100.64.0.1/10", "fd5a:51ce::1/48"]},
	"policy": "policy.hujson", "devices": "devices.hujson", "state": "$DIR/state", "run": "$DIR/run",
	"users": {"dnsd": "64701", "recorder": "64702"},
}
TEXT
cat >"$DIR/policy.good" <<'TEXT'
{
	"grants": [{"src": ["*"], "dst": ["autogroup:internet"], "ip": ["tcp:443"]}],
	"logs": [{"src": ["b@example.com"], "flows": "full"}],
	"tests": [{"src": "a@example.com", "accept": ["192.0.2.1:443"]}],
}
TEXT
cp "$DIR/policy.good" "$DIR/policy.hujson"
cat >"$DIR/devices.before" <<'TEXT'
// Who is who.
{
	"devices": [
		{"name": "a", /* ana's */ "addresses": ["100.64.0.7", "fd5a:51ce::7"], "user": "a@example.com"},
		{"name": "b", "addresses": ["100.64.0.8"], "user": "b@example.com", "state": "active"}, // ben's
		{"name": "tv", "addresses": ["100.64.0.9"], "user": "b@example.com", "state": "pending"},
	],
}
TEXT
sed 's|"a", /\*|"a", "state": "quarantined", /*|' "$DIR/devices.before" >"$DIR/devices.wanted"
cp "$DIR/devices.before" "$DIR/real.hujson"
chmod 640 "$DIR/real.hujson"
ln -s real.hujson "$DIR/devices.hujson"
tunnel_up
up || die "the gateway starts"

flow 100.64.0.7 192.0.2.1 >/dev/null 2>&1 || die "a flow"
flow fd5a:51ce::7 2001:db8::1 >/dev/null 2>&1 || die "an IPv6 flow"
flow 100.64.0.8 192.0.2.1 >/dev/null 2>&1 || die "another device's flow"
echo '{"grants": [{"src": ["*"], "dst": ["*"' >"$DIR/policy.hujson"
check "the policy file cannot be used" refused
check "a device goes into quarantine all the same" quarantine 0 a
check "the command says what was cut" says said "a quarantined: 2 flows cut"
check "its flow is cut" cut 100.64.0.7
check "its IPv6 flow, too" cut fd5a:51ce::7
check "the other device's lives" alive 100.64.0.8
check "it is no client of DNS any more" asks_no_dns dev4 100.64.0.7
check "the gateway begins nothing to it" asks_dns off4 100.64.0.7
check "the file differs by the state alone" same real.hujson devices.wanted
check "the link is one still, and the mode the same" is_link_of_mode 640:0
check "the cut is logged without whom it had talked to" \
	logged 'flow.cut device=a src=100.64.0.7 dst=- proto=tcp port=443 why="device is not active" rule=- was=/grants/0'
check "the plan's line counts it" logged 'plan.applied .* cut=2 not_active=2 cut_ms='
check "once more is no mistake" quarantine 0 100.64.0.7
check "it says so" says said "a already quarantined: 0 flows cut"
check "the other one, as JSON" quarantine 0 --json b
check "has the same" says said '"state":"quarantined","written":true,"in_force":true'
check "and counts by reason" says said '"not_active":1'
check "where flows are recorded, the log names the other end" logged 'flow.cut device=b src=100.64.0.8 dst=192.0.2.1 '
check "b is released" quarantine 0 --release b
check "and may ask for names again" asks_dns dev4 100.64.0.8
check "who waits for approval is not approved by a release" quarantine 0 --release tv
check "and it says so" says said "tv is pending"
check "nor a client" asks_no_dns dev4 100.64.0.9
cp "$DIR/real.hujson" "$DIR/kept"
check "an unknown device is refused" quarantine 1 nobody
check "with its name" says said "no device with the name or address nobody"
check "and the file is as it was" same real.hujson kept

check "the gateway stops" stop
check "without a gateway it is not in force" quarantine 1 b
check "which is said" says said "NOT IN FORCE; it is written in"
check "the gateway starts again, with the policy file broken" up
check "by the device file" asks_no_dns dev4 100.64.0.8
check "a is released" quarantine 0 --release a
check "b, too" quarantine 0 --release b
check "a is active" asks_dns dev4 100.64.0.7

cp "$DIR/real.hujson" "$DIR/kept"
sed 's|"name": "tv", ||' "$DIR/kept" >"$DIR/real.hujson"
check "a device file with an error is refused" quarantine 1 a
check "with the place" says said "devices.hujson:6:"
check "and nothing has changed" asks_dns dev4 100.64.0.7

cp "$DIR/policy.good" "$DIR/policy.hujson"
cp "$DIR/kept" "$DIR/real.hujson"
check "all files are good again" sluice reload

# While another reload waits for its lists.
seq -f '||n%.0f.example^' 2000000 >"$DIR/long.txt"
sed 's|"logs"|"dns": {"lists": {"long": {"file": "long.txt"}}, "filters": [{"src": ["*"], "block": ["long"]}]},\n\t&|' \
	"$DIR/policy.good" >"$DIR/policy.hujson"
sluice reload --json >"$DIR/slow" 2>&1 &
SLOW=$!
check "a reload waits for its lists" until_ok 50 listc_stopped
check "a quarantine does not wait for it" quarantine 0 --json b
check "which is not done yet" kill -0 $SLOW
check "and is done behind it" wait $SLOW
check "with its lists" later_than_said slow
check "and by the devices as they are now" asks_no_dns dev4 100.64.0.8
check "b is released once more" quarantine 0 --release b
cp "$DIR/policy.good" "$DIR/policy.hujson"
check "without the lists again" sluice reload
check "the gateway stops again" stop

# Behind a library that loses the kernel's answers for as long as a file is there.
export LD_PRELOAD="$BUILD/tests/unit/gatewayd/lossy.so" LOSSY_WHILE="$DIR/lossy" ASAN_OPTIONS=verify_asan_link_order=0
up || die "the gateway starts with a library before its own"
unset LD_PRELOAD
flow 100.64.0.8 192.0.2.1 >/dev/null 2>&1
: >"$DIR/lossy"
check "a quarantine whose live flows cannot be read is not done" quarantine 1 b
check "which is said" says said "IN FORCE FOR NEW FLOWS ONLY"
check "new flows have no way already" asks_no_dns dev4 100.64.0.8
check "the live one has" alive 100.64.0.8
check "the log says that, too" logged 'revoke.failed again_s=1 error="dump conntrack: interrupted'
rm "$DIR/lossy"
check "as soon as they can be read, it is cut" until_ok 50 cut 100.64.0.8
check "and logged as late" until_ok 20 logged 'revoke.late gen=[0-9]+ cut=1 not_active=1'
check "with what had allowed it" logged 'flow.cut device=b src=100.64.0.8 .* was=/grants/0'
check "b is released again" quarantine 0 --release b
cp "$DIR/real.hujson" "$DIR/kept"
flow 100.64.0.7 192.0.2.1 >/dev/null 2>&1
flow 100.64.0.8 192.0.2.1 >/dev/null 2>&1
sed "s|\"user\": \"a@example.com\"|&, \"expires\": \"$(date -u -d '+2 seconds' +%Y-%m-%dT%H:%M:%SZ)\"|" "$DIR/kept" >"$DIR/real.hujson"
check "a device gets an end" sluice reload
check "when it has come, its flow is cut" until_ok 300 cut 100.64.0.7
check "and no other" alive 100.64.0.8
check "it is no client any more" asks_no_dns dev4 100.64.0.7
finish
