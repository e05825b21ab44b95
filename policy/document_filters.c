/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Per-device settings of the policy: DNS filters (first match on src wins) and what is logged of whom. */
#include "policy/catalogue.h"
#include "policy/loaded.h"
#include "policy/sections.h"
#include "policy/selector.h"

static const char *const log_level_words[] = { [LOG_LEVEL_OFF] = "off",	      [LOG_LEVEL_BLOCKED] = "blocked",
					       [LOG_LEVEL_COUNTS] = "counts", [LOG_LEVEL_PSEUDONYMOUS] = "pseudonymous",
					       [LOG_LEVEL_FULL] = "full",     NULL };

static uint32_t list_index(const struct doc_policy *p, const char *name)
{
	uint32_t i = 0;

	while (i < p->n_lists && strcmp(p->lists[i].name, name) != 0)
		i++;
	return i;
}

static const char *list_hint(struct doc_reader *r, const struct doc_policy *p, const char *word)
{
	const char **names = doc_hint_names(r, p->n_lists);

	for (uint32_t i = 0; names != NULL && i < p->n_lists; i++)
		names[i] = p->lists[i].name;
	return doc_hint(r, word, names);
}

/* Written as a rule of a list, not as the name of one. */
static bool looks_like_rule(const char *text)
{
	return strpbrk(text, "|^*/@.") != NULL;
}

/* The lists of the document, and room behind them for those of the catalogue. */
struct list_room {
	struct plan_list *items;
	uint32_t n;
};

static struct list_room room_make(struct doc_reader *r, const struct doc_policy *p)
{
	struct list_room room = { .n = p->n_lists };
	uint32_t services, engines;

	(void)catalogue_services(&services);
	(void)catalogue_engines(&engines);
	room.items = doc_array(r, (size_t)p->n_lists + services + engines + 1, sizeof(*room.items));
	if (room.items != NULL && p->n_lists != 0)
		memcpy(room.items, p->lists, p->n_lists * sizeof(*room.items));
	return room;
}

/* Number of the catalogue's list of that name, which there is; it is among the document's from the first use on. */
static uint32_t builtin_index(struct list_room *room, const char *name)
{
	uint32_t i = 0;

	while (i < room->n && strcmp(room->items[i].name, name) != 0)
		i++;
	if (i == room->n)
		room->items[room->n++] = (struct plan_list){ .name = name, .trusted = true, .builtin = true };
	return i;
}

static const char *catalogue_hint(struct doc_reader *r, const struct catalogue_entry *entries, uint32_t n,
				  const char *word)
{
	const char **names = doc_hint_names(r, n);

	for (uint32_t i = 0; names != NULL && i < n; i++)
		names[i] = entries[i].name;
	return doc_hint(r, word, names);
}

/* "service:youtube". False: unknown, and reported. */
static bool service_read(struct doc_reader *r, const struct hj_node *m, const char *text, struct list_room *room,
			 uint32_t *ret)
{
	const struct catalogue_entry *services;
	uint32_t n;

	if (catalogue_text(text) != NULL) {
		*ret = builtin_index(room, text);
		return true;
	}
	services = catalogue_services(&n);
	(void)doc_error(r, "P0622", m->span, "%s is no service that Sluice knows (sluice services lists them)%s", text,
			catalogue_hint(r, services, n, text + strlen(CATALOGUE_SERVICE)));
	return false;
}

/* Numbers once each, in the order of their first mention. */
static void number_add(uint32_t *numbers, uint32_t *n, uint32_t number)
{
	for (uint32_t i = 0; i < *n; i++)
		if (numbers[i] == number)
			return;
	numbers[(*n)++] = number;
}

static void engine_read(struct doc_reader *r, const struct hj_node *m, struct list_room *room, uint32_t *numbers,
			struct doc_filter *f)
{
	const char *text = doc_text(r, m, "an entry of safeSearch");
	const struct catalogue_entry *engines;
	char *name;
	size_t len;
	uint32_t n;

	if (text == NULL)
		return;
	len = strlen(CATALOGUE_SAFE_SEARCH ":") + strlen(text) + 1;
	name = doc_array(r, len, 1);
	if (name == NULL)
		return;
	(void)snprintf(name, len, "%s:%s", CATALOGUE_SAFE_SEARCH, text);
	if (catalogue_text(name) != NULL) {
		number_add(numbers, &f->n_safe, builtin_index(room, name));
		return;
	}
	engines = catalogue_engines(&n);
	(void)doc_error(r, "P0622", m->span, "%s is no search engine that Sluice knows (sluice services lists them)%s",
			text, catalogue_hint(r, engines, n, text));
}

/* true: all engines; or a list of them. */
static void safe_search_read(struct doc_reader *r, const struct hj_node *filter, struct list_room *room,
			     struct doc_filter *f)
{
	const struct hj_node *node = hj_get(filter, "safeSearch");
	uint32_t *numbers;

	if (node == NULL || room->items == NULL)
		return;
	numbers = doc_array(r, (size_t)node->n_children + 1, sizeof(*numbers));
	if (numbers == NULL)
		return;
	f->safe = numbers;
	if (node->kind != HJ_ARRAY) {
		if (doc_bool(r, filter, "safeSearch", false))
			numbers[f->n_safe++] = builtin_index(room, CATALOGUE_SAFE_SEARCH);
		return;
	}
	for (const struct hj_node *m = node->child; m != NULL; m = m->next)
		engine_read(r, m, room, numbers, f);
}

