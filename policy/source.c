/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Source text and its lines. Line starts are found once; a place is then a binary search. */
#include "policy/source.h"

static uint32_t lines_count(const char *text, size_t len)
{
	uint32_t n = 1;

	for (size_t i = 0; i < len; i++)
		n += text[i] == '\n';
	return n;
}

struct source *source_new(struct arena *mem, const char *name, const char *text, size_t len)
{
	struct source *s;
	char *copy;
	uint32_t *starts;
	uint32_t n = 0;

	if (len > SOURCE_MAX_BYTES)
		return NULL;
	s = arena_alloc(mem, sizeof(*s));
	copy = arena_alloc(mem, len + 1);
	if (s == NULL || copy == NULL)
		return NULL;
	if (len != 0)
		memcpy(copy, text, len);
	copy[len] = '\0';

	s->n_lines = lines_count(copy, len);
	starts = arena_array(mem, s->n_lines, sizeof(*starts));
	s->name = arena_strdup(mem, name);
	if (starts == NULL || s->name == NULL)
		return NULL;
	starts[n++] = 0;
	for (size_t i = 0; i < len; i++)
		if (copy[i] == '\n')
			starts[n++] = (uint32_t)i + 1;
	s->text = copy;
	s->len = (uint32_t)len;
	s->line_starts = starts;
	return s;
}

void source_locate(const struct source *s, uint32_t offset, uint32_t *ret_line, uint32_t *ret_col)
{
	uint32_t lo = 0, hi = s->n_lines;

	if (offset > s->len)
		offset = s->len;
	while (hi - lo > 1) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (s->line_starts[mid] <= offset)
			lo = mid;
		else
			hi = mid;
	}
	*ret_line = lo + 1;
	*ret_col = offset - s->line_starts[lo] + 1;
}
