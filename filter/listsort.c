/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sorts rows in place (American flag: radix, most significant byte first; hashes are uniformly distributed, and the
 * other members follow, so that a list which repeats one name a million times costs passes, not comparisons). */
#include "filter/listbuilder.h"
#include "filter/turn.h"

#define KEY_BYTES 14u /* hash 8, what 1, list 1, line 4 */
#define SMALL_RUN 48u /* insertion sort from here on */

/* Byte @i of the sort key, most significant first. */
static unsigned key_byte(const struct build_row *r, unsigned i)
{
	if (i < 8)
		return (unsigned)(r->hash >> (56 - 8 * i)) & 0xff;
	if (i == 8)
		return r->what;
	if (i == 9)
		return r->list;
	return (r->line >> (8 * (KEY_BYTES - 1 - i))) & 0xff;
}

static bool row_before(const struct build_row *a, const struct build_row *b)
{
	if (a->hash != b->hash)
		return a->hash < b->hash;
	if (a->what != b->what)
		return a->what < b->what;
	return a->list != b->list ? a->list < b->list : a->line < b->line;
}

static void sort_small(struct build_row *r, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		struct build_row x = r[i];
		size_t k = i;

		for (; k > 0 && row_before(&x, &r[k - 1]); k--)
			r[k] = r[k - 1];
		r[k] = x;
	}
}

/* Recursion is at most KEY_BYTES deep, 4 kB of stack each. */
static void sort_rows(struct build_row *r, size_t n, unsigned byte)
{
	size_t next[256] = { 0 }, end[256], sum = 0, moves = 0;

	if (n <= SMALL_RUN) {
		sort_small(r, n);
		return;
	}
	if (byte == KEY_BYTES)
		return;
	for (size_t i = 0; i < n; i++) {
		turn_over(i, TURN_ROWS);
		next[key_byte(&r[i], byte)]++;
	}
	for (size_t i = 0; i < 256; i++) {
		size_t count = next[i];

		next[i] = sum;
		sum += count;
		end[i] = sum;
	}
	for (size_t i = 0; i < 256; i++) {
		while (next[i] < end[i]) {
			struct build_row x = r[next[i]];
			unsigned to = key_byte(&x, byte);

			turn_over(moves++, TURN_ROWS);
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

		sort_rows(r + start, end[i] - start, byte + 1);
	}
}

void build_sort(struct build_row *rows, size_t n)
{
	sort_rows(rows, n, 0);
}
