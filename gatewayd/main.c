/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sluice-gatewayd --config FILE [--foreground | --check | --teardown]
 *
 * Runs in the foreground always; --foreground says so for those who expect a daemon. --role launcher is our own. */
#include "base/log.h"
#include "gatewayd/command.h"
#include "gatewayd/launcher.h"
#include "gatewayd/tunnel.h"
#include "policy/evaluate.h"

#include <event2/event.h>
#include <getopt.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>

#define EXIT_USAGE 2

enum mode { MODE_RUN = 0, MODE_CHECK, MODE_TEARDOWN };

static void print_text(char *text)
{
	if (text != NULL)
		(void)fputs(text, stderr);
	free(text);
}

static int complain(const struct err *e)
{
	(void)fprintf(stderr, "sluice-gatewayd: %s\n", e->msg);
	return EXIT_FAILURE;
}

/* Reads and compiles everything and runs the tests, but those of DNS, which need the lists. Countries, networks and
 * address lists are not read: what hangs on them is said. */
static int check(const struct gateway_config *config)
{
	CLEANUP(loaded_freep) struct loaded *l = NULL;
	struct err e = { 0 };
	int r = load_policy(config->doc, NULL, time(NULL), &l, &e);

	if (r == 0) {
		l->env.lenient = true;
		r = load_compile(l, NULL, &e);
	}
	if (r == 0 &&
	    evaluate_tests(l->docs->policy, l->docs->devices, &l->env, l->plan, NULL, NULL, &l->docs->diags) != 0)
		r = -EINVAL;
	if (l != NULL)
		print_text(diags_text(&l->docs->diags));
	if (r < 0 && e.code != 0)
		return complain(&e);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int teardown(const struct gateway_config *config)
{
	CLEANUP(nft_channel_freep) struct nft_channel *ch = NULL;
	struct err e = { 0 };
	int r = nft_channel_open(&ch, &e);

	if (r == 0)
		r = netfilter_gate_remove(&e);
	if (r == 0)
		r = nft_apply_remove(ch, &e);
	if (r == 0)
		r = tunnel_remove(&config->doc->tunnel, &e);
	return r < 0 ? complain(&e) : EXIT_SUCCESS;
}

static void on_end(evutil_socket_t sig, short what, void *arg)
{
	struct engine *e = arg;

	log_event(LOG_NOTICE, "stopping", "signal=%d", (int)sig);
	(void)event_base_loopbreak(e->base);
}

static void on_hangup(evutil_socket_t sig, short what, void *arg)
{
	(void)engine_reload(arg, RELOAD_FILES, NULL, NULL);
}

static void on_first_plan(void *arg, const struct reload_result *result)
{
	struct engine *e = arg;

	if (result->ok) {
		log_event(LOG_NOTICE, "started", "gen=%llu", (unsigned long long)result->generation);
		return;
	}
	(void)fputs(result->text, stderr);
	(void)fputc('\n', stderr);
	e->exit_code = EXIT_FAILURE;
	(void)event_base_loopbreak(e->base);
}

static int add_signals(struct event_base *base, struct engine *e, struct event *ret[3], struct err *err)
{
	ret[0] = evsignal_new(base, SIGTERM, on_end, e);
	ret[1] = evsignal_new(base, SIGINT, on_end, e);
	ret[2] = evsignal_new(base, SIGHUP, on_hangup, e);
	for (int i = 0; i < 3; i++)
		if (ret[i] == NULL || event_add(ret[i], NULL) < 0)
			return err_set(err, -ENOMEM, "out of memory");
	return 0;
}

static int run_loop(struct event_base *base, struct engine *e, struct err *err)
{
	struct event *signals[3] = { NULL };
	struct control *control = NULL;
	char path[4096];
	int r = add_signals(base, e, signals, err);

	(void)signal(SIGPIPE, SIG_IGN);
	(void)snprintf(path, sizeof(path), "%s/control.sock", e->config->doc->run_dir);
	if (r == 0)
		r = control_new(base, path, command_run, e, &control, err);
	if (r == 0)
		r = engine_reload(e, RELOAD_FILES, on_first_plan, e);
	/* Broken off already when the first plan failed without waiting for anything. */
	if (r == 0 && e->exit_code == 0 && event_base_dispatch(base) < 0)
		r = err_set(err, -EIO, "event loop failed");
	(void)control_free(control);
	for (int i = 0; i < 3; i++)
		if (signals[i] != NULL)
			event_free(signals[i]);
	return r;
}

static int run(const struct gateway_config *config)
{
	struct event_base *base = event_base_new();
	struct engine *e = calloc(1, sizeof(*e));
	struct err err = { 0 };
	int code = EXIT_FAILURE;
	int r;

	if (base == NULL || e == NULL) {
		(void)err_set(&err, -ENOMEM, "out of memory");
		return complain(&err);
	}
	(void)umask(022);
	r = engine_open(e, base, config, &err);
	if (r == 0)
		r = run_loop(base, e, &err);
	if (r < 0)
		(void)complain(&err);
	else
		code = e->exit_code;
	engine_close(e);
	free(e);
	event_base_free(base);
	return code;
}

static int usage(FILE *out, int code)
{
	(void)fputs("usage: sluice-gatewayd --config FILE [--foreground | --check | --teardown]\n"
		    "  --config FILE  gateway.hujson\n"
		    "  --check        read and compile everything, change nothing; exit 1 when something is wrong\n"
		    "  --teardown     take the kernel's table and the tunnel's interface away (a stop leaves both)\n"
		    "  --version\n",
		    out);
	return code;
}

static int with_config(const char *path, enum mode mode)
{
	struct gateway_config *config = NULL;
	char *text = NULL;
	struct err e = { 0 };
	int r = load_gateway(path, &config, &text, &e);
	int code;

	print_text(text);
	if (r < 0)
		return complain(&e);
	code = mode == MODE_CHECK ? check(config) : mode == MODE_TEARDOWN ? teardown(config) : run(config);
	(void)gateway_config_free(config);
	return code;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' }, { "foreground", no_argument, NULL, 'f' },
		{ "check", no_argument, NULL, 'k' },	    { "teardown", no_argument, NULL, 't' },
		{ "role", required_argument, NULL, 'r' },   { "version", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },	    { 0 },
	};
	const char *config = NULL, *role = NULL;
	enum mode mode = MODE_RUN;
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'c')
			config = optarg;
		else if (opt == 'r')
			role = optarg;
		else if (opt == 'k')
			mode = MODE_CHECK;
		else if (opt == 't')
			mode = MODE_TEARDOWN;
		else if (opt == 'h')
			return usage(stdout, EXIT_SUCCESS);
		else if (opt == 'v')
			return printf("sluice-gatewayd %s\n", SLUICE_VERSION) < 0;
		else if (opt != 'f')
			return usage(stderr, EXIT_USAGE);
	}
	if (role != NULL)
		return strcmp(role, "launcher") == 0 ? launcher_main() : usage(stderr, EXIT_USAGE);
	if (config == NULL || optind != argc)
		return usage(stderr, EXIT_USAGE);
	log_init("gatewayd", LOG_INFO);
	return with_config(config, mode);
}
