/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What an administrator wants to know of dnsd, or have done. A worker's part runs in the worker's thread, between
 * queries, and is bounded: counters are copied, one name's entries listed. */
#include "dnsd/command.h"

#include "dnsd/ask.h"

#include "dnsd/reply.h"

#define UPSTREAM_ROWS_MAX 512u /* told: of all routes and splits; more are a mistake or a hosting firm */
#define QUESTION_MAX	  300u
#define OPT_EDE		  15u /* RFC 8914 2 */
#define LOOKUP_UDP_SIZE	  4096u

int command_new(const struct msg_dns_command *ask, uint32_t worker, struct command **ret, struct err *e)
{
	struct command *c = calloc(1, sizeof(*c));
	size_t len;

	if (c == NULL)
		return err_set(e, -ENOMEM, "DNS_COMMAND");
	c->ask = *ask;
	c->ask.name[sizeof(c->ask.name) - 1] = '\0';
	c->worker = worker;
	len = strlen(c->ask.name);
	if (ask->what >= DNS_COMMAND_MAX || (len != 0 && dname_parse(c->ask.name, len, &c->name) != 0) ||
	    (len == 0 && (ask->what == DNS_COMMAND_LOOKUP || ask->what == DNS_COMMAND_CACHE))) {
		(void)command_free(c);
		return err_set(e, -EBADMSG, "DNS_COMMAND %u with a bad name", ask->what);
	}
	*ret = c;
	return 0;
}

struct command *command_free(struct command *c)
{
	if (c == NULL)
		return NULL;
	free(c->upstreams);
	free(c->entries);
	free(c->answer);
	free(c);
	return NULL;
}

/* What the route's resolver knows of one of its upstreams. */
struct known {
	struct upstream_status items[UPSTREAM_ROWS_MAX];
	uint32_t n;
};

static void row_state(struct msg_dns_upstream *row, const struct known *known)
{
	for (uint32_t i = 0; i < known->n; i++) {
		const struct upstream_status *s = &known->items[i];

		if (s->kind != row->kind || s->port != row->port || ip_addr_cmp(&s->addr, &row->addr) != 0)
			continue;
		row->asked = s->sent;
		row->failed = s->timeouts + s->failures;
		row->rtt_us = s->srtt_us;
		row->workers_down = s->down;
		row->state = s->down ? DNS_UPSTREAM_DOWN : s->answered != 0 ? DNS_UPSTREAM_UP : DNS_UPSTREAM_UNKNOWN;
		return;
	}
}

static void upstream_row(struct command *c, const struct known *known, uint32_t route, const struct dname *suffix,
			 const struct plan_upstream *u)
{
	struct msg_dns_upstream *row = &c->upstreams[c->n_upstreams];
	char text[DNAME_TEXT_MAX];

	if (c->n_upstreams == UPSTREAM_ROWS_MAX)
		return;
	c->n_upstreams++;
	row->req_id = c->ask.req_id;
	row->route = route;
	row->kind = u->kind;
	row->port = u->port;
	row->addr = u->addr;
	row->state = DNS_UPSTREAM_UNKNOWN;
	(void)snprintf(row->suffix, sizeof(row->suffix), "%s", suffix != NULL ? dname_print(suffix, text) : ".");
	(void)snprintf(row->tls_name, sizeof(row->tls_name), "%s", u->tls_name != NULL ? u->tls_name : "");
	row_state(row, known);
}

static void route_rows(struct command *c, const struct known *known, uint32_t n, const struct route *r)
{
	static const struct plan_upstream recursive = { .kind = UPSTREAM_RECURSIVE };

	if (r->n_upstreams == 0)
		upstream_row(c, known, n, NULL, &recursive);
	for (uint32_t i = 0; i < r->n_upstreams; i++)
		upstream_row(c, known, n, NULL, &r->upstreams[i]);
	for (uint32_t i = 0; i < r->n_splits; i++)
		for (uint32_t k = 0; k < r->splits[i].n_upstreams; k++)
			upstream_row(c, known, n, &r->splits[i].suffix, &r->splits[i].upstreams[k]);
}

