/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who may speak for which name: an upstream for the names that it is asked for. Where its answer leads by CNAME or
 * DNAME to a name of another upstream, or to one that is never asked, everything from there on is cut off and asked
 * anew; then the pieces are written as one answer. Called by forward.c; the reader is reply.c, the writer answer.c.
 *
 * The authority section comes with the last piece: a denial speaks of the last name. Sources: RFC 1034 3.6.2, RFC 6672,
 * RFC 2308 2.1. */
#include "dnsd/forward_chain.h"

#include "dnsd/answer.h"

static struct question question_of(const struct dname *name, uint16_t type, bool cd)
{
	struct question q = {
		.flags = (uint16_t)(DNS_RD | (cd ? DNS_CD : 0)),
		.type = type,
		.class_ = CLASS_IN,
		.udp_size = DNS_UDP_PLAIN_MAX,
		.dnssec_ok = true, /* signatures are dropped by query.c for those who do not want them */
		.has_name = true,
		.name = *name,
	};

	memcpy(q.sent, name->wire, name->len);
	return q;
}

/* 1: there is an alias among the answers; most have none, and need no more. 0, or -EBADMSG. */
static int any_alias(const uint8_t *msg, size_t len, const struct forward_question *q)
{
	size_t at = DNS_HEADER_LEN + q->name.len + 4;
	uint32_t n = (uint32_t)(msg[6] << 8 | msg[7]);
	struct rcur c = rcur_over(msg, len);
	struct rr rr;

	(void)rcur_bytes(&c, at);
	for (uint32_t i = 0; i < n; i++) {
		if (rr_read(&c, msg, &rr) != 0)
			return -EBADMSG;
		if (rr.type == TYPE_CNAME)
			return 1;
	}
	return 0;
}

static bool owner_is(const struct reply *r, const struct reply_rr *x, const struct dname *name)
{
	struct rcur c = rcur_over(r->msg + x->rr.owner, r->len - x->rr.owner);
	struct dname owner;

	return dname_read(&c, r->msg, r->len, &owner) == 0 && dname_equal(&owner, name);
}

/* The last alias's target has its data in there, or the denial of it. */
static bool is_whole(const struct reply *r, uint16_t type)
{
	const struct dname *target = &r->chain[r->n_chain - 1];

	if ((r->flags & DNS_RCODE) != RCODE_NOERROR)
		return true;
	for (uint32_t i = 0; i < r->n_rrs; i++) {
		const struct reply_rr *x = &r->rrs[i];

		if (x->dropped)
			continue;
		if (x->section == SECTION_AUTHORITY && x->rr.type == TYPE_SOA)
			return true;
		if (x->section == SECTION_ANSWER && x->rr.type == type && owner_is(r, x, target))
			return true;
	}
	return false;
}

int forward_chain_read(const uint8_t *msg, size_t len, const struct forward_question *q, struct reply *scratch,
		       forward_leaves_fn *leaves, void *arg, uint32_t *ret_keep, struct dname *ret_target)
{
	struct question question;
	uint32_t keep = 0;
	int rc = any_alias(msg, len, q);

	if (rc <= 0 || q->type == TYPE_CNAME)
		return rc < 0 ? rc : 0;
	question = question_of(&q->name, q->type, q->cd);
	rc = reply_read(msg, len, &question, scratch);
	if (rc != 0)
		return rc;
	while (keep < scratch->n_chain)
		if (leaves(arg, &scratch->chain[keep++]))
			goto cut;
	if (keep == 0 || is_whole(scratch, q->type))
		return 0;
cut:
	*ret_keep = keep;
	*ret_target = scratch->chain[keep - 1];
	return 1;
}

int forward_chain_add(struct forward_chain *c, const struct dname *name, uint32_t keep, const uint8_t *msg, size_t len)
{
	struct forward_part *p;

	if (c->n == FORWARD_CHAIN_MAX)
		return -ELOOP;
	p = malloc(sizeof(*p) + len);
	if (p == NULL)
		return -ENOMEM;
	p->next = NULL;
	p->name = *name;
	p->keep = keep;
	p->len = len;
	memcpy(p->msg, msg, len);
	if (c->last != NULL)
		c->last->next = p;
	else
		c->first = p;
	c->last = p;
	c->n++;
	return 0;
}

/* A record of the aliases that are kept: owned by one of their names, or a DNAME or signature above one. */
static bool rr_kept(const struct reply *r, const struct reply_rr *x, const struct forward_part *p)
{
	struct rcur c = rcur_over(r->msg + x->rr.owner, r->len - x->rr.owner);
	const struct dname *name = &p->name;
	bool above = x->rr.type == TYPE_DNAME || x->rr.type == TYPE_RRSIG;
	struct dname owner;

	if (x->dropped || x->section != SECTION_ANSWER || dname_read(&c, r->msg, r->len, &owner) != 0)
		return false;
	for (uint32_t i = 0; i < p->keep; i++) {
		if (above ? dname_in(name, &owner) : dname_equal(name, &owner))
			return true;
		name = &r->chain[i];
	}
	return false;
}

static int part_write(struct answer_out *o, const struct forward_part *p, uint16_t type, struct reply *scratch)
{
	struct question q = question_of(&p->name, type, false);
	int rc = reply_read(p->msg, p->len, &q, scratch);

	for (uint32_t i = 0; rc == 0 && i < scratch->n_rrs; i++)
		if (rr_kept(scratch, &scratch->rrs[i], p))
			answer_rr(o, scratch, &scratch->rrs[i]);
	return rc;
}

int forward_chain_join(const struct forward_chain *c, const struct forward_question *last, const uint8_t *msg,
		       size_t len, struct reply *scratch, uint8_t *buf, size_t size)
{
	struct question first = question_of(&c->first->name, last->type, last->cd);
	struct question q = question_of(&last->name, last->type, last->cd);
	struct answer_out o;
	int rc = 0;

	answer_begin(&o, buf, size, &first, 0, msg[3] & DNS_RCODE);
	for (const struct forward_part *p = c->first; p != NULL && rc == 0; p = p->next)
		rc = part_write(&o, p, last->type, scratch);
	if (rc == 0)
		rc = reply_read(msg, len, &q, scratch);
	if (rc != 0)
		return rc;
	for (uint32_t i = 0; i < scratch->n_rrs; i++)
		if (!scratch->rrs[i].dropped)
			answer_rr(&o, scratch, &scratch->rrs[i]);
	return answer_end(&o);
}

void forward_chain_clear(struct forward_chain *c)
{
	for (struct forward_part *p = c->first, *next; p != NULL; p = next) {
		next = p->next;
		free(p);
	}
	*c = (struct forward_chain){ 0 };
}
