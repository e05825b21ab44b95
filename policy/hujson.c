/* SPDX-License-Identifier: GPL-3.0-or-later */
/* HuJSON reader (RFC 8259 and JWCC: comments, trailing commas). Recursive descent, depth bounded. The first error of
 * syntax ends the reading: what follows it would be guesses. Duplicate members are all reported. */
#include "policy/hujson.h"

#include <strings.h>

/* Up to here duplicates are found by comparing all pairs; larger objects are sorted. */
#define PAIRWISE_MAX 16

struct hj_reader {
	struct arena *mem;
	const struct source *src;
	struct diag_list *diags;
	uint32_t at;
	uint32_t depth;
};

static const char *const hj_kind_words[] = {
	[HJ_NULL] = "null",	  [HJ_BOOL] = "a boolean", [HJ_NUMBER] = "a number",
	[HJ_STRING] = "a string", [HJ_ARRAY] = "a list",   [HJ_OBJECT] = "an object",
};

const char *hj_kind_word(enum hj_kind kind)
{
	return hj_kind_words[kind];
}

static int hj_fail(struct hj_reader *r, const char *code, uint32_t start, uint32_t end, const char *msg)
{
	(void)diag_add(r->diags, DIAG_ERROR, code, r->src, (struct span){ start, end }, "%s", msg);
	return -EINVAL;
}

static int hj_no_memory(struct hj_reader *r)
{
	(void)hj_fail(r, "P0001", r->at, r->at, "out of memory: the file is too large for this machine or our limit");
	return -ENOMEM;
}

static char hj_peek(const struct hj_reader *r)
{
	return r->src->text[r->at]; /* NUL at the end */
}

static bool hj_at_end(const struct hj_reader *r)
{
	return r->at >= r->src->len;
}

static bool hj_starts(const struct hj_reader *r, const char *word)
{
	size_t len = strlen(word);

	return r->src->len - r->at >= len && memcmp(r->src->text + r->at, word, len) == 0;
}

static int skip_block_comment(struct hj_reader *r)
{
	uint32_t start = r->at;

	for (r->at += 2; !hj_at_end(r); r->at++) {
		if (hj_starts(r, "*/")) {
			r->at += 2;
			return 0;
		}
	}
	return hj_fail(r, "P0005", start, start + 2, "this comment has no end: */ is missing");
}

static int skip_blanks(struct hj_reader *r)
{
	while (!hj_at_end(r)) {
		char c = hj_peek(r);

		if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
			r->at++;
		} else if (hj_starts(r, "//")) {
			while (!hj_at_end(r) && hj_peek(r) != '\n')
				r->at++;
		} else if (hj_starts(r, "/*")) {
			if (skip_block_comment(r) < 0)
				return -EINVAL;
		} else {
			break;
		}
	}
	return 0;
}

/* Bytes of the UTF-8 sequence at @p (RFC 3629: shortest form, no surrogates), 0 when it is none. */
static size_t utf8_len(const uint8_t *p, size_t left)
{
	size_t len = p[0] < 0x80		    ? 1
		     : p[0] >= 0xc2 && p[0] <= 0xdf ? 2
		     : (p[0] & 0xf0) == 0xe0	    ? 3
		     : p[0] >= 0xf0 && p[0] <= 0xf4 ? 4
						    : 0;

	if (len == 0 || len > left)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) ||
	    (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return len;
}

static size_t utf8_write(uint32_t rune, char *to)
{
	if (rune < 0x80) {
		to[0] = (char)rune;
		return 1;
	}
	if (rune < 0x800) {
		to[0] = (char)(0xc0 | rune >> 6);
		to[1] = (char)(0x80 | (rune & 0x3f));
		return 2;
	}
	if (rune < 0x10000) {
		to[0] = (char)(0xe0 | rune >> 12);
		to[1] = (char)(0x80 | (rune >> 6 & 0x3f));
		to[2] = (char)(0x80 | (rune & 0x3f));
		return 3;
	}
	to[0] = (char)(0xf0 | rune >> 18);
	to[1] = (char)(0x80 | (rune >> 12 & 0x3f));
	to[2] = (char)(0x80 | (rune >> 6 & 0x3f));
	to[3] = (char)(0x80 | (rune & 0x3f));
	return 4;
}

