/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `sluice rules`: what each rule of the running policy has decided about, by the kernel's counters. */
#include "cli/cli.h"
#include "cli/control.h"

static const char help[] =
	"usage: sluice rules [--config FILE] [--json]\n\n"
	"Packets and bytes that each rule of the policy in force has decided about, in the policy's order, and what "
	"was\n"
	"refused for other reasons. Only the first packet of a flow is decided about; what follows is not counted "
	"here.\n"
	"A counter goes on for as long as its rule stays as it is, over reloads and restarts of the gateway.\n"
	"  --json   one JSON object a line: the rules, then {\"reason\": …}\n";

static double number_of(const cJSON *o, const char *name)
{
	const cJSON *n = cJSON_GetObjectItemCaseSensitive(o, name);

	return cJSON_IsNumber(n) ? n->valuedouble : 0;
}

static void json_print(const cJSON *o)
{
	char *text = cJSON_PrintUnformatted(o);

	if (text != NULL)
		puts(text);
	free(text);
}

static void rules_print(const cJSON *answer, bool json)
{
	cJSON *rule;

	cJSON_ArrayForEach(rule, cJSON_GetObjectItemCaseSensitive(answer, "rules"))
	{
		if (json) {
			json_print(rule);
			continue;
		}
		printf("%-14s %-6s %12.0f packets %15.0f bytes  %s:%.0f:%.0f%s\n", control_text(rule, "rule"),
		       control_text(rule, "action"), number_of(rule, "packets"), number_of(rule, "bytes"),
		       control_text(answer, "file"), number_of(rule, "line"), number_of(rule, "col"),
		       cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(rule, "used"))
			       ? ""
			       : "  (concerns no device and address now)");
	}
}

static void reasons_print(const cJSON *answer, bool json)
{
	cJSON *reason;

	cJSON_ArrayForEach(reason, cJSON_GetObjectItemCaseSensitive(answer, "refused"))
	{
		/* The sum of the rules above. */
		if (strcmp(reason->string, "deny") == 0)
			continue;
		if (json) {
			(void)cJSON_AddStringToObject(reason, "reason", reason->string);
			json_print(reason);
			continue;
		}
		printf("%-14s %-6s %12.0f packets %15.0f bytes\n", reason->string, "drop", number_of(reason, "packets"),
		       number_of(reason, "bytes"));
	}
}

int cmd_rules(int argc, char **argv)
{
	struct control_options o = { 0 };
	cJSON *answer;
	int exit_code = CLI_OK;

	if (!control_options_parse(argc, argv, help, 0, &o, &exit_code))
		return exit_code;
	answer = control_ask(o.config, "{\"cmd\":\"rules\"}");
	exit_code = CLI_BAD_INPUT;
	if (answer == NULL)
		return exit_code;
	if (!cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(answer, "ok"))) {
		fprintf(stderr, "sluice: %s\n", control_text(answer, "error"));
	} else {
		rules_print(answer, o.json);
		reasons_print(answer, o.json);
		exit_code = CLI_OK;
	}
	cJSON_Delete(answer);
	return exit_code;
}
