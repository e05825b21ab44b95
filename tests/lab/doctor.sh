#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# `sluice doctor`: says that all is well where it is, and names what is broken, one thing at a time: the check, for a packet
# the table, chain and rule where it ends, and what to do. It changes nothing and leaves nothing.
# shellcheck source=tests/lab/common.sh
. "$(dirname "$0")/common.sh"

# shellcheck disable=SC2120 # called through expect, too
doctor() {
	in_ns gw "$BUILD/sluice" --config "$CONFIG" doctor --json "$@" >"$LAB/doctor"
}

# found ID FILTER: the check of that name, in the last run, is as the jq filter says.
found() {
	jq -se "map(select(.id == \"$1\")) | any($2)" "$LAB/doctor" >/dev/null || {
		grep "\"$1\"" "$LAB/doctor"
		return 1
	}
}

# finds WHAT ID FILTER: a new run fails, and this check says so.
finds() {
	if doctor; then
		not_ok "$1: exit status"
	fi
	expect "$1" found "$2" "$3"
}

others() {
	in_ns gw nft list ruleset | sed 's/packets [0-9]* bytes [0-9]*//; s/ expires [0-9a-z]*//'
	in_ns gw ip link show | sed 's/ qlen.*//'
	in_ns gw ip route show table all
}

# What was made for probes is gone.
nothing_left() {
	! in_ns gw ip link show sluicedoctor >/dev/null 2>&1 && ! in_ns gw nft list table inet sluice_doctor >/dev/null 2>&1 &&
		! in_ns gw conntrack -L 2>/dev/null | grep -Eq 'port=(61[0-9]|62|63|64)[0-9]{2}.*dport=443|=9\.9\.9\.9'
}

others >"$LAB/before"
expect "all is well" doctor
for id in gateway netfilter policy tun forwarding4 forwarding6 exit4 exit6 returns rp_filter mtu port dns upstream table \
	probe-out4 probe-out6 nat4 nat6 probe-nobody4 probe-nobody6 probe-refused4 probe-refused6 probe-dns4 probe-dns6 \
	probe-answer4 probe-answer6 probe-tunnel4 probe-tunnel6; do
	expect "$id is fine" found $id '.level == "ok"'
done
expect "a refused probe is refused by our table" found probe-refused4 '.place.table == "sluice" and .place.chain == "no_rule"'
others >"$LAB/after"
expect "ruleset, links and routes are as before" cmp "$LAB/before" "$LAB/after"
expect "nothing is left" nothing_left
sluice flows >"$LAB/flows"
expect "and nothing recorded" lacks '9\.9\.9\.9|100\.127' "$LAB/flows"

expect "one probe: allowed" doctor --probe laptop $WEB4 80/tcp
expect "is said to pass" found probe-out4 '.level == "ok" and (.seen | contains("passes"))'
expect "one probe: refused by policy" doctor --probe server $WEB6 443
expect "is said to be refused" found probe-out6 '.level == "ok" and .place.table == "sluice"'
refuse "a device that is not there" doctor --probe nosuch $WEB4
in_ns gw "$BUILD/sluice" --config "$CONFIG" doctor --probe laptop >"$LAB/out" 2>&1
expect "usage" [ $? = 2 ]

in_ns gw sysctl -qw net.ipv4.ip_forward=0
finds "forwarding is off" forwarding4 '.level == "fail" and .fix == "sysctl -w net.ipv4.ip_forward=1"'
expect "and the probe is lost in routing" found probe-out4 '.level == "fail" and (.seen | contains("lost in routing"))'
in_ns gw sysctl -qw net.ipv4.ip_forward=1
in_ns gw sysctl -qw net.ipv6.conf.all.forwarding=0
finds "IPv6 forwarding is off" forwarding6 '.level == "fail"'
in_ns gw sysctl -qw net.ipv6.conf.all.forwarding=1
ip -n "$NS-gw" -6 route replace default via 2001:db8:ffff::1

nft_gw() {
	in_ns gw nft "$@"
}
nft_gw 'add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }'
finds "a chain's policy" probe-out4 '.level == "fail" and .place.family == "ip" and .place.table == "filter" and
	.place.chain == "FORWARD" and .place.policy and (.fix | contains("iptables -I FORWARD -i wg0 -j ACCEPT"))'
