/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any bytes as the text of a list: read through the builder, compiled, opened, and every rule's own name looked up.
 * What was applied must be found, and printed rules must be read as the same rule again. */
#include "filter/listbuild.h"

#define CHECK(cond)                                                                                                    \
	do {                                                                                                           \
		if (!(cond))                                                                                           \
			abort();                                                                                       \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Each applied line again by itself, its names against the compiled file. */
static void check_line(const struct listfile *f, const char *text, size_t len, struct list_line *l,
		       struct list_line *again)
{
	list_parse_line(&(struct list_parser){ .trusted = true }, text, len, l);
	CHECK(l->outcome < LIST_OUTCOME_MAX && (l->outcome == LIST_APPLIED) == (l->why == NULL));
	CHECK(l->n_rules <= LIST_NAMES_PER_LINE_MAX && (l->outcome == LIST_APPLIED) == (l->n_rules > 0));
	for (uint32_t i = 0; i < l->n_rules; i++) {
		char printed[300];
		struct list_match hit;

		CHECK(listfile_match_name(f, 1, &l->rules[i].name, &hit));
		list_rule_print(&l->rules[i], printed, sizeof(printed));
		if (l->rules[i].kind == LIST_NAME && l->rules[i].action == LIST_BLOCK && l->rules[i].name.labels == 1)
			continue; /* hosts lines may have such names, plain lines not */
		list_parse_line(&(struct list_parser){ .trusted = true }, printed, strlen(printed), again);
		CHECK(again->n_rules == 1 && dname_equal(&again->rules[0].name, &l->rules[i].name));
		CHECK(again->rules[0].kind == l->rules[i].kind && again->rules[0].action == l->rules[i].action);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct list_builder *b = list_builder_new();
	struct list_line *l = malloc(sizeof(*l)), *again = malloc(sizeof(*again));
	const char *text = (const char *)data;
	struct list_counts counts;
	struct listfile *f = NULL;
	void *image = NULL;
	size_t image_len;

	CHECK(b != NULL && l != NULL && again != NULL);
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
		check_line(f, text, n > 0 && text[n - 1] == '\r' ? n - 1 : n, l, again);
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
