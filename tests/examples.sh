#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The examples of docs/policy.md and the policies of rules/ are accepted, and laid out as `sluice fmt` does it; and
# `sluice fmt` changes a file in place, keeps its comments and leaves what is no HuJSON alone.
# usage: examples.sh SLUICE SOURCE_ROOT
set -eu
sluice=$1 root=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
fail() {
	echo "$*"
	failed=1
}

awk -v work="$work" '/^```hujson/ { n++; on = 1; next } /^```/ { on = 0 } on { print > (work "/example-" n ".hujson") }' \
	"$root/docs/policy.md"
n=0
for file in "$work"/example-*.hujson "$root"/rules/*.hujson; do
	n=$((n + 1))
	"$sluice" check --policy "$file" >"$work/out" 2>&1 || { cat "$work/out"; fail "$file is refused"; }
done
"$sluice" fmt --check "$work"/example-*.hujson || fail "examples are not laid out as sluice fmt does it"
[ "$n" -ge 7 ] || fail "only $n examples were found"

printf '{"b": 1, // kept\n\n\n"a": {/* too */"c": [1,2]}}' >"$work/file.hujson"
chmod 640 "$work/file.hujson"
! "$sluice" fmt --check "$work/file.hujson" >"$work/out" || fail "fmt --check does not see a difference"
grep -q file.hujson "$work/out" || fail "fmt --check does not name the file"
"$sluice" fmt "$work/file.hujson" || fail "fmt fails"
printf '{\n\t"b": 1, // kept\n\n\t"a": {\n\t\t/* too */\n\t\t"c": [1, 2],\n\t},\n}\n' >"$work/expected"
diff -u "$work/expected" "$work/file.hujson" || fail "fmt lays out something else"
[ "$(stat -c %a "$work/file.hujson")" = 640 ] || fail "fmt changes the mode"
"$sluice" fmt --check "$work/file.hujson" || fail "fmt is not content with its own layout"
printf '{"a": ' >"$work/broken.hujson"
! "$sluice" fmt "$work/broken.hujson" 2>"$work/out" || fail "fmt takes what is no HuJSON"
grep -q P0003 "$work/out" || fail "fmt does not say what is wrong"
[ "$(cat "$work/broken.hujson")" = '{"a": ' ] || fail "fmt changes what is no HuJSON"
[ "$(echo '[1]' | "$sluice" fmt -)" = "$(printf '[\n\t1,\n]')" ] || fail "fmt does not read standard input"
echo "$n examples"
exit $failed
