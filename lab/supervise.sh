#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# What a service manager does: starts the gateway again when it ends, until $LAB/run-gateway is taken away.
# While there is $LAB/hold it waits: a test then sees the time without a gateway.
# supervise.sh LAB COMMAND...
TOP=$(cd "$(dirname "$0")/.." && pwd)
SLUICE_LAB=$1
shift
. "$TOP/lab/lib.sh"

: >"$LAB/run-gateway"
while [ -e "$LAB/run-gateway" ]; do
	while [ -e "$LAB/hold" ] && [ -e "$LAB/run-gateway" ]; do
		sleep 0.05
	done
	"$@" &
	record_pid gatewayd $!
	wait $!
	status=$?
	echo "supervisor: ended with status $status" >&2
	[ -e "$LAB/run-gateway" ] && sleep 0.1
done
