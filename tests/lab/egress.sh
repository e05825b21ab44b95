#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Ways out: what a grant sends through a second hop goes there and nowhere else, whatever happens to the hop, to gatewayd
# and to the routes; everything else goes on by the host's own way. The judge is the internet's side: it counts what comes
# over the gateway's own cable (wan) and what comes from the second hop (vpn).
# shellcheck source=tests/lab/common.sh
. "$(dirname "$0")/common.sh"

VPN4=10.66.0.1
VPN6=fd66::1

# The second hop: a WireGuard server in a namespace of its own, which sends on what comes with an address of its own.
second_up() {
	make_ns second
	device_up second 192.0.2.24
	address internet second 2001:db8:ffff:2::1/64
	address second eth0 2001:db8:ffff:2::2/64
	ip -n "$NS-second" route add default via 192.0.2.25
	ip -n "$NS-second" -6 route add default via 2001:db8:ffff:2::1
	in_ns second sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	printf 'table inet hop { chain out { type nat hook postrouting priority 100; oifname "eth0" masquerade; }; }\n' |
		in_ns second nft -f -
	(umask 077 && wg genkey >"$LAB/keys/second" && wg genkey >"$LAB/keys/vpn")
	wireguard_link second
	in_ns second wg set wg0 private-key "$LAB/keys/second" listen-port 51820 \
		peer "$(wg pubkey <"$LAB/keys/vpn")" allowed-ips "$VPN4/32,$VPN6/128"
	ip -n "$NS-second" link set wg0 mtu 1420 up
	ip -n "$NS-second" route add $VPN4/32 dev wg0
	ip -n "$NS-second" -6 route add $VPN6/128 dev wg0
}

# The gateway's end of it, as a user would set it up without `wg-quick`: no routes.
hop_up() {
	start "hop$1" gw wireguard-go -f vpn0
	wait_until 5 in_ns gw wg show vpn0 || die "wireguard-go does not run: see $LAB/log/hop$1"
	in_ns gw wg set vpn0 private-key "$LAB/keys/vpn" peer "$(wg pubkey <"$LAB/keys/second")" \
		endpoint 192.0.2.26:51820 allowed-ips 0.0.0.0/0,::/0
	in_ns gw sysctl -qw net.ipv4.conf.vpn0.rp_filter=1
	address gw vpn0 $VPN4/32 $VPN6/128
	ip -n "$NS-gw" link set vpn0 mtu 1400 up
}

# What the grants send through the hop, by the hop and by the gateway's own cable; and what they do not.
judge_up() {
	in_ns internet nft -f - <<EOF
table inet judge {
	counter vpn { }
	counter wan { }
	counter other_vpn { }
	counter other_wan { }
	counter stray { }
	counter errors { }
	map sides {
		type ifname : verdict
		elements = { "gw0" : jump by_wan, "second" : jump by_vpn }
	}
	set steered4 {
		type ipv4_addr . inet_service
		elements = { $WEB4 . 80, $DEB4 . 443 }
	}
	set steered6 {
		type ipv6_addr . inet_service
		elements = { $WEB6 . 80, $DEB6 . 443 }
	}
	chain by_wan {
		icmpv6 type packet-too-big counter name stray
		ip saddr $VPN4 counter name stray
		ip6 saddr $VPN6 counter name stray
		ip daddr . tcp dport @steered4 counter name wan return
		ip6 daddr . tcp dport @steered6 counter name wan return
		tcp dport 443 counter name other_wan
	}
	chain by_vpn {
		icmpv6 type packet-too-big counter name errors return
		ip daddr . tcp dport @steered4 counter name vpn return
		ip6 daddr . tcp dport @steered6 counter name vpn return
		tcp dport 443 counter name other_vpn
	}
	chain in {
		type filter hook prerouting priority -250
		iifname vmap @sides
	}
}
EOF
}

# counted COUNTER: packets so far
counted() {
	in_ns internet nft list counter inet judge "$1" | sed -n 's/.*packets \([0-9]*\) .*/\1/p'
}

# by_hop COMMAND...: the command succeeds, and all of its packets went that way; the grants are about them.
by_hop() {
	_vpn=$(counted vpn) _wan=$(counted wan)
	"$@" && [ "$(counted vpn)" -gt "$_vpn" ] && [ "$(counted wan)" = "$_wan" ]
}

