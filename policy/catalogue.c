/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/catalogue_inner.h"

#include <stddef.h>
#include <string.h>

const struct catalogue_entry *catalogue_services(uint32_t *ret_n)
{
	*ret_n = catalogue_service_table_n;
	return catalogue_service_table;
}

const struct catalogue_entry *catalogue_engines(uint32_t *ret_n)
{
	*ret_n = catalogue_engine_table_n;
	return catalogue_engine_table;
}

static const char *text_of(const struct catalogue_entry *entries, uint32_t n, const char *name)
{
	for (uint32_t i = 0; i < n; i++)
		if (strcmp(entries[i].name, name) == 0)
			return entries[i].text;
	return NULL;
}

const char *catalogue_text(const char *list)
{
	const size_t service = strlen(CATALOGUE_SERVICE), safe = strlen(CATALOGUE_SAFE_SEARCH);

	if (strncmp(list, CATALOGUE_SERVICE, service) == 0)
		return text_of(catalogue_service_table, catalogue_service_table_n, list + service);
	if (strcmp(list, CATALOGUE_SAFE_SEARCH) == 0)
		return catalogue_safe_search;
	if (strncmp(list, CATALOGUE_SAFE_SEARCH ":", safe + 1) == 0)
		return text_of(catalogue_engine_table, catalogue_engine_table_n, list + safe + 1);
	return NULL;
}
