/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Bytes of batches: whole messages against recorded ones, the rest read back with libnftnl. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <libmnl/libmnl.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "fixture.h"
#include "gatewayd/nft_encode.h"

static int setup(void **state)
{
	*state = fixture_new();
	return 0;
}

static int teardown(void **state)
{
	*state = fixture_free(*state);
	return 0;
}

static struct nft_batch *batch_new(void)
{
	struct nft_batch *b = NULL;

	assert_int_equal(nft_batch_new(100, 0, &b, NULL), 0);
	return b;
}

/* Message number @i of a finished batch (0 = its begin), or NULL. */
static const struct nlmsghdr *message(const struct nft_batch *b, int i)
{
	size_t len;
	const struct nlmsghdr *nlh = nft_batch_bytes(b, false, &len);
	int left = (int)len;

	while (i-- > 0 && mnl_nlmsg_ok(nlh, left))
		nlh = mnl_nlmsg_next(nlh, &left);
	return mnl_nlmsg_ok(nlh, left) ? nlh : NULL;
}

static void assert_hex(const struct nlmsghdr *nlh, const char *hex)
{
	const uint8_t *at = (const uint8_t *)nlh;
	char got[1024] = "";

	assert_true(nlh->nlmsg_len * 2 < sizeof(got));
	for (uint32_t i = 0; i < nlh->nlmsg_len; i++)
		(void)snprintf(got + 2 * i, 3, "%02x", at[i]);
	assert_string_equal(got, hex);
}

static const struct nft_set *set_named(const struct fixture *f, const char *name)
{
	for (uint32_t i = 0; i < f->prog.n_sets; i++) {
		if (strcmp(f->prog.sets[i].name, name) == 0)
			return &f->prog.sets[i];
	}
	abort();
}

static void a_batch_has_a_begin_an_end_and_one_acknowledgement(void **state)
{
	struct nft_batch *b = batch_new();
	size_t whole, dry;

	nft_put_table(b, NFT_TABLE_F_OWNER | NFT_TABLE_PERSIST);
	nft_del_table(b);
	assert_int_equal(nft_batch_finish(b, NULL), 0);
	assert_int_equal(message(b, 0)->nlmsg_type, NFNL_MSG_BATCH_BEGIN);
	assert_int_equal(message(b, 1)->nlmsg_type & 0xff, NFT_MSG_NEWTABLE);
	assert_int_equal(message(b, 1)->nlmsg_seq, 101);
	assert_int_equal(message(b, 1)->nlmsg_flags & NLM_F_ACK, 0);
	assert_int_equal(message(b, 2)->nlmsg_seq, 102);
	assert_int_equal(message(b, 2)->nlmsg_flags & NLM_F_ACK, NLM_F_ACK);
	assert_int_equal(message(b, 3)->nlmsg_type, NFNL_MSG_BATCH_END);
	assert_null(message(b, 4));
	assert_int_equal(nft_batch_last_seq(b), 102);
	(void)nft_batch_bytes(b, false, &whole);
	(void)nft_batch_bytes(b, true, &dry);
	assert_int_equal(whole - dry, message(b, 3)->nlmsg_len);
	(void)nft_batch_free(b);
}

/* From 4c000380 on (the nest of elements) as in `nft --debug=mnl add element` of nft 1.0.6 for the same element. */
static void an_element_of_a_verdict_map_is_encoded_like_nft_does(void **state)
{
	struct fixture *f = *state;
	const struct nft_set *set = set_named(f, "c0_4");
	const struct nft_elem *elem = &set->elems[0];
	struct nft_batch *b = batch_new();

	nft_put_elems(b, set, &elem, 1);
	assert_int_equal(nft_batch_finish(b, NULL), 0);
	assert_hex(message(b, 1),
		   "780000000c0a05046500000000000000010000000b000100736c7569636500000900020063305f3400000000"
		   "4c000380480001801400018010000100c0000200060000000050000014000a8010000100c000027f06000000"
		   "005000001c0002801800028008000100fffffffc09000200725f313100000000");
	(void)nft_batch_free(b);
}

struct got {
	struct nft_key keys[8];
	uint32_t n, flags[8];
};

static int note_elem(struct nftnl_set_elem *e, void *arg)
{
	struct got *got = arg;
	uint32_t len;
	const void *key = nftnl_set_elem_get(e, NFTNL_SET_ELEM_KEY, &len);

	assert_true(got->n < 8 && len <= sizeof(got->keys[0].bytes));
	memcpy(got->keys[got->n].bytes, key, len);
	if (nftnl_set_elem_is_set(e, NFTNL_SET_ELEM_FLAGS))
		got->flags[got->n] = nftnl_set_elem_get_u32(e, NFTNL_SET_ELEM_FLAGS);
	got->n++;
	return 0;
}

