/* SPDX-License-Identifier: GPL-3.0-or-later */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "listnaive.h"

#include <pcre2.h>
#include <strings.h>

#define NONE	   UINT32_MAX
#define TEXT_BYTES (DNAME_MAX + IP_TEXT_MAX)

struct naive {
	struct naive_rule *rules;
	uint32_t n, cap;
	uint8_t *bytes; /* names and terms, one behind the other */
	size_t len, cap_bytes;
	uint32_t *buckets; /* of names; NULL: not by name */
	uint32_t n_buckets;
	uint32_t *others, n_others; /* rules without a name */
	pcre2_match_data *data;
};

static void *need(void *p)
{
	if (p == NULL)
		abort();
	return p;
}

struct naive *naive_new(void)
{
	struct naive *n = need(calloc(1, sizeof(*n)));

	n->data = need(pcre2_match_data_create(1, NULL));
	return n;
}

struct naive *naive_free(struct naive *n)
{
	if (n == NULL)
		return NULL;
	for (uint32_t i = 0; i < n->n; i++)
		pcre2_code_free(n->rules[i].code);
	pcre2_match_data_free(n->data);
	free(n->rules);
	free(n->bytes);
	free(n->buckets);
	free(n->others);
	free(n);
	return NULL;
}

static void bytes_add(struct naive *n, const void *data, size_t len)
{
	if (n->len + len > n->cap_bytes) {
		n->cap_bytes = n->cap_bytes * 2 + len + 65536;
		n->bytes = need(realloc(n->bytes, n->cap_bytes));
	}
	if (len != 0)
		memcpy(n->bytes + n->len, data, len);
	n->len += len;
}

/* Terms are read here by the words of listrule.h: type, length in the machine's order, data. */
static bool term_next(const uint8_t *terms, size_t len, size_t *at, struct list_term *ret)
{
	if (*at == len)
		return false;
	memcpy(&ret->len, terms + *at + 1, 2);
	ret->denied = terms[*at] >= TERM_NOT;
	ret->type = (enum list_term_type)(terms[*at] % TERM_NOT);
	ret->data = terms + *at + 3;
	*at += 3u + ret->len;
	return true;
}

static bool term_find(const uint8_t *terms, size_t len, enum list_term_type type, struct list_term *ret)
{
	for (size_t at = 0; term_next(terms, len, &at, ret);)
		if (ret->type == type)
			return true;
	return false;
}

bool naive_add(struct naive *n, uint32_t list, uint32_t line, const struct list_rule *rule)
{
	struct naive_rule *r;
	struct list_term t;
	void *code = NULL;
	int error;
	size_t at;

	if (rule->kind == LIST_REGEX) {
		if (!term_find(rule->terms, rule->terms_len, TERM_REGEX, &t))
			return false;
		code = pcre2_compile(t.data + 1, t.len - 1u, PCRE2_CASELESS | PCRE2_DOLLAR_ENDONLY, &error, &at, NULL);
		if (code == NULL)
			return false;
	}
	if (n->n == n->cap) {
		n->cap = n->cap * 2 + 1024;
		n->rules = need(reallocarray(n->rules, n->cap, sizeof(*n->rules)));
	}
	r = &n->rules[n->n++];
	*r = (struct naive_rule){ .kind = rule->kind,
				  .action = rule->action,
				  .important = rule->important,
				  .badfilter = rule->badfilter,
				  .modifiers = rule->modifiers,
				  .plain = rule->terms_len == 0 && !rule->important && rule->modifiers == 0,
				  .list = list,
				  .line = line,
				  .prefix = rule->prefix,
				  .terms_len = rule->terms_len,
				  .code = code,
				  .next = NONE,
				  .bytes_at = n->len };
	if (rule->kind == LIST_NAME || rule->kind == LIST_BELOW || rule->kind == LIST_SUBTREE) {
		r->name_len = rule->name.len;
		r->labels = rule->name.labels;
		bytes_add(n, rule->name.wire, rule->name.len);
	}
	bytes_add(n, rule->terms, rule->terms_len);
	return true;
}

