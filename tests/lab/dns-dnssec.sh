#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# DNSSEC from an own root: three authorities (the root, the top level "lab", the zones below it), a zone for each way in
# which a signed zone can be well or broken, and what a client is told of it: code, AD, EDE, and with CD the data.
# Then the root's key is rolled, and the files of the trust anchor are damaged.
# shellcheck disable=SC2016 # $ORIGIN and $TTL are the zones'
# shellcheck source=tests/lab/common.sh
. "$(dirname "$0")/common.sh"

ROOT4=198.51.100.201 TOP4=198.51.100.202 LEAF4=198.51.100.203 SPLIT4=192.168.1.54
Z=$LAB/zones
mkdir -p "$Z"
cd "$Z" || exit 1

stamp() {
	date -u -d "$1" +%Y%m%d%H%M%S
}

# key ZONE: a new key of that zone; its file's name without ending.
key() {
	ldns-keygen -a ECDSAP256SHA256 -k "$1"
}

# body ZONE: what each zone below "lab" has.
body() {
	cat <<TEXT
\$ORIGIN $1.lab.
\$TTL 300
@ SOA ns hostmaster 1 3600 600 86400 60
@ NS ns
ns A $LEAF4
www A 198.51.100.211
*.wild A 198.51.100.212
txt TXT "text"
to-expired CNAME www.expired.lab.
to-insecure CNAME www.insecure.lab.
to-secure CNAME www.secure.lab.
to-split CNAME www.split.lab.
TEXT
}

# delegate ZONE [DS-RECORD]: the parent's side.
delegate() {
	printf '%s NS ns.%s\nns.%s A %s\n' "$1" "$1" "$1" $LEAF4 >>lab.zone
	[ -z "${2:-}" ] || echo "$2" >>lab.zone
}

# leaf ZONE FROM UNTIL [OPTION...]: signed, and delegated with its DS.
leaf() {
	_zone=$1 _from=$(stamp "$2") _until=$(stamp "$3")
	shift 3
	body "$_zone" >"$_zone.lab.zone"
	_key=$(key "$_zone.lab")
	ldns-signzone "$@" -i "$_from" -e "$_until" -o "$_zone.lab" -f "$_zone.lab.signed" "$_zone.lab.zone" "$_key"
	delegate "$_zone" "$(ldns-key2ds -n -2 "$_key.key")"
}

fine() {
	leaf "$1" '-1 day' '+30 days'
}

# edit ZONE SED-SCRIPT: the signed zone, broken.
edit() {
	sed -i -E "$2" "$1.lab.signed"
}

