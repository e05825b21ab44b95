/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The last refused packets: what is kept of them, by which names, and what is not. */
#include "gatewayd/drops.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define FIRST 1000u
#define NOW   UINT64_C(1790000000000000)

struct fixture {
	struct drops *drops;
	struct plan plan;
	struct plan_rule rules[1];
	uint32_t by_mark[1];
	struct plan_device devices[3];
	struct plan_addr addrs[3];
};

static struct ip_addr ip(const char *text)
{
	struct ip_addr a;

	assert_int_equal(ip_addr_parse(text, &a), 0);
	return a;
}

/* server 100.64.0.1 full, tv 100.64.0.2 off, meter 100.64.0.3 counts. */
static int setup(void **state)
{
	static const char *const names[] = { "server", "tv", "meter" };
	static const enum log_level levels[] = { LOG_LEVEL_FULL, LOG_LEVEL_OFF, LOG_LEVEL_COUNTS };
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->drops = drops_new(FIRST);
	assert_non_null(f->drops);
	for (uint32_t i = 0; i < 3; i++) {
		char text[16];

		(void)snprintf(text, sizeof(text), "100.64.0.%u", i + 1);
		f->addrs[i] = (struct plan_addr){ .addr = ip(text), .device = i };
		f->devices[i] = (struct plan_device){ .name = names[i], .flows = levels[i] };
	}
	f->rules[0] =
		(struct plan_rule){ .mark = 0x4711, .action = PLAN_DROP, .pos = "/denies/0", .line = 14, .col = 5 };
	f->plan = (struct plan){ .rules = f->rules,
				 .n_rules = 1,
				 .by_mark = f->by_mark,
				 .devices = f->devices,
				 .n_devices = 3,
				 .addrs = f->addrs,
				 .n_addrs = 3 };
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	f->drops = drops_free(f->drops);
	free(f);
	return 0;
}

static struct msg_drop message(enum drop_reason reason, const char *src)
{
	return (struct msg_drop){ .reason = reason,
				  .mark = 0x4711,
				  .src = ip(src),
				  .dst = ip("198.51.100.1"),
				  .proto = 6,
				  .has_ports = 1,
				  .src_port = 40000,
				  .dst_port = 443 };
}

static void note(struct fixture *f, enum drop_reason reason, const char *src, uint64_t now_us)
{
	struct msg_drop m = message(reason, src);

	assert_int_equal(drops_note(f->drops, &f->plan, &m, now_us), 0);
}

static void device_and_rule_are_named_by_the_plan_of_the_time(void **state)
{
	struct fixture *f = *state;
	const struct drop *d;

	note(f, DROP_DENY, "100.64.0.1", NOW);
	f->rules[0].pos = "/denies/7";
	f->devices[0].name = "other";
	d = drops_next(f->drops, 0);
	assert_non_null(d);
	assert_int_equal(d->number, FIRST);
	assert_string_equal(d->device, "server");
	assert_string_equal(d->rule, "/denies/0");
	assert_int_equal(d->line, 14);
	assert_int_equal(d->dst_port, 443);
	assert_int_equal(d->at_us, NOW);
	assert_null(drops_next(f->drops, d->number));
	assert_int_equal(drops_last(f->drops), FIRST);
}

static void a_rule_that_is_gone_has_no_name(void **state)
{
	struct fixture *f = *state;
	struct msg_drop m = message(DROP_DENY, "100.64.0.1");

	m.mark = 1;
	assert_int_equal(drops_note(f->drops, &f->plan, &m, NOW), 0);
	assert_string_equal(drops_next(f->drops, 0)->rule, "");
}

static void who_has_not_opted_in_is_not_kept(void **state)
{
	struct fixture *f = *state;

	note(f, DROP_NO_RULE, "100.64.0.2", NOW);
	note(f, DROP_NO_RULE, "100.64.0.9", NOW); /* gone since: what it had asked for is not known */
	f->devices[0].flows = LOG_LEVEL_PSEUDONYMOUS;
	note(f, DROP_NO_RULE, "100.64.0.1", NOW);
	/* Registered since. */
	note(f, DROP_UNKNOWN, "100.64.0.2", NOW);
	assert_null(drops_next(f->drops, 0));
	assert_int_equal(drops_last(f->drops), FIRST - 1);
	assert_int_equal(drops_stats(f->drops)->ignored, 4);
}

