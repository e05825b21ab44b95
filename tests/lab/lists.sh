#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck disable=SC2317,SC2329 # functions are run by expect and wait_until
# Lists that are downloaded: each kind of bad one is refused for its reason, and what was in force stays; processes that are
# killed in the middle; a start without a network, and one without the list compiler.
# shellcheck source=tests/lab/common.sh
. "$(dirname "$0")/common.sh"

# Of the large list.
NAMES=${NAMES:-400000}
SITE=$LAB/site
HTTP=http://$WEB4:8080
STATE=$LAB/state/lists

mkdir -p "$SITE"
numbered() {
	awk -v n="$2" -v name="$1" 'BEGIN { for (i = 1; i <= n; i++) printf "%s%d.bad.example\n", name, i }'
}
numbered a 2000 >"$SITE/good.txt"
printf '<!DOCTYPE html>\n<html><body>Please log in</body></html>\n' >"$SITE/page.txt"
: >"$SITE/empty.txt"
printf '! only a comment\n' >"$SITE/comment.txt"
printf '198.18.0.0/24\n2001:db8:bad::/48\n' >"$SITE/drop.txt"

# Whoever asks knows this authority, and no other.
certificate "$LAB/tls" lists.example.org $WEB4 >"$LAB/log/certificate" 2>&1
export SSL_CERT_FILE="$LAB/tls/ca.pem"
chmod 755 "$LAB/tls"
start lists-http internet python3 "$TOP/tests/lab/list_server.py" "$SITE" $WEB4 8080
start lists-https internet python3 "$TOP/tests/lab/list_server.py" "$SITE" $WEB4 9443 "$LAB/tls/server.pem" "$LAB/tls/server.key"
wait_until 10 listens internet 8080 && wait_until 10 listens internet 9443 || die "no servers of lists"
# The host asks the public resolver.
echo "nameserver $PUBLIC4" >"$LAB/ns/gw/resolv.conf"

