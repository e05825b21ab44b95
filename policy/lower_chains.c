/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Base chains and from_device. Called by lower_nft.c, after the chains that these jump to.
 *
 * Their policy is accept, with explicit drops: the table decides about the tunnel's traffic and leaves the rest of the
 * host alone. An accept here does not keep other tables from dropping (syntax.md 3.2), which is why DNS and the
 * tunnel's port are accepted explicitly only to end our own chain. */
#include "policy/lower_chains.h"

#include "policy/lower_drops.h"
#include "policy/lower_steer.h"

#include <endian.h>

#define PRIO_RAW     (-300)
#define PRIO_DSTNAT  (-100)
#define PRIO_FILTER  (-10) /* before the usual 0, so that our counters see what others drop later */
#define PRIO_SRCNAT  100
#define PORT_DNS     53
#define PROTO_ICMP   1
#define PROTO_TCP    6
#define PROTO_UDP    17
#define PROTO_ICMPV6 58

#define OWN_MAX 1024u /* addresses of the host: of both families, and :: */

#define SET_OWN	      "own_addrs6"
#define SET_NEIGHBOUR "neighbour" /* types of ICMPv6 */

static const uint8_t families[] = { IP_V4, IP_V6 };

/* By name, and not by a set of names: where the table is replaced, a packet that is under way meets old rules with sets
 * that have no elements any more. A look-up that leads to what is allowed fails then, and that is well; one that leads
 * to a refusal must not. */
static void interface(struct prog_build *b, enum nft_stmt_kind kind, const char *name, bool invert)
{
	prog_stmt(b, &(struct nft_stmt){ .kind = kind, .name = name, .invert = invert });
}

static void from_tunnel(struct prog_build *b)
{
	interface(b, NFT_S_IIFNAME, b->tunnel, false);
}

static void value(struct prog_build *b, enum nft_stmt_kind kind, uint32_t number)
{
	prog_stmt(b, &(struct nft_stmt){ .kind = kind, .value = number });
}

static void verdict(struct prog_build *b, enum nft_verdict v, const char *chain)
{
	prog_stmt(b, &(struct nft_stmt){ .kind = NFT_S_VERDICT, .verdict = v, .chain = chain });
	prog_rule(b, NULL);
}

static void source(struct prog_build *b, enum nft_stmt_kind kind, const char *set4, const char *set6, uint8_t family)
{
	prog_stmt(b, &(struct nft_stmt){
			     .kind = kind,
			     .set = family == IP_V4 ? set4 : set6,
			     .fields = { family == IP_V4 ? NFT_F_IP_SADDR : NFT_F_IP6_SADDR },
			     .n_fields = 1,
		     });
}

static void net_set(struct prog_build *b, const struct ip_prefix *nets, uint32_t n_nets, uint8_t family,
		    const char *name)
{
	struct ip_range *ranges = arena_array(b->mem, n_nets, sizeof(*ranges));
	struct nft_elem *elems = prog_elems(b, n_nets);
	uint32_t n = 0;

	if (ranges == NULL || elems == NULL) {
		b->failed = true;
		return;
	}
	for (uint32_t i = 0; i < n_nets; i++) {
		if (nets[i].addr.family == family)
			ranges[n++] = ip_prefix_range(&nets[i]);
	}
	n = (uint32_t)ip_ranges_normalize(ranges, n);
	for (uint32_t i = 0; i < n; i++) {
		size_t lo = 0, hi = 0;

		key_addr(&elems[i].lo, &lo, &ranges[i].first);
		key_addr(&elems[i].hi, &hi, &ranges[i].last);
	}
	prog_set(b, &(struct nft_set){
			    .name = name,
			    .fields = { family == IP_V4 ? NFT_F_IP_SADDR : NFT_F_IP6_SADDR },
			    .n_fields = 1,
			    .interval = true,
			    .elems = elems,
			    .n_elems = n,
		    });
}

/* What a device may say to us of RFC 4861: it looks for a router, and for neighbours. It is no router itself. */
static void neighbour_set(struct prog_build *b)
{
	static const uint8_t types[] = { 133, 135, 136 };
	struct nft_elem *elems = prog_elems(b, ARRAY_LEN(types));

	for (size_t i = 0; elems != NULL && i < ARRAY_LEN(types); i++) {
		size_t at = 0;

		key_u8(&elems[i].lo, &at, types[i]);
		elems[i].hi = elems[i].lo;
	}
	prog_set(b, &(struct nft_set){ .name = SET_NEIGHBOUR,
				       .fields = { NFT_F_ICMP6_TYPE },
				       .n_fields = 1,
				       .elems = elems,
				       .n_elems = ARRAY_LEN(types) });
}

