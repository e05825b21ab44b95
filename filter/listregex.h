/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Regular expressions of lists, by PCRE2: strangers wrote them, and strangers choose the names that they are run on, so
 * what one run may cost is bounded, and what hits a bound is counted and named. */
#pragma once

#include "base/base.h"

#define REGEX_TEXT_MAX 2048u /* bytes: four times the longest in published lists, and its compiled form stays small */
/* PCRE2's steps of one run. A sound expression takes some hundred on a name, about 1 us; what takes more is costly, and
 * a few of one question may go on to 20,000, about 0.1 ms. */
#define REGEX_STEPS_SOUND 1000u
#define REGEX_STEPS_MAX	  20000u
#define REGEX_DEPTH_MAX	  250u /* nested brackets, as PCRE2's own default */
#define REGEX_HEAP_KIB	  256u
/* Of one question: some 10 ms at the very most, whatever the lists have. What is beyond counts as given up. */
#define REGEX_RUNS_MAX	   2000u
#define REGEX_COSTLY_MAX   8u
#define REGEX_GIVEN_UP_MAX 4u
#define REGEXES_MAX	   20000u /* of all lists */
/* Of all lists, compiled; published ones have 200 to 1,000 each. Machine code is up to five times as much. */
#define REGEXES_BYTES_MAX (16u << 20)

/* What one thread has met. */
struct regex_counts {
	uint64_t runs, given_up;
	const void *file; /* struct listfile, of the last that was given up; it may be gone */
	uint32_t list, line;
};

/* What one question has cost. */
struct regex_budget {
	uint32_t runs, costly, given_up;
};

struct regexes;

/* Is it one? @ret_why: PCRE2's reason, or ours; static or in @buf. For the builder, so that a list's mistakes are told
 * with its line. @ret_bytes: how large it is when compiled. */
bool regex_check(const char *text, size_t len, char *buf, size_t buf_len, size_t *ret_bytes);

/* Room for @n expressions, compiled when they are first needed. NULL when out of memory. */
struct regexes *regexes_new(uint32_t n);
struct regexes *regexes_free(struct regexes *r); /* NULL is fine; returns NULL */

struct list_scratch;

enum regex_result { REGEX_NO = 0, REGEX_YES, REGEX_GIVEN_UP };

/* Expression @number, whose text is @text, on @subject, within @budget. Any thread, with its own @scratch (or NULL). */
enum regex_result regex_run(struct regexes *r, uint32_t number, const uint8_t *text, size_t len, const char *subject,
			    size_t subject_len, struct regex_budget *budget, struct list_scratch *scratch);

/* What is counted in @scratch; written by its thread. */
struct regex_counts *list_scratch_counts(struct list_scratch *s);
