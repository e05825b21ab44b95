#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# What machines can say about the sources. One line a check: `ok NAME` or `not ok NAME`, what was found before it.
set -u
TOP=$(cd "$(dirname "$0")/.." && pwd)
BUILD=${SLUICE_BUILD:-$TOP/build}
cd "$TOP" || exit 1

LINES_ASK=600   # a .c of that length: is it still one concept? (docs/style of the project: CONTRIBUTING.md)
LINES_MAX=1000  # and that is a failure

usage() {
	cat <<'TEXT'
usage: ./dev lint [--all | --changed]

Formatting (clang-format), static analysis (clang-tidy, cppcheck), shell scripts (shellcheck), SPDX lines, file sizes.
--changed (the default outside of `./dev test`): clang-tidy looks only at the .c files that differ from the last commit
and at those that include a header that does. --all: at every file.
TEXT
}

scope=changed
case "${1:-}" in
'' | --changed) ;;
--all) scope=all ;;
-h | --help)
	usage
	exit 0
	;;
*)
	usage >&2
	exit 2
	;;
esac

n_failed=0
out=$(mktemp)
trap 'rm -f "$out"' EXIT

# report NAME STATUS
report() {
	if [ "$2" = 0 ]; then
		printf 'ok lint: %s\n' "$1"
	else
		head -n 60 "$out"
		printf 'not ok lint: %s\n' "$1"
		n_failed=$((n_failed + 1))
	fi
}

# sources PATTERN...: files of the tree, without build directories.
sources() {
	for pattern; do
		find . \( -name 'build*' -o -name .git -o -name .cache \) -prune -o -type f -name "$pattern" -print
	done | sort
}

scripts() {
	sources '*.sh'
	for file in ./dev ./.ci/run; do
		[ -f $file ] && echo $file
	done
}

check_format() {
	sources '*.c' '*.h' | xargs -r clang-format --dry-run -Werror >"$out" 2>&1
	report clang-format $?
}

check_spdx() {
	{
		sources '*.c' '*.h'
		scripts
	} | while read -r file; do
		head -n 3 "$file" | grep -q 'SPDX-License-Identifier: GPL-3.0-or-later' || echo "$file: no SPDX line"
	done >"$out"
	[ ! -s "$out" ]
	report "SPDX lines" $?
}

check_size() {
	sources '*.c' '*.h' | xargs -r awk -v ask=$LINES_ASK -v max=$LINES_MAX '
		FNR == 1 && file != "" { size(file, n) }
		{ file = FILENAME; n = FNR }
		END { size(file, n); exit bad }
		function size(f, n) {
			if (n > max) { print f ": " n " lines, the limit is " max; bad = 1 }
			else if (n > ask) print f ": " n " lines: still one concept?"
		}' >"$out"
	status=$?
	[ $status != 0 ] || cat "$out"
	report "file sizes" $status
}

check_shell() {
	# 2034: what a sourced file sets is used by who sources it. 1091, 2154: and the other way round.
	scripts | xargs -r shellcheck -S warning -e SC2034,SC1091,SC2154 >"$out" 2>&1
	report shellcheck $?
}

# The .c files for clang-tidy that are compiled here.
tidy_files() {
	compiled=$(sed -n 's/^ *"file": "\(.*\)",\{0,1\}$/\1/p' "$BUILD/compile_commands.json" | sort -u)
	if [ $scope = all ]; then
		printf '%s\n' "$compiled"
		return
	fi
	changed=$(git -c safe.directory='*' status --porcelain --untracked-files=all 2>/dev/null | sed 's/^...//; s/.* -> //')
	headers=$(printf '%s\n' "$changed" | sed -n 's/\.h$/.h"/p' | sed 's|^include/||')
	printf '%s\n' "$compiled" | while read -r file; do
		relative=$(cd "$BUILD" && realpath --relative-to="$TOP" "$file")
		if printf '%s\n' "$changed" | grep -qxF "$relative" ||
			{ [ -n "$headers" ] && grep -qF "$headers" "$TOP/$relative"; }; then
			echo "$file"
		fi
	done
}

check_tidy() {
	if [ ! -s "$BUILD/compile_commands.json" ]; then
		echo "no compile_commands.json: ./dev build comes first" >"$out"
		report clang-tidy 1
		return
	fi
	# -Wno-unknown-warning-option: the build's flags are gcc's.
	tidy_files | (cd "$BUILD" && xargs -r -n 4 -P "$(nproc)" \
		clang-tidy --quiet -p . --extra-arg=-Wno-unknown-warning-option) >"$out" 2>/dev/null
	report "clang-tidy ($scope)" $?
}

check_cppcheck() {
	# memleak, uninitvar: it knows neither the cleanup attribute nor cursors; sanitizers and clang-tidy do.
	sources '*.c' | grep -v '/tests/' | xargs -r cppcheck --quiet --std=c11 --language=c -I . -I include \
		-j "$(nproc)" --enable=warning,portability --inline-suppr --error-exitcode=1 -D_GNU_SOURCE \
		--suppress=memleak --suppress=uninitvar --suppress=missingInclude \
		--suppress=normalCheckLevelMaxBranches --suppress=unknownMacro \
		>"$out" 2>&1
	report cppcheck $?
}

check_spdx
check_size
check_format
check_shell
check_cppcheck
check_tidy
[ $n_failed = 0 ]
