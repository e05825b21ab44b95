/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The reader of the resolver's answers. libunbound has parsed and scrubbed them; they are foreign bytes all the same.
 * Called by query.c, feeds the verdict on aliases, the rebind guard, learn.c and answer.c.
 *
 * The chain is walked by names, not by the order of records; it is bounded, so a loop ends as a chain too long.
 * Sources: RFC 1035 4, RFC 9460 2.2 and 7.3 (SVCB hints), RFC 6890 (special addresses), RFC 4035 3.2.1 (DO bit). */
#include "dnsd/reply.h"

#define SVCB_KEY_MANDATORY 0u

static int name_at(const struct reply *r, size_t at, struct dname *ret)
{
	struct rcur c;

	if (at > r->len)
		return -EBADMSG;
	c = rcur_over(r->msg + at, r->len - at);
	return dname_read(&c, r->msg, r->len, ret);
}

static int section_read(struct rcur *c, struct reply *r, uint32_t n, enum dns_section section)
{
	for (uint32_t i = 0; i < n; i++) {
		struct reply_rr *to = &r->rrs[r->n_rrs];

		if (r->n_rrs == REPLY_RRS_MAX)
			return -E2BIG;
		if (rr_read(c, r->msg, &to->rr) != 0)
			return -EBADMSG;
		to->section = (uint8_t)section;
		to->dropped = to->rr.class_ != CLASS_IN;
		to->trimmed = false;
		r->n_rrs++;
	}
	return 0;
}

static bool is_dnssec(uint16_t type)
{
	return type == TYPE_RRSIG || type == TYPE_NSEC || type == TYPE_NSEC3;
}

static void drop_unwanted(struct reply *r, const struct question *q)
{
	for (uint32_t i = 0; i < r->n_rrs; i++) {
		struct reply_rr *x = &r->rrs[i];
		bool proof = is_dnssec(x->rr.type);

		if (x->section == SECTION_ADDITIONAL)
			x->dropped = true;
		else if (proof && !q->dnssec_ok && !(x->section == SECTION_ANSWER && x->rr.type == q->type))
			x->dropped = true;
		else if (x->section == SECTION_AUTHORITY && !proof && x->rr.type != TYPE_SOA)
			x->dropped = true;
	}
}

/* The alias of @from in the answer section, or NULL. */
static const struct reply_rr *alias_find(const struct reply *r, const struct dname *from)
{
	for (uint32_t i = 0; i < r->n_rrs; i++) {
		const struct reply_rr *x = &r->rrs[i];
		struct dname owner;

		if (x->section != SECTION_ANSWER || x->dropped || x->rr.type != TYPE_CNAME)
			continue;
		if (name_at(r, x->rr.owner, &owner) == 0 && dname_equal(&owner, from))
			return x;
	}
	return NULL;
}

static int chain_read(struct reply *r, const struct question *q)
{
	const struct dname *at = &q->name;
	const struct reply_rr *alias;

	if (q->type == TYPE_CNAME)
		return 0;
	while ((alias = alias_find(r, at)) != NULL) {
		if (r->n_chain == CNAME_CHAIN_MAX)
			return -E2BIG;
		if (name_at(r, alias->rr.rdata, &r->chain[r->n_chain]) != 0)
			return -EBADMSG;
		if (alias->rr.ttl_s < r->min_ttl_s)
			r->min_ttl_s = alias->rr.ttl_s;
		at = &r->chain[r->n_chain++];
	}
	return 0;
}

static bool in_chain(const struct reply *r, const struct question *q, const struct dname *name)
{
	if (dname_equal(name, &q->name))
		return true;
	for (uint32_t i = 0; i < r->n_chain; i++)
		if (dname_equal(name, &r->chain[i]))
			return true;
	return false;
}

