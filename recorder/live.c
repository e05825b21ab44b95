/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Table of live flows (recorder.c), and of those whose end a reader has not come to yet (rows.c). Keys are
 * pseudonym_flow_id(): keyed hashes already, so their low bits are the bucket.
 *
 * A list through all flows in the order of their beginning says who goes when the table is full: also how a flow leaves
 * whose end was lost by the kernel. */
#include "recorder/live.h"

struct live_flow {
	struct live_flow *chain;
	struct live_flow *newer, *older;
	struct flow_record f;
	char texts[]; /* device, rule, name, as_org */
};

struct live {
	struct live_flow **buckets;
	uint32_t n_buckets; /* a power of two */
	uint32_t count, max;
	uint64_t evicted;
	struct live_flow *newest, *oldest;
	struct live_flow *taken; /* freed at the next call */
};

struct live *live_new(uint32_t max)
{
	struct live *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->max = max;
	l->n_buckets = 16;
	while (l->n_buckets < max)
		l->n_buckets *= 2;
	l->buckets = calloc(l->n_buckets, sizeof(struct live_flow *));
	return l->buckets != NULL ? l : live_free(l);
}

static struct live_flow **slot_find(struct live *l, uint64_t id)
{
	struct live_flow **at = &l->buckets[id & (l->n_buckets - 1)];

	while (*at != NULL && (*at)->f.id != id)
		at = &(*at)->chain;
	return at;
}

static struct live_flow *unlink_at(struct live *l, struct live_flow **at)
{
	struct live_flow *lf = *at;

	*at = lf->chain;
	*(lf->newer != NULL ? &lf->newer->older : &l->newest) = lf->older;
	*(lf->older != NULL ? &lf->older->newer : &l->oldest) = lf->newer;
	l->count--;
	return lf;
}

static void taken_free(struct live *l)
{
	free(l->taken);
	l->taken = NULL;
}

struct live *live_free(struct live *l)
{
	if (l == NULL)
		return NULL;
	taken_free(l);
	while (l->oldest != NULL)
		free(unlink_at(l, slot_find(l, l->oldest->f.id)));
	free(l->buckets);
	free(l);
	return NULL;
}

static struct flow_text text_copy(char **to, struct flow_text t)
{
	struct flow_text ret = { .at = t.len != 0 ? *to : NULL, .len = t.len };

	if (t.len != 0)
		memcpy(*to, t.at, t.len);
	*to += t.len;
	return ret;
}

int live_add(struct live *l, const struct flow_record *f)
{
	struct live_flow *lf = malloc(sizeof(*lf) + f->device.len + f->rule.len + f->name.len + f->as_org.len);
	struct live_flow **at;
	char *to;

	taken_free(l);
	if (lf == NULL)
		return -ENOMEM;
	at = slot_find(l, f->id);
	if (*at != NULL)
		free(unlink_at(l, at));
	if (l->count >= l->max) {
		free(unlink_at(l, slot_find(l, l->oldest->f.id)));
		l->evicted++;
	}
	to = lf->texts;
	lf->f = *f;
	lf->f.device = text_copy(&to, f->device);
	lf->f.rule = text_copy(&to, f->rule);
	lf->f.name = text_copy(&to, f->name);
	lf->f.as_org = text_copy(&to, f->as_org);
	at = &l->buckets[f->id & (l->n_buckets - 1)];
	lf->chain = *at;
	*at = lf;
	lf->newer = NULL;
	lf->older = l->newest;
	*(l->newest != NULL ? &l->newest->newer : &l->oldest) = lf;
	l->newest = lf;
	l->count++;
	return 0;
}

bool live_take(struct live *l, uint64_t id, struct flow_record *ret)
{
	struct live_flow **at;

	taken_free(l);
	at = slot_find(l, id);
	if (*at == NULL)
		return false;
	l->taken = unlink_at(l, at);
	*ret = l->taken->f;
	return true;
}

bool live_take_oldest(struct live *l, struct flow_record *ret)
{
	return l->oldest != NULL && live_take(l, l->oldest->f.id, ret);
}

uint32_t live_count(const struct live *l)
{
	return l->count;
}

uint64_t live_evicted(const struct live *l)
{
	return l->evicted;
}