static void run_status(struct command *c, const struct query_env *env)
{
	CLEANUP(freep) struct known *known = malloc(sizeof(*known));

	c->stats = env->stats;
	c->under_way = env->n_queries;
	cache_size(env->cache, &c->cache);
	if (env->views == NULL)
		return;
	c->generation = env->views->generation;
	c->upstreams = calloc(UPSTREAM_ROWS_MAX, sizeof(*c->upstreams));
	if (c->upstreams == NULL || known == NULL) {
		c->status = -ENOMEM;
		return;
	}
	for (uint32_t i = 0; i < env->views->n_routes; i++) {
		const struct resolver *r = env->routes[i].resolver;

		known->n = r != NULL ? resolver_status(r, known->items, UPSTREAM_ROWS_MAX) : 0;
		if (known->n > UPSTREAM_ROWS_MAX)
			known->n = UPSTREAM_ROWS_MAX;
		route_rows(c, known, i, &env->views->routes[i]);
	}
}

struct listing {
	struct command *c;
	const struct query_env *env;
};

/* The number of the route among the views', of a resolver's; UINT32_MAX: one that is gone. */
static uint32_t route_of(const struct query_env *env, uint32_t resolver)
{
	for (uint32_t i = 0; env->views != NULL && i < env->views->n_routes; i++)
		if (env->routes[i].number == resolver)
			return i;
	return UINT32_MAX;
}

static void list_entry(void *arg, const struct cache_entry *e)
{
	struct listing *l = arg;
	struct command *c = l->c;
	struct msg_dns_entry *row = &c->entries[c->n_entries];
	uint64_t now_us = l->env->now_us;
	uint32_t route = route_of(l->env, e->resolver);

	if (c->n_entries == DNS_ENTRIES_MAX || (c->ask.type != 0 && c->ask.type != e->type) || route == UINT32_MAX)
		return;
	c->n_entries++;
	row->req_id = c->ask.req_id;
	row->worker = c->worker;
	row->route = route;
	row->type = e->type;
	row->ttl_s = e->expires_us >= now_us ? (int32_t)((e->expires_us - now_us + 999999u) / 1000000u)
					     : -(int32_t)((now_us - e->expires_us) / 1000000u);
	row->bytes = e->size;
	row->hits = e->uses;
	row->rcode = e->failure ? RCODE_SERVFAIL : e->data[3] & DNS_RCODE;
	row->secure = e->secure;
	row->dnssec_ok = cache_entry_dnssec_ok(e);
	row->checking_disabled = cache_entry_checking_disabled(e);
	(void)snprintf(row->name, sizeof(row->name), "%s", c->ask.name);
}

static void run_cache(struct command *c, const struct query_env *env)
{
	struct listing l = { .c = c, .env = env };

	c->entries = calloc(DNS_ENTRIES_MAX, sizeof(*c->entries));
	if (c->entries == NULL)
		c->status = -ENOMEM;
	else
		cache_each(env->cache, &c->name, list_entry, &l);
}

static size_t question_write(const struct command *c, uint8_t buf[QUESTION_MAX])
{
	struct wcur w = wcur_over(buf, QUESTION_MAX);

	wcur_be16(&w, 0);
	wcur_be16(&w, (c->ask.flags & DNS_LOOKUP_CD) != 0 ? DNS_RD | DNS_AD | DNS_CD : DNS_RD | DNS_AD);
	wcur_be16(&w, 1);
	wcur_be32(&w, 0);
	wcur_be16(&w, 1);
	wcur_bytes(&w, c->name.wire, c->name.len);
	wcur_be16(&w, c->ask.type);
	wcur_be16(&w, CLASS_IN);
	wcur_u8(&w, 0); /* OPT, so that there is room for the reason */
	wcur_be16(&w, TYPE_OPT);
	wcur_be16(&w, LOOKUP_UDP_SIZE);
	wcur_be32(&w, 0);
	wcur_be16(&w, 0);
	assert(w.err == 0);
	return wcur_len(&w);
}

