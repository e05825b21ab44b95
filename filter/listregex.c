/* SPDX-License-Identifier: GPL-3.0-or-later */
/* PCRE2 behind listmatch.c and the builder. Code is compiled once, by the thread that needs it first, and published by
 * an atomic pointer; a second thread that has compiled it meanwhile throws its own away. Sources: pcre2api(3),
 * pcre2jit(3). */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "filter/listregex.h"

#include "filter/listfile.h"

#include <pcre2.h>
#include <stdatomic.h>

/* Names are bytes: no UTF, and \C would look into its middle. Callouts are never set. */
#define REGEX_OPTIONS                                                                                                  \
	(PCRE2_CASELESS | PCRE2_NEVER_UTF | PCRE2_NEVER_UCP | PCRE2_NEVER_BACKSLASH_C | PCRE2_DOLLAR_ENDONLY)

struct regexes {
	uint32_t n;
	_Atomic(pcre2_code *) codes[];
};

struct list_scratch {
	struct regex_counts counts;
	pcre2_match_data *data;
	pcre2_match_context *context;
};

static pcre2_code *code_new(const uint8_t *text, size_t len, int *ret_error, size_t *ret_at)
{
	pcre2_compile_context *context = pcre2_compile_context_create(NULL);
	pcre2_code *code;

	if (context == NULL) {
		*ret_error = PCRE2_ERROR_NOMEMORY;
		return NULL;
	}
	(void)pcre2_set_max_pattern_length(context, REGEX_TEXT_MAX);
	(void)pcre2_set_parens_nest_limit(context, REGEX_DEPTH_MAX);
	code = pcre2_compile(text, len, REGEX_OPTIONS, ret_error, ret_at, context);
	pcre2_compile_context_free(context);
	return code;
}

bool regex_check(const char *text, size_t len, char *buf, size_t buf_len, size_t *ret_bytes)
{
	size_t at = 0;
	int error = 0;
	pcre2_code *code = code_new((const uint8_t *)text, len, &error, &at);
	bool ok = code != NULL && pcre2_pattern_info(code, PCRE2_INFO_SIZE, ret_bytes) == 0;
	char why[128];

	pcre2_code_free(code);
	if (ok)
		return true;
	if (pcre2_get_error_message(error, (PCRE2_UCHAR *)why, sizeof(why)) < 0)
		snprintf(why, sizeof(why), "error %d", error);
	snprintf(buf, buf_len, "regular expression: %s, at character %zu", why, at + 1);
	return false;
}

struct regexes *regexes_new(uint32_t n)
{
	struct regexes *r = calloc(1, sizeof(*r) + n * sizeof(r->codes[0]));

	if (r != NULL)
		r->n = n;
	return r;
}

struct regexes *regexes_free(struct regexes *r)
{
	for (uint32_t i = 0; r != NULL && i < r->n; i++)
		pcre2_code_free(atomic_load(&r->codes[i]));
	free(r);
	return NULL;
}

static pcre2_code *code_get(struct regexes *r, uint32_t number, const uint8_t *text, size_t len)
{
	pcre2_code *code = atomic_load_explicit(&r->codes[number], memory_order_acquire), *before = NULL;
	size_t at;
	int error;

	if (code != NULL)
		return code;
	code = code_new(text, len, &error, &at);
	if (code == NULL)
		return NULL;
	/* Where there is no just-in-time compiler the interpreter does, under the same limits. Of 10.42 it goes back
	 * into atomic groups: "(?>[^.]++.*(a|b)?|\d)\w" matches "10.1.74.69" (found by
	 * tests/differential/list_compare). */
	if (memmem(text, len, "(?>", 3) == NULL)
		(void)pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
	if (atomic_compare_exchange_strong(&r->codes[number], &before, code))
		return code;
	pcre2_code_free(code);
	return before;
}

struct list_scratch *list_scratch_new(void)
{
	struct list_scratch *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	/* Where it matched is of no interest: one pair will do. */
	s->data = pcre2_match_data_create(1, NULL);
	s->context = pcre2_match_context_create(NULL);
	if (s->data == NULL || s->context == NULL)
		return list_scratch_free(s);
	(void)pcre2_set_depth_limit(s->context, REGEX_STEPS_MAX);
	(void)pcre2_set_heap_limit(s->context, REGEX_HEAP_KIB);
	return s;
}

struct list_scratch *list_scratch_free(struct list_scratch *s)
{
	if (s == NULL)
		return NULL;
	pcre2_match_data_free(s->data);
	pcre2_match_context_free(s->context);
	free(s);
	return NULL;
}

struct regex_counts *list_scratch_counts(struct list_scratch *s)
{
	return &s->counts;
}

/* Costly: more steps were needed, or more memory than any sound expression takes. */
static int run(const pcre2_code *code, const char *subject, size_t len, uint32_t steps, struct list_scratch *s)
{
	(void)pcre2_set_match_limit(s->context, steps);
	s->counts.runs++;
	return pcre2_match(code, (PCRE2_SPTR)subject, len, 0, 0, s->data, s->context);
}

enum regex_result regex_run(struct regexes *r, uint32_t number, const uint8_t *text, size_t len, const char *subject,
			    size_t subject_len, struct regex_budget *budget, struct list_scratch *scratch)
{
	struct list_scratch *own = NULL, *s = scratch;
	enum regex_result result = REGEX_GIVEN_UP;
	pcre2_code *code;
	int rc;

	if (budget->runs >= REGEX_RUNS_MAX || budget->given_up >= REGEX_GIVEN_UP_MAX)
		return REGEX_GIVEN_UP;
	budget->runs++;
	if (s == NULL)
		s = own = list_scratch_new();
	code = s != NULL ? code_get(r, number, text, len) : NULL;
	if (code != NULL) {
		rc = run(code, subject, subject_len, REGEX_STEPS_SOUND, s);
		if (rc == PCRE2_ERROR_MATCHLIMIT && budget->costly < REGEX_COSTLY_MAX) {
			budget->costly++;
			rc = run(code, subject, subject_len, REGEX_STEPS_MAX, s);
		}
		if (rc >= 0)
			result = REGEX_YES;
		else if (rc == PCRE2_ERROR_NOMATCH)
			result = REGEX_NO;
	}
	if (result == REGEX_GIVEN_UP)
		budget->given_up++;
	list_scratch_free(own);
	return result;
}
