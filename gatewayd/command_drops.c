/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Counters are read from the kernel when somebody asks: one dump, nothing is kept here. Members of the answers are an
 * interface (docs/man/sluice.1): they are added to, never renamed. */
#include "gatewayd/command_drops.h"

#include "gatewayd/nft_dump.h"
#include "policy/lower_drops.h"

#include <cjson/cJSON.h>
#include <event2/event.h>
#include <net/if.h>

struct drops_waiter {
	struct engine *e;
	struct control_client *client;
	uint64_t after;
	struct event *timeout;
	TAILQ_ENTRY(drops_waiter) next;
};

struct count {
	uint64_t packets, bytes;
	bool found;
};

/* Of the running plan's rules and of the reasons. */
struct counts {
	const struct plan *plan;
	struct count *rules; /* as plan.rules */
	struct count reasons[DROP_REASON_MAX];
};

static bool rule_of(const struct plan *p, const char *name, uint32_t *ret)
{
	const struct plan_rule *rule;
	char *end;
	unsigned long mark;

	if (strncmp(name, "r_", 2) != 0)
		return false;
	mark = strtoul(name + 2, &end, 16);
	rule = *end == '\0' && mark <= UINT32_MAX ? plan_rule_by_mark(p, (uint32_t)mark) : NULL;
	if (rule == NULL)
		return false;
	*ret = (uint32_t)(rule - p->rules);
	return true;
}

static int note_counter(void *arg, const char *name, uint64_t packets, uint64_t bytes)
{
	const struct count found = { packets, bytes, true };
	struct counts *c = arg;
	uint32_t rule;

	if (name != NULL && rule_of(c->plan, name, &rule))
		c->rules[rule] = found;
	for (uint32_t r = 0; name != NULL && r < DROP_REASON_MAX; r++)
		if (strncmp(name, DROP_COUNTER_PREFIX, strlen(DROP_COUNTER_PREFIX)) == 0 &&
		    strcmp(name + strlen(DROP_COUNTER_PREFIX), drop_reason_name(r)) == 0)
			c->reasons[r] = found;
	return 0;
}

static void counts_done(struct counts *c)
{
	free(c->rules);
}

