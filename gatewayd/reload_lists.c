/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The parts of a reload that are about the compiled lists: what each list came to, the copy that is kept of them, and
 * its use at a start. */
#include "base/log.h"
#include "gatewayd/engine.h"
#include "gatewayd/lists_kept.h"

bool engine_lists_reuse(struct engine *e)
{
	struct lists *l = e->reload.lists;
	struct err err = { 0 };
	uint64_t from_us = boot_us();
	int r = lists_kept_load(e->config->doc->state_dir, l, &err);

	if (r < 0) {
		if (r != -ENOENT)
			log_event(LOG_NOTICE, "lists.anew", "error=\"%s\"", err.msg);
		return false;
	}
	lists_close_files(l);
	log_event(LOG_INFO, "lists.kept", "rules=%llu ms=%.1f", (unsigned long long)l->rules,
		  (double)(boot_us() - from_us) / 1000);
	return true;
}

int engine_lists_counted(struct engine *e, const struct msg_list_counts *counts)
{
	return e->reload.stage == RELOAD_LISTS ? lists_counted(e->reload.lists, counts) : -EBADMSG;
}

void engine_lists_kept(struct engine *e, const struct msg_list_kept *kept)
{
	struct err err = { 0 };

	if (!e->lists_kept_waits || e->now.lists == NULL)
		return;
	if (lists_kept_end(e->config->doc->state_dir, e->now.lists, kept, &err) < 0)
		log_event(LOG_WARNING, "lists.unkept", "error=\"%s\"", err.msg);
}
