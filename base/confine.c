/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The one sequence by which a role gives up what it does not need. Called once, before any thread is started: Landlock
 * and capabilities are a thread's own.
 *
 * Landlock and capset(2) are called directly: glibc has no wrappers for the first, and for the second the sequence
 * shows better without a library's state between its steps.
 *
 * Sources: landlock(7), capabilities(7), prctl(2), seccomp_rule_add(3), include/uapi/linux/landlock.h. */
#include "base/confine.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* Access bits and structures by ABI; Debian 12's header knows ABI 2. */
#define LL_FS_EXECUTE		  (1ULL << 0)
#define LL_FS_WRITE_FILE	  (1ULL << 1)
#define LL_FS_READ_FILE		  (1ULL << 2)
#define LL_FS_READ_DIR		  (1ULL << 3)
#define LL_FS_REMOVE_DIR	  (1ULL << 4)
#define LL_FS_REMOVE_FILE	  (1ULL << 5)
#define LL_FS_MAKE_DIR		  (1ULL << 7)
#define LL_FS_MAKE_REG		  (1ULL << 8)
#define LL_FS_REFER		  (1ULL << 13) /* ABI 2 */
#define LL_FS_TRUNCATE		  (1ULL << 14) /* ABI 3 */
#define LL_FS_IOCTL_DEV		  (1ULL << 15) /* ABI 5 */
#define LL_FS_ABI1		  ((1ULL << 13) - 1)
#define LL_SCOPE_ABSTRACT_UNIX	  (1ULL << 0) /* ABI 6 */
#define LL_SCOPE_SIGNAL		  (1ULL << 1) /* ABI 6 */
#define LL_CREATE_RULESET_VERSION 1U
#define LL_RULE_PATH_BENEATH	  1

struct ll_ruleset_attr {
	uint64_t handled_fs, handled_net, scoped;
};

struct __attribute__((packed)) ll_path_attr {
	uint64_t allowed;
	int32_t parent_fd;
};

const char *const confine_base_syscalls[] = {
	/* memory */
	"brk",
	"madvise",
	"mmap",
	"mprotect",
	"mremap",
	"munmap",
	/* threads; clone is narrowed to threads below, clone3 answered with ENOSYS so that glibc uses clone */
	"clone",
	"exit",
	"exit_group",
	"futex",
	"get_robust_list",
	"membarrier",
	"rseq",
	"sched_getaffinity",
	"sched_yield",
	"set_robust_list",
	"set_tid_address",
	/* time */
	"clock_getres",
	"clock_gettime",
	"clock_nanosleep",
	"gettimeofday",
	"nanosleep",
	"time",
	"timerfd_create",
	"timerfd_gettime",
	"timerfd_settime",
	/* signals: tgkill for abort(3) and sanitizers */
	"restart_syscall",
	"rt_sigaction",
	"rt_sigpending",
	"rt_sigprocmask",
	"rt_sigreturn",
	"rt_sigtimedwait",
	"sigaltstack",
	"tgkill",
	/* the loop */
	"epoll_create1",
	"epoll_ctl",
	"epoll_pwait",
	"epoll_pwait2",
	"epoll_wait",
	"eventfd2",
	"pipe2",
	"poll",
	"ppoll",
	"pselect6",
	"select",
	/* open descriptors */
	"close",
	"close_range",
	"dup",
	"dup2",
	"dup3",
	"fcntl",
	"fstat",
	"ioctl",
	"lseek",
	"newfstatat",
	"pread64",
	"pwrite64",
	"read",
	"readv",
	"statx",
	"write",
	"writev",
	/* open sockets */
	"accept4",
	"getpeername",
	"getsockname",
	"getsockopt",
	"recvfrom",
	"recvmmsg",
	"recvmsg",
	"sendmmsg",
	"sendmsg",
	"sendto",
	"setsockopt",
	"shutdown",
	/* about the process itself; prctl and ioctl are narrowed below */
	"getegid",
	"geteuid",
	"getgid",
	"getpid",
	"getppid",
	"getrandom",
	"getrlimit",
	"getrusage",
	"gettid",
	"getuid",
	"prctl",
	"prlimit64",
	"sysinfo",
	"uname",
	/* sealed memfds, for what is handed on */
	"ftruncate",
	"memfd_create",
	NULL,
};

/* What libraries try on their own (time zone, locale, number of processors): refused with an error instead of death
 * where the role's list does not have it. clone3: see above. */
