/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any bytes as the text of a list: read through the builder, as one that may redirect and as one that may not,
 * compiled, opened, and asked. What was applied must be found, rules must be sound and printed ones be read as the
 * same rule again. The parser reads all lines once more by itself, so that what it keeps between lines is the same. */
#include "filter/listbuild.h"
#include "filter/listparse_adguard.h"
#include "list_asks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const char *const names[] = { "ads.example", "www.ads.example", "example.org", "com", "." };

struct reading {
	struct list_parser parser;
	struct list_line line, again;
	bool trusted;
	bool bad; /* a rule takes others away: they need not be found */
};

/* 0.0.0.0 and its like lead nowhere. */
static bool is_null(const struct list_term *t)
{
	const uint8_t *data;
	struct ip_addr addr;
	uint16_t type, len;
	uint32_t ttl_s;

	if (t->type != TERM_RECORD)
		return false;
	list_term_record(t, &type, &ttl_s, &data, &len);
	if ((type != 1 || len != 4) && (type != 28 || len != 16))
		return false;
	addr = ip_addr_from_bytes(data, len);
	return ip_addr_is_any(&addr) || ip_addr_is_loopback(&addr);
}

static void check_rule(const struct list_rule *r, bool trusted)
{
	static const enum list_term_type redirects[] = { TERM_CNAME, TERM_CNAME_BELOW, TERM_RECORD };
	struct list_term t;

	CHECK(r->kind < LIST_KIND_MAX && r->action < LIST_ACTION_MAX && r->terms_len <= LIST_TERMS_MAX);
	CHECK(list_terms_check(r->terms, r->terms_len));
	for (size_t i = 0; i < ARRAY_LEN(redirects); i++)
		CHECK(trusted || r->action == LIST_KEEP || r->badfilter ||
		      !list_terms_find(r->terms, r->terms_len, redirects[i], &t) || is_null(&t));
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

/* Nothing but a name or an address: found in the file. */
static void check_plain(const struct listfile *f, uint64_t mask, const struct reading *in, const struct list_rule *r)
{
	struct list_ask ask = { .name = &r->name };
	struct list_match hit;

	if (!list_rule_plain(r) || (r->kind != LIST_NAME && r->kind != LIST_SUBTREE && r->kind != LIST_ADDRESS))
		return;
	if (r->kind == LIST_ADDRESS)
		ask.addr = &r->prefix.addr;
	CHECK(in->bad || listfile_match(f, mask, &ask, &hit));
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

/* What is plain, and what is AdGuard's, is read again from its printed form. */
static void check_printed(struct reading *in, const struct list_rule *r)
{
	struct list_parser parser = { .trusted = in->trusted };
	bool is_name = r->kind == LIST_NAME || r->kind == LIST_BELOW || r->kind == LIST_SUBTREE;
	char printed[DNAME_TEXT_MAX];
	struct list_term t;

	if (list_terms_find(r->terms, r->terms_len, TERM_TEXT, &t)) {
		if (t.len == LIST_TEXT_MAX || !list_is_adguard((struct text){ (const char *)t.data, t.len }))
			return;
	} else if (r->kind == LIST_CLIENT_ADDRESS || (is_name && r->name.len <= 1)) {
		return;
	}
	list_rule_print(r, printed, sizeof(printed));
	if (is_name && strchr(printed, '\\') != NULL && r->terms_len == 0)
		return; /* names of zone files may have characters that other lists' have not */
	list_parse_line(&parser, printed, strlen(printed), &in->again);
	CHECK(in->again.n_rules == 1 && same_rule(r, &in->again.rules[0]));
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
			if (f != NULL) {
				check_plain(f, mask, in, &l->rules[i]);
				check_printed(in, &l->rules[i]);
			}
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
