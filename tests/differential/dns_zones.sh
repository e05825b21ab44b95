# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh
# Zones of every kind under a root of our own, signed as each is to be, and what serves them: three nsd, so that referrals
# are followed. For dns_compare.sh, which sets DIR.
#
#   .                  signed, NSEC        11.0.0.1
#   alpha. beta.       signed: NSEC, NSEC3 11.0.0.2
#   gamma.             unsigned            11.0.0.2
#   s1.alpha. s2.beta. signed: NSEC, NSEC3; p1.alpha. p2.beta. p3.gamma. unsigned     11.0.0.3, 11.0.0.4
#   bad.alpha.         data changed behind the signatures
#   old.alpha.         signatures that have expired
#   wrong.beta.        another key than the one that its parent names
#   sub.p3.gamma.      delegated to a name of another zone, without glue

LEAVES="s1.alpha s2.beta p1.alpha p2.beta p3.gamma bad.alpha old.alpha wrong.beta"

# leaf_records OTHER: the records of a leaf zone; aliases lead into OTHER.
leaf_records() {
	awk -v other="$1" 'BEGIN {
		for (i = 1; i <= 30; i++) {
			printf "host%d A 11.1.%d.1\nhost%d A 11.1.%d.2\n", i, i, i, i
			if (i % 2) printf "host%d AAAA 2a0b::%x\n", i, i
			if (i % 5 == 0) printf "host%d MX 10 mail\nhost%d TXT \"v=spf1 -all\"\n", i, i
		}
		for (i = 2; i <= 8; i++) printf "alias%d CNAME alias%d\n", i, i - 1
		for (i = 1; i <= 10; i++) printf "out%d CNAME host%d.%s.\n", i, i, other
		for (i = 1; i <= 30; i++) printf "mid A 11.2.0.%d\n", i
		for (i = 1; i <= 100; i++) printf "many A 11.3.%d.%d\n", i / 50, i % 50 + 1
		long = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
		for (i = 1; i <= 12; i++) printf "large TXT \"%d %s\" \"%s\"\n", i, long, long
		for (i = 1; i <= 60; i++) printf "huge TXT \"%d %s\" \"%s\"\n", i, long, long
	}'
	cat <<-TEXT
		@ NS ns1
		@ NS ns2
		ns1 A 11.0.0.3
		ns2 A 11.0.0.4
		@ MX 10 mail
		@ MX 20 mail.$1.
		@ TXT "a zone"
		@ CAA 0 issue "ca.example"
		mail A 11.1.100.1
		alias1 CNAME host1
		outloop CNAME outloop.$1.
		dangling CNAME nothing.$1.
		tochain CNAME alias8.$1.
		_sip._tcp SRV 0 5 5060 host1
		_443._tcp.host1 TLSA 3 1 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
		deep.below.several.empty TXT "names above me have no data"
		odd HINFO "CPU" "OS"
		odd LOC 52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m
		odd NAPTR 100 10 "u" "E2U+sip" "!^.*\$!sip:a@b.example!" .
		odd SSHFP 1 1 0123456789abcdef0123456789abcdef01234567
		odd RP host1 odd
		odd AFSDB 1 host1
		odd PTR host1.$1.
		odd TYPE65280 \\# 4 01020304
		svc HTTPS 1 . alpn=h2 ipv4hint=11.1.1.1
		svcto HTTPS 1 host1.$1. alpn=h3
		MixedCase A 11.1.101.1
		MixedCase MX 10 MaIl
		*.wild A 11.1.102.1
		*.wild TXT "by wildcard"
		sub.wild MX 10 mail
		*.wildalias CNAME host1
		*.deep.wild A 11.1.103.1
		moved DNAME new
		host1.new A 11.1.104.1
		away DNAME $1.
	TEXT
}

zone_head() {
	printf '$ORIGIN %s\n$TTL 600\n@ SOA ns1.%s host.%s 1 3600 600 86400 300\n' "$1." "$1." "$1."
}

# keys ZONE: a key that signs both keys and data; its name in $DIR/zones/ZONE.key
keys() {
	(cd "$DIR/zones" && ldns-keygen -a ECDSAP256SHA256 -k "$1" >"$1.key")
}

# sign ZONE [LDNS-SIGNZONE OPTION...]
sign() {
	_zone=$1
	shift
	(cd "$DIR/zones" && ldns-signzone "$@" -f "$_zone.signed" "$_zone.zone" "$(cat "$_zone.key")") ||
		die "$_zone cannot be signed"
}

