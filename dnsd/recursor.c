/* SPDX-License-Identifier: GPL-3.0-or-later */
/* libunbound by its event API: no threads, no processes, the raw answer in a callback. Owned and asked by
 * resolver.c.
 *
 * Options freeze with the first question, so a context is its configuration text: when the text of new views differs, a
 * new context takes its place and the old one is freed after its last callback, by the worker, outside of libunbound.
 *
 * The text that identifies a resolver names upstreams with TLS by their address and certificate name; the one that
 * libunbound reads names the relay of dot.c in their place, whose port is this resolver's own. */
#include "dnsd/recursor.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unbound-event.h>
#include <unbound.h>

#include "dnsd/bogus.h"
#include "dnsd/dot.h"
#include "dnsd/recursor_config.h"

#define CERT_BUNDLE_FILE "/etc/ssl/certs/ca-certificates.crt"
#define CONFIG_FD_PATH	 "/proc/self/fd/%d"

struct recursor {
	struct ub_ctx *ctx;
	struct dot *dot; /* NULL without TLS */
	struct bogus *bogus;
	pthread_mutex_t *config_lock;
	uint32_t busy;
};

struct ask {
	struct recursor *r;
	struct dname name;
	uint16_t type;
	resolver_done_fn *done;
	void *arg;
};

int recursor_config(const struct route *route, char **ret, struct err *e)
{
	return recursor_config_write(route, NULL, ret, e);
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
	int rc;

	r->bogus = bogus_new();
	if (r->bogus == NULL)
		return err_set(e, -ENOMEM, "resolver");
	rc = recursor_uses_tls(route) ? dot_new(base, CERT_BUNDLE_FILE, &r->dot, e) : 0;

	if (rc == 0)
		rc = recursor_config_write(route, r->dot, &config, e);
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
	(void)bogus_free(r->bogus);
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
	struct recursor *r = a->r;
	struct resolver_answer answer = { .ede = EDE_NONE };

	r->busy--;
	answer.security = sec == 2 ? RESOLVER_SECURE : sec == 1 ? RESOLVER_BOGUS : RESOLVER_INSECURE;
	/* With an rcode the buffer holds whatever was in it before. */
	if (rcode != 0 || packet == NULL || len <= 0) {
		answer.security = RESOLVER_INSECURE;
		answer.ede = EDE_NO_AUTHORITY;
		answer.text = "no authority or upstream gave an answer";
	} else {
		answer.msg = packet;
		answer.len = (size_t)len;
	}
	if (answer.security == RESOLVER_BOGUS)
		answer.ede = bogus_why(r->bogus, &a->name, a->type, why, &answer.text);
	/* The callee may ask again: what the answer borrows lives until it returns. */
	a->done(a->arg, &answer);
	free(a);
}

int recursor_ask(struct recursor *r, const struct dname *name, uint16_t type, resolver_done_fn *done, void *arg)
{
	char text[DNAME_TEXT_MAX + 1];
	struct ask *a;
	int rc = recursor_name(name, text, sizeof(text));

	if (rc != 0)
		return rc;
	a = malloc(sizeof(*a));
	if (a == NULL)
		return -ENOMEM;
	*a = (struct ask){ .r = r, .name = *name, .type = type, .done = done, .arg = arg };
	r->busy++;
	rc = ub_resolve_event(r->ctx, text, type, 1, a, ask_done, NULL);
	if (rc == 0)
		return 0;
	r->busy--;
	free(a);
	return rc == UB_NOMEM ? -ENOMEM : -EIO;
}
