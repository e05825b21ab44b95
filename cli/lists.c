/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `sluice lists`: the lists of the policy in force, how fresh they are, and their update by hand. */
#include "cli/cli.h"
#include "cli/control.h"
#include "cli/lists_report.h"

#include <getopt.h>
#include <time.h>

static const char help[] =
	"usage: sluice lists [--json]\n"
	"       sluice lists report [--policy P] [--json]: which are of use; 'sluice lists report --help'\n"
	"       sluice lists update [--force] [--json] [NAME…]\n\n"
	"The block lists and address lists of the policy in force: rules, lines skipped and refused, age, source, and\n"
	"what went wrong with the last download. `update` downloads those named (all that have a URL and no file) "
	"now,\n"
	"if their servers have something newer, and waits until they are in force.\n"
	"  --force   fetch them whole, and take a text also where it has less than a tenth of the rules of the one\n"
	"            before\n"
	"  --json    one JSON object a list, one a line\n"
	"Exit status: 1 when a list could not be updated; what was in force before is still.\n";

struct options {
	struct control_options control;
	bool update, force;
	char **names;
	int n;
};

static bool options_parse(int argc, char **argv, struct options *ret, int *ret_exit)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' },
		{ "force", no_argument, NULL, 'f' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int opt;

	optind = 1;
	*ret_exit = CLI_USAGE;
	while ((opt = getopt_long(argc, argv, "c:jfh", longs, NULL)) != -1) {
		if (opt == 'c')
			ret->control.config = optarg;
		else if (opt == 'j')
			ret->control.json = true;
		else if (opt == 'f')
			ret->force = true;
		else if (opt == 'h')
			*ret_exit = CLI_OK;
		if (opt == 'h' || opt == '?') {
			fputs(help, opt == 'h' ? stdout : stderr);
			return false;
		}
	}
	ret->update = optind < argc && strcmp(argv[optind], "update") == 0;
	if ((optind < argc && !ret->update) || (ret->force && !ret->update)) {
		fputs(help, stderr);
		return false;
	}
	ret->names = argv + optind + 1;
	ret->n = ret->update ? argc - optind - 1 : 0;
	*ret_exit = CLI_OK;
	return true;
}

/* Returned, free(). */
static char *request_text(const struct options *o)
{
	cJSON *request = cJSON_CreateObject(), *names;
	char *text;

	(void)cJSON_AddStringToObject(request, "cmd", "lists");
	if (o->update) {
		(void)cJSON_AddStringToObject(request, "do", "update");
		(void)cJSON_AddBoolToObject(request, "force", o->force);
		names = cJSON_AddArrayToObject(request, "names");
		for (int i = 0; i < o->n; i++)
			(void)cJSON_AddItemToArray(names, cJSON_CreateString(o->names[i]));
	}
	text = cJSON_PrintUnformatted(request);
	cJSON_Delete(request);
	return text;
}

static double number_of(const cJSON *o, const char *name)
{
	const cJSON *n = cJSON_GetObjectItemCaseSensitive(o, name);

	return cJSON_IsNumber(n) ? n->valuedouble : 0;
}

static const char *age_print(double at_s, char buf[32])
{
	double age_s = at_s > 0 ? difftime(time(NULL), (time_t)at_s) : -1;

	if (age_s < 0)
		(void)snprintf(buf, 32, "-");
	else if (age_s < 120)
		(void)snprintf(buf, 32, "%.0f s", age_s);
	else if (age_s < 7200)
		(void)snprintf(buf, 32, "%.0f min", age_s / 60);
	else if (age_s < 172800)
		(void)snprintf(buf, 32, "%.0f h", age_s / 3600);
	else
		(void)snprintf(buf, 32, "%.0f days", age_s / 86400);
	return buf;
}

static void list_print(const cJSON *list)
{
	const cJSON *warning = cJSON_GetObjectItemCaseSensitive(list, "warning");
	double looked_s = number_of(list, "looked");
	char age[32];

	/* Of a download: since the server last said that there is nothing newer. Of a file: since it changed. */
	(void)age_print(looked_s > 0 ? looked_s : number_of(list, "changed"), age);
	printf("%-16s %-9s %10.0f %8.0f %8.0f %9s  %-3s %s\n", control_text(list, "name"), control_text(list, "kind"),
	       number_of(list, "rules"), number_of(list, "skipped"), number_of(list, "refused"), age,
	       cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(list, "in_force")) ? "NO" : "yes",
	       control_text(list, "source"));
	if (cJSON_IsString(warning))
		printf("  %s\n", warning->valuestring);
}

static void lists_print(const cJSON *answer, bool json)
{
	const cJSON *list;

	if (!json)
		printf("%-16s %-9s %10s %8s %8s %9s  %-3s %s\n", "name", "kind", "rules", "skipped", "refused", "age",
		       "on", "source");
	cJSON_ArrayForEach(list, cJSON_GetObjectItemCaseSensitive(answer, "lists"))
	{
		char *text = json ? cJSON_PrintUnformatted(list) : NULL;

		if (text != NULL)
			puts(text);
		else
			list_print(list);
		free(text);
	}
}

int cmd_lists(int argc, char **argv)
{
	struct options o = { 0 };
	CLEANUP(freep) char *request = NULL;
	cJSON *answer;
	int exit_code = CLI_OK;

	if (argc > 1 && strcmp(argv[1], "report") == 0)
		return lists_report(argc - 1, argv + 1);
	if (!options_parse(argc, argv, &o, &exit_code))
		return exit_code;
	request = request_text(&o);
	answer = request != NULL ? control_ask(o.control.config, request) : NULL;
	exit_code = CLI_BAD_INPUT;
	if (answer == NULL)
		return exit_code;
	if (!cJSON_HasObjectItem(answer, "lists")) {
		fprintf(stderr, "sluice: %s\n", control_text(answer, "error"));
	} else {
		lists_print(answer, o.control.json);
		exit_code = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(answer, "ok")) ? CLI_OK : CLI_BAD_INPUT;
	}
	cJSON_Delete(answer);
	return exit_code;
}
