/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One that is begun is kept on disk before it is in force, and in force before it is answered: views with it are at
 * dnsd. One that ends is out of force whatever becomes of the disk. Members of the answers are an interface
 * (docs/man/sluice.1).
 *
 * The timer is the wall clock's and is told when that is set (timerfd_create(2), TFD_TIMER_CANCEL_ON_SET). */
#include "gatewayd/command_override.h"

#include "base/log.h"
#include "policy/diagnostic.h"

#include <cjson/cJSON.h>
#include <event2/event.h>
#include <sys/timerfd.h>
#include <time.h>

/* Who waits for views with what was begun. */
struct override_waiter {
	struct engine *e;
	struct control_client *client;
	uint32_t id;
	int64_t was_until_s; /* of one that was renewed; 0: it is new */
	cJSON *ended;	     /* ids, in place of .id */
};

static void arm(struct engine *e)
{
	const struct itimerspec at = { .it_value = { .tv_sec = overrides_next_s(&e->overrides) } };

	if (timerfd_settime(e->overrides_fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &at, NULL) == -1)
		log_event(LOG_ERR, "allow.failed", "error=\"timer: %s\"", strerror(errno));
}

static int save(const struct engine *e, struct err *err)
{
	int r = overrides_save(e->config->doc->state_dir, &e->overrides, err);

	if (r < 0)
		log_event(LOG_ERR, "allow.failed", "error=\"%s\"", err->msg);
	return r;
}

static const char *kind_of(const struct override *o)
{
	return o->name.len == 0 ? "pause" : "allow";
}

static void ended_log(const struct override *o, const char *why)
{
	log_event(LOG_NOTICE, "allow.ended", "id=%u kind=%s device=\"%s\" why=%s", o->id, kind_of(o), o->device, why);
}

static void end(struct engine *e, uint32_t id, const char *why)
{
	ended_log(overrides_find(&e->overrides, id), why);
	(void)overrides_remove(&e->overrides, id);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct engine *e = arg;
	const struct override *over;
	struct err ignored = { 0 };
	uint64_t fired;
	bool any = false;

	/* ECANCELED: the clock was set. Either way it is looked at. */
	(void)!read(fd, &fired, sizeof(fired));
	while ((over = overrides_first_over(&e->overrides, time(NULL))) != NULL) {
		end(e, over->id, "over");
		any = true;
	}
	arm(e);
	if (!any)
		return;
	(void)save(e, &ignored);
	if (e->now.loaded != NULL && engine_overrides(e, NULL, NULL) < 0)
		log_event(LOG_ERR, "allow.failed", "error=\"out of memory\"");
}

