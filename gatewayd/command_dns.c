/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One request to dnsd for each command, told apart by number; rows are collected until DNS_DONE. Of what dnsd says
 * nothing is believed but what fits its type: texts are cut and cleaned, numbers of enums compared. Members of the
 * answers are an interface (docs/man/sluice.1): they are added to, never renamed. */
#include "gatewayd/command_dns.h"

#include "gatewayd/tap.h"

#include <cjson/cJSON.h>
#include <event2/event.h>

struct dns_waiter {
	struct engine *e;
	struct control_client *client;
	enum dns_command what;
	uint64_t req_id;
	uint32_t rows;
	cJSON *answer; /* what is sent */
	cJSON *dns;    /* the part of it that dnsd fills */
	struct event *timeout;
	TAILQ_ENTRY(dns_waiter) next;
};

/* Printable ASCII, of which dnsd's texts are made; the terminal of an administrator is not to be written to by others.
 */
static const char *clean(char *text, size_t size)
{
	text[size - 1] = '\0';
	for (char *c = text; *c != '\0'; c++)
		if (*c < 0x20 || *c > 0x7e)
			*c = '?';
	return text;
}

static void add_number(cJSON *o, const char *name, double value)
{
	(void)cJSON_AddNumberToObject(o, name, value);
}

static void waiter_end(struct dns_waiter *w)
{
	cJSON *answer = w->answer;
	struct control_client *client = w->client;

	TAILQ_REMOVE(&w->e->dns_waiters, w, next);
	if (w->timeout != NULL)
		event_free(w->timeout);
	free(w);
	control_reply(client, answer);
}

/* dnsd has not answered, for that reason. The status of the gateway is told all the same. */
static void waiter_fail(struct dns_waiter *w, const char *why)
{
	if (w->dns == w->answer)
		(void)cJSON_AddFalseToObject(w->answer, "ok");
	(void)cJSON_AddStringToObject(w->dns, "error", why);
	waiter_end(w);
}

static void on_timeout(evutil_socket_t fd, short what, void *arg)
{
	waiter_fail(arg, "the resolver does not answer");
}

/* Takes @answer; asks dnsd. */
static void waiter_begin(struct engine *e, struct control_client *client, const struct msg_dns_command *msg,
			 cJSON *answer, cJSON *dns)
{
	const struct timeval wait = { .tv_sec = msg->what == DNS_COMMAND_LOOKUP ? DNS_LOOKUP_S : DNS_ANSWER_S };
	struct dns_waiter *w = calloc(1, sizeof(*w));
	struct err err = { 0 };

	if (w == NULL || answer == NULL || dns == NULL) {
		free(w);
		cJSON_Delete(answer);
		control_reply(client, NULL);
		return;
	}
	*w = (struct dns_waiter){ .e = e,
				  .client = client,
				  .what = (enum dns_command)msg->what,
				  .req_id = msg->req_id,
				  .answer = answer,
				  .dns = dns };
	w->timeout = evtimer_new(e->base, on_timeout, w);
	TAILQ_INSERT_TAIL(&e->dns_waiters, w, next);
	if (w->timeout == NULL || evtimer_add(w->timeout, &wait) < 0)
		waiter_fail(w, "out of memory");
	else if (supervise_fd(e->children, ROLE_DNSD) == -1)
		waiter_fail(w, "the resolver is not running: it is started again");
	else if (ipc_send(supervise_fd(e->children, ROLE_DNSD), MSG_DNS_COMMAND, msg, sizeof(*msg), NULL, 0, &err) < 0)
		waiter_fail(w, err.msg);
}

static const struct plan_device *device_by_name(const struct plan *p, const char *name)
{
	for (uint32_t i = 0; i < p->n_devices; i++)
		if (strcmp(p->devices[i].name, name) == 0)
			return &p->devices[i];
	return NULL;
}

static void refuse(struct control_client *client, const char *why)
{
	cJSON *o = cJSON_CreateObject();

	(void)cJSON_AddFalseToObject(o, "ok");
	(void)cJSON_AddStringToObject(o, "error", why);
	control_reply(client, o);
}

