/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One object a list, block lists in the policy's order, then address lists. */
#include "gatewayd/command_lists.h"

#include <cjson/cJSON.h>
#include <limits.h>
#include <time.h>

struct lists_waiter {
	TAILQ_ENTRY(lists_waiter) next;
	struct control_client *client;
	struct control_lists cmd;
};

static bool wanted(const struct control_lists *cmd, const char *name)
{
	for (uint32_t i = 0; i < cmd->n; i++) {
		if (strcmp(cmd->names[i], name) == 0)
			return true;
	}
	return cmd->n == 0;
}

/* What is not as it should be, for people; false: nothing. */
static bool warning(const struct list_file *f, const struct download *d, char *ret, size_t len)
{
	char error[300] = "";

	if (d != NULL && d->meta.error[0] != '\0')
		(void)snprintf(error, sizeof(error), "%s%s; tried again in %lld s", d->have ? "not updated: " : "",
			       d->meta.error,
			       (long long)(d->next_s > (int64_t)time(NULL) ? d->next_s - (int64_t)time(NULL) : 0));
	if (f != NULL && f->warning[0] != '\0')
		(void)snprintf(ret, len, "%s%s%s", f->warning, error[0] != '\0' ? ": " : "", error);
	else
		(void)snprintf(ret, len, "%s", error);
	return ret[0] != '\0';
}

static void add_download(const struct engine *e, const struct download *d, cJSON *o)
{
	char path[PATH_MAX];

	(void)cJSON_AddStringToObject(o, "state", download_stage_name(d->stage));
	(void)cJSON_AddNumberToObject(o, "fetched", (double)d->meta.fetched_s);
	(void)cJSON_AddNumberToObject(o, "looked", (double)d->meta.looked_s);
	(void)cJSON_AddNumberToObject(o, "tried", (double)d->meta.tried_s);
	if (d->next_s != INT64_MAX)
		(void)cJSON_AddNumberToObject(o, "next", (double)d->next_s);
	(void)cJSON_AddNumberToObject(o, "failures", d->meta.failures);
	if (d->meta.error[0] != '\0')
		(void)cJSON_AddStringToObject(o, "error", d->meta.error);
	if (d->meta.sha256[0] != '\0')
		(void)cJSON_AddStringToObject(o, "sha256", d->meta.sha256);
	(void)cJSON_AddNumberToObject(o, "bytes", (double)d->meta.bytes);
	if (download_path(e, d, "old", path))
		(void)cJSON_AddBoolToObject(o, "old_kept", access(path, F_OK) == 0);
}

static cJSON *list_object(const char *kind, const struct plan_list *l)
{
	cJSON *o = cJSON_CreateObject();
	const char *source = l->file != NULL ? l->file : l->url != NULL ? l->url : "built in";

	(void)cJSON_AddStringToObject(o, "name", l->name);
	(void)cJSON_AddStringToObject(o, "kind", kind);
	(void)cJSON_AddStringToObject(o, "source", source);
	(void)cJSON_AddBoolToObject(o, "trusted", l->trusted);
	return o;
}

static cJSON *list_status(const struct engine *e, uint32_t i)
{
	const struct plan_list *l = &e->now.loaded->plan->lists[i];
	const struct list_file *f = i < e->now.lists->n ? &e->now.lists->items[i] : NULL;
	const struct download *d = download_find(&e->downloads, DOWNLOAD_LIST, l->name);
	cJSON *o = list_object("list", l);
	char text[600];

	if (f != NULL) {
		(void)cJSON_AddBoolToObject(o, "in_force", f->warning[0] == '\0');
		(void)cJSON_AddNumberToObject(o, "rules", (double)f->rules);
		(void)cJSON_AddNumberToObject(o, "skipped", (double)f->skipped);
		(void)cJSON_AddNumberToObject(o, "refused", (double)f->refused);
		(void)cJSON_AddNumberToObject(o, "changed", (double)f->stamp.mtime.tv_sec);
	}
	if (d != NULL)
		add_download(e, d, o);
	if (warning(f, d, text, sizeof(text)))
		(void)cJSON_AddStringToObject(o, "warning", text);
	return o;
}

static cJSON *addresses_status(const struct engine *e, const struct plan_list *l)
{
	const struct download *d = download_find(&e->downloads, DOWNLOAD_ADDRESSES, l->name);
	cJSON *o = list_object("addresses", l);
	char text[600];

	if (d != NULL) {
		(void)cJSON_AddBoolToObject(o, "in_force", d->have);
		(void)cJSON_AddNumberToObject(o, "rules", (double)d->meta.rules);
		(void)cJSON_AddNumberToObject(o, "refused", (double)d->meta.refused);
		add_download(e, d, o);
	}
	if (d == NULL && l->url != NULL && l->file == NULL)
		(void)cJSON_AddStringToObject(o, "warning", "not downloaded: a block list has the same name");
	else if (warning(NULL, d, text, sizeof(text)))
		(void)cJSON_AddStringToObject(o, "warning", text);
	return o;
}

