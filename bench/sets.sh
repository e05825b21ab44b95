#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# BENCH: sets [N...]   loading sets of N elements, and one element more, by us and by nft (100000 1000000)
#
# A Markdown table. Not a test: it measures, and judges nothing. nft takes minutes with a million prefixes.
set -eu
TOP=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=bench/unheard.sh
. "$TOP/bench/unheard.sh"
build=${SLUICE_BUILD:-$TOP/build}
sizes=${*:-100000 1000000}

echo "$(uname -r), $(nft --version)"
echo
echo "nets, nets6: disjoint prefixes, an interval map; leases: client . address with a timeout, a hash. Kernel: what its"
echo "slabs have grown by, of the whole machine. One more: a batch until it is acknowledged (ours, median of up to 1001);"
echo "a run of the program (nft)."
echo
echo "| elements | through | load s | CPU s | peak MB | kernel MB | one in µs | out µs |"
echo "|--:|--|--:|--:|--:|--:|--:|--:|"
for n in $sizes; do
	for kind in nets nets6 leases; do
		for way in ours nft; do
			unheard
			printf '| %s %s | %s | ' "$n" "$kind" "$way"
			"$build/bench/set_cost" "$kind" "$n" "$way"
		done
	done
done
