/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Programs against the kernel. Needs root; else skipped. */
#include "netns.h"

#include <fcntl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "gatewayd/nft_dump.h"
#include "gatewayd/nft_encode.h"
#include "gatewayd/nft_fill.h"
#include "gatewayd/nft_monitor.h"

static void a_program_is_listed_as_it_was_meant(void **state)
{
	struct state *s = *state;
	struct nft_apply_result res;

	assert_string_equal(output_of("nft list tables"), "");
	ASSERT_OK(s, nft_apply_check(s->ch, NULL, &s->f->prog, &s->e));
	assert_string_equal(output_of("nft list tables"), "");
	apply(s, NULL, &s->f->prog, &res);
	assert_true(res.replaced);
	assert_int_equal(res.elems_added, 18);
	if (getenv("SHOW") != NULL)
		(void)fputs(output_of("nft list ruleset"), stderr);
	assert_listed("192.0.2.0/25 . tcp . 80 : goto r_11");
	assert_listed("192.0.2.128/25 . tcp . 0-65535 : goto r_33");
	assert_listed("elements = { tcp . 443,\n\t\t\t     udp . 440-443 }");
	assert_listed("elements = { 100.64.0.0/10 }");
	assert_listed("elements = { 100.64.0.1 : jump class_0, 100.64.0.2 : jump class_1 }");
	assert_listed("elements = { \"tun0\" }");
	assert_listed("ip daddr . meta l4proto . th dport vmap @c0_4");
	assert_listed("meta l4proto . th dport @svc_22 ip saddr . ip daddr @l4_00000022 goto r_22");
	assert_listed("ip6 saddr . ip6 daddr @l6_00000022 goto r_22");
	assert_listed("ct mark set ct mark & 0x00ff0011 | 0x00000011");
	assert_listed("ct event set new,destroy");
	assert_listed("ct state established,related accept");
	assert_listed("ip saddr vmap @src4");
	assert_listed("type ipv4_addr : classid");
	assert_listed("elements = { 100.64.0.1 : 1:2345 }");
	assert_listed("elements = { 192.0.2.0/24 : 0:1 }");
	assert_listed("0:1 . tcp . 80-90 : 0:11");
	assert_listed("1:2345 . udp . 0-65535 : aabb:ccdd");
	assert_listed("elements = { 0:7 . 100.64.0.2 }");
	assert_listed("elements = { 0:11 : goto r_11 }");
	assert_listed("meta priority set none");
	assert_listed("meta priority set aabb:ccdd");
	assert_listed("meta priority set ip saddr map @from4");
	assert_listed("meta priority set ip daddr map @to4");
	assert_listed("meta priority . ip daddr @own4 return");
	assert_listed("meta priority set meta priority . meta l4proto . th dport map @numbered");
	assert_listed("meta priority vmap @chains");
	assert_listed("tcp flags syn / syn,rst tcp option maxseg size set rt mtu");
	assert_listed("type filter hook forward priority filter - 10; policy accept;");
	assert_listed("type nat hook prerouting priority dstnat; policy accept;");
	assert_listed("iifname @tunnel udp dport 53 redirect to :5300");
	assert_listed("meta l4proto tcp counter packets 0 bytes 0 reject with tcp reset");
	assert_listed("reject with icmpx admin-prohibited");
	assert_listed("fib daddr type local");
	assert_listed("iifname \"tun0\" return");
	assert_listed("oifname != \"tun0\" tcp flags & rst == rst return");
	assert_listed("iifname != @tunnel ip saddr @nets4 drop");
	assert_listed("masquerade");
	assert_listed("type mark : verdict");
	assert_listed("elements = { 0x41000011 : goto way_1 }");
	assert_listed("ct mark & 0xff00ffff vmap @errors");
	assert_listed("elements = { nd-router-solicit,\n\t\t\t     nd-neighbor-solicit }");
	assert_listed("icmpv6 type @neighbour accept");
	assert_listed("fib daddr oifname \"tun0\" accept");
	assert_listed("fib saddr . iif oif 0 drop");
	assert_listed("meta mark set meta mark & 0xfffff3ff | 0x00000300 accept");
	assert_listed("type route hook output priority mangle; policy accept;");
	assert_listed("counter name \"r_11\" ct mark set");
	assert_listed("counter name \"drop_norule\" drop");
	assert_listed("limit limit_devices {\n\t\trate 50/second burst 100 packets");
	assert_listed("limit name \"limit_devices\" log prefix \"deny:00000033\" group 4711 snaplen 64");
}

