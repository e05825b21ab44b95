/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What each device sees of DNS, and how much is recorded of it. */
#pragma once

#include "policy/partition.h"
#include "policy/ruleset.h"

/* Of one device, from "filters" and "logs". */
struct device_attrs {
	uint32_t filter; /* index in doc_policy.filters + 1, 0 = none matched */
	bool resolve_first;
	bool record_flows;
	enum log_level flows, queries;
};

/* One for each device of @dir, in @tmp. 0 or -ENOMEM. */
int attrs_new(struct arena *tmp, const struct directory *dir, const struct doc_policy *p, struct device_attrs **ret);
/* @mem: the views; @ret_view_of (in @tmp): the view's number for each device. 0 or -ENOMEM. */
int plan_views_new(struct arena *mem, struct arena *tmp, const struct directory *dir, const struct ruleset *rules,
		   const struct device_attrs *attrs, struct plan *plan, const uint32_t **ret_view_of);
