/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Written by hand rather than compiled, so that these tests stand without the compiler. */
#include "fixture.h"

#include <netinet/in.h>

struct ip_addr ip(const char *text)
{
	struct ip_addr a;

	if (ip_addr_parse(text, &a) < 0)
		abort();
	return a;
}

struct nft_key key4(const char *addr, uint8_t proto, uint16_t port)
{
	struct ip_addr a = ip(addr);
	struct nft_key k = { 0 };

	memcpy(k.bytes, a.bytes, 4);
	k.bytes[4] = proto;
	k.bytes[8] = (uint8_t)(port >> 8);
	k.bytes[9] = (uint8_t)port;
	return k;
}

static struct nft_key service_key(uint8_t proto, uint16_t port)
{
	return (struct nft_key){ .bytes = { proto, 0, 0, 0, (uint8_t)(port >> 8), (uint8_t)port } };
}

static struct nft_key addr_key(const char *addr)
{
	struct ip_addr a = ip(addr);
	struct nft_key k = { 0 };

	memcpy(k.bytes, a.bytes, ip_addr_len(&a));
	return k;
}

/* A number alone is in the host's order, and so it is in front of an address; among ports it is in the network's. */
static struct nft_key word_key(uint32_t number)
{
	struct nft_key k = { 0 };

	memcpy(k.bytes, &number, sizeof(number));
	return k;
}

static struct nft_key pair_key(uint32_t number, const char *addr)
{
	struct nft_key k = word_key(number);
	struct ip_addr a = ip(addr);

	memcpy(k.bytes + 4, a.bytes, ip_addr_len(&a));
	return k;
}

static struct nft_key number_key(uint32_t number, uint8_t proto, uint16_t port)
{
	return (struct nft_key){ .bytes = { (uint8_t)(number >> 24), (uint8_t)(number >> 16), (uint8_t)(number >> 8),
					    (uint8_t)number, proto, 0, 0, 0, (uint8_t)(port >> 8), (uint8_t)port } };
}

static struct nft_key name_key(const char *ifname)
{
	struct nft_key k = { 0 };

	(void)snprintf((char *)k.bytes, NFT_IFNAME_MAX, "%s", ifname);
	return k;
}

/* Everything below is in the fixture's arena; a test cannot go on without it. */
static void *copy(struct arena *mem, const void *from, size_t len)
{
	void *p = arena_alloc(mem, len);

	if (p == NULL)
		abort();
	memcpy(p, from, len);
	return p;
}

#define COPY(f, array) copy((f)->mem, (array), sizeof(array))

static void make_rules(struct fixture *f)
{
	struct name_pattern names[1] = { 0 };
	struct service services[] = { { IPPROTO_TCP, 443, 443 }, { IPPROTO_UDP, 443, 443 } };

	if (dname_parse("example.org", 11, &names[0].name) < 0)
		abort();
	f->rules[0] = (struct plan_rule){ .mark = MARK_ADDRS, .pos = "/grants/0" };
	f->rules[1] = (struct plan_rule){
		.mark = MARK_NAMES,
		.pos = "/grants/1",
		.names = COPY(f, names),
		.n_names = 1,
		.services = COPY(f, services),
		.n_services = 2,
	};
	f->rules[2] = (struct plan_rule){ .mark = MARK_DENY, .pos = "/denies/0", .action = PLAN_REJECT };
	for (uint32_t i = 0; i < 3; i++)
		f->by_mark[i] = i;
}