static void the_same_program_again_sends_nothing(void **state)
{
	struct state *s = *state;
	struct nft_apply_result res;

	apply(s, NULL, &s->f->prog, &res);
	apply(s, &s->f->prog, &s->f->prog, &res);
	assert_int_equal(res.messages, 0);
	assert_false(res.replaced);
}

static void a_difference_leaves_learned_elements_alone(void **state)
{
	struct state *s = *state;
	struct nft_prog changed = s->f->prog;
	struct nft_set *sets = fixture_sets(s->f, &changed);
	struct nft_chain *chains = fixture_chains(s->f, &changed);
	struct nft_elem one = { key4("198.51.100.9", 17, 53), key4("198.51.100.9", 17, 53), NFT_V_GOTO, "r_22", NULL };
	struct nft_set *box = fixture_set(&changed, sets, "c0_4");
	uint32_t mark = MARK_NAMES;
	struct ip_addr addr = ip("203.0.113.7");
	struct learn_req req = request(&mark, &addr, 1, 300);
	struct nft_apply_result res;

	apply(s, NULL, &s->f->prog, &res);
	ASSERT_OK(s, nft_learn(s->ch, s->l, &s->f->plan, &req, 1, NOW, &s->e));
	assert_listed("100.64.0.1 . 203.0.113.7");
	/* One box goes, another comes; the deny's chain goes, one more comes; a rule chain's rules change. */
	box->elems = (struct nft_elem[]){ box->elems[0], one };
	chains[2].name = "r_44";
	chains[2].rules = chains[0].rules;
	chains[2].n_rules = 1;
	chains[4].n_rules = 0;
	apply(s, &s->f->prog, &changed, &res);
	assert_false(res.replaced);
	assert_int_equal(res.elems_added, 1);
	assert_int_equal(res.elems_removed, 1);
	assert_listed("100.64.0.1 . 203.0.113.7");
	assert_listed("198.51.100.9 . udp . 53 : goto r_22");
	assert_listed("chain r_44");
	assert_not_listed("r_33");
	apply(s, &changed, &s->f->prog, &res);
	assert_false(res.replaced);
	assert_listed("192.0.2.128/25 . tcp . 0-65535 : goto r_33");
	assert_not_listed("r_44");
}

static void a_set_that_changes_its_nature_is_replaced_with_its_leases(void **state)
{
	struct state *s = *state;
	struct nft_prog changed = s->f->prog;
	struct nft_set *sets = fixture_sets(s->f, &changed);
	uint32_t mark = MARK_NAMES;
	struct ip_addr addrs[] = { ip("203.0.113.7"), ip("2001:db8::7") };
	struct learn_req req = request(&mark, addrs, 2, 300);
	struct nft_apply_result res;

	fixture_set(&changed, sets, "nets4")->interval = false;
	apply(s, NULL, &s->f->prog, &res);
	ASSERT_OK(s, nft_learn(s->ch, s->l, &s->f->plan, &req, 1, NOW, &s->e));
	apply(s, &s->f->prog, &changed, &res);
	assert_true(res.replaced);
	assert_int_equal(res.leases, 2);
	assert_listed("100.64.0.1 . 203.0.113.7");
	assert_listed("fd00::1 . 2001:db8::7");
}

static void a_table_that_is_not_as_we_left_it_is_replaced(void **state)
{
	struct state *s = *state;
	struct nft_prog changed = s->f->prog;
	struct nft_chain *chains = fixture_chains(s->f, &changed);
	struct nft_apply_result res;

	chains[4].n_rules = 0;
	apply(s, NULL, &s->f->prog, &res);
	ASSERT_OK(s, nft_apply_remove(s->ch, &s->e));
	assert_string_equal(output_of("nft list tables"), "");
	apply(s, &s->f->prog, &changed, &res);
	assert_true(res.replaced);
	assert_listed("chain class_1");
}

