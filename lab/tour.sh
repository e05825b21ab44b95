# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh
# The tour of `./dev run`: what the gateway does, shown by commands that a user would type, each with a check of its own on
# what came of it. A check that fails makes the run fail; the tour goes on, so that one sees all of it.

tour_failed=0
OUT=$LAB/out # what the last command printed

chapter() {
	printf '\n== %s\n' "$*"
}

# on MACHINE COMMAND...: shown as typed there, the output shown and kept in $OUT, the exit status in $rc.
on() {
	_machine=$1
	shift
	printf '   %s$ %s\n' "$_machine" "$*"
	rc=0
	if [ "$1" = sluice ]; then
		shift
		sluice "$@" >"$OUT" 2>&1 || rc=$?
	else
		in_ns "$_machine" "$@" >"$OUT" 2>&1 || rc=$?
	fi
	grep -v "^$" "$OUT" | head -n 12 | cut -c 1-200 | sed 's/^/      /'
}

# check WHAT COMMAND...
check() {
	_what=$1
	shift
	if "$@" >/dev/null 2>&1; then
		printf '   PASS %s\n' "$_what"
	else
		printf '   FAIL %s\n' "$_what"
		tour_failed=$((tour_failed + 1))
	fi
}

shows() {
	grep -Eq -- "$1" "$OUT"
}

shows_not() {
	! grep -Eq -- "$1" "$OUT"
}

worked() {
	[ "$rc" = 0 ]
}

failed() {
	[ "$rc" != 0 ]
}

CURL="curl -sS -m 2"
DIG="dig +nocmd +nostats +noquestion +tries=1 +time=2"

# 4 or 6 in the family's own brackets, for a URL.
url_host() {
	case $1 in
	*:*) echo "[$1]" ;;
	*) echo "$1" ;;
	esac
}

tour_by_name() {
	chapter "The laptop fetches a page by name, through the gateway, and is not seen behind it"
	for family in 4 6; do
		log=$LAB/log/web-80 seen_as=$GW_WAN4
		[ $family = 4 ] || { log=$LAB/log/web-v6-80 seen_as=$GW_WAN6; }
		: >"$log"
		on laptop $CURL -$family http://www.example.org/
		check "IPv$family: the page came" shows 'This is web'
		check "IPv$family: the web server's log has the gateway's address $seen_as" \
			wait_until 2 grep -qF "$seen_as" "$log"
		check "IPv$family: and not the laptop's" not_in_log "$log" 'fd5a:51ce|100\.64\.'
	done
}

not_in_log() {
	! grep -Eq "$2" "$1"
}

tour_blocked() {
	chapter "A blocked name is answered as blocked, and says by which line of which list (EDE 15)"
	line=$(grep -n tracker.example.org "$LAB/etc/lists/ads.hosts" | cut -d : -f 1)
	for type in A AAAA; do
		on laptop $DIG @$GW_TUN4 tracker.example.org $type
		check "$type: EDE 15 names list 'ads' and line $line" shows "EDE: 15 .*ads[^0-9]*$line"
		check "$type: no address of the tracker" shows_not "$OTHER4|$OTHER6"
	done
	on laptop $DIG @$GW_TUN4 cname-to-tracker.example.org A
	check "a CNAME that leads to it is blocked, too" shows "EDE: 15 .*ads"

	name=$(sed -n 's/^||\([a-z0-9.-]*\)^$/\1/p' "$LAB/etc/lists/blocklist.adblock" | head -n 1)
	line=$(grep -nF "||$name^" "$LAB/etc/lists/blocklist.adblock" | head -n 1 | cut -d : -f 1)
	chapter "The same from a published list of $(wc -l <"$LAB/etc/lists/blocklist.adblock") lines"
	on laptop $DIG @$GW_TUN4 "$name" A
	check "$name: EDE 15 names list 'published' and line $line" shows "EDE: 15 .*published[^0-9]*$line"
	on gw sluice status --json
	check "the gateway says how many rules it took of the lists" shows '"list_rules":[1-9]'

	chapter "A blocked name is let pass for a while, for one device, and it ends by itself"
	on gw sluice allow tracker.example.org --for 10m --device laptop
	check "the gateway says until when" shows 'passes for device laptop, (10 min 0|9 min 59) s left'
	on laptop $DIG @$GW_TUN4 tracker.example.org A
	check "it has its address" shows "$OTHER4"
	on server $DIG @$GW_TUN4 tracker.example.org A
	check "for the server it is blocked still" shows "EDE: 15 .*ads"
	on gw sluice allow --end tracker.example.org
	on laptop $DIG @$GW_TUN4 tracker.example.org A
	check "ended by hand: blocked again" shows "EDE: 15 .*ads"
}