/* IPv6 addresses that nobody else has: this host's, and the unspecified one. IPv4 with such a source is refused by the
 * kernel itself (fib_validate_source()). */
static void own_set(struct prog_build *b, const struct nft_env *env)
{
	struct nft_elem *elems = prog_elems(b, env->n_own + 1);
	uint32_t n = 1; /* :: is zeros */

	for (uint32_t i = 0; elems != NULL && i < env->n_own; i++) {
		size_t at = 0;

		if (env->own[i].family != IP_V6)
			continue;
		key_addr(&elems[n].lo, &at, &env->own[i]);
		elems[n].hi = elems[n].lo;
		n++;
	}
	if (elems != NULL)
		n = prog_elems_sort(elems, n);
	prog_set(b, &(struct nft_set){
			    .name = SET_OWN,
			    .fields = { NFT_F_IP6_SADDR },
			    .n_fields = 1,
			    .elems = elems,
			    .n_elems = n,
			    .size = n <= OWN_MAX ? OWN_MAX : 0,
		    });
}

/* The tunnel's only IPv4 network; NULL: there are several, or none. */
static const struct ip_prefix *only_net4(const struct nft_env *env)
{
	const struct ip_prefix *found = NULL;

	for (uint32_t i = 0; i < env->n_tunnel_nets; i++) {
		if (env->tunnel_nets[i].addr.family != IP_V4)
			continue;
		if (found != NULL)
			return NULL;
		found = &env->tunnel_nets[i];
	}
	return found;
}

static void host_sets(struct prog_build *b, const struct nft_env *env)
{
	own_set(b, env);
	if (only_net4(env) == NULL)
		net_set(b, env->tunnel_nets, env->n_tunnel_nets, IP_V4, "nets4");
	net_set(b, env->tunnel_nets, env->n_tunnel_nets, IP_V6, "nets6");
	if (env->n_routed != 0) {
		net_set(b, env->routed, env->n_routed, IP_V4, "routed4");
		net_set(b, env->routed, env->n_routed, IP_V6, "routed6");
	}
	neighbour_set(b);
}

static void base_chain(struct prog_build *b, const struct nft_env *env, struct nft_chain chain)
{
	if (!env->hooks) {
		chain.hook = NFT_H_NONE;
		chain.nat = false;
		chain.priority = 0;
	}
	prog_chain(b, &chain);
}

static void from_device(struct prog_build *b)
{
	/* What conntrack cannot place or does not follow (neighbour discovery, RFC 4861, to anywhere; what others
	 * exempt) is not translated by nat either: it would leave with the device's own address. */
	value(b, NFT_S_CT_STATE, NFT_CT_INVALID | NFT_CT_UNTRACKED);
	drops_count(b, DROP_INVALID);
	verdict(b, NFT_V_DROP, NULL);
	value(b, NFT_S_CT_STATE, NFT_CT_ESTABLISHED | NFT_CT_RELATED);
	verdict(b, NFT_V_ACCEPT, NULL);
	/* What the packet brought with it is no number of ours: nobody's is 0. */
	value(b, NFT_S_NUMBER, 0);
	prog_rule(b, NULL);
	for (size_t f = 0; f < ARRAY_LEN(families); f++) {
		source(b, NFT_S_NUMBER_OF, "from4", "from6", families[f]);
		prog_rule(b, NULL);
	}
	prog_stmt(b, &(struct nft_stmt){
			     .kind = NFT_S_VMAP, .set = "classes", .fields = { NFT_F_NUMBER }, .n_fields = 1 });
	prog_rule(b, NULL);
	verdict(b, NFT_V_GOTO, CHAIN_UNKNOWN);
	prog_chain(b, &(struct nft_chain){ .name = "from_device" });
}

/* Addresses of the tunnel come from there and from this host only. In input and forward, where established packets are
 * met by it, too, and not in a hook of its own, which would cost them as much as all other rules together. */
