/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Records that ldns has read of text. */
#pragma once

#include "base/base.h"

#include <ldns/ldns.h>

/* The data of @rr, which was made of the text @from, in wire form into @buf. Its length; 0: it does not fit, or is not
 * what was written: ldns cuts off what is too large for its field. */
size_t rdata_join(const ldns_rr *rr, const char *from, uint8_t *buf, size_t cap);
