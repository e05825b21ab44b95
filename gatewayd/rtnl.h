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
/* Our routes over this interface. @ret: array of @max; 0, -E2BIG, negative errno. */
int rtnl_routes(uint32_t index, struct ip_prefix *ret, uint32_t max, uint32_t *ret_n, struct err *e);