/* A DNAME and its signature are owned by an ancestor of a name in the chain. */
static bool above_chain(const struct reply *r, const struct question *q, const struct dname *name)
{
	if (dname_in(&q->name, name))
		return true;
	for (uint32_t i = 0; i < r->n_chain; i++)
		if (dname_in(&r->chain[i], name))
			return true;
	return false;
}

/* What a record of the answer section stands for: a signature, for what it covers. 0: nothing. */
static uint16_t type_meant(const struct reply *r, const struct question *q, const struct rr *rr)
{
	if (rr->type != TYPE_RRSIG || q->type == TYPE_RRSIG)
		return rr->type;
	return rr->rdlen < 2 ? 0 : (uint16_t)(r->msg[rr->rdata] << 8 | r->msg[rr->rdata + 1]);
}

/* Of the answer section stays: aliases of the chain and above it, and what was asked for at its names. */
static int drop_strangers(struct reply *r, const struct question *q)
{
	for (uint32_t i = 0; i < r->n_rrs; i++) {
		struct reply_rr *x = &r->rrs[i];
		struct dname owner;
		uint16_t type;

		if (x->section != SECTION_ANSWER || x->dropped)
			continue;
		if (name_at(r, x->rr.owner, &owner) != 0)
			return -EBADMSG;
		type = type_meant(r, q, &x->rr);
		if (type == TYPE_DNAME)
			x->dropped = !above_chain(r, q, &owner);
		else
			x->dropped = (type != q->type && type != TYPE_CNAME) || !in_chain(r, q, &owner);
	}
	return 0;
}

int reply_read(const uint8_t *msg, size_t len, const struct question *q, struct reply *ret)
{
	struct rcur c = rcur_over(msg, len);
	struct dname name;
	uint16_t counts[4];
	int rc;

	ret->msg = msg;
	ret->len = len;
	ret->n_rrs = ret->n_chain = ret->n_addrs = ret->n_private = 0;
	ret->min_ttl_s = UINT32_MAX;
	(void)rcur_be16(&c);
	ret->flags = rcur_be16(&c);
	for (size_t i = 0; i < ARRAY_LEN(counts); i++)
		counts[i] = rcur_be16(&c);
	if (c.err != 0 || len > DNS_MESSAGE_MAX || (ret->flags & DNS_QR) == 0 || counts[0] != 1)
		return -EBADMSG;
	if (dname_read(&c, msg, len, &name) != 0 || !dname_equal(&name, &q->name))
		return -EBADMSG;
	if (rcur_be16(&c) != q->type || rcur_be16(&c) != q->class_ || c.err != 0)
		return -EBADMSG;
	for (uint8_t s = SECTION_ANSWER; s <= SECTION_ADDITIONAL; s++) {
		rc = section_read(&c, ret, counts[s], (enum dns_section)s);
		if (rc != 0)
			return rc;
	}
	drop_unwanted(ret, q);
	rc = chain_read(ret, q);
	return rc != 0 ? rc : drop_strangers(ret, q);
}

/* Addresses of one record, not yet judged. */
struct rr_addrs {
	struct ip_addr addrs[LEARN_ADDRS_MAX];
	uint32_t n;
	bool too_many;
	struct ip_addr private; /* the first that is; IP_NONE: none is */
};

static void rr_addrs_add(struct rr_addrs *a, const uint8_t *bytes, size_t len)
{
	if (a->n == LEARN_ADDRS_MAX) {
		a->too_many = true;
		return;
	}
	a->addrs[a->n] = ip_addr_from_bytes(bytes, len);
	if (a->private.family == IP_NONE && ip_addr_private(&a->addrs[a->n]))
		a->private = a->addrs[a->n];
	a->n++;
}

/* RFC 9460 2.2: the target is never compressed. A pointer is none here: behind the record it would lead elsewhere when
 * the answer is written anew. */
static int svcb_target_read(struct rcur *c, struct dname *ret)
{
	(void)rcur_be16(c); /* priority */
	return dname_read(c, c->at, 0, ret);
}

