/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The lists are compiled anew, by the gateway's own compiler, from the files that it takes: what is asked of the
 * gateway is only what its lists have decided. So the report can be had of a policy that is in force nowhere. */
#include "cli/lists_report.h"

#include "cli/cli.h"
#include "cli/control.h"
#include "cli/judge.h"
#include "gatewayd/lists.h"

#include <getopt.h>
#include <limits.h>

static const char help[] =
	"usage: sluice lists report [--json] [--config FILE]\n"
	"       sluice lists report --policy P [--list NAME=FILE …] [--lists-dir DIR] [--json]\n\n"
	"For each list: rules; how many of them no other list has; how many answers it has decided since the resolver\n"
	"started; and the lists that have most of it. Then what is of no use: lists that are held whole by others, "
	"and\n"
	"lists that have decided nothing. Rules are the same where they say the same of the same name: \"||x^\" and "
	"\"x\" of\n"
	"a hosts file, which is x alone, are two.\n"
	"With --policy, of those files; nothing is asked of a gateway.\n";

/* Share of a list that another has: from here on it is named. */
#define OVERLAP_SHOWN_PERCENT 10

struct options {
	struct judge_options judge;
	const char *config;
	bool json;
};

struct report {
	const struct views *views;
	uint64_t rules[LISTS_MAX], unique[LISTS_MAX];
	uint64_t shared[LISTS_MAX][LISTS_MAX]; /* rules that both have */
	bool needless[LISTS_MAX];	       /* may go: the lists that stay have all of it */
	const cJSON *hits;		       /* answers by list; NULL: not known */
	double age_s;
};

static void set_count(void *arg, uint64_t lists, uint64_t rules)
{
	struct report *r = arg;

	for (uint64_t a = lists; a != 0; a &= a - 1) {
		uint32_t i = (uint32_t)__builtin_ctzll(a);

		r->rules[i] += rules;
		if ((lists & (lists - 1)) == 0)
			r->unique[i] += rules;
		for (uint64_t b = lists; b != 0; b &= b - 1)
			r->shared[i][__builtin_ctzll(b)] += rules;
	}
}

struct without {
	uint64_t kept;
	uint32_t list;
	uint64_t alone; /* rules of .list that none of .kept has */
};

static void set_alone(void *arg, uint64_t lists, uint64_t rules)
{
	struct without *w = arg;

	if ((lists >> w->list & 1) != 0 && (lists & w->kept) == 0)
		w->alone += rules;
}

/* The smallest are tried first, so that of two that are the same the one that is named stays out of the other's way:
 * all that are marked may go together. */
static void find_needless(struct report *r)
{
	uint64_t kept = 0, tried = 0;

	for (uint32_t i = 0; i < r->views->n_lists; i++)
		kept |= 1ull << i;
	for (uint32_t k = 0; k < r->views->n_lists && r->views->listfile != NULL; k++) {
		struct without w = { .list = UINT32_MAX };

		for (uint32_t i = 0; i < r->views->n_lists; i++)
			if ((tried >> i & 1) == 0 && (w.list == UINT32_MAX || r->rules[i] < r->rules[w.list]))
				w.list = i;
		tried |= 1ull << w.list;
		w.kept = kept & ~(1ull << w.list);
		if (r->rules[w.list] == 0 || r->unique[w.list] != 0)
			continue;
		listfile_each_set(r->views->listfile, set_alone, &w);
		r->needless[w.list] = w.alone == 0;
		if (w.alone == 0)
			kept = w.kept;
	}
}

static double percent(uint64_t part, uint64_t whole)
{
	return whole != 0 ? 100.0 * (double)part / (double)whole : 0;
}

/* Negative: not known. */
static double hits_of(const struct report *r, uint32_t list)
{
	const cJSON *n = cJSON_GetObjectItemCaseSensitive(r->hits, r->views->lists[list]);

	return cJSON_IsNumber(n) ? n->valuedouble : -1;
}

