/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A kernel program as text that `nft -f` accepts (tried with 1.0.6): `sluice compile --format nft`, goldens.
 *
 * Names and values come from lower_nft.c and are numbers, hexadecimal digits, or an interface name, which is quoted.
 * The table's flags are left out: nft 1.0.6 does not know `persist`. */
#include "policy/lower_nft.h"
#include "policy/prog_build.h"
#include "sluice/drop.h"
#include "sluice/plan.h"

#include <inttypes.h>

static const char *const field_types[] = {
	[NFT_F_IP_SADDR] = "ipv4_addr",	 [NFT_F_IP_DADDR] = "ipv4_addr",     [NFT_F_IP6_SADDR] = "ipv6_addr",
	[NFT_F_IP6_DADDR] = "ipv6_addr", [NFT_F_L4PROTO] = "inet_proto",     [NFT_F_TH_DPORT] = "inet_service",
	[NFT_F_IIFNAME] = "ifname",	 [NFT_F_OIFNAME] = "ifname",	     [NFT_F_NUMBER] = "classid",
	[NFT_F_CT_MARK] = "mark",	 [NFT_F_ICMP6_TYPE] = "icmpv6_type",
};
static_assert(ARRAY_LEN(field_types) == NFT_F_MAX, "types");

static const char *const field_exprs[] = {
	[NFT_F_IP_SADDR] = "ip saddr",	    [NFT_F_IP_DADDR] = "ip daddr",
	[NFT_F_IP6_SADDR] = "ip6 saddr",    [NFT_F_IP6_DADDR] = "ip6 daddr",
	[NFT_F_L4PROTO] = "meta l4proto",   [NFT_F_TH_DPORT] = "th dport",
	[NFT_F_IIFNAME] = "iifname",	    [NFT_F_OIFNAME] = "oifname",
	[NFT_F_NUMBER] = "meta priority",   [NFT_F_CT_MARK] = "ct mark & 0xff00ffff",
	[NFT_F_ICMP6_TYPE] = "icmpv6 type",
};
static_assert(ARRAY_LEN(field_exprs) == NFT_F_MAX, "expressions");
static_assert(CT_MARK_MASK == 0xff00ffffu, "the mask of ct mark");

static const char *const hook_names[] = {
	[NFT_H_NONE] = "",	     [NFT_H_PREROUTING] = "prerouting", [NFT_H_INPUT] = "input",
	[NFT_H_FORWARD] = "forward", [NFT_H_OUTPUT] = "output",		[NFT_H_POSTROUTING] = "postrouting",
};

/* Two halves, in hexadecimal: nft takes it for the number of a traffic class. */
static void print_number(uint32_t number, FILE *out)
{
	(void)fprintf(out, "%" PRIx32 ":%" PRIx32, number >> 16, number & 0xffff);
}

static void print_value(enum nft_field field, const uint8_t *v, bool interval, FILE *out)
{
	uint32_t number;

	char text[IP_TEXT_MAX];
	struct ip_addr addr;

	switch (field) {
	case NFT_F_IP_SADDR:
	case NFT_F_IP_DADDR:
		addr = ip_addr_from_bytes(v, 4);
		(void)fputs(ip_addr_print(&addr, text), out);
		break;
	case NFT_F_IP6_SADDR:
	case NFT_F_IP6_DADDR:
		addr = ip_addr_from_bytes(v, 16);
		(void)fputs(ip_addr_print(&addr, text), out);
		break;
	case NFT_F_CT_MARK:
		memcpy(&number, v, sizeof(number));
		(void)fprintf(out, "0x%08" PRIx32, number);
		break;
	case NFT_F_L4PROTO:
	case NFT_F_ICMP6_TYPE:
		(void)fprintf(out, "%u", v[0]);
		break;
	case NFT_F_TH_DPORT:
		(void)fprintf(out, "%u", (unsigned int)v[0] << 8 | v[1]);
		break;
	case NFT_F_IIFNAME:
	case NFT_F_OIFNAME:
		(void)fprintf(out, "\"%.*s\"", NFT_IFNAME_MAX, (const char *)v);
		break;
	case NFT_F_NUMBER:
		memcpy(&number, v, sizeof(number));
		if (interval)
			number = (uint32_t)v[0] << 24 | (uint32_t)v[1] << 16 | (uint32_t)v[2] << 8 | v[3];
		print_number(number, out);
		break;
	case NFT_F_MAX:
		break;
	}
}

static void print_verdict(enum nft_verdict v, const char *chain, FILE *out)
{
	switch (v) {
	case NFT_V_ACCEPT:
		(void)fputs("accept", out);
		break;
	case NFT_V_DROP:
		(void)fputs("drop", out);
		break;
	case NFT_V_RETURN:
		(void)fputs("return", out);
		break;
	case NFT_V_JUMP:
		(void)fprintf(out, "jump %s", chain);
		break;
	case NFT_V_GOTO:
		(void)fprintf(out, "goto %s", chain);
		break;
	case NFT_V_NONE:
		break;
	}
}