void command_dns(struct engine *e, struct control_client *client, const struct control_cmd *cmd)
{
	const struct control_dns *d = &cmd->dns;
	struct msg_dns_command msg = { .req_id = ++e->dns_req_id, .what = d->what, .flags = d->flags };
	const struct plan_device *device = NULL;
	char addr[IP_TEXT_MAX];
	cJSON *answer;

	if (e->now.loaded == NULL) {
		refuse(client, "starting: the first plan is not in force yet");
		return;
	}
	msg.client = d->client;
	msg.type = d->type;
	(void)snprintf(msg.name, sizeof(msg.name), "%s", d->name);
	if (d->device[0] != '\0') {
		device = device_by_name(e->now.loaded->plan, d->device);
		if (device == NULL || device->n_addrs == 0) {
			refuse(client, device == NULL ? "no device has that name" : "that device has no address");
			return;
		}
		msg.client = device->addrs[0];
	}
	answer = cJSON_CreateObject();
	if (d->what == DNS_COMMAND_LOOKUP)
		(void)cJSON_AddStringToObject(answer, "src", ip_addr_print(&msg.client, addr));
	waiter_begin(e, client, &msg, answer, answer);
}

void command_dns_status(struct engine *e, struct control_client *client, cJSON *o)
{
	const struct msg_dns_command msg = { .req_id = ++e->dns_req_id, .what = DNS_COMMAND_STATUS };

	waiter_begin(e, client, &msg, o, cJSON_AddObjectToObject(o, "dns"));
}

static void add_counts(cJSON *o, const struct dns_counts *c)
{
	cJSON *to = cJSON_AddObjectToObject(o, "outcomes");
	double sum = 0;

	for (uint32_t i = 0; i < DNS_OUTCOME_MAX; i++) {
		add_number(to, dns_outcome_name(i), (double)c->outcomes[i]);
		sum += (double)c->outcomes[i];
	}
	add_number(o, "queries", sum);
	to = cJSON_AddObjectToObject(o, "events");
	for (uint32_t i = 0; i < DNS_EVENT_MAX; i++)
		add_number(to, dns_event_name(i), (double)c->events[i]);
	to = cJSON_AddObjectToObject(o, "transports");
	for (uint32_t i = 0; i < DNS_TRANSPORT_MAX; i++)
		add_number(to, dns_transport_name(i), (double)c->transports[i]);
	to = cJSON_AddObjectToObject(o, "rcodes");
	for (uint32_t i = 0; i < DNS_RCODES; i++)
		add_number(to, dns_rcode_name(i), (double)c->rcodes[i]);
	to = cJSON_AddObjectToObject(o, "qtypes");
	for (uint32_t i = 0; i < DNS_QTYPE_MAX; i++)
		add_number(to, dns_qtype_name(i), (double)c->qtypes[i]);
}

static void add_tap(const struct engine *e, cJSON *o)
{
	const char *error;
	cJSON *tap;

	if (e->tap == NULL)
		return;
	tap = cJSON_AddObjectToObject(o, "dnstap");
	(void)cJSON_AddStringToObject(tap, "path", e->config->doc->dnstap);
	add_number(tap, "connected", tap_connected(e->tap, &error));
	if (error[0] != '\0')
		(void)cJSON_AddStringToObject(tap, "error", error);
}

/* By name. Not while dnsd goes by other views than ours: the numbers might be of others. */
static void add_lists(const struct engine *e, cJSON *o, const struct msg_dns_stats *s)
{
	const struct plan *p = e->now.loaded != NULL ? e->now.loaded->plan : NULL;
	cJSON *to;

	if (p == NULL || s->generation != e->now.generation)
		return;
	to = cJSON_AddObjectToObject(o, "lists");
	for (uint32_t i = 0; i < p->n_lists && i < DNS_LISTS_MAX; i++)
		add_number(to, p->lists[i].name, (double)s->counts.lists[i]);
}

