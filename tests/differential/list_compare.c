/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The compiled lists against a matcher that looks at every rule (listnaive.h): random rules of all kinds, random lines
 * of all formats, and real lists where they are at hand. The same seed does the same.
 *
 *   list_compare [DIRECTORY]     of real lists, all in one file; plain or gzip
 *
 * SLUICE_LIST_ASKS: questions in all (default 200,000; the full size is 1,000,000). SLUICE_LIST_SEED: from where. */
#include "filter/listbuild.h"
#include "filter/listregex.h"
#include "list_random.h"
#include "listnaive.h"

#include <dirent.h>
#include <inttypes.h>

#define ASKS_DEFAULT	200000u
#define ASKS_A_SET	2000u
#define RULES_A_SET	250u
#define LISTS_A_SET	8u
#define GIVEN_UP_RATE	1000u /* of so many questions one may be given up */
#define DIFFERENCES_MAX 20u   /* printed */

struct compare {
	struct list_random random;
	struct list_builder *b;
	struct naive *naive;
	struct listfile *f;
	void *image;
	struct list_scratch *scratch;
	uint64_t asks, hits, rewrites, personal, rules, differences;
	uint64_t given_up; /* questions of which an expression was given up: they say nothing */
	char what[64];
};

static void *need(void *p)
{
	if (p == NULL)
		abort();
	return p;
}

static void set_begin(struct compare *c)
{
	c->b = need(list_builder_new());
	c->naive = naive_new();
}

static void set_open(struct compare *c, bool by_name)
{
	struct err e = { 0 };
	size_t len;

	naive_finish(c->naive, by_name);
	c->rules += naive_rules(c->naive);
	if (list_builder_image(c->b, &c->image, &len, &e) < 0 || listfile_open(c->image, len, &c->f, &e) < 0) {
		fprintf(stderr, "%s: %s\n", c->what, e.msg);
		abort();
	}
	c->b = list_builder_free(c->b);
}

static void set_end(struct compare *c)
{
	c->f = listfile_free(c->f);
	c->naive = naive_free(c->naive);
	free(c->image);
}

static void rule_print(const struct naive_rule *r, const char *who)
{
	static const char *const kinds[] = {
		"client-address", "name", "below", "subtree", "address", "pattern", "regex"
	};
	static const char *const actions[] = { "block", "allow", "rewrite", "keep" };
	char text[DNAME_TEXT_MAX] = "";
	struct dname name = { .len = r->name_len, .labels = r->labels };

	if (r->name_len != 0) {
		memcpy(name.wire, r->name, r->name_len);
		dname_print(&name, text);
	} else if (r->kind == LIST_ADDRESS || r->kind == LIST_CLIENT_ADDRESS) {
		ip_prefix_print(&r->prefix, text);
	} else if (r->terms_len > 4) {
		snprintf(text, sizeof(text), "%.*s", r->terms[1] - 1, (const char *)r->terms + 4);
	}
	printf("  %s: list %u line %u %s %s%s %s, modifiers %u, terms %u, bad %" PRIx64 "\n", who, r->list, r->line,
	       actions[r->action], r->important ? "important " : "", kinds[r->kind], text, r->modifiers, r->terms_len,
	       r->bad);
}

static void differ(struct compare *c, uint64_t mask, const struct list_ask *ask, const struct naive_answer *want,
		   const struct list_match *got, const char *how)
{
	char text[DNAME_TEXT_MAX];

	if (c->differences++ >= DIFFERENCES_MAX)
		return;
	printf("%s: %s: %s type %u client %s mask %" PRIx64 ": found %d list %u line %u, %u rewrites\n", c->what, how,
	       ask->addr != NULL ? ip_addr_print(ask->addr, text) : dname_print(ask->name, text), ask->type,
	       ask->client == NULL	     ? "none"
	       : ask->client->device != NULL ? ask->client->device
					     : "unnamed",
	       mask, got->found, got->found ? got->hit.list : 0, got->found ? got->hit.line : 0, got->n_rewrites);
	if (got->found)
		printf("  got: %s, kind %d, action %d, modifiers %u\n",
		       list_rule_print(&got->hit.rule, text, sizeof(text)), got->hit.rule.kind, got->hit.rule.action,
		       got->hit.rule.modifiers);
	if (want->hit != NULL)
		rule_print(want->hit, "wanted");
	for (uint32_t i = 0; i < want->n_rewrites; i++)
		rule_print(want->rewrites[i], "wanted rewrite");
}

