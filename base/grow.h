/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Arrays that grow. */
#pragma once

#include "base/base.h"

/* Room in @items (malloc()ed or NULL) for @more behind the first @n; @cap is how many there is room for, and is kept up
 * to date. The array, perhaps elsewhere now; NULL when out of memory, with @items as it was. */
void *grow_array(void *items, uint32_t n, uint32_t more, uint32_t *cap, size_t size);