bool reply_target(const struct reply *r, const struct reply_rr *x, struct dname *ret)
{
	struct rcur c = rcur_over(r->msg + x->rr.rdata, x->rr.rdlen);

	if (x->section != SECTION_ANSWER || x->dropped)
		return false;
	if (x->rr.type == TYPE_HTTPS || x->rr.type == TYPE_SVCB)
		return svcb_target_read(&c, ret) == 0 && ret->labels != 0;
	return (x->rr.type == TYPE_PTR || x->rr.type == TYPE_CNAME) && name_at(r, x->rr.rdata, ret) == 0;
}

static int svcb_addrs(const struct reply *r, const struct rr *rr, struct rr_addrs *ret)
{
	struct rcur c = rcur_over(r->msg + rr->rdata, rr->rdlen);
	struct dname target;

	if (svcb_target_read(&c, &target) != 0)
		return -EBADMSG;
	while (c.err == 0 && rcur_left(&c) != 0) {
		uint16_t key = rcur_be16(&c), len = rcur_be16(&c);
		const uint8_t *value = rcur_bytes(&c, len);
		size_t size = key == SVCB_KEY_IPV4HINT ? 4 : 16;

		if (value == NULL)
			return -EBADMSG;
		if (key != SVCB_KEY_IPV4HINT && key != SVCB_KEY_IPV6HINT)
			continue;
		if (len == 0 || len % size != 0)
			return -EBADMSG;
		for (size_t i = 0; i < len; i += size)
			rr_addrs_add(ret, value + i, size);
	}
	return rcur_end(&c);
}

static int rr_addrs_read(const struct reply *r, const struct rr *rr, struct rr_addrs *ret)
{
	size_t len = rr->type == TYPE_A ? 4 : 16;

	ret->n = 0;
	ret->too_many = false;
	ret->private.family = IP_NONE;
	if (rr->type == TYPE_HTTPS || rr->type == TYPE_SVCB)
		return svcb_addrs(r, rr, ret);
	if (rr->type != TYPE_A && rr->type != TYPE_AAAA)
		return 0;
	if (rr->rdlen != len)
		return -EBADMSG;
	rr_addrs_add(ret, r->msg + rr->rdata, len);
	return 0;
}

/* All or nothing: a record whose addresses are not all learned must not reach the client. */
static bool reply_take(struct reply *r, const struct rr_addrs *a)
{
	uint32_t before = r->n_addrs;

	for (uint32_t i = 0; i < a->n; i++) {
		uint32_t k = 0;

		while (k < r->n_addrs && ip_addr_cmp(&r->addrs[k], &a->addrs[i]) != 0)
			k++;
		if (k < r->n_addrs)
			continue;
		if (r->n_addrs == LEARN_ADDRS_MAX) {
			r->n_addrs = before;
			return false;
		}
		r->addrs[r->n_addrs++] = a->addrs[i];
	}
	return true;
}

void reply_addrs(struct reply *r, bool guard)
{
	struct rr_addrs a;

	for (uint32_t i = 0; i < r->n_rrs; i++) {
		struct reply_rr *x = &r->rrs[i];

		if (x->section != SECTION_ANSWER || x->dropped)
			continue;
		if (rr_addrs_read(r, &x->rr, &a) != 0) {
			x->dropped = true;
			continue;
		}
		if (guard && a.private.family != IP_NONE) {
			x->dropped = true;
			if (r->n_private++ == 0)
				r->private = a.private;
			continue;
		}
		if (a.too_many || !reply_take(r, &a)) {
			x->dropped = true;
			continue;
		}
		if (a.n != 0 && x->rr.ttl_s < r->min_ttl_s)
			r->min_ttl_s = x->rr.ttl_s;
	}
}

/* Its place among the addresses; .n_addrs: it is not there. */
static uint32_t addr_index(const struct reply *r, const struct ip_addr *addr)
{
	uint32_t i = 0;

	while (i < r->n_addrs && ip_addr_cmp(&r->addrs[i], addr) != 0)
		i++;
	return i;
}

