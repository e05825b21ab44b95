/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Invariants: a client has at most one command under way (.busy); one that closes meanwhile is kept until the answer
 * comes, and freed then. Nothing queues without bound: while a command is under way, or answers wait that the client
 * does not read, it is not read either. */
#include "gatewayd/control.h"

#include "base/log.h"

#include <cjson/cJSON.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

/* Answers that wait for a client to read them: some dozens, so that one who asks ahead is served at once. */
#define ANSWERS_MAX_BYTES (256u << 10)
#define JSON_INTEGER_MAX  9007199254740992.0 /* 2^53: whole numbers are exact up to it */

struct control_client {
	struct control *c;	 /* NULL: the socket is gone */
	struct bufferevent *bev; /* NULL: the client is gone */
	bool busy, closing;
	TAILQ_ENTRY(control_client) next;
};

TAILQ_HEAD(control_clients, control_client);

struct control {
	struct event_base *base;
	control_fn fn;
	void *arg;
	int fd;
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	struct event *acceptable;
	struct control_clients clients;
	uint32_t n;
};

static int parse_addr(const cJSON *o, const char *member, struct ip_addr *ret, struct err *e)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(o, member);

	if (!cJSON_IsString(item) || ip_addr_parse(item->valuestring, ret) < 0)
		return err_set(e, -EINVAL, "\"%s\" must be an IP address", member);
	return 0;
}

static int parse_drops(const cJSON *o, struct control_cmd *ret, struct err *e)
{
	const cJSON *after = cJSON_GetObjectItemCaseSensitive(o, "after");
	const cJSON *wait = cJSON_GetObjectItemCaseSensitive(o, "wait");

	if (after != NULL &&
	    (!cJSON_IsNumber(after) || after->valuedouble < 0 || after->valuedouble > JSON_INTEGER_MAX))
		return err_set(e, -EINVAL, "\"after\" must be the number of a drop");
	if (wait != NULL && !cJSON_IsBool(wait))
		return err_set(e, -EINVAL, "\"wait\" must be true or false");
	ret->kind = CONTROL_DROPS;
	ret->after = after != NULL ? (uint64_t)after->valuedouble : 0;
	ret->wait = cJSON_IsTrue(wait);
	return 0;
}

static int parse_only(const cJSON *o, bool *ret_devices, struct err *e)
{
	const cJSON *only = cJSON_GetObjectItemCaseSensitive(o, "only");

	*ret_devices = only != NULL;
	if (only != NULL && (!cJSON_IsString(only) || strcmp(only->valuestring, "devices") != 0))
		return err_set(e, -EINVAL, "\"only\" must be \"devices\"");
	return 0;
}

static int parse_lists(const cJSON *o, struct control_lists *ret, struct err *e)
{
	const cJSON *what = cJSON_GetObjectItemCaseSensitive(o, "do"), *item;
	const cJSON *names = cJSON_GetObjectItemCaseSensitive(o, "names");
	const cJSON *force = cJSON_GetObjectItemCaseSensitive(o, "force");

	if (what != NULL && (!cJSON_IsString(what) || strcmp(what->valuestring, "update") != 0))
		return err_set(e, -EINVAL, "\"do\" must be \"update\"");
	if (force != NULL && !cJSON_IsBool(force))
		return err_set(e, -EINVAL, "\"force\" must be true or false");
	if (names != NULL && !cJSON_IsArray(names))
		return err_set(e, -EINVAL, "\"names\" must be names of lists");
	ret->update = what != NULL;
	ret->force = cJSON_IsTrue(force);
	cJSON_ArrayForEach(item, names)
	{
		if (!cJSON_IsString(item) || strlen(item->valuestring) >= CONTROL_LIST_NAME_MAX ||
		    ret->n == CONTROL_LISTS_MAX)
			return err_set(e, -EINVAL, "\"names\" must be at most %u names of lists", CONTROL_LISTS_MAX);
		(void)snprintf(ret->names[ret->n++], CONTROL_LIST_NAME_MAX, "%s", item->valuestring);
	}
	return 0;
}

