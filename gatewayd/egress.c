/* SPDX-License-Identifier: GPL-3.0-or-later */
/* DOC: two rules for each way: its mark looks up its table, and what that table has no route for is unreachable. So
 * the kernel closes the way by itself the moment its interface goes, which takes the route along, and opens it when the
 * route is back; nothing depends on us hearing of it in time. Rules are known again by their protocol number, routes by
 * their table.
 *
 * Source: ip-rule(8), linux net/core/fib_rules.c: a table without a matching route passes on to the next rule. */
#include "gatewayd/egress.h"

#include <ifaddrs.h>
#include <netinet/in.h>

#include "gatewayd/rtnl.h"
#include "gatewayd/sysctl.h"

#define RULES_MAX (EGRESS_MAX * 4u) /* two, in two families */
#define FOUND_MAX (RULES_MAX * 2u)  /* those of a configuration before, too */

static const enum ip_family families[] = { IP_V4, IP_V6 };

struct wanted {
	struct rtnl_rule items[RULES_MAX];
	uint32_t n;
};

static bool rule_same(const struct rtnl_rule *a, const struct rtnl_rule *b)
{
	return a->family == b->family && a->pref == b->pref && a->mark == b->mark && a->mask == b->mask &&
	       a->table == b->table;
}

static bool is_wanted(const struct wanted *w, const struct rtnl_rule *rule)
{
	for (uint32_t i = 0; i < w->n; i++)
		if (rule_same(&w->items[i], rule))
			return true;
	return false;
}

static uint32_t own_table(uint32_t way)
{
	return EGRESS_TABLE_BASE + way + 1;
}

static void want_rules(const struct egress_list *l, struct wanted *w)
{
	for (uint32_t i = 0; i < l->n; i++) {
		const struct egress *way = &l->items[i];

		for (size_t f = 0; way->kind != EGRESS_MARK && f < ARRAY_LEN(families); f++) {
			struct rtnl_rule rule = { .family = families[f],
						  .pref = EGRESS_PREF_BASE + i * 2,
						  .mark = way->mark,
						  .mask = way->mask };

			/* The closing one first: between the two nothing is open. */
			rule.pref++;
			w->items[w->n++] = rule;
			rule.pref--;
			rule.table = way->kind == EGRESS_TABLE ? way->table : own_table(i);
			w->items[w->n++] = rule;
		}
	}
}

/* The first of several errors is told. */
static void note(int r, const struct err *why, int *ret, struct err *e)
{
	if (r < 0 && *ret == 0)
		*ret = err_set(e, r, "%s", why->msg);
}

static int rules_sync(const struct wanted *w, struct err *e)
{
	struct rtnl_rule *found = calloc(FOUND_MAX, sizeof(*found));
	uint32_t n = 0;
	struct err why = { 0 };
	int result = 0, r;

	if (found == NULL)
		return err_set(e, -ENOMEM, "egress: out of memory");
	r = rtnl_rules(found, FOUND_MAX, &n, &why);
	note(r, &why, &result, e);
	for (uint32_t i = 0; i < w->n; i++) {
		r = rtnl_rule_add(&w->items[i], &why);
		/* Without IPv6 there is nothing to route. */
		if (r != -EOPNOTSUPP || w->items[i].family == IP_V4)
			note(r, &why, &result, e);
	}
	for (uint32_t i = 0; i < n; i++)
		if (!is_wanted(w, &found[i]))
			note(rtnl_rule_delete(&found[i], &why), &why, &result, e);
	free(found);
	return result;
}

/* Without an address of its own packets would be translated to one of another interface, and nobody would answer: a
 * provider that has no IPv6 is told to the device at once. IPv4 links may be unnumbered. */
static bool has_ipv6(const char *interface)
{
	struct ifaddrs *list = NULL;
	bool found = false;

	if (getifaddrs(&list) < 0)
		return false;
	for (const struct ifaddrs *i = list; i != NULL && !found; i = i->ifa_next) {
		struct sockaddr_in6 in6;

		if (i->ifa_addr == NULL || i->ifa_addr->sa_family != AF_INET6 || strcmp(i->ifa_name, interface) != 0)
			continue;
		memcpy(&in6, i->ifa_addr, sizeof(in6));
		found = !IN6_IS_ADDR_LINKLOCAL(&in6.sin6_addr);
	}
	freeifaddrs(list);
	return found;
}

/* The route of a way that is an interface. -ENETDOWN: the interface is not there, or not up. */
static int route_sync(uint32_t way, const char *interface, uint32_t index, struct err *e)
{
	int result = 0;

	for (size_t f = 0; f < ARRAY_LEN(families); f++) {
		struct err why = { 0 };
		int r;

		if (families[f] == IP_V6 && !has_ipv6(interface))
			r = rtnl_default_delete(own_table(way), families[f], &why);
		else
			r = rtnl_default_set(own_table(way), families[f], index, &why);
		/* An interface may have IPv6 switched off: its packets of that family are unreachable. */
		if (families[f] == IP_V6 &&
		    (r == -EACCES || r == -EOPNOTSUPP || r == -EAFNOSUPPORT || r == -EINVAL || r == -ENODEV))
			continue;
		note(r, &why, &result, e);
	}
	return result;
}

static int route_forget(uint32_t way, struct err *e)
{
	int result = 0;

	for (size_t f = 0; f < ARRAY_LEN(families); f++) {
		struct err why = { 0 };

		note(rtnl_default_delete(own_table(way), families[f], &why), &why, &result, e);
	}
	return result;
}

int egress_sync(const struct egress_list *l, struct sysctls *sysctls, uint32_t *ret_down, struct err *e)
{
	struct wanted w = { .n = 0 };
	struct err why = { 0 };
	int result = 0, r;

	*ret_down = 0;
	want_rules(l, &w);
	note(rules_sync(&w, &why), &why, &result, e);
	for (uint32_t i = 0; i < l->n; i++) {
		const struct egress *way = &l->items[i];
		uint32_t index = way->interface != NULL ? rtnl_link_index(way->interface) : 0;

		if (way->interface == NULL)
			continue;
		r = index == 0 ? -ENETDOWN : 0;
		if (index != 0 && way->kind == EGRESS_INTERFACE)
			r = route_sync(i, way->interface, index, &why);
		if (r == -ENETDOWN || r == -ENODEV) {
			*ret_down |= 1u << i;
			/* What is there is of an interface that had this place in a configuration before. */
			note(route_forget(i, &why), &why, &result, e);
			continue;
		}
		note(r, &why, &result, e);
		note(sysctl_loose(sysctls, way->interface, &why), &why, &result, e);
	}
	return result;
}

int egress_remove(struct err *e)
{
	const struct wanted nothing = { .n = 0 };
	struct err why = { 0 };
	int result = 0;

	for (uint32_t i = 0; i < EGRESS_MAX; i++)
		note(route_forget(i, &why), &why, &result, e);
	note(rules_sync(&nothing, &why), &why, &result, e);
	return result;
}
