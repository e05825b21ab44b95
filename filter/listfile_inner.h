/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An open list file, for listfile.c (which has checked it) and listmatch.c. */
#pragma once

#include "filter/listfile.h"
#include "filter/listformat.h"
#include "filter/listregex.h"

struct listfile {
	struct listfile_header header;
	const uint32_t *index;
	const uint64_t *hashes;
	const struct listfile_row *rows;
	const struct listfile_set *sets;
	const uint32_t *more;
	const uint8_t *records;
	const struct listfile_grams *filter; /* NULL when there are no patterns */
	const uint32_t *grams, *gram_starts, *gram_records;
	const uint32_t *always;
	const char *names;
	struct regexes *regexes; /* NULL when there are none */
};

static inline const struct listfile_record *listfile_record(const struct listfile *f, uint32_t at)
{
	return (const struct listfile_record *)(const void *)(f->records + (size_t)at * 8);
}
