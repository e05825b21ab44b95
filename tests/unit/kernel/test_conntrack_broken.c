/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Dumps of the connection table that do not come whole: the answers of the kernel, in a network namespace of this
 * process, with pieces taken out or marked as interrupted on their way (the linker puts our reader before libmnl's).
 * Needs root; else skipped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <sched.h>

#include "fixture.h"
#include "gatewayd/revoke.h"

#define FLOWS 500u /* several pieces of a dump */

enum trouble { NONE = 0, LOSE_PIECE, MARK_INTERRUPTED, SIGNAL_FIRST };

static struct {
	enum trouble trouble;
	int times; /* how often it still happens */
	int met;
} way;

ssize_t __real_mnl_socket_recvfrom(const struct mnl_socket *nl, void *buf, size_t size);
ssize_t __wrap_mnl_socket_recvfrom(const struct mnl_socket *nl, void *buf, size_t size);

ssize_t __wrap_mnl_socket_recvfrom(const struct mnl_socket *nl, void *buf, size_t size)
{
	struct nlmsghdr *nlh = buf;
	ssize_t n;

	if (way.trouble == SIGNAL_FIRST && way.times > 0) {
		way.times--;
		way.met++;
		errno = EINTR;
		return -1;
	}
	n = __real_mnl_socket_recvfrom(nl, buf, size);
	if (n <= 0 || nlh->nlmsg_type >> 8 != NFNL_SUBSYS_CTNETLINK || way.times <= 0)
		return n;
	way.times--;
	way.met++;
	if (way.trouble == MARK_INTERRUPTED)
		nlh->nlmsg_flags |= NLM_F_DUMP_INTR;
	if (way.trouble != LOSE_PIECE)
		return n;
	errno = ENOBUFS;
	return -1;
}

struct state {
	struct fixture *f;
	struct conntrack *ct;
	struct revoke_env env;
	struct err e;
};

static int setup(void **state)
{
	struct state *s = calloc(1, sizeof(*s));
	char command[300];

	if (s == NULL || unshare(CLONE_NEWNET) == -1 || conntrack_open(&s->ct, &s->e) < 0)
		return -1;
	s->f = fixture_new();
	/* All of them are to go: no rule allows port 81. */
	s->env = (struct revoke_env){ .plan = &s->f->plan };
	(void)snprintf(command, sizeof(command),
		       "for i in $(seq 1 %u); do echo \"-I -s 100.64.0.1 -d 192.0.2.5 -p udp --sport $i --dport 81 "
		       "--reply-port-src 81 --reply-port-dst $i -t 300\"; done | conntrack -R - >/dev/null 2>&1",
		       FLOWS);
	way.times = way.met = 0;
	*state = s;
	return system(command) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
	struct state *s = *state;

	(void)conntrack_free(s->ct);
	(void)fixture_free(s->f);
	free(s);
	return 0;
}

static void happens(enum trouble trouble, int times)
{
	way.trouble = trouble;
	way.times = times;
	way.met = 0;
}

static void a_lost_piece_is_read_by_another_walk(void **state)
{
	struct state *s = *state;
	struct revoke_result res;

	happens(LOSE_PIECE, 1);
	assert_int_equal(revoke_flows(s->ct, &s->env, NULL, NULL, &res, &s->e), 0);
	assert_int_equal(way.met, 1);
	assert_int_equal(res.cut, FLOWS);
	assert_int_equal(revoke_flows(s->ct, &s->env, NULL, NULL, &res, &s->e), 0);
	assert_int_equal(res.seen, 0);
}

static void a_walk_that_is_interrupted_is_repeated(void **state)
{
	struct state *s = *state;
	struct revoke_result res;

	happens(MARK_INTERRUPTED, 2);
	assert_int_equal(revoke_flows(s->ct, &s->env, NULL, NULL, &res, &s->e), 0);
	assert_int_equal(way.met, 2);
	assert_int_equal(res.cut, FLOWS);
}

static void one_that_never_comes_whole_is_an_error_and_cuts_what_it_saw(void **state)
{
	struct state *s = *state;
	struct revoke_result res;

	s->env.plan = &s->f->plan;
	happens(LOSE_PIECE, 1 << 20);
	assert_int_equal(revoke_flows(s->ct, &s->env, NULL, NULL, &res, &s->e), -EINTR);
	assert_true(way.met >= REVOKE_WALKS_MAX);
	assert_int_equal(res.cut, 0);
	happens(NONE, 0);
	assert_int_equal(revoke_flows(s->ct, &s->env, NULL, NULL, &res, &s->e), 0);
	assert_int_equal(res.cut, FLOWS);
}

static void a_signal_is_no_interruption(void **state)
{
	struct state *s = *state;
	struct revoke_result res;

	happens(SIGNAL_FIRST, 3);
	assert_int_equal(revoke_flows(s->ct, &s->env, NULL, NULL, &res, &s->e), 0);
	assert_int_equal(way.met, 3);
	assert_int_equal(res.cut, FLOWS);
}

int main(void)
{
#define IN_NETNS(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		IN_NETNS(a_lost_piece_is_read_by_another_walk),
		IN_NETNS(a_walk_that_is_interrupted_is_repeated),
		IN_NETNS(one_that_never_comes_whole_is_an_error_and_cuts_what_it_saw),
		IN_NETNS(a_signal_is_no_interruption),
	};

	if (geteuid() != 0 || access("/usr/sbin/conntrack", X_OK) != 0)
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
