# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh
# The gateway in its namespace: the real daemons, the real configuration files; and the lab as a whole, up and down.

# The real block list, if there is one: SLUICE_BLOCKLIST=FILE (.gz or plain), else the one beside a developer's tree.
blocklist() {
	for _list in "${SLUICE_BLOCKLIST:-}" "$TOP/../shared/data/blocklists/hagezi-multi-2023.adblock.gz"; do
		[ -f "$_list" ] || continue
		case $_list in
		*.gz) gzip -dc "$_list" >"$LAB/etc/lists/blocklist.adblock" ;;
		*) cp "$_list" "$LAB/etc/lists/blocklist.adblock" ;;
		esac
		return
	done
}

configure() {
	mkdir -p "$LAB/etc/lists" "$LAB/state" "$LAB/run"
	cp "$TOP"/lab/etc/lists/* "$LAB/etc/lists/"
	blocklist
	cp "$TOP/lab/etc/policy.hujson" "$LAB/etc/policy.hujson"
	sed "s|@LAB@|$LAB|g" "$TOP/lab/etc/gateway.hujson" >"$CONFIG"
	sed -e "s|@KEY_laptop@|$(cat "$LAB/keys/laptop.pub")|" -e "s|@KEY_server@|$(cat "$LAB/keys/server.pub")|" \
		-e "s|@KEY_tv@|$(cat "$LAB/keys/tv.pub")|" "$TOP/lab/etc/devices.hujson" >"$LAB/etc/devices.hujson"
	cp "$LAB/keys/gw" "$LAB/etc/wg.key"
	chmod 600 "$LAB/etc/wg.key"
	# Copies: the tree may lie where the recorder's user cannot go.
	for _db in country asn; do
		[ -f "$TOP/tests/fixtures/$_db.mmdb" ] && cp "$TOP/tests/fixtures/$_db.mmdb" "$LAB/etc/"
	done
	[ -f "$LAB/etc/country.mmdb" ] && [ -f "$LAB/etc/asn.mmdb" ] || sed -i '/"geo"/d' "$CONFIG"
}

# dig_at NAMESPACE SERVER NAME TYPE: the addresses, one a line.
dig_at() {
	in_ns "$1" dig +short +tries=1 +time=1 "@$2" "$3" "$4"
}

# Closed connections leave conntrack, and so come to the recorder, after this many seconds instead of 120.
CLOSED_S=2

conntrack_is_quick() {
	for _state in time_wait close last_ack fin_wait; do
		in_ns gw sysctl -qw "net.netfilter.nf_conntrack_tcp_timeout_$_state=$CLOSED_S"
	done
}

gateway_up() {
	start supervisor gw sh "$TOP/lab/supervise.sh" "$LAB" "$BUILD/sluice-gatewayd" --config "$CONFIG"
	wait_until 15 sluice status || die "the gateway does not come up: see $LAB/log/supervisor"
	wait_until 5 conntrack_is_quick
}

gateway_pid() {
	pid_of gatewayd
}

gateway_down() {
	rm -f "$LAB/run-gateway"
	stop gatewayd
	stop supervisor
}

lab_clean() {
	gateway_down
	network_down
	if [ -d "$LAB/pid" ]; then
		for _file in "$LAB"/pid/*; do
			[ -e "$_file" ] && stop "${_file##*/}"
		done
	fi
}

# lab_claim: the lab is this process's from here on. Before anything is set that takes the lab down: it may be another's.
lab_claim() {
	[ "$(id -u)" = 0 ] || die "namespaces need root: sudo $0"
	if [ -f "$LAB/owner" ] && read -r _pid _start <"$LAB/owner" && [ "$_pid" != $$ ] &&
		[ -n "$_start" ] && [ "$(start_time "$_pid")" = "$_start" ]; then
		die "a lab is up already (process $_pid, $LAB)"
	fi
	mkdir -p "$LAB"
	chmod 755 "$LAB"
	echo "$$ $(start_time $$)" >"$LAB/owner"
}

# lab_up: everything, ready for the first query. Cleans up first what a lab that crashed has left.
lab_up() {
	lab_clean
	find "$LAB" -mindepth 1 -maxdepth 1 ! -name owner -exec rm -rf {} +
	mkdir -p "$LAB/pid" "$LAB/log" "$LAB/etc" /run/wireguard
	[ -c /dev/net/tun ] || { mkdir -p /dev/net && mknod /dev/net/tun c 10 200; }

	make_keys
	network_up
	servers_up
	configure
	wait_until 10 servers_ready || die "the lab's servers do not answer: see $LAB/log"
	gateway_up
	tunnel_up laptop $LAPTOP4 $LAPTOP6
	tunnel_up server $SERVER4 $SERVER6
	wait_until 10 device_answers laptop || die "no DNS through the laptop's tunnel: see $LAB/log"
	wait_until 10 device_answers server || die "no DNS through the server's tunnel: see $LAB/log"
}

device_answers() {
	[ "$(dig_at "$1" $GW_TUN4 ready.example.org A)" = 198.51.100.99 ]
}

# lab_down [keep]: with `keep` the logs, the journal and the configuration stay in $LAB.
lab_down() {
	lab_clean
	rm -f "$LAB/owner"
	[ "${1:-}" = keep ] || rm -rf "$LAB"
}

# policy_edit SED-SCRIPT: applied to the lab's own policy, from which every edit starts afresh. An empty script restores it.
policy_edit() {
	sed -e "${POLICY_BASE:-}" -e "$1" "$TOP/lab/etc/policy.hujson" >"$LAB/etc/policy.new"
	mv "$LAB/etc/policy.new" "$LAB/etc/policy.hujson"
}

NAS_OPEN='s|//nas ||'
WEB_DENIED='s|//denies ||'
BROKEN_TEST='s|//broken ||'
