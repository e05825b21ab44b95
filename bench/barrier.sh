#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# BENCH: barrier [CYCLES]   what the answer barrier adds to a cached answer, and whether a first SYN is lost (default 1000)
#
# The lab of the tests: the server (its names are learned) and the laptop (they are not) ask for the same cached names; the
# difference of the two is the barrier. Then each cycle asks for a fresh name and connects at once.
set -eu
TOP=$(cd "$(dirname "$0")/.." && pwd)
CYCLES=${1:-1000} exec "$TOP/tests/lab/p3-answer-barrier.sh"