static const struct {
	const char *name;
	uint32_t code;
} refused_softly[] = {
	{ "access", EACCES },	  { "clone3", ENOSYS },	  { "faccessat", EACCES },
	{ "faccessat2", EACCES }, { "getcwd", EACCES },	  { "getdents64", EACCES },
	{ "lstat", EACCES },	  { "open", EACCES },	  { "openat", EACCES },
	{ "openat2", EACCES },	  { "readlink", EACCES }, { "readlinkat", EACCES },
	{ "stat", EACCES },	  { "statfs", EACCES },	  { "sched_setscheduler", EPERM },
};

/* Calls with one argument that decides; others of their kind kill. */
static const struct {
	const char *name;
	uint32_t arg;
	uint64_t values[10]; /* 0 ends, but for the first */
} narrowed[] = {
	/* TCGETS: stdio asks whether stderr is a terminal. */
	{ "ioctl", 1, { TCGETS, FIONBIO, FIONREAD, FIOCLEX } },
	{ "prctl",
	  0,
	  { PR_SET_NAME, PR_GET_NAME, PR_GET_SECCOMP, PR_GET_NO_NEW_PRIVS, PR_GET_DUMPABLE, PR_CAPBSET_READ,
	    PR_GET_PDEATHSIG, PR_GET_SECUREBITS, 0x53564d41 /* PR_SET_VMA: malloc and libraries name their maps */ } },
};

static int fail(struct err *e, const struct confine *c, const char *what)
{
	int code = errno != 0 ? errno : EPERM;

	return err_set(e, -code, "confine %s: %s: %s", c->role, what, strerror(code));
}

static uint64_t ll_handled(long abi)
{
	uint64_t handled = LL_FS_ABI1;

	if (abi >= 2)
		handled |= LL_FS_REFER;
	if (abi >= 3)
		handled |= LL_FS_TRUNCATE;
	if (abi >= 5)
		handled |= LL_FS_IOCTL_DEV;
	return handled;
}

static int ll_add_path(const struct confine *c, int ruleset, const struct confine_path *p, uint64_t handled,
		       struct err *e)
{
	const uint64_t file_rights = LL_FS_READ_FILE | LL_FS_WRITE_FILE | LL_FS_TRUNCATE;
	CLEANUP(fd_closep) int fd = open(p->path, O_PATH | O_CLOEXEC);
	struct ll_path_attr attr = { .allowed = LL_FS_READ_FILE | LL_FS_READ_DIR };
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return fail(e, c, p->path);
	if (p->access == CONFINE_WRITE)
		attr.allowed |= LL_FS_WRITE_FILE | LL_FS_TRUNCATE | LL_FS_MAKE_REG | LL_FS_REMOVE_FILE |
				LL_FS_MAKE_DIR | LL_FS_REMOVE_DIR | LL_FS_REFER;
	attr.allowed &= handled;
	if (!S_ISDIR(st.st_mode))
		attr.allowed &= file_rights;
	attr.parent_fd = fd;
	if (syscall(SYS_landlock_add_rule, ruleset, LL_RULE_PATH_BENEATH, &attr, 0) < 0)
		return fail(e, c, p->path);
	return 0;
}

static int restrict_files(const struct confine *c, struct err *e)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LL_CREATE_RULESET_VERSION);
	struct ll_ruleset_attr attr = { 0 };
	/* Older kernels refuse a structure that is longer than theirs unless the rest is zero: it is. */
	size_t size = abi >= 6 ? sizeof(attr) : sizeof(attr.handled_fs);
	CLEANUP(fd_closep) int ruleset = -1;

	if (abi < 1)
		return err_set(e, -EPERM,
			       "confine %s: the kernel has no Landlock (needed: CONFIG_SECURITY_LANDLOCK, "
			       "and landlock in the lsm= list)",
			       c->role);
	attr.handled_fs = ll_handled(abi);
	if (abi >= 6)
		attr.scoped = LL_SCOPE_ABSTRACT_UNIX | LL_SCOPE_SIGNAL;
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	if (ruleset < 0)
		return fail(e, c, "landlock ruleset");
	for (uint32_t i = 0; i < c->n_paths; i++) {
		int r = ll_add_path(c, ruleset, &c->paths[i], attr.handled_fs, e);

		if (r < 0)
			return r;
	}
	if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		return fail(e, c, "landlock");
	return 0;
}

