#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Other programs' rules beside ours, loaded before gatewayd starts and after: the policy's verdicts are the same, or `sluice
# doctor` names the table, the chain and the rule that prevents it, and what it says helps. And their rules are never touched.
#
# The rules are written as those programs write them (Docker 24, ufw 0.36, firewalld 1.3, kube-proxy 1.28, Tailscale by
# shared/syntax.md 3.2 of the project), as the programs themselves do not run here. Where doctor's advice is a command of such
# a program, the test does what the command would do to the rules.
# shellcheck source=tests/lab/common.sh
. "$(dirname "$0")/common.sh"

# verdict NAME COMMAND...: in the background, as refusals take until their deadline.
verdict() {
	_file=$LAB/verdicts/$1
	shift
	{ "$@" >/dev/null 2>&1 && echo yes >"$_file" || echo no >"$_file"; } &
}

# What the devices meet, one line.
verdicts() {
	rm -rf "$LAB/verdicts"
	mkdir "$LAB/verdicts"
	verdict laptop-web4 fetch laptop http://$WEB4/
	verdict laptop-web6 fetch laptop "http://[$WEB6]/"
	verdict server-web4 fetch server http://$WEB4/
	verdict server-web6 fetch server "http://[$WEB6]/"
	verdict laptop-lan4 fetch laptop http://$NAS4/
	verdict laptop-lan6 fetch laptop "http://[$NAS6]/"
	verdict laptop-dns answers laptop www.example.org A $WEB4
	verdict server-name in_ns server curl -sSk -m 2 --resolve "deb.example.net:443:$(in_ns server dig +short +time=1 +tries=1 "@$GW_TUN4" deb.example.net A | head -n 1)" http://deb.example.net:443/
	# shellcheck disable=SC2046 # process ids
	wait $(jobs -p)
	(cd "$LAB/verdicts" && grep -H . -- *) | tr '\n' ' '
}

doctor() {
	in_ns gw "$BUILD/sluice" --config "$CONFIG" doctor --json >"$LAB/doctor"
}

# named ID FAMILY TABLE CHAIN policy|RULE: the doctor's last run failed that probe there.
named() {
	jq -se --arg id "$1" --arg family "$2" --arg table "$3" --arg chain "$4" --arg rule "$5" '
		map(select(.id == $id and .level == "fail" and .place.family == $family and .place.table == $table and
			.place.chain == $chain)) |
		any(if $rule == "policy" then .place.policy else .place.rule | contains($rule) end)' "$LAB/doctor" >/dev/null || {
		grep "\"$1\"" "$LAB/doctor"
		return 1
	}
}

advice() {
	jq -r 'select(.level == "fail" and .fix) | .fix' "$LAB/doctor" | sort -u
}

# All that is not ours, without counters and without what is of the moment.
theirs() {
	in_ns gw nft -s list ruleset 2>/dev/null | awk '/^table inet sluice /{ skip = 1 } !skip { print } /^}/{ skip = 0 }' |
		sed 's/counter packets [0-9]* bytes [0-9]*/counter/'
	for _v in iptables ip6tables; do
		in_ns gw $_v-legacy-save | sed '/^#/d; s/\[[0-9:]*\]//'
	done
}

clear_theirs() {
	in_ns gw nft list tables | while read -r _ _family _table; do
		[ "$_table" = sluice ] || in_ns gw nft delete table "$_family" "$_table"
	done
	for _v in iptables-legacy ip6tables-legacy; do
		for _t in filter nat mangle; do
			in_ns gw $_v -t $_t -F && in_ns gw $_v -t $_t -X
			for _chain in INPUT FORWARD OUTPUT; do
				in_ns gw $_v -t $_t -P $_chain ACCEPT
			done
		done
	done 2>/dev/null
}

# both BACKEND: rules from the standard input, as iptables-save writes them, for IPv4 and IPv6; @4 and @6 begin lines that are
# for one of them.
both() {
	cat >"$LAB/rules"
	sed '/^@6/d; s/^@4 *//' "$LAB/rules" | in_ns gw "iptables-$1-restore" --noflush &&
		sed '/^@4/d; s/^@6 *//' "$LAB/rules" | in_ns gw "ip6tables-$1-restore" --noflush
}

