/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Builder and judge of a scenario's messages. Called by replay.c and upstream.c. */
#include "message.h"

#define OPT_EDE 15u

static const char *const section_names[3] = { "answer", "authority", "additional" };

ldns_rr_type type_read(const struct step *s, const char *text)
{
	ldns_rr_type type = ldns_get_rr_type_by_name(text);

	if (type == 0 && strcmp(text, "TYPE0") != 0)
		step_fail(s, "'%s' is no type", text);
	return type;
}

unsigned rcode_read(const struct step *s, const char *text)
{
	static const struct {
		const char *name;
		unsigned rcode;
	} names[] = { { "NOERROR", 0 }, { "FORMERR", 1 }, { "SERVFAIL", 2 }, { "NXDOMAIN", 3 },
		      { "NOTIMP", 4 },	{ "REFUSED", 5 }, { "BADVERS", 16 }, { "BADCOOKIE", 23 } };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(names[i].name, text) == 0)
			return names[i].rcode;
	step_fail(s, "'%s' is no rcode", text);
}

void block_records_read(const struct step *s, struct records *ret)
{
	int section = 0;

	ret->soa_ttl = -1;
	for (int i = 0; i < 3; i++)
		ret->sections[i] = ldns_rr_list_new();
	for (unsigned i = 0; i < s->n_block; i++) {
		const char *text = s->block[i].text;
		ldns_rr *rr = NULL;
		ldns_status status;

		if (strcmp(text, "authority") == 0) {
			section = 1;
		} else if (strcmp(text, "additional") == 0) {
			section = 2;
		} else if (strncmp(text, "soa ", 4) == 0) {
			ret->soa_ttl = (long)step_number(s, text + 4, INT32_MAX);
		} else {
			status = ldns_rr_new_frm_str(&rr, text, 0, NULL, NULL);
			if (status != LDNS_STATUS_OK)
				line_fail(s, s->block[i].line, "'%s': %s", text, ldns_get_errorstr_by_id(status));
			(void)ldns_rr_list_push_rr(ret->sections[section], rr);
		}
	}
}

void block_records_done(struct records *r)
{
	for (int i = 0; i < 3; i++)
		ldns_rr_list_deep_free(r->sections[i]);
}

static ldns_rr *question_rr(const struct step *s, const char *name, ldns_rr_type type, ldns_rr_class class_)
{
	ldns_rdf *owner = ldns_dname_new_frm_str(name);
	ldns_rr *rr = ldns_rr_new();

	if (owner == NULL || rr == NULL)
		step_fail(s, "'%s' is no name", name);
	ldns_rr_set_owner(rr, owner);
	ldns_rr_set_type(rr, type);
	ldns_rr_set_class(rr, class_);
	ldns_rr_set_question(rr, true);
	return rr;
}

static void packet_wire(const struct step *s, ldns_pkt *p, uint8_t **ret, size_t *ret_len)
{
	uint8_t *wire = NULL;

	if (ldns_pkt2wire(&wire, p, ret_len) != LDNS_STATUS_OK)
		step_fail(s, "the message cannot be written");
	*ret = wire;
	ldns_pkt_free(p);
}

void ask_write(const struct step *s, const struct ask *a, uint8_t **ret, size_t *ret_len)
{
	ldns_pkt *p = ldns_pkt_new();

	if (p == NULL)
		step_fail(s, "out of memory");
	ldns_pkt_set_id(p, a->id);
	ldns_pkt_set_rd(p, a->rd);
	ldns_pkt_set_ad(p, a->ad);
	ldns_pkt_set_cd(p, a->cd);
	ldns_pkt_set_opcode(p, (ldns_pkt_opcode)a->opcode);
	(void)ldns_pkt_push_rr(p, LDNS_SECTION_QUESTION, question_rr(s, a->name, a->type, a->class_));
	if (a->size != 0) {
		ldns_pkt_set_edns_udp_size(p, a->size);
		ldns_pkt_set_edns_version(p, a->version);
		ldns_pkt_set_edns_do(p, a->dnssec_ok);
	}
	packet_wire(s, p, ret, ret_len);
}

