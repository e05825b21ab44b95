/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dnsd/zone_load.c: which names share a limit, and that what enters leaves. */
#include "dnsd/zone_load.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static bool enter(struct zone_load *z, const char *name, uint32_t *ret_ticket)
{
	struct dname n;

	assert_int_equal(dname_parse(name, strlen(name), &n), 0);
	return zone_enter(z, &n, ret_ticket);
}

/* The zone of @full is full; has @name room? */
static bool room_beside(const char *full, const char *name)
{
	static struct zone_load z;
	uint32_t ticket;

	zone_load_init(&z);
	for (uint32_t i = 0; i < ZONE_LOAD_MAX; i++)
		assert_true(enter(&z, full, &ticket));
	assert_false(enter(&z, full, &ticket));
	assert_int_equal(z.refused, 1);
	return enter(&z, name, &ticket);
}

static void names_of_a_zone_share_its_places(void **state)
{
	static const struct {
		const char *full, *name;
		bool room;
	} cases[] = {
		{ "a.example.com", "b.c.example.com", false },
		{ "a.example.com", "example.com", false },
		{ "a.example.com", "a.example.org", true },
		{ "a.example.com", "com", true },
		{ "x.shop.co.uk", "y.z.shop.co.uk", false },
		{ "x.shop.co.uk", "x.other.co.uk", true },
		{ "x.example.de", "y.example.de", false },
		{ "x.other.example.de", "y.example.de", false },
		{ "1.2.0.192.in-addr.arpa", "9.8.0.192.in-addr.arpa", false },
		{ "1.2.0.192.in-addr.arpa", "1.2.51.198.in-addr.arpa", true },
		{ ".", "com", true },
		{ ".", ".", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (room_beside(cases[i].full, cases[i].name) != cases[i].room)
			fail_msg("%s beside %s", cases[i].name, cases[i].full);
}

static void who_leaves_makes_room(void **state)
{
	static struct zone_load z;
	uint32_t tickets[ZONE_LOAD_MAX], other;

	(void)state;
	zone_load_init(&z);
	for (int round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < ZONE_LOAD_MAX; i++)
			assert_true(enter(&z, "a.example", &tickets[i]));
		assert_false(enter(&z, "a.example", &other));
		zone_leave(&z, 0);
		assert_false(enter(&z, "a.example", &other));
		zone_leave(&z, tickets[0]);
		assert_true(enter(&z, "b.example", &tickets[0]));
		for (uint32_t i = 0; i < ZONE_LOAD_MAX; i++) {
			assert_int_not_equal(tickets[i], 0);
			zone_leave(&z, tickets[i]);
		}
	}
	for (size_t i = 0; i < ZONE_LOAD_SLOTS; i++)
		assert_int_equal(z.under_way[0][i] + z.under_way[1][i], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_a_zone_share_its_places),
		cmocka_unit_test(who_leaves_makes_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
