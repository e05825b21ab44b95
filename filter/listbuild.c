/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Builds the compiled list file (format: listbuild.h). Called by the confined list compiler, the command line, and
 * views for a filter's own rules; feeds listfile.c.
 *
 * Memory: 16 bytes a rule, in one array that grows by half, whatever the text's length; the text itself passes through
 * one buffer, line by line. Sorting is in place (American flag: radix, most significant byte first; hashes are
 * uniformly distributed, and the bytes of kind and line follow, so that a list which repeats one name a million times
 * costs passes, not comparisons). Of equal rules of one list the lowest line stays. */
#include "filter/listbuild.h"

#include <sys/random.h>

#define READ_BUFFER_BYTES 65536u
#define RULES_FIRST	  1024u /* capacity to begin with */
#define KEY_BYTES	  13u	/* of a rule: hash 8, kind 1, line 4 */
#define SMALL_RUN	  48u	/* insertion sort from here on */

static_assert(READ_BUFFER_BYTES > 2 * LIST_LINE_MAX_BYTES, "a whole line fits behind a rest");
static_assert(LISTS_MAX << LISTFILE_LIST_SHIFT == 256, "list and flags are one byte");

struct rule {
	uint64_t hash;
	uint32_t line;
	uint8_t kind;
};

struct list_builder {
	uint8_t key[LISTFILE_KEY_BYTES];
	struct rule *rules;
	size_t n, cap;
	uint32_t n_lists;
	char *names[LISTS_MAX];
	list_line_fn watch;
	void *watch_arg;
	uint64_t trusted; /* lists */
	struct list_parser parser;
	struct list_line line; /* 17 kB: too large for the stack of a small thread */
	char buf[READ_BUFFER_BYTES];
};

/* Where the file's bytes go: a descriptor through a buffer, or memory. */
struct sink {
	int fd; /* -1: memory */
	uint8_t *out;
	size_t len, cap;
	uint64_t total;
};

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
	free(b->rules);
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

static int rules_grow(struct list_builder *b, struct err *e)
{
	size_t cap = b->cap == 0 ? RULES_FIRST : b->cap + b->cap / 2;
	struct rule *grown;

	if (b->n >= LIST_RULES_MAX)
		return err_set(e, -E2BIG, "more than %u rules in all lists together", (unsigned)LIST_RULES_MAX);
	grown = reallocarray(b->rules, cap, sizeof(*grown));
	if (grown == NULL)
		return err_set(e, -ENOMEM, "memory for %zu list rules", cap);
	b->rules = grown;
	b->cap = cap;
	return 0;
}

int list_builder_rule(struct list_builder *b, uint32_t list, uint32_t line, const struct list_rule *rule, struct err *e)
{
	int r = list_use(b, list, e);

	if (r < 0)
		return r;
	if (b->n == b->cap || b->n >= LIST_RULES_MAX) {
		r = rules_grow(b, e);
		if (r < 0)
			return r;
	}
	b->rules[b->n++] = (struct rule){
		.hash = listfile_hash(b->key, rule->name.wire, rule->name.len),
		.line = line,
		.kind = (uint8_t)(list << LISTFILE_LIST_SHIFT | (rule->kind == LIST_SUBTREE ? LISTFILE_SUBTREE : 0) |
				  (rule->action == LIST_ALLOW ? LISTFILE_ALLOW : 0)),
	};
	return 0;
}

static int add_line(struct list_builder *b, uint32_t list, const char *text, size_t len, struct list_counts *counts,
		    struct err *e)
{
	static const char bom[] = "\xef\xbb\xbf";
	struct list_line *l = &b->line;
	uint32_t line;

