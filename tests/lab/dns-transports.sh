#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck disable=SC2317,SC2329 # functions are run by expect and wait_until
# How clients ask dnsd: all of the host's addresses, its own programs, TCP and DNS over TLS, slow and broken clients, a
# certificate that changes, a dnsd that is killed.
# shellcheck source=tests/lab/common.sh
. "$(dirname "$0")/common.sh"

clients=$BUILD/tests/lab/dns_clients
EXTRA4=192.168.1.254
EXTRA6=fd00:1::254
STRANGER4=192.168.1.77

# certificate NAME: a new one in the files that the gateway reads, the certificate last.
certificate() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -keyout "$LAB/etc/dns.key.new" \
		-out "$LAB/etc/dns.crt.new" -subj "/CN=$1" \
		-addext "subjectAltName=DNS:$1,IP:$GW_TUN4,IP:$GW_TUN6" 2>/dev/null
	mv "$LAB/etc/dns.key.new" "$LAB/etc/dns.key"
	mv "$LAB/etc/dns.crt.new" "$LAB/etc/dns.crt"
}

# over_tls NAME ADDRESS [KDIG OPTION...]: by the laptop, which trusts that certificate and looks at the name in it.
over_tls() {
	_name=$1 _address=$2
	shift 2
	in_ns laptop kdig +short +retry=0 +time=3 "+tls-ca=$LAB/etc/dns.crt" +tls-hostname=dns.home.example "$@" \
		"@$GW_TUN4" "$_name" | grep -qx "$_address"
}

tls="{\"certificate\": \"dns.crt\", \"key\": \"dns.key\", \"name\": \"dns.home.example\"}"
certificate dns.home.example
sed -i "s|\"port\": 53, |\"port\": 53, \"listen\": [\"0.0.0.0\", \"::\", {\"address\": \"$GW_TUN4\", \"tls\": $tls}, {\"address\": \"$GW_TUN6\", \"tls\": $tls}], |" "$CONFIG"
sed -i '$!b; s/}$//' "$CONFIG"
printf '\t"refresh": 1,\n}\n' >>"$CONFIG"
sed -i "s|^\t\"devices\": \[|&{\"name\": \"nas\", \"addresses\": [\"$NAS4\", \"$NAS6\"], \"tags\": [\"tag:server\"]}, {\"name\": \"gateway\", \"addresses\": [\"127.0.0.1\", \"::1\"], \"user\": \"ana@example.com\"},|" "$LAB/etc/devices.hujson"
address gw lan0 $EXTRA4/24 $EXTRA6/64
address home lan0 $STRANGER4/24
gateway_down
gateway_up
wait_until 10 device_answers laptop

# All addresses: dig takes no answer from another address than it asked.
for at in 192.168.1.1 $EXTRA4 $GW_WAN4; do
	expect "the LAN asks at $at" answers_from home $at www.example.org $WEB4
done
for at in fd00:1::1 $EXTRA6; do
	expect "the LAN asks at $at" answers_from home $at www.example.org $WEB4
done
expect "over TCP, too" answers_from home $EXTRA4 www.example.org $WEB4 +tcp
refused_at() {
	in_ns home dig +tries=1 +time=2 -b "$1" "@$EXTRA4" www.example.org | grep -q 'status: REFUSED'
}
expect "who is no device is refused there" refused_at $STRANGER4
expect "who asks another resolver by the tunnel is answered by us" answers_from laptop 203.0.113.99 www.example.org $WEB4

# The gateway's own programs.
expect "the host asks at 127.0.0.1" answers_from gw 127.0.0.1 www.example.org $WEB4
expect "and at ::1" answers_from gw ::1 www.example.org $WEB4
blocked_for_the_host() {
	in_ns gw dig +tries=1 @127.0.0.1 tracker.example.org | grep -q 'EDE: 15'
}
expect "by a view of its own" blocked_for_the_host
known_to_the_kernel() {
	ruleset | grep -q '127\.0\.0\.'
}
refuse "the kernel's table does not know it" known_to_the_kernel

# DNS over TLS.
expect "over TLS, with a certificate that is looked at" over_tls www.example.org $WEB4
expect "several on one connection" over_tls www.example.org $WEB4 +keepopen www.example.org
blocked_over_tls() {
	in_ns laptop kdig +tls @$GW_TUN4 tracker.example.org | grep -q 'EDE: 15'
}
expect "a blocked name is blocked" blocked_over_tls
size_is() {
	in_ns laptop kdig +tls "$@" "@$GW_TUN4" www.example.org | sed -n 's/^;; Received \([0-9]*\) B$/\1/p'
}
expect "answers to padded questions are padded to 468 bytes" test "$(size_is +padding)" = 468
expect "others are not" less "$(size_is +nopadding)" 128
alpn() {
	in_ns laptop openssl s_client -connect $GW_TUN4:853 "$@" </dev/null 2>&1
}
named_dot() {
	alpn -alpn dot | grep -q 'ALPN protocol: dot'
}
expect "its protocol is named dot" named_dot
refuse "another protocol is not spoken" alpn -alpn h2
refuse "nor an old TLS" alpn -tls1_1 -cipher ALL:@SECLEVEL=0
designated() {
	in_ns laptop kdig +short "@$GW_TUN4" _dns.resolver.arpa SVCB |
		grep -qx "1 dns.home.example. alpn=dot port=853 ipv4hint=$GW_TUN4 ipv6hint=$GW_TUN6"
}
expect "who asks without TLS is told where it is" designated
no_other() {
	in_ns laptop dig "@$GW_TUN4" "$1" "$2" | grep -q "status: $3"
}
expect "nothing else is there" no_other _x.resolver.arpa SVCB NXDOMAIN

