/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The list compiler: what strangers wrote (block lists, address lists, databases of countries and networks) becomes one
 * compiled file, in a process that can do nothing else.
 *
 * Started by the launcher for one compilation, of block lists or of addresses. CONFIG first, by which it confines
 * itself before it reads a foreign byte: no files but the databases it was told of (libmaxminddb opens by name), no
 * sockets, no privileges; texts and the output arrive as open descriptors. Each source is read at once or noted;
 * LIST_COMPILE or PREFIX_COMPILE writes what they gave and is answered by its RESULT, also when a source before it
 * failed: then with that failure and nothing written. Then it ends. The readers (listfile_open, prefix_file_read) trust
 * nothing that is written here. */
#include "dnsd/listc.h"

#include "base/confine.h"
#include "base/ipc.h"
#include "base/log.h"
#include "base/slice.h"
#include "filter/listbuild.h"
#include "geo/iplist.h"
#include "geo/mmdb_ranges.h"
#include "geo/prefix_file.h"

#include <cjson/cJSON.h>
#include <fcntl.h>
#include <poll.h>
#include <sodium.h>
#include <sys/resource.h>

#define LISTC_NICE 19

/* Of the copy for the next start. */
#define COPY_CHUNK (1u << 20)

/* What PREFIX_WANT and PREFIX_LIST asked for. */
struct wanted {
	struct prefix_source items[PREFIX_SOURCES_MAX];
	struct ip_range *ranges[PREFIX_SOURCES_MAX]; /* of the items, to be freed */
	char keys[PREFIX_SOURCES_MAX][PREFIX_KEY_MAX];
	uint32_t n, refused;
	char said[200]; /* which lines were refused */
};

struct listc {
	cJSON *config;
	struct wanted *wanted;
	int channel;
	bool confined, done;
	struct list_builder *builder;
	struct list_counts sums;
	struct msg_list_counts counts[LISTS_MAX]; /* of the lists that were sent */
	uint32_t n_counts;
	int keep;	    /* a file for a copy; -1: none is wanted */
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

/* The database of a kind, as CONFIG named it; NULL: none. */
static const char *database(const struct listc *l, uint32_t kind)
{
	const char *name = kind == PREFIX_GEO ? "country" : "asn";

	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(l->config, name));
}

static int configure(struct listc *l, struct err *e)
{
	static const char *const files[] = { "fadvise64", "fsync", "openat", NULL };
	static const char *const copies[] = { "fadvise64", "fsync", NULL };
	struct confine c = { .role = "listc", .restrict_files = true, .syscalls = confine_base_syscalls };
	int r;

	l->config = cJSON_ParseWithLength((const char *)l->in.body, l->in.len);
	r = l->config == NULL ? err_set(e, -EBADMSG, "CONFIG: no JSON") : 0;
	if (r == 0)
		r = read_id(l->config, "uid", &c.uid, e);
	if (r == 0)
		r = read_id(l->config, "gid", &c.gid, e);
	for (uint32_t kind = PREFIX_GEO; kind <= PREFIX_ASN && r == 0; kind++) {
		const char *path = database(l, kind);

		if (path != NULL)
			c.paths[c.n_paths++] = (struct confine_path){ .path = path, .access = CONFINE_READ };
	}
	c.syscalls2 = c.n_paths != 0 ? files : copies;
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
	if (l->n_counts == LISTS_MAX || m.list >= LISTS_MAX) {
		(void)err_set(&l->failure, -E2BIG, "more than %u lists", LISTS_MAX);
		return;
	}
	if (m.trusted != 0 && list_builder_trust(l->builder, m.list, &l->failure) < 0)
		return;
	if (list_builder_add(l->builder, m.list, l->in.fds[0], &counts, &l->failure) < 0)
		return;
	l->sums.lines += counts.lines;
	l->sums.applied += counts.applied;
	l->sums.skipped += counts.skipped;
	l->sums.refused += counts.refused;
	l->counts[l->n_counts++] = (struct msg_list_counts){
		.list = m.list, .rules = counts.applied, .skipped = counts.skipped, .refused = counts.refused
	};
}

/* A channel that is full is waited for. */
static int send_answer(const struct listc *l, enum msg_type type, const void *body, size_t len, struct err *e)
{
	int r;

	while ((r = ipc_send(l->channel, type, body, len, NULL, 0, e)) == -EAGAIN) {
		r = wait_for(l->channel, POLLOUT, e);
		if (r < 0)
			return r;
	}
	return r;
}