static void a_refused_element_is_reported_with_its_policy_position(void **state)
{
	struct state *s = *state;
	struct nft_prog bad = s->f->prog;
	struct nft_set *sets = fixture_sets(s->f, &bad);
	struct nft_set *box = fixture_set(&bad, sets, "c0_4");
	struct nft_elem elems[3];
	struct nft_apply_result res;

	apply(s, NULL, &s->f->prog, &res);
	elems[0] = box->elems[0];
	elems[1] = box->elems[1];
	/* Overlaps the second. */
	elems[2] = (struct nft_elem){ key4("192.0.2.200", 6, 5), key4("192.0.2.201", 6, 9), NFT_V_GOTO, "r_11",
				      "/grants/3" };
	box->elems = elems;
	box->n_elems = 3;
	assert_int_not_equal(nft_apply_check(s->ch, NULL, &bad, &s->e), 0);
	assert_non_null(strstr(s->e.msg, "/grants/3: set c0_4: "));
	/* No such chain. */
	elems[2] = (struct nft_elem){ key4("198.51.100.1", 6, 5), key4("198.51.100.1", 6, 5), NFT_V_GOTO, "nowhere",
				      "/grants/4" };
	assert_int_not_equal(nft_apply(s->ch, NULL, &bad, NULL, NOW, &res, &s->e), 0);
	assert_non_null(strstr(s->e.msg, "/grants/4: set c0_4: "));
	/* The old table is as it was. */
	assert_listed("192.0.2.128/25 . tcp . 0-65535 : goto r_33");
}

static struct nft_elem range(const char *lo, const char *hi, uint32_t number)
{
	struct nft_elem el = { .number = number };
	struct ip_addr a, b;

	assert_int_equal(ip_addr_parse(lo, &a), 0);
	assert_int_equal(ip_addr_parse(hi, &b), 0);
	memcpy(el.lo.bytes, a.bytes, 4);
	memcpy(el.hi.bytes, b.bytes, 4);
	return el;
}

/* A program whose set to4 has @n elements, large for a chunk of one, under the name that it gets beside what runs. */
static struct nft_prog with_ranges(struct state *s, const struct nft_prog *from, const struct nft_elem *elems,
				   uint32_t n)
{
	struct nft_prog prog = s->f->prog;
	struct nft_set *set = fixture_set(&prog, fixture_sets(s->f, &prog), "to4");

	set->elems = elems;
	set->n_elems = n;
	prog.mem = s->f->mem;
	assert_int_equal(nft_fill_names(&prog, from, NULL, 1), 0);
	return prog;
}

static void a_large_set_is_filled_ahead_or_leaves_nothing(void **state)
{
	const struct nft_elem good[] = { range("192.0.2.0", "192.0.2.9", 1), range("192.0.2.20", "192.0.2.29", 2),
					 range("192.0.2.40", "192.0.2.49", 3) };
	const struct nft_elem overlapping[] = { good[0], good[1], range("192.0.2.25", "192.0.2.49", 3) };
	struct state *s = *state;
	struct nft_prog first, bad, second;
	struct nft_apply_result res;
	struct nft_set *box;

	nft_channel_set_chunk(s->ch, 1);
	bad = with_ranges(s, NULL, overlapping, 3);
	assert_int_not_equal(nft_apply(s->ch, NULL, &bad, NULL, NOW, &res, &s->e), 0);
	assert_string_equal(output_of("nft list tables"), "");
	first = with_ranges(s, NULL, good, 2);
	apply(s, NULL, &first, &res);
	assert_listed("192.0.2.0-192.0.2.9 : 0:1");
	assert_listed("192.0.2.20-192.0.2.29 : 0:2");
	/* Refused while it is filled, and when it is to be used. */
	bad = with_ranges(s, &first, overlapping, 3);
	assert_int_not_equal(nft_apply(s->ch, &first, &bad, NULL, NOW, &res, &s->e), 0);
	assert_not_listed("to4_b");
	bad = with_ranges(s, &first, good + 1, 2);
	box = fixture_set(&bad, fixture_sets(s->f, &bad), "c0_4");
	box->elems = &(struct nft_elem){ box->elems[0].lo, box->elems[0].hi, NFT_V_GOTO, "nowhere", NULL, 0 };
	box->n_elems = 1;
	assert_int_not_equal(nft_apply(s->ch, &first, &bad, NULL, NOW, &res, &s->e), 0);
	assert_not_listed("to4_b");
	assert_listed("192.0.2.0-192.0.2.9 : 0:1");
	second = with_ranges(s, &first, good + 1, 2);
	apply(s, &first, &second, &res);
	assert_false(res.replaced);
	assert_listed("map to4_b");
	assert_listed("ip daddr map @to4_b");
	assert_not_listed("192.0.2.0-192.0.2.9");
	assert_not_listed("map @to4\n");
}