# by_host COMMAND...: the same of packets that the grants are not about.
by_host() {
	_vpn=$(counted other_vpn) _wan=$(counted other_wan)
	"$@" && [ "$(counted other_wan)" -gt "$_wan" ] && [ "$(counted other_vpn)" = "$_vpn" ]
}

# by_cable COMMAND...: the command succeeds by the gateway's own cable.
by_cable() {
	_wan=$(counted wan)
	"$@" && [ "$(counted wan)" -gt "$_wan" ]
}

# kept COMMAND...: the command fails, and nothing has come by the gateway's own cable.
kept() {
	_wan=$(counted wan)
	! "$@" && [ "$(counted wan)" = "$_wan" ]
}

# grants LINE: in front of the lab's own.
grants() {
	apply "s|^\t\"grants\": \[|&\n$1|"
}

fetch4() {
	fetch "$1" "$2" -4
}

fetch6() {
	fetch "$1" "$2" -6
}

rules_of_ours() {
	{ ip -n "$NS-gw" rule; ip -n "$NS-gw" -6 rule; } | grep -c "^51[0-9][0-9]:"
}

# Only now, while nobody puts them back.
rules_taken_away() {
	for _family in -4 -6; do
		while ip -n "$NS-gw" $_family rule del protocol 83 2>/dev/null; do :; done
	done
	[ "$(rules_of_ours)" = 0 ]
}

grew() {
	[ "$(stat -c %s "$LAB/download")" -gt "$1" ]
}

held_down() {
	: >"$LAB/hold"
	kill -9 "$(gateway_pid)"
	wait_until 3 is_gone gatewayd
}

# By the last change of plan.
flows_cut() {
	grep 'plan\.applied' "$LAB/log/supervisor" | tail -n 1 | grep -q ' cut=[1-9]'
}

logged() {
	grep -q "$1" "$LAB/log/supervisor"
}

second_up
hop_up 1
judge_up

refuse "a way that the gateway does not have is refused" grants \
	'{"src": ["group:family"], "dst": ["198.51.100.10"], "ip": ["tcp:80"], "egress": "vpm"},'
expect "with its place in the policy" says 'policy.hujson:[0-9]+:[0-9]+: error P1209: the gateway has no egress "vpm"' \
	"$LAB/reload"
policy_edit ''
sed -i 's|^\t"policy"|\t"egress": {"vpn": {"interface": "vpn0"}, "table": {"table": 51}, "mark": {"mark": 768, "mask": 3840}},\n&|' "$CONFIG"
_old=$(gateway_pid)
kill "$_old"
restarted() {
	_now=$(gateway_pid) && [ "$_now" != "$_old" ] && sluice status && device_answers laptop
}
expect "the gateway starts with ways out" wait_until 15 restarted
expect "a deaf rp_filter is made loose" test "$(in_ns gw sysctl -n net.ipv4.conf.vpn0.rp_filter)" = 2

VPN_GRANTS='{"src": ["group:family"], "dst": ["198.51.100.10", "2001:db8:a::10"], "ip": ["tcp:80"], "egress": "vpn"},
{"src": ["tag:server"], "dst": ["dns:deb.example.net"], "ip": ["tcp:443"], "egress": "vpn"},
{"src": ["group:family"], "dst": ["tag:server", "203.0.113.9", "2001:db8:b::9"], "ip": ["*"], "egress": "vpn"},
{"src": ["group:family"], "dst": ["dns:deb.example.net"], "ip": ["tcp:443"], "egress": "vpn"},'
VPN_GRANTS=$(echo "$VPN_GRANTS" | tr '\n' ' ')
expect "grants with a way out" grants "$VPN_GRANTS"

works() {
	expect "$1: by the second hop" by_hop fetch laptop http://$WEB4/
	expect "$1: over IPv6" by_hop fetch laptop "http://[$WEB6]/"
	expect "$1: a name" by_hop fetch4 server http://deb.example.net:443/
	expect "$1: a name over IPv6" by_hop fetch6 server http://deb.example.net:443/
	expect "$1: another port of the same address by the host's own way" by_host fetch laptop http://$WEB4:443/
	expect "$1: over IPv6" by_host fetch laptop "http://[$WEB6]:443/"
}
works "all is up"
expect "a question to anybody's port 53 is answered here" answers_from laptop $OTHER4 www.example.org $WEB4
web_start() {
	mkdir -p "$LAB/www/server"
	echo "This is server." >"$LAB/www/server/index.html"
	start web-server server busybox httpd -f -p 8080 -h "$LAB/www/server"
	wait_until 5 listens server 8080
}
web_start
expect "a device is reached through the tunnel" fetch laptop http://$SERVER4:8080/
expect "over IPv6" fetch laptop "http://[$SERVER6]:8080/"

