/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who is asked, when again, and when that is enough. Called by resolver.c; sends by forward_udp.c and forward_stream.c,
 * which come back with forward_try_answered() and forward_try_failed().
 *
 *   event                           | then
 *   question                        | the first upstream of its zone that is up, and those whose probe is due beside it
 *   no answer in upstream_rto_us()  | the next upstream; behind the last one the first again, with twice the time
 *   SERVFAIL, REFUSED, NOTIMP, ...  | the next upstream that is up; behind the last one: SERVFAIL
 *   network error                   | the next upstream at once; behind the last one once more after a pause
 *   FORMERR to a question with EDNS | the same upstream without
 *   TC, or more than a datagram has | the same upstream over TCP
 *   alias to another zone           | its target begins anew, at its own upstreams; then both as one answer
 *   FORWARD_DEADLINE_US             | SERVFAIL
 *
 * The zone is chosen by the name alone: the longest split suffix, else the route's own upstreams; no event leads from
 * one zone to the upstreams of another. All tries of a question stay open until it is answered: the first one to be
 * answered counts. Nothing is validated, and nobody's AD believed: every answer is RESOLVER_INSECURE. Nothing is kept
 * either: what an upstream says is used for the question that it was asked, so it cannot speak for a name of another
 * one. */
#include "dnsd/forward.h"

#include "base/clock.h"

#include <sodium.h>

#include "dnsd/forward_chain.h"
#include "dnsd/forward_stream.h"
#include "dnsd/forward_udp.h"
#include "dnsd/forward_wheel.h"
#include "dnsd/forward_zone.h"
#include "dnsd/local.h"

#define HARD_ROUNDS                                                                                                    \
	1u		/* repetitions when there were network errors only: an upstream that is started again is back  \
			 */
#define REASON_MAX 128u /* of why a question failed, for people */
/* A try over a new connection: three round trips before the answer's own. */
#define FRESH_RTO_FACTOR 3u

struct forward_ask {
	struct wheel_node timer; /* first: WHEEL's nodes are cast back */
	struct forward *f;
	struct forward_ask *next; /* while unused */
	resolver_done_fn *done;
	void *arg;
	struct forward_question q;
	const struct forward_zone *zone;
	uint64_t deadline_us;
	uint64_t tried; /* upstreams of the zone asked in this round */
	uint32_t round, n_tries;
	uint32_t current; /* the try that the timer is of */
	bool refused;	  /* an upstream has answered, but not the question */
	bool stepping;	  /* its next try is being chosen */
	bool plain;	  /* without EDNS, to the upstream of the last try */
	int ede;
	char why[REASON_MAX];
	struct forward_chain chain;
	struct forward_try tries[FORWARD_TRIES_MAX];
};

struct forward {
	struct forward_zones zones;
	uint32_t n_asks;
	struct forward_udp *udp;
	struct forward_streams *streams;
	struct forward_ask *unused;
	struct wheel wheel;
	struct forward_random random;
	char text[REASON_MAX];	      /* of the answer being given */
	struct reply reply;	      /* scratch */
	uint8_t buf[DNS_MESSAGE_MAX]; /* scratch: the answer being joined */
	uint8_t local[DNS_UDP_PLAIN_MAX];
};

uint16_t forward_random_id(struct forward_random *r)
{
	if (r->left == 0) {
		randombytes_buf(r->ids, sizeof(r->ids));
		r->left = FORWARD_IDS;
	}
	return r->ids[--r->left];
}

static void try_drop(struct forward_try *t)
{
	if (t->via == NULL)
		return;
	if (t->stream)
		forward_streams_drop(t);
	else
		forward_udp_drop(t);
}

static void tries_drop(struct forward_ask *a)
{
	for (uint32_t i = 0; i < a->n_tries; i++)
		try_drop(&a->tries[i]);
}

static void ask_done(struct forward_ask *a, const struct resolver_answer *answer)
{
	struct forward *f = a->f;
	resolver_done_fn *done = a->done;
	void *arg = a->arg;

	wheel_remove(&f->wheel, &a->timer);
	tries_drop(a);
	forward_chain_clear(&a->chain);
	f->n_asks--;
	a->next = f->unused;
	f->unused = a;
	done(arg, answer);
}

