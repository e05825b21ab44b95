#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# What is let pass for a while: for one device only, with what its answer leads to, until it ends by itself; over deaths of
# gatewayd and dnsd. What the policy denies stays denied.
# shellcheck source=tests/lab/common.sh
. "$(dirname "$0")/common.sh"

TRACKER4=203.0.113.9

# A second device with the laptop's view: what one is told is not to be given to the other.
sed -i "s|^\t\"devices\": \[|&{\"name\": \"gateway\", \"addresses\": [\"127.0.0.1\"], \"user\": \"ana@example.com\"},|" "$LAB/etc/devices.hujson"
sed -i "s|\"port\": 53, |\"port\": 53, \"listen\": [\"0.0.0.0\", \"::\"], |" "$CONFIG"
gateway_down
gateway_up
wait_until 10 device_answers laptop

blocked() {
	ask laptop "$1" | grep -q 'EDE: 15'
}
passes() {
	answers laptop "$1" A $TRACKER4
}
host_passes() {
	answers_from gw 127.0.0.1 "$1" $TRACKER4
}
host_blocked() {
	in_ns gw dig +tries=1 +time=2 @127.0.0.1 "$1" | grep -q 'EDE: 15'
}
# allowed PATTERN ARGUMENT...: what `sluice allow` says.
allowed() {
	_pattern=$1
	shift
	sluice allow "$@" >"$LAB/allowed" 2>&1 && says "$_pattern" "$LAB/allowed"
}
paused() {
	sluice pause "$@" >"$LAB/allowed" 2>&1
}
in_force() {
	sluice allow --list --json | jq -r '.overrides | length'
}
none_in_force() {
	[ "$(in_force)" = 0 ]
}

expect "a listed name is blocked" blocked tracker.example.org
expect "for another device of the same view, too" host_blocked tracker.example.org

# One device.
expect "it is allowed for the laptop" allowed '^allow 1: tracker\.example\.org passes for device laptop, (2 min 0|1 min 59) s left$' \
	tracker.example.org --for 2m --device laptop
expect "when clients notice is said" says 'ask again when that answer is old' "$LAB/allowed"
expect "it passes" passes tracker.example.org
expect "and again, from the cache" passes tracker.example.org
expect "not for another device of the same view" host_blocked tracker.example.org
expect "again" host_blocked tracker.example.org
expect "it passes all the same" passes tracker.example.org
expect "not what is below it" test -z "$(in_ns laptop dig +short @$GW_TUN4 x.tracker.example.org A | grep $TRACKER4)"
expect "another listed name is blocked" blocked ads.example.org
sluice dns lookup tracker.example.org --device laptop >"$LAB/lookup"
expect "dns lookup says why it passes" says '^passes by allow 1 ' "$LAB/lookup"
sluice explain laptop tracker.example.org >"$LAB/explained"
expect "explain does" says '^name +pass: by allow 1 ' "$LAB/explained"
sluice status >"$LAB/status"
expect "status does, with the time that is left" says '^allow 1: tracker\.example\.org passes for device laptop, (2 min 0|1 min [0-9]+) s left$' "$LAB/status"
expect "the log does" says 'allow\.begun id=1 kind=allow device="laptop" name="tracker\.example\.org"' "$LAB/log/supervisor"

# What kills cannot take.
kill -9 "$(child_pid dnsd)"
expect "dnsd is killed: it passes again" wait_until 5 passes tracker.example.org
expect "for the laptop only" host_blocked tracker.example.org
old=$(gateway_pid)
kill -9 "$old"
again() {
	[ "$(gateway_pid)" != "$old" ] && passes tracker.example.org
}
expect "gatewayd is killed: it passes again" wait_until 15 again
expect "for the laptop only, too" host_blocked tracker.example.org
expect "it has its number still" sh -c "$BUILD/sluice --config $CONFIG allow --list | grep -q '^allow 1: '"

# Ended by hand.
expect "it is ended by its name" sluice allow --end tracker.example.org
expect "and blocked at once" blocked tracker.example.org
expect "nothing is in force" none_in_force
refuse "what is not in force cannot be ended" sluice allow --end 1
expect "the log tells of the end" says 'allow\.ended id=1 kind=allow device="laptop" why=asked' "$LAB/log/supervisor"

