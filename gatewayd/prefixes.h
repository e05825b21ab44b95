/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The addresses that a policy asks for by country, network and list: which files they come from, whether those have
 * changed since, and what was compiled of them. Compiling itself is the listc child's work: databases and lists are
 * foreign bytes. */
#pragma once

#include "gatewayd/lists.h"
#include "geo/prefix_file.h"
#include "policy/document.h"

/* One country, network or list. */
struct prefix_want {
	struct msg_prefix_want msg;
	int fd; /* a list's text until it was sent; -1: a database's, or closed */
	struct list_stamp stamp;
};

/* Shared by the plans that were compiled with them. */
struct prefixes {
	uint32_t refs;
	struct prefix_want *wants;
	uint32_t n;
	struct prefix_file file; /* empty: not compiled yet */
	int fd;			 /* sealed memfd of it; -1: empty */
	const void *map;	 /* of .fd; NULL */
	size_t len;
	char warning[256]; /* lines that were refused; empty: none */
};

/* Look for the files of what @p needs, and open address lists. A database or list that is named and missing is an
 * error; what nobody names, or a URL not downloaded yet, is left out: the compiler says so at its place. @ret:
 * returned, prefixes_unref(). */
int prefixes_open(const struct doc_policy *p, const struct doc_gateway *g, struct prefixes **ret, struct err *e);
/* The lists are read: they need not stay open. */
void prefixes_close_files(struct prefixes *p);
struct prefixes *prefixes_ref(struct prefixes *p);
struct prefixes *prefixes_unref(struct prefixes *p); /* NULL is fine; returns NULL */
/* The same wishes, from the same files. */
bool prefixes_same(const struct prefixes *a, const struct prefixes *b);
/* Take over what listc has written (the descriptor, too) and check it. */
int prefixes_compiled(struct prefixes *p, int fd, const struct msg_prefix_result *result, struct err *e);
/* What was saved of the last ones in force; -ENOENT: none were. */
int prefixes_load(const char *path, struct prefixes **ret, struct err *e);
