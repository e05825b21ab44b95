/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `sluice status` and `sluice reload`: one request to the running gateway each. */
#include "cli/cli.h"
#include "cli/control.h"

#include <getopt.h>

static const char status_help[] = "usage: sluice status [--config FILE] [--json]\n\n"
				  "What the running gateway is doing: plan, devices, children, lists, last reload.\n";
static const char reload_help[] =
	"usage: sluice reload [--config FILE] [--json]\n\n"
	"Reads the policy, device and list files again, checks them, runs the policy's tests and puts\n"
	"them into force. On any error nothing changes, and the errors are printed.\n";

struct options {
	const char *config;
	bool json;
};

/* CLI_OK to go on; otherwise *ret_exit is the exit code. */
static bool options_parse(int argc, char **argv, const char *help, struct options *ret, int *ret_exit)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int opt;

	optind = 1;
	while ((opt = getopt_long(argc, argv, "c:jh", longs, NULL)) != -1) {
		switch (opt) {
		case 'c':
			ret->config = optarg;
			break;
		case 'j':
			ret->json = true;
			break;
		case 'h':
			fputs(help, stdout);
			*ret_exit = CLI_OK;
			return false;
		default:
			fputs(help, stderr);
			*ret_exit = CLI_USAGE;
			return false;
		}
	}
	if (optind != argc) {
		fputs(help, stderr);
		*ret_exit = CLI_USAGE;
		return false;
	}
	return true;
}

static cJSON *ask(const struct options *o, const char *request)
{
	struct cli_gateway g;
	struct err e = { 0 };
	cJSON *answer = NULL;

	if (cli_gateway_load(o->config, &g) < 0)
		return NULL;
	if (control_request(&g, request, &answer, &e) < 0)
		fprintf(stderr, "sluice: %s\n", e.msg);
	cli_gateway_done(&g);
	return answer;
}

static bool answer_ok(const cJSON *answer)
{
	return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(answer, "ok"));
}

static void json_print(const cJSON *answer)
{
	char *text = cJSON_PrintUnformatted(answer);

	if (text != NULL)
		puts(text);
	free(text);
}

static const char *text_of(const cJSON *o, const char *name)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, name));

	return text != NULL ? text : "-";
}

static long long number_of(const cJSON *o, const char *name)
{
	const cJSON *n = cJSON_GetObjectItemCaseSensitive(o, name);

	return cJSON_IsNumber(n) ? (long long)n->valuedouble : 0;
}

static void addresses_print(const cJSON *a)
{
	if (number_of(a, "sources") == 0)
		return;
	printf("%lld countries, networks and address lists: %lld ranges\n", number_of(a, "sources"),
	       number_of(a, "ranges"));
	if (cJSON_IsString(cJSON_GetObjectItemCaseSensitive(a, "warning")))
		printf("%s\n", text_of(a, "warning"));
}

static void status_print(const cJSON *a)
{
	const cJSON *last = cJSON_GetObjectItemCaseSensitive(a, "last_reload");
	const cJSON *item;

	printf("sluice %s, up %lld s, plan %lld, table held as %s\n", text_of(a, "version"), number_of(a, "uptime_s"),
	       number_of(a, "generation"), text_of(a, "owner"));
	printf("%lld devices, %lld rules, %lld learned addresses\n", number_of(a, "devices"), number_of(a, "rules"),
	       number_of(a, "leases"));
	cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(a, "children"))
		printf("%-9s pid %lld, started again %lld times\n", item->string, number_of(item, "pid"),
		       number_of(item, "restarts"));
	cJSON_ArrayForEach(item,
			   cJSON_GetObjectItemCaseSensitive(
				   a, "lists")) if (cJSON_IsString(cJSON_GetObjectItemCaseSensitive(item, "warning")))
		printf("list %s: %s\n", text_of(item, "name"), text_of(item, "warning"));
	printf("%lld list rules; %lld lines skipped, %lld refused\n", number_of(a, "list_rules"),
	       number_of(a, "list_lines_skipped"), number_of(a, "list_lines_refused"));
	addresses_print(cJSON_GetObjectItemCaseSensitive(a, "addresses"));
	if (last != NULL && !answer_ok(last))
		printf("last reload failed, the plan before it is in force:\n%s\n", text_of(last, "error"));
}

static void reload_print(const cJSON *a)
{
	const cJSON *ms = cJSON_GetObjectItemCaseSensitive(a, "cut_ms"), *by;

	printf("plan %lld in force: %lld changes in the kernel, %lld flows cut in %.1f ms\n",
	       number_of(a, "generation"), number_of(a, "ops"), number_of(a, "cut"),
	       cJSON_IsNumber(ms) ? ms->valuedouble : 0);
	if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(a, "cut_pending")))
		puts("  some live flows could not be looked at: tried again each second, until the log says "
		     "revoke.late");
	cJSON_ArrayForEach(by, cJSON_GetObjectItemCaseSensitive(a, "cut_by"))
	{
		if (cJSON_IsNumber(by) && by->valuedouble > 0)
			printf("  %s: %.0f\n", by->string, by->valuedouble);
	}
}

int cmd_status(int argc, char **argv)
{
	struct options o = { 0 };
	int exit_code = CLI_OK;
	cJSON *answer;

	if (!options_parse(argc, argv, status_help, &o, &exit_code))
		return exit_code;
	answer = ask(&o, "{\"cmd\":\"status\"}");
	if (answer == NULL)
		return CLI_BAD_INPUT;
	if (o.json)
		json_print(answer);
	else
		status_print(answer);
	exit_code = answer_ok(answer) ? CLI_OK : CLI_BAD_INPUT;
	cJSON_Delete(answer);
	return exit_code;
}

int cmd_reload(int argc, char **argv)
{
	struct options o = { 0 };
	int exit_code = CLI_OK;
	cJSON *answer;

	if (!options_parse(argc, argv, reload_help, &o, &exit_code))
		return exit_code;
	answer = ask(&o, "{\"cmd\":\"reload\"}");
	if (answer == NULL)
		return CLI_BAD_INPUT;
	if (o.json)
		json_print(answer);
	else if (answer_ok(answer))
		reload_print(answer);
	else
		fprintf(stderr, "%s\nnothing has changed\n", text_of(answer, "diagnostics"));
	exit_code = answer_ok(answer) ? CLI_OK : CLI_BAD_INPUT;
	cJSON_Delete(answer);
	return exit_code;
}