static bool same_rule(const struct naive_rule *want, const struct list_hit *got)
{
	const struct list_rule *r = &got->rule;

	if (want->list != got->list || want->line != got->line || want->kind != r->kind || want->action != r->action ||
	    want->important != r->important || want->modifiers != r->modifiers || want->terms_len != r->terms_len)
		return false;
	if (want->terms_len != 0 && memcmp(want->terms, r->terms, want->terms_len) != 0)
		return false;
	if (want->name_len != 0)
		return want->name_len == r->name.len && want->labels == r->name.labels &&
		       memcmp(want->name, r->name.wire, want->name_len) == 0;
	if (want->kind == LIST_ADDRESS || want->kind == LIST_CLIENT_ADDRESS)
		return want->prefix.len == r->prefix.len && ip_addr_cmp(&want->prefix.addr, &r->prefix.addr) == 0;
	return true;
}

static bool same_answer(const struct naive_answer *want, const struct list_match *got)
{
	if (got->found != (want->hit != NULL) || got->n_rewrites != want->n_rewrites ||
	    (want->hit != NULL && !same_rule(want->hit, &got->hit)))
		return false;
	for (uint32_t i = 0; i < want->n_rewrites; i++)
		if (!same_rule(want->rewrites[i], &got->rewrites[i]))
			return false;
	return true;
}

static bool equal_answers(const struct naive_answer *a, const struct naive_answer *b)
{
	bool equal = a->hit == b->hit && a->n_rewrites == b->n_rewrites;

	for (uint32_t i = 0; equal && i < a->n_rewrites; i++)
		equal = a->rewrites[i] == b->rewrites[i];
	return equal;
}

static void ask_one(struct compare *c, uint64_t mask, struct list_ask *ask)
{
	struct naive_answer want, other;
	struct list_match got;
	struct list_probe probe;
	struct list_ask another = *ask;
	uint64_t touched, given_up = list_scratch_counts(c->scratch)->given_up;
	bool any;

	c->asks++;
	naive_judge(c->naive, mask, ask, &want);
	ask->scratch = c->scratch;
	any = listfile_match(c->f, mask, ask, &got);
	if (list_scratch_counts(c->scratch)->given_up != given_up) {
		c->given_up++;
		return;
	}
	if (any != (want.hit != NULL || want.n_rewrites != 0) || !same_answer(&want, &got))
		differ(c, mask, ask, &want, &got, "another answer");
	c->hits += got.found;
	c->rewrites += got.n_rewrites;
	c->personal += got.personal;
	/* What is not personal is kept for all clients of a view. */
	another.client = random_client(&c->random);
	naive_judge(c->naive, mask, &another, &other);
	if (!got.personal && !equal_answers(&want, &other))
		differ(c, mask, &another, &other, &got, "said not to be personal");
	touched = naive_touch(c->naive, ask);
	if ((touched & ~listfile_touch(c->f, ask)) != 0)
		differ(c, mask, ask, &want, &got, "a list that is not touched");
	if (ask->addr != NULL)
		return;
	listfile_probe(c->f, ask->name, &probe);
	ask->probe = &probe;
	(void)listfile_match(c->f, mask, ask, &got);
	if (!same_answer(&want, &got))
		differ(c, mask, ask, &want, &got, "another answer with a probe");
	ask->probe = NULL;
}

