/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A text that came is compiled alone before it takes the place of the old one, by the list compiler and into a memfd
 * that nobody uses: whether it can be, and how many rules it has. */
#include "base/log.h"
#include "gatewayd/downloads.h"
#include "gatewayd/engine.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>

static void check_end(struct engine *e)
{
	supervise_stop(e->children, ROLE_LISTC);
	e->downloads.checking = NULL;
	fd_closep(&e->downloads.check_fd);
	downloads_wake(e);
}

void downloads_put_aside(struct engine *e)
{
	if (e->downloads.checking == NULL)
		return;
	e->downloads.checking->stage = DOWNLOAD_FETCHED;
	check_end(e);
}

void downloads_check(struct engine *e, struct download *d)
{
	struct downloads *all = &e->downloads;
	struct err err = { 0 };

	all->check_fd = memfd_create("check", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (all->check_fd == -1) {
		download_refused(e, d, strerror(errno));
		return;
	}
	d->stage = DOWNLOAD_CHECKING;
	all->checking = d;
	all->check_end_us = boot_us() + LISTS_COMPILE_TIMEOUT_S * 1000000ull;
	if (supervise_start(e->children, ROLE_LISTC, true, &err) < 0)
		(void)downloads_listc_lost(e, err.msg);
}

bool downloads_feed_listc(const struct engine *e, int fd, int *ret)
{
	const struct download *d = e->downloads.checking;
	const struct msg_list_source source = { .list = 0, .trusted = d != NULL && d->trusted };
	struct msg_prefix_want want = { .kind = PREFIX_LIST };
	CLEANUP(fd_closep) int text = -1;
	char path[PATH_MAX];
	uint8_t none = 0;
	int r;

	if (d == NULL)
		return false;
	text = download_path(e, d, "new", path) ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
	(void)snprintf(want.key, sizeof(want.key), "%.63s", d->name);
	if (text == -1)
		r = -errno;
	else if (d->kind == DOWNLOAD_LIST)
		r = ipc_send(fd, MSG_LIST_SOURCE, &source, sizeof(source), &text, 1, NULL);
	else
		r = ipc_send(fd, MSG_PREFIX_LIST, &want, sizeof(want), &text, 1, NULL);
	if (r == 0)
		r = ipc_send(fd, d->kind == DOWNLOAD_LIST ? MSG_LIST_COMPILE : MSG_PREFIX_COMPILE, &none, sizeof(none),
			     &e->downloads.check_fd, 1, NULL);
	*ret = r;
	return true;
}

bool downloads_listc_lost(struct engine *e, const char *why)
{
	struct download *d = e->downloads.checking;

	if (d == NULL)
		return false;
	check_end(e);
	download_refused(e, d, why);
	return true;
}

bool downloads_counted(struct engine *e, const struct msg_list_counts *counts)
{
	struct download *d = e->downloads.checking;

	if (d == NULL)
		return false;
	d->fresh.rules = counts->rules;
	d->fresh.skipped = counts->skipped;
	d->fresh.refused = counts->refused;
	return true;
}

/* Of the text that answers are given by now; 0: not known. */
static uint64_t rules_in_force(const struct engine *e, const struct download *d)
{
	const struct lists *l = e->now.lists;

	for (uint32_t i = 0; d->kind == DOWNLOAD_LIST && l != NULL && i < l->n; i++) {
		if (strcmp(l->items[i].name, d->name) == 0)
			return l->items[i].rules;
	}
	return d->have ? d->meta.rules : 0;
}

static void judge(struct engine *e, int32_t status, const char *text)
{
	struct download *d = e->downloads.checking;
	char why[256];

	check_end(e);
	if (status < 0) {
		download_refused(e, d, text);
		return;
	}
	if (!download_may_replace(d->fresh.rules, d->forced ? 0 : rules_in_force(e, d), why, sizeof(why))) {
		download_refused(e, d, why);
		return;
	}
	download_install(e, d);
}

bool downloads_checked(struct engine *e, const struct msg_list_result *r)
{
	if (e->downloads.checking == NULL || e->downloads.checking->kind != DOWNLOAD_LIST)
		return false;
	judge(e, r->status, r->text);
	return true;
}

bool downloads_addresses_checked(struct engine *e, const struct msg_prefix_result *r)
{
	struct downloads *all = &e->downloads;
	struct prefixes *p;
	struct err err = { 0 };

	if (all->checking == NULL || all->checking->kind != DOWNLOAD_ADDRESSES)
		return false;
	all->checking->fresh.refused = r->refused;
	if (r->status < 0) {
		judge(e, r->status, r->text);
		return true;
	}
	p = calloc(1, sizeof(*p));
	if (p == NULL) {
		judge(e, -ENOMEM, "out of memory");
		return true;
	}
	p->refs = 1;
	(void)prefixes_compiled(p, fd_take(&all->check_fd), r, &err);
	all->checking->fresh.rules = p->file.n_ranges;
	(void)prefixes_unref(p);
	judge(e, err.code, err.msg);
	return true;
}
