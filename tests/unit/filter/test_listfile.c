/* SPDX-License-Identifier: GPL-3.0-or-later */
/* filter/listbuild.c and listfile.c: the compiled file against a naive matcher that walks all rules, and against bytes
 * that are not what the builder wrote. */
#include "filter/listbuild.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>

#include <cmocka.h>

#define NAIVE_RULES 3000u
#define NAIVE_NAMES 100000u

struct image {
	void *data;
	size_t len;
	struct listfile *file;
};

static struct dname name_of(const char *text)
{
	struct dname n;

	assert_int_equal(dname_parse(text, strlen(text), &n), 0);
	return n;
}

static void image_open(struct list_builder *b, struct image *ret)
{
	struct err e = { 0 };

	assert_int_equal(list_builder_image(b, &ret->data, &ret->len, &e), 0);
	if (listfile_open(ret->data, ret->len, &ret->file, &e) < 0)
		fail_msg("%s", e.msg);
}

static void image_done(struct image *i)
{
	listfile_free(i->file);
	free(i->data);
}

static struct image image_of(const char *const *texts, size_t n)
{
	struct list_builder *b = list_builder_new();
	struct image image;

	assert_non_null(b);
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(list_builder_add_text(b, i, texts[i], strlen(texts[i]), NULL, NULL), 0);
	image_open(b, &image);
	list_builder_free(b);
	return image;
}

/* What the lists say, as "list:line:rule"; "-" for nothing. */
static void assert_match(const struct image *image, uint64_t mask, const char *name, const char *want)
{
	struct dname n = name_of(name);
	struct list_match m;
	char rule[300], got[400] = "-";

	if (listfile_match_name(image->file, mask, &n, &m))
		snprintf(got, sizeof(got), "%u:%u:%s", m.hit.list, m.hit.line,
			 list_rule_print(&m.hit.rule, rule, sizeof(rule)));
	if (strcmp(got, want) != 0)
		fail_msg("%s: got %s, wanted %s", name, got, want);
}

static void names_and_subtrees(void **state)
{
	static const char *const texts[] = {
		"||ads.example^\nexact.example\n*.wild.example\n0.0.0.0 h1.example h2.example\n"
	};
	struct image image = image_of(texts, 1);

	assert_int_equal(listfile_rules(image.file), 5);
	assert_match(&image, 1, "ads.example", "0:1:||ads.example^");
	assert_match(&image, 1, "a.b.ads.example", "0:1:||ads.example^");
	assert_match(&image, 1, "ADS.EXAMPLE.", "0:1:||ads.example^");
	assert_match(&image, 1, "xads.example", "-");
	assert_match(&image, 1, "example", "-");
	assert_match(&image, 1, "exact.example", "0:2:exact.example");
	assert_match(&image, 1, "www.exact.example", "-");
	assert_match(&image, 1, "wild.example", "0:3:||wild.example^");
	assert_match(&image, 1, "a.wild.example", "0:3:||wild.example^");
	assert_match(&image, 1, "h2.example", "0:4:h2.example");
	assert_match(&image, 1, ".", "-");
	image_done(&image);
}

static void an_exception_beats_blocks_and_only_within_the_mask(void **state)
{
	static const char *const texts[] = { "||example^\n||b.a.example^\n", "@@||a.example^\n", "@@|b.a.example^\n" };
	struct image image = image_of(texts, 3);

	assert_match(&image, 1, "b.a.example", "0:2:||b.a.example^");
	assert_match(&image, 3, "b.a.example", "1:1:@@||a.example^");
	assert_match(&image, 7, "b.a.example", "2:1:@@|b.a.example^");
	assert_match(&image, 7, "c.b.a.example", "1:1:@@||a.example^");
	assert_match(&image, 5, "c.b.a.example", "0:2:||b.a.example^");
	assert_match(&image, 2, "b.example", "-");
	assert_match(&image, 0, "b.a.example", "-");
	image_done(&image);
}

