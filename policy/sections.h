/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Readers of a policy's sections. Each takes the whole document, fills its part of @p, and reports what is wrong with
 * it. Order: names_read() first, as all others look names up. */
#pragma once

#include "policy/reader.h"

/* groups, hosts, tagOwners, ipsets. */
void names_read(struct doc_reader *r, const struct hj_node *root, struct doc_policy *p);
/* acls, grants, denies. */
void rules_read(struct doc_reader *r, const struct hj_node *root, struct doc_policy *p);
/* dns.iplists, before names_read(): selectors and ipsets name them. */
void iplists_read(struct doc_reader *r, const struct hj_node *root, struct doc_policy *p);
/* dns.lists, before filters name them. */
void lists_read(struct doc_reader *r, const struct hj_node *map, struct doc_policy *p);
void dns_section_read(struct doc_reader *r, const struct hj_node *root, struct doc_policy *p);
/* dns.split, also of a filter: suffixes with their upstreams. */
const struct plan_split *splits_read(struct doc_reader *r, const struct hj_node *map, uint32_t *ret_n);
/* dns.records, when dns.domain is known. */
void records_read(struct doc_reader *r, const struct hj_node *map, struct doc_policy *p);
/* What the policy and its filters say of upstreams, as routes. */
void routes_make(struct doc_reader *r, struct doc_policy *p, struct doc_filter *filters);
/* dns.filters and logs. */
void filters_read(struct doc_reader *r, const struct hj_node *list, struct doc_policy *p);
/* How a filter answers blocked names. */
void blocking_read(struct doc_reader *r, const struct hj_node *filter, struct doc_filter *f);
void logs_read(struct doc_reader *r, const struct hj_node *root, struct doc_policy *p);
void tests_read(struct doc_reader *r, const struct hj_node *root, struct doc_policy *p);
/* Of postures, before rules name them; and a list of such names. */
void postures_read(struct doc_reader *r, const struct hj_node *root);
void postures_check(struct doc_reader *r, const struct hj_node *list);
/* Names of "app", a map, or NULL. */
void apps_check(struct doc_reader *r, const struct hj_node *map);
/* Who owns a tag or approves a route: @what in messages. */
void owner_check(struct doc_reader *r, const struct hj_node *node, const char *what);
/* ssh, sshTests. */
void ssh_read(struct doc_reader *r, const struct hj_node *root, struct doc_policy *p);
/* nodeAttrs, autoApprovers, attrConfig: checked, nothing is kept. */
void nodes_check(struct doc_reader *r, const struct hj_node *root);
