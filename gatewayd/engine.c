/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Start, end, and what happens between reloads: leases that are renewed, addresses of the host that change, devices
 * whose time is up, a table that others have touched. */
#include "gatewayd/engine.h"

#include "base/confine.h"
#include "base/log.h"
#include "gatewayd/command_dns.h"
#include "gatewayd/command_drops.h"
#include "gatewayd/command_lists.h"
#include "gatewayd/command_override.h"
#include "gatewayd/egress.h"
#include "gatewayd/feed.h"
#include "gatewayd/launcher.h"
#include "gatewayd/nflog.h"
#include "gatewayd/tap.h"
#include "gatewayd/tunnel.h"

#include <event2/event.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

/* An address change comes as a burst of messages (DHCP: away, back, IPv6 ones); compile once, after it. */
#define ATTACHED_SETTLE_MS 200

static int make_folder(const char *path, const char *sub, uint32_t uid, uint32_t gid, mode_t mode, struct err *err)
{
	char full[4096];

	if ((size_t)snprintf(full, sizeof(full), "%s%s", path, sub) >= sizeof(full))
		return err_set(err, -ENAMETOOLONG, "%s%s: too long", path, sub);
	if (mkdir(full, mode) < 0 && errno != EEXIST)
		return err_set(err, -errno, "make folder %s: %s", full, strerror(errno));
	if (uid != 0 && (chown(full, uid, gid) < 0 || chmod(full, mode) < 0))
		return err_set(err, -errno, "give folder %s to uid %u: %s", full, uid, strerror(errno));
	return 0;
}

static int make_folders(const struct gateway_config *c, struct err *err)
{
	const struct doc_gateway *g = c->doc;
	int r = make_folder(g->state_dir, "", 0, 0, 0755, err);

	if (r == 0)
		r = make_folder(g->state_dir, "/lists", 0, 0, 0755, err);
	if (r == 0)
		r = make_folder(g->state_dir, "/journal", c->recorder_uid, c->recorder_gid, 0750, err);
	/* dnsd's alone: the trust anchor that it keeps. */
	if (r == 0)
		r = make_folder(g->state_dir, "/dnsd", c->dnsd_uid, c->dnsd_gid, 0750, err);
	return r == 0 ? make_folder(g->run_dir, "", 0, 0, 0755, err) : r;
}

/* One gatewayd a folder, before anything is touched: the DNS sockets are shared by design (SO_REUSEPORT), so a second
 * one would take queries and the control socket from the first before the kernel's table refuses it. The kernel lets
 * go of the lock when we end, however that is. */
