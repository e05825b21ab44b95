/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Collecting and printing diagnostics. What is printed holds text of the user's files: control bytes never reach the
 * terminal. An error displaces a note when the list is full, so that notes cannot hide why a file was refused. */
#include "policy/diagnostic.h"

#include <stdarg.h>

/* A line of the excerpt: what fits beside others on a terminal; longer lines are shown around the place. */
#define EXCERPT_MAX_BYTES 120
/* Words longer than any name that a person mistypes: the distance table stays small. */
#define SUGGEST_MAX_BYTES 64

static const char *const diag_level_names[] = {
	[DIAG_ERROR] = "error",
	[DIAG_WARNING] = "warning",
	[DIAG_NOTE] = "note",
};
static_assert(ARRAY_LEN(diag_level_names) == DIAG_LEVEL_MAX, "names");

void diag_init(struct diag_list *l, struct arena *mem)
{
	memset(l, 0, sizeof(*l));
	l->mem = mem;
}

/* Room for one more; NULL when full of what weighs as much. */
static struct diag *diag_room(struct diag_list *l, enum diag_level level)
{
	if (l->n < DIAG_MAX)
		return &l->items[l->n++];
	if (level != DIAG_ERROR)
		return NULL;
	for (uint32_t i = DIAG_MAX; i-- > 0;) {
		if (l->items[i].level == DIAG_ERROR)
			continue;
		memmove(&l->items[i], &l->items[i + 1], (DIAG_MAX - 1 - i) * sizeof(l->items[0]));
		return &l->items[DIAG_MAX - 1];
	}
	return NULL;
}

