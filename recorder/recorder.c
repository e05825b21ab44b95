/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From a conntrack event to the journal: role.c calls in, journal.c takes the records.
 *
 * NEW of a device of the log plan writes an open record, DESTROY a close record that stands for itself. What a flow is
 * led by (name, rule) is what was true at its beginning; a name that arrives after the flow (two channels, no order
 * between them) is taken at the end, if it was seen before the flow began. Evidence is kept per device, not per
 * address: the question may have come over IPv4 and the connection over IPv6.
 *
 * Who is not in the plan leaves no trace; a level that was lowered while the flow lived holds for its close record. */
#include "recorder/recorder.h"

#include "recorder/live.h"
#include "recorder/names.h"

struct recorder {
	struct journal *journal;
	struct enrich *enrich;
	struct pseudonym key;
	struct logplan *plan;
	struct names *names;
	struct live *live;
	struct recorder_stats stats;
	uint64_t gap_since_us, gap_count, gap_told_us; /* gap_count 0: none to be told */
};

struct recorder *recorder_new(struct journal *journal, struct enrich *enrich, const struct pseudonym *key)
{
	struct recorder *r = calloc(1, sizeof(*r));

	if (r == NULL) {
		journal_free(journal);
		enrich_free(enrich);
		return NULL;
	}
	r->journal = journal;
	r->enrich = enrich;
	r->key = *key;
	r->names = names_new(NAMES_PAIRS_MAX);
	r->live = live_new(LIVE_FLOWS_MAX);
	if (r->names == NULL || r->live == NULL)
		return recorder_free(r);
	return r;
}

struct recorder *recorder_free(struct recorder *r)
{
	if (r == NULL)
		return NULL;
	journal_free(r->journal);
	live_free(r->live);
	names_free(r->names);
	enrich_free(r->enrich);
	logplan_free(r->plan);
	pseudonym_done(&r->key);
	free(r);
	return NULL;
}

void recorder_plan_set(struct recorder *r, struct logplan *plan)
{
	logplan_free(r->plan);
	r->plan = plan;
}

/* Levels at which single flows are recorded. */
static bool level_records(enum log_level level)
{
	return level == LOG_LEVEL_COUNTS || level == LOG_LEVEL_PSEUDONYMOUS || level == LOG_LEVEL_FULL;
}

static bool level_names(enum log_level level)
{
	return level == LOG_LEVEL_FULL || level == LOG_LEVEL_PSEUDONYMOUS;
}

int recorder_name_seen(struct recorder *r, const uint8_t *body, size_t len)
{
	struct rcur c = rcur_over(body, len);
	const struct logplan_device *device;
	struct msg_name_seen m;
	struct flow_text name;

	rcur_copy(&c, &m, sizeof(m));
	name.at = (const char *)rcur_bytes(&c, m.name_len);
	name.len = m.name_len;
	if (c.err != 0 || m.n_addrs > LEARN_ADDRS_MAX || rcur_left(&c) != m.n_addrs * sizeof(struct ip_addr)) {
		r->stats.malformed++;
		return -EBADMSG;
	}
	device = logplan_device_find(r->plan, &m.client);
	if (device == NULL || !level_names(device->flows))
		return 0;
	for (uint16_t i = 0; i < m.n_addrs; i++) {
		struct ip_addr addr;
		int k;

		rcur_copy(&c, &addr, sizeof(addr));
		k = names_add(r->names, &device->first, &addr, name, m.at_us, m.ttl_s);
		if (k != 0)
			return k == -EINVAL ? -EBADMSG : k;
	}
	r->stats.names++;
	return 0;
}

int recorder_queries(struct recorder *r, const uint8_t *body, size_t len, uint64_t now_us)
{
	int k;

	/* An error comes again where it is told. */
	if (journal_pressed(r->journal))
		(void)journal_flush(r->journal, now_us, NULL);
	k = queries_record(r->journal, r->plan, &r->key, body, len, now_us, &r->stats.queries);
	if (k != 0)
		r->stats.malformed++;
	return k;
}

