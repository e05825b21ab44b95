/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dnsd/commands.c: parts of workers become one answer, whatever order they come in; nothing is answered twice. */
#include "dnsd/command.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct fixture {
	struct commands *cs;
	uint32_t n[64]; /* messages of each type */
	struct msg_dns_stats stats;
	struct msg_dns_done done;
	struct msg_dns_upstream upstream;
	struct msg_dns_found found;
	uint8_t answer[64];
};

static void on_send(void *arg, enum msg_type type, const void *body, size_t len)
{
	struct fixture *f = arg;

	f->n[type]++;
	if (type == MSG_DNS_STATS)
		memcpy(&f->stats, body, sizeof(f->stats));
	if (type == MSG_DNS_DONE)
		memcpy(&f->done, body, sizeof(f->done));
	if (type == MSG_DNS_UPSTREAM)
		memcpy(&f->upstream, body, sizeof(f->upstream));
	if (type != MSG_DNS_FOUND)
		return;
	memcpy(&f->found, body, sizeof(f->found));
	assert_int_equal(len, sizeof(f->found) + f->found.answer_len);
	memcpy(f->answer, (const uint8_t *)body + sizeof(f->found), f->found.answer_len);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->cs = commands_new(on_send, f);
	assert_non_null(f->cs);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	free(f->cs);
	free(f);
	return 0;
}

static struct msg_dns_command ask_of(uint64_t req_id, enum dns_command what, const char *name)
{
	struct msg_dns_command ask = { .req_id = req_id, .what = what, .type = 1 };

	(void)snprintf(ask.name, sizeof(ask.name), "%s", name);
	return ask;
}

static struct command *part(const struct msg_dns_command *ask, uint32_t worker)
{
	struct command *c = NULL;

	assert_int_equal(command_new(ask, worker, &c, NULL), 0);
	return c;
}

static void upstreams_add(struct command *c, uint32_t state, uint64_t asked, uint32_t rtt_us)
{
	c->upstreams = calloc(2, sizeof(*c->upstreams));
	assert_non_null(c->upstreams);
	c->n_upstreams = 1;
	c->upstreams[0].req_id = c->ask.req_id;
	c->upstreams[0].kind = UPSTREAM_UDP;
	c->upstreams[0].port = 53;
	c->upstreams[0].state = state;
	c->upstreams[0].asked = asked;
	c->upstreams[0].workers_down = state == DNS_UPSTREAM_DOWN;
	c->upstreams[0].rtt_us = rtt_us;
	(void)snprintf(c->upstreams[0].suffix, sizeof(c->upstreams[0].suffix), "corp.example");
}

static void status_is_that_of_all_workers(void **state)
{
	struct fixture *f = *state;
	struct msg_dns_command ask = ask_of(7, DNS_COMMAND_STATUS, "");
	struct command *a, *b;

	assert_int_equal(commands_begin(f->cs, &ask, 2), 0);
	a = part(&ask, 1);
	b = part(&ask, 0);
	a->generation = 5;
	b->generation = 4;
	stats_outcome(&a->stats, DNS_OUTCOME_CACHED);
	stats_outcome(&b->stats, DNS_OUTCOME_CACHED);
	stats_stage(&a->stats, DNS_STAGE_WHOLE, 10);
	stats_stage(&b->stats, DNS_STAGE_WHOLE, 40);
	a->cache = (struct cache_size){ .entries = 3, .bytes = 100, .limit = 1000 };
	b->cache = (struct cache_size){ .entries = 4, .bytes = 200, .limit = 1000 };
	a->under_way = b->under_way = 2;
	upstreams_add(a, DNS_UPSTREAM_UP, 10, 900);
	upstreams_add(b, DNS_UPSTREAM_DOWN, 5, 700);
	commands_part(f->cs, a, 1000000);
	assert_int_equal(f->n[MSG_DNS_DONE], 0);
	commands_part(f->cs, b, 2000000);
	assert_int_equal(f->n[MSG_DNS_STATS], 1);
	assert_int_equal(f->n[MSG_DNS_DONE], 1);
	assert_int_equal(f->done.req_id, 7);
	assert_int_equal(f->done.status, 0);
	assert_int_equal(f->stats.workers, 2);
	assert_int_equal(f->stats.generation, 4);
	assert_int_equal(f->stats.age_us, 2000000);
	assert_int_equal(f->stats.under_way, 4);
	assert_int_equal(f->stats.cache_entries, 7);
	assert_int_equal(f->stats.cache_limit_bytes, 2000);
	assert_int_equal(f->stats.counts.outcomes[DNS_OUTCOME_CACHED], 2);
	assert_int_equal(f->stats.latencies[DNS_STAGE_WHOLE].count, 2);
	assert_int_equal(f->stats.latencies[DNS_STAGE_WHOLE].p50_us, 10);
	assert_int_equal(f->stats.latencies[DNS_STAGE_WHOLE].max_us, 40);
	assert_int_equal(f->n[MSG_DNS_UPSTREAM], 1);
	assert_int_equal(f->upstream.state, DNS_UPSTREAM_DOWN);
	assert_int_equal(f->upstream.workers_down, 1);
	assert_int_equal(f->upstream.asked, 15);
	assert_int_equal(f->upstream.rtt_us, 700);
}

