/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The reference evaluator against the kernel: random policies, loaded as gatewayd loads them, and random packets, real
 * ones, through real rules. A packet must come out at the other side where the evaluator accepts it, must not where it
 * does not, and must be answered where it is rejected. What a client resolved before is learned as gatewayd learns.
 *
 * usage: test_kernel [--seed N] [--policies N] [--packets N]    the seed of a policy that differs is printed
 *
 * Not sent: what no router forwards whatever its rules say (loopback, link-local, multicast, broadcast), ICMP of one
 * family in the other, and names that the resolver refuses. Needs root; else skipped. */
#include "../unit/policy/random_policy.h"

#include "gatewayd/nft_apply.h"
#include "gatewayd/nft_learn.h"
#include "options.h"
#include "policy/lower_nft.h"
#include "street.h"
#include "wire.h"

#include <poll.h>
#include <time.h>

#define PROTO_GRE    47
#define POLICIES     100 /* the ordinary test: some seconds */
#define PACKETS_EACH 50
#define PACKETS_MAX  1000
#define WAIT_MS	     300 /* for packets that should have come; they come at once or never */
#define REPLACE_EACH 8	 /* the others are loaded as a difference to the one before */
#define SPORT_FIRST  1024
#define SPORTS	     60000
#define LEASE_TTL_S  600
#define TRIES_EACH   8 /* some packets are passed over */

struct sent {
	struct packet pkt;
	struct verdict v;
	const char *name;
	bool arrived, refused;
};

struct bench {
	struct street street;
	struct nft_channel *ch;
	struct learned *l;
	struct nft_prog *running;
	struct err e;
	struct sent sent[PACKETS_MAX];
	uint32_t n_sent, first_number;
	uint64_t n_packets, by_action[PLAN_ACTION_MAX], by_proto[256], n_named, n_six;
};

static struct options options = { 1, POLICIES, PACKETS_EACH };