zones_make() {
	printf '$ORIGIN lab.\n$TTL 300\n@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\nns A %s\n' $TOP4 >lab.zone
	fine secure
	leaf nsec3 '-1 day' '+30 days' -n -t 0
	body insecure >insecure.lab.signed
	delegate insecure
	leaf expired '-30 days' '-1 day'
	leaf future '+3 days' '+30 days'
	# The data is not what was signed.
	fine forged
	edit forged 's/^(www.*IN[[:space:]]+A[[:space:]]+)198.*/\1198.51.100.66/'
	# One record without a signature; all without.
	fine unsigned
	edit unsigned '/^www.*RRSIG[[:space:]]+A /d'
	fine stripped
	edit stripped '/RRSIG/d'
	fine nokey
	edit nokey '/^nokey.lab.[[:space:]].*[[:space:]](DNSKEY|RRSIG[[:space:]]+DNSKEY)[[:space:]]/d'
	# The parent has another key's DS.
	body otherkey >otherkey.lab.zone
	ldns-signzone -i "$(stamp '-1 day')" -e "$(stamp '+30 days')" -o otherkey.lab -f otherkey.lab.signed \
		otherkey.lab.zone "$(key otherkey.lab)"
	delegate otherkey "$(ldns-key2ds -n -2 "$(key otherkey.lab).key")"
	# Denials without proof: no NSEC at all, no NSEC3 at all, forged ones.
	fine nonsec
	edit nonsec '/[[:space:]]NSEC[[:space:]]/d'
	leaf nonsec3 '-1 day' '+30 days' -n -t 0
	edit nonsec3 '/[[:space:]]NSEC3[[:space:]]/d'
	fine badnsec
	edit badnsec 's/(IN[[:space:]]+NSEC[[:space:]]+[^[:space:]]+[[:space:]])/\1MX /'
	# What we cannot check is no worse than unsigned (RFC 4035 5.2): a DS of an unknown algorithm, of an unknown digest.
	fine newalg
	sed -i -E 's/^(newalg.*DS[[:space:]]+[0-9]+) 13 2/\1 250 2/' lab.zone
	fine newdigest
	sed -i -E 's/^(newdigest.*DS[[:space:]]+[0-9]+) 13 2/\1 13 200/' lab.zone
	# SHA-1 alone is still to be validated (RFC 8624 3.3).
	body sha1 >sha1.lab.zone
	_key=$(key sha1.lab)
	ldns-signzone -i "$(stamp '-1 day')" -e "$(stamp '+30 days')" -o sha1.lab -f sha1.lab.signed sha1.lab.zone "$_key"
	delegate sha1 "$(ldns-key2ds -n -1 "$_key.key")"
	zone_bit
	# Zones in DNSSEC's own view of the parent: all of them are delegated by now.
	TOP_KEY=$(key lab)
	ldns-signzone -i "$(stamp '-1 day')" -e "$(stamp '+30 days')" -o lab -f lab.signed lab.zone "$TOP_KEY"
	ROOT_KEY=$(key .)
	root_sign "$ROOT_KEY"
	cp "$ROOT_KEY.key" root.key
	printf '. 3600 IN NS rootns.\nrootns. 3600 IN A %s\n' $ROOT4 >root.hints
}