static void flushed_entries_are_added_up(void **state)
{
	struct fixture *f = *state;
	struct msg_dns_command ask = ask_of(1, DNS_COMMAND_FLUSH, "example.org");
	struct command *a, *b;

	assert_int_equal(commands_begin(f->cs, &ask, 2), 0);
	a = part(&ask, 0);
	b = part(&ask, 1);
	a->flushed = 2;
	b->flushed = 3;
	b->made_anew = true;
	commands_part(f->cs, a, 0);
	commands_part(f->cs, b, 0);
	assert_int_equal(f->done.count, 5);
	assert_string_not_equal(f->done.text, "");
}

static void failure_of_one_worker_is_told(void **state)
{
	struct fixture *f = *state;
	struct msg_dns_command ask = ask_of(1, DNS_COMMAND_STATUS, "");
	struct command *a, *b;

	assert_int_equal(commands_begin(f->cs, &ask, 2), 0);
	a = part(&ask, 0);
	b = part(&ask, 1);
	b->status = -ENOMEM;
	commands_part(f->cs, a, 0);
	commands_part(f->cs, b, 0);
	assert_int_equal(f->done.status, -ENOMEM);
	assert_string_not_equal(f->done.text, "");
	assert_int_equal(f->n[MSG_DNS_STATS], 0);
}

static void entries_are_passed_on_as_they_come(void **state)
{
	struct fixture *f = *state;
	struct msg_dns_command ask = ask_of(1, DNS_COMMAND_CACHE, "example.org");
	struct command *a;

	assert_int_equal(commands_begin(f->cs, &ask, 2), 0);
	a = part(&ask, 0);
	a->entries = calloc(3, sizeof(*a->entries));
	assert_non_null(a->entries);
	a->n_entries = 3;
	commands_part(f->cs, a, 0);
	assert_int_equal(f->n[MSG_DNS_ENTRY], 3);
	assert_int_equal(f->n[MSG_DNS_DONE], 0);
	commands_part(f->cs, part(&ask, 1), 0);
	assert_int_equal(f->n[MSG_DNS_DONE], 1);
	assert_int_equal(f->done.count, 3);
}

