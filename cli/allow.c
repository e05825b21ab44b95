/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `sluice allow` and `sluice pause`: what is to pass for a while. The gateway keeps them; this asks it. */
#include "cli/cli.h"
#include "cli/override.h"
#include "policy/duration.h"

#include <getopt.h>

#define DAY_S 86400.0

static const char allow_help[] =
	"usage: sluice allow [--config FILE] [--json] NAME [--below] [--for 10m] [--device D]\n"
	"       sluice allow [--config FILE] [--json] --list | --end ID|NAME [--device D]\n\n"
	"Lets a name pass that a list or a filter blocks, for all devices or for one, and what its answer\n"
	"leads to with it. --below: and all names below it. What the policy denies stays denied.\n"
	"It ends by itself, also over restarts: after 10 minutes, or --for 30s, 2h, 1h30m, at most 7d.\n"
	"--list shows what is let pass, --end ends it.\n"
	"Exit status: 0 it is in force (or has ended), 1 it is not, 2 usage.\n";

static const char pause_help[] =
	"usage: sluice pause [--config FILE] [--json] [--for 10m] [--device D]\n"
	"       sluice pause [--config FILE] [--json] --list | --end ID|DEVICE|all\n\n"
	"No name is blocked by lists, filters or safe search, for all devices or for one. What the policy\n"
	"denies stays denied.\n"
	"It ends by itself, also over restarts: after 10 minutes, or --for 30s, 2h, 1h30m, at most 7d.\n"
	"--list shows what is let pass, --end ends it.\n"
	"Exit status: 0 it is in force (or has ended), 1 it is not, 2 usage.\n";

struct options {
	const char *config, *device, *end, *name;
	double for_s; /* 0: the gateway's default */
	bool json, below, list, pause;
};

/* "90", "10m", "1h30m", "7d". Whole seconds. */
static bool for_parse(const char *text, double *ret)
{
	size_t len = strlen(text);
	char *end;
	double n;

	if (len != 0 && text[len - 1] >= '0' && text[len - 1] <= '9')
		return false; /* ten what? */
	n = strtod(text, &end);
	if (end != text && strcmp(end, "d") == 0)
		n *= DAY_S;
	else if (duration_parse(text, &n) < 0)
		return false;
	*ret = n;
	return n >= 1;
}

static int usage(const struct options *o, FILE *out)
{
	fputs(o->pause ? pause_help : allow_help, out);
	return out == stdout ? CLI_OK : CLI_USAGE;
}

static int wrong(const struct options *o, const char *what)
{
	fprintf(stderr, "sluice %s: %s\n\n", o->pause ? "pause" : "allow", what);
	return usage(o, stderr);
}

/* Negative to go on, else the exit code. */
static int options_check(const struct options *o, int n_words)
{
	bool change = o->list || o->end != NULL;

	if (o->list && o->end != NULL)
		return wrong(o, "either --list or --end");
	if (change && (n_words != 0 || o->below || o->for_s != 0 || (o->device != NULL && o->list)))
		return wrong(o, "--list and --end take nothing else");
	if (o->pause && o->below)
		return wrong(o, "a pause is for all names");
	if (!change && n_words != (o->pause ? 0 : 1))
		return wrong(o, o->pause ? "a pause takes no name: sluice allow does" : "which name?");
	return -1;
}

static int options_parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' },
		{ "for", required_argument, NULL, 'f' },
		{ "device", required_argument, NULL, 'd' },
		{ "below", no_argument, NULL, 'b' },
		{ "list", no_argument, NULL, 'l' },
		{ "end", required_argument, NULL, 'e' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int opt;

	optind = 1;
	while ((opt = getopt_long(argc, argv, "c:d:f:jh", longs, NULL)) != -1) {
		switch (opt) {
		case 'c':
			o->config = optarg;
			break;
		case 'j':
			o->json = true;
			break;
		case 'f':
			if (!for_parse(optarg, &o->for_s))
				return wrong(o, "--for takes a time: 30s, 10m, 2h, 1h30m, 7d");
			break;
		case 'd':
			o->device = optarg;
			break;
		case 'b':
			o->below = true;
			break;
		case 'l':
			o->list = true;
			break;
		case 'e':
			o->end = optarg;
			break;
		default:
			return usage(o, opt == 'h' ? stdout : stderr);
		}
	}
	o->name = argv[optind];
	return options_check(o, argc - optind);
}