static void an_interval_of_one_field_has_an_element_behind_its_end(void **state)
{
	struct fixture *f = *state;
	const struct nft_set *set = set_named(f, "nets4");
	struct nft_elem last = set->elems[0];
	const struct nft_elem *elems[] = { &set->elems[0], &last };
	struct nft_batch *b = batch_new();
	struct nftnl_set *s = nftnl_set_alloc();
	struct got got = { 0 };

	/* Up to the last address: nothing behind it. */
	memset(last.lo.bytes, 0xf0, 4);
	memset(last.hi.bytes, 0xff, 4);
	nft_put_elems(b, set, elems, 2);
	assert_int_equal(nft_batch_finish(b, NULL), 0);
	assert_int_equal(nftnl_set_elems_nlmsg_parse(message(b, 1), s), 0);
	assert_int_equal(nftnl_set_elem_foreach(s, note_elem, &got), 0);
	assert_int_equal(got.n, 3);
	assert_memory_equal(got.keys[0].bytes, "\x64\x40\x00\x00", 4);
	assert_memory_equal(got.keys[1].bytes, "\x64\x80\x00\x00", 4);
	assert_int_equal(got.flags[1], NFT_SET_ELEM_INTERVAL_END);
	assert_memory_equal(got.keys[2].bytes, "\xf0\xf0\xf0\xf0", 4);
	assert_int_equal(got.flags[2], 0);
	nftnl_set_free(s);
	(void)nft_batch_free(b);
}

static void a_lease_has_its_time_left(void **state)
{
	struct lease_op ops[] = {
		{ .client = ip("100.64.0.1"),
		  .lease = { .addr = ip("203.0.113.7"), .mark = MARK_NAMES, .expires_us = 90000000 } },
		{ .client = ip("100.64.0.1"), .lease = { .addr = ip("203.0.113.8"), .mark = MARK_NAMES } },
	};
	struct nft_batch *b = batch_new();

	nft_put_leases(b, ops, 2, 30000000, true);
	assert_int_equal(nft_batch_finish(b, NULL), 0);
	assert_int_equal(nft_batch_count(b), 1);
	assert_hex(message(b, 1),
		   "8c0000000c0a05046500000000000000010000000b000100736c756963650000100002006c345f3030303030"
		   "303232005c0003802c000180100001800c00010064400001cb0071070c000400000000000000ea600c000500"
		   "000000000000ea602c000180100001800c00010064400001cb0071080c00040000000000000000010c000500"
		   "0000000000000001");
	(void)nft_batch_free(b);
	/* Without updates: put in, take out, put in with its time. */
	b = batch_new();
	nft_put_leases(b, ops, 2, 30000000, false);
	assert_int_equal(nft_batch_finish(b, NULL), 0);
	assert_int_equal(nft_batch_count(b), 3);
	assert_int_equal(message(b, 1)->nlmsg_type & 0xff, NFT_MSG_NEWSETELEM);
	assert_int_equal(message(b, 2)->nlmsg_type & 0xff, NFT_MSG_DELSETELEM);
	assert_int_equal(message(b, 3)->nlmsg_type & 0xff, NFT_MSG_NEWSETELEM);
	(void)nft_batch_free(b);
}

#define LOTS 3000

static void many_elements_are_split_into_messages(void **state)
{
	struct fixture *f = *state;
	const struct nft_set *set = set_named(f, "c0_4");
	const struct nft_elem *elems[LOTS];
	struct nft_batch *b = batch_new();
	struct nlattr *attr, *elem;
	uint32_t n = 0;

	for (int i = 0; i < LOTS; i++)
		elems[i] = &set->elems[i & 1];
	nft_put_elems(b, set, elems, LOTS);
	assert_int_equal(nft_batch_finish(b, NULL), 0);
	assert_true(nft_batch_count(b) > 1);
	for (int i = 1; i <= (int)nft_batch_count(b); i++) {
		mnl_attr_for_each(attr, message(b, i), sizeof(struct nfgenmsg))
		{
			if (mnl_attr_get_type(attr) != NFTA_SET_ELEM_LIST_ELEMENTS)
				continue;
			mnl_attr_for_each_nested(elem, attr) n++;
		}
	}
	assert_int_equal(n, LOTS);
	(void)nft_batch_free(b);
}

