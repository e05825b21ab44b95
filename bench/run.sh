#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# `./dev bench`: the measurements, each a script of its own that prints its figures. Nothing here passes or fails: what must
# hold is in tests/.
set -eu
TOP=$(cd "$(dirname "$0")/.." && pwd)

if [ $# = 0 ]; then
  echo "usage: sudo ./dev bench MEASUREMENT [ARGUMENT...]"
  for script in "$TOP"/bench/*.sh; do
    [ "${script##*/}" = run.sh ] || sed -n 's/^# BENCH: /  /p' "$script"
  done
  exit 2
fi
[ -x "$TOP/bench/$1.sh" ] || {
  echo "bench: no measurement is called $1" >&2
  exit 2
}
script=$TOP/bench/$1.sh
shift
exec "$script" "$@"