static void make_plan(struct fixture *f)
{
	struct ip_addr ana[] = { ip("100.64.0.1"), ip("fd00::1") }, ben[] = { ip("100.64.0.2") };
	struct plan_dst_range ranges[] = {
		{ { ip("192.0.2.0"), ip("192.0.2.127") }, 0 },
		{ { ip("192.0.2.128"), ip("192.0.2.255") }, 1 },
	};
	struct plan_box boxes[] = { { 0, { IPPROTO_TCP, 80, 80 }, 0 }, { 1, { IPPROTO_TCP, 0, 65535 }, 2 } };
	uint32_t dst_ids[] = { 1, 2 };
	uint32_t name_rules[] = { 1 };

	make_rules(f);
	f->classes[0] = (struct plan_class){
		.id = 1, .boxes = COPY(f, boxes), .n_boxes = 2, .name_rules = COPY(f, name_rules), .n_name_rules = 1
	};
	f->classes[1] = (struct plan_class){ .id = 2, .quarantined = true };
	f->devices[0] =
		(struct plan_device){ .name = "ana", .addrs = COPY(f, ana), .n_addrs = 2, .state = DEVICE_ACTIVE };
	f->devices[1] =
		(struct plan_device){ .name = "ben", .addrs = COPY(f, ben), .n_addrs = 1, .state = DEVICE_QUARANTINED };
	f->addrs[0] = (struct plan_addr){ ana[0], 0, 0 };
	f->addrs[1] = (struct plan_addr){ ben[0], 1, 1 };
	f->addrs[2] = (struct plan_addr){ ana[1], 0, 0 };
	f->plan = (struct plan){
		.rules = f->rules,
		.n_rules = 3,
		.classes = f->classes,
		.n_classes = 2,
		.named = { .ranges = COPY(f, ranges), .n_ranges = 2, .ids = COPY(f, dst_ids), .n = 2 },
		.devices = f->devices,
		.n_devices = 2,
		.addrs = f->addrs,
		.n_addrs = 3,
		.by_mark = f->by_mark,
	};
}

static void make_sets(struct fixture *f)
{
	struct nft_elem boxes[] = {
		{ key4("192.0.2.0", IPPROTO_TCP, 80), key4("192.0.2.127", IPPROTO_TCP, 80), NFT_V_GOTO, "r_11",
		  "/grants/0", 0 },
		{ key4("192.0.2.128", IPPROTO_TCP, 0), key4("192.0.2.255", IPPROTO_TCP, 65535), NFT_V_GOTO, "r_33",
		  "/denies/0", 0 },
	};
	struct nft_elem numbered[] = {
		{ number_key(1, IPPROTO_TCP, 80), number_key(1, IPPROTO_TCP, 90), .pos = "/grants/0", .number = 0x11 },
		{ number_key(0x12345, IPPROTO_UDP, 0), number_key(0x12345, IPPROTO_UDP, 65535), .number = 0xaabbccdd },
	};
	struct nft_elem from4[] = { { addr_key("100.64.0.1"), addr_key("100.64.0.1"), .number = 0x12345 } };
	struct nft_elem to4[] = { { addr_key("192.0.2.0"), addr_key("192.0.2.255"), .number = 1 } };
	struct nft_elem own4[] = { { pair_key(7, "100.64.0.2"), pair_key(7, "100.64.0.2"), NFT_V_NONE, NULL, NULL,
				     0 } };
	struct nft_elem chains[] = { { word_key(0x11), word_key(0x11), NFT_V_GOTO, "r_11", NULL, 0 } };
	struct nft_elem services[] = {
		{ service_key(IPPROTO_TCP, 443), service_key(IPPROTO_TCP, 443), NFT_V_NONE, NULL, NULL, 0 },
		{ service_key(IPPROTO_UDP, 440), service_key(IPPROTO_UDP, 443), NFT_V_NONE, NULL, NULL, 0 },
	};
	struct nft_elem nets[] = { { addr_key("100.64.0.0"), addr_key("100.127.255.255"), NFT_V_NONE, NULL, NULL, 0 } };
	struct nft_elem names[] = { { name_key("tun0"), name_key("tun0"), NFT_V_NONE, NULL, NULL, 0 } };
	struct nft_elem errors[] = { { word_key(0x41000011), word_key(0x41000011), NFT_V_GOTO, "way_1", NULL, 0 } };
	struct nft_elem types[] = {
		{ { .bytes = { 133 } }, { .bytes = { 133 } }, NFT_V_NONE, NULL, NULL, 0 },
		{ { .bytes = { 135 } }, { .bytes = { 135 } }, NFT_V_NONE, NULL, NULL, 0 },
	};
	struct nft_elem src4[] = {
		{ addr_key("100.64.0.1"), addr_key("100.64.0.1"), NFT_V_JUMP, "class_0", NULL, 0 },
		{ addr_key("100.64.0.2"), addr_key("100.64.0.2"), NFT_V_JUMP, "class_1", NULL, 0 },
	};
	struct nft_elem src6[] = { { addr_key("fd00::1"), addr_key("fd00::1"), NFT_V_JUMP, "class_0", NULL, 0 } };
	struct nft_set sets[] = {
		{ "c0_4",
		  { NFT_F_IP_DADDR, NFT_F_L4PROTO, NFT_F_TH_DPORT },
		  3,
		  NFT_MAP_VERDICT,
		  true,
		  false,
		  COPY(f, boxes),
		  2 },
		{ "chains", { NFT_F_NUMBER }, 1, NFT_MAP_VERDICT, false, false, COPY(f, chains), 1 },
		{ "errors", { NFT_F_CT_MARK }, 1, NFT_MAP_VERDICT, false, false, COPY(f, errors), 1 },
		{ "from4", { NFT_F_IP_SADDR }, 1, NFT_MAP_NUMBER, false, false, COPY(f, from4), 1 },
		{ "l4_00000022", { NFT_F_IP_SADDR, NFT_F_IP_DADDR }, 2, NFT_MAP_NONE, false, true, NULL, 0 },
		{ "l6_00000022", { NFT_F_IP6_SADDR, NFT_F_IP6_DADDR }, 2, NFT_MAP_NONE, false, true, NULL, 0 },
		{ "neighbour", { NFT_F_ICMP6_TYPE }, 1, NFT_MAP_NONE, false, false, COPY(f, types), 2 },
		{ "nets4", { NFT_F_IP_SADDR }, 1, NFT_MAP_NONE, true, false, COPY(f, nets), 1 },
		{ "numbered",
		  { NFT_F_NUMBER, NFT_F_L4PROTO, NFT_F_TH_DPORT },
		  3,
		  NFT_MAP_NUMBER,
		  true,
		  false,
		  COPY(f, numbered),
		  2 },
		{ "own4", { NFT_F_NUMBER, NFT_F_IP_DADDR }, 2, NFT_MAP_NONE, false, false, COPY(f, own4), 1 },
		{ "src4", { NFT_F_IP_SADDR }, 1, NFT_MAP_VERDICT, false, false, COPY(f, src4), 2 },
		{ "src6", { NFT_F_IP6_SADDR }, 1, NFT_MAP_VERDICT, false, false, COPY(f, src6), 1 },
		{ "svc_22", { NFT_F_L4PROTO, NFT_F_TH_DPORT }, 2, NFT_MAP_NONE, true, false, COPY(f, services), 2 },
		{ "to4", { NFT_F_IP_DADDR }, 1, NFT_MAP_NUMBER, true, false, COPY(f, to4), 1 },
		{ "tunnel", { NFT_F_IIFNAME }, 1, NFT_MAP_NONE, false, false, COPY(f, names), 1 },
	};

	f->prog.sets = COPY(f, sets);
	f->prog.n_sets = ARRAY_LEN(sets);
}

