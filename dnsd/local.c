/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Answers without a resolver: each is one pass into the buffer that leaves. Called by query.c.
 *
 * Negative answers carry an SOA, or clients would not cache them (RFC 2308 5); its owner is the name itself, since we
 * do not know where the zone is cut. Extended errors go only to those who sent EDNS (answer_opt()). */
#include "dnsd/local.h"

#define SOA_REFRESH_S 1800u
#define SOA_RETRY_S   900u
#define SOA_EXPIRE_S  604800u

static const uint8_t soa_mname[] = "\x09localhost";
static const uint8_t soa_rname[] = "\x06nobody\x07invalid";
static const uint8_t hinfo[] = "\x07RFC8482"; /* the literal's end is the empty OS string */

struct special_zone {
	const char *name;
	enum special what;
};

static const struct special_zone special_zones[] = {
	{ "\x09localhost", SPECIAL_LOCALHOST },
	{ "\x04home\x04"
	  "arpa",
	  SPECIAL_NXDOMAIN },
	{ "\x07invalid", SPECIAL_NXDOMAIN },
	{ "\x04test", SPECIAL_NXDOMAIN },
	{ "\x05onion", SPECIAL_NXDOMAIN },
	{ "\x05local", SPECIAL_NXDOMAIN },
	{ "\x08internal", SPECIAL_NXDOMAIN },
	{ "\x08resolver\x04"
	  "arpa",
	  SPECIAL_NXDOMAIN },
	/* Firefox asks for it to learn whether the network wants its own resolver used. */
	{ "\x13use-application-dns\x03net", SPECIAL_NXDOMAIN },
};

static bool suffix_is(const struct dname *n, uint8_t labels, const char *wire)
{
	uint8_t len = 0;
	const uint8_t *s;

	if (n->labels < labels)
		return false;
	s = dname_suffix(n, (uint8_t)(n->labels - labels), &len);
	return len == strlen(wire) + 1 && memcmp(s, wire, len) == 0;
}

/* The label @back labels from the end as a decimal number 0-255, or -1. */
static int label_octet(const struct dname *n, uint8_t back)
{
	uint8_t len;
	const uint8_t *s;
	int v = 0;

	if (n->labels < back)
		return -1;
	s = dname_suffix(n, (uint8_t)(n->labels - back), &len);
	if (s[0] == 0 || s[0] > 3 || (s[0] > 1 && s[1] == '0'))
		return -1;
	for (uint8_t i = 1; i <= s[0]; i++) {
		if (s[i] < '0' || s[i] > '9')
			return -1;
		v = v * 10 + (s[i] - '0');
	}
	return v;
}

/* Only the zones themselves and what is below: 168.192.in-addr.arpa, not 192.in-addr.arpa. */
static bool reverse4_private(const struct dname *n)
{
	int a, b;

	if (!suffix_is(n, 2,
		       "\x07in-addr\x04"
		       "arpa"))
		return false;
	a = label_octet(n, 3);
	b = label_octet(n, 4);
	if (a == 10 || a == 127 || a == 0)
		return true;
	return (a == 192 && b == 168) || (a == 172 && b >= 16 && b <= 31) || (a == 169 && b == 254) ||
	       (a == 100 && b >= 64 && b <= 127);
}

/* The nibble @back labels from the end, or -1. */
static int label_nibble(const struct dname *n, uint8_t back)
{
	uint8_t len;
	const uint8_t *s;

	if (n->labels < back)
		return -1;
	s = dname_suffix(n, (uint8_t)(n->labels - back), &len);
	if (s[0] != 1)
		return -1;
	if (s[1] >= '0' && s[1] <= '9')
		return s[1] - '0';
	return s[1] >= 'a' && s[1] <= 'f' ? s[1] - 'a' + 10 : -1;
}

static bool reverse6_private(const struct dname *n)
{
	int a, b, c;

	if (!suffix_is(n, 2,
		       "\x03ip6\x04"
		       "arpa"))
		return false;
	a = label_nibble(n, 3);
	b = label_nibble(n, 4);
	c = label_nibble(n, 5);
	if (a == 0xf && (b == 0xc || b == 0xd))
		return true;
	if (a == 0xf && b == 0xe && c >= 8 && c <= 0xb)
		return true;
	if (n->labels != 34) /* ::1 and :: */
		return false;
	for (uint8_t back = 3; back < 34; back++)
		if (label_nibble(n, back) != 0)
			return false;
	return label_nibble(n, 34) == 0 || label_nibble(n, 34) == 1;
}

