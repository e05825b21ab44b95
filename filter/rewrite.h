/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the rewrites of a name come to, together: another name, an answer code, or records. Shared by dnsd and the
 * command line. Pure. */
#pragma once

#include "filter/verdict.h"

enum rewrite_kind {
	REWRITE_NOTHING = 0, /* the name leads to itself: it passes as by an exception (RPZ's old form of passthru) */
	REWRITE_ALIAS,	     /* .target is resolved instead */
	REWRITE_ANSWER,	     /* .answer, as of a block */
	REWRITE_RECORDS,     /* rewrite_record_next() has them; NODATA where none is of the asked type */
	REWRITE_KIND_MAX
};

struct rewrite {
	enum rewrite_kind kind;
	enum list_answer answer;
	struct dname target;
};

/* @v: DNS_REWRITE by rules, on @name. Of all its rewrites the first with another name counts, else the first with an
 * answer, else their records are one answer. @v's rule becomes the one that counts. A name that would be too long with
 * what is put in front of it (RFC 6672 2.2 has YXDOMAIN for the like) is answered as a blocked one. */
void rewrite_choose(struct name_verdict *v, const struct views *views, const struct dname *name, struct rewrite *ret);

struct rewrite_record {
	uint16_t type, len;
	uint32_t ttl_s; /* 0: the view's for blocked names */
	const uint8_t *data;
};

/* Where the next one is sought; all zero at first. */
struct rewrite_at {
	uint32_t rule;
	size_t term;
};

/* Records of all types, in the order of their rules. False: no more. */
bool rewrite_record_next(const struct name_verdict *v, struct rewrite_at *at, struct rewrite_record *ret);
