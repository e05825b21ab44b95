/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/world.h"

#include "cli/load.h"
#include "policy/path.h"
#include "policy/rfc3339.h"

bool world_option(struct world_options *o, int opt, const char *arg)
{
	switch (opt) {
	case WORLD_AT:
		o->at = arg;
		return true;
	case WORLD_GEO:
		o->country = arg;
		return true;
	case WORLD_ASN:
		o->asn = arg;
		return true;
	case WORLD_GATEWAY:
		o->gateway = arg;
		return true;
	case WORLD_IPLIST:
		if (o->n_iplists == WORLD_IPLISTS_MAX)
			return false;
		o->iplists[o->n_iplists++] = arg;
		return true;
	default:
		return false;
	}
}

static int gateway_read(struct world *w, const char *file, struct source_files *files, struct err *e)
{
	struct diag_list diags;
	const struct doc_gateway *g;
	struct source *src;

	diag_init(&diags, w->mem);
	src = cli_source_load(w->mem, file, &diags);
	g = src != NULL ? document_gateway(w->mem, src, &diags) : NULL;
	if (g == NULL)
		return err_set(e, -EINVAL, "%s: %s", file, diags.n > 0 ? diags.items[0].msg : "out of memory");
	if (files->country_mmdb == NULL)
		files->country_mmdb = path_beside(w->mem, file, g->country_mmdb);
	if (files->asn_mmdb == NULL)
		files->asn_mmdb = path_beside(w->mem, file, g->asn_mmdb);
	w->env.egress = &g->egress;
	files->state_dir = path_beside(w->mem, file, g->state_dir);
	return 0;
}

static int iplists_check(const struct doc_policy *p, const struct world_options *o, struct err *e)
{
	for (uint32_t i = 0; i < o->n_iplists; i++) {
		size_t len = strcspn(o->iplists[i], "=");
		bool known = false;

		for (uint32_t k = 0; k < p->n_iplists && !known; k++)
			known = strlen(p->iplists[k].name) == len &&
				memcmp(p->iplists[k].name, o->iplists[i], len) == 0;
		if (!known)
			return err_set(e, -EINVAL, "--iplist %s: the policy has no iplist of that name", o->iplists[i]);
	}
	return 0;
}

int world_load(struct world *w, const struct doc_policy *p, const char *policy_file, const struct world_options *o,
	       struct err *e)
{
	struct source_files files = { .country_mmdb = o->country,
				      .asn_mmdb = o->asn,
				      .policy_file = policy_file,
				      .iplists = o->iplists,
				      .n_iplists = o->n_iplists };
	int r = 0;

	*w = (struct world){ .mem = arena_new(0), .env = cli_compile_env() };
	if (w->mem == NULL)
		return err_set(e, -ENOMEM, "out of memory");
	if (o->at != NULL && rfc3339_parse(o->at, &w->env.at_s) < 0)
		return err_set(e, -EINVAL, "--at %s: a point in time, as 2027-01-31T18:00:00Z", o->at);
	if (o->at != NULL)
		w->env.now_s = w->env.at_s;
	if (o->gateway != NULL)
		r = gateway_read(w, o->gateway, &files, e);
	if (r == 0)
		r = iplists_check(p, o, e);
	if (r == 0)
		r = sources_load(p, &files, &w->sources, e);
	if (r == 0 && zones_load(p, &w->zones) < 0)
		r = err_set(e, -ENOMEM, "out of memory");
	if (r == 0 && w->sources.warning[0] != '\0')
		fprintf(stderr, "sluice: %s\n", w->sources.warning);
	w->env.prefixes = w->sources.items;
	w->env.n_prefixes = w->sources.n;
	w->env.zones = w->zones.items;
	w->env.n_zones = w->zones.n;
	w->env.zone_names = w->zones.names;
	return r;
}

void world_done(struct world *w)
{
	sources_done(&w->sources);
	zones_done(&w->zones);
	w->mem = arena_free(w->mem);
}