# tailscale BACKEND INTERFACE: the node's own address is 100.64.0.1.
tailscale() {
	both "$1" <<-RULES
		*filter
		:ts-input - [0:0]
		:ts-forward - [0:0]
		-A INPUT -j ts-input
		-A FORWARD -j ts-forward
		@4 -A ts-input -s 100.64.0.1/32 -i lo -j ACCEPT
		@4 -A ts-input -s 100.115.92.0/23 ! -i $2 -j RETURN
		@4 -A ts-input -s 100.64.0.0/10 ! -i $2 -j DROP
		-A ts-input -i $2 -j ACCEPT
		-A ts-input -p udp -m udp --dport 51820 -j ACCEPT
		-A ts-forward -i $2 -j MARK --set-xmark 0x40000/0xff0000
		-A ts-forward -m mark --mark 0x40000/0xff0000 -j ACCEPT
		@4 -A ts-forward -s 100.64.0.0/10 -o $2 -j DROP
		-A ts-forward -o $2 -j ACCEPT
		COMMIT
		*nat
		:ts-postrouting - [0:0]
		-A POSTROUTING -j ts-postrouting
		-A ts-postrouting -m mark --mark 0x40000/0xff0000 -j MASQUERADE
		COMMIT
		*mangle
		-A PREROUTING -m conntrack --ctstate RELATED,ESTABLISHED -m connmark ! --mark 0x0/0xff0000 -j CONNMARK --restore-mark --nfmask 0xff0000 --ctmask 0xff0000
		-A OUTPUT -m conntrack --ctstate NEW -m mark ! --mark 0x0/0xff0000 -j CONNMARK --save-mark --nfmask 0xff0000 --ctmask 0xff0000
		COMMIT
	RULES
}

docker() {
	both "$1" <<-'RULES'
		*filter
		:FORWARD DROP [0:0]
		:DOCKER - [0:0]
		:DOCKER-ISOLATION-STAGE-1 - [0:0]
		:DOCKER-ISOLATION-STAGE-2 - [0:0]
		:DOCKER-USER - [0:0]
		-A FORWARD -j DOCKER-USER
		-A FORWARD -j DOCKER-ISOLATION-STAGE-1
		-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
		-A FORWARD -o docker0 -j DOCKER
		-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
		-A FORWARD -i docker0 -o docker0 -j ACCEPT
		-A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
		-A DOCKER-ISOLATION-STAGE-1 -j RETURN
		-A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
		-A DOCKER-ISOLATION-STAGE-2 -j RETURN
		-A DOCKER-USER -j RETURN
		COMMIT
		*nat
		:DOCKER - [0:0]
		-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
		@4 -A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
		@4 -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
		-A DOCKER -i docker0 -j RETURN
		COMMIT
	RULES
}

ufw() {
	both "$1" <<-'RULES'
		*filter
		:INPUT DROP [0:0]
		:FORWARD DROP [0:0]
		:ufw-before-input - [0:0]
		:ufw-user-input - [0:0]
		:ufw-after-input - [0:0]
		:ufw-before-forward - [0:0]
		:ufw-user-forward - [0:0]
		-A INPUT -j ufw-before-input
		-A INPUT -j ufw-after-input
		-A FORWARD -j ufw-before-forward
		-A ufw-before-input -i lo -j ACCEPT
		-A ufw-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
		-A ufw-before-input -m conntrack --ctstate INVALID -j DROP
		@6 -A ufw-before-input -p ipv6-icmp -j ACCEPT
		-A ufw-before-input -j ufw-user-input
		-A ufw-before-forward -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
		-A ufw-before-forward -j ufw-user-forward
		-A ufw-after-input -p udp -m udp --dport 137 -j RETURN
		COMMIT
	RULES
}

# ufw_does COMMAND: what `ufw ...` of the doctor's advice would add.
ufw_does() {
	case $1 in
	"ufw route allow in on wg0") _rule="ufw-user-forward -i wg0 -j ACCEPT" ;;
	"ufw allow in on wg0") _rule="ufw-user-input -i wg0 -j ACCEPT" ;;
	"ufw allow 51820/udp") _rule="ufw-user-input -p udp --dport 51820 -j ACCEPT" ;;
	*) return 1 ;;
	esac
	# shellcheck disable=SC2086 # words
	in_ns gw iptables -A $_rule && in_ns gw ip6tables -A $_rule
}

firewalld() {
	in_ns gw nft -f - <<-'RULES'
		table inet firewalld {
			chain filter_INPUT {
				type filter hook input priority 10; policy accept;
				ct state established,related accept
				iifname "lo" accept
				ct state invalid drop
				jump filter_INPUT_ZONES
				reject with icmpx type admin-prohibited
			}
			chain filter_FORWARD {
				type filter hook forward priority 10; policy accept;
				ct state established,related accept
				ct state invalid drop
				jump filter_FORWARD_ZONES
				reject with icmpx type admin-prohibited
			}
			chain filter_INPUT_ZONES {
				meta l4proto icmpv6 accept
				udp dport 51820 accept
			}
			chain filter_FORWARD_ZONES {
			}
		}
	RULES
}

kube() {
	both "$1" <<-'RULES'
		*filter
		:KUBE-FIREWALL - [0:0]
		:KUBE-FORWARD - [0:0]
		-A INPUT -j KUBE-FIREWALL
		-A FORWARD -m conntrack --ctstate NEW -j KUBE-FORWARD
		@4 -A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP
		-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
		-A KUBE-FORWARD -m mark --mark 0x4000/0x4000 -j ACCEPT
		COMMIT
		*nat
		:KUBE-POSTROUTING - [0:0]
		-A POSTROUTING -j KUBE-POSTROUTING
		-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
		-A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0
		-A KUBE-POSTROUTING -j MASQUERADE
		COMMIT
	RULES
}