static void a_table_of_another_living_owner_is_not_touched(void **state)
{
	struct state *s = *state;
	struct nft_channel *other;
	struct nft_apply_result res;

	if (!nft_channel_features(s->ch)->owner)
		skip();
	apply(s, NULL, &s->f->prog, &res);
	ASSERT_OK(s, nft_channel_open(&other, &s->e));
	assert_int_equal(nft_apply(other, NULL, &s->f->prog, NULL, NOW, &res, &s->e), -EPERM);
	assert_non_null(strstr(s->e.msg, "owned by another process"));
	(void)nft_channel_free(other);
}

static void a_plain_table_is_watched(void **state)
{
	struct state *s = *state;
	struct nft_features *features = (struct nft_features *)(uintptr_t)nft_channel_features(s->ch);
	struct nft_apply_result res;
	bool touched = true;
	int fd = -1;

	features->owner = false;
	ASSERT_OK(s, nft_monitor_open(&fd, &s->e));
	apply(s, NULL, &s->f->prog, &res);
	ASSERT_OK(s, nft_monitor_read(fd, nft_channel_portid(s->ch), &touched, &s->e));
	assert_false(touched);
	(void)output_of("nft add table inet other");
	ASSERT_OK(s, nft_monitor_read(fd, nft_channel_portid(s->ch), &touched, &s->e));
	assert_false(touched);
	(void)output_of("nft flush ruleset 2>&1");
	ASSERT_OK(s, nft_monitor_read(fd, nft_channel_portid(s->ch), &touched, &s->e));
	assert_true(touched);
	apply(s, NULL, &s->f->prog, &res);
	assert_listed("goto r_11");
	(void)close(fd);
}

static void what_others_put_into_the_table_is_removed(void **state)
{
	struct state *s = *state;
	struct nft_features *features = (struct nft_features *)(uintptr_t)nft_channel_features(s->ch);
	struct nft_apply_result res;

	features->owner = false;
	apply(s, NULL, &s->f->prog, &res);
	(void)output_of(
		"nft 'add chain inet sluice rogue { type filter hook forward priority -20; policy accept; }' 2>&1");
	(void)output_of("nft 'add set inet sluice strange { type ipv4_addr; elements = { 192.0.2.1 }; }' 2>&1");
	(void)output_of("nft 'add rule inet sluice rogue ip saddr { 192.0.2.1, 192.0.2.2 } accept' 2>&1");
	(void)output_of("nft 'add rule inet sluice rogue ip saddr @strange jump class_0' 2>&1");
	(void)output_of("nft 'insert rule inet sluice forward accept' 2>&1");
	(void)output_of("nft 'add quota inet sluice strange_quota { over 1 mbytes; }' 2>&1");
	assert_listed("strange_quota");
	assert_listed("ip saddr @strange jump class_0");
	apply(s, NULL, &s->f->prog, &res);
	assert_not_listed("rogue");
	assert_not_listed("strange");
	assert_listed("counter r_11");
	assert_listed("policy accept;\n\t\ttcp flags syn");
	/* A dormant one does not fit: it is made anew. */
	(void)output_of("nft 'add table inet sluice { flags dormant; }' 2>&1");
	assert_listed("dormant");
	apply(s, NULL, &s->f->prog, &res);
	assert_not_listed("dormant");
	assert_listed("goto r_11");
}

