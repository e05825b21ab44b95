/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A route's resolver. Owned by worker.c, asked by query.c. */
#include "dnsd/resolver.h"

#include "dnsd/recursor.h"

struct resolver {
	char *config;
	struct recursor *recursor;
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
	rc = r->config == NULL ? err_set(e, -ENOMEM, "resolver")
			       : recursor_new(base, route, config_lock, &r->recursor, e);
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
	return recursor_busy(r->recursor);
}

int resolver_ask(struct resolver *r, const struct dname *name, uint16_t type, uint16_t flags, bool dnssec_ok,
		 resolver_done_fn *done, void *arg)
{
	(void)flags;
	(void)dnssec_ok;
	return recursor_ask(r->recursor, name, type, done, arg);
}