#define OK(b, call)                                                                                                    \
	do {                                                                                                           \
		int r_ = (call);                                                                                       \
		if (r_ < 0)                                                                                            \
			fail_msg("%s: %d %s", #call, r_, (b)->e.msg);                                                  \
	} while (0)

static uint64_t now_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static void load(struct bench *b, const struct plan *plan, bool whole)
{
	static const struct ip_prefix nets[] = {
		{ .addr = { .family = IP_V4, .bytes = { 100, 64 } }, .len = 10 },
		{ .addr = { .family = IP_V6, .bytes = { 0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0 } }, .len = 48 },
	};
	const struct nft_env env = { .tunnel = STREET_TUNNEL_NAME,
				     .tunnel_nets = nets,
				     .n_tunnel_nets = 2,
				     .dns_port = 5353,
				     .hooks = true,
				     .log_drops = true };
	struct nft_apply_result res;
	struct nft_prog *next = NULL;

	OK(b, lower_nft(plan, &env, &next, &b->e));
	OK(b, nft_apply(b->ch, whole ? NULL : b->running, next, NULL, now_us(), &res, &b->e));
	(void)nft_prog_free(b->running);
	b->running = next;
}

/* No router forwards it, or no stack makes it. */
static bool unsendable(const struct packet *pkt)
{
	static const char *const nowhere[] = { "0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/4", "255.255.255.255/32",
					       "::/127",    "fe80::/10",   "ff00::/8" };
	struct ip_prefix p;

	for (size_t i = 0; i < ARRAY_LEN(nowhere); i++) {
		assert_int_equal(ip_prefix_parse(nowhere[i], &p, NULL), 0);
		if (ip_prefix_contains(&p, &pkt->dst))
			return true;
	}
	return pkt->proto == (pkt->dst.family == IP_V4 ? 58 : 1);
}

/* Has the batch one already that could be taken for this one: the same device and address with another name, or, for
 * protocols that NAT cannot tell apart, the same address? */
static bool ambiguous(const struct bench *b, const struct world *w, const struct packet *pkt)
{
	const struct plan_device *d = plan_device_find(w->plan, &pkt->src);

	for (uint32_t i = 0; i < b->n_sent; i++) {
		const struct packet *old = &b->sent[i].pkt;

		/* The way back of a flow without ports is an answer to it. */
		if (pkt->proto == old->proto && pkt->proto == PROTO_GRE &&
		    (ip_addr_cmp(&old->dst, &pkt->dst) == 0 || ip_addr_cmp(&old->src, &pkt->dst) == 0))
			return true;
		if (ip_addr_cmp(&old->dst, &pkt->dst) != 0)
			continue;
		if (pkt->name != NULL && old->name != NULL && plan_device_find(w->plan, &old->src) == d)
			return true;
	}
	return false;
}

/* What the resolver does for a name: -EACCES when it refuses it; else the kernel knows of the answer. */
static int resolve(struct bench *b, const struct plan *p, const struct packet *pkt)
{
	const struct plan_addr *from = plan_addr_find(p, &pkt->src);
	const struct plan_view *v = from != NULL ? &p->views[p->devices[from->device].view_id] : NULL;
	struct learn_req req = { .client = pkt->src, .ttl_s = LEASE_TTL_S, .addrs = &pkt->dst, .n_addrs = 1 };
	uint32_t marks[64];

	if (v == NULL || p->classes[from->class_id].quarantined)
		return 0;
	for (uint32_t i = 0; i < v->n_denies; i++) {
		if (names_match(&p->rules[v->denies[i]], pkt->name))
			return -EACCES;
	}
	for (uint32_t i = 0; i < v->n_grants; i++) {
		if (names_match(&p->rules[v->grants[i]], pkt->name))
			marks[req.n_rules++] = p->rules[v->grants[i]].mark;
		assert_true(req.n_rules < ARRAY_LEN(marks) - 1);
	}
	if (v->resolve_first)
		marks[req.n_rules++] = LEARN_SEEN;
	req.rules = marks;
	if (req.n_rules == 0)
		return 0;
	OK(b, nft_learn(b->ch, b->l, p, &req, 1, now_us(), &b->e));
	assert_int_equal(req.status, 0);
	return 0;
}

static void send_one(struct bench *b, const struct world *w, bool named)
{
	static struct dname dname;
	struct packet pkt = random_packet();
	struct sent *s = &b->sent[b->n_sent];
	uint8_t frame[WIRE_FRAME_MAX];
	uint32_t number = b->first_number + b->n_sent;
	const char *name = PICK(names);
	size_t len;

	if (named) {
		assert_int_equal(dname_parse(name, strlen(name), &dname), 0);
		pkt.name = &dname;
	}
	if (unsendable(&pkt) || ambiguous(b, w, &pkt) || (named && resolve(b, w->plan, &pkt) < 0))
		return;
	*s = (struct sent){ .pkt = pkt, .name = named ? name : NULL };
	evaluate_packet(w->policy, w->devices, &w->env, &pkt, &s->v);
	len = wire_build(&pkt, (uint16_t)(SPORT_FIRST + number % SPORTS), number, street_gateway_mac, frame);
	assert_int_equal(street_send(&b->street, frame, len), 0);
	b->n_sent++;
	b->n_packets++;
	b->by_action[s->v.action]++;
	b->by_proto[pkt.proto]++;
	b->n_named += named;
	b->n_six += pkt.dst.family == IP_V6;
}

static void take(struct bench *b)
{
	uint8_t frame[WIRE_SNAP_MAX];
	uint32_t number;
	size_t len;

	for (int side = 0; side < STREET_SIDES; side++) {
		while ((len = street_receive(&b->street, side, frame, sizeof(frame))) != 0) {
			enum wire_kind kind = wire_parse(frame, len, &number);

			if (kind == WIRE_OTHER || number < b->first_number || number - b->first_number >= b->n_sent)
				continue;
			if (kind == WIRE_PACKET)
				b->sent[number - b->first_number].arrived = true;
			else
				b->sent[number - b->first_number].refused = true;
		}
	}
}

static bool as_expected(const struct sent *s)
{
	return s->arrived == (s->v.action == PLAN_ACCEPT) && s->refused == (s->v.action == PLAN_REJECT);
}

/* Take what has come; wait where something is missing. */
static void collect(struct bench *b)
{
	struct pollfd fds[STREET_SIDES];
	uint64_t until = now_us() + WAIT_MS * 1000;
	bool missing = true;

	for (int i = 0; i < STREET_SIDES; i++)
		fds[i] = (struct pollfd){ .fd = b->street.fds[i], .events = POLLIN };
	while (missing) {
		take(b);
		missing = false;
		for (uint32_t i = 0; i < b->n_sent; i++)
			missing = missing || !as_expected(&b->sent[i]);
		if (missing && (now_us() >= until || poll(fds, STREET_SIDES, 10) < 0))
			return;
	}
}

static void judge(const struct bench *b, const struct text *policy, uint32_t policy_seed)
{
	char src[IP_TEXT_MAX], dst[IP_TEXT_MAX];
	bool good = true;

	for (uint32_t i = 0; i < b->n_sent; i++) {
		const struct sent *s = &b->sent[i];

		if (as_expected(s))
			continue;
		good = false;
		(void)fprintf(stderr, "%s -> %s proto %u port %u name %s: kernel %s%s, evaluator %d %s (%s)\n",
			      ip_addr_print(&s->pkt.src, src), ip_addr_print(&s->pkt.dst, dst), s->pkt.proto,
			      s->pkt.port, s->name != NULL ? s->name : "-", s->arrived ? "passed" : "did not pass",
			      s->refused ? " and answered" : "", s->v.action, s->v.rule, s->v.reason);
	}
	if (good)
		return;
	(void)fprintf(stderr, "--seed %u --policies 1\n%s\n", policy_seed, policy->buf);
	fail();
}

static void send_some(struct bench *b, const struct world *w, uint32_t until, bool named)
{
	for (uint32_t tries = 0; b->n_sent < until && tries < until * TRIES_EACH; tries++)
		send_one(b, w, named);
}

static void one_policy(struct bench *b, uint32_t policy_seed, bool whole)
{
	struct plan nobody;
	CLEANUP(world_done) struct world w;
	struct text policy = { .len = 0 };
	uint32_t dropped;

	seed = policy_seed;
	put_policy(&policy);
	world_compile(&w, policy.buf, family_devices);
	load(b, w.plan, whole);
	b->first_number += b->n_sent;
	b->n_sent = 0;
	/* All without a name first: what is learned for the others must not be there yet when they pass. */
	send_some(b, &w, options.packets / 2, /* named= */ false);
	collect(b);
	send_some(b, &w, options.packets, /* named= */ true);
	collect(b);
	judge(b, &policy, policy_seed);
	/* The same sets, but nobody whose leases are backed: everything that was learned goes. */
	nobody = *w.plan;
	nobody.n_addrs = 0;
	OK(b, nft_learn_prune(b->ch, b->l, &nobody, NULL, &dropped, &b->e));
	assert_int_equal(street_forget(), 0);
}

static void evaluator_and_kernel_agree(void **state)
{
	static struct bench b;

	OK(&b, street_open(&b.street, &b.e));
	OK(&b, nft_channel_open(&b.ch, &b.e));
	OK(&b, nft_channel_probe(b.ch, &b.e));
	OK(&b, learned_new(&b.l, &b.e));
	print_message("seed %u, %u policies, %u packets each\n", options.seed, options.policies, options.packets);
	for (uint32_t i = 0; i < options.policies; i++)
		one_policy(&b, options.seed + i * 7919, i % REPLACE_EACH == 0);
	print_message("%llu packets: %llu accepted, %llu dropped, %llu rejected; %llu with a name, %llu IPv6; "
		      "TCP %llu, UDP %llu, ICMP %llu, SCTP %llu, GRE %llu; no disagreement\n",
		      (unsigned long long)b.n_packets, (unsigned long long)b.by_action[PLAN_ACCEPT],
		      (unsigned long long)b.by_action[PLAN_DROP], (unsigned long long)b.by_action[PLAN_REJECT],
		      (unsigned long long)b.n_named, (unsigned long long)b.n_six, (unsigned long long)b.by_proto[6],
		      (unsigned long long)b.by_proto[17], (unsigned long long)(b.by_proto[1] + b.by_proto[58]),
		      (unsigned long long)b.by_proto[132], (unsigned long long)b.by_proto[PROTO_GRE]);
	(void)nft_prog_free(b.running);
	(void)learned_free(b.l);
	(void)nft_channel_free(b.ch);
	street_close(&b.street);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(evaluator_and_kernel_agree) };

	if (!options_parse(&options, PACKETS_MAX, argc, argv))
		return 2;
	if (geteuid() != 0)
		return 77;
	return cmocka_run_group_tests_name("kernel", tests, NULL, NULL);
}
