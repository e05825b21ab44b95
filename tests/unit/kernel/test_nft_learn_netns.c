/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Leases against the kernel, and the table when its owner goes. Needs root; else skipped. */
#include "netns.h"

#include <time.h>

static uint64_t left_s(const char *element)
{
	const char *all = output_of("nft -j list table inet sluice");
	const char *at = strstr(all, element);

	at = at != NULL ? strstr(at, "\"expires\": ") : NULL;
	return at != NULL ? strtoull(at + strlen("\"expires\": "), NULL, 10) : 0;
}

static void learning_again_moves_the_end(void **state)
{
	struct state *s = *state;
	uint32_t mark = MARK_NAMES;
	struct ip_addr addr = ip("203.0.113.7");
	struct learn_req req = request(&mark, &addr, 1, 60);
	struct nft_apply_result res;
	uint64_t left;

	apply(s, NULL, &s->f->prog, &res);
	ASSERT_OK(s, nft_learn(s->ch, s->l, &s->f->plan, &req, 1, NOW, &s->e));
	assert_int_equal(req.status, 0);
	left = left_s("203.0.113.7");
	assert_in_range(left, 110, 120);
	req.ttl_s = 600;
	ASSERT_OK(s, nft_learn(s->ch, s->l, &s->f->plan, &req, 1, NOW, &s->e));
	left = left_s("203.0.113.7");
	assert_in_range(left, 650, 660);
}

static void learning_again_works_by_deleting_and_adding(void **state)
{
	struct state *s = *state;
	uint32_t mark = MARK_NAMES;
	struct ip_addr addr = ip("203.0.113.7");
	struct learn_req req = request(&mark, &addr, 1, 60);
	struct nft_features *features = (struct nft_features *)(uintptr_t)nft_channel_features(s->ch);
	struct nft_apply_result res;

	features->elem_update = false;
	apply(s, NULL, &s->f->prog, &res);
	ASSERT_OK(s, nft_learn(s->ch, s->l, &s->f->plan, &req, 1, NOW, &s->e));
	assert_in_range(left_s("203.0.113.7"), 110, 120);
	req.ttl_s = 600;
	ASSERT_OK(s, nft_learn(s->ch, s->l, &s->f->plan, &req, 1, NOW, &s->e));
	assert_in_range(left_s("203.0.113.7"), 650, 660);
}

static void a_refused_batch_is_tried_request_by_request(void **state)
{
	struct state *s = *state;
	uint32_t mark = MARK_NAMES, gone = MARK_ADDRS;
	struct ip_addr addr = ip("203.0.113.7"), other = ip("203.0.113.8");
	struct learn_req reqs[] = { request(&mark, &addr, 1, 60), request(&gone, &other, 1, 60) };
	uint32_t both[] = { 0, 1 };
	struct nft_apply_result res;

	/* The plan backs a rule whose set the program does not have. */
	s->f->classes[0].name_rules = both;
	s->f->classes[0].n_name_rules = 2;
	apply(s, NULL, &s->f->prog, &res);
	assert_int_equal(nft_learn(s->ch, s->l, &s->f->plan, reqs, 2, NOW, &s->e), -ENOENT);
	assert_int_equal(reqs[0].status, 0);
	assert_int_equal(reqs[1].status, -EIO);
	assert_listed("100.64.0.1 . 203.0.113.7");
	assert_int_equal(learned_count(s->l), 1);
}

static void pruned_leases_leave_the_kernel(void **state)
{
	struct state *s = *state;
	uint32_t mark = MARK_NAMES, dropped;
	struct ip_addr addr = ip("203.0.113.7");
	struct learn_req req = request(&mark, &addr, 1, 60);
	struct nft_apply_result res;

	apply(s, NULL, &s->f->prog, &res);
	ASSERT_OK(s, nft_learn(s->ch, s->l, &s->f->plan, &req, 1, NOW, &s->e));
	s->f->addrs[0].class_id = 1; /* quarantined */
	ASSERT_OK(s, nft_learn_prune(s->ch, s->l, &s->f->plan, NULL, &dropped, &s->e));
	assert_int_equal(dropped, 1);
	assert_not_listed("203.0.113.7");
	assert_int_equal(learned_count(s->l), 0);
}

