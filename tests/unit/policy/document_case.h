/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One text through one reader of documents, and what was said about it. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/document.h"

struct reading {
	struct arena *mem;
	struct diag_list diags;
	struct source *src;
};

static inline void reading_init(struct reading *r, const char *text)
{
	r->mem = arena_new(0);
	assert_non_null(r->mem);
	diag_init(&r->diags, r->mem);
	r->src = source_new(r->mem, "test.hujson", text, strlen(text));
	assert_non_null(r->src);
}

static inline void reading_done(struct reading *r)
{
	r->mem = arena_free(r->mem);
}

static inline bool reading_said(const struct reading *r, const char *code)
{
	for (uint32_t i = 0; i < r->diags.n; i++)
		if (strcmp(r->diags.items[i].code, code) == 0)
			return true;
	return false;
}

/* A text, and the code of the error that refuses it (NULL: accepted) or of a warning or note that it earns. */
struct reading_case {
	const char *text;
	const char *error;
	const char *warning;
};

/* @document: what the reader returned. */
static inline void reading_expect(const struct reading *r, const void *document, const struct reading_case *c)
{
	bool accepted = c->error == NULL;

	if ((document != NULL) != accepted || (r->diags.n_errors == 0) != accepted ||
	    (c->error != NULL && !reading_said(r, c->error)) || (c->warning != NULL && !reading_said(r, c->warning))) {
		diag_print(&r->diags, stderr);
		fail_msg("expected %s%s%s for: %s", accepted ? "acceptance" : "error ", accepted ? "" : c->error,
			 c->warning != NULL ? c->warning : "", c->text);
	}
}
