/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Messages between the threads of dnsd. */
#pragma once

#include "base/err.h"
#include "dnsd/snapshot.h"
#include "sluice/msg.h"

enum mail_type {
	MAIL_LISTEN = 0,  /* to a worker: .fd, .listen */
	MAIL_CHANNEL,	  /* to a worker: .fd, its learn channel */
	MAIL_VIEWS,	  /* to a worker: .snapshot */
	MAIL_COOKIE_KEYS, /* to a worker: .cookie_keys */
	MAIL_TLS,	  /* to a worker: .tls, .tls_msg: a certificate, before the sockets of its number */
	MAIL_READY,	  /* to main: .worker answers by .generation */
	MAIL_FAILED,	  /* to main: .worker cannot go on */
	MAIL_ANCHOR,	  /* to main: the root's keys were asked for, .failed or not; the kept file may have changed */
	MAIL_COMMAND,	  /* to a worker: .command, to be filled in; back to main: filled in */
	MAIL_DNSTAP,	  /* to a worker: .fd, a connection to the reader; to main: .worker has lost its */
	MAIL_QUERY_LOG,	  /* to a worker: .fd, its channel to the recorder */
	MAIL_TYPE_MAX
};

struct command;

/* Plain data; .fd, .tls, .snapshot (one reference each) and .command belong to whoever holds the mail. */
struct mail {
	struct mail *next;
	enum mail_type type;
	uint32_t worker;
	int fd; /* -1 = none */
	struct msg_listen listen;
	struct msg_cookie_keys cookie_keys;
	struct ssl_ctx_st *tls;
	struct msg_tls tls_msg;
	struct snapshot *snapshot;
	uint64_t generation;
	bool failed;
	struct command *command;
};

struct mailbox;

struct mailbox *mailbox_new(struct err *e);
struct mailbox *mailbox_free(struct mailbox *b);
/* Readable when there is mail. */
int mailbox_fd(const struct mailbox *b);
/* Any thread. @m: copied; what it owns is taken, also on failure. 0 or -ENOMEM. */
int mailbox_post(struct mailbox *b, const struct mail *m);
/* All mail in order, or NULL; each is freed with mail_free(). */
struct mail *mailbox_take(struct mailbox *b);
struct mail *mail_free(struct mail *m);
