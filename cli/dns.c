/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `sluice dns status|cache|flush|lookup`: asks the gateway, which asks dnsd. Types are words here and numbers there:
 * ldns knows both. */
#include "cli/dns.h"

#include "cli/cli.h"

#include <getopt.h>
#include <ldns/ldns.h>

static const char help[] =
	"usage: sluice dns [--config FILE] [--json] COMMAND\n\n"
	"  status                      questions, outcomes, times, cache, upstreams: which one is down\n"
	"  cache [NAME [TYPE]]         what is cached of a name; without one, how much there is\n"
	"  flush NAME [--below]        forget a name (and all below it) in all caches\n"
	"  flush --all                 forget everything\n"
	"  lookup NAME [TYPE] --device D | --src ADDRESS [--open] [--cd]\n"
	"                              resolve as that device would: verdict, way, records. Nothing is opened for the\n"
	"                              device, unless --open; --cd: also what DNSSEC validation refuses\n\n"
	"The device need not be there. Flushing empties the resolving library's own cache whole: questions after it\n"
	"take as long as after a start.\n";

struct options {
	const char *config, *device, *src;
	bool json, below, all, open, cd;
	const char *words[3]; /* command, name, type */
	int n_words;
};

/* Negative to go on, else the exit code. */
static int options_parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' }, { "json", no_argument, NULL, 'j' },
		{ "device", required_argument, NULL, 'd' }, { "src", required_argument, NULL, 's' },
		{ "below", no_argument, NULL, 'b' },	    { "all", no_argument, NULL, 'a' },
		{ "open", no_argument, NULL, 'o' },	    { "cd", no_argument, NULL, 'n' },
		{ "help", no_argument, NULL, 'h' },	    { 0 },
	};
	int opt;

	optind = 1;
	while ((opt = getopt_long(argc, argv, "c:d:s:jh", longs, NULL)) != -1) {
		switch (opt) {
		case 'c':
			o->config = optarg;
			break;
		case 'd':
			o->device = optarg;
			break;
		case 's':
			o->src = optarg;
			break;
		case 'j':
			o->json = true;
			break;
		case 'b':
			o->below = true;
			break;
		case 'a':
			o->all = true;
			break;
		case 'o':
			o->open = true;
			break;
		case 'n':
			o->cd = true;
			break;
		default:
			fputs(help, opt == 'h' ? stdout : stderr);
			return opt == 'h' ? CLI_OK : CLI_USAGE;
		}
	}
	for (; optind < argc && o->n_words < (int)ARRAY_LEN(o->words); optind++)
		o->words[o->n_words++] = argv[optind];
	if (optind == argc && o->n_words != 0)
		return -1;
	fputs(help, stderr);
	return CLI_USAGE;
}

static bool is(const struct options *o, const char *command)
{
	return strcmp(o->words[0], command) == 0;
}

/* Which options and words a command takes. NULL: all is well, else what is not. */
static const char *options_wrong(const struct options *o)
{
	bool lookup = is(o, "lookup"), flush = is(o, "flush"), cache = is(o, "cache");

	if (!lookup && !flush && !cache && !is(o, "status"))
		return "there is no such command";
	if ((o->device != NULL || o->src != NULL || o->open || o->cd) && !lookup)
		return "--device, --src, --open and --cd are for lookup";
	if ((o->below || o->all) && !flush)
		return "--below and --all are for flush";
	if (lookup && (o->device == NULL) == (o->src == NULL))
		return "who asks: either --device or --src";
	if (lookup && o->n_words < 2)
		return "which name?";
	if (flush && (o->n_words == 2) == o->all)
		return "either a name or --all";
	if (flush && (o->n_words > 2 || (o->all && o->below)))
		return "flush forgets all types of a name";
	return is(o, "status") && o->n_words > 1 ? "status takes no name" : NULL;
}

static const char *const *command_of(const struct options *o)
{
	static const char *const status[] = { "status", NULL };

	/* How much is cached is in the status. */
	return is(o, "cache") && o->n_words == 1 ? status : &o->words[0];
}

/* 0 or the exit code; what there is to say was said. */
static int request_build(const struct options *o, cJSON *request)
{
	ldns_rr_type type = o->n_words > 2 ? ldns_get_rr_type_by_name(o->words[2]) : 0;

	if (o->n_words > 2 && type == 0) {
		fprintf(stderr, "sluice: '%s' is no type of records\n", o->words[2]);
		return CLI_USAGE;
	}
	(void)cJSON_AddStringToObject(request, "cmd", "dns");
	(void)cJSON_AddStringToObject(request, "do", *command_of(o));
	if (o->n_words > 1)
		(void)cJSON_AddStringToObject(request, "name", o->words[1]);
	if (type != 0)
		(void)cJSON_AddNumberToObject(request, "type", (double)type);
	if (o->device != NULL)
		(void)cJSON_AddStringToObject(request, "device", o->device);
	if (o->src != NULL)
		(void)cJSON_AddStringToObject(request, "src", o->src);
	(void)cJSON_AddBoolToObject(request, "below", o->below);
	(void)cJSON_AddBoolToObject(request, "all", o->all);
	(void)cJSON_AddBoolToObject(request, "open", o->open);
	(void)cJSON_AddBoolToObject(request, "cd", o->cd);
	return CLI_OK;
}

