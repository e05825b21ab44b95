/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `sluice status`, `reload` and `netfilter`: one request to the running gateway each. */
#include "cli/cli.h"
#include "cli/control.h"
#include "cli/dns.h"
#include "cli/override.h"

#include <time.h>

static const char status_help[] = "usage: sluice status [--config FILE] [--json]\n\n"
				  "What the running gateway is doing: plan, devices, children, lists, last reload.\n";
static const char reload_help[] =
	"usage: sluice reload [--config FILE] [--json]\n\n"
	"Reads the policy, device and list files again, checks them, runs the policy's tests and puts\n"
	"them into force. On any error nothing changes, and the errors are printed.\n";

static const char netfilter_help[] =
	"usage: sluice netfilter [--config FILE] [--json] [on|nodivert|off]\n\n"
	"Says which netfilter mode is in force, or changes it until the gateway is started again:\n"
	"  on        the table decides what passes\n"
	"  nodivert  the table is there, but no packet is led to it: NOTHING IS ENFORCED\n"
	"  off       there is no table: NOTHING IS ENFORCED\n"
	"In nodivert and off the gateway forwards only if you have switched forwarding on yourself, and what is\n"
	"filtered and translated is up to your own rules. Names are answered and filtered in all three.\n";

static bool is_true(const cJSON *o, const char *name)
{
	return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, name));
}

static bool answer_ok(const cJSON *answer)
{
	return is_true(answer, "ok");
}

static void json_print(const cJSON *answer)
{
	char *text = cJSON_PrintUnformatted(answer);

	if (text != NULL)
		puts(text);
	free(text);
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
		printf("%s\n", control_text(a, "warning"));
}

/* A gateway that enforces nothing says so before all else. */
static void netfilter_print(const cJSON *a)
{
	const char *mode = control_text(a, "netfilter"), *gate = control_text(a, "gate");

	if (strcmp(mode, "on") != 0)
		printf("NOTHING IS ENFORCED: netfilter mode is %s (sluice netfilter on)\n", mode);
	else if (strcmp(gate, "waiting") == 0)
		printf("the tunnel's interface is not there yet\n");
	else if (strcmp(gate, "closed") != 0)
		printf("without the table everything would pass, as there is no gate: %s\n", gate);
}

/* How many packets were refused, the reasons that there were. */
static void refused_print(const cJSON *a)
{
	const cJSON *drops = cJSON_GetObjectItemCaseSensitive(a, "drops"), *reason;
	const char *comma = "";
	long long sum = 0;

	cJSON_ArrayForEach(reason, cJSON_GetObjectItemCaseSensitive(a, "refused")) sum += number_of(reason, "packets");
	printf("%lld packets refused", sum);
	comma = " (";
	cJSON_ArrayForEach(reason, cJSON_GetObjectItemCaseSensitive(a, "refused"))
	{
		if (number_of(reason, "packets") == 0)
			continue;
		printf("%s%s %lld", comma, reason->string, number_of(reason, "packets"));
		comma = ", ";
	}
	puts(sum != 0 ? ")" : "");
	if (cJSON_IsString(cJSON_GetObjectItemCaseSensitive(a, "refused_error")))
		printf("counters cannot be read: %s\n", control_text(a, "refused_error"));
	if (drops != NULL && !is_true(drops, "told"))
		printf("refused packets are counted only: %s\n", control_text(drops, "error"));
	if (number_of(drops, "lost") != 0)
		printf("%lld messages about refused packets were lost\n", number_of(drops, "lost"));
}

/* Only what is not as it should be. */
static void anchor_print(const cJSON *a)
{
	const cJSON *anchor = cJSON_GetObjectItemCaseSensitive(a, "trust_anchor");
	const char *state = anchor != NULL ? control_text(anchor, "state") : "";

	if (strcmp(state, "missing") == 0)
		puts("NO ANSWER IS VALIDATED: there is no trust anchor (install dns-root-data, or give "
		     "dns.trustAnchor)");
	else if (strcmp(state, "fixed") == 0)
		puts("the trust anchor is not kept up to date: see dnsd.anchor_unkept in the log");
	else if (strcmp(state, "kept") == 0)
		printf("DNSSEC: %lld keys of the root trusted, %lld watched\n", number_of(anchor, "trusted"),
		       number_of(anchor, "pending"));
	if (is_true(anchor, "failed"))
		puts("the root's keys could not be looked at: see dnsd.anchor_look_failed in the log");
}

