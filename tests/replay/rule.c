/* SPDX-License-Identifier: GPL-3.0-or-later */
/* "= ACTION KIND WHERE [TERM...]" to a rule. Called by world.c. */
#include "rule.h"

#include <ldns/ldns.h>

struct reader {
	const struct step *step;
	unsigned line;
	char *at; /* the rest of the line */
	struct list_terms *terms;
};

static char *next_word(struct reader *r)
{
	char *word = r->at + strspn(r->at, " ");

	r->at = word + strcspn(word, " ");
	if (*r->at != '\0')
		*r->at++ = '\0';
	return word;
}

static uint32_t choice(struct reader *r, const char *word, const char *const *words, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (words[i] != NULL && strcmp(word, words[i]) == 0)
			return i;
	line_fail(r->step, r->line, "'%s' is not known", word);
}

static void name_read(struct reader *r, const char *word, struct dname *ret)
{
	if (dname_parse(word, strlen(word), ret) != 0)
		line_fail(r->step, r->line, "'%s' is no name", word);
}

static void put_name(struct reader *r, enum list_term_type type, const char *word)
{
	struct dname name;

	name_read(r, word, &name);
	list_terms_put(r->terms, type, false, name.wire, name.len);
}

/* The rest of the line: "TTL IN TYPE DATA". */
static void put_record(struct reader *r)
{
	uint8_t data[LIST_TERMS_MAX];
	char *text = NULL;
	ldns_rr *rr = NULL;
	size_t len = 0;

	if (asprintf(&text, "x. %s", r->at) < 0)
		abort();
	if (ldns_rr_new_frm_str(&rr, text, 0, NULL, NULL) != LDNS_STATUS_OK)
		line_fail(r->step, r->line, "'%s' is no record", r->at);
	for (size_t i = 0; i < ldns_rr_rd_count(rr); i++) {
		const ldns_rdf *f = ldns_rr_rdf(rr, i);

		if (len + ldns_rdf_size(f) > sizeof(data))
			abort();
		memcpy(data + len, ldns_rdf_data(f), ldns_rdf_size(f));
		len += ldns_rdf_size(f);
	}
	list_terms_put_record(r->terms, (uint16_t)ldns_rr_get_type(rr), ldns_rr_ttl(rr), data, len);
	ldns_rr_free(rr);
	free(text);
	r->at += strlen(r->at);
}

static void term_read(struct reader *r, const char *word)
{
	static const char *const answers[LIST_ANSWER_MAX] = { NULL,	  "nodata", "nxdomain", "refused",
							      "servfail", "drop",   "tcp-only" };
	struct ip_prefix net;
	const char *value;
	uint16_t type;
	uint8_t answer;
	bool host_bits;

	if ((value = word_value(word, "answer")) != NULL) {
		answer = (uint8_t)choice(r, value, answers, LIST_ANSWER_MAX);
		list_terms_put(r->terms, TERM_ANSWER, false, &answer, 1);
	} else if ((value = word_value(word, "cname")) != NULL) {
		put_name(r, TERM_CNAME, value);
	} else if ((value = word_value(word, "cname-below")) != NULL) {
		put_name(r, TERM_CNAME_BELOW, value);
	} else if ((value = word_value(word, "device")) != NULL) {
		list_terms_put(r->terms, TERM_CLIENT_NAME, false, value, strlen(value));
	} else if ((value = word_value(word, "client")) != NULL && ip_prefix_parse(value, &net, &host_bits) == 0) {
		list_terms_put(r->terms, TERM_CLIENT_NET, false, &net, sizeof(net));
	} else if ((value = word_value(word, "type")) != NULL) {
		type = (uint16_t)ldns_get_rr_type_by_name(value);
		list_terms_put(r->terms, TERM_TYPE, false, &type, sizeof(type));
	} else if (strcmp(word, "record") == 0) {
		put_record(r);
	} else {
		line_fail(r->step, r->line, "'%s' is not known", word);
	}
}

void rule_read(const struct step *s, const struct script_line *line, struct list_terms *terms, struct list_rule *ret)
{
	static const char *const actions[LIST_ACTION_MAX] = { "block", "allow", "rewrite", "keep" };
	static const char *const kinds[] = { NULL, "name", "below", "subtree", "address" };
	CLEANUP(freep) char *text = strdup(line->text + 2);
	struct reader r = { .step = s, .line = line->line, .at = text, .terms = terms };
	const char *word;
	bool host_bits;

	if (text == NULL)
		abort();
	*ret = (struct list_rule){ 0 };
	terms->len = 0;
	terms->full = false;
	ret->action = (enum list_action)choice(&r, next_word(&r), actions, ARRAY_LEN(actions));
	ret->kind = (enum list_kind)choice(&r, next_word(&r), kinds, ARRAY_LEN(kinds));
	word = next_word(&r);
	if (ret->kind != LIST_ADDRESS)
		name_read(&r, word, &ret->name);
	else if (ip_prefix_parse(word, &ret->prefix, &host_bits) != 0)
		line_fail(s, line->line, "'%s' is no prefix", word);
	while (*r.at != '\0')
		term_read(&r, next_word(&r));
	if (terms->len != 0)
		list_terms_put(terms, TERM_TEXT, false, line->text + 2, strlen(line->text + 2));
	if (terms->full)
		line_fail(s, line->line, "too long");
	ret->terms = terms->bytes;
	ret->terms_len = terms->len;
}