static void print_elem(const struct nft_set *s, const struct nft_elem *el, FILE *out)
{
	size_t at = 0;

	for (uint8_t f = 0; f < s->n_fields; f++) {
		size_t len = nft_field_room(s->fields[f]);

		(void)fputs(f == 0 ? "" : " . ", out);
		print_value(s->fields[f], el->lo.bytes + at, s->interval, out);
		if (s->interval && memcmp(el->lo.bytes + at, el->hi.bytes + at, len) != 0) {
			(void)fputc('-', out);
			print_value(s->fields[f], el->hi.bytes + at, s->interval, out);
		}
		at += len;
	}
	if (s->map == NFT_MAP_NONE)
		return;
	(void)fputs(" : ", out);
	if (s->map == NFT_MAP_NUMBER)
		print_number(el->number, out);
	else
		print_verdict(el->verdict, el->chain, out);
}

static void print_set(const struct nft_set *s, FILE *out)
{
	static const char *const to[] = {
		[NFT_MAP_NONE] = "\n", [NFT_MAP_VERDICT] = " : verdict\n", [NFT_MAP_NUMBER] = " : classid\n"
	};

	(void)fprintf(out, "\t%s %s {\n\t\ttype ", s->map != NFT_MAP_NONE ? "map" : "set", s->name);
	for (uint8_t f = 0; f < s->n_fields; f++)
		(void)fprintf(out, "%s%s", f == 0 ? "" : " . ", field_types[s->fields[f]]);
	(void)fputs(to[s->map], out);
	if (s->interval || s->timeout)
		(void)fprintf(out, "\t\tflags %s\n", s->interval ? "interval" : "timeout");
	if (s->size != 0)
		(void)fprintf(out, "\t\tsize %" PRIu32 "\n", s->size);
	if (s->n_elems != 0) {
		(void)fputs("\t\telements = {\n", out);
		for (uint32_t i = 0; i < s->n_elems; i++) {
			(void)fputs("\t\t\t", out);
			print_elem(s, &s->elems[i], out);
			(void)fputs(",\n", out);
		}
		(void)fputs("\t\t}\n", out);
	}
	(void)fputs("\t}\n", out);
}

static void print_object(const struct nft_object *o, FILE *out)
{
	if (o->kind == NFT_O_COUNTER)
		(void)fprintf(out, "\tcounter %s {\n\t}\n", o->name);
	else
		(void)fprintf(out, "\tlimit %s {\n\t\trate %" PRIu32 "/second burst %" PRIu32 " packets\n\t}\n",
			      o->name, o->per_s, o->burst);
}

static void print_lookup(const struct nft_stmt *s, FILE *out)
{
	const char *how = s->kind == NFT_S_VMAP	       ? " vmap"
			  : s->kind == NFT_S_NUMBER_OF ? " map"
			  : s->invert		       ? " !="
						       : "";

	for (uint8_t f = 0; f < s->n_fields; f++)
		(void)fprintf(out, "%s%s", f == 0 ? "" : " . ", field_exprs[s->fields[f]]);
	(void)fprintf(out, "%s @%s", how, s->set);
}

static void print_ct_state(uint32_t bits, FILE *out)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} states[] = {
		{ NFT_CT_INVALID, "invalid" }, { NFT_CT_ESTABLISHED, "established" }, { NFT_CT_RELATED, "related" },
		{ NFT_CT_NEW, "new" },	       { NFT_CT_UNTRACKED, "untracked" },
	};
	const char *comma = "";

	(void)fputs("ct state ", out);
	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		if ((bits & states[i].bit) == 0)
			continue;
		(void)fprintf(out, "%s%s", comma, states[i].name);
		comma = ",";
	}
}

static void print_ct_event(uint32_t mask, FILE *out)
{
	/* By number: "none" has no name, and the others (IPCT_NEW, IPCT_DESTROY) are bits. */
	(void)fprintf(out, "ct event set 0x%" PRIx32, mask);
}

static void print_reject(uint32_t tcp, FILE *out)
{
	(void)fputs(tcp != 0 ? "reject with tcp reset" : "reject with icmpx type admin-prohibited", out);
}

static void print_set_number(uint32_t number, FILE *out)
{
	(void)fputs("meta priority set ", out);
	if (number == 0)
		(void)fputs("none", out);
	else
		print_number(number, out);
}

static void print_saddr4(const struct nft_stmt *s, FILE *out)
{
	(void)fprintf(out, "ip saddr %" PRIu32 ".%" PRIu32 ".%" PRIu32 ".%" PRIu32, s->value >> 24,
		      s->value >> 16 & 255, s->value >> 8 & 255, s->value & 255);
	if (s->bits < 32)
		(void)fprintf(out, "/%u", s->bits);
}