# A key that is no zone key (RFC 4034 2.1.1): the flag taken out after signing, its tag set right where it is named.
zone_bit() {
	body nozonebit >nozonebit.lab.zone
	_key=$(key nozonebit.lab)
	ldns-signzone -i "$(stamp '-1 day')" -e "$(stamp '+30 days')" -o nozonebit.lab -f nozonebit.lab.signed \
		nozonebit.lab.zone "$_key"
	_tag=${_key##*+}
	_tag=$(echo "$_tag" | sed 's/^0*//')
	edit nozonebit 's/DNSKEY[[:space:]]+257 3 13/DNSKEY 1 3 13/'
	_new=$(ldns-key2ds -n -2 nozonebit.lab.signed | awk '{ print $5 }')
	edit nozonebit "s/(RRSIG.*) $_tag (nozonebit)/\\1 $_new \\2/"
	delegate nozonebit "$(ldns-key2ds -n -2 nozonebit.lab.signed)"
}

# root_sign KEY...: the root's zone, its keys with a TTL of a second, so that they are looked at each second.
root_sign() {
	{
		printf '$ORIGIN .\n$TTL 60\n. SOA rootns. hostmaster. %s 3600 600 86400 60\n. NS rootns.\nrootns. A %s\n' \
			"$(date +%s)" $ROOT4
		printf 'lab. NS ns.lab.\nns.lab. A %s\n' $TOP4
		ldns-key2ds -n -2 "$TOP_KEY.key"
		for _each; do
			sed 's/[[:space:]]IN[[:space:]]/ 1 IN /' "$_each.key"
		done
	} >root.zone
	ldns-signzone -i "$(stamp '-1 day')" -e "$(stamp '+30 days')" -o . -f root.signed root.zone "$@"
}

# authority NAME NAMESPACE ADDRESS ZONE=FILE...
authority() {
	_name=$1 _ns_of=$2 _listen=$3
	shift 3
	{
		printf 'server:\n\tip-address: %s\n\tserver-count: 1\n\tusername: ""\n\tchroot: ""\n\tdatabase: ""\n\tpidfile: ""\n' \
			"$_listen"
		printf '\txfrdfile: ""\n\tzonelistfile: "%s/%s.list"\n\tzonesdir: "%s"\n\trrl-ratelimit: 0\n' "$Z" "$_name" "$Z"
		printf 'remote-control:\n\tcontrol-enable: no\n'
		for _each; do
			printf 'zone:\n\tname: "%s"\n\tzonefile: "%s"\n' "${_each%%=*}" "${_each#*=}"
		done
	} >"$_name.conf"
	start "nsd-$_name" "$_ns_of" nsd -d -c "$Z/$_name.conf"
}

authorities_up() {
	address internet lo $ROOT4/32 $TOP4/32 $LEAF4/32
	address home lan0 $SPLIT4/24
	printf '$ORIGIN split.lab.\n$TTL 60\n@ SOA ns h 1 3600 600 86400 60\n@ NS ns\nns A %s\nwww A 198.51.100.213\n' $SPLIT4 \
		>split.lab.zone
	authority root internet $ROOT4 .=root.signed
	authority top internet $TOP4 lab=lab.signed
	set --
	for _each in *.lab.signed; do
		set -- "$@" "${_each%.signed}=$_each"
	done
	authority leaf internet $LEAF4 "$@"
	authority split home $SPLIT4 split.lab=split.lab.zone
}

# ours: this gateway with these roots.
ours() {
	sed -i "s|\"upstreams\": \[\]|\"rootHints\": \"$Z/root.hints\", \"trustAnchor\": \"$Z/root.key\", \"trustAnchorHoldDown\": 3, \"insecure\": [\"stripped.lab\"], \"upstreams\": []|" "$CONFIG"
	policy_edit 's|"upstreams": \["203.0.113.53"\]|"upstreams": ["recursive"]|; s|"split": {|"split": {"split.lab": ["192.168.1.54"], |'
}

gateway_again() {
	kill "$(gateway_pid)"
	wait_until 15 device_has www.secure.lab
}

device_has() {
	in_ns laptop dig +short +tries=1 +time=1 "@$GW_TUN4" "$1" A | grep -q '^198'
}

# told NAME TYPE RCODE AD EDE [DIG-OPTION...]: AD is ad or -, EDE a code or -. Asked twice: what is cached has the reason, too.
told() {
	_name=$1 _type=$2 _rcode=$3 _ad=$4 _ede=$5
	shift 5
	for _turn in first again; do
		in_ns laptop dig +tries=1 +time=5 "$@" "@$GW_TUN4" "$_name" "$_type" >"$LAB/dig"
		grep -q "status: $_rcode" "$LAB/dig" || { echo "$_turn: not $_rcode" && cat "$LAB/dig" && return 1; }
		_has=-
		grep -q '^;; flags:.* ad[ ;]' "$LAB/dig" && _has=ad
		[ "$_has" = "$_ad" ] || { echo "$_turn: AD is $_has" && cat "$LAB/dig" && return 1; }
		_has=$(sed -n 's/^; EDE: \([0-9]*\).*/\1/p' "$LAB/dig" | head -n 1)
		[ "${_has:--}" = "$_ede" ] || { echo "$_turn: EDE is ${_has:--}" && cat "$LAB/dig" && return 1; }
	done
}

# data NAME ADDRESS: with CD the answer is given as it came (RFC 4035 3.2.2).
data() {
	in_ns laptop dig +cd +short +tries=1 +time=5 "@$GW_TUN4" "$1" A | grep -qx "$2"
}

# table: the line of a class for the report.
tell() {
	printf '# %-24s %s\n' "$1" "$(sed -n 's/.*status: \([A-Z]*\).*/\1/p' "$LAB/dig") $(grep -q '^;; flags:.* ad[ ;]' "$LAB/dig" && echo AD || echo -) $(sed -n 's/^; EDE: //p' "$LAB/dig" | cut -c 1-150)"
}

# class TITLE NAME TYPE RCODE AD EDE
class() {
	_title=$1
	shift
	expect "$_title" told "$@"
	tell "$1 $2"
}

zones_make >"$LAB/log/zones" 2>&1 || die "the zones cannot be signed: see $LAB/log/zones"
authorities_up
ours
start watch internet tcpdump -l -n -i gw0 port 53
expect "the gateway resolves from its own root" gateway_again
expect "status says that the anchor is kept" sh -c "'$BUILD/sluice' --config '$CONFIG' status | grep -q 'DNSSEC: 1 keys of the root trusted'"

class "secure, NSEC" www.secure.lab A NOERROR ad -
class "no such type" www.secure.lab AAAA NOERROR ad -
class "no such name" nothing.secure.lab A NXDOMAIN ad -
class "wildcard" any.wild.secure.lab A NOERROR ad -
class "no such type at a wildcard" any.wild.secure.lab AAAA NOERROR ad -
class "secure, NSEC3" www.nsec3.lab A NOERROR ad -
class "no such type, NSEC3" www.nsec3.lab AAAA NOERROR ad -
class "no such name, NSEC3" nothing.nsec3.lab A NXDOMAIN ad -
class "wildcard, NSEC3" any.wild.nsec3.lab A NOERROR ad -
class "unsigned delegation, proven" www.insecure.lab A NOERROR - -
class "no such name there" nothing.insecure.lab A NXDOMAIN - -
class "from secure to insecure" to-insecure.secure.lab A NOERROR - -
class "from insecure to secure" to-secure.insecure.lab A NOERROR - -
class "DS of SHA-1" www.sha1.lab A NOERROR ad -
class "unknown algorithm" www.newalg.lab A NOERROR - -
class "unknown digest" www.newdigest.lab A NOERROR - -

class "signature expired" www.expired.lab A SERVFAIL - 7
class "signature not yet valid" www.future.lab A SERVFAIL - 8
class "data forged" www.forged.lab A SERVFAIL - 6
class "signature missing" www.unsigned.lab A SERVFAIL - 10
class "DNSKEY missing" www.nokey.lab A SERVFAIL - 9
class "DS of another key" www.otherkey.lab A SERVFAIL - 9
class "key without the zone bit" www.nozonebit.lab A SERVFAIL - 11
class "no NSEC: type" www.nonsec.lab AAAA SERVFAIL - 12
class "no NSEC: name" nothing.nonsec.lab A SERVFAIL - 12
class "no NSEC: wildcard" any.wild.nonsec.lab A SERVFAIL - 12
class "no NSEC3: name" nothing.nonsec3.lab A SERVFAIL - 12
class "NSEC forged" nothing.badnsec.lab A SERVFAIL - 6
class "from secure to expired" to-expired.secure.lab A SERVFAIL - 7
class "DNSSEC records asked for" www.expired.lab A SERVFAIL - 7 +dnssec

expect "with CD the expired data is given" data www.expired.lab 198.51.100.211
expect "and the forged" data www.forged.lab 198.51.100.66
expect "AD is not set with CD" told www.expired.lab A NOERROR - - +cd
expect "one without signatures that was declared insecure resolves" told www.stripped.lab A NOERROR - -
expect "a split zone that its signed parent denies resolves" told www.split.lab A NOERROR - -
expect "and through an alias from a signed zone" told to-split.secure.lab A NOERROR - -
expect "no name of it" told nothing.split.lab A NXDOMAIN - -
expect "nobody outside has seen the split suffix" lacks '\? ([^ ]*\.)?split\.lab\.' "$LAB/log/watch"
expect "but the others" says 'secure\.lab' "$LAB/log/watch"

# RFC 5011: a second key appears, is watched for the hold-down, is trusted; the first one goes.
anchor_has() {
	sluice status --json | jq -e ".trust_anchor | .trusted == $1 and .pending == $2" >/dev/null
}

root_again() {
	stop nsd-root
	authority root internet $ROOT4 .=root.signed
}

STATE_KEY=$LAB/state/dnsd/root.key
NEW_KEY=$(key .)
root_sign "$ROOT_KEY" "$NEW_KEY" >>"$LAB/log/zones"
root_again
expect "a new key of the root is seen, and not trusted yet" wait_until 20 anchor_has 1 1
expect "it is trusted after the hold-down" wait_until 30 anchor_has 2 0
root_sign "$NEW_KEY" >>"$LAB/log/zones"
root_again
expect "with the old key gone, names are secure by the new one" wait_until 20 told www.sha1.lab A NOERROR ad -
expect "a new dnsd begins with it" kill -9 "$(child_pid dnsd)"
expect "and validates" wait_until 20 told www.secure.lab A NOERROR ad -

# Faults of the files. What was given is the old key: the new root cannot be trusted by it, and nothing may be.
said() {
	says "$1" "$LAB/log/supervisor"
}
echo 'garbage' >"$STATE_KEY"
kill -9 "$(child_pid dnsd)"
expect "a damaged file is named in the log" wait_until 10 said 'dnsd.anchor_damaged .*root.key:1'
expect "the given anchor is used: it knows no such root" wait_until 10 told www.secure.lab A SERVFAIL - 10
cp "$NEW_KEY.key" root.key
kill -9 "$(child_pid dnsd)"
expect "another given anchor takes the place of the kept one" wait_until 20 told www.secure.lab A NOERROR ad -

# A folder that cannot be written.
chown 0:0 "$LAB/state/dnsd"
wait_until 10 said 'dnsd.anchor_look_failed .*Permission denied'
expect "a look that cannot be written down is named in the log" said 'dnsd.anchor_look_failed .*Permission denied'
expect "and in status" sh -c "'$BUILD/sluice' --config '$CONFIG' status | grep -q 'could not be looked at'"
echo 'garbage' >"$STATE_KEY"
kill -9 "$(child_pid dnsd)"
expect "a folder that cannot be written is named in the log" wait_until 10 said 'dnsd.anchor_unkept .*Permission denied'
expect "names are validated by the given anchor" wait_until 20 told www.secure.lab A NOERROR ad -
expect "and status says that it is not kept" sh -c "'$BUILD/sluice' --config '$CONFIG' status | grep -q 'not kept up to date'"
chown 64701:64701 "$LAB/state/dnsd"

# What a forwarder says is validated where that was asked for. The forwarder itself validates nothing.
cat >"$Z/forwarder.conf" <<TEXT
server:
	directory: "$Z"
	chroot: ""
	username: ""
	pidfile: ""
	use-syslog: no
	interface: $TOP4@5301
	access-control: 0.0.0.0/0 allow
	module-config: "iterator"
	root-hints: "$Z/root.hints"
remote-control:
	control-enable: no
TEXT
start forwarder internet unbound -d -c "$Z/forwarder.conf"
policy_edit "s|\"upstreams\": \[\"203.0.113.53\"\]|\"upstreams\": [\"$TOP4:5301\"]|"
expect "a forwarder" sluice reload
class "forwarded, not validated" www.expired.lab A NOERROR - -
sed -i 's|"upstreams": \[\]|"dnssec": true, "upstreams": []|' "$CONFIG"
expect "a forwarder that is validated" gateway_again
class "forwarded and secure" www.nsec3.lab A NOERROR ad -
class "forwarded and insecure" www.insecure.lab A NOERROR - -
class "forwarded and expired" www.expired.lab A SERVFAIL - 7
class "forwarded, no such name" nothing.secure.lab A NXDOMAIN ad -

# No anchor at all, as without the package dns-root-data: in the gateway's own mount namespace.
nsenter -t "$(pid_of supervisor)" -m mount --bind /dev/null /usr/share/dns/root.key
sed -i 's|"trustAnchor": "[^"]*", ||' "$CONFIG"
expect "without a trust anchor names are resolved" gateway_again
expect "and nothing is validated" told www.expired.lab A NOERROR - -
expect "the log says so" said 'dnsd.unvalidated'
expect "status says so" sh -c "'$BUILD/sluice' --config '$CONFIG' status | grep -q 'NO ANSWER IS VALIDATED'"
in_ns gw "$BUILD/sluice" --config "$CONFIG" doctor --json >"$LAB/doctor" 2>&1
expect "doctor says so" says '"id":"anchor","level":"fail"' "$LAB/doctor"