expect "the answer's, too" found probe-answer4 '.level == "fail" and .place.policy'
expect "IPv6 is not concerned" found probe-out6 '.level == "ok"'
nft_gw add rule ip filter FORWARD iifname wg0 accept
doctor
expect "only the answer is dropped now" found probe-answer4 '.level == "fail" and .place.chain == "FORWARD"'
expect "the way out is open" found probe-out4 '.level == "ok"'
nft_gw delete table ip filter

nft_gw 'add table inet mine; add chain inet mine way { type filter hook forward priority 5; }'
nft_gw 'add chain inet mine web; add rule inet mine way meta l4proto tcp jump web; add rule inet mine web tcp dport 443 ip6 nexthdr tcp drop'
finds "a rule in a chain that others jump to" probe-out6 '.level == "fail" and .place.family == "inet" and
	.place.table == "mine" and .place.chain == "web" and .place.handle > 0 and (.place.rule | contains("dport 443"))'
expect "with its fix" found probe-out6 '.fix | startswith("nft insert rule inet mine web iifname \"wg0\" accept")'
nft_gw delete table inet mine

nft_gw 'add table inet mine; add chain inet mine in { type filter hook input priority 0; }; add rule inet mine in udp dport 53 drop'
finds "DNS is dropped" probe-dns4 '.level == "fail" and .place.chain == "in"'
nft_gw flush chain inet mine in
nft_gw add rule inet mine in udp dport 51820 drop
finds "the tunnel's port is closed" probe-tunnel4 '.level == "fail" and .place.chain == "in" and
	(.fix | contains("udp dport 51820 accept"))'
nft_gw delete table inet mine

if in_ns gw iptables-legacy -A FORWARD -i wg0 -p tcp --dport 443 -j DROP 2>"$LAB/out"; then
	finds "a rule of iptables-legacy" probe-out4 '.level == "fail" and .place.legacy and .place.table == "filter" and
		.place.chain == "FORWARD" and (.place.rule | contains("-i wg0 -p tcp -m tcp --dport 443 -j DROP"))'
	expect "with its fix" found probe-out4 '.fix | contains("iptables-legacy -I FORWARD -i wg0 -j ACCEPT")'
	in_ns gw iptables-legacy -F FORWARD
	in_ns gw iptables-legacy -P FORWARD DROP
	finds "a policy of iptables-legacy" probe-out4 '.level == "fail" and .place.legacy and .place.policy'
	in_ns gw iptables-legacy -P FORWARD ACCEPT
else
	skip "iptables-legacy: $(head -n 1 "$LAB/out")"
fi

ip -n "$NS-gw" link set wg0 mtu 1500
doctor
expect "an MTU that is too large" found mtu '.level == "warn" and (.fix | contains("\"mtu\": 1420"))'
ip -n "$NS-gw" link set wg0 mtu 1420

ip -n "$NS-gw" route add $LAPTOP4/32 dev lan0
in_ns gw sysctl -qw net.ipv4.conf.wg0.rp_filter=1
finds "a strict rp_filter" rp_filter '.level == "fail" and (.fix | contains("net.ipv4.conf.wg0.rp_filter=2"))'
expect "and the answers' way" found returns '.level == "fail" and (.seen | contains("lan0")) and (.fix | contains("100.64.0.10 dev wg0"))'
expect "and the probe" found probe-out4 '.level == "fail" and (.seen | contains("lost in routing"))'
in_ns gw sysctl -qw net.ipv4.conf.wg0.rp_filter=0
ip -n "$NS-gw" route del $LAPTOP4/32 dev lan0

ip -n "$NS-gw" route del default
finds "no way out" exit4 '.level == "fail" and (.fix | contains("ip route add default"))'
ip -n "$NS-gw" route add default via 192.0.2.1

stop public
finds "an upstream that does not answer" upstream '.level == "fail" and (.seen | contains("203.0.113.53"))'
start public internet unbound -d -c "$LAB/etc/unbound-public.conf"