bool reply_gives(const struct reply *r, const struct ip_addr *addr)
{
	return addr_index(r, addr) < r->n_addrs;
}

/* RFC 9460 8: a record that has not all keys that it says are mandatory is malformed. @keys: bit n = key n. */
static bool svcb_needs(const struct reply *r, const struct rr *rr, uint32_t keys)
{
	struct rcur c = rcur_over(r->msg + rr->rdata, rr->rdlen);
	struct dname target;
	uint16_t len;

	/* Keys come in their order: this is the first. */
	if (svcb_target_read(&c, &target) != 0 || rcur_left(&c) == 0 || rcur_be16(&c) != SVCB_KEY_MANDATORY)
		return false;
	len = rcur_be16(&c);
	for (uint16_t i = 0; i + 1u < len; i += 2) {
		uint16_t key = rcur_be16(&c);

		if (key <= SVCB_KEY_IPV6HINT && (keys >> key & 1) != 0)
			return true;
	}
	return false;
}

/* Leave out of one record what @r does not give any more. */
static void rr_trim(const struct reply *r, struct reply_rr *x)
{
	uint32_t had = 0, has = 0, n = 0;
	struct rr_addrs a;

	if (x->section != SECTION_ANSWER || x->dropped || rr_addrs_read(r, &x->rr, &a) != 0)
		return;
	for (uint32_t i = 0; i < a.n; i++) {
		uint32_t key = 1u << (a.addrs[i].family == IP_V4 ? SVCB_KEY_IPV4HINT : SVCB_KEY_IPV6HINT);
		bool given = reply_gives(r, &a.addrs[i]);

		had |= key;
		has |= given ? key : 0;
		n += given;
	}
	if (n == a.n)
		return;
	if (x->rr.type == TYPE_A || x->rr.type == TYPE_AAAA || svcb_needs(r, &x->rr, had & ~has))
		x->dropped = true;
	else
		x->trimmed = true;
}

/* .addrs and .min_ttl_s of what is left. */
static void recount(struct reply *r)
{
	bool used[LEARN_ADDRS_MAX] = { false };
	struct rr_addrs a;
	uint32_t n = 0;

	r->min_ttl_s = UINT32_MAX;
	for (uint32_t i = 0; i < r->n_rrs; i++) {
		const struct reply_rr *x = &r->rrs[i];
		bool counts = x->rr.type == TYPE_CNAME;

		if (x->section != SECTION_ANSWER || x->dropped || rr_addrs_read(r, &x->rr, &a) != 0)
			continue;
		for (uint32_t k = 0; k < a.n; k++) {
			uint32_t at = addr_index(r, &a.addrs[k]);

			if (at == r->n_addrs)
				continue;
			used[at] = counts = true;
		}
		if (counts && x->rr.ttl_s < r->min_ttl_s)
			r->min_ttl_s = x->rr.ttl_s;
	}
	for (uint32_t i = 0; i < r->n_addrs; i++)
		if (used[i])
			r->addrs[n++] = r->addrs[i];
	r->n_addrs = n;
}

uint32_t reply_trim(struct reply *r, const struct question *q, const bool *forbidden)
{
	uint32_t n = 0, left = 0;

	for (uint32_t i = 0; i < r->n_addrs; i++)
		if (!forbidden[i])
			r->addrs[n++] = r->addrs[i];
	r->n_addrs = n;
	for (uint32_t i = 0; i < r->n_rrs; i++) {
		struct reply_rr *x = &r->rrs[i];

		rr_trim(r, x);
		/* It covers what is not there any more. */
		if (x->section == SECTION_ANSWER && x->rr.type == TYPE_RRSIG && type_meant(r, q, &x->rr) == q->type)
			x->dropped = true;
		left += x->section == SECTION_ANSWER && !x->dropped && x->rr.type == q->type;
	}
	recount(r);
	return left;
}
