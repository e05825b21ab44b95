/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lists that keep themselves fresh: those of the policy in force that have a URL and no file are downloaded when they
 * are missing, when their time has come, and when somebody says so. What is in force is not touched before the new text
 * was compiled beside it. See downloads.c. */
#pragma once

#include "gatewayd/download_meta.h"
#include "sluice/plan.h"

#include <sys/queue.h>

struct doc_policy;
struct engine;
struct event;

#define DOWNLOAD_SIZE_MAX (256ull << 20) /* bytes of a text; the longest that is published has some 100 MB */
#define DOWNLOADS_MAX	  128u		 /* lists and address lists; the downloader takes as many a round */

enum download_kind { DOWNLOAD_LIST = 0, DOWNLOAD_ADDRESSES };

enum download_stage {
	DOWNLOAD_IDLE = 0,
	DOWNLOAD_FETCHING,
	DOWNLOAD_FETCHED,   /* waits to be checked */
	DOWNLOAD_CHECKING,  /* listc compiles it */
	DOWNLOAD_INSTALLED, /* in its place, and comes into force with the next reload */
	DOWNLOAD_RELOADING,
	DOWNLOAD_STAGE_MAX
};

struct download {
	TAILQ_ENTRY(download) next;
	enum download_kind kind;
	char *name, *url, *sha256; /* sha256: what the policy says that it must be, or NULL */
	uint32_t refresh_s, id;
	bool trusted, have, forced;
	bool by_hand; /* somebody waits for it */
	bool present; /* of downloads_sync(): the plan still has it */
	enum download_stage stage;
	int64_t next_s;		    /* CLOCK_REALTIME */
	struct download_meta meta;  /* of the text in force, and of the last attempt */
	struct download_meta fresh; /* of the text that came */
};

TAILQ_HEAD(download_head, download);

struct downloads {
	struct download_head all;
	struct download *checking;
	int check_fd; /* what listc writes into; -1 */
	uint32_t n, next_id, fetching;
	uint64_t round_end_us, check_end_us; /* CLOCK_BOOTTIME: then the child is given up */
	struct event *timer;
};

int downloads_open(struct engine *e, struct err *err);
void downloads_close(struct engine *e);
/* A plan is in force: its lists. */
void downloads_sync(struct engine *e);
/* A policy that is not in force, perhaps because its address lists are not there: those are fetched. */
void downloads_want(struct engine *e, const struct doc_policy *policy);
/* Look at what is to be done, soon: a reload has ended, listc is free. */
void downloads_wake(struct engine *e);
/* Download it now; @force: whatever its size. It is under way until download_settled(). */
void download_update(struct engine *e, struct download *d, bool force);
bool download_settled(const struct download *d);

/* For feed.c. FETCH_RESULT; -EBADMSG. */
int downloads_result(struct engine *e, const struct msg_fetch_result *r);
void downloads_fetch_lost(struct engine *e);
/* For reload.c: listc is needed for a reload; a check that is under way is done again later. */
void downloads_put_aside(struct engine *e);
/* downloads_check.c: the new text is compiled alone. Each of the calls below is false where it is no check that listc
 * speaks of. */
void downloads_check(struct engine *e, struct download *d);
bool downloads_feed_listc(const struct engine *e, int fd, int *ret);
bool downloads_counted(struct engine *e, const struct msg_list_counts *counts);
bool downloads_checked(struct engine *e, const struct msg_list_result *r);
bool downloads_addresses_checked(struct engine *e, const struct msg_prefix_result *r);
bool downloads_listc_lost(struct engine *e, const char *why);
/* What a check ends with: the text takes its place, or not. */
void download_refused(struct engine *e, struct download *d, const char *why);
void download_install(struct engine *e, struct download *d);
/* STATE/lists/NAME.@ending; @ret: PATH_MAX bytes. False: too long. */
bool download_path(const struct engine *e, const struct download *d, const char *ending, char *ret);

/* Of that name and kind, or NULL. */
struct download *download_find(const struct downloads *all, enum download_kind kind, const char *name);
const char *download_stage_name(enum download_stage stage);