static void ask_fail(struct forward_ask *a)
{
	struct forward *f = a->f;
	struct resolver_answer answer = { .ede = a->ede, .text = f->text };

	if (answer.ede == EDE_NONE)
		answer.ede = EDE_NO_AUTHORITY;
	memcpy(f->text, a->why, sizeof(f->text));
	ask_done(a, &answer);
}

static void note(struct forward_ask *a, const struct upstream *u, int ede, const char *what)
{
	char text[UPSTREAM_TEXT_MAX];

	a->ede = ede;
	snprintf(a->why, sizeof(a->why), "%s: %s", upstream_print(u, text), what);
}

static void note_error(struct forward_ask *a, struct upstream *u, int error)
{
	u->failures++;
	note(a, u, EDE_NETWORK_ERROR, strerror(error));
}

/* The next upstream of the zone, or -1: those that are down after the others, and not for a question that was refused.
 */
static int pick(const struct forward_ask *a)
{
	const struct forward_zone *z = a->zone;

	for (uint32_t down = 0; down < (a->refused ? 1u : 2u); down++)
		for (uint32_t i = 0; i < z->n; i++)
			if ((a->tried >> i & 1) == 0 && z->ups[i].down == (down != 0))
				return (int)i;
	return -1;
}

static int try_send(struct forward_ask *a, struct upstream *u, bool stream, uint64_t now_us)
{
	struct forward_try *t = &a->tries[a->n_tries];
	int rc;

	if (a->n_tries == FORWARD_TRIES_MAX)
		return -E2BIG;
	*t = (struct forward_try){ .ask = a, .up = u };
	rc = stream || u->kind == UPSTREAM_TLS ? forward_streams_send(t, now_us)
					       : forward_udp_send(a->f->udp, t, now_us);
	if (rc == 0)
		a->n_tries++;
	return rc;
}

static void timer_set(struct forward_ask *a, uint64_t in_us, uint64_t now_us)
{
	uint64_t due = now_us + in_us;

	wheel_set(&a->f->wheel, &a->timer, due < a->deadline_us ? due : a->deadline_us, now_us);
}

/* For the try that was sent last. */
static void timer_for_last(struct forward_ask *a, uint64_t now_us)
{
	const struct forward_try *t = &a->tries[a->n_tries - 1];
	uint64_t rto = upstream_rto_us(t->up, a->round);

	if (t->fresh)
		rto *= FRESH_RTO_FACTOR;
	a->current = a->n_tries - 1;
	timer_set(a, rto < UPSTREAM_RTO_MAX_US ? rto : UPSTREAM_RTO_MAX_US, now_us);
}

/* Those that are down get the question, too, when their time has come. */
static void probe(struct forward_ask *a, uint64_t now_us)
{
	const struct forward_zone *z = a->zone;

	for (uint32_t i = 0; i < z->n; i++)
		if ((a->tried >> i & 1) == 0 && upstream_probe_due(&z->ups[i], now_us))
			(void)try_send(a, &z->ups[i], false, now_us);
}

/* Ask the next upstream that can be asked. False: there is none. */
static bool ask_next(struct forward_ask *a, uint64_t now_us)
{
	bool first = a->n_tries == 0;
	int i;

	a->stepping = true;
	while ((i = pick(a)) >= 0) {
		struct upstream *u = &a->zone->ups[i];
		int rc;

		a->plain = false;
		rc = try_send(a, u, false, now_us);
		a->tried |= 1ull << i;
		if (rc == 0) {
			timer_for_last(a, now_us);
			if (first)
				probe(a, now_us);
			break;
		}
		note_error(a, u, -rc);
		if (rc != -E2BIG && rc != -EMFILE && rc != -ENOMEM && rc != -EAGAIN) /* those are ours */
			upstream_failed(u, now_us, now_us);
	}
	a->stepping = false;
	return i >= 0;
}

static bool any_pending(const struct forward_ask *a)
{
	for (uint32_t i = 0; i < a->n_tries; i++)
		if (a->tries[i].via != NULL)
			return true;
	return false;
}

