/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `sluice list-compile`: block lists to one compiled file, and what of each list was understood. */
#include "cli/cli.h"

#include "cli/list_report.h"
#include "filter/listbuild.h"

#include <cjson/cJSON.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>

#define VERBOSE_LINES_MAX 20u /* of each file and outcome: enough to see what is wrong with it */

static const char help[] = "usage: sluice list-compile FILE… -o OUT [--trust] [--report] [--json] [--verbose]\n\n"
			   "Compiles block lists to OUT and says of each how many lines were applied, skipped and "
			   "refused. Formats are told\n"
			   "apart line by line: hosts, domains, wildcards, AdGuard's, Pi-hole's expressions, dnsmasq, "
			   "unbound; RPZ by the file.\n"
			   "--trust: the lists may redirect (hosts lines with an address, $dnsrewrite, RPZ's data); "
			   "else such lines are skipped.\n"
			   "--report adds a table of what became of the lines, with the first line of each class. "
			   "--verbose names the first 20\n"
			   "of each list that were skipped and refused, and why.\n";

struct options {
	const char *out;
	bool json, verbose, report, trust;
};

/* Of one file. */
struct watch {
	const char *file;
	bool verbose;
	uint32_t shown[LIST_OUTCOME_MAX];
	struct list_report *report; /* NULL: none is wanted */
};

static void watch_line(void *arg, uint32_t list, uint32_t line, const struct list_line *l)
{
	struct watch *w = arg;

	if (w->report != NULL)
		list_report_line(w->report, line, l);
	if (!w->verbose || l->outcome == LIST_APPLIED || strcmp(l->why, LIST_WHY_BLANK) == 0 ||
	    strcmp(l->why, LIST_WHY_COMMENT) == 0)
		return;
	if (w->shown[l->outcome]++ < VERBOSE_LINES_MAX)
		fprintf(stderr, "%s:%u: %s: %s\n", w->file, line, l->outcome == LIST_SKIPPED ? "skipped" : "refused",
			l->why);
}

static void print_counts(const struct options *o, const struct watch *w, const char *name, const struct list_counts *c)
{
	if (o->json) {
		cJSON *j = cJSON_CreateObject();
		char *text;

		cJSON_AddStringToObject(j, "file", w->file);
		cJSON_AddStringToObject(j, "list", name);
		cJSON_AddNumberToObject(j, "lines", (double)c->lines);
		cJSON_AddNumberToObject(j, "applied", (double)c->applied);
		cJSON_AddNumberToObject(j, "skipped", (double)c->skipped);
		cJSON_AddNumberToObject(j, "refused", (double)c->refused);
		if (w->report != NULL)
			cJSON_AddItemToObject(j, "report", list_report_json(w->report));
		text = cJSON_PrintUnformatted(j);
		if (text != NULL)
			puts(text);
		cJSON_free(text);
		cJSON_Delete(j);
		return;
	}
	printf("%s: %llu lines, %llu rules applied, %llu lines skipped, %llu refused\n", w->file,
	       (unsigned long long)c->lines, (unsigned long long)c->applied, (unsigned long long)c->skipped,
	       (unsigned long long)c->refused);
	if (w->report != NULL)
		list_report_print(w->report, stdout);
}

static int add_file(struct list_builder *b, const struct options *o, uint32_t list, struct watch *w, struct err *e)
{
	CLEANUP(fd_closep) int fd = open(w->file, O_RDONLY | O_CLOEXEC);
	const char *slash = strrchr(w->file, '/'), *name = slash != NULL ? slash + 1 : w->file;
	struct list_counts counts = { 0 };
	int r;

	if (fd == -1)
		return err_set(e, -errno, "%s: %s", w->file, strerror(errno));
	list_builder_watch(b, o->verbose || o->report ? watch_line : NULL, w);
	r = list_builder_name(b, list, name, e);
	if (r == 0 && o->trust)
		r = list_builder_trust(b, list, e);
	if (r == 0)
		r = list_builder_add(b, list, fd, &counts, e);
	list_builder_watch(b, NULL, NULL);
	if (r < 0)
		return err_wrap(e, "%s", w->file);
	if (w->report != NULL)
		list_report_examples(w->report, w->file);
	print_counts(o, w, name, &counts);
	return 0;
}

static int add_files(struct list_builder *b, const struct options *o, char **files, int n, struct err *e)
{
	int r = 0;

	for (int i = 0; r == 0 && i < n; i++) {
		struct watch w = { .file = files[i], .verbose = o->verbose };

		w.report = o->report ? list_report_new() : NULL;
		if (o->report && w.report == NULL)
			return err_set(e, -ENOMEM, "no memory");
		r = add_file(b, o, (uint32_t)i, &w, e);
		w.report = list_report_free(w.report);
	}
	return r;
}

/* Beside @out first and then renamed, so that @out is whole or as before. Readable by its owner only: it holds the key
 * of its hashes. */
static int write_out(struct list_builder *b, const char *out, struct err *e)
{
	CLEANUP(fd_closep) int fd = -1;
	char tmp[PATH_MAX];
	int r;

	if (snprintf(tmp, sizeof(tmp), "%s.XXXXXX", out) >= (int)sizeof(tmp))
		return err_set(e, -ENAMETOOLONG, "%s: name too long", out);
	fd = mkostemp(tmp, O_CLOEXEC);
	if (fd == -1)
		return err_set(e, -errno, "%s: %s", tmp, strerror(errno));
	r = list_builder_write(b, fd, e);
	if (r == 0 && rename(tmp, out) == -1)
		r = err_set(e, -errno, "%s: %s", out, strerror(errno));
	if (r < 0)
		(void)unlink(tmp);
	return r;
}

static int usage(int code)
{
	fputs(help, code == CLI_OK ? stdout : stderr);
	return code;
}

/* Negative to go on, else the exit code. */
static int options_parse(int argc, char **argv, struct options *ret)
{
	static const struct option longs[] = {
		{ "output", required_argument, NULL, 'o' },
		{ "json", no_argument, NULL, 'j' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "report", no_argument, NULL, 'r' },
		{ "trust", no_argument, NULL, 't' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int opt;

	optind = 1;
	while ((opt = getopt_long(argc, argv, "o:jvrth", longs, NULL)) != -1) {
		switch (opt) {
		case 'o':
			ret->out = optarg;
			break;
		case 'j':
			ret->json = true;
			break;
		case 'v':
			ret->verbose = true;
			break;
		case 'r':
			ret->report = true;
			break;
		case 't':
			ret->trust = true;
			break;
		case 'h':
			return usage(CLI_OK);
		default:
			return usage(CLI_USAGE);
		}
	}
	return ret->out == NULL || optind >= argc ? usage(CLI_USAGE) : -1;
}

int cmd_list_compile(int argc, char **argv)
{
	CLEANUP(list_builder_freep) struct list_builder *b = NULL;
	struct options o = { 0 };
	struct err e = { 0 };
	int r = options_parse(argc, argv, &o);

	if (r >= 0)
		return r;
	b = list_builder_new();
	r = b != NULL ? 0 : err_set(&e, -ENOMEM, "no memory, or no random bytes");
	if (r == 0)
		r = add_files(b, &o, argv + optind, argc - optind, &e);
	if (r == 0)
		r = write_out(b, o.out, &e);
	if (r < 0) {
		fprintf(stderr, "sluice list-compile: %s\n", e.msg);
		return CLI_BAD_INPUT;
	}
	return CLI_OK;
}