/* Port 9 is dropped, all else passes. */
static struct nft_prog drop_prog(void)
{
	static const struct nft_stmt stmts[] = { { .kind = NFT_S_L4PROTO, .value = IPPROTO_UDP },
						 { .kind = NFT_S_DPORT, .value = 9 },
						 { .kind = NFT_S_VERDICT, .verdict = NFT_V_DROP } };
	static const struct nft_rule rules[] = { { stmts, ARRAY_LEN(stmts), NULL } };
	static const struct nft_chain chains[] = {
		{ .name = "input", .hook = NFT_H_INPUT, .priority = -10, .rules = rules, .n_rules = 1 },
	};

	return (struct nft_prog){ .chains = chains, .n_chains = 1 };
}

static int udp_socket(uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_port = htons(port),
				 .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	assert_int_not_equal(fd, -1);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

/* Port 9 is counted in "nine" and dropped; port 10 in "ten", if that is wanted. */
static struct nft_prog counting_prog(bool ten)
{
#define PORT(port, name)                                                                                               \
	{                                                                                                              \
		{ .kind = NFT_S_L4PROTO, .value = IPPROTO_UDP }, { .kind = NFT_S_DPORT, .value = (port) },             \
			{ .kind = NFT_S_COUNTER, .object = (name) },                                                   \
		{                                                                                                      \
			.kind = NFT_S_VERDICT, .verdict = NFT_V_DROP                                                   \
		}                                                                                                      \
	}
	static const struct nft_stmt nine_stmts[] = PORT(9, "nine"), ten_stmts[] = PORT(10, "ten");
	static const struct nft_rule rules[] = { { nine_stmts, ARRAY_LEN(nine_stmts), NULL },
						 { ten_stmts, ARRAY_LEN(ten_stmts), NULL } };
	static const struct nft_object objects[] = { { "nine", NFT_O_COUNTER, 0, 0 }, { "ten", NFT_O_COUNTER, 0, 0 } };
	static const struct nft_chain one[] = {
		{ .name = "input", .hook = NFT_H_INPUT, .priority = -10, .rules = rules, .n_rules = 1 },
	};
	static const struct nft_chain both[] = {
		{ .name = "input", .hook = NFT_H_INPUT, .priority = -10, .rules = rules, .n_rules = 2 },
	};

	return (struct nft_prog){
		.objects = objects, .n_objects = ten ? 2 : 1, .chains = ten ? both : one, .n_chains = 1
	};
}

static void send_to(uint16_t port, uint32_t n)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_port = htons(port),
				 .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	for (uint32_t i = 0; i < n; i++)
		(void)sendto(fd, "x", 1, 0, (struct sockaddr *)&a, sizeof(a));
	(void)close(fd);
}

struct counted {
	const char *name;
	uint64_t packets, bytes;
	bool found;
};

static int note_counter(void *arg, const char *name, uint64_t packets, uint64_t bytes)
{
	struct counted *c = arg;

	if (strcmp(name, c->name) == 0)
		*c = (struct counted){ c->name, packets, bytes, true };
	return 0;
}

static struct counted counter(struct state *s, const char *name)
{
	struct counted c = { .name = name };

	ASSERT_OK(s, nft_dump_counters(s->ch, note_counter, &c, &s->e));
	return c;
}

static void a_counter_goes_on_as_long_as_its_rule_is_there(void **state)
{
	struct state *s = *state;
	struct nft_prog both = counting_prog(true), one = counting_prog(false);
	struct nft_apply_result res;

	assert_int_equal(system("ip link set lo up"), 0);
	apply(s, NULL, &both, &res);
	send_to(9, 3);
	send_to(10, 2);
	assert_int_equal(counter(s, "nine").packets, 3);
	assert_int_equal(counter(s, "nine").bytes, 3 * 29); /* header, header, one byte */
	assert_int_equal(counter(s, "ten").packets, 2);
	/* By a difference: the chain is filled anew. */
	apply(s, &both, &one, &res);
	assert_false(res.replaced);
	assert_int_equal(counter(s, "nine").packets, 3);
	assert_false(counter(s, "ten").found);
	send_to(9, 1);
	/* By a replacement, as a gatewayd does that was started again. */
	apply(s, NULL, &both, &res);
	assert_true(res.replaced);
	assert_int_equal(counter(s, "nine").packets, 4);
	assert_int_equal(counter(s, "ten").packets, 0);
	send_to(9, 1);
	send_to(10, 1);
	assert_int_equal(counter(s, "nine").packets, 5);
	assert_int_equal(counter(s, "ten").packets, 1);
	apply(s, NULL, &one, &res);
	assert_int_equal(counter(s, "nine").packets, 5);
	assert_false(counter(s, "ten").found);
}