static cJSON *ask(const struct options *o, const cJSON *request)
{
	CLEANUP(freep) char *text = cJSON_PrintUnformatted(request);

	return text != NULL ? control_ask(o->config, text) : NULL;
}

static double number_of(const cJSON *o, const char *name)
{
	const cJSON *n = cJSON_GetObjectItemCaseSensitive(o, name);

	return cJSON_IsNumber(n) ? n->valuedouble : 0;
}

static bool is_true(const cJSON *o, const char *name)
{
	return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, name));
}

static void entry_print(const cJSON *e)
{
	char *type = ldns_rr_type2str((ldns_rr_type)number_of(e, "type"));
	ldns_lookup_table *rcode = ldns_lookup_by_id(ldns_rcodes, (int)number_of(e, "rcode"));
	double ttl = number_of(e, "ttl_s");

	printf("%s %s  %s%s%s%s, ", control_text(e, "name"), type != NULL ? type : "?",
	       rcode != NULL ? rcode->name : "?", is_true(e, "secure") ? ", validated" : "",
	       is_true(e, "do") ? ", with signatures" : "", is_true(e, "cd") ? ", not checked" : "");
	if (ttl >= 0)
		printf("%.0f s left", ttl);
	else
		printf("over since %.0f s", -ttl);
	printf(", route %.0f, worker %.0f, %.0f bytes, used %s%.0f times\n", number_of(e, "route"),
	       number_of(e, "worker"), number_of(e, "bytes"), number_of(e, "hits") >= 3 ? "at least " : "",
	       number_of(e, "hits"));
	free(type);
}

static void cache_print(const struct options *o, const cJSON *a)
{
	const cJSON *entries = cJSON_GetObjectItemCaseSensitive(a, "entries"), *e;

	if (o->n_words == 1) {
		const cJSON *c = cJSON_GetObjectItemCaseSensitive(a, "cache");

		printf("%.0f entries, %.1f of %.1f MB in use\n", number_of(c, "entries"), number_of(c, "bytes") / 1e6,
		       number_of(c, "limit_bytes") / 1e6);
		return;
	}
	if (cJSON_GetArraySize(entries) == 0)
		printf("nothing is cached of %s\n", o->words[1]);
	cJSON_ArrayForEach(e, entries) entry_print(e);
}

static void flush_print(const cJSON *a)
{
	printf("%.0f cached answers forgotten\n", number_of(a, "flushed"));
	if (cJSON_GetObjectItemCaseSensitive(a, "note") != NULL)
		printf("%s\n", control_text(a, "note"));
}

static void answer_print(const struct options *o, cJSON *a)
{
	CLEANUP(freep) char *text = NULL;

	if (is(o, "lookup"))
		dns_lookup_unfold(a);
	if (o->json) {
		text = cJSON_PrintUnformatted(a);
		puts(text != NULL ? text : "");
	} else if (!is_true(a, "ok")) {
		fprintf(stderr, "sluice: %s\n", control_text(a, "error"));
	} else if (is(o, "status")) {
		dns_status_print(a);
	} else if (is(o, "cache")) {
		cache_print(o, a);
	} else if (is(o, "flush")) {
		flush_print(a);
	} else {
		dns_lookup_print(a, o->words[1], o->n_words > 2 ? o->words[2] : "A");
	}
}

int cmd_dns(int argc, char **argv)
{
	struct options o = { 0 };
	cJSON *request, *answer;
	int exit_code = options_parse(argc, argv, &o);
	const char *wrong;

	if (exit_code >= 0)
		return exit_code;
	wrong = options_wrong(&o);
	if (wrong != NULL) {
		fprintf(stderr, "sluice: dns %s: %s\n\n%s", o.words[0], wrong, help);
		return CLI_USAGE;
	}
	request = cJSON_CreateObject();
	exit_code = request_build(&o, request);
	answer = exit_code == CLI_OK ? ask(&o, request) : NULL;
	cJSON_Delete(request);
	if (answer == NULL)
		return exit_code == CLI_OK ? CLI_BAD_INPUT : exit_code;
	answer_print(&o, answer);
	exit_code = is_true(answer, "ok") ? CLI_OK : CLI_BAD_INPUT;
	cJSON_Delete(answer);
	return exit_code;
}