static void add_end(const struct options *o, cJSON *request)
{
	(void)cJSON_AddStringToObject(request, "do", "end");
	if (o->end[0] != '\0' && strspn(o->end, "0123456789") == strlen(o->end)) {
		(void)cJSON_AddNumberToObject(request, "id", strtod(o->end, NULL));
		return;
	}
	if (!o->pause) {
		(void)cJSON_AddStringToObject(request, "name", o->end);
		if (o->device != NULL)
			(void)cJSON_AddStringToObject(request, "device", o->device);
		return;
	}
	(void)cJSON_AddTrueToObject(request, "pause");
	if (strcmp(o->end, "all") == 0)
		(void)cJSON_AddNullToObject(request, "device");
	else
		(void)cJSON_AddStringToObject(request, "device", o->end);
}

static cJSON *request_new(const struct options *o)
{
	cJSON *request = cJSON_CreateObject();

	(void)cJSON_AddStringToObject(request, "cmd", "override");
	if (o->list) {
		(void)cJSON_AddStringToObject(request, "do", "list");
		return request;
	}
	if (o->end != NULL) {
		add_end(o, request);
		return request;
	}
	(void)cJSON_AddStringToObject(request, "do", o->pause ? "pause" : "allow");
	if (o->name != NULL)
		(void)cJSON_AddStringToObject(request, "name", o->name);
	if (o->below)
		(void)cJSON_AddTrueToObject(request, "below");
	if (o->device != NULL)
		(void)cJSON_AddStringToObject(request, "device", o->device);
	if (o->for_s != 0)
		(void)cJSON_AddNumberToObject(request, "for_s", o->for_s);
	return request;
}

static cJSON *ask(const struct options *o)
{
	cJSON *request = request_new(o);
	CLEANUP(freep) char *text = cJSON_PrintUnformatted(request);

	cJSON_Delete(request);
	return text != NULL ? control_ask(o->config, text) : NULL;
}

static void put_print(const cJSON *a)
{
	const cJSON *put = cJSON_GetObjectItemCaseSensitive(a, "override");

	if (put != NULL)
		override_print(put, /* indent= */ "");
	if (cJSON_GetObjectItemCaseSensitive(a, "denied_by") != NULL)
		printf("but %s of the policy denies it, and that stands before it: the policy must be changed\n",
		       control_text(a, "denied_by"));
	puts("Clients that were told it is blocked ask again when that answer is old: after 10 s, or the filter's "
	     "blockTtl.");
}

static void answer_print(const struct options *o, const cJSON *a)
{
	const cJSON *items = cJSON_GetObjectItemCaseSensitive(a, "overrides"), *item;

	if (!cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(a, "ok"))) {
		fprintf(stderr, "sluice %s: %s\n", o->pause ? "pause" : "allow", control_text(a, "error"));
	} else if (o->list) {
		if (cJSON_GetArraySize(items) == 0)
			puts("nothing is let pass for a while");
		cJSON_ArrayForEach(item, items) override_print(item, "");
	} else if (o->end != NULL) {
		cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(a, "ended"))
			printf("%.0f has ended\n", item->valuedouble);
	} else {
		put_print(a);
	}
}

static int run(int argc, char **argv, struct options *o)
{
	int exit_code = options_parse(argc, argv, o);
	CLEANUP(freep) char *text = NULL;
	cJSON *answer;

	if (exit_code >= 0)
		return exit_code;
	answer = ask(o);
	if (answer == NULL)
		return CLI_BAD_INPUT;
	if (o->json) {
		text = cJSON_PrintUnformatted(answer);
		puts(text != NULL ? text : "");
	} else {
		answer_print(o, answer);
	}
	exit_code = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(answer, "ok")) ? CLI_OK : CLI_BAD_INPUT;
	cJSON_Delete(answer);
	return exit_code;
}

int cmd_allow(int argc, char **argv)
{
	struct options o = { 0 };

	return run(argc, argv, &o);
}

int cmd_pause(int argc, char **argv)
{
	struct options o = { .pause = true };

	return run(argc, argv, &o);
}