#define VERDICT(v)                                                                                                     \
	{                                                                                                              \
		.kind = NFT_S_VERDICT, .verdict = (v)                                                                  \
	}
#define TO(v, to_chain)                                                                                                \
	{                                                                                                              \
		.kind = NFT_S_VERDICT, .verdict = (v), .chain = (to_chain)                                             \
	}
#define IIF                                                                                                            \
	{                                                                                                              \
		.kind = NFT_S_MATCH, .set = "tunnel", .fields = { NFT_F_IIFNAME }, .n_fields = 1                       \
	}
#define RULE(f, stmts)                                                                                                 \
	{                                                                                                              \
		COPY(f, stmts), ARRAY_LEN(stmts), NULL                                                                 \
	}

static struct nft_chain rule_chain(struct fixture *f, const char *name, uint32_t mark)
{
	struct nft_stmt stmts[] = { { .kind = NFT_S_COUNTER, .object = name },
				    { .kind = NFT_S_CT_MARK, .value = mark },
				    VERDICT(NFT_V_ACCEPT) };
	struct nft_rule rules[] = { RULE(f, stmts) };

	return (struct nft_chain){ .name = name, .rules = COPY(f, rules), .n_rules = 1 };
}

static struct nft_chain reject_chain(struct fixture *f)
{
	struct nft_stmt tcp[] = { { .kind = NFT_S_L4PROTO, .value = IPPROTO_TCP },
				  { .kind = NFT_S_COUNTER },
				  { .kind = NFT_S_REJECT } };
	struct nft_stmt tell[] = { { .kind = NFT_S_LIMIT, .object = "limit_devices" },
				   { .kind = NFT_S_LOG, .value = 4711, .prefix = "deny:00000033" } };
	struct nft_stmt rest[] = { { .kind = NFT_S_COUNTER }, { .kind = NFT_S_REJECT } };
	struct nft_rule rules[] = { RULE(f, tell), RULE(f, tcp), RULE(f, rest) };

