/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Each database is read once, for all of its keys. */
#include "geo/sources.h"

#include "geo/iplist.h"
#include "geo/mmdb_ranges.h"

#include <limits.h>

static void source_add(struct sources *s, enum prefix_kind kind, const char *key, struct ip_range *ranges, uint32_t n)
{
	s->items[s->n++] = (struct prefix_source){ .kind = kind, .key = key, .ranges = ranges, .n_ranges = n };
}

static int mmdb_load(const struct doc_policy *p, enum prefix_kind kind, const char *path, struct sources *ret,
		     struct err *e)
{
	CLEANUP(freep) struct mmdb_wanted *wanted = calloc((size_t)p->n_needs + 1, sizeof(*wanted));
	uint32_t n = 0;
	int r;

	if (wanted == NULL)
		return err_set(e, -ENOMEM, "out of memory");
	for (uint32_t i = 0; i < p->n_needs; i++) {
		if (p->needs[i].kind == kind)
			wanted[n++].key = p->needs[i].key;
	}
	if (n == 0 || path == NULL)
		return 0;
	r = mmdb_ranges_read(path, kind, wanted, n, e);
	for (uint32_t i = 0; i < n; i++)
		source_add(ret, kind, wanted[i].key, wanted[i].ranges, wanted[i].n);
	return r;
}

static const char *iplist_option(const struct source_files *files, const char *name)
{
	size_t len = strlen(name);

	for (uint32_t i = 0; i < files->n_iplists; i++)
		if (strncmp(files->iplists[i], name, len) == 0 && files->iplists[i][len] == '=')
			return files->iplists[i] + len + 1;
	return NULL;
}

/* 0: there is none. @ret_named: somebody has said that it is there. Negative: too long. */
static int iplist_path(const struct plan_list *list, const struct source_files *files, char ret[PATH_MAX],
		       bool *ret_named)
{
	const char *option = iplist_option(files, list->name);
	const char *slash = files->policy_file != NULL ? strrchr(files->policy_file, '/') : NULL;
	int n = 0;

	*ret_named = option != NULL || list->file != NULL;
	if (option != NULL)
		n = snprintf(ret, PATH_MAX, "%s", option);
	else if (list->file != NULL && (list->file[0] == '/' || slash == NULL))
		n = snprintf(ret, PATH_MAX, "%s", list->file);
	else if (list->file != NULL)
		n = snprintf(ret, PATH_MAX, "%.*s/%s", (int)(slash - files->policy_file), files->policy_file,
			     list->file);
	else if (files->state_dir != NULL)
		n = snprintf(ret, PATH_MAX, "%s/lists/%s.txt", files->state_dir, list->name);
	return n >= PATH_MAX ? -ENAMETOOLONG : n;
}

static int iplist_load(const struct plan_list *list, const char *key, const struct source_files *files,
		       struct sources *ret, struct err *e)
{
	struct iplist l = { 0 };
	struct err why = { 0 };
	char path[PATH_MAX];
	bool named;
	int r = iplist_path(list, files, path, &named);

	if (r == 0)
		return 0;
	if (r > 0)
		r = iplist_read(path, &l, &why);
	if (r == -ENOENT && !named)
		return 0;
	if (r < 0)
		return err_set(e, r, "iplist %s: %s", list->name, why.msg);
	if (l.refused != 0)
		(void)snprintf(ret->warning, sizeof(ret->warning), "iplist %.60s: %u lines refused, the first is %u",
			       list->name, l.refused, l.refused_lines[0]);
	source_add(ret, PREFIX_LIST, key, l.ranges, l.n);
	return 0;
}

int sources_load(const struct doc_policy *p, const struct source_files *files, struct sources *ret, struct err *e)
{
	int r;

	*ret = (struct sources){ .items = calloc((size_t)p->n_needs + 1, sizeof(*ret->items)) };
	if (ret->items == NULL)
		return err_set(e, -ENOMEM, "out of memory");
	r = mmdb_load(p, PREFIX_GEO, files->country_mmdb, ret, e);
	if (r == 0)
		r = mmdb_load(p, PREFIX_ASN, files->asn_mmdb, ret, e);
	for (uint32_t i = 0; r == 0 && i < p->n_needs; i++) {
		for (uint32_t k = 0; r == 0 && p->needs[i].kind == PREFIX_LIST && k < p->n_iplists; k++) {
			if (strcmp(p->iplists[k].name, p->needs[i].key) == 0)
				r = iplist_load(&p->iplists[k], p->needs[i].key, files, ret, e);
		}
	}
	return r;
}

void sources_done(struct sources *s)
{
	for (uint32_t i = 0; s->items != NULL && i < s->n; i++) {
		union {
			const void *in;
			void *out;
		} ranges = { .in = s->items[i].ranges };

		free(ranges.out);
	}
	free(s->items);
	*s = (struct sources){ 0 };
}
