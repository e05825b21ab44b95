# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh
# unheard: ends the script when some process, in whatever network namespace, listens to changes of nftables. The kernel
# then keeps 8 KiB for each element of a batch until it is committed: 16 GB for a million prefixes, which is the machine's
# end (linux nf_tables_setelem_notify(); netlink_has_listeners() knows no namespaces).
unheard() {
	for _netlink in /proc/[0-9]*/net/netlink; do
		# NETLINK_NETFILTER is 12; NFNLGRP_NFTABLES, the seventh group, is bit 6.
		if awk '$2 == 12 && substr($4, 7, 1) ~ /[4-7c-f]/ { found = 1 } END { exit !found }' "$_netlink" 2>/dev/null; then
			_pid=${_netlink#/proc/}
			echo "not measured: in the network namespace of process ${_pid%%/*} somebody listens to nftables," \
				"and the kernel would take 8 KiB more for each element" >&2
			exit 1
		fi
	done
}