static int parse_object(const cJSON *o, struct control_cmd *ret, struct err *e)
{
	const cJSON *cmd = cJSON_GetObjectItemCaseSensitive(o, "cmd");

	if (!cJSON_IsString(cmd))
		return err_set(e, -EINVAL, "\"cmd\" is missing");
	if (strcmp(cmd->valuestring, "status") == 0) {
		ret->kind = CONTROL_STATUS;
		return 0;
	}
	if (strcmp(cmd->valuestring, "reload") == 0) {
		ret->kind = CONTROL_RELOAD;
		return parse_only(o, &ret->devices_only, e);
	}
	if (strcmp(cmd->valuestring, "netfilter") == 0) {
		const cJSON *mode = cJSON_GetObjectItemCaseSensitive(o, "mode");

		ret->kind = CONTROL_NETFILTER;
		if (!cJSON_IsString(mode) || netfilter_mode_parse(mode->valuestring, &ret->mode) < 0)
			return err_set(e, -EINVAL, "\"mode\" must be on, nodivert or off");
		return 0;
	}
	if (strcmp(cmd->valuestring, "rules") == 0) {
		ret->kind = CONTROL_RULES;
		return 0;
	}
	if (strcmp(cmd->valuestring, "drops") == 0)
		return parse_drops(o, ret, e);
	if (strcmp(cmd->valuestring, "lists") == 0) {
		ret->kind = CONTROL_LISTS;
		return parse_lists(o, &ret->lists, e);
	}
	if (strcmp(cmd->valuestring, "dns") == 0) {
		ret->kind = CONTROL_DNS;
		return control_dns_parse(o, &ret->dns, e);
	}
	if (strcmp(cmd->valuestring, "override") == 0) {
		ret->kind = CONTROL_OVERRIDE;
		return control_override_parse(o, &ret->override, e);
	}
	if (strcmp(cmd->valuestring, "learned") == 0) {
		ret->kind = CONTROL_LEARNED;
		if (parse_addr(o, "client", &ret->client, e) < 0)
			return -EINVAL;
		return parse_addr(o, "addr", &ret->addr, e);
	}
	return err_set(e, -EINVAL, "unknown command \"%.40s\"", cmd->valuestring);
}

int control_parse(const char *line, size_t len, struct control_cmd *ret, struct err *e)
{
	cJSON *o;
	int r;

	memset(ret, 0, sizeof(*ret));
	if (len > CONTROL_LINE_MAX)
		return err_set(e, -EINVAL, "line longer than %u bytes", CONTROL_LINE_MAX);
	o = cJSON_ParseWithLength(line, len);
	r = cJSON_IsObject(o) ? parse_object(o, ret, e) : err_set(e, -EINVAL, "not a JSON object");
	cJSON_Delete(o);
	return r;
}

static void client_free(struct control_client *client)
{
	if (client->bev != NULL)
		bufferevent_free(client->bev);
	free(client);
}

static void client_gone(struct control_client *client)
{
	struct control *c = client->c;

	assert(c != NULL); /* gone once, and only once */
	TAILQ_REMOVE(&c->clients, client, next);
	c->n--;
	client->c = NULL;
	if (!client->busy) {
		client_free(client);
		return;
	}
	bufferevent_free(client->bev);
	client->bev = NULL;
}

static void client_write(struct control_client *client, const cJSON *reply)
{
	char *text = reply != NULL ? cJSON_PrintUnformatted(reply) : NULL;
	static const char failed[] = "{\"ok\":false,\"error\":\"out of memory\"}";
	struct evbuffer *out = bufferevent_get_output(client->bev);

	(void)evbuffer_add_printf(out, "%s\n", text != NULL ? text : failed);
	free(text);
}

static void client_refuse(struct control_client *client, const char *why)
{
	cJSON *reply = cJSON_CreateObject();

	(void)cJSON_AddFalseToObject(reply, "ok");
	(void)cJSON_AddStringToObject(reply, "error", why);
	client_write(client, reply);
	cJSON_Delete(reply);
}

static bool is_full(const struct control_client *client)
{
	return evbuffer_get_length(bufferevent_get_output(client->bev)) > ANSWERS_MAX_BYTES;
}

/* Lines until one is under way, too many answers wait, or none is left. */
static void client_run(struct control_client *client)
{
	struct evbuffer *in = bufferevent_get_input(client->bev);

	while (!client->busy && !is_full(client)) {
		struct control_cmd cmd;
		struct err e = { 0 };
		size_t len;
		char *line = evbuffer_readln(in, &len, EVBUFFER_EOL_LF);

		if (line == NULL)
			break;
		if (control_parse(line, len, &cmd, &e) < 0) {
			client_refuse(client, e.msg);
		} else {
			client->busy = true;
			client->c->fn(client->c->arg, client, &cmd);
		}
		free(line);
	}
	if (client->busy || is_full(client))
		(void)bufferevent_disable(client->bev, EV_READ);
	else if (evbuffer_get_length(in) > CONTROL_LINE_MAX)
		client_gone(client);
}

