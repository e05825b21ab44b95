/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The downloader: TLS, HTTP and whatever servers send, in a process that has the network and nothing else.
 *
 * CONFIG first, by which it confines itself before anything of the network is read: the files that name resolution and
 * certificates need, read-only; what is downloaded goes into descriptors that gatewayd has opened. Then FETCH_WANTs,
 * each answered by a FETCH_RESULT, FETCH_PARALLEL at a time. It ends when gatewayd closes the channel: a process a
 * round, so that nothing that a server did to it is there at the next. */
#include "fetch/role.h"

#include "base/confine.h"
#include "base/ipc.h"
#include "base/log.h"
#include "fetch/transfer.h"

#include <cjson/cJSON.h>
#include <poll.h>

/* Of one round: 64 lists, and address lists. */
#define FETCH_MAX 128u
/* A slow server does not keep the others waiting; more would only share the line. */
#define FETCH_PARALLEL 4u
/* curl's own timers wake it earlier. */
#define FETCH_POLL_MS 1000

/* What distributions call the file of the authorities. */
static const char *const ca_files[] = { "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
					"/etc/ssl/cert.pem" };

/* getaddrinfo(3) and its configuration. */
static const char *const resolver_files[] = { "/etc/resolv.conf", "/etc/hosts",	   "/etc/nsswitch.conf",
					      "/etc/host.conf",	  "/etc/gai.conf", "/etc/services" };

static const char *const network_calls[] = { "socket", "socketpair", "connect", "bind", "openat", "fsync", NULL };

struct fetch {
	int channel;
	bool confined;
	const char *ca_file;
	CURLM *multi;
	struct transfer *transfers[FETCH_MAX];
	uint32_t n, begun, running;
	struct ipc_msg in;
};

static int read_id(const cJSON *json, const char *name, uint32_t *ret, struct err *e)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(json, name);

	if (!cJSON_IsNumber(v) || v->valuedouble < 0 || v->valuedouble > INT32_MAX ||
	    v->valuedouble != (double)(uint32_t)v->valuedouble)
		return err_set(e, -EBADMSG, "CONFIG: %s is missing or out of range", name);
	*ret = (uint32_t)v->valuedouble;
	return 0;
}

/* $SSL_CERT_FILE, as OpenSSL's programs and curl(1) take it: of the environment that gatewayd was started in. */
static const char *ca_find(void)
{
	const char *own = getenv("SSL_CERT_FILE");

	if (own != NULL && own[0] != '\0')
		return own;
	for (size_t i = 0; i < ARRAY_LEN(ca_files); i++) {
		if (access(ca_files[i], R_OK) == 0)
			return ca_files[i];
	}
	return NULL;
}

static int confine(struct fetch *f, uint32_t uid, uint32_t gid, struct err *e)
{
	struct confine c = { .role = "fetch",
			     .uid = uid,
			     .gid = gid,
			     .restrict_files = true,
			     .syscalls = confine_base_syscalls,
			     .syscalls2 = network_calls };

	for (size_t i = 0; i < ARRAY_LEN(resolver_files); i++) {
		if (access(resolver_files[i], R_OK) == 0)
			c.paths[c.n_paths++] =
				(struct confine_path){ .path = resolver_files[i], .access = CONFINE_READ };
	}
	if (f->ca_file != NULL && access(f->ca_file, R_OK) == 0)
		c.paths[c.n_paths++] = (struct confine_path){ .path = f->ca_file, .access = CONFINE_READ };
	return confine_enter(&c, e);
}

static int configure(struct fetch *f, struct err *e)
{
	cJSON *json = cJSON_ParseWithLength((const char *)f->in.body, f->in.len);
	uint32_t uid = 0, gid = 0;
	int r = json == NULL ? err_set(e, -EBADMSG, "CONFIG: no JSON") : read_id(json, "uid", &uid, e);

	if (r == 0)
		r = read_id(json, "gid", &gid, e);
	cJSON_Delete(json);
	/* OpenSSL's own configuration is read now, while it can be. */
	if (r == 0 && (sodium_init() < 0 || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK))
		r = err_set(e, -EIO, "libcurl or libsodium does not start");
	f->ca_file = ca_find();
	if (r == 0)
		r = confine(f, uid, gid, e);
	if (r < 0)
		return r;
	f->confined = true;
	f->multi = curl_multi_init();
	if (f->multi == NULL || curl_multi_setopt(f->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING) != CURLM_OK)
		return err_set(e, -ENOMEM, "out of memory");
	return 0;
}