	return (struct nft_chain){ .name = "r_33", .rules = COPY(f, rules), .n_rules = 3 };
}

static struct nft_chain class_chain(struct fixture *f)
{
	struct nft_stmt event[] = { { .kind = NFT_S_CT_EVENT, .value = 5 } };
	struct nft_stmt boxes[] = { { .kind = NFT_S_VMAP,
				      .set = "c0_4",
				      .fields = { NFT_F_IP_DADDR, NFT_F_L4PROTO, NFT_F_TH_DPORT },
				      .n_fields = 3 } };
	struct nft_stmt names[] = {
		{ .kind = NFT_S_MATCH, .set = "svc_22", .fields = { NFT_F_L4PROTO, NFT_F_TH_DPORT }, .n_fields = 2 },
		{ .kind = NFT_S_MATCH,
		  .set = "l4_00000022",
		  .fields = { NFT_F_IP_SADDR, NFT_F_IP_DADDR },
		  .n_fields = 2 },
		TO(NFT_V_GOTO, "r_22"),
	};
	struct nft_stmt names6[] = {
		{ .kind = NFT_S_MATCH, .set = "svc_22", .fields = { NFT_F_L4PROTO, NFT_F_TH_DPORT }, .n_fields = 2 },
		{ .kind = NFT_S_MATCH,
		  .set = "l6_00000022",
		  .fields = { NFT_F_IP6_SADDR, NFT_F_IP6_DADDR },
		  .n_fields = 2 },
		TO(NFT_V_GOTO, "r_22"),
	};
	struct nft_stmt drop[] = { { .kind = NFT_S_COUNTER, .object = "drop_norule" }, VERDICT(NFT_V_DROP) };
	struct nft_rule rules[] = { RULE(f, event), RULE(f, boxes), RULE(f, names), RULE(f, names6), RULE(f, drop) };

	return (struct nft_chain){ .name = "class_0", .rules = COPY(f, rules), .n_rules = ARRAY_LEN(rules) };
}

/* Everything that is done with the scratch number. */
static struct nft_chain number_chain(struct fixture *f)
{
	struct nft_stmt clear[] = { { .kind = NFT_S_NUMBER } };
	struct nft_stmt set[] = { { .kind = NFT_S_NUMBER, .value = 0xaabbccdd } };
	struct nft_stmt from[] = {
		{ .kind = NFT_S_NUMBER_OF, .set = "from4", .fields = { NFT_F_IP_SADDR }, .n_fields = 1 }
	};
	struct nft_stmt to[] = {
		{ .kind = NFT_S_NUMBER_OF, .set = "to4", .fields = { NFT_F_IP_DADDR }, .n_fields = 1 }
	};
	struct nft_stmt own[] = {
		{ .kind = NFT_S_MATCH, .set = "own4", .fields = { NFT_F_NUMBER, NFT_F_IP_DADDR }, .n_fields = 2 },
		VERDICT(NFT_V_RETURN)
	};
	struct nft_stmt ports[] = { { .kind = NFT_S_NUMBER_OF,
				      .set = "numbered",
				      .fields = { NFT_F_NUMBER, NFT_F_L4PROTO, NFT_F_TH_DPORT },
				      .n_fields = 3 } };
	struct nft_stmt go[] = { { .kind = NFT_S_VMAP, .set = "chains", .fields = { NFT_F_NUMBER }, .n_fields = 1 } };
	struct nft_rule rules[] = { RULE(f, clear), RULE(f, set),   RULE(f, from), RULE(f, to),
				    RULE(f, own),   RULE(f, ports), RULE(f, go) };

	return (struct nft_chain){ .name = "numbers", .rules = COPY(f, rules), .n_rules = ARRAY_LEN(rules) };
}