/* @ret: counts_done(), also on failure. */
static int counts_read(struct engine *e, struct counts *ret, struct err *err)
{
	*ret = (struct counts){ .plan = e->now.loaded->plan };
	ret->rules = calloc((size_t)ret->plan->n_rules + 1, sizeof(*ret->rules));
	if (ret->rules == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	return nft_dump_counters(e->nft, note_counter, ret, err);
}

static void add_count(cJSON *o, const struct count *c)
{
	(void)cJSON_AddNumberToObject(o, "packets", (double)c->packets);
	(void)cJSON_AddNumberToObject(o, "bytes", (double)c->bytes);
}

/* By reason; what denies have refused is the sum of theirs. */
static void add_refused(struct counts *c, cJSON *o)
{
	cJSON *refused = cJSON_AddObjectToObject(o, "refused");

	for (uint32_t i = 0; i < c->plan->n_rules; i++) {
		if (c->plan->rules[i].action == PLAN_ACCEPT)
			continue;
		c->reasons[DROP_DENY].packets += c->rules[i].packets;
		c->reasons[DROP_DENY].bytes += c->rules[i].bytes;
	}
	for (uint32_t r = 0; r < DROP_REASON_MAX; r++)
		add_count(cJSON_AddObjectToObject(refused, drop_reason_name(r)), &c->reasons[r]);
}

void command_drops_status(struct engine *e, struct cJSON *o)
{
	const struct drops_stats *stats = drops_stats(e->drops);
	cJSON *drops = cJSON_AddObjectToObject(o, "drops");
	CLEANUP(counts_done) struct counts c = { 0 };
	struct err err = { 0 };

	(void)cJSON_AddBoolToObject(drops, "told", e->drops_fd != -1);
	if (e->drops_fd == -1)
		(void)cJSON_AddStringToObject(drops, "error", e->drops_error.msg);
	(void)cJSON_AddNumberToObject(drops, "kept", (double)stats->told);
	(void)cJSON_AddNumberToObject(drops, "lost", (double)stats->lost);
	(void)cJSON_AddNumberToObject(drops, "ignored", (double)stats->ignored);
	if (e->now.loaded == NULL)
		return;
	if (counts_read(e, &c, &err) == 0)
		add_refused(&c, o);
	else
		(void)cJSON_AddStringToObject(o, "refused_error", err.msg);
}

static cJSON *refusal(const char *why)
{
	cJSON *o = cJSON_CreateObject();

	(void)cJSON_AddFalseToObject(o, "ok");
	(void)cJSON_AddStringToObject(o, "error", why);
	return o;
}

static cJSON *rule_json(const struct plan_rule *rule, const struct count *count)
{
	static const char *const actions[PLAN_ACTION_MAX] = { "accept", "drop", "reject" };
	cJSON *o = cJSON_CreateObject();

	(void)cJSON_AddStringToObject(o, "rule", rule->pos);
	(void)cJSON_AddNumberToObject(o, "line", rule->line);
	(void)cJSON_AddNumberToObject(o, "col", rule->col);
	(void)cJSON_AddStringToObject(o, "action", actions[rule->action]);
	(void)cJSON_AddBoolToObject(o, "used", count->found);
	add_count(o, count);
	return o;
}

struct cJSON *command_rules(struct engine *e)
{
	CLEANUP(counts_done) struct counts c = { 0 };
	cJSON *o, *rules;
	struct err err = { 0 };

	if (e->now.loaded == NULL)
		return refusal("starting: the first plan is not in force yet");
	if (counts_read(e, &c, &err) < 0)
		return refusal(err.msg);
	o = cJSON_CreateObject();
	(void)cJSON_AddTrueToObject(o, "ok");
	(void)cJSON_AddStringToObject(o, "file", e->config->doc->policy_file);
	rules = cJSON_AddArrayToObject(o, "rules");
	for (uint32_t i = 0; i < c.plan->n_rules; i++)
		(void)cJSON_AddItemToArray(rules, rule_json(&c.plan->rules[i], &c.rules[i]));
	add_refused(&c, o);
	return o;
}

static cJSON *drop_json(const struct engine *e, const struct drop *d)
{
	cJSON *o = cJSON_CreateObject();
	char text[IP_TEXT_MAX], name[IF_NAMESIZE];

	(void)cJSON_AddNumberToObject(o, "number", (double)d->number);
	(void)cJSON_AddNumberToObject(o, "at_us", (double)d->at_us);
	(void)cJSON_AddStringToObject(o, "reason", drop_reason_name(d->reason));
	if (d->device[0] != '\0')
		(void)cJSON_AddStringToObject(o, "device", d->device);
	(void)cJSON_AddStringToObject(o, "src", ip_addr_print(&d->src, text));
	if (d->dst.family != IP_NONE) {
		(void)cJSON_AddStringToObject(o, "dst", ip_addr_print(&d->dst, text));
		(void)cJSON_AddNumberToObject(o, "proto", d->proto);
	}
	if (d->has_ports) {
		(void)cJSON_AddNumberToObject(o, "src_port", d->src_port);
		(void)cJSON_AddNumberToObject(o, "port", d->dst_port);
	}
	if (d->ifindex != 0 && if_indextoname(d->ifindex, name) != NULL)
		(void)cJSON_AddStringToObject(o, "iif", name);
	if (d->rule[0] != '\0') {
		(void)cJSON_AddStringToObject(o, "rule", d->rule);
		(void)cJSON_AddStringToObject(o, "file", e->config->doc->policy_file);
		(void)cJSON_AddNumberToObject(o, "line", d->line);
		(void)cJSON_AddNumberToObject(o, "col", d->col);
	}
	return o;
}

/* Of how many devices nothing is told. */
static uint32_t devices_silent(const struct plan *p)
{
	uint32_t n = 0;

	for (uint32_t i = 0; p != NULL && i < p->n_devices; i++)
		n += !drops_level_tells(p->devices[i].flows);
	return n;
}

static cJSON *drops_answer(const struct engine *e, uint64_t after)
{
	const struct plan *p = e->now.loaded != NULL ? e->now.loaded->plan : NULL;
	const struct drops_stats *stats = drops_stats(e->drops);
	cJSON *o = cJSON_CreateObject(), *list;
	const struct drop *d;

	(void)cJSON_AddTrueToObject(o, "ok");
	(void)cJSON_AddBoolToObject(o, "told", e->drops_fd != -1);
	if (e->drops_fd == -1)
		(void)cJSON_AddStringToObject(o, "error", e->drops_error.msg);
	(void)cJSON_AddNumberToObject(o, "devices", p != NULL ? p->n_devices : 0);
	(void)cJSON_AddNumberToObject(o, "devices_silent", devices_silent(p));
	(void)cJSON_AddNumberToObject(o, "lost", (double)stats->lost);
	list = cJSON_AddArrayToObject(o, "drops");
	while ((d = drops_next(e->drops, after)) != NULL) {
		(void)cJSON_AddItemToArray(list, drop_json(e, d));
		after = d->number;
	}
	(void)cJSON_AddNumberToObject(o, "last", (double)drops_last(e->drops));
	return o;
}

static void waiter_end(struct drops_waiter *w)
{
	TAILQ_REMOVE(&w->e->drops_waiters, w, next);
	if (w->timeout != NULL)
		event_free(w->timeout);
	free(w);
}

static void waiter_answer(struct drops_waiter *w)
{
	cJSON *answer = drops_answer(w->e, w->after);
	struct control_client *client = w->client;

	waiter_end(w);
	control_reply(client, answer);
}

static void on_waited(evutil_socket_t fd, short what, void *arg)
{
	waiter_answer(arg);
}

void command_drops(struct engine *e, struct control_client *client, const struct control_cmd *cmd)
{
	const struct timeval wait = { .tv_sec = DROPS_WAIT_S };
	struct drops_waiter *w;

	if (!cmd->wait || drops_next(e->drops, cmd->after) != NULL) {
		control_reply(client, drops_answer(e, cmd->after));
		return;
	}
	w = calloc(1, sizeof(*w));
	if (w == NULL) {
		control_reply(client, NULL);
		return;
	}
	*w = (struct drops_waiter){ .e = e, .client = client, .after = cmd->after };
	w->timeout = evtimer_new(e->base, on_waited, w);
	TAILQ_INSERT_TAIL(&e->drops_waiters, w, next);
	if (w->timeout == NULL || evtimer_add(w->timeout, &wait) < 0)
		waiter_answer(w);
}

void command_drops_wake(struct engine *e)
{
	struct drops_waiter *w = TAILQ_FIRST(&e->drops_waiters), *following;

	for (; w != NULL; w = following) {
		following = TAILQ_NEXT(w, next);
		if (drops_next(e->drops, w->after) != NULL)
			waiter_answer(w);
	}
}

void command_drops_end(struct engine *e)
{
	while (!TAILQ_EMPTY(&e->drops_waiters))
		waiter_answer(TAILQ_FIRST(&e->drops_waiters));
}
