#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Promise 5: names of home never reach the public resolver; devices cannot use another resolver; IPv6 is held to the same
# rules; the LAN is closed. The judge is the public resolver's own query log.
# shellcheck source=tests/lab/common.sh
. "$(dirname "$0")/common.sh"

expect "nas.home.arpa resolves" answers laptop nas.home.arpa A $NAS4
expect "and its IPv6 address" answers laptop nas.home.arpa AAAA $NAS6
expect "a name that home does not know does not exist" no_such_name laptop nothing.home.arpa
expect "the public resolver has been asked for other names" answers laptop www.example.org A $WEB4
expect "and logs them" says 'www\.example\.org' "$LAB/log/public"

expect "another resolver's address answers the same" answers_from laptop $PUBLIC4 nas.home.arpa $NAS4
expect "over TCP, too" answers_from laptop $PUBLIC4 nas.home.arpa $NAS4 +tcp
expect "and its IPv6 address" answers_from laptop $PUBLIC6 nas.home.arpa $NAS4
refuse "a public name does not lead into the house" answers laptop rebind.example.org A $NAS4
refuse "nor over IPv6" answers laptop rebind.example.org AAAA $NAS6
refuse "DNS over TLS is not covered by the internet" in_ns laptop curl -sS -m 1 telnet://$PUBLIC4:853
expect "home answers what home was asked" says 'nas\.home\.arpa' "$LAB/log/home"

# Failure: no resolver at home. Retry: asked again and again. Reload: in the middle of it.
stop home
refuse "without a resolver at home there is no answer" answers laptop other1.home.arpa A $NAS4
refuse "again" answers laptop nas2.home.arpa AAAA $NAS6
expect "a reload in between" apply "$NAS_OPEN"
refuse "still none" answers laptop other2.home.arpa A $NAS4
start home home unbound -d -c "$LAB/etc/unbound-home.conf"
home_is_back() {
	answers laptop nas.home.arpa A $NAS4
}
expect "home is back, and so are its names" wait_until 30 home_is_back
expect "the public resolver has seen no name of home" lacks 'home\.arpa' "$LAB/log/public"

refuse "the LAN's other port is closed" fetch laptop http://$NAS4:445/
expect "the NAS itself is open by its grant" fetch laptop http://$NAS4/
expect "over IPv6" fetch laptop "http://[$NAS6]/"
refuse "the server's is closed" fetch server http://$NAS4/
refuse "the gateway's own addresses are closed" in_ns laptop curl -sS -m 1 telnet://192.168.1.1:22
