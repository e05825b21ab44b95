/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A download's way: due → FETCHING (NAME.new, by the fetch child) → FETCHED → CHECKING (compiled alone by listc) →
 * INSTALLED (NAME.txt by rename(2), the text before it is NAME.old) → RELOADING (with all others of the plan, and the
 * policy's tests) → in force. Whatever fails on it leaves NAME.txt, or puts NAME.old back; it is said in `status` and
 * tried again with growing pauses. Wherever a process is killed, NAME.txt is a whole text.
 *
 * The fetch child lives for as long as something is FETCHING. Checks and the reload wait for reloads that are under
 * way: there is one list compiler. */
#include "gatewayd/downloads.h"

#include "base/log.h"
#include "gatewayd/command_lists.h"
#include "gatewayd/disk_file.h"
#include "gatewayd/engine.h"

#include <event2/event.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <time.h>

/* The calendar may be set while we wait. */
#define LOOK_AGAIN_S 3600
/* More than the downloader's own limits, four at a time (fetch/transfer.h): it hangs. */
#define ROUND_S 3600u

static const char *const stage_names[] = {
	[DOWNLOAD_IDLE] = "idle",	  [DOWNLOAD_FETCHING] = "fetching",   [DOWNLOAD_FETCHED] = "fetched",
	[DOWNLOAD_CHECKING] = "checking", [DOWNLOAD_INSTALLED] = "installed", [DOWNLOAD_RELOADING] = "reloading",
};
static_assert(ARRAY_LEN(stage_names) == DOWNLOAD_STAGE_MAX, "names");

const char *download_stage_name(enum download_stage stage)
{
	return stage_names[stage];
}

bool download_path(const struct engine *e, const struct download *d, const char *ending, char *ret)
{
	return snprintf(ret, PATH_MAX, "%s/lists/%s.%s", e->config->doc->state_dir, d->name, ending) < PATH_MAX;
}

static void remove_file(const struct engine *e, const struct download *d, const char *ending)
{
	char path[PATH_MAX];

	if (download_path(e, d, ending, path))
		(void)unlink(path);
}

struct download *download_find(const struct downloads *all, enum download_kind kind, const char *name)
{
	struct download *d;

	TAILQ_FOREACH(d, &all->all, next)
	{
		if (d->kind == kind && strcmp(d->name, name) == 0)
			return d;
	}
	return NULL;
}

static void meta_load(const struct engine *e, struct download *d)
{
	CLEANUP(freep) char *text = NULL;
	char path[PATH_MAX];
	struct err ignored = { 0 };
	size_t len = 0;

	d->have = download_path(e, d, "txt", path) && access(path, R_OK) == 0;
	if (download_path(e, d, "json", path) && file_read(path, DOWNLOAD_META_MAX, &text, &len, &ignored) == 0)
		(void)download_meta_parse(text, len, &d->meta);
	if (strcmp(d->meta.url, d->url) == 0 && d->have)
		return;
	/* Of another place, or gone: nothing that the server may compare with. */
	d->meta.etag[0] = d->meta.modified[0] = d->meta.sha256[0] = '\0';
	d->meta.looked_s = 0;
	if (strcmp(d->meta.url, d->url) != 0)
		d->meta.failures = 0;
}

static void meta_save(const struct engine *e, const struct download *d)
{
	CLEANUP(freep) char *text = download_meta_print(&d->meta);
	char folder[PATH_MAX], name[NAME_MAX + 1];
	struct err err = { 0 };

	(void)snprintf(folder, sizeof(folder), "%s/lists", e->config->doc->state_dir);
	if (text == NULL || snprintf(name, sizeof(name), "%s.json", d->name) >= (int)sizeof(name) ||
	    file_replace(folder, name, text, strlen(text), &err) < 0)
		log_event(LOG_WARNING, "download.unkept", "list=%s error=\"%s\"", d->name, err.msg);
}

static void settle(struct engine *e, struct download *d)
{
	int64_t now_s = time(NULL);

	d->stage = DOWNLOAD_IDLE;
	d->by_hand = false;
	d->forced = false;
	d->meta.tried_s = now_s;
	(void)snprintf(d->meta.url, sizeof(d->meta.url), "%s", d->url);
	d->next_s = download_due_s(&d->meta, d->have, d->refresh_s, randombytes_random(), now_s);
	remove_file(e, d, "new");
	meta_save(e, d);
	downloads_wake(e);
}

void download_refused(struct engine *e, struct download *d, const char *why)
{
	d->meta.failures += d->meta.failures < UINT32_MAX;
	(void)snprintf(d->meta.error, sizeof(d->meta.error), "%.*s", (int)strcspn(why, "\n"), why);
	/* JSON and the log are text; in the log it stands between quotes. */
	for (char *c = d->meta.error; *c != '\0'; c++) {
		if (*c == '"')
			*c = '\'';
		else if (*c < ' ' || *c > '~')
			*c = '?';
	}
	settle(e, d);
	log_event(LOG_WARNING, "download.failed", "list=%s failures=%u next_s=%lld error=\"%s\"", d->name,
		  d->meta.failures, (long long)(d->next_s - d->meta.tried_s), d->meta.error);
}

/* The server has nothing newer than what is in its place. */
static void unchanged(struct engine *e, struct download *d, const struct msg_fetch_result *r)
{
	d->meta.looked_s = time(NULL);
	d->meta.failures = 0;
	d->meta.error[0] = '\0';
	/* A 304 need not repeat them. */
	if (r->etag[0] != '\0')
		(void)snprintf(d->meta.etag, sizeof(d->meta.etag), "%.*s", (int)sizeof(d->meta.etag) - 1, r->etag);
	if (r->modified[0] != '\0')
		(void)snprintf(d->meta.modified, sizeof(d->meta.modified), "%.*s", (int)sizeof(d->meta.modified) - 1,
			       r->modified);
	settle(e, d);
	log_event(LOG_INFO, "download.unchanged", "list=%s", d->name);
}

static void fetched(struct engine *e, struct download *d, const struct msg_fetch_result *r)
{
	char sha256[2 * FETCH_SUM_LEN + 1], why[200];

	(void)sodium_bin2hex(sha256, sizeof(sha256), r->sha256, sizeof(r->sha256));
	if (d->sha256 != NULL && strcmp(d->sha256, sha256) != 0) {
		(void)snprintf(why, sizeof(why), "its SHA-256 is %s, the policy says another", sha256);
		download_refused(e, d, why);
		return;
	}
	if (d->have && !d->forced && strcmp(d->meta.sha256, sha256) == 0) {
		unchanged(e, d, r);
		return;
	}
	d->fresh = (struct download_meta){ .bytes = r->bytes, .fetched_s = time(NULL), .looked_s = time(NULL) };
	(void)snprintf(d->fresh.sha256, sizeof(d->fresh.sha256), "%s", sha256);
	(void)snprintf(d->fresh.etag, sizeof(d->fresh.etag), "%.*s", (int)sizeof(d->fresh.etag) - 1, r->etag);
	(void)snprintf(d->fresh.modified, sizeof(d->fresh.modified), "%.*s", (int)sizeof(d->fresh.modified) - 1,
		       r->modified);
	d->stage = DOWNLOAD_FETCHED;
	downloads_wake(e);
}

static void round_end_if_done(struct engine *e)
{
	if (e->downloads.fetching == 0)
		supervise_stop(e->children, ROLE_FETCH);
}

int downloads_result(struct engine *e, const struct msg_fetch_result *r)
{
	struct download *d;

	if (r->status >= FETCH_STATUS_MAX)
		return -EBADMSG;
	TAILQ_FOREACH(d, &e->downloads.all, next)
	{
		if (d->id == r->id && d->stage == DOWNLOAD_FETCHING)
			break;
	}
	/* One that the plan does not have any more. */
	if (d == NULL)
		return 0;
	e->downloads.fetching--;
	if (r->status == FETCH_NOT_MODIFIED && d->have)
		unchanged(e, d, r);
	else if (r->status == FETCH_FETCHED)
		fetched(e, d, r);
	else
		download_refused(e, d, r->text);
	round_end_if_done(e);
	return 0;
}

static void all_lost(struct engine *e, const char *why)
{
	struct download *d;

	e->downloads.fetching = 0;
	TAILQ_FOREACH(d, &e->downloads.all, next)
	{
		if (d->stage == DOWNLOAD_FETCHING)
			download_refused(e, d, why);
	}
}

void downloads_fetch_lost(struct engine *e)
{
	all_lost(e, "the downloader ended without a result");
}

static int want_open(const struct engine *e, const struct download *d, struct err *err)
{
	char path[PATH_MAX];
	int fd;

	if (!download_path(e, d, "new", path))
		return err_set(err, -ENAMETOOLONG, "the path of the state folder is too long");
	/* Another file than before: a downloader that is about to be killed may still write that one. */
	(void)unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	return fd == -1 ? err_set(err, -errno, "%s: %s", path, strerror(errno)) : fd;
}

static void want_fill(struct downloads *all, struct download *d, struct msg_fetch_want *ret)
{
	/* A text that the policy does not want any more is not asked about. */
	bool compare = d->have && !d->forced && (d->sha256 == NULL || strcmp(d->sha256, d->meta.sha256) == 0);

	*ret = (struct msg_fetch_want){ .id = d->id = ++all->next_id, .size_max = DOWNLOAD_SIZE_MAX };
	(void)snprintf(ret->url, sizeof(ret->url), "%s", d->url);
	if (!compare)
		return;
	(void)snprintf(ret->etag, sizeof(ret->etag), "%s", d->meta.etag);
	(void)snprintf(ret->modified, sizeof(ret->modified), "%s", d->meta.modified);
}

static int round_begin(struct engine *e, struct err *err)
{
	if (supervise_fd(e->children, ROLE_FETCH) != -1)
		return 0;
	e->downloads.round_end_us = boot_us() + ROUND_S * 1000000ull;
	return supervise_start(e->children, ROLE_FETCH, true, err);
}

static void fetch_begin(struct engine *e, struct download *d)
{
	struct msg_fetch_want want;
	CLEANUP(fd_closep) int fd = -1;
	struct err err = { 0 };
	int r;

	if (strlen(d->url) >= FETCH_URL_MAX) {
		download_refused(e, d, "its URL is longer than 2047 bytes");
		return;
	}
	fd = want_open(e, d, &err);
	want_fill(&e->downloads, d, &want);
	r = fd < 0 ? fd : round_begin(e, &err);
	if (r == 0)
		r = ipc_send(supervise_fd(e->children, ROLE_FETCH), MSG_FETCH_WANT, &want, sizeof(want), &fd, 1, &err);
	/* Its channel is full: with the next result. */
	if (r == -EAGAIN && e->downloads.fetching != 0)
		return;
	if (r < 0) {
		download_refused(e, d, err.msg);
		return;
	}
	d->stage = DOWNLOAD_FETCHING;
	e->downloads.fetching++;
}

void download_install(struct engine *e, struct download *d)
{
	char text[PATH_MAX], fresh[PATH_MAX], old[PATH_MAX], why[256];

	if (!download_path(e, d, "txt", text) || !download_path(e, d, "new", fresh) ||
	    !download_path(e, d, "old", old)) {
		download_refused(e, d, "the path of the state folder is too long");
		return;
	}
	/* By link and rename: there is a text at any moment. */
	(void)unlink(old);
	if (d->have && link(text, old) == -1) {
		(void)snprintf(why, sizeof(why),
			       "the text in force cannot be kept as STATE/lists/%.60s.old: %s (is it root's?)", d->name,
			       strerror(errno));
		download_refused(e, d, why);
		return;
	}
	if (rename(fresh, text) == -1) {
		download_refused(e, d, strerror(errno));
		return;
	}
	d->stage = DOWNLOAD_INSTALLED;
	downloads_wake(e);
}

/* The policy's tests did not pass with it, or something else was wrong: the operator's next reload must not fail for
 * what a publisher did. */
static void put_back(struct engine *e, struct download *d, const char *why)
{
	char text[PATH_MAX], old[PATH_MAX], said[256];

	if (download_path(e, d, "txt", text) && download_path(e, d, "old", old) &&
	    (d->have ? rename(old, text) : unlink(text)) == -1)
		log_event(LOG_ERR, "download.stuck", "list=%s error=\"%s\"", d->name, strerror(errno));
	(void)snprintf(said, sizeof(said), "not taken: %.*s", (int)strcspn(why, "\n"), why);
	download_refused(e, d, said);
}

static void on_reloaded(void *arg, const struct reload_result *result)
{
	struct engine *e = arg;
	struct download *d;

	TAILQ_FOREACH(d, &e->downloads.all, next)
	{
		if (d->stage != DOWNLOAD_RELOADING)
			continue;
		if (!result->ok) {
			put_back(e, d, result->text);
			continue;
		}
		d->meta = d->fresh;
		d->have = true;
		settle(e, d);
		log_event(LOG_NOTICE, "download.taken", "list=%s rules=%llu bytes=%llu", d->name,
			  (unsigned long long)d->meta.rules, (unsigned long long)d->meta.bytes);
	}
}

static void reload_installed(struct engine *e)
{
	struct download *d;
	bool any = false;

	TAILQ_FOREACH(d, &e->downloads.all, next)
	{
		if (d->stage != DOWNLOAD_INSTALLED)
			continue;
		d->stage = DOWNLOAD_RELOADING;
		any = true;
	}
	if (any && engine_reload(e, RELOAD_DATA, on_reloaded, e) < 0)
		on_reloaded(e, &(struct reload_result){ .ok = false, .text = "out of memory" });
}

static struct download *first_fetched(const struct downloads *all)
{
	struct download *d;

	TAILQ_FOREACH(d, &all->all, next)
	{
		if (d->stage == DOWNLOAD_FETCHED)
			return d;
	}
	return NULL;
}

static void begin_due(struct engine *e, int64_t now_s)
{
	struct download *d;

	TAILQ_FOREACH(d, &e->downloads.all, next)
	{
		if (d->stage != DOWNLOAD_IDLE)
			continue;
		/* The clock was set back since. */
		if (d->next_s != INT64_MAX && d->next_s - now_s > 2 * (int64_t)d->refresh_s + DOWNLOAD_RETRY_MAX_S)
			d->next_s = download_due_s(&d->meta, d->have, d->refresh_s, 0, now_s);
		if (d->by_hand || d->next_s <= now_s)
			fetch_begin(e, d);
	}
}

static void give_up_late(struct engine *e)
{
	struct downloads *all = &e->downloads;
	uint64_t now_us = boot_us();

	if (all->fetching != 0 && now_us >= all->round_end_us) {
		supervise_stop(e->children, ROLE_FETCH);
		all_lost(e, "the downloader hangs");
	}
	if (all->checking != NULL && now_us >= all->check_end_us)
		(void)downloads_listc_lost(e, "it takes too long to compile");
}

/* Until the next attempt, or the end of what is under way. */
static void timer_set(struct engine *e, int64_t now_s)
{
	struct timeval tv = { .tv_sec = LOOK_AGAIN_S };
	const struct download *d;

	TAILQ_FOREACH(d, &e->downloads.all, next)
	{
		if (d->stage == DOWNLOAD_IDLE && d->next_s - now_s < tv.tv_sec)
			tv.tv_sec = d->next_s > now_s ? d->next_s - now_s : 1;
	}
	if (e->downloads.checking != NULL && tv.tv_sec > LISTS_COMPILE_TIMEOUT_S)
		tv.tv_sec = LISTS_COMPILE_TIMEOUT_S + 1;
	(void)evtimer_add(e->downloads.timer, &tv);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct engine *e = arg;
	struct downloads *all = &e->downloads;
	struct download *d;
	int64_t now_s = time(NULL);

	if (e->now.loaded == NULL)
		return;
	timer_set(e, now_s);
	give_up_late(e);
	begin_due(e, now_s);
	d = first_fetched(all);
	if (e->reload.stage == RELOAD_IDLE && all->checking == NULL && !e->lists_kept_waits) {
		if (d != NULL)
			downloads_check(e, d);
		else
			reload_installed(e);
	}
	command_lists_wake(e);
}

void downloads_wake(struct engine *e)
{
	const struct timeval now = { 0 };

	if (e->downloads.timer != NULL)
		(void)evtimer_add(e->downloads.timer, &now);
}

void download_update(struct engine *e, struct download *d, bool force)
{
	d->by_hand = true;
	d->forced = force;
	downloads_wake(e);
}

bool download_settled(const struct download *d)
{
	return d->stage == DOWNLOAD_IDLE && !d->by_hand;
}

static void download_free(struct engine *e, struct download *d)
{
	TAILQ_REMOVE(&e->downloads.all, d, next);
	e->downloads.n--;
	if (d->stage == DOWNLOAD_FETCHING)
		e->downloads.fetching--;
	if (e->downloads.checking == d)
		downloads_put_aside(e);
	free(d->name);
	free(d->url);
	free(d->sha256);
	free(d);
}

static bool same_source(const struct download *d, const struct plan_list *l)
{
	return strcmp(d->url, l->url) == 0 && d->trusted == l->trusted &&
	       (d->sha256 == NULL ? l->sha256 == NULL : l->sha256 != NULL && strcmp(d->sha256, l->sha256) == 0);
}

static void sync_one(struct engine *e, enum download_kind kind, const struct plan_list *l)
{
	struct download *d = download_find(&e->downloads, kind, l->name);

	/* A file is the operator's, who keeps it himself. */
	if (l->url == NULL || l->file != NULL || (d == NULL && e->downloads.n == DOWNLOADS_MAX))
		return;
	if (d != NULL && same_source(d, l)) {
		d->present = true;
		d->refresh_s = l->refresh_s;
		return;
	}
	d = calloc(1, sizeof(*d));
	if (d == NULL)
		return;
	*d = (struct download){ .kind = kind, .refresh_s = l->refresh_s, .trusted = l->trusted, .present = true };
	d->name = strdup(l->name);
	d->url = strdup(l->url);
	d->sha256 = l->sha256 != NULL ? strdup(l->sha256) : NULL;
	TAILQ_INSERT_TAIL(&e->downloads.all, d, next);
	e->downloads.n++;
	if (d->name == NULL || d->url == NULL || (l->sha256 != NULL && d->sha256 == NULL)) {
		download_free(e, d);
		return;
	}
	meta_load(e, d);
	d->next_s = download_due_s(&d->meta, d->have, d->refresh_s, randombytes_random(), time(NULL));
	/* The policy wants another text than this. */
	if (d->sha256 != NULL && strcmp(d->sha256, d->meta.sha256) != 0 && d->meta.failures == 0)
		d->next_s = 0;
}

void downloads_sync(struct engine *e)
{
	const struct doc_policy *policy = e->now.loaded->docs->policy;
	const struct plan *plan = e->now.loaded->plan;
	struct download *d, *following;

	TAILQ_FOREACH(d, &e->downloads.all, next)
	d->present = false;
	for (uint32_t i = 0; i < plan->n_lists; i++)
		sync_one(e, DOWNLOAD_LIST, &plan->lists[i]);
	for (uint32_t i = 0; i < policy->n_iplists; i++) {
		/* One place for both; a policy that has two is told so by `sluice lists`. */
		if (download_find(&e->downloads, DOWNLOAD_LIST, policy->iplists[i].name) == NULL)
			sync_one(e, DOWNLOAD_ADDRESSES, &policy->iplists[i]);
	}
	for (d = TAILQ_FIRST(&e->downloads.all); d != NULL; d = following) {
		following = TAILQ_NEXT(d, next);
		if (!d->present)
			download_free(e, d);
	}
	round_end_if_done(e);
	downloads_wake(e);
}

void downloads_want(struct engine *e, const struct doc_policy *policy)
{
	for (uint32_t i = 0; i < policy->n_iplists; i++) {
		if (download_find(&e->downloads, DOWNLOAD_LIST, policy->iplists[i].name) == NULL &&
		    download_find(&e->downloads, DOWNLOAD_ADDRESSES, policy->iplists[i].name) == NULL)
			sync_one(e, DOWNLOAD_ADDRESSES, &policy->iplists[i]);
	}
	downloads_wake(e);
}

int downloads_open(struct engine *e, struct err *err)
{
	e->downloads.timer = evtimer_new(e->base, on_timer, e);
	return e->downloads.timer != NULL ? 0 : err_set(err, -ENOMEM, "out of memory");
}

void downloads_close(struct engine *e)
{
	struct download *d;

	while ((d = TAILQ_FIRST(&e->downloads.all)) != NULL) {
		d->stage = DOWNLOAD_IDLE;
		e->downloads.checking = NULL;
		download_free(e, d);
	}
	if (e->downloads.timer != NULL)
		event_free(e->downloads.timer);
	fd_closep(&e->downloads.check_fd);
}