tour_split() {
	chapter "Names of home come from the resolver at home, and only from there"
	on laptop $DIG +noall +answer @$GW_TUN4 nas.home.arpa A
	check "nas.home.arpa has its address" shows "$NAS4"
	on laptop $DIG +noall +answer @$GW_TUN4 nas.home.arpa AAAA
	check "and its IPv6 address" shows "$NAS6"
	on laptop $DIG @$GW_TUN4 no-such-host.home.arpa A
	check "what home does not know does not exist" shows 'NXDOMAIN'
	on laptop $DIG +noall +answer @$PUBLIC4 nas.home.arpa A
	check "asking another resolver comes out at the same place" shows "$NAS4"
	printf '   internet$ grep home.arpa %s\n' "$LAB/log/public"
	check "the public resolver's own query log has the other names" grep -q www.example.org "$LAB/log/public"
	check "and no name of home" not_in_log "$LAB/log/public" 'home\.arpa'
}

retransmits() {
	in_ns server nstat -asz TcpRetransSegs 2>/dev/null | awk '/TcpRetransSegs/ {print $2}'
}

same() {
	[ "$1" = "$2" ]
}

tour_server() {
	chapter "The server reaches its one name, at the first SYN, and nothing else"
	for family in 4 6; do
		before=$(retransmits)
		on server $CURL -$family http://deb.example.net:443/
		check "IPv$family: deb.example.net:443 answers" shows 'This is deb'
		check "IPv$family: no SYN was sent twice" same "$before" "$(retransmits)"
		on server $CURL -$family http://deb.example.net:80/
		check "IPv$family: another port of it does not" failed
		for address in $WEB4 $WEB6; do
			case $family$address in 4*:* | 6*.*) continue ;; esac
			on server $CURL "http://$(url_host $address):443/"
			check "IPv$family: another address does not" failed
		done
	done
	on server $CURL http://www.example.org:443/
	check "another name resolves and is still not reached" failed
}

tour_nas() {
	chapter "The NAS behind the gateway is closed to the laptop until a grant names it"
	nas_step closed failed
	policy_edit "$NAS_OPEN"
	printf '   gw$ diff policy.hujson.before policy.hujson\n'
	diff "$TOP/lab/etc/policy.hujson" "$LAB/etc/policy.hujson" | sed 's/^/      /'
	on gw sluice reload
	check "the policy is in force" worked
	nas_step open worked
	on laptop $CURL http://$NAS4:445/
	check "another port of it stays closed" failed
	policy_edit ''
	on gw sluice reload
	check "the grant is taken back" worked
	nas_step closed failed
}

nas_step() {
	for address in $NAS4 $NAS6; do
		on laptop $CURL "http://$(url_host $address)/"
		check "$address is $1" "$2"
	done
}

tour_flows() {
	chapter "What the server did is recorded, what the laptop did not"
	events=$LAB/log/events
	start events gw conntrack -E
	wait_until 3 hears_conntrack events
	on laptop $CURL http://www.example.org/
	on server $CURL http://deb.example.net:443/
	wait_until 15 server_flow_recorded
	on gw sluice flows --json
	check "the server's flow is there with its name, rule, country and AS" \
		flow_with '.name == "deb.example.net" and .rule == "/grants/0" and .country == "DE" and .asn == 64500'
	check "there is nothing of the laptop" shows_not "laptop|$LAPTOP4|$LAPTOP6"
	stop events
	printf '   gw$ conntrack -E   (while both were fetching)\n'
	check "the kernel sent an event for the server" grep -q "$SERVER4" "$events"
	check "and none for the laptop" not_in_log "$events" "src=$LAPTOP4 |src=$LAPTOP6 "
}

flow_with() {
	jq -es "map(select(.device == \"server\" and $1)) | length > 0" "$OUT"
}

server_flow_recorded() {
	sluice flows --json | grep -q 'deb\.example\.net'
}

tour_explain() {
	chapter "Every yes and every no has a place"
	on gw sluice explain server deb.example.net 443/tcp
	check "allowed, by the grant" shows '/grants/0'
	on gw sluice explain laptop tracker.example.org 443/tcp
	check "refused, by the list and its line" shows 'ads'
	on gw sluice explain server $OTHER4 443/tcp
	check "refused, since nothing allows it" shows 'drop|refused|denied|no rule'
}

