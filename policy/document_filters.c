/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Per-device settings of the policy: DNS filters (first match on src wins) and what is logged of whom. */
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

static void block_read(struct doc_reader *r, const struct hj_node *list, const struct doc_policy *p,
		       struct doc_filter *f)
{
	uint32_t room = list != NULL ? list->n_children : 0;
	uint32_t *lists = doc_array(r, room, sizeof(*lists));
	const char **rules = doc_array(r, room, sizeof(*rules));
	uint32_t n_rules = 0;

	f->block_rules = rules;
	f->lists = lists;
	if (list == NULL || lists == NULL || rules == NULL)
		return;
	for (const struct hj_node *m = list->child; m != NULL; m = m->next) {
		const char *text = doc_text(r, m, "an entry of block");
		uint32_t index = text != NULL ? list_index(p, text) : 0;

		if (text == NULL)
			continue;
		if (index < p->n_lists)
			lists[f->n_lists++] = index;
		else if (looks_like_rule(text))
			rules[n_rules++] = text;
		else
			(void)doc_error(r, "P0611", m->span, "%s is no list of dns.lists, nor a rule (as ||name^)%s",
					text, list_hint(r, p, text));
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
		block_read(r, doc_list(r, m, "block"), p, f);
		allow_read(r, doc_list(r, m, "allow"), p, f);
		f->upstreams = doc_upstreams(r, doc_list(r, m, "upstreams"), &f->n_upstreams);
		f->splits = splits_read(r, doc_map(r, m, "split"), &f->n_splits);
		f->when = when_read(r, m);
		f->resolve_first = doc_bool(r, m, "resolveFirst", false);
		blocking_read(r, m, f);
		if (doc_bool(r, m, "safeSearch", false) && doc_once(r, ONCE_SAFE_SEARCH))
			(void)doc_warn(r, "P1005", hj_get(m, "safeSearch")->key_span,
				       "safeSearch: parsed, not enforced here (said once)");
		n++;
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
