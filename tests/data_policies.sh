#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The collection of real policies: every file has exactly the outcome that it must have, and every test in them that does
# not hold is one that is explained here. Prints a table. The files belong to their owners and are not part of this
# project: without them (SLUICE_SHARED, or ../shared beside the sources) the test is skipped.
# usage: data_policies.sh DATA_POLICIES_PROGRAM SOURCE_ROOT
set -eu
policies=${SLUICE_SHARED:-$2/../shared}/data/policies
if [ ! -e "$policies/INDEX.tsv" ]; then
	echo "skipped: $policies is not here"
	exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Which are refused, with which codes, and why that is right.
cat >"$work/refused" <<'END'
alexraskin	P0002	a template of another program, not HuJSON (INDEX.tsv: INVALID)
jhjaggars	P0203	ssh to a host that hosts does not define (3.1.8: undefined host)
perchnet	P0201	owners of tags are a group that groups does not define (3.1.8: undefined group)
the-technat	P0308 P1302 P1303	an ACL destination without ports (3.1.4); ssh to * and without users (3.1.8)
END
# Which have tests that are not run or fail with derived devices: how many fail, how many are not run, and why.
cat >"$work/explained" <<'END'
davafons	1	0	the source is let in as autogroup:admin, and only Tailscale's service knows who is one
keiretsu	0	6	some targets are svc:, virtual services, of which there are none here; all other targets of these tests hold
michaelahern	2	0	the source is let in as autogroup:admin, and only Tailscale's service knows who is one
END

for file in "$policies"/*.*json; do
	echo "$file"
done >"$work/files"
xargs "$1" <"$work/files" >"$work/table"

printf 'file\toutcome\theld\tfailed\tnot run\twhy\n'
failed=0
while IFS='	' read -r file outcome held bad idle why; do
	case=${file%%__*}
	codes=$(awk -F '\t' -v c="$case" '$1 == c { print $2 }' "$work/refused")
	reason=$(awk -F '\t' -v c="$case" '$1 == c { print $3 }' "$work/refused")
	expected=accept
	[ -z "$codes" ] || expected="refuse $codes"
	if [ "$outcome" != "$expected" ]; then
		echo "$file: expected $expected, got $outcome ($why)"
		failed=1
	fi
	allowed=$(awk -F '\t' -v f="$file" 'index(f, $1) == 1 { print $2 "\t" $3; exit }' "$work/explained")
	[ -n "$allowed" ] || allowed="0	0"
	if [ "$bad" != - ] && [ "$bad	$idle" != "$allowed" ]; then
		echo "$file: $bad tests fail and $idle are not run, expected $allowed: $why"
		failed=1
	fi
	[ -n "$reason" ] || reason=$(awk -F '\t' -v f="$file" 'index(f, $1) == 1 { print $4; exit }' "$work/explained")
	[ -z "$reason" ] || why=$reason
	printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$file" "$outcome" "$held" "$bad" "$idle" "$why"
done <"$work/table"
awk -F '\t' '{ n++; if ($2 == "accept") a++; h += $3; f += $4; i += $5 }
	END { print n " policies: " a " accepted, " n - a " refused; tests: " h " held, " f " failed, " i " not run" }' "$work/table"
entries=$(awk -F '\t' 'NR > 1 { n++; if ($7 == "INVALID") x++ } END { print n, x }' "$policies/INDEX.tsv")
[ "$entries" = "$(wc -l <"$work/table") $(grep -c P0002 "$work/table")" ] || {
	echo "INDEX.tsv has $entries files and invalid ones, the table others"
	failed=1
}
exit $failed
