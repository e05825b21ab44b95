/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Gathers what lists say, for the compiled file (format: listformat.h; written by listwrite.c). Called by the confined
 * list compiler, the command line, and views for a filter's own rules.
 *
 * Memory: 16 bytes a rule that only blocks or allows a name, in one array that grows by half, whatever the text's
 * length; the text itself passes through one buffer, line by line. Of equal rules of one list the lowest line stays. */
#include "filter/listbuild.h"

#include "filter/listbuilder.h"
#include "filter/listregex.h"
#include "filter/turn.h"

#include <sys/random.h>

#define ROWS_FIRST    1024u /* capacity to begin with */
#define GRAM_SAMPLING 16u   /* of so many names one is looked at: what is rare is rare in them, too */

static_assert(BUILD_BUFFER_BYTES > 2 * LIST_LINE_MAX_BYTES, "a whole line fits behind a rest");
static_assert(LISTS_MAX <= 64, "sets of lists are 64 bits");

struct list_builder *list_builder_new(void)
{
	struct list_builder *b = calloc(1, sizeof(*b));

	/* getrandom(2) gives up to 256 bytes whole, or an error. A key that others know would let them craft names
	 * that collide: better no lists than such ones. */
	if (b != NULL && getrandom(b->key, sizeof(b->key), 0) != (ssize_t)sizeof(b->key)) {
		free(b);
		return NULL;
	}
	return b;
}

struct list_builder *list_builder_free(struct list_builder *b)
{
	if (b == NULL)
		return NULL;
	for (size_t i = 0; i < LISTS_MAX; i++)
		free(b->names[i]);
	free(b->rows.items);
	free(b->records.bytes);
	free(b->patterns);
	free(b->bads);
	free(b);
	return NULL;
}

void list_builder_freep(struct list_builder **b)
{
	*b = list_builder_free(*b);
}

void list_builder_watch(struct list_builder *b, list_line_fn fn, void *arg)
{
	b->watch = fn;
	b->watch_arg = arg;
}

static int list_use(struct list_builder *b, uint32_t list, struct err *e)
{
	if (list >= LISTS_MAX)
		return err_set(e, -E2BIG, "more than %u lists", (unsigned)LISTS_MAX);
	if (b->n_lists <= list)
		b->n_lists = list + 1;
	return 0;
}

int list_builder_name(struct list_builder *b, uint32_t list, const char *name, struct err *e)
{
	char *copy;
	int r = list_use(b, list, e);

	if (r < 0)
		return r;
	copy = strndup(name, LISTFILE_NAME_MAX);
	if (copy == NULL)
		return err_set(e, -ENOMEM, "name of list %u", list);
	free(b->names[list]);
	b->names[list] = copy;
	return 0;
}

int list_builder_trust(struct list_builder *b, uint32_t list, struct err *e)
{
	int r = list_use(b, list, e);

	if (r == 0)
		b->trusted |= 1ull << list;
	return r;
}

/* A list begins. */
static int list_begin(struct list_builder *b, uint32_t list, struct err *e)
{
	int r = list_use(b, list, e);

	if (r == 0)
		b->parser = (struct list_parser){ .trusted = (b->trusted >> list & 1) != 0 };
	return r;
}

static int rows_grow(struct build_rows *rows, struct err *e)
{
	size_t cap = rows->cap == 0 ? ROWS_FIRST : rows->cap + rows->cap / 2;
	struct build_row *grown;

	if (rows->n >= LIST_RULES_MAX)
		return err_set(e, -E2BIG, "more than %u rules in all lists together (LIST_RULES_MAX)",
			       (unsigned)LIST_RULES_MAX);
	grown = reallocarray(rows->items, cap, sizeof(*grown));
	if (grown == NULL)
		return err_set(e, -ENOMEM, "memory for %zu list rules", cap);
	rows->items = grown;
	rows->cap = cap;
	return 0;
}

static int row_add(struct build_rows *rows, const struct build_row *row, struct err *e)
{
	if (rows->n == rows->cap || rows->n >= LIST_RULES_MAX) {
		int r = rows_grow(rows, e);

		if (r < 0)
			return r;
	}
	rows->items[rows->n++] = *row;
	return 0;
}

