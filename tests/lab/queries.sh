#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Recorded questions: of each device what its level allows and no more, with reason, list, line, rule and time; what is
# lost with a killed process; `sluice queries`, `sluice top`, `sluice lists report`.
# shellcheck source=tests/lab/common.sh
. "$(dirname "$0")/common.sh"

ROWS=$LAB/queries

# one FILTER: some recorded question is like that.
one() {
	sluice queries --json >"$ROWS"
	jq -es "map(select(.state == \"query\" and $1)) | length > 0" "$ROWS" >/dev/null
}

# many FILTER: how many are.
many() {
	sluice queries --json | jq -s "map(select($1)) | length"
}

# "full" for the server, another level for the laptop: LEVEL of the family.
LOGS='s|{"src": \["tag:server"\], "flows": "full"}|{"src": ["tag:server"], "flows": "full", "queries": "full"}, {"src": ["group:family"], "queries": "LEVEL"}|'
level() {
	apply "$(printf %s "$LOGS" | sed "s|LEVEL|$1|")"
}

# Nobody has opted in.
expect "the laptop asks" answers laptop www.example.org A $WEB4
expect "the server asks" ask server tracker.example.org
sleep 1
expect "nothing is recorded without opt-in" test "$(many true)" = 0
expect "nor told to the recorder" test "$(sluice dns status --json | jq .events.queries_told)" = 0

# Blocked.
expect "blocked of the family, full of the server" level blocked
expect "the laptop asks for a name that passes" answers laptop www.example.org A $WEB4
expect "and for one that is blocked" ask laptop ads.example.org
expect "the server asks" answers server deb.example.net A $DEB4
line=$(grep -n 'ads\.example\.org' "$LAB/etc/lists/ads.hosts" | head -n 1 | cut -d : -f 1)
expect "the blocked one is recorded, with reason, list and line" wait_until 5 one \
	".device == \"laptop\" and .name == \"ads.example.org\" and .type == \"A\" and .reason == \"list\" and .list == \"ads\" and .line == $line and .outcome == \"blocked\""
expect "and its rule" one '.name == "ads.example.org" and (.rule | contains("ads.example.org"))'
expect "the other one is not" test "$(many '.device == "laptop" and .name == "www.example.org"')" = 0
expect "the server's is, with its answer, time and upstream" wait_until 5 one \
	".device == \"server\" and .name == \"deb.example.net\" and .answer == [\"$DEB4\"] and .latency_us > 0 and .rcode == \"NOERROR\" and (.upstream | endswith(\"#53\"))"
expect "the server asks again" answers server deb.example.net A $DEB4
expect "from the cache, which no upstream was asked for" wait_until 5 one \
	'.device == "server" and .name == "deb.example.net" and .outcome == "cached" and .upstream == null and .latency_us < 1000000'
expect "people can read it" sh -c "$BUILD/sluice --config $CONFIG queries --blocked | grep -q 'ads.example.org A  blocked .* ads line $line: '"

# Counts.
expect "counts of the family" level counts
for _try in 1 2 3; do
	ask laptop secret.example.org >/dev/null
done
expect "and full again, which ends the minute" level full
counted() {
	[ "$(sluice queries --json --device laptop | jq -s 'map(select(.state == "count") | .count) | add')" = 3 ]
}
expect "three questions are counted" wait_until 5 counted
expect "without a name" test "$(many '.state == "count" and (.name != null or .type != null or .rule != null or .src != null)')" = 0
journal_lacks() {
	! grep -aq "$1" "$LAB"/state/journal/*.jnl
}
expect "which is in no file" journal_lacks secret

# Pseudonymous.
expect "pseudonyms of the family" level pseudonymous
expect "the laptop asks" ask laptop hidden.example.org
expect "its device and name are pseudonyms" wait_until 5 one \
	'(.device | startswith("p-")) and (.name | startswith("p-")) and (.src | startswith("p-")) and .rule == null and .line == null'
expect "and nothing else is" journal_lacks hidden

# Off again.
before=$(many true)
expect "nobody's" apply '/"src": \["tag:server"\], "flows"/d'
expect "the laptop asks" ask laptop ads.example.org
expect "the server asks" ask server after.example.net
sleep 1
expect "off records nothing" test "$(many true)" = "$before"
expect "the journal is whole" sluice flows --verify

# Killed.
expect "full of both" level full
told() {
	one ".device == \"server\" and .name == \"$1\""
}
expect "a name is asked" ask server before-kill.example.net
expect "and recorded" wait_until 5 told before-kill.example.net
recorder=$(child_pid recorder)
kill -9 "$recorder"
expect "while there is no recorder, another one" ask server during-kill.example.net
expect "which waits for the next recorder" wait_until 10 told during-kill.example.net
expect "what was recorded is there" told before-kill.example.net
dnsd=$(child_pid dnsd)
sleep 0.3
kill -9 "$dnsd"
again() {
	[ "$(child_pid dnsd)" != "$dnsd" ] && ask server after-kill.example.net | grep -q 'status: '
}
expect "dnsd is killed and asked again" wait_until 10 again
expect "the next one is recorded by the same recorder" wait_until 10 told after-kill.example.net
expect "what was told 0.3 s before is there" told during-kill.example.net
expect "the journal is whole" sluice flows --verify
expect "none was lost" test "$(sluice queries --json | jq -s 'map(select(.reason == "queries-lost")) | length')" = 0

# Counted together.
for _try in 1 2 3 4 5; do
	ask server often.example.net >/dev/null
done
often() {
	[ "$(sluice top --json --limit 0 | jq -r 'select(.name == "often.example.net") | .queries')" = 5 ]
}
expect "the most frequent are counted exactly" wait_until 5 often
expect "as many as there are rows" test "$(sluice top --by device --json --limit 0 | jq -s 'map(.queries) | add')" = \
	"$(sluice queries --json | jq -s 'map(select(.state != "gap") | .count) | add')"
expect "by list" sh -c "$BUILD/sluice --config $CONFIG top --by list --blocked --json | jq -es 'map(select(.list == \"ads\" and .queries >= 1 and .queries == .blocked)) | length == 1'"
expect "of a device" sh -c "$BUILD/sluice --config $CONFIG top --device server | grep -q often.example.net"
refuse "by nothing that there is" sluice top --by colour
refuse "a journal that is not there" sluice queries --journal "$LAB/none"

# Lists.
ask laptop ads.example.org >/dev/null
expect "what a list has decided is counted" test "$(sluice dns status --json | jq .lists.ads)" -ge 1
expect "and reported" sh -c "$BUILD/sluice --config $CONFIG lists report --json | jq -es 'map(select(.list == \"ads\" and .rules > 0 and .decided >= 1)) | length == 1'"
printf 'one.example\ntwo.example\nthree.example\n' >"$LAB/a.txt"
printf 'one.example\ntwo.example\n' >"$LAB/b.txt"
printf '{"dns": {"lists": {"a": {"file": "a.txt"}, "b": {"file": "b.txt"}}}}\n' >"$LAB/report.hujson"
sluice lists report --policy "$LAB/report.hujson" --json >"$LAB/report"
expect "a list that another holds is needless" jq -es 'map(select(.list == "b" and .needless and .rules == 2 and .unique == 0 and .shared.a == 2)) | length == 1' "$LAB/report"
expect "the other is not" jq -es 'map(select(.list == "a" and (.needless | not) and .rules == 3 and .unique == 1)) | length == 1' "$LAB/report"
