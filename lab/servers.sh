# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh
# What the lab's internet and home are made of: nsd for the zones, unbound as the public resolver and as the one at home,
# busybox httpd as web servers that log who asked.

DYN_NAMES=${DYN_NAMES:-2000} # names below dyn and plain.example.net: each test cycle needs a fresh one with its own address

# c1.dyn.example.net is 198.18.0.1 and 2001:db8:c::1; c1.plain.example.net is 198.19.0.1; and so on.
dyn_records() {
	awk -v n="$DYN_NAMES" 'BEGIN {
		for (i = 1; i <= n; i++) {
			printf "c%d.dyn A 198.18.%d.%d\n", i, i / 250, i % 250 + 1
			printf "c%d.dyn AAAA 2001:db8:c::%x\n", i, i
			printf "c%d.plain A 198.19.%d.%d\n", i, i / 250, i % 250 + 1
		}
	}'
}

# web NAME NAMESPACE ADDRESS PORT...: answers / with its own name, and /big with 8 MB.
web() {
	_web=$1 _at=$2 _host=$3
	shift 3
	mkdir -p "$LAB/www/$_web"
	echo "This is $_web." >"$LAB/www/$_web/index.html"
	[ -f "$LAB/www/$_web/big" ] || head -c 8388608 /dev/zero >"$LAB/www/$_web/big"
	for _port; do
		case $_host in
		any) _listen=$_port _log=$_web-$_port ;;
		*:*) _listen="[$_host]:$_port" _log=$_web-v6-$_port ;;
		*) _listen=$_host:$_port _log=$_web-$_port ;;
		esac
		start "$_log" "$_at" busybox httpd -f -v -p "$_listen" -h "$LAB/www/$_web"
	done
}

servers_up() {
	mkdir -p "$LAB/nsd" "$LAB/unbound"
	cp "$TOP"/lab/etc/zones/*.zone "$LAB/nsd/"
	dyn_records >>"$LAB/nsd/example.net.zone"
	for _conf in nsd unbound-public unbound-home; do
		sed "s|@LAB@|$LAB|g" "$TOP/lab/etc/$_conf.conf" >"$LAB/etc/$_conf.conf"
	done
	start nsd internet nsd -d -c "$LAB/etc/nsd.conf"
	start public internet unbound -d -c "$LAB/etc/unbound-public.conf"
	start home home unbound -d -c "$LAB/etc/unbound-home.conf"

	web web internet $WEB4 80 443
	web web internet $WEB6 80 443
	web deb internet $DEB4 80 443 2222
	web deb internet $DEB6 80 443 2222
	web other internet $OTHER4 80 443
	web other internet $OTHER6 80 443
	web dyn internet any 8443
	web nas home $NAS4 80 445
	web nas home $NAS6 80 445
}

# listens NAMESPACE PORT
listens() {
	in_ns "$1" ss -Hltn "sport = :$2" | grep -q .
}

servers_ready() {
	listens internet 8443 && listens home 445 &&
		in_ns internet dig +short +tries=1 +time=1 @$PUBLIC4 www.example.org A | grep -qx $WEB4 &&
		in_ns home dig +short +tries=1 +time=1 @$HOME_DNS4 nas.home.arpa A | grep -qx $NAS4
}
