#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Names that the gateway answers itself, names that never leave it, and who is asked for the others: by device. The judges
# are the resolvers' own query logs.
# shellcheck source=tests/lab/common.sh
. "$(dirname "$0")/common.sh"

RECORDS='"box.home.arpa": {"addresses": ["192.168.1.77", "fd00:1::77"], "ttl": 77, "TXT": "hello world"},
	"www.home.arpa": "box.home.arpa", "*.lab.home.arpa": ["192.168.1.78"], "git.lab.home.arpa": ["192.168.1.79"],
	"_sip._tcp.home.arpa": {"SRV": "0 5 5060 box.home.arpa"}'
RECORDS=$(echo "$RECORDS" | tr '\n\t' '  ')
NAMES="s|\"upstreams\": .\"203.0.113.53\".,|\"upstreams\": [\"203.0.113.53\"], \"domain\": \"home.arpa\", \"records\": {$RECORDS},|"
OWN_SPLIT='s|{"src": ."tag:server"., "block"|{"src": ["tag:server"], "split": {"example.org": ["192.168.1.53"]}, "block"|'
REBIND='s|"domain": "home.arpa"|"domain": "home.arpa", "rebindAllow": ["rebind.example.org"]|'

# short MACHINE NAME TYPE TEXT: a line of the short answer.
short() {
	in_ns "$1" dig +short +tries=1 +time=2 "@$GW_TUN4" "$2" "$3" | grep -qxF "$4"
}

# tells MACHINE NAME TYPE PATTERN: the whole answer has it.
tells() {
	ask "$1" "$2" "$3" | tee "$LAB/answer" | grep -Eq -- "$4"
}

# names MACHINE ADDRESS NAME: the reverse name.
names() {
	in_ns "$1" dig +short +tries=1 +time=2 "@$GW_TUN4" -x "$2" | grep -qx "$3"
}

# nowhere NAME: it does not exist, and says so with the SOA of a zone of ours.
nowhere() {
	tells laptop "$1" "${2:-A}" 'status: NXDOMAIN' && says 'SOA.localhost\. nobody\.invalid\.' "$LAB/answer"
}

expect "a policy with records and a domain" apply "$NAMES"
expect "a record has its address" short laptop box.home.arpa A 192.168.1.77
expect "and its IPv6 address" short laptop box.home.arpa AAAA fd00:1::77
expect "and its TTL" tells laptop box.home.arpa A '[[:space:]]77[[:space:]]IN[[:space:]]A[[:space:]]'
expect "and text" short laptop box.home.arpa TXT '"hello world"'
expect "and nothing of another type" tells laptop box.home.arpa MX 'ANSWER: 0'
expect "though it exists" says 'status: NOERROR' "$LAB/answer"
expect "an alias leads to it" short laptop www.home.arpa A box.home.arpa.
expect "with its address" short laptop www.home.arpa A 192.168.1.77
expect "a service has its record" short laptop _sip._tcp.home.arpa SRV '0 5 5060 box.home.arpa.'
expect "a pattern covers what is below it" short laptop a.b.lab.home.arpa A 192.168.1.78
expect "but not what has a record" short laptop git.lab.home.arpa A 192.168.1.79
refuse "nor what is below that" short laptop a.git.lab.home.arpa A 192.168.1.78
expect "a device has its name" short laptop server.home.arpa A 100.64.0.20
expect "and its IPv6 address" short laptop server.home.arpa AAAA fd5a:51ce::20
refuse "one that is not active has none" short laptop tv.home.arpa A 100.64.0.30
expect "its address has the name" names laptop 100.64.0.20 server.home.arpa.
expect "the IPv6 address, too" names laptop fd5a:51ce::20 server.home.arpa.
expect "a record's address has its name" names laptop 192.168.1.77 box.home.arpa.
expect "what has none is still asked at home" answers laptop nas.home.arpa A "$NAS4"

for name in secret.onion host.internal printer.local x.test y.alt 9.9.168.192.in-addr.arpa 1.2.0.192.in-addr.arpa; do
	expect "$name does not exist" nowhere $name
done
expect "localhost is localhost" short laptop a.localhost A 127.0.0.1
for name in use-application-dns.net mask.icloud.com mask-h2.icloud.com; do
	expect "$name is refused" tells laptop $name A 'status: NXDOMAIN'
	expect "by the policy" says 'EDE: 15 .*/dns/canaries' "$LAB/answer"
done
expect "the public resolver has seen none of them" lacks \
	'home\.arpa|onion|internal|local\.|x\.test|y\.alt|in-addr|ip6\.arpa|use-application|icloud' "$LAB/log/public"
refuse "nor has the one at home what is answered here" says 'box\.home|www\.home|server\.home' "$LAB/log/home"

expect "a public name with a private address is blocked" tells laptop rebind.example.org A 'EDE: 15 .*rebind guard.*192\.168\.1\.20'
expect "a policy that allows it there" apply "$NAMES;$REBIND"
expect "brings the address" answers laptop rebind.example.org A "$NAS4"
expect "a policy that does not" apply "$NAMES"
refuse "takes it back" answers laptop rebind.example.org A "$NAS4"

expect "the laptop asks the public resolver" answers laptop www.example.org A "$WEB4"
expect "so does the server" answers server www.example.org A "$WEB4"
refuse "home is not asked" says 'www\.example\.org' "$LAB/log/home"
expect "a policy with a split of the server's own" apply "$NAMES;$OWN_SPLIT"
refuse "sends the server home" answers server www.example.org A "$WEB4"
expect "where it was asked for" says 'www\.example\.org' "$LAB/log/home"
expect "and the laptop where it was" answers laptop www.example.org A "$WEB4"
expect "the plan says so" in_ns gw sh -c "'$BUILD/sluice' compile --policy '$LAB/etc/policy.hujson' --devices '$LAB/etc/devices.hujson' --format plan | grep -q 'split example.org udp 192.168.1.53'"