/* The same rule, but for $badfilter and how it was written. */
static bool says_the_same(const struct naive_rule *a, const struct naive_rule *b)
{
	size_t at_a = 0, at_b = 0;
	struct list_term x, y;

	if (a->kind != b->kind || a->action != b->action || a->important != b->important ||
	    a->name_len != b->name_len || (a->name_len != 0 && memcmp(a->name, b->name, a->name_len) != 0))
		return false;
	if ((a->kind == LIST_ADDRESS || a->kind == LIST_CLIENT_ADDRESS) &&
	    (a->prefix.len != b->prefix.len || ip_addr_cmp(&a->prefix.addr, &b->prefix.addr) != 0))
		return false;
	for (;;) {
		bool more_a, more_b;

		while ((more_a = term_next(a->terms, a->terms_len, &at_a, &x)) && x.type == TERM_TEXT)
			continue;
		while ((more_b = term_next(b->terms, b->terms_len, &at_b, &y)) && y.type == TERM_TEXT)
			continue;
		if (!more_a || !more_b)
			return more_a == more_b;
		if (x.type != y.type || x.denied != y.denied || x.len != y.len || memcmp(x.data, y.data, x.len) != 0)
			return false;
	}
}

static void take_away(struct naive *n, const struct naive_rule *bad)
{
	for (uint32_t i = 0; i < n->n; i++) {
		struct naive_rule *r = &n->rules[i];

		/* hosts lines and names alone are not taken away */
		if (r->badfilter || (r->plain && r->kind == LIST_NAME && r->action == LIST_BLOCK))
			continue;
		if (says_the_same(bad, r))
			r->bad |= 1ull << bad->list;
	}
}

static uint32_t bucket_of(const struct naive *n, const uint8_t *name, size_t len)
{
	uint32_t h = 2166136261u; /* FNV-1a */

	for (size_t i = 0; i < len; i++)
		h = (h ^ name[i]) * 16777619u;
	return h & (n->n_buckets - 1);
}

static void index_make(struct naive *n)
{
	n->n_buckets = 1024;
	while (n->n_buckets < n->n)
		n->n_buckets *= 2;
	n->buckets = need(malloc(n->n_buckets * sizeof(*n->buckets)));
	n->others = need(calloc(n->n + 1u, sizeof(*n->others)));
	memset(n->buckets, 0xff, n->n_buckets * sizeof(*n->buckets));
	for (uint32_t i = 0; i < n->n; i++) {
		struct naive_rule *r = &n->rules[i];
		uint32_t *bucket;

		if (r->name_len == 0) {
			n->others[n->n_others++] = i;
			continue;
		}
		bucket = &n->buckets[bucket_of(n, r->name, r->name_len)];
		r->next = *bucket;
		*bucket = i;
	}
}

void naive_finish(struct naive *n, bool by_name)
{
	for (uint32_t i = 0; i < n->n; i++) {
		n->rules[i].name = n->bytes + n->rules[i].bytes_at;
		n->rules[i].terms = n->rules[i].name + n->rules[i].name_len;
	}
	for (uint32_t i = 0; i < n->n; i++)
		if (n->rules[i].badfilter)
			take_away(n, &n->rules[i]);
	if (by_name)
		index_make(n);
}

/* The question, and what every rule needs of it. */
struct question {
	const struct list_ask *ask;
	uint64_t mask;
	char text[TEXT_BYTES]; /* lower case, dotted */
	size_t len;
};

static void text_of(struct question *q)
{
	const struct dname *d = q->ask->name;

	q->len = 0;
	if (q->ask->addr != NULL) {
		q->len = strlen(ip_addr_print(q->ask->addr, q->text));
		return;
	}
	for (const uint8_t *label = d->wire; *label != 0; label += *label + 1) {
		if (label != d->wire)
			q->text[q->len++] = '.';
		memcpy(q->text + q->len, label + 1, *label);
		q->len += *label;
	}
}