/* Four hex digits at the cursor, or -EINVAL. */
static int32_t read_hex4(struct hj_reader *r)
{
	int32_t v = 0;

	for (int i = 0; i < 4; i++) {
		char c = hj_peek(r);

		if (c >= '0' && c <= '9')
			v = v << 4 | (c - '0');
		else if (c >= 'a' && c <= 'f')
			v = v << 4 | (c - 'a' + 10);
		else if (c >= 'A' && c <= 'F')
			v = v << 4 | (c - 'A' + 10);
		else
			return -EINVAL;
		r->at++;
	}
	return v;
}

/* After "\u". Writes at most four bytes, fewer than the six that the escape takes. */
static int read_unicode(struct hj_reader *r, char *to, size_t *ret_len)
{
	uint32_t start = r->at - 2;
	int32_t high = read_hex4(r), low;

	if (high < 0)
		return hj_fail(r, "P0006", start, r->at, "\\u needs four hexadecimal digits");
	if (high == 0)
		return hj_fail(r, "P0006", start, r->at, "U+0000 is not allowed in a string");
	if (high >= 0xd800 && high <= 0xdfff) {
		if (high >= 0xdc00 || !hj_starts(r, "\\u"))
			return hj_fail(r, "P0006", start, r->at, "half of a surrogate pair");
		r->at += 2;
		low = read_hex4(r);
		if (low < 0xdc00 || low > 0xdfff)
			return hj_fail(r, "P0006", start, r->at, "half of a surrogate pair");
		high = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
	}
	*ret_len = utf8_write((uint32_t)high, to);
	return 0;
}

static int read_escape(struct hj_reader *r, char *to, size_t *ret_len)
{
	static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
	char c = r->src->text[r->at + 1];
	const char *found = c != '\0' ? strchr(from, c) : NULL;

	r->at += 2;
	if (c == 'u')
		return read_unicode(r, to, ret_len);
	if (found == NULL)
		return hj_fail(r, "P0006", r->at - 2, r->at, "unknown escape in a string");
	*to = into[found - from];
	*ret_len = 1;
	return 0;
}

/* At the opening quote. The text is never longer than what it was written as. */
static int read_string(struct hj_reader *r, const char **ret, struct span *ret_span)
{
	uint32_t start = r->at, end = start + 1;
	size_t len = 0, n;
	char *to;

	while (end < r->src->len && r->src->text[end] != '"' && r->src->text[end] != '\n')
		end += r->src->text[end] == '\\' ? 2 : 1;
	if (end >= r->src->len || r->src->text[end] != '"')
		return hj_fail(r, "P0004", start, start + 1, "this string has no end: the closing quote is missing");
	to = arena_alloc(r->mem, end - start);
	if (to == NULL)
		return hj_no_memory(r);

	for (r->at = start + 1; r->at < end;) {
		const uint8_t *p = (const uint8_t *)r->src->text + r->at;

		if (*p == '\\') {
			if (read_escape(r, to + len, &n) < 0)
				return -EINVAL;
			len += n;
			continue;
		}
		n = utf8_len(p, end - r->at);
		if (n == 0)
			return hj_fail(r, "P0007", r->at, r->at + 1, "not UTF-8");
		if (*p < 0x20 || *p == 0x7f)
			return hj_fail(r, "P0006", r->at, r->at + 1, "control character in a string");
		memcpy(to + len, p, n);
		len += n;
		r->at += (uint32_t)n;
	}
	to[len] = '\0';
	r->at = end + 1;
	*ret = to;
	*ret_span = (struct span){ start, r->at };
	return 0;
}

static uint32_t digits(const struct hj_reader *r, uint32_t at)
{
	while (r->src->text[at] >= '0' && r->src->text[at] <= '9')
		at++;
	return at;
}

static int read_number(struct hj_reader *r, struct hj_node *n)
{
	const char *t = r->src->text;
	uint32_t start = r->at, at = start + (t[start] == '-'), from = at;

	at = digits(r, at);
	if (at == from || (t[from] == '0' && at > from + 1))
		return hj_fail(r, "P0008", start, at + 1, "this is no number: digits, without leading zeros");
	if (t[at] == '.') {
		from = ++at;
		at = digits(r, at);
		if (at == from)
			return hj_fail(r, "P0008", start, at, "a number needs digits after the point");
	}
	if (t[at] == 'e' || t[at] == 'E') {
		at++;
		at += t[at] == '+' || t[at] == '-';
		from = at;
		at = digits(r, at);
		if (at == from)
			return hj_fail(r, "P0008", start, at, "a number needs digits in its exponent");
	}
	/* Checked above to be a decimal number, which strtod() reads to the same end or beyond (0x10), and what is
	 * beyond fails as a missing comma. */
	n->number = strtod(t + start, NULL);
	n->kind = HJ_NUMBER;
	r->at = at;
	return 0;
}

