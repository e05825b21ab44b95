#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Promise 2: one text decides names, packets and records, and its own tests run before anything changes.
# shellcheck source=tests/lab/common.sh
. "$(dirname "$0")/common.sh"

refuse "before: the NAS is closed" fetch laptop http://$NAS4/
expect "a good change is taken" apply "$NAS_OPEN"
expect "and opens the NAS" fetch laptop http://$NAS4/
expect "and opens it over IPv6" fetch laptop "http://[$NAS6]/"
expect "and back" apply ''
refuse "closed again" fetch laptop http://$NAS4/
refuse "closed again over IPv6" fetch laptop "http://[$NAS6]/"

ruleset >"$LAB/before"
generation=$(sluice status --json | jq .generation)

refuse "a mistake is refused" apply "s|\"autogroup:internet\"|\"group:nobody\"|;$NAS_OPEN"
expect "with its place" says 'policy\.hujson:[0-9]+:[0-9]+: error' "$LAB/reload"
expect "and a caret" says '\^' "$LAB/reload"
refuse "a failing test is refused" apply "$BROKEN_TEST;$NAS_OPEN"
expect "with the target that it is about" says "$OTHER4" "$LAB/reload"
refuse "a failing DNS test is refused" apply 's|"pass": \["www.example.org"\]|"pass": ["tracker.example.org"]|'
refuse "text that is no HuJSON is refused" apply '1s|^|{|'
sed -i 's|"laptop"|"laptop", "laptop"|' "$LAB/etc/devices.hujson"
refuse "a mistake in the devices is refused" apply ''
sed -i 's|"laptop", "laptop"|"laptop"|' "$LAB/etc/devices.hujson"

ruleset >"$LAB/after"
expect "nothing of all that has changed the kernel" cmp "$LAB/before" "$LAB/after"
expect "nor the plan" test "$generation" = "$(sluice status --json | jq .generation)"
refuse "the NAS is still closed" fetch laptop http://$NAS4/
expect "the laptop still reaches the internet" fetch laptop http://www.example.org/
status_tells() {
	sluice status --json | jq -e '.last_reload.ok == false'
}
expect "status tells of the failure" status_tells
expect "the good policy is taken" apply ''
