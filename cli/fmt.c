/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `sluice fmt`: files in the one layout. A file that is no HuJSON is left alone; a new text takes the old one's place
 * in one step, so that a crash leaves one of the two. */
#include "cli/cli.h"
#include "cli/load.h"
#include "cli/replace.h"
#include "policy/format.h"

#include <getopt.h>
#include <unistd.h>

#define FMT_MEMORY_MAX_BYTES (3ull << 30) /* as for reading a policy */

static const char fmt_help[] =
	"usage: sluice fmt [--check] FILE…\n\n"
	"Lays out HuJSON files in place: tabs, one member a line unless its value is short, trailing commas. Comments\n"
	"and single empty lines stay. --check changes nothing and names the files whose layout differs. A file \"-\" "
	"is\n"
	"standard input, laid out to standard output.\n"
	"Exit status: 0 done, 1 a file is wrong (with --check: or differs), 2 usage.\n";

/* 0 done or nothing to do, 1 with @check: differs, negative: wrong (said). */
static int text_lay_out(const struct source *src, struct arena *mem, struct diag_list *diags, bool check, bool in_place)
{
	CLEANUP(freep) char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	int r;

	if (out == NULL)
		return -ENOMEM;
	r = format_hujson(mem, src, diags, out);
	if (fclose(out) != 0 && r == 0)
		r = -ENOMEM;
	if (r < 0)
		return r;
	if (!check && !in_place)
		return write_all(STDOUT_FILENO, text, len);
	if (len == src->len && memcmp(text, src->text, len) == 0)
		return 0;
	if (!check)
		return file_rewrite(src->name, text, len);
	printf("%s\n", src->name);
	return 1;
}

static int file_lay_out(const char *file, bool check)
{
	CLEANUP(arena_freep) struct arena *mem = arena_new(FMT_MEMORY_MAX_BYTES);
	CLEANUP(freep) struct diag_list *diags = calloc(1, sizeof(*diags));
	bool in_place = strcmp(file, "-") != 0;
	struct source *src;
	int r;

	if (mem == NULL || diags == NULL)
		return -ENOMEM;
	diag_init(diags, mem);
	src = cli_source_load(mem, in_place ? file : "/dev/stdin", diags);
	r = src != NULL ? text_lay_out(src, mem, diags, check, in_place) : -EINVAL;
	diag_print(diags, stderr);
	if (r < 0 && diags->n_errors == 0)
		fprintf(stderr, "sluice: fmt: %s: %s\n", file, strerror(-r));
	return r;
}

int cmd_fmt(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "check", no_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	bool check = false, wrong = false;
	int opt;

	optind = 1;
	while ((opt = getopt_long(argc, argv, "ch", longs, NULL)) != -1) {
		if (opt == 'c') {
			check = true;
		} else {
			fputs(fmt_help, opt == 'h' ? stdout : stderr);
			return opt == 'h' ? CLI_OK : CLI_USAGE;
		}
	}
	if (optind == argc) {
		fputs(fmt_help, stderr);
		return CLI_USAGE;
	}
	for (; optind < argc; optind++)
		wrong = file_lay_out(argv[optind], check) != 0 || wrong;
	return wrong ? CLI_BAD_INPUT : CLI_OK;
}
