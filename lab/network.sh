# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh
# The lab's network: five namespaces and the cables between them. See lab/README.md for the map.

# Addresses that the tour and the tests use too.
GW_WAN4=192.0.2.2
GW_WAN6=2001:db8:ffff::2
GW_TUN4=100.64.0.1
GW_TUN6=fd5a:51ce::1
LAPTOP4=100.64.0.10
LAPTOP6=fd5a:51ce::10
SERVER4=100.64.0.20
SERVER6=fd5a:51ce::20
WEB4=198.51.100.10
WEB6=2001:db8:a::10
DEB4=198.51.100.20
DEB6=2001:db8:a::20
OTHER4=203.0.113.9
OTHER6=2001:db8:b::9
AUTH4=198.51.100.53
AUTH6=2001:db8:a::53
PUBLIC4=203.0.113.53
PUBLIC6=2001:db8:b::53
NAS4=192.168.1.20
NAS6=fd00:1::20
HOME_DNS4=192.168.1.53

make_ns() {
	ip netns add "$NS-$1" || die "cannot make namespace $NS-$1 (one of that name that is not this lab's?)"
	echo "$NS-$1" >>"$LAB/netns"
	mkdir -p "$LAB/ns/$1/wireguard"
	echo "nameserver $GW_TUN4" >"$LAB/ns/$1/resolv.conf"
	# Duplicate address detection would hold every address back for a second.
	in_ns "$1" sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0 \
		net.ipv6.conf.default.disable_ipv6=0 net.ipv6.conf.all.disable_ipv6=0
	ip -n "$NS-$1" link set lo up
}

# cable NAMESPACE DEVICE NAMESPACE DEVICE
cable() {
	ip -n "$NS-$1" link add "$2" type veth peer name "$4" netns "$NS-$3"
	ip -n "$NS-$1" link set "$2" up
	ip -n "$NS-$3" link set "$4" up
}

# address NAMESPACE DEVICE ADDRESS...
address() {
	_where=$1 _dev=$2
	shift 2
	for _addr; do
		case $_addr in
		*:*) ip -n "$NS-$_where" addr add "$_addr" dev "$_dev" nodad ;;
		*) ip -n "$NS-$_where" addr add "$_addr" dev "$_dev" ;;
		esac
	done
}

network_up() {
	for _each in internet gw home laptop server; do
		make_ns "$_each"
	done

	cable gw wan0 internet gw0
	address gw wan0 $GW_WAN4/30 $GW_WAN6/64
	address internet gw0 192.0.2.1/30 2001:db8:ffff::1/64
	ip -n "$NS-gw" route add default via 192.0.2.1
	ip -n "$NS-gw" -6 route add default via 2001:db8:ffff::1
	in_ns gw sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1

	cable gw lan0 home lan0
	address gw lan0 192.168.1.1/24 fd00:1::1/64
	address home lan0 $NAS4/24 $HOME_DNS4/24 $NAS6/64
	ip -n "$NS-home" route add default via 192.168.1.1
	ip -n "$NS-home" -6 route add default via fd00:1::1

	address internet lo $WEB4/32 $DEB4/32 $OTHER4/32 $AUTH4/32 $PUBLIC4/32 \
		$WEB6/128 $DEB6/128 $OTHER6/128 $AUTH6/128 $PUBLIC6/128
	# One address for each name below dyn.example.net and plain.example.net, all of them here.
	ip -n "$NS-internet" route add local 198.18.0.0/15 dev lo
	ip -n "$NS-internet" -6 route add local 2001:db8:c::/64 dev lo
	in_ns internet sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1

	device_up laptop 192.0.2.16
	device_up server 192.0.2.20
}

# device_up NAMESPACE UNDERLAY: the cable to the internet, over which nothing but the tunnel's packets go. The /30's first
# address is the internet's, its second the device's.
device_up() {
	_last=${2##*.} _net=${2%.*}
	cable "$1" eth0 internet "$1"
	address internet "$1" "$_net.$((_last + 1))/30"
	address "$1" eth0 "$_net.$((_last + 2))/30"
	ip -n "$NS-$1" route add $GW_WAN4 via "$_net.$((_last + 1))"
	# Small buffers: a download that is slow by curl's --limit-rate then flows steadily and does not come in one burst.
	in_ns "$1" sysctl -qw net.ipv4.tcp_rmem='4096 32768 65536'
}

# wireguard_link NAMESPACE: an interface wg0, the kernel's if it has WireGuard, else wireguard-go's.
wireguard_link() {
	ip -n "$NS-$1" link add wg0 type wireguard 2>/dev/null && return 0
	# Once in a whole run of the lab one did not come up in 5 s, why is not known: what it says is shown, and another is
	# tried.
	for _try in 1 2 3; do
		start "wireguard-$1" "$1" wireguard-go -f wg0
		wait_until 5 in_ns "$1" wg show wg0 && return 0
		echo "# wireguard-go in $1, attempt $_try: $(pid_of "wireguard-$1" || echo gone), $(ls "$LAB/ns/$1/wireguard")" >&2
		tail -n 5 "$LAB/log/wireguard-$1" | sed 's/^/#   /' >&2
		in_ns "$1" wg show wg0 2>&1 | sed 's/^/#   wg: /' >&2
		stop "wireguard-$1"
	done
	die "wireguard-go does not run in $1: see $LAB/log/wireguard-$1"
}

# tunnel_up NAMESPACE ADDRESS4 ADDRESS6: the device's end, everything through it.
tunnel_up() {
	wireguard_link "$1"
	in_ns "$1" wg set wg0 private-key "$LAB/keys/$1" peer "$(cat "$LAB/keys/gw.pub")" \
		endpoint $GW_WAN4:51820 allowed-ips 0.0.0.0/0,::/0
	ip -n "$NS-$1" link set wg0 mtu 1420 up
	address "$1" wg0 "$2/32" "$3/128"
	ip -n "$NS-$1" route add default dev wg0
	ip -n "$NS-$1" -6 route add default dev wg0
}

make_keys() {
	mkdir -p "$LAB/keys"
	for _each in gw laptop server tv; do
		(umask 077 && wg genkey >"$LAB/keys/$_each")
		wg pubkey <"$LAB/keys/$_each" >"$LAB/keys/$_each.pub"
	done
}

network_down() {
	[ -f "$LAB/netns" ] || return 0
	while read -r _each; do
		end_namespace "$_each"
		ip netns del "$_each" 2>/dev/null
	done <"$LAB/netns"
	rm -f "$LAB/netns"
}