static void print_stmt(const struct nft_stmt *s, FILE *out)
{
	switch (s->kind) {
	case NFT_S_MATCH:
	case NFT_S_VMAP:
		print_lookup(s, out);
		break;
	case NFT_S_NUMBER:
		print_set_number(s->value, out);
		break;
	case NFT_S_NUMBER_OF:
		(void)fputs("meta priority set ", out);
		print_lookup(s, out);
		break;
	case NFT_S_IIFNAME:
	case NFT_S_OIFNAME:
		(void)fprintf(out, "%s %s\"%s\"", s->kind == NFT_S_IIFNAME ? "iifname" : "oifname",
			      s->invert ? "!= " : "", s->name);
		break;
	case NFT_S_CT_STATE:
		print_ct_state(s->value, out);
		break;
	case NFT_S_L4PROTO:
		(void)fprintf(out, "meta l4proto %s%" PRIu32, s->invert ? "!= " : "", s->value);
		break;
	case NFT_S_DPORT:
	case NFT_S_SPORT:
		(void)fprintf(out, "th %s %" PRIu32, s->kind == NFT_S_DPORT ? "dport" : "sport", s->value);
		break;
	case NFT_S_TCP_SYN:
		(void)fprintf(out, "tcp flags & (syn|rst) %s syn", s->invert ? "!=" : "==");
		break;
	case NFT_S_TCP_RST:
		(void)fputs("tcp flags & rst == rst", out);
		break;
	case NFT_S_NFPROTO:
		(void)fprintf(out, "meta nfproto %s", s->value == IP_V4 ? "ipv4" : "ipv6");
		break;
	case NFT_S_SADDR4:
		print_saddr4(s, out);
		break;
	case NFT_S_FIB_LOCAL:
		(void)fputs("fib daddr type local", out);
		break;
	case NFT_S_FIB_OIF:
		(void)fprintf(out, "fib daddr oifname \"%s\"", s->name);
		break;
	case NFT_S_FIB_ASTRAY:
		(void)fputs("fib saddr . iif oif missing", out);
		break;
	case NFT_S_META_MARK:
		(void)fprintf(out, "meta mark set meta mark & 0x%08" PRIx32 " | 0x%08" PRIx32, ~s->mask, s->value);
		break;
	case NFT_S_CT_MARK:
		(void)fprintf(out, "ct mark set ct mark & 0x%08x | 0x%08" PRIx32, ~CT_MARK_MASK, s->value);
		break;
	case NFT_S_CT_EVENT:
		print_ct_event(s->value, out);
		break;
	case NFT_S_MSS_CLAMP:
		(void)fputs("tcp option maxseg size set rt mtu", out);
		break;
	case NFT_S_COUNTER:
		(void)fputs("counter", out);
		if (s->object != NULL)
			(void)fprintf(out, " name \"%s\"", s->object);
		break;
	case NFT_S_LIMIT:
		(void)fprintf(out, "limit name \"%s\"", s->object);
		break;
	case NFT_S_LOG:
		(void)fprintf(out, "log prefix \"%s\" group %" PRIu32 " snaplen %u", s->prefix, s->value, DROP_SNAPLEN);
		break;
	case NFT_S_MASQUERADE:
		(void)fputs("masquerade", out);
		break;
	case NFT_S_REDIRECT:
		(void)fprintf(out, "redirect to :%" PRIu32, s->value);
		break;
	case NFT_S_REJECT:
		print_reject(s->value, out);
		break;
	case NFT_S_VERDICT:
		print_verdict(s->verdict, s->chain, out);
		break;
	case NFT_S_MAX:
		break;
	}
}

static void print_chain(const struct nft_chain *c, FILE *out)
{
	(void)fprintf(out, "\tchain %s {\n", c->name);
	if (c->hook != NFT_H_NONE)
		(void)fprintf(out, "\t\ttype %s hook %s priority %" PRId32 "; policy %s;\n", nft_chain_type(c),
			      hook_names[c->hook], c->priority, c->policy_drop ? "drop" : "accept");
	for (uint32_t r = 0; r < c->n_rules; r++) {
		(void)fputs("\t\t", out);
		for (uint32_t i = 0; i < c->rules[r].n_stmts; i++) {
			(void)fputs(i == 0 ? "" : " ", out);
			print_stmt(&c->rules[r].stmts[i], out);
		}
		if (c->rules[r].pos != NULL)
			(void)fprintf(out, " comment \"%s\"", c->rules[r].pos);
		(void)fputc('\n', out);
	}
	(void)fputs("\t}\n", out);
}

void nft_prog_print(const struct nft_prog *p, FILE *out)
{
	(void)fprintf(out, "table inet %s {\n", NFT_TABLE_NAME);
	for (uint32_t i = 0; i < p->n_objects; i++)
		print_object(&p->objects[i], out);
	for (uint32_t i = 0; i < p->n_sets; i++)
		print_set(&p->sets[i], out);
	for (uint32_t i = 0; i < p->n_chains; i++)
		print_chain(&p->chains[i], out);
	(void)fputs("}\n", out);
}
