/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A table of what became of a list. Called by list_compile.c for each line. Applied are counted rules, by action and by
 * where they hold; else lines, by the reason. The first line of a class is shown as it stands in the file, since a
 * reason without the line is no help. */
#include "cli/list_report.h"

#define CLASSES_MAX 64u /* more than there are reasons; the rest of a hostile list is counted together */
#define WHAT_MAX    160u
#define EXAMPLE_MAX 60u

struct class
{
	enum list_outcome outcome;
	uint32_t line; /* the first */
	uint64_t n;
	char what[WHAT_MAX];
	char example[EXAMPLE_MAX + 1];
};

struct list_report {
	uint32_t n;
	uint64_t n_more; /* lines that found no place */
	struct class classes[CLASSES_MAX];
};

static const char *const outcomes[] = {
	[LIST_APPLIED] = "applied", [LIST_SKIPPED] = "skipped", [LIST_REFUSED] = "refused"
};
static_assert(ARRAY_LEN(outcomes) == LIST_OUTCOME_MAX, "names");

struct list_report *list_report_new(void)
{
	return calloc(1, sizeof(struct list_report));
}

struct list_report *list_report_free(struct list_report *r)
{
	free(r);
	return NULL;
}

static void count(struct list_report *r, enum list_outcome outcome, const char *what, uint32_t line)
{
	struct class *c = r->classes;

	while (c < r->classes + r->n && (c->outcome != outcome || strcmp(c->what, what) != 0))
		c++;
	if (c == r->classes + CLASSES_MAX) {
		r->n_more++;
		return;
	}
	if (c == r->classes + r->n) {
		r->n++;
		c->outcome = outcome;
		c->line = line;
		snprintf(c->what, sizeof(c->what), "%s", what);
	}
	c->n++;
}

static const char *action_text(const struct list_rule *r)
{
	switch (r->action) {
	case LIST_BLOCK:
		return r->important ? "important block" : "block";
	case LIST_ALLOW:
		return r->important ? "important exception" : "exception";
	case LIST_REWRITE:
		return "rewrite";
	case LIST_KEEP:
		return "exception from rewrites";
	case LIST_ACTION_MAX:
		break;
	}
	return "";
}

static const char *kind_text(enum list_kind kind)
{
	switch (kind) {
	case LIST_CLIENT_ADDRESS:
		return "client's address";
	case LIST_NAME:
		return "name";
	case LIST_BELOW:
		return "below a name";
	case LIST_SUBTREE:
		return "name and below";
	case LIST_ADDRESS:
		return "address";
	case LIST_PATTERN:
		return "pattern";
	case LIST_REGEX:
		return "regular expression";
	case LIST_KIND_MAX:
		break;
	}
	return "";
}

void list_report_line(struct list_report *r, uint32_t line, const struct list_line *l)
{
	char what[WHAT_MAX];

	if (l->outcome != LIST_APPLIED) {
		snprintf(what, sizeof(what), "%s", l->why);
		count(r, l->outcome, what, line);
		return;
	}
	for (uint32_t i = 0; i < l->n_rules; i++) {
		snprintf(what, sizeof(what), "%s%s: %s", l->rules[i].badfilter ? "badfilter of " : "",
			 action_text(&l->rules[i]), kind_text(l->rules[i].kind));
		count(r, LIST_APPLIED, what, line);
	}
}

/* Printable ASCII; all else as '?'. Cut to its place. */
static void example_set(struct class *c, const char *line, size_t len)
{
	size_t n = 0;

	for (; n < len && n < EXAMPLE_MAX; n++) {
		if (line[n] >= ' ' && line[n] <= '~')
			c->example[n] = line[n];
		else
			c->example[n] = '?';
	}
	c->example[n] = '\0';
}

void list_report_examples(struct list_report *r, const char *file)
{
	FILE *f = fopen(file, "re");
	CLEANUP(freep) char *line = NULL;
	size_t cap = 0;
	ssize_t len;
	uint32_t at = 0, next = 0;

	/* The classes are in the order of their first lines. Of a line that names two, both. */
	while (f != NULL && next < r->n && (len = getline(&line, &cap, f)) != -1) {
		at++;
		while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
			len--;
		for (; next < r->n && r->classes[next].line == at; next++)
			if (r->classes[next].outcome != LIST_APPLIED)
				example_set(&r->classes[next], line, (size_t)len);
	}
	if (f != NULL)
		(void)fclose(f);
}

void list_report_print(const struct list_report *r, FILE *f)
{
	for (uint32_t i = 0; i < r->n; i++) {
		const struct class *c = &r->classes[i];

		(void)fprintf(f, "%10llu %s: %s (line %u", (unsigned long long)c->n, outcomes[c->outcome], c->what,
			      c->line);
		(void)fprintf(f, "%s%s)\n", c->example[0] != '\0' ? ": " : "", c->example);
	}
	if (r->n_more != 0)
		(void)fprintf(f, "%10llu lines of other classes\n", (unsigned long long)r->n_more);
}

cJSON *list_report_json(const struct list_report *r)
{
	cJSON *all = cJSON_CreateArray();

	for (uint32_t i = 0; i < r->n; i++) {
		const struct class *c = &r->classes[i];
		cJSON *j = cJSON_CreateObject();

		cJSON_AddStringToObject(j, "outcome", outcomes[c->outcome]);
		cJSON_AddStringToObject(j, "what", c->what);
		cJSON_AddNumberToObject(j, "n", (double)c->n);
		cJSON_AddNumberToObject(j, "line", c->line);
		cJSON_AddStringToObject(j, "example", c->example);
		cJSON_AddItemToArray(all, j);
	}
	return all;
}