delegate() {
	printf '%s. NS ns1.%s.\n%s. NS ns2.%s.\nns1.%s. A 11.0.0.3\nns2.%s. A 11.0.0.4\n' "$1" "$1" "$1" "$1" "$1" "$1"
}

ds() {
	cat "$DIR/zones/$(cat "$DIR/zones/$1.key").ds"
}

zones_leaves() {
	_other=p3.gamma
	for _zone in $LEAVES; do
		{
			zone_head "$_zone"
			leaf_records "$_other"
		} >"$DIR/zones/$_zone.zone"
		_other=$_zone
	done
	cat >>"$DIR/zones/p3.gamma.zone" <<-TEXT
		sub NS ns1.s1.alpha.
		sub NS ns2.p2.beta.
	TEXT
	{
		zone_head sub.p3.gamma
		printf '@ NS ns1.s1.alpha.\n@ NS ns2.p2.beta.\n'
		leaf_records s1.alpha | grep -v ' NS \|^ns[12] '
	} >"$DIR/zones/sub.p3.gamma.zone"
	keys s1.alpha && sign s1.alpha
	keys s2.beta && sign s2.beta -n -s abcd -t 1
	keys bad.alpha && sign bad.alpha
	sed -i 's/\b11\.1\.\([0-9]*\.2\)\b/11.9.\1/' "$DIR/zones/bad.alpha.signed"
	keys old.alpha && sign old.alpha -i 20200101 -e 20200201
	keys wrong.beta && sign wrong.beta
	cp "$DIR/zones/$(cat "$DIR/zones/wrong.beta.key").ds" "$DIR/zones/wrong.ds"
	keys wrong.beta && ds wrong.beta >"$DIR/zones/wrong.ds"
}

zones_tops() {
	for _top in alpha beta gamma; do
		{
			zone_head $_top
			printf '@ NS ns1\nns1 A 11.0.0.2\n'
			for _zone in $LEAVES; do
				[ "${_zone#*.}" = $_top ] || continue
				delegate "$_zone"
				case $_zone in
				wrong.beta) cat "$DIR/zones/wrong.ds" ;;
				s* | bad* | old*) ds "$_zone" ;;
				esac
			done
		} >"$DIR/zones/$_top.zone"
	done
	keys alpha && sign alpha
	keys beta && sign beta -n -s 1234 -t 1
	{
		printf '$ORIGIN .\n$TTL 600\n. SOA ns1.root. host.root. 1 3600 600 86400 300\n. NS ns1.root.\nns1.root. A 11.0.0.1\n'
		for _top in alpha beta gamma; do
			printf '%s. NS ns1.%s.\nns1.%s. A 11.0.0.2\n' $_top $_top $_top
		done
		ds alpha
		ds beta
	} >"$DIR/zones/root.zone"
	(cd "$DIR/zones" && ldns-keygen -a ECDSAP256SHA256 -k . >root.key)
	sign root
	cp "$DIR/zones/$(cat "$DIR/zones/root.key").key" "$DIR/anchor.key"
	printf '. 3600 IN NS ns1.root.\nns1.root. 3600 IN A 11.0.0.1\n' >"$DIR/root.hints"
}

# serve NAME "ADDRESS..." ZONE...
serve() {
	_name=$1 _addresses=$2
	shift 2
	{
		echo "server:"
		for _address in $_addresses; do echo "	ip-address: $_address"; done
		cat <<-TEXT
			do-ip6: no
			username: ""
			chroot: ""
			zonesdir: "$DIR/zones"
			pidfile: ""
			database: ""
			xfrdfile: "$DIR/$_name.xfrd"
			zonelistfile: "$DIR/$_name.list"
			server-count: 1
			rrl-ratelimit: 0
			rrl-whitelist-ratelimit: 0
			remote-control:
			control-enable: no
		TEXT
		for _zone; do
			_file=$_zone.zone
			[ -f "$DIR/zones/$_zone.signed" ] && _file=$_zone.signed
			[ "$_zone" = root ] && _zone=.
			printf 'zone:\n\tname: "%s"\n\tzonefile: "%s"\n' "$_zone" "$_file"
		done
	} >"$DIR/$_name.conf"
	nsd -d -c "$DIR/$_name.conf" >"$DIR/$_name.log" 2>&1 &
	PIDS="$PIDS $!"
}

zones_up() {
	mkdir -p "$DIR/zones"
	zones_leaves
	zones_tops
	serve nsd-root 11.0.0.1 root
	serve nsd-tops 11.0.0.2 alpha beta gamma
	# shellcheck disable=SC2086 # words
	serve nsd-leaves "11.0.0.3 11.0.0.4" $LEAVES sub.p3.gamma
}
