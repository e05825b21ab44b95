#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# BENCH: flows [FLOWS [DEVICES...]]   new and established flows by ruleset and number of devices (10000; 10 1000 10000)
#
# Markdown tables, medians of rounds in turn. Not a test: it measures, and judges nothing.
set -eu
TOP=$(cd "$(dirname "$0")/.." && pwd)
build=${SLUICE_BUILD:-$TOP/build}
flows=${1:-10000}
[ $# = 0 ] || shift
sizes=${*:-10 1000 10000}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" # rulesets are named by their folders

specs="nat none"
for devices in $sizes; do
	for kind in "" mixed; do
		mkdir "$devices$kind"
		# shellcheck disable=SC2086 # nothing is one argument less
		"$build/bench/policy_gen" "$devices" 1000 "$devices$kind" $kind
		specs="$specs plan:$devices$kind"
	done
	# The same with the gate that holds when the table is gone, and with a way out of its own in every grant.
	cp -r "$devices" "${devices}ways"
	sed -i -e 's/"ip": \(\[[^]]*\]\)/"ip": \1, "egress": "way"/' -e '/"denies"/,$s/, "egress": "way"//' \
		"${devices}ways/policy.hujson"
	specs="$specs gate:$devices plan:${devices}ways rules:$devices"
done

echo "1000 rules; $(uname -r). nat: conntrack and masquerade alone, which is what 100 % are of; none: no rules, no conntrack;"
echo "plan:N: our table, with N devices (mixed: up to three tags each; ways: every grant names a way out); gate:N: with the"
echo "gate, as the gateway runs it; rules:N: the same policy written by hand, one rule"
echo "after another."
echo
echo "Packets made by hand, on one processor. Of those that begin a flow some are refused: passed says how many got through."
echo
echo "| ruleset | passed % | new: CPU µs | new a second | established: CPU µs | packets a second | passed % | CPU of nat's % |"
echo "|--:|--:|--:|--:|--:|--:|--:|--:|"
# shellcheck disable=SC2086 # a list
"$build/bench/flow_cost" "$flows" 41 $specs
echo
echo "Sockets at both ends, and all three machines on one processor: a TCP download, and datagrams of 32 bytes to and fro."
echo
echo "| ruleset | TCP Gbit/s | CPU µs a MiB | CPU of nat's % | datagram: CPU µs | thousands a second | CPU of nat's % |"
echo "|--:|--:|--:|--:|--:|--:|--:|"
# shellcheck disable=SC2086
"$build/bench/stream_cost" 20 6400 201 $specs