static void of_equal_rules_the_lower_list_and_line_is_named(void **state)
{
	static const char *const texts[] = { "other.example\n", "! c\n||x.example^\n||x.example^\nx.example\n",
					     "x.example\n||x.example^\n||example^\n" };
	struct image image = image_of(texts, 3);

	assert_match(&image, 7, "x.example", "1:4:x.example");
	assert_match(&image, 4, "x.example", "2:1:x.example");
	assert_match(&image, 4, "y.x.example", "2:2:||x.example^");
	assert_match(&image, 7, "y.example", "2:3:||example^");
	image_done(&image);
}

static void an_empty_file_matches_nothing(void **state)
{
	struct image image = image_of(NULL, 0);

	assert_int_equal(listfile_rules(image.file), 0);
	assert_match(&image, UINT64_MAX, "ads.example", "-");
	image_done(&image);
}

static void names_of_lists_are_kept(void **state)
{
	struct list_builder *b = list_builder_new();
	struct image image;

	assert_non_null(b);
	assert_int_equal(list_builder_name(b, 2, "third", NULL), 0);
	assert_int_equal(list_builder_name(b, 0, "first", NULL), 0);
	assert_int_equal(list_builder_name(b, LISTS_MAX, "none", NULL), -E2BIG);
	image_open(b, &image);
	assert_int_equal(listfile_lists(image.file), 3);
	assert_string_equal(listfile_name(image.file, 0), "first");
	assert_string_equal(listfile_name(image.file, 1), "");
	assert_string_equal(listfile_name(image.file, 2), "third");
	assert_string_equal(listfile_name(image.file, 3), "");
	image_done(&image);
	list_builder_free(b);
}

/* A text with everything that reading line by line can get wrong: BOM, CRLF, long lines across buffers, no last
 * end-of-line. */
static void reading_a_descriptor_and_reading_memory_agree(void **state)
{
	struct list_builder *b = list_builder_new();
	struct list_counts from_text = { 0 }, from_fd = { 0 };
	int fd = memfd_create("list", MFD_CLOEXEC);
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(b);
	assert_non_null(out);
	fputs("\xef\xbb\xbf"
	      "0.0.0.0 first.example\r\n",
	      out);
	for (int i = 0; i < 20000; i++) {
		fprintf(out, "||n%d.example^\r\n", i);
		if (i % 5000 == 0)
			fprintf(out, "%0*d\n", i == 10000 ? 200000 : LIST_LINE_MAX_BYTES + 1, 7);
		if (i % 5000 == 1)
			fprintf(out, "%*s\n", LIST_LINE_MAX_BYTES, "blank.example");
	}
	fputs("last.example", out);
	fclose(out);
	assert_int_equal(write(fd, text, len), (ssize_t)len);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(list_builder_add_text(b, 0, text, len, &from_text, NULL), 0);
	assert_int_equal(list_builder_add(b, 1, fd, &from_fd, NULL), 0);
	assert_memory_equal(&from_text, &from_fd, sizeof(from_fd));
	assert_int_equal(from_fd.lines, 20010);
	assert_int_equal(from_fd.applied, 20006);
	assert_int_equal(from_fd.refused, 4);
	{
		struct image image;

		image_open(b, &image);
		assert_match(&image, 2, "first.example", "1:1:first.example");
		assert_match(&image, 2, "last.example", "1:20010:last.example");
		assert_match(&image, 2, "n19999.example", "1:20009:||n19999.example^");
		image_done(&image);
	}
	list_builder_free(b);
	close(fd);
	free(text);
}

static void a_file_is_what_the_image_is_and_a_builder_is_used_once(void **state)
{
	struct list_builder *b = list_builder_new();
	int fd = memfd_create("out", MFD_CLOEXEC);
	struct listfile *f = NULL;
	struct list_match m;
	char line[64];
	void *back;
	off_t len;

	assert_non_null(b);
	for (int i = 0; i < 10000; i++) {
		snprintf(line, sizeof(line), "||n%d.example^", i);
		assert_int_equal(list_builder_add_text(b, 0, line, strlen(line), NULL, NULL), 0);
	}
	assert_int_equal(list_builder_write(b, fd, NULL), 0);
	assert_int_equal(list_builder_write(b, fd, NULL), -EINVAL);
	len = lseek(fd, 0, SEEK_END);
	assert_true(len > 0 && len <= 10000 * 16);
	back = malloc((size_t)len);
	assert_non_null(back);
	assert_int_equal(pread(fd, back, (size_t)len, 0), len);
	assert_int_equal(listfile_open(back, (size_t)len, &f, NULL), 0);
	for (int i = 0; i < 10001; i++) {
		struct dname name;

		snprintf(line, sizeof(line), "a.n%d.example", i);
		name = name_of(line);
		assert_int_equal(listfile_match_name(f, 1, &name, &m), i < 10000);
	}
	listfile_free(f);
	free(back);
	list_builder_free(b);
	close(fd);
}