static void block_read(struct doc_reader *r, const struct hj_node *list, const struct doc_policy *p,
		       struct list_room *room, struct doc_filter *f)
{
	uint32_t n = list != NULL ? list->n_children : 0;
	uint32_t *lists = doc_array(r, n, sizeof(*lists));
	const char **rules = doc_array(r, n, sizeof(*rules));
	uint32_t n_rules = 0;

	f->block_rules = rules;
	f->lists = lists;
	if (list == NULL || lists == NULL || rules == NULL || room->items == NULL)
		return;
	for (const struct hj_node *m = list->child; m != NULL; m = m->next) {
		const char *text = doc_text(r, m, "an entry of block");
		uint32_t index = text != NULL ? list_index(p, text) : 0;

		if (text == NULL)
			continue;
		if (strncmp(text, CATALOGUE_SERVICE, strlen(CATALOGUE_SERVICE)) == 0) {
			if (service_read(r, m, text, room, &index))
				number_add(lists, &f->n_lists, index);
		} else if (index < p->n_lists)
			lists[f->n_lists++] = index;
		else if (looks_like_rule(text))
			rules[n_rules++] = text;
		else
			(void)doc_error(r, "P0611", m->span,
					"%s is no list of dns.lists, no service, nor a rule (as ||name^)%s", text,
					list_hint(r, p, text));
	}
}

static void allow_read(struct doc_reader *r, const struct hj_node *list, const struct doc_policy *p,
		       struct doc_filter *f)
{
	f->allow_rules = doc_texts(r, list, "an entry of allow");
	for (const struct hj_node *m = list != NULL ? list->child : NULL; m != NULL; m = m->next) {
		if (m->kind != HJ_STRING || m->string[0] == '\0')
			continue;
		if (list_index(p, m->string) < p->n_lists)
			(void)doc_error(r, "P0612", m->span, "%s is a list that blocks: allow takes rules (as ||name^)",
					m->string);
		else if (!looks_like_rule(m->string))
			(void)doc_error(r, "P0611", m->span, "%s is no rule: write ||name^, or a name with its domain",
					m->string);
	}
}

static const struct hj_node *src_of(struct doc_reader *r, const struct hj_node *entry, const char *what)
{
	const struct hj_node *src = doc_list(r, entry, "src");

	if (src == NULL && hj_get(entry, "src") == NULL)
		(void)doc_error(r, "P0401", entry->span, "%s has no \"src\": write \"src\": [\"*\"] for everybody",
				what);
	return src;
}

void filters_read(struct doc_reader *r, const struct hj_node *list, struct doc_policy *p)
{
	static const char *const members[] = { "src",	     "block",	  "allow",    "resolveFirst",
					       "safeSearch", "blockMode", "blockTtl", "blockReason",
					       "when",	     "upstreams", "split",    NULL };
	struct doc_filter *filters = doc_array(r, list != NULL ? list->n_children : 0, sizeof(*filters));
	struct list_room room = room_make(r, p);
	uint32_t n = 0;

	for (const struct hj_node *m = filters != NULL && list != NULL ? list->child : NULL; m != NULL; m = m->next) {
		struct doc_filter *f = &filters[n];
		struct selector_list srcs;

		if (!doc_members(r, m, "a filter", members))
			continue;
		srcs = selectors_read(r, PLACE_FILTER_SRC, src_of(r, m, "this filter"));
		f->span = m->span;
		f->srcs = srcs.items;
		f->n_srcs = srcs.n;
		block_read(r, doc_list(r, m, "block"), p, &room, f);
		safe_search_read(r, m, &room, f);
		allow_read(r, doc_list(r, m, "allow"), p, f);
		f->upstreams = doc_upstreams(r, doc_list(r, m, "upstreams"), &f->n_upstreams);
		f->splits = splits_read(r, doc_map(r, m, "split"), &f->n_splits);
		f->when = when_read(r, m);
		f->resolve_first = doc_bool(r, m, "resolveFirst", false);
		blocking_read(r, m, f);
		n++;
	}
	if (room.items != NULL) {
		p->lists = room.items;
		p->n_lists = room.n;
	}
	p->filters = filters;
	p->n_filters = n;
	routes_make(r, p, filters);
}

void logs_read(struct doc_reader *r, const struct hj_node *root, struct doc_policy *p)
{
	static const char *const members[] = { "src", "flows", "queries", NULL };
	const struct hj_node *list = doc_list(r, root, "logs");
	struct doc_log *logs = doc_array(r, list != NULL ? list->n_children : 0, sizeof(*logs));
	uint32_t n = 0;

	for (const struct hj_node *m = logs != NULL && list != NULL ? list->child : NULL; m != NULL; m = m->next) {
		struct doc_log *l = &logs[n];
		struct selector_list srcs;

		if (!doc_members(r, m, "an entry of logs", members))
			continue;
		srcs = selectors_read(r, PLACE_LOG_SRC, src_of(r, m, "this entry of logs"));
		l->span = m->span;
		l->srcs = srcs.items;
		l->n_srcs = srcs.n;
		l->has_flows = hj_get(m, "flows") != NULL;
		l->has_queries = hj_get(m, "queries") != NULL;
		l->flows = (enum log_level)doc_word(r, m, "flows", log_level_words, LOG_LEVEL_OFF);
		l->queries = (enum log_level)doc_word(r, m, "queries", log_level_words, LOG_LEVEL_OFF);
		if (!l->has_flows && !l->has_queries)
			(void)doc_error(r, "P0613", m->span,
					"this entry of logs sets neither \"flows\" nor \"queries\"");
		n++;
	}
	p->logs = logs;
	p->n_logs = n;
}
