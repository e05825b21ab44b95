/* SPDX-License-Identifier: GPL-3.0-or-later */
/* libunbound by its event API: no threads, no processes, the raw answer in a callback. Owned and asked by
 * resolver.c.
 *
 * Options freeze with the first question, so a context is its configuration text: when the text of new views differs, a
 * new context takes its place and the old one is freed after its last callback, by the worker, outside of libunbound.
 *
 * The text that identifies a resolver names upstreams with TLS by their address and certificate name; the one that
 * libunbound reads names the relay of dot.c in their place, whose port is this resolver's own.
 *
 * What the text must ensure: a split suffix goes to its own forwarders and nowhere else (forward-first no), whatever
 * unbound's built-in local zones say of it (transparent) and whether its parent is signed (domain-insecure); an alias
 * from a public name into a split suffix takes the split's forwarder too, because it is the same context. */
#include "dnsd/recursor.h"

#include <fcntl.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <unbound-event.h>
#include <unbound.h>

#include "dnsd/dot.h"

#define TRUST_ANCHOR_FILE "/usr/share/dns/root.key"
#define CERT_BUNDLE_FILE  "/etc/ssl/certs/ca-certificates.crt"
/* Of the text: 64 splits of four upstreams take 30 kB. Generous, since policies are the operator's own. */
#define CONFIG_TEXT_MAX (4u << 20)
#define CONFIG_FD_PATH	"/proc/self/fd/%d"

struct recursor {
	struct ub_ctx *ctx;
	struct dot *dot; /* NULL without TLS */
	pthread_mutex_t *config_lock;
	uint32_t busy;
};

struct ask {
	struct recursor *r;
	resolver_done_fn *done;
	void *arg;
};

/* The fixed part. Cache sizes are per worker: 12 MB hold some 40,000 names. outgoing-range: sockets at once, one a
 * question that waits for an upstream. */
static const char config_head[] = "server:\n"
				  "\tverbosity: 0\n"
				  "\tval-log-level: 0\n"
				  "\tdo-not-query-localhost: no\n"
				  "\tunblock-lan-zones: yes\n"
				  "\tinsecure-lan-zones: yes\n"
				  "\tqname-minimisation: yes\n"
				  "\tmsg-cache-size: 4m\n"
				  "\tmsg-cache-slabs: 1\n"
				  "\trrset-cache-size: 8m\n"
				  "\trrset-cache-slabs: 1\n"
				  "\tkey-cache-size: 1m\n"
				  "\tkey-cache-slabs: 1\n"
				  "\tneg-cache-size: 1m\n"
				  "\tinfra-cache-slabs: 1\n"
				  "\tinfra-cache-numhosts: 2000\n"
				  "\tinfra-keep-probing: yes\n"
				  "\tnum-queries-per-thread: 4096\n"
				  "\toutgoing-range: 1024\n"
				  "\toutgoing-num-tcp: 64\n"
				  "\tedns-buffer-size: 1232\n"
				  "\tuse-caps-for-id: no\n"
				  "\tminimal-responses: yes\n"
				  "\tserve-expired: no\n"
				  "\tso-reuseport: no\n"
				  "\tuse-syslog: no\n"
				  "\tchroot: \"\"\n"
				  "\tusername: \"\"\n";

struct text {
	char *buf;
	size_t len, cap;
	int err;
	struct dot *dot; /* relays for upstreams with TLS; NULL: written as what they are */
};

PRINTF_LIKE(2, 3) static void text_add(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (t->err != 0)
		return;
	va_start(ap, fmt);
	n = vsnprintf(t->buf + t->len, t->cap - t->len, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= t->cap - t->len)
		t->err = -E2BIG;
	else
		t->len += (size_t)n;
}

/* A name as unbound's configuration file takes it: letters, digits, '-', '_', '*' as they are, the rest as \ddd. */
static void text_name(struct text *t, const struct dname *n)
{
	for (size_t i = 0; i < n->len && n->wire[i] != 0; i += n->wire[i] + 1u) {
		for (size_t k = i + 1; k <= i + n->wire[i]; k++) {
			uint8_t c = n->wire[k];
			bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';

			if (plain)
				text_add(t, "%c", c);
			else
				text_add(t, "\\%03u", c);
		}
		text_add(t, ".");
	}
	if (n->labels == 0)
		text_add(t, ".");
}

static bool tls_name_plain(const char *name)
{
	return name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_")] == '\0';
}

