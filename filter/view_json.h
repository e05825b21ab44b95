/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Typed reading of the JSON of policy/lower_dns.h: 0, -EBADMSG (with the member's path), -ENOMEM. */
#pragma once

#include "filter/view.h"

#include <cjson/cJSON.h>

#define VIEW_WHERE_MAX 96u /* "/splits/4294967295/upstreams/4294967295" fits */

/* One parse: the result so far and where we are in the text, for messages. */
struct view_reader {
	struct views *v;
	struct err *e;
	char path[192];
	const struct view_prefixes *prefixes; /* that were supplied */
	uint32_t n_prefixes;
};

/* A JSON array that is read to one of ours. */
struct view_items {
	const cJSON *json;
	void *room;
	uint32_t n;
};

/* Reads one element of an array of objects, with its path. */
typedef int (*view_element_fn)(struct view_reader *r, const cJSON *o, const char *where, void *ret);

int view_bad(const struct view_reader *r, const char *what);
int view_no_memory(const struct view_reader *r);
const cJSON *view_member(struct view_reader *r, const cJSON *o, const char *where, const char *name);
int view_uint(struct view_reader *r, const cJSON *o, const char *where, const char *name, uint64_t max, uint64_t *ret);
int view_u32(struct view_reader *r, const cJSON *o, const char *where, const char *name, uint32_t max, uint32_t *ret);
int view_bool(struct view_reader *r, const cJSON *o, const char *where, const char *name, bool *ret);
int view_string(struct view_reader *r, const cJSON *o, const char *where, const char *name, bool optional,
		const char **ret);
int view_choice(struct view_reader *r, const cJSON *o, const char *where, const char *name, const char *const *names,
		size_t n, uint32_t *ret);
int view_array(struct view_reader *r, const cJSON *o, const char *where, const char *name, size_t size,
	       struct view_items *ret);
int view_strings(struct view_reader *r, const cJSON *o, const char *where, const char *name, const char *const **ret,
		 uint32_t *ret_n);
int view_indices(struct view_reader *r, const cJSON *o, const char *where, const char *name, uint32_t limit,
		 const uint32_t **ret, uint32_t *ret_n);
int view_addr(struct view_reader *r, const cJSON *o, const char *where, const char *name, struct ip_addr *ret);
int view_name_parse(struct view_reader *r, const char *text, struct dname *ret);
int view_name(struct view_reader *r, const cJSON *o, const char *where, const char *name, struct dname *ret);
int view_elements(struct view_reader *r, const cJSON *o, const char *at, const char *name, size_t size,
		  view_element_fn read_element, void *ret, uint32_t *ret_n);

/* view_names.c: "records", "domain", "rebindAllow", "canaries". Clients are there already, sorted. */
int view_names_read(struct view_reader *r, const cJSON *root);
/* view_addrs.c: "prefixes", "ranges" and "sets" of a rule, where it has them. */
int view_addrs_read(struct view_reader *r, const cJSON *o, const char *where, struct view_rule *ret);
/* view_overrides.c: "overrides", if there are any. Views and clients are there already. */
int view_overrides_read(struct view_reader *r, const cJSON *root);
