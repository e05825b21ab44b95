#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# BENCH: dns [MODE ...]          the resolver beside other DNS servers, by dnsbench: cached, missed, paced, blocked
# Runs dnsbench with Sluice among its servers. dnsbench is a tool beside this tree, found by DNSBENCH=DIRECTORY and left as it
# is: a copy of it gets dnsbench-sluice.sh. Each server's configuration is in its peers.sh: `dns configs` prints them.
set -eu
TOP=$(cd "$(dirname "$0")/.." && pwd)
DNSBENCH=${DNSBENCH:-$TOP/../shared/tools/dnsbench}
SLUICE_BUILD=${SLUICE_BUILD:-$TOP/build}
export SLUICE_BUILD

PACKAGES="unbound dnsmasq knot-resolver pdns-recursor bind9 dnsdist nsd dnsperf iproute2 gcc libc6-dev"
# The yardsticks are in every run: figures are read as multiples of theirs.
YARDSTICKS="echo1 echo32 relay32 relaypool"
PEERS="unbound dnsmasq dnsmasq150 kresd pdnsrec bind dnsdist dnsdist32"

usage() {
	cat <<TEXT
usage: sudo ./dev bench dns [quick|main|block N|dnsperf|configs|report] [SERVER...]

  main      cached, paced and missed answers, 1 and 2 threads, everybody (the default; about an hour with ROUNDS=9)
  quick     the same, one round of one second: that everything runs, and no figures to keep
  block N   memory, start and throughput with N names blocked
  dnsperf   the cached load from dnsperf, as a check of the generator
  configs   each server's command and configuration
  report    the tables again, from RESULTS=FILE

SERVER...: only these ($YARDSTICKS $PEERS sluice). ROUNDS (9), SECS (3), BENCH_THREADS ("1 2") and the other settings: dnsbench's
README. Results are added to RESULTS (default: a new file below /tmp), and the tables are made of all that is in it. The machine must
be quiet, and have two cores.
TEXT
}

die() {
	echo "bench dns: $*" >&2
	exit 1
}

mode=${1:-main}
[ $# = 0 ] || shift
case $mode in
-h | --help | help)
	usage
	exit 0
	;;
quick | main | block | dnsperf | configs | report) ;;
*)
	usage >&2
	exit 2
	;;
esac
[ -x "$DNSBENCH/run.sh" ] || die "dnsbench is not in $DNSBENCH: name its directory in DNSBENCH"
[ "$mode" = report ] || [ "$(id -u)" = 0 ] || die "needs root, for a network namespace"

# What is compared must be there: a run without one of them would not say so in its tables.
for need in unbound:unbound dnsmasq:dnsmasq kresd:knot-resolver pdns_recursor:pdns-recursor named:bind9 dnsdist:dnsdist nsd:nsd \
	dnsperf:dnsperf; do
	command -v "${need%%:*}" >/dev/null || die "${need#*:} is missing: apt-get install --no-install-recommends $PACKAGES
  (a /usr/sbin/policy-rc.d that exits with 101 keeps them from starting as services)"
done

work=$(mktemp -d)
chmod 755 "$work" # the children of servers run under other users
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
mkdir "$work/tool" "$work/run"
cp -R "$DNSBENCH/." "$work/tool/"
chmod -R u+w "$work/tool"
cat "$TOP/bench/dnsbench-sluice.sh" >>"$work/tool/peers.sh"
sed -i 's/ dnsdist dnsdist32; do$/ dnsdist dnsdist32 sluice; do/' "$work/tool/run.sh" # of `configs`
RESULTS=${RESULTS:-$(mktemp /tmp/sluice-dnsbench.XXXXXX)}
BENCH_TMP=$work/run ROUNDS=${ROUNDS:-9}
export RESULTS BENCH_TMP ROUNDS

case $mode in
quick)
	ROUNDS=1 SECS=1 BENCH_TRIES=1
	export SECS BENCH_TRIES
	mode=main
	;;
report)
	exec "$work/tool/run.sh" report
	;;
esac
size=
if [ "$mode" = block ]; then
	size=${1:-1000000}
	[ $# = 0 ] || shift
fi
if [ $# = 0 ]; then
	# shellcheck disable=SC2086 # lists of words
	case $mode in
	main) set -- $YARDSTICKS $PEERS sluice ;;
	block) set -- unbound dnsmasq dnsdist pdnsrec bind kresd sluice ;;
	dnsperf) set -- echo1 echo32 unbound dnsdist sluice ;;
	esac
fi
# shellcheck disable=SC2086 # nothing, or one word
"$work/tool/run.sh" "$mode" $size "$@"
[ "$mode" = configs ] || "$work/tool/run.sh" report
