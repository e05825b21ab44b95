#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The whole test suite. The last line is `N passed, N failed, N skipped`; the exit status is 0 when nothing failed.
set -u
TOP=$(cd "$(dirname "$0")/.." && pwd)
BUILD=${SLUICE_BUILD:-$TOP/build}
export TOP

usage() {
	cat <<'TEXT'
usage: sudo ./dev test [STAGE...]

  unit    unit, kernel and golden tests of the ordinary build
  asan    the unit tests again, with AddressSanitizer and UndefinedBehaviorSanitizer
  fuzz    each fuzz target over its seeds, and a few thousand inputs made from them
  lab     one test a promise (docs/promises.md), with the real gateway in network namespaces; CYCLES=1000 for the figure
          of the answer barrier; LAB_TESTS="p1-default-deny ..." for some of them
          SOAK_S=40: seconds of dns-soak, which alone runs for 30 minutes
  tour    every check of `./dev run --once`
  lint    ./dev lint

Without a stage: all of them. What needs root is skipped without it.
TEXT
}

passed=0 failed=0 skipped=0

tally() {
	passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
}

stage() {
	printf '\n== %s\n' "$*"
}

# ready DIRECTORY MESON-OPTION...: configured and compiled; what went wrong is shown, and counts as one failure.
ready() {
	_dir=$1
	shift
	_log=$(mktemp)
	if { [ -f "$_dir/build.ninja" ] || meson setup "$@" "$_dir" "$TOP"; } >"$_log" 2>&1 && ninja -C "$_dir" >"$_log" 2>&1; then
		rm -f "$_log"
		return 0
	fi
	grep -E 'error|FAILED|ERROR' "$_log" | head -n 30
	rm -f "$_log"
	printf 'not ok: %s does not build\n' "${_dir##*/}"
	tally 0 1 0
	return 1
}

# meson_tests DIRECTORY OPTION...: runs them and adds up what meson's own summary says.
meson_tests() {
	_dir=$1
	shift
	_log=$(mktemp)
	meson test -C "$_dir" --no-rebuild --print-errorlogs "$@" >"$_log" 2>&1
	_status=$?
	cat "$_log"
	# shellcheck disable=SC2046 # three numbers
	set -- $(awk -F: '
		/^(Ok|Expected Fail):/ { ok += $2 }
		/^(Fail|Unexpected Pass|Timeout):/ { bad += $2 }
		/^Skipped:/ { skip += $2 }
		END { print ok + 0, bad + 0, skip + 0 }' "$_log")
	rm -f "$_log"
	[ "$_status" = 0 ] || [ "$2" != 0 ] || set -- "$1" 1 "$3"
	tally "$1" "$2" "$3"
}

stage_unit() {
	stage "unit, kernel and golden tests"
	ready "$BUILD" || return
	meson_tests "$BUILD"
}

stage_asan() {
	stage "the same with AddressSanitizer and UndefinedBehaviorSanitizer"
	ready "$TOP/build-asan" -Dbuildtype=debug -Doptimization=1 -Db_sanitize=address,undefined -Db_lundef=false \
		-Darena=malloc || return
	meson_tests "$TOP/build-asan"
}

stage_fuzz() {
	stage "fuzz targets over their seeds"
	CC=clang ready "$TOP/build-fuzz" -Dbuildtype=debug -Doptimization=1 -Db_sanitize=address,undefined -Db_lundef=false \
		-Darena=malloc -Dfuzz=true -Dtests=false || return
	meson_tests "$TOP/build-fuzz" --suite fuzz
}

# can_lab: prints why not.
can_lab() {
	[ "$(id -u)" = 0 ] || {
		echo "needs root"
		return 1
	}
	unshare --net true 2>/dev/null || {
		echo "this machine does not let root make network namespaces"
		return 1
	}
}

# counted COMMAND...: its output shown; its lines `ok`, `not ok`, `skip` (or PASS, FAIL) counted.
counted() {
	_log=$(mktemp) _counted=$*
	{
		"$@" 2>&1
		echo "exit status $?"
	} | tee "$_log" | grep -v '^exit status'
	# shellcheck disable=SC2046
	set -- $(awk '
		/^ok |^ +PASS / { ok++ }
		/^not ok |^ +FAIL / { bad++ }
		/^skip / { skip++ }
		END { print ok + 0, bad + 0, skip + 0 }' "$_log") "$(tail -n 1 "$_log")"
	rm -f "$_log"
	# A script that ended early has failed, whatever its lines say.
	if [ "$4" != "exit status 0" ] && [ "$2" = 0 ]; then
		printf 'not ok: %s\n' "$4 of $_counted"
		set -- "$1" 1 "$3"
	fi
	tally "$1" "$2" "$3"
}

stage_lab() {
	stage "the promises, in the lab"
	if ! why=$(can_lab); then
		printf 'skip lab tests: %s\n' "$why"
		tally 0 0 1
		return
	fi
	ready "$BUILD" || return
	[ -z "$all" ] || lint_begin
	for _test in "$TOP"/tests/lab/*.sh; do
		_name=$(basename "$_test" .sh)
		[ "$_name" != common ] || continue
		case " ${LAB_TESTS:-$_name} " in
		*" $_name "*) counted env SOAK_S="${SOAK_S:-40}" timeout -k 30 "${LAB_TIMEOUT:-300}" "$_test" ;;
		esac
	done
}

stage_tour() {
	stage "the tour"
	if ! why=$(can_lab); then
		printf 'skip the tour: %s\n' "$why"
		tally 0 0 1
		return
	fi
	ready "$BUILD" || return
	SLUICE_LAB=${SLUICE_LAB:-/run/sluice-test} SLUICE_LAB_NS=${SLUICE_LAB_NS:-sltest} \
		counted timeout -k 30 300 "$TOP/lab/run.sh" --once
}

# The linters need processors for minutes, and the lab mostly waits: in a whole run they go on behind it.
lint_log='' lint_pid=''
lint_begin() {
	lint_log=$(mktemp)
	(
		nice -n 19 "$TOP/tests/lint.sh" --all >"$lint_log" 2>&1
		echo "exit status $?" >>"$lint_log"
	) &
	lint_pid=$!
}

lint_show() {
	sed '$d' "$lint_log"
	[ "$(tail -n 1 "$lint_log")" = "exit status 0" ]
}

stage_lint() {
	stage "lint"
	if [ -n "$lint_pid" ]; then
		wait "$lint_pid"
		counted lint_show
		rm -f "$lint_log"
		return
	fi
	ready "$BUILD" || return
	counted "$TOP/tests/lint.sh" --all
}

for argument; do
	case $argument in
	unit | asan | fuzz | lab | tour | lint) ;;
	-h | --help)
		usage
		exit 0
		;;
	*)
		usage >&2
		exit 2
		;;
	esac
done
all=''
[ $# != 0 ] || all=1
[ $# != 0 ] || set -- unit asan fuzz lab tour lint
for argument; do
	from=$(date +%s)
	"stage_$argument"
	printf '(%s: %s s)\n' "$argument" $(($(date +%s) - from))
done
printf '\n%s passed, %s failed, %s skipped\n' $passed $failed $skipped
[ $failed = 0 ]
