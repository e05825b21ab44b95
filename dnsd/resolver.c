/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A route's resolver: our own forwarder where all upstreams of the route resolve for us, libunbound where something is
 * resolved from the root, including that route's splits, or what forwarders say is validated. Owned by worker.c, asked
 * by query.c. */
#include "dnsd/resolver.h"

#include "dnsd/forward.h"
#include "dnsd/recursor.h"
#include "dnsd/recursor_config.h"

#define CERT_BUNDLE_FILE "/etc/ssl/certs/ca-certificates.crt"

struct resolver {
	char *config;
	struct recursor *recursor; /* one of the two */
	struct forward *forward;
};

int resolver_config(const struct route *route, char **ret, struct err *e)
{
	return recursor_config(route, ret, e);
}

int resolver_new(struct event_base *base, const struct route *route, const char *config, pthread_mutex_t *config_lock,
		 struct resolver **ret, struct err *e)
{
	struct resolver *r = calloc(1, sizeof(*r));
	int rc;

	if (r == NULL)
		return err_set(e, -ENOMEM, "resolver");
	r->config = strdup(config);
	if (r->config == NULL)
		rc = err_set(e, -ENOMEM, "resolver");
	else if (forward_can(route) && !recursor_validates(route))
		rc = forward_new(base, route, CERT_BUNDLE_FILE, &r->forward, e);
	else
		rc = recursor_new(base, route, config_lock, &r->recursor, e);
	if (rc != 0) {
		(void)resolver_free(r);
		return rc;
	}
	*ret = r;
	return 0;
}

struct resolver *resolver_free(struct resolver *r)
{
	if (r == NULL)
		return NULL;
	(void)recursor_free(r->recursor);
	(void)forward_free(r->forward);
	free(r->config);
	free(r);
	return NULL;
}

bool resolver_same(const struct resolver *r, const char *config)
{
	return strcmp(r->config, config) == 0;
}

bool resolver_caches(const struct resolver *r)
{
	return r->recursor != NULL;
}

uint32_t resolver_busy(const struct resolver *r)
{
	return r->forward != NULL ? forward_busy(r->forward) : recursor_busy(r->recursor);
}

int resolver_ask(struct resolver *r, const struct dname *name, uint16_t type, uint16_t flags, bool dnssec_ok,
		 resolver_done_fn *done, void *arg)
{
	if (r->forward != NULL)
		return forward_ask(r->forward, name, type, flags, dnssec_ok, done, arg);
	return recursor_ask(r->recursor, name, type, done, arg);
}

uint32_t resolver_status(const struct resolver *r, struct upstream_status *ret, uint32_t max)
{
	return r->forward != NULL ? forward_status(r->forward, ret, max) : 0;
}