# lists NAME URL...: the policy's downloads.
lists() {
	_lists=
	while [ $# != 0 ]; do
		_lists="$_lists\"$1\": {\"url\": \"$2\"}, "
		shift 2
	done
	apply "s|\"ads\": {\"file\"|$_lists&|; s|\"block\": \[\"ads\",|\"block\": [\"fresh\", \"ads\",|$extra"
}
extra=

# state NAME FILTER: of that list, by jq.
state() {
	sluice lists --json | jq -r "select(.name == \"$1\") | $2"
}
state_is() {
	[ "$(state "$1" "$2")" = "$3" ]
}
taken() {
	state_is "$1" '.state == "idle" and .in_force and .error == null' true
}
blocked() {
	ask laptop "$1" | grep -q 'EDE: 15'
}
asked() {
	grep -c "^$1 $2\$" "$LAB/log/lists-http"
}
update() {
	sluice lists update "$@"
}
# refused NAME REASON: its last download was refused for that reason.
refused() {
	state "$1" .error >"$LAB/error"
	cat "$LAB/error"
	says "$2" "$LAB/error"
}
fetch_pid() {
	pgrep -P "$(launcher_pid)" -x sluice-fetch
}
listc_pid() {
	pgrep -P "$(launcher_pid)" -f 'sluice-dnsd --role listc'
}
launcher_pid() {
	pgrep -P "$(gateway_pid)" -f 'sluice-gatewayd --role launcher'
}

gateway_down
gateway_up
wait_until 10 device_answers laptop
expect "a policy with a list that is not there yet is taken" lists fresh "$HTTP/good.txt"
expect "it is downloaded at once" wait_until 30 taken fresh
expect "and blocks" blocked a2000.bad.example
expect "its rules are counted" state_is fresh .rules 2000
expect "it came gzipped, and is kept as it was" cmp -s "$SITE/good.txt" "$STATE/fresh.txt"
expect "update asks whether there is something newer" update fresh
expect "with the server's tag: 304" test "$(asked /good.txt 304)" = 1
numbered b 2100 >"$SITE/good.txt"
expect "what is newer comes with an update" update fresh
expect "and is in force when that is done" blocked b2100.bad.example
expect "the text before it is kept" state_is fresh .old_kept true
refuse "the old one's names are not blocked any more" blocked a2000.bad.example

# Each list is another kind of bad one.
lists fresh "$HTTP/good.txt" missing "$HTTP/none.txt" page "$HTTP/page.txt" empty "$HTTP/empty.txt" \
	comment "$HTTP/comment.txt" loop "$HTTP/loop" moved "$HTTP/moved" tofile "$HTTP/to-file" \
	toprivate "$HTTP/to-private" cut "$HTTP/cut-off" bomb "$HTTP/bomb" endless "$HTTP/endless" \
	tls https://$WEB4:9443/good.txt downgrade https://$WEB4:9443/to-http slow "$HTTP/slow" \
	stranger https://www.example.org:9443/good.txt named http://www.example.org:8080/good.txt
expect "the policy with many lists is taken" says 'plan .* in force' "$LAB/reload"
tells() {
	wait_until 90 refused "$2" "$3"
	expect "$1" refused "$2" "$3"
}
tells "a missing one" missing 'HTTP code 404'
tells "a web page" page 'web page'
tells "an empty one" empty 'empty'
tells "one without a rule" comment 'no line of it is a rule'
tells "redirects in a circle" loop 'redirects'
tells "a redirect to a file" tofile "Protocol 'file'"
tells "a redirect into the private network" toprivate '192\.168\.1\.20'
tells "a connection that is cut off" cut 'transfer closed|remaining'
tells "one that unpacks to 300 MB" bomb 'larger than 268435456 bytes'
tells "one that does not end" endless 'larger than 268435456 bytes'
tells "https to http" downgrade "Protocol 'http'"
tells "a certificate for another name" stranger 'certificate|SSL|subject name'
tells "one that is too slow" slow 'too slow|[Oo]peration'
expect "a redirect that is allowed is followed" wait_until 30 taken moved
expect "over https it comes" wait_until 30 taken tls
expect "by a name, which the resolver says" wait_until 30 taken named
sluice status >"$LAB/status"
expect "what is not there is said to pass" says 'list missing: .*names on it pass.*404' "$LAB/status"
nothing_half() {
	[ -z "$(find "$STATE" -name '*.new')" ]
}
expect "nothing half is left" wait_until 60 nothing_half

# What was in force stays.
lists fresh "$HTTP/good.txt"
wait_until 30 taken fresh
numbered c 105 >"$SITE/good.txt"
refuse "one that shrinks to 5 % is refused" update fresh
expect "for that reason" refused fresh 'it has 105 rules where the one in force has 2100'
expect "and the old one is in force" blocked b2100.bad.example
expect "its text, too" test "$(wc -l <"$STATE/fresh.txt")" = 2100
expect "status says so" sh -c "'$BUILD/sluice' --config '$CONFIG' status | grep -q 'list fresh: not updated: it has 105'"
expect "unless somebody forces it" update --force fresh
expect "then it is in force" blocked c105.bad.example
printf 'www.example.org\n' >>"$SITE/good.txt"
refuse "one with which the policy's tests fail is not taken" update fresh
expect "for that reason" refused fresh 'not taken: .*'
expect "the old one is in its place" lacks 'www.example.org' "$STATE/fresh.txt"
expect "a reload by hand goes on working" sluice reload
numbered d 2000 >"$SITE/good.txt"
expect "what is good again is taken" update fresh

# Address lists.
extra='; s|"lists": {|"iplists": {"bad": {"url": "'$HTTP/drop.txt'"}}, &|; s|//denies .*|"denies": [{"src": ["group:family"], "dst": ["iplist:bad"], "ip": ["*"]}],|'
refuse "a policy with addresses that nobody has yet is not taken" lists fresh "$HTTP/good.txt"
expect "but they are downloaded" wait_until 10 test -s "$STATE/bad.txt"
expect "and then it is" lists fresh "$HTTP/good.txt"
expect "the list is well" wait_until 30 taken bad
in_table() {
	ruleset | grep -q '198\.18\.0\.0'
}
expect "and in the kernel's table" wait_until 10 in_table
extra=

# Killed in the middle.
lists fresh "$HTTP/good.txt" slow "$HTTP/slow"
sluice lists update slow >"$LAB/log/update" 2>&1 &
_update=$!
expect "a download is under way" wait_until 10 state_is slow .state fetching
fetch_has() {
	grep -Eq "^$1:[[:space:]]+$2" "/proc/$(fetch_pid)/status"
}
expect "the downloader is nobody of importance" fetch_has Uid "64701[[:space:]]+64701"
expect "without any right" fetch_has CapBnd 0000000000000000
expect "and cannot get any" fetch_has NoNewPrivs 1
expect "behind a filter of system calls" fetch_has Seccomp 2
expect "the downloader is killed" sh -c "kill -9 $(fetch_pid)"
expect "that is said" wait_until 5 refused slow 'ended without a result'
wait $_update
expect "the lists are in force" blocked d2000.bad.example
sluice lists update slow >"$LAB/log/update" 2>&1 &
_update=$!
wait_until 5 state_is slow .state fetching
_victim=$(gateway_pid)
kill -9 "$_victim"
is_another() {
	[ "$(gateway_pid)" != "$_victim" ] && sluice status >/dev/null
}
wait $_update
expect "gatewayd is killed during a download, and comes back" wait_until 10 is_another
expect "with the list" wait_until 5 blocked d2000.bad.example
numbered e $NAMES >"$SITE/good.txt"
sluice lists update fresh >"$LAB/log/update" 2>&1 &
_update=$!
expect "a large text is checked" wait_until 20 listc_pid
kill -9 "$(listc_pid)" 2>/dev/null
wait $_update
expect "the compiler is killed: that is said, or it was done" says "ended without a result|$NAMES" "$LAB/log/update"
expect "a list is in force" sh -c "[ -s '$STATE/fresh.txt' ]"
wait_until 60 update fresh
expect "at the next attempt it is taken" blocked e$NAMES.bad.example
numbered f $NAMES >"$SITE/good.txt"
sluice lists update fresh >"$LAB/log/update" 2>&1 &
_update=$!
wait_until 20 listc_pid
_victim=$(gateway_pid)
kill -9 "$_victim"
wait $_update
expect "gatewayd is killed while a text is compiled, and comes back" wait_until 20 is_another
either() {
	blocked e$NAMES.bad.example || blocked f$NAMES.bad.example
}
expect "with one whole text" wait_until 10 either
numbered e $NAMES >"$SITE/good.txt"
wait_until 60 update fresh

# The compiled file.
kept() {
	[ -s "$LAB/state/lists.compiled" ] && [ -s "$LAB/state/lists.compiled.json" ] && ! listc_pid
}
restart() {
	lines=$(wc -l <"$LAB/log/supervisor")
	_victim=$(gateway_pid)
	kill "$_victim"
	wait_until 20 is_another
}
since() {
	tail -n "+$((lines + 1))" "$LAB/log/supervisor" >"$LAB/since"
	says "$1" "$LAB/since"
}
since_lacks() {
	tail -n "+$((lines + 1))" "$LAB/log/supervisor" >"$LAB/since"
	lacks "$1" "$LAB/since"
}
expect "the compiled lists are on the disk" wait_until 20 kept
stop lists-http
stop lists-https
restart
expect "a start without a network has the lists" wait_until 5 blocked e$NAMES.bad.example
expect "as they were compiled before" since 'lists.kept rules='
sed -n 's/.*\(lists.kept\)/# \1/p' "$LAB/since"
expect "the list compiler was not started" since_lacks 'child.started role=listc'
expect "with the counts of each" state_is fresh .rules $NAMES
printf 'X' | dd of="$LAB/state/lists.compiled" bs=1 seek=5000 conv=notrunc 2>/dev/null
restart
expect "a damaged copy is not used" since 'lists.anew .*damaged'
expect "the lists are compiled anew" wait_until 20 since 'lists.compiled rules='
expect "and are in force" wait_until 5 blocked e$NAMES.bad.example
wait_until 20 kept
touch "$STATE/fresh.txt"
restart
expect "nor is one of another text" since 'lists.anew .*fresh is another one'
wait_until 20 kept
rm "$LAB/state/lists.compiled.json"
restart
expect "nor one that nothing is known of" wait_until 20 since 'lists.compiled rules='