static void tls_print(const cJSON *tls)
{
	time_t expires = (time_t)number_of(tls, "expires_s");
	char until[32] = "?";
	struct tm tm;

	if (expires != 0 && gmtime_r(&expires, &tm) != NULL)
		(void)strftime(until, sizeof(until), "%Y-%m-%d", &tm);
	if (is_true(tls, "in_force"))
		printf("DNS over TLS: %s, valid until %s%s\n", control_text(tls, "certificate"), until,
		       expires != 0 && expires <= time(NULL) ? ": IT HAS EXPIRED" : "");
	if (cJSON_IsString(cJSON_GetObjectItemCaseSensitive(tls, "error")))
		printf("DNS over TLS: %s; %s\n", control_text(tls, "error"),
		       is_true(tls, "in_force") ? "the certificate before is in force" : "nobody is served by it");
}

static void status_print(const cJSON *a)
{
	const cJSON *last = cJSON_GetObjectItemCaseSensitive(a, "last_reload");
	const cJSON *item;

	printf("sluice %s, up %lld s, plan %lld, table held as %s\n", control_text(a, "version"),
	       number_of(a, "uptime_s"), number_of(a, "generation"), control_text(a, "owner"));
	netfilter_print(a);
	printf("%lld devices, %lld rules, %lld learned addresses\n", number_of(a, "devices"), number_of(a, "rules"),
	       number_of(a, "leases"));
	refused_print(a);
	cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(a, "overrides")) override_print(item, "");
	dns_summary_print(cJSON_GetObjectItemCaseSensitive(a, "dns"));
	cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(a, "children"))
		printf("%-9s pid %lld, started again %lld times\n", item->string, number_of(item, "pid"),
		       number_of(item, "restarts"));
	cJSON_ArrayForEach(item,
			   cJSON_GetObjectItemCaseSensitive(
				   a, "lists")) if (cJSON_IsString(cJSON_GetObjectItemCaseSensitive(item, "warning")))
		printf("list %s: %s\n", control_text(item, "name"), control_text(item, "warning"));
	printf("%lld list rules; %lld lines skipped, %lld refused\n", number_of(a, "list_rules"),
	       number_of(a, "list_lines_skipped"), number_of(a, "list_lines_refused"));
	anchor_print(a);
	addresses_print(cJSON_GetObjectItemCaseSensitive(a, "addresses"));
	cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(a, "tls")) tls_print(item);
	if (last != NULL && !answer_ok(last))
		printf("last reload failed, the plan before it is in force:\n%s\n", control_text(last, "error"));
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
	struct control_options o = { 0 };
	int exit_code = CLI_OK;
	cJSON *answer;

	if (!control_options_parse(argc, argv, status_help, 0, &o, &exit_code))
		return exit_code;
	answer = control_ask(o.config, "{\"cmd\":\"status\"}");
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
	struct control_options o = { 0 };
	int exit_code = CLI_OK;
	cJSON *answer;

	if (!control_options_parse(argc, argv, reload_help, 0, &o, &exit_code))
		return exit_code;
	answer = control_ask(o.config, "{\"cmd\":\"reload\"}");
	if (answer == NULL)
		return CLI_BAD_INPUT;
	if (o.json)
		json_print(answer);
	else if (answer_ok(answer))
		reload_print(answer);
	else
		fprintf(stderr, "%s\nnothing has changed\n", control_text(answer, "diagnostics"));
	exit_code = answer_ok(answer) ? CLI_OK : CLI_BAD_INPUT;
	cJSON_Delete(answer);
	return exit_code;
}

int cmd_netfilter(int argc, char **argv)
{
	struct control_options o = { 0 };
	enum netfilter_mode mode;
	int exit_code = CLI_OK;
	char request[64] = "{\"cmd\":\"status\"}";
	cJSON *answer;

	if (!control_options_parse(argc, argv, netfilter_help, 1, &o, &exit_code))
		return exit_code;
	if (o.word != NULL && netfilter_mode_parse(o.word, &mode) < 0) {
		fprintf(stderr, "sluice: '%s' is no netfilter mode: on, nodivert or off\n", o.word);
		return CLI_USAGE;
	}
	if (o.word != NULL)
		(void)snprintf(request, sizeof(request), "{\"cmd\":\"netfilter\",\"mode\":\"%s\"}", o.word);
	answer = control_ask(o.config, request);
	if (answer == NULL)
		return CLI_BAD_INPUT;
	if (o.json)
		json_print(answer);
	else if (!answer_ok(answer))
		fprintf(stderr, "%s\n", control_text(answer, o.word != NULL ? "diagnostics" : "error"));
	else if (o.word == NULL)
		puts(control_text(answer, "netfilter"));
	else
		printf("netfilter mode %s in force%s\n", o.word, mode == NETFILTER_ON ? "" : ": NOTHING IS ENFORCED");
	exit_code = answer_ok(answer) ? CLI_OK : CLI_BAD_INPUT;
	cJSON_Delete(answer);
	return exit_code;
}
