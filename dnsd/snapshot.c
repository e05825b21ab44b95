/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The immutable thing that threads share. Made by main.c from a VIEWS message, swapped into each worker by a mail,
 * freed by whoever drops the last reference. Its members are never written after snapshot_new(). */
#include "dnsd/snapshot.h"

#include <stdatomic.h>
#include <sys/mman.h>

#include "base/ipc.h"
#include "dnsd/resolver.h"
#include "geo/view_prefixes.h"

struct snapshot {
	atomic_uint refs;
	struct views *views;
	const void *lists; /* mapped */
	size_t lists_len;
	const void *prefixes; /* mapped: addresses that rules close */
	size_t prefixes_len;
	struct dns_roots roots;
	char *anchors; /* .roots' */
	char *resolver_configs[ROUTES_MAX];
};

static void snapshot_free(struct snapshot *s)
{
	for (uint32_t i = 0; i < ROUTES_MAX; i++)
		free(s->resolver_configs[i]);
	views_free(s->views);
	if (s->lists != NULL)
		(void)munmap((void *)(uintptr_t)s->lists, s->lists_len);
	if (s->prefixes != NULL)
		(void)munmap((void *)(uintptr_t)s->prefixes, s->prefixes_len);
	free(s->anchors);
	free(s);
}

/* Each route is told from where it begins. */
static int roots_give(struct snapshot *s, const struct dns_roots *roots, struct err *e)
{
	s->roots = *roots;
	if (roots->anchors != NULL) {
		s->anchors = strdup(roots->anchors);
		s->roots.anchors = s->anchors;
		if (s->anchors == NULL)
			return err_set(e, -ENOMEM, "trust anchors");
	}
	for (uint32_t i = 0; i < s->views->n_routes; i++) {
		s->views->routes[i].dnssec = roots->dnssec;
		s->views->routes[i].roots = &s->roots;
	}
	return 0;
}

/* Answers are kept as the rebind guard has left them: where it lets pass something else, the resolver is another one,
 * and so are its answers. */
static int config_guarded(const struct route *route, char **config, struct err *e)
{
	CLEANUP(freep) char *plain = NULL;
	size_t len = 0;
	FILE *out;
	int rc = resolver_config(route, &plain, e);

	if (rc != 0)
		return rc;
	out = open_memstream(config, &len);
	if (out == NULL)
		return err_set(e, -ENOMEM, "views");
	(void)fputs(plain, out);
	for (uint32_t i = 0; i < route->n_rebind_allow; i++) {
		char name[DNAME_TEXT_MAX];

		(void)fprintf(out, "\nprivate %s", dname_print(&route->rebind_allow[i], name));
	}
	return fclose(out) == 0 ? 0 : err_set(e, -ENOMEM, "views");
}

/* Of what a rule closes nothing may be missing: it would be answered. */
static int views_read(struct snapshot *s, const void *json, size_t json_len, struct err *e)
{
	CLEANUP(freep) struct view_prefixes *prefixes = NULL;
	CLEANUP(prefix_file_done) struct prefix_file f = { 0 };
	int rc = s->prefixes_len != 0 ? prefix_file_read(s->prefixes, s->prefixes_len, &f, e) : 0;

	if (rc == 0 && view_prefixes_of(f.sources, f.n, &prefixes) < 0)
		rc = err_set(e, -ENOMEM, "views");
	if (rc == 0)
		rc = views_new_closed(json, json_len, s->lists, s->lists_len, prefixes, f.n, &s->views, e);
	if (rc == 0 && s->views->n_unknown != 0)
		rc = err_set(e, -EBADMSG, "views: %u sources of addresses did not come with them", s->views->n_unknown);
	return rc;
}

int snapshot_new(int views_fd, int lists_fd, int prefixes_fd, const struct dns_roots *roots, struct snapshot **ret,
		 struct err *e)
{
	const void *json = NULL;
	size_t json_len = 0;
	struct snapshot *s = calloc(1, sizeof(*s));
	int rc;

	if (s == NULL)
		return err_set(e, -ENOMEM, "views");
	atomic_init(&s->refs, 1);
	rc = memfd_map(lists_fd, &s->lists, &s->lists_len, e);
	if (rc == 0)
		rc = memfd_map(prefixes_fd, &s->prefixes, &s->prefixes_len, e);
	if (rc == 0)
		rc = memfd_map(views_fd, &json, &json_len, e);
	if (rc == 0 && json_len == 0)
		rc = err_set(e, -EBADMSG, "views: empty");
	if (rc == 0)
		rc = views_read(s, json, json_len, e);
	if (rc == 0)
		rc = roots_give(s, roots, e);
	for (uint32_t i = 0; rc == 0 && i < s->views->n_routes; i++)
		rc = config_guarded(&s->views->routes[i], &s->resolver_configs[i], e);
	if (json != NULL)
		(void)munmap((void *)(uintptr_t)json, json_len);
	if (rc != 0) {
		snapshot_free(s);
		return rc;
	}
	*ret = s;
	return 0;
}

struct snapshot *snapshot_ref(struct snapshot *s)
{
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

struct snapshot *snapshot_unref(struct snapshot *s)
{
	if (s != NULL && atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) == 1)
		snapshot_free(s);
	return NULL;
}

const struct views *snapshot_views(const struct snapshot *s)
{
	return s->views;
}

const char *snapshot_resolver_config(const struct snapshot *s, uint32_t route)
{
	return s->resolver_configs[route];
}
