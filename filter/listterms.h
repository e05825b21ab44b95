/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whether a rule's terms hold for who asks and for what. Called by listmatch.c. */
#pragma once

#include "filter/listfile.h"

/* Its conditions; patterns and answers are not looked at. *@ret_personal is set (never cleared) when another client
 * might be told otherwise. */
bool list_terms_hold(const uint8_t *terms, size_t len, const struct list_ask *ask, bool *ret_personal);
/* AdGuard's pattern on a dotted name in lower case. */
bool list_pattern_match(const struct list_term *pattern, const char *text, size_t len);
