/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Answers without a resolver: each is one pass into the buffer that leaves. Called by query.c.
 *
 * Negative answers carry an SOA, or clients would not cache them (RFC 2308 5); its owner is the special zone, and else
 * the name itself, since we do not know where the zone is cut. Extended errors go only to those who sent EDNS
 * (answer_opt()). */
#include "dnsd/local.h"

#include "filter/rewrite.h"

#define SOA_REFRESH_S 1800u
#define SOA_RETRY_S   900u
#define SOA_EXPIRE_S  604800u

static const uint8_t soa_mname[] = "\x09localhost";
static const uint8_t soa_rname[] = "\x06nobody\x07invalid";
static const uint8_t hinfo[] = "\x07RFC8482"; /* the literal's end is the empty OS string */

/* OPT and counts; when the rest did not fit: TC and nothing else. */
static int local_end(struct answer_out *o, const struct question *q, uint32_t rcode, int ede, const char *text,
		     size_t limit)
{
	if (o->w.err != 0 || (size_t)(o->w.end - o->w.at) < answer_opt_room(q, EDE_NONE))
		answer_begin(o, o->w.start, limit, q, DNS_TC, rcode);
	answer_opt(o, q, rcode, ede, text);
	return answer_end(o);
}

int local_error(const struct question *q, uint32_t rcode, int ede, const char *text, uint8_t *buf, size_t limit)
{
	struct answer_out o;

	answer_begin(&o, buf, limit, q, 0, rcode);
	return local_end(&o, q, rcode, ede, text, limit);
}

int local_truncated(const struct question *q, uint8_t *buf, size_t limit)
{
	struct answer_out o;

	answer_begin(&o, buf, limit, q, DNS_TC, RCODE_NOERROR);
	return local_end(&o, q, RCODE_NOERROR, EDE_NONE, NULL, limit);
}

/* The SOA of the zone that the name is in, @labels long. */
static void rr_soa(struct answer_out *o, const struct question *q, enum dns_section section, uint8_t labels,
		   uint32_t ttl_s)
{
	uint8_t len;
	const uint8_t *zone = dname_suffix(&q->name, (uint8_t)(q->name.labels - labels), &len);
	uint8_t *rdlen = answer_rr_begin(o, section, q->sent + (zone - q->name.wire), len, TYPE_SOA, ttl_s);

	answer_name(o, soa_mname, sizeof(soa_mname));
	answer_name(o, soa_rname, sizeof(soa_rname));
	wcur_be32(&o->w, 1);
	wcur_be32(&o->w, SOA_REFRESH_S);
	wcur_be32(&o->w, SOA_RETRY_S);
	wcur_be32(&o->w, SOA_EXPIRE_S);
	wcur_be32(&o->w, ttl_s);
	answer_rr_end(o, rdlen);
}

int local_negative(const struct question *q, uint32_t rcode, int ede, const char *text, uint8_t *buf, size_t limit)
{
	struct answer_out o;

	answer_begin(&o, buf, limit, q, 0, rcode);
	rr_soa(&o, q, SECTION_AUTHORITY, q->name.labels, NEGATIVE_TTL_S);
	return local_end(&o, q, rcode, ede, text, limit);
}

static void rr_addr(struct answer_out *o, const struct question *q, uint32_t ttl_s, const uint8_t *bytes, size_t len)
{
	uint8_t *rdlen = answer_rr_begin(o, SECTION_ANSWER, q->sent, q->name.len, q->type, ttl_s);

	wcur_bytes(&o->w, bytes, len);
	answer_rr_end(o, rdlen);
}

/* rr_soa() of the name itself, whose owner is a pointer to the question and whose names need no compression: it is
 * written for every blocked name. */
static void rr_soa_own(struct answer_out *o, uint32_t ttl_s)
{
	uint8_t *rdlen = answer_own_begin(o, SECTION_AUTHORITY, TYPE_SOA, ttl_s);

	wcur_bytes(&o->w, soa_mname, sizeof(soa_mname));
	wcur_bytes(&o->w, soa_rname, sizeof(soa_rname));
	wcur_be32(&o->w, 1);
	wcur_be32(&o->w, SOA_REFRESH_S);
	wcur_be32(&o->w, SOA_RETRY_S);
	wcur_be32(&o->w, SOA_EXPIRE_S);
	wcur_be32(&o->w, ttl_s);
	answer_rr_end(o, rdlen);
}

int local_blocked(const struct question *q, const struct blocked_answer *a, uint32_t ttl_s, int ede, const char *text,
		  uint8_t *buf, size_t limit)
{
	struct answer_out o;
	uint8_t *rdlen;

	answer_begin_own(&o, buf, limit, q, a->rcode);
	if (a->addr.family != IP_NONE) {
		rdlen = answer_own_begin(&o, SECTION_ANSWER, q->type, ttl_s);
		wcur_bytes(&o.w, a->addr.bytes, ip_addr_len(&a->addr));
		answer_rr_end(&o, rdlen);
	} else if (a->negative) {
		rr_soa_own(&o, ttl_s);
	}
	return local_end(&o, q, a->rcode, ede, text, limit);
}