static int text_upstream(struct text *t, const struct plan_upstream *u, struct err *e)
{
	char addr[IP_TEXT_MAX];
	uint16_t port = 0;
	int rc;

	if (u->tls_name != NULL && !tls_name_plain(u->tls_name))
		return err_set(e, -EBADMSG, "upstream %s: certificate name", ip_addr_print(&u->addr, addr));
	if (u->kind == UPSTREAM_TLS && t->dot != NULL) {
		rc = dot_add(t->dot, u, &port, e);
		text_add(t, "\tforward-addr: 127.0.0.1@%u\n", port);
		return rc;
	}
	text_add(t, "\tforward-addr: %s@%u", ip_addr_print(&u->addr, addr), u->port);
	if (u->kind == UPSTREAM_TLS && u->tls_name != NULL)
		text_add(t, "#%s", u->tls_name);
	text_add(t, "\n");
	return 0;
}

static bool upstreams_tls(const struct plan_upstream *us, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (us[i].kind == UPSTREAM_TLS)
			return true;
	return false;
}

/* A zone is all TLS or all plain: unbound decides it by zone. Where both are named, only those with TLS are used: what
 * was meant to be sealed is never sent in the clear. */
static int text_forward(struct text *t, const struct dname *zone, const struct plan_upstream *us, uint32_t n,
			struct err *e)
{
	enum upstream_kind kind = upstreams_tls(us, n) ? UPSTREAM_TLS : UPSTREAM_UDP;
	uint32_t used = 0;

	text_add(t, "forward-zone:\n\tname: \"");
	text_name(t, zone);
	text_add(t, "\"\n\tforward-first: no\n\tforward-tcp-upstream: %s\n", kind == UPSTREAM_TLS ? "yes" : "no");
	for (uint32_t i = 0; i < n; i++) {
		int rc;

		if (us[i].kind != kind)
			continue;
		rc = text_upstream(t, &us[i], e);
		if (rc != 0)
			return rc;
		used++;
	}
	/* A forward zone without addresses would be resolved from the root. */
	return used == 0 ? err_set(e, -EBADMSG, "a forwarded zone without an upstream") : 0;
}

static bool any_tls(const struct route *route)
{
	for (uint32_t i = 0; i < route->n_splits; i++)
		if (upstreams_tls(route->splits[i].upstreams, route->splits[i].n_upstreams))
			return true;
	return upstreams_tls(route->upstreams, route->n_upstreams);
}

static bool is_recursive(const struct route *route)
{
	return route->n_upstreams == 0 || route->upstreams[0].kind == UPSTREAM_RECURSIVE;
}

static int text_config(struct text *t, const struct route *route, struct err *e)
{
	static const struct dname root = { .len = 1 };
	bool validate = is_recursive(route) && access(TRUST_ANCHOR_FILE, R_OK) == 0;
	int rc = 0;

	text_add(t, "%s", config_head);
	text_add(t, "\tmodule-config: \"%s\"\n", validate ? "validator iterator" : "iterator");
	if (validate)
		text_add(t, "\ttrust-anchor-file: \"%s\"\n", TRUST_ANCHOR_FILE);
	/* Denials learned from a parent zone must not speak for a split suffix. */
	text_add(t, "\taggressive-nsec: %s\n", route->n_splits != 0 ? "no" : "yes");
	for (uint32_t i = 0; i < route->n_splits; i++) {
		text_add(t, "\tlocal-zone: \"");
		text_name(t, &route->splits[i].suffix);
		text_add(t, "\" transparent\n\tdomain-insecure: \"");
		text_name(t, &route->splits[i].suffix);
		text_add(t, "\"\n");
	}
	if (!is_recursive(route))
		rc = text_forward(t, &root, route->upstreams, route->n_upstreams, e);
	for (uint32_t i = 0; rc == 0 && i < route->n_splits; i++)
		rc = text_forward(t, &route->splits[i].suffix, route->splits[i].upstreams, route->splits[i].n_upstreams,
				  e);
	if (rc == 0 && t->err != 0)
		rc = err_set(e, t->err, "resolver configuration over %u bytes", CONFIG_TEXT_MAX);
	return rc;
}

static int config_write(const struct route *route, struct dot *dot, char **ret, struct err *e)
{
	struct text t = { .cap = CONFIG_TEXT_MAX, .dot = dot };
	char *fit;
	int rc;

	t.buf = malloc(t.cap);
	if (t.buf == NULL)
		return err_set(e, -ENOMEM, "resolver configuration");
	rc = text_config(&t, route, e);
	if (rc != 0) {
		free(t.buf);
		return rc;
	}
	fit = realloc(t.buf, t.len + 1);
	*ret = fit != NULL ? fit : t.buf;
	return 0;
}

int recursor_config(const struct route *route, char **ret, struct err *e)
{
	return config_write(route, NULL, ret, e);
}