/* A message of ours with an OPT record that says why. */
static void reason_is_read_from_the_answer(void **state)
{
	static const uint8_t msg[] = "\0\0\x81\x82\0\1\0\0\0\0\0\1\1x\0\0\1\0\1"
				     "\0\0\x29\x04\xd0\0\0\0\0\0\x0c\0\x0f\0\x08\0\x16silent";
	struct fixture *f = *state;
	struct msg_dns_command ask = ask_of(9, DNS_COMMAND_LOOKUP, "x");
	struct query_env *env = calloc(1, sizeof(*env));
	struct command *c;

	assert_non_null(env);
	env->now_us = 1500;
	assert_int_equal(commands_begin(f->cs, &ask, 1), 0);
	c = part(&ask, 0);
	c->began_us = 500;
	c->trace.outcome = DNS_OUTCOME_TIMED_OUT;
	(void)snprintf(c->trace.device, sizeof(c->trace.device), "tv");
	assert_int_equal(dname_parse("corp.example", 12, &c->trace.split), 0);
	command_answered(c, env, msg, sizeof(msg) - 1);
	commands_part(f->cs, c, 0);
	assert_int_equal(f->n[MSG_DNS_FOUND], 1);
	assert_int_equal(f->found.outcome, DNS_OUTCOME_TIMED_OUT);
	assert_int_equal(f->found.took_us, 1000);
	assert_int_equal(f->found.ede, 22);
	assert_string_equal(f->found.text, "silent");
	assert_string_equal(f->found.device, "tv");
	assert_string_equal(f->found.suffix, "corp.example");
	assert_int_equal(f->found.answer_len, sizeof(msg) - 1);
	assert_memory_equal(f->answer, msg, sizeof(msg) - 1);
	free(env);
}

static void too_many_are_refused_and_late_parts_dropped(void **state)
{
	struct fixture *f = *state;
	struct msg_dns_command ask = ask_of(0, DNS_COMMAND_STATUS, "");

	for (ask.req_id = 1; ask.req_id <= COMMANDS_MAX; ask.req_id++)
		assert_int_equal(commands_begin(f->cs, &ask, 1), 0);
	assert_int_equal(commands_begin(f->cs, &ask, 1), -EBUSY);
	assert_int_equal(f->done.req_id, COMMANDS_MAX + 1);
	assert_int_equal(f->done.status, -EBUSY);
	commands_part(f->cs, part(&ask, 0), 0); /* of the one that was refused */
	assert_int_equal(f->n[MSG_DNS_DONE], 1);
	ask.req_id = 1;
	commands_part(f->cs, part(&ask, 0), 0);
	assert_int_equal(f->n[MSG_DNS_DONE], 2);
	ask.req_id = 1000;
	assert_int_equal(commands_begin(f->cs, &ask, 1), 0); /* its place is free */
	for (ask.req_id = 2; ask.req_id <= COMMANDS_MAX; ask.req_id++)
		commands_part(f->cs, part(&ask, 0), 0);
	ask.req_id = 1000;
	commands_part(f->cs, part(&ask, 0), 0);
	assert_int_equal(f->n[MSG_DNS_DONE], COMMANDS_MAX + 2);
}

static void nonsense_is_no_command(void **state)
{
	struct msg_dns_command ask = ask_of(1, DNS_COMMAND_LOOKUP, "");
	struct command *c;

	(void)state;
	assert_int_equal(command_new(&ask, 0, &c, NULL), -EBADMSG);
	ask = ask_of(1, DNS_COMMAND_CACHE, "a..b");
	assert_int_equal(command_new(&ask, 0, &c, NULL), -EBADMSG);
	ask = ask_of(1, DNS_COMMAND_MAX, "a.b");
	assert_int_equal(command_new(&ask, 0, &c, NULL), -EBADMSG);
	memset(ask.name, 'x', sizeof(ask.name)); /* no end */
	ask.what = DNS_COMMAND_FLUSH;
	assert_int_equal(command_new(&ask, 0, &c, NULL), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(status_is_that_of_all_workers, setup, teardown),
		cmocka_unit_test_setup_teardown(flushed_entries_are_added_up, setup, teardown),
		cmocka_unit_test_setup_teardown(failure_of_one_worker_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(entries_are_passed_on_as_they_come, setup, teardown),
		cmocka_unit_test_setup_teardown(reason_is_read_from_the_answer, setup, teardown),
		cmocka_unit_test_setup_teardown(too_many_are_refused_and_late_parts_dropped, setup, teardown),
		cmocka_unit_test(nonsense_is_no_command),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
