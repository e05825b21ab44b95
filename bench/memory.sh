#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# BENCH: memory [LIST]      resident memory of every process of the gateway, with a block list loaded (default: the lab's)
#
# RSS counts pages that processes share once for each; PSS shares them out, so that the sum is what the machine gives up.
set -eu
TOP=$(cd "$(dirname "$0")/.." && pwd)
BUILD=${SLUICE_BUILD:-$TOP/build}
export TOP BUILD
[ $# = 0 ] || export SLUICE_BLOCKLIST="$1"
# shellcheck source=tests/lab/common.sh
. "$TOP/tests/lab/common.sh"

# smaps KEY PID: kilobytes.
smaps() {
  awk -v key="$1:" '$1 == key { print $2 }' "/proc/$2/smaps_rollup"
}

memory_row() {
  printf '| %-10s | %6d | %6d | %6d |\n' "$1" "$(smaps Rss "$2")" "$(smaps Pss "$2")" "$(smaps Private_Dirty "$2")"
}

wait_until 10 answers laptop www.example.org A "$WEB4" || die "no answer"
children=$(sluice status --json | jq -r '.children | to_entries[] | "\(.key) \(.value.pid)"')
gatewayd=$(gateway_pid)
launcher=$(sed 's/ .*//' "/proc/$gatewayd/task/$gatewayd/children")
echo "# $(sluice status --json | jq -r '"\(.list_rules) list rules, \(.devices) devices"')"
echo '| process    | RSS kB | PSS kB | private dirty kB |'
echo '|---|---|---|---|'
{
  echo "gatewayd $gatewayd"
  echo "launcher $launcher"
  echo "$children"
} | while read -r name pid; do
  memory_row "$name" "$pid"
done
