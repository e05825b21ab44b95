/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The front door. Called by ask.c with each message; answers by itself what needs no name looked up, without keeping
 * anything of it: what is not admitted costs no memory and no place.
 *
 *   message                       | answer
 *   no question (question.c)      | none
 *   of one who is not registered  | REFUSED: see answer_stranger()
 *   malformed, odd                | what question_read() says: see answer_odd()
 *   one too many ("queries")      | none, TC or BADCOOKIE: see answer_limited()
 *   any other                     | admitted: it asks for a name
 *
 * The limits are those of ratelimit.h. Who has proved its address, by TCP or a valid cookie, is not limited: nobody
 * else is hit by what is sent there. */
#include "dnsd/admit.h"

#include <time.h>

#include "dnsd/answer.h"
#include "dnsd/local.h"
#include "dnsd/note.h"

/* Whether the client's address is its own: nobody else is hit by what is sent there. */
static bool from_verified(struct query_env *env, struct question *q, const struct query_from *from,
			  const struct ip_addr *addr, enum cookie_state *ret_cookie)
{
	*ret_cookie = COOKIE_ABSENT;
	if (q->cookie_len != 0)
		*ret_cookie = cookie_check(q, &env->cookie_keys, addr, (uint32_t)time(NULL));
	return from->tcp != NULL || from->trace != NULL || *ret_cookie == COOKIE_VALID;
}

/* An answer to @q, of which nothing is kept but what is counted. */
static enum admit answer(struct query_env *env, const struct question *q, const struct query_from *from,
			 const struct ip_addr *addr, enum dns_outcome outcome, int len)
{
	const struct noted_answer noted = {
		.outcome = outcome, .type = q->type, .came_us = env->now_us, .msg = env->buf, .len = len
	};

	note_answer(env, from, addr, &noted);
	env->send(env->arg, from, env->buf, len > 0 ? (size_t)len : 0);
	return ADMIT_ANSWERED;
}

static enum admit drop(struct query_env *env, const struct query_from *from, enum dns_outcome outcome)
{
	note_dropped(env, from, outcome);
	return ADMIT_DROPPED;
}

/* A client that may not ask. Without a proof of its address the answer is no longer than the question: who sends with
 * the address of another wins nothing by us. */
static enum admit answer_stranger(struct query_env *env, struct question *q, const struct query_from *from,
				  const struct ip_addr *addr, size_t question_len, bool verified)
{
	size_t limit = answer_limit(q, from->tcp != NULL);
	const char *text = verified ? "not a registered, active device" : NULL;

	if (!verified && !ratelimit_error(env->limits, addr, false, env->now_us))
		return drop(env, from, DNS_OUTCOME_DROPPED_STRANGER);
	if (!verified)
		q->reply.cookie_len = 0;
	if (!verified && question_len < limit)
		limit = question_len;
	return answer(env, q, from, addr, DNS_OUTCOME_REFUSED,
		      local_error(q, RCODE_REFUSED, EDE_PROHIBITED, text, env->buf, limit));
}

/* A message of a registered client that asks for no name, @read_rc of question_read(): an error within "errors", or for
 * a question about the cookie alone that (RFC 7873 5.4). */
static enum admit answer_odd(struct query_env *env, struct question *q, const struct query_from *from,
			     const struct ip_addr *addr, int read_rc, enum cookie_state cookie, bool verified)
{
	enum dns_outcome outcome = DNS_OUTCOME_MALFORMED;
	uint32_t rcode = (uint32_t)read_rc;

	if (read_rc == QUESTION_COOKIE)
		outcome = DNS_OUTCOME_SPECIAL;
	else if (rcode == RCODE_REFUSED)
		outcome = DNS_OUTCOME_REFUSED;
	if (!verified && !ratelimit_error(env->limits, addr, true, env->now_us))
		return drop(env, from, DNS_OUTCOME_RATE_LIMITED);
	if (read_rc == QUESTION_COOKIE) /* RFC 7873 5.4 */
		rcode = cookie == COOKIE_WRONG ? RCODE_BADCOOKIE : RCODE_NOERROR;
	return answer(env, q, from, addr, outcome,
		      local_error(q, rcode, q->ede, NULL, env->buf, answer_limit(q, from->tcp != NULL)));
}

/* One question too many, of a client that has not proved its address: BADCOOKIE when it sent a cookie, else TC to every
 * second, so that it comes by TCP. */
static enum admit answer_limited(struct query_env *env, struct question *q, const struct query_from *from,
				 const struct ip_addr *addr, enum ratelimit_verdict verdict)
{
	size_t limit = answer_limit(q, false);

	switch (verdict) {
	case RATELIMIT_TRUNCATE:
		return answer(env, q, from, addr, DNS_OUTCOME_RATE_LIMITED, local_truncated(q, env->buf, limit));
	case RATELIMIT_BADCOOKIE:
		return answer(env, q, from, addr, DNS_OUTCOME_RATE_LIMITED,
			      local_error(q, RCODE_BADCOOKIE, EDE_NONE, NULL, env->buf, limit));
	case RATELIMIT_PASS:
	case RATELIMIT_DROP:
	case RATELIMIT_VERDICT_MAX:
		break;
	}
	return drop(env, from, DNS_OUTCOME_RATE_LIMITED);
}

/* Options of the answer that hang on the transport: RFC 7828 3.2 (TCP only), RFC 7830 3 and 8467 4.1 (encrypted ones
 * only), and never unasked. */
static void transport_options(struct question *q, const struct query_from *from)
{
	q->reply.keepalive = from->tcp != NULL && q->wants_keepalive;
	q->reply.keepalive_100ms = from->keepalive_100ms;
	q->reply.pad_block = from->encrypted && q->wants_padding ? DNS_PAD_BLOCK : 0;
}

enum admit admit(struct query_env *env, struct question *q, const struct query_from *from, const struct ip_addr *addr,
		 const uint8_t *msg, size_t len, const struct view_client **ret_client)
{
	int read_rc = question_read(msg, len, q);
	const struct view_client *client;
	enum ratelimit_verdict verdict;
	enum cookie_state cookie;
	bool verified;

	if (read_rc < 0)
		return drop(env, from, DNS_OUTCOME_MALFORMED);
	transport_options(q, from);
	verified = from_verified(env, q, from, addr, &cookie);
	*ret_client = client = views_client(env->views, addr);
	if (client == NULL)
		return answer_stranger(env, q, from, addr, len, verified);
	note_question(env, from, client, msg, len);
	if (read_rc != 0)
		return answer_odd(env, q, from, addr, read_rc, cookie, verified);
	verdict = ratelimit_query(env->limits, views_client_number(env->views, client), verified,
				  cookie != COOKIE_ABSENT, env->now_us);
	return verdict == RATELIMIT_PASS ? ADMIT_NAME : answer_limited(env, q, from, addr, verdict);
}
