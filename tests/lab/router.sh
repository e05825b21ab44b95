#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The gateway as a router: fragments, errors of ICMP in both directions, MSS, hairpin, a routed IPv6 prefix; and a tunnel
# that is a link like any other: neighbour discovery, multicast. Counters on both sides of the gateway are the judge.
# shellcheck source=tests/lab/common.sh
. "$(dirname "$0")/common.sh"

FAR4=198.51.101.10 # behind a cable that takes packets of 1,300 bytes at most
FAR6=2001:db8:d::10
PUBLISHED4=198.51.102.1 # of the gateway, beside its WAN address, to which a device has a route of its own
PREFIX=2001:db8:51
ROUTED6=$PREFIX::10

# counted NAMESPACE COUNTER
counted() {
	in_ns "$1" nft list counter inet judge "$2" | sed -n 's/.*packets \([0-9]*\) .*/\1/p'
}

# counts NAMESPACE COUNTER COMMAND...: the command succeeds, and the counter grows.
counts() {
	_at=$1 _counter=$2 _had=$(counted "$1" "$2")
	shift 2
	"$@" && [ "$(counted "$_at" "$_counter")" -gt "$_had" ]
}

# silent NAMESPACE COUNTER COMMAND...: whatever comes of the command, the counter does not grow.
silent() {
	_at=$1 _counter=$2 _had=$(counted "$1" "$2")
	shift 2
	"$@"
	[ "$(counted "$_at" "$_counter")" = "$_had" ]
}

fails() {
	! "$@"
}

far_up() {
	make_ns far
	cable internet far far eth0
	for _end in "internet far" "far eth0"; do
		# shellcheck disable=SC2086 # two words
		set -- $_end
		ip -n "$NS-$1" link set "$2" mtu 1300
	done
	address internet far 198.51.101.1/24 2001:db8:d::1/64
	address far eth0 $FAR4/24 $FAR6/64
	ip -n "$NS-far" route add default via 198.51.101.1
	ip -n "$NS-far" -6 route add default via 2001:db8:d::1
}

judges_up() {
	in_ns internet nft -f - <<EOF
table inet judge {
	counter frags { }
	counter mss4 { }
	counter mss6 { }
	counter unreach4 { }
	counter unreach6 { }
	counter own6 { }
	counter other6 { }
	chain early {
		type filter hook prerouting priority -450
		iifname "gw0" ip frag-off & 0x3fff != 0 counter name frags
		iifname "gw0" exthdr frag exists counter name frags
	}
	chain in {
		type filter hook prerouting priority -250
		iifname "gw0" ip version 4 tcp flags & (syn|ack) == syn tcp option maxseg size 1380 counter name mss4
		iifname "gw0" ip6 version 6 tcp flags & (syn|ack) == syn tcp option maxseg size 1360 counter name mss6
		iifname "gw0" ip saddr $GW_WAN4 icmp type destination-unreachable counter name unreach4
		iifname "gw0" ip6 saddr $GW_WAN6 icmpv6 type destination-unreachable counter name unreach6
		iifname "gw0" ip6 saddr $ROUTED6 counter name own6
		iifname "gw0" ip6 daddr $WEB6 ip6 saddr != $ROUTED6 counter name other6
	}
	chain dns {
		type nat hook prerouting priority -100
		ip daddr $PUBLIC4 udp dport 9953 dnat ip to $PUBLIC4:53
		ip6 daddr $PUBLIC6 udp dport 9953 dnat ip6 to [$PUBLIC6]:53
	}
}
EOF
	# What comes to a machine at all, and what its own programs could see of it.
	in_ns gw nft -f - <<'EOF'
table inet judge {
	counter came { }
	counter seen { }
	chain came {
		type filter hook prerouting priority -450
		iifname "tun0" fib daddr type { multicast, broadcast } icmpv6 type != { 133-137, 143 } counter name came
		iifname "tun0" ip daddr { 224.0.0.0/4, 255.255.255.255, 100.127.255.255 } counter name came
	}
	chain seen {
		type filter hook input priority 0
		iifname "tun0" icmpv6 type echo-request fib daddr type multicast counter name seen
		iifname "tun0" ip6 daddr ff00::/8 meta l4proto udp counter name seen
		iifname "tun0" ip daddr { 224.0.0.0/4, 255.255.255.255, 100.127.255.255 } counter name seen
	}
}
EOF
}

pings() {
	_from=$1
	shift
	in_ns "$_from" ping -c 1 -W 2 "$@"
}

# too_big ADDRESS FAMILY: a packet that does not fit is refused with the size that would, and then sent in pieces.
too_big() {
	pings laptop "$2" -M "do" -s 1300 "$1"
	grep -Eq 'mtu( = |=)1300' "$LAB/out" && in_ns laptop ip route get "$1" | grep -q 'mtu 1300'
}

