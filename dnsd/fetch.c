/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From a question that the cache cannot answer to its entry. Asked by query.c, calls resolver.c, fills cache.c.
 *
 * What comes back is taken apart by reply.c and written anew by answer.c before it is kept: everything that the cache
 * holds is ours, bounded, without records that nobody asked for. Those who wait get the entry before it is in the
 * cache, so that also what is not kept (TTL 0, too large) is given to all of them.
 *
 * A failure is kept for a second, and longer each time (RFC 9520). Where an answer that has expired is still there, the
 * failure does not take its place: it stays, and is not asked for again for a while (RFC 8767). But what is bogus now
 * is not answered by what was valid once. */
#include "dnsd/fetch.h"

#include "dnsd/answer.h"
#include "dnsd/local.h"

#define BUCKETS 4096u /* as many as FETCHES_MAX: chains of one or two */

struct fetch {
	struct fetch *chain; /* also of the unused */
	struct fetches *all;
	struct fetch_wait *first, *last;
	struct cache_key key; /* .name is .name below */
	struct dname name;
	uint64_t hash;
	uint32_t zone; /* ticket of zone_enter() */
	bool guard;
};

struct fetches {
	struct cache *cache;
	uint64_t *now_us;
	fetch_done_fn *done;
	void (*tick)(void *arg);
	void *arg;
	struct fetch *buckets[BUCKETS];
	struct fetch *unused;
	struct fetch_counts counts;
	struct zone_load zones;
	struct reply reply;	      /* scratch */
	uint8_t buf[DNS_MESSAGE_MAX]; /* scratch */
};

struct fetches *fetches_new(struct cache *cache, uint64_t *now_us, fetch_done_fn *done, void (*tick)(void *arg),
			    void *arg)
{
	struct fetches *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return NULL;
	f->cache = cache;
	f->now_us = now_us;
	f->done = done;
	f->tick = tick;
	f->arg = arg;
	zone_load_init(&f->zones);
	return f;
}

struct fetches *fetches_free(struct fetches *f)
{
	if (f == NULL)
		return NULL;
	assert(f->counts.under_way == 0);
	for (struct fetch *x = f->unused, *next; x != NULL; x = next) {
		next = x->chain;
		free(x);
	}
	free(f);
	return NULL;
}

void fetch_counts(const struct fetches *f, struct fetch_counts *ret)
{
	*ret = f->counts;
	ret->zone_full = f->zones.refused;
}

static bool key_equal(const struct cache_key *a, const struct cache_key *b)
{
	return a->resolver == b->resolver && a->type == b->type && a->dnssec_ok == b->dnssec_ok &&
	       a->checking_disabled == b->checking_disabled && dname_equal(a->name, b->name);
}

static struct fetch **fetch_at(struct fetches *f, const struct cache_key *key, uint64_t hash)
{
	struct fetch **at = &f->buckets[hash % BUCKETS];

	while (*at != NULL && ((*at)->hash != hash || !key_equal(&(*at)->key, key)))
		at = &(*at)->chain;
	return at;
}

static void wait_add(struct fetch *x, struct fetch_wait *w)
{
	w->fetch = x;
	w->next = NULL;
	w->prev = x->last;
	if (x->last != NULL)
		x->last->next = w;
	else
		x->first = w;
	x->last = w;
}

void fetch_leave(struct fetch_wait *w)
{
	struct fetch *x = w->fetch;

	if (w->prev != NULL)
		w->prev->next = w->next;
	else
		x->first = w->next;
	if (w->next != NULL)
		w->next->prev = w->prev;
	else
		x->last = w->prev;
	w->fetch = NULL;
}

static void fetch_remove(struct fetch *x)
{
	struct fetches *f = x->all;
	struct fetch **at = &f->buckets[x->hash % BUCKETS];

	while (*at != x)
		at = &(*at)->chain;
	*at = x->chain;
	zone_leave(&f->zones, x->zone);
	x->chain = f->unused;
	f->unused = x;
	f->counts.under_way--;
}