static void on_readable(struct bufferevent *bev, void *arg)
{
	client_run(arg);
}

static void on_written(struct bufferevent *bev, void *arg)
{
	struct control_client *client = arg;

	if (client->busy)
		return;
	if (client->closing && evbuffer_search_eol(bufferevent_get_input(bev), NULL, NULL, EVBUFFER_EOL_LF).pos < 0) {
		client_gone(client);
		return;
	}
	if (!client->closing)
		(void)bufferevent_enable(bev, EV_READ);
	client_run(client);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct control_client *client = arg;

	/* `echo … | nc -N`: the client has said everything, but wants to hear the answer. */
	if ((what & BEV_EVENT_EOF) != 0 && (what & BEV_EVENT_READING) != 0 &&
	    (client->busy || evbuffer_get_length(bufferevent_get_output(bev)) != 0)) {
		client->closing = true;
		(void)bufferevent_disable(bev, EV_READ);
		return;
	}
	client_gone(client);
}

void control_reply(struct control_client *client, struct cJSON *reply)
{
	client->busy = false;
	if (client->bev == NULL) {
		client_free(client);
	} else {
		client_write(client, reply);
		/* Not from here: the caller may be in client_run(). */
		if (!client->closing)
			(void)bufferevent_enable(client->bev, EV_READ);
		bufferevent_trigger(client->bev, EV_READ, BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
	}
	cJSON_Delete(reply);
}

static void on_acceptable(evutil_socket_t fd, short what, void *arg)
{
	struct control *c = arg;
	CLEANUP(fd_closep) int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct control_client *client;

	if (peer < 0 || c->n == CONTROL_CLIENTS_MAX)
		return;
	client = calloc(1, sizeof(*client));
	if (client == NULL)
		return;
	client->bev = bufferevent_socket_new(c->base, peer, BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
	if (client->bev == NULL) {
		free(client);
		return;
	}
	(void)fd_take(&peer);
	client->c = c;
	TAILQ_INSERT_TAIL(&c->clients, client, next);
	c->n++;
	bufferevent_setcb(client->bev, on_readable, on_written, on_event, client);
	bufferevent_setwatermark(client->bev, EV_READ, 0, CONTROL_LINE_MAX + 2);
	(void)bufferevent_enable(client->bev, EV_READ | EV_WRITE);
}

static int socket_open(struct control *c, struct err *e)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	mode_t mask;
	int r;

	if (strlen(c->path) >= sizeof(sa.sun_path) - 1)
		return err_set(e, -ENAMETOOLONG, "control socket: the path %s is too long", c->path);
	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", c->path);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->fd < 0)
		return err_set(e, -errno, "control socket: %s", strerror(errno));
	(void)unlink(c->path);
	mask = umask(0117);
	r = bind(c->fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ? -errno : 0;
	(void)umask(mask);
	if (r == 0 && listen(c->fd, (int)CONTROL_CLIENTS_MAX) < 0)
		r = -errno;
	return r < 0 ? err_set(e, r, "control socket %s: %s", c->path, strerror(-r)) : 0;
}

int control_new(struct event_base *base, const char *path, control_fn fn, void *arg, struct control **ret,
		struct err *e)
{
	struct control *c = calloc(1, sizeof(*c));
	int r;

	if (c == NULL)
		return err_set(e, -ENOMEM, "control socket: out of memory");
	c->base = base;
	c->fn = fn;
	c->arg = arg;
	c->fd = -1;
	TAILQ_INIT(&c->clients);
	(void)snprintf(c->path, sizeof(c->path), "%s", path);
	r = socket_open(c, e);
	if (r == 0) {
		c->acceptable = event_new(base, c->fd, EV_READ | EV_PERSIST, on_acceptable, c);
		if (c->acceptable == NULL || event_add(c->acceptable, NULL) < 0)
			r = err_set(e, -ENOMEM, "control socket: out of memory");
	}
	if (r < 0)
		c = control_free(c);
	*ret = c;
	return r;
}

struct control *control_free(struct control *c)
{
	struct control_client *client;

	if (c == NULL)
		return NULL;
	while ((client = TAILQ_FIRST(&c->clients)) != NULL)
		client_gone(client);
	if (c->acceptable != NULL)
		event_free(c->acceptable);
	if (c->fd != -1)
		(void)unlink(c->path);
	fd_closep(&c->fd);
	free(c);
	return NULL;
}
