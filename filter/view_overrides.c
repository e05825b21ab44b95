/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is let pass for a while: read from the views' JSON, and found for a question. Called by view.c and verdict.c.
 *
 * Clients share what is remembered of their view (dnsd/cache.h). So whatever is decided otherwise for one device only
 * is personal, for this device and for all others of its view: else the one would be told what holds for the other. */
#include "filter/view_overrides.h"

#include "filter/view_json.h"

static int name_cmp(const uint8_t *a, uint8_t a_len, const uint8_t *b, uint8_t b_len)
{
	if (a_len != b_len)
		return a_len < b_len ? -1 : 1;
	return memcmp(a, b, a_len);
}

/* Pauses first, then by name. */
static int override_cmp(const void *a, const void *b)
{
	const struct view_override *x = a, *y = b;
	int c = name_cmp(x->name.wire, x->name.len, y->name.wire, y->name.len);

	return c != 0 ? c : (x->id > y->id) - (x->id < y->id);
}

static int override_element(struct view_reader *r, const cJSON *o, const char *where, void *ret)
{
	struct view_override *override = ret;
	const char *name = NULL;
	int err = view_u32(r, o, where, "id", UINT32_MAX, &override->id);

	if (err == 0)
		err = view_string(r, o, where, "device", true, &override->device);
	if (err == 0)
		err = view_bool(r, o, where, "below", &override->below);
	if (err == 0)
		err = view_string(r, o, where, "name", true, &name);
	if (err == 0 && name != NULL)
		err = view_name_parse(r, name, &override->name);
	if (err < 0)
		return err;
	override->pos = arena_printf(r->v->mem, "%s %u", name != NULL ? "allow" : "pause", override->id);
	return override->pos != NULL ? 0 : view_no_memory(r);
}

/* A pause that is for all stands before one for the device alone: what it lets pass is no secret. */
static void pause_clients(struct views *v, const struct view_override *pause)
{
	if (pause->device == NULL && v->pause == NULL)
		v->pause = pause;
	for (uint32_t i = 0; pause->device != NULL && i < v->n_clients; i++) {
		struct view_client *c = &v->clients[i];

		if (strcmp(c->device, pause->device) != 0)
			continue;
		if (c->pause == NULL)
			c->pause = pause;
		v->views[c->view].some_paused = true;
	}
}

int view_overrides_read(struct view_reader *r, const cJSON *root)
{
	struct views *v = r->v;
	struct view_override *items = NULL;
	int err;

	if (view_member(r, root, "", "overrides") == NULL)
		return 0;
	err = view_elements(r, root, "", "overrides", sizeof(*items), override_element, &items, &v->n_overrides);
	v->overrides = items;
	if (err < 0)
		return err;
	if (v->n_overrides > 1)
		qsort(items, v->n_overrides, sizeof(*items), override_cmp);
	while (v->n_pauses < v->n_overrides && items[v->n_pauses].name.len == 0)
		pause_clients(v, &items[v->n_pauses++]);
	return 0;
}

/* The first of that name, or where it would be. */
static uint32_t named_first(const struct views *v, const uint8_t *name, uint8_t len)
{
	uint32_t lo = v->n_pauses, hi = v->n_overrides;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		const struct dname *have = &v->overrides[mid].name;

		if (name_cmp(have->wire, have->len, name, len) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct found {
	const struct view_override *all, *own; /* for all; for the client alone */
	bool others;			       /* there is one for another client */
};

static void note(struct found *f, const struct view_override *o, const struct view_client *client)
{
	if (o->device == NULL)
		f->all = o;
	else if (client != NULL && strcmp(o->device, client->device) == 0)
		f->own = o;
	else
		f->others = true;
}

const struct view_override *views_override(const struct views *v, const struct view *view,
					   const struct view_client *client, const struct dname *name,
					   bool *ret_personal)
{
	struct found f = { .all = v->pause, .own = client != NULL ? client->pause : NULL, .others = view->some_paused };

	for (uint8_t skip = 0; v->n_pauses != v->n_overrides && skip <= name->labels && f.all == NULL; skip++) {
		uint8_t len;
		const uint8_t *suffix = dname_suffix(name, skip, &len);

		for (uint32_t i = named_first(v, suffix, len); i < v->n_overrides; i++) {
			const struct view_override *o = &v->overrides[i];

			if (name_cmp(o->name.wire, o->name.len, suffix, len) != 0)
				break;
			if (skip == 0 || o->below)
				note(&f, o, client);
		}
	}
	if (f.all != NULL)
		return f.all;
	if (f.own != NULL || f.others)
		*ret_personal = true;
	return f.own;
}
