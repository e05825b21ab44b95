/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The scripted side of dnsd/resolver.h: linked in its place. Which upstream is asked follows from the route's splits,
 * as in the real ones; every answer lies in memory of its exact length and is freed behind the call, so that a reader
 * that goes too far, or keeps what it was lent, is seen by the sanitizers. */
#include "upstream.h"

#include <limits.h>

#define PUBLIC "public"

struct scripted {
	struct scripted *next;
	const struct step *step;
	const char *at;		     /* PUBLIC or a split's suffix */
	const char *name, *question; /* the name of the answer's own question, when it is another */
	struct dname dname;
	ldns_rr_type type;
	unsigned rcode;
	uint64_t delay_us;
	size_t cut; /* bytes that are missing at its end */
	enum resolver_security security;
	int ede;
	const char *text;
	int want_do, want_cd; /* -1: either */
	unsigned left;	      /* UINT_MAX: for ever */
	unsigned asked;
	bool fails, silent, must, at_once, refuses;
};

struct pending {
	struct pending *next;
	struct resolver *r;
	struct scripted *script;
	resolver_done_fn *done;
	void *arg;
	uint64_t due_us;
};

struct asked {
	struct asked *next;
	char at[DNAME_TEXT_MAX];
	struct dname name;
	uint16_t type;
};

struct upstream {
	const uint64_t *now_us;
	const struct step *at;
	struct scripted *scripts, *last;
	struct pending *pending;
	struct asked *asked;
};

struct resolver {
	struct upstream *u;
	const struct route *route;
	char *config;
	uint32_t busy;
};

static void *must_alloc(size_t size)
{
	void *p = calloc(1, size);

	if (p == NULL)
		abort();
	return p;
}

struct upstream *upstream_new(const uint64_t *now_us)
{
	struct upstream *u = must_alloc(sizeof(*u));

	u->now_us = now_us;
	return u;
}

void upstream_at(struct upstream *u, const struct step *s)
{
	u->at = s;
}

void upstream_done(struct upstream *u)
{
	for (struct scripted *s = u->scripts, *next; s != NULL; s = next) {
		next = s->next;
		if (s->must && s->asked == 0)
			step_fail(s->step, "this answer was never asked for");
		free(s);
	}
	for (struct asked *a = u->asked, *next; a != NULL; a = next) {
		next = a->next;
		free(a);
	}
	free(u);
}

static bool ede_word(struct scripted *a, const struct step *s, unsigned *i)
{
	const char *value = word_value(s->words[*i], "ede");

	if (value == NULL)
		return false;
	a->ede = (int)step_number(s, value, 65535);
	if (*i + 1 < s->n_words && s->words[*i + 1][0] == '"')
		a->text = s->words[++*i] + 1;
	return true;
}

static bool value_word(struct scripted *a, const struct step *s, const char *word)
{
	const char *value;

	if ((value = word_value(word, "after")) != NULL)
		a->delay_us = step_duration(s, value);
	else if ((value = word_value(word, "times")) != NULL)
		a->left = (unsigned)step_number(s, value, 100000);
	else if ((value = word_value(word, "cut")) != NULL)
		a->cut = step_number(s, value, 65535);
	else if ((value = word_value(word, "question")) != NULL)
		a->question = value;
	else if ((value = word_value(word, "rcode")) != NULL)
		a->rcode = rcode_read(s, value);
	else
		return false;
	return true;
}

static bool plain_word(struct scripted *a, const char *word)
{
	const struct {
		const char *word;
		bool *flag;
	} flags[] = { { "fails", &a->fails },
		      { "silent", &a->silent },
		      { "must", &a->must },
		      { "at-once", &a->at_once },
		      { "refuses", &a->refuses } };

	for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
		if (strcmp(word, flags[i].word) != 0)
			continue;
		*flags[i].flag = true;
		return true;
	}
	if (strcmp(word, "once") == 0)
		a->left = 1;
	else if (strcmp(word, "secure") == 0)
		a->security = RESOLVER_SECURE;
	else if (strcmp(word, "bogus") == 0)
		a->security = RESOLVER_BOGUS;
	else if (strcmp(word, "do") == 0 || strcmp(word, "nodo") == 0)
		a->want_do = word[0] == 'd';
	else if (strcmp(word, "cd") == 0 || strcmp(word, "nocd") == 0)
		a->want_cd = word[0] == 'c';
	else
		return false;
	return true;
}

