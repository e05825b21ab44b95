#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck disable=SC2016
# Every event that the source logs is listed in docs/log-events.md, and the other way round. log_events.sh TREE
cd "$1" || exit 1
code=0
logged=$(cat base/*.c gatewayd/*.c dnsd/*.c recorder/*.c fetch/*.c | tr '\n\t' '  ' | grep -oE 'log_event\([^"]*"[a-z0-9_.]+"' |
	grep -oE '"[^"]+"' | tr -d '"' | sort -u)
listed=$(grep '^|' docs/log-events.md | cut -d'|' -f2 | grep -oE '`[^`]+`' | tr -d '`' | sort -u)
[ -n "$logged" ] || code=1
for event in $logged; do
	echo "$listed" | grep -qxF "$event" || { echo "docs/log-events.md does not list $event"; code=1; }
done
for event in $listed; do
	echo "$logged" | grep -qxF "$event" || { echo "docs/log-events.md lists $event, which nothing logs"; code=1; }
done
exit $code