static uint64_t random_mask(struct compare *c, uint32_t lists)
{
	uint64_t all = lists >= 64 ? UINT64_MAX : (1ull << lists) - 1;

	switch (random_below(&c->random, 4)) {
	case 0:
		return UINT64_MAX;
	case 1:
		return 1ull << random_below(&c->random, lists);
	default:
		return random_next(&c->random) & all;
	}
}

static void ask_random(struct compare *c, uint32_t lists)
{
	struct list_random *r = &c->random;
	struct dname name, near;
	struct ip_addr addr;
	struct list_ask ask = { .type = random_type(r), .client = random_client(r) };
	const struct naive_rule *rule = naive_rule(c->naive, random_below(r, naive_rules(c->naive)));

	if (random_below(r, 8) == 0) {
		random_addr(r, &addr);
		ask.addr = &addr;
	} else {
		random_name(r, &name);
		if (rule->name_len > 1 && random_below(r, 8) != 0) {
			name.len = rule->name_len;
			name.labels = rule->labels;
			memcpy(name.wire, rule->name, rule->name_len);
		}
		random_near(r, &name, &near);
		ask.name = &near;
	}
	ask_one(c, random_mask(c, lists), &ask);
}

static void compare_rules(struct compare *c)
{
	set_begin(c);
	for (uint32_t i = 0; i < RULES_A_SET; i++) {
		uint32_t list = random_below(&c->random, LISTS_A_SET);
		struct list_rule rule;
		struct err e = { 0 };

		random_rule(&c->random, &rule);
		if (rule.badfilter && rule.kind >= LIST_PATTERN)
			rule.badfilter = false; /* of another rule's text: below */
		if (list_builder_rule(c->b, list, i + 1, &rule, &e) == 0 && !naive_add(c->naive, list, i + 1, &rule))
			abort();
		if (random_below(&c->random, 25) != 0)
			continue;
		/* This one taken away, by a list that may not be asked. */
		rule.badfilter = true;
		list = random_below(&c->random, LISTS_A_SET);
		if (e.code == 0 && list_builder_rule(c->b, list, i + 1, &rule, &e) == 0)
			(void)naive_add(c->naive, list, i + 1, &rule);
	}
	set_open(c, random_below(&c->random, 2) == 0);
	for (uint32_t i = 0; i < ASKS_A_SET; i++)
		ask_random(c, LISTS_A_SET);
	set_end(c);
}

/* One list's text, read as the header of listparse.h says. */
static void naive_text(struct naive *n, uint32_t list, bool trusted, const char *text, size_t len)
{
	struct list_parser parser = { .trusted = trusted };
	struct list_line *l = need(malloc(sizeof(*l)));

	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		text += 3;
		len -= 3;
	}
	for (uint32_t line = 1; len > 0; line++) {
		const char *nl = memchr(text, '\n', len);
		size_t n_bytes = nl != NULL ? (size_t)(nl - text) : len, cut = n_bytes;

		if (cut > 0 && text[cut - 1] == '\r')
			cut--;
		list_parse_line(&parser, text, cut, l);
		for (uint32_t i = 0; l->outcome == LIST_APPLIED && i < l->n_rules; i++)
			(void)naive_add(n, list, line, &l->rules[i]);
		n_bytes += nl != NULL;
		text += n_bytes;
		len -= n_bytes;
	}
	free(l);
}

static void add_text(struct compare *c, uint32_t list, bool trusted, const char *text, size_t len)
{
	struct err e = { 0 };

	if ((trusted && list_builder_trust(c->b, list, &e) < 0) ||
	    list_builder_add_text(c->b, list, text, len, NULL, &e) < 0) {
		fprintf(stderr, "%s: %s\n", c->what, e.msg);
		abort();
	}
	naive_text(c->naive, list, trusted, text, len);
}