# Names choose before addresses: the laptop may go everywhere, and goes by the hop to what it has asked for by that name.
expect "an address that no name was asked for: by the host's own way" by_cable fetch laptop http://$DEB4:443/
expect "a name among everything: by the hop" by_hop fetch4 laptop http://deb.example.net:443/
expect "over IPv6" by_hop fetch6 laptop http://deb.example.net:443/
refused() {
	fails fetch4 laptop http://deb.example.net:443/ && fails fetch6 laptop http://deb.example.net:443/
}
fails() {
	! "$@"
}
expect "a deny of the address" apply "s|^\t\"grants\": \[|&\n$VPN_GRANTS|; s|^\t//denies.*|\"denies\": [{\"src\": [\"*\"], \"dst\": [\"$DEB4\", \"$DEB6\"], \"ip\": [\"*\"]}],|; s|dns:deb.example.net:443|198.18.0.1:443|; s|\"accept\": \[\"198.18[^]]*\], ||"
expect "wins" refused
expect "and is taken back" grants "$VPN_GRANTS"
expect "a name, and then a download from it" by_hop fetch4 laptop http://deb.example.net:443/
start download laptop curl -sS -4 -m 120 --limit-rate 300k -o "$LAB/download" http://deb.example.net:443/big
wait_until 5 test -s "$LAB/download"
flows_kept() {
	in_ns gw conntrack -L -p tcp -s $LAPTOP4 -d $DEB4 2>/dev/null | grep -q ESTABLISHED
}
expect "a reload leaves it alone" sluice reload
expect "in conntrack, too" flows_kept
size=$(stat -c %s "$LAB/download")
expect "and it goes on" wait_until 5 grew "$size"
stop download

# What Tailscale does in mangle: it restores its own bits, and clears all others with them.
in_ns gw nft -f - <<'EOF'
table inet ts {
	chain restore {
		type filter hook prerouting priority -150
		ct state established,related ct mark & 0x00ff0000 != 0 meta mark set ct mark & 0x00ff0000
	}
	chain save {
		type filter hook postrouting priority -150
		iifname "wg0" ct mark set ct mark | 0x00040000
	}
}
EOF
works "beside Tailscale's marks"

# An error of the gateway's own about such a flow: answers are too big for the tunnel.
ip -n "$NS-gw" link set wg0 mtu 1280
big_answer() {
	in_ns laptop ping -c 1 -W 1 -s 1300 $OTHER6
}
refuse "an answer too big for the tunnel is refused at first" big_answer
expect "the server hears of it and cuts it to pieces" wait_until 5 big_answer
expect "by the second hop" test "$(counted errors)" -gt 0
ip -n "$NS-gw" link set wg0 mtu 1420

# Established, with the hop going down in the middle of it.
start download laptop curl -sS -m 120 --limit-rate 300k -o "$LAB/download" http://$WEB4/big
wait_until 5 test -s "$LAB/download"
size=$(stat -c %s "$LAB/download")
wan=$(counted wan)
expect "a download goes on" wait_until 5 grew "$size"
expect "by the second hop" test "$(counted wan)" = "$wan"
ip -n "$NS-gw" link set vpn0 down
closed() {
	expect "$1: closed" kept fetch laptop http://$WEB4/
	expect "$1: over IPv6" kept fetch laptop "http://[$WEB6]/"
	expect "$1: names, too" kept fetch4 server http://deb.example.net:443/
	expect "$1: over IPv6" kept fetch6 server http://deb.example.net:443/
	expect "$1: nothing of the download by another way" test "$(counted wan)" = "$wan"
	expect "$1: everything else goes on" by_host fetch laptop http://$WEB4:443/
	wan=$(counted wan)
}
closed "hop down"
expect "hop down: the log says so" wait_until 5 logged 'egress.down.*vpn0'
ip -n "$NS-gw" link set vpn0 up
# IPv6 addresses go with the link.
address gw vpn0 $VPN6/128
expect "hop up again: without a reload" wait_until 10 by_hop fetch laptop http://$WEB4/
expect "hop up again: the log says so" wait_until 5 logged 'egress.up.*vpn0'
stop download
works "hop up again"
ip -n "$NS-gw" addr del $VPN6/128 dev vpn0
no_ipv6() {
	[ -z "$(ip -n "$NS-gw" -6 route show table 5101 2>/dev/null)" ]
}
expect "hop without IPv6: is no way for it" wait_until 5 no_ipv6
expect "hop without IPv6: closed" kept fetch laptop "http://[$WEB6]/"
told() {
	in_ns laptop curl -sS -m 5 "http://[$WEB6]/" >"$LAB/told" 2>&1
	[ $? = 7 ] # it would be 28 after five seconds of silence
}
expect "hop without IPv6: the device is told at once" told
expect "hop without IPv6: IPv4 goes on" by_hop fetch laptop http://$WEB4/
address gw vpn0 $VPN6/128
expect "IPv6 again: without a reload" wait_until 5 by_hop fetch laptop "http://[$WEB6]/"
stop hop1
wait_until 5 sh -c "! ip -n $NS-gw link show vpn0"
wan=$(counted wan)
closed "hop gone"
hop_up 2
expect "another in its place: without a reload" wait_until 10 by_hop fetch laptop "http://[$WEB6]/"
works "another in its place"
expect "its rp_filter, too" test "$(in_ns gw sysctl -n net.ipv4.conf.vpn0.rp_filter)" = 2

