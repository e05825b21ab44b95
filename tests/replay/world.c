/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The loop of a worker without sockets and threads. Called by replay.c. What worker.c does between two wakes is done
 * here in the same order: answers, ACKs, queries begun anew, deadlines. */
#include "world.h"

#include "base/ipc.h"
#include "filter/listbuild.h"
#include "policy/compile.h"
#include "policy/lower_dns.h"
#include "rule.h"

#define CACHE_BYTES (1u << 20) /* far more than a scenario puts into it */
#define NOW_S	    1700000000 /* of policies: none here expires */

/* Where a scenario begins: a clock that reads 0 would hide what forgets to set it. */
#define CLOCK_START_US 1000000000u

static const char devices_head[] = "{\"users\": [\"ana@example.com\", \"ben@example.com\"], \"devices\": [";
static const char devices_plain[] =
	"{\"name\": \"laptop\", \"addresses\": [\"100.64.0.2\", \"fd7a:115c:a1e0::2\"], \"user\": \"ana@example.com\"},"
	"{\"name\": \"phone\", \"addresses\": [\"100.64.0.3\"], \"user\": \"ben@example.com\"},"
	"{\"name\": \"server\", \"addresses\": [\"100.64.0.7\"], \"tags\": [\"tag:server\"]},"
	"{\"name\": \"tv\", \"addresses\": [\"100.64.0.9\"], \"tags\": [\"tag:tv\"]},"
	"{\"name\": \"lost\", \"addresses\": [\"100.64.0.10\"], \"tags\": [\"tag:tv\"], \"state\": \"quarantined\"}";

static void client_answer(void *arg, const struct query_from *from, const uint8_t *msg, size_t len)
{
	struct asking *a = from->tcp != NULL ? (void *)from->tcp : from->udp;

	(void)arg;
	if (a->answered)
		step_fail(a->step, "answered twice");
	if (len == 0) {
		a->dropped = true;
		return;
	}
	a->answered = true;
	a->len = len;
	a->msg = malloc(len != 0 ? len : 1);
	if (a->msg == NULL)
		abort();
	memcpy(a->msg, msg, len);
}

static void gateway_ack(struct world *w, uint64_t req_id, int status)
{
	struct msg_learn_ack ack = { .req_id = req_id, .status = status };

	if (ipc_send(w->gateway_fd, MSG_LEARN_ACK, &ack, sizeof(ack), NULL, 0, NULL) != 0)
		abort();
}

void world_ack(struct world *w)
{
	for (unsigned i = 0; i < w->n_held; i++)
		gateway_ack(w, w->held_ids[i], w->gateway == GATEWAY_FAILS ? w->gateway_status : 0);
	w->n_held = 0;
}

static void gateway_take(struct world *w, const struct ipc_msg *m)
{
	struct learned *l = &w->learned[w->n_learned];

	if (m->type != MSG_LEARN_ADD)
		return; /* NAME_SEEN */
	if (w->n_learned == WORLD_LEARNS_MAX || w->n_held == WORLD_LEARNS_MAX)
		abort();
	memcpy(&l->head, m->body, sizeof(l->head));
	memcpy(l->marks, m->body + sizeof(l->head), l->head.n_rules * sizeof(uint32_t));
	memcpy(l->addrs, m->body + sizeof(l->head) + l->head.n_rules * sizeof(uint32_t),
	       l->head.n_addrs * sizeof(struct ip_addr));
	l->checked = false;
	w->n_learned++;
	w->held_ids[w->n_held++] = l->head.req_id;
	if (w->gateway != GATEWAY_HOLDS)
		world_ack(w);
}

static bool gateway_read(struct world *w)
{
	static struct ipc_msg m;
	bool any = false;

	while (ipc_recv(w->gateway_fd, ROLE_GATEWAYD, ROLE_DNSD, &m, NULL) == 0) {
		gateway_take(w, &m);
		ipc_msg_done(&m);
		any = true;
	}
	return any;
}

static void retired_free(struct world *w)
{
	unsigned n = 0;

	for (unsigned i = 0; i < w->n_retired; i++) {
		if (resolver_busy(w->retired[i]) == 0)
			(void)resolver_free(w->retired[i]);
		else
			w->retired[n++] = w->retired[i];
	}
	w->n_retired = n;
}

