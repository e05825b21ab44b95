/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Selectors as text: who and where of rules, filters, log levels and tests, with what each place refuses. */
#pragma once

#include "policy/reader.h"

enum selector_place {
	PLACE_ACL_SRC = 0,
	PLACE_GRANT_SRC,
	PLACE_DENY_SRC,
	PLACE_FILTER_SRC,
	PLACE_LOG_SRC,
	PLACE_SSH_SRC,	   /* these three are checked and not enforced */
	PLACE_NODE_TARGET, /* of nodeAttrs */
	PLACE_TEST_SRC,	   /* the last of the sources */
	PLACE_ACL_DST,
	PLACE_GRANT_DST,
	PLACE_DENY_DST,
	PLACE_TEST_DST,
	PLACE_SSH_DST,
	PLACE_MAX
};

struct selector_list {
	const struct selector *items;
	uint32_t n;
};

/* @text: trimmed, kept. 0 or -EINVAL (reported). */
int selector_read(struct doc_reader *r, enum selector_place place, struct span at, const char *text,
		  struct selector *ret);
/* All of a list of strings; wrong ones are reported and left out. @list may be NULL: none. */
struct selector_list selectors_read(struct doc_reader *r, enum selector_place place, const struct hj_node *list);
/* Split "host:ports" at the last colon and take the brackets off IPv6. 0 or -EINVAL (reported). */
int target_split(struct doc_reader *r, struct span at, const char *text, const char **ret_host, const char **ret_ports);
/* A domain name that people write: letters, digits, - and _, at least one label. 0 or -EINVAL (not reported). */
int host_name_parse(const char *text, struct dname *ret);

/* Names of the policy, by binary search; NULL when undefined. */
const struct doc_group *group_find(const struct doc_policy *p, const char *name);
const struct doc_tag *tag_find(const struct doc_policy *p, const char *name);
const struct doc_host *host_find(const struct doc_policy *p, const char *name);
/* The name is defined, or an error with a suggestion is added. */
bool group_check(struct doc_reader *r, struct span at, const char *name);
bool tag_is_defined(const struct doc_reader *r, const char *name);
/* ", did you mean ...", or "". */
const char *tag_hint(struct doc_reader *r, const char *name);
bool tag_check(struct doc_reader *r, struct span at, const char *name);