/* The name asked for ends with @name, at the begin of a label; *ret_more: labels before it. */
static bool ends_with(const struct dname *asked, const uint8_t *name, size_t len, uint32_t *ret_more)
{
	const uint8_t *at = asked->wire, *end = asked->wire + asked->len;

	for (*ret_more = 0; (size_t)(end - at) >= len; at += *at + 1, ++*ret_more) {
		if ((size_t)(end - at) == len && memcmp(at, name, len) == 0)
			return true;
		if (*at == 0)
			break;
	}
	return false;
}

static bool prefix_has(const struct ip_prefix *p, const struct ip_addr *a)
{
	if (p->addr.family != a->family)
		return false;
	for (unsigned bit = 0; bit < p->len; bit++) {
		unsigned shift = 7 - bit % 8;

		if ((p->addr.bytes[bit / 8] >> shift & 1) != (a->bytes[bit / 8] >> shift & 1))
			return false;
	}
	return true;
}

/* The pieces between stars, each where it is first found behind the one before. */
static bool pieces_found(const uint8_t *p, size_t n, const char *text, size_t len, bool begin, bool end)
{
	size_t at = 0;
	bool fixed = begin; /* the piece stands at @at and nowhere else */

	for (;;) {
		const uint8_t *star = n != 0 ? memchr(p, '*', n) : NULL;
		size_t piece = star != NULL ? (size_t)(star - p) : n;
		bool last = star == NULL;
		const char *found;

		if (piece > len - at)
			return false;
		if (last && end) {
			bool fits = fixed ? piece == len - at : true;

			return fits && memcmp(text + len - piece, p, piece) == 0;
		}
		found = fixed ? (memcmp(text + at, p, piece) == 0 ? text + at : NULL)
			      : memmem(text + at, len - at, p, piece);
		if (found == NULL)
			return false;
		if (last)
			return true;
		at = (size_t)(found - text) + piece;
		fixed = false;
		p = star + 1;
		n -= piece + 1;
	}
}

static bool pattern_fits(const struct naive_rule *r, const struct question *q)
{
	struct list_term t;
	bool end;

	if (!term_find(r->terms, r->terms_len, TERM_PATTERN, &t))
		abort();
	end = (t.data[0] & LIST_ANCHOR_END) != 0;
	if ((t.data[0] & LIST_ANCHOR_LABEL) == 0)
		return pieces_found(t.data + 1, t.len - 1u, q->text, q->len, (t.data[0] & LIST_ANCHOR_BEGIN) != 0, end);
	for (size_t at = 0; at < q->len; at++)
		if ((at == 0 || q->text[at - 1] == '.') &&
		    pieces_found(t.data + 1, t.len - 1u, q->text + at, q->len - at, true, end))
			return true;
	return false;
}

static bool regex_fits(const struct naive *n, const struct naive_rule *r, const struct question *q)
{
	struct list_term t;
	int rc = pcre2_match(r->code, (PCRE2_SPTR)q->text, q->len, 0, 0, n->data, NULL);

	if (!term_find(r->terms, r->terms_len, TERM_REGEX, &t) || (rc < 0 && rc != PCRE2_ERROR_NOMATCH))
		abort();
	return (rc >= 0) != (t.data[0] == 1);
}

static bool stands_here(const struct naive *n, const struct naive_rule *r, const struct question *q)
{
	const struct list_ask *ask = q->ask;
	bool name = ask->addr == NULL;
	uint32_t more;

	switch (r->kind) {
	case LIST_CLIENT_ADDRESS:
		return name && ask->client != NULL && prefix_has(&r->prefix, &ask->client->addr);
	case LIST_NAME:
		return name && ends_with(ask->name, r->name, r->name_len, &more) && more == 0;
	case LIST_BELOW:
		return name && ends_with(ask->name, r->name, r->name_len, &more) && more != 0;
	case LIST_SUBTREE:
		return name && ends_with(ask->name, r->name, r->name_len, &more);
	case LIST_ADDRESS:
		return !name && prefix_has(&r->prefix, ask->addr);
	case LIST_PATTERN:
		return pattern_fits(r, q);
	case LIST_REGEX:
		return regex_fits(n, r, q);
	case LIST_KIND_MAX:
		break;
	}
	abort();
}

