/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The policy's own tests. A test that cannot be understood is an error like any other: a test that silently does not
 * run is worse than none. */
#include "policy/rfc3339.h"
#include "policy/sections.h"
#include "policy/selector.h"
#include "policy/services.h"

struct target_list {
	const struct doc_test_target *items;
	uint32_t n;
};

static int target_port_parse(struct doc_reader *r, struct span at, const char *ports, uint8_t proto, uint16_t *ret)
{
	bool portless = proto != 0 && !proto_has_ports(proto);

	if (port_parse(ports, ret) < 0) {
		(void)doc_error(r, "P0703", at, "a test needs one port, and \"%s\" is none", ports);
		return -EINVAL;
	}
	if (portless != (*ret == 0)) {
		(void)doc_error(r, "P0703", at,
				portless ? "protocol %u has no ports: write port 0"
					 : "port 0 is for protocols without ports (protocol %u has some)",
				proto != 0 ? proto : PROTO_TCP);
		return -EINVAL;
	}
	return 0;
}

static struct target_list targets_read(struct doc_reader *r, const struct hj_node *list, uint8_t proto)
{
	struct doc_test_target *items = doc_array(r, list != NULL ? list->n_children : 0, sizeof(*items));
	struct target_list ret = { items, 0 };

	for (const struct hj_node *m = items != NULL && list != NULL ? list->child : NULL; m != NULL; m = m->next) {
		struct doc_test_target *t = &items[ret.n];
		const char *host, *port;

		t->text = doc_text(r, m, "a target");
		t->span = m->span;
		if (t->text == NULL || target_split(r, m->span, t->text, &host, &port) < 0)
			continue;
		if (target_port_parse(r, m->span, port, proto, &t->port) < 0)
			continue;
		if (selector_read(r, PLACE_TEST_DST, m->span, host, &t->sel) == 0)
			ret.n++;
	}
	return ret;
}

static struct target_list names_of(struct doc_reader *r, const struct hj_node *list)
{
	struct doc_test_target *items = doc_array(r, list != NULL ? list->n_children : 0, sizeof(*items));
	struct target_list ret = { items, 0 };

	for (const struct hj_node *m = items != NULL && list != NULL ? list->child : NULL; m != NULL; m = m->next) {
		struct doc_test_target *t = &items[ret.n];

		t->text = doc_text(r, m, "a name");
		t->span = m->span;
		if (t->text == NULL)
			continue;
		t->sel = (struct selector){ .kind = SEL_DNS, .text = t->text, .span = m->span };
		if (host_name_parse(t->text, &t->sel.dns.name) < 0)
			(void)doc_error(r, "P0704", m->span, "\"%s\" is no domain name", t->text);
		else
			ret.n++;
	}
	return ret;
}

static void dns_tests_read(struct doc_reader *r, const struct hj_node *dns, struct doc_test *t)
{
	static const char *const members[] = { "block", "pass", NULL };
	struct target_list block, pass;

	if (dns == NULL || !doc_members(r, dns, "a test's dns", members))
		return;
	block = names_of(r, doc_list(r, dns, "block"));
	pass = names_of(r, doc_list(r, dns, "pass"));
	t->dns_block = block.items;
	t->n_dns_block = block.n;
	t->dns_pass = pass.items;
	t->n_dns_pass = pass.n;
}

static const struct hj_node *either(struct doc_reader *r, const struct hj_node *entry, const char *name,
				    const char *legacy)
{
	const struct hj_node *node = hj_get(entry, name), *old = hj_get(entry, legacy);

	if (node != NULL && old != NULL)
		(void)doc_error(r, "P0402", old->key_span,
				"\"%s\" is the old name of \"%s\": only one of them may be here", legacy, name);
	return node != NULL ? node : old;
}

static bool test_src_read(struct doc_reader *r, const struct hj_node *entry, struct doc_test *t)
{
	const struct hj_node *src = either(r, entry, "src", "user");
	const char *text;

	if (src == NULL) {
		(void)doc_error(r, "P0701", entry->span, "this test has no \"src\"");
		return false;
	}
	text = doc_text(r, src, "the source of a test");
	return text != NULL && selector_read(r, PLACE_TEST_SRC, src->span, text, &t->src) == 0;
}

static void at_read(struct doc_reader *r, const struct hj_node *entry, struct doc_test *t)
{
	const char *text = doc_string(r, entry, "at", NULL);

	if (text != NULL && rfc3339_parse(text, &t->at_s) < 0)
		(void)doc_error(r, "P0705", hj_get(entry, "at")->span,
				"\"%s\" is no point in time: as 2027-01-31T18:00:00Z or 2027-01-31T19:00:00+01:00",
				text);
}

static void test_read(struct doc_reader *r, const struct hj_node *entry, struct doc_test *t)
{
	const struct hj_node *accept = either(r, entry, "accept", "allow"), *deny = doc_list(r, entry, "deny");
	const struct hj_node *dns = doc_map(r, entry, "dns"), *proto = hj_get(entry, "proto");
	const struct hj_node *attrs = doc_map(r, entry, "srcPostureAttrs");
	const char *proto_text = doc_string(r, entry, "proto", NULL);
	struct target_list list;

	t->span = entry->span;
	at_read(r, entry, t);
	if (proto_text != NULL && proto_parse(r, proto->span, proto_text, &t->proto) < 0)
		return;
	if (accept == NULL && deny == NULL && dns == NULL)
		(void)doc_error(r, "P0701", entry->span, "this test expects nothing: it needs accept, deny or dns");
	if (accept != NULL && !doc_is(r, accept, HJ_ARRAY, accept->key))
		accept = NULL;
	if (attrs != NULL && doc_once(r, ONCE_POSTURE_ATTRS))
		(void)doc_warn(r, "P1003", attrs->key_span,
			       "srcPostureAttrs: devices' posture is not known here (said once)");
	list = targets_read(r, accept, t->proto);
	t->accept = list.items;
	t->n_accept = list.n;
	list = targets_read(r, deny, t->proto);
	t->deny = list.items;
	t->n_deny = list.n;
	dns_tests_read(r, dns, t);
}

void tests_read(struct doc_reader *r, const struct hj_node *root, struct doc_policy *p)
{
	static const char *const members[] = { "src",  "user", "proto", "accept",	   "allow",
					       "deny", "dns",  "at",	"srcPostureAttrs", NULL };
	const struct hj_node *list = doc_list(r, root, "tests");
	struct doc_test *tests = doc_array(r, list != NULL ? list->n_children : 0, sizeof(*tests));
	uint32_t n = 0;

	for (const struct hj_node *m = tests != NULL && list != NULL ? list->child : NULL; m != NULL; m = m->next) {
		if (!doc_members(r, m, "a test", members))
			continue;
		test_read(r, m, &tests[n]);
		if (test_src_read(r, m, &tests[n]))
			n++;
	}
	p->tests = tests;
	p->n_tests = n;
}
