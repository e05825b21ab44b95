/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The kernel's connection table, in a network namespace of this process: entries are made with the conntrack tool, then
 * judged and cut. Needs root; else skipped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack_tcp.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>

#include "fixture.h"
#include "gatewayd/nft_apply.h"
#include "gatewayd/nft_learn.h"
#include "gatewayd/revoke.h"

#define NOW  UINT64_C(5000000000)
#define S(n) ((n)*UINT64_C(1000000))

struct state {
	struct fixture *f;
	struct conntrack *ct;
	struct err e;
};

static int setup(void **state)
{
	struct state *s = calloc(1, sizeof(*s));

	if (s == NULL || unshare(CLONE_NEWNET) == -1 || conntrack_open(&s->ct, &s->e) < 0)
		return -1;
	s->f = fixture_new();
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct state *s = *state;

	(void)conntrack_free(s->ct);
	(void)fixture_free(s->f);
	free(s);
	return 0;
}

static void entry_add(const char *src, const char *dst, const char *proto, int dport, uint32_t mark)
{
	char command[300];

	(void)snprintf(command, sizeof(command),
		       "conntrack -I -s %s -d %s -p %s --sport 40000 --dport %d --reply-port-src %d "
		       "--reply-port-dst 40000 -t 300 -m %u %s >/dev/null 2>&1",
		       src, dst, proto, dport, dport, mark, strcmp(proto, "tcp") == 0 ? "--state ESTABLISHED" : "");
	assert_int_equal(system(command), 0);
}

/* What the tool cannot say: @master_port: announced by the flow of the same addresses to that port, or 0; @dnat: the
 * address that it was redirected to, or NULL. */
static void entry_make(const char *src, const char *dst, uint16_t dport, uint16_t master_port, const char *dnat)
{
	struct nfct_handle *h = nfct_open(CONNTRACK, 0);
	struct nf_conntrack *k = nfct_new();
	struct ip_addr from = ip(src), to = ip(dst), other = ip(dnat != NULL ? dnat : dst);

	assert_non_null(h);
	assert_non_null(k);
	nfct_set_attr_u8(k, ATTR_L3PROTO, AF_INET);
	nfct_set_attr(k, ATTR_IPV4_SRC, from.bytes);
	nfct_set_attr(k, ATTR_IPV4_DST, to.bytes);
	nfct_set_attr_u8(k, ATTR_L4PROTO, IPPROTO_TCP);
	nfct_set_attr_u16(k, ATTR_PORT_SRC, htons(40001));
	nfct_set_attr_u16(k, ATTR_PORT_DST, htons(dport));
	nfct_setobjopt(k, NFCT_SOPT_SETUP_REPLY);
	nfct_set_attr_u8(k, ATTR_TCP_STATE, TCP_CONNTRACK_ESTABLISHED);
	nfct_set_attr_u32(k, ATTR_TIMEOUT, 300);
	if (dnat != NULL)
		nfct_set_attr(k, ATTR_DNAT_IPV4, other.bytes);
	if (master_port != 0) {
		nfct_set_attr_u8(k, ATTR_MASTER_L3PROTO, AF_INET);
		nfct_set_attr(k, ATTR_MASTER_IPV4_SRC, from.bytes);
		nfct_set_attr(k, ATTR_MASTER_IPV4_DST, to.bytes);
		nfct_set_attr_u8(k, ATTR_MASTER_L4PROTO, IPPROTO_TCP);
		nfct_set_attr_u16(k, ATTR_MASTER_PORT_SRC, htons(40000));
		nfct_set_attr_u16(k, ATTR_MASTER_PORT_DST, htons(master_port));
	}
	if (nfct_query(h, NFCT_Q_CREATE, k) == -1)
		fail_msg("create an entry: %s", strerror(errno));
	nfct_destroy(k);
	(void)nfct_close(h);
}

struct cuts {
	int n;
	uint16_t dports[8];
	enum revoke_reason reasons[8];
};

static void note_cut(void *arg, const struct ct_flow *flow, enum revoke_reason reason)
{
	struct cuts *c = arg;

	assert_true(c->n < 8);
	c->dports[c->n] = flow->dport;
	c->reasons[c->n++] = reason;
}

static enum ct_next count(void *arg, const struct ct_flow *flow)
{
	++*(int *)arg;
	return CT_KEEP;
}

static void exactly_what_is_not_allowed_is_cut(void **state)
{
	struct state *s = *state;
	struct ip_prefix nets[] = { { ip("100.64.0.0"), 10 }, { ip("fd00::"), 8 } };
	struct revoke_env env = {
		.plan = &s->f->plan, .now_us = NOW, .tunnel_nets = nets, .n_tunnel_nets = 2, .dns_port = 53
	};
	struct revoke_result res;
	struct cuts cuts = { 0 };
	int left = 0;

	entry_add("100.64.0.1", "192.0.2.5", "tcp", 80, MARK_ADDRS);
	entry_add("100.64.0.1", "192.0.2.5", "tcp", 81, MARK_ADDRS);
	entry_add("100.64.0.1", "203.0.113.7", "udp", 443, MARK_NAMES);
	entry_add("100.64.0.2", "203.0.113.7", "udp", 443, MARK_NAMES);
	entry_add("fd00::1", "2001:db8::7", "tcp", 443, MARK_NAMES);
	entry_add("fd00::9", "2001:db8::7", "tcp", 443, MARK_NAMES);
	entry_add("192.168.1.9", "203.0.113.7", "tcp", 22, 0);
	assert_int_equal(revoke_flows(s->ct, &env, note_cut, &cuts, &res, &s->e), 0);
	assert_int_equal(res.seen, 7);
	assert_int_equal(res.cut, 3);
	assert_int_equal(cuts.n, 3);
	assert_int_equal(res.by_reason[REVOKE_NO_RULE], 1);
	assert_int_equal(res.by_reason[REVOKE_INACTIVE], 1);
	assert_int_equal(res.by_reason[REVOKE_UNKNOWN_DEVICE], 1);
	assert_int_equal(conntrack_each(s->ct, count, &left, NULL, &s->e), 0);
	assert_int_equal(left, 4);
	assert_int_equal(revoke_flows(s->ct, &env, note_cut, &cuts, &res, &s->e), 0);
	assert_int_equal(res.cut, 0);
}