int build_record_add(struct build_records *records, const struct listfile_record *r, const uint8_t *terms,
		     uint32_t *ret_at, struct err *e)
{
	size_t len = (sizeof(*r) + r->terms_len + 7u) & ~(size_t)7;
	struct listfile_record head = *r;

	if (records->len + len > LIST_RECORDS_MAX_BYTES)
		return err_set(e, -E2BIG,
			       "rules with conditions or patterns take more than %u bytes in all lists together "
			       "(LIST_RECORDS_MAX_BYTES)",
			       (unsigned)LIST_RECORDS_MAX_BYTES);
	if (records->len + len > records->cap) {
		size_t cap = records->cap + records->cap / 2 + 4096 + len;
		uint8_t *grown = realloc(records->bytes, cap);

		if (grown == NULL)
			return err_set(e, -ENOMEM, "memory for list rules");
		records->bytes = grown;
		records->cap = cap;
	}
	head.len = (uint32_t)len;
	memset(records->bytes + records->len, 0, len);
	memcpy(records->bytes + records->len, &head, sizeof(head));
	if (r->terms_len != 0)
		memcpy(records->bytes + records->len + sizeof(head), terms, r->terms_len);
	*ret_at = (uint32_t)(records->len / 8);
	records->len += len;
	return 0;
}

uint64_t build_same(const struct list_builder *b, uint64_t hash, enum list_kind kind, enum list_action action,
		    bool important, const uint8_t *terms, size_t len)
{
	uint8_t buf[LIST_TERMS_MAX + 16];
	struct list_term t;
	size_t at = 0, from = 0, n = sizeof(hash);

	memcpy(buf, &hash, sizeof(hash));
	buf[n++] = (uint8_t)kind;
	buf[n++] = (uint8_t)action;
	buf[n++] = important;
	while (list_terms_next(terms, len, &at, &t)) {
		if (t.type != TERM_TEXT) {
			memcpy(buf + n, terms + from, at - from);
			n += at - from;
		}
		from = at;
	}
	return listfile_hash(b->key, buf, n);
}

static uint64_t rule_hash(const struct list_builder *b, const struct list_rule *r)
{
	if (r->kind == LIST_CLIENT_ADDRESS || r->kind == LIST_ADDRESS)
		return listfile_hash_addr(b->key, r->kind, &r->prefix.addr, r->prefix.len);
	if (r->kind == LIST_PATTERN || r->kind == LIST_REGEX)
		return 0;
	return listfile_hash(b->key, r->name.wire, r->name.len);
}

/* Which names and prefixes are worth a look. */
static void note_depth(struct list_builder *b, const struct list_rule *r)
{
	uint8_t len = r->prefix.len;

	switch (r->kind) {
	case LIST_CLIENT_ADDRESS:
	case LIST_ADDRESS:
		if (r->prefix.addr.family == IP_V4)
			b->addr_lens[r->kind == LIST_CLIENT_ADDRESS][2] |= 2ull << len;
		else
			b->addr_lens[r->kind == LIST_CLIENT_ADDRESS][len == 128 ? 2 : len / 64] |=
				1ull << (len == 128 ? 0 : len % 64);
		break;
	case LIST_NAME:
	case LIST_BELOW:
	case LIST_SUBTREE:
		b->depths |= listfile_depth_bit(r->name.labels);
		break;
	case LIST_PATTERN:
	case LIST_REGEX:
	case LIST_KIND_MAX:
		break;
	}
}

static int grow_u32(uint32_t **items, uint32_t n, uint32_t *cap)
{
	uint32_t more = *cap == 0 ? 64 : *cap * 2;
	uint32_t *grown = n < *cap ? *items : reallocarray(*items, more, sizeof(*grown));

	if (grown == NULL)
		return -ENOMEM;
	*cap = n < *cap ? *cap : more;
	*items = grown;
	return 0;
}

/* Does a name without any of its texts need no try? Those that have none are tried on every name. */
static bool always_tried(const struct list_rule *r)
{
	struct list_term t;
	struct literals l;

	if (r->kind == LIST_PATTERN && list_terms_find(r->terms, r->terms_len, TERM_PATTERN, &t))
		return !literals_of_pattern((const char *)t.data + 1, t.len - 1u, &l);
	if (list_terms_find(r->terms, r->terms_len, TERM_REGEX, &t))
		return t.data[0] != 0 || !literals_of_regex((const char *)t.data + 1, t.len - 1u, &l);
	return true;
}

