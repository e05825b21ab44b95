#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# What each process keeps of its privileges, as the kernel tells it (docs/architecture.md, "Processes").
# shellcheck source=tests/lab/common.sh
. "$(dirname "$0")/common.sh"

CAP_NET_ADMIN=0000000000001000

# field PID NAME: the field's first value in /proc/PID/status
field() {
	awk -v name="$2:" '$1 == name {print $2}' "/proc/$1/status"
}

# is PID FIELD VALUE
is() {
	[ "$(field "$1" "$2")" = "$3" ] || {
		grep "^$2:" "/proc/$1/status"
		return 1
	}
}

for role in dnsd:64701 recorder:64702; do
	name=${role%:*} uid=${role#*:} pid=$(child_pid "${role%:*}")
	expect "$name runs as $uid" is "$pid" Uid "$uid"
	expect "$name's group is its own" is "$pid" Gid "$uid"
	for set in CapEff CapPrm CapInh CapBnd CapAmb; do
		expect "$name: $set is empty" is "$pid" $set 0000000000000000
	done
	expect "$name: no new privileges" is "$pid" NoNewPrivs 1
	expect "$name: a seccomp filter" is "$pid" Seccomp 2
done

gateway=$(gateway_pid)
expect "gatewayd keeps CAP_NET_ADMIN alone" is "$gateway" CapEff $CAP_NET_ADMIN
expect "and can get no other" is "$gateway" CapPrm $CAP_NET_ADMIN
expect "nor by executing" is "$gateway" CapBnd $CAP_NET_ADMIN
expect "gatewayd: no new privileges" is "$gateway" NoNewPrivs 1
