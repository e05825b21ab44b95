#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The collection of real block lists: what becomes of the lines of each, class by class, is exactly what
# data/blocklists.tsv says; lists that are published in several formats give the same verdicts. Prints a line for each
# class of refusal, with an example. The files belong to their owners and are not part of this project: without them
# (SLUICE_SHARED, or ../shared beside the sources) the test is skipped.
# usage: data_blocklists.sh SLUICE SOURCE_ROOT [--update]    (--update writes the table anew: read its diff)
set -eu
lists=${SLUICE_SHARED:-$2/../shared}/data/blocklists
if [ ! -d "$lists" ]; then
	echo "skipped: $lists is not here"
	exit 77
fi
sluice=$1
table=$2/tests/data/blocklists.tsv
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/lists"

for file in "$lists"/*; do
	name=$(basename "$file" .gz)
	case $file in
	*.gz) gunzip -c "$file" >"$work/lists/$name" ;;
	*) cp "$file" "$work/lists/$name" ;;
	esac
done

# file, outcome, class, how many; sorted, so that the order of a file's lines does not matter.
for file in "$work"/lists/*; do
	name=$(basename "$file")
	"$sluice" list-compile --report -o "$work/$name.out" "$file" >"$work/report"
	sed 1d "$work/report" | sed -E 's/^ *([0-9]+) ([a-z]+): (.*) \(line [0-9]+.*/\2\t\3\t\1/' |
		sed "s/^/$name	/" | sort
	grep ' refused: ' "$work/report" | sed "s/^/$name: /" >>"$work/refused" || true
done >"$work/table"

failed=0
if [ "${3-}" = --update ]; then
	{
		echo "# What becomes of the lines of each list in shared/data/blocklists: rules by what they do, lines that are"
		echo "# not applied by the reason. Written by data_blocklists.sh --update."
		cat "$work/table"
	} >"$table"
elif ! grep -v '^#' "$table" | diff -u - "$work/table"; then
	echo "the classes above are not those of $table (-: expected, +: now)"
	failed=1
fi
cat "$work/refused"
awk -F '\t' '{ n[$2] += $4 } END { printf "%d rules applied, %d lines skipped, %d refused\n", n["applied"], n["skipped"], n["refused"] }' "$work/table"

# What one list says of the names of another form of it, and of names below and beside them.
verdicts() {
	"$sluice" list-match "$work/$1.out" <"$work/names" | sed -E 's/"list":.*//'
}
same() {
	form=$1
	shift
	verdicts "$form" >"$work/first"
	[ "$(grep -c '"block"' "$work/first")" -ge "$n_names" ] || {
		echo "$form blocks fewer than its own $n_names names"
		failed=1
	}
	for other; do
		verdicts "$other" | cmp -s "$work/first" - || {
			echo "$form and $other differ"
			failed=1
		}
	done
	echo "$(wc -l <"$work/names") names, the same verdicts: $form $*"
}
# names FILE PATTERN: those that sed finds in the list, something below each, and something beside.
names() {
	sed -nE "$2" "$work/lists/$1" >"$work/own"
	n_names=$(wc -l <"$work/own")
	{
		cat "$work/own"
		sed 's/^/www./' "$work/own"
		sed 's/^/x/' "$work/own"
		sed -E 's/^[^.]*\.//' "$work/own" | grep -F . | sort -u
	} >"$work/names"
}
names hagezi-light-2023.adblock 's/^\|\|(.*)\^$/\1/p'
same hagezi-light-2023.adblock hagezi-light-2023.wildcard hagezi-light-2023.dnsmasq hagezi-light-2023.unbound \
	hagezi-light-2023.rpz
names hagezi-doh-2023.adblock 's/^\|\|(.*)\^$/\1/p'
same hagezi-doh-2023.adblock hagezi-doh-2023.dnsmasq hagezi-doh-2023.rpz
names hagezi-multi-2023.adblock 's/^\|\|(.*)\^$/\1/p'
same hagezi-multi-2023.adblock hagezi-multi-2023.wildcard
names hagezi-light-2026.domains 's/^([^#].*)$/\1/p'
same hagezi-light-2026.domains hagezi-light-2026.hosts hagezi-light-2026.hosts-compressed
exit $failed