static void a_level_of_counts_keeps_no_destination(void **state)
{
	struct fixture *f = *state;
	const struct drop *d;

	note(f, DROP_DENY, "100.64.0.3", NOW);
	d = drops_next(f->drops, 0);
	assert_string_equal(d->device, "meter");
	assert_string_equal(d->rule, "/denies/0");
	assert_int_equal(d->dst.family, IP_NONE);
	assert_false(d->has_ports);
	assert_int_equal(d->dst_port, 0);
	assert_int_equal(d->proto, 0);
}

static void strangers_are_kept_without_a_name(void **state)
{
	struct fixture *f = *state;
	const struct drop *d;

	note(f, DROP_UNKNOWN, "100.64.0.9", NOW);
	note(f, DROP_SPOOFED, "100.64.0.2", NOW);
	d = drops_next(f->drops, 0);
	assert_string_equal(d->device, "");
	d = drops_next(f->drops, d->number);
	assert_int_equal(d->reason, DROP_SPOOFED);
	assert_string_equal(d->device, "");
}

static void the_oldest_make_room(void **state)
{
	struct fixture *f = *state;
	const struct drop *d;
	uint32_t n = 0;

	for (uint32_t i = 0; i < 3 * DROPS_KEPT_MAX; i++)
		note(f, DROP_NO_RULE, "100.64.0.1", NOW + i * UINT64_C(100000));
	d = drops_next(f->drops, 0);
	assert_int_equal(d->number, FIRST + 2 * DROPS_KEPT_MAX);
	for (; d != NULL; d = drops_next(f->drops, d->number))
		n++;
	assert_int_equal(n, DROPS_KEPT_MAX);
}

static void more_than_a_kernel_tells_in_a_second_is_not_believed(void **state)
{
	struct fixture *f = *state;

	for (uint32_t i = 0; i < DROPS_PER_S_MAX + 5; i++)
		note(f, DROP_NO_RULE, "100.64.0.1", NOW);
	assert_int_equal(drops_stats(f->drops)->told, DROPS_PER_S_MAX);
	assert_int_equal(drops_stats(f->drops)->ignored, 5);
	note(f, DROP_NO_RULE, "100.64.0.1", NOW + 1000000);
	assert_int_equal(drops_stats(f->drops)->told, DROPS_PER_S_MAX + 1);
}

static void what_no_kernel_says_is_refused(void **state)
{
	struct fixture *f = *state;
	struct msg_drop m = message(DROP_NO_RULE, "100.64.0.1");

	m.reason = DROP_REASON_MAX;
	assert_int_equal(drops_note(f->drops, &f->plan, &m, NOW), -EBADMSG);
	m = message(DROP_NO_RULE, "100.64.0.1");
	m.dst = ip("2001:db8::1");
	assert_int_equal(drops_note(f->drops, &f->plan, &m, NOW), -EBADMSG);
	m.src.family = m.dst.family = 9;
	assert_int_equal(drops_note(f->drops, &f->plan, &m, NOW), -EBADMSG);
	assert_int_equal(drops_note(f->drops, NULL, &(struct msg_drop){ 0 }, NOW), -EBADMSG);
}

int main(void)
{
#define WITH_PLAN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		WITH_PLAN(device_and_rule_are_named_by_the_plan_of_the_time),
		WITH_PLAN(a_rule_that_is_gone_has_no_name),
		WITH_PLAN(who_has_not_opted_in_is_not_kept),
		WITH_PLAN(a_level_of_counts_keeps_no_destination),
		WITH_PLAN(strangers_are_kept_without_a_name),
		WITH_PLAN(the_oldest_make_room),
		WITH_PLAN(more_than_a_kernel_tells_in_a_second_is_not_believed),
		WITH_PLAN(what_no_kernel_says_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
