# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2317,SC2329 # dnsbench calls and reads what is here
# Sluice among the servers of dnsbench: bench/dns.sh puts this behind dnsbench's peers.sh, whose head says what a function
# gets and must set. The whole gateway runs, not dnsd alone: supervisor, resolver and recorder, so that memory and processor time
# are of all of them. Without kernel tables: what is measured is names. SLUICE_BUILD: where the programs are.

BLOCKERS_sluice="list"
version_sluice() {
	"$SLUICE_BUILD/sluice" --version | awk '{ print $NF }'
}

peer_sluice() {
	local lists="" block=""
	if [[ $BLOCK == list ]]; then
		# A bare name would be that name alone; the other servers block the tree below it.
		[[ ! -f $LIST.txt ]] || sed 's/.*/||&^/' "$LIST.txt" >"$DIR/blocked.adblock" # not there for `dns configs`
		lists='"lists": {"bench": {"file": "blocked.adblock"}},'
		block='"block": ["bench"], "blockMode": "nxdomain"' # as the others answer
	fi
	cat >"$DIR/gateway.hujson" <<-CONF
		{
			"tunnel": {"interface": "lo", "existing": true, "addresses": ["127.0.0.1/8"]},
			"netfilter": {"mode": "off", "gate": false},
			"dns": {
				"port": $PORT, "workers": $THREADS, "capture": false,
				// All load comes from one address, and no other server is told to limit it.
				"rateLimit": {"queries": 0, "misses": 0, "errors": 0},
			},
			"policy": "policy.hujson", "devices": "devices.hujson",
			"state": "$DIR/state", "run": "$DIR/run", "refresh": 0,
			"users": {"dnsd": "64701", "recorder": "64702"},
		}
	CONF
	cat >"$DIR/devices.hujson" <<-CONF
		{"devices": [{"name": "bench", "addresses": ["127.0.0.1"], "tags": ["tag:bench"]}]}
	CONF
	cat >"$DIR/policy.hujson" <<-CONF
		{
			"tagOwners": {"tag:bench": []},
			"dns": {
				"upstreams": ["127.0.0.1:$UPSTREAM"],
				$lists
				"filters": [{"src": ["tag:bench"], $block}],
			},
		}
	CONF
	mkdir -p "$DIR/state" "$DIR/run"
	CMD=("$SLUICE_BUILD/sluice-gatewayd" --config "$DIR/gateway.hujson")
}