/* Sends to both ports until it is killed. */
static void flood(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (uint32_t i = 0;; i++) {
		a.sin_port = htons(i % 16 == 0 ? 10 : 9);
		(void)sendto(fd, "x", 1, 0, (struct sockaddr *)&a, sizeof(a));
	}
}

static uint32_t received(int fd)
{
	uint32_t n = 0;
	char c;

	while (recv(fd, &c, 1, 0) == 1)
		n++;
	return n;
}

#define REPLACEMENTS 100

static void replacing_lets_nothing_through(void **state)
{
	struct state *s = *state;
	struct nft_prog prog = drop_prog();
	struct nft_apply_result res;
	uint32_t denied = 0, allowed = 0;
	int denied_fd, allowed_fd;
	pid_t pid;

	assert_int_equal(system("ip link set lo up"), 0);
	apply(s, NULL, &prog, &res);
	denied_fd = udp_socket(9);
	allowed_fd = udp_socket(10);
	pid = fork();
	if (pid == 0)
		flood();
	assert_true(pid > 0);
	for (int i = 0; i < REPLACEMENTS; i++) {
		apply(s, NULL, &prog, &res);
		denied += received(denied_fd);
		allowed += received(allowed_fd);
	}
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	(void)close(denied_fd);
	(void)close(allowed_fd);
	assert_true(allowed > 0);
	assert_int_equal(denied, 0);
}

#define MANY 20000

static void many_elements_go_in_one_batch(void **state)
{
	struct state *s = *state;
	struct nft_prog big = s->f->prog, bigger;
	struct nft_set *sets = fixture_sets(s->f, &big);
	struct nft_set *box = fixture_set(&big, sets, "c0_4");
	struct nft_elem *elems = arena_array(s->f->mem, MANY + 1, sizeof(*elems));
	struct nft_apply_result res;
	struct timespec a, b;

	assert_non_null(elems);
	for (uint32_t i = 0; i <= MANY; i++) {
		struct nft_key k = { .bytes = { 10, (uint8_t)(i >> 14), (uint8_t)(i >> 6), (uint8_t)(i << 2), 6, 0, 0,
						0, 1, 0 } };

		elems[i] = (struct nft_elem){ k, k, NFT_V_GOTO, "r_11", "/grants/0" };
		elems[i].hi.bytes[3] |= 1;
	}
	box->elems = elems;
	box->n_elems = MANY;
	bigger = big;
	sets = fixture_sets(s->f, &bigger);
	fixture_set(&bigger, sets, "c0_4")->n_elems = MANY + 1;
	clock_gettime(CLOCK_MONOTONIC, &a);
	apply(s, NULL, &big, &res);
	clock_gettime(CLOCK_MONOTONIC, &b);
	assert_int_equal(res.elems_added, MANY + 16);
	print_message("%u intervals: %zu bytes, %.1f ms with the dry run\n", MANY, res.bytes,
		      (double)(b.tv_sec - a.tv_sec) * 1e3 + (double)(b.tv_nsec - a.tv_nsec) / 1e6);
	clock_gettime(CLOCK_MONOTONIC, &a);
	apply(s, &big, &bigger, &res);
	clock_gettime(CLOCK_MONOTONIC, &b);
	assert_int_equal(res.elems_added, 1);
	print_message("one more: %zu bytes, %.2f ms\n", res.bytes,
		      (double)(b.tv_sec - a.tv_sec) * 1e3 + (double)(b.tv_nsec - a.tv_nsec) / 1e6);
}