static int send_result(struct listc *l, struct err *e)
{
	struct msg_list_result m = {
		.status = l->failure.code,
		.rules = l->sums.applied < UINT32_MAX ? (uint32_t)l->sums.applied : UINT32_MAX,
		.skipped = l->sums.skipped,
		.refused = l->sums.refused,
	};
	int r = 0;

	for (uint32_t i = 0; i < l->n_counts && r == 0; i++)
		r = send_answer(l, MSG_LIST_COUNTS, &l->counts[i], sizeof(l->counts[i]), e);
	(void)snprintf(m.text, sizeof(m.text), "%.*s", (int)sizeof(m.text) - 1, l->failure.msg);
	return r == 0 ? send_answer(l, MSG_LIST_RESULT, &m, sizeof(m), e) : r;
}

/* What is in @from, behind what the file has; its sum to @ret. */
static int copy_to_disk(int from, int to, struct msg_list_kept *ret, struct err *e)
{
	CLEANUP(freep) uint8_t *chunk = malloc(COPY_CHUNK);
	crypto_generichash_state sum;
	ssize_t n;

	if (chunk == NULL)
		return err_set(e, -ENOMEM, "out of memory");
	(void)crypto_generichash_init(&sum, NULL, 0, LIST_SUM_LEN);
	while ((n = pread(from, chunk, COPY_CHUNK, (off_t)ret->len)) > 0) {
		for (ssize_t done = 0, w; done < n; done += w) {
			w = write(to, chunk + done, (size_t)(n - done));
			if (w < 0)
				return err_set(e, -errno, "%s", strerror(errno));
		}
		(void)crypto_generichash_update(&sum, chunk, (unsigned long long)n);
		ret->len += (uint64_t)n;
	}
	(void)crypto_generichash_final(&sum, ret->sum, LIST_SUM_LEN);
	if (n < 0 || fsync(to) < 0)
		return err_set(e, -errno, "%s", strerror(errno));
	/* The next start reads it, until then nobody. Its pages are given back here, at the lowest priority, and not
	 * when gatewayd renames the next copy over it. */
	(void)posix_fadvise(to, 0, 0, POSIX_FADV_DONTNEED);
	return 0;
}

/* Behind the result: nobody waits for a disk. */
static int keep_copy(struct listc *l, struct err *e)
{
	struct msg_list_kept m = { 0 };
	struct err why = { 0 };

	m.status = copy_to_disk(l->in.fds[0], l->keep, &m, &why);
	(void)snprintf(m.text, sizeof(m.text), "%.*s", (int)sizeof(m.text) - 1, why.msg);
	return send_answer(l, MSG_LIST_KEPT, &m, sizeof(m), e);
}

static int compile(struct listc *l, struct err *e)
{
	int r;

	if (l->failure.code == 0)
		(void)list_builder_write(l->builder, l->in.fds[0], &l->failure);
	l->builder = list_builder_free(l->builder);
	l->done = true;
	r = send_result(l, e);
	return r == 0 && l->keep != -1 && l->failure.code == 0 ? keep_copy(l, e) : r;
}

/* A wish is remembered: a database is read once, for all that are wanted of it. */
static struct prefix_source *wanted_add(struct listc *l)
{
	struct msg_prefix_want m;
	struct prefix_source *s;

	memcpy(&m, l->in.body, sizeof(m));
	m.key[sizeof(m.key) - 1] = '\0';
	if (l->wanted == NULL)
		l->wanted = calloc(1, sizeof(*l->wanted));
	if (l->wanted == NULL || l->wanted->n == PREFIX_SOURCES_MAX || m.kind >= PREFIX_KIND_MAX) {
		(void)err_set(&l->failure, -E2BIG, "more than %u countries, networks and address lists",
			      PREFIX_SOURCES_MAX);
		return NULL;
	}
	(void)snprintf(l->wanted->keys[l->wanted->n], PREFIX_KEY_MAX, "%s", m.key);
	s = &l->wanted->items[l->wanted->n];
	*s = (struct prefix_source){ .kind = (enum prefix_kind)m.kind, .key = l->wanted->keys[l->wanted->n++] };
	return s;
}

