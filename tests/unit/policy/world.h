/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A policy and its devices as text, read and compiled: what the tests of the compiler's back start from. */
#pragma once

#include "base/base.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "policy/evaluate.h"

struct world {
	struct arena *mem;
	struct diag_list diags;
	struct doc_policy *policy;
	struct doc_devices *devices;
	struct compile_env env;
	struct ip_prefix attached[1];
	struct plan *plan;
};

/* web1 and db1 are servers, laptop and pad are Ana's, phone is Ben's; tv is quarantined, old has expired at 1000. */
static const char *const family_devices =
	"{\"users\": [\"ana@example.com\", \"ben@example.com\"], \"devices\": ["
	"{\"name\": \"laptop\", \"addresses\": [\"100.64.0.2\", \"fd7a:115c:a1e0::2\"], \"user\": \"ana@example.com\"},"
	"{\"name\": \"phone\", \"addresses\": [\"100.64.0.3\", \"fd7a:115c:a1e0::3\"], \"user\": \"ben@example.com\"},"
	"{\"name\": \"pad\", \"addresses\": [\"100.64.0.4\"], \"user\": \"ana@example.com\"},"
	"{\"name\": \"web1\", \"addresses\": [\"100.64.0.7\", \"fd7a:115c:a1e0::7\"], \"tags\": [\"tag:server\"],"
	" \"routes\": [\"10.50.0.0/16\"]},"
	"{\"name\": \"db1\", \"addresses\": [\"100.64.0.8\"], \"tags\": [\"tag:server\", \"tag:db\"]},"
	"{\"name\": \"tv\", \"addresses\": [\"100.64.0.9\"], \"tags\": [\"tag:tv\"], \"state\": \"quarantined\"},"
	"{\"name\": \"old\", \"addresses\": [\"100.64.0.10\"], \"user\": \"ben@example.com\","
	" \"expires\": \"1970-01-01T00:16:40Z\"}]}";

#define FAMILY_NAMES                                                                                                   \
	"\"groups\": {\"group:family\": [\"ana@example.com\", \"ben@example.com\"]},"                                  \
	"\"tagOwners\": {\"tag:server\": [], \"tag:db\": [], \"tag:tv\": []},"                                         \
	"\"hosts\": {\"nas\": \"192.168.1.20\"},"

static void world_done(struct world *w)
{
	plan_freep(&w->plan);
	w->mem = arena_free(w->mem);
}

/* Fails the test when the texts are refused. */
static void world_read(struct world *w, const char *policy, const char *devices)
{
	struct source *src;

	*w = (struct world){ .mem = arena_new(0) };
	assert_non_null(w->mem);
	diag_init(&w->diags, w->mem);
	w->env.now_s = 2000;
	assert_int_equal(ip_prefix_parse("198.18.0.0/24", &w->attached[0], NULL), 0);
	w->env.attached = w->attached;
	w->env.n_attached = 1;
	src = source_new(w->mem, "policy.hujson", policy, strlen(policy));
	assert_non_null(src);
	w->policy = document_policy(w->mem, src, &w->diags);
	src = source_new(w->mem, "devices.hujson", devices, strlen(devices));
	assert_non_null(src);
	w->devices = document_devices(w->mem, src, &w->diags);
	if (w->diags.n_errors != 0)
		diag_print(&w->diags, stderr);
	assert_non_null(w->policy);
	assert_non_null(w->devices);
}

static inline void world_compile(struct world *w, const char *policy, const char *devices)
{
	world_read(w, policy, devices);
	assert_int_equal(plan_compile(w->policy, w->devices, &w->env, &w->diags, &w->plan), 0);
}

static inline struct ip_addr addr(const char *text)
{
	struct ip_addr a;

	assert_int_equal(ip_addr_parse(text, &a), 0);
	return a;
}

static inline bool names_match(const struct plan_rule *r, const struct dname *name)
{
	for (uint32_t i = 0; r != NULL && name != NULL && i < r->n_names; i++) {
		if (name_pattern_match(&r->names[i], name))
			return true;
	}
	return false;
}

/* The rule by which the plan decides about a packet, as class, boxes and names give it: what resolver and kernel do
 * together. NULL: dropped by none. Where an address and a name are denied both, the lower rule counts. */
static inline const struct plan_rule *plan_decides(const struct plan *p, const struct packet *pkt)
{
	const struct plan_addr *from = plan_addr_find(p, &pkt->src), *to = plan_addr_find(p, &pkt->dst);
	const struct plan_class *c = from == NULL ? NULL : &p->classes[from->class_id];
	const struct plan_view *v = from == NULL ? NULL : &p->views[p->devices[from->device].view_id];
	const struct plan_rule *by_addr = NULL, *by_name = NULL;
	const struct plan_box *box;

	if (c == NULL || c->quarantined || (c->resolve_first && pkt->name == NULL))
		return NULL;
	/* No box holds addresses of devices that are not active, and gatewayd does not learn them. */
	if (to != NULL && p->classes[to->class_id].quarantined)
		return NULL;
	box = plan_box_find(p, from, &pkt->dst, pkt->proto, pkt->port);
	by_addr = box == NULL ? NULL : &p->rules[box->rule];
	for (uint32_t i = 0; i < v->n_denies && by_name == NULL; i++) {
		if (names_match(&p->rules[v->denies[i]], pkt->name))
			by_name = &p->rules[v->denies[i]];
	}
	if (by_name != NULL)
		return by_addr != NULL && by_addr->action != PLAN_ACCEPT && by_addr < by_name ? by_addr : by_name;
	if (by_addr != NULL)
		return by_addr;
	for (uint32_t i = 0; i < c->n_name_rules; i++) {
		const struct plan_rule *r = &p->rules[c->name_rules[i]];

		if (plan_rule_serves(r, pkt->proto, pkt->port) && names_match(r, pkt->name))
			return r;
	}
	return NULL;
}

static inline enum plan_action plan_says(const struct plan *p, const struct packet *pkt, const char **ret_rule)
{
	const struct plan_rule *r = plan_decides(p, pkt);

	*ret_rule = r == NULL ? "" : r->pos;
	return r == NULL ? PLAN_DROP : r->action;
}
