# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh
# A real interface as the gateway's way out: moved into the gateway's namespace, and back at the end. The lab's own
# internet stays where it is; the default route is the uplink's.

UPLINK_RESOLVER=${SLUICE_UPLINK_RESOLVER:-9.9.9.9}

# uplink_up IFACE [ADDRESS/LEN GATEWAY]: without an address by DHCP.
uplink_up() {
	ip link show "$1" >/dev/null || die "no interface $1"
	ip link set "$1" netns "$NS-gw" || die "$1 does not move into another namespace"
	ip -n "$NS-gw" link set "$1" up
	# The lab's two networks stay reachable where they are.
	for _net in 198.51.100.0/24 203.0.113.0/24 198.18.0.0/15; do
		ip -n "$NS-gw" route add "$_net" via 192.0.2.1
	done
	ip -n "$NS-gw" -6 route add 2001:db8::/32 via 2001:db8:ffff::1
	ip -n "$NS-gw" route del default
	if [ -n "${2:-}" ]; then
		[ -n "${3:-}" ] || die "--address needs --gateway"
		address gw "$1" "$2"
		ip -n "$NS-gw" route add default via "$3" dev "$1"
	else
		in_ns gw busybox udhcpc -q -n -i "$1" -s "$TOP/lab/udhcpc.sh" >>"$LAB/log/udhcpc" 2>&1 ||
			die "no address for $1 by DHCP: see $LAB/log/udhcpc, or give --address and --gateway"
	fi
	uplink_policy
}

# The lab's zones stay with the lab's resolver; every other name goes to a real one.
uplink_policy() {
	POLICY_BASE="s|\"upstreams\": \\[\"203.0.113.53\"\\]|\"upstreams\": [\"$UPLINK_RESOLVER\"]|
		s|\"split\": {|&\"example.org\": [\"203.0.113.53\"], \"example.net\": [\"203.0.113.53\"], |"
	policy_edit ''
	sluice reload || die "the gateway does not take the policy for the uplink"
}

uplink_down() {
	ip -n "$NS-gw" link set "$1" netns $$ 2>/dev/null && say "lab: $1 is back; your network manager configures it again"
}
