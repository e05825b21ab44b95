#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# One list in every format gives the same verdicts, and those that it must give: made names, what is below them, what is
# beside and above them, in capitals and with a dot at the end. SLUICE_FORMAT_NAMES: how many, instead of 10,000; twice as
# many are asked for. 100,000 take a minute of CPU.
# usage: list_formats.sh SLUICE
set -eu
sluice=$1
n=${SLUICE_FORMAT_NAMES:-10000}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# No name is another one's suffix, and none is in what is asked as a near miss.
awk -v n="$n" 'BEGIN {
	for (i = 0; i < n; i++)
		if (i % 4 == 0) print "host" i ".example"
		else if (i % 4 == 1) print "a" i ".b" i % 97 ".test"
		else if (i % 4 == 2) print "x-" i "_y.c.d" i % 13 ".example.org"
		else print "p" i ".n" i ".net"
}' >"$work/names"

# name, verdict where what is below counts, verdict where the name alone does
awk '{
	print $1, "block", "block"
	i = NR % 9
	if (i == 0) print toupper($1) ".", "block", "block"
	else if (i == 1) print $1 ".", "block", "block"
	else if (i == 2) print "www." $1, "block", "none"
	else if (i == 3) print "_a.b.c." $1, "block", "none"
	else if (i == 4) print "x" $1, "none", "none"
	else if (i == 5) print $1 "x", "none", "none"
	else if (i == 6) print $1 ".local", "none", "none"
	else if (i == 7) print substr($1, 2), "none", "none"
	else print substr($1, index($1, ".") + 1), "none", "none"
}' "$work/names" >"$work/questions"
cut -d' ' -f1 "$work/questions" >"$work/asked"
cut -d' ' -f2 "$work/questions" >"$work/subtree"
cut -d' ' -f3 "$work/questions" >"$work/exact"
sed s/block/allow/ "$work/subtree" >"$work/allowed"
failed=0

# check TITLE EXPECTED: the list on standard input says EXPECTED of what is asked
check() {
	cat >"$work/list"
	"$sluice" list-compile --report -o "$work/out" "$work/list" >"$work/report"
	"$sluice" list-match "$work/out" <"$work/asked" | sed -E 's/.*"verdict":"([a-z]+)".*/\1/' >"$work/got"
	if grep ' refused: ' "$work/report"; then
		echo "not ok - $1: lines were refused"
		failed=1
	elif paste -d' ' "$work/asked" "$work/got" | sed 's/ /\t/' >"$work/said" && cmp -s "$work/got" "$2"; then
		echo "ok - $1"
	else
		echo "not ok - $1: name, verdict, expected verdict"
		paste "$work/said" "$2" | awk -F '\t' '$2 != $3' | head -5
		failed=1
	fi
}

sed 's/.*/||&^/' "$work/names" | check "adblock ||name^" "$work/subtree"
sed 's/.*/*.&/' "$work/names" | check "wildcard *.name" "$work/subtree"
sed 's/.*/.&/' "$work/names" | check "suffix .name" "$work/subtree"
sed 's/.*/address=\/&\/#/' "$work/names" | check "dnsmasq address=/name/#" "$work/subtree"
paste -sd'/////\n' "$work/names" | sed 's/.*/local=\/&\//;s/\/\/*$/\//' | check "dnsmasq local=/name/.../" "$work/subtree"
sed 's/.*/local-zone: "&." always_nxdomain/' "$work/names" | check "unbound local-zone" "$work/subtree"
sed 's/.*/local-zone: "&." redirect\nlocal-data: "&. A 0.0.0.0"/' "$work/names" |
	check "unbound redirect and local-data" "$work/subtree"
{
	printf "\$TTL 60\n@ SOA localhost. root.localhost. (\n 1 2 3 4 5 )\n NS localhost.\n"
	sed 's/.*/& CNAME .\n*.& CNAME ./' "$work/names"
} | check "RPZ with relative names" "$work/subtree"
{
	printf 'rpz.example. 60 IN SOA localhost. root.localhost. 1 2 3 4 5\n'
	sed 's/.*/&.rpz.example. 60 IN CNAME *.\n*.&.rpz.example. 60 IN CNAME rpz-drop./' "$work/names"
} | check "RPZ with absolute names, other actions" "$work/subtree"

sed 's/.*/0.0.0.0 &/' "$work/names" | check "hosts" "$work/exact"
{
	printf '\357\273\277127.0.0.1 localhost\r\n'
	paste -sd'        \n' "$work/names" | sed 's/.*/127.0.0.1\t&#comment\r/'
} | check "hosts, nine names a line, BOM, CRLF" "$work/exact"
check "domains" "$work/exact" <"$work/names"
tr '[:lower:]' '[:upper:]' <"$work/names" | sed 's/$/. # comment/' | check "domains in capitals, dots, comments" "$work/exact"
paste -sd'   \n' "$work/names" | check "several words a line" "$work/exact"
sed 's/.*/|&^/' "$work/names" | check "adblock |name^" "$work/exact"
sed 's/.*/local-data: "&. IN AAAA ::"/' "$work/names" | check "unbound local-data" "$work/exact"
{
	printf "\$ORIGIN rpz.example.\n@ SOA localhost. root.localhost. 1 2 3 4 5\n"
	sed 's/.*/&\tIN\tCNAME\t./' "$work/names"
} | check "RPZ, names alone, \$ORIGIN" "$work/exact"

sed 's/.*/@@||&^/' "$work/names" | check "adblock @@||name^" "$work/allowed"
sed 's/.*/& CNAME rpz-passthru.\n*.& CNAME rpz-passthru./' "$work/names" | check "RPZ passthru, no header" "$work/allowed"

# Regular expressions are limited in number.
head -n 500 "$work/names" >"$work/few"
mv "$work/few" "$work/names"
for file in asked subtree; do
	head -n 1000 "$work/$file" >"$work/few"
	mv "$work/few" "$work/$file"
done
sed 's/\./\\./g;s/.*/(^|\\.)&$/' "$work/names" | check "Pi-hole's expressions, 500 names" "$work/subtree"
exit $failed
