/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where lists come from: dns.lists of names, dns.iplists of addresses. */
#include "policy/catalogue.h"
#include "policy/duration.h"
#include "policy/sections.h"

#include <strings.h>

#define SHA256_DIGITS 64u

static bool list_name_check(struct doc_reader *r, const struct hj_node *m)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";

	if (strcmp(m->key, CATALOGUE_SAFE_SEARCH) == 0) {
		(void)doc_error(r, "P0607", m->key_span, "\"%s\" is the name of a list of Sluice's own", m->key);
		return false;
	}
	if (m->key[0] != '\0' && m->key[strspn(m->key, allowed)] == '\0')
		return true;
	(void)doc_error(r, "P0607", m->key_span, "\"%s\" is no name of a list: letters, digits, - _ and . only",
			m->key);
	return false;
}

/* {"url": …} or {"file": …}; both: the file holds what the URL gave. */
static void place_read(struct doc_reader *r, const struct hj_node *m, struct plan_list *ret)
{
	const struct hj_node *url = hj_get(m, "url");

	ret->name = m->key;
	ret->url = doc_string(r, m, "url", NULL);
	ret->file = doc_string(r, m, "file", NULL);
	if (ret->url == NULL && ret->file == NULL)
		(void)doc_error(r, "P0608", m->span, "list \"%s\" has neither \"url\" nor \"file\"", m->key);
	else if (ret->url != NULL && strncasecmp(ret->url, "https://", 8) != 0 &&
		 strncasecmp(ret->url, "http://", 7) != 0)
		(void)doc_error(r, "P0609", url->span, "%s: only https:// and http:// are known", ret->url);
}

/* In lower case; NULL when there is none, or it is wrong (reported). */
static const char *sha256_read(struct doc_reader *r, const struct hj_node *m)
{
	const struct hj_node *node = hj_get(m, "sha256");
	const char *text = doc_string(r, m, "sha256", NULL);
	char *lower;

	if (text == NULL)
		return NULL;
	if (strlen(text) != SHA256_DIGITS || text[strspn(text, "0123456789abcdefABCDEF")] != '\0') {
		(void)doc_error(r, "P0623", node->span,
				"sha256 \"%s\" is none: %u hexadecimal digits, as sha256sum says", text, SHA256_DIGITS);
		return NULL;
	}
	lower = doc_array(r, SHA256_DIGITS, 1);
	for (uint32_t i = 0; lower != NULL && i < SHA256_DIGITS; i++)
		lower[i] = (char)(text[i] >= 'A' && text[i] <= 'F' ? text[i] - 'A' + 'a' : text[i]);
	return lower;
}

/* "24h", "never". */
static uint32_t refresh_read(struct doc_reader *r, const struct hj_node *m)
{
	const struct hj_node *node = hj_get(m, "refresh");
	const char *text = doc_string(r, m, "refresh", NULL);
	double seconds;

	if (text == NULL)
		return LIST_REFRESH_S;
	if (hj_get(m, "url") == NULL)
		(void)doc_warn(r, "P0624", node->span,
			       "refresh: this list has no url that could be asked; files are "
			       "watched in any case");
	if (strcmp(text, "never") == 0)
		return 0;
	if (duration_parse(text, &seconds) < 0)
		(void)doc_error(r, "P0624", node->span, "refresh \"%s\" is no duration: as 24h, 90m, or never", text);
	else if (seconds < LIST_REFRESH_MIN_S || seconds > LIST_REFRESH_MAX_S)
		(void)doc_error(r, "P0624", node->span, "refresh %s is out of its range: from 1h to 8760h, or never",
				text);
	else
		return (uint32_t)seconds;
	return LIST_REFRESH_S;
}

static bool list_read(struct doc_reader *r, const struct hj_node *m, struct plan_list *ret)
{
	static const char *const members[] = { "url", "file", "trusted", "sha256", "refresh", NULL };

	if (!list_name_check(r, m) || !doc_members(r, m, "a list", members))
		return false;
	place_read(r, m, ret);
	/* Whoever puts a file here could as well write its lines into the policy. */
	ret->trusted = doc_bool(r, m, "trusted", ret->url == NULL);
	ret->sha256 = sha256_read(r, m);
	ret->refresh_s = refresh_read(r, m);
	return true;
}

void lists_read(struct doc_reader *r, const struct hj_node *map, struct doc_policy *p)
{
	struct plan_list *lists = doc_array(r, map != NULL ? map->n_children : 0, sizeof(*lists));
	uint32_t n = 0;

	for (const struct hj_node *m = lists != NULL && map != NULL ? map->child : NULL; m != NULL; m = m->next)
		if (list_read(r, m, &lists[n]))
			n++;
	p->lists = lists;
	p->n_lists = n;
}

static bool iplist_read(struct doc_reader *r, const struct hj_node *m, struct plan_list *ret)
{
	static const char *const members[] = { "url", "file", NULL };

	if (!list_name_check(r, m) || !doc_members(r, m, "a list", members))
		return false;
	place_read(r, m, ret);
	ret->refresh_s = LIST_REFRESH_S;
	return true;
}

void iplists_read(struct doc_reader *r, const struct hj_node *root, struct doc_policy *p)
{
	const struct hj_node *dns = hj_get(root, "dns"), *map;
	struct plan_list *lists;
	uint32_t n = 0;

	/* That dns is an object is dns_section_read()'s to say. */
	if (dns == NULL || dns->kind != HJ_OBJECT)
		return;
	map = doc_map(r, dns, "iplists");
	lists = doc_array(r, map != NULL ? map->n_children : 0, sizeof(*lists));
	for (const struct hj_node *m = lists != NULL && map != NULL ? map->child : NULL; m != NULL; m = m->next)
		if (iplist_read(r, m, &lists[n]))
			n++;
	p->iplists = lists;
	p->n_iplists = n;
}