static void a_list_of_one_name_a_million_times_is_sorted_in_passes(void **state)
{
	struct list_builder *b = list_builder_new();
	struct list_rule rule = { .name = name_of("a.example"), .kind = LIST_SUBTREE };
	struct image image;

	assert_non_null(b);
	for (uint32_t i = 1000000; i > 0; i--)
		assert_int_equal(list_builder_rule(b, 5, i, &rule, NULL), 0);
	image_open(b, &image);
	assert_int_equal(listfile_rules(image.file), 1);
	assert_match(&image, UINT64_MAX, "a.example", "5:1:||a.example^");
	image_done(&image);
	list_builder_free(b);
}

/* Random names over few labels, so that subtrees, near misses and several rules for one name are common. */
static void random_name(unsigned *seed, char *buf, size_t len)
{
	static const char *const words[] = { "a", "b", "ab", "ba", "ads", "x-1", "_t", "cdn", "w", "n9" };
	static const char *const tops[] = { "com", "net", "example", "co" };
	int labels = rand_r(seed) % 4 + 1;
	size_t at = 0;

	for (int i = 0; i < labels; i++) {
		at += (size_t)snprintf(buf + at, len - at, "%s%d.", words[(size_t)rand_r(seed) % ARRAY_LEN(words)],
				       rand_r(seed) % 3);
	}
	snprintf(buf + at, len - at, "%s", tops[(size_t)rand_r(seed) % ARRAY_LEN(tops)]);
}

struct naive_rule {
	struct list_rule rule;
	uint32_t list, line;
};

/* The contract of listfile_match() word for word: every rule is looked at. */
static const struct naive_rule *naive_match(const struct naive_rule *rules, size_t n, uint64_t mask,
					    const struct dname *name)
{
	const struct naive_rule *best = NULL;

	for (size_t i = 0; i < n; i++) {
		const struct naive_rule *r = &rules[i];
		bool matches =
			r->rule.kind == LIST_SUBTREE ? dname_in(name, &r->rule.name) : dname_equal(name, &r->rule.name);

		if (!matches || (mask >> r->list & 1) == 0)
			continue;
		if (best == NULL || (r->rule.action > best->rule.action)) {
			best = r;
			continue;
		}
		if (r->rule.action != best->rule.action || r->rule.name.labels < best->rule.name.labels)
			continue;
		if (r->rule.name.labels > best->rule.name.labels || r->rule.kind < best->rule.kind ||
		    (r->rule.kind == best->rule.kind &&
		     (r->list < best->list || (r->list == best->list && r->line < best->line))))
			best = r;
	}
	return best;
}