static struct fetch *fetch_new(struct fetches *f, const struct cache_key *key, uint64_t hash)
{
	struct fetch *x = f->unused;

	if (f->counts.under_way >= FETCHES_MAX)
		return NULL;
	if (x != NULL)
		f->unused = x->chain;
	else if ((x = malloc(sizeof(*x))) == NULL)
		return NULL;
	x->all = f;
	x->first = x->last = NULL;
	x->name = *key->name;
	x->key = *key;
	x->key.name = &x->name;
	x->hash = hash;
	x->chain = f->buckets[hash % BUCKETS];
	f->buckets[hash % BUCKETS] = x;
	f->counts.under_way++;
	return x;
}

/* RFC 2308 5: a denial lives as long as the lesser of its SOA's TTL and its last field. */
static uint32_t soa_ttl(const struct reply *r, const struct rr *rr)
{
	struct rcur c = rcur_over(r->msg + rr->rdata, rr->rdlen);
	uint32_t minimum;

	if (rr->rdlen < 4)
		return 0;
	(void)rcur_bytes(&c, rr->rdlen - 4u);
	minimum = rcur_be32(&c);
	return minimum < rr->ttl_s ? minimum : rr->ttl_s;
}

/* Bound the TTLs of @r's records, and say what the whole lives. An answer that says nothing, with no SOA to say for how
 * long, is not kept. */
static uint32_t reply_ttl(struct reply *r)
{
	uint32_t ttl_s = CACHE_TTL_MAX_S;
	bool answered = false, denied = false;

	for (uint32_t i = 0; i < r->n_rrs; i++) {
		struct reply_rr *x = &r->rrs[i];

		if (x->dropped)
			continue;
		if (x->rr.ttl_s > INT32_MAX) /* RFC 2181 8 */
			x->rr.ttl_s = 0;
		if (x->section == SECTION_ANSWER && x->rr.type != TYPE_CNAME && x->rr.type != TYPE_DNAME)
			answered = true;
		if (x->section == SECTION_AUTHORITY && x->rr.type == TYPE_SOA) {
			denied = true;
			x->rr.ttl_s = soa_ttl(r, &x->rr);
			if (x->rr.ttl_s > CACHE_NEGATIVE_TTL_MAX_S)
				x->rr.ttl_s = CACHE_NEGATIVE_TTL_MAX_S;
		}
		if (x->rr.ttl_s > CACHE_TTL_MAX_S)
			x->rr.ttl_s = CACHE_TTL_MAX_S;
		if (x->rr.ttl_s < ttl_s)
			ttl_s = x->rr.ttl_s;
	}
	return answered || denied ? ttl_s : 0;
}

static struct cache_entry *failure(struct fetch *x, int ede, const char *text)
{
	struct fetches *f = x->all;
	const struct cache_entry *old = cache_find(f->cache, &x->key, x->hash);
	uint32_t keep_s = CACHE_FAILURE_MIN_S;

	f->counts.failed++;
	/* It failed before, and has been asked for again soon. */
	if (old != NULL && old->failure && *f->now_us - old->retry_us < CACHE_FAILURE_MAX_S * 1000000u)
		keep_s = old->keep_s < CACHE_FAILURE_MAX_S / 2 ? old->keep_s * 2 : CACHE_FAILURE_MAX_S;
	return cache_failure_new(&x->key, x->hash, ede, text, keep_s, *f->now_us);
}

static struct cache_entry *entry_of(struct fetch *x, const struct resolver_answer *a)
{
	struct fetches *f = x->all;
	struct reply *r = &f->reply;
	struct question q = { .type = x->key.type,
			      .class_ = CLASS_IN,
			      .udp_size = DNS_UDP_PLAIN_MAX,
			      .dnssec_ok = x->key.dnssec_ok,
			      .has_name = true,
			      .name = x->name };
	struct cache_entry *e;
	uint32_t rcode, ttl_s;
	bool rebind;
	int len;