/* @b->why is set when it is refused. */
static bool pattern_ok(struct list_builder *b, const struct list_rule *r)
{
	bool is_regex = r->kind == LIST_REGEX;
	struct list_term t;
	size_t bytes = 0;

	if (!list_terms_find(r->terms, r->terms_len, is_regex ? TERM_REGEX : TERM_PATTERN, &t)) {
		snprintf(b->why, sizeof(b->why), "pattern without its text");
		return false;
	}
	if (is_regex && b->n_regexes >= REGEXES_MAX) {
		snprintf(b->why, sizeof(b->why), "more than %u regular expressions in all lists (REGEXES_MAX)",
			 REGEXES_MAX);
		return false;
	}
	if (is_regex && !regex_check((const char *)t.data + 1, t.len - 1u, b->why, sizeof(b->why), &bytes))
		return false;
	if (bytes > REGEXES_BYTES_MAX - b->regex_bytes) {
		snprintf(b->why, sizeof(b->why),
			 "regular expressions of all lists take more than %u bytes when compiled (REGEXES_BYTES_MAX)",
			 REGEXES_BYTES_MAX);
		return false;
	}
	if (always_tried(r) && b->n_always >= LIST_ALWAYS_MAX) {
		snprintf(b->why, sizeof(b->why),
			 "more than %u patterns without three characters that a name must have (LIST_ALWAYS_MAX)",
			 LIST_ALWAYS_MAX);
		return false;
	}
	b->n_always += always_tried(r);
	b->regex_bytes += bytes;
	return true;
}

static int bad_add(struct list_builder *b, const struct build_bad *bad, struct err *e)
{
	if (b->n_bads == b->cap_bads) {
		uint32_t cap = b->cap_bads == 0 ? 16 : b->cap_bads * 2;
		struct build_bad *grown = reallocarray(b->bads, cap, sizeof(*grown));

		if (grown == NULL)
			return err_set(e, -ENOMEM, "memory for list rules");
		b->bads = grown;
		b->cap_bads = cap;
	}
	b->bads[b->n_bads++] = *bad;
	return 0;
}

/* A rule that is more than a row: a record, and a row that leads to it unless it is a pattern. */
static int add_record(struct list_builder *b, uint32_t list, uint32_t line, const struct list_rule *rule, uint64_t hash,
		      struct err *e)
{
	bool is_pattern = rule->kind == LIST_PATTERN || rule->kind == LIST_REGEX;
	struct listfile_record head = { .line = line,
					.terms_len = rule->terms_len,
					.list = (uint8_t)list,
					.kind = (uint8_t)rule->kind,
					.action = (uint8_t)rule->action,
					.flags = rule->important ? LISTFILE_IMPORTANT : 0,
					.modifiers = rule->modifiers };
	struct build_row row = { .hash = hash, .what = BUILD_CHAIN, .list = (uint8_t)list };
	int r;

	if (is_pattern && !pattern_ok(b, rule))
		return err_set(e, -EINVAL, "%s", b->why);
	if (is_pattern && grow_u32(&b->patterns, b->n_patterns, &b->cap_patterns) < 0)
		return err_set(e, -ENOMEM, "memory for list rules");
	r = build_record_add(&b->records, &head, rule->terms, &row.line, e);
	if (r < 0)
		return r;
	if (!is_pattern)
		return row_add(&b->rows, &row, e);
	b->patterns[b->n_patterns++] = row.line;
	b->n_regexes += rule->kind == LIST_REGEX;
	return 0;
}

static void sample(struct list_builder *b, const struct dname *name)
{
	char text[DNAME_TEXT_MAX];

	if (b->rows.n % GRAM_SAMPLING != 0)
		return;
	dname_print(name, text);
	gram_count(&b->grams, (const uint8_t *)text, strlen(text));
}

int list_builder_rule(struct list_builder *b, uint32_t list, uint32_t line, const struct list_rule *rule, struct err *e)
{
	struct build_row row = { .line = line, .list = (uint8_t)list };
	int r = list_use(b, list, e);

	if (r < 0)
		return r;
	if (rule->kind >= LIST_KIND_MAX || rule->action >= LIST_ACTION_MAX)
		return err_set(e, -EINVAL, "no such rule");
	row.hash = rule_hash(b, rule);
	row.what = (uint8_t)(rule->kind << 1 | rule->action);
	if (rule->badfilter) {
		const struct build_bad bad = {
			.same = build_same(b, row.hash, rule->kind, rule->action, rule->important, rule->terms,
					   rule->terms_len),
			.hash = row.hash,
			.what = row.what,
			.list = row.list,
		};

		return bad_add(b, &bad, e);
	}
	note_depth(b, rule);
	if (!list_rule_plain(rule) || rule->kind > LIST_ADDRESS)
		return add_record(b, list, line, rule, row.hash, e);
	if (rule->kind != LIST_ADDRESS && rule->kind != LIST_CLIENT_ADDRESS)
		sample(b, &rule->name);
	return row_add(&b->rows, &row, e);
}

