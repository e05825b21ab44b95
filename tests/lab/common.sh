# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh
# What every lab test begins with: a lab of its own, and how results are told. One line a check: `ok NAME`, `not ok NAME`,
# `skip NAME reason`; nothing waits for a fixed time.
set -u
TOP=${TOP:-$(cd "$(dirname "$0")/../.." && pwd)}
TEST=$(basename "$0" .sh)
# A lab apart from the one of `./dev run`.
SLUICE_LAB=${SLUICE_LAB:-/run/sluice-test}
SLUICE_LAB_NS=${SLUICE_LAB_NS:-sltest}
for part in lib network servers gateway; do
	# shellcheck source=/dev/null
	. "$TOP/lab/$part.sh"
done
own_root "$(cd "$(dirname "$0")" && pwd)/$TEST.sh" "$@"
n_failed=0

ok() {
	printf 'ok %s: %s\n' "$TEST" "$*"
}

not_ok() {
	printf 'not ok %s: %s\n' "$TEST" "$*"
	n_failed=$((n_failed + 1))
}

skip() {
	printf 'skip %s: %s\n' "$TEST" "$*"
}

# expect NAME COMMAND...
expect() {
	_what=$1
	shift
	if "$@" >"$LAB/out" 2>&1; then
		ok "$_what"
	else
		not_ok "$_what"
		tail -n 5 "$LAB/out" | sed 's/^/#   /'
	fi
}

# refuse NAME COMMAND...: the command must fail.
refuse() {
	_what=$1
	shift
	if "$@" >"$LAB/out" 2>&1; then
		not_ok "$_what"
		tail -n 5 "$LAB/out" | sed 's/^/#   /'
	else
		ok "$_what"
	fi
}

# fetch MACHINE URL [CURL OPTION...]: true when a page of one of the lab's servers came.
fetch() {
	_from=$1 _url=$2
	shift 2
	in_ns "$_from" curl -sS -m 2 "$@" "$_url" | grep -q '^This is '
}

# ask MACHINE NAME [TYPE]: the whole answer, with EDE.
ask() {
	in_ns "$1" dig +tries=1 +time=2 "@$GW_TUN4" "$2" "${3:-A}"
}

# answers MACHINE NAME TYPE ADDRESS
answers() {
	in_ns "$1" dig +short +tries=1 +time=2 "@$GW_TUN4" "$2" "$3" | grep -qx "$4"
}

# answers_from MACHINE RESOLVER NAME ADDRESS [DIG OPTION...]
answers_from() {
	_from=$1 _resolver=$2 _name=$3 _address=$4
	shift 4
	in_ns "$_from" dig +short +tries=1 +time=2 "$@" "@$_resolver" "$_name" | grep -qx "$_address"
}

# no_such_name MACHINE NAME
no_such_name() {
	ask "$1" "$2" | grep -q "status: NXDOMAIN"
}

# apply SED-SCRIPT: the lab's policy with this edit, in force. What reload said is kept in $LAB/reload.
apply() {
	policy_edit "$1"
	sluice reload >"$LAB/reload" 2>&1
	_taken=$?
	cat "$LAB/reload"
	return $_taken
}

# answered_at MACHINE ADDRESS: asked from that address of its, a name has its address.
answered_at() {
	in_ns "$1" dig +short +tries=1 +time=1 -b "$2" "@$GW_TUN4" www.example.org A | grep -qx "$WEB4"
}

says() {
	grep -Eq -- "$1" "$2" && return 0
	tail -n 5 "$2"
	return 1
}

lacks() {
	! grep -Eq -- "$1" "$2"
}

less() {
	[ "$1" -lt "$2" ]
}

# The nft program's view of our table, without what changes by itself.
ruleset() {
	in_ns gw nft -n list table inet sluice | sed -e 's/counter packets [0-9]* bytes [0-9]*/counter/' -e 's/ expires [0-9a-z]*//'
}

child_pid() {
	sluice status --json | jq -r ".children.$1.pid"
}

# certificate DIRECTORY NAME ADDRESS: server.pem and server.key for that name, and ca.pem that vouches for them.
certificate() {
	_new='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
	mkdir -p "$1" && printf 'subjectAltName=DNS:%s,IP:%s\n' "$2" "$3" >"$1/ext" || return 1
	# shellcheck disable=SC2086 # a list of options
	openssl req -x509 $_new -days 2 -subj /CN=Lab -keyout "$1/ca.key" -out "$1/ca.pem" &&
		openssl req $_new -subj "/CN=$2" -keyout "$1/server.key" -out "$1/server.csr" &&
		openssl x509 -req -days 2 -in "$1/server.csr" -CA "$1/ca.pem" -CAkey "$1/ca.key" -CAcreateserial \
			-extfile "$1/ext" -out "$1/server.pem"
}

ended() {
	_status=$?
	trap '' INT TERM
	trap - EXIT
	if [ "$n_failed" != 0 ] && [ -f "$LAB/log/supervisor" ]; then
		echo "# the gateway's last words:"
		tail -n 15 "$LAB/log/supervisor" | sed 's/^/#   /'
	fi
	lab_down
	[ "$n_failed" = 0 ] || _status=1
	exit "$_status"
}

lab_claim
trap ended EXIT
trap 'exit 130' INT TERM

# A lab that does not come up ends the test (`die`), and that is a failure. LAB_UP: a function of the test that brings up
# another network than the usual one.
n_failed=1
"${LAB_UP:-lab_up}"
n_failed=0
