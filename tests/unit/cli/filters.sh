#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Lists of every kind, services and safe search through the command: dns-eval, explain, list-match, services.
# usage: filters.sh SLUICE RULES
# shellcheck disable=SC2016 # rules of lists have a $
set -eu
sluice=$1
rules=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
failed=0

cat >policy.hujson <<'P'
{
  "groups": {"group:kids": ["ben@example.com"]},
  "tagOwners": {"tag:lab": []},
  "dns": {
    "lists": {"own": {"file": "own.txt"}, "far": {"file": "own.txt", "url": "https://lists.example/own.txt"}},
    "filters": [
      {"src": ["group:kids"], "block": ["service:tiktok", "||only.example^$dnstype=AAAA"], "allow": ["||www.bing.com^"],
       "safeSearch": true},
      {"src": ["tag:lab"], "block": ["own"], "blockMode": "nxdomain"},
      {"src": ["*"], "block": ["far"]},
    ],
  },
}
P
cat >devices.hujson <<'D'
{"users": ["ben@example.com", "ana@example.com"], "devices": [
  {"name": "laptop", "addresses": ["100.64.0.2"], "user": "ben@example.com"},
  {"name": "pc", "addresses": ["100.64.0.3"], "user": "ana@example.com"},
  {"name": "lab", "addresses": ["100.64.0.10"], "tags": ["tag:lab"]}]}
D
cat >own.txt <<'L'
||ads.example^
192.0.2.7 local.example
bad.rpz.example CNAME *.
alias.example CNAME walled.example.
text.example TXT "hello there"
mail.example MX 10 mx.example.
drop.example CNAME rpz-drop.
32.66.2.0.192.rpz-ip CNAME .
||typed.example^$dnstype=A
L

# ask QUESTION ANSWER: what dns-eval says of a line of JSON.
ask() {
	got=$(echo "$1" | "$sluice" dns-eval --policy policy.hujson --devices devices.hujson 2>&1) || true
	[ "$got" = "$2" ] || { printf 'asked    %s\nexpected %s\ngot      %s\n' "$1" "$2" "$got"; failed=1; }
}
# said WHAT EXPECTED: the output of a command ($out) holds it.
said() {
	case $out in *"$2"*) ;; *) printf '%s: no "%s" in: %s\n' "$1" "$2" "$out"; failed=1 ;; esac
}

ask '{"src":"100.64.0.2","name":"www.tiktok.com"}' \
	'{"verdict":"block","list":"service:tiktok","line":1,"rule":"||tiktok.com^","values":["0.0.0.0"],"rcode":"NOERROR"}'
ask '{"src":"100.64.0.2","name":"only.example"}' \
	'{"verdict":"pass","list":null,"line":null,"rule":null,"values":[],"rcode":"NOERROR"}'
ask '{"src":"100.64.0.2","name":"only.example","type":"AAAA"}' \
	'{"verdict":"block","list":"filter","line":1,"rule":"||only.example^$dnstype=AAAA","values":["::"],"rcode":"NOERROR"}'
ask '{"src":"100.64.0.2","name":"www.google.co.uk","type":"HTTPS"}' \
	'{"verdict":"rewrite","list":"safesearch","line":185,"rule":"|www.google.co.uk^$dnsrewrite=NOERROR;CNAME;forcesafesearch.google.com","values":["forcesafesearch.google.com"],"rcode":"NOERROR"}'
ask '{"src":"100.64.0.2","name":"www.bing.com"}' \
	'{"verdict":"pass","list":"filter","line":1,"rule":"||www.bing.com^","values":[],"rcode":"NOERROR"}'
ask '{"src":"100.64.0.3","name":"www.google.com"}' \
	'{"verdict":"pass","list":null,"line":null,"rule":null,"values":[],"rcode":"NOERROR"}'
ask '{"src":"100.64.0.3","name":"local.example"}' \
	'{"verdict":"pass","list":null,"line":null,"rule":null,"values":[],"rcode":"NOERROR"}'
ask '{"src":"100.64.0.10","name":"local.example"}' \
	'{"verdict":"rewrite","list":"own","line":2,"rule":"192.0.2.7 local.example","values":["192.0.2.7"],"rcode":"NOERROR"}'
ask '{"src":"100.64.0.10","name":"local.example","type":"AAAA"}' \
	'{"verdict":"rewrite","list":"own","line":2,"rule":"192.0.2.7 local.example","values":[],"rcode":"NOERROR"}'
ask '{"src":"100.64.0.10","name":"bad.rpz.example"}' \
	'{"verdict":"block","list":"own","line":3,"rule":"bad.rpz.example CNAME *.","values":[],"rcode":"NOERROR"}'