static void add_iplist(struct listc *l)
{
	struct prefix_source *s = l->failure.code == 0 ? wanted_add(l) : NULL;
	struct iplist list = { 0 };
	struct err why = { 0 };
	int r = s != NULL ? iplist_read_fd(l->in.fds[0], &list, &why) : 0;

	if (s == NULL)
		return;
	if (r < 0) {
		(void)err_set(&l->failure, r, "iplist %s: %.160s", s->key, why.msg);
		return;
	}
	if (list.refused != 0 && l->wanted->refused == 0)
		(void)snprintf(l->wanted->said, sizeof(l->wanted->said),
			       "iplist %.60s: %u lines refused, the first is %u", s->key, list.refused,
			       list.refused_lines[0]);
	l->wanted->refused += list.refused;
	s->ranges = l->wanted->ranges[s - l->wanted->items] = list.ranges;
	s->n_ranges = list.n;
}

/* All that is wanted of one database. */
static int read_database(struct listc *l, enum prefix_kind kind, struct err *e)
{
	CLEANUP(freep) struct mmdb_wanted *keys = calloc(PREFIX_SOURCES_MAX, sizeof(*keys));
	struct wanted *w = l->wanted;
	uint32_t n = 0;
	int r;

	if (keys == NULL)
		return err_set(e, -ENOMEM, "out of memory");
	for (uint32_t i = 0; i < w->n; i++) {
		if (w->items[i].kind == kind)
			keys[n++].key = w->items[i].key;
	}
	if (n == 0)
		return 0;
	if (database(l, kind) == NULL)
		return err_set(e, -ENOENT, "no %s database", kind == PREFIX_GEO ? "country" : "network");
	r = mmdb_ranges_read(database(l, kind), kind, keys, n, e);
	n = 0;
	for (uint32_t i = 0; i < w->n; i++) {
		if (w->items[i].kind != kind)
			continue;
		w->items[i].ranges = w->ranges[i] = keys[n].ranges;
		w->items[i].n_ranges = keys[n++].n;
	}
	return r;
}

static int prefixes_compile(struct listc *l, struct err *e)
{
	struct msg_prefix_result m = { 0 };

	if (l->failure.code == 0 && l->wanted == NULL)
		(void)err_set(&l->failure, -EBADMSG, "no addresses are wanted");
	for (int kind = PREFIX_GEO; kind <= PREFIX_ASN && l->failure.code == 0; kind++)
		(void)read_database(l, (enum prefix_kind)kind, &l->failure);
	if (l->failure.code == 0)
		(void)prefix_file_write(l->in.fds[0], l->wanted->items, l->wanted->n, &l->failure);
	l->done = true;
	m.status = l->failure.code;
	m.refused = l->wanted != NULL ? l->wanted->refused : 0;
	(void)snprintf(m.text, sizeof(m.text), "%.*s", (int)sizeof(m.text) - 1,
		       m.status < 0 ? l->failure.msg : l->wanted->said);
	return send_answer(l, MSG_PREFIX_RESULT, &m, sizeof(m), e);
}

static void wanted_free(struct wanted *w)
{
	for (uint32_t i = 0; w != NULL && i < w->n; i++)
		free(w->ranges[i]);
	free(w);
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
	case MSG_LIST_KEEP:
		fd_closep(&l->keep);
		l->keep = fd_take(&l->in.fds[0]);
		return 0;
	case MSG_LIST_COMPILE:
		return compile(l, e);
	case MSG_PREFIX_WANT:
		(void)(l->failure.code == 0 ? wanted_add(l) : NULL);
		return 0;
	case MSG_PREFIX_LIST:
		add_iplist(l);
		return 0;
	case MSG_PREFIX_COMPILE:
		return prefixes_compile(l, e);
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
	/* Whoever waits for an answer goes first; what is compiled can wait. */
	(void)setpriority(PRIO_PROCESS, 0, LISTC_NICE);
	slice_short();
	if (l == NULL)
		return 1;
	l->channel = channel_fd;
	l->keep = -1;
	r = serve(l, &e);
	if (r == -EPIPE)
		log_event(LOG_NOTICE, "listc.stopped", "reason=\"channel closed\"");
	else if (r < 0)
		log_event(LOG_ERR, "listc.failed", "error=\"%s\"", e.msg);
	list_builder_free(l->builder);
	fd_closep(&l->keep);
	wanted_free(l->wanted);
	cJSON_Delete(l->config);
	free(l);
	return r < 0 && r != -EPIPE ? 1 : 0;
}
