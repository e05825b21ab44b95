/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Grams and the texts they are taken from. Called by listwrite.c for each pattern; matching is in listmatch.c.
 *
 * What a regular expression must contain is read off its syntax, and whatever is not understood ends the search with
 * "don't know": then the expression is tried on every name, which is slow and right. Of a sequence the longest run of
 * literal characters is taken, of alternatives one of each. Nothing is taken from what may be absent (? * {0,), from
 * assertions, or from anything behind an option that changes the meaning of what follows. */
#include "filter/listgram.h"

#define DEPTH_MAX 32u /* of groups; deeper ones are not looked into */

bool literals_of_pattern(const char *text, size_t len, struct literals *ret)
{
	size_t best = 0, best_len = 0;

	for (size_t at = 0; at < len;) {
		size_t n = 0;

		while (at + n < len && text[at + n] != '*')
			n++;
		if (n > best_len) {
			best = at;
			best_len = n;
		}
		at += n + 1;
	}
	if (best_len < GRAM_SHORT)
		return false;
	if (best_len > LITERAL_TEXT_MAX)
		best_len = LITERAL_TEXT_MAX;
	ret->n = 1;
	ret->lens[0] = (uint16_t)best_len;
	memcpy(ret->texts[0], text + best, best_len);
	ret->texts[0][best_len] = '\0';
	return true;
}

struct regex_reader {
	const char *text;
	size_t len, at;
	unsigned depth;
	bool unknown; /* something that may change the meaning of the rest */
};

/* NUL behind the end. */
static char char_at(const struct regex_reader *r, size_t at)
{
	if (at < r->len)
		return r->text[at];
	return '\0';
}

/* A run of literal characters that is being read. */
struct run {
	char text[LITERAL_TEXT_MAX + 1];
	size_t len;
};

static size_t shortest(const struct literals *l)
{
	size_t n = l->n == 0 ? 0 : SIZE_MAX;

	for (uint32_t i = 0; i < l->n; i++)
		if (l->lens[i] < n)
			n = l->lens[i];
	return n;
}

/* Better: longer where it is shortest; up to GRAM_BYTES that decides, then fewer alternatives do. */
static void keep_better(struct literals *best, const struct literals *other)
{
	size_t a = shortest(best), b = shortest(other);
	size_t use_a = a < GRAM_BYTES ? a : GRAM_BYTES, use_b = b < GRAM_BYTES ? b : GRAM_BYTES;

	if (use_b > use_a || (use_b == use_a && (other->n < best->n || (other->n == best->n && b > a))))
		*best = *other;
}

static void run_end(struct run *r, struct literals *best)
{
	struct literals one = { .n = 1 };

	if (r->len == 0)
		return;
	one.lens[0] = (uint16_t)r->len;
	memcpy(one.texts[0], r->text, r->len);
	keep_better(best, &one);
	r->len = 0;
}

static void run_add(struct run *r, char c)
{
	if (c >= 'A' && c <= 'Z')
		c = (char)(c | 0x20);
	if (r->len < LITERAL_TEXT_MAX)
		r->text[r->len++] = c;
}

enum repeat { REPEAT_NONE = 0, REPEAT_SOME /* at least once */, REPEAT_ANY /* may be absent */ };

/* "{n}", "{n,}", "{n,m}": its length; 0: a brace that is none. *ret_zero: n is 0. */
static size_t braces(const struct regex_reader *r, bool *ret_zero)
{
	size_t i = r->at + 1, digits = 0;

	*ret_zero = true;
	for (; i < r->len && r->text[i] >= '0' && r->text[i] <= '9'; i++, digits++)
		if (r->text[i] != '0')
			*ret_zero = false;
	if (i < r->len && r->text[i] == ',')
		for (i++; i < r->len && r->text[i] >= '0' && r->text[i] <= '9';)
			i++;
	else if (digits == 0)
		return 0;
	return i < r->len && r->text[i] == '}' ? i + 1 - r->at : 0;
}

static enum repeat repeat_take(struct regex_reader *r)
{
	enum repeat ret = REPEAT_NONE;
	char c = char_at(r, r->at);
	bool zero;
	size_t n;

	if (c == '?' || c == '*' || c == '+') {
		ret = c == '+' ? REPEAT_SOME : REPEAT_ANY;
		r->at++;
	} else if (c == '{' && (n = braces(r, &zero)) != 0) {
		ret = zero ? REPEAT_ANY : REPEAT_SOME;
		r->at += n;
	}
	/* lazy, possessive */
	if (ret != REPEAT_NONE && r->at < r->len && (r->text[r->at] == '?' || r->text[r->at] == '+'))
		r->at++;
	return ret;
}

/* Over a class; its only character where it has one, else 0. */
static char class_take(struct regex_reader *r)
{
	size_t start = ++r->at;
	bool negated = r->at < r->len && r->text[r->at] == '^';
	char only = '\0';
	size_t n;

	if (negated)
		r->at++;
	/* A bracket that comes first is a member. */
	for (bool first = true; r->at < r->len && (first || r->text[r->at] != ']'); first = false) {
		if (r->text[r->at] == '\\') {
			if (r->at + 1 < r->len && (r->text[r->at + 1] == 'Q' || r->text[r->at + 1] == 'E'))
				r->unknown = true;
			r->at += 2;
		} else if (r->text[r->at] == '[' && r->at + 1 < r->len && strchr(":.=", r->text[r->at + 1]) != NULL) {
			const char *end = memchr(r->text + r->at + 1, ']', r->len - r->at - 1);

			r->at = end != NULL ? (size_t)(end - r->text) + 1 : r->len;
		} else {
			r->at++;
		}
	}
	n = r->at - start;
	if (n == 1)
		only = r->text[start];
	else if (n == 2 && r->text[start] == '\\')
		only = r->text[start + 1];
	if (n == 2 && ((only >= 'a' && only <= 'z') || (only >= 'A' && only <= 'Z') || (only >= '0' && only <= '9')))
		only = '\0'; /* \d and its like */
	if (r->at < r->len)
		r->at++;
	if (negated)
		only = '\0';
	return only;
}

/* Behind a backslash: the character that it stands for, or 0: some class, or an assertion. */
static char escape_take(struct regex_reader *r)
{
	char c = char_at(r, r->at++);
	bool plain = !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'));

	/* Those without anything behind them. All others (quotes, numbers, names, \K …) end what we know. */
	if (!plain && strchr("dDwWsSbBAzZhHvVRN", c) == NULL)
		r->unknown = true;
	if (!plain)
		c = '\0';
	return c;
}

static bool alternatives(struct regex_reader *r, struct literals *ret);

/* "(…)", from behind the bracket to behind its end. False: nothing is known of it. */
static bool group_take(struct regex_reader *r, struct literals *ret)
{
	bool known = true;

	if (r->at < r->len && r->text[r->at] == '*') {
		r->unknown = true; /* a verb */
	} else if (r->at < r->len && r->text[r->at] == '?') {
		char c = char_at(r, r->at + 1);

		/* "(?:" and "(?>"; assertions hold nothing; names, options, conditions, calls are not looked into. */
		known = c == ':' || c == '>';
		if (!known && c != '=' && c != '!')
			r->unknown = true;
		r->at += 2;
	}
	known = alternatives(r, ret) && known;
	if (r->at < r->len && r->text[r->at] == ')')
		r->at++;
	return known;
}

/* One atom with what repeats it. */
static void atom_take(struct regex_reader *r, struct run *run, struct literals *best)
{
	struct literals group = { 0 };
	bool known = false, is_group = false;
	char c = r->text[r->at], literal = '\0';
	enum repeat repeat;

	if (c == '(') {
		r->at++;
		is_group = true;
		known = group_take(r, &group);
	} else if (c == '[') {
		literal = class_take(r);
	} else if (c == '\\') {
		r->at++;
		literal = escape_take(r);
	} else {
		r->at++;
		if (strchr("^$.", c) == NULL)
			literal = c;
		if (c == '^' || c == '$') {
			run_end(run, best);
			return;
		}
	}
	repeat = repeat_take(r);
	if (literal != '\0' && repeat != REPEAT_ANY)
		run_add(run, literal);
	if (literal == '\0' || repeat != REPEAT_NONE)
		run_end(run, best);
	/* "ab+c": "ab" is there, and "bc" is not looked for. */
	if (is_group && known && repeat != REPEAT_ANY)
		keep_better(best, &group);
}

/* Alternatives up to a closing bracket or the end. False: one of them may be anything. */
static bool alternatives(struct regex_reader *r, struct literals *ret)
{
	struct literals all = { 0 };
	bool known = true;

	if (++r->depth > DEPTH_MAX) {
		r->unknown = true;
		return false;
	}
	for (;;) {
		struct literals best = { 0 };
		struct run run = { .len = 0 };

		while (r->at < r->len && r->text[r->at] != '|' && r->text[r->at] != ')' && !r->unknown)
			atom_take(r, &run, &best);
		run_end(&run, &best);
		known = known && best.n != 0 && all.n + best.n <= LITERALS_MAX;
		for (uint32_t i = 0; known && i < best.n; i++) {
			all.lens[all.n] = best.lens[i];
			memcpy(all.texts[all.n++], best.texts[i], best.lens[i] + 1u);
		}
		if (r->unknown || r->at >= r->len || r->text[r->at] != '|')
			break;
		r->at++;
	}
	r->depth--;
	*ret = all;
	return known && !r->unknown;
}

bool literals_of_regex(const char *text, size_t len, struct literals *ret)
{
	struct regex_reader r = { .text = text, .len = len };
	bool known = alternatives(&r, ret);

	/* A bracket too many: what is behind it was not read. */
	return known && !r.unknown && r.at == len && shortest(ret) >= GRAM_SHORT;
}

void gram_count(struct gram_counts *c, const uint8_t *text, size_t len)
{
	for (size_t i = 0; i + GRAM_SHORT <= len; i++) {
		c->counts[gram_slot(gram_short_of(text + i))]++;
		if (i + GRAM_BYTES <= len)
			c->counts[gram_slot(gram_of(text + i))]++;
	}
}

uint32_t gram_choose(const struct gram_counts *c, const char *text, size_t len)
{
	const uint8_t *bytes = (const uint8_t *)text;
	size_t n = len >= GRAM_BYTES ? GRAM_BYTES : GRAM_SHORT;
	uint32_t best = 0, best_count = UINT32_MAX;

	for (size_t i = 0; i + n <= len; i++) {
		uint32_t gram = n == GRAM_BYTES ? gram_of(bytes + i) : gram_short_of(bytes + i);
		uint32_t count = c->counts[gram_slot(gram)];

		if (count >= best_count)
			continue;
		best = gram;
		best_count = count;
	}
	return best;
}
