/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `sluice list-compile`: block lists to one compiled file, and what of each list was understood. */
#include "cli/cli.h"

#include "filter/listbuild.h"

#include <cjson/cJSON.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>

#define VERBOSE_LINES_MAX 20u /* of each file and outcome: enough to see what is wrong with it */

static const char help[] =
	"usage: sluice list-compile FILE… -o OUT [--json] [--verbose]\n\n"
	"Compiles block lists (hosts, domains, wildcards, ||name^, dnsmasq, unbound) to OUT and says of each how many\n"
	"lines were applied, skipped and refused. --verbose names the first 20 of each that were not applied, and "
	"why.\n";

struct options {
	const char *out;
	bool json, verbose;
};

/* Of one file. */
struct watch {
	const char *file;
	uint32_t shown[LIST_OUTCOME_MAX];
};

static void show_line(void *arg, uint32_t list, uint32_t line, const struct list_line *l)
{
	struct watch *w = arg;

	if (l->outcome == LIST_APPLIED || strcmp(l->why, LIST_WHY_BLANK) == 0 || strcmp(l->why, LIST_WHY_COMMENT) == 0)
		return;
	if (w->shown[l->outcome]++ < VERBOSE_LINES_MAX)
		fprintf(stderr, "%s:%u: %s: %s\n", w->file, line, l->outcome == LIST_SKIPPED ? "skipped" : "refused",
			l->why);
}

static void print_counts(const struct options *o, const char *file, const char *name, const struct list_counts *c)
{
	if (o->json) {
		cJSON *j = cJSON_CreateObject();
		char *text;

		cJSON_AddStringToObject(j, "file", file);
		cJSON_AddStringToObject(j, "list", name);
		cJSON_AddNumberToObject(j, "lines", (double)c->lines);
		cJSON_AddNumberToObject(j, "applied", (double)c->applied);
		cJSON_AddNumberToObject(j, "skipped", (double)c->skipped);
		cJSON_AddNumberToObject(j, "refused", (double)c->refused);
		text = cJSON_PrintUnformatted(j);
		if (text != NULL)
			puts(text);
		cJSON_free(text);
		cJSON_Delete(j);
		return;
	}
	printf("%s: %llu lines, %llu rules applied, %llu lines skipped, %llu refused\n", file,
	       (unsigned long long)c->lines, (unsigned long long)c->applied, (unsigned long long)c->skipped,
	       (unsigned long long)c->refused);
}

static int add_file(struct list_builder *b, const struct options *o, uint32_t list, const char *file, struct err *e)
{
	CLEANUP(fd_closep) int fd = open(file, O_RDONLY | O_CLOEXEC);
	const char *slash = strrchr(file, '/'), *name = slash != NULL ? slash + 1 : file;
	struct watch w = { .file = file };
	struct list_counts counts = { 0 };
	int r;

	if (fd == -1)
		return err_set(e, -errno, "%s: %s", file, strerror(errno));
	if (o->verbose)
		list_builder_watch(b, show_line, &w);
	r = list_builder_name(b, list, name, e);
	if (r == 0)
		r = list_builder_add(b, list, fd, &counts, e);
	list_builder_watch(b, NULL, NULL);
	if (r < 0)
		return err_wrap(e, "%s", file);
	print_counts(o, file, name, &counts);
	return 0;
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
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int opt;

	optind = 1;
	while ((opt = getopt_long(argc, argv, "o:jvh", longs, NULL)) != -1) {
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
	for (int i = optind; r == 0 && i < argc; i++)
		r = add_file(b, &o, (uint32_t)(i - optind), argv[i], &e);
	if (r == 0)
		r = write_out(b, o.out, &e);
	if (r < 0) {
		fprintf(stderr, "sluice list-compile: %s\n", e.msg);
		return CLI_BAD_INPUT;
	}
	return CLI_OK;
}
