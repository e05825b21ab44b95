/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dnsd/forward_chain.c behind forward.c: aliases that lead from one upstream's names to another's. */
#include "upstream_fake.h"

#include "dnsd/forward_chain.h"

static struct fake_result got;

/* One public upstream, one of corp.example. */
struct net {
	struct fake k;
	int public, split;
};

static void net_open(struct net *t)
{
	uint16_t port = 0, split_port = 0;
	struct fake_route r;

	*t = (struct net){ 0 };
	t->public = fake_socket(SOCK_DGRAM, &port);
	t->split = fake_socket(SOCK_DGRAM, &split_port);
	fake_route(&r, &port, 1, split_port);
	fake_open(&t->k, &r, NULL);
}

static void net_close(struct net *t)
{
	assert_true(fake_none(&t->k, t->public, 20)); /* nobody was asked anything more */
	assert_true(fake_none(&t->k, t->split, 0));
	fake_close(&t->k);
	close(t->public);
	close(t->split);
}

/* @fd gets the question for @name, and says: an alias of @target, and what @target's address is (NULL: nothing). */
static void reply_alias(struct net *t, int fd, const char *name, const char *target, const char *addr)
{
	struct fake_question q;
	struct fake_answer a;

	fake_take(&t->k, fd, &q);
	assert_string_equal(q.name, name);
	fake_answer(&a, &q, 0);
	fake_rr_name(&a, SECTION_ANSWER, name, TYPE_CNAME, target);
	if (addr != NULL)
		fake_rr_a(&a, target, addr);
	fake_send(fd, &q, &a);
}

static void reply_addr(struct net *t, int fd, const char *name, const char *addr)
{
	struct fake_question q;

	fake_take(&t->k, fd, &q);
	assert_string_equal(q.name, name);
	fake_reply_a(fd, &q, addr);
}

/* What query.c makes of the answer: its aliases and addresses. */
static const struct reply *result_read(const char *name, uint16_t type)
{
	static struct reply r;
	static struct question q;

	q = (struct question){ .type = type, .class_ = CLASS_IN, .has_name = true };
	assert_int_equal(dname_parse(name, strlen(name), &q.name), 0);
	assert_int_equal(reply_read(got.msg, got.len, &q, &r), 0);
	reply_addrs(&r, false);
	return &r;
}

static void chain_is(const struct reply *r, uint32_t i, const char *name)
{
	char text[DNAME_TEXT_MAX];

	assert_true(i < r->n_chain);
	assert_string_equal(dname_print(&r->chain[i], text), name);
}

static void public_name_leads_into_the_split(void **state)
{
	const struct reply *r;
	struct net t;

	net_open(&t);
	fake_ask(&t.k, "www.example", TYPE_A, 0, false, &got);
	reply_alias(&t, t.public, "www.example", "web.corp.example", "203.0.113.66");
	reply_addr(&t, t.split, "web.corp.example", "10.8.0.5");
	fake_wait(&t.k, &got);
	r = result_read("www.example", TYPE_A);
	assert_int_equal(r->n_chain, 1);
	chain_is(r, 0, "web.corp.example");
	assert_int_equal(r->n_addrs, 1);
	assert_true(result_has_addr(&got, "10.8.0.5"));
	assert_false(result_has_addr(&got, "203.0.113.66"));
	net_close(&t);
}

static void split_name_leads_outside(void **state)
{
	const struct reply *r;
	struct net t;

	net_open(&t);
	fake_ask(&t.k, "cdn.corp.example", TYPE_A, 0, false, &got);
	reply_alias(&t, t.split, "cdn.corp.example", "cdn.example", "10.8.0.66");
	reply_addr(&t, t.public, "cdn.example", "198.51.100.7");
	fake_wait(&t.k, &got);
	r = result_read("cdn.corp.example", TYPE_A);
	chain_is(r, 0, "cdn.example");
	assert_int_equal(r->n_addrs, 1);
	assert_true(result_has_addr(&got, "198.51.100.7"));
	net_close(&t);
}