static uint64_t cap_mask(const struct confine *c)
{
	uint64_t mask = 0;

	for (uint32_t i = 0; i < c->n_caps; i++)
		mask |= 1ULL << c->caps[i];
	return mask;
}

static int drop_bounding(const struct confine *c, struct err *e)
{
	uint64_t keep = cap_mask(c);

	/* The kernel may know more capabilities than our header: it says EINVAL behind its last. */
	for (int cap = 0; cap < 64; cap++) {
		int held = prctl(PR_CAPBSET_READ, cap);

		if (held < 0)
			break;
		if (held == 1 && (keep >> cap & 1) == 0 && prctl(PR_CAPBSET_DROP, cap) < 0)
			return fail(e, c, "bounding set");
	}
	return 0;
}

static int set_caps(const struct confine *c, struct err *e)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[_LINUX_CAPABILITY_U32S_3] = { 0 };
	uint64_t mask = cap_mask(c);

	for (size_t i = 0; i < ARRAY_LEN(d); i++)
		d[i].permitted = d[i].effective = (uint32_t)(mask >> (32 * i));
	/* An emptied inheritable set empties the ambient one. */
	if (syscall(SYS_capset, &h, d) < 0)
		return fail(e, c, "capabilities");
	return 0;
}

static int change_ids(const struct confine *c, struct err *e)
{
	if (!c->keep_uid && setgroups(0, NULL) < 0)
		return fail(e, c, "supplementary groups");
	if (!c->keep_uid && setresgid(c->gid, c->gid, c->gid) < 0)
		return fail(e, c, "gid");
	if (drop_bounding(c, e) < 0)
		return e != NULL ? e->code : -EPERM;
	if (c->keep_uid)
		return 0;
	if (c->n_caps != 0 && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return fail(e, c, "keep capabilities");
	if (setresuid(c->uid, c->uid, c->uid) < 0)
		return fail(e, c, "uid");
	return 0;
}

/* Read the state back: a step that "succeeded" without effect must not pass. */
static int verify(const struct confine *c, struct err *e)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[_LINUX_CAPABILITY_U32S_3] = { 0 };
	uint64_t mask = cap_mask(c);
	uid_t r, f, s;
	gid_t gr, gf, gs;

	errno = EPERM;
	if (getresuid(&r, &f, &s) < 0 || (!c->keep_uid && (r != c->uid || f != c->uid || s != c->uid)))
		return fail(e, c, "uid is not what was set");
	if (getresgid(&gr, &gf, &gs) < 0 || (!c->keep_uid && (gr != c->gid || gf != c->gid || gs != c->gid)))
		return fail(e, c, "gid is not what was set");
	if (!c->keep_uid && getgroups(0, NULL) != 0)
		return fail(e, c, "supplementary groups are left");
	if (syscall(SYS_capget, &h, d) < 0)
		return fail(e, c, "capget");
	for (size_t i = 0; i < ARRAY_LEN(d); i++) {
		uint32_t want = (uint32_t)(mask >> (32 * i));

		if (d[i].permitted != want || d[i].effective != want || d[i].inheritable != 0)
			return fail(e, c, "capabilities are not what was set");
	}
	for (int cap = 0; cap < 64; cap++)
		if (prctl(PR_CAPBSET_READ, cap) == 1 && (mask >> cap & 1) == 0)
			return fail(e, c, "bounding set is not what was set");
	errno = EPERM;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return fail(e, c, "no_new_privs is not set");
	return 0;
}

/* The root folder is readable to every uid: only Landlock can refuse it. */
static int verify_files(const struct confine *c, struct err *e)
{
	CLEANUP(fd_closep) int fd = -1;

	for (uint32_t i = 0; i < c->n_paths; i++)
		if (strcmp(c->paths[i].path, "/") == 0)
			return 0;
	fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 || errno != EACCES) {
		errno = EPERM;
		return fail(e, c, "files are still open to it");
	}
	return 0;
}