static int take_stats(struct dns_waiter *w, const struct ipc_msg *m)
{
	struct msg_dns_stats s;
	cJSON *cache, *latencies;

	memcpy(&s, m->body, sizeof(s));
	add_number(w->dns, "age_s", (double)(s.age_us / 1000000u));
	add_number(w->dns, "generation", (double)s.generation);
	add_number(w->dns, "workers", s.workers);
	add_number(w->dns, "under_way", s.under_way);
	add_counts(w->dns, &s.counts);
	add_lists(w->e, w->dns, &s);
	cache = cJSON_AddObjectToObject(w->dns, "cache");
	add_number(cache, "entries", (double)s.cache_entries);
	add_number(cache, "bytes", (double)s.cache_bytes);
	add_number(cache, "limit_bytes", (double)s.cache_limit_bytes);
	latencies = cJSON_AddObjectToObject(w->dns, "latencies_us");
	for (uint32_t i = 0; i < DNS_STAGE_MAX; i++) {
		cJSON *l = cJSON_AddObjectToObject(latencies, dns_stage_name(i));

		add_number(l, "count", (double)s.latencies[i].count);
		add_number(l, "p50", (double)s.latencies[i].p50_us);
		add_number(l, "p90", (double)s.latencies[i].p90_us);
		add_number(l, "p99", (double)s.latencies[i].p99_us);
		add_number(l, "p99.9", (double)s.latencies[i].p999_us);
		add_number(l, "max", (double)s.latencies[i].max_us);
	}
	add_tap(w->e, w->dns);
	return 0;
}

/* The member that rows go to, made with the first. NULL: more than there can be. */
static cJSON *row_add(struct dns_waiter *w, const char *member)
{
	cJSON *list = cJSON_GetObjectItemCaseSensitive(w->dns, member), *row = cJSON_CreateObject();

	if (list == NULL)
		list = cJSON_AddArrayToObject(w->dns, member);
	if (++w->rows > DNS_ROWS_MAX || !cJSON_AddItemToArray(list, row)) {
		cJSON_Delete(row);
		return NULL;
	}
	return row;
}

static int take_upstream(struct dns_waiter *w, const struct ipc_msg *m)
{
	static const char *const states[DNS_UPSTREAM_STATE_MAX] = { "unknown", "up", "down" };
	static const char *const kinds[] = { "recursive", "udp", "tls" };
	char addr[IP_TEXT_MAX];
	struct msg_dns_upstream u;
	cJSON *o = row_add(w, "upstreams");

	memcpy(&u, m->body, sizeof(u));
	if (o == NULL || u.state >= DNS_UPSTREAM_STATE_MAX || u.kind >= ARRAY_LEN(kinds) ||
	    (u.kind != UPSTREAM_RECURSIVE && u.addr.family != IP_V4 && u.addr.family != IP_V6))
		return -EBADMSG;
	add_number(o, "route", u.route);
	(void)cJSON_AddStringToObject(o, "suffix", clean(u.suffix, sizeof(u.suffix)));
	(void)cJSON_AddStringToObject(o, "kind", kinds[u.kind]);
	if (u.kind != UPSTREAM_RECURSIVE) {
		(void)cJSON_AddStringToObject(o, "addr", ip_addr_print(&u.addr, addr));
		add_number(o, "port", u.port);
	}
	if (clean(u.tls_name, sizeof(u.tls_name))[0] != '\0')
		(void)cJSON_AddStringToObject(o, "tls_name", u.tls_name);
	(void)cJSON_AddStringToObject(o, "state", states[u.state]);
	add_number(o, "workers_down", u.workers_down);
	add_number(o, "asked", (double)u.asked);
	add_number(o, "failed", (double)u.failed);
	add_number(o, "rtt_us", u.rtt_us);
	return 0;
}

static int take_entry(struct dns_waiter *w, const struct ipc_msg *m)
{
	struct msg_dns_entry n;
	cJSON *o = row_add(w, "entries");

	memcpy(&n, m->body, sizeof(n));
	if (o == NULL)
		return -EBADMSG;
	add_number(o, "worker", n.worker);
	(void)cJSON_AddStringToObject(o, "name", clean(n.name, sizeof(n.name)));
	add_number(o, "type", n.type);
	add_number(o, "ttl_s", n.ttl_s);
	add_number(o, "rcode", n.rcode);
	add_number(o, "route", n.route);
	(void)cJSON_AddBoolToObject(o, "secure", n.secure != 0);
	(void)cJSON_AddBoolToObject(o, "do", n.dnssec_ok != 0);
	(void)cJSON_AddBoolToObject(o, "cd", n.checking_disabled != 0);
	add_number(o, "hits", (double)n.hits);
	add_number(o, "bytes", n.bytes);
	return 0;
}

