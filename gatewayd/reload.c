/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The reload as a small state machine: IDLE → (PREFIXES, while listc reads countries, networks and address lists) → the
 * plan → (LISTS, while listc compiles block lists) → the change itself, in one go → (VIEWS, until dnsd answers by them)
 * → IDLE. The change itself does not wait for anything but the kernel; learning goes on in all stages by what is in
 * force.
 *
 * Order: the kernel's table is changed before dnsd gets its views. Where the plan widens, a name is never given out
 * before its address can be opened; where it narrows, dnsd's requests by older views are refused (-ESTALE), which is
 * the closed side. */
#include "gatewayd/engine.h"

#include "base/clock.h"
#include "base/ipc.h"
#include "base/log.h"
#include "gatewayd/applied.h"
#include "gatewayd/feed.h"
#include "gatewayd/snapshots.h"
#include "gatewayd/start_applied.h"
#include "gatewayd/tunnel.h"

#include <event2/event.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>

static void reload_begin(struct engine *e, enum reload_what what);

uint64_t boot_us(void)
{
	return clock_us(CLOCK_BOOTTIME);
}

/* Those who asked for a reload while one was under way. */
static void begin_queued(struct engine *e, enum reload_what what)
{
	e->again = false;
	e->again_what = RELOAD_NOTHING;
	STAILQ_CONCAT(&e->reload.waiters, &e->queued);
	reload_begin(e, what);
}

static void listc_stop(struct engine *e)
{
	e->lists_kept_waits = false;
	supervise_stop(e->children, ROLE_LISTC);
}

/* What a reload has made and nobody has taken. */
static void reload_drop(struct reload *r)
{
	(void)evtimer_del(r->timeout);
	r->stage = RELOAD_IDLE;
	r->loaded = loaded_free(r->loaded);
	r->prefixes = prefixes_unref(r->prefixes);
	r->lists = lists_free(r->lists);
	r->applied = false;
	fd_closep(&r->list_fd);
}

static void finish(struct engine *e)
{
	struct reload *r = &e->reload;
	struct reload_result result = r->result;
	struct reload_waiter *w = STAILQ_FIRST(&r->waiters), *following;
	bool again = e->again;
	enum reload_what what = e->again_what;

	result.text = result.ok ? NULL : e->last_error != NULL ? e->last_error : "out of memory";
	reload_drop(r);
	STAILQ_INIT(&r->waiters);
	for (; w != NULL; w = following) {
		following = STAILQ_NEXT(w, next);
		w->fn(w->arg, &result);
		free(w);
	}
	if (again && r->stage == RELOAD_IDLE)
		begin_queued(e, what);
	downloads_wake(e);
}

static void fail(struct engine *e, const struct err *err)
{
	struct reload *r = &e->reload;
	char *text = loaded_errors(r->loaded, err);

	free(e->last_error);
	e->last_error = text;
	e->error_what = r->what;
	e->counts.reloads_failed++;
	/* The first line: the log has one an event, all of them are in the answer and in status. */
	log_event(LOG_ERR, "reload.failed", "gen=%llu error=\"%.*s\"", (unsigned long long)e->now.generation,
		  text != NULL ? (int)strcspn(text, "\n") : 0, text != NULL ? text : "");
	if (r->loaded != NULL && r->loaded->docs->policy != NULL)
		downloads_want(e, r->loaded->docs->policy);
	/* At other times it checks a download, or writes the copy of what is in force. */
	if (r->stage == RELOAD_PREFIXES || r->stage == RELOAD_LISTS)
		listc_stop(e);
	/* Unless another mode is what the next one is for. */
	if (!e->again)
		e->netfilter.wanted = e->netfilter.mode;
	r->result = (struct reload_result){ .ok = false, .generation = e->now.generation };
	finish(e);
}

static int make_program(const struct engine *e, const struct loaded *l, struct nft_prog **ret, struct err *err)
{
	const struct doc_gateway *g = e->config->doc;
	const struct nft_env env = {
		.tunnel = g->tunnel.interface,
		.tunnel_nets = e->config->tunnel_nets,
		.n_tunnel_nets = e->config->n_tunnel,
		.own = l->attached.local,
		.n_own = l->attached.n_local,
		.tunnel_port = g->tunnel.existing ? 0 : g->tunnel.listen_port,
		.dns_port = g->dns_port,
		.tls_ports = g->tls_ports,
		.n_tls_ports = g->n_tls_ports,
		.dns_capture = g->dns_capture,
		.egress = &g->egress,
		.routed = g->routed,
		.n_routed = g->n_routed,
		.hooks = netfilter_hooks(e),
		.gate_pass = netfilter_gate_pass(e),
		.log_drops = e->drops_fd != -1,
	};

	return lower_nft(l->plan, &env, ret, err);
}

