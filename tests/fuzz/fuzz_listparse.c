/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any bytes as the text of a list: read through the builder, compiled, opened, and every rule's own name looked up.
 * What was applied must be found, and printed rules must be read as the same rule again: all that are plain, and all of
 * AdGuard's. */
#include "filter/listbuild.h"
#include "filter/listparse_adguard.h"

#define CHECK(cond)                                                                                                    \
	do {                                                                                                           \
		if (!(cond))                                                                                           \
			abort();                                                                                       \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* What is asked for is what the rule is about, and nothing else of it matters. */
static void check_found(const struct listfile *f, const struct list_rule *r)
{
	struct list_ask ask = { .name = &r->name };
	struct list_match hit;

	if (!list_rule_plain(r) || r->kind == LIST_BELOW)
		return;
	if (r->kind == LIST_ADDRESS)
		ask.addr = &r->prefix.addr;
	if (r->kind <= LIST_ADDRESS && r->kind != LIST_CLIENT_ADDRESS)
		CHECK(listfile_match(f, 1, &ask, &hit));
}

/* But for their text. */
static bool same_terms(const struct list_rule *a, const struct list_rule *b)
{
	size_t at_a = 0, at_b = 0;
	struct list_term x, y;

	while (list_terms_next(a->terms, a->terms_len, &at_a, &x) && x.type != TERM_TEXT)
		if (!list_terms_next(b->terms, b->terms_len, &at_b, &y) || x.type != y.type || x.denied != y.denied ||
		    x.len != y.len || memcmp(x.data, y.data, x.len) != 0)
			return false;
	return !list_terms_next(b->terms, b->terms_len, &at_b, &y) || y.type == TERM_TEXT;
}

static bool same_rule(const struct list_rule *a, const struct list_rule *b)
{
	if (a->kind != b->kind || a->action != b->action || a->important != b->important ||
	    a->badfilter != b->badfilter || a->modifiers != b->modifiers || !same_terms(a, b))
		return false;
	if (a->kind == LIST_ADDRESS)
		return a->prefix.len == b->prefix.len && ip_addr_cmp(&a->prefix.addr, &b->prefix.addr) == 0;
	return a->kind >= LIST_PATTERN || dname_equal(&a->name, &b->name);
}

static void check_printed(const struct list_rule *r, struct list_line *again)
{
	char printed[LIST_TEXT_MAX + 1];
	struct list_parser parser = { .trusted = true };
	struct list_term t;

	if (r->kind == LIST_CLIENT_ADDRESS)
		return;
	if (list_terms_find(r->terms, r->terms_len, TERM_TEXT, &t) &&
	    (t.len == LIST_TEXT_MAX || !list_is_adguard((struct text){ (const char *)t.data, t.len })))
		return;
	list_rule_print(r, printed, sizeof(printed));
	list_parse_line(&parser, printed, strlen(printed), again);
	CHECK(again->n_rules == 1 && same_rule(r, &again->rules[0]));
}

/* Each applied line again by itself, its names against the compiled file. */
static void check_line(const struct listfile *f, struct list_parser *parser, const char *text, size_t len,
		       struct list_line *l, struct list_line *again)
{
	list_parse_line(parser, text, len, l);
	CHECK(l->outcome < LIST_OUTCOME_MAX && (l->outcome == LIST_APPLIED) == (l->why == NULL));
	CHECK(l->n_rules <= LIST_NAMES_PER_LINE_MAX && (l->outcome == LIST_APPLIED) == (l->n_rules > 0));
	for (uint32_t i = 0; i < l->n_rules; i++) {
		CHECK(list_terms_check(l->rules[i].terms, l->rules[i].terms_len));
		if (f != NULL)
			check_found(f, &l->rules[i]);
		check_printed(&l->rules[i], again);
	}
}

static void has_badfilter(void *arg, uint32_t list, uint32_t line, const struct list_line *l)
{
	bool *bad = arg;

	(void)list;
	(void)line;
	for (uint32_t i = 0; i < l->n_rules; i++)
		*bad = *bad || l->rules[i].badfilter;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct list_builder *b = list_builder_new();
	struct list_line *l = malloc(sizeof(*l)), *again = malloc(sizeof(*again));
	const char *text = (const char *)data;
	struct list_counts counts;
	struct listfile *f = NULL;
	struct list_parser parser = { .trusted = true };
	void *image = NULL;
	size_t image_len;
	bool bad = false;

	CHECK(b != NULL && l != NULL && again != NULL);
	CHECK(list_builder_trust(b, 0, NULL) == 0);
	list_builder_watch(b, has_badfilter, &bad);
	CHECK(list_builder_add_text(b, 0, text, len, &counts, NULL) == 0);
	CHECK(counts.skipped + counts.refused <= counts.lines);
	CHECK(list_builder_image(b, &image, &image_len, NULL) == 0);
	CHECK(listfile_open(image, image_len, &f, NULL) == 0);
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		text += 3;
		len -= 3;
	}
	while (len > 0) {
		const char *nl = memchr(text, '\n', len);
		size_t n = nl != NULL ? (size_t)(nl - text) : len;

		/* The builder takes one end-of-line, with its '\r'. */
		check_line(bad ? NULL : f, &parser, text, n > 0 && text[n - 1] == '\r' ? n - 1 : n, l, again);
		n += nl != NULL;
		text += n;
		len -= n;
	}
	listfile_free(f);
	free(image);
	free(l);
	free(again);
	list_builder_free(b);
	return 0;
}
