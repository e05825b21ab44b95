/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gatewayd/drops.h"

#include "policy/lower_drops.h"

struct drops {
	struct drop ring[DROPS_KEPT_MAX];
	uint64_t first, next; /* numbers: of the oldest that was ever kept, of the next one */
	uint64_t second;      /* that .in_second is about */
	uint32_t in_second;
	struct drops_stats stats;
};

struct drops *drops_new(uint64_t first)
{
	struct drops *d = calloc(1, sizeof(*d));

	if (d != NULL)
		d->first = d->next = first;
	return d;
}

struct drops *drops_free(struct drops *d)
{
	free(d);
	return NULL;
}

static bool message_valid(const struct msg_drop *m)
{
	return m->reason < DROP_REASON_MAX && m->src.family == m->dst.family &&
	       (m->src.family == IP_V4 || m->src.family == IP_V6);
}

static bool is_stranger(uint32_t reason)
{
	return reason == DROP_UNKNOWN || reason == DROP_SPOOFED;
}

/* One more in this second? */
static bool within_rate(struct drops *d, uint64_t now_us)
{
	if (d->second != now_us / 1000000) {
		d->second = now_us / 1000000;
		d->in_second = 0;
	}
	return d->in_second++ < DROPS_PER_S_MAX;
}

static void drop_fill(struct drop *drop, const struct plan *p, const struct plan_device *device,
		      const struct msg_drop *m)
{
	const struct plan_rule *rule = p != NULL && m->reason == DROP_DENY ? plan_rule_by_mark(p, m->mark) : NULL;

	drop->reason = (enum drop_reason)m->reason;
	drop->src = m->src;
	drop->ifindex = m->ifindex;
	if (device != NULL)
		(void)snprintf(drop->device, sizeof(drop->device), "%s", device->name);
	if (rule != NULL) {
		(void)snprintf(drop->rule, sizeof(drop->rule), "%s", rule->pos);
		drop->line = rule->line;
		drop->col = rule->col;
	}
	/* At this level flows have no destination either. */
	if (device != NULL && device->flows == LOG_LEVEL_COUNTS)
		return;
	drop->dst = m->dst;
	drop->proto = m->proto;
	drop->has_ports = m->has_ports != 0;
	drop->src_port = m->src_port;
	drop->dst_port = m->dst_port;
}

int drops_note(struct drops *d, const struct plan *p, const struct msg_drop *m, uint64_t now_us)
{
	const struct plan_device *device;
	struct drop *drop;

	if (!message_valid(m))
		return -EBADMSG;
	d->stats.lost += m->lost;
	device = p != NULL ? plan_device_find(p, &m->src) : NULL;
	/* A source that was spoofed is the device's whose address it is by name only: it has sent nothing. Of a
	 * stranger who has become a device since, nothing is known but what its level says. */
	if (m->reason == DROP_SPOOFED)
		device = NULL;
	else if (device != NULL ? !drops_level_tells(device->flows) : !is_stranger(m->reason)) {
		d->stats.ignored++;
		return 0;
	}
	if (!within_rate(d, now_us)) {
		d->stats.ignored++;
		return 0;
	}
	drop = &d->ring[d->next % DROPS_KEPT_MAX];
	*drop = (struct drop){ .number = d->next++, .at_us = now_us };
	drop_fill(drop, p, device, m);
	d->stats.told++;
	return 0;
}

const struct drop *drops_next(const struct drops *d, uint64_t after)
{
	uint64_t oldest = d->next - d->first > DROPS_KEPT_MAX ? d->next - DROPS_KEPT_MAX : d->first;
	uint64_t number = after + 1 > oldest ? after + 1 : oldest;

	return number < d->next ? &d->ring[number % DROPS_KEPT_MAX] : NULL;
}

uint64_t drops_last(const struct drops *d)
{
	return d->next - 1;
}

const struct drops_stats *drops_stats(const struct drops *d)
{
	return &d->stats;
}