int command_override_open(struct engine *e, struct err *err)
{
	struct err why = { 0 };

	if (overrides_load(e->config->doc->state_dir, time(NULL), &e->overrides, &why) < 0)
		log_event(LOG_ERR, "allow.failed", "error=\"%s\"", why.msg);
	e->overrides_fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (e->overrides_fd == -1)
		return err_set(err, -errno, "timer: %s", strerror(errno));
	e->overrides_ev = event_new(e->base, e->overrides_fd, EV_READ | EV_PERSIST, on_timer, e);
	if (e->overrides_ev == NULL || event_add(e->overrides_ev, NULL) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	arm(e);
	return 0;
}

void command_override_close(struct engine *e)
{
	if (e->overrides_ev != NULL)
		event_free(e->overrides_ev);
	fd_closep(&e->overrides_fd);
	overrides_done(&e->overrides);
}

static cJSON *override_json(const struct override *o, int64_t now_s)
{
	cJSON *j = cJSON_CreateObject();
	char name[DNAME_TEXT_MAX];

	(void)cJSON_AddNumberToObject(j, "id", o->id);
	(void)cJSON_AddStringToObject(j, "kind", kind_of(o));
	if (o->device[0] != '\0')
		(void)cJSON_AddStringToObject(j, "device", o->device);
	else
		(void)cJSON_AddNullToObject(j, "device");
	if (o->name.len != 0) {
		(void)cJSON_AddStringToObject(j, "name", dname_print(&o->name, name));
		(void)cJSON_AddBoolToObject(j, "below", o->below);
	}
	(void)cJSON_AddNumberToObject(j, "until", (double)o->until_s);
	(void)cJSON_AddNumberToObject(j, "left_s", (double)(o->until_s > now_s ? o->until_s - now_s : 0));
	return j;
}

void command_override_status(const struct engine *e, cJSON *o)
{
	cJSON *list = cJSON_AddArrayToObject(o, "overrides");
	int64_t now_s = time(NULL);

	for (uint32_t i = 0; i < e->overrides.n; i++)
		(void)cJSON_AddItemToArray(list, override_json(&e->overrides.items[i], now_s));
}

static void refuse(struct control_client *client, const char *why)
{
	cJSON *o = cJSON_CreateObject();

	(void)cJSON_AddFalseToObject(o, "ok");
	(void)cJSON_AddStringToObject(o, "error", why);
	control_reply(client, o);
}

/* What the policy denies stays denied: the rule that does, for all or for the device; NULL: none. */
static const char *denied_by(const struct plan *p, const struct override *o)
{
	for (uint32_t i = 0; o->name.len != 0 && i < p->n_devices; i++) {
		const struct plan_device *d = &p->devices[i];
		const struct plan_view *v = d->view_id < p->n_views ? &p->views[d->view_id] : NULL;

		if (v == NULL || (o->device[0] != '\0' && strcmp(d->name, o->device) != 0))
			continue;
		for (uint32_t k = 0; k < v->n_denies; k++) {
			const struct plan_rule *rule = &p->rules[v->denies[k]];

			for (uint32_t n = 0; n < rule->n_names; n++)
				if (name_pattern_match(&rule->names[n], &o->name))
					return rule->pos;
		}
	}
	return NULL;
}

static void undo(struct override_waiter *w)
{
	struct engine *e = w->e;
	const struct override *o = overrides_find(&e->overrides, w->id);
	struct override was;
	struct err ignored = { 0 };
	int64_t until_s;

	if (o == NULL)
		return;
	was = *o;
	was.until_s = w->was_until_s;
	if (w->was_until_s == 0)
		end(e, w->id, "failed");
	else
		(void)overrides_put(&e->overrides, &was, &until_s, &ignored);
	(void)save(e, &ignored);
	arm(e);
}

static void add_put(const struct override_waiter *w, cJSON *o)
{
	const struct override *put = overrides_find(&w->e->overrides, w->id);
	const char *denied;

	if (put == NULL)
		return; /* over already */
	(void)cJSON_AddItemToObject(o, "override", override_json(put, time(NULL)));
	(void)cJSON_AddBoolToObject(o, "renewed", w->was_until_s != 0);
	denied = denied_by(w->e->now.loaded->plan, put);
	if (denied != NULL)
		(void)cJSON_AddStringToObject(o, "denied_by", denied);
}

static void views_done(void *arg, const struct reload_result *result)
{
	struct override_waiter *w = arg;
	cJSON *o = cJSON_CreateObject();

	(void)cJSON_AddBoolToObject(o, "ok", result->ok);
	if (!result->ok)
		(void)cJSON_AddStringToObject(o, "error", result->text);
	else
		(void)cJSON_AddNumberToObject(o, "generation", (double)result->generation);
	if (w->ended != NULL)
		(void)cJSON_AddItemToObject(o, "ended", w->ended);
	else if (result->ok)
		add_put(w, o);
	else
		undo(w);
	control_reply(w->client, o);
	free(w);
}

/* Takes @w; views with it, then the answer. */
static void views_renew(struct override_waiter *w)
{
	arm(w->e);
	if (engine_overrides(w->e, views_done, w) == 0)
		return;
	views_done(w, &(const struct reload_result){ .text = "out of memory" });
}

/* The device of @o by its own name, as it may be called by an address. 0 or -ENOENT. */
static int device_find(const struct plan *p, struct override *o, struct err *e)
{
	CLEANUP(freep) const char **names = calloc((size_t)p->n_devices + 1, sizeof(*names));
	const struct plan_device *found;
	const char *near = NULL;
	struct ip_addr addr;

	if (ip_addr_parse(o->device, &addr) == 0) {
		found = plan_device_find(p, &addr);
		if (found == NULL)
			return err_set(e, -ENOENT, "no device has the address %.60s", o->device);
		(void)snprintf(o->device, sizeof(o->device), "%s", found->name);
		return 0;
	}
	for (uint32_t i = 0; names != NULL && i < p->n_devices; i++) {
		if (strcmp(p->devices[i].name, o->device) == 0)
			return 0;
		names[i] = p->devices[i].name;
	}
	if (names != NULL)
		near = diag_suggest(o->device, names);
	return err_set(e, -ENOENT, "no device has the name \"%.80s\"%s%.80s%s", o->device,
		       near != NULL ? ", did you mean \"" : "", near != NULL ? near : "", near != NULL ? "\"?" : "");
}

static void put(struct engine *e, struct control_client *client, const struct control_override *c)
{
	struct override_waiter *w = calloc(1, sizeof(*w));
	struct override what = c->put;
	const struct override *o = NULL;
	struct err err = { 0 };
	char name[DNAME_TEXT_MAX];

	what.until_s = time(NULL) + c->for_s;
	if (w == NULL)
		(void)err_set(&err, -ENOMEM, "out of memory");
	else if (what.device[0] == '\0' || device_find(e->now.loaded->plan, &what, &err) == 0)
		o = overrides_put(&e->overrides, &what, &w->was_until_s, &err);
	if (o == NULL) {
		free(w);
		refuse(client, err.msg);
		return;
	}
	w->e = e;
	w->client = client;
	w->id = o->id;
	if (save(e, &err) < 0) {
		undo(w);
		free(w);
		refuse(client, err.msg);
		return;
	}
	log_event(LOG_NOTICE, "allow.begun", "id=%u kind=%s device=\"%s\" name=\"%s\" below=%d for_s=%u", o->id,
		  kind_of(o), o->device, o->name.len != 0 ? dname_print(&o->name, name) : "", o->below, c->for_s);
	views_renew(w);
}

static bool is_meant(const struct control_override *c, const struct override *o)
{
	if (c->put.id != 0)
		return o->id == c->put.id;
	if (!c->any_device && strcmp(o->device, c->put.device) != 0)
		return false;
	return o->name.len == c->put.name.len && memcmp(o->name.wire, c->put.name.wire, o->name.len) == 0;
}

static void end_meant(struct engine *e, struct control_client *client, const struct control_override *c)
{
	struct override_waiter *w = calloc(1, sizeof(*w));
	cJSON *ids = cJSON_CreateArray();
	struct err ignored = { 0 };

	for (uint32_t i = e->overrides.n; w != NULL && i-- > 0;) {
		uint32_t id = e->overrides.items[i].id;

		if (!is_meant(c, &e->overrides.items[i]))
			continue;
		(void)cJSON_AddItemToArray(ids, cJSON_CreateNumber(id));
		end(e, id, "asked");
	}
	if (w == NULL || cJSON_GetArraySize(ids) == 0) {
		cJSON_Delete(ids);
		refuse(client, w == NULL ? "out of memory" : "there is none like that: --list shows what is in force");
		free(w);
		return;
	}
	*w = (struct override_waiter){ .e = e, .client = client, .ended = ids };
	(void)save(e, &ignored);
	views_renew(w);
}

void command_override(struct engine *e, struct control_client *client, const struct control_cmd *cmd)
{
	const struct control_override *c = &cmd->override;
	cJSON *o;

	if (e->now.loaded == NULL) {
		refuse(client, "starting: the first plan is not in force yet");
		return;
	}
	switch (c->what) {
	case OVERRIDE_PUT:
		put(e, client, c);
		break;
	case OVERRIDE_END:
		end_meant(e, client, c);
		break;
	case OVERRIDE_LIST:
	case OVERRIDE_DO_MAX:
		o = cJSON_CreateObject();
		(void)cJSON_AddTrueToObject(o, "ok");
		command_override_status(e, o);
		control_reply(client, o);
		break;
	}
}
