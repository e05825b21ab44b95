/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any bytes as the text of a list: read through the builder, as one that may redirect and as one that may not,
 * compiled, opened, and asked. What was applied must be found, rules must be sound and printed ones be read as the
 * same rule again. The parser reads all lines once more by itself, so that what it keeps between lines is the same. */
#include "filter/listbuild.h"
#include "list_asks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const char *const names[] = { "ads.example", "www.ads.example", "example.org", "com", "." };

struct reading {
	struct list_parser parser;
	struct list_line line, again;
	bool trusted;
	bool bad; /* a rule takes others away: they need not be found */
};

static void check_rule(const struct list_rule *r, bool trusted)
{
	static const enum list_term_type redirects[] = { TERM_CNAME, TERM_CNAME_BELOW, TERM_RECORD };
	struct list_term t;

	CHECK(r->kind < LIST_KIND_MAX && r->action < LIST_ACTION_MAX && r->terms_len <= LIST_TERMS_MAX);
	CHECK(list_terms_check(r->terms, r->terms_len));
	for (size_t i = 0; i < ARRAY_LEN(redirects); i++)
		CHECK(trusted || r->action == LIST_KEEP || !list_terms_find(r->terms, r->terms_len, redirects[i], &t));
	if (r->kind == LIST_PATTERN)
		CHECK(list_terms_find(r->terms, r->terms_len, TERM_PATTERN, &t));
	if (r->kind == LIST_REGEX)
		CHECK(list_terms_find(r->terms, r->terms_len, TERM_REGEX, &t));
	if (r->kind == LIST_NAME || r->kind == LIST_BELOW || r->kind == LIST_SUBTREE) {
		CHECK(r->name.len >= 1 && r->name.wire[r->name.len - 1] == 0);
		for (size_t i = 0; i < r->name.len; i++)
			CHECK(r->name.wire[i] == dname_lower(r->name.wire[i]));
	}
}

/* Nothing but a name: found in the file, and read again from its printed form. */
static void check_plain(const struct listfile *f, uint64_t mask, struct reading *in, const struct list_rule *r)
{
	struct list_parser parser = { .trusted = in->trusted };
	struct list_match hit;
	char printed[300];

	if (!list_rule_plain(r) || (r->kind != LIST_NAME && r->kind != LIST_SUBTREE))
		return;
	CHECK(in->bad || listfile_match_name(f, mask, &r->name, &hit));
	if (r->name.labels <= 1 || r->name.wire[0] == 0)
		return; /* plain lines need a dot */
	list_rule_print(r, printed, sizeof(printed));
	if (strlen(printed) + 1 >= sizeof(printed))
		return;
	list_parse_line(&parser, printed, strlen(printed), &in->again);
	if (strchr(printed, '\\') != NULL)
		return; /* names of zone files may have characters that other lists' have not */
	CHECK(in->again.n_rules == 1 && dname_equal(&in->again.rules[0].name, &r->name));
	CHECK(in->again.rules[0].kind == r->kind && in->again.rules[0].action == r->action);
}

/* @text by lines, as the builder cuts it; @f NULL: only what is said of others is noted. */
static void read_lines(struct reading *in, const char *text, size_t len, const struct listfile *f, uint64_t mask)
{
	in->parser = (struct list_parser){ .trusted = in->trusted };
	while (len > 0) {
		const char *nl = memchr(text, '\n', len);
		size_t n = nl != NULL ? (size_t)(nl - text) : len, end = n > 0 && text[n - 1] == '\r' ? n - 1 : n;
		struct list_line *l = &in->line;

		list_parse_line(&in->parser, text, end, l);
		CHECK(l->outcome < LIST_OUTCOME_MAX && (l->outcome == LIST_APPLIED) == (l->why == NULL));
		CHECK(l->n_rules <= LIST_NAMES_PER_LINE_MAX && (l->outcome == LIST_APPLIED) == (l->n_rules > 0));
		for (uint32_t i = 0; i < l->n_rules; i++) {
			check_rule(&l->rules[i], in->trusted);
			in->bad = in->bad || l->rules[i].badfilter;
			if (f != NULL)
				check_plain(f, mask, in, &l->rules[i]);
		}
		n += nl != NULL;
		text += n;
		len -= n;
	}
}

static void check_lines(struct reading *in, const struct listfile *f, const char *text, size_t len)
{
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		text += 3;
		len -= 3;
	}
	in->bad = false;
	for (int trusted = 0; trusted < 2; trusted++) {
		in->trusted = trusted != 0;
		read_lines(in, text, len, NULL, 0);
	}
	for (int trusted = 0; trusted < 2; trusted++) {
		in->trusted = trusted != 0;
		read_lines(in, text, len, f, 1ull << trusted);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct list_builder *b = list_builder_new();
	struct reading *in = calloc(1, sizeof(*in));
	struct list_counts counts;
	struct listfile *f = NULL;
	void *image = NULL;
	size_t image_len = 0;

	CHECK(b != NULL && in != NULL);
	CHECK(list_builder_trust(b, 1, NULL) == 0);
	for (uint32_t list = 0; list < 2; list++) {
		CHECK(list_builder_add_text(b, list, (const char *)data, len, &counts, NULL) == 0);
		CHECK(counts.skipped + counts.refused <= counts.lines);
	}
	CHECK(list_builder_image(b, &image, &image_len, NULL) == 0);
	CHECK(listfile_open(image, image_len, &f, NULL) == 0);
	check_lines(in, f, (const char *)data, len);
	list_asks(f, names, ARRAY_LEN(names), data, len);
	listfile_free(f);
	free(image);
	free(in);
	list_builder_free(b);
	return 0;
}
