/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Called by reload.c for a plan that is not in force yet. */
#include "gatewayd/snapshots.h"

#include "base/ipc.h"
#include "base/log.h"
#include "filter/verdict.h"
#include "geo/views_at.h"
#include "policy/evaluate.h"
#include "policy/lower_dns.h"
#include "policy/lower_log.h"

#include <sys/mman.h>

struct dns_test {
	const struct loaded *loaded;
	const struct views *views; /* as they will be in force */
	const void *lists;
	size_t lists_len;
	struct views *then; /* of another time, .then_s: made when they are asked for */
	int64_t then_s;
};

static const struct views *views_of(struct dns_test *t, int64_t at_s)
{
	const struct loaded *l = t->loaded;

	if (at_s == l->env.at_s || l->docs->policy->n_zones == 0)
		return t->views;
	if (t->then == NULL || t->then_s != at_s) {
		t->then = views_free(t->then);
		t->then_s = at_s;
		(void)views_at(l->docs->policy, l->docs->devices, &l->env, at_s, t->lists, t->lists_len, &t->then,
			       NULL);
	}
	return t->then;
}

static int dns_verdict(void *arg, int64_t at_s, const struct ip_addr *client, const struct dname *name)
{
	struct dns_test *t = arg;
	const struct views *views = views_of(t, at_s);
	const struct view_client *c = views != NULL ? views_client(views, client) : NULL;
	struct name_verdict v;

	if (c == NULL)
		return -ENOENT;
	verdict_name(
		&(struct verdict_ask){ .views = views, .view = &views->views[c->view], .client = c, .type = RECORD_A },
		name, &v);
	return v.verdict == DNS_BLOCK ? 1 : 0;
}

/* Tests are about the policy, not about the day: no device is expired in them, and what has a schedule is in force
 * where the test names no time. Else a gateway whose test names a device that has expired would not start any more. */
static int run_tests(const struct engine *e, struct loaded *l, const struct lists *lists, struct err *err)
{
	const struct doc_gateway *g = e->config->doc;
	CLEANUP(freep) char *json = NULL;
	struct compile_env env = l->env;
	const void *data = NULL;
	size_t len = 0;
	struct views *views = NULL;
	struct dns_test t = { .loaded = l };
	uint32_t failed;
	union {
		const void *in;
		void *out;
	} map;
	/* Lists are looked through when they are opened, and learning waits meanwhile: only where a test asks them. */
	bool asked = lists->compiled != -1 && l->docs->policy->n_tests != 0;
	int r = asked ? memfd_map(lists->compiled, &data, &len, err) : 0;

	/* Without what passes for a while: a test is not to fail for that, nor to hold. */
	if (r == 0)
		r = lower_dns(l->plan, g->upstreams, g->n_upstreams, e->generation + 1, &json, err);
	if (r == 0)
		r = views_new(json, strlen(json), data, len, &views, err);
	if (r == 0) {
		t.views = views;
		t.lists = data;
		t.lists_len = len;
		env.now_s = 0;
		env.at_s = 0;
		failed = evaluate_tests(l->docs->policy, l->docs->devices, &env, l->plan, dns_verdict, &t,
					&l->docs->diags);
		if (failed != 0)
			r = err_set(err, -EINVAL, "%u of the policy's tests failed", failed);
	}
	(void)views_free(views);
	(void)views_free(t.then);
	map.in = data;
	if (data != NULL)
		(void)munmap(map.out, len);
	return r;
}

/* A start does not depend on the policy's tests: a user who has left must not keep a gateway from coming up again. Nor
 * does a quarantine, by a policy that is in force as it is. What failed is said; the next reload must pass. */
static int in_force_untested(const struct loaded *l, const struct err *err)
{
	CLEANUP(freep) char *text = diags_text(&l->docs->diags);

	log_event(LOG_WARNING, "tests.failed", "error=\"%s\"", err->msg);
	if (text != NULL)
		(void)fputs(text, stderr);
	return 0;
}

int snapshots_make(const struct engine *e, struct loaded *l, const struct lists *lists, uint64_t generation,
		   int *ret_views, int *ret_log, struct err *err)
{
	const struct doc_gateway *g = e->config->doc;
	CLEANUP(freep) char *views = NULL;
	CLEANUP(freep) char *log = NULL;
	int r = lower_dns_overridden(l->plan, g->upstreams, g->n_upstreams, generation, e->overrides.items,
				     e->overrides.n, &views, err);

	/* Only what was read is tested: an address that comes must be guarded at once, and a device expire. */
	if (r == 0 && e->reload.what != RELOAD_NOTHING)
		r = run_tests(e, l, lists, err);
	if (r == -EINVAL && (e->now.loaded == NULL || e->reload.what == RELOAD_DEVICES))
		r = in_force_untested(l, err);
	if (r == 0)
		r = lower_log(l->plan, generation, &log, err);
	if (r == 0)
		r = memfd_sealed("views", views, strlen(views), ret_views, err);
	return r == 0 ? memfd_sealed("log plan", log, strlen(log), ret_log, err) : r;
}