/* Of one type of condition. */
enum { WHO, TAG, TYPE, CONDITIONS };

static int condition_of(enum list_term_type type)
{
	if (type == TERM_CLIENT_NET || type == TERM_CLIENT_NAME)
		return WHO;
	return type == TERM_CLIENT_TAG ? TAG : type == TERM_TYPE ? TYPE : CONDITIONS;
}

static bool term_is(const struct list_term *t, const struct list_ask *ask)
{
	const struct list_client *c = ask->client;
	struct ip_prefix net;
	uint16_t type;

	if (t->type == TERM_CLIENT_NET) {
		memcpy(&net, t->data, sizeof(net));
		return prefix_has(&net, &c->addr);
	}
	if (t->type == TERM_CLIENT_NAME)
		return c->device != NULL && strlen(c->device) == t->len &&
		       strncasecmp(c->device, (const char *)t->data, t->len) == 0;
	if (t->type == TERM_TYPE) {
		memcpy(&type, t->data, sizeof(type));
		return type == ask->type;
	}
	for (uint32_t i = 0; i < c->n_tags; i++)
		if (strlen(c->tags[i]) == t->len && memcmp(c->tags[i], t->data, t->len) == 0)
			return true;
	return false;
}

static bool conditions_hold(const struct naive_rule *r, const struct list_ask *ask)
{
	bool wanted[CONDITIONS] = { false }, held[CONDITIONS] = { false };
	struct list_term t;
	uint32_t more;

	for (size_t at = 0; term_next(r->terms, r->terms_len, &at, &t);) {
		int c = condition_of(t.type);

		if (t.type == TERM_DENYALLOW && (ask->addr != NULL || ends_with(ask->name, t.data, t.len, &more)))
			return false;
		if (c == CONDITIONS)
			continue;
		/* Who or what is not known: such rules do not hold. */
		if (c == TYPE ? ask->type == 0 : ask->client == NULL)
			return false;
		if (t.denied && term_is(&t, ask))
			return false;
		wanted[c] = wanted[c] || !t.denied;
		held[c] = held[c] || (!t.denied && term_is(&t, ask));
	}
	for (int c = 0; c < CONDITIONS; c++)
		if (wanted[c] && !held[c])
			return false;
	return true;
}

static int class_of(const struct naive_rule *r)
{
	return (r->important ? 2 : 0) + (r->action == LIST_ALLOW || r->action == LIST_KEEP ? 1 : 0);
}

/* The longer name or prefix first; a client's address before names, patterns behind them. */
static int length_of(const struct naive_rule *r)
{
	if (r->kind == LIST_CLIENT_ADDRESS)
		return 1000 + r->prefix.len;
	if (r->kind == LIST_ADDRESS)
		return r->prefix.len;
	return r->kind >= LIST_PATTERN ? 0 : r->labels;
}

static bool goes_before(const struct naive_rule *a, const struct naive_rule *b)
{
	if (class_of(a) != class_of(b))
		return class_of(a) > class_of(b);
	if (a->modifiers != b->modifiers)
		return a->modifiers > b->modifiers;
	if (length_of(a) != length_of(b))
		return length_of(a) > length_of(b);
	if (a->kind != b->kind)
		return a->kind < b->kind;
	return a->list != b->list ? a->list < b->list : a->line < b->line;
}

static bool answer_next(const struct naive_rule *r, size_t *at, struct list_term *ret)
{
	while (term_next(r->terms, r->terms_len, at, ret))
		if (ret->type == TERM_ANSWER || ret->type == TERM_CNAME || ret->type == TERM_CNAME_BELOW ||
		    ret->type == TERM_RECORD)
			return true;
	return false;
}

static bool cancels(const struct naive_rule *keep, const struct naive_rule *r)
{
	size_t at_a = 0, at_b = 0;
	struct list_term a, b;

	if (r->important && !keep->important)
		return false;
	if (!answer_next(keep, &at_a, &a))
		return true;
	for (bool more = true; more; more = answer_next(keep, &at_a, &a))
		if (!answer_next(r, &at_b, &b) || a.type != b.type || a.len != b.len ||
		    memcmp(a.data, b.data, a.len) != 0)
			return false;
	return !answer_next(r, &at_b, &b);
}

