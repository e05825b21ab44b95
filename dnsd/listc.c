/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The list compiler: texts that strangers wrote become one compiled file, in a process that can do nothing else.
 *
 * Started by the launcher for one compilation. CONFIG first, by which it confines itself before it reads a byte of a
 * list: no files, no sockets, no privileges; texts and the output arrive as open descriptors. Each LIST_SOURCE is read
 * at once; LIST_COMPILE writes what they gave and is answered by LIST_RESULT, also when a list before it failed: then
 * with that failure and nothing written. Then it ends. The reader (listfile_open) trusts nothing that is written here.
 */
#include "dnsd/listc.h"

#include "base/confine.h"
#include "base/ipc.h"
#include "base/log.h"
#include "filter/listbuild.h"

#include <cjson/cJSON.h>
#include <poll.h>

struct listc {
	int channel;
	bool confined, done;
	struct list_builder *builder;
	struct list_counts sums;
	struct err failure; /* the first of a list; told with LIST_RESULT */
	struct ipc_msg in;
};

static int wait_for(int fd, short events, struct err *e)
{
	struct pollfd p = { .fd = fd, .events = events };

	if (poll(&p, 1, -1) == -1 && errno != EINTR)
		return err_set(e, -errno, "poll: %s", strerror(errno));
	return 0;
}

static int read_id(const cJSON *json, const char *name, uint32_t *ret, struct err *e)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(json, name);

	if (!cJSON_IsNumber(v) || v->valuedouble < 0 || v->valuedouble > INT32_MAX ||
	    v->valuedouble != (double)(uint32_t)v->valuedouble)
		return err_set(e, -EBADMSG, "CONFIG: %s is missing or out of range", name);
	*ret = (uint32_t)v->valuedouble;
	return 0;
}

static int configure(struct listc *l, struct err *e)
{
	struct confine c = { .role = "listc", .restrict_files = true, .syscalls = confine_base_syscalls };
	cJSON *json = cJSON_ParseWithLength((const char *)l->in.body, l->in.len);
	int r = json == NULL ? err_set(e, -EBADMSG, "CONFIG: no JSON") : 0;

	if (r == 0)
		r = read_id(json, "uid", &c.uid, e);
	if (r == 0)
		r = read_id(json, "gid", &c.gid, e);
	cJSON_Delete(json);
	if (r == 0)
		r = confine_enter(&c, e);
	if (r < 0)
		return r;
	l->confined = true;
	l->builder = list_builder_new();
	return l->builder != NULL ? 0 : err_set(e, -ENOMEM, "list builder");
}

/* A list that fails is remembered, not returned: the asker is told when it asks for the result. */
static void add_source(struct listc *l)
{
	struct list_counts counts = { 0 };
	struct msg_list_source m;

	memcpy(&m, l->in.body, sizeof(m));
	if (l->failure.code != 0)
		return;
	if (list_builder_add(l->builder, m.list, l->in.fds[0], &counts, &l->failure) < 0)
		return;
	l->sums.lines += counts.lines;
	l->sums.applied += counts.applied;
	l->sums.skipped += counts.skipped;
	l->sums.refused += counts.refused;
}

static int send_result(struct listc *l, struct err *e)
{
	struct msg_list_result m = {
		.status = l->failure.code,
		.rules = l->sums.applied < UINT32_MAX ? (uint32_t)l->sums.applied : UINT32_MAX,
		.skipped = l->sums.skipped,
		.refused = l->sums.refused,
	};
	int r;

	(void)snprintf(m.text, sizeof(m.text), "%.*s", (int)sizeof(m.text) - 1, l->failure.msg);
	while ((r = ipc_send(l->channel, MSG_LIST_RESULT, &m, sizeof(m), NULL, 0, e)) == -EAGAIN) {
		r = wait_for(l->channel, POLLOUT, e);
		if (r < 0)
			return r;
	}
	return r;
}

static int compile(struct listc *l, struct err *e)
{
	if (l->failure.code == 0)
		(void)list_builder_write(l->builder, l->in.fds[0], &l->failure);
	l->done = true;
	return send_result(l, e);
}

static int dispatch(struct listc *l, struct err *e)
{
	if ((l->in.type == MSG_CONFIG) == l->confined)
		return err_set(e, -EBADMSG, "%s %s CONFIG", msg_name(l->in.type), l->confined ? "after" : "before");
	switch (l->in.type) {
	case MSG_CONFIG:
		return configure(l, e);
	case MSG_LIST_SOURCE:
		add_source(l);
		return 0;
	case MSG_LIST_COMPILE:
		return compile(l, e);
	default: /* checked by ipc_recv() to be for us, but there is no such message yet */
		return err_set(e, -EBADMSG, "%s unexpected", msg_name(l->in.type));
	}
}

static int serve(struct listc *l, struct err *e)
{
	while (!l->done) {
		int r = ipc_recv(l->channel, ROLE_LISTC, ROLE_GATEWAYD, &l->in, e);

		if (r == -EAGAIN) {
			r = wait_for(l->channel, POLLIN, e);
		} else if (r == 0) {
			r = dispatch(l, e);
			ipc_msg_done(&l->in);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

int listc_main(int channel_fd)
{
	struct listc *l = calloc(1, sizeof(*l));
	struct err e = { 0 };
	int r;

	log_init("listc", LOG_INFO);
	if (l == NULL)
		return 1;
	l->channel = channel_fd;
	r = serve(l, &e);
	if (r == -EPIPE)
		log_event(LOG_NOTICE, "listc.stopped", "reason=\"channel closed\"");
	else if (r < 0)
		log_event(LOG_ERR, "listc.failed", "error=\"%s\"", e.msg);
	list_builder_free(l->builder);
	free(l);
	return r < 0 && r != -EPIPE ? 1 : 0;
}