static cJSON *lists_array(const struct engine *e, const struct control_lists *cmd, bool *ret_ok)
{
	const struct doc_policy *policy = e->now.loaded != NULL ? e->now.loaded->docs->policy : NULL;
	cJSON *array = cJSON_CreateArray();
	bool ok = true;

	for (uint32_t i = 0; policy != NULL && e->now.lists != NULL && i < e->now.loaded->plan->n_lists; i++) {
		if (!wanted(cmd, e->now.loaded->plan->lists[i].name))
			continue;
		(void)cJSON_AddItemToArray(array, list_status(e, i));
	}
	for (uint32_t i = 0; policy != NULL && i < policy->n_iplists; i++) {
		if (wanted(cmd, policy->iplists[i].name))
			(void)cJSON_AddItemToArray(array, addresses_status(e, &policy->iplists[i]));
	}
	for (const cJSON *item = array != NULL ? array->child : NULL; item != NULL; item = item->next)
		ok = ok && !cJSON_HasObjectItem(item, "error");
	*ret_ok = ok;
	return array;
}

void command_lists_status(const struct engine *e, struct cJSON *o)
{
	const struct control_lists all = { 0 };
	bool ignored;

	(void)cJSON_AddItemToObject(o, "lists", lists_array(e, &all, &ignored));
}

static void answer(struct engine *e, struct control_client *client, const struct control_lists *cmd, bool judged)
{
	cJSON *o = cJSON_CreateObject();
	bool ok = false;
	cJSON *array = lists_array(e, cmd, &ok);

	(void)cJSON_AddBoolToObject(o, "ok", ok || !judged);
	(void)cJSON_AddItemToObject(o, "lists", array);
	control_reply(client, o);
}

static void refuse(struct control_client *client, const char *text)
{
	cJSON *o = cJSON_CreateObject();

	(void)cJSON_AddBoolToObject(o, "ok", false);
	(void)cJSON_AddStringToObject(o, "error", text);
	control_reply(client, o);
}

static const char *unknown_name(const struct engine *e, const struct control_lists *cmd)
{
	for (uint32_t i = 0; i < cmd->n; i++) {
		if (download_find(&e->downloads, DOWNLOAD_LIST, cmd->names[i]) == NULL &&
		    download_find(&e->downloads, DOWNLOAD_ADDRESSES, cmd->names[i]) == NULL)
			return cmd->names[i];
	}
	return NULL;
}

static void update(struct engine *e, struct control_client *client, const struct control_lists *cmd)
{
	const char *unknown = unknown_name(e, cmd);
	struct lists_waiter *w;
	struct download *d;
	char text[200];

	if (e->now.loaded == NULL || unknown != NULL) {
		(void)snprintf(text, sizeof(text), "the policy in force has no list %s with a URL and without a file",
			       unknown != NULL ? unknown : "");
		refuse(client, e->now.loaded == NULL ? "starting: the first plan is not in force yet" : text);
		return;
	}
	w = calloc(1, sizeof(*w));
	if (w == NULL) {
		control_reply(client, NULL);
		return;
	}
	w->client = client;
	w->cmd = *cmd;
	TAILQ_INSERT_TAIL(&e->lists_waiters, w, next);
	TAILQ_FOREACH(d, &e->downloads.all, next)
	{
		if (wanted(cmd, d->name))
			download_update(e, d, cmd->force);
	}
	downloads_wake(e);
}

static bool settled(const struct engine *e, const struct control_lists *cmd)
{
	const struct download *d;

	TAILQ_FOREACH(d, &e->downloads.all, next)
	{
		if (wanted(cmd, d->name) && !download_settled(d))
			return false;
	}
	return true;
}

void command_lists_wake(struct engine *e)
{
	struct lists_waiter *w, *following;

	for (w = TAILQ_FIRST(&e->lists_waiters); w != NULL; w = following) {
		following = TAILQ_NEXT(w, next);
		if (!settled(e, &w->cmd))
			continue;
		TAILQ_REMOVE(&e->lists_waiters, w, next);
		answer(e, w->client, &w->cmd, /* judged= */ true);
		free(w);
	}
}

void command_lists_end(struct engine *e)
{
	struct lists_waiter *w;

	while ((w = TAILQ_FIRST(&e->lists_waiters)) != NULL) {
		TAILQ_REMOVE(&e->lists_waiters, w, next);
		refuse(w->client, "the gateway ends");
		free(w);
	}
}

void command_lists(struct engine *e, struct control_client *client, const struct control_cmd *cmd)
{
	if (cmd->lists.update)
		update(e, client, &cmd->lists);
	else
		answer(e, client, &cmd->lists, /* judged= */ false);
}
