/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What libmaxminddb says of one address: the judge of what geo/ reads out of whole databases. */
#pragma once

#include "geo/mmdb_ranges.h"

#include <maxminddb.h>

#define LOOK_UP_KEY 12

/* @ret: "DE", "64500"; "" when there is none. */
void look_up(const MMDB_s *db, enum prefix_kind kind, const struct ip_addr *a, char ret[LOOK_UP_KEY]);
/* Sorted, disjoint ranges. */
bool ranges_hold(const struct ip_range *ranges, uint32_t n, const struct ip_addr *a);
/* IPv4 seen through IPv6: no address that a packet has is meant. */
bool is_embedded(const struct ip_addr *a);
/* Of either family, mostly of what is in use. */
struct ip_addr random_addr(uint64_t *seed);