/* What follows from the new plan, once the kernel has it. Failures are said, and do not undo it: the table holds. */
static void follow_up(struct engine *e, struct loaded **old, uint64_t committed_us)
{
	const struct plan *p = e->now.loaded->plan;
	struct cuts *cuts = &e->reload.result.cuts;
	char reasons[CUT_REASONS_TEXT_MAX];
	uint32_t skipped = 0;
	struct err err = { 0 };

	if (revocation_due(e, *old, e->reload.result.ops)) {
		revocation_run(e, *old != NULL ? (*old)->plan : NULL, committed_us, cuts);
		revocation_keep(e, old);
	}
	if (tunnel_sync(&e->config->doc->tunnel, p, &skipped, &err) < 0)
		log_event(LOG_ERR, "tunnel.failed", "error=\"%s\"", err.msg);
	/* It may have been made just now. */
	netfilter_gate_sync(e);
	log_event(LOG_NOTICE, "plan.applied",
		  "gen=%llu devices=%u rules=%u ops=%u leases_dropped=%u flows=%u cut=%u%s cut_ms=%.3f no_key=%u",
		  (unsigned long long)e->now.generation, p->n_devices, p->n_rules, e->reload.result.ops, cuts->leases,
		  cuts->flows.seen, cuts->flows.cut, cut_reasons_print(&cuts->flows, reasons), (double)cuts->us / 1000,
		  skipped);
}

/* Only with the table in force: without it nothing may be forwarded, unless the administrator says so. */
static int forward(struct engine *e, struct err *err)
{
	if (e->netfilter.mode == NETFILTER_ON)
		return sysctl_forwarding(&e->forwarding, err);
	sysctl_restore(&e->forwarding);
	return 0;
}

static int first_plan(struct engine *e, struct err *err)
{
	struct err soft = { 0 };
	int r;

	if (sysctl_accounting(&e->sysctls, &soft) < 0)
		log_event(LOG_WARNING, "sysctl.failed", "error=\"%s\"", soft.msg);
	r = supervise_start(e->children, ROLE_RECORDER, false, err);
	return r == 0 ? supervise_start(e->children, ROLE_DNSD, false, err) : r;
}

static void running_replace(struct engine *e, struct running *next, uint64_t committed_us)
{
	struct running old = e->now;
	bool first = old.loaded == NULL;
	struct err err = { 0 };

	e->now = *next;
	e->reload.loaded = NULL;
	e->reload.lists = NULL;
	follow_up(e, &old.loaded, committed_us);
	if (forward(e, &err) < 0 || (first && first_plan(e, &err) < 0)) {
		log_event(LOG_ERR, "start.failed", "error=\"%s\"", err.msg);
		e->exit_code = 1;
		(void)event_base_loopbreak(e->base);
	} else if (!first) {
		feed_plan(e);
	}
	(void)loaded_free(old.loaded);
	(void)nft_prog_free(old.prog);
	(void)lists_free(old.lists);
	fd_closep(&old.views_fd);
	fd_closep(&old.log_fd);
}

/* What a gatewayd before us has left in the learned sets is still promised to clients; without it they ask again. */
static void take_over_leases(struct engine *e, const struct plan *p)
{
	struct err err = { 0 };

	if (nft_learn_dump(e->nft, p, boot_us(), e->learned, &err) < 0)
		log_event(LOG_WARNING, "leases.lost", "error=\"%s\"", err.msg);
}

