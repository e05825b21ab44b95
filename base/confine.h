/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Giving up everything that a role does not need, in one sequence that fails closed.
 *
 * Order: no_new_privs; Landlock; supplementary groups, gid; bounding set; uid; capability sets to exactly those listed;
 * PR_SET_DUMPABLE 0; parent-death signal; seccomp allow-list (default: kill the process) last. Then the state is read
 * back and compared. Any error: the caller exits before it has read a foreign byte. */
#pragma once

#include "base/err.h"

#define CONFINE_PATHS_MAX 12

enum confine_access { CONFINE_READ = 0, CONFINE_WRITE /* read, write, make and remove files beneath */ };

struct confine_path {
	const char *path; /* must exist */
	enum confine_access access;
};

struct confine {
	const char *role;  /* for messages */
	bool keep_uid;	   /* gatewayd and launcher stay root, with few capabilities */
	uint32_t uid, gid; /* else */
	const int *caps;   /* CAP_* kept in the permitted and effective sets, and in the bounding set */
	uint32_t n_caps;
	bool outlives_parent; /* no parent-death signal (gatewayd: its parent is whoever started it) */
	bool restrict_files;  /* Landlock: nothing but @paths; nothing can be executed */
	struct confine_path paths[CONFINE_PATHS_MAX];
	uint32_t n_paths;
	const char *const *syscalls;  /* NULL-terminated allow-list by name; NULL = no seccomp filter */
	const char *const *syscalls2; /* a second list, or NULL: the base list is confine_base_syscalls */
};

/* What every confined role needs: memory, time, futex, epoll, signals, exit, read/write on open descriptors. No sockets
 * are made and no files are opened with it: what libraries try on their own (openat and its like) is refused with
 * EACCES, everything else kills. A role with files lists openat, unlinkat, renameat2, fsync and so on in its second
 * list, one with upstreams socket, bind, connect. */
extern const char *const confine_base_syscalls[];

/* Once, before the first thread is started. @e may be NULL. */
int confine_enter(const struct confine *c, struct err *e);