# TCP.
keepalive() {
	in_ns laptop dig +tcp +keepalive +tries=1 "@$GW_TUN4" www.example.org | grep -q 'TCP.KEEPALIVE: 10.0'
}
expect "idle connections are given ten seconds, who asks is told" keepalive
expect "a client that sends no more gets its answers" in_ns laptop "$clients" half $GW_TUN4 53 20 www.example.org
restarts=$(sluice status --json | jq .children.dnsd.restarts)
expect "clients reset their connections" in_ns laptop "$clients" reset $GW_TUN4 53 200 www.example.org
expect "and dnsd goes on" answers laptop www.example.org A $WEB4

# 1,500 clients that drip take all places at 127.0.0.1, which are those of all addresses. Honest ones come in.
start slow gw "$clients" slow 127.0.0.1 53 1500 15
filled() {
	[ "$(in_ns gw ss -Htn state established '( sport = :53 )' | wc -l)" -ge 900 ]
}
expect "slow clients take the places" wait_until 8 filled
failed=0
for _ in 1 2 3 4 5 6 7 8 9 10; do
	answers_from laptop $GW_TUN4 www.example.org $WEB4 +tcp || failed=$((failed + 1))
	over_tls www.example.org $WEB4 || failed=$((failed + 1))
	answers_from gw 127.0.0.1 www.example.org $WEB4 +tcp || failed=$((failed + 1))
done
expect "of 30 honest connections meanwhile $failed failed" test $failed = 0
expect "dnsd has not been started again since" test "$(sluice status --json | jq .children.dnsd.restarts)" = "$restarts"

# Until they are gone a connection that is idle for a second makes room for theirs.
wait_until 20 is_gone slow

# A connection of the laptop's that is held open by a question a second.
session=$LAB/session
mkfifo "$session"
: >"$session.out"
cat >"$session.sh" <<TEXT
trap 'kill \$!' EXIT
exec 9<>"$session"
while printf '\\000\\041\\000\\035\\001\\000\\000\\001\\000\\000\\000\\000\\000\\000\\003www\\007example\\003org\\000\\000\\001\\000\\001' >&9; do sleep 1; done &
exec openssl s_client -quiet -connect $GW_TUN4:853 <"$session" >"$session.out" 2>/dev/null
TEXT
start session laptop sh "$session.sh"
grown() {
	[ "$(wc -c <"$session.out")" -gt "$1" ]
}
answers_on_it() {
	wait_until 5 grown "$(wc -c <"$session.out")"
}
expect "a connection is open" answers_on_it

# The certificate changes; first to one that does not fit the key.
subject() {
	alpn | grep -q "^subject=CN = $1"
}
cp "$LAB/etc/dns.key" "$LAB/dns.key.old"
certificate two.home.example
cp "$LAB/dns.key.old" "$LAB/etc/dns.key"
told() {
	sluice status | grep -q 'the certificate before is in force'
}
expect "a certificate without its key is told of" wait_until 10 told
expect "and the one before is served" subject dns.home.example
expect "on the connection, too" answers_on_it
doctor_warns() {
	in_ns gw "$BUILD/sluice" --config "$CONFIG" doctor --json | grep '"certificate"' | grep -q '"warn"'
}
certificate three.home.example
expect "a new pair comes into force by itself" wait_until 10 subject three.home.example
expect "the connection from before goes on" answers_on_it
certificate dns.home.example
expect "and at once on a reload" sluice reload
expect "as one sees" wait_until 2 subject dns.home.example
stop session
cp "$LAB/dns.key.old" "$LAB/etc/dns.key"
wait_until 10 told
expect "doctor tells of a certificate that is broken" doctor_warns
certificate dns.home.example

# kill -9: sockets stay open in gatewayd, TLS ones too.
victim=$(child_pid dnsd)
from=$(now_ms)
kill -9 "$victim"
expect "after a kill: a question over UDP that waited" answers laptop www.example.org A $WEB4
expect "over TLS again" wait_until 5 over_tls www.example.org $WEB4
took=$(($(now_ms) - from))
expect "soon ($took ms; on a quiet machine under a second)" less $took 5000