/* All rules that hold. */
struct holding {
	const struct naive_rule **rules;
	uint32_t n, cap;
	uint64_t touched;
};

static void look_at(const struct naive *n, const struct naive_rule *r, const struct question *q, struct holding *h)
{
	if (r->badfilter || !stands_here(n, r, q))
		return;
	h->touched |= 1ull << r->list;
	if ((q->mask >> r->list & 1) == 0 || (q->mask & r->bad) != 0 || !conditions_hold(r, q->ask))
		return;
	if (h->n == h->cap) {
		h->cap = h->cap * 2 + 64;
		h->rules = need(reallocarray(h->rules, h->cap, sizeof(void *)));
	}
	h->rules[h->n++] = r;
}

static void look_at_all(const struct naive *n, const struct question *q, struct holding *h)
{
	const struct list_ask *ask = q->ask;
	size_t skip = 0;

	for (uint32_t i = 0; n->buckets == NULL && i < n->n; i++)
		look_at(n, &n->rules[i], q, h);
	if (n->buckets == NULL)
		return;
	for (uint32_t i = 0; i < n->n_others; i++)
		look_at(n, &n->rules[n->others[i]], q, h);
	while (ask->addr == NULL) {
		const uint8_t *name = ask->name->wire + skip;
		size_t len = ask->name->len - skip;

		for (uint32_t i = n->buckets[bucket_of(n, name, len)]; i != NONE; i = n->rules[i].next)
			if (n->rules[i].name_len == len && memcmp(n->rules[i].name, name, len) == 0)
				look_at(n, &n->rules[i], q, h);
		if (*name == 0)
			break;
		skip += *name + 1u;
	}
}

static bool is_cancelled(const struct holding *h, const struct naive_rule *r)
{
	for (uint32_t i = 0; i < h->n; i++)
		if (h->rules[i]->action == LIST_KEEP && cancels(h->rules[i], r))
			return true;
	return false;
}

static int rewrite_cmp(const void *a, const void *b)
{
	const struct naive_rule *x = *(const struct naive_rule *const *)a, *y = *(const struct naive_rule *const *)b;

	return goes_before(x, y) ? -1 : goes_before(y, x);
}

void naive_judge(const struct naive *n, uint64_t mask, const struct list_ask *ask, struct naive_answer *ret)
{
	struct question q = { .ask = ask, .mask = mask };
	struct holding h = { 0 };
	uint32_t n_rewrites = 0;

	*ret = (struct naive_answer){ 0 };
	text_of(&q);
	look_at_all(n, &q, &h);
	for (uint32_t i = 0; i < h.n; i++) {
		const struct naive_rule *r = h.rules[i];

		if (r->action != LIST_BLOCK && r->action != LIST_ALLOW)
			continue;
		if (ret->hit == NULL || goes_before(r, ret->hit))
			ret->hit = r;
	}
	if (h.n != 0)
		qsort(h.rules, h.n, sizeof(void *), rewrite_cmp);
	for (uint32_t i = 0; i < h.n && n_rewrites < LIST_REWRITES_MAX; i++)
		if (h.rules[i]->action == LIST_REWRITE && !is_cancelled(&h, h.rules[i]))
			ret->rewrites[n_rewrites++] = h.rules[i];
	ret->n_rewrites = n_rewrites;
	free(h.rules);
}

uint64_t naive_touch(const struct naive *n, const struct list_ask *ask)
{
	struct question q = { .ask = ask, .mask = 0 };
	struct holding h = { 0 };

	text_of(&q);
	look_at_all(n, &q, &h);
	free(h.rules);
	return h.touched;
}

uint32_t naive_rules(const struct naive *n)
{
	return n->n;
}

const struct naive_rule *naive_rule(const struct naive *n, uint32_t i)
{
	return &n->rules[i];
}
