/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/grow.h"

#define FIRST_ROOM 16u

void *grow_array(void *items, uint32_t n, uint32_t more, uint32_t *cap, size_t size)
{
	size_t wanted = ((size_t)n + more) * 2;
	void *bigger;

	if (items != NULL && *cap - n >= more)
		return items;
	wanted = wanted < FIRST_ROOM ? FIRST_ROOM : wanted;
	if (wanted > UINT32_MAX)
		return NULL;
	bigger = reallocarray(items, wanted, size);
	if (bigger != NULL)
		*cap = (uint32_t)wanted;
	return bigger;
}
