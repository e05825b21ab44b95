/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rules/policy.schema.json is for editors; this keeps it true. Every word that the readers' sources contain as a string
 * is tried as a member of every object of the language: the reader knows it if and only if the schema lists it. So a
 * member that is added to a reader, or taken from it, fails here until the schema follows.
 * Arguments: the schema, then the sources. */
#include "document_case.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <strings.h>

#define WORDS_MAX  4096
#define WORD_BYTES 32

/* An object of the language: its definition in the schema (NULL: the document), and a policy that holds it. */
struct object {
	const char *def, *policy;
};

static const struct object objects[] = {
	{ NULL, "{\"%s\": 0}" },
	{ "acl", "{\"acls\": [{\"%s\": 0}]}" },
	{ "grant", "{\"grants\": [{\"%s\": 0}]}" },
	{ "deny", "{\"denies\": [{\"%s\": 0}]}" },
	{ "ssh", "{\"ssh\": [{\"%s\": 0}]}" },
	{ "sshTest", "{\"sshTests\": [{\"%s\": 0}]}" },
	{ "nodeAttr", "{\"nodeAttrs\": [{\"%s\": 0}]}" },
	{ "test", "{\"tests\": [{\"%s\": 0}]}" },
	{ "testDns", "{\"tests\": [{\"dns\": {\"%s\": 0}}]}" },
	{ "autoApprovers", "{\"autoApprovers\": {\"%s\": 0}}" },
	{ "attribute", "{\"attrConfig\": {\"custom:a\": {\"%s\": 0}}}" },
	{ "dns", "{\"dns\": {\"%s\": 0}}" },
	{ "list", "{\"dns\": {\"lists\": {\"a\": {\"%s\": 0}}}}" },
	{ "iplist", "{\"dns\": {\"iplists\": {\"a\": {\"%s\": 0}}}}" },
	{ "filter", "{\"dns\": {\"filters\": [{\"%s\": 0}]}}" },
	{ "blockAddresses", "{\"dns\": {\"filters\": [{\"blockMode\": {\"%s\": 0}}]}}" },
	{ "log", "{\"logs\": [{\"%s\": 0}]}" },
};

struct words {
	char items[WORDS_MAX][WORD_BYTES];
	size_t n;
};

struct files {
	int n;
	char **names;
};

static char *file_read(const char *name)
{
	CLEANUP(freep) char *text = NULL;
	FILE *in = fopen(name, "re");
	size_t cap = 0;

	if (in == NULL || getdelim(&text, &cap, '\0', in) == -1)
		fail_msg("%s: cannot be read", name);
	(void)fclose(in);
	return TAKE(text);
}

static void word_add(struct words *w, const char *word, size_t len)
{
	for (size_t i = 0; i < w->n; i++)
		if (strncmp(w->items[i], word, len) == 0 && w->items[i][len] == '\0')
			return;
	assert_true(w->n < WORDS_MAX);
	memcpy(w->items[w->n], word, len);
	w->items[w->n++][len] = '\0';
}

/* Strings of letters and digits: what a member's name is made of. */
static void words_find(struct words *w, const char *text)
{
	for (const char *p = strchr(text, '"'); p != NULL; p = strchr(p + 1, '"')) {
		size_t len = 0;

		while (isalnum((unsigned char)p[1 + len]))
			len++;
		if (len > 0 && len < WORD_BYTES && p[1 + len] == '"')
			word_add(w, p + 1, len);
	}
}

static bool reader_knows(const struct object *o, const char *word)
{
	char policy[256];
	struct reading r;
	bool known;

	(void)snprintf(policy, sizeof(policy), "%.*s%s%s", (int)(strstr(o->policy, "%s") - o->policy), o->policy, word,
		       strstr(o->policy, "%s") + 2);
	reading_init(&r, policy);
	(void)document_policy(r.mem, r.src, &r.diags);
	known = !reading_said(&r, "P0102");
	reading_done(&r);
	return known;
}

static const cJSON *properties_of(const cJSON *schema, const struct object *o)
{
	const cJSON *def = schema;

	if (o->def != NULL)
		def = cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(schema, "$defs"), o->def);
	def = cJSON_GetObjectItemCaseSensitive(def, "properties");
	if (def == NULL)
		fail_msg("the schema does not define %s", o->def != NULL ? o->def : "the document");
	return def;
}

static void the_schema_lists_what_the_reader_knows(void **state)
{
	const struct files *files = *state;
	CLEANUP(freep) struct words *w = calloc(1, sizeof(*w));
	CLEANUP(freep) char *text = file_read(files->names[0]);
	cJSON *schema = cJSON_Parse(text);
	uint32_t wrong = 0, members = 0;

	assert_non_null(w);
	assert_non_null(schema);
	for (int i = 1; i < files->n; i++) {
		CLEANUP(freep) char *source = file_read(files->names[i]);

		words_find(w, source);
	}
	for (size_t k = 0; k < ARRAY_LEN(objects); k++) {
		const cJSON *listed = properties_of(schema, &objects[k]), *m;

		cJSON_ArrayForEach(m, listed)
		{
			members++;
			word_add(w, m->string, strlen(m->string));
		}
		for (size_t i = 0; i < w->n; i++) {
			bool known = reader_knows(&objects[k], w->items[i]);

			if (known == (cJSON_GetObjectItem(listed, w->items[i]) != NULL))
				continue;
			wrong++;
			(void)fprintf(stderr, "%s: \"%s\" is %s\n",
				      objects[k].def != NULL ? objects[k].def : "document", w->items[i],
				      known ? "not in the schema" : "unknown to the reader");
		}
	}
	cJSON_Delete(schema);
	printf("%u members, %zu words tried\n", members, w->n);
	assert_int_equal(wrong, 0);
	assert_true(w->n > 100);
}

int main(int argc, char **argv)
{
	struct files files = { argc - 1, argv + 1 };
	const struct CMUnitTest tests[] = { cmocka_unit_test_prestate(the_schema_lists_what_the_reader_knows, &files) };

	if (argc < 3) {
		(void)fprintf(stderr, "usage: %s SCHEMA SOURCES...\n", argv[0]);
		return 2;
	}
	return cmocka_run_group_tests_name("schema", tests, NULL, NULL);
}
