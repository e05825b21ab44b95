/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Services of several rules over each other: which rule has which ports of one destination. */
#pragma once

#include "sluice/plan.h"

/* Whose destinations a segment comes from; see compile.c. */
enum layer { LAYER_WIDE = 0, LAYER_NAMED, LAYER_SELF, LAYER_MEMBER, LAYER_MAX };

struct segment {
	struct service service;
	uint32_t rule; /* index in plan.rules */
	enum layer layer;
};

/* Sorted, disjoint; zero-initialised, released with segments_done(). */
struct segments {
	struct segment *items;
	uint32_t n, cap;
	struct segment *scratch;
	uint32_t scratch_cap;
};

void segments_done(struct segments *s);
/* Give @rule those of @services (sorted, disjoint) that no rule has yet. 0 or -ENOMEM. */
int segments_overlay(struct segments *s, const struct service *services, uint32_t n, uint32_t rule, enum layer layer);
/* Sort, merge what overlaps or touches; returns the new count. */
uint32_t services_merge(struct service *services, uint32_t n);
int service_cmp(const struct service *x, const struct service *y);
