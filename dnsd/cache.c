/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The answer cache. One a worker, used by its thread alone; filled by fetch.c, read by query.c.
 *
 * Room is made as in S3-FIFO (Yang et al., SOSP 2023): what is new waits in a small queue, a tenth of the room, and
 * only what is asked for again there comes into the main one. A flood of names that nobody asks for twice, or one
 * client that walks through a million of them, so passes through the tenth and pushes nobody else's answers out. In the
 * main queue what was used since its last turn gets another. Nothing is moved on a hit.
 *
 * The table's hash is keyed (SipHash-2-4): names that were made to collide do not.
 *
 * The TTLs lie in the message and are reduced in place, at most once a second an entry, so that a hit is a copy. */
#include "dnsd/cache.h"

#include <malloc.h>
#include <sodium.h>

#define USES_MAX       3u   /* turns in the main queue that uses can earn */
#define NEW_SHARE      10u  /* one part in ten of the room is for what is new */
#define ENTRY_GUESS    256u /* bytes an entry, to size the table: most are smaller, and chains of two do no harm */
#define TABLE_MIN      1024u
#define CACHE_LINE     64u
#define PREFETCH_BYTES 256u /* the struct and a small answer */

enum key_flag { KEY_DO = 1, KEY_CD = 2 };

struct queue {
	struct cache_entry *first, *last;
	uint64_t bytes;
};

struct cache {
	uint8_t secret[crypto_shorthash_KEYBYTES];
	struct cache_entry **table;
	uint64_t mask;
	uint64_t limit; /* bytes of entries */
	uint64_t table_bytes, evicted;
	uint32_t n;
	struct queue fresh, main;
};

struct cache *cache_new(size_t bytes)
{
	struct cache *c = calloc(1, sizeof(*c));
	uint64_t size = TABLE_MIN;

	if (c == NULL)
		return NULL;
	while (size * ENTRY_GUESS < bytes)
		size *= 2;
	c->table = calloc(size, sizeof(struct cache_entry *));
	if (c->table == NULL) {
		free(c);
		return NULL;
	}
	c->mask = size - 1;
	c->table_bytes = size * sizeof(struct cache_entry *);
	c->limit = bytes > 2 * c->table_bytes ? bytes - c->table_bytes : bytes / 2;
	randombytes_buf(c->secret, sizeof(c->secret));
	return c;
}

struct cache *cache_free(struct cache *c)
{
	if (c == NULL)
		return NULL;
	(void)cache_flush(c, NULL, true);
	free(c->table);
	free(c);
	return NULL;
}

static uint8_t key_flags(const struct cache_key *key)
{
	return (uint8_t)((key->dnssec_ok ? KEY_DO : 0) | (key->checking_disabled ? KEY_CD : 0));
}

/* The name is the only part that others choose freely; the rest is spread by a multiplication. */
uint64_t cache_hash(const struct cache *c, const struct cache_key *key)
{
	uint64_t h, rest = (uint64_t)key->resolver << 24 | (uint64_t)key->type << 8 | key_flags(key);

	(void)crypto_shorthash((uint8_t *)&h, key->name->wire, key->name->len, c->secret);
	return h ^ rest * 0x9e3779b97f4a7c15u;
}

static const uint8_t *entry_name(const struct cache_entry *e)
{
	return e->data + DNS_HEADER_LEN;
}

static bool entry_is(const struct cache_entry *e, uint64_t hash, uint32_t resolver, uint16_t type, uint8_t flags,
		     const uint8_t *name, size_t name_len)
{
	return e->hash == hash && e->type == type && e->resolver == resolver && e->key_flags == flags &&
	       e->name_len == name_len && memcmp(entry_name(e), name, name_len) == 0;
}

static struct cache_entry **table_at(struct cache *c, const struct cache_key *key, uint64_t hash)
{
	struct cache_entry **at = &c->table[hash & c->mask];

	while (*at != NULL &&
	       !entry_is(*at, hash, key->resolver, key->type, key_flags(key), key->name->wire, key->name->len))
		at = &(*at)->chain;
	return at;
}