	if (counts->lines == UINT32_MAX)
		return err_set(e, -E2BIG, "more than %u lines in a list", UINT32_MAX);
	line = (uint32_t)++counts->lines;
	if (line == 1 && len >= strlen(bom) && memcmp(text, bom, strlen(bom)) == 0) {
		text += strlen(bom);
		len -= strlen(bom);
	}
	if (len > 0 && text[len - 1] == '\r')
		len--;
	list_parse_line(&b->parser, text, len, l);
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
	for (uint32_t i = 0; i < l->n_rules; i++) {
		int r = list_builder_rule(b, list, line, &l->rules[i], e);

		if (r < 0)
			return r;
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
			return err_set(e, -E2BIG, "list %u is longer than %llu bytes", list, LIST_TEXT_MAX_BYTES);
		fill += (size_t)n;
		r = add_buffer(b, list, &fill, &drop, &counts, e);
	}
	if (r == 0 && fill > 0 && !drop)
		r = add_line(b, list, b->buf, fill, &counts, e);
	if (r == 0 && ret != NULL)
		*ret = counts;
	return r;
}

/* Byte @i of the sort key, most significant first: hash, kind, line. */
static unsigned key_byte(const struct rule *r, unsigned i)
{
	if (i < 8)
		return (unsigned)(r->hash >> (56 - 8 * i)) & 0xff;
	if (i == 8)
		return r->kind;
	return (r->line >> (8 * (KEY_BYTES - 1 - i))) & 0xff;
}

static bool rule_before(const struct rule *a, const struct rule *b)
{
	if (a->hash != b->hash)
		return a->hash < b->hash;
	if (a->kind != b->kind)
		return a->kind < b->kind;
	return a->line < b->line;
}

static void sort_small(struct rule *r, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		struct rule x = r[i];
		size_t k = i;

		for (; k > 0 && rule_before(&x, &r[k - 1]); k--)
			r[k] = r[k - 1];
		r[k] = x;
	}
}

/* Recursion is at most KEY_BYTES deep, 4 kB of stack each. */
static void sort_rules(struct rule *r, size_t n, unsigned byte)
{
	size_t next[256] = { 0 }, end[256], sum = 0;

	if (n <= SMALL_RUN) {
		sort_small(r, n);
		return;
	}
	if (byte == KEY_BYTES)
		return;
	for (size_t i = 0; i < n; i++)
		next[key_byte(&r[i], byte)]++;
	for (size_t i = 0; i < 256; i++) {
		size_t count = next[i];

		next[i] = sum;
		sum += count;
		end[i] = sum;
	}
	for (size_t i = 0; i < 256; i++) {
		while (next[i] < end[i]) {
			struct rule x = r[next[i]];
			unsigned to = key_byte(&x, byte);

			if (to == i) {
				next[i]++;
				continue;
			}
			r[next[i]] = r[next[to]];
			r[next[to]++] = x;
		}
	}
	for (size_t i = 0; i < 256; i++) {
		size_t start = i == 0 ? 0 : end[i - 1];

		sort_rules(r + start, end[i] - start, byte + 1);
	}
}

static void sort_and_merge(struct list_builder *b)
{
	size_t kept = 0;

	sort_rules(b->rules, b->n, 0);
	for (size_t i = 0; i < b->n; i++) {
		const struct rule *last = kept > 0 ? &b->rules[kept - 1] : NULL;

		if (last == NULL || last->hash != b->rules[i].hash || last->kind != b->rules[i].kind)
			b->rules[kept++] = b->rules[i];
	}
	b->n = kept;
}

static int sink_flush(struct sink *s, struct err *e)
{
	size_t at = 0;

	while (s->fd != -1 && at < s->len) {
		ssize_t n = write(s->fd, s->out + at, s->len - at);

		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_set(e, n == 0 ? -EIO : -errno, "write compiled lists: %s",
				       n == 0 ? "nothing written" : strerror(errno));
		at += (size_t)n;
	}
	if (s->fd != -1)
		s->len = 0;
	return 0;
}

static int sink_put(struct sink *s, const void *data, size_t len, struct err *e)
{
	if (s->len + len > s->cap) {
		int r = sink_flush(s, e);

		if (r < 0)
			return r;
	}
	if (s->len + len > s->cap)
		return err_set(e, -EINVAL, "compiled lists: longer than computed");
	if (len != 0)
		memcpy(s->out + s->len, data, len);
	s->len += len;
	s->total += len;
	return 0;
}