static void chain_crosses_more_than_once(void **state)
{
	const struct reply *r;
	struct fake_question q;
	struct fake_answer a;
	struct net t;

	net_open(&t);
	fake_ask(&t.k, "a.example", TYPE_A, 0, false, &got);
	fake_take(&t.k, t.public, &q);
	fake_answer(&a, &q, 0); /* two public aliases, then one of the split, which it says too much of */
	fake_rr_name(&a, SECTION_ANSWER, "b.example", TYPE_CNAME, "c.corp.example");
	fake_rr_name(&a, SECTION_ANSWER, "a.example", TYPE_CNAME, "b.example");
	fake_rr_name(&a, SECTION_ANSWER, "c.corp.example", TYPE_CNAME, "evil.example");
	fake_rr_a(&a, "evil.example", "203.0.113.66");
	fake_send(t.public, &q, &a);
	reply_alias(&t, t.split, "c.corp.example", "d.example", NULL);
	reply_addr(&t, t.public, "d.example", "198.51.100.9");
	fake_wait(&t.k, &got);
	r = result_read("a.example", TYPE_A);
	assert_int_equal(r->n_chain, 3);
	chain_is(r, 0, "b.example");
	chain_is(r, 1, "c.corp.example");
	chain_is(r, 2, "d.example");
	assert_true(result_has_addr(&got, "198.51.100.9"));
	assert_false(result_has_addr(&got, "203.0.113.66"));
	net_close(&t);
}

static void denial_is_that_of_the_last_name(void **state)
{
	const struct reply *r;
	struct fake_question q;
	struct fake_answer a;
	struct net t;

	net_open(&t);
	fake_ask(&t.k, "www.example", TYPE_A, 0, false, &got);
	reply_alias(&t, t.public, "www.example", "gone.corp.example", "203.0.113.66");
	fake_take(&t.k, t.split, &q);
	fake_answer(&a, &q, RCODE_NXDOMAIN);
	fake_rr_soa(&a, "corp.example");
	fake_send(t.split, &q, &a);
	fake_wait(&t.k, &got);
	r = result_read("www.example", TYPE_A);
	assert_int_equal(result_rcode(&got), RCODE_NXDOMAIN);
	assert_int_equal(r->n_addrs, 0);
	assert_int_equal(r->n_rrs, 2);
	assert_int_equal(r->rrs[1].rr.type, TYPE_SOA);
	net_close(&t);
}

static void split_that_is_down_is_not_replaced_by_the_public_answer(void **state)
{
	struct fake_question q;
	struct net t;

	net_open(&t);
	fake_ask(&t.k, "www.example", TYPE_A, 0, false, &got);
	reply_alias(&t, t.public, "www.example", "web.corp.example", "203.0.113.66");
	fake_take(&t.k, t.split, &q);
	fake_reply_rcode(t.split, &q, RCODE_SERVFAIL);
	fake_wait(&t.k, &got);
	assert_int_equal(got.len, 0);
	net_close(&t);
}

static void special_names_are_not_asked(void **state)
{
	static const char *const targets[] = { "printer.local", "1.0.168.192.in-addr.arpa", "x.onion",
					       "nas.home.arpa" };
	struct net t;

	net_open(&t);
	for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
		fake_ask(&t.k, "www.example", TYPE_A, 0, false, &got);
		reply_alias(&t, t.public, "www.example", targets[i], "203.0.113.66");
		fake_wait(&t.k, &got);
		assert_int_equal(result_rcode(&got), RCODE_NXDOMAIN);
		chain_is(result_read("www.example", TYPE_A), 0, targets[i]);
		assert_false(result_has_addr(&got, "203.0.113.66"));
	}
	net_close(&t);
}

static void delegation_of_a_split_is_not_asked_of_anybody(void **state)
{
	struct fake_question q;
	struct fake_answer a;
	struct net t;

	net_open(&t);
	fake_ask(&t.k, "www.example", TYPE_DS, 0, false, &got);
	fake_take(&t.k, t.public, &q);
	fake_answer(&a, &q, 0);
	fake_rr_name(&a, SECTION_ANSWER, "www.example", TYPE_CNAME, "corp.example");
	fake_send(t.public, &q, &a);
	fake_wait(&t.k, &got);
	assert_int_equal(result_rcode(&got), RCODE_NOERROR);
	assert_int_equal(result_read("www.example", TYPE_DS)->n_chain, 1);
	net_close(&t);
}

