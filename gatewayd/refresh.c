/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Invariants: files that were read and refused are not read again before they change; nor are files that are being
 * written (two looks in a row must find the same), or a list would come into force by halves. */
#include "gatewayd/refresh.h"

#include "base/log.h"
#include "gatewayd/engine.h"

#include <event2/event.h>

/* FNV-1a, 64 bits: files are told apart, nobody is kept from forging it. */
#define FNV_START UINT64_C(14695981039346656037)
#define FNV_PRIME UINT64_C(1099511628211)

static uint64_t mix(uint64_t hash, uint64_t value)
{
	for (int i = 0; i < 8; i++)
		hash = (hash ^ (value >> (8 * i) & 0xff)) * FNV_PRIME;
	return hash;
}

static uint64_t mix_stamp(uint64_t hash, const struct list_stamp *s)
{
	hash = mix(mix(hash, s->dev), s->ino);
	hash = mix(hash, (uint64_t)s->size);
	return mix(mix(hash, (uint64_t)s->mtime.tv_sec), (uint64_t)s->mtime.tv_nsec);
}

/* What all files together are, as one number. @prefixes, @lists: NULL where they cannot be had, for reason @code. */
static uint64_t fingerprint(int code, const struct prefixes *prefixes, const struct lists *lists)
{
	uint64_t hash = mix(FNV_START, (uint64_t)-code);

	for (uint32_t i = 0; prefixes != NULL && i < prefixes->n; i++)
		hash = mix_stamp(hash, &prefixes->wants[i].stamp);
	for (uint32_t i = 0; lists != NULL && i < lists->n; i++)
		hash = mix_stamp(hash, &lists->items[i].stamp);
	return hash;
}

static uint64_t fingerprint_on_disk(const struct engine *e)
{
	const struct doc_gateway *g = e->config->doc;
	struct prefixes *prefixes = NULL;
	struct lists *lists = NULL;
	struct err ignored = { 0 };
	uint64_t hash;
	int r = prefixes_open(e->now.loaded->docs->policy, g, &prefixes, &ignored);

	if (r == 0)
		r = lists_open(e->now.loaded->plan, g->policy_file, g->state_dir, &lists, &ignored);
	hash = fingerprint(r, prefixes, lists);
	(void)prefixes_unref(prefixes);
	(void)lists_free(lists);
	return hash;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct engine *e = arg;
	struct refresh *r = &e->refresh;
	uint64_t disk;
	bool stale;

	dns_tls_refresh(e, /* at_once= */ false);
	if (e->now.loaded == NULL || e->reload.stage != RELOAD_IDLE)
		return;
	disk = fingerprint_on_disk(e);
	/* Those of before may have come back: then the error is over. */
	stale = disk != fingerprint(0, e->now.loaded->prefixes, e->now.lists) || e->error_what == RELOAD_DATA;
	if (stale && disk == r->seen && disk != r->tried) {
		log_event(LOG_NOTICE, "data.changed", "gen=%llu", (unsigned long long)e->now.generation);
		r->tried = disk;
		(void)engine_reload(e, RELOAD_DATA, NULL, NULL);
	}
	r->seen = disk;
}

int refresh_open(struct engine *e, struct err *err)
{
	const struct timeval every = { .tv_sec = e->config->doc->refresh_s };

	if (every.tv_sec == 0)
		return 0;
	e->refresh.timer = event_new(e->base, -1, EV_PERSIST, on_timer, e);
	if (e->refresh.timer == NULL || event_add(e->refresh.timer, &every) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	return 0;
}

void refresh_close(struct engine *e)
{
	if (e->refresh.timer != NULL)
		event_free(e->refresh.timer);
}
