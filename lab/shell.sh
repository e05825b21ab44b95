#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# A shell on one of the running lab's machines. lab/shell.sh NAME
TOP=$(cd "$(dirname "$0")/.." && pwd)
. "$TOP/lab/lib.sh"

[ "$(id -u)" = 0 ] || die "namespaces need root: sudo ./dev shell $1"
[ -d "$LAB/ns/$1" ] && read -r owner _start <"$LAB/owner" ||
	die "no machine '$1' in a running lab (start one: sudo ./dev run; machines: laptop server gw home internet)"
# In a chroot the lab has a mount namespace of its own (own_root): that is where its namespaces have names.
if [ "$(readlink "/proc/$owner/ns/mnt")" != "$(readlink /proc/self/ns/mnt)" ]; then
	exec nsenter --target "$owner" --mount --root --wd "$TOP/lab/shell.sh" "$1"
fi

printf '#!/bin/sh\nexec "%s/sluice" --config "%s" "$@"\n' "$BUILD" "$CONFIG" >"$LAB/sluice"
chmod 755 "$LAB/sluice"
PATH=$LAB:$PATH
PS1="$1\$ "
export PATH PS1
in_ns "$1" sh -i