static void overlaps_print(const struct report *r, uint32_t list)
{
	const char *between = "  ";

	for (uint32_t k = 0; k < r->views->n_lists; k++) {
		double share = percent(r->shared[list][k], r->rules[list]);

		if (k == list || share < OVERLAP_SHOWN_PERCENT)
			continue;
		(void)printf("%s%.0f %% in %s", between, share, r->views->lists[k]);
		between = ", ";
	}
	(void)putchar('\n');
}

static void report_print(const struct report *r)
{
	(void)printf("%-24s %10s %10s %8s %10s  %s\n", "list", "rules", "its own", "", "decided", "others have of it");
	for (uint32_t i = 0; i < r->views->n_lists; i++) {
		(void)printf("%-24s %10llu %10llu %6.1f %%", r->views->lists[i], (unsigned long long)r->rules[i],
			     (unsigned long long)r->unique[i], percent(r->unique[i], r->rules[i]));
		if (hits_of(r, i) >= 0)
			(void)printf(" %10.0f", hits_of(r, i));
		else
			(void)printf(" %10s", "-");
		overlaps_print(r, i);
	}
	for (uint32_t i = 0; i < r->views->n_lists; i++) {
		if (r->rules[i] == 0)
			(void)printf("%s: has no rule: is its file empty, missing, or of another format?\n",
				     r->views->lists[i]);
		else if (r->needless[i])
			(void)printf("%s: may go where the others stay: they have all of its rules\n",
				     r->views->lists[i]);
		else if (hits_of(r, i) == 0)
			(void)printf("%s: has decided nothing in %.1f hours\n", r->views->lists[i], r->age_s / 3600);
	}
}

static void report_json(const struct report *r)
{
	for (uint32_t i = 0; i < r->views->n_lists; i++) {
		cJSON *j = cJSON_CreateObject(), *overlap;
		char *text;

		(void)cJSON_AddStringToObject(j, "list", r->views->lists[i]);
		(void)cJSON_AddNumberToObject(j, "rules", (double)r->rules[i]);
		(void)cJSON_AddNumberToObject(j, "unique", (double)r->unique[i]);
		if (hits_of(r, i) >= 0)
			(void)cJSON_AddNumberToObject(j, "decided", hits_of(r, i));
		else
			(void)cJSON_AddNullToObject(j, "decided");
		(void)cJSON_AddBoolToObject(j, "needless", r->needless[i]);
		overlap = cJSON_AddObjectToObject(j, "shared");
		for (uint32_t k = 0; k < r->views->n_lists; k++)
			if (k != i && r->shared[i][k] != 0)
				(void)cJSON_AddNumberToObject(overlap, r->views->lists[k], (double)r->shared[i][k]);
		text = cJSON_PrintUnformatted(j);
		if (text != NULL)
			(void)puts(text);
		cJSON_free(text);
		cJSON_Delete(j);
	}
}

static int report_of(struct options *o, const cJSON *status, struct err *e)
{
	CLEANUP(freep) struct report *r = calloc(1, sizeof(*r));
	const cJSON *age = cJSON_GetObjectItemCaseSensitive(status, "age_s");
	struct judge j = { 0 };
	int rc;

	if (r == NULL)
		return err_set(e, -ENOMEM, "out of memory");
	rc = judge_init(&j, &o->judge, e);
	if (rc == 0) {
		r->views = j.views;
		r->hits = cJSON_GetObjectItemCaseSensitive(status, "lists");
		r->age_s = cJSON_IsNumber(age) ? age->valuedouble : 0;
		if (j.views->listfile != NULL)
			listfile_each_set(j.views->listfile, set_count, r);
		find_needless(r);
		if (o->json)
			report_json(r);
		else
			report_print(r);
	} else {
		cli_policy_print(&j.docs, CLI_TEXT);
	}
	judge_done(&j);
	return rc;
}