# beside WHEN COMMAND...: those rules, `before` gatewayd has started or `after`. False: this kernel cannot load them.
beside() {
	_when=$1
	shift
	if [ "$_when" = before ]; then
		gateway_down
		in_ns gw nft delete table inet sluice
	fi
	"$@" >"$LAB/out" 2>&1 || {
		skip "$* $_when: $(head -n 1 "$LAB/out")"
		clear_theirs
		[ "$_when" = after ] || gateway_up
		return 1
	}
	theirs >"$LAB/theirs"
	[ "$_when" = after ] || gateway_up
	sluice reload >"$LAB/out" 2>&1
	wait_until 5 answers_itself
}

answers_itself() {
	in_ns gw dig +tries=1 +time=1 "@$GW_TUN4" . NS
}

same_as_baseline() {
	_now=$(verdicts)
	[ "$_now" = "$baseline" ] || {
		printf 'expected: %s\nmet:      %s\n' "$baseline" "$_now"
		return 1
	}
}

# leave NAME: the other's rules are as they were loaded, and go.
leave() {
	theirs >"$LAB/theirs.now"
	expect "$1: its rules are untouched" cmp "$LAB/theirs" "$LAB/theirs.now"
	clear_theirs
}

baseline=$(verdicts)
expected="laptop-dns:yes laptop-lan4:no laptop-lan6:no laptop-web4:yes laptop-web6:yes server-name:yes server-web4:no server-web6:no "
expect "alone, the verdicts are the policy's" [ "$baseline" = "$expected" ]

for when in before after; do
	for backend in nft legacy; do
		beside $when tailscale $backend wg0 && {
			expect "Tailscale ($backend, $when): the same verdicts" same_as_baseline
			expect "Tailscale ($backend, $when): the doctor is content" doctor
			leave "Tailscale ($backend, $when)"
		}

		# Beside a tailscale0 of its own: it drops its range of addresses from everywhere else, DNS included.
		beside $when tailscale $backend tailscale0 && {
			doctor
			expect "Tailscale's own tunnel ($backend, $when): the rule that drops DNS" \
				named probe-dns4 ip filter ts-input "100.64.0.0/10"
			expect "and what to do" says 'tailscale set --netfilter-mode=nodivert' "$LAB/doctor"
			leave "Tailscale's own tunnel ($backend, $when)"
		}

		beside $when docker $backend && {
			doctor
			expect "Docker ($backend, $when): the policy of FORWARD" named probe-out4 ip filter FORWARD policy
			expect "for IPv6, too" named probe-out6 ip6 filter FORWARD policy
			leave "Docker ($backend, $when)"
			beside $when docker $backend
			doctor
			advice >"$LAB/advice"
			expect "its advice is DOCKER-USER" says '^ip6tables(-legacy)? -I DOCKER-USER -i wg0 -j ACCEPT$' "$LAB/advice"
			grep '^ip6*tables' "$LAB/advice" | while read -r line; do
				# shellcheck disable=SC2086 # words
				in_ns gw $line
			done
			expect "with it the verdicts are the policy's" same_as_baseline
			expect "and the doctor is content" doctor
			clear_theirs
		}
	done

	beside $when ufw nft && {
		doctor
		expect "ufw ($when): the policy of FORWARD" named probe-out4 ip filter FORWARD policy
		expect "ufw ($when): the policy of INPUT" named probe-dns6 ip6 filter INPUT policy
		expect "ufw ($when): the tunnel's port" named probe-tunnel4 ip filter INPUT policy
		leave "ufw ($when)"
		beside $when ufw nft
		doctor
		advice >"$LAB/advice"
		while read -r line; do
			expect "ufw's advice: $line" ufw_does "$line"
		done <"$LAB/advice"
		expect "with it the verdicts are the policy's" same_as_baseline
		expect "and the doctor is content" doctor
		clear_theirs
	}

	beside $when firewalld && {
		doctor
		expect "firewalld ($when): its last rule" named probe-out4 inet firewalld filter_FORWARD reject
		expect "firewalld ($when): for DNS" named probe-dns6 inet firewalld filter_INPUT reject
		expect "and what to do" says 'firewall-cmd --permanent --zone=trusted --add-interface=wg0' "$LAB/doctor"
		leave "firewalld ($when)"
		beside $when firewalld
		# What that command adds.
		for chain in filter_INPUT_ZONES filter_FORWARD_ZONES; do
			in_ns gw nft insert rule inet firewalld $chain iifname wg0 accept
		done
		expect "with it the verdicts are the policy's" same_as_baseline
		expect "and the doctor is content" doctor
		clear_theirs
	}

	beside $when kube nft && {
		expect "kube-proxy ($when): the same verdicts" same_as_baseline
		expect "kube-proxy ($when): the doctor is content" doctor
		leave "kube-proxy ($when)"
	}
done
expect "alone again" same_as_baseline