enum special special_name(const struct dname *name)
{
	for (size_t i = 0; i < ARRAY_LEN(special_zones); i++) {
		const char *zone = special_zones[i].name;
		uint8_t labels = strlen(zone) == (size_t)zone[0] + 1 ? 1 : 2;

		if (suffix_is(name, labels, zone))
			return special_zones[i].what;
	}
	return reverse4_private(name) || reverse6_private(name) ? SPECIAL_NXDOMAIN : SPECIAL_NONE;
}

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

int local_negative(const struct question *q, uint32_t rcode, int ede, const char *text, uint8_t *buf, size_t limit)
{
	struct answer_out o;
	uint8_t *rdlen;

	answer_begin(&o, buf, limit, q, 0, rcode);
	rdlen = answer_rr_begin(&o, SECTION_AUTHORITY, q->sent, q->name.len, TYPE_SOA, BLOCK_TTL_S);
	answer_name(&o, soa_mname, sizeof(soa_mname));
	answer_name(&o, soa_rname, sizeof(soa_rname));
	wcur_be32(&o.w, 1);
	wcur_be32(&o.w, SOA_REFRESH_S);
	wcur_be32(&o.w, SOA_RETRY_S);
	wcur_be32(&o.w, SOA_EXPIRE_S);
	wcur_be32(&o.w, BLOCK_TTL_S);
	answer_rr_end(&o, rdlen);
	return local_end(&o, q, rcode, ede, text, limit);
}

static void rr_addr(struct answer_out *o, const struct question *q, uint32_t ttl_s, const uint8_t *bytes, size_t len)
{
	uint8_t *rdlen = answer_rr_begin(o, SECTION_ANSWER, q->sent, q->name.len, q->type, ttl_s);

	wcur_bytes(&o->w, bytes, len);
	answer_rr_end(o, rdlen);
}

int local_blocked(const struct question *q, enum block_mode mode, const char *text, uint8_t *buf, size_t limit)
{
	static const uint8_t zero[16];
	struct answer_out o;

	if (mode == BLOCK_REFUSED)
		return local_error(q, RCODE_REFUSED, EDE_BLOCKED, text, buf, limit);
	if (mode == BLOCK_NXDOMAIN)
		return local_negative(q, RCODE_NXDOMAIN, EDE_BLOCKED, text, buf, limit);
	if (mode != BLOCK_NULL || (q->type != TYPE_A && q->type != TYPE_AAAA))
		return local_negative(q, RCODE_NOERROR, EDE_BLOCKED, text, buf, limit);
	answer_begin(&o, buf, limit, q, 0, RCODE_NOERROR);
	rr_addr(&o, q, BLOCK_TTL_S, zero, q->type == TYPE_A ? 4 : 16);
	return local_end(&o, q, RCODE_NOERROR, EDE_BLOCKED, text, limit);
}

int local_localhost(const struct question *q, uint8_t *buf, size_t limit)
{
	static const uint8_t loopback4[4] = { 127, 0, 0, 1 };
	static const uint8_t loopback6[16] = { [15] = 1 };
	struct answer_out o;

	if (q->type != TYPE_A && q->type != TYPE_AAAA)
		return local_negative(q, RCODE_NOERROR, EDE_NONE, NULL, buf, limit);
	answer_begin(&o, buf, limit, q, DNS_AA, RCODE_NOERROR);
	rr_addr(&o, q, LOCAL_TTL_S, q->type == TYPE_A ? loopback4 : loopback6, q->type == TYPE_A ? 4 : 16);
	return local_end(&o, q, RCODE_NOERROR, EDE_NONE, NULL, limit);
}

int local_records(const struct question *q, const struct plan_record *records, uint32_t n, uint32_t max, uint8_t *buf,
		  size_t limit)
{
	uint8_t family = q->type == TYPE_A ? IP_V4 : q->type == TYPE_AAAA ? IP_V6 : IP_NONE;
	struct answer_out o;

	answer_begin(&o, buf, limit, q, DNS_AA, RCODE_NOERROR);
	for (uint32_t i = 0; i < n && o.counts[SECTION_ANSWER] < max; i++)
		if (records[i].addr.family == family)
			rr_addr(&o, q, LOCAL_TTL_S, records[i].addr.bytes, ip_addr_len(&records[i].addr));
	if (o.counts[SECTION_ANSWER] == 0)
		return local_negative(q, RCODE_NOERROR, EDE_NONE, NULL, buf, limit);
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