static void antispoof(struct prog_build *b, const struct nft_env *env, uint8_t family)
{
	const struct ip_prefix *net = family == IP_V4 ? only_net4(env) : NULL;
	uint32_t addr;

	value(b, NFT_S_NFPROTO, family);
	interface(b, NFT_S_IIFNAME, b->tunnel, true);
	interface(b, NFT_S_IIFNAME, "lo", true);
	if (net != NULL) {
		memcpy(&addr, net->addr.bytes, sizeof(addr));
		prog_stmt(b, &(struct nft_stmt){ .kind = NFT_S_SADDR4, .value = be32toh(addr), .bits = net->len });
	} else {
		source(b, NFT_S_MATCH, "nets4", "nets6", family);
	}
	verdict(b, NFT_V_GOTO, CHAIN_SPOOFED);
}

static void dns_capture(struct prog_build *b, const struct nft_env *env)
{
	static const uint8_t protos[] = { PROTO_UDP, PROTO_TCP };

	for (size_t i = 0; i < ARRAY_LEN(protos); i++) {
		from_tunnel(b);
		value(b, NFT_S_L4PROTO, protos[i]);
		value(b, NFT_S_DPORT, PORT_DNS);
		value(b, NFT_S_REDIRECT, env->dns_port);
		prog_rule(b, NULL);
	}
	base_chain(b, env,
		   (struct nft_chain){
			   .name = "dns_capture", .hook = NFT_H_PREROUTING, .nat = true, .priority = PRIO_DSTNAT });
}

/* DNS is the gateway's own service and has its own log: no conntrack events, whatever the device's level. */
static void input_dns_port(struct prog_build *b, uint8_t family, uint8_t proto, uint16_t port)
{
	from_tunnel(b);
	source(b, NFT_S_MATCH, "dev4", "dev6", family);
	value(b, NFT_S_L4PROTO, proto);
	value(b, NFT_S_DPORT, port);
	value(b, NFT_S_CT_EVENT, 0);
	verdict(b, NFT_V_ACCEPT, NULL);
}

static void input_dns(struct prog_build *b, const struct nft_env *env, uint8_t family)
{
	input_dns_port(b, family, PROTO_UDP, env->dns_port);
	input_dns_port(b, family, PROTO_TCP, env->dns_port);
	for (uint32_t i = 0; i < env->n_tls_ports; i++)
		input_dns_port(b, family, PROTO_TCP, env->tls_ports[i]);
}

static void from_own_address(struct prog_build *b)
{
	prog_stmt(b, &(struct nft_stmt){
			     .kind = NFT_S_MATCH, .set = SET_OWN, .fields = { NFT_F_IP6_SADDR }, .n_fields = 1 });
}

/* Another one with an address of ours. Not what finds out whether an address is taken (RFC 4862), and not multicast,
 * which the kernel hands back to its sender's host as if it came from outside. */
static void input_own_address(struct prog_build *b)
{
	from_own_address(b);
	interface(b, NFT_S_IIFNAME, "lo", true);
	prog_stmt(b, &(struct nft_stmt){ .kind = NFT_S_L4PROTO, .value = PROTO_ICMPV6, .invert = true });
	value(b, NFT_S_FIB_LOCAL, 0);
	verdict(b, NFT_V_GOTO, CHAIN_SPOOFED);
}