/* They are open still: the next call must find them. */
static void leases_that_cannot_be_taken_out_are_kept_for_another_try(void **state)
{
	struct state *s = *state;
	uint32_t mark = MARK_NAMES, dropped;
	struct ip_addr addr = ip("203.0.113.7");
	struct learn_req req = request(&mark, &addr, 1, 60);
	struct nft_apply_result res;
	struct nft_channel *stranger = NULL; /* who does not own the table */

	if (!nft_channel_features(s->ch)->owner)
		skip();
	apply(s, NULL, &s->f->prog, &res);
	ASSERT_OK(s, nft_learn(s->ch, s->l, &s->f->plan, &req, 1, NOW, &s->e));
	s->f->addrs[0].class_id = 1; /* quarantined */
	ASSERT_OK(s, nft_channel_open(&stranger, &s->e));
	ASSERT_OK(s, nft_channel_probe(stranger, &s->e));
	assert_true(nft_learn_prune(stranger, s->l, &s->f->plan, NULL, &dropped, &s->e) < 0);
	assert_listed("100.64.0.1 . 203.0.113.7");
	assert_int_equal(learned_count(s->l), 1);
	ASSERT_OK(s, nft_learn_prune(s->ch, s->l, &s->f->plan, NULL, &dropped, &s->e));
	assert_not_listed("203.0.113.7");
	(void)nft_channel_free(stranger);
}

static void an_owned_table_withstands_others_and_outlives_us(void **state)
{
	struct state *s = *state;
	uint32_t mark = MARK_NAMES;
	struct ip_addr addr = ip("203.0.113.7");
	struct learn_req req = request(&mark, &addr, 1, 300);
	struct nft_table_state table;
	struct nft_apply_result res;

	if (!nft_channel_features(s->ch)->owner)
		skip();
	apply(s, NULL, &s->f->prog, &res);
	ASSERT_OK(s, nft_learn(s->ch, s->l, &s->f->plan, &req, 1, NOW, &s->e));
	(void)output_of("nft flush ruleset 2>&1");
	(void)output_of("nft delete table inet sluice 2>&1");
	assert_listed("192.0.2.0/25 . tcp . 80 : goto r_11");
	/* Killed: the table stays, and the next one takes it over with what was learned. */
	s->ch = nft_channel_free(s->ch);
	assert_listed("192.0.2.0/25 . tcp . 80 : goto r_11");
	ASSERT_OK(s, nft_channel_open(&s->ch, &s->e));
	ASSERT_OK(s, nft_channel_probe(s->ch, &s->e));
	ASSERT_OK(s, nft_table_state_read(s->ch, &table, &s->e));
	assert_true(table.present);
	assert_false(table.foreign_owner);
	s->l = learned_free(s->l);
	ASSERT_OK(s, learned_new(&s->l, &s->e));
	ASSERT_OK(s, nft_learn_dump(s->ch, &s->f->plan, NOW, s->l, &s->e));
	assert_int_equal(learned_count(s->l), 1);
	assert_true(learned_has(s->l, &req.client, &addr, MARK_NAMES, NOW + S(350)));
	assert_false(learned_has(s->l, &req.client, &addr, MARK_NAMES, NOW + S(361)));
	apply(s, NULL, &s->f->prog, &res);
	assert_int_equal(res.leases, 1);
	assert_listed("100.64.0.1 . 203.0.113.7");
	ASSERT_OK(s, nft_table_state_read(s->ch, &table, &s->e));
	assert_int_equal(table.owner_portid, nft_channel_portid(s->ch));
}

static void one_learned_address_costs_microseconds(void **state)
{
	struct state *s = *state;
	uint32_t mark = MARK_NAMES;
	struct nft_apply_result res;
	struct timespec a, b;

	apply(s, NULL, &s->f->prog, &res);
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (uint32_t i = 0; i < 2000; i++) {
		struct ip_addr addr = { .family = IP_V4, .bytes = { 203, 0, (uint8_t)(i >> 8), (uint8_t)i } };
		struct learn_req req = request(&mark, &addr, 1, 300);

		ASSERT_OK(s, nft_learn(s->ch, s->l, &s->f->plan, &req, 1, NOW, &s->e));
		assert_int_equal(req.status, 0);
	}
	clock_gettime(CLOCK_MONOTONIC, &b);
	print_message("one learned address with its acknowledgement: %.2f us\n",
		      ((double)(b.tv_sec - a.tv_sec) * 1e6 + (double)(b.tv_nsec - a.tv_nsec) / 1e3) / 2000);
	assert_int_equal(learned_count(s->l), 2000);
}

int main(void)
{
#define IN_NETNS(test) cmocka_unit_test_setup_teardown(test, netns_setup, netns_teardown)
	const struct CMUnitTest tests[] = {
		IN_NETNS(learning_again_moves_the_end),
		IN_NETNS(learning_again_works_by_deleting_and_adding),
		IN_NETNS(a_refused_batch_is_tried_request_by_request),
		IN_NETNS(pruned_leases_leave_the_kernel),
		IN_NETNS(leases_that_cannot_be_taken_out_are_kept_for_another_try),
		IN_NETNS(an_owned_table_withstands_others_and_outlives_us),
		IN_NETNS(one_learned_address_costs_microseconds),
	};

	if (geteuid() != 0 || access("/usr/sbin/nft", X_OK) != 0)
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