/* A try has ended without an answer, and it is known now. */
static void ask_go_on(struct forward_ask *a, uint64_t now_us)
{
	if (ask_next(a, now_us) || any_pending(a))
		return;
	if (a->refused || a->round >= HARD_ROUNDS)
		ask_fail(a);
	else
		timer_set(a, upstream_rto_us(a->zone->ups, a->round), now_us);
}

/* The last try got no answer in its time. */
static void ask_late(struct forward_ask *a, uint64_t now_us)
{
	struct forward_try *t = &a->tries[a->current];

	if (a->n_tries == 0 || t->via == NULL)
		return;
	t->up->timeouts++;
	upstream_failed(t->up, t->sent_us, now_us);
	note(a, t->up, EDE_NO_AUTHORITY, "no answer");
	a->stepping = true; /* the connection may go with all that is on it */
	if (t->stream)
		forward_streams_late(t, now_us);
	a->stepping = false;
}

static void ask_timer(struct wheel_node *n, uint64_t now_us)
{
	struct forward_ask *a = (struct forward_ask *)(void *)n;

	ask_late(a, now_us);
	if (now_us >= a->deadline_us || (a->refused && pick(a) < 0)) {
		ask_fail(a);
		return;
	}
	if (a->n_tries == FORWARD_TRIES_MAX) {
		timer_set(a, FORWARD_DEADLINE_US, now_us);
		return;
	}
	if (pick(a) < 0) {
		a->round++;
		a->tried = 0;
	}
	ask_go_on(a, now_us);
}

static void ask_begin(struct forward_ask *a, uint64_t now_us)
{
	a->zone = forward_zone_of(&a->f->zones, &a->q.name);
	a->tried = 0;
	a->round = a->n_tries = 0;
	a->refused = a->stepping = false;
	a->ede = EDE_NONE;
	a->why[0] = '\0';
	ask_go_on(a, now_us);
}

size_t forward_try_write(struct forward_try *t, bool pad, uint64_t now_us, uint8_t *buf)
{
	t->edns = !t->ask->plain && now_us >= t->up->plain_until_us;
	return forward_question_write(buf, &t->ask->q, t->id, t->edns, pad && t->edns);
}

void forward_try_failed(struct forward_try *t, int error, const char *why, uint64_t now_us)
{
	struct forward_ask *a = t->ask;

	/* One that could not even be sent was not under way before. */
	upstream_failed(t->up, t->sent_us != 0 ? t->sent_us : now_us, now_us);
	if (error != 0 || why == NULL)
		note_error(a, t->up, error);
	else
		note(a, t->up, EDE_NO_AUTHORITY, why);
	if (!a->stepping)
		ask_go_on(a, now_us);
}

static void ask_refused(struct forward_ask *a, struct upstream *u, int ede, const char *what, uint64_t now_us)
{
	u->failures++;
	note(a, u, ede, what);
	a->refused = true;
	ask_go_on(a, now_us);
}

/* The same upstream once more, another way. */
static void ask_same(struct forward_ask *a, struct upstream *u, bool stream, uint64_t now_us)
{
	int rc;

	a->stepping = true;
	rc = try_send(a, u, stream, now_us);
	a->stepping = false;
	if (rc == 0) {
		timer_for_last(a, now_us);
		return;
	}
	note_error(a, u, -rc);
	ask_go_on(a, now_us);
}

static bool leaves(void *arg, const struct dname *target)
{
	const struct forward_ask *a = arg;
	const struct forward_zone *z = forward_zone_of(&a->f->zones, target);

	return z != a->zone || (!z->split && special_name(target, NULL) != SPECIAL_NONE);
}

/* What is said of a name that is never asked of an upstream, as query.c says it. 0: it may be asked. */
static int target_local(struct forward_ask *a, uint8_t *buf, size_t size)
{
	bool split = forward_zone_of(&a->f->zones, &a->q.name)->split;
	uint8_t labels = 0;
	enum special special = special_name(&a->q.name, &labels);
	struct question q = { .type = a->q.type, .class_ = CLASS_IN, .has_name = true, .name = a->q.name };

	memcpy(q.sent, q.name.wire, q.name.len);
	if (split && q.type == TYPE_DS)
		return local_negative(&q, RCODE_NOERROR, EDE_NONE, NULL, buf, size);
	if (split || special == SPECIAL_NONE)
		return 0;
	return local_special(&q, special, labels, false, buf, size);
}

