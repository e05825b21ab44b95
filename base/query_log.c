/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The names of what decided about a question. */
#include "sluice/query_log.h"

const char *query_reason_name(uint8_t reason)
{
#define NAME_OF(name, number, text) [QUERY_REASON_##name] = (text),
	static const char *const names[] = { QUERY_REASON_LIST(NAME_OF) };

	static_assert(ARRAY_LEN(names) == QUERY_REASON_MAX, "names");
	return reason < QUERY_REASON_MAX ? names[reason] : "?";
}
