# shellcheck shell=sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Sourced first by tests that run the real gateway in a network namespace of its own: goes into one, and gives them a
# folder $DIR that goes at the end, with the gateway, and what they check with. They set nothing of it, and end with
# `finish`. usage: . netns_common.sh    with the caller's arguments: BUILD
set -u
[ "$(id -u)" = 0 ] || exit 77
if [ "${2:-}" != inside ]; then
	exec unshare -n "$0" "$1" inside
fi

BUILD=$1
DIR=$(mktemp -d /tmp/sluice-netns.XXXXXX) || exit 1
GATEWAY=
failed=0

# shellcheck disable=SC2317
clean() {
	[ -n "$GATEWAY" ] && kill -9 "$GATEWAY" 2>/dev/null
	rm -rf "$DIR"
}
trap clean EXIT
chmod 755 "$DIR"

check() {
	_what=$1
	shift
	if "$@" >"$DIR/out" 2>&1; then
		echo "ok   $_what"
	else
		echo "FAIL $_what"
		cat "$DIR/out"
		failed=1
	fi
}

die() {
	echo "FAIL $1"
	cat "$DIR/log"
	exit 1
}

# until_ok TENTHS COMMAND...
until_ok() {
	_left=$1
	shift
	until "$@" >/dev/null 2>&1; do
		_left=$((_left - 1))
		[ "$_left" -gt 0 ] || return 1
		sleep 0.1
	done
}

sluice() {
	"$BUILD/sluice" "$@" --config "$DIR/gateway.hujson"
}

up() {
	"$BUILD/sluice-gatewayd" --config "$DIR/gateway.hujson" 2>>"$DIR/log" &
	GATEWAY=$!
	until_ok 100 sluice status
}

stop() {
	kill "$GATEWAY" && wait "$GATEWAY"
}

refused() {
	! sluice reload
}

# A tunnel that somebody else made.
tunnel_up() {
	ip link set lo up
	ip link add tun-test type veth peer name tun-peer
	ip addr add 100.64.0.1/10 dev tun-test
	ip link set tun-test up
}

finish() {
	[ "$failed" = 0 ] || cat "$DIR/log"
	exit "$failed"
}
