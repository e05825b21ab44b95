/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The plan's own copies of what it says about devices and DNS, and its indices. */
#pragma once

#include "policy/views.h"

struct plan_parts {
	const struct device_attrs *attrs;  /* one a device */
	const uint32_t *view_of, *user_of; /* the same */
	const uint32_t *class_of;	   /* one a source */
};

/* An empty plan with its arena. NULL when out of memory. */
struct plan *plan_new(void);
/* .rules, .classes and .views are there already. 0 or -ENOMEM. */
int plan_fill(struct plan *plan, const struct doc_policy *p, const struct directory *dir,
	      const struct plan_parts *parts);