static void random_names_get_what_a_naive_matcher_says(void **state)
{
	unsigned seed = 20261121;
	struct naive_rule *rules = calloc(NAIVE_RULES, sizeof(*rules));
	struct list_builder *b = list_builder_new();
	struct image image;
	size_t hits = 0, allows = 0;
	char text[128];

	assert_non_null(rules);
	assert_non_null(b);
	for (size_t i = 0; i < NAIVE_RULES; i++) {
		random_name(&seed, text, sizeof(text));
		rules[i] = (struct naive_rule){ .list = (uint32_t)(rand_r(&seed) % 5 * 15), .line = (uint32_t)(i + 1) };
		rules[i].rule.name = name_of(text);
		rules[i].rule.kind = rand_r(&seed) % 2 == 0 ? LIST_SUBTREE : LIST_NAME;
		rules[i].rule.action = rand_r(&seed) % 8 == 0 ? LIST_ALLOW : LIST_BLOCK;
		assert_int_equal(list_builder_rule(b, rules[i].list, rules[i].line, &rules[i].rule, NULL), 0);
	}
	image_open(b, &image);
	for (size_t i = 0; i < NAIVE_NAMES; i++) {
		uint64_t mask = i % 3 == 0 ? UINT64_MAX : 1ull << (rand_r(&seed) % 5 * 15) | 1ull << 30;
		const struct naive_rule *want;
		struct list_match m;
		struct dname name;
		bool got;

		random_name(&seed, text, sizeof(text));
		name = name_of(text);
		got = listfile_match_name(image.file, mask, &name, &m);
		want = naive_match(rules, NAIVE_RULES, mask, &name);
		assert_int_equal(got, want != NULL);
		if (!got || want == NULL)
			continue;
		hits++;
		allows += m.hit.rule.action == LIST_ALLOW;
		assert_int_equal(m.hit.list, want->list);
		assert_int_equal(m.hit.line, want->line);
		assert_int_equal(m.hit.rule.action, want->rule.action);
		assert_int_equal(m.hit.rule.kind, want->rule.kind);
		assert_true(dname_equal(&m.hit.rule.name, &want->rule.name));
	}
	assert_true(hits > NAIVE_NAMES / 10 && hits < NAIVE_NAMES && allows > 0);
	image_done(&image);
	list_builder_free(b);
	free(rules);
}

/* Bytes changed anywhere: refused, or every look-up stays inside the file (the sanitizers look). */
static void corrupted_files_are_refused_or_harmless(void **state)
{
	static const char *const texts[] = { "||ads.example^\nexact.example\n@@||cdn.example^\n||a.b.c^\n||d.e^\n",
					     "x.example\n||ads.example^\ny.example\nz.example\nw.example\n" };
	struct image image = image_of(texts, 2);
	struct dname names[] = { name_of("a.ads.example"), name_of("exact.example"), name_of("q.cdn.example") };
	size_t refused = 0;
	uint8_t *bytes = malloc(image.len);

	assert_non_null(bytes);
	for (size_t at = 0; at < image.len; at++) {
		for (int bit = 0; bit < 8; bit++) {
			struct listfile *f = NULL;
			struct list_match hit;

			memcpy(bytes, image.data, image.len);
			bytes[at] ^= (uint8_t)(1u << bit);
			if (listfile_open(bytes, image.len, &f, NULL) < 0) {
				refused++;
				continue;
			}
			for (size_t i = 0; i < ARRAY_LEN(names); i++)
				(void)listfile_match_name(f, UINT64_MAX, &names[i], &hit);
			for (uint32_t i = 0; i < LISTS_MAX; i++)
				(void)strlen(listfile_name(f, i));
			listfile_free(f);
		}
	}
	assert_true(refused > image.len);
	for (size_t len = 0; len < image.len; len++) {
		struct listfile *f = NULL;
		uint8_t *cut = malloc(len + 1);

		assert_non_null(cut);
		memcpy(cut, image.data, len);
		assert_int_equal(listfile_open(cut, len, &f, NULL), -EBADMSG);
		free(cut);
	}
	free(bytes);
	image_done(&image);
}

static void every_build_draws_another_key(void **state)
{
	static const char *const texts[] = { "||ads.example^\n" };
	struct image a = image_of(texts, 1), b = image_of(texts, 1);

	assert_int_equal(a.len, b.len);
	assert_memory_not_equal(a.data, b.data, a.len);
	image_done(&a);
	image_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_and_subtrees),
		cmocka_unit_test(an_exception_beats_blocks_and_only_within_the_mask),
		cmocka_unit_test(of_equal_rules_the_lower_list_and_line_is_named),
		cmocka_unit_test(an_empty_file_matches_nothing),
		cmocka_unit_test(names_of_lists_are_kept),
		cmocka_unit_test(reading_a_descriptor_and_reading_memory_agree),
		cmocka_unit_test(a_file_is_what_the_image_is_and_a_builder_is_used_once),
		cmocka_unit_test(a_list_of_one_name_a_million_times_is_sorted_in_passes),
		cmocka_unit_test(random_names_get_what_a_naive_matcher_says),
		cmocka_unit_test(corrupted_files_are_refused_or_harmless),
		cmocka_unit_test(every_build_draws_another_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
