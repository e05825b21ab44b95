#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# BENCH: flows [FLOWS [DEVICES...]]   a packet that begins a flow, by the number of devices (20000; 10 1000 10000)
#
# A Markdown table, medians of five rounds. Not a test: it measures, and judges nothing.
set -eu
TOP=$(cd "$(dirname "$0")/.." && pwd)
build=${SLUICE_BUILD:-$TOP/build}
flows=${1:-20000}
[ $# = 0 ] || shift
sizes=${*:-10 1000 10000}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

echo "1000 rules, $flows flows a round; $(uname -r)"
echo
echo "Of the packets some are refused: passed says how many got through."
echo
echo "| devices | passed % | CPU µs a flow | wall µs a flow | flows a second |"
echo "|--:|--:|--:|--:|--:|"
printf '| no rules | '
"$build/bench/flow_cost" "$flows"
for devices in $sizes; do
	for kind in "" mixed; do
		# shellcheck disable=SC2086 # nothing is one argument less
		"$build/bench/policy_gen" "$devices" 1000 "$work" $kind
		printf '| %s %s | ' "$devices" "$kind"
		"$build/bench/flow_cost" "$flows" "$work"
	done
	# Every grant with a way out of its own: looked up before routing, too.
	"$build/bench/policy_gen" "$devices" 1000 "$work"
	sed -i -e 's/"ip": \(\[[^]]*\]\)/"ip": \1, "egress": "way"/' -e '/"denies"/,$s/, "egress": "way"//' "$work/policy.hujson"
	printf '| %s ways out | ' "$devices"
	"$build/bench/flow_cost" "$flows" "$work"
done