static void find_name(struct recorder *r, const struct logplan_device *device, const struct flow_event *ev,
		      struct flow_record *f)
{
	struct name_evidence found;

	names_find(r->names, &device->first, &ev->orig.dst, f->start_us, &found);
	f->evidence = found.evidence;
	f->candidates = found.candidates;
	f->name = flow_text_of(found.name);
}

/* Everything that is known of the flow now, whatever may be recorded of it. */
static void record_fill(struct recorder *r, const struct logplan_device *device, const struct flow_event *ev,
			struct flow_record *f)
{
	struct enrich_result where;

	f->device = flow_text_of(device->name);
	f->rule = flow_text_of(logplan_rule_find(r->plan, ev->mark));
	f->proto = ev->orig.proto;
	f->src = ev->orig.src;
	f->dst = ev->orig.dst;
	f->src_port = ev->orig.src_port;
	f->dst_port = ev->orig.dst_port;
	f->nat = ev->reply.dst;
	f->nat_port = ev->reply.dst_port;
	enrich_find(r->enrich, &ev->orig.dst, &where);
	memcpy(f->country, where.country, sizeof(f->country));
	f->as_number = where.as_number;
	f->as_org = where.as_org;
	find_name(r, device, ev, f);
}

/* What the level does not allow is taken out. @buf: for the device's pseudonym. */
static void record_restrict(const struct recorder *r, enum log_level level, struct flow_record *f,
			    char buf[PSEUDONYM_TEXT_MAX])
{
	char name[FLOW_SHORT_TEXT_MAX + 1];

	f->level = (uint8_t)level;
	if (level == LOG_LEVEL_COUNTS) {
		*f = (struct flow_record){ .id = f->id,
					   .start_us = f->start_us,
					   .end_us = f->end_us,
					   .closed = f->closed,
					   .opened = f->opened,
					   .counted = f->counted,
					   .level = f->level,
					   .tx_bytes = f->tx_bytes,
					   .tx_packets = f->tx_packets,
					   .rx_bytes = f->rx_bytes,
					   .rx_packets = f->rx_packets,
					   .device = f->device,
					   .rule = f->rule };
	}
	if (level != LOG_LEVEL_PSEUDONYMOUS)
		return;
	(void)snprintf(name, sizeof(name), "%.*s", (int)f->device.len, f->device.at);
	pseudonym_name(&r->key, name, buf);
	f->device = flow_text_of(buf);
	f->src = pseudonym_addr(&r->key, &f->src);
	f->dst = pseudonym_addr(&r->key, &f->dst);
	f->nat = (struct ip_addr){ 0 };
	f->nat_port = 0;
}

static int record_append(struct recorder *r, enum journal_type type, const struct flow_record *f, uint64_t now_us)
{
	uint8_t body[FLOW_BODY_MAX];
	struct wcur c = wcur_over(body, sizeof(body));

	flow_encode(f, now_us, &c);
	if (c.err != 0)
		return c.err;
	return journal_append(r->journal, type, now_us, body, wcur_len(&c));
}

static void event_new(struct recorder *r, const struct logplan_device *device, const struct flow_event *ev,
		      uint64_t now_us)
{
	char pseudonym[PSEUDONYM_TEXT_MAX];
	struct flow_record f = { .id = pseudonym_flow_id(&r->key, ev), .level = (uint8_t)device->flows };

	f.start_us = ev->start_us != 0 && ev->start_us < now_us ? ev->start_us : now_us;
	record_fill(r, device, ev, &f);
	/* Out of memory: the flow is then one whose beginning was not seen. */
	(void)live_add(r->live, &f);
	record_restrict(r, device->flows, &f, pseudonym);
	if (record_append(r, JOURNAL_OPEN, &f, now_us) == 0)
		r->stats.opened++;
}

