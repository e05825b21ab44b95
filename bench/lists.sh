#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# BENCH: lists [--alone] [N...] lists of N names (1,000,000 and 5,000,000): memory a name and time to start, beside DNS servers
#
# --alone: only Sluice's own compiler and reader, without the servers. The servers are dnsbench's (bench/dns.sh), started with the
# same names and without them; none is put under load, so others may use the machine meanwhile, but for the seconds. ROUNDS (5).
set -eu
TOP=$(cd "$(dirname "$0")/.." && pwd)
BUILD=${SLUICE_BUILD:-$TOP/build}
DNSBENCH=${DNSBENCH:-$TOP/../shared/tools/dnsbench}
rounds=${ROUNDS:-5}

alone=
if [ "${1:-}" = --alone ]; then
  alone=1
  shift
fi
[ $# != 0 ] || set -- 1000000 5000000
[ -r "$DNSBENCH/src/namegen.c" ] || {
  echo "bench lists: dnsbench is not in $DNSBENCH: name its directory in DNSBENCH" >&2
  exit 1
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
cc -O2 -o "$work/namegen" "$DNSBENCH/src/namegen.c"

# median KEY FILE
median() {
  sed -n "s/.*\\b$1=\\([0-9.]*\\).*/\\1/p" "$2" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

# Seconds of one compilation, and its peak of memory.
compile() {
  /usr/bin/env time -f 'seconds=%e cpu=%U peak_kb=%M' -a -o "$work/compile" \
    "$BUILD/sluice" list-compile "$work/list" -o "$work/out" >/dev/null
}

echo "# medians of $rounds rounds"
echo '| names | text MB | from text s | CPU s | peak MB | compiled bytes/name | open and check ms | first match us | hit ns | miss ns |'
echo '|---|---|---|---|---|---|---|---|---|---|'
for n; do
  "$work/namegen" -n "$n" -s 7 >"$work/names"
  sed 's/.*/||&^/' "$work/names" >"$work/list"
  awk -v step="$((n / 100000 + 1))" "NR % step == 0" "$work/names" >"$work/asked"
  rm -f "$work/compile"
  for _ in $(seq "$rounds"); do
    compile
  done
  "$BUILD/bench/list_cost" "$work/out" "$work/asked" "$rounds" >"$work/cost"
  awk -v n="$n" -v text="$(stat -c %s "$work/list")" -v s="$(median seconds "$work/compile")" -v cpu="$(median cpu "$work/compile")" \
    -v peak="$(median peak_kb "$work/compile")" -v bytes="$(stat -c %s "$work/out")" -v open="$(median open_ms "$work/cost")" \
    -v first="$(median first_us "$work/cost")" -v hit="$(median hit_ns "$work/cost")" -v miss="$(median miss_ns "$work/cost")" \
    'BEGIN { printf "| %d | %.0f | %.2f | %.2f | %.0f | %.2f | %.2f | %.1f | %.0f | %.0f |\n", n, text / 1e6, s, cpu, peak / 1024,
      bytes / n, open, first, hit, miss }'
done
[ -z "$alone" ] || exit 0

RESULTS=$work/results ROUNDS=0
export RESULTS ROUNDS
for n; do
  echo
  echo "# $n names blocked: the whole server; Sluice is all its processes"
  "$TOP/bench/dns.sh" block "$n" >"$work/log" 2>&1 || {
    tail -5 "$work/log" >&2
    exit 1
  }
  echo '| server | RSS MB without | with | bytes/name | peak MB | start without s | to blocking s | CPU s |'
  echo '|---|---|---|---|---|---|---|---|'
  awk -v n="$n" '
    function get(k, i) { for (i = 1; i <= NF; i++) if (index($i, k "=") == 1) return substr($i, length(k) + 2) }
    get("metric") == "load" && get("names") == n {
      if (get("failed")) { printf "| %s %s | did not start in %s s |\n", get("peer"), get("variant"), get("limit_s"); next }
      printf "| %s %s | %.1f | %.1f | %.1f | %.0f | %.2f | %.2f | %.2f |\n", get("peer"), get("variant"), get("base_kb") / 1024,
        get("rss_kb") / 1024, (get("rss_kb") - get("base_kb")) * 1024 / n, get("peak_kb") / 1024, get("base_ready_s"),
        get("ready_s"), get("load_cpu_s")
    }' "$RESULTS"
done