/* @u has answered, last. */
static void ask_finish(struct forward_ask *a, const struct upstream *u, const uint8_t *msg, size_t len)
{
	struct resolver_answer answer = { .msg = msg,
					  .len = len,
					  .security = RESOLVER_INSECURE,
					  .ede = EDE_NONE,
					  .upstream = u->ip,
					  .upstream_port = u->port };
	struct forward *f = a->f;
	int n;

	if (a->chain.n != 0) {
		n = forward_chain_join(&a->chain, &a->q, msg, len, &f->reply, f->buf, sizeof(f->buf));
		if (n <= 0) {
			snprintf(a->why, sizeof(a->why), "an alias of several upstreams' answers: too long");
			ask_fail(a);
			return;
		}
		answer.msg = f->buf;
		answer.len = (size_t)n;
	}
	ask_done(a, &answer);
}

/* The answer of @u holds up to the alias of @target. */
static void ask_target(struct forward_ask *a, const struct upstream *u, const struct dname *target, uint32_t keep,
		       const uint8_t *msg, size_t len, uint64_t now_us)
{
	struct forward *f = a->f;
	int rc = forward_chain_add(&a->chain, &a->q.name, keep, msg, len), n;

	if (rc != 0) {
		note(a, u, EDE_NO_AUTHORITY, rc == -ELOOP ? "aliases without end" : strerror(-rc));
		ask_fail(a);
		return;
	}
	tries_drop(a);
	a->q.name = *target;
	n = target_local(a, f->local, sizeof(f->local));
	if (n > 0)
		ask_finish(a, u, f->local, (size_t)n);
	else
		ask_begin(a, now_us);
}

static void ask_answered(struct forward_ask *a, struct upstream *u, const uint8_t *msg, size_t len, uint64_t now_us)
{
	struct dname target;
	uint32_t keep = 0;
	int rc = forward_chain_read(msg, len, &a->q, &a->f->reply, leaves, a, &keep, &target);

	if (rc < 0)
		ask_refused(a, u, EDE_NO_AUTHORITY, "malformed answer", now_us);
	else if (rc == 0)
		ask_finish(a, u, msg, len);
	else
		ask_target(a, u, &target, keep, msg, len, now_us);
}

bool forward_try_answered(struct forward_try *t, const uint8_t *msg, size_t len, bool cut, uint64_t now_us)
{
	struct forward_ask *a = t->ask;
	struct upstream *u = t->up;
	enum forward_outcome outcome;
	char rcode[16];
	bool stream = t->stream, edns = t->edns;
	int ede;

	if (!forward_answer_matches(msg, len, &a->q))
		return false;
	outcome = forward_answer_outcome(msg, len, &ede);
	upstream_answered(u, t->fresh || now_us <= t->sent_us ? 0 : now_us - t->sent_us);
	try_drop(t);
	if (outcome == FORWARD_ANSWER && cut)
		outcome = FORWARD_TRUNCATED;
	switch (outcome) {
	case FORWARD_ANSWER:
		if (a->plain && !edns) /* that was it */
			u->plain_until_us = now_us + UPSTREAM_PLAIN_US;
		ask_answered(a, u, msg, len, now_us);
		break;
	case FORWARD_TRUNCATED:
		if (stream)
			ask_refused(a, u, EDE_NO_AUTHORITY, "answer cut short over TCP", now_us);
		else
			ask_same(a, u, true, now_us);
		break;
	case FORWARD_FORMERR:
		if (!edns) {
			ask_refused(a, u, EDE_NO_AUTHORITY, "FORMERR", now_us);
			break;
		}
		a->plain = true;
		ask_same(a, u, stream, now_us);
		break;
	case FORWARD_FAILURE:
		ask_refused(a, u, ede, forward_rcode_print(msg, rcode), now_us);
		break;
	case FORWARD_LAME:
		ask_refused(a, u, EDE_NO_AUTHORITY, "it refers to other servers: it is no resolver", now_us);
		break;
	}
	return true;
}