/* Every change of another table is told to whoever listens; one who does not read is out of room soon. */
static void fill_with_news(int fd)
{
	int group = NFNLGRP_NFTABLES, little = 1;

	assert_return_code(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof(little)), errno);
	assert_return_code(setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)), errno);
	for (int i = 0; i < 20; i++)
		assert_string_equal(output_of("nft add table ip news; nft delete table ip news"), "");
	/* What follows would be told to it otherwise, too. */
	assert_return_code(setsockopt(fd, SOL_NETLINK, NETLINK_DROP_MEMBERSHIP, &group, sizeof(group)), errno);
}

/* The channel's socket: the one with that port. */
static int socket_of(const struct nft_channel *ch)
{
	for (int fd = 3; fd < 64; fd++) {
		struct sockaddr_nl addr = { 0 };
		socklen_t len = sizeof(addr);

		if (getsockname(fd, (struct sockaddr *)&addr, &len) == 0 && addr.nl_family == AF_NETLINK &&
		    addr.nl_pid == nft_channel_portid(ch))
			return fd;
	}
	fail_msg("the channel has no socket");
	return -1;
}

static void lost_answers_lead_to_a_table_that_is_known(void **state)
{
	struct state *s = *state;
	struct nft_prog without = s->f->prog;
	struct nft_apply_result res;

	fixture_set(&without, fixture_sets(s->f, &without), "c0_4")->n_elems = 1;
	apply(s, NULL, &without, &res);
	fill_with_news(socket_of(s->ch));
	apply(s, &without, &s->f->prog, &res);
	assert_true(res.replaced);
	assert_listed("192.0.2.128/25 . tcp . 0-65535 : goto r_33");
	apply(s, &s->f->prog, &without, &res);
	assert_false(res.replaced);
}

#define REFUSALS 20000u

/* More refusals than answers have room for: the first is there, and is what is told. */
static void a_batch_of_refusals_is_refused(void **state)
{
	CLEANUP(nft_batch_freep) struct nft_batch *b = NULL;
	struct state *s = *state;
	struct nft_set absent = s->f->prog.sets[0];
	struct nft_apply_result res;

	apply(s, NULL, &s->f->prog, &res);
	absent.name = "absent";
	ASSERT_OK(s, nft_channel_batch(s->ch, 0, &b, &s->e));
	for (uint32_t i = 0; i < REFUSALS; i++)
		nft_del_set(b, &absent);
	ASSERT_OK(s, nft_batch_finish(b, &s->e));
	assert_int_equal(nft_channel_send(s->ch, b, false, NULL, &s->e), -ENOENT);
	assert_non_null(strstr(s->e.msg, "absent"));
	apply(s, &s->f->prog, &s->f->prog, &res);
}

int main(void)
{
#define IN_NETNS(test) cmocka_unit_test_setup_teardown(test, netns_setup, netns_teardown)
	const struct CMUnitTest tests[] = {
		IN_NETNS(a_program_is_listed_as_it_was_meant),
		IN_NETNS(the_same_program_again_sends_nothing),
		IN_NETNS(a_difference_leaves_learned_elements_alone),
		IN_NETNS(a_set_that_changes_its_nature_is_replaced_with_its_leases),
		IN_NETNS(a_table_that_is_not_as_we_left_it_is_replaced),
		IN_NETNS(a_refused_element_is_reported_with_its_policy_position),
		IN_NETNS(a_large_set_is_filled_ahead_or_leaves_nothing),
		IN_NETNS(a_table_of_another_living_owner_is_not_touched),
		IN_NETNS(a_plain_table_is_watched),
		IN_NETNS(what_others_put_into_the_table_is_removed),
		IN_NETNS(a_counter_goes_on_as_long_as_its_rule_is_there),
		IN_NETNS(replacing_lets_nothing_through),
		IN_NETNS(many_elements_go_in_one_batch),
		IN_NETNS(lost_answers_lead_to_a_table_that_is_known),
		IN_NETNS(a_batch_of_refusals_is_refused),
	};

	if (geteuid() != 0 || access("/usr/sbin/nft", X_OK) != 0)
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