void reply_write(const struct step *s, const struct reply_script *a, uint8_t **ret, size_t *ret_len)
{
	static const ldns_pkt_section at[3] = { LDNS_SECTION_ANSWER, LDNS_SECTION_AUTHORITY, LDNS_SECTION_ADDITIONAL };
	ldns_pkt *p = ldns_pkt_new();

	if (p == NULL)
		step_fail(s, "out of memory");
	ldns_pkt_set_qr(p, true);
	ldns_pkt_set_rd(p, true);
	ldns_pkt_set_ra(p, true);
	ldns_pkt_set_aa(p, a->aa);
	ldns_pkt_set_rcode(p, (uint8_t)a->rcode);
	(void)ldns_pkt_push_rr(p, LDNS_SECTION_QUESTION, question_rr(s, a->name, a->type, LDNS_RR_CLASS_IN));
	for (int i = 0; i < 3; i++)
		for (size_t k = 0; k < ldns_rr_list_rr_count(a->records->sections[i]); k++)
			(void)ldns_pkt_push_rr(p, at[i], ldns_rr_clone(ldns_rr_list_rr(a->records->sections[i], k)));
	packet_wire(s, p, ret, ret_len);
}

static int text_cmp(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The records as sorted lines; one string, free(). An SOA is "soa TTL" where @soa says so. */
static char *list_text(const ldns_rr_list *list, bool soa)
{
	size_t n = list != NULL ? ldns_rr_list_rr_count(list) : 0, len = 1;
	char **lines = calloc(n + 1, sizeof(*lines)), *text;

	if (lines == NULL)
		abort();
	for (size_t i = 0; i < n; i++) {
		const ldns_rr *rr = ldns_rr_list_rr(list, i);

		if (soa && ldns_rr_get_type(rr) == LDNS_RR_TYPE_SOA) {
			if (asprintf(&lines[i], "soa %u\n", ldns_rr_ttl(rr)) < 0)
				abort();
		} else {
			lines[i] = ldns_rr2str(rr);
		}
		len += strlen(lines[i]) + 1;
	}
	qsort(lines, n, sizeof(*lines), text_cmp);
	text = calloc(1, len);
	if (text == NULL)
		abort();
	for (size_t i = 0, at = 0; i < n; i++) {
		at += (size_t)snprintf(text + at, len - at, "%s", lines[i]);
		free(lines[i]);
	}
	free(lines);
	return text;
}

static void section_check(const struct step *s, int section, const ldns_rr_list *want, long soa_ttl,
			  const ldns_rr_list *got)
{
	CLEANUP(freep) char *wanted = list_text(want, false), *came = list_text(got, soa_ttl != -1);
	CLEANUP(freep) char *all = NULL;

	if (asprintf(&all, soa_ttl != -1 ? "%ssoa %ld\n" : "%s", wanted, soa_ttl) < 0)
		abort();
	if (strcmp(all, came) != 0)
		step_fail(s, "%s section\nwanted:\n%sgot:\n%s", section_names[section], all, came);
}

/* The extended error among the options: its code, or -1. @text: cut to @size, NUL-terminated. */
static int ede_find(const ldns_pkt *p, char *text, size_t size)
{
	const ldns_rdf *options = ldns_pkt_edns_data(p);
	const uint8_t *at = options != NULL ? ldns_rdf_data(options) : NULL;
	size_t left = options != NULL ? ldns_rdf_size(options) : 0;

	text[0] = '\0';
	while (left >= 4) {
		size_t code = (size_t)(at[0] << 8 | at[1]), len = (size_t)(at[2] << 8 | at[3]);

		if (len > left - 4)
			break;
		if (code == OPT_EDE && len >= 2) {
			snprintf(text, size, "%.*s", (int)(len - 2), (const char *)at + 6);
			return at[4] << 8 | at[5];
		}
		at += 4 + len;
		left -= 4 + len;
	}
	return -1;
}

static void flags_check(const struct step *s, const struct ask *a, const struct want *w, const ldns_pkt *p)
{
	const struct {
		const char *name;
		bool want, got;
	} flags[] = {
		{ "qr", true, ldns_pkt_qr(p) },	 { "aa", w->aa, ldns_pkt_aa(p) }, { "tc", w->tc, ldns_pkt_tc(p) },
		{ "rd", a->rd, ldns_pkt_rd(p) }, { "ra", true, ldns_pkt_ra(p) },  { "ad", w->ad, ldns_pkt_ad(p) },
		{ "cd", a->cd, ldns_pkt_cd(p) },
	};

	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		if (flags[i].want != flags[i].got)
			step_fail(s, "flag %s: wanted %d, got %d", flags[i].name, flags[i].want, flags[i].got);
}

static void edns_check(const struct step *s, const struct ask *a, const struct want *w, const ldns_pkt *p)
{
	char text[512];
	int ede = ede_find(p, text, sizeof(text));

	if (ldns_pkt_edns(p) != (a->size != 0))
		step_fail(s, "OPT record: wanted %d, got %d", a->size != 0, ldns_pkt_edns(p));
	if (ldns_pkt_edns(p) && ldns_pkt_edns_do(p) != a->dnssec_ok)
		step_fail(s, "DO bit: wanted %d, got %d", a->dnssec_ok, ldns_pkt_edns_do(p));
	if (ede != w->ede)
		step_fail(s, "extended error: wanted %d, got %d \"%s\" (-1: none)", w->ede, ede, text);
	if (w->ede_text != NULL && strstr(text, w->ede_text) == NULL)
		step_fail(s, "extended error's text: wanted \"%s\" in it, got \"%s\"", w->ede_text, text);
}

/* A question that was not read to its end is not said again. */
static void question_check(const struct step *s, const struct ask *a, const struct want *w, const ldns_pkt *p)
{
	bool unread = w->rcode == LDNS_RCODE_FORMERR || w->rcode == LDNS_RCODE_NOTIMPL;
	ldns_rr *want = question_rr(s, a->name, a->type, a->class_);
	const ldns_rr *got = ldns_rr_list_rr(ldns_pkt_question(p), 0);
	char *wanted = ldns_rr2str(want), *came = got != NULL ? ldns_rr2str(got) : strdup("none");

	if (ldns_pkt_id(p) != a->id)
		step_fail(s, "id: wanted %u, got %u", a->id, ldns_pkt_id(p));
	if (strcmp(wanted, came) != 0 && !(unread && got == NULL)) /* in the client's case */
		step_fail(s, "question: wanted %s got %s", wanted, came);
	free(wanted);
	free(came);
	ldns_rr_free(want);
}

void want_check(const struct step *s, const struct ask *a, const struct want *w, const uint8_t *msg, size_t len)
{
	ldns_pkt *p = NULL;
	ldns_status status = ldns_wire2pkt(&p, msg, len);
	const ldns_rr_list *got[3];
	struct records r;
	unsigned rcode;

	if (status != LDNS_STATUS_OK)
		step_fail(s, "the answer cannot be read: %s", ldns_get_errorstr_by_id(status));
	if (len > w->size_max)
		step_fail(s, "the answer has %zu bytes, at most %zu are allowed", len, w->size_max);
	rcode = (unsigned)ldns_pkt_get_rcode(p) | (ldns_pkt_edns(p) ? ldns_pkt_edns_extended_rcode(p) << 4u : 0);
	if (rcode != w->rcode)
		step_fail(s, "rcode: wanted %u, got %u", w->rcode, rcode);
	question_check(s, a, w, p);
	if (ldns_pkt_qdcount(p) != 0)
		edns_check(s, a, w, p);
	flags_check(s, a, w, p);
	got[0] = ldns_pkt_answer(p);
	got[1] = ldns_pkt_authority(p);
	got[2] = ldns_pkt_additional(p);
	if (w->n_answer != -1 && (long)ldns_rr_list_rr_count(got[0]) != w->n_answer)
		step_fail(s, "answer section: wanted %ld records, got %zu", w->n_answer, ldns_rr_list_rr_count(got[0]));
	block_records_read(s, &r);
	for (int i = 0; i < 3 && !w->any_records; i++)
		section_check(s, i, r.sections[i], i == 1 ? r.soa_ttl : -1, got[i]);
	block_records_done(&r);
	ldns_pkt_free(p);
}