void cache_prefetch_slot(const struct cache *c, uint64_t hash)
{
	__builtin_prefetch(&c->table[hash & c->mask]);
}

void cache_prefetch_entry(const struct cache *c, uint64_t hash)
{
	const uint8_t *at = (const uint8_t *)c->table[hash & c->mask];

	if (at == NULL)
		return;
	for (size_t i = 0; i < PREFETCH_BYTES; i += CACHE_LINE)
		__builtin_prefetch(at + i);
}

struct cache_entry *cache_find(struct cache *c, const struct cache_key *key, uint64_t hash)
{
	return *table_at(c, key, hash);
}

void cache_use(struct cache_entry *e)
{
	if (e->uses < USES_MAX)
		e->uses++;
}

static void queue_add(struct queue *q, struct cache_entry *e)
{
	e->next = NULL;
	e->prev = q->last;
	if (q->last != NULL)
		q->last->next = e;
	else
		q->first = e;
	q->last = e;
	q->bytes += e->size;
}

static void queue_remove(struct queue *q, struct cache_entry *e)
{
	if (e->prev != NULL)
		e->prev->next = e->next;
	else
		q->first = e->next;
	if (e->next != NULL)
		e->next->prev = e->prev;
	else
		q->last = e->prev;
	q->bytes -= e->size;
}

static void entry_drop(struct cache *c, struct cache_entry *e)
{
	struct cache_entry **at = &c->table[e->hash & c->mask];

	while (*at != e)
		at = &(*at)->chain;
	*at = e->chain;
	queue_remove(e->in_main ? &c->main : &c->fresh, e);
	c->n--;
	free(e);
}

/* One step: an entry goes, or changes its place and has one use less. */
static void room_step(struct cache *c)
{
	bool from_main = c->fresh.first == NULL || (c->main.first != NULL && c->fresh.bytes <= c->limit / NEW_SHARE);
	struct queue *q = from_main ? &c->main : &c->fresh;
	struct cache_entry *e = q->first;

	assert(e != NULL); /* there is more than the limit */
	if (e->uses == 0) {
		entry_drop(c, e);
		c->evicted++;
		return;
	}
	queue_remove(q, e);
	e->uses = from_main ? (uint8_t)(e->uses - 1) : 0;
	e->in_main = true;
	queue_add(&c->main, e);
}

/* The entry in the table with the key of @e, or NULL. */
static struct cache_entry *entry_like(const struct cache *c, const struct cache_entry *e)
{
	struct cache_entry *at = c->table[e->hash & c->mask];

	while (at != NULL && !entry_is(at, e->hash, e->resolver, e->type, e->key_flags, entry_name(e), e->name_len))
		at = at->chain;
	return at;
}

void cache_put(struct cache *c, struct cache_entry *e)
{
	struct cache_entry *old = entry_like(c, e);

	if (old != NULL) {
		e->uses = old->uses;
		e->in_main = old->in_main; /* it has earned its place already */
		entry_drop(c, old);
	}
	if (e->size > c->limit / NEW_SHARE) { /* no single answer may empty the cache */
		free(e);
		return;
	}
	e->chain = c->table[e->hash & c->mask];
	c->table[e->hash & c->mask] = e;
	queue_add(e->in_main ? &c->main : &c->fresh, e);
	c->n++;
	while (c->fresh.bytes + c->main.bytes > c->limit)
		room_step(c);
}

/* Where the TTLs of the message are. Returns their number; @ret NULL: counts only. */
static uint32_t ttls_find(const uint8_t *msg, size_t len, uint16_t *ret)
{
	struct rcur c = rcur_over(msg, len);
	uint32_t n = 0, n_rrs = 0;
	uint8_t name[DNAME_MAX];
	size_t name_len;

	(void)rcur_bytes(&c, 6);
	for (uint32_t i = 0; i < 3; i++)
		n_rrs += rcur_be16(&c);
	name_len = name_expand(msg, len, DNS_HEADER_LEN, name);
	(void)rcur_bytes(&c, name_len + 4);
	for (; n < n_rrs; n++) {
		struct rr rr;

		if (rr_read(&c, msg, &rr) != 0)
			break;
		if (ret != NULL)
			ret[n] = (uint16_t)(rr.rdata - 6); /* TTL and length stand before the data */
	}
	return n;
}

