/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every question that can be put to an open list file, and everything read that an answer leads to. */
#pragma once

#include "filter/listfile.h"

#define CHECK(cond)                                                                                                    \
	do {                                                                                                           \
		if (!(cond))                                                                                           \
			abort();                                                                                       \
	} while (0)

/* Asks for @names, for names made of @bytes, and for addresses; by clients known and unknown, for several types and
 * masks. Aborts when answers contradict each other; sanitizers see the rest. */
void list_asks(const struct listfile *f, const char *const *names, size_t n_names, const uint8_t *bytes, size_t len);