	if (a->security == RESOLVER_BOGUS)
		f->counts.bogus++;
	if (a->msg == NULL || (a->security == RESOLVER_BOGUS && !x->key.checking_disabled)) {
		e = failure(x, a->ede, a->text);
		if (e != NULL)
			e->bogus = a->security == RESOLVER_BOGUS;
		return e;
	}
	if (reply_read(a->msg, a->len, &q, r) != 0)
		return failure(x, EDE_NETWORK_ERROR, "what the upstream sent is not an answer to the question");
	rcode = r->flags & DNS_RCODE;
	if (rcode != RCODE_NOERROR && rcode != RCODE_NXDOMAIN && rcode != RCODE_YXDOMAIN)
		return failure(x, a->ede != EDE_NONE ? a->ede : EDE_NO_AUTHORITY,
			       a->text != NULL ? a->text : "the upstream answered with a failure");
	reply_addrs(r, x->guard);
	rebind = r->n_private != 0 && r->n_addrs == 0;
	ttl_s = reply_ttl(r);
	if (rebind && ttl_s == 0)
		ttl_s = NEGATIVE_TTL_S; /* as clients are told */
	memcpy(q.sent, q.name.wire, q.name.len);
	len = answer_from_reply(&q, r, f->buf, sizeof(f->buf));
	if (len <= 0)
		return failure(x, EDE_NETWORK_ERROR, "what the upstream sent could not be read");
	if (rebind)
		e = cache_rebind_new(&x->key, x->hash, f->buf, (size_t)len, &r->private, ttl_s, *f->now_us);
	else
		e = cache_entry_new(&x->key, x->hash, f->buf, (size_t)len, ttl_s, *f->now_us);
	if (e == NULL)
		return NULL;
	e->secure = a->security == RESOLVER_SECURE;
	return e;
}

/* What takes the place of the old entry. */
static void keep(struct fetches *f, const struct fetch *x, struct cache_entry *e)
{
	struct cache_entry *old = cache_find(f->cache, &x->key, x->hash);

	if (old != NULL)
		old->refreshing = false;
	if (old != NULL && e->failure && cache_entry_usable(old, *f->now_us) &&
	    (!e->bogus || cache_entry_fresh(old, *f->now_us))) {
		old->retry_us = *f->now_us + CACHE_STALE_RETRY_S * 1000000u;
		free(e);
		return;
	}
	if (e->failure || cache_entry_fresh(e, *f->now_us))
		cache_put(f->cache, e);
	else
		free(e);
}

static void fetch_done(void *arg, const struct resolver_answer *a)
{
	struct fetch *x = arg;
	struct fetches *f = x->all;
	struct cache_entry *e;
	struct fetch_wait *w;

	if (f->tick != NULL)
		f->tick(f->arg);
	e = entry_of(x, a);
	while ((w = x->first) != NULL) {
		fetch_leave(w);
		w->upstream = a->upstream;
		w->upstream_port = a->upstream_port;
		f->done(w, e, f->arg);
	}
	fetch_remove(x);
	if (e != NULL)
		keep(f, x, e);
}

int fetch_ask(struct fetches *f, struct resolver *r, const struct cache_key *key, uint64_t hash, bool guard,
	      struct fetch_wait *w)
{
	struct fetch *x = *fetch_at(f, key, hash);
	uint32_t zone;
	int rc;

	if (x != NULL) {
		if (w != NULL) {
			w->joined = true;
			wait_add(x, w);
			f->counts.joined++;
		}
		return 0;
	}
	if (!zone_enter(&f->zones, key->name, &zone))
		return -EBUSY;
	x = fetch_new(f, key, hash);
	if (x == NULL) {
		zone_leave(&f->zones, zone);
		return -EAGAIN;
	}
	x->zone = zone;
	x->guard = guard;
	if (w != NULL) {
		w->joined = false;
		wait_add(x, w);
	}
	f->counts.asked++;
	rc = resolver_ask(r, &x->name, key->type, key->checking_disabled ? DNS_CD : 0, key->dnssec_ok, fetch_done, x);
	if (rc == 0)
		return 0; /* it may be answered and gone */
	if (w != NULL)
		fetch_leave(w);
	fetch_remove(x);
	return rc;
}