/* What the line says, into the builder. A rule that cannot be compiled refuses its line: such lines have one rule. */
static int add_rules(struct list_builder *b, uint32_t list, uint32_t line, struct list_line *l, struct err *e)
{
	for (uint32_t i = 0; i < l->n_rules; i++) {
		struct err why = { 0 };
		int r = list_builder_rule(b, list, line, &l->rules[i], &why);

		if (r == -EINVAL) {
			snprintf(b->why, sizeof(b->why), "%.150s", why.msg);
			l->outcome = LIST_REFUSED;
			l->why = b->why;
			l->n_rules = 0;
			return 0;
		}
		if (r < 0)
			return err_set(e, r, "%s", why.msg);
	}
	return 0;
}

static int add_line(struct list_builder *b, uint32_t list, const char *text, size_t len, struct list_counts *counts,
		    struct err *e)
{
	static const char bom[] = "\xef\xbb\xbf";
	struct list_line *l = &b->line;
	uint32_t line;

	int r = 0;

	if (counts->lines >= LIST_LINES_MAX)
		return err_set(e, -E2BIG, "list %u has more than %u lines (LIST_LINES_MAX)", list, LIST_LINES_MAX);
	line = (uint32_t)++counts->lines;
	turn_over(line, TURN_LINES);
	if (line == 1 && len >= strlen(bom) && memcmp(text, bom, strlen(bom)) == 0) {
		text += strlen(bom);
		len -= strlen(bom);
	}
	if (len > 0 && text[len - 1] == '\r')
		len--;
	list_parse_line(&b->parser, text, len, l);
	if (l->outcome == LIST_APPLIED)
		r = add_rules(b, list, line, l, e);
	if (r < 0)
		return r;
	if (b->watch != NULL)
		b->watch(b->watch_arg, list, line, l);
	switch (l->outcome) {
	case LIST_APPLIED:
		counts->applied += l->n_rules;
		break;
	case LIST_SKIPPED:
		counts->skipped++;
		break;
	case LIST_REFUSED:
	case LIST_OUTCOME_MAX:
		counts->refused++;
		break;
	}
	return 0;
}

int list_builder_add_text(struct list_builder *b, uint32_t list, const char *text, size_t len, struct list_counts *ret,
			  struct err *e)
{
	struct list_counts counts = { 0 };
	int r = list_begin(b, list, e);

	while (r == 0 && len > 0) {
		const char *nl = memchr(text, '\n', len);
		size_t n = nl != NULL ? (size_t)(nl - text) : len;

		r = add_line(b, list, text, n, &counts, e);
		n += nl != NULL;
		text += n;
		len -= n;
	}
	if (r == 0 && ret != NULL)
		*ret = counts;
	return r;
}

/* Hand on the whole lines of buf[0..*fill] and move the rest to the front. A line that is too long is handed on once,
 * cut behind the limit so that it is refused, and *drop says that its rest is to be thrown away. */
static int add_buffer(struct list_builder *b, uint32_t list, size_t *fill, bool *drop, struct list_counts *counts,
		      struct err *e)
{
	size_t at = 0;
	int r;

	for (;;) {
		const char *nl = memchr(b->buf + at, '\n', *fill - at);
		size_t len = nl != NULL ? (size_t)(nl - b->buf) - at : *fill - at;

		if (nl == NULL && !*drop && len <= LIST_LINE_MAX_BYTES + 1) /* + 1: the '\r' */
			break;
		r = *drop ? 0 : add_line(b, list, b->buf + at, len, counts, e);
		if (r < 0)
			return r;
		*drop = nl == NULL;
		at += len + (nl != NULL);
		if (nl == NULL)
			break;
	}
	memmove(b->buf, b->buf + at, *fill - at);
	*fill -= at;
	return 0;
}

int list_builder_add(struct list_builder *b, uint32_t list, int fd, struct list_counts *ret, struct err *e)
{
	struct list_counts counts = { 0 };
	uint64_t total = 0;
	size_t fill = 0;
	bool drop = false;
	int r = list_begin(b, list, e);

	while (r == 0) {
		ssize_t n = read(fd, b->buf + fill, sizeof(b->buf) - fill);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return err_set(e, -errno, "read list %u: %s", list, strerror(errno));
		if (n == 0)
			break;
		total += (uint64_t)n;
		if (total > LIST_TEXT_MAX_BYTES)
			return err_set(e, -E2BIG, "list %u is longer than %llu bytes (LIST_TEXT_MAX_BYTES)", list,
				       LIST_TEXT_MAX_BYTES);
		fill += (size_t)n;
		r = add_buffer(b, list, &fill, &drop, &counts, e);
	}
	if (r == 0 && fill > 0 && !drop)
		r = add_line(b, list, b->buf, fill, &counts, e);
	if (r == 0 && ret != NULL)
		*ret = counts;
	return r;
}