tour_mistakes() {
	chapter "A mistake in the policy changes nothing, and says where it is"
	policy_edit 's|"dst": \["autogroup:internet"\]|"dst": ["group:nobody"]|'
	on gw sluice reload
	check "refused" failed
	check "with file, line and column" shows 'policy\.hujson:[0-9]+:[0-9]+: error'
	check "and a caret under it" shows '^[^a-z]*\^~*$'
	on laptop $CURL http://www.example.org/
	check "the laptop still gets its page" shows 'This is web'

	chapter "So does a policy that fails its own tests"
	policy_edit "$BROKEN_TEST"
	on gw sluice reload
	check "refused" failed
	check "with the test that failed" shows "$OTHER4"
	on server $CURL http://$OTHER4:443/
	check "and it is still closed" failed
	policy_edit ''
	on gw sluice reload
	check "the good policy is fine" worked
}

child_pid() {
	sluice status --json | jq -r ".children.$1.pid"
}

# Milliseconds until DNS answers the laptop again.
dns_back_ms() {
	_from=$(now_ms)
	wait_until 10 resolved_once || return 1
	echo $(($(now_ms) - _from))
}

resolved_once() {
	[ "$(in_ns laptop dig +short +tries=1 +time=1 @$GW_TUN4 www.example.org A)" = $WEB4 ]
}

ask_all_the_time() {
	while [ -e "$LAB/asking" ]; do
		in_ns laptop dig +short +tries=1 +time=1 @$GW_TUN4 www.example.org A >/dev/null 2>&1
	done
}

tour_kills() {
	chapter "The resolver is killed under load: a new one answers"
	: >"$LAB/asking"
	ask_all_the_time &
	asker=$!
	victim=$(child_pid dnsd)
	printf '   gw$ kill -9 %s   (sluice-dnsd)\n' "$victim"
	kill -9 "$victim"
	took=$(dns_back_ms)
	printf '      DNS answered again after %s ms\n' "$took"
	check "in less than a second" test "${took:-9999}" -lt 1000
	rm -f "$LAB/asking"
	wait $asker

	chapter "The gateway is killed: what flows goes on, what is denied stays denied, a new one takes over"
	start download laptop curl -sS -m 30 --limit-rate 1M -o "$LAB/download" http://www.example.org/big
	wait_until 3 test -s "$LAB/download"
	victim=$(gateway_pid)
	: >"$LAB/hold" # the service manager waits, so that one sees the time without a gateway
	printf '   gw$ kill -9 %s   (sluice-gatewayd)\n' "$victim"
	kill -9 "$victim"
	wait_until 2 is_gone gatewayd
	size=$(stat -c %s "$LAB/download")
	on server $CURL http://$WEB4:443/
	check "without a gateway, denied stays denied" failed
	check "and the download goes on" wait_until 3 grew "$size"
	rm -f "$LAB/hold"
	wait_until 10 sluice status
	on gw sluice status
	check "the next gateway is up" worked
	check "DNS answers" wait_until 5 resolved_once
	wait_until 30 is_gone download
	check "the download is complete" test "$(stat -c %s "$LAB/download")" = 8388608
	on server $CURL http://deb.example.net:443/
	check "the server reaches its name" shows 'This is deb'
	on server $CURL http://$WEB4:443/
	check "and still nothing else" failed
}

grew() {
	[ "$(stat -c %s "$LAB/download")" -gt "$1" ]
}

tour_uplink() {
	chapter "The real internet, over $1"
	on laptop $DIG +noall +answer @$GW_TUN4 www.debian.org A
	check "a real name resolves" shows '[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+'
	on laptop curl -sSI -m 10 https://www.debian.org/
	check "and its page comes" shows '^HTTP'
	on server curl -sSI -m 4 https://www.debian.org/
	check "the server does not reach it" failed
}

# tour: 0 when every check passed.
tour() {
	tour_by_name
	tour_blocked
	tour_split
	tour_server
	tour_nas
	tour_flows
	tour_explain
	tour_mistakes
	tour_kills
	[ -z "${uplink:-}" ] || tour_uplink "$uplink"
	chapter "The tour is over: $([ $tour_failed = 0 ] && echo 'every check passed' || echo "$tour_failed checks FAILED")"
	[ $tour_failed = 0 ]
}
