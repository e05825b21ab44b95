/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Called by reload.c where a step of the first reload has failed. If it is the policy that is wrong, the devices are
 * those of the file: one that was put into quarantine meanwhile is. */
#include "gatewayd/start_applied.h"

#include "base/log.h"
#include "gatewayd/applied.h"
#include "gatewayd/engine.h"

#include <time.h>

static int applied_load(struct engine *e, const struct doc_gateway *files)
{
	struct reload *r = &e->reload;
	struct err ignored = { 0 };
	int code = load_policy(files, NULL, time(NULL), &r->loaded, &ignored);

	if (code == 0)
		code = load_compile(r->loaded, r->prefixes, &ignored);
	if (code < 0)
		r->loaded = loaded_free(r->loaded);
	return code;
}

int start_from_applied(struct engine *e, int why, struct err *err)
{
	struct reload *r = &e->reload;
	CLEANUP(arena_freep) struct arena *mem = arena_new(/* limit_bytes= */ 0);
	CLEANUP(freep) char *text = loaded_errors(r->loaded, err);
	struct loaded *wrong = r->loaded;
	struct doc_gateway applied, policy_only;
	struct err ignored = { 0 };

	if (e->now.loaded != NULL || r->applied)
		return why;
	r->loaded = NULL;
	r->prefixes = prefixes_unref(r->prefixes);
	if (mem == NULL || applied_gateway(e->config->doc, mem, &applied) < 0 ||
	    applied_prefixes(e->config->doc, &r->prefixes, &ignored) < 0) {
		r->loaded = wrong;
		return why;
	}
	policy_only = applied;
	policy_only.devices_file = e->config->doc->devices_file;
	if (applied_load(e, &policy_only) < 0 && applied_load(e, &applied) < 0) {
		r->loaded = wrong;
		return why;
	}
	(void)loaded_free(wrong);
	r->applied = true;
	log_event(LOG_ERR, "start.applied", "error=\"%s\"", err->msg);
	/* Diagnostics say more than the log's line. */
	if (text != NULL && strcmp(text, err->msg) != 0)
		(void)fputs(text, stderr);
	free(e->start_error);
	e->start_error = TAKE(text);
	return 0;
}