static struct cache_entry *entry_new(const struct cache_key *key, uint64_t hash, size_t len, uint32_t n_ttls,
				     size_t text_len)
{
	size_t size = sizeof(struct cache_entry) + (len + 1) / 2 * 2 + n_ttls * sizeof(uint16_t) + text_len + 1;
	struct cache_entry *e = malloc(size);

	if (e == NULL)
		return NULL;
	memset(e, 0, sizeof(*e));
	e->hash = hash;
	e->resolver = key->resolver;
	e->size = (uint32_t)(malloc_usable_size(e) + sizeof(size_t)); /* what it takes, glibc's word before it too */
	e->type = key->type;
	e->len = (uint16_t)len;
	e->n_ttls = (uint16_t)n_ttls;
	e->ede = EDE_NONE;
	e->name_len = key->name->len;
	e->text_len = (uint8_t)text_len;
	e->key_flags = key_flags(key);
	e->data[size - sizeof(*e) - 1] = '\0';
	return e;
}

static uint16_t *entry_ttls(struct cache_entry *e)
{
	return (uint16_t *)(void *)(e->data + (e->len + 1u) / 2 * 2);
}

static char *entry_text(struct cache_entry *e)
{
	return (char *)(entry_ttls(e) + e->n_ttls);
}

static struct cache_entry *entry_answer(const struct cache_key *key, uint64_t hash, const uint8_t *msg, size_t len,
					const char *text, uint32_t ttl_s, uint64_t now_us)
{
	uint32_t n_ttls = ttls_find(msg, len, NULL);
	size_t text_len = strlen(text);
	struct cache_entry *e = entry_new(key, hash, len, n_ttls, text_len);

	if (e == NULL)
		return NULL;
	memcpy(e->data, msg, len);
	memcpy(entry_text(e), text, text_len);
	(void)ttls_find(msg, len, entry_ttls(e));
	e->stored_us = now_us;
	e->expires_us = now_us + (uint64_t)ttl_s * 1000000u;
	return e;
}

struct cache_entry *cache_entry_new(const struct cache_key *key, uint64_t hash, const uint8_t *msg, size_t len,
				    uint32_t ttl_s, uint64_t now_us)
{
	return entry_answer(key, hash, msg, len, "", ttl_s, now_us);
}

struct cache_entry *cache_rebind_new(const struct cache_key *key, uint64_t hash, const uint8_t *msg, size_t len,
				     const struct ip_addr *addr, uint32_t ttl_s, uint64_t now_us)
{
	char text[IP_TEXT_MAX];
	struct cache_entry *e = entry_answer(key, hash, msg, len, ip_addr_print(addr, text), ttl_s, now_us);

	if (e != NULL)
		e->rebind = true;
	return e;
}

struct cache_entry *cache_failure_new(const struct cache_key *key, uint64_t hash, int ede, const char *text,
				      uint32_t keep_s, uint64_t now_us)
{
	size_t len = DNS_HEADER_LEN + key->name->len, text_len = text != NULL ? strnlen(text, UINT8_MAX) : 0;
	struct cache_entry *e = entry_new(key, hash, len, 0, text_len);

	if (e == NULL)
		return NULL;
	memset(e->data, 0, DNS_HEADER_LEN);
	memcpy(e->data + DNS_HEADER_LEN, key->name->wire, key->name->len);
	if (text_len != 0)
		memcpy(entry_text(e), text, text_len);
	e->failure = true;
	e->ede = (int16_t)ede;
	e->stored_us = e->expires_us = now_us;
	e->keep_s = keep_s;
	e->retry_us = now_us + (uint64_t)keep_s * 1000000u;
	return e;
}

