/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `sluice services`: the catalogue of services and search engines that a policy's filter may name. */
#include "cli/cli.h"

#include "policy/catalogue.h"

#include <cjson/cJSON.h>
#include <getopt.h>

static const char help[] = "usage: sluice services [--json] [NAME]\n\n"
			   "Services that a filter may block (\"block\": [\"service:youtube\"]) and search engines "
			   "that offer safe search\n"
			   "(\"safeSearch\": true, or [\"google\", …]), as this version knows them. With NAME: the "
			   "rules of one, in AdGuard's\n"
			   "syntax.\n";

enum kind { KIND_SERVICE = 0, KIND_ENGINE, KIND_MAX };

static const char *const kind_names[KIND_MAX] = { "service", "safesearch" };

static int print_json(enum kind kind, const struct catalogue_entry *e, bool rules)
{
	cJSON *o = cJSON_CreateObject();
	char *text;

	(void)cJSON_AddStringToObject(o, "kind", kind_names[kind]);
	(void)cJSON_AddStringToObject(o, "name", e->name);
	(void)cJSON_AddStringToObject(o, "title", e->title);
	if (rules)
		(void)cJSON_AddStringToObject(o, "rules", e->text);
	text = cJSON_PrintUnformatted(o);
	cJSON_Delete(o);
	if (text == NULL) {
		fputs("sluice services: no memory\n", stderr);
		return CLI_BAD_INPUT;
	}
	puts(text);
	cJSON_free(text);
	return CLI_OK;
}

static int print_all(bool json, const struct catalogue_entry *const lists[KIND_MAX], const uint32_t n[KIND_MAX])
{
	int code = CLI_OK;

	for (enum kind kind = KIND_SERVICE; kind < KIND_MAX; kind++)
		for (uint32_t i = 0; i < n[kind] && code == CLI_OK; i++) {
			const struct catalogue_entry *e = &lists[kind][i];

			if (json)
				code = print_json(kind, e, false);
			else
				printf("%s:%-*s %s\n", kind_names[kind], kind == KIND_SERVICE ? 22 : 19, e->name,
				       e->title);
		}
	return fflush(stdout) == 0 ? code : CLI_BAD_INPUT;
}

static int print_one(bool json, const char *name, const struct catalogue_entry *const lists[KIND_MAX],
		     const uint32_t n[KIND_MAX])
{
	int code = CLI_BAD_INPUT;

	for (enum kind kind = KIND_SERVICE; kind < KIND_MAX; kind++) {
		size_t word = strlen(kind_names[kind]);
		const char *bare =
			strncmp(name, kind_names[kind], word) == 0 && name[word] == ':' ? name + word + 1 : NULL;

		/* "youtube" is a service and an engine: both are printed, unless the name says which. */
		if (bare == NULL && strchr(name, ':') != NULL)
			continue;
		for (uint32_t i = 0; i < n[kind]; i++) {
			const struct catalogue_entry *e = &lists[kind][i];

			if (strcmp(e->name, bare != NULL ? bare : name) != 0)
				continue;
			code = CLI_OK;
			if (json)
				code = print_json(kind, e, true);
			else
				printf("! %s:%s: %s\n%s", kind_names[kind], e->name, e->title, e->text);
		}
	}
	if (code != CLI_OK)
		fprintf(stderr, "sluice services: there is no %s; 'sluice services' lists all\n", name);
	return code;
}

int cmd_services(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	uint32_t n[KIND_MAX];
	const struct catalogue_entry *const lists[KIND_MAX] = { catalogue_services(&n[KIND_SERVICE]),
								catalogue_engines(&n[KIND_ENGINE]) };
	bool json = false;
	int opt;

	optind = 1;
	while ((opt = getopt_long(argc, argv, "jh", longs, NULL)) != -1) {
		if (opt == 'j') {
			json = true;
			continue;
		}
		fputs(help, opt == 'h' ? stdout : stderr);
		return opt == 'h' ? CLI_OK : CLI_USAGE;
	}
	if (argc - optind > 1) {
		fputs(help, stderr);
		return CLI_USAGE;
	}
	return argc == optind ? print_all(json, lists, n) : print_one(json, argv[optind], lists, n);
}
