/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which patterns may match a name, without trying them: each is filed under a few bytes ("gram") that every name it
 * matches has in it. A name's own grams are looked up in a bitmap of 8 kB, and nearly none is there. */
#pragma once

#include "base/base.h"

#define GRAM_BYTES	 4u /* of text; where a pattern has only three in a row, three */
#define GRAM_SHORT	 3u
#define GRAM_FILTER_BITS 16u
#define LITERALS_MAX	 16u /* alternatives of a pattern that are filed; one with more is tried on every name */
#define LITERAL_TEXT_MAX 255u

struct listfile_grams {
	uint64_t bits[1u << (GRAM_FILTER_BITS - 6)];
	uint32_t any_short; /* 0 or 1: there are grams of three bytes */
	uint32_t unused;
};

/* One of these is in every text that matches. */
struct literals {
	uint32_t n;
	uint16_t lens[LITERALS_MAX];
	char texts[LITERALS_MAX][LITERAL_TEXT_MAX + 1];
};

/* Of an AdGuard pattern without its anchors (lower case, * is any run). False: none of GRAM_SHORT bytes. */
bool literals_of_pattern(const char *text, size_t len, struct literals *ret);
/* Of a regular expression in PCRE2's syntax, matched without regard to case: in lower case. False: none that is long
 * enough, or not understood well enough to say. Sources: pcre2pattern(3). */
bool literals_of_regex(const char *text, size_t len, struct literals *ret);

/* The bytes at @text as a gram: of GRAM_BYTES, or of GRAM_SHORT. Zero is none of them. */
static inline uint32_t gram_of(const uint8_t *text)
{
	return (uint32_t)text[0] << 24 | (uint32_t)text[1] << 16 | (uint32_t)text[2] << 8 | text[3];
}

static inline uint32_t gram_short_of(const uint8_t *text)
{
	return (uint32_t)text[0] << 16 | (uint32_t)text[1] << 8 | text[2];
}

static inline uint32_t gram_slot(uint32_t gram)
{
	return gram * 0x9e3779b1u >> (32 - GRAM_FILTER_BITS);
}

static inline bool gram_maybe(const struct listfile_grams *g, uint32_t gram)
{
	uint32_t slot = gram_slot(gram);

	return (g->bits[slot >> 6] >> (slot & 63) & 1) != 0;
}

static inline void gram_add(struct listfile_grams *g, uint32_t gram)
{
	uint32_t slot = gram_slot(gram);

	g->bits[slot >> 6] |= 1ull << (slot & 63);
}

/* How often grams are in the names of lists, by a sample, and in patterns: each is filed under its rarest. */
struct gram_counts {
	uint32_t counts[1u << GRAM_FILTER_BITS];
};

void gram_count(struct gram_counts *c, const uint8_t *text, size_t len);
/* The rarest gram of @text, of GRAM_BYTES where it has so many. @len >= GRAM_SHORT. */
uint32_t gram_choose(const struct gram_counts *c, const char *text, size_t len);