# An alias: what the name leads to passes with it.
expect "an alias of a listed name is blocked" blocked cname-to-tracker.example.org
expect "it is allowed for the laptop" allowed '^allow 2: ' cname-to-tracker.example.org --device laptop
expect "it passes with its target" passes cname-to-tracker.example.org
expect "for the laptop only" host_blocked cname-to-tracker.example.org
expect "the target itself does not" blocked tracker.example.org
expect "it is ended by its number" sluice allow --end 2
expect "what was cached is judged anew" blocked cname-to-tracker.example.org

# Below a name, for all.
expect "all below a name are allowed for all" allowed '^allow 3: example\.org and what is below it pass for all devices, 9 min ' \
	example.org --below --for 599s
expect "they pass" passes tracker.example.org
expect "for others, too" host_passes tracker.example.org
expect "the same once more renews it" allowed '^allow 3: .* 19 min ' example.org --below --for 1199s
expect "there is one" test "$(in_force)" = 1
expect "it is ended" sluice allow --end 3

# Until it ends by itself.
expect "for three seconds" allowed '^allow 4: ' tracker.example.org --for 3s
expect "it passes" passes tracker.example.org
over() {
	none_in_force && blocked tracker.example.org
}
expect "it ends by itself" wait_until 10 over
expect "the log says so" says 'allow\.ended id=4 .* why=over' "$LAB/log/supervisor"
expect "one that ends while there is no gateway" allowed '^allow 5: ' tracker.example.org --for 2s
until_s=$(sluice allow --list --json | jq -r '.overrides[0].until')
: >"$LAB/hold"
kill -9 "$(gateway_pid)"
is_over() {
	[ "$(date +%s)" -gt "$until_s" ]
}
wait_until 10 is_over
rm -f "$LAB/hold"
expect "is over with the next one" wait_until 15 over

# A pause.
expect "a policy denies a name" apply 's|//denies "denies": .*|"denies": [{"src": ["group:family"], "dst": ["dns:other.example.org"], "ip": ["*"]}],|'
expect "the laptop is paused" paused --for 1m --device laptop
expect "that is said" says '^pause 6: every name passes for device laptop, ' "$LAB/allowed"
expect "a listed name passes" passes tracker.example.org
expect "another one, too" ask laptop ads.example.org
refuse "which is not blocked" blocked ads.example.org
expect "another device is not paused" host_blocked tracker.example.org
expect "what the policy denies stays denied" blocked other.example.org
expect "also by name, which is said" allowed '^but /denies/0 of the policy denies it' other.example.org --device laptop
expect "and is so" blocked other.example.org
expect "a reload leaves the pause" apply ''
expect "a listed name passes still" passes tracker.example.org
expect "although the policy's tests have it blocked" says '^plan ' "$LAB/reload"
expect "the pause is ended by the device" sluice pause --end laptop
expect "a listed name is blocked" blocked tracker.example.org
expect "all devices are paused" paused --for 1m
expect "a listed name passes" passes tracker.example.org
expect "for others, too" host_passes tracker.example.org
expect "it is ended" sluice pause --end all
expect "and blocked for all" host_blocked tracker.example.org

# What is refused.
said() {
	_pattern=$1
	shift
	! sluice allow "$@" >"$LAB/allowed" 2>&1 && says "$_pattern" "$LAB/allowed"
}
expect "a device that is none, with the one that was meant" said 'did you mean "laptop"' tracker.example.org --device lptop
expect "more than seven days, which is said" said 'seven days at most' tracker.example.org --for 8d
refuse "no time" sluice allow tracker.example.org --for soon
refuse "no name" sluice allow --for 10m
refuse "a name for a pause" sluice pause tracker.example.org
expect "a device by its address" allowed 'for device laptop' tracker.example.org --device $LAPTOP4

# A file that is damaged lets nothing pass, and keeps nobody from starting.
gateway_down
echo '{"last": 9, "overrides": [{"id": 1' >"$LAB/state/overrides.json"
gateway_up
expect "a damaged file lets nothing pass" wait_until 10 blocked tracker.example.org
expect "and is said" says 'allow\.failed error="[^"]*overrides\.json: damaged' "$LAB/log/supervisor"
expect "what is allowed then is kept" allowed '^allow 1: ' tracker.example.org
expect "it passes" passes tracker.example.org