static int add_want(struct fetch *f, struct err *e)
{
	struct transfer *t = calloc(1, sizeof(*t));

	if (t == NULL || f->n == FETCH_MAX) {
		free(t);
		return err_set(e, -E2BIG, "more than %u downloads, or no memory", FETCH_MAX);
	}
	memcpy(&t->want, f->in.body, sizeof(t->want));
	t->want.url[sizeof(t->want.url) - 1] = '\0';
	t->want.etag[sizeof(t->want.etag) - 1] = '\0';
	t->want.modified[sizeof(t->want.modified) - 1] = '\0';
	t->fd = fd_take(&f->in.fds[0]);
	f->transfers[f->n++] = t;
	return 0;
}

static int dispatch(struct fetch *f, struct err *e)
{
	if ((f->in.type == MSG_CONFIG) == f->confined)
		return err_set(e, -EBADMSG, "%s %s CONFIG", msg_name(f->in.type), f->confined ? "after" : "before");
	if (f->in.type == MSG_CONFIG)
		return configure(f, e);
	if (f->in.type == MSG_FETCH_WANT)
		return add_want(f, e);
	return err_set(e, -EBADMSG, "%s unexpected", msg_name(f->in.type));
}

static int receive(struct fetch *f, struct err *e)
{
	int r;

	while ((r = ipc_recv(f->channel, ROLE_FETCH, ROLE_GATEWAYD, &f->in, e)) == 0) {
		r = dispatch(f, e);
		ipc_msg_done(&f->in);
		if (r < 0)
			return r;
	}
	return r == -EAGAIN ? 0 : r;
}

/* A channel that is full has some hundreds of results in it: gatewayd does not read, and is waited for. */
static int send_result(struct fetch *f, const struct transfer *t, struct err *e)
{
	struct pollfd p = { .fd = f->channel, .events = POLLOUT };
	int r;

	while ((r = ipc_send(f->channel, MSG_FETCH_RESULT, &t->result, sizeof(t->result), NULL, 0, e)) == -EAGAIN) {
		if (poll(&p, 1, -1) == -1 && errno != EINTR)
			return err_set(e, -errno, "poll: %s", strerror(errno));
	}
	return r;
}

static int begin_more(struct fetch *f, struct err *e)
{
	while (f->begun < f->n && f->running < FETCH_PARALLEL) {
		struct transfer *t = f->transfers[f->begun++];
		struct err why = { 0 };
		int r = transfer_begin(t, f->ca_file, &why);

		if (r == 0 && curl_multi_add_handle(f->multi, t->easy) != CURLM_OK)
			r = err_set(&why, -ENOMEM, "out of memory");
		if (r == 0) {
			f->running++;
			continue;
		}
		(void)snprintf(t->result.text, sizeof(t->result.text), "%.*s", (int)sizeof(t->result.text) - 1,
			       why.msg);
		transfer_done(t);
		r = send_result(f, t, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int end_some(struct fetch *f, struct err *e)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(f->multi, &left)) != NULL) {
		struct transfer *t = NULL;
		CURLcode code = m->data.result;
		int r;

		if (m->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&t);
		(void)curl_multi_remove_handle(f->multi, m->easy_handle);
		f->running--;
		transfer_end(t, code);
		r = send_result(f, t, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int serve(struct fetch *f, struct err *e)
{
	for (;;) {
		struct curl_waitfd channel = { .fd = f->channel, .events = CURL_WAIT_POLLIN };
		struct pollfd p = { .fd = f->channel, .events = POLLIN };
		int running, r = receive(f, e);

		if (r == 0 && f->confined)
			r = begin_more(f, e);
		if (r < 0)
			return r;
		if (f->running == 0) {
			if (poll(&p, 1, -1) == -1 && errno != EINTR)
				return err_set(e, -errno, "poll: %s", strerror(errno));
			continue;
		}
		if (curl_multi_perform(f->multi, &running) != CURLM_OK ||
		    curl_multi_poll(f->multi, &channel, 1, FETCH_POLL_MS, NULL) != CURLM_OK)
			return err_set(e, -EIO, "curl_multi failed");
		r = end_some(f, e);
		if (r < 0)
			return r;
	}
}

int fetch_main(int channel_fd)
{
	struct fetch *f = calloc(1, sizeof(*f));
	struct err e = { 0 };
	int r;

	log_init("fetch", LOG_INFO);
	if (f == NULL)
		return 1;
	f->channel = channel_fd;
	r = serve(f, &e);
	if (r != -EPIPE)
		log_event(LOG_ERR, "fetch.failed", "error=\"%s\"", e.msg);
	for (uint32_t i = 0; i < f->n; i++) {
		if (f->transfers[i]->easy != NULL)
			(void)curl_multi_remove_handle(f->multi, f->transfers[i]->easy);
		transfer_done(f->transfers[i]);
		free(f->transfers[i]);
	}
	if (f->multi != NULL)
		(void)curl_multi_cleanup(f->multi);
	free(f);
	return r == -EPIPE ? 0 : 1;
}