int local_rewritten(const struct question *q, const struct name_verdict *v, uint32_t ttl_s, uint8_t *buf, size_t limit)
{
	struct rewrite_at at = { 0 };
	struct rewrite_record r;
	struct answer_out o;

	answer_begin(&o, buf, limit, q, 0, RCODE_NOERROR);
	while (rewrite_record_next(v, &at, &r)) {
		uint8_t *rdlen;

		if (r.type != q->type)
			continue;
		rdlen = answer_rr_begin(&o, SECTION_ANSWER, q->sent, q->name.len, r.type,
					r.ttl_s != 0 ? r.ttl_s : ttl_s);
		wcur_bytes(&o.w, r.data, r.len);
		answer_rr_end(&o, rdlen);
	}
	if (o.counts[SECTION_ANSWER] == 0)
		rr_soa(&o, q, SECTION_AUTHORITY, q->name.labels, ttl_s);
	return local_end(&o, q, RCODE_NOERROR, EDE_NONE, NULL, limit);
}

static void rr_localhost(struct answer_out *o, const struct question *q)
{
	static const uint8_t loopback4[4] = { 127, 0, 0, 1 };
	static const uint8_t loopback6[16] = { [15] = 1 };

	if (q->type == TYPE_A)
		rr_addr(o, q, LOCAL_TTL_S, loopback4, sizeof(loopback4));
	else if (q->type == TYPE_AAAA)
		rr_addr(o, q, LOCAL_TTL_S, loopback6, sizeof(loopback6));
}

/* What an empty zone has at its apex (RFC 6303 3). */
static void rr_apex(struct answer_out *o, const struct question *q)
{
	uint8_t *rdlen;

	if (q->type == TYPE_SOA)
		rr_soa(o, q, SECTION_ANSWER, q->name.labels, LOCAL_TTL_S);
	if (q->type != TYPE_NS)
		return;
	rdlen = answer_rr_begin(o, SECTION_ANSWER, q->sent, q->name.len, TYPE_NS, LOCAL_TTL_S);
	answer_name(o, soa_mname, sizeof(soa_mname));
	answer_rr_end(o, rdlen);
}

int local_special(const struct question *q, enum special what, uint8_t labels, bool exists, uint8_t *buf, size_t limit)
{
	bool apex = q->name.labels == labels;
	uint32_t rcode = what == SPECIAL_LOCALHOST || apex || exists ? RCODE_NOERROR : RCODE_NXDOMAIN;
	struct answer_out o;

	answer_begin(&o, buf, limit, q, DNS_AA, rcode);
	if (what == SPECIAL_LOCALHOST)
		rr_localhost(&o, q);
	if (apex)
		rr_apex(&o, q);
	if (o.counts[SECTION_ANSWER] == 0)
		rr_soa(&o, q, SECTION_AUTHORITY, labels, LOCAL_TTL_S);
	return local_end(&o, q, rcode, EDE_NONE, NULL, limit);
}

static void rr_record(struct answer_out *o, const uint8_t *owner, uint8_t owner_len, const struct plan_record *record)
{
	bool is_addr = record->addr.family != IP_NONE;
	uint8_t *rdlen = answer_rr_begin(o, SECTION_ANSWER, owner, owner_len, record->type, record->ttl_s);

	/* Only names of RFC 1035's types may be compressed (RFC 3597 4); MX's is not worth it. */
	if (record->type == TYPE_CNAME || record->type == RECORD_PTR)
		answer_name(o, record->data, record->data_len);
	else
		wcur_bytes(&o->w, is_addr ? record->addr.bytes : record->data,
			   is_addr ? ip_addr_len(&record->addr) : record->data_len);
	answer_rr_end(o, rdlen);
}

int local_records(const struct question *q, const struct local_answer *a, uint32_t max, uint8_t *buf, size_t limit)
{
	const uint8_t *owner = q->sent;
	uint8_t owner_len = q->name.len, labels = 0;
	enum special special = special_name(&q->name, &labels);
	struct answer_out o;
	uint32_t n = 0;

	answer_begin(&o, buf, limit, q, DNS_AA, RCODE_NOERROR);
	for (uint32_t i = 0; i < a->n_aliases; i++) {
		rr_record(&o, owner, owner_len, a->aliases[i]);
		owner = a->targets[i].wire;
		owner_len = a->targets[i].len;
	}
	for (uint32_t i = 0; i < a->n && n < max; i++) {
		if (a->records[i].type != q->type)
			continue;
		rr_record(&o, owner, owner_len, &a->records[i]);
		n++;
	}
	if (n == 0)
		rr_soa(&o, q, SECTION_AUTHORITY, special != SPECIAL_NONE ? labels : q->name.labels, LOCAL_TTL_S);
	return local_end(&o, q, RCODE_NOERROR, EDE_NONE, NULL, limit);
}

int local_any(const struct question *q, uint8_t *buf, size_t limit)
{
	struct answer_out o;
	uint8_t *rdlen;

	answer_begin(&o, buf, limit, q, 0, RCODE_NOERROR);
	rdlen = answer_rr_begin(&o, SECTION_ANSWER, q->sent, q->name.len, TYPE_HINFO, LOCAL_TTL_S);
	wcur_bytes(&o.w, hinfo, sizeof(hinfo));
	answer_rr_end(&o, rdlen);
	return local_end(&o, q, RCODE_NOERROR, EDE_NONE, NULL, limit);
}