static int lock_run(const char *run_dir, int *ret_fd, struct err *err)
{
	CLEANUP(fd_closep) int fd = -1;
	char path[4096];

	(void)snprintf(path, sizeof(path), "%s/gatewayd.lock", run_dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return err_set(err, -errno, "%s: %s", path,
			       errno == EWOULDBLOCK ? "sluice-gatewayd is running already" : strerror(errno));
	*ret_fd = fd_take(&fd);
	return 0;
}

static int keep_net_admin(struct err *err)
{
	static const int caps[] = { CAP_NET_ADMIN };
	const struct confine c = {
		.role = "gatewayd", .keep_uid = true, .outlives_parent = true, .caps = caps, .n_caps = ARRAY_LEN(caps)
	};

	return confine_enter(&c, err);
}

/* Refused packets are counted without it, and that is said; nothing else hangs on it. */
static int open_drops(struct engine *e, struct err *err)
{
	int r;

	e->drops = drops_new(e->started_us);
	if (e->drops == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	if (!nft_channel_features(e->nft)->log)
		r = err_set(&e->drops_error, -EOPNOTSUPP, "this kernel has no nfnetlink_log");
	else
		r = nflog_open(NFLOG_BUSY_WAIT_MS, &e->drops_fd, &e->drops_error);
	if (r < 0)
		log_event(LOG_WARNING, "drops.failed", "error=\"%s\"", e->drops_error.msg);
	return 0;
}

static int open_kernel(struct engine *e, struct err *err)
{
	int r = netfilter_open(e, err);

	if (r == 0)
		r = conntrack_open(&e->ct, err);
	if (r == 0)
		r = ct_events_open(&e->ct_events_fd, err);
	if (r == 0)
		r = open_drops(e, err);
	if (r == 0)
		r = learned_new(&e->learned, err);
	return r == 0 ? attached_watch(&e->attached_fd, err) : r;
}

/* A device's time was up since the running plan was compiled. */
static bool device_expired(const struct engine *e, int64_t now_s)
{
	const struct doc_devices *d = e->now.loaded->docs->devices;

	for (uint32_t i = 0; i < d->n_devices; i++)
		if (d->devices[i].expires_s > e->now.loaded->env.now_s && d->devices[i].expires_s <= now_s)
			return true;
	return false;
}

/* A schedule has begun or ended since. */
static bool schedule_changed(const struct engine *e, int64_t now_s)
{
	int64_t change_s = e->now.loaded->plan->next_change_s;

	return change_s != 0 && change_s <= now_s;
}

/* Another program had the group when we started: once it is gone the rules that tell can come. */
static void retry_drops(struct engine *e)
{
	if (e->drops_fd != -1 || !nft_channel_features(e->nft)->log || e->reload.stage != RELOAD_IDLE ||
	    nflog_open(/* wait_ms= */ 0, &e->drops_fd, NULL) < 0)
		return;
	log_event(LOG_NOTICE, "drops.told", "refused packets are told of from now on");
	feed_drops(e);
	(void)engine_reload(e, RELOAD_NOTHING, NULL, NULL);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct engine *e = arg;
	uint32_t renewed = 0;
	struct err err = { 0 };

	if (e->now.loaded == NULL)
		return;
	if (nft_learn_renew(netfilter_channel(e), e->ct, e->learned, boot_us(), &renewed, &err) < 0)
		log_event(LOG_ERR, "leases.renew.failed", "error=\"%s\"", err.msg);
	(void)learned_expire(e->learned, boot_us());
	retry_drops(e);
	feed_cookie_keys(e);
	if (e->reload.stage == RELOAD_IDLE && (device_expired(e, time(NULL)) || schedule_changed(e, time(NULL))))
		(void)engine_reload(e, RELOAD_NOTHING, NULL, NULL);
}

static void on_attached_changed(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval settle = { .tv_usec = ATTACHED_SETTLE_MS * 1000 };
	struct engine *e = arg;

	attached_drain(fd);
	/* It may be an interface that has come. */
	if (e->now.loaded != NULL)
		netfilter_gate_sync(e);
	(void)evtimer_add(e->attached_settled, &settle);
}

int engine_egress(struct engine *e, struct err *err)
{
	const struct egress_list *l = &e->config->doc->egress;
	uint32_t down = 0;
	int r = egress_sync(l, &e->sysctls, &down, err);

	for (uint32_t i = 0; i < l->n; i++) {
		bool is_down = (down >> i & 1) != 0, was_down = (e->egress_down >> i & 1) != 0;

		if (is_down && !was_down)
			log_event(LOG_WARNING, "egress.down", "egress=%s interface=%s", l->items[i].name,
				  l->items[i].interface);
		if (!is_down && was_down)
			log_event(LOG_NOTICE, "egress.up", "egress=%s interface=%s", l->items[i].name,
				  l->items[i].interface);
	}
	e->egress_down = down;
	return r;
}

static void on_attached_settled(evutil_socket_t fd, short what, void *arg)
{
	struct engine *e = arg;
	struct attached *a = malloc(sizeof(*a));
	struct err err = { 0 };

	if (engine_egress(e, &err) < 0)
		log_event(LOG_ERR, "egress.failed", "error=\"%s\"", err.msg);
	if (a == NULL || attached_read(e->config->doc->tunnel.interface, a, &err) < 0) {
		log_event(LOG_ERR, "addresses.failed", "error=\"%s\"", err.msg);
	} else if (e->now.loaded != NULL && !attached_equal(a, &e->now.loaded->attached)) {
		log_event(LOG_NOTICE, "addresses.changed", "networks=%u addresses=%u", a->n_nets, a->n_local);
		(void)engine_reload(e, RELOAD_NOTHING, NULL, NULL);
	}
	free(a);
}

static int open_events(struct engine *e, struct err *err)
{
	const struct timeval every = { .tv_sec = LEASE_RENEW_EVERY_S };

	e->tick = event_new(e->base, -1, EV_PERSIST, on_tick, e);
	e->attached_changed = event_new(e->base, e->attached_fd, EV_READ | EV_PERSIST, on_attached_changed, e);
	e->attached_settled = evtimer_new(e->base, on_attached_settled, e);
	if (e->tick == NULL || e->attached_changed == NULL || e->attached_settled == NULL ||
	    event_add(e->tick, &every) < 0 || event_add(e->attached_changed, NULL) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	if (refresh_open(e, err) < 0 || downloads_open(e, err) < 0)
		return err->code;
	return netfilter_watch(e, err);
}

static int open_tunnel(struct engine *e, struct err *err)
{
	int r = tunnel_open(&e->config->doc->tunnel, err);

	if (r != -ENODEV || !e->config->doc->tunnel.existing)
		return r;
	/* Somebody else's, and not there yet: the table goes by its name, and holds when it comes. */
	log_event(LOG_WARNING, "tunnel.absent", "error=\"%s\"", err->msg);
	return 0;
}

int engine_open(struct engine *e, struct event_base *base, const struct gateway_config *config, struct err *err)
{
	int launcher_fd = -1;
	pid_t launcher;
	int r;

	*e = (struct engine){
		.base = base,
		.config = config,
		.ct_events_fd = -1,
		.drops_fd = -1,
		.attached_fd = -1,
		.netfilter = { .monitor_fd = -1 },
		.lock_fd = -1,
		.overrides_fd = -1,
		.now = { .views_fd = -1, .log_fd = -1 },
		.reload = { .list_fd = -1 },
		.downloads = { .check_fd = -1 },
		.started_us = boot_us(),
	};
	STAILQ_INIT(&e->reload.waiters);
	STAILQ_INIT(&e->queued);
	TAILQ_INIT(&e->drops_waiters);
	TAILQ_INIT(&e->dns_waiters);
	TAILQ_INIT(&e->lists_waiters);
	TAILQ_INIT(&e->downloads.all);
	r = make_folders(config, err);
	if (r == 0)
		r = lock_run(config->doc->run_dir, &e->lock_fd, err);
	if (r == 0)
		r = open_kernel(e, err);
	if (r == 0)
		r = listeners_open(config->doc, &e->listeners, err);
	if (r == 0)
		r = launcher_spawn(&launcher_fd, &launcher, err);
	if (r == 0)
		r = supervise_new(base, launcher_fd, &feed_children, e, &e->children, err);
	if (r == 0)
		r = keep_net_admin(err);
	/* With the rights by which they are read anew later: what is not readable then is not now. */
	if (r == 0)
		dns_tls_open(&e->certs, config->doc);
	if (r == 0)
		r = barrier_new(base, &feed_barrier, e, &e->barrier, err);
	if (r == 0)
		r = query_channels_open(&e->queries, config->doc->dns_workers, err);
	if (r == 0 && config->doc->dnstap != NULL)
		r = tap_new(base, config->doc->dnstap, feed_tap, e, &e->tap, err);
	if (r == 0)
		r = netfilter_deny_all(e, err);
	if (r == 0)
		r = command_override_open(e, err);
	if (r == 0)
		r = open_tunnel(e, err);
	return r == 0 ? open_events(e, err) : r;
}

static void waiters_free(struct reload_waiters *waiters)
{
	struct reload_waiter *w;

	while ((w = STAILQ_FIRST(waiters)) != NULL) {
		STAILQ_REMOVE_HEAD(waiters, next);
		free(w);
	}
}

void engine_close(struct engine *e)
{
	struct event *events[] = { e->tick, e->attached_changed, e->attached_settled, e->reload.timeout };

	command_lists_end(e);
	downloads_close(e);
	e->children = supervise_free(e->children);
	/* The launcher ends when its channel closes, after its children, in two seconds at most. */
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
	e->barrier = barrier_free(e->barrier);
	query_channels_close(&e->queries);
	revocation_close(e);
	for (size_t i = 0; i < ARRAY_LEN(events); i++)
		if (events[i] != NULL)
			event_free(events[i]);
	listeners_close(&e->listeners);
	dns_tls_close(&e->certs);
	sysctl_restore(&e->forwarding);
	sysctl_restore(&e->sysctls);
	refresh_close(e);
	command_override_close(e);
	waiters_free(&e->reload.waiters);
	waiters_free(&e->queued);
	command_drops_end(e);
	command_dns_fail(e, "the gateway ends");
	e->tap = tap_free(e->tap);
	(void)loaded_free(e->reload.loaded);
	(void)prefixes_unref(e->reload.prefixes);
	(void)lists_free(e->reload.lists);
	fd_closep(&e->reload.list_fd);
	(void)loaded_free(e->now.loaded);
	(void)nft_prog_free(e->now.prog);
	(void)lists_free(e->now.lists);
	fd_closep(&e->now.views_fd);
	fd_closep(&e->now.log_fd);
	fd_closep(&e->ct_events_fd);
	fd_closep(&e->drops_fd);
	e->drops = drops_free(e->drops);
	fd_closep(&e->attached_fd);
	fd_closep(&e->lock_fd);
	(void)learned_free(e->learned);
	(void)conntrack_free(e->ct);
	netfilter_close(e);
	free(e->start_error);
	free(e->last_error);
}
