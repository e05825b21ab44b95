/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The compiled lists of a gateway: one read-only file, mapped by every thread, in which each name leads to the lists
 * that hold it and to the line in each. Built in a confined process, handed over as a sealed memfd.
 *
 * At most 16 bytes a name. Names are found by a keyed 64-bit hash (SipHash-2-4, key drawn at each build), so that
 * nobody can craft a name that collides; what that means for exactness is stated in the .c file. */
#pragma once

#include "base/err.h"
#include "filter/listparse.h"

#define LISTS_MAX 64u /* lists of one gateway: a view's choice is a 64-bit mask */
#define LIST_RULES_MAX                                                                                                 \
	(32u << 20) /* of all lists together: 512 MB while they are compiled, beyond any published list */
#define LIST_LINES_MAX	    50000000u /* of one list, comments and all: ten times the longest that is published */
#define LIST_TEXT_MAX_BYTES (4ull << 30)
/* Rules that are more than a name to block or to allow, with their terms: a million of them. */
#define LIST_RECORDS_MAX_BYTES (128u << 20)
#define LIST_CHAIN_MAX	       1000u /* such rules for one name: each is looked at for every question about it */
#define LIST_ALWAYS_MAX	       1000u /* patterns that must be tried on every name: about 0.1 ms for all */

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
/* Sort, index, write all to @fd (a memfd or a file at offset 0). Once: the builder is used up. */
int list_builder_write(struct list_builder *b, int fd, struct err *e);

struct listfile;

/* Check header, bounds and order well enough that no later look-up can read outside the map or loop, whatever the
 * bytes.
 * @data is borrowed for the life of the result. -EBADMSG when it is not ours. */
int listfile_open(const void *data, size_t len, struct listfile **ret, struct err *e);
struct listfile *listfile_free(struct listfile *f);

/* Who asks; for rules that are not for everybody. */
struct list_client {
	struct ip_addr addr;
	const char *device;
	const char *const *tags; /* "tag:tv" */
	uint32_t n_tags;
};

/* What one thread needs to run regular expressions, and what it has counted (listregex.h). One a thread. */
struct list_scratch;

struct list_scratch *list_scratch_new(void);			/* NULL when out of memory */
struct list_scratch *list_scratch_free(struct list_scratch *s); /* NULL is fine; returns NULL */

/* Where a name's rows are. Made ahead for many names, so that what is looked at has come from memory when it is: the
 * rows of a large file are in no cache of the processor. */
#define LIST_PROBES_MAX 8u
struct list_probe {
	const struct listfile *file; /* that it is of; NULL: it is of no use */
	uint32_t n;
	uint8_t skips[LIST_PROBES_MAX]; /* labels that a suffix is without */
	uint64_t hashes[LIST_PROBES_MAX];
};

void listfile_probe(const struct listfile *f, const struct dname *name, struct list_probe *ret);
/* Some time after it. */
void listfile_probe_rows(const struct list_probe *p);

/* What the rules are asked: about a name, or about an address of an answer. */
struct list_ask {
	const struct dname *name;
	const struct ip_addr *addr; /* or NULL; then .name is not looked at */
	uint16_t type; /* asked for; of an answer's record, its own; 0 = not known: rules for certain types do not hold
			*/
	const struct list_client *client; /* NULL: not known: rules for certain clients do not hold */
	struct list_scratch *scratch;	  /* NULL: made for the call, where it is needed */
	const struct list_probe *probe;	  /* of .name; or NULL */
	bool brief;			  /* nobody wants to know the line: it would have to be fetched */
};

struct list_hit {
	uint32_t list;	       /* number given to list_builder_add() */
	uint32_t line;	       /* from 1; 0 when .brief was asked for */
	struct list_rule rule; /* as it was read; its terms are borrowed from the file */
};

#define LIST_REWRITES_MAX 16u /* rules that are one answer together; more are not looked at */

struct list_match {
	bool found;	     /* .hit decides: block or allow */
	bool personal;	     /* another client may be told otherwise: not to be remembered for a view */
	struct list_hit hit; /* the first by the order of precedence */
	uint32_t n_rewrites; /* they hold, and are not cancelled; in the order of precedence. They stand before .hit */
	struct list_hit rewrites[LIST_REWRITES_MAX];
};

/* What the lists in @mask (bit n = list n) say. Precedence, a total order (docs/lists.md):
 * important exception, important block, exception, block; of those, more modifiers; then the longer name (a client's
 * address before all names, a pattern behind all; the longer prefix), then the kind in the order of enum list_kind, the
 * lower list, the lower line. A regular expression that is given up (listregex.h) holds where it blocks, and not where
 * it allows. @ret: its hits are set where .found and .n_rewrites say so. Returns true for .found or .n_rewrites. */
bool listfile_match(const struct listfile *f, uint64_t mask, const struct list_ask *ask, struct list_match *ret);
/* The same of a name without a client or a type. */
bool listfile_match_name(const struct listfile *f, uint64_t mask, const struct dname *name, struct list_match *ret);
/* Lists that have any rule at this name or address, for whomever, for whatever type: all others say nothing of it. */
uint64_t listfile_touch(const struct listfile *f, const struct list_ask *ask);

/* Each set of lists that rules are in, with how many: for reports. A set may come several times. */
typedef void listfile_set_fn(void *arg, uint64_t lists, uint64_t rules);
void listfile_each_set(const struct listfile *f, listfile_set_fn *fn, void *arg);
uint64_t listfile_rules(const struct listfile *f);
uint32_t listfile_lists(const struct listfile *f);
/* The name that the builder gave to that list; "" when none. Borrowed. */
const char *listfile_name(const struct listfile *f, uint32_t list);
