/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/egress.h"

#include "base/err.h"

#define NAME_MAX_BYTES 32 /* of a log line, and of an error's */

bool egress_name_valid(const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");

	return len > 0 && len <= NAME_MAX_BYTES && name[len] == '\0';
}

const struct egress *egress_find(const struct egress_list *l, const char *name)
{
	for (uint32_t i = 0; i < l->n; i++)
		if (strcmp(l->items[i].name, name) == 0)
			return &l->items[i];
	return NULL;
}