static bool run_lookup(struct command *c, struct query_env *env)
{
	uint8_t msg[QUESTION_MAX];
	struct ask_message m = { .msg = msg, .addr = c->ask.client, .from = { .trace = &c->trace } };

	if (env->views == NULL) {
		c->status = -EAGAIN;
		return true;
	}
	c->trace.open = (c->ask.flags & DNS_LOOKUP_OPEN) != 0;
	c->began_us = env->now_us;
	m.len = question_write(c, msg);
	if (ask(env, &m))
		return false;
	c->status = -EBUSY;
	return true;
}

bool command_run(struct command *c, struct query_env *env)
{
	switch ((enum dns_command)c->ask.what) {
	case DNS_COMMAND_STATUS:
		run_status(c, env);
		break;
	case DNS_COMMAND_CACHE:
		run_cache(c, env);
		break;
	case DNS_COMMAND_FLUSH:
		c->flushed = cache_flush(env->cache, (c->ask.flags & DNS_FLUSH_ALL) != 0 ? NULL : &c->name,
					 (c->ask.flags & DNS_FLUSH_BELOW) != 0);
		break;
	case DNS_COMMAND_LOOKUP:
		return run_lookup(c, env);
	case DNS_COMMAND_MAX:
		break;
	}
	return true;
}

/* RFC 8914 2, RFC 6891 6.1.2: the first reason in the options of the OPT record at @rr. */
static void ede_read(struct msg_dns_found *f, const uint8_t *msg, const struct rr *rr)
{
	struct rcur c = rcur_over(msg + rr->rdata, rr->rdlen);

	while (c.err == 0 && rcur_left(&c) != 0) {
		uint16_t code = rcur_be16(&c), len = rcur_be16(&c);
		const uint8_t *value = rcur_bytes(&c, len);
		size_t text_len;

		if (value == NULL || code != OPT_EDE || len < 2)
			continue;
		f->ede = value[0] << 8 | value[1];
		text_len = len - 2u < sizeof(f->text) - 1 ? len - 2u : sizeof(f->text) - 1;
		memcpy(f->text, value + 2, text_len);
		return;
	}
}

static void answer_read(struct msg_dns_found *f, const uint8_t *msg, size_t len)
{
	struct rcur c = rcur_over(msg, len);
	struct dname name;
	uint32_t n_rrs = 0;
	uint16_t n_questions;

	(void)rcur_be32(&c);
	n_questions = rcur_be16(&c);
	for (int i = 0; i < 3; i++)
		n_rrs += rcur_be16(&c);
	if (n_questions == 1 && dname_read(&c, msg, len, &name) == 0)
		(void)rcur_be32(&c);
	for (uint32_t i = 0; i < n_rrs; i++) {
		struct rr rr;

		if (rr_read(&c, msg, &rr) != 0)
			return;
		if (rr.type == TYPE_OPT)
			ede_read(f, msg, &rr);
	}
}

void command_answered(struct command *c, const struct query_env *env, const uint8_t *msg, size_t len)
{
	struct msg_dns_found *f = &c->found;
	char text[DNAME_TEXT_MAX];

	f->req_id = c->ask.req_id;
	f->took_us = env->now_us - c->began_us;
	f->outcome = c->trace.outcome;
	f->route = c->trace.route;
	f->worker = c->worker;
	f->ede = EDE_NONE;
	f->line = c->trace.line;
	(void)snprintf(f->device, sizeof(f->device), "%s", c->trace.device);
	(void)snprintf(f->list, sizeof(f->list), "%s", c->trace.list);
	(void)snprintf(f->rule, sizeof(f->rule), "%s", c->trace.rule);
	if (c->trace.split.len != 0)
		(void)snprintf(f->suffix, sizeof(f->suffix), "%s", dname_print(&c->trace.split, text));
	c->answer = len != 0 ? malloc(len) : NULL;
	if (c->answer == NULL) {
		c->status = len != 0 ? -ENOMEM : 0;
		return;
	}
	memcpy(c->answer, msg, len);
	f->answer_len = (uint32_t)len;
	answer_read(f, msg, len);
}
