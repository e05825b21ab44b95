/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The block lists of a plan: which files they are, whether they have changed since they were compiled, and the compiled
 * result. Compiling itself is the listc child's work. */
#pragma once

#include "base/err.h"
#include "sluice/msg.h"
#include "sluice/plan.h"

#include <sys/stat.h>

#define LISTS_OF_PLAN_MAX 64u /* filter/listfile.h: LISTS_MAX */

/* What tells that a file is another one than before. */
struct list_stamp {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime;
};

bool list_stamp_same(const struct list_stamp *a, const struct list_stamp *b);
#define LIST_STAMP_TEXT_MAX 128u
/* For a file that outlives the process. Returns @buf. */
const char *list_stamp_print(const struct list_stamp *s, char buf[LIST_STAMP_TEXT_MAX]);
/* Where the file of a list is: @list->file seen from beside the policy, or where a download would be. @ret: PATH_MAX
 * bytes. 0 or -ENAMETOOLONG. */
int list_path(const struct plan_list *list, const char *policy_file, const char *state_dir, char *ret);

struct list_file {
	char *name;
	int fd; /* -1: not there (only a URL, and not downloaded yet) */
	struct list_stamp stamp;
	bool trusted;			  /* it may redirect, not only block */
	uint64_t rules, skipped, refused; /* what became of its lines */
	char warning[256];		  /* empty: none */
};

struct lists {
	struct list_file items[LISTS_OF_PLAN_MAX];
	uint32_t n;
	int compiled; /* sealed memfd, -1: none (yet) */
	uint64_t rules, skipped, refused;
};

/* Open the files that @p names. @policy_file: relative paths are seen from beside it. @ret: returned, lists_free(). */
int lists_open(const struct plan *p, const char *policy_file, const char *state_dir, struct lists **ret, struct err *e);
struct lists *lists_free(struct lists *l);
/* Same names, same files, as trusted, in the same order. */
bool lists_same(const struct lists *a, const struct lists *b);
/* The same lists without their files. @ret: returned, lists_free(). */
int lists_copy(const struct lists *from, struct lists **ret, struct err *e);
/* The files are read: they need not stay open. */
void lists_close_files(struct lists *l);
/* Seal a memfd that a child has written, so that it cannot change any more; it may have sealed it itself. */
int memfd_seal_foreign(int fd, const char *what, struct err *e);
/* What listc says of one list; of another than was sent: -EBADMSG. */
int lists_counted(struct lists *l, const struct msg_list_counts *counts);
/* Seal what listc has written (the descriptor is taken over) and keep it with the counts. */
int lists_compiled(struct lists *l, int fd, const struct msg_list_result *result, struct err *e);
