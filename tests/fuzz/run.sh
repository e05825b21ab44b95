#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Run one libFuzzer target over its seeds: run.sh TARGET SEEDS [libFuzzer options]. New inputs go to a throw-away folder, so
# that a run changes nothing in the tree; a finding stays in ./crash-* and fails the run.
set -eu
target=$1 seeds=$2
shift 2
corpus=$(mktemp -d)
trap 'rm -rf "$corpus"' EXIT
[ -n "$(ls -A "$seeds")" ] || { echo "run.sh: no seeds in $seeds" >&2; exit 1; }
"$target" -max_len=65536 -timeout=10 "$@" "$corpus" "$seeds"
