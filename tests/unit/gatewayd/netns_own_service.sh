#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck disable=SC2317 # functions are run by until_ok()
# A service of the gateway itself that talks to a device while that is quarantined: its next packet must not begin the
# flow anew in the opposite direction, by which all that the device says would be an answer. Nor may the gateway's own
# flow to the device go on, or a new one begin. netns_own_service.sh BUILD
. "$(dirname "$0")/netns_common.sh"

PIDS=
GROUPS_MADE= # of pipelines

# shellcheck disable=SC2329
clean_all() {
	for _pid in $PIDS; do kill -9 "$_pid" 2>/dev/null; done
	for _group in $GROUPS_MADE; do kill -9 "-$_group" 2>/dev/null; done
	clean
}
trap clean_all EXIT

# devices STATE
devices() {
	cat >"$DIR/devices.hujson" <<-TEXT
		{"users": ["a@example.com"], "devices": [
			{"name": "a", "user": "a@example.com", "addresses": ["100.64.0.7"], "state": "$1"}]}
	TEXT
}

# grown FILE BYTES
grown() {
	[ "$(wc -c <"$DIR/$1")" -gt "$2" ]
}

pings() {
	ping -c 1 -W 1 100.64.0.7
}

in_its_place() {
	[ "$(readlink "/proc/$DEVICE/ns/net")" != "$(readlink /proc/self/ns/net)" ]
}

cat >"$DIR/gateway.hujson" <<TEXT
{
	"tunnel": {"interface": "tun-test", "existing": true, "addresses": ["100.64.0.1/10"]},
	"policy": "policy.hujson", "devices": "devices.hujson", "state": "$DIR/state", "run": "$DIR/run",
	"users": {"dnsd": "64701", "recorder": "64702"},
}
TEXT
echo '{"grants": [{"src": ["a@example.com"], "dst": ["100.64.0.1"], "ip": ["tcp:7777"]}]}' >"$DIR/policy.hujson"
devices active
: >"$DIR/received"
: >"$DIR/answered"

# Both sides talk twenty times a second, whatever becomes of it; the service writes down what it hears.
cat >"$DIR/talk" <<'TEXT'
while printf x; do sleep 0.05; done | busybox nc "$@"
TEXT

tunnel_up
unshare -n sleep 60 &
DEVICE=$!
PIDS="$PIDS $DEVICE"
until_ok 50 in_its_place || die "a namespace for the device"
ip link set tun-peer netns "$DEVICE"
nsenter -t "$DEVICE" -n ip addr add 100.64.0.7/10 dev tun-peer
nsenter -t "$DEVICE" -n ip link set tun-peer up

up || die "the gateway starts"
setsid sh "$DIR/talk" -l -p 7777 >"$DIR/received" &
GROUPS_MADE="$GROUPS_MADE $!"
until_ok 100 sh -c 'ss -Hltn | grep -q :7777' || die "the service listens"
setsid nsenter -t "$DEVICE" -n sh "$DIR/talk" 100.64.0.1 7777 >/dev/null &
GROUPS_MADE="$GROUPS_MADE $!"
until_ok 100 grown received 0 || die "the device reaches the service"
setsid nsenter -t "$DEVICE" -n sh "$DIR/talk" -l -p 7778 >/dev/null &
GROUPS_MADE="$GROUPS_MADE $!"
until_ok 100 nsenter -t "$DEVICE" -n sh -c 'ss -Hltn | grep -q :7778' || die "the device listens"
setsid sh "$DIR/talk" 100.64.0.7 7778 >"$DIR/answered" &
GROUPS_MADE="$GROUPS_MADE $!"
until_ok 100 grown answered 0 || die "the gateway reaches the device"
until_ok 20 pings || die "the device answers a ping"
devices quarantined
sluice reload --json >"$DIR/reload" || die "a quarantine"
for file in received answered; do
	at=$(wc -c <"$DIR/$file")
	until_ok 15 grown $file "$at" && die "the device is heard after its quarantine ($file)"
done
echo "ok   the device is not heard after its quarantine"
pings >/dev/null && die "the gateway pings a device in quarantine"
echo "ok   the gateway begins nothing to it"
grep -Eq '"not_active":([2-9]|[1-9][0-9]+)[,}]' "$DIR/reload" || die "both flows are counted as cut: $(cat "$DIR/reload")"
echo "ok   both are counted as cut"
devices active
sluice reload >/dev/null || die "its release"
until_ok 20 pings || die "the device answers again after its release"
echo "ok   the device answers again after its release"
