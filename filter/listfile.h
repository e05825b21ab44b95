/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The compiled lists of a gateway: one read-only file, mapped by every thread, in which each name leads to the lists
 * that hold it and to the line in each. Built in a confined process, handed over as a sealed memfd.
 *
 * At most 16 bytes a name. Names are found by a keyed 64-bit hash (SipHash-2-4, key drawn at each build), so that
 * nobody can craft a name that collides; what that means for exactness is stated in the .c file. */
#pragma once

#include "base/err.h"
#include "filter/listparse.h"

#define LISTS_MAX	    64		/* lists of one gateway: a view's choice is a 64-bit mask */
#define LIST_RULES_MAX	    (64u << 20) /* rules of all lists together: 1 GB of file, beyond any published list */
#define LIST_TEXT_MAX_BYTES (4ull << 30)

struct list_counts {
	uint64_t lines, applied, skipped, refused;
};

struct list_builder;

struct list_builder *list_builder_new(void);
struct list_builder *list_builder_free(struct list_builder *b);
/* Read one list's whole text from @fd (bounded memory: line by line). @list < LISTS_MAX. */
int list_builder_add(struct list_builder *b, uint32_t list, int fd, struct list_counts *ret, struct err *e);
/* The same from memory; @len bytes. For a filter's own rules and for tests. */
int list_builder_add_text(struct list_builder *b, uint32_t list, const char *text, size_t len, struct list_counts *ret,
			  struct err *e);
/* Sort, index, write all to @fd (a memfd or a file at offset 0). */
int list_builder_write(struct list_builder *b, int fd, struct err *e);

struct listfile;

/* Check header, bounds and order well enough that no later look-up can read outside the map or loop, whatever the
 * bytes.
 * @data is borrowed for the life of the result. -EBADMSG when it is not ours. */
int listfile_open(const void *data, size_t len, struct listfile **ret, struct err *e);
struct listfile *listfile_free(struct listfile *f);

struct list_hit {
	uint32_t list;	       /* number given to list_builder_add() */
	uint32_t line;	       /* from 1 */
	struct list_rule rule; /* the rule as it was read: its name is a suffix of the name asked for */
};

/* What the lists in @mask (bit n = list n) say of a name. An exception beats a block; of several the most specific name
 * wins, then the lower list, then the lower line. ret->rule.allow says which kind it is. false = no rule. */
bool listfile_match(const struct listfile *f, uint64_t mask, const struct dname *name, struct list_hit *ret);
uint64_t listfile_rules(const struct listfile *f);
uint32_t listfile_lists(const struct listfile *f);
/* The name that the builder gave to that list; "" when none. Borrowed. */
const char *listfile_name(const struct listfile *f, uint32_t list);

/* The rule in list syntax: "||x^", "@@||x^", "x" for a name alone, "@@|x^". Returns @buf, cut to @len bytes. */
const char *list_rule_print(const struct list_rule *rule, char *buf, size_t len);