static void announced_and_redirected_flows_are_judged_by_what_they_stand_for(void **state)
{
	struct state *s = *state;
	struct revoke_env env = { .plan = &s->f->plan, .now_us = NOW, .dns_port = 53 };
	struct revoke_result res;
	struct cuts cuts = { 0 };

	entry_add("100.64.0.1", "192.0.2.5", "tcp", 80, MARK_ADDRS);
	entry_make("100.64.0.1", "192.0.2.5", 50123, /* master_port= */ 80, NULL);
	/* To where a rule allows, in place of where none does; and the other way round. */
	entry_make("100.64.0.1", "198.51.100.1", 80, 0, "192.0.2.6");
	entry_make("100.64.0.1", "192.0.2.7", 80, 0, "198.51.100.1");
	assert_int_equal(revoke_flows(s->ct, &env, note_cut, &cuts, &res, &s->e), 0);
	assert_int_equal(res.seen, 4);
	assert_int_equal(res.cut, 1);
	assert_int_equal(cuts.reasons[0], REVOKE_NO_RULE);
	s->f->classes[0].quarantined = true;
	assert_int_equal(revoke_flows(s->ct, &env, note_cut, &cuts, &res, &s->e), 0);
	assert_int_equal(res.cut, 3);
	assert_int_equal(res.seen, 3);
}

static enum ct_next cut_every_third(void *arg, const struct ct_flow *flow)
{
	return ++*(int *)arg % 3 == 0 ? CT_CUT : CT_KEEP;
}

/* Deleting while the same table is read neither hides entries from the reader nor shows them twice. */
static void a_long_walk_that_cuts_sees_each_flow_once(void **state)
{
	const int n = 3000;
	struct state *s = *state;
	char dst[IP_TEXT_MAX];
	uint32_t cut = 0;
	int seen = 0, left = 0;

	for (int i = 0; i < n; i++) {
		(void)snprintf(dst, sizeof(dst), "198.18.%d.%d", i / 250, i % 250 + 1);
		entry_make("100.64.0.1", dst, 443, 0, NULL);
	}
	assert_int_equal(conntrack_each(s->ct, cut_every_third, &seen, &cut, &s->e), 0);
	assert_int_equal(seen, n);
	assert_int_equal(cut, n / 3);
	assert_int_equal(conntrack_each(s->ct, count, &left, NULL, &s->e), 0);
	assert_int_equal(left, n - n / 3);
}

static void a_living_flow_renews_its_lease_in_the_kernel(void **state)
{
	struct state *s = *state;
	struct nft_channel *ch = NULL;
	struct learned *l = NULL;
	struct nft_apply_result res;
	uint32_t mark = MARK_NAMES, n = 0;
	struct ip_addr addrs[] = { ip("203.0.113.7"), ip("203.0.113.8") }, client = ip("100.64.0.1");
	struct learn_req req = {
		.client = client, .ttl_s = 30, .rules = &mark, .n_rules = 1, .addrs = addrs, .n_addrs = 2
	};

	assert_int_equal(nft_channel_open(&ch, &s->e), 0);
	assert_int_equal(nft_channel_probe(ch, &s->e), 0);
	assert_int_equal(learned_new(&l, &s->e), 0);
	assert_int_equal(nft_apply(ch, NULL, &s->f->prog, NULL, NOW, &res, &s->e), 0);
	assert_int_equal(nft_learn(ch, l, &s->f->plan, &req, 1, NOW, &s->e), 0);
	entry_add("100.64.0.1", "203.0.113.7", "tcp", 443, MARK_NAMES);
	assert_int_equal(nft_learn_renew(ch, s->ct, l, NOW, &n, &s->e), 0);
	assert_int_equal(n, 0);
	assert_int_equal(nft_learn_renew(ch, s->ct, l, NOW + S(60), &n, &s->e), 0);
	assert_int_equal(n, 1);
	assert_true(learned_has(l, &client, &addrs[0], MARK_NAMES, NOW + S(170)));
	assert_false(learned_has(l, &client, &addrs[1], MARK_NAMES, NOW + S(100)));
	(void)learned_free(l);
	(void)nft_channel_free(ch);
}

static void events_are_heard(void **state)
{
	struct state *s = *state;
	char buf[8192];
	int fd = -1;

	assert_int_equal(ct_events_open(&fd, &s->e), 0);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_int_equal(recv(fd, buf, sizeof(buf), 0), -1);
	assert_int_equal(errno, EAGAIN);
	entry_add("100.64.0.1", "203.0.113.7", "tcp", 443, MARK_NAMES);
	assert_true(recv(fd, buf, sizeof(buf), 0) > 0);
	(void)close(fd);
}

int main(void)
{
#define IN_NETNS(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		IN_NETNS(exactly_what_is_not_allowed_is_cut),
		IN_NETNS(announced_and_redirected_flows_are_judged_by_what_they_stand_for),
		IN_NETNS(a_long_walk_that_cuts_sees_each_flow_once),
		IN_NETNS(a_living_flow_renews_its_lease_in_the_kernel),
		IN_NETNS(events_are_heard),
	};

	if (geteuid() != 0 || access("/usr/sbin/conntrack", X_OK) != 0)
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