static bool word_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

static int read_word(struct hj_reader *r, struct hj_node *n)
{
	static const char *const words[] = { "true", "false", "null", NULL };
	uint32_t start = r->at, end = start;

	while (word_byte(r->src->text[end]))
		end++;
	for (int i = 0; words[i] != NULL; i++) {
		if (end - start != strlen(words[i]) || !hj_starts(r, words[i]))
			continue;
		n->kind = i == 2 ? HJ_NULL : HJ_BOOL;
		n->boolean = i == 0;
		r->at = end;
		return 0;
	}
	if (end > start)
		return hj_fail(r, "P0003", start, end, "text must be in double quotes");
	if (hj_peek(r) == '\'')
		return hj_fail(r, "P0003", start, start + 1, "strings are written in double quotes");
	if (hj_at_end(r))
		return hj_fail(r, "P0003", start, start, "the file ends here, where a value was expected");
	return hj_fail(r, "P0003", start, start + 1, "a value was expected here");
}

static int read_value(struct hj_reader *r, struct hj_node *n);

static int read_key(struct hj_reader *r, struct hj_node *n)
{
	if (hj_peek(r) != '"' || hj_at_end(r))
		return hj_fail(r, "P0003", r->at, r->at + !hj_at_end(r),
			       hj_at_end(r) ? "the file ends inside this object: } is missing"
					    : "a member's name in double quotes was expected here");
	if (read_string(r, &n->key, &n->key_span) < 0 || skip_blanks(r) < 0)
		return -EINVAL;
	if (hj_peek(r) != ':')
		return hj_fail(r, "P0002", n->key_span.end, n->key_span.end, "':' is missing after this name");
	r->at++;
	return skip_blanks(r);
}

/* Between two elements, or at the end: 1 = more, 0 = the closing bracket was eaten, negative = error. */
static int read_separator(struct hj_reader *r, char close, uint32_t open_at)
{
	uint32_t before = r->at;
	bool comma = false;

	if (skip_blanks(r) < 0)
		return -EINVAL;
	if (hj_peek(r) == ',') {
		comma = true;
		r->at++;
		if (skip_blanks(r) < 0)
			return -EINVAL;
	}
	if (hj_peek(r) == close) {
		r->at++;
		return 0;
	}
	if (hj_at_end(r))
		return hj_fail(r, "P0002", open_at, open_at + 1,
			       close == '}' ? "this object has no end: } is missing"
					    : "this list has no end: ] is missing");
	if (!comma)
		return hj_fail(r, "P0002", before, before,
			       close == '}' ? "',' or '}' is missing here" : "',' or ']' is missing here");
	return 1;
}

static int read_children(struct hj_reader *r, struct hj_node *n, char close)
{
	struct hj_node **link = &n->child;
	uint32_t open_at = r->at++;
	int more;

	if (++r->depth > HUJSON_DEPTH_MAX)
		return hj_fail(r, "P0009", open_at, open_at + 1, "nested too deep");
	if (skip_blanks(r) < 0)
		return -EINVAL;
	more = hj_peek(r) != close;
	if (!more)
		r->at++;
	while (more) {
		struct hj_node *child = arena_alloc(r->mem, sizeof(*child));

		if (child == NULL)
			return hj_no_memory(r);
		if (close == '}' && read_key(r, child) < 0)
			return -EINVAL;
		if (read_value(r, child) < 0)
			return -EINVAL;
		*link = child;
		link = &child->next;
		n->n_children++;
		more = read_separator(r, close, open_at);
		if (more < 0)
			return more;
	}
	r->depth--;
	return 0;
}

/* An element to sort: pointers in a struct of their own, so that sizes cannot be mistaken. */
struct member_ref {
	const struct hj_node *node;
};

