/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Entry points of the list builder that only filter/ and the command line use; the others are in listfile.h. */
#pragma once

#include "filter/listfile.h"

/* Called for every line read, applied or not, before its rules are added. */
typedef void (*list_line_fn)(void *arg, uint32_t list, uint32_t line, const struct list_line *l);
void list_builder_watch(struct list_builder *b, list_line_fn fn, void *arg);
/* What listfile_name() will say of list @list; optional. */
int list_builder_name(struct list_builder *b, uint32_t list, const char *name, struct err *e);
/* The list may redirect (struct list_parser). Before its text is added; not said = it may not. */
int list_builder_trust(struct list_builder *b, uint32_t list, struct err *e);
/* One rule, as if read from @line of @list. -EINVAL: it cannot be compiled (a regular expression that is none, or one
 * too many); @e says why, and the builder is as it was. */
int list_builder_rule(struct list_builder *b, uint32_t list, uint32_t line, const struct list_rule *rule,
		      struct err *e);
/* The same bytes as list_builder_write(), in memory. Either once: the builder is used up. @ret: returned, free(). */
int list_builder_image(struct list_builder *b, void **ret, size_t *ret_len, struct err *e);
void list_builder_freep(struct list_builder **b);