# An upstream over TLS, with a certificate of an authority that this host knows, or does not.
mkdir "$LAB/tls"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=dns.example \
	-addext subjectAltName=DNS:dns.example -keyout "$LAB/tls/key" -out "$LAB/tls/cert" 2>"$LAB/out"
{
	cat "$LAB/etc/unbound-public.conf"
	printf 'server:\n\tinterface: 203.0.113.53@853\n\ttls-port: 853\n'
	printf '\ttls-service-key: "%s"\n\ttls-service-pem: "%s"\n' "$LAB/tls/key" "$LAB/tls/cert"
} >"$LAB/etc/unbound-tls.conf"
stop public
start public internet unbound -d -c "$LAB/etc/unbound-tls.conf"
wait_until 5 listens internet 853
apply 's|"upstreams": \["203.0.113.53"\]|"upstreams": ["tls://203.0.113.53#dns.example"]|' >"$LAB/out"
export SSL_CERT_FILE="$LAB/tls/cert"
doctor
expect "an upstream over TLS" found upstream '.level == "ok" and (.seen | startswith("tls://203.0.113.53 answers"))'
unset SSL_CERT_FILE
finds "its certificate is not known" upstream '.level == "fail" and (.seen | contains("certificate is not valid for dns.example"))'
apply '' >"$LAB/out"

kill -STOP "$(child_pid dnsd)"
finds "dnsd hangs" dns '.level == "fail"'
kill -CONT "$(child_pid dnsd)"

# In a mount namespace of its own: a container that LXC gives no device.
mkdir -p /run/systemd
in_ns gw sh -c "mount --bind /dev/null /dev/net/tun && mount -t tmpfs none /run/systemd && echo lxc >/run/systemd/container &&
exec '$BUILD/sluice' --config '$CONFIG' doctor --json" >"$LAB/doctor" 2>"$LAB/out"
expect "LXC's lines" found tun '(.fix | contains("lxc.cgroup2.devices.allow: c 10:200 rwm")) and
	(.fix | contains("lxc.mount.entry: /dev/net/tun dev/net/tun none bind,create=file"))'

# Killed at any moment it leaves nothing.
for after in 0.02 0.1 0.3; do
	in_ns gw timeout -s KILL $after "$BUILD/sluice" --config "$CONFIG" doctor >/dev/null 2>&1
	expect "killed after $after s it leaves nothing" wait_until 5 nothing_left
done
expect "and all is well again" wait_until 10 doctor

# Without a gateway its table stays; without the table nothing holds.
gateway_down
finds "the gateway does not run" gateway '.level == "fail"'
expect "port 53 is nobody's" found port '.level == "fail" and (.seen | contains("nobody"))'
expect "its table still refuses" found probe-refused4 '.level == "ok"'
start holder gw busybox httpd -f -p $GW_TUN4:53 -h "$LAB/www"
wait_until 5 listens gw 53
finds "port 53 is held" port '.level == "fail" and (.seen | contains("busybox"))'
stop holder
nft_gw delete table inet sluice
finds "the table is gone" table '.level == "fail"'
expect "the gate lets nothing through" found probe-out4 '.level == "fail" and (.fix | startswith("start sluice-gatewayd"))'
in_ns gw tc filter del dev wg0 ingress
finds "and without the gate: what should be refused passes" probe-refused4 '.level == "fail" and (.seen | contains("PASSES"))'
expect "untranslated" found nat4 '.level == "fail"'
gateway_up
expect "well again" wait_until 10 doctor


# A fleet whose rules are all by name: what a device has asked for is probed, when one has.
apply '/"group:family"\], "dst"/d; s|"accept": \["198.51.100.10:443"\], ||' >"$LAB/out"
in_ns server dig +short +tries=1 +time=2 "@$GW_TUN4" deb.example.net A >"$LAB/out"
in_ns server dig +short +tries=1 +time=2 "@$GW_TUN4" deb.example.net AAAA >>"$LAB/out"
expect "rules by name: all is well" doctor
expect "an address by name is probed" found probe-out4 ".level == \"ok\" and (.seen | startswith(\"server (100.64.0.20) to $DEB4, tcp port 443\"))"
expect "over IPv6, too" found probe-out6 ".level == \"ok\" and (.seen | contains(\"to $DEB6, tcp port 443\"))"
expect "as one probe" doctor --probe server $DEB4 443
expect "it is known to be open" found probe-out4 '.level == "ok" and (.seen | contains("passes"))'
expect "another port of it is not" doctor --probe server $DEB4 80
expect "and refused" found probe-out4 '.level == "ok" and .place.table == "sluice"'
nft_gw 'add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }'
finds "and where it ends" probe-out4 '.level == "fail" and .place.chain == "FORWARD"'
nft_gw delete table ip filter
apply '' >"$LAB/out"