/* The files that the gateway takes, as options of judge_init(). @texts: LISTS_MAX, returned, to be freed. */
static int files_of_gateway(const struct cli_gateway *g, struct options *o, char **texts, struct err *e)
{
	struct cli_policy docs;
	int r = cli_policy_load(g->doc->policy_file, NULL, &docs);

	o->judge.policy = g->doc->policy_file;
	o->judge.devices = g->doc->devices_file;
	o->judge.world.gateway = g->file;
	for (uint32_t i = 0; r == 0 && i < docs.policy->n_lists && i < LISTS_MAX; i++) {
		const struct plan_list *list = &docs.policy->lists[i];
		char path[PATH_MAX];

		r = list_path(list, g->doc->policy_file, g->doc->state_dir, path);
		if (r != 0 || access(path, R_OK) == -1)
			continue;
		if (asprintf(&texts[i], "%s=%s", list->name, path) == -1) {
			texts[i] = NULL;
			r = -ENOMEM;
		} else {
			o->judge.lists[o->judge.n_lists++] = texts[i];
		}
	}
	cli_policy_print(&docs, CLI_TEXT);
	cli_policy_done(&docs);
	return r == 0 ? 0 : err_set(e, r, "%s: %s", g->doc->policy_file, r == -ENOMEM ? "out of memory" : "has errors");
}

static int report_of_gateway(struct options *o, struct err *e)
{
	char *texts[LISTS_MAX] = { NULL };
	cJSON *status = NULL;
	struct cli_gateway g;
	struct err why = { 0 };
	int r;

	if (cli_gateway_load(o->config, &g) < 0)
		return err_set(e, -EINVAL, "without the gateway's settings: --policy P");
	if (control_request(&g, "{\"cmd\":\"dns\",\"do\":\"status\"}", &status, &why) < 0)
		(void)fprintf(stderr, "sluice lists report: %s; what its lists decide is not known\n", why.msg);
	o->judge.lenient = true;
	r = files_of_gateway(&g, o, texts, e);
	if (r == 0)
		r = report_of(o, status, e);
	for (uint32_t i = 0; i < LISTS_MAX; i++)
		free(texts[i]);
	cJSON_Delete(status);
	cli_gateway_done(&g);
	return r;
}

/* Negative to go on, else the exit code. */
static int options_parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "policy", required_argument, NULL, 'p' },
		{ "list", required_argument, NULL, 'l' },
		{ "lists-dir", required_argument, NULL, 'd' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int opt;

	optind = 1;
	while ((opt = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		bool fine = true;

		switch (opt) {
		case 'c':
			o->config = optarg;
			break;
		case 'p':
			o->judge.policy = optarg;
			break;
		case 'l':
			fine = o->judge.n_lists < LISTS_MAX && strchr(optarg, '=') != NULL;
			if (fine)
				o->judge.lists[o->judge.n_lists++] = optarg;
			break;
		case 'd':
			o->judge.lists_dir = optarg;
			break;
		case 'j':
			o->json = true;
			break;
		default:
			fine = false;
			break;
		}
		if (!fine) {
			(void)fputs(help, opt == 'h' ? stdout : stderr);
			return opt == 'h' ? CLI_OK : CLI_USAGE;
		}
	}
	if (optind == argc && (o->judge.policy != NULL || (o->judge.n_lists == 0 && o->judge.lists_dir == NULL)))
		return -1;
	(void)fputs(help, stderr);
	return CLI_USAGE;
}

int lists_report(int argc, char **argv)
{
	struct options o = { 0 };
	struct err e = { 0 };
	int r = options_parse(argc, argv, &o);

	if (r >= 0)
		return r;
	o.judge.lenient = true;
	r = o.judge.policy != NULL ? report_of(&o, NULL, &e) : report_of_gateway(&o, &e);
	if (r < 0)
		(void)fprintf(stderr, "sluice lists report: %s\n", e.msg);
	return r == 0 ? CLI_OK : CLI_BAD_INPUT;
}