static int member_cmp(const void *a, const void *b)
{
	const struct hj_node *x = ((const struct member_ref *)a)->node, *y = ((const struct member_ref *)b)->node;
	int r = strcasecmp(x->key, y->key);

	return r != 0 ? r : x->key_span.start < y->key_span.start ? -1 : 1;
}

static void duplicate_report(struct hj_reader *r, const struct hj_node *again, const struct hj_node *first)
{
	struct diag *d = diag_add(r->diags, DIAG_ERROR, "P0010", r->src, again->key_span,
				  "\"%s\" is here a second time in one object: one would silently replace the other",
				  again->key);

	diag_relate(d, r->src, first->key_span, "first written here");
}

static int duplicates_sorted(struct hj_reader *r, const struct hj_node *n)
{
	struct member_ref *members = arena_array(r->mem, n->n_children, sizeof(*members));
	uint32_t i = 0;

	if (members == NULL)
		return hj_no_memory(r);
	for (const struct hj_node *m = n->child; m != NULL; m = m->next)
		members[i++].node = m;
	qsort(members, n->n_children, sizeof(*members), member_cmp);
	for (i = 1; i < n->n_children; i++)
		if (strcasecmp(members[i - 1].node->key, members[i].node->key) == 0)
			duplicate_report(r, members[i].node, members[i - 1].node);
	return 0;
}

static int duplicates_check(struct hj_reader *r, const struct hj_node *n)
{
	if (n->n_children > PAIRWISE_MAX)
		return duplicates_sorted(r, n);
	for (const struct hj_node *m = n->child; m != NULL; m = m->next) {
		const struct hj_node *first = n->child;

		while (first != m && strcasecmp(first->key, m->key) != 0)
			first = first->next;
		if (first != m)
			duplicate_report(r, m, first);
	}
	return 0;
}

static int read_value(struct hj_reader *r, struct hj_node *n)
{
	char c = hj_peek(r);
	uint32_t start = r->at;
	int ret;

	if (c == '{') {
		n->kind = HJ_OBJECT;
		ret = read_children(r, n, '}');
		if (ret == 0)
			ret = duplicates_check(r, n);
	} else if (c == '[') {
		n->kind = HJ_ARRAY;
		ret = read_children(r, n, ']');
	} else if (c == '"') {
		n->kind = HJ_STRING;
		ret = read_string(r, &n->string, &n->span);
	} else if (c == '-' || (c >= '0' && c <= '9')) {
		ret = read_number(r, n);
	} else {
		ret = read_word(r, n);
	}
	n->span = (struct span){ start, r->at };
	return ret;
}

struct hj_node *hujson_parse(struct arena *mem, const struct source *src, struct diag_list *diags)
{
	struct hj_reader r = { .mem = mem, .src = src, .diags = diags };
	struct hj_node *root = arena_alloc(mem, sizeof(*root));
	uint32_t errors = diags->n_errors;

	if (root == NULL) {
		(void)hj_no_memory(&r);
		return NULL;
	}
	if (hj_starts(&r, "\xef\xbb\xbf")) /* some editors write a byte order mark */
		r.at = 3;
	if (skip_blanks(&r) < 0 || read_value(&r, root) < 0 || skip_blanks(&r) < 0)
		return NULL;
	if (!hj_at_end(&r))
		(void)hj_fail(&r, "P0002", r.at, r.at + 1, "something follows the end of the document");
	return diags->n_errors == errors ? root : NULL;
}

const struct hj_node *hj_get(const struct hj_node *object, const char *name)
{
	if (object->kind != HJ_OBJECT)
		return NULL;
	for (const struct hj_node *m = object->child; m != NULL; m = m->next)
		if (strcasecmp(m->key, name) == 0)
			return m;
	return NULL;
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

bool hj_same(const struct hj_node *a, const struct hj_node *b)
{
	const struct hj_node *x, *y;

	if (a == NULL || b == NULL || a->kind != b->kind || a->n_children != b->n_children ||
	    !same_text(a->key, b->key) || !same_text(a->string, b->string) || a->boolean != b->boolean ||
	    a->number != b->number)
		return false;
	for (x = a->child, y = b->child; x != NULL && y != NULL; x = x->next, y = y->next)
		if (!hj_same(x, y))
			return false;
	return x == NULL && y == NULL;
}
