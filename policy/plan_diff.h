/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What changes for whom when one plan takes the place of another, for people and programs, before anything is applied.
 * Pure. */
#pragma once

#include "base/err.h"
#include "sluice/plan.h"

enum plan_change_kind {
	CHANGE_DEVICE_NEW = 0,
	CHANGE_DEVICE_GONE,
	CHANGE_GAINS,	 /* was refused, is allowed */
	CHANGE_LOSES,	 /* was allowed, is refused */
	CHANGE_ANSWERED, /* was dropped, is rejected: refused as before, but the device is told */
	CHANGE_SILENT,	 /* the other way round */
	CHANGE_NAME_DENIED,
	CHANGE_NAME_FREED,
	CHANGE_SETTING, /* .what was .was and is .is; one of them NULL: came or went */
	CHANGE_MAX
};

/* One change of one or more devices. Strings are borrowed from the two plans or in the diff's arena. */
struct plan_change {
	enum plan_change_kind kind;
	const char *const *devices;  /* names, sorted */
	uint32_t n_devices;	     /* 0: the gateway as a whole */
	const struct ip_range *dsts; /* sorted, disjoint; none where .name is set */
	uint32_t n_dsts;
	const char *name; /* "dns:*.example" */
	const struct service *services;
	uint32_t n_services;
	const char *rule; /* that allows it (gains: in the new plan; loses: in the old one), or that refuses it */
	const char *by;	  /* loses: the rule of the new plan that refuses it, NULL = none, the default does */
	const char *what, *was, *is;
};

struct plan_diff {
	const struct plan_change *changes; /* by first device, kind, rule, destination */
	uint32_t n_changes;
};

/* @mem: arena of the result, which also borrows from both plans. Equal plans give no changes, and so do plans whose
 * rules are written otherwise but mean the same. Devices are the same when they have the same name.
 * O(n log n) in boxes of the classes that differ. 0 or -ENOMEM. */
int plan_diff(const struct plan *from, const struct plan *to, struct arena *mem, struct plan_diff *ret, struct err *e);

/* One sentence a line. Long lists of addresses are cut short, unlike in JSON. */
void plan_diff_print(const struct plan_diff *d, const struct plan *from, const struct plan *to, FILE *out);
/* One object a line: {"change","devices","services","destinations","name","rule","by","what","was","is"}, members only
 * where they say something. 0 or -ENOMEM. */
int plan_diff_print_json(const struct plan_diff *d, FILE *out);
/* "tcp 443", "udp 400-900", "icmp". Returns @buf. */
#define SERVICE_TEXT_MAX 40
const char *service_print(const struct service *s, char buf[SERVICE_TEXT_MAX]);
/* A prefix where it is one, else "a-b". Returns @buf, which holds at least 2 * IP_TEXT_MAX bytes. */
const char *ip_range_print(const struct ip_range *r, char *buf);
