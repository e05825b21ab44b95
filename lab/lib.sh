# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh
# What the lab's scripts share: paths, running things in the lab's namespaces, and ending exactly those things again.
#
# Invariants: everything the lab writes is below $LAB; everything it starts has a file in $LAB/pid with its process id and
# start time, so that a number that the kernel has given to somebody else since is never signalled; every namespace that it
# makes is named in $LAB/netns. The host's own ruleset, routes, addresses and sysctls are not touched.

TOP=${TOP:?the directory of the source tree}
LAB=${SLUICE_LAB:-/run/sluice-lab}
BUILD=${SLUICE_BUILD:-$TOP/build}
NS=${SLUICE_LAB_NS:-sluice}
CONFIG=$LAB/etc/gateway.hujson

say() {
	printf '%s\n' "$*"
}

die() {
	printf 'lab: %s\n' "$*" >&2
	exit 1
}

# in_ns NAMESPACE COMMAND...: with that namespace's own resolv.conf and directory of WireGuard sockets.
in_ns() {
	_ns=$1
	shift
	ip netns exec "$NS-$_ns" sh "$TOP/lab/enter.sh" "$LAB/ns/$_ns" "$@"
}

# The command as the gateway's owner would use it. The journal is read from its files, which need no gateway to run.
sluice() {
	if [ "$1" = flows ]; then
		shift
		set -- flows --journal "$LAB/state/journal" "$@"
	fi
	"$BUILD/sluice" --config "$CONFIG" "$@"
}

# wait_until SECONDS COMMAND...: true as soon as the command is, false when the time is over.
wait_until() {
	_end=$(($(date +%s%N) + $1 * 1000000000))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(date +%s%N)" -lt "$_end" ] || return 1
		sleep 0.05
	done
}

now_ms() {
	echo $(($(date +%s%N) / 1000000))
}

# The 22nd field of /proc/PID/stat, counted from behind the command's name, which may hold anything; nothing for a process
# that is gone or only waits to be collected.
start_time() {
	sed -n 's/.*) //; /^[ZX]/!p' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 20
}

record_pid() {
	echo "$2 $(start_time "$2")" >"$LAB/pid/$1"
}

# pid_of NAME: prints the process id if that process still runs.
pid_of() {
	[ -f "$LAB/pid/$1" ] || return 1
	read -r _pid _start <"$LAB/pid/$1" || return 1
	[ -n "$_start" ] && [ "$(start_time "$_pid")" = "$_start" ] && echo "$_pid"
}

is_gone() {
	! pid_of "$1" >/dev/null
}

# start NAME NAMESPACE COMMAND...: in the background, output to $LAB/log/NAME.
start() {
	_name=$1 _ns=$2
	shift 2
	setsid ip netns exec "$NS-$_ns" sh "$TOP/lab/enter.sh" "$LAB/ns/$_ns" "$@" \
		>>"$LAB/log/$_name" 2>&1 </dev/null &
	record_pid "$_name" $!
}

stop() {
	if _victim=$(pid_of "$1"); then
		kill "$_victim" 2>/dev/null
		wait_until 5 is_gone "$1" || kill -9 "$_victim" 2>/dev/null
		wait "$_victim" 2>/dev/null
	fi
	rm -f "$LAB/pid/$1"
}

# Ends what is left in one of the lab's own namespaces: the gateway's children, which have no file of their own.
end_namespace() {
	for _signal in TERM KILL; do
		for _pid in $(ip netns pids "$1" 2>/dev/null); do
			kill -s $_signal "$_pid" 2>/dev/null
		done
		wait_until 3 namespace_is_empty "$1" && return 0
	done
	return 1
}

namespace_is_empty() {
	[ -z "$(ip netns pids "$1" 2>/dev/null)" ]
}

# hears_conntrack NAME: that process, in the gateway's namespace, has subscribed to conntrack's events.
hears_conntrack() {
	in_ns gw awk -v pid="$(pid_of "$1")" '$2 == 12 && $3 == pid && $4 != "00000000" { found = 1 } END { exit !found }' \
		/proc/net/netlink
}

# own_root SCRIPT ARGUMENT...: in a chroot `/` is no mount point, and `ip netns exec` cannot give a namespace files of its
# own there without the host seeing them. The script is then run again in a mount namespace whose root is one: the same tree,
# bound below /proc, which is a mount in every chroot that works, and which can be cut off from the host's.
own_root() {
	[ "$(id -u)" = 0 ] || return 0
	awk '$5 == "/" { found = 1 } END { exit !found }' /proc/self/mountinfo && return 0
	# shellcheck disable=SC2016 # for the inner shell
	exec unshare --mount --propagation unchanged sh -c 'mount --make-private /proc &&
		mount --rbind / /proc/fs && mount --make-rprivate /proc/fs && exec chroot /proc/fs "$@"' sh "$@"
}
