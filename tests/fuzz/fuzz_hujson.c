/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any bytes as a policy, a device list and a gateway file: refused with a diagnostic or read, nothing else. What is
 * read as a policy is compiled with a few devices, its tests are run, and it is formatted, which changes nothing of
 * what it says. */
#include "policy/evaluate.h"
#include "policy/format.h"

#define FUZZ_MEMORY_MAX_BYTES (64u << 20) /* small, so that running out of memory is tried too */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool failed_without_reason(const void *document, struct diag_list *diags)
{
	uint32_t errors = diags->n_errors;

	diags->n_errors = 0;
	return document == NULL && errors == 0;
}

/* With the tags that the seeds define; a policy that defines others has rules for nobody. */
static const char devices_text[] =
	"{\"devices\": ["
	"{\"name\": \"a\", \"addresses\": [\"100.64.0.2\", \"fd7a:115c:a1e0::2\"], \"user\": \"ana@example.com\"},"
	"{\"name\": \"b\", \"addresses\": [\"100.64.0.3\"], \"user\": \"ben@example.com\", \"state\": \"quarantined\"},"
	"{\"name\": \"c\", \"addresses\": [\"100.64.0.7\"], \"tags\": [\"tag:server\"], \"routes\": "
	"[\"10.50.0.0/16\"]}]}";

static void compile_try(struct arena *mem, const struct doc_policy *p, struct diag_list *diags)
{
	struct source *src = source_new(mem, "devices", devices_text, sizeof(devices_text) - 1);
	struct doc_devices *d = src != NULL ? document_devices(mem, src, diags) : NULL;
	struct compile_env env = { 0 };
	struct plan *plan = NULL;

	if (d == NULL)
		return; /* memory ran out */
	if (plan_compile(p, d, &env, diags, &plan) == 0)
		(void)evaluate_tests(p, d, &env, NULL, NULL, NULL, diags);
	plan = plan_free(plan);
}

/* Without a limit of memory, so that it cannot be the reason for a difference. */
static void format_try(const struct source *src, struct diag_list *diags)
{
	CLEANUP(arena_freep) struct arena *mem = arena_new(0);
	CLEANUP(freep) char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	const struct hj_node *before, *after;
	struct source *again;
	int r;

	if (mem == NULL || out == NULL)
		abort();
	r = format_hujson(mem, src, diags, out);
	if (fclose(out) != 0 || r < 0)
		return;
	again = source_new(mem, "again", text, len);
	before = again != NULL ? hujson_parse(mem, src, diags) : NULL;
	after = before != NULL ? hujson_parse(mem, again, diags) : NULL;
	if (before != NULL && !hj_same(before, after))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct doc_policy *policy;
	CLEANUP(arena_freep) struct arena *mem = arena_new(FUZZ_MEMORY_MAX_BYTES);
	struct source *src = mem != NULL ? source_new(mem, "fuzz", (const char *)data, size) : NULL;
	CLEANUP(freep) struct diag_list *diags = calloc(1, sizeof(*diags));
	FILE *out;

	if (src == NULL || diags == NULL)
		return 0;
	diag_init(diags, mem);
	policy = document_policy(mem, src, diags);
	if (failed_without_reason(policy, diags) || failed_without_reason(document_devices(mem, src, diags), diags) ||
	    failed_without_reason(document_gateway(mem, src, diags), diags))
		abort();
	if (policy != NULL)
		compile_try(mem, policy, diags);
	format_try(src, diags);
	out = fopen("/dev/null", "w");
	if (out == NULL)
		return 0;
	diag_print(diags, out);
	diag_print_json(diags, out);
	(void)fclose(out);
	return 0;
}
