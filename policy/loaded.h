/* SPDX-License-Identifier: GPL-3.0-or-later */
/* geo:XX, asn:N and iplist:NAME as text; and "when". */
#pragma once

#include "policy/reader.h"

/* @text begins with one of these words. */
bool loaded_word(const char *text);
/* @text: loaded_word() said yes; kept. @ret: index in r->needs. 0 or negative (reported). iplists must have been read.
 */
int loaded_read(struct doc_reader *r, struct span at, const char *text, uint32_t *ret);

/* "when" of @object: one schedule or a list of them; none: always. */
struct doc_when when_read(struct doc_reader *r, const struct hj_node *object);