void world_turn(struct world *w)
{
	struct err e = { 0 };
	bool any;

	do {
		any = upstream_deliver(w->upstream);
		if (learn_flush(w->env->learn, &e) != 0)
			abort();
		any = gateway_read(w) || any;
		if (learn_read(w->env->learn, &e) != 0)
			abort();
		any = w->env->again.first != NULL || any;
		query_again(w->env);
	} while (any);
	learn_expire(w->env->learn, w->now_us);
	query_expire(w->env);
	retired_free(w);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

void world_wait(struct world *w, uint64_t us)
{
	uint64_t end = w->now_us + us;

	for (;;) {
		uint64_t next = earlier(upstream_due_us(w->upstream), learn_deadline_us(w->env->learn));

		next = earlier(earlier(next, query_deadline_us(w->env)), end);
		if (next > w->now_us)
			w->now_us = next;
		w->env->now_us = w->now_us;
		world_turn(w);
		if (w->now_us == end)
			return;
	}
}

/* As worker.c: the resolver of that configuration keeps its number, and with it what the cache has. */
static struct query_route route_take(struct world *w, const char *config)
{
	for (uint32_t i = 0; i < ROUTES_MAX; i++) {
		struct query_route r = w->env->routes[i];

		if (r.resolver == NULL || !resolver_same(r.resolver, config))
			continue;
		w->env->routes[i].resolver = NULL;
		return r;
	}
	return (struct query_route){ .number = ++w->n_resolvers };
}

static void resolvers_replace(struct world *w, const struct views *v)
{
	struct query_route fresh[ROUTES_MAX] = { 0 };

	for (uint32_t i = 0; i < v->n_routes; i++) {
		CLEANUP(freep) char *config = NULL;

		(void)resolver_config(&v->routes[i], &config, NULL);
		fresh[i] = route_take(w, config);
		if (fresh[i].resolver == NULL)
			fresh[i].resolver = upstream_resolver(w->upstream, &v->routes[i]);
		upstream_route(fresh[i].resolver, &v->routes[i]);
	}
	for (uint32_t i = 0; i < ROUTES_MAX; i++) {
		struct resolver *old = w->env->routes[i].resolver;

		w->env->routes[i] = fresh[i];
		if (old == NULL)
			continue;
		if (w->n_retired == ARRAY_LEN(w->retired))
			abort();
		upstream_route(old, NULL);
		w->retired[w->n_retired++] = old;
	}
}

static const struct step *list_step(const struct world *w, const char *name)
{
	for (unsigned i = 0; i < w->n_lists; i++)
		if (strcmp(w->lists[i]->words[1], name) == 0)
			return w->lists[i];
	return NULL;
}

/* Line @k of the list. */
static int line_build(struct list_builder *b, struct list_parser *p, uint32_t list, const struct step *s, unsigned k,
		      struct err *e)
{
	const struct script_line *text = &s->block[k];
	struct list_terms terms;
	struct list_rule rule;
	struct list_line line;
	int rc = 0;

	if (strncmp(text->text, "= ", 2) == 0) {
		rule_read(s, text, &terms, &rule);
		return list_builder_rule(b, list, k + 1, &rule, e);
	}
	list_parse_line(p, text->text, strlen(text->text), &line);
	if (line.outcome == LIST_SKIPPED && p->zone.active)
		return 0; /* the head of a zone file */
	if (line.outcome != LIST_APPLIED)
		return err_set(e, -EINVAL, "list %s: '%s' is no rule", s->words[1], text->text);
	for (uint32_t r = 0; r < line.n_rules && rc == 0; r++)
		rc = list_builder_rule(b, list, k + 1, &line.rules[r], e);
	return rc;
}

static int lists_build(const struct world *w, const struct plan *plan, void **ret, size_t *ret_len, struct err *e)
{
	CLEANUP(list_builder_freep) struct list_builder *b = list_builder_new();
	int rc = b == NULL ? -ENOMEM : 0;

	for (uint32_t i = 0; i < plan->n_lists && rc == 0; i++) {
		const struct step *list = list_step(w, plan->lists[i].name);
		struct list_parser parser = { .trusted = true };

		if (list == NULL)
			return err_set(e, -EINVAL, "list %s: the scenario has no such list", plan->lists[i].name);
		for (unsigned k = 0; k < list->n_block && rc == 0; k++)
			rc = line_build(b, &parser, i, list, k, e);
	}
	return rc != 0 ? rc : list_builder_image(b, ret, ret_len, e);
}

static struct plan *plan_of(const struct world *w, const struct step *s, struct arena *mem)
{
	CLEANUP(freep) char *devices = NULL;
	struct compile_env env = { .now_s = NOW_S };
	struct diag_list diags;
	struct doc_policy *p;
	struct doc_devices *d;
	struct plan *plan = NULL;

	if (asprintf(&devices, "%s%s]}", devices_head, w->devices != NULL ? w->devices : devices_plain) < 0)
		abort();
	diag_init(&diags, mem);
	p = document_policy(mem, source_new(mem, "policy", w->policy, strlen(w->policy)), &diags);
	d = document_devices(mem, source_new(mem, "devices", devices, strlen(devices)), &diags);
	if (p == NULL || d == NULL || plan_compile(p, d, &env, &diags, &plan) != 0) {
		diag_print(&diags, stderr);
		step_fail(s, "the policy is refused");
	}
	return plan;
}

void world_views(struct world *w, const struct step *s)
{
	struct plan_upstream fallback = { .kind = UPSTREAM_UDP, .port = 53 };
	struct arena *mem = arena_new(0);
	struct plan *plan;
	struct views *views = NULL;
	void *image = NULL;
	size_t len = 0;
	char *json = NULL;
	struct err e = { 0 };
	int rc;

	if (mem == NULL || ip_addr_parse("192.0.2.53", &fallback.addr) != 0)
		abort();
	plan = plan_of(w, s, mem);
	rc = lists_build(w, plan, &image, &len, &e);
	if (rc == 0)
		rc = lower_dns(plan, &fallback, 1, ++w->generation, &json, &e);
	if (rc == 0)
		rc = views_new(json, strlen(json), image, len, &views, &e);
	if (rc != 0)
		step_fail(s, "views: %s", e.msg);
	free(json);
	(void)plan_free(plan);
	(void)arena_free(mem);
	resolvers_replace(w, views);
	(void)views_free(w->views);
	free(w->lists_image);
	w->views = views;
	w->lists_image = image;
	w->env->views = views;
	if (ratelimit_clients(w->env->limits, views->n_clients) != 0)
		abort();
	world_turn(w);
}

void world_open(struct world *w, const char *path)
{
	const struct ratelimit_config no_limits = { 0 };
	struct err e = { 0 };
	int fds[2];

	w->path = path;
	w->now_us = CLOCK_START_US;
	w->upstream = upstream_new(&w->now_us);
	w->env = calloc(1, sizeof(*w->env));
	if (w->env == NULL || ipc_pair(fds, &e) != 0)
		abort();
	w->gateway_fd = fds[0];
	w->env->now_us = w->now_us;
	w->env->learn = learn_new(fds[1], query_learned, w->env);
	w->env->clients = client_table_new();
	w->env->cache = cache_new(CACHE_BYTES);
	w->env->fetches =
		w->env->cache != NULL ? fetches_new(w->env->cache, &w->env->now_us, query_fetched, NULL, w->env) : NULL;
	w->env->limits = ratelimit_new(&no_limits);
	w->env->send = client_answer;
	w->env->arg = w;
	if (w->env->learn == NULL || w->env->clients == NULL || w->env->fetches == NULL || w->env->limits == NULL)
		abort();
}

void world_close(struct world *w, const struct step *last)
{
	if (w->n_batch != 0)
		step_fail(last, "questions wait for one that comes together with them");
	world_ack(w);
	world_wait(w, 2ull * UPSTREAM_GIVE_UP_US);
	for (unsigned i = 0; i < w->n_asks; i++) {
		if (!w->asks[i].answered && !w->asks[i].dropped)
			step_fail(w->asks[i].step, "never answered");
		if (!w->asks[i].checked)
			step_fail(w->asks[i].step, "%s, but nothing was expected",
				  w->asks[i].dropped ? "dropped" : "answered");
		free(w->asks[i].msg);
	}
	for (unsigned i = 0; i < w->n_learned; i++)
		if (!w->learned[i].checked)
			step_fail(last, "addresses were learned, but nothing was expected: see 'learned'");
	if (w->env->n_queries != 0)
		step_fail(last, "%u queries are still under way at the end", w->env->n_queries);
	upstream_done(w->upstream);
	for (uint32_t i = 0; i < ROUTES_MAX; i++)
		(void)resolver_free(w->env->routes[i].resolver);
	query_env_done(w->env);
	(void)fetches_free(w->env->fetches);
	(void)cache_free(w->env->cache);
	(void)learn_free(w->env->learn);
	(void)ratelimit_free(w->env->limits);
	(void)client_table_free(w->env->clients);
	(void)views_free(w->views);
	free(w->lists_image);
	free(w->policy);
	free(w->devices);
	fd_closep(&w->gateway_fd);
	free(w->env);
}
