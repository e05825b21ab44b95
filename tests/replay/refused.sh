#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The player of scenarios fails where it must, and says at which line: each refused/NAME.scn names in its first line what
# has to be said. usage: refused.sh REPLAY
set -u
replay=$(realpath "$1")
cd "$(dirname "$0")" || exit 1
failed=0
for file in refused/*.scn; do
	wanted=$(sed -n '1s/.*wanted: //p' "$file")
	said=$("$replay" "$file" 2>&1)
	status=$?
	if [ $status = 1 ] && [ -n "$wanted" ] && printf '%s\n' "$said" | grep -q "^$file:$wanted"; then
		echo "ok   $file"
	else
		printf 'FAIL %s: status %s\nwanted: %s\nsaid:   %s\n' "$file" $status "$wanted" "$said"
		failed=1
	fi
done
for file in *.scn; do
	grep -q "'${file%.scn}'" meson.build || {
		echo "FAIL $file: not in meson.build"
		failed=1
	}
done
exit $failed