static int sink_pad(struct sink *s, uint64_t to, struct err *e)
{
	static const uint8_t zeros[8];

	return to > s->total ? sink_put(s, zeros, (size_t)(to - s->total), e) : 0;
}

static int put_index(const struct list_builder *b, const struct listfile_header *h, struct sink *s, struct err *e)
{
	uint64_t buckets = 1ull << h->index_bits;
	uint32_t at = 0;

	for (uint64_t i = 0; i <= buckets; i++) {
		int r;

		while (at < h->n_entries && h->index_bits > 0 && b->rules[at].hash >> (64 - h->index_bits) < i)
			at++;
		if (i == buckets)
			at = h->n_entries;
		r = sink_put(s, &at, sizeof(at), e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int put_entries(const struct list_builder *b, const struct listfile_layout *at, struct sink *s, struct err *e)
{
	int r = sink_pad(s, at->hashes, e);

	for (size_t i = 0; r == 0 && i < b->n; i++)
		r = sink_put(s, &b->rules[i].hash, sizeof(b->rules[i].hash), e);
	for (size_t i = 0; r == 0 && i < b->n; i++)
		r = sink_put(s, &b->rules[i].line, sizeof(b->rules[i].line), e);
	for (size_t i = 0; r == 0 && i < b->n; i++)
		r = sink_put(s, &b->rules[i].kind, sizeof(b->rules[i].kind), e);
	for (size_t i = 0; r == 0 && i < b->n_lists; i++) {
		const char *name = b->names[i] != NULL ? b->names[i] : "";

		r = sink_put(s, name, strlen(name) + 1, e);
	}
	return r;
}

static struct listfile_header make_header(const struct list_builder *b)
{
	struct listfile_header h = { .magic = LISTFILE_MAGIC, .n_entries = (uint32_t)b->n, .n_lists = b->n_lists };

	memcpy(h.key, b->key, sizeof(h.key));
	/* Buckets of four to eight: 0.5 to 1 byte an entry. */
	while (h.index_bits < LISTFILE_INDEX_BITS_MAX && (8ull << h.index_bits) <= b->n)
		h.index_bits++;
	for (size_t i = 0; i < b->n_lists; i++)
		h.names_len += (uint32_t)(b->names[i] != NULL ? strlen(b->names[i]) : 0) + 1;
	h.file_len = listfile_layout(&h).end;
	return h;
}

static int put_all(struct list_builder *b, const struct listfile_header *h, struct sink *s, struct err *e)
{
	struct listfile_layout at = listfile_layout(h);
	int r = sink_put(s, h, sizeof(*h), e);

	if (r == 0)
		r = put_index(b, h, s, e);
	if (r == 0)
		r = put_entries(b, &at, s, e);
	return r == 0 ? sink_flush(s, e) : r;
}

int list_builder_write(struct list_builder *b, int fd, struct err *e)
{
	struct sink s = { .fd = fd, .out = (uint8_t *)b->buf, .cap = sizeof(b->buf) };
	struct listfile_header h;

	sort_and_merge(b);
	h = make_header(b);
	return put_all(b, &h, &s, e);
}

int list_builder_image(struct list_builder *b, void **ret, size_t *ret_len, struct err *e)
{
	CLEANUP(freep) void *image = NULL;
	struct listfile_header h;
	struct sink s;
	int r;

	sort_and_merge(b);
	h = make_header(b);
	image = malloc(h.file_len);
	if (image == NULL)
		return err_set(e, -ENOMEM, "compiled lists of %llu bytes", (unsigned long long)h.file_len);
	s = (struct sink){ .fd = -1, .out = image, .cap = h.file_len };
	r = put_all(b, &h, &s, e);
	if (r < 0)
		return r;
	*ret = TAKE(image);
	*ret_len = h.file_len;
	return 0;
}
