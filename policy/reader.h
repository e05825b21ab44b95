/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Typed reading of HuJSON nodes: what the readers of documents (document_*.c) share. Every complaint becomes a
 * diagnostic at its place, and reading goes on with a harmless value: whether a document results is decided once, at
 * the end, by doc_reader_failed(). */
#pragma once

#include "policy/document.h"

struct doc_ipset {
	const char *name; /* with "ipset:" */
	struct span span;
	const struct ip_range *ranges, *wide; /* as in struct selector */
	uint32_t n_ranges, n_wide;
	const struct set_step *steps; /* the same */
	uint32_t n_steps;
};

/* What is reported once a file, however often it occurs. */
enum doc_once {
	ONCE_ROLE_GROUP = 1u << 0, /* autogroup:admin and such */
	ONCE_SVC = 1u << 1,
	ONCE_APP = 1u << 2,
	ONCE_POSTURE_ATTRS = 1u << 3,
};

struct doc_reader {
	struct arena *mem;
	const struct source *src;
	struct diag_list *diags;
	uint32_t errors_before; /* of other files in the same list */
	uint32_t once;		/* enum doc_once */
	bool oom;
	/* Policies only: the names that selectors may use, each sorted by name. */
	const struct doc_policy *policy;
	const struct doc_ipset *ipsets;
	uint32_t n_ipsets;
	const struct hj_node *postures; /* the section, or NULL */
	/* What the policy turns out to ask for, so far. Become doc_policy's. */
	struct doc_need *needs;
	uint32_t n_needs, needs_room;
	struct doc_zone *zones;
	uint32_t n_zones, zones_room;
	bool default_posture;	     /* rules without srcPosture have one that we cannot check */
	const char *member_spelling; /* "autogroup:member" or "autogroup:members", the first seen */
	struct span member_span;
};

void doc_reader_init(struct doc_reader *r, struct arena *mem, const struct source *src, struct diag_list *diags);
bool doc_reader_failed(const struct doc_reader *r);

/* Zeroed, one element longer than asked: lists of pointers end with NULL by themselves. NULL when out of memory, which
 * is reported. */
void *doc_array(struct doc_reader *r, size_t n, size_t size);
const char *doc_strndup(struct doc_reader *r, const char *s, size_t len);

struct diag *doc_error(struct doc_reader *r, const char *code, struct span at, const char *fmt, ...) PRINTF_LIKE(4, 5);
struct diag *doc_warn(struct doc_reader *r, const char *code, struct span at, const char *fmt, ...) PRINTF_LIKE(4, 5);
struct diag *doc_note(struct doc_reader *r, const char *code, struct span at, const char *fmt, ...) PRINTF_LIKE(4, 5);
/* True the first time only. */
bool doc_once(struct doc_reader *r, enum doc_once what);
/* An array for the names of a hint; NULL when nobody would see it, as enough errors are kept already. */
const char **doc_hint_names(struct doc_reader *r, size_t n);
/* ", did you mean \"x\"?" in @mem, or "". @names NULL-terminated, or NULL: no hint. */
const char *doc_hint(struct doc_reader *r, const char *word, const char *const *names);

/* @node has that kind, or an error: "src must be a list". */
bool doc_is(struct doc_reader *r, const struct hj_node *node, enum hj_kind kind, const char *what);
/* @node is an object with no members but these (NULL-terminated), or errors. False when it is no object. */
bool doc_members(struct doc_reader *r, const struct hj_node *node, const char *what, const char *const *names);

/* Members of @object. Missing or of a wrong type (which is reported): NULL, or the default. */
const struct hj_node *doc_list(struct doc_reader *r, const struct hj_node *object, const char *name);
const struct hj_node *doc_map(struct doc_reader *r, const struct hj_node *object, const char *name);
const char *doc_string(struct doc_reader *r, const struct hj_node *object, const char *name, const char *otherwise);
bool doc_bool(struct doc_reader *r, const struct hj_node *object, const char *name, bool otherwise);
uint32_t doc_uint(struct doc_reader *r, const struct hj_node *object, const char *name, uint32_t min, uint32_t max,
		  uint32_t otherwise);

/* Index of the member's word among @words (NULL-terminated). */
uint32_t doc_word(struct doc_reader *r, const struct hj_node *object, const char *name, const char *const *words,
		  uint32_t otherwise);

/* A string node's text without surrounding blanks; NULL when it is no string or empty (reported). */
const char *doc_text(struct doc_reader *r, const struct hj_node *node, const char *what);
/* All elements of a list of strings, NULL-terminated; those that are none are reported and left out. */
const char *const *doc_texts(struct doc_reader *r, const struct hj_node *list, const char *what);

/* An address or CIDR; set host bits are a warning. 0 or -EINVAL (nothing reported). */
int doc_prefix(struct doc_reader *r, struct span at, const char *text, struct ip_prefix *ret);
/* "9.9.9.9", "tls://9.9.9.9#dns.quad9.net", "recursive": a list of them. */
const struct plan_upstream *doc_upstreams(struct doc_reader *r, const struct hj_node *list, uint32_t *ret_n);
