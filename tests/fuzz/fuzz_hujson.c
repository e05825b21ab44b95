/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any bytes as a policy, a device list and a gateway file: refused with a diagnostic or read, nothing else. */
#include "policy/document.h"

#define FUZZ_MEMORY_MAX_BYTES (64u << 20) /* small, so that running out of memory is tried too */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool failed_without_reason(const void *document, struct diag_list *diags)
{
	uint32_t errors = diags->n_errors;

	diags->n_errors = 0;
	return document == NULL && errors == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_freep) struct arena *mem = arena_new(FUZZ_MEMORY_MAX_BYTES);
	struct source *src = mem != NULL ? source_new(mem, "fuzz", (const char *)data, size) : NULL;
	CLEANUP(freep) struct diag_list *diags = calloc(1, sizeof(*diags));
	FILE *out;

	if (src == NULL || diags == NULL)
		return 0;
	diag_init(diags, mem);
	if (failed_without_reason(document_policy(mem, src, diags), diags) ||
	    failed_without_reason(document_devices(mem, src, diags), diags) ||
	    failed_without_reason(document_gateway(mem, src, diags), diags))
		abort();
	out = fopen("/dev/null", "w");
	if (out == NULL)
		return 0;
	diag_print(diags, out);
	diag_print_json(diags, out);
	(void)fclose(out);
	return 0;
}