static void add_hex(cJSON *o, const char *name, const uint8_t *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	CLEANUP(freep) char *text = malloc(2 * len + 1);

	if (text == NULL)
		return;
	for (size_t i = 0; i < len; i++) {
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 0x0f];
	}
	text[2 * len] = '\0';
	(void)cJSON_AddStringToObject(o, name, text);
}

static int take_found(struct dns_waiter *w, const struct ipc_msg *m)
{
	struct msg_dns_found f;
	cJSON *o = w->dns;

	memcpy(&f, m->body, sizeof(f));
	if (f.outcome >= DNS_OUTCOME_MAX || f.answer_len != m->len - sizeof(f) || ++w->rows > 1)
		return -EBADMSG;
	(void)cJSON_AddStringToObject(o, "outcome", dns_outcome_name(f.outcome));
	(void)cJSON_AddStringToObject(o, "device", clean(f.device, sizeof(f.device)));
	if (clean(f.list, sizeof(f.list))[0] != '\0') {
		(void)cJSON_AddStringToObject(o, "list", f.list);
		add_number(o, "line", f.line);
		(void)cJSON_AddStringToObject(o, "rule", clean(f.rule, sizeof(f.rule)));
	}
	add_number(o, "route", f.route);
	if (clean(f.suffix, sizeof(f.suffix))[0] != '\0')
		(void)cJSON_AddStringToObject(o, "split", f.suffix);
	if (f.ede >= 0) {
		add_number(o, "ede", f.ede);
		(void)cJSON_AddStringToObject(o, "ede_text", clean(f.text, sizeof(f.text)));
	}
	add_number(o, "worker", f.worker);
	add_number(o, "took_us", (double)f.took_us);
	if (f.answer_len != 0)
		add_hex(o, "message", m->body + sizeof(f), f.answer_len);
	return 0;
}

static int take_done(struct dns_waiter *w, const struct ipc_msg *m)
{
	struct msg_dns_done d;

	memcpy(&d, m->body, sizeof(d));
	if (w->dns == w->answer)
		(void)cJSON_AddBoolToObject(w->answer, "ok", d.status == 0);
	if (d.status != 0)
		(void)cJSON_AddStringToObject(w->dns, "error", clean(d.text, sizeof(d.text)));
	else if (clean(d.text, sizeof(d.text))[0] != '\0')
		(void)cJSON_AddStringToObject(w->dns, "note", d.text);
	if (w->what == DNS_COMMAND_FLUSH)
		add_number(w->dns, "flushed", (double)d.count);
	waiter_end(w);
	return 0;
}

static struct dns_waiter *waiter_find(const struct engine *e, uint64_t req_id)
{
	struct dns_waiter *w = TAILQ_FIRST(&e->dns_waiters);

	while (w != NULL && w->req_id != req_id)
		w = TAILQ_NEXT(w, next);
	return w;
}

int command_dns_message(struct engine *e, const struct ipc_msg *m)
{
	struct dns_waiter *w;
	uint64_t req_id;

	/* It is the first member of all of them. */
	memcpy(&req_id, m->body, sizeof(req_id));
	w = waiter_find(e, req_id);
	if (w == NULL)
		return req_id <= e->dns_req_id ? 0 : -EBADMSG; /* given up meanwhile */
	if (m->type == MSG_DNS_DONE)
		return take_done(w, m);
	if (m->type == MSG_DNS_STATS && w->what == DNS_COMMAND_STATUS && ++w->rows == 1)
		return take_stats(w, m);
	if (m->type == MSG_DNS_UPSTREAM && w->what == DNS_COMMAND_STATUS)
		return take_upstream(w, m);
	if (m->type == MSG_DNS_ENTRY && w->what == DNS_COMMAND_CACHE)
		return take_entry(w, m);
	if (m->type == MSG_DNS_FOUND && w->what == DNS_COMMAND_LOOKUP)
		return take_found(w, m);
	return -EBADMSG;
}

void command_dns_fail(struct engine *e, const char *why)
{
	while (!TAILQ_EMPTY(&e->dns_waiters))
		waiter_fail(TAILQ_FIRST(&e->dns_waiters), why);
}