# refused_by ADDRESS: a UDP port that nobody listens on
refused_by() {
	in_ns laptop dig -p 9999 +tries=1 +time=3 "@$1" www.example.org A >"$LAB/refused" 2>&1
	grep -q 'connection refused' "$LAB/refused"
}

# answered_closed ADDRESS: the answer comes to a port that is closed by then; the device says so.
answered_closed() {
	in_ns laptop dig -p 9953 +tries=1 +time=1 "@$1" www.example.org A >"$LAB/refused" 2>&1
	:
}

restarted() {
	_now=$(gateway_pid) && [ "$_now" != "$_old" ] && sluice status
}

gateway_again() {
	_old=$(gateway_pid)
	kill "$_old"
	wait_until 15 restarted
}

far_up
judges_up

# Fragments: conntrack puts them together before any rule sees them.
expect "fragments pass where a packet does" counts internet frags pings laptop -s 3000 -M dont $WEB4
refuse "over IPv6 the answer is too big for the tunnel" pings laptop -s 3000 $WEB6
expect "of which the server hears, so that the next one passes" counts internet frags pings laptop -s 3000 $WEB6
expect "and not where it does not" silent internet frags fails pings server -s 3000 -M dont $WEB4
expect "over IPv6" silent internet frags fails pings server -s 3000 $WEB6

# Errors of ICMP.
expect "a closed port outside is reported to the device" refused_by $WEB4
expect "over IPv6" refused_by $WEB6
expect "far answers" pings laptop $FAR4
expect "a packet too big on the way is reported" too_big $FAR4 -4
expect "over IPv6" too_big $FAR6 -6
expect "what is cut to pieces arrives" pings laptop -s 1300 $FAR4
expect "over IPv6" pings laptop -s 1300 $FAR6
expect "a UDP service outside answers" in_ns laptop dig -p 9953 +short +tries=1 +time=2 @$PUBLIC4 www.example.org A
printf 'table inet shut { chain in { type filter hook input priority 0; udp sport 9953 reject; }; }\n' |
	in_ns laptop nft -f -
expect "a device's error about a flow of its own leaves, translated" counts internet unreach4 answered_closed $PUBLIC4
expect "over IPv6" counts internet unreach6 answered_closed $PUBLIC6

# MSS: the tunnel's MTU is 1,420, whatever the device thinks.
ip -n "$NS-laptop" route replace default dev wg0 advmss 1460
ip -n "$NS-laptop" -6 route replace default dev wg0 advmss 1440
expect "MSS is that of the tunnel" counts internet mss4 fetch laptop http://$WEB4/
expect "over IPv6" counts internet mss6 fetch laptop "http://[$WEB6]/"

address gw lo $PUBLISHED4/32
ip -n "$NS-internet" route add $PUBLISHED4 via $GW_WAN4
# Hairpin: to the gateway's own public address, which the host's NAT sends on to another device.
mkdir -p "$LAB/www/server"
echo "This is server." >"$LAB/www/server/index.html"
start web-server server busybox httpd -f -p 8080 -h "$LAB/www/server"
in_ns gw nft -f - <<EOF
table inet host {
	chain publish {
		type nat hook prerouting priority dstnat
		ip daddr $PUBLISHED4 tcp dport 8081 dnat ip to $SERVER4:8080
		ip6 daddr $GW_WAN6 tcp dport 8081 dnat ip6 to [$SERVER6]:8080
	}
}
EOF
wait_until 5 listens server 8080
refuse "hairpin: closed without a grant" fetch laptop http://$PUBLISHED4:8081/
refuse "over IPv6" fetch laptop "http://[$GW_WAN6]:8081/"
SERVER_OPEN='s|^\t"grants": \[|&{"src": ["group:family"], "dst": ["tag:server"], "ip": ["tcp:8080"]},|'
expect "a grant on the device" apply "$SERVER_OPEN"
expect "hairpin: open" fetch laptop http://$PUBLISHED4:8081/
expect "over IPv6" fetch laptop "http://[$GW_WAN6]:8081/"
expect "and directly" fetch laptop http://$SERVER4:8080/
refuse "from outside it stays closed" fetch internet http://$PUBLISHED4:8081/
refuse "over IPv6" fetch internet "http://[$GW_WAN6]:8081/"

