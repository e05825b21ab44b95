/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the parts of plan_diff share: the list of changes while it is made. */
#pragma once

#include "policy/diff_space.h"
#include "policy/plan_diff.h"

/* Devices that change alike: those that had the same class and view before and have the same class and view now. */
struct diff_group {
	const char *const *devices;
	uint32_t n_devices;
};

struct diff_sink {
	struct arena *mem;
	const struct plan *from, *to;
	struct diff_group group;   /* of the changes that are added now */
	struct plan_change *items; /* realloc() */
	uint32_t n, cap;
	bool failed;
	struct diff_space space; /* of both plans */
	struct diff_users users_from, users_to;
};

/* Adds a copy with the sink's group as its devices. */
void diff_add(struct diff_sink *s, struct plan_change change);
/* A setting that differs; nothing when both are equal. */
void diff_setting(struct diff_sink *s, const char *what, const char *was, const char *is);

/* What devices of one class and user may do: NULL where they are not; @user: as plan_device.user_no. */
struct diff_side {
	const struct plan_class *class;
	uint32_t user;
};
void diff_traffic(struct diff_sink *s, const struct diff_side *from, const struct diff_side *to);
/* What is opened toward a name; the boxes' destinations mean nothing. */
struct diff_boxes {
	const struct plan_box *boxes;
	uint32_t n;
};
void diff_name(struct diff_sink *s, const struct diff_boxes *from, const struct diff_boxes *to, const char *name);
/* Names that rules open and refuse; @from and @to are classes or NULL. */
void diff_names(struct diff_sink *s, const struct plan_class *from, const struct plan_class *to);
/* What DNS says to the device; @from and @to are views or NULL. */
void diff_views(struct diff_sink *s, const struct plan_view *from, const struct plan_view *to);
/* Whom names of the device are asked of, where that is not what the gateway does as a whole. */
void diff_view_routes(struct diff_sink *s, const struct plan_view *from, const struct plan_view *to);
/* Upstreams, splits, records, lists: the gateway as a whole. */
void diff_dns(struct diff_sink *s);
/* A device's own members, the class aside. */
void diff_device(struct diff_sink *s, const struct plan_device *from, const struct plan_device *to);
