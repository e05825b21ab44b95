/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Main's side of commands: parts come back from workers in any order; rows of a cache are passed on as they come, what
 * is told of all workers together when the last part is here. A worker that never answers costs a place until dnsd is
 * started anew; gatewayd gives up by itself. */
#include "dnsd/command.h"

struct pending {
	uint64_t req_id;
	uint32_t left;	     /* parts to come; 0: the place is free */
	struct command *sum; /* of those that have come */
};

struct commands {
	command_send_fn *send;
	void *arg;
	struct pending places[COMMANDS_MAX];
};

struct commands *commands_new(command_send_fn *send, void *arg)
{
	struct commands *cs = calloc(1, sizeof(*cs));

	if (cs == NULL)
		return NULL;
	cs->send = send;
	cs->arg = arg;
	return cs;
}

static void send_done(struct commands *cs, uint64_t req_id, int status, uint64_t count, const char *text)
{
	struct msg_dns_done done = { .req_id = req_id, .count = count, .status = status };

	(void)snprintf(done.text, sizeof(done.text), "%s", text);
	cs->send(cs->arg, MSG_DNS_DONE, &done, sizeof(done));
}

int commands_begin(struct commands *cs, const struct msg_dns_command *ask, uint32_t n_workers)
{
	uint32_t i = 0;

	while (i < COMMANDS_MAX && cs->places[i].left != 0)
		i++;
	if (i == COMMANDS_MAX) {
		send_done(cs, ask->req_id, -EBUSY, 0, "the resolver has too many commands under way");
		return -EBUSY;
	}
	cs->places[i] = (struct pending){ .req_id = ask->req_id, .left = n_workers };
	return 0;
}

static bool same_upstream(const struct msg_dns_upstream *a, const struct msg_dns_upstream *b)
{
	return a->route == b->route && a->kind == b->kind && a->port == b->port &&
	       ip_addr_cmp(&a->addr, &b->addr) == 0 && strcmp(a->suffix, b->suffix) == 0;
}

static void upstream_merge(struct msg_dns_upstream *to, const struct msg_dns_upstream *from)
{
	to->asked += from->asked;
	to->failed += from->failed;
	to->workers_down += from->workers_down;
	if (from->state > to->state)
		to->state = from->state;
	if (to->rtt_us == 0 || (from->rtt_us != 0 && from->rtt_us < to->rtt_us))
		to->rtt_us = from->rtt_us;
}

/* Where views are just being replaced, workers may differ: what the first had is told. */
static void upstreams_merge(struct command *to, const struct command *from)
{
	for (uint32_t i = 0; i < to->n_upstreams; i++)
		for (uint32_t k = 0; k < from->n_upstreams; k++)
			if (same_upstream(&to->upstreams[i], &from->upstreams[k]))
				upstream_merge(&to->upstreams[i], &from->upstreams[k]);
}

static void part_merge(struct command *to, const struct command *from)
{
	stats_merge(&to->stats, &from->stats);
	to->cache.entries += from->cache.entries;
	to->cache.bytes += from->cache.bytes;
	to->cache.limit += from->cache.limit;
	to->under_way += from->under_way;
	to->flushed += from->flushed;
	to->n_entries += from->n_entries;
	to->made_anew = to->made_anew || from->made_anew;
	if (from->generation < to->generation)
		to->generation = from->generation;
	if (to->status == 0)
		to->status = from->status;
	upstreams_merge(to, from);
}

static void send_status(struct commands *cs, const struct command *c, uint32_t workers, uint64_t age_us)
{
	struct msg_dns_stats s = { .req_id = c->ask.req_id,
				   .age_us = age_us,
				   .generation = c->generation,
				   .workers = workers,
				   .under_way = c->under_way,
				   .cache_entries = c->cache.entries,
				   .cache_bytes = c->cache.bytes,
				   .cache_limit_bytes = c->cache.limit,
				   .counts = c->stats.counts };

	for (uint32_t i = 0; i < DNS_STAGE_MAX; i++)
		histogram_latency(&c->stats.stages[i], &s.latencies[i]);
	cs->send(cs->arg, MSG_DNS_STATS, &s, sizeof(s));
	for (uint32_t i = 0; i < c->n_upstreams; i++)
		cs->send(cs->arg, MSG_DNS_UPSTREAM, &c->upstreams[i], sizeof(c->upstreams[i]));
}

static void send_found(struct commands *cs, const struct command *c)
{
	size_t len = sizeof(c->found) + c->found.answer_len;
	CLEANUP(freep) uint8_t *body = malloc(len);

	if (body == NULL)
		return; /* then it is done without an answer, and that is said */
	memcpy(body, &c->found, sizeof(c->found));
	if (c->answer != NULL)
		memcpy(body + sizeof(c->found), c->answer, c->found.answer_len);
	cs->send(cs->arg, MSG_DNS_FOUND, body, len);
}

static const char *done_text(const struct command *c)
{
	if (c->status == -EAGAIN)
		return "the resolver has no views yet";
	if (c->status == -EBUSY)
		return "the resolver is busy: try again in some seconds";
	if (c->status == -ENOMEM)
		return "the resolver is out of memory";
	return c->made_anew ? "the libraries' own caches were emptied whole" : "";
}

static void send_end(struct commands *cs, const struct command *c, uint32_t workers, uint64_t age_us)
{
	switch ((enum dns_command)c->ask.what) {
	case DNS_COMMAND_STATUS:
		if (c->status == 0)
			send_status(cs, c, workers, age_us);
		break;
	case DNS_COMMAND_LOOKUP:
		if (c->status == 0)
			send_found(cs, c);
		break;
	case DNS_COMMAND_CACHE:
	case DNS_COMMAND_FLUSH:
	case DNS_COMMAND_MAX:
		break;
	}
	send_done(cs, c->ask.req_id, c->status, c->ask.what == DNS_COMMAND_CACHE ? c->n_entries : c->flushed,
		  done_text(c));
}

void commands_part(struct commands *cs, struct command *c, uint64_t age_us)
{
	struct pending *p = cs->places;

	while (p < cs->places + COMMANDS_MAX && (p->left == 0 || p->req_id != c->ask.req_id))
		p++;
	if (p == cs->places + COMMANDS_MAX) {
		(void)command_free(c);
		return;
	}
	for (uint32_t i = 0; i < c->n_entries; i++)
		cs->send(cs->arg, MSG_DNS_ENTRY, &c->entries[i], sizeof(c->entries[i]));
	if (p->sum == NULL) {
		p->sum = c;
		c->worker = 0; /* from here on: how many others there were */
	} else {
		part_merge(p->sum, c);
		p->sum->worker++;
		(void)command_free(c);
	}
	if (--p->left != 0)
		return;
	send_end(cs, p->sum, p->sum->worker + 1, age_us);
	p->sum = command_free(p->sum);
}