ask '{"src":"100.64.0.10","name":"alias.example"}' \
	'{"verdict":"rewrite","list":"own","line":4,"rule":"alias.example CNAME walled.example.","values":["walled.example"],"rcode":"NOERROR"}'
ask '{"src":"100.64.0.10","name":"text.example","type":"TXT"}' \
	'{"verdict":"rewrite","list":"own","line":5,"rule":"text.example TXT \"hello there\"","values":["hello there"],"rcode":"NOERROR"}'
ask '{"src":"100.64.0.10","name":"mail.example","type":"mx"}' \
	'{"verdict":"rewrite","list":"own","line":6,"rule":"mail.example MX 10 mx.example.","values":["10 mx.example."],"rcode":"NOERROR"}'
ask '{"src":"100.64.0.10","name":"drop.example"}' \
	'{"verdict":"block","list":"own","line":7,"rule":"drop.example CNAME rpz-drop.","values":[],"rcode":null,"reason":"not answered at all"}'
ask '{"src":"100.64.0.10","name":"typed.example","type":"TYPE65"}' \
	'{"verdict":"pass","list":null,"line":null,"rule":null,"values":[],"rcode":"NOERROR"}'
ask '{"src":"100.64.0.10","name":"typed.example"}' \
	'{"verdict":"block","list":"own","line":9,"rule":"||typed.example^$dnstype=A","values":[],"rcode":"NXDOMAIN"}'
ask '{"src":"100.64.0.10","name":"x.example","answers":[{"type":"A","value":"192.0.2.66"},{"type":"A","value":"192.0.2.65"}]}' \
	'{"verdict":"pass","list":null,"line":null,"rule":null,"values":["192.0.2.65"],"rcode":"NOERROR"}'
ask '{"src":"100.64.0.10","name":"x.example","answers":[{"type":"A","value":"192.0.2.66"}]}' \
	'{"verdict":"block","list":"own","line":8,"rule":"192.0.2.66/32","values":[],"rcode":"NXDOMAIN"}'
ask '{"src":"100.64.0.10","name":"x.example","type":"HTTPS","answers":[{"type":"HTTPS","value":"1 . alpn=h2 ipv4hint=192.0.2.66,192.0.2.65"}]}' \
	'{"verdict":"pass","list":null,"line":null,"rule":null,"values":["1 . alpn=h2 ipv4hint=192.0.2.65"],"rcode":"NOERROR"}'
ask '{"src":"100.64.0.10","name":"x.example","type":"HTTPS","answers":[{"type":"HTTPS","value":"1 ads.example alpn=h2"}]}' \
	'{"verdict":"block","list":"own","line":1,"rule":"||ads.example^","values":[],"rcode":"NXDOMAIN"}'
ask '{"src":"100.64.0.10","name":"x.example","answers":[{"type":"CNAME","value":"ads.example"},{"type":"A","value":"192.0.2.65"}]}' \
	'{"verdict":"block","list":"own","line":1,"rule":"||ads.example^","values":[],"rcode":"NXDOMAIN"}'

out=$("$sluice" explain --policy policy.hujson --devices devices.hujson laptop www.google.com || true)
said explain 'name     safe search: safesearch line '
out=$("$sluice" explain --policy policy.hujson --devices devices.hujson lab local.example || true)
said explain 'name     answered otherwise: own line 2: '
"$sluice" list-compile own.txt -o own.bin --trust >/dev/null
out=$(printf '%s\n' 192.0.2.66 'typed.example A' typed.example 'typed.example AAAA' local.example | "$sluice" list-match own.bin |
	sed 's/.*"verdict":"\([a-z]*\)".*/\1/' | tr '\n' ' ')
[ "$out" = 'block block none none rewrite ' ] || { echo "list-match: $out"; failed=1; }
if out=$(echo 'ads.example NOTYPE' | "$sluice" list-match own.bin); then
	echo "list-match takes a type that there is not: $out"
	failed=1
fi
# Every rule of the catalogue is one that is applied.
for file in services safesearch; do
	out=$("$sluice" list-compile "$rules/$file.txt" -o catalogue.bin --trust --json)
	said "$file" "\"applied\":$(grep -c '^|' "$rules/$file.txt")"
	said "$file" '"refused":0'
done
out=$("$sluice" services)
said services 'service:youtube'
said services 'safesearch:google'
out=$("$sluice" services service:youtube)
said services '||youtube.com^'
if out=$("$sluice" services nobody 2>&1); then
	echo "a service that there is not: $out"
	failed=1
fi
exit $failed
