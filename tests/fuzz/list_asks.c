/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "list_asks.h"

#define NAMES_OF_BYTES 8u /* of one input: more only cost time */

static const char *const tags[] = { "tag:tv", "tag:kids" };
static const uint64_t masks[] = { UINT64_MAX, 1, 8, 0x5555555555555555u };
static const uint16_t types[] = { 0, 1, 28, 65 };

static void read_rule(const struct list_rule *r)
{
	char text[LIST_TEXT_MAX + 1];
	struct list_term t;
	struct dname name;
	size_t at = 0;
	volatile uint8_t sum = 0;

	CHECK(r->kind < LIST_KIND_MAX && r->action < LIST_ACTION_MAX);
	CHECK(list_terms_check(r->terms, r->terms_len));
	CHECK(strlen(list_rule_print(r, text, sizeof(text))) < sizeof(text));
	while (list_terms_next(r->terms, r->terms_len, &at, &t)) {
		uint16_t type, data_len;
		const uint8_t *data;
		uint32_t ttl_s;

		for (size_t i = 0; i < t.len; i++)
			sum = (uint8_t)(sum + t.data[i]);
		if (t.type == TERM_CNAME || t.type == TERM_CNAME_BELOW || t.type == TERM_DENYALLOW)
			list_term_name(&t, &name);
		if (t.type == TERM_RECORD) {
			list_term_record(&t, &type, &ttl_s, &data, &data_len);
			for (size_t i = 0; i < data_len; i++)
				sum = (uint8_t)(sum + data[i]);
		}
	}
}

static bool same_hit(const struct list_hit *a, const struct list_hit *b)
{
	return a->list == b->list && a->line == b->line && a->rule.kind == b->rule.kind &&
	       a->rule.action == b->rule.action;
}

static void ask_one(const struct listfile *f, uint64_t mask, struct list_ask *ask)
{
	struct list_match m = { 0 }, again = { 0 };
	struct list_probe probe;
	bool any = listfile_match(f, mask, ask, &m);

	CHECK(any == (m.found || m.n_rewrites != 0) && m.n_rewrites <= LIST_REWRITES_MAX);
	if (m.found) {
		CHECK(m.hit.list < LISTS_MAX && (mask >> m.hit.list & 1) != 0);
		CHECK(m.hit.rule.action == LIST_BLOCK || m.hit.rule.action == LIST_ALLOW);
		read_rule(&m.hit.rule);
	}
	for (uint32_t i = 0; i < m.n_rewrites; i++) {
		CHECK((mask >> m.rewrites[i].list & 1) != 0 && m.rewrites[i].rule.action == LIST_REWRITE);
		read_rule(&m.rewrites[i].rule);
	}
	/* What was looked up ahead changes nothing. */
	if (ask->name == NULL)
		return;
	listfile_probe(f, ask->name, &probe);
	listfile_probe_rows(&probe);
	ask->probe = &probe;
	CHECK(listfile_match(f, mask, ask, &again) == any && again.found == m.found);
	CHECK(again.n_rewrites == m.n_rewrites && (!m.found || same_hit(&m.hit, &again.hit)));
	ask->probe = NULL;
}

static void ask_all(const struct listfile *f, const struct dname *name, const struct ip_addr *addr,
		    struct list_scratch *s)
{
	struct list_client client = { .device = "Kids", .tags = tags, .n_tags = ARRAY_LEN(tags) };

	CHECK(ip_addr_parse("10.1.2.3", &client.addr) == 0);
	for (size_t i = 0; i < ARRAY_LEN(masks); i++) {
		struct list_ask ask = { .name = name,
					.addr = addr,
					.type = types[i % ARRAY_LEN(types)],
					.client = i % 2 == 0 ? &client : NULL,
					.scratch = i != 3 ? s : NULL };

		ask_one(f, masks[i], &ask);
		(void)listfile_touch(f, &ask);
	}
}

static void count_set(void *arg, uint64_t lists, uint64_t rules)
{
	uint64_t *sum = arg;

	CHECK(lists != 0);
	*sum += rules;
}

/* A name in wire form out of any bytes: labels as long as the bytes say. */
static size_t name_of(const uint8_t *bytes, size_t len, struct dname *ret)
{
	size_t at = 0;

	*ret = (struct dname){ 0 };
	while (at < len && ret->len + 1u + DNAME_LABEL_MAX + 1u < DNAME_MAX && bytes[at] != 0) {
		size_t n = bytes[at] % 16u + 1u;

		if (n > len - at - 1)
			break;
		ret->wire[ret->len++] = (uint8_t)n;
		for (size_t i = 0; i < n; i++)
			ret->wire[ret->len++] = dname_lower(bytes[at + 1 + i]);
		ret->labels++;
		at += n + 1;
	}
	ret->wire[ret->len++] = 0;
	return at + 1;
}

void list_asks(const struct listfile *f, const char *const *names, size_t n_names, const uint8_t *bytes, size_t len)
{
	static const char *const addrs[] = { "192.0.2.7", "0.0.0.0", "2001:db8::7", "::" };
	struct list_scratch *s = list_scratch_new();
	uint64_t sum = 0;

	CHECK(s != NULL);
	for (size_t i = 0; i < n_names; i++) {
		struct dname name;

		if (dname_parse(names[i], strlen(names[i]), &name) == 0)
			ask_all(f, &name, NULL, s);
	}
	for (size_t i = 0, at = 0; i < NAMES_OF_BYTES && at < len; i++) {
		struct dname name;

		at += name_of(bytes + at, len - at, &name);
		ask_all(f, &name, NULL, s);
	}
	for (size_t i = 0; i < ARRAY_LEN(addrs); i++) {
		struct ip_addr addr;

		CHECK(ip_addr_parse(addrs[i], &addr) == 0);
		ask_all(f, NULL, &addr, s);
	}
	listfile_each_set(f, count_set, &sum);
	(void)listfile_rules(f);
	for (uint32_t i = 0; i <= LISTS_MAX; i++)
		CHECK(strlen(listfile_name(f, i)) <= 65536);
	list_scratch_free(s);
}