/* @text kept in the arena, without what would steer a terminal. */
static const char *diag_keep(struct diag_list *l, char *text)
{
	const char *msg;

	for (char *p = text; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	msg = arena_strdup(l->mem, text);
	return msg != NULL ? msg : "out of memory while saying what is wrong here";
}

struct diag *diag_add(struct diag_list *l, enum diag_level level, const char *code, const struct source *src,
		      struct span at, const char *fmt, ...)
{
	char text[DIAG_MSG_MAX_BYTES];
	struct diag *d;
	va_list ap;

	if (level == DIAG_ERROR)
		l->n_errors++;
	else if (level == DIAG_WARNING)
		l->n_warnings++;
	d = diag_room(l, level);
	if (d == NULL)
		return NULL;
	*d = (struct diag){ .level = level, .code = code, .src = src, .at = at };
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	d->msg = diag_keep(l, text);
	return d;
}

void diag_relate(struct diag *d, const struct source *src, struct span at, const char *msg)
{
	if (d == NULL)
		return;
	d->related_src = src;
	d->related = at;
	d->related_msg = msg;
}

/* Continuation byte of UTF-8: takes no column of its own. */
static bool utf8_inner(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

static void excerpt_print(const struct source *s, struct span at, FILE *out)
{
	uint32_t line, col, start, end;

	source_locate(s, at.start, &line, &col);
	start = s->line_starts[line - 1];
	end = line < s->n_lines ? s->line_starts[line] - 1 : s->len;
	if (at.start > s->len)
		at.start = s->len;
	if (col > EXCERPT_MAX_BYTES - 40)
		start = at.start - (EXCERPT_MAX_BYTES - 40);
	while (start < at.start && utf8_inner(s->text[start]))
		start++;
	if (end - start > EXCERPT_MAX_BYTES) {
		end = start + EXCERPT_MAX_BYTES;
		while (end > at.start && utf8_inner(s->text[end]))
			end--;
	}

	(void)fputs("    ", out);
	for (uint32_t i = start; i < end; i++)
		(void)fputc(s->text[i] == '\t' || ((unsigned char)s->text[i] >= 0x20 && s->text[i] != 0x7f) ? s->text[i]
													    : ' ',
			    out);
	(void)fputs("\n    ", out);
	for (uint32_t i = start; i < at.start; i++)
		if (!utf8_inner(s->text[i]))
			(void)fputc(s->text[i] == '\t' ? '\t' : ' ', out);
	(void)fputc('^', out);
	for (uint32_t i = at.start + 1; i < at.end && i < end; i++)
		if (!utf8_inner(s->text[i]))
			(void)fputc('~', out);
	(void)fputc('\n', out);
}

void diag_print(const struct diag_list *l, FILE *out)
{
	uint32_t line, col;

	for (uint32_t i = 0; i < l->n; i++) {
		const struct diag *d = &l->items[i];

		source_locate(d->src, d->at.start, &line, &col);
		(void)fprintf(out, "%s:%u:%u: %s %s: %s\n", d->src->name, line, col, diag_level_names[d->level],
			      d->code, d->msg);
		excerpt_print(d->src, d->at, out);
		if (d->related_src == NULL)
			continue;
		source_locate(d->related_src, d->related.start, &line, &col);
		(void)fprintf(out, "  %s:%u:%u: %s\n", d->related_src->name, line, col, d->related_msg);
		excerpt_print(d->related_src, d->related, out);
	}
	if (l->n_errors > DIAG_MAX)
		(void)fprintf(out, "%u errors in all, the first %u shown\n", l->n_errors, (unsigned)DIAG_MAX);
}

static void json_string_print(const char *s, FILE *out)
{
	(void)fputc('"', out);
	for (; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\')
			(void)fprintf(out, "\\%c", *s);
		else if ((unsigned char)*s < 0x20 || *s == 0x7f)
			(void)fprintf(out, "\\u%04x", (unsigned)(unsigned char)*s);
		else
			(void)fputc(*s, out);
	}
	(void)fputc('"', out);
}

void diag_print_json(const struct diag_list *l, FILE *out)
{
	uint32_t line, col;

	for (uint32_t i = 0; i < l->n; i++) {
		const struct diag *d = &l->items[i];

		source_locate(d->src, d->at.start, &line, &col);
		(void)fputs("{\"file\":", out);
		json_string_print(d->src->name, out);
		(void)fprintf(out, ",\"line\":%u,\"col\":%u,\"level\":\"%s\",\"code\":\"%s\",\"message\":", line, col,
			      diag_level_names[d->level], d->code);
		json_string_print(d->msg, out);
		(void)fputs("}\n", out);
	}
}

static int ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

/* Edits from one word to the other, a swap of neighbours counting as one (optimal string alignment). */
static size_t word_distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	uint8_t rows[3][SUGGEST_MAX_BYTES + 1];
	uint8_t *before = rows[0], *last = rows[1], *row = rows[2];

	for (size_t j = 0; j <= b_len; j++)
		last[j] = (uint8_t)j;
	for (size_t i = 1; i <= a_len; i++) {
		uint8_t *free_row = before;

		row[0] = (uint8_t)i;
		for (size_t j = 1; j <= b_len; j++) {
			int x = ascii_lower(a[i - 1]), y = ascii_lower(b[j - 1]);
			uint8_t best = (uint8_t)(last[j - 1] + (x != y));

			if (last[j] + 1 < best)
				best = (uint8_t)(last[j] + 1);
			if (row[j - 1] + 1 < best)
				best = (uint8_t)(row[j - 1] + 1);
			if (i > 1 && j > 1 && x == ascii_lower(b[j - 2]) && ascii_lower(a[i - 2]) == y &&
			    before[j - 2] + 1 < best)
				best = (uint8_t)(before[j - 2] + 1);
			row[j] = best;
		}
		before = last;
		last = row;
		row = free_row;
	}
	return last[b_len];
}

const char *diag_suggest(const char *word, const char *const *names)
{
	const char *best = NULL;
	size_t len = strlen(word);
	size_t limit = len < 4 ? 1 : len / 3; /* further away it is another word, not a slip */
	size_t best_distance = limit + 1;

	if (len == 0 || len > SUGGEST_MAX_BYTES)
		return NULL;
	for (; *names != NULL; names++) {
		size_t name_len = strlen(*names), distance;

		if (name_len > SUGGEST_MAX_BYTES || name_len > len + limit || len > name_len + limit)
			continue;
		distance = word_distance(word, len, *names, name_len);
		if (distance < best_distance) {
			best_distance = distance;
			best = *names;
		}
	}
	return best;
}
