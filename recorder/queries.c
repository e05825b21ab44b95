/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Questions of one message share journal records. A record is told by dnsd, which reads from the network: everything in
 * it is checked, and bounded by what the journal's reader takes.
 *
 * Levels: both sides must say the same. Plan and views come by different ways, so around a change of a level there is a
 * moment in which questions are recorded by neither. Counts, which are told late, are taken at the levels above, too.
 */
#include "recorder/queries.h"

#include "recorder/journal_seal.h"
#include "recorder/query.h"
#include "sluice/dname.h"
#include "sluice/dns_stats.h"

#define BODY_MAX (JOURNAL_BODY_MAX - JOURNAL_SEAL_EXTRA)

struct writing {
	struct journal *journal;
	uint64_t now_us;
	size_t len;
	uint8_t body[BODY_MAX];
};

/* One record as dnsd has told it. */
struct told {
	struct query_told_head head;
	struct dname name;
	struct flow_text list, rule;
	struct ip_addr addrs[QUERY_ADDRS_MAX];
};

static bool addr_valid(const struct ip_addr *a)
{
	return a->family == IP_V4 || a->family == IP_V6;
}

static struct flow_text text_take(struct rcur *c, size_t len)
{
	const uint8_t *at = len != 0 ? rcur_bytes(c, len) : NULL;

	return at != NULL ? (struct flow_text){ .at = (const char *)at, .len = (uint16_t)len }
			  : (struct flow_text){ 0 };
}

static int told_read(struct rcur *c, struct told *ret)
{
	struct rcur mine = *c;
	struct query_told_head *h = &ret->head;

	rcur_copy(&mine, h, sizeof(*h));
	if (mine.err != 0 || h->len < sizeof(*h) || rcur_bytes(c, h->len) == NULL || h->n_addrs > QUERY_ADDRS_MAX ||
	    h->list_len > QUERY_LIST_MAX)
		return -EBADMSG;
	mine.end = c->at;
	ret->name = (struct dname){ 0 };
	if (h->name_len != 0) {
		const uint8_t *wire = rcur_bytes(&mine, h->name_len);
		struct rcur n = rcur_over(wire, wire != NULL ? h->name_len : 0);

		if (dname_read(&n, wire, h->name_len, &ret->name) != 0 || rcur_end(&n) != 0)
			return -EBADMSG;
	}
	ret->list = text_take(&mine, h->list_len);
	ret->rule = text_take(&mine, h->rule_len);
	for (uint8_t i = 0; i < h->n_addrs; i++) {
		rcur_copy(&mine, &ret->addrs[i], sizeof(ret->addrs[i]));
		if (mine.err != 0 || !addr_valid(&ret->addrs[i]))
			return -EBADMSG;
	}
	return rcur_end(&mine);
}

static void body_write(struct writing *w)
{
	if (w->len > 1)
		(void)journal_append(w->journal, JOURNAL_QUERIES, w->now_us, w->body, w->len);
	w->body[0] = QUERY_FORM;
	w->len = 1;
}

static void body_add(struct writing *w, const struct query_record *q)
{
	uint8_t one[QUERY_ENCODED_MAX];
	struct wcur c = wcur_over(one, sizeof(one));

	query_encode(q, w->now_us, &c);
	assert(c.err == 0);
	if (w->len + wcur_len(&c) > sizeof(w->body))
		body_write(w);
	memcpy(w->body + w->len, one, wcur_len(&c));
	w->len += wcur_len(&c);
}

static void gap_write(struct writing *w, const struct query_told_head *h)
{
	struct journal_gap gap = { .reason = JOURNAL_GAP_QUERIES, .since_us = h->at_us, .count = h->count };
	uint8_t body[32];
	struct wcur c = wcur_over(body, sizeof(body));

	body_write(w);
	journal_gap_write(&gap, &c);
	(void)journal_append(w->journal, JOURNAL_GAP, w->now_us, body, wcur_len(&c));
}