static void input(struct prog_build *b, const struct nft_env *env)
{
	for (size_t f = 0; f < ARRAY_LEN(families); f++)
		antispoof(b, env, families[f]);
	input_own_address(b);
	if (env->tunnel_port != 0) {
		interface(b, NFT_S_IIFNAME, b->tunnel, true);
		value(b, NFT_S_L4PROTO, PROTO_UDP);
		value(b, NFT_S_DPORT, env->tunnel_port);
		value(b, NFT_S_CT_EVENT, 0);
		verdict(b, NFT_V_ACCEPT, NULL);
	}
	for (size_t f = 0; f < ARRAY_LEN(families); f++)
		input_dns(b, env, families[f]);
	/* Conntrack does not follow neighbour discovery. On a tunnel that is a link like any other (`existing`) nobody
	 * could find us without; on one without link addresses there is none. */
	from_tunnel(b);
	value(b, NFT_S_L4PROTO, PROTO_ICMPV6);
	prog_stmt(b,
		  &(struct nft_stmt){
			  .kind = NFT_S_MATCH, .set = SET_NEIGHBOUR, .fields = { NFT_F_ICMP6_TYPE }, .n_fields = 1 });
	verdict(b, NFT_V_ACCEPT, NULL);
	/* Echo only: errors belong to a flow and are accepted by from_device, where its events stay as they are. */
	for (size_t f = 0; f < ARRAY_LEN(families); f++) {
		from_tunnel(b);
		value(b, NFT_S_CT_STATE, NFT_CT_NEW);
		source(b, NFT_S_MATCH, "dev4", "dev6", families[f]);
		value(b, NFT_S_L4PROTO, families[f] == IP_V4 ? PROTO_ICMP : PROTO_ICMPV6);
		/* To us, and not to all who listen. */
		value(b, NFT_S_FIB_LOCAL, 0);
		value(b, NFT_S_CT_EVENT, 0);
		verdict(b, NFT_V_ACCEPT, NULL);
	}
	from_tunnel(b);
	verdict(b, NFT_V_JUMP, "from_device");
	base_chain(b, env, (struct nft_chain){ .name = "input", .hook = NFT_H_INPUT, .priority = PRIO_FILTER });
}

static void to_tunnel_new(struct prog_build *b)
{
	interface(b, NFT_S_OIFNAME, b->tunnel, false);
	value(b, NFT_S_CT_STATE, NFT_CT_NEW);
}

static bool has_set(const struct prog_build *b, const char *name)
{
	for (uint32_t i = 0; i < b->n_sets; i++) {
		if (strcmp(b->sets[i].name, name) == 0)
			return true;
	}
	return false;
}

/* Toward devices that are not active: what they answered would be "established". Nothing where all are active. */
static void output_off(struct prog_build *b, const char *set, enum nft_field field)
{
	if (!has_set(b, set))
		return;
	to_tunnel_new(b);
	prog_stmt(b, &(struct nft_stmt){ .kind = NFT_S_MATCH, .set = set, .fields = { field }, .n_fields = 1 });
	verdict(b, NFT_V_DROP, NULL);
}

/* The gate (gatewayd/gate.h) lets through what has this; in the same chain as the verdict, so that neither is there
 * without the other when the table comes or goes. */
static void let_through(struct prog_build *b)
{
	if (b->gate_pass != 0)
		value(b, NFT_S_NUMBER, b->gate_pass);
}

/* What this host says to devices, and its resets and errors to anybody: without a table those are answers to what
 * should have been translated, and the gate stops them. What is dropped behind this is dropped. */
static void output_pass(struct prog_build *b)
{
	static const uint8_t protos[] = { PROTO_ICMP, PROTO_ICMPV6 };

	interface(b, NFT_S_OIFNAME, b->tunnel, false);
	let_through(b);
	prog_rule(b, NULL);
	value(b, NFT_S_TCP_RST, 0);
	let_through(b);
	prog_rule(b, NULL);
	for (size_t i = 0; i < ARRAY_LEN(protos); i++) {
		value(b, NFT_S_L4PROTO, protos[i]);
		let_through(b);
		prog_rule(b, NULL);
	}
}

/* What this host begins. Conntrack takes the answer of a flow that was cut (revoke.c) for the beginning of another in
 * the opposite direction, and what the device says then is "established": so nothing goes to a device that only an
 * answer could be. And no event tells of a device by what we begin: our packets to its endpoint, or to itself. */
static void output(struct prog_build *b, const struct nft_env *env)
{
	static const uint8_t protos[] = { PROTO_UDP, PROTO_TCP };

	if (env->gate_pass != 0)
		output_pass(b);
	if (env->tunnel_port != 0) {
		interface(b, NFT_S_OIFNAME, b->tunnel, true);
		value(b, NFT_S_CT_STATE, NFT_CT_NEW);
		value(b, NFT_S_L4PROTO, PROTO_UDP);
		value(b, NFT_S_SPORT, env->tunnel_port);
		value(b, NFT_S_CT_EVENT, 0);
		verdict(b, NFT_V_ACCEPT, NULL);
	}
	for (size_t i = 0; i < ARRAY_LEN(protos); i++) {
		to_tunnel_new(b);
		value(b, NFT_S_L4PROTO, protos[i]);
		value(b, NFT_S_SPORT, env->dns_port);
		verdict(b, NFT_V_DROP, NULL);
	}
	to_tunnel_new(b);
	prog_stmt(b, &(struct nft_stmt){ .kind = NFT_S_TCP_SYN, .invert = true });
	verdict(b, NFT_V_DROP, NULL);
	output_off(b, "off4", NFT_F_IP_DADDR);
	output_off(b, "off6", NFT_F_IP6_DADDR);
	to_tunnel_new(b);
	value(b, NFT_S_CT_EVENT, 0);
	prog_rule(b, NULL);
	base_chain(b, env, (struct nft_chain){ .name = "output", .hook = NFT_H_OUTPUT, .priority = PRIO_FILTER });
}