static bool same_key(const struct scripted *a, const struct scripted *b)
{
	return strcmp(a->at, b->at) == 0 && dname_equal(&a->dname, &b->dname) && a->type == b->type &&
	       a->want_do == b->want_do && a->want_cd == b->want_cd;
}

/* answer UPSTREAM NAME TYPE [WORD...]: the older answers for ever to the same question end. */
void upstream_answer(struct upstream *u, const struct step *s)
{
	struct scripted *a = must_alloc(sizeof(*a));

	if (s->n_words < 4)
		step_fail(s, "answer UPSTREAM NAME TYPE [WORD...]");
	a->step = s;
	a->at = s->words[1];
	a->name = s->words[2];
	a->type = type_read(s, s->words[3]);
	a->left = UINT_MAX;
	a->ede = EDE_NONE;
	a->want_do = a->want_cd = -1;
	if (dname_parse(a->name, strlen(a->name), &a->dname) != 0)
		step_fail(s, "'%s' is no name", a->name);
	for (unsigned i = 4; i < s->n_words; i++)
		if (!ede_word(a, s, &i) && !value_word(a, s, s->words[i]) && !plain_word(a, s->words[i]))
			step_fail(s, "'%s' is not known", s->words[i]);
	for (struct scripted *old = u->scripts; old != NULL; old = old->next)
		if (old->left == UINT_MAX && same_key(old, a))
			old->left = 0;
	if (u->last != NULL)
		u->last->next = a;
	else
		u->scripts = a;
	u->last = a;
}

/* asked UPSTREAM NAME TYPE COUNT */
void upstream_asked(struct upstream *u, const struct step *s)
{
	struct dname name;
	ldns_rr_type type;
	unsigned n = 0;

	if (s->n_words != 5)
		step_fail(s, "asked UPSTREAM NAME TYPE COUNT");
	type = type_read(s, s->words[3]);
	if (dname_parse(s->words[2], strlen(s->words[2]), &name) != 0)
		step_fail(s, "'%s' is no name", s->words[2]);
	for (struct asked **at = &u->asked, *a; (a = *at) != NULL;) {
		if (strcmp(a->at, s->words[1]) != 0 || !dname_equal(&a->name, &name) || a->type != type) {
			at = &a->next;
			continue;
		}
		n++;
		*at = a->next;
		free(a);
	}
	if (n != step_number(s, s->words[4], 100000))
		step_fail(s, "questions to %s for %s %s: wanted %s, got %u", s->words[1], s->words[2], s->words[3],
			  s->words[4], n);
}

static char *route_text(const struct route *route)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	char buf[DNAME_TEXT_MAX];

	if (out == NULL)
		abort();
	for (uint32_t i = 0; i < route->n_upstreams; i++)
		fprintf(out, "%s@%u ", ip_addr_print(&route->upstreams[i].addr, buf), route->upstreams[i].port);
	for (uint32_t i = 0; i < route->n_splits; i++) {
		const struct plan_split *split = &route->splits[i];

		fprintf(out, "%s ", dname_print(&split->suffix, buf));
		for (uint32_t k = 0; k < split->n_upstreams; k++)
			fprintf(out, "%s@%u ", ip_addr_print(&split->upstreams[k].addr, buf), split->upstreams[k].port);
	}
	(void)fclose(out);
	return text;
}

struct resolver *upstream_resolver(struct upstream *u, const struct route *route)
{
	struct resolver *r = must_alloc(sizeof(*r));

	r->u = u;
	r->route = route;
	r->config = route_text(route);
	return r;
}

void upstream_route(struct resolver *r, const struct route *route)
{
	r->route = route;
}

struct resolver *resolver_free(struct resolver *r)
{
	if (r == NULL)
		return NULL;
	if (r->busy != 0)
		abort();
	free(r->config);
	free(r);
	return NULL;
}

bool resolver_same(const struct resolver *r, const char *config)
{
	return strcmp(r->config, config) == 0;
}

