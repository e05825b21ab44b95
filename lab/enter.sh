#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs a command inside the private mount namespace that `ip netns exec` has just made: this namespace's resolv.conf and
# its directory of userspace WireGuard sockets over the host's. Nothing of it is seen outside.
# enter.sh DIRECTORY COMMAND...
dir=$1
shift
mount --bind "$dir/wireguard" /run/wireguard || exit 125
mount --bind "$dir/resolv.conf" /etc/resolv.conf || exit 125
exec "$@"
