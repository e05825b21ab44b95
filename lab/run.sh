#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# `./dev run`: the lab up, the tour, and the lab down again.
set -u
TOP=$(cd "$(dirname "$0")/.." && pwd)
for part in lib network servers gateway uplink tour; do
	# shellcheck source=/dev/null
	. "$TOP/lab/$part.sh"
done

usage() {
	cat <<'TEXT'
usage: sudo ./dev run [--once] [--keep] [--no-tour] [--uplink IFACE [--address A/LEN --gateway G]]

Starts the real gateway in a lab of network namespaces (their names begin with "sluice-"), walks a tour through what it
does, each step with the command and a check, and stays up until Ctrl-C. The host's own rules, routes and settings are
not touched; everything is below /run/sluice-lab (another place: SLUICE_LAB=DIR).

  --once           end after the tour; exit status 1 if a check failed
  --keep           leave logs, journal and configuration in /run/sluice-lab at the end
  --no-tour        only start the lab and stay up
  --uplink IFACE   give the gateway this interface of yours as its way to the real internet. The interface moves into the
                   gateway's namespace and comes back at the end: what the host reached through it, it does not reach
                   meanwhile. Configured with DHCP, or with --address and --gateway. Not for Wi-Fi: a wireless
                   interface cannot move alone.

SLUICE_BLOCKLIST=FILE (hosts, domains or adblock syntax, may be .gz) puts a published block list into the lab.
TEXT
}

own_root "$TOP/lab/run.sh" "$@"

once='' keep='' tour=yes uplink='' uplink_address='' uplink_gateway=''
while [ $# -gt 0 ]; do
	case $1 in
	--once) once=yes ;;
	--keep) keep=keep ;;
	--no-tour) tour='' ;;
	--uplink | --address | --gateway)
		[ $# -gt 1 ] || die "$1 needs a value"
		case $1 in
		--uplink) uplink=$2 ;;
		--address) uplink_address=$2 ;;
		--gateway) uplink_gateway=$2 ;;
		esac
		shift
		;;
	-h | --help)
		usage
		exit 0
		;;
	*)
		usage >&2
		exit 2
		;;
	esac
	shift
done

end() {
	trap '' INT TERM HUP
	trap - EXIT
	[ -z "$uplink" ] || uplink_down "$uplink"
	lab_down $keep
}

lab_claim
trap 'status=$?; end; exit $status' EXIT
trap 'exit 130' INT TERM HUP

lab_up
[ -z "$uplink" ] || uplink_up "$uplink" "$uplink_address" "$uplink_gateway"
say "The lab is up: $LAB"

status=0
if [ -n "$tour" ]; then
	tour || status=1
fi
[ -z "$once" ] || exit $status

cat <<TEXT

The lab stays up. In another terminal:
  sudo ./dev shell laptop          a shell on the laptop (or server, gw, home, internet)
  sudo $BUILD/sluice --config $CONFIG status
  \$EDITOR $LAB/etc/policy.hujson, then: sudo $BUILD/sluice --config $CONFIG reload
  ls $LAB/log                      what everybody has to say
Ctrl-C ends it.
TEXT
while :; do
	sleep 3600 &
	wait $!
done