const char *cache_entry_text(const struct cache_entry *e)
{
	return e->text_len != 0 ? (const char *)e->data + (e->len + 1u) / 2 * 2 + e->n_ttls * sizeof(uint16_t) : NULL;
}

bool cache_entry_dnssec_ok(const struct cache_entry *e)
{
	return (e->key_flags & KEY_DO) != 0;
}

bool cache_entry_checking_disabled(const struct cache_entry *e)
{
	return (e->key_flags & KEY_CD) != 0;
}

bool cache_entry_usable(const struct cache_entry *e, uint64_t now_us)
{
	return !e->failure && (cache_entry_fresh(e, now_us) || now_us - e->expires_us < CACHE_STALE_MAX_S * 1000000ull);
}

void cache_entry_age(struct cache_entry *e, uint64_t now_us)
{
	bool stale = !cache_entry_fresh(e, now_us);
	uint32_t age_s = (uint32_t)((now_us - e->stored_us) / 1000000u), by = age_s - e->aged_s;
	const uint16_t *ttls = entry_ttls(e);

	if (by == 0 && !stale)
		return;
	for (uint32_t i = 0; i < e->n_ttls; i++) {
		uint8_t *at = e->data + ttls[i];
		struct rcur in = rcur_over(at, 4);
		struct wcur out = wcur_over(at, 4);
		uint32_t ttl = rcur_be32(&in);

		wcur_be32(&out, stale ? CACHE_STALE_TTL_S : ttl > by ? ttl - by : 0);
	}
	e->aged_s = age_s;
}

/* What other views have decided is forgotten. */
static void entry_by_views(struct cache_entry *e, uint64_t generation)
{
	if (e->view_generation == generation)
		return;
	e->view_generation = generation;
	e->plain_views = 0;
	e->memo = false;
}

void cache_entry_set_plain(struct cache_entry *e, uint64_t generation, uint32_t view)
{
	entry_by_views(e, generation);
	if (view < 64)
		e->plain_views |= 1ull << view;
}

void cache_entry_set_memo(struct cache_entry *e, uint64_t generation, uint64_t name_lists, uint64_t answer_lists)
{
	entry_by_views(e, generation);
	e->memo = true;
	e->name_lists = name_lists;
	e->answer_lists = answer_lists;
}

static bool entry_below(const struct cache_entry *e, const struct dname *top)
{
	struct dname name = { .len = e->name_len };

	memcpy(name.wire, entry_name(e), e->name_len);
	for (uint8_t i = 0; i < e->name_len && name.wire[i] != 0; i = (uint8_t)(i + name.wire[i] + 1))
		name.labels++;
	return dname_in(&name, top);
}

static uint32_t queue_flush(struct cache *c, struct queue *q, const struct dname *name, bool below)
{
	uint32_t n = 0;

	for (struct cache_entry *e = q->first, *next; e != NULL; e = next) {
		next = e->next;
		if (name != NULL &&
		    !(below ? entry_below(e, name)
			    : e->name_len == name->len && memcmp(entry_name(e), name->wire, name->len) == 0))
			continue;
		entry_drop(c, e);
		n++;
	}
	return n;
}

uint32_t cache_flush(struct cache *c, const struct dname *name, bool below)
{
	return queue_flush(c, &c->fresh, name, below) + queue_flush(c, &c->main, name, below);
}

void cache_size(const struct cache *c, struct cache_size *ret)
{
	*ret = (struct cache_size){ .entries = c->n,
				    .bytes = c->fresh.bytes + c->main.bytes + c->table_bytes,
				    .limit = c->limit + c->table_bytes,
				    .evicted = c->evicted };
}

static void queue_each(const struct queue *q, const struct dname *name, cache_each_fn *each, void *arg)
{
	for (const struct cache_entry *e = q->first; e != NULL; e = e->next)
		if (e->name_len == name->len && memcmp(entry_name(e), name->wire, name->len) == 0)
			each(arg, e);
}

void cache_each(const struct cache *c, const struct dname *name, cache_each_fn *each, void *arg)
{
	queue_each(&c->fresh, name, each, arg);
	queue_each(&c->main, name, each, arg);
}
