/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Conditions and patterns of records. Called by listmatch.c with what listfile_open() has checked. */
#include "filter/listterms.h"

#include <strings.h>

/* Of one type of condition: is there any that is not denied, has one of those held, has one that is denied. */
struct tally {
	bool wanted, held, refused;
};

static void tally(struct tally *t, bool denied, bool holds)
{
	if (denied) {
		t->refused = t->refused || holds;
		return;
	}
	t->wanted = true;
	t->held = t->held || holds;
}

static bool tally_ok(const struct tally *t)
{
	return !t->refused && (!t->wanted || t->held);
}

static bool client_is(const struct list_client *c, const struct list_term *t)
{
	struct ip_prefix net;

	if (t->type == TERM_CLIENT_NAME)
		return c->device != NULL && strlen(c->device) == t->len &&
		       strncasecmp(c->device, (const char *)t->data, t->len) == 0;
	memcpy(&net, t->data, sizeof(net));
	return ip_prefix_contains(&net, &c->addr);
}

static bool client_has(const struct list_client *c, const struct list_term *t)
{
	for (uint32_t i = 0; i < c->n_tags; i++)
		if (strlen(c->tags[i]) == t->len && memcmp(c->tags[i], t->data, t->len) == 0)
			return true;
	return false;
}

static bool name_below(const struct list_ask *ask, const struct list_term *t)
{
	const struct dname *n = ask->name;

	/* Wire forms: the one ends with the other, at a label's begin. */
	for (size_t at = 0; n->len - at >= t->len; at += n->wire[at] + 1u) {
		if (n->len - at == t->len)
			return memcmp(n->wire + at, t->data, t->len) == 0;
		if (n->wire[at] == 0)
			break;
	}
	return false;
}

bool list_terms_hold(const uint8_t *terms, size_t len, const struct list_ask *ask, bool *ret_personal)
{
	struct tally client = { 0 }, tag = { 0 }, type = { 0 };
	struct list_term t;
	size_t at = 0;
	uint16_t number;
	bool of_clients = false, of_types = false, excepted = false;

	while (list_terms_next(terms, len, &at, &t)) {
		switch (t.type) {
		case TERM_CLIENT_NET:
		case TERM_CLIENT_NAME:
			of_clients = true;
			tally(&client, t.denied, ask->client != NULL && client_is(ask->client, &t));
			break;
		case TERM_CLIENT_TAG:
			of_clients = true;
			tally(&tag, t.denied, ask->client != NULL && client_has(ask->client, &t));
			break;
		case TERM_TYPE:
			of_types = true;
			memcpy(&number, t.data, sizeof(number));
			tally(&type, t.denied, ask->type == number);
			break;
		case TERM_DENYALLOW:
			excepted = excepted || ask->addr != NULL || name_below(ask, &t);
			break;
		case TERM_PATTERN:
		case TERM_REGEX:
		case TERM_ANSWER:
		case TERM_CNAME:
		case TERM_CNAME_BELOW:
		case TERM_RECORD:
		case TERM_TEXT:
		case TERM_MAX:
			break;
		}
	}
	*ret_personal = *ret_personal || of_clients;
	/* Whoever is not known is not excepted by being nobody; the same of types. */
	if ((of_clients && ask->client == NULL) || (of_types && ask->type == 0))
		return false;
	return !excepted && tally_ok(&client) && tally_ok(&tag) && tally_ok(&type);
}

enum glob_result { GLOB_NO = 0, GLOB_YES, GLOB_NEVER /* nor further behind in the text */ };

/* @pattern from the begin of @text, or, @floating, from anywhere. @end: to the end of it. Backtracks to the last star
 * only, which is enough: what stands before it has matched as early as it can. For the same reason nothing that begins
 * further behind matches once a star was passed. Steps: at most the product of both lengths. */
static enum glob_result glob(const uint8_t *pattern, size_t n, const char *text, size_t len, bool floating, bool end)
{
	size_t p = 0, t = 0, star = 0, star_t = 0;
	bool starred = floating;

	for (;;) {
		if (p == n && (!end || t == len))
			return GLOB_YES;
		if (p < n && pattern[p] == '*') {
			starred = true;
			star = ++p;
			star_t = t;
			continue;
		}
		if (p < n && t < len && pattern[p] == (uint8_t)text[t]) {
			p++;
			t++;
			continue;
		}
		if (!starred)
			return GLOB_NO;
		if (star_t >= len)
			return GLOB_NEVER;
		p = star;
		t = ++star_t;
	}
}

static size_t literal_bytes(const uint8_t *pattern, size_t n)
{
	size_t ret = 0;

	for (size_t i = 0; i < n; i++)
		ret += pattern[i] != '*';
	return ret;
}

bool list_pattern_match(const struct list_term *pattern, const char *text, size_t len)
{
	uint8_t anchors = pattern->data[0];
	const uint8_t *p = pattern->data + 1;
	size_t n = pattern->len - 1u;
	bool end = (anchors & LIST_ANCHOR_END) != 0;

	if (literal_bytes(p, n) > len)
		return false;
	if ((anchors & LIST_ANCHOR_LABEL) == 0)
		return glob(p, n, text, len, (anchors & LIST_ANCHOR_BEGIN) == 0, end) == GLOB_YES;
	for (size_t at = 0; at < len; at++) {
		enum glob_result r = GLOB_NO;

		if (at == 0 || text[at - 1] == '.')
			r = glob(p, n, text + at, len - at, false, end);
		if (r != GLOB_NO)
			return r == GLOB_YES;
	}
	return false;
}