/* Everything from the tests to the kernel; then what runs is replaced. */
static int change(struct engine *e, struct err *err)
{
	struct reload *r = &e->reload;
	struct running next = {
		.loaded = r->loaded, .lists = r->lists, .generation = e->generation + 1, .views_fd = -1, .log_fd = -1
	};
	struct nft_apply_result applied = { 0 };
	uint64_t committed_us;
	int code = snapshots_make(e, next.loaded, next.lists, next.generation, &next.views_fd, &next.log_fd, err);

	if (code == 0 && e->now.loaded != NULL && plan_keep_ids(next.loaded->plan, e->now.loaded->plan) < 0)
		code = err_set(err, -ENOMEM, "compare plans: out of memory");
	if (code == 0)
		code = make_program(e, next.loaded, &next.prog, err);
	/* Before the kernel marks packets for a way there is one, and it is closed where it leads nowhere. */
	if (code == 0)
		code = engine_egress(e, err);
	if (code == 0 && e->now.loaded == NULL)
		take_over_leases(e, next.loaded->plan);
	if (code == 0)
		code = netfilter_apply(e, next.prog, &applied, err);
	committed_us = boot_us();
	if (code < 0) {
		(void)nft_prog_free(next.prog);
		fd_closep(&next.views_fd);
		fd_closep(&next.log_fd);
		return code;
	}
	e->generation = next.generation;
	r->result = (struct reload_result){ .ok = true, .generation = next.generation, .ops = applied.messages };
	running_replace(e, &next, committed_us);
	return 0;
}

static void lists_ready(struct engine *e)
{
	const struct timeval timeout = { .tv_sec = VIEWS_READY_TIMEOUT_S };
	struct err err = { 0 };

	if (change(e, &err) < 0) {
		fail(e, &err);
		return;
	}
	e->counts.reloads++;
	if (e->reload.what != RELOAD_NOTHING && e->start_error == NULL &&
	    applied_save(e->config->doc, e->now.loaded, &err) < 0)
		log_event(LOG_WARNING, "applied.failed", "error=\"%s\"", err.msg);
	/* What a user was told about files holds until they are read again. */
	if (e->reload.what == RELOAD_FILES || (e->last_error != NULL && e->reload.what == e->error_what)) {
		free(e->last_error);
		e->last_error = TAKE(e->start_error);
		e->error_what = e->last_error != NULL ? RELOAD_FILES : RELOAD_NOTHING;
	}
	downloads_sync(e);
	e->reload.stage = RELOAD_VIEWS;
	(void)evtimer_add(e->reload.timeout, &timeout);
}

static bool lists_any(const struct lists *l)
{
	for (uint32_t i = 0; i < l->n; i++)
		if (l->items[i].fd != -1)
			return true;
	return false;
}