static void compare_lines(struct compare *c)
{
	char *text = need(malloc(RULES_A_SET * 512));

	set_begin(c);
	for (uint32_t list = 0; list < LISTS_A_SET; list++) {
		size_t len = 0;

		for (uint32_t i = 0; i < RULES_A_SET / LISTS_A_SET; i++) {
			len += random_line(&c->random, text + len, 500);
			text[len++] = '\n';
		}
		add_text(c, list, list % 2 == 0, text, len);
	}
	free(text);
	if (naive_rules(c->naive) != 0) {
		set_open(c, random_below(&c->random, 2) == 0);
		for (uint32_t i = 0; i < ASKS_A_SET; i++)
			ask_random(c, LISTS_A_SET);
	}
	set_end(c);
}

/* A whole file, through gzip where it is packed. */
static char *read_list(const char *path, size_t *ret_len)
{
	char command[600], *text = NULL;
	size_t len = 0, cap = 0, n;
	FILE *in;

	snprintf(command, sizeof(command), "gzip -dcf <'%s'", path);
	in = need(popen(command, "re"));
	do {
		if (len == cap) {
			cap = cap * 2 + 65536;
			text = need(realloc(text, cap));
		}
		n = fread(text + len, 1, cap - len, in);
		len += n;
	} while (n > 0);
	if (pclose(in) != 0)
		abort();
	*ret_len = len;
	return text;
}

static int name_cmp(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int visible(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

/* All real lists in one file. False: there are none. */
static bool compare_real(struct compare *c, const char *directory, uint64_t asks)
{
	struct dirent **files = NULL;
	int n = scandir(directory, &files, visible, name_cmp);
	uint32_t lists = 0;

	snprintf(c->what, sizeof(c->what), "real lists");
	set_begin(c);
	for (int i = 0; i < n; i++) {
		char path[512];
		size_t len;
		char *text;

		snprintf(path, sizeof(path), "%s/%s", directory, files[i]->d_name);
		if (lists < LISTS_MAX) {
			text = read_list(path, &len);
			add_text(c, lists, lists % 2 == 0, text, len);
			lists++;
			free(text);
		}
		free(files[i]);
	}
	free(files);
	if (lists != 0) {
		set_open(c, true);
		while (asks-- > 0)
			ask_random(c, lists);
	}
	set_end(c);
	return lists != 0;
}

static uint64_t number_of(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
	struct compare *c = need(calloc(1, sizeof(*c)));
	uint64_t asks = number_of("SLUICE_LIST_ASKS", ASKS_DEFAULT), seed = number_of("SLUICE_LIST_SEED", 1), failed;
	bool real = argc > 1;

	c->scratch = need(list_scratch_new());
	for (uint64_t i = 0; c->asks < (real ? asks / 2 : asks); i++) {
		c->random.state = seed * 1000003 + i + 1;
		snprintf(c->what, sizeof(c->what), "%s of seed %" PRIu64 " set %" PRIu64,
			 i % 3 != 0 ? "rules" : "lines", seed, i);
		if (i % 3 != 0)
			compare_rules(c);
		else
			compare_lines(c);
	}
	printf("random: %" PRIu64 " rules, %" PRIu64 " questions, %" PRIu64 " found, %" PRIu64 " rewrites, %" PRIu64
	       " personal\n",
	       c->rules, c->asks, c->hits, c->rewrites, c->personal);
	if (real && !compare_real(c, argv[1], asks - asks / 2))
		printf("no lists in %s: not compared\n", argv[1]);
	printf("in all: %" PRIu64 " rules, %" PRIu64 " questions, %" PRIu64 " found, %" PRIu64 " rewrites, %" PRIu64
	       " given up, %" PRIu64 " differences\n",
	       c->rules, c->asks, c->hits, c->rewrites, c->given_up, c->differences);
	failed = c->differences + (c->given_up > c->asks / GIVEN_UP_RATE);
	list_scratch_free(c->scratch);
	free(c);
	return failed == 0 ? 0 : 1;
}
