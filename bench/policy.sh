#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# BENCH: policy [RULES [DEVICES...]]   compile, diff, load and commit by the number of devices (1000; 100 1000 10000 100000)
#
# A Markdown table. Not a test: it measures, and judges nothing.
set -eu
TOP=$(cd "$(dirname "$0")/.." && pwd)
build=${SLUICE_BUILD:-$TOP/build}
rules=${1:-1000}
[ $# = 0 ] || shift
sizes=${*:-100 1000 10000 100000}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

echo "$rules rules; $(uname -r), $(nproc) processors"
echo
echo "peak: two plans, both programs and their difference. Change: one server has another tag, without and with the kernel."

# table [mixed]
table() {
	echo
	echo "| devices | read s | compile s | lower s | diff ms | peak MB | boxes | elements | load s | change: diff and" \
		"commit ms | elements - + | bytes |"
	echo "|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
	for devices in $sizes; do
		"$build/bench/policy_gen" "$devices" "$rules" "$work" "$@"
		printf '| %s | ' "$devices"
		"$build/bench/policy_cost" "$work"
	done
}

table
echo
echo "The same with up to three tags on every second device, and half of the rules from tag to tag:"
table mixed