static struct nft_chain from_device_chain(struct fixture *f)
{
	struct nft_stmt old[] = { { .kind = NFT_S_CT_STATE, .value = NFT_CT_ESTABLISHED | NFT_CT_RELATED },
				  VERDICT(NFT_V_ACCEPT) };
	struct nft_stmt v4[] = { { .kind = NFT_S_VMAP, .set = "src4", .fields = { NFT_F_IP_SADDR }, .n_fields = 1 } };
	struct nft_stmt v6[] = { { .kind = NFT_S_VMAP, .set = "src6", .fields = { NFT_F_IP6_SADDR }, .n_fields = 1 } };
	struct nft_stmt drop[] = { { .kind = NFT_S_COUNTER }, VERDICT(NFT_V_DROP) };
	struct nft_rule rules[] = { RULE(f, old), RULE(f, v4), RULE(f, v6), RULE(f, drop) };

	return (struct nft_chain){ .name = "from_device", .rules = COPY(f, rules), .n_rules = 4 };
}

static struct nft_chain forward_chain(struct fixture *f)
{
	struct nft_stmt clamp[] = { { .kind = NFT_S_TCP_SYN }, { .kind = NFT_S_MSS_CLAMP } };
	struct nft_stmt go[] = { IIF, TO(NFT_V_GOTO, "from_device") };
	struct nft_rule rules[] = { RULE(f, clamp), RULE(f, go) };

	return (struct nft_chain){
		.name = "forward", .hook = NFT_H_FORWARD, .priority = -10, .rules = COPY(f, rules), .n_rules = 2
	};
}

static struct nft_chain capture_chain(struct fixture *f)
{
	struct nft_stmt udp[] = { IIF,
				  { .kind = NFT_S_L4PROTO, .value = IPPROTO_UDP },
				  { .kind = NFT_S_DPORT, .value = 53 },
				  { .kind = NFT_S_REDIRECT, .value = 5300 } };
	struct nft_rule rules[] = { RULE(f, udp) };

	return (struct nft_chain){ .name = "dns_capture",
				   .hook = NFT_H_PREROUTING,
				   .nat = true,
				   .priority = -100,
				   .rules = COPY(f, rules),
				   .n_rules = 1 };
}

static struct nft_chain postrouting_chain(struct fixture *f)
{
	struct nft_stmt masquerade[] = { { .kind = NFT_S_MASQUERADE } };
	struct nft_stmt reset[] = { { .kind = NFT_S_OIFNAME, .name = "tun0", .invert = true },
				    { .kind = NFT_S_TCP_RST },
				    VERDICT(NFT_V_RETURN) };
	struct nft_rule rules[] = { RULE(f, reset), RULE(f, masquerade) };

	return (struct nft_chain){ .name = "postrouting",
				   .hook = NFT_H_POSTROUTING,
				   .nat = true,
				   .priority = 100,
				   .rules = COPY(f, rules),
				   .n_rules = 2 };
}

static struct nft_chain antispoof_chain(struct fixture *f)
{
	struct nft_stmt local[] = { { .kind = NFT_S_NFPROTO, .value = IP_V4 },
				    { .kind = NFT_S_FIB_LOCAL },
				    VERDICT(NFT_V_ACCEPT) };
	struct nft_stmt spoofed[] = {
		{ .kind = NFT_S_MATCH, .set = "tunnel", .fields = { NFT_F_IIFNAME }, .n_fields = 1, .invert = true },
		{ .kind = NFT_S_MATCH, .set = "nets4", .fields = { NFT_F_IP_SADDR }, .n_fields = 1 },
		VERDICT(NFT_V_DROP),
	};
	struct nft_stmt ours[] = { { .kind = NFT_S_IIFNAME, .name = "tun0" }, VERDICT(NFT_V_RETURN) };
	struct nft_rule rules[] = { RULE(f, local), RULE(f, spoofed), RULE(f, ours) };

	return (struct nft_chain){
		.name = "antispoof", .hook = NFT_H_PREROUTING, .priority = -300, .rules = COPY(f, rules), .n_rules = 3
	};
}

/* A way out of its own: where a packet would go without it, and its mark. */
static struct nft_chain way_chain(struct fixture *f)
{
	struct nft_stmt stays[] = { { .kind = NFT_S_FIB_OIF, .name = "tun0" }, VERDICT(NFT_V_ACCEPT) };
	struct nft_stmt marks[] = { { .kind = NFT_S_META_MARK, .value = 0x300, .mask = 0xf00 }, VERDICT(NFT_V_ACCEPT) };
	struct nft_rule rules[] = { RULE(f, stays), RULE(f, marks) };

	return (struct nft_chain){ .name = "way_1", .rules = COPY(f, rules), .n_rules = 2 };
}