int forward_ask(struct forward *f, const struct dname *name, uint16_t type, uint16_t flags, bool dnssec_ok,
		resolver_done_fn *done, void *arg)
{
	uint64_t now_us = clock_monotonic_us();
	struct forward_ask *a = f->unused;

	if (f->n_asks == FORWARD_ASKS_MAX)
		return -E2BIG;
	if (a != NULL)
		f->unused = a->next;
	else
		a = malloc(sizeof(*a));
	if (a == NULL)
		return -ENOMEM;
	f->n_asks++;
	a->timer.on = false;
	a->f = f;
	a->done = done;
	a->arg = arg;
	a->q.name.len = name->len;
	a->q.name.labels = name->labels;
	memcpy(a->q.name.wire, name->wire, name->len);
	a->q.type = type;
	a->q.cd = (flags & DNS_CD) != 0;
	a->q.dnssec_ok = dnssec_ok;
	a->deadline_us = now_us + FORWARD_DEADLINE_US;
	a->chain = (struct forward_chain){ 0 };
	ask_begin(a, now_us);
	return 0;
}

uint32_t forward_busy(const struct forward *f)
{
	return f->n_asks;
}

uint64_t forward_ignored(const struct forward *f)
{
	return forward_udp_ignored(f->udp);
}

uint32_t forward_status(const struct forward *f, struct upstream_status *ret, uint32_t max)
{
	for (uint32_t i = 0; i < f->zones.n_ups && i < max; i++) {
		const struct upstream *u = &f->zones.ups[i];

		ret[i] = (struct upstream_status){ .addr = u->ip,
						   .port = u->port,
						   .kind = u->kind,
						   .down = u->down,
						   .srtt_us = u->srtt_us,
						   .sent = u->sent,
						   .answered = u->answered,
						   .timeouts = u->timeouts,
						   .failures = u->failures };
	}
	return f->zones.n_ups;
}

static int path_add(struct forward *f, struct upstream *u, struct err *e)
{
	if (u->kind == UPSTREAM_UDP && forward_udp_add(f->udp, u) != 0)
		return err_set(e, -ENOMEM, "upstream");
	return forward_streams_add(f->streams, u, e);
}

int forward_new(struct event_base *base, const struct route *route, const char *bundle, struct forward **ret,
		struct err *e)
{
	struct forward *f = sodium_init() < 0 ? NULL : calloc(1, sizeof(*f));
	int rc;

	if (f == NULL)
		return err_set(e, -ENOMEM, "forwarder");
	f->udp = forward_udp_new(base, &f->random);
	f->streams = forward_streams_new(base, bundle, &f->random);
	rc = f->udp == NULL || f->streams == NULL || wheel_init(&f->wheel, base, ask_timer) != 0
		     ? err_set(e, -ENOMEM, "forwarder")
		     : forward_zones_init(&f->zones, route, e);
	for (uint32_t i = 0; rc == 0 && i < f->zones.n_ups; i++)
		rc = path_add(f, &f->zones.ups[i], e);
	if (rc != 0) {
		(void)forward_free(f);
		return rc;
	}
	*ret = f;
	return 0;
}

struct forward *forward_free(struct forward *f)
{
	if (f == NULL)
		return NULL;
	assert(f->n_asks == 0);
	if (f->wheel.fn != NULL)
		wheel_done(&f->wheel);
	for (uint32_t i = 0; i < f->zones.n_ups; i++) {
		forward_streams_remove(&f->zones.ups[i]);
		forward_udp_remove(&f->zones.ups[i]);
	}
	forward_zones_done(&f->zones);
	(void)forward_streams_free(f->streams);
	(void)forward_udp_free(f->udp);
	for (struct forward_ask *a = f->unused, *next; a != NULL; a = next) {
		next = a->next;
		free(a);
	}
	free(f);
	return NULL;
}
