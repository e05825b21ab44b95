/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is wrong with a user's text, where, and what to do: a list, never only the first. */
#pragma once

#include "policy/source.h"

#define DIAG_MAX 50 /* more are counted, not kept: nobody reads on */

/* A sentence with two names in it; longer names are cut. */
#define DIAG_MSG_MAX_BYTES 1024

enum diag_level { DIAG_ERROR = 0, DIAG_WARNING, DIAG_NOTE, DIAG_LEVEL_MAX };

struct diag {
	enum diag_level level;
	const char *code; /* "P0107": stable, listed in docs/diagnostics.md */
	const struct source *src;
	struct span at;
	const struct source *related_src; /* "defined here", or NULL */
	struct span related;
	const char *related_msg;
	const char *msg;
};

struct diag_list {
	struct arena *mem;
	struct diag items[DIAG_MAX];
	uint32_t n;		       /* kept */
	uint32_t n_errors, n_warnings; /* counted, kept or not */
};

void diag_init(struct diag_list *l, struct arena *mem);
/* Returns the item, for diag_relate(); NULL when the list is full (it is counted then). */
struct diag *diag_add(struct diag_list *l, enum diag_level level, const char *code, const struct source *src,
		      struct span at, const char *fmt, ...) PRINTF_LIKE(6, 7);
void diag_relate(struct diag *d, const struct source *src, struct span at, const char *msg);
/* "file:line:col: error P0107: message", then the line with a caret, then the related place. To @out, a stdio stream.
 */
void diag_print(const struct diag_list *l, FILE *out);
/* One JSON object a line: {"file","line","col","level","code","message"}. */
void diag_print_json(const struct diag_list *l, FILE *out);
/* Of @names (NULL-terminated) the one that @word most likely meant; NULL when none is near. */
const char *diag_suggest(const char *word, const char *const *names);
