/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The few requests of rtnetlink that a tunnel needs. Each opens its own socket: they are rare. Non-logging. */
#pragma once

#include "base/err.h"
#include "sluice/addr.h"

/* Routes of ours carry this number (rtm_protocol), so that those that are not wanted any more are found again. Numbers
 * from 80 to 185 are nobody's in iproute2's list. */
#define RTNL_ROUTE_PROTOCOL 83

/* Numbers of all interfaces but the loopback's. @ret: array of @max; 0, -E2BIG, negative errno. */
int rtnl_links(uint32_t *ret, uint32_t max, uint32_t *ret_n, struct err *e);
/* 0 when there is no such interface. */
uint32_t rtnl_link_index(const char *name);
/* -EOPNOTSUPP: the kernel has no such kind. -EEXIST. */
int rtnl_link_create(const char *name, const char *kind, struct err *e);
int rtnl_link_delete(uint32_t index, struct err *e);
/* @mtu 0: as it is. */
int rtnl_link_up(uint32_t index, uint32_t mtu, struct err *e);
/* @p: host bits kept. An address that is there already is fine. */
int rtnl_addr_add(uint32_t index, const struct ip_prefix *p, struct err *e);
int rtnl_route_add(uint32_t index, const struct ip_prefix *p, struct err *e);
int rtnl_route_delete(uint32_t index, const struct ip_prefix *p, struct err *e);
/* A routing rule of ours, of one family: packets with this mark go by .table, or nowhere. */
struct rtnl_rule {
	enum ip_family family;
	uint32_t pref, mark, mask;
	uint32_t table; /* 0: unreachable */
};
/* One that is there already is fine. -EOPNOTSUPP: the host has no IPv6. */
int rtnl_rule_add(const struct rtnl_rule *rule, struct err *e);
int rtnl_rule_delete(const struct rtnl_rule *rule, struct err *e);
/* Ours, by their protocol number. @ret: array of @max; 0, -E2BIG, negative errno. */
int rtnl_rules(struct rtnl_rule *ret, uint32_t max, uint32_t *ret_n, struct err *e);
/* The default route of a table, out of this interface. -ENETDOWN: it is not up. */
int rtnl_default_set(uint32_t table, enum ip_family family, uint32_t index, struct err *e);
/* Away with it; none is fine. */
int rtnl_default_delete(uint32_t table, enum ip_family family, struct err *e);
/* Our routes over this interface. @ret: array of @max; 0, -E2BIG, negative errno. */
int rtnl_routes(uint32_t index, struct ip_prefix *ret, uint32_t max, uint32_t *ret_n, struct err *e);
