#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Clients that others wrote: each resolves a plain name, one of the split suffix and one that is blocked, and what it reports
# itself is checked. All ask the resolver of their namespace's resolv.conf, but for those over TLS.
# shellcheck disable=SC2317,SC2329 # functions are run by resolves()
# shellcheck source=tests/lab/common.sh
. "$(dirname "$0")/common.sh"

PLAIN=www.example.org SPLIT=nas.home.arpa BLOCKED=tracker.example.org
TLS_NAME=dns.lab.example
TLS=$LAB/etc/tls
STUBBY_PORT=5454

# lacks_program NAME PACKAGE: says so as the reason of a skip.
lacks_program() {
	command -v "$1" >/dev/null && return 1
	skip "$1: not installed; apt-get install --no-install-recommends $2"
}

# DNS over TLS beside port 53. gateway.hujson is read at the start only: the supervisor starts the gateway again.
listen_tls() {
	certificate "$TLS" $TLS_NAME $GW_TUN4 >"$LAB/log/openssl" 2>&1 || die "no certificate: see $LAB/log/openssl"
	_tls="{\"certificate\": \"$TLS/server.pem\", \"key\": \"$TLS/server.key\", \"name\": \"$TLS_NAME\"}"
	sed -i "s|\"dns\": {|&\"listen\": [{\"address\": \"$GW_TUN4\", \"tls\": $_tls}], |" "$CONFIG" || die "$CONFIG"
	_before=$(gateway_pid)
	kill "$_before"
	wait_until 15 is_other_gateway "$_before" && wait_until 15 device_answers laptop ||
		die "the gateway does not come up with DNS over TLS: see $LAB/log/supervisor"
}

is_other_gateway() {
	[ -n "$(gateway_pid)" ] && [ "$(gateway_pid)" != "$1" ] && sluice status
}

# Each client: a function of a name that prints the IPv4 addresses as the program reports them, one a line.
with_dig() {
	in_ns laptop dig +short +tries=1 +time=3 "$1" A
}
with_drill() {
	in_ns laptop drill "$1" A | awk '$4 == "A" { print $5 }'
}
with_kdig() {
	in_ns laptop kdig +short +retry=0 +timeout=3 "$1" A
}
with_kdig_tcp() {
	in_ns laptop kdig +short +retry=0 +timeout=3 +tcp "$1" A
}
with_kdig_tls() {
	in_ns laptop kdig +short +retry=0 +timeout=3 "@$GW_TUN4" +tls-ca="$TLS/ca.pem" +tls-hostname=$TLS_NAME "$1" A
}
with_stubby() {
	in_ns laptop dig +short +tries=1 +time=3 @127.0.0.1 -p $STUBBY_PORT "$1" A
}
with_glibc() {
	in_ns laptop getent ahosts "$1" | awk '$2 == "STREAM" { print $1 }'
}
with_musl() {
	in_ns laptop "$LAB/resolve_musl" "$1"
}
with_busybox() {
	in_ns laptop busybox nslookup "$1" | awk '/^Name/ { found = 1 } found && /^Address/ { print $NF }
		found && /^Address/ { print $3 }'
}
with_python() {
	in_ns laptop python3 -c 'import socket, sys
for a in {i[4][0] for i in socket.getaddrinfo(sys.argv[1], 80, type=socket.SOCK_STREAM)}: print(a)' "$1"
}

# reports CLIENT NAME ADDRESS
reports() {
	"with_$1" "$2" >"$LAB/reported" 2>&1
	cat "$LAB/reported"
	grep -qx "$3" "$LAB/reported"
}

# reports_blocked CLIENT: the address of nobody, and not that of the name.
reports_blocked() {
	reports "$1" $BLOCKED 0.0.0.0 && ! grep -qx $OTHER4 "$LAB/reported"
}

resolves() {
	expect "$1: a plain name" reports "$1" $PLAIN $WEB4
	expect "$1: a name of the split suffix" reports "$1" $SPLIT $NAS4
	expect "$1: a blocked name" reports_blocked "$1"
}

# reports_both CLIENT: IPv4 and IPv6, where the program asks for both at once.
reports_both() {
	reports "$1" $PLAIN $WEB4 && grep -qx $WEB6 "$LAB/reported"
}

start_stubby() {
	cat >"$LAB/etc/stubby.yml" <<-TEXT
		resolution_type: GETDNS_RESOLUTION_STUB
		dns_transport_list: [GETDNS_TRANSPORT_TLS]
		tls_authentication: GETDNS_AUTHENTICATION_REQUIRED
		tls_query_padding_blocksize: 128
		edns_client_subnet_private: 1
		idle_timeout: 10000
		tls_ca_file: "$TLS/ca.pem"
		listen_addresses: [127.0.0.1@$STUBBY_PORT]
		upstream_recursive_servers: [{address_data: $GW_TUN4, tls_auth_name: "$TLS_NAME"}]
	TEXT
	start stubby laptop stubby -C "$LAB/etc/stubby.yml"
	wait_until 10 reports stubby $PLAIN $WEB4
}

# Programs that fetch pages: the sites' own words say where the name led.
curl_page() {
	in_ns laptop curl -sS -m 5 "$1" 2>&1
}

# Its own resolver, a profile of its own, nothing of its maker's services. A page that did not come it tells on stderr.
chromium_page() {
	in_ns laptop env HOME="$LAB/chromium" timeout -k 5 60 chromium --headless --no-sandbox --disable-gpu \
		--disable-dev-shm-usage --no-first-run --disable-background-networking --disable-component-update \
		--user-data-dir="$LAB/chromium" --timeout=20000 --dump-dom "$1" 2>"$LAB/log/chromium"
	sed -n 's/.*Page load failed: //p' "$LAB/log/chromium"
}

# shows CLIENT URL PATTERN
shows() {
	"$1_page" "$2" >"$LAB/page"
	tail -c 300 "$LAB/page"
	grep -Eq "$3" "$LAB/page"
}

browses() {
	expect "$1: a plain name" shows "$1" http://$PLAIN/ '^This is web|>This is web'
	expect "$1: a name of the split suffix" shows "$1" http://$SPLIT/ '^This is nas|>This is nas'
	expect "$1: a blocked name" shows "$1" http://$BLOCKED/ "$2"
	refuse "$1: its site is not shown" grep -q 'This is other' "$LAB/page"
}

listen_tls
expect "the NAS is opened, for what fetches pages" apply "$NAS_OPEN"

resolves dig
lacks_program drill ldnsutils || resolves drill
if ! lacks_program kdig knot-dnsutils; then
	resolves kdig
	resolves kdig_tcp
	resolves kdig_tls
fi
resolves glibc
expect "glibc: both families" reports_both glibc
if ! lacks_program musl-gcc musl-tools; then
	expect "a program with musl" musl-gcc -static -O1 -o "$LAB/resolve_musl" "$TOP/tests/lab/resolve_once.c"
	resolves musl
	expect "musl: both families" reports_both musl
fi
resolves busybox
lacks_program python3 python3 || resolves python
if ! lacks_program stubby stubby; then
	expect "stubby has a connection by TLS, with the name verified" start_stubby
	resolves stubby
fi
browses curl 'connect to|refused'
# 140 MB to download: where it is not installed it is not asked for.
lacks_program chromium chromium || browses chromium 'ERR_(ADDRESS_INVALID|CONNECTION_REFUSED)'
