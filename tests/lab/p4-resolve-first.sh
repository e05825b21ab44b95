#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Promise 4: a resolve-first device reaches only addresses that the resolver gave to that device, whatever rules allow.
# shellcheck source=tests/lab/common.sh
. "$(dirname "$0")/common.sh"

# The server may now reach the whole internet, if it asks first.
WIDE='s|"src": \["group:family"\], "dst": \["autogroup:internet"\]|"src": ["*"], "dst": ["autogroup:internet"]|
	s|, "deny": \["198.51.100.10:443", "192.168.1.20:80"\]||'
expect "a policy that lets the server out" apply "$WIDE"

refuse "an address that it has not asked for is closed" fetch server http://$WEB4/
refuse "and its IPv6 address" fetch server "http://[$WEB6]/"
expect "another device is given it" answers laptop www.example.org A $WEB4
refuse "which does not open it to the server" fetch server http://$WEB4/
expect "by name it is open" fetch server http://www.example.org/ -4
expect "and then by address, too" fetch server http://$WEB4/
expect "over IPv6 by name" fetch server http://www.example.org/ -6
expect "and by address" fetch server "http://[$WEB6]/"
expect "a device without resolve-first needs no name" fetch laptop http://$OTHER4/
refuse "the server does, for that" fetch server http://$OTHER4/