/* Start the list compiler for @stage. */
static int listc_begin(struct engine *e, enum reload_stage stage, struct err *err)
{
	const struct timeval timeout = { .tv_sec = LISTS_COMPILE_TIMEOUT_S };
	struct reload *r = &e->reload;

	downloads_put_aside(e);
	e->lists_kept_waits = false;
	fd_closep(&r->list_fd);
	r->list_fd = memfd_create("lists", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (r->list_fd < 0)
		return err_set(err, -errno, "lists: memfd: %s", strerror(errno));
	r->stage = stage;
	(void)evtimer_add(r->timeout, &timeout);
	return supervise_start(e->children, ROLE_LISTC, true, err);
}

static int lists_begin(struct engine *e, struct err *err)
{
	int code = listc_begin(e, RELOAD_LISTS, err);

	lists_close_files(e->reload.lists);
	return code;
}

static void prefixes_failed(struct engine *e, const struct err *why);

static void on_timeout(evutil_socket_t fd, short what, void *arg)
{
	struct engine *e = arg;
	struct err err = { 0 };

	if (e->reload.stage == RELOAD_PREFIXES) {
		(void)err_set(&err, -ETIMEDOUT, "the addresses are not compiled after %d s", LISTS_COMPILE_TIMEOUT_S);
		prefixes_failed(e, &err);
	} else if (e->reload.stage == RELOAD_LISTS) {
		(void)err_set(&err, -ETIMEDOUT, "the lists are not compiled after %d s", LISTS_COMPILE_TIMEOUT_S);
		fail(e, &err);
	} else if (e->reload.stage == RELOAD_VIEWS) {
		log_event(LOG_WARNING, "views.late", "gen=%llu", (unsigned long long)e->now.generation);
		finish(e);
	}
}

/* No policy was read: addresses and lists are those in force, whatever has become of their files. */
static int reload_again(struct engine *e, struct err *err)
{
	struct reload *r = &e->reload;
	bool devices = r->what == RELOAD_DEVICES;
	int code = devices ? load_devices(e->config->doc, e->now.loaded->docs, time(NULL), &r->loaded, err)
			   : load_policy(e->config->doc, e->now.loaded->docs, time(NULL), &r->loaded, err);

	if (code == 0)
		code = load_compile(r->loaded, e->now.loaded->prefixes, err);
	return code == 0 ? lists_copy(e->now.lists, &r->lists, err) : code;
}

/* The plan is there: the block lists that it names. */
static int reload_lists(struct engine *e, struct err *err)
{
	const struct doc_gateway *g = e->config->doc;
	struct reload *r = &e->reload;
	int code = lists_open(r->loaded->plan, g->policy_file, g->state_dir, &r->lists, err);

	r->stage = RELOAD_IDLE;
	if (code < 0)
		return code;
	if (lists_same(e->now.lists, r->lists)) {
		r->lists = lists_free(r->lists);
		return lists_copy(e->now.lists, &r->lists, err);
	}
	if (!lists_any(r->lists))
		return 0;
	/* Only a start needs it: later all of it is in memory. */
	if (e->now.lists == NULL && engine_lists_reuse(e))
		return 0;
	return lists_begin(e, err);
}

/* Addresses are there: the plan. */
static int reload_compile(struct engine *e, struct err *err)
{
	struct reload *r = &e->reload;
	int code = load_compile(r->loaded, r->prefixes, err);

	if (code < 0)
		code = start_from_applied(e, code, err);
	return code == 0 ? reload_lists(e, err) : code;
}

static int reload_read(struct engine *e, struct err *err)
{
	struct reload *r = &e->reload;
	struct documents *again = r->what == RELOAD_DATA ? e->now.loaded->docs : NULL;
	int code = load_policy(e->config->doc, again, time(NULL), &r->loaded, err);

	if (code == 0)
		code = prefixes_open(r->loaded->docs->policy, e->config->doc, &r->prefixes, err);
	if (code < 0) {
		code = start_from_applied(e, code, err);
		return code == 0 ? reload_lists(e, err) : code;
	}
	if (e->now.loaded != NULL && prefixes_same(e->now.loaded->prefixes, r->prefixes)) {
		(void)prefixes_unref(r->prefixes);
		r->prefixes = prefixes_ref(e->now.loaded->prefixes);
	} else if (r->prefixes->n != 0) {
		code = listc_begin(e, RELOAD_PREFIXES, err);
		prefixes_close_files(r->prefixes);
		return code;
	}
	return reload_compile(e, err);
}

/* A step behind the first is done: on, or the end. */
static void reload_goes_on(struct engine *e, int code, const struct err *err)
{
	if (code < 0)
		fail(e, err);
	else if (e->reload.stage == RELOAD_IDLE)
		lists_ready(e);
}

static void prefixes_failed(struct engine *e, const struct err *why)
{
	struct err err = *why;
	int code;

	supervise_stop(e->children, ROLE_LISTC);
	(void)evtimer_del(e->reload.timeout);
	code = start_from_applied(e, why->code, &err);
	reload_goes_on(e, code == 0 ? reload_lists(e, &err) : code, &err);
}

static void reload_begin(struct engine *e, enum reload_what what)
{
	struct reload *r = &e->reload;
	struct err err = { 0 };
	int code;

	r->what = e->now.loaded == NULL ? RELOAD_FILES : what;
	/* Who says that files have changed means these, too. */
	if (r->what == RELOAD_FILES)
		dns_tls_refresh(e, /* at_once= */ true);
	if (r->timeout == NULL)
		r->timeout = evtimer_new(e->base, on_timeout, e);
	if (r->timeout == NULL)
		code = err_set(&err, -ENOMEM, "reload: out of memory");
	else
		code = r->what >= RELOAD_DATA ? reload_read(e, &err) : reload_again(e, &err);
	reload_goes_on(e, code, &err);
}

/* Two that were asked for become one, which reads what either does. */
static enum reload_what both(enum reload_what a, enum reload_what b)
{
	if (a == RELOAD_NOTHING || a == b)
		return b;
	return b == RELOAD_NOTHING ? a : RELOAD_FILES;
}

/* A quarantine, or a name that is to pass now, does not wait for lists that are being compiled: that reload begins
 * again behind it. Nor for dnsd where the kernel has the plan already: that one is reported as done. */
static void put_aside(struct engine *e)
{
	struct reload *r = &e->reload;

	if (r->stage == RELOAD_VIEWS)
		finish(e);
	if (r->stage != RELOAD_PREFIXES && r->stage != RELOAD_LISTS)
		return;
	listc_stop(e);
	reload_drop(r);
	STAILQ_CONCAT(&r->waiters, &e->queued);
	STAILQ_CONCAT(&e->queued, &r->waiters);
	e->again = true;
	e->again_what = both(e->again_what, r->what);
}

int engine_reload(struct engine *e, enum reload_what what, reload_fn fn, void *arg)
{
	struct reload_waiter *w = NULL;

	if (fn != NULL) {
		w = calloc(1, sizeof(*w));
		if (w == NULL)
			return -ENOMEM;
		w->fn = fn;
		w->arg = arg;
	}
	if (what == RELOAD_DEVICES && e->now.loaded != NULL)
		put_aside(e);
	if (e->reload.stage != RELOAD_IDLE) {
		e->again = true;
		e->again_what = both(e->again_what, what);
		if (w != NULL)
			STAILQ_INSERT_TAIL(&e->queued, w, next);
		return 0;
	}
	if (w != NULL)
		STAILQ_INSERT_TAIL(&e->reload.waiters, w, next);
	reload_begin(e, what);
	return 0;
}

int engine_overrides(struct engine *e, reload_fn fn, void *arg)
{
	put_aside(e);
	return engine_reload(e, RELOAD_NOTHING, fn, arg);
}

int engine_netfilter(struct engine *e, enum netfilter_mode mode, reload_fn fn, void *arg)
{
	e->netfilter.wanted = mode;
	return engine_reload(e, RELOAD_NOTHING, fn, arg);
}

void engine_lists_result(struct engine *e, const struct msg_list_result *result)
{
	struct reload *r = &e->reload;
	struct err err = { 0 };
	int code;

	if (r->stage != RELOAD_LISTS)
		return;
	(void)evtimer_del(r->timeout);
	code = result->status < 0 ? err_set(&err, result->status, "lists: %.200s", result->text)
				  : lists_compiled(r->lists, fd_take(&r->list_fd), result, &err);
	if (code < 0) {
		fail(e, &err);
		return;
	}
	/* It goes on to write the copy, and then ends. */
	e->lists_kept_waits = true;
	log_event(LOG_INFO, "lists.compiled", "rules=%u skipped=%llu refused=%llu", result->rules,
		  (unsigned long long)result->skipped, (unsigned long long)result->refused);
	lists_ready(e);
}

void engine_prefix_result(struct engine *e, const struct msg_prefix_result *result)
{
	struct reload *r = &e->reload;
	struct err err = { 0 };
	int code;

	if (r->stage != RELOAD_PREFIXES)
		return;
	code = result->status < 0 ? err_set(&err, result->status, "%.200s", result->text)
				  : prefixes_compiled(r->prefixes, fd_take(&r->list_fd), result, &err);
	if (code < 0) {
		prefixes_failed(e, &err);
		return;
	}
	supervise_stop(e->children, ROLE_LISTC);
	(void)evtimer_del(r->timeout);
	log_event(LOG_INFO, "addresses.compiled", "sources=%u ranges=%llu refused=%u", r->prefixes->file.n,
		  (unsigned long long)r->prefixes->file.n_ranges, result->refused);
	reload_goes_on(e, reload_compile(e, &err), &err);
}

void engine_lists_lost(struct engine *e)
{
	struct err err = { 0 };

	if (downloads_listc_lost(e, "the list compiler ended without a result"))
		return;
	if (e->lists_kept_waits) {
		e->lists_kept_waits = false;
		downloads_wake(e);
		return;
	}
	if (e->reload.stage == RELOAD_PREFIXES) {
		(void)err_set(&err, -EIO, "the list compiler ended without a result");
		prefixes_failed(e, &err);
		return;
	}
	if (e->reload.stage != RELOAD_LISTS)
		return;
	(void)err_set(&err, -EIO, "the list compiler ended without a result");
	fail(e, &err);
}

void engine_views_ready(struct engine *e, uint64_t generation)
{
	if (e->reload.stage == RELOAD_VIEWS && generation >= e->now.generation)
		finish(e);
}
