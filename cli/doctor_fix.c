/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What to do about a packet that somebody else's firewall drops. A drop is final, whatever our own table says: the rule
 * has to go where it was dropped, in the way of whoever manages that table, so that it stays. Nothing here does it. */
#include "cli/doctor_judge.h"

#include <linux/netfilter.h>

static const char *iptables_name(const struct place *p, uint8_t ip_family)
{
	if (ip_family == IP_V6)
		return p->legacy ? "ip6tables-legacy" : "ip6tables";
	return p->legacy ? "iptables-legacy" : "iptables";
}

static bool in_iptables(const struct place *p)
{
	return p->legacy || ((p->family == NFPROTO_IPV4 || p->family == NFPROTO_IPV6) &&
			     (strcmp(p->table, "filter") == 0 || strcmp(p->table, "mangle") == 0 ||
			      strcmp(p->table, "raw") == 0 || strcmp(p->table, "nat") == 0));
}

/* Both directions at once: who is told of one only meets the other next. */
static void forward_both(struct check *c, const struct place *p, const struct fix_context *ctx, const char *chain)
{
	const char *iptables = iptables_name(p, ctx->ip_family);

	check_fix(c, "%s -I %s -i %s -j ACCEPT", iptables, chain, ctx->tunnel);
	check_fix(c, "%s -I %s -o %s -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", iptables, chain,
		  ctx->tunnel);
}

static void input_one(struct check *c, const struct place *p, const struct fix_context *ctx, const char *chain)
{
	const char *iptables = iptables_name(p, ctx->ip_family);

	if (ctx->way == WAY_TUNNEL)
		check_fix(c, "%s -I %s -p udp --dport %u -j ACCEPT", iptables, chain, ctx->port);
	else
		check_fix(c, "%s -I %s -i %s -j ACCEPT", iptables, chain, ctx->tunnel);
}

static bool forwards(const struct fix_context *ctx)
{
	return ctx->way == WAY_OUT || ctx->way == WAY_BACK;
}

static void fix_ufw(struct check *c, const struct fix_context *ctx)
{
	if (forwards(ctx))
		check_fix(c, "ufw route allow in on %s", ctx->tunnel);
	else if (ctx->way == WAY_TUNNEL)
		check_fix(c, "ufw allow %u/udp", ctx->port);
	else
		check_fix(c, "ufw allow in on %s", ctx->tunnel);
}

static void fix_firewalld(struct check *c, const struct fix_context *ctx)
{
	if (ctx->way == WAY_TUNNEL)
		check_fix(c, "firewall-cmd --permanent --add-port=%u/udp && firewall-cmd --reload", ctx->port);
	else
		check_fix(c, "firewall-cmd --permanent --zone=trusted --add-interface=%s && firewall-cmd --reload",
			  ctx->tunnel);
}

static void fix_nft(struct check *c, const struct place *p, const struct fix_context *ctx)
{
	const char *family = family_name(p->family);

	if (ctx->way == WAY_TUNNEL) {
		check_fix(c, "nft insert rule %s %s %s udp dport %u accept", family, p->table, p->chain, ctx->port);
		return;
	}
	check_fix(c, "nft insert rule %s %s %s iifname \"%s\" accept", family, p->table, p->chain, ctx->tunnel);
	if (forwards(ctx))
		check_fix(c, "nft insert rule %s %s %s oifname \"%s\" ct state established,related accept", family,
			  p->table, p->chain, ctx->tunnel);
}

static void fix_unmanaged(struct check *c, const struct place *p, const struct fix_context *ctx)
{
	if (!in_iptables(p))
		fix_nft(c, p, ctx);
	else if (forwards(ctx))
		forward_both(c, p, ctx, p->chain);
	else
		input_one(c, p, ctx, p->chain);
	check_fix(c, "and where those rules are kept, as whatever loads them again drops this one");
}

void fix_for(struct check *c, const struct place *p, const struct fix_context *ctx)
{
	switch (ctx->neighbour) {
	case NEIGHBOUR_SLUICE:
		check_fix(c, "sluice reload");
		check_fix(c, "if it stays so, the kernel's table and the policy differ: sluice explain says what the "
			     "policy means");
		break;
	case NEIGHBOUR_TAILSCALE:
		check_fix(c, "tailscale set --netfilter-mode=nodivert");
		break;
	case NEIGHBOUR_DOCKER:
		/* Docker leaves this chain alone, and jumps to it before all others. */
		forward_both(c, p, ctx, "DOCKER-USER");
		break;
	case NEIGHBOUR_UFW:
		fix_ufw(c, ctx);
		break;
	case NEIGHBOUR_FIREWALLD:
		fix_firewalld(c, ctx);
		break;
	case NEIGHBOUR_KUBE:
	case NEIGHBOUR_LIBVIRT:
	case NEIGHBOUR_NONE:
	case NEIGHBOUR_MAX:
		fix_unmanaged(c, p, ctx);
		break;
	}
}