static void a_place_is_named_with_the_policy_position(void **state)
{
	struct fixture *f = *state;
	const struct nft_set *set = set_named(f, "c0_4");
	const struct nft_elem *elems[] = { &set->elems[0], &set->elems[1] };
	struct nft_batch *b = batch_new();
	const struct nlmsghdr *nlh;
	struct nlattr *attr, *elem;
	uint32_t offs[2] = { 0 }, n = 0;
	char place[160];

	nft_put_elems(b, set, elems, 2);
	nft_put_chain(b, &f->prog.chains[0]);
	assert_int_equal(nft_batch_finish(b, NULL), 0);
	nlh = message(b, 1);
	mnl_attr_for_each(attr, nlh, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(attr) != NFTA_SET_ELEM_LIST_ELEMENTS)
			continue;
		mnl_attr_for_each_nested(elem, attr) offs[n++] =
			(uint32_t)((const uint8_t *)elem - (const uint8_t *)nlh);
	}
	assert_int_equal(n, 2);
	assert_string_equal(nft_batch_place(b, 101, offs[0] + 8, place, sizeof(place)), "/grants/0: set c0_4");
	assert_string_equal(nft_batch_place(b, 101, offs[1], place, sizeof(place)), "/denies/0: set c0_4");
	assert_string_equal(nft_batch_place(b, 101, 0, place, sizeof(place)), "set c0_4");
	assert_string_equal(nft_batch_place(b, 102, 24, place, sizeof(place)), "chain r_11");
	assert_string_equal(nft_batch_place(b, 100, 0, place, sizeof(place)), "batch");
	assert_string_equal(nft_batch_place(b, 9999, 0, place, sizeof(place)), "batch");
	(void)nft_batch_free(b);
}

static void rule_expr_names(const struct nft_batch *b, int i, char *names, size_t len)
{
	struct nftnl_rule *r = nftnl_rule_alloc();
	struct nftnl_expr_iter *it;
	struct nftnl_expr *x;
	size_t at = 0;

	assert_int_equal(nftnl_rule_nlmsg_parse(message(b, i), r), 0);
	it = nftnl_expr_iter_create(r);
	while ((x = nftnl_expr_iter_next(it)) != NULL)
		at += (size_t)snprintf(names + at, len - at, "%s ", nftnl_expr_get_str(x, NFTNL_EXPR_NAME));
	nftnl_expr_iter_destroy(it);
	nftnl_rule_free(r);
}

static void addresses_are_read_behind_a_test_of_the_family(void **state)
{
	struct fixture *f = *state;
	const struct nft_chain *class = &f->prog.chains[3];
	struct nft_batch *b = batch_new();
	char names[256];

	nft_put_rules(b, class);
	assert_int_equal(nft_batch_finish(b, NULL), 0);
	rule_expr_names(b, 2, names, sizeof(names));
	assert_string_equal(names, "meta cmp payload meta payload lookup ");
	rule_expr_names(b, 3, names, sizeof(names));
	assert_string_equal(names, "meta payload lookup meta cmp payload payload lookup immediate ");
	(void)nft_batch_free(b);
}

static void a_jump_to_nowhere_fails_the_batch(void **state)
{
	struct nft_stmt stmts[] = { { .kind = NFT_S_VERDICT, .verdict = NFT_V_JUMP } };
	struct nft_rule rules[] = { { stmts, 1, NULL } };
	struct nft_chain chain = { .name = "x", .rules = rules, .n_rules = 1 };
	struct nft_batch *b = batch_new();

	nft_put_rules(b, &chain);
	assert_int_equal(nft_batch_finish(b, NULL), -EINVAL);
	(void)nft_batch_free(b);
}

int main(void)
{
#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		WITH_FIXTURE(a_batch_has_a_begin_an_end_and_one_acknowledgement),
		WITH_FIXTURE(an_element_of_a_verdict_map_is_encoded_like_nft_does),
		WITH_FIXTURE(an_interval_of_one_field_has_an_element_behind_its_end),
		WITH_FIXTURE(a_lease_has_its_time_left),
		WITH_FIXTURE(many_elements_are_split_into_messages),
		WITH_FIXTURE(a_place_is_named_with_the_policy_position),
		WITH_FIXTURE(addresses_are_read_behind_a_test_of_the_family),
		WITH_FIXTURE(a_jump_to_nowhere_fails_the_batch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