static void event_destroy(struct recorder *r, const struct logplan_device *device, const struct flow_event *ev,
			  uint64_t now_us)
{
	char pseudonym[PSEUDONYM_TEXT_MAX];
	struct flow_record f = { .id = pseudonym_flow_id(&r->key, ev) };
	enum log_level level = device->flows;

	if (live_take(r->live, f.id, &f)) {
		f.opened = true;
		level = f.level < (uint8_t)level ? (enum log_level)f.level : level;
		if (f.evidence == FLOW_EVIDENCE_NONE)
			find_name(r, device, ev, &f);
	} else {
		f.start_us = ev->start_us != 0 && ev->start_us < now_us ? ev->start_us : 0;
		record_fill(r, device, ev, &f);
		if (f.start_us == 0) { /* led by what: not knowable */
			f.evidence = FLOW_EVIDENCE_NONE;
			f.candidates = 0;
			f.name = (struct flow_text){ 0 };
		}
	}
	f.closed = true;
	f.end_us = ev->end_us != 0 && ev->end_us < now_us ? ev->end_us : now_us;
	f.counted = ev->counted;
	f.tx_bytes = ev->orig_bytes;
	f.tx_packets = ev->orig_packets;
	f.rx_bytes = ev->reply_bytes;
	f.rx_packets = ev->reply_packets;
	record_restrict(r, level, &f, pseudonym);
	if (record_append(r, JOURNAL_CLOSE, &f, now_us) == 0)
		r->stats.closed++;
}

void recorder_event(struct recorder *r, const struct flow_event *ev, uint64_t now_us)
{
	const struct logplan_device *device = logplan_device_find(r->plan, &ev->orig.src);
	struct flow_record gone;

	if (device == NULL || !level_records(device->flows)) {
		if (ev->type == FLOW_EVENT_DESTROY)
			(void)live_take(r->live, pseudonym_flow_id(&r->key, ev), &gone);
		r->stats.ignored++;
		return;
	}
	switch (ev->type) {
	case FLOW_EVENT_NEW:
		event_new(r, device, ev, now_us);
		break;
	case FLOW_EVENT_DESTROY:
		event_destroy(r, device, ev, now_us);
		break;
	}
}

void recorder_datagram(struct recorder *r, const uint8_t *buf, size_t len, uint64_t now_us)
{
	struct rcur c = rcur_over(buf, len);
	struct flow_event ev;
	int n;

	while ((n = ctevent_next(&c, &ev)) == 1)
		recorder_event(r, &ev, now_us);
	if (n < 0)
		r->stats.malformed++;
}

void recorder_events_lost(struct recorder *r, uint64_t now_us)
{
	if (r->gap_count == 0)
		r->gap_since_us = now_us;
	r->gap_count++;
	r->stats.events_lost++;
}

static void gap_tell(struct recorder *r, uint64_t now_us)
{
	struct journal_gap gap = { .reason = JOURNAL_GAP_EVENTS, .since_us = r->gap_since_us, .count = r->gap_count };
	uint8_t body[32];
	struct wcur c = wcur_over(body, sizeof(body));

	journal_gap_write(&gap, &c);
	if (journal_append(r->journal, JOURNAL_GAP, now_us, body, wcur_len(&c)) != 0)
		return;
	r->gap_count = 0;
	r->gap_told_us = now_us;
}

int recorder_flush(struct recorder *r, uint64_t now_us, struct err *e)
{
	if (r->gap_count != 0 && (now_us - r->gap_told_us >= RECORDER_GAP_EVERY_US || now_us < r->gap_told_us))
		gap_tell(r, now_us);
	return journal_flush(r->journal, now_us, e);
}

bool recorder_pending(const struct recorder *r)
{
	return r->gap_count != 0 || journal_unsynced(r->journal);
}

const struct recorder_stats *recorder_stats(const struct recorder *r)
{
	return &r->stats;
}