/* Of a SYN, to or from a device: the largest segment that the way takes. */
static void clamp(struct prog_build *b)
{
	static const enum nft_stmt_kind sides[] = { NFT_S_IIFNAME, NFT_S_OIFNAME };

	for (size_t i = 0; i < ARRAY_LEN(sides); i++) {
		interface(b, sides[i], b->tunnel, false);
		value(b, NFT_S_MSS_CLAMP, 0);
		prog_rule(b, NULL);
	}
	prog_chain(b, &(struct nft_chain){ .name = "clamp" });
}

/* IPv6 that is to be forwarded: what is ours is not. */
static void through6(struct prog_build *b, const struct nft_env *env)
{
	antispoof(b, env, IP_V6);
	from_own_address(b);
	verdict(b, NFT_V_GOTO, CHAIN_SPOOFED);
	prog_chain(b, &(struct nft_chain){ .name = "through6" });
}

/* Most packets belong to a flow that is established, and leave here (a SYN's answer is established, too, and has its
 * clamp first). Whose flow it is makes no difference: others are accepted anyway. */
static void forward(struct prog_build *b, const struct nft_env *env)
{
	antispoof(b, env, IP_V4);
	value(b, NFT_S_NFPROTO, IP_V6);
	verdict(b, NFT_V_JUMP, "through6");
	value(b, NFT_S_TCP_SYN, 0);
	verdict(b, NFT_V_JUMP, "clamp");
	value(b, NFT_S_CT_STATE, NFT_CT_ESTABLISHED | NFT_CT_RELATED);
	let_through(b);
	verdict(b, NFT_V_ACCEPT, NULL);
	from_tunnel(b);
	verdict(b, NFT_V_JUMP, "from_device");
	interface(b, NFT_S_OIFNAME, b->tunnel, false);
	drops_count(b, DROP_INBOUND);
	verdict(b, NFT_V_DROP, NULL);
	base_chain(b, env, (struct nft_chain){ .name = "forward", .hook = NFT_H_FORWARD, .priority = PRIO_FILTER });
}

static void masquerade(struct prog_build *b)
{
	interface(b, NFT_S_OIFNAME, b->tunnel, true);
	value(b, NFT_S_MASQUERADE, 0);
	prog_rule(b, NULL);
}

/* Addresses that the world routes to us need no translation, but on a way that is not the world's: who is at its end
 * knows ours alone. */
static void postrouting(struct prog_build *b, const struct nft_env *env, bool steered)
{
	if (env->n_routed != 0 && steered) {
		from_tunnel(b);
		prog_stmt(b, &(struct nft_stmt){ .kind = NFT_S_MATCH,
						 .set = SET_STEERED,
						 .fields = { NFT_F_CT_MARK },
						 .n_fields = 1 });
		masquerade(b);
	}
	for (size_t f = 0; env->n_routed != 0 && f < ARRAY_LEN(families); f++) {
		from_tunnel(b);
		source(b, NFT_S_MATCH, "routed4", "routed6", families[f]);
		verdict(b, NFT_V_ACCEPT, NULL);
	}
	from_tunnel(b);
	masquerade(b);
	base_chain(b, env,
		   (struct nft_chain){
			   .name = "postrouting", .hook = NFT_H_POSTROUTING, .nat = true, .priority = PRIO_SRCNAT });
}

void lower_chains(struct prog_build *b, const struct nft_env *env, bool steered)
{
	host_sets(b, env);
	from_device(b);
	clamp(b);
	through6(b, env);
	if (env->dns_capture)
		dns_capture(b, env);
	input(b, env);
	forward(b, env);
	output(b, env);
	postrouting(b, env, steered);
}