int resolver_config(const struct route *route, char **ret, struct err *e)
{
	(void)e;
	*ret = route_text(route);
	return 0;
}

uint32_t resolver_busy(const struct resolver *r)
{
	return r->busy;
}

uint64_t upstream_due_us(const struct upstream *u)
{
	return u->pending != NULL ? u->pending->due_us : UINT64_MAX;
}

/* Behind those that are due earlier or at the same time. */
static void pending_add(struct upstream *u, struct pending *p)
{
	struct pending **at = &u->pending;

	while (*at != NULL && (*at)->due_us <= p->due_us)
		at = &(*at)->next;
	p->next = *at;
	*at = p;
}

static void pending_give(struct pending *p)
{
	const struct scripted *s = p->script;
	struct resolver_answer answer = { .ede = s->ede, .text = s->text, .security = s->security };
	struct reply_script reply = { .name = s->question != NULL ? s->question : s->name,
				      .type = s->type,
				      .rcode = s->rcode };
	uint8_t *wire = NULL, *exact = NULL;
	struct records records;

	if (!s->fails && !s->silent) {
		block_records_read(s->step, &records);
		reply.records = &records;
		reply_write(s->step, &reply, &wire, &answer.len);
		block_records_done(&records);
		answer.len -= s->cut < answer.len ? s->cut : answer.len;
		exact = must_alloc(answer.len != 0 ? answer.len : 1);
		memcpy(exact, wire, answer.len);
		free(wire);
		answer.msg = exact;
	}
	p->r->busy--;
	p->done(p->arg, &answer);
	free(exact);
	free(p);
}

bool upstream_deliver(struct upstream *u)
{
	struct pending *p = u->pending;

	if (p == NULL || p->due_us > *u->now_us)
		return false;
	u->pending = p->next;
	pending_give(p);
	return true;
}

static struct scripted *script_find(const struct upstream *u, const struct asked *a, const struct dname *name,
				    uint16_t flags, bool dnssec_ok)
{
	for (struct scripted *s = u->scripts; s != NULL; s = s->next) {
		bool cd = (flags & DNS_CD) != 0;

		if (s->left == 0 || s->type != a->type || !dname_equal(&s->dname, name) || strcmp(s->at, a->at) != 0)
			continue;
		if ((s->want_do == -1 || s->want_do == dnssec_ok) && (s->want_cd == -1 || s->want_cd == cd))
			return s;
	}
	return NULL;
}

static struct asked *asked_add(struct upstream *u, const struct route *route, const struct dname *name, uint16_t type)
{
	const struct plan_split *split = route_split(route, name);
	struct asked *a = must_alloc(sizeof(*a));

	if (split != NULL)
		(void)dname_print(&split->suffix, a->at);
	else
		memcpy(a->at, PUBLIC, sizeof(PUBLIC));
	a->name = *name;
	a->type = type;
	a->next = u->asked;
	u->asked = a;
	return a;
}

int resolver_ask(struct resolver *r, const struct dname *name, uint16_t type, uint16_t flags, bool dnssec_ok,
		 resolver_done_fn *done, void *arg)
{
	struct upstream *u = r->u;
	struct scripted *s;
	struct asked *a;
	struct pending *p;
	char text[DNAME_TEXT_MAX];

	if (r->route == NULL)
		step_fail(u->at, "a resolver of older views was asked for type %u", type);
	a = asked_add(u, r->route, name, type);
	s = script_find(u, a, name, flags, dnssec_ok);

	if (s == NULL)
		step_fail(u->at, "upstream %s was asked for %s type %u%s%s: the scenario has no answer", a->at,
			  dname_print(name, text), type, dnssec_ok ? " DO" : "", (flags & DNS_CD) != 0 ? " CD" : "");
	s->asked++;
	if (s->left != UINT_MAX)
		s->left--;
	if (s->refuses)
		return -EIO;
	p = must_alloc(sizeof(*p));
	*p = (struct pending){ .r = r, .script = s, .done = done, .arg = arg };
	p->due_us = *u->now_us + (s->silent ? UPSTREAM_GIVE_UP_US : s->delay_us);
	r->busy++;
	if (s->at_once)
		pending_give(p);
	else
		pending_add(u, p);
	return 0;
}
