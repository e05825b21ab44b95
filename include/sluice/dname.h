/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Domain names in lower-case, uncompressed wire form (RFC 1035 3.1), root label included. */
#pragma once

#include "base/cursor.h"

#define DNAME_MAX	255 /* bytes in wire form, RFC 1035 2.3.4 */
#define DNAME_LABEL_MAX 63  /* bytes a label */
/* Each wire byte prints as at most four characters (\ddd), plus the end. */
#define DNAME_TEXT_MAX (DNAME_MAX * 4 + 1)

struct dname {
	uint8_t len;	/* bytes in wire, root label included; 0 = unset */
	uint8_t labels; /* without the root label */
	uint8_t wire[DNAME_MAX];
};

/* Names are compared without regard to the case of ASCII letters (RFC 4343). */
static inline uint8_t dname_lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

/* Presentation form, with or without the trailing dot; \ddd and \x escapes (RFC 1035 5.1). Any byte is allowed in a
 * label: what is sensible for a list or a policy is their readers' matter. 0 or -EINVAL. */
int dname_parse(const char *text, size_t len, struct dname *ret);
/* Read at @c, which runs over part of @msg; compression pointers only backwards, at most DNAME_MAX bytes in all.
 * Lower-cases. Leaves the cursor after the name. 0 or -EBADMSG (also stuck in @c). */
int dname_read(struct rcur *c, const uint8_t *msg, size_t msg_len, struct dname *ret);
/* Without the trailing dot; "." for the root. @buf holds DNAME_TEXT_MAX bytes; returns it. */
const char *dname_print(const struct dname *n, char *buf);

bool dname_equal(const struct dname *a, const struct dname *b);
/* @n is @top or below it. */
bool dname_in(const struct dname *n, const struct dname *top);
/* The wire form of @n without its first @skip labels: a pointer into @n; *ret_len with the root label. */
const uint8_t *dname_suffix(const struct dname *n, uint8_t skip, uint8_t *ret_len);

/* A name selector of the policy: `dns:name` is that name alone, `dns:*.name` one or more labels below it. */
struct name_pattern {
	struct dname name; /* without the "*." */
	bool below;
};

bool name_pattern_match(const struct name_pattern *p, const struct dname *n);