/* Everything that was told; nothing of a count but what a count may have. */
static void record_fill(const struct writing *w, const struct told *t, const struct logplan_device *device,
			char name[DNAME_TEXT_MAX], struct query_record *q)
{
	const struct query_told_head *h = &t->head;

	*q = (struct query_record){ .at_us = h->at_us < w->now_us ? h->at_us : w->now_us - 1,
				    .level = h->level,
				    .reason = h->reason,
				    .rcode = QUERY_RCODE_NONE,
				    .device = flow_text_of(device->name),
				    .outcome = flow_text_of(dns_outcome_name((enum dns_outcome)h->outcome)),
				    .list = t->list };
	if (h->kind == QUERY_TOLD_COUNT) {
		q->count = h->count;
		return;
	}
	q->rcode = h->rcode;
	q->excepted = (h->flags & QUERY_EXCEPTED) != 0;
	q->type = h->type;
	q->line = h->line;
	q->latency_us = h->latency_us;
	q->client = h->client;
	q->name = flow_text_of(dname_print(&t->name, name));
	q->rule = t->rule;
	if (addr_valid(&h->upstream)) {
		q->upstream = h->upstream;
		q->upstream_port = h->upstream_port;
	}
	q->n_addrs = h->n_addrs;
	memcpy(q->addrs, t->addrs, h->n_addrs * sizeof(q->addrs[0]));
}

/* A rule of a list names what was asked, and with it the line does: who has the list can look. */
static void record_hide(const struct pseudonym *key, struct query_record *q, char device[PSEUDONYM_TEXT_MAX],
			char name[PSEUDONYM_TEXT_MAX])
{
	char text[FLOW_TEXT_MAX + 1];

	(void)snprintf(text, sizeof(text), "%.*s", (int)q->device.len, q->device.at);
	pseudonym_name(key, text, device);
	q->device = flow_text_of(device);
	if (q->count != 0)
		return;
	(void)snprintf(text, sizeof(text), "%.*s", (int)q->name.len, q->name.at);
	pseudonym_name(key, text, name);
	q->name = flow_text_of(name);
	q->client = pseudonym_addr(key, &q->client);
	for (uint8_t i = 0; i < q->n_addrs; i++)
		q->addrs[i] = pseudonym_addr(key, &q->addrs[i]);
	q->rule = (struct flow_text){ 0 };
	q->line = 0;
}

/* What dnsd says fits its level: a count for counts, single questions for the others, of level blocked only what was
 * refused or changed (which alone has a reason). */
static bool kind_fits(const struct query_told_head *h, enum log_level level)
{
	if (h->outcome >= DNS_OUTCOME_MAX || h->reason >= QUERY_REASON_MAX)
		return false;
	if (h->kind == QUERY_TOLD_COUNT)
		return h->level == LOG_LEVEL_COUNTS && level >= LOG_LEVEL_COUNTS && h->count != 0;
	if (h->level != (uint8_t)level)
		return false;
	switch (level) {
	case LOG_LEVEL_BLOCKED:
		return h->kind == QUERY_TOLD_ONE && h->type != 0 && h->reason != QUERY_REASON_NONE &&
		       (h->flags & QUERY_EXCEPTED) == 0;
	case LOG_LEVEL_PSEUDONYMOUS:
	case LOG_LEVEL_FULL:
		return h->kind == QUERY_TOLD_ONE && h->type != 0;
	case LOG_LEVEL_OFF:
	case LOG_LEVEL_COUNTS:
	case LOG_LEVEL_MAX:
		break;
	}
	return false;
}

int queries_record(struct journal *j, const struct logplan *plan, const struct pseudonym *key, const uint8_t *body,
		   size_t len, uint64_t now_us, struct queries_stats *stats)
{
	char name[DNAME_TEXT_MAX], device_p[PSEUDONYM_TEXT_MAX], name_p[PSEUDONYM_TEXT_MAX];
	struct writing w = { .journal = j, .now_us = now_us, .len = 1, .body = { QUERY_FORM } };
	struct rcur c = rcur_over(body, len);
	struct query_record q;
	struct told t;
	int r = 0;

	while (rcur_left(&c) != 0 && (r = told_read(&c, &t)) == 0) {
		const struct logplan_device *device = logplan_device_queries(plan, &t.head.client);

		if (t.head.kind == QUERY_TOLD_LOST) {
			stats->lost += t.head.count;
			gap_write(&w, &t.head);
			continue;
		}
		if (device == NULL || !kind_fits(&t.head, device->queries)) {
			stats->ignored++;
			continue;
		}
		record_fill(&w, &t, device, name, &q);
		if (device->queries == LOG_LEVEL_PSEUDONYMOUS)
			record_hide(key, &q, device_p, name_p);
		body_add(&w, &q);
		stats->recorded += q.count != 0 ? q.count : 1;
	}
	body_write(&w);
	return r;
}