expect "rules are there" test "$(rules_of_ours)" = 8
ip -n "$NS-gw" rule del protocol 83
back_again() {
	[ "$(rules_of_ours)" = 8 ]
}
expect "a routing rule that somebody takes away is put back" wait_until 5 back_again

# Nobody there: steered all the same, and closed where the routing rules are gone.
start download laptop curl -sS -m 120 --limit-rate 300k -o "$LAB/download" http://$WEB4/big
wait_until 5 test -s "$LAB/download"
held_down
size=$(stat -c %s "$LAB/download")
wan=$(counted wan)
expect "gatewayd killed: by the second hop" by_hop fetch laptop http://$WEB4/
expect "gatewayd killed: over IPv6" by_hop fetch laptop "http://[$WEB6]/"
expect "gatewayd killed: the download goes on" wait_until 5 grew "$size"
expect "gatewayd killed: by the second hop" test "$(counted wan)" = "$wan"
expect "gatewayd killed: routing rules are taken away" rules_taken_away
size=$(stat -c %s "$LAB/download")
expect "rules gone: closed" kept fetch laptop http://$WEB4/
expect "rules gone: over IPv6" kept fetch laptop "http://[$WEB6]/"
expect "rules gone: nothing of the download by another way" test "$(counted wan)" = "$wan"
rm -f "$LAB/hold"
expect "next gatewayd: they are back" wait_until 15 back_again
expect "next gatewayd: and lead there" wait_until 10 by_hop fetch laptop http://$WEB4/

expect "nothing with the hop's address has come by another way" test "$(counted stray)" = 0

# A change of the policy: the flow was translated for a way that is no longer its own.
stop download
start download laptop curl -sS -m 120 --limit-rate 300k -o "$LAB/download" http://$WEB4/big
wait_until 5 test -s "$LAB/download"
expect "the grants without their way out" apply ''
expect "a flow that has to go another way is cut" flows_cut
stop download
expect "and its successor goes there" by_cable fetch laptop http://$WEB4/

# A table of the user's, and a mark.
ip -n "$NS-gw" route add default dev vpn0 table 51
ip -n "$NS-gw" -6 route add default dev vpn0 table 51
expect "a table" grants "$(echo "$VPN_GRANTS" | sed 's/"vpn"/"table"/g')"
works "table"
ip -n "$NS-gw" route del default table 51
ip -n "$NS-gw" -6 route del default table 51
wan=$(counted wan)
closed "table without a route"
ip -n "$NS-gw" route add default dev vpn0 table 51
ip -n "$NS-gw" -6 route add default dev vpn0 table 51
expect "a mark" grants "$(echo "$VPN_GRANTS" | sed 's/"vpn"/"mark"/g')"
expect "mark: without a rule of the user's by the host's own way" by_cable fetch laptop http://$WEB4/
for family in -4 -6; do
	ip -n "$NS-gw" $family rule add fwmark 0x300/0xf00 lookup 51 pref 4000
done
works "mark"

gateway_down
expect "--teardown" in_ns gw "$BUILD/sluice-gatewayd" --config "$CONFIG" --teardown
expect "takes the rules away" test "$(rules_of_ours)" = 0
expect "and the routes" sh -c "! ip -n $NS-gw route show table 5101 2>/dev/null | grep -q ."
