#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# What busybox udhcpc calls with a lease: address and default route, nothing of the host's files.
# shellcheck disable=SC2154 # interface, ip, mask and router come from udhcpc's environment
case $1 in
bound | renew)
	ip addr replace "$ip/$mask" dev "$interface"
	ip route replace default via "${router%% *}" dev "$interface"
	;;
esac
