/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "docs.h"

void die(const char *what, const struct err *e)
{
	(void)fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, e != NULL ? e->msg : "failed");
	exit(1);
}

static struct source *source_read(struct arena *mem, const char *dir, const char *name)
{
	CLEANUP(freep) char *text = malloc(SOURCE_MAX_BYTES);
	char path[4096];
	FILE *in;
	size_t len;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	in = fopen(path, "r");
	if (in == NULL || text == NULL)
		die(path, NULL);
	len = fread(text, 1, SOURCE_MAX_BYTES, in);
	(void)fclose(in);
	return source_new(mem, name, text, len);
}

struct docs docs_read(const char *dir, const char *devices)
{
	struct docs d = { .mem = arena_new(0) };

	if (d.mem == NULL)
		die("memory", NULL);
	diag_init(&d.diags, d.mem);
	d.policy = document_policy(d.mem, source_read(d.mem, dir, "policy.hujson"), &d.diags);
	d.devices = document_devices(d.mem, source_read(d.mem, dir, devices), &d.diags);
	if (d.policy == NULL || d.devices == NULL) {
		diag_print(&d.diags, stderr);
		die("documents", NULL);
	}
	return d;
}

struct plan *plan_of(struct docs *d)
{
	struct compile_env env = { .now_s = 1 };
	struct plan *p = NULL;

	if (plan_compile(d->policy, d->devices, &env, &d->diags, &p) < 0) {
		diag_print(&d->diags, stderr);
		die("compile", NULL);
	}
	return p;
}
