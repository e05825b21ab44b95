#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Every diagnostic code that the sources use has its line in docs/diagnostics.md, and no line is about a code that is gone.
# usage: codes_listed.sh SOURCE_ROOT
set -eu
used=$(grep -oh '"P[0-9]\{4\}"' "$1"/policy/*.c "$1"/cli/*.c "$1"/gatewayd/*.c | tr -d '"' | sort -u)
listed=$(grep -o '^| P[0-9]\{4\} |' "$1/docs/diagnostics.md" | tr -d '| ' | sort)
failed=0
for code in $used; do
	echo "$listed" | grep -qx "$code" || { echo "$code is not in docs/diagnostics.md"; failed=1; }
done
for code in $listed; do
	echo "$used" | grep -qx "$code" || { echo "docs/diagnostics.md lists $code, which nothing uses"; failed=1; }
done
exit $failed
