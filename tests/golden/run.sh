#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Goldens of the policy compiler. Each folder NNN-name holds a policy.hujson and what must come of it:
#   plan.txt prog.nft views.json log.json   what `sluice compile` prints (with devices.hujson)
#   diag.txt                                what `sluice check` prints of a policy that must be refused
# usage: run.sh [--update] SLUICE    --update writes what comes out instead of comparing.
# As root each prog.nft is also given to `nft -c -f`, in a network namespace of its own.
set -eu

update=no
if [ "${1:-}" = --update ]; then
	update=yes
	shift
fi
if [ $# -ne 1 ]; then
	echo "usage: run.sh [--update] SLUICE" >&2
	exit 2
fi
case $1 in
/*) sluice=$1 ;;
*) sluice=$PWD/$1 ;;
esac
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# compare CASE FILE: $work/out is what came, CASE/FILE what should.
compare() {
	if [ "$update" = yes ]; then
		cp "$work/out" "$1/$2"
	elif ! diff -u "$1/$2" "$work/out" >"$work/diff" 2>&1; then
		cat "$work/diff"
		return 1
	fi
}

# accepted FILE: nft takes it as a whole table.
accepted() {
	[ "$(id -u)" = 0 ] && command -v nft >/dev/null && unshare -n true 2>/dev/null || return 0
	unshare -n nft -c -f "$1"
}

compiled() {
	for output in plan:plan.txt nft:prog.nft views:views.json log:log.json; do
		(cd "$1" && "$sluice" compile --policy policy.hujson --devices devices.hujson \
			--format "${output%%:*}") >"$work/out" 2>"$work/err" || { cat "$work/err"; return 1; }
		compare "$1" "${output##*:}" || return 1
	done
	accepted "$1/prog.nft" || return 1
	(cd "$1" && "$sluice" check --policy policy.hujson --devices devices.hujson) >"$work/out" 2>&1 ||
		{ cat "$work/out"; return 1; }
}

refused() {
	set -- "$1" --policy policy.hujson
	[ ! -e "$1/devices.hujson" ] || set -- "$@" --devices devices.hujson
	if (case=$1 && shift && cd "$case" && "$sluice" check "$@") >"$work/out" 2>&1; then
		echo "$1 must be refused, and is not"
		return 1
	elif [ ! -s "$work/out" ]; then
		echo "$1 is refused without a word"
		return 1
	fi
	compare "$1" diag.txt
}

judge() {
	case $1 in
	1*) refused "$1" ;;
	*) compiled "$1" ;;
	esac
}

for policy in [0-9]*/policy.hujson; do
	case=${policy%/*}
	if judge "$case"; then
		echo "ok $case"
	else
		echo "not ok $case"
		failed=1
	fi
done
exit $failed