static struct nft_chain steer_chain(struct fixture *f)
{
	struct nft_stmt go[] = { { .kind = NFT_S_VMAP, .set = "errors", .fields = { NFT_F_CT_MARK }, .n_fields = 1 } };
	struct nft_rule rules[] = { RULE(f, go) };

	return (struct nft_chain){
		.name = "steer", .hook = NFT_H_PREROUTING, .priority = -140, .rules = COPY(f, rules), .n_rules = 1
	};
}

/* On the way in and out of the host itself. */
static struct nft_chain away_in_chain(struct fixture *f)
{
	struct nft_stmt astray[] = { IIF, { .kind = NFT_S_FIB_ASTRAY }, VERDICT(NFT_V_DROP) };
	struct nft_stmt neighbour[] = {
		{ .kind = NFT_S_L4PROTO, .value = IPPROTO_ICMPV6 },
		{ .kind = NFT_S_MATCH, .set = "neighbour", .fields = { NFT_F_ICMP6_TYPE }, .n_fields = 1 },
		VERDICT(NFT_V_ACCEPT),
	};
	struct nft_rule rules[] = { RULE(f, astray), RULE(f, neighbour) };

	return (struct nft_chain){
		.name = "away_in", .hook = NFT_H_INPUT, .priority = -9, .rules = COPY(f, rules), .n_rules = 2
	};
}

static struct nft_chain away_out_chain(struct fixture *f)
{
	struct nft_stmt mark[] = { { .kind = NFT_S_META_MARK, .value = 0x01000000, .mask = 0xff000000 } };
	struct nft_rule rules[] = { RULE(f, mark) };

	return (struct nft_chain){ .name = "away_out",
				   .hook = NFT_H_OUTPUT,
				   .route = true,
				   .priority = -150,
				   .rules = COPY(f, rules),
				   .n_rules = 1 };
}

static void make_objects(struct fixture *f)
{
	struct nft_object objects[] = {
		{ "drop_norule", NFT_O_COUNTER, 0, 0 },
		{ "limit_devices", NFT_O_LIMIT, 50, 100 },
		{ "r_11", NFT_O_COUNTER, 0, 0 },
		{ "r_22", NFT_O_COUNTER, 0, 0 },
	};

	f->prog.objects = COPY(f, objects);
	f->prog.n_objects = ARRAY_LEN(objects);
}

static void make_chains(struct fixture *f)
{
	struct nft_stmt drop[] = { VERDICT(NFT_V_DROP) };
	struct nft_rule rules[] = { RULE(f, drop) };
	struct nft_chain chains[] = {
		rule_chain(f, "r_11", MARK_ADDRS),
		rule_chain(f, "r_22", MARK_NAMES),
		reject_chain(f),
		class_chain(f),
		{ .name = "class_1", .rules = COPY(f, rules), .n_rules = 1 },
		number_chain(f),
		way_chain(f),
		from_device_chain(f),
		antispoof_chain(f),
		capture_chain(f),
		forward_chain(f),
		postrouting_chain(f),
		steer_chain(f),
		away_in_chain(f),
		away_out_chain(f),
	};

	f->prog.chains = COPY(f, chains);
	f->prog.n_chains = ARRAY_LEN(chains);
}

struct fixture *fixture_new(void)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (f == NULL || (f->mem = arena_new(0)) == NULL)
		abort();
	make_plan(f);
	make_objects(f);
	make_sets(f);
	make_chains(f);
	return f;
}

struct fixture *fixture_free(struct fixture *f)
{
	if (f != NULL)
		(void)arena_free(f->mem);
	free(f);
	return NULL;
}

struct nft_set *fixture_sets(struct fixture *f, struct nft_prog *prog)
{
	struct nft_set *sets = copy(f->mem, prog->sets, prog->n_sets * sizeof(*sets));

	prog->sets = sets;
	return sets;
}

struct nft_chain *fixture_chains(struct fixture *f, struct nft_prog *prog)
{
	struct nft_chain *chains = copy(f->mem, prog->chains, prog->n_chains * sizeof(*chains));

	prog->chains = chains;
	return chains;
}

struct nft_set *fixture_set(struct nft_prog *prog, struct nft_set *sets, const char *name)
{
	for (uint32_t i = 0; i < prog->n_sets; i++) {
		if (strcmp(sets[i].name, name) == 0)
			return &sets[i];
	}
	abort();
}