static void upstream_that_does_not_follow_is_asked_for_the_target(void **state)
{
	struct net t;

	net_open(&t);
	fake_ask(&t.k, "a.corp.example", TYPE_A, 0, false, &got);
	reply_alias(&t, t.split, "a.corp.example", "b.corp.example", NULL);
	reply_addr(&t, t.split, "b.corp.example", "10.8.0.7");
	fake_wait(&t.k, &got);
	chain_is(result_read("a.corp.example", TYPE_A), 0, "b.corp.example");
	assert_true(result_has_addr(&got, "10.8.0.7"));
	net_close(&t);
}

static void alias_with_its_denial_is_whole(void **state)
{
	struct fake_question q;
	struct fake_answer a;
	struct net t;

	net_open(&t);
	fake_ask(&t.k, "a.example", TYPE_AAAA, 0, false, &got);
	fake_take(&t.k, t.public, &q);
	fake_answer(&a, &q, 0);
	fake_rr_name(&a, SECTION_ANSWER, "a.example", TYPE_CNAME, "b.example");
	fake_rr_soa(&a, "example");
	fake_send(t.public, &q, &a);
	fake_wait(&t.k, &got);
	assert_memory_equal(got.msg, a.buf, wcur_len(&a.w)); /* as it came */
	net_close(&t);
}

static void aliases_without_end_are_refused(void **state)
{
	struct net t;

	net_open(&t);
	fake_ask(&t.k, "a.example", TYPE_A, 0, false, &got);
	for (uint32_t i = 0; i <= FORWARD_CHAIN_MAX; i++) {
		if (i % 2 == 0)
			reply_alias(&t, t.public, "a.example", "a.corp.example", NULL);
		else
			reply_alias(&t, t.split, "a.corp.example", "a.example", NULL);
	}
	fake_wait(&t.k, &got);
	assert_int_equal(got.len, 0);
	assert_non_null(strstr(got.text, "aliases without end"));
	net_close(&t);
}

static void dname_goes_with_its_alias(void **state)
{
	const struct reply *r;
	struct fake_question q;
	struct fake_answer a;
	struct net t;

	net_open(&t);
	fake_ask(&t.k, "web.old.example", TYPE_A, 0, false, &got);
	fake_take(&t.k, t.public, &q);
	fake_answer(&a, &q, 0);
	fake_rr_name(&a, SECTION_ANSWER, "old.example", TYPE_DNAME, "corp.example");
	fake_rr_name(&a, SECTION_ANSWER, "web.old.example", TYPE_CNAME, "web.corp.example");
	fake_rr_a(&a, "web.corp.example", "203.0.113.66");
	fake_send(t.public, &q, &a);
	reply_addr(&t, t.split, "web.corp.example", "10.8.0.5");
	fake_wait(&t.k, &got);
	r = result_read("web.old.example", TYPE_A);
	assert_int_equal(r->n_rrs, 3);
	assert_int_equal(r->rrs[0].rr.type, TYPE_DNAME);
	assert_false(result_has_addr(&got, "203.0.113.66"));
	net_close(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(public_name_leads_into_the_split),
		cmocka_unit_test(split_name_leads_outside),
		cmocka_unit_test(chain_crosses_more_than_once),
		cmocka_unit_test(denial_is_that_of_the_last_name),
		cmocka_unit_test(split_that_is_down_is_not_replaced_by_the_public_answer),
		cmocka_unit_test(special_names_are_not_asked),
		cmocka_unit_test(delegation_of_a_split_is_not_asked_of_anybody),
		cmocka_unit_test(upstream_that_does_not_follow_is_asked_for_the_target),
		cmocka_unit_test(alias_with_its_denial_is_whole),
		cmocka_unit_test(aliases_without_end_are_refused),
		cmocka_unit_test(dname_goes_with_its_alias),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