/* ub_ctx_config() opens a file by name: the text is in memory and the name is that of our own descriptor. */
static int config_load(struct ub_ctx *ctx, const char *config, struct err *e)
{
	CLEANUP(fd_closep) int fd = memfd_create("resolver", MFD_CLOEXEC);
	size_t len = strlen(config);
	char path[sizeof(CONFIG_FD_PATH) + 12];
	int rc;

	if (fd == -1 || write(fd, config, len) != (ssize_t)len)
		return err_set(e, -errno, "resolver configuration: %s", strerror(errno));
	snprintf(path, sizeof(path), CONFIG_FD_PATH, fd);
	rc = ub_ctx_config(ctx, path);
	if (rc != 0)
		return err_set(e, -EBADMSG, "resolver configuration: %s", ub_strerror(rc));
	/* Its messages are about packets: a client must not be able to fill the log. */
	(void)ub_ctx_debugout(ctx, NULL);
	return 0;
}

static void probe_done(void *arg, int rcode, void *packet, int len, int sec, char *why, int was_ratelimited)
{
	(void)arg;
}

/* The configuration takes effect with the first question, and only then is it known whether it can. This name is
 * answered from the library's own data. */
static int probe(struct ub_ctx *ctx, struct err *e)
{
	int rc = ub_resolve_event(ctx, "localhost.", 1, 1, NULL, probe_done, NULL);

	return rc == 0 ? 0 : err_set(e, -EIO, "resolver: %s", ub_strerror(rc));
}

static int context_new(struct recursor *r, struct event_base *base, const struct route *route,
		       pthread_mutex_t *config_lock, struct err *e)
{
	CLEANUP(freep) char *config = NULL;
	int rc = any_tls(route) ? dot_new(base, CERT_BUNDLE_FILE, &r->dot, e) : 0;

	if (rc == 0)
		rc = config_write(route, r->dot, &config, e);
	if (rc != 0)
		return rc;
	assert(config != NULL);
	(void)pthread_mutex_lock(config_lock);
	r->ctx = ub_ctx_create_event(base);
	rc = r->ctx == NULL ? err_set(e, -ENOMEM, "resolver") : config_load(r->ctx, config, e);
	if (rc == 0)
		rc = probe(r->ctx, e);
	(void)pthread_mutex_unlock(config_lock);
	return rc;
}

int recursor_new(struct event_base *base, const struct route *route, pthread_mutex_t *config_lock,
		 struct recursor **ret, struct err *e)
{
	struct recursor *r = calloc(1, sizeof(*r));
	int rc;

	if (r == NULL)
		return err_set(e, -ENOMEM, "resolver");
	r->config_lock = config_lock;
	rc = context_new(r, base, route, config_lock, e);
	if (rc != 0) {
		(void)recursor_free(r);
		return rc;
	}
	*ret = r;
	return 0;
}

struct recursor *recursor_free(struct recursor *r)
{
	if (r == NULL)
		return NULL;
	assert(r->busy == 0);
	/* libunbound takes down what it keeps for all contexts with any of them. */
	(void)pthread_mutex_lock(r->config_lock);
	if (r->ctx != NULL)
		ub_ctx_delete(r->ctx);
	(void)pthread_mutex_unlock(r->config_lock);
	(void)dot_free(r->dot);
	free(r);
	return NULL;
}

uint32_t recursor_busy(const struct recursor *r)
{
	return r->busy;
}

static void ask_done(void *arg, int rcode, void *packet, int len, int sec, char *why, int was_ratelimited)
{
	struct ask *a = arg;
	struct ask copy = *a;
	struct resolver_answer answer = { .ede = EDE_NONE };
	enum resolver_security security = sec == 2 ? RESOLVER_SECURE : sec == 1 ? RESOLVER_BOGUS : RESOLVER_INSECURE;

	free(a);
	copy.r->busy--;
	/* With an rcode the buffer holds whatever was in it before. */
	if (rcode != 0 || packet == NULL || len <= 0) {
		answer.ede = EDE_NO_AUTHORITY;
		answer.text = "no upstream gave an answer";
	} else {
		answer.msg = packet;
		answer.len = (size_t)len;
		answer.security = security;
	}
	if (security == RESOLVER_BOGUS) {
		answer.ede = EDE_DNSSEC_BOGUS;
		answer.text = why;
	}
	copy.done(copy.arg, &answer);
}

int recursor_ask(struct recursor *r, const struct dname *name, uint16_t type, resolver_done_fn *done, void *arg)
{
	struct text t = { .cap = DNAME_TEXT_MAX + 1 };
	char text[DNAME_TEXT_MAX + 1];
	struct ask *a;
	int rc;

	t.buf = text;
	text_name(&t, name);
	if (t.err != 0)
		return t.err;
	a = malloc(sizeof(*a));
	if (a == NULL)
		return -ENOMEM;
	*a = (struct ask){ .r = r, .done = done, .arg = arg };
	r->busy++;
	rc = ub_resolve_event(r->ctx, text, type, 1, a, ask_done, NULL);
	if (rc == 0)
		return 0;
	r->busy--;
	free(a);
	return rc == UB_NOMEM ? -ENOMEM : -EIO;
}
