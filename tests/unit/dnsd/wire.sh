#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# test_wire with the messages that others have collected, where they are: they are not part of this project
# (SLUICE_SHARED, or ../shared beside the sources).
# usage: wire.sh TEST_PROGRAM SLUICE_DNSD SOURCE_ROOT
set -eu
data=${SLUICE_SHARED:-$3/../shared}/data/dns-wire
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ -d "$data" ]; then
	for file in "$data"/*.tar.gz; do
		tar -xzf "$file" -C "$work"
	done
	cp -r "$data/pcap" "$data/dnsperf" "$work"
	export SLUICE_DNS_WIRE="$work"
fi
"$1" "$2"
