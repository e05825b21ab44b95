/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Making a question and judging its answer. ldns reads and writes: a second opinion on the format. */
#include <ctype.h>
#include <ldns/ldns.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"

/* Most questions are for few names of each kind, as with people. A device may have 4,096 addresses learned
 * (LEASES_PER_CLIENT_MAX), each for its TTL and a minute more: 50 questions a second and device stay at half of that.
 */
#define HOT_NAMES    60
#define HOT_PERCENT  90
#define COLD_NAMES   10000000 /* nearly always asked for the first time */
#define EDNS_PERCENT 70
#define DO_PERCENT   20
#define HEADER_LEN   12
#define OPT_EDE	     15

/* Of a hundred questions. */
static const unsigned int weights[SOAK_KIND_MAX] = {
	[SOAK_PUBLIC] = 40, [SOAK_SPLIT] = 15,	[SOAK_BLOCKED] = 12, [SOAK_RECORD] = 4,
	[SOAK_ALIAS] = 8,   [SOAK_CLOAKED] = 4, [SOAK_MISSING] = 5,  [SOAK_NO_V6] = 4,
	[SOAK_LARGE] = 2,   [SOAK_FLIP] = 3,	[SOAK_MOVED] = 3,
};

uint64_t soak_random(uint64_t *state)
{
	*state ^= *state << 13; /* xorshift64 */
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static unsigned int below(uint64_t *seed, unsigned int n)
{
	return (unsigned int)(soak_random(seed) >> 16) % n;
}

static enum soak_kind kind_pick(uint64_t *seed)
{
	unsigned int at = below(seed, 100), kind = 0;

	while (kind < SOAK_KIND_MAX - 1 && at >= weights[kind])
		at -= weights[kind++];
	return (enum soak_kind)kind;
}

static uint16_t type_pick(enum soak_kind kind, uint64_t *seed)
{
	if (kind == SOAK_LARGE)
		return LDNS_RR_TYPE_TXT;
	return below(seed, 100) < (kind == SOAK_NO_V6 ? 70 : 30) ? LDNS_RR_TYPE_AAAA : LDNS_RR_TYPE_A;
}

int soak_ask_make(struct soak_ask *a, uint64_t *seed)
{
	char name[SOAK_NAME_MAX];
	uint8_t *wire = NULL;
	ldns_pkt *p;
	int rc = -1;

	a->kind = kind_pick(seed);
	a->n = below(seed, a->kind == SOAK_RECORD	    ? SOAK_RECORDS
			   : below(seed, 100) < HOT_PERCENT ? HOT_NAMES
							    : COLD_NAMES);
	a->type = type_pick(a->kind, seed);
	a->id = (uint16_t)soak_random(seed);
	a->edns = below(seed, 100) < EDNS_PERCENT;
	a->done = false;
	soak_name(a->kind, a->n, name);
	for (char *c = name; *c != '\0'; c++)
		if ((soak_random(seed) & 1) != 0)
			*c = (char)toupper((unsigned char)*c);
	p = ldns_pkt_query_new(ldns_dname_new_frm_str(name), (ldns_rr_type)a->type, LDNS_RR_CLASS_IN, LDNS_RD);
	if (p == NULL)
		return -1;
	ldns_pkt_set_id(p, a->id);
	if (a->edns) {
		ldns_pkt_set_edns_udp_size(p, SOAK_UDP_MAX);
		ldns_pkt_set_edns_do(p, below(seed, 100) < DO_PERCENT);
	}
	if (ldns_pkt2wire(&wire, p, &a->len) == LDNS_STATUS_OK && a->len <= sizeof(a->wire)) {
		memcpy(a->wire, wire, a->len);
		a->question_len = strlen(name) + 2 + 4; /* a length in front, the root behind, type and class */
		rc = 0;
	}
	free(wire);
	ldns_pkt_free(p);
	return rc;
}

/* The owner is that name, in whatever case. */
static bool owned_by(const ldns_rr *rr, const char *name)
{
	char *text = ldns_rdf2str(ldns_rr_owner(rr));
	size_t len = strlen(name);
	bool same = text != NULL && strlen(text) == len + 1 && strncasecmp(text, name, len) == 0;

	free(text);
	return same;
}

static bool address_wanted(const ldns_rr *rr, const struct soak_want *w)
{
	const ldns_rdf *rdf = ldns_rr_rdf(rr, 0);
	size_t len = w->v6 ? 16 : 4;

	if (ldns_rr_get_type(rr) != (w->v6 ? LDNS_RR_TYPE_AAAA : LDNS_RR_TYPE_A) || ldns_rdf_size(rdf) != len)
		return false;
	for (unsigned int i = 0; i < w->n_addrs; i++)
		if (memcmp(ldns_rdf_data(rdf), w->addrs[i], len) == 0)
			return true;
	return false;
}

static bool alias_wanted(const ldns_rr *rr, const char *name, const struct soak_want *w)
{
	char *text = w->target[0] != '\0' && owned_by(rr, name) ? ldns_rdf2str(ldns_rr_rdf(rr, 0)) : NULL;
	size_t len = strlen(w->target);
	bool same = text != NULL && strlen(text) == len + 1 && strncasecmp(text, w->target, len) == 0;

	free(text);
	return same;
}

static bool text_wanted(const ldns_rr *rr)
{
	if (ldns_rr_get_type(rr) != LDNS_RR_TYPE_TXT || ldns_rr_rd_count(rr) != SOAK_TEXTS)
		return false;
	for (unsigned int i = 0; i < SOAK_TEXTS; i++) {
		const ldns_rdf *rdf = ldns_rr_rdf(rr, i);
		const uint8_t *bytes = ldns_rdf_data(rdf);

		if (ldns_rdf_size(rdf) != SOAK_TEXT_BYTES + 1 || bytes[0] != SOAK_TEXT_BYTES || bytes[1] != 'a' + i ||
		    bytes[SOAK_TEXT_BYTES] != 'a' + i)
			return false;
	}
	return true;
}

/* NULL: the answer section is what is wanted, no more and no less. */
static const char *answers_judge(const ldns_pkt *p, const char *name, const struct soak_want *w)
{
	const ldns_rr_list *rrs = ldns_pkt_answer(p);
	unsigned int n_addrs = 0, n_alias = 0, n_text = 0;

	for (size_t i = 0; i < ldns_rr_list_rr_count(rrs); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(rrs, i);

		if (w->ttl_s != UINT32_MAX && ldns_rr_ttl(rr) > SOAK_TTL_MAX_S)
			return "a TTL longer than the upstream's";
		if (ldns_rr_get_type(rr) == LDNS_RR_TYPE_CNAME) {
			if (!alias_wanted(rr, name, w))
				return "an alias that is not there";
			n_alias++;
			continue;
		}
		if (!owned_by(rr, w->target[0] != '\0' ? w->target : name))
			return "a record of another name";
		if (w->text && text_wanted(rr))
			n_text++;
		else if (address_wanted(rr, w))
			n_addrs++;
		else
			return "a record that is not the name's";
	}
	if (n_addrs != w->n_addrs || n_alias != (w->target[0] != '\0' ? 1 : 0) || n_text != (w->text ? 1 : 0))
		return "another number of records";
	return NULL;
}

static const char *packet_judge(const struct soak_ask *a, const ldns_pkt *p, char policy)
{
	struct soak_want want;
	char name[SOAK_NAME_MAX];

	soak_name(a->kind, a->n, name);
	soak_expect(a->kind, a->n, a->type, policy, &want);
	if (ldns_pkt_get_rcode(p) != want.rcode)
		return "another RCODE";
	return answers_judge(p, name, &want);
}

/* What holds of every answer to it, whatever it says. NULL: it does. */
static const char *frame_judge(const struct soak_ask *a, const uint8_t *msg, size_t len, bool udp)
{
	if (len < HEADER_LEN || (msg[0] << 8 | msg[1]) != a->id)
		return "another id";
	if ((msg[2] & 0x80) == 0 || (msg[3] & 0x80) == 0)
		return "no QR or no RA";
	if (len < HEADER_LEN + a->question_len || msg[4] != 0 || msg[5] != 1 ||
	    memcmp(msg + HEADER_LEN, a->wire + HEADER_LEN, a->question_len) != 0)
		return "another question, or its case changed";
	if (udp && len > (a->edns ? SOAK_UDP_MAX : SOAK_UDP_PLAIN))
		return "too long for the client";
	return NULL;
}

/* What the server says of its failure: RCODE, extended error and text (RFC 8914). */
static void failure_text(const ldns_pkt *p, char why[160])
{
	const ldns_rdf *options = ldns_pkt_edns_data(p);
	const uint8_t *at = options != NULL ? ldns_rdf_data(options) : NULL;
	size_t left = options != NULL ? ldns_rdf_size(options) : 0;

	snprintf(why, 160, "rcode %d", (int)ldns_pkt_get_rcode(p));
	while (left >= 4) {
		size_t len = (size_t)at[2] << 8 | at[3];

		if (len > left - 4)
			return;
		if ((at[0] << 8 | at[1]) == OPT_EDE && len >= 2)
			snprintf(why, 160, "rcode %d, EDE %d %.*s", (int)ldns_pkt_get_rcode(p), at[4] << 8 | at[5],
				 (int)len - 2, (const char *)at + 6);
		at += 4 + len;
		left -= 4 + len;
	}
}

enum soak_judged soak_ask_judge(const struct soak_ask *a, const uint8_t *msg, size_t len, bool udp, char policy,
				char why[160])
{
	const char *fault = frame_judge(a, msg, len, udp);
	enum soak_judged ret = JUDGED_GOOD;
	ldns_pkt *p = NULL;

	if (fault == NULL && ldns_wire2pkt(&p, msg, len) != LDNS_STATUS_OK)
		fault = "no DNS message";
	if (fault == NULL && ldns_pkt_tc(p))
		ret = JUDGED_TRUNCATED;
	if (fault == NULL &&
	    (ldns_pkt_get_rcode(p) == LDNS_RCODE_SERVFAIL || ldns_pkt_get_rcode(p) == LDNS_RCODE_REFUSED)) {
		ret = JUDGED_FAILED;
		failure_text(p, why);
	}
	if (fault == NULL && ret == JUDGED_GOOD && policy != '?')
		fault = packet_judge(a, p, policy);
	else if (fault == NULL && ret == JUDGED_GOOD && packet_judge(a, p, 'a') != NULL)
		fault = packet_judge(a, p, 'b');
	if (ret == JUDGED_TRUNCATED && !udp)
		fault = "truncated over a stream";
	if (fault != NULL) {
		snprintf(why, 160, "%s (rcode %d, %d answers, %zu bytes)", fault, len > 3 ? msg[3] & 15 : -1,
			 len > 7 ? msg[6] << 8 | msg[7] : -1, len);
		ret = JUDGED_WRONG;
	}
	ldns_pkt_free(p);
	return ret;
}