# Where what was not asked for is closed.
apply 's|"src": \["group:family"\], "block": \["ads", "published"\]|&, "resolveFirst": true|; s|"accept": \["198.51.100.10:443"\], ||' >"$LAB/out"
expect "resolve-first: one probe" doctor --probe laptop $OTHER4 443
expect "is refused, as it has not asked" found probe-out4 '.level == "ok" and (.seen | contains("resolve-first"))'
expect "a name is asked for" answers laptop www.example.org A $WEB4
expect "resolve-first: one probe, of what it got" doctor --probe laptop $WEB4 443
expect "passes" found probe-out4 '.level == "ok" and (.seen | contains("passes"))'
expect "resolve-first: all is well" doctor
expect "and what it got is probed" found probe-out4 ".level == \"ok\" and (.seen | startswith(\"laptop (100.64.0.10) to \"))"
apply '' >"$LAB/out"

# In the other modes nothing is enforced, which is said, and not taken for a fault.
sluice netfilter nodivert >"$LAB/out"
doctor
expect "mode nodivert: a warning" found netfilter '.level == "warn" and .fix == "sluice netfilter on"'
expect "the way out is open" found probe-out4 '.level == "ok"'
refuse "no check of the table" found table true
sluice netfilter on >"$LAB/out"
expect "mode on: well again" wait_until 10 doctor

# Tunnels of somebody else's, with Ethernet: a bridge, a veth. No gateway runs for them, so their way is open, and seen to be.
cat >"$LAB/etc/other-devices.hujson" <<-'DEVICES'
	{"users": ["ana@example.com"], "devices": [{"name": "box", "addresses": ["10.77.0.10"], "user": "ana@example.com"}]}
DEVICES
ip -n "$NS-gw" link add br9 type bridge
ip -n "$NS-gw" link add leg0 type veth peer name leg1
ip -n "$NS-gw" link add port0 type veth peer name port1
ip -n "$NS-gw" link set port0 master br9
for each in br9 leg0 leg1 port0 port1; do
	ip -n "$NS-gw" link set $each up
done
for each in br9 leg0; do
	address gw $each 10.77.0.1/24
	cat >"$LAB/etc/other.hujson" <<-GATEWAY
		{"tunnel": {"interface": "$each", "existing": true, "addresses": ["10.77.0.1/24"]}, "policy": "policy.hujson",
		 "devices": "other-devices.hujson", "state": "$LAB/none", "run": "$LAB/none"}
	GATEWAY
	in_ns gw "$BUILD/sluice" --config "$LAB/etc/other.hujson" doctor --json >"$LAB/doctor"
	expect "$each: a probe comes in and passes" found probe-out4 '.level == "ok" and (.seen | contains("passes"))'
	expect "$each: and one that nothing refuses" found probe-nobody4 '.level == "fail" and (.seen | contains("PASSES"))'
	ip -n "$NS-gw" addr del 10.77.0.1/24 dev $each
done

# Whoever is not root is told what was not looked at, and nothing wrong.
chmod a+r "$LAB"/etc/*.hujson
cp "$BUILD/sluice" "$LAB/sluice"
in_ns gw setpriv --reuid 65534 --regid 65534 --clear-groups "$LAB/sluice" --config "$CONFIG" doctor --json >"$LAB/doctor"
expect "not root: probes are not made" found probes '.level == "skip" and (.seen | contains("root"))'
expect "not root: what can be read is" found forwarding4 '.level == "ok"'
expect "not root: nothing fails by that alone" [ "$(grep -c '"level":"fail"' "$LAB/doctor")" = 0 ]
