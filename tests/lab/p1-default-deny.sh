#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Promise 1: a device reaches nothing that no rule allows; a device that is not registered, or not active, nothing at all.
# shellcheck source=tests/lab/common.sh
. "$(dirname "$0")/common.sh"

expect "the laptop reaches the internet" fetch laptop http://$WEB4/
expect "the laptop reaches the internet over IPv6" fetch laptop "http://[$WEB6]/"
refuse "the server does not" fetch server http://$WEB4/
refuse "the server does not over IPv6" fetch server "http://[$WEB6]/"
refuse "the laptop does not reach the LAN" fetch laptop http://$NAS4/
refuse "the laptop does not reach the LAN over IPv6" fetch laptop "http://[$NAS6]/"
refuse "the laptop does not reach the server" in_ns laptop ping -c 1 -W 1 $SERVER4
ip -n "$NS-internet" route add $LAPTOP4 via $GW_WAN4
refuse "nobody reaches the laptop from outside" in_ns internet ping -c 1 -W 1 $LAPTOP4

# Addresses that WireGuard lets in and the policy does not know.
in_ns gw wg set wg0 peer "$(cat "$LAB/keys/laptop.pub")" \
	allowed-ips $LAPTOP4/32,$LAPTOP6/128,100.64.0.99/32,fd5a:51ce::99/128
address laptop wg0 100.64.0.99/32 fd5a:51ce::99/128
refuse "an unknown address reaches nothing" fetch laptop http://$WEB4/ --interface 100.64.0.99
refuse "an unknown IPv6 address reaches nothing" fetch laptop "http://[$WEB6]/" --interface fd5a:51ce::99
refuse "and is not answered" answered_at laptop 100.64.0.99
expect "the laptop's own address still is" answers laptop www.example.org A $WEB4

# A pending device: its tunnel works, nothing else does.
in_ns gw wg set wg0 peer "$(cat "$LAB/keys/laptop.pub")" \
	allowed-ips $LAPTOP4/32,$LAPTOP6/128,100.64.0.30/32,fd5a:51ce::30/128
address laptop wg0 100.64.0.30/32 fd5a:51ce::30/128
refuse "a pending device reaches nothing" fetch laptop http://$WEB4/ --interface 100.64.0.30
refuse "a pending device reaches nothing over IPv6" fetch laptop "http://[$WEB6]/" --interface fd5a:51ce::30
refuse "and is not answered either" answered_at laptop 100.64.0.30