static int allow_narrowed(scmp_filter_ctx ctx, const char *name, int nr, bool *ret_done)
{
	*ret_done = true;
	if (strcmp(name, "clone") == 0)
		return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 1,
					SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
	for (size_t i = 0; i < ARRAY_LEN(narrowed); i++) {
		if (strcmp(name, narrowed[i].name) != 0)
			continue;
		for (size_t k = 0; k < ARRAY_LEN(narrowed[i].values); k++) {
			/* The kernel looks at the low 32 bits of these arguments. */
			struct scmp_arg_cmp cmp =
				SCMP_CMP(narrowed[i].arg, SCMP_CMP_MASKED_EQ, 0xffffffffu, narrowed[i].values[k]);
			int r;

			if (narrowed[i].values[k] == 0)
				break;
			r = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, nr, 1, &cmp);
			if (r < 0)
				return r;
		}
		return 0;
	}
	*ret_done = false;
	return 0;
}

static int allow_list(const struct confine *c, scmp_filter_ctx ctx, const char *const *names, struct err *e)
{
	for (uint32_t i = 0; names != NULL && names[i] != NULL; i++) {
		int nr = seccomp_syscall_resolve_name(names[i]);
		bool done;
		int r;

		if (nr == __NR_SCMP_ERROR)
			return err_set(e, -EINVAL, "confine %s: unknown system call %s", c->role, names[i]);
		if (nr < 0)
			continue; /* not on this architecture */
		r = allow_narrowed(ctx, names[i], nr, &done);
		if (r == 0 && !done)
			r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 0);
		/* -EEXIST: in both lists. */
		if (r < 0 && r != -EEXIST)
			return err_set(e, r, "confine %s: seccomp rule for %s: %s", c->role, names[i], strerror(-r));
	}
	return 0;
}

static bool listed(const char *const *names, const char *name)
{
	for (uint32_t i = 0; names != NULL && names[i] != NULL; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static int refuse_softly(const struct confine *c, scmp_filter_ctx ctx, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(refused_softly); i++) {
		const char *name = refused_softly[i].name;
		int nr = seccomp_syscall_resolve_name(name);
		int r;

		if (nr < 0 || listed(c->syscalls, name) || listed(c->syscalls2, name))
			continue;
		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(refused_softly[i].code), nr, 0);
		if (r < 0)
			return err_set(e, r, "confine %s: seccomp rule for %s: %s", c->role, name, strerror(-r));
	}
	return 0;
}

static void seccomp_releasep(scmp_filter_ctx *ctx)
{
	if (*ctx != NULL)
		seccomp_release(*ctx);
}

static int filter_syscalls(const struct confine *c, struct err *e)
{
	CLEANUP(seccomp_releasep) scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r;

	if (ctx == NULL)
		return err_set(e, -ENOMEM, "confine %s: seccomp: out of memory", c->role);
	r = allow_list(c, ctx, c->syscalls, e);
	if (r == 0)
		r = allow_list(c, ctx, c->syscalls2, e);
	if (r == 0)
		r = refuse_softly(c, ctx, e);
	if (r < 0)
		return r;
	/* Sorted for a binary search: an allow-list of a hundred calls would cost each call a hundred comparisons. */
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	r = seccomp_load(ctx);
	if (r < 0)
		return err_set(e, r, "confine %s: seccomp: %s", c->role, strerror(-r));
	errno = EPERM;
	if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != 2)
		return fail(e, c, "seccomp filter is not active");
	return 0;
}

static int drop_privileges(const struct confine *c, struct err *e)
{
	int r = change_ids(c, e);

	if (r < 0)
		return r;
	r = set_caps(c, e);
	if (r < 0)
		return r;
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return fail(e, c, "dumpable");
	/* A change of credentials clears the parent-death signal: only now. A parent that died before this has closed
	 * its end of the channel, at which every role exits. */
	if (!c->outlives_parent && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return fail(e, c, "parent-death signal");
	return 0;
}

int confine_enter(const struct confine *c, struct err *e)
{
	struct err local = { 0 };
	struct err *err = e != NULL ? e : &local;
	int r;

	if (c->n_paths > CONFINE_PATHS_MAX || (!c->keep_uid && (c->uid == 0 || c->gid == 0)))
		return err_set(err, -EINVAL, "confine %s: bad table entry", c->role);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return fail(err, c, "no_new_privs");
	if (c->restrict_files) {
		r = restrict_files(c, err);
		if (r < 0)
			return r;
	}
	r = drop_privileges(c, err);
	if (r == 0)
		r = verify(c, err);
	if (r == 0 && c->restrict_files)
		r = verify_files(c, err);
	if (r == 0 && c->syscalls != NULL)
		r = filter_syscalls(c, err);
	return r;
}