# A prefix that the provider routes to the gateway, with devices in it.
ip -n "$NS-internet" -6 route add $PREFIX::/64 via 2001:db8:ffff::2
sed -i "s|\"fd5a:51ce::1/48\"|&, \"$PREFIX::1/64\"|; s|^\t\"policy\"|\t\"nat\": {\"routed\": [\"$PREFIX::/64\"]},\n&|" "$CONFIG"
sed -i "s|\"fd5a:51ce::10\"|&, \"$ROUTED6\"|; s|\"fd5a:51ce::20\"|&, \"$PREFIX::20\"|" "$LAB/etc/devices.hujson"
expect "the gateway with a routed prefix" gateway_again
address laptop wg0 $ROUTED6/128
address server wg0 $PREFIX::20/128
wait_until 10 device_answers laptop
from_routed() {
	fetch laptop "http://[$WEB6]/" --interface $ROUTED6
}
from_ula() {
	fetch laptop "http://[$WEB6]/" --interface $LAPTOP6
}
expect "routed: leaves with its own address" counts internet own6 from_routed
expect "routed: and with no other" silent internet other6 from_routed
expect "routed: an address of the house is translated" counts internet other6 from_ula
expect "routed: the house's not by the device's" silent internet own6 from_ula
expect "routed: the device's own web server runs" listens server 8080
refuse "routed: nobody outside begins a flow" fetch internet "http://[$PREFIX::20]:8080/"
refuse "routed: nor by ICMP" pings internet $ROUTED6
expect "routed: the device is reached by its grant" fetch laptop "http://[$PREFIX::20]:8080/"
expect "without the grant" apply ''
refuse "routed: the internet is not another device" fetch laptop "http://[$PREFIX::20]:8080/"
refuse "routed: its address is refused from elsewhere" in_ns home curl -sS -m 1 --interface $NAS6 "http://[$PREFIX::20]:8080/"

# A tunnel of somebody else's that is Ethernet: neighbours have to be found.
gateway_down
in_ns gw "$BUILD/sluice-gatewayd" --config "$CONFIG" --teardown
make_ns wired
cable gw tun0 wired eth0
address gw tun0 $GW_TUN4/10 $GW_TUN6/48
address wired eth0 $LAPTOP4/10 $LAPTOP6/48
ip -n "$NS-wired" route add default via $GW_TUN4
ip -n "$NS-wired" -6 route add default via $GW_TUN6
sed -i 's|"interface": "wg0"|"interface": "tun0"|; s|"existing": false|"existing": true|' "$CONFIG"
sed -i "s|, \"$PREFIX::1/64\"||; /\"nat\"/d" "$CONFIG"
sed -i "s|, \"$ROUTED6\"||; s|, \"$PREFIX::20\"||" "$LAB/etc/devices.hujson"
gateway_up
neighbours_forgotten() {
	ip -n "$NS-wired" -6 neigh flush dev eth0
	ip -n "$NS-gw" -6 neigh flush dev tun0
}
neighbours_forgotten
expect "Ethernet: the gateway is found over IPv6" pings wired $GW_TUN6
neighbours_forgotten
expect "Ethernet: and the internet through it" fetch wired "http://[$WEB6]/"
expect "Ethernet: over IPv4" fetch wired http://$WEB4/
# The gateway asks for the device, as it forgets it before each answer.
gateway_asks() {
	ip -n "$NS-gw" -6 neigh flush dev tun0
	in_ns gw ping -c 1 -W 2 $LAPTOP6
}
expect "Ethernet: the gateway finds the device" gateway_asks
link_answers() {
	neighbours_forgotten
	in_ns gw ping -c 1 -W 2 "$(ip -n "$NS-wired" -6 -o addr show dev eth0 scope link | sed -n 's|.*inet6 \([^/]*\)/.*|\1|p')%tun0"
}
expect "Ethernet: a link-local neighbour is found" link_answers

# Nothing to all who listen reaches the host's programs, and no wide destination opens it.
udp_to() {
	in_ns wired dig -p 5353 +tries=1 +time=1 "@$1" www.example.org A >/dev/null 2>&1
	:
}
ping_all() {
	pings wired -b "$@" >/dev/null 2>&1
	:
}
expect "multicast: UDP comes" counts gw came udp_to 224.0.0.251
expect "multicast: and reaches nobody" silent gw seen udp_to 224.0.0.251
for to in 224.0.0.1 255.255.255.255 100.127.255.255; do
	expect "multicast: a ping to $to comes" counts gw came ping_all $to -I eth0
	expect "multicast: and reaches nobody" silent gw seen ping_all $to -I eth0
done
for to in ff02::1%eth0 ff02::fb%eth0; do
	expect "multicast: a ping to $to comes" counts gw came ping_all $to
	expect "multicast: and reaches nobody" silent gw seen ping_all $to
	expect "multicast: nor does UDP" silent gw seen udp_to $to
done
expect "multicast: the gateway's own address answers" pings wired $GW_TUN4
