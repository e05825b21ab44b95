/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Regular expressions of lists, by PCRE2: strangers wrote them, and strangers choose the names that they are run on, so
 * what one run may cost is bounded, and what hits a bound is counted and named. */
#pragma once

#include "base/base.h"

#define REGEX_TEXT_MAX 2048u /* bytes: four times the longest in published lists, and its compiled form stays small */
/* PCRE2's steps of one run. A sound expression takes some hundred on a name; 20,000 are about 0.1 ms. */
#define REGEX_STEPS_MAX 20000u
#define REGEX_DEPTH_MAX 250u /* nested brackets, as PCRE2's own default */
#define REGEX_HEAP_KIB	256u
/* Once so many runs for one name have been given up, the others are not begun. */
#define REGEX_GIVEN_UP_MAX 4u
#define REGEXES_MAX	   20000u /* of all lists: 100 MB at the most when all are compiled */

/* What one thread has met. */
struct regex_counts {
	uint64_t runs, given_up;
	const void *file; /* struct listfile, of the last that was given up; it may be gone */
	uint32_t list, line;
};

struct regexes;

/* Is it one? @ret_why: PCRE2's reason, or ours; static or in @buf. For the builder, so that a list's mistakes are told
 * with its line. */
bool regex_check(const char *text, size_t len, char *buf, size_t buf_len);

/* Room for @n expressions, compiled when they are first needed. NULL when out of memory. */
struct regexes *regexes_new(uint32_t n);
struct regexes *regexes_free(struct regexes *r); /* NULL is fine; returns NULL */

struct list_scratch;

enum regex_result { REGEX_NO = 0, REGEX_YES, REGEX_GIVEN_UP };

/* Expression @number, whose text is @text, on @subject. Any thread, with its own @scratch (or NULL). */
enum regex_result regex_run(struct regexes *r, uint32_t number, const uint8_t *text, size_t len, const char *subject,
			    size_t subject_len, struct list_scratch *scratch);

/* What is counted in @scratch; written by its thread. */
struct regex_counts *list_scratch_counts(struct list_scratch *s);
